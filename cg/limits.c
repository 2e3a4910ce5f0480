/* limits.c - the limits, under the kernel's v2 names, in whichever hierarchy
 * holds their controller. Written before the first process is inside. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

/* Of one limit: the file, what v1 calls it, and the option of the kernel, after
 * CONFIG_, that brings it. */
enum { FILE, V1, OPTION };
static const char knobs[] = TEXT
	"memory.max\0memory.limit_in_bytes\0MEMCG\0"
	"memory.swap.max\0memory.memsw.limit_in_bytes\0MEMCG_SWAP\0"
	"pids.max\0pids.max\0CGROUP_PIDS\0"
	"cpu.max\0cpu.cfs_quota_us\0CFS_BANDWIDTH\0"
	"cpu.weight\0cpu.shares\0FAIR_GROUP_SCHED";

static const char *knob(int lim, int what)
{
	return nth(knobs, 3 * lim + what);
}

int cg_knob_ctl(int lim)
{
	return lim < LIM_PIDS ? CTL_MEMORY : lim == LIM_PIDS ? CTL_PIDS : CTL_CPU;
}

bool cg_asked(const struct box *b, int lim)
{
	return b->lim[lim] != LIM_NONE && b->lim[lim] != LIM_MAX;
}

int cg_put(int ctl, const char *file, const char *text)
{
	return write_at(AT_FDCWD, cg_file(ctl, file), text);
}

static uint64_t bytes(uint64_t v)
{
	return v & PERCENT ? ram() / 100 * (v & ~PERCENT) : v;
}

/* The text that is written; NULL: v1 counts memory and swap together, so swap
 * alone cannot be said there. Shares are the kernel's own reading of a weight:
 * 100 is 1024. */
static const char *value(const struct box *b, int i, bool v1)
{
	uint64_t v = bytes(b->lim[i]);

	if (v1 && i == LIM_SWAP) {
		if (!cg_asked(b, LIM_MEM))
			return NULL;
		v += bytes(b->lim[LIM_MEM]);
	}
	if (v1 && i == LIM_WEIGHT)
		v = v < 1 ? 2 : ((uint32_t)v * 1024 + 50) / 100;
	return fmts(v1 || i != LIM_CPU ? "%llu" : "%llu %u", (unsigned long long)v, b->cpu_period);
}

/* The file is not there: `?` lets the box go on without it. Without swap in
 * the kernel there is nothing to limit. why: NULL: but its controller is. */
static int missing(struct run *r, int i, const char *why)
{
	const char *name = cg_name(cg_knob_ctl(i)), *no = why ? "no" : "not in the";
	bool skip = r->box->lim_skip >> i & 1;

	if (i == LIM_SWAP && faccessat(r->proc, "swaps", F_OK, 0) < 0 && errno == ENOENT)
		return 0;
	if (skip && !r->cg1 && r->cgroup2 < 0)
		return 0;		/* cg_make has said so */
	if (!why)
		why = fmts("CONFIG_%s", knob(i, OPTION));
	if (!skip)
		return fail_not(r, "%s: %s %s controller - %s", knob(i, FILE), no, name, why);
	note(r, "%s: %s %s controller - %s: not limited", knob(i, FILE), no, name, why);
	return 0;
}

static int put(struct run *r, int i)
{
	int ctl = cg_knob_ctl(i), e;
	bool v1 = r->cg1 >> ctl & 1;
	const char *file = knob(i, v1 ? V1 : FILE), *text = value(r->box, i, v1), *why = NULL;

	if (!v1 && r->cgroup2 < 0)
		return missing(r, i, cg_enable(r, ctl));
	if (!text)
		return fail_not(r, "memory.swap.max: cgroup v1 limits memory and swap together: set memory.max too");
	if (v1 && i == LIM_CPU && cg_put(ctl, "cpu.cfs_period_us", fmts("%u", r->box->cpu_period)) < 0 && errno != ENOENT)
		return fail(r, "cpu.max: period %u", r->box->cpu_period);
	e = cg_put(v1 ? ctl : NCTL, file, text);
	if (e < 0 && errno == ENOENT && !v1 && !(why = cg_enable(r, ctl)))
		e = cg_put(NCTL, file, text = value(r->box, i, v1));	/* paths have taken the buffers of fmts() */
	if (e < 0 && (why || errno == ENOENT))
		return missing(r, i, why);
	return e < 0 ? fail(r, "%s: write %s", file, text) : 0;
}

int cg_limits(struct run *r)
{
	int i, e = 0;

	for (i = 0; i < NLIM && !e; i++)
		if (cg_asked(r->box, i))
			e = put(r, i);
	return e;
}
