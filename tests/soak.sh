#!/bin/bash
# make soak: longer than any test may take.
#
#	tests/soak.sh [SECONDS]
#
# First the daemon under traffic and kills for SECONDS, then the shared memory
# core: kills at every instruction with more seeds, inside repairs, beside
# stopped processes, and every mutant of its ordered stores.  Ends with one
# line of sums.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
seconds=${1:-60}
passed=0 failed=0

# a part that prints sums of its own counts by them, others as one
part() {
	local out rc sums

	echo "== $*"
	out=$("$@" 2>&1)
	rc=$?
	printf '%s\n' "$out" | tail -n 40
	[ $rc -eq 77 ] && return
	sums=$(printf '%s\n' "$out" |
		grep -E '^[0-9]+ passed, [0-9]+ failed' | tail -n 1)
	if [ -n "$sums" ]; then
		passed=$((passed + ${sums%% *}))
		sums=${sums#*, }
		failed=$((failed + ${sums%% *}))
	elif [ $rc -eq 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
}

part tests/soak.py --seconds "$seconds"
for seed in 1 2 3 4 5; do
	part "$BUILD/tests/crash/test_step" $seed 300 100
	part "$BUILD/tests/crash/test_nested" $seed 60 40 7
done
part "$BUILD/tests/crash/test_soak_shm" "$seconds" 1
part tests/crash/mutants.py
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
