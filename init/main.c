/* main.c - husk VERB ...: finds the verb, checks its words, calls it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "husk.h"

/* What the words of a verb that takes a box say. */
struct words {
	const char *file, *pidfile, *root, *last, *arch;
	char **words;
	int nwords;
	char *const *argv;		/* behind --, or NULL */
	bool background, made, more;	/* made: the pid file was not there; more: learn -a */
	bool live, once, follow;	/* stats -w, events -1, logs -f */
	int tty;			/* exec -t, -T: 1, 0; else -1 */
	int pid;			/* its descriptor */
	int lines;			/* learn: standard output; or -1 */
	char *rest[64];			/* files of check */
	int nrest;
};

static struct run run STAYS;
static struct left left APART;
static char wrong[FIRST_ERROR];		/* with the file that named() has read */
static char pidfile[512] APART;		/* to be removed; none: "" */

/* What was asked for */
static BASE struct box *asked(void)
{
	static struct box box BULK;

	return &box;
}

/* Of a verb that there is, or of none */
static int usage(const char *what)
{
	const char *verb = *entry_words() ? entry_words()[1] : NULL;

	warnx("%s%s%s%s%s%s", verb ? verb : "", verb ? ": " : "", what, HAS(help) ? TEXT " - husk help" : " - husk(8)",
		HAS(help) && verb ? " " : "", HAS(help) && verb ? verb : "");
	return 2;
}

/* run web ls -l, exec web ls -l: as others have it */
static int two_names(void)
{
	return usage(TEXT "one name; what is executed stands behind --");
}

static int no_option(const char *word)
{
	return usage(fmts(TEXT "%s: no such option", word));
}

/* NAME is /etc/husk/NAME.conf where there is no slash, or the file there that calls itself so. */
static const char *conf(const char *name)
{
	static char path[sizeof CONFDIR + MAXNAME + 8];

	if (strchr(name, '/'))
		return name;
	fmt(path, sizeof path, CONFDIR "/%s.conf", name);
	if (HAS(control))
		cfg.by_name = path;
	return path;
}

/* A word of options, which may be several letters; what belongs to the last is the next
 * word. How many words they were; 0: said what is wrong. */
static int options_of(struct words *c, char **argv, const char *options)
{
	const char *p = *argv + 1;

	do {
		if (!*p || !strchr(options, *p))
			return c->nrest > 1 && strchr(options, 'p') ? two_names() : no_option(*argv), 0;
		switch (*p) {
		case 'd': c->background = true; break;
		case 'w': c->live = true; break;
		case '1': c->once = true; break;
		case 'f': c->follow = true; break;
		case 't': c->tty = 1; break;
		case 'T': c->tty = 0; break;
		case 'j': out_as(OUT_JSON); break;
		case 'k': out_as(OUT_KEYS); break;
		case 'a':
			if (*options == 'a') {		/* of learn; that of check is an ARCH */
				c->more = true;
				break;
			}
			/* fall through */
		default:
			if (p[1] || !argv[1])
				return usage(TEXT "a word is missing behind the last option"), 0;
			*(*p == 'p' ? &c->pidfile : *p == 'n' ? &c->last : *p == 'a' ? &c->arch : &c->root) = argv[1];
			return 2;
		}
	} while (*++p);
	return 1;
}

/* Options, names of files or boxes, key=value ..., -- argv ... */
static int parse(struct words *c, char **argv, const char *options)
{
	int n;

	for (; *argv; argv += n) {
		n = 1;
		if (same(*argv, "--")) {
			c->argv = argv + 1;
			return 0;
		}
		if (**argv == '-') {
			if (!(n = options_of(c, argv, options)))
				return 2;
		} else if (strchr(*argv, '=')) {
			if (!c->words)
				c->words = argv;
			c->words[c->nwords++] = *argv;
		} else if (c->nrest < 64) {
			c->rest[c->nrest++] = *argv;
		} else
			return usage(TEXT "more than 64 files");
	}
	return 0;
}

