#!/usr/bin/env bats
# ctctl against a daemon that stands at the end of the demonstration capture:
# 10 tcp (3 of IPv6), 5 udp, 1 icmp, 1 icmpv6.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

rows() {
	ctl list "$@" 2>/dev/null | grep -c src=
}

shows() {
	ctl show "$1" | grep -q "$2"
}

code() {
	local want=$1
	shift
	run ctl "$@"
	echo "$*: $output"
	[ "$status" -eq "$want" ]
}

@test "list: filters, alone and together" {
	start_demo
	[ "$(rows)" -eq 17 ]
	[ "$(rows -p tcp)" -eq 10 ]
	[ "$(rows -p 17)" -eq 5 ]
	[ "$(rows -f ipv6)" -eq 6 ]
	[ "$(rows -f ipv6 -p tcp)" -eq 3 ]
	[ "$(rows --state ESTABLISHED)" -eq 4 ]
	[ "$(rows --state established -f ipv4)" -eq 3 ]
	[ "$(rows -u UNREPLIED)" -eq 2 ]
	[ "$(rows --dport 80)" -eq 2 ]
	[ "$(rows --dport 0:100)" -gt "$(rows --dport 80)" ]
	[ "$(rows -s 10.0.0.10 -d 10.0.1.80 -p tcp --sport 40001)" -eq 1 ]
	[ "$(rows -s 10.0.0.0/24)" -eq 10 ]
	[ "$(rows -r fd01::/64)" -eq 6 ]
	[ "$(rows --icmp-type 8)" -eq 1 ]
	[ "$(rows --filter 'udp and host 10.0.1.53')" -eq 1 ]
	[ "$(rows --filter 'ip6')" -eq 6 ]
	[ "$(rows -m 7)" -eq 0 ]
	[ "$(rows -w 0)" -eq 17 ]
	[ "$(rows -n 3)" -eq 3 ]
	code 0 list -s 192.0.2.1
	[[ "$output" == *"ctctl: 0 flow entries have been shown."* ]]
}

@test "conntrack's letters, prefixes, data on stdout, sums on stderr" {
	start_demo
	run --separate-stderr ctl -L -p udp
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 5 ]
	[ "$stderr" = "ctctl: 5 flow entries have been shown." ]
	[ "$(ctl -C)" = 17 ]
	[ "$(ctl cou)" = 17 ]
	[ "$(ctl li 2>/dev/null | sort)" = "$(ctl list 2>/dev/null | sort)" ]
	code 2 s
	[[ "$output" == *"stats or show"* ]]
	for bad in nope "list --nope" "list extra" "list -p" "watch -e odd" \
		"list -o odd" "count --by odd" "list --sort odd" show get \
		"update -p tcp" ""; do
		# shellcheck disable=SC2086
		code 2 $bad
	done
}

@test "get: one by tuple or id; 4 when there is none" {
	start_demo
	t="-p tcp -s 10.0.0.10 -d 10.0.1.80 --sport 40001"
	# shellcheck disable=SC2086
	run --separate-stderr ctl get $t --dport 80 -o json
	[ "$status" -eq 0 ]
	id=$(jq -r '.[0].id' <<<"$output")
	run --separate-stderr ctl get --id "$id"
	[ "$status" -eq 0 ]
	[[ "$output" == *"sport=40001 dport=80"* ]]
	# shellcheck disable=SC2086
	code 4 get $t --dport 81
	code 4 get --id 4294967295
}

@test "count --by: the parts are the whole" {
	start_demo
	[ "$(ctl count)" = 17 ]
	for by in proto state zone shard; do
		[ "$(ctl count --by $by | awk '{ n += $NF } END { print n }')" \
			= 17 ]
	done
	ctl count --by proto | grep -qE '^tcp\s+10$'
	ctl count --by zone | grep -qE '^0\s+17$'
}

@test "watch: since, -n, -e, any case; the resume line fits" {
	start_demo
	run --separate-stderr ctl watch --since start -n 5 -o jsonl
	[ "$status" -eq 0 ]
	[ "$(jq -s -c 'map(.seq)' <<<"$output")" = "[1,2,3,4,5]" ]
	[[ "$stderr" == *"ctctl: 5 flow events have been shown."* ]]
	[[ "$stderr" =~ resume\ with\ --since\ ([0-9a-f-]{36}:5) ]]
	[ "$(ctl watch --since "${BASH_REMATCH[1]}" -n 1 -o jsonl |
		jq .seq)" = 6 ]
	[ "$(ctl watch --since 6 -n 1 -o jsonl | jq .seq)" = 7 ]
	[ "$(ctl watch --since start -n 3 -e DESTROY | grep -c DESTROY)" = 3 ]
	[ "$(ctl watch --since start -n 20 -e NEW | grep -c NEW)" = 20 ]
	[ "$(ctl watch --since start -n 2 -p udp | grep -c ' udp ')" = 2 ]
}

