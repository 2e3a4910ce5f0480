/*
 * log.c - what a box says, on its way to where log= wants it.
 *
 * Nothing between: inherit but on a board, none, and a file without a size, which is the
 * program's own standard output. All else is lines: the program writes to a pipe, and the keeper
 * reads it when there is something in it. So it is with /dev/kmsg as well: whoever has
 * that open writes lines of other names and priorities, gets EINVAL for a write of more
 * than a line, and is cut short by the kernel without a word.
 *
 * In the background the terminal of a box (tty=) is such a pipe, too: whoever is attached to
 * it gets what is read, as far as he takes it, and the log has lines of it.
 *
 * A line is bounded, and its control characters are gone. Beyond log.rate= it is counted
 * and dropped; what cannot be delivered is counted, too, and one line says how many, as
 * soon as one can be said. The keeper never waits: it reads READS pieces at a time, and
 * of who has made it read TURNS times in a second once in REST_MS. That is all that
 * a flood costs, and a full pipe slows down its box alone.
 *
 * Nor has a box the console of a board: in the middle of a long write it would hold up who
 * hangs up the terminal for a login, and with it PID 1's next line; and it could set it, or
 * stop it. Its lines go there as fast as it takes them, and nothing is dropped before the end.
 *
 * PID 1 of a board never waits for a disk: a file with a size is written by a child, one for
 * each such box, that gets line by line through a socket. As long as its disk does not answer
 * the box waits at its pipe, as it would for a file of its own, and nobody else does.
 *
 * The ring and a file with a size are the same thing: text, appended to, a line with
 * its time one write; when it is full it becomes FILE.1, that FILE.2, and the last one
 * goes. The ring is RUNDIR/NAME/log, of two halves. A last line without its end was torn
 * by a kill, or is being written; readers leave it out.
 *
 *	2026-01-04T10:22:07.042Z what the box said
 *	2026-01-04T10:22:07.981Z! what husk says about it; no box can write that
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "husk.h"

enum { READS = 16, TURNS = 100, REST_MS = 10, HOLD_MS = 20, SECOND = 1000, LAST_MS = 200, RATE = 200, PIPE = 4096 };

/* Of one box, in its keeper. What is written here is written by who speaks alone. */
struct out {
	uint64_t until;			/* of the time that left is for */
	uint64_t since, rest;		/* turns are counted from; it is not read before */
	uint32_t left, dropped;
	uint16_t n, turns;
	int	 file;			/* the ring, or the file; 0: not open */
	bool	 cut;			/* what was said last was the beginning of a longer line */
	bool	 unwritten;		/* and that not only because of log.rate= */
	bool	 ends;			/* these are its last words */
	bool	 fails;			/* nothing can be delivered: who tries knows */
	char	 line[LOGLINE];
};

static struct out outs[MAXBOX] APART;
static bool busy STAYS;
static bool holds STAYS;		/* some of outs[].file, or this one: */
static int syslog_fd STAYS;		/* of all boxes; 0: not made yet */

static struct out *out_of(const struct live *v)
{
	return outs + keeper_slot(v);
}

/* The numbers are somebody else's by the next open. */
void log_let_go(void)
{
	int i;

	for (i = 0; holds && i < MAXBOX; i++)
		outs[i].file = 0;
	if (holds)
		syslog_fd = 0;
	holds = false;
}

/* Is there somewhere to write lines to? */
static bool speaks(const struct live *v)
{
	return v->life.log == LOG_RING || v->life.log > LOG_INHERIT;
}

/* Are its lines read by the keeper? */
static bool piped(const struct life *l)
{
	return l->log <= LOG_RING || l->log == LOG_KMSG || l->log == LOG_SYSLOG || (l->log == LOG_FILE && l->log_size);
}

void log_default(struct life *l, bool background)
{
	if (l->log == LOG_UNSET)
		l->log = !background ? LOG_INHERIT : HAS(log) ? LOG_RING : LOG_NONE;
	if (l->log == LOG_RING) {
		l->log_size = l->log_size ? l->log_size : 16 * 1024;
		l->log_keep = 1;
		l->log_mode = 0600;
	}
	if (!l->log_rate) {
		l->log_rate = RATE;
		l->log_per = SECOND;
	}
}

