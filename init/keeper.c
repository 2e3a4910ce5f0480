/*
 * keeper.c - what stays outside: one process for a box started by hand, PID 1
 * for all boxes of a board. The same loop, N boxes. It holds numbers and a few
 * descriptors a box, no configuration; it never sets anything up. That is the
 * business of a starter: the same code in a child that ends when the box is up.
 *
 *	state		event			becomes
 *	STARTING	starter hands over	RUNNING
 *	STARTING	starter has ended	GONE
 *	RUNNING		asked to stop		STOPPING: stop.signal, stop.timeout; paused: no time
 *	STOPPING	its time is over	KILLED: the whole tree, 5 s
 *	KILLED		its time is over	GONE, said to be unkillable, state file kept
 *	any		PID 1 has ended		GONE, how is noted, all undone
 *
 * How it ended is the last line of the state file, ended=, for who reads it there
 * (husk events), written before anything of the box is undone.
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

enum { MAXLIVE = 64, KILL_MS = 5000, MOVING_MS = 200 };
enum { FREE, STARTING, RUNNING, STOPPING, KILLED, GONE };

struct live {
	struct left *left;		/* in memory, where this process has made the box */
	uint64_t deadline;		/* now_ms() of the next step; 0: none */
	uint8_t	 state, stop_signal;
	bool	 stop_asked, etc;	/* etc: has copies to be kept fresh */
	bool	 paused;		/* when it was asked to stop */
	pid_t	 init;
	int	 fd;			/* the status pipe, or the socket to the starter */
	int	 lock;			/* RUNDIR/NAME */
	int	 file;			/* its state file */
	int	 pty;
	int	 listener, policy;	/* of its filter: filter/notify.c */
	uint32_t stop_ms;
	int	 result;
	char	 name[MAXNAME + 1];
};

static struct live table[MAXLIVE] APART;
static int signals STAYS;		/* the signalfd */
static int watch STAYS;			/* inotify, for etc=; -1: nobody needs it */
static int pending STAYS;
static bool settled STAYS;		/* the box has lived for longer than BRIEF_MS */

/* What a starter tells the keeper about a box that is up. */
struct handover {
	pid_t	 init;
	uint32_t stop_ms;
	uint8_t	 stop_signal;
	bool	 etc;
};

/* The next box that is there, the first one behind NULL; NULL: no more */
static struct live *another(struct live *v)
{
	for (v = v ? v + 1 : table; v < table + MAXLIVE; v++)
		if (v->state != FREE && v->state != GONE)
			return v;
	return NULL;
}

/* Its number, for filter/notify.c */
static int slot(const struct live *v)
{
	return (int)(v - table);
}

struct live *keeper_add(const char *name)
{
	struct live *v;

	for (v = table; v < table + MAXLIVE; v++)
		if (v->state == FREE || v->state == GONE) {
			memset(v, 0, sizeof *v);
			copy(v->name, sizeof v->name, name);
			v->state = STARTING;
			v->fd = v->lock = v->file = v->pty = v->listener = v->policy = -1;
			return v;
		}
	say(2, "husk: %s: more than %d boxes\n", name, MAXLIVE);
	return NULL;
}

/* What it left, or NULL. The text in memory is as old as the start: `husk update`
 * may have added a line to the file since. */
static struct left *left_of(const struct live *v)
{
	static struct left l;
	ssize_t n;

	if (!v->left)
		return state_read(&l, v->name) < 0 ? NULL : &l;
	n = settled ? pread(v->file, l.text, sizeof l.text - 1, 0) : 0;
	if (n > v->left->len) {
		l.text[n] = '\0';
		v->left->len = (uint16_t)copy(v->left->text, sizeof v->left->text, l.text);
	}
	return v->left;
}

static void done_with(const struct live *v, const struct left *l)
{
	if (l && !v->left)
		close(l->dir);
}

/* A paused box hears no signal, and there is nothing to wait for. */
static void stop(struct live *v, int sig)
{
	struct left *l;

	v->stop_asked = true;
	if (v->state != RUNNING)
		return;
	(void)kill(v->init, sig ? sig : v->stop_signal);
	v->state = STOPPING;
	l = left_of(v);
	v->paused = l && cg_paused(l);
	done_with(v, l);
	v->deadline = now_ms() + (v->paused ? MOVING_MS : v->stop_ms);
}

