/* stats.c - husk stats: what a box has used, from the files of its leaves.
 *
 * One row for each figure. Its key is the file of cgroup v2 and what stands in
 * front of the value there, on every layout; where only v1 has it, v1's file. The
 * name in JSON is that of runc's events, in its units: bytes and nanoseconds. What
 * runc has no name for has the kernel's. What the kernel does not count is left
 * out: no 0 that nobody has measured.
 *
 * The files of a leaf are the kernel's, whatever the box does: it may make
 * directories beside them, and those cannot be read. Interfaces have names of the
 * box's own choice. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

enum kind {
	ONE,			/* a number, or the one behind the field */
	SIZES,			/* the same for each size of huge pages, which is * */
	ALL,			/* every line, a name and a number */
	CPUS,			/* a number for each */
	DEVICES,		/* a line for each: of v2 with all that ends as the field does */
	PRESSURE,
};
enum unit { COUNT, BYTES, NSEC, USEC, TICKS };
enum { NSEC_PER_TICK = 10000000 };	/* USER_HZ is 100 on all our architectures */
/* What the line of a box says, and a sum is made of: swap goes with memory. The first
 * are those of husk.h. */
enum sum { MEM, MEM_MAX, CPU, PIDS, PIDS_MAX, READ, WRITE, RX, TX, NSUM, NO = NSUM };
enum {
	PROCS = 1,		/* else from its processes */
	ALSO = 2, ALSO1 = 4,	/* of v2, of v1: ALL gives this line, too, but not in a table; */
	TWICE = 8,		/* in JSON, too, by the same name */
	KERNEL = 32,		/* of PROCS: the second of ticks */
	AND_MEM = 16,		/* with memory together: in JSON, and in the files of v1 */
};

