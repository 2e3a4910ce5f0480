/*
 * defaults.c - defaults and presets are texts in the language itself, read
 * before the file: so they run through the same, tested code, and whoever
 * wants to know what a preset does reads it.
 *
 * husk.conf.5 has the reason of each line.
 */
#include <string.h>

#include "husk.h"

static const char defaults[] =
	"cwd=/\n"
	"env=PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
	"env=container=husk\n"
	"umask=022\n"
	"mounts=default\n"
	"mask=/proc/acpi/ /proc/asound/ /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list\n"
	"mask=/proc/timer_stats /proc/sched_debug /proc/scsi/ /proc/kallsyms /proc/kmsg /proc/iomem\n"
	"mask=/proc/slabinfo /proc/vmallocinfo /proc/kpagecount /proc/kpageflags /proc/kpagecgroup\n"
	"mask=/proc/pagetypeinfo /sys/firmware/ /sys/devices/virtual/powercap/\n"
	"readonly=/proc/bus /proc/cpu /proc/dynamic_debug /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger\n"
	"ns.user=host\n"
	"ns.time=host\n"
	"?memory.max=50%\n"
	"?pids.max=256\n"
	"rlimit.nofile=1024:4096\n"
	"rlimit.core=1\n"
	"syscalls=@service\n"
	"no_new_privs=yes\n"
	"keyring=yes\n"
	"boot=yes\n"
	"stop.signal=TERM\n"
	"reload.signal=HUP\n"	/* in the order of keys.c: the search goes on where it was */
	"stop.timeout=5s\n"
	"log.rate=200/s\n"
	"etc=localtime\n"
	"etc=resolv.conf,hosts\n";	/* goes where there is no net, and nothing is behind it that would move up */

static const char presets[] =
	"service\0"
	"\0"
	"daemon\0"
	"user=root\n"
	"caps=setuid,setgid,chown,kill,net_bind_service\n"
	"\0"
	"netdev\0"
	"user=root\n"
	"net=host\n"
	"caps=net_admin,net_raw\n"
	"sockets=packet\n"
	"?device=/dev/rfkill:rw\n"
	"bind=/proc/sys/net:rw\n"
	"\0"
	"host\0"
	"user=root\n"
	"net=host\n"
	"ns.pid=host\n"
	"ns.ipc=host\n"
	"ns.uts=host\n"
	"ns.mnt=host\n"
	"ns.cgroup=host\n"
	"mounts=none\n"
	"etc=none\n"
	"caps=all\n"
	"syscalls=@all\n"
	"sockets=all\n"
	"devices.allow=a\n"
	"no_new_privs=no\n"
	"?memory.max=max\n"
	"\0"
	"oci\0"
	"user=root\n"
	"caps=oci\n"
	"root=:rw\n"
	"\0";

static const char *next(const char *p)
{
	return p + strlen(p) + 1;
}

/* NULL: no more */
const char *cfg_preset_name(int i)
{
	const char *p = presets;

	while (*p && i-- > 0)
		p = next(next(p));
	return *p ? p : NULL;
}

/* The text of a preset; of the defaults where name is NULL. */
const char *cfg_preset(const char *name)
{
	const char *p;
	int i;

	if (!name)
		return defaults;
	for (i = 0; (p = cfg_preset_name(i)); i++)
		if (same(p, name))
			return next(p);
	return NULL;
}

bool cfg_is_default(const char *value)
{
	size_t len = strlen(value);
	const char *p;

	for (p = defaults + 1; *p; p++)
		if ((p[-1] == ' ' || p[-1] == '=') && starts(p, value) && (p[len] == ' ' || p[len] == '\n'))
			return true;
	return false;
}
