/* verify.c - our own mount table against the plan: nothing more, nothing less.
 * What failed in silence, what came from outside meanwhile, what lies over a
 * mask: all of it is a line here. Read after the pivot, when the table is short. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "husk.h"

static int compare(struct run *r, struct mountinfo *m, uint64_t scratch)
{
	const char *path;
	int e;

	while ((e = mountinfo_next(m)) > 0)
		if (!plan_check(m, scratch))
			return fail_not(r, "%s: %s on it was not planned, or not with these flags", m->path, m->type);
	if (e < 0)
		return fail(r, "read mountinfo");
	if ((path = plan_missing()) != NULL)
		return fail_not(r, "%s: the mount is missing, or one below it is too many", path);
	return 0;
}

int rootfs_verify(struct run *r)
{
	struct mountinfo *m;
	struct stat st;

	if (!rootfs_ours(r))
		return 0;
	if (fstat(r->scratch, &st) < 0)
		return fail(r, "stat the scratch tmpfs");
	if (!(m = mountinfo_open(r->proc)))
		return fail(r, "open mountinfo");
	return compare(r, m, (uint64_t)major(st.st_dev) << 32 | minor(st.st_dev));
}
