/* out.c - facts of a verb, each with a name: key=value lines for a script, JSON for a
 * program, a table for people; and the table again and again, as long as one looks. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "husk.h"

enum { DEPTH = 8, FIRST = 22, CELL = 14, WIDTH = 80, ROOM = 1024, SECOND = 1000 };

struct output {
	uint8_t	 mode;			/* enum outmode */
	uint8_t	 depth, column;
	bool	 live, raw, failed;
	bool	 begun;			/* there is a record in front */
	bool	 first;			/* nothing in this object yet */
	int	 signals;
	uint64_t next;			/* when, ms */
	size_t	 n;
	struct termios was;
	char	 closing[DEPTH];	/* of the objects that are open */
	char	 path[128];		/* of the value before */
	char	 group[80];
	char	 text[16384];		/* a frame of -w, or what is not yet written */
};

static BASE struct output *at(void)
{
	static struct output output;

	return &output;
}
#define o (*at())

/* As much of a frame as the window shows: a terminal would scroll, or fold. What
 * begins with \33 has no width. */
static void cut(unsigned rows, unsigned columns)
{
	unsigned row = 0, column = 0;
	bool sequence = false;
	size_t i, n = 0;

	for (i = 0; i < o.n && row + 1 < rows; i++) {
		char c = o.text[i];

		sequence |= c == '\33';
		if (c == '\n') {
			row++;
			column = 0;
		} else if (!sequence && ++column > columns)
			continue;
		if (sequence && c >= 'A' && c <= 'Z')
			sequence = false;
		o.text[n++] = c;
	}
	o.n = n;
}

static void flush(void)
{
	struct winsize w = { .ws_row = 0 };
	size_t n = 0;
	ssize_t got;

	if (o.live && ioctl(1, TIOCGWINSZ, &w) == 0 && w.ws_row && w.ws_col)
		cut(w.ws_row, w.ws_col);
	while (n < o.n && !o.failed) {
		got = write(1, o.text + n, o.n - n);
		if (got > 0)
			n += (size_t)got;
		o.failed = got < 0 && errno != EINTR;
	}
	o.n = 0;
}

void (out_put)(const char *f, ...)
{
	va_list ap;
	size_t n;

	if (!o.live && sizeof o.text - o.n < ROOM)
		flush();
	va_start(ap, f);
	n = vfmt(o.text + o.n, sizeof o.text - o.n, f, &ap);
	va_end(ap);
	o.n += n;
	o.column = (uint8_t)(o.column + n);
}

void out_to(unsigned column)
{
	do
		out_put(" ");
	while (o.column < column);
}

/* Where it stands is counted without what has no width. */
void out_loud(bool on)
{
	const char *term = getenv("TERM");
	uint8_t column = o.column;

	if (!term || same(term, "dumb") || getenv("NO_COLOR") || !isatty(1))
		return;
	out_put("%s", on ? "\33[31m" : "\33[m");
	o.column = column;
}

/* Of the window, if it is a large one. */
unsigned out_width(void)
{
	struct winsize w = { .ws_col = 0 };

	return ioctl(1, TIOCGWINSZ, &w) == 0 && w.ws_col > WIDTH ? w.ws_col : WIDTH;
}

void out_line(void)
{
	out_put("%s\n", o.live ? "\33[K" : "");
	o.column = 0;
}

/* One of many side by side, which begin at that column. */
void out_word(unsigned from, const char *text)
{
	if (o.column + 1 + strlen(text) > WIDTH) {
		out_line();
		out_to(from);
	} else if (o.column > from)
		out_put(" ");
	out_put("%s", text);
}

/* No control character, no byte that is no letter of ASCII, and none of those. */
static const char *escaped(const char *s, size_t n, const char *also)
{
	static char text[512];
	size_t to = 0;

	for (; n && to < sizeof text - 7; n--, s++)
		to += *s < ' ' || *s > '~' || strchr(also, *s) ?
			fmt(text + to, 7, o.mode == OUT_JSON ? "\\u00%x%x" : "\\x%x%x", (uint8_t)*s >> 4, *s & 15) :
			fmt(text + to, 7, "%c", *s);
	text[to] = '\0';
	return text;
}

/* Whoever chose a name: no end of a string or of a key. */
const char *out_name(const char *s, size_t n)
{
	return escaped(s, n, " \"\\=");
}

const char *out_said(const char *s)
{
	return escaped(s, strlen(s), o.mode == OUT_JSON ? "\"\\" : "");
}

static void close_to(unsigned depth)
{
	while (o.depth > depth) {
		out_put("%c", o.closing[--o.depth]);
		o.first = false;
	}
}

/* From the object of the last value into that of this one. A part of a path that
 * begins with [ has no name, and stands in an array. */
