/*
 * build.c - a policy as a program for the kernel.
 *
 *	LD arch; another one: KILL. Two of them (abi=both) are two programs with one
 *	stock of answers
 *	LD nr; a tree of JGE over runs of one answer, balanced by how many numbers
 *	they hold; where one answer is left but for a few numbers, JEQ for those
 *	for each call with tests: its rules in turn, each test in its own branch
 *
 * Only LD nr and arch, JA, JGE, JEQ and RET stand before a plain ALLOW: from
 * 5.11 the kernel tries the program once for each number, sees that nothing
 * else is asked, and never runs it again for that number. An argument that is
 * loaded before the tree would cost that for all calls. Loading costs as much
 * as those tries, one for each number: so numbers weigh, and not answers, and
 * an instruction costs what a step more costs for 80 numbers.
 *
 * Instructions are put from the last to the first: every jump goes forward, so
 * its target is known when it is put, and whether the distance fits a byte. If
 * not, a copy of the RET or a long jump is put where it is in reach.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

#include "husk.h"
#include "nr.h"

enum { NOWHERE = 0xffff, WANTED = 0xfffe,	/* a label that is not put yet */
       REACH = 254,				/* one less than a jump has: the other arm may need a slot */
       ODD = 3,					/* numbers that are told apart by JEQ */
       MOSTLY = 256 };				/* instructions: a page less to touch */

struct run_of {
	uint32_t from;			/* numbers up to the next one's */
	uint16_t label;
	uint16_t place : 15;		/* from, for the balance */
	uint16_t inside : 1;		/* it or the one before is a single number between two runs of one answer */
};

struct building {
	struct sock_filter *to;
	unsigned at, end;		/* the last one put; the first was put before this */
	bool full;
	bool open;			/* all calls that there are are allowed so far */
	unsigned runs;
	uint32_t audit;			/* the ABI that is put already, */
	uint16_t behind;		/* and where; 0: none */
	uint16_t label[MAXACT + MAXRULE];	/* where: answers, then rules */
	struct run_of run[MAXCALL + 8];
};

static BASE struct building *at(void)
{
	static struct building building BULK;

	return &building;
}
#define g (*at())

static void put(uint16_t code, uint32_t k, unsigned yes, unsigned no)
{
	if (g.at == 0) {
		g.full = true;
		return;
	}
	g.to[--g.at] = (struct sock_filter){ code, (uint8_t)yes, (uint8_t)no, k };
}

/* Afterwards the label is less than REACH away. */
static void reach(uint16_t *label, uint32_t ret)
{
	if (*label != NOWHERE && *label - g.at <= REACH)
		return;
	if (*label == NOWHERE)
		put(BPF_RET | BPF_K, ret, 0, 0);
	else if (g.to[*label].code == (BPF_RET | BPF_K))
		put(BPF_RET | BPF_K, g.to[*label].k, 0, 0);
	else
		put(BPF_JMP | BPF_JA, *label - g.at, 0, 0);
	*label = (uint16_t)g.at;
}

/* A label of an answer is put when it is first wanted. */
static void want(uint16_t *label)
{
	ptrdiff_t i = label - g.label;

	reach(label, i >= 0 && i < MAXACT ? filter_policy.acts[i] : 0);
}

static void jump(unsigned op, uint32_t k, uint16_t *yes, uint16_t *no)
{
	want(yes);
	want(no);
	put((uint16_t)(BPF_JMP | BPF_K | op), k, *yes - g.at, *no - g.at);
}

