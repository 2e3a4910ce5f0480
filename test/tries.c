/*
 * tries.c - what a test runs in a box to get around its filter: one line for each
 * try, and the test outside judges. (musl-gcc -static.)  tries VERB [ARG...]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifdef __arm__
#define BASE	8192L		/* where husk has put the path */
#else
#define BASE	0L
#endif

static char stack[65536];
static char *const none[] = { NULL };
static char *const argv0[] = { "ran", NULL };

static void say(const char *name, long r)
{
	if (r < 0)
		printf("%s %d\n", name, errno);
	else
		printf("%s ok\n", name);
	fflush(stdout);
}

/* In a child: one way to end is a signal. */
static void in_child(const char *name, long (*f)(void))
{
	int status;
	pid_t p;

	fflush(stdout);
	if ((p = fork()) == 0) {
		say(name, f());
		_exit(0);
	}
	if (waitpid(p, &status, 0) == p && WIFSIGNALED(status))
		printf("%s signal %d\n", name, WTERMSIG(status));
	fflush(stdout);
}

/* ------------------------------------------------------------- exec.once */

static long lowest(void)
{
	char text[32] = "";
	int fd = open("/proc/sys/vm/mmap_min_addr", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
		return 65536;
	close(fd);
	return atol(text);
}

/* a stack that would have to grow down to the page */
static long grow(void)
{
	volatile char *p = mmap((void *)lowest(), 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	if (p == MAP_FAILED)
		return -1;
	for (; p > (volatile char *)(BASE + 1100); p -= 1024)
		p[-16] = 'x';
	return 0;
}

static long through_mem(void)
{
	int fd = open("/proc/self/mem", O_RDWR);

	return fd < 0 ? -1 : pwrite(fd, "/bin/true", 10, BASE + 256);
}

static long to_zero(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : syscall(SYS_mremap, p, 4096L, 4096L, (long)(MREMAP_MAYMOVE | MREMAP_FIXED), BASE);
}

static long attach(long at, int flags)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);
	long r;

	if (id < 0)
		return -1;
	r = (long)syscall(SYS_shmat, (long)id, at, (long)flags);
	shmctl(id, IPC_RMID, NULL);
	if (r > BASE + 4096) {			/* somewhere else */
		errno = ERANGE;
		return -1;
	}
	return r;
}

static int thread(void *name)
{
	say(name, syscall(SYS_execve, (long)"/bin/true", (long)argv0, (long)none));
	_exit(0);
}

