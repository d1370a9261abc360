#!/usr/bin/python3
"""Write the corpora that fuzz programs begin with.

    tests/fuzz/seeds.py [DIR]

Each program says in its first comment how it reads an input; a seed is the
shortest way into some part of the product, such as a whole handshake.  Files
named found-* in a corpus are inputs that once failed: they are kept, and not
written by this script.
"""
import gzip
import os
import struct
import sys

OUT = sys.argv[1] if len(sys.argv) > 1 else \
    os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def seed(program, name, data):
    folder = os.path.join(OUT, program)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


# ---- trackers: how the policy differs, then packets (life.h) ----------------

SIDE, RAW, SUM = 1, 0x20, 0x40
SYN, SYNACK, ACK, FINACK, RST, RSTACK, PSHACK = range(7)
LATER = 4 << 1  # 2 s and a bit


def tcp():
    def seg(ctl, kind, *more):
        return bytes([ctl, kind, 0, *more])
    opening = seg(0, SYN) + seg(SIDE, SYNACK) + seg(0, ACK)
    closing = seg(0, FINACK) + seg(SIDE, ACK) + seg(SIDE, FINACK) + seg(0, ACK)
    data = seg(0, PSHACK | 0x20, 100) + seg(SIDE, ACK)
    seed("tcp", "life", b"\0" + opening + data + closing)
    seed("tcp", "reopen", b"\0" + opening + closing + opening)
    seed("tcp", "reset", b"\0" + opening + seg(SIDE, RSTACK))
    seed("tcp", "refused", b"\0" + seg(0, SYN) + seg(SIDE, RSTACK))
    seed("tcp", "pickup", b"\0" + data + data + closing)
    seed("tcp", "wrap", b"\x30" + opening + data + closing)
    seed("tcp", "inside", b"\0" + opening + seg(0, SYN) + seg(SIDE, ACK) +
         seg(0, RST))
    seed("tcp", "crossing", b"\0" + seg(0, SYN) + seg(SIDE, SYN) +
         seg(0, SYNACK) + seg(SIDE, SYNACK) + seg(0, ACK))
    seed("tcp", "options", b"\2" + seg(0 | SUM, SYN | 0x10, 0x73) +
         seg(SIDE | SUM, SYNACK | 0x10, 0x73) + seg(SUM, ACK | 0x10, 4, 9, 3))
    seed("tcp", "liberal", b"\4\1\1\1\3" + opening +
         bytes([0, PSHACK | 0x20, 2, 90, 10]) + data)


def udp():
    def dgram(ctl, kind, size):
        return bytes([ctl, kind, size])
    for i, name in enumerate(("udp", "udplite")):
        seed("udp", name, bytes([i, 0]) + dgram(0, 0, 10) +
             dgram(SIDE, 0, 20) + dgram(LATER, 0, 5) + dgram(SIDE, 0, 3))
        seed("udp", name + "-bad", bytes([i, 2]) + dgram(SUM, 0, 9) +
             bytes([0, 1, 4, 0, 3]) + bytes([0, 2, 4, 7, 7]))


def icmp():
    quote = ip4(17, struct.pack(">HHHH", 4000, 53, 8, 0), 2, 1)
    seed("icmp", "ping", bytes([0, 0, 0, 0, 2, 1, 2, SIDE, 1, 2, 1, 2]))
    seed("icmp", "unreachable", bytes([0, 0, 0, 2, len(quote)]) + quote)
    seed("icmp", "timestamp", bytes([0, 0, 0, 4, 12]) + bytes(12) +
         bytes([SIDE, 5, 12]) + bytes(12))
    quote = ip6(17, struct.pack(">HHHH", 4000, 53, 8, 0), 2, 1)
    seed("icmp", "ping6", bytes([1, 0, 0, 0, 2, 1, 2, SIDE, 1, 2, 1, 2]))
    seed("icmp", "unreachable6", bytes([1, 0, 0, 2, len(quote)]) + quote)
    seed("icmp", "neighbour", bytes([1, 0, 0, 6, 16]) + bytes(16))
    seed("icmp", "sum", bytes([0, 2, SUM, 0, 2, 1, 2]))


