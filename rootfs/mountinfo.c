/* mountinfo.c - /proc/self/mountinfo, line by line:
 * 36 35 98:0 /root /mount/point rw,noatime shared:1 - ext3 /dev/root rw,errors=continue
 * The option text of the super block is never looked at, because it differs from
 * kernel to kernel; but that of a v1 cgroup says alone which controllers it has. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

struct mountinfo *mountinfo_open(int proc)
{
	static struct mountinfo m BULK;

	m.at = m.have = m.lines = 0;
	*m.last = '\0';
	m.fd = openat(proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	return m.fd < 0 ? NULL : &m;
}

/* Cuts off the next word of the line. The kernel writes blanks, tabs, newlines
 * and backslashes in it as \040, and all other bytes as they are. */
static char *word(char **at)
{
	char *p = *at, *to, *w = p;

	while (*p != ' ' && *p != '\\')
		p++;
	for (to = p; *p != ' '; *to++ = *p++)
		if (*p == '\\') {
			p[3] = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 3;
		}
	*at = p + 1;
	*to = '\0';
	return w;
}

/* And what stands behind it, once. */
static unsigned count(char **at)
{
	unsigned n = 0;

	for (; **at >= '0' && **at <= '9'; ++*at)
		n = n * 10 + (unsigned)(**at - '0');
	++*at;
	return n;
}

/* The options of the mount. Most lines say what the one before them said. */
static void flags(struct mountinfo *m, const char *w)
{
	static const char known[7][11] = { "ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime" };
	static const uint8_t bit[] = { 0, 1, 2, 3, 10, 11, 21 };	/* of MS_RDONLY, ... MS_RELATIME */
	unsigned i;
	size_t n;

	if (same(w, m->last))
		return;
	copy(m->last, sizeof m->last, w);
	for (m->flags = 0; *w; w += w[n] ? n + 1 : n) {
		n = strcspn(w, ",");
		for (i = 0; i < sizeof bit; i++)
			if (n < sizeof *known && !known[i][n] && !strncmp(w, known[i], n))
				m->flags |= 1u << bit[i];
	}
}

/* Returns where the rest of the line begins. */
static char *parse(struct mountinfo *m, char *p)
{
	char *w;

	m->id = count(&p);
	m->parent = count(&p);
	m->dev = count(&p) << 20;
	m->dev |= count(&p);
	m->root = word(&p);
	m->path = word(&p);
	flags(m, word(&p));
	m->shared = m->slave = false;
	while (*(w = word(&p)) != '-') {
		m->shared |= starts(w, "shared:");
		m->slave |= starts(w, "master:");
	}
	m->type = word(&p);
	return p;
}

int mountinfo_next(struct mountinfo *m)
{
	char *p;
	ssize_t n;

	while (m->at == m->lines) {
		memmove(m->buf, m->buf + m->at, m->have -= m->at);
		m->at = m->lines = 0;
		if (m->have == sizeof m->buf) {
			errno = EOVERFLOW;
			return -1;
		}
		n = read(m->fd, m->buf + m->have, sizeof m->buf - m->have);
		if (n <= 0)
			return n < 0 || m->have ? -1 : 0;
		m->have += (unsigned)n;
		for (m->lines = m->have; m->lines && m->buf[m->lines - 1] != '\n'; m->lines--)
			;
	}
	m->rest = parse(m, m->buf + m->at);
	p = strchrnul(m->rest, '\n');
	*p = '\0';
	m->at = (unsigned)(p + 1 - m->buf);
	return 1;
}
