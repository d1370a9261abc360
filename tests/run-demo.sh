#!/bin/bash
# What `make run` does: the whole daemon on a capture made here, then its
# death twice over.  With IFACE=eth1: track that interface until Ctrl-C.
# Everything lives in a private run directory, which goes away at the end.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-$PWD/build}
daemon=$BUILD/ctshardd
ctl=$BUILD/ctctl
for p in "$daemon" "$ctl"; do
	if [ ! -x "$p" ]; then
		echo "run-demo: $p is not there; run make first" >&2
		exit 1
	fi
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/ctshardd-demo.XXXXXX") || exit 1
# Roles without privileges reach their sockets through it.
chmod 711 "$dir"
run=$dir/run
mkdir -m 755 "$run"
pid=

# End the daemon, and its segments with it: nothing of the demo stays.
cleanup() {
	trap - EXIT INT TERM
	if [ -n "$pid" ] && kill -TERM "$pid" 2>/dev/null; then
		wait "$pid" 2>/dev/null
	fi
	"$daemon" -R "$run" --remove-table >/dev/null 2>&1
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

title() {
	printf '\n== %s\n' "$*"
}

die() {
	echo "run-demo: $*" >&2
	exit 1
}

# The command line, then the command itself.
show() {
	local word line=
	for word in "$@"; do
		line="$line ${word##*/}"
	done
	printf '$%s\n' "${line//$'\n'/ }"
	"$@" || die "that failed with exit code $?"
}

# Ready means: the daemon answers.  Bounded by tries, ends early if it dies.
wait_ready() {
	local i
	for ((i = 0; i < 600; i++)); do
		"$ctl" -R "$run" count >/dev/null 2>&1 && return
		kill -0 "$pid" 2>/dev/null || die "the daemon has ended"
		sleep 0.1
	done
	die "the daemon does not answer"
}

# The whole capture has been tracked when the count of frames stands still.
wait_frames() {
	local i n last=-1
	for ((i = 0; i < 100; i++)); do
		n=$("$ctl" -R "$run" stats -o json | jq .frames)
		[ "$n" = "$1" ] && return
		[ "$n" != "$last" ] || [ $i -lt 50 ] || break
		last=$n
		sleep 0.1
	done
	die "$n frames tracked, not $1"
}

role_pid() {
	local p
	for p in $(pgrep -P "$(cat "$run/pid")"); do
		if tr '\0' ' ' <"/proc/$p/cmdline" | grep -q "ctshardd: $1"; then
			echo "$p"
			return
		fi
	done
}

roles() {
	ps -o pid,user:10,args -p "$(cat "$run/pid")" \
		--ppid "$(cat "$run/pid")"
}

start() {
	"$daemon" -R "$run" "$@" 2>"$dir/log" &
	pid=$!
	wait_ready
	cat "$dir/log"
}

live() {
	title "ctshardd -i $1 (Ctrl-C ends it)"
	start -i "$1"
	roles
	title "events"
	"$ctl" -R "$run" watch
	exit 0
}

[ -z "${IFACE-}" ] || live "$IFACE"

demo=$dir/demo.pcap
"$BUILD/tests/lib/mkdemo" "$demo" || exit 1
title "replay: the events, the table and the statistics of a capture"
show "$ctl" replay --workers 2 --events - --expect-events - --table - \
	--stats "$dir/stats" "$demo"
jq '{frames, count, packets, events}' "$dir/stats"
frames=$(jq .frames "$dir/stats")

title "the daemon on the same capture, two workers"
start -w 2 -r "$demo"
wait_frames "$frames"
roles
show "$ctl" -R "$run" list | tee "$dir/before"
[ -s "$dir/before" ] || die "nothing is listed"
show "$ctl" -R "$run" expect list | grep master- | tee "$dir/expected"
grep -q helper=ftp "$dir/expected" || die "nothing is expected"

title "a worker is killed (-9) and started again; the table is untouched"
victim=$(role_pid "worker 0")
[ -n "$victim" ] || die "there is no worker 0"
kill -KILL "$victim"
for ((i = 0; i < 100; i++)); do
	again=$(role_pid "worker 0")
	[ -n "$again" ] && [ "$again" != "$victim" ] && break
	sleep 0.1
done
[ -n "$again" ] && [ "$again" != "$victim" ] || die "worker 0 did not return"
echo "worker 0 was $victim, is $again"
roles
show "$ctl" -R "$run" list >"$dir/after"
tail -n 1 "$dir/after" >/dev/null
same() {
	# The clock of a capture stands still, so not even a timeout differs.
	diff <(sort "$dir/before") <(sort "$dir/after") ||
		die "the list has changed"
	diff "$dir/expected" <("$ctl" -R "$run" expect list 2>/dev/null) ||
		die "the list of expectations has changed"
	echo "the same $(grep -c src= "$dir/after") connections are listed"
}
same
show "$ctl" -R "$run" check

title "the whole daemon is killed (-9)"
kill -KILL "$(cat "$run/pid")"
wait "$pid" 2>/dev/null
pid=
"$ctl" -R "$run" list >/dev/null 2>&1 && die "who answered?"
echo "ctctl: exit $? (no daemon)"

title "started again on the same directory: the list is still there"
start -w 2 -r "$demo"
wait_frames "$frames"
show "$ctl" -R "$run" list | tee "$dir/after"
same
show "$ctl" -R "$run" check --deep
title "done"
