/* status.c - files of /proc that say "Name:\tvalue", in one read. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

/* The kernel gives such a file whole if the buffer has the room; what a short
 * buffer loses is its end. */
int caps_status(int dir, const char *path, char *buf, size_t max)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	do
		n = read(fd, buf, max - 1);
	while (n < 0 && errno == EINTR);
	let_go(fd);
	if (n < 0)
		return -1;
	buf[n] = '\0';
	return (int)n;
}

/* What stands behind NAME and a colon at the start of a line. */
const char *caps_line(const char *text, const char *name)
{
	size_t n = strlen(name);
	const char *p;

	for (p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, name, n) && p[n] == ':')
			return p + n + 1 + strspn(p + n + 1, "\t ");
	}
	return NULL;
}

/* Hexadecimal, as masks are written. */
uint64_t caps_mask(const char *s)
{
	uint64_t v = 0;

	for (; (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'f'); s++)
		v = v << 4 | (uint64_t)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
	return v;
}
