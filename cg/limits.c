/* limits.c - the limits are written, in whichever hierarchy holds their controller,
 * before the first process is inside; and read back, because the kernel rounds, and
 * passes over what it does not know. What it does to a value is known in knobs.c. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "husk.h"

int cg_put(int ctl, const char *file, const char *text)
{
	return write_at(AT_FDCWD, cg_file(ctl, file), text);
}

/* ------------------------------------------------------------- what stands there */

const char *cg_line(char *text, const struct setting *s)
{
	size_t n = strcspn(s->text, " ");
	char *end;

	for (; *text; text = end + 1) {
		if (!(end = strchr(text, '\n')))
			end = strchr(text, '\0');
		if (!s->keyed || (!strncmp(text, s->text, n) && text[n] == ' ')) {
			end[end > text && end[-1] == ' ' ? -1 : 0] = '\0';	/* rdma.max ends so */
			return text;
		}
		if (!*end)
			break;
	}
	return s->keyed ? NULL : text;
}

/* Is that what was written? Without a limit v1 prints a large number, and of a device no
 * line. */
static bool alike(const char *line, const struct setting *s)
{
	const char *text = s->text, *name;
	uint64_t n;

	if (!line)
		return !strpbrk(strchrnul(text, ' '), "123456789");
	if (same(text, "-1") && *line != '-') {
		decimal(line, &n);
		return n >= (uint64_t)INT32_MAX * 4096;
	}
	if (s->row == KEY_KNOB && (name = strrchr(line, ' ')) && !strchr(text, ' '))
		line = name + 1;		/* default 100 */
	return same(line, *text == '\n' ? "" : text);
}

/* One opening: 0; -1: errno; 1: something else stands there, in *line. */
static int write_back(const char *path, const struct setting *s, char *got, size_t max, const char **line)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	ssize_t n, len = (ssize_t)strlen(s->text);

	if (fd < 0)
		return -1;
	do
		n = write(fd, s->text, (size_t)len);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && n != len) {
		errno = EIO;
		n = -1;
	}
	if (n > 0)
		do
			n = pread(fd, got, max - 1, 0);
		while (n < 0 && errno == EINTR);
	let_go(fd);
	if (n < 0)
		return -1;
	got[n] = '\0';
	*line = cg_line(got, s);
	return !alike(*line, s);
}

/* ------------------------------------------------------------------- where it fails */

/* As the configuration has it, then the file, where v1 calls it something else. */
static const char *named(const struct setting *s)
{
	return same(s->key, s->file) ? s->key : fmts(TEXT "%s: %s", s->key, s->file);
}

/* Why a file is not there, of each limit that has a reason of its own */
const char *cg_reason(int row)
{
	switch (row) {
	case KEY_MEMORY_SWAP_MAX: return TEXT "CONFIG_MEMCG_SWAP, or swapaccount=1";
	case KEY_CPU_MAX: return TEXT "CONFIG_CFS_BANDWIDTH";
	case KEY_CPU_MAX_BURST: return TEXT "Linux 5.14";
	case KEY_CPU_WEIGHT: case KEY_CPU_WEIGHT_NICE: return TEXT "CONFIG_FAIR_GROUP_SCHED";
	case KEY_CPU_IDLE: return TEXT "Linux 5.15";
	case KEY_CPU_RT_PERIOD: case KEY_CPU_RT_RUNTIME: return TEXT "CONFIG_RT_GROUP_SCHED, and cgroup v1";
	case KEY_IO_MAX: return TEXT "CONFIG_BLK_DEV_THROTTLING";
	case KEY_IO_WEIGHT: return TEXT "CONFIG_BLK_CGROUP_IOCOST, or CONFIG_BFQ_GROUP_IOSCHED and bfq";
	case KEY_IO_LATENCY: return TEXT "CONFIG_BLK_CGROUP_IOLATENCY";
	}
	return TEXT "this kernel has no such file";
}

/* `?` lets the box go on without it. */
static int without(struct run *r, const struct setting *s, const char *why)
{
	if (!s->skip)
		return fail_not(r, "%s", why);
	note(r, "%s: not limited", why);
	return 0;
}

/* The file is not there: and where that is a box's doing, `?` is of no use. Without swap in
 * the kernel there is nothing to limit. why: NULL: but its controller is. */
