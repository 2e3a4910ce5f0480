/* forget.c - what was only needed to make a box is given back when it runs:
 * its configuration, the compiler's tables, and the code itself,
 * which comes back from the page cache where it is called again. A keeper and
 * a PID 1 wait for years; they hold what waiting takes. */
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "husk.h"

/* The linker sorts sections by name (--sort-section=name): first .bss, where all
 * of ours lies that is not marked STAYS, then this page, then .bss.0b with what
 * is, then musl's. */
static char fence[1] __attribute__((section(".bss.0a"), aligned(4096), used));
extern const char __ehdr_start __attribute__((visibility("hidden")));	/* the linker's, as */
extern const char __bss_start __attribute__((visibility("hidden")));

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
	uintptr_t start = (uintptr_t)&__ehdr_start;
	const ElfW(Phdr) *code = (const void *)getauxval(AT_PHDR);

	drop((uintptr_t)&__bss_start, (uintptr_t)fence);
	for (; code->p_type != PT_LOAD; code++)
		;
	drop(start, start + code->p_memsz);
}
