/* clone.c - INIT is born: in its cgroup and in all new namespaces at once, so
 * that nothing of it is ever outside of them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

enum { GONE_MS = 5000 };

/* The cgroup namespace takes the cgroups that its maker is in as its root. If
 * HOST has to move INIT first, INIT makes it, and later. */
bool ns_late(const struct run *r)
{
	return r->box->ns[NS_CGROUP] == NSM_NEW &&
		((HAS(v1) && r->cg1) || (r->cgroup2 >= 0 && !r->into_cgroup));
}

/* All that is new but time, which INIT unshares: clocks are set before the fork. */
static int flags(const struct run *r)
{
	int f = r->board ? CLONE_PARENT : 0, i;

	for (i = 0; i < NNS; i++)
		if (r->box->ns[i] == NSM_NEW && i != NS_TIME && !(i == NS_CGROUP && ns_late(r)))
			f |= ns_flag(i);
	return f;
}

/* Into the cgroup2 leaf, and where that is not to be had, with the old call: then
 * cg.enter moves it. The order of its last arguments differs by architecture;
 * they are 0. A kernel without SysV IPC and message queues has no namespace for
 * them, and needs none. */
static pid_t clone_init(struct run *r)
{
	struct clone_args a = { .pidfd = (uintptr_t)&r->pidfd, .cgroup = (uint64_t)r->cgroup2 };
	pid_t pid;
	int f;

	r->into_cgroup = r->cgroup2 >= 0;
	if (r->into_cgroup) {
		a.flags = CLONE_PIDFD | CLONE_INTO_CGROUP | (uint64_t)flags(r);
		a.exit_signal = r->board ? 0 : SIGCHLD;		/* CLONE_PARENT has the starter's */
		if ((pid = sys_clone3(&a, sizeof a)) >= 0 || errno == ENOENT || errno == ENODEV)
			return pid;		/* somebody has removed the leaf */
		r->into_cgroup = false;
	}
	f = flags(r) | SIGCHLD;
	pid = (pid_t)syscall(SYS_clone, f, 0, 0, 0, 0);
	if (pid < 0 && errno == EINVAL && faccessat(r->proc, "sysvipc", F_OK, 0) < 0 &&
	    syscall(SYS_mq_getsetattr, -1, NULL, NULL) < 0 && errno == ENOSYS)
		pid = (pid_t)syscall(SYS_clone, f & ~CLONE_NEWIPC, 0, 0, 0, 0);
	return pid;
}

/* When a process was born, by its stat file. 0: dead and not yet reaped, which is ESRCH, or errno says why that
 * cannot be known. */
static uint64_t started(int dir, const char *path)
{
	const char *stat = caps_status(dir, path), *state = caps_field(stat, 3), *p = caps_field(stat, 22);
	uint64_t start = 0;

	if (p && *state != 'Z' && *state != 'X')
		decimal(p, &start);
	else if (p)
		errno = ESRCH;
	return start;
}

/* Returns twice. Raw calls, so what musl remembers of the thread is the
 * parent's from here on: no raise(), no abort() inside. Who INIT is for an undo is
 * a number and a start time. While HOST works the number is nobody else's: INIT is
 * a child that nobody has waited for, also on a board (reap() of the keeper). */
int ns_clone(struct run *r)
{
	uint64_t start = 1;
	int e;

	r->init = clone_init(r);
	if (r->init < 0)
		return fail(r, "clone");
	if (r->init == 0) {
		r->side = INIT;
		return 0;
	}
	if ((e = ns_home(r)) == 0 && (!(start = started(r->proc, fmts("%d/stat", r->init))) ||
	    left_add(r, "init=%d start=%llu%s%s\n", r->init, (unsigned long long)start,
		r->box->caps >> CAP_SYS_PTRACE & 1 && USERS(r->box) != NSM_NEW ? " traces" : "",
		r->box->ns[NS_PID] == NSM_NEW ? "" : " shared") < 0))
		e = fail(r, "note process %d", r->init);
	if (e) {		/* undo knows nothing of it before that line is written */
		(void)kill(r->init, SIGKILL);
		(void)waitid(P_PID, (id_t)r->init, NULL, WEXITED | WNOWAIT);	/* not reaped: how it ended is still to be read */
		if (!start && r->err == ESRCH)	/* it had died, and has said of what */
			e = start_heard(r, 1);
	}
	return e;
}

/* The directory is opened first, and stays with the process even when its number
 * goes to another one. */
int ns_find(const struct left *l, int proc, uint64_t *pid)
{
	static char line[64];
	uint64_t start;
	unsigned at = 0;
	const char *s;
	int dir;

	errno = ESRCH;
	if (!state_is_ours(l) || !left_get(l, "init", &at, line, sizeof line) || !starts(s = decimal(line, pid), " start="))
		return -1;
	line[s - line] = '\0';
	if ((dir = openat(proc, line, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return -1;
	decimal(s + 7, &start);
	if (start && started(dir, "stat") == start)
		return dir;
	close(dir);
	errno = ESRCH;
	return -1;
}

/* The process of that number and that start time, and no other: before 5.1 the
 * number has to do, which was the right one a moment ago. */
static bool finish(int dir, pid_t pid)
{
	int ms = GONE_MS;

	if (sys_pidfd_send(dir, SIGKILL) < 0)
		(void)kill(pid, SIGKILL);
	for (; ms && started(dir, "stat"); ms--)
		(void)poll(NULL, 0, 1);
	return ms;
}

/* PID 1 takes a pid namespace of its own with it; where that is shared, or
 * frozen, the cgroup knows who belongs to the box. */
void ns_kill(struct left *l)
{
	bool shared = strstr(l->text, " shared\n"), gone = l->ended;
	int proc, dir = -1;
	uint64_t pid = 0;

	if (!gone) {
		proc = proc_fd();
		dir = ns_find(l, proc, &pid);
		gone = dir < 0 && (errno == ESRCH || errno == ENOENT);
		close(proc);
	}
	if (!gone || shared)
		cg_kill(l);
	if (!gone && (dir < 0 || !finish(dir, (pid_t)pid))) {
		warnx("%s: ns.clone: process %d could not be ended", l->name, (int)pid);
		l->stuck = true;
	}
	if (dir >= 0)
		close(dir);
}
