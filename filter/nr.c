/*
 * nr.c - the target's system calls: names, numbers, widths of arguments.
 *
 * One array holds every name known on any of our architectures, in order, each
 * followed by two bytes of slot and one of type, which alone have bit 7: so the
 * array needs no index and no pointer, and a search may land anywhere in it.
 */
#include <string.h>

#include "husk.h"
#include "nr.h"

enum { ELSEWHERE = 0x3fff, UNTYPED = 127, TAIL = 3 };

static const uint8_t names[] = { NR_NAMES };
static const uint8_t known[] = { NR_KNOWN };
static const struct { uint8_t word, half; } types[] = { NR_TYPES };

const struct arch filter_arch = {
	.audit = NR_AUDIT, .foreign = NR_FOREIGN, .private = NR_PRIVATE,
	.slots = NR_MAX + 1 + NR_NPRIVATE, .nprivate = NR_NPRIVATE, .bits = NR_BITS, .low = NR_LOW,
};

_Static_assert(NR_MAX + 1 + NR_NPRIVATE <= MAXCALL, "MAXCALL is too small for this target");

bool filter_known(int slot)
{
	return known[slot / 8] >> slot % 8 & 1;
}

/* <0, 0, >0 as name stands before, at, behind the entry; *end: its tail */
static int order(const char *name, size_t len, const uint8_t *p, const uint8_t **end)
{
	size_t i;
	int d = 0;

	for (i = 0; *p < 0x80; p++, i++)
		if (!d)
			d = i < len ? (uint8_t)name[i] - *p : -1;
	*end = p;
	return d ? d : i < len;
}

static void fill(struct call *c, const uint8_t *tail)
{
	int slot = (tail[0] & 0x7f) << 7 | (tail[1] & 0x7f), type = tail[2] & 0x7f;

	c->slot = (int16_t)(slot == ELSEWHERE ? -1 : slot);
	c->typed = type != UNTYPED;
	c->word = c->typed ? types[type].word : 0;
	c->half = c->typed ? types[type].half : 0;
}

bool filter_find(const char *name, size_t len, struct call *c)
{
	const uint8_t *lo = names, *hi = names + sizeof names, *mid, *tail;
	int d;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		while (mid > lo && (*mid >= 0x80 || mid[-1] < 0x80))
			mid--;
		d = order(name, len, mid, &tail);
		if (d == 0) {
			fill(c, tail);
			return true;
		}
		if (d < 0)
			hi = mid;
		else
			lo = tail + TAIL;
	}
	return false;
}

const char *filter_next(const char *prev, char *buf)
{
	static const uint8_t *p;

	if (!prev)
		p = names;
	if (p == names + sizeof names)
		return NULL;
	for (prev = buf; *p < 0x80; p++)
		*buf++ = (char)*p;
	*buf = '\0';
	p += TAIL;
	return prev;
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

	if (n == MAXTWIN || !filter_find(name, len, &c) || c.slot < 0)
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