/* ------------------------------------------------------------------- a line */

/* How many bytes of a letter follow this one: of one that no terminal takes for a
 * command; -1: it is none */
static int letter(const uint8_t *s, size_t n)
{
	int more = *s < 0xc2 ? -1 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : *s < 0xf5 ? 3 : -1, i;

	if (*s < 0x80)
		return *s == '\t' || (*s >= ' ' && *s != 0x7f) ? 0 : -1;
	for (i = 1; i <= more; i++)
		if ((size_t)i >= n || s[i] >> 6 != 2)
			return -1;
	return *s == 0xc2 && s[1] < 0xa0 ? -1 : more;
}

size_t log_clean(char *to, const char *from, size_t n)
{
	size_t i, end;
	int more;

	if (n && from[n - 1] == '\r')
		n--;
	for (i = 0; i < n; i++) {
		more = letter((const uint8_t *)from + i, n - i);
		for (end = i + (more > 0 ? (size_t)more : 0); i < end; i++)
			to[i] = from[i];
		to[i] = more < 0 ? '?' : from[i];
	}
	return n;
}

/* 2026-01-04T10:22:07.042Z */
static const char *stamp(void)
{
	struct timespec t;
	unsigned ms;

	clock_gettime(CLOCK_REALTIME, &t);
	ms = (unsigned)t.tv_nsec / 1000000;
	return fmts(TEXT "%.*s.%u%u%uZ", 19, utc(0), ms / 100, ms / 10 % 10, ms % 10);
}

/* ------------------------------------------------------------- where it goes to */

/* No link is followed on the way: a box may have some of these directories, too, and its
 * root is uid 0. */
int log_directory(const char *path, const char **base, bool make)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), up;
	const char *end, *name;

	for (*base = path + 1; fd >= 0 && *(end = strchrnul(*base, '/')); *base = end + 1) {
		up = fd;
		name = fmts(TEXT "%.*s", (int)(end - *base), *base);
		fd = openat(up, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT && make && mkdirat(up, name, 0755) == 0)
			fd = openat(up, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		let_go(up);
	}
	return fd;
}

static void move(int dir, const char *from, const char *to)
{
	(void)syscall(SYS_renameat2, dir, from, dir, to, 0);
}

/* Makes room for a new one. */
static void shift(int dir, const char *base, unsigned keep)
{
	if (!keep)
		(void)unlinkat(dir, base, 0);
	for (; keep > 1; keep--)
		move(dir, fmts(TEXT "%s.%u", base, keep - 1), fmts(TEXT "%s.%u", base, keep));
	if (keep)
		move(dir, base, fmts(TEXT "%s.1", base));
}

static bool ours(const struct stat *st)
{
	return st->st_uid == getauxval(AT_EUID) && !(st->st_mode & 022);
}

/* One that is there is gone on with if it can be nobody else's: a file of ours with one
 * name, in a directory that only we write to. Else it steps aside, whatever it is. A
 * line that was torn ends here. */
static int open_in(int dir, const char *base, const struct life *l)
{
	int flags = (l->log_size ? O_RDWR : O_WRONLY) | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, fd;
	FILLED struct stat st;
	bool mine;
	char c = '\n';

	if (fstat(dir, &st) < 0)
		return -1;		/* or each line would make the one before step aside */
	mine = ours(&st);
	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (mine && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == getauxval(AT_EUID)) {
			fd = openat(dir, base, flags);
			if (fd >= 0 && st.st_size > 0 && pread(fd, &c, 1, st.st_size - 1) == 1 && c != '\n')
				(void)!write(fd, "\n", 1);
			return fd;
		}
		shift(dir, base, l->log_keep);
	} else if (errno != ENOENT)
		return -1;
	fd = openat(dir, base, flags | O_CREAT | O_EXCL, 0600);
	if (fd >= 0)
		(void)fchmod(fd, l->log_mode);		/* whatever the umask is */
	return fd;
}

static char noted[LOGPATH];

