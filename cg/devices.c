/* devices.c - the device policy: what may be opened and made, whoever owns the
 * node and wherever it lies. Deny by default.
 *
 * A second wall: every mount of a box but its /dev is nodev, and nobody inside
 * can make a node without CAP_MKNOD. So its absence is fatal only where it is
 * the first wall; and a box of a user and of mounts of its own, who is refused
 * everywhere else, goes without it: it costs as much as two forks. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "husk.h"

enum { MAXNODE = 160, CHARACTER = 1 << 10, ANY = 0xfffff };

/* A device as one number that a BPF instruction can compare: no kernel has
 * majors above 511, and minors have 20 bits. INIT makes the nodes, so making
 * one that is listed is always allowed. */
#define KEY(major, minor)	((uint32_t)(major) << 20 | (minor))

static struct {
	unsigned n;
	uint32_t key[MAXNODE];
	uint8_t	 perm[MAXNODE];
} rules;

static int add(struct run *r, uint32_t key, uint8_t perm)
{
	if (rules.n == MAXNODE)
		return fail_not(r, "more than %d device nodes", MAXNODE);
	rules.key[rules.n] = key;
	rules.perm[rules.n++] = perm;
	return 0;
}

static int add_stat(struct run *r, const struct stat *st, uint8_t perm)
{
	unsigned ma = major(st->st_rdev), mi = minor(st->st_rdev);

	if (ma >= CHARACTER || mi >= ANY || (!S_ISCHR(st->st_mode) && !S_ISBLK(st->st_mode)))
		return 0;		/* no device, or of a number that no Linux has */
	return add(r, KEY(S_ISCHR(st->st_mode) ? CHARACTER | ma : ma, mi), perm);
}

static int add_node(struct run *r, const struct dev *d, const char *path, const struct stat *st)
{
	(void)path;
	return add_stat(r, st, d->perm);
}

/* What every box has: null zero full random urandom tty ptmx, and ptys.
 * What is not there needs no rule: rootfs_dev refuses it, or skips it.
 * INIT mounts file systems from its own cgroup: their devices are allowed, and
 * the box has no node for them. */
static int collect(struct run *r)
{
	static const uint8_t fixed[][2] = { { 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 }, { 1, 9 }, { 5, 0 }, { 5, 2 } };
	const struct box *b = r->box;
	struct stat st;
	unsigned i;
	int e = add(r, KEY(CHARACTER | 136, ANY), DEV_R | DEV_W);

	for (i = 0; i < sizeof fixed / sizeof *fixed && !e; i++)
		e = add(r, KEY(CHARACTER | fixed[i][0], fixed[i][1]), DEV_R | DEV_W);
	for (i = 0; i < b->ndev && !e; i++)
		if ((e = rootfs_nodes(r, b->dev + i, add_node)) != 0 && r->err == ENOENT)
			e = 0;
	for (i = 0; i < b->nmnt && !e; i++)
		if (b->mnt[i].kind == MNT_FS && *b->mnt[i].src == '/' &&
		    (r->src[i] < 0 ? stat(b->mnt[i].src, &st) : fstat(r->src[i], &st)) == 0)
			e = add_stat(r, &st, b->mnt[i].flags & MS_RDONLY ? DEV_R : DEV_R | DEV_W);
	return e;
}

/* The first wall where a node may be narrowed or made. Else, is there a way to
 * one that is not in our /dev? Over a mount with devices or another's root below
 * /proc; by a capability; or, handed in through a socket, as somebody to whom
 * nodes of the host may belong. */
enum { NEEDLESS, SECOND_WALL, FIRST_WALL };
static int wall(const struct run *r)
{
	const struct box *b = r->box;
	bool way = r->unpriv || b->caps || b->ndev || b->who != WHO_AUTO || b->ngroup ||
		b->ns[NS_MNT] != NSM_NEW || b->ns[NS_PID] != NSM_NEW;
	int i;

	for (i = 0; i < b->ndev; i++)
		if (~b->dev[i].perm & (DEV_R | DEV_W))
			return FIRST_WALL;
	for (i = 0; i < b->nmnt; i++)
		way |= !(b->mnt[i].flags & MS_NODEV) || b->mnt[i].slave;
	return b->caps >> CAP_MKNOD & 1 ? FIRST_WALL : way ? SECOND_WALL : NEEDLESS;
}

#define INSN(c, d, s, o, i) \
	{ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (int32_t)(i) }
#define LOAD(d, field)	INSN(BPF_LDX | BPF_MEM | BPF_W, d, 1, offsetof(struct bpf_cgroup_dev_ctx, field), 0)
#define ALU(op, d, i)	INSN(BPF_ALU64 | BPF_K | (op), d, 0, 0, i)
#define ALUX(op, d, s)	INSN(BPF_ALU64 | BPF_X | (op), d, s, 0, 0)
#define JUMP(op, d, i, n) INSN(BPF_JMP | BPF_K | (op), d, 0, n, i)
#define ANSWER(n)	ALU(BPF_MOV, 0, n), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* r2 = access, r4 = the key of the device, r5 = that without the minor; then
 * rule by rule. One that does not grant enough leaves the word to the next. */
