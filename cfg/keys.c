/*
 * keys.c - THE other table: the words of the configuration language.
 *
 * One row per key, W where the program itself reads what a value is: its number KEY_X, name, type, where it goes in struct box, flags; what a
 * value is, as errors and husk help say it (of CHOICE and MOUNTS: the words);
 * then for the manual alone: one line of help, the default, and what else
 * there is to say. The parser, husk show, husk help and the manual page's
 * list (man.sh reads these very lines) come from here.
 *
 * No pointers: each would cost a relocation and dirty a page. Where nothing
 * stands, a value is what the row above says. A LIST of things is found by its count. Flags:
 *	LIST	several lines add up, `key=` empties it
 *	SKIP	`?` may stand before it; never before rights
 *	BOARD	board.conf knows it too; and from board.* on it alone does
 *	SUB	the name goes on: rlimit.nofile
 *	OPEN	is not set unless somebody says it; of all others that nobody has said
 *		it is the first word, or the first between ( )
 *	PATH	a path outside is first: ./x is relative to the file
 *	LIVE	husk update may change it in a box that runs; `key=` takes it away then
 *	EXEC	husk exec may say it of a program that goes into a box that runs
 */
#include <string.h>

#include "husk.h"

#define KEYS(K, W) \
	/* PROGRAM */ \
	K(EXEC, "exec", EXEC, narg, LIST | OPEN, "a program (/sbin/x, or x of PATH)", "then arguments", "", "a second line goes on with more arguments") \
	K(CWD, "cwd", CWD, cwd, EXEC, "an absolute path inside", "", "/", "where the program starts") \
	K(ENV, "env", ENV, nenv, LIST | EXEC, "NAME=VALUE or NAME, of one line", "a NAME alone: as outside", "PATH, container", "nothing else comes in") \
	K(USER, "user", USER, who, EXEC, "a user (auto, NAME, NAME:GROUP, UID, UID:GID)", "auto: one of its own", "auto", "made from the box's name; UID alone: GID the same; numbers 0..4294967294") \
	K(GROUPS, "groups", GROUPS, ngroup, LIST | EXEC, "a group (NAME or GID)", "more of them", "", "supplementary; numbers 0..4294967294") \
	K(UMASK, "umask", UMASK, umask, EXEC, "octal (022)", "", "022", "of the program") \
	W(TTY, "tty", YES, tty, 0, "no|yes", "a pty of its own; in the background it is for husk attach", "no", "where standard input ends, as a pipe does, one ^D is typed") \
	W(FORKS, "forks", YES, life.forks, 0, "no|yes", "goes to the background", "no", "the box ends with its last process, and its status is that one's; what stops it goes to all") \
	W(PID1, "pid1", CHOICE, pid1_program, 0, "husk|program", "", "husk", "who is process 1 inside") \
	W(ABI, "abi", CHOICE, abi, EXEC, "native|32|both", "whose programs run", "native", "32-bit programs on a 64-bit kernel; see SYSTEM CALLS") \
	/* FILES */ \
	K(ROOT, "root", ROOT, root, PATH, "a root (/, /DIR, ./DIR, tmpfs; then :rw or nothing)", "/: the host's alone", "/", "the host's root file system, without what is mounted on it") \
	K(BIND, "bind", BIND, nmnt, LIST | SKIP | PATH, "HOST[:BOX][:OPTS] (from / or ./, no .. in BOX, \\: is a colon; rw exec dev suid rec slave idmap create=755)", "ro,nosuid,nodev; optional as ?; create[=MODE]; rw brings noexec", "", "") \
	K(TMPFS, "tmpfs", TMPFS, nmnt, LIST | BOARD, "BOX[:SIZE,mode=M,exec] (from /, no ..)", "in memory", "", "replaces a default mount on the same BOX") \
	K(MOUNT, "mount", MOUNT, nmnt, LIST | SKIP | BOARD | PATH, "SRC:BOX[:TYPE,OPTS] (a device or a type; from /, no ..)", "", "", "any file system") \
	W(MOUNTS, "mounts", MOUNTS, mounts, LIST, "default|none|-proc|-dev|-pts|-shm|-mqueue|-sys|-run|-tmp", "", "default", "what the box has by itself; a tmpfs on /run is the user's") \
	K(ETC, "etc", ETC, netc, LIST, "none, or a name below /etc", "copied", "resolv.conf,hosts,localtime", "without net: localtime only") \
	K(DEVICE, "device", DEVICE, ndev, LIST | SKIP | PATH | LIVE, "HOST[:BOX][:rwm,mode=M] (below /dev/; one * in the last part, and no BOX then)", "HOST may hold *", "", "made and allowed; rw unless it says otherwise") \
	K(MASK, "mask", PATHS, nmask, LIST, "an absolute path inside", "hidden", "OCI's list", "/ at the end: a directory") \
	K(READONLY, "readonly", PATHS, nro, LIST, "", "not writable", "OCI's list", "") \
	K(DEVICES_ALLOW, "devices.allow", DEVRULE, ndevrule, LIST | LIVE, "a rule (a, or c 188:* rw: c, b or a, MAJOR:MINOR or *, some of rwm)", "without a node", "", "a: everything; for nodes that are bound, made inside or come later") \
	/* NAMESPACES */ \
	K(NET, "net", NS, ns[NS_NET], PATH, "none, host, box:NAME or /PATH", "none: only lo", "none", "a network of its own") \
	K(NS_PID, "ns.pid", NS, ns[NS_PID], PATH, "new, host, box:NAME or /PATH", "", "new", "processes") \
	K(NS_IPC, "ns.ipc", NS, ns[NS_IPC], PATH, "", "", "new", "queues and shared memory of System V and POSIX") \
	K(NS_UTS, "ns.uts", NS, ns[NS_UTS], PATH, "", "", "new", "the host name") \
	K(NS_MNT, "ns.mnt", NS, ns[NS_MNT], PATH, "", "", "new", "mounts; not new: root, bind, tmpfs, mask are errors") \
	K(NS_CGROUP, "ns.cgroup", NS, ns[NS_CGROUP], PATH, "", "", "new", "the view of the cgroup tree") \
	K(NS_USER, "ns.user", NS, ns[NS_USER], PATH, "", "", "host", "user ids") \
	K(NS_TIME, "ns.time", NS, ns[NS_TIME], PATH, "", "", "host", "clocks; clock.monotonic and clock.boottime make it new") \
	K(UIDMAP, "uidmap", MAP, nuidmap, LIST, "auto or IN:OUT:COUNT (0:100000:65536, to 4294967294)", "with ns.user=new", "auto", "at most 16 ranges of 0..4294967294; gidmap left out: the same") \
	K(GIDMAP, "gidmap", MAP, ngidmap, LIST, "", "with ns.user=new", "auto", "uidmap left out: the same") \
	K(HOSTNAME, "hostname", HOST, hostname, BOARD | OPEN, "a host name (letters digits _ + - . ; at most 64)", "", "the box's name", "with ns.uts=new") \
	K(DOMAINNAME, "domainname", HOST, domainname, OPEN, "", "", "", "of NIS, with ns.uts=new") \
	K(CLOCK_MONOTONIC, "clock.monotonic", CLOCK, clock_monotonic, OPEN, "a time in whole seconds (90s, -2h, 10d)", "", "", "added to the clock inside") \
	K(CLOCK_BOOTTIME, "clock.boottime", CLOCK, clock_boottime, OPEN, "", "", "", "added to the clock inside") \
	/* LIMITS */ \
	K(MEMORY_MAX, "memory.max", SIZE, lim[LIM_MEM], SKIP | OPEN | LIVE, "a size from 64K (4M, 512K, 25%, max)", "", "?50%", "more is killed; the box's files in memory count; K, M, G of 1024, or % of RAM (1%..100%)") \
	K(MEMORY_HIGH, "memory.high", SIZE, lim[LIM_HIGH], SKIP | OPEN | LIVE, "", "", "max", "above it the box is slowed down and its memory taken back; v2 alone") \
	K(MEMORY_LOW, "memory.low", SIZE, lim[LIM_LOW], SKIP | OPEN | LIVE, "a size (0, 4M, 25%, max)", "", "0", "so much is left to it while others have memory to give; v2 alone") \
	K(MEMORY_MIN, "memory.min", SIZE, lim[LIM_MIN], SKIP | OPEN | LIVE, "", "", "0", "so much is never taken from it; v2 alone") \
	K(MEMORY_SWAP_MAX, "memory.swap.max", SIZE, lim[LIM_SWAP], SKIP | OPEN | LIVE, "", "", "max", "0: nothing of it is swapped out; on v1 memory.max must be said, too") \
	W(MEMORY_OOM_GROUP, "memory.oom.group", WEIGHT, lim[LIM_OOM], SKIP | OPEN | LIVE, "a number of 0..1", "", "0", "1: who is killed for want of memory takes all along; v2 alone") \
	W(PIDS_MAX, "pids.max", COUNT, lim[LIM_PIDS], SKIP | OPEN | LIVE, "a number of 2..4194304, or max", "", "?256", "processes and threads; husk's PID 1 is one") \
	K(CPU_MAX, "cpu.max", CPU, lim[LIM_CPU], SKIP | OPEN | LIVE, "a share of CPUs (50%, 20000 100000 of 1000..1000000, max)", "microseconds", "max", "50% is half of one CPU; quota and period, this one 1000..1000000") \
	W(CPU_MAX_BURST, "cpu.max.burst", WEIGHT, lim[LIM_BURST], SKIP | OPEN | LIVE, "a number of 0..99999999", "microseconds", "0", "of its quota, saved up; with cpu.max, and not above it; from Linux 5.14") \
	W(CPU_WEIGHT, "cpu.weight", WEIGHT, lim[LIM_WEIGHT], SKIP | OPEN | LIVE, "a number of 1..10000", "100 is usual", "", "the share when it is scarce") \
	W(CPU_WEIGHT_NICE, "cpu.weight.nice", WEIGHT, lim[LIM_CPUNICE], SKIP | OPEN | LIVE, "a number of -20..19", "", "", "the same, as nice says it") \
	W(CPU_IDLE, "cpu.idle", WEIGHT, lim[LIM_IDLE], SKIP | OPEN | LIVE, "a number of 0..1", "", "0", "1: only what nobody else wants; from Linux 5.15") \
	W(CPU_RT_PERIOD, "cpu.rt_period_us", WEIGHT, lim[LIM_RT_PERIOD], SKIP | OPEN | LIVE, "a number of 1000..60000000", "microseconds", "1000000", "the period of cpu.rt_runtime_us") \
	W(CPU_RT_RUNTIME, "cpu.rt_runtime_us", WEIGHT, lim[LIM_RT], SKIP | OPEN | LIVE, "a number of 0..60000000", "microseconds", "0", "of each period, for sched=fifo and rr; v1 alone") \
	W(CPUSET_PARTITION, "cpuset.cpus.partition", PART, lim[LIM_PARTITION], SKIP | OPEN | LIVE, "member|root|isolated", "", "member", "v2 alone, below a partition") \
	K(CPUSET_CPUS, "cpuset.cpus", KNOB, nknob, SKIP | OPEN | LIVE, "CPUs (0, 2-3,5; 1023 at most)", "", "", "where it may run, and nobody of it may change that") \
	K(CPUSET_MEMS, "cpuset.mems", KNOB, nknob, SKIP | OPEN | LIVE, "memory nodes (0, 2-3,5; 1023 at most)", "", "", "whose memory it gets") \
	K(IO_MAX, "io.max", KNOB, nknob, LIST | SKIP | OPEN | LIVE, "DEVICE:rbps=SIZE,wbps=SIZE,riops=N,wiops=N (/dev/sda or MAJOR:MINOR; max)", "", "", "in a second; what is not said is max; whole disks alone") \
	K(IO_WEIGHT, "io.weight", KNOB, nknob, LIST | SKIP | OPEN | LIVE, "DEVICE:N or N of 1..10000", "", "100", "for io.cost and BFQ, which knows 1..1000") \
	K(IO_LATENCY, "io.latency", KNOB, nknob, LIST | SKIP | OPEN | LIVE, "DEVICE:target=TIME to 60s (75ms; microseconds)", "", "", "who is slower than that slows its neighbours; v2 alone") \
	K(HUGETLB, "hugetlb.", KNOB, nknob, SUB | SKIP | OPEN | LIVE, "a size (0, 4M, 25%, max; of hugetlb.2MB.max)", "", "", "hugetlb.2MB.max, hugetlb.2MB.rsvd.max: of pages of that size") \
	K(RDMA_MAX, "rdma.max", KNOB, nknob, LIST | SKIP | OPEN | LIVE, "DEVICE:hca_handle=N,hca_object=N (max)", "", "", "what is not said is max") \
	K(MISC_MAX, "misc.max", KNOB, nknob, LIST | SKIP | OPEN | LIVE, "NAME:N, or max", "", "", "what misc.capacity lists") \
	K(NET_CLS, "net_cls.classid", KNOB, nknob, SKIP | OPEN | LIVE, "a number to 4294967295 or 0xffffffff", "", "0", "for tc and iptables; v1 alone") \
	K(NET_PRIO, "net_prio.ifpriomap", KNOB, nknob, LIST | SKIP | OPEN | LIVE, "INTERFACE:N to 4294967295", "", "", "v1 alone") \
	K(KNOB, "CONTROLLER.", KNOB, nknob, SUB | SKIP | OPEN | LIVE, "VALUE, as the kernel prints it", "", "", "any other file of memory, cpu, cpuset, pids, io, blkio, hugetlb, rdma, misc, net_cls or net_prio (memory.swappiness)") \
	K(CGROUP, "cgroup", CGROUP, cgroup, OPEN, "NAME/NAME, relative to the top of the hierarchy", "husk/NAME goes below", "", "") \
	K(RLIMIT, "rlimit.", RLIMIT, rlim, SUB | EXEC, "SOFT[:HARD], not above HARD (1024:4096, 16M, unlimited)", "", "nofile 1024:4096, core 1", "setrlimit(2): nofile core nproc as stack memlock and the others") \
	W(NICE, "nice", NICE, nice, OPEN | EXEC, "a number of -20..19", "-20 first", "", "") \
	K(SCHED, "sched", SCHED, sched, OPEN | EXEC, "a policy (other, batch, idle, fifo:1..99, rr:1..99)", "", "", "sched(7)") \
	K(IONICE, "ionice", IONICE, ioprio, OPEN | EXEC, "a class (rt:0..7, be:0..7, idle)", "", "", "of the disk") \
	K(AFFINITY, "affinity", AFFINITY, affinity, OPEN | EXEC, "a CPU (0, 2-3; 1023 at most)", "", "", "where it may run") \
	W(OOM_SCORE_ADJ, "oom_score_adj", OOM, oom_score_adj, OPEN | EXEC, "a number of -1000..1000", "1000: killed first", "", "-1000: never, when memory is short") \
	/* RIGHTS */ \
	K(CAPS, "caps", CAPS, caps, LIST | EXEC, "none, all, oci, NAME or -NAME", "", "none", "effective for the user whoever he is; opens the system calls that it is for") \
	K(CAPS_AMBIENT, "caps.ambient", CAPS, ambient, LIST | OPEN | EXEC, "", "kept over exec", "caps= if the user is not root", "by a user other than root") \
	K(CAPS_INHERITABLE, "caps.inheritable", CAPS, inheritable, LIST | OPEN | EXEC, "", "", "caps.ambient=", "for files with inheritable capabilities") \
	W(SECUREBITS, "securebits", SECBITS, securebits, OPEN | EXEC, "none|noroot|noroot_locked|no_setuid_fixup|no_setuid_fixup_locked|keep_caps|keep_caps_locked|no_cap_ambient_raise|no_cap_ambient_raise_locked", "", "by caps", "several with commas; see capabilities(7)") \
	K(SYSCALLS, "syscalls", SYSCALLS, nsyscall, LIST | EXEC, "@GROUP NAME -NAME NAME:ERRNO NAME(TESTS), see SYSTEM CALLS in husk.conf(5)", "+ or - first: changes @service", "@service", "a name covers its 64/time64/32 twins") \
	W(SYSCALLS_DEFAULT, "syscalls.default", CHOICE, calls_default, EXEC, "EPERM|KILL|LOG", "", "EPERM", "the answer to what is not allowed") \
	W(SYSCALLS_LOG, "syscalls.log", YES, calls_log, 0, "no|yes", "who is refused what", "no", "a line for each call that is refused with an errno, with the key to write; from Linux 5.0") \
	K(SOCKETS, "sockets", SOCKETS, sockets, LIST | OPEN | EXEC, "none, all, NAME or -NAME", "added to these four", "unix,inet,inet6,netlink; all with syscalls=@all", "address families: packet can bluetooth vsock alg and others; how, says SYSTEM CALLS") \
	W(EXEC_ONCE, "exec.once", YES, exec_once, 0, "no|yes", "nothing else is executed", "no", "what exec= says is the last execve of the box") \
	W(NO_NEW_PRIVS, "no_new_privs", YES, nnp, EXEC, "no|yes", "no: set-uid works", "yes", "") \
	W(KEYRING, "keyring", YES, keyring, EXEC, "no|yes", "of the session", "yes", "one of its own") \
	K(APPARMOR, "apparmor", LABEL, apparmor, OPEN | EXEC, "a profile", "loaded before", "", "outside") \
	K(SELINUX, "selinux", LABEL, selinux, OPEN | EXEC, "a context", "", "", "user:role:type:level of the program") \
	K(SYSCTL, "sysctl.", SYSCTL, nsysctl, SUB | BOARD, "VALUE", "of its namespaces", "", "net.* with a net, kernel.sem kernel.shm* kernel.msg* fs.mqueue.* with an ipc namespace of its own; in board.conf all; without a VALUE that is emptied") \
	W(REBOOT, "reboot", CHOICE, reboot, 0, "no|box|board", "what it does inside", "no", "of reboot(2)") \
	K(PERSONALITY, "personality", PERSONA, persona, OPEN | EXEC, "linux, linux32 or a number", "", "", "personality(2); linux32: uname says a 32-bit machine") \
	/* LIFE */ \
	W(BOOT, "boot", YES, boot, 0, "no|yes", "with the board", "yes", "or started by hand only") \
	K(IF, "if", IF, nif, LIST, "[!]PATH, absolute", "!: it must not be there", "", "else the box is not started: state skipped") \
	K(BEFORE, "before", BEFORE, nbefore, LIST, "the name of a box, or *", "", "", "the other way round, of the boxes of a board") \
	K(AFTER, "after", AFTER, nafter, LIST, "the name of a box, a /PATH, or *", "*: all others; order only", "", "that box is ready, failed or skipped; that path is there") \
	K(NEEDS, "needs", NEEDS, nneeds, LIST, "the name of a box, or a /PATH", "after it, and never without it", "", "stopped when it goes, started again when it is back") \
	K(STOP_SIGNAL, "stop.signal", SIGNAL, life.stop_signal, 0, "a signal", "asks it to end", "TERM", "a name with or without SIG, or 1..64") \
	K(RELOAD_SIGNAL, "reload.signal", SIGNAL, life.reload_signal, 0, "", "by husk reload", "HUP", "") \
	K(STOP_TIMEOUT, "stop.timeout", TIME, life.stop_ms, 0, "a time to 1d (500ms, 5s, 10m)", "then all is killed", "5s", "at most a day; ms s m h d") \
	K(READY, "ready", READY, life.ready, 0, "one of (start, exit, notify, fd:N of 3..255, port:N, /PATH)", "when it is", "start", "see READINESS") \
	K(START_TIMEOUT, "start.timeout", TIME, life.ready_ms, OPEN, "a time to 1d (500ms, 5s, 10m)", "not ready by then: stopped", "30s", "0, and the default of ready=exit: it may take as long as it likes") \
	K(WATCHDOG, "watchdog", TIME, life.watchdog_ms, OPEN, "", "calls in, or is killed", "", "by sd_notify WATCHDOG=1; see READINESS") \
	K(RESTART, "restart", RESTART, life.restart, 0, "a restart (no, on-failure, always 1s..30s 5/1h; A..B to 1d, N to 32)", "after a delay of A to B; no more after N in TIME", "no", "1s..1m: it doubles; who lives for B begins with A again") \
	W(GIVEUP, "giveup", CHOICE, life.giveup, 0, "stay|reboot|rescue", "then", "stay", "of a board alone; rescue: a shell on its console") \
	K(LOG, "log", LOG, life.log, PATH | OPEN, "ring, none, inherit, kmsg, syslog or /PATH, then :SIZE,keep=N,mode=M (4K to 1G, 0..9)", "of its output", "ring:16K, in the foreground inherit", "SIZE: of the ring, or of a file that is kept N times; see LOG") \
	K(LOG_RATE, "log.rate", RATE, life.log_rate, 0, "a rate (200/s, 10/m, 1/h, max)", "lines; the rest is counted", "200/s", "what is more is dropped, and one line says how many") \
	K(HOOK, "hook.", HOOK, nhook, LIST | SUB | OPEN, "PATH ARG ... of prestart, createcontainer, startcontainer, poststart or poststop (PATH from /)", "at that moment", "", "see HOOKS; one hook a line, eight at most") \
	K(FD, "fd", FD, nfd, LIST | SKIP | OPEN, "N:PATH[:OPT] (N of 3..255, PATH from /; ro, rw, append)", "a file of outside", "", "opened at each start, and passed on as descriptor N; eight at most") \
	K(LISTEN, "listen", LISTEN, nlisten, LIST | OPEN, "PORT, ADDRESS:PORT (127.0.0.1:80, [::1]:80; udp: before it) or /PATH[:mode=M,user=U]", "a socket of outside", "", "made outside, passed on as descriptor 3 and up (LISTEN_FDS), open as long as the box is supervised; eight at most") \
	/* FILE */ \
	K(USE, "use", USE, name, 0, "service|daemon|netdev|host|oci|NAME", "a preset", "service", "NAME: of the file NAME.use") \
	K(INCLUDE, "include", INCLUDE, name, LIST, "FILE", "", "", "read before this file; one level") \
	K(NAME, "name", NAME, name, 0, "a name (letters digits _ + - . ; at most 64; not board)", "", "the file's", "of the box; two files of one name are one box") \
	/* BOARD */ \
	K(BOARD_CONSOLE, "board.console", CONSOLE, board.nconsole, LIST | OPEN | BOARD, "TTY[:ask] [PATH ARG ...] (ttyS0, console; %t is TTY)", "somebody to talk to", "", "started again when it ends; without a program a shell, after Enter; see BOARD") \
	K(BOARD_MODULE, "board.module", MODULE, board.nmodule, LIST | BOARD, "NAME ARG=VALUE ...", "a kernel module, loaded", "", "with those that it needs, by modules.dep; before disks are looked for") \
	K(BOARD_ROOT, "board.root", BROOT, board.root, BOARD, "DISK[:TYPE,OPTS] (cmdline, no, /dev/X, LABEL=X, UUID=X, PARTLABEL=X, PARTUUID=X)", "of an initramfs alone", "cmdline", "see DISKS; cmdline: root= rootfstype= rootflags= rootwait init= of the kernel") \
	K(BOARD_OVERLAY, "board.overlay", OVERLAY, board.overlay, OPEN | BOARD, "SIZE from 64K or DIR (64M, 10%, /data/overlay)", "what is written goes there", "", "the root file system is read-only below it; a DIR lies on a disk that mount= has mounted") \
	K(BOARD_STOP, "board.stop.timeout", TIME, board.stop_ms, BOARD, "a time to 1d (30s, 2m)", "then all is ended", "30s", "how long all boxes together may take to stop; the stop.timeout of one may be longer") \
	K(BOARD_WATCHDOG, "board.watchdog", DOG, board.dog, BOARD | SKIP | OPEN, "DEVICE:TIME[:TIME] (/dev/watchdog0:30s; 1s to 1d; of the pretimeout, less)", "who feeds it: PID 1", "", "a machine whose PID 1 hangs starts anew") \
	K(BOARD_WATCHDOG_STOP, "board.watchdog.stop", TIME, board.dog_stop_ms, BOARD | OPEN, "a time to 1d (30s, 2m)", "on the way down", "as before", "") \
	K(BOARD_GOOD, "board.good", GOOD, board.good, BOARD | OPEN, "PATH ARG ... (PATH from /)", "run once, when all boxes are up", "", "all of boot=yes: ready, done or skipped; nothing of board.conf missing; in 10 s") \
	K(BOARD_TIMEOUT, "board.timeout", TIME, board.good_ms, BOARD | OPEN, "a time to 1d (30s, 2m)", "not good by then: board.fail", "", "good: all boxes are up, and board.good has ended with 0") \
	W(BOARD_FAIL, "board.fail", CHOICE, board.fail, BOARD, "stay|reboot|rescue", "then", "stay", "reboot: after an orderly way down; rescue: a shell on the console") \
	K(BOARD_LOCAL, "board.local", CWD, board.local, BOARD | OPEN, "an absolute path", "DIR/NAME.conf lies over NAME.conf", "", "the layer between a file and the command line")

