/*
 * stages.c - THE table: what happens to a box, in which process, in which order.
 *
 * Theory of operation
 *
 * Three processes make a box. HOST is outside: the keeper itself at the first start
 * of a box by hand; a short-lived child of the keeper, the starter, at each further
 * one and on a board (starter.c). INIT is PID 1 of the box.
 * PROG is the process that becomes the program. One loop, stages_run(), goes
 * through the rows in all three; each process does the rows of its own side.
 * ns.clone returns in HOST and in INIT, init.fork in INIT and in PROG.
 *
 *	HOST                       INIT                       PROG
 *	state, sources, leaf
 *	ns.clone ----------------> cgroup, close, tether, waits
 *	maps, what is below /proc
 *	ns.go -------------------> namespaces, mounts, pivot
 *	init.ready waits           verify, fork ------------> ids, capabilities
 *	                           drops its own rights,       reads them back
 *	       <------------------------------------------- reports, waits
 *	init.release ---------------------------------------> filter, exec
 *	init.up: end of file       reaps, forwards             the program
 *
 * What comes then is no row: the keeper supervises (life.c), hears the log by the
 * pipe that init.output gave it (log.c), and a restart goes through all rows again.
 * husk exec makes the rows of ENTER and those of PROG, in processes of its own (enter.c).
 *
 * The order of the rows is the security argument; the reasons stand in the
 * margin. A row with nothing to do returns 0: the table never branches.
 * Only HOST rows have an undo. What INIT and PROG make dies with their
 * namespaces; what HOST makes is written to the state file before it is made,
 * and undo reads that file and nothing else. So a normal stop, an error, and
 * the clean-up after kill -9 are one function, stages_undo(). Two things are no
 * part of the box but the caller's, and stay: a directory of bind= with create
 * (rootfs.sources), and the file of log= with those above it (init.log).
 *
 * Before the release byte every failure ends in status 125 with the name of
 * its row, the program has never run, and the host is as it was, but for those
 * two. After it the status is the program's.
 */
#include <errno.h>
#include <string.h>

#include "husk.h"

#define NO_UNDO(left)	((void)(left))

/* Nothing to do where that namespace is not new: husk plan leaves the row out. */
#define NEW(ns)		(NS_##ns + 1) << 3
#define KEYS(first, last) (KEY_##first | KEY_##last << 8)
#define KEY(key)	KEYS(key, key)
#define NOKEY		1

/* Where the program is made without a part its rows are nobody's. */
#define OF(part, side)	(HAS(part) ? (side) : 0)

