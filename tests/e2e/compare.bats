#!/usr/bin/env bats
# ctctl compare: two hosts on a wire, the second of which tracks in its kernel
# and, on the same interface, with ctshardd.
load lib

setup() {
	e2e_setup
	need_root "for network namespaces"
	command -v conntrack >/dev/null || skip "there is no conntrack"
	command -v nft >/dev/null || skip "there is no nft"
	a=cmpa$$ b=cmpb$$
	ip netns add $a
	ip netns add $b
	ip link add tx0 netns $a type veth peer name rx0 netns $b
	ip netns exec $a sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	ip netns exec $b sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	ip -n $a addr add 10.78.0.1/24 dev tx0
	ip -n $b addr add 10.78.0.2/24 dev rx0
	ip -n $a link set tx0 up
	ip -n $b link set rx0 up
	ip -n $b link set lo up
	in_b nft add table inet t
	in_b nft add chain inet t c '{ type filter hook prerouting priority 0; }'
	in_b nft add rule inet t c ct state new counter
}

teardown() {
	e2e_teardown
	ip netns del $a 2>/dev/null || :
	ip netns del $b 2>/dev/null || :
}

in_b() {
	ip netns exec $b "$@"
}

compare() {
	in_b "$BUILD/ctctl" -R "$run_dir" compare --settle 200ms "$@"
}

# Conversations that stay open, and some that end.
talk() {
	ip netns exec $b /usr/bin/python3 - "$W/up" <<-'END' 3>&- 4>&- &
	import signal, socket, sys, threading
	signal.alarm(100)
	def serve(c):
	    while True:
	        d = c.recv(100)
	        if not d:
	            break
	        c.send(d)
	    c.close()
	s = socket.create_server(('10.78.0.2', 7000), backlog=64)
	u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	u.bind(('10.78.0.2', 7001))
	def echo():
	    while True:
	        d, peer = u.recvfrom(100)
	        u.sendto(d, peer)
	threading.Thread(target=echo, daemon=True).start()
	open(sys.argv[1], 'w')
	while True:
	    threading.Thread(target=serve, args=(s.accept()[0],),
	                     daemon=True).start()
	END
	others+=($!)
	try test -e "$W/up"
	ip netns exec $a /usr/bin/python3 - "$W/talked" \
		<<-'END' 3>&- 4>&- &
	import signal, socket, sys, time
	signal.alarm(100)
	held = []
	for i in range(20):
	    c = socket.create_connection(('10.78.0.2', 7000))
	    c.send(b'hello')
	    c.recv(100)
	    if i % 4:
	        held.append(c)
	    else:
	        c.close()
	    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	    u.connect(('10.78.0.2', 7001))
	    u.send(b'hello')
	    u.recv(100)
	    held.append(u)
	open(sys.argv[1], 'w')
	while True:
	    for c in held:
	        c.send(b'again')
	        c.recv(100)
	    time.sleep(0.05)
	END
	others+=($!)
	try test -e "$W/talked"
}

same() {
	compare 2>"$W/said"
}

