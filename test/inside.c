/*
 * inside.c - what a test runs in a box: it looks, tries and prints, and the
 * test outside judges. (musl-gcc -static.)  inside VERB [ARG...]
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <grp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#ifndef __NR_clone3
#define __NR_clone3 435
#endif

static void print_file(const char *path, const char *const only[])
{
	char line[4096];
	FILE *f = fopen(path, "re");
	int i;

	if (!f) {
		printf("%s: %s\n", path, strerror(errno));
		return;
	}
	while (fgets(line, sizeof line, f))
		for (i = 0; only ? only[i] != NULL : i < 1; i++)
			if (!only || !strncmp(line, only[i], strlen(only[i])))
				fputs(line, stdout);
	fclose(f);
}

static void print_fds(void)
{
	char name[64], link[256];
	ssize_t n;
	int i;

	for (i = 0; i < 1024; i++) {
		if (fcntl(i, F_GETFD) < 0)
			continue;
		snprintf(name, sizeof name, "/proc/self/fd/%d", i);
		n = readlink(name, link, sizeof link - 1);
		link[n < 0 ? 0 : n] = 0;
		printf("fd %d %s\n", i, link);
	}
}

static void print_namespaces(void)
{
	static const char *const ns[] = { "user", "pid", "net", "ipc", "uts", "mnt", "cgroup", "time" };
	char name[64], link[64];
	ssize_t n;
	size_t i;

	for (i = 0; i < sizeof ns / sizeof *ns; i++) {
		snprintf(name, sizeof name, "/proc/self/ns/%s", ns[i]);
		n = readlink(name, link, sizeof link - 1);
		link[n < 0 ? 0 : n] = 0;
		printf("ns %s\n", link);
	}
}

static void print_limits(void)
{
	struct rlimit r;
	int i;

	for (i = 0; i < 16; i++)
		if (getrlimit(i, &r) == 0)
			printf("rlimit %d %lld %lld\n", i, (long long)r.rlim_cur, (long long)r.rlim_max);
}

static void print_signals(void)
{
	struct sigaction a;
	int i;

	for (i = 1; i < 65; i++)
		if (sigaction(i, NULL, &a) == 0 && a.sa_handler != SIG_DFL)
			printf("signal %d is not default\n", i);
}

/* how many processes and how much memory there is: the limits, felt */
static void print_felt(void)
{
	pid_t p[512];
	int n = 0, i, status;
	size_t mb, l = 1 << 20;
	char *m;

	while (n < 512 && (p[n] = fork()) >= 0)
		if (p[n++] == 0)
			for (;;)
				pause();
	for (i = 0; i < n; i++) {
		kill(p[i], SIGKILL);
		waitpid(p[i], &status, 0);
	}
	printf("processes %d\n", n);
	fflush(stdout);
	if ((p[0] = fork()) == 0) {
		for (mb = 0; mb < 12 && (m = malloc(l)); mb++)
			memset(m, 1, l);
		_exit(0);
	}
	waitpid(p[0], &status, 0);
	printf("12M %s\n", WIFSIGNALED(status) ? "killed" : "there");
}

