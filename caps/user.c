/* user.c - numbers for the names of the user, from the box's own passwd and
 * group. Whoever made the root may have put anything there: a fifo, a device,
 * a line without end, a name that is 0. Numbers in a configuration are never
 * looked up; for them only HOME and USER are. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

enum { MAXFILE = 1 << 20 };

static struct {
	int	 fd, err;		/* err: it was not read to its end */
	unsigned at, len, total;
	char	 buf[4096];
} file;

static int open_text(int root, const char *path)
{
	struct stat st;

	memset(&file, 0, offsetof(__typeof__(file), buf));
	file.fd = walk_file(root, path, &st);
	if (file.fd < 0)
		return -1;
	if (st.st_size <= MAXFILE)
		return 0;
	close(file.fd);
	errno = EFBIG;
	return -1;
}

static int unread(struct run *r, const char *path, int err)
{
	errno = err;
	if (err == EFBIG)
		return fail_not(r, "%s of the root is not a file of short lines and at most 1 MiB", path);
	return fail(r, "%s of the root", path);
}

static int fill(void)
{
	ssize_t n;

	memmove(file.buf, file.buf + file.at, file.len - file.at);
	file.len -= file.at;
	file.at = 0;
	do
		n = read(file.fd, file.buf + file.len, sizeof file.buf - 1 - file.len);
	while (n < 0 && errno == EINTR);
	file.total += n > 0 ? (unsigned)n : 0;
	if (n < 0 || file.total > MAXFILE || file.len == sizeof file.buf - 1)
		file.err = n < 0 ? errno : EFBIG;
	file.len += n > 0 ? (unsigned)n : 0;
	return file.err ? -1 : (int)n;
}

/* The next whole line, or NULL; then file.err tells. */
static char *next_line(void)
{
	char *start, *end;
	int n;

	for (;;) {
		start = file.buf + file.at;
		end = memchr(start, '\n', file.len - file.at);
		if (end) {
			*end = '\0';
			file.at = (unsigned)(end + 1 - file.buf);
			return start;
		}
		n = fill();
		if (n > 0)
			continue;
		if (n < 0 || !file.len)
			return NULL;
		file.buf[file.len] = '\0';	/* the last, without a newline */
		file.at = file.len;
		return file.buf;
	}
}

static bool id_of(const char *s, uint32_t *id)
{
	uint64_t v;

	if (!s || number(s, UINT32_MAX - 1, &v))
		return false;
	*id = (uint32_t)v;
	return true;
}

/* HOME is text for the program, but a hostile one ends here. */
static void set_home(struct run *r, const char *home)
{
	const char *p;

	for (p = home; *p && *p > ' ' && *p != 127; p++)
		;
	if (*home == '/' && !*p && (size_t)(p - home) < sizeof r->home)
		copy(r->home, sizeof r->home, home);
}

/* One line of passwd: 1 if it is of the name, or of r->uid where there is no
 * name. A line of that name that is broken counts as none. */
static int passwd_line(struct run *r, char *line, const char *name)
{
	const char *who = strsep(&line, ":"), *uid, *gid;
	uint32_t u, g;

	if (name && !same(who, name))
		return 0;
	strsep(&line, ":");
	uid = strsep(&line, ":");
	gid = strsep(&line, ":");
	strsep(&line, ":");
	if (!id_of(uid, &u) || !id_of(gid, &g) || (!name && u != r->uid))
		return 0;
	if (strlen(who) < sizeof r->user)
		copy(r->user, sizeof r->user, who);
	if (line)
		set_home(r, strsep(&line, ":"));
	if (name && !same(name, "root")) {
		r->uid = u;
		r->gid = g;
	}
	return 1;
}

