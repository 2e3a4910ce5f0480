/* where.c - who said what, in which file and line; and how errors are said. */
#include <string.h>

#include "husk.h"

enum { MAXMARK = 1024 };

struct reading cfg;

static struct mark marks[MAXMARK + 1];

/* The last one: where lines add up, as of caps=, each has a mark of item 0. */
static struct mark *find(int key, int item)
{
	struct mark *m = marks + cfg.nmarks;

	while (m-- > marks)
		if (m->key == key && m->item == item)
			return m;
	return NULL;
}

static void mark(struct mark *m, int item)
{
	if (m == marks + MAXMARK) {
		cfg_here(NULL, text_full());
		return;
	}
	*m = (struct mark){ (uint8_t)cfg.key, (uint8_t)item, (uint8_t)cfg.src, cfg.line, cfg.text };
	cfg.nmarks += m == marks + cfg.nmarks;
}

/* What was said before comes behind all others, as its line does. */
void cfg_mark(int item)
{
	struct mark *m = find(cfg.key, item);

	if (m)
		memmove(m, m + 1, (size_t)(marks + --cfg.nmarks - m) * sizeof *m);
	mark(marks + cfg.nmarks, item);
}

void cfg_mark_line(void)
{
	mark(marks + cfg.nmarks, 0);
}

const struct mark *cfg_marks(void)
{
	marks[cfg.nmarks].text = NULL;
	return marks;
}

/* Where an item is taken out of a list, those behind it move up. */
void cfg_unmark(int key, int item)
{
	struct mark *m, *to = marks;

	for (m = marks; m < marks + cfg.nmarks; m++) {
		if (m->key == key && (item < 0 || m->item == item))
			continue;
		if (m->key == key && m->item > item)
			m->item--;
		*to++ = *m;
	}
	cfg.nmarks = (unsigned)(to - marks);
}

const char *cfg_twice(int item)
{
	const struct mark *m = find(cfg.key, item);

	if (!m || cfg.source[m->src].layer != cfg.source[cfg.src].layer)
		return NULL;
	if (cfg.source[m->src].layer == L_WORDS)
		return "given twice";
	if (m->src != cfg.src)
		return cfg_wrong("%s:%u has it too", cfg.source[m->src].name, m->line);
	return cfg_wrong("line %u has it too", m->line);
}

const char *cfg_slot(int i, uint8_t *n, int max)
{
	struct mark *m;
	const char *e;

	if (i == max)
		return cfg_wrong("more than %d of them", max);
	if (i < *n && (e = cfg_twice(i)))
		return e;
	m = find(cfg.key, i);
	mark(m && i < *n ? m : marks + cfg.nmarks, i);
	*n += i == *n;
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

	return m ? cfg.source[m->src].layer : -1;
}

/* What a preset says is blamed on the use= that named it. */
bool cfg_where(const char *key, int item, const char **file, unsigned *line)
{
	const struct mark *m = mark_of(key, item);

	if (m && cfg.source[m->src].layer == L_USE && !cfg.source[m->src].name)
		m = mark_of("use", 0);
	if (!m || !cfg.source[m->src].name)
		return false;
	*file = cfg.source[m->src].name;
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
void cfg_complain(const char *file, unsigned line, const char *key, const char *what)
{
	static char text[480];
	size_t n = fmt(text, sizeof text, file && line ? "%s:%u" : "%s", file ? file : "command line", line);

	if (key)
		n += fmt(text + n, sizeof text - n, ": %.*s", 60, key);
	n += fmt(text + n, sizeof text - n, ": %s%s", what, cfg.warning ? " (warning)" : "");
	print(text, n);
	cfg.errors += !cfg.warning;
	cfg.warning = false;
}

void cfg_here(const char *key, const char *what)
{
	cfg_complain(cfg.source[cfg.src].name, cfg.line, key, what);
}

/* The text begins with its key, and the key says where. */
int cfg_error(int item, const char *f, ...)
{
	static char key[400];
	const char *file = NULL;
	unsigned line = 0, i;
	int n = !cfg.warning;
	char *what;
	va_list ap;

	va_start(ap, f);
	vfmt(key, sizeof key, f, &ap);
	va_end(ap);
	what = strchrnul(key, ':');
	*what = '\0';
	if (!cfg_where(key, item, &file, &line))
		for (i = 0; i < cfg.nsources; i++)
			if (cfg.source[i].layer == L_FILE && cfg_layer(key, item) != L_WORDS)
				file = cfg.source[i].name;
	cfg_complain(file, line, key, what + 2);
	return n;
}