/* everything that a start promises, as text: two runs must print the same */
static int do_rights(int argc, char **argv)
{
	static const char *const status[] = { "Umask", "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff",
		"CapBnd", "CapAmb", "NoNewPrivs", "Seccomp:", "SigBlk", "SigIgn", "SigCgt", "NSpid", NULL };
	struct utsname u;
	cpu_set_t set;
	char cwd[256];

	uname(&u);
	printf("pid %d ppid %d sid %d\n", getpid(), getppid(), getsid(0));
	printf("hostname %s\ncwd %s\n", u.nodename, getcwd(cwd, sizeof cwd) ? cwd : strerror(errno));
	print_file("/proc/self/status", status);
	printf("securebits %d dumpable %d\n", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0), prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	printf("nice %d sched %d personality %lx timerslack %d\n", getpriority(PRIO_PROCESS, 0),
	    (int)syscall(SYS_sched_getscheduler, 0), (unsigned long)syscall(SYS_personality, 0xffffffff), prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
	if (sched_getaffinity(0, sizeof set, &set) == 0)
		printf("cpus %d\n", CPU_COUNT(&set));
	printf("oom "), fflush(stdout);
	print_file("/proc/self/oom_score_adj", NULL);
	print_signals();
	print_limits();
	print_fds();
	print_namespaces();
	print_file("/proc/self/mountinfo", NULL);
	print_file("/proc/self/cgroup", NULL);
	print_file("/proc/net/dev", NULL);
	if (argc > 1)
		print_felt();
	return argc > 0 ? atoi(argv[0]) : 0;
}

/* Every new process of the box: is there anything of it that can be opened, traced or read? Who hunts
 * is root in the box, and prey is not dumpable from its birth to its end. */
static const char *hunt_one(int pid)
{
	static const char *const files[] = { "exe", "root", "cwd", "mem", "environ", "maps", "fd/0", "fd/1", "fd/3", "fd/4", "map_files", "ns/mnt", "auxv", "stack", "syscall" };
	static const char *const dirs[] = { "fd", "fdinfo", "map_files" };
	static char what[128];
	char path[64], link[64];
	size_t i;
	int fd, j, pidfd;
	struct iovec v = { link, 1 }, from = { (void *)0x400000, 1 };

	for (i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
		if ((fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) >= 0 && read(fd, link, sizeof link) > 0)
			return snprintf(what, sizeof what, "read %s", path), what;
		if (fd >= 0 && (!strcmp(files[i], "exe") || !strcmp(files[i], "root") || !strcmp(files[i], "cwd") || !strncmp(files[i], "fd/", 3)))
			return snprintf(what, sizeof what, "open %s", path), what;
		close(fd);
		if (readlink(path, link, sizeof link) >= 0)
			return snprintf(what, sizeof what, "readlink %s", path), what;
		if ((fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0 && strcmp(files[i], "mem"))
			return snprintf(what, sizeof what, "write %s", path), what;
		close(fd);
	}
	for (i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		struct dirent *e;
		DIR *d;

		snprintf(path, sizeof path, "/proc/%d/%s", pid, dirs[i]);
		for (d = opendir(path); d && (e = readdir(d)); ) {	/* their numbers are there for who has the uid */
			snprintf(path, sizeof path, "/proc/%d/%s/%.20s", pid, dirs[i], e->d_name);
			if (e->d_name[0] != '.' && ((fd = open(path, O_RDONLY | O_NONBLOCK)) >= 0 || readlink(path, link, sizeof link) >= 0))
				return snprintf(what, sizeof what, "have %s", path), what;
		}
		if (d)
			closedir(d);
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0)
		return "seize";
	if (syscall(SYS_process_vm_readv, pid, &v, 1, &from, 1, 0) > 0)
		return "process_vm_readv";
	if ((pidfd = (int)syscall(SYS_pidfd_open, pid, 0)) >= 0) {
		for (j = 0; j < 8; j++)
			if (syscall(SYS_pidfd_getfd, pidfd, j, 0) >= 0)
				return "pidfd_getfd";
		if (setns(pidfd, CLONE_NEWNS) == 0)
			return "setns";
	}
	close(pidfd);
	return NULL;
}

static volatile sig_atomic_t enough;

static void stop_hunting(int sig)
{
	enough = sig;
}

/* Numbers go up: those to come are waited for by name. */
static int do_hunt(int argc, char **argv)
{
	int next = getpid() + 1, pid, seen = 0, last = 0;
	const char *got;

	(void)argc, (void)argv;
	signal(SIGTERM, stop_hunting);
	printf("hunting\n");
	fflush(stdout);
	while (!enough)
		for (pid = next; pid < next + 64 && !enough; pid++) {
			if (kill(pid, 0) < 0 && errno == ESRCH)
				continue;
			seen += pid != last;
			last = pid;
			while (!enough && (kill(pid, 0) == 0 || errno == EPERM))		/* a zombie, too, until it is reaped */
				if ((got = hunt_one(pid)))
					printf("prey %d: %s\n", pid, got), fflush(stdout);
			next = pid + 1;
		}
	printf("seen %d\n", seen);
	return 0;
}

static int do_exit(int argc, char **argv)
{
	return argc > 0 ? (int)syscall(SYS_exit_group, strtol(argv[0], NULL, 0)) : 0;
}

static int do_die(int argc, char **argv)
{
	int n = argc > 0 ? atoi(argv[0]) : SIGTERM;
	struct rlimit r = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_CORE, &r);
	signal(n, SIG_DFL);
	kill(getpid(), n);
	pause();
	return 1;
}

/* does not print what is open; only how many, for counting in loops */
static int do_fds(int argc, char **argv)
{
	(void)argc, (void)argv;
	print_fds();
	return 0;
}

static volatile sig_atomic_t got;
static void on_signal(int n)
{
	char text[16];
	int l = snprintf(text, sizeof text, "got %d\n", n);

	got++;
	if (write(1, text, (size_t)l) < 0)
		_exit(1);
}

/* prints each signal that arrives; "ready" first; ends with `until` */
static int do_signals(int argc, char **argv)
{
	int i, until = argc > 0 ? atoi(argv[0]) : SIGTERM;
	struct sigaction a = { .sa_handler = on_signal };
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	for (i = 1; i < 65; i++)
		if (i != SIGKILL && i != SIGSTOP && i != SIGCHLD)
			sigaction(i, &a, NULL);
	if (write(1, "ready\n", 6) != 6)
		return 1;
	for (;;) {
		i = sigwaitinfo(&all, NULL);
		if (i == SIGCHLD || i < 0)
			continue;
		on_signal(i);
		if (i == until)
			return 7;
	}
}

/* like dropbear and nginx: starts as root, drops its own ids, waits for TERM */
static int do_setuid(int argc, char **argv)
{
	unsigned id = argc > 0 ? (unsigned)atoi(argv[0]) : 33;

	if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0) {
		printf("setuid: %s\n", strerror(errno));
		return 1;
	}
	printf("uid %d\n", getuid());
	fflush(stdout);
	return do_signals(0, NULL);
}

