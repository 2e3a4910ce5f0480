/* pid1.c - PID 1 of a box: starts PROG, gives up its own rights, then reaps
 * and forwards until the program has ended. It never allocates, and nothing
 * that a process of the box does to it makes it fail. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "husk.h"

#ifndef SYS_setresuid32
#define SYS_setresuid32	SYS_setresuid	/* where ids have always had 32 bits */
#endif

/* O_CLOEXEC does not close on fork: descriptors of the keeper, and of other
 * boxes that it keeps, go first. */
int init_close(struct run *r)
{
	int keep[(offsetof(struct run, last_fd) - offsetof(struct run, proc)) / sizeof(int)], n = 0, *fd;

	r->sync = r->inner_sync;
	r->status = r->inner_status;
	r->statedir = r->state = r->inner_sync = r->inner_status = r->pidfd = r->ready = r->notify = -1;
	if (r->box->life.ready != READY_FD)
		r->tell = -1;
	for (fd = &r->proc; fd <= &r->last_fd; fd++)
		if (*fd >= 0)
			keep[n++] = *fd;
	return close_others(r->proc, 3, keep, n) < 0 ? fail(r, "close what was inherited") : 0;
}

/* clone() and not fork(): musl's fork blocks and restores signals, four calls.
 * With all arguments 0 their order, which differs by architecture, is no matter. */
int init_fork(struct run *r)
{
	if (r->box->pid1_program) {
		r->side = INIT | PROG;
		return 0;
	}
	r->prog = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (r->prog < 0)
		return fail(r, "clone");
	r->side = r->prog ? INIT : PROG;
	return 0;
}

enum { ALL = -1, MANY = 1024 };		/* for kill(): when the program is in the background */
static pid_t me STAYS;
static bool forks STAYS;			/* of struct life, which is forgotten */

/* There is neither a cgroup nor a pid namespace, and the descriptor is the list of our children. */
static bool by_children(const struct run *r)
{
	return r->killfd >= 0 && r->cgroup2 < 0 && !r->cg1;
}

/* Where the descriptor is the list of processes it cannot be written: one by one,
 * until a pass finds nobody. Who is hit forks no more, and his children are ours then. */
static void end_all(const struct run *r)
{
	int rounds = 64;

	if (by_children(r))
		while (cg_kill_listed(r->killfd, me) > 0 && waitid(P_ALL, 0, NULL, WEXITED | __WALL) == 0)
			;
	else if (write(r->killfd, "1", 1) < 0)
		while (cg_kill_listed(r->killfd, me) > 0 && --rounds)
			poll(NULL, 0, 1);
}

/* Without a pid namespace there is no death signal that ends all of the box:
 * the keeper's end of the pipe closing is told by SIGIO. */
static void orphaned(const struct run *r)
{
	struct pollfd p = { r->status, 0, 0 };

	if (r->killfd < 0 || poll(&p, 1, 0) < 1 || !(p.revents & POLLERR))
		return;
	end_all(r);
	_exit(125);
}

static int watch_keeper(const struct run *r)
{
	me = getpid();
	if (fcntl(r->status, F_SETOWN, me) < 0 ||
	    fcntl(r->status, F_SETFL, O_WRONLY | O_ASYNC) < 0)
		return -1;
	orphaned(r);
	return 0;
}

static int keep_three(struct run *r)
{
	int keep[3] = { r->sync, r->status, r->killfd };

	if (close_others(r->proc, 0, keep, 3) < 0)
		return fail(r, "close descriptors");
	if (r->killfd >= 0 && watch_keeper(r) < 0)
		return fail(r, "watch the keeper");
	return 0;
}

/* PROG is born, so CAP_KILL is enough: the program may change its uid, and
 * still must get its signals. Standard input and output are closed too: PID 1
 * never reads or writes them, and who waits for their end must not wait for it. */
/* A program with the uid of PID 1 may lower its limits and send it signals. So
 * where the program is root, PID 1 is not; a change of ids forgets the death
 * signal, and may make it dumpable. Where the maps have one id alone, PID 1
 * has to keep it. */
static int other_uid(struct run *r)
{
	long own = AUTO_FIRST + (long)r->number;

	if (r->uid != 0 || r->unpriv || r->box->uid != 0)
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || syscall(SYS_setresuid32, own, own, own) < 0)
		return errno == EINVAL && USERS(r->box) != NSM_HOST ? 0 : fail(r, "a uid of its own");
	if (geteuid() != (uid_t)own)
		return fail_not(r, "a uid of its own: it has %u", geteuid());
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    (r->box->ns[NS_PID] == NSM_NEW && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0))
		return fail(r, "tether again");
	return 0;
}

/* Read back here: caps.readback looks at the program alone. Whether PID 1 gets new privileges
 * the kernel asks itself, before it takes its filter. */
