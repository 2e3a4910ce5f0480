/*
 * print.c - husk show: struct box back in its own language, every default
 * written out; parse(show(x)) is x. And husk help.
 *
 * The text is gathered in what is free of the text buffer: one write.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "husk.h"

static const char mount_keys[][6] = { "bind", "tmpfs", "mount" };

static struct { char *at; size_t n, max; int fd; bool marks; } out;

static void flush(void)
{
	size_t done = 0;
	ssize_t w;

	while (done < out.n) {
		w = write(out.fd, out.at + done, out.n - done);
		if (w < 0 && errno != EINTR)
			break;
		done += w > 0 ? (size_t)w : 0;
	}
	out.n = 0;
}

static void begin(int fd, bool marks)
{
	out.at = cfg_rest(&out.max);
	out.n = 0;
	out.fd = fd;
	out.marks = marks;
}

static void chr(char c)
{
	if (out.n == out.max)
		flush();
	out.at[out.n++] = c;
}

static void str(const char *s)
{
	while (*s)
		chr(*s++);
}

/* Short pieces only: what may be long goes through str(). */
static void put(const char *f, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, f);
	vfmt(text, sizeof text, f, &ap);
	va_end(ap);
	str(text);
}

static void num(uint64_t n)
{
	put("%llu", (unsigned long long)n);
}

/* A field: what would end it gets a backslash; so does a blank at its end. */
static void escaped(const char *s, const char *special)
{
	for (; *s; s++) {
		if (strchr(special, *s) || *s == '\\' || (!s[1] && (*s == ' ' || *s == '\t')))
			chr('\\');
		chr(*s);
	}
}

static void field(const char *s)
{
	escaped(s, ":");
}

static void quoted(const char *s)
{
	const char *p;

	for (p = s; *p && (uint8_t)*p > ' ' && *p != '"' && *p != 0x7f; p++)
		;
	if (!*p && *s && *s != '\'') {
		str(s);
		return;
	}
	chr('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\' || *s == '\n')
			chr('\\');
		chr(*s == '\n' ? 'n' : *s);
	}
	chr('"');
}

static void size(uint64_t n)
{
	static const char units[][2] = { "", "K", "M", "G" };
	int u = 0;

	if (n == LIM_MAX) {
		str("max");
		return;
	}
	for (; !(n & PERCENT) && n && n % 1024 == 0 && u < 3; u++)
		n /= 1024;
	num(n & ~PERCENT);
	str(n & PERCENT ? "%" : units[u]);
}

/* ------------------------------------------------------------ start of a line */

static void origin(const char *key, int item)
{
	int layer = cfg_layer(key, item);
	const char *file;
	unsigned line;

	if (!out.marks || layer <= 0)
		return;
	if (layer == 1)
		put("# use=%s\n", cfg_used());
	else if (cfg_where(key, item, &file, &line))
		put("# %s:%u\n", file, line);
	else
		str("# command line\n");
}

static void head(const char *key, int item, bool skip)
{
	origin(key, item);
	put("%s%s=", skip ? "?" : "", key);
}

static void empty(const char *key)
{
	put("%s=\n", key);
}

static void unset(const char *key)
{
	put("# %s is not set\n", key);
}

/* ------------------------------------------------------------------ by type */

static void show_exec(const struct box *b)
{
	int i;

	head("exec", 0, false);
	for (i = 0; i < b->narg; i++) {
		if (i)
			chr(' ');
		quoted(b->argv[i]);
	}
	chr('\n');
}

/* what stands in the defaults goes first, then one line for each item */
static void show_list(const char *key, const char *const *list, int n, bool defaults, const char *special)
{
	int i;

	if (defaults || !n)
		empty(key);
	for (i = 0; i < n; i++) {
		head(key, i, false);
		escaped(list[i], special);
		chr('\n');
	}
}

static void show_env(const struct box *b)
{
	int i;

	empty("env");
	for (i = 0; i < b->nenv; i++) {
		head("env", i, false);
		str(b->env[i]);
		chr('\n');
	}
}

static void show_user(const struct box *b)
{
	bool root = b->uid == 0 && b->gid == 0;

	if (b->who == WHO_AUTO)
		str("auto");
	else if (b->who == WHO_NAME || root)
		str(root ? "root" : b->user);
	else
		num(b->uid);
	if (b->group)
		put(":%s", b->group);
	else if (b->gid != ~0u && !root)
		put(":%u", b->gid);
}

