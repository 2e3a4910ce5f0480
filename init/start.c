/* start.c - one box, from its configuration to its running program: what HOST
 * does between the clone and the exec, and how it hears from the inside. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

/* Longest wait between two processes. Mounts of a slow disk are inside it. */
enum { PATIENCE_S = 30, RCVTIMEO_OLD = 20, DYING = 40 };

/* The one that was heard last, in HOST; the one to be said, inside. It stays because a
 * page more would be written. */
static struct msg m STAYS;

/* Hooks inside have their own time. */
static int patience(const struct run *r)
{
	return PATIENCE_S + HOOK_S * r->box->nhook;
}

/* In this order, because what stays in one process lies side by side then, and
 * closing the rest takes few calls. One socket pair for both directions: each message whole, end of file when
 * the other side is dead, and a time limit on every read. */
int init_pipes(struct run *r)
{
	long limit[2] = { patience(r), 0 };	/* the old form, of machine words: all kernels have it */
	int s[2], p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return fail(r, "pipe");
	r->status = p[0];
	r->inner_status = p[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0)
		return fail(r, "socketpair");
	r->inner_sync = s[0];
	r->sync = s[1];
	if (setsockopt(s[0], SOL_SOCKET, RCVTIMEO_OLD, limit, sizeof limit) < 0 || (limit[0] = 1,
	    setsockopt(s[1], SOL_SOCKET, RCVTIMEO_OLD, limit, sizeof limit)) < 0)
		return fail(r, "a time limit for the socket");
	r->proc = proc_fd();
	return r->proc < 0 ? fail(r, "/proc") : 0;
}

/* The program's own exec may be one of the calls that wait for an answer. Without one a
 * call would wait for ever: who cannot give it holds the listener no more. */
static int answer(struct run *r)
{
	struct pollfd p[2] = { { r->sync, POLLIN, 0 }, { r->listener, POLLIN, 0 } };
	int n = 1;

	while (HAS(learn) && p[1].fd >= 0 && n && !p[0].revents) {
		n = poll(p, 2, PATIENCE_S * 1000);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0 && p[1].revents & POLLIN && filter_serve(0, r->name, r->listener, r->policy) < 0) {
			close(r->listener);
			r->listener = -1;
			return -1;
		}
		if (n > 0 && p[1].revents & ~POLLIN)
			p[1].fd = -1;
	}
	return 0;
}

/* The next message from inside: 1, 0 at end of file, or an error. A descriptor
 * that comes along is of the box's pty, output or filter. A box that died with our
 * byte unread resets the connection, once, before its last words are heard. */
static int hear(struct run *r)
{
	union { struct cmsghdr h; uint8_t room[CMSG_SPACE(sizeof(int))]; } c;
	struct iovec v = { .iov_len = sizeof m };
	struct msghdr mh = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_LEN(sizeof(int)) };
	int reset = 1, seconds = 0;
	ssize_t n;

	if (answer(r) < 0)
		return r->learn ? fail(r, "needs Linux 5.5") : fail(r, "answer the calls of the program");
	v.iov_base = &m;	/* a constant with an address would be a table with a pointer */
	do
		n = recvmsg(r->sync, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || (errno == ECONNRESET && reset--) ||
		(errno == EAGAIN && ++seconds < patience(r) && !cg_cold(r))));
	if (n < 0 && errno == EAGAIN && seconds < patience(r))
		return fail_not(r, "the box is frozen, or a cgroup above it");
	if (n < 0 && errno == EAGAIN)
		return fail_not(r, "the box has said nothing for %d s", seconds);
	if (n < 0)
		return fail(r, "hear from the box");
	if (n == 0)
		return 0;
	if (n != sizeof m || m.len >= sizeof m.text || m.row >= stage_count())
		return fail_not(r, "a message of the box is damaged");
	m.text[log_clean(m.text, m.text, m.len)] = '\0';	/* a path of the image's making */
	if (mh.msg_controllen >= CMSG_LEN(sizeof(int)) && c.h.cmsg_type == SCM_RIGHTS)
		memcpy(m.kind == MSG_LISTENER ? &r->listener : m.kind == MSG_LOG ? &r->logpipe :
			m.kind == MSG_ROOT ? &r->root : &r->pty, CMSG_DATA(&c.h), sizeof(int));
	if (HAS(tty) && m.kind == MSG_PTY)
		tty_size(r->pty);	/* before the program can ask */
	return 1;
}

