/* chart.c - what began when, of a boot. PID 1 notes it as it happens, a line each, in
 * .boot of the run directory; husk boot -t shows it, and chart.awk draws it. Seconds of
 * CLOCK_BOOTTIME: 0 is where the kernel began. A box that starts again is not noted
 * again. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "husk.h"

#define FILE	".boot"
enum { MILLION = 1000000, MOST = 8192, NAME = 18, CELL = 10 };

static struct { struct timespec began; int fd; } mark STAYS;

void chart_carry(void)
{
	carry(&mark, sizeof mark, 1);
}

/* With NULL only the time is taken: there is no place to write to yet. It is the first
 * line then. */
void board_mark(const char *name, const char *what)
{
	static struct left l;
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, name ? &t : &mark.began);
	if (!name)
		return;
	if (!mark.fd) {
		(void)state_open(&l, true);
		mark.fd = openat(l.dir, FILE, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_TRUNC, 0600);
		close(l.dir);
		say(mark.fd, "init=%u.%s\n", (unsigned)mark.began.tv_sec, fmts("%u", MILLION + (unsigned)mark.began.tv_nsec / 1000) + 1);
	}
	say(mark.fd, "%s%s=%u.%s\n", name, what, (unsigned)t.tv_sec, fmts("%u", MILLION + (unsigned)t.tv_nsec / 1000) + 1);
}

/* us, as far as 32 bits have them: only differences are of interest. */
static uint32_t us(const char *s)
{
	uint32_t n = 0;

	for (; (*s >= '0' && *s <= '9') || *s == '.'; s++)
		n = *s == '.' ? n : n * 10 + (uint32_t)(*s - '0');
	return n;
}

/* The time of that event of a box, in lines from here on; or NULL */
static const char *of(const char *line, const char *name, size_t n, const char *event)
{
	for (; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (!strncmp(line, name, n) && starts(line + n, event))
			return line + n + strlen(event);
	return NULL;
}

/* A column: the ms since the last one that there was. */
static void column(unsigned *at, const char **last, const char *now)
{
	uint32_t took = now ? us(now) - us(*last) : 0;

	*at += CELL;
	if (!now)
		return;
	out_to(*at);
	out_put("%u.%u", took / 1000, took % 1000 / 100);
	*last = now;
}

static void row(const char *line)
{
	size_t n = strcspn(line, ".=");
	const char *at = strchr(line, '=') + 1, *ready;
	unsigned place = NAME;

	out_put("%.*s", (int)n, line);
	out_to(NAME);
	out_put("%.*s", (int)strcspn(at, ".") + 4, at);
	if (line[n] == '.') {
		column(&place, &at, of(line, line, n, ".go="));
		column(&place, &at, of(line, line, n, ".up="));
		ready = of(line, line, n, ".ready=");
		column(&place, &at, ready);
		column(&place, &at, of(line, line, n, ".ended="));
	}
	out_line();
}

/* -t: a table; -k: the lines */
int board_chart(const char *how)
{
	static char text[MOST];
	static struct left l;
	const char *line;
	int n;

	if (!same(how, "-t") && !same(how, "-k")) {
		warnx("boot: %s: -t or -k - husk help boot", cfg_plain(how) ? how : "?");
		return 2;
	}
	n = state_open(&l, false) < 0 ? -1 : read_at(l.dir, FILE, text, sizeof text);
	if (n < 0) {
		warn("boot: %s: no board was booted here", state_where());
		return 1;
	}
	if (how[1] == 'k')
		return write(1, text, (size_t)n) != n;
	out_put("WHAT              BEGAN s   WAIT ms   UP ms     READY ms  RAN ms");
	out_line();
	for (line = text; strchr(line, '\n'); line = strchr(line, '\n') + 1)
		if (line[strcspn(line, ".=")] == '=' || starts(line + strcspn(line, "."), ".start="))
			row(line);
	return out_done();
}
