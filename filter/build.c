/*
 * build.c - a policy as a program for the kernel.
 *
 *	LD arch; another one: KILL
 *	LD nr; a balanced tree of JGE over ranges of numbers with one answer
 *	for each call with tests: its rules in turn, each test in its own branch
 *
 * Only LD nr and arch, JA, JGE, JEQ and RET stand before a plain ALLOW: from
 * 5.11 the kernel tries the program once for each number, sees that nothing
 * else is asked, and never runs it again for that number. An argument that is
 * loaded before the tree would cost that for all calls.
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

enum { NOWHERE = 0xffff, REACH = 254 };		/* one less than a jump has: the other arm may need a slot */

struct run_of { uint32_t from; uint16_t label; };	/* numbers up to the next one's from */

static struct {
	const struct arch *arch;
	struct policy *policy;
	struct sock_filter *to;
	unsigned at;			/* the last one put */
	bool full;
	uint16_t label[MAXACT + MAXRULE];	/* where: answers, then rules by their first */
	struct run_of run[MAXCALL + 8];
	unsigned runs;
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

	reach(label, i >= 0 && i < MAXACT ? g.policy->acts[i] : 0);
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
	load((uint32_t)offsetof(struct seccomp_data, args) + 8u * t->arg +
	     (high ? 4u - g.arch->low : g.arch->low));
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

/* loaded: an alternative before this one has the word in the accumulator */
static void put_test(const struct test *t, bool loaded, uint16_t *yes, uint16_t *no)
{
	bool not = t->op & TEST_NOT;

	if (t->op & TEST_WIDE) {
		put_wide(t, not ? no : yes, not ? yes : no);
		return;
	}
	jump(opcode(t), (uint32_t)t->value, not ? no : yes, not ? yes : no);
	if (!loaded)
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
		put_test(t, t > first && t[-1].op & TEST_OR && !(t[-1].op & TEST_WIDE), yes,
			 t->op & TEST_OR ? &next : no);
	}
}

/* The same answer has one label, whoever asked for it. */
static uint16_t answer(int act)
{
	uint16_t i = 0;

	while (g.policy->acts[i] != g.policy->acts[act])
		i++;
	return i;
}

static void put_rules(int slot)
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

static bool same_rules(int a, int b)
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
static void branches(void)
{
	struct policy *p = g.policy;
	int slot, before;

	for (slot = 0; slot < g.arch->slots; slot++) {
		if (!p->rule[slot])
			continue;
		for (before = 0; before < slot; before++)
			if (p->rule[before] && same_rules(before, slot))
				break;
		if (before < slot)
			p->rule[slot] = p->rule[before];
		else
			put_rules(slot);
	}
}

static void run(uint32_t from, uint16_t label)
{
	if (g.runs && g.run[g.runs - 1].label == label)
		return;
	g.run[g.runs++] = (struct run_of){ from, label };
}

/* All numbers there are: what nobody knows, and -1, is not there. */
static void runs(void)
{
	const struct policy *p = g.policy;
	const struct arch *a = g.arch;
	int slot, plain = a->slots - a->nprivate;
	uint16_t absent = answer(P_ENOSYS);

	for (slot = 0; slot < a->slots; slot++) {
		if (slot == plain)
			run((uint32_t)plain, absent);
		run(slot < plain ? (uint32_t)slot : a->private + (uint32_t)(slot - plain),
		    !filter_class[slot] ? absent : p->rule[slot] ? (uint16_t)(MAXACT + p->rule[slot] - 1) :
		    answer(p->act[slot]));
	}
	run(a->nprivate ? a->private + a->nprivate : a->slots, absent);
	if (a->foreign)
		run(a->foreign, answer(P_KILL));
	run(0xffffffff, absent);
}

/* where runs lo to hi are told apart; own: room for the label of what it puts */
static uint16_t *tree(unsigned lo, unsigned hi, uint16_t *own)
{
	uint16_t left, right, *yes, *no;
	unsigned mid = lo + (hi - lo + 1) / 2;

	if (lo == hi)
		return &g.label[g.run[lo].label];
	yes = tree(mid, hi, &right);
	no = tree(lo, mid - 1, &left);
	jump(BPF_JGE, g.run[mid].from, yes, no);
	*own = (uint16_t)g.at;
	return own;
}

static void program(void)
{
	uint16_t root, *top, next;

	memset(g.label, 0xff, sizeof g.label);
	g.runs = 0;
	g.full = false;
	branches();
	runs();
	top = tree(0, g.runs - 1, &root);
	want(top);
	if (*top != g.at)
		put(BPF_JMP | BPF_JA, *top - g.at, 0, 0);
	load(offsetof(struct seccomp_data, nr));
	next = (uint16_t)g.at;
	jump(BPF_JEQ, g.arch->audit, &next, &g.label[answer(P_KILL)]);
	load(offsetof(struct seccomp_data, arch));
}

static bool allows_all(const struct policy *p, const struct arch *a)
{
	int slot;

	for (slot = 0; slot < a->slots; slot++)
		if (filter_class[slot] && (p->rule[slot] || p->acts[p->act[slot]] != ACT_ALLOW))
			return false;
	return true;
}

/* What the last row of PROG itself needs, or nothing would ever start. */
static const char *needed(const struct policy *p)
{
	static const uint16_t calls[] = { N_execve, N_exit_group };
	size_t i;

	for (i = 0; i < sizeof calls / sizeof *calls; i++)
		if (!p->rule[calls[i]] && p->acts[p->act[calls[i]]] != ACT_ALLOW &&
		    p->acts[p->act[calls[i]]] != ACT_LOG)
			return i ? "exit_group is refused: no program could end" :
				   "execve is refused: no program could be started";
	return NULL;
}

const char *filter_build(struct sock_filter *out, unsigned max, uint16_t *n)
{
	const char *e = needed(&filter_policy);

	*n = 0;
	if (e || allows_all(&filter_policy, &filter_arch))
		return e;
	g.arch = &filter_arch;
	g.policy = &filter_policy;
	g.to = out;
	g.at = max;
	program();
	if (g.full)
		return "the filter is longer than the kernel takes: 4096 instructions";
	*n = (uint16_t)(max - g.at);
	memmove(out, out + g.at, *n * sizeof *out);
	return NULL;
}