void keeper_adopt(struct live *v, const struct run *r)
{
	v->init = r->init;
	v->fd = r->status;
	v->lock = r->statedir;
	v->file = r->state;
	v->stop_signal = r->box->stop_signal;
	v->stop_ms = r->box->stop_ms;
	v->left = r->left;
	v->state = RUNNING;
	v->pty = r->pty;
	v->listener = r->listener;
	v->policy = r->policy;
	v->etc = r->etc;
}

void keeper_stop(const char *name)
{
	struct live *v = NULL;

	while ((v = another(v)))
		if (!v->stop_asked && (!name || same(name, v->name)))
			stop(v, 0);
}

int keeper_state(const char *name)
{
	struct live *v = NULL;

	while ((v = another(v)))
		if (!name || same(name, v->name))
			return v->state == STARTING ? 1 : 2;
	return 0;
}

/* Undo needs no more than the state file, and that is what a killed keeper's
 * successor has, too. */
static void undo(struct live *v)
{
	struct left *l = left_of(v);

	if (l)
		stages_undo(l, -1);
	if (v->left)
		v->result = v->left->stuck && !v->result ? 1 : v->result;
	done_with(v, l);
}

/* Who is refused something from here on gets ENOSYS of the kernel. */
static void deaf(struct live *v)
{
	filter_more(slot(v), v->name, true);
	close(v->listener);
	close(v->policy);
	v->listener = v->policy = -1;
}

/* Who learns answers all calls, the one that ends the program, too. */
static void listen_to(struct live *v, int events)
{
	if (events & POLLIN && filter_serve(slot(v), v->name, v->listener, v->policy) >= 0)
		return;
	if (events & POLLIN && v->policy < 0) {
		say(2, "husk: %s: its calls are not heard: %s\n", v->name, strerror(errno));
		(void)kill(v->init, SIGKILL);
	}
	deaf(v);		/* nobody is left that the filter is on */
}

static void gone(struct live *v)
{
	if (v->listener >= 0)
		deaf(v);
	undo(v);
	v->state = GONE;
	v->etc = false;
	if (v->left)
		return;		/* the only box of this process, which ends now */
	close(v->fd);
	if (v->lock >= 0) {
		close(v->lock);
		close(v->file);
	}
}

/* The kernel kills by KILL where memory is short; a shell passes that on as 137. Who
 * was too slow to stop was killed by us. The leaf is still there, and counts. */
static const char *out_of_memory(const struct live *v, const struct ended *e)
{
	struct left *l;
	const char *oom;

	if (v->state == KILLED || e->status != (e->code == CLD_EXITED ? 128 + SIGKILL : SIGKILL))
		return NULL;
	l = left_of(v);
	oom = l ? cg_oom(l) : NULL;
	done_with(v, l);
	return oom;
}

static void note_end(const struct live *v, const struct ended *e)
{
	const char *oom = out_of_memory(v, e);

	if (oom) {
		say(v->file, "ended=oom %s\n", oom);
		say(2, "husk: %s: killed: out of memory (%s)\n", v->name, oom);
		return;
	}
	say(v->file, "ended=%s %d%s\n", e->code == CLD_EXITED ? "exit" : "signal", e->status,
		v->state == KILLED && !v->paused ? " stop.timeout" : "");
	if (e->code != CLD_EXITED && e->status == SIGSYS)
		say(2, "husk: %s: SIGSYS: the filter ended it: a call with KILL, or programs of another ABI: abi=\n", v->name);
}

/* PID 1 of the box is dead and reaped. Its record tells how the program ended;
 * without one it was PID 1 that was killed, and the box with it. */
static void box_ended(struct live *v, int code, int status)
{
	struct ended e = { 0 };

	if (read(v->fd, &e, sizeof e) != sizeof e || e.magic != ENDED_MAGIC) {
		e.code = code;
		e.status = status;
	}
	if (v->left)
		v->left->ended = true;
	v->result = e.code == CLD_EXITED ? e.status : 128 + e.status;
	note_end(v, &e);
	gone(v);
}

/* The next that has ended. While a starter is at work nobody is asked for but the
 * PID 1 of boxes that are up: the one that it makes is our child as well, and its
 * number must be nobody else's before its maps and limits are written. */
static bool dead(siginfo_t *si)
{
	struct live *v = NULL;

	memset(si, 0, sizeof *si);
	while ((v = another(v)) && v->state != STARTING)
		;
	if (!v)
		while (waitid(P_ALL, 0, si, WEXITED | WNOHANG) < 0 && errno == EINTR)
			;
	else
		for (v = another(NULL); v && !si->si_pid; v = another(v))
			if (v->state != STARTING)
				(void)waitid(P_PID, (id_t)v->init, si, WEXITED | WNOHANG);
	return si->si_pid;
}

