/* walk.c - from a path below a root that nobody trusts to a descriptor.
 *
 * The image may be hostile and may change while we look. So no path of more
 * than one component below it ever reaches the kernel, except here through
 * openat2, which keeps symbolic links and .. inside. Where that call is missing
 * (or a filter of the host's refuses it) the same is done by hand, component by
 * component: a link is never followed by the kernel but read and walked, and ..
 * goes back to the descriptor that we came from. A directory that is moved away
 * meanwhile leads nowhere new: we never ask the kernel for its parent. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "husk.h"

enum { MAXDEPTH = 64, MAXLINKS = 40, TRIES = 64 };

struct steps {
	int fd[MAXDEPTH];	/* fd[0] is the root and not ours; then the way down */
	int n, links;
	char *p;		/* what is still to go, at the end of buf */
	char buf[4096];
};

/* Links of procfs that are not text but a jump to another file, namespace or
 * root. The ordinary ones begin with a number or "self". */
static bool magic(int fd, const char *text)
{
	struct statfs fs;

	return fstatfs(fd, &fs) < 0 || ((unsigned long)fs.f_type == PROC_SUPER_MAGIC &&
		(*text < '0' || *text > '9') && !starts(text, "self/") && !starts(text, "thread-self/"));
}

/* The text of the link goes before what is still to go. */
static int follow(struct steps *s, int link)
{
	size_t room = (size_t)(s->p - s->buf), n;
	ssize_t got;

	if (++s->links > MAXLINKS) {
		errno = ELOOP;
		return -1;
	}
	got = readlinkat(link, "", s->buf, room);
	n = (size_t)got;
	if (got <= 0 || n + 1 >= room) {
		errno = got < 0 ? errno : got == 0 ? ENOENT : ENAMETOOLONG;
		return -1;
	}
	s->buf[n] = '\0';
	if (magic(link, s->buf)) {
		errno = ELOOP;
		return -1;
	}
	if (*s->p)
		*--s->p = '/';
	s->p -= n;
	memmove(s->p, s->buf, n);
	if (*s->p == '/')
		while (s->n > 1)
			close(s->fd[--s->n]);
	return 0;
}

/* One component below the directory where we are. Returns -1, 0 to go on, or 1
 * with *out = what the path names, if that is no directory. */
static int step(struct steps *s, const char *name, bool last, int flags, int *out)
{
	int fd = openat(s->fd[s->n - 1], name, O_PATH | O_NOFOLLOW | O_CLOEXEC), e = -1;
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		;
	else if (S_ISDIR(st.st_mode) && s->n < MAXDEPTH) {
		s->fd[s->n++] = fd;
		return 0;
	} else if (S_ISDIR(st.st_mode))
		errno = ENAMETOOLONG;
	else if (S_ISLNK(st.st_mode) && !(last && flags & O_NOFOLLOW))
		e = follow(s, fd);
	else if (!last || flags & O_DIRECTORY)
		errno = ENOTDIR;
	else if (flags & O_PATH) {
		*out = fd;
		return 1;
	} else
		e = (*out = openat(s->fd[s->n - 1], name, flags | O_NOFOLLOW)) < 0 ? -1 : 1;
	close(fd);
	return e;
}

/* The path led to a directory. */
static int arrive(struct steps *s, int flags)
{
	if (flags & O_PATH && s->n > 1)
		return s->fd[--s->n];
	return openat(s->fd[s->n - 1], ".", flags);
}

static int walk_slowly(int dir, const char *path, int flags)
{
	struct steps s = { .fd = { dir }, .n = 1 };
	size_t len = strlen(path) + 1;
	int e = len < 2 ? ENOENT : len > sizeof s.buf ? ENAMETOOLONG : 0, out = -1;
	char *name;

	errno = e;
	if (!e)
		s.p = memcpy(s.buf + sizeof s.buf - len, path, len);
	while (!e) {
		while (*s.p == '/')
			s.p++;
		if (!*(name = s.p))
			break;
		while (*s.p && *s.p != '/')
			s.p++;
		if (*s.p)
			*s.p++ = '\0';
		if (same(name, "..")) {
			if (s.n > 1)
				close(s.fd[--s.n]);
		} else if (!same(name, "."))
			e = step(&s, name, !*s.p && s.p[-1], flags, &out);
	}
	if (!e)
		out = arrive(&s, flags);
	e = errno;
	while (s.n > 1)
		close(s.fd[--s.n]);
	errno = e;
	return out;
}

int walk(int dir, const char *path, int flags)
{
	static bool missing;
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
	return walk_slowly(dir, path, flags);
}

/* A regular file for reading. What it is, is looked at before it is opened: to
 * open a device is to use it, and one can be called etc/passwd. */
int walk_file(int dir, const char *path, struct stat *st)
{
	int at = walk(dir, path, O_PATH), e;

	if (at < 0)
		return -1;
	errno = EINVAL;
	e = fstat(at, st) == 0 && S_ISREG(st->st_mode) ? 0 : -1;
	if (!e)
		e = openat(AT_FDCWD, rootfs_at(at, ""), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	let_go(at);
	return e;
}
