/*
 * check.c - rules between keys, and what follows from them. No kernel here:
 * what depends on the machine is in machine.c.
 *
 * Each rule says what is wrong where it was said.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>

#include "husk.h"

/* ----------------------------------------------------- what is the box's own */

/* Keys that are for nothing without a namespace of its own: from, to */
static const uint8_t owned[][3] = {
	{ KEY_TTY, KEY_TTY, NS_MNT }, { KEY_PID1, KEY_PID1, NS_PID }, { KEY_ROOT, KEY_READONLY, NS_MNT },
	{ KEY_UIDMAP, KEY_GIDMAP, NS_USER }, { KEY_HOSTNAME, KEY_DOMAINNAME, NS_UTS },
	{ KEY_CLOCK_MONOTONIC, KEY_CLOCK_BOOTTIME, NS_TIME },
};

static void not_own(const struct box *b, int row, int item, int ns)
{
	int said = KEY_NET;

	while (key_row(said)->at != offsetof(struct box, ns) + (unsigned)ns)
		said++;
	cfg_error(row, item, "this box has %s %s (%s)", b->ns[ns] == NSM_HOST ? "the host's" : "another's",
		cfg_nth("users|processes|network|queues|name|mounts|cgroups|clocks", ns), cfg_said(said));
}

/* Does the line say no more than what is so anyway? */
static bool idle(const struct box *b, const struct mark *m)
{
	const struct key *k = key_row(m->key);

	return k->type == T_ROOT ? m->item ? !b->root_rw : b->root == ROOT_HOST :
		(k->type == T_CHOICE || k->type == T_YES || k->type == T_MOUNTS) && !*((const uint8_t *)b + k->at);
}

static void owners(const struct box *b)
{
	const struct mark *m;
	unsigned i;

	for (m = cfg_marks(); m->text; m++)
		for (i = 0; i < sizeof owned / sizeof *owned; i++)
			if (m->key >= owned[i][0] && m->key <= owned[i][1] && b->ns[owned[i][2]] != NSM_NEW &&
			    m->src->layer > L_USE && !idle(b, m))
				not_own(b, m->key, m->item, owned[i][2]);
}

/* -------------------------------------------------------------------- FILES */

bool cfg_kernels(const char *path)
{
	return rootfs_below(path, "/proc") || rootfs_below(path, "/sys");
}

/* Without a mount namespace of its own there is nothing to build. */
static void no_mounts(struct box *b)
{
	int row;

	for (row = KEY_ROOT; row <= KEY_READONLY; row++)
		cfg_unmark(row, -1);
	b->root = ROOT_HOST;
	b->root_rw = false;
	b->nmnt = b->ndev = b->nmask = b->nro = b->netc = 0;
	b->mounts = 0;
}

static void uncovers(int row, int item, const char *path, const char *const *list, int n, bool itself, const char *key)
{
	for (; n > 0; n--, list++)
		if (rootfs_below(*list, path) && (itself || !same(*list, path)))
			cfg_error(row, item, "%s would uncover %s=%s", path, key, *list);
}

/* A foreign file must not pose as a knob of the kernel. */
static void one_mount(struct box *b, int i)
{
	const struct mnt *m = &b->mnt[i];
	int d, row = KEY_BIND + m->kind;

	for (d = 0; d < NDM; d++)
		if (same(rootfs_default(d), m->dst))
			b->mounts &= (uint16_t)~(1u << d);
	if (m->idmap && USERS(b) != NSM_NEW)
		not_own(b, row, i, NS_USER);
	if (m->kind == MNT_FS || !cfg_kernels(m->dst))
		return;
	if (m->kind == MNT_TMPFS || !same(m->src, m->dst))
		cfg_error(row, i, "below /proc and /sys only the host's own %s, and mask=", m->dst);
	else if (strrchr(m->dst, '/') > m->dst) {
		uncovers(row, i, m->dst, b->mask, b->nmask, true, "mask");
		uncovers(row, i, m->dst, b->ro, b->nro, false, "readonly");
	}
}

