#!/bin/bash
# Run the fuzz programs, each from its own corpus and never for ever:
#
#	tests/fuzz.sh [SECONDS]                    each of them so long
#	tests/fuzz.sh --budget S --rotate HASH [SECONDS]
#		as many as fit in S seconds, two at a time, at 20 s each or
#		SECONDS; which ones come first follows from HASH, so that
#		commit after commit all get their turn
#	tests/fuzz.sh --replay                     the corpora alone, once
#
# New inputs go to a temporary folder; one that fails is kept in
# $BUILD/failed.  Ends with one line of sums.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/fuzz}
AT_ONCE=2
budget='' hash='' replay='' seconds=''
while [ $# -gt 0 ]; do
	case "$1" in
	--budget) budget=${2:?} && shift ;;
	--rotate) hash=${2:?} && shift ;;
	--replay) replay=1 ;;
	*[!0-9]* | '')
		echo "fuzz.sh: what is \"$1\"?" >&2
		exit 2
		;;
	*) seconds=$1 ;;
	esac
	shift
done

if [ -z "$(find /usr/lib -name 'libclang_rt.fuzzer-*.a' -print -quit)" ]; then
	echo "clang's libFuzzer is not here:" >&2
	tests/deps.sh --check fuzz >&2 ||
		echo "tests/deps.sh fuzz, as root, installs it" >&2
	echo "0 passed, 1 failed"
	exit 1
fi

programs=()
for f in "$BUILD"/tests/fuzz/fuzz_*; do
	case "$f" in *.o | *.d) continue ;; esac
	# a program whose source is gone stays in the build folder
	[ -x "$f" ] && [ -e "tests/fuzz/$(basename "$f").c" ] &&
		programs+=("$f")
done
if [ ${#programs[@]} = 0 ]; then
	echo "no fuzz program in $BUILD: make VARIANT=fuzz fuzzers" >&2
	echo "0 passed, 1 failed"
	exit 1
fi

if [ -n "$budget" ]; then
	seconds=${seconds:-20}
	# each costs a few seconds more than it runs: its corpus, its end
	fit=$((budget * AT_ONCE / (seconds + 5)))
	[ "$fit" -ge 1 ] || fit=1
	first=$((0x$(printf '%s' "${hash:-0}" | sha1sum | cut -c1-7) %
		${#programs[@]}))
	programs=("${programs[@]:$first}" "${programs[@]:0:$first}")
	programs=("${programs[@]:0:$fit}")
fi
seconds=${seconds:-30}

# in memory where there is some: fuzz_adopt writes to its files all the time
[ -n "${TMPDIR-}" ] || [ ! -w /dev/shm ] || TMPDIR=/dev/shm
work=$(mktemp -d "${TMPDIR:-/tmp}/ctshardd-fuzz.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
mkdir -p "$BUILD/failed" "$work/tmp"

# one program; the verdict is a file, for several run at a time
run()
{
	local f=$1 name corpus=() rc
	name=$(basename "$f")
	mkdir -p "$work/$name"
	[ ! -d "tests/fuzz/corpus/${name#fuzz_}" ] ||
		corpus=("tests/fuzz/corpus/${name#fuzz_}")
	if [ -n "$replay" ]; then
		TMPDIR=$work/tmp timeout -k 10 120 "$f" -runs=0 -timeout=10 \
			-rss_limit_mb=2048 -print_final_stats=1 \
			-artifact_prefix="$BUILD/failed/$name." \
			"${corpus[@]}" >"$work/$name.log" 2>&1
	else
		TMPDIR=$work/tmp timeout -k 10 $((seconds + 60)) "$f" \
			-max_total_time="$seconds" -timeout=10 -seed=1 \
			-rss_limit_mb=2048 -print_final_stats=1 \
			-artifact_prefix="$BUILD/failed/$name." \
			"$work/$name" "${corpus[@]}" >"$work/$name.log" 2>&1
	fi
	rc=$?
	if [ $rc = 0 ]; then
		echo "$name: $(sed -n \
			's/^stat::number_of_executed_units: *//p' \
			"$work/$name.log") inputs"
		touch "$work/$name.ok"
	else
		echo "FAIL $name (exit $rc)"
		grep -av '^#\|NEW_FUNC' "$work/$name.log" | tail -n 40 |
			sed 's/^/    /'
	fi
}

for f in "${programs[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge $AT_ONCE ]; do
		wait -n
	done
	run "$f" &
done
wait

passed=$(find "$work" -maxdepth 1 -name '*.ok' | wc -l)
failed=$((${#programs[@]} - passed))
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
