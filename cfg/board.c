/* board.c - the setters of what board.conf alone has. */
#include <string.h>

#include "husk.h"

/* A word more, with TTY for each %t; what there is no room for is a value that is too long. */
static bool word(struct terminal *t, size_t *n, const char *w)
{
	const char *p;
	size_t len;

	for (; *w; w = p) {
		p = strstr(w, "%t");
		len = p ? (size_t)(p - w) : strlen(w);
		if (*n + len + sizeof t->tty + 2 > sizeof t->words)
			return false;
		memcpy(t->words + *n, w, len);
		*n += len;
		if (p)
			*n += copy(t->words + *n, sizeof t->tty, t->tty);
		p = p ? p + 2 : w + len;
	}
	t->words[(*n)++] = '\0';
	return true;
}

/* TTY[:ask], then a program, where there is one. */
const char *cfg_set_console(struct box *b, char *v)
{
	static struct terminal t;
	const char *e;
	char *w = NULL, *ask;
	size_t n = 0;

	memset(&t, 0, sizeof t);
	if ((e = cfg_quoted(&v, &w, false)) || !w)
		return e ? e : cfg_not();
	if ((ask = strchr(w, ':')))
		*ask++ = '\0';
	w += starts(w, "/dev/") ? 5 : 0;
	t.ask = ask;
	if (!cfg_chars(w, strlen(w), "0/.-") || strstr(w, "..") || copy(t.tty, sizeof t.tty, w) >= sizeof t.tty || (ask && !same(ask, "ask")))
		return cfg_not();
	while (!(e = cfg_quoted(&v, &w, false)) && w)
		if (!n && *w != '/')
			return cfg_not();
		else if (!word(&t, &n, w))
			return cfg_wrong("a program and its arguments of more than %zu bytes", sizeof t.words - 2);
	t.ask |= !n;
	if (!e && !(e = cfg_add(&b->board.nconsole, MAXCONSOLE)))
		b->board.console[b->board.nconsole - 1] = t;
	return e;
}
