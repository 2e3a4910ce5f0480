/*
 * crash.c - test: makes process 1 crash, by a fault of its own. (musl.)
 *
 *	crash stack	its stack has run over: the pointer to it is where nothing is mapped
 *	crash jump	it goes on where nothing is mapped
 *
 * It hears nothing of it before it has something to do.
 */
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

/* Where they are in what the kernel calls NT_PRSTATUS, and how much that is. */
#if defined __x86_64__
enum { PC = 16, SP = 19, REGISTERS = 27 };
#elif defined __i386__
enum { PC = 12, SP = 15, REGISTERS = 17 };
#elif defined __aarch64__
enum { PC = 32, SP = 31, REGISTERS = 34 };
#elif defined __arm__
enum { PC = 15, SP = 13, REGISTERS = 18 };
#endif

enum { NOWHERE = 16 };			/* below what anybody may map, and a stack may end there */

int main(int argc, char **argv)
{
	unsigned long regs[REGISTERS];
	struct iovec v = { regs, sizeof regs };

	if (argc != 2 || ptrace(PTRACE_SEIZE, 1, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, 1, 0, 0) < 0 || waitpid(1, NULL, __WALL) != 1 ||
	    ptrace(PTRACE_GETREGSET, 1, (void *)NT_PRSTATUS, &v) < 0 || v.iov_len != sizeof regs) {
		perror("@crash");
		return 1;
	}
	regs[strcmp(argv[1], "stack") ? PC : SP] = NOWHERE;
	if (ptrace(PTRACE_SETREGSET, 1, (void *)NT_PRSTATUS, &v) < 0 || ptrace(PTRACE_DETACH, 1, 0, 0) < 0)
		perror("@crash");
	return 0;
}
