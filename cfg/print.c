/*
 * print.c - husk show: struct box back in its own language, every default
 * written out; parse(show(x)) is x. And husk help.
 *
 * The text is gathered in what is free of the text buffer: one write.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

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
	static char text[256];
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
	int unit = 0;

	for (; !(n & PERCENT) && n && n % 1024 == 0 && unit < 3; unit++)
		n /= 1024;
	num(n & ~PERCENT);
	str(n & PERCENT ? "%" : cfg_nth("|K|M|G", unit));
}

/* ------------------------------------------------------------ start of a line */

static void head(const char *key, int item, bool skip)
{
	int layer = out.marks ? cfg_layer(key, item) : 0;
	const char *file;
	unsigned line;

	if (layer == L_USE)
		put("# use=%s\n", cfg_used());
	else if (layer > 0 && cfg_where(key, item, &file, &line))
		put("# %s:%u\n", file, line);
	else if (layer > 0)
		str("# command line\n");
	put("%s%s=", skip ? "?" : "", key);
}

/* ------------------------------------------------------------------ by type */

static void show_exec(const struct box *b)
{
	int i;

	for (i = 0; i < b->narg; i++) {
		if (i)
			chr(' ');
		quoted(b->argv[i]);
	}
}

static void show_user(const struct box *b)
{
	bool root = b->uid == 0 && b->gid == 0;

	if (b->who == WHO_NUMBER && !root)
		num(b->uid);
	else
		str(root ? "root" : b->who == WHO_AUTO ? "auto" : b->user);
	if (b->group)
		put(":%s", b->group);
	else if (b->gid != ~0u && !root)
		put(":%u", b->gid);
}

static void show_root(const struct box *b)
{
	field(b->root == ROOT_DIR ? b->rootdir : b->root == ROOT_HOST ? "/" : "tmpfs");
	if (b->root_rw)
		str(":rw");
}

/* The first eight options are four pairs; a file system's type is before them. */
static void show_mnt(const struct mnt *m)
{
	const char *option;
	int i;

	if (m->src) {
		field(m->src);
		chr(':');
	}
	field(m->dst);
	chr(':');
	if (m->type)
		field(m->type);
	for (i = 0; (option = mnt_option(i)); i++)
		if (mnt_has(m, i))
			put(i > 1 || m->type ? ",%s" : "%s", option);
	if (m->mode)
		put(m->create ? "=0%o" : ",mode=0%o", m->mode);
	if (m->size) {
		chr(',');
		size(m->size);
	}
	if (m->data) {
		chr(',');
		field(m->data);
	}
}

static void show_mounts(const struct box *b, const char *words)
{
	int i;

	str(cfg_nth(words, !b->mounts));
	for (i = 0; i < NDM && b->mounts; i++)
		if (!(b->mounts & 1u << i))
			put(",%s", cfg_nth(words, 2 + i));
}

static void show_device(const struct dev *d)
{
	field(d->host);
	chr(':');
	field(d->dst);
	put(":%s%s%s", d->perm & DEV_R ? "r" : "", d->perm & DEV_W ? "w" : "", d->perm & DEV_M ? "m" : "");
	if (d->mode)
		put(",mode=0%o", d->mode);
}

static void show_ns(const struct box *b, int ns)
{
	if (b->ns[ns] != NSM_JOIN)
		str(b->ns[ns] == NSM_HOST ? "host" : ns == NS_NET ? "none" : "new");
	else if (b->nsbox[ns])
		put("box:%s", b->nsbox[ns]);
	else
		str(b->nspath[ns]);
}

static void show_limit(const struct box *b, int type, uint64_t n)
{
	unsigned us = (unsigned)n;

	if (n == LIM_MAX)
		str("max");
	else if (type == T_SIZE)
		size(n);
	else if (type != T_CPU)
		num(us);
	else if (b->cpu_period == 100000 && us % 1000 == 0)
		put("%u%%", us / 1000);
	else
		put("%u %u", us, b->cpu_period);
}

static void show_rlimit(const struct rlim *r)
{
	const uint64_t *n;

	for (n = &r->soft; n <= &r->hard; n++) {
		if (n > &r->soft)
			chr(':');
		if (*n == ~(uint64_t)0)
			str("unlimited");
		else
			num(*n);
	}
}

