/*
 * asks.c - makes the calls of a file, each in a child, and says what came of it. (-static.)
 *
 *	asks FILE	lines of NUMBER ARG ...; prints "@ask LINE RESULT" for each: ok, an errno, or "signal N"
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *answer(char *p)
{
	static char text[32];
	unsigned long a[7] = { 0 };
	int i, status;
	pid_t pid;
	char *end;

	for (i = 0; i < 7; i++, p = end) {
		a[i] = (unsigned long)strtoull(p, &end, 0);
		if (end == p)
			break;
	}
	if ((pid = fork()) == 0) {
		errno = 0;
		if (syscall((long)a[0], a[1], a[2], a[3], a[4], a[5], a[6]) >= 0)
			errno = 0;
		_exit(errno < 200 ? errno : 200);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return "lost";
	snprintf(text, sizeof text, "signal %d", WTERMSIG(status));
	if (WIFEXITED(status))
		snprintf(text, sizeof text, WEXITSTATUS(status) ? "%d" : "ok", WEXITSTATUS(status));
	return text;
}

int main(int argc, char **argv)
{
	FILE *f = fopen(argc > 1 ? argv[1] : "", "re");
	char line[256];

	if (!f)
		return 1;
	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		printf("@ask %s", line);
		fflush(stdout);
		printf(": %s\n", answer(line));
	}
	printf("@ask end\n");
	return 0;
}
