/* dev.c - a /dev of our own, never the image's: six nodes, the links, and the
 * devices of the configuration. Where mknod is refused (a user namespace, a
 * device policy above us) the host's node is bound, and checked to be it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "husk.h"

static const struct {
	char name[8];
	uint8_t major, minor;
} nodes[] = {
	{ "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 }, { "random", 1, 8 },
	{ "urandom", 1, 9 }, { "tty", 5, 0 },
};

static const char links[] =
	"fd\0/proc/self/fd\0" "stdin\0/proc/self/fd/0\0" "stdout\0/proc/self/fd/1\0"
	"stderr\0/proc/self/fd/2\0" "ptmx\0pts/ptmx\0";

/* The directory of a node, made in our /dev as needed. */
static int parent(struct run *r, const char *path, const char *name)
{
	static char dir[256];

	if (name - path == sizeof "/dev/" - 1)
		return r->own[DM_DEV];
	fmt(dir, sizeof dir, "%.*s", (int)(name - path), path);
	return rootfs_target(r, dir, true);
}

/* rootfs_path is the node's. */
static int bind_node(struct run *r, int at, const char *name, const char *host, dev_t rdev)
{
	struct mnt m = { .flags = MS_NOSUID | MS_NOEXEC };
	int from = open(host, O_PATH | O_CLOEXEC);
	FILLED struct stat st;

	if (from < 0 || fstat(from, &st) < 0 || mknodat(at, name, S_IFREG | 0600, 0) < 0 ||
		(at = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)) < 0 || rootfs_over(r, &m, from, at) < 0)
		return fail(r, "bind %s", host);
	if (!(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) || st.st_rdev != rdev)
		return fail_not(r, "%s of the host is not that device", host);
	if (USERS(r->box) != NSM_NEW)
		note(r, "%s: the kernel makes no device here: the host's is bound", host);
	return plan_mnt(r, &m, 0);
}

/* d: the row of device=, whose node belongs to the user; NULL for an ordinary one */
static int node(struct run *r, const struct dev *d, const char *host, const struct stat *st)
{
	const char *path = d && !strchr(d->host, '*') ? d->dst : host, *name = strrchr(path, '/') + 1;
	mode_t mode = !d ? 0666 : d->mode ? d->mode : (d->perm & DEV_R ? 0400u : 0) | (d->perm & DEV_W ? 0200u : 0);
	int at = parent(r, path, name);

	if (at < 0)
		return at;
	if (!S_ISCHR(st->st_mode) && !S_ISBLK(st->st_mode))
		return fail_not(r, "%s is no device", host);
	if (d)
		(void)unlinkat(at, name, 0);	/* the row takes the place of an ordinary one */
	if (mknodat(at, name, (st->st_mode & S_IFMT) | mode, st->st_rdev) < 0) {
		copy(rootfs_path, sizeof rootfs_path, path);
		return errno == EPERM ? bind_node(r, at, name, host, st->st_rdev) : fail(r, "make %s", path);
	}
	return d && fchownat(at, name, r->uid, r->gid, AT_SYMLINK_NOFOLLOW) < 0 ? fail(r, "chown %s", path) : 0;
}

/* ---------------------------------------------------------------- device= */

static bool matches(const char *name, const char *pattern)
{
	const char *star = strchr(pattern, '*');
	size_t n = strlen(name), head = (size_t)(star - pattern), tail = strlen(star + 1);

	return *name != '.' && n >= head + tail && !strncmp(name, pattern, head) && same(name + n - tail, star + 1);
}

/* The names in a directory, one read at a time; one directory at a time. */
static struct {
	long	 got, at;
	char	 buf[4096] __attribute__((aligned(8)));
} names BULK;
struct entry { uint64_t ino, off; uint16_t len; uint8_t type; char name[]; };

int rootfs_list(int dir)
{
	names.at = 0;
	return (int)(names.got = syscall(SYS_getdents64, dir, names.buf, sizeof names.buf));
}

const char *rootfs_name(void)
{
	struct entry *e;

	if (names.at >= names.got)
		return NULL;
	e = (void *)(names.buf + names.at);
	names.at += e->len;
	return e->name;
}

/* The one * stands in the last component; what matches and is no device is not
 * meant. */
int rootfs_nodes(struct run *r, const struct dev *d, node_fn *each)
{
	static char path[512];
	size_t dir = (size_t)(strrchr(d->host, '/') + 1 - d->host);
	const char *name;
	bool none = true;
	FILLED struct stat st;
	int fd, e = 0;

	if (copy(path, sizeof path, d->host) > sizeof path - 256)
		return fail_not(r, "%s: too long", d->host);
	if (!strchr(d->host, '*'))
		return stat(path, &st) < 0 ? fail(r, "%s", path) : each(r, d, path, &st);
	path[dir] = '\0';
	if ((fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return errno == ENOENT ? 0 : fail(r, "%s", path);
	while (!e && rootfs_list(fd) > 0)
		while (!e && (name = rootfs_name())) {
			copy(path + dir, 256, name);
			if (matches(name, d->host + dir) && stat(path, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))) {
				e = each(r, d, path, &st);
				none = false;
			}
		}
	close(fd);
	if (none && each == node && !d->skip)
		note(r, "%s: there is none", d->host);
	return e;
}

static int configured(struct run *r)
{
	const struct dev *d = r->box->dev;
	int i, e = 0;

	for (i = 0; i < r->box->ndev && !e; i++, d++)
		e = rootfs_without(r, d->skip, rootfs_nodes(r, d, node));
	return e;
}

/* ------------------------------------------------------------------------ */

/* Does a row of device= make that one? Where nodes are bound it could not take its
 * place: a mount point is not removed. */
static bool configures(const struct box *b, const char *path)
{
	const struct dev *d = b->dev, *end = d + b->ndev;

	for (; d < end; d++)
		if (strchr(d->host, '*') ? starts(d->host, "/dev/") && matches(path + 5, d->host + 5) :
		    same(d->dst, path) && access(d->host, F_OK) == 0)
			return true;
	return false;
}

static int ordinary(struct run *r)
{
	static struct stat st OFTEN;
	const char *path;
	unsigned i;
	int e = 0;

	st.st_mode = S_IFCHR;
	for (i = 0; i < sizeof nodes / sizeof *nodes && !e; i++) {
		st.st_rdev = makedev(nodes[i].major, nodes[i].minor);
		path = fmts("/dev/%s", nodes[i].name);
		e = configures(r->box, path) ? 0 : node(r, NULL, path, &st);
	}
	return e;
}

static int linked(struct run *r)
{
	const char *p = links, *to;

	for (; *p; p = to + strlen(to) + 1) {
		to = p + strlen(p) + 1;
		if (symlinkat(to, r->own[DM_DEV], p) < 0)
			return fail(r, "make /dev/%s", p);
	}
	/* the place of the terminal: init_pty binds it */
	if (HAS(tty) && r->box->tty && mknodat(r->own[DM_DEV], "console", S_IFREG | 0600, 0) < 0)
		return fail(r, "make /dev/console");
	return HAS(tty) && r->box->tty ? plan_add(r, "/dev/console", 0, 0, "devpts") : 0;
}

int rootfs_dev(struct run *r)
{
	mode_t old;
	int e;

	if (r->own[DM_DEV] < 0)
		return r->box->ndev && rootfs_ours(r) ? fail_not(r, "device= needs the /dev of mounts=default") : 0;
	old = umask(0);
	if ((e = ordinary(r)) == 0 && (e = linked(r)) == 0)
		e = configured(r);
	umask(old);
	return e;
}
