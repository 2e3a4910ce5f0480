/* sysctl.c - knobs of the box's own namespaces, through the host's /proc: what
 * is written goes by who writes, and the box's /proc may be anything. */
#include <string.h>

#include "husk.h"

/* "net.ipv4.conf.eth0/100.forwarding": dots divide, a slash is a dot of a name.
 * cfg/ has checked it; here no part may lead elsewhere, whatever came. */
static int path_of(char *to, size_t max, const char *key)
{
	char *p;

	if (fmt(to, max, "sys/%s", key) >= max - 1)
		return -1;
	for (p = to + 4; *p; p++)
		*p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
	return strstr(to, "//") || strstr(to, "/./") || strstr(to, "/../") || p[-1] == '/' || p[-1] == '.' ? -1 : 0;
}

/* In a network of one's own low ports and ping endanger nobody: no capability
 * for that. Best effort: a kernel without IPv4 has neither. */
static void open_net(const struct run *r)
{
	(void)write_at(r->proc, "sys/net/ipv4/ip_unprivileged_port_start", "0");
	(void)write_at(r->proc, "sys/net/ipv4/ping_group_range", "0 2147483647");
}

int ns_sysctl(struct run *r)
{
	const struct pair *s = r->box->sysctl;
	static char path[128];
	int n;

	if (r->box->ns[NS_NET] == NSM_NEW)
		open_net(r);
	for (n = r->box->nsysctl; n--; s++) {
		if (path_of(path, sizeof path, s->key) < 0)
			return fail_not(r, "%s is no name of a sysctl", s->key);
		if (write_at(r->proc, path, s->val) < 0)
			return fail(r, "%s=%s", s->key, s->val);
	}
	return 0;
}
