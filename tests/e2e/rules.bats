#!/usr/bin/env bats
# Rules, zones, marks, labels, timeout policies, and settings changed while the
# daemon runs: what is configured, shown, changed and refused.

load lib.bash

setup() {
	e2e_setup
}

teardown() {
	e2e_teardown
}

write_conf() {
	printf '# bit name\n1 one\n9\tnine\n' >"$W/connlabel.conf"
	cat >"$W/conf" <<-END
		labels.file = $W/connlabel.conf
		label two { bit = 2 }
		timeout slow {
			udp_timeout = 300
			udp_timeout_stream = 10m
		}
		rule dns {
			proto = udp
			dport = 53
			zone-orig = 12
			mark = 0x35
			timeout = slow
		}
		rule web {
			family = ipv4
			proto = tcp
			dst = 10.0.1.0/24
			dport = {80, 8000-8999}
			mark = 7/0xff
			labels = {one, two, 77}
		}
		rule ping {
			proto = icmp
			zone = 3
		}
		rule tcp {
			proto = tcp
			mark = 9
		}
	END
}

replay() {
	"$BUILD/ctctl" replay "$@" "$demo"
}

sets_of() { # the settings of a configuration file as -s words
	"$BUILD/ctshardd" -T -f "$1" | sed -n '/^$/q; /^\(rule\|label\|timeout\)\./p' |
		sed 's/ = /=/; s/^/-s /'
}

@test "rules are printed by key, in a form that can be read again" {
	write_conf
	"$BUILD/ctshardd" -T -f "$W/conf" | sed '/^$/q' >"$W/one"
	grep -qx 'rule.web.dport = 80,8000-8999' "$W/one"
	grep -qx 'rule.web.mark = 0x7/0xff' "$W/one"
	grep -qx 'rule.dns.order = 1' "$W/one"
	grep -qx 'rule.tcp.order = 4' "$W/one"
	grep -qx 'label.nine.bit = 9' "$W/one"
	grep -qx 'timeout.slow.udp_timeout_stream = 600' "$W/one"
	# shellcheck disable=SC2046
	"$BUILD/ctshardd" -T -f /dev/null -s "labels.file=$W/connlabel.conf" \
		$(sets_of "$W/conf") | sed '/^$/q' >"$W/two"
	diff "$W/one" "$W/two"
}

@test "what contradicts itself is refused, with its key" {
	write_conf
	for bad in rule.dns.zone=4 rule.web.timeout=none rule.web.labels=three \
		rule.web.src=fd00::/8 rule.x.dport=70000 rule.x.dport=9-1 \
		rule.x.src=10.0.0.0/33 rule.x.mark=0x100000000 rule.x.proto=none \
		rule.x.nothing=1 rule..mark=1 timeout.slow.workers=1 \
		label.x.bit=128 rule.x.vlan=4096; do
		run "$BUILD/ctshardd" -t -f "$W/conf" -s "$bad"
		[ "$status" -eq 2 ]
		[[ "$output" == "ctshardd: -s "*": "* ]]
	done
	echo 'rule a { timeout = gone }' >"$W/bad"
	run "$BUILD/ctshardd" -t -f "$W/bad"
	[ "$status" -eq 2 ]
	[[ "$output" == "$W/bad: rule.a.timeout: "* ]]
	printf 'max = 5\nrule a {\n dport = x\n}\n' >"$W/bad"
	run "$BUILD/ctshardd" -t -f "$W/bad"
	[[ "$output" == "$W/bad:3: rule.a.dport: "* ]]
	for i in $(seq 65); do echo "rule r$i { mark = $i }"; done >"$W/many"
	run "$BUILD/ctshardd" -t -f "$W/many"
	[ "$status" -eq 2 ]
	[[ "$output" == *"no more than 64"* ]]
}

