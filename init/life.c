/*
 * life.c - what becomes of a box: a table of states and events, every cell filled. All
 * that happens to it comes in by life_event(), from the keeper's loop. A cell is a
 * small function, and the state that it becomes; where that depends on something the
 * function says it.
 *
 *	WAITING		after=, needs= are not so yet
 *	STARTING	a starter is at work
 *	RUNNING		PID 1 is there; ready: as ready= wants it
 *	STOPPING	stop.signal is sent, stop.timeout runs; paused: no time
 *	KILLED		the whole tree, 5 s; then it is said to be unkillable
 *	BACKOFF		it has ended, and is started again when its time comes
 *	GONE		all is undone, or what cannot be is said
 *
 * How it ended is the last line of the state file, ended=, for who reads it there
 * (husk events), written before anything of the box is undone. The state file of the
 * next start, or of what stays of a box that has ended, is another one.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "husk.h"

enum { KILL_MS = 5000, MOVING_MS = 200, AGAIN_MS = 1000 };

/* What is done. NO is for what cannot be, or comes too late: nothing, and it stays as it
 * is. Those up to DOG have the last word on what it becomes. */
enum { NO, START, AGAIN, FAIL, END, CLEAR, SKIP, WAIT, KILL, DOG,
	UNKILLABLE, UP, READY, UNREADY, ASK, ASK_AGAIN, NEED, LATE, NOTE, NOTE_AGAIN, CUT, CUT_LATE, NACT };

/* A row a state, a column an event, in the order of their numbers. */
#define TO(what, state)	((what) << 3 | (state))
_Static_assert(NSTATE <= 8 && NACT <= 32, "a state has three bits of a cell, what is done five");
static const uint8_t cells[NSTATE][NEVENT] = {
	[FREE] =     { [EV_UP] = NO,		[EV_WAIT] = NO,		[EV_SKIP] = NO,		[EV_FAILED] = NO,	[EV_READY] = NO,
		       [EV_UNREADY] = NO,
		       [EV_ENDED] = NO,		[EV_STOP] = NO,		[EV_AGAIN] = NO,	[EV_GO] = NO,		[EV_NEED] = NO,
		       [EV_OVERDUE] = NO,	[EV_LATE] = NO,		[EV_BACKOFF] = NO,	[EV_DOG] = NO },
	[WAITING] =  { [EV_UP] = NO,		[EV_WAIT] = NO,		[EV_SKIP] = NO,		[EV_FAILED] = NO,	[EV_READY] = NO,
		       [EV_UNREADY] = NO,
		       [EV_ENDED] = NO,		[EV_STOP] = TO(CLEAR, GONE), [EV_AGAIN] = TO(AGAIN, STARTING), [EV_GO] = TO(START, STARTING), [EV_NEED] = NO,
		       [EV_OVERDUE] = NO,	[EV_LATE] = NO,		[EV_BACKOFF] = NO,	[EV_DOG] = NO },
	[STARTING] = { [EV_UP] = TO(UP, RUNNING), [EV_WAIT] = TO(WAIT, WAITING), [EV_SKIP] = TO(SKIP, GONE), [EV_FAILED] = TO(FAIL, BACKOFF), [EV_READY] = NO,
		       [EV_UNREADY] = NO,
		       [EV_ENDED] = NO,		[EV_STOP] = TO(CUT, STARTING), [EV_AGAIN] = TO(NOTE_AGAIN, STARTING), [EV_GO] = NO, [EV_NEED] = NO,
		       [EV_OVERDUE] = TO(UNKILLABLE, GONE), [EV_LATE] = TO(CUT_LATE, STARTING), [EV_BACKOFF] = NO,	[EV_DOG] = NO },
	[RUNNING] =  { [EV_UP] = NO,		[EV_WAIT] = NO,		[EV_SKIP] = NO,		[EV_FAILED] = NO,	[EV_READY] = TO(READY, RUNNING),
		       [EV_UNREADY] = TO(UNREADY, RUNNING),
		       [EV_ENDED] = TO(END, BACKOFF), [EV_STOP] = TO(ASK, STOPPING), [EV_AGAIN] = TO(ASK_AGAIN, STOPPING), [EV_GO] = NO, [EV_NEED] = TO(NEED, STOPPING),
		       [EV_OVERDUE] = NO,	[EV_LATE] = TO(LATE, STOPPING), [EV_BACKOFF] = NO,	[EV_DOG] = TO(DOG, KILLED) },
	[STOPPING] = { [EV_UP] = NO,		[EV_WAIT] = NO,		[EV_SKIP] = NO,		[EV_FAILED] = NO,	[EV_READY] = NO,
		       [EV_UNREADY] = NO,
		       [EV_ENDED] = TO(END, BACKOFF), [EV_STOP] = TO(NOTE, STOPPING), [EV_AGAIN] = TO(NOTE_AGAIN, STOPPING), [EV_GO] = NO, [EV_NEED] = NO,
		       [EV_OVERDUE] = TO(KILL, KILLED), [EV_LATE] = NO,	[EV_BACKOFF] = NO,	[EV_DOG] = NO },
	[KILLED] =   { [EV_UP] = NO,		[EV_WAIT] = NO,		[EV_SKIP] = NO,		[EV_FAILED] = NO,	[EV_READY] = NO,
		       [EV_UNREADY] = NO,
		       [EV_ENDED] = TO(END, BACKOFF), [EV_STOP] = TO(NOTE, KILLED), [EV_AGAIN] = TO(NOTE_AGAIN, KILLED), [EV_GO] = NO, [EV_NEED] = NO,
		       [EV_OVERDUE] = TO(UNKILLABLE, GONE), [EV_LATE] = NO, [EV_BACKOFF] = NO,	[EV_DOG] = NO },
	[BACKOFF] =  { [EV_UP] = NO,		[EV_WAIT] = NO,		[EV_SKIP] = NO,		[EV_FAILED] = NO,	[EV_READY] = NO,
		       [EV_UNREADY] = NO,
		       [EV_ENDED] = NO,		[EV_STOP] = TO(CLEAR, GONE), [EV_AGAIN] = TO(AGAIN, STARTING), [EV_GO] = NO,	[EV_NEED] = NO,
		       [EV_OVERDUE] = NO,	[EV_LATE] = NO,		[EV_BACKOFF] = TO(START, STARTING), [EV_DOG] = NO },
	[GONE] =     { [EV_UP] = NO,		[EV_WAIT] = NO,		[EV_SKIP] = NO,		[EV_FAILED] = NO,	[EV_READY] = NO,
		       [EV_UNREADY] = NO,
		       [EV_ENDED] = NO,		[EV_STOP] = NO,		[EV_AGAIN] = NO,	[EV_GO] = NO,		[EV_NEED] = NO,
		       [EV_OVERDUE] = NO,	[EV_LATE] = NO,		[EV_BACKOFF] = NO,	[EV_DOG] = NO },
};

