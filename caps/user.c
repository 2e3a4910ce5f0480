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

enum { MAXFILE = 1 << 20, FIELDS = 6 };
enum { PASSWD, GROUP };
#define ZERO	TEXT "0 (refused: write numbers)"

/* An open file and a line of it: NAME:x:UID:GID:comment:HOME or NAME:x:GID. */
struct file {
	char	*field[FIELDS];		/* NULL behind the end of the line */
	uint32_t id, gid;
	char	*next;
	unsigned at;			/* of buf in the file */
	bool	 host;			/* it is not the box's */
	char	 buf[4096];
};

static BASE struct file *at(void)
{
	static struct file file;

	return &file;
}
#define file (*at())

static const char *path_of(int which)
{
	return which == PASSWD ? "/etc/passwd" : "/etc/group";
}

/* The next line, cut at its colons: 1, 0 at the end, or -1. */
static int next_line(int fd)
{
	char *line = file.next, *end = strchr(line, '\n');
	ssize_t n;
	int i;

	if (!end) {
		file.at += (unsigned)(line - file.buf);
		n = pread(fd, line = file.buf, sizeof file.buf - 1, file.at);
		if (n <= 0)
			return (int)n;
		line[n] = '\0';
		end = strchrnul(line, '\n');
		errno = EFBIG;		/* or a line of it, or it is no text */
		if (file.at > MAXFILE || (!*end && (end != line + n || n == sizeof file.buf - 1)))
			return -1;
	}
	file.next = end + (*end != '\0');
	*end = '\0';
	for (i = 0; i < FIELDS; i++)
		file.field[i] = strsep(&line, ":");
	return 1;
}

static bool id_of(const char *s, uint32_t *id)
{
	uint64_t v;

	if (!s || number(s, UINT32_MAX - 1, &v))
		return false;
	*id = (uint32_t)v;
	return true;
}

static int wrong(struct run *r, const char *name, const char *is, int which)
{
	return fail_not(r, "\"%s\" is %s in %s%s", name, is, path_of(which), file.host ? "" : " of the root");
}

/* The first line of the name, or of r->uid where there is none. One that is
 * broken counts as none. */
static int find(struct run *r, int root, int which, const char *name)
{
	FILLED struct stat st;
	int fd = walk_file(root, r->proc, path_of(which), &st), e = -1;

	file.at = 0;
	file.next = file.buf;
	file.buf[0] = '\0';
	while (fd >= 0 && (e = next_line(fd)) > 0)
		if ((!name || same(file.field[0], name)) && id_of(file.field[2], &file.id) &&
		    (which == GROUP || id_of(file.field[3], &file.gid)) && (name || file.id == r->uid))
			break;
	if (fd >= 0)
		let_go(fd);
	return e < 0 ? fail(r, "%s of the root", path_of(which)) : e ? 0 : wrong(r, name ? name : "", "not", which);
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

static int find_user(struct run *r, int root)
{
	const struct box *b = r->box;
	const char *name = b->who == WHO_NAME ? b->user : NULL;
	bool needed = name && !same(name, "root");
	int e = find(r, root, PASSWD, name);

	if (e)
		return needed ? e : 0;
	if (strlen(file.field[0]) < sizeof r->user)
		copy(r->user, sizeof r->user, file.field[0]);
	if (file.field[FIELDS - 1])
		set_home(r, file.field[FIELDS - 1]);
	if (!needed)
		return 0;
	r->uid = file.id;
	r->gid = file.gid;
	return r->uid && (r->gid || b->group || b->gid != ~0u) ? 0 : wrong(r, name, ZERO, PASSWD);
}

int caps_host(struct run *r, const char *name, uint32_t *uid, uint32_t *gid)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), e;

	file.host = true;
	e = root < 0 ? fail(r, "/") : find(r, root, PASSWD, name);
	file.host = false;
	if (root >= 0)
		close(root);
	*uid = file.id;
	*gid = file.gid;
	return e;
}

/* Who the file says is a member of what does not count: a box has the groups
 * that are written down, and no others. */
static int find_group(struct run *r, int root, const char *name, uint32_t *gid)
{
	int e = find(r, root, GROUP, name);

	if (!e && !file.id && !same(name, "root"))
		e = wrong(r, name, ZERO, GROUP);
	*gid = file.id;
	return e;
}

int caps_find(struct run *r, int root)
{
	const struct box *b = r->box;
	uint32_t gid;
	int e = 0, i, k;

	copy(r->home, sizeof r->home, "/");
	if (b->who == WHO_NAME)
		r->uid = r->gid = 0;
	if (b->who == WHO_NUMBER)
		r->gid = b->gid != ~0u ? b->gid : b->uid;
	copy(r->user, sizeof r->user, b->who == WHO_NAME ? b->user : fmts("%u", r->uid));
	if (b->who != WHO_AUTO)
		e = find_user(r, root);
	if (b->who == WHO_NAME && b->gid != ~0u)
		r->gid = b->gid;
	if (b->group && !e)
		e = find_group(r, root, b->group, &r->gid);
	for (i = r->ngroups = 0; i < b->ngroup && !e; i++) {
		gid = b->groups[i].id;
		if (b->groups[i].name)
			e = find_group(r, root, b->groups[i].name, &gid);
		for (k = 0; k < r->ngroups && r->groups[k] != gid; k++)
			;
		r->groups[k] = gid;
		r->ngroups = (uint8_t)(k == r->ngroups ? k + 1 : r->ngroups);
	}
	return e;
}

int caps_user(struct run *r)
{
	int root = r->root >= 0 ? r->root : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? fail(r, "open /") : caps_find(r, root);
}
