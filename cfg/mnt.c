/* mnt.c - the setters of bind=, tmpfs=, mount= and device=: fields, then
 * options joined by commas; and that of devices.allow=. */
#include <string.h>
#include <sys/mount.h>

#include "husk.h"

/* Flags first, four of them in pairs: set, clear; then what struct mnt has a
 * bool for, in its order. */
static const char options[] = "ro|rw|nosuid|suid|nodev|dev|noexec|exec|"
	"noatime|relatime|strictatime|nodiratime|sync|dirsync|optional|rec|slave|idmap|create|fsck|mkfs|fsck=yes";
static const uint32_t flags[] = {
	MS_RDONLY, MS_RDONLY, MS_NOSUID, MS_NOSUID, MS_NODEV, MS_NODEV, MS_NOEXEC, MS_NOEXEC,
	MS_NOATIME, MS_RELATIME, MS_STRICTATIME, MS_NODIRATIME, MS_SYNCHRONOUS, MS_DIRSYNC,
};
enum { NFLAGS = sizeof flags / sizeof *flags, BOARDS = NFLAGS + 5 };	/* what board.conf alone has */

_Static_assert(offsetof(struct mnt, yes) == offsetof(struct mnt, skip) + 7, "eight bools side by side");

static bool clears(int i)
{
	return i < 8 && i & 1;
}

static bool *wish(const struct mnt *m, int i)
{
	return (bool *)m + offsetof(struct mnt, skip) + i - NFLAGS;
}

static const char *name(int i)
{
	return cfg_nth(options, i);
}

/* Of mount= of board.conf: the three that are its own come first. */
const char *cfg_mount_word(int i)
{
	return i < 3 ? name(BOARDS + i) : i - 3 <= NFLAGS ? name(i - 3) : NULL;
}

static const char *flag(int i)
{
	return i < NFLAGS ? name(i) : NULL;
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
	if (i < 0 || (m->kind == MNT_FS ? i > NFLAGS && (i < BOARDS || !cfg.board) : i >= BOARDS))
		return false;
	*wish(m, i) = true;
	m->fsck |= m->yes;
	return !mode || cfg_octal(mode, 07777, &m->mode);
}

/* What is no flag of ours is the file system's, its type first. The text
 * shrinks in place. */
static const char *some_options(struct mnt *m, char *v)
{
	char *first = v, *to = v, *w;
	bool ex = false;
	size_t n;

	while ((w = strsep(&v, ","))) {
		ex |= same(w, "exec");
		if (option(m, w))
			continue;
		if (m->kind != MNT_FS || cfg_index("|fsck|mkfs|fsck=yes", w) >= 0)
			return cfg_bad(w, "an option", near_of(w, m->kind == MNT_BIND ? name : flag));
		if (w == first)
			m->type = to;
		else if (m->data)
			to[-1] = ',';
		else
			m->data = to;
		n = strlen(w) + 1;
		memmove(to, w, n);
		to += n;
	}
	if (!HAS(users) && m->idmap)
		return cfg_wrong("idmap: not in this program: made without %s", part_name(PART_users));
	if (m->kind == MNT_BIND && !(m->flags & MS_RDONLY) && !ex)
		m->flags |= MS_NOEXEC;
	return NULL;
}

/* A disk, by what stands on it, too: of board.conf alone */
static bool is_disk(const char *s)
{
	static const char tags[] = "/dev/\0LABEL=\0UUID=\0PARTLABEL=\0PARTUUID=\0";
	const char *t;

	for (t = tags; *t && !starts(s, t); t += strlen(t) + 1)
		;
	return cfg.board && *t && s[strlen(t)];
}

/* SRC:BOX:OPTS. Something that the kernel makes by itself has no path: tmpfs,
 * overlay. Of bind= and device= BOX may be left out: it is the same. */
static bool split(char *v, int kind, char **f)
{
	int n = cfg_fields(v, f, 3);

	if (kind == MNT_FS && *f[0] != '/' ? strchr(".", *f[0]) || (strchr(f[0], '=') && !is_disk(f[0])) : kind != MNT_TMPFS && !cfg_path(f[0]))
		return false;
	if (kind == MNT_TMPFS || (kind != MNT_FS && (!f[1] || !strchr("/.", *f[1])))) {
		f[2] = f[1];
		f[1] = f[0];
		n++;
	}
	return n < 4 && f[1] && ((cfg.board && same(f[1], "none")) || (cfg_clean(f[1]) && (f[1][1] || (HAS(boards) && cfg.board && kind == MNT_FS))));
}

/* One mount on one place; a later layer's takes the place of an earlier one. The root of a board
 * is mounted already. */
