/* clock.c - clocks of one's own: the children of INIT are in them, and the
 * first fork freezes them. */
#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>

#include "husk.h"

/* Files below /proc of who is not dumpable belong to the host's root, whom a
 * root of a user namespace is not: dumpable for one write. Nobody is inside yet. */
int ns_clock(struct run *r)
{
	const struct box *b = r->box;

	if (b->ns[NS_TIME] != NSM_NEW)
		return 0;
	if (unshare(ns_flag(NS_TIME)) < 0)
		return errno == EINVAL ? fail_not(r, "no time namespaces in this kernel - CONFIG_TIME_NS") :
			fail(r, "a new time namespace");
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ||
	    write_at(r->proc, "self/timens_offsets", fmts("monotonic %lld 0\nboottime %lld 0\n",
		(long long)b->clock_monotonic, (long long)b->clock_boottime)) < 0)
		return fail(r, "set the clocks");
	return caps_hide(r);
}
