#!/usr/bin/env bats
# What ended, in files: the flow log and the history, under kill -9 at any time.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

COUNT=60000

capture() {
	tests/lib/mkshort.py "$W/short.pcap" "${1:-$COUNT}"
	frames=$((${1:-$COUNT} + (${1:-$COUNT} + 6) / 7))
}

# Lines of all these files: as many as connections that ended.
logged() {
	[ "$(cat "$@" | grep -vc '^event,')" -eq "$(destroyed)" ]
}

kept() {
	[ "$(ctl history 2>/dev/null | wc -l)" -eq "$1" ]
}

figure() {
	ctl show recorder -o json | jq -r ".recorder[].$1" | sort -u
}

destroyed() {
	ctl stats -o json | jq .events.destroy
}

# Numbers of the DESTROY events in files, each once, as many as there were.
judge() {
	/usr/bin/python3 - "$@" <<-'END'
	import json, sys
	want, files = int(sys.argv[1]), sys.argv[2:]
	seen = []
	for name in files:
	    for line in open(name):
	        e = json.loads(line)
	        assert e['event'] == 'DESTROY', e
	        seen.append(e['seq'])
	assert seen == sorted(set(seen)), 'out of order, or twice'
	assert len(seen) == want, (len(seen), want)
	END
}

@test "flow_log: the lines of watch, in each format" {
	for format in jsonl csv extended line; do
		start_demo -s flow_log="$W/$format" \
			-s flow_log_format=$format
		mods=
		case $format in extended | line) mods=,timestamp ;; esac
		ctl flush 2>/dev/null
		try logged "$W/$format"
		n=$(destroyed)
		ctl watch --since start -n "$n" -e destroy \
			-o $format$mods 2>/dev/null >"$W/want"
		cmp "$W/want" "$W/$format"
		stop
		"$BUILD/ctshardd" -R "$run_dir" --remove-table 2>/dev/null
	done
	# other segments count anew, and their lines go behind the old ones
	n=$(wc -l <"$W/jsonl")
	start_demo -s flow_log="$W/jsonl"
	ctl flush 2>/dev/null
	twice() {
		[ "$(wc -l <"$W/jsonl")" -eq $((2 * n)) ]
	}
	try twice
}

@test "each DESTROY once, whoever is killed" {
	capture
	middle() {
		[ "$(frames)" -lt "$frames" ]
	}
	hits=0
	with=(-w 2 -r "$W/short.pcap" -s flow_log="$W/flows" -s history=32M)
	for i in {1..8}; do
		spawn "${with[@]}"
		try ready_or_dead
		for _ in {1..3}; do
			kill -KILL "$(role recorder)" 2>/dev/null || :
			middle && hits=$((hits + 1))
			try role recorder >/dev/null
		done
		[ $((i % 2)) -eq 0 ] || kill -KILL "$(role api)"
		kill -KILL "$pid"
		wait "$pid" || :
		pid=
	done
	echo "$hits deaths in the middle of the capture"
	start "${with[@]}"
	for _ in {1..5}; do
		kill_role recorder
	done
	try frames_are $frames
	ctl flush 2>/dev/null &
	others+=($!)
	for _ in {1..5}; do
		kill -KILL "$(role recorder)" || :
		try role recorder >/dev/null
	done
	wait "${others[-1]}"
	[ "$(destroyed)" -eq $COUNT ]
	try logged "$W/flows"
	try kept $COUNT
	judge $COUNT "$W/flows"
	# every one of them is in the history, with what was known of it
	ctl history -o jsonl 2>/dev/null >"$W/history"
	jq -c '{id, original, reply, start_ns, stop_ns, reason}' \
		"$W/history" | sort >"$W/got"
	jq -c '{id, original, reply, start_ns, stop_ns, reason}' \
		"$W/flows" | sort >"$W/want"
	[ "$(wc -l <"$W/got")" -eq $COUNT ]
	cmp "$W/want" "$W/got"
	[ "$(figure lost)" = 0 ]
}

@test "rotation: renamed files and the new one hold each DESTROY once" {
	capture 30000
	start -r "$W/short.pcap" -s flow_log="$W/flows"
	files=()
	for i in {1..6}; do
		mv "$W/flows" "$W/flows.$i"
		files+=("$W/flows.$i")
		case $((i % 3)) in
		0) ctl reopen ;;
		1) kill -KILL "$(role recorder)" ;;
		2) kill -HUP "$pid" ;;
		esac
		try test -e "$W/flows"
		try role recorder >/dev/null
	done
	try frames_are $frames
	ctl flush 2>/dev/null
	try logged "${files[@]}" "$W/flows"
	judge 30000 "${files[@]}" "$W/flows"
}