@test "compare: the kernel's table and ours, live, and each difference" {
	ip netns exec $b "$BUILD/ctshardd" -R "$run_dir" -i rx0 -s helpers=off \
		2>>"$W/log" 3>&- 4>&- &
	pid=$!
	try ready_or_dead
	answers || { cat "$W/log"; false; }
	# nothing on either side
	talk
	run compare
	[[ $output != *libnetfilter_conntrack* ]] || skip "no such library"
	try same || { compare; cat "$W/log"; false; }
	n=$(sed -n 's/^ctctl: \([0-9]*\) connections are the same, 0 differ.$/\1/p' \
		"$W/said")
	[ "$n" -ge 35 ]

	# one that only ctshardd has, and one that only the kernel has
	ctl add -p tcp -s 10.9.0.1 -d 10.9.0.2 --sport 1 --dport 2 -t 600 \
		--state ESTABLISHED -u SEEN_REPLY,ASSURED
	in_b conntrack -I -p udp -s 10.9.0.3 -d 10.9.0.4 --sport 3 --dport 4 \
		-t 600 2>/dev/null
	# and of those that both have: a state, a status, a direction
	ctl add -p tcp -s 10.9.0.5 -d 10.9.0.6 --sport 5 --dport 6 -t 600 \
		--state ESTABLISHED -u SEEN_REPLY,ASSURED
	in_b conntrack -I -p tcp -s 10.9.0.5 -d 10.9.0.6 --sport 5 --dport 6 \
		-t 600 --state CLOSE_WAIT -u SEEN_REPLY,ASSURED 2>/dev/null
	ctl add -p udp -s 10.9.0.7 -d 10.9.0.8 --sport 7 --dport 8 -t 600
	in_b conntrack -I -p udp -s 10.9.0.7 -d 10.9.0.8 --sport 7 --dport 8 \
		-t 600 -u SEEN_REPLY,ASSURED 2>/dev/null
	ctl add -p udp -s 10.9.0.9 -d 10.9.0.10 --sport 9 --dport 10 -t 600
	in_b conntrack -I -p udp -s 10.9.0.10 -d 10.9.0.9 --sport 10 \
		--dport 9 -t 600 2>/dev/null
	# translated, and the same on our side of the wire
	ctl add -p udp -s 10.9.0.11 -d 10.9.0.12 --sport 11 --dport 12 -t 600
	in_b conntrack -I -p udp -s 10.9.0.13 -d 10.9.0.12 --sport 11 \
		--dport 12 -t 600 --reply-src 10.9.0.12 --reply-dst 10.9.0.11 \
		--reply-port-src 12 --reply-port-dst 11 2>/dev/null
	run --separate-stderr compare
	echo "$output"
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 5 ]
	[[ $output == *"  [EXTRA] tcp "*"src=10.9.0.1 "* ]]
	[[ $output == *"[MISSING] udp "*"src=10.9.0.3 "* ]]
	[[ $output == *"[STATE] kernel=CLOSE_WAIT tcp "*" ESTABLISHED src=10.9.0.5 "* ]]
	[[ $output == *"[STATUS] kernel=ASSURED udp "*"src=10.9.0.7 "* ]]
	[[ $output == *"[TURNED] udp "*"src=10.9.0.9 "* ]]
	[[ $stderr == *" connections are the same, 5 differ."* ]]
	compare -o json 2>/dev/null >"$W/json" || [ $? -eq 1 ]
	jq -e '(map(.difference) | sort) == ["extra", "missing", "state",
		"status", "turned"] and
		(.[] | select(.difference == "state") |
		.tracker.state == "ESTABLISHED" and
		.kernel.state == "CLOSE_WAIT")' "$W/json"
	/usr/bin/python3 tests/lib/schema.py docs/ctctl.schema.json \
		differences <"$W/json"
	compare -o jsonl 2>/dev/null >"$W/json" || [ $? -eq 1 ]
	/usr/bin/python3 tests/lib/schema.py docs/ctctl.schema.json \
		difference <"$W/json"
	[ "$(wc -l <"$W/json")" -eq 5 ]
	# one filter for both sides
	compare -s 10.78.0.0/16
	compare -p tcp -d 10.78.0.2
	run --separate-stderr compare -s 10.9.0.5
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 1 ]
	run compare -o xml
	[ "$status" -eq 2 ]
	# a right is missing: said, and no difference is claimed
	chmod 666 "$run_dir/api.sock"
	run --separate-stderr in_b setpriv --reuid 65534 --regid 65534 \
		--clear-groups "$BUILD/ctctl" -R "$run_dir" compare
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	[[ $stderr == *"the kernel's table: "* ]]
}

@test "compare: without a daemon 3" {
	run compare
	[ "$status" -eq 3 ]
}
