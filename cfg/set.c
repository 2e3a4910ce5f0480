/*
 * set.c - the setters: one value of one key goes into struct box.
 *
 * Nothing here knows of lines and files: a second front end calls the same
 * functions. A value is cut in place and pointed into. A setter returns NULL
 * or what is wrong, as a phrase; cfg_mark() remembers who said it.
 */
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

static char whole[84];			/* the value before it is cut, for messages */

/* The same word again is the same wish. */
static const char *put(const char **list, uint8_t *n, int max, const char *v)
{
	const char *e;
	int i;

	for (i = 0; i < *n; i++)
		if (same(list[i], v)) {
			cfg_mark(i);
			return NULL;
		}
	if (!(e = cfg_add(n, max)))
		list[i] = v;
	return e;
}

static bool integer(const char *s, int min, int max, int *out)
{
	bool minus = *s == '-';
	uint64_t n;
	int v;

	if (!cfg_digits(s + minus, INT_MAX, &n))
		return false;
	v = minus ? -(int)n : (int)n;
	*out = v;
	return v >= min && v <= max;
}

/* ------------------------------------------------------------------ PROGRAM */

static const char *set_exec(struct box *b, char *v)
{
	const char *e;
	char *word;

	while (!(e = cfg_quoted(&v, &word, false)) && word) {
		if (b->narg == 0 && (!*word || (*word != '/' && strchr(word, '/'))))
			return cfg_bad(word, "a program", "/sbin/x, or x of PATH");
		if ((e = cfg_add(&b->narg, MAXARG)))
			break;
		b->argv[b->narg - 1] = word;
	}
	return e;
}

static const char *outside(const char *name, size_t len)
{
	char **e;

	for (e = environ; *e; e++)
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return *e;
	return NULL;
}

static const char *set_env(struct box *b, const char *v)
{
	size_t len = (size_t)(strchrnul(v, '=') - v);
	const char *e;
	int i;

	if (!cfg_chars(v, len, "", "0123456789"))
		return cfg_bad(v, "NAME=VALUE or NAME", NULL);
	if (!v[len] && !(v = outside(v, len)))
		return NULL;
	if (strchr(v, '\n'))
		return cfg_wrong("%.*s: a line break in the value", (int)len, v);
	for (i = 0; i < b->nenv && strncmp(b->env[i], v, len + 1) != 0; i++)
		;
	if (!(e = cfg_slot(i, &b->nenv, MAXENV)))
		b->env[i] = v;
	return e;
}

/* What looks like a number is one, wholly, and never falls back to a name. */
static bool is_id(const char *s, uint32_t *id)
{
	uint64_t n;

	if (strlen(s) > 10 || !cfg_digits(s, UINT32_MAX - 1, &n))
		return false;
	*id = (uint32_t)n;
	return true;
}

static bool is_login(const char *s)
{
	size_t n = strlen(s);

	return n < 33 && cfg_chars(s, n, "", "0123456789.-");
}

/* root is 0 without a look into any file: an image need not have a passwd,
 * and must not say otherwise. */
static const char *set_user(struct box *b, char *v)
{
	static const char like[] = "NAME, NAME:GROUP, UID, UID:GID, auto";
	uint32_t uid = ~0u, gid = ~0u;
	char *f[2];
	int n = cfg_fields(v, f, 2);
	bool group = n == 2, name;

	name = is_login(f[0]) && !same(f[0], "auto");
	if (same(f[0], "root"))
		uid = 0;
	if (n > 2 || (!name && !is_id(f[0], &uid) && (!same(f[0], "auto") || group)) ||
	    (group && !is_id(f[1], &gid) && !(name && is_login(f[1]))))
		return cfg_bad(whole, "a user", like);
	b->who = name && (uid || (group && gid == ~0u)) ? WHO_NAME : uid != ~0u ? WHO_NUMBER : WHO_AUTO;
	b->user = b->who == WHO_NAME ? f[0] : NULL;
	b->group = group && gid == ~0u ? f[1] : NULL;
	b->uid = uid;
	b->gid = !group && b->who == WHO_NUMBER ? uid : gid;
	return NULL;
}

