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

#define CONSTANTS(C) \
	C(AF_UNIX) C(AF_INET) C(AF_INET6) C(AF_NETLINK) C(AF_PACKET) C(AF_CAN) C(AF_BLUETOOTH) \
	C(AF_VSOCK) C(AF_ALG) C(AF_XDP) C(AF_TIPC) \
	C(SOCK_STREAM) C(SOCK_DGRAM) C(SOCK_RAW) C(SOCK_SEQPACKET) C(SOCK_NONBLOCK) C(SOCK_CLOEXEC) \
	C(CLONE_NEWNS) C(CLONE_NEWCGROUP) C(CLONE_NEWUTS) C(CLONE_NEWIPC) C(CLONE_NEWUSER) \
	C(CLONE_NEWPID) C(CLONE_NEWNET) C(CLONE_NEWTIME) C(CLONE_VM) C(CLONE_THREAD) \
	C(PR_SET_DUMPABLE) C(PR_SET_SECCOMP) C(PR_SET_MM) C(PR_SET_PTRACER) C(PR_CAP_AMBIENT) \
	C(TIOCSTI) C(TIOCLINUX) C(TIOCSETD) C(TCGETS) C(FIONREAD) \
	C(PROT_READ) C(PROT_WRITE) C(PROT_EXEC) C(MAP_ANONYMOUS) \
	C(O_ACCMODE) C(O_WRONLY) C(O_RDWR) C(O_CREAT) C(O_PATH) C(AT_FDCWD) \
	C(S_IFMT) C(S_IFREG) C(S_IFIFO) C(S_IFSOCK) C(S_IFCHR) C(S_IFBLK) C(S_ISUID) C(S_ISGID) \
	C(PER_LINUX) C(PER_LINUX32) C(ADDR_NO_RANDOMIZE) \
	C(SCHED_OTHER) C(SCHED_BATCH) C(SCHED_IDLE) C(SCHED_FIFO) C(SCHED_RR) C(SCHED_DEADLINE) \
	C(EPERM) C(ENOENT) C(EIO) C(EAGAIN) C(ENOMEM) C(EACCES) C(EBUSY) C(ENODEV) C(EINVAL) \
	C(ENOTTY) C(EROFS) C(ENOSYS) C(EOPNOTSUPP) C(EAFNOSUPPORT)

#define NAME(c)		#c "\0"
#define VALUE(c)	(int32_t)(c),
static const char names[] = CONSTANTS(NAME);
static const int32_t values[] = { CONSTANTS(VALUE) };	/* flags in bit 31: none */

bool filter_constant(const char *name, size_t len, uint64_t *v)
{
	const char *p = names;
	int i;

	for (i = 0; *p; i++, p += strlen(p) + 1)
		if (*p == *name && strncmp(p, name, len) == 0 && !p[len]) {
			*v = (uint64_t)(int64_t)values[i];
			return true;
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
