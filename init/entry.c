/*
 * entry.c - from the kernel to main(), instead of the C library's own start.
 *
 * arch/NAME.S calls entry() with the stack as the kernel made it. There is nothing
 * to relocate: husk.ld allows no pointer in a table. There is no thread pointer,
 * no lock, no buffer of stdio, no constructor: nothing of musl that needs one is
 * linked, and husk.ld sees to that, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "husk.h"

int main(int argc, char **argv);

char **environ STAYS;
int last_errno STAYS __attribute__((used));
uintptr_t __stack_chk_guard STAYS __attribute__((used));
static const unsigned long *aux STAYS;
static char *words STAYS;		/* argv[0] and what follows it, to the environment */
static size_t nwords STAYS;
static char **args STAYS;

/* A call is half as long as the address. */
__attribute__((noinline)) int *__errno_location(void)
{
	return &last_errno;
}

int *___errno_location(void) __attribute__((const, alias("__errno_location"), used));	/* musl's own name for it */

unsigned long getauxval(unsigned long what)
{
	const unsigned long *a;

	for (a = aux; a[0]; a += 2)
		if (a[0] == what)
			return a[1];
	return 0;
}

/* What was written over is what the next step would go by: no word, no clean-up. */
void __stack_chk_fail(void)
{
	__builtin_trap();
}

void __stack_chk_fail_local(void) __attribute__((used, noreturn, alias("__stack_chk_fail")));	/* on i386 */

char *const *entry_words(void)
{
	return args;
}

/* /proc/1/cmdline is for everybody to read, and the words of husk's caller are
 * nobody's business inside. */
void entry_hide(void)
{
	memset(words, 0, nwords);
	if (nwords)
		copy(words, nwords, "husk");
}

void entry(long *stack)
{
	const void *secret;
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1), **end;

	args = argv;
	environ = end = argv + argc + 1;
	if (argc) {
		words = argv[0];
		nwords = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - words);
	}
	while (*end++)
		;
	aux = (unsigned long *)end;
	if (!(secret = (const void *)getauxval(AT_RANDOM)))
		__builtin_trap();
	memcpy(&__stack_chk_guard, secret, sizeof __stack_chk_guard);
	_exit(main(argc, argv));
}
