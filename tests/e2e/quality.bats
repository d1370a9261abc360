#!/usr/bin/env bats
# How well connections fare: by all formats that tell it.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

# A handshake of 20 ms to the server and 3 ms to the client, a segment that is
# sent again, one that is late, a window of zero.
capture() {
	/usr/bin/python3 - "$1" <<'PY'
import sys, logging
logging.disable(logging.WARNING)
from scapy.all import Ether, IP, TCP, wrpcap
at = 1700000000.0
out = []
def seg(ms, reply, seq, ack, flags, n=0, win=60000):
    global at
    at += ms / 1000
    a, b, p, q = ("10.0.1.1", "10.0.0.1", 80, 4000) if reply else \
                 ("10.0.0.1", "10.0.1.1", 4000, 80)
    f = Ether() / IP(src=a, dst=b) / TCP(sport=p, dport=q, seq=seq, ack=ack,
                                         flags=flags, window=win) / ("d" * n)
    f.time = round(at, 6)
    out.append(f)
seg(0, False, 1000, 0, "S")
seg(20, True, 5000, 1001, "SA")
seg(3, False, 1001, 5001, "A")
seg(1, False, 1001, 5001, "A", 100)
seg(1, False, 1201, 5001, "A", 100)
seg(1, False, 1101, 5001, "A", 100)
seg(1, True, 5001, 1301, "A", 0, 0)
seg(200, True, 5001, 1301, "A", 50)
seg(250, True, 5001, 1301, "A", 50)
wrpcap(sys.argv[1], out)
PY
}

@test "quality in columns, csv, json and xml" {
	/usr/bin/python3 -c 'import scapy' 2>/dev/null || skip "no scapy"
	capture "$W/c.pcap"
	cols=duration,rtt,rrtt,retrans,rretrans,disorder,rdisorder,zero_window
	cols+=,rzero_window,resets,rresets
	"$BUILD/ctctl" replay -o csv --columns "$cols" "$W/c.pcap" >"$W/csv"
	diff - "$W/csv" <<-END
	$cols
	0.477000000,3000,20000,,1,1,,,1,,
	END
	"$BUILD/ctctl" replay -o json,wide "$W/c.pcap" >"$W/json"
	jq -e '.[0] | .duration_ns == 477000000 and
		.detail.rtt_us_orig == "3000" and .detail.rtt_us_reply == "20000" and
		.detail.retrans_reply == "1" and .detail.disorder_orig == "1" and
		(.detail.rate_orig | tonumber) > 100 and
		(.detail | has("retrans_orig") | not)' "$W/json"
	# nothing of it unless asked for
	"$BUILD/ctctl" replay -o json "$W/c.pcap" |
		jq -e '.[0] | (has("detail") or has("duration_ns")) | not'
	"$BUILD/ctctl" replay -o xml,wide "$W/c.pcap" >"$W/xml"
	grep -q '<duration_ns>477000000</duration_ns>' "$W/xml"
	grep -q '<detail key="rtt_us_reply">20000</detail>' "$W/xml"
	/usr/bin/python3 -c 'import sys, xml.dom.minidom as m
m.parse(sys.argv[1])' "$W/xml"
	# and without a detail line nothing is known
	"$BUILD/ctctl" replay -s detail=off -o csv --columns "$cols" \
		"$W/c.pcap" | tail -n 1 >"$W/csv"
	[ "$(cat "$W/csv")" = ",,,,,,,,,," ]
}
