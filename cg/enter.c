/* enter.c - INIT goes into its leaves, before it does anything for the box. 0 is whoever writes:
 * its number could be another's by the time that somebody else has written it. Into the v2
 * leaf by its descriptor: the path may lead to another one. */

#include "husk.h"

int cg_enter(struct run *r)
{
	int i;

	for (i = 0; i <= NCTL; i++)
		if (*cg_path(i) && !(i == NCTL && r->into_cgroup) &&
		    (i == NCTL ? write_at(r->cgroup2, "cgroup.procs", "0") : cg_put(i, "cgroup.procs", "0")) < 0)
			return fail(r, "go into %s", cg_path(i));
	return 0;
}
