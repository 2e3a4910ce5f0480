/* console.c - who talks to people: board.console= on its terminals, and the rescue shell.
 * A child each, in a session of its own, with the terminal as its controlling one; it is
 * no box, because it has to be there when no box can be made. Who ends is started again,
 * after a delay that doubles where he has lived for less than it takes to log in. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "husk.h"

enum { RESCUE = MAXCONSOLE, FIRST_MS = 1000, LONGEST_MS = 60000, SHORT_MS = 5000, OFTEN_MS = 4000,
	NO_TERMINAL = SIGVTALRM };	/* a child died of it: no program does by itself; a login shell whose user wants to be one
				 * gets what a broken terminal gets, where the rescue shell asks for root's password */

struct run_on {
	pid_t	 pid;			/* 0: nobody is there */
	bool	 told;			/* why, if the terminal was not to be had */
	bool	 lacks;			/* it was not, the last time */
	uint32_t delay;			/* before the last start */
	uint64_t since, due;		/* now_ms(); due 0: not to be started */
};

struct consoles {
	struct terminal what[MAXCONSOLE + 1];
	struct run_on now[MAXCONSOLE + 1];
	struct termios first;		/* of the console, before any box could set it */
};

static BASE struct consoles *at(void)
{
	static struct consoles consoles APART;

	return &consoles;
}
#define all (*at())

void console_carry(void)
{
	carry(&all, sizeof all, 1);
}

/* What the kernel names last is behind /dev/console. */
static const char *active(void)
{
	static char text[128];
	int n = read_file("/sys/class/tty/console/active", text, sizeof text);
	const char *last;

	text[n > 0 ? n - 1 : 0] = '\0';
	last = strrchr(text, ' ');
	return last ? last + 1 : text;
}

static bool is_console(const char *tty)
{
	return same(tty, "console") || same(tty, active());
}

static int open_tty(const char *tty)
{
	return open(fmts("/dev/%s", tty), O_RDWR | O_NONBLOCK | O_NOCTTY);
}

/* Who had it before may have set it, and stopped it: where he has taken Ctrl-Q from us, too,
 * no key would bring it back. Else a stop is somebody's Ctrl-S. */
static void as_at_first(int fd)
{
	struct termios is;

	if (!all.first.c_cflag || ioctl(fd, TCGETS, &is) < 0)
		return;
	(void)ioctl(fd, TCSETS, &all.first);
	if (!(is.c_iflag & IXON))
		(void)ioctl(fd, TCXONC, TCOON);
}

/* Of nobody else: what a login has left there would read the next one's keys. To whoever
 * has opened /dev/console itself a hang-up does nothing. It would wait, and PID 1 with it,
 * for who cannot write on because the line stands still. */
static int hung_up(const char *tty)
{
	const char *name = same(tty, "console") ? active() : tty;
	int fd = open_tty(name);

	if (fd < 0)
		fd = open_tty(name = tty);
	if (fd < 0)
		return -1;
	if (is_console(tty))
		as_at_first(fd);
	(void)poll(&(struct pollfd){ fd, POLLOUT, 0 }, 1, -1);
	(void)fchown(fd, 0, 0);			/* login may have given it to somebody */
	if (ioctl(fd, TIOCVHANGUP) < 0 && !board_inside())
		return -1;
	close(fd);
	return open_tty(name);
}

/* 0, 1 and 2, and the controlling one, whoever had it before. It may wait for a carrier,
 * and so may who reads it: not PID 1. A line that is not built in can be opened, and no more. */
static bool take(const char *tty, bool first)
{
	static struct termios is;
	int fd, i;

	(void)setsid();
	if (board_inside() && same(tty, "console"))
		return (void)ioctl(0, TIOCSCTTY, 1), true;	/* what we were given; /dev has the machine's */
	fd = hung_up(tty);
	if (fd < 0 || ioctl(fd, TCGETS, &is) < 0) {
		if (first)
			board_failed("console: ", tty);
		board_nodes();			/* it may be there by now */
		return false;
	}
	(void)fcntl(fd, F_SETFL, 0);
	(void)ioctl(fd, TIOCSCTTY, 1);
	for (i = 0; i < 3; i++)
		dup2(fd, i);
	return true;
}

