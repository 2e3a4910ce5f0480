/*
 * learn.c - husk learn: which calls a program makes, and the shortest syscalls=
 * that allows them.
 *
 * A few bits a call are recorded, however long the program runs: that it was seen,
 * and whether it was once more than its group lets through. There are no tests for
 * values that a program happened to use; there are those that shut the other half
 * of a call that is two things in one, as long as it was not needed.
 *
 * Printed are groups, then names. A set of groups costs its letters, the names of
 * what it lacks, and -NAME for what it has too much: no more than twice the numbers
 * that were seen may be allowed (names alone may be more, where each is for two
 * ABIs). All sets are tried, and the shortest is printed.
 * Only groups of @service: who mounts gets mount, and no more.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"
#include "nr.h"

enum { SEEN = 1, OTHER = 2,		/* by the machine's own ABI, by its 32-bit one */
       ODD = 4,				/* and once as no group allows it */
       NEEDED = 8 };			/* not seen, but it goes with what was */

/* What filter_rights[] of groups.c says, for who has the call by its name. */
static const char texts[] =
	"clone -@namespace\0"		/* what is named later, as unshare, is allowed all the same */
	"clone(arg0&0x7e020000==0)\0"	/* where other lines stand before this one */
	"ioctl(arg1!=TIOCSTI|TIOCLINUX)\0"
	"mknod(arg1&0xb000!=0x2000)\0"
	"mknodat(arg2&0xb000!=0x2000)\0"
	"personality(arg0==0|0xffffffff)\0";

/* What the kernel makes of other calls after a stop, and the vDSO where the clock
 * cannot be read without a call; and the end, of one that was killed. */
static const char always[] = "clock_gettime\0exit_group\0restart_syscall\0";

enum { MAXGROUP = 16, MAXTESTS = 512 };

struct item {				/* a call */
	uint32_t in;			/* bit i: group i allows it */
	uint16_t text;			/* its test in texts[] + 1; 0: none */
	uint16_t family;		/* the first of its twins. That one alone has these: */
	uint16_t name;			/* which of all names it goes by */
	uint8_t	 seen, weight;		/* weight: numbers that it answers for */
	uint8_t	 wanted, all;		/* one of the family was seen; weight of all of them */
	uint8_t	 plus, minus;		/* letters to allow it, and to take it away */
	char	 sign;			/* + - or 0: it has a word */
};

struct learned {
	unsigned used, groups;
	uint32_t families[2];		/* of sockets: bit i: family i; 0: those that nobody knows */
	bool	 more, both, other, code;	/* both: so the file says; other: that ABI was seen; code: it executes what it wrote */
	uint16_t nbase, nkind, nwx;
	char	 group[MAXGROUP][LONGEST];
	struct item item[MAXCALL];
	struct sock_filter base[MAXBPF], kind[MAXTESTS], wx[MAXTESTS];
	char	 line[4096], lines[4096 + 256];
};

static BASE struct learned *at(void)
{
	static struct learned learned;

	return &learned;
}
#define l (*at())

static struct item *named(const char *name)
{
	const struct known *k = filter_find(name);

	return &l.item[k ? k->value : NOCALL];
}

static void policy(const char *a, const char *b)
{
	filter_begin(ACT_ERRNO);
	(void)!filter_word(a);
	(void)!filter_word(b);
}

/* Two words for all ABIs of this machine. */
static uint16_t build(struct sock_filter *to, const char *a, const char *b)
{
	uint16_t n;

	if (filter_compat(true)) {
		policy(a, b);
		filter_behind(to, MAXTESTS, false);
	}
	(void)filter_compat(false);
	policy(a, b);
	(void)!filter_build(to, MAXTESTS, &n);
	return n;
}

/* more: what the box's own syscalls= allows is not recorded. */
void filter_learn(const struct box *b, bool more)
{
	memset(&l, 0, offsetof(struct learned, base));
	l.more = more;
	l.both = b->abi;
	l.nbase = b->nbpf;
	memcpy(l.base, b->bpf, l.nbase * sizeof *l.base);
	l.nkind = build(l.kind, "@service", "execve");
	l.nwx = build(l.wx, "@all", "-@wx");
}

static bool allows(const struct sock_filter *f, unsigned n, const struct seccomp_data *d)
{
	unsigned loaded;

	return !n || filter_run(f, d, &loaded) == ACT_ALLOW;
}

/* Families of sockets are the other key's, no word of syscalls= has them. True: it
 * is only for the family that this is refused. */
static bool family(struct seccomp_data d)
{
	unsigned i = (uint32_t)d.args[0] < 64 ? (uint32_t)d.args[0] : 0;	/* the kernel reads 32 bits */

	l.families[i / 32] |= 1u << i % 32;
	for (d.args[0] = 0; l.more && d.args[0] < 64; d.args[0]++)
		if (allows(l.base, l.nbase, &d))
			return true;
	return false;
}

