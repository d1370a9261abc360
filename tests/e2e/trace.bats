#!/usr/bin/env bats
# Traces: each packet of a connection, and what becomes of it.
load lib

setup() {
	e2e_setup
	capture=$W/trace.pcap
	tests/e2e/trace.py "$capture"
	rules=(-s checksum=1 -s rule.null.proto=udp -s rule.null.dport=9
		-s rule.null.notrack=1 -s rule.web.proto=tcp
		-s rule.web.dport=80 -s rule.web.mark=7)
}

teardown() {
	e2e_teardown
	[ -z "${ns-}" ] || ip netns del "$ns"
}

explain() {
	"$BUILD/ctctl" replay --explain "${rules[@]}" "$@"
}

@test "handshake, window, checksum, RST, errors, notrack, fragments" {
	explain -s 10.0.0.1 -d 10.1.0.1 "$capture" | tee "$W/got"
	diff tests/e2e/trace.ok "$W/got"
}

@test "the other direction is the same tuple; ports, protocol, ICMP's id" {
	explain -s 10.1.0.1 -d 10.0.0.1 "$capture" | diff tests/e2e/trace.ok -
	# the errors belong to what they are about
	[ "$(explain -p tcp --sport 40000 "$capture" | grep -o '^#[0-9]*' |
		tr '\n' ' ')" = "#1 #3 #4 #5 #6 #7 #8 #9 #11 #12 " ]
	[ "$(explain -p tcp --sport 80 --dport 40000:40003 "$capture" |
		grep -c '^#')" -eq 11 ]
	[ "$(explain -p udp --dport 53 --src 10.0.0.1 "$capture" |
		grep -o '^#[0-9]*' | tr '\n' ' ')" = "#15 #16 #17 " ]
	[ "$(explain -p icmp --icmp-id 4660 "$capture" | grep -c '^#')" -eq 1 ]
	[ -z "$(explain -f ipv6 "$capture")" ]
	[ "$(explain "$capture" | grep -c '^#')" -eq 20 ]
}

@test "the same lines for any number of workers" {
	for n in 1 2 4; do
		explain --workers $n "$capture" >"$W/own$n"
		explain --workers $n "$demo" >"$W/demo$n"
		diff "$W/own1" "$W/own$n"
		diff "$W/demo1" "$W/demo$n"
	done
	[ "$(grep -c '^#' "$W/demo1")" -eq 125 ]
}

