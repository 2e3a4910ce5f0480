/*
 * machine.c - what husk check finds beyond the text: what a start would miss.
 *
 * Looks only, below ROOTFS where one is named (on a build machine, where
 * sources and devices are not there yet). The start itself asks nothing here:
 * its rows find out by themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/elf-em.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
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
		if ((cfg.board || b->mounts >> i & 1) && rootfs_below(path, rootfs_default(i)) && !same(path, rootfs_default(i)))
			return true;
	return false;
}

static struct stat seen;		/* by look() */
enum { ANY, DIRECTORY, PROGRAM };

/* 0, or errno */
static int look(int top, const char *path, int kind)
{
	int fd = walk(top, path, O_PATH), e = errno;

	if (fd < 0)
		return e;
	e = fstat(fd, &seen) < 0 ? errno : 0;
	close(fd);
	if (kind == DIRECTORY && !S_ISDIR(seen.st_mode))
		return ENOTDIR;
	return kind == PROGRAM && !(S_ISREG(seen.st_mode) && seen.st_mode & 0111) ? EACCES : e;
}

static void absent(int row, int item, const char *path, int e)
{
	if (e)
		cfg_error(row, item, "%s: %s%s", path, strerror(e), strchr(path, ',') ? TEXT " - options stand behind a :" : "");
}

static void source(const struct box *b, int i, int top, bool elsewhere)
{
	const struct mnt *m = &b->mnt[i];
	int e, row = KEY_BIND + m->kind;
	bool sock;

	if (m->kind == MNT_TMPFS || *m->src != '/' || m->create || m->skip)
		return;
	if ((e = look(top, m->src, ANY))) {
		cfg.warning = elsewhere;
		absent(row, i, m->src, e);
		return;
	}
	sock = S_ISSOCK(seen.st_mode);
	if (m->kind == MNT_FS || !(sock || S_ISREG(seen.st_mode)) || cfg_kernels(m->src) ||
	    rootfs_below(m->src, "/dev"))
		return;
	cfg.warning = true;
	cfg_error(row, i, "%s is a %s: bind its directory, or a new one is not seen", m->src, sock ? "socket" : "file");
}

static void devices(const struct box *b, int top)
{
	int i;

	for (i = 0; i < b->ndev; i++)
		if (!b->dev[i].skip && !strchr(b->dev[i].host, '*'))
			absent(KEY_DEVICE, i, b->dev[i].host, look(top, b->dev[i].host, ANY));
}

/* ------------------------------------------------------------------- inside */

/* 0: the box has it, or a mount may bring it; or errno */
static int inside(const struct box *b, int root, const char *path, int kind)
{
	return covered(b, path, kind == ANY ? path : NULL) ? 0 : look(root, path, kind);
}

static void missing(int row, int item, const char *path, int e)
{
	if (e)
		cfg_error(row, item, "%s of the root: %s%s", path, strerror(e), strchr(path, ' ') ? TEXT " - quotes make one word of it" : "");
}

/* A board's root may be one that can be written to: husk makes them there. */
static void places(const struct box *b, int root)
{
	const struct mnt *m;

	for (m = b->mnt; m < b->mnt + b->nmnt; m++)
		if (!m->skip && *m->dst == '/' && inside(b, root, m->dst, ANY)) {
			cfg.warning = cfg.board;
			cfg_error(KEY_BIND + m->kind, (int)(m - b->mnt), "%s is not in the image: a read-only root needs it", m->dst);
		}
}

static void targets(const struct box *b, int root)
{
	const char *path;
	int i;

	if (b->root_rw)
		return;
	/* those in /dev are made, or the start goes on without them */
	for (i = 0; i < NDM; i++) {
		path = rootfs_default(i);
		if (b->mounts >> i & 1 && !strchr(path + 1, '/'))
			missing(KEY_MOUNTS, 0, path, inside(b, root, path, DIRECTORY));
	}
	places(b, root);
}

/* What the first bytes of a program say of the ABI that it is made for, which the
 * filter may not know. */
