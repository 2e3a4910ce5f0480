/* wait.c - INIT waits for HOST: limits, maps and what else is set from outside. */
#include <errno.h>
#include <sys/socket.h>

#include "husk.h"

/* SIGSTOP and SIGCONT of somebody end a wait that has a time limit, too. */
int ns_wait(struct run *r)
{
	ssize_t n;
	char c;

	do
		n = recv(r->sync, &c, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(r, "wait for the keeper");
	return n ? 0 : fail_not(r, "the keeper is gone");
}
