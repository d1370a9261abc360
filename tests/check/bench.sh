#!/bin/bash
# The table of `make bench`: whatever is to be reached has a row, each is judged
# the right way round, and nothing is asked of a small run.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -x /usr/bin/python3 ] || { echo "no /usr/bin/python3"; exit 77; }
t=$(mktemp) || exit 1
trap 'rm -f "$t"' EXIT
bad=0

# CONNECTIONS: lines of the figures of a run of so many
run_of() {
	local n=$1 six det ns=80
	for six in false true; do
		echo '{"bench":"pipeline","connections":'"$n"',"ns_per_packet":'$ns',"floor_ns":10,"ratio":8,"bytes_per_connection":200,"accepted":1,"v6":'$six',"proto":"tcp","detail":true,"repeat":5}'
		ns=120
	done
	for six in false true; do
		for det in false true; do
			echo '{"bench":"pipeline","connections":'"$((n * 10))"',"ns_per_packet":999,"floor_ns":10,"ratio":8,"bytes_per_connection":200,"rings_bytes":1,"log_bytes":1,"accepted":1,"v6":'$six',"proto":"tcp","detail":'$det',"repeat":1}'
		done
	done
	echo '{"bench":"list","connections":'"$n"',"format":"jsonl","rows_per_second":1500000,"thrown_away_per_second":9}
{"bench":"find","connections":'"$n"',"found":10,"ms":51}
{"bench":"count","connections":'"$n"',"few":1000,"us":10,"ratio":1.3}
{"bench":"replay","connections":'"$n"',"packets":5000000,"workers":2,"packets_per_second":4000000}
{"bench":"replay","skipped":"no room"}
{"bench":"live","reader":"ctshardd","taken_per_second":600000,"dropped":1}
{"bench":"live","reader":"ratio","ratio":0.98,"high":0.99,"sender_ratio":1.02}'
}

# WORDS: a row that begins so, ends with $2
row() {
	grep -Eq "^ *$1 .*$2\$" <<<"$got" && return
	echo "no row '$1' with '$2'"
	bad=1
}

run_of 1000000 >"$t"
got=$(tests/bench/table.py "$t") || exit 1
row 'pipeline, 1.00 M connections' '80 ns +90 +60'
row 'in floors of 10.0 ns' '8 times +6 +missed'
row 'of the time for IPv4' '1.5 times +1.3 +missed'
row 'memory a connection, IPv4' '200 B +210'
row 'memory a connection, IPv6' '200 B +245'
row 'memory a connection, IPv4, detail = off' '200 B +145 +missed'
row 'memory a connection, IPv6, detail = off' '200 B +180 +missed'
row 'list, jsonl, into a file' '1.50 M /s +1.00 M +2.00 M'
row 'list, filtered, 10 of 1.00 M' '51 ms +50 +missed'
row 'of the time for 1000' '1.3 times +1.2 +missed'
row 'replay, 5.00 M packets, 2 workers' '4.00 M /s +5.00 M +8.00 M +missed'
row "replay: no room" skipped
row 'dropped' '1 +0 +missed'
row '95 % below' '0.99 times +1 +missed'
if grep -q 999 <<<"$got"; then
	echo "a single run's time is told"
	bad=1
fi

run_of 20000 >"$t"
got=$(tests/bench/table.py "$t") || exit 1
row 'pipeline, 20 k connections' '80 ns'
row 'memory a connection, IPv4, detail = off' '200 B'
row 'of the time for IPv4' '1.5 times'
row 'list, jsonl, into a file' '1.50 M /s'
row 'replay, 5.00 M packets, 2 workers' '4.00 M /s'
exit $bad
