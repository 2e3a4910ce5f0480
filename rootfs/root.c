/* root.c - two mounts over the old root: the scratch tmpfs, and the box's root
 * on top of it.
 *
 *	/  (the host's, goes with the pivot)
 *	+- scratch tmpfs        made empty, read-only after this row
 *	   +- the box's root    the rows from here on mount below it
 *
 * A path that begins with / still begins in the host's tree; .. from there
 * leads to whatever lies on top of it. The scratch tmpfs is where new mounts
 * are made by names that are ours before they are moved into place, and it is
 * what masks show. It is reached by its descriptor only and ends with the pivot;
 * what was bound from it stays.
 *
 * (openat everywhere: musl's open sets O_CLOEXEC once more, by another call.) */
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

#define QUIET	(MS_NOSUID | MS_NODEV | MS_NOEXEC)

uint32_t rootfs_root_flags(const struct run *r)
{
	return MS_NODEV | (r->box->nnp ? MS_NOSUID : 0) | (r->box->root_rw ? 0 : MS_RDONLY);
}

static int scratch(struct run *r)
{
	if (mount("husk", "/", "tmpfs", QUIET, "mode=755,size=512K,nr_inodes=32") < 0 || chdir("/..") < 0)
		return fail(r, "mount tmpfs on /");
	if ((r->scratch = openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fail(r, "open the new tmpfs");
	if (mkdir(SCRATCH_DIR, 0555) < 0 || mknod(SCRATCH_FILE, S_IFREG | 0444, 0) < 0)
		return fail(r, "make %s", SCRATCH_DIR);
	return 0;
}

/* Writable until all mount points are made: rootfs_masks closes it. */
static int memory(struct run *r)
{
	if (mount("husk", SCRATCH_DIR, "tmpfs", MS_NODEV | (r->box->nnp ? MS_NOSUID : 0), "mode=755") < 0)
		return fail(r, "mount tmpfs");
	r->root = openat(AT_FDCWD, SCRATCH_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->root < 0 || mount(SCRATCH_DIR, "/", NULL, MS_MOVE, NULL) < 0)
		return fail(r, "move the root into place");
	return plan_add(r, "/", "/", PLAN_MAKE | PLAN_EXACT, rootfs_root_flags(r), "tmpfs");
}

static int directory(struct run *r)
{
	const struct box *b = r->box;
	const char *path = b->root == ROOT_HOST ? "/" : b->rootdir;

	if (rootfs_place(r, r->rootsrc, path, -1, rootfs_root_flags(r), 0) < 0)
		return fail(r, "root %s", path);
	/* a clone that HOST made is in our namespace now; what was bound is another mount */
	r->root = r->rootsrc;
	if (r->paths && (chdir("/..") < 0 || (r->root = openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0 ||
		close(r->rootsrc) < 0 || fchdir(r->scratch) < 0))
		return fail(r, "open the root");
	r->rootsrc = -1;
	return plan_add(r, "/", "/", (b->root_rw ? PLAN_MAKE : 0) | rootfs_planned(r, 0), rootfs_root_flags(r), NULL);
}

int rootfs_root(struct run *r)
{
	int e;

	if (!rootfs_ours(r))
		return 0;
	if ((e = scratch(r)) != 0)
		return e;
	e = r->box->root == ROOT_TMPFS ? memory(r) : directory(r);
	if (e)
		return e;
	if (mount(NULL, ".", NULL, MS_REMOUNT | MS_RDONLY | QUIET, NULL) < 0)
		return fail(r, "remount the scratch tmpfs");
	return 0;
}
