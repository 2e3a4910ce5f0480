/*
 * args.c - the tests between the brackets of NAME(...), and kernel constants.
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
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "husk.h"

/* what they begin with, once for all that follow */
#define CONSTANTS(P, C) \
	P(AF_) C(AF_, UNIX) C(AF_, INET) C(AF_, INET6) C(AF_, NETLINK) C(AF_, PACKET) C(AF_, CAN) \
	C(AF_, BLUETOOTH) C(AF_, VSOCK) C(AF_, ALG) C(AF_, XDP) C(AF_, TIPC) \
	P(SOCK_) C(SOCK_, STREAM) C(SOCK_, DGRAM) C(SOCK_, RAW) C(SOCK_, SEQPACKET) C(SOCK_, NONBLOCK) \
	C(SOCK_, CLOEXEC) \
	P(CLONE_) C(CLONE_, NEWNS) C(CLONE_, NEWCGROUP) C(CLONE_, NEWUTS) C(CLONE_, NEWIPC) \
	C(CLONE_, NEWUSER) C(CLONE_, NEWPID) C(CLONE_, NEWNET) C(CLONE_, NEWTIME) C(CLONE_, VM) \
	C(CLONE_, THREAD) \
	P(PR_) C(PR_, SET_DUMPABLE) C(PR_, SET_SECCOMP) C(PR_, SET_MM) C(PR_, SET_PTRACER) \
	C(PR_, CAP_AMBIENT) \
	P(TIOC) C(TIOC, STI) C(TIOC, LINUX) C(TIOC, SETD) \
	P(PROT_) C(PROT_, READ) C(PROT_, WRITE) C(PROT_, EXEC) \
	P(O_) C(O_, ACCMODE) C(O_, WRONLY) C(O_, RDWR) C(O_, CREAT) C(O_, PATH) \
	P(S_I) C(S_I, FMT) C(S_I, FREG) C(S_I, FIFO) C(S_I, FSOCK) C(S_I, FCHR) C(S_I, FBLK) \
	C(S_I, SUID) C(S_I, SGID) \
	P(PER_) C(PER_, LINUX) C(PER_, LINUX32) \
	P(SCHED_) C(SCHED_, OTHER) C(SCHED_, BATCH) C(SCHED_, IDLE) C(SCHED_, FIFO) C(SCHED_, RR) \
	C(SCHED_, DEADLINE) \
	P(E) C(E, PERM) C(E, NOENT) C(E, IO) C(E, AGAIN) C(E, NOMEM) C(E, ACCES) C(E, BUSY) C(E, NODEV) \
	C(E, INVAL) C(E, NOTTY) C(E, ROFS) C(E, NOSYS) C(E, OPNOTSUPP) C(E, AFNOSUPPORT) \
	P() C(, TCGETS) C(, FIONREAD) C(, MAP_ANONYMOUS) C(, AT_FDCWD) C(, ADDR_NO_RANDOMIZE)

#define PREFIX(p)	"=" #p "\0"
#define NAME(p, c)	#c "\0"
#define NOTHING(p)
#define VALUE(p, c)	(int32_t)(p##c),
static const char names[] = CONSTANTS(PREFIX, NAME);
static const int32_t values[] = { CONSTANTS(NOTHING, VALUE) };	/* flags in bit 31: none */

bool filter_constant(const char *name, size_t len, uint64_t *v)
{
	const int32_t *value = values;
	const char *p, *prefix = names;
	size_t n = 0;

	for (p = names; *p; p += strlen(p) + 1) {
		if (*p == '=') {
			prefix = p + 1;
			n = strlen(prefix);
		} else if (len > n && memcmp(name, prefix, n) == 0 && strncmp(p, name + n, len - n) == 0 && !p[len - n]) {
			*v = (uint64_t)(int64_t)*value;
			return true;
		} else {
			value++;
		}
	}
	return false;
}

struct in {
	const char *p, *end;
	const char *bad;		/* the first thing that is wrong */
	const char *at;			/* and the word of it, or NULL */
	size_t len;
};

static void skip(struct in *in)
{
	while (in->p < in->end && (*in->p == ' ' || *in->p == '\t'))
		in->p++;
}

static bool take(struct in *in, const char *word)
{
	size_t n = strlen(word);

	skip(in);
	if ((size_t)(in->end - in->p) < n || memcmp(in->p, word, n) != 0)
		return false;
	in->p += n;
	return true;
}

static void bad(struct in *in, const char *why)
{
	if (!in->bad)
		in->bad = why;
}

