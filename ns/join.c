/* join.c - namespaces of others: opened by HOST, while their names still mean
 * what the configuration meant. Of what kind they are the kernel looks at when
 * they are entered. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

static struct left there;		/* another box */
static int home[NNS] OFTEN;		/* where HOST comes back to when INIT is there; 0: it has not left */

static int failed(struct run *r, int i)
{
	const char *box = r->box->nsbox[i];

	return fail(r, "join %s as %s namespace", r->side & ENTER ? "PID 1's" : box ? box : r->box->nspath[i], ns_name(i));
}

static int open_ns(struct run *r, int i)
{
	const char *box = r->box->nsbox[i], *path = r->box->nspath[i];
	int dir = AT_FDCWD;
	uint64_t pid;

	if (box) {
		dir = up_find(&there, box, r->proc, &pid);
		let_go(there.dir);
		if (dir < 0)
			return fail_not(r, "box %s is not running, or has just ended", box);
		/* PID 1 itself stays outside: only its children are in the new clock */
		path = fmts("ns/%s%s", ns_name(i), i == NS_TIME ? "_for_children" : "");
	}
	r->nsfd[i] = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (r->nsfd[i] < 0)
		return failed(r, i);
	if (box)
		close(dir);
	return 0;
}

int ns_into(struct run *r, int i)
{
	if (setns(r->nsfd[i], ns_flag(i)) < 0)
		return failed(r, i);
	close(r->nsfd[i]);
	r->nsfd[i] = -1;
	return 0;
}

/* user first: it gives the rights over the others. It and pid are entered here,
 * for good, because what is new has to be owned by them; a process cannot change
 * its own pid namespace, only its children's. To enter the user namespace that
 * one is in is an error of the kernel's, but none of ours: the box to join may
 * share the host's. The rest, but for mounts, only where INIT could not: a root
 * that is one only in a new user namespace may not join what is the host's. */
static int enter(struct run *r, int i)
{
	FILLED struct stat own, other;
	const char *path = fmts("self/ns/%s", ns_name(i));

	if (i > NS_PID) {
		if (i == NS_MNT || USERS(r->box) != NSM_NEW)
			return 0;
		if ((home[i] = openat(r->proc, path, O_RDONLY | O_CLOEXEC)) < 0)
			return fail(r, "open /proc/%s", path);
	} else if (fstatat(r->proc, path, &own, 0) == 0 && fstat(r->nsfd[i], &other) == 0 && own.st_ino == other.st_ino) {
		close(r->nsfd[i]);
		r->nsfd[i] = -1;
		return 0;
	}
	return ns_into(r, i);
}

/* INIT has all rights of root when it comes there, and that it is not dumpable is nothing to
 * CAP_SYS_PTRACE of the same users. */
static int traced(struct run *r)
{
	static char of[MAXNAME + 1];
	struct stat own, other;
	bool yes = false;
	uint64_t pid;
	int dir;

	*of = '\0';
	while (!yes && r->nsfd[NS_PID] >= 0 && fstat(r->nsfd[NS_PID], &own) == 0 && state_next(r->left->dir, "", of)) {
		dir = up_find(&there, of, r->proc, &pid);
		let_go(there.dir);
		if (dir < 0)
			continue;
		yes = strstr(there.text, " traces") && fstatat(dir, "ns/pid", &other, 0) == 0 && own.st_ino == other.st_ino;
		let_go(dir);
	}
	return yes ? fail_not(r, "%s is in that pid namespace with caps=sys_ptrace, and could take what starts here", of) : 0;
}

/* Not dumpable before: inside they look. */
int ns_join(struct run *r)
{
	int i, e = 0, n = 0;

	for (i = 0; i < NNS && !e; i++)
		if (r->box->ns[i] == NSM_JOIN) {
			e = open_ns(r, i);
			n++;
		}
	if (n && !e && (e = traced(r)) == 0)
		e = caps_hide(r);
	for (i = 0; i < NNS && !e; i++)
		if (r->nsfd[i] >= 0)
			e = enter(r, i);
	return e;
}

/* What PID 1 of a box is in, and this process is not. The clock is that of its children. */
static int open_theirs(struct run *r, int who)
{
	struct stat own, other;
	const char *path;
	int i;

	for (i = 0; i < NNS; i++) {
		path = fmts("ns/%s%s", ns_name(i), i == NS_TIME ? "_for_children" : "");
		own.st_ino = 0;
		if (fstatat(r->proc, fmts("self/%s", path), &own, 0) < 0 && errno == ENOENT && fstatat(who, path, &other, 0) < 0 && errno == ENOENT)
			continue;		/* there are none of that kind */
		if (!own.st_ino || fstatat(who, path, &other, 0) < 0 ||
		    (own.st_ino != other.st_ino && (r->nsfd[i] = openat(who, path, O_RDONLY | O_CLOEXEC)) < 0))
			return fail(r, "the %s namespace of PID 1", ns_name(i));
	}
	return 0;
}

/* husk exec: what is opened here belongs to a process that still lives. */
int ns_theirs(struct run *r, int who)
{
	r->pidfd = (int)syscall(SYS_pidfd_open, r->init, 0);
	return open_theirs(r, who);
}

/* HOST, who is not root: later PID 1 is not dumpable, and nobody but root may look. What
 * it makes itself, and later, is not there yet: without that nobody goes in. */
int ns_keep(struct run *r)
{
	int who, e;

	if (!r->unpriv || ns_late(r) || r->box->ns[NS_TIME] == NSM_NEW)
		return 0;
	if ((who = openat(r->proc, fmts("%d", r->init), O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fail(r, "PID 1");
	e = open_theirs(r, who);
	close(who);
	r->kept = !e;
	return e;
}

int ns_home(struct run *r)
{
	int i;

	for (i = 0; i < NNS; i++)
		if (home[i] && setns(home[i], ns_flag(i)) < 0)
			return fail(r, "come back from %s", ns_name(i));
	return 0;
}
