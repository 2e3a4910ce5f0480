/* boot.c - PID 1 of a machine: first mounts, then a child that reads what the
 * board is to be, then the keeper's loop, for ever.
 *
 * PID 1 parses nothing, mounts nothing that may hang, and allocates nothing.
 * Boxes are started one after the other in the order of after=, each by a
 * starter, and stopped in reverse. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

enum { STOP_MS = 30000, TURN_MS = 1000, PLANMAX = 64 * 2 * (MAXNAME + 8) };
enum { RT_HALT = 34 + 3, RT_POWEROFF, RT_REBOOT };	/* as systemd-nspawn and LXC send them */

static char plan[PLANMAX];		/* NAME FILE lines, as they come; then NUL NUL */
static unsigned len, begun;		/* bytes; how far boxes were started */
static int from = -1;

static void read_plan(void)
{
	ssize_t n;

	while (from >= 0 && len < sizeof plan - 1) {
		n = read(from, plan + len, sizeof plan - 1 - len);
		if (n > 0) {
			len += (unsigned)n;
		} else if (n == 0 || errno != EAGAIN) {
			close(from);
			from = -1;
		} else
			return;
	}
}

/* Name and file of the line at `at`; where the next one begins, or 0. */
static unsigned line(unsigned at, char *name, char *path, size_t max)
{
	char *blank = strchr(plan + at, ' '), *end = strchr(plan + at, '\n');

	if (!blank || !end || blank > end)
		return 0;
	fmt(name, MAXNAME + 1, "%.*s", (int)(blank - plan - at), plan + at);
	fmt(path, max, CONFDIR "/%.*s", (int)(end - blank - 1), blank + 1);
	return (unsigned)(end + 1 - plan);
}

/* One at a time: the next when the last is up or has failed. */
static void start_next(void)
{
	static char name[MAXNAME + 1];
	char path[sizeof CONFDIR + MAXNAME + 8];
	unsigned next;

	while (keeper_state(name) != 1 && (next = line(begun, name, path, sizeof path))) {
		begun = next;
		(void)keeper_start(path, name);
	}
}

static int wanted(int sig)
{
	if (sig == SIGUSR1 || sig == SIGPWR || sig == RT_HALT)
		return RB_HALT_SYSTEM;
	if (sig == SIGUSR2 || sig == RT_POWEROFF)
		return RB_POWER_OFF;
	return sig == SIGTERM || sig == SIGINT || sig == RT_REBOOT ? RB_AUTOBOOT : 0;
}

/* Where the line before `at` begins. */
static unsigned before(unsigned at)
{
	for (at--; at && plan[at - 1] != '\n'; at--)
		;
	return at;
}

/* In reverse, one after the other, each within its own time; all of them
 * within the board's. */
static void stop_boxes(void)
{
	char name[MAXNAME + 1], path[sizeof CONFDIR + MAXNAME + 8];
	uint64_t end = now_ms() + STOP_MS;
	unsigned at = begun;

	while (at && now_ms() < end) {
		at = before(at);
		(void)line(at, name, path, sizeof path);
		for (keeper_stop(name); keeper_state(name) && now_ms() < end; (void)keeper_signal())
			keeper_turn(TURN_MS);
	}
	for (keeper_stop(NULL); keeper_alive() && now_ms() < end + STOP_MS / 3; (void)keeper_signal())
		keeper_turn(TURN_MS);
}

static void begin_plan(void)
{
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		say(2, "husk: board.boot: %s\n", strerror(errno));
		return;
	}
	if (pid == 0) {
		close(p[0]);
		board_plan(p[1]);
	}
	close(p[1]);
	from = p[0];
	(void)fcntl(from, F_SETFL, O_NONBLOCK);
}

int board_boot(char **argv)
{
	int cmd = 0;

	if (getpid() != 1) {
		say(2, "husk: boot: only as process 1: init=/sbin/husk on the kernel's command line\n");
		return 2;
	}
	umask(0);
	board_root();
	board_mounts();
	board_guard();
	(void)reboot(RB_DISABLE_CAD);
	if (keeper_listen() < 0)
		say(2, "husk: board.boot: %s - CONFIG_SIGNALFD\n", strerror(errno));
	else if (init_seal(argv) == 0) {
		(void)prctl(PR_SET_NAME, "husk");	/* older kernels call it by the descriptor's number */
		caps_reset();
		begin_plan();
	}
	while (!cmd) {
		keeper_turn(-1);
		read_plan();
		start_next();
		cmd = wanted(keeper_signal());
	}
	say(2, "husk: going down\n");
	stop_boxes();
	board_off(cmd);
	return 1;
}