def sctp():
    opening = bytes([0, 2, 0, SIDE, 0, 1, 0, 0, 2, SIDE, 0, 3])
    closing = bytes([0, 0, 9, SIDE, 0, 10, 0, 0, 12])
    seed("sctp", "life", b"\0" + opening + bytes([0, 0, 4 | 0x20, 16]) +
         closing)
    seed("sctp", "abort", b"\0" + opening + bytes([SIDE, 0, 8]))
    seed("sctp", "heartbeat", b"\0" + bytes([0, 3, 0, 0, 0, 9, 5, SIDE, 0, 6]))
    seed("sctp", "bundle", b"\0" + opening + bytes([0, 12, 5, 7, 11, 4]))
    seed("sctp", "collision", b"\0" + bytes([0, 2, 0, SIDE, 2, 0, 0, 0, 1]))


def dccp():
    def pkt(ctl, kind):
        return bytes([ctl, kind, 0])
    opening = pkt(0, 0) + pkt(SIDE, 1) + pkt(0, 3)
    seed("dccp", "life", b"\0" + opening + pkt(SIDE, 4) + pkt(0, 4) +
         pkt(SIDE, 5) + pkt(0, 6) + pkt(SIDE, 7))
    seed("dccp", "reset", b"\0" + pkt(0, 0) + pkt(SIDE, 7))
    seed("dccp", "again", b"\0" + opening + pkt(0, 0) + pkt(SIDE, 1))
    seed("dccp", "sync", b"\0" + opening + pkt(0, 8) + pkt(SIDE, 9) +
         bytes([0, 2 | 0x10, 4, 0]))


def gre():
    seed("gre", "plain", bytes([0, 0, 0, 0, SIDE, 0, 0, 0, 0, 0]))
    seed("gre", "pptp", bytes([0, 0, 2, 9, SIDE, 2, 9, LATER, 2, 9]))
    seed("gre", "short", bytes([1, 0, 0x12, 9, 3, SIDE, 0x12, 9, 7]))


# ---- frames ---------------------------------------------------------------

def ip4(proto, body, src=1, dst=2, frag=0):
    return struct.pack(">BBHHHBBH4B4B", 0x45, 0, 20 + len(body), 7, frag, 64,
                       proto, 0, 10, 0, 0, src, 10, 0, 1, dst) + body


def ip6(proto, body, src=1, dst=2):
    return struct.pack(">IHBB", 0x60000000, len(body), proto, 64) + \
        bytes([0xfd] + [0] * 14 + [src]) + \
        bytes([0xfd] + [0] * 14 + [dst]) + body


def eth(kind, body):
    return bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]) + \
        struct.pack(">H", kind) + body


TCP = struct.pack(">HHIIBBHHH", 4000, 80, 1000, 0, 0x50, 2, 65535, 0, 0)
UDP = struct.pack(">HHHH", 4000, 53, 12, 0) + b"data"


