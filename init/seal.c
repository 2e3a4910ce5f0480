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
	warnx("init.stdio: descriptor %d: %s", fd, what);
	return 125;
}

/* Descriptors above are the caller's and not for us. A directory on 0, 1 or 2 is a way out of the box, and a closed one would be
 * the place where our next descriptor lands. */
int init_stdio(void)
{
	FILLED struct stat st;
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

#define LINKER	__attribute__((visibility("hidden")))	/* husk.ld says where */
extern const char code_start[] LINKER, code_end[] LINKER, constant_start[] LINKER, constant_end[] LINKER;

enum { PAGE = 4096 };
#ifdef SYS_mmap2
#define SYS_MAP	SYS_mmap2
enum { UNIT = PAGE };
#else
#define SYS_MAP	SYS_mmap
enum { UNIT = 1 };
#endif

static bool map_over(int fd, uintptr_t from, uintptr_t to, uintptr_t at, int prot)
{
	uintptr_t page = from & -(uintptr_t)PAGE;

	return (uintptr_t)syscall(SYS_MAP, (long)page, (long)(to - page), (long)prot, (long)(MAP_PRIVATE | MAP_FIXED), (long)fd, (long)(at / UNIT)) == page;
}

/* This process as it is goes on from the clone: each page is mapped again over itself, and the
 * kernel, who takes no other file while one page of the old one is there, is told that it is
 * what was executed. Half as long as a second execve, and some calls more: for a board, where
 * it is one of the first things, and nobody counts calls. */
static bool in_place(int tree)
{
	uintptr_t code = (uintptr_t)code_start, constant = (uintptr_t)constant_start;
	bool is = false;
	int fd = -1;

	if (prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, -1, 0, 0) < 0 && errno == EBADF)	/* else it needs CAP_SYS_RESOURCE */
		fd = open(fmts("/proc/self/fd/%d", tree), O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		is = map_over(fd, code, (uintptr_t)code_end, 0, PROT_READ | PROT_EXEC) &&	/* one page further in memory than in the file: */
			map_over(fd, constant, (uintptr_t)constant_end, (constant - code) / PAGE * PAGE - PAGE, PROT_READ) &&
			prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, fd, 0, 0) == 0;
		close(fd);
	}
	return is;
}

/* A detached read-only clone of the mount that husk lies on: nothing is copied,
 * and the page cache stays shared. From Linux 5.12, with CAP_SYS_ADMIN. */
static bool by_clone(int exe, char **argv, bool stay)
{
	int tree = sys_open_tree(exe, "", OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH);
	bool is = false;

	if (tree < 0)
		return false;
	if (sys_mount_setattr(tree, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0, -1) == 0 && !(is = stay && in_place(tree)))
		sys_execveat(tree, "", argv, environ, AT_EMPTY_PATH);
	close(tree);
	return is;
}

static int by_memfd(int exe, char **argv)
{
	FILLED struct stat st;
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
	FILLED struct statfs fs;
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
 * ends with the process. So they run from where nobody can write: true, or it begins anew there; stay:
 * it goes on there, if it may. */
bool init_try_seal(char **argv, bool stay)
{
	int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int is = exe < 0 ? -1 : init_sealed(exe);

	if (is == 0 && !(is = by_clone(exe, argv, stay)))
		by_memfd(exe, argv);
	let_go(exe);
	if (is > 0 && again())	/* the kernel has named the process after the descriptor */
		prctl(PR_SET_NAME, "husk");
	return is > 0;
}

int init_seal(char **argv)
{
	if (init_try_seal(argv, false))
		return 0;
	warnx("init.seal: %s - a read-only mount for husk, or vm.memfd_noexec=0", errno_text());
	return 125;
}
