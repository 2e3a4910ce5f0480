/*
 * upgrade.c - husk upgrade: another husk goes on with the boxes of this one. No box
 * notices: its keeper, or PID 1 of a board, is the same process before and after.
 *
 *	client		is the new husk. It runs from where nobody can write (init_seal), and
 *			sends itself, as a descriptor, to the keeper's door
 *	keeper		writes down what it knows, in a file in memory that is sealed then
 *	its child	is the new one, and tries to read that. It says yes or no, or nothing,
 *			in time: else all is as it was
 *	keeper		becomes the new one by an exec, and keeps every descriptor: their
 *			numbers, and those of its children, are in what was written down
 *	the new one	reads it, answers to the client, and is in the loop
 *
 * What an exec leaves alone need not be written: children and their death signals, the
 * lock, pending signals and the mask, the signalfd, who is the subreaper, words and name
 * for ps, the time by which deadlines are counted. PID 1 of each box stays the old one.
 *
 * What is written down is the memory that outlives forget(), record by record, and each
 * file says by its NAME_carry() what that is: the same call writes it, and reads it. One
 * record is as large as the last one had it, or it is refused; so are records that look
 * different in the source: LAYOUT is a sum over their text, see layout.sh. So nothing is
 * to be done when a struct changes, but that a new husk is not for boxes of an old one
 * then. A pointer is not handed over: it is found anew, by keeper_resume().
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk.h"

#define HERE	"HUSK_UPGRADE="		/* the descriptor, and of one that tries, of the pipe */
enum { TRY_MS = 3000, TURN_MS = 250, MAXENVIRON = 1024, SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

static struct {
	bool	 reads, bad;
	int	 fd;
	off_t	 at;
	const char *env[MAXENVIRON];
} one;

static bool move(void *what, size_t size)
{
	ssize_t n = one.reads ? pread(one.fd, what, size, one.at) : write(one.fd, what, size);

	one.at += n > 0 ? n : 0;
	return n == (ssize_t)size;
}

static bool used(const uint8_t *p, size_t size)
{
	while (size && !*p)
		size--, p++;
	return size;
}

/* Those that are all zero are not there: memory that nobody has touched stays so. */
void carry(void *what, size_t size, unsigned n)
{
	struct { uint32_t size, n; uint64_t used; } mine = { (uint32_t)size, n, 0 }, is;
	uint8_t *p = what;
	unsigned i;

	for (i = 0; i < n && !one.reads; i++)
		mine.used |= (uint64_t)used(p + i * size, size) << i;
	is = mine;
	one.bad |= !move(&is, sizeof is) || is.size != mine.size || is.n != n;
	for (i = 0; i < n && !one.bad; i++, p += size)
		if (is.used >> i & 1)
			one.bad |= !move(p, size);
}

static void carry_all(void)
{
	uint32_t mine[] = { ENDED_MAGIC, LAYOUT, sizeof(long) }, is[3];

	memcpy(is, mine, sizeof is);
	carry(is, sizeof is, 1);
	one.bad |= memcmp(is, mine, sizeof is) != 0;
	keeper_carry();
	ctl_carry();
	enter_carry();
	log_carry();
	passed_carry();
	filter_carry();
	tty_carry();
	hooks_carry();
	if (HAS(boards)) {
		board_carry();
		chart_carry();
		watchdog_carry();
		good_carry();
		console_carry();
	}
	main_carry();
}

/* ------------------------------------------------------------------ the old one */

/* What it holds is in it for good: the descriptor, or -1 */
static int written(void)
{
	int fd = (int)syscall(SYS_memfd_create, "husk-upgrade", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	memset(&one, 0, sizeof one);
	one.fd = fd;
	if (fd >= 0)
		carry_all();
	if (fd >= 0 && !one.bad && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	let_go(fd);
	return -1;
}

static void become(int exe, const char *here, char *const *argv)
{
	char **e;
	unsigned n = 1;

	one.env[0] = here;
	for (e = environ; *e && n < MAXENVIRON - 1; e++)
		one.env[n++] = *e;
	one.env[n] = NULL;
	(void)sys_execveat(exe, "", argv, (char *const *)(uintptr_t)one.env, AT_EMPTY_PATH);
}

/* A child, which has nothing but the two. What it is named keeps one that knows nothing of
 * this from doing what the keeper was once started for. */
static void try(int exe, int fd, int tell)
{
	static char *argv[] = { NULL, NULL };
	uint8_t no = UPGRADE_EXEC;

	argv[0] = (char *)(uintptr_t)"husk";
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && fcntl(fd, F_SETFD, 0) == 0 && fcntl(tell, F_SETFD, 0) == 0)
		become(exe, fmts(HERE "%d:%d", fd, tell), argv);
	(void)!write(tell, &no, 1);
	_exit(125);
}

/* Nobody else feeds the machine's watchdog meanwhile. */
static bool answers(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	int n, ms;

	for (n = ms = 0; n < 1 && ms < TRY_MS; ms += TURN_MS) {
		n = poll(&p, 1, TURN_MS);
		if (HAS(boards))
			board_watchdog(NULL);
	}
	return n == 1;
}

#if UINTPTR_MAX > UINT32_MAX
typedef Elf64_Ehdr head;
typedef Elf64_Phdr segment;
enum { CLASS = ELFCLASS64 };
#else
typedef Elf32_Ehdr head;
typedef Elf32_Phdr segment;
enum { CLASS = ELFCLASS32 };
#endif

/* Who tries runs but a part of it: a file that was cut off behind that would be found out by
 * the process that has become it, and that of a board may not die. */
static bool cut_off(int exe)
{
	FILLED struct stat st;
	head h;
	segment s;
	unsigned i;

	if (fstat(exe, &st) < 0 || pread(exe, &h, sizeof h, 0) != sizeof h || h.e_ident[EI_CLASS] != CLASS)
		return false;	/* whatever it is: it will say so */
	for (i = 0; i < h.e_phnum; i++)
		if (pread(exe, &s, sizeof s, (off_t)(h.e_phoff + i * sizeof s)) != sizeof s || (uint64_t)s.p_offset + s.p_filesz > (uint64_t)st.st_size)
			return true;
	return false;
}

/* What it says in its time: 0, or why not */
static int tried(int exe, int fd)
{
	uint8_t said = UPGRADE_DIED;
	pid_t pid, me = getpid();
	int tell[2];

	if (pipe2(tell, O_CLOEXEC) < 0)
		return UPGRADE_STATE;
	if ((pid = fork()) == 0) {
		if (getppid() == me)
			try(exe, fd, tell[1]);
		_exit(125);
	}
	close(tell[1]);
	if (pid < 0)
		said = UPGRADE_STATE;
	else if (!answers(tell[0]))
		said = UPGRADE_LATE;
	else
		(void)!read(tell[0], &said, 1);
	close(tell[0]);
	if (pid > 0)
		(void)kill(pid, SIGKILL);	/* and is reaped as any other */
	return said;
}

/* All that this process has is for the next one, or not: what is it? */
static int lasting(bool yes)
{
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), more = dir;
	const char *name;
	uint64_t fd;

	while (dir >= 0 && (more = rootfs_list(dir)) > 0)
		while ((name = rootfs_name()))
			if (decimal(name, &fd) > name && fd > 2)
				(void)fcntl((int)fd, F_SETFD, yes ? 0 : FD_CLOEXEC);
	let_go(dir);
	return more;
}

/* Comes back if nothing has become of it: why */
int upgrade(int exe)
{
	int fd, why = UPGRADE_SEAL;

	if (exe < 0 || init_sealed(exe) < 1 || keeper_learns())
		return keeper_learns() ? UPGRADE_LEARNS : why;
	keeper_settle();
	if ((fd = written()) < 0)
		return UPGRADE_STATE;
	why = cut_off(exe) ? UPGRADE_EXEC : tried(exe, fd);
	if (why == 0) {
		if (lasting(true) == 0 && fcntl(exe, F_SETFD, FD_CLOEXEC) == 0)
			become(exe, fmts(HERE "%d", fd), entry_words());
		(void)lasting(false);
		why = UPGRADE_EXEC;
	}
	close(fd);
	return why;
}

/* ------------------------------------------------------------------ the new one */

/* Of this user, and as it was written */
static bool ours(int fd)
{
	FILLED struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == getauxval(AT_EUID) && fcntl(fd, F_GET_SEALS) == SEALS;
}

bool upgrade_begun(void)
{
	return *environ && starts(*environ, HERE);
}

/* The one that tries says so, and that was all. */
int upgrade_read(void)
{
	uint64_t fd, tell = 0;
	const char *s = decimal(*environ++ + sizeof HERE - 1, &fd);
	uint8_t no;

	if (*s == ':')
		(void)decimal(s + 1, &tell);
	one.fd = (int)fd;
	one.reads = true;
	one.bad = !ours(one.fd);
	if (!one.bad)
		carry_all();
	no = one.bad ? UPGRADE_LAYOUT : 0;
	if (tell) {
		(void)!write((int)tell, &no, 1);
		_exit(no);
	}
	close(one.fd);
	(void)lasting(false);
	(void)prctl(PR_SET_NAME, "husk");
	return one.bad ? -1 : 0;
}
