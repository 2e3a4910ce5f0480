/*
 * life.c - what becomes of a box: a table of states and events, every cell filled. All
 * that happens to it comes in by life_event(), from the keeper's loop; what is to be
 * done is a small function, whose result may be another state than that of the table.
 *
 * How it ended is the last line of the state file, ended=, for who reads it there
 * (husk events), written before anything of the box is undone.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

enum { KILL_MS = 5000, MOVING_MS = 200 };

/* What is done; NOTHING is for what cannot be, or comes too late. */
enum { NOTHING, NOTE, UP, READY, ASK, KILL, GIVE_UP, END, FAIL };

/* A row a state, a column an event, in the order of their numbers; a cell is what is
 * done, and what it becomes. */
#define CELL(what, state)	((what) << 3 | (state))
_Static_assert(NSTATE <= 8, "a state has three bits of a cell");
static const uint8_t cells[NSTATE][NEVENT] = {
	/*		up			failed			ready			ended			stop			overdue */
	[FREE] =     {	CELL(NOTHING, FREE),	CELL(NOTHING, FREE),	CELL(NOTHING, FREE),	CELL(NOTHING, FREE),	CELL(NOTHING, FREE),	CELL(NOTHING, FREE) },
	[WAITING] =  {	CELL(NOTHING, WAITING), CELL(NOTHING, WAITING),	CELL(NOTHING, WAITING),	CELL(NOTHING, WAITING),	CELL(FAIL, GONE),	CELL(NOTHING, WAITING) },
	[STARTING] = {	CELL(UP, RUNNING),	CELL(FAIL, GONE),	CELL(NOTHING, STARTING), CELL(NOTHING, STARTING), CELL(NOTE, STARTING),	CELL(NOTHING, STARTING) },
	[RUNNING] =  {	CELL(NOTHING, RUNNING),	CELL(NOTHING, RUNNING),	CELL(READY, RUNNING),	CELL(END, GONE),	CELL(ASK, STOPPING),	CELL(NOTHING, RUNNING) },
	[STOPPING] = {	CELL(NOTHING, STOPPING), CELL(NOTHING, STOPPING), CELL(NOTHING, STOPPING), CELL(END, GONE),	CELL(NOTE, STOPPING),	CELL(KILL, KILLED) },
	[KILLED] =   {	CELL(NOTHING, KILLED),	CELL(NOTHING, KILLED),	CELL(NOTHING, KILLED),	CELL(END, GONE),	CELL(NOTE, KILLED),	CELL(GIVE_UP, GONE) },
	[BACKOFF] =  {	CELL(NOTHING, BACKOFF),	CELL(NOTHING, BACKOFF),	CELL(NOTHING, BACKOFF),	CELL(NOTHING, BACKOFF),	CELL(FAIL, GONE),	CELL(NOTHING, BACKOFF) },
	[GONE] =     {	CELL(NOTHING, GONE),	CELL(NOTHING, GONE),	CELL(NOTHING, GONE),	CELL(NOTHING, GONE),	CELL(NOTHING, GONE),	CELL(NOTHING, GONE) },
};

static void due(struct live *v, enum due what, uint32_t ms)
{
	v->due[what] = now_ms() + ms;
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
	if (v->paused)
		say(2, "husk: %s: is paused, and hears no signal: killed\n", v->name);
	else
		say(2, "husk: %s: did not stop in %u ms: killed\n", v->name, v->life.stop_ms);
	due(v, DUE_STOP, KILL_MS);
	return KILLED;
}

static void give_up(struct live *v)
{
	say(2, "husk: %s: unkillable: process %d is still there\n", v->name, v->init);
	say(v->fd[W_FILE], "ended=unkillable\n");
	v->result = 1;
	ctl_tell(v, CTL_STUCK, 1);
}

/* Undo needs no more than the state file, and that is what a killed keeper's
 * successor has, too. */
static void undo(struct live *v)
{
	struct left *l = keeper_left(v);

	if (l) {
		l->apart = !v->left;
		stages_undo(l, -1);
	}
	if (v->left)
		v->result = v->left->stuck && !v->result ? 1 : v->result;
	keeper_let(v, l);
}

static void end(struct live *v)
{
	int i;

	if (v->fd[W_LISTENER] >= 0)
		keeper_deaf(v);
	undo(v);
	ctl_tell(v, CTL_GONE, v->result);
	v->etc = false;
	if (v->left)
		return;		/* the only box of this process, which ends now */
	for (i = 0; i < NWATCH; i++)
		if (v->fd[i] >= 0) {
			close(v->fd[i]);
			v->fd[i] = -1;
		}
}

static int act(struct live *v, int what, int next)
{
	switch (what) {
	case NOTE: v->stop_asked = true; break;
	case READY: v->ready = true; break;
	case ASK: v->stop_asked = true; ask(v); break;
	case KILL: return kill_all(v);
	case GIVE_UP: give_up(v); break;
	case FAIL: v->result = 125; end(v); break;
	case END: end(v); break;
	}
	return next;
}

/* Due is what belongs to the state that it is in: all else is over. */
int life_event(struct live *v, enum event e)
{
	int cell = cells[v->state][e], was = v->state;

	v->state = (uint8_t)act(v, cell >> 3, cell & 7);
	if (was != v->state && v->state != STOPPING && v->state != KILLED)
		memset(v->due, 0, sizeof v->due);
	if (cell >> 3 == UP && v->stop_asked)
		return life_event(v, EV_STOP);
	return v->state;
}

void life_stop(struct live *v, int sig)
{
	v->with = (uint8_t)sig;
	life_event(v, EV_STOP);
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

static void note_end(const struct live *v, const struct ended *e)
{
	const char *oom = out_of_memory(v, e);

	if (oom) {
		say(v->fd[W_FILE], "ended=oom %s\n", oom);
		say(2, "husk: %s: killed: out of memory (%s)\n", v->name, oom);
		return;
	}
	say(v->fd[W_FILE], "ended=%s %d%s\n", e->code == CLD_EXITED ? "exit" : "signal", e->status,
		v->state == KILLED && !v->paused ? " stop.timeout" : "");
	if (e->code != CLD_EXITED && e->status == SIGSYS)
		say(2, "husk: %s: SIGSYS: the filter ended it: a call with KILL, or programs of another ABI: abi=\n", v->name);
}

void life_end(struct live *v, const struct ended *e)
{
	if (v->left)
		v->left->ended = true;
	v->result = e->code == CLD_EXITED ? e->status : 128 + e->status;
	note_end(v, e);
	life_event(v, EV_ENDED);
}
