#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# A conversation in every tunnel, built by scapy: with `decap` its table, its
# events and its packets are those of the conversation without one.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	export BUILD=${BUILD:-$PWD/build} LC_ALL=C
	export ALL=$BATS_FILE_TMPDIR
	/usr/bin/python3 -c 'import scapy.all' 2>/dev/null || return 0
	tunnels all "$ALL"
	tunnels list >"$ALL/list"
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	export TMPDIR=$BATS_TEST_TMPDIR
	[ -e "$ALL/list" ] || skip "python3-scapy is not installed"
}

tunnels() {
	/usr/bin/python3 tests/e2e/tunnels.py "$@"
}

# OUT.t, OUT.e, OUT.s from CAPTURE
replay() { # OUT CAPTURE [option]...
	local out=$1 from=$2
	shift 2
	"$BUILD/ctctl" replay "$@" --table "$TMPDIR/$out.t" \
		--events "$TMPDIR/$out.e" --stats "$TMPDIR/$out.s" \
		-o extended "$ALL/$from.pcap"
	sort -o "$TMPDIR/$out.t" "$TMPDIR/$out.t"
	sort "$TMPDIR/$out.e" >"$TMPDIR/$out.es"
}

same() { # OUT OUT [e|es]
	diff "$TMPDIR/$1.t" "$TMPDIR/$2.t" &&
		diff "$TMPDIR/$1.${3:-e}" "$TMPDIR/$2.${3:-e}" &&
		diff <(jq -S .packets "$TMPDIR/$1.s") \
			<(jq -S .packets "$TMPDIR/$2.s")
}

# All frames have a class or a reason, or wait in vain for the rest.
all_counted() {
	run jq -e '(([.packets[], .drops.decode[]] | add) +
		.fragments.received - .fragments.reassembled) == .frames' "$1"
	[ "$status" -eq 0 ]
}

decode() { # OUT REASON: how many
	jq ".drops.decode.$2" "$TMPDIR/$1.s"
}

@test "the conversation has all that is to be compared" {
	replay plain plain
	[ "$(wc -l <"$TMPDIR/plain.t")" -eq 13 ]
	run jq -e '.packets.related_reply == 1 and .packets.invalid == 0 and
		.fragments.reassembled == 1 and
		([.drops.decode[]] | add) == 0' "$TMPDIR/plain.s"
	[ "$status" -eq 0 ]
}

@test "every tunnel, three in each other too: as without one" {
	replay plain plain
	while read -r name words; do
		replay in "$name" -s "decap=$words"
		same plain in || { echo "$name"; false; }
		diff <(jq -S .fragments "$TMPDIR/plain.s") \
			<(jq -S .fragments "$TMPDIR/in.s")
	done <"$ALL/list"
	[ "$(wc -l <"$ALL/list")" -ge 24 ]
}

@test "all tunnels switched on: a packet without one is what it was" {
	words=$(cut -d' ' -f2 "$ALL/list" | tr ',' '\n' | sort -u | tr '\n' ,)
	replay plain plain
	replay on plain -s "decap=$words"
	same plain on
	# and nothing is stepped into that is not named
	replay off erspan2
	[ "$(wc -l <"$TMPDIR/off.t")" -eq 1 ]
	grep -q 'gre .*src=192.0.2.1 dst=192.0.2.2' "$TMPDIR/off.t"
}

@test "the demonstration in ERSPAN, with what helpers expect" {
	"$BUILD/tests/lib/mkdemo" "$ALL/demo.pcap"
	tunnels wrap "$ALL/demo.pcap" "$ALL/demo-in.pcap"
	replay demo demo --expect-events "$TMPDIR/demo.x"
	replay demo-in demo-in --expect-events "$TMPDIR/demo-in.x" \
		-s decap=erspan
	[ -s "$TMPDIR/demo.t" ]
	same demo demo-in
	diff "$TMPDIR/demo.x" "$TMPDIR/demo-in.x"
}

@test "workers: the same for any number" {
	for n in 1 2 3; do
		replay "w$n" vxlan-geneve-gtpu --workers $n \
			-s decap=vxlan,geneve,gtpu
		replay "p$n" pieces --workers $n -s decap=vxlan
	done
	replay plain plain
	for n in 1 2 3; do
		same plain "w$n" es
		same plain "p$n" es
		all_counted "$TMPDIR/p$n.s"
	done
}

@test "outer packets in pieces; a piece in a piece is counted" {
	replay plain plain
	replay in pieces -s decap=vxlan
	same plain in
	[ "$(jq .fragments.reassembled "$TMPDIR/in.s")" -gt 2 ]
	replay small small-pieces -s decap=vxlan
	[ "$(decode small tunnel_fragment)" -eq 3 ]
	all_counted "$TMPDIR/small.s"
}

