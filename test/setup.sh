#!/bin/sh
# setup.sh build|cross|test    installs what make and make run, make BOARD=NAME or make test miss (Debian, as root)
# setup.sh profiles            only out/profiles: the seccomp profiles of moby and podman
# setup.sh unpack DIR PKG:ARCH ...   unpacks packages of any architecture below DIR
# Quick and silent when everything is there; on another system it names what is missing.
set -eu
cd "$(dirname "$0")/.."

native=$(dpkg --print-architecture 2>/dev/null || uname -m)
build="gcc make musl-tools linux-libc-dev busybox-static"
cross=			# for the boards that this machine is not
for pair in armhf:arm-linux-gnueabihf arm64:aarch64-linux-gnu i386:i686-linux-gnu; do
	a=${pair%:*}
	[ "$a" = "$native" ] || cross="$cross gcc-${pair#*:} libc6-dev-$a-cross linux-libc-dev-$a-cross"
done
test="libc6-dev strace python3 python3-pytest python3-pytest-xdist iproute2 util-linux uidmap clang clang-tidy cppcheck
	shellcheck valgrind qemu-user-static qemu-system-x86 qemu-system-arm squashfs-tools e2fsprogs fdisk
	dosfstools f2fs-tools xfsprogs btrfs-progs exfatprogs erofs-utils genisoimage bubblewrap crun runc mandoc"
debian="dash busybox-static python3 nginx redis-server dropbear-bin sqlite3 curl"
tools="gcc make musl-gcc busybox"		# what to look for where there is no dpkg

die()
{
	echo "setup: $*" >&2
	exit 1
}

missing()
{
	for p; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || printf '%s ' "$p"
	done
}

update()	# once; one list that cannot be had is no reason to stop
{
	[ -n "${updated-}" ] || apt-get -qq "$@" update >/dev/null 2>&1 || true
	updated=yes
}

install()
{
	list=$(missing "$@")
	[ -n "$list" ] || return 0
	[ "$(id -u)" = 0 ] || die "missing: $list- install them, or run this as root"
	echo "setup: installing $list"
	update
	# shellcheck disable=SC2086 # words
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $list >out/setup.log 2>&1 ||
		die "apt-get install failed: $(tail -n 2 out/setup.log | tr '\n' ' ')"
}

# Foreign packages are unpacked, never installed: to install musl-dev:armhf would
# take linux-libc-dev and with it the native compiler away.
foreign="-o APT::Architectures::=$native"
for a in amd64 armhf arm64 i386; do
	foreign="$foreign -o APT::Architectures::=$a"
done

# PACKAGE: what apt has read of its lists is kept, as by test/qemu.py
fetch()
{
	keep=$PWD/out/apt/own
	mkdir -p "$keep"
	# shellcheck disable=SC2086 # words
	(cd out/debs/one && apt-get -qq $foreign -o APT::Sandbox::User=root -o Dir::Cache::pkgcache="$keep/pkgcache.bin" \
		-o Dir::Cache::srcpkgcache="$keep/srcpkgcache.bin" download "$1") >/dev/null 2>&1
}

unpack()
{
	dir=$1
	shift
	mkdir -p "$dir" out/debs
	for p; do
		rm -rf out/debs/one
		mkdir out/debs/one
		# shellcheck disable=SC2086 # words
		fetch "$p" || { updated= && update $foreign && fetch "$p"; } || die "cannot download $p"
		dpkg -x out/debs/one/*.deb "$dir"
	done
	rm -rf out/debs/one
}

musl()		# the C library of the others
{
	for pair in arm-linux-musleabihf:armhf aarch64-linux-musl:arm64 i386-linux-musl:i386; do
		[ "${pair#*:}" = "$native" ] || [ -e "out/musl/usr/lib/${pair%:*}/libc.a" ] || unpack out/musl "musl-dev:${pair#*:}"
	done
}

profiles()	# what others filter: read by tests of filter/import-oci
{
	at=usr/share/gocode/src/github.com/docker/docker/profiles/seccomp
	[ -e out/profiles/containers.json ] && return
	unpack out/profiles/all golang-github-docker-docker-dev:all golang-github-containers-common:all
	cp "out/profiles/all/$at/default.json" out/profiles/moby.json
	cp out/profiles/all/usr/share/containers/seccomp.json out/profiles/containers.json
	rm -rf out/profiles/all
}

# A root file system of Debian's packages, unpacked and not configured: programs
# that nobody here wrote. apt computes the closure as if nothing were installed.
debian_root()
{
	[ -e out/root-debian/.done ] && return
	echo "setup: unpacking a Debian root"
	rm -rf out/root-debian out/debs/root
	mkdir -p out/root-debian out/debs/root/partial
	: >out/debs/status
	# shellcheck disable=SC2086 # words
	set -- -qq -y -d -o Dir::State::status="$PWD/out/debs/status" -o Dir::Cache::archives="$PWD/out/debs/root" \
		-o APT::Install-Recommends=0 -o APT::Architectures::="$native" -o APT::Sandbox::User=root -o Debug::NoLocking=1 install $debian
	apt-get "$@" >out/setup.log 2>&1 || { updated= && update && apt-get "$@" >out/setup.log 2>&1; } ||
		die "cannot download a Debian root: $(tail -n 2 out/setup.log | tr '\n' ' ')"
	for d in out/debs/root/*.deb; do
		case $d in
		*/perl*|*/libperl*|*/dpkg_*|*/adduser*|*/debconf*|*/usrmerge*) ;;
		*) dpkg -x "$d" out/root-debian ;;
		esac
	done
	(
		cd out/root-debian
		mkdir -p bin sbin etc proc sys dev run tmp root home/user var/www var/log mnt data srv usr/lib lib
		echo "root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/var/www:/bin/sh
redis:x:101:101::/var/lib/redis:/bin/sh
user:x:1000:1000:A User:/home/user:/bin/sh" >etc/passwd
		echo "root:x:0:
www-data:x:33:
redis:x:101:
user:x:1000:" >etc/group
		echo "root:*:19000::::::" >etc/shadow
		echo "127.0.0.1 localhost" >etc/hosts
		echo "hosts: files" >etc/nsswitch.conf
		[ -e bin/sh ] || ln -s dash bin/sh
		[ -e usr/bin/python3 ] || ln -s python3.11 usr/bin/python3
		: >.done
	)
	rm -rf out/debs/root
}

mkdir -p out
if ! command -v apt-get >/dev/null 2>&1; then
	for t in $tools; do
		command -v "$t" >/dev/null 2>&1 || lack="${lack-} $t"
	done
	[ -z "${lack-}" ] || die "not a Debian system, and these are missing:$lack"
	exit 0
fi
# shellcheck disable=SC2086 # the lists are words
case ${1-} in
build)
	install $build
	;;
cross)
	install $build $cross
	musl
	;;
test)
	install $build $cross $test
	musl
	debian_root
	(profiles) || true		# tests that want them say so
	;;
profiles)
	profiles
	;;
unpack)
	shift
	unpack "$@"
	;;
*)
	die "setup.sh build|cross|test|profiles|unpack DIR PACKAGE:ARCH ..."
	;;
esac
