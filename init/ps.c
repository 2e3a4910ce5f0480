/*
 * ps.c - husk ps: the processes of a box, wherever in its cgroups they are; where it
 * has none, those of its pid namespace.
 *
 * A command line is the only thing here that the kernel reads from the memory of the
 * process, which may lie in a file of a file system that never answers. So another
 * process asks for it, and is killed when that takes too long; then the kernel's own
 * name of the process has to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

enum { PATIENCE_MS = 1000, TRIES = 3, TICK_NSEC = 10000000 };

static struct {
	int	 inside;		/* which number of NSpid is that of the box */
	int	 reader, tries;		/* the socket to who reads command lines, and how often it may hang */
	pid_t	 pid;			/* he */
	struct stat ns;
	struct up up;
	char	 command[512];
} of;

static BASE struct up *box(void)
{
	return &of.up;
}

/* ------------------------------------------------------------------ the command line */

/* In the child: a number comes, a byte and a command line go back. */
static void read_for(int to)
{
	pid_t pid;
	int n;

	while (read(to, &pid, sizeof pid) == sizeof pid) {
		n = read_at(box()->run.proc, fmts(TEXT "%d/cmdline", pid), of.command + 1, sizeof of.command - 1);
		(void)send(to, of.command, (size_t)(n < 0 ? 1 : n + 1), MSG_NOSIGNAL);
	}
	_exit(0);
}

static bool start_reader(void)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0)
		return false;
	if ((of.pid = fork()) == 0) {
		close(s[0]);
		read_for(s[1]);
	}
	close(s[1]);
	of.reader = s[0];
	return of.pid > 0;
}

/* Its words with blanks between them, or NULL: it has none, or nobody knows. */
static const char *command(pid_t pid)
{
	struct pollfd p = { -1, POLLIN, 0 };
	ssize_t n, i;

	if (!of.tries || (of.reader < 0 && !start_reader()))
		return NULL;
	p.fd = of.reader;
	(void)send(of.reader, &pid, sizeof pid, MSG_NOSIGNAL);
	if (poll(&p, 1, PATIENCE_MS) <= 0) {
		(void)kill(of.pid, SIGKILL);
		close(of.reader);
		of.reader = -1;
		of.tries--;
		return NULL;
	}
	n = recv(of.reader, of.command, sizeof of.command - 1, 0);
	while (n > 1 && !of.command[n - 1])
		n--;
	for (i = 1; i < n; i++)
		if (!of.command[i])
			of.command[i] = ' ';
	of.command[n < 1 ? 1 : n] = '\0';
	return n > 1 ? of.command + 1 : NULL;
}

/* -------------------------------------------------------------------------- a process */

struct process {
	uint64_t uid, rss, ticks;
	char	 state;
	char	 name[32], inside[16];
};

/* The sum of those fields of its stat file */
static uint64_t stat_of(const char *dir, int first, int last)
{
	const char *stat = caps_status(box()->run.proc, fmts(TEXT "%s/stat", dir)), *p;
	uint64_t v, sum = 0;

	for (; first <= last && (p = caps_field(stat, first)); first++) {
		decimal(p, &v);
		sum += v;
	}
	return sum;
}

/* The numbers of a process are in order, that of the outermost namespace first. */
static const char *number_at(const char *p, int i)
{
	while (i-- > 0 && *p && *p != '\n')
		p += strcspn(p, "\t\n") + (p[strcspn(p, "\t\n")] == '\t');
	return p;
}

/* false: it is gone. */
static bool ask(struct process *q, const char *dir)
{
	const char *text = caps_status(box()->run.proc, fmts(TEXT "%s/status", dir)), *p;

	memset(q, 0, sizeof *q);
	if (!text)
		return false;
	if ((p = caps_line(&text, "Name")))
		fmt(q->name, sizeof q->name, TEXT "[%.*s]", (int)strcspn(p, "\n"), p);
	q->state = (p = caps_line(&text, "State")) ? *p : '?';
	if ((p = caps_line(&text, "Uid")))
		decimal(p, &q->uid);
	if ((p = caps_line(&text, "NSpid")) && *(p = number_at(p, of.inside)) != '\n')
		fmt(q->inside, sizeof q->inside, TEXT "%.*s", (int)strspn(p, "0123456789"), p);
	if ((p = caps_line(&text, "VmRSS")))
		decimal(p, &q->rss);
	q->rss <<= 10;
	q->ticks = stat_of(dir, 14, 15);
	return true;
}

static const char titles[] = TEXT "PID\0INSIDE\0USER\0S\0RSS\0TIME\0COMMAND";
static const uint8_t places[] = { 0, 8, 16, 24, 27, 34, 43 };

