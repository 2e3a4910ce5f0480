/*
 * cg_test.c - test: what is asked, as files of v2 and of v1 and what is written there:
 * a table, without a kernel. And what a fresh leaf has, which update goes back to.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "husk.h"

static struct box box;
static struct run run;
static int bad, n;

/* What cfg/ and cg/ ask of other folders, without them; and no text is packed here */
const uint8_t text_pairs[1][2];
const char code_end[1];
long sys_getcwd(char *to, size_t max) { (void)to; (void)max; return -1; }
const char *stage_name(int row) { return row ? "?" : ""; }
const char *stage_hint(int row, int err) { (void)row; (void)err; return NULL; }
const char *rootfs_default(int i) { (void)i; return ""; }
bool rootfs_below(const char *path, const char *top) { return starts(path, top); }
struct mountinfo *mountinfo_open(int proc) { (void)proc; return NULL; }
int mountinfo_next(struct mountinfo *m) { (void)m; return 0; }
bool state_next(int dir, const char *ending, char of[MAXNAME + 1]) { (void)dir; (void)ending; (void)of; return false; }
const char *left_get(const struct left *l, const char *key, unsigned *at, char *buf, size_t max) { (void)l; (void)key; (void)at; (void)buf; (void)max; return NULL; }
const char *cg_path(int ctl) { (void)ctl; return "/nowhere/husk/x"; }
const char *cg_file(int ctl, const char *name) { return fmts("%s/%s", cg_path(ctl), name); }

