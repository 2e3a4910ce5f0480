/*
 * set.c - the setters: one value of one key goes into struct box.
 *
 * Nothing here knows of lines and files: a second front end calls the same
 * functions. A value is cut in place and pointed into; what it has to be
 * stands in keys.c, and so does what an error says. A setter returns whether
 * it is that, or NULL or a phrase where there is more to say. cfg_mark()
 * remembers who said it.
 *
 * A function for each type of keys.c, in the order of the keys, and at the end set(),
 * which alone calls them. Types that need more have a file: mnt.c, knob.c, listen.c,
 * board.c.
 */
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "husk.h"

/* Names, one below the other: no empty one, none of dots alone, none that no file can have. */
static bool parts(const char *s, int separator, const char *also)
{
	const char *end;

	for (;; s = end + 1) {
		end = strchrnul(s, separator);
		if (end - s > 255 || !cfg_chars(s, (size_t)(end - s), also))
			return false;
		if (!*end)
			return true;
	}
}

static const char *integer(const char *s, int *n)
{
	bool minus = *s == '-';
	uint64_t u;

	s = decimal(s + minus, &u);
	*n = minus ? -(int)u : (int)u;
	return s;
}

static bool within(const char *s, int min, int max, int *n)
{
	const char *end = integer(s, n);

	return end > s && end - s < 9 && !*end && end[-1] != '-' && *n >= min && *n <= max;
}

/* "a number of -20..19": the row itself says which. */
static bool in_range(const char *v, int *n)
{
	const char *what = key_what(cfg.key);
	int min, max;

	what = integer(what + strcspn(what, "-0123456789"), &min);
	integer(what + 2, &max);
	return within(v, min, max, n);
}

/* ------------------------------------------------------------------ PROGRAM */

static bool is_program(const char *v)
{
	return *v == '/' || (*v && !strchr(v, '/'));
}

int cfg_env(const struct box *b, const char *name, size_t len)
{
	int i;

	for (i = 0; i < b->nenv && strncmp(b->env[i], name, len) != 0; i++)
		;
	return i;
}

