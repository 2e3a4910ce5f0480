/* util.c - strings, small files, time. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "husk.h"

size_t copy(char *to, size_t max, const char *from)
{
	size_t n = strlen(from), m = n < max ? n : max - 1;

	memcpy(to, from, m);
	to[m] = '\0';
	return n;
}

bool same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

const char *number(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return TEXT "a number is missing";
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return TEXT "not a number";
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v) || v > max)
			return TEXT "number out of range";
	}
	*out = v;
	return NULL;
}

const char *decimal(const char *s, uint64_t *out)
{
	for (*out = 0; *s >= '0' && *s <= '9'; s++)
		*out = *out * 10 + (uint64_t)(*s - '0');
	return s;
}

/* The compiler knows the texts as they were before they were packed: it must not
 * know which list this is. */
const char *nth(const char *list, int n)
{
	__asm__("" : "+r"(list));
	while (n-- > 0)
		list += strlen(list) + 1;
	return list;
}

const char *unpacked(const char *list, int n)
{
	return fmts("%s", nth(list, n));
}

/* "" is a name that nothing has: a path that was cut off would be another's. */
const char *fmts(const char *f, ...)
{
	static char text[4][512] OFTEN;
	static unsigned turn;
	char *to = text[turn++ % 4];
	va_list ap;

	va_start(ap, f);
	if (vfmt(to, sizeof *text, f, &ap) >= sizeof *text - 1)
		*to = '\0';
	va_end(ap);
	return to;
}

/* While a box is made its processes let descriptors of small files lie: init.close,
 * init.rights, caps.close and settle() close all of them with one call; but none
 * takes the place of a closed 0, 1 or 2. */
static bool making STAYS;

void making_a_box(bool yes)
{
	making = yes;
}

void let_go(int fd)
{
	int e = errno;

	if (!making || fd < 3)
		close(fd);
	errno = e;
}

int read_at(int dir, const char *path, char *buf, size_t max)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	do {
		n = read(fd, buf + len, max - 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 && len < max - 1) || (n < 0 && errno == EINTR));
	let_go(fd);
	if (n < 0)
		return -1;
	buf[len] = '\0';
	return (int)len;
}

int read_file(const char *path, char *buf, size_t max)
{
	return read_at(AT_FDCWD, path, buf, max);
}

int write_at(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOCTTY), e;
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -1;
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	e = n < 0 ? errno : EIO;
	let_go(fd);
	errno = e;
	return n == (ssize_t)len ? 0 : -1;
}

uint64_t ram(void)
{
	static struct sysinfo si;

	return sysinfo(&si) < 0 ? 0 : (uint64_t)si.totalram * si.mem_unit;
}

const char *amount(uint64_t v)
{
	unsigned shift = 10, n, tenth;

	if (v < 1024)
		return fmts("%u", (unsigned)v);
	while (v >> shift >= 1024)
		shift += 10;
	n = (unsigned)(v >> shift);
	tenth = n < 10 ? ((unsigned)(v >> (shift - 10)) & 1023) * 10 >> 10 : 0;
	return fmts("%u%s%c", n, tenth ? fmts(".%u", tenth) : "", "KMGTPE"[shift / 10 - 1]);
}

/* Between the two clocks lies always the same: of one moment it says one time. Until 2099.
 * What old calls of 32-bit kernels give of it lasts until 2106, without a sign. */
const char *utc(uint32_t when)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	static char text[21];
	struct timespec t, up = { 0 };
	uint32_t s, v[6], n, i;

	clock_gettime(CLOCK_REALTIME, &t);
	if (when)
		clock_gettime(CLOCK_BOOTTIME, &up);
	v[2] = (uint32_t)t.tv_sec - (uint32_t)up.tv_sec - (t.tv_nsec < up.tv_nsec) + when;
	s = v[2] % 86400;
	v[2] /= 86400;
	for (v[0] = 1970; v[2] >= (n = 365 + !(v[0] % 4)); v[0]++)
		v[2] -= n;
	for (v[1] = 0; v[2] >= (n = days[v[1]] + (v[1] == 1 && v[0] % 4 == 0)); v[1]++)
		v[2] -= n;
	v[0] %= 100;
	v[1]++;
	v[2]++;
	v[3] = s / 3600;
	v[4] = s / 60 % 60;
	v[5] = s % 60;
	copy(text, sizeof text, "2000-00-00T00:00:00Z");
	for (i = 0; i < 6; i++) {
		text[3 * i + 2] = (char)('0' + v[i] / 10);
		text[3 * i + 3] = (char)('0' + v[i] % 10);
	}
	return text;
}

const char *span(uint32_t s)
{
	unsigned unit = s < 3600 ? 60 : s < 86400 ? 3600 : 86400, less = unit == 60 ? 1 : unit == 3600 ? 60 : 3600, rest = s % unit / less;

	return s < 60 ? fmts("%us", s) : fmts("%u%c%s", s / unit, unit == 60 ? 'm' : unit == 3600 ? 'h' : 'd',
		rest ? fmts("%u%c", rest, unit == 60 ? 's' : unit == 3600 ? 'm' : 'h') : "");
}

const char *duration(uint64_t nsec)
{
	unsigned hundredths = (unsigned)(nsec / 10000000), s = hundredths / 100;

	return s < 60 ? fmts("%u.%u%us", s, hundredths / 10 % 10, hundredths % 10) : span(s);
}

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* All that we read and write below /proc goes through this one: what lies on
 * /proc of a box may be anything. */
int proc_fd(void)
{
	FILLED struct statfs fs;
	int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
		return fd;
	close(fd);
	errno = ENODEV;
	return -1;
}

bool on_board(void)
{
	static char comm[16];

	return HAS(boards) && read_file("/proc/1/comm", comm, sizeof comm) > 0 && same(comm, "husk\n");
}
