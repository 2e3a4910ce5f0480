/* join.c - namespaces of others: opened by HOST, while their names still mean
 * what the configuration meant. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "husk.h"

/* PID 1 of a running box, as its directory below /proc. Opened first, asked for
 * its start time after: the descriptor stays with the process even when the
 * number has gone to another one. */
static int box_dir(struct run *r, const char *name)
{
	struct left l;
	uint64_t start;
	pid_t pid;
	int state = state_read(&l, name), dir;

	if (state >= 0)
		close(l.dir);
	if (state != 1 || !ns_init(&l, &pid, &start))
		return fail_not(r, "box %s is not running", name);
	dir = openat(r->proc, fmts("%d", pid), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || ns_start(dir, "stat") != start)
		return fail_not(r, "box %s has just ended", name);
	return dir;
}

static int open_ns(struct run *r, int ns)
{
	const char *box = r->box->nsbox[ns], *path;
	int dir;

	if (!box) {
		r->nsfd[ns] = open(r->box->nspath[ns], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		return r->nsfd[ns] < 0 ? fail(r, "open %s", r->box->nspath[ns]) : 0;
	}
	if ((dir = box_dir(r, box)) < 0)
		return dir;
	/* PID 1 itself stays outside: only its children are in the new clock */
	path = fmts("ns/%s%s", ns_name(ns), ns == NS_TIME ? "_for_children" : "");
	r->nsfd[ns] = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (r->nsfd[ns] < 0)
		return fail(r, "open %s of box %s", path, box);
	close(dir);
	return 0;
}

/* Before 4.11 nobody can say the kind: setns() refuses a wrong one then. */
static int check_kind(struct run *r, int ns)
{
	struct statfs fs;
	int kind;

	if (fstatfs(r->nsfd[ns], &fs) < 0)
		return fail(r, "statfs");
	kind = (uint32_t)fs.f_type == NSFS_MAGIC ? ioctl(r->nsfd[ns], NS_GET_NSTYPE) : 0;
	if (kind >= 0 && kind != ns_flag(ns))
		return fail_not(r, "%s is no %s namespace", r->box->nspath[ns] ? r->box->nspath[ns] : "it", ns_name(ns));
	return 0;
}

/* Entering the user namespace that one is in is an error of the kernel's, but
 * none of ours: the box to join may share the host's. */
static int enter_here(struct run *r, int ns)
{
	struct stat own, other;

	if (r->nsfd[ns] < 0)
		return 0;
	if (fstatat(r->proc, ns == NS_USER ? "self/ns/user" : "self/ns/pid", &own, 0) < 0 ||
	    fstat(r->nsfd[ns], &other) < 0)
		return fail(r, "stat %s namespace", ns_name(ns));
	if (own.st_ino != other.st_ino && setns(r->nsfd[ns], ns_flag(ns)) < 0)
		return fail(r, "join %s", ns_name(ns));
	close(r->nsfd[ns]);
	r->nsfd[ns] = -1;
	return 0;
}

/* user first: it gives the rights over the others. Both are entered here
 * because what is new has to be owned by them; a process cannot change its own
 * pid namespace, only its children's. Not dumpable before: inside they look. */
int ns_join(struct run *r)
{
	int i, e, n = 0;

	for (i = 0; i < NNS; i++) {
		if (r->box->ns[i] != NSM_JOIN)
			continue;
		if ((e = open_ns(r, i)) != 0 || (e = check_kind(r, i)) != 0)
			return e;
		n++;
	}
	if (!n)
		return 0;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(r, "dumpable");
	e = enter_here(r, NS_USER);
	return e ? e : enter_here(r, NS_PID);
}
