/* keyring.c - keys of the caller's session are the caller's. */
#include <errno.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

int caps_keyring(struct run *r)
{
	if (!r->box->keyring || syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS)
		return 0;		/* ENOSYS: no keys in this kernel */
	return fail(r, "a session keyring");
}
