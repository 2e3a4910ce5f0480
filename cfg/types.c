/* types.c - text to numbers. Whole words, range-checked, nothing guessed. */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "husk.h"

static char what[320];

const char *cfg_wrong(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	vfmt(what, sizeof what, f, &ap);
	va_end(ap);
	return what;
}

/* The usual slip of who comes from other languages has a word of its own. */
const char *cfg_bad(const char *value, const char *type, const char *like)
{
	const char *hash = strchr(value, '#');

	if (hash && hash > value && (hash[-1] == ' ' || hash[-1] == '\t'))
		return cfg_wrong("\"%.*s\" is not %s: a comment stands on a line of its own", 80, value, type);
	if (like)
		return cfg_wrong("\"%.*s\" is not %s (%s)", 80, value, type, like);
	return cfg_wrong("\"%.*s\" is not %s", 80, value, type);
}

bool cfg_digits(const char *s, uint64_t max, uint64_t *n)
{
	return number(s, max, n) == NULL;
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

/* Decimal digits; returns where they end, NULL if there are none or too many. */
static const char *digits(const char *s, uint64_t *n)
{
	const char *start = s;

	for (*n = 0; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(*n, (uint64_t)10, n) ||
		    __builtin_add_overflow(*n, (uint64_t)(*s - '0'), n))
			return NULL;
	return s == start ? NULL : s;
}

bool cfg_size(const char *s, uint64_t *n)
{
	static const char units[] = "KMG";
	const char *u;
	unsigned shift;

	if (!(s = digits(s, n)))
		return false;
	if (same(s, "%")) {
		if (*n < 1 || *n > 100)
			return false;
		*n |= PERCENT;
		return true;
	}
	if (*s) {
		if (!(u = strchr(units, *s)) || s[1])
			return false;
		shift = 10 * (unsigned)(u - units + 1);
		if (*n > (PERCENT - 1) >> shift)
			return false;
		*n <<= shift;
	}
	return *n < PERCENT;
}

/* A bare number would be seconds for one and milliseconds for another. */
bool cfg_time(const char *s, uint64_t *ms)
{
	uint64_t unit;

	if (!(s = digits(s, ms)))
		return false;
	if (same(s, "ms"))
		unit = 1;
	else if (same(s, "s"))
		unit = 1000;
	else if (same(s, "m"))
		unit = 60 * 1000;
	else if (same(s, "h"))
		unit = 3600 * 1000;
	else if (same(s, "d"))
		unit = 24 * 3600 * 1000;
	else
		return *s == '\0' && *ms == 0;
	return !__builtin_mul_overflow(*ms, unit, ms);
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

/* Letters and _, and others by their place. */
bool cfg_chars(const char *s, size_t n, const char *first, const char *later)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((unsigned)((s[i] | 32) - 'a') > 25 && s[i] != '_' && !strchr(i ? later : first, s[i]))
			return false;
	return n > 0;
}

/* Never an option, never .. */
bool cfg_name(const char *s)
{
	size_t n = strlen(s);

	return n <= MAXNAME && cfg_chars(s, n, "0123456789+", "0123456789+.-");
}

bool cfg_printable(const char *s)
{
	for (; *s; s++)
		if ((uint8_t)*s < ' ' || *s == 0x7f)
			return false;
	return true;
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

static bool separator(char c)
{
	return c == ' ' || c == '\t' || c == ',';
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

const char *cfg_choice(const char *list, const char *word, int *n)
{
	size_t len = strlen(word), l;
	const char *p = list;
	char type[200];

	for (*n = 0;; ++*n) {
		l = (size_t)(strchrnul(p, '|') - p);
		if (l == len && memcmp(p, word, len) == 0)
			return NULL;
		if (!p[l])
			break;
		p += l + 1;
	}
	fmt(type, sizeof type, "one of %s", list);
	return cfg_bad(word, type, NULL);
}

#define SIGNALS(S) S(HUP) S(INT) S(QUIT) S(ILL) S(TRAP) S(ABRT) S(BUS) S(FPE) S(KILL) S(USR1) S(SEGV) \
	S(USR2) S(PIPE) S(ALRM) S(TERM) S(CHLD) S(CONT) S(STOP) S(TSTP) S(TTIN) S(TTOU) S(URG) S(XCPU) \
	S(XFSZ) S(VTALRM) S(PROF) S(WINCH) S(IO) S(PWR) S(SYS)
#define SIGNAL_ROW(s) { SIG##s, #s },
static const struct { uint8_t n; char name[7]; } signals[] = { SIGNALS(SIGNAL_ROW) };

#define RLIMITS(R) R(CPU, "cpu") R(FSIZE, "fsize") R(DATA, "data") R(STACK, "stack") R(CORE, "core") R(RSS, "rss") \
	R(NPROC, "nproc") R(NOFILE, "nofile") R(MEMLOCK, "memlock") R(AS, "as") R(LOCKS, "locks") \
	R(SIGPENDING, "sigpending") R(MSGQUEUE, "msgqueue") R(NICE, "nice") R(RTPRIO, "rtprio") R(RTTIME, "rttime")
#define RLIMIT_ROW(n, name) { RLIMIT_##n, name },
static const struct { uint8_t n; char name[11]; } rlimits[] = { RLIMITS(RLIMIT_ROW) };

enum { NSIGNALS = sizeof signals / sizeof *signals, NRLIMITS = sizeof rlimits / sizeof *rlimits };

int cfg_signal(const char *s)
{
	uint64_t n;
	unsigned i;

	if (cfg_digits(s, 64, &n))
		return n ? (int)n : -1;
	if (starts(s, "SIG"))
		s += 3;
	for (i = 0; i < NSIGNALS; i++)
		if (same(signals[i].name, s))
			return signals[i].n;
	return -1;
}

const char *cfg_signal_name(int n)
{
	unsigned i;

	for (i = 0; i < NSIGNALS; i++)
		if (signals[i].n == n)
			return signals[i].name;
	return NULL;
}

int cfg_rlimit(const char *s)
{
	unsigned i;

	for (i = 0; i < NRLIMITS; i++)
		if (same(rlimits[i].name, s))
			return rlimits[i].n;
	return -1;
}

const char *cfg_rlimit_name(int n)
{
	unsigned i;

	for (i = 0; i < NRLIMITS; i++)
		if (rlimits[i].n == n)
			return rlimits[i].name;
	return NULL;
}
