/*
 * learn.c - husk learn: which calls a program makes, and the shortest syscalls=
 * that allows them.
 *
 * A few bits a call are recorded, however long the program runs: that it was seen,
 * and whether it once failed the test that texts[] has for it. A test is there
 * where a call is two things in one and most programs need the tame one; not for
 * values that a program happened to use.
 *
 * Printed are groups, then names. A set of groups costs its letters, the names of
 * what it lacks, and -NAME for what it has too much: no more than twice the numbers
 * that were seen may be allowed. All sets are tried, and the shortest is printed.
 * Only groups of @service: who mounts gets mount, and no more.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"
#include "nr.h"

enum { SEEN = 1, ODD = 2,		/* ODD: and once not as its test wants it */
       NEEDED = 4 };			/* not seen, but it goes with what was */

/* The first ones are what filter_rights[] of groups.c says. From mmap on they are
 * one thing, all or none: nothing that was written is executed. Old mmap of i386
 * takes a struct, where no test reaches. */
enum { RIGHTS = 5 };
static const char texts[] =
	"clone(arg0&0x7e020000==0)\0"
	"ioctl(arg1!=TIOCSTI|TIOCLINUX)\0"
	"mknod(arg1&0xb000!=0x2000)\0"
	"mknodat(arg2&0xb000!=0x2000)\0"
	"personality(arg0==0|0xffffffff)\0"
	"mmap(arg2&6!=6)\0"
	"=mmap(arg0<0)\0"
	"=mmap2(arg2&6!=6)\0"
	"mprotect(arg2&4==0)\0"
	"pkey_mprotect(arg2&4==0)\0"
	"shmat(arg2&0x8000==0)\0";

/* What the kernel makes of other calls after a stop, and the vDSO where the clock
 * cannot be read without a call; and the end, of one that was killed. */
static const char always[] = "clock_gettime\0exit_group\0restart_syscall\0";

enum { MAXGROUP = 16, MAXTESTS = 256 };

struct item {				/* a call */
	uint32_t in, shut;		/* bit i: group i allows it; allows more than its test does */
	uint16_t text;			/* its test in texts[] + 1; 0: none */
	uint16_t family;		/* the first of its twins. That one alone has these: */
	uint16_t name;			/* which of all names it goes by */
	uint8_t	 seen, weight;		/* weight: numbers that it answers for */
	uint8_t	 wanted, all;		/* one of the family was seen; weight of all of them */
	uint8_t	 plus, minus;		/* letters to allow it, and to take it away */
	char	 sign;			/* + - or 0: it has a word */
};

static struct learned {
	unsigned used, groups;
	uint32_t families[2];			/* of sockets: bit i: family i; 0: those that nobody knows */
	uint16_t ntests, nbase;
	bool	 more;
	uint16_t group[MAXGROUP];	/* which of all names it is */
	uint8_t	 letters[MAXGROUP];
	struct item item[MAXCALL];
	struct sock_filter tests[MAXTESTS], base[MAXBPF];
	char	 line[4096];
} l;

static struct item *named(const char *name)
{
	const struct known *k = filter_find(name);

	return &l.item[k ? k->value : NOCALL];
}

/* more: what the box's own syscalls= allows is not recorded. */
void filter_learn(const struct box *b, bool more)
{
	static char name[LONGEST];
	struct item *c;
	const char *t;
	unsigned i;

	memset(&l, 0, offsetof(struct learned, tests));
	l.more = more;
	l.nbase = b->nbpf;
	memcpy(l.base, b->bpf, l.nbase * sizeof *l.base);
	filter_begin(ACT_ERRNO);
	(void)!filter_word("@service");
	for (t = texts, i = 0; *t; t += strlen(t) + 1, i++)
		if (i != RIGHTS + (filter_arch->bits == 64u)) {
			(void)!filter_word(t);
			filter_cut(name, t + (*t == '='), "(");
			c = named(name);
			c->text = (uint16_t)(t - texts + 1);
		}
	(void)!filter_build(l.tests, MAXTESTS, &l.ntests);
}

