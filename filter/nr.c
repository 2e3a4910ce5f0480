/*
 * nr.c - the target's system calls: names, numbers, widths of arguments.
 *
 * One array holds every name known on any of our architectures, in order. An
 * entry is a byte with the count of letters shared with the one before, the
 * other letters, and two bytes, of which the first is below all letters. From
 * 128 on a letter stands for two. 9 bits of slot and 6 of type lie in the last
 * two bytes and in what the count leaves of the first, whose bit 7 says that only
 * other architectures have it. Every 32nd name stands whole: whole[] is the index.
 */
#include <string.h>

#include "husk.h"
#include "nr.h"

enum { UNTYPED = 63, LONGEST = 40 };

struct entry {
	uint16_t slot;			/* of the call, or of a twin of it */
	uint8_t	 type;
	bool	 foreign;		/* the target does not have this one */
	char	 name[LONGEST];
};

static const uint8_t names[] = { NR_NAMES };
static const uint8_t pairs[] = { NR_PAIRS };
static const uint16_t whole[] = { NR_STARTS };
static const uint16_t twins[] = { NR_TWINS NOCALL };
static const struct { uint8_t word, half; } types[] = { NR_TYPES };
const uint8_t filter_class[] = { NR_CLASSES };

const struct arch filter_arch = {
	.audit = NR_AUDIT, .foreign = NR_FOREIGN, .private = NR_PRIVATE,
	.slots = NR_MAX + 1 + NR_NPRIVATE, .nprivate = NR_NPRIVATE, .bits = NR_BITS, .low = NR_LOW,
};

_Static_assert(NR_MAX + 1 + NR_NPRIVATE <= MAXCALL, "MAXCALL is too small for this target");

static char *letters(unsigned c, char *to)
{
	for (; c >= 128; c = pairs[2 * (c - 128) + 1])
		to = letters(pairs[2 * (c - 128)], to);
	*to = (char)c;
	return to + 1;
}

/* The name at p goes over the one before it; returns where the next begins. */
static const uint8_t *unpack(const uint8_t *p, struct entry *e)
{
	char *to = e->name + (*p & 31);

	e->foreign = *p >> 7;
	e->slot = (uint16_t)((*p++ & 0x60) >> 3);
	for (; *p >= 32; p++)
		to = letters(*p, to);
	*to = '\0';
	e->slot |= (uint16_t)(p[0] << 4 | p[1] >> 6);
	e->type = p[1] & 63;
	return p + 2;
}

static int order(const char *name, size_t len, const char *other)
{
	int d = strncmp(name, other, len);

	return d ? d : -(other[len] != '\0');
}

int filter_find(const char *name, size_t len, bool exact)
{
	unsigned lo = 0, hi = sizeof whole / sizeof *whole, mid;
	struct entry e;
	const uint8_t *p;
	int d = 1;

	while (hi - lo > 1) {
		mid = (lo + hi) / 2;
		(void)unpack(names + whole[mid], &e);
		if (order(name, len, e.name) < 0)
			hi = mid;
		else
			lo = mid;
	}
	for (p = names + whole[lo]; d > 0 && p < names + sizeof names;) {
		p = unpack(p, &e);
		d = order(name, len, e.name);
	}
	return d ? -1 : exact && e.foreign ? NOCALL : e.slot;
}

const uint16_t *filter_twins(unsigned slot)
{
	const uint16_t *first = twins, *t;

	for (t = twins; *t != NOCALL; t++) {
		if ((*t & TWIN_SLOT) == slot)
			return first;
		if (*t & TWIN_LAST)
			first = t + 1;
	}
	return NULL;
}

struct call filter_widths(unsigned slot)
{
	const uint8_t *p = names;
	struct entry e;

	do
		p = unpack(p, &e);
	while (e.foreign || e.slot != slot);
	if (e.type == UNTYPED)
		return (struct call){ false, 0, 0 };
	return (struct call){ true, types[e.type].word, types[e.type].half };
}

const char *filter_name(int i)
{
	static struct entry e;
	static const uint8_t *p = names;

	if (i == 0)
		p = names;
	if (p == names + sizeof names)
		return NULL;
	p = unpack(p, &e);
	return e.name;
}
