/*
 * becomes.c - asks the keeper of a box to become a file, whatever that is, as husk upgrade
 * asks for itself; prints "@becomes ANSWER". (-static.) Called by another name it only waits.
 *
 *	becomes BOX FILE [BYTES]	the whole of it, or its first BYTES
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int sealed(const char *path, size_t most)
{
	int fd = memfd_create("becomes", MFD_CLOEXEC | MFD_ALLOW_SEALING), from = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (fd < 0 || from < 0)
		return -1;
	while (most && n > 0 && (n = sendfile(fd, from, NULL, most)) > 0)
		most -= (size_t)n;
	return n < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0 ? -1 : fd;
}

static int ask(const char *box, int exe)
{
	union { struct cmsghdr head; char room[CMSG_SPACE(sizeof exe)]; } more = { .head = { .cmsg_len = CMSG_LEN(sizeof exe), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec verb = { "u", 1 };
	struct msghdr m = { .msg_iov = &verb, .msg_iovlen = 1, .msg_control = &more, .msg_controllen = sizeof more };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), answer[2];

	snprintf(at.sun_path, sizeof at.sun_path, "/run/husk/%s/ctl", box);
	memcpy(CMSG_DATA(&more.head), &exe, sizeof exe);
	if (connect(s, (struct sockaddr *)&at, sizeof at) < 0 || sendmsg(s, &m, 0) < 0 || recv(s, answer, sizeof answer, 0) != sizeof answer)
		return -1;
	return answer[1];
}

int main(int argc, char **argv)
{
	if (argc < 3)
		for (;;)
			pause();
	printf("@becomes %d\n", ask(argv[1], sealed(argv[2], argc > 3 ? (size_t)atol(argv[3]) : (size_t)-1 >> 2)));
	return 0;
}