static bool allows(const struct sock_filter *f, unsigned n, const struct seccomp_data *d)
{
	unsigned loaded;

	return !n || filter_run(f, d, &loaded) == ACT_ALLOW;
}

/* 0: the call goes on. Else an errno that any filter will give it: what the default
 * has for calls whose arguments or whose work no filter sees. */
int filter_seen(uint32_t arch, int nr, const uint64_t args[6])
{
	struct seccomp_data d = { .nr = nr, .arch = arch };
	unsigned call = filter_slot((uint32_t)nr), family = (uint32_t)args[0] < 64 ? (unsigned)args[0] : 0;
	uint8_t seen = SEEN;

	if (arch != filter_arch->audit || call == NOCALL || call == N_clone3 || call == N_io_uring_setup)
		return ENOSYS;
	memcpy(d.args, args, sizeof d.args);
	if (l.more && allows(l.base, l.nbase, &d))
		return 0;
	if (call == N_socket || call == N_socketpair) {
		l.families[family / 32] |= 1u << family % 32;
		for (d.args[0] = 0; l.more && d.args[0] < 64; d.args[0]++)
			if (allows(l.base, l.nbase, &d))
				return 0;	/* sockets= will do */
	} else if (!allows(l.tests, l.ntests, &d))
		seen |= ODD;
	l.item[call].seen |= seen;
	return 0;
}

/* ------------------------------------------------------------- what there is */

static const char *test_of(const struct item *c)
{
	return c->text ? texts + c->text - 1 : "";
}

static bool keeps(const struct item *c)
{
	return c->text && !(c->seen & ODD);
}

/* Who executes what he wrote does so by one of them: the others stop nobody. */
static void drop_tests(void)
{
	const char *wx = nth(texts, RIGHTS);
	struct item *c;
	bool drop = false;
	int i;

	for (i = 0; i < 2; i++)
		for (c = l.item; c < l.item + MAXCALL; c++)
			if (test_of(c) >= wx && c->text) {
				drop = drop || c->seen & ODD;
				c->text = i && drop ? 0 : c->text;
			}
}

/* A call with a test is a family of its own. */
static void families(void)
{
	const uint16_t *twins;
	struct item *c, *f;
	unsigned i, call = NOCALL;

	for (i = 0; i < filter_arch->slots; i++) {
		call = filter_calls[i] == OLDCALL ? call : filter_calls[i];
		l.item[call].weight++;
	}
	for (c = l.item; c < l.item + OLDCALL; c++) {
		twins = c->text ? NULL : filter_twins((unsigned)(c - l.item));
		c->family = twins ? *twins & TWIN_CALL : (uint16_t)(c - l.item);
		f = &l.item[c->family];
		f->all = (uint8_t)(f->all + c->weight);
		f->wanted |= c->seen;
		l.used += c->seen & SEEN;
	}
}

static void names(void)
{
	struct item *c, *f;
	const struct known *k;
	size_t n;
	int i;

	for (i = 0; (k = filter_name(i)); i++) {
		if (k->text[0] < '_' || k->value >= OLDCALL || !l.item[k->value].weight)
			continue;
		f = &l.item[l.item[k->value].family];
		n = strlen(k->text) + 1;
		if (!f->plus || n < f->plus) {
			f->plus = (uint8_t)n;
			f->name = (uint16_t)i;
		}
	}
	for (c = l.item; c < l.item + OLDCALL; c++)
		if (c->plus) {
			c->plus = (uint8_t)(c->plus + (*test_of(c) == '='));
			c->minus = (uint8_t)(c->plus + 1);
			if (keeps(c))
				c->plus = (uint8_t)(strlen(test_of(c)) + 1);
		}
}

