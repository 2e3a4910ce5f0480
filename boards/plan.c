/* plan.c - reads what a board is to be: board.conf, then the boxes and their
 * order. All of it in a child, so that PID 1 never parses, and never waits for
 * a disk; mounts and the host name are everybody's. husk check asks for the order,
 * too: of the files that it is given. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "husk.h"

#define MISSING	".missing"	/* in the run directory: a link to what at()->missing says */

struct waiting {
	struct planned what;
	bool	 placed;
	uint8_t	 number;		/* by which it is sent */
	uint16_t hard, end;		/* of those that it needs; of after */
	uint16_t first;			/* where after begins: most name few, and one page is written */
	char	 before[5 * MAXAFTER * (MAXNAME + 1) + 2];	/* names with NULs; an empty one ends. After: the same, those that it needs first */
};

struct planning {
	unsigned n;
	bool	 again;			/* it is not the first time */
	bool	 wrong;			/* something is, and has been said */
	bool	 lacks;			/* that is why there is no box of that name */
	int	 to;			/* PID 1, or 0 */
	bool	 part;			/* not all could be read: who is not named is not gone */
	char	 missing[MAXNAME + 1];	/* what board.conf asks for, and is not there */
	struct waiting box[MAXBOX];
};

static const char *after(const struct waiting *w)
{
	return w->before + w->first;
}

static BASE struct planning *at(void)
{
	static struct planning planning;

	return &planning;
}
#define boxes (at()->box)
#define nboxes (at()->n)

/* The file that is read */
static BASE struct box *asked(void)
{
	static struct box box;

	return &box;
}

/* The first of them is named. */
void board_lacks(const char *what, const char *of)
{
	board_failed(what, of);
	if (!*at()->missing)
		fmt(at()->missing, sizeof at()->missing, TEXT "%s%s", what, of);
}

/* Knobs that are a way out, or a leak, for a program in a box; board.conf may
 * change them back. Not kernel.modprobe, by which the kernel loads what a file system or a socket
 * needs; nor what nobody can change back: modules_disabled, as a driver may come late, and
 * kexec_load_disabled, as husk reboot starts what lies ready. */
static const char knobs[] =
	"kernel/core_pattern\0core\0" "fs/suid_dumpable\0" "0\0"
	"kernel/dmesg_restrict\0" "1\0" "kernel/kptr_restrict\0" "2\0"
	"fs/protected_symlinks\0" "1\0" "fs/protected_hardlinks\0" "1\0"
	"fs/protected_fifos\0" "2\0" "fs/protected_regular\0" "2\0"
	"kernel/yama/ptrace_scope\0" "1\0" "kernel/unprivileged_bpf_disabled\0" "2\0"
	"vm/unprivileged_userfaultfd\0" "0\0" "dev/tty/legacy_tiocsti\0" "0\0";

