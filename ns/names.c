/* names.c - the eight namespaces, by the kernel's names and numbers. */
#include <linux/sched.h>

#include "husk.h"

static const char names[NNS][8] = {
	[NS_USER] = "user", [NS_PID] = "pid", [NS_NET] = "net", [NS_IPC] = "ipc",
	[NS_UTS] = "uts", [NS_MNT] = "mnt", [NS_CGROUP] = "cgroup", [NS_TIME] = "time",
};

static const uint32_t flags[NNS] = {
	[NS_USER] = CLONE_NEWUSER, [NS_PID] = CLONE_NEWPID, [NS_NET] = CLONE_NEWNET,
	[NS_IPC] = CLONE_NEWIPC, [NS_UTS] = CLONE_NEWUTS, [NS_MNT] = CLONE_NEWNS,
	[NS_CGROUP] = CLONE_NEWCGROUP, [NS_TIME] = CLONE_NEWTIME,
};

const char *ns_name(int ns)
{
	return names[ns];
}

int ns_flag(int ns)
{
	return (int)flags[ns];
}
