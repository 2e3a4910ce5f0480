/* verify.c - our own mount table against the plan: nothing more, nothing less.
 * What failed in silence, what came from outside meanwhile, what lies over a
 * mask: all of it is a line here. Read after the pivot, when the table is short. */
#include "husk.h"

int rootfs_verify(struct run *r)
{
	struct mountinfo *m;
	const char *path;
	int e;

	if (!rootfs_ours(r))
		return 0;
	if (!(m = mountinfo_open(r->proc)))
		return fail(r, "open mountinfo");
	while ((e = mountinfo_next(m)) > 0)
		if (!plan_check(m, rootfs_lends(r)))
			return fail_not(r, "%s: %s on it was not planned, or not with these flags", m->path, m->type);
	if (e < 0)
		return fail(r, "read mountinfo");
	if ((path = plan_missing()) != NULL)
		return fail_not(r, "%s: the mount is missing, or one below it is too many", path);
	return 0;
}
