/*
 * inject.c - one system call of one process of a start fails, or the process
 * is killed there. (gcc and glibc of this machine; x86_64 only.)
 *
 *	inject -o LOG list                    -- PROG ARG...
 *	inject -o LOG fail ROLE N ERRNO       -- PROG ARG...	that call, once
 *	inject -o LOG ever ROLE N ERRNO       -- PROG ARG...	that one, and all with its number from there on
 *	inject -o LOG before|after ROLE N     -- PROG ARG...	SIGKILL there
 *	inject -o LOG fake ROLE N             -- PROG ARG...	not done, but answered with 0
 *	inject -o LOG hook ROLE N COMMAND     -- PROG ARG...	sh -c COMMAND first; $PID is the process
 *	inject -o LOG never NR,NR,path=NAME.. -- PROG ARG...	ENOSYS (ENOENT for a file) in every role
 *
 *	inject -o LOG each LIST               -- PROG ARG...	of the Kth husk exec the Kth line: ROLE N ERRNO
 *
 * A role is the order of birth: 0 the keeper, 1 INIT, 2 PROG, and of each husk exec 3 the starter, 4 its child. With -b behind LOG
 * the first process is the one that waits for a keeper in the background, role 3;
 * LOG gets its status. -r ORDER names the roles by digits where there are more processes, 9: left
 * alone. N is NR.K, the Kth call with the number NR of that process, from the
 * first execve on: what comes in another order now and then is still the same call. The
 * program itself is let go when its execve has succeeded, so nothing of it is counted or hit.
 * The exit status is the keeper's (128+n if signal n ended it). LOG gets one
 * line per call (list), "row ROLE R" where those that follow lie in another row of the
 * stage table, "hit" and "at TEXT" when the point was reached, and "alive ROLE PID"
 * for each process that outlived the keeper for 5 s: how soon it dies no tracer can tell.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <linux/ptrace.h>

#include "husk.h"

enum { WAITER = 3, MAXNR = 512 };
enum mode { LIST, FAIL, EVER, BEFORE, AFTER, FAKE, HOOK, NEVER, EACH };
static const char *const modes[] = { "list", "fail", "ever", "before", "after", "fake", "hook", "never", "each" };

_Static_assert(offsetof(struct run, row) == offsetof(struct run, side) + 1, "say_row() reads both");

struct task {
	pid_t	 pid;
	int	 role, turn;	/* turn: of which husk exec */
	int	 n[MAXNR];	/* calls so far, by number */
	int	 skip, error;	/* not done: the answer to be put in at the exit stop */
	int	 dead;		/* kill at the exit stop */
	long	 nr;
	char	 text[256];
};

static struct { int role, nr, point, error; } each[1024];
static int turns;
static struct task tasks[2048];
static int ntasks, alive, counting, background;
static enum mode mode;
static int role = -1, target = -1, point, wanted;
static long never[32];
static int nnever;
static const char *never_path, *hook, *order = "";
static FILE *out;
static const char *box = "";	/* name=, of the words of the start */
static uintptr_t run_at;	/* the struct run of a start: static, so where the keeper has it all its children have it */
static int rows[16];		/* the last that was said, by role; and 1 */

static void die(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(99);
}

static struct task *task_of(pid_t pid)
{
	int i;

	for (i = 0; i < ntasks; i++)
		if (tasks[i].pid == pid)
			return &tasks[i];
	if (ntasks == (int)(sizeof tasks / sizeof *tasks))
		die("too many processes");
	tasks[ntasks].pid = pid;
	tasks[ntasks].role = !background || ntasks > 3 ? ntasks : ntasks ? ntasks - 1 : WAITER;
	if (*order)
		tasks[ntasks].role = ntasks < (int)strlen(order) ? order[ntasks] - '0' : 9;
	alive++;
	return &tasks[ntasks++];
}

