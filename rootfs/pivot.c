/* pivot.c - the root of the box becomes the root, and the host's tree is gone.
 *
 * An initramfs has nothing that it is mounted on, and the kernel refuses to
 * pivot away from it. There we first put a tmpfs between it and the root of the
 * box, and make that the root. A board moves off its initramfs once, at boot. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "husk.h"

/* Made on /proc, a directory that is there; the box's root is moved from / onto
 * it, and both onto / together. */
static int between(struct run *r)
{
	if (mount("husk", "/proc", "tmpfs", 0, NULL) < 0 || chdir("/proc") < 0 ||
		mount("/..", ".", NULL, MS_MOVE, NULL) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
		chroot(".") < 0)
		return -1;
	return fchdir(r->root);
}

static int pivot(struct run *r)
{
	if (fchdir(r->root) < 0)
		return -1;
	if (sys_pivot_root(".", ".") == 0)
		return 0;
	return errno == EINVAL && between(r) == 0 ? sys_pivot_root(".", ".") : -1;
}

int rootfs_pivot(struct run *r)
{
	static char cwd[16] OFTEN;

	if (!rootfs_ours(r))
		return chdir("/") < 0 ? fail(r, "chdir /") : 0;
	if (pivot(r) < 0)
		return fail(r, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return fail(r, "detach the old root");
	/* we stand in it; the kernel writes "(unreachable)/" before what is not below the root */
	if (sys_getcwd(cwd, sizeof cwd) < 0 || !same(cwd, "/"))
		return fail_not(r, "the working directory is not the root");
	return 0;
}
