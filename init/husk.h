/*
 * husk.h - every type of husk and every function that crosses a folder.
 *
 * The one own header. A .c file includes the system headers that it uses,
 * then "husk.h", and nothing else of ours. Prototypes stand under the name
 * of the file that defines them, in the order of the stage table; what does
 * not cross a file is static there.
 *
 * struct box is what was asked for: filled by cfg/, read-only ever after.
 * struct run is what is happening to one box in this process.
 *
 * A stage is a function  int folder_verb(struct run *)  that returns 0 or
 * fail(r, "..."): it never prints and never exits. Whoever reads
 *     husk: web: rootfs.pivot: pivot_root /srv/web: Invalid argument
 * opens rootfs/pivot.c and finds rootfs_pivot there. Of init's rows most stand
 * together in start.c, pid1.c and exec.c, and caps.retether is in tether.c:
 * grep '^int init_up(' finds them.
 */
#ifndef HUSK_H
#define HUSK_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/types.h>
#include <linux/filter.h>

#define VERSION		"0.2"
#ifndef RUNDIR
#define RUNDIR		"/run/husk"	/* make RUNDIR=; HUSK_RUN names another */
#endif
#ifndef CONFDIR
#define CONFDIR		"/etc/husk"
#endif

/* Parts of the program that a board may do without, as WITHOUT= of its boards/NAME.mk says:
 * LACKS has a bit for each of those. There is no #if: what only HAS() of a part leads to is
 * never reached without it, and the compiler leaves it out, with all that it alone calls. */
#define PARTS(P) \
	P(boards) P(stats) P(events) P(list) P(info) P(learn) P(filter) P(control) P(exec) P(upgrade) P(log) P(ready) \
	P(restart) P(hooks) P(sockets) P(knobs) P(update) P(help) \
	P(users) P(v1) P(tty)
#ifndef LACKS
#define LACKS		0u
#endif
#define PART(name)	PART_##name,
enum part { PARTS(PART) NPARTS, PART_always = 31 };
#undef PART
#define HAS(part)	(!(LACKS >> PART_##part & 1))
#define WHERE(has, label)	((has) ? (label) : -1 - (label))	/* of a case; where it is not so no value has it */
#define ONLY(part, label)	WHERE(HAS(part), label)
#define STARTERS	(HAS(boards) || HAS(control) || HAS(restart))	/* a box is started by its keeper, too */

/* Static storage that is still needed when the box runs. All else is zero
 * after forget(). All of it begins with 0: husk.ld. A fork makes each page that is
 * written after it cost some microseconds once more, in both processes: so what all
 * write, and is small, lies together, with what stays or behind it. */
#define STAYS	__attribute__((section(".bss.stays")))
#define APART	__attribute__((section(".bss.apart")))	/* stays, too, and is large */
#define OFTEN	__attribute__((section(".bss.often")))
#define BULK	__attribute__((section(".bss.bulk")))	/* of each start, too, and large: behind that, in one table of pages */

/* For a function that returns the address of a static struct, which everybody else gets
 * from it: on ARM a call has half the size of an address, which gcc would load anew for
 * each field if it knew it. */
#define BASE	__attribute__((noinline, const))

/* What a call fills, and nobody reads who has not looked at what it answered: it is not zeroed before. */
#define FILLED	__attribute__((uninitialized))

/* When a file was changed, in nanoseconds, of which 32 bits are enough to tell one time
 * from another. What the kernel has told is where the C library has it of old: see
 * fstat() in init/libc.c. */
#if __SIZEOF_LONG__ == 8
#define CHANGED(st)	((st).st_mtim)
#else
#define CHANGED(st)	((st).__st_mtim32)
#endif
#define MTIME(st)	((uint32_t)CHANGED(st).tv_sec * 1000000000u + (uint32_t)CHANGED(st).tv_nsec)

/* Fixed maxima: there is no malloc. Who hits one is told which. */
enum {
	MAXNAME	= 64,		/* bytes of a box's name */
	MAXARG	= 128,		/* words of exec= */
	MAXENV	= 128,
	MAXMNT	= 64,		/* bind=, tmpfs= and mount= together */
	MAXDEV	= 64,
	MAXDEVRULE = 64,	/* of devices.allow= */
	MAXPATHS = 48,		/* mask=, and readonly= */
	MAXMAP	= 16,		/* ranges of uidmap=, and of gidmap= */
	MAXGRP	= 32,
	MAXSYSCTL = 32,
	MAXKNOB	= 32,		/* limits that are texts or of one device */
	MAXAFTER = 32,		/* names and paths of after=, before=, needs=, if= each */
	MAXWAITS = 512,		/* bytes of them all */
	MAXTRIES = 32,		/* of restart= */
	MAXFD	= 8,
	MAXLISTEN = 8,
	MAXPASS	= 1 + MAXFD + MAXLISTEN,	/* descriptors that a program is given */
	MAXWORD	= 160,		/* words of syscalls= */
	MAXBPF	= 4096,		/* BPF_MAXINSNS, the kernel's own limit */
	MAXCPU	= 1024,
	MAXEXEC	= 32,		/* of husk exec, by one keeper at once */
	MAXWISH	= 32 * 1024,	/* the words of one: a message that is not cut */
	MAXBOX	= 64,		/* boxes of a board */
	MAXCONSOLE = 8,
	MAXDIR	= 48,		/* bytes of husk.conf=DIR */
	MAXMODULE = 32,		/* board.module= */
	MAXOVER	= 24,		/* husk.KEY=VALUE of the kernel's command line */
	MAXASK	= 32,		/* who asks one keeper, or waits for its boxes, at a time */
	MAXHOOK	= 8,
	MAXHOOKARG = 16,	/* words of one */
	MAXHOOKTEXT = 256,
	MAXTEXT	= 256 * 1024,	/* all configuration text of one box, and a copy */
};

/* ------------------------------------------------------------ what was asked */

enum ns { NS_USER, NS_PID, NS_NET, NS_IPC, NS_UTS, NS_MNT, NS_CGROUP, NS_TIME, NNS };
enum nsmode { NSM_NEW, NSM_HOST, NSM_JOIN };		/* JOIN: by nspath[] */
#define USERS(b)	(HAS(users) ? (enum nsmode)(b)->ns[NS_USER] : NSM_HOST)
enum rootkind { ROOT_HOST, ROOT_DIR, ROOT_TMPFS };	/* /, DIR, tmpfs */
enum { AUTO_FIRST = 61184, AUTO_LAST = 65519 };	/* user=auto */
enum who { WHO_AUTO, WHO_NUMBER, WHO_NAME };

/* box.mounts: bit i = row i of the default mounts is wanted (rootfs/mounts.c) */
enum { DM_PROC, DM_DEV, DM_PTS, DM_SHM, DM_MQUEUE, DM_SYS, DM_RUN, DM_TMP, NDM };

enum mntkind { MNT_BIND, MNT_TMPFS, MNT_FS };
struct mnt {			/* one bind=, tmpfs= or mount= row, in file order */
	uint8_t	 kind;		/* enum mntkind */
	bool	 skip;		/* `?` or optional: go on without it, one log line */
	bool	 rec;		/* bind: with what is mounted below it */
	bool	 slave;		/* bind: mounts made outside appear inside */
	bool	 idmap;		/* bind: shifted by the user namespace's map */
	bool	 create;	/* bind: make the source directory, owner the user */
	bool	 fsck, mkfs, yes;	/* of board.conf: check it; make it, if it is blank; fsck=yes */
	uint16_t mode;		/* of create=, or of a tmpfs; 0: default */
	uint32_t flags;		/* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, ... wanted */
	uint64_t size;		/* tmpfs: bytes; 0: kernel's default; PERCENT|n: % of RAM */
	const char *src, *dst;	/* outside; inside, absolute */
	const char *type, *data;/* MNT_FS only: file system type, option text or NULL */
};

enum { DEV_R = 1, DEV_W = 2, DEV_M = 4, DEV_ALL = 7 };
struct dev {
	const char *host, *dst;	/* host may hold one * in its last component */
	uint8_t	 perm;		/* DEV_* */
	bool	 skip;
	uint16_t mode;		/* 0: 0600 by its perms, owned by the user */
};

/* A device as one number: DEVICE_CHAR or 0 and the major, 20 bits of the minor. No kernel
 * has majors above 511. The highest of each stands for all of them: * of the lists of v1. */
enum { DEVICE_CHAR = 1 << 10, ANY_MAJOR = DEVICE_CHAR - 1, ANY_MINOR = (1 << 20) - 1,
       MAXNODE = 256 };			/* rules of a box, of all keys and nodes */
struct devrule { uint32_t key, perm; };

enum { FD_RO, FD_RW, FD_APPEND };
struct passed {			/* one fd= */
	uint8_t	 number, how;	/* 3..255, FD_* */
	bool	 skip;
	const char *path;
};

struct idmap { uint32_t in, out, count; };
struct named { const char *name; uint32_t id; };	/* name NULL: id counts */
struct listening {		/* one listen= */
	uint8_t	 family;	/* AF_*; 0: both */
	bool	 udp;
	uint16_t port, mode;
	uint8_t	 addr[16];
	const char *path;	/* AF_UNIX */
	struct named owner;
};
struct pair { const char *key, *val; };
struct rlim { uint64_t soft, hard; bool set; };		/* ~0: unlimited */

/* Limits that are a number, in the order of their keys from KEY_MEMORY_MAX on. A
 * value is LIM_NONE (not asked), LIM_MAX (the word max), PERCENT|n (of RAM), or a
 * number in the kernel's v2 unit. cpu.max keeps quota (us) in lim[] and the period
 * (us) in cpu_period; of cpu.weight.nice it is 20 more, and of the partition the
 * place of the word. They are written in this order. */
enum lim { LIM_MEM, LIM_HIGH, LIM_LOW, LIM_MIN, LIM_SWAP, LIM_OOM, LIM_PIDS, LIM_CPU, LIM_BURST,
	LIM_WEIGHT, LIM_CPUNICE, LIM_IDLE, LIM_RT_PERIOD, LIM_RT, LIM_PARTITION, NLIM };
#define LIM_NONE	(~(uint64_t)1)
#define LIM_MAX		(~(uint64_t)0)
#define PERCENT		((uint64_t)1 << 63)

/* The other limits, in the order of their keys: text is what v2 would read, of is what it is
 * about: a device by its path or MAJOR:MINOR, an interface; NULL: the leaf. */
struct knob {
	uint8_t	 row;			/* its key */
	bool	 skip;
	const char *file, *of, *text;	/* file: as it was written: hugetlb.2MB.max */
};

/* Hooks, in the order of their words. They have HOOK_S seconds each. */
#define HOOKS "prestart|createcontainer|startcontainer|poststart|poststop"
enum { HOOK_PRESTART, HOOK_CREATECONTAINER, HOOK_STARTCONTAINER, HOOK_POSTSTART, HOOK_POSTSTOP, HOOK_S = 10 };
struct hook { uint8_t stage; const char *text; };	/* PATH ARG ..., as it was written */

enum { UNSET = INT16_MIN };
enum sched { SCHED_UNSET = -1 };	/* else SCHED_OTHER, FIFO, RR, BATCH, IDLE */
enum reboot { REBOOT_NO, REBOOT_BOX, REBOOT_BOARD };
enum logkind { LOG_UNSET, LOG_CONSOLE, LOG_RING, LOG_NONE, LOG_INHERIT, LOG_KMSG, LOG_SYSLOG, LOG_FILE };
enum { LOGLINE = 900,		/* what the kernel and RFC 3164 take of a line, with room for what comes before it */
       LOGPATH = 256 };
enum restart { RESTART_NO, RESTART_FAILURE, RESTART_ALWAYS };
enum giveup { GIVEUP_STAY, GIVEUP_REBOOT, GIVEUP_RESCUE };	/* and of board.fail= */
enum readykind { READY_START, READY_EXIT, READY_NOTIFY, READY_FD, READY_PORT, READY_PATH };
enum abi { ABI_NATIVE, ABI_32, ABI_BOTH };

/* Of a box what its keeper has to know when all else is forgotten. Numbers, and one text:
 * it is handed over as it is. */
struct life {
	uint8_t	 restart, giveup, ready;	/* enum restart, giveup, readykind */
	uint8_t	 tries;			/* of restart= in window_ms; 0: any number */
	uint8_t	 stop_signal, reload_signal;
	uint8_t	 log, log_keep;		/* enum logkind */
	bool	 forks;
	uint16_t log_mode;
	uint16_t ready_number;		/* fd:N, port:N */
	uint32_t delay_ms, delay_max_ms, window_ms;	/* of restart= */
	uint32_t ready_ms, watchdog_ms, stop_ms;	/* start.timeout=, ... 0: none */
	char	 waits[MAXWAITS];	/* a letter of WAIT_ and a name or path each; an empty one ends */
	uint32_t log_size, log_rate, log_per;	/* bytes, 0: no end; lines in so many ms */
};
enum { WAIT_AFTER = 'a', WAIT_NEEDS = 'n', WAIT_IF = 'i',
	WAIT_NOT = '-', WAIT_NEVER = 'c' };	/* first in extra: of no box after all; not to be: the names of a circle */

struct terminal {		/* one of board.console= */
	bool	 ask;			/* Enter first */
	char	 tty[31];		/* below /dev */
	char	 words[128];		/* program and arguments, an empty one ends; none: a shell */
};

