/*
 * starter.c - a start in a child of the keeper: all starts but the first one of a box
 * that was started by hand, and those of a board. It may fail, block or crash; what is
 * left then is in the state file. The box's PID 1 is the keeper's own child.
 *
 * What it is made of is the configuration file, or, when it starts again,
 * what was saved of it. Its last word goes to the keeper: numbers, and what it has
 * opened for him; or a text, why there is no box.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "husk.h"

enum { ALWAYS = 1 << W_STATUS | 1 << W_LOCK | 1 << W_FILE };

struct handover {
	pid_t	 init;			/* 0: there is no box, */
	uint8_t	 held;			/* because it has to wait, or is not to be; else why says it */
	bool	 etc;
	unsigned fds;			/* bit i: fd[i] comes along */
	struct life life;
	char	 why[sizeof ((struct live *)NULL)->why];
};

_Static_assert(NWATCH <= 32, "a bit each");
union control {
	struct cmsghdr h;
	uint8_t	 room[CMSG_SPACE(NWATCH * sizeof(int))];
};

static void take(struct live *v, const struct handover *h, const uint8_t *fd)
{
	int i;

	if (h->init)
		listen_end(v);		/* all that are asked for come along, those that were there, too */
	for (i = 0; i < NWATCH; i++)
		if (h->fds >> i & 1) {
			memcpy(&v->fd[i], fd, sizeof(int));
			fd += sizeof(int);
		}
	if (*h->why || h->init)
		copy(v->why, sizeof v->why, h->why);
	if (!h->init && !h->held)
		return;
	v->init = h->init;
	v->life = h->life;
	v->etc = h->etc;
	log_begin(v);
}

/* End of file without a word: it has crashed, or was killed, here as well. What came along goes
 * where that is not all, because here is no room for more: or there would be less each time. */
void starter_heard(struct live *v)
{
	static struct handover h;
	union control c;
	struct iovec iov = { .iov_len = sizeof h };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c };
	bool all;
	int *fd;

	iov.iov_base = &h;		/* a constant with an address would be a table with a pointer */
	c.h.cmsg_len = 0;		/* of none */
	all = recvmsg(v->fd[W_STARTER], &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) == sizeof h && !(mh.msg_flags & MSG_CTRUNC) &&
		(!h.fds || mh.msg_controllen >= CMSG_LEN((size_t)__builtin_popcount(h.fds) * sizeof(int)));
	close(v->fd[W_STARTER]);
	v->fd[W_STARTER] = -1;
	if (!all) {
		memset(&h, 0, sizeof h);
		for (fd = (int *)(void *)CMSG_DATA(&c.h); (uint8_t *)fd < c.room + c.h.cmsg_len; fd++)
			close(*fd);
		if (v->fd[W_LOCK] < 0)
			state_take(v);
	}
	take(v, &h, CMSG_DATA(&c.h));
	if (h.init) {
		keeper_refresh(v);
		ctl_open(v);
		if (life_event(v, EV_UP) != GONE)
			keeper_fetch(v);
	} else {
		if (h.held && v->fd[W_LOCK] >= 0)
			ctl_open(v);
		(void)life_event(v, h.held == HOLD_WAIT ? EV_WAIT : h.held ? EV_SKIP : EV_FAILED);
	}
}