static int load(struct words *c, char **argv, const char *options)
{
	if (parse(c, argv, options))
		return 2;
	if (c->nrest > 1)
		return two_names();
	c->file = c->nrest ? conf(c->rest[0]) : NULL;
	if (!c->file && !c->nwords && !c->argv)
		return usage(TEXT "a file, or key=value and -- argv");
	return cfg_load(asked(), c->file, c->words, c->nwords, c->argv);
}

static int no_pid(const char *path)
{
	warn("%s: init.pidfile: %s", asked()->name, path);
	return 125;
}

/* Before anything is made. What it says stays until the box is up: it may be
 * that of another start of the same name. */
static int open_pid(struct words *c)
{
	const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;

	if (!c->pidfile)
		return 0;
	c->made = (c->pid = open(c->pidfile, flags | O_EXCL, 0644)) >= 0;
	return c->made || (c->pid = open(c->pidfile, flags, 0644)) >= 0 ? 0 : no_pid(c->pidfile);
}

static int write_pid(const struct words *c)
{
	static char text[16];
	size_t n = fmt(text, sizeof text, "%d\n", getpid());

	(void)!ftruncate(c->pid, 0);
	return write(c->pid, text, n) == (ssize_t)n ? 0 : no_pid(c->pidfile);
}

/* -d: the caller waits until the box is up, and gets its status where it is
 * not; -1 for the keeper. Before the clone, because the death signal hangs on the process that
 * clones. */
static int background(int *up)
{
	uint8_t status = 125;
	int p[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) < 0 || (pid = fork()) < 0) {
		warn("%s: background", asked()->name);
		return 125;
	}
	if (pid) {
		close(p[1]);
		(void)!read(p[0], &status, 1);
		close(p[0]);
		return status;
	}
	close(p[0]);
	setsid();
	*up = p[1];
	return -1;
}

/* A keeper in the background holds no directory of its caller's busy. What the paths of
 * the command line are relative to is said to husk restart. */
static void go_to_root(struct words *c)
{
	static char path[512] APART;
	size_t n = 0;

	if ((c->nwords || c->pidfile) && sys_getcwd(path, sizeof path / 2) >= 0)
		n = strlen(path);
	if (c->nwords && n && cfg_plain(path))
		(void)left_add(&run, "cwd=%s\n", path);
	if (c->pidfile && *c->pidfile != '/') {
		if (!n)
			return;
		fmt(path + n, sizeof path - n, "/%s", c->pidfile);
		c->pidfile = path;
	}
	(void)!chdir("/");
}

/* The box is up: what was only needed to make it is given back. */
static void settle(struct run *r, struct live *v, const struct words *c)
{
	int keep[NWATCH + 3];
	char status = (char)(!r->exec_errno ? 0 : r->exec_errno == ENOENT || r->exec_errno == ENOTDIR ? 127 : 126);

	if ((c->pidfile && write_pid(c)) || (c->background && asked()->life.log != LOG_INHERIT && start_stdio(true, true))) {
		status = 125;
		keeper_stop(NULL);
	}
	if (r->up) {
		if (v->state != GONE)
			ctl_open(v);	/* who is told that it is up may ask */
		(void)send(r->up, &status, 1, MSG_NOSIGNAL);	/* he may be gone, and that is no signal for the box */
		close(r->up);
	}
	memcpy(keep, v->fd, sizeof v->fd);
	keep[NWATCH] = r->left->dir;
	keep[NWATCH + 1] = r->sigfd;
	keep[NWATCH + 2] = c->lines;
	if (close_others(AT_FDCWD, 3, keep, NWATCH + 3) < 0)
		keeper_stop(NULL);
}

/* Lines for a configuration and the output of a program do not mix; and what they
 * are appended to may be the configuration, which no box writes to. */
static int split_output(void)
{
	int fd = fcntl(1, F_DUPFD_CLOEXEC, 3);

	if (fd >= 0 && dup2(2, 1) >= 0)
		return fd;
	warn("%s: standard output", asked()->name);
	return -1;
}

