/* boot.c - PID 1 of a machine: first mounts, then a child that reads what the
 * board is to be, then the keeper's loop, for ever.
 *
 * PID 1 parses nothing, mounts nothing that may hang, and allocates nothing.
 * Boxes are started as after= lets them, some at a time, each by a
 * starter, and stopped in reverse. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "husk.h"

enum { STOP_MS = 30000, SLOW_MS = 15000, MAXSTARTS = 4 };

struct plans {
	int	 from;			/* the child that reads: what, and then box[], one message each; -1: no more */
	pid_t	 reader;		/* when it has said all it waits for a signal, until nobody is being started, */
	bool	 waits, wanted;		/* and then makes what the rest of the boxes needs: wanted, by one that is next */
	bool	 heard;			/* what is there */
	char	**argv;			/* as it was started */
	bool	 single;		/* nothing is started before the shell has ended */
	bool	 again;			/* it was read before */
	bool	 hup, reload;		/* somebody wants it read again; that is what is being done */
	uint64_t slow;			/* now_ms(): until then consoles wait for modules and the real root; 0: they do not */
	bool	 moved;			/* the root is another one than at first */
	bool	 rescue;		/* when it ends, all is read once more, */
	bool	 retry;			/* and what has failed is started again */
	char	 wrong[MAXNAME + 1];	/* whose file is, and there is no box */
	bool	 leaves;		/* giveup=reboot, board.fail=reboot: it is on its way down */
	unsigned known, got;		/* boxes; bytes of the next, where a pipe has little room */
	uint64_t begun, seen, gone;	/* bit i: box[i] was started; is still there, or not any more, when all is read again */
	uint64_t lost;			/* it has failed, the last time */
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
	warn("board.%s%s", what, of);
}

/* Who has asked for a shell gets it once, and before anything else. */
static void talk(void)
{
	const struct board_plan *p = &plan.what;
	bool broken = p->broken && !plan.reload && !board_inside();

	plan.slow = 0;
	plan.rescue |= broken;		/* what the shell of before was promised still holds */
	if (plan.single)
		board_rescue("asked for on the kernel command line", true);
	else if (broken)
		board_rescue("board.conf is not as it should be", false);
	if (!plan.single)
		board_consoles(p);
}

/* Modules may bring the terminals, and in the real root are other consoles: those wait a while. */
static void take_up(void)
{
	const struct board_plan *p = &plan.what;

	plan.heard = true;
	board_mark("plan", "");
	if (!p->waits || !p->dog_skip)
		board_watchdog(p);
	board_good(plan.reload ? NULL : p);
	plan.single = p->single && !plan.again && !board_inside();
	if (p->waits)
		plan.slow = now_ms() + SLOW_MS;
	else
		talk();
}

static void made(const char *init)
{
	if (*init == '/') {
		board_consoles_over();
		board_enter(init, plan.argv);
	}
	plan.what.broken |= *init != '\0';
	board_watchdog(&plan.what);
	if (plan.slow || *init)
		talk();
}

/* What hangs may hang for ever. */
static void slow(void)
{
	if (!plan.slow || plan.slow > now_ms())
		return;
	warnx("boot: a module, or the real root, is not there yet");
	talk();
	if (!plan.single && !plan.what.nconsole && !plan.again)
		board_rescue("there is no console", false);
}

static bool has_failed(const char *name, bool lost)
{
	return !keeper_state(name) && (lost || board_is(name, "failed"));
}

static unsigned find(const struct planned *p)
{
	unsigned i;

	for (i = 0; i < plan.known && !(p->kind == PLANNED_KEPT ? same(plan.box[i].file, p->file) : same(plan.box[i].name, p->name)); i++)
		;
	return i;
}

/* Of one that is gone, when it has ended; or a new one */
static unsigned place(void)
{
	unsigned i;

	for (i = 0; i < plan.known && !(plan.gone >> i & 1 && !keeper_state(plan.box[i].name)); i++)
		;
	return i;
}

/* One that is known goes on as it is. What is read again comes after all others. */
static void take_box(const struct planned *p)
{
	unsigned i = find(p);
	bool new = i == plan.known, anew;

	if (new && (p->kind == PLANNED_KEPT || (i = place()) == MAXBOX))
		return;
	anew = p->kind == PLANNED_BOX && (new || plan.gone >> i & 1 || ((plan.retry || p->changed) && has_failed(p->name, plan.retry && plan.lost >> i & 1)));
	plan.seen |= (uint64_t)1 << i;
	if (!anew)
		return;
	plan.begun &= ~((uint64_t)1 << i);
	plan.gone &= ~((uint64_t)1 << i);
	plan.lost &= ~((uint64_t)1 << i);
	plan.box[i] = *p;
	if (plan.again)
		plan.box[i].after = 0;	/* its starter waits, if need be */
	plan.known += i == plan.known;
}

/* How it ended is of no use to anybody. Who looks at it holds its lock, for a moment. */
static void clear(const char *name)
{
	static struct left l;
	int tries = 0;

	while (state_clear(&l, name) < 0 && errno == EWOULDBLOCK && ++tries < 20)
		(void)poll(NULL, 0, 5);
}

