/*
 * lives.c - what a test runs in a guest whose clock counts instructions: lives of a box,
 * each measured in the guest's own time. (static, see compiled() of qemu.py.)
 *	lives kill N		a keeper is killed at N moments of a life: how long the others live
 *	lives start N		N times start and stop: what the first ones take, and the last ones
 *	lives zombies N		N orphans and the program die while PID 1 is stopped: when that is told
 *	lives stop HOW		a child that is stopped, traced or frozen: when a stop is over
 *	lives clock YEARS	the clock jumps to and fro: a stop, and restarts
 *	lives rain PID		signals that PID has nothing to do for, without end
 *	lives ask N		PID 1 is asked N times, at its socket of the box rain: how long the answers take
 *	lives note N		all that sd_notify takes, as often as it is taken, with N descriptors each second time
 *	lives now WORD		since the boot
 *	lives bomb N		each of it forks, without end; from N processes on it is said once
 *	lives eat N		N kB at a time, without end
 *	lives pour N		N kB of lines at a time to its standard output, without end
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define BOX "husk", "run", "name=lives", "root=/srv/root"

static unsigned dice = 5;

static long us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

static unsigned any(unsigned below)
{
	dice = dice * 1103515245u + 12345u;
	return (dice >> 8) % below;
}

static pid_t begin(char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open("/dev/null", O_RDWR);

		dup2(fd, 0), dup2(fd, 1);
		if (!getenv("LOUD"))
			dup2(fd, 2);
		execv("/husk", argv);
		_exit(99);
	}
	return pid;
}

static int end(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define RUN(...) end(begin((char *[]){ __VA_ARGS__, NULL }))

/* The first line of a file of a process, its zeros as blanks */
static int text(const char *pid, const char *file, char *to, int max)
{
	char path[300];
	int fd, n, i;

	snprintf(path, sizeof path, "/proc/%s/%s", pid, file);
	if ((fd = open(path, O_RDONLY)) < 0)
		return 0;
	n = (int)read(fd, to, (size_t)max - 1);
	close(fd);
	for (i = 0; i < n; i++)
		if (!to[i])
			to[i] = ' ';
	to[n < 0 ? 0 : n] = 0;
	return n > 0;
}

/* How many processes have that word in their command line, and one of them */
static int having(const char *word, pid_t *one)
{
	char line[4096];
	struct dirent *d;
	DIR *dir = opendir("/proc");
	int n = 0;

	while (dir && (d = readdir(dir)))
		if (*d->d_name >= '1' && *d->d_name <= '9' && atoi(d->d_name) != getpid() && text(d->d_name, "cmdline", line, sizeof line) && strstr(line, word)) {
			n++;
			if (one)
				*one = atoi(d->d_name);
		}
	closedir(dir);
	return n;
}

static pid_t await(const char *word)
{
	pid_t pid = 0;
	int i;

	for (i = 0; i < 5000 && !having(word, &pid); i++)
		usleep(1000);
	return pid;
}

/* Of a line or a name; those of many are added, in whatever order they come */
static uint64_t hash(const char *s)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	return h;
}

static uint64_t names(const char *path)
{
	DIR *dir = opendir(path);
	uint64_t sum = 0;
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		sum += hash(d->d_name);
	if (dir)
		closedir(dir);
	return sum;
}

static uint64_t lines(const char *path)
{
	FILE *f = fopen(path, "r");
	static char line[4096];
	uint64_t sum = 0;

	while (f && fgets(line, sizeof line, f))
		sum += hash(line);
	if (f)
		fclose(f);
	return sum;
}

/* What the host has: each mount as it is, each cgroup, interface and state by its name */
static uint64_t left(void)
{
	return lines("/proc/mounts") + 3 * names("/sys/fs/cgroup/husk") + 5 * names("/run/husk") + 7 * names("/sys/class/net") + 11 * names("/sys/fs/cgroup");
}

static void kills(int n)
{
	char *const argv[] = { BOX, "stop.timeout=20ms", "--", "/bin/sleep", "12345", NULL };
	uint64_t here, mounts;
	long t, most = 0, sum = 0;
	int i, wrong = 0, were = 0;
	pid_t pid;

	RUN(BOX, "--", "/bin/true");
	here = left();
	mounts = lines("/proc/mounts");
	for (i = 0; i < n; i++) {
		pid = begin(argv);
		if (i % 2) {		/* half of them while it stops, or has just been told to */
			usleep(15000);
			kill(pid, SIGTERM);
			usleep(any(4000));
		} else
			usleep(any(10000));
		were += having("12345", NULL) > 1;
		kill(pid, SIGKILL);
		t = us();
		while (having("12345", NULL) > 1 || (having("12345", NULL) && waitpid(pid, NULL, WNOHANG) == pid && having("12345", NULL)))
			;
		t = us() - t;
		wrong += lines("/proc/mounts") != mounts;	/* with the last process its mounts are gone, too */
		end(pid);
		sum += t;
		most = t > most ? t : most;
		wrong += RUN(BOX, "--", "/bin/true") != 0 || left() != here;
	}
	printf("@kill n=%d more=%d most=%ld mean=%ld wrong=%d\n", n, were, most, sum / n, wrong);
}