static int learned(int status, int to)
{
	if (!HAS(learn) || run.exec_errno || filter_learned(to) == 0)
		return status;
	warnx("%s: what was learned cannot be written", asked()->name);
	return status ? status : 1;
}

/* What every process of a box has of this one. */
static int prepare(char **argv)
{
	int e;

	making_a_box(true);		/* init_stdio closes what the first two let go */
	if ((e = init_seal(argv)) || (caps_reset(), e = init_stdio()))
		return e;
	making_a_box(false);
	return 0;
}

/* Its whole life */
static int keep(struct words *c, bool learn)
{
	struct live *v;
	int e;

	run.left = &left;
	run.unpriv = getauxval(AT_EUID) != 0;
	log_default(&asked()->life, c->background);
	v = keeper_add(asked()->name);
	v->own = true;
	if ((e = open_pid(c)) || (e = start_stdio(c->background, false)) ||
	    (e = start_box(&run, asked()))) {
		if (c->made)
			unlink(c->pidfile);
		if (e == RUNS_ALREADY)
			(void)send(run.up, &e, 1, MSG_NOSIGNAL);
		return e;
	}
	if (c->background)
		go_to_root(c);
	if (run.held)
		(void)state_save(run.statedir);		/* what will start it then */
	keeper_adopt(v, &run);
	settle(&run, v, c);
	if (c->pidfile)
		copy(pidfile, sizeof pidfile, c->pidfile);
	e = keeper_loop(learn);
	if (c->pidfile)
		unlink(c->pidfile);
	return e;
}

void main_carry(void)
{
	carry(&left, sizeof left, 1);
	carry(pidfile, sizeof pidfile, 1);
}

/* This process is in the middle of it already: husk upgrade */
static int go_on(void)
{
	bool own;
	int e;

	if (upgrade_read() < 0)
		return 125;
	own = keeper_resume(&left);
	ctl_resume();
	if (HAS(boards) && !own)
		board_go_on();
	e = keeper_go_on(false);
	if (*pidfile)
		unlink(pidfile);
	return e;
}

static int verb_run(char **argv, bool learn)
{
	struct words c = { .lines = -1 };
	int e;

	if ((e = prepare(argv)) || (keeper_block(true), e = load(&c, argv + 2, learn ? "a" : "dp")) || (e = start_what(asked())))
		return e;
	if (c.background && (e = background(&run.up)) >= 0)
		return e;
	if (HAS(learn) && learn) {
		if ((c.lines = split_output()) < 0)
			return 125;
		filter_learn(asked(), c.more);
		run.learn = true;
	}
	e = keep(&c, learn);
	return learn ? learned(e, c.lines) : e;
}

/* run -d of one; that it runs already, or is just being started by another, is as good. */
static int start_one(struct words *c)
{
	int e, tries = 3;

	do {
		keeper_block(true);
		if ((e = cfg_load(asked(), c->file, c->words, c->nwords, c->argv)) || (e = start_what(asked())))
			return e;
		if (HAS(boards) && HAS(restart))
			board_loosen(&asked()->life, asked()->name);
		run.again = true;
		if ((e = background(&run.up)) < 0)
			_exit(keep(c, false));
		keeper_block(false);		/* what comes now is for who waits */
	} while (e == RUNS_ALREADY && --tries && ask_up(asked()->name) < 0);
	if (e != RUNS_ALREADY || !tries)
		return e;
	if (c->file && c->nwords)
		warnx("%s: runs already: what stands behind its file is for husk update, or a restart (warning)", asked()->name);
	return 0;
}

/* Who waits for another in a circle would do so for ever. What else is wrong is said when its
 * turn comes. */
static void circles(const struct words *c)
{
	int i;

	cfg.first = wrong;
	for (i = 0; i < c->nrest; i++)
		if (!cfg_load(asked(), conf(c->rest[i]), c->words, c->nwords, c->argv))
			(void)board_add(asked(), asked()->file);
	cfg.first = NULL;
	(void)board_circle();
}

