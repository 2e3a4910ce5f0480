/* nnp.c - set-uid programs and file capabilities give nothing. */
#include <sys/prctl.h>

#include "husk.h"

int caps_nnp(struct run *r)
{
	if (r->box->nnp && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(r, "no_new_privs");
	return 0;
}
