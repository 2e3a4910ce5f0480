/*
 * lacks.c - test: the first process of a machine whose kernel lacks something, as far as that one and
 * its children can tell; then it becomes the program. (musl.)
 *
 *	lacks namespaces|seccomp|signalfd PROG	calls answer as on a kernel that was built without
 *	lacks seal PROG			no file can be made that nobody writes
 *	lacks pipe PROG			there is no descriptor left for one
 *	lacks console PROG		the console is stopped, as by Ctrl-S, and what it can hold is full
 *	lacks terminal PROG		its standard output is, without a key that lets it go on, and shows and edits nothing
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define LOAD(field)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(v, yes, no)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, yes, no)
#define ERR(e)		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (e))
#define GO		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

enum { SPACES = 0x40000000 | 0x20000000 | 0x10000000 | 0x08000000 | 0x04000000 | 0x02000000 };	/* net pid user ipc uts cgroup */

static struct sock_filter namespaces[] = {
	LOAD(nr), IS(SYS_clone3, 0, 1), ERR(ENOSYS), IS(SYS_setns, 0, 1), ERR(EINVAL),
	IS(SYS_unshare, 1, 0), IS(SYS_clone, 0, 3), LOAD(args[0]),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SPACES, 0, 1), ERR(EINVAL), GO,
};
static struct sock_filter seccomp[] = {
	LOAD(nr), IS(SYS_seccomp, 0, 1), ERR(ENOSYS), IS(SYS_prctl, 0, 4), LOAD(args[0]),
	IS(PR_SET_SECCOMP, 1, 0), IS(PR_GET_SECCOMP, 0, 1), ERR(EINVAL), GO,
};

static struct sock_filter signalfd[] = { LOAD(nr), IS(SYS_signalfd4, 0, 1), ERR(ENOSYS), GO };
static struct sock_filter seal[] = { LOAD(nr), IS(SYS_open_tree, 1, 0), IS(SYS_memfd_create, 0, 1), ERR(ENOSYS), GO };
static struct sock_filter no_pipe[] = { LOAD(nr), IS(SYS_pipe2, 0, 1), ERR(EMFILE), GO };

#define KIND(of)	{ #of, of, sizeof of / sizeof *of }
static const struct kind { const char *name; struct sock_filter *f; size_t n; } kinds[] = {
	KIND(namespaces), KIND(seccomp), KIND(signalfd), KIND(seal), { "pipe", no_pipe, sizeof no_pipe / sizeof *no_pipe },
};

static int filter(struct sock_filter *f, unsigned short n)
{
	struct sock_fprog p = { n, f };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p);
}

static int stop(void)
{
	static const char line[] = "................................................................\n";
	int fd = open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 || tcflow(fd, TCOOFF) < 0)
		return -1;
	while (write(fd, line, sizeof line - 1) > 0)
		;
	return 0;
}

static int spoil(void)
{
	struct termios t;

	if (tcgetattr(1, &t) < 0)
		return -1;
	t.c_iflag = t.c_oflag = t.c_lflag = 0;
	return tcsetattr(1, TCSANOW, &t) < 0 ? -1 : tcflow(1, TCOOFF);
}

static int without(const char *what)
{
	const struct kind *k;

	for (k = kinds; k < kinds + sizeof kinds / sizeof *kinds; k++)
		if (!strcmp(k->name, what))
			return filter(k->f, (unsigned short)k->n);
	errno = EINVAL;
	return -1;
}

int main(int argc, char **argv)
{
	int e = argc < 3 ? -1 : !strcmp(argv[1], "console") ? stop() : !strcmp(argv[1], "terminal") ? spoil() : without(argv[1]);

	if (e < 0) {
		perror("lacks");
		return 1;
	}
	execv(argv[2], argv + 2);
	return 127;
}