static int find_passwd(struct run *r, int root, const char *name)
{
	bool needed = name && !same(name, "root");
	char *line;
	int found = 0;

	if (open_text(root, "etc/passwd") < 0)
		return needed ? unread(r, "/etc/passwd", errno) : 0;
	while (!found && (line = next_line()))
		found = passwd_line(r, line, name);
	close(file.fd);
	if (!needed)
		return 0;
	if (!found)
		return file.err ? unread(r, "/etc/passwd", file.err) :
			fail_not(r, "no \"%s\" in /etc/passwd of the root", name);
	return r->uid && (r->gid || r->box->group || r->box->gid != ~0u) ? 0 :
		fail_not(r, "\"%s\" is 0 in /etc/passwd of the root: refused - write numbers", name);
}

static int add_group(struct run *r, uint32_t gid)
{
	int i;

	for (i = 0; i < r->ngroups; i++)
		if (r->groups[i] == gid)
			return 0;
	if (i == MAXGRP)
		return fail_not(r, "more than %d groups", MAXGRP);
	r->groups[r->ngroups++] = gid;
	return 0;
}

/* One line of group: the user's own, or one of groups=. Bits of *missing go out
 * as names are found. Who the file says is a member of what does not count: a
 * box has the groups that are written down, and no others. */
static int group_line(struct run *r, char *line, uint64_t *missing)
{
	const struct box *b = r->box;
	const char *name = strsep(&line, ":"), *id;
	bool own, asked = false;
	uint32_t gid;
	int i;

	strsep(&line, ":");
	id = strsep(&line, ":");
	if (!id_of(id, &gid))
		return 0;
	own = *missing >> MAXGRP & 1 && same(name, b->group);
	for (i = 0; i < b->ngroup; i++)
		if (*missing >> i & 1 && same(name, b->groups[i].name)) {
			*missing &= ~((uint64_t)1 << i);
			asked = true;
		}
	if (own) {
		*missing &= ~((uint64_t)1 << MAXGRP);
		r->gid = gid;
	}
	if (!gid && (own || asked) && !same(name, "root"))
		return fail_not(r, "\"%s\" is 0 in /etc/group of the root: refused - write numbers", name);
	return asked ? add_group(r, gid) : 0;
}

static int find_groups(struct run *r, int root)
{
	const struct box *b = r->box;
	uint64_t missing = b->group ? (uint64_t)1 << MAXGRP : 0;
	const char *name;
	char *line;
	int e = 0, i;

	for (i = 0; i < b->ngroup; i++) {
		if (b->groups[i].name)
			missing |= (uint64_t)1 << i;
		else if ((e = add_group(r, b->groups[i].id)) != 0)
			return e;
	}
	if (!missing)
		return 0;
	if (open_text(root, "etc/group") < 0)
		return unread(r, "/etc/group", errno);
	while (!e && (line = next_line()))
		e = group_line(r, line, &missing);
	close(file.fd);
	if (e || file.err)
		return e ? e : unread(r, "/etc/group", file.err);
	if (!missing)
		return 0;
	i = __builtin_ctzll(missing);
	name = i == MAXGRP ? b->group : b->groups[i].name;
	return fail_not(r, "no \"%s\" in /etc/group of the root", name);
}

int caps_find(struct run *r, int root)
{
	const struct box *b = r->box;
	int e;

	copy(r->home, sizeof r->home, "/");
	r->ngroups = 0;
	if (b->who == WHO_NAME)
		r->uid = r->gid = 0;
	if (b->who == WHO_NUMBER)
		r->gid = b->gid != ~0u ? b->gid : b->uid;
	if (b->who != WHO_NAME)
		fmt(r->user, sizeof r->user, "%u", r->uid);
	else if (copy(r->user, sizeof r->user, b->user) >= sizeof r->user)
		return fail_not(r, "the name \"%s\" is too long", b->user);
	if (b->who != WHO_AUTO && (e = find_passwd(r, root, b->who == WHO_NAME ? b->user : NULL)) != 0)
		return e;
	if (b->who == WHO_NAME && b->gid != ~0u)
		r->gid = b->gid;
	return find_groups(r, root);
}

int caps_user(struct run *r)
{
	int e, root = r->root >= 0 ? r->root : openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return fail(r, "open /");
	e = caps_find(r, root);
	if (root != r->root)
		close(root);
	return e;
}
