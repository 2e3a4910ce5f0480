/*
 * filter_test.c - the filter of all architectures, on the machine that builds.
 *
 *	filter_test TABLE	all
 *	filter_test pid1	the filter of PID 1, of the machine it is built for
 *	filter_test print	the programs of all policies, and nothing else
 *
 * Rows of the table, policies of a corpus against a direct evaluation, and the
 * limits; one line "ok N - what" each. Nothing here depends on time or chance.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "husk.h"
#include "nr.h"
#include "stubs.c"

const char *bpf_check(const struct sock_filter *, unsigned);
uint32_t bpf_run(const struct sock_filter *, const struct seccomp_data *, bool *, unsigned *);
bool words_read(void);
bool words_policy(const char *words, int arch);
uint32_t words_answer(uint32_t nr, const uint64_t *args);

static struct sock_filter prog[MAXBPF];
static uint16_t nprog;
static int tests, failed;
static const char *arch = "";
static bool print;

static bool ok(bool good, const char *f, ...) __attribute__((format(printf, 2, 3)));
static bool ok(bool good, const char *f, ...)
{
	va_list ap;

	if (print)
		return good;
	printf("%sok %d - filter %s: ", good ? "" : "not ", ++tests, arch);
	va_start(ap, f);
	vprintf(f, ap);
	va_end(ap);
	putchar('\n');
	failed += !good;
	return good;
}

/* ------------------------------------------------------------- making one */

/* Splits at blanks outside of brackets, as cfg/ does. caps:HEX is filter_caps, sockets:HEX sockets= as a mask,
 * default:ACTION goes to filter_begin. */
static const char *policy(const char *words)
{
	uint32_t fallback = ACT_ERRNO | EPERM;
	const char *w = words, *e = NULL, *d;
	char word[512];
	uint64_t caps = 0;
	static uint32_t sockets[2];
	int depth;

	if ((d = strstr(words, "default:")) != NULL)
		fallback = strncmp(d + 8, "KILL", 4) == 0 ? ACT_KILL : ACT_LOG;
	filter_begin(fallback);
	if ((d = strstr(words, "sockets:")) != NULL) {
		caps = strtoull(d + 8, NULL, 16);
		sockets[0] = (uint32_t)caps;
		sockets[1] = (uint32_t)(caps >> 32);
		filter_policy.families = sockets;
		caps = 0;
	}
	while (*w && !e) {
		for (depth = 0, d = w; *d && (depth || *d != ' '); d++)
			depth += (*d == '(') - (*d == ')');
		if (strncmp(w, "caps:", 5) == 0)
			caps = strtoull(w + 5, NULL, 16);
		else if (d > w && strncmp(w, "default:", 8) != 0 && strncmp(w, "sockets:", 8) != 0) {
			snprintf(word, sizeof word, "%.*s", (int)(d - w), w);
			e = filter_word(word);
		}
		w = *d ? d + 1 : d;
	}
	filter_caps(caps);
	return e;
}

static enum abi abi;

/* as cfg/check.c does */
static const char *compile(const char *words)
{
	const char *e;

	if (abi != ABI_NATIVE) {
		filter_compat(abi == ABI_BOTH);
		if ((e = policy(words)))
			return e;
		filter_behind(prog, MAXBPF, abi == ABI_32);
		filter_compat(abi == ABI_32);
	}
	e = policy(words);
	return e ? e : filter_build(prog, MAXBPF, &nprog);
}

static const char *verdict(uint32_t ret)
{
	static char buf[40];

	switch (ret) {
	case ACT_ALLOW: return "ALLOW";
	case ACT_KILL: return "KILL";
	case ACT_LOG: return "LOG";
	case ACT_TRAP: return "TRAP";
	case ACT_ERRNO | EPERM: return "EPERM";
	case ACT_ERRNO | ENOSYS: return "ENOSYS";
	case ACT_ERRNO | EACCES: return "EACCES";
	case ACT_ERRNO | EAFNOSUPPORT: return "EAFNOSUPPORT";
	}
	snprintf(buf, sizeof buf, "%#x", ret);
	return buf;
}

