/* update.c - the limits of a box that runs become others: what differs is written,
 * and read back as at the start; or all is as it was.
 *
 * Two limits of one controller may depend on each other, and the kernel's answer says
 * it: memory.limit_in_bytes is never above memory.memsw.limit_in_bytes, a burst never
 * above its quota. So who is refused waits until the others are written, and is tried
 * again: as long as there is an order one by one, it is found. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "husk.h"

/* All of the one box go, and all of the other come. */
enum { MAXSETTING = 4 * MAXKNOB + 2 * NLIM, MAXCHANGE = 2 * MAXSETTING, ROOM = 8192 };

static struct {
	unsigned n, done, used;		/* changes; how many are written; of text */
	struct change {
		bool gone;		/* back to what a fresh leaf has: the row is one of the box that was */
		bool written;
		uint8_t row;
		uint16_t old;		/* in text: what stood there; 0: nothing is known */
	} change[MAXCHANGE];
	uint16_t order[MAXCHANGE];	/* in which they were written */
	const struct box *was;		/* of the last update */
	char	 text[ROOM];
} one;

_Static_assert(MAXSETTING < 256, "the number of a row is a byte");

/* The same line of the same file? */
static bool about(const struct setting *a, const struct setting *b)
{
	size_t n = a->keyed && a->text ? strcspn(a->text, " ") + 1 : 0;

	return a->ctl == b->ctl && same(a->file, b->file) && a->keyed == b->keyed && (!n || !strncmp(a->text, b->text, n));
}

/* Has the box a limit that writes there? text: and just that, and nobody who has gone
 * without it so far wants it now */
static bool has(struct run *r, const struct box *b, const struct setting *s, bool text)
{
	struct setting other;
	unsigned i;

	for (i = 0; i < cg_settings(b); i++)
		if (cg_setting(r, b, i, false, &other) > 0 && about(s, &other))
			return !text || (same(s->text, other.text) && s->skip >= other.skip);
	return false;
}

/* Those of a that b does not have, into the list. A device that is gone since the start
 * has no limit to be taken away; that one of b is not there is said when its turn comes. */
static int differences(struct run *r, const struct box *a, const struct box *b, bool gone)
{
	static char file[128], text[512];
	struct setting s;
	unsigned i;
	int e;

	for (i = 0; i < cg_settings(a); i++) {
		if ((e = cg_setting(r, a, i, false, &s)) < 0 && !gone)
			return e;
		if (s.absent && !gone)
			one.change[one.n++] = (struct change){ .row = (uint8_t)i };
		if (e <= 0)
			continue;
		copy(file, sizeof file, s.file);
		copy(text, sizeof text, s.text);
		s.file = file;
		s.text = text;
		if (!has(r, b, &s, !gone))
			one.change[one.n++] = (struct change){ .gone = gone, .row = (uint8_t)i };
	}
	return 0;
}

/* What stands there now. What was not there before its controller was has no text, nor
 * has an empty set: the kernel takes none from a cpuset that has processes. */
static int remember(struct run *r, struct change *c, const struct setting *s)
{
	bool v1 = V1(r, s->ctl);
	char *text = caps_file(cg_file(v1 ? s->ctl : NCTL, s->file));
	const char *line = text ? cg_line(text, s) : NULL;
	size_t n;

	if (c->old || !line || !*line)
		return 0;
	n = strlen(line) + 1;
	if (one.used + n >= ROOM)
		return fail_not(r, "more is changed than can be taken back: in several steps, please");
	c->old = (uint16_t)(one.used + 1);
	one.used += copy(one.text + c->old, n, line) + 1;
	return 0;
}

static int write_one(struct run *r, struct change *c, const struct box *was)
{
	const struct box *b = c->gone ? was : r->box;
	struct setting s;
	int e = cg_setting(r, b, c->row, c->gone, &s);

	if (e > 0 && s.text && *s.file)
		e = remember(r, c, &s);
	return e < 0 ? e : cg_limit(r, b, c->row, c->gone, true);
}

static bool one_back(struct run *r, const struct change *c, const struct box *was)
{
	struct setting s;

	if (cg_setting(r, c->gone ? was : r->box, c->row, !c->old, &s) <= 0 || !s.text || !*s.file)
		return true;
	return cg_put(V1(r, s.ctl) ? s.ctl : NCTL, s.file, c->old ? one.text + c->old : s.text) == 0 || s.loose;
}

/* Backwards, so that each step is one that the kernel took before. Who was refused may
 * have left something, too: what the kernel took, and read back differs. */
static bool back(struct run *r, const struct box *was)
{
	bool all = true;
	unsigned i;

	for (i = 0; i < one.n; i++)
		if (!one.change[i].written && one.change[i].old)
			(void)one_back(r, &one.change[i], was);
	while (one.done)
		all &= one_back(r, &one.change[one.order[--one.done]], was);
	return all;
}

static int attempt(struct run *r, unsigned i, const struct box *was)
{
	int e = write_one(r, &one.change[i], was);

	if (!e) {
		one.change[i].written = true;
		one.order[one.done++] = (uint16_t)i;
	}
	return e;
}

/* Those that can be written are; how many that were */
static unsigned one_turn(struct run *r, const struct box *was)
{
	unsigned i, n = 0;

	for (i = 0; i < one.n; i++)
		n += !one.change[i].written && attempt(r, i, was) == 0;
	return n;
}

/* The other way round: something else than a limit was refused. */
static int all_back(struct run *r, const struct box *now)
{
	const struct box *was = r->box;
	bool all;

	r->box = now;
	all = back(r, was);
	r->box = was;
	return all ? 0 : fail(r, "put back what was");
}

int cg_update(struct run *r, const struct box *was)
{
	static char why[sizeof r->why];
	unsigned i;
	int e;

	if (r->box == one.was)
		return all_back(r, was);
	one.was = was;
	one.n = one.done = one.used = 0;
	(void)differences(r, was, r->box, true);	/* first: cpu.weight and cpu.weight.nice are one */
	if ((e = differences(r, r->box, was, false)) < 0)
		return e;
	do {
		while (one.done < one.n && one_turn(r, was))
			;
		if (one.done == one.n)
			return 0;
		for (i = 0; one.change[i].written; i++)
			;
	} while ((e = attempt(r, i, was)) == 0);	/* it may go well now, and has to be known then */
	copy(why, sizeof why, r->why);
	fmt(r->why, sizeof r->why, back(r, was) ? "%s" : "%s, and not all is as before", why);
	return e;
}
