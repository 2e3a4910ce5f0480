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
	int fd;

	if (USERS(r->box) != NSM_NEW || r->paths || r->late)
		return fail_not(r, "%s: idmap needs ns.user=new, root, and Linux 5.12", m->src);
	fd = openat(r->proc, fmts("%d/ns/user", r->init), O_RDONLY | O_CLOEXEC);
	if (fd < 0 || sys_mount_setattr(r->src[i], "", AT_EMPTY_PATH | (m->rec ? AT_RECURSIVE : 0),
		MOUNT_ATTR_IDMAP, 0, 0, fd) < 0)
		return fail(r, "idmap of %s", m->src);
	close(fd);
	return 0;
}

int rootfs_idmap(struct run *r)
{
	const struct mnt *m = r->box->mnt;
	int i, e = 0;

	for (i = 0; i < r->box->nmnt && !e; i++, m++)
		if (m->idmap && r->src[i] >= 0 && (e = shift(r, i)) != 0)
			e = rootfs_without(r, m->skip, e);
	return e;
}
