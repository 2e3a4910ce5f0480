/*
 * fuzz_keeper.c - test: any bytes, descriptors and numbers of processes for whoever keeps boxes,
 * PID 1 of a board among them, on all ways by which others reach it while they run: verbs at the
 * door, sd_notify, the pipe of ready=, a log and a terminal, who goes into a box by husk exec, a
 * starter, the record of a box's PID 1, and what is handed over by an upgrade. Two boxes, web and
 * db, and the real loop; forks, kills, deaths and the time are made up here. An input is a list of
 * what happens, a letter and bytes each: see happens(). What must hold then: see below there.
 * unit: init/keeper.c init/ctl.c init/ready.c init/passed.c init/log.c init/life.c init/state.c init/wait.c init/exec.c
 * unit: init/tty.c init/util.c init/fail.c init/sys.c cfg/types.c
 *
 *	sh test/fuzz_keeper.sh SECONDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <poll.h>
#include <pty.h>

/* Whose own functions are called here; some of their names are said twice */
#define at wish_at
#define over guest_over
#define used guest_used
#include "../init/enter.c"
#undef at
#undef over
#undef used
#undef one
#include "../init/starter.c"
#include "../init/upgrade.c"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int LLVMFuzzerInitialize(int *, char ***);

enum { MOST = 48, LOOKED = 300, FIRST = 100001, GUEST = 200000 };

static const uint8_t *at, *end;
static int errors = 2, null, two[2], stdio[3], ear;	/* ear: the signalfd */
static bool open_before[LOOKED];
static int client[MOST], peer[MOST], writes[2][4];	/* 0: none; of a box: its notify socket, ready, log, status */
static ino_t other[MOST];		/* of peer[] */
static unsigned nclient, npeer, nborn;
static pid_t dead[MOST];
static unsigned ndead;
static int ends_as[2];			/* of the next that is reaped: code, status */
static uint64_t now;
static bool paused, wiping;
static char text[70000];
static const char *dir;			/* the run directory */

static void must(bool so, const char *what)
{
	if (!so) {
		dprintf(errors, "fuzz_keeper: %s\n", what);
		abort();
	}
}

/* ------------------------------------------------------- what is made up: by --wrap */

pid_t __wrap_fork(void);
int __wrap_kill(pid_t, int);
int __wrap_waitid(int, id_t, siginfo_t *, int);
int __real_waitid(int, id_t, siginfo_t *, int);
int __wrap_socketpair(int, int, int, int *);
int __real_socketpair(int, int, int, int *);
uint64_t __wrap_now_ms(void);
void __wrap_carry(void *, size_t, unsigned);
void __real_carry(void *, size_t, unsigned);

uint64_t __wrap_now_ms(void) { return now; }

/* Whoever is born by it is this process, as far as SCM_CREDENTIALS says. */
pid_t __wrap_fork(void) { return getpid(); }

static bool known(pid_t pid)
{
	return pid == getpid() || pid == FIRST || pid == FIRST + 1 || (pid >= GUEST && pid < GUEST + (pid_t)nborn);
}

/* Nobody but the keeper's own is ever hit, nor 0, 1 and -1. */
int __wrap_kill(pid_t pid, int sig)
{
	(void)sig;
	must(known(pid < 0 ? -pid : pid), "a signal for a stranger");
	return 0;
}

int __wrap_waitid(int how, id_t id, siginfo_t *si, int options)
{
	unsigned i;

	if (options & __WCLONE)
		return __real_waitid(how, id, si, options);
	si->si_pid = 0;
	for (i = 0; i < ndead && how == P_PID && dead[i] != (pid_t)id; i++)
		;
	if (i == ndead)
		return 0;
	si->si_pid = dead[i];
	si->si_code = ends_as[0];
	si->si_status = ends_as[1];
	if (!(options & WNOWAIT))
		dead[i] = dead[--ndead];
	return 0;
}

static ino_t inode(int fd)
{
	struct stat st = { 0 };

	(void)fstat(fd, &st);
	return st.st_ino;
}

/* The other end stays here. */
int __wrap_socketpair(int family, int type, int protocol, int *s)
{
	int e = npeer < MOST ? __real_socketpair(family, type, protocol, s) : (errno = EMFILE, -1);

	if (e == 0) {
		other[npeer] = inode(s[0]);
		peer[npeer++] = fcntl(s[1], F_DUPFD_CLOEXEC, 0);
	}
	return e;
}

/* What is handed over is all that there is of a life: so it goes between two. */
void __wrap_carry(void *what, size_t size, unsigned n)
{
	if (wiping)
		memset(what, 0, n * size);
	else
		__real_carry(what, size, n);
}