static void needs(const struct box *b, int row, int item, int dm)
{
	if (!(b->mounts >> dm & 1))
		cfg_error(row, item, "needs the box's own %s (mounts=default)", rootfs_default(dm));
}

static void files(struct box *b)
{
	int i;

	if (b->ns[NS_MNT] != NSM_NEW) {
		no_mounts(b);
		return;
	}
	for (i = 0; i < b->nmnt; i++)
		one_mount(b, i);
	if (b->tty)
		needs(b, KEY_TTY, 0, DM_PTS);
	for (i = 0; i < b->ndev; i++)
		needs(b, KEY_DEVICE, i, DM_DEV);
	/* names need a net: what the defaults say about it is only in the way */
	for (i = b->netc - 1; i >= 0 && b->ns[NS_NET] == NSM_NEW; i--)
		if (cfg_layer(KEY_ETC, i) == L_DEFAULTS && !same(b->etc[i], "localtime")) {
			cfg_unmark(KEY_ETC, i);
			memmove(&b->etc[i], &b->etc[i + 1], (size_t)(b->netc - i - 1) * sizeof b->etc[0]);
			b->netc--;
		}
}

/* --------------------------------------------------------------- NAMESPACES */

static bool overlap(uint32_t a, uint32_t b, uint32_t na, uint32_t nb)
{
	return (uint64_t)a < (uint64_t)b + nb && (uint64_t)b < (uint64_t)a + na;
}

static bool mapped(const struct idmap *m, int n, uint32_t id)
{
	for (; n > 0; n--, m++)
		if (id >= m->in && id - m->in < m->count)
			return true;
	return false;
}

static void one_map(const struct box *b, int row, const struct idmap *m, int n, uint32_t id)
{
	const uint32_t ids[] = { 0, b->who == WHO_AUTO ? AUTO_FIRST : id, b->who == WHO_AUTO ? AUTO_LAST : id };
	int i, j;

	for (i = 0; i < n; i++)
		for (j = 0; j < i; j++)
			if (overlap(m[i].in, m[j].in, m[i].count, m[j].count) ||
			    overlap(m[i].out, m[j].out, m[i].count, m[j].count))
				cfg_error(row, i, "overlaps %u:%u:%u", m[j].in, m[j].out, m[j].count);
	for (i = 0; n && i < (b->who == WHO_NAME ? 1 : 3); i++)
		if (!mapped(m, n, ids[i])) {
			cfg_error(row, 0, "%u is not in it, and %s needs it", ids[i], i ? "user=" : "root");
			return;
		}
}

/* One left out is like the other. */
static void maps(struct box *b)
{
	int uid = b->nuidmap ? KEY_UIDMAP : KEY_GIDMAP, gid = b->ngidmap ? KEY_GIDMAP : KEY_UIDMAP;

	if (USERS(b) != NSM_NEW)
		return;
	b->automap = !b->nuidmap && !b->ngidmap;
	if (!b->nuidmap)
		memcpy(b->uidmap, b->gidmap, sizeof b->uidmap);
	else if (!b->ngidmap)
		memcpy(b->gidmap, b->uidmap, sizeof b->gidmap);
	b->nuidmap = b->nuidmap ? b->nuidmap : b->ngidmap;
	b->ngidmap = b->ngidmap ? b->ngidmap : b->nuidmap;
	one_map(b, uid, b->uidmap, b->nuidmap, b->uid);
	if (!cfg.errors)
		one_map(b, gid, b->gidmap, b->ngidmap, b->gid);
}

/* Offsets make the namespace. */
static void clocks(struct box *b)
{
	if ((!b->clock_monotonic && !b->clock_boottime) || cfg_layer(KEY_NS_TIME, 0) > L_DEFAULTS)
		return;
	b->ns[NS_TIME] = NSM_NEW;
	cfg_unmark(KEY_NS_TIME, -1);
}

/* ------------------------------------------------------------------- RIGHTS */

static void within(int row, uint64_t set, uint64_t of, const char *name)
{
	set &= ~of;
	if (set)
		cfg_error(row, 0, "%s is not in %s", caps_name(__builtin_ctzll(set)), name);
}

