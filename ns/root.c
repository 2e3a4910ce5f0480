/* root.c - INIT becomes who its user namespace calls root. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "husk.h"

/* The first number of the map, if 0 is not in it: then INIT has all rights
 * inside without being uid 0, but it must not stay who started it. */
static uint32_t lowest(const struct idmap *m, int n)
{
	uint32_t id = n ? m->in : 0;

	for (; n--; m++)
		if (m->in < id)
			id = m->in;
	return id;
}

/* A change of ids makes dumpable and forgets the death signal. If the keeper
 * died before it was set again, the socket is at its end. */
static int tether_again(struct run *r)
{
	char c;
	int e;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(r, "dumpable");
	if ((e = caps_tether(r)) != 0)
		return e;
	return recv(r->sync, &c, 1, MSG_PEEK | MSG_DONTWAIT) ? 0 : fail_not(r, "the keeper is gone");
}

/* With one id only, that of the caller, there is nobody else to become. */
int ns_root(struct run *r)
{
	const struct box *b = r->box;
	bool new = b->ns[NS_USER] == NSM_NEW, single = r->unpriv && b->automap;
	int e;

	if (b->ns[NS_USER] == NSM_HOST)
		return 0;
	if (!(new && single)) {
		if ((e = caps_groups(r, 0, NULL)) != 0)
			return e;
		e = caps_become(new && !b->automap ? lowest(b->uidmap, b->nuidmap) : 0,
			new && !b->automap ? lowest(b->gidmap, b->ngidmap) : 0);
		if (e < 0 && !(errno == EINVAL && !new && r->unpriv))
			return fail(r, "become root of the user namespace");
	}
	return tether_again(r);
}
