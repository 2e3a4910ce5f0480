/* go.c - HOST is done with what only it can do: INIT may go on. */
#include <errno.h>
#include <sys/socket.h>

#include "husk.h"

/* A box that is gone has said why: the next row that listens hears it. */
int ns_go(struct run *r)
{
	if (send(r->sync, "g", 1, MSG_NOSIGNAL) == 1 || ((errno == EPIPE || errno == ECONNRESET) && shutdown(r->sync, SHUT_WR) <= 0))
		return 0;
	(void)shutdown(r->sync, SHUT_WR);	/* it waits for us: now it sees the end */
	return fail(r, "send");
}