/* The keys of board.conf that are of nobody else: cfg/board.c */
struct board {
	uint8_t	 nconsole;
	struct terminal console[MAXCONSOLE];
	uint32_t stop_ms;		/* board.stop.timeout= */
	uint8_t	 nmodule;
	char	*module[MAXMODULE];		/* board.module=: NAME ARGUMENTS */
	const char *overlay;		/* SIZE or DIR; NULL: none */
	struct mnt root;		/* board.root=; src NULL: by the command line */
	uint32_t dog_ms, dog_pre_ms, dog_stop_ms;	/* board.watchdog= */
	uint32_t good_ms;		/* board.timeout= */
	uint8_t	 fail;			/* enum giveup */
	bool	 dog_skip;
	const char *dog;		/* its device, or NULL */
	const char *good;		/* PATH ARG ..., as it was written; or NULL */
	const char *local;		/* board.local=, or NULL */
};
enum { MAXDOG = 40 };

/* What PID 1 has to know of all that: numbers and short texts, the first message of the
 * child that reads it. It fits into PIPE_BUF. */
struct board_plan {
	uint32_t stop_ms;
	uint32_t dog_ms, dog_pre_ms, dog_stop_ms, good_ms;
	uint8_t	 fail;			/* enum giveup */
	bool	 dog_skip;
	char	 dog[MAXDOG], good[MAXHOOKTEXT];	/* as in struct board; "": none */
	uint8_t	 nconsole;
	bool	 broken;		/* board.conf: what was wrong has been said */
	bool	 gone;			/* there is no board.conf */
	bool	 single;		/* a shell before anything is started */
	bool	 waits;			/* for modules, or the real root: PLANNED_MADE comes */
	struct terminal console[MAXCONSOLE];
};
_Static_assert(sizeof(struct board_plan) <= 4096, "one message of a pipe");

/* What the kernel's command line says to husk: boards/cmdline.c */
struct cmdline {
	const char *conf;		/* husk.conf=DIR, or NULL */
	const char *skip;		/* husk.skip=NAME,... */
	bool	 single;		/* single, emergency, husk.single, and their short forms */
	bool	 debug;			/* husk.debug */
	bool	 ro, rw;		/* of the root */
	bool	 rootwait;
	const char *root, *rootfstype, *rootflags, *init;
	uint8_t	 nover;
	char	*over[MAXOVER];		/* KEY=VALUE of husk.KEY=VALUE: above board.conf */
};

/* Small things first: near the start an access is a short instruction. */
struct box {
	uint8_t	 narg, nenv, ngroup, nmnt, ndev, ndevrule, netc, nmask, nro, nuidmap, ngidmap,
		 nsysctl, nafter, nbefore, nneeds, nif, nsyscall, nknob, nfd, nlisten, nhook;
	uint8_t	 ns[NNS];		/* enum nsmode */
	bool	 tty, pid1_program;
	bool	 root_rw;
	bool	 automap;		/* uidmap and gidmap are auto */
	bool	 nnp, keyring;		/* keyring: a new session keyring */
	bool	 exec_once;
	bool	 boot;
	bool	 has_affinity;
	bool	 read;			/* it has been filled, and may be again */
	int8_t	 sched;			/* policy number or SCHED_UNSET */
	uint8_t	 sched_prio;
	uint8_t	 reboot;		/* enum reboot */
	uint8_t	 abi;			/* enum abi */
	uint8_t	 calls_default;		/* syscalls.default: 0 EPERM, 1 KILL, 2 LOG */
	bool	 calls_log;		/* a refused call is one log line */
	uint16_t lim_skip;		/* bit i: `?` stood before it */
	uint16_t mounts;		/* bits DM_* */
	uint16_t umask;
	uint16_t ioprio;		/* class << 13 | level; 0: as it is */
	int16_t	 nice, oom_score_adj;	/* UNSET: as it is */
	uint16_t nbpf;			/* 0: syscalls=@all, no filter */

	const char *ready_path;		/* READY_PATH */
	const char *name;		/* [A-Za-z0-9_+][A-Za-z0-9_+.-]*, MAXNAME */
	const char *file;		/* where it was read, NULL: command line only */
	const char *local;		/* of board.local=, that lies over it; or NULL */
	uint32_t mtime;			/* of that: MTIME() */
	enum who  who;
	uint32_t uid, gid;		/* numbers; ~0: none given */
	const char *user, *group;	/* names where who says so; group may be NULL */
	enum rootkind root;
	const char *rootdir;		/* ROOT_DIR, absolute */
	const char *cwd;		/* absolute, "/" by default */
	const char *hostname, *domainname;
	const char *cgroup;		/* parent path asked for, or NULL */
	const char *apparmor, *selinux;
	const char *log_path;		/* LOG_FILE */
	uint32_t cpu_period;		/* us */
	uint32_t persona, securebits;
	uint32_t sockets[2];		/* bit i: family i; 0: that it was said; all: those nobody knows, too */
	uint64_t caps;			/* kept: bounding, permitted, effective */
	uint64_t inheritable, ambient;	/* final values, made by cfg_check */
	int32_t	 clock_monotonic, clock_boottime;	/* seconds; both 0: none */
	uint64_t lim[NLIM];
	struct life life;

	/* lists: what their counts above say */
	const char *nspath[NNS];	/* NSM_JOIN: /proc/PID/ns/X, or any path */
	const char *nsbox[NNS];		/* NSM_JOIN of box:NAME, resolved by ns_join */
	const char *etc[8];		/* names below /etc */
	const char *argv[MAXARG + 1];
	const char *env[MAXENV + 1];	/* NAME=VALUE */
	const char *after[MAXAFTER], *before[MAXAFTER], *needs[MAXAFTER], *ifs[MAXAFTER];
	const char *syscalls[MAXWORD];	/* the words that bpf[] was made of */
	const char *mask[MAXPATHS], *ro[MAXPATHS];	/* absolute; a / at the end: a directory */
	bool	 mask_skip[MAXPATHS];	/* from the defaults: absent on this kernel is fine */
	struct named groups[MAXGRP];
	struct passed fd[MAXFD];
	struct listening listen[MAXLISTEN];
	struct idmap uidmap[MAXMAP], gidmap[MAXMAP];
	struct pair sysctl[MAXSYSCTL];	/* key in dotted form, checked */
	struct knob knob[MAXKNOB];
	struct hook hook[MAXHOOK];	/* as in the file */
	struct rlim rlim[16];		/* by RLIMIT_ number of the target */
	uint64_t affinity[MAXCPU / 64];
	struct dev dev[MAXDEV];
	struct devrule devrule[MAXDEVRULE];
	struct mnt mnt[MAXMNT];
	struct board board;
	struct sock_filter bpf[MAXBPF];	/* last: only what a filter needs of it is touched */
};

/* What PID 1 of a machine knows of a box, or is told by the child that reads. When all is
 * read again BOX may be known, and KEPT is not to be started, but goes on if it is there:
 * it has boot=no now, or something is wrong with it. WRONG: there is no box of that name, for its file is wrong.
 * MOVED: there is another root. MADE: all modules and the real root are there, where file is what PID 1 becomes, or ! if
 * it is not. END: that was all. PART: not all could be read. */
enum { PLANNED_BOX, PLANNED_KEPT, PLANNED_WRONG, PLANNED_MOVED, PLANNED_MADE, PLANNED_END, PLANNED_PART };
struct planned {
	uint8_t	 kind;
	bool	 changed;		/* its file is another than the one that it was started from */
	bool	 late;			/* not before all of the board is there; of PLANNED_END: its clock was guessed */
	char	 name[MAXNAME + 1], file[MAXDIR + MAXNAME + 6];
	char	 extra[MAXWAITS];	/* what others' before= makes it wait for, as life.waits */
	uint32_t start_ms;		/* start.timeout=, or 0 */
	uint64_t after;			/* bit i: not before the box that is sent as number i has got somewhere */
};

/* ------------------------------------------------------- what is happening */

enum side { HOST = 1, INIT = 2, PROG = 4,
	ENTER = 128 };			/* husk exec: a process that goes into a box, and is PROG there */

/* Controllers that may be v1 hierarchies of their own; NCTL: the v2 tree. The
 * names are in cg/names.c. */
enum ctl {
	CTL_MEMORY, CTL_PIDS, CTL_CPU, CTL_DEVICES, CTL_FREEZER,
	CTL_CPUSET, CTL_IO, CTL_HUGETLB, CTL_RDMA, CTL_MISC,
	CTL_NET_CLS, CTL_NET_PRIO, CTL_CPUACCT, CTL_PERF_EVENT, NCTL
};
enum { FIRST_CTL = HAS(v1) ? 0 : NCTL };
#define V1(r, ctl)	(HAS(v1) && (r)->cg1 >> (ctl) & 1)	/* it has a leaf there */

/* What a box left on the host: the text of its state file, one key=value
 * line for each undo row, written before the side effect. Undo reads this. */
struct left {
	uint16_t len, written;		/* of text */
	int	 dir;			/* RUNDIR, O_PATH; -1: none */
	bool	 keep;			/* undo leaves RUNDIR/NAME, its lock and its number: it starts again, or says how it ended */
	bool	 ended;			/* PID 1 has been seen to end */
	bool	 stuck;			/* a row could not be undone: the state file stays */
	bool	 log;			/* that stays, and the directory with it */
	bool	 apart;			/* hooks are not waited for: this process has more to do */
	int	 hook;			/* apart: W_HOOK, or 0 */
	char	 name[MAXNAME + 1];
	char	 text[4096];		/* 14 v1 hierarchies with a line each, names of 64 bytes, and 150 bytes of cgroup= */
};

/* What a keeper holds of a box. Descriptors: those up to W_POLLED are heard in keeper.c,
 * each by its function; a starter hands over what is there from W_STATUS on. */
enum watched { W_STARTER, W_LISTENER, W_CTL, W_WAIT, W_LOG,
	W_READY,			/* ready=: a newline is yes */
	W_NOTIFY,			/* the socket of sd_notify */
	W_POLLED,
	W_STATUS = W_POLLED,		/* the pipe of struct ended */
	W_LOCK, W_FILE,			/* RUNDIR/NAME, and its state file */
	W_POLICY,
	W_PTY,				/* of who waits in the foreground; in the background it is W_LOG */
	W_PEER,				/* the other side of W_LOG, where nobody else has it open */
	W_HOOK,				/* a pipe that ends with the last hook.poststop */
	W_LISTEN,			/* the sockets of listen= */
	W_NS = W_LISTEN + MAXLISTEN,	/* PID 1's namespaces, which it shows to root alone, where that is not us */
	NWATCH = W_NS + NNS };
enum { W_STAY = 1 << W_LOCK | 1 << W_FILE | 1 << W_WAIT | 1 << W_CTL | 1 << W_HOOK | ((1 << MAXLISTEN) - 1) << W_LISTEN };	/* over a restart */
enum due { DUE_STOP, DUE_START, DUE_BACKOFF, DUE_WATCHDOG, DUE_WAIT,
	DUE_NOTIFY,			/* W_NOTIFY rests until then */
	DUE_NEWS,			/* W_WAIT rests until then */
	NDUE };

/* The machine of init/life.c: what a box is, and what happens to it */
enum { MAKE_MS = 60000 };		/* a start without a start.timeout= may take so long until PID 1 is there */
enum livestate { FREE, WAITING, STARTING, RUNNING, STOPPING, KILLED, BACKOFF, GONE, NSTATE };
enum event { EV_UP,			/* handed over: PID 1 is there */
	EV_WAIT, EV_SKIP,		/* needs= or after= is not so; if= */
	EV_FAILED,			/* there is no PID 1: why says the reason */
	EV_READY,
	EV_UNREADY,			/* it says itself that it stops */
	EV_ENDED,			/* PID 1 is dead, reaped, and noted */
	EV_STOP, EV_AGAIN,		/* asked to: husk stop, husk restart */
	EV_GO, EV_NEED,			/* what it waits for is there; what it needs has gone */
	EV_OVERDUE, EV_LATE, EV_BACKOFF, EV_DOG,	/* DUE_STOP, _START, _BACKOFF, _WATCHDOG is over */
	NEVENT };

struct live {
	struct left *left;		/* in memory, where this process has made the box */
	uint64_t due[NDUE];		/* now_ms() of the next step; 0: none */
	uint64_t since;			/* now_ms() of its start */
	uint64_t earliest;		/* and of the next one, where it waits for what it needs */
	uint8_t	 state;			/* enum livestate */
	bool	 own;			/* the only box of this process, which ends with it */
	bool	 stays;			/* how it ended stays to be read: in the background, and on a board */
	bool	 ready;			/* as ready= wants it */
	bool	 stop_asked, again, need;	/* and then: nothing, a start from its file, wait for what it needs */
	bool	 renewed;		/* the state file is another than that of the first start */
	bool	 fresh;			/* just started again: what that took can be given back */
	bool	 etc;			/* has copies to be kept fresh */
	bool	 paused;		/* when it was asked to stop */
	bool	 leaves;		/* it has said that it stops: not ready again */
	uint8_t	 with;			/* the signal that it is to be asked by; 0: its own */
	uint8_t	 cause;			/* EV_LATE, EV_DOG: why it was ended; 0: by itself, or asked to */
	uint8_t	 reads;			/* of W_READY */
	uint8_t	 nexits;
	uint32_t restarts;
	uint32_t delay_ms;		/* before the next start */
	uint64_t exits[MAXTRIES];	/* now_ms() of the last, in a circle */
	pid_t	 init, starter;
	int	 result;
	int	 fd[NWATCH];
	struct life life;
	char	 why[128];		/* how it ended, or why it was ended */
	char	 name[MAXNAME + 1];
	const char *file;		/* of a board, for the first start; NULL: as it was saved */
};

