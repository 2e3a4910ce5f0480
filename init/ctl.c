/*
 * ctl.c - the keeper's door: RUNDIR/NAME/ctl, one socket for each box.
 *
 * Who may: the owner of the run directory, and root. A connection asks once, with one
 * message whose first byte is the verb, and is answered on the same connection: at once,
 * or when that has happened which it waits for. What takes longer than a turn of the loop
 * is not done here. Nothing blocks: who does not read his answer loses it, and where all
 * places are taken the longest waiting goes, who is told so.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "husk.h"

enum { QUEUE = 16 };

/* One that has not been answered for good. An upgrade hands it over. */
struct client {
	int	 fd;			/* 0: this place is free */
	uint32_t turn;			/* when it came */
	uint8_t	 verb;			/* 0: has not asked yet */
	uint8_t	 of;			/* keeper_slot() */
	uint32_t lost;			/* attached: bytes that did not fit */
};

static struct {
	uint32_t turn;
	struct client client[MAXASK];
} door STAYS;

/* The path of a socket has 107 bytes, that of a run directory may have more. */
static socklen_t address(struct sockaddr_un *a, int dir)
{
	a->sun_family = AF_UNIX;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + fmt(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/ctl", dir) + 1);
}

int ctl_connect(int dir)
{
	static struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, address(&a, dir)) == 0)
		return fd;
	if (fd >= 0)
		let_go(fd);
	return -1;
}

/* A restart keeps it. Whoever has the lock may remove one that is there. */
void ctl_open(struct live *v)
{
	static struct sockaddr_un a;
	int fd;

	if (!HAS(control))
		return;
	if (v->fd[W_CTL] >= 0)
		return;
	(void)unlinkat(v->fd[W_LOCK], "ctl", 0);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, address(&a, v->fd[W_LOCK])) == 0 && listen(fd, QUEUE) == 0) {
		v->fd[W_CTL] = fd;
		return;
	}
	warn("%s: ctl: cannot be asked anything", v->name);
	if (fd >= 0)
		close(fd);
}

static void drop(struct client *c)
{
	close(c->fd);
	c->fd = 0;
}

