/* make.c - the box's own directory in each hierarchy that it needs, and the
 * way to get rid of them.
 *
 * PARENT/husk/NAME, a leaf: in the v2 tree wherever there is one (clone3 puts
 * INIT there, and it is the handle for kill and freeze), and in the v1
 * hierarchies that hold an asked limit. Where there is no v2 tree the freezer
 * is the handle, and the devices hierarchy the device policy. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "husk.h"

enum { NOT_OURS = 1, TRIES = 8 };

/* Of the box that this process starts; NCTL: the v2 tree. */
static struct leaf {
	char	 path[CGPATH];
	uint16_t top;			/* length of the mount point */
} leaves[NCTL + 1];

const char *cg_path(int ctl)
{
	return leaves[ctl].path;
}

/* own: our own cgroup, or "" for cgroup= or the top */
static int plan(struct run *r, int layout, int ctl, const char *own)
{
	const char *parent = r->box->cgroup && !*own ? r->box->cgroup : own;
	struct leaf *l = &leaves[ctl];

	if (cg_mount(r->proc, layout, ctl, l->path, sizeof l->path) < 0)
		return -1;
	l->top = (uint16_t)strlen(l->path);
	if (fmt(l->path + l->top, sizeof l->path - l->top, "%s%s/husk/%s", *parent && *parent != '/' ? "/" : "", parent, r->name) <
	    sizeof l->path - l->top - 1)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

/* The directories above the leaf, where they are missing. "husk" at the top is
 * everybody's and stays, with its controllers: to make and remove it costs as
 * much as the leaf itself. Deeper ones, of cgroup= or of our own cgroup, are in
 * somebody's way when he wants to remove his: noted first. */
static int parents(struct run *r, struct leaf *l)
{
	char *top = l->path + l->top, *p = top + 1;
	bool deep = strrchr(l->path, '/') != top + 5;
	int e = 0;

	while (!e && (p = strchr(p, '/'))) {
		*p = '\0';
		if (deep && access(l->path, F_OK) < 0)
			e = left_add(r, "cgdir=%s\n", l->path);
		if (!e && mkdir(l->path, 0755) < 0 && errno != EEXIST)
			e = -1;
		*p++ = '/';
	}
	return e;
}

/* The name is taken. An empty directory is made anew, because its limits and
 * counters are another's; a frozen one is somebody's, empty or not. Two
 * controllers may be one hierarchy: then it is our own, and no matter. */
static int make_anew(struct run *r, const struct leaf *l)
{
	const char *state;
	int dir;

	if ((dir = open(l->path, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fail(r, "open %s", l->path);
	if (!(state = caps_status(dir, "cgroup.freeze")))
		state = caps_status(dir, "freezer.state");
	close(dir);
	if (state && (*state == '1' || *state == 'F'))
		return fail_not(r, "%s is there already, and frozen", l->path);
	if (rmdir(l->path) < 0)
		return errno == EBUSY ? fail_not(r, "%s is there already, with processes in it", l->path) :
			fail(r, "remove the old %s", l->path);
	return mkdir(l->path, 0755) < 0 ? fail(r, "mkdir %s", l->path) : 0;
}

/* Undo must not touch it: the line in memory is no line any more. */
static void disown(struct run *r, const struct leaf *l)
{
	char *p = strstr(r->left->text, fmts("cgroup=%s\n", l->path));

	if (p)
		*p = '#';
}

/* 0, NOT_OURS with errno, or an error. The v2 leaf stays open: clone3 wants a descriptor. */
static int make(struct run *r, int ctl)
{
	struct leaf *l = &leaves[ctl];
	int e, tries = 0;

	while ((e = mkdir(l->path, 0755)) < 0 && errno == ENOENT && tries++ < TRIES)
		if ((e = parents(r, l)) < 0)
			break;
	if (e < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))
		return NOT_OURS;
	if (e < 0 && errno != EEXIST)
		return fail(r, "mkdir %s", l->path);
	if (e < 0 && (e = make_anew(r, l)) != 0) {
		disown(r, l);
		return e;
	}
	if (ctl < NCTL)
		r->cg1 |= (uint8_t)(1u << ctl);
	else if ((r->cgroup2 = open(l->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return fail(r, "open %s", l->path);
	return 0;
}

/* The top is not ours to write: below our own cgroup, if it was delegated. To
 * put a process in, the file of the common ancestor must be writable too. */
static int make_below_own(struct run *r, int layout, int ctl)
{
	char own[CGPATH];
	struct leaf *l = &leaves[ctl];
	int refused = errno;

	if (!r->box->cgroup && cg_own(r->proc, ctl, own, sizeof own) == 0 && *own &&
	    plan(r, layout, ctl, own) == 0) {
		if (access(fmts("%.*s%s/cgroup.procs", (int)l->top, l->path, own), W_OK) == 0) {
			if (left_add(r, "cgroup=%s\n", l->path) < 0)
				return fail(r, "write the state file");
			return make(r, ctl);
		}
	}
	errno = refused;
	return NOT_OURS;
}

/* All of them are noted in one write, before the first is made. The first is
 * the handle for kill: the v2 tree, or the freezer. */
static int make_all(struct run *r, int layout, unsigned want)
{
	char text[1024];
	size_t at = 0;
	int i, e, best = NOT_OURS;

	for (i = NCTL; i >= 0; i--)
		if (want & 1u << i)
			at += fmt(text + at, sizeof text - at, "cgroup=%s\n", leaves[i].path);
	errno = ENOSPC;
	if (at && (at >= sizeof text - 1 || left_add(r, "%s", text) < 0))
		return fail(r, "write the state file");
	for (i = NCTL; i >= 0; i--) {
		if (!(want & 1u << i))
			continue;
		e = make(r, i);
		if (e == NOT_OURS)
			e = make_below_own(r, layout, i);
		if (e != NOT_OURS && e != 0)
			return e;
		if (e == 0)
			best = 0;
	}
	return best;
}

/* want: one bit for each controller, and for the v2 tree. What is not mounted
 * is not there: whoever needs it says so. */
static int make_some(struct run *r, int layout, unsigned want)
{
	int i;

	for (i = NCTL; i >= 0; i--) {
		if (!(want & 1u << i) || plan(r, layout, i, "") == 0)
			continue;
		if (errno != ENOENT && errno != ENOTDIR)
			return fail(r, "%s", leaves[i].path);
		want &= ~(1u << i);
		if (i == NCTL)
			want |= 1u << CTL_FREEZER | 1u << CTL_DEVICES;
	}
	return make_all(r, layout, want);
}

int cg_leaf(struct run *r, int ctl)
{
	int layout = cg_layout();

	return layout < 0 ? NOT_OURS : make_some(r, layout, 1u << ctl);
}

/* Without a pid namespace of its own no death of PID 1 ends a box: PID 1 gets the
 * file that does, for when its keeper is gone. Before 5.14, and on v1, it is
 * the list of the processes, to be read; the freezer would hold PID 1, too. */
static int kill_handle(struct run *r)
{
	int i;

	if (r->box->ns[NS_PID] == NSM_NEW)
		return 0;
	if (r->cgroup2 >= 0) {
		r->killfd = openat(r->cgroup2, "cgroup.kill", O_WRONLY | O_CLOEXEC);
		if (r->killfd < 0)
			r->killfd = openat(r->cgroup2, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	}
	for (i = NCTL - 1; i >= 0 && r->killfd < 0; i--)
		if (r->cg1 & 1u << i)
			r->killfd = openat(AT_FDCWD, fmts("%s/cgroup.procs", cg_path(i)), O_RDONLY | O_CLOEXEC);
	return r->killfd < 0 ? fail_not(r, "ns.pid is not new, and there is no cgroup to end the box by") : 0;
}

int cg_make(struct run *r)
{
	int layout = cg_layout(), i, e;
	unsigned want = 1u << NCTL;

	if (layout < 0)
		return fail(r, "statfs /sys/fs/cgroup");
	for (i = 0; i < NLIM && layout == CG_V1; i++)
		want |= cg_asked(r->box, i) ? 1u << cg_knob_ctl(i) : 0;
	if ((e = make_some(r, layout, want)) != NOT_OURS)
		return e ? e : kill_handle(r);
	if ((e = kill_handle(r)) != 0)
		return e;
	note(r, "no cgroup here is ours to write: no limits, and no device policy of its own");
	return 0;
}

/* ------------------------------------------------------------- and away again */

/* The last process may still be on its way out: half a second, in growing
 * steps. Its keeper has waited for PID 1 before this. */
static int remove_leaf(const struct left *l, const char *path)
{
	struct timespec t = { .tv_nsec = 1000000 };

	for (;;) {
		if (rmdir(path) == 0 || errno == ENOENT || cg_tree(AT_FDCWD, path, true, 0) == 0)
			return 0;
		if (errno != EBUSY || t.tv_nsec > 256000000)
			return -1;
		if (t.tv_nsec == 1000000)
			(void)cg_kill(l);
		(void)nanosleep(&t, NULL);
		t.tv_nsec *= 2;
	}
}

/* Those above the leaf that we made for cgroup=, the deepest first: it is the
 * last that was noted. */
static void remove_dirs(const struct left *l)
{
	char path[CGPATH];
	unsigned at;
	int i, n = 0, k;

	for (at = 0; cg_next(l, "cgdir", &at, path); n++)
		;
	for (; n > 0; n--) {
		for (at = 0, i = 0, k = n; i < k; i++)
			(void)cg_next(l, "cgdir", &at, path);
		(void)rmdir(path);
	}
}

void cg_remove(struct left *l)
{
	char path[CGPATH];
	unsigned at = 0;

	while (cg_next(l, "cgroup", &at, path)) {
		if (remove_leaf(l, path) < 0) {
			l->stuck = true;
			say(2, "husk: %s: cg.make: %s could not be removed: %s\n", l->name, path, strerror(errno));
		}
	}
	remove_dirs(l);
}
