/*
 * ask.c - the verbs that change a box's life, from outside: husk stop, restart, reload,
 * delete, wait, kill. What only its keeper can do is asked at its door (ctl.c); what the
 * kernel and the lock can is done without it, whether it is halted or dead.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "husk.h"

enum { DOOR_MS = 40000,			/* until it has one: a start may take 30 s */
       ANSWER_MS = 10000,		/* to the first word, */
       SLACK_MS = 12000,		/* and longer than it said: to kill takes 5 s, and to undo */
       STEP_MS = 10, LOOK_MS = 100,
       LOST = -1 };			/* there is no answer: the keeper has ended */

static struct {
	struct left left;		/* of the box; left.dir: RUNDIR */
	int	 dir;			/* RUNDIR/NAME, if it is there */
	int	 exe;			/* of husk upgrade */
	bool	 seen;			/* it has been there */
	const char *name;
} one;

static int trouble(const char *what)
{
	warn("%s: %s", one.name, what);
	return 1;
}

static int not_running(void)
{
	return up_not(one.name);
}

/* 1: a keeper holds it, 0: nobody does, -1: errno, ENOENT where nothing is there. Each
 * time anew: what it was may be gone. */
static int look(void)
{
	int held;

	close(one.left.dir);
	close(one.dir);
	held = state_read(&one.left, one.name);
	one.dir = one.left.dir < 0 ? -1 : openat(one.left.dir, one.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	one.seen |= held >= 0;
	return held < 0 || one.dir >= 0 ? held : -1;
}

static int begin(const char *name)
{
	one.name = name;
	one.left.dir = one.dir = -1;
	one.seen = false;
	return up_name(name);
}

/* What a keeper that is no more has left, or has left on purpose. LOST: somebody else
 * is at it. */
static int clear(void)
{
	int e = state_clear(&one.left, one.name);

	if (e < 0 && errno == EWOULDBLOCK)
		return LOST;
	if (e < 0 && errno == ENOENT) {
		if (!one.seen)
			(void)list_unknown(one.name);
		return 0;
	}
	return e < 0 ? trouble("what the last keeper left") : e;
}

int ask_no_answer(void)
{
	static char pid[16];
	unsigned at = 0;

	warnx("%s: its keeper, process %s, does not answer - it is halted, or hangs: husk kill %s KILL ends the box",
		one.name, left_get(&one.left, "keeper", &at, pid, sizeof pid) ? pid : "?", one.name);
	return 1;
}

/* The keeper's door, which is there when the box is up; -1: errno, ETIME: it does not come.
 * Nothing tells that he dies on the way there but the lock, which is looked at meanwhile. */
static int knock(void)
{
	uint64_t end = now_ms() + DOOR_MS;
	int fd;

	while ((fd = ctl_connect(one.dir)) < 0) {
		if (errno == EAGAIN)		/* as many as it lets wait: if it runs, not for long */
			(void)poll(NULL, 0, STEP_MS);
		else if (errno != ENOENT || (state_await(one.dir, "ctl", LOOK_MS) < 0 && errno != ETIME))
			return -1;
		if (flock(one.dir, LOCK_SH | LOCK_NB) == 0) {
			(void)flock(one.dir, LOCK_UN);
			errno = ECONNREFUSED;
			return -1;
		}
		errno = ETIME;
		if (now_ms() >= end)
			return -1;
	}
	return fd;
}

/* For who stays there: a descriptor; or a line is printed, and less than 0 is the status. */
int ask_door(const char *name)
{
	int fd;

	if (begin(name))
		return -2;
	if (look() > 0 && (fd = knock()) >= 0)
		return fd;
	if (errno == ETIME)
		ask_no_answer();
	else
		not_running();
	return -125;
}

/* Its answers, up to the last one */
static int listen_to(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	struct answer a;
	int limit = ANSWER_MS;

	do {
		if (poll(&p, 1, limit) == 0)
			return ask_no_answer();
		if (recv(fd, &a, sizeof a, MSG_DONTWAIT) != sizeof a)
			return LOST;
		limit = a.ms == ANSWER_WAITS ? -1 : a.ms + SLACK_MS;
	} while (a.ms >= 0);
	return a.status;
}

static int ask(uint8_t verb)
{
	int fd = knock(), s;

	if (fd < 0 && errno != ENOENT && errno != ECONNREFUSED)
		return errno == ETIME ? ask_no_answer() : trouble("ctl");
	if (fd < 0)
		(void)poll(NULL, 0, STEP_MS);	/* it ends, or is just killed, and its lock will be free */
	if (verb == ASK_UPGRADE)
		s = init_give(0, fd, verb, one.exe);
	else
		s = send(fd, &verb, 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
	s = s == 0 ? listen_to(fd) : LOST;
	close(fd);
	if (s < ANSWER_BUSY)
		return s;
	warnx("%s: %s", one.name, s == ANSWER_BUSY ? TEXT "too many wait for it" : TEXT "its keeper is another husk, and does not know this verb");
	return 1;
}

/* Until it is answered, or nobody holds the box: LOST. -2: one line is printed */
static int settled(uint8_t verb)
{
	int held, s = LOST;

	while (s == LOST && (held = look()) > 0)
		s = ask(verb);
	return s != LOST ? s : held < 0 && errno != ENOENT ? trouble(state_where()), -2 : LOST;
}

int ask_stop(const char *name)
{
	int s = LOST;

	if (begin(name))
		return 2;
	while (s == LOST)
		if ((s = settled(ASK_STOP)) == LOST)
			s = clear();
	return s < 0 ? 1 : s;
}

int ask_delete(const char *name)
{
	int s = LOST, held;

	if (begin(name))
		return 2;
	while (s == LOST) {
		if ((held = look()) > 0) {
			warnx("%s: it runs - husk stop %s", name, name);
			return 1;
		}
		s = held < 0 && errno != ENOENT ? trouble(state_where()) : clear();
	}
	return s;
}

int ask_reload(const char *name)
{
	int s = begin(name) ? 2 : settled(ASK_RELOAD);

	return s == LOST || s == 3 ? not_running() : s < 0 ? 1 : s;
}

/* PID 1 reads its files, starts what is new, stops what is gone; what has changed and runs is
 * named here. A PID 1 of another kind would take the signal for something else. */
int ask_reload_all(void)
{
	bool ours = on_board();

	if (ours && !board_readable()) {	/* what is wrong is found before something is done */
		warnx("reload: nothing done - mend that, then husk reload; or kill -HUP 1: it goes on with the rest");
		return 2;
	}
	if (!ours || kill(1, SIGHUP) < 0) {
		warnx("reload: PID 1: %s", ours ? errno_text() : TEXT "is no husk - of one box: husk reload NAME");
		return 1;
	}
	list_changed();
	return 0;
}

/* Whoever answers at its door now was that process before. */
static bool still(const char *pid)
{
	struct ucred c = { 0 };
	socklen_t n = sizeof c;
	int fd = knock();

	if (fd < 0)
		return false;
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n);
	close(fd);
	errno = ESRCH;
	return same(fmts(TEXT "%d", c.pid), pid);
}

/* The file that it was read from, or NULL, and the words of its keeper's command line, as
 * he was given them, where he was: 1, 0: it does not run, -1: printed. PID 1 of a board
 * was given none. */
int ask_words(const char *name, const char **file, char *words[], int max)
{
	static char text[16384], path[512], cwd[512], pid[16];
	unsigned at = 0;
	int held, n, i;
	char *w;

	*words = NULL;
	if (begin(name))
		return -1;
	if ((held = look()) < 0)
		return errno == ENOENT ? 0 : (trouble(state_where()), -1);
	*file = left_get(&one.left, "file", &at, path, sizeof path);
	at = 0;
	if (!held || !left_get(&one.left, "keeper", &at, pid, sizeof pid) || same(pid, "1"))
		return held;
	n = read_file(fmts(TEXT "/proc/%s/cmdline", pid), text, sizeof text);
	at = 0;
	if (n < 0 || n > (int)sizeof text - 2 || !still(pid) ||
	    chdir(left_get(&one.left, "cwd", &at, cwd, sizeof cwd) ? cwd : fmts(TEXT "/proc/%s/cwd", pid)) < 0)
		return trouble("how it was started"), -1;
	for (w = text, i = -2; w < text + n && i < max - 1; w += strlen(w) + 1)
		if (++i > 0)
			words[i - 1] = w;
	words[i > 0 ? i : 0] = NULL;
	return 1;
}

/* It waits for another one, or has failed, which is said as at its start. */
static bool told(bool waits)
{
	static char line[160];
	const char *s = look() >= waits ? left_last(&one.left, "state", line, sizeof line) : NULL;

	if (!s || !starts(s, waits ? "waiting " : "failed ") || !(s = strchr(s + strlen("waiting "), ' ')))
		return false;
	warnx("%s: %s:%s", one.name, waits ? "waits" : "failed", s);
	return true;
}

/* What was read last is what it is started with from now on: by its keeper, who has
 * saved what it runs with when it had lived for a moment. */
int ask_restart(const struct box *b)
{
	int s, fd;

	if (state_await(one.dir, "box", ANSWER_MS) < 0 || state_save(one.dir) < 0)
		return trouble("what it is made of");
	s = settled(ASK_RESTART);
	if (b->file && s == 0 && (fd = openat(one.dir, "state", O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC)) >= 0) {
		say(fd, "mtime=%u\n", b->mtime);
		close(fd);
	}
	if (s >= 0)
		(void)told(s == 0);	/* what its keeper has said of it is in the log */
	return s == LOST ? not_running() : s < 0 ? 1 : s;
}

/* The last word of a box that has ended, and why; any other is that of one whose keeper
 * was killed, and it with him. */
static int last_words(bool ready)
{
	static char word[16], status[8];
	uint64_t n = 128 + SIGKILL;

	(void)state_word(&one.left, word, sizeof word);
	if (same(word, "done") || same(word, "skipped"))
		return ready && *word == 's';
	if (ready)
		return 1;
	if (same(word, "failed") && left_last(&one.left, "result", status, sizeof status))
		decimal(status, &n);
	return (int)n;
}

/* 0 when it is up, or waits; or -1: it does not become so */
int ask_up(const char *name)
{
	return begin(name) || (!told(true) && settled(ASK_UP)) ? -1 : 0;
}

int ask_wait(const char *name, bool ready)
{
	int s = begin(name) ? 2 : settled(ready ? ASK_UP : ASK_END);

	if (s != LOST)
		return s < 0 ? 1 : s;
	return one.dir < 0 ? not_running() : last_words(ready);
}

static int upgrade_one(const char *name)
{
	static const char why[] = TEXT "this file can be written to\0"
		"husk learn ends with its box\0"
		"there is no memory, or no process, or no memfd_create\0"
		"the kernel does not run this file there\0"
		"this husk crashes there\0"
		"this husk hangs there\0"
		"this husk keeps other records: stop the box, and start it with this one\0";
	int s = settled(ASK_UPGRADE);

	if (s == LOST)
		return not_running();
	if (s < UPGRADE_SEAL)
		return s < 0 ? 1 : s;
	warnx("%s: upgrade: %s - it goes on with the old one", name, unpacked(why, s - UPGRADE_SEAL));
	return 1;
}

/* One of the boxes of a keeper is all of them. */
static bool asked_before(void)
{
	static uint64_t asked[MAXBOX];
	static char pid[16];
	unsigned at = 0, i;
	uint64_t n;

	(void)decimal(left_get(&one.left, "keeper", &at, pid, sizeof pid) ? pid : "", &n);
	for (i = 0; i < MAXBOX && asked[i] && asked[i] != n; i++)
		;
	at = i < MAXBOX && asked[i];
	if (i < MAXBOX)
		asked[i] = n;
	return at;
}

int ask_upgrade(char *const *names)
{
	static char of[MAXNAME + 1];
	static struct left run;
	bool all = !*names;
	int e, worst = 0;

	one.exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	for (; *names; names++)
		worst = (e = begin(*names) ? 2 : upgrade_one(*names)) ? e : worst;
	if (all && state_open(&run, false) == 0)
		while (state_next(run.dir, "", of))
			worst = begin(of) == 0 && look() > 0 && !asked_before() && (e = upgrade_one(of)) ? e : worst;
	return worst;
}

/* All that are started or starting: 0, or 1 where one of them does not become so. Who goes
 * away meanwhile is none of them, and who is skipped is as he should be. Of a board a box whose
 * file is wrong is one of them. */
int ask_wait_all(void)
{
	static char of[MAXNAME + 1], word[16];
	static struct left run;
	int worst = on_board() && !board_complete();

	if (state_open(&run, false) < 0)
		return errno == ENOENT ? worst : (warn("wait: %s", state_where()), 1);
	while (state_next(~run.dir, "", of))
		if (begin(of) == 0 && settled(ASK_UP) && one.dir >= 0 && !same(state_word(&one.left, word, sizeof word), "skipped") && last_words(true)) {
			warnx("%s: not ready", of);
			worst = 1;
		}
	return worst;
}

/* What PID 1 of the box does not pass on to the program is refused, not swallowed. */
static const char *no_signal(int sig, const char *word)
{
	if (!sig)
		return fmts(TEXT "\"%.*s\" is not a signal%s - husk help kill", 20, cfg_plain(word) ? word : "?", near_of(word, cfg_signal_name));
	return sig == SIGSTOP ? TEXT "STOP: husk pause" : init_forwards(sig) ? NULL : TEXT "a fault is passed on by nobody";
}

/* KILL is for all of it: by its cgroup, then by its PID 1, which may be dead and reaped by then. */
int ask_kill(const char *name, const char *signal)
{
	static struct up u;
	int sig = signal ? cfg_signal(signal) : SIGTERM, e;
	const char *no = no_signal(sig, signal);

	if (no) {
		warnx("kill: %s", no);
		return 2;
	}
	if ((e = up_open(&u, name)))
		return e;
	one.name = name;
	if (sig == SIGKILL)
		cg_kill(&u.left);
	if (sys_pidfd_send(u.who, sig) == 0 || (errno == ENOSYS && kill(u.run.init, sig) == 0))
		return 0;
	return errno != ESRCH ? trouble("kill") : sig == SIGKILL ? 0 : not_running();
}
