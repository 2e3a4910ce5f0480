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

const char *(cfg_wrong)(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	vfmt(what, sizeof what, f, &ap);
	va_end(ap);
	return what;
}

/* The usual slip of who comes from other languages has a word of its own. */
const char *cfg_bad(const char *value, const char *type, const char *hint)
{
	const char *hash = strchr(value, '#'), *like = strchrnul(type, '(');

	if (hash && hash > value && separator(hash[-1]))
		return cfg_wrong("\"%.*s\" is not %.*s: a comment stands on a line of its own", 80, value,
			(int)(*like ? like - type - 1 : like - type), type);
	return cfg_wrong("\"%.*s\" is not %s%s%s", 80, value, strchr(type, '|') ? "one of " : "", type, hint);
}

const char *cfg_lacks(int part)
{
	return cfg_wrong("not in this program: made without %s", part_name(part));
}

const char *cfg_not(void)
{
	return cfg_bad(cfg.value, key_what(cfg.key), "");
}

const char *cfg_unlike(const char *value, const char *(*name)(int))
{
	return cfg_bad(value, key_what(cfg.key), near_of(value, name));
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
	const char *p;
	unsigned v = 0;

	for (p = s; (unsigned)(*p - '0') < 8 && v <= max; p++)
		v = v * 8 + (unsigned)(*p - '0');
	*n = (uint16_t)v;
	return p > s && !*p && v <= max;
}

/* A number and one of units behind it: its place among them, or -1. 19 digits
 * fit for sure. */
static int quantity(const char *s, const char *units, uint64_t *n)
{
	const char *end = decimal(s, n);

	return end == s || end - s > 19 ? -1 : cfg_index(units, end);
}

bool cfg_size(const char *s, uint64_t *n)
{
	int unit = quantity(s, "|K|M|G|%", n);

	if (unit == 4) {
		*n |= PERCENT;
		return *n > PERCENT && *n <= (PERCENT | 100);
	}
	for (; unit > 0 && *n < PERCENT >> 10; unit--)
		*n <<= 10;
	return unit == 0 && *n < PERCENT;
}

/* A bare number would be seconds for one and milliseconds for another. */
bool cfg_time(const char *s, uint32_t per_second, uint32_t max, uint32_t *out)
{
	static const uint32_t seconds[] = { 0, 0, 1, 60, 3600, 24 * 3600 };
	uint64_t n;
	int unit = quantity(s, "|ms|s|m|h|d", &n);
	uint32_t times = unit < 0 ? 0 : unit == 1 ? per_second / 1000 : seconds[unit] * per_second;

	if (unit < 0 || n > UINT32_MAX || (n && !times) || n * times > max)
		return false;
	*out = (uint32_t)n * times;
	return true;
}

/* // and /./ go; false: not absolute, or .. is in it */
bool cfg_clean(char *path)
{
	char *from = path, *to = path, *end;
	bool up = *path != '/';
	size_t n;

	while (*from == '/') {
		end = strchrnul(++from, '/');
		n = (size_t)(end - from);
		up |= n == 2 && from[0] == '.' && from[1] == '.';
		if (n > 1 || (n && *from != '.')) {
			*to++ = '/';
			memmove(to, from, n);
			to += n;
		}
		from = end;
	}
	if (*path == '/') {
		to += to == path;
		*to = '\0';
	}
	return !up && to - path < PATH_MAX;
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

bool cfg_plain(const char *s)
{
	while ((uint8_t)*s >= ' ' && *s != 0x7f)
		s++;
	return !*s;
}

/* \ makes the next character plain. */
char *cfg_cut(char **at, bool words)
{
	char *p = *at, *to = p, *start = p;

	for (; *p && !(words ? separator(*p) : *p == ':'); p++) {
		if (*p == '\\' && p[1])
			p++;
		*to++ = *p;
	}
	*at = *p ? p + 1 : NULL;
	*to = '\0';
	return start;
}

int cfg_fields(char *value, char **f, int max)
{
	int n;

	for (n = 0; n < max && value; n++)
		f[n] = cfg_cut(&value, false);
	return value ? max + 1 : n;
}

char *cfg_word(char **at)
{
	while (*at && separator(**at))
		++*at;
	return *at && **at ? cfg_cut(at, true) : NULL;
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
		return TEXT "' groups nothing, \" does";
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
			return TEXT "between quotes \\ stands only before \" \\ and n";
	}
	if (in)
		return TEXT "a \" is not closed";
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
	size_t n = strlen(word), len;
	int i;

	for (i = 0;; i++, list += len + 1) {
		len = (size_t)(strchrnul(list, '|') - list);
		if (len == n && memcmp(list, word, n) == 0)
			return i;
		if (!list[len])
			return -1;
	}
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

	return i > 0 ? i : 0;
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
