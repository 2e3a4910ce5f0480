/* masks.c - what is hidden, and what may not be written. The last of the
 * mounts: nothing comes to lie over a mask.
 *
 * A mask is a read-only bind of a nameless empty file, or of the empty directory
 * below a mount, of our /dev. In procfs and sysfs, which we mounted ourselves,
 * one component is named directly; all else is walked. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

#define FLAGS	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)

#define FILENAME	"husk.f"	/* in our dev, until all masks are made */
enum { DIR = 1, MASK = 2, SKIP = 4 };

struct masks {
	int	 dev, dir;		/* where the file is that masks show, and the directory that they show */
	char	 last[2][32];		/* where a mask is already, in the working directory: [DIR] a directory */
	bool	 looked;		/* at all names of our procfs */
	uint32_t there[64];
};

static BASE struct masks *at(void)
{
	static struct masks masks OFTEN;

	return &masks;
}
#define g (*at())

/* A bit of g.there for each name. */
static unsigned bit(const char *name)
{
	unsigned h = 0;

	while (*name)
		h = h * 67 + (uint8_t)*name++;
	return h ^ h >> 11;
}

/* What is not there on a file system of ours needs no mask. Of a directory we
 * want the names that are no pids, which procfs lists first: one read for what
 * would be two calls for each mask without a target. */
static void look(void)
{
	const char *n;

	while ((n = rootfs_name()) && (*n < '1' || *n > '9'))
		g.there[bit(n) / 32 % 64] |= 1u << bit(n) % 32;
	g.looked = n;
}

/* Or has the bit of one that is: then mount() says. */
static bool listed(const char *name)
{
	return !g.looked || g.there[bit(name) / 32 % 64] >> bit(name) % 32 & 1;
}

/* Not where the program could write to what masks show: with no devpts over the
 * directory, or by its handle. */
bool rootfs_lends(const struct run *r)
{
	return r->own[DM_DEV] >= 0 && r->own[DM_PTS] >= 0 && !(r->box->caps >> CAP_DAC_READ_SEARCH & 1);
}

