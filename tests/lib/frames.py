#!/usr/bin/python3
"""Plausible conversations, and what goes wrong in them, made from a seed.

`packets_of("tcp:7")` is always the same list of IP packets; the kinds are
those of KINDS, with a 6 behind the name for IPv6.  All packets of a connection
follow each other.
"""
import random
import socket
import struct

ROUTER_MAC = bytes.fromhex("020000000002")
INJECT_MAC = bytes.fromhex("020000000001")
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


# -- packets ------------------------------------------------------------------
def checksum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


class Pair:
    """Two hosts that talk: addresses of one family, and an order of them."""

    def __init__(self, n, v6=False):
        self.v6 = v6
        fam = socket.AF_INET6 if v6 else socket.AF_INET
        fmt = ("fd00::%x:%x", "fd01::%x:%x") if v6 else ("10.0.%d.%d",
                                                        "10.1.%d.%d")
        at = (n // 250, n % 250 + 1)
        self.addr = [socket.inet_pton(fam, f % at) for f in fmt]

    def ip(self, d, proto, payload):
        src, dst = self.addr[d], self.addr[1 - d]
        if self.v6:
            return struct.pack("!IHBB", 6 << 28, len(payload), proto,
                               64) + src + dst + payload
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0,
                           0x4000, 64, proto, 0, src, dst)
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + \
            payload

    def l4(self, d, proto, data, at):
        """The packet with the checksum of layer 4 filled in at offset `at`."""
        pseudo = self.addr[d] + self.addr[1 - d] + \
            struct.pack("!II", len(data), proto)
        if proto == 1:
            pseudo = b""
        c = struct.pack("!H", checksum(pseudo + data))
        return self.ip(d, proto, data[:at] + c + data[at + 2:])

    def tcp(self, d, ports, flags, seq, ack, data=b"", win=65535):
        return self.l4(d, 6, struct.pack(
            "!HHIIHHHH", ports[d], ports[1 - d], seq & 0xffffffff,
            ack & 0xffffffff, 5 << 12 | flags, win, 0, 0) + data, 16)

    def udp(self, d, ports, data):
        return self.l4(d, 17, struct.pack(
            "!HHHH", ports[d], ports[1 - d], 8 + len(data), 0) + data, 6)

    def icmp(self, d, kind, code, word, data=b""):
        return self.l4(d, 58 if self.v6 else 1, struct.pack(
            "!BBHI", kind, code, 0, word) + data, 2)


# -- scenarios: each yields lists of packets, one list a connection ----------------
def some_tcp(rnd, pair):
    """Mostly a conversation as it should be, with accidents in any place."""
    ports = (rnd.randrange(1024, 65536), rnd.choice((80, 443, 8080)))
    seq = [rnd.randrange(1 << 32), rnd.randrange(1 << 32)]
    plan = [(0, SYN, 0), (1, SYN | ACK, 0), (0, ACK, 0)]
    for _ in range(rnd.randrange(4)):
        d = rnd.randrange(2)
        plan += [(d, PSH | ACK, rnd.randrange(1, 40)), (1 - d, ACK, 0)]
    d = rnd.randrange(2)
    plan += rnd.choice(([], [(d, RST | ACK, 0)],
                        [(d, FIN | ACK, 0), (1 - d, ACK, 0),
                         (1 - d, FIN | ACK, 0), (d, ACK, 0)],
                        [(d, FIN | ACK, 0), (1 - d, FIN | ACK, 0),
                         (d, ACK, 0)]))
    out = []
    for d, flags, n in plan[rnd.choice((0, 0, 0, 0, 1, 2)):]:
        luck = rnd.random()
        jump = 0
        if luck < 0.05:
            continue
        if luck < 0.10:
            d = 1 - d
        elif luck < 0.15:
            flags = rnd.choice((SYN, SYN | ACK, RST, RST | ACK, FIN | ACK, ACK,
                                0, SYN | FIN, FIN))
        elif luck < 0.20:
            jump = rnd.choice((-1, 1, 100, -100, 70000, 1 << 31))
        p = pair.tcp(d, ports, flags, seq[d] + jump,
                     seq[1 - d] if flags & ACK else 0, b"x" * n,
                     rnd.choice((65535, 65535, 65535, 512, 0)))
        out += [p] * rnd.choice((1, 1, 1, 1, 1, 2))
        seq[d] += n + (1 if flags & (SYN | FIN) else 0)
    return out


