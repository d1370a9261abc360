#!/usr/bin/python3
"""Captures of one conversation, plain and in tunnels, built by scapy.

  tunnels.py list         the names, one a line: NAME DECAP-LIST
  tunnels.py NAME OUT     that capture; `plain` is the one without a tunnel
  tunnels.py wrap IN OUT  the frames of a capture in ERSPAN
  tunnels.py all DIR      NAME.pcap of each, and cut as NAME.64.pcap, NAME.96.pcap
  tunnels.py tshark FILE  inner tuples as tshark sees them, one frame a line

Each capture of the list has as many frames as the plain one, at the same
times.
"""
import struct
import subprocess
import sys

from scapy.config import conf
conf.verb = 0
from scapy.all import (Dot1AD, Dot1Q, Ether, GRE, ICMP, IP, IPv6,  # noqa: E402
                       ICMPv6EchoReply, ICMPv6EchoRequest, PPP, PPPoE, Raw,
                       TCP, UDP, fragment, raw)
from scapy.layers.vxlan import VXLAN  # noqa: E402
from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III  # noqa: E402
from scapy.contrib.geneve import GENEVE  # noqa: E402
from scapy.contrib.gtp import (GTP_U_Header,  # noqa: E402
                               GTPPDUSessionContainer)
from scapy.contrib.mpls import MPLS  # noqa: E402
from scapy.contrib.tzsp import TZSP, TZSPTagEnd, TZSPTagPadding, \
    TZSPTagRawRSSIByte  # noqa: E402

MAC = [{'src': '02:00:00:00:00:01', 'dst': '02:00:00:00:00:02'},
       {'src': '02:00:00:00:00:02', 'dst': '02:00:00:00:00:01'}]


# -- the conversation: (direction, IP packet) -------------------------------------
def pair(v6, n, d):
    """IP from side d of host pair n."""
    a, b = ('fd00::%x' % n, 'fd01::%x' % n) if v6 else \
        ('10.0.0.%d' % n, '10.0.1.%d' % n)
    src, dst = (b, a) if d else (a, b)
    return IPv6(src=src, dst=dst) if v6 else IP(src=src, dst=dst, id=n)


def tcp(v6, n):
    seq = [1000, 5000]
    data = [(0, 'S', b''), (1, 'SA', b''), (0, 'A', b''), (0, 'PA', b'x' * 70),
            (1, 'PA', b'y' * 600), (0, 'A', b''), (0, 'FA', b''),
            (1, 'FA', b''), (0, 'A', b'')]
    for d, flags, body in data:
        ports = (80, 40000 + n) if d else (40000 + n, 80)
        yield d, pair(v6, n, d) / TCP(
            sport=ports[0], dport=ports[1], flags=flags, seq=seq[d],
            ack=seq[1 - d] if 'A' in flags else 0, window=65000) / body
        seq[d] += len(body) + ('S' in flags) + ('F' in flags)


def udp(v6, n):
    for d, size in ((0, 40), (1, 90), (0, 41), (1, 10)):
        ports = (53, 50000 + n) if d else (50000 + n, 53)
        yield d, pair(v6, n, d) / UDP(sport=ports[0], dport=ports[1]) / (
            b'q' * size)


def conversation():
    for v6 in (False, True):
        for n in (1, 2):
            yield from tcp(v6, n)
            yield from udp(v6, n)
    for d, kind in ((0, 8), (1, 0)):
        yield d, pair(False, 3, d) / ICMP(type=kind, id=7) / b'ping'
    yield 0, pair(True, 3, 0) / ICMPv6EchoRequest(id=9) / b'ping'
    yield 1, pair(True, 3, 1) / ICMPv6EchoReply(id=9) / b'ping'
    # a refused datagram, and GRE that is nobody's tunnel
    asked = pair(False, 4, 0) / UDP(sport=1234, dport=9) / b'nobody'
    yield 0, asked
    yield 1, pair(False, 4, 1) / ICMP(type=3, code=3) / Raw(raw(asked)[:28])
    call = struct.pack('>HHHHI', 0x3001, 0x880b, 4, 77, 1) + b'\xff\x03\0\x21'
    yield 0, IP(src='10.0.0.5', dst='10.0.1.5', proto=47) / Raw(call)
    # a datagram in pieces, the last first
    pieces = fragment(pair(False, 6, 0) / UDP(sport=6, dport=7) / (b'f' * 900),
                      400)
    for p in reversed(pieces):
        yield 0, p


# -- tunnels: from (direction, what is inside) to what is outside ------------------
def carrier(d, v6=False):
    a, b = ('2001:db8::a', '2001:db8::b') if v6 else ('192.0.2.1', '192.0.2.2')
    src, dst = (b, a) if d else (a, b)
    return IPv6(src=src, dst=dst) if v6 else IP(src=src, dst=dst)


def frame(d, p):
    return Ether(**MAC[d]) / p


def to_port(d, port, n, v6=False):
    return carrier(d, v6) / UDP(sport=49152 + n % 997, dport=port)


