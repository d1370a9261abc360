#!/bin/bash
# The Debian packages that the project needs, once.  As root it installs what
# is missing; otherwise it prints the line to run and fails.  With everything
# there it does nothing, and neither does it on another system, where the
# compiler will say what it misses.
#
#	tests/deps.sh [--check] [build|test|kernel|fuzz|peers|ci]
set -eu

build="gcc make liburcu-dev libpcap-dev libprotobuf-c-dev
	protobuf-c-compiler libevent-dev libconfuse-dev libsmartcols-dev
	libseccomp-dev libcap-ng-dev libncurses-dev zlib1g-dev libzstd-dev"
test="libcmocka-dev bats jq iproute2 procps python3 protobuf-compiler
	python3-protobuf tcpdump libnetfilter-conntrack-dev"
kernel="conntrack nftables tcpreplay procps"
fuzz="clang libclang-rt-14-dev"
ci="$kernel $fuzz python3-scapy tshark clang-tidy clang-format cppcheck mandoc valgrind
	dpkg-dev debhelper lintian pkg-config systemd abigail-tools zsh fish"

check=
if [ "${1-}" = --check ]; then
	check=1
	shift
fi
peers="tcpreplay nftables conntrack softflowd nfdump argus-server tshark"
case "${1-test}" in
build) want=$build ;;
test) want="$build $test" ;;
kernel) want="$build $test $kernel" ;;
peers) want="$build $test $peers" ;;
fuzz) want="$build $test $fuzz" ;;
ci) want="$build $test $ci" ;;
*)
	echo "deps.sh: no such group: $1" >&2
	exit 2
	;;
esac

command -v dpkg-query >/dev/null || exit 0
missing=
for p in $want; do
	s=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || :)
	[ "$s" = installed ] || missing="$missing $p"
done
# promtool without its package, which would bring a server and start it; the
# tests do without if it cannot be had
promtool_get() {
	local d
	d=$(mktemp -d)
	(cd "$d" && apt-get -qq download prometheus &&
		dpkg-deb -x prometheus_*.deb . &&
		install usr/bin/promtool /usr/local/bin/) >/dev/null 2>&1 ||
		echo "there is no promtool to be had"
	rm -rf "$d"
}
want_promtool=
if [ "${1-}" = ci ] && [ -z "$check" ] && [ "$(id -u)" -eq 0 ] &&
	! command -v promtool >/dev/null; then
	want_promtool=1
fi
[ -n "$missing$want_promtool" ] || exit 0

if [ -n "$check" ] || [ "$(id -u)" -ne 0 ]; then
	echo "missing packages; as root run:" >&2
	echo "  apt-get update && apt-get install -y$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
if [ -n "$missing" ]; then
	echo "installing:$missing"
	apt-get -qq update
	# shellcheck disable=SC2086
	apt-get -qq install -y --no-install-recommends $missing >/dev/null
elif [ -n "$want_promtool" ]; then
	apt-get -qq update || :
fi
[ -z "$want_promtool" ] || promtool_get
