/* where.c - who said what, in which file and line; and how errors are said. */
#include <string.h>

#include "husk.h"

BASE struct reading *cfg_at(void)
{
	static struct reading reading BULK;

	return &reading;
}

/* Most that are asked for nobody has said. */
static bool said(int key)
{
	return cfg.said[key / 32] >> key % 32 & 1;
}

/* The last one: where lines add up, as of caps=, each has a mark of item 0. */
static struct mark *find(int key, int item)
{
	struct mark *m = cfg.marks + cfg.nmarks;

	if (!said(key))
		return NULL;
	while (m-- > cfg.marks)
		if (m->key == key && m->item == item)
			return m;
	return NULL;
}

static void mark(struct mark *m, int item)
{
	if (m == cfg.marks + MAXMARK) {
		cfg_here(NULL, text_full());
		return;
	}
	*m = (struct mark){ (uint8_t)cfg.key, (uint8_t)item, cfg.line, cfg.src, cfg.text };
	cfg.said[cfg.key / 32] |= 1u << cfg.key % 32;
	cfg.nmarks += m == cfg.marks + cfg.nmarks;
}

/* What was said before comes behind all others, as its line does. */
void cfg_mark(int item)
{
	struct mark *m = find(cfg.key, item);

	if (m)
		memmove(m, m + 1, (size_t)(cfg.marks + --cfg.nmarks - m) * sizeof *m);
	mark(cfg.marks + cfg.nmarks, item);
}

void cfg_mark_line(void)
{
	mark(cfg.marks + cfg.nmarks, 0);
}

const struct mark *cfg_marks(void)
{
	cfg.marks[cfg.nmarks].text = NULL;
	return cfg.marks;
}

/* Where an item is taken out of a list, those behind it move up. */
void cfg_unmark(int key, int item)
{
	struct mark *m, *to = cfg.marks, *end = to + cfg.nmarks;

	for (m = to; m < end; m++) {
		if (m->key == key && (item < 0 || m->item == item))
			continue;
		if (m->key == key && m->item > item)
			m->item--;
		if (to < m)
			*to = *m;
		to++;
	}
	cfg.nmarks = (unsigned)(to - cfg.marks);
}

static const char *source_name(const struct mark *m)
{
	const char *name = m->src->name;

	return name ? name : TEXT "command line";
}

/* Once in a layer; that of a higher one counts. */
const char *cfg_once(int item)
{
	struct mark *m = find(cfg.key, item);

	if (!m || m->src->layer != cfg.src->layer)
		mark(m ? m : cfg.marks + cfg.nmarks, item);
	else
		return cfg_wrong("%s:%u has it too", source_name(m), m->line);
	return NULL;
}

const char *cfg_slot(int i, uint8_t *n, int max)
{
	if (i == max)
		return cfg_wrong("more than %d of them", max);
	if (i < *n)
		return cfg_once(i);
	mark(cfg.marks + cfg.nmarks, (*n)++);
	return NULL;
}

const char *cfg_add(uint8_t *n, int max)
{
	return cfg_slot(*n, n, max);
}

int cfg_seek(const void *list, size_t size, int n, const char *s)
{
	const char *p = list;
	int i;

	for (i = 0; i < n && !same(*(const char *const *)p, s); i++)
		p += size;
	return i;
}

int cfg_layer(int key, int item)
{
	const struct mark *m = find(key, item);

	return m ? m->src->layer : -1;
}

/* Where a line in force is from; "": a default */
const char *cfg_from(const struct mark *m)
{
	const struct source *s = m->src;

	if (s->layer == L_USE)
		return fmts("use=%s", cfg.preset);
	if (!m->line)
		return "";
	return s->name ? fmts("%s:%u", s->name, m->line) : TEXT "command line";
}

/* "ns.mnt=host by use=host, line 2" */
const char *cfg_said(int key)
{
	const struct mark *m = find(key, 0);

	return fmts(m->line && m->src->name ? "%.*s%s%s, line %u" : "%.*s%s%s", (int)strcspn(m->text, "\n"), m->text,
		m->src->layer == L_USE ? " by use=" : "", m->src->layer == L_USE ? cfg.preset : "", m->line);
}

/* ------------------------------------------------------------------- errors */

/* What a file holds may be anything; a terminal obeys some of it. */
static void print(char *line, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((uint8_t)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	if (!cfg.first)
		say(2, "%s\n", line);
	else if (!*cfg.first && !cfg.warning)
		copy(cfg.first, FIRST_ERROR, line);
}

/* key: a name or a line, NULL: the line as a whole; line 0: the file as a whole. */
void cfg_complain(const char *file, unsigned line, const char *key, const char *what)
{
	static char text[480];
	size_t n = fmt(text, sizeof text, file && line ? "%s:%u" : "%s", file ? file : TEXT "command line", line), len;

	if (key) {
		len = strcspn(key, "=");
		n += fmt(text + n, sizeof text - n, ": %.*s", len < 60 ? (int)len : 60, key);
	}
	n += fmt(text + n, sizeof text - n, cfg.warning ? ": %s (warning)" : ": %s", what);
	print(text, n);
	cfg.errors += !cfg.warning;
	cfg.warning = false;
}

void cfg_here(const char *key, const char *what)
{
	cfg_complain(cfg.src->name, cfg.line, key, what);
}

/* What nobody said is blamed on the file. */
void (cfg_error)(int key, int item, const char *f, ...)
{
	static char what[400];
	const struct mark *m = find(key, item);
	va_list ap;

	va_start(ap, f);
	vfmt(what, sizeof what, f, &ap);
	va_end(ap);
	cfg_complain((m ? m->src : cfg.source)->name, m ? m->line : 0, m ? m->text + (*m->text == '?') : key_name(key), what);
}
