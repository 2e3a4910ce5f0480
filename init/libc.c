/*
 * libc.c - some functions of the C library, smaller.
 *
 * musl's are made for threads, for kernels of all ages and for speed; those
 * here are the bare call or the plain loop, under the same names, and the
 * linker takes them first. On ARMv7 that is 12 KB less. What they leave out:
 * thread locks (husk has no threads), cancellation, and the way back for
 * kernels below 4.3 on i386, where sockets were one call.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "husk.h"

/* Called by code that the compiler makes up after it has looked. */
#define KEEP	__attribute__((used))
/* A loop that is a memcpy must not become a call of memcpy. */
#define PLAIN	__asm__ volatile("" ::: "memory")

/* A word at a time where that is worth it: each start of a box goes over some ten thousand
 * bytes of text. What is read behind the end of a text is in its last word. */
#define ONES		(~(size_t)0 / 255)
#define ZERO(w)		(((w) - ONES) & ~(w) & ONES << 7)	/* its lowest bit is that of the first byte that is 0 */

KEEP void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	char *t = to;
	const char *f = from;
	size_t w, i;

	for (i = 0; i + sizeof w <= n; i += sizeof w) {
		__builtin_memcpy(&w, f + i, sizeof w);
		__builtin_memcpy(t + i, &w, sizeof w);
		PLAIN;
	}
	for (; i < n; i++) {
		t[i] = f[i];
		PLAIN;
	}
	return to;
}

KEEP void *memmove(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	if (t <= f)
		return memcpy(to, from, n);
	while (n--) {
		t[n] = f[n];
		PLAIN;
	}
	return to;
}

KEEP void *memset(void *to, int c, size_t n)
{
	size_t *w;
	char *t = to;

	for (; n && (uintptr_t)t % sizeof *w; n--)
		*t++ = (char)c;
	for (w = (void *)t; n >= sizeof *w && !c; n -= sizeof *w) {
		*w++ = 0;
		PLAIN;
	}
	for (t = (void *)w; n; n--) {
		*t++ = (char)c;
		PLAIN;
	}
	return to;
}

KEEP void *memchr(const void *s, int c, size_t n)
{
	const unsigned char *p = s;

	for (; n; n--, p++)
		if (*p == (unsigned char)c)
			return (void *)(uintptr_t)p;
	return NULL;
}

KEEP int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *p = a, *q = b;
	size_t v, w;

	for (; n >= sizeof w; n -= sizeof w, p += sizeof w, q += sizeof w) {
		__builtin_memcpy(&v, p, sizeof v);
		__builtin_memcpy(&w, q, sizeof w);
		if (v != w)
			break;
	}
	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

/* The first byte that is c, or the end. All our machines have the low byte first. */
static inline __attribute__((always_inline)) const char *first(const char *s, char c)
{
	const size_t *w = (const void *)((uintptr_t)s & -sizeof *w), all = ONES * (unsigned char)c;
	size_t before = ((size_t)1 << 8 * ((uintptr_t)s % sizeof *w)) - 1, z;

	while (!(z = ZERO(*w | before) | ZERO((*w ^ all) | before))) {
		w++;
		before = 0;
	}
	return (const char *)w + (size_t)__builtin_ctzl(z) / 8;
}

KEEP size_t strlen(const char *s)
{
	return (size_t)(first(s, '\0') - s);
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

KEEP int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a == *b; n--, a++, b++)
		if (!*a)
			return 0;
	return n ? (unsigned char)*a - (unsigned char)*b : 0;
}

KEEP int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX / 2);
}

static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : (unsigned char)c;
}

int strncasecmp(const char *a, const char *b, size_t n)
{
	for (; n && lower(*a) == lower(*b); n--, a++, b++)
		if (!*a)
			return 0;
	return n ? lower(*a) - lower(*b) : 0;
}

char *strchrnul(const char *s, int c)
{
	return (char *)(uintptr_t)first(s, (char)c);
}

KEEP char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	do
		if (*s == (char)c)
			last = s;
	while (*s++);
	return (char *)(uintptr_t)last;
}

char *strsep(char **at, const char *ends)
{
	char *word = *at, *end;

	if (!word)
		return NULL;
	end = word + strcspn(word, ends);
	*at = *end ? end + 1 : NULL;
	*end = '\0';
	return word;
}

KEEP char *strchr(const char *s, int c)
{
	s = strchrnul(s, c);
	return *s == (char)c ? (char *)(uintptr_t)s : NULL;
}

KEEP char *strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (; n && (s = strchr(s, *what)); s++)
		if (!strncmp(s, what, n))
			break;
	return (char *)(uintptr_t)s;
}

static size_t span_of(const char *s, const char *of, bool in)
{
	size_t n = 0;
	const char *p;

	for (; s[n]; n++) {
		for (p = of; *p && *p != s[n]; p++)
			;
		if (!*p == in)
			break;
	}
	return n;
}

KEEP size_t strspn(const char *s, const char *of)
{
	return span_of(s, of, true);
}

