/*
 * enter.c - husk exec: another program goes into a box that runs, with the rights of
 * the box's own.
 *
 *	client		asks at the keeper's door, then sends what it wants, and its 0, 1 and 2
 *	keeper		forks a starter at once, and gives it the connection
 *	starter		reads the saved configuration and the words above it; goes into the
 *			cgroup, then into all namespaces; takes the program's rights; closes
 *			everything; only then has it a child
 *	child		is the keeper's (CLONE_PARENT), and goes through what is left of the
 *			rows of PROG: they are the same as in a start
 *	keeper		reaps it, whatever the client does, and tells him how it ended
 *
 * A setns() into a pid namespace is about children alone: nobody inside sees the starter.
 * Of the child, which he sees, he gets nothing that he has not got: it is born with the
 * rights of the program, not dumpable, with husk's own file where nobody writes, and with
 * no descriptor but those that the client gave and one socket. Who is who on that socket
 * is said by the kernel (SCM_CREDENTIALS).
 *
 * The keeper never waits for any of them. A client that has stopped, or a box that is
 * frozen, is a place taken in a table; the starter has a time limit.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

enum { PATIENCE_S = 30, RCVTIMEO_OLD = 20, NOBODY = 255,
       WORDS = 64,			/* at once: who has caps=sys_ptrace in the box may make the child say more than can be heard */
       LASTWORDS = 1024 };		/* more than such a socket holds */

/* A starter and its child, which are there for as long as one of them is not reaped. */
struct guest {
	pid_t	 starter, pid;		/* 0: there is none, or it has ended */
	int	 sync, client;		/* -1: closed */
	int	 of;			/* keeper_slot() */
	bool	 ready, failed;
};

static struct guest guests[MAXEXEC] APART;
static struct msg m STAYS;		/* the one that is heard, or said */
static struct { pid_t pid; int status; } gone STAYS;	/* the last one that was reaped */

/* In the starter */
struct one {
	struct up up;
	struct box box;
	struct wish wish;
	bool	 host;			/* root=/ */
	char	 preset[9];
	char	*words[MAXENV], *argv[MAXARG + 1];
};

static BASE struct one *at(void)
{
	static struct one one;

	return &one;
}
#define one (*at())

/* ----------------------------------------------------------------- the keeper */

static bool used(const struct guest *g)
{
	return g->starter || g->pid;
}

