/* place.c - mount points, and how a tree of the host gets onto one.
 *
 * A source is a detached clone that HOST made, with its flags on it, and one
 * call puts it in place. The kernel refuses descriptors from before the clone
 * as sources and targets of mount(), so where clones are not to be had INIT
 * opens the path again, compares, binds it, and sets the flags on what the
 * mount point shows then. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "husk.h"

/* linux/mount.h and musl's sys/mount.h cannot be included together */
#define OPEN_TREE_CLONE		1
#define MOVE_MOUNT_F_EMPTY_PATH	0x04
#define MOVE_MOUNT_T_EMPTY_PATH	0x40
#define ATTR_FLAGS		0x0f	/* RDONLY NOSUID NODEV NOEXEC: as MS_* */
#define ATTR_NOATIME		0x10
#define ATTR_STRICTATIME	0x20
#define ATTR_ATIME		0x70
#define ATTR_NODIRATIME		0x80

BASE char (*rootfs_path_at(void))[512]
{
	static char path[512] OFTEN;

	return &path;
}

const char *rootfs_at(int fd, const char *name)
{
	return fmts(*name ? "/proc/self/fd/%d/%s" : "/proc/self/fd/%d", fd, name);
}

bool rootfs_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return same(top, "/") || (starts(path, top) && (!path[n] || path[n] == '/'));
}

bool rootfs_ours(const struct run *r)
{
	return r->box->ns[NS_MNT] == NSM_NEW;
}

/* A row that a ? stands before */
int rootfs_without(struct run *r, bool skip, int e)
{
	if (!e || !skip)
		return e;
	note(r, "%s - went on without it", r->why);
	return 0;
}

/* ------------------------------------------------------------- mount points */

static int real_path(int fd)
{
	ssize_t n = readlink(rootfs_at(fd, ""), rootfs_path, sizeof rootfs_path);

	if (n == sizeof rootfs_path)
		errno = ENAMETOOLONG;
	if (n < 1 || n == sizeof rootfs_path)
		return -1;
	rootfs_path[n] = '\0';
	return 0;
}

/* A missing mount point is made in a tmpfs that we mounted or in a root that is
 * to be written; what the caller binds is never written to. */
static int make_one(struct run *r, int at, const char *path, const char *name, bool dir)
{
	int e = real_path(at);

	if (!e && !(plan_kind(rootfs_path) & PLAN_MAKE))
		return fail_not(r, "%s: not in the read-only root - make it in the image, root=DIR:rw, or of a default mount mounts=-NAME", path);
	if (e || (dir ? mkdirat(at, name, 0755) : mknodat(at, name, S_IFREG | 0644, 0)) < 0 ||
		(at = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return fail(r, "make %s", path);
	return at;
}

/* What is there of the path, and then name by name below it. */
static int make(struct run *r, const char *path, bool dir)
{
	static char part[512];
	size_t len = copy(part, sizeof part, path);
	char *p = part + len;
	int at;

	if (len >= sizeof part)
		return fail_not(r, "%s: too long", path);
	do {
		while (*--p != '/')
			;
		*p = '\0';
	} while ((at = walk(r->root, p > part ? part : "/", O_PATH | O_DIRECTORY)) < 0 && errno == ENOENT);
	if (at < 0)
		return fail(r, "%s", path);
	for (; at >= 0 && p < part + len; p += strlen(p))
		if (*++p)
			at = make_one(r, at, path, p, dir || p + strlen(p) < part + len);
	return at;
}

int rootfs_real(struct run *r, int fd, const char *path)
{
	if (real_path(fd) < 0)
		return fail(r, "%s", path);
	return rootfs_path[1] ? 0 : fail_not(r, "%s: no place for a mount", path);
}

int rootfs_target(struct run *r, const char *path, bool dir)
{
	int fd = walk(r->root, path, O_PATH | (dir ? O_DIRECTORY : 0)), e;

	if (fd < 0)
		fd = errno == ENOENT ? make(r, path, dir) : fail(r, "%s", path);
	return fd < 0 || (e = rootfs_real(r, fd, path)) == 0 ? fd : e;
}

/* ------------------------------------------------------------------ sources */

static bool absent(void)
{
	return errno == ENOSYS || errno == EPERM;	/* EPERM: filters of old container tools */
}

static int set_flags(int fd, const struct mnt *m)
{
	uint64_t set = m->flags & ATTR_FLAGS, clear = 0;

	if (m->flags & (MS_NOATIME | MS_STRICTATIME)) {
		clear = ATTR_ATIME;
		set |= m->flags & MS_NOATIME ? ATTR_NOATIME : ATTR_STRICTATIME;
	}
	if (m->flags & MS_NODIRATIME)
		set |= ATTR_NODIRATIME;
	return sys_mount_setattr(fd, "", AT_EMPTY_PATH | (m->rec ? AT_RECURSIVE : 0),
		set, clear, m->slave ? MS_SLAVE : MS_PRIVATE, -1);
}

int rootfs_clone(struct run *r, const struct mnt *m, int from)
{
	bool named = from == AT_FDCWD;
	int fd = -1;

	if (!named && from < 0)
		return -1;
	if (!r->paths) {
		fd = sys_open_tree(from, named ? m->src : "", OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | (m->rec ? AT_RECURSIVE : 0));
		r->paths = fd < 0 && absent();
	}
	if (r->paths)
		return named ? open(m->src, O_PATH | O_CLOEXEC) : from;
	if (!named)
		let_go(from);
	if (fd < 0 || r->late || set_flags(fd, m) == 0)
		return fd;
	r->late = absent();
	if (r->late)
		return fd;
	let_go(fd);
	return -1;
}

/* ------------------------------------------------------------------ placing */

/* What the mount has already stays: the kernel refuses to take it off in a user
 * namespace, and nobody asked for less than the host has. */
static int remount(int fd, uint32_t flags)
{
	FILLED struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return -1;
	flags |= (uint32_t)fs.f_flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME);
	return mount(NULL, rootfs_at(fd, ""), NULL, MS_REMOUNT | MS_BIND | flags, NULL);
}

/* Before 5.14 fdinfo is closed to who has become another user: since 5.8 statx knows it, too. */
static bool mount_id(struct run *r, int fd, unsigned *to)
{
	static uint64_t st[32];			/* struct statx: stx_mnt_id is at 144 */
	const char *text = caps_status(r->proc, fmts("self/fdinfo/%d", fd)), *line = text ? caps_line(&text, "mnt_id") : NULL;
	uint64_t id;

	if (line)
		decimal(line, &id);
	else if (errno != EACCES || syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x1000, st) < 0)
		return false;
	else
		id = (errno = EACCES, st[0] & 0x1000) ? st[18] : 0;
	*to = (unsigned)id;
	return id;
}

