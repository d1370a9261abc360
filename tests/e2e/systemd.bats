#!/usr/bin/env bats
# The service, without a service manager: its unit judged by systemd's own
# tools, its capabilities put on by setpriv, its notify socket played here.
load lib

setup() { e2e_setup; }
teardown() {
	e2e_teardown
	[ -z "${ns-}" ] || ip netns del "$ns"
}

unit() {
	mkdir -p "$W/units"
	sed "s|@SBINDIR@/|$BUILD/|" docs/systemd/ctshardd.service.in \
		>"$W/units/ctshardd.service"
}

need_analyze() {
	command -v systemd-analyze >/dev/null ||
		skip "there is no systemd-analyze"
}

@test "unit: systemd-analyze verify has nothing to say" {
	need_analyze
	unit
	run systemd-analyze verify --man=no "$W/units/ctshardd.service"
	# what it says of other units of this machine is not ours
	! grep ctshardd <<<"$output"
}

@test "unit: systemd-analyze security, offline" {
	need_analyze
	systemd-analyze security --help 2>/dev/null | grep -q offline ||
		skip "it has no --offline"
	unit
	systemd-analyze security --offline=yes --threshold=30 \
		"$W/units/ctshardd.service"
}

@test "sysusers and tmpfiles: systemd reads them" {
	command -v systemd-sysusers >/dev/null || skip "no systemd-sysusers"
	mkdir -p "$W/root/etc"
	systemd-sysusers --root="$W/root" "$PWD/docs/systemd/sysusers.conf"
	for name in ctshard ctshard-api; do
		grep -q "^$name:" "$W/root/etc/passwd"
	done
	grep -q '^ctshard:' "$W/root/etc/group"
	systemd-tmpfiles --root="$W/root" --create \
		"$PWD/docs/systemd/tmpfiles.conf"
	[ "$(stat -c %a "$W/root/run/ctshardd")" = 755 ]
}

@test "the unit's capabilities are enough, live, and no more than that is used" {
	need_root "for capabilities and a namespace"
	ns=sd$$
	ip netns add "$ns"
	ip netns exec "$ns" sh -c '
		ip link add tx0 type veth peer name rx0 &&
		ip link set tx0 up && ip link set rx0 up'
	caps=$(sed -n 's/^CapabilityBoundingSet=//p' \
		docs/systemd/ctshardd.service.in)
	caps=$(sed 's/CAP_/+/g; s/ /,/g' <<<"${caps,,}" | sed 's/cap_/+/g')
	ip netns exec "$ns" setpriv --no-new-privs --inh-caps=-all \
		--bounding-set="-all,$caps" "$BUILD/ctshardd" -R "$run_dir" \
		-i rx0 -s flow_log="$W/flows" -s history=1M \
		2>>"$W/log" 3>&- 4>&- &
	pid=$!
	try ready_or_dead
	answers || { cat "$W/log"; return 1; }
	kill_role "worker 0"
	kill_role api
	ctl flush
	stop
	! grep -i 'not permitted' "$W/log"
}

# Plays the service manager: each message on a line.
manager() {
	/usr/bin/python3 - "$W/notify" >"$W/heard" 3>&- 4>&- <<-'END' &
	import socket, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind(sys.argv[1])
	while True:
	    print(s.recv(4096).decode(), flush=True)
	END
	others+=("$!")
	try test -S "$W/notify"
	export NOTIFY_SOCKET=$W/notify
}

fed() {
	grep -c '^WATCHDOG=1$' "$W/heard"
}

fed_more() {
	[ "$(fed)" -gt "$1" ]
}

# Not fed in a second: 20 times as long as it takes.
starved() {
	local n
	n=$(fed)
	sleep 1
	[ "$(fed)" -eq "$n" ]
}

@test "watchdog: fed while reaper and api go on, and by nobody else" {
	manager
	WATCHDOG_USEC=200000 start_demo -s stall_kill=1h
	try grep -q READY=1 "$W/heard"
	try fed_more 5
	for r in reaper api; do
		stopped=$(role $r)
		kill -STOP "$stopped"
		try starved
		kill -CONT "$stopped"
		try fed_more "$(fed)"
	done
	stop
	grep -q STOPPING=1 "$W/heard"
	# meant for another process
	WATCHDOG_USEC=200000 WATCHDOG_PID=1 start_demo
	n=$(fed)
	starved
	stop
}
