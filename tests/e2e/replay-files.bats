#!/usr/bin/env bats
# `ctctl replay` as a user types it: outputs, inputs, and what is wrong with
# them.
load lib

setup() { e2e_setup; }

teardown() {
	# nothing of a replay stays: no run directory, no spool
	[ -z "$(find "$W" -maxdepth 1 -name 'ct*')" ]
	rmdir "$run_dir"
}

replay() {
	"$BUILD/ctctl" replay "$@"
}

@test "formats: each has a row for each connection" {
	run --separate-stderr replay -o line "$demo"
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 17 ]
	for f in extended proc save jsonl; do
		[ "$(replay -o $f "$demo" | wc -l)" -eq 17 ]
	done
	[ "$(replay -o csv "$demo" | wc -l)" -eq 18 ]
	[ "$(replay -o table "$demo" | wc -l)" -eq 18 ]
	[ "$(replay -o xml "$demo" | grep -c '<flow>')" -eq 17 ]
}

@test "formats: the default in a pipe is line, extended adds the family" {
	replay "$demo" | sort >"$W/a"
	replay -o line "$demo" | sort >"$W/b"
	replay -o extended "$demo" | sed -E 's/^ipv(4     2|6     10) //' |
		sort >"$W/c"
	diff "$W/a" "$W/b"
	diff "$W/a" "$W/c"
}

@test "formats: JSON is JSON, with the keys of the manual and no null" {
	replay -o json "$demo" >"$W/j"
	replay -o jsonl --table /dev/null --events "$W/e" "$demo"
	/usr/bin/python3 - "$W/j" "$W/e" <<-'END'
	import json, sys
	keys = {'id', 'l3', 'proto', 'protonum', 'state', 'status', 'timeout',
	        'mark', 'zone', 'original', 'reply', 'start', 'start_ns',
	        'last', 'last_ns'}
	control = {c['id'] for c in json.load(open(sys.argv[1]))
	           if c.get('helper') == 'ftp'}
	assert len(control) == 1
	def ports(c):
	    return {c['original'].get(k) for k in ('sport', 'dport')}
	side = {'src', 'dst', 'packets', 'bytes'}
	part = {'tcp': {'sport', 'dport'}, 'udp': {'sport', 'dport'},
	        'icmp': {'type', 'code', 'id'},
	        'icmpv6': {'type', 'code', 'id'}}
	def judge(c):
	    want = keys - (set() if c['proto'] == 'tcp' else {'state'})
	    data = bool(ports(c) & {51211, 50000})
	    want |= {'master'} if data else set()
	    want |= {'helper'} if ports(c) == {40021, 21} else set()
	    assert set(c) == want, set(c) ^ want
	    assert isinstance(c['id'], str) and int(c['id']) > 0
	    for d in c['original'], c['reply']:
	        assert set(d) == side | part[c['proto']], d
	    assert set(c['status']) - {'SEEN_REPLY', 'ASSURED', 'CONFIRMED'} == \
	        ({'EXPECTED'} if data else set())
	    assert not data or c['master'] in control
	    assert c['last_ns'] >= c['start_ns'] >= 1700000000 * 10**9
	    assert c['start'].endswith('Z') and len(c['start']) == 30
	table = json.load(open(sys.argv[1]))
	assert len(table) == 17
	for c in table:
	    judge(c)
	events = [json.loads(l) for l in open(sys.argv[2])]
	assert [e['seq'] for e in events] == list(range(1, len(events) + 1))
	assert {e['event'] for e in events} == {'NEW', 'UPDATE', 'DESTROY'}
	for e in events:
	    assert e['time'].endswith('Z') and e['time_ns'] > 0
	    assert ('reason' in e) == (e['event'] == 'DESTROY')
	assert {e['reason'] for e in events if 'reason' in e} == \
	    {'timeout', 'tcp_reset'}
	def nulls(v):
	    if isinstance(v, dict):
	        v = list(v.values())
	    return v is None or isinstance(v, list) and any(map(nulls, v))
	assert not nulls(table) and not nulls(events)
	END
}

@test "formats: csv and xml are read by their parsers" {
	replay -o csv "$demo" >"$W/csv"
	replay -o xml "$demo" >"$W/xml"
	/usr/bin/python3 - "$W/csv" "$W/xml" <<-'END'
	import csv, sys, xml.etree.ElementTree as et
	rows = list(csv.DictReader(open(sys.argv[1])))
	assert len(rows) == 17 and all(None not in r for r in rows)
	flows = et.parse(sys.argv[2]).getroot().findall('flow')
	assert len(flows) == 17
	a = sorted((r['src'], r['dst'], r['protonum'], r['packets'])
	           for r in rows)
	b = sorted((m.find('layer3/src').text, m.find('layer3/dst').text,
	            m.find('layer4').get('protonum'),
	            m.find('counters/packets').text)
	           for m in (f.find('meta') for f in flows))
	assert a == b, (a, b)
	END
}

