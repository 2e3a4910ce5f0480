/* watchdog.c - the machine's own watchdog: PID 1 feeds it after a turn of its loop, and
 * from nowhere else. Whoever halts PID 1, or a loop that hangs, or a way down that does:
 * then the machine starts anew. It is opened once and never closed, so nobody writes
 * the letter that would stop it, and a driver with nowayout is as good as one without;
 * one that the boot loader has started goes on as ours. */
#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "husk.h"

enum { AGAIN_MS = 1000, TRIES = 10 };

struct watchdog {
	int	 fd;			/* 0: none */
	int	 tries;			/* the driver may come later */
	uint32_t ms, first_ms, pre_ms, stop_ms;
	uint64_t due;
	bool	 skip;
	char	 path[MAXDOG];
};

static BASE struct watchdog *at(void)
{
	static struct watchdog w STAYS;

	return &w;
}
#define hw (*at())

void watchdog_carry(void)
{
	carry(&hw, sizeof hw, 1);
}

uint64_t board_watchdog_due(void)
{
	return hw.due;
}

static int ask(unsigned long what, int *n)
{
	return ioctl(hw.fd, (int)what, n);
}

static void feed(void)
{
	(void)!write(hw.fd, "", 1);
	hw.due = now_ms() + hw.ms / 2;
}

/* The driver may know other times than this one: what it has counts. One that has it
 * is not told: QEMU's imx2 stops when its time is written while it runs. */
static void set(uint32_t ms, uint32_t pre_ms)
{
	int s = (int)((ms + 999) / 1000), pre = (int)(pre_ms / 1000), to = s, is = s;

	if ((ask(WDIOC_GETTIMEOUT, &is) < 0 || is != s) && ask(WDIOC_SETTIMEOUT, &to) == 0)
		is = to;
	if (is != s)
		warnx("board.watchdog: %d s, the driver does not take %d", is, s);
	if (pre && ask(WDIOC_SETPRETIMEOUT, &pre) < 0)
		board_failed("watchdog: ", "pretimeout");
	hw.ms = is > 0 ? (uint32_t)is * 1000 : ms;
	feed();
}

static void begin(void)
{
	int fd = open(hw.path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		hw.fd = fd;
		set(hw.first_ms, hw.pre_ms);
	} else if (hw.tries++ < (hw.skip ? 0 : TRIES) && errno != EBUSY) {
		hw.due = now_ms() + AGAIN_MS;
		board_nodes();
	} else {
		hw.due = 0;
		board_failed("watchdog: ", hw.path);
	}
}

void board_watchdog(const struct board_plan *p)
{
	bool other;

	if (p && *p->dog && !board_inside()) {
		if (!hw.fd)
			copy(hw.path, sizeof hw.path, p->dog);
		other = hw.first_ms != p->dog_ms || hw.pre_ms != p->dog_pre_ms;
		hw.tries = 0;
		hw.first_ms = p->dog_ms;
		hw.pre_ms = p->dog_pre_ms;
		hw.stop_ms = p->dog_stop_ms;
		hw.skip = p->dog_skip;
		hw.due = 1;
		if (hw.fd && other)
			set(hw.first_ms, hw.pre_ms);
	}
	if (!hw.due || hw.due > now_ms())
		return;
	if (hw.fd)
		feed();
	else
		begin();
}

/* The way down has a time of its own, and is fed as long as it goes on as it should. */
void board_watchdog_down(void)
{
	if (hw.fd && hw.stop_ms)
		set(hw.stop_ms, 0);
}

/* Who is to stay off is not to be woken. Not by the letter V and a close: PID 1 has it, too. */
void board_watchdog_off(void)
{
	int off = WDIOS_DISABLECARD;

	if (hw.fd && ask(WDIOC_SETOPTIONS, &off) < 0)
		board_failed("watchdog: resets a machine that halts: ", hw.path);
}
