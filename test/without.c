/*
 * without.c - without TYPE,TYPE PROGRAM ARG ...: executes it where the kernel lacks these
 * file systems: mount(2) of one answers ENODEV, as it would. Everybody that comes from it
 * is told so, process 1 of a machine, too. A filter cannot read names, so a process
 * beside it does, and lets all others through.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int listener = -1;

/* A mount that has a type; a remount, a bind and a move have none. */
static struct sock_filter program[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount, 0, 5),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]) + 4),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static int is_lacking(const char *list, pid_t pid, unsigned long at)
{
	char type[32] = "";
	struct iovec here = { type, sizeof type - 1 }, there = { (void *)at, sizeof type - 1 };
	size_t n;

	if (process_vm_readv(pid, &here, 1, &there, 1, 0) < 1)
		return 0;
	for (n = strlen(type); *list; list += strcspn(list, ","), list += *list == ',')
		if (strcspn(list, ",") == n && strncmp(list, type, n) == 0)
			return 1;
	return 0;
}

static int answer(const char *list)
{
	struct seccomp_notif ask;
	struct seccomp_notif_resp say;

	for (;;) {
		memset(&ask, 0, sizeof ask);
		memset(&say, 0, sizeof say);
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &ask) < 0) {
			if (errno == ENOENT || errno == EINTR)
				continue;
			return 1;
		}
		say.id = ask.id;
		if (is_lacking(list, (pid_t)ask.pid, (unsigned long)ask.data.args[2]))
			say.error = -ENODEV;
		else
			say.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &say);
	}
}

int main(int argc, char **argv)
{
	struct sock_fprog f = { sizeof program / sizeof *program, program };
	int p[2];

	if (argc < 3 || pipe2(p, O_CLOEXEC) < 0)
		return 2;
	/* it shares the descriptors of this one until that is another program */
	if (syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0) == 0) {
		read(p[0], &listener, sizeof listener);
		return answer(argv[1]);
	}
	listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &f);
	if (listener < 0 || write(p[1], &listener, sizeof listener) < 0) {
		perror("without");
		return 1;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