@test "watch --snapshot: the table, the end of it, then events" {
	start_demo
	"$BUILD/ctctl" -R "$run_dir" watch --snapshot -o jsonl \
		>"$W/snap" 2>/dev/null 3>&- 4>&- &
	watch=$!
	others+=("$watch")
	try grep -q LIST_END "$W/snap"
	ctl update -p icmp -m 9 2>/dev/null
	try grep -q '"mark":9' "$W/snap"
	kill -TERM "$watch"
	wait "$watch"
	jq -s -e '.[0:17] | all(.event == "LIST")' "$W/snap"
	jq -s -e '.[17].event == "LIST_END" and .[17].seq == 67' "$W/snap"
	jq -s -e '.[18].event == "UPDATE" and .[18].seq == 68' "$W/snap"
}

@test "watch: a reader that sleeps makes nobody deaf; -n counts rows too" {
	start_demo
	run --separate-stderr ctl watch --snapshot -n 5
	[ "${#lines[@]}" -eq 5 ]
	/usr/bin/python3 - "$BUILD/ctctl" "$run_dir" <<-'END'
	import fcntl, json, os, re, select, signal, subprocess, sys
	r, w = os.pipe()
	fcntl.fcntl(w, 1031, 4096)  # F_SETPIPE_SZ
	p = subprocess.Popen([sys.argv[1], '-R', sys.argv[2], 'watch',
	                      '--since', 'start', '-o', 'jsonl'],
	                     stdout=w, stderr=subprocess.PIPE, text=True)
	poll = select.poll()
	poll.register(w, select.POLLOUT)
	for _ in range(600):  # until it is full
	    if not poll.poll(0):
	        break
	    select.select([], [], [], 0.05)
	os.close(w)
	p.send_signal(signal.SIGINT)
	err = p.communicate(timeout=60)[1]
	assert p.returncode == 0, (p.returncode, err)
	lines = os.read(r, 65536).decode().split('\n')[:-1]
	last = json.loads(lines[-1])['seq']
	since = int(re.search(r'resume with --since \S+:(\d+)', err)[1])
	assert since <= last < 67, (since, last)
	END
}

@test "watch: a reader that goes is no error" {
	start_demo
	{ ctl watch --since start 2>"$W/err"; echo $? >"$W/code"; } |
		head -n 1 >/dev/null
	[ "$(cat "$W/code")" -eq 0 ]
	[ ! -s "$W/err" ]
}

@test "stats: each key of the manual; workers sum up to the total" {
	start_demo -w 2
	ctl stats -o json >"$W/s"
	/usr/bin/python3 - "$W/s" <<-'END'
	import json, sys
	s = json.load(open(sys.argv[1]))
	want = {
	    'packets': 'new established established_reply related '
	               'related_reply invalid untracked',
	    'events': 'new update destroy lost',
	    'fragments': 'received reassembled timeout dropped',
	    'drops': 'interface kernel_ring table_full event_ring subscriber '
	             'decode'}
	top = set('elapsed_ns frames count max searched found new insert '
	          'insert_failed delete drop early_drop error expect_new '
	          'expect_create expect_delete expect_source_limit'.split()) | set(want)
	for row in [s] + s['workers']:
	    assert top <= set(row), top - set(row)
	    for k, v in want.items():
	        assert set(row[k]) == set(v.split()), (k, row[k])
	assert [w['worker'] for w in s['workers']] == [0, 1]
	def leaves(d, at=()):
	    for k, v in d.items():
	        if isinstance(v, dict):
	            yield from leaves(v, at + (k,))
	        elif k not in ('workers', 'worker', 'elapsed_ns', 'max'):
	            yield at + (k,), v
	rows = [dict(leaves(w)) for w in s['workers']]
	for k, v in leaves(s):
	    assert v == sum(r.get(k, 0) for r in rows), (k, v, rows)
	assert s['frames'] == 125 == sum(s['packets'].values())
	assert s['count'] == 17 == s['insert'] - s['delete']
	END
	# also what the reaper did: rows and totals agree
	ctl flush
	ctl add -p 99 -s 10.9.0.1 -d 10.9.0.2 -t 9
	ctl stats -o json | jq -e '. as $all | (.workers | length) == 2 and
		.delete == 20 and .insert == 21 and
		(["count", "delete", "insert", "new", "expect_delete"] |
		all(. as $k | $all[$k] == ($all.workers | map(.[$k]) | add)))
		and .events.destroy == (.workers | map(.events.destroy) | add)'
	ctl stats | grep -q '^reaper .* delete=17 '
}

