/* oom.c - was something of the box killed for memory? The leaf was made for
 * this start, so any count is this box's. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

bool cg_oom(const struct left *l)
{
	char path[CGPATH], text[256], *count;
	unsigned at = 0;
	bool oom = false;
	int dir;

	while (!oom && cg_next(l, "cgroup", &at, path)) {
		if ((dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
			continue;
		*text = '\0';
		if (read_at(dir, "memory.events", text, sizeof text) < 0)
			(void)read_at(dir, "memory.oom_control", text, sizeof text);
		count = strstr(text, "oom_kill ");
		oom = count && count[9] != '0';
		close(dir);
	}
	return oom;
}