static int do_ignore(int argc, char **argv)
{
	int i, n = argc > 0 ? atoi(argv[0]) : 1;

	for (i = 1; i < 65; i++)
		signal(i, SIG_IGN);		/* before there are others who say that they are ready */
	for (i = 0; i < n; i++)
		if (fork() == 0) {
			setsid();
			break;
		}
	if (write(1, "ready\n", 6) != 6)
		return 1;
	for (;;)
		pause();
}

/* n orphans, each by a double fork; then waits for the last of its own */
static int do_orphans(int argc, char **argv)
{
	int i, n = argc > 0 ? atoi(argv[0]) : 100, us = argc > 1 ? atoi(argv[1]) : 0;
	pid_t p;

	for (i = 0; i < n; i++) {
		while ((p = fork()) < 0)
			usleep(1000);
		if (p == 0) {
			if (fork() == 0 && us)
				usleep((unsigned)us);
			_exit(0);
		}
		waitpid(p, NULL, 0);
	}
	if (argc > 2)		/* the rest is counted by the shell around us */
		usleep((unsigned)atoi(argv[2]));
	return 5;
}

static int do_bomb(int argc, char **argv)
{
	int n = 0, tries = argc > 0 ? atoi(argv[0]) : 2000;

	while (tries-- > 0) {
		pid_t p = fork();
		if (p == 0)
			for (;;)
				pause();
		n += p > 0;
	}
	printf("forked %d: %s\n", n, strerror(errno));
	return 0;
}

static int do_memory(int argc, char **argv)
{
	size_t mb = argc > 0 ? (size_t)atoi(argv[0]) : 64, i;

	for (i = 0; i < mb; i++) {
		char *p = malloc(1 << 20);
		if (!p)
			break;
		memset(p, 1, 1 << 20);
	}
	printf("got %zu\n", i);
	return 0;
}

static const char *answer(long r)
{
	static char text[32];

	if (r >= 0)
		return "ok";
	snprintf(text, sizeof text, "%d", errno);
	return text;
}

static int do_sockets(int argc, char **argv)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET };
	int f, fd;
	size_t t;

	(void)argc, (void)argv;
	for (f = 0; f < 46; f++)
		for (t = 0; t < sizeof types / sizeof *types; t++) {
			fd = socket(f, types[t], 0);
			printf("%d %d %s\n", f, types[t], answer(fd));
			if (fd >= 0)
				close(fd);
		}
	/* the high word of a 32-bit argument is not looked at by the kernel */
	printf("high %s\n", answer(syscall(SYS_socket, ((unsigned long)1 << 31 << 1) | 38, SOCK_SEQPACKET, 0)));
	printf("high %s\n", answer(syscall(SYS_socket, ((unsigned long)1 << 31 << 1) | 40, SOCK_STREAM, 0)));
	return 0;
}