def tunnels():
    """A frame in each kind of tunnel."""
    inner = ip4(6, TCP)
    frame = eth(0x0800, inner)

    def to_port(port, body):
        return eth(0x0800, ip4(17, struct.pack(">HHHH", 50000, port, 8 +
                                               len(body), 0) + body))

    def gre(flags, kind, body):
        return eth(0x0800, ip4(47, struct.pack(">HH", flags, kind) + body))

    label = struct.pack(">I", 18 << 12 | 0x140)
    session = struct.pack(">BBHHH", 0x11, 0, 5, 2 + len(inner), 0x21)
    vxlan = struct.pack(">II", 0x08000000, 5000 << 8)
    return {
        "mpls": eth(0x8847, label + inner),
        "mpls-frame": eth(0x8847, label + bytes(4) + frame),
        "pppoe": eth(0x8864, session + inner),
        "ipip": eth(0x0800, ip4(4, inner)),
        "6in4": eth(0x0800, ip4(41, ip6(6, TCP))),
        "6in6": eth(0x86dd, ip6(41, ip6(6, TCP))),
        "gre": gre(0xb000, 0x0800, bytes(12) + inner),
        "nvgre": gre(0x2000, 0x6558, b"\0\0\1\0" + frame),
        "erspan1": gre(0, 0x88be, frame),
        "erspan2": gre(0x1000, 0x88be, bytes(4) + b"\x10\x0c" + bytes(6) +
                       frame),
        "erspan3": gre(0x1000, 0x22eb, bytes(4) + b"\x20\x0c" + bytes(9) +
                       b"\1" + bytes(8) + frame),
        "vxlan": to_port(4789, vxlan + frame),
        "vxlan-gpe": to_port(4789, b"\x0c\0\0\1" + vxlan[4:] + inner),
        "geneve": to_port(6081, b"\1\0\x65\x58\0\0\1\0" + bytes(4) + frame),
        "tzsp": to_port(37008, b"\1\0\0\1\0\x0a\1\7\1" + frame),
        "gtpu": to_port(2152, struct.pack(">BBHII", 0x34, 255, 8 + len(inner),
                                          1, 0x85) + b"\1\0\0\0" + inner),
        "nested": to_port(4789, vxlan + to_port(
            4789, vxlan + gre(0, 0x0800, ip4(4, inner)))),
    }


def pkt():
    chain = ip6(0, bytes([43, 0, 1, 4, 0, 0, 0, 0]) +
                bytes([44, 0, 0, 0, 0, 0, 0, 0]) +
                bytes([60, 0, 0, 0, 0, 0, 0, 9]) +
                bytes([6, 0, 1, 4, 0, 0, 0, 0]) + TCP)
    frames = {
        "tcp": (0, eth(0x0800, ip4(6, TCP))),
        "udp6": (0, eth(0x86dd, ip6(17, UDP))),
        "vlans": (0, eth(0x88a8, struct.pack(">HHHH", 7, 0x8100, 5, 0x0800) +
                         ip4(17, UDP))),
        "chain": (0, eth(0x86dd, chain)),
        "fragment": (0, eth(0x0800, ip4(17, UDP, 1, 2, 0x2000))),
        "fragment6": (0, eth(0x86dd, ip6(44, bytes([17, 0, 0, 9, 0, 0, 0, 1])
                                         + UDP))),
        "error": (0, eth(0x0800, ip4(1, bytes([3, 3, 0, 0, 0, 0, 0, 0]) +
                                     ip4(17, UDP)))),
        "error6": (0, eth(0x86dd, ip6(58, bytes([1, 4, 0, 0, 0, 0, 0, 0]) +
                                      ip6(17, UDP)))),
        "null": (1, struct.pack("<I", 2) + ip4(6, TCP)),
        "raw": (4, ip6(6, TCP)),
        "loop": (5, struct.pack(">I", 30) + ip6(6, TCP)),
        "sll": (6, bytes(14) + b"\x08\0" + ip4(6, TCP)),
        "ipv4": (7, ip4(6, TCP)),
        "ipv6": (8, ip6(6, TCP)),
        "sll2": (9, b"\x86\xdd" + bytes(18) + ip6(6, TCP)),
        "arp": (0, eth(0x0806, bytes(28))),
        "auth": (0, eth(0x86dd, ip6(51, bytes([6, 1] + [0] * 10) + TCP))),
    }
    for name, frame in tunnels().items():
        frames[name] = (0, frame)
    for name, (link, frame) in frames.items():
        seed("pkt", name, bytes([link, 0]) + frame)
    seed("pkt", "cut", bytes([0, 12]) + frames["tcp"][1])


def pcap(order, magic, frames):
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    for i, f in enumerate(frames):
        out += struct.pack(order + "IIII", 1700000000 + i, i, len(f), len(f))
        out += f
    return out


def block(kind, body):
    body += bytes(-len(body) % 4)
    size = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + size + body + size


