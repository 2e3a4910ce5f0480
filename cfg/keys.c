/*
 * keys.c - THE other table: the words of the configuration language.
 *
 * One row per key: name, type, where it goes in struct box, flags; then for
 * people: its values, its default, one line of help. The parser, husk show,
 * husk help and the manual page's list (man.sh reads these very lines) come
 * from here. A CHOICE takes its words from the values column.
 *
 * No pointers: each would cost a relocation and dirty a page. Flags:
 *	LIST	several lines add up, `key=` empties it
 *	SKIP	`?` may stand before it; never before rights
 *	BOARD	board.conf knows it too
 *	SUB	the name goes on: rlimit.nofile
 */
#include <string.h>

#include "husk.h"

#define KEYS(K) \
	/* PROGRAM */ \
	K("exec", EXEC, argv, LIST, "PATH ARG ...", "", "the program; a second exec= line goes on with more arguments") \
	K("cwd", CWD, cwd, 0, "DIR", "/", "where it starts, inside") \
	K("env", ENV, env, LIST, "NAME=VALUE | NAME", "PATH, container", "set, or pass one through from outside; nothing else comes in") \
	K("user", USER, who, 0, "NAME[:GROUP] | UID[:GID] | auto", "auto", "auto: a number of its own, from the box's name; UID alone: GID the same") \
	K("groups", GROUPS, groups, LIST, "NAME,GID", "", "supplementary groups") \
	K("umask", UMASK, umask, 0, "OCTAL", "022", "of the program") \
	K("tty", CHOICE, tty, 0, "no|yes", "no", "yes: a pty of the box's own") \
	K("pid1", CHOICE, pid1_program, 0, "husk|program", "husk", "who is process 1 inside") \
	/* FILES */ \
	K("root", ROOT, root, 0, "/ | DIR | tmpfs [:rw]", "/", "/ is the host's root file system alone, without what is mounted on it") \
	K("bind", BIND, mnt, LIST | SKIP, "HOST[:BOX][:OPTS]", "", "ro,nosuid,nodev; rw (then noexec) exec dev suid rec slave idmap optional create[=MODE]") \
	K("tmpfs", TMPFS, mnt, LIST, "BOX[:SIZE,mode=M,exec]", "", "a file system in memory; replaces a default mount on the same BOX") \
	K("mount", MOUNT, mnt, LIST | SKIP | BOARD, "SRC:BOX[:TYPE,OPTS]", "", "any file system") \
	K("mounts", MOUNTS, mounts, LIST, "default|none|-NAME", "default", "proc dev pts shm mqueue sys, tmpfs run (the user's) and tmp") \
	K("etc", ETC, etc, LIST, "NAME,...|none", "resolv.conf,hosts,localtime", "copies of the host's; without net: localtime only") \
	K("device", DEVICE, dev, LIST | SKIP, "HOST[:BOX][:rwm,mode=M]", "", "makes the node and allows it (default rw); HOST may hold *") \
	K("mask", PATHS, mask, LIST, "PATH", "OCI's list", "hidden; / at the end: a directory") \
	K("readonly", PATHS, ro, LIST, "PATH", "OCI's list", "not writable") \
	/* NAMESPACES */ \
	K("net", NS, ns[NS_NET], 0, "none | host | box:NAME | /PATH", "none", "none: a network of its own with only lo") \
	K("ns.pid", NS, ns[NS_PID], 0, "new | host | box:NAME | /PATH", "new", "processes") \
	K("ns.ipc", NS, ns[NS_IPC], 0, "new | host | box:NAME | /PATH", "new", "System V and POSIX queues, shared memory") \
	K("ns.uts", NS, ns[NS_UTS], 0, "new | host | box:NAME | /PATH", "new", "host name") \
	K("ns.mnt", NS, ns[NS_MNT], 0, "new | host | box:NAME | /PATH", "new", "mounts; not new: root, bind, tmpfs, mask are errors") \
	K("ns.cgroup", NS, ns[NS_CGROUP], 0, "new | host | box:NAME | /PATH", "new", "the view of the cgroup tree") \
	K("ns.user", NS, ns[NS_USER], 0, "new | host | box:NAME | /PATH", "host", "user ids") \
	K("ns.time", NS, ns[NS_TIME], 0, "new | host | box:NAME | /PATH", "host", "clocks; clock.* makes it new") \
	K("uidmap", MAP, uidmap, LIST, "IN:OUT:COUNT | auto", "auto", "only with ns.user=new; gidmap left out: the same") \
	K("gidmap", MAP, gidmap, LIST, "IN:OUT:COUNT | auto", "auto", "only with ns.user=new; uidmap left out: the same") \
	K("hostname", HOST, hostname, BOARD, "NAME", "the box's name", "with ns.uts=new") \
	K("domainname", HOST, domainname, 0, "NAME", "", "the NIS domain, with ns.uts=new") \
	K("clock.monotonic", CLOCK, clock_monotonic, 0, "[-]TIME", "", "added to the clock inside, whole seconds") \
	K("clock.boottime", CLOCK, clock_boottime, 0, "[-]TIME", "", "added to the clock inside, whole seconds") \
	/* LIMITS */ \
	K("memory.max", SIZE, lim[LIM_MEM], SKIP, "SIZE | % | max", "?50%", "more is killed; the box's files in memory count") \
	K("memory.swap.max", SIZE, lim[LIM_SWAP], SKIP, "SIZE | % | max", "", "0: nothing of it is swapped out") \
	K("pids.max", COUNT, lim[LIM_PIDS], SKIP, "N | max", "?256", "processes and threads, husk's PID 1 is one") \
	K("cpu.max", CPU, lim[LIM_CPU], SKIP, "N% | QUOTA PERIOD | max", "max", "50% is half of one CPU; microseconds") \
	K("cpu.weight", WEIGHT, lim[LIM_WEIGHT], SKIP, "N", "", "share when it is scarce; 100 is usual") \
	K("cgroup", CGROUP, cgroup, 0, "PATH", "", "husk/NAME is made below it; relative to the top of the hierarchy") \
	K("rlimit.", RLIMIT, rlim, SUB, "SOFT[:HARD]", "nofile 1024:4096, core 0", "setrlimit(2): nofile core nproc as stack memlock ...; unlimited") \
	K("nice", NICE, nice, 0, "N", "", "-20 first .. 19 last") \
	K("sched", SCHED, sched, 0, "other|batch|idle|fifo:N|rr:N", "", "policy; N 1..99") \
	K("ionice", IONICE, ioprio, 0, "rt:N | be:N | idle", "", "disk priority, N 0..7") \
	K("affinity", AFFINITY, affinity, 0, "CPU,CPU-CPU", "", "the CPUs it may run on") \
	K("oom_score_adj", OOM, oom_score_adj, 0, "N", "", "-1000 never .. 1000 first killed when memory is short") \
	/* RIGHTS */ \
	K("caps", CAPS, caps, LIST, "none|all|oci|NAME,-NAME", "none", "effective for the user whoever he is; opens the system calls that it is for") \
	K("caps.ambient", CAPS, ambient, LIST, "none|all|oci|NAME,-NAME", "caps= if the user is not root", "kept over exec by a user other than root") \
	K("caps.inheritable", CAPS, inheritable, LIST, "none|all|oci|NAME,-NAME", "caps.ambient=", "for files with inheritable capabilities") \
	K("securebits", SECBITS, securebits, 0, "none|noroot|noroot_locked|no_setuid_fixup|no_setuid_fixup_locked|keep_caps|keep_caps_locked|no_cap_ambient_raise|no_cap_ambient_raise_locked", "by caps", "capabilities(7); several with commas") \
	K("syscalls", SYSCALLS, syscalls, LIST, "@GROUP NAME -NAME NAME:ERRNO NAME(ARGS)", "@service", "first word with + or -: change the default; a name covers its 64/time64/32 twins") \
	K("syscalls.default", CHOICE, calls_default, 0, "EPERM|KILL|LOG", "EPERM", "the answer to what is not allowed") \
	K("no_new_privs", CHOICE, nnp, 0, "no|yes", "yes", "no: set-uid programs work") \
	K("keyring", CHOICE, keyring, 0, "no|yes", "yes", "a session keyring of its own") \
	K("apparmor", LABEL, apparmor, 0, "PROFILE", "", "loaded outside before") \
	K("selinux", LABEL, selinux, 0, "CONTEXT", "", "user:role:type:level of the program") \
	K("sysctl.", SYSCTL, sysctl, SUB | BOARD, "VALUE", "", "net.* kernel.sem,shm*,msg* fs.mqueue.* of its own namespaces; in board.conf: all") \
	K("reboot", ENUM, reboot, 0, "no|box|board", "no", "what reboot(2) and `reboot` inside do") \
	K("personality", PERSONA, persona, 0, "linux | linux32 | N", "", "personality(2); linux32: uname says a 32-bit machine") \
	/* LIFE */ \
	K("boot", CHOICE, boot, 0, "no|yes", "yes", "started with the board, or by hand only") \
	K("after", AFTER, after, LIST, "NAME", "", "order only: that box is up, failed or skipped") \
	K("stop.signal", SIGNAL, stop_signal, 0, "NAME | N", "TERM", "what asks the program to end") \
	K("stop.timeout", TIME, stop_ms, 0, "TIME", "5s", "then the whole tree is killed") \
	K("restart", ONLY, name, 0, "no", "no", "when the program has ended") \
	K("log", ENUM, log, 0, "inherit|none", "inherit", "where its output goes") \
	/* FILE */ \
	K("use", USE, name, 0, "service|daemon|netdev|host|oci|NAME", "service", "a preset, or /etc/husk/NAME.use") \
	K("include", INCLUDE, name, LIST, "FILE", "", "read before this file; one level") \
	K("name", NAME, name, 0, "NAME", "the file's", "letters digits _ + - . ; at most 64")

