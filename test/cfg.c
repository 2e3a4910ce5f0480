/*
 * cfg.c - test: parse(show(x)) is x. Each file named is loaded, shown, the
 * text parsed from memory, shown again: the two texts are the same to the
 * byte, and so is everything in struct box that is no pointer. Where the
 * second box points, the texts have compared.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "husk.h"

static struct box a, b;
static char one[MAXTEXT + 1], two[MAXTEXT];

static size_t shown(char *to)
{
	int fd = memfd_create("show", MFD_CLOEXEC);
	ssize_t n;

	cfg_show(fd, false);
	n = pread(fd, to, MAXTEXT, 0);
	close(fd);
	return n < 0 ? 0 : (size_t)n;
}

#define SAME(field) if (memcmp(&a.field, &b.field, sizeof a.field)) what = #field

static const char *differs(void)
{
	const char *what = NULL;
	int i;

	SAME(who); SAME(uid); SAME(gid); SAME(umask); SAME(tty); SAME(pid1_program);
	SAME(root); SAME(root_rw); SAME(mounts); SAME(mask_skip);
	SAME(ns); SAME(automap); SAME(uidmap); SAME(gidmap); SAME(clock_monotonic); SAME(clock_boottime);
	SAME(lim); SAME(lim_skip); SAME(cpu_period); SAME(rlim);
	SAME(has_affinity); SAME(nice); SAME(sched); SAME(sched_prio); SAME(ioprio);
	SAME(oom_score_adj); SAME(persona); SAME(affinity); SAME(caps); SAME(inheritable); SAME(ambient);
	SAME(securebits); SAME(nnp); SAME(keyring); SAME(reboot); SAME(nbpf); SAME(calls_default);
	SAME(boot); SAME(stop_signal); SAME(stop_ms); SAME(log);
	SAME(narg); SAME(nenv); SAME(ngroup); SAME(nmnt); SAME(ndev); SAME(netc); SAME(nmask); SAME(nro);
	SAME(nuidmap); SAME(ngidmap); SAME(nsysctl); SAME(nafter); SAME(nsyscall);
	if (memcmp(a.bpf, b.bpf, a.nbpf * sizeof a.bpf[0]))
		what = "bpf";
	for (i = 0; i < a.nmnt; i++)
		if (a.mnt[i].kind != b.mnt[i].kind || a.mnt[i].flags != b.mnt[i].flags || a.mnt[i].size != b.mnt[i].size ||
		    a.mnt[i].mode != b.mnt[i].mode || a.mnt[i].skip != b.mnt[i].skip || a.mnt[i].rec != b.mnt[i].rec ||
		    a.mnt[i].slave != b.mnt[i].slave || a.mnt[i].create != b.mnt[i].create || a.mnt[i].idmap != b.mnt[i].idmap ||
		    !a.mnt[i].type != !b.mnt[i].type || !a.mnt[i].data != !b.mnt[i].data)
			what = "mnt";
	for (i = 0; i < a.ndev; i++)
		if (a.dev[i].perm != b.dev[i].perm || a.dev[i].mode != b.dev[i].mode || a.dev[i].skip != b.dev[i].skip)
			what = "dev";
	return what;
}

static int round(const char *file)
{
	const char *what;
	size_t n, m;

	if (cfg_load(&a, file, NULL, 0, NULL))
		return 1;
	n = shown(one);
	one[n] = '\0';
	if (cfg_parse(&b, file, one)) {
		say(2, "%s: what was shown is refused\n", file);
		return 1;
	}
	m = shown(two);
	if (n != m || memcmp(one, two, n)) {
		say(2, "%s: shown twice, and not the same\n", file);
		return 1;
	}
	if ((what = differs()))
		say(2, "%s: %s is not the same\n", file, what);
	return what != NULL;
}

int main(int argc, char **argv)
{
	int i, bad = 0;

	for (i = 1; i < argc; i++)
		bad += round(argv[i]);
	say(1, "%d files, %d bad\n", argc - 1, bad);
	return bad != 0;
}
