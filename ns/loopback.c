/* loopback.c - lo of a new network is down; programs expect it up. */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "husk.h"

enum { LO = 1 };		/* its number in every network: the kernel insists */

/* The answer is in the queue when the call has returned: no wait is needed, and
 * one that does not come must not hold the start. */
bool ns_up(void)
{
	static const struct { struct nlmsghdr h; struct ifinfomsg i; } up = {
		{ sizeof up, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		{ .ifi_index = LO, .ifi_flags = IFF_UP, .ifi_change = IFF_UP } };
	struct { struct nlmsghdr h; struct nlmsgerr e; } answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || send(fd, &up, sizeof up, 0) < 0 || recv(fd, &answer, sizeof answer, MSG_DONTWAIT) != sizeof answer)
		return false;
	let_go(fd);
	errno = -answer.e.error;
	return !errno;
}

int ns_loopback(struct run *r)
{
	return r->box->ns[NS_NET] == NSM_NEW && !ns_up() ? fail(r, "bring lo up") : 0;
}
