/*
 * deny.c - makes calls that a filter refuses, and says what came of it. (musl-gcc -static.)
 *
 *	call NR ARG ...		one call; prints its result, or -errno
 *	ours NR ARG ...		the same with husk's own word as the sixth argument
 *	loop N NR ARG ...	N times the same; prints how many were refused, and the us of one
 *	vary N NR		N times with another first argument
 *	name TEXT NR		under another name
 *	bomb N NR		N processes that do nothing else; prints "ready", never ends
 *	killed N NR		N processes, each killed while its call may be waiting; prints how many were, and
 *				what the call answers to who lives
 *	nested			asks for a listener of its own
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OURS = 0x6b737568 };

static long call(char **w, long first, long last)
{
	long a[6] = { 0 };
	int i;

	for (i = 0; w[1] && i < 6; i++, w++)
		a[i] = (long)strtoul(w[1], NULL, 0);
	w -= i;
	a[0] += first;
	a[5] += last;
	errno = 0;
	if (syscall(strtol(w[0], NULL, 0), a[0], a[1], a[2], a[3], a[4], a[5]) < 0)
		return -errno;
	return 0;
}

static double us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int repeat(char **w, int vary)
{
	long n = atol(w[0]), i, refused = 0;
	double start = us();

	for (i = 0; i < n; i++)
		refused += call(w + 1, vary ? i : 0, 0) != 0;
	printf("%ld %.1f\n", refused, (us() - start) / (double)n);
	return 0;
}

static void bomb(char **w)
{
	int n = atoi(w[0]), i;

	for (i = 0; i < n; i++)
		if (fork() == 0)
			for (;; i++)
				call(w + 1, i, 0);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

/* The moment moves: before, in and after the round trip to the keeper */
static int killed(char **w)
{
	int n = atoi(w[0]), i, status, how = 0;
	volatile int spin;
	pid_t p;

	for (i = 0; i < n; i++) {
		if ((p = fork()) == 0)
			for (;;)
				call(w + 1, 0, 0);
		for (spin = 0; spin < i % 100 * 2000; spin++)
			;
		kill(p, i % 3 ? SIGKILL : SIGTERM);
		how += waitpid(p, &status, 0) == p && WIFSIGNALED(status);
	}
	printf("%d %ld\n", how, call(w + 1, 0, 0));
	return 0;
}

static int nested(void)
{
	struct sock_filter all = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };
	struct sock_fprog prog = { 1, &all };
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);

	printf("%d\n", fd < 0 ? -errno : 0);
	return 0;
}

int main(int argc, char **argv)
{
	char **w = argv + 2;

	if (argc < 2)
		return 2;
	if (!strcmp(argv[1], "nested"))
		return nested();
	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "loop") || !strcmp(argv[1], "vary"))
		return repeat(w, *argv[1] == 'v');
	if (!strcmp(argv[1], "bomb"))
		bomb(w);
	if (!strcmp(argv[1], "killed"))
		return killed(w);
	if (!strcmp(argv[1], "name"))
		prctl(PR_SET_NAME, *w++);
	printf("%ld\n", call(w, 0, !strcmp(argv[1], "ours") ? OURS : 0));
	return 0;
}