static void due(struct live *v, enum due what, uint32_t ms)
{
	v->due[what] = now_ms() + ms;
}

static void because(struct live *v, const char *why)
{
	copy(v->why, sizeof v->why, why);
}

/* A paused box hears no signal, and there is nothing to wait for. */
static void ask(struct live *v)
{
	struct left *l;

	(void)kill(v->init, v->with ? v->with : v->life.stop_signal);
	l = keeper_left(v);
	v->paused = l && cg_paused(l);
	keeper_let(v, l);
	due(v, DUE_STOP, v->paused ? MOVING_MS : v->life.stop_ms);
	state_note(v, "stopping", *v->why ? v->why : NULL);
}

/* Its time to stop is over. KILL of PID 1 takes the namespace with it; the
 * cgroup has those too that share the host's. */
static int kill_all(struct live *v)
{
	struct left *l = keeper_left(v);

	if (v->paused && l && !cg_paused(l)) {
		keeper_let(v, l);
		v->paused = false;		/* it was an update, for a moment */
		due(v, DUE_STOP, v->life.stop_ms);
		return STOPPING;
	}
	if (l)
		cg_kill(l);
	(void)kill(v->init, SIGKILL);	/* and with it all of its namespace, wherever they have hidden */
	keeper_let(v, l);
	if (v->cause == EV_DOG)
		warnx("%s: %s: killed", v->name, v->why);
	else if (v->paused)
		warnx("%s: is paused, and hears no signal: killed", v->name);
	else
		warnx("%s: did not stop in %u ms: killed", v->name, v->life.stop_ms);
	due(v, DUE_STOP, KILL_MS);
	return KILLED;
}

