/*
 * build.c - a policy as a program for the kernel.
 *
 *	LD arch; another one: KILL
 *	LD nr; a tree of JGE over parts, balanced by how many numbers they hold
 *	in each part JEQ for the odd numbers; all others have one answer
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

enum { NOWHERE = 0xffff, REACH = 254,		/* one less than a jump has: the other arm may need a slot */
       ODD = 3,					/* numbers of a part with an answer of their own */
       MOSTLY = 256 };				/* instructions: a page less to touch */

struct run_of {
	uint32_t from;			/* numbers up to the next one's */
	uint16_t label;
	uint16_t part;			/* of the part with this index: its first run */
};

static struct {
	const uint32_t *acts;
	const struct policy *policy;
	struct sock_filter *to;
	unsigned at;			/* the last one put */
	bool full;
	uint16_t runs, parts;
	uint16_t label[MAXACT + MAXRULE];	/* where: answers, then rules by their first */
	struct run_of run[MAXCALL + 8];
} g;

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

	reach(label, i >= 0 && i < MAXACT ? g.acts[i] : 0);
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

static void load_arg(const struct test *t, bool high, bool masked)
{
	uint32_t mask = (uint32_t)(high ? t->mask >> 32 : t->mask);

	if (masked && mask != 0xffffffff)
		put(BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
	load((uint32_t)offsetof(struct seccomp_data, args) + 8u * t->arg +
	     (high ? 4u - filter_arch.low : filter_arch.low));
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
	load_arg(t, false, true);
	low = (uint16_t)g.at;
	jump(BPF_JEQ, high, &low, no);
	if ((t->op & TEST_OP) != TEST_EQ) {
		low = (uint16_t)g.at;
		jump(BPF_JGT, high, yes, &low);
	}
	load_arg(t, true, true);
}

/* Bits that are all 0 are one test, if no other wants what an AND leaves. */
static bool bits(const struct test *t)
{
	return t->value == 0 && (t->op | TEST_NOT | TEST_END) == (TEST_EQ | TEST_NOT | TEST_END);
}

/* loaded: the one before this has the word in the accumulator */
static bool loaded(const struct test *t, const struct test *first)
{
	if (t == first || t[-1].arg != t->arg || t[-1].mask != t->mask || (t[-1].op | t->op) & TEST_WIDE)
		return false;
	return t[-1].op & TEST_OR || (!bits(&t[-1]) && (t == first + 1 || !(t[-2].op & TEST_OR)));
}

static void put_test(const struct test *t, const struct test *first, uint16_t *yes, uint16_t *no)
{
	bool held = loaded(t, first), alone = !held && bits(t);

	if (t->op & TEST_NOT) {
		uint16_t *other = yes;

		yes = no;
		no = other;
	}
	if (t->op & TEST_WIDE)
		put_wide(t, yes, no);
	else if (alone)
		jump(BPF_JSET, (uint32_t)t->mask, no, yes);
	else
		jump(opcode(t), (uint32_t)t->value, yes, no);
	if (!(t->op & TEST_WIDE) && !held)
		load_arg(t, false, !alone);
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

/* The same answer has one label, whoever asked for it. */
static uint16_t answer(int act)
{
	uint16_t i = 0;

	while (g.acts[i] != g.acts[act])
		i++;
	return i;
}

static void put_rules(unsigned slot)
{
	const struct policy *p = g.policy;
	uint16_t order[MAXRULE] = { 0 }, start, *no = &g.label[answer(p->act[slot])];
	unsigned n = 0, i;

	for (i = p->rule[slot]; i; i = p->rules[i - 1].next)
		order[n++] = (uint16_t)(i - 1);
	while (n-- > 0) {
		const struct rule *r = &p->rules[order[n]];

		put_rule(&p->tests[r->test], &g.label[answer(r->act)], no);
		start = (uint16_t)g.at;
		no = &start;
	}
	g.label[MAXACT + p->rule[slot] - 1] = (uint16_t)g.at;
}

static bool same_tests(const struct test *a, const struct test *b)
{
	for (;; a++, b++) {
		if (a->mask != b->mask || a->value != b->value || a->arg != b->arg || a->op != b->op)
			return false;
		if (a->op & TEST_END)
			return true;
	}
}

static bool same_rules(unsigned a, unsigned b)
{
	const struct policy *p = g.policy;
	unsigned i = p->rule[a], j = p->rule[b];

	if (answer(p->act[a]) != answer(p->act[b]))
		return false;
	for (; i && j && i != j; i = p->rules[i - 1].next, j = p->rules[j - 1].next)
		if (p->rules[i - 1].act != p->rules[j - 1].act ||
		    !same_tests(&p->tests[p->rules[i - 1].test], &p->tests[p->rules[j - 1].test]))
			return false;
	return i == j;
}

/* Twins mostly share what they ask. */
static void branches(struct policy *p)
{
	static uint16_t asked[MAXRULE];
	unsigned slot, i, n = 0;

	for (slot = 0; slot < filter_arch.slots; slot++) {
		if (!p->rule[slot])
			continue;
		for (i = 0; i < n && !same_rules(asked[i], slot); i++)
			;
		if (i < n) {
			p->rule[slot] = p->rule[asked[i]];
		} else {
			put_rules(slot);
			asked[n++] = (uint16_t)slot;
		}
	}
}

static void run(uint32_t from, uint16_t label)
{
	if (g.runs && g.run[g.runs - 1].from == from)
		g.runs--;
	if (!g.runs || g.run[g.runs - 1].label != label)
		g.run[g.runs++] = (struct run_of){ from, label, 0 };
}

/* All numbers there are: what nobody knows, and -1, is not there. */
static void runs(const struct policy *p)
{
	const struct arch *a = &filter_arch;
	unsigned slot, plain = a->slots - a->nprivate;
	uint16_t absent = answer(P_ENOSYS);

	for (slot = 0; slot < a->slots; slot++) {
		if (slot == plain)
			run(plain, absent);
		else if (slot && !p->rule[slot] && !p->rule[slot - 1] && p->act[slot] == p->act[slot - 1] &&
			 !filter_class[slot] == !filter_class[slot - 1])
			continue;
		run(slot < plain ? slot : a->private + (slot - plain),
		    !filter_class[slot] ? absent : p->rule[slot] ? (uint16_t)(MAXACT + p->rule[slot] - 1) :
		    answer(p->act[slot]));
	}
	run(a->nprivate ? a->private + a->nprivate : a->slots, absent);
	if (a->foreign)
		run(a->foreign, answer(P_KILL));
	run(0xffffffff, absent);
}

static bool single(unsigned run)
{
	return g.run[run + 1].from - g.run[run].from == 1;
}

/* the run whose answer most numbers of the part have that begins here */
static unsigned common(unsigned run)
{
	return run + 1 < g.runs && single(run) && !single(run + 1) ? run + 1 : run;
}

static unsigned part_end(unsigned run)
{
	uint16_t label = g.run[common(run)].label;
	int odd = 0;

	for (; run < g.runs; run++)
		if (g.run[run].label != label && (!single(run) || ++odd > ODD))
			break;
	return run;
}

/* own: room for the label of what is put */
static uint16_t *part(unsigned from, unsigned end, uint16_t *own)
{
	uint16_t label = g.run[common(from)].label, *no = &g.label[label];

	while (end-- > from)
		if (g.run[end].label != label) {
			jump(BPF_JEQ, g.run[end].from, &g.label[g.run[end].label], no);
			*own = (uint16_t)g.at;
			no = own;
		}
	return no;
}

/* The first number of a part. Above those of calls there are none that weigh. */
static int place(unsigned part)
{
	uint32_t from = g.run[g.run[part].part].from;

	return part == g.parts || from > filter_arch.slots ? filter_arch.slots : (int)from;
}

/* where parts lo to hi are told apart */
static uint16_t *tree(unsigned lo, unsigned hi, uint16_t *own)
{
	uint16_t left, right, *yes, *no;
	unsigned mid = lo + 1;
	int middle = place(lo) + place(hi + 1);

	if (lo == hi)
		return part(g.run[lo].part, g.run[lo + 1].part, own);
	while (mid < hi && middle - 2 * place(mid) > 2 * place(mid + 1) - middle)
		mid++;
	yes = tree(mid, hi, &right);
	no = tree(lo, mid - 1, &left);
	jump(BPF_JGE, g.run[g.run[mid].part].from, yes, no);
	*own = (uint16_t)g.at;
	return own;
}

static void begin(struct sock_filter *out, unsigned max, const uint32_t *acts)
{
	memset(g.label, 0xff, sizeof g.label);
	g.to = out;
	g.at = max;
	g.acts = acts;
	g.full = false;
	g.runs = g.parts = 0;
}

/* What stands before the answers, and all to where it belongs; the length. */
static unsigned finish(unsigned max)
{
	uint16_t root, *top, next;
	unsigned i, n;

	g.run[g.runs].from = 0;
	for (i = 0; i < g.runs; i = part_end(i))
		g.run[g.parts++].part = (uint16_t)i;
	g.run[g.parts].part = g.runs;
	top = tree(0, g.parts - 1u, &root);
	want(top);
	if (*top != g.at)
		put(BPF_JMP | BPF_JA, *top - g.at, 0, 0);
	load(offsetof(struct seccomp_data, nr));
	next = (uint16_t)g.at;
	jump(BPF_JEQ, filter_arch.audit, &next, &g.label[answer(P_KILL)]);
	load(offsetof(struct seccomp_data, arch));
	n = max - g.at;
	memmove(g.to, g.to + g.at, n * sizeof *g.to);
	return n;
}

static bool allows_all(const struct policy *p)
{
	unsigned slot;

	for (slot = 0; slot < filter_arch.slots; slot++)
		if (filter_class[slot] && (p->rule[slot] || p->acts[p->act[slot]] != ACT_ALLOW))
			return false;
	return true;
}

/* What the last row of PROG itself needs, or nothing would ever start. */
static bool needed(const struct policy *p, unsigned slot)
{
	return p->rule[slot] || p->acts[p->act[slot]] == ACT_ALLOW || p->acts[p->act[slot]] == ACT_LOG;
}

const char *filter_build(struct sock_filter *out, unsigned max, uint16_t *n)
{
	struct policy *p = &filter_policy;
	unsigned room = 0;

	*n = 0;
	if (!needed(p, N_execve))
		return "execve is refused: no program could be started";
	if (!needed(p, N_exit_group))
		return "exit_group is refused: no program could end";
	if (allows_all(p))
		return NULL;
	g.policy = p;
	do {
		room = room || max < MOSTLY ? max : MOSTLY;
		begin(out, room, p->acts);
		branches(p);
		runs(p);
		*n = (uint16_t)finish(room);
	} while (g.full && room < max);
	if (!g.full)
		return NULL;
	*n = 0;
	return "the filter is longer than the kernel takes: 4096 instructions";
}

/* These calls and no other. */
unsigned filter_only(struct sock_filter *out, unsigned max, const uint16_t *calls, unsigned n)
{
	static const uint32_t acts[] = { ACT_ALLOW, ACT_ERRNO | EPERM, ACT_ERRNO | EPERM, ACT_ERRNO | EPERM };
	unsigned i, from = 0, least;

	begin(out, max, acts);
	run(0, P_FALLBACK);
	for (;; from = least + 1) {
		least = NOCALL;
		for (i = 0; i < n; i++)
			if (calls[i] >= from && calls[i] < least)
				least = calls[i];
		if (least == NOCALL)
			return finish(max);
		run(least, P_ALLOW);
		run(least + 1, P_FALLBACK);
	}
}