static void wipe(void)
{
	memset(&one, 0, sizeof one);
	one.reads = wiping = true;
	one.fd = -1;
	carry_all();
	memset(guests, 0, sizeof guests);	/* it is in this file, as carry() is, and so no call of another's to wrap */
	one.bad = wiping = false;
}

bool cg_paused(const struct left *l) { (void)l; return paused; }
void cg_kill(const struct left *l) { (void)l; }
const char *cg_oom(const struct left *l) { (void)l; return NULL; }
void stages_undo(struct left *l, int from) { (void)from; if (!l->keep) init_forget(l); }
int stage_count(void) { return 60; }
const char *stage_name(int row) { must(row >= 0 && row < 60, "a row that there is not"); return "row"; }
const char *stage_hint(int row, int err) { (void)row; (void)err; return NULL; }
bool filter_rests(int slot) { (void)slot; return false; }
uint64_t filter_due(int slot) { (void)slot; return 0; }
void filter_more(int slot, const char *name, bool last) { (void)slot; (void)name; (void)last; }
void filter_carry(void) { }
void hooks_reaped(pid_t pid) { (void)pid; }
void hooks_carry(void) { }
void listen_end(struct live *v) { (void)v; }
void listen_look(struct live *v) { (void)v; }
void listen_undo(const struct left *l) { (void)l; }
void forget(void) { }
void main_carry(void) { }
int etc_refresh(int watch, int to, const char *name) { (void)to; (void)name; return watch; }
bool cfg_show(int fd, bool origins) { (void)origins; say(fd, "name=web\n"); return true; }
bool cfg_kernels(const char *s) { (void)s; return false; }
int init_sealed(int exe) { (void)exe; return 1; }
void board_mark(const char *name, const char *what) { (void)name; (void)what; }
void board_ended(const char *name, bool failed) { (void)name; (void)failed; }
void board_fail(enum giveup how, const char *why) { (void)how; (void)why; }
void board_reaped(const void *si) { (void)si; }
pid_t board_at(int i) { (void)i; return 0; }
void board_watchdog(const struct board_plan *p) { (void)p; }
void board_carry(void) { }
void chart_carry(void) { }
void watchdog_carry(void) { }
void good_carry(void) { }
void console_carry(void) { }
char *const *entry_words(void) { static char *none[] = { NULL }; return none; }
const char *board_file(const char *name) { return name; }
int rootfs_list(int d) { (void)d; return 0; }
const uint8_t text_pairs[1][2];
const char code_end[1];

/* ------------------------------------------------------------------ what is sent */

static unsigned byte(void)
{
	return at < end ? *at++ : 0;
}

/* Up to the next ~ */
static size_t bytes(void)
{
	size_t n = 0;

	while (at < end && *at != '~')
		text[n++] = (char)*at++;
	(void)byte();
	return n;
}

/* Descriptors of some kinds, as many as 253; or a number of a process, true or not. */
static size_t extra(unsigned how, struct cmsghdr *c, int self)
{
	struct ucred who = { how & 4 ? 1 : getpid(), 0, 0 };
	int kinds[4] = { null, self, two[0], two[1] };
	unsigned n = how >> 2 == 63 ? 253 : how >> 2, i;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = how & 2 ? SCM_CREDENTIALS : SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(how & 2 ? sizeof who : n * sizeof(int));
	if (how & 2)
		memcpy(CMSG_DATA(c), &who, sizeof who);
	for (i = 0; i < n && !(how & 2); i++)
		memcpy((int *)(void *)CMSG_DATA(c) + i, &kinds[i % 4], sizeof(int));
	return how & 2 ? CMSG_SPACE(sizeof who) : CMSG_SPACE(n * sizeof(int));
}

