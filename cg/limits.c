/* limits.c - the limits, under the kernel's v2 names, in whichever hierarchy
 * holds their controller. Written before the first process is inside. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

enum { DEPTH = 8 };		/* of "../" up to the top of the v2 tree */

static const struct knob {
	char	file[16], v1[28];
	char	option[22];	/* of the kernel, after CONFIG_, that brings the file */
	uint8_t	ctl;
} knobs[NLIM] = {
	[LIM_MEM]    = { "memory.max", "memory.limit_in_bytes", "MEMCG", CTL_MEMORY },
	[LIM_SWAP]   = { "memory.swap.max", "memory.memsw.limit_in_bytes", "MEMCG_SWAP", CTL_MEMORY },
	[LIM_PIDS]   = { "pids.max", "pids.max", "CGROUP_PIDS", CTL_PIDS },
	[LIM_CPU]    = { "cpu.max", "cpu.cfs_quota_us", "CFS_BANDWIDTH", CTL_CPU },
	[LIM_WEIGHT] = { "cpu.weight", "cpu.shares", "FAIR_GROUP_SCHED", CTL_CPU },
};

int cg_knob_ctl(int lim)
{
	return knobs[lim].ctl;
}

bool cg_asked(const struct box *b, int lim)
{
	return b->lim[lim] != LIM_NONE && b->lim[lim] != LIM_MAX;
}

static uint64_t bytes(uint64_t v)
{
	return v & PERCENT ? ram() / 100 * (v & ~PERCENT) : v;
}

/* v1 counts memory and swap together, so swap alone cannot be said there. */
static int memsw(struct run *r, uint64_t *v)
{
	if (!cg_asked(r->box, LIM_MEM))
		return fail_not(r, "memory.swap.max: cgroup v1 limits memory and swap together: set memory.max too");
	*v += bytes(r->box->lim[LIM_MEM]);
	return 0;
}

/* The text that is written. Shares are the kernel's own reading of a weight:
 * 100 is 1024. */
static const char *value(struct run *r, int i, bool v1)
{
	uint64_t v = bytes(r->box->lim[i]);

	if (v1 && i == LIM_SWAP && memsw(r, &v) != 0)
		return NULL;
	if (v1 && i == LIM_WEIGHT)
		v = v < 1 ? 2 : ((uint32_t)v * 1024 + 50) / 100;
	return fmts(v1 || i != LIM_CPU ? "%llu" : "%llu %u", (unsigned long long)v, r->box->cpu_period);
}

/* One level of the v2 tree, `up` directories above the leaf. */
static int subtree(struct run *r, int up, const char *what)
{
	char path[3 * DEPTH + 32];
	int i;

	for (i = 0; i < up; i++)
		memcpy(path + 3 * i, "../", 3);
	copy(path + 3 * i, sizeof path - 3 * DEPTH, "cgroup.subtree_control");
	return what ? write_at(r->cgroup2, path, what) : faccessat(r->cgroup2, path, F_OK, 0);
}

/* At the nearest level: that is enough but for the first box after the boot.
 * Else from the top down, because a directory hands on what it was given. */
static void enable(struct run *r, const char *what)
{
	int up = 1;

	if (subtree(r, up, what) == 0)
		return;
	while (up < DEPTH && subtree(r, up + 1, NULL) == 0)
		up++;
	for (; up > 0; up--)
		(void)subtree(r, up, what);
}

/* The controllers of all limits that no v1 hierarchy holds, in one write. One
 * that is not there fails it whole: then each is asked for itself. */
static void enable_all(struct run *r)
{
	char all[64] = "";
	size_t n = 0;
	int i;

	for (i = 0; i < NLIM; i++)
		if (cg_asked(r->box, i) && !(r->cg1 & 1u << knobs[i].ctl))
			n += fmt(all + n, sizeof all - n, "+%s ", cg_name(knobs[i].ctl));
	enable(r, all);
}

