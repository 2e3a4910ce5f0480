/* off.c - who asks for the end, and the way down. PID 1 may never exit, and
 * reboot(2) may never return: so children do what can hang, and PID 1 has the
 * last word. Each step has its time, whatever hangs:
 *
 *	boxes		each its stop.timeout, all board.stop.timeout; then those that are left at once
 *	the rest	TERM, GRACE_MS, KILL, GRACE_MS
 *	a child		swap, file systems, reboot(2): OFF_MS, and again while less and less is to be written
 *	another		the kernel's own emergency remount, EMERGENCY_MS, reboot(2) */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

enum { TURN_MS = 250, KILL_MS = 10000, GRACE_MS = 1000, BUSY_MS = 1000, OFF_MS = 10000, WRITES_MS = 600000, EMERGENCY_MS = 1000,
	STEP_MS = 10, DAY = 86400,
	LOOPS = 64, KEXEC = 0x45584543 };	/* of linux/reboot.h, where it is another type */
enum { RT_HALT = 34 + 3, RT_POWEROFF, RT_REBOOT, RT_KEXEC };	/* as systemd-nspawn and LXC send them */

/* Signals and the first letter of what they ask for. First those of busybox's
 * halt, poweroff and reboot, which are ours too. */
static const char asked[] = { SIGUSR1, 'h', SIGUSR2, 'p', SIGTERM, 'r', SIGINT, 'r', SIGPWR, 'h',
	RT_HALT, 'h', RT_POWEROFF, 'p', RT_REBOOT, 'r', RT_KEXEC, 'r', 0, 0 };

char board_asked(int sig)
{
	const char *a;

	for (a = asked; *a && *a != sig; a += 2)
		;
	return a[1];
}

/* A new kernel that lies ready is what a reboot is for. */
static void off(char how, bool kexec)
{
	if (how == 'r' && kexec)
		(void)reboot(KEXEC);
	(void)reboot(how == 'h' ? RB_HALT_SYSTEM : how == 'p' ? RB_POWER_OFF : RB_AUTOBOOT);
}

/* The options of busybox: -f does it here and now, without PID 1; -n without sync; after -d SEC. Of
 * the others -w writes a record alone, which nobody keeps here, and -i is passed over. */
int board_ask(const char *verb, char *const options[])
{
	bool here = false, plain = false, record = false;
	uint32_t delay = 0;
	const char *a, *o, *p;

	for (; (o = *options); options++) {
		p = o + 1 + strspn(o + 1, "fniw");
		if (*p == 'd' && (p[1] || options[1]) ? !cfg_digits(p[1] ? p + 1 : *++options, DAY, &delay) : *o != '-' || *p) {
			warnx("%s: %s: -f, -n, -d SEC, -i or -w", verb, o);
			return 2;
		}
		here |= strchr(o, 'f') != NULL;
		plain |= strchr(o, 'n') != NULL;
		record |= strchr(o, 'w') != NULL;
	}
	(void)poll(NULL, 0, (int)delay * 1000);
	if (record)
		return 0;
	for (a = asked; a[1] != *verb; a += 2)
		;
	if (!here && kill(1, *a) == 0)
		return 0;
	if (here && !plain)
		sync();
	if (here)
		off(*verb, true);
	warnx("%s: %s%s", verb, here ? "" : "ask PID 1: ", errno_text());
	return 1;
}

/* ----------------------------------------------------------------- the boxes */

static bool names(const struct live *w, const struct live *v)
{
	const char *p;

	for (p = w->life.waits; *p; p += strlen(p) + 1)
		if (*p != WAIT_IF && same(p + 1, v ? v->name : "*"))
			return true;
	return false;
}

/* Is one there that was to come after it? */
static bool wanted(const struct live *v)
{
	const struct live *w;

	for (w = keeper_next(NULL); w; w = keeper_next((struct live *)(uintptr_t)w))
		if (w != v && (names(w, v) || (names(w, NULL) && !names(v, NULL))))
			return true;
	return false;
}

