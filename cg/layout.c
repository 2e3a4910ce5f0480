/* layout.c - where the cgroup hierarchies are.
 *
 * By convention, never from mountinfo: a host may have thousands of mounts.
 * cgroup2 on /sys/fs/cgroup is v2. Anything else there holds one mount for
 * each v1 hierarchy, and the v2 tree of the hybrid layout in unified. */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "husk.h"

const char *cg_name(int ctl)
{
	return nth("memory\0pids\0cpu\0devices\0freezer\0cpuset\0io\0hugetlb\0rdma\0misc\0"
		"net_cls\0net_prio\0cpuacct\0perf_event\0unified", ctl);
}

const char *cg_v1(int ctl)
{
	return ctl == CTL_IO ? "blkio" : cg_name(ctl);
}

/* A directory that is no cgroup mount does not count: mkdir would work in it. */
int cg_mounted(const char *path, bool v2)
{
	struct statfs s;

	if (statfs(path, &s) < 0)
		return -1;
	if ((uint32_t)s.f_type == (v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))
		return 0;
	errno = ENOENT;
	return -1;
}

static bool letter(char c)
{
	return c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* A word of a list, and not a part of a longer one. */
bool cg_word(const char *text, const char *word)
{
	size_t n = strlen(word);
	const char *p;

	for (p = text; (p = strstr(p, word)); p++)
		if ((p == text || !letter(p[-1])) && !letter(p[n]))
			return true;
	return false;
}

/* Of the line ID:LIST:PATH, where the v2 tree has the empty list. */
const char *cg_own(int proc, int ctl, const char **path)
{
	char *line = caps_status(proc, "self/cgroup"), *list, *p, *end;

	for (; line && (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (!(list = strchr(line, ':')) || !(p = strchr(++list, ':')))
			continue;
		*p = '\0';
		*path = p + 1;
		if (ctl == NCTL ? !*list : cg_word(list, cg_v1(ctl)))
			return list;
	}
	return NULL;
}

/* The next path of the state file that is ours to remove: one below the
 * hierarchies, whatever else the text may say. */
bool cg_next(const struct left *l, unsigned *at, char path[CGPATH])
{
	while (left_get(l, "cgroup", at, path, CGPATH))
		if (starts(path, CGTOP "/") && !strstr(path, "/.."))
			return true;
	return false;
}
