/* make.c - the box's own directory in each hierarchy that it needs, and the
 * way to get rid of them.
 *
 * PARENT/husk/NAME, a leaf: in the v2 tree wherever there is one (clone3 puts
 * INIT there, and it is the handle for kill and freeze), and in the v1
 * hierarchies that hold an asked limit. Where there is no v2 tree the freezer
 * is the handle, and the devices hierarchy the device policy. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

enum { AGAIN = 1, NONE, TRIES = 8 };

/* Of the box that this process starts. Paths lie one behind the other: a box that
 * has two leaves touches no memory for fifteen. */
struct leaves {
	bool v2;			/* that tree is all that there is */
	uint16_t end;			/* of text */
	uint16_t path[NCTL + 1];	/* in text; 0: "", none. NCTL: in the v2 tree */
	char text[sizeof ((struct left *)0)->text];	/* each is a line there, too, and longer */
};

static BASE struct leaves *at(void)
{
	static struct leaves leaves;

	return &leaves;
}
#define leaves (*at())

static char *path_of(int ctl)
{
	return leaves.text + leaves.path[ctl];
}

const char *cg_path(int ctl)
{
	return path_of(ctl);
}

const char *cg_file(int ctl, const char *name)
{
	return fmts("%s/%s", cg_path(ctl), name);
}

/* PARENT/husk/NAME, noted before it is made. parent: NULL is cgroup=, or the top.
 * NONE: there it was already, or that is too long. */
static int place(struct run *r, int ctl, const char *top, const char *parent)
{
	const char *path, *asked = r->box->cgroup;

	if (!parent)
		parent = asked ? fmts("/%s", asked) : "";
	path = fmts("%s%s/husk/%s", top, parent, r->name);
	if (!*path || same(path, cg_path(ctl)))
		return NONE;
	if (left_add(r, "cgroup=%s\n", path) < 0)
		return fail(r, "write the state file");
	leaves.path[ctl] = leaves.end + 1;
	leaves.end += 1 + copy(path_of(ctl), CGPATH, path);
	return AGAIN;
}

/* Of a path, what is behind the mount point. */
static char *below_top(int ctl)
{
	char *p = path_of(ctl) + sizeof CGTOP - 1;

	return leaves.v2 ? p : strchr(p + 1, '/');
}

/* The directories above the leaf, where they are missing. "husk" at the top is
 * everybody's and stays, with its controllers: to make and remove it costs as
 * much as the leaf itself, and it tells that the hierarchy was found to be one.
 * Deeper ones, of cgroup= or of our own cgroup, are in somebody's way when he
 * wants to remove his: noted first. */
static int parents(struct run *r, int ctl)
{
	char *path = path_of(ctl), *p = below_top(ctl);
	bool deep = strrchr(p, '/') != p + 5;
	int e;

	*p = '\0';
	e = cg_mounted(path, ctl == NCTL);
	*p = '/';
	while (!e && (p = strchr(p + 1, '/'))) {
		*p = '\0';
		if (deep && access(path, F_OK) < 0)
			e = left_add(r, "cgdir=%s\n", path);
		if (!e && mkdir(path, 0755) < 0 && errno != EEXIST)
			e = -1;
		*p = '/';
	}
	return e;
}

/* The name is taken. An empty directory is made anew, because its limits and
 * counters are another's; a frozen one is somebody's, empty or not. Undo must
 * not touch that: the line in memory is no line any more. */
static int make_anew(struct run *r, int ctl)
{
	const char *path = cg_path(ctl);
	bool frozen = cg_frozen(path);
	char *line;

	errno = 0;
	if (!frozen && rmdir(path) == 0 && mkdir(path, 0755) == 0)
		return 0;
	if ((line = strstr(r->left->text, fmts("cgroup=%s\n", path))))
		*line = '#';
	return errno && errno != EBUSY ? fail(r, "%s", path) :
		fail_not(r, "%s is there already, %s", path, errno ? TEXT "with processes in it" : "and frozen");
}

/* A hierarchy that is not there may be joined with others: then the mount has
 * the name of all. One that is not ours to write: below our own cgroup, if it was
 * delegated; to put a process in, the file of the common ancestor must be
 * writable too. */
static int elsewhere(struct run *r, int ctl)
{
	bool absent = errno == ENOENT || errno == ENOTDIR;
	char *path = path_of(ctl);
	const char *list, *own, *top = fmts("%.*s", (int)(below_top(ctl) - path), path);

	if (!absent && errno != EACCES && errno != EPERM && errno != EROFS)
		return fail(r, "%s", path);
	if (!(list = cg_own(r->proc, ctl, &own)))
		return NONE;
	if (absent)
		return *list ? place(r, ctl, fmts(CGTOP "/%s", list), NULL) : NONE;
	if (r->box->cgroup || !own[1] || starts(own, "/..") || access(fmts("%s%s/cgroup.procs", top, own), W_OK) < 0)
		return NONE;
	return place(r, ctl, top, own);
}

