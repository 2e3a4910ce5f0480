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
#include <sys/socket.h>

#include "husk.h"
#include "nr.h"

BASE struct policy *filter_at(void)
{
	static struct policy policy BULK;

	return &policy;
}

static int action(uint32_t act)
{
	struct policy *p = &filter_policy;
	int i;

	for (i = P_ENOSYS; i < p->nact; i++)
		if (p->acts[i] == act)
			return i;
	if (i == MAXACT)
		return -1;
	p->acts[p->nact++] = act;
	return i;
}

/* C libraries try these first and fall back only if they are not there: the
 * arguments of clone3 lie in memory, where no filter sees them. */
static uint16_t given(unsigned answer, unsigned which)
{
	if (!(answer & ~(unsigned)NAMED) && (which == N_clone3 || which == N_io_uring_setup))
		answer |= P_ENOSYS;
	return (uint16_t)answer;
}

/* The answer for all calls of the classes from first to last, but those that keep theirs. */
static void paint(unsigned first, unsigned last, unsigned answer, unsigned keep)
{
	uint16_t *all = filter_policy.answer, *to = all, *end;
	const uint8_t *c;

	for (c = filter_classes; *c; c++) {
		end = to + (*c & 3) + 1;
		if ((*c >> 2) - first > last - first)
			to = end;
		for (; to < end; to++)
			if (!(*to & keep))
				*to = (uint16_t)((*to & NAMED) | answer);
	}
	all[N_clone3] = given(all[N_clone3], N_clone3);
	all[N_io_uring_setup] = given(all[N_io_uring_setup], N_io_uring_setup);
}

void filter_begin(uint32_t fallback)
{
	struct policy *p = &filter_policy;

	if (!filter_arch)
		(void)filter_use(NULL);
	memset(p, 0, offsetof(struct policy, rules));
	p->acts[P_ENOSYS] = ACT_ERRNO | ENOSYS;
	p->acts[P_REFUSE] = fallback;
	p->acts[P_ALLOW] = ACT_ALLOW;
	p->acts[P_KILL] = ACT_KILL;
	p->nact = P_KILL + 1;
	p->answer[NOCALL] = p->answer[N_clone3] = p->answer[N_io_uring_setup] = P_ENOSYS;
}

static bool passes(unsigned answer)
{
	return answer < MAXACT && (filter_policy.acts[answer] == ACT_ALLOW || filter_policy.acts[answer] == ACT_LOG);
}

bool filter_refuses(unsigned which)
{
	unsigned answer = filter_policy.answer[which] & (unsigned)~NAMED;

	return answer < MAXACT && !passes(answer);
}

/* The tests from first on come before what the call has. Rules that say the same
 * are one: twins mostly share what they ask. */
static void rule(struct word *w, unsigned which, unsigned act, unsigned next, unsigned first)
{
	struct policy *p = &filter_policy;
	size_t n = p->ntest - first;
	struct rule *r = p->rules;

	for (; r < p->rules + p->nrule; r++)
		if (r->act == act && r->next == next && memcmp(p->tests + r->test, p->tests + first, n * sizeof *p->tests) == 0)
			break;
	if (r == p->rules + MAXRULE || p->ntest > MAXTEST) {
		p->ntest = (uint16_t)first;
		w->bad = TEXT "too many rules or tests: 256 and 192 fit";
		return;
	}
	if (r == p->rules + p->nrule) {
		*r = (struct rule){ (uint16_t)first, (uint16_t)act, (uint16_t)next };
		p->nrule++;
	} else {
		p->ntest = (uint16_t)first;
	}
	p->answer[which] = (uint16_t)((p->answer[which] & NAMED) | (MAXACT + (unsigned)(r - p->rules)));
}

