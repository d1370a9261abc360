#!/usr/bin/env bats
# ctshardd as an administrator meets it: options, refusals, segments, reload.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

daemon() {
	"$BUILD/ctshardd" "$@"
}

@test "-V, -t, -T" {
	run daemon -V
	[ "$status" -eq 0 ]
	[[ "$output" =~ ^ctshardd\ [0-9.]+$ ]]
	run daemon -t
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	daemon -T -s tcp_timeout_established=5d -s max=1000 >"$W/T"
	sed '/^$/,$d' "$W/T" >"$W/keys"
	# sorted, one KEY = VALUE a line, then the memory
	sort -c "$W/keys"
	run ! grep -vE '^[a-z0-9_.-]+ = .*$' "$W/keys"
	grep -qx 'tcp_timeout_established = 432000' "$W/keys"
	grep -qx 'max = 1000' "$W/keys"
	grep -q '^memory for 1000 connections' "$W/T"
	for key in 'acct = 1' 'timestamp = 0' 'checksum = 0' 'tcp.mode = auto' \
		'tracker.dccp = on' 'zone.from = none' 'detail = on' \
		'udp_timeout = 30' 'udp_timeout_stream = 120' 'decap = ' \
		'tcp_timeout_syn_sent = 120' 'generic_timeout = 600' \
		'icmp_timeout = 30'; do
		grep -qx "$key" <(daemon -T)
	done
	grep -qx 'max = 262144' <(daemon -T)
}

@test "what -T prints is a configuration" {
	daemon -T -s udp_timeout=77 | sed '/^$/,$d' >"$W/first"
	daemon -T -s "$(grep ^udp_timeout\ = "$W/first" | tr -d ' ')" |
		sed '/^$/,$d' | diff "$W/first" -
}

@test "usage: exit 2" {
	for bad in "-Q" "--nope" "extra" "-R" "-w 0" "-w 65" "-w x" "-s max" \
		"-s nope=1" "-s max=zz" "--reset-table --remove-table" \
		"-f $W/none" "-i lo -r $demo" ""; do
		# shellcheck disable=SC2086
		run daemon -R "$run_dir" $bad
		echo "$bad: $output"
		[ "$status" -eq 2 ]
		[ -n "$output" ]
	done
	[ -z "$(segments)" ]
}

@test "a filter that cannot be one is usage" {
	for option in -t "-r $demo"; do
		# shellcheck disable=SC2086
		run daemon $option -F 'tcp port ('
		[ "$status" -eq 2 ]
		[[ "$output" == *"-F: filter: "* ]]
	done
	# of another link type, or of a live one
	daemon -t -F 'inbound and udp'
	daemon -t -F 'vlan 7 and tcp'
	daemon -t -F ''
}

@test "a broken configuration file: file:line: message, exit 2" {
	printf 'udp_timeout = 5\nno_such_key = 1\n' >"$W/conf"
	run daemon -t -f "$W/conf"
	[ "$status" -eq 2 ]
	[[ "$output" == "$W/conf:2: "* ]]
	printf 'tcp {\n\tmode = sideways\n}\n' >"$W/conf"
	run daemon -t -f "$W/conf"
	[ "$status" -eq 2 ]
	[[ "$output" == "$W/conf:"* ]]
	printf 'acct = 1\n\000\n' >"$W/conf"
	run daemon -t -f "$W/conf"
	[ "$status" -eq 2 ]
	[[ "$output" == "$W/conf:2: "* ]]
	printf 'udp_timeout = 5\ntcp {\n\tmode = strict\n}\n' >"$W/conf"
	daemon -T -f "$W/conf" -s udp_timeout=6 >"$W/T"
	grep -qx 'udp_timeout = 6' "$W/T"
	grep -qx 'tcp.mode = strict' "$W/T"
}

@test "cannot start: exit 1, and the message says why" {
	run daemon -R "$run_dir" -r "$W/none.pcap"
	[ "$status" -eq 1 ]
	[[ "$output" == *"$W/none.pcap: No such file or directory"* ]]
	run daemon -R "$W/no/such" -r "$demo"
	[ "$status" -eq 1 ]
	[[ "$output" == *"$W/no/such"* ]]
	[ -z "$(segments)" ]
}

@test "no such interface: exit 1, named" {
	need_root "for CAP_NET_RAW"
	run daemon -R "$run_dir" -i nosuchif0
	[ "$status" -eq 1 ]
	[[ "$output" == *nosuchif0* ]]
}