#define FIGURES(ROW) \
	/* kind    unit v2 v1     sum       flags     v2's file, its field, v1's file, its field, JSON */ \
	ROW(ONE,      USEC,  NSEC,  CPU,      PROCS,   "cpu.stat", "usage_usec", "cpuacct.usage", "", "cpu/usage/total") \
	ROW(ONE,      USEC,  TICKS, NO,       PROCS | KERNEL, "cpu.stat", "system_usec", "cpuacct.stat", "system", "cpu/usage/kernel") \
	ROW(ONE,      USEC,  TICKS, NO,       PROCS,   "cpu.stat", "user_usec", "cpuacct.stat", "user", "cpu/usage/user") \
	ROW(CPUS,     NSEC,  NSEC,  NO,       0,       "", "", "cpuacct.usage_percpu", "", "cpu/usage/percpu/[") \
	ROW(ONE,      COUNT, COUNT, NO,       0,       "cpu.stat", "nr_periods", "", "", "cpu/throttling/periods") \
	ROW(ONE,      COUNT, COUNT, NO,       0,       "cpu.stat", "nr_throttled", "", "", "cpu/throttling/throttledPeriods") \
	ROW(ONE,      USEC,  NSEC,  NO,       0,       "cpu.stat", "throttled_usec", "cpu.stat", "throttled_time", "cpu/throttling/throttledTime") \
	ROW(PRESSURE, COUNT, COUNT, NO,       0,       "cpu.pressure", "", "", "", "cpu/psi") \
	ROW(ONE,      BYTES, BYTES, MEM,      0,       "memory.current", "", "memory.usage_in_bytes", "", "memory/usage/usage") \
	ROW(ONE,      BYTES, BYTES, NO,       0,       "memory.peak", "", "memory.max_usage_in_bytes", "", "memory/usage/max") \
	ROW(ONE,      BYTES, BYTES, MEM_MAX,  0,       "memory.max", "", "memory.limit_in_bytes", "", "memory/usage/limit") \
	ROW(ONE,      COUNT, COUNT, NO,       ALSO,    "memory.events", "max", "memory.failcnt", "", "memory/usage/failcnt") \
	ROW(ALL,      COUNT, COUNT, NO,       0,       "memory.events", "", "", "", "memory/events") \
	ROW(ONE,      COUNT, COUNT, NO,       ALSO | TWICE, "memory.events", "oom_kill", "memory.oom_control", "oom_kill", "memory/events/oom_kill") \
	ROW(ONE,      BYTES, BYTES, MEM,      AND_MEM, "memory.swap.current", "", "memory.memsw.usage_in_bytes", "", "memory/swap/usage") \
	ROW(ONE,      BYTES, BYTES, MEM_MAX,  AND_MEM, "memory.swap.max", "", "memory.memsw.limit_in_bytes", "", "memory/swap/limit") \
	ROW(ONE,      BYTES, BYTES, NO,       0,       "memory.swap.peak", "", "", "", "") \
	ROW(ONE,      BYTES, BYTES, NO,       0,       "", "", "memory.memsw.max_usage_in_bytes", "", "memory/swap/max") \
	ROW(ONE,      COUNT, COUNT, NO,       0,       "", "", "memory.memsw.failcnt", "", "memory/swap/failcnt") \
	ROW(ONE,      BYTES, BYTES, NO,       ALSO,    "memory.stat", "kernel", "memory.kmem.usage_in_bytes", "", "memory/kernel/usage") \
	ROW(ONE,      BYTES, BYTES, NO,       0,       "", "", "memory.kmem.max_usage_in_bytes", "", "memory/kernel/max") \
	ROW(ONE,      BYTES, BYTES, NO,       0,       "", "", "memory.kmem.limit_in_bytes", "", "memory/kernel/limit") \
	ROW(ONE,      COUNT, COUNT, NO,       0,       "", "", "memory.kmem.failcnt", "", "memory/kernel/failcnt") \
	ROW(ONE,      BYTES, BYTES, NO,       ALSO,    "memory.stat", "sock", "memory.kmem.tcp.usage_in_bytes", "", "memory/kernelTCP/usage") \
	ROW(ONE,      BYTES, BYTES, NO,       0,       "", "", "memory.kmem.tcp.max_usage_in_bytes", "", "memory/kernelTCP/max") \
	ROW(ONE,      BYTES, BYTES, NO,       0,       "", "", "memory.kmem.tcp.limit_in_bytes", "", "memory/kernelTCP/limit") \
	ROW(ONE,      COUNT, COUNT, NO,       0,       "", "", "memory.kmem.tcp.failcnt", "", "memory/kernelTCP/failcnt") \
	ROW(ONE,      BYTES, BYTES, NO,       ALSO | ALSO1, "memory.stat", "file", "memory.stat", "cache", "memory/cache") \
	ROW(ALL,      COUNT, COUNT, NO,       0,       "memory.stat", "", "", "", "memory/raw") \
	ROW(PRESSURE, COUNT, COUNT, NO,       0,       "memory.pressure", "", "", "", "memory/psi") \
	ROW(ONE,      COUNT, COUNT, PIDS,     0,       "pids.current", "", "", "", "pids/current") \
	ROW(ONE,      COUNT, COUNT, NO,       0,       "pids.peak", "", "", "", "pids/peak") \
	ROW(ONE,      COUNT, COUNT, PIDS_MAX, 0,       "pids.max", "", "", "", "pids/limit") \
	ROW(DEVICES,  BYTES, BYTES, READ,     0,       "io.stat", "bytes", "blkio.throttle.io_service_bytes", "", "blkio/ioServiceBytesRecursive/[") \
	ROW(DEVICES,  COUNT, COUNT, NO,       0,       "io.stat", "ios", "blkio.throttle.io_serviced", "", "blkio/ioServicedRecursive/[") \
	ROW(PRESSURE, COUNT, COUNT, NO,       0,       "io.pressure", "", "", "", "blkio/psi") \
	ROW(SIZES,    BYTES, BYTES, NO,       0,       "hugetlb.*.current", "", "hugetlb.*.usage_in_bytes", "", "hugetlb/*/usage") \
	ROW(SIZES,    BYTES, BYTES, NO,       0,       "hugetlb.*.max", "", "hugetlb.*.limit_in_bytes", "", "hugetlb/*/limit") \
	ROW(SIZES,    BYTES, BYTES, NO,       0,       "", "", "hugetlb.*.max_usage_in_bytes", "", "hugetlb/*/max") \
	ROW(SIZES,    COUNT, COUNT, NO,       0,       "hugetlb.*.events", "max", "hugetlb.*.failcnt", "", "hugetlb/*/failcnt")

