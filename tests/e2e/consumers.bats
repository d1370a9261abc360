#!/usr/bin/env bats
# Ten consumers over restarts of everything end with what the table has.
load lib

consumers() {
	need_root "for network namespaces"
	cd "$BATS_TEST_DIRNAME/../.."
	run "${PYTHON:-/usr/bin/python3}" tests/consumers.py --keep 16 "$@"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *" connections in the end, 0 faults" ]]
}

@test "ten consumers, everything killed in between: the set of the table" {
	consumers --seconds 4 --rate 3000
}

@test "the same where rings and log are too short: gaps, each told exactly" {
	consumers --seconds 2 --rate 6000 --log 1 --ring 1 --seed 2 \
		--consumers 5 --gaps 1
}
