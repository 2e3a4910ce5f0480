/*
 * events.c - husk events: what happens to a box, a line each, as it happens.
 *
 * One poll() on what the kernel tells by itself. It says that there is something
 * new, and not what: then all is looked at once more, so that an event that is
 * lost, late or said twice is no matter. What is counted are the kernel's own
 * counters, and of those the differences are told: none is lost, and one line a
 * second is enough for each.
 *
 *	RUNDIR		inotify		a box of that name begins
 *	RUNDIR/NAME	inotify		its state file: state=, ended=; the saved box
 *	files of leaves	inotify		memory.events, pids.events, cgroup.events; freezer.state is written
 *	*.pressure	POLLPRI		v2: a trigger, one a window
 *	v1 memory	eventfd		memory.oom_control, memory.pressure_level
 *	keeper		pidfd		killed: nobody else says so
 *	standard output	POLLERR		nobody reads any more
 *
 * From start to end of a box its state file stays open here: it can be read, and
 * its number is nobody else's, when it is long unlinked. What is watched is the
 * leaf alone, whatever the box makes below it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

enum { SECOND = 1000, SOON = 10, MAXSAVED = 16384 };
#define DIRECTORY	(IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE)

enum { OUT, NEWS, KEEPER, OOM, LOW, MEDIUM, CRITICAL, PSI, NPOLL = PSI + 3 };

/* Of what is told with a number, and what it is called. First those of
 * memory.events, by the part of the name behind the dot; from COUNT_OOM on in the
 * order of the descriptors above. */
enum { COUNT_MAX = 2, COUNT_KILL, COUNT_PIDS = 5, COUNT_OOM, NCOUNT = COUNT_OOM + NPOLL - OOM };
static const char counts[] = TEXT
	"memory.low\0memory.high\0memory.max\0oom_kill\0oom_group_kill\0pids.max\0oom\0"
	"memory.pressure level=low\0memory.pressure level=medium\0memory.pressure level=critical\0"
	"memory.pressure some=15%\0io.pressure some=15%\0cpu.pressure some=50%";

/* Files that stay open; those from WATCHED on tell by inotify. */
enum { OOM_CONTROL, FAILCNT, SWAPCNT, WATCHED, MEMORY_EVENTS = WATCHED, PIDS_EVENTS, CGROUP_EVENTS, FREEZER, NFILE };
static const char files[] = TEXT
	"memory.oom_control\0memory.failcnt\0memory.memsw.failcnt\0memory.events\0pids.events\0cgroup.events\0freezer.state";

enum phase { NONE, COMING, UP, OVER };

struct count { uint64_t seen, told, until; };

struct watcher {
	bool json, once, first, frozen;
	uint8_t phase;
	int state;
	unsigned soon;			/* ms between looks that nobody asks for; 0: none, else when: the next */
	uint64_t when;
	int file[NFILE], watch[NFILE - WATCHED], top;
	uint64_t told[PSI - OOM];	/* by the eventfds */
	struct pollfd p[NPOLL];
	struct count count[NCOUNT];
	struct up up;
	int saved;			/* the saved box that is in was; -1: none */
	uint64_t number;		/* its inode */
	char was[MAXSAVED], is[MAXSAVED];
};

static BASE struct watcher *at(void)
{
	static struct watcher w;

	return &w;
}
#define w (*at())

/* ------------------------------------------------------------------- telling */

/* A word key=value of an event's text as JSON: a number, or a string. The value of
 * reason= has blanks, and is the last. None has a quote. Behind it. */
static const char *json_word(char *to, size_t max, const char *s)
{
	size_t key = strcspn(s, "="), n = strcspn(s, starts(s, "reason=") ? "" : " ");
	bool plain = strspn(s + key + 1, "0123456789") == n - key - 1;
	const char *quote = plain ? "" : "\"";

	fmt(to, max, TEXT "\"%.*s\":%s%.*s%s", (int)key, s, quote, (int)(n - key - 1), s + key + 1, quote);
	return s[n] ? s + n + 1 : s + n;
}

