#!/usr/bin/env bats
# The table of an earlier layout at the start of a daemon of today.
load lib

setup() {
	e2e_setup
	mkdir "$W/shm"
	tests/lib/older.py tests/e2e/layout1.tar.gz "$run_dir" "$W/shm" "$demo"
}
teardown() {
	# lib's own looks into /dev/shm
	"$BUILD/ctshardd" -R "$run_dir" -s shm_dir="$W/shm" --remove-table
	e2e_teardown
}

today() {
	start -r "$demo" -w 2 -s shm_dir="$W/shm" "$@"
}

# what a daemon of today makes of the same capture
fresh() {
	local was=$run_dir
	run_dir=$W/fresh
	mkdir -m 755 "$run_dir"
	"$BUILD/ctshardd" -R "$run_dir" -r "$demo" -w 2 -s shm_dir="$W" \
		2>/dev/null 3>&- 4>&- &
	fresh=$!
	others+=("$fresh")
	try frames_are 125
	ctl list -o extended 2>/dev/null | sort >"$W/fresh.list"
	ctl expect list 2>/dev/null | sort >"$W/fresh.expect"
	kill -TERM "$fresh"
	wait "$fresh" || :
	"$BUILD/ctshardd" -R "$run_dir" -s shm_dir="$W" --remove-table
	run_dir=$was
}

@test "a table of layout 1 goes on as one of today: nothing is lost, nothing new" {
	fresh
	today
	grep -q 'the table of layout 1 was migrated to layout 2' "$W/log"
	frames_are 125
	ctl list -o extended 2>/dev/null | sort | diff "$W/fresh.list" -
	ctl expect list 2>/dev/null | sort | diff "$W/fresh.expect" -
	ctl check --deep
	# the log of old goes on under its numbers
	"$BUILD/ctctl" -R "$run_dir" watch --since start -o jsonl \
		>"$W/events" 2>/dev/null 3>&- 4>&- &
	others+=("$!")
	try grep -q '"DESTROY"' "$W/events"
	[ "$(head -n 1 "$W/events" | jq .seq)" -eq 1 ]
	# and the second start finds nothing to do
	kill -KILL "$pid"
	wait "$pid" || :
	today
	[ "$(grep -c migrated "$W/log")" -eq 1 ]
	ctl list -o extended 2>/dev/null | sort | diff "$W/fresh.list" -
}

@test "without room for both the old table stays" {
	need_root "for a mount namespace"
	before=$(cat "$W"/shm/*.tbl | cksum)
	mkdir "$W/full"
	# a tmpfs that holds one table and a half
	run unshare -m sh -c '
		mount -t tmpfs -o size=14m full "$1/full" &&
		cp -p "$1"/shm/* "$1/full/" &&
		timeout 60 "$2/ctshardd" -R "$3" -r "$4" -w 2 \
			-s shm_dir="$1/full"
		rc=$?
		cat "$1"/full/*.tbl | cksum >"$1/after"
		ls "$1/full" | grep -c -e mig -e switch >"$1/left"
		exit $rc' sh "$W" "$BUILD" "$run_dir" "$demo" \
		3>&- 4>&- < <(mkdir "$W/full")
	[ "$status" -ne 0 ]
	[[ "$output" == *"no room"* ]]
	[ "$(cat "$W/after")" = "$before" ]
	[ "$(cat "$W/left")" -eq 0 ]
}