static void abi(const struct box *b, int root, const char *path)
{
	static union { uint8_t head[20]; uint32_t magic; } elf;
	int fd = walk(root, path, O_RDONLY), proc;
	bool small;

	if (fd < 0 || read(fd, &elf, sizeof elf) != sizeof elf || elf.magic != 0x464c457f || !b->nbpf)
		elf.head[18] = 0;
	close(fd);
	small = elf.head[18] == EM_386 || elf.head[18] == EM_ARM;
	if (b->abi == ABI_NATIVE && small && filter_compat(false)) {
		proc = proc_fd();
		cfg_error(KEY_EXEC, 0, "%s: 32-bit program - abi=32 (this kernel: %s)", path, caps_compat(proc) ? "yes" : "no");
		close(proc);
	}
	if (b->abi == ABI_32 && (elf.head[18] == EM_X86_64 || elf.head[18] == EM_AARCH64))
		cfg_error(KEY_EXEC, 0, "%s: 64-bit program - abi=both", path);
}

/* What is to lie over something needs it; a default one that is not there needs no cover. */
static void covers(const struct box *b, int root, int row, const char *const *list, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (cfg_layer(row, i) > L_USE && !cfg_is_default(list[i]))
			missing(row, i, list[i], inside(b, root, list[i], ANY));
}

/* The first word of PATH ARG ...; "" where it is quoted, which is rare */
static const char *word(const char *text)
{
	return *text == '/' ? fmts("%.*s", (int)strcspn(text, " \t"), text) : "";
}

static void command(int row, int item, int top, const char *text)
{
	const char *path = word(text);

	if (*path)
		absent(row, item, path, look(top, path, PROGRAM));
}

static void started(const struct box *b, int item, int root)
{
	const char *path = word(b->hook[item].text);

	if (*path)
		missing(KEY_HOOK, item, path, inside(b, root, path, PROGRAM));
}

/* Is it in a list as the kernel prints it? */
static bool listed(const char *s, uint64_t n)
{
	uint64_t from = 1, to = 0;

	while (*s && (n < from || n > to)) {
		s = decimal(s, &from);
		to = from;
		if (*s == '-')
			s = decimal(s + 1, &to);
		s += *s == ',' || *s == '\n';
	}
	return n >= from && n <= to;
}

/* Of those that may never come the start is refused; the others may. */
static void processors(const struct knob *k, int item)
{
	static char online[256], possible[256];
	const char *dir = k->row == KEY_CPUSET_CPUS ? "cpu" : "node";
	unsigned i;

	if (read_file(fmts("/sys/devices/system/%s/online", dir), online, sizeof online) < 0 ||
	    read_file(fmts("/sys/devices/system/%s/possible", dir), possible, sizeof possible) < 0)
		return;
	for (i = 0; i < MAXCPU; i++)
		if (listed(k->text, i) && !listed(online, i)) {
			cfg.warning = listed(possible, i);
			cfg_error(k->row, item, "%u: this machine has %.*s", i, (int)strcspn(online, "\n"), online);
			return;
		}
}

/* Programs of outside, and what only this machine has */
static void outside(const struct box *b, int top, bool elsewhere)
{
	static uint8_t cpus[sizeof b->affinity];
	unsigned i, any = 0;

	for (i = 0; i < b->nhook; i++)
		if (b->hook[i].stage != HOOK_STARTCONTAINER)
			command(KEY_HOOK, (int)i, top, b->hook[i].text);
	for (i = 0; HAS(knobs) && i < b->nknob && !elsewhere; i++)
		if (!b->knob[i].skip && b->knob[i].of && *b->knob[i].of == '/')
			absent(b->knob[i].row, (int)i, b->knob[i].of, look(top, b->knob[i].of, ANY));
		else if (!b->knob[i].skip && b->knob[i].row <= KEY_CPUSET_MEMS)
			processors(&b->knob[i], (int)i);
	if (elsewhere || !b->has_affinity || syscall(SYS_sched_getaffinity, 0, sizeof cpus, cpus) < 0)
		return;
	for (i = 0; i < sizeof cpus; i++)
		any |= cpus[i] & ((const uint8_t *)b->affinity)[i];
	if (!any)
		cfg_error(KEY_AFFINITY, 0, "this machine has none of these CPUs");
}

