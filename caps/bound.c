/* bound.c - what no process of the box can ever have again. */
#include <errno.h>
#include <sys/prctl.h>

#include "husk.h"

/* Those that the caller had; in another user namespace all, up to the kernel's
 * last one, behind which is EINVAL: a newer kernel than our headers has more. */
int caps_bound(struct run *r)
{
	uint64_t had = r->box->ns[NS_USER] == NSM_HOST ? ~caps_lacked : ~(uint64_t)0;
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

/* The highest number that this kernel knows. */
int caps_last(void)
{
	static int last;
	int low = 0, high = 63, mid;

	if (last)
		return last;
	while (low < high) {
		mid = (low + high + 1) / 2;
		if (prctl(PR_CAPBSET_READ, mid, 0, 0, 0) < 0)
			high = mid - 1;
		else
			low = mid;
	}
	return last = low;
}