static void show_groups(const struct box *b)
{
	int i;

	if (!b->ngroup)
		empty("groups");
	for (i = 0; i < b->ngroup; i++) {
		head("groups", i, false);
		if (b->groups[i].name)
			put("%s\n", b->groups[i].name);
		else
			put("%u\n", b->groups[i].id);
	}
}

static void show_root(const struct box *b)
{
	if (b->root == ROOT_DIR)
		field(b->rootdir);
	else
		str(b->root == ROOT_HOST ? "/" : "tmpfs");
	if (b->root_rw)
		str(":rw");
}

/* ro or rw, nosuid or suid ...: the first eight rows are four pairs */
static void show_flags(uint32_t flags)
{
	uint32_t set, clear;
	const char *name;
	unsigned i;

	for (i = 0; (name = mnt_option(i, &set, &clear)); i++) {
		if (!(flags & set) == !clear || (clear && flags & clear))
			continue;
		if (i > 1)
			chr(',');
		str(name);
	}
}

static void show_options(const struct mnt *m)
{
	put("%s%s%s%s", m->rec ? ",rec" : "", m->slave ? ",slave" : "", m->idmap ? ",idmap" : "", m->create ? ",create" : "");
	if (m->mode)
		put("%s0%o", m->create ? "=" : ",mode=", m->mode);
	if (m->size) {
		chr(',');
		size(m->size);
	}
	if (m->data) {
		chr(',');
		field(m->data);
	}
}

static void show_mnt(const struct box *b, int i)
{
	const struct mnt *m = &b->mnt[i];

	head(mount_keys[m->kind], i, m->skip);
	if (m->src) {
		field(m->src);
		chr(':');
	}
	field(m->dst);
	chr(':');
	if (m->type) {
		field(m->type);
		chr(',');
	}
	show_flags(m->flags);
	show_options(m);
	chr('\n');
}

/* Of three keys, but their order counts: one may lie below another. */
static void show_mnts(const struct box *b)
{
	int i, k;

	for (i = 0; i < b->nmnt; i++)
		show_mnt(b, i);
	for (k = 0; k < 3; k++) {
		for (i = 0; i < b->nmnt && b->mnt[i].kind != k; i++)
			;
		if (i == b->nmnt)
			empty(mount_keys[k]);
	}
}

static void show_mounts(const struct box *b)
{
	int i;

	str(b->mounts ? "default" : "none");
	for (i = 0; i < NDM && b->mounts; i++)
		if (!(b->mounts & 1u << i))
			put(",-%s", mounts_name(i));
}

static void show_devices(const struct box *b)
{
	const struct dev *d;

	if (!b->ndev)
		empty("device");
	for (d = b->dev; d < b->dev + b->ndev; d++) {
		head("device", (int)(d - b->dev), d->skip);
		field(d->host);
		chr(':');
		field(d->dst);
		put(":%s%s%s", d->perm & DEV_R ? "r" : "", d->perm & DEV_W ? "w" : "", d->perm & DEV_M ? "m" : "");
		if (d->mode)
			put(",mode=0%o", d->mode);
		chr('\n');
	}
}

static void show_ns(const struct box *b, int ns)
{
	if (b->ns[ns] == NSM_HOST)
		str("host");
	else if (b->ns[ns] == NSM_NEW)
		str(ns == NS_NET ? "none" : "new");
	else if (b->nsbox[ns])
		put("box:%s", b->nsbox[ns]);
	else
		str(b->nspath[ns]);
}

static void show_map(const char *key, const struct idmap *m, int n)
{
	int i;

	if (!n) {
		head(key, 0, false);
		str("auto\n");
	}
	for (i = 0; i < n; i++) {
		head(key, i, false);
		put("%u:%u:%u\n", m[i].in, m[i].out, m[i].count);
	}
}

static void show_limit(const struct box *b, const char *key, int type, int lim)
{
	uint64_t n = b->lim[lim];

	if (n == LIM_NONE) {
		unset(key);
		return;
	}
	head(key, 0, b->lim_skip >> lim & 1);
	if (type == T_SIZE || n == LIM_MAX)
		size(n);
	else if (type != T_CPU)
		num(n);
	else if (b->cpu_period == 100000 && n % 1000 == 0)
		put("%u%%", (unsigned)(n / 1000));
	else
		put("%u %u", (unsigned)n, b->cpu_period);
	chr('\n');
}