/* By the box's own PATH */
static void program(const struct box *b, int root, bool elsewhere)
{
	static char path[512];
	int i = cfg_env(b, "PATH=", 5), e = ENOENT;
	const char *dirs = i < b->nenv ? b->env[i] + 5 : "", *end;

	if (*b->argv[0] == '/')
		copy(path, sizeof path, b->argv[0]), e = inside(b, root, path, PROGRAM);
	else for (; *dirs && e == ENOENT; dirs = *end ? end + 1 : end) {
		end = strchrnul(dirs, ':');
		fmt(path, sizeof path, "%.*s/%s", (int)(end - dirs), dirs, b->argv[0]);
		e = *path == '/' ? inside(b, root, path, PROGRAM) : ENOENT;
	}
	missing(KEY_EXEC, 0, b->argv[0], e);
	if (sizeof(long) == 8 && !e && !elsewhere && !covered(b, path, NULL))
		abi(b, root, path);
}

/* The text of a small file of the root, in what is free of the text buffer. */
static char *slurp(int root, const char *path)
{
	int fd = walk_file(root, AT_FDCWD, path, &seen);
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

/* name:x:ID: ... of passwd and group; what is wrong goes to the key */
static void name(int row, int item, int root, const char *path, const char *who)
{
	static struct near near;
	char *text = slurp(root, path), *line, *field;

	near_begin(&near, who);
	while ((line = strsep(&text, "\n"))) {
		field = strsep(&line, ":");
		near_try(&near, field);
		if (!line || !same(field, who))
			continue;
		strsep(&line, ":");
		if (line && starts(line, "0:") && !same(who, "root"))
			cfg_error(row, item, "\"%s\" is number 0 in %s of the root: write root", who, path);
		return;
	}
	cfg_error(row, item, "no \"%s\" in %s%s%s", who, path, row == KEY_LISTEN ? "" : " of the root", near_hint(&near));
}

static void users(const struct box *b, int root)
{
	int i;

	if (b->user && !same(b->user, "root"))
		name(KEY_USER, 0, root, "/etc/passwd", b->user);
	if (b->group)
		name(KEY_USER, 0, root, "/etc/group", b->group);
	for (i = 0; i < b->ngroup; i++)
		if (b->groups[i].name)
			name(KEY_GROUPS, i, root, "/etc/group", b->groups[i].name);
}

/* Files of fd=, and where the paths of listen= are to be: both of outside. On a build machine
 * neither may be there yet. */
static void given(const struct box *b, int top, bool elsewhere)
{
	const struct listening *l = b->listen;
	static char dir[sizeof ((struct sockaddr_un *)0)->sun_path];
	int i;

	for (i = 0; i < b->nfd; i++) {
		cfg.warning = elsewhere;
		if (!b->fd[i].skip)
			absent(KEY_FD, i, b->fd[i].path, look(top, b->fd[i].path, ANY));
		if (!look(top, b->fd[i].path, DIRECTORY))
			cfg_error(KEY_FD, i, "%s: a directory would lead out of the box - bind=", b->fd[i].path);
	}
	for (i = 0; i < b->nlisten; i++, l++) {
		cfg.warning = elsewhere;
		if (l->owner.name)
			name(KEY_LISTEN, i, top, "/etc/passwd", l->owner.name);
		if (!l->path)
			continue;
		fmt(dir, sizeof dir, "%.*s", (int)(strrchr(l->path, '/') - l->path) + 1, l->path);
		absent(KEY_LISTEN, i, dir, look(top, dir, DIRECTORY));
		if (look(top, l->path, ANY) == 0 && !S_ISSOCK(seen.st_mode))
			cfg_error(KEY_LISTEN, i, "%s is there, and no socket", l->path);
	}
	cfg.warning = false;
}

/* A file is none that can be waited for; but a box may be called so. Nor is who is in no
 * file of the same place; but he may be started by other means, and an order without him is
 * one. */
static void waits(const struct box *b, int row, const char *const *list, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		if (*list[i] == '/')
			continue;
		cfg.warning = true;
		if (strstr(list[i], ".conf"))
			cfg_error(row, i, "%s: the name of a box, without .conf", list[i]);
		else if (row == KEY_NEEDS && b->file && !cfg_file_of(b->file, list[i]))
			cfg_error(row, i, "%s: no file beside this one is of that box", list[i]);
		cfg.warning = false;
	}
}