/* Where the file of a box is stands in the state file, as who has to undo reads it there. */
static bool note_path(const struct live *v)
{
	static struct left l;

	return v->fd[W_LOCK] < 0 || (read_at(v->fd[W_LOCK], "state", l.text, sizeof l.text) >= 0 && left_last(&l, "log", noted, sizeof noted));
}

/* The directory of v's file, to be closed, and the name in it. */
static int place(const struct live *v, const char **base)
{
	*base = "log";
	if (v->life.log == LOG_RING)
		return openat(v->fd[W_LOCK], ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return note_path(v) ? log_directory(noted, base, true) : -1;
}

static bool to_file(const struct live *v, struct out *o, const char *s, size_t n);
static bool put(const struct live *v, struct out *o, bool own, const char *s, size_t n);
static void undelivered(const struct live *v, struct out *o);

/* Until PID 1 lets go of it, and all is written. The name of the box stays locked by nobody
 * who waits for a disk. */
static void write_on(struct live *v, struct out *o, int from)
{
	static char line[2 * LOGLINE];
	ssize_t n;

	(void)note_path(v);
	if (close_others(AT_FDCWD, 3, &from, 1) < 0)
		_exit(1);
	board_console(true);
	v->fd[W_LOCK] = -1;
	memset(o, 0, sizeof *o);
	while ((n = recv(from, line, sizeof line, 0)) > 0)
		if ((o->dropped && !put(v, o, false, NULL, 0)) || !to_file(v, o, line, (size_t)n)) {
			undelivered(v, o);
			o->dropped++;
		} else
			o->fails = false;
	_exit(0);
}

/* Its socket, or -1 */
static int writer(const struct live *v, struct out *o)
{
	int s[2] = { -1, -1 };
	pid_t pid = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) == 0 && fcntl(s[0], F_SETFL, O_NONBLOCK) == 0 && (pid = fork()) == 0)
		write_on((struct live *)(uintptr_t)v, o, s[1]);
	let_go(s[1]);
	if (pid < 0)
		let_go(s[0]);
	return pid < 0 ? -1 : s[0];
}

static bool is_board_file(const struct live *v)
{
	return HAS(boards) && v->life.log == LOG_FILE && !v->own;
}

/* PID 1 lets another write; a starter does it itself. */
static bool lets_write(const struct live *v)
{
	return is_board_file(v) && getpid() == 1;
}

/* Open, of this name, and not full: or made so. */
static bool opened(const struct live *v, struct out *o, size_t n)
{
	uint32_t max = v->life.log == LOG_RING ? v->life.log_size / 2 : v->life.log_size;
	bool full = false;
	const char *base;
	FILLED struct stat st;
	int dir;

	if (o->file && fstat(o->file, &st) == 0 && st.st_nlink && (S_ISSOCK(st.st_mode) || !(full = max && (uint64_t)st.st_size + n > max)))
		return true;
	if (o->file)
		close(o->file);
	o->file = 0;
	if (lets_write(v)) {
		o->file = writer(v, o);
	} else {
		if ((dir = place(v, &base)) < 0)
			return false;
		if (full)
			shift(dir, base, v->life.log_keep);
		o->file = open_in(dir, base, &v->life);
		close(dir);
	}
	if (o->file < 0)
		o->file = 0;
	holds |= o->file > 0;
	return o->file;
}

/* What did not fit is taken back. */
static bool to_file(const struct live *v, struct out *o, const char *s, size_t n)
{
	FILLED struct stat st;
	ssize_t w;
	int e;

	if (!opened(v, o, n))
		return false;
	w = write(o->file, s, n);
	e = w < 0 ? errno : ENOSPC;
	if (w < 0 && e == EPIPE) {
		close(o->file);		/* who wrote it has died */
		o->file = 0;
	}
	if (w > 0 && w < (ssize_t)n && fstat(o->file, &st) == 0)
		(void)!ftruncate(o->file, st.st_size - w);
	errno = e;
	return w == (ssize_t)n;
}

/* To who is there now: it may have been started again. It puts the time before it, which
 * is the local one. */