/* As in struct box, what is used often stands near the start. */
struct run {
	const struct box *box;
	const char *name;
	uint8_t	 side;			/* which process am I: enum side, or INIT|PROG */
	uint8_t	 row;			/* of the stage table, where we are */
	uint16_t cg1;			/* bit i: a leaf in the v1 hierarchy of enum ctl i */
	bool	 board;			/* this is a starter: the keeper is its parent */
	uint8_t	 held;			/* enum hold: why it does not start now */
	bool	 learn;			/* every call is told to filter_seen() and goes on; there is no filter */
	bool	 unpriv;		/* the caller is not root: user namespace, one id */
	bool	 kept;			/* HOST: nsfd[] are PID 1's */
	bool	 into_cgroup;		/* clone3 put INIT into the cgroup2 leaf */
	bool	 paths;			/* no open_tree or move_mount: INIT opens sources again by path */
	bool	 etc;			/* there are copies to keep fresh */
	bool	 late;			/* no mount_setattr: INIT sets the flags of mounts */
	bool	 again;			/* husk start: that it runs already is fine */
	bool	 groups_kept;		/* the kernel allows no setgroups() here: the caller's stay */
	uint8_t	 ngroups;
	pid_t	 init, prog;
	struct left *left;
	uint32_t uid, gid;		/* the user, looked up for good by caps_user */
	uint32_t number;		/* of the box alone, from 0: user=auto, and ranges of ns.user=new */
	int	 up;			/* of -d: who waits; 0: nobody */
	int	 lock, file;		/* RUNDIR/NAME and its state file, where the keeper has them already; 0: not */
	const int *have;		/* and what he has of listen=; NULL: nothing */
	int	 sigfd;			/* the keeper's, for all signals; -1 in a starter */
	int	 exec_errno;		/* of a failed exec, for 126 and 127 */
	int	 err;			/* errno of the last fail(), 0: none */

	/* descriptors; -1: none. Those from here to last_fd are all that INIT keeps. */
	int	 proc;			/* the host's /proc, O_PATH, checked */
	int	 inner_sync, inner_status;	/* the box's ends, in HOST */
	int	 sync;			/* HOST <-> INIT, PROG: SOCK_SEQPACKET */
	int	 status;		/* INIT -> keeper: one struct ended */
	int	 statedir, state;	/* RUNDIR/NAME and its state file, locked */
	int	 cgroup2;		/* the leaf in the v2 hierarchy, O_PATH */
	int	 rootsrc;		/* detached clone of the root, or O_PATH of it */
	int	 root;			/* INIT: the new root, O_PATH, before the pivot */
	int	 pty, slave;		/* INIT makes both; the keeper holds the master */
	int	 log;			/* the program's output, where it is not the caller's; -1 */
	int	 logpipe;		/* the keeper's end of it */
	int	 killfd;		/* cgroup.kill for INIT, where ns.pid is not new */
	int	 pidfd;			/* of INIT */
	int	 ready, tell;		/* of ready=: the keeper's end of the pipe, and the other one */
	int	 notify;		/* the socket of sd_notify */
	int	 listener;		/* the keeper's end of PROG's filter */
	int	 policy;		/* that filter as it was compiled, in a file without a name; -1: learn */
	int	 own[NDM];		/* INIT: proc, sys and dev where we mounted them, and the directories of dev that others lie on */
	int	 nsfd[NNS];		/* NSM_JOIN: opened by ns_join */
	int	 etcsrc[8];		/* of the copies of etc=, by row of box.etc */
	int	 src[MAXMNT];		/* by row of box.mnt: detached clones of bind sources, and loop devices */
	int	 pass[MAXFD], listen[MAXLISTEN];	/* by row of box.fd, box.listen */
	int	 last_fd;		/* always -1 */

	uint64_t caps;			/* of box.caps, what the caller has to give */
	uint32_t groups[MAXGRP];	/* of the user, too */
	char	 home[128], user[40];
	uint16_t window[4];		/* husk exec: a struct winsize */
	char	 why[256];		/* set by fail() */
};

/* A box that runs, found by its name: init/up.c. Small things first. */
struct up {
	int	 who;			/* PID 1's directory in /proc: the process, whoever gets its number later */
	pid_t	 keeper;
	struct run run;			/* as HOST has it: name, left, proc, init; box is NULL */
	struct left left;		/* the text of its state file; left.dir: RUNDIR */
	char	 leaf[512];		/* CGPATH: of the last up_leaf(), up_file() */
};

/* INIT -> keeper, once, when the program has ended. Never changed: an
 * upgraded keeper meets an older INIT. */
struct ended {
	uint32_t magic;			/* ENDED_MAGIC */
	int32_t	 code;			/* CLD_EXITED, CLD_KILLED, CLD_DUMPED */
	int32_t	 status;		/* exit status or signal */
	int32_t	 left;			/* processes still alive inside, 0: not counted */
};
#define ENDED_MAGIC	0x6b737568	/* "husk" */

/* What a keeper is asked by: the first byte of a message on RUNDIR/NAME/ctl; and what it
 * answers, once or more often. */
enum { ASK_STOP = 'S', ASK_RELOAD = 'H', ASK_RESTART = 'R', ASK_UP = 'U', ASK_END = 'W', ASK_EXEC = 'x', ASK_ATTACH = 'a', ASK_UPGRADE = 'u' };
struct answer {
	int32_t	 ms;			/* < 0: status is the answer; else there is another one, within ms, */
	int32_t	 status;
};
enum { ANSWER_WAITS = INT32_MAX,	/* or however long it takes */
       ANSWER_BUSY = 256, ANSWER_UNKNOWN,	/* no status of anything */
       ANSWER_DOWN, ANSWER_NONE, ANSWER_THEIRS };	/* of ASK_ATTACH: it is not up; has no terminal; the caller's is it */

/* INIT, PROG -> HOST on r->sync, each one datagram */
enum { MSG_ERROR = 'E', MSG_LISTENER = 'L', MSG_LOG = 'O', MSG_NOTE = 'N', MSG_PTY = 'T', MSG_READY = 'R', MSG_ROOT = '/',
	MSG_BORN = 'B', MSG_UP = 'U', MSG_EXIT = 'X' };	/* of husk exec: err is a process, or the status */
struct msg {
	uint8_t	 kind, row;
	uint16_t len;
	int32_t	 err;			/* errno */
	char	 text[248];
};

/* ------------------------------------------------------------------- init/ */

/* init/entry.c: called from arch/, and by what the compiler makes up */
void entry(long *stack) __attribute__((used, noreturn));
void __stack_chk_fail(void) __attribute__((used, noreturn));

/* init/stages.c: THE table */
int stages_run(struct run *);			/* the rows of my side, from the top */
const char *stage_name(int row);
const char *stage_what(int row);
const char *stage_hint(int row, int err);	/* what to do, or NULL */
struct stage {
	uint8_t	 side;			/* enum side; bits 3 to 6: 1 + enum ns where it is for a new one alone */
	uint8_t	 first, last;		/* its keys, for husk plan */
};
const struct stage *stage_row(int row);
int stage_count(void);
void stage_at(struct run *, const char *name);	/* what is said next is of that row */
void stages_undo(struct left *, int from);	/* backwards; from < 0: all rows */

/* init/fail.c: errors and log lines */
/* Formats: %s %d %u %x %o %c %zu %llu %lld %llx %% and %.*s, no width. */
size_t fmt(char *to, size_t max, const char *f, ...) __attribute__((format(printf, 3, 4)));
size_t vfmt(char *to, size_t max, const char *f, va_list *ap);
void say(int fd, const char *f, ...) __attribute__((format(printf, 2, 3)));	/* one write */
void warn(const char *f, ...) __attribute__((format(printf, 1, 2)));	/* a line on standard error, husk: in front, strerror(errno) behind */
void warnx(const char *f, ...) __attribute__((format(printf, 1, 2)));	/* the same where errno says nothing */
int fail(struct run *, const char *f, ...) __attribute__((format(printf, 2, 3)));	/* adds strerror(errno) if errno; returns -errno, never 0 */
int fail_not(struct run *, const char *f, ...) __attribute__((format(printf, 2, 3)));	/* the same where errno says nothing; returns -EINVAL */
void note(struct run *, const char *f, ...) __attribute__((format(printf, 2, 3)));	/* one log line: went on without */
/* A text that people read may begin with TEXT: then arch/as packs it, two letters or
 * more to a byte. Those functions unpack it, and so does %s of all formats; nobody
 * else can read it, but nth() finds it in a list. */
#ifndef TEXT
#define TEXT		"\1text\1"
#endif
#define say(fd, ...)	say(fd, TEXT __VA_ARGS__)
#define warn(...)	warn(TEXT __VA_ARGS__)
#define warnx(...)	warnx(TEXT __VA_ARGS__)
#define fail(r, ...)	fail(r, TEXT __VA_ARGS__)
#define fail_not(r, ...) fail_not(r, TEXT __VA_ARGS__)
#define note(r, ...)	note(r, TEXT __VA_ARGS__)

void say_by(int fd);			/* what is said on standard error goes there, and what does not go to the kernel */
const char *errno_text(void);		/* strerror() of it */
void say_also(void (*)(const char *, size_t));	/* hears what is said on standard error */
bool kernel_log(const char *, size_t);	/* a line; false where the log does not take it */

/* init/entry.c */
char *const *entry_words(void);		/* argv */
void entry_hide(void);			/* PID 1 of a box: the command line, from those inside */

/* init/parts.c */
const char *part_name(int part);
char *part_list(bool here);		/* "stats events": that are here, or that are not; good until the next */

/* init/forget.c */
enum { BRIEF_MS = 100 };		/* a box that has ended by then gives back all anyway */
void forget(void);			/* in the keeper and in PID 1 of a box, when it runs for longer */

/* init/util.c */
size_t copy(char *to, size_t max, const char *from);	/* bounded, always ends; returns strlen(from) */
bool same(const char *a, const char *b);
const char *last_part(const char *path);	/* behind its last slash */
bool starts(const char *s, const char *prefix);
const char *number(const char *s, uint64_t max, uint64_t *out);	/* whole string, decimal; NULL or what is wrong */
const char *decimal(const char *s, uint64_t *out);	/* decimal, as far as it goes: behind it; none: 0 */
const char *nth(const char *list, int n);	/* of texts, one behind the other, the one with number n */
const char *unpacked(const char *list, int n);	/* where it is packed: fmts() */
const char *fmts(const char *f, ...) __attribute__((format(printf, 1, 2)));	/* fmt() into one of four buffers that take turns; "" if it is too long */
void making_a_box(bool yes);	/* from now on let_go() leaves descriptors to the next close of all */
void let_go(int fd);			/* close(), errno kept */
int read_at(int dir, const char *path, char *buf, size_t max);	/* whole small file, NUL-terminated; length or -1 */
int read_file(const char *path, char *buf, size_t max);
int write_at(int dir, const char *path, const char *text);	/* one open, one write, one close; 0 or -1 */
uint64_t ram(void);				/* bytes */
const char *amount(uint64_t bytes);	/* for people: 48M, 6.3M */
uint64_t now_ms(void);				/* CLOCK_MONOTONIC */
const char *utc(uint32_t when);		/* 2026-01-04T10:22:07Z, of state_seconds(), 0: now; good until the next */
const char *span(uint32_t seconds);	/* for people: 34s, 8m2s, 1h4m, 3d2h */
const char *duration(uint64_t nsec);	/* the same of processor time: 1.24s, 3m12s */
int proc_fd(void);				/* /proc as O_PATH, checked to be procfs; -1 */
bool on_board(void);			/* process 1 is a husk: of a machine, or of a namespace */

/* init/sys.c: system calls that musl does not know or not in this form.
 * Each returns -1 and sets errno. */
struct clone_args;
int sys_clone3(struct clone_args *, size_t);
int sys_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
int sys_open_tree(int dir, const char *path, unsigned flags);
int sys_move_mount(int from, const char *fpath, int to, const char *tpath, unsigned flags);
int sys_mount_setattr(int dir, const char *path, unsigned flags, uint64_t set, uint64_t clr, uint64_t propagation, int userns);
int sys_close_range(unsigned first, unsigned last);
int sys_pidfd_send(int pidfd, int sig);	/* or to who a directory below /proc is of */
int sys_pivot_root(const char *, const char *);
int sys_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags);
long sys_getcwd(char *, size_t);		/* the kernel's own: "(unreachable)/..." is seen */
/* closes all descriptors from `from` on but those in keep[n] (sorted or not; -1 ignored) */
int close_others(int proc, unsigned from, const int *keep, int n);

/* init/seal.c */
int init_stdio(void);			/* 0, 1, 2 are open, and no directory; prints, 0 or 125 */
int init_seal(char **argv);		/* run from where nobody can write; prints, 0 or 125 */
bool init_try_seal(char **argv, bool stay);	/* the same, and says nothing where it cannot; stay: without a second execve */
int init_sealed(int exe);		/* is that file such a one? 1, 0; -1: errno */

/* init/upgrade.c: another husk goes on. What outlives forget() is handed over by a
 * NAME_carry() of its file. */
enum { UPGRADE_SEAL = 2, UPGRADE_LEARNS, UPGRADE_STATE, UPGRADE_EXEC, UPGRADE_DIED, UPGRADE_LATE, UPGRADE_LAYOUT };	/* why not */
void carry(void *, size_t, unsigned n);	/* writes n things of that size, 64 at most, or reads them */
int upgrade(int exe);			/* comes back if it does not: why */
bool upgrade_begun(void);		/* this process goes on */
int upgrade_read(void);			/* 0 or -1; or never, if it only tries */
void main_carry(void);