/* NAME(TESTS) of a call that only its group knew starts anew; else it adds. */
static void call(struct word *w, unsigned which)
{
	uint16_t *answer = &filter_policy.answer[which], was = *answer, next = was & (uint16_t)~NAMED;
	unsigned act = given(w->sign == '-' ? P_REFUSE : w->act, which), first = filter_policy.ntest;
	bool adds = w->sign == '+' && !w->acted;

	*answer |= NAMED;
	if (!w->tests) {
		*answer = (uint16_t)(act | NAMED);
		return;
	}
	if (adds && passes(next))
		return;
	filter_tests(w, which, !passes(act));
	if (!w->sign && !w->acted && (!(was & NAMED) || passes(next)))
		next = given(P_REFUSE, which);
	if (act == next && !passes(act))	/* as -@wx asks of what is refused anyway */
		filter_policy.ntest = (uint16_t)first;
	else if (!w->bad)
		rule(w, which, act, next, first);
}

/* Constants are the names in capitals. */
const char *filter_near(const char *word, bool constant)
{
	static struct near near;
	const struct known *k;
	int i;

	near_begin(&near, word);
	for (i = 0; (k = filter_name(i)); i++)
		if ((k->text[0] >= 'A' && k->text[0] <= 'Z') == constant)
			near_try(&near, k->text);
	return near_hint(&near);
}

const char *filter_unknown(const char *word)
{
	static char phrase[160];

	fmt(phrase, sizeof phrase, "\"%s\" is not a %s%s", word,
	    word[0] == '@' ? TEXT "group of system calls" : "system call", filter_near(word, false));
	return phrase;
}

/* Of a call that only other architectures have nothing is asked: no tests are made. */
static void name(struct word *w, unsigned which)
{
	const uint16_t *twin = w->exact ? NULL : filter_twins(which), *t = twin;
	bool differs = twin && *twin & TWIN_DIFFERS;
	unsigned n = 0;

	do {
		if (twin)
			which = *t & TWIN_CALL;
		if (w->tests && filter_number(which) == NONUMBER)
			continue;
		if (differs && w->tests && n++)
			w->bad = TEXT "its twins take other arguments: write =NAME(...) for each";
		else
			call(w, which);
	} while (!w->bad && twin && !(*t++ & TWIN_LAST));
}

/* sockets= before what the call has: one of these, or, of all, none of the others. */
static void families(struct word *w, unsigned which, unsigned next)
{
	struct policy *p = &filter_policy;
	unsigned first = p->ntest, i;
	bool all = p->families[1] >> 31;
	uint32_t ipv4 = p->families[0] & (1u << AF_INET | 1u << AF_PACKET);
	struct test *t;

	for (i = 1; i < 63; i++)
		if ((p->families[i / 32] >> i % 32 & 1) != all) {
			t = &p->tests[p->ntest++];
			t->arg = 0;
			t->op = TEST_EQ | (all ? TEST_NOT : TEST_OR);
			t->value = i;
			t->mask = 0xffffffff;
		}
	if (p->ntest > first) {
		t = &p->tests[p->ntest - 1];
		t->op = (uint8_t)(t->op & ~TEST_OR);
		if (ipv4 == 1u << AF_INET) {	/* with this type it is AF_PACKET */
			(++t)->arg = 1;
			t->op = TEST_EQ | TEST_NOT;
			t->value = SOCK_PACKET;
			t->mask = 0xf;
		}
		t->op |= TEST_END;
		p->ntest = (uint16_t)(t + 1 - p->tests);
		rule(w, which, P_ALLOW, next, first);
		p->family = p->rules[(p->answer[which] & ~NAMED) - MAXACT].test;
	} else if (all)
		p->answer[which] = (uint16_t)((p->answer[which] & NAMED) | P_ALLOW);
}

