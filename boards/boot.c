/* boot.c - PID 1 of a machine: first mounts, then a child that reads what the
 * board is to be, then the keeper's loop, for ever.
 *
 * PID 1 parses nothing, mounts nothing that may hang, and allocates nothing.
 * Boxes are started one after the other in the order of after=, each by a
 * starter, and stopped in reverse. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

enum { STOP_MS = 30000, TURN_MS = 1000 };

struct plans {
	int	 from;			/* the child that reads sends them, one message each */
	unsigned known, begun;
	struct planned box[MAXBOX];
};

static BASE struct plans *at(void)
{
	static struct plans plans;

	return &plans;
}
#define plan (*at())

void board_failed(const char *what, const char *of)
{
	say(2, "husk: board.%s%s: %s\n", what, of, strerror(errno));
}

static int begin_plan(void)
{
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0)
		board_plan(p[1]);
	close(p[1]);
	return p[0];
}

/* One at a time: the next when the last is up or has failed. */
static void start_next(void)
{
	struct planned *p = plan.box + plan.begun;

	while (plan.known < MAXBOX && read(plan.from, plan.box + plan.known, sizeof *p) == sizeof *p)
		plan.known++;
	for (; plan.begun < plan.known && (!plan.begun || keeper_state(p[-1].name) != 1); p++, plan.begun++)
		(void)keeper_start(p->file, p->name, p->extra);
}

/* Asked, and waited for. All where there is no name. */
static void stop(const char *name, uint64_t end)
{
	for (keeper_stop(name); keeper_state(name) && now_ms() < end; (void)keeper_signal())
		keeper_turn(TURN_MS);
}

int board_boot(char **argv)
{
	uint64_t end;
	char how = 0;

	if (getpid() != 1) {
		say(2, "husk: boot: only as process 1: init=/sbin/husk\n");
		return 2;
	}
	umask(0);
	board_root();
	board_mounts();
	board_guard();
	(void)reboot(RB_DISABLE_CAD);
	plan.from = -1;
	if (keeper_listen() < 0) {
		board_failed("boot: ", "CONFIG_SIGNALFD");
	} else if (init_seal(argv) == 0) {
		(void)prctl(PR_SET_NAME, "husk");	/* older kernels call it by the descriptor's number */
		caps_reset();
		if ((plan.from = begin_plan()) < 0)
			board_failed("boot: ", CONFDIR);
	}
	while (!how) {
		keeper_turn(-1);
		start_next();
		how = board_asked(keeper_signal());
	}
	say(2, "husk: going down\n");
	/* in reverse, one after the other, each within its own time; all within the board's */
	for (end = now_ms() + STOP_MS; plan.begun; )
		stop(plan.box[--plan.begun].name, end);
	stop(NULL, end + STOP_MS / 3);
	board_off(how);
	return 1;
}