/* ---------------------------------------------------------------- the table */

static uint32_t number_of(const char *name)
{
	const struct known *k;

	if (*name == '#')
		return (uint32_t)strtoull(name + 1, NULL, 0);
	k = filter_find(name);
	return k ? filter_number(k->value) : NONUMBER;
}

static uint64_t argument(const char *s)
{
	uint64_t v = 0, w;
	char part[64];
	size_t n;

	for (; *s; s += n + (s[n] == '|')) {
		n = strcspn(s, "|");
		snprintf(part, sizeof part, "%.*s", (int)n, s);
		if (!filter_constant(part, &w))
			w = strtoull(part, NULL, 0);
		v |= w;
	}
	return v;
}

static char *trim(char *s)
{
	char *e = s + strlen(s);

	while (*s == ' ' || *s == '\t')
		s++;
	while (e > s && (e[-1] == ' ' || e[-1] == '\t' || e[-1] == '\n'))
		*--e = '\0';
	return s;
}

static void row(char *words, char *what, char *want, int line)
{
	struct seccomp_data d = { .arch = filter_arch->audit };
	const char *e = compile(words), *name, *a, *got;
	bool plain;
	unsigned steps;
	int i;

	if (strcmp(what, "error") == 0) {
		ok(e && strcmp(e, want) == 0, "line %d: %s: %s", line, words, e ? e : "no error");
		return;
	}
	if (e) {
		ok(false, "line %d: %s: %s", line, words, e);
		return;
	}
	if (strcmp(what, "none") == 0) {
		ok(nprog == 0, "line %d: %s: no filter", line, words);
		return;
	}
	name = strtok(what, " ");
	d.nr = (int)number_of(name);
	for (i = 0; i < 6 && (a = strtok(NULL, " ")) != NULL; i++)
		if (strncmp(a, "arch=", 5) == 0)
			d.arch = (uint32_t)strtoull(a + 5, NULL, 0), i--;
		else
			d.args[i] = argument(a) & (filter_arch->bits == 32 ? 0xffffffff : ~(uint64_t)0);
	got = verdict(bpf_run(prog, &d, &plain, &steps));
	ok(strcmp(got, want) == 0, "line %d: %s: %s is %s", line, words, name, got);
}

static void table(const char *file)
{
	FILE *f = fopen(file, "r");
	char buf[2048], *s, *part[3];
	int line = 0, i;

	if (!f) {
		ok(false, "open %s", file);
		return;
	}
	while (fgets(buf, sizeof buf, f)) {
		line++;
		s = trim(buf);
		if (!*s || *s == '#')
			continue;
		part[0] = s;
		for (i = 1; i < 3 && (s = strstr(s, " | ")) != NULL; i++) {
			*s = '\0';
			part[i] = s += 3;
		}
		s = strchr(part[0], ' ');
		if (i < 3 || !s) {
			ok(false, "line %d: not words | call | verdict", line);
			continue;
		}
		*s++ = '\0';
		if (strcmp(part[0], "*") == 0 || strstr(part[0], arch))
			row(trim(s), trim(part[1]), trim(part[2]), line);
	}
	fclose(f);
}

/* ------------------------------------------------- the policy, asked directly */

static bool holds(const struct test *t, const uint64_t *args)
{
	uint64_t v = args[t->arg], k = t->value;
	bool yes;

	if (!(t->op & TEST_WIDE)) {
		v &= 0xffffffff;
		k &= 0xffffffff;
	}
	v &= t->mask;
	yes = (t->op & TEST_OP) == TEST_EQ ? v == k : (t->op & TEST_OP) == TEST_GT ? v > k : v >= k;
	return yes != ((t->op & TEST_NOT) != 0);
}

static bool rule_holds(const struct test *t, const uint64_t *args)
{
	bool any;

	for (;; t++) {
		for (any = holds(t, args); t->op & TEST_OR; any |= holds(t, args))
			t++;
		if (!any)
			return false;
		if (t->op & TEST_END)
			return true;
	}
}

