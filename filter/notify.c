/*
 * notify.c - a filter with a listener: a refused call is one log line, or every
 * call of the box is seen.
 *
 *	PROG	loads the policy with USER_NOTIF for its errnos, sends the listener to
 *		HOST, loads a second filter
 *	keeper	is asked by the kernel while the call waits: looks up what the policy
 *		answers, says it, answers so
 *
 * The message with the listener has to get through the very filter that it is
 * about, which may refuse sendmsg(). So in front of the policy three calls are
 * allowed if they have a sixth argument of ours, which none of them takes. The
 * second filter refuses what the first one lets through so: before the exec, and
 * for ever. No helper process, which would be one more for pids.max and for a
 * program that is PID 1; and no pidfd_getfd(), which needs 5.6 and rights over PROG.
 *
 * The policy itself lies in a file without a name that the keeper holds: nothing
 * of it stays in memory, and a board's PID 1 gets it as a descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"
#include "nr.h"

#define ACT_NOTIFY	0x7fc00000u
#define ACT_MASK	0xffff0000u
/* musl's ioctl() takes an int */
enum { RECEIVE = (int)SECCOMP_IOCTL_NOTIF_RECV, SEND = (int)SECCOMP_IOCTL_NOTIF_SEND,
       VALID = (int)SECCOMP_IOR(2, uint64_t) };		/* the number that kernels before 5.9 know, too */
enum { WAIT_KILLABLE = 1 << 5 };			/* linux/seccomp.h, from 5.19 */

#define FIELD(f)		offsetof(struct seccomp_data, f)
#define LOAD(at)		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, at }
#define EQUAL(k, yes, no)	{ BPF_JMP | BPF_K | BPF_JEQ, yes, no, k }
#define RETURN(act)		{ BPF_RET | BPF_K, 0, 0, act }

static const struct sock_filter hole[FILTER_HOLE + 1] = {
	LOAD(FIELD(arch)),
	EQUAL(NR_AUDIT, 0, 7),
	LOAD(FIELD(nr)),
	EQUAL(SYS_sendmsg, 2, 0),
	EQUAL(SYS_seccomp, 1, 0),
	EQUAL(SYS_exit_group, 0, 3),
	LOAD(FIELD(args[5])),
	EQUAL(FILTER_OURS, 0, 1),
	RETURN(ACT_ERRNO | EPERM),
	RETURN(ACT_ALLOW),
};

bool filter_watched(const struct run *r)
{
	return r->learn || (r->box->calls_log && r->box->nbpf);
}

/* ENOSYS is no refusal: a C library that asks for what is newer than the kernel
 * gets that answer, too, and goes on. */
static bool refusal(uint32_t act)
{
	return (act & ACT_MASK) == ACT_ERRNO && act != (ACT_ERRNO | ENOSYS);
}

/* The policy with another answer for what it refuses. It is changed in place: this
 * memory is PROG's own. */
static uint16_t watched(const struct run *r, struct sock_filter *to)
{
	unsigned n = r->learn ? 0 : r->box->nbpf, i;

	memmove(to + FILTER_HOLE, to, n * sizeof *to);
	memcpy(to, hole, FILTER_HOLE * sizeof *to);
	to[FILTER_HOLE - 1].k = ACT_ALLOW;
	n += FILTER_HOLE;
	for (i = FILTER_HOLE; i < n; i++)
		if (to[i].code == (BPF_RET | BPF_K) && refusal(to[i].k))
			to[i].k = ACT_NOTIFY;
	if (r->learn)
		to[n++] = (struct sock_filter)RETURN(ACT_NOTIFY);
	return (uint16_t)n;
}

/* The second one comes through the hole. */
static int load(const struct sock_filter *filter, uint16_t n, long flags)
{
	struct sock_fprog prog = { n, (struct sock_filter *)(uintptr_t)filter };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog, 0, 0, flags ? 0 : FILTER_OURS);
}

