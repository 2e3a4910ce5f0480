/* mountinfo.c - /proc/self/mountinfo, line by line:
 * 36 35 98:0 /root /mount/point rw,noatime shared:1 - ext3 /dev/root rw,errors=continue
 * The option text of the super block is never looked at: it differs from kernel
 * to kernel. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

struct mountinfo *mountinfo_open(int proc)
{
	static struct mountinfo m;

	m.at = m.have = 0;
	m.fd = openat(proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	return m.fd < 0 ? NULL : &m;
}

/* Cuts off what stands up to the next separator. */
static char *word(char **p, char end)
{
	char *w = *p, *e = strchr(w, end);

	if (e)
		*e++ = '\0';
	*p = e ? e : w + strlen(w);
	return w;
}

/* The kernel writes blanks, tabs, newlines and backslashes as \040. */
static char *plain(char *text)
{
	char *to = text, *p = text;

	for (; *p; p++)
		if (*p == '\\' && p[1] && p[2] && p[3]) {
			*to++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 3;
		} else
			*to++ = *p;
	*to = '\0';
	return text;
}

static unsigned decimal(const char *s)
{
	unsigned n = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (unsigned)(*s - '0');
	return n;
}

static uint32_t flags(char *words)
{
	static const char known[7][11] = { "ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime" };
	static const uint8_t bit[] = { 0, 1, 2, 3, 10, 11, 21 };	/* of MS_RDONLY, ... MS_RELATIME */
	uint32_t f = 0;
	unsigned i;
	char *w;

	while (*words)
		for (w = word(&words, ','), i = 0; i < sizeof bit; i++)
			if (same(w, known[i]))
				f |= 1u << bit[i];
	return f;
}

static void parse(struct mountinfo *m, char *p)
{
	char *w;

	m->id = decimal(word(&p, ' '));
	m->parent = decimal(word(&p, ' '));
	w = word(&p, ' ');
	m->major = decimal(word(&w, ':'));
	m->minor = decimal(w);
	m->root = plain(word(&p, ' '));
	m->path = plain(word(&p, ' '));
	m->flags = flags(word(&p, ' '));
	m->shared = m->slave = false;
	while (*p && !same(w = word(&p, ' '), "-")) {
		m->shared |= starts(w, "shared:");
		m->slave |= starts(w, "master:");
	}
	m->type = word(&p, ' ');
}

int mountinfo_next(struct mountinfo *m)
{
	char *start, *end;
	ssize_t n;

	for (;;) {
		start = m->buf + m->at;
		if ((end = memchr(start, '\n', m->have - m->at)) != NULL) {
			*end = '\0';
			m->at = (unsigned)(end + 1 - m->buf);
			parse(m, start);
			return 1;
		}
		memmove(m->buf, start, m->have -= m->at);
		m->at = 0;
		if (m->have == sizeof m->buf) {
			errno = EOVERFLOW;
			return -1;
		}
		n = read(m->fd, m->buf + m->have, sizeof m->buf - m->have);
		if (n <= 0)
			return n < 0 || m->have ? -1 : 0;
		m->have += (unsigned)n;
	}
}
