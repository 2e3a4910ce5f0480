/*
 * print.c - husk show: the lines that are in force, of all layers, key by key
 * in the order of the table; what nobody said stands there with its default.
 * Nothing is turned back into text: who reads the lines again has the same box.
 */
#include <string.h>
#include <unistd.h>

#include "husk.h"

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
static bool lines(int row, int fd, const char *tab, bool origins)
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
			say(fd, "# %s\n", from);
		say(fd, "%s", tab);
		(void)!write(fd, m->text, (size_t)(strchrnul(m->text, '\n') - m->text));
		say(fd, "\n");
		any = true;
	}
	return any;
}

/* A list is emptied first: the defaults are read before this. */
void cfg_show_key(int row, int fd, const char *tab, bool origins)
{
	const char *key = key_name(row), *what = key_what(row), *first = strchr(what, '(');
	unsigned flags = key_row(row)->flags;
	bool list = flags & K_LIST && !(flags & K_OPEN);

	if (list)
		say(fd, "%s%s=\n", tab, key);
	if (lines(row, fd, tab, origins) || list || flags & K_SUB)
		return;
	if (flags & K_OPEN)
		say(fd, "%s# %s is not set\n", tab, key);
	else {
		first = first ? first + 1 : what;
		say(fd, "%s%s=%.*s\n", tab, key, (int)strcspn(first, ",|)"), first);
	}
}

void cfg_show(int fd, bool origins)
{
	int row;

	say(fd, "use=service\n");	/* all that other presets say stands below */
	for (row = 0; row < key_find("use"); row++)
		cfg_show_key(row, fd, "", origins);
	cfg_show_key(key_find("name"), fd, "", origins);
}

/* The default is what a box has that says nothing. */
int cfg_help(const char *key)
{
	static struct box b;
	int row = key_find(key);
	unsigned flags;

	if (row < 0) {
		say(2, "husk: help: %s: no such key%s\n", key, near_of(key, key_name));
		return 2;
	}
	flags = key_row(row)->flags;
	say(1, "%s%s=%s\n%s%s%sdefault:\n", key_name(row), flags & K_SUB ? "X" : "", key_what(row),
		flags & K_LIST ? TEXT "\ta list: lines add up, an empty value empties it\n" : "",
		flags & K_SKIP ? TEXT "\t? before it: go on without\n" : "",
		flags & K_BOARD ? TEXT "\talso in board.conf\n" : "");
	cfg_load(&b, NULL, NULL, 0, NULL);
	cfg_show_key(row, 1, "", false);
	return 0;
}
