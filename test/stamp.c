/*
 * stamp.c - when it began. With the path of a program it leaves that in /stamped and becomes it: the
 * exec of an init. Without, it says it and waits: the first program of that init.
 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec t;
	int fd = 1, init = argc > 1 && *argv[1] == '/';

	clock_gettime(CLOCK_BOOTTIME, &t);
	if (init)
		fd = open("/stamped", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	dprintf(fd, "@%s %lld\n", init ? "exec" : "first", t.tv_sec * 1000000000ll + t.tv_nsec);
	if (init)
		execv(argv[1], argv + 1);
	for (;;)
		pause();
}
