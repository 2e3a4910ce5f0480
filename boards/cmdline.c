/* cmdline.c - what the kernel's command line says to husk. Its words are cut as the
 * kernel cuts them, who gives the bare ones to init as well, but not those with a dot:
 * so all are read in /proc/cmdline, on both sides of --. What others own is passed over;
 * of ours a wrong one costs a line, and never the boot. */
#include <fcntl.h>
#include <string.h>

#include "husk.h"

static bool blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A " keeps blanks together, and goes where the word or its value begins with it. */
static char *next(char **at, char **value)
{
	char *p = *at, *word, *v = NULL;
	bool whole, in;

	while (blank(*p))
		p++;
	if (!*p)
		return NULL;
	whole = in = *p == '"';
	p += whole;
	for (word = p; *p && (in || !blank(*p)); p++) {
		if (*p == '=' && !v && p > word)
			v = p + 1;
		in ^= *p == '"';
	}
	*at = p + (*p != '\0');
	*p = '\0';
	if (p > word && p[-1] == '"' && (whole || (v && *v == '"' && p - 1 > v)))
		p[-1] = '\0';
	if (v) {
		v[-1] = '\0';
		v += *v == '"';
	}
	*value = v;
	return word;
}

static const char own[] = "conf|skip|single|debug";

/* Of ours, and of board.conf: what may stand behind husk. */
static const char *known(int i)
{
	const char *word = cfg_nth(own, i), *key;

	if (word)
		return word;
	key = key_name(i - 4);
	return key && !(key_row(i - 4)->flags & K_BOARD) ? "" : key;
}

static void wrong(const char *word, const char *what)
{
	warnx("kernel command line: husk.%.*s: %s", 60, cfg_plain(word) ? word : "?", what);
}

/* KEY=VALUE again, for the reader of board.conf */
static void over(struct cmdline *c, char *key, char *value)
{
	int row = key_find(key);
	size_t n = strlen(key);

	if (row < 0 || !(key_row(row)->flags & K_BOARD))
		wrong(key, fmts(TEXT "no such word%s", near_of(key, known)));
	else if (!value || c->nover == MAXOVER)
		wrong(key, value ? TEXT "too many of them" : TEXT "a value is missing");
	else {
		key[n] = '=';
		memmove(key + n + 1, value, strlen(value) + 1);
		c->over[c->nover++] = key;
	}
}

static void ours(struct cmdline *c, char *word, char *value)
{
	int which = cfg_index(own, word);
	bool takes = which == 0 || which == 1;

	if (which < 0)
		over(c, word, value);
	else if (takes && (!value || !*value))
		wrong(word, TEXT "a value is missing");
	else if (which == 0 && (*value != '/' || strlen(value) >= MAXDIR || !cfg_plain(value)))
		wrong(word, TEXT "not the path of a directory, of 47 bytes at most");
	else if (takes)
		*(which ? &c->skip : &c->conf) = value;
	else
		*(which == 2 ? &c->single : &c->debug) = true;
}

void board_cmdline_of(struct cmdline *c, char *text)
{
	char *word, *value;
	int n;

	while ((word = next(&text, &value)))
		if (starts(word, "husk."))
			ours(c, word + 5, value);
		else if (!value && cfg_index("ro|rw", word) >= 0)
			c->rw = !(c->ro = word[1] == 'o');
		else if (!value && cfg_index("single|emergency|rescue|s|S|-s|1", word) >= 0)
			c->single = true;
		else if (!value && same(word, "rootwait"))
			c->rootwait = true;
		else if (value && (n = cfg_index("root|rootfstype|rootflags|init", word)) >= 0)
			(&c->root)[n] = value;
}

/* Where the kernel is somebody else's, so is its command line: there our own words count. */
const struct cmdline *board_cmdline(void)
{
	static struct { struct cmdline c; bool read; char text[4096]; } line;
	int n = line.read ? 0 : read_file(board_inside() ? "/proc/1/cmdline" : "/proc/cmdline", line.text, sizeof line.text);

	line.read = true;
	if (n > 0) {
		while (n-- > 0)
			line.text[n] = line.text[n] ? line.text[n] : ' ';
		board_cmdline_of(&line.c, line.text);
	}
	return &line.c;
}

bool board_skips(const char *name)
{
	const char *p = board_cmdline()->skip, *end;

	for (; p && *p; p = end + (*end != '\0')) {
		end = strchrnul(p, ',');
		if (strlen(name) == (size_t)(end - p) && strncmp(p, name, (size_t)(end - p)) == 0)
			return true;
	}
	return false;
}
