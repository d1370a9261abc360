#!/usr/bin/env bats
# conntrack(8)'s habits: the same command lines, given to it about a kernel's
# table in a namespace and to ctctl about ours, are answered alike.
load lib

setup() {
	e2e_setup
	# a table to begin with, and none of what a capture leaves
	start -r "$demo" -s acct=0
	try frames_are 125
	ctl flush 2>/dev/null
}
teardown() { e2e_teardown; }

# Each line of $W/lines: "CODE words..."; CODE is ours where conntrack has 1 for
# what was not found.  What is printed on stdout, and said on stderr, is told
# line by line.
theirs() {
	unshare -n bash -c '
	ip link set lo up
	while read -r _ words; do
		# shellcheck disable=SC2086
		conntrack $words >"$1/out" 2>"$1/err"
		echo "== $words: $?"
		sort "$1/out"
		grep -v "^Try " "$1/err"
	done <"$1/lines"' _ "$W" | sed 's/^conntrack v[^:]*: //'
}

ours() {
	local code words status
	while read -r code words; do
		status=0
		# shellcheck disable=SC2086
		ctl $words >"$W/out" 2>"$W/err" || status=$?
		[ "$status" = "$code" ] || echo "exit status $status, not $code"
		# not found has an exit status of its own
		[ "$status" != 4 ] || status=1
		echo "== $words: $status"
		sort "$W/out"
		sed '/^Try /d; s/^ctctl: //' "$W/err"
	done <"$W/lines"
}

# A second may pass, and while it is read an entry is used once more.
alike() {
	sed 's/^\([a-z]* *[0-9]*\) [0-9][0-9] /\1 NN /; s/ -t [0-9][0-9] / -t NN /
		s/ use=[12]$//' | sed 's/ -t 1NN / -t 1NN /'
}

compare() {
	need_root "a namespace"
	command -v conntrack >/dev/null || skip "no conntrack"
	unshare -n conntrack -L >/dev/null 2>&1 || skip "no such kernel"
	theirs | alike >"$W/theirs"
	ours | alike >"$W/ours"
	diff "$W/theirs" "$W/ours"
	[ -s "$W/ours" ]
	ctl check --deep
}

tcp="-p tcp -s 10.0.0.1 -d 10.0.0.2 --sport"
udp="-p udp -s 10.0.0.1 -d 10.0.0.2 --sport"

@test "-C, -F, -L of all four tables" {
	cat >"$W/lines" <<-END
	0 -I $tcp 1 --dport 2 --state ESTABLISHED -t 90
	0 -I $udp 1 --dport 2 -t 90
	0 -C
	0 -C conntrack
	0 -C expect
	0 -F expect
	0 -L expect
	0 -L dying
	0 -L unconfirmed
	0 -L dying -p tcp
	2 -C dying
	2 -F dying
	2 -F unconfirmed
	2 -D unconfirmed
	2 -G dying $tcp 1 --dport 2
	0 -L
	0 -L conntrack
	0 -F conntrack
	0 -F
	0 -C
	END
	compare
}