static void starts(int n)
{
	long first = 0, last = 0, t, stops = 0;
	uint64_t here = 0;
	int i, wrong = 0;

	for (i = -3; i < n; i++) {
		if (i == 0)
			here = left();
		t = us();
		wrong += RUN("husk", "start", "name=lives", "root=/srv/root", "memory.max=32M", "pids.max=20", "--", "/bin/sleep", "12345") != 0;
		t = us() - t;
		if (i >= 0 && i < 20)
			first += t;
		if (i >= n - 20)
			last += t;
		t = us();
		wrong += RUN("husk", "stop", "lives") != 0;
		stops += us() - t;
	}
	printf("@start n=%d first=%ld last=%ld stop=%ld left=%d wrong=%d\n", n, first / 20, last / 20, stops / (n + 3), left() != here, wrong);
}

/* of a keeper */
static pid_t init_of(pid_t keeper)
{
	char path[64], line[64] = "";
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", keeper, keeper);
	if ((f = fopen(path, "r"))) {
		if (!fgets(line, sizeof line, f))
			line[0] = 0;
		fclose(f);
	}
	return atoi(line);
}

static int children(pid_t pid)
{
	char path[64];
	int n = 0, c;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	if ((f = fopen(path, "r"))) {
		while ((c = getc(f)) != EOF)
			n += c == ' ';
		fclose(f);
	}
	return n;
}

/* A small machine has 1,661 processes, and a user half of them. */
static void more_processes(void)
{
	FILE *f = fopen("/proc/sys/kernel/threads-max", "w");

	if (!f || fprintf(f, "30000\n") < 0 || fclose(f))
		printf("@zombies no more processes\n");
}

static void zombies(char *n)
{
	char script[128], path[16], line[512];
	pid_t keeper, init;
	int status, many;
	long t;

	snprintf(script, sizeof script, "lives nap 300000; lives orphans %s; exit 42", n);
	more_processes();
	keeper = begin((char *[]){ BOX, "pids.max=30000", "rlimit.nproc=30000", "memory.max=max", "--", "/bin/sh", "-c", script, NULL });
	await("lives nap 300000 ");
	kill(init = init_of(keeper), SIGSTOP);
	snprintf(path, sizeof path, "%d", init_of(init));
	while (!text(path, "stat", line, sizeof line) || !strstr(line, ") Z "))
		usleep(20000);
	t = us();
	many = children(init);
	kill(init, SIGCONT);
	status = end(keeper);
	printf("@zombies status=%d us=%ld many=%d\n", status, us() - t, many);
}

static void orphans(int n)
{
	int i, status;

	for (i = 0; i < n; i++)
		if (fork() == 0) {
			if (fork() == 0)
				_exit(0);
			_exit(0);
		} else
			wait(&status);
}

/* It holds who it is, and looks on: no program may be let go by its tracer for a stop. */
static void trace(pid_t pid)
{
	int p[2], status;
	char c;

	if (pipe(p) < 0 || fork()) {
		close(p[1]);
		(void)!read(p[0], &c, 1);
		return;
	}
	ptrace(PTRACE_SEIZE, pid, NULL, NULL);
	ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status))
		close(p[1]);
	_exit(0);
}

static void stop(const char *how)
{
	pid_t keeper = begin((char *[]){ BOX, "stop.timeout=300ms", "--", "/bin/sh", "-c", "trap '' TERM; while :; do lives nap 54321; done", NULL }), pid;
	int status;
	long t;

	await("lives nap 54321 ");
	pid = init_of(init_of(keeper));
	if (!strcmp(how, "stopped"))
		kill(pid, SIGSTOP);
	else if (!strcmp(how, "traced"))
		trace(pid);
	else if (!strcmp(how, "frozen"))
		RUN("husk", "pause", "lives");
	else if (!strcmp(how, "init"))
		kill(init_of(keeper), SIGSTOP);
	t = us();
	kill(keeper, SIGTERM);
	status = end(keeper);
	printf("@stop %s status=%d us=%ld left=%d\n", how, status, us() - t, having("54321", NULL));
}

static pid_t jumps(int years)
{
	struct timespec t;
	pid_t pid = fork();
	int i;

	for (i = 0; pid == 0; i++) {
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_sec += (i % 2 ? -1 : 1) * years * 31557600L;
		if (clock_settime(CLOCK_REALTIME, &t) < 0)
			printf("@clock: %s\n", strerror(errno));
		usleep(50000);
	}
	return pid;
}

