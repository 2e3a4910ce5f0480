/*
 * keeper.c - what stays outside: one process for a box started by hand, PID 1
 * for all boxes of a board. The same loop, N boxes. It holds numbers and a few
 * descriptors a box, no configuration; it never sets anything up. That is the
 * business of a starter: the same code in a child that ends when the box is up.
 * What becomes of a box is life.c's; here is who says that it does.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

enum { MAXLIVE = 64 };

static struct live table[MAXLIVE] APART;
static unsigned top STAYS;		/* from here on all are FREE, and nobody reads what was never written */
static int signals STAYS;		/* the signalfd */
static int watch STAYS;			/* inotify, for etc=; -1: nobody needs it */
static int pending STAYS;
static int also STAYS;			/* of a board, or -2; -1: this is none */
static bool settled STAYS;		/* the box has lived for longer than BRIEF_MS */

struct live *keeper_next(struct live *v)
{
	for (v = v ? v + 1 : table; v < table + top; v++)
		if (v->state != FREE && v->state != GONE)
			return v;
	return NULL;
}

struct live *keeper_named(const char *name)
{
	struct live *v = NULL;

	while ((v = keeper_next(v)) && (!starts(name, v->name) || (name[strlen(v->name)] && name[strlen(v->name)] != ':')))
		;
	return v;
}

int keeper_slot(const struct live *v)
{
	return (int)(v - table);
}

struct live *keeper_at(int slot)
{
	return table + slot;
}

void keeper_carry(void)
{
	carry(table, sizeof *table, MAXLIVE);
	carry(&top, sizeof top, 1);
	carry(&signals, sizeof signals, 1);
	carry(&watch, sizeof watch, 1);
	carry(&also, sizeof also, 1);
	carry(&pending, sizeof pending, 1);
	carry(&settled, sizeof settled, 1);
}

/* The pointers of the last husk are not ours. Is there one box, or is this a board? */
bool keeper_resume(struct left *own)
{
	struct live *v = NULL;

	while ((v = keeper_next(v))) {
		v->left = v->left ? own : NULL;
		v->file = HAS(boards) && v->file ? board_file(v->name) : NULL;
		log_begin(v);
		warnx("%s: goes on with husk " VERSION, v->name);
	}
	return table->own;
}

bool keeper_learns(void)
{
	return table->fd[W_LISTENER] >= 0 && table->fd[W_POLICY] < 0;
}

struct live *keeper_add(const char *name)
{
	struct live *v;

	for (v = table; v < table + MAXLIVE; v++)
		if (v->state == FREE || v->state == GONE) {
			memset(v, 0, sizeof *v);
			copy(v->name, sizeof v->name, name);
			v->state = STARTING;
			memset(v->fd, -1, sizeof v->fd);
			if (top <= (unsigned)keeper_slot(v))
				top = (unsigned)keeper_slot(v) + 1;
			return v;
		}
	warnx("%s: more than %d boxes", name, MAXLIVE);
	return NULL;
}

/* What it left, or NULL. The text in memory is as old as the start: `husk update`
 * may have added a line to the file since. */
struct left *keeper_left(const struct live *v)
{
	static struct left l;
	ssize_t n;

	if (!v->left)
		return state_read(&l, v->name) < 0 ? NULL : &l;
	v->left->stuck = false;
	n = settled || v->renewed ? pread(v->fd[W_FILE], l.text, sizeof l.text - 1, 0) : 0;
	if (n > v->left->len || (n > 0 && v->renewed)) {
		l.text[n] = '\0';
		v->left->len = (uint16_t)copy(v->left->text, sizeof v->left->text, l.text);
	}
	return v->left;
}

void keeper_let(const struct live *v, const struct left *l)
{
	if (l && !v->left)
		close(l->dir);
}

/* What a terminal shows in the background is read as a log is. */
void keeper_descriptors(const struct run *r, bool stays, int fd[NWATCH])
{
	fd[W_LISTENER] = r->listener;
	fd[W_LOG] = r->logpipe;
	fd[W_READY] = r->ready;
	fd[W_NOTIFY] = r->notify;
	fd[W_STATUS] = r->status;
	fd[W_LOCK] = r->statedir;
	fd[W_FILE] = r->state;
	fd[W_POLICY] = r->policy;
	if (r->kept)
		memcpy(fd + W_NS, r->nsfd, sizeof r->nsfd);
	fd[W_PTY] = -1;
	if (r->pty >= 0)
		fd[stays ? W_LOG : W_PTY] = r->pty;
	memcpy(fd + W_LISTEN, r->listen, sizeof r->listen);
}

