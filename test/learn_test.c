/*
 * learn_test.c - the line that husk learn prints, for what real programs did.
 *
 *	learn_test		reads test/learn.tbl
 *
 * unit: filter/learn.c filter/nr.c filter/groups.c filter/args.c filter/policy.c filter/build.c cfg/near.c test/bpf.c
 *
 * Of each set of calls, on each architecture: the line lets all of it through with
 * the arguments that were seen; it allows no more than twice as many numbers; no
 * group more or less would make it shorter; and the order of the calls is nothing.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"
#include "stubs.c"

const char *bpf_check(const struct sock_filter *, unsigned);
uint32_t bpf_run(const struct sock_filter *, const struct seccomp_data *, bool *, unsigned *);

enum { MAXSET = 200 };
static struct seccomp_data set[MAXSET];
static int nset, tests, failed;
static struct sock_filter prog[MAXBPF];
static uint16_t nprog;
static char said[8192], line[4096];
static struct box box;

void (say)(int fd, const char *f, ...)
{
	va_list ap;
	int n;

	va_start(ap, f);
	n = vsnprintf(said, sizeof said, f, ap);
	va_end(ap);
	if (write(fd, said, (size_t)n) != n)
		exit(1);
}

uint32_t filter_run(const struct sock_filter *f, const struct seccomp_data *d, unsigned *seen)
{
	bool plain;

	return bpf_run(f, d, &plain, seen);
}

static bool ok(bool good, const char *f, ...) __attribute__((format(printf, 2, 3)));
static bool ok(bool good, const char *f, ...)
{
	va_list ap;

	printf("%sok %d - learn %s: ", good ? "" : "not ", ++tests, filter_arch->name);
	va_start(ap, f);
	vprintf(f, ap);
	va_end(ap);
	putchar('\n');
	failed += !good;
	return good;
}

/* --------------------------------------------------------------- what is done */

static uint32_t number_of(const char *name)
{
	const struct known *k = filter_find(name);

	return k ? filter_number(k->value) : NONUMBER;
}

/* NAME or NAME(ARG,...): of the architecture, or it is left out. */
static void add(char *word)
{
	struct seccomp_data *d = &set[nset];
	char *args = strchr(word, '(');
	int i;

	if (args)
		*args++ = '\0';
	memset(d, 0, sizeof *d);
	d->arch = filter_arch->audit;
	d->nr = (int)number_of(word);
	for (i = 0; args && i < 6 && *args; i++) {
		d->args[i] = strtoull(args, &args, 0);
		if (filter_arch->bits == 32)
			d->args[i] &= 0xffffffff;
		args += *args == ',' || *args == ')';
	}
	nset += (uint32_t)d->nr != NONUMBER;
}

/* The lines of husk learn; *seen, *allowed: what its comment says. */
static void learn(int first, int step, unsigned *seen, unsigned *allowed)
{
	FILE *f = tmpfile();
	int i, j;

	filter_learn(&box, false);
	for (i = 0, j = first; i < nset; i++, j = (j + step) % nset)
		(void)filter_seen(&set[j]);
	*line = '\0';
	*seen = *allowed = 0;
	if (!f || filter_learned(fileno(f)) != 0)
		return;
	rewind(f);
	if (fscanf(f, "# %u calls seen, %u allowed\nsyscalls=%4095[^\n]", seen, allowed, line) != 3)
		*line = '\0';
	fclose(f);
}

/* ------------------------------------------------------------ what it comes to */

static const char *compile(const char *words)
{
	static char buf[4096];
	const char *e = NULL;
	char *w, *at;

	snprintf(buf, sizeof buf, "%s", words);
	filter_begin(ACT_KILL);
	for (w = strtok_r(buf, " ", &at); w && !e; w = strtok_r(NULL, " ", &at))
		e = filter_word(w);
	return e ? e : filter_build(prog, MAXBPF, &nprog);
}

/* Allowed is what the compiled filter answers with ALLOW to any arguments worth trying. */
static bool is_allowed(uint32_t nr)
{
	static const uint64_t tries[] = { 0, 1, 2, 0x1000 };
	struct seccomp_data d = { .nr = (int)nr, .arch = filter_arch->audit };
	unsigned steps;
	size_t i, a;
	bool plain;

	for (i = 0; i < sizeof tries / sizeof *tries; i++) {
		for (a = 0; a < 6; a++)
			d.args[a] = tries[i];
		if (bpf_run(prog, &d, &plain, &steps) == ACT_ALLOW)
			return true;
	}
	return false;
}

