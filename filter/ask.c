/*
 * ask.c - husk filter FILE NAME ARG ...: what the filter answers to a call, which
 * line made it so, and which would allow it.
 *
 * The answer is that of the program, run as the kernel runs it. Whose it is says
 * the policy, whose steps are taken again: a rule, or the answer behind all rules,
 * is of the step after which the call has it.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/socket.h>

#include "husk.h"
#include "nr.h"

struct question {
	const struct box *box;
	const struct policy *policy;
	uint32_t act;				/* the answer */
	unsigned call;
	struct seccomp_data data;
	uint8_t by[MAXACT + MAXRULE];		/* of answers, then rules: the step; 0: nobody said it */
	char	args[400];			/* as they were written */
};

/* As the kernel does, on what filter_build() makes. *seen: bit i: word i was loaded. */
uint32_t filter_run(const struct sock_filter *f, const struct seccomp_data *d, unsigned *seen)
{
	uint32_t a = 0;
	bool yes;

	for (*seen = 0;; f++)
		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = ((const uint32_t *)(const void *)d)[f->k / 4];
			*seen |= 1u << f->k / 4;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		case BPF_JMP | BPF_JA:
			f += f->k;
			break;
		default:		/* JEQ, JGT, JGE */
			yes = a == f->k ? BPF_OP(f->code) != BPF_JGT : a > f->k && BPF_OP(f->code) != BPF_JEQ;
			f += yes ? f->jt : f->jf;
		}
}

/* ---------------------------------------------------------------- who said it */

static bool holds(const struct question *q, const struct test *t)
{
	uint64_t v = q->data.args[t->arg] & t->mask, k = t->value;
	bool yes;

	if (!(t->op & TEST_WIDE)) {
		v = (uint32_t)v;
		k = (uint32_t)k;
	}
	yes = v == k ? (t->op & TEST_OP) != TEST_GT : v > k && (t->op & TEST_OP) != TEST_EQ;
	return yes != ((t->op & TEST_NOT) != 0);
}

static bool rule_holds(const struct question *q, const struct test *t)
{
	bool any;

	for (;; t++) {
		for (any = holds(q, t); t->op & TEST_OR; any |= holds(q, t))
			t++;
		if (!any || t->op & TEST_END)
			return any;
	}
}

/* What stood there before a step and still stands behind what is new keeps its origin. */
static void trace(struct question *q)
{
	const struct policy *p = q->policy;
	const uint16_t *answer = &p->answer[q->call];
	unsigned was, now, e;
	int i;

	(void)filter_step(q->box, 0);
	for (i = 1; i <= q->box->nsyscall + FILTER_STEPS; i++) {
		was = *answer;
		(void)filter_step(q->box, i);
		now = *answer;
		if (was == now)
			continue;
		was &= (unsigned)~NAMED;
		for (e = now & (unsigned)~NAMED; e != was || !q->by[e]; e = p->rules[e - MAXACT].next) {
			q->by[e] = (uint8_t)i;
			if (e < MAXACT)
				break;
		}
	}
}

/* The rule or answer that decides: its step, or -1 where it is not that of the program. Of
 * a family sockets= does, if not a word for that call. */
static int decided(const struct question *q)
{
	const struct policy *p = q->policy;
	const struct rule *r = NULL;
	unsigned e = p->answer[q->call] & (unsigned)~NAMED, act = e;

	for (; e >= MAXACT; act = e = r->next) {
		r = &p->rules[e - MAXACT];
		if (rule_holds(q, p->tests + r->test)) {
			act = r->act;
			break;
		}
	}
	if (p->acts[act] != q->act)
		return -1;
	if (p->families && filter_socket(q->call) && (e >= MAXACT ? r->test == p->family :
	    e == P_REFUSE && !(p->answer[q->call] & NAMED)))
		return q->box->nsyscall + 2;
	return q->by[e];
}

/* -------------------------------------------------------------- what allows it */

static unsigned class_of(unsigned call)
{
	const uint8_t *c;

	for (c = filter_classes; call > (*c & 3u); c++)
		call -= (*c & 3u) + 1;
	return *c >> 2;
}

/* The name of the narrowest of these capabilities that opens it, or "": the widest stands first. */
static const char *capability(unsigned call, uint64_t of)
{
	unsigned class = class_of(call);
	const struct opens *o;
	const char *name = "";

	for (o = filter_opens; o->first; o++)
		if (class >= o->first && class <= o->last && of >> o->cap & 1)
			name = caps_name(o->cap);
	return name;
}

/* Arguments are only named where groups look at one as a whole, as at a family. */
static const char *tested(unsigned call, const unsigned long long args[6])
{
	const struct right *r;
	const struct narrow *t;

	for (r = filter_rights; r->class; r++) {
		t = filter_tested + r->test;
		if (r->call == call && t->mask == 0xffffffff)
			return fmts(TEXT "(arg%u==0x%x)", t->arg, (uint32_t)args[t->arg]);
	}
	return "";
}

/* The name that sockets= has for a family, or "". */
static const char *family(unsigned long long number)
{
	const char *name;
	int i;

	for (i = 0; (name = filter_family(i)); i++)
		if ((uint32_t)number == (uint32_t)filter_family_number(name))
			return name;
	return "";
}

