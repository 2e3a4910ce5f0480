/* mounts.c - what every board needs before anything can be started. What is
 * mounted already (by an initramfs, by the kernel) is left as it is. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

/* Flags and type, place, options. 2 nosuid, 4 nodev, 8 noexec, as the kernel has
 * them; 16: its absence is no news; 32: no mount but a link; 64: there is a
 * console now. nsdelegate: a box that gets its own subtree cannot lift its own
 * limits; Linux has it from 4.13. */
enum { OPTIONAL = 16, LINK = 32, CONSOLE = 64 };
static const char table[] =
	"\016proc\0/proc\0\0"
	"\016sysfs\0/sys\0\0"
	"\102devtmpfs\0/dev\0mode=755\0"
	"\040/proc/self/fd\0/dev/fd\0\0"	/* with TOMOYO also the way that execveat takes */
	"\040fd/0\0/dev/stdin\0\0"
	"\040fd/1\0/dev/stdout\0\0"
	"\040fd/2\0/dev/stderr\0\0"
	"\032devpts\0/dev/pts\0mode=620,gid=5,ptmxmode=666\0"
	"\036tmpfs\0/dev/shm\0mode=1777\0"
	"\006tmpfs\0/run\0mode=755\0"
	"\026tmpfs\0/tmp\0mode=1777\0"
	"\036cgroup2\0/sys/fs/cgroup\0nsdelegate\0"
	"\036cgroup2\0/sys/fs/cgroup\0\0";

/* A mount point has another device than the directory above. */
static bool is_mounted(const char *path)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat(fmts("%s/..", path), &b) == 0 && a.st_dev != b.st_dev;
}

/* 0, 1 and 2. PID 1 never waits for a console: a modem line without carrier, a
 * terminal that was stopped. Programs get a description of their own that
 * waits, or they would lose what they print. */
void board_console(bool wait)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK), i;

	if (fd < 0)
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
	else if (wait)
		(void)fcntl(fd, F_SETFL, 0);
	for (i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* Before all else: it says where we are. */
void board_proc(void)
{
	(void)mkdir("/proc", 0555);
	if (!is_mounted("/proc"))
		(void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* The number of the first PID namespace, of all kernels. What has no entry in the
 * /proc that is there has a namespace of its own, too. */
bool board_inside(void)
{
	static uint8_t known;		/* 1: no, 2: yes */
	struct stat st;

	if (!known) {
		known = stat("/proc/self/ns/pid", &st) == 0 ? 1 + (st.st_ino != 0xEFFFFFFC) :
			1 + (stat("/proc/self", &st) < 0 && stat("/proc/version", &st) == 0);
	}
	return known == 2;
}

void board_mounts(void)
{
	const char *row, *dst, *data;

	for (row = table; *row; row = data + strlen(data) + 1) {
		dst = row + strlen(row) + 1;
		data = dst + strlen(dst) + 1;
		if (*row & LINK) {
			(void)symlinkat(row + 1, AT_FDCWD, dst);
			continue;
		}
		(void)mkdir(dst, 0755);		/* a read-only root has it, or the mount says so */
		if (!is_mounted(dst) && mount(row + 1, dst, row + 1, *row & (OPTIONAL - 1), *data ? data : NULL) < 0 &&
		    !(*row & OPTIONAL) && errno != EBUSY)
			board_failed("mounts: ", dst);
		if (*row & CONSOLE)
			board_console(false);
	}
}
