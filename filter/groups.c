/*
 * groups.c - what the groups of syscalls= hold, and what capabilities open.
 *
 * Data. N_name is the slot of a call and the comma behind it, or nothing where
 * the target does not have the call (nr.h): so a list names the calls of all
 * architectures and costs two bytes for each that is there. Names are exact
 * here: twins (stat64, clock_gettime64, ...) are written out.
 * Every call stands in one of the plain groups; test/filter_test.c counts them.
 *
 * G(x) is all of another group. T(n) is the n-th of texts[], a word of syscalls=
 * with argument tests. A group only ever adds.
 */
#include <linux/capability.h>
#include <string.h>

#include "husk.h"
#include "nr.h"

#define G(g)	(L_GROUP | (g)),
#define T(t)	(L_TEXT | (t)),
#define END	L_END,

enum { BASIC, SIGNAL, THREAD, IO, FILES, NET, PROCESS, IDS, TIME, IPC, SANDBOX, SERVICE,
       MOUNT, NAMESPACE, CLOCK, MODULE, REBOOT, SWAP, RAW, TRACE, KEYRING, URING, NUMA,
       HANDLE, KERNEL, MULTIPLEX, OBSOLETE, PRIVILEGED, ALL };

static const char names[] =
	"basic\0signal\0thread\0io\0file\0net\0process\0ids\0time\0ipc\0sandbox\0service\0"
	"mount\0namespace\0clock\0module\0reboot\0swap\0raw\0trace\0keyring\0uring\0numa\0"
	"handle\0kernel\0multiplex\0obsolete\0privileged\0all\0";

enum { CLONE_TEXT, IOCTL_TEXT, MKNOD_TEXT, MKNODAT_TEXT, PERSONALITY_TEXT, SOCKET_TEXT,
       SOCKETPAIR_TEXT };

static const char texts[] =
	/* no new namespace: CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET; the flags are
	 * an unsigned long of which the kernel keeps the low word */
	"clone(arg0&0x7e020000==0)\0"
	/* nothing typed into a terminal that is not ours */
	"ioctl(arg1!=TIOCSTI|TIOCLINUX)\0"
	/* no device nodes; a type of 0 is a regular file */
	"mknod(arg1&S_IFMT==0|S_IFREG|S_IFIFO|S_IFSOCK)\0"
	"mknodat(arg2&S_IFMT==0|S_IFREG|S_IFIFO|S_IFSOCK)\0"
	/* ask, and go back to Linux; others switch protections off */
	"personality(arg0==PER_LINUX|0xffffffff)\0"
	"socket(arg0==AF_UNIX|AF_INET|AF_INET6|AF_NETLINK)\0"
	"socketpair(arg0==AF_UNIX|AF_INET|AF_INET6|AF_NETLINK)\0";