static void load(uint32_t offset)
{
	put(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void load_arg(const struct test *t, bool high)
{
	uint32_t mask = (uint32_t)(high ? t->mask >> 32 : t->mask);

	if (mask != 0xffffffff)
		put(BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
	load((uint32_t)offsetof(struct seccomp_data, args) + 8u * t->arg + (high ? 4 : 0));
}

static bool wide(const struct test *t)
{
	return t->op & TEST_WIDE;
}

static unsigned opcode(const struct test *t)
{
	static const uint8_t ops[] = { [TEST_EQ] = BPF_JEQ, [TEST_GT] = BPF_JGT, [TEST_GE] = BPF_JGE };

	return ops[t->op & TEST_OP];
}

/* The high words decide, or are equal and leave it to the low ones. */
static void put_wide(const struct test *t, uint16_t *yes, uint16_t *no)
{
	uint32_t high = (uint32_t)(t->value >> 32);
	uint16_t low;

	jump(opcode(t), (uint32_t)t->value, yes, no);
	load_arg(t, false);
	low = (uint16_t)g.at;
	jump(BPF_JEQ, high, &low, no);
	if ((t->op & TEST_OP) != TEST_EQ) {
		low = (uint16_t)g.at;
		jump(BPF_JGT, high, yes, &low);
	}
	load_arg(t, true);
}

/* The one before this has the word in the accumulator, whoever of a list it is
 * that this is reached from. */
static bool loaded(const struct test *t, const struct test *first)
{
	if (t == first || t[-1].arg != t->arg || t[-1].mask != t->mask || wide(t - 1) || wide(t))
		return false;
	return t[-1].op & TEST_OR || t == first + 1 || !(t[-2].op & TEST_OR);
}

static void put_test(const struct test *t, const struct test *first, uint16_t *yes, uint16_t *no)
{
	if (t->op & TEST_NOT) {
		uint16_t *other = yes;

		yes = no;
		no = other;
	}
	if (wide(t)) {
		put_wide(t, yes, no);
		return;
	}
	jump(opcode(t), (uint32_t)t->value, yes, no);
	if (!loaded(t, first))
		load_arg(t, false);
}

/* Backwards through one rule. An alternative that holds goes on behind all of
 * them, one that fails to the next; the last one that fails, fails the rule. */
static void put_rule(const struct test *first, uint16_t *yes, uint16_t *no)
{
	const struct test *t = first;
	uint16_t behind = NOWHERE, next = NOWHERE;

	while (!(t->op & TEST_END))
		t++;
	for (; t >= first; t--) {
		next = (uint16_t)g.at;
		if (!(t->op & (TEST_OR | TEST_END))) {
			behind = next;
			yes = &behind;
		}
		put_test(t, first, yes, t->op & TEST_OR ? &next : no);
	}
}

static bool single(unsigned run)
{
	return g.run[run + 1].from - g.run[run].from == 1;
}

/* Numbers from here on have this answer. Above those of calls there are none that weigh. */
static void run(uint32_t from, unsigned to)
{
	struct run_of *r = &g.run[g.runs];

	if (g.runs && r[-1].from == from)
		r--;
	if (r > g.run && r[-1].label == to)
		return;
	r->from = from;
	r->label = (uint16_t)to;
	r->place = (uint16_t)(from < filter_arch->slots ? from : filter_arch->slots);
	r->inside = false;
	g.runs = (unsigned)(r - g.run) + 1;
	if (g.runs > 2 && r[-2].label == to && single(g.runs - 2))
		r[-1].inside = r->inside = true;
}

/* What husk itself still has to do, when the filter is loaded. */
static bool starts_it(unsigned call)
{
	return call == N_execve || call == N_exit_group || call == N_write;
}

/* All numbers there are: what nobody knows, and -1, is not there. start: all are
 * killed but what it takes to start a program of the other ABI. */
static void runs(bool start)
{
	const struct arch *a = filter_arch;
	unsigned slot, call, answer, plain = a->slots - a->nprivate, up = 0, none = start ? P_KILL : P_ENOSYS, last = ~0u;

	for (slot = 0; slot < a->slots; slot++) {
		if (slot == plain) {
			run(slot, last = none);
			up = a->private - plain;
		}
		call = filter_calls[slot];
		if (call == OLDCALL)
			continue;
		answer = filter_policy.answer[call] & (unsigned)~NAMED;
		if (answer != P_ALLOW && call != NOCALL)
			g.open = false;
		if (start && !starts_it(call))
			answer = P_KILL;
		if (answer != last)
			run(slot + up, last = answer);
	}
	run(slot + up, none);
	if (a->foreign)
		run(a->foreign, P_KILL);
	run(0xffffffff, none);
	g.run[g.runs].from = 0;
	g.run[g.runs].place = a->slots;
}

/* All rules that somebody comes to; what comes after one is older, and put first. */
static void branches(void)
{
	const struct policy *p = &filter_policy;
	const struct rule *r;
	unsigned run, i;

	for (run = 0; run < g.runs; run++)
		for (i = g.run[run].label; i >= MAXACT && g.label[i] == NOWHERE; i = p->rules[i - MAXACT].next)
			g.label[i] = WANTED;
	for (i = 0, r = p->rules; i < p->nrule; i++, r++)
		if (g.label[MAXACT + i] == WANTED) {
			put_rule(&p->tests[r->test], &g.label[r->act], &g.label[r->next]);
			g.label[MAXACT + i] = (uint16_t)g.at;
		}
}

/* A few numbers with answers of their own, and one answer for all others, have
 * no tree; false: they are more than a few. own: room for the label of what is put. */
static bool few(unsigned lo, unsigned hi, uint16_t *own, uint16_t **to)
{
	unsigned i, odd = 0, common = hi - lo > 1 && single(lo) && !single(lo + 1) ? lo + 1 : lo;

	for (i = lo; i < hi; i++)
		if (g.run[i].label != g.run[common].label && (!single(i) || ++odd > ODD))
			return false;
	*to = &g.label[g.run[common].label];
	while (i-- > lo)
		if (g.run[i].label != g.run[common].label) {
			jump(BPF_JEQ, g.run[i].from, &g.label[g.run[i].label], *to);
			*own = (uint16_t)g.at;
			*to = own;
		}
	return true;
}

/* The run that begins next to the middle of the numbers from lo to hi, and would
 * not be torn from its other half. */
static unsigned middle(unsigned lo, unsigned hi)
{
	int both = g.run[lo].place + g.run[hi].place, off, least = INT32_MAX;
	unsigned i, found = hi;

	for (i = lo + 1; i < hi && 2 * g.run[i].place - both < least; i++) {
		off = both - 2 * g.run[i].place;
		off = (off < 0 ? -off : off) + (g.run[i].inside ? 4 * MAXCALL : 0);
		if (off < least) {
			least = off;
			found = i;
		}
	}
	return found;
}

/* where runs lo to hi are told apart */
static uint16_t *tree(unsigned lo, unsigned hi, uint16_t *own)
{
	uint16_t left, right, *yes, *no;
	unsigned mid;

	if (few(lo, hi, own, &no))
		return no;
	mid = middle(lo, hi);
	yes = tree(mid, hi, &right);
	no = tree(lo, mid, &left);
	jump(BPF_JGE, g.run[mid].from, yes, no);
	*own = (uint16_t)g.at;
	return own;
}

static void begin(struct sock_filter *to, unsigned max)
{
	memset(g.label, 0xff, sizeof g.label);
	g.to = to;
	g.at = g.end = max;
	g.full = false;
	g.open = true;
}

/* The policy in use for the ABI in use; where it begins. */
static uint16_t part(bool start)
{
	uint16_t root, *top;

	g.runs = 0;
	runs(start);
	branches();
	top = tree(0, g.runs, &root);
	want(top);
	if (*top != g.at)
		put(BPF_JMP | BPF_JA, *top - g.at, 0, 0);
	load(offsetof(struct seccomp_data, nr));
	return (uint16_t)g.at;
}

/* The last part, and what stands before all; the length. */
static uint16_t program(void)
{
	uint16_t here = part(false), other, *no = &g.label[P_KILL];
	unsigned n;

	if (g.behind) {
		jump(BPF_JEQ, g.audit, &g.behind, no);
		other = (uint16_t)g.at;
		no = &other;
	}
	jump(BPF_JEQ, filter_arch->audit, &here, no);
	load(offsetof(struct seccomp_data, arch));
	n = g.end - g.at;
	memmove(g.to, g.to + g.at, n * sizeof *g.to);
	return (uint16_t)(g.open ? 0 : n);
}

void filter_behind(struct sock_filter *out, unsigned max, bool start)
{
	begin(out, max);
	g.behind = part(start);
	g.audit = filter_arch->audit;
	memset(g.label + MAXACT, 0xff, sizeof g.label - MAXACT * sizeof *g.label);
}

const char *filter_build(struct sock_filter *out, unsigned max, uint16_t *n)
{
	const char *e = NULL;

	if (!g.behind)
		begin(out, max < MOSTLY ? max : MOSTLY);
	*n = program();
	if (g.full && !g.behind) {
		begin(out, max);
		*n = program();
	}
	if (g.full)
		e = TEXT "the filter is longer than the kernel takes: 4096 instructions";
	if (filter_refuses(N_execve) || filter_refuses(N_exit_group))
		e = TEXT "execve and exit_group are needed to start and to end a program";
	if (e)
		*n = 0;
	g.behind = 0;
	return e;
}