/* A user other than root keeps over exec only what is ambient. Bits that make
 * uid 0 nothing special must not take what root was given. */
static void rights(struct box *b)
{
	bool amb = cfg_layer(KEY_CAPS_AMBIENT, 0) >= 0, inh = cfg_layer(KEY_CAPS_INHERITABLE, 0) >= 0;

	if (!amb)
		b->ambient = b->uid == 0 ? 0 : inh ? b->caps & b->inheritable : b->caps;
	if (!inh)
		b->inheritable = b->ambient;
	within(KEY_CAPS_AMBIENT, b->ambient, b->caps, "caps=");
	if (inh)
		within(KEY_CAPS_INHERITABLE, b->inheritable, b->caps, "caps=");
	if (amb && inh)
		within(KEY_CAPS_AMBIENT, b->ambient, b->inheritable, "caps.inheritable=");
	if (cfg_layer(KEY_SECUREBITS, 0) < 0 && b->caps == b->ambient) {
		b->securebits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED;
		if (!b->ambient)
			b->securebits |= SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	}
	if (b->ambient && b->securebits & SECBIT_NO_CAP_AMBIENT_RAISE)
		cfg_error(KEY_SECUREBITS, 0, "no_cap_ambient_raise against caps.ambient=");
}

/* Only what belongs to a namespace of the box; anything else is the host's. */
static void sysctls(const struct box *b)
{
	static const char own[][14] = { "net.", "kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue." };
	unsigned k;
	int i;

	for (i = 0; i < b->nsysctl; i++) {
		for (k = 0; k < sizeof own / sizeof *own && !starts(b->sysctl[i].key, own[k]); k++)
			;
		if (k == sizeof own / sizeof *own)
			cfg_error(KEY_SYSCTL, i, "the host's, not a box's: board.conf may set it");
		else if (b->ns[k ? NS_IPC : NS_NET] != NSM_NEW)
			not_own(b, KEY_SYSCTL, i, k ? NS_IPC : NS_NET);
	}
}

/* Who is left of a program that has gone to the background PID 1 knows of its own alone. */
static void forks(const struct box *b)
{
	if (b->pid1_program)
		cfg_error(KEY_FORKS, 0, "not with pid1=program: that one is the box");
	if (b->ns[NS_PID] != NSM_NEW)
		cfg_error(KEY_FORKS, 0, "not with %s: who is left is known in a namespace of its own", cfg_said(KEY_NS_PID));
}

/* Its INIT has all rights of root for a while, that starts there after the two have looked at
 * each other. The owner of a namespace is there before anybody can find it. */
static void tracer(const struct box *b)
{
	if (b->caps >> CAP_SYS_PTRACE & 1 && b->ns[NS_PID] == NSM_JOIN && USERS(b) != NSM_NEW)
		cfg_error(KEY_CAPS, 0, "sys_ptrace could take what else starts with %s - husk exec NAME caps=sys_ptrace is for one who looks", cfg_said(KEY_NS_PID));
}

/* A number is one file's. */
static void numbers(const struct box *b)
{
	int i, j;

	for (i = 0; i < b->nfd; i++) {
		for (j = 0; j < i && b->fd[j].number != b->fd[i].number; j++)
			;
		if (j < i || (b->life.ready == READY_FD && b->life.ready_number == b->fd[i].number))
			cfg_error(KEY_FD, i, "%u is %s already", b->fd[i].number, j < i ? b->fd[j].path : cfg_said(KEY_READY));
	}
}

/* A second execve, of a path that is on no page */
static void hooks_once(const struct box *b)
{
	int i;

	for (i = 0; i < b->nhook; i++)
		if (b->hook[i].stage == HOOK_STARTCONTAINER)
			cfg_error(KEY_HOOK, i, "not with exec.once=: it would be one more");
}

/* Page 0 is for CAP_SYS_RAWIO of the first user namespace: of husk, and not of the program. */
static void exec_once(const struct box *b)
{
	if (b->caps >> CAP_SYS_RAWIO & 1)
		cfg_error(KEY_EXEC_ONCE, 0, "not with caps=sys_rawio: it may put a path where the only one must lie");
	if (USERS(b) != NSM_HOST)
		cfg_error(KEY_EXEC_ONCE, 0, "needs CAP_SYS_RAWIO of the host: not with %s", cfg_said(KEY_NS_USER));
}

