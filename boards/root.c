/* root.c - the root file system: one that can be pivoted, the real one of an initramfs,
 * and a writable one over one that is not. Each is mounted on /, where nobody sees it
 * but by /.., above the root: the kernel goes up there to what was mounted last. Then
 * all other mounts move there, and who is to live there follows. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "husk.h"

enum { ROOT_MS = 10000, DEPTH = 32 };

#define LAYER	"/run/husk.root"	/* where the writable one lies until it is mounted */

int board_follow(void)
{
	return chdir("/..") < 0 || chroot(".") < 0 ? -1 : 0;
}

/* What lies below another mount went with that one, and is refused. */
static int move_all(void)
{
	int proc = proc_fd();
	struct mountinfo *m = mountinfo_open(proc);

	while (m && mountinfo_next(m) > 0)
		if (m->path[1])
			(void)mount(m->path, fmts(TEXT "/..%s", m->path), NULL, MS_MOVE, NULL);
	if (m)
		close(m->fd);
	close(proc);
	return board_follow();
}

static bool in_memory(void)
{
	FILLED struct statfs root;

	return statfs("/", &root) == 0 && ((uint32_t)root.f_type == RAMFS_MAGIC || (uint32_t)root.f_type == TMPFS_MAGIC);
}

/* The root of an initramfs cannot be pivoted, because nothing lies below it: so a bind
 * of it is mounted over it. */
void board_root(void)
{
	if (in_memory() && (mount("/", "/", NULL, MS_BIND, NULL) < 0 || move_all() < 0))
		board_failed("root: ", "/");
}

/* All of it that is of that file system: its memory is given back. */
static void empty(int dir, dev_t dev, int depth)
{
	struct { uint64_t ino, off; uint16_t len; char type, name[]; } *e;
	uint8_t buf[1024] __attribute__((aligned(8)));
	FILLED struct stat st;
	long n, at;
	int fd;

	while ((n = syscall(SYS_getdents64, dir, buf, sizeof buf)) > 0)
		for (at = 0; at < n; at += e->len) {
			e = (void *)(buf + at);
			if (same(e->name, ".") || same(e->name, "..") || unlinkat(dir, e->name, 0) == 0)
				continue;
			fd = openat(dir, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (depth && fstat(fd, &st) == 0 && st.st_dev == dev)
				empty(fd, dev, depth - 1);
			close(fd);
			(void)unlinkat(dir, e->name, AT_REMOVEDIR);
		}
}

static bool has(const char *path)
{
	int dir = open("/..", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = walk(dir, path, O_PATH);

	close(dir);
	close(fd);
	return fd >= 0;
}

/* What is to be executed there */
static const char *next_init(const char *asked)
{
	static const char inits[] = "/sbin/husk\0/sbin/init\0/etc/init\0/bin/init\0";
	const char *p = inits;

	if (asked)
		return has(asked) ? asked : NULL;
	while (*p && !has(p))
		p += strlen(p) + 1;
	return *p ? p : NULL;
}

/* From here on there is no way back: what lay in the initramfs goes. */
static int leave(void)
{
	int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), e;
	FILLED struct stat st;

	e = fstat(old, &st) < 0 || move_all() < 0 ? -1 : 0;
	if (!e)
		empty(old, st.st_dev, DEPTH);
	close(old);
	return e;
}

bool board_wants_root(const struct board *b)
{
	const char *src = b->root.src ? b->root.src : board_cmdline()->root;

	return src && !same(src, "no") && in_memory();
}

int board_real_root(const struct board *b, char *init, size_t max)
{
	const struct cmdline *c = board_cmdline();
	struct mnt m = b->root;
	const char *src, *at;
	int e;

	if (!m.src) {
		m.kind = MNT_FS;
		m.flags = MS_RDONLY;
		m.src = c->root;
		m.type = c->rootfstype;
		m.data = c->rootflags;
	}
	m.dst = "/";
	if (c->rw)
		m.flags &= ~(uint32_t)MS_RDONLY;
	src = m.src;
	while ((e = board_mount(&m, c->rootwait ? ~0u : ROOT_MS)) < 0 && errno == EACCES && !(m.flags & MS_RDONLY))
		m.flags |= MS_RDONLY;		/* rw on a disk that cannot be written: as the kernel does it */
	if (e == 0) {
		at = next_init(c->init);
		errno = ENOENT;
		if (at && leave() == 0) {
			copy(init, max, at);
			return 1;
		}
		src = at ? "/" : c->init ? c->init : "/sbin/init";
		board_failed("root: ", src);
		(void)umount2("/..", MNT_DETACH);
		return -1;
	}
	board_failed("root: ", src);
	return -1;
}

void board_enter(const char *init, char **argv)
{
	FILLED sigset_t none, was;

	sigemptyset(&none);
	if (board_follow() == 0) {
		sigprocmask(SIG_SETMASK, &none, &was);
		argv[0] = (char *)(uintptr_t)init;
		execve(init, argv, environ);
		sigprocmask(SIG_SETMASK, &was, NULL);
	}
	board_failed("root: ", init);
}

/* SIZE of memory, or DIR, which then lies on a disk that mount= has mounted. The kernel
 * holds on to what the layers lie on: nobody reaches that any more, to make it read-only
 * on the way down. */
bool board_overlay(const char *value)
{
	const char *at = *value == '/' ? value : LAYER;
	int e = 0;

	(void)mkdir(at, 0755);
	(void)mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	if (at != value)
		e = mount("tmpfs", at, "tmpfs", 0, fmts(TEXT "mode=755,size=%s", value));
	(void)mkdir(fmts(TEXT "%s/upper", at), 0755);
	(void)mkdir(fmts(TEXT "%s/work", at), 0755);
	if (!e)
		e = mount("overlay", "/", "overlay", 0, fmts(TEXT "lowerdir=/,upperdir=%s/upper,workdir=%s/work", at, at));
	if (e < 0)
		board_lacks("overlay: ", value);
	if (at != value) {
		(void)umount2(at, MNT_DETACH);
		(void)rmdir(at);
	}
	return e == 0 && move_all() == 0;
}
