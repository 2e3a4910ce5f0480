/*
 * bench.c - times starts, in the guest of test/bench.py.
 *
 *	bench NAME N COMMAND ...	N starts, each after 100 ms of rest
 *
 * Prints "NAME median min max" in ns, from before the fork to after the
 * wait: what a caller waits for. The rest lets what the kernel puts off (the
 * end of a network namespace, RCU) be over before the next start.
 * A command that does not exit with 0 is no measurement: "NAME failed STATUS".
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int order(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

/* ns of one start; its status, if that is not 0, goes below */
static long long start(char **argv)
{
	long long from = now();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	if (status)
		return -2 - status;
	return now() - from;
}

int main(int argc, char **argv)
{
	static const struct timespec rest = { .tv_nsec = 100000000 };
	static long long t[1000];
	int i, n = argc > 3 ? atoi(argv[2]) : 0;

	if (n < 1 || n > 1000)
		return 2;
	for (i = 0; i < n; i++) {
		nanosleep(&rest, NULL);
		t[i] = start(argv + 3);
		if (t[i] < 0) {
			printf("%s failed %lld\n", argv[1], -2 - t[i]);
			return 1;
		}
	}
	qsort(t, n, sizeof *t, order);
	printf("%s %lld %lld %lld\n", argv[1], t[n / 2], t[0], t[n - 1]);
	return 0;
}