static int missing(struct run *r, struct setting *s, const char *why)
{
	const char *name = cg_name(s->ctl), *no = why ? "no" : "not in the";

	s->skip &= !why || errno != EEXIST;
	if (s->row == KEY_MEMORY_SWAP_MAX && faccessat(r->proc, "swaps", F_OK, 0) < 0 && errno == ENOENT)
		return 0;
	if (s->skip && !r->cg1 && r->cgroup2 < 0)
		return 0;		/* cg_make has said so */
	if (!why)
		why = *s->file ? cg_reason(s->row) : TEXT "cgroup v1 has nothing like it";
	return without(r, s, fmts(TEXT "%s: %s %s controller - %s", s->key, no, name, why));
}

/* The kernel limits whole disks. */
static int partition(struct run *r, const struct setting *s)
{
	int n = (int)strcspn(s->text, " ");
	char *disk;

	if (access(fmts(TEXT "/sys/dev/block/%.*s/partition", n, s->text), F_OK) < 0 ||
	    !(disk = caps_file(fmts(TEXT "/sys/dev/block/%.*s/../dev", n, s->text))))
		return without(r, s, fmts(TEXT "%s: %s: no such device", s->key, s->text));
	disk[strcspn(disk, "\n")] = '\0';
	return fail_not(r, "%s: %.*s is a partition: the kernel limits whole disks, this one is %s", s->key, n, s->text, disk);
}

/* Real time is handed down, and a new directory has none: those above get as much more,
 * where they have not enough. */
static void hand_down(const struct setting *s)
{
	const char *path = cg_path(s->ctl), *p = cg_below(s->ctl), *file;
	static char name[32];
	uint64_t more, has;
	char *text;

	copy(name, sizeof name, s->file);	/* fmts() will need its place */
	decimal(s->text, &more);
	while ((p = strchr(p + 1, '/'))) {
		file = fmts(TEXT "%.*s/%s", (int)(p - path), path, name);
		if ((text = caps_file(file))) {
			decimal(text, &has);
			has += more;
			(void)write_at(AT_FDCWD, file, fmts(TEXT "%llu", (unsigned long long)has));
		}
	}
}

/* On v2 the value stands there even if the directory above has no such CPU. */
static int in_force(struct run *r, const struct setting *s)
{
	char *is = caps_file(cg_file(NCTL, s->row == KEY_CPUSET_CPUS ? "cpuset.cpus.effective" : "cpuset.mems.effective"));

	if (!is)
		return fail(r, "%s: read what is in force", s->file);
	is[strcspn(is, "\n")] = '\0';
	return same(is, s->text) || *s->text == '\n' ? 0 : fail_not(r, "%s: %s written, %s in force", s->file, s->text, is);
}

static int in_use(struct run *r, const struct setting *s, bool v1)
{
	static char what[80];
	char *usage;

	copy(what, sizeof what, named(s));	/* fmts() will need its place */
	usage = caps_file(cg_file(v1 ? CTL_MEMORY : NCTL, v1 ? "memory.usage_in_bytes" : "memory.current"));

	if (usage)
		usage[strcspn(usage, "\n")] = '\0';
	return fail_not(r, "%s: write %s: %s are in use, and cannot be taken back", what, s->text, usage ? usage : "more");
}

/* v2 would kill, where v1 says that it is busy: so what is above the new limit is
 * taken back first, by that of memory.high. */
static bool squeezed(const struct setting *s)
{
	static char high[24];
	uint64_t to, is = 0;
	char *usage;
	int turn;

	if (decimal(s->text, &to) == s->text)
		return true;
	for (turn = 0; turn < 2; turn++) {
		if ((usage = caps_file(cg_file(NCTL, "memory.current"))))
			decimal(usage, &is);
		if (!usage || is <= to || turn || read_file(cg_file(NCTL, "memory.high"), high, sizeof high) < 0)
			break;
		(void)cg_put(NCTL, "memory.high", s->text);
		(void)cg_put(NCTL, "memory.high", high);
	}
	return is <= to;
}

/* A weight is for io.cost or for BFQ, whichever the kernel has, and that disk. The first
 * leaves it to the second, which says whether the first has taken it. errno is kept. */