int init_rights(struct run *r)
{
	const uint64_t kept = (uint64_t)1 << 5;
	uint64_t left = r->box->caps;
	int c, e;

	for (c = 0; left; c++, left >>= 1) {
		if (left & 1 && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0 && errno != EINVAL)
			return fail(r, "drop capability %d", c);
		if (left & 1 && prctl(PR_CAPBSET_READ, c, 0, 0, 0) > 0)
			return fail_not(r, "capability %d is still there", c);
	}
	if ((e = other_uid(r)) != 0)
		return e;
	if (caps_set(kept, kept, 0) < 0)
		return fail(r, "keep CAP_KILL alone");
	if (!caps_are(kept))
		return fail_not(r, "CAP_KILL is not alone");
	if (!caps_nnp_early(r->box) && (e = caps_no_new_privs(r)) != 0)
		return e;
	return keep_three(r);
}

int init_filter(struct run *r)
{
	const struct sock_filter *prog;
	struct sock_fprog f;

	f.len = (unsigned short)filter_pid1(&prog);
	f.filter = (struct sock_filter *)(uintptr_t)prog;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f) < 0)
		return fail(r, "the filter of PID 1");
	return 0;
}

/* Who was left to PID 1 by a program that went to the background: a sum that nobody needs
 * to be right, and one call where nobody was. Who asks for stops alone is not told of the
 * dead, but that there is none of the living. */
static int32_t left_behind(const struct run *r)
{
	static siginfo_t si STAYS;
	int32_t n = 0;
	pid_t pid;

	if (r->killfd >= 0 || waitid(P_ALL, 0, &si, WSTOPPED | WNOHANG | WNOWAIT) < 0)
		return 0;
	for (pid = 2; pid < MANY; pid++) {
		si.si_pid = 0;
		n += waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && !si.si_pid;
	}
	return n ? n : 1;
}

static void finish(struct run *r, const siginfo_t *si)
{
	bool good = si->si_code == CLD_EXITED && !si->si_status;
	struct ended e = { ENDED_MAGIC, si->si_code, si->si_status, good && !forks ? left_behind(r) : 0 };
	ssize_t n;

	if (by_children(r))
		end_all(r);		/* who looks at the end finds nobody any more */
	do
		n = write(r->status, &e, sizeof e);
	while (n < 0 && errno == EINTR);
	_exit(si->si_code == CLD_EXITED ? si->si_status : 128 + si->si_status);
}

/* Until nobody is left to reap: one SIGCHLD may stand for many. A program that goes to the
 * background leaves those to us that the box is then about: the last of them is its end. */
static void reap(struct run *r)
{
	static siginfo_t si STAYS, last STAYS;
	int e;

	for (;;) {
		memset(&si, 0, sizeof si);
		e = waitid(P_ALL, 0, &si, WEXITED | WNOHANG | __WALL) < 0 ? errno : 0;
		if (e == EINTR)
			continue;
		if (e == ECHILD && r->prog == ALL)
			finish(r, &last);
		if (!si.si_pid)
			return;
		last = si;
		if (si.si_pid == r->prog && (!forks || si.si_code != CLD_EXITED || si.si_status))
			finish(r, &si);
		if (si.si_pid == r->prog)
			r->prog = ALL;
	}
}

/* What comes with the signal is the kernel's: a code above 0 nobody else can give it. */
static bool is_end(const struct run *r, const siginfo_t *si)
{
	return !forks && si->si_pid == r->prog && si->si_code >= CLD_EXITED && si->si_code <= CLD_DUMPED;
}

/* A fault is the affair of who has it, and never passed on. */
bool init_forwards(int sig)
{
	static const uint32_t faults = 1u << SIGILL | 1u << SIGTRAP | 1u << SIGABRT | 1u << SIGBUS |
		1u << SIGFPE | 1u << SIGSEGV | 1u << SIGSYS;

	return sig > 31 || !(faults >> sig & 1);
}

/* Stops go to the program's group as SIGSTOP: a process without a terminal may
 * not act on the others, and PID 1 of a namespace cannot stop itself. */
static void forward(const struct run *r, int sig)
{
	pid_t group = r->prog == ALL ? ALL : -r->prog;

	if (!init_forwards(sig))
		return;
	if (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
		(void)kill(group, SIGSTOP);
	else if (sig == SIGCONT)
		(void)kill(group, SIGCONT);
	else
		(void)kill(r->prog, sig);
}

/* All signals are blocked since the keeper: a blocked signal is queued even
 * for the PID 1 of a namespace, whose default actions the kernel ignores. */
int init_reap(struct run *r)
{
	static const struct timespec brief = { .tv_nsec = BRIEF_MS * 1000000 };
	const struct timespec *limit = &brief;
	static siginfo_t si STAYS;
	FILLED sigset_t all;
	int sig, e;

	entry_hide();
	forks = r->box->life.forks;
	if ((e = init_say_ready(r)) != 0)
		return e;
	close(r->sync);
	sigfillset(&all);
	for (;; limit = NULL) {
		sig = sigtimedwait(&all, &si, limit);
		if (sig == SIGCHLD && is_end(r, &si))
			finish(r, &si);
		else if (sig == SIGCHLD)
			reap(r);
		else if (sig == SIGIO && r->killfd >= 0)
			orphaned(r);
		else if (sig > 0)
			forward(r, sig);
		if (limit)
			forget();
	}
}