static unsigned program(struct bpf_insn *p)
{
	static const struct bpf_insn head[] = {
		LOAD(2, access_type), LOAD(4, major), LOAD(5, minor),
		ALUX(BPF_MOV, 3, 2), ALU(BPF_AND, 3, 0xffff), ALU(BPF_RSH, 2, 16),
		JUMP(BPF_JLT, 4, CHARACTER, 2), ANSWER(0),
		ALU(BPF_SUB, 3, BPF_DEVCG_DEV_BLOCK), ALU(BPF_LSH, 3, 30),
		ALU(BPF_LSH, 4, 20), ALUX(BPF_OR, 4, 5), ALUX(BPF_OR, 4, 3),
		ALUX(BPF_MOV, 5, 4), ALU(BPF_RSH, 5, 20),
	}, answers[] = { ANSWER(1), ANSWER(0) };
	struct bpf_insn *start = p;
	unsigned i, refused;
	bool any;

	memcpy(p, head, sizeof head);
	p += sizeof head / sizeof *head;
	for (i = 0; i < rules.n; i++) {
		refused = (rules.perm[i] & DEV_R ? 0 : BPF_DEVCG_ACC_READ) | (rules.perm[i] & DEV_W ? 0 : BPF_DEVCG_ACC_WRITE);
		any = (rules.key[i] & ANY) == ANY;
		*p++ = (struct bpf_insn)JUMP(BPF_JNE, any ? 5 : 4, any ? rules.key[i] >> 20 : rules.key[i], 3);
		*p++ = (struct bpf_insn)JUMP(BPF_JSET, 2, refused, 2);
		memcpy(p, answers, 2 * sizeof *p);
		p += 2;
	}
	memcpy(p, answers + 2, 2 * sizeof *p);
	return (unsigned)(p + 2 - start);
}

static int bpf(int what, union bpf_attr *a)
{
	return (int)syscall(__NR_bpf, what, a, sizeof *a);
}

/* Nothing below the leaf may replace it: attached without OVERRIDE or MULTI.
 * What hangs above the leaf still applies. */
static int attach(struct run *r)
{
	static struct bpf_insn insn[32 + 4 * MAXNODE];
	static union bpf_attr a;
	int fd, e;

	memset(&a, 0, sizeof a);
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insn_cnt = program(insn);
	a.insns = (uintptr_t)insn;
	a.license = (uintptr_t)"";
	if ((fd = bpf(BPF_PROG_LOAD, &a)) < 0)
		return -1;
	memset(&a, 0, sizeof a);
	a.target_fd = (uint32_t)r->cgroup2;
	a.attach_bpf_fd = (uint32_t)fd;
	a.attach_type = BPF_CGROUP_DEVICE;
	e = bpf(BPF_PROG_ATTACH, &a);
	let_go(fd);
	return e;
}

/* v1: everything is taken away first, then rule by rule, one write each. */
static int write_rules(struct run *r)
{
	const char *file = "devices.deny", *line = "a";
	unsigned i = 0;
	uint32_t k;

	while (cg_put(CTL_DEVICES, file, line) == 0) {
		if (i == rules.n)
			return 0;
		k = rules.key[i];
		file = "devices.allow";
		line = fmts("%c %u:%s %s%sm", k >> 20 & CHARACTER ? 'c' : 'b', k >> 20 & (CHARACTER - 1),
			(k & ANY) == ANY ? "*" : fmts("%u", k & ANY),
			rules.perm[i] & DEV_R ? "r" : "", rules.perm[i] & DEV_W ? "w" : "");
		i++;
	}
	return fail(r, "%s: %s", file, line);
}

int cg_devices(struct run *r)
{
	bool leaf = r->cgroup2 >= 0 || r->cg1;
	int e, why = ENOENT, need = wall(r);

	if (!need)
		return 0;
	if (leaf) {
		if ((e = collect(r)) != 0)
			return e;
		if (r->cgroup2 >= 0 && attach(r) == 0)
			return 0;
		why = r->cgroup2 >= 0 ? errno : why;
		if ((e = cg_leaves(r, 1u << CTL_DEVICES)) != 0)
			return e;
		if (r->cg1 >> CTL_DEVICES & 1)
			return write_rules(r);
	}
	errno = why;
	if (need == FIRST_WALL)
		return fail(r, "no device policy, and device= or caps=mknod need it (CONFIG_CGROUP_BPF)");
	if (leaf && !r->unpriv)
		note(r, "no device policy: %s (CONFIG_CGROUP_BPF)", strerror(why));
	return 0;
}
