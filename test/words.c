/*
 * words.c - what the words of syscalls= mean, asked directly: nothing of filter/ is
 * used but the names of constants. Calls, groups and twins are read from the texts
 * all.names, all.groups and all.twins, words are read anew for each question, and no
 * step is shared with policy.c or build.c: where both say the same, both are right, or
 * wrong in the same way for two reasons.
 *
 * A call has a list: the newest entry first, one without tests is the last.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "husk.h"

bool words_read(void);
bool words_policy(const char *words, int arch);
uint32_t words_answer(uint32_t nr, const uint64_t *args);

enum { NNAMES = 640, NNODES = 8192, NCLASS = 64 };

static struct name {
	char text[40], widths[8];
	long nr[4];
	int id, class;
	char key[40];
	bool differs;
} names[NNAMES];
static int nnames;

static struct { char text[32]; bool group, head; int first, last; } classes[2 * NCLASS];
static int nclasses, nentries;

struct node { const char *tests; uint32_t act; bool deny; int next; };
static struct node nodes[NNODES];
static int nnodes;
static struct { int node; bool named; } calls[NNAMES];		/* by id */
static char text[65536];
static size_t used;
static int arch;
static bool service, said;
static char family[512];		/* a test; "": none at all, "*": all */
static uint32_t fallback;

/* ------------------------------------------------------------------ the texts */

static int find(const char *name)
{
	int i;

	for (i = 0; i < nnames; i++)
		if (strcmp(names[i].text, name) == 0)
			return i;
	return -1;
}

static bool read_names(void)
{
	FILE *f = fopen("filter/all.names", "r");
	char n[4][16];
	struct name *p;
	int i, j, a;

	if (!f)
		return false;
	for (p = names; nnames < NNAMES && fscanf(f, "%39s %7s %15s %15s %15s %15s", p->text, p->widths, n[0], n[1], n[2], n[3]) == 6; p++, nnames++) {
		p->id = nnames;
		for (a = 0; a < 4; a++)
			p->nr[a] = n[a][0] == '-' ? -1 : atol(n[a]);
	}
	fclose(f);
	for (i = 0; i < nnames; i++)		/* two names of one number are one call */
		for (j = 0; j < i; j++)
			for (a = 0; a < 4; a++)
				if (names[i].nr[a] >= 0 && names[i].nr[a] == names[j].nr[a] && *names[i].widths != 'x' && *names[j].widths != 'x')
					names[i].id = names[j].id;
	return nnames > 300;
}

static void cut(char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	if (n > m && strcmp(s + n - m, end) == 0)
		s[n - m] = '\0';
}

static bool read_twins(void)
{
	FILE *f = fopen("filter/all.twins", "r");
	char line[512], *w, *first;
	struct name *p;

	if (!f)
		return false;
	for (p = names; p < names + nnames; p++) {
		size_t before;

		strcpy(p->key, p->text);
		before = strlen(p->key);
		cut(p->key, "_time64");
		if (strlen(p->key) == before) {
			cut(p->key, "64");
			if (strlen(p->key) == before)
				cut(p->key, "32");
		}
	}
	while (fgets(line, sizeof line, f)) {
		if ((*line != '!' && *line != '=') || !(first = strtok(line + 1, " \n")))
			continue;
		for (w = first; w; w = strtok(NULL, " \n"))
			for (p = names; p < names + nnames; p++)
				if (strcmp(p->text, w) == 0 || strcmp(p->key, w) == 0) {
					strcpy(p->key, first);
					p->differs = *line == '!';
				}
	}
	fclose(f);
	return true;
}

static bool read_groups(void)
{
	FILE *f = fopen("filter/all.groups", "r");
	char line[1024], *w;
	int i, a = 0, b = 0, head = -1;

	if (!f)
		return false;
	while (fgets(line, sizeof line, f)) {
		if (*line == '#' || *line == '\n')
			continue;
		w = strtok(line, " \t\n");
		if (line[0] == '@' || line[0] == '.' || line[0] == '=') {
			char *rest = strtok(NULL, " \t\n");

			snprintf(classes[nentries].text, sizeof classes->text, "%s", w + 1);
			if (rest && strcmp(rest, "=") == 0) {
				char *from = strtok(NULL, " \t\n"), *to = strtok(NULL, " \t\n");

				for (i = 0; i < nentries; i++) {
					if (strcmp(classes[i].text, from) == 0)
						a = classes[i].first;
					if (strcmp(classes[i].text, to) == 0)
						b = classes[i].last;
				}
				classes[nentries].first = a;
				classes[nentries].last = b;
			} else {
				classes[nentries].first = classes[nentries].last = ++nclasses;
				if (*line == '.')
					classes[head].last = nclasses;
				else
					head = nentries;
			}
			classes[nentries++].group = *line == '@';
			continue;
		}
		for (; w; w = strtok(NULL, " \t\n"))
			if ((i = find(w)) >= 0)
				names[i].class = nclasses;
	}
	fclose(f);
	return nclasses > 20;
}

