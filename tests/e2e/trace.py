#!/usr/bin/python3
"""A capture for traces: one of each fate, and others between them.

  trace.py FILE

Host 10.0.0.1 talks to 10.1.0.1; 10.0.0.2 to 10.1.0.2 are the others.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import frames as f  # noqa: E402

OPTIONS = bytes.fromhex("020405b4" "0402" "010303") + b"\7"


def main(path):
    one, other = f.Pair(0), f.Pair(1)
    web, dns, null = (40000, 80), (40001, 53), (40002, 9)
    data = one.tcp(0, web, f.PSH | f.ACK, 1001, 5001, b"x" * 100, 502)
    datagram = one.udp(0, dns, b"q" * 40)
    payload = datagram[20:]
    packets = [
        one.tcp(0, web, f.SYN, 1000, 0, b"", 64240, OPTIONS),
        other.udp(0, dns, b"not this"),
        one.tcp(1, web, f.SYN | f.ACK, 5000, 1001, b"", 65160, OPTIONS),
        one.tcp(0, web, f.ACK, 1001, 5001, b"", 502),
        data,
        one.tcp(1, web, f.ACK, 5001, 1101, b"", 509),
        # behind what the other side has room for
        one.tcp(0, web, f.ACK, 9001001, 5001, b"lost", 502),
        one.tcp(1, web, f.ACK, 5001, 1101, b"", 509, wrong=True),
        one.icmp(1, 3, 1, 0, data[:28], src=one.addr[2]),
        # an error that quotes nothing that anybody sent
        one.icmp(1, 3, 3, 0, one.udp(0, (1, 2), b"")[:28]),
        one.tcp(1, web, f.RST, 5001, 0, b"", 0),
        one.tcp(0, web, f.SYN | f.FIN, 1, 0),
        one.tcp(0, (40003, 80), f.SYN | f.ACK, 1, 1),
        one.udp(0, null, b"no track"),
        f.fragment(datagram, 0, payload[:24], True, 77),
        f.fragment(datagram, 24, payload[24:], False, 77),
        one.udp(1, dns, b"answer"),
        one.tcp(0, (40004, 80), f.SYN, 100, 0),
        one.tcp(1, (40004, 80), f.RST | f.ACK, 0, 101, b"", 0),
        one.icmp(0, 8, 0, 0x12340001, b"ping"),
    ]
    f.write_pcap(path, packets,
                 [1700000000 + n / 1000 for n in range(len(packets))])


if __name__ == "__main__":
    main(sys.argv[1])
