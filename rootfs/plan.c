/* plan.c - what the mount table of the box will be, noted as the rows mount,
 * and the comparison of one line of it. */
#include <string.h>
#include <sys/mount.h>

#include "husk.h"

#define ACCESS	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define ATIME	(MS_NOATIME | MS_NODIRATIME | MS_RELATIME)

struct plan {
	const char *type;
	uint32_t flags;
	uint16_t len;			/* of path: most paths differ there already */
	uint8_t	 kind;
	bool	 seen;
	char	 path[];
};
struct planning {
	unsigned used, ntree;
	uint32_t empty;			/* the device of what masks show; 0: not seen yet */
	char	 plans[32768] __attribute__((aligned(8)));	/* one behind the other, each with its path */
	/* Mounts of recursive binds, and what they were planned as: only what hangs on
	 * one of these may be there unplanned. The table lists a mount after its parent. */
	struct {
		unsigned id;
		unsigned bare;		/* hash of its path, if it lacks flags: another must lie on it */
		const struct plan *plan;
	} tree[1024];
};

static BASE struct planning *at(void)
{
	static struct planning planning BULK;

	return &planning;
}
#define g (*at())

static struct plan *first(void)
{
	return (void *)g.plans;
}

static struct plan *end(void)
{
	return (void *)(g.plans + g.used);
}

static struct plan *next(const struct plan *p)
{
	return (void *)((uintptr_t)(p->path + p->len + 7) & ~(uintptr_t)7);
}

int plan_add(struct run *r, const char *path, unsigned kind, uint32_t flags, const char *type)
{
	size_t len = strlen(path) + 1;
	struct plan *p = end();

	if (g.used > sizeof g.plans - sizeof *p - sizeof rootfs_path || len > sizeof rootfs_path)
		return fail_not(r, "%s: too many mounts", path);
	p->type = type;
	p->flags = flags;
	p->len = (uint16_t)len;
	p->kind = (uint8_t)kind;
	memcpy(p->path, path, len);
	g.used = (unsigned)((char *)next(p) - g.plans);
	return 0;
}

int plan_mnt(struct run *r, const struct mnt *m, unsigned kind)
{
	/* the kernel says nfs4 for nfs */
	return plan_add(r, rootfs_path, kind | (m->rec ? PLAN_REC : 0) | (m->slave ? PLAN_SLAVE : 0), m->flags,
		m->type && starts(m->type, "nfs") ? NULL : m->type);
}

unsigned plan_kind(const char *path)
{
	const struct plan *p, *most = first();

	for (p = first(); p < end(); p = next(p))
		if (p->len >= most->len && rootfs_below(path, p->path))
			most = p;
	return most->kind;
}

static bool covered(const struct plan *p, const struct plan *last)
{
	const struct plan *q = p;

	while ((q = next(q)) < last)
		if (same(p->path, q->path))
			return true;
	return false;
}

/* A tree was bound on itself: each mount in it is there once more. */
int plan_forbid(struct run *r, const char *path)
{
	const struct plan *p, *last = end();
	bool itself = false;
	int e = 0;

	for (p = first(); p < last && !e; p = next(p))
		if (rootfs_below(p->path, path) && !covered(p, last)) {
			itself |= same(p->path, path);
			e = plan_add(r, p->path, p->kind, p->flags | MS_RDONLY, p->type);
		}
	return e || itself ? e : plan_add(r, path, PLAN_REC, MS_RDONLY, NULL);
}

static bool fits(const struct plan *p, const struct mountinfo *m)
{
	uint32_t want = p->flags & (ACCESS | MS_NOATIME | MS_NODIRATIME);
	const char *root;

	if (m->shared || (m->slave && !(p->kind & PLAN_SLAVE)) || (p->type && !same(p->type, m->type)))
		return false;
	if (p->kind & (PLAN_DIR | PLAN_FILE) && g.empty && m->dev != g.empty)
		return false;
	/* a knob shows itself */
	root = p->kind & PLAN_DIR ? "/pts" : p->kind & PLAN_FILE ? "/husk.f//deleted" :
		p->kind & PLAN_KNOB ? strchr(p->path + 1, '/') : m->root;
	if (!same(m->root, root))
		return false;
	if (!(p->kind & PLAN_EXACT))
		return !(want & ~m->flags);
	/* the kernel's default */
	if (!(p->flags & (MS_NOATIME | MS_STRICTATIME)))
		want |= MS_RELATIME;
	return want == (m->flags & (ACCESS | ATIME));
}

static unsigned hash(const char *s)
{
	unsigned h = 1;

	while (*s)
		h = h * 66 ^ (unsigned char)*s++;
	return h | 1;
}

static bool grow(const struct mountinfo *m, const struct plan *p, bool bare)
{
	if (g.ntree == sizeof g.tree / sizeof *g.tree)
		return false;
	g.tree[g.ntree].id = m->id;
	g.tree[g.ntree].bare = bare ? hash(m->path) : 0;
	g.tree[g.ntree++].plan = p;
	return true;
}

/* The flags of a host's mount that another one lies on could not be set where
 * that takes a path; and no path leads to it. */
static bool hangs(const struct mountinfo *m, unsigned parent)
{
	const struct plan *p;

	if (parent == g.ntree || m->shared)
		return false;
	p = g.tree[parent].plan;
	if (p->kind & PLAN_SLAVE)
		return grow(m, p, false);
	return !m->slave && grow(m, p, p->flags & ACCESS & ~m->flags);
}

/* Of several mounts on one path the line is the strictest that it can be. */
bool plan_check(const struct mountinfo *m, bool dev)
{
	struct plan *p, *best = NULL;
	size_t len = strlen(m->path) + 1;
	unsigned i;

	for (i = 0; i < g.ntree && g.tree[i].id != m->parent; i++)
		;
	if (i < g.ntree && g.tree[i].bare && g.tree[i].bare == hash(m->path))
		g.tree[i].bare = 0;
	for (p = first(); p < end(); p = next(p))
		if (p->len == len && !p->seen && p->path[len - 2] == m->path[len - 2] && memcmp(p->path, m->path, len) == 0 && fits(p, m) &&
			(!best || p->flags > best->flags))
			best = p;
	if (!best)
		return hangs(m, i);
	best->seen = true;
	if (best->kind & (PLAN_DIR | PLAN_FILE) || (dev && same(m->path, "/dev")))
		g.empty = m->dev;
	return !(best->kind & PLAN_REC) || grow(m, best, false);
}

const char *plan_missing(void)
{
	const struct plan *p;
	unsigned i;

	for (p = first(); p < end(); p = next(p))
		if (!p->seen)
			return p->path;
	for (i = 0; i < g.ntree; i++)
		if (g.tree[i].bare)
			return g.tree[i].plan->path;
	return NULL;
}