static bool to_syslog(const char *s, size_t n)
{
	static const struct { sa_family_t family; char path[9]; } to = { AF_UNIX, "/dev/log" };
	struct iovec iov = { (char *)(uintptr_t)s, n };
	struct msghdr mh = { .msg_namelen = sizeof to, .msg_iov = &iov, .msg_iovlen = 1 };
	int fd = syslog_fd;

	mh.msg_name = (void *)(uintptr_t)&to;	/* a constant with an address would be a table with a pointer */
	if (!fd)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	syslog_fd = fd < 0 ? 0 : fd;
	holds |= fd > 0;
	return fd >= 0 && sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
}

/* One line; own: of husk's. */
static bool deliver(const struct live *v, struct out *o, bool own, const char *s, size_t n)
{
	static char text[LOGLINE + MAXNAME + 32];
	uint8_t log = v->life.log;
	bool shown = log == LOG_INHERIT || log == LOG_CONSOLE;		/* a terminal's, a board's: nothing else of it comes here */
	bool named = log == LOG_KMSG || log == LOG_SYSLOG;		/* daemon.notice, daemon.info */
	size_t at = fmt(text, sizeof text, shown ? own ? "husk: %s: " : "%s" : named ? own ? "<29>husk: %s: " : "<30>%s: " : own ? "%s! " : "%s ",
		shown && !own ? "" : shown || named ? v->name : stamp());

	at += log_clean(text + at, s, n);
	text[at++] = '\n';		/* without it the kernel keeps a line back until the next one */
	if (shown)		/* that of a board does not wait */
		return (log == LOG_CONSOLE || poll(&(struct pollfd){ 1, POLLOUT, 0 }, 1, 0) > 0) && write(1, text, at) == (ssize_t)at;
	return log == LOG_KMSG ? kernel_log(text, at) : log == LOG_SYSLOG ? to_syslog(text, at - 1) : to_file(v, o, text, at);
}

/* ----------------------------------------------------------------- how many */

/* Once for all that follow it */
static void failed(const struct live *v, struct out *o)
{
	const char *why = errno_text();

	if (o->fails)
		return;
	o->fails = true;
	busy = true;			/* not in the log itself */
	warnx("%s: log: %s: lines are lost", v->name, why);
	busy = false;
}

static void undelivered(const struct live *v, struct out *o)
{
	o->unwritten = true;
	failed(v, o);
}

static bool put(const struct live *v, struct out *o, bool own, const char *s, size_t n)
{
	const char *lost;
	bool done = true;

	if (o->dropped) {
		lost = fmts(TEXT "log: %u lines dropped: %s", o->dropped, o->unwritten ? TEXT "some could not be written" : TEXT "log.rate");
		done = deliver(v, o, true, lost, strlen(lost));
	}
	if (done) {
		o->dropped = 0;
		o->unwritten = false;
		done = !s || deliver(v, o, own, s, n);
	}
	if (!done)
		undelivered(v, o);
	else
		o->fails = false;
	return done;
}

static void renew(const struct live *v, struct out *o, uint64_t now)
{
	if (now >= o->until) {
		o->until = now + v->life.log_per;
		o->left = v->life.log_rate;
	}
	if (now >= o->since + SECOND) {
		o->since = now;
		o->turns = 0;
	}
}

static void line(const struct live *v, struct out *o, const char *s, size_t n)
{
	if (v->life.log == LOG_NONE)
		return;
	if (!o->left || !put(v, o, false, s, n))
		o->dropped++;
	else
		o->left--;
}

/* A console takes what its line is fast enough for, and log.rate= lines; the child of a board
 * that writes a file what its disk takes: who prints more waits for it, and nobody else. Last
 * words do not wait: what there is no room for is lost. */
static bool goes(const struct live *v, struct out *o)
{
	bool disk = is_board_file(v) && o->file;

	if ((v->life.log != LOG_CONSOLE && !disk) || o->ends || ((o->left || disk) && poll(&(struct pollfd){ disk ? o->file : 1, POLLOUT, 0 }, 1, 0) > 0))
		return true;
	o->rest = o->left || disk ? now_ms() + HOLD_MS : o->until;
	return false;
}

/* What has come behind what is there: its lines are said, and the rest moves up. One
 * that is longer than there is room for is said in pieces. */
