/* pid1.c - the filter of the box's own PID 1, once it only reaps and forwards. */
#include "husk.h"
#include "nr.h"

/* What init/pid1.c calls after init_filter, and nothing else: wait for signals
 * and children, pass signals on, tell the keeper, end. Refused calls get EPERM:
 * PID 1 must not die of a mistake of ours, since the box dies with it. */
static const uint16_t calls[] = {
	N_rt_sigtimedwait, N_rt_sigtimedwait_time64, N_waitid, N_kill, N_write, N_pread64, N_poll, N_ppoll,
	N_ppoll_time64, N_close, N_madvise, N_rt_sigreturn, N_restart_syscall, N_exit, N_exit_group
};

enum { NCALLS = sizeof calls / sizeof *calls, MAX = 4 * NCALLS };

int filter_pid1(const struct sock_filter **to)
{
	static struct sock_filter prog[MAX];

	*to = prog;
	return (int)filter_only(prog, MAX, calls, NCALLS);
}
