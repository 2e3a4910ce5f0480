/*
 * cfg_test.c - test: parse(show(x)) is x. Each file named is loaded, alone and
 * with words of a command line above it; all that struct box holds and points
 * to is written down; what husk show says is parsed, in another environment,
 * and all is written down again, and shown again. Both have to be the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "husk.h"

static struct box box;

/* What cfg/ asks of other folders, without them; and no text is packed here */
const uint8_t text_pairs[1][2];
const char code_end[1];

long sys_getcwd(char *to, size_t max)
{
	return getcwd(to, max) ? 0 : -1;
}

bool state_next(int dir, const char *ending, char of[MAXNAME + 1])
{
	(void)dir;
	(void)ending;
	(void)of;
	return false;
}

const char *stage_name(int row)
{
	return row ? "?" : "";
}

const char *rootfs_default(int i)
{
	static const char paths[][12] = { "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/run", "/tmp" };

	return paths[i];
}

bool rootfs_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return same(top, "/") || (starts(path, top) && (!path[n] || path[n] == '/'));
}

static char *shown(void)
{
	static char text[2][MAXTEXT];
	static int turn;
	char *to = text[turn ^= 1];
	int fd = memfd_create("show", MFD_CLOEXEC);
	ssize_t n;

	cfg_show(fd, false);
	n = pread(fd, to, MAXTEXT - 1, 0);
	close(fd);
	to[n < 0 ? 0 : n] = '\0';
	return to;
}

static void bytes(FILE *f, const char *name, const void *at, size_t n)
{
	const uint8_t *p = at;

	for (fprintf(f, "%s", name); n-- > 0; p++)
		fprintf(f, " %02x", *p);
	fprintf(f, "\n");
}

static void texts(FILE *f, const char *name, const char *const *p, int n)
{
	for (fprintf(f, "%s", name); n-- > 0; p++)
		fprintf(f, " <%s>", *p ? *p : "-");
	fprintf(f, "\n");
}

#define B(field) bytes(f, #field, &b->field, sizeof b->field)
#define T(field) texts(f, #field, &b->field, 1)
#define L(field, n) texts(f, #field, b->field, n)
#define A(field, n) bytes(f, #field, b->field, (n) * sizeof b->field[0])

static char *dump(const struct box *b)
{
	char *to = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&to, &n);
	const struct mnt *m;
	int i;

	B(ns); B(tty); B(pid1_program); B(root_rw); B(automap); B(nnp); B(keyring); B(boot); B(has_affinity); B(sched);
	B(sched_prio); B(lim_skip); B(reboot); B(life); B(calls_default); B(calls_log); B(abi); B(mounts); B(umask); B(ioprio);
	B(nice); B(oom_score_adj); B(nbpf); B(who); B(uid); B(gid); B(root); B(cpu_period); B(persona); B(securebits);
	B(caps); B(inheritable); B(ambient); B(clock_monotonic); B(clock_boottime); B(lim); B(rlim); B(affinity);
	T(name); T(user); T(group); T(cwd); T(hostname); T(domainname); T(cgroup); T(apparmor); T(selinux);
	if (b->root == ROOT_DIR)
		T(rootdir);
	L(nspath, NNS); L(nsbox, NNS); L(etc, b->netc); L(argv, b->narg + 1); L(env, b->nenv); L(after, b->nafter);
	L(syscalls, b->nsyscall); L(mask, b->nmask); L(ro, b->nro);
	A(mask_skip, b->nmask); A(uidmap, b->nuidmap); A(gidmap, b->ngidmap); A(bpf, b->nbpf);
	for (i = 0; i < b->ngroup; i++)
		fprintf(f, "group <%s> %u\n", b->groups[i].name ? b->groups[i].name : "-", b->groups[i].id);
	for (i = 0; i < b->nsysctl; i++)
		fprintf(f, "sysctl <%s> <%s>\n", b->sysctl[i].key, b->sysctl[i].val);
	for (i = 0; i < b->nknob; i++)
		fprintf(f, "knob %d %d <%s> <%s> <%s>\n", b->knob[i].row, b->knob[i].skip, b->knob[i].file, b->knob[i].of ? b->knob[i].of : "-", b->knob[i].text);
	for (i = 0; i < b->ndev; i++)
		fprintf(f, "dev <%s> <%s> %d %d %o\n", b->dev[i].host, b->dev[i].dst, b->dev[i].perm, b->dev[i].skip, b->dev[i].mode);
	for (i = 0; i < b->nhook; i++)
		fprintf(f, "hook %d <%s>\n", b->hook[i].stage, b->hook[i].text);
	for (i = 0; i < b->ndevrule; i++)
		fprintf(f, "device rule %x %u\n", b->devrule[i].key, b->devrule[i].perm);
	for (i = 0; i < b->nmnt; i++) {
		m = &b->mnt[i];
		fprintf(f, "mnt %d %d %d %d %d %d %o %x %llx <%s> <%s> <%s> <%s>\n", m->kind, m->skip, m->rec, m->slave, m->idmap,
			m->create, m->mode, m->flags, (unsigned long long)m->size, m->src ? m->src : "-", m->dst,
			m->type ? m->type : "-", m->data ? m->data : "-");
	}
	fclose(f);
	return to;
}

