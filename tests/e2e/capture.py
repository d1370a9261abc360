#!/usr/bin/python3
"""Captures with faults in them, made byte by byte.

  capture.py pcap LINKTYPE OUT < lines of "seconds.micros hex"
  capture.py cuts OUT        every header cut short at every byte
  capture.py lies OUT        lengths, versions and header lengths that lie

`cuts` and `lies` print, as JSON, how many frames there are.
"""
import json
import struct
import sys

MAC = bytes.fromhex('020000000002020000000001')


def pcap(path, frames, linktype=1):
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144,
                            linktype))
        for i, b in enumerate(frames):
            at, b = b if isinstance(b, tuple) else (1700000000 + i * 1e-3, b)
            f.write(struct.pack('<IIII', int(at), round(at % 1 * 1e6) %
                                1000000, len(b), len(b)) + b)


def ip4(proto, data, n=0):
    return struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(data), 0, 0x4000, 64,
                       proto, 0, bytes([10, 9, n >> 8, n & 255]),
                       bytes([10, 8, 0, 1])) + data


def ip6(nxt, data, n=0):
    return struct.pack('>IHBB', 6 << 28, len(data), nxt, 64) + \
        bytes.fromhex('fd09') + bytes(12) + struct.pack('>H', n) + \
        bytes.fromhex('fd08') + bytes(13) + b'\1' + data


def l4():
    udp = struct.pack('>HHHH', 4000, 53, 12, 0) + b'data'
    tcp = struct.pack('>HHIIBBHHH', 4000, 80, 1, 0, 0x80, 2, 1000, 0, 0) + \
        bytes.fromhex('020405b4 01 030307 01010101')
    sctp = struct.pack('>HHII', 4000, 5000, 0, 0) + \
        struct.pack('>BBHIIHHI', 1, 0, 20, 7, 1000, 1, 1, 1)
    return {17: udp, 6: tcp, 132: sctp}


def whole():
    """Good packets of each kind: (bytes before IP, ethertype, IP packet)."""
    echo4 = bytes.fromhex('0800000000010001') + b'ping'
    echo6 = bytes.fromhex('8000000000010001') + b'ping'
    quote = ip4(17, l4()[17], 3)
    error = bytes.fromhex('0301000000000000') + quote
    hop = bytes.fromhex('1100010400000000')        # then UDP
    dst = bytes.fromhex('3c00010400000000')        # then another
    out = []
    for n, (proto, data) in enumerate(list(l4().items()) +
                                      [(1, echo4), (1, error)]):
        out.append((b'', 0x0800, ip4(proto, data, n)))
    for n, (proto, data) in enumerate(list(l4().items()) + [(58, echo6)]):
        out.append((b'', 0x86dd, ip6(proto, data, n)))
    out.append((b'', 0x86dd, ip6(0, dst + hop + l4()[17], 9)))
    out.append((struct.pack('>HH', 0x8100, 7), 0x0800, ip4(17, l4()[17], 10)))
    out.append((struct.pack('>HHHH', 0x88a8, 7, 0x8100, 8), 0x0800,
                ip4(17, l4()[17], 11)))
    return out


def cuts():
    for tags, kind, packet in whole():
        frame = MAC + tags + struct.pack('>H', kind) + packet
        for n in range(len(frame) + 1):
            yield frame[:n]


def lies():
    for tags, kind, packet in whole():
        head = MAC + tags + struct.pack('>H', kind)
        for at in range(len(packet)):
            for v in (0, 1, 0x7f, 0x80, 0xff, packet[at] ^ 1):
                yield head + packet[:at] + bytes([v]) + packet[at + 1:]
    for kind in (0, 0x05dc, 0x0806, 0x8847, 0xffff):
        yield MAC + struct.pack('>H', kind) + bytes(46)


def main():
    what, out = sys.argv[1], sys.argv[-1]
    if what == 'pcap':
        frames = []
        for line in sys.stdin:
            at, text = line.split()
            frames.append((float(at), bytes.fromhex(text)))
        pcap(out, frames, int(sys.argv[2]))
    else:
        frames = list(cuts() if what == 'cuts' else lies())
        pcap(out, frames)
    print(json.dumps({'frames': len(frames)}))


main()
