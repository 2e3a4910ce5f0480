/* pivot.c - the root of the box becomes the root, and the host's tree is gone.
 *
 * An initramfs has nothing that it is mounted on, and the kernel refuses to
 * pivot away from it. There we first make the scratch tmpfs the root, which is
 * mounted on it. A board moves off its initramfs once, at boot. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "husk.h"

static int pivot(struct run *r, int *old)
{
	*old = 2;			/* the host's root, and the scratch tmpfs on top of it */
	if (sys_pivot_root(".", ".") == 0)
		return 0;
	if (errno != EINVAL)
		return -1;
	*old = 1;
	if (fchdir(r->scratch) < 0 || chroot(".") < 0 || fchdir(r->root) < 0)
		return -1;
	return sys_pivot_root(".", ".");
}

int rootfs_pivot(struct run *r)
{
	char cwd[16];
	int old;

	if (!rootfs_ours(r))
		return chdir("/") < 0 ? fail(r, "chdir /") : 0;
	if (fchdir(r->root) < 0)
		return fail(r, "fchdir");
	if (pivot(r, &old) < 0)
		return fail(r, "pivot_root");
	for (; old; old--)
		if (umount2(".", MNT_DETACH) < 0)
			return fail(r, "detach the old root");
	/* we stand in it; the kernel writes "(unreachable)/" before what is not below the root */
	if (sys_getcwd(cwd, sizeof cwd) < 0 || !same(cwd, "/"))
		return fail_not(r, "the working directory is not the root");
	return 0;
}
