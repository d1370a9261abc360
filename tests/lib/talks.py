#!/usr/bin/python3
"""Conversations as a mirror port shows them, whole: TCP from handshake to end
or open, with data both ways, real retransmissions and keepalives; UDP, ICMP.

`talks(seed, n)` is always the same list of Frames.  Frames hold headers alone
(as a short snaplen would), their lengths are those of the wire.
"""
import random
import socket
import struct

from frames import ACK, FIN, MASK, PSH, RST, SYN, TCP, UDP, address, address6

MSS = 1448
KINDS = (("fin", 46), ("fin_server", 14), ("fin_cross", 4), ("rst", 10),
         ("rst_late", 4), ("open", 12), ("half", 6), ("typing", 3),
         ("refused", 2), ("unanswered", 2), ("middle", 3))
PORTS = (443, 443, 443, 80, 80, 22, 25, 993, 3306, 5432, 8080, 6379)


class Frame:
    """One frame of a capture; `len` is its length on the wire."""

    __slots__ = ("t", "data", "len", "talk", "dir", "flags", "need")

    def __init__(self, t, data, length, talk=None, way=0, flags=0, need=0):
        self.need = need # without so many bytes it cannot be tracked
        self.t = t
        self.data = data
        self.len = length
        self.talk = talk
        self.dir = way
        self.flags = flags

    def copy(self, **changes):
        f = Frame(self.t, self.data, self.len, self.talk, self.dir, self.flags,
                  self.need)
        for k, v in changes.items():
            setattr(f, k, v)
        return f


class Net:
    """Two hosts: their frames, with an identification that counts."""

    def __init__(self, rnd, n):
        self.v6 = rnd.random() < 0.2
        name = address6 if self.v6 else address
        self.name = [name(0, n), name(1, rnd.randrange(40))]
        fam = socket.AF_INET6 if self.v6 else socket.AF_INET
        self.addr = [socket.inet_pton(fam, a) for a in self.name]
        self.name = [socket.inet_ntop(fam, a) for a in self.addr]
        self.ident = [rnd.randrange(65536), rnd.randrange(65536)]
        self.ttl = [rnd.choice((64, 128)) - rnd.randrange(3) for _ in "ab"]

    def frame(self, t, way, proto, head, length, **more):
        """`length` bytes of layer 4, of which `head` is written."""
        src, dst = self.addr[way], self.addr[1 - way]
        if self.v6:
            ip = struct.pack("!IHBB", 6 << 28, length, proto,
                             self.ttl[way]) + src + dst
        else:
            self.ident[way] = (self.ident[way] + 1) & 0xffff
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length,
                             self.ident[way], 0x4000, self.ttl[way], proto, 0,
                             src, dst)
        eth = bytes(5) + bytes((2 - way,)) + bytes(5) + bytes((1 + way,)) + \
            (b"\x86\xdd" if self.v6 else b"\x08\x00")
        data = eth + ip + head
        return Frame(t, data, len(eth) + len(ip) + length, way=way,
                     need=len(eth) + len(ip) + 20, **more)


