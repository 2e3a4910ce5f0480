/* layout.c - where the cgroup hierarchies are.
 *
 * By convention, never from mountinfo: a host may have thousands of mounts.
 * cgroup2 on /sys/fs/cgroup is v2. Anything else there holds one mount for
 * each v1 hierarchy, and the v2 tree of the hybrid layout in unified. A
 * directory that is no cgroup mount does not count: mkdir would work in it. */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "husk.h"

#define TOP	"/sys/fs/cgroup"

static const char names[NCTL][8] = {
	[CTL_MEMORY] = "memory", [CTL_PIDS] = "pids", [CTL_CPU] = "cpu",
	[CTL_DEVICES] = "devices", [CTL_FREEZER] = "freezer",
};

const char *cg_name(int ctl)
{
	return names[ctl];
}

/* Is it mounted there? ENOENT where something else is. */
static int is(const char *path, uint32_t magic)
{
	struct statfs s;

	if (statfs(path, &s) < 0)
		return -1;
	if ((uint32_t)s.f_type == magic)
		return 0;
	errno = ENOENT;
	return -1;
}

int cg_layout(void)
{
	struct statfs s;

	if (statfs(TOP, &s) < 0)
		return errno == ENOENT || errno == ENOTDIR ? CG_NONE : -1;
	switch ((uint32_t)s.f_type) {
	case CGROUP2_SUPER_MAGIC:
		return CG_V2;
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
		return CG_V1;
	}
	return CG_NONE;
}

/* Is the word in the list of a line of /proc/self/cgroup? The v2 tree has the
 * empty list. */
static bool listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; *list != ':'; list += *list == ',') {
		if (!strncmp(list, word, n) && (list[n] == ',' || list[n] == ':'))
			return true;
		list += strcspn(list, ",:");
	}
	return false;
}

/* Lines are ID:LIST:PATH. Copies list and path, either may be NULL. */
static int own_line(int proc, int ctl, char *list, char *path, size_t max)
{
	char *line = caps_status(proc, "self/cgroup"), *l, *p, *end;

	if (!line)
		return -1;
	for (; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (!(l = strchr(line, ':')) || !(p = strchr(++l, ':')))
			continue;
		if (ctl == NCTL ? !starts(line, "0::") : !listed(l, names[ctl]))
			continue;
		*p++ = '\0';
		if ((!list || copy(list, max, l) < max) && (!path || copy(path, max, p) < max))
			return 0;
		break;
	}
	errno = ENOENT;
	return -1;
}

/* Controllers that share a hierarchy share a mount, named after all of them;
 * most systems have a link for each, and then the list is not needed. */
int cg_mount(int proc, int layout, int ctl, char *path, size_t max)
{
	char list[64];

	errno = ENOENT;
	copy(path, max, TOP);
	if (layout == CG_V2)
		return ctl == NCTL ? 0 : -1;
	if (layout == CG_NONE)
		return -1;
	fmt(path, max, TOP "/%s", ctl == NCTL ? "unified" : names[ctl]);
	if (ctl == NCTL)
		return is(path, CGROUP2_SUPER_MAGIC);
	if (is(path, CGROUP_SUPER_MAGIC) == 0)
		return 0;
	if (errno != ENOENT || own_line(proc, ctl, list, NULL, sizeof list) < 0)
		return -1;
	fmt(path, max, TOP "/%s", list);
	return is(path, CGROUP_SUPER_MAGIC);
}

/* "" for the top. A path that leaves the tree by .. is another namespace's. */
int cg_own(int proc, int ctl, char *path, size_t max)
{
	if (own_line(proc, ctl, NULL, path, max) < 0)
		return -1;
	if (starts(path, "/..")) {
		errno = ENOENT;
		return -1;
	}
	if (same(path, "/"))
		*path = '\0';
	return 0;
}

/* The next path of the state file that is ours to remove: one below the
 * hierarchies, whatever else the text may say. */
bool cg_next(const struct left *l, const char *key, unsigned *at, char path[CGPATH])
{
	while (left_get(l, key, at, path, CGPATH))
		if (starts(path, TOP "/") && !strstr(path, "/.."))
			return true;
	return false;
}
