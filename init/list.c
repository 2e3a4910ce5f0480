/*
 * list.c - husk list and husk state: what a box does, and why.
 *
 * All of it is read: the state file, the lock that says whether a keeper lives, PID 1
 * of the box, its cgroups. The keeper is asked nothing, may be dead, and may hang. What
 * the state file says is believed as far as the lock and the kernel do not know better:
 * nobody holds the lock of a box that runs no more, and of one whose keeper was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

enum { MAXLAST = 4, HZ = 100, NARROW = 9, WIDE = 32, STOPPED = 3, UNKNOWN = 4 };

/* Of one box, at one moment; times in seconds since the machine was booted. */
struct look {
	int	 proc;			/* the host's */
	const char *given;
	unsigned width;			/* of the first column */
	size_t	 ncalm;
	char	 calm[16384];		/* names, one behind the other, of those that are listed behind the others */

	/* from here on it begins anew with each box */
	uint8_t	 nlast;
	bool	 changed;		/* its file is no more what it was started from */
	int	 who;			/* PID 1's directory in /proc, or -1 */
	uint32_t now, since, up, next, restarts;
	uint32_t when[MAXLAST];
	uint64_t pid, keeper;
	unsigned summed;
	uint64_t sum[NSUMS];
	char	 name[MAXNAME + 1], word[16], why[FIRST_ERROR], file[512], user[64], net[64];
	char	 last[MAXLAST][128];
	struct left left;
};

static BASE struct look *at(void)
{
	static struct look look;

	return &look;
}
#define l (*at())

static bool is(const char *list)
{
	return cfg_index(list, l.word) >= 0;
}

static bool runs(void)
{
	return is("running|ready|paused|stopping");
}

static bool needs_help(void)
{
	return is("failed|backoff|waiting|unknown");
}

/* As LSB has it */
static int status(void)
{
	return runs() ? 0 : is("unknown") ? UNKNOWN : STOPPED;
}

/* ------------------------------------------------------------- what the text says */

/* The last line of that name: its value; or NULL */
static const char *last_line(const char *key)
{
	static char value[sizeof l.why + 32];

	return left_last(&l.left, key, value, sizeof value);
}

static uint32_t number_of(const char *key)
{
	const char *s = last_line(key);
	uint64_t n = 0;

	if (s)
		decimal(s, &n);
	return (uint32_t)n;
}

static uint32_t since(uint32_t when)
{
	return l.now > when ? l.now - when : 0;
}

/* WORD SECONDS why */
static void word(void)
{
	const char *s = last_line("state");
	uint64_t n = 0;
	size_t len;

	if (!s)
		return;
	len = strcspn(s, " ");
	fmt(l.word, sizeof l.word, TEXT "%.*s", (int)len, s);
	s = decimal(s + len + (s[len] == ' '), &n);
	l.since = (uint32_t)n;
	copy(l.why, sizeof l.why, s + (*s == ' '));
}

/* SECONDS text, the newest first */
static void lasts(void)
{
	static char text[sizeof *l.last + 16];
	unsigned from = 0;
	const char *s;
	uint64_t n;

	while (l.nlast < MAXLAST && left_get(&l.left, "last", &from, text, sizeof text)) {
		s = decimal(text, &n);
		l.when[l.nlast] = (uint32_t)n;
		copy(l.last[l.nlast++], sizeof *l.last, s + (*s == ' '));
	}
}

/* ------------------------------------------------------- what the kernel knows of it */

/* PID 1 of the box, if it is still that one. */
static void process(void)
{
	const char *s, *start = last_line("init");
	uint64_t n;

	l.who = ns_find(&l.left, l.proc, &l.pid);
	if (l.who < 0 || !start || !(s = strstr(start, " start=")))
		return;
	decimal(s + 7, &n);
	l.up = (uint32_t)(n / HZ);
	l.since = l.since ? l.since : l.up;
	l.up = since(l.up);
}

/* Nobody holds the lock. The last word of a keeper that has ended is the last line;
 * one that was killed has none. */
