/* go.c - HOST is done with what only it can do: INIT may go on. */
#include <sys/socket.h>

#include "husk.h"

int ns_go(struct run *r)
{
	return send(r->sync, "g", 1, MSG_NOSIGNAL) == 1 ? 0 : fail(r, "send");
}
