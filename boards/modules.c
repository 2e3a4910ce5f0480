/* modules.c - kernel modules of board.conf, as modprobe loads them: those that it
 * needs first, by the list that depmod has made. */
#include <errno.h>
#include <fcntl.h>
#include <linux/module.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "husk.h"

static struct {
	int	 dir;			/* of this kernel's modules */
	char	 text[16384];		/* of a list, as much as there is room for */
} mod;

/* A line that begins with the path of that module; - and _ are one letter. */
static bool is(const char *line, const char *name)
{
	const char *p = strchrnul(line, ':');

	while (p > line && p[-1] != '/')
		p--;
	for (; *name && (*p == *name || (strchr("-_", *p) && strchr("-_", *name))); p++)
		name++;
	return !*name && starts(p, ".ko");
}

/* Its line, or NULL */
static char *find(const char *file, const char *name)
{
	int fd = openat(mod.dir, file, O_RDONLY | O_CLOEXEC);
	char *line = mod.text, *end, *found = NULL;
	size_t have = 0;
	ssize_t n;

	while (!found && (n = read(fd, mod.text + have, sizeof mod.text - 1 - have)) > 0) {
		mod.text[have + (size_t)n] = '\0';
		for (line = mod.text; !found && (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			found = is(line, name) ? line : NULL;
		}
		have = strlen(line);
		if (!found)
			memmove(mod.text, line, have + 1);
	}
	close(fd);
	return found;
}

/* That it is there already is fine. */
static bool insert(const char *path, const char *args)
{
	bool plain = same(path + strlen(path) - 3, ".ko");
	int fd = openat(mod.dir, path, O_RDONLY | O_CLOEXEC), e;

	e = (int)syscall(SYS_finit_module, fd, args, plain ? 0 : MODULE_INIT_COMPRESSED_FILE);
	let_go(fd);
	if (e == 0 || errno == EEXIST)
		return true;
	board_lacks("module: ", fmts(TEXT "%s%s", path, plain || (errno != EINVAL && errno != EOPNOTSUPP) ? "" :
		" (compressed: CONFIG_MODULE_DECOMPRESS)"));
	return false;
}

static void load(char *name)
{
	char *args = name + strcspn(name, " \t"), *line, *rest, *at;

	if (*args)
		*args++ = '\0';
	if (!(line = find("modules.dep", name))) {
		if (!find("modules.builtin", name)) {
			errno = ENOENT;		/* there may be neither list */
			board_lacks("module: ", name);
		}
		return;
	}
	rest = strchrnul(line, ':');
	if (*rest)
		*rest++ = '\0';
	while ((at = strrchr(rest, ' '))) {	/* who needs nobody is last */
		*at = '\0';
		if (at[1] && !insert(at + 1, ""))
			return;
	}
	(void)insert(line, args);
}

void board_modules(const struct board *b)
{
	static struct utsname u;
	int i;

	if (!b->nmodule || uname(&u) < 0)
		return;
	mod.dir = open(fmts(TEXT "/lib/modules/%s", u.release), O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < b->nmodule; i++)
		load(b->module[i]);
	close(mod.dir);
	board_nodes();
}
