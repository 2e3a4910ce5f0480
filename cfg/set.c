/*
 * set.c - the setters: one value of one key goes into struct box.
 *
 * Nothing here knows of lines and files: a second front end calls the same
 * functions. A value is cut in place and pointed into. A setter returns NULL
 * or what is wrong, as a phrase; what a value has to be stands in keys.c.
 * cfg_mark() remembers who said it.
 */
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

static char whole[84];			/* the value before it is cut, for messages */

static int seek(const char *const *list, int n, const char *v)
{
	int i;

	for (i = 0; i < n && !same(list[i], v); i++)
		;
	return i;
}

/* The same word again is the same wish. */
static const char *put(const char **list, uint8_t *n, int max, const char *v)
{
	int i = seek(list, *n, v);

	if (i < *n) {
		cfg_mark(i);
		return NULL;
	}
	if (i < max)
		list[i] = v;
	return cfg_add(n, max);
}

static bool integer(const char *s, int min, int max, int *out)
{
	bool minus = *s == '-';
	uint32_t n;

	if (!cfg_digits(s + minus, INT_MAX, &n))
		return false;
	*out = minus ? -(int)n : (int)n;
	return *out >= min && *out <= max;
}

/* Names, one below the other: no empty one, none of dots alone. */
static bool parts(const char *s, int separator, const char *also)
{
	const char *end;

	for (;; s = end + 1) {
		end = strchrnul(s, separator);
		if (!cfg_chars(s, (size_t)(end - s), also))
			return false;
		if (!*end)
			return true;
	}
}

/* ------------------------------------------------------------------ PROGRAM */

const char *cfg_program(const char *v)
{
	return *v == '/' || (*v && !strchr(v, '/')) ? NULL : cfg_not(v);
}

static const char *set_exec(struct box *b, char *v)
{
	const char *e;
	char *word;

	while (!(e = cfg_quoted(&v, &word, false)) && word) {
		if ((b->narg == 0 && (e = cfg_program(word))) || (e = cfg_add(&b->narg, MAXARG)))
			break;
		b->argv[b->narg - 1] = word;
		b->argv[b->narg] = NULL;
	}
	return e;
}

/* A NAME alone is one that is not there outside. */
static const char *set_env(struct box *b, const char *v)
{
	size_t len = (size_t)(strchrnul(v, '=') - v);
	const char *e;
	int i;

	if (!cfg_chars(v, len, " 0"))
		return cfg_not(v);
	if (!v[len])
		return NULL;
	if (v[strcspn(v, "\r\n")])
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
	return strlen(s) <= 10 && cfg_digits(s, UINT32_MAX - 1, id);
}

static bool is_login(const char *s)
{
	size_t n = strlen(s);

	return n < 33 && cfg_chars(s, n, " 0.-");
}

/* root is 0 without a look into any file: an image need not have a passwd,
 * and must not say otherwise. */
static const char *set_user(struct box *b, char *v)
{
	uint32_t uid = ~0u, gid = ~0u;
	char *f[2];
	int n = cfg_fields(v, f, 2);
	bool group = n == 2, name;

	name = is_login(f[0]) && !same(f[0], "auto");
	if (same(f[0], "root"))
		uid = 0;
	if (n > 2 || (!name && !is_id(f[0], &uid) && (!same(f[0], "auto") || group)) ||
	    (group && !is_id(f[1], &gid) && !(name && is_login(f[1]))))
		return cfg_not(whole);
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
			return cfg_not(w);
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
		return cfg_not(whole);
	if (n == 2) {
		if ((e = cfg_twice(1)))
			return e;
		b->root_rw = f[1][1] == 'w';
		cfg_mark(1);
		if (!*f[0])
			return NULL;
	}
	b->root = same(f[0], "tmpfs") ? ROOT_TMPFS : ROOT_DIR;
	if ((e = cfg_twice(0)) || (b->root == ROOT_DIR && (e = cfg_path(f[0]))))
		return e;
	cfg_mark(0);
	if (same(f[0], "/"))
		b->root = ROOT_HOST;
	b->rootdir = f[0];
	return NULL;
}

static const char *set_inside(const char **at, char *v)
{
	if (!cfg_clean(v))
		return cfg_not(v);
	*at = v;
	return NULL;
}

