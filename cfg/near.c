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

/* The usual table: what it costs to make the first j letters of b out of the
 * first i of a. */
static unsigned distance(const char *a, size_t la, const char *b, size_t lb)
{
	static uint8_t d[MAXLEN + 1][MAXLEN + 1];
	size_t i, j;
	unsigned n;

	for (i = 0; i <= la; i++)
		for (j = 0; j <= lb; j++) {
			n = (unsigned)(i + j);
			if (i && j) {
				n = d[i - 1][j - 1] + !alike(a[i - 1], b[j - 1]);
				n = n > d[i - 1][j] ? d[i - 1][j] + 1u : n;
				n = n > d[i][j - 1] ? d[i][j - 1] + 1u : n;
			}
			if (i > 1 && j > 1 && alike(a[i - 1], b[j - 2]) && alike(a[i - 2], b[j - 1]) && n > d[i - 2][j - 2])
				n = d[i - 2][j - 2] + 1u;
			d[i][j] = (uint8_t)n;
		}
	return d[la][lb];
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
