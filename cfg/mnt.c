/* mnt.c - the setters of bind=, tmpfs=, mount= and device=: fields, then
 * options joined by commas. */
#include <string.h>
#include <sys/mount.h>

#include "husk.h"

static const struct { char name[12]; uint32_t set, clear; } options[] = {
	{ "ro", MS_RDONLY, 0 },		{ "rw", 0, MS_RDONLY },
	{ "nosuid", MS_NOSUID, 0 },	{ "suid", 0, MS_NOSUID },
	{ "nodev", MS_NODEV, 0 },	{ "dev", 0, MS_NODEV },
	{ "noexec", MS_NOEXEC, 0 },	{ "exec", 0, MS_NOEXEC },
	{ "noatime", MS_NOATIME, 0 },	{ "relatime", MS_RELATIME, 0 },
	{ "strictatime", MS_STRICTATIME, 0 }, { "nodiratime", MS_NODIRATIME, 0 },
	{ "sync", MS_SYNCHRONOUS, 0 },	{ "dirsync", MS_DIRSYNC, 0 },
};
enum { NOPTIONS = sizeof options / sizeof *options };

const char *mnt_option(unsigned i, uint32_t *set, uint32_t *clear)
{
	if (i >= NOPTIONS)
		return NULL;
	*set = options[i].set;
	*clear = options[i].clear;
	return options[i].name;
}

const char *mounts_name(int i)
{
	static const char names[NDM][7] = { "proc", "dev", "pts", "shm", "mqueue", "sys", "run", "tmp" };

	return names[i];
}

static bool flag(struct mnt *m, const char *w)
{
	uint32_t set, clear;
	const char *name;
	unsigned i;

	for (i = 0; (name = mnt_option(i, &set, &clear)); i++)
		if (same(name, w)) {
			m->flags = (m->flags & ~clear) | set;
			return true;
		}
	return false;
}

static bool bind_option(struct mnt *m, const char *w)
{
	if (same(w, "rec"))
		m->rec = true;
	else if (same(w, "slave"))
		m->slave = true;
	else if (same(w, "idmap"))
		m->idmap = true;
	else if (same(w, "create"))
		m->create = true;
	else if (starts(w, "create="))
		return m->create = cfg_octal(w + 7, 07777, &m->mode);
	else
		return false;
	return true;
}

static bool tmpfs_option(struct mnt *m, const char *w)
{
	if (starts(w, "mode="))
		return cfg_octal(w + 5, 07777, &m->mode);
	return cfg_size(w, &m->size);
}

static bool option(struct mnt *m, const char *w)
{
	if (flag(m, w))
		return true;
	if (same(w, "optional") && m->kind != MNT_TMPFS)
		return m->skip = true;
	if (m->kind == MNT_BIND)
		return bind_option(m, w);
	return m->kind == MNT_TMPFS && tmpfs_option(m, w);
}

static const char *no_option(const struct mnt *m, const char *w)
{
	static const char names[] = "rec\0slave\0idmap\0create\0optional\0";
	struct near near;
	const char *p;
	unsigned i;

	near_begin(&near, w);
	for (i = 0; i < NOPTIONS; i++)
		near_try(&near, options[i].name);
	for (p = names; m->kind == MNT_BIND && *p; p += strlen(p) + 1)
		near_try(&near, p);
	return cfg_wrong("\"%.*s\": no such option%s", 60, w, near_hint(&near));
}

/* What is no flag of ours is the file system's. The text shrinks in place. */
static const char *fs_options(struct mnt *m, char *v)
{
	char *to = v, *next, *data = v;
	bool first = true;

	for (; v; v = next, first = false) {
		if ((next = strchr(v, ',')))
			*next++ = '\0';
		if (!*v)
			return "an empty option";
		if (same(v, "fsck") || same(v, "mkfs"))
			return no_option(m, v);
		if (option(m, v))
			continue;
		if (first) {
			m->type = v;
			data = to = v + strlen(v) + 1;
			continue;
		}
		if (m->data)
			*to++ = ',';
		m->data = data;
		memmove(to, v, strlen(v) + 1);
		to += strlen(to);
	}
	return NULL;
}

static const char *some_options(struct mnt *m, char *v)
{
	bool rw = false, ex = false;
	char *next;

	for (; v; v = next) {
		if ((next = strchr(v, ',')))
			*next++ = '\0';
		rw |= same(v, "rw");
		ex |= same(v, "exec");
		if (!option(m, v))
			return no_option(m, v);
	}
	if (m->kind == MNT_BIND && rw && !ex)
		m->flags |= MS_NOEXEC;
	return NULL;
}

/* Something that the kernel makes by itself has no path: tmpfs, overlay. */
static const char *source(const struct mnt *m, char **f)
{
	if (!**f)
		return "an empty field";
	if (m->kind == MNT_FS && **f != '/' && **f != '.')
		return cfg_printable(*f) ? NULL : "a control character in it";
	return cfg_path(f);
}

