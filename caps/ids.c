/* ids.c - groups, gid, uid: in this order, because each step takes the right to
 * the one before. Raw calls: musl's want to tell other threads. */
#include <errno.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

/* On i386 and ARM the calls of these names are those of 16 bits. */
#ifndef SYS_setresuid32
#define SYS_setgroups32	SYS_setgroups
#define SYS_setresgid32	SYS_setresgid
#define SYS_setresuid32	SYS_setresuid
#endif

int caps_setgroups(int n, const uint32_t *list)
{
	return (int)syscall(SYS_setgroups32, n, list);
}

int caps_become(uint32_t uid, uint32_t gid)
{
	if (syscall(SYS_setresgid32, gid, gid, gid) < 0)
		return -1;
	return (int)syscall(SYS_setresuid32, uid, uid, uid);
}

/* HOST has had none since caps_reset: then there is nothing to take away, and
 * caps.readback looks. In a user namespace made without privilege the kernel refuses, for good: a
 * group can also be what keeps somebody out. Then the caller's stay. */
int caps_groups(struct run *r, int n, const uint32_t *list)
{
	const char *text;
	int e;

	if ((!n && caps_no_groups) || caps_setgroups(n, list) == 0)
		return 0;
	e = errno;
	if (e == EPERM && USERS(r->box) != NSM_HOST && !r->box->ngroup &&
	    (text = caps_status(r->proc, "self/setgroups")) && starts(text, "deny")) {
		r->groups_kept = true;
		return 0;
	}
	errno = e;
	return fail(r, "set %d groups", n);
}

/* Without capabilities the securebits come first, while there is CAP_SETPCAP;
 * and a change of uid takes all that was left. With some, NO_SETUID_FIXUP keeps
 * them over the change; caps.sets puts the right bits after. */
int caps_ids(struct run *r)
{
	const struct box *b = r->box;
	int e;

	if ((!b->caps || r->uid) &&
	    prctl(PR_SET_SECUREBITS, b->caps ? SECBIT_NO_SETUID_FIXUP : b->securebits, 0, 0, 0) < 0)
		return fail(r, "securebits");
	if ((e = caps_groups(r, r->ngroups, r->groups)) != 0)
		return e;
	if (caps_become(r->uid, r->gid) < 0)
		return fail(r, "become %u:%u", r->uid, r->gid);
	return caps_hide(r);		/* the change has made it dumpable */
}
