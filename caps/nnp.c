/* nnp.c - set-uid programs and file capabilities give nothing. */
#include <sys/prctl.h>

#include "husk.h"

/* Once for INIT and PROG, before the fork; but PROG alone, and later, where a
 * label is asked for: AppArmor refused it, before 4.17, to who had this. */
bool caps_nnp_early(const struct box *b)
{
	return b->nnp && !b->apparmor && !b->selinux;
}

int caps_no_new_privs(struct run *r)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? fail(r, "no_new_privs") : 0;
}

int caps_nnp(struct run *r)
{
	return caps_nnp_early(r->box) ? caps_no_new_privs(r) : 0;
}
