/* names.c - capabilities by name and number, as the target's headers have them. */
#include <strings.h>

#include "husk.h"
#include "cap.h"

static const char names[] = TEXT CAP_NAMES;

const char *caps_name(int number)
{
	return number < 0 || number >= CAP_COUNT ? NULL : unpacked(names, number);
}

int caps_number(const char *name)
{
	enum { LONGER = 40 };		/* than any of them */
	const char *p;
	int i;

	if (strncasecmp(name, "cap_", 4) == 0)
		name += 4;
	for (i = 0; (p = caps_name(i)) && strncasecmp(p, name, LONGER) != 0; i++)
		;
	return p ? i : -1;
}
