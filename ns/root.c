/* root.c - INIT becomes who its user namespace calls root. */
#include <errno.h>
#include <sys/socket.h>

#include "husk.h"

/* The first number of the map, if 0 is not in it: then INIT has all rights
 * inside without being uid 0, but it must not stay who started it. No map is
 * one of all numbers. */
static uint32_t lowest(const struct idmap *m, int n)
{
	uint32_t id = n ? m->in : 0;

	for (; n--; m++)
		if (m->in < id)
			id = m->in;
	return id;
}

/* With one id only, that of the caller, there is nobody else to become, and in a
 * namespace that somebody else has made perhaps not either. A change of ids makes
 * dumpable and forgets the death signal; if the keeper died before it was set
 * again, the socket is at its end. */
int ns_root(struct run *r)
{
	const struct box *b = r->box;
	char c;
	int e;

	if (USERS(b) == NSM_HOST)
		return 0;
	if (!r->unpriv || !b->automap) {
		if ((e = caps_groups(r, 0, NULL)) != 0)
			return e;
		if (caps_become(lowest(b->uidmap, b->nuidmap), lowest(b->gidmap, b->ngidmap)) < 0 &&
		    !(errno == EINVAL && USERS(b) == NSM_JOIN && r->unpriv))
			return fail(r, "become root of the user namespace");
	}
	if ((e = caps_hide(r)) != 0 || r->side & ENTER || (e = caps_tether(r)) != 0)
		return e;
	return recv(r->sync, &c, 1, MSG_PEEK | MSG_DONTWAIT) ? 0 : fail_not(r, "the keeper is gone");
}