/* init/start.c: one box, from its configuration to its running program */
struct live;
int start_box(struct run *, const struct box *);	/* 0: up; else 125, printed and undone, or RUNS_ALREADY */
enum { RUNS_ALREADY = 1 };

int start_heard(struct run *, int n);	/* HOST: so many inside have said that they are ready; 0 or fail() */
void start_confess(struct run *) __attribute__((noreturn));	/* inside: says why over r->sync */
int start_what(const struct box *);	/* is there a program? prints, 0 or 2 */
int start_stdio(bool in, bool out);	/* /dev/null on 0, on 1 and 2; prints, 0 or 125 */

/* init/pass.c: descriptors that the program is given */
int init_fd(struct run *);
int init_pass(struct run *);
int init_passed(struct run *, int keep[MAXPASS]);	/* PROG, then: their numbers; how many */
/* init/listen.c: the sockets of listen= */
int init_listen(struct run *);
unsigned listen_env(const struct run *, const char **env, unsigned n);
void listen_end(struct live *);		/* the keeper: nobody can come any more */
void listen_look(struct live *);	/* those that its program has spoiled go */
void listen_undo(const struct left *);	/* their paths */

/* init/ready.c: is it ready, does it call in? */
#define READY_PLACE	"/dev/notify"	/* of the socket, inside */
int init_notify(struct run *);
int init_lend(struct run *);
int init_look(struct run *);
const char *ready_place(void);		/* of the socket, outside */
unsigned ready_env(const struct run *, const char **env, unsigned n);
void ready_begin(struct live *);	/* it runs */
void ready_now(struct live *);		/* it is ready */
void ready_end(struct live *);		/* before its descriptors are closed */
void ready_heard(struct live *);	/* W_READY */
void notify_heard(struct live *);	/* W_NOTIFY */

/* init/life.c: the table of states and events */
int life_event(struct live *, enum event);	/* its new state */
void life_end(struct live *, const struct ended *);	/* PID 1 is dead: how, and EV_ENDED */
void life_stop(struct live *, int sig);	/* EV_STOP, by that signal; 0: its own */

bool life_due(struct live *, uint64_t now);	/* what is over its time: false: nothing */

/* init/starter.c: a start in a child of the keeper */
int starter_begin(struct live *, const char *extra);	/* extra: of others' before=, as life.waits; 0 or -1: said */
void starter_heard(struct live *);
void starter_also(struct life *, const char *extra);	/* waits for that, too; or for nobody */

/* init/wait.c: after=, needs=, if= */
enum hold { HOLD_NOT, HOLD_WAIT, HOLD_SKIP };
int init_wait(struct run *);
int wait_for(const char *waits, int rundir, const char *self, bool started, const char **why);	/* enum hold; started: needs= alone counts */
void wait_news(struct live *);
void wait_heard(struct live *);		/* something has changed, maybe */
void wait_watch(struct live *);		/* from here on that is heard */

/* init/keeper.c: what stays outside. N boxes, one loop. */
struct live *keeper_next(struct live *);	/* the next box that is there, the first one behind NULL; NULL: no more */
struct live *keeper_named(const char *);	/* also "NAME: ..." */
int keeper_slot(const struct live *);	/* its number, for filter/notify.c */
struct live *keeper_at(int slot);
struct left *keeper_left(const struct live *);	/* what it left, or NULL; keeper_let() then */
void keeper_let(const struct live *, const struct left *);
void keeper_deaf(struct live *);	/* to the listener of its filter */
void keeper_block(bool on);		/* all signals wait from here on, or none */
int keeper_listen(void);		/* from here all signals come as reads; descriptor or -1 */
void keeper_reap(void);			/* all who have ended */
struct live *keeper_add(const char *name);
void keeper_adopt(struct live *, const struct run *);	/* it is up, or waits */
void keeper_descriptors(const struct run *, bool stays, int fd[NWATCH]);	/* by the rows of fd[] */
void keeper_fetch(struct live *);	/* has it ended already? */
int keeper_start(const char *file, const char *name, const char *extra, uint32_t ms);	/* by a starter, which may take so long; 0 or -1 */
void keeper_refresh(const struct live *);	/* its copies of etc= */
int keeper_loop(bool learn);		/* of one box: until it has ended; its status. learn: nothing is forgotten */
int keeper_go_on(bool learn);		/* the same, from the middle */
void keeper_carry(void);
bool keeper_resume(struct left *own);	/* after an upgrade; is there one box alone? */
void keeper_settle(void);		/* it has lived long enough, or has to have */
bool keeper_learns(void);
void keeper_turn(int timeout_ms);	/* one turn: waits, reaps, relays, kills what is over its time */
void keeper_stop(const char *name);	/* NULL: all; one that is stopping already stays so */
int keeper_state(const char *name);	/* 0: not there or gone, 1: starting, or not ready, 2: there; NULL: of any box */
void keeper_wakes(int fd);		/* what is there for PID 1 of a board ends a turn, too; -1: nothing */
int keeper_signal(void);		/* the next signal that is not the loop's own business, or 0 */

/* init/ctl.c: who asks the keeper */
enum ctl_news { CTL_UP, CTL_FAILED, CTL_STUCK, CTL_GONE,
	CTL_TERMINAL };			/* another one, for who is attached */
void ctl_open(struct live *);		/* RUNDIR/NAME/ctl; once */
void ctl_close(struct live *);		/* that nobody gets in any more */
void ctl_heard(struct live *);		/* W_CTL: somebody is there */
void ctl_tell(const struct live *, enum ctl_news, int status);	/* to those who wait for it */
void ctl_show(const struct live *, const char *, size_t n, const char *end);	/* to who is attached: what its terminal shows */
struct pollfd;
int ctl_poll(struct pollfd *);		/* MAXASK at most: how many */
void ctl_clients(const struct pollfd *, int n);
void ctl_carry(void);
void ctl_resume(void);			/* after an upgrade */
int ctl_connect(int dir);		/* to the keeper of that RUNDIR/NAME; a descriptor that does not block, or -1 */

/* init/ask.c: the verbs. Printed, and the exit status */
int ask_door(const char *name);		/* of its keeper: a descriptor; or printed, and - the exit status */
int ask_no_answer(void);		/* that he is silent: printed, and 1 */
int ask_stop(const char *name);
int ask_reload(const char *name);
int ask_reload_all(void);		/* PID 1 of the board */
int ask_delete(const char *name);
int ask_up(const char *name);		/* waits; 0: it is, or waits itself; -1: it does not become so */
int ask_wait(const char *name, bool ready);
int ask_wait_all(void);			/* until all are ready */
int ask_words(const char *name, const char **file, char *words[], int max);	/* how it was started: 1, 0: it does not run, -1 */
int ask_restart(const struct box *);			/* that box, by what cfg/ has read last */
int ask_kill(const char *name, const char *signal);	/* NULL: TERM */
int ask_upgrade(char *const *names);	/* to this very program; none: all that run */
/* init/passed.c: descriptors that a box passes, and nobody wants */
struct msghdr;
ssize_t passed_next(int fd, struct msghdr *);	/* the next message without them, where no control room is for any; -1: there is none, -2: it stays there */
void passed_close(int fd);		/* with all that is in it */
void passed_bury(void);			/* the children that had them */
void passed_carry(void);

/* init/enter.c: husk exec, from the keeper's side */
struct wish {				/* what a client wants; its 0, 1 and 2 come along */
	uint16_t nwords, nargs;
	uint16_t window[4];
	bool	 tty;
	char	 text[MAXWISH];		/* words, then arguments */
};
void enter_asked(struct live *, int client);	/* the connection is ours */
int enter_poll(void *fds, int n);	/* adds its struct pollfd at n; how many */
void enter_turn(const void *fds, int n, int end);
int enter_dead(void *siginfo);			/* one of ours that has ended, where not all are asked for */
void enter_reaped(const void *siginfo);	/* perhaps one of ours */
void enter_over(const struct live *);	/* that box is no more */
void enter_carry(void);
int init_enter(struct run *);
/* init/attach.c: and from the client's */
int attach_box(const char *name);	/* husk attach */
int attach_exec(const char *name, char *words[], int n, char *const argv[], int tty, bool background, const char *pidfile);	/* tty < 0: where 0 and 1 are one */

/* init/tty.c: the caller's terminal and the pty of the box */
#ifndef TIOCGPTPEER
#define TIOCGPTPEER	_IO('T', 0x41)	/* asm-generic/ioctls.h, from 4.13 */
#endif
void tty_open(int pty);			/* raw mode, window size */
void tty_close(void);			/* as it was */
void tty_share(int pty);		/* the keys go there; what it shows comes by tty_put() */
void tty_put(const char *s, size_t n);
bool tty_busy(void);			/* not all of it is written yet */
int tty_stuck(void);			/* what was typed is not taken: so many ms until its keys are lost, 0: they are; -1 */
bool tty_left(void);			/* Ctrl-P Ctrl-Q, or no more keys will come */
void tty_size(int pty);			/* the window of standard input, on it */
bool tty_resize(void);			/* false: there is no pty */
int tty_poll(void *fds, int n);		/* adds its struct pollfd at n; how many */
void tty_relay(const void *fds, int n);
void tty_drain(void);			/* what is still in the pty when the box has ended */
void tty_over(void);			/* and there is no pty any more */
void tty_carry(void);

/* init/log.c: what a box says, on its way to where log= wants it */
void log_default(struct life *, bool background);	/* what log= is where nobody has said it */
int init_log(struct run *);		/* HOST: can it be had? */
int log_note(struct run *);		/* where it is: 0 or -1 */
int init_output(struct run *);		/* INIT: the pipe */
void log_begin(const struct live *);	/* it is up */
void log_first(const struct run *);	/* it is not yet */
int log_apart(const char *name, bool keep);	/* in a child, for close_others(): or -1 */
int log_directory(const char *path, const char **base, bool make);	/* of log=FILE, O_PATH; or -1 */
void log_heard(struct live *);		/* its pipe has something */
bool log_rests(const struct live *);	/* it has said too much: its pipe is not asked before log_due() */
uint64_t log_due(const struct live *);	/* when log_more() is to be called, or 0 */
void log_more(struct live *);
void log_end(struct live *);		/* its last words, and its pipe goes */
void log_let_go(void);			/* close_others(): what it had open is closed */
void log_close(struct live *);		/* nothing more will be said of it */
void log_carry(void);
size_t log_clean(char *to, const char *from, size_t n);	/* without what terminals take for a command; no longer than it was */

/* init/logs.c */
int logs(const char *name, int last, bool follow);	/* husk logs; name NULL: of all boxes; last < 0: all lines */

/* init/plan.c */
void plan_print(const struct box *);

/* init/info.c */
int info(void);				/* husk info: prints, 0 or 1 */

/* init/out.c: what a verb prints, fact by fact */
enum outmode { OUT_KEYS, OUT_JSON, OUT_TABLE, OUT_NONE };
void out_as(enum outmode mode);
enum outmode out_mode(void);
void out_begin(void);			/* a record */
void out_fact(const char *key, const char *path, const char *text);	/* "": it has no such name. text as JSON wants it; path: a/b, a/[ in an array; all unpacked */
void out_text(const char *key, const char *path, const char *text);	/* of plain letters, or by out_name() */
void out_end(void);
int out_done(void);			/* 0, or 1: printed */
const char *out_name(const char *s, size_t n);	/* good until the next */
const char *out_said(const char *s);	/* the same for a text: blanks stay */
void out_put(const char *f, ...) __attribute__((format(printf, 1, 2)));	/* of a table of its own */
#define out_put(...)	out_put(TEXT __VA_ARGS__)
void out_to(unsigned column);
void out_line(void);
void out_loud(bool on);			/* in colour, where the terminal has it */
unsigned out_width(void);		/* 80 columns, or more */
void out_word(unsigned from, const char *text);	/* and on the next line from that column, where it does not fit */
void out_live(void);			/* from here on frames follow each other */
int out_wait(void);			/* the end of one; then the status to end with, or -1: the next */
void out_over(void);			/* nobody looks any more: the terminal is as it was */

