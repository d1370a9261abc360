#!/usr/bin/env bats
# What programs and terminals get: JSON that parses, of every verb; colour and
# width where there is a screen to fit.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

@test "JSON: every verb that prints, both ways, full and empty" {
	start_demo -w 2
	id=$(ctl list -o json 2>/dev/null | jq -r '.[0].id')
	while read -r verb; do
		for o in json jsonl json,id,labels,wide,community-id; do
			# shellcheck disable=SC2086
			ctl $verb -o $o 2>/dev/null >"$W/json" || [ $? = 4 ]
			jq -e -s 'length > 0 or $empty' --argjson empty \
				"$([[ $verb =~ 192.0.2|^update|^delete|^check ]] &&
					echo true || echo false)" <"$W/json" >/dev/null ||
				{ echo "$verb -o $o"; cat "$W/json"; false; }
		done
	done <<-END
	list
	list -s 192.0.2.1
	list --sort -bytes
	list -z -p icmp
	get --id $id
	count
	count --by proto
	watch --since start -n 67
	watch --snapshot -n 17
	stats
	stats --delta 1ms
	stats --top dport
	show workers shards subscribers config memory mirror version protocols check
	show udp_timeout
	update -p udp -m 1
	delete -s 192.0.2.1
	delete -p icmp
	check --deep
	replay $demo
	END
	# verbs without -o say so, they do not print something else
	for verb in "flush" "set acct=1" "metrics" "load x" "dump x"; do
		# shellcheck disable=SC2086
		run ctl $verb -o json
		[ "$status" -eq 2 ]
	done
}

@test "csv and xml: every verb that prints, read by their parsers" {
	start_demo -w 2
	cat >"$W/read.py" <<-'END'
	import csv, sys, xml.etree.ElementTree as ET
	# rows of each table, and the same from xml: what the two must agree on
	def tables(text):
	    for part in text.split('\n\n'):
	        rows = list(csv.reader(part.splitlines()))
	        assert len(set(map(len, rows))) == 1, rows
	        yield [dict(zip(rows[0], r)) for r in rows[1:]]
	a = list(tables(open(sys.argv[1]).read()))
	root = ET.parse(sys.argv[2]).getroot()
	b = [[dict(r.attrib) for r in t] for t in root]
	moving = {'elapsed_ns', 'cpu', 'quiet_seconds', 'seconds', 'pid', 'bell'}
	for rows in a + b:
	    for r in rows:
	        for k in moving & set(r):
	            del r[k]
	        if r.get('segment') == 'tbl.huge':  # grows behind the start
	            r['bytes'] = ''
	        if r.get('counter') in moving or r.get('what') in moving:
	            r['value'] = ''
	        for k in [k for k, v in r.items() if not v]:
	            del r[k]
	assert a == b, (a, b)
	assert root.tag == sys.argv[3] and sum(map(len, a)) >= int(sys.argv[4])
	END
	while IFS='|' read -r rows root args; do
		for o in csv xml; do
			# shellcheck disable=SC2086
			ctl $args -o $o >"$W/$o"
		done
		/usr/bin/python3 "$W/read.py" "$W/csv" "$W/xml" "$root" "$rows" ||
			{ echo "$args"; cat "$W/csv" "$W/xml"; false; }
	done <<-END
	1|count|count
	4|count|count --by proto
	1|expect|expect count
	1|top|stats --top src -n 1
	100|stats|stats
	4|show|show workers
	30|show|show workers shards memory mirror config protocols
	1|show|show udp_timeout
	0|check|check --deep
	END
	[ "$(ctl count -o csv)" = $'count\n17' ]
	[ "$(ctl count -o csv -H)" = 17 ]
	[ "$(ctl count --by proto -o csv | sort | head -n 2)" = \
		$'icmp,1\nicmpv6,1' ]
	[ "$(ctl stats -o csv | grep '^total,frames,')" = total,frames,125 ]
	[ "$(ctl check -o csv)" = fault ]
	# also of what nobody runs any more
	stop
	[ "$(ctl check --deep -o csv)" = fault ]
	ctl check -o xml | grep -q '<check>'
}

@test "a terminal: a table within its width, colour unless NO_COLOR" {
	start_demo
	tty() {
		/usr/bin/python3 - "$W/tty" "$@" <<-'END'
		import fcntl, os, pty, struct, sys, termios
		pid, fd = pty.fork()
		if not pid:
		    fcntl.ioctl(1, termios.TIOCSWINSZ,
		                struct.pack('4H', 24, 150, 0, 0))
		    os.environ['TERM'] = 'xterm'
		    os.execvp(sys.argv[2], sys.argv[2:])
		got = b''
		while True:
		    try:
		        part = os.read(fd, 65536)
		    except OSError:
		        break
		    if not part:
		        break
		    got += part
		os.waitpid(pid, 0)
		open(sys.argv[1], 'wb').write(got)
		END
	}
	tty "$BUILD/ctctl" -R "$run_dir" list -f ipv4
	grep -q $'\x1b\\[' "$W/tty"
	grep -q 'PROTO' "$W/tty"
	[ "$(sed 's/\x1b\[[0-9;]*m//g' "$W/tty" | tr -d '\r' | wc -L)" -le 150 ]
	NO_COLOR=1 tty "$BUILD/ctctl" -R "$run_dir" list
	run ! grep -q $'\x1b\\[' "$W/tty"
	tty "$BUILD/ctctl" -R "$run_dir" list --color=never
	run ! grep -q $'\x1b\\[' "$W/tty"
	# a pipe has no colour but on demand
	run ! grep -q $'\x1b' <(ctl list -o table 2>&1)
	grep -q $'\x1b\\[' <(ctl list -o table --color=always 2>&1)
}

@test "a terminal: long work tells how far it is, a file gets no word of it" {
	start_demo
	/usr/bin/python3 tests/lib/progress.py "$BUILD/ctctl" "$run_dir"
}
