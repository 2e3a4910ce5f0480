/*
 * control.c - husk pause, resume and update: what is done to a box that runs.
 *
 * update is a start without the start: what the box was made of, as the keeper has
 * saved it, with the words above it, goes through the same reader and the same checks;
 * then what differs is written. All of it holds, or all is as before. One at a time:
 * the state file is locked. Nothing that the box can write is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

enum { PATIENCE_MS = 5000, STEP_MS = 10 };

/* Found by its name, and what it is to become. */
static struct {
	struct up up;
	struct box was, now;
	bool	 devices, nodes;	/* a word is about them */
	uint16_t held;			/* of the state file: what was there before */
} one;

static BASE struct up *box(void)
{
	return &one.up;
}

int control_freeze(const char *name, bool on)
{
	int e = up_open(box(), name);

	if (!e && cg_freeze(box(), on))
		e = up_failed(box(), "cg.freeze");
	return e;
}

/* -------------------------------------------------------------------- update */

/* A default that is taken away has to be said, or the next update has it again. */
static char *without_default(int row, char *word)
{
	if (word[strcspn(word, "=") + 1] || (row != KEY_MEMORY_MAX && row != KEY_PIDS_MAX))
		return word;
	return (char *)(uintptr_t)(row == KEY_PIDS_MAX ? "pids.max=max" : "memory.max=max");
}

/* Only what the kernel lets others change. Of a key that there is not the reader says so. */
static int changeable(char *words[], int n)
{
	const char *w;
	int row;

	for (; n > 0; n--, words++) {
		w = **words == '?' ? *words + 1 : *words;
		row = key_of(w);
		one.nodes |= row == KEY_DEVICE && w[strcspn(w, "=") + 1];
		one.devices |= row == KEY_DEVICE || row == KEY_DEVICES_ALLOW;
		*words = without_default(row, *words);
		if (row < 0 || key_row(row)->flags & K_LIVE)
			continue;
		cfg_complain(NULL, 0, w, row >= KEY_STOP_SIGNAL && row <= KEY_STOP_TIMEOUT ?
			TEXT "the keeper has it from the start: change the file, and start the box anew" :
			TEXT "not of a box that runs: limits, device= and devices.allow= alone");
		return 2;
	}
	return 0;
}

/* One update at a time, and that of a box that still runs. Its text is read again:
 * the one before may have added to it. */
static int hold(struct up *u)
{
	struct run *r = &u->run;
	uint64_t end = now_ms() + PATIENCE_MS, pid;
	ssize_t n;
	int who;

	if ((r->statedir = openat(u->left.dir, r->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0 ||
	    (r->state = openat(r->statedir, "state", O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return fail(r, "open the state file");
	while (flock(r->state, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(r, "lock the state file");
		if (now_ms() >= end)
			return fail_not(r, "another update of it does not end");
		(void)poll(NULL, 0, STEP_MS);
	}
	if ((n = pread(r->state, u->left.text, sizeof u->left.text - 1, 0)) < 0)
		return fail(r, "read the state file");
	u->left.text[n] = '\0';
	u->left.len = u->left.written = one.held = (uint16_t)n;
	if ((who = ns_find(&u->left, r->proc, &pid)) < 0 || (pid_t)pid != r->init)
		return fail_not(r, "it has just ended");
	close(who);
	return 0;
}

/* The keeper saves what a box was made of when that has lived for a moment. */
static int await(struct up *u)
{
	struct run *r = &u->run;

	if (state_await(r->statedir, "box", PATIENCE_MS) == 0)
		return 0;
	if (errno == ENOENT)
		return fail_not(r, "it has just ended");
	if (errno == ETIME)
		return fail_not(r, "what it was made of is not there: it is starting, was started by an older husk, or its run directory is full");
	return fail(r, "what it was made of");
}

/* From one to the other, by what each of them needs: 0, or where it failed. */
static const char *change(struct up *u, const struct box *from, const struct box *to)
{
	struct run *r = &u->run;

	r->box = to;
	if (cg_leaves(r, cg_wanted(to)))
		return "cg.make";
	if (cg_move(u))
		return "cg.enter";
	stage_at(r, "cg.limits");	/* for what is noted on the way */
	if (cg_update(r, from))
		return "cg.limits";
	return NULL;
}

/* Each step takes itself back where it fails, and those before it are taken back here.
 * The last one is what the next update goes by. */
static const char *apply(struct up *u)
{
	static char why[sizeof u->run.why];
	bool devices, back;
	const char *where;

	if (cg_found(&u->run))
		return "cg.make";
	if ((where = change(u, &one.was, &one.now)))
		return where;
	devices = !one.devices || !cg_devices_update(u, &one.now);
	if (devices && state_save(u->run.statedir) == 0)
		return NULL;
	if (devices)
		(void)fail(&u->run, "save what it is made of");
	copy(why, sizeof why, u->run.why);
	back = !devices || !one.devices || !cg_devices_back(u);
	back &= !change(u, &one.now, &one.was);
	fmt(u->run.why, sizeof u->run.why, back ? "%s" : "%s, and not all is as before", why);
	return devices ? "init.state" : "cg.devices";
}

/* It has ended meanwhile, and nobody reads the lines of the leaves just made. */
static void leave_nothing(struct up *u)
{
	struct left *l = &u->left;
	FILLED struct stat st;

	if (fstat(u->run.state, &st) < 0 || st.st_nlink)
		return;
	memmove(l->text, l->text + one.held, l->len - one.held + 1u);
	cg_remove(l);
}

int control_update(const char *name, char *words[], int n)
{
	struct up *u = box();
	const char *file, *where;
	int e;

	if ((e = changeable(words, n)) || (e = up_open(u, name)))
		return e;
	if (hold(u) || await(u))
		return up_failed(u, "init.state");
	file = state_saved(name);
	if (cfg_load(&one.was, file, NULL, 0, NULL))
		return 1;
	if ((e = cfg_again(&one.now, file, words, n)))
		return e;
	keeper_block(true);
	where = apply(u);
	if (where)
		leave_nothing(u);
	else if (one.nodes) {
		stage_at(&u->run, "cg.devices");
		note(&u->run, "device=: may be opened now; its node comes with the next start, or is made inside");
	}
	return where ? up_failed(u, where) : 0;
}
