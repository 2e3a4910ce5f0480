/* readback.c - what holds, not what was asked for: one read, every line of the
 * process's rights, and the first that differs stops the start. */
#include <string.h>
#include <sys/prctl.h>

#include "husk.h"

/* A line of `count` numbers, each of which is one of the n in set. */
static bool ids(const char *s, const uint32_t *set, int n, int count)
{
	const char *p;
	uint64_t v;
	int i;

	if (!s)
		return false;
	for (; *s >= '0'; count--) {
		for (p = decimal(s, &v), i = 0; i < n && set[i] != v; i++)
			;
		if (i == n)
			return false;
		for (s = p; *s == '\t' || *s == ' '; s++)
			;
	}
	return !count;
}

/* In the order of the kernel's text. The last stands in no file. */
enum { UID, GID, GROUPS, INH, PRM, EFF, BND, AMB, NNP, SECUREBITS };
static const char names[] = "Uid\0Gid\0Groups\0CapInh\0CapPrm\0CapEff\0CapBnd\0CapAmb\0NoNewPrivs\0securebits\0";

static bool right(const struct run *r, int line, const char *s)
{
	const struct box *b = r->box;
	uint64_t want = r->caps, v;

	switch (line) {
	case UID:
		return ids(s, &r->uid, 1, 4);
	case GID:
		return ids(s, &r->gid, 1, 4);
	case GROUPS:
		return r->groups_kept || ids(s, r->groups, r->ngroups, r->ngroups);
	case NNP:			/* no such line before 4.10 */
		return !b->nnp || (s ? *s == '1' : prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	case SECUREBITS:
		return prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) == (int)b->securebits;
	case INH:
		want &= b->inheritable;
		break;
	case AMB:			/* no such line before 4.3 */
		want &= b->ambient;
		if (!s && !want)
			return true;
	}
	if (!s)
		return false;
	v = caps_mask(s);
	/* the bounding set may have less where the caller had less */
	return (v & want) == want && !(v & ~(line == BND ? b->caps : want));
}

int caps_readback(struct run *r)
{
	const char *text = caps_status(r->proc, "self/status"), *name = names;
	int line;

	if (!text)
		return fail(r, "read /proc/self/status");
	for (line = UID; line <= SECUREBITS; line++, name += strlen(name) + 1)
		if (!right(r, line, line == SECUREBITS ? NULL : caps_line(&text, name)))
			return fail_not(r, "%s is not as asked for", name);
	return 0;
}
