/*
 * abi.c - which ABIs a program may speak, on x86. Built for both: with -m64 and for
 * i386. (-static, musl.)
 *
 *	uname		machine and the size of a long
 *	native NR	a call of its own ABI: its result, or -errno
 *	int80 NR [SIXTH]	the call by int 0x80, which is i386's wherever it is made
 *	long NR		from 32 bits: a far jump into 64, and that call there
 *	exec PATH	becomes that program
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static long own(long nr)
{
	long r = syscall(nr, 0x26, 5, 0);

	return r < 0 ? -errno : r;
}

#ifdef __i386__
#define SIXTH	"xchgl %%ebp, %%esi\n\t"
#else
#define SIXTH	"xchgq %%rbp, %%rsi\n\t"
#endif

static long int80(long nr, long sixth)
{
	int r;

	__asm__ volatile(SIXTH "int $0x80\n\t" SIXTH : "=a"(r), "+S"(sixth) : "a"(nr), "b"(0x26), "c"(5), "d"(0) : "memory");
	return r;
}

#ifdef __i386__
static long wide(long nr)
{
	long r;

	__asm__ volatile("pushl $0x33\n\tcall 1f\n1:\taddl $(2f - 1b), (%%esp)\n\tlret\n2:\t.code64\n\t"
		"syscall\n\tcall 3f\n3:\tmovl $0x23, 4(%%rsp)\n\taddl $(4f - 3b), (%%rsp)\n\tlret\n4:\t.code32"
		: "=a"(r) : "a"(nr), "D"(0x26), "S"(5), "d"(0) : "ecx", "memory", "cc");
	return r;
}
#else
static long wide(long nr)
{
	return own(nr);
}
#endif

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	long nr = argc > 2 ? strtol(argv[2], NULL, 0) : 0;
	struct utsname u;

	if (strcmp(what, "exec") == 0) {
		execv(argv[2], argv + 2);
		return errno;
	}
	if (strcmp(what, "uname") == 0) {
		uname(&u);
		printf("%s %d\n", u.machine, (int)sizeof(long));
		return 0;
	}
	printf("%ld\n", strcmp(what, "int80") == 0 ? int80(nr, argc > 3 ? strtol(argv[3], NULL, 0) : 0) : strcmp(what, "long") == 0 ? wide(nr) : own(nr));
	return 0;
}
