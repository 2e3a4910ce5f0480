/* enter.c - INIT goes into its leaves, before it does anything for the box. 0 is whoever writes:
 * its number could be another's by the time that somebody else has written it. Into the v2
 * leaf by its descriptor: the path may lead to another one. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "husk.h"

static int go_into(struct run *r, const char *path)
{
	FILLED struct statfs fs;
	int dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0 && errno == ENOENT)
		return 0;		/* noted, and then there was a better place */
	if (dir < 0 || fstatfs(dir, &fs) < 0)
		return fail(r, "%s", path);
	if ((uint32_t)fs.f_type != CGROUP2_SUPER_MAGIC && (uint32_t)fs.f_type != CGROUP_SUPER_MAGIC)
		return fail_not(r, "%s is no cgroup", path);
	if (write_at(dir, "cgroup.procs", "0") < 0)
		return fail(r, "go into %s", path);
	close(dir);
	return 0;
}

/* In none may it be that is not PID 1's, or above that: who has the limits knows. */
static int same_as(struct run *r, int who)
{
	static char own[4096];
	const char *p = own, *q = caps_status(who, "cgroup");
	size_t n;

	if (!q || read_at(r->proc, "self/cgroup", own, sizeof own) < 0)
		return fail(r, "read /proc/%d/cgroup", r->init);
	for (; *p && *q; p += n + (p[n] == '\n'), q = strchrnul(q, '\n'), q += *q == '\n') {
		n = strcspn(p, "\n");
		if (strncmp(p, q, n) != 0)
			break;
	}
	return *p || *q ? fail_not(r, "it is not where PID 1 is: %.*s", (int)strcspn(p, "\n"), p) : 0;
}

/* husk exec: by the state file */
int cg_join(struct run *r, int who)
{
	static char path[CGPATH];
	unsigned at = 0;
	int e = 0;

	while (!e && left_get(r->left, "cgroup", &at, path, sizeof path))
		e = go_into(r, path);
	return e ? e : same_as(r, who);
}

int cg_enter(struct run *r)
{
	int i;

	for (i = FIRST_CTL; i <= NCTL; i++)
		if (*cg_path(i) && !(i == NCTL && r->into_cgroup) &&
		    (i == NCTL ? write_at(r->cgroup2, "cgroup.procs", "0") : cg_put(i, "cgroup.procs", "0")) < 0)
			return fail(r, "go into %s", cg_path(i));
	return 0;
}