@test "too deep: counted, not tracked" {
	words=tzsp,pppoe,gre,6in4,ipip
	replay deep tzsp-pppoe-gre -s decap=$words -s decap_depth=3
	[ ! -s "$TMPDIR/deep.t" ]
	[ "$(decode deep tunnel_deep)" -eq "$(jq .frames "$TMPDIR/deep.s")" ]
	replay deep tzsp-pppoe-gre -s decap=$words -s decap_depth=4
	[ "$(decode deep tunnel_deep)" -eq 0 ]
}

@test "cut frames: a class or a reason for each" {
	while read -r name words; do
		for len in 64 96; do
			replay cut "$name.$len" -s "decap=$words"
			all_counted "$TMPDIR/cut.s" || { echo "$name"; false; }
		done
	done <"$ALL/list"
	# 96 bytes are enough for the ports in ERSPAN
	replay cut erspan2.96 -s decap=erspan
	[ "$(grep -c '^ipv4.*udp' "$TMPDIR/cut.t")" -ge 3 ]
}

@test "zones: VLANs of each direction are one by zone.map" {
	replay plain plain
	replay two vlans -s zone.from=vlan
	[ "$(wc -l <"$TMPDIR/two.t")" -gt 13 ]
	replay one vlans -s zone.from=vlan -s zone.map=100=200
	[ "$(grep -c ' zone=200 ' "$TMPDIR/one.t")" -eq 13 ]
	sed -i 's/ zone=200//' "$TMPDIR"/one.[te]
	same plain one
	# a range, and zone 0 is none
	replay none vlans -s zone.from=vlan -s zone.map=100-200=0
	same plain none
}

@test "zones: the same addresses in two virtual networks" {
	replay plain plain
	replay one vnis -s decap=vxlan
	[ "$(wc -l <"$TMPDIR/one.t")" -eq 13 ]
	replay two vnis -s decap=vxlan -s zone.from=vni
	[ "$(grep -c ' zone=5 ' "$TMPDIR/two.t")" -eq 13 ]
	# 24 bits folded into 16: 0x10006
	[ "$(grep -c ' zone=7 ' "$TMPDIR/two.t")" -eq 13 ]
	grep ' zone=7 ' "$TMPDIR/two.t" | sed 's/ zone=7 / /' |
		diff "$TMPDIR/plain.t" -
	replay two vnis -s decap=vxlan -s zone.from=vni -s zone.map=65542=77
	[ "$(grep -c ' zone=77 ' "$TMPDIR/two.t")" -eq 13 ]
	# the outermost VLAN
	replay qinq pppoe-qinq -s decap=pppoe -s zone.from=qinq
	[ "$(grep -c ' zone=7 ' "$TMPDIR/qinq.t")" -eq 13 ]
	# what an ERSPAN header tells of a frame that has no tag
	replay erspan erspan2 -s decap=erspan -s zone.from=vlan
	[ "$(grep -c ' zone=12 ' "$TMPDIR/erspan.t")" -eq 13 ]
}

@test "settings that cannot be are refused" {
	run "$BUILD/ctctl" replay -s decap=vxlan,nope "$ALL/plain.pcap"
	[ "$status" -ne 0 ]
	[[ "$output" == *"'nope' is not known"* ]]
	run "$BUILD/ctctl" replay -s decap=vxlan,geneve \
		-s tunnel.geneve.ports=4789 "$ALL/plain.pcap"
	[ "$status" -ne 0 ]
	[[ "$output" == *"port 4789 is another tunnel's"* ]]
	run "$BUILD/ctctl" replay -s zone.map=1=70000 "$ALL/plain.pcap"
	[ "$status" -ne 0 ]
	run "$BUILD/ctctl" replay -s decap_depth=17 "$ALL/plain.pcap"
	[ "$status" -ne 0 ]
}

@test "tshark sees the same inner addresses" {
	command -v tshark >/dev/null || skip "tshark is not installed"
	tunnels tshark "$ALL/plain.pcap" | sort >"$TMPDIR/plain.seen"
	while read -r name _; do
		# it does not guess what MPLS without IP carries
		[ "$name" = mpls-ethernet ] && continue
		tunnels tshark "$ALL/$name.pcap" | sort >"$TMPDIR/seen"
		# it shows the carrier's addresses where there are no others
		cut -f1,2,5,6 "$TMPDIR/plain.seen" | grep '^10' | sort \
			>"$TMPDIR/want"
		cut -f1,2,5,6 "$TMPDIR/seen" | grep '^10' | sort |
			diff "$TMPDIR/want" -
	done <"$ALL/list"
}