/* in a child: a call may be answered by a signal */
static void try(const char *name, long nr, long a, long b, long c, long d)
{
	int status;
	pid_t p;

	fflush(stdout);
	if ((p = fork()) == 0) {
		printf("%s %s\n", name, answer(syscall(nr, a, b, c, d, 0L, 0L)));
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(p, &status, 0) == p && WIFSIGNALED(status))
		printf("%s signal %d\n", name, WTERMSIG(status));
}

/* NUMBER,ARG,...: each as it is, and what comes back */
static int do_ask(int argc, char **argv)
{
	unsigned long v[5];
	char *p;
	int i, n;

	for (i = 0; i < argc; i++) {
		memset(v, 0, sizeof v);
		for (n = 0, p = argv[i]; n < 5; n++, p++) {
			v[n] = strtoul(p, &p, 0);
			if (!*p)
				break;
		}
		try(argv[i], (long)v[0], (long)v[1], (long)v[2], (long)v[3], (long)v[4]);
	}
	return 0;
}

#define T(name, ...)	try(#name, SYS_##name, __VA_ARGS__)
static int do_calls(int argc, char **argv)
{
	static const struct { const char *name; int flag; } flags[] = {
		{ "user", CLONE_NEWUSER }, { "mnt", CLONE_NEWNS }, { "pid", CLONE_NEWPID }, { "net", CLONE_NEWNET },
		{ "ipc", CLONE_NEWIPC }, { "uts", CLONE_NEWUTS }, { "cgroup", CLONE_NEWCGROUP } };
	char name[40];
	size_t i;

	(void)argc, (void)argv;
	T(unshare, CLONE_NEWUSER, 0, 0, 0);
	for (i = 0; i < sizeof flags / sizeof *flags; i++) {
		snprintf(name, sizeof name, "unshare_%s", flags[i].name);
		try(name, SYS_unshare, flags[i].flag, 0, 0, 0);
		snprintf(name, sizeof name, "clone_%s", flags[i].name);
		try(name, SYS_clone, flags[i].flag | SIGCHLD, 0, 0, 0);
	}
	T(setns, 0, 0, 0, 0);
	try("clone3", __NR_clone3, 0, 0, 0, 0);
	T(mount, (long)"none", (long)"/tmp", (long)"tmpfs", 0);
	T(umount2, (long)"/proc", MNT_DETACH, 0, 0);
	T(pivot_root, (long)"/", (long)"/", 0, 0);
	T(chroot, (long)"/", 0, 0, 0);
	try("open_tree", 428, AT_FDCWD, (long)"/", 1, 0);
	try("move_mount", 429, AT_FDCWD, (long)"/", AT_FDCWD, (long)"/tmp");
	try("fsopen", 430, (long)"tmpfs", 0, 0, 0);
	try("mount_setattr", 442, AT_FDCWD, (long)"/", 0, 0);
	try("bpf", SYS_bpf, 0, 0, 0, 0);
	T(userfaultfd, 0, 0, 0, 0);
	T(perf_event_open, 0, 0, -1, -1);
	try("io_uring_setup", 425, 1, 0, 0, 0);
	T(init_module, 0, 0, 0, 0);
	T(finit_module, -1, 0, 0, 0);
	T(delete_module, (long)"x", 0, 0, 0);
	T(reboot, 0xfee1dead, 672274793, 0, 0);
	T(swapon, (long)"/tmp/x", 0, 0, 0);
	T(keyctl, 0, 0, 0, 0);
	T(add_key, (long)"user", (long)"x", (long)"x", 1);
	T(request_key, (long)"user", (long)"x", 0, 0);
	T(open_by_handle_at, 0, 0, 0, 0);
	T(acct, (long)"/tmp/x", 0, 0, 0);
	T(settimeofday, (long)"................", 0, 0, 0);
	T(clock_settime, 0, (long)"................", 0, 0);
	T(ptrace, 0, 0, 0, 0);
	T(process_vm_readv, 1, 0, 0, 0);
	try("pidfd_getfd", 438, 0, 0, 0, 0);
	T(kcmp, 1, 1, 0, 0);
	T(fanotify_init, 0, 0, 0, 0);
	T(syslog, 3, (long)name, 10, 0);
	T(vhangup, 0, 0, 0, 0);
	T(mknod, (long)"/tmp/dev", S_IFCHR | 0666, 0x101, 0);
	T(sethostname, (long)"x", 1, 0, 0);
	T(setdomainname, (long)"x", 1, 0, 0);
	T(quotactl, 0, 0, 0, 0);
	T(personality, 0x0400000, 0, 0, 0);
	T(setuid, 12345, 0, 0, 0);
	T(setgid, 12345, 0, 0, 0);
	try("none", -1, 0, 0, 0, 0);
	try("unknown", 9999, 0, 0, 0, 0);
	try("getpid", SYS_getpid, 0, 0, 0, 0);
	return 0;
}

