/* mounts.c - the default mounts, then those of the configuration.
 *
 * A file system is mounted on a descriptor of its mount point: the kernel never
 * resolves a path below the box's root for us. Where a descriptor of the mount
 * itself is wanted (proc, sys, dev), it is made over the root first, and moved.
 *
 * Descriptors are left open here: INIT and PROG close all that they do not keep
 * in one call each, and a start has a budget of calls. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "husk.h"

/* In the order of DM_*: mount point, type, options. */
static const char defaults[] =
	"/proc\0proc\0\0"
	"/dev\0tmpfs\0mode=755,size=64K,nr_inodes=512\0"
	"/dev/pts\0devpts\0newinstance,ptmxmode=0666,mode=0620\0"
	"/dev/shm\0tmpfs\0mode=1777,size=64M\0"
	"/dev/mqueue\0mqueue\0\0"
	"/sys\0sysfs\0\0"
	"/run\0tmpfs\0mode=755,size=8M,nr_inodes=2K\0"
	"/tmp\0tmpfs\0mode=1777,size=8M,nr_inodes=2K\0";

#define QUIET	(MS_NOSUID | MS_NODEV | MS_NOEXEC)
static const uint32_t default_flags[NDM] = {
	QUIET, MS_NOSUID | MS_NOEXEC | MS_STRICTATIME, MS_NOSUID | MS_NOEXEC,
	QUIET, QUIET, QUIET | MS_RDONLY, MS_NOSUID | MS_NODEV, MS_NOSUID | MS_NODEV,
};

const char *rootfs_default(int i)
{
	return nth(defaults, 3 * i);
}

bool rootfs_late(const char *path)
{
	return starts(path, "/proc/") || starts(path, "/sys/");
}

/* In memory-backed file systems mount points may be made, in others they are the image's. */
static int mounted(struct run *r, const struct mnt *m, int e)
{
	const char *type = m->type ? m->type : "";

	if (e < 0)
		return fail(r, "mount %s%s%s on %s", type, *type ? " " : "", m->src ? m->src : type, m->dst);
	return plan_mnt(r, m, PLAN_EXACT | (same(type, "tmpfs") ? PLAN_MAKE : 0));
}

/* proc, sys and dev are ordinary directories of the root or nothing: behind a
 * link another directory would get them. What goes into our own dev is made. */
