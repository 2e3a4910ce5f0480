/*
 * attach.c - husk exec and husk attach, where they were typed: ask the keeper, and stay
 * between the terminal and the program. What is done to the program is done by the keeper,
 * with whom this process may be stopped or killed at any time.
 *
 * The terminal of who is attached writes to that of the box itself, which comes along with
 * the keeper's answer, and anew when the box is started again. What it shows is read by the
 * keeper alone, for the log as well: he sends it on, and what is not taken is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "husk.h"

enum { GOING_ON = -1, PATIENCE_MS = 40000, AGAIN_MS = 200 };

struct one {
	const char *name, *pidfile;
	bool	 background, attached, up, over;
	int	 door, signals;
	size_t	 used;			/* of wish.text */
	struct msg m;
	struct wish wish;
};

static BASE struct one *at(void)
{
	static struct one one;

	return &one;
}
#define one (*at())

static int bad(const char *what)
{
	warn("%s: %s", one.name, what);
	return 125;
}

/* A text of the wish, in two parts. */
static bool add(const char *s, const char *more)
{
	size_t room = sizeof one.wish.text - one.used, n = fmt(one.wish.text + one.used, room, TEXT "%s%s", s, more);

	one.used += n + 1;
	return n < room - 1;
}

/* A NAME of env= alone is what it is here, not where the keeper is. */
static bool add_word(const char *w)
{
	const char *val = starts(w, "env=") && !strchr(w + 4, '=') ? getenv(w + 4) : NULL;

	one.wish.nwords++;
	return val ? add(fmts(TEXT "%s=", w), val) : add(w, "");
}

static int fill(char *words[], int n, char *const argv[], bool tty)
{
	bool fits = !tty || add_word(getenv("TERM") ? "env=TERM" : "env=TERM=linux");

	for (; n > 0 && fits; n--)
		fits = add_word(*words++);
	for (; argv && *argv && fits; argv++, one.wish.nargs++)
		fits = add(*argv, "");
	if (!one.wish.nargs) {
		fits = fits && add("/bin/sh", "");
		one.wish.nargs = 1;
	}
	one.wish.tty = tty;
	if (tty)
		(void)ioctl(0, TIOCGWINSZ, one.wish.window);
	if (!fits)
		warnx("%s: its words are longer than %d bytes", one.name, MAXWISH);
	return fits ? 0 : 2;
}