#define STAGES(ROW) \
	/* make              side               undo         its keys, what else it does */ \
	ROW(init_state,      HOST,              init_forget, NOKEY, "lock the name")	/* locked and written before anything is made */ \
	ROW(init_wait,       OF(restart, HOST), NO_UNDO,     KEYS(IF, NEEDS), "for others")	/* nothing is made yet that would have to be kept */ \
	ROW(init_pipes,      HOST,              init_poststop, NOKEY, "")	/* all that supervising needs is there before there is something to supervise */ \
	ROW(init_log,        HOST,              NO_UNDO,     KEYS(LOG, LOG_RATE), "")	/* a file, as any other of the host's: it stays */ \
	ROW(init_notify,     OF(ready, HOST),   NO_UNDO,     KEYS(READY, WATCHDOG), "")	/* its socket is a source, too */ \
	ROW(init_fd,         OF(sockets, HOST), NO_UNDO,     KEY(FD), "open what is passed on") \
	ROW(init_listen,     OF(sockets, HOST), NO_UNDO,     KEY(LISTEN), "sockets of this side")	/* in our network; the keeper holds them over all restarts */ \
	ROW(rootfs_sources,  HOST,              NO_UNDO,     NOKEY, "open what is bound")	/* host paths are the host's business: opened before the clone; what create makes stays */ \
	ROW(cg_make,         HOST,              cg_remove,   KEY(CGROUP), "a leaf of its own") \
	ROW(cg_devices,      HOST,              NO_UNDO,     KEY(DEVICES_ALLOW), "deny all but the listed")	/* may make a leaf, and that one anew */ \
	ROW(cg_limits,       HOST,              NO_UNDO,     KEYS(MEMORY_MAX, KNOB), "")	/* in force before the first process is inside */ \
	ROW(ns_join,         HOST,              NO_UNDO,     NOKEY, "user and pid")	/* joined user and pid come first: what is new is owned by them */ \
	ROW(ns_clone,        HOST,              ns_kill,     KEYS(NET, NS_TIME), "") \
	ROW(ns_idmap,        OF(users, HOST | NEW(USER)), NO_UNDO,     KEYS(UIDMAP, GIDMAP), "") \
	ROW(rootfs_idmap,    OF(users, HOST | NEW(USER)), NO_UNDO,     NOKEY, "shift mounts")	/* by the maps just written, on mounts that INIT has not placed yet */ \
	ROW(caps_oom,        HOST,              NO_UNDO,     KEY(OOM_SCORE_ADJ), "")	/* below /proc/PID: INIT is not dumpable and may not */ \
	ROW(ns_keep,         OF(exec, HOST),    NO_UNDO,     NOKEY, "for husk exec")	/* while PID 1 shows its own to who is not root */ \
	ROW(ns_go,           HOST,              NO_UNDO,     NOKEY, "let PID 1 go on") \
	\
	ROW(init_close,      INIT,              NO_UNDO,     NOKEY, "what was inherited")	/* O_CLOEXEC does not close on fork: other boxes' descriptors go first */ \
	ROW(caps_tether,     INIT,              NO_UNDO,     NOKEY, "die with the keeper")	/* not dumpable, and dies with the keeper */ \
	ROW(cg_enter,        INIT,              NO_UNDO,     NOKEY, "into the leaf")	/* may take milliseconds, so the tether holds before it; nothing else runs outside the limits */ \
	ROW(ns_wait,         INIT,              NO_UNDO,     NOKEY, "for ns.go")	/* end of file here: the keeper died before the tether held */ \
	ROW(ns_enter,        INIT | ENTER,      NO_UNDO,     NOKEY, "the others")	/* the cgroup namespace roots where we stand: after cg.enter */ \
	ROW(ns_root,         OF(users, INIT | ENTER), NO_UNDO,     NOKEY, "become root")	/* uid 0 of the box, as its maps have it */ \
	ROW(ns_sysctl,       INIT,              NO_UNDO,     KEY(SYSCTL), "")	/* before /proc/sys is read-only */ \
	ROW(ns_host,         INIT | NEW(UTS),   NO_UNDO,     KEYS(HOSTNAME, DOMAINNAME), "") \
	ROW(ns_loopback,     INIT | NEW(NET),   NO_UNDO,     NOKEY, "lo up") \
	ROW(ns_clock,        INIT | NEW(TIME),  NO_UNDO,     KEYS(CLOCK_MONOTONIC, CLOCK_BOOTTIME), "")	/* frozen by the next fork, and only children are in it */ \
	ROW(rootfs_private,  INIT | NEW(MNT),   NO_UNDO,     NOKEY, "no mount shows outside")	/* before any mount: nothing of ours shows outside */ \
	ROW(rootfs_root,     INIT | NEW(MNT),   NO_UNDO,     KEY(ROOT), "") \
	ROW(caps_user,       INIT | ENTER,      NO_UNDO,     KEYS(USER, UMASK), "")	/* names are the box's own: looked up in its root, before mounts that they own */ \
	ROW(rootfs_mounts,   INIT | NEW(MNT),   NO_UNDO,     KEYS(BIND, ETC), "") \
	ROW(rootfs_dev,      INIT | NEW(MNT),   NO_UNDO,     KEY(DEVICE), "nodes and links") \
	ROW(init_pty,        OF(tty, INIT | ENTER), NO_UNDO,     KEY(TTY), "")	/* from the box's own devpts */ \
	ROW(init_output,     OF(log, INIT),     NO_UNDO,     NOKEY, "a pipe to the keeper")	/* it is the user's */ \
	ROW(rootfs_masks,    INIT | NEW(MNT),   NO_UNDO,     KEYS(MASK, READONLY), "")	/* last of the mounts: nothing may cover a mask */ \
	ROW(init_createcontainer, OF(hooks, INIT), NO_UNDO,     NOKEY, "hook.prestart, then hook.createcontainer")	/* all is mounted, and the host's programs are still there */ \
	ROW(rootfs_pivot,    INIT | NEW(MNT),   NO_UNDO,     NOKEY, "detach the host's tree")	/* the host's tree is gone from here */ \
	ROW(rootfs_verify,   INIT | NEW(MNT),   NO_UNDO,     NOKEY, "mounts are as planned")	/* our own mount table against the plan */ \
	ROW(init_lend,       OF(ready, INIT),   NO_UNDO,     NOKEY, "a root to look in")	/* as the program will see it */ \
	ROW(caps_bound,      INIT | ENTER,      NO_UNDO,     NOKEY, "drop what caps= has not")	/* once for INIT and PROG: 41 calls */ \
	ROW(caps_nnp,        INIT | ENTER,      NO_UNDO,     KEY(NO_NEW_PRIVS), "") \
	ROW(init_fork,       INIT,              NO_UNDO,     KEY(PID1), "the program's process") \
	\
	ROW(init_tty,        PROG,              NO_UNDO,     NOKEY, "a session")	/* a session of its own, the pty its terminal */ \
	ROW(init_page,       PROG,              NO_UNDO,     KEY(EXEC_ONCE), "the only path")	/* while CAP_SYS_RAWIO is there */ \
	ROW(caps_keyring,    PROG,              NO_UNDO,     KEY(KEYRING), "") \
	ROW(caps_label,      PROG,              NO_UNDO,     KEYS(APPARMOR, SELINUX), "")	/* through the host's /proc: the box's may be anything */ \
	ROW(caps_sched,      PROG,              NO_UNDO,     KEYS(NICE, AFFINITY), "")	/* while CAP_SYS_NICE is there */ \
	ROW(caps_rlimits,    PROG,              NO_UNDO,     KEY(RLIMIT), "")	/* while CAP_SYS_RESOURCE is there; never on PID 1 */ \
	ROW(caps_ids,        PROG,              NO_UNDO,     NOKEY, "groups, gid, uid")	/* groups, gid, uid: while CAP_SETGID and CAP_SETUID are there */ \
	ROW(caps_sets,       PROG,              NO_UNDO,     KEYS(CAPS, SECUREBITS), "")	/* the five sets and securebits */ \
	ROW(caps_readback,   PROG,              NO_UNDO,     NOKEY, "rights are as planned")	/* one read of /proc/self/status: what holds, not what was asked */ \
	ROW(init_pass,       OF(sockets, PROG), NO_UNDO,     NOKEY, "to its numbers")	/* behind rlimit.nofile, which they have to be below */ \
	ROW(caps_close,      PROG,              NO_UNDO,     NOKEY, "all but 0, 1, 2")	/* closed, not marked: execve's own path may be /proc/self/fd/N */ \
	ROW(init_once,       PROG,              NO_UNDO,     KEY(EXEC_ONCE), "nobody can put another one")	/* when all rights are gone */ \
	ROW(init_enter,      OF(exec, ENTER),   NO_UNDO,     NOKEY, "")	/* exec: what is seen inside has no more rights than this; nothing of the host is open */ \
	ROW(init_cwd,        PROG,              NO_UNDO,     KEY(CWD), "")	/* as the user, with nothing open that leads out */ \
	ROW(init_startcontainer, OF(hooks, PROG), NO_UNDO,     NOKEY, "hook.startcontainer")	/* a program of the box has the rights of the box; the start may still fail */ \
	ROW(init_report,     PROG,              NO_UNDO,     NOKEY, "ready")	/* ready; waits for the release byte */ \
	ROW(caps_retether,   PROG,              NO_UNDO,     NOKEY, "die with PID 1")	/* a change of ids forgets the death signal */ \
	ROW(init_signals,    PROG,              NO_UNDO,     NOKEY, "unblock all") \
	ROW(filter_load,     PROG,              NO_UNDO,     KEYS(SYSCALLS, EXEC_ONCE), "")	/* last: it may forbid all of the above */ \
	ROW(init_exec,       PROG,              NO_UNDO,     KEYS(EXEC, ENV), "") \
	\
	ROW(init_rights,     INIT,              NO_UNDO,     NOKEY, "keep CAP_KILL alone")	/* PROG is born: from here CAP_KILL is enough */ \
	ROW(init_filter,     INIT,              NO_UNDO,     NOKEY, "its own") \
	ROW(init_reap,       INIT,              NO_UNDO,     NOKEY, "and forward")	/* does not return */ \
	\
	ROW(init_prestart,   OF(hooks, HOST),   NO_UNDO,     KEY(HOOK), "")	/* from here on poststop is due */ \
	ROW(filter_keep,     OF(learn, HOST),   NO_UNDO,     KEY(SYSCALLS_LOG), "")	/* what is answered by; and INIT is born without it */ \
	ROW(init_ready,      HOST,              NO_UNDO,     NOKEY, "wait for init.report") \
	ROW(cg_narrow,       HOST,              NO_UNDO,     NOKEY, "devices of PID 1 alone")	/* it has made its nodes, and the program is not there yet */ \
	ROW(init_look,       OF(ready, HOST),   NO_UNDO,     KEY(READY), "who looks whether it is")	/* the last that may fail */ \
	ROW(init_release,    HOST,              NO_UNDO,     NOKEY, "the commit point")	/* the commit point */ \
	ROW(init_up,         HOST,              NO_UNDO,     NOKEY, "wait for the exec") \
	ROW(init_poststart,  OF(hooks, HOST),   NO_UNDO,     NOKEY, "hook.poststart")