/* Says what is said, until the message that is waited for or the end of file:
 * kind, 0, or an error with the row it came from. */
static int hear_until(struct run *r, uint8_t kind)
{
	int n, here = r->row;

	while ((n = hear(r)) > 0) {
		if (m.kind == kind)
			return kind;
		r->row = m.row;
		if (m.kind == MSG_NOTE)
			note(r, "%s", m.text);
		if (m.kind == MSG_ERROR) {
			copy(r->why, sizeof r->why, m.text);
			r->err = m.err;
			return -EREMOTEIO;
		}
		r->row = (uint8_t)here;
	}
	return n;
}

/* How PID 1 of the box has ended, as waitpid() has it; it stays to be reaped. Of a board it is
 * another's child, and /proc says 0 to who may not trace it: that is no answer. */
static bool ended_as(const struct run *r, unsigned *st)
{
	static siginfo_t si;
	const char *stat, *state;
	uint64_t n = 0;

	if (!r->board) {
		si.si_pid = 0;
		(void)waitid(P_PID, (id_t)r->init, &si, WEXITED | WNOHANG | WNOWAIT);
		*st = (unsigned)si.si_status << (si.si_code == CLD_EXITED ? 8 : 0);
		return si.si_pid;
	}
	if ((state = caps_field(stat = caps_status(r->proc, fmts("%d/stat", r->init)), 3)) && *state == 'Z')
		decimal(caps_field(stat, 52), &n);
	*st = (unsigned)n;
	return n;
}

/* A process of the box died without a word: how, if it can be known. */
static int silent_death(struct run *r)
{
	const char *oom = cg_oom(r->left);
	unsigned st, sig, tries = DYING;

	if (oom)
		return fail_not(r, "killed: out of memory (%s)", oom);
	while (!HAS(help) || !ended_as(r, &st)) {
		if (!HAS(help) || !tries--)
			return fail_not(r, "the box died without a word");
		(void)poll(NULL, 0, 5);		/* its descriptors are closed first */
	}
	sig = st & 127;
	return fail_not(r, "PID 1 of the box ended %s %u", sig ? "by signal" : "with", sig ? sig : st >> 8);
}

/* Two are ready, in any order: PROG, its rights read back, and INIT, its own
 * rights gone. With our copies of their ends closed, end of file is death. */
int start_heard(struct run *r, int left)
{
	int n;

	if (r->inner_sync >= 0 && (r->inner_sync != r->inner_status + 1 || sys_close_range((unsigned)r->inner_status, (unsigned)r->inner_sync) < 0))
		close(r->inner_sync), close(r->inner_status);
	r->inner_sync = -1;
	for (; left; left--)
		if ((n = hear_until(r, MSG_READY)) != MSG_READY)
			return n ? n : silent_death(r);
	return 0;
}

int init_ready(struct run *r)
{
	return start_heard(r, r->box->pid1_program ? 1 : 2);
}

/* From here on the status is the program's. Of a board it does not wait until all has been
 * written down: the exec wakes this process, which does not take the processor from it. */
int init_release(struct run *r)
{
	static const int normal;

	if (r->board)
		(void)syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &normal);
	if (send(r->sync, "r", 1, MSG_NOSIGNAL) != 1)
		return fail(r, "release the program");
	return 0;
}

/* For who reads it; nothing to undo. It is not a second old, and no call is spent on
 * what the time is: PID 1's start is known, in hundredths. */
static void note_up(struct run *r)
{
	const char *start = strstr(r->left->text, " start=") + 7;
	size_t n = strcspn(start, " \n");

	(void)left_add(r, "state=%s %.*s\n", r->box->life.ready == READY_START ? "running" : "starting", n > 2 ? (int)n - 2 : 1, n > 2 ? start : "0");
}

/* The descriptor closes itself on exec: end of file is "up". A filter that
 * kills before the exec looks the same, but the status tells. */
