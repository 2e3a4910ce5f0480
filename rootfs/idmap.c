/* idmap.c - bind=...:idmap shows the owners of files as the box's own numbers.
 * HOST does it, on mounts that are not in place yet, as soon as the user
 * namespace has its maps. */
#include <fcntl.h>
#include <linux/mount.h>
#include <unistd.h>

#include "husk.h"

static int shift(struct run *r, int i)
{
	const struct mnt *m = r->box->mnt + i;
	char path[32];
	int fd, e = 0;

	if (r->box->ns[NS_USER] != NSM_NEW)
		return fail_not(r, "%s: idmap goes with ns.user=new", m->src);
	if (r->paths || r->late)
		return fail_not(r, "%s: idmap needs Linux 5.12 and root", m->src);
	fmt(path, sizeof path, "%d/ns/user", r->init);
	if ((fd = openat(r->proc, path, O_RDONLY | O_CLOEXEC)) < 0)
		return fail(r, "open the user namespace");
	if (sys_mount_setattr(r->src[i], "", AT_EMPTY_PATH | (m->rec ? AT_RECURSIVE : 0), MOUNT_ATTR_IDMAP, 0, 0, fd) < 0)
		e = fail(r, "idmap of %s", m->src);
	close(fd);
	return e;
}

int rootfs_idmap(struct run *r)
{
	int i, e = 0;

	for (i = 0; i < r->box->nmnt && !e; i++)
		if (r->box->mnt[i].idmap && r->src[i] >= 0 && (e = shift(r, i)) != 0 && r->box->mnt[i].skip) {
			note(r, "%s - went on without it", r->why);
			e = 0;
		}
	return e;
}
