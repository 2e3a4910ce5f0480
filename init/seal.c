/* seal.c - what comes before everything: the program itself is made safe. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

#define OPEN_TREE_CLONE		1
#define MOUNT_ATTR_RDONLY	1
#ifndef MFD_EXEC
#define MFD_EXEC		0x10	/* linux/memfd.h, from 6.3 */
#endif

static int refuse(int fd, const char *what)
{
	say(2, "husk: init.stdio: descriptor %d: %s\n", fd, what);
	return 125;
}

/* Descriptors above are the caller's and not for us. A directory on 0, 1 or 2 is a way out of the box, and a closed one would be
 * the place where our next descriptor lands. */
int init_stdio(void)
{
	struct stat st;
	int fd, flags;

	for (fd = 0; fd < 3; fd++) {
		flags = fcntl(fd, F_GETFL);
		if (flags < 0 && errno == EBADF) {
			if (open("/dev/null", O_RDWR) != fd)
				return refuse(fd, TEXT "is closed, and /dev/null is missing");
			continue;
		}
		if (flags < 0 || fstat(fd, &st) < 0)
			return refuse(fd, errno_text());
		if (flags & O_PATH || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode))
			return refuse(fd, TEXT "a directory, a bare path or a block device is refused");
	}
	if (sys_close_range(3, ~0u) < 0 && close_others(AT_FDCWD, 3, &fd, 0) < 0)
		return refuse(3, errno_text());
	return 0;
}

/* A detached read-only clone of the mount that husk lies on: nothing is copied,
 * and the page cache stays shared. From Linux 5.12, with CAP_SYS_ADMIN. */
static int by_clone(int exe, char **argv)
{
	int tree = sys_open_tree(exe, "", OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH);

	if (tree < 0)
		return -1;
	if (sys_mount_setattr(tree, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0, -1) == 0)
		sys_execveat(tree, "", argv, environ, AT_EMPTY_PATH);
	close(tree);
	return -1;
}

static int by_memfd(int exe, char **argv)
{
	struct stat st;
	off_t at = 0;
	int fd = (int)syscall(SYS_memfd_create, "husk", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_memfd_create, "husk", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || fstat(exe, &st) < 0)
		return -1;
	while (at < st.st_size)
		if (sendfile(fd, exe, &at, (size_t)(st.st_size - at)) <= 0)
			return -1;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -1;
	return sys_execveat(fd, "", argv, environ, AT_EMPTY_PATH);
}

static bool again(void)
{
	return starts((const char *)getauxval(AT_EXECFN), "/dev/fd/");
}

/* 1, 0, or -1. Who comes from here and is still not sealed goes no further:
 * that would be for ever. */
int init_sealed(int exe)
{
	struct statfs fs;
	int seals;

	if (fstatfs(exe, &fs) < 0)
		return -1;
	if (fs.f_flags & ST_RDONLY)
		return 1;
	seals = fs.f_type == TMPFS_MAGIC ? fcntl(exe, F_GET_SEALS) : -1;
	if (seals >= 0 && seals & F_SEAL_WRITE)
		return 1;
	errno = EROFS;
	return again() ? -1 : 0;
}

/* A box can reach the file of its PID 1 and of who enters it; "text file busy"
 * ends with the process. So they run from where nobody can write: true, or it begins anew there. */
bool init_try_seal(char **argv)
{
	int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int is = exe < 0 ? -1 : init_sealed(exe);

	if (is == 0) {
		by_clone(exe, argv);
		by_memfd(exe, argv);
	}
	let_go(exe);
	if (is > 0 && again())	/* the kernel has named the process after the descriptor */
		prctl(PR_SET_NAME, "husk");
	return is > 0;
}

int init_seal(char **argv)
{
	if (init_try_seal(argv))
		return 0;
	say(2, "husk: init.seal: %s - a read-only mount for husk, or vm.memfd_noexec=0\n", errno_text());
	return 125;
}
