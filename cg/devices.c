/* devices.c - the device policy: what may be opened and made, whoever owns the
 * node and wherever it lies. Deny by default; put into force by program.c on v2,
 * and by the lists of v1.
 *
 * A second wall: every mount of a box but its /dev is nodev, and nobody inside
 * can make a node without CAP_MKNOD. So its absence is fatal only where it is
 * the first wall; and a box of a user and of mounts of its own, who is refused
 * everywhere else, goes without it: it costs as much as two forks.
 *
 * INIT makes nodes and mounts file systems from inside the leaf: until it has, what
 * is listed may be made, and the devices of mount= opened. Where the policy is the
 * first wall the row cg.narrow takes both away before the program runs. Elsewhere
 * nobody can make a node, and there is none for those devices. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "husk.h"

/* In the order of the keys, each once. everything: of a list of v1 that allows all. */
struct rules {
	unsigned n;
	bool everything;
	struct devrule rule[MAXNODE];
};

/* What shall be, what is, what was before; and the text of a list. */
static struct {
	struct rules want, is, was;
	unsigned make;			/* DEV_M: whoever may open one of device= may make it */
	bool	 listed;		/* in force by the lists, not by the program */
	char	 text[24 * MAXNODE];
} all BULK;

/* Rights on one device add up, as in the lists of v1. */
static int add(struct run *r, struct rules *to, uint32_t key, unsigned perm)
{
	struct devrule *d = to->rule, *end = d + to->n;

	while (d < end && d->key < key)
		d++;
	if (d < end && d->key == key) {
		d->perm |= perm;
		return 0;
	}
	if (to->n == MAXNODE)
		return fail_not(r, "more than %d rules for devices", MAXNODE);
	memmove(d + 1, d, (size_t)(end - d) * sizeof *d);
	*d = (struct devrule){ key, perm };
	to->n++;
	return 0;
}

/* CAP_MKNOD of a user namespace makes no node. */
static bool mknods(const struct box *b)
{
	return b->caps >> CAP_MKNOD & 1 && USERS(b) != NSM_NEW;
}

static int add_stat(struct run *r, const struct stat *st, unsigned perm)
{
	unsigned ma = major(st->st_rdev), mi = minor(st->st_rdev);

	if (ma >= ANY_MAJOR || mi >= ANY_MINOR || (!S_ISCHR(st->st_mode) && !S_ISBLK(st->st_mode)))
		return 0;		/* no device, or of a number that no Linux has */
	return add(r, &all.want, (S_ISCHR(st->st_mode) ? DEVICE_CHAR | ma : ma) << 20 | mi, perm);
}

static int add_node(struct run *r, const struct dev *d, const char *path, const struct stat *st)
{
	(void)path;
	return add_stat(r, st, d->perm | all.make);
}

/* The devices of mount= that INIT opens */
static int add_mounts(struct run *r)
{
	const struct mnt *m = r->box->mnt, *end = m + r->box->nmnt;
	const int *src = r->src;
	FILLED struct stat st;
	int e = 0;

	for (; m < end && !e; m++, src++)
		if (m->kind == MNT_FS && *m->src == '/' && (*src < 0 ? stat(m->src, &st) : fstat(*src, &st)) == 0)
			e = add_stat(r, &st, m->flags & MS_RDONLY ? DEV_R : DEV_R | DEV_W);
	return e;
}

/* What every box has: null zero full random urandom tty ptmx, and ptys.
 * In a start, what is not there needs no rule: rootfs_dev refuses it, or skips it. */
enum { FOR_INIT, FOR_PROGRAM, FOR_UPDATE };
static int collect(struct run *r, int whom)
{
	static const uint8_t fixed[][2] = { { 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 }, { 1, 9 }, { 5, 0 }, { 5, 2 } };
	const struct box *b = r->box;
	unsigned i;
	int e;

	all.want.n = 0;
	all.make = whom == FOR_INIT || !mknods(b) ? DEV_M : 0;
	e = add(r, &all.want, (DEVICE_CHAR | 136u) << 20 | ANY_MINOR, DEV_ALL);
	for (i = 0; i < sizeof fixed / sizeof *fixed && !e; i++)
		e = add(r, &all.want, (DEVICE_CHAR | (unsigned)fixed[i][0]) << 20 | fixed[i][1], DEV_ALL);
	for (i = 0; i < b->ndevrule && !e; i++)
		e = add(r, &all.want, b->devrule[i].key, b->devrule[i].perm);
	for (i = 0; i < b->ndev && !e; i++)
		if ((e = rootfs_nodes(r, b->dev + i, add_node)) != 0 && r->err == ENOENT && (whom != FOR_UPDATE || b->dev[i].skip))
			e = 0;
	return e || whom != FOR_INIT ? e : add_mounts(r);
}

/* Is all allowed, by its own words? Character and block devices have a rule each. */
static bool everything(const struct box *b)
{
	int i, n = 0;

	for (i = 0; i < b->ndevrule; i++)
		n |= b->devrule[i].perm == DEV_ALL && !(~b->devrule[i].key & (ANY_MAJOR << 20 | ANY_MINOR)) ?
			b->devrule[i].key >> 30 ? 2 : 1 : 0;
	return n == 3;
}

