/*
 * life_test.c - test: the machine of init/life.c, without boxes. Every cell of the table is
 * walked, with every thing that what it does may depend on: what it becomes, what was done.
 * unit: init/util.c init/fail.c
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../init/life.c"

/* What life.c asks of others: noted, one letter each */
static char did[64];
static bool cannot_start, cannot_renew, stuck;
static struct left the_left;

static void note_it(char c) { size_t n = strlen(did); if (n + 1 < sizeof did) did[n] = c, did[n + 1] = '\0'; }

const uint8_t text_pairs[1][2];
const char code_end[1];
const char *stage_name(int row) { (void)row; return ""; }
long sys_getcwd(char *to, size_t max) { (void)to; (void)max; return -1; }
const char *stage_hint(int row, int err) { (void)row; (void)err; return NULL; }
struct left *keeper_left(const struct live *v) { (void)v; the_left.stuck = false; return &the_left; }
void keeper_let(const struct live *v, const struct left *l) { (void)v; (void)l; }
void keeper_deaf(struct live *v) { v->fd[W_LISTENER] = -1; }
void stages_undo(struct left *l, int from) { (void)from; l->stuck = stuck; note_it(l->keep ? 'u' : 'U'); }
bool cg_paused(const struct left *l) { (void)l; return false; }
void cg_kill(const struct left *l) { (void)l; note_it('k'); }
const char *cg_oom(const struct left *l) { (void)l; return NULL; }
void tty_open(int pty) { (void)pty; }
void tty_over(void) { }
void listen_end(struct live *v) { (void)v; }
void listen_look(struct live *v) { (void)v; }
void board_ended(const char *name, bool failed) { (void)name; (void)failed; }
void board_fail(enum giveup what, const char *why) { (void)what; (void)why; }
void board_mark(const char *name, const char *what) { (void)name; (void)what; }
const char *cfg_signal_name(int sig) { (void)sig; return "X"; }
void ctl_tell(const struct live *v, enum ctl_news what, int status) { (void)v; (void)status; note_it(what == CTL_GONE ? 'G' : 'c'); }
int state_renew(struct live *v, bool over_) { (void)v; note_it(over_ ? 'R' : 'r'); return cannot_renew ? -1 : 0; }
void state_note(const struct live *v, const char *word, const char *why) { (void)v; (void)why; note_it(*word - 32); }
unsigned state_lived(const struct left *l) { (void)l; return 0; }
void enter_over(const struct live *v) { (void)v; }
void state_reopen(struct live *v) { (void)v; }
void log_end(struct live *v) { (void)v; }
void log_close(struct live *v) { (void)v; }
void ready_begin(struct live *v) { (void)v; }
void ready_end(struct live *v) { (void)v; }
void ready_now(struct live *v) { (void)v; }
uint32_t state_seconds(void) { return 1; }
void wait_watch(struct live *v) { (void)v; note_it('w'); }
void wait_heard(struct live *v) { (void)v; }
int starter_begin(struct live *v, const char *extra) { (void)v; (void)extra; note_it('+'); return cannot_start ? -1 : 0; }

static int tests, bad;

static void ok(bool right, const char *what, int a, int b, int c)
{
	tests++;
	bad += !right;
	if (!right)
		printf("not ok %d - %s: state %d event %d after %d, %s\n", tests, what, a, b, c, did);
}

/* A box of a process that does not exist; what it has of descriptors is none. */
static struct live fresh(int state, int restart, int flags)
{
	struct live v = { .state = (uint8_t)state, .init = 1 << 30, .starter = 1 << 30 };

	memset(v.fd, -1, sizeof v.fd);
	v.fd[W_LOCK] = flags & 1 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
	v.own = flags & 2;
	v.stays = flags & 4;
	v.stop_asked = flags & 8;
	v.again = flags & 16;
	v.need = flags & 32;
	v.result = flags & 64 ? 1 : 0;
	v.life = (struct life){ .restart = (uint8_t)restart, .stop_signal = SIGTERM, .delay_ms = 100, .delay_max_ms = 400, .stop_ms = 5000 };
	copy(v.name, sizeof v.name, "x");
	*did = '\0';
	return v;
}

/* Which states may follow, by the rules of the machine and not by its table */
static const char may[NSTATE][NSTATE + 1] = {	/* FREE WAITING STARTING RUNNING STOPPING KILLED BACKOFF GONE */
	[FREE] = "10000000", [WAITING] = "01100011", [STARTING] = "01111011", [RUNNING] = "01111111",
	[STOPPING] = "01101111", [KILLED] = "01100111", [BACKOFF] = "00100011", [GONE] = "00000001",
};

