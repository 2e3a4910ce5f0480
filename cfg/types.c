/* types.c - text to numbers. Whole words, range-checked, nothing guessed. */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "husk.h"

static char what[320];

static bool separator(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

const char *cfg_wrong(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	vfmt(what, sizeof what, f, &ap);
	va_end(ap);
	return what;
}

/* The usual slip of who comes from other languages has a word of its own. */
const char *cfg_bad(const char *value, const char *type)
{
	const char *hash = strchr(value, '#'), *like = strchr(type, '(');

	if (hash && hash > value && separator(hash[-1]))
		return cfg_wrong("\"%.*s\" is not %.*s: a comment stands on a line of its own", 80, value,
			like ? (int)(like - type) - 1 : 80, type);
	return cfg_wrong("\"%.*s\" is not %s%s", 80, value, strchr(type, '|') ? "one of " : "", type);
}

const char *cfg_not(const char *value)
{
	return cfg_bad(value, key_what(cfg.key));
}

bool cfg_digits(const char *s, uint32_t max, uint32_t *n)
{
	uint64_t v;

	if (number(s, max, &v))
		return false;
	*n = (uint32_t)v;
	return true;
}

bool cfg_octal(const char *s, unsigned max, uint16_t *n)
{
	unsigned v = 0;

	if (!*s || strlen(s) > 5)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '7')
			return false;
		v = v * 8 + (unsigned)(*s - '0');
	}
	*n = (uint16_t)v;
	return v <= max;
}

/* Decimal digits, of which 19 fit for sure; returns where they end, or NULL. */
static const char *digits(const char *s, uint64_t *n)
{
	const char *start = s;

	for (*n = 0; *s >= '0' && *s <= '9'; s++)
		*n = *n * 10 + (unsigned)(*s - '0');
	return s == start || s - start > 19 ? NULL : s;
}

bool cfg_size(const char *s, uint64_t *n)
{
	int unit;

	if (!(s = digits(s, n)) || (unit = cfg_index("|K|M|G|%", s)) < 0)
		return false;
	if (unit == 4) {
		unit = *n >= 1 && *n <= 100;
		*n |= PERCENT;
		return unit;
	}
	for (; unit > 0; unit--, *n <<= 10)
		if (*n >= PERCENT >> 10)
			return false;
	return *n < PERCENT;
}

/* A bare number would be seconds for one and milliseconds for another. */
bool cfg_time(const char *s, uint64_t *ms)
{
	static const uint32_t units[] = { 1, 1000, 60 * 1000, 3600 * 1000, 24 * 3600 * 1000 };
	int unit;

	if (!(s = digits(s, ms)) || *ms > UINT32_MAX)
		return false;
	if ((unit = cfg_index("ms|s|m|h|d", s)) < 0)
		return !*s && !*ms;
	*ms *= units[unit];
	return true;
}

/* One component of p, which stands on a slash: what it means. */
static bool is_dot(const char *p, size_t n)
{
	return n == 0 || (n == 1 && p[0] == '.');
}