static void turn_knobs(int proc)
{
	int sys = openat(proc, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *k, *val;

	for (k = knobs; *k; k = val + strlen(val) + 1) {
		val = k + strlen(k) + 1;
		(void)write_at(sys, k, val);
	}
	close(sys);
}

static void sysctls(const struct box *b, int proc)
{
	int i;

	for (i = 0; i < b->nsysctl; i++)
		if (ns_knob(proc, b->sysctl[i].key, b->sysctl[i].val) < 0)
			board_lacks("plan: sysctl.", b->sysctl[i].key);
}

/* A file of the directory that all is read from */
static const char *file_of(const char *name)
{
	const char *dir = board_cmdline()->conf;

	return fmts(TEXT "%s/%s", dir ? dir : CONFDIR, name);
}

static void lo(void)
{
	if (!ns_up())
		board_failed("plan: ", "lo");
}

static void tell(int to, uint8_t kind, const char *what)
{
	static struct planned p;

	p.kind = kind;
	copy(p.name, sizeof p.name, what);
	copy(p.file, sizeof p.file, what);
	(void)!write(to, &p, sizeof p);
}

/* What the machine is made of: then its disks can be found. A driver and a disk may hang, and PID 1
 * has all of the plan by then; where it may take its time PID 1 is told what came of it, and of
 * nothing else: behind the real root nothing is left to stay in, whatever line was wrong. */
static void machine(const struct board *b, struct board_plan *p, int to, bool root)
{
	static char init[64];
	bool lost;

	board_modules(b);
	if (!at()->again)
		board_time();
	if (at()->again)
		lo();
	lost = root && board_real_root(b, init, sizeof init) < 0;
	p->broken |= lost;
	if (p->waits)
		tell(to, PLANNED_MADE, lost ? "!" : init);
	if (*init)
		_exit(0);
}

/* With all disks. That the root is another one now PID 1 has to hear. */
static void state(const struct board *b, int to, bool moved)
{
	if (b->overlay && !moved && board_overlay(b->overlay))
		tell(to, PLANNED_MOVED, "");
	if (!at()->again)
		board_seed();
}

/* Last of all, and by itself: the kernel waits for all processors as often as there
 * is a keyboard or a button, 20 ms on a PC, for which no box has to wait. */
#define LAST	"kernel.sysrq"

static bool read_board(struct box *b, bool *gone)
{
	const struct cmdline *c = board_cmdline();
	static char path[MAXDIR + 16];
	bool broken;

	copy(path, sizeof path, file_of("board.conf"));
	*gone = access(path, F_OK) < 0 && errno == ENOENT;
	broken = cfg_board(b, *gone ? NULL : path, c->over, c->nover);
	if (*gone && !b->board.nconsole && !board_inside())
		warnx("%s: No such file or directory: %s", path, at()->again ? TEXT "consoles and watchdog stay" : TEXT "no console has a program");
	return broken;
}

/* What is wrong has been said: the rest counts. PID 1 hears of it before a module is
 * loaded, and a disk is touched. True: board.conf leaves the last knob to us. */
static bool board_conf(int to, bool moved)
{
	static struct board_plan p;
	const struct cmdline *c = board_cmdline();
	struct box *b = asked();
	int proc = proc_fd();
	bool root;
	int i;

	if (!at()->again && !board_inside())
		turn_knobs(proc);
	p.broken = read_board(b, &p.gone);
	p.single = c->single;
	p.stop_ms = b->board.stop_ms;
	p.dog_ms = b->board.dog_ms;
	p.dog_pre_ms = b->board.dog_pre_ms;
	p.dog_stop_ms = b->board.dog_stop_ms;
	p.dog_skip = b->board.dog_skip;
	p.good_ms = b->board.good_ms;
	p.fail = b->board.fail;
	copy(p.dog, sizeof p.dog, b->board.dog ? b->board.dog : "");
	copy(p.good, sizeof p.good, b->board.good ? b->board.good : "");
	p.nconsole = b->board.nconsole;
	memcpy(p.console, b->board.console, sizeof p.console);
	if (b->hostname && !board_inside() && sethostname(b->hostname, strlen(b->hostname)) < 0)
		board_lacks("plan: hostname ", b->hostname);
	/* not under boxes that run: a disk may have come after the first reading */
	root = !board_inside() && !keeper_next(NULL) && board_wants_root(&b->board);
	p.waits = root || (b->board.nmodule && !board_inside());
	(void)!write(to, &p, sizeof p);
	if (!board_inside())
		machine(&b->board, &p, to, root);
	if (p.broken)
		copy(at()->missing, sizeof at()->missing, "board.conf");
	board_disks(b, at()->again);
	if (board_inside())
		return false;
	state(&b->board, to, moved);
	sysctls(b, proc);
	for (i = 0; i < b->nsysctl && !same(b->sysctl[i].key, LAST); i++)
		;
	return i == b->nsysctl && !at()->again;
}

static void also_after(struct waiting *w, const char *name)
{
	size_t at = w->first + w->end;

	if (at + strlen(name) + 2 <= sizeof w->before)
		w->end += (uint16_t)(copy(w->before + at, sizeof w->before - at, name) + 1);
}

/* Is its file another one than when it was started? Who runs is named: he goes on as he is. */
static bool changed(const struct box *b)
{
	static struct left l;
	static char was[sizeof boxes[0].what.file];
	unsigned at = 0;
	uint64_t then;
	int held = state_read(&l, b->name);

	if (held < 0)
		return false;
	close(l.dir);
	if (left_get(&l, "file", &at, was, sizeof was) && !same(was, b->file))
		return false;
	at = 0;
	if (!left_get(&l, "mtime", &at, was, sizeof was) || (decimal(was, &then), then == b->mtime))
		return false;
	if (held)
		warnx("%s: changed on disk: husk restart %s", b->name, b->name);
	return true;
}

static bool same_place(const char *a, const char *b)
{
	const char *end = strrchr(a, '/');

	return end && strrchr(b, '/') - b == end - a && strncmp(a, b, (size_t)(end - a)) == 0;
}

/* Its file is there: PID 1 knows it by that, if it does. Of such files there may be any number. */
static void keep(const char *file)
{
	if (at()->again)
		tell(at()->to, PLANNED_KEPT, file);
}

/* Another file there that calls itself the same */
static struct waiting *twin(const char *name, const char *file)
{
	struct waiting *w;

	for (w = boxes; w < boxes + nboxes; w++)
		if (same(w->what.name, name) && !same(w->what.file, file) && same_place(w->what.file, file))
			return w;
	return NULL;
}

/* Does anybody in it, or of it, see what the first process of a board makes last: lo, or what
 * lies in /sys? */
static bool shows(const struct box *b)
{
	const struct mnt *m;

	for (m = b->mnt; m < b->mnt + b->nmnt && !(m->src && (starts(m->src, "/sys") || !m->src[1])); m++)
		;
	return m < b->mnt + b->nmnt || b->ns[NS_NET] != NSM_NEW || b->ns[NS_MNT] != NSM_NEW || b->nlisten || b->nhook || b->nfd;
}

/* What it waits for, as an order: paths come by themselves. The name is that of the file
 * that comes first in order, in which they are not read. */
const char *board_add(const struct box *b, const char *file)
{
	static char no[sizeof boxes[0].what.file];
	struct waiting *w = twin(b->name, file);
	bool first = w && strcmp(file, w->what.file) < 0;
	char *to;
	int i;

	*no = '\0';
	if (w) {
		copy(no, sizeof no, first ? w->what.file : file);
		cfg_complain(no, 0, "name", cfg_wrong("%s is that of %s", b->name, first ? file : w->what.file));
	}
	if (w && !first)
		return no;
	if (w) {
		*w = boxes[--nboxes];
		memset(boxes + nboxes, 0, sizeof *w);
	}
	w = boxes + nboxes;
	to = w->before;
	if (nboxes == MAXBOX) {
		warnx("%s: more than %d boxes", file, MAXBOX);
		keep(file);
		return NULL;
	}
	copy(w->what.file, sizeof w->what.file, file);
	copy(w->what.name, sizeof w->what.name, b->name);
	for (i = 0; i < b->nbefore; i++)
		to += copy(to, MAXNAME + 1, b->before[i]) + 1;
	w->first = (uint16_t)(to + 1 - w->before);
	for (i = 0; i < b->nneeds; i++)
		also_after(w, b->needs[i]);
	w->hard = w->end;
	for (i = 0; i < b->nafter; i++)
		also_after(w, b->after[i]);
	w->what.changed = at()->again && changed(b);
	w->what.late = shows(b);
	w->what.start_ms = b->life.ready_ms;
	nboxes++;
	return *no ? no : NULL;
}

static bool names(const char *list, const char *name)
{
	for (; *list && !same(list, name); list += strlen(list) + 1)
		;
	return *list;
}

/* The before= of one is an after= of another, whose starter waits by it. */
static void turn_round(void)
{
	struct waiting *w, *q;
	size_t n, name;

	for (w = boxes; w < boxes + nboxes; w++)
		for (q = boxes; *w->before && q < boxes + nboxes; q++) {
			if (q == w || !(names(w->before, q->what.name) || (names(w->before, "*") && !names(q->before, "*"))))
				continue;
			also_after(q, w->what.name);
			for (n = 0; q->what.extra[n]; n += strlen(q->what.extra + n) + 1)
				;
			name = strlen(w->what.name);
			if (n + name + 3 <= sizeof q->what.extra) {
				q->what.extra[n] = WAIT_AFTER;
				memcpy(q->what.extra + n + 1, w->what.name, name + 1);
			}
		}
}

/* What is wrong has been said. A box of that name that was there before goes on, or is what it
 * is; else it is missing, and the board is not what it is to be. */
static void wrong(const char *file)
{
	static char name[MAXNAME + 1];
	static struct left l;
	const char *base = last_part(file);

	fmt(name, sizeof name, TEXT "%.*s", (int)strlen(base) - 5, base);
	at()->wrong = true;
	keep(file);
	if (board_skips(name))
		return;
	if (state_read(&l, name) >= 0) {
		close(l.dir);
		return;
	}
	at()->lacks = true;
	if (at()->to)
		tell(at()->to, PLANNED_WRONG, name);
}

/* A name below CONFDIR: of a file of a box that is to be started? */
static void read_box(const char *name)
{
	static char file[sizeof boxes[0].what.file];
	struct box *b = asked();
	const char *no;
	size_t n = strlen(name);

	if (*name == '.' || n < 6 || n >= MAXNAME + 6 || !same(name + n - 5, ".conf") || same(name, "board.conf"))
		return;
	copy(file, sizeof file, file_of(name));
	if (cfg_load(b, file, NULL, 0, NULL)) {
		wrong(file);
	} else if (!b->boot || board_skips(b->name)) {
		keep(file);
	} else {
		no = board_add(b, file);
		if (no)
			wrong(no);
	}
}

static void read_boxes(void)
{
	const char *name;
	int dir = open(file_of(""), O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = dir;

	while (dir >= 0 && (n = rootfs_list(dir)) > 0)
		while ((name = rootfs_name()))
			read_box(name);
	if (n < 0) {
		board_failed("plan: ", file_of(""));
		at()->part = at()->wrong = true;
	}
}

/* Is q meant? * stands for all that do not say so themselves. */
static bool meant(const char *a, const struct waiting *q)
{
	return (*a == *q->what.name && same(a, q->what.name)) || (*a == '*' && !names(after(q), "*"));
}

/* Who must be there before it, and is not yet? */
static struct waiting *awaited(const struct waiting *w, bool hard)
{
	const char *a, *end = after(w) + (hard ? w->hard : w->end);
	struct waiting *q;

	for (a = after(w); a < end; a += strlen(a) + 1)
		for (q = boxes; q < boxes + nboxes; q++)
			if (q != w && !q->placed && meant(a, q))
				return q;
	return NULL;
}

/* By the name of the file, so that the order is the same on every boot */
static struct waiting *first(bool free)
{
	struct waiting *w, *first = NULL;

	for (w = boxes; w < boxes + nboxes; w++)
		if (!w->placed && !(free && awaited(w, false)) && (!first || strcmp(w->what.file, first->what.file) < 0))
			first = w;
	return first;
}

static bool blame(int key, const char *const *list, int n, const char *name, const char *circle)
{
	int i = cfg_seek(list, sizeof *list, n, name);

	i = i < n ? i : cfg_seek(list, sizeof *list, n, "*");
	if (i < n)
		cfg_error(key, i, "a circle: %s", circle);
	return i < n;
}

/* The line that says that one comes after the other: its own, or that one's before= */
static void say_circle(const struct waiting *w, const struct waiting *q, const char *circle)
{
	struct box *b = asked();

	(void)cfg_load(b, w->what.file, NULL, 0, NULL);
	if (blame(KEY_NEEDS, b->needs, b->nneeds, q->what.name, circle) || blame(KEY_AFTER, b->after, b->nafter, q->what.name, circle))
		return;
	(void)cfg_load(b, q->what.file, NULL, 0, NULL);
	(void)blame(KEY_BEFORE, b->before, b->nbefore, w->what.name, circle);
}

/* It waits for nobody any more; its starter hears of it. */
static void loosen(struct waiting *w, unsigned end, char letter, const char *text)
{
	w->hard = w->end = (uint16_t)end;
	memset(w->what.extra, 0, sizeof w->what.extra);
	*w->what.extra = letter;
	copy(w->what.extra + 1, sizeof w->what.extra - 2, text);
}

/* All that are left wait for another: who goes from one to the next comes into a circle.
 * An order one of them gives up, if it is one; of boxes that need each other none is to be. */
static void untie(void)
{
	static char circle[MAXWAITS - 8];
	struct waiting *w = first(false), *in, *q, *soft = NULL;
	unsigned n;

	for (n = 0; n < nboxes; n++)
		w = awaited(w, false);
	in = w;
	n = 0;
	do {
		if (n + sizeof in->what.name + 2 < sizeof circle)
			n += fmt(circle + n, sizeof circle - n, n ? " %s" : "%s", in->what.name);
		if (!soft && !awaited(in, true))
			soft = in;
		in = awaited(in, false);
	} while (in != w);
	q = soft ? soft : w;
	say_circle(q, awaited(q, false), circle);
	at()->wrong = true;
	if (soft)
		loosen(soft, soft->hard, WAIT_NOT, "");
	else for (; in && in->end; in = q) {
		q = awaited(in, true);
		loosen(in, 0, WAIT_NEVER, circle);
	}
}

static struct waiting *next(void)
{
	struct waiting *w;

	while (!(w = first(true)) && first(false))
		untie();
	return w;
}

/* Those that have to be there before it, of those that are sent */
static uint64_t before(const struct waiting *w)
{
	const struct waiting *q;
	const char *a;
	uint64_t bits = 0;

	for (a = after(w); a < after(w) + w->end; a += strlen(a) + 1)
		for (q = boxes; q < boxes + nboxes; q++)
			if (q != w && q->placed && meant(a, q))
				bits |= (uint64_t)1 << q->number;
	return bits;
}

int board_circle(void)
{
	struct waiting *w;

	turn_round();
	while ((w = next()))
		w->placed = true;
	return at()->wrong ? 2 : 0;
}

/* Of a box that is started by hand, with others: what it hears of its circle */
void board_loosen(struct life *l, const char *name)
{
	const struct waiting *w;

	for (w = boxes; w < boxes + nboxes; w++)
		if (same(w->what.name, name) && (*w->what.extra == WAIT_NOT || *w->what.extra == WAIT_NEVER))
			starter_also(l, w->what.extra);
}

bool board_readable(void)
{
	bool gone;

	at()->again = true;
	at()->wrong = read_board(asked(), &gone);
	at()->again = false;
	cfg_of_board(false);
	read_boxes();
	return board_circle() == 0;
}

static struct left run;

bool board_complete(void)
{
	cfg_of_board(false);
	read_boxes();
	if (state_open(&run, false) == 0 && readlinkat(run.dir, MISSING, at()->missing, MAXNAME) > 0)
		warnx("wait: %s", at()->missing);
	return !at()->lacks && !*at()->missing;
}

/* For PID 1, by whom the board is not good then, and for husk wait. */
static void say_missing(int to)
{
	if (*at()->missing)
		tell(to, PLANNED_WRONG, at()->missing);
	if ((at()->again || *at()->missing) && state_open(&run, true) == 0) {
		(void)unlinkat(run.dir, MISSING, 0);
		if (*at()->missing)
			(void)symlinkat(at()->missing, run.dir, MISSING);
	}
}

/* PID 1 wakes for each call, and goes before the starter of what the last one has said: so the first
 * has all that there is room for in a pipe that is empty, each of the others as many as stay whole. */
static void send_all(int to)
{
	static struct planned end;
	enum { FEW = PIPE_BUF / sizeof end, MANY = 12 * FEW };
	struct iovec v[MANY];
	struct waiting *w;
	unsigned n = 0;
	int i = 0, most = MANY;

	do {
		if ((w = next())) {
			w->number = (uint8_t)n++;
			w->what.after = before(w);
			w->placed = true;
			if (board_cmdline()->debug)
				warnx("plan: %s %s", w->what.name, w->what.file);
			v[i++] = (struct iovec){ &w->what, sizeof w->what };
		} else {
			end.kind = at()->part ? PLANNED_PART : PLANNED_END;
			end.late = board_time_guessed();
			v[i].iov_base = &end;	/* a constant with an address would be a table with a pointer */
			v[i++].iov_len = sizeof end;
		}
		if (!w || i == most) {
			(void)syscall(SYS_writev, to, v, i);
			most = FEW;
			i = 0;
		}
	} while (w);
}

/* What none of the boxes needs that are being started: PID 1 says when those are up, or when one
 * is next that does. Then the pipe ends. */
static void come_late(int to, bool last)
{
	static const struct timespec most = { 1, 0 };
	union { sigset_t set; unsigned long first; } go = { .first = 1ul << (SIGUSR1 - 1) };

	(void)sigtimedwait(&go.set, NULL, &most);
	lo();
	board_mounts(true);
	close(to);
	board_seed_save();
	if (last)
		(void)ns_knob(proc_fd(), LAST, "0");
}

void board_plan(int to, bool again, bool moved)
{
	bool last;

	(void)fcntl(to, F_SETFL, O_WRONLY);	/* it is PID 1 that does not wait */
	at()->again = again;
	at()->to = to;
	last = board_conf(to, moved);
	cfg_of_board(true);
	read_boxes();
	turn_round();
	say_missing(to);
	send_all(to);
	if (!again && !board_inside())
		come_late(to, last);
	_exit(0);
}
