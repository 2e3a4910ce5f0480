/* names.c - capabilities by name and number, as the target's headers have them. */
#include <string.h>
#include <strings.h>

#include "husk.h"
#include "cap.h"

static const char names[] = CAP_NAMES;

const char *caps_name(int number)
{
	return number < 0 || number >= CAP_COUNT ? NULL : nth(names, number);
}

int caps_number(const char *name, size_t len)
{
	const char *p = names;
	int i;

	if (len > 4 && strncasecmp(name, "cap_", 4) == 0) {
		name += 4;
		len -= 4;
	}
	for (i = 0; i < CAP_COUNT; i++, p += strlen(p) + 1)
		if (strncasecmp(p, name, len) == 0 && !p[len])
			return i;
	return -1;
}