static unsigned numbers(void)
{
	unsigned n = 0;
	uint32_t nr;

	for (nr = 0; nr < 600; nr++)
		n += is_allowed(nr);
	for (nr = 0; nr < filter_arch->nprivate; nr++)
		n += is_allowed(filter_arch->private + nr);
	return n;
}

/* what learning itself lets nobody do */
static bool is_out(const struct seccomp_data *d)
{
	return (uint32_t)d->nr == number_of("clone3") || (uint32_t)d->nr == number_of("io_uring_setup");
}

static unsigned distinct(void)
{
	unsigned n = 0;
	int i, j;

	for (i = 0; i < nset; i++) {
		for (j = 0; j < i && set[j].nr != set[i].nr; j++)
			;
		n += j == i && !is_out(&set[i]);
	}
	return n;
}

static bool was_seen(const char *name)
{
	int i;

	for (i = 0; i < nset && (uint32_t)set[i].nr != number_of(name); i++)
		;
	return i < nset;
}

/* NULL: all that was seen is allowed, and what goes with it */
static const char *lacks(void)
{
	static const char with[][16] = { "clock_gettime", "exit_group", "restart_syscall", "rt_sigreturn" };
	bool handlers = was_seen("rt_sigaction") || was_seen("sigaction"), plain;
	unsigned steps;
	size_t i;

	for (i = 0; i < 3 + (size_t)handlers; i++)
		if (!is_allowed(number_of(with[i])))
			return with[i];
	for (i = 0; i < (size_t)nset; i++)
		if (!is_out(&set[i]) && bpf_run(prog, &set[i], &plain, &steps) != ACT_ALLOW)
			return filter_call((uint32_t)set[i].nr);
	return NULL;
}

/* Takes a word out of the text; returns what stood there before it. */
static char *without(const char *text, size_t at, size_t n)
{
	static char buf[4096];

	snprintf(buf, sizeof buf, "%.*s%s", (int)at, text, text + at + n);
	return buf;
}

/* A word that says more than that a call is allowed stays. */
static bool plain_word(const char *w)
{
	static const char also[][8] = { "clone(", "ioctl(", "mknod", "persona", "socket" };
	size_t i;

	for (i = 0; i < sizeof also / sizeof *also; i++)
		if (strncmp(w, also[i], strlen(also[i])) == 0)
			return true;
	return *w >= 'a' && strcspn(w, "(") >= strcspn(w, " ");
}

static char try[4096];

/* The line with one group more, and without the names that it makes needless, if
 * that may be: longer than what is printed, or the same. */
static bool longer_with(const char *group, unsigned n)
{
	size_t at, len;

	snprintf(try, sizeof try, "%s %s", group, line);
	for (at = strlen(group) + 1; try[at]; at += try[at] == ' ') {
		len = strcspn(try + at, " ");
		if (plain_word(try + at) && !compile(without(try, at, len + (try[at + len] == ' '))) && !lacks())
			snprintf(try, sizeof try, "%s", without(try, at, len + (try[at + len] == ' ')));
		else
			at += len;
	}
	return strlen(try) >= strlen(line) || compile(try) || numbers() > 2 * n;
}

/* The same with one group less. */
static bool longer_without(const char *group)
{
	const char *at = strstr(line, group), *lack;
	size_t len = strlen(group), was = 0;

	if (!at || (at[len] && at[len] != ' '))
		return true;
	snprintf(try, sizeof try, "%s%s", without(line, (size_t)(at - line), len + (at[len] == ' ')),
		 strcmp(group, "@basic") ? "" : " execve exit_group");
	while (!compile(try) && (lack = lacks()) && strlen(try) < strlen(line) && strlen(try) != was) {
		was = strlen(try);
		snprintf(try + was, sizeof try - was, " %s", lack);
	}
	return strlen(try) >= strlen(line) || strchr(try, '-');
}

static void shortest(const char *name, unsigned n)
{
	static const char groups[][9] = { "@basic", "@signal", "@thread", "@io", "@file", "@net", "@process", "@ids", "@time", "@ipc", "@sandbox", "@service" };
	size_t i;

	for (i = 0; i < sizeof groups / sizeof *groups; i++)
		if (!longer_with(groups[i], n) || !longer_without(groups[i])) {
			ok(false, "%s: with %s or without, it is shorter: %s", name, groups[i], try);
			return;
		}
	ok(true, "%s: no group more or less makes it shorter", name);
}

