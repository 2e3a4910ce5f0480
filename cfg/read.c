/*
 * read.c - the text: files into one buffer, layers, lines; key=value to the
 * setters; errors as file:line: key: what.
 *
 * Layers, from below: the defaults, use=, include=, the file, the command
 * line. A later one replaces a scalar and adds to a list. All text lies in
 * one static buffer, is cut in place, and struct box points into it. For a
 * file on the start path there are four system calls: open, fstat, read, close.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "husk.h"

enum layer { L_DEFAULTS, L_USE, L_INCLUDE, L_FILE, L_LOCAL, L_WORDS, NLAYERS };
enum { MAXSOURCE = 12, MAXMARK = 1024, MAXERRORS = 20, SCRATCH = 4096 };

/* Where an item of a key was said. */
struct mark {
	uint16_t what;			/* key << 8 | item */
	uint16_t src;
	uint32_t line;
};

/* One piece, so that it can be given back as whole pages. */
static struct {
	char text[MAXTEXT];
	struct mark mark[MAXMARK];
} store __attribute__((aligned(4096)));

static struct source {
	const char *name;		/* NULL: built in, or the command line */
	char *text;
	size_t len;
	uint8_t layer;
} sources[MAXSOURCE];

static struct { int src, key; uint32_t line; } now;
static size_t used;
static unsigned nsources, nmarks, errors;
static char preset[MAXNAME + 2];
static bool board, warning;		/* warning: the next complaint is one */

/* ------------------------------------------------------ who said what, where */

static struct mark *find(int key, int item)
{
	unsigned i;

	for (i = 0; i < nmarks; i++)
		if (store.mark[i].what == (key << 8 | item))
			return &store.mark[i];
	return NULL;
}

void cfg_mark(int item)
{
	struct mark *m = find(now.key, item);

	if (!m && nmarks < MAXMARK)
		m = &store.mark[nmarks++];
	if (m)
		*m = (struct mark){ (uint16_t)(now.key << 8 | item), (uint16_t)now.src, now.line };
}

/* Where an item is taken out of a list, those behind it move up. */
void cfg_unmark(int key, int item)
{
	unsigned i, n = 0;
	struct mark m;

	for (i = 0; i < nmarks; i++) {
		m = store.mark[i];
		if (m.what >> 8 == key && (item < 0 || (m.what & 255) == item))
			continue;
		if (m.what >> 8 == key && (m.what & 255) > item)
			m.what--;
		store.mark[n++] = m;
	}
	nmarks = n;
}

const char *cfg_twice(int item)
{
	const struct mark *m = find(now.key, item);

	if (!m || sources[m->src].layer != sources[now.src].layer)
		return NULL;
	if (sources[m->src].layer == L_WORDS)
		return "given twice";
	if (m->src != now.src)
		return cfg_wrong("%s:%u has it too", sources[m->src].name, m->line);
	return cfg_wrong("line %u has it too", m->line);
}

const char *cfg_slot(int i, uint8_t *n, int max)
{
	const char *e;

	if (i == max)
		return cfg_wrong("more than %d of them", max);
	if (i < *n && (e = cfg_twice(i)))
		return e;
	if (i == *n)
		++*n;
	cfg_mark(i);
	return NULL;
}

const char *cfg_add(uint8_t *n, int max)
{
	return cfg_slot(*n, n, max);
}

static const struct mark *mark_of(const char *key, int item)
{
	return find(key_find(key), item);
}

int cfg_layer(const char *key, int item)
{
	const struct mark *m = mark_of(key, item);

	return m ? sources[m->src].layer : -1;
}

/* What a preset says is blamed on the use= that named it. */
bool cfg_where(const char *key, int item, const char **file, unsigned *line)
{
	const struct mark *m = mark_of(key, item);

	if (m && sources[m->src].layer == L_USE && !sources[m->src].name)
		m = mark_of("use", 0);
	if (!m || !sources[m->src].name)
		return false;
	*file = sources[m->src].name;
	*line = m->line;
	return true;
}

/* ------------------------------------------------------------------- errors */