/* husk's words; the files of v2 and of v1, each "FILE=TEXT; "; what a fresh leaf has, the same */
static const char *const rows[][5] = {
	{ "memory.max=33554433", "memory.max=33554432; ", "memory.limit_in_bytes=33554432; ", "memory.max=max; ", "memory.limit_in_bytes=-1; " },
	{ "memory.max=5G", "memory.max=5368709120; ", "memory.limit_in_bytes=5368709120; ", "memory.max=max; ", "memory.limit_in_bytes=-1; " },
	{ "memory.max=max", "", "", "", "" },
	{ "memory.high=24M", "memory.high=25165824; ", "=25165824; ", "memory.high=max; ", "=-1; " },
	{ "memory.low=1M", "memory.low=1048576; ", "=1048576; ", "memory.low=0; ", "=0; " },
	{ "memory.low=max", "memory.low=max; ", "=-1; ", "memory.low=0; ", "=0; " },
	{ "memory.low=0", "", "", "", "" },
	{ "memory.min=1M", "memory.min=1048576; ", "=1048576; ", "memory.min=0; ", "=0; " },
	{ "memory.swap.max=1M", "memory.swap.max=1048576; ", "!", "memory.swap.max=max; ", "memory.memsw.limit_in_bytes=-1; " },
	{ "memory.max=32M memory.swap.max=1M", "memory.max=33554432; memory.swap.max=1048576; ", "memory.limit_in_bytes=33554432; memory.memsw.limit_in_bytes=34603008; ",
	  "memory.max=max; memory.swap.max=max; ", "memory.limit_in_bytes=-1; memory.memsw.limit_in_bytes=-1; " },
	{ "memory.max=4098K memory.swap.max=1023", "memory.max=4194304; memory.swap.max=0; ", "memory.limit_in_bytes=4194304; memory.memsw.limit_in_bytes=4194304; ",
	  "memory.max=max; memory.swap.max=max; ", "memory.limit_in_bytes=-1; memory.memsw.limit_in_bytes=-1; " },
	{ "memory.oom.group=1", "memory.oom.group=1; ", "=1; ", "memory.oom.group=0; ", "=0; " },
	{ "pids.max=20", "pids.max=20; ", "pids.max=20; ", "pids.max=max; ", "pids.max=max; " },
	{ "cpu.max=50%", "cpu.max=50000 100000; ", "cpu.cfs_period_us=100000; cpu.cfs_quota_us=50000; ", "cpu.max=max 100000; ", "cpu.cfs_period_us=100000; cpu.cfs_quota_us=-1; " },
	{ "cpu.max=20000,50000", "cpu.max=20000 50000; ", "cpu.cfs_period_us=50000; cpu.cfs_quota_us=20000; ", "cpu.max=max 100000; ", "cpu.cfs_period_us=100000; cpu.cfs_quota_us=-1; " },
	{ "cpu.max=50% cpu.max.burst=7000", "cpu.max=50000 100000; cpu.max.burst=7000; ", "cpu.cfs_period_us=100000; cpu.cfs_quota_us=50000; cpu.cfs_burst_us=7000; ",
	  "cpu.max=max 100000; cpu.max.burst=0; ", "cpu.cfs_period_us=100000; cpu.cfs_quota_us=-1; cpu.cfs_burst_us=0; " },
	{ "cpu.weight=200", "cpu.weight=200; ", "cpu.shares=2048; ", "cpu.weight=100; ", "cpu.shares=1024; " },
	{ "cpu.weight=1", "cpu.weight=1; ", "cpu.shares=10; ", "cpu.weight=100; ", "cpu.shares=1024; " },
	{ "cpu.weight=10000", "cpu.weight=10000; ", "cpu.shares=102400; ", "cpu.weight=100; ", "cpu.shares=1024; " },
	{ "cpu.weight.nice=-20", "cpu.weight.nice=-20; ", "cpu.shares=88761; ", "cpu.weight.nice=0; ", "cpu.shares=1024; " },
	{ "cpu.weight.nice=-19", "cpu.weight.nice=-19; ", "cpu.shares=71755; ", "cpu.weight.nice=0; ", "cpu.shares=1024; " },
	{ "cpu.weight.nice=19", "cpu.weight.nice=19; ", "cpu.shares=15; ", "cpu.weight.nice=0; ", "cpu.shares=1024; " },
	{ "cpu.weight=100", "cpu.weight=100; ", "cpu.shares=1024; ", "cpu.weight=100; ", "cpu.shares=1024; " },
	{ "cpu.weight.nice=0", "cpu.weight.nice=0; ", "cpu.shares=1024; ", "cpu.weight.nice=0; ", "cpu.shares=1024; " },
	{ "cpu.idle=1", "cpu.idle=1; ", "cpu.idle=1; ", "cpu.idle=0; ", "cpu.idle=0; " },
	{ "cpu.rt_period_us=500000 cpu.rt_runtime_us=50000", "cpu.rt_period_us=500000; cpu.rt_runtime_us=50000; ", "cpu.rt_period_us=500000; cpu.rt_runtime_us=50000; ",
	  "cpu.rt_period_us=1000000; cpu.rt_runtime_us=0; ", "cpu.rt_period_us=1000000; cpu.rt_runtime_us=0; " },
	{ "cpuset.cpus=5,0,2-3,1", "cpuset.cpus=0-3,5; ", "cpuset.cpus=0-3,5; ", "cpuset.cpus=\n; ", "cpuset.cpus=\n; " },
	{ "cpuset.mems=0,1023", "cpuset.mems=0,1023; ", "cpuset.mems=0,1023; ", "cpuset.mems=\n; ", "cpuset.mems=\n; " },
	{ "cpuset.cpus.partition=isolated cpuset.cpus=1", "cpuset.cpus=1; cpuset.cpus.partition=isolated; ", "cpuset.cpus=1; =isolated; ", "cpuset.cpus=\n; cpuset.cpus.partition=member; ", "cpuset.cpus=\n; =member; " },
	{ "io.max=8:0:rbps=1M,wiops=100", "io.max=8:0 rbps=1048576 wbps=max riops=max wiops=100; ",
	  "blkio.throttle.read_bps_device=8:0 1048576; blkio.throttle.write_iops_device=8:0 100; ",
	  "io.max=8:0 rbps=max wbps=max riops=max wiops=max; ", "blkio.throttle.read_bps_device=8:0 0; blkio.throttle.write_iops_device=8:0 0; " },
	{ "io.max=8:16,wbps=2097152,riops=max", "!", "", "", "" },
	{ "io.weight=200", "io.weight=default 200; io.bfq.weight=default 200; ", "blkio.bfq.weight=200; ", "io.weight=default 100; io.bfq.weight=default 100; ", "blkio.bfq.weight=100; " },
	{ "io.weight=8:0:300", "io.weight=8:0 300; io.bfq.weight=8:0 300; ", "blkio.bfq.weight_device=8:0 300; ", "io.weight=8:0 default; io.bfq.weight=8:0 default; ", "blkio.bfq.weight_device=8:0 default; " },
	{ "io.latency=8:0:target=75ms", "io.latency=8:0 target=75000; ", "=8:0 target=75000; ", "io.latency=8:0 target=max; ", "=8:0 target=max; " },
	{ "io.latency=8:0:target=250", "io.latency=8:0 target=250; ", "=8:0 target=250; ", "io.latency=8:0 target=max; ", "=8:0 target=max; " },
	{ "hugetlb.2MB.max=5M", "hugetlb.2MB.max=4194304; ", "hugetlb.2MB.limit_in_bytes=4194304; ", "hugetlb.2MB.max=max; ", "hugetlb.2MB.limit_in_bytes=-1; " },
	{ "hugetlb.1GB.rsvd.max=max", "hugetlb.1GB.rsvd.max=max; ", "hugetlb.1GB.rsvd.limit_in_bytes=-1; ", "hugetlb.1GB.rsvd.max=max; ", "hugetlb.1GB.rsvd.limit_in_bytes=-1; " },
	{ "rdma.max=mlx5_0:hca_object=2", "rdma.max=mlx5_0 hca_handle=max hca_object=2; ", "rdma.max=mlx5_0 hca_handle=max hca_object=2; ",
	  "rdma.max=mlx5_0 hca_handle=max hca_object=max; ", "rdma.max=mlx5_0 hca_handle=max hca_object=max; " },
	{ "misc.max=sev:10", "misc.max=sev 10; ", "misc.max=sev 10; ", "misc.max=sev max; ", "misc.max=sev max; " },
	{ "net_cls.classid=0x100001", "net_cls.classid=1048577; ", "net_cls.classid=1048577; ", "net_cls.classid=0; ", "net_cls.classid=0; " },
	{ "net_prio.ifpriomap=eth0:5", "net_prio.ifpriomap=eth0 5; ", "net_prio.ifpriomap=eth0 5; ", "net_prio.ifpriomap=eth0 0; ", "net_prio.ifpriomap=eth0 0; " },
	{ "memory.swappiness=10", "memory.swappiness=10; ", "memory.swappiness=10; ", "memory.swappiness=?; ", "memory.swappiness=?; " },
	{ "io.max=/dev/null:rbps=1", "!", "!", "!", "!" },
};