static void wait_for_enter(void)
{
	char c = 0;

	say(1, "\nPress Enter for a shell on this console.\n");
	while (c != '\n' && read(0, &c, 1) == 1)
		;
	if (c != '\n')
		_exit(1);
}

/* What cannot be anybody's, as * or !, is one, too, and so is what cannot be read to its
 * end: disks fail on just the boards that come to this. x: it is in the other file. */
static bool has_password(const char *file, bool shadow)
{
	static char text[32768];
	const char *p;
	int n = read_file(file, text + 1, sizeof text - 1);

	if (n < 0)
		return errno != ENOENT;
	*text = '\n';
	p = strstr(text, "\nroot:");
	return p ? p[6] != ':' && (!shadow || !starts(p + 6, "x:")) : n >= (int)sizeof text - 2;
}

/* A shell that nobody has asked for is for who knows root's password, where he has one.
 * NULL: he has none. */
static const char *who_asks(const char *argv[])
{
	static const char places[] = "/sbin/sulogin\0/usr/sbin/sulogin\0/bin/sulogin\0/bin/login\0/usr/bin/login\0";
	bool asks = has_password("/etc/shadow", false) || has_password("/etc/passwd", access("/etc/shadow", F_OK) == 0);
	const char *p;

	for (p = places; *p && (access(p, X_OK) < 0 || (!asks && strstr(p, "bin/l"))); p += strlen(p) + 1)
		;
	argv[0] = *p ? last_part(p) : NULL;
	if (*p && same(argv[0], "login"))
		argv[1] = "root";
	if (*p || !asks)
		return *p ? p : NULL;
	warnx("rescue: no shell: root has a password, and there is neither sulogin nor login to ask for it");
	_exit(1);
}

/* A shell is told that it is one of a login. */
static void become(const struct terminal *t, bool rescue)
{
	static const char *argv[MAXARG + 1], *env[6];
	const char *w, *file = t->words;
	int n = 0;

	for (w = t->words; *w; w += strlen(w) + 1)
		argv[n++] = w;
	if (!n && rescue)
		file = who_asks(argv);
	if (!n && (!rescue || !file)) {
		file = "/bin/sh";
		argv[0] = "-sh";
	}
	env[0] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	env[1] = "HOME=/";
	env[2] = "USER=root";
	env[3] = "SHELL=/bin/sh";
	env[4] = starts(t->tty, "tty") && (uint8_t)(t->tty[3] - '0') < 10 ? "TERM=linux" : "TERM=vt102";
	(void)execve(file, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
	board_failed("console: ", file);
	_exit(127);
}

/* Locks and pipes of boxes are PID 1's alone: who waits for Enter would hold them. */
static void child(int i, bool first)
{
	FILLED sigset_t none;

	caps_reset();
	(void)chdir("/");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);	/* the rescue shell wants the terminal, or nobody is at it any more */
	if (!take(all.what[i].tty, first))
		(void)kill(getpid(), NO_TERMINAL);
	if (close_others(AT_FDCWD, 3, NULL, 0) < 0)
		_exit(1);
	if (all.what[i].ask)
		wait_for_enter();
	become(&all.what[i], i == RESCUE);
}

static void start(int i)
{
	struct run_on *r = &all.now[i];

	r->due = 0;
	r->since = now_ms();
	r->pid = fork();
	if (r->pid == 0)
		child(i, !r->told);
	r->told = true;
	if (r->pid < 0) {
		r->pid = 0;
		r->due = r->since + FIRST_MS;
	}
}

/* Two who read from one terminal take each other's keys: the rescue shell has it alone. */
static uint64_t when(int i, uint64_t due)
{
	return i < RESCUE && board_rescued() && is_console(all.what[i].tty) ? 0 : due;
}

static void end(int i)
{
	all.now[i].due = 0;
	if (all.now[i].pid)
		(void)kill(all.now[i].pid, SIGHUP);
}

