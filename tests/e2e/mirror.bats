#!/usr/bin/env bats
# How good the mirror is: show mirror and the metrics, two sources with a
# direction each, and what is told of interfaces.
load lib

setup() { e2e_setup; }

teardown() { e2e_teardown; }

live() {
	start_within -i rx0 -i rx1 "$@"
}

mirror() {
	/usr/bin/python3 tests/e2e/mirror.py "$@"
}

send() {
	within_one /usr/bin/python3 tests/e2e/mirror.py send tx0 tx1
}

# A figure of an interface as `show` has it: PLACE NAME
figure() {
	ctl show mirror -o json | jq -r --argjson n "$1" --arg f "$2" \
		'[.. | objects | select(has("skew_seconds"))][$n][$f]'
}

figure_is() {
	[ "$(figure "$1" "$2")" = "$3" ]
}

metric() {
	local line
	line=$(ctl metrics | grep -F "ctshard_interface_$2{interface=\"$1\"} ") &&
		echo "${line##* }"
}

ended() {
	ctl list -o jsonl,wide 2>/dev/null |
		jq -e 'select(.original.dport == 443) |
		.state == "TIME_WAIT" and .original.sport == 40000'
}

@test "two captures with a direction each, the SYN/ACK first" {
	n=$(mirror files "$W")
	"$BUILD/ctctl" replay -s tcp.mode=mirror -o jsonl,wide \
		"$W/0.pcap" "$W/1.pcap" >"$W/t"
	jq -e --argjson n "$n" '.state == "TIME_WAIT" and
		.original.sport == 40000 and .detail.direction == "syn" and
		.original.packets + .reply.packets == $n' "$W/t"
	# strict mode is lost in it
	"$BUILD/ctctl" replay -o jsonl,wide "$W/0.pcap" "$W/1.pcap" >"$W/s"
	run jq -e --argjson n "$n" \
		'.original.packets + .reply.packets == $n' "$W/s"
	[ "$status" -ne 0 ]
}