/* All that there is has been said: what was not is no more. */
static void stop_gone(void)
{
	bool up;
	unsigned i;

	for (i = 0; i < plan.known; i++)
		if (!((plan.seen | plan.gone) >> i & 1)) {
			plan.gone |= (uint64_t)1 << i;
			plan.begun |= (uint64_t)1 << i;
			up = keeper_state(plan.box[i].name);
			warnx("%s: %s is gone%s", plan.box[i].name, plan.box[i].file, up ? ": stopped" : "");
			if (up)
				keeper_stop(plan.box[i].name);
			else
				clear(plan.box[i].name);
		}
}

static void take(const struct planned *p)
{
	plan.waits = p->kind >= PLANNED_END;
	if (plan.waits)
		(void)board_clock(p->late);
	if (p->kind == PLANNED_END)
		stop_gone();
	else if (p->kind == PLANNED_WRONG)
		copy(plan.wrong, sizeof plan.wrong, p->name);
	else if (p->kind < PLANNED_WRONG)
		take_box(p);
	else if (p->kind == PLANNED_MADE)
		made(p->file);
	else if (p->kind == PLANNED_MOVED && !(plan.moved = board_follow() == 0))
		board_failed("overlay: ", "/");
}

static void planned(void)
{
	keeper_wakes(-1);
	close(plan.from);
	plan.from = -1;
	board_hold();
	plan.again |= plan.heard;
	plan.retry &= plan.rescue;
	if (plan.slow)
		talk();
	plan.reload = false;
	if (!plan.known && !plan.what.nconsole && !board_rescued()) {
		plan.rescue = !board_inside();
		board_rescue("there is no box to start", false);
	}
}

/* Where there is nobody who could read it, it has ended at once. */
static void begin_plan(void)
{
	int p[2] = { -1, -1 };
	pid_t pid = -1;

	plan.heard = false;
	plan.waits = plan.wanted = false;
	plan.seen = 0;
	plan.got = 0;
	*plan.wrong = '\0';
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0 || (pid = fork()) < 0)
		board_failed("boot: ", CONFDIR);
	if (pid == 0)
		board_plan(p[1], plan.again, plan.moved);
	close(p[1]);
	plan.from = p[0];
	plan.reader = pid;
	keeper_wakes(p[0]);
	if (p[0] < 0)
		planned();
}

/* What the child that reads has to say, as it comes; it may be at a slow disk in between. */
static void hear_plan(void)
{
	static struct planned p;
	ssize_t n;

	if (plan.from < 0)
		return;
	while ((n = plan.heard ? read(plan.from, (char *)&p + plan.got, sizeof p - plan.got) : read(plan.from, &plan.what, sizeof plan.what)) > 0)
		if (!plan.heard)
			take_up();
		else if ((plan.got += (unsigned)n) == sizeof p) {
			plan.got = 0;
			take(&p);
		}
	if (n == 0 || errno != EAGAIN)
		planned();
}

/* The shell has ended. */
static void after_rescue(void)
{
	if (board_rescued() || plan.from >= 0)
		return;
	if (plan.rescue) {
		plan.rescue = false;
		begin_plan();
	} else if (plan.single)
		board_consoles(&plan.what);
	plan.single = false;
}

void board_fail(enum giveup how, const char *why)
{
	if (how == GIVEUP_REBOOT) {
		plan.leaves = true;
		warnx("%s: reboot", why);
		(void)kill(1, SIGTERM);
	} else if (how == GIVEUP_RESCUE) {
		plan.rescue = plan.retry = !board_inside();
		board_rescue(fmts(TEXT "%s has failed", why), false);
	}
}

/* A state file that cannot be written says nothing. */
void board_ended(const char *name, bool failed)
{
	unsigned i;

	for (i = 0; i < plan.known; i++)
		if (same(plan.box[i].name, name))
			plan.lost = (plan.lost & ~((uint64_t)1 << i)) | (uint64_t)failed << i;
}

/* No console that was asked for works; or none was, no box is there any more, and one has
 * failed: nobody could look why. What board.timeout= is to decide comes first. */
static void alone(void)
{
	uint64_t lost = plan.lost & plan.begun & ~plan.gone;

	if (plan.from >= 0 || plan.leaves || board_inside() || board_rescued() || board_attended())
		return;
	if (plan.what.nconsole)
		board_fail(GIVEUP_RESCUE, "board.console");
	else if (lost && !board_good_due() && !keeper_state(NULL))
		board_fail(GIVEUP_RESCUE, plan.box[__builtin_ctzll(lost)].name);
}

/* HUP, as busybox's init and others have it; and QUIT, by which that one becomes another. */
static void heard(int sig)
{
	if (sig == SIGQUIT)
		warnx("QUIT: husk upgrade becomes another husk, husk reload reads all again");
	plan.hup |= sig == SIGHUP;
	if (!plan.hup || plan.from >= 0 || plan.single)
		return;
	plan.hup = false;
	plan.reload = plan.again;
	begin_plan();
}

