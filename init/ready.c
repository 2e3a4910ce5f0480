/*
 * ready.c - is a box ready, and does it still call in?
 *
 * Whatever ready= says, the keeper hears one of two things: a newline in a pipe, or a
 * datagram of sd_notify. The other end of the pipe is the program's own (fd:N), or that
 * of a helper, who looks for a port or a path: what lies on the way to that is of the
 * box's making, and may make who looks wait for ever. The helper ends with the box, and
 * when nobody listens to it any more.
 *
 * The socket lies in RUNDIR/NAME, where nobody else comes to, and is bound into the box:
 * whoever sends is of the box, with any uid. What comes is bounded, and so is how much of
 * it is heard in a tenth of a second; who sends more waits, in his own sendmsg().
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

enum { MESSAGE = 1024, MAXSTATUS = 128, BURST = 16, REST_MS = 100, MOST = 4096,	/* of sd_notify */
       READS = 64,				/* of the pipe, without a newline */
       FIRST_MS = 5, LAST_MS = 250, LOOK_MS = 1000, CALM_MS = 10 };	/* of the helper */

static char place[sizeof ((struct up *)0)->leaf];	/* of the socket, outside */

const char *ready_place(void)
{
	return place;
}

/* -------------------------------------------------------------------- a start */

/* All may write to it, and the umask is what the program will get later. */
static int open_socket(struct run *r)
{
	static struct sockaddr_un a;
	mode_t was = umask(0);
	int e;

	a.sun_family = AF_UNIX;
	copy(a.sun_path, sizeof a.sun_path, rootfs_at(r->statedir, "notify"));
	(void)unlinkat(r->statedir, "notify", 0);	/* of the start before, where this is a restart */
	r->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	e = r->notify < 0 ? -1 : bind(r->notify, (struct sockaddr *)&a, sizeof a);
	(void)umask(was);
	if (e < 0)
		return fail(r, "make the socket of sd_notify");
	if (rootfs_real(r, r->statedir, RUNDIR) < 0)
		return -EINVAL;
	fmt(place, sizeof place, "%s/notify", rootfs_path);
	return 0;
}

int init_notify(struct run *r)
{
	int p[2];

	if (r->box->life.ready >= READY_FD) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return fail(r, "pipe");
		r->ready = p[0];
		r->tell = p[1];
	}
	return cfg_notify(&r->box->life) ? open_socket(r) : 0;
}

/* INIT, when / is the box's: where HOST looks for a path. */
int init_lend(struct run *r)
{
	int fd;

	if (r->box->life.ready != READY_PATH)
		return 0;
	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || init_give(r->row, r->sync, MSG_ROOT, fd) < 0)
		return fail(r, "lend the root");
	close(fd);
	return 0;
}

/* ------------------------------------------------------------------ the helper */

static struct pollfd ends[2];		/* nobody hears us; the box is gone */

static void rest(int ms)
{
	if (poll(ends, 2, ms) > 0)
		_exit(0);
}