/* The call behind a number; for one that no kernel has any more, that of the number before. */
static int call_of(uint32_t nr)
{
	const struct arch *a = filter_arch;
	unsigned plain = a->slots - a->nprivate, slot = nr;

	if (nr >= plain && (!a->nprivate || nr < a->private || nr - a->private >= a->nprivate))
		return NOCALL;
	if (nr >= plain)
		slot = plain + nr - a->private;
	while (filter_calls[slot] == OLDCALL)
		slot--;
	return filter_calls[slot];
}

static int class_of(int which)
{
	const uint8_t *c;

	for (c = filter_classes; which > (*c & 3); c++)
		which -= (*c & 3) + 1;
	return *c >> 2;
}

static unsigned rule_of(uint32_t nr)
{
	unsigned a = filter_policy.answer[call_of(nr)] & (unsigned)~NAMED;

	return a < MAXACT ? 0 : a;
}

static bool behind;		/* the part of abi=32 that starts the program */

static bool starts_it(uint32_t nr)
{
	return nr == filter_number(N_execve) || nr == filter_number(N_exit_group) || nr == filter_number(N_write);
}

static uint32_t direct(uint32_t nr, const uint64_t *args)
{
	const struct policy *p = &filter_policy;
	int which = call_of(nr);
	unsigned i;

	if (behind && !starts_it(nr))
		return ACT_KILL;
	if (filter_arch->foreign && nr >= filter_arch->foreign && nr != 0xffffffff)
		return ACT_KILL;
	if (which == NOCALL)
		return ACT_ERRNO | ENOSYS;
	i = p->answer[which] & (unsigned)~NAMED;
	while (i >= MAXACT)
		i = rule_holds(&p->tests[p->rules[i - MAXACT].test], args) ?
			p->rules[i - MAXACT].act : p->rules[i - MAXACT].next;
	return p->acts[i];
}

static const uint64_t edges[] = {
	0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x100000001, 0x8000000000000000, ~(uint64_t)0,
};
enum { NEDGES = sizeof edges / sizeof *edges, NEAR = 12 };

/* the i-th value worth trying around a test */
static uint64_t near(const struct test *t, int i)
{
	uint64_t v = t->value;

	switch (i) {
	case 0: return v;
	case 1: return v - 1;
	case 2: return v + 1;
	case 3: return v | (uint64_t)1 << 31;
	case 4: return v | (uint64_t)1 << 32;
	case 5: return v | (uint64_t)1 << 63;
	case 6: return v | ~t->mask;
	case 7: return v ^ t->mask;
	case 8: return v + ((uint64_t)1 << 32);
	case 9: return v - ((uint64_t)1 << 32);
	case 10: return v & 0xffffffff;
	default: return v | 0x10000;
	}
}

static unsigned long compared;
static unsigned most;

static bool agree(uint32_t nr, const uint64_t *args, const char *words)
{
	struct seccomp_data d = { .nr = (int)nr, .arch = filter_arch->audit };
	uint64_t seen[6];
	bool plain;
	unsigned steps, i;
	uint32_t got, want;

	for (i = 0; i < 6; i++)
		d.args[i] = seen[i] = filter_arch->bits == 32 ? args[i] & 0xffffffff : args[i];
	got = bpf_run(prog, &d, &plain, &steps);
	want = direct(nr, seen);
	if (want == got && (!behind || starts_it(nr)))
		want = words_answer(nr, seen);
	compared++;
	if (steps > most)
		most = steps;
	if (got != want)
		return ok(false, "%s: number %#x args %#llx %#llx %#llx: %#x, not %#x", words, nr,
			  (unsigned long long)seen[0], (unsigned long long)seen[1], (unsigned long long)seen[2], got, want);
	if (want == ACT_ALLOW && !plain && call_of(nr) != NOCALL && !rule_of(nr))
		return ok(false, "%s: number %#x is allowed, and not by the cache", words, nr);
	return true;
}

/* Every argument in turn takes every value of interest while the others hold
 * what satisfies a test on them. */
