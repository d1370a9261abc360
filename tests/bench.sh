#!/bin/bash
# What `make bench` prints: one JSON object per line as it is measured, then a
# table with what is to be reached (tests/bench/table.py).  CONNECTIONS and
# PACKETS change the size; ONLY="create live" runs some of it.
set -u
BUILD=${BUILD:-build}
n=${CONNECTIONS:-1000000}
m=${PACKETS:-20000000}
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
failed=0

bench() {
	case " ${ONLY-$1} " in *" $1 "*) ;; *) return ;; esac
	"$BUILD/ctbench" "$@" | tee -a "$out"
	[ "${PIPESTATUS[0]}" = 0 ] && return
	echo "ctbench $*: failed" >&2
	failed=1
}

# GiB that may be taken without hurting anybody
free=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
big=
[ "$n" -ge 1000000 ] && [ "$free" -ge 6 ] && big=4000000
[ "$n" -ge 1000000 ] && [ "$free" -ge 14 ] && big="$big 10000000"

bench floor
for c in 10000 "$n" $big; do
	bench pipeline --connections "$c" --packets "$m"
done
bench pipeline --connections "$n" --packets "$m" --v6
bench create --connections "$n"
bench flood --connections "$n"
bench expire --connections "$n"
for c in ${big:-$n}; do
	bench reaper --connections "$c"
done
bench list --connections "$n" --clients 1 -o jsonl
bench events --subscribers 1
bench events --subscribers 1 -o binary
bench subscribers --connections "$n"
bench readers --connections "$n"
bench recover --connections "$n"
bench scale --workers 1,2
bench live
bench latency
case " ${ONLY-ping} " in
*" ping "*)
	BUILD=$BUILD tests/bench/ping.py | tee -a "$out"
	[ "${PIPESTATUS[0]}" = 0 ] || failed=1
	;;
esac
bench idle
tests/bench/table.py "$out"
exit $failed
