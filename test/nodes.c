/*
 * nodes.c - what a device policy lets through, from inside. (-static.)
 *
 *	nodes try [c:MAJ:MIN|b:MAJ:MIN=]PATH:ACCESS ...	makes the node where numbers are given (ACCESS m: that alone), opens
 *				it; a line "PATH:ACCESS ERRNO" for each
 *	nodes loop YES NO	until it is told to end: YES opens always, NO never; "rounds N yes Y no N": how often that was wrong
 *	nodes wider DIR NO	in the cgroup2 tree mounted on DIR: a sub-cgroup, a program there that allows all, and NO
 * A major without a driver answers ENXIO, 6, to who is let through, and EPERM, 1, to who is not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The kernel's, of which no header is here for other machines */
enum { LOAD = 5, ATTACH = 8, CGROUP_DEVICE = 15, AT_CGROUP_DEVICE = 6 };
struct insn { uint8_t code, regs; int16_t off; int32_t imm; };
union attr {
	struct { uint32_t type, count; uint64_t insns, license; } load;
	struct { uint32_t dir, prog, type, flags; } attach;
	char all[128];
};

static volatile sig_atomic_t ended;

static void end(int sig)
{
	(void)sig;
	ended = 1;
}

static int opened(const char *path, const char *how)
{
	int fd = open(path, (strchr(how, 'w') ? strchr(how, 'r') ? O_RDWR : O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int try(char *word)
{
	char *how = strrchr(word, ':'), *path = strchr(word, '=');
	unsigned ma, mi;
	char type;
	int e = 0;

	if (!how)
		return -1;
	*how++ = '\0';
	if (path) {
		*path++ = '\0';
		if (sscanf(word, "%c:%u:%u", &type, &ma, &mi) != 3)
			return -1;
		e = mknod(path, (type == 'c' ? S_IFCHR : S_IFBLK) | 0666, makedev(ma, mi)) < 0 ? errno : 0;
	} else
		path = word;
	if (!e && *how != 'm')
		e = opened(path, how);
	printf("%s:%s %d\n", path, how, e);
	return 0;
}

static int loop(const char *yes, const char *no)
{
	unsigned n = 0, wrong_yes = 0, wrong_no = 0;

	signal(SIGTERM, end);
	printf("up\n");
	fflush(stdout);
	for (; !ended; n++) {
		wrong_yes += opened(yes, "r") == EPERM;
		wrong_no += opened(no, "r") != EPERM;
	}
	printf("rounds %u yes %u no %u\n", n, wrong_yes, wrong_no);
	return 0;
}

static int bpf(long what, union attr *a)
{
	return (int)syscall(SYS_bpf, what, a, sizeof *a);
}

static int wider(const char *tree, const char *no)
{
	static const struct insn all[] = { { 0xb7, 0, 0, 1 }, { 0x95, 0, 0, 0 } };	/* r0 = 1, exit */
	union attr a;
	char path[256];
	unsigned flags;
	int fd, dir, e;

	if (mount("cg", tree, "cgroup2", 0, NULL) < 0)
		printf("mount %d\n", errno);
	snprintf(path, sizeof path, "%s/sub", tree);
	printf("mkdir %d\n", mkdir(path, 0755) < 0 ? errno : 0);
	dir = open(path, O_RDONLY | O_DIRECTORY);
	memset(&a, 0, sizeof a);
	a.load.type = CGROUP_DEVICE;
	a.load.count = 2;
	a.load.insns = (uintptr_t)all;
	a.load.license = (uintptr_t)"";
	fd = bpf(LOAD, &a);
	printf("load %d\n", fd < 0 ? errno : 0);
	for (flags = 0; flags < 3; flags++) {	/* none, ALLOW_OVERRIDE, ALLOW_MULTI */
		memset(&a, 0, sizeof a);
		a.attach.dir = (uint32_t)dir;
		a.attach.prog = (uint32_t)fd;
		a.attach.type = AT_CGROUP_DEVICE;
		a.attach.flags = flags;
		printf("attach %u %d\n", flags, bpf(ATTACH, &a) < 0 ? errno : 0);
	}
	e = openat(dir, "cgroup.procs", O_WRONLY);
	printf("enter %d\n", write(e, "0", 1) < 0 ? errno : 0);
	printf("open %d\n", opened(no, "r"));
	return 0;
}

int main(int argc, char **argv)
{
	int i;

	if (argc > 2 && !strcmp(argv[1], "try")) {
		for (i = 2; i < argc; i++)
			if (try(argv[i]) < 0)
				return 2;
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "loop"))
		return loop(argv[2], argv[3]);
	return argc == 4 && !strcmp(argv[1], "wider") ? wider(argv[2], argv[3]) : 2;
}