static int target(struct run *r, int i, const char *path, const char *name)
{
	int fd;

	copy(rootfs_path, sizeof rootfs_path, path);
	if (*name) {
		if (mkdirat(r->own[DM_DEV], name, 0755) < 0)
			return fail(r, "make %s", path);
		if (i == DM_PTS && (r->own[i] = openat(r->own[DM_DEV], name, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
			return fail(r, "open %s", path);
		return r->own[DM_DEV];
	}
	fd = strchr(path + 1, '/') ? -1 : openat(r->root, path + 1, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT && (i == DM_PROC || i == DM_SYS || i == DM_DEV))
		return fail(r, "%s: must be an ordinary directory in the root", path);
	return rootfs_target(r, path, true);
}

/* ----------------------------------------------------------------- defaults */

/* Where a namespace is the host's and the user namespace is not, the kernel
 * refuses its file system: the host's, read-only, takes its place. */
static bool may_borrow(const struct box *b, int i)
{
	int ns = i == DM_PROC ? NS_PID : i == DM_SYS ? NS_NET : NS_IPC;

	return USERS(b) != NSM_HOST && b->ns[ns] == NSM_HOST &&
		(i == DM_PROC || i == DM_SYS || i == DM_MQUEUE);
}

static int borrowed(struct run *r, struct mnt *m, int at, const char *name)
{
	int fd = open(m->dst, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (*name)
		at = openat(at, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	m->flags |= MS_RDONLY;
	m->rec = true;
	return fd < 0 || rootfs_over(r, m, fd, at) < 0 ? fail(r, "bind %s", m->dst) : plan_mnt(r, m, 0);
}

/* A mount point, named from where we stand: the kernel would look up /proc/self/fd/N,
 * which takes a tenth of a mount. Who may not stand there (a directory of an id that no
 * map has) goes that way. No descriptor that comes here is closed before the exec: its
 * number is no other directory's. */
static const char *from_here(int at, const char *name)
{
	static int here OFTEN;

	if (at != here && fchdir(at) < 0)
		return rootfs_at(at, name);
	here = at;
	return *name ? name : ".";
}

static int put(struct run *r, const struct mnt *m, int at, const char *name, int *own)
{
	int e;

	if (own)
		e = (*own = rootfs_fresh(m->type, m->flags, m->data)) < 0 ? -1 : rootfs_move(*own, at);
	else
		e = mount(m->type, from_here(at, name), m->type, m->flags, m->data);
	return mounted(r, m, e);
}

static int default_mount(struct run *r, int i)
{
	static char data[80] OFTEN;
	const char *dst = rootfs_default(i), *type = nth(dst, 1);
	struct mnt m = { .dst = dst, .type = type, .data = nth(type, 1), .flags = default_flags[i] };
	bool nested = i == DM_PTS || i == DM_SHM || i == DM_MQUEUE, borrow = may_borrow(r->box, i);
	const char *name = nested && r->own[DM_DEV] >= 0 ? m.dst + sizeof "/dev/" - 1 : "";
	int e = target(r, i, m.dst, name);

	/* where group 5 is one of the box's it is tty */
	if (i == DM_RUN || (i == DM_PTS && USERS(r->box) != NSM_JOIN && rootfs_outside(r, true, 5) != ~0u)) {
		fmt(data, sizeof data, i == DM_RUN ? "%s,uid=%u,gid=%u" : "%s,gid=5", m.data, r->uid, r->gid);
		m.data = data;
	}
	if (e >= 0)
		e = borrow ? borrowed(r, &m, e, name) :
			put(r, &m, e, name, i == DM_PROC || i == DM_SYS || i == DM_DEV ? &r->own[i] : NULL);
	/* not in the kernel, or not for a user namespace; not there outside; no place in somebody else's /dev */
	return rootfs_without(r, nested && (r->err == ENODEV || r->err == EPERM || borrow || r->own[DM_DEV] < 0), e);
}

/* ------------------------------------------------------ of the configuration */

/* Nothing may pose as a kernel's file: below /proc and /sys only what is there
 * outside, on its own place. */
static int foreign(struct run *r, const char *src, int fd)
{
	FILLED struct statfs fs;

	if (!rootfs_below(rootfs_path, "/proc") && !rootfs_below(rootfs_path, "/sys"))
		return 0;
	if (src && same(rootfs_path, src) && fstatfs(fd, &fs) == 0 &&
		((unsigned long)fs.f_type == PROC_SUPER_MAGIC || (unsigned long)fs.f_type == SYSFS_MAGIC))
		return 0;
	return fail_not(r, "%s: below /proc and /sys only the same path of the host's own can be bound", rootfs_path);
}

static int bind_row(struct run *r, struct mnt *m, int src)
{
	FILLED struct stat st;
	int at, e;

	if (fstat(src, &st) < 0)
		return fail(r, "stat %s", m->src);
	if ((at = rootfs_target(r, m->dst, S_ISDIR(st.st_mode))) < 0)
		return at;
	if ((e = foreign(r, m->src, src)) != 0)
		return e;
	if (rootfs_place(r, m, src, at) < 0)
		return fail(r, "bind %s on %s", m->src, m->dst);
	return plan_mnt(r, m, 0);
}

static int fs_row(struct run *r, struct mnt *m, int device)
{
	int at = rootfs_target(r, m->dst, true), e;

	if (at < 0)
		return at;
	e = foreign(r, NULL, -1);
	return e ? e : mounted(r, m, image_mount(m, device, rootfs_at(at, "")));
}

int rootfs_user(struct run *r, int i)
{
	struct mnt m = r->box->mnt[i];

	if (r->src[i] < (m.kind == MNT_BIND ? 0 : -1))
		return 0;
	m.src = rootfs_outer(&m);
	return rootfs_without(r, m.skip, m.kind == MNT_BIND ? bind_row(r, &m, r->src[i]) : fs_row(r, &m, r->src[i]));
}

int rootfs_mounts(struct run *r)
{
	const struct box *b = r->box;
	int i, e = 0;

	if (!rootfs_ours(r))
		return 0;
	for (i = 0; i < NDM && !e; i++)
		if (b->mounts >> i & 1)
			e = default_mount(r, i);
	for (i = 0; i < b->nmnt && !e; i++)
		if (!rootfs_late(b->mnt[i].dst))
			e = rootfs_user(r, i);
	return e ? e : etc_place(r);
}