@test "two interfaces with a direction each: one connection, a row each" {
	mirror_ports 2
	n=$(mirror files "$W")
	live
	send
	try frames_are "$n"
	try ended
	ctl list -o jsonl,wide 2>/dev/null | jq -e --argjson n "$n" \
		'.original.packets + .reply.packets == $n'
	try figure_is 0 interface rx0
	figure_is 1 interface rx1
	# a row's figures are told after the packets
	received() {
		[ $(($(figure 0 received) + $(figure 1 received))) -eq "$n" ]
	}
	try received
	[ $(($(figure 0 connections) + $(figure 1 connections))) -eq 1 ]
	figure_is 0 up 1
	# the names of metrics are those of the columns
	for name in $(ctl show mirror -o json | jq -r '.interfaces[0] |
			del(.interface, .offload, .quiet_seconds) |
			to_entries[] | select(.value | endswith("%") | not) | .key')
	do
		[ "$(metric rx0 "$name" || metric rx0 "${name}_total")" = \
			"$(figure 0 "$name")" ]
	done
	[ "$(metric rx1 mtu)" = 1500 ]
	# and those of workers the counters'
	ctl stats -o json >"$W/s"
	ctl show mirror -o json | jq -e --slurpfile s "$W/s" '.mirror[0] |
		. as $row | $s[0] | . * (.mirror + {
			drops_interface: .drops.interface,
			drops_kernel_ring: .drops.kernel_ring,
			invalid: .packets.invalid}) | . as $have |
		$row | del(.worker, .received) | to_entries |
		all(.[]; ($have[.key] | tostring) == .value)'
}

told() {
	grep -q "$1" "$W/log"
}

@test "interfaces: quiet, down, up, another MTU, joined packets" {
	mirror_ports 2
	command -v ethtool >/dev/null &&
		within ethtool -K rx0 gro on 2>/dev/null
	live -s capture.quiet=1
	try told 'rx0: nothing has arrived for'
	try told 'rx1: nothing has arrived for'
	ip -n "$ns" link set rx1 mtu 1400
	try told 'rx1: MTU 1400, was 1500'
	try figure_is 1 mtu 1400
	figure_is 1 changes 1
	ip -n "$ns" link set tx0 down
	try told 'rx0 is down'
	try figure_is 0 up 0
	ctl top --once --delta 1ms | grep -q '^ports: rx0 DOWN; rx1 '
	ip -n "$ns" link set tx0 up
	try told 'rx0 is up'
	mirror files "$W"
	send
	try told 'rx0: packets arrive again'
	# and once only, however long it is
	[ "$(grep -c 'rx1: nothing' "$W/log")" -eq 1 ]
	if [ "$(figure 0 offload)" = gro ]; then
		told 'rx0: GRO is on'
	fi
}

counts_one() {
	[ "$(ctl count)" = 1 ]
}

@test "a card without a clock: the host's time stamps, and said so" {
	for source in packet pcap; do
		mirror_ports 2
		live -s capture.timestamps=hardware -s "source=$source"
		if [ "$source" = packet ]; then
			told 'rx0: capture.timestamps = hardware: .*; the host'
			told 'rx1: capture.timestamps = hardware: '
		fi
		mirror files "$W"
		send
		try counts_one
		stop
		ip netns del "$ns"
		ns=
		"$BUILD/ctshardd" -R "$run_dir" --remove-table
	done
}

@test "a mirror that shows one packet of four is said to be sampled" {
	n=$(mirror lost 4 "$W/some.pcap")
	start -r "$W/some.pcap" -s tcp.mode=mirror
	try frames_are "$n"
	try figure_is 0 received "$n"
	ctl top --once --delta 1ms | grep -q '^ports: some.pcap sampled 1 of '
	# as near as that
	[[ "$(figure 0 sampled)" == [345] ]]
	[ "$(figure 0 gap)" -gt 100 ]
	[ "$(metric "$W/some.pcap" lost_share)" != 0.0000 ]
	ctl stats -o json | jq -e '.mirror.gap > 100'
}

@test "repairs by kind: those of all connections are those that are counted" {
	mirror lost 1.05 "$W/some.pcap"
	"$BUILD/ctctl" replay -s tcp.mode=mirror -o jsonl,wide --stats "$W/s" \
		--table "$W/t" --events "$W/e" "$W/some.pcap"
	jq -e '.mirror | .gap > 0 and .pickup > 0 and .state > 0' "$W/s"
	{ cat "$W/t"; jq -c 'select(.event == "DESTROY")' "$W/e"; } >"$W/all"
	[ "$(jq -s 'map(.detail.repairs // "0" | tonumber) | add' "$W/all")" \
		-eq "$(jq '.mirror | .gap + .pickup + .state + .window' "$W/s")" ]
	for kind in gap pickup state; do
		jq -r '.detail.repaired // ""' "$W/all" | grep -qw "$kind"
	done
	# and how sure the direction is
	for word in syn synack port; do
		jq -r '.detail.direction // ""' "$W/all" | grep -qx "$word"
	done
}

@test "a mirror that loses little is not, and says how much" {
	n=$(mirror lost 1.02 "$W/some.pcap")
	start -r "$W/some.pcap" -s tcp.mode=mirror
	try frames_are "$n"
	try figure_is 0 received "$n"
	figure_is 0 sampled 0
	figure 0 lost_share | tee "$W/share"
	grep -Eqx '[1-9]\.[0-9]+%' "$W/share"
}

@test "two fibres of which one loses: that one is told" {
	n=$(mirror fibres "$W")
	start -r "$W/0.pcap" -r "$W/1.pcap" -s tcp.mode=mirror
	try frames_are "$n"
	try figure_is 1 received "$(mirror count "$W/1.pcap")"
	figure 1 lost_share | tee "$W/share"
	grep -Eqx '[3-8]\.[0-9]+%' "$W/share"
	figure_is 0 lost_bytes 0
	[ "$(figure 1 gap)" -gt 100 ]
	# connections are those of the one that shows who asks
	[ "$(figure 0 connections)" -gt 200 ]
	[ "$(figure 0 repaired)" -le "$(figure 0 connections)" ]
	[ "$(figure 1 repaired)" -le "$(figure 1 connections)" ]
}

@test "what the net lost before the mirror is no loss of the mirror" {
	n=$(mirror resent "$W/resent.pcap")
	start -r "$W/resent.pcap" -s tcp.mode=mirror
	try frames_are "$n"
	try figure_is 0 received "$n"
	figure_is 0 hole_bytes 100000
	figure_is 0 late_bytes 100000
	figure_is 0 lost_share 0.00%
	ctl stats -o json | jq -e '.mirror.late_bytes == 100000'
}

@test "both ends of a path, an interface each: as one of them alone" {
	n=$(mirror ends "$W")
	"$BUILD/ctctl" replay -s tcp.mode=mirror -o extended "$W/0.pcap" |
		sort >"$W/one"
	start -r "$W/0.pcap" -r "$W/1.pcap" -s tcp.mode=mirror \
		-s duplicates=drop
	try frames_are $((2 * n))
	ctl list -o extended 2>/dev/null | sort >"$W/both"
	diff "$W/one" "$W/both"
	try figure_is 1 received "$n"
	# but for resets that ended a connection which nobody answered
	[ "$(figure 1 duplicates)" -gt $((n - 20)) ]
	figure_is 0 duplicates 0
	figure_is 0 doubled_share 100.00%
}

# $1: sources of the capture's connections that are left of those before the SYNs
stayed() {
	jq -s "map(select(.original.dport != 7 and $1)) | length" "$W/t"
}

@test "one side alone: marked, and not the first to go when the table is full" {
	mirror alone "$W/alone.pcap"
	"$BUILD/ctctl" replay -s tcp.mode=mirror -s max=64 -o jsonl,wide \
		--stats "$W/s" "$W/alone.pcap" >"$W/t"
	jq -e '.early_drop > 100 and .mirror.one_way == 20' "$W/s"
	[ "$(stayed '.detail.one_way == "1" and .state == "ESTABLISHED"')" = 20 ]
	# of UDP a rule has to say so, for an interface
	[ "$(stayed '.proto == "udp"')" -lt 10 ]
	"$BUILD/ctctl" replay -s tcp.mode=mirror -s max=64 -o jsonl,wide \
		-s rule.fibre.iface=0 -s rule.fibre.one-way=yes \
		"$W/alone.pcap" >"$W/t"
	[ "$(stayed '.detail.one_way == "1"')" = 30 ]
	# strict mode keeps what the SYNs leave
	"$BUILD/ctctl" replay -s max=64 -o jsonl,wide "$W/alone.pcap" >"$W/t"
	[ "$(stayed true)" -lt 20 ]
}

@test "time that goes back is told and not believed" {
	n=$(mirror back "$W/back.pcap")
	start -r "$W/back.pcap" -s tcp.mode=mirror
	try frames_are "$n"
	try told 'time stamps went back'
	figure_is 0 clock_back 1
	ctl top --once --delta 1ms |
		grep -q '^ports: back.pcap .*clock went back: 1'
	ended
}

promiscuous() {
	[ "$(ip -n "$ns" -d link show rx0 |
		grep -o 'promiscuity [0-9]*')" = "promiscuity $1" ]
}

tracked_from() {
	ctl list -p udp 2>/dev/null | grep -q "src=$1 "
}

# Bare IP for a while, where the kernel has such interfaces: what VXLAN-GPE
# carries comes out without Ethernet.
as_raw() {
	within sh -c '
		ip link set lo up
		ip link add rx0 type vxlan dstport 4790 external gpe &&
			ip link set rx0 up' || return 0
	ip netns exec "$ns" /usr/bin/python3 tests/e2e/mirror.py raw \
		3>&- 4>&- &
	raw=$!
	others+=("$raw")
	try tracked_from 192.0.2.1
	kill -KILL "$raw"
	wait "$raw" || :
	others=()
	ip -n "$ns" link del rx0
	try gone_again
}

gone_again() {
	[ "$(grep -c 'rx0 went away' "$W/log")" -eq 2 ]
}

@test "an interface that goes and comes back, as another kind" {
	mirror_ports 2
	live -w 2
	promiscuous 1
	ip -n "$ns" link del rx0
	try told 'rx0 went away'
	as_raw
	mirror_port 0
	try promiscuous 1
	mirror files "$W"
	seen() {
		send
		ended
	}
	try seen
	stop
	promiscuous 0
}

@test "a VLAN for each direction: one connection when the zones are mapped" {
	n=$(mirror vlans "$W/vlans.pcap")
	"$BUILD/ctctl" replay -s tcp.mode=mirror -s zone.from=vlan \
		-o jsonl,wide "$W/vlans.pcap" >"$W/t"
	[ "$(wc -l <"$W/t")" -eq 2 ]
	"$BUILD/ctctl" replay -s tcp.mode=mirror -s zone.from=vlan \
		-s zone.map=20=10 -o jsonl,wide "$W/vlans.pcap" >"$W/t"
	jq -e --argjson n "$n" '.state == "TIME_WAIT" and .zone == 10 and
		.original.packets + .reply.packets == $n' "$W/t"
	[ "$(wc -l <"$W/t")" -eq 1 ]
}
