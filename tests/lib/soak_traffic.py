#!/usr/bin/python3
"""Made-up conversations for soak.py, and how many packets of each were sent.

What the soak believes comes from here, never from the daemon.  A flow's key is
its original tuple as ctctl prints it; no two flows have the same, so what was
counted for a flow is the sum over all connections of its key.
"""
import random
import socket
import struct

MAC = bytes.fromhex('020000000002020000000001')
TCP, UDP = 6, 17
SYN, RST, PSH, ACK = 2, 4, 8, 16


def checksum(b):
    if len(b) & 1:
        b += b'\0'
    s = sum(struct.unpack('>%dH' % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


class Flow:
    """One conversation.  `risky`: its first packets came while there was no
    memory for it, so some may have been refused (and must have been counted
    as that)."""

    def __init__(self, n, proto, v6, salt):
        self.proto, self.v6, self.risky = proto, v6, False
        a = bytes([10, 1 + (n >> 16 & 127), n >> 8 & 255, n & 255])
        b = bytes([20, salt, n >> 8 & 255, n & 7])
        if v6:
            a, b = (bytes.fromhex('fd00') + bytes(10) + x for x in (a, b))
        self.addr = (a, b)
        self.port = (1024 + n % 60000, 443 if proto == TCP else 5353)
        self.seq = [n * 7919 & 0xffffffff, n * 104729 & 0xffffffff]
        self.sent = 0
        form = socket.AF_INET6 if v6 else socket.AF_INET
        self.key = (socket.inet_ntop(form, a), socket.inet_ntop(form, b),
                    self.port[0], self.port[1])
        self.again = None

    def ip(self, d, payload):
        src, dst = self.addr[d], self.addr[1 - d]
        if self.v6:
            return (MAC + b'\x86\xdd' + struct.pack(
                '>IHBB', 0x60000000, len(payload), self.proto, 64) +
                src + dst + payload)
        h = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(payload), 0, 0x4000,
                        64, self.proto, 0, src, dst)
        return (MAC + b'\x08\0' + h[:10] + struct.pack('>H', checksum(h)) +
                h[12:] + payload)

    def tcp(self, d, flags, data=b''):
        src, dst = self.addr[d], self.addr[1 - d]
        ack = self.seq[1 - d] if flags & ACK else 0
        t = struct.pack('>HHIIBBHHH', self.port[d], self.port[1 - d],
                        self.seq[d], ack, 0x50, flags, 65535, 0, 0) + data
        pseudo = src + dst + struct.pack('>BBH', 0, TCP, len(t))
        t = t[:16] + struct.pack('>H', checksum(pseudo + t)) + t[18:]
        self.seq[d] = (self.seq[d] + len(data) + (flags >> 1 & 1)) & 0xffffffff
        return self.ip(d, t)

    def udp(self, d, data=b'x' * 20):
        src, dst = self.addr[d], self.addr[1 - d]
        n = 8 + len(data)
        u = struct.pack('>HHHH', self.port[d], self.port[1 - d], n, 0) + data
        pseudo = src + dst + struct.pack('>IBBH', n, 0, 0, UDP)
        c = checksum(pseudo + u) or 0xffff
        return self.ip(d, u[:6] + struct.pack('>H', c) + u[8:])

    def open(self):
        if self.proto == TCP:
            out = [self.tcp(0, SYN), self.tcp(1, SYN | ACK), self.tcp(0, ACK)]
        else:
            out = [self.udp(0), self.udp(1)]
        self.sent += len(out)
        return out

    def data(self):
        """The same two frames each time: as retransmissions they count."""
        if not self.again:
            if self.proto == TCP:
                self.again = [self.tcp(0, PSH | ACK, b'x' * 40),
                              self.tcp(1, ACK)]
            else:
                self.again = [self.udp(0), self.udp(1)]
        return self.again

    def close(self):
        if self.proto == UDP:
            return []
        self.sent += 1
        return [self.tcp(0, RST | ACK)]


class Traffic:
    """Chunks to send: some flows begin, some speak, some end."""

    def __init__(self, new, live, speak, salt=1):
        self.new, self.most, self.speak, self.salt = new, live, speak, salt
        self.flows, self.live = {}, []
        self.sent = 0
        self.v6 = self.risky = False    # set from outside

    def begin(self):
        n = len(self.flows)
        proto = TCP if n % 4 else UDP
        f = Flow(n, proto, self.v6 and n % 2 == 1, self.salt)
        f.risky = self.risky
        self.flows[f.key] = f
        self.live.append(f)
        return f.open()

    def chunk(self, loops):
        """(frames to send once, frames to send `loops` times)"""
        first, again = [], []
        while len(self.live) > self.most:
            first += self.live.pop(random.randrange(len(self.live))).close()
        for _ in range(self.new):
            first += self.begin()
        for f in random.sample(self.live, min(self.speak, len(self.live))):
            again += f.data()
            f.sent += 2 * loops
        self.sent += len(first) + len(again) * loops
        return first, again


def write_pcap(path, frames):
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, b in enumerate(frames):
            f.write(struct.pack('<IIII', 1700000000, i % 1000000, len(b),
                                len(b)) + b)


def step_clock(path, to, seed):
    """A copy of a capture whose clock is set forth and back on the way."""
    rnd = random.Random(seed)
    with open(path, 'rb') as f:
        data = bytearray(f.read())
    at, shift, n = 24, 0, 0
    while at < len(data):
        if n % 5000 == 4999:
            shift = rnd.choice((-7200, -60, -1, 0, 1, 30, 3600))
        s, us, cap = struct.unpack_from('<III', data, at)
        struct.pack_into('<I', data, at, s + shift)
        at += 16 + cap
        n += 1
    with open(to, 'wb') as f:
        f.write(data)