@test "no right to capture: exit 1 and the setcap line" {
	need_root "to become nobody"
	run nobody "$BUILD/ctshardd" -R "$W/other" -i lo
	[ "$status" -eq 1 ]
	[[ "$output" == *"setcap cap_net_raw+ep $(realpath "$BUILD")/ctshardd" ]]
}

@test "a full shm_dir: exit 1, says how much, leaves nothing" {
	need_root "to mount a tmpfs"
	mkdir "$W/shm"
	run unshare -m bash -c "mount -t tmpfs -o size=4m e2e '$W/shm' &&
		{ '$BUILD/ctshardd' -R '$run_dir' -s shm_dir='$W/shm' \
			-r '$demo' -s max=100000; rc=\$?
		ls -A '$W/shm' | sed 's/^/left: /'; exit \$rc; }"
	echo "$output"
	[ "$status" -eq 1 ]
	[[ "$output" == *"$W/shm"*"No space left on device"* ]]
	[[ "$output" != *left:* ]]
}

@test "shm_dir: the segments are there, with the names of the manual" {
	mkdir "$W/shm"
	chmod 711 "$W/shm"
	start_demo -w 2 -s shm_dir="$W/shm"
	[ "$(segments "$W/shm" | tr '\n' ' ')" = \
		"ev.0 ev.1 ev.64 key mlog pol proc tbl " ]
	[ -z "$(segments)" ]
	stop
	daemon -R "$run_dir" -s shm_dir="$W/shm" --remove-table
	[ -z "$(segments "$W/shm")" ]
}

@test "a second instance: exit 5, the first is untouched" {
	start_demo
	run daemon -R "$run_dir" -r "$demo"
	[ "$status" -eq 5 ]
	[[ "$output" == *"$(cat "$run_dir/pid")"* ]]
	run daemon -R "$run_dir" --remove-table
	[ "$status" -eq 5 ]
	run daemon -R "$run_dir" -r "$demo" --reset-table
	[ "$status" -eq 5 ]
	frames_are 125
}

@test "two instances live side by side" {
	start_demo
	mkdir "$W/run2"
	"$BUILD/ctshardd" -R "$W/run2" -r "$demo" 2>/dev/null 3>&- 4>&- &
	second=$!
	others+=("$second")
	second_answers() {
		[ "$("$BUILD/ctctl" -R "$W/run2" stats -o json 2>/dev/null |
			jq .frames)" = 125 ]
	}
	try second_answers
	kill -TERM "$second"
	wait "$second"
	"$BUILD/ctshardd" -R "$W/run2" --remove-table
	frames_are 125
	ctl check
}

@test "ps titles, RUNDIR/pid, sockets, the line ready" {
	start_demo -w 2
	[ "$(cat "$run_dir/pid")" = "$pid" ]
	[ "$(ps -o args= -p "$pid")" = "ctshardd: supervisor" ]
	[ "$(ps -o args= --ppid "$pid" | sort | tr '\n' '|')" = \
"ctshardd: api|ctshardd: reaper|ctshardd: worker 0|ctshardd: worker 1|" ]
	[ "$(stat -c %a "$run_dir/api.sock")" = 660 ]
	[ "$(stat -c %a "$run_dir/control.sock")" = 600 ]
	[ "$(grep -cx ready "$W/log")" -eq 1 ]
	stop
	[ ! -e "$run_dir/pid" ] && [ ! -e "$run_dir/api.sock" ]
}

# sanitizers need more calls than a role has
sanitized() {
	nm "$BUILD/ctshardd" 2>/dev/null | grep -q '__[at]san_init'
}

@test "system calls that cannot be limited: said once, and it goes on" {
	need_root "to give rights up"
	sanitized && skip "a sanitizer's build limits none"
	for how in all filter; do
		: >"$W/log"
		/usr/bin/python3 tests/lib/unlimited.py "$how" \
			"$BUILD/ctshardd" -R "$run_dir" -r "$demo" \
			2>>"$W/log" 3>&- 4>&- &
		pid=$!
		try frames_are 125
		ctl check
		cat "$W/log"
		run ! grep -q '^Seccomp_filters:.*[2-9]' \
			"/proc/$(role api)/status"
		stop
		[ "$how" = filter ] ||
			[ "$(grep -c 'system calls are not limited' "$W/log")" = 1 ]
		grep -q 'system calls are not limited' "$W/log"
		"$BUILD/ctshardd" -R "$run_dir" --remove-table
	done
}