static int verb_start(char **argv)
{
	struct words c = { .lines = -1, .background = true };
	int i, e = prepare(argv), worst = 0;

	if (e || (e = parse(&c, argv + 2, "")))
		return e;
	if (HAS(boards) && HAS(restart) && c.nrest > 1)
		circles(&c);
	for (i = 0; i < c.nrest || (!i && (c.nwords || c.argv)); i++) {
		c.file = c.nrest ? conf(c.rest[i]) : NULL;
		worst = (e = start_one(&c)) ? e : worst;
	}
	return i ? worst : usage(TEXT "start what?");
}

static int check_one(const struct words *c, const char *word)
{
	const char *file = word ? conf(word) : NULL;
	bool board = HAS(boards) && file && cfg_is_board(file);
	int e = board ? cfg_board(asked(), file, c->words, c->nwords) : cfg_load(asked(), file, c->words, c->nwords, c->argv);

	if (!e)
		e = cfg_machine(asked(), c->root);
	if (HAS(boards) && !e && word && !board && board_add(asked(), asked()->file))
		e = 2;
	return e;
}

/* -a ARCH, by a name of ours, of uname or of a distribution. */
static int use_arch(const char *name)
{
	static const char names[] = "x86_64|i386|armv7|arm64|amd64|x86|arm|aarch64|x86-64|i686|armv7l";
	int i = name ? cfg_index(names, name) : -1;

	return i >= 0 && filter_use(cfg_nth(names, i % 4)) ? 0 : usage(cfg_bad(name ? name : "", names, ""));
}

static int verb_check(char **argv)
{
	struct words c = { 0 };
	int i, worst = 0, e;

	if (parse(&c, argv + 2, HAS(filter) ? "ra" : "r") || (c.arch && use_arch(c.arch)))
		return 2;
	for (i = 0; i < c.nrest || (i == 0 && c.nwords); i++)
		worst = (e = check_one(&c, c.nrest ? c.rest[i] : NULL)) ? e : worst;
	if (HAS(boards) && c.nrest > 1 && board_circle())
		worst = 2;
	return i ? worst : usage(TEXT "check what?");
}

static int verb_show(char **argv, bool plan)
{
	struct words c = { 0 };
	const char *file = argv[2] ? conf(argv[2]) : "";
	int e = plan || !HAS(boards) || !cfg_is_board(file) ? load(&c, argv + 2, "") :
		parse(&c, argv + 3, "") ? 2 : cfg_board(asked(), file, c.words, c.nwords);

	if (!e && plan)
		plan_print(asked());
	else if (!e)
		cfg_show(1, true);
	return e;
}

/* FILE or nothing, key=value ..., then what has no = and is a call with its
 * arguments: so options stand first. */
static int verb_filter(char **argv)
{
	const char *file = NULL;
	char **words;
	int e;

	for (argv += 2; *argv && **argv == '-'; argv += 2)
		if (!same(*argv, "-a"))
			return no_option(*argv);
		else if ((e = use_arch(argv[1])))
			return e;
	if (*argv && !strchr(*argv, '='))
		file = conf(*argv++);
	for (words = argv; *argv && strchr(*argv, '='); argv++)
		;
	if (!file && words == argv)
		return usage(TEXT "a file, or key=value and -- argv");
	if (*argv && **argv == '-' && ((*argv)[1] | 32) >= 'a')
		return usage(fmts(TEXT "%s: options stand first", *argv));
	if ((e = cfg_load(asked(), file, words, (int)(argv - words), NULL)))
		return e;
	if (*argv)
		return filter_ask(asked(), argv);
	filter_show(asked());
	return 0;
}

/* That, or the file's without .conf: until the next is asked for */
static const char *base_name(const char *name, const char *word)
{
	static char to[MAXNAME + 6];
	size_t n = copy(to, sizeof to, name ? name : last_part(word));

	if (!name && n > 5 && n < sizeof to && same(to + n - 5, ".conf"))
		to[n - 5] = '\0';
	return to;
}

