/*
 * floor.c - the same promises in constants: what a default start of husk would
 * take if nothing had to be read, noted or checked. Namespaces, mounts, masks,
 * limits, rights and both filters are those of husk, which test/bench.py compares
 * from inside; a PID 1 that reaps, the status, and the cgroup is removed. No
 * configuration, no state file, no lock, no word to a keeper, nothing read back,
 * no other kernel, no other machine.
 *
 *	floor ROOT PROGRAM ...
 *
 * With -DBOARD it is the init of a machine, and its first box a full one: the mounts,
 * links, knobs and last steps of husk's board, from constants as well. No console is asked for, no
 * signal, no socket, no file is read, nobody is supervised.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "filters.h"		/* pid1, prog: of husk, as bench.py has seen it load them */

#define CGROUP	"/sys/fs/cgroup/husk/floor"	/* husk has been here before: its directory is there */
#define SAFE	(MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define LOAD(f)	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &(struct sock_fprog){ sizeof f / sizeof *f, f }), "seccomp")

enum { UID = 64169 };
static char **args;
static int root;

static long must(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(125);
	}
	return result;
}

static void put(const char *path, const char *text)
{
	must(write((int)must(open(path, O_WRONLY | O_CLOEXEC), path), text, strlen(text)), path);
}

static void fresh(const char *type, const char *where, unsigned long flags, const char *data)
{
	must(mount(type, where, type, flags, data), where);
}

static void dev(void)
{
	static const struct { const char *name; unsigned char major, minor; } node[] = { { "null", 1, 3 }, { "zero", 1, 5 },
		{ "full", 1, 7 }, { "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 } };
	static const char *const links[][2] = { { "/proc/self/fd", "fd" }, { "/proc/self/fd/0", "stdin" },
		{ "/proc/self/fd/1", "stdout" }, { "/proc/self/fd/2", "stderr" }, { "pts/ptmx", "ptmx" } };
	unsigned i;

	must(chdir("dev"), "dev");
	must(mkdir("pts", 0755) | mkdir("shm", 0755) | mkdir("mqueue", 0755), "dev");
	must(mount("pts", "../proc/acpi", NULL, MS_BIND, NULL), "acpi");	/* the directory below devpts is empty */
	fresh("devpts", "pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	fresh("tmpfs", "shm", SAFE, "mode=1777,size=64M");
	fresh("mqueue", "mqueue", SAFE, NULL);
	umask(0);
	for (i = 0; i < sizeof node / sizeof *node; i++)
		must(mknod(node[i].name, S_IFCHR | 0666, makedev(node[i].major, node[i].minor)), node[i].name);
	for (i = 0; i < sizeof links / sizeof *links; i++)
		must(symlink(links[i][0], links[i][1]), links[i][1]);
	umask(022);
	must(mknod("husk.f", S_IFREG | 0444, 0), "husk.f");
}

/* A bind has the flags of what it is of, and a mask is a clone of the one before. */
static void masks(void)
{
	static const char *const ro[] = { "bus", "dynamic_debug", "fs", "irq", "sys", "sysrq-trigger" };
	static const char *const mask[] = { "kcore", "keys", "timer_list", "kallsyms", "kmsg", "iomem", "slabinfo",
		"vmallocinfo", "kpagecount", "kpageflags", "kpagecgroup", "pagetypeinfo" };
	const unsigned long again = MS_REMOUNT | MS_BIND | SAFE;
	unsigned i;

	must(chdir("../proc"), "proc");
	must(mount(NULL, ".", NULL, again | MS_RDONLY, NULL), "proc");
	for (i = 0; i < sizeof ro / sizeof *ro; i++)
		must(mount(ro[i], ro[i], NULL, MS_BIND, NULL), ro[i]);
	must(mount(NULL, ".", NULL, again, NULL), "proc");
	must(mount(NULL, "acpi", NULL, again | MS_RDONLY, NULL), "acpi");
	must(mount("../dev/husk.f", *mask, NULL, MS_BIND, NULL), *mask);
	must(mount(NULL, *mask, NULL, again | MS_RDONLY, NULL), *mask);
	for (i = 1; i < sizeof mask / sizeof *mask; i++)
		must(mount(*mask, mask[i], NULL, MS_BIND, NULL), mask[i]);
	must(mount("acpi", "../sys/firmware", NULL, MS_BIND, NULL), "firmware");
	must(unlink("../dev/husk.f"), "husk.f");
}

static void mounts(void)
{
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "/");
	must(syscall(SYS_move_mount, root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), "root");
	must(fchdir(root), "root");
	fresh("proc", "proc", SAFE, NULL);
	fresh("tmpfs", "dev", MS_NOSUID | MS_NOEXEC | MS_STRICTATIME, "mode=755,size=64K,nr_inodes=512");
	fresh("sysfs", "sys", MS_RDONLY | SAFE, NULL);
	fresh("tmpfs", "run", MS_NOSUID | MS_NODEV, "mode=755,size=8M,nr_inodes=2K,uid=64169,gid=64169");
	fresh("tmpfs", "tmp", MS_NOSUID | MS_NODEV, "mode=1777,size=8M,nr_inodes=2K");
	dev();
	masks();
	must(fchdir(root), "root");
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
}

static void program(void)
{
	static char *env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "container=husk", "HOME=/", "USER=64169", "LOGNAME=64169", NULL };

	must(setsid(), "setsid");
	must(syscall(SYS_keyctl, 1, NULL), "keyring");
	must(setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }), "rlimit");
	must(prctl(PR_SET_SECUREBITS, 0xe3, 0, 0, 0), "securebits");
	must(syscall(SYS_setresgid, UID, UID, UID), "gid");
	must(syscall(SYS_setresuid, UID, UID, UID), "uid");
	must(syscall(SYS_close_range, 3, ~0u, 0), "close");
	LOAD(prog);
	execve(*args, args, env);
	_exit(127);
}

