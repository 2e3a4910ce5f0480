/* mounts.c - what every board needs before anything can be started. What is
 * mounted already (by an initramfs, by the kernel) is left as it is. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "husk.h"

/* flags and type, place, options. Flags: 2 nosuid, 4 nodev, 8 noexec, as the
 * kernel has them; 16: its absence is no news. */
enum { OPTIONAL = 16 };
static const char table[] =
	"\016proc\0/proc\0\0"
	"\016sysfs\0/sys\0\0"
	"\002devtmpfs\0/dev\0mode=755\0"
	"\032devpts\0/dev/pts\0mode=620,gid=5,ptmxmode=666\0"
	"\036tmpfs\0/dev/shm\0mode=1777\0"
	"\006tmpfs\0/run\0mode=755\0"
	"\026tmpfs\0/tmp\0mode=1777\0";

#define CG	"/sys/fs/cgroup"
#define NEW	"/.husk"

/* A mount point has another device than the directory above. */
static bool is_mounted(const char *path)
{
	struct stat a, b;
	char up[24];

	fmt(up, sizeof up, "%s/..", path);
	return stat(path, &a) == 0 && stat(up, &b) == 0 && a.st_dev != b.st_dev;
}

static int mount_on(const char *type, const char *dst, const char *data, unsigned flags)
{
	(void)mkdir(dst, 0755);		/* a read-only root has it, or the mount says so */
	if (is_mounted(dst) || mount(type, dst, type, flags, *data ? data : NULL) == 0)
		return 0;
	return errno == EBUSY ? 0 : -1;
}

/* One hierarchy for each controller that the kernel has, where it has no v2. */
static void mount_v1(void)
{
	char text[2048], dst[40], *line, *tab, *end;

	if (mount_on("tmpfs", CG, "mode=755", MS_NOSUID | MS_NODEV | MS_NOEXEC) < 0 ||
	    read_at(AT_FDCWD, "/proc/cgroups", text, sizeof text) < 0)
		return;
	for (line = text; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (*line == '#' || !(tab = strchr(line, '\t')) || tab == line || end[-1] != '1')
			continue;
		*tab = '\0';
		fmt(dst, sizeof dst, CG "/%s", line);
		(void)mkdir(dst, 0755);
		(void)mount("cgroup", dst, "cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, line);
	}
}

/* nsdelegate: a box that gets its own subtree cannot lift its own limits. */
static void mount_cgroups(void)
{
	unsigned flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (is_mounted(CG) || mount("cgroup2", CG, "cgroup2", flags, "nsdelegate") == 0)
		return;
	if (errno == EINVAL && mount("cgroup2", CG, "cgroup2", flags, NULL) == 0)
		return;
	if (errno == ENODEV)
		mount_v1();
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
	for (i = 0; i < 3 && fd >= 0; i++)
		if (fd != i)
			dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* Where the kernel has TOMOYO, /dev/fd is also the way that execveat takes. */
static void link_fds(void)
{
	(void)symlink("/proc/self/fd", "/dev/fd");
	(void)symlink("fd/0", "/dev/stdin");
	(void)symlink("fd/1", "/dev/stdout");
	(void)symlink("fd/2", "/dev/stderr");
}

void board_mounts(void)
{
	const char *row, *dst, *data;

	for (row = table; *row; row = data + strlen(data) + 1) {
		dst = row + strlen(row) + 1;
		data = dst + strlen(dst) + 1;
		if (mount_on(row + 1, dst, data, *row & ~OPTIONAL) < 0 && !(*row & OPTIONAL))
			say(2, "husk: board.mounts: %s on %s: %s\n", row + 1, dst, strerror(errno));
		if (same(dst, "/dev")) {
			board_console(false);
			link_fds();
		}
	}
	mount_cgroups();
}

/* What the initramfs has mounted goes along; what lies below another mount
 * went with that one, and is refused. */
static void move_mounts(char *text)
{
	char to[160], *path, *end;

	for (; (path = strchr(text, ' ')) && (end = strchr(++path, ' ')); text = end) {
		*end++ = '\0';
		fmt(to, sizeof to, NEW "%s", path);
		if (path[1])
			(void)mount(path, to, NULL, MS_MOVE, NULL);
		end += strcspn(end, "\n");
	}
}

/* The root of an initramfs cannot be pivoted, because nothing lies below it: so
 * a bind of it is moved over it. Once, the boxes need it never again, and not
 * once more when init_seal has started us anew. */
void board_root(void)
{
	struct statfs root;
	char text[4096];

	if (statfs("/", &root) < 0 || ((uint32_t)root.f_type != RAMFS_MAGIC && (uint32_t)root.f_type != TMPFS_MAGIC))
		return;
	if (starts((const char *)getauxval(AT_EXECFN), "/dev/fd/"))
		return;
	if (read_at(AT_FDCWD, "/proc/self/mounts", text, sizeof text) < 0)
		*text = '\0';
	(void)mkdir(NEW, 0700);
	if (mount("/", NEW, NULL, MS_BIND, NULL) == 0) {
		move_mounts(text);
		if (chdir(NEW) == 0 && mount(".", "/", NULL, MS_MOVE, NULL) == 0 && chroot(".") == 0 &&
		    chdir("/") == 0 && rmdir(NEW) == 0)
			return;
	}
	say(2, "husk: board.root: %s\n", strerror(errno));
}
