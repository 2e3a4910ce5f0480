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
enum { FORK, TTY = FORK + 1, MODE1 = TTY + 2, MODE2, PERSONALITY, FAMILY = PERSONALITY + 2 };

const struct right filter_rights[] = {
	{ N_clone, C_process, FORK },
	{ N_ioctl, C_io, TTY },
	{ N_mknod, C_file, MODE1 },
	{ N_mknodat, C_file, MODE2 },
	{ N_personality, C_process, PERSONALITY },
	{ N_socket, C_net, FAMILY },
	{ N_socketpair, C_net, FAMILY },
	{ 0, 0, 0 }
};

/* no device nodes: S_IFCHR is 2, S_IFBLK 6; of the other types the kernel makes
 * files, fifos and sockets here, and refuses the rest itself */
#define NODES	S_IFMT & ~(S_IFBLK ^ S_IFCHR), S_IFCHR & S_IFBLK

const struct narrow filter_tested[] = {
	/* no new namespace: CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET; the flags are
	 * an unsigned long of which the kernel keeps the low word */
	[FORK] = { 0x7e020000, 0, 0, TEST_EQ | TEST_END },
	/* nothing typed into a terminal that is not ours */
	[TTY] = { 0xffffffff, TIOCSTI, 1, TEST_EQ | TEST_NOT },
	{ 0xffffffff, TIOCLINUX, 1, TEST_EQ | TEST_NOT | TEST_END },
	[MODE1] = { NODES, 1, TEST_EQ | TEST_NOT | TEST_END },
	[MODE2] = { NODES, 2, TEST_EQ | TEST_NOT | TEST_END },
	/* ask, and go back to Linux; others switch protections off */
	[PERSONALITY] = { 0xffffffff, PER_LINUX, 0, TEST_EQ | TEST_OR },
	{ 0xffffffff, 0xffffffff, 0, TEST_EQ | TEST_END },
	[FAMILY] = { 0xffffffff, AF_UNIX, 0, TEST_EQ | TEST_OR },
	{ 0xffffffff, AF_INET, 0, TEST_EQ | TEST_OR },
	{ 0xffffffff, AF_INET6, 0, TEST_EQ | TEST_OR },
	{ 0xffffffff, AF_NETLINK, 0, TEST_EQ },
	{ 0xf, SOCK_PACKET, 1, TEST_EQ | TEST_NOT | TEST_END },	/* of AF_INET that is AF_PACKET */
};

/* What a group means by some arguments alone, as words: refused by -@GROUP, and the
 * rest of the call is as it was. A 6 or 3 before a word: on 64, on 32 bits only; a -: the
 * group refuses it, but never opens it, since it is much more than what the group is.
 *
 * namespace: the flags of FORK. wx: memory of no file that is shared may be executed in one
 * process and, by mprotect, written in its child; the old mmap of i386 has its arguments in memory,
 * ipc() with 21 is shmat(), and a memfd is written and then mapped to be run, also with
 * MFD_NOEXEC_SEAL; a personality may add PROT_EXEC to all that is read; userfaultfd and
 * ptrace, with PTRACE_POKETEXT and PTRACE_POKEDATA, fill pages that are not writable.
 * suid: 020000000 is what O_TMPFILE is with O_DIRECTORY, whose value differs; the mode
 * of openat2 is in memory, and io_uring opens without asking. realtime: sched_setattr
 * has its policy in memory. Where the C library has another way it finds that by ENOSYS. */
const char filter_sets[] =
	"clone(arg0&0x7e020000!=0)\0"
	"6=mmap(arg2&PROT_WRITE!=0,arg2&PROT_EXEC!=0) 6=mmap(arg2&PROT_EXEC!=0,arg3&MAP_ANONYMOUS!=0) "
	"=mmap2(arg2&PROT_WRITE!=0,arg2&PROT_EXEC!=0) =mmap2(arg2&PROT_EXEC!=0,arg3&MAP_ANONYMOUS!=0) 3=mmap "
	"mprotect(arg2&PROT_EXEC!=0) pkey_mprotect(arg2&PROT_EXEC!=0) shmat(arg2&SHM_EXEC!=0) ipc(arg0&0xffff==21) "
	"memfd_create:ENOSYS memfd_secret:ENOSYS personality(arg0!=0xffffffff,arg0&READ_IMPLIES_EXEC!=0) "
	"-userfaultfd -ptrace(arg0==4|5)\0"
	"chmod(arg1&06000!=0) fchmod(arg1&06000!=0) fchmodat(arg2&06000!=0) mkdir(arg1&06000!=0) "
	"mkdirat(arg2&06000!=0) mknod(arg1&06000!=0) mknodat(arg2&06000!=0) creat(arg1&06000!=0) "
	"open(arg1&O_CREAT+020000000!=0,arg2&06000!=0) openat(arg2&O_CREAT+020000000!=0,arg3&06000!=0) "
	"openat2:ENOSYS -io_uring_setup:ENOSYS\0"
	"sched_setscheduler(arg1&~SCHED_RESET_ON_FORK!=SCHED_OTHER|SCHED_BATCH|SCHED_IDLE) sched_setattr:ENOSYS\0";

const uint8_t filter_set_classes[] = { C_namespace, C_wx, C_suid, C_realtime, 0 };

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