/* init/state.c and the other rows of this folder */
int state_open(struct left *, bool make);	/* RUNDIR of this caller into l->dir; 0 or -1 */
const char *state_where(void);		/* for who is told of it: which that is, and whether it was refused */
bool state_is_ours(const struct left *);	/* written since the machine was booted, as far as that is known */
bool state_next(int dir, const char *ending, char of[MAXNAME + 1]);	/* the name of a box behind of[], in order; ending: of the files; ~dir: reads anew each time; -1: none */
int state_read(struct left *, const char *name);	/* 1: a keeper holds it, 0: nobody does, -1: none */
int state_save(int dir);		/* what cfg_show() has, into RUNDIR/NAME/box, whole or not at all: 0 or -1 */
const char *state_saved(const char *name);	/* its path */
bool state_there(const char *name);	/* is there anything of that box? */
int state_clear(struct left *, const char *name);	/* of whom nobody holds: undone. 0, 1: not all; -1: EWOULDBLOCK, somebody does */
int state_await(int dir, const char *file, unsigned ms);	/* until it is in RUNDIR/NAME: 0, or -1: ETIME; ENOENT: the box has ended */
uint32_t state_seconds(void);		/* CLOCK_BOOTTIME */
unsigned state_lived(const struct left *);	/* hundredths of a second since PID 1 of the box was born, a begun one whole; 0: it never was */
const char *state_word(const struct left *, char *buf, size_t max);	/* the last state=, or "" */
int state_renew(struct live *, bool over);	/* another state file: the first lines, why as the newest last=; over: that stays. 0 or -1 */
void state_note(const struct live *, const char *word, const char *why);	/* a line state=; why: or NULL */
void state_reopen(struct live *);		/* its file, where this process does not have it yet */
void state_take(struct live *);		/* the name of a first start that ended without a word: W_LOCK, unless somebody else has it */
int init_state(struct run *);		void init_forget(struct left *);
int init_pipes(struct run *);
int init_ready(struct run *);		/* HOST: all rights are read back, inside */
int init_release(struct run *);		/* the commit point */
int init_up(struct run *);		/* end of file: exec worked */
int init_give(int row, int to, uint8_t kind, int fd);	/* a message with a descriptor, through any filter of ours: 0 or -1 */
int init_close(struct run *);
int init_pty(struct run *);
int init_fork(struct run *);
int init_tty(struct run *);
int init_session(struct run *);		/* of its own, and the pty on 0 its terminal */
/* exec.once: where the paths lie. Kernels for ARM have nothing below 8192; the word is for the filter. */
#ifdef __arm__
#define ONLY_PAGE	8192
#define ONLY_WORD	"execve(arg0&~0xfff!=8192):EPERM"
#else
#define ONLY_PAGE	0
#define ONLY_WORD	"execve(arg0&~0xfff!=0):EPERM"
#endif
int init_page(struct run *);		/* exec.once: paths where nobody else can put one, */
int init_once(struct run *);		/* which is tried */
int init_report(struct run *);
int init_say_ready(struct run *);
int init_cwd(struct run *);
int init_signals(struct run *);
int init_exec(struct run *);
/* init/hooks.c */
int init_prestart(struct run *);		void init_poststop(struct left *);
int init_createcontainer(struct run *);
int init_startcontainer(struct run *);
int init_poststart(struct run *);
const char *hooks_run(const char *text, const char *name);	/* a program of the board, as hooks are run: NULL, or what was wrong */
void hooks_over(int fd);		/* waits for the end of W_HOOK */
void hooks_reaped(pid_t);		/* perhaps the one of poststart */
void hooks_carry(void);
int init_rights(struct run *);
int init_filter(struct run *);
int init_reap(struct run *);
bool init_forwards(int sig);		/* PID 1 of a box: to the program */

/* init/up.c: a box that runs, by its name */
int up_not(const char *name);		/* says that it does not run, or that there is no such box: 3 */
int up_lacks(const char *name, const char *what);	/* that it lacks that, or that there is no such box: 3 */
int up_name(const char *name);		/* 0, or it is not the name of a box, which is printed, and 2 */
int up_open(struct up *, const char *name);	/* 0, or one line is printed and it is the exit status: 2 not a name, 3 not running, 1 */
int up_find(struct left *, const char *name, int proc, uint64_t *pid);	/* PID 1's directory in /proc, or -1: ESRCH, ENOENT: it is not running; l->dir is open, or -1 */
int up_leaf(struct up *, unsigned *at);	/* the next leaf, O_PATH, its path in leaf; -1: no more */
int up_file(struct up *, const char *file, int flags);	/* a file of a leaf, the v2 one first; -1 */
int up_failed(const struct up *, const char *where);	/* prints what fail() was told; 1 */

/* init/list.c, init/ps.c */
int list_all(void);				/* husk list: prints, 0 or 1 */
bool list_unknown(const char *name);		/* says so, unless there is a file of it */
void list_changed(void);			/* a line for each that runs by another file than is there now */
int list_state(const char *name, const char *file, const char *field);	/* husk state; file: elsewhere, or NULL; field NULL: all. 0: runs, 3: does not, 4: unknown; 1, 2 */
int ps_box(const char *name);		/* husk ps: prints; the exit status */

/* init/control.c */
int control_freeze(const char *name, bool on);	/* husk pause, husk resume */
int control_update(const char *name, char *words[], int n);

int left_add(struct run *, const char *f, ...) __attribute__((format(printf, 2, 3)));	/* write-ahead: one line of the state file; 0 or -1 */
const char *left_last(const struct left *, const char *key, char *buf, size_t max);	/* the last one */
/* next value of `key` in the text; start with *at = 0; NULL when there is none */
const char *left_get(const struct left *, const char *key, unsigned *at, char *buf, size_t max);

/* -------------------------------------------------------------------- cfg/ */

/* cfg/read.c: fills b from layers: defaults, use=, include=, file, words.
 * Prints errors as file:line: key: what and returns 0 or 2. file may be NULL;
 * then narg may be 0 (husk show use=daemon). words: key=value strings of the
 * command line. argv: what stood after -- (NULL: nothing); it replaces exec=.
 * All text lies in one static buffer, and each call starts it anew. */
int cfg_load(struct box *, const char *file, char *const words[], int nwords, char *const argv[]);
int cfg_again(struct box *, const char *file, char *const words[], int nwords);	/* of husk update; the box loaded last stays as it is; key= takes away what may change */
int cfg_parse(struct box *, const char *name, const char *text);	/* the same from memory that stays, no words */
void cfg_of_board(bool plan);	/* from now on a board.conf beside the file has a say, wherever they are; plan: nothing is started, box after box is read for its order */
bool cfg_is_board(const char *file);	/* is it called board.conf? */
int cfg_board(struct box *, const char *file, char *const words[], int nwords);	/* struct board, and what board.conf takes of a box; file may be NULL. 0, or printed, and 2 */
/* cfg/machine.c: what depends on the machine; prints, returns 0 or 2. root:
 * -r ROOTFS, below which all paths are looked for, or NULL */
int cfg_machine(const struct box *, const char *root);
/* cfg/print.c */
bool cfg_show(int fd, bool origins);	/* the box loaded last, every key; origins: a comment says where a line is from; all is written? */
void cfg_show_key(int row, int fd, const char *tab, bool origins);
int cfg_help(const char *key);		/* 0 or 2 */

/* cfg/keys.c: THE other table. A row is a number. */
enum keyrow {
	KEY_EXEC, KEY_CWD, KEY_ENV, KEY_USER, KEY_GROUPS, KEY_UMASK, KEY_TTY, KEY_FORKS, KEY_PID1, KEY_ABI,
	KEY_ROOT, KEY_BIND, KEY_TMPFS, KEY_MOUNT, KEY_MOUNTS, KEY_ETC, KEY_DEVICE, KEY_MASK, KEY_READONLY, KEY_DEVICES_ALLOW,
	KEY_NET, KEY_NS_PID, KEY_NS_IPC, KEY_NS_UTS, KEY_NS_MNT, KEY_NS_CGROUP, KEY_NS_USER, KEY_NS_TIME,
	KEY_UIDMAP, KEY_GIDMAP, KEY_HOSTNAME, KEY_DOMAINNAME, KEY_CLOCK_MONOTONIC, KEY_CLOCK_BOOTTIME,
	KEY_MEMORY_MAX, KEY_MEMORY_HIGH, KEY_MEMORY_LOW, KEY_MEMORY_MIN, KEY_MEMORY_SWAP_MAX, KEY_MEMORY_OOM_GROUP,
	KEY_PIDS_MAX, KEY_CPU_MAX, KEY_CPU_MAX_BURST, KEY_CPU_WEIGHT, KEY_CPU_WEIGHT_NICE, KEY_CPU_IDLE,
	KEY_CPU_RT_PERIOD, KEY_CPU_RT_RUNTIME, KEY_CPUSET_PARTITION, KEY_CPUSET_CPUS, KEY_CPUSET_MEMS,
	KEY_IO_MAX, KEY_IO_WEIGHT, KEY_IO_LATENCY, KEY_HUGETLB, KEY_RDMA_MAX, KEY_MISC_MAX, KEY_NET_CLS, KEY_NET_PRIO, KEY_KNOB, KEY_CGROUP,
	KEY_RLIMIT, KEY_NICE, KEY_SCHED, KEY_IONICE, KEY_AFFINITY, KEY_OOM_SCORE_ADJ,
	KEY_CAPS, KEY_CAPS_AMBIENT, KEY_CAPS_INHERITABLE, KEY_SECUREBITS, KEY_SYSCALLS, KEY_SYSCALLS_DEFAULT,
	KEY_SYSCALLS_LOG, KEY_SOCKETS, KEY_EXEC_ONCE, KEY_NO_NEW_PRIVS, KEY_KEYRING, KEY_APPARMOR, KEY_SELINUX, KEY_SYSCTL, KEY_REBOOT, KEY_PERSONALITY,
	KEY_BOOT, KEY_IF, KEY_BEFORE, KEY_AFTER, KEY_NEEDS, KEY_STOP_SIGNAL, KEY_RELOAD_SIGNAL, KEY_STOP_TIMEOUT,
	KEY_READY, KEY_START_TIMEOUT, KEY_WATCHDOG, KEY_RESTART, KEY_GIVEUP, KEY_LOG, KEY_LOG_RATE, KEY_HOOK, KEY_FD, KEY_LISTEN,
	KEY_USE, KEY_INCLUDE, KEY_NAME,
	KEY_BOARD_CONSOLE, KEY_BOARD_MODULE, KEY_BOARD_ROOT, KEY_BOARD_OVERLAY,	/* from here on: of board.conf alone */
	KEY_BOARD_STOP,
	KEY_BOARD_WATCHDOG, KEY_BOARD_WATCHDOG_STOP, KEY_BOARD_GOOD, KEY_BOARD_TIMEOUT, KEY_BOARD_FAIL, KEY_BOARD_LOCAL,
};
enum keytype {
	T_EXEC, T_SYSCALLS,		/* of words, which may be quoted */
	T_GROUPS, T_MOUNTS, T_ETC, T_PATHS, T_MAP, T_AFFINITY, T_SECBITS, T_CAPS, T_SOCKETS, T_IF, T_BEFORE, T_NEEDS, T_AFTER, T_WORDS = T_AFTER,	/* of words */
	T_CWD, T_ENV, T_USER, T_UMASK, T_CHOICE, T_YES, T_RESTART,
	T_ROOT, T_BIND, T_TMPFS, T_MOUNT, T_DEVICE, T_DEVRULE,
	T_NS, T_HOST, T_CLOCK, T_SIZE, T_COUNT, T_WEIGHT, T_CPU, T_PART, T_KNOB, T_CGROUP,
	T_RLIMIT, T_NICE, T_SCHED, T_IONICE, T_OOM,
	T_CONSOLE,			/* of board.conf: cfg/board.c */
	T_LABEL, T_SYSCTL, T_PERSONA, T_SIGNAL, T_TIME, T_LOG, T_RATE, T_READY, T_NAME, T_HOOK, T_FD, T_LISTEN,
	T_MODULE, T_BROOT, T_OVERLAY,
	T_GOOD, T_DOG,
	T_USE, T_INCLUDE,		/* the reader follows them */
};
enum { K_LIST = 1, K_SKIP = 2, K_BOARD = 4, K_SUB = 8, K_OPEN = 16, K_PATH = 32, K_LIVE = 64, K_EXEC = 128 };
	/* SUB: rlimit.X, the name goes on; PATH: one outside is first; LIVE: of update, EXEC: of exec */
struct key {
	uint8_t	 type, flags;
	uint16_t at;			/* offset into struct box; of a list's count */
};
const struct key *key_row(int);
int key_find(const char *name);			/* row, or -1 */
int key_of(const char *word);			/* the same of KEY=VALUE, ?KEY=VALUE */
int key_lacks(int row);				/* enum part that this program is made without and the key is of; or -1 */
const char *key_name(int row);			/* NULL: no more rows */
const char *key_default(int row);
const char *key_what(int row);			/* what a value is */

/* cfg/defaults.c: texts in the language */
const char *cfg_preset(const char *name);	/* NULL: no such preset */
const char *cfg_preset_name(int);		/* NULL: no more */
bool cfg_is_default(const char *value);	/* is it a word of the defaults? */

/* cfg/near.c: the word that was probably meant */
struct near { const char *word; size_t best; char name[MAXNAME + 1]; };
void near_begin(struct near *, const char *word);
void near_try(struct near *, const char *candidate);
const char *near_hint(const struct near *);	/* "; memory.max?", or "" */
const char *near_of(const char *word, const char *(*name)(int));	/* of all names until NULL */

/* cfg/types.c: text to numbers. Phrases say what is wrong, without key and place. */
const char *cfg_wrong(const char *f, ...) __attribute__((format(printf, 1, 2)));	/* a phrase */
#define cfg_wrong(...)	cfg_wrong(TEXT __VA_ARGS__)
const char *cfg_bad(const char *value, const char *what, const char *hint);	/* "16Q" is not a size (4M, 512K, 25%) */
const char *cfg_lacks(int part);		/* what the program is made without is asked for */
const char *cfg_not(void);			/* the same for the value that is being set */
const char *cfg_unlike(const char *value, const char *(*name)(int));	/* and which name is near it */
bool cfg_plain(const char *);			/* no control character is in it */
bool cfg_digits(const char *, uint32_t max, uint32_t *);	/* whole string, decimal */
bool cfg_octal(const char *, unsigned max, uint16_t *);
bool cfg_size(const char *, uint64_t *);	/* or PERCENT|n */
bool cfg_time(const char *, uint32_t per_second, uint32_t max, uint32_t *);	/* a number and a unit, or 0 */
bool cfg_clean(char *path);			/* takes // and /./ out; absolute, no .. */
bool cfg_name(const char *);			/* of a box */
bool cfg_chars(const char *s, size_t n, const char *also);	/* letters, _, and these */
char *cfg_cut(char **at, bool words);		/* in place to the next : or end of a word; *at NULL: it was the last */
int cfg_fields(char *value, char **f, int max);	/* A:B:C, in place; max + 1: too many */
char *cfg_word(char **at);			/* next of a list by commas or blanks, or NULL */
const char *cfg_quoted(char **at, char **word, bool tests);	/* next word of exec=, syscalls=; *word NULL: no more */
int cfg_signal(const char *);			/* "TERM", "SIGTERM", "15"; or 0 */
const char *cfg_signal_name(int);		/* "TERM", or NULL */
int cfg_rlimit(const char *);			/* "nofile": RLIMIT_NOFILE; or -1 */
const char *cfg_rlimit_name(int);
int cfg_index(const char *list, const char *word);	/* of a|b|c, or -1 */
const char *cfg_nth(const char *list, int i);	/* good until the next call; NULL: no more */

