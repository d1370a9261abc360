#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The daemon on a capture, which stands still at its end: so every list must
# be the same, whoever has died in between.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	BUILD=${BUILD:-$PWD/build}
	run_dir=$BATS_TEST_TMPDIR/run
	mkdir -m 755 "$run_dir"
	chmod 711 "$BATS_TEST_TMPDIR"
	"$BUILD/tests/lib/mkdemo" "$BATS_TEST_TMPDIR/demo.pcap"
	pid=
}

teardown() {
	if [ -n "$pid" ]; then
		kill -TERM "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	fi
	"$BUILD/ctshardd" -R "$run_dir" --remove-table
}

ctl() {
	"$BUILD/ctctl" -R "$run_dir" "$@"
}

start() {
	"$BUILD/ctshardd" -R "$run_dir" -w 2 -r "$BATS_TEST_TMPDIR/demo.pcap" \
		2>>"$BATS_TEST_TMPDIR/log" 3>&- &
	pid=$!
	for _ in {1..600}; do
		[ "$(ctl stats -o json 2>/dev/null | jq .frames)" = 125 ] &&
			return
		kill -0 "$pid" || break
		sleep 0.1
	done
	cat "$BATS_TEST_TMPDIR/log"
	return 1
}

role() {
	pgrep -P "$(cat "$run_dir/pid")" -f "^ctshardd: $1"
}

# Kill a role and wait for the next one of its name.
kill_role() {
	local old new
	old=$(role "$1")
	kill -KILL "$old"
	for _ in {1..300}; do
		new=$(role "$1" || :)
		[ -n "$new" ] && [ "$new" != "$old" ] && break
		sleep 0.1
	done
	[ -n "$new" ] && [ "$new" != "$old" ]
	for _ in {1..300}; do
		ctl count >/dev/null 2>&1 && return
		sleep 0.1
	done
	return 1
}

@test "each role is killed; the list stays, the table is whole" {
	start
	before=$(ctl list | sort)
	[ -n "$before" ]
	for r in "worker 0" "worker 1" reaper api; do
		kill_role "$r"
		[ "$(ctl list | sort)" = "$before" ]
		ctl check --deep
	done
}

@test "the whole daemon is killed and started again" {
	start
	before=$(ctl list | sort)
	kill -KILL "$(cat "$run_dir/pid")"
	wait "$pid" || :
	run ctl list
	[ "$status" -eq 3 ]
	start
	[ "$(ctl list | sort)" = "$before" ]
	ctl check --deep
}

@test "a signal ends it with 0; the next start has the table" {
	start
	before=$(ctl list | sort)
	kill -TERM "$pid"
	wait "$pid"
	start
	[ "$(ctl list | sort)" = "$before" ]
}

@test "a second daemon on the same run directory: exit 5" {
	start
	run "$BUILD/ctshardd" -R "$run_dir" -r "$BATS_TEST_TMPDIR/demo.pcap"
	[ "$status" -eq 5 ]
}

@test "usage and configuration: exit 2" {
	run "$BUILD/ctshardd" -s no_such_key=1 -t
	[ "$status" -eq 2 ]
	[[ "$output" == *"-s no_such_key: "* ]]
	run "$BUILD/ctshardd" -i lo -r "$BATS_TEST_TMPDIR/demo.pcap"
	[ "$status" -eq 2 ]
	printf 'max = many\n' >"$BATS_TEST_TMPDIR/conf"
	run "$BUILD/ctshardd" -t -f "$BATS_TEST_TMPDIR/conf"
	[ "$status" -eq 2 ]
	[[ "$output" == *"conf:1: "* ]]
}