static void dead(void)
{
	if (is("done|failed|skipped|stopped"))
		return;
	copy(l.word, sizeof l.word, "failed");
	fmt(l.why, sizeof l.why, TEXT "%s%s", state_is_ours(&l.left) ? "keeper killed" : "of before the machine was booted",
		l.who < 0 ? "" : fmts(TEXT "; process %u is still there", (unsigned)l.pid));
}

static void alive(void)
{
	if (!*l.word)
		copy(l.word, sizeof l.word, "starting");
	if (is("running|ready") && cg_paused(&l.left))
		copy(l.word, sizeof l.word, "paused");
	if (is("running|ready") && l.who < 0)
		copy(l.word, sizeof l.word, "stopping");
}

/* Another time than when it was read: an older file that was put in its place is one,
 * too, and no clock that was set meanwhile. */
static void configuration(void)
{
	const char *s = last_line("file");
	FILLED struct stat st;

	copy(l.file, sizeof l.file, s ? s : "");
	l.changed = runs() && last_line("mtime") && stat(l.file, &st) == 0 && S_ISREG(st.st_mode) && MTIME(st) != number_of("mtime");
}

static const char *file_of(const char *name)
{
	return fmts(TEXT CONFDIR "/%s.conf", name);
}

/* Where its file would be: of husk state ./FILE there */
static const char *its_file(void)
{
	return l.given ? l.given : file_of(l.name);
}

static bool has_file(void)
{
	return access(its_file(), F_OK) == 0;
}

/* Who is waited for may be a slip. */
static void needed(void)
{
	const char *who = l.why + 6, *file = file_of(who);

	if (is("waiting") && starts(l.why, "needs ") && cfg_name(who) && !state_there(who) && !cfg_file_of(file, who))
		copy(l.why + strlen(l.why), 128, fmts(TEXT " - no such box, and no file %s", file));
}

/* Of one that nobody has started its file is all there is: a wrong one can be no box. The
 * box of a name= has a line of its own, here if it has none elsewhere. */
static void file_alone(void)
{
	static struct box box;

	if (!has_file())
		return;
	copy(l.file, sizeof l.file, its_file());
	cfg.first = l.why;
	copy(l.word, sizeof l.word, cfg_load(&box, l.file, NULL, 0, NULL) ? "failed" : "stopped");
	cfg.first = NULL;
	if (same(l.word, "failed"))
		return;
	if (HAS(boards) && box.boot && on_board() && board_skips(box.name))
		copy(l.why, sizeof l.why, "husk.skip= of the kernel's command line left it out");
	if (same(box.name, l.name))
		return;
	copy(l.name, sizeof l.name, box.name);
	if (!l.given && (state_there(l.name) || has_file()))
		*l.word = '\0';
}

/* The directory of run directories is ours alone, or nothing is said: what it holds
 * may still be anything. */
static void no_state(void)
{
	if (errno == ENOENT) {
		file_alone();
		return;
	}
	copy(l.word, sizeof l.word, "unknown");
	if (errno == EPERM)
		copy(l.why, sizeof l.why, "its state file is not ours alone");
	else
		fmt(l.why, sizeof l.why, TEXT "its state file: %s", errno_text());
}

/* All that is known of one, but what it uses. false: there is no such box. */
static bool look(const char *name)
{
	int held;

	memset(&l.nlast, 0, sizeof l - offsetof(struct look, nlast));
	l.who = -1;
	copy(l.name, sizeof l.name, name);
	l.now = state_seconds();
	held = state_read(&l.left, name);
	if (held < 0) {
		no_state();
		return *l.word;
	}
	word();
	lasts();
	process();
	if (held)
		alive();
	else
		dead();
	l.restarts = number_of("restarts");
	l.next = number_of("next");
	l.keeper = number_of("keeper");
	configuration();
	needed();
	close(l.left.dir);
	return true;
}

/* A file of its own below the run directory: its path */
static const char *of_its_own(const char *file)
{
	const char *box = state_saved(l.name);

	return fmts(TEXT "%.*s%s", (int)strlen(box) - 3, box, file);
}

