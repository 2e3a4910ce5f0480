/*
 * check.c - rules between keys, and what follows from them. No kernel here:
 * what depends on the machine is in machine.c.
 *
 * Each rule says what is wrong where it was said, and counts it.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>

#include "husk.h"

/* "ns.mnt=host by use=host, line 1" */
static const char *because(const struct box *b, int ns)
{
	static char text[160], key[16];
	const char *box = b->nsbox[ns], *file;
	unsigned line;
	size_t n;

	fmt(key, sizeof key, "%s%s", ns == NS_NET ? "" : "ns.", ns_name(ns));
	n = fmt(text, sizeof text, "%s=%s%s", key, box ? "box:" : "", b->ns[ns] == NSM_HOST ? "host" : box ? box : b->nspath[ns]);
	if (cfg_layer(key, 0) == L_USE)
		n += fmt(text + n, sizeof text - n, " by use=%s", cfg_used());
	if (cfg_where(key, 0, &file, &line))
		fmt(text + n, sizeof text - n, ", line %u", line);
	return text;
}

/* -------------------------------------------------------------------- FILES */

/* Without a mount namespace of its own there is nothing to build. */
static int no_mounts(struct box *b)
{
	int row = key_find("root"), last = key_find("readonly"), i, items, n = 0;
	const struct key *k;

	for (; row <= last; row++) {
		k = key_row(row);
		items = k->type == T_ROOT ? b->root_rw ? 2 : b->root != ROOT_HOST :
			k->type == T_MOUNTS ? b->mounts != 0 : *((uint8_t *)b + k->at);
		for (i = 0; i < items; i++)
			if (cfg_layer(key_name(row), i) > L_USE)
				n += cfg_error(i, "%s: this box has %s mounts (%s)", key_name(row),
					b->ns[NS_MNT] == NSM_HOST ? "the host's" : "another's", because(b, NS_MNT));
		cfg_unmark(row, -1);
	}
	b->root = ROOT_HOST;
	b->root_rw = false;
	b->nmnt = b->ndev = b->nmask = b->nro = b->netc = 0;
	b->mounts = 0;
	return n;
}

/* A foreign file must not pose as a knob of the kernel. */
static int one_mount(struct box *b, int i)
{
	struct mnt *m = &b->mnt[i];
	bool kernels = rootfs_below(m->dst, "/proc") || rootfs_below(m->dst, "/sys");
	int d;

	for (d = 0; d < NDM; d++)
		if (same(rootfs_default(d), m->dst))
			b->mounts &= (uint16_t)~(1u << d);
	if (m->idmap && b->ns[NS_USER] != NSM_NEW)
		return cfg_error(i, "bind: idmap: only with ns.user=new");
	if (kernels && m->kind == MNT_BIND && !same(m->src, m->dst))
		return cfg_error(i, "bind: below /proc and /sys only the host's own %s", m->dst);
	for (d = 0; d < b->nmask && strrchr(m->dst, '/') > m->dst && m->kind == MNT_BIND; d++)
		if (kernels && rootfs_below(b->mask[d], m->dst))
			return cfg_error(i, "bind: %s would uncover mask=%s", m->dst, b->mask[d]);
	if (kernels && m->kind == MNT_TMPFS)
		return cfg_error(i, "tmpfs: mask= hides what is below /proc and /sys");
	if (m->kind == MNT_FS && *m->src != '/' && strchr(m->src, '='))
		return cfg_error(i, "mount: %s: a device or an image in a box, please", m->src);
	return 0;
}

static int files(struct box *b)
{
	int i, n = 0;

	if (b->ns[NS_MNT] != NSM_NEW)
		return no_mounts(b);
	for (i = 0; i < b->nmnt; i++)
		n += one_mount(b, i);
	if (b->tty && !(b->mounts & 1u << DM_PTS))
		n += cfg_error(0, "tty: needs the box's own /dev/pts (mounts=default)");
	for (i = 0; i < b->ndev && !(b->mounts & 1u << DM_DEV); i++)
		n += cfg_error(i, "device: needs the box's own /dev (mounts=default)");
	/* names need a net: what the defaults say about it is only in the way */
	for (i = b->netc - 1; i >= 0 && b->ns[NS_NET] == NSM_NEW; i--)
		if (cfg_layer("etc", i) == 0 && !same(b->etc[i], "localtime")) {
			cfg_unmark(key_find("etc"), i);
			memmove(&b->etc[i], &b->etc[i + 1], (size_t)(b->netc - i - 1) * sizeof b->etc[0]);
			b->netc--;
		}
	return n;
}

