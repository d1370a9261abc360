#!/bin/bash
# The Debian packages, really installed: by dpkg, with their maintainer
# scripts, on a copy of this system that is gone afterwards (an overlay in
# memory, with processes, network and shared memory of its own).  There they
# are used, upgraded under a running daemon, removed and purged.
#
#	tests/installed.sh [DIRECTORY]	# of the packages: build/deb
#
# 77: this system does not permit it.  The service manager is a stand-in that
# does what the installed unit says.
set -u

names=(libctshard0 libctshard-dev ctctl ctshardd)
unit=ctshardd.service

fail() {
	[ ! -s /tmp/asked ] || sed "s/^/  asked: /" /tmp/asked >&2
	echo "installed: $*" >&2
	[ ! -s /tmp/log ] || sed 's/^/  log: /' /tmp/log >&2
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

try() {
	local i
	for ((i = 0; i < 600; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	fail "never true: $*"
}

# ---- on this system: it must be after as it was before ----

traces() {
	local n
	dpkg-query -W -f '${Package} ${Version} ${Status}\n' "${names[@]}" 2>/dev/null
	getent passwd ctshard ctshard-api
	getent group ctshard
	for n in /usr/sbin/ctshardd /usr/bin/ctctl /etc/ctshardd /run/ctshardd \
		/var/lib/ctshardd /usr/include/ctshard.h; do
		[ ! -e "$n" ] || echo "$n"
	done
}

outside() {
	local before rc tool
	[ "$(id -u)" -eq 0 ] || skip "no root: not installed"
	for tool in dpkg dpkg-deb unshare ip jq; do
		command -v $tool >/dev/null || skip "there is no $tool"
	done
	scratch=$(mktemp -d) || exit 1
	trap 'rm -rf "$scratch"' EXIT
	unshare -mpniu --fork true 2>/dev/null || skip "no namespaces"
	before=$(traces)
	unshare -mpniu --fork --kill-child --propagation private \
		"$0" --inside "$scratch" "$(realpath "${1:-build/deb}")"
	rc=$?
	[ "$before" = "$(traces)" ] || fail "this system has changed"
	return $rc
}

# ---- in namespaces: another root ----

inside() {
	local s=$1 left
	mount -t tmpfs -o mode=755 tmpfs "$s" || skip "no tmpfs may be mounted"
	mkdir "$s/upper" "$s/work" "$s/root"
	mount -t overlay overlay "$s/root" \
		-o "lowerdir=/,upperdir=$s/upper,workdir=$s/work" \
		2>/dev/null || skip "no overlay may be mounted over /"
	cd "$s/root" || exit 1
	if ! { mount -t proc proc proc && mount -t sysfs sysfs sys &&
		mount --rbind /dev dev && mount -t tmpfs tmpfs dev/shm &&
		mount -t tmpfs -o mode=755 tmpfs run &&
		mount -t tmpfs tmpfs tmp; }; then
		skip "no file systems for a root"
	fi
	mkdir tmp/new tmp/test
	find "$2" -maxdepth 1 -name '*.deb' ! -name '*-dbgsym_*' \
		-exec cp {} tmp/new \; || exit 1
	cp -r "$source/debian/tests" tmp/test || exit 1
	cp "$self" tmp/installed.sh
	chroot . /usr/bin/env -i LC_ALL=C HOME=/root TMPDIR=/tmp TERM=dumb \
		PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
		DEBIAN_FRONTEND=noninteractive /tmp/installed.sh --test || exit
	left=$(cd "$s" && { find upper -not -type c; find root/run root/dev/shm; } |
		grep -i 'ctshard\|ctctl')
	[ -z "$left" ] || fail "a purge left: $left"
}

# ---- the test ----

installed() { # VERSION
	local n s
	for n in "${names[@]}"; do
		s=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$n")
		[ "$s" = "installed $1" ] || fail "$n: $s, not $1"
	done
}

# The same programs under a lower number.
older() {
	local deb n
	mkdir /tmp/old
	for deb in /tmp/new/*.deb; do
		n=$(dpkg-deb -f "$deb" Package)
		rm -rf /tmp/tree
		dpkg-deb -R "$deb" /tmp/tree
		sed -i -E "s/^Version: .*/Version: 0.0.9/
			s/(ctctl|libctshard0) \((>?=) [^)]*\)/\1 (\2 0.0.9)/" \
			/tmp/tree/DEBIAN/control
		dpkg-deb -b /tmp/tree "/tmp/old/$n.deb" >/dev/null || exit
	done
	rm -rf /tmp/tree
}

# In place of systemd: says what it was asked, and does what the unit says.
manager() {
	mkdir -p /run/systemd/system
	cat >/usr/local/sbin/systemctl <<'STANDIN'
#!/bin/bash
words=() at=/run/daemon.pid
for w; do
	case $w in -*) ;; *) words+=("$w") ;; esac
done
alive() { [ -e "/proc/$(cat $at 2>/dev/null)/exe" ]; }
begin() {
	. /etc/default/ctshardd
	line=$(sed -n 's/^ExecStart=//p' /lib/systemd/system/ctshardd.service)
	eval "exec setsid $line" </dev/null >>/tmp/log 2>&1 &
	echo $! >$at
	for ((i = 0; i < 600; i++)); do
		ctctl count >/dev/null 2>&1 && return
		sleep 0.05
	done
	exit 1
}
end() {
	alive && kill "$(cat $at)"
	for ((i = 0; i < 600; i++)); do
		alive || return 0
		sleep 0.05
	done
	exit 1
}
echo "${words[*]}" >>/tmp/asked
case ${words[0]-} in
is-enabled) echo disabled; exit 1 ;;
is-active) alive; exit ;;
start) begin ;;
stop) end ;;
restart) end; begin ;;
esac
STANDIN
	chmod 755 /usr/local/sbin/systemctl
}

