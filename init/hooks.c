/*
 * hooks.c - programs of others at five moments of a box's life, by the rules of OCI.
 *
 *	prestart	HOST	all is mounted, nothing is pivoted yet: INIT waits. OCI calls
 *				it createRuntime, too
 *	createcontainer	INIT	behind it: a program of the host, in the box's namespaces
 *	startcontainer	PROG	all rights are gone: a program of the box, with those that
 *				are left and behind the box's filter
 *	poststart	HOST	the program runs
 *	poststop	HOST	nothing is left of the box but its name
 *
 * HOST could run prestart before the clone's go, for less; but then what a hook mounts
 * would be seen outside, and what it looks for would not be there. What it mounts is
 * no part of the plan, and rootfs.verify says so: bind= and mount= are for that.
 * sysctl= has been written by then, and a hook that brings an interface sets its own.
 *
 * Who runs one waits for it, with a time limit; for poststart only at the end of the
 * box, where that one is needed elsewhere: for the terminal, for refused calls. What
 * poststop is stands in the state file before the first prestart, as all that is to
 * be undone.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "husk.h"

enum { LIMIT_MS = HOOK_S * 1000, GONE_MS = 1000, STILL_MS = 500, STEP_MS = 16 };

static struct {
	char	*argv[MAXHOOKARG + 1], *env[4];
	char	 text[MAXHOOKTEXT];
	char	 name[2][MAXNAME + 12];
	char	 state[1024];
} hook;

static pid_t runner STAYS;		/* of poststart; 0: none */

static bool wanted(const struct run *r, int stage)
{
	int i;

	for (i = 0; i < r->box->nhook && r->box->hook[i].stage != stage; i++)
		;
	return i < r->box->nhook;
}

/* Its words and its surroundings, which are always the same: nothing of the box's, nor
 * of ours. */
static void prepare(const char *text, int stage, const char *name)
{
	static const char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *at = hook.text;
	int n = 0;

	copy(hook.text, sizeof hook.text, text);
	while (n < MAXHOOKARG && !cfg_quoted(&at, &hook.argv[n], false) && hook.argv[n])
		n++;
	hook.argv[n] = NULL;
	fmt(hook.name[0], sizeof hook.name[0], TEXT "HUSK_HOOK=%s", cfg_nth(HOOKS, stage));
	fmt(hook.name[1], sizeof hook.name[1], TEXT "HUSK_NAME=%s", name);
	hook.env[0] = (char *)(uintptr_t)path;
	hook.env[1] = hook.name[0];
	hook.env[2] = hook.name[1];
}

/* The state of OCI, of which the run directory is the bundle. */
static size_t describe(int stage, const char *name, pid_t pid)
{
	const char *saved = state_saved(name);

	out_as(OUT_JSON);
	return fmt(hook.state, sizeof hook.state, TEXT "{\"ociVersion\":\"1.0.2\",\"id\":\"%s\",\"status\":\"%s\",\"pid\":%d,\"bundle\":\"%s\"}\n",
		name, cfg_nth("creating|creating|created|running|stopped", stage), pid,
		out_name(saved, (size_t)(strrchr(saved, '/') - saved)));
}

/* The end of this pipe is the end of the hook's life as ours: closed, an exec worked. */
static void refuse(int to)
{
	(void)!write(to, &errno, sizeof errno);
	_exit(127);
}

/* In the child. Closed, not marked alone, but for one end of a pipe. PROG has nothing
 * open any more that is not known; what is in /proc there is not known. */
static void become(struct run *prog, pid_t parent, int in, int err)
{
	FILLED sigset_t none;

	if (poll(&(struct pollfd){ 2, POLLOUT, 0 }, 1, STILL_MS) == 0)
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);	/* a terminal that stands still: it would be killed for that it speaks */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent || setsid() < 0 ||
	    dup2(in, 0) < 0 || dup2(2, 1) < 0 || chdir("/") < 0)
		refuse(err);
	if (prog)
		close(prog->sync), close(in);
	else if (close_others(AT_FDCWD, 3, &err, 1) < 0)
		refuse(err);
	umask(022);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prog && filter_plain(prog) < 0)
		refuse(err);
	execve(hook.argv[0], hook.argv, hook.env);
	refuse(err);
}

/* Not by a signal: SIGCHLD is somebody's in each of the processes that wait here. What
 * it leaves in the background stays there, if it was in time. */
