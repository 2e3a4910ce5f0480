/* nearest.c - "did you mean": the name that is fewest typing errors away. */
#include <string.h>

#include "husk.h"

/* insertions, deletions and changes from a to b */
static unsigned distance(const char *a, size_t la, const char *b)
{
	uint8_t row[64], left, up, best;
	size_t i, j, lb = strlen(b);

	for (j = 0; j <= lb; j++)
		row[j] = (uint8_t)j;
	for (i = 1; i <= la; i++) {
		up = row[0];
		row[0] = (uint8_t)i;
		for (j = 1; j <= lb; j++) {
			left = row[j];
			best = (uint8_t)(up + (a[i - 1] != b[j - 1]));
			if (left + 1 < best)
				best = (uint8_t)(left + 1);
			if (row[j - 1] + 1 < best)
				best = (uint8_t)(row[j - 1] + 1);
			row[j] = best;
			up = left;
		}
	}
	return row[lb];
}

const char *filter_nearest(const char *name, size_t len)
{
	static char best[48];
	char buf[48];
	unsigned d, least = len < 4 ? 2 : 3;
	const char *p = NULL;
	int i = 0;
	bool group = len && *name == '@';

	best[0] = '\0';
	buf[0] = '@';
	if (len > 40)
		return NULL;
	while (group ? (p = filter_groupname(i++)) != NULL : (p = filter_next(p, buf)) != NULL) {
		if (group)
			copy(buf + 1, sizeof buf - 1, p);
		d = distance(name, len, buf);
		if (d < least) {
			least = d;
			copy(best, sizeof best, buf);
		}
	}
	return best[0] ? best : NULL;
}
