/*
 * text.c - all text of one box lies in one buffer: files, words, and a copy of
 * each line, which is cut in place; struct box points into that. What was
 * written stays for husk show.
 *
 * For a file on the start path there are four system calls: open, fstat, read
 * and close.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
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
	return "more than 124 KiB of text";
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

static const char far[] = "the working directory is out of reach";

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

bool cfg_path(char *path)
{
	bool right = *path == '/' && cfg_plain(path);

	cfg_clean(path);
	return right;
}

/* The name of a file beside the one that is read; NULL: that it cannot be has been said */
char *text_beside(const char *name, size_t len)
{
	size_t max, n = 0;
	char *path = cfg_rest(&max);
	const char *e = NULL;

	if (*name != '/' && !(n = base(path, max)))
		e = far;
	n += fmt(path + n, max - n, "/%.*s", (int)len, name) + 1;	/* cut short there is no room */
	if (!cfg_room(n))
		e = text_full();
	cfg_clean(path);
	if (e)
		cfg_here("include", e);
	return e ? NULL : path;
}

/* What is here is another thing elsewhere: the line is made anew, with all in it. */
const char *cfg_absolute(const char *s, char **value)
{
	static char dir[PATH_MAX];
	const char *rest = *value, *p;
	size_t max, head = (size_t)(rest - s), n;
	char *to = cfg_rest(&max);

	n = fmt(to, max, "%.*s", (int)head, cfg.text);
	if (starts(rest, "./")) {
		if (!base(dir, sizeof dir))
			return far;
		for (p = dir, rest++; *p; to[n++] = *p++)
			if (key_row(cfg.key)->type != T_NS && (*p == ':' || *p == '\\'))
				to[n++] = '\\';
	} else if ((p = getenv(rest)))
		rest = p - strlen(rest) - 1;
	else
		return NULL;
	n += fmt(to + n, max - n, "%s", rest) + 1;		/* cut short there is no room */
	if (!cfg_room(2 * n))
		return text_full();
	cfg.text = to;
	*value = memcpy(to + n, to + head, n - head);
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
	char *to = buffer + cfg.used;

	if (fstat(fd, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	if ((e = trusted(fd, &st)) && !cfg.warning)
		return e;
	if (cfg.warning)
		cfg_complain(s->name, 0, NULL, e);
	do
		n = read(fd, to, sizeof buffer - SCRATCH - cfg.used);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return strerror(errno);
	to[n] = '\0';
	s->text = to;
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

	if (cfg.nsources == MAXSOURCE) {
		cfg_here(NULL, cfg_wrong("more than %u files", MAXSOURCE));
		return NULL;
	}
	*s = (struct source){ .name = name, .layer = (uint8_t)layer, .text = buffer + cfg.used };
	return s;
}

/* true: it was read, or that it was not has been said */
bool text_file(const char *path, int layer)
{
	struct source *s = source(path, layer);
	const char *e;
	int fd;

	if (!s)
		return true;
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

bool text_memory(const char *name, int layer, const char *text)
{
	struct source *s = source(name, layer);

	if (!s)
		return false;
	s->text = text;
	s->len = strlen(text);
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
