/*
 * machine.c - what husk check finds beyond the text: what a start would miss.
 *
 * Looks only, below ROOTFS where one is named (on a build machine, where
 * sources and devices are not there yet). The start itself asks nothing here:
 * its rows find out by themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

/* Does a mount of the box bring the path? */
static bool covered(const struct box *b, const char *path, const char *except)
{
	int i;

	for (i = 0; i < b->nmnt; i++)
		if (b->mnt[i].dst != except && rootfs_below(path, b->mnt[i].dst))
			return true;
	for (i = 0; i < NDM; i++)
		if (b->mounts >> i & 1 && rootfs_below(path, rootfs_default(i)) && !same(path, rootfs_default(i)))
			return true;
	return false;
}

static struct stat seen;		/* by look() */

/* 0, or errno */
static int look(int top, const char *path)
{
	int fd = walk(top, path, O_PATH), e = errno;

	if (fd < 0)
		return e;
	e = fstat(fd, &seen) < 0 ? errno : 0;
	close(fd);
	return e;
}

static int source(const struct box *b, int i, int top, bool elsewhere)
{
	const struct mnt *m = &b->mnt[i];
	int e;

	if (m->kind == MNT_TMPFS || *m->src != '/' || m->create || m->skip)
		return 0;
	if ((e = look(top, m->src))) {
		cfg.warning = elsewhere;
		return cfg_error(i, "%s: %s: %s", mnt_key(m->kind), m->src, strerror(e));
	}
	if (m->kind == MNT_FS || rootfs_below(m->src, "/proc") || rootfs_below(m->src, "/sys") || rootfs_below(m->src, "/dev"))
		return 0;
	cfg.warning = S_ISSOCK(seen.st_mode) || S_ISREG(seen.st_mode);
	if (S_ISSOCK(seen.st_mode))
		return cfg_error(i, "bind: %s is a socket: bind its directory, it is made anew when its server restarts", m->src);
	if (S_ISREG(seen.st_mode))
		return cfg_error(i, "bind: %s is a file: bind its directory, or a new one is not seen", m->src);
	return 0;
}

static int target(const struct box *b, int i, int inside)
{
	const struct mnt *m = &b->mnt[i];
	if (b->root_rw || m->skip || covered(b, m->dst, m->dst) || !look(inside, m->dst))
		return 0;
	return cfg_error(i, "%s: %s is not in the read-only root: make it in the image", mnt_key(m->kind), m->dst);
}

static int devices(const struct box *b, int top)
{
	int i, e, n = 0;

	for (i = 0; i < b->ndev; i++)
		if (!b->dev[i].skip && !strchr(b->dev[i].host, '*') && (e = look(top, b->dev[i].host)))
			n += cfg_error(i, "device: %s is not here now: %s", b->dev[i].host, strerror(e));
	return n;
}

/* ------------------------------------------------------------------ program */

/* 1: it is there; 0: it is not; -1: it is, and cannot be executed */
static int runs(const struct box *b, int inside, const char *path)
{
	if (covered(b, path, NULL))
		return 1;
	if (look(inside, path))
		return 0;
	return S_ISREG(seen.st_mode) && seen.st_mode & 0111 ? 1 : -1;
}

static int search(const struct box *b, int inside, const char *dirs)
{
	static char path[512];
	const char *end;
	int found;

	for (; *dirs; dirs = *end ? end + 1 : end) {
		end = strchrnul(dirs, ':');
		fmt(path, sizeof path, "%.*s/%s", (int)(end - dirs), dirs, b->argv[0]);
		if (*path == '/' && (found = runs(b, inside, path)))
			return found;
	}
	return 0;
}

