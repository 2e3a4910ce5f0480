/* fail.c - errors and log lines: said by whoever knows the noun; who and where
 * are added on the way up. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

#define LINKED	__attribute__((visibility("hidden")))
extern const uint8_t text_pairs[][2] LINKED;	/* arch/as: two letters each, from 127 on to 255, 0 .. 31 */
extern const char code_end[] LINKED;		/* husk.ld */

struct out {
	char *p, *end;
};

/* What arch/as has made of two letters, or of more: no letter, nor tab, newline, carriage
 * return and escape */
static void unpack(struct out *o, uint8_t c)
{
	const uint8_t *two;

	for (; c > 126 || (c < 32 && !(0x08002600u >> c & 1)); c = two[1]) {
		two = text_pairs[(uint8_t)(c - 127)];
		unpack(o, two[0]);
	}
	if (o->p < o->end)
		*o->p++ = (char)c;
}

/* Below code_end are our own texts, and no others. */
static void put(struct out *o, const char *s, size_t n)
{
	size_t room = (size_t)(o->end - o->p);

	if (s >= code_end) {
		n = n < room ? n : room;
		memcpy(o->p, s, n);
		o->p += n;
		return;
	}
	for (; n && o->p < o->end; n--, s++)
		if ((uint8_t)(*s - ' ') < 127 - ' ')
			*o->p++ = *s;
		else
			unpack(o, (uint8_t)*s);
}

static void put_number(struct out *o, unsigned long long v, unsigned base, bool minus)
{
	static char buf[24] OFTEN;
	char *p = buf + sizeof buf;

	do
		*--p = "0123456789abcdef"[v % base];
	while (v /= base);
	if (minus)
		*--p = '-';
	put(o, p, (size_t)(buf + sizeof buf - p));
}

/* One conversion, after its %; returns what follows it. */
static const char *put_one(struct out *o, const char *f, va_list *ap)
{
	int longs = 0, most = -1;
	long long d;
	const char *s;
	char c;

	if (starts(f, ".*")) {
		most = va_arg(*ap, int);
		f += 2;
	}
	for (; *f == 'l' || *f == 'z'; f++)
		longs += *f == 'l' ? 1 : 0;
	switch (*f) {
	case 's':
		s = va_arg(*ap, const char *);
		put(o, s, most < 0 ? strlen(s) : strnlen(s, (size_t)most));
		break;
	case 'c':
		c = (char)va_arg(*ap, int);
		put(o, &c, 1);
		break;
	case 'd':
		d = longs == 2 ? va_arg(*ap, long long) : longs ? va_arg(*ap, long) : va_arg(*ap, int);
		put_number(o, d < 0 ? -(unsigned long long)d : (unsigned long long)d, 10, d < 0);
		break;
	case 'u':
	case 'x':
	case 'o':
		put_number(o, longs == 2 ? va_arg(*ap, unsigned long long) :
			longs || f[-1] == 'z' ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned),
			*f == 'u' ? 10 : *f == 'x' ? 16 : 8, false);
		break;
	default:
		put(o, f, 1);
	}
	return f + 1;
}

size_t vfmt(char *to, size_t max, const char *f, va_list *ap)
{
	static char whole[512];
	struct out o = { to, to + max - 1 }, all;
	const char *start;

	__asm__("" : "+r"(f));		/* packed since the compiler saw it */
	if (f < code_end) {
		all.p = whole;
		all.end = whole + sizeof whole - 1;
		put(&all, f, strlen(f));
		*all.p = '\0';
		f = whole;
	}
	while (*f) {
		for (start = f; *f && *f != '%'; f++)
			;
		put(&o, start, (size_t)(f - start));
		if (*f)
			f = put_one(&o, f + 1, ap);
	}
	*o.p = '\0';
	return (size_t)(o.p - to);
}

size_t fmt(char *to, size_t max, const char *f, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, f);
	n = vfmt(to, max, f, &ap);
	va_end(ap);
	return n;
}

const char *errno_text(void)
{
	return strerror(errno);
}

static void (*too)(const char *, size_t) STAYS;
static int by STAYS;			/* of a board: it does not wait */

void say_by(int fd)
{
	by = fd;
}

void say_also(void (*to)(const char *, size_t))
{
	too = to;
}

/* Opened for each line: what the kernel allows an open one is ten lines in five seconds,
 * and log.rate= has been there before. What lies there may be a fifo, where a box has the board's /dev. */
bool kernel_log(const char *s, size_t n)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, s, n) == (ssize_t)n;

	if (fd >= 0)
		let_go(fd);
	return done;
}

/* One write, so that lines of several processes do not mix. Where standard
 * error is gone there is nobody to tell; but what the console of a board does not take
 * the kernel's log has. */
void (say)(int fd, const char *f, ...)
{
	static char line[1024] OFTEN;
	ssize_t w;
	va_list ap;
	size_t n;

	va_start(ap, f);
	n = vfmt(line, sizeof line, f, &ap);
	va_end(ap);
	do
		w = write(HAS(boards) && fd == 2 && by ? by : fd, line, n);
	while (w < 0 && errno == EINTR);
	if (HAS(boards) && by && w != (ssize_t)n)
		(void)kernel_log(line, n);
	if (fd == 2 && too)
		too(line, n);
}

static void warning(const char *f, va_list *ap, int e)
{
	static char text[1000];

	vfmt(text, sizeof text, f, ap);
	say(2, "husk: %s%s%s\n", text, e ? ": " : "", e ? strerror(e) : "");
}

void (warn)(const char *f, ...)
{
	int e = errno;
	va_list ap;

	va_start(ap, f);
	warning(f, &ap, e);
	va_end(ap);
}

void (warnx)(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	warning(f, &ap, 0);
	va_end(ap);
}

/* Never returns 0: a failure without an errno (end of file, a short read) must
 * not pass for success. */
int (fail)(struct run *r, const char *f, ...)
{
	int e = errno;
	size_t n;
	va_list ap;

	va_start(ap, f);
	n = vfmt(r->why, sizeof r->why, f, &ap);
	va_end(ap);
	if (e)
		fmt(r->why + n, sizeof r->why - n, ": %s", strerror(e));
	r->err = e;
	return e ? -e : -EIO;
}

int (fail_not)(struct run *r, const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	vfmt(r->why, sizeof r->why, f, &ap);
	va_end(ap);
	r->err = 0;
	return -EINVAL;
}

/* Inside the box the line goes to HOST, which knows where it is read. */
void (note)(struct run *r, const char *f, ...)
{
	static struct msg m;
	va_list ap;

	m.kind = MSG_NOTE;
	m.row = r->row;
	va_start(ap, f);
	m.len = (uint16_t)vfmt(m.text, sizeof m.text, f, &ap);
	va_end(ap);
	if (r->side == HOST)
		warnx("%s: %s: %s", r->name, stage_name(r->row), m.text);
	else
		(void)!write(r->sync, &m, sizeof m);
}
