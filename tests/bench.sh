#!/bin/bash
# What `make bench` prints: one JSON object per line as it is measured, then a
# table with what is to be reached (tests/bench/table.py).  CONNECTIONS and
# PACKETS change the size; ONLY="create live" runs some of it.  TMPDIR takes a
# capture and a list, about 600 MB.
set -u
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-$PWD/build}
n=${CONNECTIONS:-1000000}
m=${PACKETS:-20000000}
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
failed=0

# NAME COMMAND...: unless it is not wanted
line() {
	case " ${ONLY-$1} " in *" $1 "*) ;; *) return ;; esac
	shift
	"$@" | tee -a "$out"
	[ "${PIPESTATUS[0]}" = 0 ] && return
	echo "$*: failed" >&2
	failed=1
}

bench() {
	line "$1" "$BUILD/ctbench" "$@"
}

# Enough packets for a second of work, and no more: $1 of a million
packets() {
	echo $((m * $1 / 20 + 1))
}

# GiB that may be taken without hurting anybody
free=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
four='' ten=''
[ "$n" -ge 1000000 ] && [ "$free" -ge 6 ] && four=4000000
[ "$n" -ge 1000000 ] && [ "$free" -ge 10 ] && ten=10000000

bench floor --connections "$n"
bench pipeline --connections 10000 --packets "$(packets 20)"
bench pipeline --connections "$n" --packets "$(packets 16)"
bench pipeline --connections "$n" --packets "$(packets 16)" --v6 --repeat 3
if [ "$four" ]; then
	bench pipeline --connections "$four" --packets "$(packets 14)" --repeat 3
fi
if [ "$ten" ]; then
	bench pipeline --connections "$ten" --packets "$(packets 10)" --repeat 5
fi
# memory only: one run, whose time says little
for how in ${ten:+--v6} --no-detail "--v6 --no-detail"; do
	# shellcheck disable=SC2086
	bench pipeline --connections "${ten:-$n}" --packets 1000000 \
		--repeat 1 $how
done
bench create --connections "$n"
bench flood --connections "$n"
bench expire --connections "$n"
line expire_followed tests/bench/expire.py --connections "$n" --repeat 3
bench reaper --connections "${ten:-$n}"
bench list --connections "$n" --clients 1 -o jsonl
bench find --connections "$n"
bench count --connections "$n"
bench events --connections "$n" --subscribers 1
bench events --connections "$n" --subscribers 1 -o binary
bench subscribers --connections "$n"
bench readers --connections "$n"
bench recover --connections "$n"
line replay tests/bench/replay.py --connections "$n" --packets $((n * 5))
bench scale --workers 1,2 --packets "$(packets 10)" --repeat 3
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
