/* mnt.c - the setters of bind=, tmpfs=, mount= and device=: fields, then
 * options joined by commas. */
#include <string.h>
#include <sys/mount.h>

#include "husk.h"

/* Flags first, four of them in pairs: set, clear; then what struct mnt has a
 * bool for, in its order. */
static const char options[] = "ro|rw|nosuid|suid|nodev|dev|noexec|exec|"
	"noatime|relatime|strictatime|nodiratime|sync|dirsync|optional|rec|slave|idmap|create";
static const uint32_t flags[] = {
	MS_RDONLY, MS_RDONLY, MS_NOSUID, MS_NOSUID, MS_NODEV, MS_NODEV, MS_NOEXEC, MS_NOEXEC,
	MS_NOATIME, MS_RELATIME, MS_STRICTATIME, MS_NODIRATIME, MS_SYNCHRONOUS, MS_DIRSYNC,
};
enum { NFLAGS = sizeof flags / sizeof *flags };

_Static_assert(offsetof(struct mnt, create) == offsetof(struct mnt, skip) + 4, "five bools side by side");

static bool clears(int i)
{
	return i < 8 && i & 1;
}

static bool *wish(const struct mnt *m, int i)
{
	return (bool *)m + offsetof(struct mnt, skip) + i - NFLAGS;
}

const char *mnt_key(int kind)
{
	return key_name(key_find("bind") + kind);
}

const char *mnt_option(int i)
{
	return cfg_nth(options, i);
}

/* but optional, which the ? says */
bool mnt_has(const struct mnt *m, int i)
{
	return i < NFLAGS ? !(m->flags & flags[i]) == clears(i) : i > NFLAGS && *wish(m, i);
}

static bool option(struct mnt *m, const char *w)
{
	const char *mode = starts(w, "create=") ? w + 7 : NULL;
	int i = cfg_index(options, mode ? "create" : w);

	if (i >= 0 && i < NFLAGS) {
		m->flags = clears(i) ? m->flags & ~flags[i] : m->flags | flags[i];
		return true;
	}
	if (m->kind == MNT_TMPFS)
		return starts(w, "mode=") ? cfg_octal(w + 5, 07777, &m->mode) : cfg_size(w, &m->size);
	if (i < 0 || (i > NFLAGS && m->kind == MNT_FS))
		return false;
	*wish(m, i) = true;
	return !mode || cfg_octal(mode, 07777, &m->mode);
}

static const char *flag(int i)
{
	return i < NFLAGS ? mnt_option(i) : NULL;
}

static const char *no_option(const struct mnt *m, const char *w)
{
	return cfg_wrong("\"%.*s\": no such option%s", 60, w, near_of(w, m->kind == MNT_BIND ? mnt_option : flag));
}

/* The next of words joined by commas; *v NULL: it was the last */
static char *cut(char **v)
{
	char *w = *v;

	if ((*v = strchr(w, ',')))
		*(*v)++ = '\0';
	return w;
}

/* What is no flag of ours is the file system's. The text shrinks in place. */
static const char *fs_options(struct mnt *m, char *v)
{
	char *to = v, *w;
	bool first;

	for (first = true; v; first = false) {
		w = cut(&v);
		if (!*w)
			return "an empty option";
		if (same(w, "fsck") || same(w, "mkfs"))
			return no_option(m, w);
		if (option(m, w))
			continue;
		if (first) {
			m->type = w;
			to = w + strlen(w) + 1;
			continue;
		}
		if (m->data)
			*to++ = ',';
		else
			m->data = to;
		memmove(to, w, strlen(w) + 1);
		to += strlen(to);
	}
	return NULL;
}

static const char *some_options(struct mnt *m, char *v)
{
	bool rw = false, ex = false;
	char *w;

	while (v) {
		w = cut(&v);
		rw |= same(w, "rw");
		ex |= same(w, "exec");
		if (!option(m, w))
			return no_option(m, w);
	}
	if (m->kind == MNT_BIND && rw && !ex)
		m->flags |= MS_NOEXEC;
	return NULL;
}

static const char too_many[] = "a field too many; \\: is a colon in a name";

/* Something that the kernel makes by itself has no path: tmpfs, overlay. */
static const char *source(const struct mnt *m, char *f)
{
	if (!*f)
		return "an empty field";
	if (m->kind == MNT_FS && *f != '/' && *f != '.')
		return cfg_plain(f);
	return cfg_path(f);
}

/* One mount on one place; a later layer's takes the place of an earlier one. */
static const char *place(struct box *b, const struct mnt *m)
{
	const char *e;
	int i;

	for (i = 0; i < b->nmnt && !same(b->mnt[i].dst, m->dst); i++)
		;
	if (i < b->nmnt && b->mnt[i].kind != m->kind)
		return cfg_wrong("%s is the place of a %s= already", m->dst, mnt_key(b->mnt[i].kind));
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
	else if ((e = source(&m, f[0])))
		return e;
	m.src = f[0];
	if (kind == MNT_BIND && (n == 1 || (*f[1] != '/' && *f[1] != '.'))) {
		opts = 1;		/* BOX left out: same as HOST */
		dst = 0;
	}
	if (n <= dst)
		return "the place inside is missing: SRC:BOX";
	if (!cfg_clean(f[dst]) || !f[dst][1])
		return cfg_bad(f[dst], "an absolute path inside, other than /");
	m.dst = f[dst];
	if (n > opts + 1)
		return too_many;
	if (kind == MNT_TMPFS)
		m.src = NULL;
	e = n == opts ? NULL : kind == MNT_FS ? fs_options(&m, f[opts]) : some_options(&m, f[opts]);
	return e ? e : place(b, &m);
}

void cfg_drop_mnt(struct box *b, int i)
{
	int row = key_find("bind"), k;

	for (k = 0; k < 3; k++)
		cfg_unmark(row + k, i);
	memmove(&b->mnt[i], &b->mnt[i + 1], (size_t)(b->nmnt - i - 1) * sizeof b->mnt[0]);
	b->nmnt--;
}

/* ------------------------------------------------------------------- device */

static bool perms(struct dev *d, const char *w)
{
	static const char letters[] = "rwm";	/* DEV_R, DEV_W, DEV_M */
	const char *p;

	for (d->perm = 0; *w && (p = strchr(letters, *w)); w++)
		d->perm |= (uint8_t)(1 << (p - letters));
	return !*w && d->perm;
}

static const char *device_options(struct dev *d, char *v)
{
	char *w;

	while (v) {
		w = cut(&v);
		if (starts(w, "mode=") ? !cfg_octal(w + 5, 0777, &d->mode) : !perms(d, w))
			return cfg_bad(w, "an option of a device (rw, rwm, mode=660)");
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

	if ((e = cfg_path(f[0])))
		return e;
	d.host = d.dst = f[0];
	if (n > 1 && (*f[1] == '/' || *f[1] == '.'))
		d.dst = f[opts++];
	if (n > opts + 1)
		return too_many;
	if (d.dst == f[1] && !cfg_clean(f[1]))
		return cfg_bad(f[1], "an absolute path inside");
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
