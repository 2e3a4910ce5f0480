/* sets.c - the five sets of capabilities and the securebits. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

static int cap(long call, struct __user_cap_data_struct d[2])
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return (int)syscall(call, &h, d);
}

int caps_set(uint64_t eff, uint64_t perm, uint64_t inh)
{
	struct __user_cap_data_struct d[2] = {
		{ (uint32_t)eff, (uint32_t)perm, (uint32_t)inh },
		{ (uint32_t)(eff >> 32), (uint32_t)(perm >> 32), (uint32_t)(inh >> 32) } };

	return cap(SYS_capset, d);
}

bool caps_are(uint64_t only)
{
	struct __user_cap_data_struct d[2];
	unsigned i;

	if (cap(SYS_capget, d) < 0)
		return false;
	for (i = 0; i < 2; i++, only >>= 32)
		if (d[i].effective != (uint32_t)only || d[i].permitted != (uint32_t)only || d[i].inheritable)
			return false;
	return true;
}

/* What the caller has not got he cannot give: less than asked for, never more.
 * What this kernel has not got nobody misses. */
static void note_lack(struct run *r, uint64_t lack)
{
	const char *text = caps_status(r->proc, "sys/kernel/cap_last_cap"), *name;
	uint64_t last = 63;

	if (text)
		decimal(text, &last);
	lack &= ((uint64_t)2 << last) - 1;
	name = lack ? caps_name(__builtin_ctzll(lack)) : NULL;
	if (lack)
		note(r, "%s%s: not there for the caller to give", name ? name : "capability",
			lack & (lack - 1) ? " and others" : "");
}

/* Ambient needs the capability permitted and inheritable, and comes before
 * securebits that may forbid it. */
static int some(struct run *r)
{
	const struct box *b = r->box;
	struct __user_cap_data_struct d[2];
	uint64_t have, set;
	int c;

	if (cap(SYS_capget, d) < 0)
		return fail(r, "capget");
	have = (uint64_t)d[1].permitted << 32 | d[0].permitted;
	r->caps = b->caps & have;
	if (b->caps & ~have)
		note_lack(r, b->caps & ~have);
	if (caps_set(have, have, b->inheritable & have) < 0 || (b->inheritable & ~b->ambient &&
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL))
		return fail(r, "inheritable capabilities");
	for (c = 0, set = b->ambient & have; set; c++, set >>= 1)
		if (set & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) < 0)
			return fail(r, "make capability %d ambient", c);
	return prctl(PR_SET_SECUREBITS, b->securebits, 0, 0, 0) < 0 ? fail(r, "securebits") : 0;
}

/* Root of the host who became somebody else has lost all, but for what was
 * inheritable. Nothing is left to be done then, and caps.readback looks. */
static bool lost(const struct run *r)
{
	const struct box *b = r->box;

	return !b->caps && r->uid && caps_plain && !r->unpriv && USERS(b) == NSM_HOST &&
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
