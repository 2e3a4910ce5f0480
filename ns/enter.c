/* enter.c - INIT joins what HOST could not join for it, and makes the cgroup
 * namespace where that had to wait. */
#include <sched.h>

#include "husk.h"

int ns_enter(struct run *r)
{
	int i, e = 0;

	for (i = 0; i < NNS && !e; i++)
		if (r->nsfd[i] >= 0)
			e = ns_into(r, i);
	if (!e && ns_late(r) && unshare(ns_flag(NS_CGROUP)) < 0)
		return fail(r, "a new cgroup namespace");
	return e;
}
