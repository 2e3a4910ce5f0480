/* plan.c - reads what a board is to be: board.conf, then the boxes and their
 * order. All of it in a child, so that PID 1 never parses, and never waits for
 * a disk; mounts and the host name are everybody's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

enum { MAXBOX = 64, POOL = 16 * 1024 };

struct entry { uint64_t ino, off; uint16_t len; uint8_t type; char name[]; };

struct plan {
	char	 file[MAXNAME + 6];		/* below CONFDIR */
	char	 name[MAXNAME + 1];
	uint16_t after;				/* in the pool, words with NULs, an empty one ends */
	bool	 boot, placed;
};

static struct plan plans[MAXBOX];
static char pool[POOL];
static unsigned nplans, used;

/* Knobs that are a way out, or a leak, for a program in a box; board.conf may
 * change them back. */
static const char knobs[] =
	"kernel/core_pattern\0core\0" "fs/suid_dumpable\0" "0\0"
	"kernel/sysrq\0" "0\0" "kernel/dmesg_restrict\0" "1\0" "kernel/kptr_restrict\0" "2\0"
	"fs/protected_symlinks\0" "1\0" "fs/protected_hardlinks\0" "1\0"
	"fs/protected_fifos\0" "2\0" "fs/protected_regular\0" "2\0";

static void set_knob(const char *key, const char *val, bool must)
{
	char path[160];
	size_t i;

	fmt(path, sizeof path, "/proc/sys/%s", key);
	for (i = 10; must && path[i]; i++)
		if (path[i] == '.')
			path[i] = '/';
	if (write_at(AT_FDCWD, path, val) < 0 && must)
		say(2, "husk: board.plan: sysctl.%s=%s: %s\n", key, val, strerror(errno));
}

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
	static struct board b;
	const char *k;
	int i;

	for (k = knobs; *k; k += strlen(k) + 1, k += strlen(k) + 1)
		set_knob(k, k + strlen(k) + 1, false);
	if (cfg_board(&b, CONFDIR "/board.conf"))
		say(2, "husk: board.plan: " CONFDIR "/board.conf is wrong: going on without it\n");
	if (b.hostname && sethostname(b.hostname, strlen(b.hostname)) < 0)
		say(2, "husk: board.plan: hostname %s: %s\n", b.hostname, strerror(errno));
	for (i = 0; i < b.nmnt; i++)
		if (mount_one(&b.mnt[i]) < 0)
			say(2, "husk: board.plan: mount %s on %s: %s%s\n", b.mnt[i].src ? b.mnt[i].src : "tmpfs",
				b.mnt[i].dst, strerror(errno), b.mnt[i].skip ? ": going on" : "");
	for (i = 0; i < b.nsysctl; i++)
		set_knob(b.sysctl[i].key, b.sysctl[i].val, true);
}

/* The files, sorted by name: so the order is the same on every boot. */
static void list_files(void)
{
	char buf[2048] __attribute__((aligned(8)));
	int dir = open(CONFDIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct entry *e;
	size_t n;
	long got, i;
	unsigned at;

	if (dir < 0) {
		say(2, "husk: board.plan: " CONFDIR ": %s\n", strerror(errno));
		return;
	}
	while ((got = syscall(__NR_getdents64, dir, buf, sizeof buf)) > 0)
		for (i = 0; i < got; i += e->len) {
			e = (void *)(buf + i);
			n = strlen(e->name);
			if (*e->name == '.' || n < 6 || n >= sizeof plans->file ||
			    !same(e->name + n - 5, ".conf") || same(e->name, "board.conf"))
				continue;
			if (nplans == MAXBOX) {
				say(2, "husk: board.plan: %s: more than %d boxes\n", e->name, MAXBOX);
				continue;
			}
			for (at = nplans++; at && strcmp(plans[at - 1].file, e->name) > 0; at--)
				plans[at] = plans[at - 1];
			memset(&plans[at], 0, sizeof plans[at]);
			copy(plans[at].file, sizeof plans[at].file, e->name);
		}
	close(dir);
}

static void keep_word(const char *s)
{
	size_t n = strlen(s) + 1;

	if (used + n + 1 < POOL) {
		memcpy(pool + used, s, n);
		used += (unsigned)n;
	}
}

static void read_box(struct plan *p)
{
	static struct box b;
	char path[sizeof CONFDIR + sizeof p->file + 1];
	int i;

	fmt(path, sizeof path, CONFDIR "/%s", p->file);
	memset(&b, 0, sizeof b);
	if (cfg_load(&b, path, NULL, 0, NULL))
		return;			/* it has said what is wrong */
	copy(p->name, sizeof p->name, b.name);
	p->boot = b.boot;
	p->after = (uint16_t)used;
	for (i = 0; i < b.nafter; i++)
		keep_word(b.after[i]);
	pool[used++] = '\0';
}

/* Must q be there before p? */
static bool waits_for(const struct plan *p, const struct plan *q)
{
	const char *w;

	if (q == p || q->placed || !q->boot)
		return false;
	for (w = pool + p->after; *w; w += strlen(w) + 1)
		if (same(w, q->name))
			return true;
	return false;
}

static struct plan *next(void)
{
	struct plan *p, *q, *end = plans + nplans, *stuck = NULL;

	for (p = plans; p < end; p++) {
		if (p->placed || !p->boot)
			continue;
		for (q = plans; q < end && !waits_for(p, q); q++)
			;
		if (q == end)
			return p;
		if (!stuck)
			stuck = p;
	}
	if (stuck)
		say(2, "husk: %s: after: a circle: not waiting\n", stuck->name);
	return stuck;
}

void board_plan(int to)
{
	struct plan *p;
	unsigned i;

	board_conf();
	list_files();
	for (i = 0; i < nplans; i++)
		read_box(&plans[i]);
	while ((p = next())) {
		p->placed = true;
		say(to, "%s %s\n", p->name, p->file);
	}
	_exit(0);
}
