/* host.c - the names of the machine, as the box sees it. */
#include <string.h>
#include <unistd.h>

#include "husk.h"

int ns_host(struct run *r)
{
	const struct box *b = r->box;
	const char *host = b->hostname ? b->hostname : r->name;

	if (b->ns[NS_UTS] != NSM_NEW)
		return 0;
	if (sethostname(host, strlen(host)) < 0)
		return fail(r, "hostname %s", host);
	if (b->domainname && setdomainname(b->domainname, strlen(b->domainname)) < 0)
		return fail(r, "domainname %s", b->domainname);
	return 0;
}