/* Those that nobody waits for; and when they are gone, those that waited for them. In a
 * circle nobody is the first: then all are. How many are asked only now; and the time to
 * stop of one may be longer than the board's. */
static int ask_next(uint32_t ms, uint64_t *end)
{
	struct live *v;
	int n = 0, others = 0;

	for (v = keeper_next(NULL); v; v = keeper_next(v))
		if (v->stop_asked)
			others++;
		else if (!wanted(v)) {
			life_stop(v, 0);
			if (v->life.stop_ms > ms && now_ms() + v->life.stop_ms > *end)
				*end = now_ms() + v->life.stop_ms;
			n++;
		}
	if (!n && !others)
		keeper_stop(NULL);
	return n;
}

static void turn(void)
{
	keeper_turn(TURN_MS);
	board_watchdog(NULL);
	(void)keeper_signal();
}

/* What is asked to stop is killed when its time is over, and given up when that is of no use. */
void board_stop(uint32_t ms)
{
	uint64_t end = now_ms() + ms, most = 0;
	struct live *v;

	while (keeper_next(NULL) && now_ms() < end)
		if (!ask_next(ms, &end))
			turn();
	keeper_stop(NULL);
	for (v = keeper_next(NULL); v; v = keeper_next(v))
		most = v->life.stop_ms > most ? v->life.stop_ms : most;
	for (end = now_ms() + most + KILL_MS; keeper_next(NULL) && now_ms() < end; )
		turn();
}

/* -------------------------------------------------------------- what is below */

/* Until no child is left, or the time is over. Orphans are our children. */
static bool all_gone(int ms)
{
	pid_t pid;

	for (; ms > 0; ms -= STEP_MS) {
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0 && errno == ECHILD)
			return true;
		(void)poll(NULL, 0, STEP_MS);
		board_watchdog(NULL);
	}
	return false;
}

static void swap_off(void)
{
	static char text[2048];
	char *line, *end;

	if (read_file("/proc/swaps", text, sizeof text) < 0)
		return;
	for (line = text; (end = strchr(line, '\n')); line = end + 1) {
		line[strcspn(line, " \t\n")] = '\0';
		if (*line == '/' && syscall(SYS_swapoff, line) < 0)
			board_failed("off: swap ", line);
	}
}

/* Of files that nobody has mounted any more: or what they are on is busy. */
static void loops_off(void)
{
	int i, fd;

	for (i = 0; i < LOOPS; i++)
		if ((fd = open(fmts(TEXT "/dev/loop%d", i), O_RDONLY | O_CLOEXEC)) >= 0) {
			(void)ioctl(fd, LOOP_CLR_FD);
			close(fd);
		}
}

/* One pass; how many went. What is on a disk is read-only first: an overlay may still
 * hold it when nobody sees it any more. What is busy in the last one, as the root is,
 * stays so. */
