/* walk.c - from a path below a root that nobody trusts to a descriptor.
 *
 * The image may be hostile and may change while we look. So no path of more
 * than one component below it ever reaches the kernel, except here through
 * openat2, which keeps symbolic links and .. inside. Where that call is missing
 * (or a filter of the host's refuses it) the same is done by hand, component by
 * component: a link is never followed by the kernel but read, and its text takes
 * the place of its name; .. takes away the name before it; after both we begin
 * again at the root. We never ask the kernel for the parent of a directory.
 *
 * A path of the host's is the caller's word, and its links are, too: but for those that
 * a box has put where it may write. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "husk.h"

enum { MAXLINKS = 40, MAXSTEPS = 20000, TRIES = 64 };
enum whose { ANYBODYS, OUR_LINKS, OUR_NAMES };	/* what is followed; what is looked for at all */

/* the path: what stands before the place where we are is directories */
static BASE char (*at(void))[4096]
{
	static char path[4096];

	return &path;
}
#define whole (*at())

/* Links of procfs that are not text but a jump to another file, namespace or
 * root. The ordinary ones begin with a number or "self". */
static bool magic(int fd, const char *text)
{
	FILLED struct statfs fs;

	return fstatfs(fd, &fs) < 0 || ((unsigned long)fs.f_type == PROC_SUPER_MAGIC &&
		(*text < '0' || *text > '9') && !starts(text, "self/") && !starts(text, "thread-self/"));
}

/* What stands from p to end is the name of this link. Returns errno or 0. */
static int follow(int link, char *p, const char *end)
{
	static char to[4096];
	ssize_t got = readlinkat(link, "", to, sizeof to - 1);
	size_t n = (size_t)got, rest = strlen(end) + 1;

	if (got <= 0)
		return got < 0 ? errno : ENOENT;
	to[n] = '\0';
	if (magic(link, to))
		return ELOOP;
	if (*to == '/')
		p = whole;
	if ((size_t)(p - whole) + n + rest > sizeof whole)
		return ENAMETOOLONG;
	memmove(p + n, end, rest);
	memcpy(p, to, n);
	return 0;
}

/* . or .. */
static void leave_out(char *p, const char *end)
{
	if (end - p == 2) {
		while (p > whole && p[-1] == '/')
			p--;
		while (p > whole && p[-1] != '/')
			p--;
	}
	memmove(p, end, strlen(end) + 1);
}

/* Nobody else has made what stands here, or can: the caller, root, and whose the root is. In
 * a directory like /tmp nobody takes the place of a name. */
static bool ours(const struct stat *st, const struct stat *root)
{
	return (!st->st_uid || st->st_uid == root->st_uid || st->st_uid == geteuid()) &&
		(S_ISLNK(st->st_mode) || !(st->st_mode & 022) || st->st_mode & S_ISVTX);
}

static int walk_slowly(int dir, const char *path, int flags, enum whose whose)
{
	int fd = dir, next, e = *path ? 0 : ENOENT, links = 0, steps = 0;
	struct stat root = { 0 }, st;
	char *p = whole, *end, c;
	bool safe = true;

	if (whose && fstat(dir, &root) < 0)
		e = errno;
	if (copy(whole, sizeof whole, path) >= sizeof whole)
		e = ENAMETOOLONG;
	while (!e && *(p += strspn(p, "/"))) {
		end = p + strcspn(p, "/");
		c = *end;
		*end = '\0';
		next = dir;
		if (same(p, ".") || same(p, "..")) {
			*end = c;
			leave_out(p, end);
			p = whole;
			safe = true;
		} else if (whose == OUR_NAMES && !safe) {
			e = ELOOP;
		} else if ((next = openat(fd, p, O_PATH | O_NOFOLLOW | O_CLOEXEC)) < 0 || fstat(next, &st) < 0)
			e = errno;
		else if (S_ISLNK(st.st_mode) && (c || !(flags & O_NOFOLLOW))) {
			*end = c;
			safe &= ours(&st, &root);
			e = ++links > MAXLINKS || (whose && !safe) ? ELOOP : follow(next, p, end);
			close(next);
			next = dir;
			p = whole;
			safe = true;
		} else {
			safe &= ours(&st, &root);
			e = S_ISDIR(st.st_mode) || !(c || flags & O_DIRECTORY) ? 0 : ENOTDIR;
			*end = c;
			p = end;
		}
		if (++steps > MAXSTEPS)
			e = ELOOP;
		if (fd != dir)
			close(fd);
		fd = next;
	}
	if (!e && (fd == dir || !(flags & O_PATH))) {
		next = fd == dir ? openat(dir, ".", flags) : open(rootfs_at(fd, ""), flags & ~O_NOFOLLOW);
		e = next < 0 ? errno : 0;
		if (fd != dir)
			close(fd);
		fd = next;
	}
	if (!e)
		return fd;
	if (fd >= 0 && fd != dir)
		close(fd);
	errno = e;
	return -1;
}

int walk(int dir, const char *path, int flags)
{
	static bool missing OFTEN;
	int fd, i;

	flags |= O_CLOEXEC;
	for (i = 0; i < TRIES && !missing; i++) {
		fd = sys_openat2(dir, path, (uint64_t)flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
		if (fd >= 0)
			return fd;
		/* EAGAIN: something was renamed meanwhile, here or elsewhere */
		missing = errno == ENOSYS || errno == EPERM;
		if (!missing && errno != EAGAIN && errno != EINTR)
			return -1;
	}
	return walk_slowly(dir, path, flags, ANYBODYS);
}

int walk_host(const char *path, int flags, bool names)
{
	int fd, dir;

	flags |= O_CLOEXEC;
	if (!names && ((fd = sys_openat2(AT_FDCWD, path, (uint64_t)flags, 0, RESOLVE_NO_SYMLINKS)) >= 0 ||
	    (errno != ELOOP && errno != ENOSYS && errno != EPERM)))
		return fd;
	if ((dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		return -1;
	fd = walk_slowly(dir, path, flags, names ? OUR_NAMES : OUR_LINKS);
	let_go(dir);
	return fd;
}

/* A regular file for reading. What it is, is looked at before it is opened: to
 * open a device is to use it, and one can be called etc/passwd. */
int walk_file(int dir, int proc, const char *path, struct stat *st)
{
	int at = walk(dir, path, O_PATH), e;

	if (at < 0)
		return -1;
	errno = EINVAL;
	e = fstat(at, st) == 0 && S_ISREG(st->st_mode) ? 0 : -1;
	if (!e)
		e = openat(proc, rootfs_at(at, "") + (proc < 0 ? 0 : sizeof "/proc/" - 1), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	let_go(at);
	return e;
}
