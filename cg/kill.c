/* kill.c - the end of every process in a cgroup, whatever it forks meanwhile; and
 * the same walk for what else is done to all of them. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

enum { ROUNDS = 64, DEPTH = 64, TOO_DEEP = -(1 << 24) };

struct entry { uint64_t ino, off; uint16_t len; uint8_t type; char name[]; };

static int kill_one(pid_t pid)
{
	return kill(pid, SIGKILL) == 0;
}

/* One pass over an open cgroup.procs; how many were killed, or whatever is done. 0
 * in the list is a process of a namespace that we do not see; to kill it would be
 * to kill our own group. PID 1 of a box, which is in the list itself, calls this
 * too, under its filter. */
static int listed(int fd, pid_t not, cg_each *each)
{
	static char buf[512];
	ssize_t got, i;
	pid_t pid = 0;
	off_t at = 0;
	int n = 0;

	for (; (got = pread(fd, buf, sizeof buf, at)) > 0; at += got)
		for (i = 0; i < got; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				pid = pid * 10 + (buf[i] - '0');
				continue;
			}
			if (pid > 1 && pid != not)
				n += each(pid);
			pid = 0;
		}
	return n;
}

int cg_kill_listed(int fd, pid_t not)
{
	return listed(fd, not, kill_one);
}

/* One pass over a leaf and what a box that may write there has made below it: kills
 * all, and says how many, or does something else to each; below 0: it is deeper than
 * anybody needs, and not all was seen. What the box has frozen
 * itself below a v1 leaf that is frozen stays so, until that one thaws; and would
 * then live on. */
int cg_tree(int at, const char *path, cg_each *each, int depth)
{
	uint8_t buf[512] __attribute__((aligned(8)));
	int dir = depth > DEPTH ? -1 : openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd, n = 0;
	struct entry *e;
	long got, i;

	if (depth > DEPTH)
		return TOO_DEEP;
	if ((fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC)) >= 0) {
		n = listed(fd, 0, each);
		close(fd);
		if (depth && each == kill_one)
			(void)write_at(dir, "freezer.state", "THAWED");
	}
	while ((got = syscall(__NR_getdents64, dir, buf, sizeof buf)) > 0)
		for (i = 0; i < got; i += e->len) {
			e = (void *)(buf + i);
			if (e->type == DT_DIR && *e->name != '.')
				n += cg_tree(dir, e->name, each, depth + 1);
		}
	if (dir >= 0)
		close(dir);
	return n;
}

static void freeze(int dir, bool on)
{
	if (write_at(dir, "cgroup.freeze", on ? "1" : "0") < 0)
		(void)write_at(dir, "freezer.state", on ? "FROZEN" : "THAWED");
}

/* Without cgroup.kill: frozen, so that nobody forks; killed; thawed, because
 * v1 lets the killed die only then. As often as it takes, but not for ever: one
 * process may hang in a driver. */
static void kill_slowly(int dir)
{
	int i, n;

	(void)write_at(dir, "pids.max", "0");
	for (i = 0; i < ROUNDS; i++) {
		freeze(dir, true);
		n = cg_tree(dir, ".", kill_one, 0);
		freeze(dir, false);
		if (!n)
			break;
		(void)poll(NULL, 0, 1);
	}
}

/* Where there is no cgroup: PID 1 gets all orphans of the box. One pass takes its children, the next those
 * of these, until it has none; or it has ended itself, because its program has. */
static void kill_children(const struct left *l)
{
	int proc = proc_fd(), rounds = ROUNDS, dir, fd;
	uint64_t pid;

	if ((dir = ns_find(l, proc, &pid)) >= 0) {
		fd = openat(dir, fmts(TEXT "task/%d/children", (int)pid), O_RDONLY | O_CLOEXEC);
		while (cg_kill_listed(fd, 0) > 0 && --rounds)
			(void)poll(NULL, 0, 1);
		close(fd);
		close(dir);
	}
	close(proc);
}

/* Each leaf has all of them, but one may be frozen where only the next can thaw.
 * Without PID 1 in the text no process of this box was ever in one: who is there
 * is somebody else. */
void cg_kill(const struct left *l)
{
	static char path[CGPATH];
	unsigned at = 0;
	bool done = !strstr(l->text, "\ninit=");
	int dir;

	while (!done && cg_next(l, &at, path)) {
		if ((dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
			continue;
		done = write_at(dir, "cgroup.kill", "1") == 0;
		if (!done)
			kill_slowly(dir);
		close(dir);
	}
	if (!done && strstr(l->text, " shared\n"))
		kill_children(l);
}
