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

const char *text_full(void)
{
	return TEXT "more than 124 KiB of text";
}

char *cfg_room(size_t n)
{
	char *p = cfg.buffer + cfg.used;

	if (n > sizeof cfg.buffer - SCRATCH - cfg.used)
		return NULL;
	cfg.used += n;
	return p;
}

char *cfg_rest(size_t *n)
{
	*n = sizeof cfg.buffer - cfg.used;
	return cfg.buffer + cfg.used;
}

/* Paths of a file are relative to the file, of the command line to where we
 * are. false: out of reach. */
static bool base(char *dir, size_t max)
{
	const char *file = cfg.src->name, *slash = file ? strrchr(file, '/') : NULL;
	size_t n = 0;

	if (!file || *file != '/') {
		if (sys_getcwd(dir, max) < 0 || *dir != '/')
			return false;
		n = strlen(dir);
	}
	if (slash)
		fmt(dir + n, max - n, n ? "/%.*s" : "%.*s", (int)(slash - file), file);
	return true;
}

bool cfg_path(char *path)
{
	bool right = *path == '/' && cfg_plain(path);

	cfg_clean(path);
	return right;
}

/* The name of a file beside the one that is read; NULL: it cannot be had */
char *text_beside(const char *name, size_t len)
{
	size_t max, n;
	char *path = cfg_rest(&max);

	*path = '\0';
	if (*name != '/' && !base(path, max))
		return NULL;
	n = strlen(path);
	n += fmt(path + n, max - n, "/%.*s", (int)len, name);
	cfg_clean(path);
	return cfg_room(n + 1);			/* cut short there is no room */
}

/* What is here is another thing elsewhere: the line is made anew, with all in it. */
const char *cfg_absolute(const char *s, char **value)
{
	static char dir[PATH_MAX], front[2 * PATH_MAX];
	const char *rest = *value, *p;
	size_t max, head = (size_t)(rest - s), n;
	char *to = front;

	if (starts(rest, "./")) {
		if (!base(dir, sizeof dir))
			return strerror(ENOENT);
		for (p = dir, rest++; *p; *to++ = *p++)
			if (key_row(cfg.key)->type != T_NS && (*p == ':' || *p == '\\'))
				*to++ = '\\';
	} else if ((p = getenv(rest)))
		rest = p - strlen(rest) - 1;
	else
		return NULL;
	*to = '\0';
	to = cfg_rest(&max);
	n = fmt(to, max, "%.*s%s%s", (int)head, cfg.text, front, rest) + 1;	/* cut short there is no room */
	if (!cfg_room(2 * n))
		return text_full();
	cfg.text = to;
	*value = memcpy(to + n, to + head, n - head);
	return NULL;
}

/* -------------------------------------------------------------------- files */

const char *text_add(const char *name, int layer, const char *text, size_t len)
{
	struct source *s = &cfg.source[cfg.nsources];

	if (cfg.nsources == MAXSOURCE)
		return TEXT "too many files";
	cfg.nsources++;
	*s = (struct source){ name, text, len, 1, (uint8_t)layer, !name && layer != L_WORDS };
	if (s->built_in) {
		s->name = cfg.src->name;
		s->line = cfg.line;
	}
	return NULL;
}

/* Who may write the file decides what root does. */
static const char *trusted(int fd, const struct stat *st)
{
	FILLED struct statfs fs;
	const char *e = NULL;

	if (st->st_uid && st->st_uid != getauxval(AT_EUID))
		e = TEXT "owned by neither root nor the caller: chown";
	else if (st->st_mode & (S_IWGRP | S_IWOTH))
		e = TEXT "others than its owner may write it: chmod go-w";
	cfg.warning = e && fstatfs(fd, &fs) == 0 && fs.f_flags & ST_RDONLY;
	return e;
}

static const char *slurp(int fd, const char *path, int layer)
{
	char *to = cfg.buffer + cfg.used;
	const char *e;
	FILLED struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return errno_text();
	if (!S_ISREG(st.st_mode))
		return TEXT "not a regular file";
	if ((e = trusted(fd, &st)) && !cfg.warning)
		return e;
	if (e)
		cfg_complain(path, 0, NULL, e);
	if (layer == L_FILE)
		cfg.mtime = MTIME(st);
	if ((n = read(fd, to, sizeof cfg.buffer - SCRATCH - cfg.used)) < 0)
		return errno_text();
	to[n] = '\0';
	return cfg_room((size_t)n + 1) ? text_add(path, layer, to, (size_t)n) : text_full();
}

const char *text_file(const char *path, int layer)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	const char *e;

	if (fd < 0)
		return errno_text();
	e = slurp(fd, path, layer);
	close(fd);
	return e;
}

/* Does this file make the box of that name? A text alone: what it includes has no say. */
static bool makes(const char *text, const char *base, const char *name)
{
	const char *p;

	for (p = text; p; p = strchr(p, '\n'), p += p != NULL)
		if (starts(p, "name="))
			return starts(p + 5, name) && strchr("\n", p[5 + strlen(name)]);
	return same(base, name);
}

/* The file of a box, where it is beside another one, by what it says or by its own name; or
 * NULL. Good until the next. */
const char *cfg_file_of(const char *beside, const char *name)
{
	static char base[MAXNAME + 1], path[CGPATH];
	const char *end = strrchr(beside, '/') + 1;
	size_t max;
	char *text = cfg_rest(&max);
	int dir = open(fmts("%.*s", (int)(end - beside), beside), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool found = false;

	*base = '\0';
	while (!found && dir >= 0 && state_next(dir, ".conf", base)) {
		fmt(path, sizeof path, "%.*s%s.conf", (int)(end - beside), beside, base);
		found = !same(base, "board") && read_file(path, text, max) > 0 && makes(text, base, name);
	}
	close(dir);
	return found ? path : NULL;
}

/* Each word is a line; a line break would make it two. */
const char *text_words(char *const words[], int n)
{
	char *start = cfg.buffer + cfg.used, *p;
	size_t max;

	for (; n > 0; n--, words++) {
		p = cfg_rest(&max);
		if (strchr(*words, '\n'))
			return cfg_wrong("\"%.*s\": a line break in a word", 60, *words);
		if (!cfg_room(fmt(p, max, "%s\n", *words)))	/* cut short there is no room */
			return text_full();
	}
	p = cfg_rest(&max);
	*p = '\0';
	cfg.used++;
	return text_add(NULL, L_WORDS, start, (size_t)(p - start));
}