def mpls(d, p, n, *labels):
    out = None
    for i, label in enumerate(labels):
        m = MPLS(label=label, s=int(i == len(labels) - 1), ttl=64)
        out = m if out is None else out / m
    return out / Raw(raw(p))


def gre_type(p):
    return 0x86dd if p.version == 6 else 0x0800


def gre(d, p, **opt):
    return carrier(d) / GRE(proto=gre_type(p), **opt) / Raw(raw(p))


def pppoe(d, p, n):
    return PPPoE(sessionid=17) / PPP(
        proto=0x57 if p.version == 6 else 0x21) / Raw(raw(p))


def ip_in_ip(d, p, v6):
    out = carrier(d, v6)
    number = 41 if p.version == 6 else 4
    if v6:
        out.nh = number
    else:
        out.proto = number
    return out / Raw(raw(p))


def vxlan(d, p, n, v6=False):
    return to_port(d, 4789, n, v6) / VXLAN(vni=5000, flags=8) / frame(d, p)


def vxlan_gpe(d, p, n):
    """What scapy makes by itself."""
    return to_port(d, 4789, n) / VXLAN(vni=5000) / frame(d, p)


def geneve(d, p, n):
    option = b'\x01\x02\x80\x01' + b'\0\0\0\7'
    return to_port(d, 6081, n) / Raw(
        struct.pack('>BBHI', len(option) // 4, 0, 0x6558, 70 << 8) + option +
        raw(frame(d, p)))


def geneve_ip(d, p, n):
    return to_port(d, 6081, n) / GENEVE(proto=gre_type(p), vni=9) / Raw(raw(p))


def tzsp(d, p, n):
    return to_port(d, 37008, n) / TZSP() / TZSPTagPadding() / \
        TZSPTagRawRSSIByte(raw_rssi=5) / TZSPTagEnd() / Raw(raw(frame(d, p)))


def gtpu(d, p, n):
    return to_port(d, 2152, n) / GTP_U_Header(
        gtp_type=255, teid=5 + d) / Raw(raw(p))


def gtpu_pdu(d, p, n):
    return to_port(d, 2152, n, True) / GTP_U_Header(
        gtp_type=255, teid=5 + d, E=1, S=1, next_ex=0x85) / \
        GTPPDUSessionContainer(type=d, QFI=1) / Raw(raw(p))


def erspan1(d, p, n):
    return carrier(0) / GRE(proto=0x88be) / Raw(raw(frame(d, p)))


def erspan2(d, p, n):
    return carrier(0) / GRE(proto=0x88be, seqnum_present=1,
                            seqence_number=n) / ERSPAN_II(
        ver=1, vlan=12, session_id=3) / Raw(raw(frame(d, p)))


def erspan3(d, p, n):
    return carrier(0) / GRE(proto=0x22eb, seqnum_present=1,
                            seqence_number=n) / ERSPAN_III(
        ver=2, vlan=12, session_id=3) / Raw(raw(frame(d, p)))


def nvgre(d, p, n):
    return carrier(d) / GRE(proto=0x6558, key_present=1,
                            key=0x1234 << 8 | n & 255) / frame(d, p)


def pw(d, p, n):
    """Ethernet over MPLS, with a control word for every second frame."""
    word = b'\0\0\0\0' if n & 1 else b''
    return MPLS(label=18, s=1, ttl=9) / Raw(word + raw(frame(d, p)))


def tagged(d, p, *ids):
    """Both tags of the one frame, each direction in VLANs of its own."""
    return Ether(**MAC[d]) / Dot1AD(vlan=ids[0]) / Dot1Q(vlan=ids[1]) / p


def eth_mpls(d, m):
    return Ether(type=0x8847, **MAC[d]) / m


TUNNELS = {
    'mpls': ('mpls', lambda d, p, n: eth_mpls(d, mpls(d, p, n, 16, 17 + d))),
    'mpls-ethernet': ('mpls', lambda d, p, n: eth_mpls(d, pw(d, p, n))),
    'mpls-in-gre': ('gre,mpls', lambda d, p, n: frame(
        d, carrier(d) / GRE(proto=0x8847) / mpls(d, p, n, 30))),
    'pppoe': ('pppoe', lambda d, p, n: frame(d, pppoe(d, p, n))),
    'pppoe-qinq': ('pppoe', lambda d, p, n: tagged(d, pppoe(d, p, n), 7, 8)),
    'ip-in-ipv4': ('ipip,6in4', lambda d, p, n: frame(
        d, ip_in_ip(d, p, False))),
    'ip-in-ipv6': ('4in6,6in6', lambda d, p, n: frame(
        d, ip_in_ip(d, p, True))),
    'gre': ('gre', lambda d, p, n: frame(d, gre(d, p))),
    'gre-options': ('gre', lambda d, p, n: frame(
        d, gre(d, p, chksum_present=1, key_present=1, key=5,
               seqnum_present=1, seqence_number=n))),
    'gre-ethernet': ('gre', lambda d, p, n: frame(
        d, carrier(d) / GRE(proto=0x6558) / frame(d, p))),
    'nvgre': ('nvgre', lambda d, p, n: frame(d, nvgre(d, p, n))),
    'erspan1': ('erspan', lambda d, p, n: frame(0, erspan1(d, p, n))),
    'erspan2': ('erspan', lambda d, p, n: frame(0, erspan2(d, p, n))),
    'erspan3': ('erspan', lambda d, p, n: frame(0, erspan3(d, p, n))),
    'vxlan': ('vxlan', lambda d, p, n: frame(d, vxlan(d, p, n))),
    'vxlan-gpe': ('vxlan', lambda d, p, n: frame(d, vxlan_gpe(d, p, n))),
    'vxlan-ipv6': ('vxlan', lambda d, p, n: frame(d, vxlan(d, p, n, True))),
    'geneve': ('geneve', lambda d, p, n: frame(d, geneve(d, p, n))),
    'geneve-ip': ('geneve', lambda d, p, n: frame(d, geneve_ip(d, p, n))),
    'tzsp': ('tzsp', lambda d, p, n: frame(0, tzsp(d, p, n))),
    'gtpu': ('gtpu', lambda d, p, n: frame(d, gtpu(d, p, n))),
    'gtpu-extension': ('gtpu', lambda d, p, n: frame(d, gtpu_pdu(d, p, n))),
    'erspan-qinq-vxlan': ('erspan,vxlan', lambda d, p, n: frame(
        0, carrier(0) / GRE(proto=0x88be, seqnum_present=1,
                            seqence_number=n) / ERSPAN_II(ver=1) /
        Raw(raw(tagged(d, vxlan(d, p, n), 3, 4))))),
    'vxlan-geneve-gtpu': ('vxlan,geneve,gtpu', lambda d, p, n: frame(
        d, vxlan(d, geneve(d, gtpu(d, p, n), n), n))),
    'tzsp-pppoe-gre': ('tzsp,pppoe,gre,6in4,ipip', lambda d, p, n: frame(
        0, tzsp(d, pppoe(d, gre(d, ip_in_ip(d, p, False)), n), n))),
}


def pieces(size):
    """VXLAN whose outer packets are sent in pieces."""
    def wrap(d, p, n):
        # the whole, or scapy would shorten the checksum's cover
        whole = IP(raw(vxlan(d, p, n)))
        whole.id = n + 1
        return [frame(d, q) for q in fragment(whole, size)]
    return wrap


# What is not the same conversation: more frames, other zones.
OTHERS = {
    'plain': frame,
    'vlans': lambda d, p, n: Ether(**MAC[d]) / Dot1Q(vlan=100 + 100 * d) / p,
    'pieces': pieces(560),
    'small-pieces': pieces(120),
    # the same addresses in two networks
    'vnis': lambda d, p, n: [frame(d, to_port(d, 4789, n) / VXLAN(
        vni=vni, flags=8) / frame(d, p)) for vni in (5, 0x10006)],
}


def frames_of(name):
    wrap = TUNNELS[name][1] if name in TUNNELS else OTHERS[name]
    for n, (d, p) in enumerate(conversation()):
        made = wrap(d, p) if wrap is frame else wrap(d, p, n)
        for f in made if isinstance(made, list) else [made]:
            yield 1700000000 + n // 10, n % 10 * 100000, raw(f)


def write(out, frames, snaplen=262144):
    with open(out, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, snaplen, 1))
        for s, us, b in frames:
            f.write(struct.pack('<IIII', s, us, min(len(b), snaplen), len(b)) +
                    b[:snaplen])


