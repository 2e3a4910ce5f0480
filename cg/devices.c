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

enum { MAXNODE = 160, CHAR_BIT_OF_KEY = 1 << 30, PTS_MAJOR = 136 };

/* A device as one number that a BPF instruction can compare: no kernel has
 * majors above 511, and minors have 20 bits. INIT makes the nodes, so making
 * one that is listed is always allowed. */
struct device {
	uint32_t key;
	uint8_t	 perm;
};
#define NODE(major, minor)	{ CHAR_BIT_OF_KEY | (major) << 20 | (minor), DEV_R | DEV_W | DEV_M }

/* null zero full random urandom tty ptmx: what every box has */
static const struct device fixed[] = {
	NODE(1, 3), NODE(1, 5), NODE(1, 7), NODE(1, 8), NODE(1, 9), NODE(5, 0), NODE(5, 2),
};

static struct device rules[MAXNODE];
static unsigned nrules;

static int add(struct run *r, const struct stat *st, uint8_t perm)
{
	unsigned ma = major(st->st_rdev), mi = minor(st->st_rdev);

	if (!S_ISCHR(st->st_mode) && !S_ISBLK(st->st_mode))
		return 0;
	if (ma > 1023 || mi >= 1 << 20)
		return fail_not(r, "device %u:%u: a number that no Linux has", ma, mi);
	if (nrules == MAXNODE)
		return fail_not(r, "more than %d device nodes", MAXNODE);
	rules[nrules].key = (S_ISCHR(st->st_mode) ? CHAR_BIT_OF_KEY : 0) | ma << 20 | mi;
	rules[nrules++].perm = perm | DEV_M;
	return 0;
}

static int add_node(struct run *r, const struct dev *d, const char *path, const struct stat *st)
{
	(void)path;
	return add(r, st, d->perm);
}

/* What is not there needs no rule: rootfs_dev refuses it, or skips it.
 * INIT mounts file systems from its own cgroup: their devices are allowed, and
 * the box has no node for them. */
static int collect(struct run *r)
{
	const struct box *b = r->box;
	struct stat st;
	int i, e = 0;

	nrules = sizeof fixed / sizeof *fixed;
	memcpy(rules, fixed, sizeof fixed);
	for (i = 0; i < b->ndev && !e; i++)
		if ((e = rootfs_nodes(r, b->dev + i, add_node)) != 0 && r->err == ENOENT)
			e = 0;
	for (i = 0; i < b->nmnt && !e; i++)
		if (b->mnt[i].kind == MNT_FS && *b->mnt[i].src == '/' &&
		    (r->src[i] < 0 ? stat(b->mnt[i].src, &st) : fstat(r->src[i], &st)) == 0)
			e = add(r, &st, DEV_R | DEV_W);
	return e;
}

/* Is there a way to a node that is not in our /dev? Over a mount with devices
 * or another's root below /proc; by a capability; or, handed in through a
 * socket, as somebody to whom nodes of the host may belong. */
static bool wanted(const struct run *r)
{
	const struct box *b = r->box;
	int i;

	for (i = 0; i < b->nmnt; i++)
		if (!(b->mnt[i].flags & MS_NODEV))
			return true;
	return r->unpriv || b->caps || b->ndev || b->who != WHO_AUTO || b->ngroup ||
		b->ns[NS_MNT] != NSM_NEW || b->ns[NS_PID] != NSM_NEW;
}

static bool required(const struct box *b)
{
	int i;

	for (i = 0; i < b->ndev; i++)
		if ((b->dev[i].perm & (DEV_R | DEV_W)) != (DEV_R | DEV_W))
			return true;
	return b->caps >> CAP_MKNOD & 1;
}

#define INSN(c, d, s, o, i) \
	{ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (int32_t)(i) }
#define LOAD(d, field)	INSN(BPF_LDX | BPF_MEM | BPF_W, d, 1, offsetof(struct bpf_cgroup_dev_ctx, field), 0)
#define ALU(op, d, i)	INSN(BPF_ALU64 | BPF_K | (op), d, 0, 0, i)
#define ALUX(op, d, s)	INSN(BPF_ALU64 | BPF_X | (op), d, s, 0, 0)
#define JUMP(op, d, i, n) INSN(BPF_JMP | BPF_K | (op), d, 0, n, i)
#define ANSWER(n)	ALU(BPF_MOV, 0, n), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* r2 = access, r4 = the key of the device; then rule by rule. A rule that
 * does not grant enough leaves the word to the next. */