/* What board.conf has now: those that are as they were stay. Who is told to end is started
 * as what is there then, if there is something. */
void board_consoles(const struct board_plan *p)
{
	uint64_t now = now_ms();
	int i;

	if (!all.first.c_cflag)
		(void)ioctl(0, TCGETS, &all.first);
	for (i = 0; p && i < MAXCONSOLE; i++) {
		if (memcmp(&all.what[i], &p->console[i], sizeof *p->console) == 0)
			continue;
		if ((p->broken || p->gone) && i >= p->nconsole)
			continue;
		end(i);
		all.what[i] = p->console[i];
		if (!all.now[i].pid && *p->console[i].tty)
			all.now[i].due = when(i, now);
	}
	for (i = 0; i <= RESCUE; i++)
		if (all.now[i].due && all.now[i].due <= now)
			start(i);
}

uint64_t board_consoles_due(void)
{
	uint64_t next = 0;
	int i;

	for (i = 0; i <= RESCUE; i++)
		if (all.now[i].due && (!next || all.now[i].due < next))
			next = all.now[i].due;
	return next;
}

/* Is there one at which somebody could be? There is none where each was tried three times and
 * its terminal is not there, or does not work. A program that ends at once is no reason: who sits
 * at it could make it end, and would have root's shell. */
bool board_attended(void)
{
	struct run_on *r = all.now;
	int i, n = 0;

	for (i = 0; i < RESCUE; i++, r++)
		n += *all.what[i].tty && (r->pid || r->delay < OFTEN_MS || !r->lacks);
	return n;
}

/* Who was kept from the terminal by the rescue shell has it again; and what was of no use
 * may have been mended. */
static void rescued(uint64_t now)
{
	int i;

	for (i = 0; i < RESCUE; i++)
		if (*all.what[i].tty && !all.now[i].pid)
			all.now[i] = (struct run_on){ .due = now };
}

/* Programs of an initramfs would read on at the terminals of the real root. */
void board_consoles_over(void)
{
	int i;

	for (i = 0; i <= RESCUE; i++)
		if (all.now[i].pid) {
			(void)kill(all.now[i].pid, SIGKILL);
			(void)kill(-all.now[i].pid, SIGKILL);
		}
}

pid_t board_at(int i)
{
	return all.now[i].pid;
}

void board_reaped(const void *siginfo)
{
	const siginfo_t *si = siginfo;
	uint64_t now = now_ms();
	struct run_on *r;
	int i;

	for (i = 0, r = all.now; i <= RESCUE; i++, r++)
		if (r->pid == si->si_pid) {
			r->pid = 0;
			r->lacks = si->si_code == CLD_KILLED && si->si_status == NO_TERMINAL;
			r->told &= now - r->since < SHORT_MS;
			r->delay = now - r->since >= SHORT_MS ? FIRST_MS : r->delay ? r->delay * 2 : FIRST_MS;
			if (r->delay > LONGEST_MS)
				r->delay = LONGEST_MS;
			if (i == RESCUE)
				rescued(now);
			else if (*all.what[i].tty)
				r->due = when(i, now + r->delay);
		}
}

/* Once at a time. wanted: somebody has asked for it, and is there. One that ends at once,
 * because there is no console, or nobody at it, comes again as late as others do. */
void board_rescue(const char *why, bool wanted)
{
	struct terminal *t = &all.what[RESCUE];
	int i;

	/* who has made a namespace is there, and needs no shell */
	warnx("rescue: %s%s", why, board_inside() ? "" : wanted ? "; the boot goes on when this shell ends" : "; all is read again when this shell ends");
	if (board_rescued() || board_inside())
		return;
	copy(t->tty, sizeof t->tty, "console");
	t->ask = !wanted;
	all.now[RESCUE].due = now_ms() + all.now[RESCUE].delay;
	for (i = 0; i < RESCUE; i++)
		if (*all.what[i].tty && !when(i, 1))
			end(i);
}

bool board_rescued(void)
{
	return all.now[RESCUE].pid || all.now[RESCUE].due;
}
