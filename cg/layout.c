/* layout.c - where the cgroup hierarchies are.
 *
 * By convention: cgroup2 on /sys/fs/cgroup is v2. Anything else there holds one
 * mount for each v1 hierarchy, and the v2 tree of the hybrid layout in unified.
 * Where it is not, what /proc/self/cgroup has is looked for in mountinfo, and
 * only then: a host may have thousands of mounts.
 *
 * A path in a hierarchy is what it says, also where a directory of it is somebody
 * else's: there are no symbolic links in it, and who may make a directory there
 * cannot make one; on the way to it nobody but root can put one. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "husk.h"

/* A directory that is no cgroup mount does not count: mkdir would work in it. */
int cg_mounted(const char *path, bool v2)
{
	FILLED struct statfs s;

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

/* SOURCE OPTIONS of a v1 mount: the controllers stand before all that has a =. */
static bool holds(char *rest, const char *controller)
{
	char *p = strchr(rest, ' ');

	if (!p)
		return false;
	p[strcspn(p, "=")] = '\0';
	return cg_word(p, controller);
}

/* The whole hierarchy where that is mounted, or a part of it. What is covered by
 * another mount does not count. */
bool cg_find(int proc, int ctl, char path[CGPATH])
{
	struct mountinfo *m = mountinfo_open(proc);
	bool v2 = ctl == NCTL;

	*path = '\0';
	while (m && mountinfo_next(m) > 0)
		if (same(m->type, v2 ? "cgroup2" : "cgroup") && (v2 || holds(m->rest, cg_v1(ctl))) &&
		    (!*path || same(m->root, "/")) && strlen(m->path) < CGPATH && cg_mounted(m->path, v2) == 0)
			copy(path, CGPATH, m->path);
	if (m)
		let_go(m->fd);
	return *path;
}

/* The real root has no events. A threaded one does not say who is in it. */
bool cg_busy(const char *dir)
{
	static char some[2];

	return read_file(fmts("%s/cgroup.procs", dir), some, sizeof some) != 0 &&
		access(fmts("%s/cgroup.events", dir), F_OK) == 0;
}

/* The next path of the state file that is ours to remove: one in a hierarchy,
 * whatever else the text may say. */
bool cg_next(const struct left *l, unsigned *at, char path[CGPATH])
{
	while (left_get(l, "cgroup", at, path, CGPATH))
		if (*path == '/' && !strstr(path, "/..") && (starts(path, CGTOP "/") ||
		    cg_mounted(path, false) == 0 || cg_mounted(path, true) == 0))
			return true;
	return false;
}
