#!/usr/bin/python3
"""Write a capture of established connections in the middle of a flood.

	floods.py FILE KIND FLOOD CONNECTIONS

KIND syn: SYNs from anywhere to one port; rows: UDP in rows of addresses and
ports, as whoever knows the table's shape but not its key would try; fragments:
first fragments of datagrams that never end; expect: FTP clients that announce.
FLOOD packets of it, and between every 20 of them one of data of CONNECTIONS
that were opened before.  Prints what was sent, as JSON.
"""
import json
import random
import struct
import sys

TCP, UDP = 6, 17
SYN, ACK, PSH = 2, 16, 8


def ip(src, dst, proto, payload, ident=0, frag=0):
    return struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(payload), ident, frag,
                       64, proto, 0, src, dst) + payload


def tcp(sport, dport, seq, ack, flags, data=b""):
    return struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff,
                       ack & 0xffffffff, 0x50, flags, 65535, 0, 0) + data


def udp(sport, dport, data=b"x"):
    return struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data


class Talk:
    def __init__(self, n, dport=443):
        self.end = (0x0a000000 + n, 0x0a010001)
        self.port = (10000 + n % 50000, dport)
        self.seq = [1000, 5000]

    def packet(self, d, flags, data=b""):
        p = ip(self.end[d], self.end[1 - d], TCP,
               tcp(self.port[d], self.port[1 - d], self.seq[d],
                   self.seq[1 - d] if flags & ACK else 0, flags, data))
        self.seq[d] += len(data) + bool(flags & SYN)
        return p

    def opening(self):
        return [self.packet(0, SYN), self.packet(1, SYN | ACK),
                self.packet(0, ACK)]

    def greeting(self):
        return [self.packet(0, ACK | PSH, b"hello"),
                self.packet(1, ACK | PSH, b"you")]


def flood(kind, n, rnd):
    if kind == "syn":
        for _ in range(n):
            yield ip(rnd.getrandbits(32) | 1, 0x0a010002, TCP,
                     tcp(rnd.randrange(1, 65536), 80, rnd.getrandbits(32), 0,
                         SYN))
    elif kind == "rows":
        for i in range(n):
            row, j = i % 4, i // 4
            if row == 0:  # one port after the other
                yield ip(0xc0000201, 0x0a010002, UDP, udp(j % 65535 + 1, 53))
            elif row == 1:  # the low bits always the same
                yield ip(0xc1000000 + (j << 8), 0x0a010002, UDP, udp(53, 53))
            elif row == 2:  # addresses and ports that take each other back
                yield ip(0xc2000000 + j, 0x0a010002, UDP,
                         udp((j ^ 0x5555) % 65535 + 1, 53))
            else:  # both ends move
                yield ip(0xc3000000 + j, 0x0b000000 + j, UDP, udp(7, 7))
    elif kind == "fragments":
        for i in range(n):
            yield ip(0xc0000000 + i // 65536, 0x0a010002, UDP,
                     udp(7, 7, b"y" * 48), i % 65536, 0x2000)
    elif kind == "expect":
        for i in range(n // 6):
            t = Talk(100000 + i, 21)
            yield from t.opening()
            yield t.packet(1, ACK | PSH, b"220 hello\r\n")
            yield t.packet(0, ACK | PSH, b"USER x\r\n")
            yield t.packet(0, ACK | PSH, b"PORT 10,%d,%d,%d,200,%d\r\n" % (
                t.end[0] >> 16 & 255, t.end[0] >> 8 & 255, t.end[0] & 255,
                i % 200 + 1))


def main():
    path, kind, n, old = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    rnd = random.Random(1)
    talks = [Talk(i) for i in range(old)]
    packets = [p for t in talks for p in t.opening() + t.greeting()]
    good = len(packets)
    for i, p in enumerate(flood(kind, n, rnd)):
        packets.append(p)
        if i % 20 == 19:
            t = rnd.choice(talks)
            packets.append(t.packet(rnd.randrange(2), ACK | PSH, b"data"))
            good += 1
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for i, p in enumerate(packets):
            f.write(struct.pack("<IIII", 1700000000 + i // 1000000,
                                i % 1000000, len(p), len(p)) + p)
    print(json.dumps({"frames": len(packets), "good": good,
                      "flood": len(packets) - good,
                      "connections": old}))


main()
