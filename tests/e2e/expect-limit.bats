#!/usr/bin/env bats
# Expectations of one source have a limit: replay and its statistics.

bats_require_minimum_version 1.5.0

setup_file() {
	export TMPDIR="$BATS_FILE_TMPDIR"
	export BUILD="${BUILD:-$PWD/build}"
	# one client asks for 20 files, another one for 3; nobody answers
	PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 - "$TMPDIR/x.pcap" <<-'END'
	import struct, sys
	sys.path.insert(0, "tests/lib")
	from frames import write_pcap
	def ask(src, port):
	    data = b"\0\1file\0octet\0"
	    udp = struct.pack(">HHHH", port, 69, 8 + len(data), 0) + data
	    ip = struct.pack(">BBHHHBBH4s4s", 69, 0, 20 + len(udp), 0, 0, 64,
	                     17, 0, bytes((10, 0, 0, src)), bytes((10, 9, 0, 1)))
	    s = sum(struct.unpack(">10H", ip))
	    s = ~((s & 0xffff) + (s >> 16)) & 0xffff
	    return ip[:10] + struct.pack(">H", s) + ip[12:] + udp
	p = [ask(1, 2000 + n) for n in range(20)] + \
	    [ask(2, 3000 + n) for n in range(3)]
	write_pcap(sys.argv[1], p, [1700000000.0 + n for n in range(len(p))])
	END
}

# of 10.0.0.1, of 10.0.0.2, refused; with these settings
numbers() {
	for w in 1 3; do
		"$BUILD/ctctl" replay --workers "$w" --table /dev/null \
			--expect "$TMPDIR/x" \
			--stats "$TMPDIR/s" "$@" "$TMPDIR/x.pcap"
		for who in 10.0.0.1 10.0.0.2; do
			grep -c "master-src=$who " "$TMPDIR/x" || true
		done
		jq .expect_source_limit "$TMPDIR/s"
	done | xargs
}

@test "strict mode has no limit of its own, mirror mode half of all" {
	[ "$(numbers)" = "20 3 0 20 3 0" ]
	[ "$(numbers -s tcp.mode=mirror)" = "20 3 0 20 3 0" ]
	[ "$(numbers -s tcp.mode=mirror -s expect_max=13)" = \
		"7 3 13 7 3 13" ]
	# the kernel's way: who comes first has it all
	[ "$(numbers -s expect_max=13)" = "13 0 0 13 0 0" ]
}

@test "a limit that was asked for holds in both modes" {
	[ "$(numbers -s expect_source_max=2)" = "2 2 19 2 2 19" ]
	[ "$(numbers -s expect_source_max=5 -s tcp.mode=mirror)" = \
		"5 3 15 5 3 15" ]
}
