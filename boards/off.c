/* off.c - the way down. PID 1 may never exit, and reboot(2) may never return:
 * so children do what can hang, and PID 1 has the last word. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "husk.h"

enum { GRACE_MS = 1000, UMOUNT_MS = 10000, STEP_MS = 10, PASSES = 3 };

/* What busybox's halt, poweroff and reboot send. */
int board_ask(const char *verb)
{
	int sig = *verb == 'h' ? SIGUSR1 : *verb == 'p' ? SIGUSR2 : SIGTERM;

	if (kill(1, sig) == 0)
		return 0;
	say(2, "husk: %s: ask PID 1: %s\n", verb, strerror(errno));
	return 1;
}

/* Until no child is left, or the time is over. Orphans are our children. */
static bool all_gone(int ms)
{
	struct timespec step = { .tv_nsec = STEP_MS * 1000000 };
	pid_t pid;

	for (; ms > 0; ms -= STEP_MS) {
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0 && errno == ECHILD)
			return true;
		(void)nanosleep(&step, NULL);
	}
	return false;
}

static void end_all(void)
{
	if (all_gone(1))
		return;
	(void)kill(-1, SIGTERM);
	(void)kill(-1, SIGCONT);
	if (all_gone(GRACE_MS))
		return;
	(void)kill(-1, SIGKILL);
	(void)all_gone(GRACE_MS);
}

/* Blanks in a mount point are \040 and the like, in place. */
static void unescape(char *p)
{
	char *to = p;

	for (; *p; p++)
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] && p[3]) {
			*to++ = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
			p += 3;
		} else
			*to++ = *p;
	*to = '\0';
}

/* The last mount first. What is busy, and the root, becomes read-only, which
 * writes it out; the kernel's own file systems do not matter. */
static void unmount_all(void)
{
	static char text[64 * 1024];
	char *end, *line, *path, *type;

	if (read_at(AT_FDCWD, "/proc/self/mounts", text, sizeof text) <= 0)
		return;
	for (end = text + strlen(text); end > text; end = line) {
		end[-1] = '\0';
		line = strrchr(text, '\n');
		line = line ? line + 1 : text;
		if (!(path = strchr(line, ' ')) || !(type = strchr(++path, ' ')))
			continue;
		*type = '\0';
		unescape(path);
		if (same(path, "/proc") || same(path, "/dev"))
			continue;
		if (same(path, "/") || umount2(path, UMOUNT_NOFOLLOW) < 0)
			(void)mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL);
	}
}

/* The kernel ends who calls reboot(2): not PID 1, or it panics. */
static void in_child(int cmd, bool first)
{
	int i;

	if (fork())
		return;
	for (i = 0; first && i < PASSES; i++)
		unmount_all();
	if (first)
		sync();
	reboot(cmd);
	_exit(1);
}

void board_off(int cmd)
{
	end_all();
	sync();
	in_child(cmd, true);
	(void)all_gone(UMOUNT_MS);
	in_child(cmd, false);
	for (;;)
		pause();
}

/* Runs on a stack of its own. The handler is reset: whoever comes back from it
 * dies of the fault, as a child that inherited it must, and as PID 1 does, for
 * panic= of the kernel, if nobody could reboot. */
static void crashed(int sig)
{
	if (getpid() != 1)
		return;
	say(2, "husk: PID 1: signal %d: reboot\n", sig);
	in_child(RB_AUTOBOOT, false);
	(void)all_gone(UMOUNT_MS);
}

void board_guard(void)
{
	static const uint8_t faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };
	static char stack[8192];
	struct sigaction sa = { .sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_RESETHAND };
	stack_t st = { .ss_sp = stack, .ss_size = sizeof stack };
	sigset_t most;
	unsigned i;

	(void)sigaltstack(&st, NULL);
	sigfillset(&most);
	for (i = 0; i < sizeof faults; i++) {
		(void)sigaction(faults[i], &sa, NULL);
		sigdelset(&most, faults[i]);
	}
	sigprocmask(SIG_SETMASK, &most, NULL);
}