/* Without a policy, as in a keeper that has forgotten it, it is taken for @service. */
const char *filter_cure(uint32_t nr, const unsigned long long args[6])
{
	const struct policy *p = &filter_policy;
	const char *name, *cap = "";
	unsigned call = filter_slot(nr);

	if (filter_socket(call) && !(p->answer[call] & NAMED) && (!p->begun || p->families || p->answer[call] >= MAXACT) &&
	    *(name = family((uint32_t)args[0] == AF_INET && (args[1] & 15) == SOCK_PACKET ? AF_PACKET : args[0])))
		return fmts(TEXT "sockets=%s", name);
	if (!(name = filter_call(nr)))
		return NULL;
	if (!p->begun || (p->service && !(p->answer[call] & NAMED)))
		cap = capability(call, ~(uint64_t)0);
	return fmts(TEXT "%s%s%ssyscalls=+%s%s", *cap ? "caps=" : "", cap, *cap ? " or " : "", name, tested(call, args));
}

/* ---------------------------------------------------------------- husk filter */

static int wrong(const char *what)
{
	warnx("filter: %s", what);
	return 2;
}

static const char *arguments(struct question *q, char *const *words)
{
	const uint64_t full = filter_arch->bits == 32 ? 0xffffffff : ~(uint64_t)0;
	size_t n = 0;
	int i;

	for (i = 0; words[i]; i++) {
		if (i == 6)
			return TEXT "a call has six arguments at most";
		if (!filter_value(words[i], full, &q->data.args[i]))
			return cfg_wrong("\"%.*s\" is no constant that is known, and no number that fits%s", 80, words[i], filter_near(words[i], true));
		n += fmt(q->args + n, sizeof q->args - n, i ? ", %s" : "%s", words[i]);
	}
	return NULL;
}

/* The line of a word of syscalls=; of other keys, which may have many, one that has the word. */
static const struct mark *line(int row, int item, const char *what)
{
	const struct mark *m, *found = NULL;
	const char *at;

	for (m = cfg_marks(); m->text; m++)
		if (m->key == row && (!found || (row == KEY_SYSCALLS ? m->item == item :
		    (at = strstr(m->text, what)) && at < strchrnul(m->text, '\n'))))
			found = m;
	return found;
}

/* FILE:LINE: key: word, or where no word of the line is about this call its whole value. Within
 * its caller it would be longer. */
__attribute__((noinline)) static void origin(const struct question *q, int row, int item)
{
	const char *from = "", *what = filter_action(q->policy->acts[P_REFUSE]);
	const struct mark *m;

	if (row == KEY_SYSCALLS)
		what = q->box->syscalls[item];
	else if (row == KEY_CAPS)
		what = capability(q->call, q->box->caps);
	else if (row == KEY_SOCKETS)
		what = family(q->data.args[0]);
	if ((m = line(row, item, what))) {
		from = cfg_from(m);
		if (row > KEY_SYSCALLS) {
			what = strchr(m->text, '=') + 1;
			what = fmts(TEXT "%.*s", (int)strcspn(what, "\n"), what);
		}
	}
	say(1, "%s: %s: %s", *from ? from : "default", key_name(row), what);
}

/* of a call that the target has; its status */
static int reason(struct question *q, int status)
{
	int step, row;

	trace(q);
	step = decided(q);
	if (step < 0)
		return wrong(TEXT "a mistake of husk: the policy says something else");
	row = filter_row(q->box, step);
	if (!step && q->act == (ACT_ERRNO | ENOSYS))
		say(1, "what it does no filter sees");
	else
		origin(q, row, step - 1);
	if (status && row != KEY_EXEC_ONCE)
		say(1, "; to allow it: %s", filter_cure((uint32_t)q->data.nr, q->data.args));
	return status;
}

int filter_ask(const struct box *b, char *const *words)
{
	static struct question question;
	struct question *q = &question;
	const struct known *k = filter_find(*words);
	unsigned long long nr;
	const char *e;
	unsigned seen;
	int status;

	__asm__("" : "+r"(q));		/* its address once, and not for each use */
	if (k && *k->text >= '_')
		nr = filter_number(k->value) == NONUMBER ? 0xffffffff : filter_number(k->value);
	else if (k || !filter_value(*words, 0xffffffff, &nr))
		return wrong(k ? cfg_bad(*words, "a system call", "") : filter_unknown(*words));
	if ((e = arguments(q, words + 1)))
		return wrong(e);
	q->box = b;
	q->policy = &filter_policy;
	q->data.nr = (int)nr;
	q->data.arch = filter_arch->audit;
	q->call = filter_slot((uint32_t)q->data.nr);
	q->act = b->nbpf ? filter_run(b->bpf, &q->data, &seen) : ACT_ALLOW;
	status = q->act != ACT_ALLOW && q->act != ACT_LOG;
	say(1, "%s(%s): %s - ", *words, q->args, filter_action(q->act));
	if (q->call != NOCALL)
		status = reason(q, status);
	else if (q->act == ACT_KILL)
		say(1, "foreign ABI");
	else
		say(1, "no such call on %s", filter_arch->name);
	say(1, "\n");
	return status;
}