/* The box that was made from this file, whatever that says by now: that of the name which it
 * has, or the only one. */
static const char *made_from(const char *file, const char *name)
{
	static char of[MAXNAME + 1], only[MAXNAME + 1], path[512];
	static struct left dir, l;
	struct stat st, was;
	unsigned at, n = 0;

	if (stat(file, &st) < 0 || state_open(&dir, false) < 0)
		return name;
	while (state_next(dir.dir, "", of)) {
		if (state_read(&l, of) < 0)
			continue;
		close(l.dir);
		at = 0;
		if (!left_get(&l, "file", &at, path, sizeof path) || stat(path, &was) < 0 || was.st_ino != st.st_ino || was.st_dev != st.st_dev)
			continue;
		n++;
		copy(only, sizeof only, of);
		if (same(of, name))
			break;
	}
	close(dir.dir);
	if (n > 1 && !same(only, name))
		warnx("%s: several boxes are made from it: husk list", file);
	return n == 1 ? only : name;
}

/* The box of a file, which may say its name=; what else is wrong there is of no matter here. A word
 * that is no path is the name of a box, or else that of a file of CONFDIR. */
static const char *named(const char *word)
{
	bool path = word && strchr(word, '/');

	cfg.given = path && access(word, F_OK) == 0 ? word : NULL;
	if (!word || (path ? !cfg.given : !cfg_name(word) || state_there(word)))
		return word;
	cfg.first = wrong;
	(void)cfg_load(asked(), conf(word), NULL, 0, NULL);
	cfg.first = NULL;
	return path || asked()->name ? made_from(asked()->file, base_name(asked()->name, word)) : word;
}

/* The same, of a file that may be gone */
static const char *was_named(const char *word)
{
	const char *s = named(word);

	return s && strchr(s, '/') ? base_name(NULL, s) : s;
}

/* What is wrong with its configuration is found before it is stopped. */
static int restart_one(const char *word, const char *name)
{
	static char *words[MAXWORD];
	struct words c = { .lines = -1, .background = true };
	int held = ask_words(name, &c.file, words, MAXWORD), e;

	if (held < 0)
		return 1;
	if (!held) {
		c.file = c.file ? c.file : conf(word);
		return start_one(&c);
	}
	if ((e = parse(&c, words, "dap")) || (e = cfg_load(asked(), c.file, c.words, c.nwords, c.argv)) || (e = start_what(asked())) ||
	    (e = cfg_machine(asked(), NULL)))
		return e;
	return same(asked()->name, name) ? ask_restart(asked()) : usage(fmts(TEXT "%s: its file has name=%s now: stop it first", name, asked()->name));
}

/* One after the other, whatever becomes of those before: the worst counts. */
static int verb_each(char **argv, char which)
{
	const char *name;
	int e, worst = 0;

	for (e = 2; argv[e]; e++)		/* before any of them is touched */
		if (*argv[e] == '-')
			return no_option(argv[e]);
	if (!argv[2])
		return which == 'r' ? ask_reload_all() : up_name(NULL);
	if (which == 'n' && (e = prepare(argv)))
		return e;
	for (argv += 2; *argv; argv++) {
		name = was_named(*argv);
		e = which == 'n' ? restart_one(*argv, name) : which == 's' ? ask_stop(name) :
			which == 'r' ? ask_reload(name) : ask_delete(name);
		worst = e ? e : worst;
	}
	return worst;
}

static int verb_wait(char **argv)
{
	bool ready = argv[2] && same(argv[2], "--ready");

	argv += 2 + ready;
	if (*argv && **argv == '-')
		return no_option(*argv);
	if (ready && !*argv)
		return ask_wait_all();
	return *argv && argv[1] ? usage(TEXT "one box at a time") : ask_wait(was_named(*argv), ready);
}

static int verb_kill(char **argv)
{
	return argv[2] && argv[3] && argv[4] ? usage(TEXT "one box at a time") : ask_kill(named(argv[2]), argv[2] ? argv[3] : NULL);
}