/* Where a and b part */
static bool differ(const char *a, const char *b)
{
	const char *from = a;

	if (strcmp(a, b) == 0)
		return false;
	for (; *a == *b; a++, b++)
		if (*a == '\n')
			from = a + 1;
	printf("# %.*s: ...%.60s\n# ...%.60s\n", (int)strcspn(from, " =\n"), from, a, b);
	return true;
}

static const char *again(const char *file)
{
	char *was = dump(&box), *is;
	const char *text = shown();
	bool bad;

	clearenv();
	if (cfg_parse(&box, file, text))
		return "what was shown is refused";
	is = dump(&box);
	bad = differ(was, is);
	free(was);
	free(is);
	return bad ? "another box" : differ(text, shown()) ? "shown twice, and not the same" : NULL;
}

static void environment(void)
{
	setenv("TERM", "vt100", 1);
	setenv("OUTSIDE", "a  b#c \"d\" 'e' \\", 1);
	setenv("EMPTY", "", 1);
}

static int one(const char *file, char *const words[], int n, char *const argv[])
{
	const char *e = NULL;

	environment();
	if (cfg_load(&box, file, words, n, argv)) {
		if (!n)
			e = "refused";
	} else
		e = again(file);
	printf("%s - %s%s%s%s\n", e ? "not ok" : "ok", file, n ? ", and words" : "", e ? ": " : "", e ? e : "");
	return e != NULL;
}

int main(int argc, char **argv)
{
	static char *const words[] = {
		"env=OUTSIDE", "env=PATH=/words", "env=EMPTY", "caps=-kill", "?pids.max=99", "stop.signal=INT",
		"syscalls=-bpf +mount", "after=x,y z", "rlimit.nofile=7:8", "groups=",
	};
	static char *const files[] = {
		"bind=./relative:/words/b", "mask=/proc/kcore /words/m", "mounts=-run", "device=/dev/null:/dev/words", "etc=hosts",
		"root=:rw", "io.weight=", "io.max=8:0:rbps=3M", "cpuset.cpus=2",
	};
	static char *const program[] = { "/bin/sh", "-c", "echo \"a\\b\" 'c'\n#", "", "two words", "back\\slash", NULL };
	int i, bad = 0;

	for (i = 1; i < argc; i++) {
		bad += one(argv[i], NULL, 0, NULL);
		bad += one(argv[i], words, sizeof words / sizeof *words, program);
		bad += one(argv[i], files, sizeof files / sizeof *files, NULL);
	}
	return bad != 0;
}
