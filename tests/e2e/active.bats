#!/usr/bin/env bats
# active_timeout: connections that last tell what they count, and what they tell
# adds up, whoever dies in between.
load lib

setup() {
	e2e_setup
	need_root "for network namespaces"
	ns=e2e$$
	ip netns add "$ns"
	ip netns exec "$ns" sh -c '
		sysctl -qw net.ipv6.conf.default.disable_ipv6=1
		ip link add tx0 type veth peer name rx0 &&
		ip link set tx0 up && ip link set rx0 up &&
		ip addr add 192.0.2.1/24 dev tx0 &&
		ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev tx0'
}

teardown() {
	e2e_teardown
	[ -z "${ns-}" ] || ip netns del "$ns"
}

# $1 datagrams at most, each 10 ms, on one connection; until it is told to end,
# and then says how many they were
talk() {
	ip netns exec "$ns" taskset -c "$cpu" /usr/bin/python3 -c '
import signal, socket, sys, time
go = [True]
signal.signal(signal.SIGTERM, lambda *_: go.clear())
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("192.0.2.1", 4000))
n = 0
while go and n < int(sys.argv[1]):
    s.sendto(b"x" * (n % 50), ("192.0.2.2", 4001))
    n += 1
    time.sleep(0.01)
print(n)' "$1" >"$W/sent" 3>&- 4>&- &
	others+=("$!")
	talker=$!
}

# all of it is in the table
arrived() {
	[ "$(ctl list -p udp --dport 4001 -o json 2>/dev/null |
		jq '.[0].original.packets')" = "$(cat "$W/sent")" ]
}

updates() { # at least $1 of them tell what was counted
	[ "$(grep -c '"event":"UPDATE".*delta_packets' "$W/said")" -ge "$1" ]
}

@test "what is told adds up, also when the reaper is killed in between" {
	ip netns exec "$ns" "$BUILD/ctshardd" -R "$run_dir" -i rx0 \
		-s active_timeout=1 2>>"$W/log" 3>&- 4>&- &
	pid=$!
	try ready_or_dead
	answers || { cat "$W/log"; false; }
	"$BUILD/ctctl" -R "$run_dir" watch -o jsonl,wide -p udp --dport 4001 \
		>"$W/said" 2>"$W/err" 3>&- 4>&- &
	others+=("$!")
	subscribed() { ctl show subscribers | grep -q .; }
	try subscribed
	talk 6000
	try updates 2
	kill_role reaper
	try updates 4
	# a longer turn, set at run time, and none at all
	ctl set active_timeout=3000 2>/dev/null
	kill "$talker"
	wait "$talker"
	try arrived
	ctl delete -p udp --dport 4001 2>/dev/null
	try grep -q '"event":"DESTROY"' "$W/said"
	jq -es 'map(select(.original.dport == 4001)) |
		(map(select(.original.delta_packets)) | length >= 5) and
		(last | .event == "DESTROY" and .original.packets > 100) and
		(map(.original.delta_packets // 0) | add) == last.original.packets and
		(map(.original.delta_bytes // 0) | add) == last.original.bytes and
		(map(.reply.delta_packets // 0) | add) == 0' "$W/said"
	# one that lasts shorter: its end has all of it
	talk 5
	wait "$talker"
	try arrived
	ctl delete -p udp --dport 4001 2>/dev/null
	ends() { [ "$(grep -c '"event":"DESTROY"' "$W/said")" = 2 ]; }
	try ends
	jq -es 'last.original | .delta_packets == 5 and
		.delta_bytes == .bytes' "$W/said"
}