def pcapng(frames):
    out = block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1))
    out += block(1, struct.pack("<HHI", 1, 0, 65535) +
                 struct.pack("<HHB3x", 9, 1, 9) + struct.pack("<HH", 0, 0))
    for i, f in enumerate(frames):
        out += block(6, struct.pack("<IIIII", 0, 0x17a, i, len(f), len(f)) +
                     f)
    return out


def capture():
    frames = [eth(0x0800, ip4(6, TCP)), eth(0x86dd, ip6(17, UDP))]
    plain = pcap("<", 0xa1b2c3d4, frames)
    nano = pcap(">", 0xa1b23c4d, frames)
    ng = pcapng(frames)
    seed("capture", "pcap", b"\0" + plain)
    seed("capture", "nano", b"\4" + nano)
    seed("capture", "pcapng", b"\0" + ng)
    seed("capture", "gzip", b"\1" + ng)
    seed("capture", "zstd", b"\2" + plain)
    seed("capture", "two", b"\3" + plain)
    seed("capture", "resumed", b"\x08" + plain)
    seed("capture", "cut", b"\0" + plain[:-7])
    seed("capture", "packed", b"\0" + gzip.compress(plain, 9, mtime=0))
    seed("capture", "members", b"\0" + gzip.compress(plain[:40], 9, mtime=0) +
         gzip.compress(plain[40:], 9, mtime=0))


def pipeline():
    # policy, two bytes; then: kind, hosts, ports, and what the kind wants
    def frame(kind, hosts, ports, *more):
        return bytes([kind, hosts, ports, *more])
    there, back = 1 << 2, 1
    tcp_life = frame(0, there, 0, 0) + frame(0, back, 0x80, 1) + \
        frame(0, there, 0, 2) + frame(0, back, 0x80, 4)
    many = b"".join(frame(2, there, i) for i in range(16))
    six = 0x10
    seed("pipeline", "tcp", b"\0\0" + tcp_life)
    seed("pipeline", "full", b"\x10\0" + many + tcp_life)
    seed("pipeline", "two", b"\x61\0" + many + tcp_life)
    seed("pipeline", "error", b"\0\0" + frame(2, there, 1) +
         frame(4, back, 0, 3))
    seed("pipeline", "six", b"\x80\0" + frame(0, six | there, 0, 0) +
         frame(0, six | back, 0x80, 1) + frame(3, six | there, 1))
    seed("pipeline", "pieces", b"\0\x08" +
         frame(2, 0x40 | there, 0x80, 1) + frame(2, 0x40 | there, 1, 1))
    seed("pipeline", "late", b"\0\0" + many + frame(0x32, there, 1, 5))
    seed("pipeline", "mix", b"\0\7" + b"".join(
        frame(k, there, 2, 0) + frame(k, back, 0x82, 1) for k in range(8)))


# ---- messages ----------------------------------------------------------------

def varint(v):
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def num(field, v):
    return varint(field << 3) + varint(v)


def text(field, v):
    return varint(field << 3 | 2) + varint(len(v)) + v


def fixed(field, v):
    return varint(field << 3 | 1) + struct.pack("<Q", v)


NET = text(1, bytes([10, 0, 0, 0])) + num(2, 8)
FILTERS = {
    "proto": num(1, 4) + num(2, 6),
    "nets": text(3, NET) + text(25, text(1, bytes(16)) + num(2, 0)),
    "ports": text(7, num(1, 53)) + text(8, num(1, 1) + num(2, 1024)),
    "state": text(11, b"ESTABLISHED"),
    "status": num(12, 4) + num(13, 2) + num(14, 255) + num(15, 15),
    "icmp": num(19, 8) + num(20, 0) + num(21, 77),
    "keys": num(22, 0) + num(23, 7) + num(16, 0),
    "id": fixed(26, 3 << 32 | 5 << 24 | 7),
    "labels": text(24, bytes(15) + b"\1"),
    "place": num(28, 1) + num(29, 5),
    "expression": text(30, b"tcp port 80 and host 10.0.0.1"),
}