enum { LIST = K_LIST, SKIP = K_SKIP, BOARD = K_BOARD, SUB = K_SUB, OPEN = K_OPEN, PATH = K_PATH, LIVE = K_LIVE, EXEC = K_EXEC };

#define ROW(id, name, type, at, flags, what, help, def, more) [KEY_##id] = { T_##type, flags, offsetof(struct box, at) },
static const struct key keys[] = { KEYS(ROW, ROW) };

/* Each name behind its length: most are not the one that is looked for, and no letter of
 * them is read. */
#define FIELD(id, name, type, at, flags, what, help, def, more) uint8_t n_##id; char (id)[sizeof(name)];
#define NAME(id, name, type, at, flags, what, help, def, more) sizeof(name) - 1, name,
static const struct { KEYS(FIELD, FIELD) } names = { KEYS(NAME, NAME) };
#define WHAT(id, name, type, at, flags, what, help, def, more) what "\0"
static const char whats[] = TEXT KEYS(WHAT, WHAT);
#define NO_WHAT(id, name, type, at, flags, what, help, def, more) "\0"
static const char words[] = TEXT KEYS(NO_WHAT, WHAT);

#define DEFAULT(id, name, type, at, flags, what, help, def, more) def "\0"
static const char defs[] = TEXT KEYS(DEFAULT, DEFAULT);