/* One of the defaults that this kernel does not have needs no cover. */
static const char *set_paths(struct box *b, uint8_t *n, char *v)
{
	const char **list = n == &b->nmask ? b->mask : b->ro, *e;
	size_t len;
	bool dir;
	char *w;
	int i;

	while ((w = cfg_word(&v))) {
		dir = w[strlen(w) - 1] == '/';
		if (!cfg_clean(w) || !w[1] || (len = strlen(w)) > 500)
			return cfg_not(w);
		if (dir)
			memcpy(w + len, "/", 2);
		if ((e = put(list, n, MAXPATHS, w)))
			return e;
		i = seek(list, *n, w);
		if (list == b->mask)
			b->mask_skip[i] = !cfg_layer("mask", i) || cfg_is_default("mask", w);
	}
	return NULL;
}

/* default|none|-proc|...: lines add up, but these two begin anew. */
static const char *set_mounts(struct box *b, char *v)
{
	char *w;
	int i;

	while ((w = cfg_word(&v))) {
		if ((i = cfg_index(key_what(cfg.key), w)) < 0)
			return cfg_not(w);
		if (i < 2)
			cfg_unmark(cfg.key, -1);
		b->mounts = i == 0 ? (1u << NDM) - 1 : i == 1 ? 0 : b->mounts & ~(1u << (i - 2));
	}
	cfg_mark_line();
	return NULL;
}

static const char *set_etc(struct box *b, char *v)
{
	const char *e;
	char *w;

	while ((w = cfg_word(&v))) {
		if (same(w, "none"))
			cfg_empty(b, cfg.key);
		else if (!cfg_name(w))
			return cfg_not(w);
		else if ((e = put(b->etc, &b->netc, sizeof b->etc / sizeof *b->etc, w)))
			return e;
	}
	return NULL;
}

/* --------------------------------------------------------------- NAMESPACES */

static const char *set_ns(struct box *b, int ns, char *v)
{
	int mode = cfg_index(ns == NS_NET ? "none|host" : "new|host", v);

	b->nspath[ns] = b->nsbox[ns] = NULL;
	b->ns[ns] = mode < 0 ? NSM_JOIN : (uint8_t)mode;
	if (mode >= 0)
		return NULL;
	if (starts(v, "box:") && cfg_name(v + 4)) {
		b->nsbox[ns] = v + 4;
		return NULL;
	}
	if (*v != '/' && *v != '.')
		return cfg_not(v);
	b->nspath[ns] = v;
	return cfg_path(v);
}

static const char *set_map(struct box *b, uint8_t *n, char *v)
{
	struct idmap *map = n == &b->nuidmap ? b->uidmap : b->gidmap, m;
	const char *e;
	char *w, *f[3];

	while ((w = cfg_word(&v))) {
		if (same(w, "auto")) {
			cfg_empty(b, cfg.key);
			continue;
		}
		if (cfg_fields(w, f, 3) != 3 || !is_id(f[0], &m.in) || !is_id(f[1], &m.out) ||
		    !is_id(f[2], &m.count) || !m.count)
			return cfg_not(whole);
		if (m.count > ~m.in || m.count > ~m.out)
			return cfg_wrong("%u:%u:%u goes beyond 4294967294", m.in, m.out, m.count);
		if ((e = cfg_add(n, MAXMAP)))
			return e;
		map[*n - 1] = m;
	}
	return NULL;
}

/* What is a box's name may be its host's. */
static const char *set_name(const char **at, const char *v)
{
	if (!cfg_name(v))
		return cfg_not(v);
	*at = v;
	return NULL;
}

static const char *set_clock(int64_t *at, const char *v)
{
	bool minus = *v == '-';
	uint64_t ms;

	if (!cfg_time(v + minus, &ms) || ms % 1000 || ms / 1000 > INT32_MAX)
		return cfg_not(v);
	*at = (int64_t)(ms / 1000) * (minus ? -1 : 1);
	return NULL;
}

/* ------------------------------------------------------------------- LIMITS */