/* The first wall where a node may be narrowed or made, and where the mounts are not
 * ours; who is not root may do there what its caller may do without us. Else, is there
 * a way to one that is not in our /dev? Over a mount with devices or another's root
 * below /proc; by a capability; or, handed in through a socket, as somebody to whom
 * nodes of the host may belong. */
enum { NEEDLESS, SECOND_WALL, FIRST_WALL };
static int wall(const struct run *r)
{
	const struct box *b = r->box;
	bool way = r->unpriv || b->caps || b->ndev || b->who != WHO_AUTO || b->ngroup ||
		b->ns[NS_MNT] != NSM_NEW || b->ns[NS_PID] != NSM_NEW;
	int i;

	if (everything(b))
		return NEEDLESS;
	for (i = 0; i < b->ndev; i++)
		if (~b->dev[i].perm & (DEV_R | DEV_W))
			return FIRST_WALL;
	for (i = 0; i < b->nmnt; i++)
		way |= !(b->mnt[i].flags & MS_NODEV) || b->mnt[i].slave;
	return mknods(b) || (b->ns[NS_MNT] != NSM_NEW && !r->unpriv) ? FIRST_WALL : way ? SECOND_WALL : NEEDLESS;
}

/* -------------------------------------------------------------- the lists of v1 */

/* Of a rule, as a list says it; perm: of its rights */
static const char *line(const struct devrule *d, unsigned perm)
{
	unsigned ma = d->key >> 20 & ANY_MAJOR, mi = d->key & ANY_MINOR;

	return fmts("%c %s:%s %s%s%s", d->key >> 30 ? 'c' : 'b', ma == ANY_MAJOR ? "*" : fmts("%u", ma), mi == ANY_MINOR ? "*" : fmts("%u", mi),
		perm & DEV_R ? "r" : "", perm & DEV_W ? "w" : "", perm & DEV_M ? "m" : "");
}

/* devices.list of a leaf: 0 or -1 */
static int read_list(struct run *r, const char *leaf, struct rules *to)
{
	struct devrule d;
	char *p = all.text, *end;
	int kind;

	to->n = 0;
	to->everything = false;
	if (read_file(fmts("%s/devices.list", leaf), p, sizeof all.text) < 0)
		return -1;
	for (; (end = strchr(p, '\n')); p = end + 1) {
		*end = '\0';
		kind = cfg_devrule(p, &d);
		to->everything |= kind == 2;
		errno = EBADMSG;
		if (kind < 0 || (kind < 2 && add(r, to, d.key, d.perm) < 0))
			return -1;
	}
	return 0;
}

/* The rights that one set has on the device of a rule of the other */
static unsigned rights(const struct rules *of, const struct devrule *d)
{
	const struct devrule *p;

	for (p = of->rule; p < of->rule + of->n; p++)
		if (p->key == d->key)
			return p->perm;
	return 0;
}

/* One file, one write for each rule: kernels take one at a time.
 *
 * What a live box has both before and after it keeps meanwhile, and at no moment it has
 * more than either: first what a rule gets without losing anything, then what it
 * loses, then what is left: of a rule that was r and will be w, never rw. */
enum { WIDEN, NARROW, REST };
static int write_rules(struct run *r, const char *leaf, int step)
{
	const struct rules *from = step == NARROW ? &all.is : &all.want, *other = step == NARROW ? &all.want : &all.is;
	const char *file = step == NARROW ? "devices.deny" : "devices.allow", *text;
	const struct devrule *d;
	unsigned perm, has;
	int fd = -1, e = 0;

	for (d = from->rule; d < from->rule + from->n && !e; d++) {
		has = rights(other, d);
		perm = d->perm & ~has;
		if (!perm || (step != NARROW && !(has & ~d->perm) == (step == REST)))
			continue;
		text = line(d, perm);
		if ((fd < 0 && (fd = open(fmts("%s/%s", leaf, file), O_WRONLY | O_CLOEXEC)) < 0) ||
		    write(fd, text, strlen(text)) < 0)
			e = fail(r, "%s: %s", file, text);
	}
	if (fd >= 0)
		let_go(fd);
	return e;
}

static bool equal(const struct rules *a, const struct rules *b)
{
	return a->n == b->n && a->everything == b->everything && memcmp(a->rule, b->rule, a->n * sizeof *a->rule) == 0;
}

/* From all.is to all.want, and read back. Where all was allowed, nothing is for a moment. */
static int write_list(struct run *r, const char *leaf)
{
	int step, e = 0;

	if (all.is.everything && write_at(AT_FDCWD, fmts("%s/devices.deny", leaf), "a") < 0)
		return fail(r, "devices.deny: a");
	for (step = WIDEN; step <= REST && !e; step++)
		e = write_rules(r, leaf, step);
	if (e)
		return e;
	if (read_list(r, leaf, &all.is) < 0)
		return fail(r, "devices.list");
	return equal(&all.is, &all.want) ? 0 : fail_not(r, "devices.list is not what was written");
}

