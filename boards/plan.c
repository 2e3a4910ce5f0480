/* plan.c - reads what a board is to be: board.conf, then the boxes and their
 * order. All of it in a child, so that PID 1 never parses, and never waits for
 * a disk; mounts and the host name are everybody's. husk check asks for the order,
 * too: of the files that it is given. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

struct waiting {
	struct planned what;
	bool	 placed;
	uint16_t end;			/* of after */
	char	 after[4 * MAXAFTER * (MAXNAME + 1) + 1];	/* names with NULs, an empty one ends */
	char	 before[MAXAFTER * (MAXNAME + 1) + 1];	/* the same */
};

struct planning {
	unsigned n;
	struct waiting box[MAXBOX];
};

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

/* Knobs that are a way out, or a leak, for a program in a box; board.conf may
 * change them back. */
static const char knobs[] =
	"kernel.core_pattern\0core\0" "fs.suid_dumpable\0" "0\0"
	"kernel.sysrq\0" "0\0" "kernel.dmesg_restrict\0" "1\0" "kernel.kptr_restrict\0" "2\0"
	"fs.protected_symlinks\0" "1\0" "fs.protected_hardlinks\0" "1\0"
	"fs.protected_fifos\0" "2\0" "fs.protected_regular\0" "2\0";

static int mount_one(struct mnt *m)
{
	int device = image_device(m);

	(void)mkdir(m->dst, 0755);
	if (m->kind == MNT_BIND)
		return mount(m->src, m->dst, NULL, MS_BIND | (m->rec ? MS_REC : 0), NULL);
	if (m->kind == MNT_TMPFS && !m->mode)
		m->mode = 0755;
	return device < -1 ? -1 : image_mount(m, device, m->dst);
}

static void board_conf(void)
{
	struct box *b = asked();
	int i, proc = proc_fd();
	const char *k;

	for (k = knobs; *k; k += strlen(k) + 1, k += strlen(k) + 1)
		(void)ns_knob(proc, k, k + strlen(k) + 1);
	(void)cfg_board(b, CONFDIR "/board.conf");	/* has said what is wrong: the rest counts */
	if (b->hostname && sethostname(b->hostname, strlen(b->hostname)) < 0)
		board_failed("plan: hostname ", b->hostname);
	for (i = 0; i < b->nmnt; i++)
		if (mount_one(&b->mnt[i]) < 0)
			board_failed("plan: mount ", b->mnt[i].dst);
	for (i = 0; i < b->nsysctl; i++)
		if (ns_knob(proc, b->sysctl[i].key, b->sysctl[i].val) < 0)
			board_failed("plan: sysctl.", b->sysctl[i].key);
}

static void also_after(struct waiting *w, const char *name)
{
	if (w->end + strlen(name) + 2 <= sizeof w->after)
		w->end += (uint16_t)(copy(w->after + w->end, sizeof w->after - w->end, name) + 1);
}

/* What it waits for, as an order: paths come by themselves. */
void board_add(const struct box *b, const char *file)
{
	struct waiting *w = boxes + nboxes;
	char *to = w->before;
	int i;

	if (nboxes == MAXBOX) {
		say(2, "husk: %s: more than %d boxes\n", file, MAXBOX);
		return;
	}
	copy(w->what.file, sizeof w->what.file, file);
	copy(w->what.name, sizeof w->what.name, b->name);
	for (i = 0; i < b->nafter + b->nneeds; i++)
		also_after(w, i < b->nafter ? b->after[i] : b->needs[i - b->nafter]);
	for (i = 0; i < b->nbefore; i++)
		to += copy(to, MAXNAME + 1, b->before[i]) + 1;
	nboxes++;
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
		for (q = boxes; q < boxes + nboxes; q++) {
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

/* A name below CONFDIR: of a file of a box that is to be started? */
static void read_box(const char *name)
{
	static char file[sizeof CONFDIR + MAXNAME + 6];
	struct box *b = asked();
	size_t n = strlen(name);

	if (*name == '.' || n < 6 || n >= MAXNAME + 6 || !same(name + n - 5, ".conf") || same(name, "board.conf"))
		return;
	fmt(file, sizeof file, CONFDIR "/%s", name);
	if (cfg_load(b, file, NULL, 0, NULL) || !b->boot)
		return;			/* it has said what is wrong */
	board_add(b, file);
}

static void read_boxes(void)
{
	int dir = open(CONFDIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *name;

	if (dir < 0)
		board_failed("plan: ", CONFDIR);
	while (rootfs_list(dir) > 0)
		while ((name = rootfs_name()))
			read_box(name);
}

/* Must another one be there before it? * stands for all that do not say so. */
static bool waits(const struct waiting *w)
{
	const struct waiting *q;
	const char *a;

	for (a = w->after; *a; a += strlen(a) + 1)
		for (q = boxes; q < boxes + nboxes; q++)
			if (q != w && !q->placed && (same(a, q->what.name) || (*a == '*' && *q->after != '*')))
				return true;
	return false;
}

/* By the name of the file, so that the order is the same on every boot. In a
 * circle nobody waits; or that is all there is to say. */
static struct waiting *next(bool go_on)
{
	struct waiting *w, *first = NULL;
	int circle;

	for (circle = 0; circle < 2 && !first; circle++)
		for (w = boxes; w < boxes + nboxes; w++)
			if (!w->placed && (circle || !waits(w)) && (!first || strcmp(w->what.file, first->what.file) < 0))
				first = w;
	if (circle == 2 && first)
		say(2, "%s%s: after: a circle%s\n", go_on ? "husk: " : "", go_on ? first->what.name : first->what.file, go_on ? ": not waiting" : " (after, before, needs)");
	return circle == 2 && !go_on ? NULL : first;
}

int board_circle(void)
{
	struct waiting *w;
	unsigned n;

	turn_round();
	for (n = 0; (w = next(false)); n++)
		w->placed = true;
	return n == nboxes ? 0 : 2;
}

void board_plan(int to)
{
	struct waiting *w;

	board_conf();
	read_boxes();
	turn_round();
	while ((w = next(true))) {
		w->placed = true;
		(void)!write(to, &w->what, sizeof w->what);
	}
	_exit(0);
}
