/* bound.c - what no process of the box can ever have again. */
#include <errno.h>
#include <sys/prctl.h>

#include "husk.h"

/* Up to the kernel's last one, which is EINVAL: a newer kernel than our headers
 * has more of them. */
int caps_bound(struct run *r)
{
	int c;

	for (c = 0; c < 64; c++) {
		if (r->box->caps >> c & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) == 0)
			continue;
		return errno == EINVAL && c ? 0 : fail(r, "drop capability %d", c);
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
