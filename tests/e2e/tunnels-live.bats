#!/usr/bin/env bats
# Tunnels on a live interface: the kernel gives each worker the packets of its
# own connections, though all come between the same two addresses.
load lib

setup() {
	e2e_setup
	command -v tcpreplay >/dev/null || skip "there is no tcpreplay"
	/usr/bin/python3 -c 'import scapy.all' 2>/dev/null ||
		skip "python3-scapy is not installed"
	mirror_ports 1
	ip -n "$ns" link set tx0 mtu 3000
	ip -n "$ns" link set rx0 mtu 3000
}

teardown() { e2e_teardown; }

live() {
	start_within -i rx0 "$@"
}

# Without times, and without what depends on them (F142).
tuples() {
	sed -E 's/^ *//; s/^([a-z0-9]+ +[0-9]+) [0-9]+ /\1 /
		/^udp/s/ \[ASSURED\]//' "$@" | sort
}

# A live run of this capture has the list of the plain one.
compare() { # NAME DECAP
	/usr/bin/python3 tests/e2e/tunnels.py "$1" "$W/$1.pcap"
	/usr/bin/python3 tests/e2e/tunnels.py plain "$W/plain.pcap"
	live -w 2 -s tcp.mode=strict -s "decap=$2"
	within_one tcpreplay -q -i tx0 -p 2000 "$W/$1.pcap" \
		>/dev/null 2>&1
	"$BUILD/ctctl" replay "$W/plain.pcap" | tuples >"$W/want"
	try frames_are "$("$BUILD/ctctl" replay --table /dev/null \
		--stats /dev/stdout "$W/plain.pcap" | jq .frames)"
	ctl list 2>/dev/null | tuples >"$W/got"
	diff "$W/want" "$W/got"
	ctl check --deep
}

@test "VXLAN: shared by the packets inside" {
	compare vxlan vxlan
	ctl stats -o json | jq -e 'all(.workers[]; .frames > 0)'
}

@test "VLANs, ERSPAN and VXLAN in each other: shared by the packets inside" {
	compare erspan-qinq-vxlan erspan,vxlan
	ctl stats -o json | jq -e 'all(.workers[]; .frames > 0)'
}

@test "three in each other: one worker has them, and all are there" {
	compare vxlan-geneve-gtpu vxlan,geneve,gtpu
}
