/* knobs.c - what is asked, as files of the kernel and what is written there: under
 * its v2 names, or by the formulas that its v1 has for the same. Nothing is written here. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "husk.h"

/* What a fresh leaf has */
static uint64_t fresh(int lim)
{
	switch ((enum lim)lim) {
	case LIM_WEIGHT: return 100;
	case LIM_CPUNICE: return 20;
	case LIM_RT_PERIOD: return 1000000;
	case LIM_LOW: case LIM_MIN: case LIM_OOM: case LIM_BURST: case LIM_IDLE: case LIM_RT: case LIM_PARTITION: return 0;
	case LIM_MEM: case LIM_HIGH: case LIM_SWAP: case LIM_PIDS: case LIM_CPU: case NLIM: break;
	}
	return LIM_MAX;
}

/* A weight is among those who have one: outside of any leaf v1 weighs a box against all of them. */
static bool asked(const struct box *b, int lim)
{
	return b->lim[lim] != LIM_NONE && (b->lim[lim] != fresh(lim) || lim == LIM_WEIGHT || lim == LIM_CPUNICE);
}

unsigned cg_wanted(const struct box *b)
{
	unsigned want = 0;
	int i;

	for (i = 0; i < NLIM; i++)
		want |= asked(b, i) ? 1u << cg_ctl(key_name(KEY_MEMORY_MAX + i)) : 0;
	for (i = 0; i < b->nknob; i++)
		want |= 1u << cg_ctl(b->knob[i].file);
	return want;
}

/* The kernel counts in pages, and drops the rest. */
static uint64_t bytes(uint64_t v)
{
	return v == LIM_MAX ? v : v & PERCENT ? ram() / 100 * (v & ~PERCENT) : v;
}

static uint64_t whole(uint64_t v)
{
	return v == LIM_MAX ? v : v & ~((uint64_t)getauxval(AT_PAGESZ) - 1);
}

/* The kernel's own table of what a nice value weighs, and its own reading of a weight:
 * 100 is 1024. */
static uint64_t shares(int lim, uint32_t v)
{
	static const uint16_t nice[40] = {
		88761 & 0xffff, 71755 & 0xffff, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
		9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423,
		335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
	};

	if (lim == LIM_WEIGHT)
		return (v * 1024 + 50) / 100;
	return nice[v] + (v < 2 ? 65536 : 0);
}

/* v1 counts memory and swap together, so swap alone cannot be said there: NULL. */
static const char *number_of(const struct box *b, int lim, bool v1, bool plain)
{
	uint64_t v = plain ? fresh(lim) : b->lim[lim];

	if (lim <= LIM_SWAP)
		v = bytes(v);
	if (v1 && lim == LIM_SWAP && !plain) {
		if (!asked(b, LIM_MEM))
			return NULL;
		v += bytes(b->lim[LIM_MEM]);
	}
	if (lim <= LIM_SWAP)
		v = whole(v);
	if (v1 && (lim == LIM_WEIGHT || lim == LIM_CPUNICE))
		v = shares(lim, (uint32_t)v);
	if (lim == LIM_PARTITION)
		return cfg_nth(key_what(KEY_CPUSET_PARTITION), (int)v);
	if (lim == LIM_CPUNICE && !v1)
		return fmts("%d", (int)v - 20);
	if (lim == LIM_CPU && !v1)
		return v == LIM_MAX ? "max 100000" : fmts("%u %u", (unsigned)v, b->cpu_period);
	return v == LIM_MAX ? (v1 && lim != LIM_PIDS ? "-1" : "max") : fmts("%llu", (unsigned long long)v);
}

/* cpu.max is two files of v1: the period is the first. */
static int of_number(struct run *r, const struct box *b, int lim, int part, bool plain, struct setting *s)
{
	bool v1;

	s->row = (uint8_t)(KEY_MEMORY_MAX + lim);
	if (!asked(b, lim))
		return 0;
	s->key = s->file = key_name(s->row);
	s->ctl = (uint8_t)cg_ctl(s->file);
	s->skip = b->lim_skip >> lim & 1;
	v1 = V1(r, s->ctl);
	if (v1)
		s->file = cg_v1_file(s->row);
	if (!part) {
		s->file = "cpu.cfs_period_us";
		s->text = fmts("%u", plain ? 100000 : b->cpu_period);
		return v1 && lim == LIM_CPU;
	}
	if (!(s->text = number_of(b, lim, v1, plain)))
		return fail_not(r, "memory.swap.max: cgroup v1 limits memory and swap together: set memory.max too");
	return 1;
}

/* A disk of the host, by its number or a path, which may be a link: 0 or -1 */
static int disk(const char *of, dev_t *dev)
{
	uint64_t ma, mi;
	FILLED struct stat st;

	if (*of != '/') {
		decimal(decimal(of, &ma) + 1, &mi);
		*dev = makedev((unsigned)ma, (unsigned)mi);
		return 0;
	}
	if (stat(of, &st) < 0)
		return -1;
	errno = ENOTBLK;
	*dev = st.st_rdev;
	return S_ISBLK(st.st_mode) ? 0 : -1;
}

/* MAJOR:MINOR, or NULL: it is not there, which `?` allows; or somebody has spoken of it
 * before, by another word: *e */