static bool agree_tests(uint32_t nr, const char *words)
{
	const struct policy *p = &filter_policy;
	uint64_t base[6] = { 0 }, args[6];
	const struct test *t;
	unsigned r;
	int i, a;

	for (r = rule_of(nr); r >= MAXACT; r = p->rules[r - MAXACT].next) {
		for (t = &p->tests[p->rules[r - MAXACT].test];; t++) {
			base[t->arg] = t->value;
			if (t->op & TEST_END)
				break;
		}
		for (t = &p->tests[p->rules[r - MAXACT].test];; t++) {
			for (i = 0; i < NEAR + NEDGES; i++) {
				memcpy(args, base, sizeof args);
				args[t->arg] = i < NEAR ? near(t, i) : edges[i - NEAR];
				if (!agree(nr, args, words))
					return false;
				for (a = 0; a < 6; a++)
					args[a] = a == t->arg ? args[a] : ~base[a];
				if (!agree(nr, args, words))
					return false;
			}
			if (t->op & TEST_END)
				break;
		}
	}
	return true;
}

static bool agree_number(uint32_t nr, const char *words)
{
	uint64_t args[6];
	int i, a;

	for (i = 0; i < NEDGES; i++) {
		for (a = 0; a < 6; a++)
			args[a] = edges[i];
		if (!agree(nr, args, words))
			return false;
	}
	return call_of(nr) == NOCALL || agree_tests(nr, words);
}

static int which_arch(void)
{
	const char *a = filter_arch->name;

	return *a == 'x' ? 0 : *a == 'i' ? 1 : a[3] == 'v' ? 2 : 3;
}

static bool agree_all(const char *words)
{
	static const uint32_t more[] = { 0x3fffffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };
	struct seccomp_data d = { .arch = filter_arch->audit ^ 1 };
	const char *e = bpf_check(prog, nprog);
	bool plain, good = true;
	unsigned i, steps;

	if (e)
		return ok(false, "%s: the kernel would not take it: %s", words, e);
	if (!words_policy(words, which_arch()))
		return ok(false, "%s: words.c does not know what it means", words);
	for (i = 0; i < 1024 && good; i++)
		good = agree_number(i, words) && agree_number(0x40000000 + i, words);
	for (i = 0xeffff; i < 0xf0010 && good; i++)
		good = agree_number(i, words);
	for (i = 0; i < sizeof more / sizeof *more && good; i++)
		good = agree_number(more[i], words);
	for (i = 0; i < 1024 && good; i++) {
		d.nr = (int)i;
		if (bpf_run(prog, &d, &plain, &steps) != ACT_KILL)
			good = ok(false, "%s: number %u of another architecture is not killed", words, i);
	}
	return good;
}

static void show(const char *words)
{
	unsigned i;

	printf("%s %s\n", arch, words);
	for (i = 0; i < nprog; i++)
		printf("%x %u %u %x\n", prog[i].code, prog[i].jt, prog[i].jf, prog[i].k);
}

static void differ(const char *words)
{
	const char *e = compile(words);

	most = 0;
	if (print && e)
		return;
	if (print)
		show(words);
	else if (e && strstr(e, "that fits"))
		ok(true, "%s: %s", words, e);
	else if (e)
		ok(false, "%s: %s", words, e);
	else if (nprog && agree_all(words))
		ok(true, "%.60s: as the policy says: %u instructions, at most %u run", words, nprog, most);
}

/* Two ABIs: that of the program in front, then the other one. */
static void differ_both(const char *words)
{
	const char *e;

	if (filter_arch->bits == 32)
		return;
	for (abi = ABI_32; abi <= ABI_BOTH; abi++) {
		e = compile(words);
		most = 0;
		if (print && !e)
			show(words);
		else if (!e && nprog && agree_all(words)) {
			filter_compat(abi == ABI_BOTH);
			(void)policy(words);
			behind = abi == ABI_32;
			ok(agree_all(words), "%.60s: abi=%s, as both say: %u instructions, at most %u run", words,
				abi == ABI_32 ? "32" : "both", nprog, most);
			behind = false;
		}
		filter_compat(false);
	}
	abi = ABI_NATIVE;
}

