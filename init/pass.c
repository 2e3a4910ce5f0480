/*
 * pass.c - descriptors that the program gets on purpose: sockets of listen=, files of
 * fd=, the end of the pipe of ready=fd:N.
 *
 * Their order is that of struct run's pass[]: sockets first, which are 3 and those behind
 * it, then files, then the pipe. HOST opens them, outside and in its own network; INIT
 * holds them until PROG is born; the keeper holds the sockets, so that nobody who
 * connects is lost while the box is started anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

static int count(const struct box *b)
{
	return b->life.ready == READY_FD;
}

static int wanted(const struct box *b, int i)
{
	(void)i;
	return b->life.ready_number;
}

/* For caps_close: the numbers that they have by then */
int init_passed(const struct run *r, int keep[MAXPASS])
{
	int i, n = r->side & ENTER ? 0 : count(r->box);	/* none for husk exec */

	for (i = 0; i < n; i++)
		keep[i] = wanted(r->box, i);
	return n;
}

/* Out of the way of all numbers that are wanted */
static int aside(int *fd, int above)
{
	int to = *fd < 0 ? -1 : fcntl(*fd, F_DUPFD_CLOEXEC, above);

	if (*fd >= 0 && to < 0)
		return -1;
	*fd = to;
	return 0;
}

/* PROG. What is ours goes out of the way first, and each to its number then: the one
 * may have the number of the other. caps.close closes what is left of it. */
int init_pass(struct run *r)
{
	int i, n = r->side & ENTER ? 0 : count(r->box), above = 0, e;

	for (i = 0; i < n; i++)
		if (wanted(r->box, i) >= above)
			above = wanted(r->box, i) + 1;
	if (!n)
		return 0;
	if (r->box->life.ready == READY_FD)
		r->pass[n - 1] = r->tell;
	e = aside(&r->sync, above) | aside(&r->proc, above);
	for (i = 0; i < n; i++)
		e |= aside(&r->pass[i], above);
	for (i = 0; i < n && !e; i++)
		e = dup2(r->pass[i], wanted(r->box, i)) < 0;
	return e ? fail(r, "give it its descriptors (rlimit.nofile)") : 0;
}
