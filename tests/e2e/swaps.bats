#!/usr/bin/env bats
# Two sources with a direction each, of which one is faster: whatever changes
# places between them, connections end as in order.
load lib

setup() {
	e2e_setup
	mkdir "$W/pcap"
	n=$(swaps files "$W/pcap")
}

teardown() { e2e_teardown; }

swaps() {
	/usr/bin/python3 tests/e2e/swaps.py "$@"
}

replay() {
	"$BUILD/ctctl" replay -s tcp.mode=mirror -o jsonl,wide --workers "$1" \
		"$W/pcap/0.pcap" "$W/pcap/1.pcap" >"$W/t"
	[ "$(swaps check <"$W/t")" -gt 350 ]
}

live() {
	mirror_ports 2
	start_within -i rx0 -i rx1 -w "$1" -s tcp.mode=mirror \
		-s tcp_timeout_close=600 -s tcp_timeout_last_ack=600
	within_one /usr/bin/python3 tests/e2e/swaps.py send tx0 tx1
	try frames_are "$n"
	ctl list -o jsonl,wide 2>/dev/null >"$W/t"
	[ "$(swaps check <"$W/t")" -gt 350 ]
	ctl check --deep
}

@test "two captures, one worker" {
	replay 1
}

@test "two captures, two workers" {
	replay 2
}

@test "two interfaces, one worker" {
	live 1
}

@test "two interfaces, two workers" {
	live 2
}