@test "show: every table has something to say" {
	start_demo -w 2
	for what in workers shards subscribers config memory mirror version \
		protocols check; do
		code 0 show $what
	done
	[ "$(ctl show workers | grep -c .)" -ge 2 ]
	[[ "$(ctl show memory)" == *tbl* ]]
	diff <(ctl show config) \
		<("$BUILD/ctshardd" -T -w 2 -r "$demo" | sed '/^$/,$d')
	run ! grep null <(ctl show protocols)
	[ "$(ctl show udp_timeout)" = "udp_timeout = 30" ]
	run ctl show no_such_key
	[ "$status" -ne 0 ]
}

@test "set: what may change, and what may not" {
	start_demo
	code 0 set udp_timeout=44
	[ "$(ctl show udp_timeout)" = "udp_timeout = 44" ]
	code 1 set shm_dir=/nowhere
	[[ "$output" == *"cannot be changed"* ]]
	code 1 set no_such=1
	code 1 set tcp_loose=1 udp_timeout=many acct=0
	[[ "$output" == "ctctl: udp_timeout: "* ]]
	[ "$(ctl show acct)" = "acct = 1" ]
	# all of them or none
	[ "$(ctl show tcp_loose)" = "tcp_loose = 1" ]
	code 1 set tcp_loose=0 workers=7
	[[ "$output" == *"workers cannot be changed"* ]]
	[ "$(ctl show tcp_loose)" = "tcp_loose = 1" ]
	code 0 set tcp_loose=0 udp_timeout=45 acct=1
	[ "$(ctl show tcp_loose udp_timeout | paste -sd' ')" = \
		"tcp_loose = 0 udp_timeout = 45" ]
	ctl set udp_timeout=44
	code 2 set udp_timeout
	[ "$(ctl show udp_timeout)" = "udp_timeout = 44" ]
}

@test "update, delete, flush: done, counted, logged, told" {
	start_demo
	run --separate-stderr ctl update -p icmp -m 5
	[ "$status" -eq 0 ]
	[ "$stderr" = "ctctl: 1 flow entries have been updated." ]
	[ "$output" = "icmp     1 29 src=10.0.0.10 dst=10.0.1.80 type=8 code=0 \
id=1234 packets=2 bytes=64 src=10.0.1.80 dst=10.0.0.10 type=0 code=0 id=1234 \
packets=2 bytes=64 mark=5 use=1" ]
	[ "$(rows -m 5)" -eq 1 ]
	code 0 update -p icmp -t 1000
	[[ "$(ctl list -p icmp 2>/dev/null)" == "icmp     1 1000 "* ]]
	code 4 update -s 192.0.2.1 -m 1
	before=$(ctl list -p udp 2>/dev/null | sort)
	run --separate-stderr ctl delete -p udp
	[ "$status" -eq 0 ]
	[ "$stderr" = "ctctl: 5 flow entries have been deleted." ]
	[ "$(sort <<<"$output")" = "$before" ]
	[ "$(rows -p udp)" -eq 0 ]
	code 4 delete -p udp
	[ "$(rows)" -eq 12 ]
	code 0 flush
	[ "$(rows)" -eq 0 ]
	[ "$(ctl count)" = 0 ]
	code 0 list
	# an event each: 5 deleted, 12 flushed
	[ "$(ctl watch --since 67 -e destroy -n 17 -o jsonl 2>/dev/null |
		jq -r .reason | sort | uniq -c | tr -s ' \n' ' ')" = \
		" 5 api 12 flush " ]
	grep -q "audit: uid $(id -u) pid [0-9]*: delete" "$W/log"
	grep -q "audit: uid $(id -u) pid [0-9]*: flush" "$W/log"
	code 0 check --deep
}

