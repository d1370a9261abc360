#!/usr/bin/env bats
# top: one page without a terminal, and the screen on one.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

@test "top --once: sorted, filtered, as many rows as asked for" {
	start_demo
	ctl top --once --delta 1ms --sort bytes -n 4 >"$W/page"
	[ "$(wc -l <"$W/page")" = 9 ]
	head -n 1 "$W/page" | grep -q '^connections 17 of .* shown 17 by bytes'
	sed -n 2p "$W/page" | grep -q '^lost: interface 0 ring 0 '
	sed -n 3p "$W/page" | grep -q '^mirror: gap 0 lost bytes 0 '
	[ "$(sed -n 4p "$W/page")" = 'ports: demo.pcap well' ]
	[ "$(sed 1,5d "$W/page" | awk '{ print $4 }' | sort -nrc 2>&1)" = "" ]
	[ "$(sed 1,5d "$W/page" | awk '{ print $NF }' | head -n 1)" = \
		10.0.1.21:21 ]
	[ "$(ctl top --once --delta 1ms -p udp -n 99 | sed 1,5d | wc -l)" = 5 ]
	run ctl top </dev/null
	[ "$status" -eq 2 ]
	run ctl top --once --sort odd
	[ "$status" -eq 2 ]
}

@test "top: keys, filter, details" {
	start_demo
	/usr/bin/python3 tests/lib/screen.py "$BUILD/ctctl" -R "$run_dir" \
		top --delta 50ms <<-'END'
		b	shown 17 by bytes(.|\n)*10\.0\.0\.21:40021
		b	\nmirror: gap 0 (.|\n)*\nports: demo\.pcap well
		/udp	filter: udp_
		\r	shown 5 by bytes
		d	id=\d+ mark=0
		d	^udp
		p	p go on
		p	p pause
		/ and nonsense\r	unknown word
		/\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\r	shown 5
		a	by age
		0
	END
}
