/*
 * text.c - all text of one box lies in one buffer: files, presets, words. It
 * is read once, cut in place, and struct box points into it.
 *
 * For a file on the start path there are four system calls: open, fstat, read
 * and close.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "husk.h"

enum { SCRATCH = 4096 };		/* always free for cfg_rest() */

static char buffer[MAXTEXT];

const char *text_full(void)
{
	return cfg_wrong("the text is larger than %u bytes", MAXTEXT - SCRATCH);
}

char *cfg_room(size_t n)
{
	char *p = buffer + cfg.used;

	if (n > sizeof buffer - SCRATCH - cfg.used)
		return NULL;
	cfg.used += n;
	return p;
}

char *cfg_rest(size_t *n)
{
	*n = sizeof buffer - cfg.used;
	return buffer + cfg.used;
}

/* Paths of a file are relative to the file, of the command line to where we
 * are. 0: out of reach. */
static size_t base(char *dir, size_t max)
{
	const char *file = cfg.source[cfg.src].name, *slash = file ? strrchr(file, '/') : NULL;
	size_t n = 0;

	if (!file || *file != '/') {
		if (sys_getcwd(dir, max) < 0 || *dir != '/')
			return 0;
		n = strlen(dir);
	}
	return slash ? n + fmt(dir + n, max - n, "/%.*s", (int)(slash - file), file) : n;
}

const char *cfg_path(char **path)
{
	char *p = *path;
	const char *e;
	size_t n, max;

	if (!starts(p, "/") && !starts(p, "./"))
		return cfg_bad(p, "a path (it begins with / or ./)");
	if ((e = cfg_plain(p)))
		return e;
	if (*p == '.') {
		*path = cfg_rest(&max);
		if (!(n = base(*path, max)))
			return "the working directory is out of reach";
		n += fmt(*path + n, max - n, "%s", p + 1);	/* cut short there is no room */
		if (!cfg_room(n + 1))
			return text_full();
	}
	if (strlen(*path) >= PATH_MAX)
		return "the path is too long";
	cfg_clean(*path);
	return NULL;
}

/* -------------------------------------------------------------------- files */

/* Who may write the file decides what root does. */
static const char *trusted(int fd, const struct stat *st)
{
	struct statfs fs;
	const char *what = NULL;

	if (st->st_uid && st->st_uid != getauxval(AT_EUID))
		what = cfg_wrong("owned by user %u, neither root nor the caller", st->st_uid);
	else if (st->st_mode & (S_IWGRP | S_IWOTH))
		what = cfg_wrong("others than its owner may write it: chmod go-w");
	if (!what || fstatfs(fd, &fs) < 0 || !(fs.f_flags & ST_RDONLY))
		return what;
	cfg.warning = true;
	return what;
}

static const char *slurp(int fd, struct source *s)
{
	struct stat st;
	const char *e;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	if ((e = trusted(fd, &st)) && !cfg.warning)
		return e;
	if (cfg.warning)
		cfg_complain(s->name, 0, NULL, e);
	s->text = buffer + cfg.used;
	do
		n = read(fd, s->text, sizeof buffer - SCRATCH - cfg.used);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return strerror(errno);
	s->len = (size_t)n;
	return cfg_room(s->len + 1) ? NULL : text_full();
}

unsigned text_line(const char *from, const char *at)
{
	unsigned n = 1;

	for (; (from = memchr(from, '\n', (size_t)(at - from))); from++)
		n++;
	return n;
}

/* Bytes that no line can hold: said once, and the file is not read on. */
static bool clean(const struct source *s)
{
	const char *p = memchr(s->text, '\0', s->len), *cr = s->text, *end = s->text + s->len;

	if (p) {
		cfg_complain(s->name, text_line(s->text, p), NULL, "a NUL byte: this is not a text");
		return false;
	}
	for (; (cr = memchr(cr, '\r', (size_t)(end - cr))); cr++)
		if (cr + 1 == end || cr[1] == '\n') {
			cfg_complain(s->name, text_line(s->text, cr), NULL, "lines end with CR LF here; LF alone, please (dos2unix)");
			return false;
		}
	return true;
}

static struct source *source(const char *name, int layer)
{
	struct source *s = &cfg.source[cfg.nsources];

	if (cfg.nsources == MAXSOURCE)
		return NULL;
	*s = (struct source){ .name = name, .layer = (uint8_t)layer, .text = buffer + cfg.used };
	return s;
}

/* true: it was read, or that it was not has been said */
bool text_file(const char *path, int layer)
{
	struct source *s = source(path, layer);
	const char *e;
	int fd;

	if (!s) {
		cfg_here(NULL, cfg_wrong("more than %u files", MAXSOURCE));
		return true;
	}
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return false;
	e = fd < 0 ? strerror(errno) : slurp(fd, s);
	if (fd >= 0)
		close(fd);
	if (e)
		cfg_complain(path, 0, NULL, e);
	else if (clean(s))
		cfg.nsources++;
	return true;
}

bool text_copy(const char *name, int layer, const char *text, size_t len)
{
	struct source *s = source(name, layer);
	char *p = s ? cfg_room(len + 1) : NULL;

	if (!p) {
		cfg_complain(name, 0, NULL, text_full());
		return false;
	}
	memcpy(p, text, len);
	p[len] = '\0';
	s->text = p;
	s->len = len;
	cfg.nsources++;
	return !name || clean(s);
}

/* Each word is a line; a line break would make it two. */
void text_words(char *const words[], int n)
{
	struct source *s = source(NULL, L_WORDS);
	size_t len;
	char *p;
	int i;

	if (!s)
		return;
	cfg.nsources++;
	for (i = 0; i < n; i++) {
		len = strlen(words[i]);
		if (strchr(words[i], '\n')) {
			cfg_complain(NULL, 0, NULL, cfg_wrong("\"%.*s\": a line break in a word", 60, words[i]));
			return;
		}
		if (!(p = cfg_room(len + 1))) {
			cfg_complain(NULL, 0, NULL, text_full());
			return;
		}
		memcpy(p, words[i], len);
		p[len] = '\n';
		s->len += len + 1;
	}
	if ((p = cfg_room(1)))
		*p = '\0';
}
