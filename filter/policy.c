/*
 * policy.c - the words of syscalls=, one after the other, as a policy: for each
 * call an answer, and before it rules with tests, of which the first that holds
 * gives its own.
 *
 *	NAME		allowed		-NAME		refused
 *	NAME:ACTION	that answer	+NAME		as NAME; as the first word: @service before it
 *	NAME(TESTS)	allowed if they hold, else refused; more such words are alternatives
 *	+NAME(TESTS)	allowed also if they hold; -NAME(TESTS) refused if they hold;
 *	NAME(TESTS):ACTION  that answer if they hold - and else what was there before
 *	@GROUP -@GROUP @GROUP:ACTION  all of a group
 *
 * A later word wins. NAME is its twins too (stat64, clock_gettime64, setuid32,
 * ...), =NAME is NAME alone. ACTION is an errno, KILL, TRAP, LOG or ALLOW.
 */
#include <errno.h>
#include <string.h>

#include "husk.h"
#include "nr.h"

struct policy filter_policy;

static char phrase[160];

struct word {
	char	 sign;			/* + - or 0 */
	bool	 exact, group;
	bool	 quiet;			/* from a group: adds, and is not the user's own */
	const char *name, *tests;	/* tests NULL: none */
	size_t	 len, tests_len;
	int	 act;			/* of :ACTION, index in acts; -1: none */
};

static int action(uint32_t act)
{
	struct policy *p = &filter_policy;
	int i;

	for (i = 0; i < p->nact; i++)
		if (p->acts[i] == act)
			return i;
	if (i == MAXACT)
		return -1;
	p->acts[p->nact++] = act;
	return i;
}

/* C libraries try these first and fall back only if they are not there: the
 * arguments of clone3 lie in memory, where no filter sees them. */
static int refusal(unsigned slot)
{
	return slot == N_clone3 || slot == N_io_uring_setup ? P_ENOSYS : P_FALLBACK;
}

void filter_begin(uint32_t fallback)
{
	struct policy *p = &filter_policy;

	memset(p, 0, offsetof(struct policy, rules));
	p->acts[P_ALLOW] = ACT_ALLOW;
	p->acts[P_FALLBACK] = fallback;
	p->acts[P_ENOSYS] = ACT_ERRNO | ENOSYS;
	p->acts[P_KILL] = ACT_KILL;
	p->nact = P_KILL + 1;
	memset(p->act, P_FALLBACK, sizeof p->act);
	p->act[N_clone3] = p->act[N_io_uring_setup] = P_ENOSYS;
}

static bool passes(int act)
{
	return act == P_ALLOW || filter_policy.acts[act] == ACT_LOG;
}

static const char *wrong(const struct word *w, const char *what)
{
	fmt(phrase, sizeof phrase, "%.*s: %s", (int)w->len, w->name, what);
	return phrase;
}

/* NAME(TESTS) of a call that only its group knew starts anew; else it adds. */
static void only(unsigned slot, bool own)
{
	struct policy *p = &filter_policy;

	if (!own)
		p->rule[slot] = 0;
	if (!own || passes(p->act[slot]))
		p->act[slot] = (uint8_t)refusal(slot);
}

/* No rule for what is allowed without one. */
static bool wants(const struct word *w, unsigned slot)
{
	return w->sign == '-' || w->act >= 0 || filter_policy.rule[slot] || !passes(filter_policy.act[slot]);
}

static int answer(const struct word *w, unsigned slot)
{
	return w->sign == '-' ? refusal(slot) : w->act < 0 ? P_ALLOW : w->act;
}

static const char *rule(const struct word *w, unsigned slot, uint16_t first)
{
	struct policy *p = &filter_policy;

	if (p->nrule == MAXRULE)
		return wrong(w, "one rule too many: 256 fit");
	p->rules[p->nrule++] = (struct rule){ p->rule[slot], first, (uint8_t)answer(w, slot) };
	p->rule[slot] = p->nrule;
	return NULL;
}

static const char *tested(const struct word *w, unsigned slot, bool own)
{
	const struct call c = filter_widths(slot);
	const char *why;
	uint16_t first;

	if (w->sign == '+' && !wants(w, slot))
		return NULL;
	if ((why = filter_tests(w->tests, w->tests_len, &c, !passes(answer(w, slot)), &first)) != NULL)
		return wrong(w, why);
	if (!w->sign && w->act < 0)
		only(slot, own);
	return rule(w, slot, first);
}

/* Without tests. What a group allows is not the user's own word. */
static void set(const struct word *w, unsigned slot)
{
	struct policy *p = &filter_policy;

	if (!w->quiet)
		p->named[slot / 8] |= (uint8_t)(1 << slot % 8);
	p->rule[slot] = 0;
	p->act[slot] = (uint8_t)answer(w, slot);
}

static const char *call(const struct word *w, unsigned slot)
{
	uint8_t *named = &filter_policy.named[slot / 8], bit = (uint8_t)(1 << slot % 8);
	bool own = *named & bit;

	if (!w->tests) {
		set(w, slot);
		return NULL;
	}
	*named |= bit;
	return tested(w, slot, own);
}

static const char *unknown(const char *name, size_t len, const char *what, const char *(*known)(int))
{
	static char word[64];

	fmt(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : 0), name);
	fmt(phrase, sizeof phrase, "\"%.*s\" is not a %s%s", (int)len, name, what, near_of(word, known));
	return phrase;
}

