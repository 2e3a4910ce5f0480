/* oom.c - how willing the kernel is to kill the box. By HOST: the file of a
 * process that is not dumpable is not its own. */
#include <errno.h>

#include "husk.h"

/* Always written, 0 too: reading what was inherited costs as much. */
int caps_oom(struct run *r)
{
	bool asked = r->box->oom_score_adj != UNSET;
	int adj = asked ? r->box->oom_score_adj : 0;

	if (write_at(r->proc, fmts("%d/oom_score_adj", r->init), fmts("%d", adj)) == 0)
		return 0;
	if (asked || (errno != EACCES && errno != EPERM))
		return fail(r, "oom_score_adj=%d", adj);
	note(r, "oom_score_adj stays what the caller has: lowering it takes CAP_SYS_RESOURCE");
	return 0;
}
