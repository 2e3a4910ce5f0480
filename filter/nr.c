/*
 * nr.c - the target's system calls: names, numbers, widths of arguments.
 *
 * One array holds every name known on any of our architectures, in order. An
 * entry is a byte with the count of letters shared with the one before, the
 * other letters, and two bytes, of which the first is below all letters. From
 * 128 on a letter stands for two. 9 bits of slot and 6 of type lie in the last
 * two bytes and in what the count leaves of the first. Every 16th name stands
 * whole: whole[] is the index.
 */
#include <string.h>

#include "husk.h"
#include "nr.h"

enum { UNTYPED = 63, LONGEST = 40 };

static const uint8_t names[] = { NR_NAMES };
static const uint8_t pairs[] = { NR_PAIRS };
static const uint16_t whole[] = { NR_STARTS };
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

/* The name at p goes over the one before it in buf; returns where the next begins. */
static const uint8_t *unpack(const uint8_t *p, char *buf, unsigned *packed)
{
	unsigned first = *p++;

	for (buf += first & 31; *p >= 32; p++)
		buf = letters(*p, buf);
	*buf = '\0';
	*packed = (unsigned)p[0] << 10 | (first >> 5) << 8 | p[1];
	return p + 2;
}

static int order(const char *name, size_t len, const char *other)
{
	int d = strncmp(name, other, len);

	return d ? d : -(other[len] != '\0');
}

bool filter_find(const char *name, size_t len, struct call *c)
{
	unsigned lo = 0, hi = sizeof whole / sizeof *whole, mid, packed;
	const uint8_t *p;
	char buf[LONGEST];
	int d;

	while (hi - lo > 1) {
		mid = (lo + hi) / 2;
		(void)unpack(names + whole[mid], buf, &packed);
		if (order(name, len, buf) < 0)
			hi = mid;
		else
			lo = mid;
	}
	for (p = names + whole[lo]; p < names + sizeof names;) {
		p = unpack(p, buf, &packed);
		if ((d = order(name, len, buf)) > 0)
			continue;
		c->slot = (uint16_t)(packed >> 6);
		packed &= 63;
		c->typed = packed != UNTYPED;
		c->word = c->typed ? types[packed].word : 0;
		c->half = c->typed ? types[packed].half : 0;
		return d == 0;
	}
	return false;
}

const char *filter_name(int i)
{
	static char buf[LONGEST];
	static const uint8_t *p;
	unsigned packed;

	if (i == 0)
		p = names;
	if (p == names + sizeof names)
		return NULL;
	p = unpack(p, buf, &packed);
	return buf;
}

/* Calls that do one thing under names that no suffix tells. The first word of a
 * line is what the others reduce to. A ! says that their arguments stand in
 * different places: old mmap and select of i386 take one pointer to all. */
static const char twins[] =
	"!mmap mmap2\0"
	"!select _newselect\0"
	"!lseek _llseek\0"
	"!fadvise fadvise64 fadvise64_64 arm_fadvise64_64\0"
	"!sync_file_range sync_file_range2 arm_sync_file_range\0"
	"!sigsuspend rt_sigsuspend\0"
	"fstatat newfstatat\0"
	"stat oldstat\0"
	"fstat oldfstat\0"
	"lstat oldlstat\0"
	"uname olduname oldolduname\0"
	"getrlimit ugetrlimit\0"
	"umount umount2\0"
	"sigaction rt_sigaction\0"
	"sigpending rt_sigpending\0"
	"sigprocmask rt_sigprocmask\0"
	"sigreturn rt_sigreturn\0";

static size_t word_len(const char *s)
{
	return strcspn(s, " ");
}

static const char *line_of(const char *name, size_t len)
{
	const char *line, *w;

	for (line = twins; *line; line += strlen(line) + 1)
		for (w = line + (*line == '!'); *w; w += word_len(w) + (w[word_len(w)] == ' '))
			if (word_len(w) == len && memcmp(w, name, len) == 0)
				return line;
	return NULL;
}

static const char suffixes[][8] = { "_time64", "64", "32", "" };

static size_t stem(const char *name, size_t len)
{
	size_t i, n;

	for (i = 0; i < 3; i++) {
		n = strlen(suffixes[i]);
		if (len > n && memcmp(name + len - n, suffixes[i], n) == 0)
			return len - n;
	}
	return len;
}

static int add(const char *name, size_t len, struct call twin[MAXTWIN], int n)
{
	struct call c;
	int i;

	if (n == MAXTWIN || !filter_find(name, len, &c) || c.slot == NOCALL)
		return n;
	for (i = 0; i < n; i++)
		if (twin[i].slot == c.slot)
			return n;
	twin[n] = c;
	return n + 1;
}

int filter_twins(const char *name, size_t len, struct call twin[MAXTWIN], bool *differ)
{
	const char *line = line_of(name, len), *w;
	char buf[48];
	struct call c;
	size_t i, s = stem(name, len);
	int n = 0;

	if (len > 32 || !filter_find(name, len, &c))
		return -1;
	if (!line)
		line = line_of(name, s);
	if (line) {
		for (w = line + (*line == '!'); *w; w += word_len(w) + (w[word_len(w)] == ' '))
			n = add(w, word_len(w), twin, n);
		name = line + (*line == '!');
		s = word_len(name);
	}
	memcpy(buf, name, s);
	for (i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
		n = add(buf, s + copy(buf + s, sizeof suffixes[i], suffixes[i]), twin, n);
	*differ = line && *line == '!' && n > 1;
	return n;
}