enum { LIST = K_LIST, SKIP = K_SKIP, BOARD = K_BOARD, SUB = K_SUB };

#define ROW(name, type, at, flags, values, def, help) { name, T_##type, flags, offsetof(struct box, at) },
static const struct key keys[] = { KEYS(ROW) };

#define VALUES(name, type, at, flags, values, def, help) values "\0"
static const char values[] = KEYS(VALUES);
#define DEFAULT(name, type, at, flags, values, def, help) def "\0"
static const char defaults[] = KEYS(DEFAULT);
#define HELP(name, type, at, flags, values, def, help) help "\0"
static const char helps[] = KEYS(HELP);

enum { NKEYS = sizeof keys / sizeof *keys };

_Static_assert(sizeof(struct box) < 65536, "offsets of keys.c are 16 bits wide");

int key_count(void)
{
	return NKEYS;
}

const struct key *key_row(int row)
{
	return &keys[row];
}

/* rlimit. is the start of rlimit.nofile, but not a key by itself */
int key_find(const char *name)
{
	int i;

	for (i = 0; i < NKEYS; i++) {
		if (keys[i].name[0] != name[0])
			continue;
		if (same(keys[i].name, name))
			return keys[i].flags & SUB ? -1 : i;
		if (keys[i].flags & SUB && starts(name, keys[i].name))
			return i;
	}
	return -1;
}

const char *key_text(int row, int i)
{
	const char *p = i == 0 ? values : i == 1 ? defaults : helps;

	while (row-- > 0)
		p += strlen(p) + 1;
	return p;
}