/* Numbers and texts of the rows, apart: no pointers. */
#define NUMBERS(kind, unit, unit1, sum, flags, ...)	{ kind, { unit, unit1 }, sum, flags },
#define TEXTS(kind, unit, unit1, sum, flags, file, field, file1, field1, path) \
	file "\0" field "\0" file1 "\0" field1 "\0" path "\0"
static const struct figure { uint8_t kind, unit[2], sum, flags; } rows[] = { FIGURES(NUMBERS) };
static const char texts[] = TEXT FIGURES(TEXTS);
enum { FILE, FIELD, FILE1, FIELD1, PATH, NTEXT, NROW = sizeof rows / sizeof *rows };

static const char operations[] = TEXT "Read\0Write\0Discard\0Sync\0Async\0Total\0";

/* Of one box, at one moment */
struct figures {
	uint8_t	 nleaf;
	bool	 v1;			/* the figure is from a file of v1 */
	bool	 counted;		/* ticks are those of its processes */
	uint16_t summed;		/* bit i: there is a sum i */
	int	 proc;			/* the host's /proc */
	uint64_t pid, ticks[2];		/* in user mode, in the kernel */
	int	 leaf[NCTL + 1];
	uint64_t sum[NSUM + 1];
	struct {			/* -w: when it was seen last, and with what */
		uint64_t pid, ms, cpu;
	} was[MAXBOX];
	char	 size[16];		/* for the * of SIZES */
	char	 file[64];		/* what text[] is */
	char	 key[160], path[160];
	char	 text[16384];		/* whole lines */
	struct up up;
};

static BASE struct figures *at(void)
{
	static struct figures figures;

	return &figures;
}
#define f (*at())

/* ------------------------------------------------------------------ the files */

/* Of all leaves that have it, one behind the other: a box of v1 may have cpu.stat
 * in the v2 tree as well, with other lines. What is larger than the room loses its
 * end, by whole lines. */
static bool load(const char *file)
{
	size_t n = 0, max = sizeof f.text;
	char *end;
	int i, got;

	if (!*file)
		return false;
	if (!same(file, f.file)) {
		copy(f.file, sizeof f.file, file);
		for (i = 0; i < f.nleaf && n + 1 < max; i++)
			if ((got = read_at(f.leaf[i], f.file, f.text + n, max - n)) > 0)
				n += (size_t)got;
		f.text[n] = '\0';
		end = strrchr(f.text, '\n');
		f.text[end ? end + 1 - f.text : 0] = '\0';
	}
	return *f.text;
}

/* The next line of that, in place; NULL: no more, and it has to be read again. */
static char *line(char **rest)
{
	char *l = strsep(rest, "\n");

	*f.file = '\0';
	return l && *l ? l : NULL;
}

static const char *part(int row, int what)
{
	const char *s = unpacked(texts, row * NTEXT + what), *star = strchr(s, '*');

	return star ? fmts(TEXT "%.*s%s%s", (int)(star - s), s, f.size, star + 1) : s;
}

static bool take(const char *s, uint64_t *v)
{
	*v = ~(uint64_t)0;
	return starts(s, "max") || decimal(s, v) != s;
}

/* What is behind the name, in the text; without a name it is all there is. */
static bool find(const char *name, uint64_t *v)
{
	size_t n = strlen(name);
	const char *p;

	for (p = f.text; *p; p = strchr(p, '\n') + 1)
		if (!n || (starts(p, name) && p[n] == ' '))
			return take(n ? p + n + 1 : p, v);
	return false;
}

/* How v1 says max, and hugetlb of v2: as many pages as fit into a long, on 64 and
 * on 32 bits. */
static bool unlimited(uint64_t v)
{
	return v >> 16 >= 0x7fffffffffff || v == 0x7fffffff000;
}

/* --------------------------------------------------------------- what is printed */