static void reap(void)
{
	static siginfo_t si STAYS;
	struct live *v;

	while (dead(&si))
		for (v = another(NULL); v; v = another(v))
			if (v->init == si.si_pid) {
				box_ended(v, si.si_code, si.si_status);
				if (v->left)
					return;
			}
}

/* Its time to stop is over. KILL of PID 1 takes the namespace with it; the
 * cgroup has those too that share the host's. */
static void overdue(struct live *v)
{
	struct left *l;

	if (v->state == STOPPING) {
		l = left_of(v);
		if (v->paused && l && !cg_paused(l)) {
			done_with(v, l);
			v->paused = false;		/* it was an update, for a moment */
			v->deadline = now_ms() + v->stop_ms;
			return;
		}
		if (l)
			cg_kill(l);
		(void)kill(v->init, SIGKILL);	/* and with it all of its namespace, wherever they have hidden */
		done_with(v, l);
		if (v->paused)
			say(2, "husk: %s: is paused, and hears no signal: killed\n", v->name);
		else
			say(2, "husk: %s: did not stop in %u ms: killed\n", v->name, v->stop_ms);
		v->state = KILLED;
		v->deadline = now_ms() + KILL_MS;
		return;
	}
	say(2, "husk: %s: unkillable: process %d is still there\n", v->name, v->init);
	say(v->file, "ended=unkillable\n");
	v->state = GONE;
	v->result = 1;
}

static bool stopping(const struct live *v)
{
	return v->state == STOPPING || v->state == KILLED;
}

/* When something is to be done, or 0 */
static uint64_t due(const struct live *v)
{
	uint64_t end = stopping(v) ? v->deadline : 0, word = v->listener >= 0 ? filter_due(slot(v)) : 0;

	return !end || (word && word < end) ? word : end;
}

static int time_left(int most)
{
	struct live *v = NULL;
	uint64_t now, next;

	while ((v = another(v)))
		if ((next = due(v)) && (now = now_ms(), most < 0 || next < now + (uint64_t)most))
			most = next > now ? (int)(next - now) : 0;
	return most;
}

static void expire(void)
{
	struct live *v = NULL;
	uint64_t next;

	while ((v = another(v)))
		if ((next = due(v)) && next <= now_ms()) {
			if (stopping(v) && next == v->deadline)
				overdue(v);
			else
				filter_more(slot(v), v->name, false);
		}
}

/* A short program may be over, and its PID 1 reaped as a stranger, before the
 * handover: then the pipe has its record, or its end. */
static void fetch(struct live *v)
{
	struct pollfd p = { v->fd, POLLIN, 0 };

	if (poll(&p, 1, 0) > 0)
		box_ended(v, CLD_KILLED, SIGKILL);
}

static void refresh(const struct live *v)
{
	if (v->etc)
		watch = etc_refresh(watch, v->lock, v->name);
}

/* One read for a turn: who makes news faster than that keeps nobody from work. */
static void news(void)
{
	static char what[2048];
	struct live *v = NULL;

	(void)!read(watch, what, sizeof what);
	while ((v = another(v)))
		refresh(v);
}

/* The starter's last word: numbers, and with them the status pipe, the lock, the
 * state file, and what the calls of the box are answered by. */
enum { HANDED = 5, ALWAYS = 3 };

static void handed_over(struct live *v)
{
	union { struct cmsghdr h; uint8_t room[CMSG_SPACE(HANDED * sizeof(int))]; } c;
	struct handover h;
	struct iovec iov = { &h, sizeof h };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c };
	int fds[HANDED] = { -1, -1, -1, -1, -1 };

	if (recvmsg(v->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != sizeof h ||
	    mh.msg_flags & MSG_CTRUNC || mh.msg_controllen < CMSG_LEN(ALWAYS * sizeof(int))) {
		v->result = 125;
		gone(v);
		return;
	}
	memcpy(fds, CMSG_DATA(&c.h), c.h.cmsg_len - CMSG_LEN(0));
	close(v->fd);
	v->fd = fds[0];
	v->lock = fds[1];
	v->file = fds[2];
	v->listener = fds[3];
	v->policy = fds[4];
	v->init = h.init;
	v->stop_signal = h.stop_signal;
	v->stop_ms = h.stop_ms;
	v->etc = h.etc;
	v->state = RUNNING;
	refresh(v);
	if (v->stop_asked)
		stop(v, 0);
	fetch(v);
}