bool cfg_clean(char *path)
{
	char *from = path, *to = path, *end;
	size_t n;

	if (*path != '/' || strlen(path) >= PATH_MAX)
		return false;
	while (*from) {
		end = strchrnul(++from, '/');
		n = (size_t)(end - from);
		if (n == 2 && from[0] == '.' && from[1] == '.')
			return false;
		if (!is_dot(from, n)) {
			*to++ = '/';
			memmove(to, from, n);
			to += n;
		}
		from = end;
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
	return true;
}

/* Letters and _, and what is in also; 0 stands for all digits, and what follows
 * a blank may not be first. */
bool cfg_chars(const char *s, size_t n, const char *also)
{
	const char *p;
	size_t i;

	for (i = 0; i < n; i++) {
		if ((unsigned)((s[i] | 32) - 'a') <= 25 || s[i] == '_')
			continue;
		p = strchr(also, s[i] > '0' && s[i] <= '9' ? '0' : s[i]);
		if (!p || *p == ' ' || (!i && p > strchrnul(also, ' ')))
			return false;
	}
	return n > 0;
}

/* Never an option, never .. */
bool cfg_name(const char *s)
{
	size_t n = strlen(s);

	return n <= MAXNAME && cfg_chars(s, n, "0+ .-");
}

const char *cfg_plain(const char *s)
{
	for (; *s; s++)
		if ((uint8_t)*s < ' ' || *s == 0x7f)
			return "a control character in it";
	return NULL;
}

/* \ makes the next character plain. */
int cfg_fields(char *value, char **f, int max)
{
	char *to = value;
	int n = 0;

	f[n++] = value;
	for (; *value; value++) {
		if (*value == ':') {
			*to++ = '\0';
			if (n == max)
				return max + 1;
			f[n++] = to;
			continue;
		}
		if (*value == '\\' && value[1])
			value++;
		*to++ = *value;
	}
	*to = '\0';
	return n;
}

char *cfg_word(char **at)
{
	char *p = *at, *to, *word;

	while (separator(*p))
		p++;
	if (!*p)
		return NULL;
	for (word = to = p; *p && !separator(*p); p++) {
		if (*p == '\\' && p[1])
			p++;
		*to++ = *p;
	}
	*at = *p ? p + 1 : p;
	*to = '\0';
	return word;
}

/* What \c means between quotes; 0: nothing. \n is there because a line cannot
 * hold a line break, and the arguments of a saved box may. */
static char escaped(char c)
{
	return c == '"' || c == '\\' ? c : c == 'n' ? '\n' : '\0';
}

/* tests: of syscalls=, whose words hold blanks in ( ) */
const char *cfg_quoted(char **at, char **word, bool tests)
{
	char *p = *at, *to;
	bool in = false;
	int depth = 0;

	while (*p == ' ' || *p == '\t')
		p++;
	*word = *p ? p : NULL;
	if (*p == '\'')
		return "' groups nothing, \" does";
	for (to = p; *p && (in || depth > 0 || (*p != ' ' && *p != '\t')); p++) {
		if (tests)
			depth += (*p == '(') - (*p == ')');
		if (*p == '"') {
			in = !in;
			continue;
		}
		if (!in || *p != '\\')
			*to++ = *p;
		else if (!(*to++ = escaped(*++p)))
			return "between quotes \\ stands only before \" \\ and n";
	}
	if (in)
		return "a \" is not closed";
	*at = *p ? p + 1 : p;
	*to = '\0';
	return NULL;
}

const char *cfg_nth(const char *list, int i)
{
	static char word[28];

	for (; i > 0; i--, list++)
		if (!*(list = strchrnul(list, '|')))
			return NULL;
	fmt(word, sizeof word, "%.*s", (int)(strchrnul(list, '|') - list), list);
	return word;
}

int cfg_index(const char *list, const char *word)
{
	const char *w;
	int i;

	for (i = 0; (w = cfg_nth(list, i)); i++)
		if (same(w, word))
			return i;
	return -1;
}

/* In the kernel's order; a target that counts otherwise does not build. */
#define SIGNALS(S) S(HUP) S(INT) S(QUIT) S(ILL) S(TRAP) S(ABRT) S(BUS) S(FPE) S(KILL) S(USR1) S(SEGV) \
	S(USR2) S(PIPE) S(ALRM) S(TERM) S(STKFLT) S(CHLD) S(CONT) S(STOP) S(TSTP) S(TTIN) S(TTOU) S(URG) \
	S(XCPU) S(XFSZ) S(VTALRM) S(PROF) S(WINCH) S(IO) S(PWR) S(SYS)
#define RLIMITS(R) R(CPU, cpu) R(FSIZE, fsize) R(DATA, data) R(STACK, stack) R(CORE, core) R(RSS, rss) \
	R(NPROC, nproc) R(NOFILE, nofile) R(MEMLOCK, memlock) R(AS, as) R(LOCKS, locks) \
	R(SIGPENDING, sigpending) R(MSGQUEUE, msgqueue) R(NICE, nice) R(RTPRIO, rtprio) R(RTTIME, rttime)

#define SIGNAL_WORD(s) "|" #s
#define SIGNAL_NTH(s) , NTH_##s
#define SIGNAL_CHECK(s) _Static_assert((int)NTH_##s == SIG##s, #s);
#define RLIMIT_WORD(r, name) "|" #name
#define RLIMIT_NTH(r, name) NTH_##name,
#define RLIMIT_CHECK(r, name) _Static_assert((int)NTH_##name == RLIMIT_##r, #name);

static const char signals[] = SIGNALS(SIGNAL_WORD), rlimits[] = RLIMITS(RLIMIT_WORD);
enum { NTH_0 SIGNALS(SIGNAL_NTH) };
enum { RLIMITS(RLIMIT_NTH) };
SIGNALS(SIGNAL_CHECK)
RLIMITS(RLIMIT_CHECK)

int cfg_signal(const char *s)
{
	uint32_t n;
	int i = cfg_digits(s, 64, &n) ? (int)n : cfg_index(signals, starts(s, "SIG") ? s + 3 : s);

	return i > 0 ? i : -1;
}

const char *cfg_signal_name(int n)
{
	return cfg_nth(signals, n);
}

int cfg_rlimit(const char *s)
{
	return cfg_index(rlimits, s) - 1;
}

const char *cfg_rlimit_name(int n)
{
	return cfg_nth(rlimits, n + 1);
}