@test "delete, update: rows as conntrack prints them, in each format" {
	start_demo
	ctl update -p udp -m 3 -o save 2>/dev/null >"$W/save"
	[ "$(grep -c '^-U .* -m 3 .* -p udp ' "$W/save")" -eq 5 ]
	# a master as it was, with its living children
	[[ "$(ctl delete -p tcp --dport 21 2>/dev/null)" == \
		*" helper=ftp use=3" ]]
	[ "$(ctl delete -p icmp -o save 2>/dev/null)" = "-D -t 29 \
-u SEEN_REPLY -s 10.0.0.10 -d 10.0.1.80 -r 10.0.1.80 -q 10.0.0.10 -p icmp \
--icmp-type 8 --icmp-code 0 --icmp-id 1234" ]
	id=$(ctl list -p icmpv6 -o json 2>/dev/null | jq -r '.[0].id')
	[ "$(ctl delete --id "$id" -o json 2>/dev/null | jq -r '.[0].id')" = \
		"$id" ]
	# more than are under way at once
	for i in {1..300}; do
		echo "-A -t 99 -s 10.8.0.1 -d 10.8.0.2 -p udp --sport $i --dport 7"
	done >"$W/many"
	ctl load "$W/many"
	[ "$(ctl update -s 10.8.0.1 -m 4 2>/dev/null | grep -c mark=4)" = 300 ]
	[ "$(ctl delete -s 10.8.0.1 2>/dev/null | grep -c mark=4)" = 300 ]
	code 0 check --deep
}

@test "--columns in a pipe, --iface by name, words that others began with" {
	start_demo
	[ "$(ctl list -p icmp --columns src,dst 2>/dev/null | tail -n 1)" = \
		"10.0.0.10 10.0.1.80" ]
	[ "$(rows --iface "$demo")" -eq 17 ]
	code 2 list --iface nosuch0
	[[ "$output" == *"nosuch0"* ]]
	run "$BUILD/ctctl" re
	[[ "$output" == *"replay: CAPTURE is missing"* ]]
	run "$BUILD/ctctl" -R
	[ "$status" -eq 2 ]
	[[ "$output" == *"needs DIR"* ]]
	[ "$("$BUILD/ctctl" help update | grep -c -e '-u, ')" = 1 ]
}

@test "stdout: a reader that is gone, a full disk, none at all" {
	start_demo
	# shellcheck disable=SC2216
	"$BUILD/ctctl" help list | true
	[ "${PIPESTATUS[0]}" = 0 ]
	"$BUILD/ctctl" replay --events - "$demo" | true
	[ "${PIPESTATUS[0]}" = 0 ]
	run --separate-stderr bash -c \
		"'$BUILD/ctctl' -R '$run_dir' watch --since start -n 3 >/dev/full"
	[ "$status" -eq 1 ]
	[[ "$stderr" == "ctctl: 0 flow events have been shown."* ]]
	[[ "$stderr" == *"No space left on device" ]]
	run bash -c "'$BUILD/ctctl' help >/dev/full"
	[ "$status" -eq 1 ]
	[[ "$output" == *"No space left"* ]]
	# the socket must not take its place
	for verb in list "watch --since start -n 3"; do
		run bash -c "'$BUILD/ctctl' -R '$run_dir' $verb >&-"
		[ "$status" -eq 1 ]
		[[ "$output" == *"Bad file descriptor"* ]]
	done
}

@test "rights: without the group nothing, with it questions only" {
	need_root "to become others"
	start_demo
	for verb in list count "watch --since start -n 1" stats; do
		# shellcheck disable=SC2086
		run nobody "$BUILD/ctctl" -R "$run_dir" $verb
		[ "$status" -eq 1 ]
		[[ "$output" == *"permission denied"*"group"*ctshard* ]]
	done
	group=$(stat -c %g "$run_dir/api.sock")
	member() {
		setpriv --reuid 12345 --regid "$group" --clear-groups \
			"$BUILD/ctctl" -R "$run_dir" "$@"
	}
	[ "$(member count)" = 17 ]
	for verb in "delete -p udp" flush "update -m 1" "set acct=0"; do
		# shellcheck disable=SC2086
		run member $verb
		[ "$status" -eq 1 ]
	done
	[ "$(rows)" -eq 17 ]
}

@test "no daemon: exit 3 for whoever asks one" {
	for verb in list count stats "show workers" flush "delete -p tcp" \
		watch "get --id 1" "set acct=1"; do
		# shellcheck disable=SC2086
		code 3 $verb
	done
}

@test "check: clean, running or not" {
	start_demo
	code 0 check
	code 0 check --deep
	stop
	code 0 check
	code 0 check --deep
	[ "$(ctl check --deep -o json 2>/dev/null | jq -c .)" = '[]' ]
}

