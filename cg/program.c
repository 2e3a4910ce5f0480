/* program.c - the device policy on v2: a program of the kernel's own machine, which is
 * asked at each open and each mknod of a device. Made of the oldest instructions that
 * a kernel with such programs knows (4.15): no 32-bit jumps, nothing that cannot be
 * reached, no loop. */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

#define INSN(c, d, s, o, i) \
	{ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (int32_t)(i) }
#define LOAD(d, field)	INSN(BPF_LDX | BPF_MEM | BPF_W, d, 1, offsetof(struct bpf_cgroup_dev_ctx, field), 0)
#define ALU(op, d, i)	INSN(BPF_ALU64 | BPF_K | (op), d, 0, 0, i)
#define ALUX(op, d, s)	INSN(BPF_ALU64 | BPF_X | (op), d, s, 0, 0)
#define JUMP(op, d, i, n) INSN(BPF_JMP | BPF_K | (op), d, 0, n, i)
#define ANSWER(n)	ALU(BPF_MOV, 0, n), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* To the end, where the answer is yes: a distance that no other jump has */
enum { ALLOW = -1 };

/* In front: r2 = access, r3 = type in its place, r4 = the key of the device, r5 = the
 * key without the major. */
static const struct bpf_insn head[] = {
	LOAD(2, access_type), LOAD(4, major), LOAD(5, minor),
	ALUX(BPF_MOV, 3, 2), ALU(BPF_AND, 3, 0xffff), ALU(BPF_RSH, 2, 16),
	JUMP(BPF_JLT, 4, ANY_MAJOR, 2), ANSWER(0),
	ALU(BPF_SUB, 3, BPF_DEVCG_DEV_BLOCK), ALU(BPF_LSH, 3, 30),
	ALUX(BPF_OR, 5, 3), ALU(BPF_LSH, 4, 20), ALUX(BPF_OR, 4, 5),
}, answers[] = { ANSWER(0), ANSWER(1) };

/* One rule, or as many as follow it without a gap: /dev/mmcblk0* is one range. They
 * are in the order of their keys. Returns the last one. */
static const struct devrule *test(struct bpf_insn **p, const struct devrule *d, const struct devrule *end)
{
	uint32_t lo = d->key, hi = lo, type = lo & DEVICE_CHAR << 20;
	bool major = (lo >> 20 & ANY_MAJOR) == ANY_MAJOR, minor = (lo & ANY_MINOR) == ANY_MINOR;

	if (minor)
		lo = major ? type : lo & ~(uint32_t)ANY_MINOR;
	else if (major)
		lo = hi = type | (lo & ANY_MINOR);
	else
		for (; d + 1 < end && d[1].perm == d->perm && d[1].key == hi + 1 && (~d[1].key & ANY_MINOR); d++)
			hi++;
	if (lo < hi)
		*(*p)++ = (struct bpf_insn)JUMP(BPF_JLT, 4, lo, 1);
	*(*p)++ = (struct bpf_insn)JUMP(lo < hi ? BPF_JLE : BPF_JEQ, major && !minor ? 5 : 4, hi, ALLOW);
	return d;
}

/* Rules of the same rights stand together, behind the one question whether these are
 * enough. Who is not granted all by one rule asks the next. */
static unsigned program(struct bpf_insn *start, const struct devrule *rules, unsigned n)
{
	const struct devrule *d, *end = rules + n;
	struct bpf_insn *p = start, *first;
	unsigned perm, refused;

	memcpy(p, head, sizeof head);
	p += sizeof head / sizeof *head;
	for (perm = DEV_R | DEV_W | DEV_M; perm; perm--) {
		first = p++;
		for (d = rules; d < end; d++)
			if (d->perm == perm)
				d = test(&p, d, end);
		refused = ~perm & 7;
		*first = (struct bpf_insn)JUMP(BPF_JSET, 2, (refused & 3) << 1 | refused >> 2, (int16_t)(p - first - 1));
		p = p == first + 1 ? first : p;
	}
	memcpy(p, answers, sizeof answers);
	for (first = p + 2; p > start; p--)
		if (p->off == ALLOW)
			p->off = (int16_t)(first - p - 1);
	return (unsigned)(first + 2 - start);
}

_Static_assert(DEV_R << 1 == BPF_DEVCG_ACC_READ && DEV_W << 1 == BPF_DEVCG_ACC_WRITE && DEV_M >> 2 == BPF_DEVCG_ACC_MKNOD, "bits of rwm");

static union bpf_attr a;

static int bpf(int what)
{
	return (int)syscall(__NR_bpf, what, &a, sizeof a);
}

static int load(const struct devrule *rules, unsigned n)
{
	static struct bpf_insn insn[32 + 2 * MAXNODE];

	memset(&a, 0, sizeof a);
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insn_cnt = program(insn, rules, n);
	a.insns = (uintptr_t)insn;
	a.license = (uintptr_t)"";
	copy(a.prog_name, sizeof a.prog_name, "husk");
	return bpf(BPF_PROG_LOAD);
}

/* Nothing below the leaf may replace it: attached without OVERRIDE or MULTI, and then
 * it takes the place of one that is there already, from one open to the next. What
 * hangs above the leaf still applies. */
static int attach(int what, int leaf, int fd)
{
	memset(&a, 0, sizeof a);
	a.target_fd = (uint32_t)leaf;
	a.attach_bpf_fd = (uint32_t)fd;
	a.attach_type = BPF_CGROUP_DEVICE;
	return bpf(what);
}

/* The number of what is attached; 0: nothing, or errno */
static uint32_t attached(int leaf)
{
	uint32_t id = 0;

	memset(&a, 0, sizeof a);
	a.query.target_fd = (uint32_t)leaf;
	a.query.attach_type = BPF_CGROUP_DEVICE;
	a.query.prog_ids = (uintptr_t)&id;
	a.query.prog_cnt = 1;
	errno = ENOENT;
	return bpf(BPF_PROG_QUERY) < 0 ? 0 : id;
}

/* The kernel's own word that it is this one. */
static int verify(int leaf, int fd)
{
	uint32_t info[2] = { 0, 0 };	/* type, number: as much of it as we want */
	uint32_t id;

	memset(&a, 0, sizeof a);
	a.info.bpf_fd = (uint32_t)fd;
	a.info.info_len = sizeof info;
	a.info.info = (uintptr_t)info;
	if (bpf(BPF_OBJ_GET_INFO_BY_FD) < 0 || !(id = attached(leaf)))
		return -1;
	errno = EBUSY;
	return id == info[1] ? 0 : -1;
}

/* What was attached before, whoever did that; 0: nothing */
static int before;

int cg_program_back(int leaf)
{
	return attach(before ? BPF_PROG_ATTACH : BPF_PROG_DETACH, leaf, before);
}

/* over: in the place of what is there, which comes back if it fails. 0 or -1. */
int cg_program(int leaf, const struct devrule *rules, unsigned n, bool over)
{
	int fd = load(rules, n), e = -1;
	uint32_t id;

	if (fd < 0)
		return -1;
	if (over && (id = attached(leaf))) {
		memset(&a, 0, sizeof a);
		a.prog_id = id;
		before = bpf(BPF_PROG_GET_FD_BY_ID);
	} else
		before = !over || errno == ENOENT ? 0 : -1;
	if (before >= 0 && (e = attach(BPF_PROG_ATTACH, leaf, fd)) == 0 && (e = verify(leaf, fd)) < 0 && over) {
		n = (unsigned)errno;
		(void)cg_program_back(leaf);
		errno = (int)n;
	}
	let_go(fd);
	return e;
}