class Talk:
    """One TCP conversation.  Direction 0 is the client's."""

    def __init__(self, rnd, net, kind, start):
        self.rnd = rnd
        self.net = net
        self.kind = kind
        self.t = start
        self.rtt = rnd.choice((0.0004, 0.002, 0.01, 0.04)) * \
            rnd.uniform(0.7, 1.5)
        low = rnd.random() < 0.1
        self.port = [rnd.randrange(1024, 5000) if low else
                     rnd.randrange(32768, 61000), rnd.choice(PORTS)]
        self.key = (0, frozenset(((net.name[0], self.port[0]),
                                  (net.name[1], self.port[1]))))
        self.seq = [rnd.randrange(1 << 32) for _ in "ab"]
        self.ack = [0, 0]
        self.scale = [rnd.choice((7, 7, 8, 9, 2, None)) for _ in "ab"]
        if None in self.scale:
            self.scale = [None, None]
        self.sackok = rnd.random() < 0.9
        self.stamps = rnd.random() < 0.6
        self.frames = []
        self.last = [None, None]

    def options(self, way, flags):
        o = b""
        if flags & SYN:
            o = b"\2\4\5\xb4"
            if self.sackok:
                o += b"\4\2"
            if self.scale[way] is not None:
                o += bytes((3, 3, self.scale[way]))
        if self.stamps:
            ms = int(self.t * 1000) & MASK
            o += b"\1\1\x08\x0a" + struct.pack("!II", ms + way * 77, ms - 5)
        return o + b"\1" * (-len(o) % 4)

    def send(self, way, flags, n=0, after=None, seq=None):
        """One segment with n bytes, `after` seconds behind the last."""
        rnd = self.rnd
        self.t += self.rtt / 2 if after is None else after
        at = self.seq[way] if seq is None else seq
        o = self.options(way, flags)
        win = 64240 if flags & SYN else rnd.randrange(20000, 65535) \
            if (self.scale[way] or 0) < 7 else rnd.randrange(300, 502)
        ack = self.ack[way] if flags & ACK else 0
        head = struct.pack("!HHIIBBHHH", self.port[way], self.port[1 - way],
                           at & MASK, ack & MASK, (20 + len(o)) << 2, flags,
                           win, rnd.randrange(65536), 0) + o
        f = self.net.frame(self.t, way, TCP, head, len(head) + n, talk=self,
                           flags=flags)
        self.frames.append(f)
        size = n + bool(flags & SYN) + bool(flags & FIN)
        if seq is None:
            self.seq[way] += size
            # the other side has it when it next speaks
            self.ack[1 - way] = self.seq[way]
        return f

    # -- parts ------------------------------------------------------------------
    def handshake(self):
        self.send(0, SYN)
        self.send(1, SYN | ACK)
        self.send(0, ACK)

    def burst(self, way, size):
        """`size` bytes, acknowledged every other segment."""
        rnd = self.rnd
        n = 0
        self.t += rnd.uniform(0, 2) * self.rtt
        while size > 0:
            part = min(size, MSS)
            size -= part
            self.send(way, ACK | (PSH if not size else 0), part,
                      rnd.uniform(0.00001, 0.0003))
            if rnd.random() < 0.01: # lost on its way, not by the mirror
                self.send(way, ACK, part, 0.21 + self.rtt,
                          self.seq[way] - part)
            n += 1
            if n % 2 == 0 or not size and rnd.random() < 0.8:
                self.send(1 - way, ACK)

    def data(self, rounds):
        rnd = self.rnd
        for _ in range(rounds):
            self.burst(0, rnd.choice((80, 300, 700, 1448, 2500)))
            self.burst(1, rnd.choice((150, 1000, 4000, 12000, 30000)))
            if rnd.random() < 0.05:
                self.t += rnd.uniform(1, 20)
                if rnd.random() < 0.5: # a keepalive and its answer
                    self.send(0, ACK, 0, None, self.seq[0] - 1)
                    self.send(1, ACK)

    def fin(self, first):
        """Both sides end, `first` before the other."""
        rnd = self.rnd
        if rnd.random() < 0.25: # with the last data
            self.send(first, FIN | PSH | ACK, rnd.randrange(1, MSS))
        else:
            self.send(first, FIN | ACK)
        if rnd.random() < 0.4: # and at once the other
            self.send(1 - first, FIN | ACK)
        else:
            self.send(1 - first, ACK)
            if rnd.random() < 0.2:
                self.send(1 - first, PSH | ACK, 400)
                self.send(first, ACK)
            self.send(1 - first, FIN | ACK, 0, rnd.uniform(0, 0.05))
        self.send(first, ACK)

    def cross(self):
        self.send(0, FIN | ACK)
        # sent before the other's FIN came
        ack, self.ack[1] = self.ack[1], self.ack[1] - 1
        self.send(1, FIN | ACK, 0, 0.00005)
        self.ack[1] = ack
        self.send(0, ACK)
        self.send(1, ACK, 0, 0.00005)

    def run(self):
        rnd = self.rnd
        kind = self.kind
        if kind == "unanswered":
            self.send(0, SYN)
            for k in range(3):
                self.send(0, SYN, 0, 1 << k, self.seq[0] - 1)
            return
        if kind == "refused":
            self.send(0, SYN)
            self.seq[1] = 0
            self.send(1, RST | ACK)
            return
        if kind == "middle":
            self.ack = [self.seq[1], self.seq[0]]
            self.burst(rnd.randrange(2), 3000)
        else:
            self.handshake()
        if kind == "typing":
            for _ in range(rnd.randrange(5, 60)):
                self.send(0, PSH | ACK, rnd.choice((1, 1, 36)),
                          rnd.uniform(0.05, 0.4))
                self.send(1, PSH | ACK, rnd.choice((1, 36, 80)))
                self.send(0, ACK)
        self.data(rnd.choice((1, 1, 1, 2, 3, 6)))
        if kind in ("fin", "middle", "typing"):
            self.fin(0)
        elif kind == "fin_server":
            self.fin(1)
        elif kind == "fin_cross":
            self.cross()
        elif kind == "rst":
            self.send(rnd.randrange(2), RST | ACK)
        elif kind == "rst_late":
            # the client has gone, the server does not know yet
            self.send(0, FIN | ACK)
            self.send(1, PSH | ACK, 900)
            self.send(0, RST, 0)
        elif kind == "half":
            self.send(0, FIN | ACK)
            self.send(1, ACK)
            if rnd.random() < 0.5:
                self.burst(1, 5000)


def other(rnd, net, t):
    """UDP questions and answers, streams, and pings."""
    out = []
    what = rnd.randrange(3)
    port = (rnd.randrange(32768, 61000), 53 if what == 0 else 4000)
    n = (1, 12, 3)[what]
    for k in range(n):
        for way in (0, 1):
            if what == 2:
                kind = (128, 129)[way] if net.v6 else (8, 0)[way]
                head = struct.pack("!BBHHH", kind, 0, rnd.randrange(65536),
                                   port[0], k)
                proto, size = (58 if net.v6 else 1), 64
            else:
                size = rnd.randrange(40, 400)
                head = struct.pack("!HHHH", port[way], port[1 - way], size,
                                   rnd.randrange(1, 65536)) + \
                    rnd.randbytes(12)
                proto = UDP
            out.append(net.frame(t, way, proto, head, size))
            t += rnd.uniform(0.001, 0.3)
    return out


def talks(seed, n, span=40.0):
    """n TCP conversations that begin within `span` seconds, and n / 4 others:
    (frames in the order of time, conversations)."""
    rnd = random.Random(seed)
    frames, all_talks = [], []
    kinds = [k for k, w in KINDS for _ in range(w)]
    for i in range(n):
        t = Talk(rnd, Net(rnd, i), rnd.choice(kinds),
                 1000 + rnd.uniform(0, span))
        t.run()
        frames += t.frames
        all_talks.append(t)
    for i in range(n // 4):
        frames += other(rnd, Net(rnd, n + i), 1000 + rnd.uniform(0, span))
    frames.sort(key=lambda f: f.t)
    return frames, all_talks
