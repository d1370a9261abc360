#!/usr/bin/env bats
# Connections that no packet made, counters read and begun anew, and other
# ways to name and to sum up connections.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

uncounted() {
	ctl list "$@" 2>/dev/null | sed 's/packets=[0-9]* bytes=[0-9]* //g
		s/ helper=ftp//; s/use=[0-9]/use=N/' |
		sort
}

@test "-o save and load: the table comes back, events say NEW" {
	start_demo
	ctl update -p icmp -m 5 2>/dev/null
	ctl update -p icmpv6 --label-add 3 2>/dev/null
	uncounted -o labels >"$W/before"
	ctl list -o save 2>/dev/null >"$W/save"
	[ "$(wc -l <"$W/save")" = 17 ]
	ctl flush
	run ctl load "$W/save"
	[ "$status" -eq 0 ]
	[ "$output" = "ctctl: 17 flow entries have been created." ]
	diff "$W/before" <(uncounted -o labels)
	ctl check --deep
	# -A leaves what is there, -I does not
	run ctl -R "$run_dir" -R "$W/save"
	[ "$output" = "ctctl: 0 flow entries have been created." ]
	run ctl load - < <(sed 's/^-A/-I/' "$W/save")
	[ "$status" -eq 1 ]
	[ "$(grep -c 'stdin:[0-9]*: .*conntrack exists' <<<"$output")" = 17 ]
	# -U and -D by their tuple, in the file's order
	run ctl load - < <(grep -e '-p udp' "$W/save" |
		sed 's/^-A/-U/; s/-t [0-9]*/-t 777/; p; s/^-U/-D/')
	[ "$status" -eq 0 ]
	[[ "$output" == *" 5 flow entries have been deleted."* ]]
	[[ "$output" == *" 5 flow entries have been updated."* ]]
	[ "$(ctl count -p udp)" = 0 ]
	run ctl load - <<<"-A -p tcp -s 10.0.0.1
# a note

-X what
-A -p tcp -s 1.1.1.1 -d 2.2.2.2 -t 5 --sport 1 --dport 2
-D -p udp -s 10.0.0.10 -d 10.0.1.53 --sport 1 --dport 2 -t 3"
	[ "$status" -eq 1 ]
	[[ "$output" == *"stdin:1: two whole addresses"*"stdin:4: "*"stdin:6: no such"* ]]
	[[ "$output" == *"stdin:5: the state is needed"* ]]
	grep -q "audit: uid $(id -u) pid [0-9]*: add" "$W/log"
	ctl check --deep
}

@test "add: what a packet could have made, and nothing else" {
	start_demo
	tcp="add -p tcp -s 10.9.0.1 -d 10.9.0.2 --sport 1 --dport 2"
	# shellcheck disable=SC2086
	ctl $tcp -t 600 --state ESTABLISHED -u ASSURED,SEEN_REPLY -m 7 -w 3
	[ "$(ctl list -w 3 2>/dev/null)" = "tcp      6 600 ESTABLISHED \
src=10.9.0.1 dst=10.9.0.2 sport=1 dport=2 packets=0 bytes=0 src=10.9.0.2 \
dst=10.9.0.1 sport=2 dport=1 packets=0 bytes=0 [ASSURED] mark=7 zone=3 use=1" ]
	# shellcheck disable=SC2086
	run ctl $tcp -t 600 --state ESTABLISHED -w 3
	[ "$status" -eq 1 ]
	[ "$output" = "ctctl: add: Operation failed: Such conntrack exists, \
try update" ]
	# shellcheck disable=SC2086
	for bad in "$tcp -t 1" "$tcp --state ESTABLISHED" \
		"$tcp -t 1 --state NOWHERE" \
		"$tcp -t 1 --state ESTABLISHED -r 10.9.9.9" \
		"add -p udp -s 10.9.0.0/16 -d 10.9.0.2 -t 1" \
		"add -p udp -s 10.9.0.1 -d 10.9.0.2 -t 1" \
		"add -p icmp -s 10.9.0.1 -d 10.9.0.2 -t 1" \
		"add -p icmp -s 10.9.0.1 -d 10.9.0.2 -t 1 --icmp-type 3"; do
		run ctl $bad
		echo "$bad: $output"
		[ "$status" -ne 0 ]
	done
	ctl add -p icmp -s 10.9.0.1 -d 10.9.0.2 -t 9 --icmp-type 8 --icmp-id 4
	ctl add -p icmpv6 -s fd09::1 -d fd09::2 -t 9 --icmpv6-type 128
	ctl add -p gre -s 10.9.0.1 -d 10.9.0.2 -t 9 --srckey 1 --dstkey 2
	ctl add -p 99 -s 10.9.0.1 -d 10.9.0.2 -t 9
	[ "$(ctl count -s 10.9.0.0/16)" = 4 ]
	[ "$(ctl watch --since 67 -n 5 -o jsonl 2>/dev/null |
		jq -r .event | uniq -c | tr -s ' ')" = " 5 NEW" ]
	ctl stats -o json | jq -e '.count == .insert - .delete'
	ctl check --deep
}