static void rlimit_value(uint64_t n)
{
	if (n == ~(uint64_t)0)
		str("unlimited");
	else
		num(n);
}

static void show_rlimits(const struct box *b)
{
	char key[24];
	int i;

	for (i = 0; i < 16; i++)
		if (b->rlim[i].set) {
			fmt(key, sizeof key, "rlimit.%s", cfg_rlimit_name(i));
			head(key, i, false);
			rlimit_value(b->rlim[i].soft);
			chr(':');
			rlimit_value(b->rlim[i].hard);
			chr('\n');
		}
}

static void show_sysctls(const struct box *b)
{
	char key[140];
	int i;

	for (i = 0; i < b->nsysctl; i++) {
		fmt(key, sizeof key, "sysctl.%s", b->sysctl[i].key);
		head(key, i, false);
		str(b->sysctl[i].val);
		chr('\n');
	}
}

/* word i of a|b|c */
static void choice(const char *list, int i)
{
	while (i-- > 0)
		list = strchr(list, '|') + 1;
	while (*list && *list != '|')
		chr(*list++);
}

static void show_sched(const struct box *b)
{
	choice("other|fifo|rr|batch||idle", b->sched);
	if (b->sched_prio)
		put(":%u", b->sched_prio);
}

static void show_ionice(const struct box *b)
{
	choice("|rt|be|idle", b->ioprio >> 13);
	if (b->ioprio >> 13 < 3)
		put(":%u", b->ioprio & 0x1fff);
}

static bool cpu(const struct box *b, unsigned i)
{
	return i < MAXCPU && b->affinity[i / 64] >> i % 64 & 1;
}

static void show_affinity(const struct box *b)
{
	bool first = true;
	unsigned i, end;

	for (i = 0; i < MAXCPU; i = end + 1) {
		for (end = i; cpu(b, end); end++)
			;
		if (end == i)
			continue;
		put(first ? "%u" : ",%u", i);
		first = false;
		if (end > i + 1)
			put("-%u", end - 1);
	}
}

static void show_caps(uint64_t set)
{
	uint64_t all = 0;
	bool most;
	int i;

	for (i = 0; i < 64 && caps_name(i); i++)
		all |= (uint64_t)1 << i;
	most = (all & ~set) < set && set >> 32;
	str(!set ? "none" : most ? "all" : "");
	for (i = 0; i < 64 && caps_name(i); i++)
		if (set && (set >> i & 1) != most)
			put("%s%s", most ? ",-" : set & (((uint64_t)1 << i) - 1) ? "," : "", caps_name(i));
}

static void show_securebits(const struct box *b, int row)
{
	bool first = true;
	int i;

	if (!b->securebits)
		str("none");
	for (i = 0; i < 8; i++)
		if (b->securebits >> i & 1) {
			if (!first)
				chr(',');
			first = false;
			choice(key_text(row, 0), i + 1);
		}
}

static void show_syscalls(const struct box *b)
{
	int i;

	empty("syscalls");
	for (i = 0; i < b->nsyscall; i++) {
		head("syscalls", i, false);
		str(b->syscalls[i]);
		chr('\n');
	}
}

static void show_signal(int n)
{
	if (cfg_signal_name(n))
		str(cfg_signal_name(n));
	else
		num((uint64_t)n);
}

/* ----------------------------------------------------------------- all rows */

static bool is_unset(const struct box *b, const struct key *k)
{
	const void *at = (const char *)b + k->at;

	switch ((int)k->type) {
	case T_HOST: case T_LABEL: case T_CGROUP: return !*(char *const *)at;
	case T_CLOCK: return !*(const int64_t *)at;
	case T_NICE: return !b->has_nice;
	case T_SCHED: return b->sched == SCHED_UNSET;
	case T_IONICE: return !b->has_ioprio;
	case T_AFFINITY: return !b->has_affinity;
	case T_OOM: return !b->has_oom;
	case T_PERSONA: return !b->has_persona;
	default: return false;
	}
}

