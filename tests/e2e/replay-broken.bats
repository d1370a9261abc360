#!/usr/bin/env bats
# Captures that break off, packets that lie, and a replay that is interrupted.
load lib

setup() { e2e_setup; }

teardown() {
	local p
	for p in "${others[@]}"; do
		kill -KILL "$p" 2>/dev/null || :
	done
	[ -z "$(find "$W" -maxdepth 1 -name 'ct*')" ]
	rmdir "$run_dir"
}

@test "a capture cut at every byte: what came before, file, packet, exit 1" {
	/usr/bin/python3 - "$demo" "$W" <<-'END'
	import json, os, struct, subprocess, sys
	demo, tmp = sys.argv[1:]
	whole = open(demo, 'rb').read()
	ends, at = [24], 24
	while at < len(whole):
	    at += 16 + struct.unpack_from('<I', whole, at + 8)[0]
	    ends.append(at)
	def replay(n):
	    path = os.path.join(tmp, 'cut.pcap')
	    open(path, 'wb').write(whole[:n])
	    return subprocess.run(
	        [os.environ['BUILD'] + '/ctctl', 'replay', '--stats',
	         tmp + '/s', '--table', tmp + '/t', path],
	        capture_output=True, text=True)
	# all of the file's header, of a record's, and some of the data
	cuts = set(range(1, 24)) | set(range(24, 43))
	for e in (ends[10], ends[60], ends[-1]):
	    cuts |= {e - 1, e, e + 1, e + 15, e + 16, e + 17}
	for n in sorted(c for c in cuts if c <= len(whole)):
	    r = replay(n)
	    if n in ends:
	        assert r.returncode == 0, (n, r)
	    else:
	        assert r.returncode == 1, (n, r)
	        assert 'cut.pcap' in r.stderr, (n, r)
	    if n < 24:
	        continue
	    done = sum(e <= n for e in ends) - 1
	    frames = json.load(open(tmp + '/s'))['frames']
	    assert frames == done, (n, frames, done)
	    if n not in ends:
	        # the packet that is broken, counted from one
	        assert 'packet %d' % (done + 1) in r.stderr, (n, done, r)
	END
}

@test "a compressed capture cut or damaged: exit 1, what came before" {
	gzip -k "$demo"
	size=$(stat -c %s "$demo.gz")
	for n in $((size - 1)) $((size / 2)) 11; do
		head -c $n "$demo.gz" >"$W/cut.gz"
		run "$BUILD/ctctl" replay --table /dev/null "$W/cut.gz"
		[ "$status" -eq 1 ]
		[[ "$output" == *cut.gz* ]]
	done
}

@test "one of two captures is broken: the other's packets count" {
	head -c 3000 "$demo" >"$W/cut.pcap"
	run "$BUILD/ctctl" replay --table /dev/null --stats "$W/s" \
		"$W/cut.pcap" "$demo"
	[ "$status" -eq 1 ]
	[[ "$output" == *cut.pcap*packet* ]]
	[ "$(jq .frames "$W/s")" -gt 40 ]
}

@test "record lengths that lie end the capture at that packet" {
	/usr/bin/python3 - "$demo" "$W" <<-'END'
	import json, os, struct, subprocess, sys
	demo, tmp = sys.argv[1:]
	whole = open(demo, 'rb').read()
	at = 24
	for _ in range(5):
	    at += 16 + struct.unpack_from('<I', whole, at + 8)[0]
	for length in (0xffffffff, 0x7fffffff, 0x10000000, 1 << 20):
	    b = bytearray(whole)
	    struct.pack_into('<I', b, at + 8, length)
	    open(tmp + '/lie.pcap', 'wb').write(b)
	    r = subprocess.run(
	        [os.environ['BUILD'] + '/ctctl', 'replay', '--stats',
	         tmp + '/s', '--table', '/dev/null', tmp + '/lie.pcap'],
	        capture_output=True, text=True)
	    assert r.returncode == 1, (length, r)
	    assert 'lie.pcap' in r.stderr and 'packet 6' in r.stderr, r
	    assert json.load(open(tmp + '/s'))['frames'] == 5
	END
}