/* One box, or none, and options: c->file is its name. */
static int one_box(struct words *c, char **argv, const char *options)
{
	memset(c, 0, sizeof *c);
	if (parse(c, argv + 2, options))
		return 2;
	if (c->nrest > 1 || c->nwords || c->argv)
		return usage(TEXT "one box at a time");
	c->file = named(c->rest[0]);
	return 0;
}

static int verb_freeze(char **argv, bool on)
{
	struct words c;
	int e = one_box(&c, argv, "");

	return e ? e : control_freeze(c.file, on);
}

/* For people a table, unless they ask for something else. */
static int verb_info(char **argv)
{
	struct words c = { 0 };

	out_as(isatty(1) ? OUT_TABLE : OUT_KEYS);
	if (parse(&c, argv + 2, "jk"))
		return 2;
	return c.nrest || c.nwords || c.argv ? usage(TEXT "info is about the machine, no box") : info();
}

static int verb_stats(char **argv)
{
	struct words c;
	int e;

	out_as(isatty(1) ? OUT_TABLE : OUT_KEYS);
	e = one_box(&c, argv, "jkw");
	return e ? e : cg_stats(c.file, c.live);
}

/* Words that print facts: options, and names of which there are at most so many. */
static int looks(struct words *c, char **argv, int names)
{
	out_as(isatty(1) ? OUT_TABLE : OUT_KEYS);
	if (parse(c, argv + 2, "jk"))
		return 2;
	return c->nrest > names || c->nwords || c->argv ? usage(TEXT "too many words") : 0;
}

static int verb_list(char **argv)
{
	struct words c = { 0 };
	int e = looks(&c, argv, 0);

	return e ? e : list_all();
}

static int verb_state(char **argv)
{
	struct words c = { 0 };
	int e = looks(&c, argv, 2);
	const char *name = e ? NULL : was_named(c.rest[0]), *file = asked()->file;

	return e ? e : list_state(name, file ? file : name && !same(name, c.rest[0]) ? conf(c.rest[0]) : NULL, c.rest[1]);
}

static int verb_ps(char **argv)
{
	struct words c = { 0 };
	int e = looks(&c, argv, 1);

	return e ? e : ps_box(named(c.rest[0]));
}

static int verb_events(char **argv)
{
	struct words c;
	int e;

	out_as(OUT_KEYS);
	if ((e = one_box(&c, argv, "j1")))
		return e;
	if (*wrong && !state_there(c.file) && access(asked()->file, F_OK) == 0) {	/* of no box, and a box of the command line may come */
		say(2, "%s\n", wrong);
		return 2;
	}
	return cg_events(c.file, c.once);
}

static int verb_logs(char **argv)
{
	struct words c;
	uint64_t last = 0;

	if (one_box(&c, argv, "fn"))
		return 2;
	if (c.last && number(c.last, INT32_MAX, &last))
		return usage(fmts(TEXT "%s: not a number of lines", c.last));
	return logs(c.file, c.last ? (int)last : -1, c.follow);
}

static int verb_update(char **argv)
{
	int n = 0;

	while (argv[2] && argv[3 + n] && strchr(argv[3 + n], '='))
		n++;
	return argv[2] && (!n || argv[3 + n]) ? usage(TEXT "key=value behind the name") : control_update(named(argv[2]), argv + 3, n);
}

/* With -d nobody looks at a terminal. */
static int verb_exec(char **argv)
{
	struct words c = { .tty = -1 };

	if (parse(&c, argv + 2, "dptT"))
		return 2;
	if (c.nrest > 1)
		return two_names();
	if (c.background && c.tty > 0)
		return usage(TEXT "-d and -t: a terminal is for who waits");
	return attach_exec(named(c.rest[0]), c.words, c.nwords, c.argv, c.tty, c.background, c.pidfile);
}

static int verb_upgrade(char **argv)
{
	int e = prepare(argv);

	return e ? e : ask_upgrade(argv + 2);
}

