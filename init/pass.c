/*
 * pass.c - descriptors that the program gets on purpose: the sockets of listen=, the files
 * of fd=, and the end of the pipe of ready=fd:N. HOST opens them, INIT holds them until
 * PROG is born, and there they get their numbers. What husk exec starts has none.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

/* A device or a FIFO where nobody answers does not hold up the start. */
static int open_one(struct run *r, const struct passed *p, int *to)
{
	static const uint16_t how[] = { O_RDONLY, O_RDWR, O_WRONLY | O_APPEND };
	int fd = *to = walk_host(p->path, how[p->how] | O_NONBLOCK | O_NOCTTY | O_LARGEFILE, false);
	struct stat st;

	if (fd < 0 && p->skip) {
		note(r, "%s: %s: not passed on", p->path, errno_text());
		return 0;
	}
	if (fd < 0)
		return rootfs_refused(r, p->path);
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
		return fail_not(r, "%s: a directory would lead out of the box - bind=", p->path);
	return fcntl(fd, F_SETFL, how[p->how]) < 0 ? fail(r, "%s", p->path) : 0;
}

int init_fd(struct run *r)
{
	int i, e = 0;

	for (i = 0; i < r->box->nfd && !e; i++)
		e = open_one(r, &r->box->fd[i], &r->pass[i]);
	return e;
}

/* What there is, and the number that it is to have */
static int list(struct run *r, int *fd[MAXPASS], int number[MAXPASS])
{
	const struct box *b = r->box;
	int i, n = 0;

	if (r->side & ENTER)
		return 0;
	if (b->life.ready == READY_FD)
		fd[n] = &r->tell, number[n++] = b->life.ready_number;
	for (i = 0; i < b->nlisten; i++)
		fd[n] = &r->listen[i], number[n++] = 3 + i;
	for (i = 0; i < b->nfd; i++)
		if (r->pass[i] >= 0)
			fd[n] = &r->pass[i], number[n++] = b->fd[i].number;
	return n;
}

/* For caps_close: the numbers that they have by then */
int init_passed(struct run *r, int keep[MAXPASS])
{
	int *fd[MAXPASS];

	return list(r, fd, keep);
}

/* Out of the way of all numbers that are wanted */
static bool aside(int *fd, int above)
{
	int to = *fd < 0 ? -1 : fcntl(*fd, F_DUPFD_CLOEXEC, above);

	if (to < 0)
		return *fd < 0;
	*fd = to;
	return true;
}

/* PROG. What is ours goes out of the way first; caps.close closes what is left of it. */
int init_pass(struct run *r)
{
	int *fd[MAXPASS], number[MAXPASS], n = list(r, fd, number), top = 0, i;
	bool ok;

	if (!n)
		return 0;
	for (i = 0; i < n; i++)
		top = number[i] > top ? number[i] : top;
	ok = aside(&r->sync, top + 1) && aside(&r->proc, top + 1);
	for (i = 0; i < n; i++)
		ok = ok && aside(fd[i], top + 1);
	for (i = 0; i < n; i++)
		ok = ok && dup2(*fd[i], number[i]) >= 0;
	return ok ? 0 : fail(r, "descriptors up to %d, and above (rlimit.nofile)", top);
}
