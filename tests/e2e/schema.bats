#!/usr/bin/env bats
# docs/ctctl.schema.json describes what ctctl prints, verb by verb.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

agrees() { # DEFINITION, JSON on stdin
	/usr/bin/python3 tests/lib/schema.py docs/ctctl.schema.json "$1"
}

@test "the judge finds what does not fit" {
	agrees count <<<'{"key":"tcp","count":1}'
	for bad in '{"count":"1"}' '{"key":"tcp"}' '{"count":1,"x":1}' '[]' ''; do
		run ! agrees count <<<"$bad"
	done
	agrees events <<<'[{"event":"GAP","from":1,"to":3,"lost":1,"source":"log"}]'
	run ! agrees events <<<'[{"event":"GAP","from":1,"to":3,"lost":1}]'
	run ! agrees connections <<<'[{"id":17}]'
}

@test "what each verb prints is what the schema says" {
	start_demo -w 2
	id=$(ctl list -o json 2>/dev/null | jq -r '.[0].id')
	while read -r what verb; do
		for o in json json,id,labels,wide,community-id; do
			# shellcheck disable=SC2086
			ctl $verb -o $o >"$W/json" 2>/dev/null || [ $? = 4 ]
			agrees "$what" <"$W/json" ||
				{ echo "$verb -o $o"; cat "$W/json"; false; }
		done
	done <<-END
	connections list
	connections list -s 192.0.2.1
	connections get --id $id
	counts count
	counts count --by proto
	events watch --since start -n 67
	events watch --snapshot -n 17
	stats stats
	tops stats --top dport
	show show workers shards subscribers config memory mirror version protocols
	show show udp_timeout
	expectations expect list
	expectation_events expect watch --since start -n 2
	faults check --deep
	connections replay $demo
	END
	# one a line, all the formats of which lines are known
	ctl list -o jsonl 2>/dev/null | agrees connection
	"$BUILD/ctctl" -R "$run_dir" watch --snapshot -o jsonl,wide \
		2>/dev/null >"$W/json" 3>&- 4>&- &
	others+=("$!")
	try grep -q LIST_END "$W/json"
	ctl delete -p icmp >/dev/null 2>&1
	try grep -q DESTROY "$W/json"
	kill "$!" # at the end of a line
	wait "$!"
	agrees event <"$W/json"
	"$BUILD/ctctl" replay --explain -o jsonl "$demo" | agrees trace
	"$BUILD/ctctl" replay --stats - --table /dev/null "$demo" | agrees stats
	"$BUILD/ctctl" replay --events - --table /dev/null -o jsonl "$demo" |
		agrees event
}
