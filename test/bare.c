/*
 * bare.c - the floor under every container runtime: six namespaces, three
 * mounts, six nodes, a pivot, and the program. No check, no right dropped,
 * no filter, no limit. test/bench.py times it beside the others.
 *
 *	bare ROOT PROGRAM
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

static char **args;

static void must(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(125);
	}
}

static void nodes(void)
{
	static const struct { const char *path; unsigned char major, minor; } node[] = {
		{ "dev/null", 1, 3 }, { "dev/zero", 1, 5 }, { "dev/full", 1, 7 },
		{ "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 },
	};
	unsigned i;

	for (i = 0; i < sizeof node / sizeof *node; i++)
		must(mknod(node[i].path, S_IFCHR | 0666, makedev(node[i].major, node[i].minor)), node[i].path);
}

static int child(void *unused)
{
	(void)unused;
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	must(mount(args[1], args[1], NULL, MS_BIND, NULL), "root");
	must(chdir(args[1]), "chdir");
	must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
	must(mount("dev", "dev", "tmpfs", MS_NOSUID, "mode=755"), "dev");
	nodes();
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
	must(chdir("/"), "chdir /");
	execv(args[2], args + 2);
	return 127;
}

int main(int argc, char **argv)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status;

	args = argv;
	if (argc < 3)
		return 2;
	umask(0);
	must(clone(child, stack + sizeof stack, NAMESPACES | SIGCHLD, NULL), "clone");
	must(wait(&status), "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
