/* control.c - husk pause and resume: what is done to a box that runs. */

#include "husk.h"

/* Found by its name. */
static BASE struct up *box(void)
{
	static struct up up;

	return &up;
}

int control_freeze(const char *name, bool on)
{
	int e = up_open(box(), name);

	if (!e && cg_freeze(box(), on))
		e = up_failed(box(), "cg.freeze");
	return e;
}
