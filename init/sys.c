/* sys.c - system calls that musl does not know, or not in this form; those whose
 * arguments are the kernel's are rows of arch/calls.S. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

int sys_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = resolve };

	return (int)syscall(__NR_openat2, dir, path, &how, sizeof how);
}

int sys_mount_setattr(int dir, const char *path, unsigned flags, uint64_t set, uint64_t clr,
	uint64_t propagation, int userns)
{
	uint64_t attr[4] = { set, clr, propagation, userns < 0 ? 0 : (uint64_t)userns };

	return (int)syscall(__NR_mount_setattr, dir, path, flags, attr, sizeof attr);
}

int sys_close_range(unsigned first, unsigned last)
{
	return (int)syscall(__NR_close_range, first, last, 0);
}

int sys_pidfd_send(int pidfd, int sig)
{
	return (int)syscall(__NR_pidfd_send_signal, pidfd, sig, NULL, 0);
}

/* Without close_range: what /proc/self/fd lists. Read again until a pass finds
 * nothing, because closing moves the directory under the reader. */
static int close_listed(int proc, unsigned from, const int *keep, int n)
{
	struct { uint64_t ino, off; uint16_t len; uint8_t type; char name[]; } *e;
	static char buf[2048] __attribute__((aligned(8)));
	uint64_t fd;
	long got, at;
	int dir, i, closed;

	do {
		if ((dir = openat(proc, proc < 0 ? "/proc/self/fd" : "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
			return -1;
		for (closed = 0; (got = syscall(__NR_getdents64, dir, buf, sizeof buf)) > 0; )
			for (at = 0; at < got; at += e->len) {
				e = (void *)(buf + at);
				if (number(e->name, 1 << 30, &fd) || fd < from ||
				    (int)fd == dir || (int)fd == proc)
					continue;
				for (i = 0; i < n && keep[i] != (int)fd; i++)
					;
				if (i == n && close((int)fd) == 0)
					closed++;
			}
		close(dir);
		if (got < 0)
			return -1;
	} while (closed);
	for (i = 0; i < n && keep[i] != proc; i++)
		;
	return i < n || proc < 0 ? 0 : close(proc);
}

/* Closes the gaps between what is kept; without close_range one by one. The log opens
 * what it has anew. */
int close_others(int proc, unsigned from, const int *keep, int n)
{
	unsigned next, first = from;
	int i;

	log_let_go();
	while (from != ~0u) {
		for (next = ~0u, i = 0; i < n; i++)
			if (keep[i] >= (int)from && (unsigned)keep[i] < next)
				next = (unsigned)keep[i];
		if (next != from && sys_close_range(from, next == ~0u ? ~0u : next - 1) < 0)
			return close_listed(proc, first, keep, n);
		from = next == ~0u ? ~0u : next + 1;
	}
	return 0;
}
