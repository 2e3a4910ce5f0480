/*
 * args.c - the tests between the brackets of NAME(...).
 *
 *	tests	test , test ...		all of them hold
 *	test	argN [& mask]... OP value [| value]...
 *	OP	== != < <= > >=		lists of values only with == (one of) and != (none of)
 *	value	term [+ term]...	a term is a number, a constant, or ~term
 *
 * What the kernel takes as 32 bits is compared as 32 bits: a program may put
 * anything into the high word of the register (the hole of TIOCSTI|1<<32).
 * Of an argument of 64 bits both words count, with one exception: a refusal by
 * == and a permission by != look at the low word alone, since the kernel drops
 * the high one of many such arguments later. That is never the weaker reading.
 */
#include <string.h>

#include "husk.h"

static void bad(struct word *w, const char *why)
{
	if (!w->bad)
		w->bad = why;
}

static bool take(struct word *w, const char *text)
{
	const char *p = w->at;

	while (*p == ' ' || *p == '\t')
		p++;
	w->at = p;
	for (; *text; text++, p++)
		if (*p != *text)
			return false;
	w->at = p;
	return true;
}

/* What is too long is no name and no number: it does not end where the room does. */
const char *filter_cut(char *to, const char *from, const char *stop)
{
	size_t n = 0;

	for (; !strchr(stop, *from); from++)
		if (n < LONGEST - 1)
			to[n++] = *from;
		else
			to[n - 1] = '?';
	to[n] = '\0';
	return from;
}

/* as in C: 0x, 0 for octal, else decimal */
static bool digits(const char *s, uint64_t *v)
{
	unsigned base = 10, d;
	uint64_t low, high;

	if (*s == '0' && s[1]) {
		base = *++s == 'x' ? 16 : 8;
		s += base == 16;
	}
	*v = 0;
	do {
		d = ((unsigned)*s | 0x20) - 'a';
		d = *s <= '9' ? (unsigned)*s - '0' : d < 6 ? d + 10 : base;
		low = (*v & 0xffffffff) * base + d;
		high = (*v >> 32) * base + (low >> 32);
		if (d >= base || high >> 32)
			return false;
		*v = high << 32 | (low & 0xffffffff);
	} while (*++s);
	return true;
}

/* The constants that begin with AF_, in small letters. */
const char *filter_family(int i)
{
	static char name[LONGEST];
	const struct known *k = filter_name(i);
	char *to = name;
	const char *p;

	while (i == 0 && strncmp(k->text, "AF_", 3) != 0)
		k = filter_name(1);
	if (strncmp(k->text, "AF_", 3) != 0)
		return NULL;
	for (p = k->text + 3; *p; p++)
		*to++ = (char)(*p >= 'A' ? *p | 0x20 : *p);
	*to = '\0';
	return name;
}

int filter_family_number(const char *s)
{
	static char name[LONGEST];
	char *to = name + 3;
	uint64_t v;

	memcpy(name, "AF_", 3);
	for (; *s && to < name + LONGEST - 1; s++)
		*to++ = (char)(*s >= 'a' ? *s & ~0x20 : *s);
	*to = '\0';
	return filter_constant(name, &v) ? (int)v : -1;
}

static void misfit(struct word *w)
{
	if (!w->bad)
		w->misfit = *w->token;
	bad(w, *w->token ? TEXT "is no constant that is known, and no number that fits" : TEXT "a value is missing");
}

static uint64_t term(struct word *w)
{
	bool not = false, minus;
	uint64_t v;

	while (take(w, "~"))
		not = !not;
	minus = take(w, "-");
	take(w, "");
	if (w->bad)
		return 0;
	w->at = filter_cut(w->token, w->at, " \t+|,)&=!<>~");
	if (!digits(w->token, &v) && !filter_constant(w->token, &v))
		misfit(w);
	v = minus ? -v : v;
	return not ? ~v : v;
}