bool words_read(void)
{
	return nnames || (read_names() && read_twins() && read_groups());
}

/* ------------------------------------------------------------------ the tests */

static const char *blank(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static const char *term(const char *p, uint64_t *v)
{
	bool not = false, minus = false;
	char token[64];
	size_t n;

	for (p = blank(p); *p == '~'; p = blank(p + 1))
		not = !not;
	if (*p == '-') {
		minus = true;
		p = blank(p + 1);
	}
	n = strcspn(p, " \t+|,)&=!<>~");
	snprintf(token, sizeof token, "%.*s", (int)n, p);
	if (!(*token >= '0' && *token <= '9'))
		(void)filter_constant(token, v);
	else
		*v = strtoull(token, NULL, 0);
	*v = minus ? -*v : *v;
	*v = not ? ~*v : *v;
	return blank(p + n);
}

static const char *value(const char *p, uint64_t full, uint64_t *v)
{
	uint64_t more;

	p = term(p, v);
	while (*p == '+') {
		p = term(p + 1, &more);
		*v |= more;
	}
	*v &= full;
	return p;
}

static uint64_t width(char letter)
{
	bool narrow = arch == 1 || arch == 2;

	switch (letter) {
	case 'h': return 0xffff;
	case 'w': return 0xffffffff;
	case 'u': return narrow ? 0xffff : 0xffffffff;
	}
	return narrow ? 0xffffffff : ~(uint64_t)0;
}

static bool compare(const char *op, uint64_t arg, uint64_t mask, uint64_t k, bool deny)
{
	bool equal = strcmp(op, "==") == 0, unequal = strcmp(op, "!=") == 0;

	/* many arguments lose their high word later: the stronger reading */
	if (((equal && deny) || (unequal && !deny)) && k <= 0xffffffff)
		mask &= 0xffffffff;
	arg &= mask;
	return equal ? arg == k : unequal ? arg != k : strcmp(op, "<") == 0 ? arg < k : strcmp(op, "<=") == 0 ? arg <= k :
		strcmp(op, ">") == 0 ? arg > k : arg >= k;
}

static bool holds(const char *p, const char *widths, bool deny, const uint64_t *args)
{
	uint64_t mask, v, full;
	bool any, all, one;
	char op[3], letter;
	int n;

	do {
		p = blank(p);
		n = p[3] - '0';
		letter = (size_t)n < strlen(widths) ? widths[n] : '.';
		mask = full = width(letter == '-' ? '.' : letter);
		for (p = blank(p + 4); *p == '&'; p = blank(p)) {
			p = value(p + 1, full, &v);
			mask &= v;
		}
		op[0] = *p++;
		op[1] = *p == '=' ? *p++ : '\0';
		op[2] = '\0';
		any = false;
		all = true;
		for (;; p++) {
			p = value(p, full, &v);
			one = compare(op, args[n], mask, v, deny);
			any |= one;
			all &= one;
			if (*p != '|')
				break;
		}
		if (!(strcmp(op, "!=") == 0 ? all : any))
			return false;
	} while (*p++ == ',');
	return true;
}

/* ------------------------------------------------------------------ the words */

static const char *keep(const char *s, size_t n)
{
	char *to = text + used;

	snprintf(to, sizeof text - used, "%.*s)", (int)n, s);
	used += n + 2;
	return to;
}

static int node(const char *tests, uint32_t act, bool deny, int next)
{
	nodes[nnodes] = (struct node){ tests, act, deny, next };
	return nnodes++;
}

static bool lets(uint32_t act)
{
	return act == ACT_ALLOW || act == ACT_LOG;
}

static bool passes(int id)
{
	const struct node *n = &nodes[calls[id].node];

	return !n->tests && lets(n->act);
}

static uint32_t refusal(int id)
{
	return id == names[find("clone3")].id || id == names[find("io_uring_setup")].id ? ACT_ERRNO | ENOSYS : fallback;
}

static void also(int id, const char *tests)
{
	if (!passes(id))
		calls[id].node = node(tests, ACT_ALLOW, false, calls[id].node);
}

struct one { char sign, name[40]; const char *tests; bool exact, acted; uint32_t act; };

static void call(const struct one *w, int id)
{
	uint32_t act = w->sign == '-' ? refusal(id) : w->act;
	bool was = calls[id].named;

	calls[id].named = true;
	if (!w->tests) {
		calls[id].node = node(NULL, act, false, 0);
		return;
	}
	if (w->sign == '+' && !w->acted && passes(id))
		return;
	if (!w->sign && !w->acted && (!was || passes(id)))
		calls[id].node = node(NULL, refusal(id), false, 0);
	calls[id].node = node(w->tests, act, !lets(act), calls[id].node);
}

static bool by_name(const struct one *w)
{
	int i, n = find(w->name), j;
	bool done[NNAMES] = { false };

	if (n < 0)
		return false;
	for (i = 0; i < nnames; i++) {
		if (*names[i].widths == 'x' || (w->exact ? i != n : strcmp(names[i].key, names[n].key) != 0) || done[names[i].id])
			continue;
		for (j = 0; j < nnames && w->tests; j++)		/* has this machine that call, under any name? */
			if (names[j].id == names[i].id && names[j].nr[arch] >= 0)
				break;
		done[names[i].id] = true;
		if (!w->tests || j < nnames)
			call(w, names[i].id);
	}
	return true;
}

static bool one_word(const char *s, bool first);

static void limit(const char *name, const char *tests)
{
	also(names[find(name)].id, tests);
}

static int group_of(const char *name)
{
	int i;

	for (i = 0; i < nentries; i++)
		if (strcmp(classes[i].text, name) == 0)
			return i;
	return -1;
}

static bool within(int g, const char *name)
{
	int c = classes[group_of(name)].first;

	return c >= classes[g].first && c <= classes[g].last;
}

static void paint(int g, uint32_t act, bool refuse, bool names_it, bool keep_named)
{
	int i, clone = names[find("clone")].id;

	for (i = 0; i < nnames; i++) {
		int id = names[i].id;

		if (names[i].class < classes[g].first || names[i].class > classes[g].last || *names[i].widths == 'x' ||
		    (keep_named && calls[id].named) || (names_it && id == clone))
			continue;
		calls[id].node = node(NULL, refuse ? refusal(id) : act, false, 0);
		calls[id].named |= names_it;
	}
}

static const char wx[] = "mprotect(arg2&4!=0) pkey_mprotect(arg2&4!=0) shmat(arg2&0100000!=0) ipc(arg0&0xffff==21) "
	"memfd_create:ENOSYS memfd_secret:ENOSYS personality(arg0!=0xffffffff,arg0&0x400000!=0)";
static const char wx_never[] = "userfaultfd ptrace(arg0==4|5)";
static const char suid[] = "chmod(arg1&06000!=0) fchmod(arg1&06000!=0) fchmodat(arg2&06000!=0) mkdir(arg1&06000!=0) mkdirat(arg2&06000!=0) "
	"mknod(arg1&06000!=0) mknodat(arg2&06000!=0) creat(arg1&06000!=0) open(arg1&0x400040!=0,arg2&06000!=0) "
	"openat(arg2&0x400040!=0,arg3&06000!=0) openat2:ENOSYS";
static const char suid_never[] = "io_uring_setup:ENOSYS";
static const char realtime[] = "sched_setscheduler(arg1&0xbfffffff!=0|3|5) sched_setattr:ENOSYS";

/* A set's words with the sign or action of the group. */
static void set(const struct one *of, const char *list)
{
	char one[160], *colon;
	size_t n;

	for (; *list; list += n + (list[n] == ' ')) {
		n = strcspn(list, " ");
		snprintf(one + 1, sizeof one - 41, "%.*s", (int)n, list);
		*one = of->acted ? '=' : of->sign == '-' ? '-' : '+';
		colon = strchr(one, ':');
		if (colon && *one == '-')
			*one = ' ';
		else if (colon)
			*colon = '\0';
		if (*one == '=')
			sprintf(one + strlen(one), ":%#x", of->act);
		one_word(*one == '=' || *one == ' ' ? one + 1 : one, false);
	}
}

static void sets(const struct one *w, int g)
{
	bool narrow = arch == 1 || arch == 2, adds = w->sign != '-' && !w->acted;
	bool refuses = w->sign == '-' || (w->act != ACT_ALLOW && w->act != ACT_LOG);

	if (within(g, "namespace") && !adds)
		set(w, "clone(arg0&0x7e020000!=0)");
	if (within(g, "wx")) {
		set(w, narrow ? "=mmap2(arg2&2!=0,arg2&4!=0) =mmap2(arg2&4!=0,arg3&32!=0) =mmap" :
			"=mmap(arg2&2!=0,arg2&4!=0) =mmap(arg2&4!=0,arg3&32!=0)");
		set(w, wx);
		if (refuses)
			set(w, wx_never);
	}
	if (within(g, "suid"))
		set(w, suid);
	if (within(g, "suid") && refuses)
		set(w, suid_never);
	if (within(g, "realtime"))
		set(w, realtime);
}

static bool by_group(const struct one *w)
{
	static const char *const right[][3] = {
		{ "clone", "process", "arg0&0x7e020000==0)" }, { "ioctl", "io", "arg1!=0x5412|0x541c)" },
		{ "mknod", "file", "arg1&0130000!=020000)" }, { "mknodat", "file", "arg2&0130000!=020000)" },
		{ "personality", "process", "arg0==0|0xffffffff)" }, { "socket", "net", "arg0==1|2|10|16,arg1&15!=10)" }, { "socketpair", "net", "arg0==1|2|10|16,arg1&15!=10)" },
	};
	int g = group_of(w->name + 1);
	bool adds = w->sign != '-' && !w->acted;
	size_t i;

	if (g < 0 || !classes[g].group || w->tests)
		return false;
	service |= adds && strcmp(w->name, "@service") == 0;
	for (i = 0; i < sizeof right / sizeof *right; i++) {
		int id = names[find(right[i][0])].id;

		if (!within(g, right[i][1]))
			continue;
		if (!adds)
			call(w, id);
		else if (!said || strncmp(right[i][0], "socket", 6) != 0)
			limit(right[i][0], right[i][2]);
		else if (*family == '*' && !passes(id))
			calls[id].node = node(NULL, ACT_ALLOW, false, 0);
		else if (*family && *family != '*')
			also(id, family);
	}
	paint(g, w->act, w->sign == '-', !adds, false);
	sets(w, g);
	return true;
}

/* What a word has opened as a whole is for the families of sockets=. */
static void narrow(const char *name, bool was)
{
	int id = names[find(name)].id;
	const struct node *n = &nodes[calls[id].node];

	if (!said || was || n->tests || n->act != ACT_ALLOW || *family == '*')
		return;
	calls[id].node = node(NULL, refusal(id), false, 0);
	if (*family)
		calls[id].node = node(family, ACT_ALLOW, false, calls[id].node);
}

static bool whole(const char *name)
{
	const struct node *n = &nodes[calls[names[find(name)].id].node];

	return !n->tests && n->act == ACT_ALLOW;
}

static uint32_t action(const char *s)
{
	uint64_t v = 0;

	if (*s == '0')
		return (uint32_t)strtoul(s, NULL, 0);
	if (strcmp(s, "ALLOW") == 0) return ACT_ALLOW;
	if (strcmp(s, "KILL") == 0) return ACT_KILL;
	if (strcmp(s, "LOG") == 0) return ACT_LOG;
	if (strcmp(s, "TRAP") == 0) return ACT_TRAP;
	(void)filter_constant(s, &v);
	return ACT_ERRNO | (uint32_t)v;
}

static bool one_word(const char *s, bool first)
{
	struct one w = { .act = ACT_ALLOW };
	bool socket = whole("socket"), pair = whole("socketpair"), good;
	const char *end;
	size_t n;

	if (first && (*s == '+' || *s == '-'))
		one_word("@service", false);
	if (*s == '+' || *s == '-')
		w.sign = *s++;
	if (*s == '=') {
		w.exact = true;
		s++;
	}
	n = strcspn(s, "(:");
	snprintf(w.name, sizeof w.name, "%.*s", (int)n, s);
	s += n;
	if (*s == '(') {
		if (!(end = strchr(s, ')')))
			return false;
		w.tests = keep(s + 1, (size_t)(end - s - 1));
		s = end + 1;
	}
	if (*s == ':') {
		w.acted = true;
		w.act = action(s + 1);
	}
	good = *w.name == '@' ? by_group(&w) : by_name(&w);
	if (!w.acted) {
		narrow("socket", socket);
		narrow("socketpair", pair);
	}
	return good;
}

static void capabilities(uint64_t caps)
{
	static const struct { int cap; const char *from, *to; } opens[] = {
		{ 21, "mounts", "log" }, { 2, "handle", "handle" }, { 22, "reboot", "reboot" }, { 18, "chroot", "chroot" },
		{ 16, "module", "module" }, { 20, "account", "account" }, { 19, "trace", "trace" }, { 17, "ports", "ports" },
		{ 25, "clock", "clock" }, { 26, "hangup", "hangup" }, { 23, "numa", "numa" }, { 34, "log", "log" },
		{ 27, "nodes", "nodes" }, { 39, "bpf", "bpf" }, { 38, "perf", "perf" },
	};
	size_t i;
	int c;

	for (i = 0; service && i < sizeof opens / sizeof *opens; i++)
		if (caps >> opens[i].cap & 1)
			for (c = 0; c < nnames; c++)
				if (names[c].class >= classes[group_of(opens[i].from)].first &&
				    names[c].class <= classes[group_of(opens[i].to)].first && !calls[names[c].id].named)
					calls[names[c].id].node = node(NULL, ACT_ALLOW, false, 0);
}

/* sockets= as a test of the first argument */
static void families(uint64_t set)
{
	bool all = set >> 63;
	size_t n = 0;
	int i;

	said = true;
	strcpy(family, all ? "*" : "");
	for (i = 1; i < 63; i++)
		if ((set >> i & 1) != all)
			n += (size_t)sprintf(family + n, "%s%d", n ? "|" : all ? "arg0!=" : "arg0==", i);
	if (n)
		strcpy(family + n, (set & 1 << 2) && !(set & 1 << 17) ? ",arg1&15!=10)" : ")");
}

/* false: it does not understand it */
bool words_policy(const char *words, int which)
{
	const char *w = words, *d;
	bool first = true, good = true;
	uint64_t caps = 0;
	char word[600];
	int depth, i;

	arch = which;
	nnodes = 0;
	used = 0;
	service = said = false;
	fallback = ACT_ERRNO | EPERM;
	if ((d = strstr(words, "default:")))
		fallback = d[8] == 'K' ? ACT_KILL : ACT_LOG;
	if ((d = strstr(words, "sockets:")))
		families(strtoull(d + 8, NULL, 16));
	for (i = 0; i < nnames; i++) {
		calls[i].named = false;
		calls[i].node = node(NULL, refusal(i), false, 0);
	}
	for (; *w && good; w = *d ? d + 1 : d) {
		for (depth = 0, d = w; *d && (depth || *d != ' '); d++)
			depth += (*d == '(') - (*d == ')');
		snprintf(word, sizeof word, "%.*s", (int)(d - w), w);
		if (strncmp(word, "caps:", 5) == 0)
			caps = strtoull(word + 5, NULL, 16);
		else if (*word && strncmp(word, "default:", 8) != 0 && strncmp(word, "sockets:", 8) != 0) {
			good = one_word(word, first) && nnodes < NNODES - 2 * NNAMES && used < sizeof text - 2048;
			first = false;
		}
	}
	capabilities(caps);
	return good;
}

/* ------------------------------------------------------------------ the answer */

static int behind(long nr)
{
	int i, old = -1;

	for (i = 0; i < nnames; i++)
		if (names[i].nr[arch] == nr) {
			if (*names[i].widths != 'x')
				return i;
			old = i;
		}
	return old < 0 ? -1 : -2;
}

uint32_t words_answer(uint32_t nr, const uint64_t *args)
{
	static int table[4][1024], built[4];
	const struct node *n;
	int i, c;
	long k;

	if (!built[arch])
		for (built[arch] = 1, i = 0; i < 1024; i++)
			table[arch][i] = behind(i);
	if (arch == 0 && nr >= 0x40000000 && nr != 0xffffffff)
		return ACT_KILL;
	k = (long)nr;
	c = nr < 1024 ? table[arch][nr] : (nr >> 16) == 0xf ? behind(k) : -1;
	while (c == -2)			/* a call that is no more answers as the number before */
		c = --k < 0 ? -1 : k < 1024 ? table[arch][k] : behind(k);
	if (c < 0)
		return ACT_ERRNO | ENOSYS;
	for (n = &nodes[calls[names[c].id].node]; n->tests; n = &nodes[n->next])
		if (holds(n->tests, names[names[c].id].widths, n->deny, args))
			break;
	return n->act;
}
