/* clone.c - INIT is born: in its cgroup and in all new namespaces at once, so
 * that nothing of it is ever outside of them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

enum { GONE_MS = 5000, STEP_MS = 10 };

/* The cgroup namespace takes the cgroups that its maker is in as its root. If
 * HOST has to move INIT first, INIT makes it, and later. */
bool ns_late(const struct run *r)
{
	return r->box->ns[NS_CGROUP] == NSM_NEW &&
		(r->cg1 || (r->cgroup2 >= 0 && !r->into_cgroup));
}

/* What protects from a thing that this kernel does not have is there already. */
static int needless(const struct run *r)
{
	int f = 0;

	if (faccessat(r->proc, "self/ns/cgroup", F_OK, 0) < 0)
		f |= CLONE_NEWCGROUP;
	if (faccessat(r->proc, "self/ns/ipc", F_OK, 0) < 0 && faccessat(r->proc, "sysvipc", F_OK, 0) < 0 &&
	    syscall(SYS_mq_getsetattr, -1, NULL, NULL) < 0 && errno == ENOSYS)
		f |= CLONE_NEWIPC;
	return f;
}

/* All that is new but time, which INIT unshares: clocks are set before the fork. */
static int flags(const struct run *r, int without)
{
	int f = r->board ? CLONE_PARENT : 0, i;

	for (i = 0; i < NNS; i++)
		if (r->box->ns[i] == NSM_NEW && i != NS_TIME)
			f |= ns_flag(i);
	return f & ~(without | (ns_late(r) ? CLONE_NEWCGROUP : 0));
}

/* The old call: before 5.2 it knows no pidfd and ignores the flag. The order of
 * its last arguments differs by architecture; they are 0. */
static pid_t clone_old(struct run *r, int without)
{
	int f = flags(r, without) | SIGCHLD;
	pid_t pid = (pid_t)syscall(SYS_clone, f | CLONE_PIDFD, 0, &r->pidfd, 0, 0);

	if (pid < 0 && errno == EINVAL)
		pid = (pid_t)syscall(SYS_clone, f, 0, 0, 0, 0);
	return pid;
}

static pid_t clone_any(struct run *r, int without)
{
	struct clone_args a = { .pidfd = (uintptr_t)&r->pidfd };
	pid_t pid;

	a.exit_signal = r->board ? 0 : SIGCHLD;		/* CLONE_PARENT has the starter's */
	r->into_cgroup = r->cgroup2 >= 0;
	if (r->into_cgroup) {
		a.cgroup = (uint64_t)r->cgroup2;
		a.flags = CLONE_PIDFD | CLONE_INTO_CGROUP | (uint64_t)flags(r, without);
		pid = sys_clone3(&a, sizeof a);
		if (pid >= 0 || errno == EAGAIN || errno == ENOMEM)
			return pid;
		r->into_cgroup = false;
		a.cgroup = 0;
	}
	a.flags = CLONE_PIDFD | (uint64_t)flags(r, without);
	pid = sys_clone3(&a, CLONE_ARGS_SIZE_VER0);
	return pid < 0 && (errno == ENOSYS || errno == EPERM) ? clone_old(r, without) : pid;
}

/* Field 22 of a stat file. The name in front of it is in brackets and may hold
 * anything. 0: not there, or dead and not yet reaped. */
uint64_t ns_start(int dir, const char *path)
{
	uint64_t start = 0;
	const char *p = caps_status(dir, path);
	int i;

	if (!p || !(p = strrchr(p, ')')))
		return 0;
	if (strlen(p) < 3 || p[2] == 'Z' || p[2] == 'X')
		return 0;
	for (i = 0, p += 2; i < 19 && (p = strchr(p, ' ')); i++)
		p++;
	if (p)
		decimal(p, &start);
	return start;
}

/* Who is a number and a start time: the number alone may be another's by now. */
static int name_init(struct run *r)
{
	const char *path = fmts("%d/stat", r->init);
	uint64_t start = ns_start(r->proc, path);

	if (!start)
		return fail(r, "read /proc/%s", path);
	if (left_add(r, "init=%d start=%llu%s\n", r->init, (unsigned long long)start,
		r->box->ns[NS_PID] == NSM_NEW ? "" : " shared") < 0)
		return fail(r, "write the state file");
	return 0;
}