static const uint16_t lists[] = {
/* @basic: what the start-up code of any libc and any program does: memory, who
 * am I, execute another program, end */
	N_brk N_mmap N_mmap2 N_munmap N_mprotect N_mremap N_madvise N_mincore N_msync
	N_mlock N_mlock2 N_mlockall N_munlock N_munlockall N_remap_file_pages
	N_pkey_alloc N_pkey_free N_pkey_mprotect
	N_execve N_execveat N_exit N_exit_group N_restart_syscall
	N_getpid N_getppid N_gettid N_getpgid N_getpgrp N_getsid
	N_getuid N_getuid32 N_geteuid N_geteuid32 N_getgid N_getgid32 N_getegid N_getegid32
	N_getresuid N_getresuid32 N_getresgid N_getresgid32 N_getgroups N_getgroups32
	N_capget N_getrlimit N_ugetrlimit N_prlimit64 N_getrusage N_sysinfo
	N_uname N_olduname N_oldolduname N_getrandom N_getcpu
	N_arch_prctl N_set_thread_area N_get_thread_area N_set_tls N_get_tls
	N_set_tid_address N_cacheflush N_breakpoint
	END
/* @signal: handlers, masks, waiting for signals */
	N_rt_sigaction N_rt_sigprocmask N_rt_sigpending N_rt_sigreturn N_rt_sigsuspend
	N_rt_sigtimedwait N_rt_sigtimedwait_time64 N_rt_sigqueueinfo N_rt_tgsigqueueinfo
	N_sigaction N_sigprocmask N_sigpending N_sigreturn N_sigsuspend N_signal
	N_sgetmask N_ssetmask N_sigaltstack N_signalfd N_signalfd4 N_pause
	N_kill N_tkill N_tgkill N_pidfd_send_signal
	END
/* @thread: locks, and which CPU when */
	N_futex N_futex_time64 N_futex_waitv N_set_robust_list N_get_robust_list N_rseq
	N_membarrier N_sched_yield N_sched_getaffinity N_sched_setaffinity
	END
/* @io: with descriptors that are already open, and waiting for them */
	N_read N_readv N_pread64 N_preadv N_preadv2 N_write N_writev N_pwrite64 N_pwritev
	N_pwritev2 N_lseek N__llseek N_close N_close_range N_dup N_dup2 N_dup3
	N_fcntl N_fcntl64 T(IOCTL_TEXT) N_pipe N_pipe2 N_flock
	N_poll N_ppoll N_ppoll_time64 N_select N__newselect N_pselect6 N_pselect6_time64
	N_epoll_create N_epoll_create1 N_epoll_ctl N_epoll_wait N_epoll_pwait N_epoll_pwait2
	N_eventfd N_eventfd2 N_sendfile N_sendfile64 N_splice N_tee N_vmsplice
	N_copy_file_range N_fsync N_fdatasync N_readahead
	N_sync_file_range N_sync_file_range2 N_arm_sync_file_range
	N_fadvise64 N_fadvise64_64 N_arm_fadvise64_64 N_fallocate N_ftruncate N_ftruncate64
	N_io_setup N_io_submit N_io_cancel N_io_destroy N_io_getevents N_io_pgetevents
	N_io_pgetevents_time64
	END
/* @file: by path, and all that is known or changed about a file */
	N_open N_openat N_openat2 N_creat N_access N_faccessat N_faccessat2
	N_stat N_stat64 N_lstat N_lstat64 N_fstat N_fstat64 N_newfstatat N_fstatat64 N_statx
	N_oldstat N_oldlstat N_oldfstat N_statfs N_statfs64 N_fstatfs N_fstatfs64
	N_getdents N_getdents64 N_readlink N_readlinkat N_getcwd N_chdir N_fchdir N_umask
	N_mkdir N_mkdirat N_rmdir N_link N_linkat N_symlink N_symlinkat N_unlink N_unlinkat
	N_rename N_renameat N_renameat2 T(MKNOD_TEXT) T(MKNODAT_TEXT)
	N_chmod N_fchmod N_fchmodat N_chown N_chown32 N_fchown N_fchown32 N_lchown N_lchown32
	N_fchownat N_truncate N_truncate64 N_utime N_utimes N_futimesat N_utimensat
	N_utimensat_time64 N_sync N_syncfs
	N_getxattr N_lgetxattr N_fgetxattr N_setxattr N_lsetxattr N_fsetxattr N_listxattr
	N_llistxattr N_flistxattr N_removexattr N_lremovexattr N_fremovexattr
	N_inotify_init N_inotify_init1 N_inotify_add_watch N_inotify_rm_watch
	END
/* @net: sockets of the four ordinary families */
	T(SOCKET_TEXT) T(SOCKETPAIR_TEXT) N_bind N_connect N_listen N_accept N_accept4
	N_getsockname N_getpeername N_getsockopt N_setsockopt N_shutdown
	N_send N_sendto N_sendmsg N_sendmmsg N_recv N_recvfrom N_recvmsg N_recvmmsg
	N_recvmmsg_time64
	END
/* @process: make others, wait for them, and how they are run */
	N_fork N_vfork T(CLONE_TEXT) N_waitpid N_wait4 N_waitid N_setpgid N_setsid N_prctl
	N_nice N_getpriority N_setpriority N_setrlimit N_ioprio_get N_ioprio_set
	N_sched_getattr N_sched_setattr N_sched_getparam N_sched_setparam
	N_sched_getscheduler N_sched_setscheduler N_sched_get_priority_max
	N_sched_get_priority_min N_sched_rr_get_interval N_sched_rr_get_interval_time64
	N_pidfd_open N_process_mrelease T(PERSONALITY_TEXT)
	END
/* @ids: become another user; the kernel itself asks for the capability */
	N_setuid N_setuid32 N_setgid N_setgid32 N_setreuid N_setreuid32 N_setregid
	N_setregid32 N_setresuid N_setresuid32 N_setresgid N_setresgid32
	N_setgroups N_setgroups32 N_setfsuid N_setfsuid32 N_setfsgid N_setfsgid32 N_capset
	END
/* @time: read clocks, sleep, timers */
	N_time N_times N_gettimeofday N_clock_gettime N_clock_gettime64 N_clock_getres
	N_clock_getres_time64 N_clock_nanosleep N_clock_nanosleep_time64 N_nanosleep
	N_alarm N_getitimer N_setitimer N_timer_create N_timer_delete N_timer_getoverrun
	N_timer_gettime N_timer_gettime64 N_timer_settime N_timer_settime64
	N_timerfd_create N_timerfd_gettime N_timerfd_gettime64 N_timerfd_settime
	N_timerfd_settime64 N_adjtimex N_clock_adjtime N_clock_adjtime64
	END
/* @ipc: System V, message queues, memory without a name */
	N_shmget N_shmat N_shmdt N_shmctl N_semget N_semop N_semctl N_semtimedop
	N_semtimedop_time64 N_msgget N_msgsnd N_msgrcv N_msgctl
	N_mq_open N_mq_unlink N_mq_notify N_mq_getsetattr N_mq_timedsend
	N_mq_timedsend_time64 N_mq_timedreceive N_mq_timedreceive_time64
	N_memfd_create N_memfd_secret
	END
/* @sandbox: a program may lock itself in further */
	N_seccomp N_landlock_create_ruleset N_landlock_add_rule N_landlock_restrict_self
	END
/* @service: the default. Runs ordinary programs of musl, glibc, Go, Rust, python;
 * sees no way to new namespaces, mounts, other processes' memory, keys, devices,
 * or kernel parts that programs rarely need and exploits often do. */
	G(BASIC) G(SIGNAL) G(THREAD) G(IO) G(FILES) G(NET) G(PROCESS) G(IDS) G(TIME) G(IPC)
	G(SANDBOX)
	END
/* @mount: file systems and roots */
	N_mount N_umount N_umount2 N_pivot_root N_chroot N_open_tree N_move_mount N_fsopen
	N_fsconfig N_fsmount N_fspick N_mount_setattr
	END
/* @namespace: make and enter namespaces, with any flag of clone */
	N_unshare N_setns N_clone N_clone3
	END
/* @clock: set the clock of the machine */
	N_settimeofday N_stime N_clock_settime N_clock_settime64
	END
/* @module: kernel modules */
	N_init_module N_finit_module N_delete_module
	END
/* @reboot: this kernel or another one */
	N_reboot N_kexec_load N_kexec_file_load
	END
/* @swap */
	N_swapon N_swapoff
	END
/* @raw: ports, devices, segments of the processor */
	N_iopl N_ioperm N_modify_ldt N_vm86 N_vm86old N_mknod N_mknodat
	N_pciconfig_iobase N_pciconfig_read N_pciconfig_write
	END
/* @trace: look into other processes */
	N_ptrace N_process_vm_readv N_process_vm_writev N_process_madvise N_kcmp N_pidfd_getfd
	N_userfaultfd
	END
/* @keyring: the kernel's store of keys knows no namespaces */
	N_add_key N_request_key N_keyctl
	END
/* @uring: its work is done without asking this filter; denied it is not there */
	N_io_uring_setup N_io_uring_enter N_io_uring_register
	END
/* @numa: memory policy */
	N_mbind N_get_mempolicy N_set_mempolicy N_set_mempolicy_home_node N_migrate_pages
	N_move_pages
	END
/* @handle: files by handle, around all paths */
	N_name_to_handle_at N_open_by_handle_at
	END
/* @kernel: settings and statistics of the whole machine */
	N_bpf N_perf_event_open N_syslog N_quotactl N_quotactl_fd N_acct N_fanotify_init
	N_fanotify_mark N_lookup_dcookie N_vhangup N_sethostname N_setdomainname
	N_personality
	END
/* @multiplex: of old C libraries on i386: @net and @ipc through one call each,
 * whose arguments no filter can see */
	N_socketcall N_ipc
	END
/* @obsolete: gone from the kernel, or without a user for decades */
	N__sysctl N_readdir N_sysfs N_uselib N_usr26 N_usr32 N_ustat
	END
/* @privileged: what a capability of root is for */
	G(MOUNT) G(NAMESPACE) G(CLOCK) G(MODULE) G(REBOOT) G(SWAP) G(RAW) G(TRACE) G(NUMA)
	G(HANDLE) G(KERNEL)
	END
/* @all: every call of this list that the target has */
	G(SERVICE) G(PRIVILEGED) G(KEYRING) G(URING) G(MULTIPLEX) G(OBSOLETE)
	N_ioctl N_socket N_socketpair
	END
};

