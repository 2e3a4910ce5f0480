/* move.c - a box that runs goes into a leaf that it has had no need of so far: v1,
 * where a limit of another controller is asked for. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

static struct {
	int	 fd[NCTL], n, err;		/* of cgroup.procs in the new leaves */
} into;

/* Who has ended meanwhile is no error. */
static int move(pid_t pid)
{
	const char *text = fmts("%d", pid);
	int i;

	for (i = 0; i < into.n; i++)
		if (write(into.fd[i], text, strlen(text)) < 0 && errno != ESRCH && !into.err)
			into.err = errno;
	return 1;
}

/* While all of it stands still: nobody forks, and on v1 no number is given to
 * somebody else, because nobody can end. Who was paused stays so. */
static int all(struct up *u)
{
	bool paused = cg_paused(&u->left);
	unsigned at = 0;
	int e = paused ? 0 : cg_freeze(u, true), dir;

	if (e)
		return e;
	if ((dir = up_leaf(u, &at)) < 0)
		e = fail(&u->run, "its cgroup");
	else {
		(void)cg_tree(dir, ".", move, 0);
		close(dir);
	}
	return paused || cg_freeze(u, false) == 0 ? e : -EBUSY;
}

int cg_move(struct up *u, unsigned ctls)
{
	int i, e = 0;

	for (i = 0; i < NCTL && !e; i++)
		if (ctls >> i & 1 && (into.fd[into.n++] = openat(AT_FDCWD, cg_file(i, "cgroup.procs"), O_WRONLY | O_CLOEXEC)) < 0)
			e = fail(&u->run, "%s", cg_file(i, "cgroup.procs"));
	if (!e)
		e = all(u);
	errno = into.err;
	return e || !into.err ? e : fail(&u->run, "go into %s", cg_path(__builtin_ctz(ctls)));
}
