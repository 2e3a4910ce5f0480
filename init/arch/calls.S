/*
 * calls.S - the system calls that the C library's functions of the same name
 * are, for every architecture: a name and a number. A function whose arguments
 * are not the call's stands in libc.c. What ROW goes on to, `enter`, is one
 * for all, so that each costs 8 bytes; who is missing here comes from musl.
 */
	/* while a box runs */
	ROW read, __NR_read
	ROW write, __NR_write
	ROW close, __NR_close
	ROW kill, __NR_kill
#ifdef __NR_poll
	ROW poll, __NR_poll
#endif
	ROW madvise, __NR_madvise
	ROW mprotect, __NR_mprotect
	/* descriptors */
	ROW pread, __NR_pread64
	ROW pwrite, __NR_pwrite64
	ROW fsync, __NR_fsync
	ROW dup3, __NR_dup3
	ROW pipe2, __NR_pipe2
	ROW flock, __NR_flock
#ifdef __NR_ftruncate64
	ROW ftruncate, __NR_ftruncate64
#else
	ROW ftruncate, __NR_ftruncate
#endif
	ROW inotify_init1, __NR_inotify_init1
	ROW inotify_add_watch, __NR_inotify_add_watch
	ROW inotify_rm_watch, __NR_inotify_rm_watch
	ROW fchdir, __NR_fchdir
	ROW fchmod, __NR_fchmod
	ROW ioctl, __NR_ioctl
#ifdef __NR_fcntl64
	ROW fcntl, __NR_fcntl64
#else
	ROW fcntl, __NR_fcntl
#endif
#ifdef __NR_sendfile64
	ROW sendfile, __NR_sendfile64
#else
	ROW sendfile, __NR_sendfile
#endif
	/* files */
	ROW mkdirat, __NR_mkdirat
	ROW symlinkat, __NR_symlinkat
	ROW unlinkat, __NR_unlinkat
	ROW readlinkat, __NR_readlinkat
	ROW fchownat, __NR_fchownat
#ifdef __NR_fstatat64
	ROW __fstatat_time64, __NR_fstatat64
#else
	ROW fstatat, __NR_newfstatat
#endif
	ROW chdir, __NR_chdir
	ROW chroot, __NR_chroot
	ROW mount, __NR_mount
	ROW umount2, __NR_umount2
	ROW sync, __NR_sync
	/* sockets: on i386 they were one call before 4.3 */
	ROW socket, __NR_socket
	ROW socketpair, __NR_socketpair
	ROW setsockopt, __NR_setsockopt
	ROW sendmsg, __NR_sendmsg
	ROW recvmsg, __NR_recvmsg
	ROW sendto, __NR_sendto
	ROW recvfrom, __NR_recvfrom
	ROW shutdown, __NR_shutdown
	/* processes */
	ROW _exit, __NR_exit_group
	ROW execve, __NR_execve
	ROW unshare, __NR_unshare
	ROW setns, __NR_setns
	ROW setsid, __NR_setsid
	ROW getpid, __NR_getpid
	ROW getppid, __NR_getppid
#ifdef __NR_geteuid32
	ROW geteuid, __NR_geteuid32
	ROW getegid, __NR_getegid32
#else
	ROW geteuid, __NR_geteuid
	ROW getegid, __NR_getegid
#endif
	ROW setpriority, __NR_setpriority
	ROW umask, __NR_umask
	ROW prctl, __NR_prctl
	ROW personality, __NR_personality
	ROW sigaltstack, __NR_sigaltstack
	/* the machine */
	ROW sethostname, __NR_sethostname
	ROW setdomainname, __NR_setdomainname
	ROW sysinfo, __NR_sysinfo
	ROW uname, __NR_uname
	ROW getrandom, __NR_getrandom
	/* those that musl has no name for, or not this form: sys.c */
	ROW sys_clone3, __NR_clone3
	ROW sys_open_tree, __NR_open_tree
	ROW sys_move_mount, __NR_move_mount
	ROW sys_pivot_root, __NR_pivot_root
	ROW sys_execveat, __NR_execveat
	ROW sys_getcwd, __NR_getcwd
