#!/bin/sh
# demo.sh - make run: installs what is missing, builds, makes a root file system of busybox
# and runs a real box in it, which says what it is. Needs root.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "demo: this needs root (namespaces, mounts, a cgroup)" >&2; exit 1; }

sh test/setup.sh build
make >out/make.log 2>&1 || { cat out/make.log; exit 1; }

root=out/demo/root
mkdir -p $root out/demo/data
(
	cd $root
	mkdir -p bin etc proc sys dev run tmp data home/web
	cp -f "$(command -v busybox)" bin/busybox
	for a in sh cat echo grep sed id hostname ls ps df awk sleep tr head touch dmesg mount ping ifconfig; do
		ln -sfn busybox bin/$a
	done
	printf 'root:x:0:0:root:/:/bin/sh\nweb:x:1000:1000:web:/home/web:/bin/sh\n' >etc/passwd
	printf 'root:x:0:\nweb:x:1000:\n' >etc/group
)
cat >out/demo/data/look <<'INSIDE'
#!/bin/sh
line() { printf '  %-16s %s\n' "$1" "$2"; }
status() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
grow() { awk 'BEGIN { for (s = "x"; ; s = s s) print length(s) }' 2>/dev/null | tail -n 1 | awk '{ print $1 / 1048576 }'; }
refused() { if "$@" >/dev/null 2>&1; then echo "ALLOWED: $*"; else echo "refused: $*"; fi; }
line "who am I" "$(id)"
line "pid 1 is" "$(cat /proc/1/comm), and I am $$ of $(ls -d /proc/[0-9]* | wc -l) processes that I can see"
line "hostname" "$(hostname)"
line "network" "$(ls /sys/class/net | tr '\n' ' ')and nothing else"
line "capabilities" "effective $(status CapEff), bounding $(status CapBnd)"
line "no new rights" "$(status NoNewPrivs)"
line "Seccomp mode" "$(status Seccomp) (2: a filter)"
line "memory limit" "$1: a string that doubles got to $(grow 2>/dev/null) MiB, then its program was killed"
line "root" "$(refused touch /x)"
line "host's data" "$(cat /data/note), $(refused touch /data/x)"
line "kernel knobs" "$(refused sh -c 'echo 1 > /proc/sys/kernel/panic')"
line "host's memory" "$(refused cat /dev/mem)"
line "mounts" "$(awk '{print $2}' /proc/mounts | head -n 9 | tr '\n' ' ')..."
exit 7
INSIDE
chmod 755 out/demo/data/look
echo "read-only for the box" >out/demo/data/note

cp test/demo.conf out/demo/
echo "out/demo/demo.conf:"
grep -v '^#' test/demo.conf | sed 's/^/  /'
echo
limit=$(sed -n 's/^memory.max=//p' test/demo.conf)
status=0
out/husk run out/demo/demo.conf -- /bin/sh /data/look "$limit" || status=$?
echo
echo "exit status of the box: $status (its program said 7)"
[ $status = 7 ]
