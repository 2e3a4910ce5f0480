/* private.c - the mount table is a copy of the host's, and still tied to it. */
#include <sys/mount.h>

#include "husk.h"

/* No mount from here shows outside. Slaves only where a bind asks for them and
 * HOST's clone may have to be made again: all else is made private one by one. */
int rootfs_private(struct run *r)
{
	unsigned long how = MS_PRIVATE;
	int i;

	if (!rootfs_ours(r))
		return 0;
	for (i = 0; i < r->box->nmnt; i++)
		if (r->box->mnt[i].slave)
			how = MS_SLAVE;
	return mount(NULL, "/", NULL, MS_REC | how, NULL) < 0 ? fail(r, "make / private") : 0;
}
