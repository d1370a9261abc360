#!/usr/bin/env bats
# Packets come faster than they are tracked: a worker that stands still while
# they come, so that the kernel's ring is full.  What is given up is counted by
# stage, under the same names everywhere, and all is back behind it.
load lib

setup() {
	e2e_setup
	mirror_ports 1
	sent=0
}

teardown() {
	[ -z "${still-}" ] || kill -CONT "$still" 2>/dev/null || :
	e2e_teardown
}

# A ring of eight blocks.
live() {
	start_within -i rx0 -s capture.buffer=1M -s stall_kill=1h \
		-s helpers=on "$@"
}

send() {
	sent=$((sent + $(within_one /usr/bin/python3 tests/e2e/shed.py "$1" \
		tx0 "${@:2}")))
}

stand_still() {
	still=$(role "worker $1")
	kill -STOP "$still"
}

go_on() {
	kill -CONT "$still"
	still=
}

# A counter as the API's JSON has it: drops.kernel_ring
counter() {
	ctl stats -o json | jq ".$1"
}

# All that was sent has been tracked, or dropped and counted.
all_told() {
	ctl stats -o json | jq -e --argjson n "$sent" \
		'.frames + .drops.kernel_ring + .drops.interface == $n'
}

# And what was tracked is in the table's counters, given up or not.
all_tracked() {
	[ "$(ctl list -o jsonl 2>/dev/null | jq -s \
		'map(.original.packets + .reply.packets) | add')" \
		-eq "$(counter frames)" ]
	ctl stats -o json | jq -e '.packets.invalid == 0'
	ctl check --deep
}

# A counter has this name and value in the CLI's text, in the API's JSON, in
# the sum of the workers, and in the metrics.
same() { # GROUP LABEL NAME
	local n
	n=$(counter "$1.$3")
	[ "$n" -gt 0 ]
	ctl stats | grep -Eq "^total .* $1\.$3=$n( |\$)"
	[ "$(ctl stats -o json | jq "[.workers[].$1.$3] | add")" -eq "$n" ]
	[ "$(ctl metrics | grep -F "ctshard_$1_total" | grep -F "$2=\"$3\"" |
		awk '{ n += $2 } END { print n }')" -eq "$n" ]
}

@test "a full ring: helpers, details, the kernel's drops, and back" {
	live
	send begin
	try frames_are 3
	stand_still 0
	send fill 0 500
	go_on
	try all_told
	same shed kind helpers
	same shed kind details
	same drops stage kernel_ring
	all_tracked
	helpers=$(counter shed.helpers)
	details=$(counter shed.details)
	# with the ring empty helpers read again, and doubles are found
	[ "$(counter mirror.duplicates)" -eq 0 ]
	send after 500
	try all_told
	[ "$(counter mirror.duplicates)" -ge 3 ]
	ctl list expect -o jsonl 2>/dev/null | jq -e '.helper == "ftp"'
	[ "$(counter shed.helpers)" -eq "$helpers" ]
	[ "$(counter shed.details)" -eq "$details" ]
}

# Some cycles of it while packets never stop coming.
@test "overload again and again: sent is tracked and drops, to the packet" {
	live -w 2
	send begin
	try frames_are 3
	for n in 0 1 2 3 4 5; do
		stand_still $((n % 2))
		send fill $((n * 400)) $((n * 400 + 400))
		go_on
	done
	try all_told
	same shed kind details
	same drops stage kernel_ring
	all_tracked
	# nobody was killed for it, and nothing is given up any more
	! grep -q 'killed' "$W/log"
	helpers=$(counter shed.helpers)
	send after 2400
	try all_told
	ctl list expect -o jsonl 2>/dev/null | jq -e '.helper == "ftp"'
	[ "$(counter shed.helpers)" -eq "$helpers" ]
}
