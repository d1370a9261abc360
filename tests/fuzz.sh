#!/bin/bash
# Run each fuzz program for SECONDS, from its own corpus and never for ever:
#
#	tests/fuzz.sh [SECONDS]
#
# New inputs go to a temporary folder; one that fails is kept in
# $BUILD/failed.  Ends with one line of sums.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/fuzz}
seconds=${1:-30}
passed=0 failed=0
work=$(mktemp -d "${TMPDIR:-/tmp}/ctshardd-fuzz.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

for f in "$BUILD"/tests/fuzz/fuzz_*; do
	[ -x "$f" ] && [ ! -d "$f" ] || continue
	case "$f" in *.o | *.d) continue ;; esac
	name=$(basename "$f")
	corpus=tests/fuzz/corpus/${name#fuzz_}
	mkdir -p "$work/$name" "$BUILD/failed"
	set -- "$work/$name"
	[ -d "$corpus" ] && set -- "$@" "$corpus"
	if timeout -k 10 $((seconds + 60)) "$f" -max_total_time="$seconds" \
		-timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix="$BUILD/failed/$name." "$@" \
		>"$work/log" 2>&1; then
		passed=$((passed + 1))
		echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' \
			"$work/log") inputs"
	else
		failed=$((failed + 1))
		echo "FAIL $name"
		tail -n 40 "$work/log" | sed 's/^/    /'
	fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
