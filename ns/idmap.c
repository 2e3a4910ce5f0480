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
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

enum { FIRST = 0x10000000, SPAN = 65536, HELPER_S = 10, ROWS = MAXMAP + 2 };

/* In a box whose user is a name, the number is in its own root. */
int ns_map(const struct run *r, bool gids, struct idmap m[ROWS])
{
	const struct box *b = r->box;
	uint32_t user = gids ? r->gid : r->uid;
	int n = gids ? b->ngidmap : b->nuidmap;

	if (!b->automap) {
		memcpy(m, gids ? b->gidmap : b->uidmap, (size_t)n * sizeof *m);
		return n;
	}
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

/* The set-uid helpers know which ranges a user may give away. They want each
 * number as a word, and no environment. alarm() goes through an exec, and is the
 * time limit. */
static int helper(struct run *r, bool gids, char *rows)
{
	static char *argv[3 + 3 * ROWS];
	const char *path = gids ? "/usr/bin/newgidmap" : "/usr/bin/newuidmap";
	char **arg = argv;
	FILLED sigset_t none;
	int st = 0;
	pid_t pid;

	*arg++ = (char *)(uintptr_t)path;
	*arg++ = (char *)(uintptr_t)fmts("%d", r->init);
	while (*rows)
		*arg++ = strsep(&rows, " \n");
	*arg = NULL;
	pid = fork();
	if (pid == 0) {
		alarm(HELPER_S);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execve(path, argv, arg);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &st, 0) < 0)
		return fail(r, "run %s", path);
	return st ? fail_not(r, "%s did not do it: ranges need it and /etc/sub%s", path, gids ? "gid" : "uid") : 0;
}

/* Without privilege the kernel takes one row, of one's own number, and the gid
 * only where nobody can leave a group. */
static int write_map(struct run *r, bool gids)
{
	static char rows[ROWS * 33];
	struct idmap map[ROWS], *m = map;
	const char *path = fmts("%d/setgroups", r->init);
	int n = ns_map(r, gids, map);
	bool own = n == 1 && m->count == 1 && m->out == (gids ? getegid() : geteuid());
	size_t len = 0;

	for (; n--; m++)
		len += fmt(rows + len, sizeof rows - len, "%u %u %u\n", m->in, m->out, m->count);
	if (r->unpriv && !own)
		return helper(r, gids, rows);
	if (r->unpriv && gids && write_at(r->proc, path, "deny") < 0)
		return fail(r, "write /proc/%s", path);
	path = fmts("%d/%cid_map", r->init, gids ? 'g' : 'u');
	return write_at(r->proc, path, rows) < 0 ? fail(r, "write /proc/%s", path) : 0;
}

int ns_idmap(struct run *r)
{
	const struct box *b = r->box;
	int e = 0;

	if (USERS(b) != NSM_NEW)
		return 0;
	if (b->automap && b->who != WHO_AUTO)
		e = caps_find(r, r->rootsrc);
	if (!e && (e = write_map(r, false)) == 0)
		e = write_map(r, true);
	return e;
}