/* ------------------------------------------------------------------- the table */

/* What a word of the line says to this value of all arguments */
static bool lets(uint32_t nr, uint64_t value)
{
	struct seccomp_data d = { .nr = (int)nr, .arch = filter_arch->audit };
	unsigned steps, i;
	bool plain;

	for (i = 0; i < 6; i++)
		d.args[i] = value;
	return bpf_run(prog, &d, &plain, &steps) == ACT_ALLOW;
}

/* The tests that learn.c knows are those of the groups: of a call that a group allows
 * by tests the line of a tame program says the same as the group. */
static void as_groups(void)
{
	static const uint64_t some[] = { 0, 0x5412, 0x541c, 0x5413, 0x2180, 0x6180, 0x11a4, 0x1000, 0xffffffff, 0x7e020000, 0x1200011 };
	static bool by_line[16][64 + sizeof some / sizeof *some];
	const struct right *r;
	uint64_t v;
	size_t i;
	int pass;

	for (pass = 0; pass < 2; pass++) {
		if (compile(pass ? "@service" : line))
			return;
		for (r = filter_rights; r->class; r++)
			for (i = 0; i < sizeof by_line[0] && filter_number(r->call) != NONUMBER && r->class != filter_find("@net")->value >> 6; i++) {
				v = i < 64 ? (uint64_t)1 << i : some[i - 64];
				if (!pass)
					by_line[r - filter_rights][i] = lets(filter_number(r->call), v);
				else if (by_line[r - filter_rights][i] != lets(filter_number(r->call), v)) {
					ok(false, "%s(%#llx) is not what its group says", filter_call(filter_number(r->call)), (unsigned long long)v);
					return;
				}
			}
	}
	ok(true, "tests are those of the groups");
}

static void one(const char *name, const char *words)
{
	static char buf[4096], other[4096];
	unsigned seen, allowed, n, steps;
	const char *e;
	char *w, *at;

	nset = 0;
	snprintf(buf, sizeof buf, "%s", words);
	for (w = strtok_r(buf, " \t\n", &at); w; w = strtok_r(NULL, " \t\n", &at))
		add(w);
	learn(0, 1, &seen, &allowed);
	if (!ok(*line, "%s: %s", name, line))
		return;
	e = compile(line);
	if (!ok(!e, "%s: the line compiles%s%s", name, e ? ": " : "", e ? e : ""))
		return;
	e = lacks();
	ok(!e, "%s: all that was seen is allowed%s%s", name, e ? ", but " : "", e ? e : "");
	if (strcmp(name, "tame") == 0)
		as_groups();
	(void)compile(line);
	n = distinct();
	ok(seen == n && numbers() == allowed, "%s: %u calls seen, %u allowed; %u and %u", name, seen, allowed, n, numbers());
	ok(allowed <= 2 * n, "%s: no more than twice as many", name);
	if (filter_arch->audit == AUDIT_ARCH_X86_64 || filter_arch->audit == AUDIT_ARCH_ARM)
		shortest(name, n);		/* one with few twins, one with many */
	steps = nset % 89 ? 89 : 97;	/* primes: each call once */
	snprintf(other, sizeof other, "%s", line);
	learn(nset / 2, (int)steps, &seen, &allowed);
	ok(strcmp(line, other) == 0, "%s: in another order it is the same line%s%s", name, strcmp(line, other) ? ": " : "", strcmp(line, other) ? line : "");
}

static void table(void)
{
	static char text[16384], words[8192];
	FILE *f = fopen("test/learn.tbl", "r");
	char buf[512], *colon;

	*text = *words = '\0';
	while (f && fgets(buf, sizeof buf, f)) {
		colon = strstr(buf, ": ");
		if (*buf == '#' || *buf == '\n')
			continue;
		if (*buf != '\t' && colon) {
			if (*words)
				one(text, words);
			*colon = '\0';
			snprintf(text, sizeof text, "%s", buf);
			snprintf(words, sizeof words, "%s", colon + 2);
		} else {
			strncat(words, buf, sizeof words - strlen(words) - 1);
		}
	}
	one(text, words);
	if (f)
		fclose(f);
}

int main(void)
{
	static const char archs[][8] = { "x86_64", "i386", "armv7", "arm64" };
	unsigned i;

	for (i = 0; i < 4; i++) {
		(void)filter_use(archs[i]);
		table();
	}
	printf("1..%d\n", tests);
	return failed != 0;
}