/* -------------------------------------------------------------------- the end */

/* Undo needs no more than the state file, and that is what a killed keeper's
 * successor has, too. keep: all but the directory, its lock and its number. */
static bool undo(struct live *v, bool keep)
{
	struct left *l = keeper_left(v);
	bool stuck = false;

	ready_end(v);
	if (!keep)
		listen_end(v);		/* first: a path of theirs goes if nobody listens there */
	if (l) {
		l->keep = keep;
		l->apart = !v->own || keep;
		l->hook = 0;
		stages_undo(l, -1);
		if (l->hook && v->fd[W_HOOK] >= 0)
			close(v->fd[W_HOOK]);
		if (l->hook)
			v->fd[W_HOOK] = l->hook;
		stuck = l->stuck;
	}
	keeper_let(v, l);
	if (stuck && !v->result)
		v->result = 1;
	return stuck;
}

static void let_all_go(struct live *v, unsigned but)
{
	int i;

	log_end(v);
	for (i = 0; i < NWATCH; i++)
		if (v->fd[i] >= 0 && !(but >> i & 1)) {
			close(v->fd[i]);
			v->fd[i] = -1;
		}
}

/* Of a board it writes down what the box is made of when that is up, and that may be over by then:
 * to the next one of the name it would write there as well. */
