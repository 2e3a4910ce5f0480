/* label.c - the label that the program gets on exec. Through the host's /proc:
 * such a write to a file that only looks like it is an old way out. */
#include <errno.h>

#include "husk.h"

static int apparmor(struct run *r, const char *profile)
{
	const char *text = fmts("exec %s", profile);

	if (!*text)
		return fail_not(r, "the name of the AppArmor profile is too long");
	if (write_at(r->proc, "self/attr/apparmor/exec", text) == 0)
		return 0;
	if (errno == ENOENT && write_at(r->proc, "self/attr/exec", text) == 0)
		return 0;		/* before 5.8 */
	return fail(r, "apparmor=%s", profile);
}

/* All mounts of a box are nosuid and the program has no_new_privs: both forbid
 * the transition if the policy does not say otherwise. */
int caps_label(struct run *r)
{
	const struct box *b = r->box;
	int e = b->apparmor ? apparmor(r, b->apparmor) : 0;

	if (!e && b->selinux && write_at(r->proc, "self/attr/exec", b->selinux) < 0)
		e = fail(r, "selinux=%s (with no_new_privs and nosuid the policy needs nnp_nosuid_transition)", b->selinux);
	return e || !b->nnp || caps_nnp_early(b) ? e : caps_no_new_privs(r);
}