/* cfg/set.c, cfg/mnt.c: the setters, for every front end. NULL or a phrase. */
const char *cfg_set(struct box *, int row, const char *sub, char *value, bool skip);
void cfg_empty(struct box *, int row);		/* key= of a list */
int cfg_env(const struct box *, const char *name, size_t len);	/* which of env begins so; nenv: none */
const char *cfg_set_mnt(struct box *, int kind, char *value, bool skip);
bool cfg_set_root(struct box *, char *value);	/* board.root= */
const char *cfg_mount_word(int);	/* an option that is ours; NULL: no more */
/* cfg/listen.c */
const char *cfg_set_listen(struct box *, char *value);
void cfg_check_listen(const struct box *);
bool cfg_named(const char *, struct named *);	/* a user or a group of the system */
const char *cfg_set_device(struct box *, char *value, bool skip);
const char *cfg_set_devrule(struct box *, char *value);
int cfg_devrule(char *text, struct devrule *);	/* "c 1:3 rw": 0 block, 1 character, 2 all of both (c is to be added), -1: it is none */
void cfg_drop_mnt(struct box *, int i);
const char *cfg_set_console(struct box *, char *value);	/* cfg/board.c */
/* cfg/knob.c: limits that are texts */
const char *cfg_set_knob(struct box *, int row, const char *key, char *value, bool skip);
void cfg_drop_knob(struct box *, int i);
void cfg_empty_knob(struct box *, int row, const char *key);
uint64_t cfg_pages(const char *file);		/* whose file of hugetlb is it? bytes of a page, or 0 */
const char *cfg_controller(int);		/* whose files are keys; NULL: no more */
bool cfg_is_knob(const char *key);		/* a file of a controller that has no row of its own, and no slip for one that has */
/* words in the order of the numbers, for cfg_nth() */
#define POLICIES "other|fifo|rr|batch|-|idle"
#define IOCLASSES "none|rt|be|idle"
#define ALLCAPS	(((uint64_t)2 << CAP_LAST_CAP) - 1)

/* cfg/where.c: who said what, for the setters and checks */
enum layer { L_DEFAULTS, L_USE, L_INCLUDE, L_FILE, L_LOCAL, L_WORDS, NLAYERS };
enum { MAXSOURCE = 11 };
struct source {
	const char *name;		/* NULL: the command line */
	const char *text;		/* stays as it is */
	size_t	 len;
	uint32_t line;			/* of its beginning */
	uint8_t	 layer;
	bool	 built_in;		/* all of it has that line: of the use= that asked for it, or 0 */
};
enum { MAXMARK = 1024 };
struct mark {				/* what is in force: an item of a key, who said it, and how */
	uint8_t	 key, item;
	uint32_t line;
	const struct source *src;
	const char *text;
};
struct reading {			/* the line being read, and all that is read; small things first */
	const struct source *src;
	int	 key;
	uint32_t line;
	const char *text;		/* of the line, as it was written; it ends with a line break, or is the last */
	unsigned nsources, nmarks, errors;
	unsigned nusual;		/* marks of what a box has by the defaults; 0: nobody has kept that */
	size_t	 used;			/* of buffer */
	uint16_t at, row;		/* where key_find() was */
	uint32_t mtime;			/* of the file */
	uint32_t said[8];		/* bit i: key i has, or had, a mark */
	bool	 warning;		/* the next complaint is one */
	char	*first;			/* where the first error goes, in FIRST_ERROR bytes, and no line is printed; NULL: all are */
	bool	 board;			/* it is board.conf */
	const char *given;		/* a file that a verb of a box was told, and that is there */
	const char *by_name;		/* a file that nobody has said, but a box: where it is not there another one may call itself so */
	bool	 live;			/* husk update: a key without a value is not there */
	bool	 beside;		/* a board.conf beside the file counts, wherever that is */
	bool	 plan;			/* cfg_of_board() */
	size_t	 base;			/* of buffer: below it stands the box before this one */
	struct { const struct source *src; uint32_t line; } use;	/* where use= stands */
	char	 preset[MAXNAME + 2];	/* its value */
	char	 value[84];		/* before it is cut, for messages */
	struct source source[MAXSOURCE + 1];	/* the last: the defaults */
	struct mark marks[MAXMARK + 1];
	char	 buffer[MAXTEXT];
};
struct reading *cfg_at(void) BASE;	/* the only one */
#define cfg	(*cfg_at())	/* as errno is */
const char *cfg_from(const struct mark *);	/* web.conf:7, use=daemon, command line, or "": the defaults */
const struct mark *cfg_marks(void);		/* in the order of the items; the end: text NULL */
void cfg_mark(int item);			/* here, by the line being read */
void cfg_mark_line(void);			/* one more line of a key whose lines add up */
const char *cfg_once(int item);			/* the same; a phrase if this layer has it already */
const char *cfg_slot(int i, uint8_t *n, int max);	/* takes place i of a list, *n or one that is there; NULL or a phrase */
const char *cfg_add(uint8_t *n, int max);	/* one more */
int cfg_seek(const void *list, size_t size, int n, const char *s);	/* which of n things of this size begins with a pointer to s; n: none */
void cfg_unmark(int row, int item);		/* item < 0: all */
int cfg_layer(int row, int item);		/* enum layer, or -1: nobody */
const char *cfg_said(int row);			/* ns.mnt=host by use=host, line 2 */
enum { FIRST_ERROR = 256 };
void cfg_complain(const char *file, unsigned line, const char *key, const char *what);
void cfg_here(const char *key, const char *what);
void cfg_error(int row, int item, const char *f, ...) __attribute__((format(printf, 3, 4)));	/* there */
#define cfg_error(row, item, ...) cfg_error(row, item, TEXT __VA_ARGS__)

/* cfg/text.c */
char *cfg_room(size_t n);			/* of the text buffer, or NULL */
char *cfg_rest(size_t *n);			/* what is free of it, as scratch */
bool cfg_path(char *path);			/* from / and plain; // and /./ go, .. stays */
const char *cfg_absolute(const char *s, char **value);	/* of the line s: ./x and a NAME of env= as what they are here; NULL or a phrase */
const char *text_file(const char *path, int layer);	/* NULL or a phrase; then errno may say more */
char *text_beside(const char *name, size_t len);	/* a file beside the one that is read; NULL: cannot be had */
const char *text_add(const char *name, int layer, const char *text, size_t len);	/* a source, name NULL: built in; NULL or a phrase */
const char *text_words(char *const words[], int n);
const char *text_full(void);			/* a phrase */
const char *cfg_file_of(const char *beside, const char *name);	/* the file of that box, in the directory of another one; or NULL */

/* cfg/check.c: rules between keys, what is derived, the filter */
void cfg_check(struct box *);
bool cfg_notify(const struct life *);		/* does it get a socket of sd_notify? */
bool cfg_kernels(const char *path);		/* in /proc or /sys */

/* --------------------------------------------------------------------- ns/ */

int ns_join(struct run *);		/* HOST: opens what is joined; enters what INIT cannot */
int ns_clone(struct run *);		void ns_kill(struct left *);
int ns_idmap(struct run *);
int ns_map(const struct run *, bool gids, struct idmap m[MAXMAP + 2]);	/* the rows in force; r->uid and gid are known */
int ns_go(struct run *);
int ns_wait(struct run *);
int ns_enter(struct run *);		/* INIT: joins the rest; a cgroup namespace that had to wait */
int ns_root(struct run *);
int ns_sysctl(struct run *);
int ns_host(struct run *);
int ns_loopback(struct run *);
bool ns_up(void);			/* lo of this network; false: errno */
int ns_clock(struct run *);
const char *ns_name(int ns);		/* "pid", as below /proc/PID/ns */
int ns_flag(int ns);			/* CLONE_NEWPID */
/* ns/clone.c */
bool ns_late(const struct run *);	/* INIT makes its cgroup namespace after HOST has moved it */
int ns_find(const struct left *, int proc, uint64_t *pid);	/* PID 1 of a box, by its state file: its directory in /proc, or -1; ESRCH, ENOENT: gone */
/* ns/join.c, ns/sysctl.c */
int ns_into(struct run *, int ns);	/* by r->nsfd; 0 or fail() */
int ns_keep(struct run *);
int ns_theirs(struct run *, int who);	/* opens what differs, by PID 1's directory in /proc; 0 or fail() */
int ns_home(struct run *);		/* HOST comes back from what ns_join has entered */
int ns_knob(int proc, const char *key, const char *val);	/* key with dots; 0 or -1 */

/* --------------------------------------------------------------------- cg/ */

int cg_make(struct run *);		void cg_remove(struct left *);
int cg_limits(struct run *);
int cg_devices(struct run *);
int cg_narrow(struct run *);
int cg_devices_update(struct up *, const struct box *now);	/* device= and devices.allow= of a box that runs: the policy alone; 0, or fail() and it is as before */
int cg_devices_back(struct up *);	/* as it was before that: 0 or fail() */
int cg_enter(struct run *);
int cg_join(struct run *, int who);	/* where PID 1 of that directory in /proc is; 0 or fail() */
void cg_kill(const struct left *);	/* the whole tree, as far as it has a cgroup */
/* cg/names.c */
const char *cg_name(int ctl);		/* "memory", "io" */
const char *cg_v1(int ctl);		/* what v1 calls it: "blkio" */
const char *cg_option(int ctl);		/* of the kernel, after CONFIG_ */
int cg_ctl(const char *file);		/* whose file it is; NCTL: nobody's */
const char *cg_v1_file(int row);	/* of a key that is one file there; "": none */
const char *cg_key(const char *file);	/* whose v1 name that is; NULL: of no key */
/* cg/layout.c */
#define CGTOP		"/sys/fs/cgroup"
enum { CGPATH = 512 };			/* longest path of a leaf: that of fmts() */
int cg_mounted(const char *path, bool v2);	/* a hierarchy; 0, or -1: ENOENT where something else is */
bool cg_find(int proc, int ctl, char path[CGPATH]);	/* where mountinfo has it */
bool cg_word(const char *text, const char *word);	/* is it there, and not a part of another? */
const char *cg_own(int proc, int ctl, const char **path);	/* the hierarchy's list of controllers, and our own cgroup there; or NULL */
bool cg_next(const struct left *l, unsigned *at, char path[CGPATH]);	/* the next leaf that may be removed */
bool cg_busy(const char *dir);		/* there are processes in it, and it is not the root of all */
/* cg/enable.c */
const char *cg_absent(struct run *, int ctl);	/* why no hierarchy has that controller for us */
const char *cg_enable(struct run *, int ctl);	/* the leaf has that controller; NULL, or why not: one of the four of fmts(); EEXIST: a box has seen to that */
/* cg/kill.c */
int cg_kill_listed(int procs, pid_t not);	/* one pass over an open cgroup.procs; how many */
typedef int cg_each(pid_t);
int cg_tree(int at, const char *path, cg_each *, int depth);	/* does that to all in it, and says how often; below 0: not to all, it is too deep */
/* cg/oom.c */
const char *cg_oom(const struct left *);	/* was one of its processes killed because memory was short? memory.max=48M, peak 48M; or NULL */
uint64_t cg_count(const char *text, const char *key);	/* of lines of a name and a number; none: 0 */
/* cg/freeze.c */
int cg_freeze(struct up *, bool on);	/* waits until it is so, or as it was; 0 or fail() */
int cg_while_frozen(struct up *, int work(struct up *));	/* does that while nothing of the box moves: 0 or fail() */
bool cg_frozen(const char *leaf);	/* or asked to be */
int cg_move(struct up *);	/* all of a box that runs into those leaves of v1 where it is not: 0 or fail() */
bool cg_paused(const struct left *);	/* one of its leaves is */
/* cg/events.c */
int cg_events(const char *name, bool once);	/* husk events; once: until the box has ended */
/* cg/make.c */
int cg_leaves(struct run *r, unsigned want);	/* more leaves, one bit for each; what is not there or not ours is none */
const char *cg_path(int ctl);		/* of a leaf of this start; "": there is none */
bool cg_cold(const struct run *r);	/* the v2 leaf is frozen, or what is above it; errno is kept */
const char *cg_refused(int ctl, int *err);	/* the path that could not be made, and why; or NULL */
const char *cg_below(int ctl);		/* of the path of a leaf, what is behind the mount point */
int cg_found(struct run *);		/* the leaves of a box that runs, by its state file; 0 or fail() */
const char *cg_file(int ctl, const char *name);	/* in that leaf: one of the four of fmts() */
/* cg/program.c */
int cg_program(int leaf, const struct devrule *, unsigned n, bool over);	/* over: what is attached already; 0 or -1 */
int cg_program_back(int leaf);		/* that one, or none: 0 or -1 */
/* cg/knobs.c */
struct setting {		/* a limit as one file of a leaf: texts may be of fmts() */
	uint8_t	 row, ctl;
	bool	 skip;			/* `?` */
	bool	 keyed;			/* one line of several, found by its first word */
	bool	 loose;			/* another file may be there instead */
	bool	 absent;		/* it is about a device that is not there, which `?` allows: errno */
	const char *key, *file;		/* as it is asked, and here; "": there is nothing like it on v1 */
	const char *text;		/* NULL: what a fresh leaf has is not known */
};
unsigned cg_wanted(const struct box *);	/* bits of enum ctl: who is asked for something; what a fresh leaf has is not asked */
unsigned cg_settings(const struct box *);	/* how many there are, each 0 or 1 files */
int cg_setting(struct run *, const struct box *, unsigned i, bool plain, struct setting *);	/* 1; 0: none; or fail(). plain: as a fresh leaf has it */
/* cg/limits.c */
const char *cg_reason(int row);		/* why the file of that key is not there, where its controller is */
int cg_put(int ctl, const char *file, const char *text);	/* into a file of a leaf */
int cg_limit(struct run *, const struct box *, unsigned i, bool plain, bool live);	/* one of them, written and read back: 0 or fail(). live: there is somebody inside */
const char *cg_line(char *text, const struct setting *);	/* of a file the line that it is about; or NULL */
/* cg/update.c */
int cg_update(struct run *, const struct box *was);	/* from that to r->box, or all is as it was: 0 or fail() */