/* ------------------------------------------------------------------------------ */

static const char *reason(int why)
{
	return why == EPERM ? "bpf(2) is refused here, or a program above has the last word" :
		why == ENOENT ? "neither a v2 tree nor a devices hierarchy is ours to write" : "CONFIG_CGROUP_BPF";
}

int cg_devices(struct run *r)
{
	bool leaf = r->cgroup2 >= 0 || r->cg1;
	int e, why = ENOENT, need = wall(r);

	if (!need)
		return 0;
	if (leaf) {
		if ((e = collect(r, FOR_INIT)) != 0)
			return e;
		if (r->cgroup2 >= 0 && cg_program(r->cgroup2, all.want.rule, all.want.n, false) == 0)
			return 0;
		why = r->cgroup2 >= 0 ? errno : why;
		if (HAS(v1) && (e = cg_leaves(r, 1u << CTL_DEVICES)) != 0)
			return e;
		all.listed = V1(r, CTL_DEVICES);
		all.is.everything = true;	/* or what the directory above allows */
		if (HAS(v1) && all.listed)
			return write_list(r, cg_path(CTL_DEVICES));
	}
	errno = why;
	if (need == FIRST_WALL)
		return fail(r, "no device policy, and caps=mknod, ns.mnt= or device= need it (%s)", reason(why));
	if (leaf && !r->unpriv)
		note(r, "no device policy: %s (%s)", strerror(why), reason(why));
	return 0;
}

/* What INIT alone had to be allowed */
int cg_narrow(struct run *r)
{
	int e;

	if (!all.want.n || wall(r) != FIRST_WALL)
		return 0;
	all.was = all.want;
	if ((e = collect(r, FOR_PROGRAM)) != 0 || equal(&all.was, &all.want))
		return e;
	if (HAS(v1) && all.listed)
		return write_list(r, cg_path(CTL_DEVICES));
	return cg_program(r->cgroup2, all.want.rule, all.want.n, true) < 0 ? fail(r, "narrow the device policy") : 0;
}

/* ------------------------------------------------------------------------------ */

/* The list as it was */
static int list_back(struct run *r, const char *leaf)
{
	all.want = all.was;
	if (all.was.everything)
		return write_at(AT_FDCWD, fmts("%s/devices.allow", leaf), "a") < 0 ? fail(r, "devices.allow: a") : 0;
	return read_list(r, leaf, &all.is) < 0 ? fail(r, "devices.list") : write_list(r, leaf);
}

/* The same where something went wrong on the way; and that is what is said. */
static int go_back(struct run *r, const char *leaf, int e)
{
	static char why[sizeof r->why];
	int err = r->err;

	memcpy(why, r->why, sizeof why);
	if (list_back(r, leaf))
		return fail(r, "%s, and devices.list is not as before", why);
	memcpy(r->why, why, sizeof why);
	r->err = err;
	return e;
}

/* A box of v1 that had no need of one: in force before it goes there. */
static int first_list(struct up *u)
{
	struct run *r = &u->run;
	int e = cg_leaves(r, 1u << CTL_DEVICES);

	if (!e && !V1(r, CTL_DEVICES))
		e = fail_not(r, "no leaf in the devices hierarchy can be had");
	all.is.everything = all.was.everything = true;
	if (!e)
		e = write_list(r, cg_path(CTL_DEVICES));
	return e ? e : cg_move(u);
}

/* A box that runs: its policy alone, for its nodes are there. The kernel knows which
 * program is attached, whichever husk it was that did it: that one is replaced, or
 * comes back. A list that allows all is none that was written for a box. */
int cg_devices_update(struct up *u, const struct box *now)
{
	struct run *r = &u->run;
	int list = up_file(u, "devices.list", O_PATH), tree, e;
	static char leaf[CGPATH];

	r->box = now;
	all.listed = true;
	copy(leaf, sizeof leaf, list < 0 ? "" : u->leaf);
	if ((e = collect(r, FOR_UPDATE)) != 0)
		return e;
	if (list >= 0 && read_list(r, leaf, &all.was) < 0)
		return fail(r, "devices.list");
	tree = up_file(u, "cgroup.controllers", O_PATH);
	if (tree >= 0 && (list < 0 || all.was.everything)) {
		r->cgroup2 = open(u->leaf, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (cg_program(r->cgroup2, all.want.rule, all.want.n, true) == 0) {
			all.listed = false;
			return 0;
		}
		if (list < 0)
			return fail(r, "the device program (%s)", reason(errno));
	}
	if (list < 0)
		return first_list(u);
	all.is = all.was;
	return (e = write_list(r, leaf)) != 0 ? go_back(r, leaf, e) : 0;
}

/* Something after it went wrong. A box that had no policy has none again. */
int cg_devices_back(struct up *u)
{
	struct run *r = &u->run;

	if (all.listed)
		return up_file(u, "devices.list", O_PATH) < 0 ? fail(r, "devices.list") : list_back(r, u->leaf);
	return cg_program_back(r->cgroup2) < 0 ? fail(r, "the device program") : 0;
}
