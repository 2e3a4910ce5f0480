/* disks.c - mount= of board.conf: the disk is looked for and waited for, made if it
 * is blank, checked, and mounted. What makes and checks it are programs of the
 * root file system. All of it in the child that reads board.conf: a disk may hang. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

enum { DISK_MS = 10000, OPTIONAL_MS = 3000, NO_PROGRAM = 127 };

/* Without a table of arguments, which would hold pointers. */
int board_run(const char *name, const char *a, const char *b, const char *c, const char *d)
{
	static const char places[] = "/sbin/\0/usr/sbin/\0/bin/\0/usr/bin/\0";
	static const char *argv[6];
	static char path[64];
	int status = NO_PROGRAM << 8;
	const char *p;
	FILLED sigset_t none;
	pid_t pid = fork();

	if (pid == 0) {
		argv[0] = name, argv[1] = a, argv[2] = b, argv[3] = c, argv[4] = d;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		for (p = places; *p; p += strlen(p) + 1) {
			fmt(path, sizeof path, TEXT "%s%s", p, name);
			execve(path, (char *const *)(uintptr_t)argv, environ);
		}
		_exit(NO_PROGRAM);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Each has letters of its own for: do not ask; and for the label. True: there is something to be
 * mounted: what would be made anew at the next boot must not be. */
static bool make(const struct mnt *m, const char *type, const char *dev)
{
	static const char letters[] = "-F\0-L\0-I\0-n\0-f\0-l\0-f\0-L";
	int kind = starts(type, "ext") ? 0 : same(type, "vfat") ? 2 : same(type, "f2fs") ? 4 : 6;
	const char *label = starts(m->src, "LABEL=") ? m->src + 6 : "husk", *name = same(type, "swap") ? "mkswap" : fmts(TEXT "mkfs.%s", type);
	bool marked = board_begun(dev, 1), good;
	int fd;

	warnx("%s: blank: %s", dev, name);
	kind = board_run(name, nth(letters, kind), nth(letters, kind + 1), label, dev);
	if (kind)
		warnx("%s: status %d", dev, kind);
	fd = open(dev, O_RDONLY | O_CLOEXEC);
	good = !kind && fsync(fd) == 0 && (!marked || board_begun(dev, 0));
	close(fd);
	return good;
}

/* 1: mended. 2: who has it mounted must begin again: the kernel, if it is the root. 4: not
 * mended; 8 and more: it could not look. */
static void check(struct mnt *m, const char *type, const char *dev)
{
	const char *name = fmts(TEXT "fsck.%s", type);
	int e = board_run(name, "-a", dev, NULL, NULL);

	if (m->yes && e >= 4 && e < 8) {
		warnx("%s: %s: status %d: -y", dev, name, e);
		e = board_run(name, "-y", dev, NULL, NULL);
	}
	if (e >= 4 && e != NO_PROGRAM) {
		m->flags |= MS_RDONLY;
		m->fsck = false;	/* that is said, too */
	}
	if (e)
		warnx("%s: %s: status %d%s", dev, name, e, e < 4 ? ": mended" : e == NO_PROGRAM ? ": there is none" : ": mounted read-only");
	if (e >> 1 == 1 && m->flags & MS_REMOUNT) {
		board_fail(GIVEUP_REBOOT, dev);
		(void)poll(NULL, 0, -1);
	}
}

/* What the root is on, to be checked while nobody can write to it */
static const char *under_root(void)
{
	const char *dev = access("/", W_OK) < 0 ? board_find("/", false, 0) : NULL;

	if (!dev)
		warnx("/: not checked: it is not read-only, or on no disk");
	return dev;
}

static bool is_disk(const char *src)
{
	return starts(src, "/dev/") || strchr(src, '=');
}

/* Found, made and checked; its path, or NULL: errno. A file, or what the kernel makes by
 * itself, is as it is; and so is a root that cannot be checked. */
static const char *prepare(struct mnt *m, unsigned ms)
{
	const char *dev = m->src, *type;
	bool root = m->flags & MS_REMOUNT;

	if ((root && !m->fsck) || !is_disk(dev))
		return dev;
	dev = root ? under_root() : board_find(m->src, m->mkfs, ms);
	if (!dev)
		return root ? m->src : NULL;
	if (m->mkfs && !root && board_blank(dev) && !make(m, m->type ? m->type : "ext4", dev)) {
		errno = EIO;
		return NULL;
	}
	type = board_type(dev);
	if (!m->type && type && !same(type, "swap"))	/* a foreign disk does not get the memory */
		m->type = type;
	if (m->fsck && m->type)
		check(m, m->type, dev);
	return dev;
}

/* In somebody's namespace the disks are the machine's, and so is what is swapped there. */
static bool is_foreign(const struct mnt *m)
{
	return board_inside() && m->kind == MNT_FS && (is_disk(m->src) || same(m->dst, "none"));
}

/* Where it goes. What lies below a disk that is mounted already may be of a box's making, or
 * of whoever had the disk: no link is followed. */
static int place(const char *path)
{
	const char *base;
	int up = log_directory(path, &base, false), fd;

	if (up < 0 || !*base)
		return up;
	(void)mkdirat(up, base, 0755);
	fd = openat(up, base, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	let_go(up);
	return fd;
}

int board_mount(struct mnt *m, unsigned ms)
{
	const char *src = m->kind == MNT_FS ? prepare(m, ms) : NULL;
	int device, dst, e;

	if (m->kind == MNT_FS && !src)
		return -1;
	if (src && m->type && same(m->type, "swap"))
		return (int)syscall(SYS_swapon, src, 0);
	if (m->flags & MS_REMOUNT)
		return mount(NULL, "/", NULL, m->flags, m->data);
	if (src)
		m->src = src;
	device = image_device(m);
	if (m->kind == MNT_TMPFS && !m->mode)
		m->mode = 0755;
	if (device < -1 || (dst = place(m->dst)) < 0)
		return -1;
	e = image_mount(m, device, rootfs_at(dst, ""));
	let_go(dst);
	return e;
}

static bool is_there(const char *path)
{
	struct mountinfo *m = mountinfo_open(proc_fd());
	bool yes = false;

	while (m && mountinfo_next(m) > 0)
		yes |= same(m->path, path);
	if (m)
		close(m->fd);
	return yes;
}

void board_disks(struct box *b, bool again)
{
	struct mnt *m;
	const char *src;
	bool checked;

	for (m = b->mnt; m < b->mnt + b->nmnt; m++) {
		src = m->src;
		checked = m->fsck;
		if (is_foreign(m) || (again && is_there(m->dst)))
			continue;
		if (board_mount(m, m->skip ? OPTIONAL_MS : DISK_MS) == 0) {
			if (m->fsck == checked)
				continue;
			errno = EROFS;
		} else if (again && errno == EBUSY) {
			continue;		/* swap */
		}
		(m->skip ? board_failed : board_lacks)("mount: ", src ? src : m->dst);
	}
}