/* cg/stats.c */
enum { SUM_MEM, SUM_MEM_MAX, SUM_CPU, SUM_PIDS, SUM_PIDS_MAX, NSUMS };	/* bytes, nanoseconds; ~0: no limit */
unsigned cg_sums(const struct left *, int proc, uint64_t sum[NSUMS]);	/* bit i: there is sum i */
int cg_stats(const char *name, bool live);	/* NULL: of all that run. prints, 0 or the exit status */

/* ----------------------------------------------------------------- rootfs/ */

int rootfs_sources(struct run *);
int rootfs_idmap(struct run *);
int rootfs_private(struct run *);
int rootfs_root(struct run *);
int rootfs_mounts(struct run *);
int rootfs_dev(struct run *);
int rootfs_masks(struct run *);
int rootfs_pivot(struct run *);
int rootfs_verify(struct run *);
/* rootfs/walk.c: resolves path as if dir were /, symbolic links and .. kept
 * inside, no magic links; returns a descriptor (flags as of open, O_CLOEXEC
 * added) or -1. As strong without openat2. */
int walk(int dir, const char *path, int flags);
/* A path of the host's that begins with /. A link is followed where neither it nor the way there can
 * be of a box's making; else -1, and ELOOP. names: nor is a name looked for where it can. */
int walk_host(const char *path, int flags, bool names);
struct stat;
int walk_file(int dir, int proc, const char *path, struct stat *);	/* a regular file, for reading; -1. proc: the host's, where we may be in a box, or AT_FDCWD */
int rootfs_refused(struct run *, const char *path);	/* walk_host(): fail() */
/* rootfs/dev.c: each node of the host that a row of device= means; a missing one
 * is fail(), with r->err == ENOENT */
struct stat;
typedef int node_fn(struct run *, const struct dev *, const char *host, const struct stat *);
int rootfs_nodes(struct run *, const struct dev *, node_fn *);
/* default mount i: its mount point and whether it is best effort */
const char *rootfs_default(int i);

/* Inside the folder: */
/* rootfs/place.c */
const char *rootfs_at(int fd, const char *name);	/* /proc/self/fd/N, and one component below it or "": fmts() */
bool rootfs_below(const char *path, const char *top);	/* or the same */
int rootfs_without(struct run *, bool skip, int e);	/* 0 and a line where skip allows it, else e */
bool rootfs_ours(const struct run *);	/* false: ns.mnt is the host's or another box's */
/* descriptor of a mount point, made where that is allowed, or fail(); then
 * rootfs_path is its path as mountinfo says it */
BASE char (*rootfs_path_at(void))[512];
#define rootfs_path (*rootfs_path_at())
int rootfs_target(struct run *, const char *path, bool dir);
int rootfs_real(struct run *, int fd, const char *path);	/* sets rootfs_path; 0 or fail() */
int rootfs_clone(struct run *, const struct mnt *, int from);	/* HOST: of src, or of from, where that is not AT_FDCWD: detached, or O_PATH; -1 */
/* Of a struct mnt these read src, flags, rec, slave; at is what rootfs_target
 * returned, and rootfs_path its path. 0 or -1. The first mount is the root. */
int rootfs_place(struct run *, struct mnt *, int src, int at);	/* what rootfs_clone returned; may set rec */
int rootfs_over(struct run *, const struct mnt *, int from, int at);	/* binds a descriptor of this mount namespace */
int rootfs_fresh(const char *type, uint32_t flags, const char *data);	/* mounts on /, opens it: rootfs_move() moves it, umount2("/..") takes it off */
int rootfs_move(int fd, int at);
/* rootfs/dev.c: the names in a directory, as far as one read goes */
int rootfs_list(int dir);		/* -1; 0: no more */
const char *rootfs_name(void);	/* the next of them, its DT_ type the byte before it; NULL: no more */
/* rootfs/sources.c */
const char *rootfs_outer(const struct mnt *);	/* what is bound */
uint32_t rootfs_outside(const struct run *, bool gids, uint32_t id);	/* a number of the box as the host's, or ~0 */
/* rootfs/masks.c */
bool rootfs_lends(const struct run *);
/* rootfs/root.c */
uint32_t rootfs_root_flags(const struct run *);
/* rootfs/mounts.c */
int rootfs_user(struct run *, int i);	/* row i of box.mnt; 0 or fail() */
bool rootfs_late(const char *path);	/* below /proc or /sys: after the masks */
/* rootfs/image.c: mount= and tmpfs= */
int image_device(const struct mnt *);	/* of an image file: its loop device, -2: errno; -1: it is none */
int image_mount(struct mnt *, int device, const char *where);	/* 0 or -1; completes *m */
/* rootfs/etc.c */
int etc_sources(struct run *);		/* HOST */
int etc_place(struct run *);
int etc_refresh(int watch, int dir, const char *box);	/* keeper: all copies in RUNDIR/NAME; the inotify descriptor, made if -1 */
/* rootfs/mountinfo.c: cwd and root are those of this process */
struct mountinfo {
	int	 fd;
	unsigned at, have, lines;	/* lines: the end of the last whole one */
	char	*path, *root, *type;	/* unescaped */
	char	*rest;			/* the source, and the options of the super block */
	uint32_t flags;			/* MS_* */
	uint32_t dev;			/* major << 20 | minor */
	unsigned id, parent;
	bool	 shared, slave;
	char	 last[128];		/* the text of flags */
	char	 buf[6144];
};
struct mountinfo *mountinfo_open(int proc);		/* one at a time; NULL: errno */
int mountinfo_next(struct mountinfo *);			/* 1, 0 at the end, -1 */
/* rootfs/plan.c: what the box's mount table will be */
enum { PLAN_EXACT = 1,			/* flags are these, else at least these */
       PLAN_REC = 2, PLAN_SLAVE = 4,	/* others may hang below; and come from outside */
       PLAN_MAKE = 8,			/* mount points may be made in it */
       PLAN_DIR = 16, PLAN_FILE = 32,	/* what masks show */
       PLAN_KNOB = 64 };		/* of our own procfs or sysfs: itself, read-only */
int plan_add(struct run *, const char *path, unsigned kind, uint32_t flags, const char *type);	/* path as mountinfo will say it */
int plan_mnt(struct run *, const struct mnt *, unsigned kind);	/* it lies on rootfs_path */
int plan_forbid(struct run *, const char *path);	/* a read-only tree over path */
unsigned plan_kind(const char *path);	/* of the mount that path is on */
bool plan_check(const struct mountinfo *, bool dev);	/* is this line planned? dev: masks are of our /dev */
const char *plan_missing(void);		/* a planned mount that plan_check has not seen, or NULL */

/* ------------------------------------------------------------------- caps/ */

int caps_tether(struct run *);
int caps_oom(struct run *);
int caps_user(struct run *);
int caps_bound(struct run *);
int caps_keyring(struct run *);
int caps_label(struct run *);
int caps_sched(struct run *);
bool caps_compat(int proc);		/* does this kernel run 32-bit programs? */
int caps_rlimits(struct run *);
int caps_ids(struct run *);
int caps_sets(struct run *);
int caps_readback(struct run *);
int caps_nnp(struct run *);
bool caps_nnp_early(const struct box *);	/* INIT has set it for PROG too */
int caps_no_new_privs(struct run *);
int caps_retether(struct run *);
int caps_hide(struct run *);		/* not dumpable: nobody may look into this process; 0 or fail() */
int caps_close(struct run *);
int caps_number(const char *name);	/* "chown", "CAP_CHOWN": 0.., or -1 */
const char *caps_name(int number);		/* "chown" or NULL */
int caps_set(uint64_t eff, uint64_t perm, uint64_t inh);	/* capset */
bool caps_are(uint64_t only);		/* effective and permitted, and none is inheritable */
extern uint64_t caps_lacked;		/* not in the caller's bounding set, by caps_reset, */
extern bool caps_plain;		/* whose inheritable set is empty, */
extern bool caps_no_groups;	/* and who has none since */
void caps_reset(void);		/* HOST, first: umask, signals, nice: nothing is inherited by accident */
/* caps/user.c */
int caps_find(struct run *, int root);	/* caps_user in that root */
int caps_host(struct run *, const char *name, uint32_t *uid, uint32_t *gid);	/* of the host's; 0 or fail() */
/* caps/ids.c */
int caps_setgroups(int n, const uint32_t *);	/* the bare call */
int caps_groups(struct run *, int n, const uint32_t *);	/* a stage's: 0 or fail() */
int caps_become(uint32_t uid, uint32_t gid);	/* all four ids; 0 or -1 */
/* caps/status.c */
char *caps_status(int dir, const char *path);	/* a file of /proc, one read: good until the next; NULL: errno */
char *caps_file(const char *path);	/* the same of any small file */
const char *caps_field(const char *stat, int n);	/* of /proc/PID/stat, from 3 on: the name in front of them is in brackets, and may hold anything; NULL: none */
const char *caps_line(const char **text, const char *name);	/* behind "Name:\t", and *text goes there; or NULL */
uint64_t caps_mask(const char *hex);

/* ----------------------------------------------------------------- filter/ */

/* A policy is made word by word, then compiled. It lives in static storage:
 * one at a time. Phrases returned are errors for file:line: key: and hold the
 * word that is wrong. A word of syscalls= ends at a blank outside of ( ). */
#define ACT_ALLOW	0x7fff0000u	/* the kernel's SECCOMP_RET_* */
#define ACT_KILL	0x80000000u
#define ACT_LOG		0x7ffc0000u
#define ACT_TRAP	0x00030000u
#define ACT_ERRNO	0x00050000u

/* filter/policy.c */
void filter_begin(uint32_t fallback);		/* of known names that no rule allows: ACT_ERRNO|EPERM, ACT_KILL, ACT_LOG */
/* @GROUP -@GROUP NAME -NAME +NAME =NAME NAME:ACTION NAME(TESTS) -NAME(TESTS)
 * +NAME(TESTS) NAME(TESTS):ACTION; NULL or what is wrong. If the very first
 * word after filter_begin() has a sign, @service goes before it by itself. */
const char *filter_word(const char *word);
void filter_caps(uint64_t caps);		/* a policy with @service allows what these capabilities are for, unless a word named the call; after all words */
const char *filter_family(int i);		/* the names of sockets=, from 0: good until the next; NULL: no more */
int filter_family_number(const char *name);	/* or -1 */
/* The policy of a box, step by step from 0 to nsyscall + FILTER_STEPS, each by a
 * line of a key: NULL or what is wrong there. Its item is step - 1 for syscalls=. */
enum { FILTER_STEPS = 4 };
const char *filter_step(const struct box *, int step);
int filter_row(const struct box *, int step);	/* of whom it is */
/* filter/build.c */
/* The policy in use for the ABI in use: what the next filter_build() makes goes before it.
 * start: as much of it as it takes to start a program of the other ABI. */
void filter_behind(struct sock_filter *out, unsigned max, bool start);
const char *filter_build(struct sock_filter *out, unsigned max, uint16_t *n);	/* n 0: everything is allowed, no filter */
/* filter/show.c, filter/ask.c: husk filter */
void filter_show(const struct box *);
int filter_ask(const struct box *, char *const *words);	/* NAME ARG ...: 0 allowed, 1 refused, 2 no such thing */
const char *filter_cure(uint32_t nr, const unsigned long long args[6]);	/* caps=sys_time or syscalls=+clock_settime: what would allow it; NULL: no such call */
/* filter/load.c */
int filter_load(struct run *);
int filter_plain(struct run *);		/* the same, and nobody listens */
/* filter/notify.c: syscalls.log= and learn */
enum { FILTER_HOLE = 9,			/* instructions that a filter with a listener has in front */
       FILTER_OURS = 0x6b737568 };	/* as a sixth argument: a call of ours, on the way to the exec */