/* ms < 0: that was all, and status is the answer; else the next word comes within ms. */
static void answer(struct client *c, int ms, int status)
{
	struct answer a = { ms, status };

	if (send(c->fd, &a, sizeof a, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof a || ms < 0)
		drop(c);
}

static int patience(const struct client *c)
{
	return !c->verb ? 2 : c->verb == ASK_END || c->verb == ASK_UP;
}

/* A free one; or that of who has not asked, of who only waits, of anybody: the oldest. He
 * would come back, and push out the next, if he were not told. */
static struct client *place(void)
{
	struct client *c, *old = door.client;

	for (c = door.client; c < door.client + MAXASK; c++) {
		if (!c->fd)
			return c;
		if (patience(c) > patience(old) || (patience(c) == patience(old) && (int32_t)(c->turn - old->turn) < 0))
			old = c;
	}
	answer(old, -1, ANSWER_BUSY);
	return old;
}

/* His keys go to the terminal itself, and so does the size of his window. */
static void lend(struct client *c)
{
	const struct live *v = keeper_at(c->of);
	int fd = v->fd[W_LOG];

	if (fd < 0 || !isatty(fd))
		answer(c, -1, v->fd[W_PTY] >= 0 ? ANSWER_THEIRS : v->state == RUNNING || v->state == STOPPING ? ANSWER_NONE : ANSWER_DOWN);
	else if (init_give(0, c->fd, MSG_PTY, fd) < 0)
		drop(c);
}

/* A message of an answer and a text. Who is halted, or has a slow terminal, loses what does
 * not fit into his socket, and is told how much. */
void ctl_show(const struct live *v, const char *s, size_t n, const char *end)
{
	struct answer a = { ANSWER_WAITS, 0 };
	struct iovec iov[3] = { { &a, sizeof a }, { (char *)(uintptr_t)s, n }, { (char *)(uintptr_t)end, strlen(end) } };
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 3 };
	struct client *c;

	if (!HAS(exec))
		return;
	for (c = door.client; c < door.client + MAXASK; c++)
		if (c->fd && c->of == keeper_slot(v) && c->verb == ASK_ATTACH) {
			a.status = (int32_t)c->lost;
			c->lost = sendmsg(c->fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? c->lost + (uint32_t)n : 0;
		}
}

/* What has happened to a box is the answer for some: all, where it is over. */
void ctl_tell(const struct live *v, enum ctl_news what, int status)
{
	struct client *c;

	if (!HAS(control))
		return;
	for (c = door.client; c < door.client + MAXASK; c++) {
		if (!c->fd || c->of != keeper_slot(v) || !c->verb)
			continue;
		if (what == CTL_GONE)
			answer(c, -1, c->verb == ASK_STOP ? 0 : c->verb == ASK_UP || (c->verb == ASK_RESTART && !status) ? 1 : status);
		else if (what == CTL_TERMINAL && c->verb == ASK_ATTACH)
			lend(c);
		else if (what == CTL_STUCK || c->verb == ASK_RESTART || (what == CTL_UP && c->verb == ASK_UP))
			answer(c, -1, status);
	}
}

/* fd: what came along, or -1 */
static void asked(struct client *c, int fd)
{
	struct live *v = keeper_at(c->of);

	switch ((int)c->verb) {
	case ASK_STOP:
		answer(c, (int)v->life.stop_ms, 0);
		life_stop(v, 0);
		break;
	case ONLY(exec, ASK_EXEC):
		enter_asked(v, c->fd);		/* its connection now */
		c->fd = 0;
		break;
	case ASK_RESTART:
		answer(c, ANSWER_WAITS, 0);
		(void)life_event(v, EV_AGAIN);
		break;
	case ASK_RELOAD:
		answer(c, -1, v->state != RUNNING ? 3 : kill(v->init, v->life.reload_signal) < 0);
		break;
	case ASK_UP:
		answer(c, v->state == RUNNING && v->ready ? -1 : ANSWER_WAITS, 0);
		break;
	case ASK_END:
		answer(c, ANSWER_WAITS, 0);
		break;
	case ONLY(exec, ASK_ATTACH):
		lend(c);
		break;
	case ONLY(upgrade, ASK_UPGRADE):
		answer(c, -1, upgrade(fd));	/* which is said only if it is another one that says it */
		v->fresh = v->own && !keeper_learns();
		break;
	default:
		answer(c, -1, ANSWER_UNKNOWN);
	}
}

/* A verb, and with it a descriptor or -1. CMSG_SPACE has room for two on 64 bits. */
static ssize_t take(int from, uint8_t *verb, int *fd)
{
	union { struct cmsghdr h; uint8_t room[CMSG_SPACE(sizeof(int))]; } c;
	struct iovec v = { .iov_len = 1 };
	struct msghdr mh = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t n;

	v.iov_base = verb;
	*fd = -1;
	n = recvmsg(from, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n >= 0 && mh.msg_controllen >= CMSG_LEN(sizeof *fd) && c.h.cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(&c.h), sizeof *fd);
	return n;
}

/* One message, and then only the end of file, which is for us: nobody waits any more. */
static void hear(struct client *c)
{
	uint8_t verb;
	int fd;
	ssize_t n = take(c->fd, &verb, &fd);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 1 || c->verb)
		drop(c);
	else {
		c->verb = verb;
		asked(c, fd);
	}
	if (fd >= 0)
		close(fd);
}

void ctl_heard(struct live *v)
{
	struct ucred who;
	socklen_t n = sizeof who;
	struct client *c;
	int fd = accept4(v->fd[W_CTL], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0 || (who.uid && who.uid != getauxval(AT_EUID))) {
		close(fd);
		return;
	}
	c = place();
	*c = (struct client){ fd, door.turn++, 0, (uint8_t)keeper_slot(v), 0 };
	hear(c);
}

int ctl_poll(struct pollfd *p)
{
	struct client *c;
	int n = 0;

	for (c = door.client; c < door.client + MAXASK; c++)
		if (c->fd)
			p[n++] = (struct pollfd){ c->fd, POLLIN, 0 };
	return n;
}

/* One that was heard before may have ended another, whose number is a newer one's now:
 * that one is asked for nothing that it has not got. */
void ctl_clients(const struct pollfd *p, int n)
{
	struct client *c;

	for (; n-- > 0; p++)
		for (c = door.client; p->revents && c < door.client + MAXASK; c++)
			if (c->fd == p->fd) {
				hear(c);
				break;
			}
}

void ctl_carry(void)
{
	carry(&door.turn, sizeof door.turn, 1);
	carry(door.client, sizeof *door.client, MAXASK);
}

/* Another husk has gone on: who has asked for that is told. */
void ctl_resume(void)
{
	struct client *c;

	for (c = door.client; c < door.client + MAXASK; c++)
		if (c->fd && c->verb == ASK_UPGRADE)
			answer(c, -1, 0);
}

void ctl_close(struct live *v)
{
	if (v->fd[W_CTL] < 0)
		return;
	close(v->fd[W_CTL]);
	v->fd[W_CTL] = -1;
}