static void init(void)
{
	static const struct { struct nlmsghdr h; struct ifinfomsg i; } up = {
		{ sizeof up, RTM_NEWLINK, NLM_F_REQUEST, 0, 0 }, { .ifi_index = 1, .ifi_flags = 1, .ifi_change = 1 } };
	struct __user_cap_data_struct kill[2] = { { 1 << CAP_KILL, 1 << CAP_KILL, 0 } };
	siginfo_t si;
	int c;

	must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable");
	must(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "tether");
	put("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
	put("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
	must(sethostname("floor", 5), "hostname");
	must(send((int)must(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "netlink"), &up, sizeof up, 0), "lo");
	mounts();
	for (c = 0; c <= CAP_LAST_CAP; c++)
		must(prctl(PR_CAPBSET_DROP, c, 0, 0, 0), "bounding set");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	if (must(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0), "clone") == 0)
		program();
	must(syscall(SYS_capset, &(struct __user_cap_header_struct){ _LINUX_CAPABILITY_VERSION_3, 0 }, kill), "capset");
	must(syscall(SYS_close_range, 0, ~0u, 0), "close");
	LOAD(pid1);
	waitid(P_ALL, 0, &si, WEXITED);
	_exit(si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status);
}

/* Begins it; who waits is another's affair */
static void start(const char *where)
{
	struct clone_args a = { .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
		CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	struct mount_attr safe = { MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, MS_PRIVATE, 0 };

	root = (int)must(syscall(SYS_open_tree, AT_FDCWD, where, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), where);
	must(syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH, &safe, sizeof safe), where);
	must(mkdir(CGROUP, 0755), CGROUP);
	a.cgroup = (uint64_t)must(open(CGROUP, O_PATH | O_CLOEXEC), CGROUP);
	put(CGROUP "/memory.max", "33554432");
	put(CGROUP "/pids.max", "20");
	if (must(syscall(SYS_clone3, &a, sizeof a), "clone3") == 0)
		init();
}

#ifdef BOARD
/* As boards/mounts.c and boards/plan.c have them; what this kernel lacks costs little. */
static void board(void)
{
	static const char *const links[][2] = { { "/proc/self/fd", "/dev/fd" }, { "fd/0", "/dev/stdin" }, { "fd/1", "/dev/stdout" },
		{ "fd/2", "/dev/stderr" } };
	static const char *const knob[][2] = { { "kernel/core_pattern", "core" }, { "fs/suid_dumpable", "0" },
		{ "kernel/dmesg_restrict", "1" }, { "kernel/kptr_restrict", "2" }, { "fs/protected_symlinks", "1" },
		{ "fs/protected_hardlinks", "1" }, { "fs/protected_fifos", "2" }, { "fs/protected_regular", "2" },
		{ "kernel/yama/ptrace_scope", "1" }, { "kernel/unprivileged_bpf_disabled", "2" }, { "vm/unprivileged_userfaultfd", "0" },
		{ "dev/tty/legacy_tiocsti", "0" } };
	int sys, fd;
	unsigned i;

	must(mount("/", "/", NULL, MS_BIND, NULL), "/");	/* the root of an initramfs cannot be pivoted */
	must(chdir("/..") | chroot("."), "/");
	fresh("proc", "/proc", SAFE, NULL);
	fresh("sysfs", "/sys", SAFE, NULL);
	fresh("devtmpfs", "/dev", MS_NOSUID, "mode=755");
	for (i = 0; i < sizeof links / sizeof *links; i++)
		(void)symlink(links[i][0], links[i][1]);
	must(mkdir("/dev/pts", 0755) | mkdir("/dev/shm", 0755), "/dev");
	fresh("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=620,gid=5,ptmxmode=666");
	fresh("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
	fresh("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755");
	fresh("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
	fresh("cgroup2", "/sys/fs/cgroup", SAFE, "nsdelegate");
	(void)mount("securityfs", "/sys/kernel/security", "securityfs", SAFE, NULL);
	sys = (int)must(open("/proc/sys", O_PATH | O_CLOEXEC), "/proc/sys");
	for (i = 0; i < sizeof knob / sizeof *knob; i++)
		if ((fd = openat(sys, knob[i][0], O_WRONLY | O_CLOEXEC)) >= 0) {
			(void)!write(fd, knob[i][1], strlen(knob[i][1]));
			close(fd);
		}
	must(sethostname("floor", 5), "hostname");
	put("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids");
	must(mkdir("/sys/fs/cgroup/husk", 0755), "husk");
	put("/sys/fs/cgroup/husk/cgroup.subtree_control", "+memory +pids");
	must(mkdir("/run/husk", 0755), "/run/husk");
}

int main(int argc, char **argv)
{
	static char *end[] = { "sh", "/end", NULL }, *stamp[] = { "/stamp", NULL };
	struct timespec t;

	(void)argc;
	(void)argv;
	board();
	clock_gettime(CLOCK_BOOTTIME, &t);
	args = stamp;
	start("/srv/root");
	sleep(1);		/* what is printed would be in the way */
	dprintf(1, "@a.start %lld\n", t.tv_sec * 1000000000ll + t.tv_nsec);
	return execv("/bin/sh", end);
}
#else
int main(int argc, char **argv)
{
	int status;

	if (argc < 3)
		return 2;
	args = argv + 2;
	start(argv[1]);
	must(wait(&status), "wait");
	must(rmdir(CGROUP), CGROUP);
	return WEXITSTATUS(status);
}
#endif