static unsigned hex(unsigned c)
{
	return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

/* One of tcp and tcp6: lines of "N: ADDRESS:PORT ADDRESS:PORT STATE ...", first those that
 * listen. */
static bool listens(int net, const char *file, unsigned port)
{
	enum { LISTEN = 10 };
	unsigned line = 0, word = 0, value = 0, here = 0;
	int fd = openat(net, file, O_RDONLY | O_CLOEXEC);
	bool found = false, blank = true, more = fd >= 0;
	uint8_t buf[512];
	ssize_t n, i;

	while (more && (n = read(fd, buf, sizeof buf)) > 0)
		for (i = 0; i < n && more; i++) {
			if (buf[i] == '\n') {
				line++;
				word = 0;
			} else if (buf[i] > ' ') {
				value = blank || buf[i] == ':' ? 0 : value;
				value = buf[i] == ':' ? 0 : value << 4 | hex(buf[i]);
			} else if (!blank && line && ++word == 2)
				here = value;
			else if (!blank && line && word == 4) {
				found = value == LISTEN && here == port;
				more = value == LISTEN && !found;
			}
			blank = buf[i] <= ' ';
		}
	close(fd);
	return found;
}

static void await_port(int net, unsigned port)
{
	int ms = FIRST_MS;

	while (!listens(net, "tcp", port) && !listens(net, "tcp6", port)) {
		rest(ms);
		ms = ms * 2 < LAST_MS ? ms * 2 : LAST_MS;
	}
}

/* The last directory on the way that is there. Whether it can be watched or not: it is
 * looked again from time to time. */
static void watch_for(int watch, int root, const char *path)
{
	static char part[512];
	char *p = part + copy(part, sizeof part, path);
	int at;

	do {
		while (p > part && *--p != '/')
			;
		*p = '\0';
		at = walk(root, *part ? part : "/", O_PATH | O_DIRECTORY);
	} while (at < 0 && p > part);
	(void)inotify_add_watch(watch, rootfs_at(at, ""), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	close(at);
}

/* Who makes much noise in that directory is not followed at once. */
static void await_path(int root, const char *path)
{
	static char what[1024];
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd p[3] = { ends[0], ends[1], { watch, POLLIN, 0 } };

	for (;;) {
		watch_for(watch, root, path);
		if (walk(root, path, O_PATH) >= 0)
			return;
		(void)poll(p, 3, LOOK_MS);
		rest(p[2].revents ? CALM_MS : 0);
		(void)!read(watch, what, sizeof what);
	}
}

/* It holds nothing else: not the lock, nor what the box writes to. */
static void helper(const struct run *r, int at)
{
	const struct box *b = r->box;
	int keep[3] = { r->tell, r->pidfd, at };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (close_others(r->proc, 0, keep, 3) < 0)
		_exit(1);
	ends[0] = (struct pollfd){ r->tell, 0, 0 };
	ends[1] = (struct pollfd){ r->pidfd, POLLIN, 0 };
	rest(0);
	if (b->life.ready == READY_PORT)
		await_port(at, b->life.ready_number);
	else
		await_path(at, b->ready_path);
	(void)!write(r->tell, "\n", 1);
	_exit(0);
}

/* Before the program runs, because it may fail. The helper is the keeper's child. */
int init_look(struct run *r)
{
	bool port = r->box->life.ready == READY_PORT;
	long pid;
	int at;

	if (r->box->life.ready < READY_PORT)
		return 0;
	at = port ? openat(r->proc, fmts("%d/net", r->init), O_PATH | O_DIRECTORY | O_CLOEXEC) : r->root;
	if (at < 0)
		return fail(r, "look whether it is ready");
	pid = syscall(SYS_clone, (r->board ? CLONE_PARENT : 0) | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		helper(r, at);
	close(at);
	close(r->tell);
	r->tell = r->root = -1;
	return pid < 0 ? fail(r, "clone") : 0;
}

/* PROG: what it is told by its environment; how many there are now. */
unsigned ready_env(const struct run *r, const char **env, unsigned n)
{
	static char text[3][sizeof place + 16];
	const struct life *l = &r->box->life;

	if (!cfg_notify(l))
		return n;
	fmt(text[0], sizeof *text, "NOTIFY_SOCKET=%s", rootfs_ours(r) ? READY_PLACE : place);
	env[n++] = text[0];
	if (!l->watchdog_ms)
		return n;
	fmt(text[1], sizeof *text, "WATCHDOG_USEC=%u000", l->watchdog_ms);
	fmt(text[2], sizeof *text, "WATCHDOG_PID=%d", getpid());
	env[n++] = text[1];
	env[n++] = text[2];
	return n;
}

/* ------------------------------------------------------------------- the keeper */

static void soon(struct live *v, enum due what, uint32_t ms)
{
	v->due[what] = ms ? now_ms() + ms : 0;
}

static void shut(struct live *v, enum watched which)
{
	close(v->fd[which]);
	v->fd[which] = -1;
}

/* It runs: from now on it has to become ready, or to call in. */
void ready_begin(struct live *v)
{
	const struct life *l = &v->life;

	v->cause = v->reads = v->leaves = 0;
	if (!v->due[DUE_START])		/* else it has begun with the starter */
		soon(v, DUE_START, l->ready_ms);
	if (l->ready != READY_NOTIFY)
		soon(v, DUE_WATCHDOG, l->watchdog_ms);
}

/* Who is ready calls in from now on. Nothing else is heard from the pipe. */
void ready_now(struct live *v)
{
	if (!HAS(ready))
		return;
	v->due[DUE_START] = 0;
	soon(v, DUE_WATCHDOG, v->life.watchdog_ms);
	if (v->fd[W_READY] >= 0)
		shut(v, W_READY);
}

/* The end of the pipe is mostly that of the box, of which we hear next. */
void ready_heard(struct live *v)
{
	uint8_t text[64];
	ssize_t n = read(v->fd[W_READY], text, sizeof text);

	if (n > 0 && memchr(text, '\n', (size_t)n))
		(void)life_event(v, EV_READY);
	else if (n < 1 || ++v->reads == READS) {
		shut(v, W_READY);
		soon(v, DUE_START, BRIEF_MS);
	}
}

/* STATUS= for who looks, one line of plain text. */
static void note_status(const struct live *v, char *text)
{
	int fd = openat(v->fd[W_LOCK], "status", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0) {
		(void)!write(fd, text, log_clean(text, text, strnlen(text, MAXSTATUS)));
		close(fd);
	}
}

/* The start may take so much longer. To stop may not: that is not the box's to say. */
static void extend(struct live *v, const char *us)
{
	uint64_t n, end;

	if (!v->due[DUE_START] || number(us, UINT32_MAX, &n))
		return;
	end = now_ms() + (uint32_t)n / 1000;
	if (end > v->due[DUE_START])
		v->due[DUE_START] = end;
}

/* Ready and not ready are each a line of the state file: once, and no more. */
static void one_line(struct live *v, char *s)
{
	if (starts(s, "EXTEND_TIMEOUT_USEC="))
		extend(v, s + 20);
	else if (same(s, "READY=1") && v->life.ready == READY_NOTIFY && !v->ready && !v->leaves)
		(void)life_event(v, EV_READY);
	else if (same(s, "STOPPING=1") && !v->leaves) {
		v->leaves = true;
		(void)life_event(v, EV_UNREADY);
	}
	else if (same(s, "WATCHDOG=1") && v->due[DUE_WATCHDOG])
		soon(v, DUE_WATCHDOG, v->life.watchdog_ms);
	else if (same(s, "WATCHDOG=trigger") && v->life.watchdog_ms)
		(void)life_event(v, EV_DOG);
}

/* The next datagram, which may be "": its length, or -1: there is none; -2: it stays there */
static ssize_t next(int fd, char *text)
{
	struct iovec v = { text, MESSAGE };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n = passed_next(fd, &m);

	return n > 0 && m.msg_flags & MSG_TRUNC ? 0 : n;
}

/* What is longer than any that there should be is not heard. Of its lines STATUS= is written
 * down once: a hundred files a datagram would be more than PID 1 of a small board has time for. */
void notify_heard(struct live *v)
{
	static char text[MESSAGE + 1];
	char *at, *line, *status;
	ssize_t n = 0;
	int i;

	for (i = 0; i < BURST && v->fd[W_NOTIFY] >= 0 && (n = next(v->fd[W_NOTIFY], text)) >= 0; i++) {
		text[n] = '\0';
		for (at = text, status = NULL; (line = strsep(&at, "\n")); )
			if (starts(line, "STATUS="))
				status = line + 7;
			else
				one_line(v, line);
		if (status)
			note_status(v, status);
	}
	if (i == BURST || n == -2)
		soon(v, DUE_NOTIFY, n == -2 ? LOOK_MS : REST_MS);
}

/* What is closed with something in it closes that, too. */
void ready_end(struct live *v)
{
	static char text[MESSAGE];
	int i;

	if (!HAS(ready))
		return;
	if (v->fd[W_READY] >= 0)
		shut(v, W_READY);		/* first: the helper holds a root */
	for (i = 0; i < MOST && v->fd[W_NOTIFY] >= 0 && next(v->fd[W_NOTIFY], text) >= 0; i++)
		;
	passed_bury();
}
