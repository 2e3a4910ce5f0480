/* close.c - closed, not only marked: the path of an exec may lead through
 * /proc/self/fd before the marks act. */
#include "husk.h"

/* The socket is the exception, and marked: its end tells HOST that exec worked. And
 * what the program is given on purpose. */
int caps_close(struct run *r)
{
	int keep[1 + MAXPASS];

	keep[0] = r->sync;
	if (close_others(r->proc, 3, keep, 1 + init_passed(r, keep + 1)) < 0)
		return fail(r, "close descriptors");
	r->proc = -1;
	return 0;
}