@test "jsonl: an object a packet; json: an array" {
	explain -o jsonl "$capture" >"$W/l"
	explain -o json "$capture" | jq -c '.[] | del(.id)' |
		diff <(jq -c 'del(.id)' "$W/l") -
	jq -se '[.[] | select(.packet.sport == 40000 and .id) | .id] | unique |
		length == 1' "$W/l"
	jq -se 'length == 20 and .[0].frame == 1 and .[0].verdict == "new" and
		.[0].rules == [{"name": "web", "gave": "mark"}]' "$W/l"
	jq -se 'map(select(.frame == 7))[0] | .class == "invalid" and
		.direction == "original" and
		.reason == "SEQ is over upper bound 66254 " +
			"(over the window of the receiver)" and
		.before.inside == .after.inside and
		.after.inside.original.maxend == 66253' "$W/l"
	jq -se 'map(select(.quoted)) | map([.class, .quoted.sport]) ==
		[["related_reply", 40000], ["invalid", 1]]' "$W/l"
	# every frame has the class that the counters give it
	explain --table /dev/null --stats "$W/s" "$capture" >/dev/null
	for c in new established established_reply related_reply invalid \
		untracked; do
		[ "$(jq -s "map(select(.class == \"$c\")) | length" "$W/l")" \
			-eq "$(jq ".packets.$c" "$W/s")" ]
	done
	[ "$(jq .trace.packets "$W/s")" -eq 20 ]
	jq -se 'map(select(.packet.sport == 40001 and .fragments)) |
		map([.frame, .class, .verdict, .fragments, .fragment.to,
			.fragment_frames]) ==
		[[15, "fragment", "held", 1, 24, null],
		 [16, "new", "new", 2, null, [15]]]' "$W/l"
}

@test "with events, table and statistics as ever" {
	explain --events "$W/ev" --table "$W/t" "$capture" >"$W/tr"
	diff "$W/tr" <(explain "$capture")
	"$BUILD/ctctl" replay "${rules[@]}" --events "$W/ev2" --table "$W/t2" \
		"$capture"
	diff "$W/ev" "$W/ev2"
	diff <(sort "$W/t") <(sort "$W/t2")
}

@test "usage: exit 2" {
	for bad in "replay -p tcp $capture" "replay --explain --state LISTEN $capture" \
		"replay --explain -o table $capture" "trace -o xml" \
		"replay --explain --events - $capture" "trace -m 7"; do
		# shellcheck disable=SC2086
		run "$BUILD/ctctl" -R "$run_dir" $bad
		echo "$bad: $status $output"
		[ "$status" -eq 2 ]
	done
	run ctl trace -p tcp
	[ "$status" -eq 3 ]
}

@test "workers are killed: no line twice, none lost" {
	"$BUILD/tests/lib/mkflows" "$W/big.pcap" 50 60000
	explain --workers 2 -o jsonl "$W/big.pcap" | jq -c 'del(.id)' >"$W/want"
	[ "$(wc -l <"$W/want")" -eq 60000 ]
	explain --workers 2 -o jsonl "$W/big.pcap" >"$W/raw" 3>&- &
	others=($!)
	kills=0
	for ((i = 0; i < 400; i++)); do
		p=$(cat "$W"/ctctl.*/pid 2>/dev/null) || p=
		[ -n "$p" ] || { kill -0 "${others[0]}" 2>/dev/null || break; continue; }
		w=$(pgrep -P "$p" -f '^ctshardd: worker' | shuf -n 1) || continue
		kill -KILL "$w" 2>/dev/null && kills=$((kills + 1))
		[ "$kills" -lt 4 ] || break
		sleep 0.1
	done
	wait "${others[0]}"
	others=()
	echo "$kills kills"
	[ "$kills" -gt 0 ]
	jq -c 'del(.id)' "$W/raw" | cmp - "$W/want"
}

live() {
	need_root "for network namespaces"
	command -v tcpreplay >/dev/null || skip "there is no tcpreplay"
	ns=e2e$$
	ip netns add "$ns"
	ip netns exec "$ns" sh -c '
		sysctl -qw net.ipv6.conf.default.disable_ipv6=1
		ip link add tx0 type veth peer name rx0 &&
		ip link set tx0 up && ip link set rx0 up'
	ip netns exec "$ns" "$BUILD/ctshardd" -R "$run_dir" -i rx0 \
		"${rules[@]}" "$@" 2>>"$W/log" 3>&- 4>&- &
	pid=$!
	try ready_or_dead
	answers || { cat "$W/log"; return 1; }
}

# Without numbers, times and what is left of a timeout.
untimed() {
	sed -E 's/^(#[0-9]+|[0-9:]+\.[0-9]+) ([0-9]+\.[0-9]+ )?//
		s/\(timeout ([0-9]+)\.[0-9]+\)/(timeout N)/
		s/\(timeout 4(32000|31999)\)/(timeout N)/
		s/ \(#[0-9 #.]+\)//'
}

tracing_are() {
	[ "$(ctl show subscribers -o json 2>/dev/null | grep -c '"trace"')" \
		-eq "$1" ]
}

# A trace in the background; what it tells goes to FILE.
tracing() {
	local file=$1
	shift
	"$BUILD/ctctl" -R "$run_dir" trace "$@" >"$file" 2>>"$W/err" 3>&- 4>&- &
	others+=($!)
}

@test "live: the lines of the capture, also of two workers" {
	live -w 2 -s tcp.mode=strict
	tracing "$W/live" -s 10.0.0.1 -d 10.1.0.1 -n 19
	try tracing_are 1
	ip netns exec "$ns" taskset -c "$cpu" tcpreplay -q -i tx0 -p 20 "$capture" >/dev/null 2>&1
	wait "${others[0]}"
	others=()
	# an error may come to the other worker, which sees the connection a
	# moment earlier or later
	stateless() {
		sed -E '/ icmp type /s/, [A-Z_]+ \(timeout/, STATE (timeout/'
	}
	untimed <"$W/live" | stateless | sort >"$W/l"
	explain -s 10.0.0.1 -d 10.1.0.1 "$capture" | untimed | stateless |
		sort >"$W/c"
	diff "$W/c" "$W/l"
	# who has left is traced no more
	n=$(ctl stats -o json | jq .trace.packets)
	ip netns exec "$ns" taskset -c "$cpu" tcpreplay -q -i tx0 -p 2000 "$capture" >/dev/null 2>&1
	try frames_are 40
	[ "$(ctl stats -o json | jq .trace.packets)" -eq "$n" ]
	run ctl trace
	[ "$status" -eq 2 ]
}

@test "four at once, and no more; a fifth has its turn when one has gone" {
	live
	for i in 1 2 3 4; do
		tracing /dev/null -p tcp --dport "$i"
	done
	try tracing_are 4
	run ctl trace -p tcp --dport 9
	[ "$status" -eq 1 ]
	[[ "$output" == *"4 are under way"* ]]
	kill -TERM "${others[0]}"
	wait "${others[0]}"
	try tracing_are 3
	tracing /dev/null -p tcp --dport 9
	try tracing_are 4
	# the api's death ends them, and the next one traces nothing
	kill_role api
	for p in "${others[@]:1}"; do
		code=0
		wait "$p" || code=$?
		[ "$code" -eq 3 ]
	done
	try tracing_are 0
	others=()
}
