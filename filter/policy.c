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
static const uint16_t absent[] = { N_clone3 N_io_uring_setup };
enum { NABSENT = sizeof absent / sizeof *absent };

static int refusal(int slot)
{
	int i;

	for (i = 0; i < NABSENT; i++)
		if (absent[i] == slot)
			return P_ENOSYS;
	return P_FALLBACK;
}

void filter_begin(uint32_t fallback)
{
	struct policy *p = &filter_policy;
	int i;

	memset(p, 0, sizeof *p);
	p->acts[P_ALLOW] = ACT_ALLOW;
	p->acts[P_FALLBACK] = fallback;
	p->acts[P_ENOSYS] = ACT_ERRNO | ENOSYS;
	p->acts[P_KILL] = ACT_KILL;
	p->nact = P_KILL + 1;
	memset(p->act, P_FALLBACK, sizeof p->act);
	for (i = 0; i < NABSENT; i++)
		p->act[absent[i]] = P_ENOSYS;
}

static bool passes(int act)
{
	return act == P_ALLOW || filter_policy.acts[act] == ACT_LOG;
}

static void set(int slot, int act)
{
	filter_policy.rule[slot] = 0;
	filter_policy.act[slot] = (uint8_t)act;
}

static const char *wrong(const struct word *w, const char *what)
{
	fmt(phrase, sizeof phrase, "%.*s: %s", (int)w->len, w->name, what);
	return phrase;
}

/* NAME(TESTS) of a call that only its group knew starts anew; else it adds. */
static void only(int slot, bool own)
{
	struct policy *p = &filter_policy;

	if (!own)
		p->rule[slot] = 0;
	if (!own || passes(p->act[slot]))
		p->act[slot] = (uint8_t)refusal(slot);
}

static const char *tested(const struct word *w, const struct call *c, bool own)
{
	struct policy *p = &filter_policy;
	int act = w->sign == '-' ? refusal(c->slot) : w->act < 0 ? P_ALLOW : w->act;
	const char *why;
	struct rule *r;
	uint16_t first;

	if (w->sign == '+' && w->act < 0 && !p->rule[c->slot] && passes(p->act[c->slot]))
		return NULL;
	if ((why = filter_tests(w->tests, w->tests_len, c, !passes(act), &first)) != NULL)
		return wrong(w, why);
	if (p->nrule == MAXRULE)
		return wrong(w, "one rule too many: 256 fit");
	if (!w->sign && w->act < 0)
		only(c->slot, own);
	r = &p->rules[p->nrule++];
	*r = (struct rule){ p->rule[c->slot], first, (uint8_t)act };
	p->rule[c->slot] = p->nrule;
	return NULL;
}

static const char *call(const struct word *w, const struct call *c)
{
	uint8_t *named = &filter_policy.named[c->slot / 8], bit = (uint8_t)(1 << c->slot % 8);
	bool own = *named & bit;

	if (!w->quiet)
		*named |= bit;
	if (w->tests)
		return tested(w, c, own);
	set(c->slot, w->sign == '-' ? refusal(c->slot) : w->act < 0 ? P_ALLOW : w->act);
	return NULL;
}

/* name: with its @, if it is a group */
static const char *unknown(const char *name, size_t len, const char *what)
{
	struct near near;
	char buf[64] = "@";
	const char *p = NULL;
	bool group = len && *name == '@';
	int i;

	fmt(phrase, sizeof phrase, "%.*s", (int)(len < sizeof buf ? len : 0), name);
	near_begin(&near, phrase);
	for (i = 0; group && (p = filter_groupname(i)) != NULL; i++) {
		copy(buf + 1, sizeof buf - 1, p);
		near_try(&near, buf);
	}
	while (!group && (p = filter_next(p, buf)) != NULL)
		near_try(&near, buf);
	fmt(phrase, sizeof phrase, "\"%.*s\" is not a %s%s", (int)len, name, what, near_hint(&near));
	return phrase;
}

static const char *name_word(const struct word *w)
{
	struct call twin[MAXTWIN];
	const char *e = NULL;
	bool differ = false;
	int i, n;

	if (!w->exact)
		n = filter_twins(w->name, w->len, twin, &differ);
	else if ((n = filter_find(w->name, w->len, &twin[0]) ? 1 : -1) > 0 && twin[0].slot < 0)
		n = 0;
	if (n < 0)
		return unknown(w->name, w->len, "system call");
	if (differ && w->tests)
		return wrong(w, "its twins take other arguments: write =NAME(...) for each");
	for (i = 0; i < n && !e; i++)
		e = call(w, &twin[i]);
	return e;
}

/* A list holds slots, other groups, and words with tests. */
static const char *group_list(const struct word *w, const uint16_t *list)
{
	struct word in = { .sign = '+', .quiet = true, .act = -1 };
	const char *e = NULL, *name;

	for (; *list != L_END && !e; list++) {
		if (*list >= L_TEXT) {
			in.name = filter_grouptext(*list & 0xfff);
			in.len = strcspn(in.name, "(");
			in.tests = in.name + in.len + 1;
			in.tests_len = strlen(in.tests) - 1;
			if (w->sign == '-' || w->act >= 0) {
				in = *w;
				in.name = filter_grouptext(*list & 0xfff);
				in.len = strcspn(in.name, "(");
			}
			e = name_word(&in);
		} else if (*list >= L_GROUP) {
			name = filter_groupname(*list & 0xfff);
			e = group_list(w, filter_group(name, strlen(name)));
		} else {
			e = call(w, &(struct call){ .slot = (int16_t)*list });
		}
	}
	return e;
}

static const char *group_word(struct word *w)
{
	const uint16_t *list = filter_group(w->name, w->len);

	if (!list)
		return unknown(w->name - 1, w->len + 1, "group of system calls");
	if (w->tests)
		return wrong(w, "a group takes no tests of arguments");
	w->quiet = w->sign != '-' && w->act < 0;
	if (w->quiet && w->len == 7 && memcmp(w->name, "service", 7) == 0)
		filter_policy.service = true;
	return group_list(w, list);
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
	const struct policy *p = &filter_policy;
	const uint16_t *list;
	int c;

	for (c = 0; caps && p->service; c++, caps >>= 1)
		if (caps & 1 && (list = filter_caplist(c)) != NULL)
			for (; *list != L_END; list++)
				if (!(p->named[*list / 8] >> *list % 8 & 1))
					set(*list, P_ALLOW);
	return NULL;
}
