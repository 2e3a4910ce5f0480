/* oom.c - was something of the box killed for memory? The leaf was made for
 * this start, so any count is this box's. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

bool cg_oom(const struct left *l)
{
	char path[CGPATH], text[256];
	unsigned at = 0;
	bool oom = false;
	int dir;

	while (!oom && left_get(l, "cgroup", &at, path, sizeof path)) {
		if ((dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
			continue;
		oom = (read_at(dir, "memory.events", text, sizeof text) > 0 ||
			read_at(dir, "memory.oom_control", text, sizeof text) > 0) &&
			cg_count(text, "oom_kill") > 0;
		close(dir);
	}
	return oom;
}
