/*
 * nr.c - all names that syscalls= knows: groups, constants, system calls.
 *
 * One array holds them in the order of their letters, calls of our other
 * architectures too. An entry is four bits with the count of letters shared with
 * the one before, twelve bits of value, the other letters, bit 7 in the last of
 * them, and for some calls one more byte. Codes below the letters stand for two.
 * Every 32nd name stands whole: whole[] is the index.
 *
 *	@GROUP	first and last class, 6 bits each
 *	CONST	the value, or from LARGE on where it lies in large[], from BIT on which bit it is
 *	call	9 bits of slot, 3 of types[]; if these are 7, it is in the byte more,
 *		whose bit 7 says that only other architectures have this name
 */
#include <string.h>

#include "husk.h"
#include "nr.h"

enum { UNTYPED = 63, MORE = 7, LARGE = 0xf00, BIT = 0xf80 };

static const uint8_t names[] = { NR_NAMES };
static const uint8_t pairs[][2] = { NR_PAIRS };
static const uint16_t whole[] = { NR_STARTS };
static const uint16_t twins[] = { NR_TWINS NOCALL };
static const int32_t large[] = { NR_LARGE };
static const struct { uint8_t word, half; } types[] = { NR_TYPES };
const uint8_t filter_classes[] = { NR_CLASSES 0 };

const struct arch filter_arch = { .name = "native",
	.audit = NR_AUDIT, .foreign = NR_FOREIGN, .private = NR_PRIVATE,
	.slots = NR_MAX + 1 + NR_NPRIVATE, .nprivate = NR_NPRIVATE, .bits = NR_BITS, .low = NR_LOW,
};

_Static_assert(NR_MAX + 1 + NR_NPRIVATE <= MAXCALL, "MAXCALL is too small for this target");

static char *letters(unsigned c, char *to, int capital)
{
	for (; c < '_' && pairs[c][0] + pairs[c][1]; c = pairs[c][1])
		to = letters(pairs[c][0], to, capital);
	*to = (char)(c > '_' ? c - capital : c);
	return to + 1;
}

/* The name at p goes over the one before it; returns where the next begins. */
static const uint8_t *unpack(const uint8_t *p, struct known *n)
{
	int capital = p >= names + NR_CONSTANTS && p < names + NR_CALLS ? 'a' - 'A' : 0;
	char *to = n->text + (*p >> 4);

	n->value = (uint16_t)((p[0] & 15) << 8 | p[1]);
	for (p += 2;; p++) {
		to = letters(*p & 127, to, capital);
		if (*p >> 7)
			break;
	}
	*to = '\0';
	n->type = MORE;
	n->foreign = false;
	if (n->text[0] < '_')
		return p + 1;
	n->type = n->value & 7;
	n->value >>= 3;
	if (n->type == MORE) {
		n->type = *++p & 127;
		n->foreign = *p >> 7;
	}
	return p + 1;
}

/* Good until the next one. */
const struct known *filter_find(const char *name)
{
	static struct known n;
	unsigned lo = 0, hi = sizeof whole / sizeof *whole, mid;
	const uint8_t *p;
	int d = 1;

	while (hi - lo > 1) {
		mid = (lo + hi) / 2;
		(void)unpack(names + whole[mid], &n);
		if (strcmp(name, n.text) < 0)
			hi = mid;
		else
			lo = mid;
	}
	for (p = names + whole[lo]; d > 0 && p < names + sizeof names;) {
		p = unpack(p, &n);
		d = strcmp(name, n.text);
	}
	return d ? NULL : &n;
}

bool filter_constant(const char *name, unsigned long *v)
{
	const struct known *n = filter_find(name);
	unsigned i;

	if (!n || n->text[0] >= '_' || n->text[0] < 'A')
		return false;
	i = n->value - LARGE;
	if (n->value < LARGE)
		*v = n->value;
	else
		*v = i < sizeof large / sizeof *large ? (unsigned long)large[i] : 1ul << (n->value - BIT);
	return true;
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

const struct known *filter_name(int i)
{
	static struct known n;
	static size_t at;

	if (i == 0)
		at = 0;
	if (at == sizeof names)
		return NULL;
	at = (size_t)(unpack(names + at, &n) - names);
	return &n;
}

unsigned filter_slot(uint32_t nr)
{
	const struct arch *a = &filter_arch;
	unsigned plain = a->slots - a->nprivate;

	if (nr < plain)
		return nr;
	return nr - a->private < a->nprivate ? plain + nr - a->private : NOCALL;
}

uint32_t filter_number(unsigned slot)
{
	const struct arch *a = &filter_arch;
	unsigned plain = a->slots - a->nprivate;

	return slot < plain ? slot : a->private + slot - plain;
}

const char *filter_call(uint32_t nr)
{
	const struct known *n;
	int i;

	for (i = 0; (n = filter_name(i)); i++)
		if (n->text[0] >= '_' && !n->foreign && n->value == filter_slot(nr) && n->value != NOCALL)
			return n->text;
	return NULL;
}

struct call filter_widths(unsigned slot)
{
	const struct known *n;
	int i = 0;

	do
		n = filter_name(i++);
	while (n->text[0] < '_' || n->foreign || n->value != slot);
	if (n->type == UNTYPED)
		return (struct call){ false, 0, 0 };
	return (struct call){ true, types[n->type].word, types[n->type].half };
}