/* --------------------------------------------------------------- NAMESPACES */

static int names(struct box *b)
{
	const char *key;
	int n = 0;

	if (b->ns[NS_UTS] == NSM_NEW) {
		b->hostname = b->hostname ? b->hostname : b->name;
		return 0;
	}
	for (key = "hostname"; key; key = *key == 'h' ? "domainname" : NULL)
		if (*key == 'h' ? b->hostname : b->domainname)
			n += cfg_error(0, "%s: this box has no name of its own (%s)", key, because(b, NS_UTS));
	return n;
}

static bool overlap(uint32_t a, uint32_t b, uint32_t na, uint32_t nb)
{
	return (uint64_t)a < (uint64_t)b + nb && (uint64_t)b < (uint64_t)a + na;
}

static bool mapped(const struct idmap *m, int n, uint32_t first, uint32_t last)
{
	int i;

	for (i = 0; i < n; i++)
		if (first >= m[i].in && last - m[i].in < m[i].count)
			return true;
	return false;
}

static int one_map(const struct box *b, const char *key, const struct idmap *m, int n, uint32_t id)
{
	int i, j;

	for (i = 0; i < n; i++)
		for (j = 0; j < i; j++)
			if (overlap(m[i].in, m[j].in, m[i].count, m[j].count) ||
			    overlap(m[i].out, m[j].out, m[i].count, m[j].count))
				return cfg_error(i, "%s: %u:%u:%u overlaps %u:%u:%u", key, m[i].in, m[i].out, m[i].count,
					m[j].in, m[j].out, m[j].count);
	if (n && !mapped(m, n, 0, 0))
		return cfg_error(0, "%s: 0, the box's own root, is not in it", key);
	if (n && b->who == WHO_NUMBER && !mapped(m, n, id, id))
		return cfg_error(0, "%s: %u of user= is not in it", key, id);
	if (n && b->who == WHO_AUTO && !mapped(m, n, 61184, 65519))
		return cfg_error(0, "%s: 61184..65519 of user=auto is not in it", key);
	return 0;
}

static int maps(struct box *b)
{
	const char *uid = "uidmap", *gid = "gidmap";

	if (b->ns[NS_USER] != NSM_NEW)
		return b->nuidmap || b->ngidmap ? cfg_error(0, "%s: only with ns.user=new", b->nuidmap ? uid : gid) : 0;
	b->automap = !b->nuidmap && !b->ngidmap;
	if (!b->nuidmap) {
		uid = gid;
		memcpy(b->uidmap, b->gidmap, sizeof b->uidmap);
		b->nuidmap = b->ngidmap;
	} else if (!b->ngidmap) {
		gid = uid;
		memcpy(b->gidmap, b->uidmap, sizeof b->gidmap);
		b->ngidmap = b->nuidmap;
	}
	if (one_map(b, uid, b->uidmap, b->nuidmap, b->uid))
		return 1;
	return one_map(b, gid, b->gidmap, b->ngidmap, b->gid);
}

/* Offsets make the namespace; without offsets it would be for nothing. */
static int clocks(struct box *b)
{
	const char *key = b->clock_monotonic ? "clock.monotonic" : "clock.boottime";
	bool set = b->clock_monotonic || b->clock_boottime;

	if (!set)
		return b->ns[NS_TIME] == NSM_NEW ? cfg_error(0, "ns.time: new is for clock.monotonic= or clock.boottime=") : 0;
	if (b->ns[NS_TIME] != NSM_NEW && cfg_layer("ns.time", 0) > 0)
		return cfg_error(0, "%s: only with ns.time=new (%s)", key, because(b, NS_TIME));
	b->ns[NS_TIME] = NSM_NEW;
	cfg_unmark(key_find("ns.time"), -1);
	return 0;
}

