/* etc.c - copies of files of the host's /etc: names, addresses, time zone. HOST
 * opens, INIT copies into the scratch tmpfs, and a read-only bind goes over the
 * file in the root. What is absent outside, or has no place inside, is skipped.
 *
 * With root=/ the file is the host's own already, and always fresh, unless it
 * is a link to where something else is mounted outside: then the copy goes to
 * where the link leads. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

#define FLAGS	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
static unsigned copied;		/* bit i: row i of box.etc is in the scratch tmpfs */

static const char *path_of(const char *name)
{
	static char path[96];

	fmt(path, sizeof path, "/etc/%s", name);
	return path;
}

static bool taken(const struct box *b, const char *path)
{
	int i;

	for (i = 0; i < b->nmnt; i++)
		if (same(b->mnt[i].dst, path))
			return true;
	return false;
}

/* May the copy be of use? */
static bool wanted(const struct run *r, const char *path)
{
	const struct box *b = r->box;
	int fd;

	if (taken(b, path))
		return false;
	if (b->root == ROOT_TMPFS || b->root_rw)
		return true;
	if (b->root == ROOT_HOST && !r->paths && (fd = walk(r->rootsrc, path, O_PATH)) >= 0) {
		close(fd);
		return false;
	}
	/* a file, or a link that may lead somewhere when all is mounted */
	fd = walk(r->rootsrc, path, O_PATH | O_NOFOLLOW);
	return fd >= 0 && close(fd) == 0;
}

int etc_sources(struct run *r)
{
	const char *path;
	int i;

	for (i = 0; i < r->box->netc; i++)
		if (wanted(r, path = path_of(r->box->etc[i]))) {
			r->etcsrc[i] = openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
			if (r->etcsrc[i] < 0 && errno != ENOENT)
				return fail(r, "%s", path);
		}
	return 0;
}

static const char *name_of(int i)
{
	static char name[] = "etc.0";

	name[4] = (char)('0' + i);
	return name;
}

int etc_copy(struct run *r)
{
	int i, to;
	ssize_t n;

	for (i = 0; i < r->box->netc; i++) {
		if (r->etcsrc[i] < 0)
			continue;
		if ((to = openat(AT_FDCWD, name_of(i), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) < 0)
			return fail(r, "make the copy of %s", r->box->etc[i]);
		while ((n = sendfile(to, r->etcsrc[i], NULL, 1 << 20)) > 0)
			;
		if (n < 0)
			return fail(r, "copy /etc/%s", r->box->etc[i]);
		close(to);		/* before its file system becomes read-only */
		copied |= 1 << i;
	}
	return 0;
}

/* Where a link of that name in the root leads, itself not followed any more. */
static const char *link_of(struct run *r, const char *path)
{
	static char buf[512];
	int fd = walk(r->root, path, O_PATH | O_NOFOLLOW);
	size_t n = copy(buf, sizeof buf, "/etc/");
	ssize_t got;

	got = fd < 0 ? -1 : readlinkat(fd, "", buf + n, sizeof buf - 1 - n);
	if (got <= 0)
		return NULL;
	buf[n + (size_t)got] = '\0';
	return buf[n] == '/' ? buf + n : buf;
}

static int place(struct run *r, int i)
{
	const char *path = path_of(r->box->etc[i]), *link;
	int at = rootfs_target(r, path, false);

	if (at < 0 && (link = link_of(r, path)))
		at = rootfs_target(r, link, false);
	if (at < 0)
		return 0;
	if (mount(name_of(i), rootfs_at(at, ""), NULL, MS_BIND, NULL) == 0)
		return plan_add(r, rootfs_path, "", PLAN_EXACT, FLAGS, "tmpfs");
	return errno == ENOTDIR ? 0 : fail(r, "bind the copy of %s", path);
}

int etc_place(struct run *r)
{
	int i, e = 0;

	for (i = 0; i < r->box->netc && !e; i++)
		if (copied >> i & 1)
			e = place(r, i);
	return e;
}