int filter_keep(struct run *);
bool filter_watched(const struct run *);	/* the filter of this box has a listener */
int filter_watch(struct run *);		/* PROG: its filter, with one */
int filter_serve(int slot, const char *name, int listener, int policy);	/* keeper: one call of a box; 0, or -1: the listener is of no use any more */
bool filter_rests(int slot);		/* that box has been refused too much: its listener is not asked before filter_due() */
uint64_t filter_due(int slot);		/* when filter_more() is to be called, or 0 */
void filter_more(int slot, const char *name, bool last);	/* says what has not been said of that box, or asks it again */
void filter_carry(void);
/* filter/learn.c */
struct seccomp_data;
void filter_learn(const struct box *, bool more);	/* begins; more: what its syscalls= allows is not of interest */
int filter_seen(const struct seccomp_data *);	/* a call of the box: 0, or the errno that it gets */
int filter_learned(int fd);			/* prints what allows it; 0 or -1 */
/* filter/pid1.c */
int filter_pid1(const struct sock_filter **prog);	/* INIT's own: length */

/* filter/nr.c: one architecture's table is in use; the first policy takes this binary's own */
extern const struct arch *filter_arch;
bool filter_use(const char *name);		/* "x86_64" "i386" "armv7" "arm64", NULL: this binary's own; false: no such */
const char *filter_machine(uint32_t audit);	/* the name of AUDIT_ARCH_*; NULL: none of ours */
bool filter_compat(bool yes);			/* from now on the 32-bit ABI of that machine, or its own again; false: it has one alone */
const char *filter_call(uint32_t nr);		/* name of a number, good until the next name; NULL: none */

/* Inside the folder. A call has one number of ours, the same for all architectures.
 * A slot is a number of the architecture in use; private ones of ARM follow the
 * highest ordinary one. */
struct arch {
	uint32_t audit;		/* AUDIT_ARCH_* */
	uint32_t foreign;	/* numbers from here belong to another ABI (x32); 0: none */
	uint32_t private;	/* the first of nprivate numbers far above the table */
	uint16_t slots;		/* all of them, private ones last */
	uint8_t	 nprivate;
	uint8_t	 bits;		/* of a register: 32, 64 */
	char	 name[8];
};
enum { LONGEST = 40 };
struct known {			/* a name */
	char	 text[LONGEST];
	uint16_t value;		/* of a call: which it is; see nr.c */
	uint8_t	 type;		/* of a call: the widths of its arguments */
};
struct call {
	bool	 typed;		/* the widths of its arguments are known */
	uint8_t	 args;		/* how many it has */
	uint8_t	 word, half;	/* bit i: the kernel reads 32, 16 bits of argument i */
};
#define NONUMBER 0xfffffffeu
enum { MAXCALL = 512, NOCALL = 511,	/* a number behind which there is no call, */
       OLDCALL = 510,			/* and never again: it answers as the one before */
       MAXRULE = 256, MAXTEST = 192, MAXACT = 32 };
enum { TWIN_CALL = 0x1ff, TWIN_DIFFERS = 0x4000,	/* not all take the same arguments */
       TWIN_LAST = 0x8000 };
enum { TEST_EQ, TEST_GT, TEST_GE, TEST_OP = 3,	/* both sides masked */
       TEST_NOT = 4,
       TEST_WIDE = 8,		/* both words count; else the low one alone */
       TEST_OR = 16,		/* the next test is an alternative to this one */
       TEST_END = 32 };		/* the last one of its rule */
struct test {
	uint64_t mask, value;
	uint8_t	 arg, op;
};
/* What answers to a call: below MAXACT one of acts[]; from there on a rule, by
 * which that answer or rule comes next whose tests do not hold. */
struct rule { uint16_t test, act, next; };
enum { P_REFUSE, P_ENOSYS, P_ALLOW, P_KILL };		/* always in acts[] */
enum { NAMED = 0x8000 };	/* a word named this call, not only its group */
struct policy {
	uint32_t acts[MAXACT];	/* ACT_* with errno */
	uint16_t answer[MAXCALL];	/* of a call */
	uint16_t nact, nrule, ntest;
	bool	 begun, service;
	uint16_t family;		/* the first test of sockets= */
	const uint32_t *families;	/* of sockets=; NULL: nobody said them */
	struct rule rules[MAXRULE];
	struct test tests[MAXTEST + 64];	/* until the rule is made they may be too many */
};
struct policy *filter_at(void) BASE;
#define filter_policy (*filter_at())
struct word {			/* of syscalls=, while it is read */
	const char *at;			/* what comes next */
	const char *tests;		/* NULL: none */
	const char *bad;		/* the first thing that is wrong */
	char	 misfit;		/* it is the token */
	char	 name[LONGEST];
	union { char token[LONGEST]; uint8_t guard[LONGEST]; };	/* token: the last value of a test; guard: see test/guard.sh */
	char	 sign;			/* + - or 0 */
	bool	 exact, acted;		/* it has a =, an :ACTION */
	uint16_t act;			/* of :ACTION; ALLOW without one */
};

const char *filter_near(const char *word, bool constant);	/* "; open?", or "": of calls and groups, or of constants */
const char *filter_unknown(const char *word);	/* "opne" is not a system call; open? */
const char *filter_action(uint32_t act);	/* EPERM, KILL: good until the next */
bool filter_socket(unsigned call);		/* it makes a socket of a family: sockets= is about it */
bool filter_refuses(unsigned call);		/* whatever its arguments are */

/* filter/nr.c */
extern uint16_t filter_calls[MAXCALL];		/* by slot: the call, NOCALL or OLDCALL */
extern const uint8_t filter_classes[];		/* of all calls in turn: the class, 6 bits, and for how many more of them; 1: in no group; 0: the end */
unsigned filter_slot(uint32_t nr);		/* the call behind a number; NOCALL: none */
const struct known *filter_find(const char *name);	/* good until the next; NULL: no such name */
const struct known *filter_name(int);		/* all known names, one after the other from 0: good until the next; NULL: no more */
const uint16_t *filter_twins(unsigned call);	/* all that do what this one does, with TWIN_ flags; NULL: it has none */
struct call filter_widths(unsigned call);
uint32_t filter_number(unsigned call);		/* NONUMBER: the architecture in use does not have it */
bool filter_constant(const char *name, uint64_t *);
/* filter/groups.c */
struct right {			/* what a group allows by tests */
	uint16_t call;
	uint8_t	 class;		/* of the group; 0: the end of the table */
	uint8_t	 test;		/* the first of them */
};
extern const struct right filter_rights[];
struct narrow { uint32_t mask, value; uint8_t arg, op; };	/* a struct test of 32 bits */
extern const struct narrow filter_tested[];
extern const char filter_sets[];	/* of classes that are some arguments alone: words */
extern const uint8_t filter_set_classes[];	/* they; 0: the end */
struct opens { uint8_t cap, first, last; };	/* a capability the calls of these classes; first 0: the end */
extern const struct opens filter_opens[];
/* filter/args.c */
const char *filter_cut(char *to, const char *from, const char *stop);	/* a name, or a token; what comes behind it */
bool filter_value(const char *s, uint64_t full, unsigned long long *v);	/* all of s; full: the bits that fit */
void filter_tests(struct word *, unsigned call, bool deny);	/* what stands in ( ), as tests of the policy */

/* filter/ask.c */
uint32_t filter_run(const struct sock_filter *, const struct seccomp_data *, unsigned *seen);	/* seen: bit i: word i was loaded */

/* ----------------------------------------------------------------- boards/ */

int board_boot(char **argv);			/* PID 1 of a machine; never returns */
void board_go_on(void) __attribute__((noreturn));	/* the same, from the middle */
void board_carry(void);
void chart_carry(void);
const char *board_file(const char *name);	/* of a box of the board */
void watchdog_carry(void);
void good_carry(void);
void console_carry(void);
int board_ask(const char *verb, char *const options[]);	/* halt, poweroff, reboot: asks PID 1, or with -f the kernel */
void board_failed(const char *what, const char *of);	/* "boot: ", a noun; says errno, too */
/* boards/mounts.c, boards/plan.c, boards/off.c: its parts */
void board_root(void);			/* an initramfs root becomes one that can be pivoted */
void board_mounts(bool late);
void board_cgroups(bool v2);		/* those of version 1, if version 2 is missing or lacks the processor */
void board_console(bool wait);		/* /dev/console on 0, 1 and 2; writing waits, but for what is said, or not */
void board_nodes(void);			/* of what the kernel has by now, where it has no devtmpfs */
void board_proc(void);			/* /proc, before all else */
bool board_inside(void);		/* not the machine's first PID namespace: the hardware is somebody else's */
const struct cmdline *board_cmdline(void);	/* boards/cmdline.c: read when it is asked for first; a child's business */
void board_cmdline_of(struct cmdline *, char *text);	/* of that text, which is cut */
bool board_skips(const char *name);	/* husk.skip= */
const char *board_add(const struct box *, const char *file);	/* to those whose order is made: NULL; or which of two files of one name is none: printed */
int board_circle(void);			/* can it be? 0, or 2: printed */
void board_loosen(struct life *, const char *name);	/* of a circle that has been said: who gives up its order does, and who never can be hears of it */
void board_plan(int to, bool again, bool moved);	/* a child's whole life: board.conf; struct board_plan, one struct planned after the other; never returns */
bool board_readable(void);		/* all of it; or what is wrong has been said */
void board_lacks(const char *what, const char *of);	/* board_failed(), of what board.conf asks for: the board is not good */
bool board_complete(void);		/* a box, or at least its last state, is there of each file that is wrong; or that has been said */
/* What that child does with board.conf, in this order. boards/modules.c, boards/disks.c */
void board_modules(const struct board *);
void board_disks(struct box *, bool again);	/* mount= and what goes with it; again: what is not there yet */
int board_mount(struct mnt *, unsigned ms);	/* its disk is waited for so long; 0 or -1 */
int board_run(const char *name, const char *, const char *, const char *, const char *);	/* arguments up to NULL: its status, 128 and more of a signal, 127 there is none */
/* boards/find.c: what is good until the next call */
const char *board_find(const char *what, bool make, unsigned ms);	/* LABEL=X or a path: the path, or NULL: ENODEV. make: what is still to get that label will do, too */
const char *board_said(const char *path, const char *name);	/* of a file of /sys with lines NAME=VALUE, behind which the next one stands; one at a time; or NULL */
const char *board_type(const char *dev);	/* "ext4", or NULL */
bool board_blank(const char *dev);	/* nothing has ever been written there, or mkfs was not done with it */
bool board_begun(const char *dev, int set);	/* the mark for that: whether it is there; set 1 or 0: whether it could be written */
/* boards/root.c */
bool board_wants_root(const struct board *);	/* this is an initramfs, and is to look for the real root */
int board_real_root(const struct board *, char *init, size_t max);	/* 1: entered, PID 1 is to follow and become init; -1: printed */
bool board_overlay(const char *value);	/* this process is in the new root: PID 1 is to follow */
int board_follow(void);			/* into the root that lies over ours: 0 or -1 */
void board_enter(const char *init, char **argv);	/* follows, and becomes it; or prints */
/* boards/time.c */
void board_time(void);			/* the machine's own clock, where the kernel has not read it */
bool board_time_guessed(void);
int board_clock(bool guess);		/* PID 1: the seed is written anew when such a clock is set; what tells, or -1 */
void board_time_save(void);
void board_seed(void);			/* of random numbers: taken, and the next one written */
void board_seed_save(void);
/* PID 1, in this order: when the plan is there, and after each turn of its loop. When it is to be called
 * next at the latest: now_ms(), or 0: nothing waits for a time. boards/console.c, watchdog.c, good.c:
 * what these hold from turn to turn goes into a NAME_carry() of theirs, see init/upgrade.c. */
void board_consoles(const struct board_plan *);	/* boards/console.c */
uint64_t board_consoles_due(void);
void board_reaped(const void *siginfo);	/* perhaps one of those */
pid_t board_at(int i);			/* who is at the one of that number, up to MAXCONSOLE; or 0 */
void board_consoles_over(void);		/* who is at one is killed */
void board_rescue(const char *why, bool wanted);	/* a shell on the console; wanted: at once, else after Enter */
void board_fail(enum giveup, const char *why);	/* boards/boot.c: what giveup= and board.fail= ask for */
void board_ended(const char *name, bool failed);	/* one of its boxes, for now or for good */
bool board_attended(void);		/* one of board.console= works, as far as is known */
bool board_rescued(void);		/* it has not ended yet */
void board_watchdog(const struct board_plan *);	/* opens it, or NULL: feeds it */
uint64_t board_watchdog_due(void);
void board_good(const struct board_plan *);	/* takes it up, or NULL: are all ready, or is it too late? */
uint64_t board_good_due(void);
void board_tell(const char *what);	/* whoever listens at $NOTIFY_SOCKET */
void board_watchdog_down(void);		/* the way down begins: board.watchdog.stop= */
void board_watchdog_off(void);		/* it is not to wake a machine that is to stay off */
bool board_is_up(const char *name);	/* ready, done or skipped */
bool board_is(const char *name, const char *words);	/* by its state file: one of WORD|WORD */
const char *board_missing(void);	/* a box that is to be up and is not, "" where that is not known yet; NULL: all are up */
void board_stop(uint32_t ms);		/* all boxes: what comes after others first */
/* boards/chart.c */
void board_mark(const char *name, const char *what);	/* it is so now; NULL: this is the beginning */
int board_chart(const char *how);	/* husk boot -t, -k */
void board_guard(void);			/* PID 1 that crashes says so, and reboots, */
void board_hold(void);			/* and waits for no disk */
char board_asked(int sig);		/* 'h', 'p', 'r', or 0 */
void board_off(char how);		/* reboot(2) after all that comes before it; never returns */

#endif
