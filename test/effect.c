/* effect.c - what a limit does, seen from inside: each word is one thing that a limit holds back, and prints one line.
 * The last one is for outside: many boxes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MB = 1 << 20 };

static uint64_t us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t arg(char **argv, int n)
{
	return argv[0] && argv[n] ? strtoull(argv[n], NULL, 0) : 0;
}

static void said(const char *what)
{
	printf("%s: %s\n", what, errno ? strerror(errno) : "ok");
}

/* MB [MS]: page by page; says how far it came, where that was the whole way, and stays for a while */
static int eat(char **argv)
{
	size_t n = (size_t)arg(argv, 0) * MB, i;
	volatile char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (i = 0; i < n; i += 4096)
		p[i] = 1;
	printf("ate %zu\n", n / MB);
	usleep((unsigned)arg(argv, 1) * 1000);
	return 0;
}

/* N: children at once */
static int bomb(char **argv)
{
	uint64_t n;
	pid_t pid = 1;

	for (n = 0, errno = 0; n < arg(argv, 0) && (pid = fork()) >= 0; n++)
		if (!pid)
			return pause();
	printf("forked %d: %s\n", (int)n, strerror(errno));
	fflush(stdout);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	return 0;
}

/* MS [SECOND]: of the clock, from that second on; says what it got of the processor, in us. It looks at the clock now and
 * then: an emulated one takes a microsecond of this machine's, and a turn of the loop a nanosecond */
static int spin(char **argv)
{
	struct timespec from = { .tv_sec = (time_t)arg(argv, 1) };
	uint64_t began, end, had;
	volatile int n;

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &from, NULL);
	began = us(CLOCK_MONOTONIC);
	had = us(CLOCK_PROCESS_CPUTIME_ID);
	end = began + arg(argv, 0) * 1000;
	while (us(CLOCK_MONOTONIC) < end)
		for (n = 0; n < 1000; n++)
			;
	printf("spun %llu of %llu\n", (unsigned long long)(us(CLOCK_PROCESS_CPUTIME_ID) - had), (unsigned long long)(us(CLOCK_MONOTONIC) - began));
	return 0;
}

/* FILE BYTES BLOCK: past the cache */
static int writer(char **argv)
{
	int fd = open(argv[0], O_WRONLY | O_DIRECT | O_CLOEXEC);
	uint64_t n = 0, began = us(CLOCK_MONOTONIC), block = arg(argv, 2);
	char *p = mmap(NULL, block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	errno = 0;
	while (fd >= 0 && n < arg(argv, 1) && write(fd, p, block) == (ssize_t)block)
		n += block;
	if (fd < 0 || errno)
		said("write");
	printf("wrote %llu in %llu\n", (unsigned long long)n, (unsigned long long)(us(CLOCK_MONOTONIC) - began));
	return 0;
}

static sigjmp_buf out;
static void bus(int sig)
{
	siglongjmp(out, sig);
}

/* N SIZE: that many huge pages */
static int huge(char **argv)
{
	size_t size = (size_t)arg(argv, 1);
	volatile uint64_t n = 0;
	volatile char *p;

	signal(SIGBUS, bus);
	if (!sigsetjmp(out, 1))
		for (errno = 0; n < arg(argv, 0); n++) {
			if ((p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0)) == MAP_FAILED)
				break;
			*p = 1;
		}
	printf("huge %d\n", (int)n);
	return 0;
}

/* TYPE MAJOR MINOR: a node of one's own, made and opened */
static int node(char **argv)
{
	errno = 0;
	if (mknod("/dev/own", (*argv[0] == 'b' ? S_IFBLK : S_IFCHR) | 0666, makedev((unsigned)arg(argv, 1), (unsigned)arg(argv, 2))) < 0) {
		said("mknod");
		return 1;
	}
	argv[0] = "/dev/own";
	argv[1] = "rw";
	return -1;
}

/* FILE r|w|rw */
static int opened(char **argv)
{
	int fd = open(argv[0], !strcmp(argv[1], "r") ? O_RDONLY : !strcmp(argv[1], "w") ? O_WRONLY : O_RDWR);

	if (fd >= 0)
		errno = 0;
	said("open");
	return fd < 0;
}

/* FILE: a number that grows every ms, for somebody outside */
static int count(char **argv)
{
	char text[24];
	int fd = open(argv[0], O_WRONLY | O_CREAT, 0644);
	unsigned n;

	for (n = 1; fd >= 0; n++) {
		(void)!pwrite(fd, text, (size_t)sprintf(text, "%08u\n", n), 0);
		usleep(1000);
	}
	return 1;
}

/* WORD ...: runs a command, says how long it took in us; 0: it failed */
static unsigned run(char **argv)
{
	uint64_t began = us(CLOCK_MONOTONIC);
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		execvp(argv[0], argv);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid && !status ? (unsigned)(us(CLOCK_MONOTONIC) - began) : 0;
}

static int less(const void *a, const void *b)
{
	return *(const unsigned *)a < *(const unsigned *)b ? -1 : *(const unsigned *)a > *(const unsigned *)b;
}

/* N DIR: boxes alive at once, their keepers' numbers in DIR; how long the first and the last 20 took, each its median */
static int boxes(char **argv)
{
	static char pidfile[64], name[32];
	char *words[] = { "husk", "run", "-d", "-p", pidfile, name, "root=/srv/root", "memory.max=8M", "pids.max=20", "cpu.weight=200", "--", "/bin/effect", "stay", "x", NULL };
	unsigned n = (unsigned)arg(argv, 0), i, *took = calloc(n, sizeof *took);

	for (i = 0; i < n; i++) {
		sprintf(pidfile, "%s/%u", argv[1], i);
		sprintf(name, "name=b%u", i);
		if (!(took[i] = run(words))) {
			printf("box %u did not start\n", i);
			return 1;
		}
		if (i % 50 == 49)
			printf("@took %u %u\n", i + 1, took[i]);
	}
	qsort(took, 20, sizeof *took, less);
	qsort(took + n - 20, 20, sizeof *took, less);
	printf("@median %u %u\n", took[10], took[n - 10]);
	return 0;
}

static int stay(char **argv)
{
	(void)argv;
	return pause();
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*run)(char **); } words[] = {
		{ "eat", eat }, { "bomb", bomb }, { "spin", spin }, { "write", writer }, { "huge", huge },
		{ "node", node }, { "open", opened }, { "count", count }, { "stay", stay }, { "boxes", boxes },
	};
	size_t i;
	int r;

	for (i = 0; argc > 2 && i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i].name, argv[1])) {
			if ((r = words[i].run(argv + 2)) < 0)
				r = opened(argv + 2);
			fflush(stdout);
			return r;
		}
	fprintf(stderr, "effect: which word?\n");
	return 99;
}