/* f.key and f.path: of a row, and of what its line begins with. */
static void name(int row, const char *sub)
{
	bool v2 = *part(row, FILE);

	fmt(f.key, sizeof f.key, TEXT "%s", part(row, v2 ? FILE : FILE1));
	if (!*sub)
		sub = part(row, v2 ? FIELD : FIELD1);
	if (*sub)
		fmt(f.key + strlen(f.key), sizeof f.key - strlen(f.key), TEXT ".%s", sub);
	fmt(f.path, sizeof f.path, TEXT "data/%s", part(row, PATH));
	if (!f.path[5])
		*f.path = '\0';
}

static void sum(int which, uint64_t v)
{
	f.sum[which] += v;
	f.summed |= (uint16_t)(1u << which);
}

static void tell(int unit, uint64_t v)
{
	enum outmode mode = out_mode();
	char *end;

	if (mode == OUT_TABLE && unit >= NSEC && (end = strstr(f.key, "_usec")))
		*end = '\0';
	if (v == ~(uint64_t)0 && mode != OUT_JSON)
		out_fact(f.key, f.path, "max");
	else if (v != ~(uint64_t)0 || unit != COUNT)	/* runc has no number for pids without a limit */
		out_fact(f.key, f.path, mode != OUT_TABLE || unit == COUNT ?
			fmts(TEXT "%llu", (unsigned long long)(mode == OUT_KEYS && unit == USEC ? v / 1000 : v)) :
			unit == BYTES ? amount(v) : duration(v));
}

/* A number of a row, as its file has it. */
static void figure(int row, uint64_t v)
{
	const struct figure *r = rows + row;
	enum outmode mode = out_mode();
	unsigned unit = r->unit[f.v1];
	uint64_t mem = f.sum[r->sum];
	bool max = v == ~(uint64_t)0 || (unit == BYTES && unlimited(v)), json = mode == OUT_JSON;

	if (r->flags & AND_MEM) {
		max |= json && mem == ~(uint64_t)0;
		v = json == f.v1 ? v : json ? v + mem : v < mem ? 0 : v - mem;
	}
	v = max ? ~(uint64_t)0 : unit == USEC ? v * 1000 : unit == TICKS ? v * NSEC_PER_TICK : v;
	if (!(r->flags & AND_MEM))
		sum(r->sum, v);
	if (mode == OUT_TABLE && !*part(row, FILE))
		return;			/* of v1 alone: for programs that know it */
	if (mode == OUT_KEYS ? r->flags & (f.v1 ? ALSO1 : ALSO) : json && r->flags & TWICE && !f.v1)
		return;
	name(row, "");
	tell(r->unit[0], v);
}

/* ---------------------------------------------------------------- kinds of rows */

/* Without a counter: what the processes of the box have used, and their children
 * that are no more. That is all of it: everybody in the leaf descends from PID 1
 * of the box, who inherits the orphans; a process counts for itself until its
 * parent has waited for it, a zombie too, and from then on in cutime and cstime of
 * the parent. But whose parent ignores SIGCHLD is in nobody's. In any leaf all are,
 * and v1 lists them by number: parents come first, so who ends in between may be
 * missed, and is not counted twice. */
static void of_process(uint64_t pid)
{
	const char *stat = caps_status(f.proc, fmts(TEXT "%llu/stat", (unsigned long long)pid)), *p;
	uint64_t v;
	int i;

	for (i = 0; i < 4 && (p = caps_field(stat, 14 + i)); i++) {	/* utime stime cutime cstime */
		decimal(p, &v);
		f.ticks[i & 1] += v;
	}
}

static void count_processes(void)
{
	uint8_t buf[512];
	int fd = openat(f.leaf[0], "cgroup.procs", O_RDONLY | O_CLOEXEC);
	uint64_t pid = 0;
	ssize_t got, i;

	f.counted = fd >= 0;
	while ((got = read(fd, buf, sizeof buf)) > 0)
		for (i = 0; i < got; i++)
			if (buf[i] != '\n') {
				pid = pid * 10 + buf[i] - '0';
			} else {
				of_process(pid);
				pid = 0;
			}
	close(fd);
}