def filters():
    for name, body in FILTERS.items():
        seed("filter", name, b"\1" + body)
    seed("filter", "text", b"\0ip6 and (tcp[13] & 2 != 0 or udp portrange "
         b"50-60) and net 10.0.0.0/8")
    seed("filter", "icmp-text", b"\0icmp[icmptype] = icmp-echo or not src "
         b"net fd00::/8")


def messages():
    tup = text(1, bytes([10, 0, 0, 1])) + text(2, bytes([10, 0, 1, 1])) + \
        num(3, 4000) + num(4, 80) + num(10, 5) + num(11, 300)
    conn = fixed(1, 7) + num(2, 4) + num(3, 6) + text(4, b"tcp") + \
        text(5, b"ESTABLISHED") + num(6, 14) + num(7, 1000) + \
        text(10, tup) + text(11, tup) + text(14, bytes(16)) + \
        text(20, text(1, b"rtt") + text(2, b"5"))
    expect = fixed(1, 7) + num(2, 4) + num(3, 6) + text(4, b"tcp") + \
        num(5, 300000) + text(6, tup) + text(7, tup) + text(8, tup) + \
        num(12, 1) + num(13, 0) + text(15, b"ftp")
    answers = {
        "conn": num(1, 1) + text(5, conn),
        "event": num(1, 2) + text(6, num(1, 1) + num(2, 9) + text(4, conn)),
        "expect": num(1, 8) + text(13, expect),
        "expect-event": num(1, 9) + text(6, num(1, 1) + num(2, 9) +
                                         text(10, expect)),
        "gap": num(1, 2) + text(6, num(1, 6) + num(6, 1) + num(7, 9)),
        "count": num(1, 3) + text(7, text(1, b"tcp") + num(2, 4)),
        "scope": num(1, 4) + text(8, num(1, 0) +
                                  text(2, text(1, b"frames") + num(2, 3))),
        "table": num(1, 5) + text(9, text(1, b"version") + text(2, b"a") +
                                  text(3, text(1, b"b"))),
        "fault": num(1, 7) + text(10, text(1, b"I1")) + num(11, 3),
        "error": num(1, 1) + num(2, 1) + text(3, num(1, 2) + text(2, b"no")),
        "hello": num(1, 1) + num(2, 1) + text(4, num(1, 1) +
                                              text(2, b"0.1.0")),
    }
    for name, body in answers.items():
        seed("frame", "answer-" + name, struct.pack(">I", len(body)) + body)
        # fuzz_answer puts the id itself
        rest = body[len(num(1, 1)):]
        seed("answer", name, b"\0\0" + bytes([body[1], len(rest)]) + rest +
             bytes([body[1], 2]) + num(2, 1))
    requests = {
        "hello": text(2, num(1, 1) + text(2, b"fuzz")),
        "list": text(3, text(1, FILTERS["proto"]) + num(2, 5)),
        "get": text(4, text(1, FILTERS["id"])),
        "count": text(5, text(2, b"proto,state,zone,shard")),
        "watch": text(6, num(5, 1) + num(6, 1)),
        "since": text(6, num(3, 3)),
        "until": text(6, num(5, 1) + num(7, 1)),
        "stats": text(7, b""),
        "show": text(8, b"".join(text(1, w.encode()) for w in (
            "workers", "shards", "subscribers", "config", "memory", "version",
            "protocols"))),
        "set": text(9, text(1, text(1, b"udp_timeout") + text(2, b"40"))),
        "delete": text(10, text(1, FILTERS["ports"])),
        "flush": text(11, num(1, 4)),
        "update": text(12, text(1, FILTERS["proto"]) + num(2, 7) + num(4, 99)),
        "check": text(13, num(1, 1)),
        "start": text(14, b""),
        "wait": text(15, b""),
        "cancel": text(16, num(1, 2)),
    }
    for name, body in requests.items():
        body = num(1, 2) + body
        seed("frame", "ask-" + name, struct.pack(">I", len(body)) + body)
        # greeted; by the client that may change things, then two turns
        seed("request", name, bytes([1, 5, len(body)]) + body)
    both = bytes([1])
    for name in ("watch", "list", "cancel"):
        body = num(1, 2) + requests[name]
        both += bytes([2, len(body)]) + body
    seed("request", "one-after-other", both)
    seed("request", "ungreeted", b"\0\2\4" + num(1, 2) + text(7, b""))