#define NTH(id, name, type, at, flags, what, help, def, more) NTH_##id,
#define ORDER(id, name, type, at, flags, what, help, def, more) _Static_assert((int)NTH_##id == (int)KEY_##id, name);
enum { KEYS(NTH, NTH) NKEYS };
KEYS(ORDER, ORDER)

_Static_assert(sizeof(struct box) < 65536, "offsets of keys.c are 16 bits wide");
_Static_assert(NKEYS <= 8 * sizeof ((struct reading *)0)->said, "a bit of said for each key");

/* Which keys are of a part: from one to another of the table. man.sh reads this, too. */
#define KEYS_OF(K) \
	K(tty, TTY, TTY) \
	K(users, NS_USER, NS_USER) \
	K(users, UIDMAP, GIDMAP) \
	K(knobs, CPUSET_CPUS, KNOB) \
	K(learn, SYSCALLS_LOG, SYSCALLS_LOG) \
	K(restart, IF, NEEDS) \
	K(control, RELOAD_SIGNAL, RELOAD_SIGNAL) \
	K(ready, READY, WATCHDOG) \
	K(restart, RESTART, GIVEUP) \
	K(log, LOG_RATE, LOG_RATE) \
	K(hooks, HOOK, HOOK) \
	K(sockets, FD, LISTEN) \
	K(boards, BOARD_CONSOLE, BOARD_LOCAL)