/* TYPE key=value ... */
static void tell(const char *text)
{
	static char line[1024];
	const char *name = w.up.left.name, *data = text + strcspn(text, " "), *reason = strstr(text, " reason=");
	size_t n;

	if (!w.json && reason)
		n = fmt(line, sizeof line, TEXT "%s %.*s\"%s\"", utc(0), (int)(reason + 8 - text), text, reason + 8);
	else if (!w.json)
		n = fmt(line, sizeof line, TEXT "%s %s", utc(0), text);
	else {
		n = fmt(line, sizeof line, TEXT "{\"type\":\"%.*s\",\"id\":\"%s\",\"time\":\"%s\"%s", (int)(data - text), text, name, utc(0), *data ? ",\"data\":{" : "");
		while (*data) {
			data = json_word(line + n, sizeof line - n - 3, data + (*data == ' '));
			n = strlen(line);
			line[n++] = *data ? ',' : '}';
		}
		line[n++] = '}';
	}
	line[n++] = '\n';
	if (write(1, line, n) < 0)
		_exit(0);		/* nobody reads any more */
}

static void seen(int i, uint64_t total)
{
	if (total > w.count[i].seen)
		w.count[i].seen = total;
}

/* The first at once, and what comes then once a second. When the next one is due, in
 * ms, or -1. */
static int tell_counts(bool all)
{
	uint64_t now = 0;
	struct count *c;
	int i, next = -1;

	for (i = 0; i < NCOUNT; i++) {
		c = w.count + i;
		if (c->seen == c->told)
			continue;
		now = now ? now : now_ms();
		if (!all && now < c->until) {
			if (next < 0 || c->until - now < (unsigned)next)
				next = (int)(c->until - now);
			continue;
		}
		tell(fmts(TEXT "%s new=%llu total=%llu", nth(counts, i), (unsigned long long)(c->seen - c->told), (unsigned long long)c->seen));
		c->told = c->seen;
		c->until = now + SECOND;
	}
	return next;
}

/* ------------------------------------------------------------------- looking */