/* ------------------------------------------------------------- the policies */

#define RUN	"execve exit_group "

/* Enough tests that no jump over them fits into a byte. */
static void long_jumps(void)
{
	static char words[8192];
	size_t n = (size_t)snprintf(words, sizeof words, "@service");
	static const char *const names[] = { "read", "write", "close", "dup", "ioctl", "fcntl", "futex", "bind" };
	unsigned i, j;

	for (i = 0; i < 8; i++) {
		n += (size_t)snprintf(words + n, sizeof words - n, " -%s(arg1>0x1234567%u, arg0==1", names[i], i);
		for (j = 2; j < 17; j++)
			n += (size_t)snprintf(words + n, sizeof words - n, "|%u", j * 3);
		n += (size_t)snprintf(words + n, sizeof words - n, ")");
	}
	snprintf(words + n, sizeof words - n, " -prctl(arg1>0x12345678, arg0==1|3|6|9|12)");
	differ_both(words);
	differ(words);
	ok(nprog > 255, "%u instructions need long jumps", nprog);
}

/* Every second number refused, by itself. */
static void alternating(void)
{
	static char words[16384];
	size_t n = (size_t)snprintf(words, sizeof words, "@all");
	const struct arch *a = filter_arch;
	unsigned slot;

	for (slot = 0; slot < a->slots && n < sizeof words - 60; slot++)
		if (slot % 2 && filter_calls[slot] < OLDCALL && filter_call(slot) && !same(filter_call(slot), "execve") && !same(filter_call(slot), "exit_group"))
			n += (size_t)snprintf(words + n, sizeof words - n, " -=%s", filter_call(slot));
	differ(words);
}

/* Each call has tests of its own, as far as there is room. */
static void all_tested(void)
{
	static char words[32768];
	size_t n = (size_t)snprintf(words, sizeof words, "@all");
	const struct arch *a = filter_arch;
	char name[LONGEST];
	unsigned slot;

	for (slot = 0; slot < a->slots && n < sizeof words - 100; slot++)
		if (filter_calls[slot] < OLDCALL && filter_call(slot) && filter_widths(filter_calls[slot]).typed) {
			snprintf(name, sizeof name, "%s", filter_call(slot));
			n += (size_t)snprintf(words + n, sizeof words - n, " -=%s(arg%u==%u)", name, slot % 5, slot % 90 / 5 + 7);
		}
	differ(words);
}

static void most_tests(void)
{
	static char words[16384];
	size_t n = (size_t)snprintf(words, sizeof words, "@all");
	unsigned i;

	for (i = 0; i < MAXTEST - 16; i++)
		n += (size_t)snprintf(words + n, sizeof words - n, " -ioctl(arg0>0x%x)", 0xfffffff0 - i * 7);
	differ(words);
	ok(nprog > MAXTEST - 16, "%d tests of one call: %u instructions", MAXTEST - 16, nprog);
}

static uint32_t chance(void)
{
	static uint32_t x = 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	return x ^= x << 5;
}

static const char *random_name(void)
{
	static char list[512][48];
	static unsigned n;
	const struct known *k;
	int i;

	if (!n)
		for (i = 0; n < 512 && (k = filter_name(i)) != NULL; i++)
			if (*k->text >= '_')
				snprintf(list[n++], sizeof *list, "%s", k->text);
	return list[chance() % n];
}

/* without @basic, which has execve */
static const char *some_group(void)
{
	return (const char *const[]){ "@io", "@net", "@process", "@ipc", "@file", "@mount", "@namespace", "@keyring", "@wx", "@suid", "@realtime" }[chance() % 11];
}

