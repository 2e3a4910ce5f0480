/*
 * rdma.c - rdma link add rxe0 type rxe netdev INTERFACE, for a guest without iproute2:
 * a device of InfiniBand made of software, so that rdma.max has something to limit.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* linux/netlink.h, rdma/rdma_netlink.h */
enum { NETLINK_RDMA = 20, NEWLINK = (5 << 10) + 3, REQUEST = 1, ACK = 4, DEV_NAME = 2, NDEV_NAME = 51, LINK_TYPE = 65 };

static struct { uint32_t len; uint16_t type, flags; uint32_t seq, pid; uint8_t attrs[256]; } m = { .len = 16, .type = NEWLINK, .flags = REQUEST | ACK };

static void attribute(uint16_t type, const char *text)
{
	uint16_t head[2] = { (uint16_t)(4 + strlen(text) + 1), type };
	uint8_t *to = m.attrs + m.len - 16;

	memcpy(to, head, 4);
	memcpy(to + 4, text, strlen(text) + 1);
	m.len += (head[0] + 3u) & ~3u;
}

int main(int argc, char **argv)
{
	struct { uint32_t len; uint16_t type, flags; uint32_t seq, pid; int32_t error; uint8_t rest[512]; } answer;
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_RDMA);

	attribute(DEV_NAME, "rxe0");
	attribute(LINK_TYPE, "rxe");
	attribute(NDEV_NAME, argc > 1 ? argv[1] : "lo");
	if (s < 0 || send(s, &m, m.len, 0) != (ssize_t)m.len || recv(s, &answer, sizeof answer, 0) < 20) {
		perror("rdma");
		return 1;
	}
	printf("@rdma %s\n", strerror(-answer.error));
	return answer.error != 0;
}