/* What a file holds may be anything; a terminal obeys some of it. */
static void print(char *line, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((uint8_t)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	say(2, "%s\n", line);
}

/* key NULL: the line as a whole; line 0: the file as a whole. */
static void complain(const char *file, unsigned line, const char *key, const char *what)
{
	char text[480];
	size_t n = fmt(text, sizeof text, "%s", file ? file : "command line");

	if (file && line)
		n += fmt(text + n, sizeof text - n, ":%u", line);
	if (key)
		n += fmt(text + n, sizeof text - n, ": %.*s", 60, key);
	n += fmt(text + n, sizeof text - n, ": %s%s", what, warning ? " (warning)" : "");
	print(text, n);
	errors += !warning;
	warning = false;
}

static void here(const char *key, const char *what)
{
	complain(sources[now.src].name, now.line, key, what);
}

static void blame(const char *key, int item, const char *f, va_list *ap)
{
	const char *file = NULL;
	unsigned line = 0, i;
	char what[320];

	vfmt(what, sizeof what, f, ap);
	if (!cfg_where(key, item, &file, &line))
		for (i = 0; i < nsources; i++)
			if (sources[i].layer == L_FILE && cfg_layer(key, item) != L_WORDS)
				file = sources[i].name;
	complain(file, line, key, what);
}

int cfg_error(const char *key, int item, const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	blame(key, item, f, &ap);
	va_end(ap);
	return 1;
}

int cfg_warn(const char *key, int item, const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	warning = true;
	blame(key, item, f, &ap);
	va_end(ap);
	return 0;
}

const char *cfg_used(void)
{
	return preset;
}

/* ---------------------------------------------------------------- the buffer */

char *cfg_room(size_t n)
{
	char *p = store.text + used;

	if (n > sizeof store.text - SCRATCH - used)
		return NULL;
	used += n;
	return p;
}

char *cfg_rest(size_t *n)
{
	*n = sizeof store.text - used;
	return store.text + used;
}

void cfg_forget(void)
{
	size_t page = getauxval(AT_PAGESZ), off = -(uintptr_t)&store & (page - 1);

	if (off < sizeof store)
		(void)madvise((char *)&store + off, (sizeof store - off) & -page, MADV_DONTNEED);
}

/* Paths of a file are relative to the file, of the command line to where we are. */
static bool base(char *dir, size_t max)
{
	const char *file = sources[now.src].name, *slash = file ? strrchr(file, '/') : NULL;
	size_t n = 0;

	if (!file || *file != '/') {
		if (sys_getcwd(dir, max) < 0 || *dir != '/')
			return false;
		n = strlen(dir);
	}
	if (slash)
		n += fmt(dir + n, max - n, "/%.*s", (int)(slash - file), file);
	return n < max - 1;
}

const char *cfg_path(char **path)
{
	char dir[PATH_MAX], *p = *path;
	size_t n;

	if (!starts(p, "/") && !starts(p, "./"))
		return cfg_bad(p, "a path", "it begins with / or ./");
	if (!cfg_printable(p))
		return "a control character in it";
	if (*p == '.') {
		if (!base(dir, sizeof dir))
			return "the working directory is out of reach";
		n = strlen(dir) + strlen(p) + 1;
		if (!(*path = cfg_room(n)))
			return cfg_wrong("the text is larger than %u bytes", MAXTEXT);
		fmt(*path, n, "%s%s", dir, p + 1);
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
	warning = true;
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
	if ((e = trusted(fd, &st)) && !warning)
		return e;
	if (warning)
		complain(s->name, 0, NULL, e);
	s->text = store.text + used;
	do
		n = read(fd, s->text, sizeof store.text - SCRATCH - used);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return strerror(errno);
	s->len = (size_t)n;
	return cfg_room(s->len + 1) ? NULL : cfg_wrong("the text is larger than %u bytes", MAXTEXT);
}

static unsigned line_of(const char *from, const char *at)
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
		complain(s->name, line_of(s->text, p), NULL, "a NUL byte: this is not a text");
		return false;
	}
	for (; (cr = memchr(cr, '\r', (size_t)(end - cr))); cr++)
		if (cr + 1 == end || cr[1] == '\n') {
			complain(s->name, line_of(s->text, cr), NULL, "lines end with CR LF here; LF alone, please (dos2unix)");
			return false;
		}
	return true;
}

static struct source *source(const char *name, int layer)
{
	struct source *s = &sources[nsources];