static void take(const struct live *v, struct out *o, size_t n)
{
	const char *p = o->line, *end = p + o->n + n, *nl;

	while (((nl = memchr(p, '\n', (size_t)(end - p))) || end == p + LOGLINE) && goes(v, o)) {
		if (nl != p || !o->cut)
			line(v, o, p, (size_t)((nl ? nl : end) - p));
		o->cut = !nl;
		p = nl ? nl + 1 : end;
	}
	o->n = (uint16_t)(end - p);
	memmove(o->line, p, o->n);
}

/* Nobody has the terminal of the box open, and it may be opened again. Until then it is
 * held here: it would be ready to be read all the time. */
static bool hold(struct live *v)
{
	if (v->fd[W_PEER] >= 0)
		close(v->fd[W_PEER]);
	v->fd[W_PEER] = ioctl(v->fd[W_LOG], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return v->fd[W_PEER] >= 0;
}

/* Some of what is in the pipe. false: nobody can write to it any more */
static bool listen_to(struct live *v, struct out *o)
{
	int reads = READS;
	size_t room;
	ssize_t n;

	do {
		room = LOGLINE - o->n;
		n = read(v->fd[W_LOG], o->line + o->n, room);
		if (n > 0)
			ctl_show(v, o->line + o->n, (size_t)n, "");
		if (HAS(log) && n > 0)	/* else it is a terminal in the background, which nobody sees */
			take(v, o, (size_t)n);
	} while (n > 0 && (o->ends || v->life.log != LOG_CONSOLE) && --reads);	/* of a terminal some is less than there is */
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR || (errno == EIO && hold(v))));
}

void log_heard(struct live *v)
{
	struct out *o = out_of(v);
	uint64_t now = now_ms();

	renew(v, o, now);
	if (!listen_to(v, o))
		log_end(v);
	else if (++o->turns > TURNS)
		o->rest = now + REST_MS;
}

/* When log_more() is to be called, or 0 */
uint64_t log_due(const struct live *v)
{
	const struct out *o = out_of(v);

	return v->fd[W_LOG] < 0 ? 0 : o->rest ? o->rest : o->dropped && !o->fails ? o->until : 0;
}

bool log_rests(const struct live *v)
{
	return out_of(v)->rest;
}

void log_more(struct live *v)
{
	struct out *o = out_of(v);
	uint64_t now = now_ms();
	bool over = now >= o->until;

	renew(v, o, now);
	if (now >= o->rest) {
		o->rest = 0;
		take(v, o, 0);		/* what has waited */
	}
	if (over && o->dropped && !o->fails && put(v, o, false, NULL, 0))
		o->left--;
}

/* The last words of a box, or of all that had its output. Who hides and holds it has as
 * long as it takes to read what is there, and no longer. */
void log_end(struct live *v)
{
	static uint64_t waited STAYS;	/* on a board for one box a second, of all that end */
	struct out *o = out_of(v);
	uint64_t end;

	if (!(HAS(log) || HAS(tty)) || v->fd[W_LOG] < 0)
		return;
	end = now_ms() + LAST_MS;
	if (o->rest && !o->fails && v->life.log == LOG_CONSOLE && end - waited >= SECOND && (waited = end))
		(void)poll(&(struct pollfd){ 1, POLLOUT, 0 }, 1, LAST_MS);
	o->until = o->rest = 0;
	o->ends = true;
	renew(v, o, now_ms());
	if (HAS(log))
		take(v, o, 0);
	while (poll(&(struct pollfd){ v->fd[W_LOG], POLLIN, 0 }, 1, 0) > 0 && listen_to(v, o) && now_ms() < end)
		;
	if (HAS(log) && o->n)
		line(v, o, o->line, o->n);
	if (HAS(log) && o->dropped)
		(void)put(v, o, false, NULL, 0);
	o->n = 0;
	o->cut = o->ends = false;
	close(v->fd[W_LOG]);
	v->fd[W_LOG] = -1;
}

void log_close(struct live *v)
{
	struct out *o = out_of(v);

	log_end(v);
	if (o->file)
		close(o->file);
	memset(o, 0, offsetof(struct out, line));
}

void log_carry(void)
{
	carry(outs, sizeof *outs, MAXBOX);
	carry(&holds, sizeof holds, 1);
	carry(&syslog_fd, sizeof syslog_fd, 1);
}

