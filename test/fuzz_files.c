/*
 * fuzz_files.c - test: any bytes as what others have written and husk reads: passwd and
 * group of a root, the names in mountinfo, a state file. Each time a plain reading of
 * the same has to come to the same. The first byte says which of them.
 * unit: caps/user.c rootfs/mountinfo.c init/state.c init/util.c init/fail.c
 *
 *	sh test/fuzz_files.sh SECONDS
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { ROOM = 1 << 16 };
static char text[ROOM];			/* a file, */
static size_t length;
static int file = -1;			/* and that file */

/* What the readers ask of others */
int walk_file(int dir, int proc, const char *path, struct stat *st) { (void)dir; (void)proc; (void)path; return fstat(file, st) < 0 ? -1 : dup(file); }
const uint8_t text_pairs[1][2];
const char code_end[1];
const char *stage_name(int row) { (void)row; return ""; }
const char *stage_hint(int row, int err) { (void)row; (void)err; return NULL; }

static void must(bool so, const char *what)
{
	if (!so) {
		fprintf(stderr, "fuzz_files: %s\n", what);
		abort();
	}
}

static void written(void)
{
	if (file < 0)
		file = memfd_create("fuzz", 0);
	must(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, text, length, 0) == (ssize_t)length && lseek(file, 0, SEEK_SET) == 0, "a file");
}

/* ------------------------------------------------------------ passwd, group */

static bool plain_number(const char *s, size_t n, uint32_t *to)
{
	unsigned long long v = 0;
	size_t i;

	for (i = 0; i < n && s[i] >= '0' && s[i] <= '9' && v <= UINT32_MAX; i++)
		v = v * 10 + (unsigned)(s[i] - '0');
	*to = (uint32_t)v;
	return n && i == n && v < UINT32_MAX;
}

/* The first line of the name with one number behind it, or two. */
static bool plain_find(const char *name, int numbers, uint32_t id[2])
{
	const char *line, *end, *at, *stop;
	int field, good;

	for (line = text; line < text + length; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + length - line));
		if (!end)
			end = text + length;
		for (at = line, field = good = 0; at <= end && field < 4; at = stop + 1, field++) {
			stop = memchr(at, ':', (size_t)(end - at));
			if (!stop)
				stop = end;
			if (field == 0)
				good += (size_t)(stop - at) == strlen(name) && !memcmp(at, name, strlen(name));
			else if (field > 1 && field < 2 + numbers)
				good += plain_number(at, (size_t)(stop - at), id + field - 2);
		}
		if (good == 1 + numbers)
			return true;
	}
	return false;
}

/* No NUL, and no line that is longer than what is read at once: else it is refused. */
static bool is_text(void)
{
	size_t i, line = 0;

	for (i = 0; i < length; i++) {
		line = text[i] == '\n' ? 0 : line + 1;
		if (!text[i] || line > 4000)
			return false;
	}
	return true;
}

static void users(bool group)
{
	static struct box b;
	static struct run r;
	uint32_t id[2] = { 0, 0 }, gid = 0;
	bool right;
	int e;

	memset(&r, 0, sizeof r);
	memset(&b, 0, sizeof b);
	r.box = &b;
	b.who = WHO_NAME;
	b.user = "web";
	b.gid = ~0u;
	b.group = group ? "video" : NULL;
	b.ngroup = 1;
	b.groups[0].name = "adm";
	e = caps_find(&r, -1);
	must(*r.home == '/' && !r.home[strcspn(r.home, " \t\n\033\177")], "HOME");
	if (!e)
		must(r.uid && r.gid && r.ngroups == 1 && r.groups[0], "0 comes from a file");
	if (!is_text())
		return;
	right = plain_find("web", 2, id) && id[0] && (id[1] || group);
	if (right && group)
		right = plain_find("video", 1, id + 1) && id[1];
	right = right && plain_find("adm", 1, &gid) && gid;
	must(right == !e, "a user is found by one, and not by the other");
	must(!right || (r.uid == id[0] && r.gid == id[1] && r.groups[0] == gid), "other numbers");
}

/* ---------------------------------------------------------------- mountinfo */

struct line {
	char	 path[256], root[256];
	unsigned id, parent, major, minor, flags;
	bool	 shared, slave;
};

/* As the kernel writes names. */
static void put_name(const char *s)
{
	for (; *s; s++)
		length += (size_t)sprintf(text + length, strchr(" \t\n\\", *s) ? "\\%03o" : "%c", (unsigned char)*s);
}

