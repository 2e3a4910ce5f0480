/*
 * pass.c - descriptors that the program gets on purpose: so far the end of the pipe of
 * ready=fd:N. HOST opens them, INIT holds them until PROG is born, and there they get
 * their numbers. What husk exec starts has none.
 */
#include <fcntl.h>
#include <unistd.h>

#include "husk.h"

static bool passes(const struct run *r)
{
	return r->box->life.ready == READY_FD && !(r->side & ENTER);
}

/* For caps_close: the number that it has by then */
int init_passed(const struct run *r, int keep[MAXPASS])
{
	keep[0] = r->box->life.ready_number;
	return passes(r);
}

/* Out of the way of the number that is wanted */
static int aside(int *fd, int above)
{
	int to = fcntl(*fd, F_DUPFD_CLOEXEC, above);

	if (to >= 0)
		*fd = to;
	return to < 0;
}

/* PROG. What is ours goes out of the way first; caps.close closes what is left of it. */
int init_pass(struct run *r)
{
	int n = r->box->life.ready_number;

	if (!passes(r))
		return 0;
	if (aside(&r->sync, n + 1) || aside(&r->proc, n + 1) || aside(&r->tell, n + 1) || dup2(r->tell, n) < 0)
		return fail(r, "descriptor %d (rlimit.nofile)", n);
	return 0;
}