static void column(int i, const char *s)
{
	if (i)
		out_to(places[i]);
	out_put("%s", s);
}

static void title(void)
{
	int i;

	for (i = 0; i < (int)sizeof places; i++)
		column(i, nth(titles, i));
	out_line();
}

static void row(const struct process *q, pid_t pid, const char *words)
{
	column(0, fmts(TEXT "%d", pid));
	column(1, *q->inside ? q->inside : "-");
	column(2, fmts(TEXT "%u", (unsigned)q->uid));
	column(3, fmts(TEXT "%c", q->state));
	column(4, amount(q->rss));
	column(5, duration(q->ticks * TICK_NSEC));
	column(6, fmts(TEXT "%.*s", (int)(out_width() - places[6]), out_said(words)));
	out_line();
}

static void fact(const char *key, uint64_t v)
{
	out_fact(key, key, fmts(TEXT "%llu", (unsigned long long)v));
}

static void record(const struct process *q, pid_t pid, const char *words)
{
	out_begin();
	fact("pid", (uint64_t)pid);
	if (*q->inside)
		out_fact("inside", "inside", q->inside);
	fact("user", q->uid);
	out_text("state", "state", fmts(TEXT "%c", q->state));
	fact("rss", q->rss);
	fact("time_usec", q->ticks * (TICK_NSEC / 1000));
	out_text("command", "command", out_said(words));
	out_end();
}

/* How many it was: 1 or 0. */
static int one(pid_t pid)
{
	static char dir[16];
	static struct process q;
	const char *words;

	fmt(dir, sizeof dir, TEXT "%d", pid);
	if (!ask(&q, dir))
		return 0;
	words = q.state == 'Z' ? NULL : command(pid);
	(out_mode() == OUT_TABLE ? row : record)(&q, pid, words ? words : q.name);
	return 1;
}

/* --------------------------------------------------------------------- all of them */

static int depth(const char *dir)
{
	const char *text = caps_status(box()->run.proc, fmts(TEXT "%s/status", dir)), *p = text ? caps_line(&text, "NSpid") : NULL;
	int n = 0;

	while (p && *(p = number_at(p, 1)) > '\n')
		n++;
	return n;
}

/* Who is not root may not ask for the namespace of PID 1, which nobody looks into. All
 * in it descend from that one, or have been put there by the keeper, which has no other
 * children then. */
static bool descends(const char *dir)
{
	static char up[16];
	uint64_t pid;
	int hops;

	copy(up, sizeof up, dir);
	for (hops = 0; hops < 256; hops++) {
		decimal(up, &pid);
		if ((pid_t)pid == box()->run.init)
			return true;
		if (pid < 2 || (pid_t)pid == box()->keeper)
			return pid > 1 && depth(dir) >= of.inside && of.inside;
		fmt(up, sizeof up, TEXT "%u", (unsigned)stat_of(up, 4, 4));
	}
	return false;
}

static bool belongs(const char *dir)
{
	FILLED struct stat st;

	if (!of.ns.st_ino)
		return descends(dir);
	return fstatat(box()->run.proc, fmts(TEXT "%s/ns/pid", dir), &st, 0) == 0 && st.st_ino == of.ns.st_ino && st.st_dev == of.ns.st_dev;
}

static int of_namespace(void)
{
	int dir = openat(box()->run.proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
	const char *s;
	uint64_t pid;

	while (dir >= 0 && rootfs_list(dir) > 0)
		while ((s = rootfs_name()))
			if (!*decimal(s, &pid) && belongs(s))
				n += one((pid_t)pid);
	close(dir);
	return n;
}

static int of_cgroup(void)
{
	unsigned from = 0;
	int leaf, n = 0;

	while (!n && (leaf = up_leaf(box(), &from)) >= 0) {
		n = cg_tree(leaf, ".", one, 0);
		close(leaf);
	}
	return n;
}

static void begin(void)
{
	FILLED struct stat own;

	of.reader = -1;
	of.tries = TRIES;
	of.inside = depth(fmts(TEXT "%d", box()->run.init));
	if (fstatat(box()->who, "ns/pid", &of.ns, 0) < 0 || fstatat(box()->run.proc, "self/ns/pid", &own, 0) < 0 ||
	    own.st_ino == of.ns.st_ino)
		of.ns.st_ino = 0;		/* the host's is everybody's */
	if (out_mode() == OUT_TABLE)
		title();
}

int ps_box(const char *name)
{
	int e = up_open(box(), name), n;

	if (e)
		return e;
	begin();
	n = of_cgroup();
	if (!n)
		n = of_namespace();
	if (n < 0)
		warnx("%s: ps: its cgroups are too deep: not all of it was seen", name);
	return out_done() || n < 0 ? 1 : 0;
}