/* The lock and the state file are the keeper's own where he gave them. */
static void hand_over(const struct live *v, int to, const struct run *r, bool up)
{
	static struct handover h;
	union control c = { .h = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { .iov_len = sizeof h };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd[NWATCH], i, n = 0;

	iov.iov_base = &h;
	if (up || r->held) {
		h.init = r->init;
		h.held = r->held;
		h.life = r->box->life;
		h.etc = r->etc;
	}
	copy(h.why, sizeof h.why, r->why);	/* as much of it as there is room for */
	memset(fd, -1, sizeof fd);
	keeper_descriptors(r, v->stays, fd);
	for (i = 0; i < NWATCH; i++)
		if (fd[i] >= 0 && (v->fd[i] < 0 || (i >= W_LISTEN && i < W_NS)) && (up || i == W_LOCK || (i == W_FILE && r->held))) {
			h.fds |= 1u << i;
			memcpy((int *)(void *)CMSG_DATA(&c.h) + n++, &fd[i], sizeof(int));
		}
	if (n) {
		mh.msg_control = &c;
		mh.msg_controllen = c.h.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	}
	if (sendmsg(to, &mh, MSG_NOSIGNAL) != sizeof h && up)
		(void)kill(r->init, SIGKILL);
}

/* Others' before= is an after= of this one. Who is in a circle waits for nobody: neither by
 * its own after=; or never is. */
void starter_also(struct life *l, const char *extra)
{
	char *to = l->waits, *end = l->waits + sizeof l->waits - 1;
	const char *w;
	size_t n;

	if (extra && *extra == WAIT_NEVER)
		*to = '\0';
	for (w = l->waits; *w; w += n) {
		n = strlen(w) + 1;
		if (*w == WAIT_AFTER && w[1] != '/' && extra && *extra == WAIT_NOT)
			continue;
		memmove(to, w, n);
		to += n;
	}
	extra += extra && *extra == WAIT_NOT;
	for (; extra && *extra && to + strlen(extra) + 1 < end; extra += strlen(extra) + 1)
		to += copy(to, (size_t)(end - to), extra) + 1;
	*to = '\0';
}

/* It ends with the keeper, and so does what it has made: PID 1 is his child. */
static void child(struct live *v, const char *extra, int to)
{
	static struct box box;
	static struct run r APART;
	static struct left left;
	const char *file = v->fd[W_LOCK] >= 0 && faccessat(v->fd[W_LOCK], "box", F_OK, 0) == 0 ? NULL : v->file;
	bool board = getppid() == 1 && getpid() != 1 && !v->own;
	int e = -1, lock = v->fd[W_LOCK];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (HAS(boards) && board) {
		(void)setsid();		/* who loses the terminal of a namespace hangs up on us, and not on the boxes */
		board_console(true);
		cfg_of_board(false);
	}
	caps_reset();
	r.left = &left;
	r.board = left.keep = true;
	r.unpriv = getauxval(AT_EUID) != 0;
	r.up = to;
	r.lock = lock < 0 ? 0 : lock;
	r.file = v->fd[W_FILE];
	r.have = v->fd + W_LISTEN;
	if (cfg_load(&box, file ? file : state_saved(v->name), NULL, 0, NULL) || start_what(&box))
		copy(r.why, sizeof r.why, "its configuration is wrong");
	else if (start_stdio(board, false) == 0) {
		hooks_over(v->fd[W_HOOK]);
		starter_also(&box.life, extra);
		log_default(&box.life, v->stays);
		if (HAS(boards) && HAS(log) && board && box.life.log == LOG_INHERIT && !box.tty && !board_inside())
			box.life.log = LOG_CONSOLE;
		if ((e = start_box(&r, &box)))
			copy(r.why, sizeof r.why, fmts(TEXT "start: %s: %s", stage_name(r.row), r.why));
	}
	v->fd[W_LOCK] = lock;		/* log_first() */
	hand_over(v, to, &r, e == 0 && !r.held);
	if (e == 0 && file)		/* else it is there, and husk restart may have put another there since */
		(void)state_save(r.statedir);
	_exit(e);
}

int starter_begin(struct live *v, const char *extra)
{
	pid_t me = getpid();
	int s[2] = { -1, -1 };

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0 || (v->starter = fork()) < 0) {
		warn("%s: start", v->name);
		close(s[0]);
		close(s[1]);
		return -1;
	}
	if (v->starter == 0) {
		close(s[0]);
		if (getppid() == me)
			child(v, extra, s[1]);
		_exit(125);
	}
	close(s[1]);
	v->fd[W_STARTER] = s[0];
	return 0;
}