static void walk_cells(void)
{
	int s, e, restart, flags, can, was_due;
	struct live v;

	for (s = 0; s < NSTATE; s++)
		for (e = 0; e < NEVENT; e++)
			for (restart = 0; restart < 3; restart++)
				for (flags = 0; flags < 128; flags++)
					for (can = 0; can < 8; can++) {
						v = fresh(s, restart, flags);
						cannot_start = can & 1;
						cannot_renew = can & 2;
						stuck = can & 4;
						v.due[DUE_STOP] = v.due[DUE_BACKOFF] = 1;
						(void)life_event(&v, (enum event)e);
						was_due = v.due[DUE_STOP] == 1;
						ok(v.state < NSTATE && may[s][v.state] == '1', "a step that is none", s, e, v.state);
						ok(v.state == s || !was_due, "a time of the state before is due", s, e, v.state);
						ok(v.state != BACKOFF || v.due[DUE_BACKOFF], "nothing ends the wait", s, e, v.state);
						ok((v.state != STOPPING && v.state != KILLED) || v.due[DUE_STOP], "nothing ends the stop", s, e, v.state);
						ok(s != STARTING || v.state != s || (e != EV_STOP && e != EV_LATE) || v.due[DUE_STOP] > 1, "nothing ends the start", s, e, v.state);
						ok(v.state != WAITING || s == WAITING || strchr(did, 'w'), "waits, and hears nothing", s, e, v.state);
						ok(v.state != STARTING || s == STARTING || strchr(did, '+'), "starts by nobody", s, e, v.state);
						ok(v.state == s || v.state != GONE || strchr(did, 'G') || e == EV_OVERDUE, "goes, and nobody is told", s, e, v.state);
						ok(!(s == STOPPING && e == EV_ENDED && v.stop_asked) || v.state == GONE, "was asked to stop, and goes on", s, e, v.state);
						if (v.fd[W_LOCK] >= 0)
							close(v.fd[W_LOCK]);
					}
	cannot_start = cannot_renew = stuck = false;
}

static void ended(struct live *v, int status)
{
	struct ended e = { ENDED_MAGIC, 1, status, 0 };		/* CLD_EXITED */

	v->state = RUNNING;
	*did = '\0';
	life_end(v, &e);
}

/* How long it waits each time, and when it gives up */
static void delays(void)
{
	static const uint32_t expected[] = { 100, 200, 400, 400 };
	struct live v = fresh(RUNNING, RESTART_FAILURE, 1 | 4);
	uint64_t ms, now;
	int i;

	v.life.window_ms = 3600 * 1000;
	v.life.tries = 5;
	for (i = 0; i < 4; i++) {
		v.since = now = now_ms();
		*v.why = '\0';
		ended(&v, 3);
		ms = v.due[DUE_BACKOFF] - now;
		ok(v.state == BACKOFF && ms >= expected[i] && ms < expected[i] + 50 && v.restarts == i + 1, "delay", i, (int)ms, v.state);
	}
	ended(&v, 3);
	ok(v.state == GONE && strstr(did, "RF") && strstr(v.why, "5 exits in 1h"), "gives up", v.state, v.restarts, 0);
	v = fresh(RUNNING, RESTART_FAILURE, 1 | 4);
	v.delay_ms = 400;
	v.since = now_ms() - 400;
	ended(&v, 3);
	ok(v.state == BACKOFF && v.due[DUE_BACKOFF] < now_ms() + 150, "a good time", v.state, 0, 0);
	v = fresh(RUNNING, RESTART_FAILURE, 1 | 4);
	ended(&v, 0);
	ok(v.state == GONE && strstr(did, "RD"), "done", v.state, 0, 0);
	v = fresh(RUNNING, RESTART_ALWAYS, 1);
	ended(&v, 0);
	ok(v.state == BACKOFF, "always", v.state, 0, 0);
}

/* Its name is free at once, whoever has the descriptor, too; but not while its starter may write there. */
static void name_is_free(void)
{
	int own, starts, other = open(".", O_RDONLY | O_CLOEXEC), lock;
	struct live v;

	for (own = 0; own < 2; own++)
		for (starts = 0; starts < 2; starts++) {
			v = fresh(WAITING, RESTART_NO, own ? 2 : 0);
			lock = open(".", O_RDONLY | O_CLOEXEC);
			v.fd[W_LOCK] = dup(lock);
			ok(flock(lock, LOCK_EX | LOCK_NB) == 0, "a lock", own, starts, 0);
			if (starts && (v.starter = fork()) == 0)
				for (;;)
					pause();
			(void)life_event(&v, EV_STOP);
			ok((flock(other, LOCK_EX | LOCK_NB) == 0) == (own || !starts), "the name", own, starts, v.state);
			(void)flock(other, LOCK_UN);
			if (starts && kill(v.starter, SIGKILL) == 0)
				(void)waitpid(v.starter, NULL, 0);
			close(lock);
		}
	close(other);
}

int main(void)
{
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	walk_cells();
	delays();
	name_is_free();
	printf("%s 1 - %d checks, %d wrong\n", bad ? "not ok" : "ok", tests, bad);
	return bad != 0;
}