static void one(int row)
{
	const struct figure *r = rows + row;
	uint64_t v;
	int i;

	for (i = 0; i < 2; i++) {
		f.v1 = i;
		if (load(part(row, i ? FILE1 : FILE)) && find(part(row, i ? FIELD1 : FIELD), &v)) {
			figure(row, v);
			return;
		}
	}
	if (!(r->flags & PROCS) || !f.nleaf)
		return;
	if (!f.counted)
		count_processes();
	v = r->sum == CPU ? f.ticks[0] + f.ticks[1] : f.ticks[!!(r->flags & KERNEL)];
	f.v1 = true;
	if (f.counted)
		figure(row, r->unit[1] == TICKS ? v : v * NSEC_PER_TICK);
}

static void all(int row)
{
	char *rest = f.text, *l, *v;
	uint64_t n;

	while ((l = line(&rest)))
		if ((v = strchr(l, ' ')) && take(v + 1, &n)) {
			*v = '\0';
			name(row, l);
			fmt(f.path + strlen(f.path), sizeof f.path - strlen(f.path), TEXT "/%s", l);
			tell(COUNT, n);
		}
}

static void cpus(int row)
{
	const char *p = f.text, *end;
	uint64_t v;
	unsigned i;

	for (i = 0; (end = decimal(p, &v)) != p; p = end + (*end == ' ')) {
		name(row, fmts(TEXT "%u", i++));
		tell(NSEC, v);
	}
}

/* "some avg10=0.00 ... total=0" */
static void pressure(int row)
{
	char *rest = f.text, *l, *word, *v;
	uint64_t n;

	while ((l = line(&rest)))
		for (word = strsep(&l, " "); l && (v = strsep(&l, " ")); ) {
			name(row, fmts(TEXT "%s.%.*s", word, (int)strcspn(v, "="), v));
			fmt(f.path + strlen(f.path), sizeof f.path - strlen(f.path), TEXT "/%s/%.*s", word, (int)strcspn(v, "="), v);
			v += strcspn(v, "=");
			if (*v && decimal(v + 1, &n) != v + 1)
				out_fact(f.key, f.path, starts(v - 5, "total") && out_mode() == OUT_TABLE ? duration(n * 1000) : v + 1);
		}
}

/* v2: 8:0 rbytes=1 wbytes=2 ..., v1: 8:0 Read 1, a line for each. */
static void operation(int row, const char *device, const char *what, const char *v)
{
	const char *minor = strchr(device, ':'), *op, *of;
	char c = *what | 32;
	uint64_t n;
	int i;

	if (!minor || decimal(v, &n) == v)
		return;
	for (i = 0; *(op = unpacked(operations, i)) && (*op | 32) != c; i++)
		;
	of = part(row, FIELD);
	if (!*op || (!f.v1 && !same(what + 1, of)))
		return;
	if (rows[row].sum == READ && i < 2)
		sum(READ + i, n);
	name(row, fmts(TEXT "%s.%c%s", device, c, of));
	if (out_mode() == OUT_JSON)
		out_fact(f.key, f.path, fmts(TEXT "{\"major\":%.*s,\"minor\":%s,\"op\":\"%s\",\"value\":%llu}",
			(int)(minor - device), device, minor + 1, nth(operations, i), (unsigned long long)n));
	else if (i < 3)
		tell(rows[row].unit[0], n);
}

static void devices(int row)
{
	char *rest = f.text, *l, *device, *what, *v;

	while ((l = line(&rest)))
		for (device = strsep(&l, " "); (what = strsep(&l, f.v1 ? " " : "=")) && (v = strsep(&l, " ")); )
			if (*device >= '0' && *device <= '9')
				operation(row, device, what, v);
}

