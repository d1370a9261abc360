#!/usr/bin/env bats
# A live interface: one end of a veth pair in a namespace of its own.
load lib

setup() {
	e2e_setup
	mirror_ports 1
}

teardown() { e2e_teardown; }

live() {
	start_within -i rx0 "$@"
}

send() {
	within_one tcpreplay -q -i tx0 -p 2000 "$1" >/dev/null 2>&1
}

# Without times: those of a live source are of the day.  A datagram's stream
# is assured when it has lasted (F142), and here nothing lasts.
tuples() {
	sed -E 's/^ *//; s/^([a-z0-9]+ +[0-9]+) [0-9]+ /\1 /
		/^udp/s/ \[ASSURED\]//' "$@" | sort
}

uses() {
	sed 's/ use=[123]$//' "$1" | sort
}

@test "tcpreplay of a capture: the list of the capture" {
	command -v tcpreplay >/dev/null || skip "there is no tcpreplay"
	live -s tcp.mode=strict
	send "$demo"
	try frames_are 125
	ctl list 2>/dev/null | tuples >"$W/got"
	# sent at once, not within the 36 seconds of the capture, so what
	# expires there is still here
	"$BUILD/ctctl" replay "$demo" | tuples >"$W/want"
	comm -13 "$W/got" "$W/want" | tee "$W/missing"
	[ ! -s "$W/missing" ]
	[ "$(comm -23 "$W/got" "$W/want" | grep -v '10.0.0.9 dst=10.0.1.9' |
		grep -vc '^$')" -eq 0 ]
	ctl stats -o json | jq -e '.drops.kernel_ring == 0 and
		.drops.interface == 0 and
		([.packets[], .drops.decode[]] | add) == .frames'
	ctl check --deep
}

# Between workers of a live source there is no order but time; on a machine
# that lets one of them wait for long it is not kept.  One try of a few is.
undisturbed() {
	local i
	for i in 1 2 3 4 5; do
		"$@" && return
		echo "try $i: disturbed, or wrong"
		stop
		"$BUILD/ctshardd" -R "$run_dir" --remove-table
	done
	return 1
}

shared() {
	live -w 2 -s tcp.mode=strict || return
	send "$demo"
	try frames_are 125 || return
	ctl stats -o json | jq -e '(.workers | length) == 2 and
		all(.workers[]; .frames > 0) and
		([.workers[].frames] | add) == 125' || return
	ctl list 2>/dev/null | tuples >"$W/got"
	"$BUILD/ctctl" replay "$demo" | tuples >"$W/want"
	# A data connection's worker may be ahead of the one that reads of it,
	# so how many were expected is not fixed here.
	comm -13 <(uses "$W/got") <(uses "$W/want") | tee "$W/missing"
	[ ! -s "$W/missing" ]
}

@test "two workers share an interface: nothing twice, nothing lost" {
	command -v tcpreplay >/dev/null || skip "there is no tcpreplay"
	undisturbed shared
	kill_role "worker 1"
	ctl list 2>/dev/null | tuples | diff "$W/got" -
}

# Transfers of TFTP: each request announces a connection from any port of the
# server, which comes right behind it, as often as not on the other socket.
transfers() {
	/usr/bin/python3 - "$1" "$2" <<-'END'
	import random, struct, sys
	def ip(s):
	    return bytes(map(int, s.split('.')))
	def udp(src, dst, sport, dport, data):
	    n = 8 + len(data)
	    h = struct.pack('>BBHHHBBH', 0x45, 0, 20 + n, 0, 0, 64, 17, 0) + \
	        ip(src) + ip(dst)
	    s = sum(struct.unpack('>10H', h))
	    s = (s & 0xffff) + (s >> 16)
	    h = h[:10] + struct.pack('>H', ~(s + (s >> 16)) & 0xffff) + h[12:]
	    return b'\2' * 12 + b'\x08\0' + h + \
	        struct.pack('>HHHH', sport, dport, n, 0) + data
	n, f = int(sys.argv[2]), open(sys.argv[1], 'wb')
	rnd = random.Random(n)
	f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
	for i in range(n):
	    client = '10.1.%d.%d' % (i // 250, 1 + i % 250)
	    server = '10.200.0.%d' % (1 + i % 5)
	    a, b = rnd.randrange(1024, 60000), rnd.randrange(1024, 60000)
	    for p in (udp(client, server, a, 69, b'\0\1f\0octet\0'),
	              udp(server, client, b, a, b'\0\3\0\1data')):
	        f.write(struct.pack('<IIII', 1700000000, i, len(p), len(p)) + p)
	END
}

announced() {
	live -w 2 || return
	# the servers are known to talk with a helper
	send "$W/some.pcap"
	try frames_are 10 || return
	before=$(ctl stats -o json | jq .expect_new)
	within_one tcpreplay -q -i tx0 -t \
		"$W/all.pcap" >/dev/null 2>&1
	try frames_are 2010 || return
	ctl stats -o json >"$W/s"
	jq -e --argjson b "$before" '.expect_new - $b == 1000 and
		all(.workers[]; .expect_new > 100)' "$W/s" ||
		{ jq -c '[.expect_new, .workers[].expect_new]' "$W/s"; false; }
}

@test "two workers: what one announces the other expects, at full speed" {
	command -v tcpreplay >/dev/null || skip "there is no tcpreplay"
	transfers "$W/some.pcap" 5
	transfers "$W/all.pcap" 1000
	undisturbed announced
}

@test "-F: only what matches is tracked" {
	command -v tcpreplay >/dev/null || skip "there is no tcpreplay"
	live -F 'udp port 53'
	send "$demo"
	dns() {
		[ "$(ctl list 2>/dev/null | grep -c dport=53)" -eq 2 ]
	}
	try dns
	run --separate-stderr ctl list
	[ "${#lines[@]}" -eq 2 ]
	run within "$BUILD/ctshardd" -R "$W/other" -i rx0 \
		-F 'no such filter'
	[ "$status" -ne 0 ]
	[[ "$output" == *filter* || "$output" == *syntax* ]]
}

@test "one ping is seen as it comes: list and watch" {
	ip -n "$ns" addr add 192.0.2.1/24 dev tx0
	ip -n "$ns" neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tx0
	live
	"$BUILD/ctctl" -R "$run_dir" watch -e new -n 1 \
		>"$W/event" 2>/dev/null 3>&- 4>&- &
	watch=$!
	others+=("$watch")
	subscribed() {
		ctl show subscribers | grep -q .
	}
	try subscribed
	within /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.sendto(bytes.fromhex("0800f7ff00000000"), ("192.0.2.2", 0))'
	seen() {
		ctl list -p icmp 2>/dev/null | grep -q 'dst=192.0.2.2 type=8'
	}
	try seen
	wait "$watch"
	grep -q '\[NEW\] icmp .*dst=192.0.2.2 type=8' "$W/event"
}

# The relation is to a pause of 100 ms, by the clock of who sends and sees.
soon() {
	within /usr/bin/python3 tests/lib/pings.py tx0 8 \
		"$BUILD/ctctl" -R "$run_dir" watch -e new | tee "$W/pings"
	jq -e '.within_pause * 2 > .pings' "$W/pings"
}

@test "pings one by one: most are told before the pause behind them is over" {
	live
	TRIES=5 try soon
}