/* which argument of a call is a path, for the log and for path= */
static int path_arg(long nr)
{
	switch (nr) {
	case SYS_open: case SYS_execve: case SYS_mkdir: case SYS_rmdir: case SYS_unlink:
	case SYS_chdir: case SYS_umount2: case SYS_pivot_root: case SYS_readlink:
	case SYS_statfs: case SYS_stat: case SYS_lstat: case SYS_sethostname:
		return 0;
	case SYS_openat: case SYS_openat2: case SYS_mkdirat: case SYS_mknodat: case SYS_unlinkat:
	case SYS_execveat: case SYS_mount: case SYS_newfstatat: case SYS_open_tree:
	case SYS_readlinkat: case SYS_faccessat: case SYS_statx: case SYS_mount_setattr:
		return 1;
	case SYS_move_mount:
		return 3;
	case SYS_symlinkat:
		return 2;
	case SYS_write: case SYS_pwrite64:
		return 1;
	}
	return -1;
}

static void read_text(struct task *t, const struct ptrace_syscall_info *s)
{
	int a = path_arg(s->entry.nr);
	struct iovec to = { t->text, sizeof t->text - 1 };
	struct iovec from = { a < 0 ? NULL : (void *)(uintptr_t)s->entry.args[a], sizeof t->text - 1 };
	ssize_t n = -1, got = 0;
	char *p;

	memset(t->text, 0, sizeof t->text);
	if (s->entry.nr == SYS_prctl)
		snprintf(t->text, sizeof t->text, "option %d", (int)s->entry.args[0]);
	if (a < 0 || !from.iov_base)
		return;
	if (s->entry.nr == SYS_write || s->entry.nr == SYS_pwrite64) {
		to.iov_len = from.iov_len = s->entry.args[2] < 40 ? s->entry.args[2] : 40;
		n = process_vm_readv(t->pid, &to, 1, &from, 1, 0);
	} else {
		/* page by page: behind the end of the path there may be nothing */
		for (n = 0; n < (ssize_t)sizeof t->text - 1 && !memchr(t->text, 0, (size_t)n); n += (ssize_t)got) {
			from.iov_base = (char *)(uintptr_t)s->entry.args[a] + n;
			from.iov_len = 4096 - ((uintptr_t)from.iov_base & 4095);
			to.iov_base = t->text + n;
			to.iov_len = sizeof t->text - 1 - (size_t)n;
			if ((got = process_vm_readv(t->pid, &to, 1, &from, 1, 0)) <= 0)
				break;
		}
	}
	if (n < 0)
		t->text[0] = 0;
	for (p = t->text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '.';
}

static void list_fds(struct task *t)
{
	char path[64], name[400], link[256];
	struct dirent *d;
	ssize_t n;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/fd", t->pid);
	if (!(dir = opendir(path)))
		return;
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.') {
			snprintf(name, sizeof name, "%s/%s", path, d->d_name);
			n = readlink(name, link, sizeof link - 1);
			link[n < 0 ? 0 : n] = 0;
			fprintf(out, "fd %d %s %s\n", t->role, d->d_name, link);
		}
	closedir(dir);
}

/* Has it a struct run there, of that box? By its names, and by what is last in it */
static int is_run(pid_t pid, const uint8_t *p)
{
	const struct run *r = (const void *)p;
	char name[MAXNAME + 1] = "";
	struct iovec to = { name, strlen(box) + 1 }, from = { (void *)(uintptr_t)r->name, strlen(box) + 1 };

	return r->side == HOST && r->last_fd == -1 && r->box && r->name &&
	    process_vm_readv(pid, &to, 1, &from, 1, 0) == (ssize_t)from.iov_len && !strcmp(name, box);
}

