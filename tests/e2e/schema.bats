#!/usr/bin/env bats
# docs/ctctl.schema.json describes what ctctl prints, verb by verb.
load lib

setup() {
	e2e_setup
	ns=
}

teardown() {
	e2e_teardown
	[ -z "$ns" ] || ip netns del "$ns"
}

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

# What the schema says that VERB prints: json or jsonl.
prints() {
	jq -er --arg verb "$1" --arg o "$2" '.verbs[$verb][$o]' \
		docs/ctctl.schema.json
}

@test "what each verb prints is what the schema says" {
	start_demo -w 2 -s history=1M -s history_file="$W/history"
	id=$(ctl list -p tcp -o json 2>/dev/null | jq -r '.[0].id')
	ctl delete -p icmpv6 >/dev/null 2>&1
	try ctl history -n 1 >"$W/seen" 2>/dev/null
	: >"$W/done"
	while IFS='|' read -r verb args; do
		for o in json jsonl,id,labels,wide,community-id; do
			what=$(prints "$verb" "${o%%,*}")
			# shellcheck disable=SC2086
			ctl ${verb%% *} $args -o $o >"$W/json" 2>"$W/err" ||
				[ $? = 4 ]
			# nothing is no line; all else must be what it is
			if [ ! -s "$W/json" ] && [ "${o%%,*}" = jsonl ] &&
				[[ "$verb" =~ ^(check|delete|update|list)$ ]]; then
				continue
			fi
			agrees "$what" <"$W/json" ||
				{ echo "$verb -o $o"; cat "$W/json" "$W/err"; false; }
			# one a line, each by itself
			[ "${o%%,*}" = json ] ||
				[ "$(wc -l <"$W/json")" = "$(jq -c . "$W/json" | wc -l)" ]
		done
		echo "$verb" >>"$W/done"
	done <<-END
	list|
	list|-s 192.0.2.1
	get|--id $id
	history|
	count|
	count|--by proto
	watch|--since start -n 67
	watch|--snapshot -n 16
	stats|
	stats --top|--top dport
	show|workers shards subscribers config memory mirror recorder version protocols check
	show|udp_timeout
	expect list|list
	expect count|count
	expect watch|watch --since start -n 2
	check|--deep
	update|-p udp -m 5
	delete|-p icmp
	replay|$demo
	replay --events|--events - --table /dev/null $demo
	replay --expect|--expect - --table /dev/null $demo
	replay --expect-events|--expect-events - --table /dev/null $demo
	replay --stats|--stats - --table /dev/null $demo
	replay --explain|--explain $demo
	END
	# the kernel's table is for root; trace waits for packets: a capture's
	printf 'trace\ncompare\n' >>"$W/done"
	[ "$(sort -u "$W/done")" = \
		"$(jq -r '.verbs | keys[]' docs/ctctl.schema.json | LC_ALL=C sort)" ]
	# whatever takes -o stands there
	for verb in $(ctl help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
		ctl help "$verb" | grep -q '^  -o' || continue
		jq -e --arg v "$verb" '.verbs | keys | any(. == $v or
			startswith($v + " "))' docs/ctctl.schema.json
	done
	"$BUILD/ctctl" -R "$run_dir" watch --snapshot -o jsonl,wide \
		2>/dev/null >"$W/json" 3>&- 4>&- &
	others+=("$!")
	try grep -q LIST_END "$W/json"
	ctl delete -p tcp >/dev/null 2>&1
	try grep -q DESTROY "$W/json"
	kill "$!" # at the end of a line
	wait "$!"
	agrees event <"$W/json"
}

@test "trace and compare, which want a network, print it too" {
	need_root "for network namespaces"
	ns=schema$$
	ip netns add "$ns"
	ip -n "$ns" link set lo up
	ip netns exec "$ns" "$BUILD/ctshardd" -R "$run_dir" -i lo \
		2>>"$W/log" 3>&- 4>&- &
	pid=$!
	try ready_or_dead
	answers || { cat "$W/log"; false; }
	for o in json jsonl; do
		"$BUILD/ctctl" -R "$run_dir" trace -p udp -n 1 -o $o \
			2>/dev/null >"$W/$o" 3>&- 4>&- &
		others+=("$!")
	done
	traced() {
		[ "$(ctl show subscribers -o json 2>/dev/null |
			grep -c '"trace"')" -eq 2 ]
	}
	try traced
	ip netns exec "$ns" bash -c 'echo hello >/dev/udp/127.0.0.1/9'
	wait "${others[@]}"
	others=()
	agrees "$(prints trace json)" <"$W/json"
	agrees "$(prints trace jsonl)" <"$W/jsonl"
	try ctl get -p udp -s 127.0.0.1 -d 127.0.0.1 --dport 9 \
		--sport "$(jq .packet.sport "$W/jsonl")" >/dev/null 2>&1
	# that kernel tracks nothing
	for o in json jsonl; do
		ip netns exec "$ns" "$BUILD/ctctl" -R "$run_dir" compare \
			--settle 1ms -o $o >"$W/$o" 2>"$W/err" || [ $? = 1 ] ||
			{ cat "$W/err"; false; }
		agrees "$(prints compare $o)" <"$W/$o"
	done
}
