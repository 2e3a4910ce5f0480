/*
 * read.c - layers and lines: key=value goes to the setters, errors come back
 * as file:line: key: what.
 *
 * Layers, from below: the defaults, use=, include=, the file, the command
 * line. A later one replaces a scalar and adds to a list.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

enum { MAXERRORS = 20 };

/* -------------------------------------------------------------------- lines */

/* Is it a key of this kind of file? */
static bool may(int row)
{
	return cfg.board ? key_row(row)->flags & K_BOARD : row <= KEY_NAME;
}

/* One of the keys that this file may have, or "" */
static const char *known(int row)
{
	const char *name = key_name(row);

	return !name || may(row) ? name : "";
}

static bool is_controller(const char *word)
{
	const char *s;
	int i;

	for (i = 0; (s = cfg_controller(i)) && !same(s, word); i++)
		;
	return s;
}

static const char *no_such_key(char *key)
{
	const char *hint = near_of(key, known);
	char *dot = strchr(key, '.'), after;

	if (dot && !*hint) {
		after = dot[1];
		dot[1] = '\0';
		hint = near_of(key, known);
		dot[1] = after;
		*dot = '\0';
		hint = *hint || cfg.board || is_controller(key) ? hint : near_of(key, cfg_controller);
		*dot = '.';
	}
	return cfg_wrong("no such key%s", hint);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A blank at an end is not seen, and would be part of a name. */
static bool ends_blank(const char *v, int type)
{
	size_t n = strlen(v);

	return type > T_SYSCALLS && type != T_ENV && n && (blank(v[0]) || (blank(v[n - 1]) && v[n - 2] != '\\'));
}

static const char *value(struct box *b, char *s, char *key, char *v)
{
	const struct key *k = key_row(cfg.key);
	int layer = cfg.src->layer;
	const char *e;

	if (key > s && !(k->flags & K_SKIP))
		return TEXT "no ? before this key";
	if (k->type >= T_USE && layer != L_FILE && layer != L_WORDS)
		return TEXT "only in the file itself: one level";
	if (ends_blank(v, k->type))
		return cfg_wrong("\"%.*s\": a blank at the end, or behind the =", 80, v);
	if ((k->type == T_ENV || (k->flags & K_PATH && starts(v, "./"))) && (e = cfg_absolute(s, &v)))
		return e;
	if (*v || k->type == T_HOOK || k->type == T_SYSCTL)
		return cfg_set(b, cfg.key, k->flags & K_SUB && k->type != T_KNOB ? strchr(key, '.') + 1 : key, v, key > s);
	if (!(k->flags & K_LIST) && !(k->flags & K_LIVE && cfg.live))
		return TEXT "a value is missing";
	if (HAS(knobs) && k->type == T_KNOB && !(k->flags & K_LIST))
		cfg_empty_knob(b, cfg.key, key);
	else
		cfg_empty(b, cfg.key);
	return NULL;
}

/* One line: a copy is cut, and p stays. */
static void line(struct box *b, const char *p, size_t n)
{
	char *s = cfg_room(n + 1), *key, *eq;
	const char *e;

	if (!s) {
		cfg_here(NULL, text_full());
		cfg.errors = MAXERRORS;
		return;
	}
	memcpy(s, p, n);
	s[n] = '\0';
	if (!s[strspn(s, " \t")])
		return;
	key = s + (*s == '?');
	eq = strchr(key, '=');
	if (!eq || eq == key || blank(*s) || blank(eq[-1])) {
		cfg_here(NULL, cfg_wrong("\"%.*s\" is not key=value%s", 60, s, HAS(help) && eq && eq != key ? TEXT ": no blank before the key or the =" : ""));
		return;
	}
	*eq = '\0';
	cfg.key = key_find(key);
	cfg.text = p;
	if (cfg.key < 0)
		e = no_such_key(key);
	else if (key_lacks(cfg.key) >= 0) {
		if (cfg.src->layer == L_DEFAULTS)
			return;
		e = cfg_lacks(key_lacks(cfg.key));
	} else if (!may(cfg.key))
		e = cfg.board ? TEXT "a box's, not the board's" : TEXT "the board's: in board.conf";
	else
		e = value(b, s, key, eq + 1);
	if (e)
		cfg_here(key, e);
}

/* ------------------------------------------------------------------- layers */

static const char *use(const char *name)
{
	static char path[sizeof CONFDIR + MAXNAME + 6];
	const char *text = cfg_preset(name), *e = TEXT "not a name";

	if (text)
		return text_add(NULL, L_USE, text, strlen(text));
	fmt(path, sizeof path, CONFDIR "/%s.use", name);
	if (cfg_name(name) && !(e = text_file(path, L_USE)))
		return NULL;
	return cfg_wrong("no preset \"%s\", and %s: %s%s", name, path, e, near_of(name, cfg_preset_name));
}

static const char *include(const char *name, size_t len)
{
	const char *path = text_beside(name, len), *e = path ? text_file(path, L_INCLUDE) : strerror(ENOENT);

	return e ? cfg_wrong("%s: %s", path ? path : ".", e) : NULL;
}

/* What the top layers name is read before they are. */
static void look(const char *p, size_t n)
{
	const char *e;

	if (starts(p, "use=")) {
		fmt(cfg.preset, sizeof cfg.preset, "%.*s", (int)n - 4, p + 4);
		cfg.use.src = cfg.src;
		cfg.use.line = cfg.line;
	} else if (starts(p, "include=") && n > 8 && (e = include(p + 8, n - 8)))
		cfg_here("include", e);
}

/* Without a box only looks. What no line can hold is said once, and the file is
 * not read on. */
static void lines(struct box *b, const struct source *s)
{
	const char *p, *next, *end = s->text + s->len;

	cfg.src = s;
	cfg.line = s->line;
	for (p = s->text; p < end && cfg.errors < MAXERRORS; p = next + 1, cfg.line += !s->built_in) {
		next = strchrnul(p, '\n');
		if (!b)
			look(p, (size_t)(next - p));
		else if (!*next && next < end) {
			cfg_here(NULL, TEXT "a NUL byte: no text; a program goes behind --");
			return;
		} else if ((uint8_t)p[0] == 0xef && (uint8_t)p[1] == 0xbb && (uint8_t)p[2] == 0xbf) {
			cfg_here(NULL, TEXT "a byte order mark, which nobody sees; UTF-8 without, please");
			return;
		} else if (next > p && next[-1] == '\r') {
			cfg_here(NULL, TEXT "lines end with CR LF here; LF alone, please (dos2unix)");
			return;
		} else if (*p != '#')
			line(b, p, (size_t)(next - p));
	}
}

static void follow(unsigned n)
{
	const char *e;
	const struct source *s;

	copy(cfg.preset, sizeof cfg.preset, "service");
	for (s = cfg.source; s < cfg.source + n; s++)
		lines(NULL, s);
	cfg.src = cfg.use.src;
	cfg.line = cfg.use.line;
	if (*cfg.preset && !same(cfg.preset, "service") && (e = use(cfg.preset)))
		cfg_here("use", e);
}

/* What a box has by the defaults, for the next one of many: a start has one alone. */
struct usual {
	struct mark marks[128];
	struct box box;
};

static BASE struct usual *usual(void)
{
	static struct usual box;

	return &box;
}

static void keep_usual(const struct box *b)
{
	if (!cfg.plan || cfg.errors || cfg.nmarks > sizeof usual()->marks / sizeof *usual()->marks)
		return;
	memcpy(&usual()->box, b, offsetof(struct box, bpf));
	memcpy(usual()->marks, cfg.marks, cfg.nmarks * sizeof *cfg.marks);
	cfg.nusual = cfg.nmarks;
	cfg.base = cfg.used;		/* their text stays */
}

static void reset(struct box *b, bool of_board)
{
	int i;

	if (b->read && !cfg.nusual)	/* else it is zero, and three pages of it stay untouched; or written over */
		memset(b, 0, offsetof(struct box, bpf));
	b->read = true;
	b->local = NULL;
	b->uid = b->gid = ~0u;
	b->sched = SCHED_UNSET;
	b->nice = b->oom_score_adj = UNSET;
	b->cpu_period = 100000;
	if (!HAS(users))
		b->ns[NS_USER] = NSM_HOST;
	for (i = 0; i < NLIM; i++)
		b->lim[i] = LIM_NONE;
	cfg.used = cfg.base;
	cfg.nsources = cfg.nmarks = cfg.errors = 0;
	cfg.board = of_board;
	cfg.src = cfg.source;
	cfg.key = 0;
	cfg.line = 0;
}

static void say_line(struct box *b, const char *p)
{
	line(b, p, strlen(p));
}

/* Without a name= the file's, else the program's and the caller's number. */
static void named(struct box *b, const char *file)
{
	static char text[MAXNAME + 20];
	const char *from = last_part(file ? file : b->narg ? b->argv[0] : "husk");
	char *name = text + 5;
	size_t n;

	if (b->name)
		return;
	n = strlen(from);
	if (file && n > 5 && same(from + n - 5, ".conf"))
		n -= 5;
	n = fmt(text, sizeof text, "name=%.*s", file ? (int)n : MAXNAME - 12, from);
	if (!file && b->narg)
		fmt(text + n, sizeof text - n, ".%d", getpid());
	for (; !file && *name; name++)
		if (!cfg_chars(name, 1, name > text + 5 ? "0+.-" : "0+"))
			*name = '_';
	say_line(b, text);
}

/* What the caller's terminal is called; a pty is no worse than a console. */
static void term(struct box *b)
{
	if (HAS(tty) && b->tty && cfg_env(b, "TERM=", 5) == b->nenv)
		say_line(b, getenv("TERM") ? "env=TERM" : "env=TERM=linux");
}

/* What stands behind -- is a line too. */
static void program(struct box *b, char *const argv[])
{
	size_t max;
	char *s, *to;
	const char *p;
	char before = '=';

	cfg_empty(b, KEY_EXEC);
	s = cfg_rest(&max);
	to = s + fmt(s, max, "exec");
	for (; (p = *argv); argv++, before = ' ') {
		if (to + 2 * strlen(p) + 4 > s + max) {
			cfg_here("exec", text_full());
			return;
		}
		*to++ = before;
		for (*to++ = '"'; *p; p++) {
			if (strchr("\"\\\n", *p))
				*to++ = '\\';
			*to++ = *p == '\n' ? 'n' : *p;
		}
		*to++ = '"';
		*to = '\0';
	}
	if (before == ' ' && cfg_room((size_t)(to - s) + 1))
		say_line(b, s);
}

/* The lowest layer. Its marks point to its own place, whose name is the file's. */
static void defaults(struct box *b)
{
	struct source *s = &cfg.source[MAXSOURCE];
	const char *text = cfg_preset(NULL), *file = b->file, *of_board = b->local;
	uint32_t mtime = b->mtime;

	*s = (struct source){ cfg.source->name, text, strlen(text), 0, L_DEFAULTS, true };
	if (!cfg.nusual) {
		lines(b, s);
		keep_usual(b);
		return;
	}
	memcpy(b, &usual()->box, offsetof(struct box, bpf));
	memcpy(cfg.marks, usual()->marks, cfg.nusual * sizeof *cfg.marks);
	cfg.nmarks = cfg.nusual;
	b->file = file;
	b->local = of_board;
	b->mtime = mtime;
}

/* The sources of the top are there: all below them, then all in order. */
static int layers(struct box *b, const char *file, char *const argv[])
{
	const struct source *s;
	unsigned layer, n = cfg.nsources;

	follow(n);
	defaults(b);
	for (layer = L_DEFAULTS + 1; layer < NLAYERS; layer++)
		for (s = cfg.source; s < cfg.source + cfg.nsources; s++)
			if (s->layer == layer)
				lines(b, s);
	cfg.src = &cfg.source[n - 1];
	if (argv)
		program(b, argv);
	cfg.src = cfg.source;
	cfg.line = 0;
	if (cfg.errors == 0) {
		term(b);
		named(b, file);
	}
	if (cfg.errors == 0)
		cfg_check(b);
	return cfg.errors ? 2 : 0;
}

bool cfg_is_board(const char *file)
{
	return same(last_part(file), "board.conf");
}

void cfg_of_board(bool plan)
{
	cfg.beside = true;
	cfg.plan = plan;
}

/* The last board.local= of the board.conf beside the file: the rest of that is the
 * board's business, and so is what is wrong with it. */
static void local(struct box *b, const char *file)
{
	static char path[300];
	const char *slash = strrchr(file, '/'), *p, *dir = NULL, *e;
	size_t used = cfg.used;
	static bool none OFTEN;		/* of a plan, whose boxes are all of one directory */

	if (none || (!cfg.beside && (!starts(file, CONFDIR "/") || slash != file + sizeof CONFDIR - 1)))
		return;
	if (!slash || text_file(fmts("%.*s/board.conf", (int)(slash - file), file), L_LOCAL))
		return;
	for (p = cfg.source[--cfg.nsources].text; p; p = strchr(p, '\n'), p += p != NULL)
		dir = starts(p, "board.local=/") ? p + strlen("board.local=") : dir;
	none = cfg.plan && !dir;
	if (!dir)
		return;
	fmt(path, sizeof path, "%.*s%s", (int)strcspn(dir, "\n"), dir, slash);
	cfg.used = used;
	errno = 0;
	e = text_file(path, L_LOCAL);
	if (e && errno != ENOENT)
		cfg_complain(path, 0, NULL, e);
	b->local = e ? NULL : path;
}

/* That of a box by its name= is looked for where it has none by its own. */
static const char *text_of(const char **file)
{
	static char other[CGPATH];
	const char *slash = strrchr(*file, '/'), *e = text_file(*file, L_FILE), *end;

	if (!e)
		return NULL;
	if (HAS(control) && *file == cfg.by_name && errno == ENOENT) {
		end = cfg_file_of(*file, fmts("%.*s", (int)strlen(slash) - 6, slash + 1));
		if (end) {
			copy(other, sizeof other, end);
			*file = other;
			return text_file(other, L_FILE);
		}
	}
	if (slash && (end = strstr(slash, ".conf.conf")))
		return cfg_wrong("%s; %.*s, or .%.*s?", e, (int)(end - slash) - 1, slash + 1, (int)(end + 5 - slash), slash);	/* NAME is without .conf */
	return e;
}

int cfg_load(struct box *b, const char *file, char *const words[], int nwords, char *const argv[])
{
	const char *e = NULL;

	reset(b, false);
	if (file && cfg_is_board(file))
		e = TEXT "the board's own file, not a box: husk boot reads it";
	else if (file)
		e = text_of(&file);
	b->file = file;
	b->mtime = cfg.mtime;
	if (e)
		cfg_complain(file, 0, NULL, e);
	else if (file)
		local(b, file);
	if (!e && (e = text_words(words, nwords)))
		cfg_complain(NULL, 0, NULL, e);
	return cfg.errors ? 2 : layers(b, file, argv);
}

int cfg_again(struct box *b, const char *file, char *const words[], int nwords)
{
	cfg.base = cfg.used;
	cfg.live = true;
	return cfg_load(b, file, words, nwords, NULL);
}

int cfg_parse(struct box *b, const char *name, const char *text)
{
	reset(b, false);
	b->file = name;
	text_add(name, L_FILE, text, strlen(text));
	text_words(NULL, 0);
	return layers(b, name, NULL);
}

enum { BOARD_STOP_MS = 30000 };

/* board.conf has the language, but neither defaults nor presets below it. */
int cfg_board(struct box *b, const char *file, char *const words[], int nwords)
{
	const struct source *s;
	const char *e;

	reset(b, true);
	b->board.stop_ms = BOARD_STOP_MS;
	if (file && (e = text_file(file, L_FILE)))
		cfg_complain(file, 0, NULL, e);
	if ((e = text_words(words, nwords)))
		cfg_complain(NULL, 0, NULL, e);
	for (s = cfg.source; s < cfg.source + cfg.nsources; s++)
		lines(b, s);
	if (!cfg.errors && b->board.fail && !b->board.good_ms) {
		cfg.warning = true;
		cfg_error(KEY_BOARD_FAIL, 0, "never: it comes after board.timeout=, which is not said");
	}
	return cfg.errors ? 2 : 0;
}