def wrapped(path):
    with open(path, 'rb') as f:
        data = f.read()
    at, n = 24, 0
    while at + 16 <= len(data):
        s, us, size = struct.unpack_from('<III', data, at)
        n += 1
        yield s, us, raw(frame(0, carrier(0) / GRE(
            proto=0x88be, seqnum_present=1, seqence_number=n) /
            ERSPAN_II(ver=1) / Raw(data[at + 16:at + 16 + size])))
        at += 16 + size


def write_all(folder):
    for name in [*OTHERS, *TUNNELS]:
        frames = list(frames_of(name))
        write('%s/%s.pcap' % (folder, name), frames)
        for n in (64, 96):
            write('%s/%s.%d.pcap' % (folder, name, n), frames, n)


def tshark(path):
    """The last address pair and ports of each frame."""
    fields = ['ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst', 'tcp.srcport',
              'tcp.dstport', 'udp.srcport', 'udp.dstport']
    args = ['tshark', '-r', path, '-T', 'fields', '-E', 'occurrence=l']
    for f in fields:
        args += ['-e', f]
    subprocess.run(args, check=True)


def main(args):
    if args == ['list']:
        for name, (words, _) in TUNNELS.items():
            print(name, words)
    elif len(args) == 2 and args[0] == 'tshark':
        tshark(args[1])
    elif len(args) == 3 and args[0] == 'wrap':
        write(args[2], wrapped(args[1]))
    elif len(args) == 2 and args[0] == 'all':
        write_all(args[1])
    elif len(args) == 2 and args[0] in [*OTHERS, *TUNNELS]:
        write(args[1], frames_of(args[0]))
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main(sys.argv[1:])