/* One mount on one place; a later layer's takes the place of an earlier one. */
static const char *place(struct box *b, const struct mnt *m)
{
	static const char keys[][6] = { "bind", "tmpfs", "mount" };
	const char *e;
	int i;

	for (i = 0; i < b->nmnt && !same(b->mnt[i].dst, m->dst); i++)
		;
	if (i < b->nmnt && b->mnt[i].kind != m->kind)
		return cfg_wrong("%s is the place of a %s= already", m->dst, keys[b->mnt[i].kind]);
	if ((e = cfg_slot(i, &b->nmnt, MAXMNT)))
		return e;
	b->mnt[i] = *m;
	return NULL;
}

const char *cfg_set_mnt(struct box *b, int kind, char *v, bool skip)
{
	struct mnt m = { .kind = (uint8_t)kind, .skip = skip, .flags = MS_NOSUID | MS_NODEV };
	char *f[3] = { 0 };
	int n = cfg_fields(v, f, 3), dst = kind != MNT_TMPFS, opts = dst + 1;
	const char *e;

	if (kind == MNT_BIND)
		m.flags |= MS_RDONLY;
	if (kind == MNT_TMPFS)
		m.flags |= MS_NOEXEC;
	else if ((e = source(&m, &f[0])))
		return e;
	m.src = f[0];
	if (kind == MNT_BIND && (n == 1 || (*f[1] != '/' && *f[1] != '.'))) {
		opts = 1;		/* BOX left out: same as HOST */
		dst = 0;
	}
	if (n <= dst)
		return "the place inside is missing: SRC:BOX";
	if (!cfg_clean(f[dst]) || !f[dst][1])
		return cfg_bad(f[dst], "an absolute path inside, other than /", NULL);
	m.dst = f[dst];
	if (n > opts + 1)
		return "a field too many; \\: is a colon in a name";
	if (kind == MNT_TMPFS)
		m.src = NULL;
	e = n == opts ? NULL : kind == MNT_FS ? fs_options(&m, f[opts]) : some_options(&m, f[opts]);
	return e ? e : place(b, &m);
}

void cfg_drop_mnt(struct box *b, int i)
{
	static const char keys[][6] = { "bind", "tmpfs", "mount" };
	int k;

	for (k = 0; k < 3; k++)
		cfg_unmark(key_find(keys[k]), i);
	memmove(&b->mnt[i], &b->mnt[i + 1], (size_t)(b->nmnt - i - 1) * sizeof b->mnt[0]);
	b->nmnt--;
}

/* ------------------------------------------------------------------- device */

static bool perms(struct dev *d, const char *w)
{
	uint8_t perm = 0;

	for (; *w; w++)
		if (*w == 'r')
			perm |= DEV_R;
		else if (*w == 'w')
			perm |= DEV_W;
		else if (*w == 'm')
			perm |= DEV_M;
		else
			return false;
	d->perm = perm;
	return perm != 0;
}

static const char *device_options(struct dev *d, char *v)
{
	char *next;

	for (; v; v = next) {
		if ((next = strchr(v, ',')))
			*next++ = '\0';
		if (starts(v, "mode=") ? !cfg_octal(v + 5, 0777, &d->mode) : !perms(d, v))
			return cfg_bad(v, "an option of a device", "rw, rwm, mode=660");
	}
	return NULL;
}

static const char *stars(const struct dev *d)
{
	const char *star = strchr(d->host, '*');

	if (!star)
		return strchr(d->dst, '*') ? "a * inside and none outside" : NULL;
	if (strchr(star, '/') || strchr(star + 1, '*'))
		return "one * may stand in the last part of the path";
	return same(d->host, d->dst) ? NULL : "with a * the place inside is the same";
}

const char *cfg_set_device(struct box *b, char *v, bool skip)
{
	struct dev d = { .perm = DEV_R | DEV_W, .skip = skip };
	char *f[3] = { 0 };
	int n = cfg_fields(v, f, 3), opts = 1, i;
	const char *e;

	if ((e = cfg_path(&f[0])))
		return e;
	d.host = d.dst = f[0];
	if (n > 1 && (*f[1] == '/' || *f[1] == '.'))
		d.dst = f[opts++];
	if (n > opts + 1)
		return "a field too many; \\: is a colon in a name";
	if (d.dst == f[1] && !cfg_clean(f[1]))
		return cfg_bad(f[1], "an absolute path inside", NULL);
	if (!starts(d.dst, "/dev/"))
		return cfg_wrong("%s is not below /dev/: HOST:/dev/NAME", d.dst);
	if ((e = stars(&d)) || (n > opts && (e = device_options(&d, f[opts]))))
		return e;
	for (i = 0; i < b->ndev && !same(b->dev[i].dst, d.dst); i++)
		;
	if (!(e = cfg_slot(i, &b->ndev, MAXDEV)))
		b->dev[i] = d;
	return e;
}