static int pids(const struct box *b)
{
	if (b->ns[NS_PID] == NSM_NEW || !b->pid1_program)
		return 0;
	return cfg_error(0, "pid1: process 1 is not the box's (%s)", because(b, NS_PID));
}

/* ------------------------------------------------------------------- RIGHTS */

static int within(const char *key, uint64_t set, uint64_t of, const char *name)
{
	set &= ~of;
	return set ? cfg_error(0, "%s: %s is not in %s", key, caps_name(__builtin_ctzll(set)), name) : 0;
}

/* A user other than root keeps over exec only what is ambient. Bits that make
 * uid 0 nothing special must not take what root was given. */
static int rights(struct box *b)
{
	bool amb = cfg_layer("caps.ambient", 0) >= 0, inh = cfg_layer("caps.inheritable", 0) >= 0;
	int n;

	if (!amb)
		b->ambient = b->uid == 0 ? 0 : inh ? b->caps & b->inheritable : b->caps;
	if (!inh)
		b->inheritable = b->ambient;
	n = within("caps.ambient", b->ambient, b->caps, "caps=");
	if (inh)
		n += within("caps.inheritable", b->inheritable, b->caps, "caps=");
	if (amb && inh)
		n += within("caps.ambient", b->ambient, b->inheritable, "caps.inheritable=");
	if (cfg_layer("securebits", 0) < 0 && b->caps == b->ambient) {
		b->securebits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED;
		if (!b->ambient)
			b->securebits |= SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	}
	if (b->ambient && b->securebits & SECBIT_NO_CAP_AMBIENT_RAISE)
		n += cfg_error(0, "securebits: no_cap_ambient_raise against caps.ambient=");
	return n;
}

/* Only what belongs to a namespace of the box; anything else is the host's. */
static int sysctls(const struct box *b)
{
	static const char ipc[][14] = { "kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue." };
	int i, n = 0, ns;
	unsigned k;
	const char *key;

	for (i = 0; i < b->nsysctl; i++) {
		key = b->sysctl[i].key;
		ns = starts(key, "net.") ? NS_NET : NNS;
		for (k = 0; k < sizeof ipc / sizeof *ipc; k++)
			if (starts(key, ipc[k]))
				ns = NS_IPC;
		if (ns == NNS)
			n += cfg_error(i, "sysctl.%s: the host's, not a box's: board.conf may set it", key);
		else if (b->ns[ns] != NSM_NEW)
			n += cfg_error(i, "sysctl.%s: the host's here (%s)", key, because(b, ns));
	}
	return n;
}

static int filter(struct box *b)
{
	static const uint32_t answers[] = { ACT_ERRNO | EPERM, ACT_KILL, ACT_LOG };
	const char *e;
	int i, n = 0;

	if (!b->nsyscall)
		return cfg_error(0, "syscalls: nothing is allowed: no program could start");
	filter_begin(answers[b->calls_default]);
	for (i = 0; i < b->nsyscall; i++)
		if ((e = filter_word(b->syscalls[i], strlen(b->syscalls[i]))))
			n += cfg_error(i, "syscalls: %s", e);
	if (n)
		return n;
	if ((e = filter_caps(b->caps)) || (e = filter_build(b->bpf, MAXBPF, &b->nbpf)))
		return cfg_error(0, "syscalls: %s", e);
	if (!b->nnp && b->nbpf && !(b->caps & (uint64_t)1 << CAP_SYS_ADMIN))
		return cfg_error(0, "no_new_privs: no: only with syscalls=@all or caps=sys_admin");
	return 0;
}

int cfg_check(struct box *b)
{
	int n = 0;

	if (b->file && !b->narg)
		n += cfg_error(0, "exec: missing: the program to run");
	n += files(b) + names(b) + maps(b) + clocks(b) + pids(b) + rights(b) + sysctls(b);
	return n ? n : filter(b);
}
