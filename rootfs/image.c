/* image.c - rows of mount= and tmpfs=, for a box and for a board. An image file
 * gets a loop device, opened by HOST, which goes with the mount: whatever ends
 * the box, nothing is left to undo. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

/* Not yet one that clears itself. */
static bool unset(int fd)
{
	int e = errno;

	(void)ioctl(fd, LOOP_CLR_FD);
	errno = e;
	return true;
}

/* From 5.8 in one call, before that in two. EBUSY: somebody else was faster.
 * What is open for reading alone is read-only by itself. */
static int attach(int file, int mode)
{
	static struct loop_config c;
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), n, fd = -1, tries = 64;

	c.fd = (uint32_t)file;
	c.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	while ((n = ioctl(control, LOOP_CTL_GET_FREE)) >= 0 &&
	    (fd = open(fmts("/dev/loop%d", n), mode | O_CLOEXEC)) >= 0 &&
	    ioctl(fd, LOOP_CONFIGURE, &c) < 0 && (errno != EINVAL ||
	    ioctl(fd, LOOP_SET_FD, file) < 0 || (ioctl(fd, LOOP_SET_STATUS64, &c.info) < 0 && unset(fd)))) {
		let_go(fd);
		fd = -1;
		if (errno != EBUSY || !--tries)
			break;
	}
	let_go(control);
	return fd;
}

int image_device(const struct mnt *m)
{
	int mode = m->flags & MS_RDONLY ? O_RDONLY : O_RDWR, at, file, fd;
	struct stat st;

	if (m->kind != MNT_FS || *m->src != '/')
		return -1;
	at = walk_host(m->src, O_PATH, false);
	if (at < 0 || fstat(at, &st) < 0 || !S_ISREG(st.st_mode)) {
		let_go(at);		/* the kernel opens it, by its name */
		let_go(at = walk_host(m->src, O_PATH, true));
		return at < 0 && errno == ELOOP ? -2 : -1;
	}
	file = open(rootfs_at(at, ""), mode | O_CLOEXEC);
	if (file < 0 && errno == EROFS)
		file = open(rootfs_at(at, ""), (mode = O_RDONLY) | O_CLOEXEC);
	fd = file < 0 ? -1 : attach(file, mode);
	let_go(file);
	let_go(at);
	return fd < 0 ? -2 : fd;
}

/* Without a type: each one that the kernel knows and that needs a device. */
static int any(const struct mnt *m, const char *src, const char *where)
{
	static char text[2048];
	char *line, *end;

	if (read_file("/proc/filesystems", text, sizeof text) < 0)
		return -1;
	errno = ENODEV;
	for (line = text; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (*line == '\t' && mount(src, where, line + 1, m->flags, m->data) == 0)
			return 0;
	}
	return -1;
}

int image_mount(struct mnt *m, int device, const char *where)
{
	static char data[64];
	const char *src = device >= 0 ? rootfs_at(device, "") : m->src ? m->src : m->type;
	size_t n = 0;

	if (m->kind == MNT_TMPFS) {
		src = m->type = "tmpfs";
		m->data = data;
		*data = '\0';
		if (m->size)
			n = fmt(data, sizeof data, m->size & PERCENT ? "size=%llu%%," : "size=%llu,", (unsigned long long)(m->size & ~PERCENT));
		if (m->mode)
			fmt(data + n, sizeof data - n, "mode=%o", m->mode);
	}
	if (device >= 0 && (fcntl(device, F_GETFL) & O_ACCMODE) == O_RDONLY)
		m->flags |= MS_RDONLY;
	return m->type ? mount(src, where, m->type, m->flags, m->data) : any(m, src, where);
}
