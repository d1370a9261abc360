#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The demonstration capture through `ctctl replay`, against what a kernel that
# forwarded the same frames at the same pace wrote down (demo.*.ok: lines of
# conntrack(8) 1.4.7 on Linux 6.18, sorted, ids and remaining times taken out).

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	BUILD=${BUILD:-$PWD/build}
	ctl=$BUILD/ctctl
	demo=$BATS_TEST_TMPDIR/demo.pcap
	"$BUILD/tests/lib/mkdemo" "$demo"
	export TMPDIR=$BATS_TEST_TMPDIR LC_ALL=C
}

# A line without what differs from run to run and from kernel to kernel.
plain() {
	sed -E 's/ +/ /g; s/^ //; s/^(ipv[46] [0-9]+ [^ ]+ [0-9]+) [0-9]+ /\1 /' \
		"$@" | sort
}

plain_expect() {
	sed -E 's/^ *//; s/^(\[[A-Z]+\]) [0-9]+ /\1 /' "$@"
}

# Events of a connection in their order: sorted by tuple, stable.
plain_events() {
	sed -E 's/ +/ /g; s/^ //
		s/^(\[[A-Z]+\] ipv[46] [0-9]+ [^ ]+ [0-9]+) [0-9]+ /\1 /' "$@" |
		awk '{ match($0, /src=[^[]*/)
			k = substr($0, RSTART, RLENGTH)
			sub(/ packets=.*/, "", k)
			n = split(k, w, " ")
			k = w[1] w[2] w[3] w[4]
			print k "\t" $0 }' | sort -s -k1,1 | cut -f2-
}

@test "table: what the kernel would hold" {
	"$ctl" replay -s helpers=off -o extended "$demo" >"$TMPDIR/table"
	diff tests/e2e/demo.table.ok <(plain "$TMPDIR/table")
}

@test "events: what the kernel would tell, in its order" {
	"$ctl" replay -s helpers=off --table /dev/null --events "$TMPDIR/ev" \
		-o extended "$demo"
	diff tests/e2e/demo.events.ok <(plain_events "$TMPDIR/ev")
}

@test "ftp: expectations as the kernel has them" {
	"$ctl" replay --table "$TMPDIR/table" --events "$TMPDIR/ev" \
		--expect-events "$TMPDIR/xev" -o extended "$demo"
	diff tests/e2e/demo-ftp.table.ok <(plain "$TMPDIR/table")
	diff tests/e2e/demo-ftp.events.ok <(plain_events "$TMPDIR/ev")
	diff tests/e2e/demo-ftp.expect.ok <(plain_expect "$TMPDIR/xev")
}

@test "workers: the same lines for any number" {
	for n in 1 2 3 4; do
		"$ctl" replay --workers $n --table "$TMPDIR/t$n" \
			--events "$TMPDIR/e$n" --expect "$TMPDIR/x$n" \
			--expect-events "$TMPDIR/xe$n" -o extended "$demo"
		sort "$TMPDIR/t$n" >"$TMPDIR/ts$n"
		plain_events "$TMPDIR/e$n" >"$TMPDIR/es$n"
		[ -s "$TMPDIR/ts$n" ]
		diff "$TMPDIR/ts1" "$TMPDIR/ts$n"
		diff "$TMPDIR/es1" "$TMPDIR/es$n"
		# one stream with numbers: the very same order
		[ -s "$TMPDIR/x$n" ] && [ -s "$TMPDIR/xe$n" ]
		diff "$TMPDIR/x1" "$TMPDIR/x$n"
		diff "$TMPDIR/xe1" "$TMPDIR/xe$n"
	done
}

@test "statistics: every frame has a class or a reason" {
	"$ctl" replay --table /dev/null --stats "$TMPDIR/s" "$demo"
	run jq -e '.frames == 125 and .packets.invalid == 0 and
		([.packets[]] | add) == .frames and
		.count == .insert - .delete' "$TMPDIR/s"
	[ "$status" -eq 0 ]
}

@test "standard input is a capture, nothing is left behind" {
	"$ctl" replay "$demo" | sort >"$TMPDIR/a"
	"$ctl" replay - <"$demo" | sort >"$TMPDIR/b"
	[ -s "$TMPDIR/a" ]
	diff "$TMPDIR/a" "$TMPDIR/b"
	[ "$(find "$TMPDIR" -maxdepth 1 -type d | wc -l)" -eq 1 ]
}

@test "a capture that breaks off: what came before, and exit 1" {
	head -c 3000 "$demo" >"$TMPDIR/cut.pcap"
	run --separate-stderr "$ctl" replay "$TMPDIR/cut.pcap"
	[ "$status" -eq 1 ]
	[ -n "$output" ]
	[[ "$stderr" == *cut.pcap*packet* ]]
	run "$ctl" replay "$TMPDIR/none.pcap"
	[ "$status" -eq 1 ]
	run "$ctl" replay --workers
	[ "$status" -eq 2 ]
}
