#!/bin/bash
# What `make bench` prints: one JSON object per line; the README tells
# what the keys mean.  CONNECTIONS and PACKETS change the size.
set -u
BUILD=${BUILD:-build}
n=${CONNECTIONS:-1000000}
m=${PACKETS:-20000000}
failed=0

bench() {
	"$BUILD/ctbench" "$@" && return
	echo "ctbench $*: exit $?" >&2
	failed=1
}

bench floor
for c in 10000 "$n"; do
	bench pipeline --connections "$c" --packets "$m"
done
bench pipeline --connections "$n" --packets "$m" --v6
bench create --connections "$n"
bench expire --connections "$n"
bench list --connections "$n" --clients 1 -o jsonl
bench events --subscribers 1
bench recover --connections "$n"
bench scale --workers 1,2
exit $failed
