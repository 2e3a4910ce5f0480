/*
 * times.c - calls that a 32-bit machine has twice, made by a C library that takes the
 * newer ones; and numbers that need two of its arguments.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	const long long far = 5000000000;
	struct timespec t[2] = { { .tv_sec = far }, { .tv_sec = far } }, brief = { 0, 1000 };
	int fd = open("times", O_RDWR | O_CREAT, 0600);
	struct stat st;
	char c = 0;

	if (fd < 0 || ftruncate(fd, far) < 0 || pwrite(fd, "x", 1, far) != 1 || pread(fd, &c, 1, far) != 1 || futimens(fd, t) < 0 || fstat(fd, &st) < 0)
		return 1;
	if (nanosleep(&brief, NULL) < 0 || ppoll(NULL, 0, &brief, NULL) < 0 || clock_getres(CLOCK_MONOTONIC, &brief) < 0)
		return 1;
	printf("%lld %lld %c\n", (long long)st.st_size, (long long)st.st_mtime, c);
	return 0;
}
