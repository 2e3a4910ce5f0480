/* oom.c - was something of the box killed for memory? The leaf was made for
 * this start, so any count is this box's. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

bool cg_oom(const struct left *l)
{
	char path[CGPATH], *text;
	unsigned at = 0;
	bool oom = false;
	int dir;

	while (!oom && cg_next(l, "cgroup", &at, path)) {
		if ((dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
			continue;
		if (!(text = caps_status(dir, "memory.events")))
			text = caps_status(dir, "memory.oom_control");
		text = text ? strstr(text, "oom_kill ") : NULL;
		oom = text && text[9] != '0';
		close(dir);
	}
	return oom;
}
