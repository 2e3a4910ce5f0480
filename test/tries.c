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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

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
	for (; p > (volatile char *)16; p -= 1024)
		p[-16] = 'x';
	return 0;
}

static long through_mem(void)
{
	int fd = open("/proc/self/mem", O_RDWR);

	return fd < 0 ? -1 : pwrite(fd, "/bin/true", 10, 256);
}

static long to_zero(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : syscall(SYS_mremap, p, 4096L, 4096L, (long)(MREMAP_MAYMOVE | MREMAP_FIXED), 0L);
}

static long attach(long at, int flags)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);
	long r;

	if (id < 0)
		return -1;
	r = (long)syscall(SYS_shmat, (long)id, at, (long)flags);
	shmctl(id, IPC_RMID, NULL);
	if (r > 4096) {			/* somewhere else */
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
	void *p = mmap(NULL, 4096, prot, how | MAP_FIXED, -1, 0);

	say("mmap", p == MAP_FAILED ? -1 : 0);
	p = mmap((void *)1, 4096, prot, how, -1, 0);
	if (p != MAP_FAILED && (uintptr_t)p >= 4096) {
		p = MAP_FAILED;
		errno = ERANGE;		/* somewhere else */
	}
	say("mmap-hint", p == MAP_FAILED ? -1 : 0);
	p = mmap(NULL, 4096, prot, how | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	say("mmap-stack", p == MAP_FAILED ? -1 : 0);
	say("mremap", to_zero());
	say("shmat", attach(0, SHM_REMAP));
	say("shmat-rounded", attach(1, SHM_RND | SHM_REMAP));
	say("mprotect", mprotect(NULL, 4096, prot));
	say("madvise", madvise(NULL, 4096, 23));		/* MADV_POPULATE_WRITE */
	in_child("grow", grow);
	in_child("mem", through_mem);
	say("personality", syscall(SYS_personality, 0x100000L));
	say("brk", syscall(SYS_brk, 4096L) <= 8192 ? 0 : (errno = ERANGE, -1));
	say("userfaultfd", syscall(SYS_userfaultfd, 0L));
	say("process_vm_writev", syscall(SYS_process_vm_writev, (long)getpid(), 0L, 0L, 0L, 0L, 0L));
}

static long exec_path(void) { return syscall(SYS_execve, (long)"/bin/true", (long)argv0, (long)none); }
static long exec_16(void) { return syscall(SYS_execve, 16L, (long)argv0, (long)none); }
static long exec_null(void) { return syscall(SYS_execve, 0L, (long)argv0, (long)none); }
static long exec_4095(void) { return syscall(SYS_execve, 4095L, (long)argv0, (long)none); }
static long exec_4096(void) { return syscall(SYS_execve, 4096L, (long)argv0, (long)none); }
static long exec_high(void) { return syscall(SYS_execve, (long)((unsigned long)1 << 31 << 1 | 16), (long)argv0, (long)none); }
static long exec_tag(void) { return syscall(SYS_execve, (long)(~0ul << 24 << 8 << 24 | 16), (long)argv0, (long)none); }
static long execat(void) { return syscall(SYS_execveat, (long)AT_FDCWD, (long)"/bin/true", (long)argv0, (long)none, 0L); }
static long execat_16(void) { return syscall(SYS_execveat, (long)AT_FDCWD, 16L, (long)argv0, (long)none, 0L); }
static long execat_fd(void)
{
	return syscall(SYS_execveat, (long)open("/bin/true", O_RDONLY), (long)"", (long)argv0, (long)none, (long)AT_EMPTY_PATH);
}

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
#ifdef __x86_64__
	if (fork() == 0) {
		long r;

		__asm__ volatile ("int $0x80" : "=a"(r) : "a"(11L), "b"(16L), "c"(0L), "d"(0L) : "memory", "r8", "r9", "r10", "r11");
		printf("int80 %ld\n", r);
		_exit(0);
	}
	wait(NULL);
#endif
	execl("/bin/true", "true", NULL);
	say("last", -1);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*run)(int, char **); } verbs[] = {
		{ "once", do_once },
	};
	size_t i;

	for (i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
		if (!strcmp(verbs[i].name, argv[1]))
			return verbs[i].run(argc - 2, argv + 2);
	fprintf(stderr, "tries: which verb?\n");
	return 99;
}