/* The same rows again and again: numbers, names, texts, bytes, calls. No pointers: each
 * would cost a relocation and dirty a page in every process of every box. */
#define NUMBER(f, side, undo, keys, what)	ROW_##f,
enum { STAGES(NUMBER) NSTAGES };

#define NAME(f, side, undo, keys, what)		#f "\0"
static const char names[] = TEXT STAGES(NAME);

#define WHAT(f, side, undo, keys, what)		what "\0"
static const char whats[] = TEXT STAGES(WHAT);

#define STAGE(f, side, undo, keys, what)	{ side, (keys) & 255, (keys) >> 8 },
static const struct stage stages[] = { STAGES(STAGE) };

static int make(int row, struct run *r)
{
#define MAKE(f, side, undo, keys, what)	case ROW_##f: return (side) ? f(r) : 0;
	switch (row) {
	STAGES(MAKE)
	}
	return 0;
}

static void unmake(int row, struct left *l)
{
#define UNDO(f, side, undo, keys, what)	case ROW_##f: undo(l); break;
	switch (row) {
	STAGES(UNDO)
	}
}

int stage_count(void)
{
	return NSTAGES;
}

const struct stage *stage_row(int row)
{
	return &stages[row];
}

const char *stage_what(int row)
{
	return nth(whats, row);
}