@test "zones, marks, labels and timeouts, in every format" {
	write_conf
	start -f "$W/conf" -r "$demo"
	try frames_are 125
	ctl list -o extended,labels >"$W/list"
	grep -q 'udp .* dport=53 zone-orig=12 packets=.* mark=53 use=1$' "$W/list"
	grep -q 'icmp .* mark=0 zone=3 use=1$' "$W/list"
	grep -q 'tcp .* dport=8080 .* mark=7 labels=one,two,77 use=1$' "$W/list"
	grep -q 'tcp .* dport=22 .* mark=9 use=1$' "$W/list"
	run ! grep -q 'tcp .* src=fd00.* labels=' "$W/list"
	ctl list -o proc | grep 'dport=53 zone-orig=12 ' |
		grep -v ' zone=' | grep -q ' mark=53 use='
	run jq -e '[.[] | select(.zone_orig == 12 and .mark == 53 and
		(has("zone") | not) and (has("zone_reply") | not))] |
		length == 2' <(ctl list -o json)
	[ "$status" -eq 0 ]
	run jq -e 'map(select(.labels == ["one", "two", "77"])) | length > 0' \
		<(ctl list -o json)
	[ "$status" -eq 0 ]
	# a policy holds where it is shorter and where it is longer
	run jq -e 'all(.[] | select(.zone_orig == 12);
		.timeout > 200 and .timeout <= 300)' <(ctl list -o json)
	[ "$status" -eq 0 ]
	# events say the same
	replay -s "labels.file=$W/connlabel.conf" -s rule.a.proto=tcp \
		-s rule.a.labels=nine -s rule.a.zone-reply=4 --table /dev/null \
		--events "$W/ev" -o line,labels
	grep -q '\[NEW\] tcp .*\[UNREPLIED\].* zone-reply=4 labels=nine' "$W/ev"
	replay -s rule.a.proto=tcp -s rule.a.labels=5 --table /dev/null \
		--events "$W/ev" -o jsonl
	run jq -e -s 'all(.[] | select(.proto == "tcp"); .labels == ["5"])' "$W/ev"
	[ "$status" -eq 0 ]
}

@test "filters: zones, marks, labels" {
	write_conf
	start -f "$W/conf" -r "$demo"
	try frames_are 125
	[ "$(ctl count --orig-zone 12)" = 2 ]
	[ "$(ctl count -w 12)" = 0 ]
	[ "$(ctl count -w 3)" = 1 ]
	[ "$(ctl count --orig-zone 12 --reply-zone 0)" = 2 ]
	[ "$(ctl count -m 7)" = "$(ctl count -l one)" ]
	[ "$(ctl count -l one,two)" = "$(ctl count -l 1)" ]
	[ "$(ctl count -l one)" -gt 0 ]
	[ "$(ctl count -l nine)" = 0 ]
	run ctl count -l nobody
	[ "$status" -eq 2 ]
	run ctl count --by zone
	[[ "$output" == *12/0* ]]
}

@test "labels and marks are updated, and told" {
	write_conf
	start -f "$W/conf" -r "$demo"
	try frames_are 125
	n=$(ctl count -p udp)
	ctl update -p udp --label-add nine,two --mark 1/1
	[ "$(ctl count -l nine,two)" = "$n" ]
	ctl watch --since start -n 1000 --no-reconnect -e update -o line,labels \
		>"$W/ev" 2>/dev/null &
	others+=($!)
	told() {
		[ "$(grep -c 'udp .* labels=two,nine' "$W/ev")" = "$n" ]
	}
	try told
	ctl update -p udp -l nine --label-del nine
	[ "$(ctl count -l nine)" = 0 ]
	[ "$(ctl count -l two -p udp)" = "$n" ]
	ctl update -p udp --label-del all
	[ "$(ctl count -l two -p udp)" = 0 ]
	[ "$(ctl count -m 1/1 -p udp)" = "$n" ]
	run ctl update -p udp --label-add nobody
	[ "$status" -eq 2 ]
	run ctl check --deep
	[ "$status" -eq 0 ]
}

@test "rules at the door: notrack, VLAN, place of the capture" {
	replay -s rule.a.proto=udp -s rule.a.notrack=yes --stats "$W/s" >"$W/t"
	run ! grep -q udp "$W/t"
	run jq -e '.packets.untracked > 0' "$W/s"
	[ "$status" -eq 0 ]
	# an earlier rule that says no keeps a later one out
	replay -s rule.a.dport=53 -s rule.a.notrack=no -s rule.b.proto=udp \
		-s rule.b.notrack=yes >"$W/t"
	grep -q 'dport=53' "$W/t"
	run ! grep -q 'dport=5004' "$W/t"
	# `order` moves a rule
	replay -s rule.a.mark=1 -s rule.b.mark=2 -s rule.b.order=0 >"$W/t"
	run ! grep -v 'mark=2 ' "$W/t"
	replay -s zone.from=iface >"$W/t"
	run ! grep -v 'zone=1 ' "$W/t"
	replay -s rule.a.iface=0 -s rule.a.zone=5 >"$W/t"
	run ! grep -v 'zone=5 ' "$W/t"
	replay -s rule.a.iface=eth7 -s rule.a.zone=5 >"$W/t"
	run ! grep 'zone=' "$W/t"
}