static const uint8_t *name_of(char to[256], const uint8_t *p, const uint8_t *end)
{
	size_t n = 0;

	to[n++] = '/';
	for (; p < end && *p; p++)
		if (n < 255)
			to[n++] = (char)*p;
	to[n] = '\0';
	return p < end ? p + 1 : end;
}

static const uint8_t *put_mount(struct line *l, const uint8_t *p, const uint8_t *end)
{
	static const char options[7][12] = { ",nosuid", ",nodev", ",noexec", ",noatime", ",nodiratime", ",relatime", ",idmapped" };
	unsigned bits = *p++, i;

	l->id = bits * 77777u;
	l->parent = bits << 5;
	l->major = bits & 15;
	l->minor = bits * 4001u;
	p = name_of(l->root, p, end);
	p = name_of(l->path, p, end);
	l->flags = bits & 127;
	l->shared = bits & 64;
	l->slave = bits & 128;
	length += (size_t)sprintf(text + length, "%u %u %u:%u ", l->id, l->parent, l->major, l->minor);
	put_name(l->root);
	text[length++] = ' ';
	put_name(l->path);
	length += (size_t)sprintf(text + length, " %s", bits & 1 ? "ro" : "rw");
	for (i = 0; i < 6; i++)
		length += (size_t)sprintf(text + length, "%s", l->flags & 2u << i ? options[i] : "");
	length += (size_t)sprintf(text + length, "%s%s%s - ext4 /dev/a\\040b rw,x=%u\n", bits & 32 ? options[6] : "",
		l->shared ? " shared:7" : "", l->slave ? " master:3 propagate_from:2" : "", bits);
	return p;
}

static void mounts(const uint8_t *p, const uint8_t *end)
{
	static const unsigned bit[] = { 0, 1, 2, 3, 10, 11, 21 };
	static struct mountinfo m;
	static struct line line[40];
	unsigned n = 0, i, k, flags;

	for (length = 0; n < 40 && p < end; n++)
		p = put_mount(&line[n], p, end);
	written();
	memset(&m, 0, sizeof m);
	m.fd = file;
	for (i = 0; i < n; i++) {
		must(mountinfo_next(&m) == 1, "a mount is not seen");
		for (k = flags = 0; k < 7; k++)
			flags |= line[i].flags & 1u << k ? 1u << bit[k] : 0;
		must(m.id == line[i].id && m.parent == line[i].parent && m.dev == (line[i].major << 20 | line[i].minor), "numbers of a mount");
		must(same(m.path, line[i].path) && same(m.root, line[i].root) && same(m.type, "ext4"), "names of a mount");
		must(m.flags == flags && m.shared == line[i].shared && m.slave == line[i].slave, "flags of a mount");
	}
	must(mountinfo_next(&m) == 0, "one mount more");
}

/* --------------------------------------------------------------- state file */

static void state(size_t max)
{
	static const char *const keys[] = { "uid", "cgroup", "last", "" };
	static char value[300], last[300];
	static struct left l;
	const char *line, *end, *one;
	unsigned at, i;
	size_t n, k;

	copy(l.text, sizeof l.text, text);
	for (i = 0; i < 4; i++) {
		k = strlen(keys[i]);
		at = 0;
		*last = '\0';
		for (line = l.text; (end = strchr(line, '\n')); line = end + 1) {
			n = (size_t)(end - line);
			if (n <= k || memcmp(line, keys[i], k) || line[k] != '=' || n - k > max)
				continue;
			one = left_get(&l, keys[i], &at, value, max);
			must(one && strlen(one) == n - k - 1 && !memcmp(one, line + k + 1, n - k - 1), "a value of the state");
			copy(last, sizeof last, one);
		}
		must(!left_get(&l, keys[i], &at, value, max), "one value more");
		one = left_last(&l, keys[i], value, max);
		must(same(one ? one : "", last), "the last value");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t max;

	if (size < 2 || size > ROOM / 8)
		return 0;
	if (data[0] % 4 == 3) {
		mounts(data + 1, data + size);
		return 0;
	}
	memcpy(text, data + 1, length = size - 1);
	if (data[0] % 4 == 2) {
		text[length] = '\0';
		for (max = 1; max < 40; max++)
			state(max);
		return 0;
	}
	written();
	users(data[0] & 1);
	return 0;
}
