/* forget.c - what was only needed to make a box is given back when it runs:
 * its configuration, the compiler's tables, and the code itself,
 * which comes back from the page cache where it is called again. A keeper and
 * a PID 1 wait for years; they hold what waiting takes. */
#include <sys/mman.h>

#include "husk.h"

#define LINKER	__attribute__((visibility("hidden")))	/* husk.ld says where */
extern const char waits_end[] LINKER, code_end[] LINKER, bss_start[] LINKER, bss_end[] LINKER;

enum { PAGE = 4096 };

static void drop(uintptr_t from, uintptr_t to)
{
	from = (from + PAGE - 1) & -(uintptr_t)PAGE;
	to &= -(uintptr_t)PAGE;
	if (from < to)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
}

void forget(void)
{
	drop((uintptr_t)bss_start, (uintptr_t)bss_end);
	drop((uintptr_t)waits_end, (uintptr_t)code_end + PAGE - 1);	/* to the end of its last page, where nothing else is */
}