static void groups(void)
{
	const struct known *k;
	struct item *c;
	unsigned answer;
	int i;

	for (i = 0; (k = filter_name(i))->text[0] == '@'; i++)
		if (k->value >> 6 >= C_basic && (k->value & 63) <= C_sandbox && l.groups < MAXGROUP) {
			filter_begin(ACT_ERRNO);
			(void)!filter_word(k->text);
			for (c = l.item; c < l.item + OLDCALL; c++) {
				answer = filter_policy.answer[c - l.item] & ~(unsigned)NAMED;
				if (filter_refuses((unsigned)(c - l.item)))
					continue;
				if (answer < MAXACT && c->text)
					c->shut |= (unsigned)(c->weight > 0) << l.groups;
				else if (answer < MAXACT || !(c->seen & ODD))
					c->in |= 1u << l.groups;
			}
			l.group[l.groups] = (uint16_t)i;
			l.letters[l.groups++] = (uint8_t)(strlen(k->text) + 1);
		}
}

/* ----------------------------------------------------------- which words it is */

/* The letters of these groups and all that has to be said beside them, and who
 * says it; or any number from most on. */
static unsigned cover(uint32_t set, unsigned most)
{
	unsigned cost = 0, total = 0, i;
	struct item *c, *f;

	for (i = 0; i < l.groups; i++)
		cost += set >> i & 1 ? l.letters[i] : 0;
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
		} else if (c->shut & set && !f->sign) {
			f->sign = '-';
			cost += f->minus;
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

/* Groups come first: the names are in the order of their letters. */
static void words(uint32_t set, const char *sign)
{
	const struct known *k;
	const struct item *f;
	size_t n = 0;
	unsigned g = 0;
	int i;

	(void)cover(set, ~0u);
	for (i = 0; (k = filter_name(i)); i++) {
		f = &l.item[l.item[k->value & NOCALL].family];	/* of a constant anything: nobody goes by it */
		if (k->text[0] == '@') {
			if (g < l.groups && i == l.group[g] && set >> g++ & 1)
				n += fmt(l.line + n, sizeof l.line - n, " %s", k->text);
		} else if (k->text[0] >= '_' && f->sign && f->name == i) {
			if (f->sign == '+' && keeps(f))
				n += fmt(l.line + n, sizeof l.line - n, " %s%s", sign, test_of(f));
			else
				n += fmt(l.line + n, sizeof l.line - n, " %s%s%s", f->sign == '-' ? "-" : sign,
					*test_of(f) == '=' ? "=" : "", k->text);
		}
	}
}

/* As a policy: the numbers that it allows, or 0: not all that was seen. */
static unsigned allowed(void)
{
	static char word[LONGEST];
	const char *p = l.line;
	const struct item *c;
	unsigned n = 0;

	filter_begin(ACT_ERRNO);
	while (*p) {
		p = filter_cut(word, p + 1, " ");
		if (filter_word(word))
			return 0;
	}
	for (c = l.item; c < l.item + OLDCALL; c++)
		if (!filter_refuses((unsigned)(c - l.item)))
			n += c->weight;
		else if (c->seen & SEEN)
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

/* Families are the other key's: no word of syscalls= tests them. */
static void sockets(int fd, const char *first)
{
	const char *name;
	int i, n;

	if (!(l.families[0] | l.families[1]))
		return;
	say(fd, "sockets=%s", first);
	for (i = 0; (name = filter_family(i)); i++) {
		n = filter_family_number(name);
		if (l.families[n / 32] >> n % 32 & 1) {
			say(fd, "%s%s", *first ? "," : "", name);
			first = name;
		}
		l.families[n / 32] &= ~(1u << n % 32);
	}
	say(fd, "%s\n", l.families[0] | l.families[1] ? ",all" : "");
}

/* The lines for the configuration. 0, or -1: there are none, or they could not be written. */
int filter_learned(int fd)
{
	unsigned can = 0;
	size_t n;

	if (!l.more)
		needed();
	drop_tests();
	families();
	names();
	if (!l.more)
		groups();
	words(shortest(), l.more ? "+" : "");
	if (!l.more && !(can = allowed()))
		return -1;
	n = strlen(l.line);
	if (l.more)
		say(fd, "# %u calls that it did not have\n", l.used);
	else
		say(fd, "# %u calls seen, %u allowed\n", l.used, can);
	if (n) {
		say(fd, "syscalls=");
		l.line[n] = '\n';
		if (write(fd, l.line + 1, n) != (ssize_t)n)
			return -1;
	}
	sockets(fd, l.more ? "" : "none");
	return 0;
}
