/*
 * stamp.c - when it began. With arguments it leaves that in /stamped and becomes them: the
 * exec of an init. Without, it says it and waits: the first program of that init.
 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec t;
	int fd = 1;

	clock_gettime(CLOCK_BOOTTIME, &t);
	if (argc > 1)
		fd = open("/stamped", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	dprintf(fd, "@%s %lld\n", argc > 1 ? "exec" : "first", t.tv_sec * 1000000000ll + t.tv_nsec);
	if (argc > 1)
		execv(argv[1], argv + 1);
	for (;;)
		pause();
}