# A fault while nobody runs: Python on the bytes b of the table's segment.
plant() {
	/usr/bin/python3 -c '
import mmap, os, struct, sys
with open(sys.argv[1], "r+b") as f:
    b = mmap.mmap(f.fileno(), 0)
    exec(sys.argv[2])
    b.flush()' "$(segment tbl)" "$1"
}

@test "check --deep: a connection whose key was changed is found" {
	start_demo
	stop
	cp "$(segment tbl)" "$W/good"
	code 0 check --deep
	plant '
key = bytes.fromhex("0a00000a0a000135")
at = b.find(key)
if at < 0:
    at = b.find(bytes.fromhex("0a0001350a00000a"))
assert at > 0
b[at + 1] ^= 1'
	code 1 check --deep
	[ -n "$output" ]
	[ "$(grep -vc '^ctctl: ' <<<"$output")" -ge 1 ]
	run ctl check --deep -o json
	[ "$status" -eq 1 ]
	ctl check --deep -o json 2>/dev/null >"$W/json" || :
	jq -e 'length >= 1 and all(type == "string")' "$W/json"
	cat "$W/good" >"$(segment tbl)"
	code 0 check --deep
}

@test "expect: lists and watches, in every format" {
	start_demo
	line="proto=6 src=10.0.0.21 dst=10.0.1.21 sport=0 dport=50001"
	line+=" mask-src=255.255.255.255 mask-dst=255.255.255.255 sport=0"
	line+=" dport=65535 master-src=10.0.0.21 master-dst=10.0.1.21"
	line+=" sport=40021 dport=21 class=0 helper=ftp"
	for args in "expect list" "exp li" "-L expect" "list expect" \
		"expect list -o extended,id,timestamp" "expect list -o save"; do
		# shellcheck disable=SC2086
		run --separate-stderr ctl $args
		[ "$status" -eq 0 ]
		[[ "$output" =~ ^2[0-9][0-9]\ (.*)$ ]]
		[ "${BASH_REMATCH[1]}" = "$line" ]
		[ "$stderr" = "ctctl: 1 expectations have been shown." ]
	done
	run --separate-stderr ctl expect list -o proc
	[[ "$output" == 2*" l3proto = 2 proto=6 src=10.0.0.21 dst=10.0.1.21 sport=0 dport=50001 ftp" ]]
	master=$(ctl list --dport 21 -o json 2>/dev/null | jq -r '.[0].id')
	ctl expect list -o json | jq -e --arg m "$master" \
		'length == 1 and .[0].master == $m and .[0].class == 0 and
		.[0].expected.dport == 50001 and .[0].mask.sport == 0 and
		.[0].master_original.dport == 21 and .[0].flags == []'
	ctl expect list -o xml | grep -c '^<expect>$\|^<flow><layer3\|^</expect>$' |
		grep -qx 3
	ctl expect list -o csv | tail -n 1 | grep -q ',10.0.1.21,50001,'
	ctl expect list -o table | grep -q '50001 .* ftp '
	[ -z "$(ctl expect list -f ipv6 2>/dev/null)" ]
	[ -z "$(ctl expect list -p udp 2>/dev/null)" ]
	[ "$(ctl expect list -p tcp 2>/dev/null | wc -l)" -eq 1 ]

	ctl expect watch --since start -n 5 >"$W/all" 2>"$W/err"
	[ "$(cut -c1-9 "$W/all" | tr -d ' \n')" = \
		"[NEW][DESTROY][NEW][DESTROY][NEW]" ]
	since=$(sed -n 's/.*--since //p' "$W/err")
	[[ "$since" == *:5 ]]
	ctl expect watch --since "${since%:*}:3" -n 2 2>/dev/null |
		diff <(tail -n 2 "$W/all") -
	ctl -E expect --since start -e destroy -n 2 -o timestamp 2>/dev/null \
		>"$W/gone"
	run ! grep -vE '^\[1700000[0-9]{3}\.[0-9]{6}\]'$'\t''\[DESTROY\] 299 ' \
		"$W/gone"
	[ "$(ctl expect watch --since start -n 5 -o jsonl 2>/dev/null |
		jq -c .seq | tr '\n' ' ')" = "1 2 3 4 5 " ]
	# a number of another table: all that is known of it is that
	ctl expect watch -n 1 -o line 2>/dev/null \
		--since 00000000-0000-0000-0000-000000000000:7 >"$W/other"
	[[ "$(head -n 1 "$W/other")" == *"[GAP] lost=0 from=7 to=1 source=log" ]]
	# connections and expectations do not mix
	run ! grep -E 'mask-src|\[GAP\]' <(ctl watch --since start -n 60 2>/dev/null)

	for bad in "expect" "expect nope" "expect list extra" \
		"expect watch --since 6" "-L expect -s 10.0.0.1" \
		"expect list --sort proto"; do
		# shellcheck disable=SC2086
		code 2 $bad
	done
}

