/* sysctl.c - knobs of the box's own namespaces, through the host's /proc: what
 * is written goes by who writes, and the box's /proc may be anything. */
#include <errno.h>

#include "husk.h"

/* Every dot becomes a slash: no part of the path can be "..". */
int ns_knob(int proc, const char *key, const char *val)
{
	char *path = (char *)(uintptr_t)fmts("sys/%s", key), *p;

	for (p = path; *p; p++)
		if (*p == '.')
			*p = '/';
	return write_at(proc, path, *val ? val : "\n");		/* of nothing at all the kernel takes no notice */
}

/* What who is in a user namespace has of these counts as its maker's as well, whose they all
 * are: of the one root has 128 for all that he runs. */
static void few(struct run *r, const char *key, const char *val)
{
	if (ns_knob(r->proc, key, val) < 0 && errno != ENOENT)
		note(r, "%s=%s: %s", key, val, errno_text());
}

/* In a network of one's own low ports and ping endanger nobody: no capability
 * for that. Best effort: a kernel without IPv4 has neither. */
int ns_sysctl(struct run *r)
{
	const struct pair *s = r->box->sysctl;
	int n;

	if (r->box->ns[NS_NET] == NSM_NEW) {
		(void)ns_knob(r->proc, "net.ipv4.ip_unprivileged_port_start", "0");
		(void)ns_knob(r->proc, "net.ipv4.ping_group_range", "0 2147483647");
	}
	if (USERS(r->box) == NSM_NEW) {
		few(r, "user.max_inotify_instances", "32");
		few(r, "user.max_inotify_watches", "2048");
	}
	for (n = r->box->nsysctl; n--; s++)
		if (ns_knob(r->proc, s->key, s->val) < 0)
			return fail(r, "%s=%s", s->key, s->val);
	return 0;
}
