/* mounts.c - what every board needs before anything can be started. What is
 * mounted already (by an initramfs, by the kernel) is left as it is. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "husk.h"

/* Flags and type, place, options. 1: not before somebody needs it; 2 nosuid, 4 nodev, 8 noexec, as the kernel has
 * them; 16: its absence is no news; 32: no mount but a link; 64: there is a
 * console now; 128: in a namespace of somebody else's as well. nsdelegate: a box that gets its own subtree cannot lift its own
 * limits; Linux has it from 4.13. */
enum { MOUNT_ROOT = 0x2000 };		/* STATX_ATTR_MOUNT_ROOT */
enum { LATE = 1, FLAGS = 14, OPTIONAL = 16, LINK = 32, CONSOLE = 64, HERE = 128 };
static const char table[] =
	"\016proc\0/proc\0\0"
	"\016sysfs\0/sys\0\0"
	"\102devtmpfs\0/dev\0mode=755\0"
	"\240/proc/self/fd\0/dev/fd\0\0"	/* with TOMOYO also the way that execveat takes */
	"\240fd/0\0/dev/stdin\0\0"
	"\240fd/1\0/dev/stdout\0\0"
	"\240fd/2\0/dev/stderr\0\0"
	"\032devpts\0/dev/pts\0mode=620,gid=5,ptmxmode=666\0"
	"\036tmpfs\0/dev/shm\0mode=1777\0"
	"\206tmpfs\0/run\0mode=755\0"
	"\026tmpfs\0/tmp\0mode=1777\0"
	"\236cgroup2\0/sys/fs/cgroup\0nsdelegate\0"
	"\236cgroup2\0/sys/fs/cgroup\0\0"
	"\036securityfs\0/sys/kernel/security\0\0"
	"\037bpf\0/sys/fs/bpf\0mode=700\0";	/* for which the kernel looks for a module */

/* Of a kernel without devtmpfs and without sysfs: mode, major, minor */
static const char nodes[] = "600 5:1 console\0" "666 5:0 tty\0" "666 1:3 null\0" "600 1:11 kmsg\0";

/* 1, 0, -1: there is no such directory. A mount point has another device than the directory above.
 * From 5.8 the kernel says so itself. */
static int is_mounted(const char *path)
{
	FILLED struct stat a, b;
	uint64_t x[32];			/* a struct statx, which is younger than some C libraries: its attributes, and which are known */

	if (syscall(SYS_statx, AT_FDCWD, path, AT_NO_AUTOMOUNT, 0, x) == 0 && x[7] & MOUNT_ROOT)
		return (x[1] & MOUNT_ROOT) != 0;
	if (stat(path, &a) < 0)
		return -1;
	return stat(fmts(TEXT "%s/..", path), &b) == 0 && a.st_dev != b.st_dev;
}

/* 0, 1 and 2. PID 1 never waits for a console: a modem line without carrier, a
 * terminal that was stopped. Nor does a starter, for what it has to say: the box would
 * not be there. Programs get a description of their own that waits, or they would lose
 * what they print; the keys are not theirs. */
void board_console(bool wait)
{
	int fd, i;

	if (board_inside() && fcntl(2, F_GETFD) >= 0)
		return;			/* what we were given */
	fd = open("/dev/console", (wait ? O_WRONLY : O_RDWR) | O_NOCTTY | O_NONBLOCK);
	say_by(fd < 0 ? -1 : wait ? fcntl(2, F_DUPFD_CLOEXEC, 3) : 2);
	if (fd < 0)
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
	else if (wait)
		(void)fcntl(fd, F_SETFL, 0);
	for (i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* MAJOR:MINOR, the mode in octal, the name below /dev: its directories are made, too. One that is there stays. */
static void node(const char *number, const char *octal, const char *name, mode_t type)
{
	static char path[96];
	uint64_t major, minor;
	mode_t bits = 0;
	char *p;

	for (; *octal >= '0' && *octal <= '7'; octal++)
		bits = bits * 8 + (mode_t)*octal - '0';
	(void)decimal(decimal(number, &major) + 1, &minor);
	fmt(path, sizeof path, TEXT "/dev/%s", name);
	for (p = path + 5; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		(void)mkdir(path, 0755);
	}
	(void)mknod(path, type | bits, makedev((unsigned)major, (unsigned)minor));
}

static void nodes_of(const char *kind, mode_t type)
{
	int dir = open(kind, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *number, *name, *mode;

	while (rootfs_list(dir) > 0)
		while ((number = rootfs_name()))
			if ((name = board_said(fmts(TEXT "%s/%s/uevent", kind, number), "DEVNAME="))) {
				mode = name + strlen(name) + 1;
				node(number, starts(mode, "DEVMODE=") ? mode + 8 : "600", name, type);
			}
	close(dir);
}

/* What the kernel has in /sys, where it makes no nodes: a link of ours in place of the node tells. It says in one
 * line after the other what the name is, and the mode unless that is root's alone. */
void board_nodes(void)
{
	mode_t was;
	char c;

	if (board_inside() || readlink("/dev/ptmx", &c, 1) < 0)
		return;
	was = umask(0);
	nodes_of("/sys/dev/char", S_IFCHR);
	nodes_of("/sys/dev/block", S_IFBLK);
	umask(was);
}

static bool own_nodes(void)
{
	const char *n;

	if (mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=512k") < 0)
		return false;
	(void)symlinkat("pts/ptmx", AT_FDCWD, "/dev/ptmx");
	board_nodes();
	for (n = nodes; *n; n += strlen(n) + 1)
		node(n + 4, n, strrchr(n, ' ') + 1, S_IFCHR);
	return true;
}

/* A read-only root has the directory, or the mount says so. */
static bool is_free(const char *path)
{
	int is = is_mounted(path);

	if (is < 0)
		(void)mkdir(path, 0755);
	return is < 1;
}

/* Before all else: it says where we are. */
void board_proc(void)
{
	if (is_free("/proc"))
		(void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* The number of the first PID namespace, of all kernels. What has no entry in the
 * /proc that is there has a namespace of its own, too. */
bool board_inside(void)
{
	static uint8_t known;		/* 1: no, 2: yes */
	FILLED struct stat st;

	if (!known) {
		known = stat("/proc/self/ns/pid", &st) == 0 ? 1 + (st.st_ino != 0xEFFFFFFC) :
			1 + (stat("/proc/self", &st) < 0 && stat("/proc/version", &st) == 0);
	}
	return known == 2;
}

void board_mounts(bool late)
{
	bool inside = board_inside();
	const char *row, *dst, *data;
	int e, cgroup = 0;			/* 1: not to be had, 2: made here; 0: somebody else's */

	for (row = table; *row; row = data + strlen(data) + 1) {
		dst = row + strlen(row) + 1;
		data = dst + strlen(dst) + 1;
		if ((*row & LATE) != late || (inside && (!(*row & HERE) || (!(*row & (LINK | OPTIONAL)) && access(dst, W_OK) == 0))))
			continue;
		if (*row & LINK) {
			(void)symlinkat(row + 1, AT_FDCWD, dst);
			continue;
		}
		if (is_free(dst)) {
			e = mount(row + 1, dst, row + 1, *row & FLAGS, *data ? data : NULL);
			if (row[1] == 'c')
				cgroup = e + 2;
			if (e < 0 && !(*row & OPTIONAL) && errno != EBUSY && !(*row & CONSOLE && own_nodes()))
				board_failed("mounts: ", dst);
		}
		if (*row & CONSOLE)
			board_console(false);
	}
	if (cgroup && !inside)
		board_cgroups(cgroup == 2);
}