static int ask(void)
{
	union { struct cmsghdr h; uint8_t room[CMSG_SPACE(3 * sizeof(int))]; } c = {
		.h = { .cmsg_len = CMSG_LEN(3 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	int fd[3] = { 0, 1, 2 };
	struct iovec v = { .iov_len = offsetof(struct wish, text) + one.used };
	struct msghdr mh = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c };

	v.iov_base = &one.wish;		/* a constant with an address would be a table with a pointer */
	memcpy(CMSG_DATA(&c.h), fd, sizeof fd);
	if (send(one.door, (uint8_t[]){ ASK_EXEC }, 1, MSG_NOSIGNAL) != 1 || (sendmsg(one.door, &mh, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET))
		return bad(TEXT "ask its keeper");
	return 0;			/* who refuses does not read */
}

static int write_pid(int pid)
{
	int fd = one.pidfile ? open(one.pidfile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0644) : -1;

	if (one.pidfile && fd < 0)
		return bad(one.pidfile);
	if (fd >= 0)
		say(fd, "%d\n", pid);
	return 0;
}

/* What a process of the box has said, or its image, is no text for a terminal. */
static void print(struct msg *m)
{
	bool row = m->row < stage_count();
	const char *h = row && m->kind == MSG_ERROR ? stage_hint(m->row, m->err) : NULL;
	size_t n = m->len < sizeof m->text ? m->len : sizeof m->text - 1;

	m->text[log_clean(m->text, m->text, n)] = '\0';
	warnx("%s: %s%s%s%s%s", one.name, row ? stage_name(m->row) : "", row ? ": " : "", m->text, h ? " - " : "", h ? h : "");
}

/* It runs. Who does not wait for it says so, and is not missed. */
static int up(int pid)
{
	int e = write_pid(pid);

	one.up = true;
	if (!e && !one.background)
		return GOING_ON;
	if (!e)
		(void)send(one.door, "", 1, MSG_NOSIGNAL);
	return e;
}

/* The keeper's next word: the status to end with, or GOING_ON */
static int hear(void)
{
	union { struct cmsghdr h; uint8_t room[CMSG_SPACE(sizeof(int))]; } c;
	struct iovec v = { .iov_len = sizeof one.m };
	struct msghdr mh = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t n;
	int pty;

	v.iov_base = &one.m;
	n = recvmsg(one.door, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET))
		return GOING_ON;	/* ECONNRESET once: something of ours was not read */
	if (n != sizeof one.m) {
		warnx("%s: %s", one.name, n > 0 ? TEXT "too many ask its keeper, or that is another husk" : "the box has ended");
		return n > 0 ? 125 : 128 + SIGKILL;
	}
	switch (one.m.kind) {
	case MSG_PTY:
		if (mh.msg_controllen < CMSG_LEN(sizeof pty) || c.h.cmsg_type != SCM_RIGHTS)
			break;
		memcpy(&pty, CMSG_DATA(&c.h), sizeof pty);
		tty_open(pty);
		break;
	case MSG_UP:
		return up(one.m.err);
	case MSG_EXIT:
		return one.m.err & 255;
	case MSG_ERROR: case MSG_NOTE:
		print(&one.m);
	}
	return GOING_ON;
}

/* For the program; of who is attached its own terminal has sent them. */
static void pass_on(uint8_t sig)
{
	if (!one.attached)
		(void)send(one.door, &sig, 1, MSG_NOSIGNAL);
}

/* Ctrl-Z: first the program, then this process; the shell has its terminal in between. */
static void suspend(uint8_t sig)
{
	pass_on(sig);
	tty_close();
	(void)kill(getpid(), SIGSTOP);
	tty_open(-1);
	pass_on(SIGCONT);
}

/* Who is attached is ended by a signal, and nobody else. */
static int heard(const struct signalfd_siginfo *si)
{
	uint8_t sig = (uint8_t)si->ssi_signo;

	if (sig == SIGWINCH && tty_resize())
		return GOING_ON;
	if (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
		suspend(sig);
	else if (sig != SIGCHLD && sig != SIGCONT && sig != SIGWINCH && (sig != SIGPIPE || si->ssi_code <= 0)) {
		pass_on(sig);
		return one.attached ? 128 + sig : GOING_ON;
	}
	return GOING_ON;
}

static void show(const char *s)
{
	tty_put(s, strlen(s));
}

static int over(int status)
{
	static const char why[] = TEXT "too many ask its keeper\0its keeper is another husk, and does not know this verb\0it is not up\0"
		"it has no terminal, tty=yes gives it one - husk logs -f shows what it says\0its terminal is where it was started\0";

	if (status < ANSWER_BUSY)
		return status;
	warnx("%s: %s", one.name, nth(why, status - ANSWER_BUSY));
	return 125;
}

/* A terminal; what it shows; or the last word. */
static int look(void)
{
	static struct { struct answer a; char text[2040]; } got;
	union { struct cmsghdr h; uint8_t room[CMSG_SPACE(sizeof(int))]; } c;
	struct iovec v = { .iov_len = sizeof got };
	struct msghdr mh = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t n;
	int pty;

	v.iov_base = &got;
	n = recvmsg(one.door, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return GOING_ON;
	one.over = n < (ssize_t)sizeof got.a || (n == sizeof got.a && got.a.ms < 0);
	if (one.over)
		return n < (ssize_t)sizeof got.a ? 128 + SIGKILL : over(got.a.status);	/* with his keeper */
	if (mh.msg_controllen >= CMSG_LEN(sizeof pty) && c.h.cmsg_type == SCM_RIGHTS) {
		memcpy(&pty, CMSG_DATA(&c.h), sizeof pty);
		tty_share(pty);
		if (one.up)
			show(fmts(TEXT "husk: %s: it has been started again\r\n", one.name));
		one.up = true;
	} else {
		if (got.a.status)
			show(fmts(TEXT "\r\nhusk: %s: %d bytes are missing here\r\n", one.name, got.a.status));
		tty_put(got.text, (size_t)n - sizeof got.a);
	}
	return GOING_ON;
}

static int stay(void)
{
	struct signalfd_siginfo si;
	struct pollfd p[4] = { { one.door, POLLIN, 0 }, { one.signals, POLLIN, 0 } };
	int status = GOING_ON, n, stuck;

	while (status == GOING_ON) {
		p[0].fd = one.attached && tty_busy() ? -1 : one.door;
		stuck = tty_stuck();
		n = poll(p, 2 + (nfds_t)tty_poll(p, 2), !one.up ? PATIENCE_MS : stuck ? stuck : AGAIN_MS);
		if (n == 0 && !one.up)
			return ask_no_answer(), 125;
		if (n < 0)
			continue;
		tty_relay(p, 2);
		if (p[1].revents && read(one.signals, &si, sizeof si) == sizeof si)
			status = heard(&si);
		if (one.attached && tty_left())
			status = 0;
		if (p[0].revents && status == GOING_ON)
			status = one.attached ? look() : hear();
	}
	tty_drain();
	tty_close();
	return status;
}

int attach_box(const char *name)
{
	int e;

	one.name = name;
	one.attached = true;
	if ((e = init_stdio()))
		return e;
	if ((one.door = ask_door(name)) < 0)
		return -one.door;
	keeper_block(true);
	if ((one.signals = keeper_listen()) < 0)
		return bad("signalfd");
	if (send(one.door, (uint8_t[]){ ASK_ATTACH }, 1, MSG_NOSIGNAL) != 1)
		return bad(TEXT "ask its keeper");
	e = stay();
	if (one.up)
		say(2, "\nhusk: %s: %s\n", name, one.over ? "the box has ended" : TEXT "left alone");
	return e;
}

int attach_exec(const char *name, char *words[], int n, char *const argv[], int tty, bool background, const char *pidfile)
{
	int e;

	one.background = background;
	one.pidfile = pidfile;
	one.name = name;
	if ((e = init_stdio()))
		return e;
	if ((one.door = ask_door(name)) < 0)
		return -one.door;
	if (tty < 0)
		tty = !background && isatty(0) && isatty(1);
	keeper_block(true);
	if ((one.signals = keeper_listen()) < 0)
		return bad("signalfd");
	if ((e = fill(words, n, argv, tty)) || (e = start_stdio(background, false)) || (e = ask()))
		return e;
	e = stay();
	if (pidfile && !background)
		(void)unlink(pidfile);
	return e;
}
