#!/bin/bash
# What `make bench` prints: one JSON object per line; the README tells
# what the keys mean.  CONNECTIONS and PACKETS change the size.
set -eu
BUILD=${BUILD:-build}
n=${CONNECTIONS:-1000000}
m=${PACKETS:-20000000}

"$BUILD/ctbench" floor
for c in 10000 "$n"; do
	"$BUILD/ctbench" pipeline --connections "$c" --packets "$m"
done
"$BUILD/ctbench" pipeline --connections "$n" --packets "$m" --v6
"$BUILD/ctbench" create --connections "$n"
"$BUILD/ctbench" expire --connections "$n"
"$BUILD/ctbench" list --connections "$n" --clients 1 -o jsonl
"$BUILD/ctbench" events --subscribers 1
"$BUILD/ctbench" recover --connections "$n"
"$BUILD/ctbench" scale --workers 1,2
