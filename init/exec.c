/* exec.c - the last rows of PROG, and the pty that INIT makes for it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "husk.h"

#define PTMX		"dev/pts/ptmx"

/* The listener comes with the call that its filter lets through. Without it this is
 * a call as any: husk may run in a box of husk. */
int init_give(int row, int to, uint8_t kind, int fd)
{
	union { struct cmsghdr h; uint8_t room[CMSG_SPACE(sizeof(int))]; } c = {
		.h = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	static struct msg m;
	struct iovec v = { .iov_len = sizeof m };
	struct msghdr mh = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c };

	v.iov_base = &m;		/* a constant with an address would be a table with a pointer */
	m.kind = kind;
	m.row = (uint8_t)row;
	memcpy(CMSG_DATA(&c.h), &fd, sizeof fd);
	return syscall(SYS_sendmsg, to, &mh, MSG_NOSIGNAL, 0, 0, kind == MSG_LISTENER ? FILTER_OURS : 0) == sizeof m ? 0 : -1;
}

/* /dev is a file system of ours, where one name may be given to mount(). */
static int console(struct run *r)
{
	int dev = walk(r->root, "dev", O_PATH | O_DIRECTORY);

	if (dev < 0 || fchdir(dev) < 0)
		return fail(r, "enter /dev");
	close(dev);
	if (mount(rootfs_at(r->slave, ""), "console", NULL, MS_BIND, NULL) < 0)
		return fail(r, "put the pty on /dev/console");
	return 0;
}

/* Of a box that runs, which may have put anything there since. */
static int ptmx_inside(struct run *r)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = root < 0 ? -1 : walk(root, PTMX, O_RDWR | O_NOCTTY | O_NONBLOCK);
	FILLED struct statfs fs;
	FILLED struct stat st;

	if (fd < 0)
		return fail(r, "open /%s", PTMX);
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return fail(r, "look at /%s", PTMX);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) || fs.f_type != DEVPTS_SUPER_MAGIC)
		return fail_not(r, "/%s of the box is none", PTMX);
	return fd;
}

/* From the box's own devpts, and never by the slave's name: what lies below
 * /dev/pts by then is not asked. */
int init_pty(struct run *r)
{
	bool late = r->side & ENTER;
	int master, unlock = 0;

	if (!r->box->tty)
		return 0;
	if ((master = late ? ptmx_inside(r) : walk(r->root, PTMX, O_RDWR | O_NOCTTY | O_NONBLOCK)) < 0)
		return late ? master : fail(r, "open /%s", PTMX);
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return fail(r, "unlock the pty");
	r->slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (r->slave < 0)
		return fail(r, "open the other side of the pty");
	if (fchown(r->slave, r->uid, (gid_t)-1) < 0)
		return fail(r, "give the pty to the user");
	if (late && ioctl(master, TIOCSWINSZ, &r->window) < 0)
		return fail(r, "the size of the pty");
	if (init_give(r->row, late ? r->status : r->sync, MSG_PTY, master) < 0)	/* as soon as it is there */
		return fail(r, "hand over the pty");
	close(master);
	return late ? 0 : console(r);
}

int init_session(struct run *r)
{
	if (setsid() < 0)
		return fail(r, "setsid");
	if (HAS(tty) && r->slave >= 0 && ioctl(0, TIOCSCTTY, 0) < 0)
		return fail(r, "make the pty the controlling terminal");
	return 0;
}

/* Who goes into a box is not born yet. */
int init_tty(struct run *r)
{
	int fd;

	for (fd = 1; r->slave < 0 && r->log >= 0 && fd < 3; fd++)
		if (dup2(r->log, fd) < 0)
			return fail(r, "the log as descriptor %d", fd);
	for (fd = 0; HAS(tty) && fd < 3 && r->slave >= 0; fd++)
		if (dup2(r->slave, fd) < 0)
			return fail(r, "the pty as descriptor %d", fd);
	return r->side & ENTER ? 0 : init_session(r);
}

/* As the user, who may be the only one to enter; before the filter, that may
 * know no chdir. The kernel says "(unreachable)" of a directory outside. */
int init_cwd(struct run *r)
{
	static char cwd[4096];

	if (r->box->ns[NS_MNT] == NSM_NEW && same(r->box->cwd, "/"))
		return 0;
	if (chdir(r->box->cwd) < 0)
		return fail(r, "chdir %s", r->box->cwd);
	if (sys_getcwd(cwd, sizeof cwd) < 0)
		return fail(r, "getcwd %s", r->box->cwd);
	return cwd[0] == '/' ? 0 : fail_not(r, "%s leads out of the box", r->box->cwd);
}