/* How many starters are at work: each takes memory, and there are not more processors. */
static unsigned starters(void)
{
	struct live *v = NULL;
	unsigned n = 0;

	while ((v = keeper_next(v)))
		n += v->state == STARTING;
	return n;
}

static bool may_start(const struct planned *p)
{
	unsigned i;

	if (keeper_state(p->name))
		return false;		/* it was stopped, and is wanted again */
	for (i = 0; i < plan.known; i++)
		if (p->after >> i & 1 && (!(plan.begun >> i & 1) || keeper_state(plan.box[i].name) == 1))
			return false;
	return true;
}

/* All whose predecessors are up, as ready= wants it, or have failed, or wait themselves. */
static void start_some(void)
{
	struct planned *p;
	unsigned i;

	for (i = 0, p = plan.box; i < plan.known && !plan.single; i++, p++)
		if (!(plan.begun >> i & 1) && starters() < MAXSTARTS && may_start(p)) {
			if (p->late && plan.from >= 0) {
				plan.wanted = true;
				continue;
			}
			plan.begun |= (uint64_t)1 << i;
			(void)keeper_start(p->file, p->name, p->extra, p->start_ms);
		}
	if (plan.waits && plan.from >= 0 && (plan.wanted || !starters())) {
		plan.waits = false;
		(void)kill(plan.reader, SIGUSR1);
	}
}

/* Until something is due at the latest; -1: however long it takes */
static int patience(void)
{
	const uint64_t due[] = { board_watchdog_due(), board_good_due(), board_consoles_due(), plan.slow };
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

	if (plan.from >= 0 || (unsigned)__builtin_popcountll(plan.begun) < plan.known)
		return "";
	for (p = plan.box; p < plan.box + plan.known && (plan.gone >> (p - plan.box) & 1 || board_is_up(p->name)); p++)
		;
	return p < plan.box + plan.known ? p->name : *plan.wrong ? plan.wrong : NULL;
}

static void go_down(char how)
{
	warnx("going down");
	board_tell("STOPPING=1");
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
	int sig;

	do {
		keeper_turn(patience());
		hear_plan();
		slow();
		if (plan.from < 0)
			keeper_wakes(board_clock(false));
		after_rescue();
		start_some();
		alone();
		board_watchdog(NULL);
		board_good(NULL);
		board_consoles(NULL);
		heard(sig = keeper_signal());
	} while (!(how = board_asked(sig)));
	go_down(how);
}

void board_go_on(void)
{
	plan.argv = (char **)(uintptr_t)entry_words();
	board_guard();
	board_hold();
	if (!board_inside())
		say_by(2);
	for (;;)
		serve();
}

/* Who sends signals in a loop keeps PID 1 at work, and then it would wait for its turn as each
 * process of a fork bomb does: it goes before them. It alone, all its children are as others. */
static void go_first(void)
{
	static const struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t prio; uint64_t times[3]; } first = {
		.size = sizeof first, .flags = SCHED_FLAG_RESET_ON_FORK, .nice = -20
	};

	(void)syscall(SYS_sched_setattr, 0, &first, 0);
}

/* A kernel that lacks what the loop needs: nobody is there yet but the shell, and who asks for the end. */
static void by_hand(void)
{
	static const struct timespec second = { 1, 0 };
	FILLED sigset_t all;
	char how;

	sigfillset(&all);
	keeper_wakes(-1);
	board_rescue("process 1 cannot begin", false);
	do {
		board_consoles(NULL);
		if ((how = board_asked(sigtimedwait(&all, NULL, &second))))
			go_down(how);
		keeper_reap();
	} while (board_rescued() || board_inside());
}

static bool may_begin(bool sealed)
{
	if (!sealed && init_seal(plan.argv) != 0)
		return false;
	if (keeper_listen() >= 0)
		return true;
	board_failed("boot: ", "CONFIG_SIGNALFD");
	return false;
}

/* Sealed first, so that nothing is made, or looked for, twice; or, where the kernel finds no way to
 * the file without /dev/fd, when all is mounted. */
static void begin(char **argv)
{
	bool sealed;

	umask(0);
	plan.argv = argv;
	board_mark(NULL, "");
	board_proc();
	sealed = init_try_seal(argv, true);
	if (!board_inside())
		board_root();
	board_mounts(false);
	board_mark("mounts", "");
	board_guard();
	if (!board_inside())
		(void)reboot(RB_DISABLE_CAD);
	plan.from = -1;
	while (!may_begin(sealed))
		by_hand();
	(void)prctl(PR_SET_NAME, "husk");	/* older kernels call it by the descriptor's number */
	caps_reset();
	go_first();
	keeper_wakes(-1);
	begin_plan();
}

int board_boot(char **argv)
{
	if (getpid() != 1) {
		warnx("boot: only as process 1: init=/sbin/husk");
		return 2;
	}
	begin(argv);
	serve();
	return 1;
}
