/* off.c - who asks for the end, and the way down. PID 1 may never exit, and
 * reboot(2) may never return: so children do what can hang, and PID 1 has the
 * last word. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

enum { GRACE_MS = 1000, UMOUNT_MS = 10000, STEP_MS = 10 };
enum { RT_HALT = 34 + 3, RT_POWEROFF, RT_REBOOT };	/* as systemd-nspawn and LXC send them */

/* Signals and the first letter of what they ask for. First those of busybox's
 * halt, poweroff and reboot, which are ours too. */
static const char asked[] = { SIGUSR1, 'h', SIGUSR2, 'p', SIGTERM, 'r', SIGINT, 'r', SIGPWR, 'h',
	RT_HALT, 'h', RT_POWEROFF, 'p', RT_REBOOT, 'r', 0, 0 };

char board_asked(int sig)
{
	const char *a;

	for (a = asked; *a && *a != sig; a += 2)
		;
	return a[1];
}

int board_ask(const char *verb)
{
	const char *a;

	for (a = asked; a[1] != *verb; a += 2)
		;
	if (kill(1, *a) == 0)
		return 0;
	say(2, "husk: %s: ask PID 1: %s\n", verb, strerror(errno));
	return 1;
}

/* Until no child is left, or the time is over. Orphans are our children. */
static bool all_gone(int ms)
{
	pid_t pid;

	for (; ms > 0; ms -= STEP_MS) {
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0 && errno == ECHILD)
			return true;
		(void)poll(NULL, 0, STEP_MS);
	}
	return false;
}

/* One pass; how many went. What is busy in the last one, as the root is, becomes
 * read-only, which writes it out. */
static int unmount_all(int proc, bool last)
{
	struct mountinfo *m = mountinfo_open(proc);
	int n = 0;

	while (m && mountinfo_next(m) > 0)
		if (umount2(m->path, UMOUNT_NOFOLLOW) == 0)
			n++;
		else if (last)
			(void)mount(NULL, m->path, NULL, MS_REMOUNT | MS_RDONLY, NULL);
	if (m)
		close(m->fd);
	return n;
}

/* The kernel ends who calls reboot(2): not PID 1, or it panics. What is mounted
 * below another mount goes in a pass before that one. */
static void in_child(char how, bool first)
{
	int proc;

	if (fork())
		return;
	if (first) {
		proc = proc_fd();
		while (unmount_all(proc, false))
			;
		(void)unmount_all(proc, true);
		sync();
	}
	reboot(how == 'h' ? RB_HALT_SYSTEM : how == 'p' ? RB_POWER_OFF : RB_AUTOBOOT);
	_exit(1);
}

void board_off(char how)
{
	(void)kill(-1, SIGTERM);
	(void)kill(-1, SIGCONT);
	if (!all_gone(GRACE_MS)) {
		(void)kill(-1, SIGKILL);
		(void)all_gone(GRACE_MS);
	}
	sync();
	in_child(how, true);
	(void)all_gone(UMOUNT_MS);
	in_child(how, false);
	for (;;)
		(void)poll(NULL, 0, -1);
}

/* Runs on a stack of its own. The handler is reset: whoever comes back from it
 * dies of the fault, as a child that inherited it must, and as PID 1 does, for
 * panic= of the kernel, if nobody could reboot. */
static void crashed(int sig)
{
	if (getpid() != 1)
		return;
	say(2, "husk: PID 1: signal %d: reboot\n", sig);
	in_child('r', false);
	(void)all_gone(UMOUNT_MS);
}

void board_guard(void)
{
	static const uint8_t faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };
	static char stack[8192];
	struct sigaction sa = { .sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_RESETHAND };
	stack_t st = { .ss_sp = stack, .ss_size = sizeof stack };
	union { sigset_t set; unsigned long first; } most;
	unsigned i;

	(void)syscall(SYS_sigaltstack, &st, NULL);
	sigfillset(&most.set);
	for (i = 0; i < sizeof faults; i++) {
		(void)sigaction(faults[i], &sa, NULL);
		most.first &= ~(1ul << (faults[i] - 1));
	}
	sigprocmask(SIG_SETMASK, &most.set, NULL);
}
