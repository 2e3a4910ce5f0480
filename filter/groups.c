/*
 * groups.c - what groups of syscalls= allow by tests, and capabilities by classes.
 *
 * Data. The file all.groups says which class a call is of; a group is the classes
 * from one to another.
 */
#include <linux/capability.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "husk.h"
#include "nr.h"

/* What a group allows for some arguments only. A group only ever adds: who has
 * the call without limit by another one keeps it. */
const struct right filter_rights[] = {
	/* no new namespace: CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET; the flags are
	 * an unsigned long of which the kernel keeps the low word */
	{ 0x7e020000, N_clone, C_process, 0, TEST_EQ, 1 },
	/* nothing typed into a terminal that is not ours */
	{ ~0u, N_ioctl, C_io, 1, TEST_EQ | TEST_NOT, 2 },
	/* no device nodes: S_IFCHR is 2, S_IFBLK 6; of the other types the kernel makes
	 * files, fifos and sockets here, and refuses the rest itself */
	{ S_IFMT & ~(S_IFBLK ^ S_IFCHR), N_mknod, C_file, 1, TEST_EQ | TEST_NOT, 1 },
	{ S_IFMT & ~(S_IFBLK ^ S_IFCHR), N_mknodat, C_file, 2, TEST_EQ | TEST_NOT, 1 },
	/* ask, and go back to Linux; others switch protections off */
	{ ~0u, N_personality, C_process, 0, TEST_EQ, 2 },
	{ ~0u, N_socket, C_net, 0, TEST_EQ, 4 },
	{ ~0u, N_socketpair, C_net, 0, TEST_EQ, 4 },
	{ 0, 0, 0, 0, 0, 0 }
};

/* the values of their tests, one after the other */
const uint32_t filter_values[] = {
	0,
	TIOCSTI, TIOCLINUX,
	S_IFCHR & S_IFBLK,
	S_IFCHR & S_IFBLK,
	PER_LINUX, 0xffffffff,
	AF_UNIX, AF_INET, AF_INET6, AF_NETLINK,
	AF_UNIX, AF_INET, AF_INET6, AF_NETLINK,
};

/* Which calls a capability is for, as moby's default profile has it. */
const struct opens filter_opens[] = {
	{ CAP_SYS_ADMIN, C_mounts, C_log },
	{ CAP_DAC_READ_SEARCH, C_handle, C_handle },
	{ CAP_SYS_BOOT, C_reboot, C_reboot },
	{ CAP_SYS_CHROOT, C_chroot, C_chroot },
	{ CAP_SYS_MODULE, C_module, C_module },
	{ CAP_SYS_PACCT, C_account, C_account },
	{ CAP_SYS_PTRACE, C_trace, C_trace },
	{ CAP_SYS_RAWIO, C_ports, C_ports },
	{ CAP_SYS_TIME, C_clock, C_clock },
	{ CAP_SYS_TTY_CONFIG, C_hangup, C_hangup },
	{ CAP_SYS_NICE, C_numa, C_numa },
	{ CAP_SYSLOG, C_log, C_log },
	{ CAP_MKNOD, C_nodes, C_nodes },
	{ CAP_BPF, C_bpf, C_bpf },
	{ CAP_PERFMON, C_perf, C_perf },
	{ 0, 0, 0 }
};
