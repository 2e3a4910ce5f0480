/*
 * listen.c - the sockets of listen=: made outside, in our network, and heard by the
 * program, who may have no network at all. HOST makes them, or takes what the keeper
 * still has of the start before: whoever connects while the box starts again waits.
 *
 * A path is made where no link leads to, and written down before. It is removed when
 * nobody listens there, by undo as by the next start.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "husk.h"

enum { MOST = 4096 };			/* who wait at a time: net.core.somaxconn is less, mostly */

union where {
	struct sockaddr a;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static socklen_t where(union where *w, const struct listening *l, int family)
{
	memset(w, 0, sizeof *w);
	w->a.sa_family = (sa_family_t)family;
	if (family == AF_UNIX) {
		copy(w->un.sun_path, sizeof w->un.sun_path, l->path);
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(l->path) + 1);
	}
	w->in.sin_port = htons(l->port);	/* where it is in the other one as well */
	if (family == AF_INET) {
		memcpy(&w->in.sin_addr, l->addr, sizeof w->in.sin_addr);
		return sizeof w->in;
	}
	memcpy(&w->in6.sin6_addr, l->addr, sizeof w->in6.sin6_addr);
	return sizeof w->in6;
}

static int option(int fd, int level, int what)
{
	int value = 0;
	socklen_t n = sizeof value;

	return getsockopt(fd, level, what, &value, &n) < 0 ? -1 : value;
}

/* The box had it, too, and may have shut it down, which cannot be taken back. Nothing here
 * waits: who still has it of the box can hold the lock of a socket for as long as he likes. */
static bool is_shut(int fd)
{
	struct pollfd p = { fd, POLLRDHUP, 0 };

	return poll(&p, 1, 0) || (option(fd, SOL_SOCKET, SO_TYPE) != SOCK_DGRAM && option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1);
}

/* Or have connected it, which can: by a starter, as that takes this lock. */
static bool spoiled(int fd)
{
	static const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	return is_shut(fd) || (option(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM && connect(fd, &nobody, sizeof nobody) < 0);
}

/* A socket file, and nobody behind it. Who is there does not notice: the kernel looks for him
 * first, then at the kind of his socket. Or one that should be ours, which is shut down and
 * somebody may still have: by the kind that it has, for it may be another's by now. */
static void unbind(int dir, const char *base, bool mine)
{
	union where w = { .a.sa_family = AF_UNIX };
	FILLED struct stat st;
	int fd;

	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(st.st_mode) ||
	    (fd = socket(AF_UNIX, (mine ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return;
	copy(w.un.sun_path, sizeof w.un.sun_path, rootfs_at(dir, base));
	if (connect(fd, &w.a, sizeof w.un) < 0 && errno == ECONNREFUSED)
		(void)unlinkat(dir, base, 0);
	close(fd);
}

static void unbind_path(const char *path, bool mine)
{
	const char *base;
	int dir = log_directory(path, &base, false);

	if (dir < 0)
		return;
	unbind(dir, base, mine);
	close(dir);
}

/* Of the start before: the same address, and the same kind. */
static int known(const struct run *r, const struct listening *l, const union where *w, socklen_t len)
{
	union where is;
	socklen_t n;
	int i, fd;

	for (i = 0; r->have && i < MAXLISTEN; i++) {
		n = sizeof is;
		fd = r->have[i];
		memset(&is, 0, sizeof is);
		if (fd < 0 || syscall(SYS_getsockname, fd, &is, &n) < 0 || n != len || memcmp(&is, w, len) != 0 ||
		    option(fd, SOL_SOCKET, SO_TYPE) != (l->udp ? SOCK_DGRAM : SOCK_STREAM) ||
		    (w->a.sa_family == AF_INET6 && option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != (l->family != 0)))
			continue;
		if (!spoiled(fd))
			return fd;
		if (l->path)
			unbind_path(l->path, true);
	}
	return -1;
}

void listen_undo(const struct left *l)
{
	static char path[sizeof ((struct sockaddr_un *)0)->sun_path];
	unsigned at = 0;

	if (!HAS(sockets))
		return;
	while (left_get(l, "listen", &at, path, sizeof path))
		unbind_path(path, false);
}

/* Another box that has this path, where a socket is, and may be between two lives; or NULL */
static const char *other(const struct run *r, const char *path)
{
	static char of[MAXNAME + 1], line[sizeof ((struct sockaddr_un *)0)->sun_path];
	static struct left l;
	unsigned at;
	int held;

	*of = '\0';
	while (state_next(r->left->dir, "", of)) {
		if (same(of, r->name) || (held = state_read(&l, of)) < 0)
			continue;
		close(l.dir);
		for (at = 0; held && left_get(&l, "listen", &at, line, sizeof line); )
			if (same(line, path))
				return of;
	}
	return NULL;
}

/* By the whole path, which is what its peers are told; that it is really there is
 * looked at. */
static int bind_path(struct run *r, int fd, const struct listening *l, const union where *w, socklen_t len)
{
	uint32_t uid = l->owner.id, gid = l->owner.id;
	const char *base, *of;
	FILLED struct stat st;
	mode_t was;
	int dir, at, e;

	if (l->owner.name && (e = caps_host(r, l->owner.name, &uid, &gid)))
		return e;
	if ((dir = log_directory(l->path, &base, false)) < 0)
		return fail(r, "%s", l->path);
	of = fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0 ? other(r, l->path) : NULL;
	if (of) {
		let_go(dir);
		return fail_not(r, "%s is that of the box %s, which runs", l->path, of);
	}
	unbind(dir, base, false);
	if (left_add(r, "listen=%s\n", l->path) < 0)
		return fail(r, "write the state file");
	was = umask(0777 & ~l->mode);
	e = bind(fd, &w->a, len);
	(void)umask(was);
	if (e < 0 && errno == EADDRINUSE && fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISSOCK(st.st_mode)) {
		let_go(dir);
		return fail_not(r, "%s is there, and no socket", l->path);
	}
	at = e < 0 ? -1 : openat(dir, base, O_PATH | O_NOFOLLOW | O_CLOEXEC);	/* whose directory it is may put another there */
	e = at < 0 || fstat(at, &st) < 0 || !S_ISSOCK(st.st_mode) ||
		((uid || gid) && fchownat(at, "", uid, gid, AT_EMPTY_PATH) < 0) ? fail(r, "%s", l->path) : 0;
	let_go(at);
	let_go(dir);
	return e;
}

/* A program may shut it down and connect it, or who it has accepted, and would do that from our
 * network: so no answer to a connect comes in, and nobody takes that back. Who serves gets none.
 * Newer kernels let only CAP_NET_ADMIN filter TCP. */
static int one_way(struct run *r, int fd)
{
	enum { FLAGS = 13, SYN_ACK = 0x12 };	/* of the TCP header */
	static const struct sock_filter code[] = {
		{ BPF_LD | BPF_B | BPF_ABS, 0, 0, FLAGS },
		{ BPF_ALU | BPF_AND | BPF_K, 0, 0, SYN_ACK },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYN_ACK },
		{ BPF_RET | BPF_K, 0, 0, 0 },
		{ BPF_RET | BPF_K, 0, 0, ~0u },
	};
	struct sock_fprog prog = { sizeof code / sizeof *code, NULL };
	int on = 1;

	prog.filter = (struct sock_filter *)(uintptr_t)code;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) == 0)
		return setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on);
	if (errno != EPERM)
		return -1;
	note(r, "without CAP_NET_ADMIN its program may connect it from here");
	return 0;
}

