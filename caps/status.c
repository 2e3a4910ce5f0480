/* status.c - small files of /proc, in one read, and what they say: "Name:\tvalue", or one field after the other. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

/* The kernel gives such a file whole if the buffer has the room; what a short
 * buffer loses is its end. Good until the next one is read. */
char *caps_status(int dir, const char *path)
{
	static char text[4096] BULK __attribute__((aligned(2048)));	/* of which a process touches one page */
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return NULL;
	do
		n = read(fd, text, sizeof text - 1);
	while (n < 0 && errno == EINTR);
	let_go(fd);
	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text;
}

char *caps_file(const char *path)
{
	return caps_status(AT_FDCWD, path);
}

const char *caps_field(const char *stat, int n)
{
	const char *p = stat ? strrchr(stat, ')') : NULL;

	while (p && n-- > 2)
		p = strchr(p + 1, ' ');
	return p ? p + 1 : NULL;
}

/* What stands behind NAME and a colon at the start of a line. Lines are asked
 * for in their order, so the search goes on where the last one ended. */
const char *caps_line(const char **text, const char *name)
{
	size_t n = strlen(name);
	const char *p;

	for (p = *text; *p; p++) {
		if (*p == *name && !strncmp(p, name, n) && p[n] == ':') {
			for (p += n + 1; *p == '\t' || *p == ' '; p++)
				;
			return *text = p;
		}
		p = strchrnul(p, '\n');
		if (!*p)
			break;
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
