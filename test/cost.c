/*
 * cost.c - what calls cost under a filter, in the guest of test/bench.py: one
 * that every filter allows by its number, and one that asks for an argument.
 *
 *	cost N		prints "NAME NS" for each: the mean of N calls, the least of 20
 *
 * The least, because the clock ticks in some of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long mean(long nr, unsigned long arg, int n)
{
	long long from = now();
	int i;

	for (i = 0; i < n; i++)
		syscall(nr, arg);
	return (now() - from + n / 2) / n;
}

static void cost(const char *name, long nr, unsigned long arg, int n)
{
	long long least = mean(nr, arg, n), t;
	int i;

	for (i = 1; i < 20; i++)
		if ((t = mean(nr, arg, n)) < least)
			least = t;
	printf("%s %lld\n", name, least);
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000;

	if (n < 1)
		return 2;
	cost("getppid", SYS_getppid, 0, n);
	cost("personality", SYS_personality, 0xffffffff, n);
	return 0;
}