/* 0: the call goes on. Else an errno that any filter will give it: what the default
 * has for calls whose arguments or whose work no filter sees. */
int filter_seen(const struct seccomp_data *d)
{
	bool other = filter_compat(false) && d->arch != filter_arch->audit;
	unsigned call;
	uint8_t seen = other ? OTHER : SEEN;

	(void)filter_compat(other);
	call = filter_slot((uint32_t)d->nr);
	if (d->arch != filter_arch->audit || call == NOCALL || call == N_clone3 || call == N_io_uring_setup)
		return ENOSYS;
	if (l.more && allows(l.base, l.nbase, d))
		return 0;
	if (filter_socket(call))
		seen = family(*d) ? 0 : seen;
	else if (!allows(l.kind, l.nkind, d))
		seen |= ODD;
	l.item[call].seen |= seen;
	l.code |= !allows(l.wx, l.nwx, d);
	return 0;
}

/* ------------------------------------------------------------- what there is */

static bool keeps(const struct item *c)
{
	return c->text && !(c->seen & ODD);
}

/* How many calls the ABI in use has by this number; one that is gone answers as that before it. */
static void weigh(void)
{
	unsigned i, call = NOCALL;

	for (i = 0; i < filter_arch->slots; i++) {
		call = filter_calls[i] == OLDCALL ? call : filter_calls[i];
		l.item[call].weight++;
	}
}

static void families(void)
{
	const uint16_t *twins;
	struct item *c, *f;

	for (c = l.item; c < l.item + OLDCALL; c++)
		l.other = l.other || c->seen & OTHER;
	if (l.other) {
		(void)filter_compat(true);
		weigh();
	}
	(void)filter_compat(false);
	weigh();
	for (c = l.item; c < l.item + OLDCALL; c++) {
		twins = filter_twins((unsigned)(c - l.item));
		c->family = twins ? *twins & TWIN_CALL : (uint16_t)(c - l.item);
		f = &l.item[c->family];
		f->all = (uint8_t)(f->all + c->weight);
		f->wanted |= c->seen;
		l.used += (c->seen & SEEN) + (c->seen & OTHER) / OTHER;
	}
}

static void names(void)
{
	static char name[LONGEST];
	const struct known *k;
	struct item *c, *f;
	const char *t;
	size_t n;
	int i;

	for (i = 0; (k = filter_name(i)); i++) {
		if (k->text[0] < '_' || k->value >= OLDCALL || !l.item[k->value].weight)
			continue;
		f = &l.item[l.item[k->value].family];
		n = strlen(k->text) + 1;
		if (!f->plus || n < f->plus) {
			f->plus = (uint8_t)n;
			f->minus = (uint8_t)(n + 1);
			f->name = (uint16_t)i;
		}
	}
	for (t = texts; *t; t += strlen(t) + 1) {
		filter_cut(name, t, "( ");
		c = named(name);
		if (l.more || !c->text)
			c->text = (uint16_t)(t - texts + 1);
		if (keeps(c))
			c->plus = (uint8_t)(strlen(t) + 1);
	}
}

/* What a group allows for some arguments is not there for who needed others. */
static void opened(unsigned group)
{
	struct item *c;
	unsigned call;

	policy(l.group[group], l.code ? l.group[group] : "-@wx");
	for (call = 0; call < OLDCALL; call++) {
		c = &l.item[call];
		if (!filter_refuses(call) && !((filter_policy.answer[call] & ~(unsigned)NAMED) >= MAXACT && c->seen & ODD))
			c->in |= 1u << group;
	}
}

static void groups(void)
{
	const struct known *k;
	unsigned i;

	for (i = 0; (k = filter_name((int)i))->text[0] == '@'; i++)
		if (k->value >> 6 >= C_basic && (k->value & 63) <= C_sandbox && l.groups < MAXGROUP)
			copy(l.group[l.groups++], LONGEST, k->text);
	for (i = 0; i < l.groups; i++)
		opened(i);
}

/* ----------------------------------------------------------- which words it is */

/* The letters of these groups and all that has to be said beside them, and who
 * says it; or any number from most on. */
static unsigned cover(uint32_t set, unsigned most)
{
	unsigned cost = 0, total = 0, i;
	struct item *c, *f;

	for (i = 0; i < l.groups; i++)
		cost += set >> i & 1 ? (unsigned)strlen(l.group[i]) + 1 : 0;
	for (c = l.item; c < l.item + OLDCALL; c++)
		c->sign = 0;
	for (c = l.item; c < l.item + OLDCALL && cost < most; c++) {
		f = &l.item[c->family];
		if (c->in & set) {
			total += c->weight;
		} else if (c->seen && !f->sign) {
			f->sign = '+';
			cost += f->plus;
			total += f->all;
		}
	}
	for (i = 0; i < LONGEST && set && total > 2 * l.used; i++)
		for (c = l.item; c < l.item + OLDCALL && total > 2 * l.used && cost < most; c++)
			if (c->minus == i && c->in & set && !c->wanted) {
				c->sign = '-';
				cost += i;
				total -= c->all;
			}
	return set && total > 2 * l.used ? most : cost;
}

