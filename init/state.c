/* state.c - what a box leaves on the host, written before it is there.
 *
 * RUNDIR/NAME/state is text, one key=value line for each thing that has to be
 * undone. The lock on the directory RUNDIR/NAME is the keeper's life: whoever
 * gets it finds the keeper dead and may clean up. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "husk.h"

enum { TICKS = 100 };			/* a second, of start times in /proc */

static void rundir(char *path, size_t max)
{
	const char *env = getenv("HUSK_RUN"), *xdg = getenv("XDG_RUNTIME_DIR");

	if (env && *env == '/')
		copy(path, max, env);
	else if (getauxval(AT_EUID) && xdg && *xdg == '/')
		fmt(path, max, "%s/husk", xdg);
	else
		copy(path, max, RUNDIR);
}

const char *state_saved(const char *name)
{
	static char path[256 + MAXNAME];
	size_t n;

	rundir(path, 256);
	n = strlen(path);
	fmt(path + n, sizeof path - n, "/%s/box", name);
	return path;
}

bool state_there(const char *name)
{
	const char *box = state_saved(name);

	return access(fmts("%.*s", (int)strlen(box) - 4, box), F_OK) == 0;
}

static char top[256] OFTEN;		/* the run directory, */
static bool refused OFTEN;			/* and it is not this user's alone */

/* Ours alone, or it is refused: its text decides what undo removes. */
int state_open(struct left *l, bool make)
{
	FILLED struct stat st;

	refused = false;
	rundir(top, sizeof top);
	l->dir = open(top, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (l->dir < 0 && errno == ENOENT && make && mkdir(top, 0700) == 0)
		l->dir = open(top, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (l->dir < 0)
		return -1;
	if (fstat(l->dir, &st) == 0 && st.st_uid == getauxval(AT_EUID) && !(st.st_mode & 022))
		return 0;
	close(l->dir);
	l->dir = -1;
	refused = true;
	errno = EPERM;
	return -1;
}

const char *state_where(void)
{
	return fmts(TEXT "run directory %s%s", top, refused ? TEXT ", which is not this user's alone" : "");
}

const char *left_get(const struct left *l, const char *key, unsigned *at, char *buf, size_t max)
{
	const char *line = l->text + *at, *end;
	size_t k = strlen(key);

	for (; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			break;		/* torn by a kill in mid-write: never happened */
		*at = (unsigned)(end + 1 - l->text);
		if (!strncmp(line, key, k) && line[k] == '=' && (size_t)(end - line) - k <= max) {
			memcpy(buf, line + k + 1, (size_t)(end - line) - k - 1);
			buf[(size_t)(end - line) - k - 1] = '\0';
			return buf;
		}
	}
	return NULL;
}

const char *left_last(const struct left *l, const char *key, char *buf, size_t max)
{
	const char *value = NULL;
	unsigned at = 0;

	while (left_get(l, key, &at, buf, max))
		value = buf;
	return value;
}

int left_add(struct run *r, const char *f, ...)
{
	struct left *l = r->left;
	va_list ap;
	size_t n;

	va_start(ap, f);
	n = vfmt(l->text + l->len, sizeof l->text - l->len, f, &ap);
	va_end(ap);
	if (l->len + n + 1 >= sizeof l->text) {
		l->text[l->len] = '\0';
		errno = ENAMETOOLONG;	/* cgroup= in many hierarchies: nothing else is that long */
		return -1;
	}
	l->len = (uint16_t)(l->len + n);
	n = l->len - l->written;
	if (r->state < 0)
		return 0;		/* with the first line that has something to undo */
	if (write(r->state, l->text + l->written, n) != (ssize_t)n)
		return -1;
	l->written = l->len;
	return 0;
}

uint32_t state_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint32_t)t.tv_sec;
}

const char *state_word(const struct left *l, char *buf, size_t max)
{
	static char line[160];
	const char *s = left_last(l, "state", line, sizeof line);

	fmt(buf, max, "%.*s", s ? (int)strcspn(s, " ") : 0, line);
	return buf;
}

void state_note(const struct live *v, const char *word, const char *why)
{
	say(v->fd[W_FILE], "state=%s %u%s%s\n", word, state_seconds(), why ? " " : "", why ? why : "");
}

