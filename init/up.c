/*
 * up.c - a box that runs, by its name: the door of all verbs that look at one or
 * change it. From its state file, the lock, and PID 1 itself; its keeper is asked
 * nothing, may be PID 1 of a board, and may hang.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "husk.h"

/* Its directory in /proc, or -1. A number and a start time: a number alone may be
 * that of another process by now. */
int up_find(struct left *l, const char *name, int proc, uint64_t *pid)
{
	int held = state_read(l, name);

	if (held < 0)
		return -1;
	errno = ESRCH;
	return held ? ns_find(l, proc, pid) : -1;
}

/* With stages' own words: r is that of a start, as far as HOST knows it. */
static void begin(struct up *u, const char *name)
{
	struct run *r = &u->run;
	int *fd;

	for (fd = &r->proc; fd <= &r->last_fd; fd++)
		*fd = -1;
	r->left = &u->left;
	r->name = name;
	r->side = HOST;
	r->unpriv = getauxval(AT_EUID) != 0;
	u->who = -1;
}

int up_name(const char *name)
{
	if (name && cfg_name(name))
		return 0;
	warnx("%s: %s - husk help %s", entry_words()[1], !name ? TEXT "the name of a box is missing" :
		fmts("\"%.*s\" is not the name of a box%s", 80, cfg_plain(name) ? name : "?", strchr(name, '/') ? ", and no file" : ""), entry_words()[1]);
	return 2;
}

int up_lacks(const char *name, const char *what)
{
	if (!HAS(list) || state_there(name) || !list_unknown(name))
		warnx("%s: %s", name, what);
	return 3;
}

int up_not(const char *name)
{
	return up_lacks(name, TEXT "not running");
}

int up_open(struct up *u, const char *name)
{
	static char keeper[16];
	uint64_t n = 0;
	unsigned at = 0;

	if (up_name(name))
		return 2;
	begin(u, name);
	u->run.proc = proc_fd();
	u->who = u->run.proc < 0 ? -1 : up_find(&u->left, name, u->run.proc, &n);
	if (u->who < 0) {
		if (errno == ESRCH || errno == ENOENT)
			return up_not(name);
		warn("%s: run directory", name);
		return 1;
	}
	u->run.init = (pid_t)n;
	decimal(left_get(&u->left, "keeper", &at, keeper, sizeof keeper) ? keeper : "", &n);
	u->keeper = (pid_t)n;
	return 0;
}

/* One after the other: u->leaf is the next leaf that is there, and the result a
 * descriptor of it, O_PATH; -1: no more. What the state file says is a path of
 * husk's own; no link is followed at its end, and it has to be a cgroup. */
int up_leaf(struct up *u, unsigned *at)
{
	FILLED struct statfs fs;
	int dir, e = ENOENT;

	while (cg_next(&u->left, at, u->leaf)) {
		dir = open(u->leaf, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0) {
			e = errno == ENOENT ? e : errno;
			continue;
		}
		if (fstatfs(dir, &fs) == 0 && ((uint32_t)fs.f_type == CGROUP2_SUPER_MAGIC || (uint32_t)fs.f_type == CGROUP_SUPER_MAGIC))
			return dir;
		close(dir);
	}
	errno = e;
	return -1;
}

/* FILE in whichever leaf has it, the v2 one first; u->leaf is that leaf. */
int up_file(struct up *u, const char *file, int flags)
{
	unsigned at = 0;
	int dir, fd = -1, e = ENOENT;

	while (fd < 0 && (dir = up_leaf(u, &at)) >= 0) {
		fd = openat(dir, file, flags | O_NOFOLLOW | O_CLOEXEC);
		e = fd < 0 && errno != ENOENT ? errno : e;
		close(dir);
	}
	if (fd < 0)
		errno = errno == ENOENT ? e : errno;
	return fd;
}

int up_failed(const struct up *u, const char *where)
{
	warnx("%s: %s: %s", u->run.name, where, u->run.why);
	return 1;
}