/* The part that is missing, or -1 */
int key_lacks(int row)
{
#define LACK(part, first, last)	if (!HAS(part) && row >= KEY_##first && row <= KEY_##last) return PART_##part;
	KEYS_OF(LACK)
	return -1;
}

/* Not to be inlined, nor cfg_at(): a call is half as long as an address. */
__attribute__((noinline)) const struct key *key_row(int row)
{
	return &keys[row];
}

static const uint8_t *text(void)
{
	return (const uint8_t *)&names;
}

/* What follows a key is mostly one behind it: the search goes on where the last
 * one ended. rlimit. is the start of rlimit.nofile, but not a key by itself. What
 * has no row may be another file of a cgroup controller. */
int key_find(const char *name)
{
	const uint8_t *p = text() + cfg.at;
	size_t n = strlen(name);
	int i, row = cfg.row;

	for (i = 0; i < NKEYS; i++) {
		if (p[1] == (uint8_t)*name && (keys[row].flags & K_SUB ? n > *p : n == *p) && memcmp(p + 1, name, *p) == 0) {
			cfg.at = (uint16_t)(p - text());
			return cfg.row = (uint16_t)row;
		}
		p += *p + 2;
		if (++row == NKEYS) {
			row = 0;
			p = text();
		}
	}
	return cfg_is_knob(name) ? KEY_KNOB : -1;
}

