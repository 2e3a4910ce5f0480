/* oom.c - was it the kernel's killer? A leaf is made anew for each start, so its
 * counters began at 0. Asked by the keeper, before the leaf goes. */
#include <fcntl.h>
#include <string.h>

#include "husk.h"

uint64_t cg_count(const char *text, const char *key)
{
	size_t n = strlen(key);
	uint64_t v = 0;

	while (text && !(starts(text, key) && text[n] == ' '))
		text = (text = strchr(text, '\n')) ? text + 1 : NULL;
	if (text)
		decimal(text + n + 1, &v);
	return v;
}

static const char *file(const char *leaf, const char *name)
{
	return caps_file(fmts("%s/%s", leaf, name));
}

/* Behind what is there already. */
static void figure(char *to, size_t max, const char *name, const char *leaf, const char *v2, const char *v1)
{
	const char *p = file(leaf, v2);
	uint64_t v;

	if (!p && !(p = file(leaf, v1)))
		return;
	fmt(to, max, "%s%s", name, *decimal(p, &v) != '\n' || v >> 62 ? "max" : amount(v));	/* no limit of v1 is almost 2 to the 63 */
}

/* The limit need not be what was short: a peak below it says that the machine had no
 * more, or a cgroup above. v1 counts from 4.13 on, and the peak of v2 is known from 5.19. */
const char *cg_oom(const struct left *l)
{
	static char leaf[CGPATH], text[48];
	const char *p;
	unsigned at = 0;

	while (cg_next(l, &at, leaf)) {
		if (!(p = file(leaf, "memory.events")))
			p = file(leaf, "memory.oom_control");
		if (!cg_count(p, "oom_kill"))
			continue;
		*text = '\0';
		figure(text, sizeof text, "memory.max=", leaf, "memory.max", "memory.limit_in_bytes");
		figure(text + strlen(text), 16, ", peak ", leaf, "memory.peak", "memory.max_usage_in_bytes");
		return text;
	}
	return NULL;
}