/* full: the bits of the argument. A sign or a ~ fills those above: they are cut off. */
static uint64_t value(struct word *w, uint64_t full)
{
	uint64_t v = term(w);

	while (take(w, "+"))
		v |= term(w);
	if ((v & ~full) != 0 && (v | full) != ~(uint64_t)0)
		misfit(w);
	return v & full;
}

/* The same where nothing else stands: a word of husk filter. */
bool filter_value(const char *s, uint64_t full, unsigned long long *v)
{
	struct word w = { .at = s };

	*v = 0;
	do
		*v |= value(&w, full);
	while (take(&w, "|"));
	return !w.bad && !*w.at;
}

static uint8_t operator(struct word *w)
{
	static const struct { char text[3]; uint8_t op; } ops[] = {
		{ "==", TEST_EQ }, { "!=", TEST_EQ | TEST_NOT }, { "<=", TEST_GT | TEST_NOT },
		{ ">=", TEST_GE }, { "<", TEST_GE | TEST_NOT }, { ">", TEST_GT },
	};
	size_t i;

	for (i = 0; i < sizeof ops / sizeof *ops; i++)
		if (take(w, ops[i].text))
			return ops[i].op;
	bad(w, TEXT "a test lacks one of == != < <= > >=");
	return 0;
}

/* all bits that the kernel reads of this argument */
static uint64_t width(const struct call *c, unsigned arg)
{
	if (c->half >> arg & 1)
		return 0xffff;
	if (c->word >> arg & 1 || filter_arch->bits == 32)
		return 0xffffffff;
	return ~(uint64_t)0;
}

static uint64_t high(uint64_t v)
{
	return v >> 32;
}

/* One more test of the policy; no more bits of the argument are compared than
 * have to be. Only fields are written: what lies between them stays 0, since
 * tests are compared. */
static void push(struct word *w, const struct test *t, bool deny)
{
	struct policy *p = &filter_policy;
	struct test *to = &p->tests[p->ntest];
	bool equal = (t->op & TEST_OP) == TEST_EQ, low = equal && !(t->op & TEST_NOT) == deny;
	uint64_t lost = t->value & ~t->mask;

	if (high(lost) || (lost && equal))
		bad(w, TEXT "a value has bits that the mask takes away");
	to->arg = t->arg;
	to->op = t->op;
	to->value = t->value;
	to->mask = t->mask;
	if (!high(t->mask) || (low && !high(t->value)))
		to->mask &= 0xffffffff;
	else
		to->op |= TEST_WIDE;
	if (p->ntest <= MAXTEST)
		p->ntest++;
}

static void one(struct word *w, const struct call *c, bool deny)
{
	struct test t = { 0 };
	uint64_t full;
	bool more;

	if (!take(w, "arg") || (unsigned)*w->at - '0' > 5) {
		bad(w, TEXT "a test begins with arg0 to arg5");
		return;
	}
	t.arg = (uint8_t)(*w->at++ - '0');
	t.mask = full = width(c, t.arg);
	while (take(w, "&"))
		t.mask &= value(w, full);
	t.op = operator(w);
	do {
		t.value = value(w, full);
		more = take(w, "|");
		if (more && (t.op & TEST_OP) != TEST_EQ)
			bad(w, TEXT "only == and != take a list");
		t.op &= (uint8_t)~TEST_OR;
		if (more && !(t.op & TEST_NOT))
			t.op |= TEST_OR;
		push(w, &t, deny);
	} while (more && !w->bad);
}

void filter_tests(struct word *w, unsigned which, bool deny)
{
	struct policy *p = &filter_policy;
	const struct call c = filter_widths(which);

	w->at = w->tests;
	if (!c.typed)
		bad(w, TEXT "the widths of its arguments are not known: no tests");
	else
		do
			one(w, &c, deny);
		while (!w->bad && take(w, ","));
	take(w, "");
	if (*w->at != ')')
		bad(w, TEXT "something follows after the end");
	if (!w->bad)
		p->tests[p->ntest - 1].op |= TEST_END;
}