/* 32 for 32M is an old slip; the box would die before its first page. */
static const char *set_size(struct box *b, uint64_t *at, const char *v)
{
	if (!cfg_size(v, at))
		return cfg_not(v);
	if (at == &b->lim[LIM_MEM] && *at < 64 * 1024)
		return cfg_wrong("\"%s\" is too little for any program; %sM?", v, v);
	return NULL;
}

static const char *set_count(bool pids, uint64_t *at, const char *v)
{
	uint32_t n;

	if (!cfg_digits(v, pids ? 4194304 : 10000, &n) || n < (pids ? 2 : 1))
		return cfg_not(v);
	*at = n;
	return NULL;
}

static const char *set_cpu(struct box *b, char *v)
{
	char *w = cfg_word(&v), *p = cfg_word(&v);
	size_t last = w ? strlen(w) - 1 : 0;
	uint32_t quota;

	if (!w || cfg_word(&v))
		return cfg_not(whole);
	if (!p && w[last] == '%') {
		w[last] = '\0';
		if (!cfg_digits(w, 100 * MAXCPU, &quota) || !quota)
			return cfg_not(whole);
		quota *= 1000;
	} else if (!p || !cfg_digits(w, UINT32_MAX, &quota) || quota < 1000)
		return cfg_not(whole);
	else if (!cfg_digits(p, 1000000, &b->cpu_period) || b->cpu_period < 1000)
		return cfg_bad(p, "a period of 1000..1000000 microseconds");
	b->lim[LIM_CPU] = quota;
	return NULL;
}

static const char *set_limit(struct box *b, int type, uint64_t *at, char *v, bool skip)
{
	int lim = (int)(at - b->lim);

	b->lim_skip = (uint8_t)((b->lim_skip & ~(1u << lim)) | (unsigned)skip << lim);
	if (type == T_CPU)
		b->cpu_period = 100000;
	if (type != T_WEIGHT && same(v, "max")) {
		*at = LIM_MAX;
		return NULL;
	}
	if (type == T_CPU)
		return set_cpu(b, v);
	return type == T_SIZE ? set_size(b, at, v) : set_count(type == T_COUNT, at, v);
}

static const char *set_cgroup(struct box *b, const char *v)
{
	if (strlen(v) > 250 || !parts(v, '/', "0 .-"))
		return cfg_not(v);
	b->cgroup = v;
	return NULL;
}

static bool rlimit_value(const char *s, uint64_t *n)
{
	if (cfg_index("unlimited|max", s) >= 0) {
		*n = ~(uint64_t)0;
		return true;
	}
	return cfg_size(s, n) && *n < PERCENT;
}

static const char *set_rlimit(struct box *b, const char *sub, char *v)
{
	int i = cfg_rlimit(sub);
	struct rlim r = { .set = true };
	const char *e;
	char *f[2];
	int n;

	if (i < 0)
		return cfg_wrong("no such limit%s", near_of(sub, cfg_rlimit_name));
	if ((e = cfg_twice(i)))
		return e;
	n = cfg_fields(v, f, 2);
	if (n > 2 || !rlimit_value(f[0], &r.soft) || !rlimit_value(f[n - 1], &r.hard))
		return cfg_not(whole);
	if (r.soft > r.hard)
		return "the soft limit is above the hard one";
	b->rlim[i] = r;
	cfg_mark(i);
	return NULL;
}

static const char *set_nice(struct box *b, const char *v)
{
	int n;

	if (!integer(v, -20, 19, &n))
		return cfg_not(v);
	b->nice = (int8_t)n;
	b->has_nice = true;
	return NULL;
}

static const char *set_oom(struct box *b, const char *v)
{
	int n;

	if (!integer(v, -1000, 1000, &n))
		return cfg_not(v);
	b->oom_score_adj = (int16_t)n;
	b->has_oom = true;
	return NULL;
}

_Static_assert(SCHED_OTHER == 0 && SCHED_FIFO == 1 && SCHED_RR == 2 && SCHED_BATCH == 3 && SCHED_IDLE == 5,
	"the words of POLICIES");

/* WORD, or WORD:N where the word is one of those in bits: N; -1: neither */
static int classed(char *v, const char *words, unsigned bits, int *n, int min, int max)
{
	char *f[2];
	int fields = cfg_fields(v, f, 2), word = cfg_index(words, f[0]);

	if (word < 0 || (fields == 2) != (int)(bits >> word & 1) || (fields == 2 && !integer(f[1], min, max, n)))
		return -1;
	return word;
}