@test "formats: modifiers print what they say, and only then" {
	run ! grep -E 'id=[0-9]+$|delta-time' <(replay "$demo" | grep -v icmp)
	[ "$(replay -o line,id "$demo" | grep -cE ' id=[0-9]+$')" -eq 17 ]
	[ "$(replay -o line,id "$demo" | sed 's/.* id=//' | sort -u |
		wc -l)" -eq 17 ]
	replay --table /dev/null --events "$W/e" -o line,timestamp "$demo"
	run ! grep -vE '^\[1700000[0-9]{3}\.[0-9]{6}\]'$'\t'' *\[' "$W/e"
	replay -s timestamp=1 "$demo" >"$W/t"
	[ "$(grep -c ' delta-time=[0-9]* ' "$W/t")" -eq 17 ]
	replay -s acct=0 "$demo" >"$W/t"
	run ! grep packets= "$W/t"
}

@test "outputs: to files, and on stdout in the order of the manual" {
	replay --events "$W/e" --table "$W/t" --stats "$W/s" \
		--expect "$W/x" --expect-events "$W/xe" "$demo" >"$W/out"
	[ ! -s "$W/out" ]
	[ -s "$W/e" ] && [ -s "$W/t" ]
	[ "$(wc -l <"$W/x")" -eq 1 ] && [ "$(wc -l <"$W/xe")" -eq 5 ]
	[ "$(jq .frames "$W/s")" = 125 ]
	replay --stats - --table - --events - "$demo" >"$W/out"
	n=$(wc -l <"$W/e")
	head -n "$n" "$W/out" | diff "$W/e" -
	tail -n +$((n + 1)) "$W/out" | head -n 17 | sort |
		diff <(sort "$W/t") -
	tail -n +$((n + 18)) "$W/out" | jq -e '.frames == 125'
	replay --expect - --table - --expect-events - "$demo" >"$W/out"
	head -n 5 "$W/out" | diff "$W/xe" -
	tail -n 1 "$W/out" | diff "$W/x" -
	[ "$(wc -l <"$W/out")" -eq 23 ]
}

@test "outputs: one file is not two of them; --columns is a table" {
	run replay --table "$W/x" --events "$W/x" "$demo"
	[ "$status" -eq 2 ]
	[[ "$output" == *"$W/x: one file"* ]]
	[ ! -e "$W/x" ]
	replay --table /dev/null --events /dev/null "$demo"
	[ "$(replay --columns proto,sport "$demo" | sort | head -n 2 |
		tr -s ' ')" = "PROTO SPORT
icmp 1234" ]
}

@test "outputs: a file that cannot be written is exit 1 and named" {
	run replay --table "$W/no/such" "$demo"
	[ "$status" -eq 1 ]
	[[ "$output" == *"$W/no/such: No such file"* ]]
	run replay --events /dev/full --table /dev/null "$demo"
	[ "$status" -eq 1 ]
	[[ "$output" == *"/dev/full: No space left"* ]]
}

@test "inputs: gzip, Zstandard, stdin, and all give the same" {
	replay "$demo" | sort >"$W/a"
	[ -s "$W/a" ]
	gzip -k "$demo"
	diff "$W/a" <(replay "$demo.gz" | sort)
	if command -v zstd >/dev/null; then
		zstd -q "$demo"
		diff "$W/a" <(replay "$demo.zst" | sort)
		diff "$W/a" <(replay - <"$demo.zst" | sort)
	fi
	diff "$W/a" <(replay - <"$demo" | sort)
	diff "$W/a" <(cat "$demo.gz" | replay - | sort)
}

@test "inputs: several captures are one, merged by time" {
	# every third packet to each of three files, out of order on purpose
	/usr/bin/python3 - "$demo" "$W/p" <<-'END'
	import struct, sys
	b = open(sys.argv[1], 'rb').read()
	at, n = 24, 0
	out = [open(sys.argv[2] + '%d.pcap' % i, 'wb') for i in range(3)]
	for f in out:
	    f.write(b[:24])
	while at < len(b):
	    size = 16 + struct.unpack_from('<I', b, at + 8)[0]
	    out[n % 3].write(b[at:at + size])
	    at, n = at + size, n + 1
	END
	replay --table "$W/t0" --events "$W/e0" "$demo"
	replay --table "$W/t1" --events "$W/e1" "$W/p1.pcap" "$W/p0.pcap" \
		"$W/p2.pcap"
	diff "$W/e0" "$W/e1"
	diff <(sort "$W/t0") <(sort "$W/t1")
	[ "$(wc -l <"$W/t1")" -eq 17 ]
}