KEEP size_t strcspn(const char *s, const char *of)
{
	return *of && of[1] ? span_of(s, of, false) : (size_t)(strchrnul(s, *of) - s);
}

/* Raw: musl's blocks signals, takes locks and runs handlers around it. */
pid_t fork(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return openat(AT_FDCWD, path, flags, mode);
}

#ifdef SYS_fstat64
#define FSTAT	SYS_fstat64
#else
#define FSTAT	SYS_fstat		/* half of what fstatat() takes, which copies the empty path */
#endif

/* The structure of the C library begins with the kernel's: only its times, of 64
 * bits everywhere, stand behind that on 32 bits, and stay 0. */
int fstat(int fd, struct stat *st)
{
	return (int)syscall(FSTAT, fd, st);
}

int stat(const char *restrict path, struct stat *restrict st)
{
	return fstatat(AT_FDCWD, path, st, 0);
}

int lstat(const char *restrict path, struct stat *restrict st)
{
	return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

/* A device number of 64 bits would lie elsewhere than the kernel's of 32: on ARM behind
 * an empty register. */
int mknodat(int dir, const char *path, mode_t mode, dev_t dev)
{
	return (int)syscall(SYS_mknodat, dir, path, mode, (uint32_t)dev);
}

int mknod(const char *path, mode_t mode, dev_t dev)
{
	return mknodat(AT_FDCWD, path, mode, dev);
}

int symlink(const char *to, const char *path)
{
	return symlinkat(to, AT_FDCWD, path);
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int access(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, 0);
}

int fchown(int fd, uid_t uid, gid_t gid)
{
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
}

ssize_t readlink(const char *restrict path, char *restrict to, size_t max)
{
	return readlinkat(AT_FDCWD, path, to, max);
}

int faccessat(int dir, const char *path, int mode, int flags)
{
	return (int)(flags ? syscall(SYS_faccessat2, dir, path, mode, flags) :
		syscall(SYS_faccessat, dir, path, mode));
}

int setrlimit(int resource, const struct rlimit *l)
{
	return (int)syscall(SYS_prlimit64, 0, resource, l, NULL);
}

int signalfd(int fd, const sigset_t *set, int flags)
{
	return (int)syscall(SYS_signalfd4, fd, set, _NSIG / 8, flags);
}

int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
	return (int)syscall(SYS_rt_sigprocmask, how, set, old, _NSIG / 8);
}

/* All 64 of the kernel's: musl keeps three for itself. */
int sigfillset(sigset_t *set)
{
	memset(set, 0xff, _NSIG / 8);
	return 0;
}

int sigemptyset(sigset_t *set)
{
	memset(set, 0, _NSIG / 8);
	return 0;
}

/* The way back from a handler is in arch/. Of the two forms of frames
 * that 32-bit kernels have, always the one that all have. */
extern void __restore_rt(void) __attribute__((visibility("hidden")));

int sigaction(int sig, const struct sigaction *restrict sa, struct sigaction *restrict old)
{
	struct { void (*handler)(int); unsigned long flags; void (*back)(void); uint64_t mask; } k = {
		sa->sa_handler, (unsigned long)sa->sa_flags | SA_RESTORER | SA_SIGINFO, __restore_rt, 0 };

	(void)old;			/* nobody asks */
	return (int)syscall(SYS_rt_sigaction, sig, &k, NULL, _NSIG / 8);
}

/* The compiler's division by zero ends here. */
KEEP int raise(int sig)
{
	return kill(getpid(), sig);
}

int bind(int fd, const struct sockaddr *a, socklen_t n)
{
	return (int)syscall(SYS_bind, fd, a, n);
}

int listen(int fd, int most)
{
	return (int)syscall(SYS_listen, fd, most);
}

int accept4(int fd, struct sockaddr *restrict a, socklen_t *restrict n, int flags)
{
	return (int)syscall(SYS_accept4, fd, a, n, flags);
}

int connect(int fd, const struct sockaddr *a, socklen_t n)
{
	return (int)syscall(SYS_connect, fd, a, n);
}

int getsockopt(int fd, int level, int what, void *restrict to, socklen_t *restrict n)
{
	return (int)syscall(SYS_getsockopt, fd, level, what, to, n);
}

ssize_t send(int fd, const void *from, size_t n, int flags)
{
	return sendto(fd, from, n, flags, NULL, 0);
}

ssize_t recv(int fd, void *to, size_t n, int flags)
{
	return recvfrom(fd, to, n, flags, NULL, NULL);
}

int waitid(idtype_t of, id_t id, siginfo_t *si, int options)
{
	return (int)syscall(SYS_waitid, of, id, si, options, NULL);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	return (pid_t)syscall(SYS_wait4, pid, status, options, NULL);
}

#ifdef SYS_statfs64
#define STATFS(call, which, to)	(int)syscall(call##64, which, sizeof *(to), to)
#else
#define STATFS(call, which, to)	(int)syscall(call, which, to)
#endif

int statfs(const char *path, struct statfs *to)
{
	return STATFS(SYS_statfs, path, to);
}

int fstatfs(int fd, struct statfs *to)
{
	return STATFS(SYS_fstatfs, fd, to);
}