/* A leaf that is gone is the end of the box: what was read last counts. */
static const char *take(int i)
{
	static char text[512];
	ssize_t n = pread(w.file[i], text, sizeof text - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? NULL : text;
}

/* The name behind the dot, of the kernel's lines */
static void count(const char *text, int from, int to)
{
	const char *name, *dot;

	for (; text && from <= to; from++) {
		name = unpacked(counts, from);
		dot = strchr(name, '.');
		seen(from, cg_count(text, dot ? dot + 1 : name));
	}
}

/* Of what is about to be, and then tells nobody: some looks, fewer and fewer. */
static void look_soon(void)
{
	if (!w.soon)
		w.when = now_ms() + (w.soon = SOON);
}

static void looked_soon(void)
{
	if (w.soon && now_ms() >= w.when)
		w.when += w.soon = w.soon < SECOND ? 2 * w.soon : 0;
}

/* An eventfd tells once more when its leaf goes: that is no event. */
static void listen_to(void)
{
	uint64_t n;
	int i;

	for (i = OOM; i < PSI; i++)
		if (w.p[i].revents && read(w.p[i].fd, &n, sizeof n) == sizeof n && take(OOM_CONTROL)) {
			w.told[i - OOM] += n;
			if (i == OOM)
				look_soon();		/* it tells before it kills */
		}
	/* who has asked for a level is told of those above it, too; the highest comes first */
	for (i = OOM; i < PSI; i++) {
		n = i == LOW || i == MEDIUM ? w.told[i + 1 - OOM] : 0;
		if (w.told[i - OOM] > n)
			seen(COUNT_OOM + i - OOM, w.told[i - OOM] - n);
	}
	for (; i < NPOLL; i++)
		if (w.p[i].revents & POLLERR) {
			close(w.p[i].fd);
			w.p[i].fd = -1;
		} else if (w.p[i].revents)
			seen(COUNT_OOM + i - OOM, w.count[COUNT_OOM + i - OOM].seen + 1);
}

static void look_at_counts(void)
{
	uint64_t n = 0, more = 0;
	const char *text;

	count(take(MEMORY_EVENTS), 0, COUNT_PIDS - 1);
	if (w.file[MEMORY_EVENTS] >= 0)
		count(take(MEMORY_EVENTS), COUNT_OOM, COUNT_OOM);
	count(take(PIDS_EVENTS), COUNT_PIDS, COUNT_PIDS);
	count(take(OOM_CONTROL), COUNT_KILL, COUNT_KILL);
	if ((text = take(FAILCNT)))
		decimal(text, &n);
	if ((text = take(SWAPCNT)))
		decimal(text, &more);
	seen(COUNT_MAX, n + more);
}

/* v1 says that the state was written, and not that it has been reached. */
static void look_at_freezer(void)
{
	const char *text = take(FREEZER);
	bool known = text, frozen = text && starts(text, "FROZEN");

	if (text && starts(text, "FREEZING"))
		look_soon();
	if ((text = take(CGROUP_EVENTS))) {
		known = true;
		frozen |= cg_count(text, "frozen") == 1;
	}
	if (!known || frozen == w.frozen)
		return;
	w.frozen = frozen;
	if (!w.first)
		tell(frozen ? "frozen" : "thawed");
}

/* ------------------------------------------------------- what there is to watch */

static void drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void deaf(void)
{
	warn("%s: events: inotify", w.up.left.name);
	_exit(1);
}

static int watch(const char *path, uint32_t what)
{
	return inotify_add_watch(w.p[NEWS].fd, path, what);
}

static int opened(const char *file, int flags)
{
	return up_file(&w.up, file, flags | O_NONBLOCK);
}

/* v1: FILE of the memory leaf, and from which level on, or "". */
static int eventfd_of(const char *file, const char *level)
{
	int fd = opened(file, O_RDONLY), to = opened("cgroup.event_control", O_WRONLY), event = -1;
	const char *text;

	if (fd >= 0 && to >= 0 && (event = (int)syscall(SYS_eventfd2, 0, O_NONBLOCK | O_CLOEXEC)) >= 0) {
		text = fmts(TEXT "%d %d %s", event, fd, level);
		if (write(to, text, strlen(text)) < 0)
			drop(&event);
	}
	drop(&fd);
	drop(&to);
	return event;
}

/* Share of a second for which somebody waited. Without CAP_SYS_RESOURCE the window
 * has to be two, which is allowed from 6.5 on. */
static int trigger_of(const char *file, unsigned percent)
{
	int fd = opened(file, O_RDWR), seconds;
	const char *text;

	for (seconds = 1; fd >= 0 && seconds <= 2; seconds++) {
		text = fmts(TEXT "some %u %u", percent * 10000 * seconds, 1000000 * seconds);
		if (write(fd, text, strlen(text) + 1) > 0)
			return fd;
	}
	drop(&fd);
	return fd;
}

/* What is there is taken, the rest is not: a controller may come by an update. */
static void open_files(void)
{
	int i;

	for (i = 0; i < NFILE; i++)
		if (w.file[i] < 0 && (w.file[i] = opened(unpacked(files, i), O_RDONLY)) >= 0 && i >= WATCHED)
			w.watch[i - WATCHED] = watch(rootfs_at(w.file[i], ""), IN_MODIFY);
	for (i = OOM; i < PSI; i++)
		if (w.p[i].fd < 0)
			w.p[i].fd = eventfd_of(i == OOM ? "memory.oom_control" : "memory.pressure_level",
				nth("\0low\0medium\0critical", i - OOM));
	for (; i < NPOLL; i++)
		if (w.p[i].fd < 0)
			w.p[i].fd = trigger_of(nth("memory.pressure\0io.pressure\0cpu.pressure", i - PSI), i < NPOLL - 1 ? 15 : 50);
}

/* Only as long as there is no such box: what others do is no business of ours. */
static void watch_top(void)
{
	w.top = watch(rootfs_at(w.up.left.dir, ""), IN_CREATE);
	if (w.top < 0)
		deaf();
}

/* Watches of a leaf do not end with it; those of a directory do. They go one by one:
 * to close all takes the kernel 15 ms, and a box may come and go meanwhile. */
static void begin_again(void)
{
	int i;

	for (i = 0; i < NFILE; i++) {
		if (w.file[i] >= 0 && i >= WATCHED)
			(void)inotify_rm_watch(w.p[NEWS].fd, w.watch[i - WATCHED]);
		drop(w.file + i);
	}
	for (i = KEEPER; i < NPOLL; i++)
		drop(&w.p[i].fd);
	drop(&w.state);
	w.phase = NONE;
	w.frozen = false;
	drop(&w.saved);
	memset(w.count, 0, sizeof w.count);
	memset(w.told, 0, sizeof w.told);
	watch_top();
}

/* ------------------------------------------------------------------ the saved box */

/* Is there such a line, with ? or without? n: its length */
static bool has(const char *text, const char *line, size_t n)
{
	for (; *text; text = *(text = strchrnul(text, '\n')) ? text + 1 : text) {
		text += *text == '?';
		if (!strncmp(text, line, n) && (!text[n] || text[n] == '\n'))
			return true;
	}
	return false;
}

/* A list that ends with a comma; there is one character in front of it. */
static void add_key(char *keys, size_t max, const char *key, size_t n)
{
	char *p, *to = keys + strlen(keys);

	if (fmt(to, max - (size_t)(to - keys), TEXT "%.*s,", (int)n, key) <= n)
		*to = '\0';
	for (p = keys; p < to && (p = strstr(p, to)) < to; p++)
		if (p == keys || p[-1] == ',')
			*to = '\0';
}

/* Keys of lines that the other text does not have. */
static void differing(char *keys, size_t max, const char *text, const char *other)
{
	size_t n, key;

	for (; *text; text += n + (text[n] == '\n')) {
		text += *text == '?';
		n = (size_t)(strchrnul(text, '\n') - text);
		key = strcspn(text, "=\n");
		if (*text != '#' && key < n && !has(other, text, n))
			add_key(keys, max, text, key);
	}
}

/* husk update has replaced the file: another inode, and as long as the old one is
 * open here it is another's number. */
static void look_at_saved(void)
{
	static char keys[480];
	const char *path = fmts(TEXT "%s/box", w.up.left.name);
	FILLED struct stat st;
	int fd;
	ssize_t n;

	if (fstatat(w.up.left.dir, path, &st, 0) < 0 || (w.saved >= 0 && w.number == st.st_ino) ||
	    (fd = openat(w.up.left.dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return;
	n = read(fd, w.is, sizeof w.is - 1);
	w.is[n < 0 ? 0 : n] = '\0';
	if (w.saved >= 0) {
		*keys = '\0';
		differing(keys, sizeof keys, w.is, w.was);
		differing(keys, sizeof keys, w.was, w.is);
		if (*keys)
			tell(fmts(TEXT "updated keys=%.*s", (int)strlen(keys) - 1, keys));
		open_files();
	}
	drop(&w.saved);
	w.saved = fd;
	w.number = st.st_ino;
	copy(w.was, sizeof w.was, w.is);
}

/* ------------------------------------------------------------------ a life */

static bool lives(void)
{
	uint64_t pid;
	int dir = ns_find(&w.up.left, w.up.run.proc, &pid);

	return dir >= 0 && close(dir) == 0;
}

/* The keeper's number is the keeper's if its box lives when that has been opened: from
 * 5.3 on. A box that has ended already is told of all the same. */
static void attach(bool ended)
{
	static char line[64];
	unsigned from = 0, i;
	uint64_t pid = 0;

	if (left_get(&w.up.left, "keeper", &from, line, sizeof line))
		decimal(line, &pid);
	w.p[KEEPER].fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	w.p[KEEPER].revents = 0;
	if (((w.p[KEEPER].fd < 0 && errno == ESRCH) || !lives()) && !ended) {
		drop(&w.p[KEEPER].fd);
		return;
	}
	if (w.p[KEEPER].fd < 0)
		(void)watch(rootfs_at(w.up.left.dir, w.up.left.name), DIRECTORY | IN_CLOSE_NOWRITE);
	w.phase = UP;
	open_files();
	if (w.first) {
		look_at_freezer();
		look_at_counts();
		look_at_saved();
		for (i = 0; i < NCOUNT; i++)
			w.count[i].told = w.count[i].seen;
		if (ended)
			return;
	}
	left_get(&w.up.left, "init", (from = 0, &from), line, sizeof line);
	decimal(line, &pid);
	tell(fmts(TEXT "%s pid=%u", !w.first ? "started" : w.frozen ? "paused" : "running", (unsigned)pid));
	w.first = false;
}

static void over(const char *how)
{
	(void)tell_counts(true);
	if (how)
		tell(how);
	if (how && w.once)
		_exit(0);
	drop(&w.p[KEEPER].fd);		/* it would tell for ever */
	w.phase = OVER;
}

/* The last line of the state file, which may be longer than what is read of it. */
static const char *ended(off_t size)
{
	static char tail[128];
	off_t from = size > (off_t)sizeof tail - 1 ? size - (off_t)sizeof tail + 1 : 0;
	ssize_t n = pread(w.state, tail, sizeof tail - 1, from);
	char *p;

	tail[n < 0 ? 0 : n] = '\0';
	p = strstr(tail, "\nended=");
	if (!p)
		return NULL;
	p[strcspn(p + 1, "\n") + 1] = '\0';
	return p + 7;
}

/* How a life has ended, or NULL; st: as the state file was before it was read. */
static const char *end_of(const struct stat *st, bool ran, const char *how)
{
	static char line[160];		/* not of fmts(): the counts have more lines before it than that has places */

	if (how && starts(how, "oom"))
		seen(COUNT_KILL, 1);	/* the leaf may have been gone when it was looked at */
	if (how) {
		fmt(line, sizeof line, TEXT "exited reason=%s", how);
		return line;
	}
	if (w.phase == COMING)
		return st->st_nlink || ran ? NULL : "failed";
	if (w.p[KEEPER].revents || !st->st_nlink || (w.p[KEEPER].fd < 0 && !w.soon && !lives()))
		return "exited reason=the keeper was killed";
	return NULL;
}

/* Does it tell how a box has ended, until the next one of that name begins? */
static bool stays(const struct left *l)
{
	static char word[16];

	return cfg_index("done|failed|skipped", state_word(l, word, sizeof word)) >= 0;
}

/* Looks at all of it. false: it is still the same life. */
static bool follow(void)
{
	struct left *l = &w.up.left;
	FILLED struct stat st;
	const char *how;
	bool ran;
	ssize_t n;

	if (fstat(w.state, &st) < 0)
		return false;
	n = pread(w.state, l->text, sizeof l->text - 1, 0);
	l->text[n < 0 ? 0 : n] = '\0';
	how = ended(st.st_size);
	ran = strstr(l->text, "\nstate=running ") || strstr(l->text, "\nstate=starting ");
	if (w.phase == COMING && !ran && stays(l))
		w.phase = OVER;
	if (w.phase == COMING && ran)
		attach(how);
	if (w.phase == UP) {
		look_at_freezer();
		look_at_counts();
		look_at_saved();
	}
	if (w.phase != OVER && (how = end_of(&st, ran, how)))
		over(w.first ? NULL : how);
	if (!st.st_nlink)
		begin_again();
	return !st.st_nlink;
}

/* Watched first, then opened: nothing comes between. */
static bool find(void)
{
	const char *name = w.up.left.name;

	if (w.phase != NONE)
		return true;
	if (watch(rootfs_at(w.up.left.dir, name), DIRECTORY) < 0) {
		if (errno != ENOENT)
			deaf();
	} else
		w.state = openat(w.up.left.dir, fmts(TEXT "%s/state", name), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (w.state < 0)
		return false;
	(void)inotify_rm_watch(w.p[NEWS].fd, w.top);
	w.phase = COMING;
	return true;
}

static void look(void)
{
	while (find() && follow())
		;
	if (w.first && w.phase != UP)
		tell("stopped");
	w.first = false;
}

/* Until it is interrupted, or nobody reads, or -1 and the box has ended. */
static void turn(void)
{
	static char news[2048];
	int next = w.phase == UP ? tell_counts(false) : -1;
	uint64_t now;

	if (w.soon && (now = now_ms(), next < 0 || w.when < now + (unsigned)next))
		next = w.when > now ? (int)(w.when - now) : 0;
	if (poll(w.p, NPOLL, next) < 0)
		return;
	if (w.p[OUT].revents)
		_exit(0);
	looked_soon();
	if (w.p[NEWS].revents) {
		(void)!read(w.p[NEWS].fd, news, sizeof news);
		if (w.phase == UP && w.p[KEEPER].fd < 0)
			look_soon();	/* without pidfds the box is seen to end, a little after its keeper */
	}
	listen_to();
	look();
}

/* Somebody else's, or no file: it would be waited for in vain. */
static bool foreign(const char *name)
{
	static struct left l;

	if (state_read(&l, name) >= 0)
		close(l.dir);
	else if (errno != ENOENT) {
		warnx("%s: events: its state file: %s", name, errno == EPERM ? TEXT "is not ours alone" : errno_text());
		return true;
	}
	return false;
}

static int prepare(const char *name)
{
	struct sigaction quiet = { .sa_handler = SIG_IGN };
	int i;

	if ((i = up_name(name)) != 0)
		return i;
	copy(w.up.left.name, sizeof w.up.left.name, name);
	w.up.run.proc = proc_fd();
	if (w.up.run.proc < 0 || state_open(&w.up.left, true) < 0) {
		warn("%s: events: run directory", name);
		return 1;
	}
	if (foreign(name))
		return 1;
	w.state = w.saved = -1;
	for (i = 0; i < NFILE; i++)
		w.file[i] = -1;
	for (i = 0; i < NPOLL; i++) {
		w.p[i].fd = -1;
		w.p[i].events = i < PSI ? POLLIN : POLLPRI;
	}
	w.p[OUT] = (struct pollfd){ 1, 0, 0 };
	w.p[NEWS].fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	w.first = true;
	(void)sigaction(SIGPIPE, &quiet, NULL);
	watch_top();
	return 0;
}

int cg_events(const char *name, bool once)
{
	int e = prepare(name);

	if (e)
		return e;
	w.json = out_mode() == OUT_JSON;
	w.once = once;
	for (look(); ; )
		turn();
}
