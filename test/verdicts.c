/*
 * verdicts.c - makes the calls of a list, each in a child, and says what the
 * kernel made of it: for a box of a board, whose filter the list is about.
 *
 *	verdicts NAME LIST	LIST: lines "NUMBER ARG0 ... ARG5", hexadecimal
 *
 * Prints "@v NAME LINE ANSWER": an errno, 0, "signal N", or "ended" where the call
 * did not come back. A number with a ! before it goes through int 0x80.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile long *answer;

#ifdef __x86_64__
static long int80(unsigned long nr, const unsigned long *a)
{
	long r;

	__asm__ volatile ("int $0x80" : "=a"(r) : "a"(nr), "b"(a[0]), "c"(a[1]), "d"(a[2]) : "memory", "r8", "r9", "r10", "r11");
	return r;
}
#else
static long int80(unsigned long nr, const unsigned long *a)
{
	(void)nr, (void)a;
	return -ENOSYS;
}
#endif

static void call(int foreign, unsigned long nr, const unsigned long *a)
{
	long r;

	alarm(2);
	if (foreign) {
		r = int80(nr, a);
		answer[1] = r < 0 ? -r : 0;
	} else {
		r = syscall((long)nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		answer[1] = r == -1 ? errno : 0;
	}
	answer[0] = 1;
	_exit(0);
}

static void try(const char *name, int line, int foreign, unsigned long nr, const unsigned long *a)
{
	int status;
	pid_t p;

	answer[0] = 0;
	fflush(stdout);
	if ((p = fork()) == 0)
		call(foreign, nr, a);
	if (p < 0 || waitpid(p, &status, 0) != p)
		exit(1);
	if (WIFSIGNALED(status))
		printf("@v %s %d signal %d\n", name, line, WTERMSIG(status));
	else if (!answer[0])
		printf("@v %s %d ended\n", name, line);
	else
		printf("@v %s %d %ld\n", name, line, answer[1]);
}

int main(int argc, char **argv)
{
	unsigned long long v[7];
	unsigned long a[6];
	char text[256], *p;
	FILE *f = argc > 2 ? fopen(argv[2], "r") : NULL;
	int line, i;

	answer = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!f || answer == MAP_FAILED)
		return 2;
	for (line = 0; fgets(text, sizeof text, f); line++) {
		p = text + (*text == '!');
		for (i = 0; i < 7; i++)
			v[i] = strtoull(p, &p, 16);
		for (i = 0; i < 6; i++)
			a[i] = (unsigned long)v[i + 1];
		try(argv[1], line, *text == '!', (unsigned long)(long)(int)v[0], a);
	}
	printf("@v %s end\n", argv[1]);
	return 0;
}