const char *cfg_set_mnt(struct box *b, int kind, char *v, bool skip)
{
	static const uint32_t flags0[] = { MS_RDONLY, MS_NOEXEC, 0 };
	struct mnt m = { .kind = (uint8_t)kind, .skip = skip, .flags = MS_NOSUID | MS_NODEV | flags0[kind] };
	char *f[3] = { 0 };
	const char *e;
	int i;

	if (!split(v, kind, f))
		return cfg_not();
	m.src = kind == MNT_TMPFS ? NULL : f[0];
	m.dst = f[1];
	if (HAS(boards) && !m.dst[1])
		m.flags = MS_REMOUNT;
	if (f[2] && (e = some_options(&m, f[2])))
		return e;
	i = *m.dst == '/' ? cfg_seek(&b->mnt[0].dst, sizeof b->mnt[0], b->nmnt, m.dst) : b->nmnt;
	if (i < b->nmnt && b->mnt[i].kind != kind)
		return cfg_wrong("%s is the place of a %s= already", m.dst, key_name(KEY_BIND + b->mnt[i].kind));
	if (*m.dst != '/' && m.type && !same(m.type, "swap"))
		return cfg_not();
	if (!(e = cfg_slot(i, &b->nmnt, MAXMNT)))
		b->mnt[i] = m;
	return e;
}

/* DISK:OPTS, of the board's own root: read-only, if it does not say rw */
bool cfg_set_root(struct box *b, char *v)
{
	struct mnt m = { .kind = MNT_FS, .flags = MS_RDONLY };
	char *f[2] = { 0 };
	int n = cfg_fields(v, f, 2);

	if (n < 3 && !same(f[0], "cmdline"))
		m.src = f[0];
	b->board.root = m;
	return n < 2 ? !m.src || same(m.src, "no") || is_disk(m.src) : n == 2 && m.src && is_disk(m.src) && !some_options(&b->board.root, f[1]);
}

void cfg_drop_mnt(struct box *b, int i)
{
	int kind;

	for (kind = MNT_BIND; kind <= MNT_FS; kind++)
		cfg_unmark(KEY_BIND + kind, i);
	memmove(&b->mnt[i], &b->mnt[i + 1], (size_t)(b->nmnt - i - 1) * sizeof b->mnt[0]);
	b->nmnt--;
}

/* ------------------------------------------------------------------- device */

/* DEV_*, or 0 */
static unsigned perms(const char *w)
{
	static const char letters[] = "rwm";
	const char *p;
	unsigned perm = 0;

	for (; *w && (p = strchr(letters, *w)); w++)
		perm |= 1u << (p - letters);
	return *w ? 0 : perm;
}

/* One * may stand in the last part, and then the place inside is the same. */
static bool stars(const struct dev *d)
{
	const char *star = strchr(d->host, '*');

	return star ? !strchr(star, '/') && !strchr(star + 1, '*') && same(d->host, d->dst) : !strchr(d->dst, '*');
}

const char *cfg_set_device(struct box *b, char *v, bool skip)
{
	struct dev d = { .perm = DEV_R | DEV_W, .skip = skip };
	char *f[3] = { 0 }, *w;
	const char *e;
	int i;

	if (!split(v, MNT_FS + 1, f))
		return cfg_not();
	d.host = f[0];
	d.dst = f[1];
	if (!starts(d.dst, "/dev/") || !stars(&d))
		return cfg_not();
	while ((w = strsep(&f[2], ",")))
		if (starts(w, "mode=") ? !cfg_octal(w + 5, 0777, &d.mode) : !(d.perm = (uint8_t)perms(w)))
			return cfg_bad(w, key_what(cfg.key), "");
	i = cfg_seek(&b->dev[0].dst, sizeof b->dev[0], b->ndev, d.dst);
	if (!(e = cfg_slot(i, &b->ndev, MAXDEV)))
		b->dev[i] = d;
	return e;
}

static bool device_number(const char *s, uint32_t any, uint32_t *n)
{
	*n = any;
	return same(s, "*") || cfg_digits(s, any - 1, n);
}

/* As a list of v1 has it. There a is everything, whatever follows; here it is both types. */
int cfg_devrule(char *v, struct devrule *d)
{
	char *type = cfg_word(&v), *ma = cfg_word(&v), *perm = cfg_word(&v), *mi = ma;
	int kind = type ? cfg_index("b|c|a", type) : -1;
	uint32_t minor;

	*d = (struct devrule){ ANY_MAJOR << 20 | ANY_MINOR, DEV_ALL };
	if (kind == 2 && !ma)
		return kind;
	if (kind < 0 || !perm || cfg_word(&v) || !strsep(&mi, ":") || !mi ||
	    !device_number(ma, ANY_MAJOR, &d->key) || !device_number(mi, ANY_MINOR, &minor))
		return -1;
	d->key = d->key << 20 | minor | (kind == 1 ? (uint32_t)DEVICE_CHAR << 20 : 0);
	d->perm = perms(perm);
	return d->perm ? kind : -1;
}

/* A rule for each type */
const char *cfg_set_devrule(struct box *b, char *v)
{
	struct devrule d;
	const char *e = NULL;
	int kind = cfg_devrule(v, &d);

	if (kind < 0)
		return cfg_not();
	for (; kind >= 0 && !e; kind -= 2) {
		if (!(e = cfg_add(&b->ndevrule, MAXDEVRULE)))
			b->devrule[b->ndevrule - 1] = d;
		d.key |= (uint32_t)DEVICE_CHAR << 20;
	}
	return e;
}
