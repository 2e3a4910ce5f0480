/* bound.c - what no process of the box can ever have again. */
#include <errno.h>
#include <sys/prctl.h>

#include "husk.h"

/* Those that the caller had; in another user namespace all, up to the kernel's
 * last one, behind which is EINVAL: a newer kernel than our headers has more. */
int caps_bound(struct run *r)
{
	uint64_t had = USERS(r->box) == NSM_HOST ? ~caps_lacked : ~(uint64_t)0;
	int c;

	for (c = 0; c < 64; c++) {
		if (r->box->caps >> c & 1 || !(had >> c & 1))
			continue;
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) == 0)
			continue;
		return errno == EINVAL && c && !~had ? 0 : fail(r, "drop capability %d", c);
	}
	return 0;
}