@test "seccomp = off" {
	need_root "to give rights up"
	start_demo -s seccomp=off
	grep -qE '^Seccomp:\s+0$' "/proc/$(role api)/status"
}

@test "roles run without privileges, each as its own user" {
	need_root "to give rights up"
	start_demo
	id ctshard 2>/dev/null && skip "there is a user ctshard"
	for r in "worker 0" reaper; do
		[ "$(ps -o uid= -p "$(role "$r")" | tr -d ' ')" = 65534 ]
	done
	[ "$(ps -o uid= -p "$(role api)" | tr -d ' ')" = 65533 ]
	for r in "worker 0" reaper api; do
		grep -qE '^CapEff:\s+0000000000000000$' \
			"/proc/$(role "$r")/status"
		grep -qE '^NoNewPrivs:\s+1$' "/proc/$(role "$r")/status"
		# what is not dumpable belongs to root, also in /proc
		[ "$(stat -c %u "/proc/$(role "$r")/mem")" = 0 ]
		sanitized ||
			grep -qE '^Seccomp:\s+2$' "/proc/$(role "$r")/status"
	done
	grep -q 'no user ctshard' "$W/log"
}

@test "no root is needed for a capture" {
	need_root "to become nobody"
	mkdir -m 777 "$W/own"
	nobody "$BUILD/ctshardd" -R "$W/own/run" -r "$demo" 2>/dev/null \
		3>&- 4>&- &
	others+=("$!")
	own_answers() {
		[ "$(nobody "$BUILD/ctctl" -R "$W/own/run" stats -o json \
			2>/dev/null | jq .frames)" = 125 ]
	}
	try own_answers
	kill -TERM "$(cat "$W/own/run/pid")"
	wait "${others[0]}"
	nobody "$BUILD/ctshardd" -R "$W/own/run" --remove-table
}

@test "NOTIFY_SOCKET hears READY=1" {
	/usr/bin/python3 - "$W/notify" >"$W/heard" 3>&- 4>&- <<-'END' &
	import socket, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind(sys.argv[1])
	while True:
	    text = s.recv(4096).decode()
	    print(text, flush=True)
	    if 'READY=1' in text:
	        break
	END
	others+=("$!")
	try test -S "$W/notify"
	NOTIFY_SOCKET=$W/notify start_demo
	try grep -q READY=1 "$W/heard"
}

# What is done to the table of a daemon that has ended, and what must come of
# it: the first argument, a Python statement on the mapped bytes b.
damage() {
	/usr/bin/python3 -c '
import mmap, os, sys
with open(sys.argv[1], "r+b") as f:
    b = mmap.mmap(f.fileno(), 0)
    exec(sys.argv[2])
    b.flush()' "$(segment "${2:-tbl}")" "$1"
}

refused() {
	: >"$W/log"
	spawn -r "$demo"
	try ready_or_dead
	run ! answers
	status=0
	wait "$pid" || status=$?
	pid=
	output=$(<"$W/log")
	echo "$output"
	[ "$status" -eq 4 ]
	[[ "$output" == *--reset-table* ]]
	# both values: the one that is there and the one that was expected
	[[ "$output" =~ $1 ]]
}

@test "segments that are damaged, foreign or cut: exit 4, both values" {
	start_demo -s max=2000
	stop
	cp "$(segment tbl)" "$W/good"
	damage 'b[0:8] = b"whatever"'
	refused 'magic [0-9a-f]{16}, not [0-9a-f]{16}'
	cp "$W/good" "$(segment tbl)"
	# the hash of the layout is behind magic, byte order, page, versions
	for at in 16 20 24 28; do
		cp "$W/good" "$(segment tbl)"
		damage "b[$at] ^= 0xff"
		refused '[0-9a-f]+.*[0-9a-f]+'
	done
	cp "$W/good" "$(segment tbl)"
	# a number of the geometry
	damage 'b[80] ^= 0xff'
	refused 'sum [0-9a-f]{16}, not [0-9a-f]{16}'
	cp "$W/good" "$(segment tbl)"
	size=$(stat -c %s "$W/good")
	for n in 0 10 4095 4096 $((size / 2)) $((size - 4096)); do
		cp "$W/good" "$(segment tbl)"
		truncate -s "$n" "$(segment tbl)"
		refused "$n bytes of (at least )?[0-9]+"
	done
	cp "$W/good" "$(segment tbl)"
	start_demo
}

