/* plan.c - husk plan: the rows that this box will go through, and what each
 * will do. A row that has nothing to do for it is left out. */
#include <string.h>
#include <sys/mount.h>

#include "husk.h"

static void line(int row, const char *f, ...) __attribute__((format(printf, 2, 3)));
static void line(int row, const char *f, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, f);
	vfmt(what, sizeof what, f, &ap);
	va_end(ap);
	say(1, "%s %s%s%s\n", stage_side(row) == HOST ? "HOST" : stage_side(row) == INIT ? "INIT" : "PROG",
		stage_name(row), *what ? ": " : "", what);
}

static void namespaces(int row, const struct box *b, enum nsmode mode)
{
	char list[128] = "";
	size_t n = 0;
	int i;

	for (i = 0; i < NNS; i++)
		if (b->ns[i] == mode)
			n += fmt(list + n, sizeof list - n, " %s", ns_name(i));
	if (n)
		line(row, "%s%s", mode == NSM_NEW ? "new" : "join", list);
}

static void mounts(int row, const struct box *b)
{
	int i;

	for (i = 0; i < NDM; i++)
		if (b->mounts >> i & 1)
			line(row, "%s", rootfs_default(i));
	for (i = 0; i < b->nmnt; i++)
		line(row, "%s%s%s%s", b->mnt[i].src ? b->mnt[i].src : "tmpfs", " on ", b->mnt[i].dst,
			b->mnt[i].flags & MS_RDONLY ? ", read-only" : "");
}

static void paths(int row, const char *const *p, int n, const char *what)
{
	for (; n-- > 0; p++)
		line(row, "%s %s", what, *p);
}

static void capabilities(int row, const struct box *b)
{
	int i;

	if (!b->caps)
		line(row, "none");
	for (i = 0; i < 64; i++)
		if (b->caps >> i & 1)
			line(row, "keep %s", caps_name(i) ? caps_name(i) : "?");
}

/* Rows that depend on the box; false: not one of these. */
static bool special(int row, const char *name, const struct box *b)
{
	static const char root[][20] = { "/ of the host alone", "", "a tmpfs" };

	if (same(name, "ns.clone"))
		namespaces(row, b, NSM_NEW);
	else if (same(name, "ns.join") || same(name, "ns.enter"))
		namespaces(row, b, NSM_JOIN);
	else if (same(name, "rootfs.root"))
		line(row, "%s%s", b->root == ROOT_DIR ? b->rootdir : root[b->root], b->root_rw ? "" : ", read-only");
	else if (same(name, "rootfs.mounts"))
		mounts(row, b);
	else if (same(name, "rootfs.masks")) {
		paths(row, b->mask, b->nmask, "hide");
		paths(row, b->ro, b->nro, "read-only");
	} else if (same(name, "caps.bound"))
		capabilities(row, b);
	else if (same(name, "filter.load"))
		line(row, "%u instructions", b->nbpf);
	else if (same(name, "init.cwd"))
		line(row, "%s", b->cwd);
	else if (same(name, "init.exec"))
		line(row, "%s", b->argv[0]);
	else
		return false;
	return true;
}

/* Nothing to do for this box. */
static bool idle(const char *name, const struct box *b)
{
	return ((same(name, "ns.idmap") || same(name, "rootfs.idmap")) && b->ns[NS_USER] != NSM_NEW) ||
		(same(name, "ns.root") && b->ns[NS_USER] == NSM_HOST) ||
		(same(name, "ns.sysctl") && !b->nsysctl && b->ns[NS_NET] != NSM_NEW) ||
		(same(name, "ns.host") && !b->hostname && !b->domainname) ||
		(same(name, "ns.loopback") && b->ns[NS_NET] != NSM_NEW) ||
		(same(name, "ns.clock") && !b->clock_monotonic && !b->clock_boottime) ||
		((same(name, "init.pty") || same(name, "init.tty")) && !b->tty) ||
		(same(name, "caps.label") && !b->apparmor && !b->selinux) ||
		(same(name, "caps.nnp") && !b->nnp) ||
		(same(name, "filter.load") && !b->nbpf) ||
		(starts(name, "rootfs.") && b->ns[NS_MNT] != NSM_NEW);
}

void plan_print(const struct box *b)
{
	int row;

	for (row = 0; row < stage_count(); row++)
		if (!idle(stage_name(row), b) && !special(row, stage_name(row), b))
			line(row, "%s", stage_what(row));
}