/* ---------------------------------------------------------------------- LIFE */

bool cfg_notify(const struct life *l)
{
	return HAS(ready) && (l->ready == READY_NOTIFY || l->watchdog_ms);
}

enum { START_MS = 30000 };		/* of start.timeout= */

/* The socket of sd_notify is one more bind, whose source its start makes. */
static void notify_socket(struct box *b)
{
	struct mnt m = { .kind = MNT_BIND, .flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, .src = "", .dst = READY_PLACE };
	int key = b->life.ready == READY_NOTIFY ? KEY_READY : KEY_WATCHDOG;

	if (b->ns[NS_MNT] == NSM_JOIN || (b->ns[NS_MNT] == NSM_HOST && b->uid))
		cfg_error(key, 0, "its socket cannot be reached: this box has %s mounts (%s)%s",
			b->ns[NS_MNT] == NSM_HOST ? "the host's" : "another's", cfg_said(KEY_NS_MNT),
			b->ns[NS_MNT] == NSM_HOST ? ", and its user is not root" : "");
	else if (b->ns[NS_MNT] == NSM_NEW && b->nmnt == MAXMNT)
		cfg_error(key, 0, "its socket is one bind= too many");
	else if (b->ns[NS_MNT] == NSM_NEW)
		b->mnt[b->nmnt++] = m;
}

/* What takes its time, and then is over, has no limit unless one is said. */
static void ready(struct box *b)
{
	struct life *l = &b->life;
	bool limit = cfg_layer(KEY_START_TIMEOUT, 0) >= 0;

	if (cfg_notify(l))
		notify_socket(b);
	if (limit && l->ready == READY_START)
		cfg_error(KEY_START_TIMEOUT, 0, "ready=start waits for nothing");
	if (l->ready == READY_EXIT && l->restart == RESTART_ALWAYS)
		cfg_error(KEY_READY, 0, "exit: not with restart=always: it would never be");
	if (l->ready > READY_EXIT && !limit)
		l->ready_ms = START_MS;
}

/* What the kernel would refuse when it is written, of two that are about the same */
static void limits(const struct box *b)
{
	const uint64_t *lim = b->lim;
	uint64_t period = lim[LIM_RT_PERIOD] == LIM_NONE ? 1000000 : lim[LIM_RT_PERIOD];

	if (lim[LIM_BURST] != LIM_NONE && lim[LIM_BURST] > (lim[LIM_CPU] >= LIM_NONE ? 0 : lim[LIM_CPU]))
		cfg_error(KEY_CPU_MAX_BURST, 0, "above the quota of cpu.max=");
	if (lim[LIM_CPUNICE] != LIM_NONE && lim[LIM_WEIGHT] != LIM_NONE)
		cfg_error(KEY_CPU_WEIGHT_NICE, 0, "not with cpu.weight=: the same twice");
	if (lim[LIM_IDLE] == 1 && (lim[LIM_CPUNICE] != LIM_NONE || lim[LIM_WEIGHT] != LIM_NONE))
		cfg_error(KEY_CPU_IDLE, 0, "not with %s: who is idle has no weight", cfg_said(lim[LIM_WEIGHT] != LIM_NONE ? KEY_CPU_WEIGHT : KEY_CPU_WEIGHT_NICE));
	if (lim[LIM_RT] != LIM_NONE && lim[LIM_RT] > period)
		cfg_error(KEY_CPU_RT_RUNTIME, 0, "above cpu.rt_period_us=");
}

/* By key, as husk show has them: they are written in this order. */
static void in_order(struct box *b)
{
	struct knob k;
	int i, to;

	for (i = 1; i < b->nknob; i++) {
		k = b->knob[i];
		for (to = i; to && b->knob[to - 1].row > k.row; to--)
			b->knob[to] = b->knob[to - 1];
		b->knob[to] = k;
	}
}

