# What the end-to-end tests share: a private run directory, a daemon in it, and
# waiting that is bounded by tries, never by a clock.  Sourced by *.bats.
bats_require_minimum_version 1.5.0

e2e_setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	export BUILD=${BUILD:-$PWD/build} LC_ALL=C
	W=$BATS_TEST_TMPDIR
	run_dir=$W/run
	mkdir -m 755 "$run_dir"
	# roles without privileges, and users without, reach what is in it
	chmod 711 "$W" "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" 2>/dev/null || :
	chmod 711 "$BATS_RUN_TMPDIR"/* 2>/dev/null || :
	export TMPDIR=$W
	demo=$W/demo.pcap
	"$BUILD/tests/lib/mkdemo" "$demo"
	pid=
	others=()
	# who sends into a veth stays on one: frames that were sent from two
	# arrive in any order
	cpu=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
}

e2e_teardown() {
	local p
	for p in "${others[@]}"; do
		kill -KILL "$p" 2>/dev/null || :
		wait "$p" 2>/dev/null || :
	done
	if [ -n "$pid" ]; then
		kill -TERM "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	fi
	[ -z "${ns-}" ] || ip netns del "$ns"
	ns=
	"$BUILD/ctshardd" -R "$run_dir" --remove-table 2>/dev/null || :
	# a role whose list of calls lacks one
	! grep 'made a system call' "$W/log" || return
	[ -z "$(segments)" ]
}

ctl() {
	"$BUILD/ctctl" -R "$run_dir" "$@"
}

# Try a command until it succeeds.
try() {
	local i
	for ((i = 0; i < ${TRIES:-600}; i++)); do
		"$@" && return
		sleep 0.05
	done
	echo "never true: $*" >&2
	return 1
}

# The daemon in the background; what it says goes to $W/log.
spawn() {
	"$BUILD/ctshardd" -R "$run_dir" "$@" 2>>"$W/log" 3>&- 4>&- &
	pid=$!
}

# A namespace of its own, with so many mirror ports: what is sent into txN comes
# out of rxN.
mirror_ports() {
	local n
	need_root "for network namespaces"
	ns=e2e$$
	ip netns add "$ns"
	within sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	for ((n = 0; n < $1; n++)); do
		mirror_port "$n"
	done
}

mirror_port() {
	ip -n "$ns" link add "tx$1" type veth peer name "rx$1"
	ip -n "$ns" link set "tx$1" up
	ip -n "$ns" link set "rx$1" up
}

within() {
	ip netns exec "$ns" "$@"
}

# Whoever sends into a port.
within_one() {
	within taskset -c "$cpu" "$@"
}

# The daemon in the namespace; sockets and segments are as ever.
start_within() {
	ip netns exec "$ns" "$BUILD/ctshardd" -R "$run_dir" "$@" \
		2>>"$W/log" 3>&- 4>&- &
	pid=$!
	try ready_or_dead
	answers || { cat "$W/log"; return 1; }
}

answers() {
	ctl count >/dev/null 2>&1
}

ready_or_dead() {
	answers || ! kill -0 "$pid" 2>/dev/null
}

start() {
	spawn "$@"
	try ready_or_dead
	answers || { cat "$W/log"; return 1; }
}

frames() {
	ctl stats -o json 2>/dev/null | jq .frames
}

frames_are() {
	[ "$(frames)" = "$1" ]
}

# The daemon on the demonstration capture, at its end.
start_demo() {
	start -r "$demo" "$@"
	try frames_are 125
}

stop() {
	kill -TERM "$pid"
	wait "$pid"
	pid=
}

role() {
	pgrep -P "$(cat "$run_dir/pid")" -f "^ctshardd: $1\$"
}

role_is_new() {
	new=$(role "$1" || :)
	[ -n "$new" ] && [ "$new" != "$2" ]
}

# Kill a role and wait for the next one of its name.
kill_role() {
	local old
	old=$(role "$1")
	kill "-${2:-KILL}" "$old"
	try role_is_new "$1" "$old"
	try answers
}

# FNV-1a of the run directory's real path, as the manual has it.
segment_hash() {
	/usr/bin/python3 -c '
import os, sys
h = 0x811c9dc5
for b in os.fsencode(os.path.realpath(sys.argv[1])):
    h = ((h ^ b) * 0x01000193) & 0xffffffff
print("%08x" % h)' "$run_dir"
}

# The last parts of the names of this run directory's segments.
segments() {
	local hash
	hash=$(segment_hash)
	find "${1:-/dev/shm}" -maxdepth 1 -name "ctshardd.$hash.*" \
		-printf '%f\n' | sed "s/^ctshardd\.$hash\.//" | sort
}

segment() {
	echo "${2:-/dev/shm}/ctshardd.$(segment_hash).$1"
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root: $1"
}

# As a user who may nothing.
nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}
