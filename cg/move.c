/* move.c - a box that runs goes into a leaf that it has had no need of so far: v1,
 * where a limit of another controller is asked for. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

static struct {
	int	 fd[NCTL], n, err;		/* of cgroup.procs in the new leaves */
	pid_t	 last;
} into;

/* Who has ended meanwhile is no error. PID 1 is the last: where that is all are, even
 * if a husk that was killed has begun it. */
static int move(pid_t pid)
{
	const char *text = fmts(TEXT "%d", pid);
	int i;

	for (i = 0; i < into.n && pid != into.last; i++)
		if (write(into.fd[i], text, strlen(text)) < 0 && errno != ESRCH && !into.err)
			into.err = errno;
	return 1;
}

/* While all of it stands still, and is still that box: nobody forks, and on v1 no number is given to
 * somebody else, because nobody can end. Who was paused stays so. */
static int all(struct up *u)
{
	unsigned at = 0;
	uint64_t pid;
	int dir = ns_find(&u->left, u->run.proc, &pid);

	if (dir < 0 || (pid_t)pid != u->run.init)
		return fail_not(&u->run, "it has just ended");
	close(dir);
	if ((dir = up_leaf(u, &at)) < 0)
		return fail(&u->run, "its cgroup");
	into.last = u->run.init;
	if (cg_tree(dir, ".", move, 0) < 0)
		into.err = ELOOP;
	into.last = 0;
	(void)move(u->run.init);
	close(dir);
	return 0;
}

static bool inside(int ctl, pid_t pid)
{
	const char *line = fmts(TEXT "\n%d\n", pid), *procs = caps_file(cg_file(ctl, "cgroup.procs"));

	return procs && (strstr(procs, line) || starts(procs, line + 1));
}

int cg_move(struct up *u)
{
	unsigned ctls = 0;
	int i, e = 0;

	for (i = 0; i < NCTL; i++)
		if (u->run.cg1 >> i & 1 && !inside(i, u->run.init))
			ctls |= 1u << i;
	if (!ctls)
		return 0;
	for (i = 0; i < NCTL && !e; i++)
		if (ctls >> i & 1 && (into.fd[into.n++] = open(cg_file(i, "cgroup.procs"), O_WRONLY | O_CLOEXEC)) < 0)
			e = fail(&u->run, "%s", cg_file(i, "cgroup.procs"));
	if (!e)
		e = cg_while_frozen(u, all);
	errno = into.err;
	return e || !into.err ? e : fail(&u->run, "go into %s", cg_path(__builtin_ctz(ctls)));
}