static bool cpu(const struct box *b, unsigned i)
{
	return i < MAXCPU && b->affinity[i / 64] >> i % 64 & 1;
}

static void show_affinity(const struct box *b)
{
	const char *f = "%u";
	unsigned i, end;

	for (i = 0; i < MAXCPU; i = end + 1) {
		for (end = i; cpu(b, end); end++)
			;
		if (end == i)
			continue;
		put(f, i);
		f = ",%u";
		if (end > i + 1)
			put("-%u", end - 1);
	}
}

/* all without a few, where that is less than the few */
static void show_caps(uint64_t set)
{
	bool most = (ALLCAPS & ~set) < set;
	const char *name, *comma = most ? ",-" : "";
	int i;

	str(!set ? "none" : most ? "all" : "");
	set = most ? ~set : set;
	for (i = 0; (name = caps_name(i)); i++, set >>= 1)
		if (set & 1) {
			put("%s%s", comma, name);
			comma = most ? ",-" : ",";
		}
}

static void show_securebits(const struct box *b, const char *words)
{
	const char *comma = "";
	int i;

	for (i = 0; i < 8; i++)
		if (b->securebits >> i & 1) {
			put("%s%s", comma, cfg_nth(words, i + 1));
			comma = ",";
		}
	if (!b->securebits)
		str(cfg_nth(words, 0));
}

/* ----------------------------------------------------------------- all rows */

/* The value of a key, or its item i. */
static void show_value(const struct box *b, const struct key *k, const char *words, int i)
{
	const void *at = (const char *)b + k->at;
	const struct idmap *m;

	switch ((enum keytype)k->type) {
	case T_EXEC: show_exec(b); break;
	case T_ENV: str(b->env[i]); break;
	case T_CWD: case T_HOST: case T_LABEL: case T_CGROUP: case T_NAME: str(*(char *const *)at); break;
	case T_USER: show_user(b); break;
	case T_GROUPS:
		if (b->groups[i].name)
			str(b->groups[i].name);
		else
			num(b->groups[i].id);
		break;
	case T_UMASK: put("0%o", b->umask); break;
	case T_CHOICE: str(cfg_nth(words, *(const uint8_t *)at)); break;
	case T_ONLY: str("no"); break;
	case T_ROOT: show_root(b); break;
	case T_BIND: case T_TMPFS: case T_MOUNT: show_mnt(&b->mnt[i]); break;
	case T_MOUNTS: show_mounts(b, words); break;
	case T_ETC: escaped(b->etc[i], ", \t"); break;
	case T_DEVICE: show_device(&b->dev[i]); break;
	case T_PATHS: escaped((at == &b->nmask ? b->mask : b->ro)[i], ", \t"); break;
	case T_NS: show_ns(b, (int)((const uint8_t *)at - b->ns)); break;
	case T_MAP:
		m = (at == &b->nuidmap ? b->uidmap : b->gidmap) + i;
		put("%u:%u:%u", m->in, m->out, m->count);
		break;
	case T_CLOCK: put("%llds", (long long)*(const int64_t *)at); break;
	case T_SIZE: case T_COUNT: case T_WEIGHT: case T_CPU: show_limit(b, k->type, *(const uint64_t *)at); break;
	case T_RLIMIT: show_rlimit(&b->rlim[i]); break;
	case T_NICE: put("%d", b->nice); break;
	case T_OOM: put("%d", b->oom_score_adj); break;
	case T_SCHED: put(b->sched_prio ? "%s:%u" : "%s", cfg_nth(POLICIES, b->sched), b->sched_prio); break;
	case T_IONICE: put(b->ioprio >> 13 < 3 ? "%s:%u" : "%s", cfg_nth(IOCLASSES, b->ioprio >> 13), b->ioprio & 0x1fff); break;
	case T_AFFINITY: show_affinity(b); break;
	case T_CAPS: show_caps(*(const uint64_t *)at); break;
	case T_SYSCALLS: str(b->syscalls[i]); break;
	case T_SECBITS: show_securebits(b, words); break;
	case T_SYSCTL: str(b->sysctl[i].val); break;
	case T_PERSONA: num(b->persona); break;
	case T_AFTER: str(b->after[i]); break;
	case T_SIGNAL:
		if (b->stop_signal < 32)
			str(cfg_signal_name(b->stop_signal));
		else
			num(b->stop_signal);
		break;
	case T_TIME: put(b->stop_ms % 1000 ? "%ums" : "%us", b->stop_ms % 1000 ? b->stop_ms : b->stop_ms / 1000); break;
	case T_USE: case T_INCLUDE: break;
	}
	chr('\n');
}