static void clocks(int years)
{
	pid_t pid = jumps(years);
	long t;
	int status;

	stop("clock");
	t = us();
	status = RUN(BOX, "restart=on-failure 300ms..300ms 4/1m", "--", "/bin/sh", "-c", "exit 3");
	printf("@restarts status=%d us=%ld\n", status, us() - t);
	kill(pid, SIGKILL);
	end(pid);
}

static void rain(pid_t pid)
{
	static const int sig[] = { SIGCHLD, SIGWINCH, SIGCONT, SIGURG, SIGPIPE, 60, 64 };
	unsigned i;

	for (i = 0; kill(pid, sig[i % 7]) == 0 || errno == EAGAIN; i++)
		;
}

/* Who cannot fork goes on to try; the children of who has been killed do, too. */
static void bomb(int n)
{
	pid_t first = getpid();

	for (;;)
		if (fork() < 0 && getpid() == first && n && having("bomb", NULL) + 1 >= n) {
			printf("@bomb %d\n", n);
			n = 0;
		}
}

/* Is it up? It is, and that is said at once. */
static long asked(void)
{
	static const struct sockaddr_un a = { AF_UNIX, "/run/husk/rain/ctl" };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), answer[2] = { 0, 1 };
	long t = us();

	if (connect(fd, (const struct sockaddr *)&a, sizeof a) < 0 || send(fd, "U", 1, 0) != 1 || recv(fd, answer, sizeof answer, 0) != sizeof answer || answer[1])
		printf("@ask: %d %d %s\n", answer[0], answer[1], strerror(errno));
	t = us() - t;
	close(fd);
	return t;
}

static void ask(int n)
{
	long t, most = 0, sum = 0;
	int i;

	for (i = 0; i < n; i++) {
		usleep(any(20000));
		sum += t = asked();
		most = t > most ? t : most;
	}
	printf("@ask n=%d most=%ld mean=%ld\n", n, most, sum / n);
}

static void notify(int n)
{
	static union { struct cmsghdr h; char room[CMSG_SPACE(250 * sizeof(int))]; } c;
	static struct sockaddr_un a = { .sun_family = AF_UNIX };
	static char text[1025];
	struct iovec v = { text, sizeof text - 1 };
	struct msghdr m = { .msg_name = &a, .msg_namelen = sizeof a, .msg_iov = &v, .msg_iovlen = 1 };
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), i;

	snprintf(a.sun_path, sizeof a.sun_path, "%s", getenv("NOTIFY_SOCKET"));
	for (i = 0; i < 1024; i += 8)
		memcpy(text + i, "STATUS=\n", 9);
	c.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN((unsigned)n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	for (i = 0; i < n; i++)
		memcpy(CMSG_DATA(&c.h) + (size_t)i * sizeof(int), &s, sizeof s);
	for (i = 0; ; ) {
		m.msg_control = i & 1 ? &c : NULL;
		m.msg_controllen = i & 1 ? CMSG_SPACE((unsigned)n * sizeof(int)) : 0;
		if (sendmsg(s, &m, 0) < 0)
			usleep(1000);
		else if (++i == 50)
			printf("@note %d\n", i);
	}
}

static void eat(size_t n)
{
	char *p;

	while ((p = malloc(n)))
		memset(p, 1, n);
}

static void pour(size_t n)
{
	char *p = malloc(n);
	size_t i;

	for (i = 0; p && i < n; i++)
		p[i] = i % 40 ? 'x' : '\n';
	while (p && write(1, p, n) > 0)
		;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "kill"))
		kills(atoi(argv[2]));
	else if (!strcmp(argv[1], "start"))
		starts(atoi(argv[2]));
	else if (!strcmp(argv[1], "zombies"))
		zombies(argv[2]);
	else if (!strcmp(argv[1], "orphans"))
		orphans(atoi(argv[2]));
	else if (!strcmp(argv[1], "nap"))
		usleep((unsigned)atoi(argv[2]));
	else if (!strcmp(argv[1], "clock"))
		clocks(atoi(argv[2]));
	else if (!strcmp(argv[1], "stop"))
		stop(argv[2]);
	else if (!strcmp(argv[1], "rain"))
		rain(atoi(argv[2]));
	else if (!strcmp(argv[1], "ask"))
		ask(atoi(argv[2]));
	else if (!strcmp(argv[1], "note"))
		notify(atoi(argv[2]));
	else if (!strcmp(argv[1], "bomb"))
		bomb(atoi(argv[2]));
	else if (!strcmp(argv[1], "eat"))
		eat((size_t)atoi(argv[2]) * 1024);
	else if (!strcmp(argv[1], "pour"))
		pour((size_t)atoi(argv[2]) * 1024);
	else if (!strcmp(argv[1], "now"))
		printf("@now %s %ld\n", argv[2], us());
	return 0;
}