/* The box that this process has made, or what of it is there: who waits has no more than
 * a state file. What is learned is the life of one program. */
void keeper_adopt(struct live *v, const struct run *r)
{
	v->init = r->init;
	v->life = r->box->life;
	v->left = r->left;
	v->etc = r->etc;
	v->stays = r->up && !r->exec_errno;	/* who started it is told that it failed, and nothing stays */
	if (r->learn)
		v->life.restart = RESTART_NO;
	keeper_descriptors(r, v->stays, v->fd);
	log_begin(v);
	copy(v->why, sizeof v->why, r->held ? r->why : "");
	(void)life_event(v, !r->held ? EV_UP : r->held == HOLD_WAIT ? EV_WAIT : EV_SKIP);
}

void keeper_stop(const char *name)
{
	struct live *v = NULL;

	while ((v = keeper_next(v)))
		if (!v->stop_asked && (!name || same(name, v->name)))
			life_stop(v, 0);
}

int keeper_state(const char *name)
{
	struct live *v = NULL;

	while ((v = keeper_next(v)))
		if (!name || same(name, v->name))
			return v->state == STARTING || (v->state == RUNNING && !v->ready) ? 1 : 2;
	return 0;
}

/* Who is refused something from here on gets ENOSYS of the kernel. */
void keeper_deaf(struct live *v)
{
	if (HAS(learn))
		filter_more(keeper_slot(v), v->name, true);
	close(v->fd[W_LISTENER]);
	close(v->fd[W_POLICY]);
	v->fd[W_LISTENER] = v->fd[W_POLICY] = -1;
}

/* Who learns answers all calls, the one that ends the program, too. */
static void listen_to(struct live *v, int events)
{
	if (events & POLLIN && filter_serve(keeper_slot(v), v->name, v->fd[W_LISTENER], v->fd[W_POLICY]) >= 0)
		return;
	if (events & POLLIN && v->fd[W_POLICY] < 0) {
		warn("%s: its calls are not heard", v->name);
		(void)kill(v->init, SIGKILL);
	}
	keeper_deaf(v);		/* nobody is left that the filter is on */
}

/* PID 1 of the box is dead and reaped. Its record tells how the program ended;
 * without one it was PID 1 that was killed, and the box with it. */
static void box_ended(struct live *v, int code, int status)
{
	struct ended e = { 0 };

	if (read(v->fd[W_STATUS], &e, sizeof e) != sizeof e || e.magic != ENDED_MAGIC) {
		e.code = code;
		e.status = status;
	}
	life_end(v, &e);
}

/* One that was killed does nothing more, even where that has not ended it. */
static bool at_work(const struct live *v)
{
	return v->state == STARTING && !v->due[DUE_STOP];
}

static void ask_for(pid_t pid, siginfo_t *si)
{
	if (pid > 0 && !si->si_pid)
		(void)waitid(P_PID, (id_t)pid, si, WEXITED | WNOHANG);
}

/* The next that has ended. While a starter is at work nobody is asked for but the
 * PID 1 of boxes that are up, and consoles: the one that it makes is our child as well,
 * and its number must be nobody else's before its maps and limits are written. */
static bool dead(siginfo_t *si)
{
	struct live *v = NULL;
	int i;

	memset(si, 0, sizeof *si);
	while ((v = keeper_next(v)) && !at_work(v))
		;
	if (!v)
		while (waitid(P_ALL, 0, si, WEXITED | WNOHANG) < 0 && errno == EINTR)
			;
	for (i = 0; HAS(boards) && v && also != -1 && i <= MAXCONSOLE; i++)
		ask_for(board_at(i), si);
	for (v = v ? keeper_next(NULL) : NULL; v; v = keeper_next(v))
		if (v->state != STARTING)
			ask_for(v->init, si);
	return si->si_pid || (HAS(exec) && enter_dead(si));
}

void keeper_reap(void)
{
	static siginfo_t si STAYS;
	struct live *v;

	while (dead(&si)) {
		if (HAS(exec))
			enter_reaped(&si);
		hooks_reaped(si.si_pid);
		if (HAS(boards) && also != -1)
			board_reaped(&si);
		for (v = keeper_next(NULL); v; v = keeper_next(v))
			if (v->init == si.si_pid) {
				box_ended(v, si.si_code, si.si_status);
				if (v->left)
					return;
			}
	}
}