@test "add: what conntrack saves of sctp and dccp is understood" {
	start_demo
	run ctl load - <<-END
	-A -t 209 -u SEEN_REPLY,ASSURED -s 10.9.0.1 -d 10.9.0.2 -r 10.9.0.2 -q 10.9.0.1 -p sctp --sport 100 --dport 200 --reply-port-src 200 --reply-port-dst 100 --state ESTABLISHED --orig-vtag 3149594624 --reply-vtag 2863267840
	-A -t 99 -u UNSET -s 10.9.0.1 -d 10.9.0.2 -r 10.9.0.2 -q 10.9.0.1 -p dccp --sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 1 --state OPEN --role client
	END
	[ "$status" -eq 0 ]
	[ "$output" = "ctctl: 2 flow entries have been created." ]
	run ctl -A -p 99 -s 10.9.0.1 -d 10.9.0.2 -t 9
	[ "$output" = "ctctl: 1 flow entries have been added." ]
}

@test "add: packets find it" {
	command -v tcpdump >/dev/null || skip "no tcpdump"
	start_demo
	ctl list -p tcp --sport 40002 -f ipv4 -o save 2>/dev/null >"$W/save"
	stop
	"$BUILD/ctshardd" -R "$run_dir" --remove-table 2>/dev/null
	tcpdump -nr "$demo" -w "$W/all.pcap" 'tcp port 40002 and ip' 2>/dev/null
	# without its handshake nobody would say ASSURED at once
	/usr/bin/python3 - "$W/all.pcap" "$W/rest.pcap" <<-'END'
	import struct, sys
	b = open(sys.argv[1], 'rb').read()
	at = 24
	for _ in range(3):
	    at += 16 + struct.unpack('<I', b[at + 8:at + 12])[0]
	open(sys.argv[2], 'wb').write(b[:24] + b[at:])
	END
	start -r "$W/rest.pcap" --hold
	ctl load "$W/save"
	/usr/bin/python3 - "$run_dir/control.sock" <<-'END'
	import socket, struct, sys
	s = socket.socket(socket.AF_UNIX)
	s.connect(sys.argv[1])
	# Request {id: 1 hello {version: 1}}, Request {id: 2 start {}}
	for text in ('080112020801', '08027200'):
	    b = bytes.fromhex(text)
	    s.sendall(struct.pack('>I', len(b)) + b)
	    assert s.recv(4096)
	END
	try frames_are 2
	[ "$(ctl stats -o json | jq -c '[.found, .insert, .packets.new]')" = \
		"[2,1,0]" ]
	[[ "$(ctl list 2>/dev/null)" == *ESTABLISHED*packets=1*packets=1*ASSURED* ]]
}

@test "-z: sums over readings are the whole" {
	start_demo
	total=$(ctl list -o json 2>/dev/null |
		jq 'map(.original.packets + .reply.packets) | add')
	[ "$(ctl list -z -o json 2>/dev/null |
		jq 'map(.original.packets + .reply.packets) | add')" = "$total" ]
	[ "$(ctl list -z -o json 2>/dev/null |
		jq 'map(.original.packets + .reply.bytes) | add')" = 0 ]
	ctl get -z -p icmp -s 10.0.0.10 -d 10.0.1.80 --icmp-type 8 \
		--icmp-code 0 --icmp-id 1234 >/dev/null 2>&1
	# a change, so not for the group
	if [ "$(id -u)" = 0 ]; then
		run setpriv --reuid 12345 \
			--regid "$(stat -c %g "$run_dir/api.sock")" \
			--clear-groups "$BUILD/ctctl" -R "$run_dir" list -z
		[ "$status" -eq 1 ]
	fi
	ctl check --deep
}

