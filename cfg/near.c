/* near.c - the word that was probably meant: the fewest letters missing, too
 * many, wrong, or two neighbours swapped, in one place of the word. */
#include <string.h>

#include "husk.h"

/* Small and capital letters are the same here. */
static bool alike(char a, char b)
{
	return (a | 32) == (b | 32);
}

/* How many letters stand between those that both begin and end with; two that
 * are swapped count as one. */
static size_t distance(const char *a, size_t la, const char *b, size_t lb)
{
	for (; la && lb && alike(*a, *b); la--, lb--, a++, b++)
		;
	for (; la && lb && alike(a[la - 1], b[lb - 1]); la--, lb--)
		;
	if (la == 2 && lb == 2 && alike(a[0], b[1]) && alike(a[1], b[0]))
		return 1;
	return la > lb ? la : lb;
}

/* One letter in three may be wrong, at most three. */
void near_begin(struct near *n, const char *word)
{
	size_t len = strlen(word);

	n->word = word;
	n->name[0] = '\0';
	n->best = len < 3 ? 1 : len < 9 ? len / 3 + 1 : 4;
}

void near_try(struct near *n, const char *candidate)
{
	size_t d = distance(n->word, strlen(n->word), candidate, strlen(candidate));

	if (d < n->best) {
		n->best = d;
		copy(n->name, sizeof n->name, candidate);
	}
}

const char *near_hint(const struct near *n)
{
	static char hint[MAXNAME + 4];

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
