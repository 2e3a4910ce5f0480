/* disks.c - file systems of board.conf. In the child that reads it: a disk may hang. */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "husk.h"

static int mount_one(struct mnt *m)
{
	int device = image_device(m);

	(void)mkdir(m->dst, 0755);
	if (m->kind == MNT_TMPFS && !m->mode)
		m->mode = 0755;
	return device < -1 ? -1 : image_mount(m, device, m->dst);
}

void board_disks(struct box *b)
{
	int i;

	for (i = 0; i < b->nmnt; i++)
		if (mount_one(&b->mnt[i]) < 0)
			board_failed("plan: mount ", b->mnt[i].dst);
}
