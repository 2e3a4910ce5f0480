/*
 * halted.c - halts process 1 for good, as a debugger does: it runs nothing any more,
 * hears no signal, and is not dead. Nor does it print what others say: this one does so
 * by itself.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int console = open("/dev/console", O_WRONLY | O_NOCTTY);

	if (ptrace(PTRACE_SEIZE, 1, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, 1, 0, 0) < 0 || waitpid(1, NULL, __WALL) != 1) {
		perror("@halted");
		return 1;
	}
	dprintf(console, "@halted\n");
	for (;;)
		pause();
}
