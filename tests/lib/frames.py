#!/usr/bin/python3
"""IP packets from their fields: right ones, and ones that are wrong on purpose.

A Pair is two hosts and the routers between them; it builds whole IP packets
of one family.  Nothing here is random: sequences.py decides, this builds.
"""
import socket
import struct

ROUTER_MAC = bytes.fromhex("020000000002")
INJECT_MAC = bytes.fromhex("020000000001")
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
ICMP, TCP, UDP, DCCP, GRE, ICMPV6, SCTP, UDPLITE = 1, 6, 17, 33, 47, 58, \
    132, 136
HOP, ROUTING, FRAGMENT, AH, NONE, DSTOPTS = 0, 43, 44, 51, 59, 60
MASK = 0xffffffff


# -- sums ---------------------------------------------------------------------
def checksum(data):
    """The Internet checksum, RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def _crc_table():
    out = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        out.append(n)
    return out


CRC = _crc_table()


def crc32c(data):
    """SCTP's checksum, RFC 9260 appendix A."""
    c = MASK
    for b in data:
        c = c >> 8 ^ CRC[(c ^ b) & 0xff]
    return ~c & MASK


# -- packets ------------------------------------------------------------------
def address(fam, n):
    """Host n's address on side `fam` (0 client, 1 server, 2 in between)."""
    return "10.%d.%d.%d" % (fam, n // 250, n % 250 + 1)


def address6(fam, n):
    return "fd%02x::%x:%x" % (fam, n // 250, n % 250 + 1)


class Pair:
    """Two hosts that talk, number n of their family."""

    def __init__(self, n, v6=False):
        self.n = n
        self.v6 = v6
        fam = socket.AF_INET6 if v6 else socket.AF_INET
        name = address6 if v6 else address
        self.addr = [socket.inet_pton(fam, name(i, n)) for i in range(3)]
        self.names = [socket.inet_ntop(fam, a) for a in self.addr]

    def ip(self, d, proto, payload, **opt):
        """From side d to the other; opt: src, dst, ident, frag, options."""
        src = opt.get("src", self.addr[d])
        dst = opt.get("dst", self.addr[1 - d])
        if self.v6:
            return struct.pack("!IHBB", 6 << 28, len(payload), proto,
                               64) + src + dst + payload
        more = opt.get("options", b"")
        size = 20 + len(more)
        head = struct.pack("!BBHHHBBH4s4s", 0x40 | size // 4, 0,
                           size + len(payload), opt.get("ident", 0),
                           opt.get("frag", 0x4000), 64, proto, 0, src,
                           dst) + more
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + \
            payload

    def summed(self, d, proto, data, at, **opt):
        """`data` with its checksum at offset `at`; opt.wrong: a bit off."""
        cover = data[:opt.get("cover", len(data))]
        pseudo = opt.get("src", self.addr[d]) + \
            opt.get("dst", self.addr[1 - d]) + \
            struct.pack("!II", len(data), opt.get("summed_as", proto))
        if proto == ICMP:
            pseudo = b""
        c = checksum(pseudo + cover)
        if not c and proto in (UDP, UDPLITE):
            c = 0xffff
        c ^= 0x0100 if opt.get("wrong") else 0
        return data[:at] + struct.pack("!H", c) + data[at + 2:]

    def l4(self, d, proto, data, at, **opt):
        return self.ip(d, proto, self.summed(d, proto, data, at, **opt), **opt)

    def tcp(self, d, ports, flags, seq, ack, data=b"", win=65535, options=b"",
            **opt):
        """opt: doff, wrong."""
        options += b"\1" * (-len(options) % 4)
        doff = opt.get("doff", 5 + len(options) // 4)
        return self.l4(d, TCP, struct.pack(
            "!HHIIBBHHH", ports[d], ports[1 - d], seq & MASK, ack & MASK,
            doff << 4, flags, win, 0, 0) + options + data, 16,
            wrong=opt.get("wrong"))

    def udp(self, d, ports, data, **opt):
        """opt: length, none (no checksum), wrong."""
        n = opt.pop("length", 8 + len(data))
        head = struct.pack("!HHHH", ports[d], ports[1 - d], n & 0xffff, 0)
        if opt.pop("none", False):
            return self.ip(d, UDP, head + data, **opt)
        return self.l4(d, UDP, head + data, 6, **opt)

    def udplite(self, d, ports, data, coverage, **opt):
        head = struct.pack("!HHHH", ports[d], ports[1 - d], coverage, 0)
        if opt.pop("none", False):
            return self.ip(d, UDPLITE, head + data, **opt)
        if coverage:
            opt["cover"] = coverage
        return self.l4(d, UDPLITE, head + data, 6, **opt)

    def icmp(self, d, kind, code, word, data=b"", **opt):
        return self.l4(d, ICMPV6 if self.v6 else ICMP, struct.pack(
            "!BBHI", kind, code, 0, word) + data, 2, **opt)

    def sctp(self, d, ports, tag, chunks, wrong=False):
        data = struct.pack("!HHII", ports[d], ports[1 - d], tag & MASK,
                           0) + chunks
        c = crc32c(data) ^ (1 if wrong else 0)
        return self.ip(d, SCTP, data[:8] + struct.pack("<I", c) + data[12:])


def head_size(packet):
    """Of the fixed IP header."""
    return 40 if packet[0] >> 4 == 6 else (packet[0] & 15) * 4


def proto_of(packet):
    return packet[6] if packet[0] >> 4 == 6 else packet[9]


def refit(packet, head, payload):
    """`packet` with another payload; `head` is its fixed IP header, changed."""
    if packet[0] >> 4 == 6:
        return head[:4] + struct.pack("!H", len(payload)) + head[6:] + payload
    head = head[:2] + struct.pack("!H", len(head) + len(payload)) + \
        head[4:10] + b"\0\0" + head[12:]
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def fragment(packet, at, data, more, ident, proto=None):
    """One fragment of `packet`: `data` of its payload, at that offset."""
    n = head_size(packet)
    head = packet[:n]
    word = (at & 0xfff8) | (1 if more else 0)
    if packet[0] >> 4 == 6:
        inner = struct.pack("!BBHI", packet[6] if proto is None else proto, 0,
                            word, ident)
        return refit(packet, head[:6] + b"\x2c" + head[7:], inner + data)
    word = (at & 0xffff) >> 3 | (0x2000 if more else 0)
    return refit(packet, head[:4] + struct.pack("!HH", ident & 0xffff, word) +
                 head[8:], data)


def frame_of(packet):
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return ROUTER_MAC + INJECT_MAC + kind + packet


# -- captures, and packets in words ----------------------------------------------
def write_pcap(path, packets, times):
    """A capture of Ethernet frames with these packets."""
    write_frames(path, map(frame_of, packets), times)


def write_frames(path, frames, times):
    """Times in seconds, to the microsecond."""
    with open(path, "wb") as f:
        f.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535 + 14, 1))
        for frame, t in zip(frames, times):
            us = round(t * 1000000)
            f.write(struct.pack("=IIII", us // 1000000, us % 1000000,
                                len(frame), len(frame)) + frame)


def read_pcap(path):
    """(IP packets, times) of a capture in our byte order, tags taken off."""
    with open(path, "rb") as f:
        data = f.read()
    at = 24
    packets, times = [], []
    while at + 16 <= len(data):
        s, us, n = struct.unpack_from("=III", data, at)
        frame = data[at + 16:at + 16 + n]
        packets.append(frame[18 if frame[12:14] == b"\x81\0" else 14:])
        times.append(s + us / 1e6)
        at += 16 + n
    return packets, times


def in_words(packet):
    """Enough of a packet to follow it, and all of it in hex."""
    n = head_size(packet)
    v6 = packet[0] >> 4 == 6
    a = socket.AF_INET6 if v6 else socket.AF_INET
    src, dst = (packet[8:24], packet[24:40]) if v6 else (packet[12:16],
                                                        packet[16:20])
    proto = proto_of(packet)
    text = "%s > %s proto %d" % (socket.inet_ntop(a, src),
                                 socket.inet_ntop(a, dst), proto)
    l4 = packet[n:]
    if proto == TCP and len(l4) >= 20:
        seq, ack, doff, flags, win = struct.unpack_from("!IIBBH", l4, 4)
        text += " %s seq %d ack %d win %d len %d" % (
            "".join(c for i, c in enumerate("FSRPAUEC") if flags >> i & 1)
            or "none", seq, ack, win, len(l4) - (doff >> 4) * 4)
    return text + "\n      " + packet.hex()
