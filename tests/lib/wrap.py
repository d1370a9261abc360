#!/usr/bin/python3
"""Frames in tunnels, as what mirrors and carriers put around them.

`WRAPS` names each with the words that `decap` has for it.  Headers are made by
hand, since scapy would take minutes for so many; tests/e2e/tunnels.py holds
the daemon's reading of scapy's.  A tunnel of IP leaves the frame's VLAN tag
outside, one of Ethernet takes it along.
"""
import struct

ETHER = bytes.fromhex("0200000000fe0200000000fd")
A, B = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
A6 = bytes.fromhex("20010db8" + "00" * 11 + "01")
B6 = bytes.fromhex("20010db8" + "00" * 11 + "02")


def ether(kind, tag=b""):
    return ETHER + tag + struct.pack("!H", kind)


def ipv4(proto, size):
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + size, 0, 0x4000, 64,
                       proto, 0, A, B)


def ipv6(proto, size):
    return struct.pack("!IHBB16s16s", 6 << 28, size, proto, 64, A6, B6)


def udp(port, size):
    return ipv4(17, 8 + size) + struct.pack("!HHHH", 49999, port, 8 + size, 0)


def gre(kind, size, more=b"", flags=0):
    return ipv4(47, 4 + len(more) + size) + \
        struct.pack("!HH", flags, kind) + more


# What stands before `size` bytes of a frame ...
ETHERS = {
    "vxlan": lambda n: udp(4789, 8 + n) + struct.pack("!II", 8 << 24, 77 << 8),
    "geneve": lambda n: udp(6081, 16 + n) + struct.pack(
        "!BBHIII", 2, 0, 0x6558, 70 << 8, 0x01028001, 7),
    "nvgre": lambda n: gre(0x6558, n, struct.pack("!I", 9 << 8), 0x2000),
    "erspan1": lambda n: gre(0x88be, n),
    "erspan2": lambda n: gre(0x88be, n + 8, struct.pack("!I", 1), 0x1000) +
    struct.pack("!II", 1 << 28 | 3, 0),
    "erspan3": lambda n: gre(0x22eb, n + 12, struct.pack("!I", 1), 0x1000) +
    struct.pack("!III", 2 << 28 | 3, 0, 0),
    "tzsp": lambda n: udp(37008, 5 + n) + struct.pack("!BBHB", 1, 0, 1, 1),
}
# ... or of an IP packet of this Ethernet type: (type of ours, header)
INNER = {0x0800: 4, 0x86dd: 41}
PACKETS = {
    "mpls": lambda kind, n: (0x8847, struct.pack(
        "!II", 16 << 12 | 64, 17 << 12 | 0x100 | 64)),
    "pppoe": lambda kind, n: (0x8864, struct.pack(
        "!BBHHH", 0x11, 0, 5, 2 + n, 0x21 if kind == 0x0800 else 0x57)),
    "gre": lambda kind, n: (0x0800, gre(kind, n)),
    "ipip": lambda kind, n: (0x0800, ipv4(INNER[kind], n)),
    "ip-in-ipv6": lambda kind, n: (0x86dd, ipv6(INNER[kind], n)),
    "gtpu": lambda kind, n: (0x0800, udp(2152, 8 + n) + struct.pack(
        "!BBHI", 0x30, 255, n, 5)),
}
WRAPS = {name: (name.rstrip("123"), (name,))
         for name in [*ETHERS, *PACKETS]}
WRAPS["ipip"] = ("ipip,6in4", ("ipip",))
WRAPS["ip-in-ipv6"] = ("4in6,6in6", ("ip-in-ipv6",))
# the innermost first
WRAPS["gtpu in vxlan in erspan2"] = ("gtpu,vxlan,erspan",
                                     ("gtpu", "vxlan", "erspan2"))
WRAPS["gre in pppoe in tzsp"] = ("gre,pppoe,tzsp", ("gre", "pppoe", "tzsp"))
WRAPS["mpls in geneve in ipip"] = ("mpls,geneve,ipip",
                                   ("mpls", "geneve", "ipip"))


def wrap_one(f, name):
    if name in ETHERS:
        head = ether(0x0800) + ETHERS[name](f.len)
        return f.copy(data=head + f.data, len=len(head) + f.len)
    at = 12
    while f.data[at:at + 2] == b"\x81\0":
        at += 4
    kind = struct.unpack_from("!H", f.data, at)[0]
    if kind not in INNER:
        return f
    outer, head = PACKETS[name](kind, f.len - at - 2)
    head = ether(outer, f.data[12:at]) + head
    return f.copy(data=head + f.data[at + 2:],
                  len=len(head) + f.len - at - 2)


def wrap(frames, name):
    for layer in WRAPS[name][1]:
        frames = [wrap_one(f, layer) for f in frames]
    return frames