static const char *set_groups(struct box *b, char *v)
{
	struct named g;
	const char *e;
	char *w;

	while ((w = cfg_word(&v))) {
		g.name = is_login(w) ? w : NULL;
		g.id = 0;
		if (!g.name && !is_id(w, &g.id))
			return cfg_bad(w, "a group", "NAME or GID");
		if ((e = cfg_add(&b->ngroup, MAXGRP)))
			return e;
		b->groups[b->ngroup - 1] = g;
	}
	return NULL;
}

/* -------------------------------------------------------------------- FILES */

static const char *set_root(struct box *b, char *v)
{
	const char *e;
	char *f[2];
	int n = cfg_fields(v, f, 2);

	if (n > 2 || (n == 2 && !same(f[1], "rw") && !same(f[1], "ro")))
		return cfg_bad(whole, "a root", "/, DIR, tmpfs; then :rw or nothing");
	if (n == 2)
		b->root_rw = f[1][1] == 'w';
	if (n == 2 && !*f[0])
		return NULL;
	b->rootdir = NULL;
	if (same(f[0], "tmpfs")) {
		b->root = ROOT_TMPFS;
		return NULL;
	}
	if ((e = cfg_path(&f[0])))
		return e;
	b->root = same(f[0], "/") ? ROOT_HOST : ROOT_DIR;
	b->rootdir = b->root == ROOT_DIR ? f[0] : NULL;
	return NULL;
}

static const char *set_inside(const char **at, char *v)
{
	if (!cfg_clean(v))
		return cfg_bad(v, "an absolute path inside", NULL);
	*at = v;
	return NULL;
}

/* One of the defaults that this kernel does not have needs no cover. */
static const char *set_paths(struct box *b, bool mask, char *v)
{
	uint8_t *n = mask ? &b->nmask : &b->nro;
	const char **list = mask ? b->mask : b->ro, *e;
	size_t len;
	bool dir;
	char *w;
	int i;

	while ((w = cfg_word(&v))) {
		dir = w[strlen(w) - 1] == '/';
		if (!cfg_clean(w) || !w[1] || strlen(w) > 500)
			return cfg_bad(w, "an absolute path inside", NULL);
		len = strlen(w);
		if (dir)
			memcpy(w + len, "/", 2);
		if ((e = put(list, n, MAXPATHS, w)))
			return e;
		for (i = 0; !same(list[i], w); i++)
			;
		if (mask)
			b->mask_skip[i] = !cfg_layer("mask", i) || cfg_is_default("mask", w);
	}
	return NULL;
}

/* words of `list`, which set and clear bits */
static const char *set_mounts(struct box *b, char *v)
{
	int i;
	char *w;

	while ((w = cfg_word(&v))) {
		for (i = 0; i < NDM && !(*w == '-' && same(mounts_name(i), w + 1)); i++)
			;
		if (i < NDM)
			b->mounts &= (uint16_t)~(1u << i);
		else if (same(w, "default"))
			b->mounts = (1u << NDM) - 1;
		else if (same(w, "none"))
			b->mounts = 0;
		else
			return cfg_bad(w, "known here", "default none -proc -dev -pts -shm -mqueue -sys -run -tmp");
	}
	cfg_mark(0);
	return NULL;
}

static const char *set_etc(struct box *b, char *v)
{
	const char *e;
	char *w;

	while ((w = cfg_word(&v))) {
		if (same(w, "none")) {
			cfg_unmark(key_find("etc"), -1);
			b->netc = 0;
		} else if (!cfg_name(w))
			return cfg_bad(w, "a name below /etc", NULL);
		else if ((e = put(b->etc, &b->netc, sizeof b->etc / sizeof *b->etc, w)))
			return e;
	}
	return NULL;
}

/* --------------------------------------------------------------- NAMESPACES */