/* Nothing is tested that is allowed without. */
static void limited(struct word *w, const struct right *r)
{
	struct policy *p = &filter_policy;
	unsigned first = p->ntest, next = p->answer[r->call] & (unsigned)~NAMED;
	const struct narrow *t = filter_tested + r->test;
	struct test *to;

	if (passes(next))
		return;
	if (p->families && r->class == C_net) {
		families(w, r->call, next);
		return;
	}
	do {
		to = &p->tests[p->ntest++];
		to->mask = t->mask;
		to->value = t->value;
		to->arg = t->arg;
		to->op = t->op;
	} while (!(t++->op & TEST_END));
	rule(w, r->call, P_ALLOW, next, first);
}

static const uint32_t acts[] = { ACT_ALLOW, ACT_KILL, ACT_LOG, ACT_TRAP };
#define ACTS "ALLOW|KILL|LOG|TRAP"

/* The other way round: good until the next call. */
const char *filter_action(uint32_t act)
{
	const struct known *k;
	unsigned i;

	for (i = 0; i < sizeof acts / sizeof *acts; i++)
		if (act == acts[i])
			return cfg_nth(ACTS, (int)i);
	for (i = 0; (k = filter_name((int)i)); i++)
		if (*k->text == 'E' && act == (ACT_ERRNO | k->value))
			return k->text;
	return fmts("%x", act);
}

/* What a word without tests has opened as a whole, sockets= narrows. */
static void narrow(struct word *w, unsigned which, unsigned was)
{
	uint16_t *answer = &filter_policy.answer[which];

	if (filter_policy.families && !w->acted && !w->bad && was != P_ALLOW && (*answer & (unsigned)~NAMED) == P_ALLOW) {
		*answer &= NAMED;
		families(w, which, P_REFUSE);
	}
}

static int action_named(const char *s)
{
	int i = cfg_index(ACTS, s);
	uint64_t e;

	if (i >= 0)
		return action(acts[i]);
	return s[0] == 'E' && filter_constant(s, &e) ? action(ACT_ERRNO | (uint32_t)e) : -1;
}

/* Cuts a word into its parts: sign, =, name, (tests), :ACTION */
static const char *parts(struct word *w)
{
	const char *p = w->at;
	int act;

	if (*p == '+' || *p == '-')
		w->sign = *p++;
	if (*p == '=')
		w->exact = *p++;
	p = filter_cut(w->name, p, "(:");
	if (*p == '(') {
		w->tests = ++p;
		if (!(p = strchr(p, ')')))
			return TEXT "a ) is missing";
		p++;
	}
	if (!*p)
		return NULL;
	if (*p++ != ':')
		return TEXT "something follows after the end";
	if (w->sign == '-')
		return TEXT "a word with - takes no :ACTION";
	w->acted = true;
	act = action_named(p);
	w->act = (uint16_t)act;
	return act < 0 ? TEXT "after the : stands ALLOW, KILL, LOG, TRAP or an errno" : NULL;
}

/* A group that is some arguments of calls: each word with the sign and the action of the
 * group's; without one of these, the action that stands there. */
static void set_word(struct word *of, const char *text, size_t len)
{
	static char word[96];
	struct word w = { .at = word };

	copy(word, len + 1, text);
	(void)parts(&w);
	if (of->acted || of->sign != '-' || !w.acted) {
		w.acted = of->acted;
		w.act = of->act;
		w.sign = w.acted ? 0 : of->sign == '-' ? '-' : '+';
	}
	name(&w, filter_find(w.name)->value);
	of->bad = w.bad;
}

static void set(struct word *of, const char *p)
{
	const char *end;

	for (; *p && !of->bad; p = *end ? end + 1 : end) {
		end = strchrnul(p, ' ');
		if (*p == '-' && passes(of->sign == '-' ? (unsigned)P_REFUSE : of->act))
			continue;
		p += *p == '-';
		if (*p > '9')
			set_word(of, p, (size_t)(end - p));
		else if (*p == (filter_arch->bits == 64 ? '6' : '3'))
			set_word(of, p + 1, (size_t)(end - p) - 1);
	}
}