/* Of text */
static void sends(int to, size_t n, unsigned how)
{
	static union { struct cmsghdr h; uint8_t room[CMSG_SPACE(253 * sizeof(int))]; } c;
	struct iovec iov = { text, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (!to)
		return;
	if (how & 3) {
		mh.msg_control = &c;
		mh.msg_controllen = extra(how, &c.h, to);
	}
	(void)sendmsg(to, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A file of any bytes instead of a husk */
static void upgrades(int to, size_t n)
{
	int fd = memfd_create("husk", MFD_CLOEXEC);

	must(fd >= 0 && pwrite(fd, text, n, 0) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0, "a file");
	if (to)
		(void)init_give(0, to, ASK_UPGRADE, fd);
	close(fd);
}

static int *one_of(int *list, unsigned n)
{
	static int none;

	none = 0;
	return n ? list + byte() % n : &none;
}

/* What a client of husk exec wants, read by a starter, who ends then: this one is as before. */
static void wishes(size_t n, unsigned how)
{
	struct one *o = wish_at();
	char *last = (char *)&o->wish + n;
	int s[2], fd, i;
	bool here[LOOKED];

	for (fd = 0; fd < LOOKED; fd++)
		here[fd] = fcntl(fd, F_GETFD) >= 0;
	must(__real_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) == 0, "a pair");
	memset(&o->wish, 'x', sizeof o->wish);
	sends(s[0], n, how);
	(void)shutdown(s[0], SHUT_WR);
	if (hear_wish(s[1]) == 0) {
		for (i = 0; i < o->wish.nwords; i++)
			must(o->words[i] >= o->wish.text && memchr(o->words[i], 0, (size_t)(last - o->words[i])), "a word of a wish");
		for (i = 0; i < o->wish.nargs; i++)
			must(o->argv[i] >= o->wish.text && memchr(o->argv[i], 0, (size_t)(last - o->argv[i])), "an argument of a wish");
	}
	for (i = 0; i < 3; i++)
		(void)dup2(stdio[i], i);
	for (fd = 3; fd < LOOKED; fd++)
		if (!here[fd])
			close(fd);
}

/* What the keeper says is whole, and known. */
static void reads(int from)
{
	struct answer a;
	struct msg m;
	ssize_t n;

	while (from && (n = recv(from, text, sizeof text, MSG_DONTWAIT)) > 0) {
		memcpy(&a, text, sizeof a);
		if (n == sizeof(struct msg)) {
			memcpy(&m, text, sizeof m);
			if (m.kind != MSG_READY && m.kind != MSG_PTY)
				continue;	/* or what a terminal shows */
		}
		must(n >= (ssize_t)sizeof a, "half an answer");
		if (n == sizeof a)
			must(a.status >= 0 && a.status <= (a.ms < 0 ? ANSWER_THEIRS : 0), "no answer");
	}
}

static void connects(unsigned box)
{
	struct live *v = keeper_at((int)box);
	int fd;

	if (nclient < MOST && v->fd[W_LOCK] >= 0 && (fd = ctl_connect(v->fd[W_LOCK])) >= 0)
		client[nclient++] = fd;
}

/* As a starter does, who does not lie */
static void hands_over(const int *to, unsigned box)
{
	struct handover h = { .life = keeper_at((int)box)->life };
	union control c = { .h = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { &h, sizeof h };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c };
	int p[2];

	if (!*to || keeper_at((int)box)->fd[W_STARTER] < 0 || other[to - peer] != inode(keeper_at((int)box)->fd[W_STARTER]) || pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	close(writes[box][3]);
	writes[box][3] = p[1];
	h.init = FIRST + (pid_t)box;
	h.fds = 1u << W_STATUS;
	memcpy(CMSG_DATA(&c.h), &p[0], sizeof(int));
	mh.msg_controllen = c.h.cmsg_len = CMSG_LEN(sizeof(int));
	(void)sendmsg(*to, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(p[0]);
}

/* One of theirs; whoever is nobody's is not heard of. */
static void dies(pid_t pid)
{
	if (ndead < MOST && pid)
		dead[ndead++] = pid;
	keeper_reap();
}

static void says(int to, uint8_t kind, int err)
{
	struct msg m = { .kind = kind, .row = (uint8_t)byte(), .len = (uint16_t)(byte() * 3), .err = err };

	memcpy(m.text, text, sizeof m.text);
	memcpy(text, &m, sizeof m);
	sends(to, sizeof m, 0);
}

/* Another husk is handed all there is, with one byte changed, or cut off there. Then as it was: this one goes on
 * with what it has written, as the next one would. */
static void hand_on(unsigned where, unsigned what)
{
	int good = written(), bad = memfd_create("bad", MFD_CLOEXEC), fd;
	off_t size = lseek(good, 0, SEEK_END), n;
	uint8_t c = (uint8_t)what;

	must(good >= 0 && bad >= 0 && size < (off_t)sizeof text && pread(good, text, sizeof text, 0) == size, "what is handed over");
	where = where * 7 % (unsigned)size;
	n = what ? size : where;
	must(pwrite(bad, text, (size_t)n, 0) == n && (!what || pwrite(bad, &c, 1, where) == 1), "a copy");
	for (fd = bad; ; fd = good) {
		wipe();
		one.fd = fd;
		one.at = 0;
		carry_all();
		must(!one.bad || fd == bad, "it is handed over, and not read");
		must(what || fd == good || one.bad, "it is cut off, and read");
		close(fd);
		if (fd == good)
			break;
	}
}

static void happens(unsigned what)
{
	unsigned box, how;
	struct live *v;
	int *to;

	if (!strchr("cmuqxnrlsgBMhzetfSkw", (int)what) || !what)
		return;			/* a space */
	box = byte() & 1;
	v = keeper_at((int)box);
	switch (what) {
	case 'c': connects(box); break;
	case 'm': to = one_of(client, nclient); how = byte(); sends(*to, bytes(), how); break;
	case 'u': to = one_of(client, nclient); upgrades(*to, bytes()); break;
	case 'q': reads(*one_of(client, nclient)); break;
	case 'x': to = one_of(client, nclient); if (*to) close(*to), *to = client[--nclient]; break;
	case 'n': how = byte(); sends(writes[box][0], bytes(), how); break;
	case 'r': (void)!write(writes[box][1], text, bytes()); break;
	case 'l': (void)!write(writes[box][2], text, bytes()); break;
	case 's': (void)!write(writes[box][3], text, bytes()); break;
	case 'g': to = one_of(peer, npeer); how = byte(); sends(*to, bytes(), how); break;
	case 'B': says(*one_of(peer, npeer), MSG_BORN, GUEST + (pid_t)nborn++); break;
	case 'M': to = one_of(peer, npeer); how = byte(); says(*to, how == MSG_BORN ? MSG_NOTE : (uint8_t)how, (int)(byte() << 24)); break;
	case 'h': hands_over(one_of(peer, npeer), box); break;
	case 'z': to = one_of(peer, npeer); if (*to) close(*to), other[to - peer] = other[--npeer], *to = peer[npeer]; break;
	case 'e':
		how = byte();
		ends_as[0] = how & 8 ? CLD_KILLED : CLD_EXITED;
		ends_as[1] = (int)(how >> 4);
		dies((how & 7) == 0 ? FIRST + (pid_t)box : (how & 7) == 1 ? getpid() : nborn ? GUEST + (pid_t)(how & 7) % (pid_t)nborn : 0);
		break;
	case 't': now += byte() * 40; break;
	case 'f': paused = !paused; break;
	case 'S': life_stop(v, 0); break;
	case 'w': how = byte(); wishes(bytes(), how); break;
	case 'k': how = byte() << 8; how |= byte(); hand_on(how, byte()); break;
	}
}

/* ------------------------------------------------------------------- two boxes */

static void begins(unsigned box)
{
	struct live *v = keeper_add(box ? "db" : "web");
	const char *file;
	struct left l;
	int p[2], lock, yes = 1;

	must(state_open(&l, true) == 0, "the run directory");
	(void)mkdirat(l.dir, v->name, 0700);
	lock = v->fd[W_LOCK] = openat(l.dir, v->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (file = "log\0log.1\0status\0box\0state.new\0"; *file; file += strlen(file) + 1)
		(void)unlinkat(lock, file, 0);		/* of the last input */
	v->fd[W_FILE] = openat(lock, "state", O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	close(l.dir);
	must(lock >= 0 && v->fd[W_FILE] >= 0, "a state file");
	say(v->fd[W_FILE], "version=1\nkeeper=%d\n", getpid());
	v->init = FIRST + (pid_t)box;
	v->stays = true;
	v->life = (struct life){ .restart = box ? RESTART_NO : RESTART_ALWAYS, .ready = box ? READY_FD : READY_NOTIFY, .tries = box ? 0 : 5, .stop_signal = 15,
		.reload_signal = 1, .log = LOG_RING, .delay_ms = 100, .delay_max_ms = 1000, .window_ms = 9000, .ready_ms = 5000, .watchdog_ms = box ? 0 : 3000, .stop_ms = 2000 };
	log_default(&v->life, true);
	v->life.log_size = 8000;
	must(__real_socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, p) == 0, "a pair");
	v->fd[W_NOTIFY] = p[0], writes[box][0] = p[1];
	must(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0, "a pipe");
	v->fd[W_READY] = p[0], writes[box][1] = p[1];
	must((box ? openpty(p, p + 1, NULL, NULL, NULL) : pipe2(p, O_CLOEXEC)) == 0, "a pipe, or a terminal");
	(void)fcntl(p[0], F_SETFL, O_NONBLOCK);
	(void)fcntl(p[1], F_SETFL, O_NONBLOCK);
	v->fd[W_LOG] = p[0], writes[box][2] = p[1];
	must(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0, "a pipe");
	v->fd[W_STATUS] = p[0], writes[box][3] = p[1];
	(void)setsockopt(writes[box][0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
	ctl_open(v);
	must(v->fd[W_CTL] >= 0, "its door");
	log_begin(v);
	(void)life_event(v, EV_UP);
}

/* ------------------------------------------------------------------ what must hold */

static void turn(void)
{
	int i;

	for (i = 0; i < 3; i++)
		keeper_turn(0);
	(void)keeper_signal();
}

static const char *plain(const char *box, const char *file)
{
	static char path[300], whole[40000];
	const char *p;
	int n;

	snprintf(path, sizeof path, "%s/%s/%s", dir, box, file);
	n = read_file(path, whole, sizeof whole);
	for (p = whole; n > 0 && p < whole + n; p++)
		must(*p == '\n' || *p == '\t' || ((uint8_t)*p >= ' ' && *p != 127), "a control character is written down");
	return n > 0 ? whole : "";
}

/* Each line has a time that it has not from the box. Of a state file each line is husk's, as it has a key. */
static void files(const char *box)
{
	static const char keys[][10] = { "version=", "keeper=", "state=", "ended=", "restarts=", "last=", "next=", "window=", "result=" };
	const char *s, *nl;
	unsigned i;

	for (s = plain(box, "log"); (nl = strchr(s, '\n')); s = nl + 1)
		must(nl - s >= 25 && nl - s < LOGLINE + 40 && s[4] == '-' && s[10] == 'T' && s[19] == '.' && s[23] == 'Z' && (s[24] == ' ' || s[24] == '!'), "a line of a log");
	must(!*s, "half a line of a log");
	for (s = plain(box, "state"); (nl = strchr(s, '\n')); s = nl + 1) {
		for (i = 0; i < sizeof keys / sizeof *keys && !starts(s, keys[i]); i++)
			;
		must(i < sizeof keys / sizeof *keys, "a line of a state file");
	}
	s = plain(box, "status");
	must(strlen(s) <= 128 && !strchr(s, '\n'), "STATUS=");
}

/* All hang up, and all who are there die: no descriptor is left, of whatever came along. */
static void over(void)
{
	unsigned i, k;
	struct live *v;

	for (i = 0; i < nclient; i++)
		reads(client[i]), close(client[i]);
	nclient = 0;
	for (k = 0; k < 3; k++) {
		turn();
		for (i = 0; i < npeer; i++)
			close(peer[i]);
		npeer = 0;
		for (i = 0; i < nborn; i++)
			dies(GUEST + (pid_t)i);
		for (i = 0; i < MAXEXEC; i++)
			dies(getpid());
		ndead = 0;
	}
	turn();
	files("web");
	files("db");
	for (i = 0; i < 2; i++) {
		for (k = 0; k < 4; k++)
			close(writes[i][k]);
		for (v = keeper_at((int)i), k = 0; k < NWATCH; k++)
			if (v->fd[k] >= 0)
				close(v->fd[k]);
		log_close(v);
	}
	for (i = 0; i < npeer; i++)
		close(peer[i]);
	npeer = 0;
	log_let_go();
	close(ear);
	for (i = 0; i < LOOKED; i++)
		if (open_before[i] != (fcntl((int)i, F_GETFD) >= 0)) {
			text[readlink(fmts("/proc/self/fd/%u", i), text, 80) % 80] = 0;
			must(false, fmts("descriptor %u: %s", i, open_before[i] ? "is closed" : text));
		}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct rlimit few = { 600, 600 };
	int i;

	(void)argc;
	(void)argv;
	errors = fcntl(2, F_DUPFD_CLOEXEC, 100);
	must((dir = getenv("HUSK_RUN")) && setrlimit(RLIMIT_NOFILE, &few) == 0, "HUSK_RUN, and few descriptors");
	signal(SIGPIPE, SIG_IGN);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; i < 3; i++)
		stdio[i] = fcntl(null, F_DUPFD_CLOEXEC, 0);
	must(null >= 0 && __real_socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, two) == 0, "a pair");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned i;

	for (i = 0; i < LOOKED; i++)
		open_before[i] = fcntl((int)i, F_GETFD) >= 0;
	now = 5000000;
	wipe();
	paused = false;
	nborn = ndead = 0;
	ear = keeper_listen();
	begins(0);
	begins(1);
	at = data;
	end = data + size;
	while (at < end) {
		happens(byte());
		turn();
	}
	over();
	return 0;
}