static const char *set_ns(struct box *b, int ns, char *v)
{
	const char *e;

	b->nspath[ns] = b->nsbox[ns] = NULL;
	b->ns[ns] = NSM_JOIN;
	if (same(v, "host"))
		b->ns[ns] = NSM_HOST;
	else if (same(v, ns == NS_NET ? "none" : "new"))
		b->ns[ns] = NSM_NEW;
	else if (starts(v, "box:") && cfg_name(v + 4))
		b->nsbox[ns] = v + 4;
	else if (*v != '/' && *v != '.')
		return cfg_bad(v, ns == NS_NET ? "none, host, box:NAME or /PATH" : "new, host, box:NAME or /PATH", NULL);
	else if ((e = cfg_path(&v)))
		return e;
	else
		b->nspath[ns] = v;
	return NULL;
}

static const char *set_map(struct box *b, bool gid, char *v)
{
	struct idmap *map = gid ? b->gidmap : b->uidmap, m;
	uint8_t *n = gid ? &b->ngidmap : &b->nuidmap;
	const char *e;
	char *w, *f[3];

	while ((w = cfg_word(&v))) {
		if (same(w, "auto")) {
			cfg_empty(b, key_find(gid ? "gidmap" : "uidmap"));
			continue;
		}
		if (cfg_fields(w, f, 3) != 3 || !is_id(f[0], &m.in) || !is_id(f[1], &m.out) ||
		    !is_id(f[2], &m.count) || !m.count)
			return cfg_bad(whole, "IN:OUT:COUNT", "0:100000:65536");
		if (m.in + (uint64_t)m.count > UINT32_MAX || m.out + (uint64_t)m.count > UINT32_MAX)
			return cfg_wrong("%u:%u:%u goes beyond 4294967294", m.in, m.out, m.count);
		if ((e = cfg_add(n, MAXMAP)))
			return e;
		map[*n - 1] = m;
	}
	return NULL;
}

/* What is a box's name may be its host's. */
static const char *set_host(const char **at, const char *v)
{
	if (!cfg_name(v))
		return cfg_bad(v, "a host name", "letters digits _ + - . ; at most 64");
	*at = v;
	return NULL;
}

static const char *set_clock(int64_t *at, const char *v)
{
	bool minus = *v == '-';
	uint64_t ms;

	if (!cfg_time(v + minus, &ms) || ms % 1000 || ms / 1000 > INT32_MAX)
		return cfg_bad(v, "a time in whole seconds", "90s, -2h, 10d");
	*at = (int64_t)(ms / 1000) * (minus ? -1 : 1);
	return NULL;
}

/* ------------------------------------------------------------------- LIMITS */

/* 32 for 32M is an old slip; the box would die before its first page. */
static const char *set_size(struct box *b, int lim, const char *v)
{
	if (same(v, "max"))
		b->lim[lim] = LIM_MAX;
	else if (!cfg_size(v, &b->lim[lim]))
		return cfg_bad(v, "a size", "4M, 512K, 25%");
	else if (lim == LIM_MEM && b->lim[lim] < 64 * 1024)
		return cfg_wrong("\"%s\" is too little for any program; %sM?", v, v);
	return NULL;
}

static const char *set_count(struct box *b, int lim, const char *v)
{
	uint64_t min = lim == LIM_PIDS ? 2 : 1, max = lim == LIM_PIDS ? 4194304 : 10000;

	if (lim == LIM_PIDS && same(v, "max"))
		b->lim[lim] = LIM_MAX;
	else if (!cfg_digits(v, max, &b->lim[lim]) || b->lim[lim] < min)
		return cfg_bad(v, lim == LIM_PIDS ? "a number of 2..4194304, or max" : "a number of 1..10000", NULL);
	return NULL;
}

static const char *set_cpu(struct box *b, char *v)
{
	static const char like[] = "50%, 20000 100000, max";
	uint64_t quota, period = 100000;
	char *w = cfg_word(&v), *p = cfg_word(&v);
	size_t len = w ? strlen(w) : 0;

	if (!w || cfg_word(&v))
		return cfg_bad(whole, "a share of CPUs", like);
	b->cpu_period = 100000;
	b->lim[LIM_CPU] = LIM_MAX;
	if (same(w, "max") && !p)
		return NULL;
	if (!p && w[len - 1] == '%') {
		w[len - 1] = '\0';
		if (!cfg_digits(w, 100 * MAXCPU, &quota) || !quota)
			return cfg_bad(whole, "a share of CPUs", like);
		quota *= 1000;
	} else if (!p || !cfg_digits(w, UINT32_MAX, &quota) || quota < 1000)
		return cfg_bad(whole, "a share of CPUs", like);
	else if (!cfg_digits(p, 1000000, &period) || period < 1000)
		return cfg_bad(p, "a period of 1000..1000000 microseconds", NULL);
	b->lim[LIM_CPU] = quota;
	b->cpu_period = (uint32_t)period;
	return NULL;
}

