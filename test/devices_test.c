/*
 * devices_test.c - the device program of v2 against a plain reading of the rules, by an
 * interpreter of its own: a table and random policies, all accesses; and what the oldest
 * verifier asks. unit: cg/program.c
 */
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "husk.h"

enum { CHARS = DEVICE_CHAR << 20, MANY = 4096, PENDING = 1024 };

static int wrong, done;
static struct bpf_insn loaded[MANY];
static unsigned nloaded, tests, insns;

size_t copy(char *to, size_t max, const char *from)
{
	return (size_t)snprintf(to, max, "%s", from);
}

void let_go(int fd)
{
	(void)fd;
}

/* In the place of bpf(2): keeps what is to be loaded, and refuses it. */
long syscall(long nr, ...)
{
	const union bpf_attr *a;
	va_list ap;
	int what;

	va_start(ap, nr);
	what = va_arg(ap, int);
	a = va_arg(ap, void *);
	va_end(ap);
	if (nr == SYS_bpf && what == BPF_PROG_LOAD && a->insn_cnt <= MANY) {
		nloaded = a->insn_cnt;
		memcpy(loaded, (void *)(uintptr_t)a->insns, nloaded * sizeof *loaded);
	}
	return -1;
}

static void bad(const char *what, unsigned at)
{
	if (wrong++ < 20)
		printf("not ok - devices: %s at %u of %u\n", what, at, nloaded);
}

/* What kernels since 4.15 ask: jumps forward and inside, no instruction that nothing
 * leads to, no class that came later, and fewer branches than the oldest verifier can
 * keep in mind at once. */
static void sound(void)
{
	static bool reached[MANY];
	unsigned i, branches = 0;

	memset(reached, 0, sizeof reached);
	reached[0] = true;
	for (i = 0; i < nloaded; i++) {
		const struct bpf_insn *p = loaded + i;
		bool jump = BPF_CLASS(p->code) == BPF_JMP && p->code != (BPF_JMP | BPF_EXIT);

		if (!reached[i])
			bad("nothing leads there", i);
		if (BPF_CLASS(p->code) != BPF_JMP && BPF_CLASS(p->code) != BPF_ALU64 && p->code != (BPF_LDX | BPF_MEM | BPF_W))
			bad("an instruction of another class", i);
		if (jump && (p->off < 0 || i + (unsigned)p->off + 1 >= nloaded))
			bad("a jump out of it", i);
		else if (jump)
			reached[i + (unsigned)p->off + 1] = true;
		branches += jump;
		if (p->code != (BPF_JMP | BPF_EXIT) && i + 1 < nloaded)
			reached[i + 1] = true;
	}
	if (loaded[nloaded - 1].code != (BPF_JMP | BPF_EXIT) || nloaded > 4096 || branches >= PENDING)
		bad("its size", branches);
}

static uint64_t alu(uint8_t op, uint64_t d, uint64_t s)
{
	switch (op) {
	case BPF_MOV: return s;
	case BPF_AND: return d & s;
	case BPF_OR: return d | s;
	case BPF_SUB: return d - s;
	case BPF_LSH: return d << s;
	case BPF_RSH: return d >> s;
	}
	bad("an operation", op);
	return 0;
}

static bool jumps(uint8_t op, uint64_t d, uint64_t s)
{
	switch (op) {
	case BPF_JEQ: return d == s;
	case BPF_JLT: return d < s;
	case BPF_JLE: return d <= s;
	case BPF_JSET: return d & s;
	}
	bad("a jump", op);
	return false;
}

