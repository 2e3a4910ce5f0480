/*
 * print.c - husk show: the lines that are in force, of all layers, key by key
 * in the order of the table; what nobody said stands there with its default.
 * Nothing is turned back into text: who reads the lines again has the same box.
 */
#include <string.h>
#include <unistd.h>

#include "husk.h"

/* All of it is one write: the keeper does this, too, for husk update. */
static struct {
	char	*start, *at;
	size_t	 left;			/* one more than there is room for */
} out;

static void begin(void)
{
	out.start = out.at = cfg_rest(&out.left);
}

static __attribute__((format(printf, 1, 2))) void put(const char *f, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, f);
	n = vfmt(out.at, out.left, f, &ap);
	va_end(ap);
	out.at += n;
	out.left -= n;
}
#define put(...)	put(TEXT __VA_ARGS__)

static bool end(int fd)
{
	const char *p = out.start;
	ssize_t n;

	for (; p < out.at; p += n)
		if ((n = write(fd, p, (size_t)(out.at - p))) < 0)
			return false;
	return out.left > 1;
}

static bool is_mount(const struct key *k)
{
	return k->type == T_BIND || k->type == T_TMPFS || k->type == T_MOUNT;
}

/* Several items may be of one line. */
static bool again(const struct mark *m)
{
	const struct mark *p;

	for (p = cfg_marks(); p < m; p++)
		if (p->text == m->text)
			return true;
	return false;
}

/* The lines of a key; false: it has none. Those of the three keys of mounts stand
 * behind the last one, as their order counts: one may lie below another. */
static bool lines(int row, const char *tab, bool origins)
{
	const struct key *k = key_row(row);
	const struct mark *m;
	const char *from;
	bool any = false;

	if (k->type == T_BIND || k->type == T_TMPFS)
		return false;
	for (m = cfg_marks(); m->text; m++) {
		if ((m->key != row && !(is_mount(k) && is_mount(key_row(m->key)))) || again(m))
			continue;
		if (origins && *(from = cfg_from(m)))
			put("# %s\n", from);
		put("%s%.*s\n", tab, (int)strcspn(m->text, "\n"), m->text);
		any = true;
	}
	return any;
}

/* A list is emptied first: the defaults are read before this. */
static void show(int row, const char *tab, bool origins)
{
	const char *key = key_name(row), *what, *first;
	unsigned flags = key_row(row)->flags;
	bool list = flags & K_LIST && !(flags & K_OPEN);

	if (list)
		put("%s%s=\n", tab, key);
	if (lines(row, tab, origins) || list || flags & K_SUB)
		return;
	if (flags & K_OPEN)
		put("%s# %s is not set\n", tab, key);
	else if (HAS(help)) {	/* else nobody reads it but this very program */
		what = key_what(row);
		first = strchr(what, '(');
		first = first ? first + 1 : what;
		put("%s%s=%.*s\n", tab, key, (int)strcspn(first, ",|)"), first);
	}
}

void cfg_show_key(int row, int fd, const char *tab, bool origins)
{
	begin();
	if (key_lacks(row) < 0)
		show(row, tab, origins);
	(void)end(fd);
}

bool cfg_show(int fd, bool origins)
{
	int row;

	begin();
	if (!cfg.board)
		put("use=service\n");	/* all that other presets say stands below */
	for (row = 0; key_name(row); row++)
		if (key_lacks(row) < 0 && (cfg.board ? key_row(row)->flags & K_BOARD : row < KEY_USE || row == KEY_NAME))
			show(row, "", origins);
	return end(fd);
}

static void head(int row)
{
	say(1, "%s%s=%s\n", key_name(row), key_row(row)->flags & K_SUB ? "X" : "", key_what(row));
}

/* What others call it */
static const char *renamed(const char *word)
{
	static const char names[] = TEXT "limits\0.max\0namespaces\0ns.\0capabilities\0caps\0seccomp\0syscalls\0presets\0use\0ports\0listen\0";
	const char *s;
	int i;

	for (i = 0; *(s = unpacked(names, i)) && !same(s, word); i += 2)
		;
	return *s ? unpacked(names, i + 1) : word;
}

/* No key, but a part of some, or of what their values are: how many there are */
static int about(const char *word)
{
	const char *name;
	int row, n = 0;

	for (row = 0; (name = key_name(row)); row++)
		if (strstr(name, word) || starts(word, name) || strstr(key_what(row), word)) {
			head(row);
			n++;
		}
	return n;
}

/* The default is what a box has that says nothing. */
int cfg_help(const char *key)
{
	static struct box b;
	unsigned flags;
	int row;

	key = renamed(key);
	row = key_find(key);
	if (row < 0 && about(key))
		return 0;
	if (row < 0) {
		warnx("help: %s: no such verb or key%s - husk help all, husk.conf(5)", key, near_of(key, key_name));
		return 2;
	}
	if (key_lacks(row) >= 0) {
		warnx("help: %s: not in this program: made without %s", key, part_name(key_lacks(row)));
		return 2;
	}
	flags = key_row(row)->flags;
	head(row);
	say(1, "%s%s%s%sdefault:\n",
		flags & K_LIST ? TEXT "\ta list: lines add up, an empty value empties it\n" : "",
		flags & K_SKIP ? TEXT "\t? before it: go on without\n" : "",
		row > KEY_NAME ? TEXT "\tin board.conf alone\n" : flags & K_BOARD ? TEXT "\talso in board.conf\n" : "",
		flags & K_LIVE ? TEXT "\tmay change while the box runs: husk update\n" : "");
	cfg_load(&b, NULL, NULL, 0, NULL);
	if (flags & K_OPEN && *key_default(row))
		say(1, "%s\n", key_default(row));
	else
		cfg_show_key(row, 1, "", false);
	return 0;
}
