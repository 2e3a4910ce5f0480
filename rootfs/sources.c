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

/* The number outside of an id of the box. */
static uint32_t outside(const struct run *r, const struct idmap *map, unsigned n, uint32_t id)
{
	unsigned i;

	if (r->box->ns[NS_USER] != NSM_NEW)
		return id;
	for (i = 0; i < n; i++)
		if (id >= map[i].in && id - map[i].in < map[i].count)
			return map[i].out + (id - map[i].in);
	return ~0u;
}

/* Names are the box's own: looked up in its root, which is not mounted yet. */
static int owner(struct run *r)
{
	int e;

	if (r->box->who != WHO_NAME)
		return 0;
	r->root = r->rootsrc;
	e = caps_user(r);
	r->root = -1;
	return e;
}

static int make_dir(struct run *r, const struct mnt *m)
{
	uint32_t uid, gid;
	int fd, e = 0;

	if (mkdir(m->src, 0700) < 0)
		return errno == EEXIST ? 0 : fail(r, "make %s", m->src);
	if ((fd = open(m->src, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return fail(r, "open %s", m->src);
	if (!r->unpriv)
		e = owner(r);
	uid = outside(r, r->box->uidmap, r->box->nuidmap, r->uid);
	gid = outside(r, r->box->gidmap, r->box->ngidmap, r->gid);
	if (!e && !r->unpriv && fchown(fd, uid, gid) < 0)
		e = fail(r, "chown %s", m->src);
	if (!e && m->mode && fchmod(fd, m->mode) < 0)
		e = fail(r, "chmod %s", m->src);
	close(fd);
	return e;
}

static int take(struct run *r, int i)
{
	const struct mnt *m = r->box->mnt + i;
	int e = m->create ? make_dir(r, m) : 0;

	if (e)
		return e;
	r->src[i] = rootfs_clone(r, m->src, m->flags, (m->rec || r->unpriv ? BIND_REC : 0) | (m->slave ? BIND_SLAVE : 0));
	return r->src[i] < 0 ? fail(r, "%s", m->src) : 0;
}

int rootfs_sources(struct run *r)
{
	const struct box *b = r->box;
	const char *root = b->root == ROOT_HOST ? "/" : b->rootdir;
	int i, e = 0;

	if (!rootfs_ours(r))
		return 0;
	if (b->root != ROOT_TMPFS) {
		r->rootsrc = rootfs_clone(r, root, rootfs_root_flags(r), r->unpriv ? BIND_REC : 0);
		if (r->rootsrc < 0)
			return fail(r, "root %s", root);
	}
	for (i = 0; i < b->nmnt && !e; i++)
		if (b->mnt[i].kind == MNT_BIND && (e = take(r, i)) != 0 && b->mnt[i].skip) {
			note(r, "%s - went on without it", r->why);
			e = 0;
		}
	return e ? e : etc_sources(r);
}
