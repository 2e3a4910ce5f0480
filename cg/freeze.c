/*
 * freeze.c - all of a box stands still, and goes on.
 *
 * cgroup.freeze of the v2 leaf, which a tree without controllers has too since 5.2;
 * else the v1 freezer. To freeze takes as long as a process is busy in the kernel, and
 * one that hangs in a driver may never come: a box is frozen, or thawed, never left
 * half way. v2 tells by an event; v1 tells nobody, and looks at its processes only
 * when it is asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

enum { PATIENCE_MS = 5000 };

struct freezer {
	int	 file, says;		/* what is written, and what is read; v1 has one for both */
	int	 signals;		/* of who asks: he may be asked to end meanwhile */
	bool	 v2;
};

/* Is this leaf one that somebody has frozen, or will have? */
bool cg_frozen(const char *leaf)
{
	const char *s = caps_file(fmts(TEXT "%s/cgroup.freeze", leaf));

	if (HAS(v1) && !s)
		s = caps_file(fmts(TEXT "%s/freezer.state", leaf));
	return s && (*s == '1' || *s == 'F');
}

bool cg_paused(const struct left *l)
{
	static char path[CGPATH];
	unsigned at = 0;

	while (cg_next(l, &at, path))
		if (cg_frozen(path))
			return true;
	return false;
}

static int find(struct up *u, struct freezer *f)
{
	f->says = -1;
	f->v2 = (f->file = up_file(u, "cgroup.freeze", O_RDWR)) >= 0;
	if (f->v2)
		f->says = up_file(u, "cgroup.events", O_RDONLY);
	else if (errno == ENOENT)
		f->says = f->file = up_file(u, "freezer.state", O_RDWR);
	if (f->says >= 0)
		return 0;
	return errno == ENOENT ? fail_not(&u->run, "it has no cgroup that freezes - a v2 tree of Linux 5.2, or CONFIG_CGROUP_FREEZER") :
		fail(&u->run, "%s: its freezer", u->leaf);
}

static int ask(const struct freezer *f, bool on)
{
	const char *text = f->v2 ? on ? "1" : "0" : on ? "FROZEN" : "THAWED";

	return write(f->file, text, strlen(text)) < 0 ? -1 : 0;
}

/* 1: all of it is frozen, 0: it is not, and nobody wants it to be; 2: on the way; -1 */
static int state(const struct freezer *f)
{
	static char text[128];
	ssize_t n = pread(f->says, text, sizeof text - 1, 0);

	if (n < 0)
		return -1;
	text[n] = '\0';
	if (!f->v2)
		return *text == 'T' ? 0 : starts(text, "FROZEN") ? 1 : 2;
	return cg_count(text, "frozen") == 1;
}

static bool interrupted(int signals)
{
	static struct signalfd_siginfo si;

	return read(signals, &si, sizeof si) == sizeof si &&
		(si.ssi_signo == SIGINT || si.ssi_signo == SIGTERM || si.ssi_signo == SIGHUP || si.ssi_signo == SIGQUIT);
}

/* Read before it is waited for, so no event is missed. v1 is asked again each time:
 * what it looks at is who was there a moment ago. */
static int settle(const struct freezer *f, bool on)
{
	struct pollfd p[2] = { { f->signals, POLLIN, 0 }, { f->says, POLLPRI, 0 } };
	uint64_t now = now_ms(), end = now + PATIENCE_MS;
	int s, step = 1;

	for (; (s = state(f)) != on; now = now_ms()) {
		if (s < 0 || (!f->v2 && ask(f, on) < 0))
			return -1;
		if (now >= end || interrupted(f->signals)) {
			errno = now >= end ? ETIMEDOUT : EINTR;
			return -1;
		}
		if (f->v2)
			(void)poll(p, 2, (int)(end - now));
		else
			(void)poll(p, 1, step < 64 ? step *= 2 : step);
	}
	return 0;
}

/* A thread that cannot be frozen, by its number, or 0. Its name may be anything, and
 * stands between brackets. */
static int busy(struct up *u, bool v2)
{
	static char buf[2048];
	uint64_t tid;
	const char *p, *s;
	int fd = up_file(u, v2 ? "cgroup.threads" : "tasks", O_RDONLY), n = fd < 0 ? 0 : (int)read(fd, buf, sizeof buf - 1);

	buf[n > 0 ? n : 0] = '\0';
	close(fd);
	for (p = buf; *(p = decimal(p, &tid)); p++)
		if ((s = caps_field(caps_status(u->run.proc, fmts(TEXT "%d/stat", (int)tid)), 3)) && *s == 'D')
			return (int)tid;
	return 0;
}

/* Whatever happens to one write. */
static int thaw(const struct freezer *f)
{
	int tries = 3;

	while (ask(f, false) < 0 && --tries)
		;
	return tries ? 0 : -1;
}

/* Never half way: what does not freeze is thawed, whatever the reason. */
static int give_up(struct up *u, const struct freezer *f)
{
	int e = errno, tid = e == ETIMEDOUT ? busy(u, f->v2) : 0;
	const char *thawed = thaw(f) == 0 ? TEXT "thawed again" : TEXT "and could not be thawed";

	errno = e;
	if (tid)
		return fail_not(&u->run, "%s: not frozen in %d s: thread %d waits in the kernel: %s", u->leaf, PATIENCE_MS / 1000, tid, thawed);
	return fail(&u->run, "%s: not frozen, %s", u->leaf, thawed);
}

static int freeze(struct up *u, const struct freezer *f, bool on)
{
	if ((on ? ask(f, on) : thaw(f)) == 0 && settle(f, on) == 0)
		return 0;
	if (on)
		return give_up(u, f);
	return errno == ETIMEDOUT ? fail_not(&u->run, "%s: still frozen: is a cgroup above it?", u->leaf) : fail(&u->run, "%s: thaw", u->leaf);
}

static int begin(struct up *u, struct freezer *f)
{
	int e = find(u, f);

	if (e)
		return e;
	keeper_block(true);
	f->signals = keeper_listen();
	return f->signals < 0 ? fail(&u->run, "signalfd") : 0;
}

int cg_freeze(struct up *u, bool on)
{
	struct freezer f;
	int e = begin(u, &f);

	return e ? e : freeze(u, &f, on);
}

/* Somebody else, of a session of his own, who thaws it where this process is killed: that
 * is the end of a pipe without a word. Until then the state file is locked. */
static pid_t watchman(struct up *u, const struct freezer *f, int *pipe)
{
	ssize_t n;
	pid_t pid;
	char c;
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return fail(&u->run, "a process that would thaw it");
	close(p[!pid]);
	*pipe = p[1];
	if (pid)
		return pid;
	setsid();
	while ((n = read(p[0], &c, 1)) < 0 && errno == EINTR)
		;
	if (n <= 0)
		(void)thaw(f);
	_exit(0);
}

/* With what it was frozen by it is thawed: there is nothing left that could fail. */
int cg_while_frozen(struct up *u, int work(struct up *))
{
	struct freezer f;
	int e, word = -1;
	pid_t pid;

	if (cg_paused(&u->left))
		return work(u);
	if ((e = begin(u, &f)) || (e = pid = watchman(u, &f, &word)) < 0)
		return e;
	if (!(e = freeze(u, &f, true))) {
		e = work(u);
		e = thaw(&f) < 0 ? fail(&u->run, "%s: thaw", u->leaf) : e;
	}
	(void)!write(word, "", 1);
	close(word);
	(void)waitpid(pid, NULL, 0);
	return e;
}