/* The value of a key that has one line. */
static void show_scalar(const struct box *b, const struct key *k, int row)
{
	const void *at = (const char *)b + k->at;

	switch ((int)k->type) {
	case T_CWD: case T_HOST: case T_LABEL: case T_CGROUP: case T_NAME: str(*(char *const *)at); break;
	case T_USER: show_user(b); break;
	case T_UMASK: put("0%o", b->umask); break;
	case T_CHOICE: choice(key_text(row, 0), *(const uint8_t *)at); break;
	case T_ENUM: choice(key_text(row, 0), *(const int *)at); break;
	case T_ONLY: choice(key_text(row, 0), 0); break;
	case T_ROOT: show_root(b); break;
	case T_MOUNTS: show_mounts(b); break;
	case T_NS: show_ns(b, (int)(k->at - offsetof(struct box, ns))); break;
	case T_CLOCK: put("%llds", (long long)*(const int64_t *)at); break;
	case T_NICE: put("%d", b->nice); break;
	case T_OOM: put("%d", b->oom_score_adj); break;
	case T_SCHED: show_sched(b); break;
	case T_IONICE: show_ionice(b); break;
	case T_AFFINITY: show_affinity(b); break;
	case T_CAPS: show_caps(*(const uint64_t *)at); break;
	case T_SECBITS: show_securebits(b, row); break;
	case T_PERSONA: num(b->persona); break;
	case T_SIGNAL: show_signal(b->stop_signal); break;
	case T_TIME: put(b->stop_ms % 1000 ? "%ums" : "%us", b->stop_ms % 1000 ? b->stop_ms : b->stop_ms / 1000); break;
	}
	chr('\n');
}

static void show_row(const struct box *b, int row)
{
	const struct key *k = key_row(row);

	switch ((int)k->type) {
	case T_EXEC: show_exec(b); break;
	case T_ENV: show_env(b); break;
	case T_GROUPS: show_groups(b); break;
	case T_BIND: show_mnts(b); break;
	case T_TMPFS: case T_MOUNT: break;	/* among the binds */
	case T_ETC: show_list(k->name, b->etc, b->netc, true, ", \t"); break;
	case T_DEVICE: show_devices(b); break;
	case T_PATHS:
		if (k->at == offsetof(struct box, mask))
			show_list(k->name, b->mask, b->nmask, true, ", \t");
		else
			show_list(k->name, b->ro, b->nro, true, ", \t");
		break;
	case T_MAP:
		if (k->at == offsetof(struct box, uidmap))
			show_map(k->name, b->uidmap, b->nuidmap);
		else
			show_map(k->name, b->gidmap, b->ngidmap);
		break;
	case T_SIZE: case T_COUNT: case T_WEIGHT: case T_CPU:
		show_limit(b, k->name, k->type, (int)(k->at - offsetof(struct box, lim)) / (int)sizeof b->lim[0]);
		break;
	case T_RLIMIT: show_rlimits(b); break;
	case T_SYSCALLS: show_syscalls(b); break;
	case T_SYSCTL: show_sysctls(b); break;
	case T_AFTER: show_list(k->name, b->after, b->nafter, false, ", \t"); break;
	case T_USE: case T_INCLUDE: break;
	default:
		if (is_unset(b, k))
			unset(k->name);
		else {
			head(k->name, 0, false);
			show_scalar(b, k, row);
		}
	}
}

void cfg_show(const struct box *b, int fd, bool marks)
{
	int i;

	begin(fd, marks);
	str("use=service\n");	/* all that other presets say stands below */
	for (i = 0; i < key_count(); i++)
		show_row(b, i);
	flush();
}

/* --------------------------------------------------------------------- help */

static void help(int row, bool more)
{
	const struct key *k = key_row(row);

	put("%s%s=%s\n\t%s\n", k->name, k->flags & K_SUB ? "X" : "", key_text(row, 0), key_text(row, 2));
	if (!more)
		return;
	if (*key_text(row, 1))
		put("\tdefault: %s\n", key_text(row, 1));
	if (k->flags & K_LIST)
		str("\ta list: lines add up, an empty value empties it\n");
	if (k->flags & K_SKIP)
		str("\t? may stand before it: go on without\n");
	if (k->flags & K_BOARD)
		str("\talso in board.conf\n");
}

int cfg_help(const char *key)
{
	struct near near;
	int i, row = key ? key_find(key) : -1;

	begin(1, false);
	if (!key)
		for (i = 0; i < key_count(); i++)
			help(i, false);
	else
		near_begin(&near, key);
	for (i = 0; key && i < key_count(); i++) {
		if (row < 0 && key_row(i)->flags & K_SUB && starts(key_row(i)->name, key))
			row = i;
		near_try(&near, key_row(i)->name);
	}
	if (row >= 0)
		help(row, true);
	flush();
	if (key && row < 0)
		say(2, "husk: help: %s: no such key%s\n", key, near_hint(&near));
	return key && row < 0 ? 2 : 0;
}
