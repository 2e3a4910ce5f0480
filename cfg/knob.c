/* knob.c - limits that are texts: what is written is checked, and made into what
 * the kernel reads and prints on v2, so that it can be compared when it is read
 * back. Devices are looked up when the box starts. */
#include <string.h>

#include "husk.h"

enum { MAXLIST = 1024, TEXTMAX = 250 };

static const char rates[] = "rbps|wbps|riops|wiops";
static const char controllers[] = "memory|cpu|cpuset|pids|io|blkio|hugetlb|rdma|misc|net_cls|net_prio";

const char *cfg_controller(int i)
{
	return cfg_nth(controllers, i);
}

/* Does a file of this name belong to a controller? Files of the same directory
 * that do something, instead of being a limit, do not; and two letters more or less are
 * a slip, but for the one that is so near. */
bool cfg_is_knob(const char *key)
{
	static struct near near;
	const char *dot = strchr(key, '.'), *s;
	int i;

	if (!dot || cfg_index(controllers, fmts("%.*s", (int)(dot - key), key)) < 0 ||
	    !cfg_chars(key, strlen(key), " 0.-") || strlen(key) > 60 ||
	    cfg_index("pressure|pressure_level|reclaim|force_empty|reset_stats", dot + 1) >= 0)
		return false;
	near_begin(&near, key);
	for (i = 0; (s = key_name(i)); i++)
		near_try(&near, s);
	return near.best > 2 || same(key, "memory.zswap.max");
}

/* Of DEVICE:VALUE, or as the kernel has it DEVICE VALUE, the first; NULL: there is none. */
static char *subject(char **v)
{
	char *s = *v, *p, *end = NULL;

	for (p = s; *p && *p != '='; p++)
		if (*p == ' ' || *p == ':') {
			end = p;
			if (*p == ' ')
				break;
		}
	if (!end)
		return NULL;
	*end = '\0';
	*v = end + 1;
	return s;
}

/* A number, max, or a size where it is one: as the kernel prints it; NULL: it is neither. */
static const char *quantum(const char *v, uint64_t from, uint64_t to, bool size)
{
	uint64_t n;

	if (same(v, "max"))
		return v;
	if (size ? !cfg_size(v, &n) || n >= PERCENT : number(v, to, &n) != NULL)
		return NULL;
	return n < from ? NULL : fmts("%llu", (unsigned long long)n);
}

static const char *one_of(int row, int i, char *v)
{
	uint32_t us;

	if (row == KEY_IO_MAX)
		return quantum(v, 1, UINT32_MAX - 1, i < 2);
	if (row == KEY_RDMA_MAX)
		return quantum(v, 0, INT32_MAX, false);
	return cfg_time(v, 1000000, 60000000, &us) || cfg_digits(v, 60000000, &us) ? fmts("%u", us) : quantum(v, 0, 0, false);
}

static const char *rate(int i)
{
	return cfg_nth(rates, i);
}

/* NAME=N,NAME=N: all names of the row, those that are not said with max. */
static const char *pairs(int row, char *v, char *to, size_t max)
{
	const char *names = row == KEY_IO_MAX ? rates : row == KEY_RDMA_MAX ? "hca_handle|hca_object" : "target", *val[4] = { NULL }, *name;
	size_t n = 0;
	char *w, *eq;
	int i;

	if (!*v)
		return cfg_not();
	while ((w = cfg_word(&v))) {
		if ((eq = strchr(w, '=')))
			*eq = '\0';
		if (!eq || (i = cfg_index(names, w)) < 0)
			return row == KEY_IO_MAX ? cfg_bad(w, names, near_of(w, rate)) : cfg_not();
		if (val[i] || !(val[i] = one_of(row, i, eq + 1)))
			return cfg_not();
	}
	for (i = 0; (name = cfg_nth(names, i)); i++)
		n += fmt(to + n, max - n, i ? " %s=%s" : "%s=%s", name, val[i] ? val[i] : "max");
	return NULL;
}

/* 0-1,3: as the kernel prints such a set */
static const char *set_of(char *v, char *to, size_t max)
{
	static uint8_t on[MAXLIST / 8 + 1];
	const char *first;
	uint32_t lo, hi, i;
	size_t n = 0;
	char *w;

	memset(on, 0, sizeof on);
	if (strstr(v, ",,"))
		return cfg_not();
	while ((w = cfg_word(&v))) {
		first = strsep(&w, "-");
		if (!cfg_digits(first, MAXLIST - 1, &lo) || !cfg_digits(w ? w : first, MAXLIST - 1, &hi) || lo > hi)
			return cfg_not();
		for (; lo <= hi; lo++)
			on[lo / 8] |= (uint8_t)(1 << lo % 8);
	}
	for (i = 0; i < MAXLIST; i++) {
		if (!(on[i / 8] >> i % 8 & 1))
			continue;
		for (lo = i; on[(i + 1) / 8] >> (i + 1) % 8 & 1; i++)
			;
		n += fmt(to + n, max - n, lo == i ? "%s%u" : "%s%u-%u", n ? "," : "", lo, i);
	}
	return n && n < max - 1 ? NULL : cfg_not();
}

