/* enter.c - INIT joins what is not new, and makes the cgroup namespace where
 * that had to wait. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "husk.h"

/* mnt last: with it / and the working directory are others. user and pid have
 * been entered by HOST, NS_MNT stands behind the rest. */
static int join_all(struct run *r)
{
	static const uint8_t order[] = { NS_NET, NS_IPC, NS_UTS, NS_CGROUP, NS_TIME, NS_MNT };
	unsigned i;
	int *fd;

	for (i = 0; i < sizeof order; i++) {
		fd = &r->nsfd[order[i]];
		if (*fd < 0)
			continue;
		if (setns(*fd, ns_flag(order[i])) < 0)
			return fail(r, "join %s", ns_name(order[i]));
		close(*fd);
		*fd = -1;
	}
	return 0;
}

int ns_enter(struct run *r)
{
	int e = join_all(r);

	if (e || !ns_late(r) || unshare(ns_flag(NS_CGROUP)) == 0)
		return e;
	if (errno == EINVAL && faccessat(r->proc, "self/ns/cgroup", F_OK, 0) < 0)
		return 0;		/* before 4.6: nothing to be hidden */
	return fail(r, "a new cgroup namespace");
}
