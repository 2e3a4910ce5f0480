/* root.c - the root of the box, mounted over the old one.
 *
 * A path that begins with / still begins in the host's tree until the pivot;
 * .. from there leads to whatever lies on top of it. So "/" and "/.." are the
 * names by which a new file system is mounted and opened where nobody else can
 * have made a name: it is moved into place by its descriptor.
 *
 * (openat everywhere: musl's open sets O_CLOEXEC once more, by another call.) */
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "husk.h"

uint32_t rootfs_root_flags(const struct run *r)
{
	return MS_NODEV | (r->box->nnp ? MS_NOSUID : 0) | (r->box->root_rw ? 0 : MS_RDONLY);
}

int rootfs_root(struct run *r)
{
	const struct box *b = r->box;
	struct mnt m = { .flags = rootfs_root_flags(r), .src = b->root == ROOT_HOST ? "/" : b->rootdir };
	unsigned kind = b->root_rw ? PLAN_MAKE : 0;
	int e;

	if (!rootfs_ours(r))
		return 0;
	copy(rootfs_path, sizeof rootfs_path, "/");
	if (b->root == ROOT_TMPFS) {
		/* writable until all mount points are made: rootfs_masks closes it */
		kind = PLAN_MAKE | PLAN_EXACT;
		m.src = m.type = "tmpfs";
		e = r->root = rootfs_fresh(m.type, m.flags & ~(uint32_t)MS_RDONLY, "mode=755");
	} else {
		e = rootfs_place(r, &m, r->rootsrc, AT_FDCWD);
		r->rootsrc = -1;
	}
	return e < 0 ? fail(r, "root %s", m.src) : plan_mnt(r, &m, kind);
}