static void find_run(pid_t pid)
{
	static uint8_t memory[4 << 20] __attribute__((aligned(16)));
	char line[512], path[32];
	unsigned long begin, end;
	struct iovec to, from;
	FILE *f;
	size_t i;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && !run_at && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%lx-%lx rw", &begin, &end) != 2 || !strstr(line, " rw-p ") || strchr(line, '[') || end - begin > sizeof memory)
			continue;
		from.iov_base = (void *)begin;
		to.iov_base = memory;
		to.iov_len = from.iov_len = end - begin;
		n = process_vm_readv(pid, &to, 1, &from, 1, 0);
		for (i = 0; n > 0 && !run_at && i + sizeof(struct run) <= (size_t)n; i += 8)
			if (is_run(pid, memory + i))
				run_at = begin + i;
	}
	if (f)
		fclose(f);
}

/* In which row of the table the call lies that begins now */
static void say_row(struct task *t)
{
	uint8_t at[2], row;		/* side, row */
	struct iovec to = { at, sizeof at }, from;

	if (!run_at && t->role == 0)
		find_run(t->pid);
	from.iov_base = (void *)(run_at + offsetof(struct run, side));
	from.iov_len = sizeof at;
	if (!run_at || (unsigned)t->role >= sizeof rows / sizeof *rows || process_vm_readv(t->pid, &to, 1, &from, 1, 0) != sizeof at)
		return;
	row = at[1];
	if (!at[0] || rows[t->role] == row + 1)
		return;
	rows[t->role] = row + 1;
	fprintf(out, "row %d %d\n", t->role, row);
}

static int is_never(struct task *t, long nr)
{
	size_t l = strlen(t->text), p = never_path ? strlen(never_path) : 0;
	int i;

	for (i = 0; i < nnever; i++)
		if (never[i] == nr)
			return ENOSYS;
	if (p && (nr == SYS_openat || nr == SYS_openat2 || nr == SYS_open) && l >= p &&
	    !strcmp(t->text + l - p, never_path))
		return ENOENT;
	return 0;
}

static void set_regs(pid_t pid, int entry, long value)
{
	struct user_regs_struct u;

	if (ptrace(PTRACE_GETREGS, pid, 0, &u) < 0)
		return;
	if (entry)
		u.orig_rax = (unsigned long)value;
	else
		u.rax = (unsigned long)value;
	ptrace(PTRACE_SETREGS, pid, 0, &u);
}

/* The first wait of a keeper and of a PID 1, which is brief, is over at once: what they
 * do when their box lives longer is part of every start then, and each start the same. */
static void hasten(struct task *t, const struct ptrace_syscall_info *s)
{
	struct user_regs_struct u;
	int polls = t->nr == SYS_poll && s->entry.args[1] && s->entry.args[2] == BRIEF_MS;

	if ((!polls && (t->nr != SYS_rt_sigtimedwait || !s->entry.args[2])) || ptrace(PTRACE_GETREGS, t->pid, 0, &u) < 0)
		return;
	u.rdx = polls ? 0 : u.rsp - 512;
	if (!polls && (ptrace(PTRACE_POKEDATA, t->pid, u.rdx, 0) < 0 || ptrace(PTRACE_POKEDATA, t->pid, u.rdx + 8, 0) < 0))
		return;
	ptrace(PTRACE_SETREGS, t->pid, 0, &u);
}

static int *count(struct task *t)
{
	return &t->n[t->nr >= 0 && t->nr < MAXNR ? t->nr : 0];
}

/* does this call fail? the errno, or 0 */
static int chosen(struct task *t, long nr)
{
	if (mode == NEVER)
		return is_never(t, nr);
	if (mode == EACH)
		return t->turn && each[t->turn].role == t->role && each[t->turn].nr == nr && each[t->turn].point == *count(t) ? each[t->turn].error : 0;
	if (t->role != role || nr != target || *count(t) < point || (mode != EVER && *count(t) > point))
		return 0;
	return mode == FAIL || mode == EVER ? wanted : -1;
}

