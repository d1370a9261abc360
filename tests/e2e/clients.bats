#!/usr/bin/env bats
# Clients that lie, stay half-way, or do not read: a living daemon and its api.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

@test "damaged frames over many connections: the api stays, others are served" {
	start_demo
	run -0 /usr/bin/python3 tests/fuzz_api.py "$run_dir" \
		--frames 20000 --seed 7
	echo "# $output" >&3
	# what a damaged request may change is not the order of the table
	ctl check --deep
}
