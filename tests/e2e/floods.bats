#!/usr/bin/env bats
# Floods at full speed into a small daemon: connections that are ASSURED go on
# being tracked, memory stays where it is, and what was refused is counted.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

sent() { jq ".$1" "$W/sent"; }

# FLOOD KIND PACKETS [OPTION...]: all frames taken, and how it stands then
flood() {
	local kind=$1 n=$2
	shift 2
	/usr/bin/python3 tests/lib/floods.py "$W/flood.pcap" "$kind" "$n" \
		"${old:-400}" >"$W/sent"
	start -r "$W/flood.pcap" -s event.ring=64k -s event.log=1M "$@"
	try frames_are "$(sent frames)"
	ctl stats -o json >"$W/stats"
	jq -r '"# '"$kind"': \(.frames) frames in \(.elapsed_ns / 1000000 | floor) ms, count \(.count), early drops \(.early_drop), refused \(.drop)"' \
		"$W/stats" >&3
	# those of before: each is there, with each of its packets
	ctl list -p tcp --dport 443 -o jsonl 2>/dev/null >"$W/good"
	[ "$(wc -l <"$W/good")" = "$(sent connections)" ]
	[ "$(jq -s 'map(.original.packets + .reply.packets) | add' "$W/good")" \
		= "$(sent good)" ]
	! grep -v '"ASSURED"' "$W/good"
	# what is not in the table's files is small
	[ "$(awk '$1 == "RssAnon:" { print $2 }' \
		"/proc/$(role "worker 0")/status")" -lt 65536 ]
	[ "$(stat_of .count)" -le "$(stat_of .max)" ]
	ctl check --deep
}

stat_of() { jq "$1" "$W/stats"; }

@test "SYNs from anywhere into a full table" {
	flood syn 200000 -s max=4096
	[ "$(stat_of .early_drop)" -gt 100000 ]
	# each was either taken in or refused
	[ "$(stat_of '.insert + .drop')" = \
		$(($(sent flood) + $(sent connections))) ]
	[ "$(stat_of '.insert - .delete')" = "$(stat_of .count)" ]
}

@test "SYNs into a table that is full of ASSURED connections" {
	old=1010
	flood syn 100000 -s max=1024
	[ "$(stat_of '.drop + .early_drop')" -gt 90000 ]
	[ "$(stat_of .drop)" -gt 0 ]
	[ "$(stat_of '.insert + .drop')" = \
		$(($(sent flood) + $(sent connections))) ]
}

@test "rows of addresses and ports spread over hash and shards" {
	flood rows 60000 -s max=65536
	# none met a chain that is full, and no shard has more than its share
	[ "$(stat_of .drop)" = 0 ] && [ "$(stat_of .early_drop)" = 0 ]
	[ "$(stat_of .count)" -ge 60000 ]
	ctl show shards >"$W/shards"
	sed 's/^/# /' <(head -3 "$W/shards") >&3
}

@test "fragments that never become whole" {
	flood fragments 100000 -s ipfrag_high_thresh=65536
	[ "$(stat_of .fragments.received)" = "$(sent flood)" ]
	[ "$(stat_of .fragments.reassembled)" = 0 ]
	[ "$(stat_of .fragments.dropped)" -gt 90000 ]
}

@test "announcements without end" {
	flood expect 10000 -s expect_max=100
	[ "$(ctl list expect -o jsonl 2>/dev/null | wc -l)" = 100 ]
	[ "$(stat_of .expect_create)" -ge 100 ]
	[ "$(ctl show protocols | awk '$1 == "ftp" && $4 == "limit" { print $5 }')" \
		-gt 1000 ]
	jq -c '{expect_create, expect_delete, drop}' "$W/stats" | sed 's/^/# /' >&3
}
