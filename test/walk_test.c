/*
 * walk_test.c - the walk by hand against openat2 on the same random trees, and
 * against somebody who renames meanwhile. unit: rootfs/walk.c init/util.c
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

static int refused;		/* errno of openat2, or 0 */
static int asked;
static int tests;

int sys_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { flags, mode, resolve };

	asked++;
	if (refused) {
		errno = refused;
		return -1;
	}
	return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

const char *rootfs_at(int fd, const char *name)
{
	static char path[64];

	snprintf(path, sizeof path, *name ? "/proc/self/fd/%d/%s" : "/proc/self/fd/%d", fd, name);
	return path;
}

size_t vfmt(char *to, size_t max, const char *f, va_list *ap)
{
	return (size_t)vsnprintf(to, max, f, *ap);
}

static void ok(int good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests, what);
}

static unsigned next(unsigned n)
{
	static unsigned seed = 12345;

	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* what a random path is made of */
static const char *const parts[] = { "a", "b", "c", "l", "m", "..", ".", "", "f" };

static void path_of(char *to, unsigned n)
{
	*to = '\0';
	if (next(3) == 0)
		strcat(to, "/");
	while (n--) {
		strcat(to, parts[next(9)]);
		if (n || next(8) == 0)
			strcat(to, "/");
	}
}

static void grow(int dir, int depth)
{
	char to[64];
	int i, fd;

	for (i = 0; i < 3; i++)
		if (mkdirat(dir, parts[i], 0755) == 0 && depth && (fd = openat(dir, parts[i], O_RDONLY)) >= 0) {
			grow(fd, depth - 1);
			close(fd);
		}
	for (i = 3; i < 5; i++) {
		path_of(to, 1 + next(3));
		if (*to)
			(void)!symlinkat(to, dir, parts[i]);
	}
	close(openat(dir, "f", O_CREAT | O_WRONLY, 0644));
}

static int same_thing(int a, int b)
{
	struct stat s, t;

	return fstat(a, &s) == 0 && fstat(b, &t) == 0 && s.st_dev == t.st_dev && s.st_ino == t.st_ino;
}

/* Where one fails the other must, too; which of two reasons comes first may differ. */
static int compare(int root)
{
	static const int flags[] = { O_PATH, O_PATH | O_NOFOLLOW, O_PATH | O_DIRECTORY, O_RDONLY, O_RDONLY | O_NOFOLLOW };
	char path[128];
	int i, kernel, hand, f, bad = 0, good = 0;
	struct open_how how = { .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	for (i = 0; i < 60000; i++) {
		path_of(path, 1 + next(6));
		f = flags[next(5)];
		how.flags = (uint64_t)(f | O_CLOEXEC);
		do		/* a rename anywhere on the machine */
			kernel = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
		while (kernel < 0 && errno == EAGAIN);
		hand = walk(root, path, f);
		if ((kernel < 0) != (hand < 0) || (hand >= 0 && !same_thing(kernel, hand))) {
			/* a slash behind a link to a file: the kernel wants a directory */
			if (kernel >= 0 || !*path || path[strlen(path) - 1] != '/') {
				printf("# %s flags %o: kernel %d, by hand %d\n", path, (unsigned)f, kernel, hand);
				bad++;
			}
		}
		good += hand >= 0;
		close(kernel);
		close(hand);
	}
	printf("# %d of %d led somewhere\n", good, i);
	return !bad && good > 1000;
}

static int fds(void)
{
	int i, n = 0;

	for (i = 0; i < 256; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

/* Somebody exchanges a directory and a link that leads out, all the time. */
static int attacked(int root, const char *secret)
{
	struct stat s, t;
	int i, fd, out = 0, in = 0;
	pid_t pid;

	if (stat(secret, &s) < 0)
		return 0;
	pid = fork();
	if (pid == 0)
		for (;;) {
			syscall(SYS_renameat2, root, "x", root, "y", 2 /* RENAME_EXCHANGE */);
			syscall(SYS_renameat2, root, "x", root, "y", 2);
		}
	for (i = 0; i < 20000; i++) {
		fd = walk(root, "x/d/../d/file", O_PATH);
		if (fd >= 0 && fstat(fd, &t) == 0) {
			out += t.st_ino == s.st_ino && t.st_dev == s.st_dev;
			in++;
		}
		close(fd);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("# inside %d times, outside %d\n", in, out);
	return !out && in;
}

int main(void)
{
	char top[] = "/tmp/walk.XXXXXX", secret[64], link[96], command[64];
	int root, before, fd, n;

	if (!mkdtemp(top))
		return 1;
	snprintf(command, sizeof command, "rm -rf %s", top);
	snprintf(secret, sizeof secret, "%s/out", top);
	mkdir(secret, 0755);
	strcat(secret, "/d");
	mkdir(secret, 0755);
	strcat(secret, "/file");
	close(open(secret, O_CREAT | O_WRONLY, 0644));
	snprintf(link, sizeof link, "%s/root", top);
	mkdir(link, 0755);
	root = open(link, O_RDONLY | O_DIRECTORY);
	grow(root, 2);
	mkdirat(root, "x", 0755);
	mkdirat(root, "x/d", 0755);
	close(openat(root, "x/d/file", O_CREAT | O_WRONLY, 0644));
	(void)!symlinkat("../out", root, "y");
	(void)!symlinkat("../out", root, "climb");
	(void)!symlinkat(secret, root, "abs");
	(void)!symlinkat("loop", root, "loop");

	refused = EAGAIN;
	fd = walk(root, "x/d/file", O_PATH);
	ok(fd >= 0 && asked > 1, "EAGAIN is tried again, and is not for ever");
	close(fd);
	refused = 0;
	ok(attacked(root, secret), "renames while openat2 walks");

	refused = ENOSYS;
	n = asked;
	before = fds();
	ok(compare(root), "by hand as by the kernel");
	ok(asked == n + 1, "openat2 is asked once");
	ok(attacked(root, secret), "renames while we walk by hand");
	ok(walk(root, "climb/d/file", O_PATH) < 0, "a link that climbs stays inside");
	ok(walk(root, "abs", O_PATH) < 0, "an absolute link stays inside");
	ok(walk(root, "loop", O_PATH) < 0 && errno == ELOOP, "a loop ends");
	ok(walk(root, "loop/x", O_PATH) < 0 && errno == ELOOP, "a loop in the middle ends");
	ok((fd = walk(root, "loop", O_PATH | O_NOFOLLOW)) >= 0 && close(fd) == 0, "a link itself");
	fd = open("/proc", O_PATH);
	ok(walk(fd, "self/root", O_PATH) < 0 && walk(fd, "self/cwd/x", O_PATH) < 0 && walk(fd, "self/exe", O_PATH) < 0,
		"no magic link is followed");
	n = walk(fd, "self/status", O_RDONLY);
	ok(n >= 0, "an ordinary link of procfs is");
	close(n);
	close(fd);
	ok(fds() == before, "no descriptor is left");
	printf("1..%d\n", tests);
	return system(command) != 0;
}