/* When something is to be done, or 0 */
static uint64_t due(const struct live *v)
{
	uint64_t next = HAS(learn) && v->fd[W_LISTENER] >= 0 ? filter_due(keeper_slot(v)) : 0, log = HAS(log) ? log_due(v) : 0;
	int i;

	if (log && (!next || log < next))
		next = log;
	for (i = 0; i < NDUE; i++)
		if (v->due[i] && (!next || v->due[i] < next))
			next = v->due[i];
	return next;
}

static int time_left(int most)
{
	struct live *v = NULL;
	uint64_t now, next;

	while ((v = keeper_next(v)))
		if ((next = due(v)) && (now = now_ms(), most < 0 || next < now + (uint64_t)most))
			most = next > now ? (int)(next - now) : 0;
	return most;
}

static void more(struct live *v)
{
	if (HAS(learn))
		filter_more(keeper_slot(v), v->name, false);
	if (HAS(log))
		log_more(v);
}

static void expire(void)
{
	struct live *v = NULL;
	uint64_t next, now;

	while ((v = keeper_next(v)))
		if ((next = due(v)) && next <= (now = now_ms()) && !life_due(v, now))
			more(v);
}

/* A short program may be over, and its PID 1 reaped as a stranger, before the
 * handover: then the pipe has its record, or its end. While there is a PID 1 nothing that
 * is in the pipe counts: who has caps=sys_ptrace in the box may have written there. */