int key_of(const char *word)
{
	word += *word == '?';
	return key_find(fmts("%.*s", (int)strcspn(word, "="), word));
}

/* Also the end of the table: NULL. From where the last search ended: whoever asks for
 * all goes over the table once. */
const char *key_name(int row)
{
	if (row >= NKEYS)
		return NULL;
	if (row < cfg.row)
		cfg.at = cfg.row = 0;
	for (; cfg.row < row; cfg.row++)
		cfg.at = (uint16_t)(cfg.at + text()[cfg.at] + 2);
	return (const char *)text() + cfg.at + 1;
}

/* Of one that is not set unless somebody says it: what holds then, for people; or "" */
const char *key_default(int row)
{
	return nth(defs, row);
}

/* Where each text begins is found once: there is a call for each choice of a file. */
const char *key_what(int row)
{
	static char what[256] BULK;
	static uint16_t at[NKEYS] BULK, last BULK, end BULK;
	const char *start = nth(HAS(help) ? whats : words, 0);

	while (last < row) {
		end = (uint16_t)(end + strlen(start + end) + 1);
		at[last + 1] = start[end] || !HAS(help) ? end : at[last];
		last++;
	}
	fmt(what, sizeof what, "%s", start[at[row]] ? start + at[row] : TEXT "right here: husk.conf(5)");
	return what;
}
