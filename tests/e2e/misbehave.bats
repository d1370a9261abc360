#!/usr/bin/env bats
# A role that has been taken over writes over all that it may write, while the
# others work.  They may be wrong about connections then; but none may crash or
# run away, the daemon goes on, and a fresh table is in order.
load lib

setup() {
	e2e_setup
	need_root "for network namespaces"
	command -v tcpreplay >/dev/null || skip "there is no tcpreplay"
	ns=mad$$
	ip netns add "$ns"
	ip netns exec "$ns" sh -c '
		sysctl -qw net.ipv6.conf.default.disable_ipv6=1
		ip link add tx0 type veth peer name rx0 &&
		ip link set tx0 up && ip link set rx0 up'
}

teardown() {
	e2e_teardown
	[ -z "${ns-}" ] || ip netns del "$ns"
	! grep -E 'Sanitizer|runtime error' "$W/log"
}

live() {
	ip netns exec "$ns" "$BUILD/ctshardd" -R "$run_dir" -i rx0 -w 2 \
		-s max=4096 -s event.ring=64k -s event.log=1M \
		-s stall_kill=20s "$@" 2>>"$W/log" 3>&- 4>&- &
	pid=$!
	try ready_or_dead
	answers || { cat "$W/log"; return 1; }
}

ask() {
	local rc=0
	timeout 30 "$BUILD/ctctl" -R "$run_dir" "$@" >/dev/null 2>>"$W/said" ||
		rc=$?
	[ $rc != 124 ] || echo "no end: $*" >>"$W/hung"
}

# what clients ask; only that it ends counts here
clients() {
	while :; do
		ask list -o jsonl
		ask stats
		ask show memory
		ask list expect
		ask check
		ask -D -p udp
		[ ! -e "$W/enough" ] || return 0
	done
}

alone() { # the processes of before, and nobody died
	[ "$(pgrep -P "$(cat "$run_dir/pid")" | sort | tr '\n' ' ')" = "$1" ]
}

mad() { # WHO SEED WRITES
	local before
	live
	"$BUILD/tests/lib/mkflows" "$W/flows.pcap" 3000 300000
	ip netns exec "$ns" taskset -c "$cpu" tcpreplay -q -i tx0 --pps 20000 \
		"$W/flows.pcap" >/dev/null 2>&1 3>&- 4>&- &
	others+=("$!")
	timeout 120 "$BUILD/ctctl" -R "$run_dir" events -o jsonl \
		>"$W/events" 2>&1 3>&- 4>&- &
	others+=("$!")
	rm -f "$W/enough"
	clients 3>&- 4>&- &
	others+=("$!")
	before=$(pgrep -P "$(cat "$run_dir/pid")" | sort | tr '\n' ' ')
	"$BUILD/tests/lib/mkscribble" "/dev/shm/ctshardd.$(segment_hash)" \
		"$1" "$2" "$3"
	touch "$W/enough"
	wait "${others[2]}"
	cat "$W/log"
	[ ! -e "$W/hung" ] || { cat "$W/hung" && false; }
	alone "$before"
	# it still answers, and still ends
	try answers
	stop
	run ! grep -E 'died of|sign of life|giving up' "$W/log"
}

@test "a worker writes over tables, rings and pages: nobody crashes or hangs" {
	for seed in ${MISBEHAVE_SEEDS:-1 2 3}; do
		: >"$W/log"
		mad worker "$seed" 400000
		"$BUILD/ctshardd" -R "$run_dir" --remove-table
	done
	live
	ctl check --deep
}

@test "the api writes over log and commands: workers and reaper go on" {
	for seed in ${MISBEHAVE_SEEDS:-1 2}; do
		: >"$W/log"
		mad api "$seed" 400000
		"$BUILD/ctshardd" -R "$run_dir" --remove-table
	done
}