static void hand_over(int to, const struct run *r)
{
	union { struct cmsghdr h; uint8_t room[CMSG_SPACE(HANDED * sizeof(int))]; } c = {
		.h = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct handover h = { r->init, r->box->stop_ms, r->box->stop_signal, r->etc };
	struct iovec iov = { &h, sizeof h };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c };
	int fds[HANDED] = { r->status, r->statedir, r->state, r->listener, r->policy };

	mh.msg_controllen = c.h.cmsg_len = CMSG_LEN((r->listener < 0 ? ALWAYS : HANDED) * sizeof(int));
	memcpy(CMSG_DATA(&c.h), fds, sizeof fds);
	if (sendmsg(to, &mh, MSG_NOSIGNAL) != sizeof h) {
		(void)kill(r->init, SIGKILL);
		_exit(125);
	}
	(void)state_save(r->statedir);
	_exit(0);
}

/* In the starter: all of it may fail, block or crash, and PID 1 goes on. */
static void starter(const char *file, int to)
{
	static struct box box;
	static struct run r APART;
	static struct left left;

	r.left = &left;
	r.board = true;
	board_console(true);
	if (cfg_load(&box, file, NULL, 0, NULL) || start_what(&box) || start_stdio(true, box.log == LOG_NONE) ||
	    start_box(&r, &box))
		_exit(125);
	hand_over(to, &r);
}

int keeper_start(const char *file, const char *name)
{
	struct live *v = keeper_add(name);
	pid_t pid;
	int s[2];

	if (!v)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0 || (pid = fork()) < 0) {
		say(2, "husk: %s: start: %s\n", name, strerror(errno));
		v->state = FREE;
		return -1;
	}
	if (pid == 0) {
		close(s[0]);
		starter(file, s[1]);
	}
	close(s[1]);
	v->fd = s[0];
	return 0;
}

/* The loop's own: children, the window, Ctrl-Z. The rest is for who called. */
static void heard(const struct signalfd_siginfo *si)
{
	int sig = (int)si->ssi_signo;

	if (sig == SIGCHLD)
		reap();
	else if ((sig != SIGWINCH || !tty_resize()) && (sig != SIGPIPE || si->ssi_code <= 0))
		pending = sig;
}

void keeper_block(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

int keeper_listen(void)
{
	sigset_t all;

	sigfillset(&all);
	watch = -1;
	signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals;
}

void keeper_turn(int timeout_ms)
{
	struct pollfd p[MAXLIVE + 4];
	struct live *at[MAXLIVE + 4] = { 0 }, *v = NULL;
	struct signalfd_siginfo si;
	int n = 2, tty, i, fd;

	p[0] = (struct pollfd){ signals, POLLIN, 0 };
	p[1] = (struct pollfd){ watch, POLLIN, 0 };
	while ((v = another(v)))
		if ((fd = v->state == STARTING ? v->fd : filter_rests(slot(v)) ? -1 : v->listener) >= 0) {
			at[n] = v;
			p[n++] = (struct pollfd){ fd, POLLIN, 0 };
		}
	tty = n;
	n += tty_poll(p, n);
	if (poll(p, (nfds_t)n, time_left(timeout_ms)) > 0) {
		if (p[1].revents)
			news();
		for (i = 2; i < tty; i++)
			if (p[i].revents && at[i]->state == STARTING)
				handed_over(at[i]);
			else if (p[i].revents)
				listen_to(at[i], p[i].revents);
		tty_relay(p, tty);
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
	sigset_t none, all;

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
		stop(v, 0);
	else if (sig == SIGINT)
		stop(v, SIGINT);
	else
		(void)kill(v->init, sig);
}

__attribute__((noinline)) int keeper_loop(bool learn)
{
	struct live *v = table;
	int sig;

	if (v->pty >= 0)
		tty_open(v->pty);
	refresh(v);
	keeper_turn(BRIEF_MS);
	settled = true;
	if (v->state != GONE) {
		(void)state_save(v->lock);	/* for husk update, which says so where it is not there */
		if (!learn)
			forget();
	}
	while (v->state != GONE) {
		if ((sig = keeper_signal()))
			for_the_box(v, sig);
		keeper_turn(-1);
	}
	tty_drain();
	tty_close();
	return v->result;
}