static int verb_attach(char **argv)
{
	return argv[2] && argv[3] ? usage(TEXT "one box at a time") : attach_box(named(argv[2]));
}

static int verb_version(void)
{
	const char *list = part_list(true);

	say(1, "husk " VERSION " built with: %s\n", *list ? list : "no part that can be left out");
	return 0;
}

/* A verb, the part of the program that it is of, what stands behind it, one line of help. Those
 * up to help are what a day needs. The calls stand apart, so that the table holds no pointers. */
#define VERBS(V) \
	V(run, always, " [-d] [-p FILE] FILE|key=value .. [-- argv]\n\tmake the box and wait; -d: in the background", verb_run(argv, false)) \
	V(check, help, " [-r ROOTFS] [-a ARCH] FILE ..\n\tsilent and 0, or file:line: key: what is wrong", verb_check(argv)) \
	V(list, list, " [-jk]\n\tall boxes, also those of files that are not started, and why each is as it is", verb_list(argv)) \
	V(start, control, " FILE|key=value .. [-- argv]\n\tin the background; done, where it runs", verb_start(argv)) \
	V(stop, control, " NAME ..\n\tuntil it is gone; done, where it does not run", verb_each(argv, 's')) \
	V(restart, control, " NAME ..\n\tby its file as that is now, if nothing is wrong with it", verb_each(argv, 'n')) \
	V(logs, log, " [-f] [-n N] [NAME]\n\twhat a box has said, or all; -f: and what comes, -n: the last N lines", verb_logs(argv)) \
	V(exec, exec, " [-d] [-p FILE] [-tT] NAME [key=value ..] [-- argv]\n\tanother program in a box that runs; -t, -T: with, without a terminal; -d: in the background", verb_exec(argv)) \
	V(state, list, " [-jk] NAME|FILE [FIELD]\n\tthe same of one, and more; 0: it runs, 3: it does not, 4: unknown", verb_state(argv)) \
	V(help, help, " [VERB|KEY|all]\n\tthis page, a verb, a key, or the other verbs", help(argv[2])) \
	V(learn, learn, " [-a] FILE|key=value .. [-- argv]\n\twatch it; then the syscalls= that it needs, -a: that its file lacks", verb_run(argv, true)) \
	V(show, help, " FILE [key=value ..]\n\tall of its keys, every default written out", verb_show(argv, false)) \
	V(plan, help, " FILE [key=value ..]\n\tthe stages it will go through", verb_show(argv, true)) \
	V(filter, filter, " [-a ARCH] FILE [key=value ..] [CALL [ARG ..]]\n\tits filter, or the answer to a call and the line that gives it", verb_filter(argv)) \
	V(pause, update, " NAME\n\tall of a box stands still", verb_freeze(argv, true)) \
	V(resume, update, " NAME\n\tand goes on", verb_freeze(argv, false)) \
	V(version, always, "", verb_version()) \
	V(halt, boards, " [-fniw] [-d SEC]", board_ask(argv[1], argv + 2)) \
	V(poweroff, boards, " [-fniw] [-d SEC]", board_ask(argv[1], argv + 2)) \
	V(reboot, boards, " [-fniw] [-d SEC]\n\task PID 1 of the board; -f: do it here, -n: without sync", board_ask(argv[1], argv + 2)) \
	V(boot, boards, " [-tk]\n\twhat PID 1 of a board does; -t: when what began of it, -k: key=value", argv[2] ? board_chart(argv[2]) : board_boot(argv)) \
	V(stats, stats, " [-jkw] [NAME]\n\twhat a box has used, or all; -w: every second, -j: JSON, -k: key=value", verb_stats(argv)) \
	V(events, events, " [-j] [-1] NAME\n\ta line for each thing that happens to it; -1: until it ends", verb_events(argv)) \
	V(info, info, " [-jk]\n\twhat this kernel offers, and the option that would bring the rest", verb_info(argv)) \
	V(update, update, " NAME key=value ..\n\tother limits and devices for a box that runs", verb_update(argv)) \
	V(ps, list, " [-jk] NAME\n\tthe processes of a box", verb_ps(argv)) \
	V(reload, control, " [NAME ..]\n\tsend it reload.signal; without a name: the board reads its files again", verb_each(argv, 'r')) \
	V(delete, control, " NAME ..\n\twhat is left of one that failed or has ended, or whose keeper was killed", verb_each(argv, 'd')) \
	V(wait, control, " NAME | wait --ready [NAME]\n\tuntil it has ended, and end as it did; --ready: until it is ready, or all are", verb_wait(argv)) \
	V(kill, control, " NAME [SIGNAL]\n\tto its program, TERM without one; KILL: to all of it", verb_kill(argv)) \
	V(attach, exec, " NAME\n\tthe terminal of a box in the background; Ctrl-P Ctrl-Q leaves it alone", verb_attach(argv)) \
	V(upgrade, upgrade, " [NAME ..]\n\tthis husk goes on with boxes that run, or all, which go on", verb_upgrade(argv))