static const char *number_of_disk(struct run *r, const struct box *b, const struct knob *k, int part, struct setting *s, int *e)
{
	const struct knob *o;
	dev_t dev, other;

	if (disk(k->of, &dev) < 0) {
		s->absent = k->skip && !part;
		*e = k->skip ? 0 : fail(r, "%s: %s", k->file, k->of);
		return NULL;
	}
	for (o = b->knob; o < k; o++)
		if (o->row == k->row && o->of && disk(o->of, &other) == 0 && other == dev) {
			*e = fail_not(r, "%s: %s and %s are one device", k->file, o->of, k->of);
			return NULL;
		}
	return fmts("%u:%u", major(dev), minor(dev));
}

/* v1 has a file for each of the four. */
static int rate(const struct knob *k, const char *of, int part, bool plain, struct setting *s)
{
	const char *v = k->text;
	int i;

	for (i = 0; i <= part; i++)
		v = strchr(v, '=') + 1;
	s->file = fmts("blkio.throttle.%s_device", nth("read_bps\0write_bps\0read_iops\0write_iops", part));
	s->text = fmts("%s %.*s", of, plain ? 1 : (int)strcspn(v, " "), plain ? "0" : v);
	return *v != 'm';		/* max */
}

/* BFQ has files of its own. On v2 it and io.cost may both be there, or one of them. */
static int weight(const struct knob *k, const char *of, int part, bool v1, bool plain, struct setting *s)
{
	const char *v = !plain ? k->text : k->of ? "default" : "100";

	s->loose = true;
	s->file = v1 ? k->of ? "blkio.bfq.weight_device" : "blkio.bfq.weight" : part ? "io.bfq.weight" : "io.weight";
	s->text = v1 && !k->of ? v : fmts("%s %s", of, v);
	return part < (v1 ? 1 : 2);
}

/* Of cpuset a fresh leaf has nothing, which is what the one above has: to be written,
 * because nobody can take all CPUs from a box that runs. */
static const char *from_above(const char *file, bool v1)
{
	const char *here = strrchr(cg_file(CTL_CPUSET, file), '/') + 1, *text;

	text = caps_file(v1 ? fmts("%s/../%s", cg_path(CTL_CPUSET), here) : fmts("%s/../%s.effective", cg_path(NCTL), file));
	return text ? fmts("%.*s", (int)strcspn(text, "\n"), text) : "\n";
}

/* What a leaf has that nobody wrote to; NULL: nobody knows */
static const char *plain_text(const struct knob *k, bool v1)
{
	switch (k->row) {
	case KEY_CPUSET_CPUS: case KEY_CPUSET_MEMS: return from_above(k->file, v1);
	case KEY_IO_MAX: return "rbps=max wbps=max riops=max wiops=max";
	case KEY_IO_LATENCY: return "target=max";
	case KEY_RDMA_MAX: return "hca_handle=max hca_object=max";
	case KEY_HUGETLB: return cfg_pages(k->file) ? "max" : NULL;
	case KEY_MISC_MAX: return "max";
	case KEY_NET_CLS: case KEY_NET_PRIO: return "0";
	}
	return NULL;
}

static int of_text(const struct knob *k, const char *of, bool v1, bool plain, struct setting *s)
{
	const char *v = plain ? plain_text(k, v1) : k->text;
	size_t n = strlen(k->file);

	if (v1 && k->row == KEY_HUGETLB && cfg_pages(k->file)) {
		s->file = fmts("%.*slimit_in_bytes", (int)n - 3, k->file);
		v = same(v, "max") ? "-1" : v;
	} else if (v1 && k->row == KEY_IO_LATENCY)
		s->file = "";
	s->text = v && of ? fmts("%s %s", of, v) : v;
	return 1;
}

static int of_knob(struct run *r, const struct box *b, const struct knob *k, int part, bool plain, struct setting *s)
{
	const char *of = k->of;
	bool v1, disks = k->row >= KEY_IO_MAX && k->row <= KEY_IO_LATENCY;
	int e = 0;

	s->row = k->row;
	s->key = s->file = k->file;
	s->ctl = (uint8_t)cg_ctl(k->file);
	s->skip = k->skip;
	s->keyed = k->of || k->row == KEY_IO_WEIGHT || (k->row == KEY_KNOB && strchr(k->text, ' '));
	v1 = V1(r, s->ctl);
	if (part > (disks ? 3 : 0))
		return 0;
	if (disks && of && !(of = number_of_disk(r, b, k, part, s, &e)))
		return e;
	if (k->row == KEY_IO_WEIGHT)
		return weight(k, of ? of : "default", part, v1, plain, s);
	if (k->row == KEY_IO_MAX && v1)
		return rate(k, of, part, plain, s);
	return part ? 0 : of_text(k, of, v1, plain, s);
}

/* Texts first, and cpuset.cpus.partition last. */
unsigned cg_settings(const struct box *b)
{
	return 4u * b->nknob + 2 * NLIM;
}

int cg_setting(struct run *r, const struct box *b, unsigned i, bool plain, struct setting *s)
{
	unsigned texts = 4u * b->nknob;

	*s = (struct setting){ 0 };
	if (HAS(knobs) && i < texts)
		return of_knob(r, b, &b->knob[i / 4], (int)i % 4, plain, s);
	return of_number(r, b, (int)(i - texts) / 2, (int)i % 2, plain, s);
}
