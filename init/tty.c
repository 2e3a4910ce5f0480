/* tty.c - the caller's terminal and the pty of the box: bytes both ways, the
 * window's size, and the terminal as it was when all is over. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "husk.h"

/* One direction. It reads only when it has written all: a side that does not
 * take holds up its own direction and nothing else. */
enum { CTRL_P = 16, CTRL_Q = 17, STUCK_MS = 1000 };

struct pipe {
	int from, to;
	size_t at, n;
	bool ended;
	uint64_t moved;			/* now_ms() of the last byte */
	char buf[4096];
};

static struct pipe in APART, out APART;		/* terminal to pty, pty to terminal */
static struct termios saved STAYS;
static bool raw STAYS, shared STAYS, held STAYS, left STAYS;	/* held: a Ctrl-P, until it is known what follows */
static int master STAYS;			/* the pty's; 0: none */

void tty_size(int pty)
{
	struct winsize w;

	if (ioctl(0, TIOCGWINSZ, &w) == 0)
		(void)ioctl(pty, TIOCSWINSZ, &w);
}

bool tty_resize(void)
{
	if (!HAS(tty))
		return false;
	if (master > 0)
		tty_size(master);
	return master > 0;
}

/* A description of our own of the terminal, that does not block: a program that
 * prints to a halted terminal must not halt its keeper. A pipe tells how much
 * it takes, and a file takes all. */
static int own_terminal(void)
{
	int fd = isatty(1) ? open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;

	return fd < 0 ? 1 : fd;
}

void tty_open(int pty)
{
	struct termios t;

	if (!HAS(tty))
		return;
	if (pty >= 0) {
		master = pty;
		in = (struct pipe){ .from = 0, .to = pty };
		out = (struct pipe){ .from = pty, .to = own_terminal() };
	}
	if (master <= 0)
		return;
	tty_resize();
	if (tcgetattr(0, &saved) < 0)
		return;
	t = saved;
	cfmakeraw(&t);
	raw = tcsetattr(0, TCSADRAIN, &t) == 0;
}

/* What a terminal answers to what a box has asked it is not for the shell behind it. */
void tty_close(void)
{
	if (HAS(tty) && raw)
		(void)tcsetattr(0, shared ? TCSAFLUSH : TCSADRAIN, &saved);
	raw = false;
}

void tty_share(int pty)
{
	tty_close();
	if (master > 0)
		close(master);
	if (out.to > 2)
		close(out.to);
	tty_open(pty);
	out.from = -1;
	out.ended = shared = true;
}

bool tty_busy(void)
{
	return out.at < out.n;
}

bool tty_left(void)
{
	return left;
}

void tty_put(const char *s, size_t n)
{
	if (!tty_busy())
		out.at = out.n = 0;
	n = n < sizeof out.buf - out.n ? n : sizeof out.buf - out.n;
	memcpy(out.buf + out.n, s, n);
	out.n += n;
}

static void want(struct pollfd *p, const struct pipe *d)
{
	bool writing = d->at < d->n;

	p->fd = d->ended && !writing ? -1 : writing ? d->to : d->from;
	p->events = writing ? POLLOUT : POLLIN;
}

int tty_poll(void *fds, int n)
{
	struct pollfd *p = (struct pollfd *)fds + n;

	if (!HAS(tty) || master <= 0)
		return 0;
	want(p, &in);
	if (tty_stuck() == 0)
		p[0] = (struct pollfd){ 0, POLLIN, 0 };
	want(p + 1, &out);
	return 2;
}

/* The end of standard input is an end of file for the program too: what the
 * terminal's own driver makes of ^D. Who is only attached leaves. */
static void ended(struct pipe *d)
{
	d->ended = true;
	left |= d == &in;
	if (d == &in && !shared) {
		d->buf[0] = 4;
		d->at = 0;
		d->n = 1;
	}
}

/* How much of what was typed is for the box, when Ctrl-P Ctrl-Q is not */
static size_t keys(char *s, size_t n)
{
	size_t i;

	for (i = 0; i + 1 < n && !left; i++)
		if (s[i] == CTRL_P && s[i + 1] == CTRL_Q) {
			left = true;
			return i;
		}
	held = n && s[n - 1] == CTRL_P;
	return n - held;
}

/* What is typed to a program that takes nothing, and has not for a while, is lost but for
 * Ctrl-P Ctrl-Q: else whoever types much to it could not leave it alone. Of no terminal
 * nothing is lost. */
int tty_stuck(void)
{
	uint64_t now;

	if (!shared || !raw || in.at >= in.n)
		return -1;
	now = now_ms();
	return now - in.moved < STUCK_MS ? (int)(STUCK_MS - (now - in.moved)) : 0;
}

static void listen_for_keys(void)
{
	static char text[sizeof in.buf];
	ssize_t n;

	text[0] = CTRL_P;
	n = read(0, text + held, sizeof text - held);
	if (n > 0)
		(void)keys(text, (size_t)n + held);
	else if (n == 0)
		left = true;
}

static void move(struct pipe *d, short revents)
{
	ssize_t n;
	size_t i;

	if (!revents)
		return;
	if (d->at < d->n) {
		n = write(d->to, d->buf + d->at, d->n - d->at);
		if (n > 0) {
			d->at += (size_t)n;
			d->moved = now_ms();
		} else if (n < 0 && errno != EAGAIN && errno != EINTR)
			d->at = d->n, d->ended = true;
		return;
	}
	d->buf[0] = CTRL_P;
	i = d == &in && held;
	n = read(d->from, d->buf + i, sizeof d->buf - i);
	d->at = 0;
	d->moved = now_ms();
	d->n = n > 0 ? (size_t)n + i : 0;
	if (n > 0 && d == &in && shared)
		d->n = keys(d->buf, d->n);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		ended(d);
}

void tty_relay(const void *fds, int n)
{
	const struct pollfd *p = (const struct pollfd *)fds + n;

	if (!HAS(tty) || master <= 0)
		return;
	if (p[0].fd == 0 && p[0].revents && in.at < in.n)
		listen_for_keys();
	move(&in, tty_stuck() ? p[0].revents : POLLOUT);
	move(&out, p[1].revents);
}

/* What the program wrote last is still in the pty when it has ended. Who else
 * got hold of its other side has as long as that takes, and no longer. */
void tty_drain(void)
{
	uint64_t end = HAS(tty) && master > 0 ? now_ms() + 200 : 0;
	struct pollfd p;

	while (end && !(out.ended && out.at >= out.n) && now_ms() < end) {
		want(&p, &out);
		if (poll(&p, 1, 100) < 1)
			break;
		move(&out, p.revents);
	}
}

void tty_over(void)
{
	tty_drain();
	tty_close();
	if (out.to > 2)
		close(out.to);
	master = 0;
}

void tty_carry(void)
{
	carry(&in, sizeof in, 1);
	carry(&out, sizeof out, 1);
	carry(&saved, sizeof saved, 1);
	carry(&raw, sizeof raw, 1);
	carry(&shared, sizeof shared, 1);
	carry(&master, sizeof master, 1);
}
