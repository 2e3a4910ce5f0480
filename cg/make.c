/* make.c - the box's own directory in each hierarchy that it needs, and the
 * way to get rid of them.
 *
 * PARENT/husk/NAME, a leaf: in the v2 tree wherever there is one (clone3 puts
 * INIT there, and it is the handle for kill and freeze), and in the v1
 * hierarchies that hold an asked limit. Where there is no v2 tree the freezer
 * is the handle, and the devices hierarchy the device policy. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

enum { AGAIN = 1, NONE, TRIES = 8, STEPS = 1024 };

/* Of the box that this process starts. Paths lie one behind the other: a box that
 * has two leaves touches no memory for fifteen. */
struct leaves {
	bool known, v2;			/* v2: that tree is all that there is */
	bool bare;			/* cpuset was mounted with noprefix */
	uint16_t noted;			/* bit i: the line of path i was there already, and is another's business */
	uint8_t err[NCTL + 1];		/* errno: there is none, because of that */
	uint16_t end;			/* of text */
	uint16_t path[NCTL + 1], top[NCTL + 1];	/* in text, 0: ""; the length of the mount point. NCTL: in the v2 tree */
	char text[sizeof ((struct left *)0)->text];	/* each is a line there, too, and longer */
};

static BASE struct leaves *at(void)
{
	static struct leaves leaves BULK;

	return &leaves;
}
#define leaves (*at())

static char *path_of(int ctl)
{
	return leaves.text + leaves.path[ctl];
}

const char *cg_path(int ctl)
{
	return leaves.err[ctl] ? leaves.text : path_of(ctl);
}

const char *cg_refused(int ctl, int *err)
{
	*err = leaves.err[ctl];
	return *err && *err != ENOENT ? path_of(ctl) : NULL;
}

const char *cg_below(int ctl)
{
	return path_of(ctl) + leaves.top[ctl];
}

const char *cg_file(int ctl, const char *name)
{
	return fmts("%s/%s", cg_path(ctl), HAS(v1) && ctl == CTL_CPUSET && leaves.bare && starts(name, "cpuset.") ? name + 7 : name);
}

/* An error has room for so much of a path. */
static const char *brief(const char *path)
{
	size_t n = strlen(path);

	return n < 150 ? path : fmts("...%s", path + n - 140);
}

/* PARENT/husk/NAME, noted before it is made. parent: NULL is cgroup=, or the top.
 * NONE: there it was already, or that is too long. */
static int place(struct run *r, int ctl, const char *top, const char *parent)
{
	const char *path, *asked = r->box->cgroup;

	if (!parent)
		parent = asked ? fmts("/%s", asked) : "";
	path = fmts("%s%s/husk/%s", top, parent, r->name);
	if (!*path || same(path, path_of(ctl)))
		return NONE;
	leaves.noted &= (uint16_t)~(1u << ctl);
	if (strstr(r->left->text, fmts("cgroup=%s\n", path)))
		leaves.noted |= (uint16_t)(1u << ctl);		/* by an update before this one */
	else if (left_add(r, "cgroup=%s\n", path) < 0)
		return fail(r, "write the state file");
	leaves.top[ctl] = (uint16_t)strlen(top);
	leaves.path[ctl] = leaves.end + 1;
	leaves.end += 1 + copy(path_of(ctl), CGPATH, path);
	return AGAIN;
}

/* The directories above the leaf, where they are missing. "husk" at the top is
 * everybody's and stays, with its controllers: to make and remove it costs as
 * much as the leaf itself, and it tells that the hierarchy was found to be one.
 * Deeper ones, of cgroup= or of our own cgroup, are in somebody's way when he
 * wants to remove his: the first that is missing is noted, with all below it. */
static int parents(struct run *r, int ctl)
{
	char *path = path_of(ctl), *p = path + leaves.top[ctl];
	bool deep = strrchr(p, '/') != p + 5;
	int e;

	*p = '\0';
	e = cg_mounted(path, ctl == NCTL);
	*p = '/';
	while (!e && (p = strchr(p + 1, '/'))) {
		*p = '\0';
		if (deep && access(path, F_OK) < 0) {
			e = left_add(r, "cgdir=%s\n", path);
			deep = false;
		}
		if (!e && mkdir(path, 0755) < 0 && errno != EEXIST)
			e = -1;
		*p = '/';
	}
	return e;
}