static const char *name_word(const struct word *w)
{
	int slot = filter_find(w->name, w->len, w->exact);
	const uint16_t *twin = w->exact || slot < 0 ? NULL : filter_twins((unsigned)slot);
	const char *e;

	if (slot < 0)
		return unknown(w->name, w->len, "system call", filter_name);
	if (slot == NOCALL)
		return NULL;
	if (!twin)
		return call(w, (unsigned)slot);
	if (*twin & TWIN_DIFFERS && w->tests)
		return wrong(w, "its twins take other arguments: write =NAME(...) for each");
	do
		e = call(w, *twin & TWIN_SLOT);
	while (!e && !(*twin++ & TWIN_LAST));
	return e;
}

static const char *limited(const struct word *w, const struct right *r, const uint32_t *value)
{
	struct policy *p = &filter_policy;
	uint16_t first = p->ntest;
	int i;

	if (!wants(w, r->slot))
		return NULL;
	if (first + r->n > MAXTEST)
		return wrong(w, "one test too many: 192 fit");
	for (i = r->n; i-- > 0; value++)
		p->tests[p->ntest++] = (struct test){ r->mask, *value, r->arg,
			(uint8_t)(!i ? r->op | TEST_END : r->op == TEST_EQ ? TEST_OR : r->op) };
	return rule(w, r->slot, first);
}

static const char *group_word(struct word *w)
{
	const struct classes *g = filter_group(w->name - 1, w->len + 1);
	const uint32_t *value = filter_values;
	const struct right *r;
	unsigned slot;
	const char *e = NULL;

	if (!g)
		return unknown(w->name - 1, w->len + 1, "group of system calls", filter_groupname);
	if (w->tests)
		return wrong(w, "a group takes no tests of arguments");
	w->quiet = w->sign != '-' && w->act < 0;
	if (w->quiet && g->first == C_basic && g->last == C_sandbox)
		filter_policy.service = true;
	for (slot = 0; slot < filter_arch.slots; slot++)
		if (filter_in(filter_class[slot], g))
			set(w, slot);
	for (r = filter_rights; r->n && !e; value += r++->n)
		if (r->slot != NOCALL && filter_in(r->class, g) && !filter_in(filter_class[r->slot], g)) {
			if (w->quiet)
				e = limited(w, r, value);
			else
				set(w, r->slot);
		}
	return e;
}

static int action_named(const char *s, size_t len)
{
	static const struct { char name[6]; uint32_t act; } acts[] = {
		{ "ALLOW", ACT_ALLOW }, { "KILL", ACT_KILL }, { "LOG", ACT_LOG }, { "TRAP", ACT_TRAP },
	};
	uint64_t e;
	size_t i;

	for (i = 0; i < sizeof acts / sizeof *acts; i++)
		if (strlen(acts[i].name) == len && memcmp(acts[i].name, s, len) == 0)
			return action(acts[i].act);
	if (len > 1 && *s == 'E' && filter_constant(s, len, &e))
		return action(ACT_ERRNO | (uint32_t)e);
	return -1;
}

/* Cuts a word into its parts: sign, @ or =, name, (tests), :ACTION */
static const char *parts(struct word *w, const char *s, size_t len)
{
	const char *end = s + len, *p;

	if (s < end && (*s == '+' || *s == '-'))
		w->sign = *s++;
	if (s < end && (*s == '@' || *s == '=')) {
		w->group = *s == '@';
		w->exact = *s++ == '=';
	}
	for (w->name = p = s; p < end && *p != '(' && *p != ':'; p++)
		;
	w->len = (size_t)(p - s);
	if (p < end && *p == '(') {
		for (w->tests = ++p; p < end && *p != ')'; p++)
			;
		w->tests_len = (size_t)(p - w->tests);
		if (p == end)
			return wrong(w, "a ) is missing");
		p++;
	}
	if (p == end)
		return NULL;
	if (*p++ != ':' || w->sign == '-')
		return wrong(w, w->sign == '-' ? "a word with - takes no :ACTION" : "something follows the )");
	w->act = action_named(p, (size_t)(end - p));
	return w->act < 0 ? wrong(w, "after the : stands ALLOW, KILL, LOG, TRAP or an errno") : NULL;
}

const char *filter_word(const char *s, size_t len)
{
	struct word w = { .act = -1 }, base = { .name = &"@service"[1], .len = 7, .act = -1 };
	const char *e = NULL;

	if (!filter_policy.begun && len && (*s == '+' || *s == '-'))
		e = group_word(&base);
	filter_policy.begun = true;
	if (!e)
		e = parts(&w, s, len);
	if (e)
		return e;
	return w.group ? group_word(&w) : name_word(&w);
}

/* Who made a list from nothing gets that list; @service means "what an ordinary
 * program with these rights needs". A call that a word named stays as it says. */
const char *filter_caps(uint64_t caps)
{
	struct policy *p = &filter_policy;
	unsigned slot;

	for (slot = 0; caps && p->service && slot < filter_arch.slots; slot++)
		if (!(p->named[slot / 8] >> slot % 8 & 1) && filter_opened(filter_class[slot], caps)) {
			p->rule[slot] = 0;
			p->act[slot] = P_ALLOW;
		}
	return NULL;
}
