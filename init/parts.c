/* parts.c - what of the program is here, and what a board does without: WITHOUT= in
 * its boards/NAME.mk. */
#include "husk.h"

#define NAME(part)	#part "\0"
static const char names[] = TEXT PARTS(NAME);

/* Good until the fourth next */
const char *part_name(int part)
{
	return fmts("%s", nth(names, part));
}

char *part_list(bool here)
{
	static char list[160];
	size_t n = 0;
	int i;

	*list = '\0';
	for (i = 0; i < NPARTS; i++)
		if ((LACKS >> i & 1) != here)
			n += fmt(list + n, sizeof list - n, n ? " %s" : "%s", nth(names, i));
	return list;
}
