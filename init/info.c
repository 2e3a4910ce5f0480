/* info.c - husk info: what this kernel and this build offer, and for what is
 * missing the option that would bring it. Asked for here and now: nothing is made,
 * and no version is believed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "husk.h"

enum { INDENT = 13 };
enum group { NAMESPACES, CGROUP, LIMITS, FILTER, ROOTFS, CALLS, LSM, NGROUP };
static const char groups[] = TEXT "namespaces\0cgroup\0limits\0filter\0rootfs\0calls\0lsm\0";

/* Of a group in turn: what it is called, and the option after CONFIG_. Namespaces
 * are in the order of enum ns; controllers have theirs in cg/names.c. */
static const char options[] = TEXT "USER_NS\0PID_NS\0NET_NS\0SYSVIPC\0UTS_NS\0NAMESPACES\0CGROUPS\0TIME_NS\0";
static const char actions[] = TEXT "errno\0kill_process\0log\0user_notif\0";
static const char systems[] = TEXT
	"squashfs\0SQUASHFS\0" "overlay\0OVERLAY_FS\0" "erofs\0EROFS_FS\0" "ext4\0EXT4_FS\0" "vfat\0VFAT_FS\0" "loop\0BLK_DEV_LOOP\0";
static const char modules[] = TEXT
	"apparmor\0SECURITY_APPARMOR\0/sys/module/apparmor/parameters/enabled\0"
	"selinux\0SECURITY_SELINUX\0/sys/fs/selinux/enforce\0" "landlock\0SECURITY_LANDLOCK\0\0";
#define CALL(name)	#name "\0"
#define CALLS_ROWS(ROW) \
	ROW(clone3) ROW(pidfd_open) ROW(openat2) ROW(close_range) ROW(open_tree) ROW(move_mount) ROW(mount_setattr) \
	ROW(execveat) ROW(memfd_create) ROW(faccessat2)
#define NUMBER(name)	__NR_##name,
static const char calls[] = TEXT CALLS_ROWS(CALL);
static const uint16_t numbers[] = { CALLS_ROWS(NUMBER) };

struct fact {
	const char *name;		/* NULL: no more */
	const char *no;			/* why it is not there; NULL: it is */
	const char *how;		/* NULL: no more to say */
};

static struct run r;
static char v2[CGPATH];			/* where that tree is, or "" */
static bool v1;				/* there is one */

static bool word(int dir, const char *file, const char *what)
{
	const char *text = caps_status(dir, file);

	return text && cg_word(text, what);
}

/* ------------------------------------------------------------------------ cgroups */

/* Where we may make a directory: at the top of the hierarchy, else below our own
 * cgroup. NULL: neither. */
static const char *writable(const char *top, int ctl)
{
	static char path[CGPATH];
	const char *own;

	copy(path, sizeof path, top);
	if (access(fmts(TEXT "%s/cgroup.procs", path), W_OK) == 0)
		return path;
	if (!cg_own(r.proc, ctl, &own) || fmt(path, sizeof path, TEXT "%s%s", top, own) >= sizeof path - 1)
		return NULL;
	return access(fmts(TEXT "%s/cgroup.procs", path), W_OK) == 0 ? path : NULL;
}

static const char *find_v1(int ctl)
{
	static char path[CGPATH];
	const char *own, *list;

	fmt(path, sizeof path, CGTOP "/%s", cg_v1(ctl));
	if (cg_mounted(path, false) == 0)
		return path;
	if (!(list = cg_own(r.proc, ctl, &own)) || !*list)
		return NULL;
	fmt(path, sizeof path, CGTOP "/%s", list);
	return cg_mounted(path, false) == 0 || cg_find(r.proc, ctl, path) ? path : NULL;
}

/* In the v2 tree devices are a program's business; asked for what is attached there
 * the kernel says whether it can be one. */
static bool programs(void)
{
	static union bpf_attr a;
	int fd = open(v2, O_RDONLY | O_DIRECTORY | O_CLOEXEC), e;

	a.query.target_fd = (uint32_t)fd;
	a.query.attach_type = BPF_CGROUP_DEVICE;
	e = (int)syscall(__NR_bpf, BPF_PROG_QUERY, &a, sizeof a);
	close(fd);
	return e == 0;
}