def conf():
    seed("conf", "file", b"""\0# a comment
udp_timeout = 40
tcp_loose = 0
tracker {
	udp = off
}
""")
    seed("conf", "unknown", b"\0no_such_key = 1\n")
    seed("conf", "unclosed", b"\0tracker {\n\tudp = \"on\n")
    seed("conf", "lines", b"\1udp_timeout = 40\ntcp_loose = 0\n")
    seed("conf", "words", b"\2udp_timeout=99\ntcp_loose=2\n"
         b"tcp_max_retrans=255\ntracker.udp=off\nnothing\n=\n")


def memory():
    # region: what, place (2 bytes), how; see damage() there
    def hit(what, at, *more):
        return bytes([what]) + struct.pack(">H", at) + bytes(more)
    seed("region", "op", b"".join(hit(0x30, i, i) for i in range(13)))
    seed("region", "bounds", hit(0x30, 20, 200) + hit(0x30, 21, 1))
    seed("region", "undo", hit(0x30, 1, 1) + hit(0x30, 2, 3) +
         hit(0x30, 3, 2))
    seed("region", "chain", hit(2, 15, 0, 0, 0, 5) + hit(2, 16 * 5 + 15,
                                                         0, 0, 0, 5))
    seed("region", "twins", hit(0x24, 32 + 2, 0, 64 + 2))
    seed("events", "order", bytes(range(0, 64)) * 2 + b"\x7f")
    seed("events", "heir", bytes(range(0, 64)) + b"\x41" +
         bytes(range(64)) + b"\x45")
    seed("events", "cells", bytes(range(40)) + b"\x82\0\x40\1\2\3\4\x60" +
         bytes(range(9)))
    seed("events", "tail", bytes(range(9)) + b"\x84\0\2\xff\xff\xff\xff\x60")
    seed("adopt", "sound", b"")
    seed("adopt", "magic", hit(0, 0, 1, 2, 3, 4))
    seed("adopt", "forged", hit(0xb0, 0x54, 5))
    seed("adopt", "cut", hit(0x71, 0, 0, 0x10, 0))
    seed("adopt", "log", hit(0x3a, 0, 9) + hit(0x3a, 8, 7))
    seed("adopt", "entry", hit(0x18, 0x8000, 3))


def sip():
    # choices, then packets: choices, length, payload
    def packet(how, *lines, body=()):
        body = b"".join(x + b"\r\n" for x in body)
        text = b"\r\n".join(lines + (b"Content-Length: %d" % len(body),
                                     b"", body))
        return bytes([how]) + struct.pack(">H", len(text)) + text

    def dialog(host, here, proto):
        sdp = b"v=0", b"c=IN " + here, b"m=audio 40000 RTP/AVP 0", \
            b"m=image 40002 udptl t38", b"c=IN " + here + b"/127"
        phone = b'"B" <sip:b@' + host + b":5063;transport=" + proto + \
            b">;expires=60"
        return [
            packet(0, b"INVITE sip:b SIP/2.0", b"CSeq: 1 INVITE", body=sdp),
            packet(1, b"SIP/2.0 200 OK", b"CSeq: 1 INVITE", body=sdp),
            packet(1, b"SIP/2.0 487 x", b"CSeq: 1 INVITE"),
            packet(0, b"BYE sip:b SIP/2.0", b"CSeq: 2 BYE"),
            packet(0, b"REGISTER sip:b SIP/2.0", b"CSeq: 1 REGISTER",
                   b"Expires: 9", b"Contact: " + phone),
            packet(1, b"SIP/2.0 200 OK", b"CSeq: 1 REGISTER",
                   b"m: <sip:x.org>,\r\n <sip:10.9.9.9>", b"m: " + phone)]
    v4, v6 = (b"10.0.0.1", b"IP4 10.0.0.1"), (b"[fd00::1]", b"IP6 fd00::1")
    for how in (0, 4, 8, 16):
        seed("sip", "udp%02d" % how,
             bytes([how]) + b"".join(dialog(*v4, b"udp")))
        seed("sip", "tcp%02d" % how,
             bytes([how | 1]) + b"".join(dialog(*v4, b"tcp")))
    seed("sip", "v6", b"\2" + b"".join(dialog(*v6, b"udp")))
    text = dialog(*v4, b"tcp")[0][3:]
    seed("sip", "cut", b"\5" + b"".join(
        b"\0" + struct.pack(">H", len(part)) + part
        for part in (text[:9], text[9:70], text[70:])))