static const char *await(pid_t pid, int err)
{
	uint64_t end = now_ms() + LIMIT_MS;
	int status = 0, step = 1, e;
	bool late = false;

	while ((e = waitpid(pid, &status, WNOHANG)) == 0 || (e < 0 && errno == EINTR)) {
		if (now_ms() >= end) {
			(void)kill(-pid, SIGKILL);
			(void)kill(pid, SIGKILL);
			if (late)
				return TEXT "cannot be killed";
			late = true;
			end += GONE_MS;
		}
		poll(NULL, 0, step);
		step += step < STEP_MS;
	}
	if (late)
		return fmts("no end after %d s: killed", HOOK_S);
	if (e < 0 || read(err, &errno, sizeof errno) == sizeof errno)
		return errno_text();
	if (WIFSIGNALED(status))
		return fmts("ended by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status) ? fmts("ended with %d", WEXITSTATUS(status)) : NULL;
}

/* NULL, or what was wrong. The state fits into a pipe, and whoever does not read it
 * hurts nobody. pid: 0: it is gone, -1: this process; prog: this process is to become the program of the box. */
static const char *run_hook(const char *text, int stage, const char *name, pid_t pid, struct run *prog)
{
	int p[4] = { -1, -1, -1, -1 }, i;
	const char *e = NULL;
	pid_t child = -1, me = getpid();
	size_t n;

	prepare(text, stage, name);
	n = describe(stage, name, pid < 0 ? me : pid);
	if (pipe2(p, O_CLOEXEC) == 0 && pipe2(p + 2, O_CLOEXEC) == 0 &&
	    write(p[1], hook.state, n) == (ssize_t)n && (child = fork()) == 0)
		become(prog, me, p[0], p[3]);
	if (child < 0)
		e = errno_text();
	for (i = 0; i < 4; i++)
		if (p[i] >= 0 && i != 2)
			close(p[i]);
	if (child > 0)
		e = await(child, p[2]);
	if (p[2] >= 0)
		close(p[2]);
	return e;
}

const char *hooks_run(const char *text, const char *name)
{
	return run_hook(text, HOOK_POSTSTART, name, -1, NULL);
}

/* All of a stage, in the order of the file. The first that fails ends the start; where
 * there is nothing to end any more it is a line. */
static int run_all(struct run *r, int stage, pid_t pid)
{
	const char *e;
	int i;

	for (i = 0; i < r->box->nhook; i++)
		if (r->box->hook[i].stage == stage &&
		    (e = run_hook(r->box->hook[i].text, stage, r->name, pid, r->side & PROG ? r : NULL))) {
			if (stage != HOOK_POSTSTART)
				return fail_not(r, "%s: %s", hook.argv[0], e);
			note(r, "%s: %s", hook.argv[0], e);
		}
	return 0;
}

/* From here on poststop is due: as OCI has it, also where prestart fails. */
int init_prestart(struct run *r)
{
	int i, e;

	if (HAS(log) && r->box->nhook)
		log_first(r);
	for (i = 0; i < r->box->nhook; i++)
		if (r->box->hook[i].stage == HOOK_POSTSTOP && left_add(r, "hook=%s\n", r->box->hook[i].text) < 0)
			return fail(r, "note hook.poststop");
	if (!wanted(r, HOOK_PRESTART))
		return 0;
	if ((e = start_heard(r, 1)) != 0 || (e = run_all(r, HOOK_PRESTART, r->init)) != 0)
		return e;
	return ns_go(r);
}

int init_createcontainer(struct run *r)
{
	int e;

	if (wanted(r, HOOK_PRESTART) && ((e = init_say_ready(r)) != 0 || (e = ns_wait(r)) != 0))
		return e;
	return run_all(r, HOOK_CREATECONTAINER, -1);
}

int init_startcontainer(struct run *r)
{
	return r->side & ENTER ? 0 : run_all(r, HOOK_STARTCONTAINER, -1);	/* not of husk exec */
}

/* In a process of its own where this one is the keeper, which is then needed at once; in the
 * background and in a starter somebody waits until the hook has done its work. */
int init_poststart(struct run *r)
{
	bool alone = !r->board && (!r->up || r->listener >= 0);
	pid_t pid = 0, keeper;
	int keep;

	if (!wanted(r, HOOK_POSTSTART))
		return 0;
	keeper = getpid();
	if (alone && (pid = runner = fork()) > 0)
		return 0;
	if (pid == 0 && alone) {
		keep = HAS(log) ? log_apart(r->name, true) : -1;
		if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != keeper || close_others(AT_FDCWD, 3, &keep, 1) < 0)
			_exit(125);
	}
	if (pid < 0)
		note(r, "fork: %s", errno_text());
	else
		(void)run_all(r, HOOK_POSTSTART, r->init);
	if (pid == 0 && alone)
		_exit(0);
	return 0;
}

/* A keeper that goes on waits for none of this: the box has ended, and what the hooks of
 * its end do is done beside it. The next start of the box waits for the end of a pipe. */
static bool aside(struct left *l)
{
	int p[3];
	pid_t pid = -1;

	if (pipe2(p, O_CLOEXEC) == 0 && (pid = fork()) > 0) {
		close(p[1]);
		l->hook = p[0];
	}
	if (pid < 0)
		warn("%s: init.poststop", l->name);
	if (pid == 0) {
		p[2] = HAS(log) ? log_apart(l->name, l->keep) : -1;
		if (close_others(AT_FDCWD, 3, p + 1, 2) < 0)
			_exit(125);
	}
	return pid == 0;
}

void hooks_over(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	if (!HAS(hooks))
		return;
	if (fd >= 0)
		(void)poll(&p, 1, MAXHOOK * (LIMIT_MS + GONE_MS));
}

/* Its number may be that of another child from here on. */
void hooks_reaped(pid_t pid)
{
	if (pid == runner)
		runner = 0;
}

void hooks_carry(void)
{
	carry(&runner, sizeof runner, 1);
}

void init_poststop(struct left *l)
{
	static char text[MAXHOOKTEXT];
	unsigned at = 0;
	const char *e;

	if (!HAS(hooks))
		return;
	if (runner > 0)
		(void)waitpid(runner, NULL, 0);
	if (!left_get(l, "hook", &at, text, sizeof text))
		return;
	if (l->apart && !aside(l))
		return;
	for (at = 0; left_get(l, "hook", &at, text, sizeof text);)
		if ((e = run_hook(text, HOOK_POSTSTOP, l->name, 0, NULL)))
			warnx("%s: init.poststop: %s: %s", l->name, hook.argv[0], e);
	if (l->apart)
		_exit(0);
}