static unsigned program(struct bpf_insn *p)
{
	static const struct bpf_insn head[] = {
		LOAD(2, access_type), LOAD(4, major), LOAD(5, minor),
		ALUX(BPF_MOV, 3, 2), ALU(BPF_AND, 3, 0xffff), ALU(BPF_RSH, 2, 16),
		JUMP(BPF_JLE, 4, 1023, 2), ANSWER(0),
		ALU(BPF_SUB, 3, BPF_DEVCG_DEV_BLOCK), ALU(BPF_LSH, 3, 30),
		ALU(BPF_LSH, 4, 20), ALUX(BPF_OR, 4, 5), ALUX(BPF_OR, 4, 3),
		ALUX(BPF_MOV, 5, 4), ALU(BPF_RSH, 5, 20),
		JUMP(BPF_JNE, 5, CHAR_BIT_OF_KEY >> 20 | PTS_MAJOR, 2), ANSWER(1),
	};
	static const struct bpf_insn allow[] = { ANSWER(1) }, deny[] = { ANSWER(0) };
	struct bpf_insn *start = p;
	unsigned i, refused;

	memcpy(p, head, sizeof head);
	p += sizeof head / sizeof *head;
	for (i = 0; i < nrules; i++) {
		refused = (rules[i].perm & DEV_R ? 0 : BPF_DEVCG_ACC_READ) |
			(rules[i].perm & DEV_W ? 0 : BPF_DEVCG_ACC_WRITE);
		*p++ = (struct bpf_insn)JUMP(BPF_JNE, 4, rules[i].key, refused ? 3 : 2);
		if (refused)
			*p++ = (struct bpf_insn)JUMP(BPF_JSET, 2, refused, 2);
		memcpy(p, allow, sizeof allow);
		p += 2;
	}
	memcpy(p, deny, sizeof deny);
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
	struct bpf_insn insn[32 + 4 * MAXNODE];
	union bpf_attr a;
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
	const char *path = fmts("%s/devices.allow", cg_path(CTL_DEVICES)), *line;
	int fd, e = 0;
	unsigned i;

	if (cg_put(CTL_DEVICES, "devices.deny", "a") < 0 || (fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
		return fail(r, "%s", path);
	if (write(fd, "c 136:* rwm", 11) != 11)
		e = fail(r, "devices.allow: pts");
	for (i = 0; i < nrules && !e; i++) {
		line = fmts("%c %u:%u %s%sm", rules[i].key & CHAR_BIT_OF_KEY ? 'c' : 'b',
			rules[i].key >> 20 & 1023, rules[i].key & 0xfffff,
			rules[i].perm & DEV_R ? "r" : "", rules[i].perm & DEV_W ? "w" : "");
		if (write(fd, line, strlen(line)) < 0)
			e = fail(r, "devices.allow: %s", line);
	}
	close(fd);
	return e;
}

int cg_devices(struct run *r)
{
	bool leaf = r->cgroup2 >= 0 || r->cg1;
	int e = 0, why = ENOENT;

	if (!wanted(r))
		return 0;
	if (leaf && (e = collect(r)) != 0)
		return e;
	if (r->cgroup2 >= 0) {
		if (attach(r) == 0)
			return 0;
		why = errno;
	}
	if (leaf && !(r->cg1 & 1u << CTL_DEVICES) && (e = cg_leaf(r, CTL_DEVICES)) < 0)
		return e;
	if (r->cg1 & 1u << CTL_DEVICES)
		return write_rules(r);
	errno = why;
	if (required(r->box))
		return fail(r, "no device policy, and device= or caps=mknod need it (CONFIG_CGROUP_BPF)");
	if (leaf && !r->unpriv)
		note(r, "no device policy: %s (CONFIG_CGROUP_BPF)", strerror(why));
	return 0;
}