	if (nsources == MAXSOURCE)
		return NULL;
	*s = (struct source){ .name = name, .layer = (uint8_t)layer, .text = store.text + used };
	return s;
}

/* true: it was read, or that it was not has been said */
static bool read_file(const char *path, int layer)
{
	struct source *s = source(path, layer);
	const char *e;
	int fd;

	if (!s) {
		here(NULL, cfg_wrong("more than %u files", MAXSOURCE));
		return true;
	}
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return false;
	e = fd < 0 ? strerror(errno) : slurp(fd, s);
	if (fd >= 0)
		close(fd);
	if (e)
		complain(path, 0, NULL, e);
	else if (clean(s))
		nsources++;
	return true;
}

static bool read_text(const char *name, int layer, const char *text, size_t len)
{
	struct source *s = source(name, layer);
	char *p = s ? cfg_room(len + 1) : NULL;

	if (!p) {
		complain(name, 0, NULL, cfg_wrong("the text is larger than %u bytes", MAXTEXT));
		return false;
	}
	memcpy(p, text, len);
	p[len] = '\0';
	s->text = p;
	s->len = len;
	nsources++;
	return !name || clean(s);
}

/* Each word is a line; a line break would make it two. */
static void read_words(char *const words[], int n)
{
	struct source *s = source(NULL, L_WORDS);
	size_t len;
	char *p;
	int i;

	if (!s)
		return;
	nsources++;
	for (i = 0; i < n; i++) {
		len = strlen(words[i]);
		if (strchr(words[i], '\n')) {
			complain(NULL, 0, NULL, cfg_wrong("\"%.*s\": a line break in a word", 60, words[i]));
			return;
		}
		if (!(p = cfg_room(len + 1))) {
			complain(NULL, 0, NULL, cfg_wrong("the text is larger than %u bytes", MAXTEXT));
			return;
		}
		memcpy(p, words[i], len);
		p[len] = '\n';
		s->len += len + 1;
	}
	if ((p = cfg_room(1)))
		*p = '\0';
}

/* -------------------------------------------------------------------- lines */