@test "reopen without a flow log, a path that cannot be: said" {
	start_demo
	run ctl reopen
	[ "$status" -eq 1 ]
	[[ $output == *"there is no flow_log"* ]]
	run ctl history
	[ "$status" -eq 1 ]
	[[ $output == *"no history is kept"* ]]
	# it may begin while the daemon runs, and ends as well
	ctl set flow_log="$W/late"
	ctl flush 2>/dev/null
	try logged "$W/late"
	ctl set flow_log=
	gone() {
		! role recorder
	}
	try gone
	# where it cannot be opened now, the daemon lives and says why
	ctl set flow_log="$W/none/log"
	try grep -q "none/log.state: No such file" "$W/log"
	runs() {
		[ "$(figure state)" = running ]
	}
	try runs
	stop
	run timeout 20 "$BUILD/ctshardd" -R "$run_dir" -r "$demo" \
		-s flow_log="$W/none/log"
	[ "$status" -eq 1 ]
	[[ $output == *"none/log.state: No such file"* ]]
	run timeout 20 "$BUILD/ctshardd" -R "$run_dir" -r "$demo" \
		-s flow_log="$W"
	[ "$status" -eq 1 ]
}

@test "history: a bounded ring, --since, --until, filters, formats" {
	capture 4000
	start -r "$W/short.pcap" -s history=256K -s history_file="$W/past"
	try frames_are $frames
	ctl flush 2>/dev/null
	[ "$(destroyed)" -eq 4000 ]
	through() {
		[ "$(figure written)" -eq 4000 ]
	}
	try through
	[ "$(stat -c %s "$W/past")" -le $((256 << 10)) ]
	room=$((((256 << 10) - 4096) / 288))
	# the newest, in order
	run --separate-stderr ctl history -o jsonl
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq $room ]
	[[ $stderr == *"$room flow entries have been shown."* ]]
	printf '%s\n' "$output" >"$W/all"
	ctl watch --since start -e destroy -n 4000 -o jsonl 2>/dev/null |
		tail -n $room | jq .id >"$W/want"
	jq .id "$W/all" | cmp - "$W/want"
	# a life and a time that meet
	t=$(jq -s '.[100].stop_ns' "$W/all")
	for option in since until; do
		want=$(jq -s --argjson t "$t" "map(select($([ $option = since ] &&
			echo '.stop_ns >= $t' || echo '.start_ns <= $t'))) |
			length" "$W/all")
		[ "$want" -gt 0 ]
		[ "$(ctl history --$option \
			"$((t / 1000000000)).$(printf %09d $((t % 1000000000)))" \
			2>/dev/null | wc -l)" -eq "$want" ]
	done
	dst=$(jq -r -s '.[7].original.dst' "$W/all")
	want=$(jq -c --arg d "$dst" 'select(.original.dst == $d)' "$W/all" |
		wc -l)
	[ "$(ctl history -d "$dst" 2>/dev/null | wc -l)" -eq "$want" ]
	[ "$(ctl history --filter "dst host $dst" 2>/dev/null | wc -l)" \
		-eq "$want" ]
	[ "$(ctl history -n 5 2>/dev/null | wc -l)" -eq 5 ]
	for format in line extended json csv xml table; do
		ctl history -n 3 -o $format >"$W/out" 2>/dev/null
		[ -s "$W/out" ]
	done
	ctl history -o json 2>/dev/null | jq -e 'length > 0' >/dev/null
	ctl history --sort -packets -n 3 2>/dev/null | grep -q .
	run ctl history --since yesterday
	[ "$status" -eq 2 ]
	# it lives on without the table, in another size too
	stop
	"$BUILD/ctshardd" -R "$run_dir" --remove-table 2>/dev/null
	start_demo -s history=128K -s history_file="$W/past"
	room=$((((128 << 10) - 4096) / 288))
	# what the demonstration has ended stands behind
	n=$(destroyed)
	through() {
		[ "$(figure written)" -eq "$n" ]
	}
	try through
	ctl history -o jsonl 2>/dev/null | jq .id | head -n -"$n" >"$W/got"
	tail -n $((room - n)) "$W/want" | cmp - "$W/got"
	stop
	# and is put aside where it is none
	echo nonsense >"$W/past"
	start_demo -s history=128K -s history_file="$W/past"
	grep -q nonsense "$W/past.old"
	ctl history >/dev/null 2>&1
}

@test "a full disk: counted, tried again, nothing lost or twice" {
	need_root "a file system of its own"
	capture 4000
	mkdir "$W/small"
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	unshare -m sh -c "mount -t tmpfs -o size=64k none '$W/small' &&
		exec '$BUILD/ctshardd' -R '$run_dir' -r '$W/short.pcap' \
		-s flow_log='$W/small/log'" 2>>"$W/log" 3>&- 4>&- &
	pid=$!
	try ready_or_dead
	grep -q 'mount:' "$W/log" && skip "no mount here"
	errors() {
		[ "$(figure errors)" -gt 0 ]
	}
	try errors
	try grep -q "flow_log: No space left" "$W/log"
	nsenter -m -t "$pid" mount -o remount,size=16m "$W/small"
	try frames_are $frames
	ctl flush 2>/dev/null
	all() {
		nsenter -m -t "$pid" cat "$W/small/log" >"$W/all"
		logged "$W/all"
	}
	try all
	judge 4000 "$W/all"
}
