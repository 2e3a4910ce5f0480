/* cgroups.c - the hierarchies of version 1, for a kernel that has no others or, before
 * 4.15, none with processor time. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "husk.h"

#define TOP "/sys/fs/cgroup"

/* The next controller that is switched on; its number of groups and the like are cut. */
static char *next(char **at)
{
	char *line, *end;

	for (line = *at; (end = strchr(line, '\n')); line = end + 1)
		if (*line != '#' && end[-1] == '1') {
			line[strcspn(line, "\t")] = '\0';
			*at = end + 1;
			return line;
		}
	return NULL;
}

static bool has_cpu(char *text)
{
	char *name;

	while ((name = next(&text)))
		if (same(name, "cpu"))
			return true;
	return false;
}

/* Each by itself, where everybody looks for it. It lets go of version 2 by being mounted:
 * there are no groups yet. */
void board_cgroups(bool v2)
{
	static char text[2048];
	char *at = text, *name;

	if (v2 && read_file(TOP "/cgroup.controllers", text, sizeof text) >= 0 && cg_word(text, "cpu"))
		return;
	if (read_file("/proc/cgroups", text, sizeof text) < 0)
		return;
	if (v2 && (!has_cpu(text) || umount2(TOP, 0) < 0 || read_file("/proc/cgroups", text, sizeof text) < 0))
		return;
	if (mount("tmpfs", TOP, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=64k") < 0)
		board_failed("mounts: ", TOP);
	while ((name = next(&at))) {
		(void)mkdir(fmts(TOP "/%s", name), 0755);
		if (mount("cgroup", fmts(TOP "/%s", name), "cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, name) < 0) {
			board_failed("mounts: cgroup: ", name);
			(void)rmdir(fmts(TOP "/%s", name));
		}
	}
}