static void run_hook(pid_t pid)
{
	char text[16];
	int status;
	pid_t p;

	snprintf(text, sizeof text, "%d", pid);
	if ((p = fork()) == 0) {
		setenv("PID", text, 1);
		execl("/bin/sh", "sh", "-c", hook, (char *)NULL);
		_exit(127);
	}
	waitpid(p, &status, 0);
	fprintf(out, "hook %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void on_entry(struct task *t, const struct ptrace_syscall_info *s)
{
	int e;

	t->nr = (long)s->entry.nr;
	++*count(t);
	t->skip = t->error = t->dead = 0;
	read_text(t, s);
	hasten(t, s);
	if (mode == LIST && *box)
		say_row(t);
	if (mode == LIST && t->role == 2 && (t->nr == SYS_execve || t->nr == SYS_execveat))
		list_fds(t);
	if (!(e = chosen(t, t->nr)))
		return;
	fprintf(out, "hit %d %ld.%d %d\nat %s\n", t->role, t->nr, *count(t), t->turn, t->text);
	fflush(out);
	if (e > 0 || mode == FAKE) {
		t->skip = 1;
		t->error = e > 0 ? e : 0;
		if (t->nr != SYS_close)		/* the descriptor is gone whatever close answers */
			set_regs(t->pid, 1, -1);
	} else if (mode == HOOK) {
		run_hook(t->pid);
	} else if (mode == BEFORE) {
		kill(t->pid, SIGKILL);
	} else {
		t->dead = 1;
	}
}

static void on_exit_stop(struct task *t, const struct ptrace_syscall_info *s)
{
	if (t->skip)
		set_regs(t->pid, 0, -t->error);
	if (t->dead)
		kill(t->pid, SIGKILL);
	if (mode == LIST && *count(t))
		fprintf(out, "call %d %ld.%d %lld %s\n", t->role, t->nr, *count(t), (long long)s->exit.rval, t->text);
	t->skip = t->error = t->dead = 0;
}

static void syscall_stop(struct task *t)
{
	struct ptrace_syscall_info s;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof s, &s) <= 0 || !counting)
		return;
	if (s.op == PTRACE_SYSCALL_INFO_ENTRY)
		on_entry(t, &s);
	else if (s.op == PTRACE_SYSCALL_INFO_EXIT)
		on_exit_stop(t, &s);
}

/* A child is known from its birth on, and not from its first stop: its parent may be
 * killed and reaped before that, and would have been the last one. */
static void born(pid_t parent)
{
	unsigned long pid;

	struct task *p = task_of(parent), *t;
	int i;

	if (ptrace(PTRACE_GETEVENTMSG, parent, 0, &pid) < 0)
		return;
	for (i = 0; i < ntasks; i++)
		if (tasks[i].pid == -(pid_t)pid)
			return;			/* and dead: it was killed, and waited for, before its parent came so far */
	t = task_of((pid_t)pid);
	if (background || *order || ntasks < 4 || p->role == 1)
		return;
	t->role = p->role == 0 ? 3 : 4;		/* husk exec */
	t->turn = p->role == 0 ? ++turns : p->turn;
}

/* one stop of one process; then it goes on */
static void stopped(struct task *t, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (event == PTRACE_EVENT_EXEC) {
		counting = 1;
		if (t->role >= 2 && !(background && t->role == WAITER)) {
			if (mode == LIST && *count(t))
				fprintf(out, "call %d %ld.%d 0 %s\n", t->role, t->nr, *count(t), t->text);
			fprintf(out, "exec %d\n", t->role);
			ptrace(PTRACE_DETACH, t->pid, 0, 0);
			t->pid = -t->pid;
			alive--;
			return;
		}
		sig = 0;
	} else if (event == PTRACE_EVENT_STOP) {
		if (sig != SIGTRAP) {
			ptrace(PTRACE_LISTEN, t->pid, 0, 0);
			return;
		}
		sig = 0;
	} else if (event) {		/* fork, vfork, clone: no others are asked for */
		born(t->pid);
		sig = 0;
	} else if (sig == (SIGTRAP | 0x80)) {
		syscall_stop(t);
		sig = 0;
	}
	ptrace(PTRACE_SYSCALL, t->pid, 0, sig);
}

