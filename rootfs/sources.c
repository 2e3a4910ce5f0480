/* sources.c - what comes from the host is taken by HOST, before the clone: its
 * paths are the host's business, and directories that root of the box's user
 * namespace may not enter are no obstacle. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

uint32_t rootfs_outside(const struct run *r, bool gids, uint32_t id)
{
	struct idmap map[MAXMAP + 2];
	int i;

	if (USERS(r->box) != NSM_NEW)
		return id;
	for (i = ns_map(r, gids, map); i--; )
		if (id - map[i].in < map[i].count)
			return map[i].out + (id - map[i].in);
	return ~0u;
}

static int give(struct run *r, int fd)
{
	uint32_t uid, gid;
	int e;

	/* names are the box's own: looked up in its root, which is not mounted yet */
	if (r->box->who != WHO_AUTO && (e = caps_find(r, r->rootsrc)) != 0)
		return e;
	uid = rootfs_outside(r, false, r->uid);
	gid = rootfs_outside(r, true, r->gid);
	if (uid == ~0u || gid == ~0u)
		return fail_not(r, "user %u:%u is not in the maps", r->uid, r->gid);
	return fchown(fd, uid, gid) < 0 ? fail(r, "chown") : 0;
}

/* A mode that nobody asks for says that it is not the user's yet: where the start was killed in
 * between, the next one goes on. Nor does it go with the box: what is in it is the caller's. */
enum { UNFINISHED = 01700 };

/* Nor is it made, and given away, where a link of a box leads to. */
static int make_dir(struct run *r, const struct mnt *m)
{
	int fd = walk_host(m->src, O_RDONLY | O_DIRECTORY, false), e = 0;
	FILLED struct stat st;
	bool there = true;

	if (fd < 0 && errno == ENOENT) {
		there = mkdir(m->src, UNFINISHED) < 0;
		if (there && errno != EEXIST)
			return fail(r, "make %s", m->src);
		fd = walk_host(m->src, O_RDONLY | O_DIRECTORY, false);
	}
	if (!there || (fstat(fd, &st) == 0 && st.st_mode == (S_IFDIR | UNFINISHED))) {
		if (fd >= 0 && !r->unpriv)
			e = give(r, fd);
		if (!e && (fd < 0 || fchmod(fd, m->mode ? m->mode : 0700) < 0))
			e = fail(r, "make %s", m->src);
		if (e)
			(void)rmdir(m->src);
	}
	let_go(fd);
	return e;
}

/* The socket of ready=notify is known by its start alone: a bind of "". */
const char *rootfs_outer(const struct mnt *m)
{
	return m->kind == MNT_BIND && !*m->src ? ready_place() : m->src;
}

int rootfs_refused(struct run *r, const char *path)
{
	return errno != ELOOP ? fail(r, "%s", path) :
		fail_not(r, "%s: others than root can put a link there, and none is followed then", path);
}

static int take(struct run *r, int i)
{
	struct mnt m = r->box->mnt[i];
	int e = m.create ? make_dir(r, &m) : 0;

	if (e)
		return e;
	m.src = rootfs_outer(&m);
	r->src[i] = rootfs_clone(r, &m, walk_host(m.src, O_PATH, false));
	return r->src[i] < 0 ? rootfs_refused(r, m.src) : 0;
}

static int image(struct run *r, int i)
{
	const struct mnt *m = r->box->mnt + i;

	r->src[i] = image_device(m);
	if (r->src[i] < -1 && errno == ELOOP)
		return rootfs_refused(r, m->src);
	return r->src[i] < -1 ? fail(r, "a loop device for %s (CONFIG_BLK_DEV_LOOP)", m->src) : 0;
}

int rootfs_sources(struct run *r)
{
	const struct box *b = r->box;
	struct mnt root = { .flags = rootfs_root_flags(r), .src = b->root == ROOT_HOST ? "/" : b->rootdir };
	int i, e = 0;

	if (!rootfs_ours(r))
		return 0;
	if (b->root != ROOT_TMPFS && (r->rootsrc = rootfs_clone(r, &root,
	    b->root == ROOT_HOST ? AT_FDCWD : walk_host(root.src, O_PATH, false))) < 0)
		return rootfs_refused(r, root.src);
	for (i = 0; i < b->nmnt && !e; i++)
		e = rootfs_without(r, b->mnt[i].skip, b->mnt[i].kind == MNT_BIND ? take(r, i) : image(r, i));
	return e ? e : etc_sources(r);
}
