/* place.c - mount points, and how a tree of the host gets onto one.
 *
 * A source is a detached clone that HOST made, with its flags on it, and one
 * call puts it in place. The kernel refuses descriptors from before the clone
 * as sources and targets of mount(), so where clones are not to be had INIT
 * opens the path again, compares, binds it on the scratch tmpfs where names are
 * our own, sets the flags there, and moves it into place. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
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

char rootfs_path[512];

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
	if (real_path(at) < 0)
		return fail(r, "%s", path);
	if (!(plan_kind(rootfs_path) & PLAN_MAKE))
		return fail_not(r, "%s: not in the read-only root - make it in the image, or overlay=64K", path);
	if (dir ? mkdirat(at, name, 0755) < 0 : mknodat(at, name, S_IFREG | 0644, 0) < 0)
		return fail(r, "make %s", path);
	at = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return at < 0 ? fail(r, "open %s", path) : at;
}

/* Component by component: each from the root, so that links lead where they
 * lead inside, and what is missing is made below the descriptor before it. */
static int make(struct run *r, const char *path, bool dir)
{
	static char part[512];
	const char *whole = path;
	char *end = part;
	int at = walk(r->root, "/", O_PATH), fd;
	bool last;

	if (at < 0 || copy(part, sizeof part, path) >= sizeof part)
		return fail_not(r, "%s: too long", path);
	do {
		path = end + strspn(end, "/");
		end += strspn(end, "/") + strcspn(path, "/");
		last = !end[strspn(end, "/")];
		*end = '\0';
		fd = walk(r->root, part, O_PATH | (last && !dir ? 0 : O_DIRECTORY));
		if (fd < 0)
			fd = errno == ENOENT ? make_one(r, at, whole, path, !last || dir) : fail(r, "%s", whole);
		close(at);
		at = fd;
		if (!last)
			*end = '/';
	} while (at >= 0 && !last);
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

static int set_flags(int fd, uint32_t flags, unsigned how)
{
	uint64_t set = flags & ATTR_FLAGS, clear = 0;

	if (flags & (MS_NOATIME | MS_STRICTATIME)) {
		clear = ATTR_ATIME;
		set |= flags & MS_NOATIME ? ATTR_NOATIME : ATTR_STRICTATIME;
	}
	if (flags & MS_NODIRATIME)
		set |= ATTR_NODIRATIME;
	return sys_mount_setattr(fd, "", AT_EMPTY_PATH | (how & BIND_REC ? AT_RECURSIVE : 0),
		set, clear, how & BIND_SLAVE ? MS_SLAVE : MS_PRIVATE, -1);
}

int rootfs_clone(struct run *r, const char *path, uint32_t flags, unsigned how)
{
	int fd = -1;

	if (!r->paths) {
		fd = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC | (how & BIND_REC ? AT_RECURSIVE : 0));
		if (fd < 0 && !absent())
			return -1;
		r->paths = fd < 0;
	}
	if (r->paths)
		return openat(AT_FDCWD, path, O_PATH | O_CLOEXEC);
	if (!r->late && set_flags(fd, flags, how) < 0) {
		r->late = absent();
		if (!r->late) {
			close(fd);
			return -1;
		}
	}
	return fd;
}

/* What the mount has already stays: the kernel refuses to take it off in a user
 * namespace, and nobody asked for less than the host has. */
static int remount(const char *path, uint32_t flags)
{
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return -1;
	flags |= (uint32_t)fs.f_flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME);
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | flags, NULL);
}

/* Every mount below the name in the scratch tmpfs. What this user cannot reach
 * the program cannot reach either. */
static int remount_below(struct run *r, const char *name, uint32_t flags)
{
	struct mountinfo *m = mountinfo_open(r->proc);
	int fd, e;

	while (m && (e = mountinfo_next(m)) > 0) {
		if (!rootfs_below(m->path + 1, name) || same(m->path + 1, name))
			continue;
		fd = walk(r->scratch, m->path, O_PATH);
		e = fd < 0 ? -1 : remount(rootfs_at(fd, ""), flags);
		if (e < 0 && !(r->unpriv && errno == EACCES))
			return -1;
		if (fd >= 0)
			close(fd);
	}
	return m ? e : -1;
}

static int settle(struct run *r, const char *name, uint32_t flags, unsigned how)
{
	if (remount(name, flags) < 0 || (how & BIND_REC && remount_below(r, name, flags) < 0))
		return -1;
	return mount(NULL, name, NULL, MS_REC | (how & BIND_SLAVE ? MS_SLAVE : MS_PRIVATE), NULL);
}

/* A tree of the host may contain the scratch tmpfs, which lies on its root:
 * what cannot be bound does not come along. */
static int bind_tree(const char *from, const char *name)
{
	int e = mount(NULL, ".", NULL, MS_UNBINDABLE, NULL), err;

	if (e == 0)
		e = mount(from, name, NULL, MS_BIND | MS_REC, NULL);
	err = errno;
	if (mount(NULL, ".", NULL, MS_PRIVATE, NULL) < 0)
		return -1;
	errno = err;
	return e;
}

/* src is HOST's descriptor: of another mount namespace, so only good to compare
 * with. Without a path it is ours. */
static int bind(int src, const char *path, const char *name, unsigned how)
{
	int fd = path ? openat(AT_FDCWD, path, O_PATH | O_CLOEXEC) : src;
	struct stat a, b;

	if (fd < 0 || fstat(fd, &a) < 0 || fstat(src, &b) < 0)
		return -1;
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino) {
		errno = ESTALE;
		return -1;
	}
	path = rootfs_at(fd, "");
	return how & BIND_REC ? bind_tree(path, name) : mount(path, name, NULL, MS_BIND, NULL);
}

static int attach(int src, int at, const char *name)
{
	return sys_move_mount(src, "", at, name, MOVE_MOUNT_F_EMPTY_PATH | (*name ? 0 : MOVE_MOUNT_T_EMPTY_PATH));
}

/* What is mounted on the scratch tmpfs */
static int move(const char *name, int at)
{
	return mount(name, at < 0 ? "/" : rootfs_at(at, ""), NULL, MS_MOVE, NULL);
}

int rootfs_move(int fd, int at)
{
	if (attach(fd, at, "") == 0)
		return 0;
	return absent() ? move(SCRATCH_DIR, at) : -1;
}

/* A user namespace may not uncover what lies under the host's mounts. */
static unsigned more(const struct run *r, unsigned how)
{
	return how | (r->paths && r->box->ns[NS_USER] == NSM_NEW ? BIND_REC : 0);
}

unsigned rootfs_planned(const struct run *r, unsigned how)
{
	return (more(r, how) & BIND_REC ? PLAN_REC : 0) | (how & BIND_SLAVE ? PLAN_SLAVE : 0);
}

int rootfs_place(struct run *r, int src, const char *path, int at, uint32_t flags, unsigned how)
{
	const char *name = SCRATCH_DIR;
	struct stat st;

	if (path && !r->paths && !r->late) {
		if (attach(src, at < 0 ? AT_FDCWD : at, at < 0 ? "/" : "") == 0)
			return 0;
		if (!absent())
			return -1;
		r->paths = true;
	}
	if (fstat(src, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode))
		name = SCRATCH_FILE;
	if (!path || r->paths || attach(src, AT_FDCWD, name) < 0) {
		if (path && !r->paths && !absent())
			return -1;
		r->paths |= path != NULL;
		how = more(r, how);
		if (bind(src, path, name, how) < 0)
			return -1;
	}
	if (settle(r, name, flags, how) < 0)
		return -1;
	return move(name, at);
}