asked() {
	grep -c "^$1 $unit" /tmp/asked
}

# The packages as they lie there.
used() {
	local page f
	dpkg -V "${names[@]}" || fail "dpkg -V"
	getent passwd ctshard ctshard-api >/dev/null || fail "users"
	getent group ctshard >/dev/null || fail "group"
	[ -d /run/ctshardd ] || fail "no run directory"
	ldconfig -p | grep -q 'libctshard\.so\.0 ' || fail "ldconfig"
	if command -v man >/dev/null; then
		for page in ctshardd.8 ctctl.8 ctshardd.conf.5 libctshard.3 \
			ctshard-protocol.7; do
			man -w "${page##*.}" "${page%.*}" >/dev/null ||
				fail "no page $page"
		done
	fi
	for f in /usr/share/bash-completion/completions/ctctl \
		/usr/share/zsh/vendor-completions/_ctctl \
		/usr/share/fish/vendor_completions.d/ctctl.fish; do
		[ -s $f ] || fail "no $f"
	done
	bash -c '. /usr/share/bash-completion/completions/ctctl &&
		complete -p ctctl' >/dev/null || fail "bash completes nothing"
	ctshardd -t >/dev/null || fail "the packaged configuration"
	# shellcheck disable=SC2046
	gcc -Wall -Werror -o /tmp/ports \
		/usr/share/doc/libctshard-dev/examples/ports.c \
		$(pkg-config --cflags --libs libctshard) ||
		fail "the packaged example"
}

seen() {
	ctctl list -p udp -s 10.77.0.1 --dport 9 -o json 2>/dev/null |
		jq -e 'length == 1 and .[0].original.packets == 1'
}

same() {
	[ "$(ctctl list -p udp -o json 2>/dev/null | jq -r '.[0].id')" = "$id" ] ||
		fail "$1: the table has changed"
	ctctl check --deep || fail "$1: check --deep"
}

pid() {
	cat /run/daemon.pid
}

running() { # whether a daemon runs that is the program on disk
	[ "$(stat -Lc %i "/proc/$(pid)/exe")" = \
		"$(stat -c %i /usr/sbin/ctshardd)" ]
}