#ifdef __x86_64__
static long int80(long nr)
{
	long r;

	__asm__ volatile ("int $0x80" : "=a"(r) : "a"(nr), "b"(0L), "c"(0L), "d"(0L) : "memory", "r8", "r9", "r10", "r11");
	return r;
}
static int do_foreign(int argc, char **argv)
{
	if (argc > 0 && !strcmp(argv[0], "int80"))
		printf("int80 %ld\n", int80(20));	/* getpid of i386 */
	else
		printf("x32 %ld\n", syscall(0x40000000L | SYS_getpid));
	return 0;
}
#else
static int do_foreign(int argc, char **argv)
{
	(void)argc, (void)argv;
	raise(SIGSYS);
	return 0;
}
#endif

/* each path: open for reading and for writing, and what a write of itself says */
static int do_knobs(int argc, char **argv)
{
	char buf[64];
	ssize_t n;
	int i, fd;

	for (i = 0; i < argc; i++) {
		fd = open(argv[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, buf, sizeof buf);
		printf("read %s %s %zd\n", argv[i], answer(fd), n);
		if (fd >= 0)
			close(fd);
		fd = open(argv[i], O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		printf("write %s %s\n", argv[i], answer(fd));
		if (fd >= 0)
			close(fd);
	}
	return 0;
}

/* tries for `ms` to open the exe of each process but its own for writing */
static int do_exe(int argc, char **argv)
{
	char path[64];
	int ms = argc > 0 ? atoi(argv[0]) : 1000, fd, w, pid, held[64], n = 0, opened = 0, i;
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	signal(SIGTERM, SIG_IGN);
	do {
		for (pid = 0; pid < 16; pid++) {
			if (pid == getpid())
				continue;
			snprintf(path, sizeof path, pid ? "/proc/%d/exe" : "/proc/self/exe", pid);
			if (pid && (fd = open(path, O_PATH | O_CLOEXEC)) >= 0) {
				opened++;
				if (n < 64)
					held[n++] = fd;
				else
					close(fd);
			}
		}
		for (i = 0; i < n; i++) {
			snprintf(path, sizeof path, "/proc/self/fd/%d", held[i]);
			if ((w = open(path, O_WRONLY | O_CLOEXEC)) >= 0) {
				printf("WRITABLE %d\n", held[i]);
				fflush(stdout);
				close(w);
			}
		}
		clock_gettime(CLOCK_MONOTONIC, &b);
	} while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
	printf("opened %d\n", opened);
	return 0;
}

/* each other process: trace it, its descriptors, its memory, its limits, kill it */
static int do_attack(int argc, char **argv)
{
	char path[64];
	struct rlimit r = { 0, 0 };
	int pid, fd, me = getpid();
	static const char *const files[] = { "mem", "environ", "maps", "fd/0", "root/etc", "cwd", "oom_score_adj" };
	size_t i;

	(void)argc, (void)argv;
	for (pid = 1; pid < 16; pid++) {
		if (pid == me || kill(pid, 0) < 0)
			if (pid == me || errno == ESRCH)
				continue;
		for (i = 0; i < sizeof files / sizeof *files; i++) {
			snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
			if ((fd = open(path, i == 6 ? O_WRONLY : O_RDONLY)) >= 0)
				printf("OPENED %s\n", path);
		}
		if (syscall(SYS_ptrace, 0x4206, pid, 0, 0) == 0)
			printf("TRACED %d\n", pid);
		if (prlimit(pid, RLIMIT_NOFILE, &r, NULL) == 0)
			printf("LIMITED %d\n", pid);
		if (setpriority(PRIO_PROCESS, pid, 19) == 0)
			printf("RENICED %d\n", pid);
		printf("tried %d\n", pid);
	}
	fflush(stdout);
	kill(1, SIGKILL), kill(1, SIGSTOP), kill(1, SIGSEGV), kill(1, SIGABRT), kill(1, SIGSYS);
	usleep(100000);
	printf("still here\n");
	return 0;
}

static int is_husk(const char *pid)
{
	char path[300], comm[32] = "";
	int fd;

	snprintf(path, sizeof path, "/proc/%s/comm", pid);
	if ((fd = open(path, O_RDONLY)) >= 0) {
		if (read(fd, comm, sizeof comm - 1) < 0)
			comm[0] = 0;
		close(fd);
	}
	return !strcmp(comm, "husk\n");
}

/* is it a box of that name, and not yet its program? */
static int is_starting(const char *pid, const char *word)
{
	char path[300], line[2048];
	ssize_t n, i;
	int fd;

	snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
	if (!is_husk(pid) || (fd = open(path, O_RDONLY)) < 0)
		return 0;
	n = read(fd, line, sizeof line - 1);
	close(fd);
	for (i = 0; i < n; i++)
		if (!line[i])
			line[i] = ' ';
	line[n < 0 ? 0 : n] = 0;
	return strstr(line, word) != NULL;
}

static void spy_on(const char *pid)
{
	static const char *const files[] = { "mem", "fd/0", "fd/3", "fd/4", "fd/5", "fd/6", "fd/7", "root/etc", "cwd/etc", "exe", "environ" };
	char path[300];
	size_t i;
	int fd;

	for (i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "/proc/%s/%s", pid, files[i]);
		if ((fd = open(path, O_RDONLY | O_NONBLOCK)) < 0)
			continue;
		if (is_husk(pid))
			printf("GOT %s\n", path);
		close(fd);
	}
	if (syscall(SYS_ptrace, 0x4206, atoi(pid), 0, 0) == 0)
		printf("GOT %s by ptrace\n", pid);
}

/* WORD MS: looks for the starts of a box and tries to get hold of them */
static int do_spy(int argc, char **argv)
{
	struct timespec a, b;
	struct dirent *d;
	int looked = 0;
	DIR *dir;

	if (argc < 2 || write(1, "up\n", 3) != 3)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &a);
	do {
		if (!(dir = opendir("/proc")))
			return 1;
		while ((d = readdir(dir)))
			if (d->d_name[0] >= '1' && d->d_name[0] <= '9' && is_starting(d->d_name, argv[0]))
				spy_on(d->d_name), looked++;
		closedir(dir);
		clock_gettime(CLOCK_MONOTONIC, &b);
	} while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < atoi(argv[1]));
	printf("looked %d\n", looked);
	return 0;
}