/* "rootfs.pivot" for rootfs_pivot: the first underscore is the dot */
const char *stage_name(int row)
{
	static char name[32];
	char *dot;

	fmt(name, sizeof name, "%s", nth(names, row));
	if ((dot = strchr(name, '_')))
		*dot = '.';
	return name;
}

void stage_at(struct run *r, const char *name)
{
	for (r->row = 0; r->row < NSTAGES && !same(stage_name(r->row), name); r->row++)
		;
}

/* What to do, where an error of a row has one usual cause. */
#define HINTS(H) \
	H(init_state, EALREADY, "husk restart, or husk exec for another program in it") \
	H(ns_clone, EPERM, "no CAP_SYS_ADMIN: ns.user=new, in a container use=host; or CONFIG_USER_NS, user.max_user_namespaces, kernel.unprivileged_userns_clone") \
	H(ns_clone, EINVAL, "not in this kernel: CONFIG_PID_NS, _NET_NS, _IPC_NS, _UTS_NS or _USER_NS") \
	H(ns_clone, ENOSPC, "a limit below /proc/sys/user/max_*_namespaces is reached") \
	H(ns_clone, EAGAIN, "a limit of processes is reached: pids.max or rlimit.nproc") \
	H(cg_make, EAGAIN, "cgroup.max.descendants or cgroup.max.depth of one above it") \
	H(cg_enter, EACCES, "cgroup.procs of the one above both has to be ours, too") \
	H(cg_enter, EOPNOTSUPP, "a cgroup above it is threaded, or has processes in it") \
	H(cg_enter, ENOSPC, "cpuset is in the same hierarchy: cpuset.cpus= makes it ready for processes") \
	H(init_fork, EAGAIN, "pids.max is too small for PID 1 and the program") \
	H(init_log, ENOTDIR, "no link on the way is followed: write where it leads") \
	H(init_listen, ENOTDIR, "no link on the way is followed: write where it leads") \
	H(init_listen, EADDRINUSE, "somebody listens there") \
	H(init_listen, EADDRNOTAVAIL, "no interface has this address") \
	H(init_listen, EACCES, "ports below net.ipv4.ip_unprivileged_port_start are root's") \
	H(init_listen, EAFNOSUPPORT, "CONFIG_IPV6, or ipv6.disable=1") \
	H(init_enter, EACCES, "PID 1 shows its namespaces to root alone") \
	H(init_enter, EAGAIN, "pids.max or rlimit.nproc is reached") \
	H(init_filter, EINVAL, "CONFIG_SECCOMP_FILTER") \
	H(init_filter, ENOSYS, "CONFIG_SECCOMP_FILTER") \
	H(init_page, EPERM, "exec.once needs CAP_SYS_RAWIO of the host") \
	H(init_exec, ENOENT, "it, its ld.so or its #! interpreter is not in the box") \
	H(init_exec, EACCES, "no x in its mode, a directory, or a noexec mount") \
	H(init_exec, ENOEXEC, "a script without #!, or made for another machine or ABI") \
	H(filter_load, EINVAL, "CONFIG_SECCOMP_FILTER") \
	H(filter_load, EBUSY, "a filter above this one has a listener") \
	H(filter_load, ENOSYS, "CONFIG_SECCOMP") \
	H(rootfs_mounts, ENOTDIR, "a directory cannot lie on a file") \
	H(rootfs_mounts, EPERM, "a user namespace mounts no disk, nor proc and sysfs where a container hides parts of them") \
	H(rootfs_mounts, ENODEV, "this file system is not in the kernel") \
	H(rootfs_sources, ENOENT, "make it, or put ? before the line") \
	H(rootfs_private, EINVAL, "/ is no mount point here: a chroot") \
	H(caps_keyring, EPERM, "a filter above refuses it: keyring=no") \
	H(caps_sched, EPERM, "CONFIG_RT_GROUP_SCHED gives this cgroup no realtime share, or not root")

const char *stage_hint(int row, int err)
{
#define WHEN(f, err, what)	{ ROW_##f, err },
#define HINT(f, err, what)	what "\0"
	static const struct { uint8_t row, err; } when[] = { HINTS(WHEN) };
	static const char hints[] = TEXT HINTS(HINT);
	unsigned i;

	for (i = 0; HAS(help) && i < sizeof when / sizeof *when; i++)
		if (when[i].row == row && when[i].err == err)
			return nth(hints, (int)i);
	return NULL;
}

int stages_run(struct run *r)
{
	int e;

	for (r->row = 0; r->row < NSTAGES; r->row++)
		if (stages[r->row].side & r->side && (e = make(r->row, r)) != 0)
			return e;
	return 0;
}

void stages_undo(struct left *l, int from)
{
	if (from < 0 || from >= NSTAGES)
		from = NSTAGES - 1;
	for (; from >= 0; from--)
		unmake(from, l);
}
