/* enter.c - INIT goes into its leaves. It still waits: nothing of it has run
 * outside its limits. */

#include "husk.h"

int cg_enter(struct run *r)
{
	int i;

	if (r->cgroup2 >= 0 && !r->into_cgroup && write_at(r->cgroup2, "cgroup.procs", fmts("%d", r->init)) < 0)
		return fail(r, "put PID 1 of the box into %s", cg_path(NCTL));
	for (i = 0; i < NCTL; i++)
		if (r->cg1 & 1u << i && cg_put(i, "cgroup.procs", fmts("%d", r->init)) < 0)
			return fail(r, "put PID 1 of the box into %s", cg_path(i));
	return 0;
}
