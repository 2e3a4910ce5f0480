/* rlimits.c - limits of a process: those asked for, and the kernel's own where
 * others were inherited. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

enum { ALL = 16, INF = -1 };

/* As the kernel starts its first process, in KiB. Numbers 6 and 11 (processes,
 * pending signals) it computes from the machine's memory, the same for both. */
static const int16_t defaults[ALL][2] = {
	{ INF, INF }, { INF, INF }, { INF, INF }, { 8192, INF }, { 0, INF }, { INF, INF }, { 0, 0 }, { 1, 4 },
	{ 8192, 8192 }, { INF, INF }, { INF, INF }, { 0, 0 }, { 800, 800 }, { 0, 0 }, { 0, 0 }, { INF, INF },
};

/* A column of /proc/self/limits. */
static const char *column(const char *s, uint64_t *v)
{
	while (*s == ' ')
		s++;
	if (*s != 'u')
		return decimal(s, v);
	*v = ~(uint64_t)0;
	return s + sizeof "unlimited" - 1;
}

static uint64_t value(int kib)
{
	return (uint64_t)(int64_t)(kib < 0 ? kib : kib << 10);
}

/* Where nothing is asked for. Pending signals are what hardly anybody limits;
 * locked memory was 64 KiB before 5.16. What is used of signals and queues in a user
 * namespace its maker has used, too, whose limit is the same: he keeps some of it. */
static void usual(int i, uint64_t now[ALL][2], uint64_t want[2], bool theirs)
{
	want[0] = value(defaults[i][0]);
	want[1] = value(defaults[i][1]);
	if (i == RLIMIT_NPROC || i == RLIMIT_SIGPENDING)
		want[0] = want[1] = now[RLIMIT_SIGPENDING][1];
	if (theirs && (i == RLIMIT_SIGPENDING || i == RLIMIT_MSGQUEUE))
		want[0] = want[1] /= 4;
	if (i == RLIMIT_MEMLOCK && now[i][1] == 65536)
		want[0] = want[1] = 65536;
}

/* A hard limit that cannot be raised stays: the box has less than it may have,
 * never more. */
static int set(struct run *r, int i, uint64_t want[2], uint64_t hard)
{
	long e = syscall(SYS_prlimit64, 0, i, want, NULL);

	if (e < 0 && errno == EPERM && want[1] > hard) {
		note(r, "rlimit.%s stays at %llu: raising it takes CAP_SYS_RESOURCE", cfg_rlimit_name(i), (unsigned long long)hard);
		want[1] = hard;
		want[0] = want[0] < hard ? want[0] : hard;
		e = syscall(SYS_prlimit64, 0, i, want, NULL);
	}
	return e < 0 ? fail(r, "rlimit.%s", cfg_rlimit_name(i)) : 0;
}

/* One read, in the order of the numbers, tells what there is to do. */
int caps_rlimits(struct run *r)
{
	enum { NAME = 27 };		/* a line's end and the width of the first column */
	const char *p = caps_status(r->proc, "self/limits");
	const struct rlim *asked = r->box->rlim;
	uint64_t now[ALL][2], want[2];
	int i, e = 0;

	for (i = 0; i < ALL; i++) {
		if (!p || !(p = strchr(p, '\n')) || memchr(p, '\0', NAME))
			return fail(r, "read /proc/self/limits");
		p = column(column(p + NAME, &now[i][0]), &now[i][1]);
	}
	for (i = 0; i < ALL && !e; i++, asked++) {
		if (asked->set)
			memcpy(want, asked, sizeof want);
		else
			usual(i, now, want, USERS(r->box) == NSM_NEW);
		if (want[0] != now[i][0] || want[1] != now[i][1])
			e = set(r, i, want, now[i][1]);
	}
	return e;
}
