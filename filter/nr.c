/*
 * nr.c - all names that syscalls= knows: groups, constants, system calls; and the
 * numbers of the calls on four architectures.
 *
 * One array holds the names in the order of their letters. An entry is four bits
 * with the count of letters shared with the one before, twelve bits of value, the
 * other letters, bit 7 in the last of them, and for some calls one more byte.
 * Codes below the letters stand for two. Every 32nd name stands whole: whole[] is
 * the index.
 *
 *	@GROUP	first and last class, 6 bits each
 *	CONST	the value, or from LARGE on where it lies in large[], from BIT on which bit it is,
 *		from VARIED on which of those it is that architectures have four values for
 *	call	9 bits: which call it is on all architectures; 3 of types[], and if these
 *		are 7, it is in the byte more
 *
 * Calls are numbered anew, nearly as i386 does it. For each architecture columns[]
 * says which call is behind each of its own numbers: a bit that is 1 for the next
 * call, or ten bits, 0 and the call. Once NONE or OLDCALL, a 1 is one more of these.
 */
#include <linux/audit.h>
#include <string.h>

#include "husk.h"
#include "nr.h"

enum { UNTYPED = 255, MORE = 7, LARGE = 0xf00, BIT = 0xf80, VARIED = 0xfc0 };

static const uint8_t names[] = { NR_NAMES };
static const uint8_t pairs[][2] = { NR_PAIRS };
static const uint16_t whole[] = { NR_STARTS };
static const uint16_t twins[] = { NR_TWINS NOCALL };
static const int32_t large[] = { NR_LARGE };
static const struct { uint8_t word, half; } types[] = { NR_TYPES };	/* half alone: an id, 16 bits on 32-bit machines; above 6 bits: how many */
const uint8_t filter_classes[] = { NR_CLASSES 0 };
static const uint8_t columns[] = { NR_COLUMNS 0, 0, 0 };
static const uint16_t begins[] = { NR_BEGINS };

static const struct arch archs[] = {
	{ AUDIT_ARCH_X86_64, 0x40000000, 0, NR_SLOTS_1, 0, 64, "x86_64" },	/* from there: x32, the same calls under other numbers */
	{ AUDIT_ARCH_I386, 0, 0, NR_SLOTS_2, 0, 32, "i386" },
	{ AUDIT_ARCH_ARM, 0, NR_PRIVATE, NR_SLOTS_3, NR_NPRIVATE, 32, "armv7" },
	{ AUDIT_ARCH_AARCH64, 0, 0, NR_SLOTS_4, 0, 64, "arm64" },
};

const struct arch *filter_arch BULK;
uint16_t filter_calls[MAXCALL] BULK;
static uint8_t machine BULK;			/* of archs[]: what filter_use() said */

static void take(const struct arch *a)
{
	unsigned slot, at = begins[a - archs] * 8u, call = 0;
	uint32_t v;

	filter_arch = a;
	for (slot = 0; slot < a->slots; slot++) {
		memcpy(&v, columns + at / 8, sizeof v);
		v >>= at % 8;
		if (v & 1) {
			call += call < OLDCALL;
			at++;
		} else {
			call = v >> 1 & NOCALL;
			at += 10;
		}
		filter_calls[slot] = (uint16_t)call;
	}
}

bool filter_use(const char *name)
{
	unsigned i = NR_NATIVE - 1;

	if (name)
		for (i = 0; !same(name, archs[i].name);)
			if (++i == sizeof archs / sizeof *archs)
				return false;
	machine = (uint8_t)i;
	take(archs + i);
	return true;
}

const char *filter_machine(uint32_t audit)
{
	const struct arch *a = archs;

	while (a->audit != audit)
		if (++a == archs + sizeof archs / sizeof *archs)
			return NULL;
	return a->name;
}

bool filter_compat(bool yes)
{
	const struct arch *a;

	if (!filter_arch)
		(void)filter_use(NULL);
	a = archs + machine;
	if (yes && a->bits == 64)
		a += machine ? -1 : 1;
	if (a != filter_arch)
		take(a);
	return archs[machine].bits == 64;
}

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
	n->type = n->value & 7;
	if (n->text[0] < '_')
		return p + 1;
	n->value >>= 3;
	if (n->type == MORE)
		n->type = *++p;
	return p + 1;
}

/* Good until the next one. */
const struct known *filter_find(const char *name)
{
	static struct known n BULK;
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

bool filter_constant(const char *name, uint64_t *v)
{
	const struct known *n = filter_find(name);
	unsigned i;

	if (!n || n->text[0] >= '_' || n->text[0] < 'A')
		return false;
	i = n->value;
	*v = i;
	if (i >= VARIED)
		*v = (uint64_t)large[(i - VARIED) * 4 + (unsigned)(filter_arch - archs)];
	else if (i >= LARGE && i - LARGE < sizeof large / sizeof *large - NR_VARIED)
		*v = (uint64_t)large[i - LARGE + NR_VARIED];
	else if (i >= BIT)
		*v = 1u << (i - BIT) % 32;
	return true;
}

const uint16_t *filter_twins(unsigned call)
{
	const uint16_t *first = twins, *t;

	for (t = twins; *t != NOCALL; t++) {
		if ((*t & TWIN_CALL) == call)
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

/* Goes over all names without reading them: tests ask for each call that they are of. */
struct call filter_widths(unsigned call)
{
	const uint8_t *p = names + NR_CALLS;
	unsigned value, type;
	uint8_t word, half;

	do {
		value = (p[0] & 15u) << 8 | p[1];
		for (p += 2; !(*p >> 7); p++)
			;
		type = value & 7;
		if (type == MORE)
			type = *++p;
		p++;
	} while (value >> 3 != call);
	if (type == UNTYPED)
		return (struct call){ false, 6, 0, 0 };
	word = types[type].word;
	half = types[type].half;
	return (struct call){ true, (uint8_t)(word >> 6 | half >> 6 << 2), (word | half) & 63,
		(filter_arch->bits == 64 ? word & half : half) & 63 };
}

uint32_t filter_number(unsigned call)
{
	const struct arch *a = filter_arch;
	unsigned slot, plain = a->slots - a->nprivate;

	for (slot = 0; slot < a->slots; slot++)
		if (filter_calls[slot] == call)
			return slot < plain ? slot : a->private + slot - plain;
	return NONUMBER;
}

unsigned filter_slot(uint32_t nr)
{
	const struct arch *a = filter_arch;
	unsigned plain = a->slots - a->nprivate;

	if (nr >= plain) {
		if (nr - a->private >= a->nprivate)
			return NOCALL;
		nr = plain + nr - a->private;
	}
	return filter_calls[nr] == OLDCALL ? NOCALL : filter_calls[nr];
}

const char *filter_call(uint32_t nr)
{
	unsigned call = filter_slot(nr);
	const struct known *n;
	int i = 0;

	do
		n = call == NOCALL ? NULL : filter_name(i++);
	while (n && (n->text[0] < '_' || n->value != call));
	return n ? n->text : NULL;
}