/* What husk says of a box stands in its log, too: in the background nobody else hears it.
 * Of say(), by the name that all such lines begin with. */
static void log_own(const char *s, size_t n)
{
	struct live *v;
	size_t len;

	if (busy || !starts(s, "husk: "))
		return;
	busy = true;
	n -= s[n - 1] == '\n';
	v = keeper_named(s + 6);
	len = v ? strlen(v->name) : 0;
	if (v && n > len + 8 && v->fd[W_LOCK] >= 0) {
		ctl_show(v, s, n, "\r\n");
		if (speaks(v))
			(void)put(v, out_of(v), true, s + len + 8, n - len - 8);
	}
	busy = false;
}

void log_begin(const struct live *v)
{
	if (!HAS(log))
		return;
	if (speaks(v) || v->fd[W_LOG] >= 0)
		say_also(log_own);
}

/* A start that says something of its box before a keeper has that. */
void log_first(const struct run *r)
{
	struct live *v = keeper_named(r->name);

	v->fd[W_LOCK] = r->statedir;
	v->life = r->box->life;
	log_begin(v);
}

/* A child that says something of its box behind the keeper's back, and closes all but this:
 * it does not hold the name. Of a box that is gone there is no log. */
int log_apart(const char *name, bool keep)
{
	struct live *v = keeper_named(name);

	return v->fd[W_LOCK] = keep ? openat(v->fd[W_LOCK], ".", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
}

/* ------------------------------------------------------------------- its rows */

static const char *path_of(const struct box *b)
{
	return HAS(log) && b->life.log == LOG_FILE ? b->log_path : b->life.log == LOG_SYSLOG ? "/dev/log" :
		b->life.log == LOG_KMSG ? "/dev/kmsg" : "/dev/null";
}

/* Where it is, in the state file, if not beside that: once, and again where it is another
 * one by now. Of who only waits, too. */
int log_note(struct run *r)
{
	static char was[LOGPATH];
	uint8_t log = r->box->life.log;
	const char *path = log <= LOG_INHERIT ? "" : path_of(r->box);
	const char *before = r->lock ? left_last(r->left, "log", was, sizeof was) : NULL;

	return same(path, before ? before : "") ? 0 : left_add(r, "log=%s\n", path);
}

/* HOST: what cannot be had is found out before anything is started. */
int init_log(struct run *r)
{
	const struct life *l = &r->box->life;
	bool file = HAS(log) && l->log == LOG_FILE;
	const char *base, *path = path_of(r->box);
	int dir, fd;

	if (log_note(r) < 0)
		return fail(r, "write the state file");
	if (l->log <= LOG_RING || l->log == LOG_INHERIT)
		return 0;
	if (l->log == LOG_SYSLOG)
		return 0;		/* who listens there may come later */
	dir = file ? log_directory(path, &base, true) : AT_FDCWD;
	fd = !file ? openat(dir, path, O_WRONLY | O_NOCTTY | O_CLOEXEC) : dir < 0 ? -1 : open_in(dir, base, l);
	if (dir >= 0)
		let_go(dir);
	if (fd < 0)
		return fail(r, "%s", path);
	if (piped(l))
		let_go(fd);
	else
		r->log = fd;
	return 0;
}

/* INIT: the user is known now, and it is his: /dev/stdout can be opened. The keeper's
 * end does not block, whoever else reads from it. */
int init_output(struct run *r)
{
	int p[2];

	if (!piped(&r->box->life) || r->slave >= 0)
		return 0;
	if (pipe2(p, O_CLOEXEC) < 0)
		return fail(r, "pipe");
	if (r->box->life.log == LOG_CONSOLE)
		(void)fcntl(p[0], F_SETPIPE_SZ, PIPE);		/* what is in it at the end may be lost */
	if (fcntl(p[0], F_SETFL, O_NONBLOCK) < 0 || fchown(p[1], r->uid, r->gid) < 0)
		return fail(r, "give the pipe to the user");
	if (init_give(r->row, r->sync, MSG_LOG, p[0]) < 0)
		return fail(r, "hand over the pipe");
	close(p[0]);
	r->log = p[1];
	return 0;
}
