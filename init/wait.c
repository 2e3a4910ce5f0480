/*
 * wait.c - what a box waits for: after= and needs= of other boxes and of paths, if=.
 *
 * What another box is says the last state= of its state file, and whether its keeper
 * holds the lock: it may be a box of this keeper or of any other. All that can change
 * an answer is heard by inotify, and then all is asked once more. /sys and /proc do
 * not tell: there the question is asked every second, while it is open.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

enum { ASK_MS = 1000, REST_MS = 10, NOTED = 1024, LIVES = 1, DONE = 2, WAITS = 4, STARTS = 8 };
#define NEWS	(IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB)

/* A state file without a word is that of a start. */
static int state_of(const char *name)
{
	static struct left l;
	static char word[16];
	int held = state_read(&l, name);

	if (held < 0)
		return 0;
	close(l.dir);
	if (same(state_word(&l, word, sizeof word), "done"))
		return DONE;
	if (!held)
		return 0;
	return same(word, "running") || same(word, "ready") || same(word, "paused") ? LIVES :
		!*word || same(word, "starting") ? STARTS : same(word, "waiting") ? WAITS : 0;
}

/* Is another one of all on its way? Or: hear of them all. Who waits himself is none, he
 * may wait for us. */
static bool any_starts(int rundir, const char *self, int fd)
{
	int dir = openat(rundir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *name;
	bool any = false;

	while (dir >= 0 && rootfs_list(dir) > 0)
		while ((name = rootfs_name()))
			if (cfg_name(name) && !same(name, self)) {
				if (fd >= 0)
					(void)inotify_add_watch(fd, rootfs_at(dir, name), NEWS);
				else
					any |= state_of(name) == STARTS;
			}
	if (dir >= 0)
		close(dir);
	return any;
}

static bool holds(const char *w, int rundir, const char *self)
{
	const char *what = w + 1;

	if (*w == WAIT_IF)
		return (access(what + (*what == '!'), F_OK) == 0) == (*what != '!');
	if (*what == '/')
		return access(what, F_OK) == 0;
	if (*what == '*')
		return !any_starts(rundir, self, -1);
	return *w == WAIT_NEEDS ? state_of(what) & (LIVES | DONE) : !(state_of(what) & (WAITS | STARTS));
}

/* The conditions of if= count when all the others hold. */
int wait_for(const char *waits, int rundir, const char *self, bool started, const char **why)
{
	const char *w;
	int skip, turns = started ? 1 : 2;

	for (skip = 0; skip < turns; skip++)
		for (w = waits; *w; w += strlen(w) + 1)
			if ((*w == WAIT_IF) == skip && (!started || *w == WAIT_NEEDS) && !holds(w, rundir, self)) {
				*why = fmts("%s%s", *w == WAIT_IF ? "if=" : *w == WAIT_NEEDS ? "needs " : "after ", w + 1);
				return skip ? HOLD_SKIP : HOLD_WAIT;
			}
	return HOLD_NOT;
}

/* A row of the table: the state file and its lock are there, and nothing else. */
int init_wait(struct run *r)
{
	const char *why;

	if (*r->box->life.waits == WAIT_NEVER)
		return fail_not(r, "needs: a circle: %s", r->box->life.waits + 1);
	if (!*r->box->life.waits || !(r->held = (uint8_t)wait_for(r->box->life.waits, r->left->dir, r->name, false, &why)))
		return 0;
	copy(r->why, sizeof r->why, why);
	(void)log_note(r);
	(void)left_add(r, "state=%s %u %s\n", r->held == HOLD_WAIT ? "waiting" : "skipped", state_seconds(), why);
	return -EAGAIN;
}

/* What leads to it: the directory that it is to appear in, or as far as that is there. */
static void watch_path(int fd, const char *path)
{
	static char dir[MAXWAITS];
	char *end;

	(void)inotify_add_watch(fd, path, IN_DELETE_SELF | IN_ATTRIB | IN_MOVE_SELF);
	copy(dir, sizeof dir, path);
	while ((end = strrchr(dir, '/'))) {
		end[end == dir] = '\0';
		if (inotify_add_watch(fd, dir, NEWS) >= 0 || end == dir)
			return;
	}
}

static bool silent(const char *path)
{
	return *path == '/' && cfg_kernels(path);
}

void wait_watch(struct live *v)
{
	static struct left l;
	const char *w;

	if (!HAS(restart))
		return;
	if (v->fd[W_WAIT] < 0)
		v->fd[W_WAIT] = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (state_open(&l, false) < 0)
		return;
	for (w = v->life.waits; *w; w += strlen(w) + 1) {
		if (v->fd[W_WAIT] < 0 || silent(w + 1))
			v->due[DUE_WAIT] = now_ms() + ASK_MS;
		else if (w[1] == '/')
			watch_path(v->fd[W_WAIT], w + 1);
		else if (*w != WAIT_IF) {
			(void)inotify_add_watch(v->fd[W_WAIT], rootfs_at(l.dir, ""), IN_CREATE | IN_DELETE | IN_MOVED_TO);
			if (w[1] == '*')
				(void)any_starts(l.dir, v->name, v->fd[W_WAIT]);
			else
				(void)inotify_add_watch(v->fd[W_WAIT], rootfs_at(l.dir, w + 1), NEWS);
		}
	}
	close(l.dir);
}

/* Watched first, then asked: nothing comes between. */
void wait_heard(struct live *v)
{
	static struct left l;
	static char news[2048];
	const char *why;
	FILLED struct stat st;
	bool started = v->state != WAITING;
	int hold;

	if (v->fd[W_WAIT] >= 0)
		(void)!read(v->fd[W_WAIT], news, sizeof news);
	wait_watch(v);
	if (state_open(&l, false) < 0)
		return;
	hold = wait_for(v->life.waits, l.dir, v->name, started, &why);
	close(l.dir);
	if (started && hold) {
		copy(v->why, sizeof v->why, fmts("%s has gone", why));
		(void)life_event(v, EV_NEED);
	} else if (!started && hold != HOLD_WAIT && v->earliest > now_ms())
		v->due[DUE_WAIT] = v->earliest;
	else if (!started && hold != HOLD_WAIT)
		(void)life_event(v, EV_GO);
	else if (!started && !same(v->why, why)) {
		copy(v->why, sizeof v->why, why);
		if (fstat(v->fd[W_FILE], &st) == 0 && st.st_size < NOTED)	/* that may change all the time, and a start needs room there */
			state_note(v, "waiting", why);
	}
}

/* The directory of a path may be one that a box writes to, as fast as it can. And a keeper who is killed
 * closes his state file, which is heard, before he lets go of his lock, which is not: asked once more. */
void wait_news(struct live *v)
{
	v->due[DUE_NEWS] = now_ms() + REST_MS;
	wait_heard(v);
	if (!v->due[DUE_WAIT])
		v->due[DUE_WAIT] = now_ms() + ASK_MS;
}
