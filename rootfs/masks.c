/* masks.c - what is hidden, and what may not be written. The last of the
 * mounts: nothing comes to lie over a mask.
 *
 * A mask is one more mount of the empty directory or the empty file of the
 * scratch tmpfs, which is read-only as a whole. In procfs and sysfs, which we
 * mounted ourselves, one component is named directly; all else is walked. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

#define QUIET	(MS_NOSUID | MS_NODEV | MS_NOEXEC)

static int here;		/* descriptor that is the working directory, or -1 */
static char empty[2][32];	/* what masks show: the file, the directory */
struct entry { uint64_t ino, off; uint16_t len; uint8_t type; char name[]; };
static char list[4096] __attribute__((aligned(8)));	/* names in /proc, as getdents64 gives them */
static long nlist;		/* 0: not known */

static void whole(const struct run *r)
{
	copy(empty[0], sizeof *empty, rootfs_at(r->scratch, SCRATCH_FILE));
	copy(empty[1], sizeof *empty, rootfs_at(r->scratch, SCRATCH_DIR));
}

static int go(const struct run *r, int fd)
{
	if (here == fd)
		return 0;
	here = fd;
	whole(r);
	return fchdir(fd);
}

/* Our own procfs or sysfs, if path is one component below it: its name there. */
static const char *own(const struct run *r, const char *path, int *fs)
{
	const char *name = starts(path, "/proc/") ? path + 6 : starts(path, "/sys/") ? path + 5 : NULL;

	*fs = name ? r->own[path[1] == 'p' ? DM_PROC : DM_SYS] : -1;
	return *fs >= 0 && !name[strcspn(name, "/")] ? name : NULL;
}

/* Of a directory we want the names that are no pids: procfs lists those first.
 * One read for what would be two calls for each mask without a target. */
static int list_proc(struct run *r)
{
	struct entry *e;
	int fd = r->own[DM_PROC];
	long got, i;

	nlist = 0;
	if (fd < 0)
		return 0;
	if ((got = syscall(SYS_getdents64, fd, list, sizeof list)) < 0)
		return fail(r, "list /proc");
	for (i = 0; i < got; i += e->len) {
		e = (void *)(list + i);
		if (*e->name >= '1' && *e->name <= '9') {
			nlist = i;
			break;
		}
	}
	return 0;
}

/* Below /proc, where most of them are, a name is one of the working directory. */
static const char *at(struct run *r, int fs, const char *name)
{
	if (fs != r->own[DM_PROC])
		return rootfs_at(fs, name);
	return go(r, fs) < 0 ? "" : name;	/* "": refused with ENOENT, but the name is there */
}

/* What is not there on a file system of ours needs no mask. */
static bool listed(const struct run *r, int fs, const char *name)
{
	const struct entry *e;
	long i;

	if (fs != r->own[DM_PROC] || !nlist)
		return true;
	for (i = 0; i < nlist; i += e->len) {
		e = (void *)(list + i);
		if (*e->name == *name && same(e->name, name))
			return true;
	}
	return false;
}

