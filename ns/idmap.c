/* idmap.c - who is who in a new user namespace. Written by HOST: below
 * /proc/PID, while INIT waits.
 *
 * auto: for root, 65536 numbers of the box's own, outside from FIRST on, in the
 * order of the number that init.state gave the box: no two boxes share one. For
 * anybody else one number: the box's user is the caller. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

enum { FIRST = 0x10000000, SPAN = 65536, HELPER_S = 10 };

/* In a box whose user is a name, the number is in its own root. */
static int auto_map(const struct run *r, bool gids, struct idmap *m)
{
	uint32_t user = gids ? r->gid : r->uid;

	if (r->unpriv) {
		*m = (struct idmap){ user, gids ? getegid() : geteuid(), 1 };
		return 1;
	}
	*m = (struct idmap){ 0, FIRST + r->number * SPAN, SPAN };
	if (user < SPAN)
		return 1;
	m->count--;
	m[1] = (struct idmap){ user, m->out + m->count, 1 };
	return 2;
}

/* Without privilege the kernel takes one row, and of one's own number. */
static bool own_only(const struct run *r, bool gids, const struct idmap *m, int n)
{
	return n == 1 && m->count == 1 && m->out == (gids ? getegid() : geteuid()) && r->unpriv;
}

/* The set-uid helpers know which ranges a user may give away. alarm() goes
 * through an exec, and is the time limit. */
static int helper(struct run *r, bool gids, const struct idmap *m, int n)
{
	static char words[3 * MAXMAP + 1][12];
	static char *argv[3 * MAXMAP + 3], *env[] = { NULL };
	static const uint64_t none;
	const char *path = gids ? "/usr/bin/newgidmap" : "/usr/bin/newuidmap";
	int i, st = 0;
	pid_t pid;

	fmt(words[0], sizeof *words, "%d", r->init);
	for (i = 0; i < 3 * n; i++)
		fmt(words[i + 1], sizeof *words, "%u", i % 3 == 0 ? m[i / 3].in : i % 3 == 1 ? m[i / 3].out : m[i / 3].count);
	argv[0] = (char *)(uintptr_t)path;
	for (i = 0; i <= 3 * n; i++)
		argv[i + 1] = words[i];
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		alarm(HELPER_S);
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
		execve(path, argv, env);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &st, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		return fail(r, "clone");
	return st ? fail_not(r, "%s did not do it: ranges need it and /etc/sub%s", path, gids ? "gid" : "uid") : 0;
}

static int write_map(struct run *r, bool gids, const struct idmap *m, int n)
{
	static char text[MAXMAP * 33];
	const char *path;
	size_t len = 0;
	int i;

	if (r->unpriv && !own_only(r, gids, m, n))
		return helper(r, gids, m, n);
	if (r->unpriv && gids) {
		if (write_at(r->proc, fmts("%d/setgroups", r->init), "deny") < 0 && errno != ENOENT)	/* before 3.19 */
			return fail(r, "deny setgroups");
	}
	for (i = 0; i < n; i++, m++)
		len += fmt(text + len, sizeof text - len, "%u %u %u\n", m->in, m->out, m->count);
	path = fmts("%d/%cid_map", r->init, gids ? 'g' : 'u');
	return write_at(r->proc, path, text) < 0 ? fail(r, "write %s", path) : 0;
}

int ns_map(const struct run *r, bool gids, struct idmap m[MAXMAP + 2])
{
	const struct box *b = r->box;
	int n = gids ? b->ngidmap : b->nuidmap;

	if (b->automap)
		return auto_map(r, gids, m);
	memcpy(m, gids ? b->gidmap : b->uidmap, (size_t)n * sizeof *m);
	return n;
}

int ns_idmap(struct run *r)
{
	const struct box *b = r->box;
	struct idmap m[2][MAXMAP + 2];
	int e, g, n[2];

	if (b->ns[NS_USER] != NSM_NEW)
		return 0;
	if (b->automap && b->who != WHO_AUTO && (e = caps_find(r, r->rootsrc)) != 0)
		return e;
	for (g = 0; g < 2; g++) {
		n[g] = ns_map(r, g, m[g]);
		if ((e = write_map(r, g, m[g], n[g])) != 0)
			return e;
	}
	return 0;
}
