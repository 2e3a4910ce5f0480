/*
 * pid1.c - the filter of the box's own PID 1, once it only reaps and forwards.
 *
 * Which calls it has stands in nr.sh, which puts one after the other. Refused calls
 * get EPERM: PID 1 must not die of a mistake of ours, since the box dies with it.
 *
 * The first load is of no use, but to the start: a program that looks at an
 * argument is not tried for each number when it is loaded (build.c says why it is).
 * That takes as long as it takes PID 1 to make thousands of calls, and it makes few.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "husk.h"
#include "nr.h"

#define LOAD(field)		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, field) },
#define JUMP(op, k, yes, no)	{ BPF_JMP | BPF_K | (op), yes, no, k },
#define RETURN(act)		{ BPF_RET | BPF_K, 0, 0, act },

static const struct sock_filter prog[] = {
	LOAD(args)
	LOAD(arch)
	JUMP(BPF_JEQ, NR_AUDIT, 0, NR_PID1_END + 3)
	LOAD(nr)
	NR_PID1
	RETURN(ACT_ERRNO | EPERM)
	RETURN(ACT_ALLOW)
	RETURN(ACT_KILL)
};

int filter_pid1(const struct sock_filter **to)
{
	*to = prog;
	return (int)(sizeof prog / sizeof *prog);
}