/* A leaf, or none. The v2 one stays open: clone3 wants a descriptor. */
static int make(struct run *r, int ctl)
{
	const char *path;
	int e, tries = 0;

	do {
		path = cg_path(ctl);
		while ((e = mkdir(path, 0755)) < 0 && errno == ENOENT && tries++ < TRIES && parents(r, ctl) == 0)
			;
		if (e < 0)
			e = errno == EEXIST ? make_anew(r, ctl) : elsewhere(r, ctl);
	} while (e == AGAIN);
	if (e)
		leaves.path[ctl] = 0;
	else if (ctl < NCTL)
		r->cg1 |= (uint16_t)(1u << ctl);
	else if ((r->cgroup2 = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		e = fail(r, "%s", path);
	return e < 0 ? e : 0;
}

/* All are noted in one write, before the first is made. want: one bit for each.
 * What is not mounted is not there: whoever needs it says so. */
int cg_leaves(struct run *r, unsigned want)
{
	int i, e = 0, state = r->state;

	if (leaves.v2)
		want &= 1u << NCTL;
	r->state = -1;
	for (i = NCTL; i >= 0 && e >= 0; i--)
		if (want >> i & 1)
			e = place(r, i, leaves.v2 ? CGTOP : fmts(CGTOP "/%s", cg_v1(i)), NULL);
	r->state = state;
	if (e >= 0)
		e = left_add(r, "%s", "") < 0 ? fail(r, "write the state file") : 0;
	for (i = NCTL; i >= 0 && !e; i--)
		if (want >> i & 1)
			e = make(r, i);
	return e;
}

/* Without a pid namespace of its own no death of PID 1 ends a box: PID 1 gets the
 * file that does, for when its keeper is gone. Before 5.14, and on v1, it is
 * the list of the processes, to be read; the freezer would hold PID 1, too. */
static int kill_handle(struct run *r)
{
	int i;

	for (i = NCTL; i >= 0 && r->killfd < 0; i--)
		if (*cg_path(i) && (r->killfd = openat(AT_FDCWD, cg_file(i, "cgroup.kill"), O_WRONLY | O_CLOEXEC)) < 0)
			r->killfd = openat(AT_FDCWD, cg_file(i, "cgroup.procs"), O_RDONLY | O_CLOEXEC);
	return r->killfd < 0 ? fail_not(r, "ns.pid is not new, and there is no cgroup to end the box by") : 0;
}

int cg_make(struct run *r)
{
	unsigned want = 1u << NCTL;
	int i, e;

	leaves.v2 = cg_mounted(CGTOP, true) == 0;
	for (i = 0; i < NLIM; i++)
		want |= cg_asked(r->box, i) ? 1u << cg_knob_ctl(i) : 0;
	e = cg_leaves(r, want);
	if (!e && r->cgroup2 < 0)
		e = cg_leaves(r, 1u << CTL_FREEZER);
	if (!e && r->box->ns[NS_PID] != NSM_NEW)
		e = kill_handle(r);
	if (!e && r->cgroup2 < 0 && !r->cg1)
		note(r, "no cgroup here is ours to write: no limits, and no device policy of its own");
	return e;
}

/* ------------------------------------------------------------- and away again */

/* The last process may still be on its way out: half a second, in growing
 * steps. All have been killed before this, or were with PID 1: who will not go
 * is a stranger, and left alone. */
static int remove_leaf(const char *path)
{
	int ms = 1;

	while (rmdir(path) < 0 && errno != ENOENT && cg_tree(AT_FDCWD, path, true, 0) < 0) {
		if (errno != EBUSY || ms > 256)
			return -1;
		(void)poll(NULL, 0, ms);
		ms *= 2;
	}
	return 0;
}

void cg_remove(struct left *l)
{
	static char path[CGPATH];
	char *end;
	unsigned at = 0;

	while (cg_next(l, &at, path)) {
		if (remove_leaf(path) < 0) {
			l->stuck = true;
			say(2, "husk: %s: cg.make: %s could not be removed: %s\n", l->name, path, strerror(errno));
		}
		/* with those above that were made for it */
		while ((end = strrchr(path, '/')) && (*end = '\0', strstr(l->text, fmts("cgdir=%s\n", path))))
			(void)rmdir(path);
	}
}
