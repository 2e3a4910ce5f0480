/*
 * logs.c - husk logs: what boxes have said, from their files alone. A keeper is asked
 * nothing, and may be dead: log.c says what stands in a file. Those of a box are read
 * from the oldest on; which comes next is found by where the last one has moved to.
 * Of several boxes the line with the earliest time comes first.
 *
 * -f waits for news of the directories: no polling. A box that goes and comes again,
 * and one that was not there, are followed as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

enum { MAXSOURCES = 256, KEPT = 9, STAMP = 24,
       NEWS = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR };

/* The log of a box */
struct from {
	int	 dir;			/* of its files */
	int	 fd;			/* the one that is read, or -1: none was there yet */
	off_t	 at;
	size_t	 len;			/* of the line that comes next; 0: there is none */
	char	 name[MAXNAME + 1], base[MAXNAME];
	char	 time[STAMP + 1];	/* of that line, or of the last one that has one */
	char	 line[LOGLINE + 64];
};

static struct {
	const char *only;		/* NULL: all boxes */
	const char *why;		/* that box has a log, and not here */
	int	 top, news;		/* RUNDIR, inotify */
	unsigned n;
	size_t	 used;			/* of out */
	struct from from[MAXSOURCES];
	char	 out[4096];
} g;

static void flush(void)
{
	size_t at = 0;
	ssize_t n;

	while (at < g.used && (n = write(1, g.out + at, g.used - at)) > 0)
		at += (size_t)n;
	if (at < g.used)
		_exit(0);		/* nobody reads any more */
	g.used = 0;
}

/* ------------------------------------------------------------------- the files */

static const char *file(const struct from *f, int i)
{
	return i ? fmts(TEXT "%s.%d", f->base, i) : f->base;
}