/* What waited while all were blocked acts now: on PROG, as it should. */
int init_signals(struct run *r)
{
	FILLED sigset_t none;

	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? fail(r, "unblock signals") : 0;
}

static bool has(const char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++)
		if (!strncmp(*env, name, n) && (*env)[n] == '=')
			return true;
	return false;
}

/* HOME, USER and LOGNAME of the user as the box knows him, unless env= says. */
static const char **environment(const struct run *r)
{
	static const char *env[MAXENV + 16] BULK;
	static char add[3][sizeof r->home + 8] BULK;
	static const char names[3][8] = { "HOME", "USER", "LOGNAME" };
	unsigned n = r->box->nenv, i;

	memcpy(env, r->box->env, n * sizeof *env);
	for (i = 0; i < 3; i++) {
		if (has(env, names[i]))
			continue;
		fmt(add[i], sizeof add[i], "%s=%s", names[i], i ? r->user : r->home);
		env[n++] = add[i];
	}
	n = listen_env(r, env, ready_env(r, env, n));
	env[n] = NULL;
	return env;
}

static const char *path_of(const char *const *env)
{
	for (; *env; env++)
		if (starts(*env, "PATH="))
			return *env + 5;
	return "/usr/sbin:/usr/bin:/sbin:/bin";
}

/* Where the program may be: by PATH where there is no slash. NULL: nowhere else. */
static const char *place(const char **path, const char *name)
{
	const char *p = *path, *end;

	if (!p || strchr(name, '/')) {
		*path = NULL;
		return p ? name : NULL;
	}
	end = strchrnul(p, ':');
	*path = *end ? end + 1 : end;
	return *p ? fmts("%.*s/%s", (int)(end - p), p, name) : NULL;
}

/* exec.once. A filter sees at which address a path is, not what it says. So the
 * paths of exec= lie on a page below vm.mmap_min_addr, which is forbidden to all but
 * CAP_SYS_RAWIO of the first user namespace, and the filter takes execve from there
 * alone (filter_step). The execve takes the page away with all others. */
enum { PAGE = 4096, PATHS = 16 };

#ifdef SYS_mmap2
#define SYS_MAP	SYS_mmap2	/* of i386 the other one takes a struct */
#else
#define SYS_MAP	SYS_mmap
#endif

static bool map_page(int prot)
{
	return syscall(SYS_MAP, (long)ONLY_PAGE, (long)PAGE, (long)prot, (long)(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED), -1L, 0L) == ONLY_PAGE;
}

static char *on_page(uintptr_t at)
{
	return (char *)(ONLY_PAGE + at);
}

int init_page(struct run *r)
{
	const char *path = path_of(r->box->env), *p;
	uintptr_t at = PATHS;

	if (!r->box->exec_once)
		return 0;
	if (!map_page(PROT_READ | PROT_WRITE))
		return fail(r, "map address %u", ONLY_PAGE);
	for (; (p = place(&path, r->box->argv[0])); at += strlen(p) + 1)
		if (copy(on_page(at), PAGE - 1 - at, p) >= PAGE - 1 - at)
			return fail_not(r, "%s along PATH: longer than a page", r->box->argv[0]);
	return mprotect(on_page(0), PAGE, PROT_READ) < 0 ? fail(r, "make it read-only") : 0;
}

int init_once(struct run *r)
{
	if (!r->box->exec_once)
		return 0;
	if (map_page(PROT_NONE))
		return fail_not(r, "anybody may map address %u: vm.mmap_min_addr must be above it", ONLY_PAGE);
	return errno == EPERM || errno == EACCES ? 0 : fail(r, "try to map address %u", ONLY_PAGE);
}

/* As a shell would: a refusal on the way counts only if nothing is found behind it. */
int init_exec(struct run *r)
{
	char *const *argv = (char *const *)(uintptr_t)r->box->argv;
	char *const *env = (char *const *)(uintptr_t)environment(r);
	const char *path = path_of(r->box->env), *p;
	uintptr_t at = PATHS;
	int worst = ENOENT;

	for (; (p = place(&path, argv[0])); at += strlen(p) + 1) {
		execve(r->box->exec_once ? on_page(at) : p, argv, env);
		if (errno != ENOENT && errno != ENOTDIR)
			worst = errno;
	}
	errno = worst;
	return fail(r, "%s", argv[0]);
}