@test "the same lines for any number of workers" {
	write_conf
	# shellcheck disable=SC2046
	for n in 1 3; do
		replay --workers $n $(sets_of "$W/conf") -o extended,labels \
			--events "$W/e$n" | sort >"$W/t$n"
		sort "$W/e$n" >"$W/es$n"
	done
	[ -s "$W/t1" ]
	diff "$W/t1" "$W/t3"
	diff "$W/es1" "$W/es3"
}

@test "settings: every sysctl changes while running, within its range" {
	start_demo
	for key in $(ctl show config | sed -n \
		's/^\(.*_timeout[a-z_0-9]*\) = .*/\1/p' |
		grep -Ev '^(active|frag6|sip|snmp|netbios_ns|irc_dcc|amanda_master)_timeout$'); do
		ctl set "$key=17"
		[ "$(ctl show "$key")" = "$key = 17" ]
		ctl set "$key=2147483647" "$key=0"
		run ctl set "$key=2147483648"
		[ "$status" -eq 1 ]
		run ctl set "$key=-1"
		[ "$status" -eq 1 ]
	done
	for pair in acct=0 timestamp=1 events=2 checksum=1 log_invalid=255 \
		max=500 tcp_loose=0 tcp_be_liberal=1 tcp_ignore_invalid_rst=1 \
		tcp_max_retrans=9 dccp_loose=0 tracker.dccp=off \
		ipfrag_time=3 frag6_timeout=4 zone.from=vlan expect_max=9 \
		helper.ftp.ports=21,2121 helper.sip.ports= helpers=off; do
		ctl set "$pair"
		[ "$(ctl show "${pair%=*}")" = "${pair%=*} = ${pair#*=}" ]
	done
	for pair in workers=2 snaplen=100 shm_dir=/tmp detail=off \
		labels.file=/x ipfrag_high_thresh=1000000; do
		run ctl set "$pair"
		[ "$status" -eq 1 ]
		[[ "$output" == *"${pair%=*}"*"cannot be changed"* ]]
	done
	run ctl set nosuchkey=1
	[ "$status" -eq 1 ]
	[[ "$output" == *"nosuchkey: there is no such key"* ]]
	run ctl set acct
	[ "$status" -eq 2 ]
}

@test "rules change while running: by key, and by reading the file again" {
	write_conf
	start -f "$W/conf" -r "$demo"
	try frames_are 125
	ctl set rule.tcp.mark=11 rule.new.mark=12
	[ "$(ctl show rule.tcp.mark)" = "rule.tcp.mark = 0xb" ]
	[ "$(ctl show rule.new.order)" = "rule.new.order = 5" ]
	run ctl set rule.new.timeout=nowhere
	[ "$status" -eq 1 ]
	[[ "$output" == *"rule.new.timeout"* ]]
	run ctl show rule.new.timeout
	[ "$status" -ne 0 ]
	sed -i '/^rule ping/,/^}/d' "$W/conf"
	echo 'rule late { mark = 3 }' >>"$W/conf"
	kill -HUP "$pid"
	late() {
		ctl show rule.late.mark >/dev/null 2>&1
	}
	try late
	run ctl show rule.ping
	[ "$status" -ne 0 ]
	run ctl show rule.new
	[ "$status" -ne 0 ]
	# what connections have, they keep
	[ "$(ctl count -w 3)" = 1 ]
}

@test "timestamp and acct hold for connections made from then on" {
	start_demo -s timestamp=1
	ctl list -o line | grep -q ' delta-time='
	ctl list -o line,ktimestamp | grep -q 'delta-time=[0-9]* \[start=.*\] use='
	replay -s acct=0 >"$W/t"
	run ! grep -q packets= "$W/t"
	replay >"$W/t"
	run ! grep -q delta-time "$W/t"
}