static uint32_t shortest(void)
{
	unsigned least = ~0u, cost;
	uint32_t set, best = 0;

	for (set = 0; set < 1u << l.groups; set++)
		if ((cost = cover(set, least)) < least) {
			least = cost;
			best = set;
		}
	return best;
}

static size_t add(size_t n, const char *sign, const char *word)
{
	return n + fmt(l.line + n, sizeof l.line - n, TEXT " %s%s", sign, word);
}

/* Each behind a blank. Names are in the order of their letters. */
static void words(uint32_t set)
{
	const char *sign = l.more ? "+" : "";
	const struct known *k;
	const struct item *f;
	size_t n = 0;
	unsigned i;

	(void)cover(set, ~0u);
	for (i = 0; i < l.groups; i++)
		if (set >> i & 1)
			n = add(n, sign, l.group[i]);
	for (i = 0; (k = filter_name((int)i)); i++) {
		f = &l.item[l.item[k->value & NOCALL].family];	/* of a constant anything: nobody goes by it */
		if (k->text[0] >= '_' && f->sign && f->name == i)
			n = f->sign == '-' ? add(n, "-", k->text) : add(n, sign, keeps(f) ? texts + f->text - 1 : k->text);
	}
	if (!l.more && !l.code)
		add(n, "-", "@wx");
}

/* As a policy: the numbers that it allows, or 0: not all that was seen. */
static unsigned allowed(bool other)
{
	static char word[LONGEST];
	const char *p = l.line;
	const struct item *c;
	unsigned n = 0, i, call = NOCALL;

	(void)filter_compat(other);
	filter_begin(ACT_ERRNO);
	while (*p) {
		p = filter_cut(word, p + 1, " ");
		if (filter_word(word))
			return 0;
	}
	for (i = 0; i < filter_arch->slots; i++) {
		call = filter_calls[i] == OLDCALL ? call : filter_calls[i];
		n += !filter_refuses(call);
	}
	for (c = l.item; c < l.item + OLDCALL; c++)
		if (c->seen & (other ? OTHER : SEEN) && filter_refuses((unsigned)(c - l.item)))
			return 0;
	return n;
}

static void needed(void)
{
	const char *t;

	for (t = always; *t; t += strlen(t) + 1)
		named(t)->seen |= NEEDED;
	if (named("rt_sigaction")->seen | named("sigaction")->seen)
		named("rt_sigreturn")->seen |= NEEDED;
}

/* Behind the n letters of l.lines. The number of letters then. */
static size_t put(size_t n, const char *a, const char *b)
{
	return n + fmt(l.lines + n, sizeof l.lines - n, TEXT "%s%s", a, b);
}

static size_t sockets(size_t n, const char *first)
{
	const char *name;
	int i, f;

	if (!(l.families[0] | l.families[1]))
		return n;
	n = put(n, "sockets=", first);
	for (i = 0; (name = filter_family(i)); i++) {
		f = filter_family_number(name);
		if (l.families[f / 32] >> f % 32 & 1) {
			n = put(n, *first ? "," : "", name);
			first = name;
		}
		l.families[f / 32] &= ~(1u << f % 32);
	}
	return put(n, l.families[0] | l.families[1] ? ",all" : "", "\n");
}

/* The lines for the configuration, in one write: half of them are another policy.
 * 0, or -1: there are none, or they could not be written. */
int filter_learned(int fd)
{
	unsigned can = 0, too = 0;
	size_t n;

	if (!l.more)
		needed();
	families();
	names();
	if (!l.more)
		groups();
	words(shortest());
	if (!l.more && (!(can = allowed(false)) || (l.other && !(too = allowed(true)))))
		return -1;
	if (l.more)
		n = fmt(l.lines, sizeof l.lines, TEXT "# %u calls that it did not have\n", l.used);
	else
		n = fmt(l.lines, sizeof l.lines, TEXT "# %u calls seen, %u allowed\n", l.used, can + too);
	if (*l.line)
		n = put(put(n, "syscalls=", l.line + 1), "\n", "");
	n = sockets(n, l.more ? "" : "none");
	if (l.other && !l.both)
		n = put(n, "abi=", "both\n");
	return write(fd, l.lines, n) == (ssize_t)n ? 0 : -1;
}
