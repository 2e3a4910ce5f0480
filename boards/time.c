/* time.c - the machine's time, and a seed for its random numbers: what it knew when it
 * went down. */
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <linux/rtc.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "husk.h"

enum { EARLY = 1767225600,		/* 2026: the kernel has set no clock, */
       YEARS = 30 * 365 * 86400,	/* or one without a battery: so many from then on are believed */
       UNKNOWN = EARLY - 86400,	/* what it is then: nobody takes it for one that was set */
       CLOCKS = 4,			/* /dev/rtcN; the first of a chip often has no battery */
       NBYTES = 32 };			/* all that its generator can hold */
#define PLACE	"/var/lib/husk"
#ifdef SYS_clock_settime64
#define SET_TIME	SYS_clock_settime64
#define SET_OLD		SYS_clock_settime32	/* before 5.1; until 2038 */
#define SET_ALARM	SYS_timerfd_settime64	/* before 5.1 there is none: so be it */
#else
#define SET_TIME	SYS_clock_settime
#define SET_OLD		SYS_clock_settime
#define SET_ALARM	SYS_timerfd_settime
#endif

/* Until 2099; a clock without a battery begins before EARLY, too. */
static uint32_t seconds(const struct rtc_time *t)
{
	static const uint16_t before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	unsigned year = (unsigned)t->tm_year - 70, month = (unsigned)t->tm_mon % 12;

	return ((365 * year + (year + 1) / 4 + before[month] + (year % 4 == 2 && month > 1) + (unsigned)t->tm_mday - 1) * 24 +
		(unsigned)t->tm_hour) * 3600 + (unsigned)t->tm_min * 60 + (unsigned)t->tm_sec;
}

static bool guessed;		/* no clock knew the time */
static int jumps;		/* of PID 1, on such a board: is told when somebody sets the clock; 0: none */

static uint32_t is_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint32_t)now.tv_sec;
}

static bool may_be(uint32_t s)
{
	return s - EARLY < YEARS;
}

static void set(uint32_t s)
{
	int64_t t[2] = { s, 0 };
	long old[2] = { (long)s, 0 };

	if (syscall(SET_TIME, CLOCK_REALTIME, t) < 0)
		(void)syscall(SET_OLD, CLOCK_REALTIME, old);
}

static int clock_number(int i, struct rtc_time *t)
{
	int fd = open(fmts(TEXT "/dev/rtc%d", i), O_RDONLY | O_CLOEXEC);

	if (ioctl(fd, (int)RTC_RD_TIME, t) == 0)
		return fd;
	close(fd);
	return -1;
}

/* It is no earlier than this husk, whatever the clocks say. */
void board_time(void)
{
	uint32_t s = is_now();
	struct rtc_time t;
	int i, fd;

	if (may_be(s))
		return;
	for (i = 0; i < CLOCKS && !may_be(s); i++)
		if ((fd = clock_number(i, &t)) >= 0) {
			s = seconds(&t);
			close(fd);
		}
	guessed = !may_be(s);
	set(guessed ? UNKNOWN : s);
}

bool board_time_guessed(void)
{
	return guessed;
}

/* What the machine is to know when it begins again, where its own clock is another one: it
 * may have got the time from a net, or by hand. A date by trying, which is the shortest. */
void board_time_save(void)
{
	struct rtc_time t;
	uint32_t s;
	int i, fd;

	for (i = 0; i < CLOCKS; i++) {
		if (!may_be(s = is_now()) || (fd = clock_number(i, &t)) < 0)
			continue;
		if (s - seconds(&t) + 1 > 2) {
			t = (struct rtc_time){ .tm_mday = 1, .tm_year = 199 };
			for (; seconds(&t) > s; t.tm_year--)
				;
			for (t.tm_mon = 11; seconds(&t) > s; t.tm_mon--)
				;
			s -= seconds(&t);
			t.tm_mday += (int)(s / 86400);
			t.tm_hour = (int)(s / 3600 % 24);
			t.tm_min = (int)(s / 60 % 60);
			t.tm_sec = (int)(s % 60);
			if (ioctl(fd, (int)RTC_SET_TIME, &t) < 0)
				board_failed("off: ", fmts(TEXT "/dev/rtc%d", i));
		}
		close(fd);
	}
}

/* Written by nobody but us, when there was enough to know: else it is no news. */
void board_seed_save(void)
{
	uint8_t seed[NBYTES];
	int dir, fd;

	if (getrandom(seed, NBYTES, GRND_NONBLOCK) != NBYTES)
		return;
	(void)mkdir("/var/lib", 0755);
	(void)mkdir(PLACE, 0700);
	dir = open(PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(dir, "new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (write(fd, seed, NBYTES) == NBYTES && fsync(fd) == 0 && syscall(SYS_renameat2, dir, "new", dir, "seed", 0) == 0)
		(void)fsync(dir);
	close(fd);
	close(dir);
}

/* It counts once: after a power cut the same numbers would come again. So it counts for
 * nothing where it cannot be taken away, as on a file system that is read-only. A board
 * without a clock knows from it that it is not earlier. The next one is written when the boxes are
 * being started. */
void board_seed(void)
{
	int dir = open(PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd, random;
	struct { int bits, size; uint8_t seed[NBYTES]; } add = { .size = NBYTES };
	FILLED struct stat st;

	fd = openat(dir, "seed", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fstat(fd, &st) == 0 && !st.st_uid && !(st.st_mode & 077) && read(fd, add.seed, NBYTES) == NBYTES) {
		if (guessed && may_be((uint32_t)CHANGED(st).tv_sec) && (uint32_t)CHANGED(st).tv_sec > is_now())
			set((uint32_t)CHANGED(st).tv_sec);
		if (unlinkat(dir, "seed", 0) == 0 && fsync(dir) == 0)
			add.bits = 8 * NBYTES;
		random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
		(void)ioctl(random, RNDADDENTROPY, &add);
		close(random);
	}
	close(fd);
	close(dir);
}

/* A board whose clock was guessed, and that is only ever cut off, would begin at the same time for
 * ever: its seed is written anew when somebody knows better. What wakes PID 1 then, or -1. */
int board_clock(bool guess)
{
	int64_t never[4] = { 0, 0, INT32_MAX, 0 };
	uint64_t n;

	if (guess && !jumps) {
		jumps = (int)syscall(SYS_timerfd_create, CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
		(void)syscall(SET_ALARM, jumps, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, never, NULL);
	} else if (jumps > 0 && (read(jumps, &n, sizeof n) == sizeof n || errno == ECANCELED)) {
		close(jumps);
		jumps = -1;
		if (fork() == 0) {
			board_seed_save();
			_exit(0);
		}
	}
	return jumps ? jumps : -1;
}
