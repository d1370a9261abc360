#!/bin/bash
# The Debian packages: built, judged by lintian, unpacked into a tree of their
# own, and run from there: a replay as a user who may nothing.  Then installed,
# used, upgraded and purged in a copy of this system (installed.sh); where that
# cannot be, the test that they carry runs from the tree.  Nothing is installed
# on this system.
#
#	tests/packages.sh
#
# 77: the tools are not here.
set -u
cd "$(dirname "$0")/.." || exit 1

for tool in dpkg-buildpackage dh dpkg-deb; do
	command -v $tool >/dev/null || { echo "there is no $tool"; exit 77; }
done
root=$(mktemp -d) || exit 1
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
bad=0
fault() {
	echo "$*"
	bad=1
}

make --no-print-directory deb || exit 1
if command -v lintian >/dev/null; then
	lintian --fail-on error,warning,info --suppress-tags \
		package-supports-alternative-init-but-no-init.d-script \
		-I --allow-root build/deb/*.changes || fault "lintian"
else
	echo "there is no lintian: not run"
fi

for p in build/deb/*.deb; do
	case $p in *-dbgsym_*) continue ;; esac
	dpkg-deb -x "$p" "$root" || exit 1
done
for name in ctshardd ctctl libctshard0 libctshard-dev; do
	ls build/deb/${name}_*.deb >/dev/null || fault "no package $name"
done
for f in lib/systemd/system/ctshardd.service usr/lib/sysusers.d/ctshardd.conf \
	usr/lib/tmpfiles.d/ctshardd.conf etc/ctshardd/ctshardd.conf \
	usr/share/man/man8/ctshardd.8.gz usr/share/man/man8/ctctl.8.gz \
	usr/share/man/man5/ctshardd.conf.5.gz usr/include/ctshard.h \
	usr/share/man/man7/ctshard-protocol.7.gz \
	usr/share/man/man3/libctshard.3.gz; do
	[ -s "$root/$f" ] || fault "no /$f in the packages"
done
grep -q '^ExecStart=/usr/sbin/ctshardd ' \
	"$root/lib/systemd/system/ctshardd.service" || fault "ExecStart"
bash -n "$root/usr/share/bash-completion/completions/ctctl" ||
	fault "completion"

library=$(dirname "$(find "$root/usr/lib" -name 'libctshard.so.0')")
"$root/usr/sbin/ctshardd" -t -f "$root/etc/ctshardd/ctshardd.conf" ||
	fault "the packaged configuration"
tests/lib/mkshort.py "$root/short.pcap" 700
as=()
[ "$(id -u)" -ne 0 ] ||
	as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
# without sbin in PATH, as users have it
n=$("${as[@]}" env PATH=/usr/bin:/bin LD_LIBRARY_PATH="$library" TMPDIR=/tmp \
	"$root/usr/bin/ctctl" replay --table - --events - "$root/short.pcap" |
	grep -c 'NEW')
[ "$n" = 700 ] || fault "replay from the packages: $n connections, not 700"

tests/installed.sh build/deb
case $? in
0) ;;
77)
	if [ "$(id -u)" -eq 0 ]; then
		ROOT=$root LIBRARY=$library timeout 100 debian/tests/veth ||
			fault "the packages' own test"
	else
		echo "no root: the test on a veth pair was not run"
	fi
	;;
*) fault "the installed packages" ;;
esac
exit $bad
