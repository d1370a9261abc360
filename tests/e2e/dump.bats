#!/usr/bin/env bats
# Snapshots: with a daemon and without, whole or not at all.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

table() {
	ctl list "$@" 2>/dev/null | sed 's/use=[0-9]*/use=N/' | sort
}

# Who was announced by whom, and what else is, whatever ids they have.
announced() {
	ctl list -j 2>/dev/null | jq -c '. as $all | map(select(.master) |
		.master as $m | [.original, .status, ($all[] |
		select(.id == $m) | [.original, .helper])]) | sort | .[]'
	# no later than it was, and not made again
	ctl expect list 2>/dev/null | sed 's/^[0-9]*/N/' | sort
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
	[ "$(awk -v who="uid $(id -u)" '$0 ~ "audit: " who " pid [0-9]*: add: " {
		n += $(NF - 1) } END { print n }' "$W/log")" = 17 ]
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

@test "who was expected keeps its master, and what is expected comes true" {
	start_demo
	announced >"$W/before"
	[ "$(grep -c EXPECTED "$W/before")" = 2 ]
	[ "$(grep -c helper=ftp "$W/before")" = 1 ]
	left=$(ctl expect list -j 2>/dev/null | jq '.[0].timeout')
	ctl list -p tcp --dport 21 2>/dev/null | grep ' use=3$'
	ctl dump "$W/snap"
	ctl flush
	[ -z "$(announced)" ]
	ctl load "$W/snap"
	diff "$W/before" <(announced)
	ctl list -p tcp --dport 21 2>/dev/null | grep ' use=3$'
	[ "$(ctl expect list -j 2>/dev/null | jq '.[0].timeout')" -le "$left" ]
	# what is there already is not made twice
	ctl load "$W/snap"
	diff "$W/before" <(announced)
	# and not without its master
	ctl delete -p tcp --dport 21
	[ "$(announced | grep -c helper=ftp)" = 0 ]
	ctl load "$W/snap"
	[ "$(announced | grep -c helper=ftp)" = 1 ]
	ctl check --deep
	stop
	"$BUILD/ctshardd" -R "$run_dir" --remove-table 2>/dev/null
	# the expected packet, in a capture of its own
	/usr/bin/python3 - "$W/tail.pcap" <<-'END'
	import socket, struct, sys
	tcp = struct.pack('!HHIIBBHHH', 45000, 50001, 1, 0, 0x50, 2, 8192, 0, 0)
	ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(tcp), 0, 0, 64, 6,
	                 0, socket.inet_aton('10.0.0.21'),
	                 socket.inet_aton('10.0.1.21'))
	frame = bytes(12) + b'\x08\x00' + ip + tcp
	with open(sys.argv[1], 'wb') as f:
	    f.write(struct.pack('=IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
	    f.write(struct.pack('=IIII', 1700000100, 0, len(frame), len(frame)))
	    f.write(frame)
	END
	run "$BUILD/ctshardd" -R "$run_dir" -r "$W/tail.pcap" --load "$W/snap"
	[ "$status" -eq 0 ]
	[[ "$output" == *"17 connections restored"* ]]
	start -r "$W/tail.pcap"
	try frames_are 1
	master=$(ctl list -p tcp --dport 21 -j 2>/dev/null | jq -r '.[0].id')
	ctl list -p tcp --dport 50001 -j 2>/dev/null | jq -e --arg m "$master" \
		'.[0].master == $m and (.[0].status | any(. == "EXPECTED"))'
	[ -z "$(ctl expect list 2>/dev/null)" ]
	ctl list -p tcp --dport 21 2>/dev/null | grep ' use=4$'
	ctl check --deep
}

@test "calls in the middle: those that were announced by the announced, keys of GRE" {
	/usr/bin/python3 - "$W" <<-'END'
	import random, struct, sys
	sys.path.insert(0, 'tests/lib')
	from helper_sequences import Call, conversation
	from frames import Pair
	def write(name, t, packets):
	    with open(sys.argv[1] + name, 'wb') as f:
	        f.write(struct.pack('=IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
	        for p in packets:
	            f.write(struct.pack('=IIII', t, 0, len(p), len(p)) + bytes(p))
	head = []
	for n in range(10, 100):
	    c = conversation(('h323', 'sip', 'pptp')[n % 3], 5, n)
	    head += c[:n % len(c) + 1]
	c = Call(random.Random(1), Pair(1, False))
	c.ids = [7, 9]
	c.session()
	c.call_out()
	c.data(0)
	write('/head.pcap', 1700000000, head + c.out)
	c.out.clear()
	c.data(1, 3)
	c.data(0, 2)
	write('/tail.pcap', 1700000010, c.out)
	END
	start -r "$W/head.pcap" -s helpers=on
	ended() {
		ctl show workers -o json 2>/dev/null | jq -e '.workers |
			any(.role == "worker 0" and .capture == "ended")'
	}
	try ended
	announced >"$W/before"
	table -p 47 >"$W/gre"
	# some of those announced have announced others
	ctl list -j 2>/dev/null | jq -e '(map({(.id): .master}) | add) as $m |
		any(.[]; .master and $m[.master])'
	[ "$(wc -l <"$W/before")" -gt 20 ]
	ctl dump "$W/snap"
	ctl flush
	ctl load "$W/snap"
	diff "$W/before" <(announced)
	diff "$W/gre" <(table -p 47)
	ctl check --deep
	stop
	"$BUILD/ctshardd" -R "$run_dir" --remove-table 2>/dev/null
	"$BUILD/ctshardd" -R "$run_dir" -r "$W/tail.pcap" --load "$W/snap"
	start -r "$W/tail.pcap"
	try ended
	[ "$(frames)" = 5 ]
	# the call's other packets belong to the connection that was there
	[ "$(table -p 47 | wc -l)" = "$(wc -l <"$W/gre")" ]
	[ "$(ctl stats -o json | jq '.packets | .established + .established_reply +
		.related_reply')" -ge 4 ]
}

@test "a reaper that is killed while it restores" {
	start_demo
	announced >"$W/before"
	table >"$W/table"
	ctl dump "$W/snap"
	for i in 1 2 3 4; do
		ctl flush
		"$BUILD/ctctl" -R "$run_dir" load "$W/snap" >"$W/loaded" 2>&1 \
			3>&- 4>&- &
		others+=("$!")
		kill_role reaper
		wait "$!"
		others=()
		ctl load "$W/snap"
		diff "$W/before" <(announced)
		diff "$W/table" <(table)
		ctl check --deep
	done
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