static bool still_writes(const struct live *v)
{
	static siginfo_t si STAYS;

	si.si_pid = 0;
	return HAS(boards) && !v->own && waitid(P_PID, (id_t)v->starter, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && !si.si_pid;
}

/* Who is told may start it again at once, whoever has our descriptors still: the starter of
 * another box, a hook of this one. Its own starter keeps the name until it has ended. */
static int gone(struct live *v)
{
	if (!still_writes(v))
		(void)flock(v->fd[W_LOCK], LOCK_UN);
	close(v->fd[W_LOCK]);
	v->fd[W_LOCK] = -1;
	ctl_tell(v, CTL_GONE, v->result);
	log_close(v);
	v->etc = false;
	let_all_go(v, v->own ? ~(1u << W_LOCK) : 0);	/* the only box of this process: the rest ends with it */
	return GONE;
}

/* The name of a start that hangs is still locked, and goes with its starter. */
static void unkillable(struct live *v)
{
	bool starts = v->state == STARTING;

	warnx("%s: unkillable: process %d is still there", v->name, starts ? v->starter : v->init);
	if (starts)
		state_reopen(v);
	if (starts)
		state_note(v, "failed", v->why);
	say(v->fd[W_FILE], "ended=unkillable\n");
	v->result = 1;
	ctl_tell(v, CTL_STUCK, 1);
	if (starts)
		let_all_go(v, 0);
}

static int clear(struct live *v)
{
	(void)undo(v, false);
	return gone(v);
}

/* ------------------------------------------------------------------ and then? */

/* Who has lived for as long as the longest delay begins with the shortest one again. */
static uint32_t delay(struct live *v)
{
	uint32_t first = v->life.delay_ms, most = v->life.delay_max_ms, ms;

	if (!most)			/* restart=no: of who waits for what he needs */
		first = 1000, most = 60000;
	ms = now_ms() - v->since >= most ? 0 : v->delay_ms;
	if (ms < first)
		ms = first;
	if (ms > most)
		ms = most;
	v->delay_ms = ms * 2;
	return ms;
}

/* Have there been so many ends in so much time? */
static bool too_often(struct live *v)
{
	uint64_t now = now_ms(), *oldest;
	uint8_t n = v->life.tries;

	if (!n)
		return false;
	v->exits[v->nexits] = now;
	v->nexits = (uint8_t)((v->nexits + 1u) % n);
	oldest = &v->exits[v->nexits];
	return *oldest && now - *oldest <= v->life.window_ms;
}

/* For good. What stays of it in the background is the state file. */
static int over(struct live *v, const char *word)
{
	if (v->stays || v->life.restart != RESTART_NO)
		warnx("%s: %s: %s", v->name, word, v->why);
	listen_end(v);
	if (state_renew(v, true) < 0 || !v->stays)
		return clear(v);
	say(v->fd[W_FILE], "result=%d\n", v->result);
	state_note(v, word, v->why);
	return gone(v);
}

static int give_up(struct live *v)
{
	copy(v->why, sizeof v->why, fmts(TEXT "%u exits in %s, last: %s; gave up", v->life.tries, span(v->life.window_ms / 1000), v->why));
	if (HAS(boards) && !v->own)
		board_fail(v->life.giveup, v->name);
	return over(v, "failed");
}

/* How near it is to that */
static void note_window(const struct live *v)
{
	uint64_t now = now_ms();
	unsigned i, n = 0;

	for (i = 0; i < v->life.tries; i++)
		n += v->exits[i] && now - v->exits[i] <= v->life.window_ms;
	if (v->life.tries)
		say(v->fd[W_FILE], "window=%u of %u in %s\n", n, v->life.tries, span(v->life.window_ms / 1000));
}

static int back_off(struct live *v)
{
	uint32_t ms = delay(v);

	if (state_renew(v, false) < 0)
		return clear(v);
	note_window(v);
	say(v->fd[W_FILE], "next=%u\n", state_seconds() + ms / 1000);
	state_note(v, "backoff", v->why);
	warnx("%s: %s: again in %u ms", v->name, v->why, ms);
	due(v, DUE_BACKOFF, ms);
	return BACKOFF;
}

/* ------------------------------------------------------------------- a start */

/* Of a board, where it starts for the first time */
static void mark(const struct live *v, const char *what)
{
	if (HAS(boards) && !v->own && !v->renewed)
		board_mark(v->name, what);
}

static int start(struct live *v)
{
	mark(v, ".go");
	v->ready = false;
	v->since = now_ms();
	if (!STARTERS || starter_begin(v, NULL) < 0) {
		due(v, DUE_BACKOFF, AGAIN_MS);
		return BACKOFF;
	}
	v->need = v->again = false;
	*v->why = '\0';
	due(v, DUE_START, v->life.ready_ms ? v->life.ready_ms : MAKE_MS);
	return STARTING;
}

/* Asked at once, too: what it waits for may have come before it was watched. */
static int hold(struct live *v)
{
	warnx("%s: waits: %s", v->name, v->why);
	ctl_tell(v, CTL_FAILED, 0);	/* husk restart: that may be never */
	wait_watch(v);
	due(v, DUE_WAIT, 0);
	return WAITING;
}

static bool needs(const struct live *v)
{
	const char *w;

	for (w = v->life.waits; *w && *w != WAIT_NEEDS; w += strlen(w) + 1)
		;
	return *w;
}

static void up(struct live *v)
{
	*v->why = '\0';
	v->since = v->own && !v->renewed ? 0 : now_ms();
	v->ready = v->life.ready == READY_START;
	v->fresh = v->renewed;
	ready_begin(v);
	if (needs(v)) {
		wait_watch(v);
		due(v, DUE_WAIT, 0);
	}
	if (v->renewed && v->fd[W_PTY] >= 0)
		tty_open(v->fd[W_PTY]);
	if (v->renewed)
		ctl_tell(v, CTL_TERMINAL, 0);
	mark(v, ".up");
	if (v->ready)
		mark(v, ".ready");
	if (v->ready && !v->again)
		ctl_tell(v, CTL_UP, 0);
}

/* What comes after an end, or a start that failed. good: it has ended by itself, with 0. */
static int and_then(struct live *v, bool good)
{
	bool restart = HAS(restart) && (v->life.restart == RESTART_ALWAYS || (v->life.restart == RESTART_FAILURE && !good));
	bool kept = STARTERS && (v->stays || v->again || v->need || restart);	/* else nobody could take it away */

	if (HAS(boards) && !v->own)
		board_ended(v->name, !good && !v->stop_asked);
	if (v->stop_asked || !kept || undo(v, true))
		return v->stop_asked || !kept ? clear(v) : gone(v);
	let_all_go(v, W_STAY);
	if (HAS(sockets))
		listen_look(v);
	if (v->again)
		return state_renew(v, false) < 0 ? clear(v) : start(v);
	if (v->need) {
		if (state_renew(v, false) < 0)
			return clear(v);
		state_note(v, "waiting", v->why);
		v->need = false;
		v->earliest = now_ms() + delay(v);	/* somebody may make it and take it away all the time */
		return hold(v);
	}
	if (!restart)
		return over(v, good ? "done" : "failed");
	v->restarts++;
	return too_often(v) ? give_up(v) : back_off(v);
}

static int end(struct live *v)
{
	mark(v, ".ended");
	if (v->fd[W_LISTENER] >= 0)
		keeper_deaf(v);
	if (HAS(tty) && v->fd[W_PTY] >= 0)
		tty_over();
	log_end(v);		/* who is attached sees it, and is told then */
	return and_then(v, !v->result && !v->need);
}

/* Nobody has locked the name: another keeper has, or nobody can. */
static int fail_start(struct live *v)
{
	int next;

	v->result = 125;
	if (!*v->why)
		because(v, "the start was ended");
	next = v->fd[W_LOCK] < 0 ? gone(v) : and_then(v, false);
	if (next != GONE)
		ctl_tell(v, CTL_FAILED, 125);
	return next;
}

static int skip(struct live *v)
{
	v->result = 0;
	if (!v->stays)
		warnx("%s: skipped: %s", v->name, v->why);
	return over(v, "skipped");
}

/* ------------------------------------------------------------------ the machine */

static void ask_for(struct live *v, const char *why)
{
	because(v, why);
	warnx("%s: %s: stopped", v->name, why);
	v->with = 0;
	ask(v);
}

static void late(struct live *v)
{
	v->cause = EV_LATE;
	ask_for(v, v->life.ready >= READY_FD && v->fd[W_READY] < 0 ? "not ready: the descriptor is closed that would say so" : "not ready in time");
}

static int dog(struct live *v)
{
	v->cause = EV_DOG;
	because(v, "watchdog: it has not called in");
	return kill_all(v);
}

/* Who is paused cannot call in, nor become ready: his time stands still, too. */
static bool asleep(struct live *v, enum event e)
{
	struct left *l = v->state == RUNNING && (e == EV_LATE || e == EV_DOG) ? keeper_left(v) : NULL;
	bool yes = l && cg_paused(l);

	keeper_let(v, l);
	if (yes)
		due(v, e == EV_DOG ? DUE_WATCHDOG : DUE_START, e == EV_DOG ? v->life.watchdog_ms : v->life.ready_ms);
	return yes;
}

static void asked(struct live *v, bool again)
{
	v->again = again;
	v->stop_asked = !again;
}

static void ready(struct live *v)
{
	v->ready = true;
	mark(v, ".ready");
	ready_now(v);
	state_note(v, "ready", NULL);
	ctl_tell(v, CTL_UP, 0);
}

/* What the starter has made ends with it, or by the state file. At a disk that does not
 * answer no signal ends it. */
static void cut(struct live *v)
{
	(void)kill(v->starter, SIGKILL);
	due(v, DUE_STOP, KILL_MS);
}

static void cut_late(struct live *v)
{
	because(v, "not ready in time");
	warnx("%s: %s: its start is ended", v->name, v->why);
	if (HAS(boards) && !v->own)
		board_ended(v->name, true);
	cut(v);
}

static int act(struct live *v, int what, int next)
{
	switch (what) {
	case WHERE(STARTERS, START): return start(v);
	case WHERE(STARTERS, AGAIN): v->again = true; return start(v);
	case WHERE(STARTERS, FAIL): return fail_start(v);
	case END: return end(v);
	case CLEAR: return clear(v);
	case ONLY(restart, SKIP): return skip(v);
	case ONLY(restart, WAIT): return hold(v);
	case KILL: return kill_all(v);
	case UNKILLABLE: unkillable(v); break;
	case UP: up(v); break;
	case ONLY(ready, READY): ready(v); break;
	case ASK: asked(v, false); ask(v); break;
	case ASK_AGAIN: asked(v, true); ask(v); break;
	case ONLY(restart, NEED): v->need = true; ask_for(v, v->why); break;
	case ONLY(ready, UNREADY): v->ready = false; state_note(v, "running", "it says that it stops"); break;
	case ONLY(ready, LATE): late(v); break;
	case ONLY(ready, DOG): return dog(v);
	case NOTE: asked(v, false); break;
	case NOTE_AGAIN: asked(v, true); break;
	case WHERE(STARTERS, CUT): asked(v, false); cut(v); break;
	case WHERE(STARTERS, CUT_LATE): cut_late(v); break;
	}
	return next;
}

/* What is due belongs to the state; the time to get ready has begun with the start. */
int life_event(struct live *v, enum event e)
{
	int cell = cells[v->state][e], what = cell >> 3, next = cell & 7;
	uint64_t start_due = v->due[DUE_START];

	if (what == NO || asleep(v, e))
		return v->state;
	if (next != v->state)
		memset(v->due, 0, sizeof v->due);
	if (what == UP && v->life.ready_ms)
		v->due[DUE_START] = start_due;
	v->state = (uint8_t)act(v, what, next);
	if (what == UP && (v->stop_asked || v->again))
		return life_event(v, v->again ? EV_AGAIN : EV_STOP);
	return v->state;
}

void life_stop(struct live *v, int sig)
{
	v->with = (uint8_t)sig;
	(void)life_event(v, EV_STOP);
}

bool life_due(struct live *v, uint64_t now)
{
	static const uint8_t events[NDUE] = { [DUE_STOP] = EV_OVERDUE, [DUE_START] = EV_LATE, [DUE_BACKOFF] = EV_BACKOFF, [DUE_WATCHDOG] = EV_DOG };
	int i;

	for (i = 0; i < NDUE; i++)
		if (v->due[i] && v->due[i] <= now) {
			v->due[i] = 0;
			if (HAS(restart) && i == DUE_WAIT)
				wait_heard(v);
			else if (i != DUE_NOTIFY && i != DUE_NEWS)
				(void)life_event(v, events[i]);
			return true;
		}
	return false;
}

/* The kernel kills by KILL where memory is short; a shell passes that on as 137. Who
 * was too slow to stop was killed by us. The leaf is still there, and counts. */
static const char *out_of_memory(const struct live *v, const struct ended *e)
{
	struct left *l;
	const char *oom;

	if (v->state == KILLED || e->status != (e->code == CLD_EXITED ? 128 + SIGKILL : SIGKILL))
		return NULL;
	l = keeper_left(v);
	oom = l ? cg_oom(l) : NULL;
	keeper_let(v, l);
	return oom;
}

/* A service that has ended with 0 at once, and was not alone: it went to the background, as
 * daemons do that nobody has told not to. When it was started says the state file. */
static void gone_behind(const struct live *v, const struct ended *e)
{
	struct left *l = e->left > 0 && v->state == RUNNING ? keeper_left(v) : NULL;
	unsigned lived = l ? state_lived(l) : 0;

	if (lived && lived < 200)
		warnx("%s: ended with 0 after %u.%us, %d process%s left - it went to the background: its foreground option (-n), or forks=yes",
			v->name, lived / 100, lived % 100 / 10, e->left, e->left > 1 ? "es" : "");
	keeper_let(v, l);
}

/* The reason that it was ended for counts more than how it went then. */
static void note_end(struct live *v, const struct ended *e)
{
	const char *oom = out_of_memory(v, e), *name = e->code == CLD_EXITED ? NULL : cfg_signal_name(e->status);
	const char *why = oom ? fmts(TEXT "killed: out of memory (%s)", oom) :
		e->code == CLD_EXITED ? fmts(TEXT "exit %d", e->status) : fmts(TEXT "signal %d%s%s", e->status, name ? " " : "", name ? name : "");

	if (oom) {
		say(v->fd[W_FILE], "ended=oom %s\n", oom);
		warnx("%s: %s", v->name, why);
	} else
		say(v->fd[W_FILE], "ended=%s%s\n", why,
			v->cause == EV_LATE ? " start.timeout" : v->cause == EV_DOG ? " watchdog" : v->state == KILLED && !v->paused ? " stop.timeout" : "");
	if (e->code != CLD_EXITED && e->status == SIGSYS)
		warnx("%s: SIGSYS: the filter ended it: a call with KILL, or programs of another ABI: abi=", v->name);
	if (!*v->why)
		because(v, why);
	gone_behind(v, e);
}

void life_end(struct live *v, const struct ended *e)
{
	log_end(v);		/* its last words come before ours */
	enter_over(v);
	if (v->left)
		v->left->ended = true;
	v->result = (uint8_t)(e->code == CLD_EXITED ? e->status : 128 + e->status);	/* who has caps=sys_ptrace in the box may have written any number */
	if (v->cause == EV_LATE && !v->result)
		v->result = 125;	/* a start that failed, however well it took that */
	note_end(v, e);
	(void)life_event(v, EV_ENDED);
}
