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

/* Once in a layer; that of a higher one counts. */
const char *cfg_once(int item)
{
	struct mark *m = find(cfg.key, item);

	if (!m || cfg.source[m->src].layer != cfg.source[cfg.src].layer)
		mark(m ? m : marks + cfg.nmarks, item);
	else if (cfg.source[m->src].layer == L_WORDS)
		return "given twice";
	else if (m->src != cfg.src)
		return cfg_wrong("%s:%u has it too", cfg.source[m->src].name, m->line);
	else
		return cfg_wrong("line %u has it too", m->line);
	return NULL;
}

const char *cfg_slot(int i, uint8_t *n, int max)
{
	if (i == max)
		return cfg_wrong("more than %d of them", max);
	if (i < *n)
		return cfg_once(i);
	mark(marks + cfg.nmarks, (*n)++);
	return NULL;
}

const char *cfg_add(uint8_t *n, int max)
{
	return cfg_slot(*n, n, max);
}

int cfg_layer(int key, int item)
{
	const struct mark *m = find(key, item);

	return m ? cfg.source[m->src].layer : -1;
}

/* "ns.mnt=host by use=host, line 2" */
const char *cfg_said(int key)
{
	static char text[160];
	const struct mark *m = find(key, 0);
	bool preset = m && cfg.source[m->src].layer == L_USE;
	size_t n = m ? fmt(text, sizeof text, "%.*s", (int)strcspn(m->text, "\n"), m->text) : 0;

	if (preset) {
		n += fmt(text + n, sizeof text - n, " by use=%s", cfg_used());
		m = find(KEY_USE, 0);
	}
	if (m && cfg.source[m->src].name)
		fmt(text + n, sizeof text - n, ", line %u", m->line);
	return text;
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

/* key: a name or a line, NULL: the line as a whole; line 0: the file as a whole. */
void cfg_complain(const char *file, unsigned line, const char *key, const char *what)
{
	static char text[480];
	size_t n = fmt(text, sizeof text, file && line ? "%s:%u" : "%s", file ? file : "command line", line), len;

	if (key) {
		len = strcspn(key, "=");
		n += fmt(text + n, sizeof text - n, ": %.*s", len < 60 ? (int)len : 60, key);
	}
	n += fmt(text + n, sizeof text - n, ": %s%s", what, cfg.warning ? " (warning)" : "");
	print(text, n);
	cfg.errors += !cfg.warning;
	cfg.warning = false;
}

void cfg_here(const char *key, const char *what)
{
	cfg_complain(cfg.source[cfg.src].name, cfg.line, key, what);
}

/* What a preset says is blamed on the use= that named it, what nobody said on
 * the file. */
void cfg_error(int key, int item, const char *f, ...)
{
	static char what[400];
	const struct mark *m = find(key, item), *at = m;
	const char *name = m ? m->text + (*m->text == '?') : key_name(key), *file = NULL;
	unsigned i;
	va_list ap;

	va_start(ap, f);
	vfmt(what, sizeof what, f, &ap);
	va_end(ap);
	if (m && cfg.source[m->src].layer == L_USE && !cfg.source[m->src].name)
		at = find(KEY_USE, 0);
	if (at && cfg.source[at->src].layer != L_DEFAULTS)
		file = cfg.source[at->src].name;
	else
		for (at = NULL, i = 0; i < cfg.nsources; i++)
			if (cfg.source[i].layer == L_FILE)
				file = cfg.source[i].name;
	cfg_complain(file, at ? at->line : 0, name, what);
}