int reboot(int how)
{
	return (int)syscall(SYS_reboot, 0xfee1dead, 672274793, how);
}

int dup2(int from, int to)
{
	return from == to ? to : dup3(from, to, 0);
}

int isatty(int fd)
{
	struct winsize w;

	return ioctl(fd, TIOCGWINSZ, &w) == 0;
}

/* The kernel's structure is the first part of the C library's. */
int tcgetattr(int fd, struct termios *t)
{
	return ioctl(fd, TCGETS, t);
}

int tcsetattr(int fd, int when, const struct termios *t)
{
	return ioctl(fd, TCSETS + when, t);
}

char *getenv(const char *name)
{
	size_t n = strlen(name);
	char **e;

	for (e = environ; e && *e; e++)
		if (!strncmp(*e, name, n) && (*e)[n] == '=')
			return *e + n + 1;
	return NULL;
}

/* The old form, of machine words, which all kernels have: durations are short. */
static void words(const struct timespec *t, long w[2])
{
	w[0] = (long)t->tv_sec;
	w[1] = t->tv_nsec;
}

int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict si, const struct timespec *restrict limit)
{
	long w[2];

	if (limit)
		words(limit, w);
	return (int)syscall(SYS_rt_sigtimedwait, set, si, limit ? w : NULL, _NSIG / 8);
}

#ifndef SYS_poll
int poll(struct pollfd *p, nfds_t n, int ms)
{
	long w[2] = { ms / 1000, ms % 1000 * 1000000L };

	return (int)syscall(SYS_ppoll, p, n, ms < 0 ? NULL : w, NULL, 0);
}
#endif

int pause(void)
{
	return poll(NULL, 0, -1);
}

int nanosleep(const struct timespec *t, struct timespec *rest)
{
	long w[2];

	(void)rest;
	words(t, w);
	return (int)syscall(SYS_nanosleep, w, NULL);
}

unsigned alarm(unsigned seconds)
{
	long w[4] = { 0, 0, (long)seconds, 0 }, old[4];

	return syscall(SYS_setitimer, 0, w, old) < 0 ? 0 : (unsigned)old[2];
}

#ifdef SYS_clock_gettime32
#define CLOCK_GETTIME	SYS_clock_gettime32	/* of machine words: time since boot fits for 68 years */
#else
#define CLOCK_GETTIME	SYS_clock_gettime
#endif

/* Not by the vDSO, whose search costs more code and memory than the call. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
	long w[2];
	int e = (int)syscall(CLOCK_GETTIME, clock, w);

	t->tv_sec = w[0];
	t->tv_nsec = w[1];
	return e;
}

/* The errors that our calls can have, in musl's words. */
#define ERRORS(E) \
	E(EPERM, "Operation not permitted") E(ENOENT, "No such file or directory") \
	E(ESRCH, "No such process") E(EINTR, "Interrupted system call") E(EIO, "I/O error") \
	E(ENXIO, "No such device or address") E(E2BIG, "Argument list too long") \
	E(ENOEXEC, "Exec format error") E(EBADF, "Bad file descriptor") \
	E(EAGAIN, "Resource temporarily unavailable") E(ENOMEM, "Out of memory") \
	E(EACCES, "Permission denied") E(EFAULT, "Bad address") E(ENOTBLK, "Block device required") \
	E(EBUSY, "Resource busy") E(EEXIST, "File exists") E(EXDEV, "Cross-device link") \
	E(ENODEV, "No such device") E(ENOTDIR, "Not a directory") E(EISDIR, "Is a directory") \
	E(EINVAL, "Invalid argument") E(ENFILE, "Too many open files in system") \
	E(EMFILE, "No file descriptors available") E(ETXTBSY, "Text file busy") E(EFBIG, "File too large") \
	E(ENOSPC, "No space left on device") E(EROFS, "Read-only file system") E(EPIPE, "Broken pipe") \
	E(ERANGE, "Result not representable") E(ENAMETOOLONG, "Filename too long") \
	E(ENOSYS, "Function not implemented") E(ENOTEMPTY, "Directory not empty") \
	E(ELOOP, "Symbolic link loop") E(EOPNOTSUPP, "Not supported") \
	E(ENOBUFS, "No buffer space available") E(ETIMEDOUT, "Operation timed out") \
	E(EAFNOSUPPORT, "Address family not supported by protocol") \
	E(EADDRINUSE, "Address in use") E(EADDRNOTAVAIL, "Address not available") E(ECONNREFUSED, "Connection refused") \
	E(EUCLEAN, "Structure needs cleaning") E(EDQUOT, "Quota exceeded")
#define ERROR(number, text)	number,
#define WORDS(number, text)	text "\0"

char *strerror(int e)
{
	static const uint8_t numbers[] = { ERRORS(ERROR) 0 };
	static const char texts[] = TEXT ERRORS(WORDS);
	int i;

	for (i = 0; numbers[i] && numbers[i] != e; i++)
		;
	return (char *)(uintptr_t)(numbers[i] ? nth(texts, i) : fmts("error %d", e));
}