static bool in_word(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* as in C: 0x, 0 for octal, else decimal */
static bool digits(const char *s, size_t len, uint64_t *v)
{
	unsigned base = 10, d;
	uint64_t n = 0;

	if (len > 1 && *s == '0') {
		base = s[1] == 'x' ? 16 : 8;
		s += base == 16 ? 2 : 1;
		len -= base == 16 ? 2 : 1;
	}
	if (!len)
		return false;
	for (; len; s++, len--) {
		d = *s <= '9' ? (unsigned)(*s - '0') : (unsigned)((*s | 0x20) - 'a') + 10;
		if (d >= base || __builtin_mul_overflow(n, (uint64_t)base, &n) ||
		    __builtin_add_overflow(n, (uint64_t)d, &n))
			return false;
	}
	*v = n;
	return true;
}

static uint64_t term(struct in *in)
{
	bool not = false, minus;
	uint64_t v = 0;
	const char *s;

	while (take(in, "~"))
		not = !not;
	minus = take(in, "-");
	skip(in);
	for (s = in->p; in->p < in->end && in_word(*in->p); in->p++)
		;
	if (!digits(s, (size_t)(in->p - s), &v) && !filter_constant(s, (size_t)(in->p - s), &v) && !in->bad) {
		in->at = s;
		in->len = (size_t)(in->p - s);
		bad(in, in->len ? "is no number and no constant that is known" : "a value is missing");
	}
	if (minus)
		v = -v;
	return not ? ~v : v;
}

static uint64_t value(struct in *in)
{
	uint64_t v = term(in);

	while (take(in, "+"))
		v |= term(in);
	return v;
}

static int operator(struct in *in)
{
	static const struct { char text[3]; uint8_t op; } ops[] = {
		{ "==", TEST_EQ }, { "!=", TEST_EQ | TEST_NOT }, { "<=", TEST_GT | TEST_NOT },
		{ ">=", TEST_GE }, { "<", TEST_GE | TEST_NOT }, { ">", TEST_GT },
	};
	size_t i;

	for (i = 0; i < sizeof ops / sizeof *ops; i++)
		if (take(in, ops[i].text))
			return ops[i].op;
	bad(in, "a test lacks one of == != < <= > >=");
	return 0;
}

/* all bits that the kernel reads of this argument */
static uint64_t width(const struct call *c, int arg)
{
	if (c->half >> arg & 1)
		return 0xffff;
	if (c->word >> arg & 1 || filter_arch.bits == 32)
		return 0xffffffff;
	return ~(uint64_t)0;
}

/* A constant with a sign or a ~ fills the bits above: those are cut off. */
static uint64_t fit(struct in *in, uint64_t v, uint64_t full)
{
	if ((v & ~full) != 0 && (v | full) != ~(uint64_t)0)
		bad(in, "a value has more bits than the argument");
	return v & full;
}

static void push(struct in *in, struct test t, bool deny)
{
	struct policy *p = &filter_policy;
	bool low = (t.op & TEST_OP) == TEST_EQ && !(t.op & TEST_NOT) == deny;

	if ((t.value & ~t.mask) >> 32 || (t.value & ~t.mask && (t.op & TEST_OP) == TEST_EQ))
		bad(in, "a value has bits that the mask takes away");
	if ((t.mask >> 32) != 0 && !(low && t.value >> 32 == 0))
		t.op |= TEST_WIDE;
	else
		t.mask &= 0xffffffff;
	if (p->ntest == MAXTEST)
		bad(in, "one test too many: 192 fit");
	else
		p->tests[p->ntest++] = t;
}

static void one(struct in *in, const struct call *c, bool deny)
{
	struct test t = { 0 };
	uint64_t full;
	bool more;

	if (!take(in, "arg") || in->p == in->end || *in->p < '0' || *in->p > '5') {
		bad(in, "a test begins with arg0 to arg5");
		return;
	}
	t.arg = (uint8_t)(*in->p++ - '0');
	t.mask = full = width(c, t.arg);
	while (take(in, "&"))
		t.mask &= fit(in, value(in), full);
	t.op = (uint8_t)operator(in);
	do {
		t.value = fit(in, value(in), full);
		more = take(in, "|");
		if (more && (t.op & TEST_OP) != TEST_EQ)
			bad(in, "only == and != take a list");
		if (more && !(t.op & TEST_NOT))
			t.op |= TEST_OR;
		else
			t.op &= (uint8_t)~TEST_OR;
		push(in, t, deny);
	} while (more && !in->bad);
}

const char *filter_tests(const char *s, size_t len, const struct call *c, bool deny, uint16_t *first)
{
	static char phrase[96];
	struct in in = { s, s + len, NULL, NULL, 0 };
	struct policy *p = &filter_policy;

	*first = p->ntest;
	if (!c->typed)
		return "the widths of its arguments are not known: no tests";
	do
		one(&in, c, deny);
	while (!in.bad && take(&in, ","));
	skip(&in);
	if (in.p < in.end)
		bad(&in, "a test goes on after its end");
	if (!in.bad) {
		p->tests[p->ntest - 1].op |= TEST_END;
		return NULL;
	}
	p->ntest = *first;
	fmt(phrase, sizeof phrase, "%.*s%s%s", (int)in.len, in.len ? in.at : "", in.len ? " " : "", in.bad);
	return phrase;
}