int init_up(struct run *r)
{
	int n = hear_until(r, MSG_READY);

	if (n == -EREMOTEIO)
		r->exec_errno = r->err ? r->err : EIO;
	else if (HAS(learn) && filter_watched(r) && (r->learn || !n) && (n || r->listener < 0))
		return n ? n : fail_not(r, "the listener of the filter did not come");
	else if (n)
		note(r, "%s", r->why);		/* it runs, as far as we know: go on */
	if (n == -EREMOTEIO)
		return n;
	note_up(r);
	return 0;
}

/* Inside. write() and not send(), which is socketcall() on i386: a filter has
 * to know it. SIGPIPE is blocked until the program's own time. */
int init_say_ready(struct run *r)
{
	m.kind = MSG_READY;
	m.row = r->row;
	return write(r->sync, &m, sizeof m) == sizeof m ? 0 : fail(r, "report");
}

/* PROG is as it should be, and waits until HOST has nothing left that may fail. */
int init_report(struct run *r)
{
	return init_say_ready(r) < 0 ? -EPIPE : ns_wait(r);
}

/* Inside: the loop has failed. HOST prints it, or the client of husk exec. */
void start_confess(struct run *r)
{
	int status = 125;

	m.kind = MSG_ERROR;
	m.row = r->row;
	m.err = r->err;
	m.len = (uint16_t)copy(m.text, sizeof m.text, r->why);
	if (m.len >= sizeof m.text)
		m.len = sizeof m.text - 1;
	if (r->sync >= 0)
		(void)!write(r->sync, &m, sizeof m);
	if (same(stage_name(r->row), "init.exec"))
		status = r->err == ENOENT || r->err == ENOTDIR ? 127 : 126;
	_exit(status);
}

static void complain(const struct run *r)
{
	const char *h = stage_hint(r->row, r->err);

	warnx("%s: %s: %s%s%s", r->name, stage_name(r->row), r->why, h ? " - " : "", h ? h : "");
}

/* A file may go without exec=, as long as nobody starts it. */
int start_what(const struct box *b)
{
	if (b->narg)
		return 0;
	say(2, "%s: exec: no program to run\n", b->file ? b->file : TEXT "command line");
	return 2;
}

/* In the background nothing of the caller's is held. */
int start_stdio(bool in, bool out)
{
	int null, fd;

	if (!in && !out)
		return 0;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (fd = in ? 0 : 1; fd < (out ? 3 : 1); fd++)
		if (null < 0 || dup2(null, fd) < 0) {
			warn("init.stdio: /dev/null");
			return 125;
		}
	if (null > 2)
		close(null);
	return 0;
}

static void begin(struct run *r, const struct box *b)
{
	int *fd;

	r->box = b;
	r->name = b->name;
	r->side = HOST;
	r->uid = b->uid;
	r->gid = b->gid;
	for (fd = &r->proc; fd <= &r->last_fd; fd++)
		*fd = -1;
	if (r->lock) {
		r->statedir = r->lock;
		r->state = r->file;
	}
}

/* 0: the program runs, or r->held says why it does not yet; what the keeper needs is in r. 125: it does not,
 * the reason is printed, and the host is as before. A failed exec is "up": the
 * status of the program, 126 or 127, comes by the usual way. */
int start_box(struct run *r, const struct box *b)
{
	int e, keep[3];
	bool already;

	begin(r, b);
	making_a_box(true);
	r->sigfd = r->board ? -1 : keeper_listen();
	e = r->board || r->sigfd >= 0 ? stages_run(r) : fail(r, "signalfd");
	making_a_box(false);
	if (r->side != HOST)
		start_confess(r);
	if (r->held)
		return 0;
	already = r->again && r->err == EALREADY;
	if (e && !already)
		complain(r);
	if (!e || r->exec_errno)
		return 0;
	keep[0] = r->left->dir;
	keep[1] = r->statedir;
	keep[2] = r->up;		/* who waits is not told before nothing is left */
	(void)close_others(AT_FDCWD, 3, keep, 3);	/* undo may need what a failing start has used up */
	stages_undo(r->left, r->row);
	return already ? RUNS_ALREADY : 125;
}