/* As the kernel runs it; what is not written may not be read. */
static int verdict(const struct bpf_cgroup_dev_ctx *c)
{
	uint64_t r[11] = { 0 }, s;
	unsigned i, known = 1 << 1;
	uint32_t word;

	for (i = 0; i < nloaded; i++) {
		const struct bpf_insn *p = loaded + i;

		s = p->code & BPF_X && BPF_CLASS(p->code) != BPF_LDX ? r[p->src_reg] : (uint64_t)(int64_t)p->imm;
		if (p->code == (BPF_LDX | BPF_MEM | BPF_W)) {
			if (p->src_reg != 1 || p->off < 0 || p->off % 4 || (size_t)p->off + 4 > sizeof *c)
				bad("a load", i);
			memcpy(&word, (const char *)c + p->off, 4);
			r[p->dst_reg] = word;
		} else if (p->code == (BPF_JMP | BPF_EXIT))
			return known & 1 ? (int)r[0] : -1;
		else if (BPF_CLASS(p->code) == BPF_JMP)
			i += jumps(BPF_OP(p->code), r[p->dst_reg], s) ? (unsigned)p->off : 0;
		else {
			if ((BPF_OP(p->code) != BPF_MOV && !(known >> p->dst_reg & 1)) || (p->code & BPF_X && !(known >> p->src_reg & 1)))
				bad("an unknown register", i);
			r[p->dst_reg] = alu(BPF_OP(p->code), r[p->dst_reg], s);
		}
		if (BPF_CLASS(p->code) != BPF_JMP)
			known |= 1u << p->dst_reg;
	}
	return -1;
}

/* The rules as the lists of v1 are read: one of them has to grant all. */
static bool plainly(const struct devrule *d, unsigned n, bool chr, unsigned major, unsigned minor, unsigned perm)
{
	for (; n; n--, d++) {
		unsigned ma = d->key >> 20 & ANY_MAJOR, mi = d->key & ANY_MINOR;

		if (d->key >> 30 == chr && (ma == ANY_MAJOR || ma == major) && (mi == ANY_MINOR || mi == minor) && !(perm & ~d->perm))
			return true;
	}
	return false;
}

static void probe(const struct devrule *d, unsigned n, bool chr, unsigned major, unsigned minor)
{
	unsigned perm;

	for (perm = 0; perm <= DEV_ALL; perm++) {
		unsigned access = (perm & DEV_R ? BPF_DEVCG_ACC_READ : 0) | (perm & DEV_W ? BPF_DEVCG_ACC_WRITE : 0) |
			(perm & DEV_M ? BPF_DEVCG_ACC_MKNOD : 0);
		struct bpf_cgroup_dev_ctx c = { access << 16 | (chr ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK), major, minor };

		tests++;
		if (verdict(&c) != (major < ANY_MAJOR && plainly(d, n, chr, major, minor, perm)))
			bad("another answer", major << 20 | minor);
	}
}

/* Each device that a rule is about, those beside it, and some others */
static void policy(const struct devrule *d, unsigned n)
{
	unsigned i, ma, mi;
	int k;

	done++;
	(void)cg_program(3, d, n, false);
	sound();
	insns = nloaded > insns ? nloaded : insns;
	for (i = 0; i < n; i++)
		for (k = -1; k <= 1; k++) {
			ma = d[i].key >> 20 & ANY_MAJOR;
			mi = d[i].key & ANY_MINOR;
			probe(d, n, d[i].key >> 30, ma == ANY_MAJOR ? 7 : ma, (mi + (unsigned)k) & ANY_MINOR);
			probe(d, n, !(d[i].key >> 30), ma == ANY_MAJOR ? 7 : ma, mi == ANY_MINOR ? 3 : mi);
			probe(d, n, d[i].key >> 30, (ma + (unsigned)k) & 0xfff, mi == ANY_MINOR ? 3 : mi);
		}
	for (i = 0; i < 16; i++)
		probe(d, n, i & 1, (unsigned)rand() % 520, (unsigned)rand() % 300);
	probe(d, n, true, 4095, ANY_MINOR);
	probe(d, n, false, 0, 0);
}

static int order(const void *a, const void *b)
{
	uint32_t x = ((const struct devrule *)a)->key, y = ((const struct devrule *)b)->key;

	return x < y ? -1 : x > y;
}