#define NUMBER(name, part, text, does)	VERB_##name,
enum { VERBS(NUMBER) NVERBS };

#define NAME(name, part, text, does)	#name "|"
static const char verbs[] = VERBS(NAME);

#define TEXTS(name, part, text, does)	text "\0"
static const char texts[] = TEXT VERBS(TEXTS);

#define PART(name, part, text, does)	PART_##part,
static const uint8_t verb_parts[] = { VERBS(PART) };

/* Of which one was meant; NULL: no more */
static const char *verb_name(int i)
{
	return i < NVERBS ? cfg_nth(verbs, i) : NULL;
}

/* What others call it; or it is a slip. */
static const char *meant(const char *verb)
{
	int i = cfg_index("status|ls|rm|top|shell", verb);

	return i < 0 ? near_of(verb, verb_name) : fmts(TEXT "; %s?", cfg_nth("state|list|delete|stats|exec", i));
}

/* One of those that this program has */
static bool say_verb(int i)
{
	bool have = i >= 0 && i < NVERBS && !(LACKS >> verb_parts[i] & 1);

	if (have)
		say(1, "husk %s%s\n", cfg_nth(verbs, i), nth(texts, i));
	return have;
}

/* "all" is what a day does not need. A word may be a verb and a key. */
static int help(const char *word)
{
	int i;

	if (word && !same(word, "all"))
		return say_verb(cfg_index(verbs, word)) && key_find(word) < 0 ? 0 : cfg_help(word);
	for (i = word ? VERB_help + 1 : 0; i < (word ? NVERBS : VERB_help + 1); i++)
		(void)say_verb(i);
	if (!word)
		say(1, "husk help all\n\tthe other verbs\n");
	return 0;
}

static int lacks(const char *verb, int part)
{
	warnx("%s: not in this program: made without %s", verb, part_name(part));
	return 2;
}

static int call(char **argv)
{
#define CALL(name, part, text, does)	case VERB_##name: return HAS(part) ? (does) : lacks(argv[1], PART_##part);
	switch (same(argv[1], "-h") ? VERB_help : cfg_index(verbs, argv[1] + 2 * starts(argv[1], "--"))) {	/* --help is help */
	VERBS(CALL)
	}
	warnx("%s: no such verb%s%s", argv[1], meant(argv[1]), HAS(help) ? TEXT " - husk help" : "");
	return 2;
}

int main(int argc, char **argv)
{
	const char *base = argc ? last_part(argv[0]) : "";

	if (getauxval(AT_SECURE))
		return 125;
	if (HAS(upgrade) && upgrade_begun())
		return go_on();
	if (HAS(boards) && (argc < 2 || !same(argv[1], "run")) && getpid() == 1)
		return board_boot(argv);
	if (HAS(boards) && (same(base, "halt") || same(base, "poweroff") || same(base, "reboot")))
		return board_ask(base, argv + 1);
	return argc < 2 ? usage(TEXT "a verb is missing") : call(argv);
}