/* For the ABI in use */
static bool policy(const struct box *b)
{
	const char *e;
	int i;

	for (i = 0; i <= b->nsyscall + FILTER_STEPS; i++)
		if ((e = filter_step(b, i)))
			cfg_error(filter_row(b, i), i > b->nsyscall ? 0 : i - 1, "%s%s", e,
				b->abi == ABI_BOTH && filter_arch->bits == 32 ? " (of 32-bit programs)" : "");
	return !cfg.errors;
}

/* The other ABI stands behind; of abi=32 that is the machine's own, with what husk
 * itself still does in it. A 32-bit machine has one alone. */
static void filter(struct box *b)
{
	unsigned max = b->calls_log ? MAXBPF - FILTER_HOLE : MAXBPF;
	bool only = b->abi == ABI_32;
	const char *e;

	/* what nobody has changed is right, and so is all of it; and an order has no use for it */
	if (cfg.plan && b->nsyscall == 1 && !b->exec_once && (same(b->syscalls[0], "@service") ? !*b->sockets && b->nnp :
		same(b->syscalls[0], "@all") && b->caps & (uint64_t)1 << CAP_SYS_ADMIN))
		return;
	if (filter_compat(b->abi == ABI_BOTH) && b->abi != ABI_NATIVE) {
		if (!policy(b))
			return;
		filter_behind(b->bpf, max, only);
		(void)filter_compat(only);
	}
	if (!policy(b))
		return;
	if ((e = filter_build(b->bpf, max, &b->nbpf)))
		cfg_error(KEY_SYSCALLS, 0, "%s", e);
	if (!b->nnp && b->nbpf && !(b->caps & (uint64_t)1 << CAP_SYS_ADMIN))
		cfg_error(KEY_NO_NEW_PRIVS, 0, "no: only with syscalls=@all or caps=sys_admin");
}

/* --------------------------------------------------------------------- LIFE */

static size_t pack(struct life *l, size_t at, char letter, int row, const char *const *list, int n, const char *name)
{
	int i;

	for (i = 0; i < n; i++)
		if (same(list[i], name))
			cfg_error(row, i, "it is the box itself");
		else if (strlen(list[i]) + 3 > sizeof l->waits - at) {
			cfg_error(row, i, "if=, after= and needs= are more than %d bytes", MAXWAITS);
			return at;
		} else {
			l->waits[at++] = letter;
			at += copy(l->waits + at, sizeof l->waits - at, list[i]) + 1;
		}
	return at;
}

/* One text for the keeper; the empty one at its end is there already. */
static void waits(struct box *b)
{
	size_t at;

	memset(b->life.waits, 0, sizeof b->life.waits);
	at = pack(&b->life, 0, WAIT_NEEDS, KEY_NEEDS, b->needs, b->nneeds, b->name);
	at = pack(&b->life, at, WAIT_AFTER, KEY_AFTER, b->after, b->nafter, b->name);
	(void)pack(&b->life, at, WAIT_IF, KEY_IF, b->ifs, b->nif, b->name);
}

void cfg_check(struct box *b)
{
	if (b->file && !b->narg)
		cfg_error(KEY_EXEC, 0, "a value is missing");
	if (!b->nsyscall)
		cfg_error(KEY_SYSCALLS, 0, "a value is missing");
	clocks(b);
	owners(b);
	files(b);
	maps(b);
	rights(b);
	sysctls(b);
	limits(b);
	if (HAS(ready))
		ready(b);
	if (HAS(knobs))
		in_order(b);
	if (HAS(restart) && (b->nneeds || b->nafter || b->nif))
		waits(b);
	if (b->life.forks)
		forks(b);
	tracer(b);
	if (b->exec_once)
		exec_once(b), hooks_once(b);
	if (HAS(sockets))
		numbers(b);
	cfg_check_listen(b);
	if (b->abi == ABI_32 && !(b->persona & PER_MASK))
		b->persona |= PER_LINUX32;
	if (b->ns[NS_UTS] == NSM_NEW && !b->hostname)
		b->hostname = b->name;
	if (!cfg.errors)
		filter(b);
}
