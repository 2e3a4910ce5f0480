/* load.c - the filter goes into the kernel, as the last thing before execve. */
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

/* no_new_privs is set by then. SECCOMP_FILTER_FLAG_SPEC_ALLOW would switch off
 * a mitigation, TSYNC has nobody to reach. A kernel before 4.14 takes
 * KILL_PROCESS for what it knows, the death of the thread: nothing to do here. */
int filter_plain(struct run *r)
{
	const struct box *b = r->box;
	struct sock_fprog prog = { b->nbpf, (struct sock_filter *)(uintptr_t)b->bpf };

	if (!b->nbpf)
		return 0;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0)
		return 0;
	if (errno == ENOSYS && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0)
		return 0;
	if (errno == EINVAL || errno == ENOSYS)
		return fail(r, "seccomp filter: the kernel needs CONFIG_SECCOMP_FILTER");
	return fail(r, "seccomp filter of %u instructions", (unsigned)b->nbpf);
}

int filter_load(struct run *r)
{
	return HAS(learn) && filter_watched(r) ? filter_watch(r) : filter_plain(r);
}
