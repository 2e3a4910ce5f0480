/* reset.c - what a process gets from who started it, without anybody having
 * asked for it. HOST sheds it first: so INIT and PROG, its children, never have
 * it. Nothing here can fail the start: what is refused (the nice value of a
 * caller who is not root) is the caller's own. */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

enum { SLACK_NS = 50000 };	/* timers: the kernel's default; 0 would mean the parent's */

uint64_t caps_lacked OFTEN;
bool caps_plain OFTEN;
bool caps_no_groups OFTEN;
static bool found OFTEN;			/* all of these */

/* A caught signal is default after an exec, an ignored one is not. */
static void reset_signals(uint64_t ignored)
{
	static const uint64_t dfl[4];		/* a struct sigaction of the kernel's */
	int sig;

	for (sig = 1; sig <= 64; sig++, ignored >>= 1)
		if (ignored & 1)
			syscall(SYS_rt_sigaction, sig, dfl, NULL, sizeof *dfl);
}

/* Policy, reset-on-fork and nice in one call; before 3.14 one by one. */
static void reset_scheduling(void)
{
	static const struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t prio;
		uint64_t rest[3];
	} other = { .size = sizeof other };
	uint64_t all[MAXCPU / 64];

	if (syscall(SYS_sched_setattr, 0, &other, 0) < 0) {
		syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &other.nice);
		syscall(SYS_setpriority, 0, 0, 0);
	}
	memset(all, 0xff, sizeof all);
	syscall(SYS_sched_setaffinity, 0, sizeof all, all);
	syscall(SYS_ioprio_set, 1, 0, 0);
}

/* What was found, and put right: who is forked from here has it, too. */
static void reset_found(void)
{
	const char *text = caps_file("/proc/self/status"), *p;

	if (!text)
		text = "";		/* then nothing is known, and all is reset */
	if (!(p = caps_line(&text, "Umask")) || !starts(p, "0022\n"))
		umask(022);
	caps_no_groups = ((p = caps_line(&text, "Groups")) && *p == '\n') || caps_setgroups(0, NULL) == 0;
	if ((p = caps_line(&text, "THP_enabled")) && *p == '0')
		prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	reset_signals((p = caps_line(&text, "SigIgn")) ? caps_mask(p) : ~(uint64_t)0);
	if ((p = caps_line(&text, "CapInh")))
		caps_plain = !caps_mask(p);
	if ((p = caps_line(&text, "CapBnd")))
		caps_lacked = ~caps_mask(p);
	found = *text;
}

void caps_reset(void)
{
	if (!found)
		reset_found();
	reset_scheduling();		/* which others may change of a process that runs */
	personality(0);
	prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0);
}
