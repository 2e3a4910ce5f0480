/* near.c - the word that was probably meant: the fewest letters missing, too
 * many, wrong, or two neighbours swapped. */
#include <string.h>

#include "husk.h"

enum { MAXLEN = 39 };

/* Small and capital letters are the same here. */
static bool alike(char a, char b)
{
	return (a | 32) == (b | 32);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Three rows of the usual table; the third is for swapped neighbours. */
static unsigned distance(const char *a, size_t la, const char *b, size_t lb)
{
	uint8_t d[3][MAXLEN + 2];
	uint8_t *two = d[0], *one = d[1], *now = d[2], *t;
	size_t i, j;

	for (j = 0; j <= lb; j++)
		one[j] = (uint8_t)j;
	for (i = 1; i <= la; i++) {
		now[0] = (uint8_t)i;
		for (j = 1; j <= lb; j++) {
			unsigned n = least(one[j], now[j - 1]) + 1u;

			n = least(n, one[j - 1] + (alike(a[i - 1], b[j - 1]) ? 0u : 1u));
			if (i > 1 && j > 1 && alike(a[i - 1], b[j - 2]) && alike(a[i - 2], b[j - 1]))
				n = least(n, two[j - 2] + 1u);
			now[j] = (uint8_t)n;
		}
		t = two;
		two = one;
		one = now;
		now = t;
	}
	return one[lb];
}

/* One letter in three may be wrong, at most three. */
void near_begin(struct near *n, const char *word)
{
	size_t len = strlen(word);

	n->word = word;
	n->name[0] = '\0';
	n->best = len < 3 ? 1 : len < 9 ? (unsigned)len / 3 + 1 : 4;
}

void near_try(struct near *n, const char *candidate)
{
	size_t la = strlen(n->word), lb = strlen(candidate);
	unsigned d;

	if (la > MAXLEN || lb > MAXLEN || la > lb + 3 || lb > la + 3)
		return;
	d = distance(n->word, la, candidate, lb);
	if (d < n->best) {
		n->best = d;
		copy(n->name, sizeof n->name, candidate);
	}
}

const char *near_hint(const struct near *n)
{
	static char hint[48];

	if (!n->name[0])
		return "";
	fmt(hint, sizeof hint, "; %s?", n->name);
	return hint;
}

const char *near_of(const char *word, const char *(*name)(int))
{
	static struct near near;
	const char *s;
	int i;

	near_begin(&near, word);
	for (i = 0; (s = name(i)); i++)
		near_try(&near, s);
	return near_hint(&near);
}
