/* sets.c - the five sets of capabilities and the securebits. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

static struct __user_cap_header_struct head(void)
{
	return (struct __user_cap_header_struct){ _LINUX_CAPABILITY_VERSION_3, 0 };
}

int caps_set(uint64_t eff, uint64_t perm, uint64_t inh)
{
	struct __user_cap_header_struct h = head();
	struct __user_cap_data_struct d[2] = {
		{ (uint32_t)eff, (uint32_t)perm, (uint32_t)inh },
		{ (uint32_t)(eff >> 32), (uint32_t)(perm >> 32), (uint32_t)(inh >> 32) } };

	return (int)syscall(SYS_capset, &h, d);
}

static int permitted(uint64_t *have)
{
	struct __user_cap_header_struct h = head();
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		return -1;
	*have = (uint64_t)d[1].permitted << 32 | d[0].permitted;
	return 0;
}

/* Ambient needs the capability permitted and inheritable, and comes before
 * securebits that may forbid it. */
static int raise_ambient(struct run *r, uint64_t set)
{
	int c;

	if (r->box->inheritable & ~r->box->ambient &&
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return fail(r, "clear ambient capabilities");
	for (c = 0; set; c++, set >>= 1)
		if (set & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) < 0)
			return fail(r, "make capability %d ambient", c);
	return 0;
}

/* What the caller has not got he cannot give: less than asked for, never more. */
static int some(struct run *r)
{
	const struct box *b = r->box;
	uint64_t have, lack;
	const char *name;
	int e;

	if (permitted(&have) < 0)
		return fail(r, "capget");
	r->caps = b->caps & have;
	lack = b->caps & ~have & (((uint64_t)2 << caps_last()) - 1);
	name = lack ? caps_name(__builtin_ctzll(lack)) : NULL;
	if (lack)
		note(r, "%s%s: not there for the caller to give", name ? name : "capability",
			lack & (lack - 1) ? " and others" : "");
	if (caps_set(have, have, b->inheritable & have) < 0)
		return fail(r, "capset inheritable");
	if ((e = raise_ambient(r, b->ambient & have)) != 0)
		return e;
	if (prctl(PR_SET_SECUREBITS, b->securebits, 0, 0, 0) < 0)
		return fail(r, "securebits");
	return 0;
}

/* Root of the host who became somebody else has lost all, but for what was
 * inheritable. Nothing is left to be done then, and caps.readback looks. */
static bool lost(const struct run *r)
{
	const struct box *b = r->box;

	return !b->caps && r->uid && caps_plain && !r->unpriv && b->ns[NS_USER] == NSM_HOST &&
		!(b->securebits & (SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS));
}

int caps_sets(struct run *r)
{
	int e;

	if (r->box->caps && (e = some(r)) != 0)
		return e;
	if (lost(r))
		return 0;
	if (caps_set(r->caps, r->caps, r->box->inheritable & r->caps) < 0)
		return fail(r, "capset");
	return 0;
}