@test "expect: a follower hears of it when its master is deleted" {
	start_demo
	ctl expect watch -n 1 -o jsonl >"$W/heard" 2>"$W/err" &
	others+=($!)
	try shows 'subscribers' '^[0-9]'
	[ "$(ctl list --dport 21 2>/dev/null | grep -c 'use=3')" -eq 1 ]
	ctl delete -p tcp --dport 50000
	[ "$(ctl list --dport 21 2>/dev/null | grep -c 'use=2')" -eq 1 ]
	ctl delete -p tcp --dport 21
	try test -s "$W/heard"
	jq -e '.event == "DESTROY" and .expected.dport == 50001 and .seq == 6' \
		"$W/heard"
	[ -z "$(ctl expect list 2>/dev/null)" ]
	# the child lives on
	[ "$(ctl list --dport 51211 2>/dev/null | wc -l)" -eq 1 ]
}

@test "expect: counted and flushed, which is told and logged" {
	start_demo
	for args in "expect count" "-C expect" "expect co -p tcp" \
		"expect count -f ipv4"; do
		# shellcheck disable=SC2086
		[ "$(ctl $args)" = 1 ]
	done
	[ "$(ctl -C expect -p udp)" = 0 ]
	[ "$(ctl expect count -f ipv6)" = 0 ]
	[ "$(ctl expect count -j | jq -c .)" = '[{"count":1}]' ]
	master=$(ctl list --dport 21 -o json 2>/dev/null | jq -r '.[0].id')
	# not of this family, not by protocol
	ctl -F expect -f ipv6 2>/dev/null
	[ "$(ctl expect count)" = 1 ]
	code 2 -F expect -p tcp
	run --separate-stderr ctl -F expect
	[ "$status" -eq 0 ]
	[ "$stderr" = "ctctl: expectation table has been emptied." ]
	[ -z "$output" ]
	[ "$(ctl -C expect)" = 0 ]
	ctl expect watch --since 5 -n 1 -o jsonl 2>/dev/null |
		jq -e --arg m "$master" '.event == "DESTROY" and .seq == 6 and
			.master == $m and .expected.dport == 50001'
	# who announced it stays
	[ "$(rows --id "$master")" = 1 ]
	ctl stats -o json | jq -e '.expect_create == .expect_delete'
	grep -q "audit: uid $(id -u) pid [0-9]*: expect_flush" "$W/log"
	grep -q "audit: uid $(id -u) pid [0-9]*: expect flush: 1 expectations" \
		"$W/log"
	code 0 expect flush
	ctl check --deep
}

@test "expect flush: the reaper may die of it" {
	start_demo
	for _ in 1 2 3; do
		"$BUILD/ctctl" -R "$run_dir" expect flush 2>/dev/null &
		others+=($!)
		kill_role reaper
		wait "${others[-1]}" || :
	done
	ctl expect flush
	[ "$(ctl expect count)" = 0 ]
	[ "$(ctl expect watch --since 5 -n 1 -o jsonl 2>/dev/null |
		jq -c '[.event, .seq]')" = '["DESTROY",6]' ]
	ctl stats -o json | jq -e '.expect_create == .expect_delete'
	ctl check --deep
}

@test "show protocols: helpers with their ports, classes and counters" {
	start_demo
	ctl show protocols >"$W/p"
	for row in "ftp 6 on port 21" "ftp 6 on class.0.max 1" \
		"ftp 6 on class.0.timeout 300" "ftp 6 on ftp_loose 0" \
		"ftp 6 on foreign 0" "sip 17 on port 5060"; do
		# shellcheck disable=SC2086
		awk '{ $1 = $1 } 1' "$W/p" | grep -q "^$row\$"
	done
	[ "$(awk '$1 == "ftp" && $4 == "lines" { print $5 }' "$W/p")" -gt 5 ]
	ctl set helper.ftp.ports=2121
	try shows protocols 'ftp .* 2121'
	ctl set helpers=off
	try shows protocols 'ftp .* off '
}