/* ---------------------------------------------------------------------- all */

/* The root of the box as it lies outside; -1: cannot be looked into */
static int open_root(const struct box *b, int top)
{
	const char *path = b->root == ROOT_HOST ? "/" : b->rootdir;
	int fd;

	if (b->root == ROOT_TMPFS || b->ns[NS_MNT] == NSM_JOIN)
		return -1;
	if ((fd = walk(top, path, O_PATH | O_DIRECTORY)) < 0)
		absent(KEY_ROOT, 0, path, errno);
	return fd;
}

/* Of what goes on to the file system a word may be a slip of one that is ours. */
static void slips(const struct mnt *m, int i)
{
	const char *p = m->type, *hint;
	int n;

	for (; p && *p; p = p == m->type ? m->data : p + n + (p[n] == ',')) {
		n = (int)strcspn(p, ",");
		hint = near_of(fmts("%.*s", n, p), cfg_mount_word);
		if (!*hint)
			continue;
		cfg.warning = true;
		cfg_error(KEY_MOUNT, i, "%.*s goes to the file system%s", n, p, hint);
	}
}

/* Its programs are on the board, or below ROOTFS; here they need not be. Its watchdog is
 * of no image. */
static void of_board(const struct box *b, int top, const char *below)
{
	bool elsewhere = !below && !on_board();
	int i;

	for (i = 0; i < b->nmnt; i++)
		slips(&b->mnt[i], i);
	if (!elsewhere)
		places(b, top);
	cfg.warning = elsewhere;
	if (b->board.dog && !b->board.dog_skip && !below)
		absent(KEY_BOARD_WATCHDOG, 0, b->board.dog, look(top, b->board.dog, ANY));
	cfg.warning = elsewhere;
	if (b->board.good)
		command(KEY_BOARD_GOOD, 0, top, b->board.good);
	for (i = 0; i < b->board.nconsole; i++) {
		cfg.warning = elsewhere;	/* it is of one error */
		command(KEY_BOARD_CONSOLE, i, top, b->board.console[i].words);
	}
	cfg.warning = false;
}

static void of_box(const struct box *b, int top, const char *below)
{
	int root, i;

	for (i = 0; i < b->nmnt; i++)
		source(b, i, top, below != NULL);
	if (!below)
		devices(b, top);
	given(b, top, below != NULL);
	outside(b, top, below != NULL);
	waits(b, KEY_NEEDS, b->needs, b->nneeds);
	waits(b, KEY_AFTER, b->after, b->nafter);
	if (b->life.giveup && (!b->life.tries || b->life.restart == RESTART_NO)) {
		cfg.warning = true;
		cfg_error(KEY_GIVEUP, 0, "never: only restart= with N/TIME gives up (on-failure 10/1h)");
	} else if (!below && b->life.giveup && !on_board()) {
		cfg.warning = true;
		cfg_error(KEY_GIVEUP, 0, "of a board alone: here husk is not process 1, and it is as stay");
	}
	if ((root = open_root(b, top)) >= 0) {
		targets(b, root);
		if (b->narg)
			program(b, root, below != NULL);
		missing(KEY_CWD, 0, b->cwd, inside(b, root, b->cwd, DIRECTORY));
		for (i = 0; i < b->nhook; i++)
			if (b->hook[i].stage == HOOK_STARTCONTAINER)
				started(b, i, root);
		covers(b, root, KEY_MASK, b->mask, b->nmask);
		covers(b, root, KEY_READONLY, b->ro, b->nro);
		users(b, root);
	}
	if (b->ngroup && !below && getauxval(AT_EUID))
		cfg_error(KEY_GROUPS, 0, "an unprivileged caller keeps his own groups");
	close(root);
}

int cfg_machine(const struct box *b, const char *below)
{
	int top = open(below ? below : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (top < 0) {
		warn("check: %s", below);
		return 2;
	}
	if (HAS(boards) && cfg.board)
		of_board(b, top, below);
	else
		of_box(b, top, below);
	close(top);
	return cfg.errors ? 2 : 0;
}