def talks():
    # talk.h: choices, options, then packets: manner, length, bytes
    sys.path.insert(0, os.path.join(os.path.dirname(
        os.path.abspath(__file__)), "..", "lib"))
    sys.dont_write_bytecode = True
    import h323
    import random
    from helper_sequences import pptp
    rnd = random.Random(1)

    def packet(d, data):
        return bytes([d | (2 if len(data) > 255 else 0),
                      len(data) & 255]) + data[:511]

    out = packet(0, pptp(1)) + packet(1, pptp(2, 0, b"\1\0")) + packet(
        0, pptp(7, 7)) + packet(1, pptp(8, 9, 7, b"\1\0"))
    end = packet(0, pptp(12, 7)) + packet(1, pptp(13, 9))
    calls = packet(1, pptp(9, 9)) + packet(0, pptp(
        10, 7, 9, b"\1\0")) + packet(1, pptp(11, 7)) + end
    for how in (0, 1):
        seed("pptp", "out%d" % how, bytes([how, 0]) + out + end)
        seed("pptp", "in%d" % how, bytes([how, 0]) + out + end + calls)

    for v6, a, b in ((0, bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))),
                     (2, bytes.fromhex("20010db8" + "0" * 23 + "1"),
                      bytes.fromhex("20010db8" + "0" * 23 + "2"))):
        mine, yours = (a, 5004), (b, 5006)
        channels = [h323.request(h323.channel(rnd, mine, (a, 5005), (
            mine, None))) for _ in range(6)] + [h323.response(
                h323.channel_ack(rnd, mine, (a, 5005), stack=mine))] + [
                    h323.request(h323.channel(rnd, stack=mine, t120=True))]
        fast = [h323.alone(h323.channel(rnd, mine))]
        bodies = [h323.setup(rnd, mine, fast, yours),
                  h323.proceeding(rnd, 1, mine, fast),
                  h323.connect(rnd, mine), h323.progress(rnd, mine, fast),
                  h323.facility(rnd, 1, yours, mine, fast),
                  h323.facility(rnd, 3, None, mine)]
        for how in (0, 1):
            head = bytes([how | v6, 0])
            name = "%d%d" % (how, v6)
            seed("h245", "open" + name, head + b"".join(
                packet(0, h323.tpkt(m)) for m in channels))
            for i, body in enumerate(bodies):
                seed("q931", "body%d-%s" % (i, name), head + packet(
                    0, h323.tpkt(h323.q931(1, h323.user(
                        rnd, body, channels[i:i + 1])))))
            seed("ras", "all" + name, head + b"".join(packet(d, m) for d, m in (
                (0, h323.rrq(rnd, [mine], [mine])), (1, h323.rcf(rnd, [mine])),
                (0, h323.rrq(rnd, [mine], [mine], 60)),
                (1, h323.rcf(rnd, [mine], 90)), (1, h323.gcf(rnd, yours)),
                (1, h323.acf(rnd, yours)), (1, h323.lcf(yours, mine)),
                (0, h323.urq([mine])))))


for make in (tcp, udp, icmp, sctp, dccp, gre, pkt, capture, pipeline, filters,
             messages, conf, memory, sip, talks):
    make()
