/* etc.c - copies of files of the host's /etc: names, addresses, time zone. They
 * lie beside the state file, and a read-only bind of each goes over the file in
 * the root. The keeper makes them anew when the host's change. What is absent
 * outside, or has no place inside, is skipped.
 *
 * With root=/ the file is the host's own already, and always fresh, unless it
 * is a link to where something else is mounted outside: then the copy goes to
 * where the link leads. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

enum { MOST = 256 * 1024 };		/* bytes of a copy */
#define FLAGS	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define NEWS	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR)
static char rundir[256] OFTEN;		/* of this box */

static const char *path_of(const char *name)
{
	static char path[96] OFTEN;

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
	if (fd < 0)
		return errno != ENOENT && errno != ENOTDIR;
	close(fd);
	return true;
}

/* Written over, because the file itself is what was bound inside. It never
 * waits: not for the other end of a fifo, nor for a lease that root of the box
 * took. A link may lead to where a box writes, but none of its own from there: all
 * would read what root alone may. */
static int renew(int dir, const char *name)
{
	int from = walk_host(path_of(name), O_RDONLY | O_NONBLOCK | O_NOCTTY, false);
	int to = from < 0 ? -1 : openat(dir, fmts("etc.%s", name), O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0644);
	ssize_t n = to < 0 ? -1 : sendfile(to, from, NULL, MOST);
	int e = n < 0 ? -1 : ftruncate(to, n);

	let_go(from);
	let_go(to);
	return e;
}

static const char *copy_of(const char *name)
{
	return fmts("%s/etc.%s", rundir, name);
}

static int take(struct run *r, int i)
{
	const char *name = r->box->etc[i];
	struct mnt m = { .flags = FLAGS };

	if (left_add(r, "etc=%s\n", name) < 0)
		return fail(r, "write the state file");
	if (renew(r->statedir, name) < 0)
		return errno == ENOENT ? 0 : rootfs_without(r, errno == ELOOP, rootfs_refused(r, path_of(name)));
	if (rootfs_real(r, r->statedir, RUNDIR) < 0)
		return -EINVAL;
	copy(rundir, sizeof rundir, rootfs_path);
	m.src = copy_of(name);
	r->etcsrc[i] = rootfs_clone(r, &m, AT_FDCWD);
	r->etc = true;
	return r->etcsrc[i] < 0 ? fail(r, "%s", m.src) : 0;
}

int etc_sources(struct run *r)
{
	int i, e = 0;

	for (i = 0; i < r->box->netc && !e; i++)
		if (wanted(r, path_of(r->box->etc[i])))
			e = take(r, i);
	return e;
}

/* In the keeper. A file of /etc may be written, replaced, or be a link to where
 * that happens. Watched first, so that no change is missed. */
static void renew_watched(int watch, int dir, const char *name)
{
	static char path[512];
	int fd = walk_host(path_of(name), O_PATH, false);
	ssize_t n = readlink(rootfs_at(fd, ""), path, sizeof path - 1);

	if (n > 0) {
		path[n] = '\0';
		*strrchr(path, '/') = '\0';
		(void)inotify_add_watch(watch, path, NEWS);
	}
	close(fd);
	(void)renew(dir, name);
}

int etc_refresh(int watch, int dir, const char *box)
{
	static struct left l;
	static char name[MAXNAME + 1];
	unsigned at = 0;

	if (watch < 0)
		watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch < 0 || inotify_add_watch(watch, "/etc", NEWS) < 0)
		warn("%s: etc: not kept fresh", box);
	else if (read_at(dir, "state", l.text, sizeof l.text) > 0)
		while (left_get(&l, "etc", &at, name, sizeof name))
			renew_watched(watch, dir, name);
	return watch;
}

/* Where a link of that name in the root leads, itself not followed any more. */
static const char *link_of(struct run *r, const char *path)
{
	static char buf[512];
	int fd = walk(r->root, path, O_PATH | O_NOFOLLOW);
	size_t n = copy(buf, sizeof buf, "/etc/");
	ssize_t got;

	got = readlinkat(fd, "", buf + n, sizeof buf - 1 - n);
	if (got <= 0)
		return NULL;
	buf[n + (size_t)got] = '\0';
	return buf[n] == '/' ? buf + n : buf;
}

/* Nothing that a box cannot do without: where the run directory is closed to it
 * (ns.user=new, before open_tree) it goes without. */
static int place(struct run *r, int i)
{
	struct mnt m = { .flags = FLAGS, .dst = path_of(r->box->etc[i]) };
	int at = rootfs_target(r, m.dst, false);
	const char *link;

	if (at < 0 && (link = link_of(r, m.dst)))
		at = rootfs_target(r, link, false);
	if (at < 0)		/* no errno: a mount point is missing that may not be made */
		return r->err && r->err != ENOENT && r->err != ENOTDIR && r->err != ELOOP ? at : 0;
	if (cfg_kernels(rootfs_path))
		return 0;	/* a link of the image's led there */
	m.src = copy_of(r->box->etc[i]);
	if (rootfs_place(r, &m, r->etcsrc[i], at) == 0)
		return plan_mnt(r, &m, 0);
	return rootfs_without(r, true, fail(r, "bind the copy of %s", m.dst));
}

int etc_place(struct run *r)
{
	int i, e = 0;

	for (i = 0; i < r->box->netc && !e; i++)
		if (r->etcsrc[i] >= 0)
			e = place(r, i);
	return e;
}