static bool skips(const struct box *b, const struct key *k, int i)
{
	switch ((int)k->type) {
	case T_MOUNT: return b->mnt[i].skip;	/* all three */
	case T_DEVICE: return b->dev[i].skip;
	case T_SIZE: case T_COUNT: case T_WEIGHT: case T_CPU:
		return b->lim_skip >> (k->at - offsetof(struct box, lim)) / sizeof b->lim[0] & 1;
	default: return false;
	}
}

/* Lines before that are emptied first. Mounts of the three keys stand together
 * behind the last one, as their order counts: one may lie below another. */
static void show_list(const struct box *b, const struct key *k, const char *name)
{
	int i, n = *((const uint8_t *)b + k->at);

	put("%s=%s\n", name, k->type == T_MAP && !n ? "auto" : "");
	if (k->type == T_BIND || k->type == T_TMPFS)
		return;
	for (i = 0; i < n; i++) {
		head(k->type == T_MOUNT ? mnt_key(b->mnt[i].kind) : name, i, skips(b, k, i));
		show_value(b, k, NULL, i);
	}
}

/* rlimit.nofile, sysctl.net.x */
static void show_subs(const struct box *b, const struct key *k, const char *name)
{
	int i, n = k->type == T_RLIMIT ? 16 : b->nsysctl;
	static char key[140];

	for (i = 0; i < n; i++)
		if (k->type == T_SYSCTL || b->rlim[i].set) {
			fmt(key, sizeof key, "%s%s", name, k->type == T_SYSCTL ? b->sysctl[i].key : cfg_rlimit_name(i));
			head(key, i, false);
			show_value(b, k, NULL, i);
		}
}

static void show_row(const struct box *b, int row)
{
	const struct key *k = key_row(row);
	const char *name = key_name(row);
	bool list = k->flags & K_LIST && k->type != T_CAPS && k->type != T_MOUNTS && k->type != T_EXEC;

	if (k->type == T_USE || k->type == T_INCLUDE)
		return;
	if (k->flags & K_SUB)
		show_subs(b, k, name);
	else if (list)
		show_list(b, k, name);
	else if ((k->flags & K_OPEN && cfg_layer(name, 0) < 0) || (k->type == T_HOST && !b->hostname))
		put("# %s is not set\n", name);
	else {
		head(name, 0, skips(b, k, 0));
		show_value(b, k, key_what(row), 0);
	}
}

void cfg_show(const struct box *b, int fd, bool marks)
{
	int i;

	begin(fd, marks);
	str("use=service\n");	/* all that other presets say stands below */
	for (i = 0; key_name(i); i++)
		show_row(b, i);
	flush();
}

/* --------------------------------------------------------------------- help */

static int key_like(const char *key)
{
	int i, row = key_find(key);

	for (i = 0; row < 0 && key_name(i); i++)
		if (key_row(i)->flags & K_SUB && starts(key_name(i), key))
			row = i;
	return row;
}

/* The default is what a box has that says nothing. */
int cfg_help(const char *key)
{
	static struct box b;
	int row = key_like(key);
	unsigned flags;

	if (row < 0) {
		say(2, "husk: help: %s: no such key%s\n", key, near_of(key, key_name));
		return 2;
	}
	cfg_load(&b, NULL, NULL, 0, NULL);
	begin(1, false);
	flags = key_row(row)->flags;
	put("%s%s=%s\n", key_name(row), flags & K_SUB ? "X" : "", key_what(row));
	if (*key_help(row))
		put("\t%s\n", key_help(row));
	if (flags & K_LIST)
		str("\ta list: lines add up, an empty value empties it\n");
	if (flags & K_SKIP)
		str("\t? before it: go on without\n");
	if (flags & K_BOARD)
		str("\talso in board.conf\n");
	str("default:\n");
	show_row(&b, row);
	flush();
	return 0;
}