/* Which calls a capability is for, as moby's default profile has it. Behind
 * CAP(n) what it opens, up to the next. */
#define CAP(c)	(L_GROUP | (c)),
static const uint16_t caplists[] = {
	CAP(CAP_SYS_ADMIN)
	N_bpf N_clone N_clone3 N_fanotify_init N_fanotify_mark N_fsconfig N_fsmount N_fsopen
	N_fspick N_lookup_dcookie N_mount N_mount_setattr N_move_mount N_open_tree
	N_perf_event_open N_quotactl N_quotactl_fd N_setdomainname N_sethostname N_setns
	N_syslog N_umount N_umount2 N_unshare END
	CAP(CAP_DAC_READ_SEARCH) N_open_by_handle_at N_name_to_handle_at END
	CAP(CAP_SYS_BOOT) N_reboot END
	CAP(CAP_SYS_CHROOT) N_chroot END
	CAP(CAP_SYS_MODULE) N_init_module N_finit_module N_delete_module END
	CAP(CAP_SYS_PACCT) N_acct END
	CAP(CAP_SYS_PTRACE) N_ptrace N_process_vm_readv N_process_vm_writev N_process_madvise
	N_kcmp N_pidfd_getfd END
	CAP(CAP_SYS_RAWIO) N_iopl N_ioperm END
	CAP(CAP_SYS_TIME) N_settimeofday N_stime N_clock_settime N_clock_settime64 END
	CAP(CAP_SYS_TTY_CONFIG) N_vhangup END
	CAP(CAP_SYS_NICE) N_mbind N_get_mempolicy N_set_mempolicy N_set_mempolicy_home_node END
	CAP(CAP_SYSLOG) N_syslog END
	CAP(CAP_MKNOD) N_mknod N_mknodat END
	CAP(CAP_BPF) N_bpf END
	CAP(CAP_PERFMON) N_perf_event_open END
	L_END
};

const char *filter_groupname(int n)
{
	const char *p = names;

	while (*p && n-- > 0)
		p += strlen(p) + 1;
	return *p ? p : NULL;
}

const uint16_t *filter_group(const char *name, size_t len)
{
	const uint16_t *list = lists;
	const char *p;

	for (p = names; *p; p += strlen(p) + 1) {
		if (strlen(p) == len && memcmp(p, name, len) == 0)
			return list;
		while (*list++ != L_END)
			;
	}
	return NULL;
}

const uint16_t *filter_caplist(int cap)
{
	const uint16_t *list = caplists;

	while (*list != L_END) {
		if (*list++ == (L_GROUP | cap))
			return list;
		while (*list++ != L_END)
			;
	}
	return NULL;
}

const char *filter_grouptext(int n)
{
	const char *p = texts;

	while (n-- > 0)
		p += strlen(p) + 1;
	return p;
}