/* All of them in a row; "!": refused */
static const char *settings(bool v1, bool plain)
{
	static char text[1024];
	struct setting s;
	size_t at = 0;
	unsigned i;
	int e;

	run.box = &box;
	run.cg1 = v1 ? 0xffff : 0;
	text[0] = '\0';
	for (i = 0; i < cg_settings(&box); i++) {
		if ((e = cg_setting(&run, &box, i, plain, &s)) < 0)
			return "!";
		if (e)
			at += fmt(text + at, sizeof text - at, "%s=%s; ", s.file, s.text ? s.text : "?");
	}
	return text;
}

static void expect(const char *words, const char *what, const char *is, const char *wanted)
{
	bool ok = same(is, wanted);

	printf("%s %d - %s: %s%s%s\n", ok ? "ok" : "not ok", ++n, words, what, ok ? "" : ": ", ok ? "" : is);
	bad += !ok;
}

static bool load(const char *line)
{
	static char copy_of[256];
	static char *words[8], *program[] = { "/bin/true", NULL };
	char *p = copy_of;
	int i = 0;

	copy(copy_of, sizeof copy_of, line);
	if (!strstr(line, "memory.max"))
		words[i++] = "?memory.max=max";		/* no default */
	if (!strstr(line, "pids.max"))
		words[i++] = "?pids.max=max";
	while (p && i < 8)
		words[i++] = strsep(&p, " ");
	return cfg_load(&box, NULL, words, i, program) == 0;
}

int main(void)
{
	static const char *const what[] = { "v2", "v1", "v2, fresh", "v1, fresh" };
	unsigned i, j;
	setlinebuf(stdout);

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool loaded = load(rows[i][0]);

		if (!loaded) {
			expect(rows[i][0], "refused", rows[i][1], "!");
			continue;
		}
		for (j = 0; j < 4; j++)
			expect(rows[i][0], what[j], settings(j & 1, j > 1), rows[i][j + 1]);
	}
	return bad != 0;
}
