/* tether.c - a box does not outlive its keeper. */
#include <fcntl.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "husk.h"

int caps_hide(struct run *r)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? fail(r, "dumpable") : 0;
}

/* Without a cgroup that ends the box it is the list of our own children, and all orphans of the
 * box are that. In the namespace of another box they have other numbers than in our /proc. */
static int kill_handle(struct run *r)
{
	if (r->killfd < 0 && r->box->ns[NS_PID] == NSM_HOST)
		r->killfd = openat(r->proc, "thread-self/children", O_RDONLY | O_CLOEXEC);
	return r->killfd < 0 ? fail_not(r, "ns.pid is not new, and there is no cgroup to end the box by; with ns.pid=host: nor CONFIG_PROC_CHILDREN") : 0;
}

/* Not dumpable: nobody inside may look into PID 1. For a caller who is not root
 * that waits for ns.root: he could not write the maps of such a process. Without
 * a pid namespace the death of INIT would free the program, so there it lives
 * and watches its pipe, and gets the box's orphans. */
int caps_tether(struct run *r)
{
	int e = r->unpriv ? 0 : caps_hide(r);

	if (e)
		return e;
	if (r->box->ns[NS_PID] != NSM_NEW) {
		r->init = getpid();
		return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? fail(r, "subreaper") : kill_handle(r);
	}
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? fail(r, "death signal") : 0;
}

/* PROG hangs on INIT, and as PID 1 itself or by husk exec on the keeper, whose socket tells if
 * it died before the call. In a pid namespace INIT's end is PROG's anyway. */
int caps_retether(struct run *r)
{
	bool of_keeper = r->box->pid1_program || r->side & ENTER;
	char c;

	if (!r->box->pid1_program && r->box->ns[NS_PID] == NSM_NEW)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return fail(r, "death signal");
	if (of_keeper && recv(r->sync, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		return fail_not(r, "the keeper is gone");
	if (!of_keeper && getppid() != r->init)
		return fail_not(r, "PID 1 of the box is gone");
	return 0;
}