static size_t random_tests(char *to, size_t max)
{
	static const char *const ops[] = { "==", "!=", "<", "<=", ">", ">=" };
	static const char *const values[] = { "0", "1", "2|3|5", "AF_CAN", "0x7fffffff", "0x80000000", "0xffffffff", "7" };
	unsigned i, n = 1 + chance() % 3, o, v, a;
	bool masked;
	size_t len = 0;

	for (i = 0; i < n; i++) {
		o = chance() % 6;
		v = chance() % 8;
		if (v == 2 && o > 1)
			v = 7;
		a = chance() % 4;
		masked = v <= 3 && chance() % 3 == 0;
		len += (size_t)snprintf(to + len, max - len, "%sarg%u%s%s%s", i ? ", " : "", a,
			masked ? "&15" : "", ops[o], v > 3 && o < 2 ? "5" : values[v == 3 ? 1 : v]);
	}
	return len;
}

static void at_random(void)
{
	static char words[8192];
	char name[48];
	unsigned k, i, n;
	size_t len;
	const uint16_t *t;
	int good = 0;
	unsigned which;

	for (k = 0; k < 100; k++) {
		len = (size_t)snprintf(words, sizeof words, "%s", k % 3 ? "@service" : RUN "@io");
		len += (size_t)snprintf(words + len, sizeof words - len, k % 5 ? "" : " sockets:%x", chance());
		len += (size_t)snprintf(words + len, sizeof words - len, k % 7 ? "" : " caps:ff%x", chance());
		len += (size_t)snprintf(words + len, sizeof words - len, k % 11 ? "" : k % 2 ? " default:KILL" : " default:LOG");
		n = 1 + chance() % 40;
		for (i = 0; i < n && len < sizeof words - 200; i++) {
			snprintf(name, sizeof name, "%s", random_name());
			if (strcmp(name, "execve") == 0 || strcmp(name, "exit_group") == 0)
				continue;
			if (chance() % 8 == 0) {
				len += (size_t)snprintf(words + len, sizeof words - len, " %s", some_group());
				len += (size_t)snprintf(words + len, sizeof words - len, "%s", chance() % 4 ? "" : ":EACCES");
				continue;
			}
			len += (size_t)snprintf(words + len, sizeof words - len, " %s%s",
				(const char *const[]){ "", "-", "+" }[chance() % 3], name);
			which = filter_find(name)->value;
			t = filter_twins(which);
			if (chance() % 3 == 0 && !(t && *t & TWIN_DIFFERS) && filter_widths(which).typed) {
				len += (size_t)snprintf(words + len, sizeof words - len, "(");
				len += random_tests(words + len, sizeof words - len);
				len += (size_t)snprintf(words + len, sizeof words - len, ")");
			}
		}
		differ(words);
		if (k % 4 == 0)
			differ_both(words);
		good++;
	}
	ok(good == 100, "%d random policies", good);
}

/* ------------------------------------------------------------ tables, limits */

static void groups(void)
{
	static struct known all[768];
	const struct known *k;
	const uint16_t *t;
	const char *name;
	unsigned apart = 0, lost = 0, untyped = 0, unfound = 0, n = 0;
	struct seccomp_data d;
	int i, end, which;

	compile("@service");
	for (end = 0; end < 768 && (k = filter_name(end)) != NULL; end++)
		all[end] = *k;
	for (i = 0; i < end; i++) {
		name = all[i].text;
		which = all[i].value;
		n += *name >= '_';
		k = filter_find(name);
		if (!k || strcmp(k->text, name) != 0 || k->value != which)
			ok(false, "%s is in the list, and not found", name), unfound++;
		if (*name < '_')
			continue;
		untyped += !filter_widths((unsigned)which).typed && class_of(which) != C_obsolete;
		if (class_of(which) < C_basic)
			ok(false, "%s is in no group", name), lost++;
		for (t = filter_twins((unsigned)which); t; t = *t & TWIN_LAST ? NULL : t + 1)
			if ((filter_policy.answer[*t & TWIN_CALL] == P_ALLOW) != (filter_policy.answer[which] == P_ALLOW))
				ok(false, "@service tells %s from its twin %d", name, *t & TWIN_CALL), apart++;
		d.nr = (int)filter_number((unsigned)which);
		name = filter_call((uint32_t)d.nr);
		if ((uint32_t)d.nr != NONUMBER && (!name || filter_find(name)->value != which))
			ok(false, "%s is not the name of its number", all[i].text), unfound++;
	}
	ok(!unfound && n > 400, "%u names are found", n);
	ok(!lost, "every call is in a group");
	ok(!apart, "@service knows twins");
	ok(!untyped, "the widths of all arguments are known (%u are not)", untyped);
}