def some_udp(rnd, pair):
    ports = (rnd.randrange(1024, 65536), rnd.choice((123, 514, 9999)))
    return [pair.udp(rnd.choice((0, 0, 1)), ports,
                     b"u" * rnd.randrange(0, 50))
            for _ in range(rnd.randrange(1, 6))]


def some_icmp(rnd, pair):
    ask, answer = (128, 129) if pair.v6 else (8, 0)
    word = rnd.randrange(1 << 16) << 16
    if rnd.random() < 0.2 and not pair.v6:
        ask, answer = rnd.choice(((13, 14), (15, 16), (17, 18), (20, 21)))
    out = []
    for i in range(rnd.randrange(1, 4)):
        if rnd.random() < 0.9:
            out.append(pair.icmp(0, ask, 0, word | i, b"p" * 8))
        if rnd.random() < 0.7:
            out.append(pair.icmp(1, answer, 0, word | i, b"p" * 8))
    return out


def some_error(rnd, pair):
    """Datagrams, and errors that quote one of them, more or less of it."""
    ports = (rnd.randrange(1024, 65536), 33434)
    sent = pair.udp(0, ports, b"probe")
    head = 40 if pair.v6 else 20
    quote = sent[:head + rnd.choice((2, 4, 8, 13))]
    kind = rnd.choice((1, 2, 3, 4) if pair.v6 else (3, 4, 11, 12))
    out = [sent] if rnd.random() < 0.8 else []
    if rnd.random() < 0.3:
        out.append(pair.udp(1, ports, b"answer"))
    out.append(pair.icmp(rnd.choice((1, 1, 1, 0)), kind, 0, 0, quote))
    return out


def some_other(rnd, pair):
    """Protocols that have no ports: OSPF's number, and GRE of version 0."""
    proto, data = rnd.choice(((89, b"\2\1\0\30"), (47, b"\0\0\x08\0"),
                              (253, b"")))
    return [pair.ip(rnd.randrange(2), proto, data)
            for _ in range(rnd.randrange(1, 5))]


def some_sctp(rnd, pair):
    """Chunks in the usual order, and sometimes not."""
    ports = (rnd.randrange(1024, 65536), 3868)
    tag = [rnd.randrange(1, 1 << 32), rnd.randrange(1, 1 << 32)]

    def packet(d, kind):
        body = b""
        vtag = tag[1 - d]
        if kind in (1, 2):
            body = struct.pack("!IIHHI", tag[d], 65536, 1, 1, 1)
            vtag = 0 if kind == 1 else vtag
        elif kind == 0:
            body = struct.pack("!IHHI", 1, 0, 0, 0) + b"data"
        elif kind == 3:
            body = struct.pack("!IIHH", 1, 65536, 0, 0)
        elif kind in (4, 5, 10):
            body = b"\0\1\0\x08beat"
        elif kind == 7:
            body = struct.pack("!I", 1)
        chunk = struct.pack("!BBH", kind, 0, 4 + len(body)) + body
        return pair.ip(d, 132, struct.pack("!HHII", ports[d], ports[1 - d],
                                           vtag, 0) + chunk)

    plan = [(0, 1), (1, 2), (0, 10), (1, 11), (0, 0), (1, 3), (0, 4), (1, 5)]
    plan += rnd.choice(([], [(0, 7), (1, 8), (0, 14)], [(1, 6)]))
    return [packet(d, rnd.choice((kind,) * 12 + (0, 1, 6, 8)))
            for d, kind in plan if rnd.random() < 0.93]


KINDS = {"tcp": some_tcp, "udp": some_udp, "icmp": some_icmp,
         "error": some_error, "other": some_other, "sctp": some_sctp}


def packets_of(name, connections=250):
    kind, _, seed = name.partition(":")
    if kind.rstrip("6") not in KINDS or not seed:
        raise ValueError("no scenario is called " + name)
    rnd = random.Random(name)
    out = []
    for n in range(connections):
        out += KINDS[kind.rstrip("6")](rnd, Pair(n, kind.endswith("6")))
    return out


def frame_of(packet):
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return ROUTER_MAC + INJECT_MAC + kind + packet