static int fresh(struct run *r, const struct listening *l, const union where *w, socklen_t len)
{
	int family = w->a.sa_family, on = 1, off = !!l->family, e;
	int fd = socket(family, (l->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno == EAFNOSUPPORT && !l->family && family == AF_INET6 ? -EAFNOSUPPORT : fail(r, "a socket for port %u", l->port);
	if ((family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0) ||
	    (!l->udp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) ||
	    (!l->udp && family != AF_UNIX && one_way(r, fd) < 0))
		e = fail(r, "an option of port %u", l->port);
	else if (family == AF_UNIX)
		e = bind_path(r, fd, l, w, len);
	else
		e = bind(fd, &w->a, len) < 0 ? fail(r, "port %u", l->port) : 0;
	if (!e && !l->udp && listen(fd, MOST) < 0)
		e = fail(r, "listen");
	if (e)
		let_go(fd);
	return e ? e : fd;
}

/* Without an address: both families by one socket, where the kernel has both. */
static int one(struct run *r, const struct listening *l, int family)
{
	union where w;
	socklen_t len = where(&w, l, family);
	int fd = known(r, l, &w, len);

	return fd >= 0 ? fd : fresh(r, l, &w, len);
}

int init_listen(struct run *r)
{
	const struct listening *l = r->box->listen;
	int i;

	for (i = 0; i < r->box->nlisten; i++) {
		r->listen[i] = one(r, l + i, l[i].family ? l[i].family : AF_INET6);
		if (r->listen[i] == -EAFNOSUPPORT && !l[i].family)
			r->listen[i] = one(r, l + i, AF_INET);
		if (r->listen[i] < 0)
			return r->listen[i];
	}
	return 0;
}

/* PROG: as sd_listen_fds(3) has it. A socket is called by its port, or by the last part
 * of its path. */
unsigned listen_env(const struct run *r, const char **env, unsigned n)
{
	static char text[3][MAXLISTEN * 120];
	const struct listening *l = r->box->listen;
	size_t at;
	int i;

	if (!HAS(sockets))
		return n;
	if (!r->box->nlisten || r->side & ENTER)
		return n;
	fmt(text[0], sizeof *text, "LISTEN_FDS=%d", r->box->nlisten);
	fmt(text[1], sizeof *text, "LISTEN_PID=%d", getpid());
	at = fmt(text[2], sizeof *text, "LISTEN_FDNAMES=");
	for (i = 0; i < r->box->nlisten; i++, l++)
		at += fmt(text[2] + at, sizeof *text - at, "%s%s", i ? ":" : "", l->path ? last_part(l->path) : fmts("%u", l->port));
	for (i = 0; i < 3; i++)
		env[n++] = text[i];
	return n;
}

/* A life is over, and the keeper is the last who has them: a port that is of no use is free
 * for the next start, and nobody is behind a path. */
void listen_look(struct live *v)
{
	int i;

	for (i = W_LISTEN; i < W_NS; i++)
		if (v->fd[i] >= 0 && is_shut(v->fd[i])) {
			close(v->fd[i]);
			v->fd[i] = -1;
		}
}

void listen_end(struct live *v)
{
	int i;

	if (!HAS(sockets))
		return;
	for (i = W_LISTEN; i < NWATCH; i++)
		if (v->fd[i] >= 0) {
			close(v->fd[i]);
			v->fd[i] = -1;
		}
}
