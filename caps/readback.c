/* readback.c - what holds, not what was asked for: one read, every line of the
 * process's rights, and the first that differs stops the start. */
#include <string.h>
#include <sys/prctl.h>

#include "husk.h"

static const char *next_number(const char *s, uint64_t *v)
{
	s += strspn(s, "\t ");
	if (*s < '0' || *s > '9')
		return NULL;
	for (*v = 0; *s >= '0' && *s <= '9'; s++)
		*v = *v * 10 + (uint64_t)(*s - '0');
	return s;
}

/* real, effective, saved, file system */
static bool four(const char *s, uint32_t id)
{
	uint64_t v;
	int i;

	for (i = 0; i < 4; i++) {
		s = s ? next_number(s, &v) : NULL;
		if (!s || v != id)
			return false;
	}
	return true;
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

/* The bounding set may have less where the caller had less. */
static bool same_mask(const char *s, uint64_t want, uint64_t most)
{
	uint64_t v = s ? caps_mask(s) : 0;

	return s && (v & want) == want && !(v & ~most);
}

static const char *wrong(const struct run *r, const char *text)
{
	const struct box *b = r->box;
	const char *nnp = caps_line(text, "NoNewPrivs");
	uint64_t inh = b->inheritable & r->caps, amb = b->ambient & r->caps;

	if (!four(caps_line(text, "Uid"), r->uid))
		return "Uid";
	if (!four(caps_line(text, "Gid"), r->gid))
		return "Gid";
	if (!same_groups(caps_line(text, "Groups"), r))
		return "Groups";
	if (!same_mask(caps_line(text, "CapInh"), inh, inh))
		return "CapInh";
	if (!same_mask(caps_line(text, "CapPrm"), r->caps, r->caps))
		return "CapPrm";
	if (!same_mask(caps_line(text, "CapEff"), r->caps, r->caps))
		return "CapEff";
	if (!same_mask(caps_line(text, "CapBnd"), r->caps, b->caps))
		return "CapBnd";
	if ((amb || caps_line(text, "CapAmb")) && !same_mask(caps_line(text, "CapAmb"), amb, amb))
		return "CapAmb";	/* no such line before 4.3 */
	if (b->nnp && (nnp ? *nnp != '1' : prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1))
		return "NoNewPrivs";	/* no such line before 4.10 */
	return NULL;
}

int caps_readback(struct run *r)
{
	char text[4096];
	const char *line;

	if (caps_status(r->proc, "self/status", text, sizeof text) < 0)
		return fail(r, "read /proc/self/status");
	line = wrong(r, text);
	return line ? fail_not(r, "%s is not as asked for", line) : 0;
}
