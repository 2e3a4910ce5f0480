/* sched.c - what is asked for; what was inherited went in caps_reset. */
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

/* The raw call: musl refuses, because it speaks of threads. */
static int policy(struct run *r)
{
	static const char names[][6] = { "other", "fifo", "rr", "batch", "iso", "idle" };
	int prio = r->box->sched_prio, p = (uint8_t)r->box->sched;

	if (r->box->sched == SCHED_UNSET || syscall(SYS_sched_setscheduler, 0, p, &prio) == 0)
		return 0;
	return fail(r, prio ? "%s:%d" : "%s", p < 6 ? names[p] : "sched", prio);
}

int caps_sched(struct run *r)
{
	const struct box *b = r->box;

	if (b->umask != 022)
		umask(b->umask);
	if (b->persona && personality(b->persona) < 0)
		return fail(r, "personality %x", b->persona);
	if (b->nice != UNSET && setpriority(PRIO_PROCESS, 0, b->nice) < 0)
		return fail(r, "nice=%d", b->nice);
	if (b->ioprio && syscall(SYS_ioprio_set, 1, 0, b->ioprio) < 0)
		return fail(r, "ionice");
	if (b->has_affinity && syscall(SYS_sched_setaffinity, 0, sizeof b->affinity, b->affinity) < 0)
		return fail(r, "affinity");	/* little-endian: words of 64 bits are words of 32 */
	return policy(r);
}