static void find_layout(void)
{
	int i;

	copy(v2, sizeof v2, CGTOP);
	if (cg_mounted(v2, true) < 0) {
		copy(v2, sizeof v2, CGTOP "/unified");
		if (cg_mounted(v2, true) < 0 && !cg_find(r.proc, NCTL, v2))
			*v2 = '\0';
	}
	for (i = 0; i < NCTL && !v1; i++)
		v1 = find_v1(i);
}

static void controller(int ctl, struct fact *f)
{
	const char *path = *v2 ? writable(v2, NCTL) : NULL;

	f->name = cg_name(ctl);
	if (path && (word(AT_FDCWD, fmts(TEXT "%s/cgroup.controllers", path), f->name) || ctl == CTL_FREEZER ||
	    (ctl == CTL_DEVICES && programs())))
		f->how = fmts(TEXT "v2 %s", out_name(v2, strlen(v2)));
	else if (!(path = find_v1(ctl)))
		f->no = ctl == CTL_DEVICES && *v2 ? "CONFIG_CGROUP_BPF" : cg_absent(&r, ctl);
	else if (!HAS(v1))
		f->no = TEXT "made without v1";
	else if (writable(path, ctl))
		f->how = fmts(TEXT "v1 %s", out_name(path, strlen(path)));
	else
		f->no = fmts(TEXT "%s is not ours to write, nor our own cgroup there", path);
}

/* The file of a limit. Not all are at the top of a hierarchy, and in the v2 tree
 * none: they are looked for in "husk", which is there from the first box on, and has
 * there what a box was given. What nobody can say yet has the name "". */
static void limit(int row, struct fact *f)
{
	const char *name = key_name(row), *top, *file = name;
	int ctl = cg_ctl(name);
	bool is_v1 = (top = find_v1(ctl)), husk, said;

	controller(ctl, f);
	said = f->no;			/* there */
	*f = (struct fact){ "", NULL, NULL };
	if (said)
		return;
	if (is_v1)
		file = cg_v1_file(row);
	else if (top = v2, !*v2 || !word(AT_FDCWD, fmts(TEXT "%s/husk/cgroup.controllers", v2), cg_name(ctl)))
		return;
	husk = access(fmts(TEXT "%s/husk/cgroup.procs", top), F_OK) == 0;
	if (!*file)
		f->no = TEXT "cgroup v1 has nothing like it";
	else if (access(fmts(TEXT "%s%s/%s", top, husk ? "/husk" : "", file), F_OK) < 0)
		f->no = husk ? cg_reason(row) : "";
	if (!f->no || *f->no)
		f->name = name;
}

/* ------------------------------------------------------------------ the other groups */

static void config(struct fact *f, const char *option, const char *more)
{
	f->no = fmts(TEXT "CONFIG_%s%s", option, more);
}

static void filter(int i, struct fact *f)
{
	const char *status = caps_status(r.proc, "self/status");
	bool any = status && caps_line(&status, "Seccomp");

	if (i <= 4)
		f->name = i < 4 ? unpacked(actions, i) : "32-bit";
	if (i == 4 && sizeof(long) == 4)
		f->how = "native";
	else if (i == 4 && !caps_compat(r.proc))
		config(f, "COMPAT", TEXT ", or the processor");
	else if (i < 4 && !word(r.proc, "sys/kernel/seccomp/actions_avail", f->name))
		config(f, "SECCOMP_FILTER", any ? TEXT ", or a newer kernel" : "");
}

/* What a call with nonsense is answered: all but "no such call". */
static void kernel_call(int i, struct fact *f)
{
	if (i < (int)(sizeof numbers / sizeof *numbers))
		f->name = unpacked(calls, i);
	if (f->name && syscall(numbers[i], -1L, -1L, -1L, -1L, -1L) < 0 && errno == ENOSYS)
		f->no = TEXT "not in this kernel, replaced by others";
}

static struct fact fact(int group, int i)
{
	struct fact f = { NULL, NULL, NULL };
	const char *s;