/* Names only, one below the other: nothing climbs out of the hierarchy. */
static const char *set_cgroup(struct box *b, const char *v)
{
	const char *p = v, *end;

	for (;; p = end + 1) {
		end = strchrnul(p, '/');
		if (!cfg_chars(p, (size_t)(end - p), "0123456789", "0123456789.-") || end - v > 250)
			return cfg_bad(v, "NAME/NAME, relative to the top of the hierarchy", NULL);
		if (!*end)
			break;
	}
	b->cgroup = v;
	return NULL;
}

static bool rlimit_value(const char *s, uint64_t *n)
{
	if (same(s, "unlimited") || same(s, "max")) {
		*n = ~(uint64_t)0;
		return true;
	}
	return cfg_size(s, n) && *n < PERCENT;
}

static const char *set_rlimit(struct box *b, const char *sub, char *v)
{
	int i = cfg_rlimit(sub);
	struct rlim r = { .set = true };
	struct near near;
	const char *e;
	char *f[2];
	int n, k;

	if (i < 0) {
		near_begin(&near, sub);
		for (k = 0; k < 16; k++)
			if (cfg_rlimit_name(k))
				near_try(&near, cfg_rlimit_name(k));
		return cfg_wrong("no such limit%s", near_hint(&near));
	}
	if ((e = cfg_twice(i)))
		return e;
	n = cfg_fields(v, f, 2);
	if (n > 2 || !rlimit_value(f[0], &r.soft) || !rlimit_value(f[n - 1], &r.hard))
		return cfg_bad(whole, "SOFT[:HARD]", "1024:4096, 16M, unlimited");
	if (r.soft > r.hard)
		return cfg_wrong("the soft limit is above the hard one");
	b->rlim[i] = r;
	cfg_mark(i);
	return NULL;
}

static const char *set_nice(struct box *b, const char *v)
{
	int n;

	if (!integer(v, -20, 19, &n))
		return cfg_bad(v, "a number of -20..19", NULL);
	b->nice = (int8_t)n;
	b->has_nice = true;
	return NULL;
}

static const char *set_oom(struct box *b, const char *v)
{
	int n;

	if (!integer(v, -1000, 1000, &n))
		return cfg_bad(v, "a number of -1000..1000", NULL);
	b->oom_score_adj = (int16_t)n;
	b->has_oom = true;
	return NULL;
}

static const char *set_sched(struct box *b, char *v)
{
	static const char like[] = "other, batch, idle, fifo:10, rr:10";
	char *f[2];
	int n = cfg_fields(v, f, 2), policy, prio = 0;

	if (cfg_choice("other|batch|idle|fifo|rr", f[0], &policy) || (n == 2) != (policy > 2))
		return cfg_bad(whole, "a policy", like);
	if (n == 2 && !integer(f[1], 1, 99, &prio))
		return cfg_bad(f[1], "a priority of 1..99", NULL);
	b->sched = (int8_t)("\0\3\5\1\2"[policy]);	/* SCHED_OTHER BATCH IDLE FIFO RR */
	b->sched_prio = (uint8_t)prio;
	return NULL;
}

_Static_assert(SCHED_OTHER == 0 && SCHED_BATCH == 3 && SCHED_IDLE == 5 && SCHED_FIFO == 1 && SCHED_RR == 2,
	"numbers of set_sched");

static const char *set_ionice(struct box *b, char *v)
{
	char *f[2];
	int n = cfg_fields(v, f, 2), class, level = 0;

	if (cfg_choice("rt|be|idle", f[0], &class) || (n == 2) != (class < 2))
		return cfg_bad(whole, "a class", "rt:0..7, be:0..7, idle");
	if (n == 2 && !integer(f[1], 0, 7, &level))
		return cfg_bad(f[1], "a level of 0..7", NULL);
	b->ioprio = (uint16_t)((class + 1) << 13 | level);
	b->has_ioprio = true;
	return NULL;
}