/* What it opens by tests comes first: if it opens that call as a whole too, that remains. */
static void group(struct word *w, unsigned range)
{
	const struct right *r;
	unsigned first = range >> 6, last = range & 63, clone;
	int i, class;
	bool adds = w->sign != '-' && !w->acted;	/* and is not the user's own word for a call */

	if (w->tests)
		w->bad = TEXT "a group takes no tests of arguments";
	if (adds && range == C_basic * 64 + C_sandbox)
		filter_policy.service = true;
	for (r = filter_rights; r->class && !w->bad; r++)
		if (r->class >= first && r->class <= last) {
			if (adds)
				limited(w, r);
			else
				call(w, r->call);
		}
	clone = filter_policy.answer[N_clone];
	paint(first, last, (w->sign == '-' ? (unsigned)P_REFUSE : w->act) | (adds ? 0 : NAMED), 0);
	if (!adds && C_namespace - first <= last - first)
		filter_policy.answer[N_clone] = (uint16_t)clone;
	for (i = 0; (class = filter_set_classes[i]) && !w->bad; i++)
		if ((unsigned)class - first <= last - first && !(adds && class == C_namespace))
			set(w, nth(filter_sets, i));
}

bool filter_socket(unsigned call)
{
	return call == N_socket || call == N_socketpair;
}

const char *filter_word(const char *s)
{
	static char phrase[160];
	struct word w = { .at = s, .act = P_ALLOW };
	const struct known *k;
	unsigned was = filter_policy.answer[N_socket] & (unsigned)~NAMED, pair = filter_policy.answer[N_socketpair] & (unsigned)~NAMED;

	if (!filter_policy.begun && (*s == '+' || *s == '-'))
		group(&w, C_basic * 64 + C_sandbox);
	filter_policy.begun = true;
	w.bad = parts(&w);
	if (!w.bad) {
		k = filter_find(w.name);
		if (!k || (*w.name >= 'A' && *w.name <= 'Z'))
			return filter_unknown(w.name);
		if (*w.name == '@')
			group(&w, k->value);
		else
			name(&w, k->value);
		narrow(&w, N_socket, was);
		narrow(&w, N_socketpair, pair);
	}
	if (!w.bad)
		return NULL;
	fmt(phrase, sizeof phrase, w.misfit ? "%s: %s %s%s" : "%s: %s%s", w.name, w.misfit ? w.token : w.bad,
	    w.misfit ? w.bad : "", w.misfit ? filter_near(w.token, true) : "");
	return phrase;
}

/* Who made a list from nothing gets that list; @service means "what an ordinary
 * program with these rights needs". A call that a word named stays as it says. */
void filter_caps(uint64_t caps)
{
	const struct opens *o;

	for (o = filter_opens; filter_policy.service && o->first; o++)
		if (caps >> o->cap & 1)
			paint(o->first, o->last, P_ALLOW, NAMED);
}

/* Step 0 begins, each word is one, then come other keys. Who wants to know which
 * one gave a call its answer takes them again, and looks. Of exec.once the filter
 * sees where a path lies, the rest is done by init.page; never LOG. */
const char *filter_step(const struct box *b, int i)
{
	static const uint32_t answers[] = { ACT_ERRNO | EPERM, ACT_KILL, ACT_LOG };
	int more = i - b->nsyscall;

	if (i == 0) {
		filter_begin(answers[b->calls_default]);
		filter_policy.families = *b->sockets ? b->sockets : NULL;
	} else if (more <= 0)
		return filter_word(b->syscalls[i - 1]);
	else if (more == 1)
		filter_caps(b->caps);
	else if (b->exec_once && more > 2)
		return filter_word(more == 3 ? ONLY_WORD : "execveat:EPERM");
	return NULL;
}

int filter_row(const struct box *b, int step)
{
	int more = step - b->nsyscall;

	return step == 0 ? KEY_SYSCALLS_DEFAULT : more <= 0 ? KEY_SYSCALLS : more > 2 ? KEY_EXEC_ONCE : more == 1 ? KEY_CAPS : KEY_SOCKETS;
}