static void go(const char *to)
{
	size_t i, same_to = 0, n;
	unsigned depth = 0;

	for (i = 0; to[i] && to[i] == o.path[i]; i++)
		if (to[i] == '/') {
			same_to = i + 1;
			depth++;
		}
	close_to(depth);
	copy(o.path, sizeof o.path, to);
	for (to += same_to; ; to += n + 1) {
		n = strcspn(to, "/");
		if (!o.first)
			out_put(",");
		if (*to != '[')
			out_put("\"%.*s\":", (int)n, to);
		o.first = !!to[n];
		if (!to[n] || o.depth == DEPTH)
			break;
		out_put("%c", to[n + 1] == '[' ? '[' : '{');
		o.closing[o.depth++] = to[n + 1] == '[' ? ']' : '}';
	}
}

/* What is in front of the last dot stands once, on the left. */
static void cell(const char *key, const char *text)
{
	const char *dot = strrchr(key, '.'), *label = dot ? dot + 1 : key;
	size_t n = (size_t)(label - key), len = strlen(label) + strlen(text) + 1;
	unsigned stop = FIRST;

	if (!o.column || strncmp(o.group, key, n) != 0 || o.group[n]) {
		if (o.column)
			out_line();
		fmt(o.group, sizeof o.group, "%.*s", (int)n, key);
		out_put("%.*s", n ? (int)n - 1 : 0, key);
	} else
		stop = FIRST + (o.column + CELL - FIRST) / CELL * CELL;
	if (stop + len > WIDTH) {
		out_line();
		stop = FIRST;
	}
	out_to(stop);
	out_put("%s %s", label, text);
}

void out_fact(const char *key, const char *path, const char *text)
{
	if (o.mode == OUT_KEYS && *key)
		out_put("%s=%s\n", key, text);
	else if (o.mode == OUT_TABLE && *key)
		cell(key, text);
	else if (o.mode == OUT_JSON && *path) {
		go(path);
		out_put("%s", text);
	}
}

void out_text(const char *key, const char *path, const char *text)
{
	static char quoted[512];

	if (o.mode == OUT_JSON)
		fmt(quoted, sizeof quoted, "\"%s\"", text);
	out_fact(key, path, o.mode == OUT_JSON ? quoted : text);
}

enum outmode out_mode(void)
{
	return o.mode;
}

void out_as(enum outmode mode)
{
	o.mode = (uint8_t)mode;
}

void out_begin(void)
{
	if (o.mode == OUT_JSON)
		out_put("{");
	else if (o.begun && o.mode == OUT_KEYS)
		out_line();
	o.first = o.begun = true;
	*o.path = '\0';
}

void out_end(void)
{
	close_to(0);
	if (o.mode == OUT_JSON)
		out_put("}");
	if (o.mode == OUT_JSON || (o.mode == OUT_TABLE && o.column))
		out_line();
}

/* All of it has been said. */
int out_done(void)
{
	flush();
	if (!o.failed)
		return 0;
	warn("standard output");
	return 1;
}

/* ---------------------------------------------------------------- as top does */

/* Keys are read one by one and not shown; Ctrl-C is one of them. Signals are read,
 * too: whatever ends this, the terminal is as it was. */
void out_live(void)
{
	struct termios t;
	FILLED sigset_t all;

	o.next = now_ms();
	o.live = o.mode == OUT_TABLE;
	if (!o.live)
		return;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	o.signals = signalfd(-1, &all, SFD_CLOEXEC);
	o.raw = tcgetattr(0, &o.was) == 0;
	t = o.was;
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (o.raw)
		(void)tcsetattr(0, TCSANOW, &t);
	out_put("\33[2J\33[H");
	o.column = 0;
}

/* What a key or a signal asks for: a status to end with, -1: nothing, -2: to draw. */
static int heard(const struct pollfd p[2])
{
	struct signalfd_siginfo si;
	char c = 3;

	if (p[1].revents) {
		(void)!read(0, &c, 1);
		return c == 'q' || c == 'Q' || c == 3 || c == 4 ? 0 : -1;
	}
	if (!p[0].revents || read(o.signals, &si, sizeof si) != sizeof si)
		return -1;
	switch (si.ssi_signo) {
	case SIGWINCH: case SIGCONT:
		return -2;
	case SIGHUP: case SIGQUIT: case SIGTERM:
		return 128 + (int)si.ssi_signo;
	case SIGINT:
		return 0;
	}
	return -1;
}

void out_over(void)
{
	if (o.raw)
		(void)tcsetattr(0, TCSANOW, &o.was);
	o.raw = false;
}

/* The frame is drawn, and stands for a second. The status to end with; or -1. */
int out_wait(void)
{
	struct pollfd p[2] = { { o.signals, POLLIN, 0 }, { o.raw ? 0 : -1, POLLIN, 0 } };
	uint64_t now = now_ms();
	int e = -1;

	out_put("%s", o.live ? "\33[J" : "");
	flush();
	o.next = o.next + SECOND > now ? o.next + SECOND : now + SECOND;
	while (e == -1 && !o.failed && (now = now_ms()) < o.next) {
		p[0].revents = p[1].revents = 0;
		(void)poll(p, o.live ? 2 : 0, (int)(o.next - now));
		e = heard(p);
	}
	if (e < 0 && !o.failed) {
		out_put("%s", o.live ? "\33[H" : "");
		o.column = 0;
		return -1;
	}
	out_over();
	return e > 0 ? e : 0;
}