static long ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* until the keeper has ended and all others too, or 5 s after it */
static int loop(pid_t first)
{
	int status, result = -1, waiter = -1, i;
	long end = 0;
	struct task *t;
	pid_t pid;

	while (alive > 0 && (result < 0 || ms() < end)) {
		pid = waitpid(-1, &status, __WALL | (result < 0 ? 0 : WNOHANG));
		if (pid < 0)
			break;
		if (pid == 0) {
			usleep(1000);
			continue;
		}
		t = task_of(pid);
		if (WIFSTOPPED(status)) {
			stopped(t, status);
			continue;
		}
		alive--;
		t->pid = -pid;			/* born() may still hear of it */
		i = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (background && pid == first) {
			fprintf(out, "waiter %d\n", waiter = i);
		} else if (t->role == 0) {
			result = i;
			end = ms() + 5000;
		}
	}
	if (result < 0)
		result = waiter;
	for (i = 0; i < ntasks; i++)
		if (tasks[i].pid > 0)
			fprintf(out, "alive %d %d\n", tasks[i].role, tasks[i].pid);
	return result;
}

static pid_t start(char **argv)
{
	int gate[2];
	pid_t pid;
	char c;

	if (pipe2(gate, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		die("fork");
	if (pid == 0) {
		close(gate[1]);
		while (read(gate[0], &c, 1) < 0 && errno == EINTR)
			;
		fcntl(fileno(out), F_SETFD, FD_CLOEXEC);
		execvp(argv[0], argv);
		_exit(98);
	}
	close(gate[0]);
	if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
	    PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
		die("ptrace");
	task_of(pid);
	close(gate[1]);
	return pid;
}

static void read_each(const char *path)
{
	FILE *f = fopen(path, "re");
	int i;

	for (i = 1; f && i < 1024 && fscanf(f, "%d %d.%d %d", &each[i].role, &each[i].nr, &each[i].point, &each[i].error) == 4; i++)
		;
	if (!f || fclose(f))
		die(path);
}

static void parse_never(char *list)
{
	char *w;

	for (w = strtok(list, ","); w; w = strtok(NULL, ","))
		if (!strncmp(w, "path=", 5))
			never_path = w + 5;
		else if (nnever < (int)(sizeof never / sizeof *never))
			never[nnever++] = atol(w);
}

int main(int argc, char **argv)
{
	int i = 4, n;

	if (argc > 4 && !strcmp(argv[3], "-b")) {
		background = 1;
		argv[3] = argv[2];
		argv[2] = argv[1];
		argc--, argv++;
	}
	if (argc > 5 && !strcmp(argv[3], "-r")) {
		order = argv[4];
		argv[4] = argv[2];
		argv[3] = argv[1];
		argc -= 2, argv += 2;
	}
	if (argc < 6 || strcmp(argv[1], "-o") || !(out = fopen(argv[2], "we")))
		die("usage: inject -o LOG [-b] MODE [ROLE N [ERRNO]] -- PROG ARG...");
	while (mode <= EACH && strcmp(modes[mode], argv[3]))
		mode++;
	if (mode > EACH)
		die("no such mode");
	if (mode == NEVER)
		parse_never(argv[i++]);
	else if (mode == EACH)
		read_each(argv[i++]);
	else if (mode != LIST && (role = atoi(argv[i++]), sscanf(argv[i++], "%d.%d", &target, &point) != 2))
		die("NR.K is missing");
	if (mode == FAIL || mode == EVER)
		wanted = atoi(argv[i++]);
	if (mode == HOOK)
		hook = argv[i++];
	if (i + 1 >= argc || strcmp(argv[i], "--"))
		die("-- PROG ARG... is missing");
	for (n = i + 1; argv[n] && strcmp(argv[n], "--"); n++)
		if (!strncmp(argv[n], "name=", 5) && strlen(argv[n]) <= MAXNAME + 5)
			box = argv[n] + 5;
	i = loop(start(argv + i + 1));
	fclose(out);
	return i < 0 ? 97 : i;
}