/* Of a first start its starter alone has it. */
void state_reopen(struct live *v)
{
	static struct left l;

	if (v->fd[W_FILE] >= 0 || state_open(&l, false) < 0)
		return;
	v->fd[W_FILE] = openat(l.dir, fmts("%s/state", v->name), O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	close(l.dir);
}

/* Lines that hold from one start to the next, in the order of the file. */
static size_t stay(char *to, size_t max, const struct left *l, bool over)
{
	static const char keys[] = "version\0keeper\0boot\0file\0mtime\0log\0cwd\0uid\0listen\0";
	static char line[1024];
	const char *key;
	size_t n = 0, begin;
	unsigned at;

	for (key = keys; *key && !(over && same(key, "uid")); key += strlen(key) + 1)
		for (at = 0, begin = n; left_get(l, key, &at, line, sizeof line); ) {
			n = same(key, "mtime") || same(key, "log") ? begin : n;		/* the last one counts: a husk restart adds one */
			n += fmt(to + n, max - n, "%s=%s\n", key, line);
		}
	return n;
}

unsigned state_lived(const struct left *l)
{
	static char line[64];
	struct timespec now;
	unsigned at = 0, lived;
	const char *s;
	uint64_t start;

	if (!left_get(l, "init", &at, line, sizeof line) || !(s = strstr(line, " start=")))
		return 0;
	clock_gettime(CLOCK_BOOTTIME, &now);
	decimal(s + 7, &start);
	lived = (unsigned)now.tv_sec * TICKS + (unsigned)now.tv_nsec / (1000000000 / TICKS) - (unsigned)start;
	return lived ? lived : 1;
}

/* The newest reason first, and the last three. */
static size_t reasons(char *to, size_t max, const struct left *l, const char *why)
{
	static char line[160];
	unsigned at = 0, ticks = starts(why, "start:") || strchr(why, ';') ? 0 : state_lived(l);
	size_t n = fmt(to, max, "last=%u %s%s%s\n", state_seconds(), why, ticks ? " after " : "",
		!ticks ? "" : ticks < 10 * TICKS ? fmts("%u.%us", ticks / TICKS, ticks % TICKS / (TICKS / 10)) : span(ticks / TICKS));
	int i;

	for (i = 0; i < 3 && left_get(l, "last", &at, line, sizeof line); i++)
		n += fmt(to + n, max - n, "last=%s\n", line);
	return n;
}

static int owns(const struct left *l, const char *link);

static void kept(struct left *l, const char *what)
{
	warn("%s: init.state: %s could not be removed", l->name, what);
	l->stuck = true;
}

/* What others may have from now on: the number, and the paths of sockets */
static void give_back(struct left *l)
{
	static char link[24] OFTEN;
	unsigned at = 0;
	int n;

	memcpy(link, ".uid.", 5);
	while (left_get(l, "uid", &at, link + 5, sizeof link - 5))
		if ((n = owns(l, link)) < 0 || (n && unlinkat(l->dir, link, 0) < 0))
			kept(l, link);
	listen_undo(l);
}

/* By a rename. What has been undone is not in it any more; who is killed before that
 * undoes it once more. Who ends for good has no number. */
int state_renew(struct live *v, bool over)
{
	static char text[4096];
	struct left *l = keeper_left(v);
	size_t n, max = sizeof text;
	int fd = l ? openat(v->fd[W_LOCK], "state.new", O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;

	if (fd >= 0) {
		n = stay(text, max, l, over);
		n += fmt(text + n, max - n, "restarts=%u\n", v->restarts);
		n += reasons(text + n, max - n, l, v->why);
		if (over)
			give_back(l);
		if (write(fd, text, n) != (ssize_t)n || syscall(SYS_renameat2, v->fd[W_LOCK], "state.new", v->fd[W_LOCK], "state", 0) < 0)
			let_go(fd), fd = -1;
	}
	keeper_let(v, l);
	if (fd < 0) {
		warn("%s: init.state: a new state file", v->name);
		return -1;
	}
	(void)unlinkat(v->fd[W_LOCK], "status", 0);	/* what that life has said */
	(void)unlinkat(v->fd[W_LOCK], "denied", 0);
	close(v->fd[W_FILE]);
	v->fd[W_FILE] = fd;
	v->renewed = true;
	return 0;
}

static int open_name(const struct left *l, const char *name)
{
	return openat(l->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Its starter has the lock until it has ended, and PID 1 of the box until that has closed what it
 * was born with. */
void state_take(struct live *v)
{
	struct left *l = keeper_left(v);
	int tries = 100, dir = l ? open_name(l, v->name) : -1;
	FILLED struct stat st;

	while (dir >= 0 && tries-- && flock(dir, LOCK_EX | LOCK_NB) < 0)
		(void)poll(NULL, 0, 5);
	if (tries >= 0 && fstat(dir, &st) == 0 && st.st_nlink)	/* else the name may be a new one's */
		v->fd[W_LOCK] = dir;
	else
		close(dir);
	keeper_let(v, l);
}

/* Names in order, those behind the first one: no list of all, and so no longest one, and yet not
 * the whole directory for each. Of the run directory, and of one with configurations. */
enum { AHEAD = 32 };
static struct ahead {
	int	 dir;
	char	 name[1 + AHEAD][MAXNAME + 1];
} ahead[2];

/* Where the first one behind it is, or belongs; AHEAD + 1: not here */
static int behind(const struct ahead *a, const char *of)
{
	int i = 1;

	while (i <= AHEAD && *a->name[i] && strcmp(a->name[i], of) <= 0)
		i++;
	return i;
}

/* ctl of a board is a socket among them. -1 is none, and not ~0. */
static void look_ahead(struct ahead *a, int of_dir, const char *ending, const char *of)
{
	static char name[MAXNAME + 1];
	int dir = of_dir == -1 ? -1 : openat(of_dir < 0 ? ~of_dir : of_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), i;
	const char *s;
	size_t n;

	memset(a, 0, sizeof *a);
	a->dir = of_dir;
	copy(a->name[0], sizeof *a->name, of);
	while (dir >= 0 && rootfs_list(dir) > 0)
		while ((s = rootfs_name())) {
			n = strlen(s) - strlen(ending);
			if (s[-1] == DT_SOCK || n > MAXNAME || !same(s + n, ending))
				continue;
			fmt(name, sizeof name, "%.*s", (int)n, s);
			if (!cfg_name(name) || strcmp(name, of) <= 0 || (i = behind(a, name)) > AHEAD)
				continue;
			memmove(a->name + i + 1, a->name + i, (unsigned)(AHEAD - i) * sizeof *a->name);
			copy(a->name[i], sizeof *a->name, name);
		}
	close(dir);
}

bool state_next(int of_dir, const char *ending, char of[MAXNAME + 1])
{
	struct ahead *a = ahead + !*ending;
	int i = behind(a, of);

	if (of_dir < 0 || a->dir != of_dir || !*of || strcmp(of, a->name[0]) < 0 || i > AHEAD || !*a->name[i]) {
		look_ahead(a, of_dir, ending, of);
		i = 1;
	}
	copy(of, MAXNAME + 1, a->name[i]);
	return *of;
}

/* What else has got here by somebody's hand is no text of ours, and nothing is undone
 * by it. An empty one is, and one without its last line. */
static bool own(const struct stat *st)
{
	errno = EPERM;
	return st->st_uid == getauxval(AT_EUID) && !(st->st_mode & 022);
}

/* Whole lines of it or not: length or -1. No FIFO is waited for. */
static int take(int dir, char *text, size_t max)
{
	FILLED struct stat st;
	ssize_t n = -1;
	int fd = openat(dir, "state", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && own(&st) && S_ISREG(st.st_mode) && (n = read(fd, text, max - 1)) >= 0) {
		text[n] = '\0';
		if (strchr(text, '\n') && !starts(text, "version=1\n")) {
			errno = EINVAL;
			n = -1;
		}
	}
	let_go(fd);
	return (int)n;
}

int state_read(struct left *l, const char *name)
{
	FILLED struct stat st;
	int dir, n = -1, held = 0;

	memset(l, 0, sizeof *l);
	if (state_open(l, false) < 0)
		return -1;
	copy(l->name, sizeof l->name, name);
	dir = open_name(l, name);
	if (dir >= 0 && fstat(dir, &st) == 0 && own(&st)) {
		held = flock(dir, LOCK_SH | LOCK_NB) < 0;	/* two who ask are not in each other's way */
		n = take(dir, l->text, sizeof l->text);
	}
	let_go(dir);
	if (n < 0) {
		let_go(l->dir);
		l->dir = -1;
		return -1;
	}
	l->len = (uint16_t)n;
	return held;
}

/* The kernel's name for this boot. */
static int boot_id(char id[40])
{
	return read_file("/proc/sys/kernel/random/boot_id", id, 37);
}

/* A run directory in memory is gone with the processes that it speaks of. In any
 * other, a number and a start time may be those of another process after a boot. */
static bool persists(int dir)
{
	FILLED struct statfs fs;

	return fstatfs(dir, &fs) < 0 || (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC);
}

bool state_is_ours(const struct left *l)
{
	static char was[40], is[40];
	unsigned at = 0;

	return !left_get(l, "boot", &at, was, sizeof was) || (boot_id(is) > 0 && same(was, is));
}

/* By a rename: who finds it finds all of it. */
int state_save(int dir)
{
	int fd = openat(dir, "box.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600), e;
	bool whole;

	if (fd < 0)
		return -1;
	whole = cfg_show(fd, false);
	let_go(fd);
	if (whole && syscall(SYS_renameat2, dir, "box.new", dir, "box", 0) == 0)
		return 0;
	e = errno;
	(void)unlinkat(dir, "box.new", 0);
	errno = e;
	return -1;
}

/* Opens and locks RUNDIR/NAME. A directory that a finishing keeper has removed
 * between our open and our lock has no links any more: made anew. Who looks holds the lock
 * for a moment, and on a board that starts all of its boxes many look: a second. */
static int lock_name(struct run *r, bool *fresh)
{
	FILLED struct stat st;
	int tries;

	for (tries = 0; tries < 200; tries++) {
		*fresh = mkdirat(r->left->dir, r->name, 0700) == 0;
		if (!*fresh && errno != EEXIST)
			break;
		if ((r->statedir = open_name(r->left, r->name)) < 0) {
			if (errno == ENOENT)
				continue;
			break;
		}
		if (flock(r->statedir, LOCK_EX | LOCK_NB) == 0) {
			if (fstat(r->statedir, &st) < 0 || !own(&st))
				break;
			if (st.st_nlink)
				return 0;
		} else {
			if (errno != EWOULDBLOCK)
				break;
			*fresh = false;
			if (flock(r->statedir, LOCK_SH | LOCK_NB) < 0) {
				(void)fail_not(r, "%s is running already", r->name);
				r->err = EALREADY;
				return -EALREADY;
			}
		}
		close(r->statedir);		/* only somebody who looks, for a moment, or has just removed it */
		(void)poll(NULL, 0, 5);
		errno = EBUSY;
	}
	return fail(r, "lock %s in the run directory", r->name);
}

/* What a killed keeper left of this name is undone first; what the box has said stays. */
static int sweep(struct run *r, bool *fresh)
{
	static struct left old;

	old = *r->left;
	copy(old.name, sizeof old.name, r->name);
	old.len = 0;
	if (take(r->statedir, old.text, sizeof old.text) < 0) {
		if (errno == ENOENT && (unlinkat(r->statedir, "box", 0) == 0 || errno == ENOENT))
			return 0;		/* that one had got as far as to remove it */
		return fail(r, "read what the last keeper left");
	}
	old.len = (uint16_t)strlen(old.text);
	old.log = true;
	old.keep = false;		/* of this one, when it ends */
	stages_undo(&old, -1);
	*fresh = !old.stuck;
	return old.stuck ? fail_not(r, "what the last keeper left could not be removed") : 0;
}

/* The same by hand, for a name that nobody starts: 0, 1 where not all could be removed,
 * -1: EWOULDBLOCK, somebody is at it. */
int state_clear(struct left *l, const char *name)
{
	FILLED struct stat st;
	int dir, e = -1;

	memset(l, 0, sizeof *l);
	if (state_open(l, false) < 0)
		return -1;
	copy(l->name, sizeof l->name, name);
	dir = open_name(l, name);
	if (dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) == 0 && fstat(dir, &st) == 0 && own(&st)) {
		errno = ENOENT;
		if (st.st_nlink && (take(dir, l->text, sizeof l->text) >= 0 || errno == ENOENT)) {
			l->len = (uint16_t)strlen(l->text);
			stages_undo(l, -1);
			e = l->stuck;
		}
	}
	if (dir >= 0)
		let_go(dir);
	let_go(l->dir);
	l->dir = -1;
	return e;
}

/* Until FILE is there: 0; or -1: ENOENT where the box has ended, ETIME. */
int state_await(int dir, const char *file, unsigned ms)
{
	static char what[512];
	struct pollfd p = { -1, POLLIN, 0 };
	uint64_t now, end = now_ms() + ms;
	int e = 0;

	while (!e && faccessat(dir, file, F_OK, 0) < 0) {
		if (errno != ENOENT || faccessat(dir, "state", F_OK, 0) < 0)
			e = errno;
		else if ((now = now_ms()) >= end)
			e = ETIME;
		else if (p.fd >= 0)
			(void)!(poll(&p, 1, (int)(end - now)) > 0 && read(p.fd, what, sizeof what));
		else if ((p.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) < 0 ||
			 inotify_add_watch(p.fd, fmts("/proc/self/fd/%d", dir), IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR) < 0)
			e = errno;
	}
	close(p.fd);
	errno = e;
	return e ? -1 : 0;
}

/* 1: the link is of this name, 0: another's or not there, -1 */
static int owns(const struct left *l, const char *link)
{
	static char owner[MAXNAME + 1] OFTEN;
	ssize_t n = readlinkat(l->dir, link, owner, sizeof owner - 1);

	if (n < 0)
		return errno == ENOENT ? 0 : -1;
	owner[n] = '\0';
	return same(owner, l->name);
}

/* The box that has the number lost its keeper, and nobody has started it again:
 * what it left goes now, and the number with it. */
static bool bury(struct run *r, const char *link)
{
	static struct left dead;
	static char owner[MAXNAME + 1] OFTEN;
	ssize_t n = readlinkat(r->left->dir, link, owner, sizeof owner - 1);
	int held;

	if (n <= 0)
		return false;
	owner[n] = '\0';
	held = state_read(&dead, owner);
	if (held < 0)
		return errno == ENOENT && unlinkat(r->left->dir, link, 0) == 0;
	if (!held)
		stages_undo(&dead, -1);
	close(dead.dir);
	return !held && !dead.stuck;
}

/* A number of the box's own, from its name, for user=auto, for the range of a
 * user namespace, and for PID 1 where the program is root; two names with one number meet at the link uid.N, and the
 * later one takes the next. */
static int number_user(struct run *r)
{
	uint32_t h = 2166136261u, span = AUTO_LAST - AUTO_FIRST + 1, i;
	static char link[16] OFTEN;
	const char *p;

	for (p = r->name; *p; p++)
		h = (h ^ (uint8_t)*p) * 16777619u;
	for (i = 0; i < span; i++) {
		r->number = (h + i) % span;
		if (r->box->who == WHO_AUTO)
			r->uid = r->gid = AUTO_FIRST + r->number;
		fmt(link, sizeof link, ".uid.%u", AUTO_FIRST + r->number);
		if (left_add(r, "uid=%u\n", AUTO_FIRST + r->number) < 0)
			return fail(r, "write the state file");
		if (symlinkat(r->name, r->left->dir, link) == 0)
			return 0;
		if (errno != EEXIST)
			return fail(r, "note the number of user=auto");
		if (owns(r->left, link) == 1)
			return 0;
		if (bury(r, link))
			i--;
	}
	return fail_not(r, "user=auto: no number between %u and %u is free", AUTO_FIRST, AUTO_LAST);
}

/* A start in a box's own state file, whose keeper holds it: what he has left in it is
 * the first lines. */
static int go_on(struct run *r)
{
	struct left *l = r->left;
	static char uid[12];
	unsigned at = 0;
	uint64_t n;
	int got = read_at(r->statedir, "state", l->text, sizeof l->text);

	if (got < 0)
		return fail(r, "read the state file");
	l->len = l->written = (uint16_t)got;
	copy(l->name, sizeof l->name, r->name);
	if (r->box->file && !same(r->box->file, state_saved(r->name)) && left_add(r, "mtime=%u\n", r->box->mtime) < 0)
		return fail(r, "write the state file");		/* it has been read once more */
	if (!left_get(l, "uid", &at, uid, sizeof uid))
		return 0;
	decimal(uid, &n);
	r->number = (uint32_t)n - AUTO_FIRST;
	return 1;
}

/* The file that it was read from, for husk restart and husk list */
static int note_file(struct run *r)
{
	static char path[512] APART;
	const char *file = r->box->file;
	size_t n = 0;

	if (!file)
		return 0;
	if (*file != '/') {
		if (sys_getcwd(path, sizeof path / 2) < 0)
			return 0;
		n = strlen(path);
	}
	if (n + strlen(file) + 2 > sizeof path)
		return 0;
	fmt(path + n, sizeof path - n, "%s%s", n ? "/" : "", file);
	if (r->box->local && left_add(r, "local=%s\n", r->box->local) < 0)
		return -1;
	return left_add(r, "file=%s\nmtime=%u\n", path, r->box->mtime);
}

/* Who runs as who he is, or as who another is to be, needs no number of its own. */
static int own_number(struct run *r, bool known)
{
	if (r->box->who != WHO_AUTO && (r->unpriv || (r->box->uid != 0 &&
	    (USERS(r->box) != NSM_NEW || !r->box->automap))))
		return 0;
	if (r->unpriv) {
		r->uid = geteuid();
		r->gid = getegid();
		return 0;
	}
	if (!known)
		return number_user(r);
	if (r->box->who == WHO_AUTO)
		r->uid = r->gid = AUTO_FIRST + r->number;
	return 0;
}

int init_state(struct run *r)
{
	static char id[40];
	bool fresh;
	int e;

	if (r->lock && state_open(r->left, false) == 0) {
		e = go_on(r);
		return e < 0 ? e : own_number(r, e);
	}
	if (state_open(r->left, true) < 0)
		return fail(r, "%s (HUSK_RUN, or %s)", state_where(), r->unpriv ? "XDG_RUNTIME_DIR" : RUNDIR);
	e = lock_name(r, &fresh);
	if (e)
		r->statedir = -1;	/* a keeper to whom it was handed over would take the name for his own */
	else if (!fresh)
		e = sweep(r, &fresh);
	if (!e || fresh)		/* not another keeper's, nor what sweep() had to leave: ours to undo */
		copy(r->left->name, sizeof r->left->name, r->name);
	if (e)
		return e;
	if (left_add(r, "version=1\nkeeper=%d\n", r->board ? getppid() : getpid()) < 0 || (persists(r->left->dir) &&
	    (boot_id(id) < 0 || left_add(r, "boot=%s\n", id) < 0)))
		return fail(r, "begin the state file");
	r->state = openat(r->statedir, "state", O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->state < 0)
		return fail(r, "make the state file");
	if (note_file(r) < 0)
		return fail(r, "begin the state file");
	return own_number(r, false);
}

/* What it was started with is there when it has lived for some time; a starter of a
 * board, or husk update, may just be writing it. */
static int remove_dir(const struct left *l)
{
	static const char files[] = "box.new\0box\0state.new\0ctl\0notify\0status\0denied\0log.1\0log\0";
	const char *file;
	int e = 0, tries = 0;

	while (l->log ? !tries++ : (e = unlinkat(l->dir, l->name, AT_REMOVEDIR)) < 0 && errno == ENOTEMPTY && tries++ < 8)
		for (file = files; *file && !(l->log && starts(file, "log")); file += strlen(file) + 1)
			(void)unlinkat(l->dir, fmts("%s/%s", l->name, file), 0);
	return e;
}

/* Last of the undo rows: the state file goes when nothing is left that it lists. */
void init_forget(struct left *l)
{
	static char buf[MAXNAME + 9] OFTEN;
	unsigned at = 0;

	if (l->stuck || l->dir < 0 || !*l->name)
		return;
	for (; l->keep && left_get(l, "etc", &at, buf, sizeof buf); )
		(void)unlinkat(l->dir, fmts("%s/etc.%s", l->name, buf), 0);
	if (l->keep)
		return;
	give_back(l);
	if (l->stuck)
		return;
	for (at = 0; left_get(l, "etc", &at, buf, sizeof buf); )
		if (unlinkat(l->dir, fmts("%s/etc.%s", l->name, buf), 0) < 0 && errno != ENOENT) {
			kept(l, fmts("%s/etc.%s", l->name, buf));
			return;
		}
	fmt(buf, sizeof buf, "%s/state", l->name);
	if ((unlinkat(l->dir, buf, 0) < 0 && errno != ENOENT) ||
	    (remove_dir(l) < 0 && errno != ENOENT))
		kept(l, buf);
}