static bool has_word(const char *text, const char *word, char before, char after)
{
	size_t n = strlen(word);
	const char *p;

	for (p = strstr(text, word); p; p = strstr(p + 1, word))
		if (p != text && (before ? p[-1] == before : p[-1] == '=' || p[-1] == ',') &&
		    (after ? p[n] == after : p[n] == ',' || p[n] <= ' '))
			return true;
	return false;
}

/* Why there is no such controller, as far as the kernel tells. */
static const char *why_no_controller(struct run *r, int ctl)
{
	const char *name = cg_name(ctl), *p;

	if ((p = caps_status(r->proc, "cmdline")) && (p = strstr(p, "cgroup_disable=")) && has_word(p, name, 0, 0))
		return fmts("no %s controller - cgroup_disable=%s is on the kernel's command line", name, name);
	if ((p = caps_status(r->proc, "cgroups")) && has_word(p, name, '\n', '\t'))
		return fmts("no %s controller - its hierarchy is not mounted below /sys/fs/cgroup, or not ours to write", name);
	return fmts("no %s controller - CONFIG_%s", name,
		ctl == CTL_CPU ? "CGROUP_SCHED" : knobs[ctl == CTL_PIDS ? LIM_PIDS : LIM_MEM].option);
}

/* The file is not there: `?` lets the box go on without it. Without swap in
 * the kernel there is nothing to limit. */
static int missing(struct run *r, int i)
{
	const struct knob *k = &knobs[i];
	const char *why, *have;
	bool controller = r->cg1 & 1u << k->ctl;
	bool skip = r->box->lim_skip & 1u << i;

	if (i == LIM_SWAP && faccessat(r->proc, "swaps", F_OK, 0) < 0 && errno == ENOENT)
		return 0;
	if (!controller && r->cgroup2 < 0 && skip)
		return 0;		/* cg_make has said so */
	if (!controller && (have = caps_status(r->cgroup2, "cgroup.controllers")))
		controller = has_word(fmts(" %s", have), cg_name(k->ctl), ' ', 0);
	why = controller ? fmts("not in this kernel - CONFIG_%s", k->option) : why_no_controller(r, k->ctl);
	if (!skip)
		return fail_not(r, "%s: %s", k->file, why);
	note(r, "%s: %s: not limited", k->file, why);
	return 0;
}

int cg_put(int ctl, const char *file, const char *text)
{
	return write_at(AT_FDCWD, fmts("%s/%s", cg_path(ctl), file), text);
}

static int put_v2(struct run *r, int i, const char *text, bool *enabled)
{
	const struct knob *k = &knobs[i];
	int e = write_at(r->cgroup2, k->file, text);

	if (e < 0 && errno == ENOENT && !*enabled) {
		*enabled = true;
		enable_all(r);
		e = write_at(r->cgroup2, k->file, text);
	}
	if (e == 0 || errno != ENOENT)
		return e;
	enable(r, fmts("+%s", cg_name(k->ctl)));
	return write_at(r->cgroup2, k->file, text);
}

static int put(struct run *r, int i, bool *enabled)
{
	const struct knob *k = &knobs[i];
	bool v1 = r->cg1 & 1u << k->ctl;
	const char *text;
	int e;

	if (!v1 && r->cgroup2 < 0)
		return missing(r, i);
	if (!(text = value(r, i, v1)))
		return -EINVAL;
	if (v1 && i == LIM_CPU && cg_put(k->ctl, "cpu.cfs_period_us", fmts("%u", r->box->cpu_period)) < 0 && errno != ENOENT)
		return fail(r, "%s: period %u", k->file, r->box->cpu_period);
	e = v1 ? cg_put(k->ctl, k->v1, text) : put_v2(r, i, text, enabled);
	if (e < 0)
		return errno == ENOENT ? missing(r, i) : fail(r, "%s: write %s", k->file, text);
	return 0;
}

int cg_limits(struct run *r)
{
	bool enabled = false;
	int i, e = 0;

	for (i = 0; i < NLIM && !e; i++)
		if (cg_asked(r->box, i))
			e = put(r, i, &enabled);
	return e;
}
