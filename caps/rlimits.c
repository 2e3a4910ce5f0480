/* rlimits.c - limits of a process: those asked for, and the kernel's own where
 * others were inherited. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "husk.h"

enum { ALL = 16 };

/* As the kernel starts its first process; 1: without limit. Numbers 6 and 11
 * (processes, pending signals) it computes from the machine's memory. */
static const uint32_t defaults[ALL][2] = {
	{ 1, 1 }, { 1, 1 }, { 1, 1 }, { 8 << 20, 1 }, { 0, 1 }, { 1, 1 }, { 0, 0 }, { 1024, 4096 },
	{ 8 << 20, 8 << 20 }, { 1, 1 }, { 1, 1 }, { 0, 0 }, { 819200, 819200 }, { 0, 0 }, { 0, 0 }, { 1, 1 },
};

static uint64_t value(uint32_t v)
{
	return v == 1 ? ~(uint64_t)0 : v;
}

/* A column of /proc/self/limits. */
static const char *column(const char *s, uint64_t *v)
{
	while (*s == ' ')
		s++;
	*v = *s == 'u' ? ~(uint64_t)0 : 0;
	for (; *s > ' '; s++)
		if (*s >= '0' && *s <= '9')
			*v = *v * 10 + (uint64_t)(*s - '0');
	return s;
}

/* Both computed ones have one value after boot: who changed one of them changed
 * it away from that. */
static uint64_t computed(struct run *r, const struct rlim *now)
{
	const struct rlim *p = now + RLIMIT_NPROC, *s = now + RLIMIT_SIGPENDING;
	const char *text;
	uint64_t v;

	if (p->soft == p->hard && p->soft == s->soft && s->soft == s->hard)
		return p->soft;
	if (!(text = caps_status(r->proc, "sys/kernel/threads-max")))
		return p->hard;
	column(text, &v);
	return v / 2;
}

/* The kernel's own for limit i; locked memory was 64 KiB before 5.16. */
static struct rlim usual(struct run *r, const struct rlim *now, int i)
{
	struct rlim want = { value(defaults[i][0]), value(defaults[i][1]), false };

	if (i == RLIMIT_NPROC || i == RLIMIT_SIGPENDING)
		want.soft = want.hard = computed(r, now);
	if (i == RLIMIT_MEMLOCK && now[i].soft == 65536 && now[i].hard == 65536)
		want = now[i];
	return want;
}

/* A hard limit that cannot be raised stays: the box has less than it may have,
 * never more. */
static int set(struct run *r, int i, const struct rlim *want, uint64_t hard)
{
	struct rlimit l = { want->soft, want->hard };

	if (setrlimit(i, &l) == 0)
		return 0;
	if (errno != EPERM || want->hard <= hard)
		return fail(r, "rlimit.%s", cfg_rlimit_name(i));
	l.rlim_max = hard;
	l.rlim_cur = want->soft < hard ? want->soft : hard;
	if (setrlimit(i, &l) < 0)
		return fail(r, "rlimit.%s", cfg_rlimit_name(i));
	note(r, "rlimit.%s stays at %llu: raising it takes CAP_SYS_RESOURCE", cfg_rlimit_name(i),
		(unsigned long long)hard);
	return 0;
}

/* One read, in the order of the numbers, tells what there is to do. */
int caps_rlimits(struct run *r)
{
	enum { NAME = 26 };		/* the width of the first column */
	const char *p = caps_status(r->proc, "self/limits");
	struct rlim now[ALL], want;
	int i, e;

	if (!p)
		return fail(r, "read /proc/self/limits");
	for (i = 0; i < ALL; i++) {
		while (*p && *p++ != '\n')
			;
		if (memchr(p, '\0', NAME))
			return fail_not(r, "/proc/self/limits is damaged");
		p = column(column(p + NAME, &now[i].soft), &now[i].hard);
	}
	for (i = 0; i < ALL; i++) {
		want = r->box->rlim[i].set ? r->box->rlim[i] : usual(r, now, i);
		if ((want.soft != now[i].soft || want.hard != now[i].hard) && (e = set(r, i, &want, now[i].hard)) != 0)
			return e;
	}
	return 0;
}
