/* plan.c - what the mount table of the box will be, noted as the rows mount,
 * and the comparison of one line of it. */
#include <string.h>
#include <sys/mount.h>

#include "husk.h"

enum { MAXPLAN = 2 * MAXMNT + 2 * MAXPATHS + MAXDEV + 32 };
#define ACCESS	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define ATIME	(MS_NOATIME | MS_NODIRATIME | MS_RELATIME)

static struct plan {
	const char *path, *type;
	uint32_t flags;
	uint8_t	 kind;
	bool	 seen;
	uint16_t len;			/* of path: most paths differ there already */
} plan[MAXPLAN];
static unsigned n;
static char text[4096];		/* paths that are not what the configuration says: a link led elsewhere */
static size_t used;

/* Mounts of recursive binds, and what they were planned as: only what hangs on
 * one of these may be there unplanned. The table lists a mount after its parent. */
static struct {
	unsigned id;
	unsigned bare;		/* hash of its path, if it lacks flags: another must lie on it */
	const struct plan *plan;
} tree[1024];
static unsigned ntree;

int plan_add(struct run *r, const char *path, const char *said, unsigned kind, uint32_t flags, const char *type)
{
	size_t len = strlen(path) + 1;

	if (n == MAXPLAN || len > sizeof text - used)
		return fail_not(r, "%s: too many mounts", path);
	if (!same(path, said)) {
		said = memcpy(text + used, path, len);
		used += len;
	}
	plan[n++] = (struct plan){ said, type, flags, (uint8_t)kind, false, (uint16_t)len };
	return 0;
}

unsigned plan_kind(const char *path)
{
	unsigned i, kind = 0;
	size_t most = 0;

	for (i = 0; i < n; i++)
		if (rootfs_below(path, plan[i].path) && strlen(plan[i].path) >= most) {
			most = strlen(plan[i].path);
			kind = plan[i].kind;
		}
	return kind;
}

static bool covered(unsigned i, unsigned end)
{
	unsigned j;

	for (j = i + 1; j < end; j++)
		if (same(plan[i].path, plan[j].path))
			return true;
	return false;
}

/* A tree was bound on itself: each mount in it is there once more. */
int plan_forbid(struct run *r, const char *path, const char *said)
{
	unsigned i, end = n;
	bool itself = false;
	int e = 0;

	for (i = 0; i < end && !e; i++)
		if (rootfs_below(plan[i].path, path) && !covered(i, end)) {
			itself |= same(plan[i].path, path);
			e = plan_add(r, plan[i].path, plan[i].path, plan[i].kind, plan[i].flags | MS_RDONLY, plan[i].type);
		}
	return e || itself ? e : plan_add(r, path, said, PLAN_REC, MS_RDONLY, NULL);
}

static bool fits(const struct plan *p, const struct mountinfo *m, uint64_t scratch)
{
	uint32_t want = p->flags & (ACCESS | MS_NOATIME | MS_NODIRATIME);

	if (m->shared || (m->slave && !(p->kind & PLAN_SLAVE)) || (p->type && !same(p->type, m->type)))
		return false;
	if (p->kind & (PLAN_DIR | PLAN_FILE) && ((uint64_t)m->major << 32 | m->minor) != scratch)
		return false;
	if ((p->kind & PLAN_DIR && !same(m->root, "/" SCRATCH_DIR)) || (p->kind & PLAN_FILE && !same(m->root, "/" SCRATCH_FILE)))
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
	if (ntree == sizeof tree / sizeof *tree)
		return false;
	tree[ntree].id = m->id;
	tree[ntree].bare = bare ? hash(m->path) : 0;
	tree[ntree++].plan = p;
	return true;
}

/* The flags of a host's mount that another one lies on could not be set where
 * that takes a path; and no path leads to it. */
static bool hangs(const struct mountinfo *m, unsigned parent)
{
	const struct plan *p;

	if (parent == ntree || m->shared)
		return false;
	p = tree[parent].plan;
	if (p->kind & PLAN_SLAVE)
		return grow(m, p, false);
	return !m->slave && grow(m, p, p->flags & ACCESS & ~m->flags);
}

/* Of several mounts on one path the line is the strictest that it can be. */
bool plan_check(const struct mountinfo *m, uint64_t scratch)
{
	struct plan *p, *best = NULL;
	size_t len = strlen(m->path) + 1;
	unsigned i;

	for (i = 0; i < ntree && tree[i].id != m->parent; i++)
		;
	if (i < ntree && tree[i].bare == hash(m->path))
		tree[i].bare = 0;
	for (p = plan; p < plan + n; p++)
		if (!p->seen && p->len == len && same(p->path, m->path) && fits(p, m, scratch) &&
			(!best || p->flags > best->flags))
			best = p;
	if (!best)
		return hangs(m, i);
	best->seen = true;
	return !(best->kind & PLAN_REC) || grow(m, best, false);
}

const char *plan_missing(void)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (!plan[i].seen)
			return plan[i].path;
	for (i = 0; i < ntree; i++)
		if (tree[i].bare)
			return tree[i].plan->path;
	return NULL;
}