static int program(const struct box *b, int inside)
{
	const char *path = "";
	int i, found;

	if (!b->narg)
		return 0;
	for (i = 0; i < b->nenv; i++)
		if (starts(b->env[i], "PATH="))
			path = b->env[i] + 5;
	found = *b->argv[0] == '/' ? runs(b, inside, b->argv[0]) : search(b, inside, path);
	if (found < 0)
		return cfg_error(0, "exec: %s cannot be executed", b->argv[0]);
	return found ? 0 : cfg_error(0, "exec: %s is not in the root", b->argv[0]);
}

static int directory(const struct box *b, int inside)
{
	if (covered(b, b->cwd, NULL) || (!look(inside, b->cwd) && S_ISDIR(seen.st_mode)))
		return 0;
	return cfg_error(0, "cwd: %s is not a directory of the root", b->cwd);
}

/* --------------------------------------------------------------------- user */

/* The text of a small file of the root, in what is free of the text buffer. */
static char *slurp(int inside, const char *path)
{
	int fd = walk_file(inside, path, &seen);
	size_t max;
	char *text = cfg_rest(&max);
	ssize_t n = -1;

	if (fd < 0)
		return NULL;
	n = read(fd, text, max - 1);
	close(fd);
	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text;
}

/* name:x:ID: ... of passwd and group; what is wrong goes to key */
static int name(const char *key, int item, int inside, const char *path, const char *who)
{
	char *p = slurp(inside, path), *next, *colon;
	static struct near near;

	if (!p)
		return cfg_error(item, "%s: \"%s\": no %s in the root: write the number", key, who, path);
	near_begin(&near, who);
	for (; p; p = next) {
		if ((next = strchr(p, '\n')))
			*next++ = '\0';
		if (!(colon = strchr(p, ':')))
			continue;
		*colon = '\0';
		near_try(&near, p);
		if (!same(p, who))
			continue;
		p = strchr(colon + 1, ':');
		if (p && starts(p, ":0:") && !same(who, "root"))
			return cfg_error(item, "%s: \"%s\" is number 0 in %s of the root: write root", key, who, path);
		return 0;
	}
	return cfg_error(item, "%s: no \"%s\" in %s of the root%s", key, who, path, near_hint(&near));
}

static int users(const struct box *b, int inside)
{
	int i, n = 0;

	if (b->user && !same(b->user, "root"))
		n += name("user", 0, inside, "/etc/passwd", b->user);
	if (b->group)
		n += name("user", 0, inside, "/etc/group", b->group);
	for (i = 0; i < b->ngroup; i++)
		if (b->groups[i].name)
			n += name("groups", i, inside, "/etc/group", b->groups[i].name);
	return n;
}

/* ---------------------------------------------------------------------- all */

/* The root of the box as it lies outside: -1: cannot be looked into */
static int open_root(const struct box *b, int top, int *n)
{
	int fd;

	if (b->root == ROOT_TMPFS || b->ns[NS_MNT] == NSM_JOIN)
		return -1;
	if (b->root == ROOT_HOST)
		return fcntl(top, F_DUPFD_CLOEXEC, 3);
	if ((fd = walk(top, b->rootdir, O_PATH | O_DIRECTORY)) < 0)
		*n += cfg_error(0, "root: %s: %s", b->rootdir, strerror(errno));
	return fd;
}

int cfg_machine(const struct box *b, const char *root)
{
	int top = open(root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC), inside, i, n = 0;

	if (top < 0) {
		say(2, "husk: check: %s: %s\n", root, strerror(errno));
		return 2;
	}
	inside = open_root(b, top, &n);
	for (i = 0; i < b->nmnt; i++)
		n += source(b, i, top, root != NULL) + (inside < 0 ? 0 : target(b, i, inside));
	if (!root)
		n += devices(b, top);
	if (inside >= 0) {
		n += program(b, inside) + directory(b, inside) + users(b, inside);
		close(inside);
	}
	if (b->ngroup && !root && getauxval(AT_EUID))
		n += cfg_error(0, "groups: an unprivileged caller keeps his own groups");
	close(top);
	return n ? 2 : 0;
}
