/* enter.c - INIT joins what HOST could not join for it, and makes the cgroup
 * namespace where that had to wait; husk exec joins a whole box. */
#include <sched.h>
#include <unistd.h>

#include "husk.h"

/* By PID 1 itself, from Linux 5.8. Its children are in another clock, and it is not. */
static void all_at_once(struct run *r)
{
	int i, flags = 0;

	for (i = 0; i < NS_TIME; i++)
		flags |= r->nsfd[i] >= 0 ? ns_flag(i) : 0;
	if (r->pidfd < 0 || !flags || setns(r->pidfd, flags) < 0)
		return;
	for (i = 0; i < NS_TIME; i++)
		if (r->nsfd[i] >= 0) {
			close(r->nsfd[i]);
			r->nsfd[i] = -1;
		}
}

/* user gives the rights over the others, but takes those over what is the host's: who
 * has them enters it last. */
int ns_enter(struct run *r)
{
	int last = r->side & ENTER && !r->unpriv, i, n, e = 0;

	if (r->side & ENTER)
		all_at_once(r);
	for (i = last; i < NNS + last && !e; i++)
		if (r->nsfd[n = i % NNS] >= 0)
			e = ns_into(r, n);
	if (!e && !(r->side & ENTER) && ns_late(r) && unshare(ns_flag(NS_CGROUP)) < 0)
		return fail(r, "a new cgroup namespace");
	return e;
}
