#!/usr/bin/env bats
# Snapshots: with a daemon and without, whole or not at all.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

table() {
	ctl list "$@" 2>/dev/null | sed 's/use=[0-9]*/use=N/' | sort
}

# Another byte there, whatever there was.
flip() {
	local old
	old=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf "\\x$(printf %x $((old ^ 255)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

@test "dump and load: everything comes back, and is told as restored" {
	start_demo
	ctl update -p icmp -m 5 2>/dev/null
	table -o labels >"$W/before"
	ctl list -p tcp -j -o wide 2>/dev/null |
		jq -c 'map([.original, .detail]) | sort' >"$W/detail"
	grep -q helper=ftp "$W/before"
	ctl dump "$W/snap"
	[ "$(stat -c %a "$W/snap")" = 600 ]
	ctl flush
	run ctl load "$W/snap"
	[ "$output" = "ctctl: 17 flow entries have been restored." ]
	diff "$W/before" <(table -o labels)
	diff "$W/detail" <(ctl list -p tcp -j -o wide 2>/dev/null |
		jq -c 'map([.original, .detail]) | sort')
	run ctl load "$W/snap"
	[ "$output" = "ctctl: 0 flow entries have been restored." ]
	ctl watch --since 68 -e new -n 17 -o jsonl 2>/dev/null |
		jq -s -e 'all(.restored)'
	ctl watch --since 68 -e new -n 1 -o wide 2>/dev/null |
		grep -q ' restored=1$\| restored=1 '
	grep -q "audit: uid $(id -u) pid [0-9]*: add: 17" "$W/log"
	ctl check --deep
}

@test "dump to stdout, and to what is no file: it is not replaced" {
	start_demo
	mkfifo "$W/fifo"
	for way in running offline; do
		cat "$W/fifo" >"$W/$way.fifo" 3>&- &
		reader=$!
		ctl dump "$W/fifo"
		wait "$reader"
		[ -p "$W/fifo" ]
		ctl dump - >"$W/$way.out"
		head -n 1 "$W/$way.fifo" | grep -aq '^ctshardd snapshot'
		head -n 1 "$W/$way.out" | grep -aq '^ctshardd snapshot'
		[ -z "$pid" ] || stop
	done
	[ ! -e - ]
}

@test "a snapshot that is damaged or cut short is refused whole" {
	start_demo
	ctl dump "$W/snap"
	size=$(stat -c %s "$W/snap")
	for cut in 21 100 $((size - 30)) $((size - 1)); do
		head -c $cut "$W/snap" >"$W/bad"
		run ctl load "$W/bad"
		[ "$status" -eq 1 ]
		[[ "$output" == *"damaged or cut short"* ]]
	done
	for at in 30 500 $((size - 4)); do
		cp "$W/snap" "$W/bad"
		flip "$W/bad" $at
		run ctl load "$W/bad"
		[ "$status" -eq 1 ]
	done
	# a place where nothing can be written leaves nothing
	run ctl dump /proc/nowhere
	[ "$status" -eq 1 ]
	stop
	"$BUILD/ctshardd" -R "$run_dir" --remove-table 2>/dev/null
	run ctl load "$W/bad"
	[ "$status" -eq 1 ]
	[[ "$output" == *"damaged or cut short"* ]]
}

@test "without a daemon: out of the segments it left, and into new ones" {
	start_demo
	table >"$W/before"
	stop
	ctl dump "$W/snap"
	run ctl check --deep
	[ "$status" -eq 0 ]
	"$BUILD/ctshardd" -R "$run_dir" --remove-table 2>/dev/null
	# its clock is the capture's own
	run "$BUILD/ctshardd" -R "$run_dir" -r "$demo" --load "$W/snap"
	[ "$status" -eq 0 ]
	[[ "$output" == *"17 connections restored"* ]]
	"$BUILD/ctshardd" -R "$run_dir" -r "$demo" --dump "$W/again"
	grep -aq 'end 17 ' "$W/again"
	run ctl check --deep
	[ "$status" -eq 0 ]
	start -r "$demo"
	try frames_are 125
	ctl check --deep
}

@test "live: timeouts go on while nobody runs; snapshot = INTERVAL" {
	need_root "to capture"
	unshare -n true 2>/dev/null || skip "no network namespaces"
	live() {
		unshare -n sh -c 'ip link set lo up; exec "$@"' sh \
			"$BUILD/ctshardd" -R "$run_dir" -i lo \
			"$@" 2>>"$W/log" 3>&- 4>&- &
		pid=$!
		try ready_or_dead
		answers
	}
	live -s snapshot=1
	ctl add -p udp -s 10.9.0.1 -d 10.9.0.2 --sport 1 --dport 2 -t 1000
	ctl add -p udp -s 10.9.0.1 -d 10.9.0.2 --sport 1 --dport 3 -t 1
	try grep -aq 'end 1 ' "$run_dir/snapshot"
	stop
	"$BUILD/ctshardd" -R "$run_dir" --remove-table 2>/dev/null
	run ctl load "$run_dir/snapshot"
	[ "$status" -eq 0 ]
	[[ "$output" == *"1 connections restored"* ]]
	live
	left=$(ctl list 2>/dev/null | awk '{ print $3 }')
	[ "$left" -lt 1000 ]
	[ "$left" -gt 100 ]
	ctl check --deep
}