@test "inputs: an empty capture is no error and has no connection" {
	head -c 24 "$demo" >"$W/empty.pcap"
	run --separate-stderr replay --stats "$W/s" --events - "$W/empty.pcap"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	jq -e '.frames == 0 and .count == 0' "$W/s"
	run --separate-stderr replay -o json "$W/empty.pcap"
	[ "$(jq length <<<"$output")" = 0 ]
}

@test "inputs: what is missing or no capture is named, exit 1" {
	run replay "$W/none.pcap"
	[ "$status" -eq 1 ]
	[[ "$output" == *"$W/none.pcap: No such file or directory"* ]]
	run replay "$W"
	[ "$status" -eq 1 ]
	[[ "$output" == *"$W"* ]]
	: >"$W/nothing"
	run replay "$W/nothing"
	[ "$status" -eq 1 ]
	[[ "$output" == *"$W/nothing"* ]]
	printf 'this is no capture, it is a letter to a friend' >"$W/letter"
	run replay "$W/letter"
	[ "$status" -eq 1 ]
	[[ "$output" == *"$W/letter"* ]]
}

@test "inputs: an unknown link type is refused or counted, never silent" {
	printf '1700000000 %s\n' "$(printf '00%.0s' {1..60})" |
		tests/e2e/capture.py pcap 147 "$W/user0.pcap"
	run --separate-stderr replay --stats "$W/s" "$W/user0.pcap"
	[ "$status" -eq 0 ]
	jq -e '.frames == 1 and .drops.decode.link_type == 1' "$W/s"
	[[ "$stderr" == *"user0.pcap: link type 147 is not known"* ]]
	[ -z "$output" ]
}

@test "usage: the exact messages, exit 2" {
	run replay -s no_such=1 "$demo"
	[ "$status" -eq 2 ]
	[ "$output" = "ctshardd: -s no_such: there is no such key" ]
	run replay -s max=many "$demo"
	[ "$status" -eq 2 ]
	[ "$output" = "ctshardd: -s max: a number is needed, not 'many'" ]
	for bad in "--workers 0" "--workers x" "-o nope" "--nope" "-s novalue"
	do
		# shellcheck disable=SC2086
		run replay $bad "$demo"
		[ "$status" -eq 2 ]
	done
	run replay
	[ "$status" -eq 2 ]
	run replay - -
	[ "$status" -eq 2 ]
}

@test "settings: a later -s wins over an earlier one" {
	replay -s udp_timeout=100 -s udp_timeout=50 --table /dev/null \
		--events "$W/e" "$demo"
	grep -q '\[NEW\] udp      17 50 ' "$W/e"
	run ! grep '\[NEW\] udp      17 [^5]' "$W/e"
}

@test "workers: 1, 2, 3 and 4 print the same lines" {
	for n in 1 2 3 4; do
		replay --workers $n --table "$W/t" --events "$W/e" \
			--stats "$W/s" -o extended "$demo"
		sort "$W/t" >"$W/t$n"
		sort "$W/e" >"$W/e$n"
		jq 'del(.elapsed_ns, .searched, .workers)' "$W/s" >"$W/s$n"
		[ "$(jq '.workers | length' "$W/s")" = $n ]
		diff "$W/t1" "$W/t$n"
		diff "$W/e1" "$W/e$n"
		diff "$W/s1" "$W/s$n"
	done
	[ "$(wc -l <"$W/t1")" -eq 17 ]
}

@test "rights: needs no root, nor to write where the capture is" {
	need_root "to become nobody"
	mkdir -m 755 "$W/ro"
	mkdir -m 777 "$W/tmp"
	cp "$demo" "$W/ro"
	chmod 644 "$W/ro/demo.pcap"
	before=$(ls -l "$W/ro")
	TMPDIR=$W/tmp nobody "$BUILD/ctctl" replay --workers 2 \
		"$W/ro/demo.pcap" | sort >"$W/a"
	diff <(replay "$demo" | sort) "$W/a"
	[ "$(ls -l "$W/ro")" = "$before" ]
	[ -z "$(ls -A "$W/tmp")" ]
}

@test "rights: a TMPDIR without permission is exit 1 and named" {
	need_root "to become nobody"
	mkdir -m 755 "$W/ro"
	run nobody env TMPDIR="$W/ro" "$BUILD/ctctl" replay "$demo"
	[ "$status" -eq 1 ]
	[[ "$output" == *"$W/ro"*"Permission denied"* ]]
}