	if (group == NAMESPACES && i < NNS) {
		f.name = ns_name(i);
		if (faccessat(r.proc, fmts(TEXT "self/ns/%s", f.name), F_OK, 0) < 0)
			config(&f, nth(options, i), "");
	} else if (group == CGROUP && i < CTL_CPUACCT) {
		controller(i, &f);
	} else if (group == LIMITS && KEY_MEMORY_MAX + i <= KEY_IO_LATENCY) {
		limit(KEY_MEMORY_MAX + i, &f);
	} else if (group == FILTER) {
		filter(i, &f);
	} else if (group == ROOTFS && *(s = unpacked(systems, 2 * i))) {
		f.name = s;
		if (!word(r.proc, same(s, "loop") ? "devices" : "filesystems", s))
			config(&f, nth(systems, 2 * i + 1), TEXT ", or its module is not loaded");
	} else if (group == CALLS) {
		kernel_call(i, &f);
	} else if (group == LSM && *(s = unpacked(modules, 3 * i))) {
		f.name = s;
		s = caps_file(unpacked(modules, 3 * i + 2));
		if (i == 2 ? syscall(__NR_landlock_create_ruleset, NULL, 0L, 1L) < 0 : !s || *s == 'N')
			config(&f, nth(modules, 3 * i + 1), TEXT ", or lsm= for the kernel");
	}
	return f;
}

/* ------------------------------------------------------------------- what is printed */

static const char *layout(void)
{
	return *v2 ? v1 ? "hybrid" : "v2" : v1 ? "v1" : "none";
}

/* First what is there, side by side; then line by line what is not, and why. */
static void table(int group)
{
	bool some = group == CGROUP;
	struct fact f;
	int i;

	out_put("%s", nth(groups, group));
	out_to(INDENT);
	if (some)
		out_put("%s:", layout());
	for (i = 0; (f = fact(group, i)).name; i++)
		if (!f.no && *f.name) {
			out_word(INDENT, f.how && group == CGROUP ? fmts(TEXT "%s(%.*s)", f.name, 2, f.how) : f.name);
			some = true;
		}
	for (i = 0; (f = fact(group, i)).name; i++)
		if (f.no && *f.name) {
			if (some) {
				out_line();
				out_to(INDENT);
			}
			out_put("%s: no - %s", f.name, f.no);
			some = true;
		}
	out_line();
}

static void list(int group)
{
	static char name[24], key[64], path[64];
	struct fact f;
	int i;

	fmt(name, sizeof name, TEXT "%s", nth(groups, group));
	if (group == CGROUP)
		out_text("cgroup.layout", "cgroup/layout", layout());
	for (i = 0; (f = fact(group, i)).name; i++)
		if (*f.name) {
			fmt(key, sizeof key, TEXT "%s.%s", name, f.name);
			fmt(path, sizeof path, TEXT "%s/%s", name, f.name);
			out_text(key, path, f.no ? fmts(TEXT "no - %s", f.no) : f.how ? f.how : "yes");
		}
}

static void built(const char *what, bool with)
{
	char *list = part_list(with), *name;

	if (!*list)
		return;
	out_put("%s", what);
	out_to(INDENT);
	while ((name = strsep(&list, " ")))
		out_word(INDENT, name);
	out_line();
}

int info(void)
{
	static struct utsname u;
	const char *first;
	bool people = out_mode() == OUT_TABLE;
	int i;

	r.proc = proc_fd();
	r.cgroup2 = -1;
	(void)filter_use(NULL);
	(void)uname(&u);
	find_layout();
	out_begin();
	if (people) {
		out_put("husk " VERSION " %s", filter_arch->name);
		out_to(35);
		out_put("kernel %s %s", u.release, u.machine);
		out_line();
		built("built with", true);
		built("without", false);
	} else {
		out_text("version", "version", VERSION);
		out_text("parts", "parts", part_list(true));
		out_text("arch", "arch", filter_arch->name);
		out_text("kernel", "kernel", u.release);
		out_text("machine", "machine", u.machine);
	}
	for (i = 0; i < NGROUP; i++)
		if (people)
			table(i);
		else
			list(i);
	first = caps_status(r.proc, "1/comm");
	first = out_name(first ? first : "", first ? strcspn(first, "\n") : 0);
	if (people) {
		out_put("board");
		out_to(INDENT);
		out_put("PID 1: %s", first);
		out_line();
	} else
		out_text("pid1", "pid1", first);
	out_end();
	return out_done();
}