static const char *set_affinity(struct box *b, char *v)
{
	char *w, *dash;
	uint64_t lo, hi;

	memset(b->affinity, 0, sizeof b->affinity);
	while ((w = cfg_word(&v))) {
		if ((dash = strchr(w, '-')))
			*dash = '\0';
		if (!cfg_digits(w, MAXCPU - 1, &lo) || (dash && !cfg_digits(dash + 1, MAXCPU - 1, &hi))) {
			if (dash)
				*dash = '-';
			return cfg_bad(w, "a CPU", "0, 2-3; 1023 at most");
		}
		if (!dash)
			hi = lo;
		if (hi < lo)
			return cfg_wrong("%s-%s runs backwards", w, dash + 1);
		for (; lo <= hi; lo++)
			b->affinity[lo / 64] |= (uint64_t)1 << lo % 64;
	}
	b->has_affinity = true;
	return NULL;
}

/* ------------------------------------------------------------------- RIGHTS */

static uint64_t all_caps(void)
{
	uint64_t all = 0;
	int i;

	for (i = 0; i < 64 && caps_name(i); i++)
		all |= (uint64_t)1 << i;
	return all;
}

static const char *no_cap(const char *w)
{
	struct near near;
	int i;

	near_begin(&near, starts(w, "CAP_") || starts(w, "cap_") ? w + 4 : w);
	for (i = 0; i < 64 && caps_name(i); i++)
		near_try(&near, caps_name(i));
	return cfg_wrong("\"%.*s\": no such capability%s", 40, w, near_hint(&near));
}

/* OCI: chown dac_override fowner fsetid kill setgid setuid setpcap
 * net_bind_service net_raw sys_chroot mknod audit_write setfcap */
static const uint64_t oci_caps = 0xa80425fb;

static const char *set_caps(uint64_t *at, char *v)
{
	uint64_t bit;
	bool minus;
	char *w;
	int n;

	while ((w = cfg_word(&v))) {
		minus = *w == '-';
		w += minus;
		if (same(w, "none"))
			bit = 0;
		else if (same(w, "all"))
			bit = all_caps();
		else if (same(w, "oci"))
			bit = oci_caps;
		else if ((n = caps_number(w, strlen(w))) >= 0)
			bit = (uint64_t)1 << n;
		else
			return no_cap(w);
		*at = minus ? *at & ~bit : bit ? *at | bit : 0;
	}
	cfg_mark(0);
	return NULL;
}

static const char *set_securebits(struct box *b, int row, char *v)
{
	uint32_t bits = 0;
	const char *e;
	char *w;
	int n;

	while ((w = cfg_word(&v))) {
		if ((e = cfg_choice(key_text(row, 0), w, &n)))
			return e;
		bits = n ? bits | 1u << (n - 1) : 0;
	}
	b->securebits = bits;
	return NULL;
}

/* The words are compiled when all layers are read. A first word without a
 * sign, and none of this layer before it: what was there is replaced. */
static const char *set_syscalls(struct box *b, char *v)
{
	const char *e;
	char *w;

	while (*v == ' ' || *v == '\t')
		v++;
	if (*v != '+' && *v != '-' && b->nsyscall && !cfg_twice(b->nsyscall - 1))
		cfg_empty(b, key_find("syscalls"));
	while (!(e = cfg_quoted(&v, &w, true)) && w) {
		if ((e = cfg_add(&b->nsyscall, MAXWORD)))
			break;
		b->syscalls[b->nsyscall - 1] = w;
	}
	return e;
}

static const char *set_label(const char **at, const char *v)
{
	if (!cfg_printable(v))
		return "a control character in it";
	*at = v;
	return NULL;
}

/* Dots only: a slash, or two dots, would name another file below /proc/sys. */
static bool is_sysctl(const char *s)
{
	const char *end;

	for (;; s = end + 1) {
		end = strchrnul(s, '.');
		if (!cfg_chars(s, (size_t)(end - s), "0123456789-", "0123456789-"))
			return false;
		if (!*end)
			return true;
	}
}

