#!/usr/bin/env bats
# Capture sockets that outlive who reads them: one end of a veth pair in a
# namespace of its own, packets at a steady rate, and deaths.
load lib

setup() {
	e2e_setup
	need_root "for network namespaces"
	command -v tcpreplay >/dev/null || skip "there is no tcpreplay"
	ns=ring$$
	ip netns add "$ns"
	link
	keeper=
}

teardown() {
	if [ -n "${keeper-}" ]; then
		kill -TERM "$keeper" 2>/dev/null || :
		wait "$keeper" 2>/dev/null || :
	fi
	e2e_teardown
	[ -z "${ns-}" ] || ip netns del "$ns"
	# an heir would hide it
	! grep -E 'Sanitizer|runtime error|died of signal (6|7|11)' "$W/log"
}

within() {
	ip netns exec "$ns" "$@"
}

link() {
	within sh -c '
		sysctl -qw net.ipv6.conf.default.disable_ipv6=1
		ip link add tx0 type veth peer name rx0 &&
		ip link set tx0 up && ip link set rx0 up'
}

live() {
	ip netns exec "$ns" "${program:-$BUILD/ctshardd}" -R "$run_dir" -i rx0 \
		"$@" 2>>"$W/log" 3>&- 4>&- &
	pid=$!
	try ready_or_dead
	answers || { cat "$W/log"; return 1; }
}

FLOWS=2000

# PACKETS of FLOWS, at so many a second, in the background.
load_on() {
	packets=$1
	"$BUILD/tests/lib/mkflows" "$W/flows.pcap" $FLOWS "$packets"
	ip netns exec "$ns" taskset -c "$cpu" tcpreplay -q -i tx0 --pps "$2" "$W/flows.pcap" \
		>/dev/null 2>&1 3>&- 4>&- &
	sender=$!
}

# Every packet that was sent is in the table, and none twice.
all_there() {
	try frames_are "$packets" || { ctl stats; cat "$W/log"; return 1; }
	[ "$(ctl list -o jsonl 2>/dev/null |
		jq -s 'map(.original.packets + .reply.packets) | add')" \
		-eq "$packets" ]
	ctl stats -o json | jq -e '.drops.kernel_ring == 0 and
		.packets.invalid == 0'
	[ "$(ctl count)" -eq $FLOWS ]
	ctl check --deep
}

@test "kill -9 of workers, again and again: no packet lost, none twice" {
	live -w 2
	packets=240000
	"$BUILD/tests/lib/mkflows" "$W/flows.pcap" $FLOWS $packets
	within tests/lib/heirs.py "$run_dir" /dev/shm 50 \
		taskset -c "$cpu" tcpreplay -q -i tx0 --pps 30000 "$W/flows.pcap" \
		2>/dev/null >"$W/times"
	echo "# $(cat "$W/times")" >&3
	[ "$(cut -d' ' -f1 "$W/times")" -ge 10 ]
	all_there
}

@test "tags that the kernel takes away, in a ring that changes hands" {
	live -s zone.from=vlan
	packets=60000
	"$BUILD/tests/lib/mkflows" "$W/flows.pcap" $FLOWS $packets
	tcprewrite --enet-vlan=add --enet-vlan-tag=42 --enet-vlan-pri=0 \
		--enet-vlan-cfi=0 -i "$W/flows.pcap" -o "$W/tagged.pcap"
	within tests/lib/heirs.py "$run_dir" /dev/shm 20 \
		taskset -c "$cpu" tcpreplay -q -i tx0 --pps 30000 "$W/tagged.pcap" 2>/dev/null \
		>"$W/times"
	all_there
	[ "$(ctl list --zone 42 2>/dev/null | wc -l)" -eq $FLOWS ]
}

@test "fragments wait while their worker changes" {
	live -w 2
	PYTHONPATH=tests/lib /usr/bin/python3 - "$W" <<-'END'
	import struct, sys
	import frames
	parts = [[], []]
	for n in range(80):
	    pair = frames.Pair(n, v6=n % 2 == 1)
	    data = bytes(i & 0xff for i in range(1000))
	    udp = struct.pack('!HHHH', 4000 + n, 53, 8 + len(data), 0) + data
	    whole = pair.ip(0, 17, udp)
	    for i, at in enumerate((0, 504)):
	        end = (504, len(udp))[i]
	        parts[i].append(frames.fragment(whole, at, udp[at:end], i == 0, n))
	for i in 0, 1:
	    frames.write_pcap('%s/part%d.pcap' % (sys.argv[1], i), parts[i],
	                      [1] * len(parts[i]))
	END
	within taskset -c "$cpu" tcpreplay -q -i tx0 -p 5000 "$W/part0.pcap" >/dev/null 2>&1
	try frames_are 80
	kill_role "worker 0"
	kill_role "worker 1"
	ctl upgrade
	within taskset -c "$cpu" tcpreplay -q -i tx0 -p 5000 "$W/part1.pcap" >/dev/null 2>&1
	try frames_are 160
	[ "$(ctl count)" -eq 80 ]
	ctl stats -o json | jq -e '.fragments.reassembled == 80 and
		.fragments.dropped == 0'
}