@test "stats --top and --delta, get --community-id" {
	start_demo
	[ "$(ctl stats --top src -n 1)" = \
		$'10.0.0.10\tcount=8 packets=42 bytes=1715' ]
	[ "$(ctl stats --top dport -j | jq -r '.[0].key')" = tcp/80 ]
	[ "$(ctl stats --top zone -j | jq -c '.[]|[.key,.count]')" = \
		'["0",17]' ]
	ctl stats --top dst -n 99 -j | jq -e 'map(.count) | add == 17'
	run ctl stats --top odd
	[ "$status" -eq 2 ]
	ctl stats --delta 10ms -j | jq -e '.frames == 0 and .count == 17'
	id=$(ctl list -p icmp -j --community-id 2>/dev/null |
		jq -r '.[0].community_id')
	[ "$id" = "1:TzM2LyDf1iYFM0EVe6m2u0rv5iU=" ]
	[[ "$(ctl get --community-id "$id" 2>/dev/null)" == "icmp "* ]]
	run ctl get --community-id "$id" --community-seed 1
	[ "$status" -eq 4 ]
}

@test "get --bpf: tcpdump finds its packets, all and no others" {
	command -v tcpdump >/dev/null || skip "no tcpdump"
	start_demo
	ctl list -o json 2>/dev/null | jq -r \
		'.[] | "\(.id) \(.original.packets + .reply.packets)"' >"$W/ids"
	while read -r id packets; do
		filter=$(ctl get --id "$id" --bpf 2>/dev/null)
		[ "$(tcpdump -nr "$demo" "$filter" 2>/dev/null | wc -l)" = \
			"$packets" ]
	done <"$W/ids"
}

@test "changes are events: who, and what" {
	start_demo
	me="uid=$(id -u) pid=[0-9]*"
	ctl delete -p udp 2>/dev/null >"$W/gone"
	ctl set udp_timeout=44
	ctl update -p icmp -m 5 >/dev/null 2>&1
	ctl expect flush 2>/dev/null
	ctl check --deep
	ctl list >/dev/null 2>&1
	# before what they change, whatever the filter says
	ctl watch --since start -e audit,destroy,update -s 192.0.2.1 -n 4 \
		>"$W/audits" 2>/dev/null
	i=1
	for want in "delete{filter{protonum=17} rows=1}" \
		"set{item{key=.udp_timeout. value=.44.}}" \
		"update{filter{protonum=1} mark=5 mark_mask=4294967295 rows=1}" \
		"expect_flush{}"; do
		sed -n "${i}p" "$W/audits" | grep "^  \[AUDIT\] $me request=$want\$"
		i=$((i + 1))
	done
	ctl watch --since 67 -e audit,destroy -n 6 -o jsonl 2>/dev/null \
		>"$W/json"
	[ "$(jq -c '[.event, .seq]' "$W/json" | tr '\n' ' ')" = '["AUDIT",67] '"$(
		)"'["DESTROY",68] ["DESTROY",69] ["DESTROY",70] ["DESTROY",71] '"$(
		)"'["DESTROY",72] ' ]
	for o in csv xml table line,timestamp; do
		ctl watch --since 67 -e audit -n 1 -o $o 2>/dev/null |
			grep "delete{filter{protonum=17} rows=1}"
	done
	# not asked for, not told: and no number is missing
	ctl watch --since 67 -n 6 -o jsonl 2>/dev/null >"$W/json"
	[ "$(jq -c '[.event, .seq]' "$W/json" | tr '\n' ' ')" = '["DESTROY",68] '"$(
		)"'["DESTROY",69] ["DESTROY",70] ["DESTROY",71] ["DESTROY",72] '"$(
		)"'["UPDATE",73] ' ]
	# one that is still to come; a new api knows the old ones
	"$BUILD/ctctl" -R "$run_dir" watch -e audit -n 1 -o jsonl >"$W/next" \
		2>/dev/null 3>&- 4>&- &
	others+=("$!")
	follows() {
		ctl show subscribers | grep -q '^[0-9]'
	}
	try follows
	ctl flush 2>/dev/null
	wait "${others[-1]}"
	jq -e --argjson uid "$(id -u)" '.request == "flush{}" and
		.uid == $uid and .pid > 1 and .seq == 73' "$W/next"
	kill_role api
	[ "$(ctl watch --since start -e audit -n 5 2>/dev/null |
		grep -c '\[AUDIT\]')" = 5 ]
	# what may not be changed is no change
	run ctl expect watch -e audit
	[ "$status" -eq 2 ]
	ctl check --deep
}
