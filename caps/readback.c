/* readback.c - what holds, not what was asked for: one read, every line of the
 * process's rights, and the first that differs stops the start. */
#include <string.h>
#include <sys/prctl.h>

#include "husk.h"

static const char *next_number(const char *s, uint64_t *v)
{
	const char *end;

	for (; *s == '\t' || *s == ' '; s++)
		;
	end = decimal(s, v);
	return end == s ? NULL : end;
}

/* real, effective, saved, file system */
static bool four(const char *s, uint32_t id)
{
	uint64_t v;
	int i;

	for (i = 0; i < 4 && s; i++)
		if ((s = next_number(s, &v)) && v != id)
			s = NULL;
	return s;
}

static bool same_groups(const char *s, const struct run *r)
{
	uint64_t v;
	int n = 0, i;

	if (r->groups_kept)
		return true;
	for (; s && (s = next_number(s, &v)); n++) {
		for (i = 0; i < r->ngroups && r->groups[i] != v; i++)
			;
		if (i == r->ngroups)
			return false;
	}
	return n == r->ngroups;
}

/* In the order of the kernel's text. */
enum { UID, GID, GROUPS, INH, PRM, EFF, BND, AMB, NNP };
static const char names[] = "Uid\0Gid\0Groups\0CapInh\0CapPrm\0CapEff\0CapBnd\0CapAmb\0NoNewPrivs\0";

static bool right(const struct run *r, int line, const char *s)
{
	const struct box *b = r->box;
	uint64_t want = r->caps, v;

	switch (line) {
	case UID:
		return four(s, r->uid);
	case GID:
		return four(s, r->gid);
	case GROUPS:
		return same_groups(s, r);
	case NNP:			/* no such line before 4.10 */
		return !b->nnp || (s ? *s == '1' : prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
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
	const char *text = caps_status(r->proc, "self/status"), *name;
	int line = 0;

	if (!text)
		return fail(r, "read /proc/self/status");
	for (name = names; *name; name += strlen(name) + 1, line++)
		if (!right(r, line, caps_line(&text, name)))
			return fail_not(r, "%s is not as asked for", name);
	return 0;
}
