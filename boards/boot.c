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

enum { STOP_MS = 30000 };

struct plans {
	int	 from;			/* the child that reads: what, and then box[], one message each; -1: no more */
	bool	 heard;			/* what is there */
	char	**argv;			/* as it was started */
	unsigned known, begun;
	struct board_plan what;
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

/* What the child that reads has to say, as it comes; it may be at a slow disk in between. */
static void hear_plan(void)
{
	ssize_t n;

	if (plan.from < 0)
		return;
	for (;;) {
		n = !plan.heard ? read(plan.from, &plan.what, sizeof plan.what) :
			plan.known < MAXBOX ? read(plan.from, plan.box + plan.known, sizeof *plan.box) : 0;
		if (n <= 0)
			break;
		if (plan.heard) {
			if (*plan.box[plan.known].name)
				plan.known++;
			else if (board_follow() < 0)
				board_failed("overlay: ", "/");
			continue;
		}
		plan.heard = true;
		if (*plan.what.init) {
			board_enter(plan.what.init, plan.argv);
			plan.what.broken = true;
		}
		board_mark("plan", "");
		board_watchdog(&plan.what);
		board_good(&plan.what);
	}
	if (n < 0 && errno == EAGAIN)
		return;
	keeper_wakes(-1);
	close(plan.from);
	plan.from = -1;
}

/* One at a time: the next when the last is up or has failed. */
static void start_next(void)
{
	struct planned *p = plan.box + plan.begun;

	for (; plan.begun < plan.known && (!plan.begun || keeper_state(p[-1].name) != 1); p++, plan.begun++)
		(void)keeper_start(p->file, p->name, p->extra);
}

/* Until something is due at the latest; -1: however long it takes */
static int patience(void)
{
	const uint64_t due[] = { board_watchdog_due(), board_good_due() };
	uint64_t now, next = 0;
	unsigned i;

	for (i = 0; i < sizeof due / sizeof *due; i++)
		if (due[i] && (!next || due[i] < next))
			next = due[i];
	if (!next)
		return -1;
	now = now_ms();
	return next > now ? (int)(next - now) : 0;
}

const char *board_missing(void)
{
	const struct planned *p;

	if (plan.from >= 0 || plan.begun < plan.known)
		return "";
	for (p = plan.box; p < plan.box + plan.known && board_is_up(p->name); p++)
		;
	return p < plan.box + plan.known ? p->name : NULL;
}

static void go_down(char how)
{
	say(2, "husk: going down\n");
	board_watchdog_down();
	board_stop(plan.heard ? plan.what.stop_ms : STOP_MS);
	board_off(how);
}

/* What this PID 1 knows, for the next husk. */
void board_carry(void)
{
	carry(&plan, offsetof(struct plans, box), 1);
	carry(plan.box, sizeof *plan.box, MAXBOX);
}

const char *board_file(const char *name)
{
	struct planned *p;

	for (p = plan.box; p < plan.box + plan.known; p++)
		if (same(p->name, name))
			return p->file;
	return NULL;
}

/* For ever: until somebody asks for the end, and then that. */
static void serve(void)
{
	char how;

	do {
		keeper_turn(patience());
		hear_plan();
		start_next();
		board_watchdog(NULL);
		board_good(NULL);
	} while (!(how = board_asked(keeper_signal())));
	go_down(how);
}

void board_go_on(void)
{
	plan.argv = (char **)(uintptr_t)entry_words();
	board_guard();
	for (;;)
		serve();
}

static void begin(char **argv)
{
	umask(0);
	plan.argv = argv;
	board_mark(NULL, "");
	board_proc();
	if (!board_inside())
		board_root();
	board_mounts();
	board_mark("mounts", "");
	board_guard();
	if (!board_inside())
		(void)reboot(RB_DISABLE_CAD);
	plan.from = -1;
	if (keeper_listen() < 0) {
		board_failed("boot: ", "CONFIG_SIGNALFD");
	} else if (init_seal(argv) == 0) {
		board_mark("sealed", "");
		(void)prctl(PR_SET_NAME, "husk");	/* older kernels call it by the descriptor's number */
		caps_reset();
		if ((plan.from = begin_plan()) < 0)
			board_failed("boot: ", CONFDIR);
		keeper_wakes(plan.from);
	}
}

int board_boot(char **argv)
{
	if (getpid() != 1) {
		say(2, "husk: boot: only as process 1: init=/sbin/husk\n");
		return 2;
	}
	begin(argv);
	serve();
	return 1;
}