/* And it must be the target that is missing. */
static bool gone(int fs, const char *name)
{
	return errno == ENOENT && faccessat(fs, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

/* The hint says what it is likely to be; the kernel says ENOTDIR if it is not.
 * Each mask is a clone of the last one in the working directory, if there is
 * one: that is found faster than the thing itself. */
static int hide(const char *where, bool *dir)
{
	int e = mount(empty[*dir], where, NULL, MS_BIND, NULL);

	if (e < 0 && errno == ENOTDIR) {
		*dir = !*dir;
		e = mount(empty[*dir], where, NULL, MS_BIND, NULL);
	}
	if (e == 0 && *where != '/' && strlen(where) < sizeof *empty)
		copy(empty[*dir], sizeof *empty, where);
	return e;
}

static int mask(struct run *r, const char *path, const char *said, bool dir, bool skip)
{
	const char *name;
	int fs, fd, e;

	if ((name = own(r, path, &fs)) != NULL) {
		if (skip && !listed(r, fs, name))
			return 0;
		if (hide(at(r, fs, name), &dir) < 0)
			return skip && gone(fs, name) ? 0 : fail(r, "mask %s", path);
		return plan_add(r, path, said, dir ? PLAN_DIR : PLAN_FILE, MS_RDONLY | QUIET, "tmpfs");
	}
	if ((fd = walk(r->root, path, O_PATH)) < 0)
		return skip && errno == ENOENT ? 0 : fail(r, "mask %s", path);
	e = rootfs_real(r, fd, path);
	if (!e && hide(rootfs_at(fd, ""), &dir) < 0)
		e = fail(r, "mask %s", path);
	return e ? e : plan_add(r, rootfs_path, said, dir ? PLAN_DIR : PLAN_FILE, MS_RDONLY | QUIET, "tmpfs");
}

/* Bound on itself, and that mount made read-only: what is mounted below comes
 * along and is made read-only too. */
static int forbid(struct run *r, const char *path, const char *said)
{
	const char *name, *where;
	int fs, fd, e;

	if ((name = own(r, path, &fs)) != NULL) {
		if (!listed(r, fs, name))
			return 0;
		where = at(r, fs, name);
		if (mount(where, where, NULL, MS_BIND, NULL) < 0)
			return gone(fs, name) ? 0 : fail(r, "bind %s", path);
		if (mount(NULL, where, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | QUIET, NULL) < 0)
			return fail(r, "remount %s", path);
		return plan_add(r, path, said, PLAN_EXACT, MS_RDONLY | QUIET, NULL);
	}
	if ((fd = walk(r->root, path, O_PATH)) < 0)
		return rootfs_late(path) && fs < 0 && errno == ENOENT ? 0 : fail(r, "readonly %s", path);
	e = rootfs_real(r, fd, path);
	if (!e && (go(r, r->scratch) < 0 || rootfs_place(r, fd, NULL, fd, MS_RDONLY, BIND_REC) < 0))
		e = fail(r, "readonly %s", path);
	return e ? e : plan_forbid(r, rootfs_path, said);
}

/* Without the slash that says directory */
static const char *trim(const char *path)
{
	static char buf[512];
	size_t n = copy(buf, sizeof buf, path);

	if (n > 1 && n < sizeof buf && buf[n - 1] == '/')
		buf[n - 1] = '\0';
	return buf;
}

/* Rows of bind= below /proc and /sys: after the read-only ones, which would
 * hide them, and not over a mask. */
static int late(struct run *r)
{
	const struct box *b = r->box;
	int i, j, e = 0;

	for (i = 0; i < b->nmnt && !e; i++) {
		if (!rootfs_late(b->mnt[i].dst))
			continue;
		for (j = 0; j < b->nmask; j++)
			if (rootfs_below(b->mask[j], b->mnt[i].dst))
				return fail_not(r, "%s would uncover mask=%s", b->mnt[i].dst, b->mask[j]);
		for (j = 0; j < b->nro; j++)
			if (rootfs_below(b->ro[j], b->mnt[i].dst) && !same(b->ro[j], b->mnt[i].dst))
				return fail_not(r, "%s would uncover readonly=%s", b->mnt[i].dst, b->ro[j]);
		e = go(r, r->scratch) < 0 ? fail(r, "fchdir") : rootfs_user(r, i);
	}
	return e;
}

/* A root in memory was writable until its mount points were made. */
static int close_root(struct run *r)
{
	if (r->box->root != ROOT_TMPFS || r->box->root_rw)
		return 0;
	return mount(NULL, rootfs_at(r->root, ""), NULL, MS_REMOUNT | MS_BIND | rootfs_root_flags(r), NULL) < 0 ?
		fail(r, "remount /") : 0;
}

int rootfs_masks(struct run *r)
{
	const struct box *b = r->box;
	int i, e;
	size_t n;

	if (!rootfs_ours(r))
		return 0;
	here = -1;
	whole(r);
	e = list_proc(r);
	/* these first: a tree bound on itself would hide masks in it */
	for (i = 0; i < b->nro && !e; i++)
		e = forbid(r, trim(b->ro[i]), b->ro[i]);
	for (i = 0; i < b->nmask && !e; i++) {
		n = strlen(b->mask[i]);
		e = mask(r, trim(b->mask[i]), b->mask[i], b->mask[i][n - 1] == '/', b->mask_skip[i]);
	}
	if (e || (e = late(r)) != 0)
		return e;
	return close_root(r);
}