static int unmount_all(int proc, bool last, bool *busy)
{
	struct mountinfo *m = mountinfo_open(proc);
	bool disk;
	int n = 0;

	for (*busy = false; m && mountinfo_next(m) > 0; ) {
		disk = m->dev >> 20 && m->path[1];
		if ((disk || last) && mount(NULL, m->path, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0 && last && m->dev >> 20)
			board_failed("off: read-only ", m->path);
		if (m->path[1] && umount2(m->path, UMOUNT_NOFOLLOW) == 0)	/* of the root the kernel says yes for ever */
			n++;
		else
			*busy |= disk;
	}
	if (m)
		close(m->fd);
	return n;
}

/* What is mounted below another mount goes in a pass before that one; and who was killed
 * just now may still hold a file. */
static void file_systems_off(void)
{
	int proc = proc_fd(), n, left = BUSY_MS;
	bool busy;

	do {
		n = unmount_all(proc, false, &busy);
		loops_off();
		if (!n && busy)
			(void)poll(NULL, 0, STEP_MS);
	} while (n || (busy && (left -= STEP_MS) > 0));
	(void)unmount_all(proc, true, &busy);
	sync();
}

/* The kernel ends who calls reboot(2): not PID 1, or it panics. If there is no child to be
 * had the last word is spoken by PID 1 nevertheless. */
static void in_child(char how, bool first)
{
	pid_t pid = fork();

	if (pid > 0 || (pid < 0 && first))
		return;
	if (board_inside()) {
		;		/* the disks are somebody else's: read-only here is read-only there */
	} else if (first) {
		board_seed_save();
		board_time_save();
		swap_off();
		file_systems_off();
	} else if (write_at(AT_FDCWD, "/proc/sysrq-trigger", "u") == 0)
		(void)poll(NULL, 0, EMERGENCY_MS);
	if (how != 'r')
		board_watchdog_off();
	off(how, first);
	if (pid == 0)
		_exit(1);
}

/* kB that a disk is still to take, or to give back: swapoff takes from the total. */
static uint64_t unwritten(int meminfo)
{
	static const char keys[] = "\nSwapTotal:\0\nDirty:\0\nWriteback:\0";
	static char text[1024];
	ssize_t n = pread(meminfo, text, sizeof text - 1, 0);
	uint64_t sum = 0, kb;
	const char *k, *p;

	text[n > 0 ? n : 0] = '\0';
	for (k = keys; *k; k += strlen(k) + 1)
		if ((p = strstr(text, k))) {
			p += strlen(k);
			decimal(p + strspn(p, " "), &kb);
			sum += kb;
		}
	return sum;
}

/* One that is slow is not dead. The file is open before /proc is not there any more. */
static void await_disks(int meminfo)
{
	uint64_t end = now_ms() + WRITES_MS, least = unwritten(meminfo), left;

	while (!all_gone(OFF_MS) && (left = unwritten(meminfo)) < least && now_ms() < end)
		least = left;
}

/* No sync() here: it waits for a disk that may be dead. */
void board_off(char how)
{
	int meminfo = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);

	(void)kill(-1, SIGTERM);
	(void)kill(-1, SIGCONT);
	if (!all_gone(GRACE_MS)) {
		(void)kill(-1, SIGKILL);
		(void)all_gone(GRACE_MS);
	}
	in_child(how, true);
	await_disks(meminfo);
	in_child(how, false);
	if (board_inside() && all_gone(GRACE_MS))
		_exit(0);		/* nobody could end the namespace by reboot(2): this does */
	for (;;)
		(void)poll(NULL, 0, -1);
}

/* Runs on a stack of its own. The handler is reset: whoever comes back from it
 * dies of the fault, as a child that inherited it must, and as PID 1 does, for
 * panic= of the kernel, if nobody could reboot. */
static void crashed(int sig)
{
	if (getpid() != 1)
		return;
	warnx("PID 1: signal %d: reboot", sig);
	in_child('r', false);
	(void)all_gone(OFF_MS);
}

/* The kernel never ends process 1 of a machine for its memory; nor is it to wait for a disk: what is
 * in memory stays there, and nothing more comes. It takes as long as three mounts. The vDSO alone cannot be
 * locked on fault and comes at once, for nothing: libc.c does without it. */
void board_hold(void)
{
	(void)syscall(SYS_mlockall, MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	(void)madvise((void *)getauxval(AT_SYSINFO_EHDR), 8192, MADV_DONTNEED);
}

void board_guard(void)
{
	static const uint8_t faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };
	static char stack[8192];
	struct sigaction sa = { .sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_RESETHAND };
	stack_t st = { .ss_sp = stack, .ss_size = sizeof stack };
	union { sigset_t set; unsigned long first; } most;
	unsigned i;

	(void)syscall(SYS_sigaltstack, &st, NULL);
	sigfillset(&most.set);
	for (i = 0; i < sizeof faults; i++) {
		(void)sigaction(faults[i], &sa, NULL);
		most.first &= ~(1ul << (faults[i] - 1));
	}
	sigprocmask(SIG_SETMASK, &most.set, NULL);
}