static int do_tty(int argc, char **argv)
{
	struct winsize w = { 0 };
	char tty[64] = "none";

	(void)argc, (void)argv;
	ioctl(0, TIOCGWINSZ, &w);
	ttyname_r(0, tty, sizeof tty);
	printf("isatty %d%d%d name %s leader %d foreground %d size %dx%d tioclinux %s\n", isatty(0), isatty(1), isatty(2), tty,
	    getsid(0) == getpid(), tcgetpgrp(0) == getpgrp(), w.ws_row, w.ws_col, answer(ioctl(0, TIOCSTI, "x")));
	return 0;
}

static int do_hangup(int argc, char **argv)
{
	(void)argc, (void)argv;
	signal(SIGHUP, SIG_IGN);
	return ioctl(0, TIOCVHANGUP) < 0;
}

static int do_euid(int argc, char **argv)
{
	(void)argc, (void)argv;
	printf("uid %d euid %d\n", getuid(), geteuid());
	return 0;
}

/* reads a file system's free inodes and blocks by filling it */
static int do_fill(int argc, char **argv)
{
	static char block[65536];
	long long n = 0;
	ssize_t w;
	int fd = open(argc > 0 ? argv[0] : "/tmp/fill", O_WRONLY | O_CREAT, 0600);

	memset(block, 1, sizeof block);
	while (fd >= 0 && (w = write(fd, block, sizeof block)) > 0 && n < 1 << 28)
		n += w;
	printf("wrote %lld: %s\n", n, strerror(errno));
	return 0;
}