static void no_such_key(char *key)
{
	char *dot = strchr(key, '.');
	struct near near, prefix;
	int i;

	near_begin(&near, key);
	for (i = 0; i < key_count(); i++)
		if (!(key_row(i)->flags & K_SUB) && (!board || key_row(i)->flags & K_BOARD))
			near_try(&near, key_row(i)->name);
	if (dot && !near.name[0]) {
		char after = dot[1];

		dot[1] = '\0';
		near_begin(&prefix, key);
		for (i = 0; i < key_count(); i++)
			if (key_row(i)->flags & K_SUB)
				near_try(&prefix, key_row(i)->name);
		dot[1] = after;
		if (prefix.name[0])
			fmt(near.name, sizeof near.name, "%sX", prefix.name);
	}
	here(key, cfg_wrong("no such key%s", near_hint(&near)));
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A blank at an end is not seen, and would be part of a name. */
static bool ends_blank(const char *v, int type)
{
	size_t n = strlen(v);

	if (type == T_EXEC || type == T_SYSCALLS || type == T_ENV || n == 0)
		return false;
	return blank(v[0]) || (blank(v[n - 1]) && (n < 2 || v[n - 2] != '\\'));
}

static const char *value(struct box *b, int row, const char *key, char *v, bool skip)
{
	const struct key *k = key_row(row);
	bool top = sources[now.src].layer == L_FILE || sources[now.src].layer == L_WORDS;

	if (skip && !(k->flags & K_SKIP))
		return "no ? before this key";
	if ((k->type == T_USE || k->type == T_INCLUDE) && !top)
		return "only in the file itself: one level";
	if (ends_blank(v, k->type))
		return cfg_wrong("\"%.*s\": a blank at the end, or behind the =", 80, v);
	if (*v)
		return cfg_set(b, row, key + (k->flags & K_SUB ? strlen(k->name) : 0), v, skip);
	if (!(k->flags & K_LIST))
		return "a value is missing";
	cfg_empty(b, row);
	return NULL;
}

static void line(struct box *b, char *s)
{
	bool skip = *s == '?';
	char *key = s + skip, *eq = strchr(s, '=');
	const char *e;

	if (*s == '#' || !s[strspn(s, " \t")])
		return;
	if (!eq || eq == key || blank(*s)) {
		here(NULL, cfg_wrong("\"%.*s\" is not key=value", 60, s));
		return;
	}
	*eq = '\0';
	if (blank(eq[-1])) {
		here(NULL, cfg_wrong("\"%.*s\": no blank before the =", 60, key));
		return;
	}
	now.key = key_find(key);
	if (now.key < 0 || (board && !(key_row(now.key)->flags & K_BOARD)))
		no_such_key(key);
	else if ((e = value(b, now.key, key, eq + 1, skip)))
		here(key, e);
}

static void lines(struct box *b, int src)
{
	char *p = sources[src].text, *end = p + sources[src].len, *next;

	now.src = src;
	for (now.line = 1; p < end && errors < MAXERRORS; p = next, now.line++) {
		next = memchr(p, '\n', (size_t)(end - p));
		next = next ? next : end;
		*next++ = '\0';
		line(b, p);
	}
}

/* ------------------------------------------------------------------- layers */

/* The next line `key=` of a source that is not cut yet: its value, copied. */
static bool peek(int src, const char *key, const char **at, char *to, size_t max)
{
	const char *p = *at ? *at : sources[src].text, *end = sources[src].text + sources[src].len, *eol;
	size_t n = strlen(key);

	for (; p < end; p = eol + 1) {
		eol = memchr(p, '\n', (size_t)(end - p));
		eol = eol ? eol : end;
		if ((size_t)(eol - p) > n && memcmp(p, key, n) == 0 && p[n] == '=') {
			now.src = src;
			now.line = line_of(sources[src].text, p);
			now.key = key_find(key);
			fmt(to, max, "%.*s", (int)(eol - p - (ptrdiff_t)n - 1), p + n + 1);
			*at = eol < end ? eol + 1 : end;
			return true;
		}
	}
	return false;
}

static void use(const char *name)
{
	static const char presets[] = "service\0daemon\0netdev\0host\0oci\0";
	static char path[sizeof CONFDIR + MAXNAME + 6];
	const char *text = cfg_preset(name), *p;
	struct near near;

	if (text) {
		read_text(NULL, L_USE, text, strlen(text));
		return;
	}
	if (!cfg_name(name)) {
		here("use", cfg_bad(name, "a name", NULL));
		return;
	}
	fmt(path, sizeof path, CONFDIR "/%s.use", name);
	if (read_file(path, L_USE))
		return;
	near_begin(&near, name);
	for (p = presets; *p; p += strlen(p) + 1)
		near_try(&near, p);
	here("use", cfg_wrong("no preset \"%s\", and no %s%s", name, path, near_hint(&near)));
}

static void include(char *path)
{
	char *copied;
	const char *e;
	size_t n = strlen(path) + 3;

	if (!*path)
		return;
	if (!(copied = cfg_room(n))) {
		here("include", cfg_wrong("the text is larger than %u bytes", MAXTEXT));
		return;
	}
	fmt(copied, n, "%s%s", *path == '/' || starts(path, "./") ? "" : "./", path);
	if ((e = cfg_path(&copied)))
		here("include", e);
	else if (!read_file(copied, L_INCLUDE))
		here("include", cfg_wrong("%s: %s", copied, strerror(ENOENT)));
}

/* What the top layers name is read before they are cut. */
static void follow(unsigned n)
{
	char path[512];
	const char *at;
	unsigned i;

	copy(preset, sizeof preset, "service");
	for (i = 0; i < n; i++)
		for (at = NULL; peek((int)i, "use", &at, preset, sizeof preset); )
			;
	if (*preset && !same(preset, "service"))
		use(preset);
	for (i = 0; i < n; i++)
		for (at = NULL; peek((int)i, "include", &at, path, sizeof path); )
			include(path);
}

static void reset(struct box *b, bool of_board)
{
	size_t after = offsetof(struct box, bpf) + sizeof b->bpf;

	/* not the filter: 32 KiB that would only be touched */
	memset(b, 0, offsetof(struct box, bpf));
	memset((char *)b + after, 0, sizeof *b - after);
	b->uid = b->gid = ~0u;
	b->sched = SCHED_UNSET;
	b->cpu_period = 100000;
	for (after = 0; after < NLIM; after++)
		b->lim[after] = LIM_NONE;
	used = 0;
	nsources = nmarks = errors = 0;
	board = of_board;
	now.src = now.key = 0;
	now.line = 0;
}

/* Without a name= the file's, else the program's and the caller's number. */
static void named(struct box *b, const char *file)
{
	const char *from = file ? file : b->narg ? b->argv[0] : "husk", *slash = strrchr(from, '/');
	char *name, probe[3] = "a";
	size_t n, i;

	if (b->name)
		return;
	from = slash ? slash + 1 : from;
	n = strlen(from);
	if (file && n > 5 && same(from + n - 5, ".conf"))
		n -= 5;
	if (!(name = cfg_room(n + 16)))
		return;
	if (file)
		fmt(name, n + 16, "%.*s", (int)n, from);
	else
		fmt(name, n + 16, b->narg ? "%.*s.%d" : "%.*s", MAXNAME - 12, from, b->narg ? getpid() : 0);
	for (i = 0; !file && name[i]; i++) {
		probe[1] = name[i];
		if (!cfg_name(i ? probe : probe + 1))
			name[i] = '_';
	}
	b->name = name;
	if (!cfg_name(name))
		complain(file, 0, "name", cfg_bad(name, "a name", "letters digits _ + - . ; at most 64"));
}

/* What stands behind -- needs no quotes and has none. */
static void program(struct box *b, char *const argv[])
{
	now.src = (int)nsources - 1;
	now.key = key_find("exec");
	cfg_empty(b, now.key);
	for (; *argv && b->narg < MAXARG; argv++) {
		b->argv[b->narg] = *argv;
		cfg_mark(b->narg++);
	}
	if (*argv)
		complain(NULL, 0, "exec", cfg_wrong("more than %d words", MAXARG));
	else if (b->narg && (!*b->argv[0] || (*b->argv[0] != '/' && strchr(b->argv[0], '/'))))
		complain(NULL, 0, "exec", cfg_bad(b->argv[0], "a program", "/sbin/x, or x of PATH"));
}

/* The sources of the top are there: all below them, then all in order. */
static int layers(struct box *b, const char *file, char *const argv[])
{
	const char *text = cfg_preset(NULL);
	unsigned i, layer, n = nsources;

	read_text(NULL, L_DEFAULTS, text, strlen(text));
	follow(n);
	for (layer = 0; layer < NLAYERS; layer++)
		for (i = 0; i < nsources; i++)
			if (sources[i].layer == layer)
				lines(b, (int)i);
	if (argv)
		program(b, argv);
	if (errors == 0)
		named(b, file);
	if (errors == 0)
		cfg_check(b);
	return errors ? 2 : 0;
}

int cfg_load(struct box *b, const char *file, char *const words[], int nwords, char *const argv[])
{
	const char *slash = file ? strrchr(file, '/') : NULL;

	reset(b, false);
	b->file = file;
	if (file && same(slash ? slash + 1 : file, "board.conf")) {
		complain(file, 0, NULL, "the board's own file, not a box: husk boot reads it");
		return 2;
	}
	if (file && !read_file(file, L_FILE))
		complain(file, 0, NULL, strerror(ENOENT));
	read_words(words, nwords);
	return errors ? 2 : layers(b, file, argv);
}

int cfg_parse(struct box *b, const char *name, const char *text, size_t len)
{
	reset(b, false);
	b->file = name;
	if (!read_text(name, L_FILE, text, len))
		return 2;
	read_words(NULL, 0);
	return layers(b, name, NULL);
}

/* board.conf has the language, but neither defaults nor layers below it. */
int cfg_board(struct board *to, const char *file)
{
	static struct box b;

	reset(&b, true);
	memset(to, 0, sizeof *to);
	if (!read_file(file, L_FILE))
		return 0;
	if (!errors)
		lines(&b, 0);
	to->hostname = b.hostname;
	memcpy(to->mnt, b.mnt, sizeof to->mnt);
	memcpy(to->sysctl, b.sysctl, sizeof to->sysctl);
	to->nmnt = b.nmnt;
	to->nsysctl = b.nsysctl;
	return errors ? 2 : 0;
}