static const char *set_sched(struct box *b, char *v)
{
	int prio = 0, policy = classed(v, POLICIES, 1 << SCHED_FIFO | 1 << SCHED_RR, &prio, 1, 99);

	if (policy < 0 || policy == 4)
		return cfg_not(whole);
	b->sched = (int8_t)policy;
	b->sched_prio = (uint8_t)prio;
	return NULL;
}

static const char *set_ionice(struct box *b, char *v)
{
	int level = 0, class = classed(v, IOCLASSES, 1 << 1 | 1 << 2, &level, 0, 7);

	if (class < 1)
		return cfg_not(whole);
	b->ioprio = (uint16_t)(class << 13 | level);
	b->has_ioprio = true;
	return NULL;
}

static const char *set_affinity(struct box *b, char *v)
{
	char *w, *dash;
	uint32_t lo, hi;

	memset(b->affinity, 0, sizeof b->affinity);
	while ((w = cfg_word(&v))) {
		if ((dash = strchr(w, '-')))
			*dash = '\0';
		if (!cfg_digits(w, MAXCPU - 1, &lo) || (dash && !cfg_digits(dash + 1, MAXCPU - 1, &hi))) {
			if (dash)
				*dash = '-';
			return cfg_not(w);
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
		if ((n = cfg_index("none|all|oci", w)) >= 0)
			bit = n == 0 ? 0 : n == 1 ? ALLCAPS : oci_caps;
		else if ((n = caps_number(w, strlen(w))) >= 0)
			bit = (uint64_t)1 << n;
		else
			return cfg_wrong("\"%.*s\": no such capability%s", 40, w,
				near_of(starts(w, "CAP_") || starts(w, "cap_") ? w + 4 : w, caps_name));
		if (!bit && !minus)
			cfg_unmark(cfg.key, -1);
		*at = minus ? *at & ~bit : bit ? *at | bit : 0;
	}
	cfg_mark_line();
	return NULL;
}

static const char *set_securebits(struct box *b, char *v)
{
	uint32_t bits = 0;
	char *w;
	int n;

	while ((w = cfg_word(&v))) {
		if ((n = cfg_index(key_what(cfg.key), w)) < 0)
			return cfg_not(w);
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
		cfg_empty(b, cfg.key);
	while (!(e = cfg_quoted(&v, &w, true)) && w) {
		if ((e = cfg_add(&b->nsyscall, MAXWORD)))
			break;
		b->syscalls[b->nsyscall - 1] = w;
	}
	return e;
}

static const char *set_label(const char **at, const char *v)
{
	const char *e = cfg_plain(v);

	*at = e ? *at : v;
	return e;
}

/* Dots only: a slash, or two dots, would name another file below /proc/sys. */
static const char *set_sysctl(struct box *b, const char *sub, const char *v)
{
	const char *e;
	int i;

	if (!parts(sub, '.', "0-"))
		return "not a name of words and single dots";
	if ((e = cfg_plain(v)))
		return e;
	for (i = 0; i < b->nsysctl && !same(b->sysctl[i].key, sub); i++)
		;
	if (!(e = cfg_slot(i, &b->nsysctl, MAXSYSCTL)))
		b->sysctl[i] = (struct pair){ sub, v };
	return e;
}

static const char *set_personality(struct box *b, const char *v)
{
	int word = cfg_index("linux|linux32", v);

	b->persona = 8 * (word > 0);		/* PER_LINUX, PER_LINUX32 */
	b->has_persona = true;
	return word >= 0 || cfg_digits(v, 0x7fffffff, &b->persona) ? NULL : cfg_not(v);
}

/* --------------------------------------------------------------------- LIFE */

static const char *set_after(struct box *b, char *v)
{
	const char *e;
	char *w;

	while ((w = cfg_word(&v)))
		if (!cfg_name(w))
			return cfg_not(w);
		else if ((e = put(b->after, &b->nafter, MAXAFTER, w)))
			return e;
	return NULL;
}

static const char *set_signal(struct box *b, const char *v)
{
	int n = cfg_signal(v);

	if (n < 0)
		return cfg_wrong("\"%.*s\" is not a signal%s", 40, v, near_of(v, cfg_signal_name));
	b->stop_signal = (uint8_t)n;
	return NULL;
}

static const char *set_timeout(struct box *b, const char *v)
{
	uint64_t ms;

	if (!cfg_time(v, &ms))
		return cfg_not(v);
	if (ms > 24 * 3600 * 1000)
		return cfg_wrong("\"%s\" is more than a day", v);
	b->stop_ms = (uint32_t)ms;
	return NULL;
}

/* ------------------------------------------------------------- one for all */

static const char *set_choice(uint8_t *at, const char *v)
{
	int n = cfg_index(key_what(cfg.key), v);

	if (n < 0)
		return cfg_not(v);
	*at = (uint8_t)n;
	return NULL;
}

static const char *set_umask(struct box *b, const char *v)
{
	return cfg_octal(v, 0777, &b->umask) ? NULL : cfg_not(v);
}

static const char *set(struct box *b, const struct key *k, const char *sub, char *v, bool skip)
{
	void *at = (char *)b + k->at;

	switch ((enum keytype)k->type) {
	case T_EXEC: return set_exec(b, v);
	case T_CWD: return set_inside(at, v);
	case T_ENV: return set_env(b, v);
	case T_USER: return set_user(b, v);
	case T_GROUPS: return set_groups(b, v);
	case T_UMASK: return set_umask(b, v);
	case T_CHOICE: return set_choice(at, v);
	case T_ONLY: return same(v, "no") ? NULL : cfg_not(v);
	case T_ROOT: return set_root(b, v);
	case T_BIND: case T_TMPFS: case T_MOUNT: return cfg_set_mnt(b, k->type - T_BIND, v, skip);
	case T_MOUNTS: return set_mounts(b, v);
	case T_ETC: return set_etc(b, v);
	case T_DEVICE: return cfg_set_device(b, v, skip);
	case T_PATHS: return set_paths(b, at, v);
	case T_NS: return set_ns(b, (int)((uint8_t *)at - b->ns), v);
	case T_MAP: return set_map(b, at, v);
	case T_HOST: case T_NAME: return set_name(at, v);
	case T_CLOCK: return set_clock(at, v);
	case T_SIZE: case T_COUNT: case T_WEIGHT: case T_CPU: return set_limit(b, k->type, at, v, skip);
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
	case T_SECBITS: return set_securebits(b, v);
	case T_SYSCTL: return set_sysctl(b, sub, v);
	case T_PERSONA: return set_personality(b, v);
	case T_AFTER: return set_after(b, v);
	case T_SIGNAL: return set_signal(b, v);
	case T_TIME: return set_timeout(b, v);
	case T_USE: case T_INCLUDE: break;	/* the reader has followed them */
	}
	return NULL;
}

const char *cfg_set(struct box *b, int row, const char *sub, char *value, bool skip)
{
	const struct key *k = key_row(row);
	bool scalar = !(k->flags & (K_LIST | K_SUB)) && k->type != T_ROOT;
	const char *e;

	cfg.key = row;
	copy(whole, sizeof whole, value);
	e = scalar ? cfg_twice(0) : NULL;
	if (!e)
		e = set(b, k, sub, value, skip);
	if (!e && scalar)
		cfg_mark(0);
	return e;
}

_Static_assert(MNT_TMPFS == T_TMPFS - T_BIND && MNT_FS == T_MOUNT - T_BIND, "kinds are in the order of types");

void cfg_empty(struct box *b, int row)
{
	const struct key *k = key_row(row);
	void *at = (char *)b + k->at;
	int i;

	cfg_unmark(row, -1);
	if (k->type == T_CAPS) {
		*(uint64_t *)at = 0;
		if (k->flags & K_OPEN)
			cfg_mark_line();
	} else if (k->type == T_MOUNTS)
		b->mounts = 0;
	else if (k->type == T_INCLUDE)
		return;			/* the reader has followed those before it */
	else if (at != &b->nmnt)
		*(uint8_t *)at = 0;
	else
		for (i = b->nmnt - 1; i >= 0; i--)
			if (b->mnt[i].kind == k->type - T_BIND)
				cfg_drop_mnt(b, i);
}