/* SOURCE TARGET TYPE FLAGS: for a test that enters the box with rights */
static int do_mount(int argc, char **argv)
{
	if (argc < 4 || mount(argv[0], argv[1], argv[2], strtoul(argv[3], NULL, 0), NULL) < 0) {
		printf("mount: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}

static int do_sleep(int argc, char **argv)
{
	if (write(1, "up\n", 3) != 3)
		return 1;
	usleep((unsigned)(argc > 0 ? atoi(argv[0]) : 1000) * 1000);
	return 0;
}

/* A socket that lingers: to close the last copy of it takes that long, but at an exit */
static int lingers(int seconds)
{
	static char block[65536];
	struct linger l = { 1, seconds };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	int to = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(to, (struct sockaddr *)&at, n) < 0 || listen(to, 1) < 0 || getsockname(to, (struct sockaddr *)&at, &n) < 0 ||
	    connect(s, (struct sockaddr *)&at, n) < 0 || setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof l) < 0)
		return -1;
	while (send(s, block, sizeof block, MSG_DONTWAIT) > 0)
		;
	return s;
}

/* The socket between a newcomer and its keeper, taken from him; or -1: he is gone, or has become a program */
static int taken(int pidfd)
{
	int fd, s, type;
	socklen_t n = sizeof type;

	for (fd = 3; ; fd = fd < 24 ? fd + 1 : 3) {
		s = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
		if (s < 0 && errno != EBADF)
			return -1;
		if (s >= 0 && getsockopt(s, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_SEQPACKET)
			return s;
		if (s >= 0)
			close(s);
	}
}

/* SECONDS: passes such a one at the socket of whoever comes in, as often as it can */
static int do_pass(int argc, char **argv)
{
	union { struct cmsghdr h; char room[CMSG_SPACE(sizeof(int))]; } c = { .h = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec v = { "x", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c };
	int next = getpid() + 1, pid, pidfd, s = -1, to, n;

	for (;; next = pid + 1) {
		if (s < 0) {
			s = lingers(argc > 0 ? atoi(argv[0]) : 60);
			printf(s < 0 ? "none\n" : "full\n");
			fflush(stdout);
		}
		for (pid = next, n = 1; (pidfd = (int)syscall(SYS_pidfd_open, pid, 0)) < 0; n++)
			if (n % 1000)
				pid = pid < next + 4 ? pid + 1 : next;
			else if (!(next = pid = fork()))		/* it has missed some: which number is the next? */
				_exit(0);
			else
				waitpid(next++, NULL, 0);
		if ((to = taken(pidfd)) >= 0) {
			memcpy(CMSG_DATA(&c.h), &s, sizeof s);
			if (sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) {
				printf("passed\n");
				fflush(stdout);
				close(s);
				s = -1;
			}
			close(to);
		}
		close(pidfd);
	}
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*run)(int, char **); } verbs[] = {
		{ "rights", do_rights }, { "hunt", do_hunt }, { "exit", do_exit }, { "die", do_die }, { "fds", do_fds },
		{ "signals", do_signals }, { "setuid", do_setuid }, { "ignore", do_ignore },
		{ "orphans", do_orphans }, { "bomb", do_bomb }, { "memory", do_memory },
		{ "sockets", do_sockets }, { "calls", do_calls }, { "ask", do_ask }, { "foreign", do_foreign },
		{ "knobs", do_knobs }, { "exe", do_exe }, { "attack", do_attack }, { "tty", do_tty }, { "hangup", do_hangup },
		{ "euid", do_euid }, { "fill", do_fill }, { "sleep", do_sleep },
		{ "mount", do_mount }, { "spy", do_spy }, { "pass", do_pass },
	};
	size_t i;

	for (i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
		if (!strcmp(verbs[i].name, argv[1])) {
			int r = verbs[i].run(argc - 2, argv + 2);
			fflush(stdout);
			return r;
		}
	fprintf(stderr, "inside: which verb?\n");
	return 99;
}