static void limits(void)
{
	static char words[16384];
	size_t n = 0;
	unsigned i;
	const char *e;

	compile("@service");
	e = filter_build(prog, 60, &nprog);
	ok(e && !nprog && strstr(e, "4096"), "too long is refused, not cut: %s", e ? e : "no");
	for (i = 0; i < 200; i++)
		n += (size_t)snprintf(words + n, sizeof words - n, "-read(arg0==%u) ", i);
	e = compile(words);
	ok(e && strstr(e, "too many"), "%s", e ? e : "200 tests were taken");
	n = 0;
	for (i = 1; i < 60; i++)
		n += (size_t)snprintf(words + n, sizeof words - n, "ioctl:%s%s", i % 2 ? "EPERM" : "EACCES", " ");
	e = compile(words);
	ok(e && strstr(e, "execve"), "a policy under which nothing starts: %s", e ? e : "taken");
}

/* What init/pid1.c calls after init_filter, and of all other numbers none: test_pid1.py has it from a trace. */
static void first_process(void)
{
	static const char *const can[] = { "rt_sigtimedwait", "waitid", "kill", "write", "pread64", "poll", "close", "madvise", "exit_group" };
	const struct sock_filter *p;
	struct seccomp_data d = { .arch = filter_arch->audit };
	bool plain, good, is;
	unsigned i, nr, steps, allowed = 0, n = (unsigned)filter_pid1(&p);

	good = !bpf_check(p, n);
	for (nr = 0; nr < 0x1000; nr++) {
		d.nr = (int)(nr < 0x800 ? nr : nr < 0xf00 ? nr - 0x800 + 0x40000000 : nr - 0xf00 + 0xf0000);
		for (i = 0, is = false; i < sizeof can / sizeof *can; i++)
			is |= (uint32_t)d.nr == number_of(i == 5 && number_of("poll") == NONUMBER ? "ppoll" : can[i]);
		good &= bpf_run(p, &d, &plain, &steps) == (is ? ACT_ALLOW : ACT_ERRNO | EPERM) && !plain;	/* the kernel does not try it for each number */
		allowed += is;
	}
	d.nr = -1;
	good &= bpf_run(p, &d, &plain, &steps) == (ACT_ERRNO | EPERM);
	d.nr = (int)number_of("write");
	d.arch ^= 1;
	good &= bpf_run(p, &d, &plain, &steps) == ACT_KILL;
	ok(good && allowed == sizeof can / sizeof *can, "the filter of PID 1: %u calls and no other", allowed);
}

static void policies(void)
{
	FILE *f = fopen("test/policies", "r");
	char line[2048], *s;
	int n = 0;

	while (f && fgets(line, sizeof line, f))
		if (*(s = trim(line)) && *s != '#') {
			differ(s);
			differ_both(s);
			n++;
		}
	if (f)
		fclose(f);
	ok(n >= 100, "%d policies", n);
	long_jumps();
	alternating();
	all_tested();
	most_tests();
	at_random();
}

int main(int argc, char **argv)
{
	static const char *const all[] = { "x86_64", "i386", "armv7", "arm64" };
	int i;

	if (argc != 2 || !words_read())
		return 2;
	print = same(argv[1], "print");
	ok(!filter_use("arm") && filter_use(NULL) && same(filter_arch->name, all[NR_NATIVE - 1]), "the machine it is built for");
	arch = all[NR_NATIVE - 1];
	first_process();
	for (i = 0; i < 4 && !same(argv[1], "pid1"); i++) {
		arch = all[i];
		filter_use(arch);
		policies();
		if (print)
			continue;
		table(argv[1]);
		groups();
		limits();
	}
	if (!print)
		printf("# filter: %lu calls compared\n1..%d\n", compared, tests);
	return failed != 0;
}
