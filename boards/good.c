/* good.c - are all boxes up? Then board.good= is run, once: it marks the slot of an
 * update as good, or clears a count of boots. If that is not done in board.timeout=, the
 * machine does what board.fail= says. A child waits for the program. Whoever has made the
 * namespace of this PID 1 hears of it, too, if he has named a socket. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "husk.h"

enum { NOT_ASKED, OPEN, RUNS, GOOD };

struct good {
	uint8_t	 state;
	uint8_t	 fail;
	uint32_t ms;
	int	 from;			/* the child: a byte is yes */
	uint64_t due;
	char	 program[MAXHOOKTEXT];
};

static BASE struct good *at(void)
{
	static struct good good STAYS;

	return &good;
}
#define is (*at())

void good_carry(void)
{
	carry(&is, sizeof is, 1);
}

uint64_t board_good_due(void)
{
	return is.due;
}

/* Of one that has ended only the state file knows. */
bool board_is(const char *name, const char *what)
{
	static struct left l;
	static char word[16];

	if (state_read(&l, name) < 0)
		return false;
	close(l.dir);
	(void)state_word(&l, word, sizeof word);
	return cfg_index(what, word) >= 0;
}

bool board_is_up(const char *name)
{
	const struct live *v;

	for (v = keeper_next(NULL); v; v = keeper_next((struct live *)(uintptr_t)v))
		if (same(v->name, name))
			return v->state == RUNNING && v->ready;
	return board_is(name, "done|skipped");
}

static void child(int to)
{
	const char *e;

	board_console(true);
	if ((e = hooks_run(is.program, "board")))
		warnx("board.good: %s", e);
	else
		(void)!write(to, "", 1);
	_exit(0);
}

static void begin(void)
{
	int p[2] = { -1, -1 };
	pid_t pid = -1;

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0 && (pid = fork()) == 0)
		child(p[1]);
	if (pid < 0)
		board_failed("good: ", is.program);
	let_go(p[1]);
	is.from = p[0];
	is.state = RUNS;
}

/* By PID 1 itself: systemd-nspawn hears nobody else of the container. It waits for nobody. */
void board_tell(const char *what)
{
	static struct sockaddr_un a;
	const char *to = getenv("NOTIFY_SOCKET");
	size_t n;
	int fd;

	if (!to)
		return;
	a.sun_family = AF_UNIX;
	n = offsetof(struct sockaddr_un, sun_path) + copy(a.sun_path, sizeof a.sun_path, to);
	if (*to == '@')
		*a.sun_path = '\0';	/* abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sendto(fd, what, strlen(what), MSG_NOSIGNAL, (struct sockaddr *)&a, (socklen_t)n) < 0)
		board_failed("good: ", to);
	let_go(fd);
}

static void is_good(void)
{
	is.state = GOOD;
	is.due = 0;
	board_tell("READY=1");
}

static void late(const char *missing)
{
	is.due = 0;
	warnx("board: not good in %u s: %s", is.ms / 1000, !missing ? "board.good" : *missing ? missing : "not all are started");
	board_fail(is.fail, "board");
}

/* Whoever was up once and is not now does not count: all are, at one time. */
void board_good(const struct board_plan *p)
{
	const char *missing;
	char byte;

	if (p && is.state < RUNS && (*p->good || p->good_ms || board_inside())) {
		is.state = OPEN;
		is.fail = p->fail;
		is.ms = p->good_ms;
		is.due = p->good_ms ? now_ms() + p->good_ms : 0;
		copy(is.program, sizeof is.program, p->good);
	}
	if (is.state == NOT_ASKED || is.state == GOOD)
		return;
	missing = is.state == OPEN ? board_missing() : NULL;
	if (is.state == OPEN && !missing)
		*is.program ? begin() : is_good();
	if (is.state == RUNS && read(is.from, &byte, 1) == 1)
		is_good();
	if (is.due && is.due <= now_ms())
		late(missing);
}