static const char *set_sysctl(struct box *b, const char *sub, const char *v)
{
	const char *e;
	int i;

	if (!is_sysctl(sub))
		return "not a name of words and single dots";
	if (!cfg_printable(v))
		return "a control character in it";
	for (i = 0; i < b->nsysctl && !same(b->sysctl[i].key, sub); i++)
		;
	if (!(e = cfg_slot(i, &b->nsysctl, MAXSYSCTL)))
		b->sysctl[i] = (struct pair){ sub, v };
	return e;
}

static const char *set_personality(struct box *b, const char *v)
{
	uint64_t n;

	if (same(v, "linux"))
		n = 0;
	else if (same(v, "linux32"))
		n = 8;			/* PER_LINUX32 */
	else if (!cfg_digits(v, 0x7fffffff, &n))
		return cfg_bad(v, "linux, linux32 or a number", NULL);
	b->persona = (uint32_t)n;
	b->has_persona = true;
	return NULL;
}

/* --------------------------------------------------------------------- LIFE */

static const char *set_after(struct box *b, char *v)
{
	const char *e;
	char *w;

	while ((w = cfg_word(&v)))
		if (!cfg_name(w))
			return cfg_bad(w, "the name of a box", NULL);
		else if ((e = put(b->after, &b->nafter, MAXAFTER, w)))
			return e;
	return NULL;
}

static const char *set_signal(struct box *b, const char *v)
{
	struct near near;
	int n = cfg_signal(v);

	if (n > 0) {
		b->stop_signal = (uint8_t)n;
		return NULL;
	}
	near_begin(&near, v);
	for (n = 1; n < 32; n++)
		if (cfg_signal_name(n))
			near_try(&near, cfg_signal_name(n));
	return cfg_wrong("\"%.*s\" is not a signal%s", 40, v, near_hint(&near));
}

static const char *set_timeout(struct box *b, const char *v)
{
	uint64_t ms;

	if (!cfg_time(v, &ms))
		return cfg_bad(v, "a time", "500ms, 5s, 10m");
	if (ms > 24 * 3600 * 1000)
		return cfg_wrong("\"%s\" is more than a day", v);
	b->stop_ms = (uint32_t)ms;
	return NULL;
}

static const char *set_name(struct box *b, const char *v)
{
	if (!cfg_name(v))
		return cfg_bad(v, "a name", "letters digits _ + - . ; at most 64");
	b->name = v;
	return NULL;
}

/* ------------------------------------------------------------- one for all */

static const char *set_choice(const struct key *k, int row, void *at, const char *v)
{
	const char *e;
	int n;

	if ((e = cfg_choice(key_text(row, 0), v, &n)))
		return e;
	if (k->type == T_CHOICE)
		*(uint8_t *)at = (uint8_t)n;
	else if (k->type == T_ENUM)
		*(int *)at = n;
	return NULL;
}

static const char *set_umask(struct box *b, const char *v)
{
	return cfg_octal(v, 0777, &b->umask) ? NULL : cfg_bad(v, "octal", "022");
}

static const char *set_limit(struct box *b, const struct key *k, char *v, bool skip)
{
	int lim = (int)(k->at - offsetof(struct box, lim)) / (int)sizeof b->lim[0];

	b->lim_skip = (uint8_t)((b->lim_skip & ~(1u << lim)) | (unsigned)skip << lim);
	if (k->type == T_CPU)
		return set_cpu(b, v);
	return k->type == T_SIZE ? set_size(b, lim, v) : set_count(b, lim, v);
}