@test "the whole daemon dies or ends: somebody keeps its sockets" {
	ip netns exec "$ns" tests/lib/keeper.py "$W/notify" 0.3 8 \
		"$BUILD/ctshardd" -R "$run_dir" -i rx0 -w 2 2>>"$W/log" \
		3>&- 4>&- &
	keeper=$!
	try answers
	grep -c '^tap\.' "$W/notify.names" | grep -qx 2
	grep -c '^frag\.' "$W/notify.names" | grep -qx 2
	load_on 120000 30000
	for signal in KILL TERM KILL; do
		sleep 0.5
		old=$(cat "$run_dir/pid")
		kill -$signal "$old"
		again() {
			[ "$(cat "$run_dir/pid" 2>/dev/null)" != "$old" ] &&
				answers
		}
		try again
	done
	wait "$sender"
	all_there
	! grep -q 'nobody kept' "$W/log"
	[ "$(wc -l <"$W/notify.names")" -eq 4 ]
	[ "$(ctl show version -o json |
		jq -r '.version[] | select(.what == "starts").value')" -eq 4 ]
}

@test "nobody keeps the sockets: what was lost is said" {
	live
	load_on 3000 10000
	wait "$sender"
	try frames_are 3000
	kill -KILL "$pid"
	wait "$pid" || :
	! grep -q 'nobody kept' "$W/log"
	live
	grep -q 'nobody kept the capture sockets' "$W/log"
	# places of the new rings are not those of the old
	load_on 3000 10000
	wait "$sender"
	try frames_are 6000
}

@test "another program in place: same table, same sockets, no packet lost" {
	program=$W/ctshardd
	install -m 755 "$BUILD/ctshardd" "$program"
	live -w 2
	fds=$(find /proc/$pid/fd -type l | wc -l)
	load_on 120000 30000
	for _ in 1 2 3; do
		install -m 755 "$BUILD/ctshardd" "$W/new"
		mv "$W/new" "$program"
		ctl upgrade
		[ "$(cat "$run_dir/pid")" = "$pid" ]
		[ "$(readlink "/proc/$pid/exe")" = "$(realpath "$program")" ]
	done
	wait "$sender"
	all_there
	[ "$(find /proc/$pid/fd -type l | wc -l)" -le "$fds" ]
	# a client that came before an upgrade is there after it
	"$BUILD/ctctl" -R "$run_dir" watch -e new -n 1 >"$W/event" \
		2>/dev/null 3>&- 4>&- &
	watch=$!
	others+=("$watch")
	subscribed() {
		ctl show subscribers | grep -q .
	}
	try subscribed
	kill -USR2 "$pid"
	fourth() {
		[ "$(ctl show version -o json |
			jq -r '.version[] | select(.what == "starts").value')" \
			= 5 ]
	}
	try fourth
	within taskset -c "$cpu" tcpreplay -q -i tx0 -p 2000 "$demo" >/dev/null 2>&1
	wait "$watch"
	grep -q NEW "$W/event"
}

@test "a program that cannot go on: the old one stays" {
	program=$W/ctshardd
	install -m 755 "$BUILD/ctshardd" "$program"
	live
	printf '#!/bin/sh\nexit 3\n' >"$W/new"
	chmod 755 "$W/new"
	mv "$W/new" "$W/ctshardd"
	before=$(pgrep -P "$pid" | sort)
	kill -USR2 "$pid"
	said() {
		grep -q "$W/ctshardd cannot go on" "$W/log"
	}
	try said
	answers
	[ "$(pgrep -P "$pid" | sort)" = "$before" ]
	rm "$W/ctshardd"
	kill -USR2 "$pid"
	twice() {
		[ "$(grep -c 'cannot go on' "$W/log")" -eq 2 ]
	}
	try twice
	answers
}

@test "an interface goes and another comes; going down and up" {
	live -w 2
	load_on 3000 10000
	wait "$sender"
	try frames_are 3000
	within ip link set rx0 down
	within ip link set rx0 up
	up() {
		within ip -o link show tx0 | grep -q 'state UP'
	}
	try up
	within taskset -c "$cpu" tcpreplay -q -i tx0 -p 10000 "$W/flows.pcap" >/dev/null 2>&1
	try frames_are 6000
	within ip link del tx0
	gone() {
		grep -q 'rx0 went away' "$W/log"
	}
	try gone
	old=$(role "worker 0")
	link
	try role_is_new "worker 0" "$old"
	try answers
	within taskset -c "$cpu" tcpreplay -q -i tx0 -p 10000 "$W/flows.pcap" >/dev/null 2>&1
	try frames_are 9000
	grep -q 'rx0: another interface' "$W/log"
	# nobody's fault: the restart was wanted
	! grep -q 'died\|ended with' "$W/log"
}

@test "source = pcap: the portable one" {
	live -w 2 -s source=pcap -s tcp.mode=strict
	within taskset -c "$cpu" tcpreplay -q -i tx0 -p 2000 "$demo" >/dev/null 2>&1
	try frames_are 125
	# two workers, a socket each: none is the supervisor's
	[ "$(tail -n +2 <(within cat /proc/net/packet) | wc -l)" -eq 2 ]
	! find "/proc/$pid/fd" -lname 'socket:*' -printf '%l\n' |
		grep -qF "$(within awk 'NR == 2 { print $NF }' /proc/net/packet)"
}

@test "more interfaces than there are cursors are refused" {
	args=()
	for i in {1..15}; do
		args+=(-i "lo$i")
	done
	run within "$BUILD/ctshardd" -R "$W/other" "${args[@]}"
	[ "$status" -eq 1 ]
	[[ "$output" == *"15 interfaces: 14 at most, or source = pcap"* ]]
	"$BUILD/ctshardd" -R "$W/other" --remove-table
}