package_test() {
	local d
	for d in $(sed -n 's/^Depends: //p' /tmp/test/tests/control | tr -d ,); do
		dpkg-query -W -f '${db:Status-Status}' "$d" 2>/dev/null |
			grep -qx installed || { echo "no $d: debian/tests not run"; return; }
	done
	(cd /tmp/test && env -u TMPDIR timeout 100 tests/veth) ||
		fail "debian/tests/veth"
}

inner_test() {
	local version before
	version=$(dpkg-deb -f /tmp/new/ctctl_*.deb Version)
	ip link set lo up
	dpkg --purge "${names[@]}" >/dev/null 2>&1
	rm -f /usr/sbin/policy-rc.d # containers' word that nothing may start
	older
	manager
	: >/tmp/asked
	dpkg -i /tmp/old/*.deb >/tmp/dpkg 2>&1 || { cat /tmp/dpkg; fail "dpkg -i"; }
	installed 0.0.9
	[ "$(asked '.*start')" = 0 ] || fail "started before it has an interface"
	used
	package_test

	# the service, on one end of a wire
	ip netns add peer
	ip link add rx0 type veth peer name tx0 netns peer
	ip addr add 10.77.0.2/24 dev rx0
	ip -n peer addr add 10.77.0.1/24 dev tx0
	ip -n peer link set tx0 up
	ip link set rx0 up
	echo 'CTSHARDD_OPTS="-i rx0"' >/etc/default/ctshardd
	systemctl start $unit || fail "the service does not start"
	ip netns exec peer bash -c 'echo hello >/dev/udp/10.77.0.2/9'
	try seen
	id=$(ctctl list -p udp -o json 2>/dev/null | jq -r '.[0].id')
	setpriv --reuid ctshard-api --regid ctshard --clear-groups \
		ctctl count >/dev/null || fail "its group may not ask"

	# a newer one, while it runs: the service is restarted
	before=$(pid)
	dpkg -i /tmp/new/*.deb >/tmp/dpkg 2>&1 || { cat /tmp/dpkg; fail "upgrade"; }
	installed "$version"
	[ "$(asked restart)" = 1 ] || fail "an upgrade does not restart the service"
	grep -q 'rx0' /etc/default/ctshardd || fail "the site's own file was lost"
	[ "$(pid)" != "$before" ] || fail "an upgrade left the old one running"
	running || fail "not the new program"
	same "upgrade"

	# the same without a service manager: ctctl upgrade
	rm -r /run/systemd
	before=$(pid)
	dpkg -i /tmp/new/ctshardd_*.deb >/tmp/dpkg 2>&1 || fail "once more"
	[ "$(pid)" = "$before" ] || fail "who has restarted it?"
	! running || fail "the program on disk is not another"
	same "under a daemon that goes on"
	ctctl upgrade || fail "ctctl upgrade"
	running || fail "ctctl upgrade: not the new program"
	same "ctctl upgrade"
	mkdir -p /run/systemd/system

	# and away with it
	dpkg -r ctshardd >/tmp/dpkg 2>&1 || fail "remove"
	[ "$(asked stop)" = 1 ] || fail "a removal does not stop the service"
	[ ! -e "/proc/$(pid)/exe" ] || fail "it runs on"
	[ -e /etc/ctshardd/ctshardd.conf ] || fail "a removal took the configuration"
	dpkg --purge "${names[@]}" >/tmp/dpkg 2>&1 || { cat /tmp/dpkg; fail "purge"; }
	! grep -qi warn /tmp/dpkg || { cat /tmp/dpkg; fail "purge warns"; }
	ip netns del peer
	echo "installed: used, upgraded twice under a running daemon, removed, purged"
}

self=$(realpath "$0")
source=$(dirname "$(dirname "$self")")
case ${1-} in
--inside) inside "$2" "$3" ;;
--test) inner_test ;;
*)
	cd "$source" || exit 1
	outside "$@"
	;;
esac