/* A size of huge pages is a file of a leaf. */
static void sizes(int row)
{
	const char *file;
	size_t n;
	int i, k, dir;

	for (i = 0; i < f.nleaf; i++) {
		if ((dir = openat(f.leaf[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
			continue;
		while (rootfs_list(dir) > 0)
			while ((file = rootfs_name())) {
				if (!starts(file, "hugetlb.") || (n = strcspn(file += 8, ".")) >= sizeof f.size ||
				    (!same(file + n, ".current") && !same(file + n, ".usage_in_bytes")))
					continue;
				fmt(f.size, sizeof f.size, TEXT "%.*s", (int)n, file);
				for (k = row; k < NROW && rows[k].kind == SIZES; k++)
					one(k);
			}
		close(dir);
	}
}

static void figures(int row)
{
	int kind = rows[row].kind;

	if (kind == ONE)
		one(row);
	if (kind == SIZES && rows[row - 1].kind != SIZES)
		sizes(row);
	if (kind <= SIZES || ((kind == ALL || kind == CPUS) && out_mode() == OUT_TABLE))
		return;
	f.v1 = !load(part(row, FILE));
	if (f.v1 && !load(fmts(TEXT "%s_recursive", part(row, FILE1))) && !load(part(row, FILE1)))
		return;
	if (kind == ALL)
		all(row);
	else if (kind == CPUS)
		cpus(row);
	else if (kind == DEVICES)
		devices(row);
	else
		pressure(row);
}

/* -------------------------------------------------------------------- interfaces */

/* NAME: and 16 numbers. What they are called: behind the name, and in the JSON. */
static const char columns[] = TEXT
	"rx_bytes\0rx_packets\0rx_errors\0rx_dropped\0\0\0\0\0tx_bytes\0tx_packets\0tx_errors\0tx_dropped\0\0\0\0\0"
	"RxBytes\0RxPackets\0RxErrors\0RxDropped\0\0\0\0\0TxBytes\0TxPackets\0TxErrors\0TxDropped\0\0\0\0\0";
enum { TX_BYTES = 8, NCOLUMN = 16 };

static void interface(const char *name_of, const char *p)
{
	static char object[512];
	size_t n = fmt(object, sizeof object, TEXT "{\"Name\":\"%s\"", name_of);
	const char *what;
	uint64_t v;
	int i;

	for (i = 0; i < NCOLUMN; i++) {
		p = decimal(p + strspn(p, " "), &v);
		if (!*(what = unpacked(columns, i)))
			continue;
		fmt(f.key, sizeof f.key, TEXT "net.%s.%s", name_of, what);
		if (out_mode() != OUT_JSON)
			tell(i % TX_BYTES ? COUNT : BYTES, v);
		if (i % TX_BYTES == 0)
			sum(i ? TX : RX, v);
		n += fmt(object + n, sizeof object - n, TEXT ",\"%s\":%llu", nth(columns, NCOLUMN + i), (unsigned long long)v);
	}
	fmt(object + n, sizeof object - n, TEXT "}");
	out_fact("", "data/network_interfaces/[", object);
}

/* Not those of the host, which a box may share: the files of one namespace are one
 * file. */
static void interfaces(void)
{
	FILLED struct stat own, its;
	char *rest = f.text, *l, *end;

	*f.path = *f.file = '\0';
	if (fstatat(f.proc, "self/net/dev", &own, 0) < 0 || fstatat(f.up.who, "net/dev", &its, 0) < 0 ||
	    own.st_ino == its.st_ino || read_at(f.up.who, "net/dev", f.text, sizeof f.text) < 0)
		return;
	if ((end = strrchr(f.text, '\n')))
		end[1] = '\0';
	while ((l = line(&rest)))
		if ((end = strchr(l += strspn(l, " "), ':')))
			interface(out_name(l, (size_t)(end - l)), end + 1);
}

/* ------------------------------------------------------------------------- boxes */

static void begin(void)
{
	unsigned from = 0;
	int fd;

	f.nleaf = 0;
	while (f.nleaf <= NCTL && (fd = up_leaf(&f.up, &from)) >= 0)
		f.leaf[f.nleaf++] = fd;
	f.counted = false;
	f.summed = 0;
	memset(f.sum, 0, sizeof f.sum);
	memset(f.ticks, 0, sizeof f.ticks);
	*f.file = '\0';
}

static void end(void)
{
	while (f.nleaf)
		close(f.leaf[--f.nleaf]);
}

unsigned cg_sums(const struct left *l, int proc, uint64_t sum[NSUMS])
{
	enum outmode mode = out_mode();
	int i;

	f.up.left = *l;
	f.proc = proc;
	out_as(OUT_NONE);
	begin();
	for (i = 0; i < NROW; i++)
		if (rows[i].sum < NSUMS)
			figures(i);
	end();
	out_as(mode);
	memcpy(sum, f.sum, NSUMS * sizeof *sum);
	return f.summed;
}

/* All that there is of one; what is printed is up to the mode. */
static void record(const char *of)
{
	int i;

	begin();
	out_begin();
	out_text("", "type", "stats");
	if (out_mode() != OUT_TABLE)
		out_text("name", "id", of);
	for (i = 0; i < NROW; i++)
		figures(i);
	interfaces();
	out_end();
	end();
}

static const char titles[] = TEXT "NAME\0MEMORY\0CPU\0CPU%\0PIDS\0READ\0WRITE\0RX\0TX\0";
static const uint8_t places[] = { 0, 17, 29, 38, 44, 54, 61, 68, 75 };

/* A column of the line of a box, from its sums; "-" where nobody has counted. */
static const char *column(int i, unsigned percent)
{
	static const uint8_t which[][2] = { { MEM, MEM_MAX }, { CPU, NO }, { CPU, NO }, { PIDS, PIDS_MAX },
		{ READ, NO }, { WRITE, NO }, { RX, NO }, { TX, NO } };
	uint64_t v = f.sum[which[i][0]], max = which[i][1] == NO ? 0 : f.sum[which[i][1]];

	if (!(f.summed >> which[i][0] & 1) || (i == 2 && percent == ~0u))
		return "-";
	if (i == 1 || i == 2)
		return i == 1 ? duration(v) : fmts(TEXT "%u", percent);
	return max && max != ~(uint64_t)0 ? fmts(TEXT "%s/%s", amount(v), amount(max)) : amount(v);
}

/* Of one CPU, since the last time; ~0: this is the first. */
static unsigned percent(void)
{
	uint64_t now = now_ms(), cpu = f.sum[CPU];
	unsigned n = ~0u, i = f.pid % MAXBOX, ms = (unsigned)(now - f.was[i].ms);

	if (f.was[i].pid == f.pid && ms && cpu >= f.was[i].cpu)
		n = (unsigned)((cpu - f.was[i].cpu) / 10000) / ms;
	f.was[i].pid = f.pid;
	f.was[i].ms = now;
	f.was[i].cpu = cpu;
	return n;
}

static void summary(const char *of)
{
	unsigned i, share;

	out_as(OUT_NONE);
	record(of);
	share = percent();
	out_as(OUT_TABLE);
	out_put("%s", of);
	if (strlen(of) >= places[1])
		out_line();		/* a long one has a line of its own */
	for (i = 1; i < sizeof places; i++) {
		out_to(places[i]);
		out_put("%s", column((int)i - 1, share));
	}
	out_line();
}

static void title(void)
{
	unsigned i;

	for (i = 0; i < sizeof places; i++) {
		if (i)
			out_to(places[i]);
		out_put("%s", nth(titles, (int)i));
	}
	out_line();
}

static bool show(const char *of, bool alone)
{
	f.up.who = up_find(&f.up.left, of, f.proc, &f.pid);
	if (f.up.who >= 0) {
		if (out_mode() == OUT_TABLE)
			summary(of);
		if (out_mode() != OUT_TABLE || alone)
			record(of);
		close(f.up.who);
	}
	close(f.up.left.dir);
	return f.up.who >= 0;
}

/* Those that have ended meanwhile are no error, and nobody has run yet where there is
 * no directory. 0 or 1 */
static int show_all(void)
{
	static struct left l;
	static char of[MAXNAME + 1];

	*of = '\0';
	if (state_open(&l, false) < 0) {
		if (errno == ENOENT)
			return 0;
		warn("stats: run directory");
		return 1;
	}
	while (state_next(l.dir, "", of))
		(void)show(of, false);
	close(l.dir);
	return 0;
}

int cg_stats(const char *of, bool live)
{
	int e = of ? up_open(&f.up, of) : 0;

	if (e)
		return e;
	if (of) {
		close(f.up.who);
		close(f.up.left.dir);
		f.proc = f.up.run.proc;
	} else
		f.proc = proc_fd();
	if (live)
		out_live();
	do {
		if (out_mode() == OUT_TABLE)
			title();
		if (of && !show(of, true)) {
			e = live ? 0 : up_open(&f.up, of);
			break;
		}
		e = of ? 0 : show_all();
	} while (live && !e && (e = out_wait()) < 0);
	out_over();
	return out_done() || e > 0 ? e > 0 ? e : 1 : 0;
}