static bool other(const struct setting *s)
{
	int e = errno;
	char *text = caps_file(cg_file(NCTL, s->file[3] == 'w' ? "io.bfq.weight" : "io.weight"));
	bool yes = text && (s->file[3] == 'w' || cg_line(text, s));

	errno = e;
	return yes;
}

static int refused(struct run *r, struct setting *s, bool v1)
{
	static char text[256];

	copy(text, sizeof text, s->text);	/* fmts() will need its place */
	s->text = text;
	if (errno == EBUSY && s->ctl == CTL_MEMORY)
		return in_use(r, s, v1);
	if (s->loose && !v1 && (errno == ENOENT || errno == EOPNOTSUPP) && other(s))
		return 0;
	if (errno == EOPNOTSUPP && s->row == KEY_IO_WEIGHT)
		return without(r, s, fmts(TEXT "%s: %s: that disk has neither BFQ nor io.cost", named(s), s->text));
	if (errno == ENOENT)
		return missing(r, s, NULL);
	if (errno == ENODEV && s->ctl == CTL_IO)
		return partition(r, s);
	if (errno == ERANGE)
		return without(r, s, fmts(TEXT "%s: %s is outside of what this kernel takes, or has", named(s), s->text));
	return fail(r, "%s: write %s", named(s), s->text);
}

/* Of v2, where jiffies have 32 bits and have not come around yet, which they do five minutes
 * after the boot: the first request that is held back is a BUG() in throtl_trim_slice(),
 * because the directories above have a slice from 0 on. 6.1 and 6.12 have it. */
static bool deadly(const struct setting *s)
{
	static struct utsname u;

	return sizeof(long) == 4 && s->row == KEY_IO_MAX && now_ms() < 301000 && uname(&u) == 0 && !strstr(u.machine, "64");
}

/* What the kernel lacks before it takes the value is seen by the error, and supplied. */
int cg_limit(struct run *r, const struct box *b, unsigned i, bool plain, bool live)
{
	static char got[1024] BULK;
	struct setting s;
	const char *line, *why = NULL;
	bool v1, room;
	int e = cg_setting(r, b, i, plain, &s);

	if (s.absent)
		note(r, "%s: %s: %s: not limited", s.key, b->knob[i / 4].of, errno_text());
	if (e <= 0)
		return e;
	v1 = V1(r, s.ctl);
	if (!s.text)
		return fail_not(r, "%s: what it was is not known: say what it shall be", s.key);
	if (!*s.file)
		return missing(r, &s, NULL);
	if (!v1 && r->cgroup2 < 0)
		return missing(r, &s, cg_enable(r, s.ctl));
	if (!v1 && !plain && deadly(&s))
		return without(r, &s, fmts(TEXT "%s: a 32-bit kernel dies of it in its first five minutes", s.key));
	if (live && !v1 && s.row == KEY_MEMORY_MAX) {
		room = squeezed(&s);
		(void)cg_setting(r, b, i, plain, &s);	/* its buffers of fmts() have been taken */
		if (!room)
			return in_use(r, &s, false);
	}
	e = write_back(cg_file(v1 ? s.ctl : NCTL, s.file), &s, got, sizeof got, &line);
	if (e < 0 && ((!v1 && (errno == ENOENT || errno == EISDIR)) || (v1 && errno == EINVAL && s.row == KEY_CPU_RT_RUNTIME))) {
		if (v1)
			hand_down(&s);
		else if ((why = cg_enable(r, s.ctl)))
			return missing(r, &s, why);
		if ((e = cg_setting(r, b, i, plain, &s)) <= 0)		/* and here */
			return e;
		e = write_back(cg_file(v1 ? s.ctl : NCTL, s.file), &s, got, sizeof got, &line);
	}
	if (e < 0)
		return refused(r, &s, v1);
	if (e > 0)
		return fail_not(r, "%s: %s written, %s read back", named(&s), s.text, line ? line : "nothing");
	return !v1 && (s.row == KEY_CPUSET_CPUS || s.row == KEY_CPUSET_MEMS) ? in_force(r, &s) : 0;
}

int cg_limits(struct run *r)
{
	unsigned i;
	int e = 0;

	for (i = 0; i < cg_settings(r->box) && !e; i++)
		e = cg_limit(r, r->box, i, false, false);
	return e;
}