/* hugetlb.SIZE.max and hugetlb.SIZE.rsvd.max count whole pages of SIZE; 0: another file */
uint64_t cfg_pages(const char *file)
{
	uint64_t size;
	const char *p = file + 8, *end = decimal(p, &size), *unit = "KMG", *u = *end ? strchr(unit, *end) : NULL;

	if (end == p || end - p > 4 || !u || end[1] != 'B' || cfg_index(".max|.rsvd.max", end + 2) < 0)
		return 0;
	return size << 10 * (u - unit + 1);
}

static const char *huge(uint64_t size, const char *v)
{
	uint64_t n;

	if (same(v, "max"))
		return v;
	if (!cfg_size(v, &n))
		return NULL;
	n = n & PERCENT ? ram() / 100 * (n & ~PERCENT) : n;
	return n && n < size ? NULL : fmts("%llu", (unsigned long long)(n & ~(size - 1)));	/* less than one page would be none */
}

static const char *hex(const char *v)
{
	size_t n = strlen(v);

	if (!starts(v, "0x"))
		return quantum(same(v, "max") ? "" : v, 0, UINT32_MAX, false);
	return n < 3 || n > 10 || strspn(v + 2, "0123456789abcdef") != n - 2 ? NULL : fmts("%llu", (unsigned long long)caps_mask(v + 2));
}

/* One value alone */
static const char *single(const struct knob *k, char *v)
{
	uint64_t size;

	switch (k->row) {
	case KEY_IO_WEIGHT:
		return same(v, "max") ? NULL : quantum(v, 1, 10000, false);
	case KEY_MISC_MAX:
		return quantum(v, 0, INT64_MAX, false);
	case KEY_NET_PRIO:
		return same(v, "max") ? NULL : quantum(v, 0, UINT32_MAX, false);
	case KEY_NET_CLS:
		return hex(v);
	case KEY_HUGETLB:
		if ((size = cfg_pages(k->file)))
			return huge(size, v);
	}
	return strlen(v) < TEXTMAX && cfg_plain(v) ? v : NULL;
}

static const char *made(const struct knob *k, char *v, char *to, size_t max)
{
	const char *text;

	if (k->row == KEY_CPUSET_CPUS || k->row == KEY_CPUSET_MEMS)
		return set_of(v, to, max);
	if (k->row == KEY_IO_MAX || k->row == KEY_IO_LATENCY || k->row == KEY_RDMA_MAX)
		return pairs(k->row, v, to, max);
	if (!(text = single(k, v)))
		return cfg_not();
	copy(to, max, text);
	return NULL;
}

/* The one that a line is about again takes its place. */
static const char *place(struct box *b, const struct knob *k)
{
	const char *e;
	int i;

	for (i = 0; i < b->nknob; i++)
		if (same(b->knob[i].file, k->file) && (k->of ? b->knob[i].of && same(b->knob[i].of, k->of) : !b->knob[i].of))
			break;
	if (!(e = cfg_slot(i, &b->nknob, MAXKNOB)))
		b->knob[i] = *k;
	return e;
}

/* A path, or MAJOR:MINOR */
static bool is_disk(const char *s)
{
	uint64_t n;
	const char *p = decimal(s, &n);

	return *s == '/' || (p > s && *p == ':' && p[1] && !*decimal(p + 1, &n));
}

const char *cfg_set_knob(struct box *b, int row, const char *key, char *v, bool skip)
{
	struct knob k = { (uint8_t)row, skip, key, NULL, NULL };
	const char *e;
	size_t max;
	char *to = cfg_rest(&max);

	if (key_row(row)->flags & K_SUB && !cfg_is_knob(key))
		return TEXT "no such file of a controller";
	if (key_row(row)->flags & K_SUB && (e = cg_key(key)))
		return cfg_wrong("that is %s=, on every kernel", e);
	if (key_row(row)->flags & K_LIST) {
		k.of = subject(&v);
		if (k.of ? !*k.of || !cfg_plain(k.of) || strlen(k.of) > TEXTMAX : row != KEY_IO_WEIGHT)
			return cfg_not();
		if (k.of && row <= KEY_IO_LATENCY && !is_disk(k.of))
			return cfg_not();
	}
	if ((e = made(&k, v, to, TEXTMAX + 1)))
		return e;
	k.text = cfg_room(strlen(to) + 1);
	return k.text ? place(b, &k) : text_full();
}

void cfg_drop_knob(struct box *b, int i)
{
	int row;

	for (row = KEY_CPUSET_CPUS; row <= KEY_KNOB; row++)
		cfg_unmark(row, i);
	memmove(&b->knob[i], &b->knob[i + 1], (size_t)(b->nknob - i - 1) * sizeof b->knob[0]);
	b->nknob--;
}

/* husk update: of a key that is one file of several */
void cfg_empty_knob(struct box *b, int row, const char *key)
{
	int i;

	for (i = b->nknob; i-- > 0;)
		if (b->knob[i].row == row && same(b->knob[i].file, key))
			cfg_drop_knob(b, i);
}