/* What it was started with is there when it has lived for a moment. */
static void await_settings(void)
{
	int dir = open(of_its_own(""), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return;
	(void)state_await(dir, "box", 3 * BRIEF_MS);
	close(dir);
}

/* The values of two keys, out of that */
static void settings(void)
{
	static char text[8192];
	static const char keys[] = "user\0net";
	char *to[] = { l.user, l.net }, *p;
	int i;

	if (l.who >= 0 && l.up < 2)
		await_settings();
	if (read_file(state_saved(l.name), text, sizeof text) < 0)
		return;
	for (i = 0; i < 2; i++)
		if ((p = strstr(text, fmts(TEXT "\n%s=", nth(keys, i)))))
			fmt(to[i], sizeof l.user, TEXT "%.*s", (int)strcspn(strchr(p, '=') + 1, "\n"), strchr(p, '=') + 1);
	if (same(l.user, "auto") && last_line("uid"))
		copy(l.user, sizeof l.user, last_line("uid"));
}

static void figures(void)
{
	if (l.who >= 0)
		l.summed = cg_sums(&l.left, l.proc, l.sum);
}

static void leave(void)
{
	if (l.who >= 0)
		close(l.who);
	l.who = -1;
}

/* --------------------------------------------------------------------- what is said */

static bool knows(int sum)
{
	return l.summed >> sum & 1;
}

/* Of one processor, since it was started */
static unsigned percent(void)
{
	unsigned hundredths = (unsigned)(l.sum[SUM_CPU] / 10000000);

	return l.up ? hundredths / l.up : 0;
}

/* 6.3M/48M, 9/256; "-" where nobody has counted */
static const char *used(int sum)
{
	uint64_t v = l.sum[sum], max = knows(sum + 1) ? l.sum[sum + 1] : ~(uint64_t)0;

	if (!knows(sum))
		return "-";
	if (sum == SUM_PIDS)
		return max == ~(uint64_t)0 ? fmts(TEXT "%u", (unsigned)v) : fmts(TEXT "%u/%u", (unsigned)v, (unsigned)max);
	return max == ~(uint64_t)0 ? amount(v) : fmts(TEXT "%s/%s", amount(v), amount(max));
}

static unsigned wait_left(void)
{
	return l.next > l.now ? l.next - l.now : 0;
}

/* Of a reason what stands before "after 8m2s" */
static size_t lived(const char *s)
{
	const char *p = strstr(s, " after "), *end = NULL;

	for (; p; p = strstr(p + 1, " after "))
		end = p;
	return end ? (size_t)(end - s) : strlen(s);
}

/* Why it is as it is, for people: what changes with the time is counted now. */
static const char *reason(void)
{
	static char why[sizeof l.why + 64];

	copy(why, sizeof why, l.why);
	if (is("backoff") && l.next)
		fmt(why, sizeof why, TEXT "%s; again in %s", l.why, span(wait_left()));
	else if (is("done") && l.since)
		fmt(why, sizeof why, TEXT "%s, %s ago", *l.why ? l.why : "exit 0", span(since(l.since)));
	else if (runs() && l.changed)
		fmt(why, sizeof why, TEXT "changed on disk: husk restart %s", l.name);
	else if (runs() && !*l.why && l.restarts && l.nlast)
		fmt(why, sizeof why, TEXT "restarted: %.*s, %s ago", (int)lived(l.last[0]), l.last[0], span(since(l.when[0])));
	else if (is("waiting") && l.nlast && starts(l.last[0], l.why) && strstr(l.last[0], " has gone"))
		fmt(why, sizeof why, TEXT "%s (gone %s ago)", l.why, span(since(l.when[0])));
	return why;
}

/* For scripts and programs: a fact has one name, sizes are bytes, times are seconds. */
static const char fields[] = TEXT
	"name\0state\0why\0status\0since\0user\0net\0file\0local\0changed\0restarts.window\0"
	"up\0pid\0keeper\0restarts\0next\0memory\0memory.max\0cpu\0pids\0pids.max\0"
	"last.1\0last.2\0last.3\0last.4\0denied\0";
enum { F_NAME, F_STATE, F_WHY, F_STATUS, F_SINCE, F_USER, F_NET, F_FILE, F_LOCAL, F_CHANGED, F_WINDOW,
	F_UP, F_PID, F_KEEPER, F_RESTARTS, F_NEXT, F_SUMS, F_CPU = F_SUMS + SUM_CPU, F_LAST = F_SUMS + NSUMS, F_DENIED = F_LAST + MAXLAST, NFIELD };

static const char *field(int i)
{
	return i < NFIELD ? unpacked(fields, i) : NULL;
}

/* false: it has none. */
static bool number_of_field(int i, uint64_t *n)
{
	switch (i) {
	case F_UP: *n = l.up; return l.who >= 0;
	case F_PID: *n = l.pid; return l.who >= 0;
	case F_KEEPER: *n = l.keeper; return *n && status() != STOPPED;
	case F_RESTARTS: *n = l.restarts; return !is("stopped|unknown");
	case F_NEXT: *n = wait_left(); return is("backoff") && l.next;
	case F_CPU: *n = percent(); return knows(SUM_CPU);
	default: *n = l.sum[i - F_SUMS]; return knows(i - F_SUMS);
	}
}

/* STATUS= of sd_notify, which its keeper has written down */
static const char *said_status(void)
{
	static char text[160];

	return runs() && read_file(of_its_own("status"), text, sizeof text) > 0 ? text : "";
}

/* N SECONDS CALL by PROGRAM, PID: what syscalls.log= has counted; its number, and *s is behind the time */
static uint32_t denied(const char **s, uint32_t *when)
{
	static char text[128];
	uint64_t n = 0, t = 0;

	if (!runs() || read_file(of_its_own("denied"), text, sizeof text) < 1)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	*s = decimal(text, &n);
	*s = decimal(*s + (**s == ' '), &t);
	*s += **s == ' ';
	*when = (uint32_t)t;
	return (uint32_t)n;
}

/* The text of a field; "": it has none. */
static const char *value(int i)
{
	uint64_t n;
	uint32_t when;
	const char *s;

	switch (i) {
	case F_NAME: return l.name;
	case F_STATE: return l.word;
	case F_WHY: return l.why;
	case F_SINCE: return l.since ? utc(l.since) : "";
	case F_USER: return l.user;
	case F_NET: return l.net;
	case F_FILE: return l.file;
	case F_LOCAL: return last_line("local") ? last_line("local") : "";
	case F_CHANGED: return l.changed ? "yes" : "";
	case F_STATUS: return said_status();
	case F_WINDOW: return is("backoff|failed") && last_line("window") ? last_line("window") : "";
	case F_DENIED: n = denied(&s, &when); return n ? fmts(TEXT "%u", (unsigned)n) : "";
	}
	if (i >= F_LAST)
		return i - F_LAST < l.nlast ? fmts(TEXT "%s %s", utc(l.when[i - F_LAST]), l.last[i - F_LAST]) : "";
	return !number_of_field(i, &n) ? "" : n == ~(uint64_t)0 ? "max" : fmts(TEXT "%llu", (unsigned long long)n);
}

static void record(void)
{
	const char *s, *key;
	int i;

	settings();
	out_begin();
	for (i = 0; i < NFIELD; i++)
		if (*(s = value(i))) {
			key = field(i);
			if (i < F_UP || (i >= F_LAST && i < F_DENIED) || *s > '9')
				out_text(key, key, out_said(s));
			else
				out_fact(key, key, s);
		}
	out_end();
}

static const char titles[] = TEXT "NAME\0STATE\0UP\0PID\0RESTARTS\0MEMORY\0CPU\0WHY";
static const uint8_t places[] = { 0, 1, 12, 19, 24, 34, 45, 50 };	/* behind the names */
enum { NAME, STATE, UP, PID, RESTARTS, MEMORY, CPU, WHY, NCOLUMN };

/* Two columns of numbers end where their title does. */
static void column(int i, const char *s)
{
	unsigned right = l.width + (i == RESTARTS ? 32 : 48);

	if (i == RESTARTS || i == CPU)
		out_to(right - (unsigned)strlen(s));
	else if (i)
		out_to(l.width + places[i]);
	out_put("%s", s);
}

static void title(void)
{
	int i;

	for (i = 0; i < NCOLUMN; i++)
		column(i, unpacked(titles, i));
	out_line();
}

/* A long name, and a reason for which there is no room, have a line of their own. */
static void row(void)
{
	const char *why = reason();
	bool long_one;

	if (needs_help())
		out_loud(true);
	column(NAME, l.name);
	if (strlen(l.name) > l.width)
		out_line();
	column(STATE, l.word);
	column(UP, l.who < 0 ? "-" : span(l.up));
	column(PID, l.who < 0 ? "-" : fmts(TEXT "%u", (unsigned)l.pid));
	column(RESTARTS, fmts(TEXT "%u", l.restarts));
	column(MEMORY, used(SUM_MEM));
	column(CPU, knows(SUM_CPU) ? fmts(TEXT "%u%%", percent()) : "-");
	long_one = l.width + places[WHY] + strlen(why) > out_width();
	if (long_one)
		out_line();
	if (*why) {
		out_to(long_one ? NARROW + 1 : l.width + places[WHY]);
		out_put("%s", out_said(why));
	}
	if (needs_help())
		out_loud(false);
	out_line();
}

/* ------------------------------------------------------------------------- husk list */

static void show(void)
{
	figures();
	if (out_mode() == OUT_TABLE)
		row();
	else
		record();
	leave();
}

/* The calm ones have to wait, where people look. Who finds no room is not lost. */
static void one(const char *name)
{
	size_t n = strlen(name) + 1;

	if (!look(name))
		return;
	if (out_mode() == OUT_TABLE && !needs_help() && n < sizeof l.calm - l.ncalm) {
		memcpy(l.calm + l.ncalm, name, n);
		l.ncalm += n;
		leave();
	} else
		show();
}

/* The next of all that are started, or have a file here. */
static bool next(int run, int conf, char of[MAXNAME + 1])
{
	static char a[MAXNAME + 1], b[MAXNAME + 1];
	bool more;

	copy(a, sizeof a, of);
	copy(b, sizeof b, of);
	more = state_next(run, "", a);
	while (state_next(conf, ".conf", b) && same(b, "board"))
		;
	copy(of, MAXNAME + 1, *b && (!more || strcmp(b, a) < 0) ? b : a);
	return *of;
}

static int all(void)
{
	static char of[MAXNAME + 1];
	static struct left run;
	int conf = open(CONFDIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *name;

	if (state_open(&run, false) < 0 && errno != ENOENT) {
		warn("list: %s", state_where());
		return 1;
	}
	for (l.width = NARROW; next(run.dir, conf, of); )
		if (strlen(of) > l.width && strlen(of) <= WIDE)
			l.width = (unsigned)strlen(of);
	if (out_mode() == OUT_TABLE)
		title();
	while (next(run.dir, conf, of))
		one(of);
	for (name = l.calm; name < l.calm + l.ncalm; name += strlen(name) + 1)
		if (look(name))
			show();
	return out_done();
}

/* Neither started, nor is there a file: a slip, mostly. */
bool list_unknown(const char *name)
{
	static char of[MAXNAME + 1];
	static struct left run;
	static struct near near;
	int conf = open(CONFDIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	copy(l.name, sizeof l.name, name);
	if (cfg.given || cfg_file_of(file_of(name), name))
		return false;
	(void)state_open(&run, false);
	near_begin(&near, name);
	while (next(run.dir, conf, of))
		near_try(&near, of);
	warnx("%s: no such box, and no file %s%s", name, its_file(), near_hint(&near));
	return true;
}

/* Of all that run */
void list_changed(void)
{
	static char of[MAXNAME + 1];
	static struct left run;

	l.proc = proc_fd();
	if (l.proc < 0 || state_open(&run, false) < 0)
		return;
	while (state_next(run.dir, "", of))
		if (look(of)) {
			if (l.changed)
				say(1, "husk: %s: changed on disk: husk restart %s\n", of, of);
			leave();
		}
}

int list_all(void)
{
	l.proc = proc_fd();
	if (l.proc >= 0)
		return all();
	warn("list: /proc");
	return 1;
}

/* ------------------------------------------------------------------------ husk state */

static void line(const char *key, const char *value)
{
	if (*value)
		out_put("%s=%s\n", key, out_said(value));
}

/* What it said last: the end of the ring that its keeper wrote, which may be torn. Whole
 * lines of a date, a time and a text. */
static void last_words(void)
{
	static char text[4096];
	const char *s, *end;
	int fd = open(of_its_own("log"), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), lines = 0;
	const off_t max = sizeof text - 1;
	FILLED struct stat st;
	ssize_t n;

	if (fd < 0)
		return;
	n = fstat(fd, &st) < 0 ? -1 : pread(fd, text, (size_t)max, st.st_size > max ? st.st_size - max : 0);
	text[n < 0 ? 0 : n] = '\0';
	close(fd);
	if (!(end = strrchr(text, '\n')))
		return;
	for (s = end; s > text && (s[-1] != '\n' || ++lines < MAXLAST); s--)
		;
	if (s == text && n == max)
		s = strchr(s, '\n') + 1;
	for (; s < end; s = strchr(s, '\n') + 1)
		if (strcspn(s, "\n") > 24)
			out_put("log: %.*s%s\n", 8, s + 11, out_said(fmts(TEXT "%.*s", (int)strcspn(s + 24, "\n"), s + 24)));
}

/* Of one that has a process */
static void card_of_who_runs(void)
{
	uint32_t when, n;
	const char *s;

	out_put(" pid=%u up=%s", (unsigned)l.pid, span(l.up));
	if (*l.user)
		out_put(" user=%s net=%s", out_said(l.user), l.net);
	out_put(" restarts=%u\n", l.restarts);
	if (l.summed)
		out_put("memory=%s pids=%s cpu=%u%%\n", used(SUM_MEM), used(SUM_PIDS), percent());
	if ((n = denied(&s, &when)))
		out_put("denied=%u (last: %.*s %s)\n", n, 8, utc(when) + 11, out_said(s));
	line("why", reason());
	line("status", value(F_STATUS));
}

static void card_of_who_does_not(void)
{
	out_line();
	line("why", is("waiting") ? reason() : l.why);
	if (l.since)
		line("since", utc(l.since));
	if (is("backoff") && l.next)
		line("next", span(wait_left()));
	line("restarts", value(F_RESTARTS));
}

/* First the answer, then the facts. */
static void card(void)
{
	int i;

	settings();
	out_put("state=%s", l.word);
	if (l.who >= 0)
		card_of_who_runs();
	else
		card_of_who_does_not();
	line("restarts.window", value(F_WINDOW));
	line("file", l.file);
	line("local", value(F_LOCAL));
	for (i = 0; i < l.nlast; i++)
		line(fmts(TEXT "last.%u", (unsigned)i + 1), fmts(TEXT "%.*s %s", 8, utc(l.when[i]) + 11, l.last[i]));
	if (!runs())
		last_words();
}

static int no_field(const char *name)
{
	warnx("state: %s: no such field%s", cfg_plain(name) ? name : "?", near_of(name, field));
	return 2;
}

/* Of a field that the box does not have now nothing is printed. */
static void show_field(int i)
{
	settings();
	if (*value(i))
		out_put("%s\n", out_said(value(i)));
}

int list_state(const char *name, const char *file, const char *of)
{
	int e = up_name(name), i = 0;

	l.given = file;
	while (!e && of && i < NFIELD && !same(of, field(i)))
		i++;
	if (e || i == NFIELD)
		return e ? e : no_field(of);
	l.proc = proc_fd();
	if (l.proc < 0 || !look(name)) {
		if (l.proc < 0)
			warn("%s: /proc", name);
		else
			(void)list_unknown(name);
		return UNKNOWN;
	}
	figures();
	if (of)
		show_field(i);
	else if (out_mode() == OUT_TABLE)
		card();
	else
		record();
	e = status();
	leave();
	return out_done() ? 1 : e;
}
