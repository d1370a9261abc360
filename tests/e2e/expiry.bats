#!/usr/bin/env bats
# A whole table expires at once: who reads is told of every connection, since
# the reaper waits for him; for who does not read nobody waits.
load lib

N=300000 # more than the log has slots

setup() {
	e2e_setup
	need_root "for network namespaces"
	ns=e2e$$
	ip netns add "$ns"
	ip -n "$ns" link set lo up
	"$BUILD/tests/lib/mktable" /dev/shm "ctshardd.$(segment_hash)" $N \
		$((N * 2)) 8
	start_within -i lo -s shm_dir=/dev/shm -s max=$((N * 2)) \
		-s stall_kill=1h
	# nothing ends before somebody follows
	reaper=$(role reaper)
	kill -STOP "$reaper"
	[ "$(ctl count)" -eq $N ]
	"$BUILD/ctctl" -R "$run_dir" watch -e destroy -o jsonl >"$W/events" \
		2>"$W/errors" 3>&- 4>&- &
	watch=$!
	others+=("$watch")
	try subscribed
}

teardown() {
	kill -CONT "$reaper" "$watch" 2>/dev/null || :
	e2e_teardown
}

subscribed() {
	ctl show subscribers | grep -q '^[0-9]'
}

count_is() {
	[ "$(ctl count)" -eq "$1" ]
}

told() {
	grep -c '"event":"DESTROY"' "$W/events"
}

lost() {
	jq -s 'map(.lost // 0) | add // 0' <(grep -v '"event":"DESTROY"' \
		"$W/events")
}

all_told() {
	[ $(($(told) + $(lost))) -eq $N ]
}

@test "who reads is told of every connection" {
	kill -CONT "$reaper"
	try count_is 0
	try all_told
	[ "$(told)" -eq $N ]
	ctl stats -o json | jq -e '.drops.event_ring + .drops.subscriber == 0'
}

@test "for who does not read nobody waits, and he hears how many he missed" {
	kill -STOP "$watch"
	kill -CONT "$reaper"
	try count_is 0
	kill -CONT "$watch"
	try all_told
	[ "$(told)" -lt $N ]
}
