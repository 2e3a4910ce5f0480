/* sched.c - what is asked for; what was inherited went in caps_reset. */
#include <fcntl.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

#ifdef __x86_64__
bool caps_compat(int proc)
{
	return faccessat(proc, "sys/abi/vsyscall32", F_OK, 0) == 0;
}
#else
/* On ARM the CPU may lack it, too. A kernel for ARM without CONFIG_COMPAT does not say so here. */
bool caps_compat(int proc)
{
	int was = personality(0xffffffff);
	bool can = personality(PER_LINUX32) >= 0;

	(void)proc;
	(void)personality((unsigned long)was);
	return can;
}
#endif

int caps_sched(struct run *r)
{
	const struct box *b = r->box;
	int prio = b->sched_prio;
	const char *what = NULL;

	if (b->umask != 022)
		umask(b->umask);
	if (sizeof(long) == 8 && b->abi != ABI_NATIVE && !caps_compat(r->proc))
		return fail_not(r, "abi: no 32-bit programs on this machine: CONFIG_IA32_EMULATION or CONFIG_COMPAT");
	if (b->persona && personality(b->persona) < 0)
		what = "personality";
	else if (b->nice != UNSET && setpriority(PRIO_PROCESS, 0, b->nice) < 0)
		what = "nice";
	else if (b->ioprio && syscall(SYS_ioprio_set, 1, 0, b->ioprio) < 0)
		what = "ionice";
	else if (b->has_affinity && syscall(SYS_sched_setaffinity, 0, sizeof b->affinity, b->affinity) < 0)
		what = "affinity";	/* little-endian: words of 64 bits are words of 32 */
	if (what)
		return fail(r, "%s", what);
	/* the raw call: musl refuses, because it speaks of threads */
	if (b->sched == SCHED_UNSET || syscall(SYS_sched_setscheduler, 0, b->sched, &prio) == 0)
		return 0;
	return fail(r, "%s%s", cfg_nth(POLICIES, b->sched), prio ? fmts(":%d", prio) : "");
}