/* Who does not read loses it: his status is the end of file then. */
static void tell(int client, uint8_t kind, int err)
{
	m.kind = kind;
	m.err = err;
	if (kind != MSG_ERROR)
		m.len = 0;
	(void)send(client, &m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void refuse(int client, const char *why)
{
	m.row = NOBODY;
	m.len = (uint16_t)fmt(m.text, sizeof m.text, "%s", why);
	tell(client, MSG_ERROR, 0);
	tell(client, MSG_EXIT, 125);
	close(client);
}

static void over(struct guest *g, int status)
{
	if (g->client >= 0) {
		tell(g->client, MSG_EXIT, status);
		close(g->client);
	}
	if (g->sync >= 0)
		passed_close(g->sync);
	g->client = g->sync = -1;
}

static void release(struct guest *g)
{
	if (g->ready && g->pid)
		(void)send(g->sync, "r", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* It may have ended, and be reaped as a stranger, before its number came. */
static void born(struct guest *g, pid_t pid)
{
	static siginfo_t si STAYS;

	if (g->pid || pid <= 0)
		return;
	if (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0) {
		over(g, gone.pid == pid ? gone.status : 128 + SIGKILL);
		return;
	}
	g->pid = pid;
	release(g);
}

/* The starter alone says who is born; of the child a word may be of the box's making. */
static void said(struct guest *g, pid_t from)
{
	if (m.kind == MSG_BORN && from == g->starter)
		born(g, m.err);
	if (m.kind == MSG_READY) {
		g->ready = true;
		release(g);
	}
	g->failed |= m.kind == MSG_ERROR;
	if ((m.kind == MSG_ERROR || m.kind == MSG_NOTE) && g->client >= 0)
		(void)send(g->client, &m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* End of file: the exec has worked, or all of them are gone. */
static void silent(struct guest *g)
{
	close(g->sync);
	g->sync = -1;
	if (g->pid && !g->failed && g->client >= 0)
		tell(g->client, MSG_UP, g->pid);
}

static void hear(struct guest *g, int words)
{
	union { struct cmsghdr h; uint8_t room[CMSG_SPACE(sizeof(struct ucred))]; } c;
	struct iovec v = { .iov_len = sizeof m };
	struct msghdr mh = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c };
	struct ucred who;
	ssize_t n;

	for (v.iov_base = &m; words && g->sync >= 0; words--) {	/* a constant with an address would be a table with a pointer */
		mh.msg_controllen = sizeof c;
		if ((n = passed_next(g->sync, &mh)) == -1)
			return;
		if (n < 0) {		/* it would be asked for ever */
			passed_close(g->sync);
			g->sync = -1;
		} else if (!mh.msg_controllen) {	/* each message has who has sent it, also the empty one */
			silent(g);
		} else if (n == sizeof m && mh.msg_controllen >= CMSG_LEN(sizeof who) && c.h.cmsg_type == SCM_CREDENTIALS) {
			memcpy(&who, CMSG_DATA(&c.h), sizeof who);
			said(g, who.pid);
		}
	}
}

/* A signal for the program, or 0: the client leaves it alone. Who is gone without that
 * hangs up, as a terminal does. Stops are for all of its session. */
static void hear_client(struct guest *g)
{
	uint8_t sig = 0;
	ssize_t n = recv(g->client, &sig, 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 1) {
		(void)kill(-g->pid, SIGHUP);
		(void)kill(-g->pid, SIGCONT);
	}
	if (n < 1 || !sig) {
		close(g->client);
		g->client = -1;
	} else if (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
		(void)kill(-g->pid, SIGSTOP);
	else
		(void)kill(sig == SIGCONT ? -g->pid : g->pid, sig);
}

int enter_poll(void *fds, int n)
{
	struct pollfd *p = (struct pollfd *)fds + n, *start = p;
	struct guest *g;

	for (g = guests; g < guests + MAXEXEC; g++)
		if (used(g)) {
			*p++ = (struct pollfd){ g->sync, POLLIN, 0 };
			*p++ = (struct pollfd){ g->pid ? g->client : -1, POLLIN, 0 };
		}
	return (int)(p - start);
}

/* Nobody blocks, so all may be asked when one has something to say. */
void enter_turn(const void *fds, int n, int end)
{
	const struct pollfd *p = fds;
	struct guest *g;

	while (n < end && !p[n].revents)
		n++;
	for (g = guests; n < end && g < guests + MAXEXEC; g++)
		if (used(g)) {
			hear(g, WORDS);
			if (g->pid && g->client >= 0)
				hear_client(g);
		}
}

static bool asks(pid_t pid, siginfo_t *si)
{
	return pid && waitid(P_PID, (id_t)pid, si, WEXITED | WNOHANG) == 0 && si->si_pid;
}

int enter_dead(void *si)
{
	struct guest *g;

	for (g = guests; g < guests + MAXEXEC; g++)
		if (asks(g->pid, si) || asks(g->starter, si))
			return 1;
	return 0;
}

/* What they have said before they died is heard first. */
void enter_reaped(const void *siginfo)
{
	const siginfo_t *si = siginfo;
	int status = si->si_code == CLD_EXITED ? si->si_status : 128 + si->si_status;
	struct guest *g;

	gone.pid = si->si_pid;
	gone.status = status;
	for (g = guests; g < guests + MAXEXEC; g++) {
		if (!used(g))
			continue;
		hear(g, g->starter == si->si_pid ? LASTWORDS : WORDS);
		if (g->pid == si->si_pid) {
			g->pid = 0;
			over(g, status);
		} else if (g->starter == si->si_pid) {
			g->starter = 0;
			if (!g->pid)
				over(g, status ? status : 125);		/* it thinks that all is well, and nobody has heard who was born */
		}
	}
}

/* Who shares the host's processes has not ended with PID 1. They are reaped later. A
 * starter that has no child yet says itself what became of it: it finds no PID 1. */
void enter_over(const struct live *v)
{
	struct guest *g;

	if (!HAS(exec))
		return;
	for (g = guests; g < guests + MAXEXEC; g++) {
		if (!g->pid || g->of != keeper_slot(v))
			continue;
		(void)kill(g->pid, SIGKILL);
		if (g->client >= 0)
			close(g->client);
		g->client = -1;
	}
}

void enter_carry(void)
{
	carry(guests, sizeof *guests, MAXEXEC);
}

/* ---------------------------------------------------------------- the starter */

/* Its 0, 1 and 2 are ours from here on, and errors of the configuration go there. A
 * directory of outside would be a way out, whoever the client is. */
static int take_stdio(struct msghdr *mh)
{
	struct cmsghdr *c = mh->msg_control;
	int fd[3], i;
	FILLED struct stat st;

	if (mh->msg_controllen < CMSG_LEN(sizeof fd) || c->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(fd, CMSG_DATA(c), sizeof fd);
	for (i = 0; i < 3; i++)
		if (fstat(fd[i], &st) < 0 || S_ISDIR(st.st_mode) || dup2(fd[i], i) < 0 || close(fd[i]) < 0)
			return -1;
	return 0;
}

static char *cut(char **list, unsigned n, char *s, const char *end)
{
	for (; n && s && s < end; n--) {
		*list++ = s;
		s = memchr(s, '\0', (size_t)(end - s));
		s = s ? s + 1 : NULL;
	}
	return n ? NULL : s;
}

static int hear_wish(int client)
{
	union { struct cmsghdr h; uint8_t room[CMSG_SPACE(3 * sizeof(int))]; } c;
	struct pollfd p = { client, POLLIN, 0 };
	struct wish *w = &one.wish;
	struct iovec v = { .iov_len = sizeof *w };
	struct msghdr mh = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_LEN(3 * sizeof(int)) };
	ssize_t n;
	char *s;

	v.iov_base = w;
	(void)poll(&p, 1, -1);		/* a keeper never waits for it, so the descriptor does not */
	n = recvmsg(client, &mh, MSG_CMSG_CLOEXEC);
	if (n < (ssize_t)offsetof(struct wish, text) || take_stdio(&mh) < 0 || w->nwords > MAXENV || !w->nargs || w->nargs > MAXARG)
		return -1;
	s = cut(one.words, w->nwords, w->text, (char *)w + n);
	return cut(one.argv, w->nargs, s, (char *)w + n) ? 0 : -1;
}

/* What the program is, and not what the box is. Of a key that there is not the reader
 * says so. root=/ stands for the host's own files and rights. */
static int its_own(char *words[], int n)
{
	const char *w;
	int row;

	for (; n > 0; n--, words++) {
		w = **words == '?' ? *words + 1 : *words;
		if (same(w, "root=/") && !getauxval(AT_EUID)) {
			one.host = true;
			copy(one.preset, sizeof one.preset, "use=host");
			*words = one.preset;
			continue;
		}
		row = key_of(w);
		if (row < 0 || key_row(row)->flags & K_EXEC)
			continue;
		cfg_complain(NULL, 0, w, same(w, "root=/") ? TEXT "for root alone" : row == KEY_EXEC ? TEXT "the program stands behind --" :
			TEXT "is of the box, not of a program that goes into it");
		return 2;
	}
	return 0;
}

/* Refused calls of it are not logged: the filter of the box alone has a listener. */
static int load(const char *name)
{
	int e;

	if ((e = its_own(one.words, one.wish.nwords)) || (e = up_open(&one.up, name)) ||
	    (e = cfg_load(&one.box, one.host ? NULL : state_saved(name), one.words, one.wish.nwords, one.argv)))
		return e == 2 ? 2 : 125;
	one.box.tty = one.wish.tty;
	one.box.calls_log = false;
	one.box.life.ready = READY_START;	/* which is nothing that it tells */
	one.box.life.watchdog_ms = 0;
	memcpy(one.up.run.window, one.wish.window, sizeof one.wish.window);
	return 0;
}

/* As init.state has it */
static int who(struct run *r, const struct box *b)
{
	static char text[16];
	unsigned at = 0;
	uint64_t n;

	r->box = b;
	r->uid = b->uid;
	r->gid = b->gid;
	if (b->who != WHO_AUTO)
		return 0;
	if (r->unpriv) {
		r->uid = geteuid();
		r->gid = getegid();
		return 0;
	}
	if (!left_get(r->left, "uid", &at, text, sizeof text))
		return fail_not(r, "user=auto: the box has no number of its own");
	decimal(text, &n);
	r->uid = r->gid = (uint32_t)n;
	return 0;
}

/* What HOST does for a start, as far as it is not there yet; then the cgroups, whose
 * namespace is that of the host here. Files below /proc of who is not dumpable are root's. */
static int prepare(struct run *r, const struct live *v)
{
	int e, i;

	stage_at(r, "init.enter");
	if (cg_paused(r->left))
		return fail_not(r, "it is paused, and would not come to it - husk resume %s", r->name);
	if ((e = who(r, &one.box)))
		return e;
	if (v->fd[W_NS + NS_USER] >= 0)
		memcpy(r->nsfd, v->fd + W_NS, sizeof r->nsfd);
	else if ((e = ns_theirs(r, one.up.who)))
		return e;
	if (one.host && r->nsfd[NS_PID] < 0)
		return fail_not(r, "root=/: the box sees the host's processes (ns.pid=host), and so this one's files");
	for (i = 0; one.host && i < NNS; i++)
		if (i != NS_NET && i != NS_IPC && i != NS_UTS)
			r->nsfd[i] = -1;
	stage_at(r, "caps.oom");
	r->init = getpid();
	if ((e = caps_oom(r)) || (e = caps_hide(r)))
		return e;
	stage_at(r, "cg.enter");
	return cg_join(r, one.up.who);
}

/* Whatever it waits for: a file system of the box, or the client. */
static void limit_time(void)
{
	FILLED sigset_t s;

	sigemptyset(&s);
	*(unsigned long *)(void *)&s = 1ul << (SIGALRM - 1);
	sigprocmask(SIG_UNBLOCK, &s, NULL);
	alarm(PATIENCE_S);
}

static void starter(const struct live *v, int client, int sync)
{
	struct run *r = &one.up.run;
	int keep[NNS + 2] = { client, sync }, e;

	say_also(NULL);			/* what it says is the client's, and the log is closed here */
	memcpy(keep + 2, v->fd + W_NS, sizeof r->nsfd);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || close_others(AT_FDCWD, 3, keep, NNS + 2) < 0) {
		refuse(client, errno_text());
		_exit(125);
	}
	limit_time();
	if (hear_wish(client) < 0) {
		refuse(client, TEXT "its request is damaged, or has more than 128 words");
		_exit(125);
	}
	if ((e = load(v->name)))
		_exit(e);
	r->sync = sync;
	r->status = client;
	r->side = ENTER | PROG;
	if (prepare(r, v) == 0)
		(void)stages_run(r);
	start_confess(r);
}

/* From here on somebody inside sees it. */
int init_enter(struct run *r)
{
	pid_t pid;

	entry_hide();
	pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return errno == ENOMEM ? fail_not(r, "the box has just ended, or there is no memory") : fail(r, "clone");
	if (!pid)
		return init_session(r);
	m.kind = MSG_BORN;
	m.err = pid;
	if (write(r->sync, &m, sizeof m) == sizeof m)
		_exit(0);
	(void)kill(pid, SIGKILL);
	return fail(r, "tell the keeper of process %d", pid);
}

void enter_asked(struct live *v, int client)
{
	struct guest *g = guests;
	long limit[2] = { PATIENCE_S, 0 };
	int s[2] = { -1, -1 }, yes = 1;

	while (g < guests + MAXEXEC && used(g))
		g++;
	if (v->state != RUNNING || g == guests + MAXEXEC) {
		refuse(client, v->state != RUNNING ? TEXT "it is not up, or about to end" : fmts(TEXT "%d are in already, or on their way", MAXEXEC));
		return;
	}
	keeper_settle();		/* the starter reads what the box was made of */
	memset(g, 0, sizeof *g);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0 ||
	    setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0 ||
	    setsockopt(s[1], SOL_SOCKET, RCVTIMEO_OLD, limit, sizeof limit) < 0 || (g->starter = fork()) < 0) {
		g->starter = 0;
		refuse(client, errno_text());
		close(s[0]);
	} else if (!g->starter) {
		starter(v, client, s[1]);
	} else {
		g->sync = s[0];
		g->client = client;
		g->of = keeper_slot(v);
	}
	close(s[1]);
}
