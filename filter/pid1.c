/* pid1.c - the filter of the box's own PID 1, once it only reaps and forwards. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "husk.h"
#include "nr.h"

/* What init/pid1.c calls after init_filter, and nothing else: wait for signals
 * and children, pass signals on, tell the keeper, end. The first ones are the
 * ones that it makes most. */
static const uint16_t calls[] = {
	N_rt_sigtimedwait, N_rt_sigtimedwait_time64, N_waitid, N_kill, N_write, N_pread64, N_poll, N_ppoll,
	N_ppoll_time64, N_close, N_madvise, N_rt_sigreturn, N_restart_syscall, N_exit, N_exit_group
};

enum { NCALLS = sizeof calls / sizeof *calls };

static struct sock_filter prog[NCALLS + 5];

/* Refused calls get EPERM: PID 1 must not die of a mistake of ours, since the
 * box dies with it. */
int filter_pid1(const struct sock_filter **to)
{
	int i;

	prog[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	prog[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, filter_arch.audit, 0, NCALLS + 1);
	prog[2] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (i = 0; i < NCALLS; i++)
		prog[3 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i],
			(uint8_t)(NCALLS - i), 0);
	prog[3 + i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ACT_ERRNO | EPERM);
	prog[4 + i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ACT_ALLOW);
	*to = prog;
	return NCALLS + 5;
}