static int number_of(const struct from *f, const struct stat *is)
{
	FILLED struct stat st;
	int i;

	for (i = 0; i <= KEPT; i++)
		if (fstatat(f->dir, file(f, i), &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == is->st_ino && st.st_dev == is->st_dev)
			return i;
	return KEPT + 1;
}

static bool open_one(struct from *f, int i)
{
	int fd = openat(f->dir, file(f, i), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	FILLED struct stat st;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return false;
	}
	if (f->fd >= 0)
		close(f->fd);
	f->fd = fd;
	f->at = 0;
	return true;
}

/* The one behind that which is open: false where that is the newest. One that has been
 * removed meanwhile was older than all. */
static bool open_next(struct from *f)
{
	FILLED struct stat st;
	int i = KEPT + 1;

	if (f->fd >= 0 && (fstat(f->fd, &st) < 0 || !(i = number_of(f, &st))))
		return false;
	while (--i >= 0)
		if (open_one(f, i))
			return true;
	return false;
}

/* What does not end is not there yet: or never, if another file has come behind it. */
static bool read_line(struct from *f)
{
	ssize_t n = f->fd < 0 ? 0 : pread(f->fd, f->line, sizeof f->line, f->at);
	const char *end = n > 0 ? memchr(f->line, '\n', (size_t)n) : NULL;

	if (!end && n < (ssize_t)sizeof f->line)
		return false;
	f->len = end ? (size_t)(end + 1 - f->line) : (size_t)n;
	f->at += (off_t)f->len;
	return true;
}

static bool stamped(const struct from *f)
{
	return f->len > STAMP && f->line[STAMP - 1] == 'Z' && f->line[10] == 'T' && f->line[4] == '-';
}

static bool step(struct from *f)
{
	f->len = 0;
	while (!read_line(f))
		if (!open_next(f))
			return false;
	if (stamped(f))
		memcpy(f->time, f->line, STAMP);
	return true;
}

/* ------------------------------------------------------------------- the boxes */

static int watch(int dir)
{
	return g.news < 0 ? -1 : inotify_add_watch(g.news, rootfs_at(dir, ""), NEWS);
}

/* Where the files of a box are: beside its state file, or where that says. -1: nowhere */
static int place(const struct left *l, const char *name, char base[MAXNAME])
{
	static char path[LOGPATH];
	const char *p;

	copy(base, MAXNAME, "log");
	if (!left_last(l, "log", path, sizeof path) || !*path)
		return openat(l->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (starts(path, "/dev/") || !(p = strrchr(path, '/'))) {
		g.why = starts(path + 5, "log") ? "it goes to syslog" : "it goes to the kernel's log: dmesg";
		return -1;
	}
	return copy(base, MAXNAME, p + 1) >= MAXNAME ? -1 : log_directory(path, &p, false);
}

/* One box more, if it is none that we have */
static void add(const char *name)
{
	static struct left l;
	struct from *f;
	unsigned i;

	for (i = 0; i < g.n; i++)
		if (same(g.from[i].name, name))
			return;
	if (g.n == MAXSOURCES || !cfg_name(name) || state_read(&l, name) < 0)
		return;
	f = g.from + g.n;
	f->dir = place(&l, name, f->base);
	close(l.dir);
	if (f->dir < 0)
		return;
	copy(f->name, sizeof f->name, name);
	f->fd = -1;
	(void)watch(f->dir);
	*f->time = '\0';
	g.n++;
	(void)step(f);
}

/* A directory that has no state file yet tells when it has one. */
static void look(const char *name)
{
	unsigned had = g.n;
	int dir;

	add(name);
	if (g.n > had || g.news < 0 || *name == '.')
		return;
	dir = openat(g.top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0) {
		(void)watch(dir);
		close(dir);
	}
}

static void look_at_all(void)
{
	const char *name;
	int dir;

	if (g.only) {
		look(g.only);
		return;
	}
	dir = openat(g.top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (dir >= 0 && rootfs_list(dir) > 0)
		while ((name = rootfs_name()))
			look(name);
	if (dir >= 0)
		close(dir);
}

/* Whose directory is gone has said all. */
static void forget_gone(void)
{
	struct from *f;
	FILLED struct stat st;

	for (f = g.from; f < g.from + g.n; f++)
		if (!f->len && (fstat(f->dir, &st) < 0 || !st.st_nlink)) {
			close(f->dir);
			if (f->fd >= 0)
				close(f->fd);
			*f = g.from[--g.n];
			f--;
		}
}

/* ------------------------------------------------------------------- the lines */

/* The earliest, or NULL */
static struct from *next(void)
{
	struct from *f, *first = NULL;

	for (f = g.from; f < g.from + g.n; f++)
		if (f->len && (!first || strcmp(f->time, first->time) < 0))
			first = f;
	return first;
}

/* TIME NAME: what it said; what husk said of it has its mark behind the time. */
static void print(const struct from *f)
{
	size_t skip = !stamped(f) ? 0 : f->line[STAMP] == '!' ? STAMP + 1 : STAMP;

	if (sizeof g.out - g.used < sizeof f->line + sizeof f->name + 4)
		flush();
	memcpy(g.out + g.used, f->line, skip);
	g.used += skip;
	if (!g.only)
		g.used += fmt(g.out + g.used, sizeof g.out - g.used, skip ? " %s:" : "%s: ", f->name);
	g.used += log_clean(g.out + g.used, f->line + skip, f->len - skip - (f->line[f->len - 1] == '\n'));
	g.out[g.used++] = '\n';
}

/* All that there is; the first so many are only counted. How many there were */
static int drain(int skip)
{
	struct from *f;
	int n;

	for (n = 0; (f = next()); n++) {
		if (n >= skip)
			print(f);
		(void)step(f);
	}
	flush();
	return n;
}

static void again(void)
{
	struct from *f;

	for (f = g.from; f < g.from + g.n; f++) {
		if (f->fd >= 0)
			close(f->fd);
		f->fd = -1;
		(void)step(f);
	}
}

static void follow(void)
{
	static char what[4096];
	struct pollfd p[2] = { { g.news, POLLIN, 0 }, { 1, 0, 0 } };
	struct from *f;

	while (poll(p, 2, -1) >= 0 || errno == EINTR) {
		if (p[1].revents)
			return;
		(void)!read(g.news, what, sizeof what);
		for (f = g.from; f < g.from + g.n; f++)
			if (!f->len)
				(void)step(f);
		drain(0);
		forget_gone();
		look_at_all();
		drain(0);
	}
}

int logs(const char *name, int last, bool on)
{
	struct sigaction quiet = { .sa_handler = SIG_IGN };
	static struct left l;
	int n;

	if (name && (n = up_name(name)) != 0)
		return n;
	g.only = name;
	(void)sigaction(SIGPIPE, &quiet, NULL);
	g.news = on ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1;
	if (state_open(&l, on) < 0 || (on && (g.news < 0 || watch(l.dir) < 0))) {
		if (!name && errno == ENOENT)
			return 0;
		warn("logs: %s", state_where());
		return 1;
	}
	g.top = l.dir;
	look_at_all();
	if (name && !g.n && (g.why || !on))
		return g.why ? (warnx("%s: no log here: %s", name, g.why), 1) : up_lacks(name, TEXT "no log here");
	if (last >= 0) {
		n = drain(INT32_MAX);
		again();
	}
	drain(last >= 0 && n > last ? n - last : 0);
	if (on)
		follow();
	return 0;
}
