/* names.c - controllers and their files: what v2 calls them, and what v1 does. */
#include <string.h>

#include "husk.h"

const char *cg_name(int ctl)
{
	return nth("memory\0pids\0cpu\0devices\0freezer\0cpuset\0io\0hugetlb\0rdma\0misc\0"
		"net_cls\0net_prio\0cpuacct\0perf_event\0unified", ctl);
}

const char *cg_v1(int ctl)
{
	return ctl == CTL_IO ? "blkio" : cg_name(ctl);
}

const char *cg_option(int ctl)
{
	return nth("MEMCG\0CGROUP_PIDS\0CGROUP_SCHED\0CGROUP_DEVICE\0CGROUP_FREEZER\0CPUSETS\0BLK_CGROUP\0CGROUP_HUGETLB\0"
		"CGROUP_RDMA\0CGROUP_MISC\0CGROUP_NET_CLASSID\0CGROUP_NET_PRIO\0CGROUP_CPUACCT\0CGROUP_PERF\0CGROUPS", ctl);
}

/* What v1 calls the limits that are a number; "": it has nothing like it. cpu.idle
 * and cpu.max.burst came to both. */
static const char v1_files[] = TEXT
	"memory.limit_in_bytes\0\0\0\0memory.memsw.limit_in_bytes\0\0pids.max\0cpu.cfs_quota_us\0cpu.cfs_burst_us\0"
	"cpu.shares\0cpu.shares\0cpu.idle\0cpu.rt_period_us\0cpu.rt_runtime_us\0";

/* Of the controller that a file belongs to, by its name; NCTL: none */
int cg_ctl(const char *file)
{
	size_t n = (size_t)(strchrnul(file, '.') - file);
	const char *name;
	int i;

	for (i = 0; i < NCTL; i++) {
		name = n == 5 ? cg_v1(i) : cg_name(i);		/* blkio */
		if (strlen(name) == n && !strncmp(file, name, n))
			break;
	}
	return i;
}

const char *cg_v1_file(int row)
{
	switch (row) {
	case KEY_CPUSET_CPUS: case KEY_CPUSET_MEMS: return key_name(row);
	case KEY_IO_MAX: return "blkio.throttle.read_bps_device";
	case KEY_IO_WEIGHT: return "blkio.bfq.weight";
	}
	return row < KEY_MEMORY_MAX + NLIM ? unpacked(v1_files, row - KEY_MEMORY_MAX) : "";
}

/* The key that is written to this file wherever it is; NULL: none. Two words for one file
 * would be two limits, of which the later one holds. */
const char *cg_key(const char *file)
{
	size_t n = strlen(file), tail = sizeof "limit_in_bytes" - 1;
	int row;

	if (starts(file, "hugetlb.") && n > tail && same(file + n - tail, "limit_in_bytes"))
		return fmts("%.*smax", (int)(n - tail), file);
	for (row = KEY_MEMORY_MAX; row <= KEY_IO_WEIGHT; row++)
		if (same(cg_v1_file(row), file))
			return key_name(row);
	return starts(file, "cpu.cfs_") ? key_name(KEY_CPU_MAX) : starts(file, "blkio.throttle.") ? key_name(KEY_IO_MAX) :
		strstr(file, "io.bfq.weight") ? key_name(KEY_IO_WEIGHT) : NULL;
}