void keeper_fetch(struct live *v)
{
	struct pollfd p = { v->fd[W_STATUS], POLLIN, 0 };
	static siginfo_t si STAYS;

	si.si_pid = 0;
	if ((waitid(P_PID, (id_t)v->init, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid) && poll(&p, 1, 0) > 0)
		box_ended(v, CLD_KILLED, SIGKILL);
}

void keeper_refresh(const struct live *v)
{
	if (v->etc)
		watch = etc_refresh(watch, v->fd[W_LOCK], v->name);
}

/* One read for a turn: who makes news faster than that keeps nobody from work. */
static void news(void)
{
	static char what[2048];
	struct live *v = NULL;

	(void)!read(watch, what, sizeof what);
	while ((v = keeper_next(v)))
		keeper_refresh(v);
}

int keeper_start(const char *file, const char *name, const char *extra, uint32_t ms)
{
	struct live *v = keeper_add(name);

	if (!v)
		return -1;
	v->file = file;
	v->stays = true;
	v->since = now_ms();
	v->due[DUE_START] = v->since + (ms ? ms : MAKE_MS);
	board_mark(name, ".start");
	if (starter_begin(v, extra) == 0)
		return 0;
	v->state = FREE;
	return -1;
}

/* The loop's own: children, the window, Ctrl-Z. The rest is for who called. */
static void heard(const struct signalfd_siginfo *si)
{
	int sig = (int)si->ssi_signo;

	if (sig == SIGCHLD)
		keeper_reap();
	else if ((sig != SIGWINCH || !tty_resize()) && (sig != SIGPIPE || si->ssi_code <= 0))
		pending = sig;
}

void keeper_block(bool on)
{
	FILLED sigset_t all;

	sigfillset(&all);
	sigprocmask(on ? SIG_SETMASK : SIG_UNBLOCK, &all, NULL);
}

int keeper_listen(void)
{
	FILLED sigset_t all;

	sigfillset(&all);
	watch = also = -1;
	signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals;
}

void keeper_wakes(int fd)
{
	also = fd < 0 ? -2 : fd;
}

/* Who is heard by which function */
static void hear(struct live *v, int which, short events)
{
	switch (which) {
	case W_STARTER: if (STARTERS) starter_heard(v); break;
	case ONLY(restart, W_WAIT): wait_news(v); break;
	case ONLY(learn, W_LISTENER): listen_to(v, events); break;
	case ONLY(ready, W_READY): ready_heard(v); break;
	case ONLY(ready, W_NOTIFY): notify_heard(v); break;
	case ONLY(control, W_CTL): ctl_heard(v); break;
	case WHERE(HAS(log) || HAS(tty), W_LOG): log_heard(v); break;
	}
}

static bool rests(const struct live *v, int which)
{
	switch (which) {
	case ONLY(log, W_LOG): return log_rests(v);
	case ONLY(learn, W_LISTENER): return filter_rests(keeper_slot(v));
	case W_NOTIFY: return v->due[DUE_NOTIFY];
	case W_WAIT: return v->due[DUE_NEWS];
	}
	return false;
}

void keeper_turn(int timeout_ms)
{
	__attribute__((uninitialized)) struct pollfd p[MAXLIVE * W_POLLED + MAXASK + 2 * MAXEXEC + 5];
	__attribute__((uninitialized)) uint16_t who[MAXLIVE * W_POLLED + 4];
	struct live *v = NULL;
	struct signalfd_siginfo si;
	int n = 3, clients, tty, guests, i;

	p[0] = (struct pollfd){ signals, POLLIN, 0 };
	p[1] = (struct pollfd){ watch, POLLIN, 0 };
	p[2] = (struct pollfd){ also, POLLIN, 0 };
	while ((v = keeper_next(v)))
		for (i = 0; i < W_POLLED; i++)
			if (v->fd[i] >= 0 && !rests(v, i)) {
				who[n] = (uint16_t)(keeper_slot(v) * W_POLLED + i);
				p[n++] = (struct pollfd){ v->fd[i], POLLIN, 0 };
			}
	clients = n;
	n += HAS(control) ? ctl_poll(p + n) : 0;
	tty = n;
	n += tty_poll(p, n);
	guests = n;
	n += HAS(exec) ? enter_poll(p, n) : 0;
	if (poll(p, (nfds_t)n, time_left(timeout_ms)) > 0) {
		if (p[1].revents)
			news();
		for (i = 3; i < clients; i++)	/* one that was heard before may have closed it */
			if (p[i].revents && table[who[i] / W_POLLED].fd[who[i] % W_POLLED] == p[i].fd)
				hear(table + who[i] / W_POLLED, who[i] % W_POLLED, p[i].revents);
		if (HAS(control))
			ctl_clients(p + clients, tty - clients);
		tty_relay(p, tty);
		if (HAS(exec))
			enter_turn(p, guests, n);
		if (p[0].revents && read(signals, &si, sizeof si) == sizeof si)
			heard(&si);
	}
	expire();
}

int keeper_signal(void)
{
	int sig = pending;

	pending = 0;
	return sig;
}

/* Ctrl-Z of the caller's shell: first the program, then this process, and the
 * terminal is the shell's in between. */
static void suspend(struct live *v)
{
	FILLED sigset_t none, all;

	(void)kill(v->init, SIGTSTP);
	tty_close();
	sigfillset(&all);
	sigemptyset(&none);
	(void)kill(getpid(), SIGSTOP);
	tty_open(-1);
	(void)kill(v->init, SIGCONT);
}

/* TERM is the box's own way to stop; INT stops as well, but arrives as what it
 * is; all others are the program's. */
static void for_the_box(struct live *v, int sig)
{
	if (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
		suspend(v);
	else if (sig == SIGTERM)
		life_stop(v, 0);
	else if (sig == SIGINT)
		life_stop(v, SIGINT);
	else
		(void)kill(v->init, sig);
}

/* From here on what it was made of is in a file: for husk update, which says so where it is
 * not there, and for who has forgotten it. */
void keeper_settle(void)
{
	struct live *v = table;

	if (v->own && v->state != GONE && !settled) {
		ctl_open(v);
		(void)state_save(v->fd[W_LOCK]);
	}
	settled = true;
}

__attribute__((noinline)) int keeper_loop(bool learn)
{
	struct live *v = table;

	if (v->fd[W_PTY] >= 0)
		tty_open(v->fd[W_PTY]);
	keeper_refresh(v);
	if (v->state != GONE)
		keeper_turn(BRIEF_MS);
	keeper_settle();
	return keeper_go_on(learn);
}

__attribute__((noinline)) int keeper_go_on(bool learn)
{
	struct live *v = table;
	int sig;

	if (!learn && v->state != GONE)
		forget();
	while (v->state != GONE) {
		if ((sig = keeper_signal())) {
			for_the_box(v, sig);
			continue;		/* it may be over */
		}
		keeper_turn(-1);
		if (v->fresh) {
			v->fresh = false;
			forget();
		}
	}
	tty_drain();
	tty_close();
	return v->result;
}