static int empty(struct run *r)
{
	if (rootfs_lends(r)) {
		g.dev = r->own[DM_DEV];
		g.dir = r->own[DM_PTS];
	} else {
		g.dev = rootfs_fresh("tmpfs", FLAGS & ~MS_RDONLY, "mode=755,size=4K,nr_inodes=8");
		(void)mkdirat(g.dev, "pts", 0755);
		g.dir = openat(g.dev, "pts", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return g.dir < 0 || mknodat(g.dev, FILENAME, S_IFREG | 0444, 0) < 0 ? fail(r, "make what masks show") : 0;
}

static int planned(struct run *r, unsigned how)
{
	if (!(how & MASK))
		return plan_add(r, rootfs_path, PLAN_EXACT | PLAN_KNOB, FLAGS, rootfs_path[1] == 'p' ? "proc" : "sysfs");
	return plan_add(r, rootfs_path, how & DIR ? PLAN_DIR : PLAN_FILE, FLAGS, "tmpfs");
}

/* A name of our own procfs or sysfs. DIR is a guess, and the kernel says ENOTDIR
 * if it is wrong. Each mask is a clone of the last one in the working directory,
 * if there is one: that is found faster than the thing itself, and has its flags.
 * What is read-only in procfs has those of all of it: they are set for as long. */
static int named(struct run *r, int fs, const char *name, unsigned how)
{
	const char *where = fs == r->own[DM_PROC] ? name : rootfs_at(fs, name), *from = where;
	FILLED struct stat st;
	int e = -1, wrong = 0;

	if (where == name && how & SKIP && !listed(name))
		return 0;
	do {
		how ^= wrong ? DIR : 0;
		if (how & MASK)
			from = *g.last[how & DIR] ? g.last[how & DIR] :
				how & DIR ? rootfs_at(g.dir, "") : rootfs_at(g.dev, FILENAME);
		e = mount(from, where, NULL, MS_BIND, NULL);
	} while (e < 0 && errno == ENOTDIR && how & MASK && !wrong++);
	if (e == 0 && *from == '/')
		e = mount(NULL, where, NULL, MS_REMOUNT | MS_BIND | FLAGS, NULL);
	/* and it must be the target that is missing */
	if (e < 0)
		return how & SKIP && errno == ENOENT && fstatat(fs, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT ?
			0 : fail(r, "cover %s", rootfs_path);
	if (how & MASK && where == name && strlen(name) < sizeof *g.last)
		copy(g.last[how & DIR], sizeof *g.last, name);
	return planned(r, how);
}

/* Any other path. What is to be read-only is bound on itself: what is mounted
 * below it comes along, and is made read-only too. */
static int walked(struct run *r, unsigned how)
{
	struct mnt m = { .flags = how & MASK ? FLAGS : MS_RDONLY, .rec = !(how & MASK) };
	int fd = walk(r->root, rootfs_path, O_PATH), from = fd, e;
	struct stat st;

	if (fd < 0)
		return how & SKIP && errno == ENOENT ? 0 : fail(r, "cover %s", rootfs_path);
	if ((e = rootfs_real(r, fd, rootfs_path)) != 0)
		return e;
	e = fstat(fd, &st);
	if (how & MASK)
		from = S_ISDIR(st.st_mode) ? g.dir : openat(g.dev, FILENAME, O_PATH | O_CLOEXEC);
	if (e < 0 || rootfs_over(r, &m, from, fd) < 0)
		return fail(r, "cover %s", rootfs_path);
	return m.rec ? plan_forbid(r, rootfs_path) : planned(r, MASK | S_ISDIR(st.st_mode));
}

static int cover(struct run *r, const char *path, unsigned how)
{
	size_t n = copy(rootfs_path, sizeof rootfs_path, path);
	bool proc = starts(path, "/proc/");
	char *name = rootfs_path + (proc ? 6 : 5);
	int fs = proc ? r->own[DM_PROC] : starts(path, "/sys/") ? r->own[DM_SYS] : -1;

	if (n >= sizeof rootfs_path)
		return fail_not(r, "%s: too long", path);
	if (n > 1 && path[n - 1] == '/') {
		rootfs_path[n - 1] = '\0';
		how |= DIR;
	}
	return fs < 0 || strchr(name, '/') ? walked(r, how) : named(r, fs, name, how);
}

/* What was needed while masks were made. A bind of a file stays when its name
 * goes. And a root in memory was writable until its mount points were made. */
static int done(struct run *r)
{
	const struct box *b = r->box;

	if ((b->nmask && unlinkat(g.dev, FILENAME, 0) < 0) ||
		(b->nmask && !rootfs_lends(r) && umount2("/..", MNT_DETACH) < 0) ||
		(b->root == ROOT_TMPFS && !b->root_rw &&
		mount(NULL, rootfs_at(r->root, ""), NULL, MS_REMOUNT | MS_BIND | rootfs_root_flags(r), NULL) < 0))
		return fail(r, "close /");
	return 0;
}

static int flags(struct run *r, unsigned how)
{
	return r->own[DM_PROC] < 0 || mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | how, NULL) == 0 ? 0 : fail(r, "flags of /proc");
}

int rootfs_masks(struct run *r)
{
	const struct box *b = r->box;
	int i, e = 0;

	if (!rootfs_ours(r))
		return 0;
	if (r->own[DM_PROC] >= 0) {
		if (fchdir(r->own[DM_PROC]) < 0 || rootfs_list(r->own[DM_PROC]) < 0)
			return fail(r, "list /proc");
		look();
	}
	/* these first: a tree bound on itself would hide masks in it */
	e = b->nro ? flags(r, FLAGS) : 0;
	for (i = 0; i < b->nro && !e; i++)
		e = cover(r, b->ro[i], rootfs_late(b->ro[i]) ? SKIP : 0);
	if (!e && b->nro)
		e = flags(r, FLAGS & ~MS_RDONLY);
	if (!e && b->nmask)
		e = empty(r);
	for (i = 0; i < b->nmask && !e; i++)
		e = cover(r, b->mask[i], b->mask_skip[i] ? MASK | SKIP : MASK);
	/* rows of bind= below /proc and /sys: the read-only ones would hide them; cfg_check
	 * has seen that they uncover nothing */
	for (i = 0; i < b->nmnt && !e; i++)
		if (rootfs_late(b->mnt[i].dst))
			e = rootfs_user(r, i);
	return e ? e : done(r);
}