@test "-G: what it needs, protocol by protocol" {
	cat >"$W/lines" <<-END
	0 -I $tcp 1 --dport 2 --state ESTABLISHED -t 90
	0 -I -p icmp -s 10.0.0.1 -d 10.0.0.2 --icmp-type 8 --icmp-code 0 --icmp-id 3 -t 90
	0 -I -p gre -s 10.0.0.1 -d 10.0.0.2 --srckey 1 --dstkey 2 -t 90
	0 -I -p 99 -s 10.0.0.1 -d 10.0.0.2 -t 90
	2 -G -p tcp -s 10.0.0.1 -d 10.0.0.2
	2 -G -p udp -s 10.0.0.1 -d 10.0.0.2
	2 -G -p sctp -s 10.0.0.1 -d 10.0.0.2
	2 -G -p dccp -s 10.0.0.1 -d 10.0.0.2
	2 -G -p udplite -s 10.0.0.1 -d 10.0.0.2
	2 -G -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1
	2 -G -p tcp -r 10.0.0.2 -q 10.0.0.1
	2 -G -s 10.0.0.1 -d 10.0.0.2
	0 -G $tcp 1 --dport 2
	4 -G $tcp 1 --dport 3
	2 -G -p icmp -s 10.0.0.1 -d 10.0.0.2
	2 -G -p icmp -s 10.0.0.1 -d 10.0.0.2 --icmp-type 8
	4 -G -p icmp -s 10.0.0.1 -d 10.0.0.2 --icmp-type 8 --icmp-code 0
	0 -G -p icmp -s 10.0.0.1 -d 10.0.0.2 --icmp-type 8 --icmp-code 0 --icmp-id 3
	2 -G -p icmpv6 -s ::1 -d ::2
	2 -G -p gre -s 10.0.0.1 -d 10.0.0.2
	2 -G -p gre -s 10.0.0.1 -d 10.0.0.2 --srckey 1
	0 -G -p gre -s 10.0.0.1 -d 10.0.0.2 --srckey 1 --dstkey 2
	0 -G -p 99 -s 10.0.0.1 -d 10.0.0.2
	END
	compare
	# and by its other side, which conntrack cannot
	[ "$(ctl -G -p tcp -r 10.0.0.2 -q 10.0.0.1 --reply-port-src 2 \
		--reply-port-dst 1 2>/dev/null | grep -c sport=1)" = 1 ]
}

@test "-U --state: sets it, and chooses nothing" {
	cat >"$W/lines" <<-END
	0 -I $tcp 1 --dport 2 --state ESTABLISHED -t 90
	0 -I -p tcp -s 10.0.0.3 -d 10.0.0.2 --sport 1 --dport 2 --state ESTABLISHED -t 90
	0 -U -p tcp -s 10.0.0.1 --state CLOSE_WAIT -t 55
	0 -L
	0 -U $tcp 1 --dport 2 --state TIME_WAIT
	0 -U -p tcp -s 10.0.0.3 -m 5 --state SYN_SENT
	0 -L -p tcp --state SYN_SENT
	4 -U -p tcp -s 10.0.0.9 --state CLOSE
	4 -D -p tcp --state ESTABLISHED
	0 -D -p tcp --state TIME_WAIT
	0 -L
	END
	compare
	# told as what it is: the second of those with this mark
	ctl -U -p tcp --state LAST_ACK 2>/dev/null
	ctl watch --since start -e update -m 5 -o jsonl -n 2 2>/dev/null |
		jq -s -e 'map(.state) == ["SYN_SENT", "LAST_ACK"]'
	# a state is a protocol's
	for bad in "-U --state CLOSE" "-U -p udp --state CLOSE" \
		"-U -p tcp --state NOWHERE" "-U -p 99 --state CLOSE"; do
		# shellcheck disable=SC2086
		run ctl $bad
		[ "$status" -eq 2 ]
	done
	ctl load - <<<"-U $tcp 1 --dport 2 --state CLOSE -t 90" || :
	ctl load - <<-END
	-A -p sctp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 --state CLOSED -t 90
	-U -p sctp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 --state ESTABLISHED -t 80
	END
	[[ "$(ctl list -p sctp 2>/dev/null)" == \
		"sctp     132 "[78][0-9]" ESTABLISHED "* ]]
	ctl check --deep
}

@test "--orig-zone, --reply-zone: a zone of one direction" {
	cat >"$W/lines" <<-END
	0 -I $tcp 11 --dport 2 --state ESTABLISHED -t 90 -w 5
	0 -I $tcp 12 --dport 2 --state ESTABLISHED -t 90 --orig-zone 6
	0 -I $tcp 13 --dport 2 --state ESTABLISHED -t 90 --reply-zone 7
	0 -I $udp 1 --dport 2 -t 90
	0 -L
	0 -L -o save
	0 -L -w 5
	0 -L -w 7
	0 -L --orig-zone 6
	0 -L --orig-zone 7
	0 -L --reply-zone 7
	0 -L --reply-zone 6
	0 -L --orig-zone 0 --reply-zone 7
	0 -L -w 0
	0 -L --orig-zone 5
	0 -L --reply-zone 5
	0 -L --orig-zone 0
	0 -L --reply-zone 0
	0 -D --orig-zone 6
	4 -D --orig-zone 6
	0 -D -w 5
	0 -D --reply-zone 7
	0 -L
	END
	compare
}
