#!/bin/bash
# Run test programs and print what failed and one line of sums:
#
#	tests/run.sh [-jN] TEST...
#
# A TEST is a cmocka program (its tests are counted one by one), a .bats file
# (likewise) or a .sh check (one test; exit 77 is a skip, its last line the
# reason).  BUILD names the folder of the programs.
set -u

jobs=2
case "${1-}" in
-j*)
	jobs=${1#-j}
	shift
	;;
esac
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-$PWD/build}
work=$(mktemp -d "${TMPDIR:-/tmp}/ctshardd-tests.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Sum of the numbers that follow the words given, over a file's lines.
sum_after() {
	sed -n "s/^\[ *$1 *\] \([0-9][0-9]*\) test(s).*/\1/p" "$2" |
		awk '{ n += $1 } END { print n + 0 }'
}

# One test: its output to $out, "passed failed skipped" to $out.sum.  The
# limit only ends what hangs; no test measures time against it.
run_one() {
	t=$1
	out=$work/$(tr / _ <<<"$t")
	passed=0 failed=0 skipped=0
	case "$t" in
	*.bats) set -- bats --tap "$t" ;;
	*.sh) set -- bash "$t" ;;
	*) set -- "$(realpath "$t")" ;;
	esac
	timeout -k 10 "${TEST_HANG:-1200}" "$@" >"$out" 2>&1 </dev/null
	rc=$?
	case "$t" in
	*.bats)
		skipped=$(grep -c '^ok .* # skip' "$out")
		passed=$(($(grep -c '^ok ' "$out") - skipped))
		failed=$(grep -c '^not ok ' "$out")
		;;
	*.sh)
		case $rc in
		0) passed=1 ;;
		77) skipped=1 ;;
		*) failed=1 ;;
		esac
		;;
	*)
		passed=$(sum_after PASSED "$out")
		failed=$(sum_after FAILED "$out")
		skipped=$(sum_after SKIPPED "$out")
		;;
	esac
	# A program that died, hung or said nothing has failed once more.
	if [ "$failed" = 0 ] && [ $rc -ne 77 ] &&
	   { [ $rc -ne 0 ] || [ $((passed + skipped)) = 0 ]; }; then
		failed=1
	fi
	echo "$passed $failed $skipped" >"$out.sum"
	if [ "$failed" != 0 ]; then
		{
			echo "FAIL $t (exit $rc)"
			sed 's/^/    /' "$out"
		} >"$out.report"
		flock "$work" cat "$out.report"
		echo "$t" >>"$work/failed"
	elif [ "$skipped" != 0 ]; then
		{
			echo "skip $t: $skipped not run"
			grep -E '# skip|SKIPPED' "$out" | sed 's/^/    /'
			case "$t" in *.sh) tail -n 1 "$out" ;; esac
		} >"$out.report"
		flock "$work" cat "$out.report"
	fi
}
export -f run_one sum_after
export work

# What failed beside others is run again by itself, and said so: a machine that
# is short of time loses frames and answers late.  What is wrong fails again.
run_again() {
	local t=$1 out
	out=$work/$(tr / _ <<<"$t")
	mv "$out" "$out.first"
	echo "again $t, by itself"
	run_one "$t"
}

[ $# -gt 0 ] && printf '%s\0' "$@" |
	xargs -0 -P "$jobs" -I{} bash -c 'run_one "$1"' run {}

readarray -t again < <(cat "$work"/failed 2>/dev/null)
if [ ${#again[@]} -le "${TEST_AGAIN:-4}" ]; then
	for t in "${again[@]}"; do
		run_again "$t"
	done
fi

cat "$work"/*.sum 2>/dev/null |
	awk '{ p += $1; f += $2; s += $3 }
	END {
		if (s) printf "%d skipped\n", s
		printf "%d passed, %d failed\n", p, f
		exit f != 0 || p == 0
	}'