static const char *set(struct box *b, int row, const char *sub, char *v, bool skip)
{
	const struct key *k = key_row(row);
	void *at = (char *)b + k->at;

	switch ((enum keytype)k->type) {
	case T_EXEC: return set_exec(b, v);
	case T_CWD: return set_inside(&b->cwd, v);
	case T_ENV: return set_env(b, v);
	case T_USER: return set_user(b, v);
	case T_GROUPS: return set_groups(b, v);
	case T_UMASK: return set_umask(b, v);
	case T_CHOICE: case T_ENUM: case T_ONLY: return set_choice(k, row, at, v);
	case T_ROOT: return set_root(b, v);
	case T_BIND: return cfg_set_mnt(b, MNT_BIND, v, skip);
	case T_TMPFS: return cfg_set_mnt(b, MNT_TMPFS, v, skip);
	case T_MOUNT: return cfg_set_mnt(b, MNT_FS, v, skip);
	case T_MOUNTS: return set_mounts(b, v);
	case T_ETC: return set_etc(b, v);
	case T_DEVICE: return cfg_set_device(b, v, skip);
	case T_PATHS: return set_paths(b, at == b->mask, v);
	case T_NS: return set_ns(b, (int)(k->at - offsetof(struct box, ns)), v);
	case T_MAP: return set_map(b, at == b->gidmap, v);
	case T_HOST: return set_host(at, v);
	case T_CLOCK: return set_clock(at, v);
	case T_SIZE: case T_COUNT: case T_WEIGHT: case T_CPU: return set_limit(b, k, v, skip);
	case T_CGROUP: return set_cgroup(b, v);
	case T_RLIMIT: return set_rlimit(b, sub, v);
	case T_NICE: return set_nice(b, v);
	case T_SCHED: return set_sched(b, v);
	case T_IONICE: return set_ionice(b, v);
	case T_AFFINITY: return set_affinity(b, v);
	case T_OOM: return set_oom(b, v);
	case T_CAPS: return set_caps(at, v);
	case T_SYSCALLS: return set_syscalls(b, v);
	case T_LABEL: return set_label(at, v);
	case T_SECBITS: return set_securebits(b, row, v);
	case T_SYSCTL: return set_sysctl(b, sub, v);
	case T_PERSONA: return set_personality(b, v);
	case T_AFTER: return set_after(b, v);
	case T_SIGNAL: return set_signal(b, v);
	case T_TIME: return set_timeout(b, v);
	case T_NAME: return set_name(b, v);
	case T_USE: case T_INCLUDE: break;	/* the reader has followed them */
	}
	return NULL;
}

const char *cfg_set(struct box *b, int row, const char *sub, char *value, bool skip)
{
	bool scalar = !(key_row(row)->flags & (K_LIST | K_SUB));
	const char *e = scalar ? cfg_twice(0) : NULL;

	fmt(whole, sizeof whole, "%s", value);
	if (!e)
		e = set(b, row, sub, value, skip);
	if (!e && scalar)
		cfg_mark(0);
	return e;
}

static void empty_mnt(struct box *b, int kind)
{
	int i;

	for (i = b->nmnt - 1; i >= 0; i--)
		if (b->mnt[i].kind == kind)
			cfg_drop_mnt(b, i);
}

void cfg_empty(struct box *b, int row)
{
	const struct key *k = key_row(row);
	void *at = (char *)b + k->at;

	cfg_unmark(row, -1);
	if (k->type == T_BIND || k->type == T_TMPFS || k->type == T_MOUNT)
		empty_mnt(b, k->type == T_BIND ? MNT_BIND : k->type == T_TMPFS ? MNT_TMPFS : MNT_FS);
	else if (k->type == T_CAPS) {
		*(uint64_t *)at = 0;
		cfg_mark(0);
	} else if (k->type == T_MOUNTS)
		b->mounts = 0;
	else {
		struct { uint16_t at; uint8_t *n; } lists[] = {
			{ offsetof(struct box, argv), &b->narg }, { offsetof(struct box, env), &b->nenv },
			{ offsetof(struct box, groups), &b->ngroup }, { offsetof(struct box, etc), &b->netc },
			{ offsetof(struct box, dev), &b->ndev }, { offsetof(struct box, mask), &b->nmask },
			{ offsetof(struct box, ro), &b->nro }, { offsetof(struct box, uidmap), &b->nuidmap },
			{ offsetof(struct box, gidmap), &b->ngidmap }, { offsetof(struct box, syscalls), &b->nsyscall },
			{ offsetof(struct box, after), &b->nafter },
		};
		unsigned i;

		for (i = 0; i < sizeof lists / sizeof *lists; i++)
			if (lists[i].at == k->at)
				*lists[i].n = 0;
	}
}
