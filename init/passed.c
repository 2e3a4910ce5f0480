/*
 * passed.c - a socket at which the box may pass descriptors: that of sd_notify, and the one between
 * the keeper and who goes in by husk exec, which a process with caps=sys_ptrace in the box can take
 * from that one. Nobody here wants any. But to close the last copy of one may take as long as its
 * sender likes, a TCP socket that lingers; only not where a process ends. So whoever keeps boxes
 * never receives them, nor closes a socket that has some in it: a child does, and ends.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

enum { MOSTTAKERS = 16, ALL = 1024,
       MAXFDS = 253 };				/* SCM_MAX_FD */

static uint8_t takers STAYS;		/* children that have descriptors to close */

void passed_carry(void)
{
	carry(&takers, sizeof takers, 1);
}

/* Those who have done it and are dead. They end without a signal, so no other
 * waitid() of the keeper sees them, nor takes the number of one for that of a box. */
void passed_bury(void)
{
	static siginfo_t si OFTEN;

	do
		si.si_pid = 0;
	while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | __WCLONE) == 0 && si.si_pid && takers--);
}

/* A child that is waited for. PID 1 of a machine goes first, and its children as all others: so would
 * it wait, behind each process of a fork bomb. This one alone is as it is. */
static long hurry(void)
{
	static const struct sched_param same;
	long policy = syscall(SYS_sched_getscheduler, 0), pid;

	if (policy == (SCHED_OTHER | SCHED_RESET_ON_FORK))
		(void)syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &same);
	pid = syscall(SYS_clone, CLONE_VFORK, 0, 0, 0, 0);
	if (pid && policy == (SCHED_OTHER | SCHED_RESET_ON_FORK))
		(void)syscall(SYS_sched_setscheduler, 0, policy, &same);
	return pid;
}

/* The messages in front go, n at most, and with them the descriptors that they have. This one is
 * held up until the child ends, and no longer. A file of a file system that the box itself serves
 * may hold that one for ever: only so many. */
static bool drop(int fd, int n)
{
	static uint8_t room[CMSG_SPACE(MAXFDS * sizeof(int))];
	struct msghdr m = { .msg_control = room };
	FILLED sigset_t none;
	long pid;

	passed_bury();
	if (takers == MOSTTAKERS)
		return false;
	pid = hurry();
	takers += pid > 0;
	if (pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		(void)alarm(1);		/* where rlimit.nofile has no room for all of them */
		(void)close_others(AT_FDCWD, 0, &fd, 1);
		do
			m.msg_controllen = sizeof room;
		while (recvmsg(fd, &m, MSG_DONTWAIT) >= 0 && --n);
		_exit(0);
	}
	return true;
}

ssize_t passed_next(int fd, struct msghdr *m)
{
	ssize_t n = recvmsg(fd, m, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return -1;
	if (m->msg_flags & MSG_CTRUNC && !drop(fd, 1))
		return -2;
	if (!(m->msg_flags & MSG_CTRUNC))
		(void)recv(fd, NULL, 0, MSG_DONTWAIT);
	return n;
}

/* Nothing more comes, and what is there goes. If that cannot be, it stays open. Each message has
 * who has sent it, for which there is no room, either. */
void passed_close(int fd)
{
	struct msghdr m = { 0 };

	(void)shutdown(fd, SHUT_RD);
	if (recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT) < 0 || !(m.msg_flags & MSG_CTRUNC) || drop(fd, ALL))
		close(fd);
}