@test "segments of another boot: exit 4, both boots" {
	start_demo -s max=2000
	stop
	# another boot id, and the sum made to fit again: it is found as the
	# number that equals the sum of all before it
	damage '
def fnv(n):
    h = 0xcbf29ce484222325
    for c in b[:n]:
        h = (h ^ c) * 0x100000001b3 % (1 << 64)
    return h.to_bytes(8, "little")
at = [i for i in range(64, 1024, 8) if b[i:i + 8] == fnv(i)]
assert len(at) == 1, at
b[32:48] = bytes(range(16))
b[at[0]:at[0] + 8] = fnv(at[0])'
	refused 'boot 000102030405060708090a0b0c0d0e0f, this is boot [0-9a-f]{32}'
}

@test "a segment beside the table is missing or cut: exit 4" {
	start_demo -s max=2000
	stop
	for s in proc mlog pol ev.0 key; do
		size=$(stat -c %s "$(segment $s)")
		cp "$(segment $s)" "$W/$s"
		truncate -s $((size / 2)) "$(segment $s)"
		refused "$((size / 2)) bytes of $size"
		cp "$W/$s" "$(segment $s)"
	done
	mv "$(segment mlog)" "$W/mlog"
	refused 'mlog: No such file'
	cp "$W/mlog" "$(segment mlog)"
	start_demo
}

@test "--reset-table keeps the old aside, --remove-table removes all" {
	start_demo -s max=2000
	stop
	damage 'b[0:8] = b"whatever"'
	start_demo --reset-table
	[ "$(ctl list 2>/dev/null | wc -l)" -eq 17 ]
	segments | grep -qx tbl.bad
	[ "$(head -c 8 "$(segment tbl.bad)")" = whatever ]
	stop
	run daemon -R "$run_dir" --remove-table
	[ "$status" -eq 0 ]
	[ -z "$(segments)" ]
}

@test "another capture on the same table: exit 4" {
	start_demo
	stop
	cp "$demo" "$W/other.pcap"
	run daemon -R "$run_dir" -r "$W/other.pcap"
	[ "$status" -eq 4 ]
	[[ "$output" == *--reset-table* ]]
	run daemon -R "$run_dir" -r "$demo" -w 2
	[ "$status" -eq 4 ]
	[[ "$output" == *--reset-table* ]]
}

@test "ctctl before ready, and after the end: exit 3" {
	run ctl count
	[ "$status" -eq 3 ]
	spawn -r "$demo"
	# whatever comes before the answer is "no daemon", and nothing else
	for _ in {1..2000}; do
		status=0
		ctl count >/dev/null 2>&1 || status=$?
		[ "$status" -eq 3 ] || break
	done
	[ "$status" -eq 0 ]
	grep -qx ready "$W/log"
	stop
	run ctl count
	[ "$status" -eq 3 ]
}

@test "SIGTERM, SIGINT: exit 0; the next start lists the same" {
	start_demo
	before=$(ctl list 2>/dev/null | sort)
	kill -TERM "$pid"
	wait "$pid"
	start_demo
	[ "$(ctl list 2>/dev/null | sort)" = "$before" ]
	ctl check --deep
}

@test "SIGHUP: what may change changes, the rest is refused" {
	printf 'udp_timeout = 40\nworkers = 1\n' >"$W/conf"
	start_demo -f "$W/conf"
	[ "$(ctl show udp_timeout)" = "udp_timeout = 40" ]
	printf 'udp_timeout = 50\nworkers = 3\n' >"$W/conf"
	kill -HUP "$pid"
	changed() {
		[ "$(ctl show udp_timeout)" = "udp_timeout = 50" ]
	}
	try changed
	[ "$(ctl show workers | wc -l)" -gt 0 ]
	try grep -q 'workers cannot be changed' "$W/log"
	[ "$(pgrep -c -P "$pid" -f '^ctshardd: worker')" -eq 1 ]
	printf 'udp_timeout = 60\nno_such_key = 3\n' >"$W/conf"
	# means nothing, and nobody dies of it
	kill -USR1 "$pid"
	kill -HUP "$pid"
	try grep -q "$W/conf:2: " "$W/log"
	[ "$(ctl show udp_timeout)" = "udp_timeout = 50" ]
	frames_are 125
}