/* Without WAIT_KILLABLE a signal that comes while the keeper thinks has the call
 * made again. Between the two filters a call may wait for a keeper that does not
 * know of it yet: there is one way to end. */
int filter_watch(struct run *r)
{
	struct sock_filter *f = (struct sock_filter *)(uintptr_t)r->box->bpf;
	uint16_t n = watched(r, f);
	int fd = load(f, n, SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE);

	if (fd < 0 && errno == EINVAL)
		fd = load(f, n, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	if (fd < 0)
		return fail(r, "seccomp filter of %u instructions, with a listener", (unsigned)n);
	if (init_give(r->row, r->sync, MSG_LISTENER, fd) < 0)
		syscall(SYS_exit_group, 125, 0, 0, 0, 0, FILTER_OURS);
	return load(hole, FILTER_HOLE + 1, 0) < 0 ? fail(r, "the filter that closes the other") : 0;
}

/* The keeper's own way to where its lines go, which never waits: what is full is
 * full as long as the reader likes, and the box writes there, too. A file has no
 * reader, and a socket has no other way. */
static void no_wait(const struct run *r)
{
	FILLED struct stat st;
	int fd;

	if (r->board || fstat(2, &st) < 0 || S_ISREG(st.st_mode) ||
	    (fd = openat(r->proc, "self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) < 0)
		return;
	(void)dup2(fd, 2);
	close(fd);
}

/* In HOST, before the release: what the keeper needs. */
int filter_keep(struct run *r)
{
	size_t n = r->box->nbpf * sizeof r->box->bpf[0];
	struct seccomp_notif_sizes s;

	if (!filter_watched(r))
		return 0;
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &s) < 0)
		return fail(r, "needs Linux 5.0");
	if (r->learn)
		return 0;
	no_wait(r);
	r->policy = (int)syscall(SYS_memfd_create, "policy", MFD_CLOEXEC);
	if (r->policy < 0 || write(r->policy, r->box->bpf, n) != (ssize_t)n)
		return fail(r, "keep the policy");
	return 0;
}

/* What the policy says to a call, by the program that the kernel would have run. */
static uint32_t verdict(int policy, const struct seccomp_data *d)
{
	static struct sock_filter program[MAXBPF];
	unsigned seen;

	return pread(policy, program, sizeof program, 0) > 0 ? filter_run(program, d, &seen) : ACT_ERRNO | EPERM;
}

static int answer(int policy, const struct seccomp_data *d)
{
	uint32_t act = verdict(policy, d);

	return refusal(act) ? (int)(act & 0xffff) : EPERM;
}

/* It is exec.once= that refuses this execve or execveat, and no word allows it: the
 * policy has execve from that one address alone. */
static bool once(int policy, struct seccomp_data d)
{
	unsigned call = filter_slot((uint32_t)d.nr);

	if (call != N_execve && call != N_execveat)
		return false;
	d.nr = (int)filter_number(N_execve);
	d.args[0] = ONLY_PAGE + 4096;
	if (verdict(policy, &d) == ACT_ALLOW)
		return false;
	d.args[0] = ONLY_PAGE;
	return verdict(policy, &d) == ACT_ALLOW;
}

enum { LINES = 16, LOOKS = 4 * LINES, WINDOW_MS = 10000,
       CALLS = 256, REST_MS = 100 };	/* so many of a box in such a time */

/* For each box of the keeper: what has been said lately, and how much was not. A
 * look into the tables is long; what came as it is a moment ago needs none. The keeper's
 * time is not the box's, which no limit of its own would bound: who is refused more
 * than CALLS sleeps in the kernel until the keeper asks for it again. */
static struct said {
	uint64_t until, rest;
	uint32_t more;
	uint16_t calls;
	uint16_t n, looks;
	uint32_t seen[LINES], last[LINES];

	/* for husk state: all since the start, the last one, and whose name that is */
	uint32_t all, when, arch, nr, pid, of;
	char	 comm[18];
} said[MAXBOX] APART;

void filter_carry(void)
{
	carry(said, sizeof *said, MAXBOX);
}

/* The tables of the architecture that the call is of */
static bool use(uint32_t audit)
{
	const char *name = filter_machine(audit);

	return name && filter_use(name);
}

/* In one write, without a gap; a line ends it. Not at each call, but for each line that is said. */
static void note_denied(int slot)
{
	const struct said *s = &said[slot];
	int fd = openat(keeper_at(slot)->fd[W_LOCK], "denied", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	const char *name = use(s->arch) ? filter_call(s->nr) : NULL;

	(void)filter_use(NULL);
	if (fd < 0)
		return;
	say(fd, "%u %u %s by %s%s%u\n", s->all, s->when, name ? name : "?", s->of == s->pid ? s->comm : "", s->of == s->pid ? ", " : "", s->pid);
	close(fd);
}

/* Nothing waits for who reads the lines. */
static bool ready(void)
{
	struct pollfd p = { 2, POLLOUT, 0 };

	return poll(&p, 1, 0) > 0 && p.revents & POLLOUT;
}

bool filter_rests(int slot)
{
	return said[slot].calls >= CALLS;
}

uint64_t filter_due(int slot)
{
	const struct said *s = &said[slot];

	return filter_rests(slot) ? s->rest : s->more ? s->until : 0;
}

void filter_more(int slot, const char *name, bool last)
{
	struct said *s = &said[slot];
	uint32_t more = s->more;

	if (filter_rests(slot) && !last) {
		s->calls = 0;
		return;
	}
	if (more && !last)
		note_denied(slot);
	if (more && ready()) {
		warnx("%s: denied: %u more", name, more);
		more = 0;
	}
	memset(s, 0, last ? sizeof *s : offsetof(struct said, all));
	s->more = last ? 0 : more;
	s->until = now_ms() + WINDOW_MS;
}

/* What the kernel does not read is whatever was in those registers. */
static void trim(struct seccomp_data *d)
{
	unsigned call = use(d->arch) ? filter_slot((uint32_t)d->nr) : NOCALL, i;
	struct call w = { .args = 6 };

	if (call != NOCALL)
		w = filter_widths(call);
	d->instruction_pointer = w.args;
	for (i = 0; i < 6; i++)
		d->args[i] &= i >= w.args ? 0 : w.word >> i & 1 ? 0xffffffff : ~0ull;
}

static uint32_t sum(const struct seccomp_data *d)
{
	const uint8_t *p = (const uint8_t *)d, *end = p + sizeof *d;
	uint32_t hash = 2166136261u;

	while (p < end)
		hash = (hash ^ *p++) * 16777619u;
	return hash;
}

static bool among(const uint32_t *list, uint32_t hash)
{
	int i;

	for (i = 0; i < LINES && list[i] != hash; i++)
		;
	return i < LINES;
}

/* It is one more, and no look is due. Nothing that a box does makes a log grow
 * faster than this, or its keeper busy with it. */
static bool one_more(int slot, const char *name, const struct seccomp_notif *n)
{
	const struct seccomp_data *d = &n->data;
	struct said *s = &said[slot];
	uint32_t hash = sum(d);
	uint64_t now = now_ms();

	if (now >= s->until)
		filter_more(slot, name, false);
	if (now >= s->rest || !s->calls) {
		s->rest = now + REST_MS;
		s->calls = 0;
	}
	s->calls++;
	s->more++;
	s->all++;
	s->when = state_seconds();
	s->arch = d->arch;
	s->nr = (uint32_t)d->nr;
	s->pid = n->pid;
	if (s->n == LINES || s->looks == LOOKS || among(s->last, hash))
		return true;
	s->last[s->looks++ % LINES] = hash;
	return false;
}

/* Which names of constants an argument may have: how they begin */
static const struct { uint16_t call; uint8_t arg; char first[5]; } named[] = {
	{ N_socket, 0, "AF_" }, { N_socketpair, 0, "AF_" }, { N_prctl, 0, "PR_" }, { N_ioctl, 1, "T" }, { N_ioctl, 1, "SIOC" },
};

static const char *constant(unsigned call, unsigned arg, uint64_t value)
{
	const struct known *k;
	uint64_t v;
	unsigned i;
	int n;

	for (i = 0; i < sizeof named / sizeof *named; i++)
		for (n = 0; named[i].call == call && named[i].arg == arg && (k = filter_name(n)); n++)
			if (starts(k->text, named[i].first) && filter_constant(k->text, &v) && v == value)
				return k->text;
	return NULL;
}

/* As many as the call has: trim() has left that. */
static const char *arguments(const struct seccomp_data *d)
{
	static char text[6 * 40];
	const char *name;
	unsigned i;
	size_t n = 0;

	*text = '\0';
	for (i = 0; i < d->instruction_pointer; i++) {
		name = constant(filter_slot((uint32_t)d->nr), i, d->args[i]);
		if (!name)
			name = fmts(TEXT "0x%llx", (unsigned long long)d->args[i]);
		n += fmt(text + n, sizeof text - n, "%s%s", i ? ", " : "", name);
	}
	return text;
}

/* The name of a process is what it likes, and no part of the line. */
static const char *program(uint32_t pid)
{
	static char comm[18];
	int proc = proc_fd();
	int n = read_at(proc, fmts(TEXT "%u/comm", pid), comm, sizeof comm) - 1, i;

	close(proc);
	for (i = 0; i < n; i++)
		if (!cfg_chars(comm + i, 1, "0-.+/@"))
			comm[i] = '?';
	comm[i] = '\0';		/* the end of the line that it is */
	return comm;
}

/* Once for each call with these arguments. A starter of PID 1 compiles by the tables
 * that are in use. */
static void report(int slot, const char *box, int listener, int policy, struct seccomp_notif *n)
{
	struct said *s = &said[slot];
	const char *args, *who, *cure, *name;		/* in this order, each is good until the line is said */
	uint32_t hash;

	trim(&n->data);
	hash = sum(&n->data);
	if (!among(s->seen, hash) && ready()) {
		args = arguments(&n->data);
		who = program(n->pid);
		cure = once(policy, n->data) ? "exec.once=no" : filter_cure((uint32_t)n->data.nr, n->data.args);
		name = filter_call((uint32_t)n->data.nr);
		if (ioctl(listener, VALID, &n->id) < 0) {	/* the number may be another's by now: the next one tells */
			s->last[(s->looks - 1) % LINES] = 0;
		} else {
			s->seen[s->n++] = hash;
			s->more--;
			warnx("%s: denied: %s(%s) (%s, %u): %s", box, name ? name : "?", args, who, n->pid,
				cure ? cure : "?");
			s->of = n->pid;
			copy(s->comm, sizeof s->comm, who);
			note_denied(slot);
		}
	}
	(void)filter_use(NULL);
}

/* One call, that poll() has announced. ENOENT: who made it was killed, or has been
 * interrupted and makes it again. */
int filter_serve(int slot, const char *name, int listener, int policy)
{
	static union { struct seccomp_notif n; uint8_t room[256]; } in;
	static union { struct seccomp_notif_resp r; uint8_t room[64]; } out;

	memset(&in, 0, sizeof in);	/* the kernel asks for that */
	memset(&out, 0, sizeof out);
	if (ioctl(listener, RECEIVE, &in) < 0)
		return errno == ENOENT || errno == EINTR ? 0 : -1;
	out.r.id = in.n.id;
	in.n.data.instruction_pointer = 0;	/* nobody asks for it */
	if (policy < 0) {
		out.r.error = -filter_seen(&in.n.data);
		out.r.flags = out.r.error ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	} else {
		out.r.error = -answer(policy, &in.n.data);
		if (!one_more(slot, name, &in.n))
			report(slot, name, listener, policy, &in.n);
	}
	return ioctl(listener, SEND, &out) < 0 && errno != ENOENT ? -1 : 0;
}