/* Undo must not touch what is not ours, nor may who reads the file later: the line is
 * no line any more. */
static void unnote(struct run *r, int ctl)
{
	const char *path = path_of(ctl);
	char *line = strstr(r->left->text, fmts("cgroup=%s\n", path));
	long where = line ? line - r->left->text : r->left->written;
	int fd;

	if (leaves.noted >> ctl & 1)
		return;
	if (line)
		*line = '#';
	if (where >= r->left->written || r->state < 0)
		return;
	fd = openat(r->statedir, "state", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (pwrite(fd, "#", 1, where) < 0)		/* r->state appends, whatever the offset */
		note(r, "%s is not ours, but stands in the state file", brief(path));
	close(fd);
}

/* Two controllers of one hierarchy, which has a name for each. */
static bool shared(struct run *r, int ctl)
{
	FILLED struct stat st, other;
	int i;

	if (ctl == NCTL || stat(cg_path(ctl), &st) < 0)
		return false;
	for (i = FIRST_CTL; i < NCTL; i++)
		if (V1(r, i) && stat(cg_path(i), &other) == 0 && st.st_dev == other.st_dev && st.st_ino == other.st_ino) {
			if (!same(cg_path(ctl), cg_path(i)))
				unnote(r, ctl);
			leaves.path[ctl] = leaves.path[i];
			leaves.top[ctl] = leaves.top[i];
			return true;
		}
	return false;
}

static bool frozen(int ctl)
{
	return cg_frozen(cg_path(ctl)) ||
		cg_count(caps_file(cg_file(ctl, "cgroup.events")), "frozen") == 1;
}

bool cg_cold(const struct run *r)
{
	int e = errno;
	bool yes = r->cgroup2 >= 0 && frozen(NCTL);

	errno = e;
	return yes;
}

/* The name is taken. An empty directory is made anew, because its limits and
 * counters are another's; a frozen one is somebody's, empty or not. */
static int make_anew(struct run *r, int ctl)
{
	const char *path = cg_path(ctl);
	bool cold;

	if (shared(r, ctl))
		return 0;
	cold = cg_frozen(path);
	errno = 0;
	if (!cold && rmdir(path) == 0 && mkdir(path, 0755) == 0)
		return 0;
	unnote(r, ctl);
	if ((leaves.err[ctl] = (uint8_t)errno) == EROFS)
		return NONE;		/* somebody's, where we make nothing */
	return errno && errno != EBUSY ? fail(r, "%s", brief(path)) :
		fail_not(r, "%s is there already, %s", brief(path), errno ? TEXT "with processes in it, or cgroups" : "and frozen");
}

/* Not ours to write: below our own cgroup, if it was delegated; to put a process
 * in, the file of the common ancestor must be writable too. In the v2 tree a cgroup
 * that we are in hands on no controllers, and husk never moves: so beside it, if
 * the one above it was delegated and has no processes. */
static int below_own(struct run *r, int ctl, const char *top, const char *own, int *turn)
{
	const char *dir, *end = strrchr(own, '/');

	if (r->box->cgroup || !own[1] || starts(own, "/.."))
		return NONE;
	if (ctl == NCTL && *turn < 3 && end > own) {
		*turn = 3;
		dir = fmts("%s%.*s", top, (int)(end - own), own);
		if (access(dir, W_OK) == 0 && access(fmts("%s/cgroup.procs", dir), W_OK) == 0 && !cg_busy(dir))
			return place(r, ctl, top, fmts("%.*s", (int)(end - own), own));
	}
	if (*turn >= 4 || access(fmts("%s%s/cgroup.procs", top, own), W_OK) < 0)
		return NONE;
	*turn = 4;
	return place(r, ctl, top, own);
}

/* A hierarchy that is not there may be joined with others: then the mount has
 * the name of all, or any; or it is mounted somewhere else. turn: what has been tried. */
static int elsewhere(struct run *r, int ctl, int *turn)
{
	static char top[CGPATH];
	const char *list, *own;
	int e = errno;

	leaves.err[ctl] = (uint8_t)e;
	if (e != ENOENT && e != ENOTDIR && e != EACCES && e != EPERM && e != EROFS)
		return fail(r, "%s", brief(path_of(ctl)));
	if (!(list = cg_own(r->proc, ctl, &own)))
		return NONE;
	copy(top, leaves.top[ctl] + 1u, path_of(ctl));
	if (e != ENOENT && e != ENOTDIR)
		return below_own(r, ctl, top, own, turn);
	if (++*turn == 1 && *list && place(r, ctl, fmts(CGTOP "/%s", list), NULL) == AGAIN)
		return AGAIN;
	return *turn <= 2 && (*turn = 2) && cg_find(r->proc, ctl, top) ? place(r, ctl, top, NULL) : NONE;
}

/* A v1 cpuset takes nobody as long as it has no CPUs or no memory, and has none
 * by itself: what the one above has, down to the leaf. */
static int fill(struct run *r)
{
	char *path = path_of(CTL_CPUSET), *p = path + leaves.top[CTL_CPUSET];
	const char *file, *has;
	int i, e = 0;

	leaves.bare = access(cg_file(CTL_CPUSET, "cpuset.cpus"), F_OK) < 0;
	while (!e && *p) {
		p = strchrnul(p + 1, '/');
		for (i = 0; i < 2 && !e; i++) {
			file = nth("cpuset.cpus\0cpuset.mems", i) + (leaves.bare ? 7 : 0);
			has = caps_file(fmts("%.*s/%s", (int)(p - path), path, file));
			if (has && *has == '\n' && (has = caps_file(fmts("%.*s/../%s", (int)(p - path), path, file))))
				e = write_at(AT_FDCWD, fmts("%.*s/%s", (int)(p - path), path, file), has);
		}
	}
	return e < 0 ? fail(r, "%.*s: CPUs and memory of the one above", (int)(p - path), path) : 0;
}

/* Whoever owns a directory above the leaf can take that away and put another in its
 * place, on v1 by rename(2) too: then limits and device policy are not in force. */
static bool trusted(struct run *r, int ctl)
{
	const char *path = cg_path(ctl), *p = cg_below(ctl), *dir;
	FILLED struct stat st;

	for (; p; p = strchr(p + 1, '/')) {
		if (stat(dir = fmts("%.*s", (int)(p - path), path), &st) < 0)
			return fail(r, "%s", brief(dir)), false;
		if ((st.st_uid && st.st_uid != getauxval(AT_EUID)) || st.st_mode & 022)
			return fail_not(r, "%s is another's, who could take the box's cgroup away", brief(dir)), false;
	}
	return true;
}

/* It is there. Who goes into a frozen one does not come to say so; in a threaded one
 * there is no place. Below "husk" at the top of the v2 tree nobody looks in each
 * start: init.ready notices the one, and cg.enter the other. The v2 one stays open:
 * clone3 wants a descriptor. */
static int made(struct run *r, int ctl)
{
	const char *path = cg_path(ctl), *type;
	bool deep = !same(cg_below(ctl), fmts("/husk/%s", r->name)), foreign = deep && ctl == NCTL;

	if (deep && !trusted(r, ctl))
		return -EPERM;
	if (HAS(v1) && ctl < NCTL)
		r->cg1 |= (uint16_t)(1u << ctl);
	else if ((r->cgroup2 = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return fail(r, "%s", brief(path));
	if ((ctl == CTL_FREEZER || foreign) && frozen(ctl))
		return fail_not(r, "%s: a cgroup above it is frozen", brief(path));
	if (foreign && (type = caps_status(r->cgroup2, "cgroup.type")) && strstr(type, "invalid"))
		return fail_not(r, "%s: a cgroup above it is threaded", brief(path));
	return HAS(v1) && ctl == CTL_CPUSET ? fill(r) : 0;
}

/* A leaf, or none. */
static int make(struct run *r, int ctl)
{
	int e, turn = 0, tries = 0;

	do {
		leaves.err[ctl] = 0;
		while ((e = mkdir(path_of(ctl), 0755)) < 0 && errno == ENOENT && tries++ < TRIES && parents(r, ctl) == 0)
			;
		if (e < 0)
			e = errno == EEXIST ? make_anew(r, ctl) : elsewhere(r, ctl, &turn);
	} while (e == AGAIN);
	if (!e)
		return made(r, ctl);
	if (r->init)
		unnote(r, ctl);	/* of a box that runs: it could be somebody's one day */
	if (e < 0 || !r->box->cgroup || leaves.err[ctl] == ENOENT)
		return e < 0 ? e : 0;
	errno = leaves.err[ctl];
	return fail(r, "cgroup=: %s", brief(path_of(ctl)));
}

/* All are noted in one write, before the first is made. want: one bit for each.
 * What is not mounted is not there: whoever needs it says so. */
int cg_leaves(struct run *r, unsigned want)
{
	int i, e = 0, state = r->state;

	if (!leaves.known)
		leaves.v2 = cg_mounted(CGTOP, true) == 0;
	leaves.known = true;
	if (leaves.v2 || !HAS(v1))
		want &= 1u << NCTL;
	want &= ~(unsigned)r->cg1;
	r->state = -1;
	for (i = NCTL; i >= FIRST_CTL && e >= 0; i--)
		if (want >> i & 1)
			e = place(r, i, leaves.v2 ? CGTOP : fmts(CGTOP "/%s", cg_v1(i)), NULL);
	r->state = state;
	if (e >= 0)
		e = left_add(r, "%s", "") < 0 ? fail(r, "write the state file") : 0;
	for (i = NCTL; i >= FIRST_CTL && !e; i--)
		if (want >> i & 1)
			e = make(r, i);
	return e;
}

/* Where a controller of v1 is, or the v2 tree, as a start finds it. */
static bool hierarchy(struct run *r, int ctl, char top[CGPATH], struct stat *st)
{
	const char *list, *own;

	fmt(top, CGPATH, leaves.v2 ? CGTOP : CGTOP "/%s", cg_v1(ctl));
	if (cg_mounted(top, ctl == NCTL) == 0)
		return stat(top, st) == 0;
	if (leaves.v2 || !(list = cg_own(r->proc, ctl, &own)))
		return false;
	fmt(top, CGPATH, CGTOP "/%s", list);
	if (cg_mounted(top, ctl == NCTL) < 0 && !cg_find(r->proc, ctl, top))
		return false;
	return stat(top, st) == 0;
}

/* How much of the path is the mount point */
static uint16_t mount_point(const char *path, dev_t dev)
{
	const char *p = path;
	FILLED struct stat st;

	while ((p = strchr(p + 1, '/')))
		if (stat(fmts("%.*s", (int)(p - path), path), &st) == 0 && st.st_dev == dev)
			return (uint16_t)(p - path);
	return 0;
}

static int found(struct run *r, int ctl, const char *path, dev_t dev)
{
	if (leaves.end + strlen(path) + 2 > sizeof leaves.text)
		return -1;
	leaves.err[ctl] = 0;
	leaves.path[ctl] = leaves.end + 1;
	leaves.top[ctl] = mount_point(path, dev);
	leaves.end = (uint16_t)(leaves.end + 1 + copy(path_of(ctl), CGPATH, path));
	if (!HAS(v1) || ctl == NCTL)
		r->cgroup2 = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	else
		r->cg1 |= (uint16_t)(1u << ctl);
	if (HAS(v1) && ctl == CTL_CPUSET)
		leaves.bare = access(cg_file(CTL_CPUSET, "cpuset.cpus"), F_OK) < 0;
	return 0;
}

/* Each hierarchy is a device of its own, whatever it is called here; several
 * controllers may be one. */
int cg_found(struct run *r)
{
	static char path[CGPATH];
	FILLED struct stat is, leaf;
	unsigned next;
	int i;

	leaves.v2 = cg_mounted(CGTOP, true) == 0;
	leaves.known = true;
	for (i = leaves.v2 ? NCTL : FIRST_CTL; i <= NCTL; i++) {
		if (!hierarchy(r, i, path, &is))
			continue;
		for (next = 0; !*path_of(i) && cg_next(r->left, &next, path);)
			if (stat(path, &leaf) == 0 && leaf.st_dev == is.st_dev && found(r, i, path, is.st_dev) < 0)
				return fail_not(r, "too many leaves");
	}
	return 0;
}

/* Without a pid namespace of its own no death of PID 1 ends a box: PID 1 gets the
 * file that does, for when its keeper is gone. Before 5.14, and on v1, it is
 * the list of the processes, to be read; the freezer would hold PID 1, too. */
static void kill_handle(struct run *r)
{
	int i;

	for (i = NCTL; i >= FIRST_CTL && r->killfd < 0; i--)
		if (*cg_path(i) && (r->killfd = open(cg_file(i, "cgroup.kill"), O_WRONLY | O_CLOEXEC)) < 0)
			r->killfd = open(cg_file(i, "cgroup.procs"), O_RDONLY | O_CLOEXEC);
}

/* What the kernel has of version 1 it says, one line each, as soon as it is mounted, and the
 * line of version 2 behind those, if that was ever mounted: a box would be without the
 * limits and the device policy that it could have. */
int cg_make(struct run *r)
{
	const char *of_v1;
	int e = 0;

	if (!HAS(v1) && (of_v1 = caps_status(r->proc, "self/cgroup")) && *of_v1 && !starts(of_v1, "0:"))
		e = fail_not(r, "cgroups of version 1 are mounted: not in this program: made without v1");
	if (!e)
		e = cg_leaves(r, 1u << NCTL | (HAS(v1) ? cg_wanted(r->box) : 0));
	if (HAS(v1) && !e && r->cgroup2 < 0)
		e = cg_leaves(r, 1u << CTL_FREEZER);
	if (!e && r->box->ns[NS_PID] != NSM_NEW)
		kill_handle(r);
	if (!e && r->box->cgroup && r->cgroup2 < 0 && !r->cg1)
		e = fail_not(r, "cgroup=: no cgroup hierarchy is mounted");
	if (!e && r->cgroup2 < 0 && !r->cg1)
		note(r, "no cgroup here is ours to write: no limits, and no device policy of its own");
	return e;
}

/* ------------------------------------------------------------- and away again */

/* Takes away what is empty in it: the first that is not, or NULL. */
static const char *clear(int dir)
{
	const char *name;

	while (rootfs_list(dir) > 0)
		while ((name = rootfs_name()))
			if (name[-1] == DT_DIR && !same(name, ".") && !same(name, "..") &&
			    unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno == EBUSY)
				return name;
	return NULL;
}

/* A leaf with what a box that may write there has made below it. How deep is its
 * choice: so one descriptor goes down and up again, and not for ever. */
static int remove_tree(const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), up, depth = 0, steps = STEPS;
	const char *name;

	while (dir >= 0 && steps-- && ((name = clear(dir)) || depth)) {
		depth += name ? 1 : -1;
		up = dir;
		dir = openat(up, name ? name : "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(up);
	}
	if (dir >= 0)
		close(dir);
	return rmdir(path);
}

/* The last process may still be on its way out: half a second, in growing
 * steps. All have been killed before this, or were with PID 1: who will not go
 * is a stranger, and left alone. */
static int remove_leaf(const char *path)
{
	int ms = 1;

	while (rmdir(path) < 0 && errno != ENOENT && remove_tree(path) < 0) {
		if (errno == ENOTDIR || (errno == EROFS && access(path, F_OK) < 0 && errno == ENOENT))
			return 0;	/* it never was there */
		if (errno != EBUSY || ms > 256)
			return -1;
		(void)poll(NULL, 0, ms);
		ms *= 2;
	}
	return 0;
}

/* Those above it that were made for it: from the first that is noted. */
static void remove_parents(const struct left *l, char *path)
{
	char *first = path, *end;

	while ((first = strchr(first + 1, '/'))) {
		*first = '\0';
		end = strstr(l->text, fmts("cgdir=%s\n", path));
		*first = '/';
		if (end)
			break;
	}
	while (first && (end = strrchr(path, '/')) >= first) {
		*end = '\0';
		(void)rmdir(path);
	}
}

void cg_remove(struct left *l)
{
	static char path[CGPATH] OFTEN;
	unsigned at = 0;

	while (cg_next(l, &at, path)) {
		if (remove_leaf(path) < 0) {
			l->stuck = true;
			warn("%s: cg.make: %s could not be removed", l->name, path);
		}
		if (strstr(l->text, "cgdir="))
			remove_parents(l, path);
	}
}