# Every frame has one class, or one reason why it has none, or is a fragment
# (a datagram of several counts once, when it is complete).
sums_up() {
	jq -e --argjson n "$2" '
		def sum: [.packets[], .drops.decode[]] | add;
		.frames == $n and sum <= $n and
		sum >= $n - .fragments.received and
		([.workers[].frames] | add) == $n and
		.insert <= .packets.new and .insert == .events.new and
		.count == .insert - .delete' "$1"
}

@test "headers cut short at every byte: each frame is accounted for" {
	n=$(tests/e2e/capture.py cuts "$W/cuts.pcap" | jq .frames)
	for w in 1 2; do
		"$BUILD/ctctl" replay --workers $w --table "$W/t$w" \
			--stats "$W/s$w" "$W/cuts.pcap"
		sums_up "$W/s$w" "$n"
	done
	# nothing is a fragment here, so the sum is exact
	jq -e '.fragments.received == 0 and .drop == 0 and
		([.packets[]] + [.drops.decode[]] | add) == .frames and
		.drops.decode.link_short > 0 and .drops.decode.ip_short > 0 and
		.packets.invalid > 0' "$W/s1"
	diff <(sort "$W/t1") <(sort "$W/t2")
	# each of the good packets, with nothing cut, made its connection
	for p in "udp .*dst=10.8.0.1 sport=4000 dport=53" \
		"tcp .*dst=10.8.0.1" "sctp .*dst=10.8.0.1" "icmp .*type=8" \
		"udp .*dst=fd08::1" "tcp .*dst=fd08::1" "sctp .*dst=fd08::1" \
		"icmpv6 .*type=128"; do
		grep -q "^$p" "$W/t1"
	done
}

@test "headers that lie: each frame is accounted for, any number of workers" {
	n=$(tests/e2e/capture.py lies "$W/lies.pcap" | jq .frames)
	for w in 1 3; do
		"$BUILD/ctctl" replay --workers $w --table "$W/t$w" \
			--events "$W/e$w" --stats "$W/s$w" "$W/lies.pcap"
		sums_up "$W/s$w" "$n"
	done
	diff <(jq 'del(.elapsed_ns, .searched, .workers)' "$W/s1") \
		<(jq 'del(.elapsed_ns, .searched, .workers)' "$W/s3")
	diff <(sort "$W/t1") <(sort "$W/t3")
	diff <(sort "$W/e1") <(sort "$W/e3")
}

daemon_of() {
	daemon=$(pgrep -P "$1" -f '^ctshardd: supervisor$')
}

none_left() {
	! pgrep -g "$1" >/dev/null
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

# Standard input as a terminal gives it; bats ignores SIGINT, a user does not.
replay_fg() {
	/usr/bin/python3 -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$BUILD/ctctl" replay "$@" \
		<&0 2>"$W/err" 3>&- 4>&- &
	ct=$!
	others+=("$ct")
}

# Interrupt it while the reader of its events sleeps.
interrupt() {
	local status=0
	mkfifo "$W/events"
	"$BUILD/tests/lib/mkflows" "$W/big.pcap" 20000 100000
	sleep 600 <>"$W/events" 3>&- 4>&- &
	others+=("$!")
	replay_fg --workers 2 --events "$W/events" --table /dev/null \
		"$W/big.pcap"
	try daemon_of "$ct"
	[ -n "$(find "$W" -maxdepth 1 -name 'ctctl.*')" ]
	kill "-$1" "$ct"
	try gone "$ct"
	wait "$ct" || status=$?
	[ "$status" -ne 0 ]
	try none_left "$daemon"
}

@test "interrupted with SIGINT: no process, no directory stays" {
	interrupt INT
}

@test "ended with SIGTERM: no process, no directory stays" {
	interrupt TERM
}

@test "killed: its processes end with it" {
	interrupt KILL
	# the directory was left by force
	rm -rf "$W"/ctctl.*
}

@test "interrupted while it waits for standard input" {
	mkfifo "$W/stdin"
	sleep 600 <>"$W/stdin" 3>&- 4>&- &
	others+=("$!")
	replay_fg - <>"$W/stdin"
	spooling() {
		[ -n "$(find "$W" -name stdin -path '*ctctl.*')" ]
	}
	try spooling
	kill -INT "$ct"
	try gone "$ct"
	status=0
	wait "$ct" || status=$?
	[ "$status" -eq 1 ]
}
