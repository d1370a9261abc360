#!/usr/bin/env bats
# Ten consumers over restarts of everything end with what the table has.
load lib

@test "ten consumers, everything killed in between: the set of the table" {
	need_root "for network namespaces"
	command -v tcpreplay >/dev/null || skip "there is no tcpreplay"
	cd "$BATS_TEST_DIRNAME/../.."
	run "${PYTHON:-/usr/bin/python3}" tests/consumers.py --seconds 8 \
		--pps 300 --flows 20000
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == "10 consumers, "*"; 500 connections in the end" ]]
}
