#!/usr/bin/env bats
# Death in the middle of the work: of any role, of all, again and again.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

PACKETS=4000000
FLOWS=20000

middle() {
	local n
	n=$(frames)
	[ -n "$n" ] && [ "$n" -lt $PACKETS ]
}

# Events of all lives in one file: numbers without a hole, one NEW for each.
judge_events() {
	/usr/bin/python3 - "$1" "$2" <<-'END'
	import json, sys
	last, born = 0, set()
	for line in open(sys.argv[1]):
	    e = json.loads(line)
	    assert e['event'] != 'GAP', e
	    assert e['seq'] == last + 1, (last, e)
	    last = e['seq']
	    if e['event'] == 'NEW':
	        assert e['id'] not in born, e
	        born.add(e['id'])
	    else:
	        assert e['id'] in born, e
	assert len(born) == int(sys.argv[2]), len(born)
	END
}

# One client through all that follows.
follow() {
	"$BUILD/ctctl" -R "$run_dir" watch --since start -o jsonl \
		>"$W/events" 2>"$W/watch.log" 3>&- 4>&- &
	watch=$!
	others+=("$watch")
}

@test "a capture under kill -9: the table and the events of an undisturbed one" {
	"$BUILD/tests/lib/mkflows" "$W/big.pcap" $FLOWS $PACKETS
	"$BUILD/ctctl" replay "$W/big.pcap" | sort >"$W/want"
	[ "$(wc -l <"$W/want")" -eq $FLOWS ]
	hits=0
	for i in {1..12}; do
		spawn -w 2 -r "$W/big.pcap"
		try ready_or_dead
		[ "$i" -gt 1 ] || follow
		middle && hits=$((hits + 1))
		case $((i % 4)) in
		0) kill -KILL "$(role "worker 0")" ;;
		1) kill -KILL "$(role "worker 1")" "$(role reaper)" ;;
		2) kill -KILL "$(role reaper)" ;;
		esac
		[ $((i % 3)) -eq 0 ] || try answers
		kill -KILL "$pid"
		wait "$pid" || :
		pid=
	done
	echo "$hits deaths in the middle of the capture"
	[ "$hits" -ge 2 ]
	start -w 2 -r "$W/big.pcap"
	for r in "worker 0" "worker 1" api reaper; do
		kill_role "$r"
	done
	try frames_are $PACKETS
	ctl list 2>/dev/null | sort >"$W/got"
	cmp "$W/want" "$W/got"
	ctl check --deep
	seen() {
		[ "$(jq -n 'last(inputs).seq' "$W/events" 2>/dev/null)" = \
			"$(ctl stats -o json |
			jq '.events | .new + .update + .destroy')" ]
	}
	try seen || { tail -n 1 "$W/events"; cat "$W/watch.log"; false; }
	kill -TERM "$watch"
	wait "$watch"
	judge_events "$W/events" $FLOWS
	grep -qE 'resume with --since [0-9a-f-]{36}:[0-9]+$' "$W/watch.log"
}

@test "a client that resumes by its number misses nothing over a death" {
	start_demo
	run --separate-stderr ctl watch --since start -n 10 -o jsonl
	[ "$status" -eq 0 ]
	printf '%s\n' "$output" >"$W/events"
	since=$(sed -n 's/.*--since //p' <<<"$stderr")
	kill -KILL "$pid"
	wait "$pid" || :
	start_demo
	left=$(($(ctl stats -o json |
		jq '.events | .new + .update + .destroy') - 10))
	ctl watch --since "$since" -n "$left" -o jsonl >>"$W/events"
	/usr/bin/python3 - "$W/events" <<-'END'
	import json, sys
	e = [json.loads(l) for l in open(sys.argv[1])]
	assert [x['seq'] for x in e] == list(range(1, len(e) + 1))
	END
}

@test "a daemon that goes: --no-reconnect ends with 3" {
	start_demo
	"$BUILD/ctctl" -R "$run_dir" watch --no-reconnect \
		2>/dev/null 3>&- 4>&- &
	watch=$!
	others+=("$watch")
	subscribed() {
		ctl show subscribers | grep -q .
	}
	try subscribed
	kill -KILL "$pid"
	wait "$pid" || :
	pid=
	status=0
	wait "$watch" || status=$?
	[ "$status" -eq 3 ]
}

@test "a worker that is stopped is replaced" {
	start_demo -s stall_kill=300ms
	old=$(role "worker 0")
	kill -STOP "$old"
	try role_is_new "worker 0" "$old"
	grep -q "worker 0 (pid $old): it shows no sign of life; killed" \
		"$W/log"
	try answers
	frames_are 125
	ctl check --deep
}

@test "a role that crashes ten times ends the daemon with 1" {
	start_demo
	before=$(ctl list 2>/dev/null | sort)
	for _ in {1..10}; do
		old=$(role reaper)
		kill -SEGV "$old"
		again() {
			role_is_new reaper "$old" || gone
		}
		gone() {
			! kill -0 "$pid" 2>/dev/null
		}
		try again
		gone && break
	done
	status=0
	wait "$pid" || status=$?
	pid=
	[ "$status" -eq 1 ]
	# the table is left, and good
	start_demo
	[ "$(ctl list 2>/dev/null | sort)" = "$before" ]
	ctl check --deep
}

@test "all roles die at once" {
	start_demo -w 2
	before=$(ctl list 2>/dev/null | sort)
	mapfile -t all < <(pgrep -P "$pid")
	kill -KILL "${all[@]}"
	fresh() {
		local p
		for p in $(pgrep -P "$pid"); do
			[[ " ${all[*]} " != *" $p "* ]] || return 1
		done
		[ "$(pgrep -c -P "$pid")" -eq ${#all[@]} ] && answers
	}
	try fresh
	[ "$(ctl list 2>/dev/null | sort)" = "$before" ]
	ctl check --deep
}