static void page0(void)
{
	int prot = PROT_READ | PROT_WRITE, how = MAP_PRIVATE | MAP_ANONYMOUS;
	void *p = mmap((void *)BASE, 4096, prot, how | MAP_FIXED, -1, 0);

	say("mmap", p == MAP_FAILED ? -1 : 0);
	p = mmap((void *)(BASE + 1), 4096, prot, how, -1, 0);
	if (p != MAP_FAILED && (uintptr_t)p >= (uintptr_t)BASE + 4096) {
		p = MAP_FAILED;
		errno = ERANGE;		/* somewhere else */
	}
	say("mmap-hint", p == MAP_FAILED ? -1 : 0);
	p = mmap((void *)BASE, 4096, prot, how | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	say("mmap-stack", p == MAP_FAILED ? -1 : 0);
	say("mremap", to_zero());
	say("shmat", attach(BASE, SHM_REMAP));
	say("shmat-rounded", attach(BASE + 1, SHM_RND | SHM_REMAP));
	say("mprotect", mprotect((void *)BASE, 4096, prot));
	say("madvise", madvise((void *)BASE, 4096, 23));		/* MADV_POPULATE_WRITE */
	in_child("grow", grow);
	in_child("mem", through_mem);
	say("personality", syscall(SYS_personality, 0x100000L));
	say("brk", syscall(SYS_brk, 4096L) <= 8192 ? 0 : (errno = ERANGE, -1));
	say("userfaultfd", syscall(SYS_userfaultfd, 0L));
	say("process_vm_writev", syscall(SYS_process_vm_writev, (long)getpid(), 0L, 0L, 0L, 0L, 0L));
}

static long exec_path(void) { return syscall(SYS_execve, (long)"/bin/true", (long)argv0, (long)none); }
static long exec_16(void) { return syscall(SYS_execve, 16L, (long)argv0, (long)none); }
static long exec_null(void) { return syscall(SYS_execve, BASE, (long)argv0, (long)none); }
static long exec_4095(void) { return syscall(SYS_execve, 4095L, (long)argv0, (long)none); }
static long exec_4096(void) { return syscall(SYS_execve, 4096L, (long)argv0, (long)none); }
static long exec_high(void) { return syscall(SYS_execve, (long)((unsigned long)1 << 31 << 1 | 16), (long)argv0, (long)none); }
static long exec_tag(void) { return syscall(SYS_execve, (long)(~0ul << 24 << 8 << 24 | 16), (long)argv0, (long)none); }
static long execat(void) { return syscall(SYS_execveat, (long)AT_FDCWD, (long)"/bin/true", (long)argv0, (long)none, 0L); }
static long execat_16(void) { return syscall(SYS_execveat, (long)AT_FDCWD, BASE + 16, (long)argv0, (long)none, 0L); }
static long execat_fd(void)
{
	return syscall(SYS_execveat, (long)open("/bin/true", O_RDONLY), (long)"", (long)argv0, (long)none, (long)AT_EMPTY_PATH);
}

#ifdef __x86_64__
static void int80(void)
{
	long r;

	__asm__ volatile ("int $0x80" : "=a"(r) : "a"(11L), "b"(16L), "c"(0L), "d"(0L) : "memory", "r8", "r9", "r10", "r11");
	printf("int80 %ld\n", r);
	_exit(0);
}
#else
static void int80(void)
{
	_exit(0);
}
#endif

static int do_once(int argc, char **argv)
{
	(void)argc, (void)argv;
	page0();
	in_child("execve", exec_path);
	in_child("execve-16", exec_16);
	in_child("execve-0", exec_null);
	in_child("execve-4095", exec_4095);
	in_child("execve-4096", exec_4096);
	in_child("execve-high", exec_high);
	in_child("execve-tag", exec_tag);
	in_child("execveat", execat);
	in_child("execveat-16", execat_16);
	in_child("execveat-fd", execat_fd);
	fflush(stdout);
	waitpid(clone(thread, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, "execve-vfork"), NULL, 0);
	fflush(stdout);
	if (fork() == 0)
		int80();
	wait(NULL);
	execl("/bin/true", "true", NULL);
	say("last", -1);
	return 0;
}

/* ------------------------------------------------------- groups of arguments */

static void say_map(const char *name, void *p)
{
	say(name, p == MAP_FAILED ? -1 : 0);
}

#ifdef SYS_mmap2
#define SYS_map	SYS_mmap2
#else
#define SYS_map	SYS_mmap
#endif

/* the C library makes ENOMEM of an EPERM */
static void *map(int prot, int flags, int fd)
{
	return (void *)syscall(SYS_map, 0L, 4096L, (long)prot, (long)flags, (long)fd, 0L);
}

static void *data(void)
{
	return map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* written through a descriptor, mapped to be run */
static long through_memfd(int flags)
{
	int fd = (int)syscall(SYS_memfd_create, "x", flags);

	if (fd < 0)
		return -1;
	if (write(fd, "\xc3", 1) != 1)
		return -1;
	return map(PROT_READ | PROT_EXEC, MAP_PRIVATE, fd) == MAP_FAILED ? -1 : 0;
}

/* in /tmp, which is written and not executed */
static long through_file(int flags)
{
	int fd = open("/tmp/code", O_RDWR | O_CREAT, 0700);

	if (fd < 0 || write(fd, "\xc3", 1) != 1)
		return -1;
	return map(PROT_READ | PROT_EXEC, flags, fd) == MAP_FAILED ? -1 : 0;
}

/* Pages that were never written to, filled by who waits for them to be missed */
static long through_fault(void)
{
	static uint8_t page[8192];
	static uint64_t api[3] = { 0xaa }, where[4] = { 0, 4096, 1 }, copy[5] = { 0, 0, 4096 };
	int fd = (int)syscall(SYS_userfaultfd, 1L);	/* of this program's own faults alone: for everybody */

	if (fd < 0 || ioctl(fd, (int)_IOWR(0xaa, 0x3f, api), api) < 0)
		return -1;
	copy[0] = where[0] = (uintptr_t)map(PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	copy[1] = ((uintptr_t)page + 4095) & ~(uintptr_t)4095;
	return ioctl(fd, (int)_IOWR(0xaa, 0, where), where) < 0 ? -1 : ioctl(fd, (int)_IOWR(0xaa, 3, copy), copy);
}

/* Written by a child, for which it is no code */
static long through_child(void)
{
	char *p = map(PROT_READ | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1);
	int status;
	pid_t pid;

	if (p == MAP_FAILED)
		return -1;
	if ((pid = fork()) == 0) {
		if (mprotect(p, 4096, PROT_READ | PROT_WRITE) == 0)
			*p = '\xc3';
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && *p == '\xc3' ? 0 : -1;
}

#ifdef __i386__
static void old_mmap(void)
{
	uint32_t args[] = { 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, ~0u, 0 };

	say_map("old-mmap", (void *)syscall(90, args));
}
#else
static void old_mmap(void)
{
}
#endif

static int do_wx(int argc, char **argv)
{
	int how = MAP_PRIVATE | MAP_ANONYMOUS, id = shmget(IPC_PRIVATE, 4096, 0700);

	(void)argc, (void)argv;
	say_map("rwx", map(PROT_READ | PROT_WRITE | PROT_EXEC, how, -1));
	say_map("wx", map(PROT_WRITE | PROT_EXEC, how, -1));
	say_map("shared-rwx", map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1));
	say("mprotect-x", mprotect(data(), 4096, PROT_READ | PROT_EXEC));
	say("mprotect-wx", mprotect(data(), 4096, PROT_WRITE | PROT_EXEC));
	say("mprotect-own-text", mprotect((void *)((uintptr_t)do_wx & ~4095ul), 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
	say("pkey_mprotect", syscall(SYS_pkey_mprotect, data(), 4096L, (long)(PROT_READ | PROT_EXEC), -1L));
	say_map("shmat-x", shmat(id, NULL, SHM_EXEC));
	shmctl(id, IPC_RMID, NULL);
	say("memfd", through_memfd(0));
	say("memfd-noexec", through_memfd(8));
	say("memfd_secret", syscall(447, 0L));
	say("userfaultfd", through_fault());
	say("shared", through_child());
	say("file", through_file(MAP_PRIVATE));
	say("file-shared", through_file(MAP_SHARED));
	say("personality", syscall(SYS_personality, 0x0400000L));
	old_mmap();
	say_map("may-rx", map(PROT_READ | PROT_EXEC, MAP_PRIVATE, open("/bin/busybox", O_RDONLY)));
	say_map("may-rw", data());
	say("may-mprotect", mprotect(data(), 4096, PROT_READ));
	return 0;
}

static long linked(int fd, const char *to)
{
	char from[64];

	if (fd < 0)
		return -1;
	snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
}

#ifdef SYS_chmod
static void by_path(void)
{
	say("chmod", syscall(SYS_chmod, "/tmp/plain", 04755L));
	say("creat", syscall(SYS_creat, "/tmp/a", 04755L));
	say("open", syscall(SYS_open, "/tmp/b", (long)(O_CREAT | O_RDWR), 04755L));
	say("mknod", syscall(SYS_mknod, "/tmp/c", (long)(S_IFREG | 02755), 0L));
	say("mkdir", syscall(SYS_mkdir, "/tmp/d", 02755L));
	say("may-open", syscall(SYS_open, "/tmp/plain", (long)O_RDONLY, 04755L));
}
#else
static void by_path(void)
{
}
#endif

static int do_suid(int argc, char **argv)
{
	struct { uint64_t flags, mode, resolve; } how = { O_CREAT | O_RDWR, 04755, 0 };
	int fd = open("/tmp/plain", O_RDWR | O_CREAT, 0755);

	(void)argc, (void)argv;
	umask(0);
	by_path();
	say("fchmod", syscall(SYS_fchmod, (long)fd, 06755L));
	say("fchmodat", syscall(SYS_fchmodat, (long)AT_FDCWD, "/tmp/plain", 04755L));
	say("openat", syscall(SYS_openat, (long)AT_FDCWD, "/tmp/e", (long)(O_CREAT | O_RDWR), 04755L));
	say("openat-high", syscall(SYS_openat, (long)AT_FDCWD, "/tmp/e2", (long)(O_CREAT | O_RDWR), 0x10000L | 04755));
	say("tmpfile", linked((int)syscall(SYS_openat, (long)AT_FDCWD, "/tmp", (long)(O_TMPFILE | O_RDWR), 04755L), "/tmp/f"));
	say("openat2", syscall(437, (long)AT_FDCWD, "/tmp/g", &how, (long)sizeof how));
	say("mknodat", syscall(SYS_mknodat, (long)AT_FDCWD, "/tmp/h", (long)(S_IFREG | 04755), 0L));
	say("mkdirat", syscall(SYS_mkdirat, (long)AT_FDCWD, "/tmp/i", 02755L));
	say("fchmodat2", syscall(452, (long)AT_FDCWD, "/tmp/plain", 04755L, 0L));
	say("may-chmod", chmod("/tmp/plain", 01644));
	say("may-openat", openat(AT_FDCWD, "/tmp/j", O_CREAT | O_RDWR, 0777));
	say("may-mkdir", mkdir("/tmp/k", 01777));
	fflush(stdout);
	return system("find /tmp -perm /6000 | sed 's/^/FOUND /'") != 0;
}

static int do_realtime(int argc, char **argv)
{
	struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t t[3]; } attr = { 48, SCHED_FIFO, 0, 0, 1, { 0, 0, 0 } };
	int zero = 0, one = 1;

	(void)argc, (void)argv;
	say("fifo", syscall(SYS_sched_setscheduler, 0L, (long)SCHED_FIFO, &one));
	say("rr", syscall(SYS_sched_setscheduler, 0L, (long)SCHED_RR, &one));
	say("fifo-reset", syscall(SYS_sched_setscheduler, 0L, (long)(SCHED_FIFO | 0x40000000), &one));
	say("fifo-high", syscall(SYS_sched_setscheduler, 0L, (long)((unsigned long)1 << 31 << 1 | SCHED_FIFO), &one));
	say("attr", syscall(SYS_sched_setattr, 0L, &attr, 0L));
	say("may-other", syscall(SYS_sched_setscheduler, 0L, (long)SCHED_OTHER, &zero));
	say("may-batch", syscall(SYS_sched_setscheduler, 0L, (long)(SCHED_BATCH | 0x40000000), &zero));
	say("may-idle", syscall(SYS_sched_setscheduler, 0L, (long)SCHED_IDLE, &zero));
	return 0;
}

static long new_user(void) { return syscall(SYS_clone, (long)(CLONE_NEWUSER | SIGCHLD), 0L, 0L, 0L, 0L); }
static long new_high(void) { return syscall(SYS_clone, (long)((unsigned long)1 << 31 << 1 | CLONE_NEWUTS | SIGCHLD), 0L, 0L, 0L, 0L); }
static long new_mnt(void) { return syscall(SYS_clone, (long)(CLONE_NEWNS | SIGCHLD), 0L, 0L, 0L, 0L); }
static long unshare_user(void) { return unshare(CLONE_NEWUSER); }
static long unshare_time(void) { return unshare(0x80); }
static long clone3_user(void)
{
	uint64_t args[8] = { CLONE_NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0 };

	return syscall(435, args, (long)sizeof args);
}
static long setns_own(void) { return setns(open("/proc/self/ns/uts", O_RDONLY), 0); }
static long plain(void) { return syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L); }

static int do_newns(int argc, char **argv)
{
	(void)argc, (void)argv;
	in_child("clone-user", new_user);
	in_child("clone-high", new_high);
	in_child("clone-mnt", new_mnt);
	in_child("unshare-user", unshare_user);
	in_child("unshare-time", unshare_time);
	in_child("clone3", clone3_user);
	in_child("setns", setns_own);
	in_child("may-clone", plain);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*run)(int, char **); } verbs[] = {
		{ "once", do_once }, { "wx", do_wx }, { "suid", do_suid }, { "realtime", do_realtime }, { "newns", do_newns },
	};
	size_t i;

	for (i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
		if (!strcmp(verbs[i].name, argv[1]))
			return verbs[i].run(argc - 2, argv + 2);
	fprintf(stderr, "tries: which verb?\n");
	return 99;
}