/* A root that is one only in a new user namespace may not join what belongs to
 * the host: HOST goes there for the moment of the clone. home[]: the way back. */
static int visit(struct run *r, int home[NNS])
{
	const char *path;
	int i;

	memset(home, 0xff, NNS * sizeof *home);
	for (i = 0; i < NNS; i++) {
		if (r->nsfd[i] < 0 || r->box->ns[NS_USER] != NSM_NEW || i == NS_MNT)
			continue;
		path = fmts("self/ns/%s", ns_name(i));
		if ((home[i] = openat(r->proc, path, O_RDONLY | O_CLOEXEC)) < 0)
			return fail(r, "open /proc/%s", path);
		if (setns(r->nsfd[i], ns_flag(i)) < 0)
			return fail(r, "join %s", ns_name(i));
		close(r->nsfd[i]);
		r->nsfd[i] = -1;
	}
	return 0;
}

static int go_home(struct run *r, const int home[NNS])
{
	int i;

	for (i = 0; i < NNS; i++) {
		if (home[i] < 0)
			continue;
		if (setns(home[i], ns_flag(i)) < 0)
			return fail(r, "come back from %s", ns_name(i));
		close(home[i]);
	}
	return 0;
}

/* Undo knows nothing of it before its line is written: until then it ends here. */
static int clone_failed(struct run *r, int e)
{
	(void)kill(r->init, SIGKILL);
	if (!r->board)
		(void)waitpid(r->init, NULL, 0);
	return e;
}

/* Returns twice. Raw calls, so what musl remembers of the thread is the
 * parent's from here on: no raise(), no abort() inside. */
int ns_clone(struct run *r)
{
	int home[NNS], e, without;

	if ((e = visit(r, home)) != 0)
		return e;
	r->init = clone_any(r, 0);
	if (r->init < 0 && errno == EINVAL && (without = needless(r)) != 0)
		r->init = clone_any(r, without);
	if (r->init < 0)
		return fail(r, "clone");
	if (r->init == 0) {
		r->side = INIT;
		return 0;
	}
	if ((e = go_home(r, home)) != 0 || (e = name_init(r)) != 0)
		return clone_failed(r, e);
	if (r->pidfd < 0)
		r->pidfd = sys_pidfd_open(r->init);
	return 0;
}

bool ns_init(const struct left *l, pid_t *pid, uint64_t *start)
{
	char line[64];
	const char *s;
	unsigned at = 0;
	uint64_t v;

	if (!left_get(l, "init", &at, line, sizeof line))
		return false;
	s = decimal(line, &v);
	if (!v || v > INT32_MAX || !starts(s, " start="))
		return false;
	*pid = (pid_t)v;
	decimal(s + 7, start);
	return true;
}

/* The process of that number and that start time, and no other. The pidfd comes
 * before the look at the start time: so it holds who was looked at. */
static bool finish(int proc, pid_t pid, uint64_t start)
{
	struct pollfd p = { .fd = sys_pidfd_open(pid), .events = POLLIN };
	const char *path = fmts("%d/stat", pid);
	int ms;

	if (ns_start(proc, path) == start && (p.fd < 0 || sys_pidfd_send(p.fd, SIGKILL) < 0))
		(void)kill(pid, SIGKILL);
	for (ms = 0; ns_start(proc, path) == start && ms < GONE_MS; ms += STEP_MS)
		(void)poll(&p, 1, STEP_MS);
	if (p.fd >= 0)
		close(p.fd);
	(void)waitpid(pid, NULL, WNOHANG);
	return ms < GONE_MS;
}

/* PID 1 takes a pid namespace of its own with it; where that is shared, or
 * frozen, the cgroup knows who belongs to the box. */
void ns_kill(struct left *l)
{
	uint64_t start;
	pid_t pid;
	bool gone;
	int proc;

	if (!ns_init(l, &pid, &start))
		return;
	gone = l->ended || (kill(pid, 0) < 0 && errno == ESRCH);
	if (gone && !strstr(l->text, " shared\n"))
		return;
	(void)cg_kill(l);
	if (gone)
		return;
	if ((proc = proc_fd()) < 0 || !finish(proc, pid, start)) {
		say(2, "husk: %s: ns.clone: process %d could not be ended\n", l->name, pid);
		l->stuck = true;
	}
	if (proc >= 0)
		close(proc);
}