static void at_random(void)
{
	static struct devrule d[MAXNODE];
	unsigned n = 1 + (unsigned)rand() % (rand() % 8 ? 24 : MAXNODE), i, k, few = 1u << rand() % 4;

	for (i = 0; i < n; i++) {
		d[i].key = (uint32_t)(rand() % 2 ? CHARS : 0) | (uint32_t)(rand() % (int)(few * 4)) << 20 | (uint32_t)(rand() % (int)(few * 32));
		d[i].perm = rand() % 3 ? (unsigned)DEV_ALL : 1 + (unsigned)rand() % 7;
		if (rand() % 16 == 0)
			d[i].key |= ANY_MINOR;
		if (rand() % 32 == 0)
			d[i].key |= (uint32_t)ANY_MAJOR << 20;
	}
	qsort(d, n, sizeof *d, order);
	for (i = k = 1; i < n; i++)
		if (d[i].key != d[k - 1].key)
			d[k++] = d[i];
	policy(d, k);
}

#define C(ma, mi)	((uint32_t)CHARS | (uint32_t)(ma) << 20 | (mi))
#define B(ma, mi)	((uint32_t)(ma) << 20 | (mi))

int main(void)
{
	static const struct devrule table[][6] = {
		{ { C(1, 3), 3 } },
		{ { C(1, 3), 1 }, { C(1, 5), 2 }, { C(1, 7), 4 } },
		{ { C(1, 3), 7 }, { C(1, 4), 7 }, { C(1, 5), 7 }, { C(1, 6), 3 }, { C(1, 7), 7 } },
		{ { C(136, ANY_MINOR), 7 } },
		{ { C(5, ANY_MINOR - 1), 7 }, { C(5, ANY_MINOR), 4 }, { C(6, 0), 4 } },
		{ { C(ANY_MAJOR, ANY_MINOR), 4 }, },
		{ { B(ANY_MAJOR, ANY_MINOR), 7 }, { C(ANY_MAJOR, ANY_MINOR), 7 } },
		{ { B(ANY_MAJOR, 3), 3 }, { B(ANY_MAJOR, 4), 3 }, { B(ANY_MAJOR, 5), 3 } },
		{ { B(511, 0), 7 }, { B(ANY_MAJOR - 1, ANY_MINOR - 1), 7 }, { C(0, 0), 7 } },
		{ { B(0, 0), 7 }, { B(0, 1), 7 }, { C(0, 0), 3 }, { C(0, 1), 3 }, { C(0, 2), 3 } },
		{ { B(179, 0), 3 }, { B(179, 1), 3 }, { B(179, 2), 3 }, { B(179, 3), 1 }, { B(179, 4), 3 }, { B(179, 5), 3 } },
	};
	static struct devrule most[MAXNODE];
	unsigned i, n, before;

	for (i = 0; i < sizeof table / sizeof *table; i++) {
		for (n = 0; n < 6 && table[i][n].perm; n++)
			;
		policy(table[i], n);
	}
	for (i = 0; i < MAXNODE; i++)		/* the longest: no two are neighbours, all rights are there */
		most[i] = (struct devrule){ C(i, 2 * i), i % 7 + 1 };
	policy(most, MAXNODE);
	for (i = 0; i < 1500; i++)
		at_random();
	for (i = 0; i < 160; i++)		/* /dev/mmcblk0* is one range */
		most[i] = (struct devrule){ B(179, i), 3 };
	before = (unsigned)wrong;
	policy(most, 160);
	if (nloaded > 24)
		bad("a range is not made one", 160);
	printf("%s - devices: a range of 160 minors has %u instructions\n", before == (unsigned)wrong ? "ok" : "not ok", nloaded);
	printf("%s - devices: %d programs, the longest of %u instructions, answer %u times as their rules say\n", wrong ? "not ok" : "ok", done, insns, tests);
	return wrong != 0;
}