/* Every mount that hangs on this one, by path: nothing else leads to it. What this
 * user cannot reach the program cannot reach either. */
static int remount_below(struct run *r, int fd, uint32_t flags)
{
	static unsigned tree[1024];
	struct mountinfo *m;
	unsigned n = 1, i;
	int e = -1;

	if (!mount_id(r, fd, tree) || !(m = mountinfo_open(r->proc)))
		return -1;
	while ((e = mountinfo_next(m)) > 0) {
		for (i = 0; i < n && tree[i] != m->parent; i++)
			;
		if (i == n)
			continue;
		if (n < sizeof tree / sizeof *tree)
			tree[n++] = m->id;
		if (remount(walk(r->root, m->path, O_PATH), flags) < 0 && !(r->unpriv && errno == EACCES))
			return -1;
	}
	return e;
}

static int settle(struct run *r, const struct mnt *m, int fd)
{
	if (remount(fd, m->flags) < 0 || (m->rec && remount_below(r, fd, m->flags) < 0))
		return -1;
	return mount(NULL, rootfs_at(fd, ""), NULL, MS_REC | (m->slave ? MS_SLAVE : MS_PRIVATE), NULL);
}

static bool alike(int a, int b)
{
	FILLED struct stat s, t;

	if (fstat(a, &s) < 0 || fstat(b, &t) < 0)
		return false;
	errno = ESTALE;
	return s.st_dev == t.st_dev && s.st_ino == t.st_ino;
}

/* The descriptor of a mount point shows what the mount covers: the mount itself
 * is where the path leads now. */
int rootfs_over(struct run *r, const struct mnt *m, int from, int at)
{
	int fd;

	if (mount(rootfs_at(from, ""), at < 0 ? "/" : rootfs_at(at, ""), NULL, MS_BIND | (m->rec ? MS_REC : 0), NULL) < 0)
		return -1;
	if (r->root < 0)
		fd = r->root = open("/..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	else
		fd = walk(r->root, rootfs_path, O_PATH);
	return alike(fd, from) ? settle(r, m, fd) : -1;
}

/* HOST's descriptor is of another mount namespace, so only good to compare with.
 * The tree may contain the box's root, which lies on the host's: what cannot be
 * bound does not come along. */
static int again(struct run *r, const struct mnt *m, int src, int at)
{
	int fd = open(m->src, O_PATH | O_CLOEXEC), e;

	if (!alike(fd, src))
		return -1;
	if (r->root < 0)
		return rootfs_over(r, m, fd, at);
	e = mount(NULL, rootfs_at(r->root, ""), NULL, MS_UNBINDABLE, NULL) < 0 ? -1 : rootfs_over(r, m, fd, at);
	return mount(NULL, rootfs_at(r->root, ""), NULL, MS_PRIVATE, NULL) < 0 ? -1 : e;
}

static int attach(int src, int at)
{
	return sys_move_mount(src, "", at, at < 0 ? "/" : "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int rootfs_place(struct run *r, struct mnt *m, int src, int at)
{
	if (!r->paths && attach(src, at) == 0) {
		if (r->root < 0)
			r->root = src;		/* in our namespace now */
		return r->late ? settle(r, m, src) : 0;
	}
	if (!r->paths && !absent())
		return -1;
	r->paths = true;
	/* a user namespace may not uncover what lies under the host's mounts */
	m->rec |= USERS(r->box) == NSM_NEW;
	return again(r, m, src, at);
}

int rootfs_fresh(const char *type, uint32_t flags, const char *data)
{
	return mount(type, "/", type, flags, data) < 0 ? -1 : open("/..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int rootfs_move(int fd, int at)
{
	if (attach(fd, at) == 0)
		return 0;
	return absent() ? mount("/..", rootfs_at(at, ""), NULL, MS_MOVE, NULL) : -1;
}
