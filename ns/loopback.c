/* loopback.c - lo of a new network is down; programs expect it up. */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include "husk.h"

enum { LO = 1 };		/* its number in every network: the kernel insists */

/* The answer is in the queue when the call has returned: no wait is needed, and
 * one that does not come must not hold the start. */
static int raise_lo(int fd)
{
	struct { struct nlmsghdr h; struct ifinfomsg i; } ask = {
		{ sizeof ask, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		{ .ifi_family = AF_UNSPEC, .ifi_index = LO, .ifi_flags = IFF_UP, .ifi_change = IFF_UP } };
	struct { struct nlmsghdr h; struct nlmsgerr e; } answer;

	if (send(fd, &ask, sizeof ask, 0) != sizeof ask)
		return -1;
	if (recv(fd, &answer, sizeof answer, MSG_DONTWAIT) < (ssize_t)sizeof answer)
		return -1;
	if (answer.h.nlmsg_type != NLMSG_ERROR)
		errno = EPROTO;
	else
		errno = -answer.e.error;
	return errno ? -1 : 0;
}

int ns_loopback(struct run *r)
{
	int fd;

	if (r->box->ns[NS_NET] != NSM_NEW)
		return 0;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0 || raise_lo(fd) < 0)
		return fail(r, "bring lo up");
	let_go(fd);
	return 0;
}