/* A NAME alone is one that is not there outside. */
static const char *set_env(struct box *b, const char *v)
{
	size_t len = (size_t)(strchrnul(v, '=') - v);
	const char *e;
	int i;

	if (!cfg_chars(v, len, " 0"))
		return cfg_not();
	if (!v[len])
		return NULL;
	if (v[strcspn(v, "\r\n")])
		return cfg_not();
	i = cfg_env(b, v, len + 1);
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
static bool set_user(struct box *b, char *v)
{
	char *f[2];
	int n = cfg_fields(v, f, 2);
	bool group = n == 2, automatic = same(f[0], "auto"), name = is_login(f[0]) && !automatic;

	b->uid = b->gid = ~0u;
	if (same(f[0], "root"))
		b->uid = 0;
	if (n > 2 || (!name && !is_id(f[0], &b->uid) && (!automatic || group)) ||
	    (group && !is_id(f[1], &b->gid) && !(name && is_login(f[1]))))
		return false;
	b->group = group && b->gid == ~0u ? f[1] : NULL;
	b->who = name && (b->uid || b->group) ? WHO_NAME : automatic ? WHO_AUTO : WHO_NUMBER;
	b->user = b->who == WHO_NAME ? f[0] : NULL;
	if (!group && !automatic && !b->user)
		b->gid = b->uid;
	return true;
}

bool cfg_named(const char *v, struct named *who)
{
	who->name = is_login(v) ? v : NULL;
	return who->name || is_id(v, &who->id);
}

static const char *set_group(struct box *b, const char *v)
{
	const char *e = cfg_add(&b->ngroup, MAXGRP);

	return e || cfg_named(v, &b->groups[b->ngroup - 1]) ? e : cfg_not();
}

/* -------------------------------------------------------------------- FILES */

/* Two items: where it is, and whether it is written; :rw or :ro alone changes
 * what another line says. */
static const char *set_root(struct box *b, char *v)
{
	char *f[2];
	int n = cfg_fields(v, f, 2), rw = n < 2 ? 0 : cfg_index("ro|rw", f[1]);
	bool tmpfs = same(f[0], "tmpfs"), rest = n == 2 && !*f[0];

	if (n > 2 || rw < 0 || !(tmpfs || rest || cfg_path(f[0])))
		return cfg_not();
	if (n == 2) {
		b->root_rw = rw;
		cfg_mark(1);
	}
	if (rest)
		return NULL;
	b->root = tmpfs ? ROOT_TMPFS : f[0][1] ? ROOT_DIR : ROOT_HOST;
	b->rootdir = f[0];
	return cfg_once(0);
}

/* What a mask or a read-only place may be; a / at the end stays. */
static bool covering(char *v)
{
	bool dir = v[strlen(v) - 1] == '/';
	size_t len;

	if (!cfg_clean(v) || !v[1] || (len = strlen(v)) > 500)
		return false;
	if (dir)
		memcpy(v + len, "/", 2);
	return true;
}

/* A list of words that are pointed at. The same word again is the same wish,
 * where their order does not count. */
static const char *put(const char **list, int max, uint8_t *n, int i, const char *v)
{
	i += cfg_seek(list + i, sizeof *list, *n - i, v);
	if (i < *n) {
		cfg_mark(i);
		return NULL;
	}
	if (i < max)
		list[i] = v;
	return cfg_add(n, max);
}

/* One of the defaults that this kernel does not have needs no cover. */
static const char *set_word(struct box *b, int type, uint8_t *n, char *v)
{
	bool builtin = cfg.src->layer == L_DEFAULTS;
	const char *e;

	switch (type) {
	case T_EXEC:
		if (!*n && !is_program(v))
			return cfg_not();
		e = put((const char **)b->argv, MAXARG, n, *n, v);
		b->argv[*n] = NULL;
		return e;
	case T_SYSCALLS:
		return put(b->syscalls, MAXWORD, n, *n, v);
	case T_IF:
		return *(v + (*v == '!')) == '/' && cfg_plain(v) ? put(b->ifs, MAXAFTER, n, 0, v) : cfg_not();
	case T_BEFORE: case T_AFTER: case T_NEEDS:
		if (cfg_name(v) || (*v == '/' ? type != T_BEFORE && cfg_clean(v) : type != T_NEEDS && same(v, "*")))
			return put(type == T_AFTER ? b->after : type == T_NEEDS ? b->needs : b->before, MAXAFTER, n, 0, v);
		return cfg_not();
	case T_ETC:
		return cfg_name(v) ? put(b->etc, sizeof b->etc / sizeof *b->etc, n, 0, v) : cfg_not();
	}
	if (!covering(v))
		return cfg_not();
	if (n != &b->nmask)
		return put(b->ro, MAXPATHS, n, 0, v);
	if (*n < MAXPATHS)
		b->mask_skip[*n] = builtin || cfg_is_default(v);
	return put(b->mask, MAXPATHS, n, builtin ? *n : 0, v);
}

/* --------------------------------------------------------------- NAMESPACES */

static bool set_ns(struct box *b, int ns, char *v)
{
	int mode = cfg_index(ns == NS_NET ? "none|host" : "new|host", v);

	b->nspath[ns] = b->nsbox[ns] = NULL;
	b->ns[ns] = mode < 0 ? NSM_JOIN : (uint8_t)mode;
	if (mode >= 0)
		return true;
	if (starts(v, "box:")) {
		b->nsbox[ns] = v + 4;
		return cfg_name(v + 4);
	}
	b->nspath[ns] = v;
	return cfg_path(v);
}

static const char *set_map(struct idmap *m, uint8_t *n, char *v)
{
	const char *e = cfg_add(n, MAXMAP);
	char *f[3];

	m += *n - 1;
	if (e)
		return e;
	return cfg_fields(v, f, 3) == 3 && is_id(f[0], &m->in) && is_id(f[1], &m->out) && is_id(f[2], &m->count) &&
		m->count && m->count <= ~m->in && m->count <= ~m->out ? NULL : cfg_not();
}

static bool set_clock(int32_t *at, const char *v)
{
	bool minus = *v == '-', right = cfg_time(v + minus, 1, INT32_MAX, (uint32_t *)at);

	*at = minus ? -*at : *at;
	return right;
}

/* ------------------------------------------------------------------- LIMITS */

/* N%, or QUOTA PERIOD */
static bool set_cpu(struct box *b, uint64_t *at, char *v)
{
	char *w = cfg_word(&v), *p = cfg_word(&v);
	uint32_t quota;

	if (!w || cfg_word(&v))
		return false;
	b->cpu_period = 100000;
	if (p) {
		*at = LIM_MAX;
		if (!cfg_digits(p, 1000000, &b->cpu_period) || b->cpu_period < 1000)
			return false;
		if (same(w, "max"))
			return true;
		*at = cfg_digits(w, UINT32_MAX, &quota) ? quota : 0;
		return *at >= 1000;
	}
	if (!*w || w[strlen(w) - 1] != '%')
		return false;
	w[strlen(w) - 1] = '\0';
	if (!cfg_digits(w, 100 * MAXCPU, &quota) || !quota)
		return false;
	*at = quota * 1000;
	return true;
}

/* 32 for 32M is an old slip; the box would die before its first page. */
static bool set_limit(struct box *b, int type, uint64_t *at, char *v, bool skip)
{
	unsigned lim = (unsigned)(at - b->lim);
	int n = 0;

	b->lim_skip = (uint16_t)((b->lim_skip & ~(1u << lim)) | (unsigned)skip << lim);
	if (type != T_WEIGHT && same(v, "max")) {
		*at = LIM_MAX;
		return true;
	}
	if (type == T_CPU)
		return set_cpu(b, at, v);
	if (type == T_SIZE)
		return cfg_size(v, at) && (lim > LIM_HIGH || *at >= 64 * 1024);
	if (type == T_PART)
		n = cfg_index(key_what(cfg.key), v);
	else if (!in_range(v, &n))
		return false;
	*at = (unsigned)(lim == LIM_CPUNICE ? n + 20 : n);
	return n >= 0 || lim == LIM_CPUNICE;
}

static bool rlimit_value(const char *s, uint64_t *n)
{
	*n = ~(uint64_t)0;
	return cfg_index("unlimited|max", s) >= 0 || (cfg_size(s, n) && *n < PERCENT);
}

static const char *set_rlimit(struct box *b, const char *sub, char *v)
{
	int i = cfg_rlimit(sub), n;
	struct rlim *r;
	char *f[2];

	if (i < 0)
		return cfg_wrong("no such limit%s", near_of(sub, cfg_rlimit_name));
	r = &b->rlim[i];
	n = cfg_fields(v, f, 2);
	if (n > 2 || !rlimit_value(f[0], &r->soft) || !rlimit_value(f[n - 1], &r->hard) || r->soft > r->hard)
		return cfg_not();
	r->set = true;
	return cfg_once(i);
}

_Static_assert(SCHED_OTHER == 0 && SCHED_FIFO == 1 && SCHED_RR == 2 && SCHED_BATCH == 3 && SCHED_IDLE == 5,
	"the words of POLICIES");

/* WORD, or WORD:N of the second and the third word; the fifth is none. -1: neither */
static int classed(char *v, const char *words, int *n, int min, int max)
{
	char *f[2];
	bool number = cfg_fields(v, f, 2) == 2;
	int word = cfg_index(words, f[0]);

	*n = 0;
	return number != (word == 1 || word == 2) || word == 4 || (number && !within(f[1], min, max, n)) ? -1 : word;
}

static bool set_sched(struct box *b, char *v)
{
	int prio;

	b->sched = (int8_t)classed(v, POLICIES, &prio, 1, 99);
	b->sched_prio = (uint8_t)prio;
	return b->sched >= 0;
}

static bool set_ionice(struct box *b, char *v)
{
	int level, class = classed(v, IOCLASSES, &level, 0, 7);

	b->ioprio = (uint16_t)((unsigned)class << 13 | (unsigned)level);
	return class > 0;
}

static bool set_cpus(struct box *b, char *v)
{
	const char *first = strsep(&v, "-");
	uint32_t lo, hi;
	bool ok = cfg_digits(first, MAXCPU - 1, &lo) && cfg_digits(v ? v : first, MAXCPU - 1, &hi) && lo <= hi;

	for (; ok && lo <= hi; lo++)
		((uint8_t *)b->affinity)[lo / 8] |= (uint8_t)(1 << lo % 8);	/* little-endian, as the call takes it */
	return b->has_affinity = ok;
}

/* ------------------------------------------------------------------- RIGHTS */

/* OCI: chown dac_override fowner fsetid kill setgid setuid setpcap
 * net_bind_service net_raw sys_chroot mknod audit_write setfcap */
#define OCICAPS	((uint64_t)0xa80425fb)

static const char *set_caps(uint64_t *at, const char *v)
{
	static const uint64_t sets[] = { 0, ALLCAPS, OCICAPS };
	bool minus = *v == '-';
	const char *w = v + minus;
	int word = cfg_index("none|all|oci", w), n = word < 0 ? caps_number(w) : word;
	uint64_t bits;

	if (n < 0)
		return cfg_unlike(starts(w, "CAP_") || starts(w, "cap_") ? w + 4 : w, caps_name);
	bits = word < 0 ? (uint64_t)1 << n : sets[word];
	if (!bits && !minus) {
		cfg_unmark(cfg.key, -1);
		*at = 0;
	}
	*at = minus ? *at & ~bits : *at | bits;
	return NULL;
}

#define FOUR	(1u << AF_UNIX | 1u << AF_INET | 1u << AF_INET6 | 1u << AF_NETLINK)

/* The first line adds to the four that a box has without it. */
static const char *set_sockets(uint32_t s[2], const char *v)
{
	bool minus = *v == '-';
	const char *w = v + minus;
	int word = cfg_index("none|all", w), n = word < 0 ? filter_family_number(w) : 0;

	if (n < 0)
		return cfg_unlike(w, filter_family);
	if (word >= 0 && minus)
		return cfg_not();
	if (word >= 0) {
		cfg_unmark(cfg.key, -1);
		s[0] = s[1] = word ? ~0u : 0;
	} else if (!s[0])
		s[0] = FOUR;
	s[0] |= 1;
	if (minus)
		s[n / 32] &= ~(1u << n % 32);
	else
		s[n / 32] |= 1u << n % 32;
	return NULL;
}

/* Dots only: a slash, or two dots, would name another file below /proc/sys. */
static const char *set_sysctl(struct box *b, const char *sub, const char *v)
{
	const char *e;
	int i;

	if (!parts(sub, '.', "0-"))
		return TEXT "not a name of words and single dots";
	i = cfg_seek(&b->sysctl[0].key, sizeof b->sysctl[0], b->nsysctl, sub);
	if (!cfg_plain(v))
		return cfg_not();
	if (!(e = cfg_slot(i, &b->nsysctl, MAXSYSCTL)))
		b->sysctl[i] = (struct pair){ sub, v };
	return e;
}

static bool set_personality(struct box *b, const char *v)
{
	int word = cfg_index("linux|linux32", v);

	b->persona = word > 0 ? 8 : 0;		/* PER_LINUX32 */
	return word >= 0 || cfg_digits(v, 0x7fffffff, &b->persona);
}

/* -------------------------------------------------------------------- LIFE */

/* Nothing takes all of that stage away. */
static const char *drop_hooks(struct box *b, int stage)
{
	int i;

	for (i = b->nhook; i-- > 0;)
		if (b->hook[i].stage == stage) {
			cfg_unmark(cfg.key, i);
			memmove(&b->hook[i], &b->hook[i + 1], (size_t)(--b->nhook - i) * sizeof *b->hook);
		}
	return NULL;
}

/* PATH ARG ... stays as it was written, and is cut into words by who runs it. That this
 * can be done is seen from a copy. */
static const char *is_command(const char *v)
{
	const char *e = NULL;
	size_t max;
	char *at = cfg_rest(&max), *w = at;
	int n;

	if (copy(at, MAXHOOKTEXT, v) >= MAXHOOKTEXT || !cfg_plain(v))
		return cfg_not();
	for (n = 0; !(e = cfg_quoted(&at, &w, false)) && w; n++)
		if (n == MAXHOOKARG || (!n && *w != '/'))
			return cfg_not();
	return e;
}

static const char *set_hook(struct box *b, const char *sub, const char *v)
{
	int stage = cfg_index(HOOKS, sub);
	const char *e;

	if (stage < 0)
		return TEXT "no such stage: " HOOKS;
	if (!*v)
		return drop_hooks(b, stage);
	if (!(e = is_command(v)) && !(e = cfg_add(&b->nhook, MAXHOOK)))
		b->hook[b->nhook - 1] = (struct hook){ (uint8_t)stage, v };
	return e;
}

static const char *set_fd(struct box *b, char *v, bool skip)
{
	const char *e = cfg_add(&b->nfd, MAXFD);
	struct passed *p = &b->fd[b->nfd - 1];
	uint32_t number = 0;
	char *f[3];
	int n, how;

	if (e)
		return e;
	n = cfg_fields(v, f, 3);
	how = n == 3 ? cfg_index("ro|rw|append", f[2]) : FD_RO;
	if (n < 2 || n > 3 || how < 0 || !cfg_digits(f[0], 255, &number) || number < 3 || !cfg_path(f[1]))
		return cfg_not();
	*p = (struct passed){ (uint8_t)number, (uint8_t)how, skip, f[1] };
	return NULL;
}

enum { DAY_MS = 24 * 3600 * 1000, DELAY_MS = 1000, DELAY_MAX_MS = 60 * 1000 };

/* A..B, or A for both */
static bool set_delay(struct life *l, char *w)
{
	char *dots = strstr(w, "..");

	if (dots)
		*dots = '\0';
	return cfg_time(w, 1000, DAY_MS, &l->delay_ms) && cfg_time(dots ? dots + 2 : w, 1000, DAY_MS, &l->delay_max_ms) &&
		l->delay_ms && l->delay_ms <= l->delay_max_ms;
}

static bool set_tries(struct life *l, char *w)
{
	uint32_t n = 0;
	const char *tries = strsep(&w, "/");

	l->tries = (uint8_t)(cfg_digits(tries, MAXTRIES, &n) ? n : 0);
	return n && cfg_time(w, 1000, DAY_MS, &l->window_ms) && l->window_ms;
}

static bool set_restart(struct life *l, char *v)
{
	char *w = cfg_word(&v);
	int mode = w ? cfg_index("no|on-failure|always", w) : -1;
	bool ok = mode >= 0;

	l->restart = (uint8_t)mode;
	l->delay_ms = mode > 0 ? DELAY_MS : 0;
	l->delay_max_ms = mode > 0 ? DELAY_MAX_MS : 0;
	l->tries = 0;
	if ((w = cfg_word(&v)) && !strchr(w, '/')) {
		ok &= set_delay(l, w);
		w = cfg_word(&v);
	}
	if (w) {
		ok &= strchr(w, '/') && set_tries(l, w);
		w = cfg_word(&v);
	}
	return ok && !w;
}

/* A word or a path, then :SIZE,keep=N,mode=M; of the ring its size alone, of others nothing. */
static const char *set_log(struct box *b, char *v)
{
	struct life *l = &b->life;
	char *f[2], *w;
	int n = cfg_fields(v, f, 2), word = cfg_index("ring|none|inherit|kmsg|syslog", f[0]);
	bool file = word < 0, right = n == 1 || (n == 2 && word <= 0);
	uint64_t size = 0;
	uint32_t keep = 1;

	if (!HAS(log) && word != 1 && word != 2)
		return cfg_lacks(PART_log);
	l->log = file ? LOG_FILE : (uint8_t)(LOG_RING + word);
	l->log_mode = 0640;
	b->log_path = f[0];
	if (file && (!cfg_path(f[0]) || strlen(f[0]) > LOGPATH - 8 || f[0][strlen(f[0]) - 1] == '/'))
		return cfg_not();
	for (v = n == 2 ? f[1] : NULL; right && (w = strsep(&v, ",")); )
		right = starts(w, "mode=") ? file && cfg_octal(w + 5, 0777, &l->log_mode) :
			starts(w, "keep=") ? file && size && cfg_digits(w + 5, 9, &keep) :
			cfg_size(w, &size) && size >= 4096 && size <= 1 << 30;
	l->log_size = (uint32_t)size;
	l->log_keep = (uint8_t)keep;
	return right ? NULL : cfg_not();
}

static bool set_rate(struct life *l, char *v)
{
	const char *n = strsep(&v, "/");
	int unit = v ? cfg_index("s|m|h", v) : -1;

	l->log_per = unit == 2 ? 3600000 : unit == 1 ? 60000 : 1000;
	l->log_rate = UINT32_MAX;
	return v ? unit >= 0 && cfg_digits(n, 1000000, &l->log_rate) && l->log_rate : same(n, "max");
}

_Static_assert(READY_FD == 3 && READY_PORT == 4 && READY_PATH == 5, "the words of ready=");

/* A word, a word with a number, or a path */
static bool set_ready(struct box *b, char *v)
{
	static const uint16_t from[] = { 3, 1 }, to[] = { 255, 65535 };
	char *f[2];
	int n = 0, fields, word = READY_PATH;

	b->ready_path = v;
	b->life.ready = READY_PATH;
	if (*v == '/')
		return cfg_clean(v) && v[1] && strlen(v) < 500;
	fields = cfg_fields(v, f, 2);
	word = cfg_index("start|exit|notify|fd|port", f[0]);
	b->life.ready = (uint8_t)word;
	if (word < READY_FD)
		return word >= 0 && fields == 1;
	word -= READY_FD;
	if (fields != 2 || !within(f[1], from[word], to[word], &n))
		return false;
	b->life.ready_number = (uint16_t)n;
	return true;
}

/* ------------------------------------------------------------- one for all */

/* One of the words that the row has: their places */
static bool set_choice(struct box *b, int type, void *at, const char *v)
{
	int n = cfg_index(type == T_YES ? "no|yes" : key_what(cfg.key), v);

	if (n < 0)
		return false;
	if (type == T_CHOICE || type == T_YES)
		*(uint8_t *)at = (uint8_t)n;
	else if (type == T_SECBITS)	/* none|a|b|... */
		b->securebits = n ? b->securebits | 1u << (n - 1) : 0;
	else {				/* default|none|-a|-b|..., and the first two begin anew */
		if (n < 2)
			cfg_unmark(cfg.key, -1);
		b->mounts = n == 0 ? (1u << NDM) - 1 : n == 1 ? 0 : b->mounts & ~(1u << (n - 2));
	}
	return true;
}

/* DEVICE:TIME[:TIME] */
static bool set_watchdog(struct board *b, char *v, bool skip)
{
	char *f[3];
	int n = cfg_fields(v, f, 3);

	b->dog = f[0];
	b->dog_skip = skip;
	b->dog_pre_ms = 0;
	return (n == 2 || n == 3) && cfg_path(f[0]) && strlen(f[0]) < MAXDOG && cfg_time(f[1], 1000, DAY_MS, &b->dog_ms) && b->dog_ms >= 1000 &&
		(n == 2 || (cfg_time(f[2], 1000, DAY_MS, &b->dog_pre_ms) && b->dog_pre_ms < b->dog_ms));
}

static bool set_text(const char **at, char *v, bool right)
{
	*at = v;
	return right;
}

static bool set_number(int16_t *at, const char *v)
{
	int n = 0;
	bool right = in_range(v, &n);

	*at = (int16_t)n;
	return right;
}

static const char *set_module(struct box *b, uint8_t *n, char *v)
{
	const char *e = cfg_chars(v, strcspn(v, " "), "0-") ? cfg_add(n, MAXMODULE) : cfg_not();

	if (!e)
		b->board.module[b->board.nmodule - 1] = v;
	return e;
}

static const char *set(struct box *b, const struct key *k, const char *sub, char *v, bool skip)
{
	void *at = (char *)b + k->at;
	uint64_t size;
	bool ok = true;

	copy(cfg.value, sizeof cfg.value, v);
	switch ((enum keytype)k->type) {
	case T_EXEC: case T_SYSCALLS: case T_IF: case T_BEFORE: case T_NEEDS: case T_AFTER: case T_ETC: case T_PATHS: return set_word(b, k->type, at, v);
	case T_GROUPS: return set_group(b, v);
	case T_CAPS: return set_caps(at, v);
	case T_SOCKETS: return set_sockets(at, v);
	case T_MAP: return !HAS(users) ? NULL : set_map(at == &b->nuidmap ? b->uidmap : b->gidmap, at, v);
	case T_CHOICE: case T_YES: case T_MOUNTS: case T_SECBITS: ok = set_choice(b, k->type, at, v); break;
	case T_CWD: ok = set_text(at, v, cfg_clean(v)); break;
	case T_HOST: case T_NAME: ok = set_text(at, v, cfg_name(v) && !(k->type == T_NAME && same(v, "board"))); break;
	case T_LABEL: ok = set_text(at, v, cfg_plain(v)); break;
	case T_CGROUP: ok = set_text(at, v, strlen(v) <= 300 && parts(v, '/', "0 .-")); break;
	case T_NICE: case T_OOM: ok = set_number(at, v); break;
	case T_ROOT: return set_root(b, v);
	case T_CONSOLE: return !HAS(boards) ? NULL : cfg_set_console(b, v);
	case T_ENV: return set_env(b, v);
	case T_RLIMIT: return set_rlimit(b, sub, v);
	case T_HOOK: return !HAS(hooks) ? NULL : set_hook(b, sub, v);
	case T_FD: return !HAS(sockets) ? NULL : set_fd(b, v, skip);
	case T_LISTEN: return !HAS(sockets) ? NULL : cfg_set_listen(b, v);
	case T_GOOD: b->board.good = v; return !HAS(boards) ? NULL : is_command(v);
	case T_DOG: ok = HAS(boards) && set_watchdog(&b->board, v, skip); break;
	case T_SYSCTL: return set_sysctl(b, sub, v);
	case T_BIND: case T_TMPFS: case T_MOUNT: return cfg_set_mnt(b, k->type - T_BIND, v, skip);
	case T_DEVICE: return cfg_set_device(b, v, skip);
	case T_KNOB: return !HAS(knobs) ? NULL : cfg_set_knob(b, cfg.key, sub, v, skip);
	case T_DEVRULE: return cfg_set_devrule(b, v);
	case T_SIGNAL:
		*(uint8_t *)at = (uint8_t)cfg_signal(v);
		return *(uint8_t *)at ? NULL : cfg_unlike(v, cfg_signal_name);
	case T_AFFINITY: ok = set_cpus(b, v); break;
	case T_UMASK: ok = cfg_octal(v, 0777, at); break;
	case T_USER: ok = set_user(b, v); break;
	case T_NS: ok = set_ns(b, (int)((uint8_t *)at - b->ns), v); break;
	case T_CLOCK: ok = set_clock(at, v); break;
	case T_SIZE: case T_COUNT: case T_WEIGHT: case T_CPU: case T_PART: ok = set_limit(b, k->type, at, v, skip); break;
	case T_SCHED: ok = set_sched(b, v); break;
	case T_IONICE: ok = set_ionice(b, v); break;
	case T_PERSONA: ok = set_personality(b, v); break;
	case T_MODULE: return set_module(b, at, v);
	case T_BROOT: ok = HAS(boards) && cfg_set_root(b, v); break;
	case T_OVERLAY: ok = set_text(at, v, *v == '/' ? cfg_clean(v) : cfg_size(v, &size) && size >= 64 * 1024); break;
	case T_TIME: ok = cfg_time(v, 1000, DAY_MS, at); break;
	case T_LOG: return set_log(b, v);
	case T_RATE: ok = HAS(log) && set_rate(&b->life, v); break;
	case T_RESTART: ok = HAS(restart) && set_restart(&b->life, v); break;
	case T_READY: ok = HAS(ready) && set_ready(b, v); break;
	case T_USE: case T_INCLUDE: break;	/* the reader has followed them */
	}
	return ok ? NULL : cfg_not();
}

/* auto is an empty map, none are no copies. */
static bool empties(int type, const char *w)
{
	return (type == T_MAP && same(w, "auto")) || (type == T_ETC && same(w, "none"));
}

static const char *set_words(struct box *b, int row, char *v)
{
	const struct key *k = key_row(row);
	const char *e = NULL;
	char *w;

	if (!(k->flags & K_LIST))
		memset((char *)b + k->at, 0, k->type == T_AFFINITY ? sizeof b->affinity : sizeof b->securebits);
	while (!e) {
		if (k->type > T_SYSCALLS)
			w = cfg_word(&v);
		else if ((e = cfg_quoted(&v, &w, k->type == T_SYSCALLS)))
			break;
		if (!w)
			break;
		if (empties(k->type, w))
			cfg_empty(b, row);
		else
			e = set(b, k, NULL, w, false);
	}
	return e;
}

_Static_assert(T_SYSCALLS == 1 && T_GROUPS == 2, "the types of words are the first");

/* Who names some of the four alone means these alone. */
static const char *no_more(const uint32_t s[2], bool first)
{
	return first && s[0] == (FOUR | 1) && !s[1] ? TEXT "changes nothing; for these alone: sockets=none, then their names" : NULL;
}

/* A first word of syscalls= without a sign, and none of this layer before it:
 * what was there is replaced. They are compiled when all layers are read. */
const char *cfg_set(struct box *b, int row, const char *sub, char *value, bool skip)
{
	const struct key *k = key_row(row);
	bool first = k->type == T_SOCKETS && !*b->sockets && !strstr(value, "none");
	const char *e;

	cfg.key = row;
	if (!(k->flags & (K_LIST | K_SUB)) && k->type != T_ROOT && k->type != T_KNOB && (e = cfg_once(0)))
		return e;
	if (k->type == T_SYSCALLS && !strchr("+-", value[strspn(value, " \t")]) &&
	    cfg_layer(row, b->nsyscall - 1) != cfg.src->layer)
		cfg_empty(b, row);
	e = k->type <= T_WORDS ? set_words(b, row, value) : set(b, k, sub, value, skip);
	if (k->type == T_CAPS || k->type == T_MOUNTS || k->type == T_SOCKETS)
		cfg_mark_line();
	return e || k->type != T_SOCKETS ? e : no_more(b->sockets, first);
}

_Static_assert(MNT_TMPFS == T_TMPFS - T_BIND && MNT_FS == T_MOUNT - T_BIND, "kinds are in the order of types");

void cfg_empty(struct box *b, int row)
{
	const struct key *k = key_row(row);
	void *at = (char *)b + k->at;
	int i;

	if (HAS(knobs) && k->type == T_KNOB)
		for (i = b->nknob; i-- > 0;)
			if (b->knob[i].row == row)
				cfg_drop_knob(b, i);
	cfg_unmark(row, -1);
	if (k->type == T_CAPS) {
		*(uint64_t *)at = 0;
		if (k->flags & K_OPEN)
			cfg_mark_line();
	} else if (k->type == T_SOCKETS) {
		b->sockets[0] = 1;
		b->sockets[1] = 0;
		cfg_mark_line();
	} else if (k->type == T_MOUNTS)
		b->mounts = 0;
	else if (k->type == T_INCLUDE || k->type == T_KNOB)
		return;			/* the reader has followed those before it */
	else if (k->flags & K_LIVE && !(k->flags & K_LIST))
		*(uint64_t *)at = LIM_NONE;
	else if (at != &b->nmnt)
		*(uint8_t *)at = 0;
	else
		for (i = b->nmnt - 1; i >= 0; i--)
			if (b->mnt[i].kind == k->type - T_BIND)
				cfg_drop_mnt(b, i);
}
