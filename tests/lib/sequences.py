#!/usr/bin/python3
"""Random conversations of one pair of hosts, likely and unlikely ones.

Each some_X(rnd, pair) is a list of IP packets from a random state and a Pair;
KINDS names them.  `conversations("tcp", 7, 500)` is always the same.  Most
conversations begin as they should and then meet accidents, because a packet
of pure noise only ever tests the first check that refuses it.

What a kernel's IP layer drops before it tracks is never made: headers are
right, only what follows them is not.
"""
import random
import struct

from frames import (ACK, AH, CWR, DCCP, DSTOPTS, ECE, FIN, GRE, HOP, MASK,
                    NONE, PSH, ROUTING, RST, SYN, TCP, URG, Pair, fragment,
                    head_size, proto_of, refit)

# Ports that have helpers say nothing about the trackers.
HELPED = {21, 69, 137, 161, 1719, 1720, 1723, 5060, 6566, 6667, 10080}


def some_ports(rnd, usual):
    while True:
        p = (rnd.randrange(1, 65536), rnd.choice(usual)
             if rnd.random() < 0.8 else rnd.randrange(1, 65536))
        if not HELPED & set(p):
            return p


class Dice(random.Random):
    """A random state, and what may be among what it makes: UDP-Lite, and
    SCTP packets of two chunks of which the second may be refused."""

    lite = True
    bundles = True

    def base(self, *makers):
        return self.choice([m for m in makers
                            if self.lite or m is not some_udplite])


# -- TCP ------------------------------------------------------------------------
class Talk:
    """Two ends of a TCP conversation, and what each has told the other."""

    def __init__(self, rnd, pair):
        self.rnd = rnd
        self.pair = pair
        self.ports = some_ports(rnd, (80, 443, 22, 8080))
        self.seq = [rnd.choice((rnd.randrange(1 << 32), MASK - 20, 0x7ffffff0))
                    for _ in range(2)]
        self.win = [rnd.choice((65535, 8192, 512, 100, 1, 0))
                    for _ in range(2)]
        self.scale = [rnd.choice((None, 0, 2, 7, 14, 15)) for _ in range(2)]
        self.sack = [rnd.random() < 0.6 for _ in range(2)]
        self.stamps = rnd.random() < 0.3
        self.out = []
        self.luck = rnd.choice((0.0, 0.03, 0.1, 0.3))

    def options(self, d, flags):
        """Those of a SYN, or SACK blocks and time stamps, or broken ones."""
        rnd = self.rnd
        o = b""
        if flags & SYN:
            o += b"\2\4\5\xb4" if rnd.random() < 0.7 else b""
            if self.scale[d] is not None:
                o += b"\1" + bytes((3, 3, self.scale[d]))
            o += b"\4\2" if self.sack[d] else b""
        if self.stamps:
            o += b"\1\1\x08\x0a" + rnd.randbytes(8)
        if not flags & SYN and rnd.random() < 0.12:
            n = rnd.randrange(1, 4)
            o += b"\1\1" + bytes((5, 2 + 8 * n))
            for _ in range(n):
                at = self.seq[1 - d] + rnd.choice((0, 1, 100, 5000, -100,
                                                   1 << 30))
                o += struct.pack("!II", at & MASK, (at + rnd.choice(
                    (1, 50, 1400, 70000, -1))) & MASK)
        if rnd.random() < 0.02:
            o += rnd.choice((b"\3\2\7\0", b"\3\x28\7", b"\5\1", b"\5\3\0",
                             b"\0\3\3\7", b"\xfe\0", b"\4\0", b"\5\x0b"
                             + b"\1" * 9))
        return o[:40]

    def send(self, d, flags, n=0, **opt):
        """opt: jump, ack (its jump), win, lost, packet's own (doff, wrong)."""
        seq = self.seq[d] + opt.pop("jump", 0)
        ack = self.seq[1 - d] + opt.pop("ack", 0) if flags & ACK else \
            opt.pop("ack", 0)
        win = opt.pop("win", self.win[d])
        lost = opt.pop("lost", False)
        p = self.pair.tcp(d, self.ports, flags, seq, ack, b"x" * n, win,
                          self.options(d, flags), **opt)
        end = seq + n + bool(flags & SYN) + bool(flags & FIN)
        if 0 < (end - self.seq[d]) & MASK < 1 << 31:
            self.seq[d] = end & MASK
        if not lost:
            self.out.append(p)

    def edge(self, d):
        """A distance that lies at one of the limits, or beyond all."""
        w = self.win[1 - d]
        s = self.scale[1 - d] or 0
        return self.rnd.choice((
            -1, 1, w, w + 1, w - 1, w << s, (w << s) + 1, -w, -w - 1,
            (w << s) + 2, 66000, -66000, -66001, -65535, 100, -100, 70000,
            1 << 31, -(1 << 31) + 1, 1 << 20))

    def wild(self):
        """One segment that nobody would send here."""
        rnd = self.rnd
        d = rnd.randrange(2)
        x = rnd.random()
        if x < 0.25:
            self.send(d, ACK | rnd.choice((0, PSH)), rnd.choice((0, 0, 1, 9)),
                      jump=self.edge(d))
        elif x < 0.45:
            self.send(d, ACK, rnd.choice((0, 0, 5)), ack=self.edge(d))
        elif x < 0.6:
            self.send(d, RST | rnd.choice((0, ACK)), jump=rnd.choice(
                (0, 0, -1, 1, self.edge(d), -self.seq[d])),
                ack=rnd.choice((0, 0, 1, self.edge(d), -self.seq[1 - d])))
        elif x < 0.72:
            self.send(d, SYN | rnd.choice((0, 0, ACK, ECE | CWR)),
                      jump=rnd.choice((0, -1, 1, 5000, 1 << 30)),
                      ack=rnd.choice((0, 0, 1, 100)))
        elif x < 0.8:
            self.send(d, FIN | ACK, jump=rnd.choice((0, -1, self.edge(d))))
        elif x < 0.86:
            self.send(d, rnd.choice((0, FIN, SYN | FIN, SYN | RST, FIN | RST,
                                     255, URG, PSH, SYN | URG, RST | ACK | PSH,
                                     FIN | PSH | URG, SYN | ACK | URG,
                                     FIN | ACK | URG, ACK | URG, SYN | ECE,
                                     RST | URG, SYN | ACK | FIN)))
        elif x < 0.92:
            self.win[d] = rnd.choice((0, 0, 1, 512, 65535))
            for _ in range(rnd.choice((1, 1, 3, 5))):
                self.send(d, ACK)
        elif x < 0.95:
            self.send(d, ACK, rnd.randrange(4), doff=rnd.choice((0, 4, 6, 15)))
        elif x < 0.97 and self.out:
            p = rnd.choice(self.out)
            n = rnd.randrange(0, 24)
            h = head_size(p)
            self.out.append(refit(p, p[:h], p[h:h + n]))
        else:
            self.send(d, ACK, 3, wrong=True)

    def step(self, d, flags, n=0, **opt):
        """One segment of a plan, and what luck makes of it."""
        rnd = self.rnd
        if rnd.random() >= self.luck:
            self.send(d, flags, n, **opt)
            return
        x = rnd.random()
        if x < 0.2:
            self.send(d, flags, n, lost=True, **opt)
        elif x < 0.35:
            self.send(d, flags, n, **opt)
            self.out += self.out[-1:] * rnd.choice((1, 1, 2, 4))
        elif x < 0.45:
            self.send(1 - d, flags, n, **opt)
        elif x < 0.55:
            self.send(d, flags, n, **opt)
            self.out[-2:] = self.out[-2:][::-1]
        else:
            self.wild()

    # -- the phases of a conversation
    def handshake(self):
        self.step(0, SYN)
        self.step(1, SYN | ACK)
        self.step(0, ACK)

    def crossed(self):
        """Simultaneous open, RFC 9293 figure 7, in some order."""
        self.step(0, SYN)
        self.step(1, SYN)
        for d in self.rnd.choice(((0, 1), (1, 0), (0,), (1,))):
            self.step(d, SYN | ACK, jump=-1)
        self.step(self.rnd.randrange(2), ACK)

    def unanswered(self):
        for _ in range(self.rnd.randrange(1, 4)):
            self.send(0, SYN, jump=-1 if self.out else 0)
        if self.rnd.random() < 0.6:
            self.step(1, self.rnd.choice((RST | ACK, RST, RST | ACK)),
                      jump=self.rnd.choice((0, -self.seq[1])))

    def data(self):
        d = self.rnd.randrange(2)
        for _ in range(self.rnd.randrange(1, 4)):
            self.step(d, PSH | ACK, self.rnd.choice((1, 5, 100, 600)))
            if self.rnd.random() < 0.7:
                self.step(1 - d, ACK)

    def again(self):
        """Retransmissions, RFC 6298, of the last segment with data."""
        d = self.rnd.randrange(2)
        n = self.rnd.choice((1, 10))
        self.send(d, ACK, n)
        for _ in range(self.rnd.randrange(1, 6)):
            self.send(d, ACK, n, jump=-n)

    def close(self):
        d = self.rnd.randrange(2)
        self.step(d, FIN | ACK)
        x = self.rnd.random()
        if x < 0.6:
            self.step(1 - d, ACK)
        if x < 0.2:
            self.step(1 - d, PSH | ACK, 20)
        if x < 0.9:
            self.step(1 - d, FIN | ACK)
            self.step(d, ACK)

    def reset(self):
        d = self.rnd.randrange(2)
        self.step(d, RST | self.rnd.choice((0, ACK)),
                  jump=self.rnd.choice((0, 0, 0, 1, -1, 100, self.edge(d))))

    def reopen(self):
        """The same ports again, from either side."""
        d = self.rnd.randrange(2)
        self.seq[d] = (self.seq[d] + self.rnd.choice((1, 5000, 1 << 30))) & \
            MASK
        self.step(d, SYN)
        if self.rnd.random() < 0.7:
            self.step(1 - d, self.rnd.choice((SYN | ACK, SYN | ACK, ACK,
                                              RST | ACK)))
            self.step(d, self.rnd.choice((ACK, ACK, RST)))

    def challenge(self):
        """A SYN inside, and a challenge ACK, RFC 5961 section 4."""
        before = list(self.seq)
        d = self.rnd.choice((0, 0, 1))
        self.send(d, SYN, jump=self.rnd.choice((0, 90000, 1 << 29)))
        after, self.seq = self.seq, before
        for _ in range(self.rnd.randrange(3)):
            self.send(1 - d, ACK)
        if self.rnd.random() < 0.5:
            self.seq = after
            self.send(*self.rnd.choice(((d, RST), (1 - d, RST | ACK),
                                        (1 - d, SYN | ACK))))

    def noise(self):
        for _ in range(self.rnd.randrange(1, 6)):
            self.wild()


def some_tcp(rnd, pair):
    t = Talk(rnd, pair)
    rnd.choice((t.handshake,) * 6 + (t.crossed, t.unanswered, t.data, t.noise,
                                     t.close))()
    for _ in range(rnd.randrange(5)):
        rnd.choice((t.data, t.data, t.again, t.close, t.reset, t.reopen,
                    t.challenge, t.noise))()
    return t.out


# -- UDP, UDP-Lite ----------------------------------------------------------------
def some_udp(rnd, pair):
    ports = some_ports(rnd, (53, 123, 514, 4500))
    out = []
    for _ in range(rnd.randrange(1, 7)):
        d = rnd.choice((0, 0, 1))
        data = b"u" * rnd.choice((0, 1, 9, 100, 1400))
        x = rnd.random()
        opt = {}
        if x < 0.05:
            opt = {"wrong": True}
        elif x < 0.1:
            opt = {"none": True}
        elif x < 0.2:
            opt = {"length": rnd.choice((0, 7, 8, 7 + len(data), 9 + len(data),
                                         4 + len(data), 65535))}
        elif x < 0.23:
            out.append(pair.ip(d, 17, struct.pack(
                "!HHHH", ports[d], ports[1 - d], 8, 0)[:rnd.randrange(8)]))
            continue
        elif x < 0.25 and not pair.v6:
            opt = {"options": b"\1" * rnd.choice((4, 40))}
        out.append(pair.udp(d, ports, data, **opt))
    return out


def some_udplite(rnd, pair):
    ports = some_ports(rnd, (53, 5004))
    out = []
    for _ in range(rnd.randrange(1, 6)):
        d = rnd.choice((0, 0, 1))
        data = b"l" * rnd.choice((0, 1, 9, 100))
        cover = rnd.choice((0, 0, 0, 8, 8 + len(data), rnd.choice(
            (1, 7, 9 + len(data), 65535))))
        x = rnd.random()
        if x < 0.05:
            out.append(pair.ip(d, 136, struct.pack(
                "!HHHH", ports[d], ports[1 - d], 8, 0)[:rnd.randrange(8)]))
        else:
            # 1 to 7 cannot be summed; it is refused before that anyway.
            out.append(pair.udplite(d, ports, data, cover, none=x < 0.15,
                                    wrong=x > 0.95))
    return out


# -- ICMP ---------------------------------------------------------------------------
QUERIES = ((8, 0), (8, 0), (13, 14), (15, 16), (17, 18), (0, 8), (14, 13),
           (9, 10), (10, 9), (19, 20), (40, 41), (18, 17), (255, 1), (3, 3))
QUERIES6 = ((128, 129), (128, 129), (128, 129), (139, 140), (129, 128),
            (140, 139), (1, 1), (130, 131), (133, 134), (135, 136), (137, 137),
            (143, 132), (144, 145), (200, 201), (255, 0))


def some_icmp(rnd, pair):
    kinds = rnd.choice(QUERIES6 if pair.v6 else QUERIES)
    word = rnd.randrange(1 << 16) << 16
    code = rnd.choice((0, 0, 0, 0, 1))
    out = []
    for i in range(rnd.randrange(1, 7)):
        d = rnd.choice((0, 0, 1))
        p = pair.icmp(d, kinds[d], rnd.choice((code,) * 9 + (3,)), word | i,
                      b"p" * rnd.choice((0, 8, 56)), wrong=rnd.random() < 0.05)
        if rnd.random() < 0.06:
            n = head_size(p)
            p = refit(p, p[:n], p[n:n + rnd.randrange(9)])
        out.append(p)
        if rnd.random() < 0.1:
            word = rnd.randrange(1 << 16) << 16
    return out


def some_error(rnd, pair):
    """A conversation, and errors that quote its packets, more or less."""
    base = rnd.base(some_tcp, some_tcp, some_udp, some_udp, some_icmp,
                    some_sctp, some_gre, some_generic, some_udplite)
    out = []
    rnd.bundles = False	# F251
    for p in base(rnd, pair)[:12]:
        out.append(p)
        if rnd.random() < 0.4:
            out.append(error_about(rnd, pair, p))
        if rnd.random() < 0.05:
            out.append(error_about(rnd, pair, rnd.choice(out)))
    rnd.bundles = True
    return out


def error_about(rnd, pair, p):
    n = head_size(p)
    at, size = (8, 16) if pair.v6 else (12, 4)
    src, dst = p[at:at + size], p[at + size:at + 2 * size]
    x = rnd.random()
    quote = rnd.choice((p, p, p[:n + 8], p[:n + 8], p[:n + 64], p[:n + 4],
                        p[:n + 3], p[:n + 2], p[:n], p[:n - 1], p[:8], b""))
    if x < 0.1 and len(quote) >= n:
        quote = quote[:at] + pair.addr[2] + quote[at + size:]
    elif x < 0.15 and len(quote) >= n:
        quote = quote[:at] + dst + src + quote[at + 2 * size:]
    elif x < 0.2 and not pair.v6 and len(quote) >= n:
        quote = fragment(p, rnd.choice((0, 8)), p[n:n + 16], True, 7)
    elif x < 0.23:
        quote = bytes((rnd.choice((0, 0x41, 0x4f, 0x65, 0xf0)),)) + quote[1:]
    kind = rnd.choice((1, 1, 2, 3, 4, 5, 100, 127, 137) if pair.v6 else
                      (3, 3, 4, 5, 11, 12))
    return pair.icmp(0, kind, rnd.choice((0, 1, 3, 4, 13)), 0, quote,
                     src=rnd.choice((dst, dst, pair.addr[2], src)),
                     dst=rnd.choice((src,) * 6 + (dst, pair.addr[2])),
                     wrong=rnd.random() < 0.04)


# -- SCTP -----------------------------------------------------------------------------
DATA, INIT, INIT_ACK, SACK, BEAT, BEAT_ACK, ABORT, SHUT, SHUT_ACK, ERROR, \
    ECHO, COOKIE_ACK, ECNE, CWR_CHUNK, SHUT_DONE = range(15)


class Association:
    """Two ends, their verification tags, and chunks that carry them."""

    def __init__(self, rnd, pair):
        self.rnd = rnd
        self.pair = pair
        self.ports = some_ports(rnd, (3868, 2905, 36412))
        self.tag = [rnd.randrange(1, 1 << 32) for _ in range(2)]
        self.out = []
        self.luck = rnd.choice((0.0, 0.03, 0.15))

    def chunk(self, d, kind, flags=0):
        body = {DATA: struct.pack("!IHHI", 1, 0, 0, 0) + b"data",
                INIT: struct.pack("!IIHHI", self.tag[d], 65536, 1, 1, 1),
                INIT_ACK: struct.pack("!IIHHI", self.tag[d], 65536, 1, 1, 1)
                + b"\0\7\0\x0ccookie!!",
                SACK: struct.pack("!IIHH", 1, 65536, 0, 0),
                BEAT: b"\0\1\0\x08beat", BEAT_ACK: b"\0\1\0\x08beat",
                SHUT: struct.pack("!I", 1), ECHO: b"cookie!!"}.get(kind, b"")
        return struct.pack("!BBH", kind, flags, 4 + len(body)) + body

    def send(self, d, *kinds, **opt):
        """opt: tag, flags, wrong, raw."""
        tag = 0 if kinds and kinds[0] == INIT else self.tag[1 - d]
        raw = opt.get("raw") or b"".join(
            self.chunk(d, k, opt.get("flags", 0)) for k in kinds)
        self.out.append(self.pair.sctp(d, self.ports, opt.get("tag", tag),
                                       raw, opt.get("wrong", False)))

    def step(self, d, *kinds, **opt):
        rnd = self.rnd
        if rnd.random() >= self.luck:
            self.send(d, *kinds, **opt)
            return
        x = rnd.random()
        if x < 0.3:
            return
        if x < 0.5:
            self.send(d, *kinds, **opt)
            self.out.append(self.out[-1])
        else:
            self.wild()

    def wild(self):
        rnd = self.rnd
        d = rnd.randrange(2)
        tag = rnd.choice((self.tag[1 - d],) * 5 + (
            0, self.tag[d], rnd.randrange(1 << 32)))
        x = rnd.random()
        kind = rnd.randrange(15) if x < 0.9 else rnd.choice((15, 63, 64, 192,
                                                            255))
        if x < 0.6:
            self.send(d, kind, tag=tag, flags=rnd.choice((0, 0, 0, 1, 255)))
        elif x < 0.8:
            also = (rnd.randrange(15),) if rnd.bundles else ()
            self.send(d, kind, *also, tag=tag)
        elif x < 0.85:
            self.send(d, kind, wrong=True)
        elif x < 0.9:
            raw = self.chunk(d, kind)
            self.send(d, raw=raw[:rnd.randrange(len(raw) + 1)] or b"\0",
                      tag=tag)
        else:
            self.send(d, tag=tag, raw=struct.pack(
                "!BBH", kind, 0, rnd.choice((0, 1, 3, 4, 5, 400))) +
                b"z" * rnd.choice((0, 1, 4)))
        if rnd.random() < 0.1:
            self.tag[rnd.randrange(2)] = rnd.randrange(1 << 32)

    # -- phases
    def setup(self):
        self.step(0, INIT)
        self.step(1, INIT_ACK)
        self.step(0, *self.rnd.choice(((ECHO,), (ECHO, DATA))))
        self.step(1, *self.rnd.choice(((COOKIE_ACK,), (COOKIE_ACK, SACK))))

    def crossed(self):
        """INITs that meet, RFC 9260 section 5.2.1."""
        self.step(0, INIT)
        self.step(1, INIT)
        for d in self.rnd.choice(((0, 1), (1, 0), (1,))):
            self.step(d, INIT_ACK)
        for d in self.rnd.choice(((0, 1), (1, 0), (0,))):
            self.step(d, ECHO)
            self.step(1 - d, COOKIE_ACK)

    def path(self):
        """A second path: only heartbeats, maybe of changed tags."""
        d = self.rnd.randrange(2)
        if self.rnd.random() < 0.3:
            self.tag[self.rnd.randrange(2)] = self.rnd.randrange(1, 1 << 32)
        for _ in range(self.rnd.randrange(1, 3)):
            self.step(d, BEAT)
        self.step(1 - d, BEAT_ACK)

    def data(self):
        d = self.rnd.randrange(2)
        self.step(d, DATA)
        self.step(1 - d, *self.rnd.choice(((SACK,), (SACK, DATA))))

    def shutdown(self):
        d = self.rnd.randrange(2)
        self.step(d, SHUT)
        self.step(1 - d, SHUT_ACK)
        flags = self.rnd.choice((0, 0, 1))
        self.step(d, SHUT_DONE, flags=flags,
                  tag=self.tag[d if flags else 1 - d])

    def abort(self):
        d = self.rnd.randrange(2)
        flags = self.rnd.choice((0, 0, 1))
        self.step(d, ABORT, flags=flags, tag=self.tag[d if flags else 1 - d])

    def again(self):
        self.tag = [self.rnd.randrange(1, 1 << 32) for _ in range(2)]
        self.setup()

    def noise(self):
        for _ in range(self.rnd.randrange(1, 5)):
            self.wild()


def some_sctp(rnd, pair):
    a = Association(rnd, pair)
    rnd.choice((a.setup,) * 5 + (a.crossed, a.path, a.noise, a.shutdown))()
    for _ in range(rnd.randrange(5)):
        rnd.choice((a.data, a.path, a.shutdown, a.abort, a.again, a.noise,
                    a.crossed))()
    return a.out


# -- protocols without ports -------------------------------------------------------------
def some_gre(rnd, pair):
    """Version 0 with its options, version 1 (PPTP, RFC 2637), and others."""
    out = []
    call = [rnd.randrange(1 << 16) for _ in range(2)]
    version = rnd.choice((0, 0, 1, 1, 1, 2, 7))
    for _ in range(rnd.randrange(1, 6)):
        d = rnd.choice((0, 0, 1))
        if version == 1:
            word = 0x2001 | rnd.choice((0, 0x1000, 0x0080, 0x1080))
            proto = 0x880b if rnd.random() < 0.9 else 0x0800
            data = struct.pack("!HHHH", word, proto, 4, call[1 - d]) + \
                b"s" * 12
        else:
            word = rnd.choice((0, 0x2000, 0x8000, 0xb000)) | version
            data = struct.pack("!HHI", word, 0x0800, 77) + b"g" * 20
        if rnd.random() < 0.1:
            data = data[:rnd.randrange(13)]
        out.append(pair.ip(d, GRE, data))
    return out


def some_generic(rnd, pair):
    """Numbers without a tracker; IPv6 hosts use no IPv4-only headers."""
    protos = (50, 4, 41, 89, 103, 112, 115, 253, 255, 2, DCCP)
    proto = rnd.choice(protos if pair.v6 else protos + (51, 0, 43, 59, 60,
                                                        58))
    if pair.v6 and rnd.random() < 0.1:
        proto = 1
    out = []
    for _ in range(rnd.randrange(1, 6)):
        d = rnd.choice((0, 0, 1))
        data = b"\x45" + b"q" * rnd.choice((0, 3, 7, 39))
        if rnd.random() < 0.1:
            data = data[:rnd.randrange(5)]
        out.append(pair.ip(d, proto, data))
    return out


# -- IPv6 extension headers -----------------------------------------------------------
def extended(rnd, p):
    """`p` with headers between; sometimes a chain that leads nowhere."""
    kinds = [rnd.choice((ROUTING, DSTOPTS, DSTOPTS, 135, AH))
             for _ in range(rnd.randrange(1, 4))]
    if rnd.random() < 0.3:
        kinds.insert(0, HOP)
    proto, body = p[6], p[40:]
    x = rnd.random()
    if x < 0.04:
        proto = rnd.choice((NONE, 50, HOP, 254))
    elif x < 0.07:
        body = b""
    for i, kind in enumerate(reversed(kinds)):
        more = rnd.choice((0, 0, 1, 3))
        if kind == AH:
            # Its length counts words of 4 bytes, less two.
            more = rnd.choice((0, 4))
            h = bytes((proto, more)) + bytes(4 * more + 6)
        elif kind == ROUTING:
            h = bytes((proto, 0, 253, 0)) + bytes(4)
        elif kind == 135:
            h = bytes((proto, more, 5, 0)) + bytes(4 + 8 * more)
        else:
            # Hop by hop options are read, and long padding dropped, before
            # the packet is tracked.
            more = 0 if kind == HOP else more
            pad = 4 + 8 * more
            h = bytes((proto, more, 1, pad)) + bytes(pad)
        if x > 0.95 and kind != HOP and i == 0:
            h = h[:1] + bytes((rnd.choice((9, 200, 255)),)) + h[2:]
        elif x > 0.92 and kind != HOP and i == 0:
            h, body = h[:rnd.randrange(1, 8)], b""
        body = h + body
        proto = kind
    return refit(p, p[:6] + bytes((proto,)) + p[7:40], body)


def some_ext6(rnd, pair):
    base = rnd.choice((some_udp, some_tcp, some_icmp, some_sctp, some_gre,
                       some_generic, some_error))
    return [extended(rnd, p) if rnd.random() < 0.8 else p
            for p in base(rnd, pair)]


# -- fragments --------------------------------------------------------------------------
def in_pieces(rnd, p, ident):
    """The fragments of `p`, and what may happen to them on the way."""
    n = head_size(p)
    data = p[n:]
    size = len(data)
    ends = sorted(rnd.sample(range(8, size, 8), min(
        rnd.choice((1, 1, 2, 3, 7)), (size - 1) // 8)))
    cuts = [0] + ends + [size]
    parts = [[a, data[a:b], b < size] for a, b in zip(cuts, cuts[1:])]
    x = rnd.random()
    i = rnd.randrange(len(parts))
    a, piece, more = parts[i]
    if x < 0.1:
        parts.insert(rnd.randrange(len(parts) + 1), list(parts[i]))
    elif x < 0.17 and a >= 8:
        parts[i] = [a - 8, data[a - 8:a] + piece, more]
    elif x < 0.24:
        parts[i][1] = data[a:a + len(piece) + 8]
    elif x < 0.3:
        parts.pop(i)
    elif x < 0.34 and more:
        parts[i][1] = piece[:-rnd.randrange(1, 8)]
    elif x < 0.38:
        parts.append([max(0, size - 16) // 8 * 8, b"e" * 24, False])
    elif x < 0.41:
        parts.append([size // 8 * 8 + 64, b"f" * 8, rnd.random() < 0.5])
    elif x < 0.44:
        parts.append([65528 - rnd.choice((0, 8, 800)), b"o" * 64, False])
    elif x < 0.47:
        parts.insert(i, [a, piece[:-8] or b"", True])
    elif x < 0.49:
        parts.insert(i, [a, b"", more])
    elif x < 0.52:
        parts[i][1] = b"?" * len(piece)
        parts.append([a, piece, more])
    elif x < 0.55:
        parts = [[0, data, True]] + ([[size // 8 * 8, b"", False]]
                                     if rnd.random() < 0.5 else [])
    order = rnd.random()
    if order < 0.3:
        rnd.shuffle(parts)
    elif order < 0.4:
        parts.reverse()
    return [fragment(p, at, piece, more, ident) for at, piece, more in parts]


def some_frag(rnd, pair):
    base = rnd.choice((some_udp, some_udp, some_tcp, some_icmp, some_sctp,
                       some_generic, some_error) + (
                           (some_ext6,) if pair.v6 else (some_udp,)))
    out = []
    ident = rnd.randrange(1, 1 << 16)
    for p in base(rnd, pair):
        x = rnd.random()
        n = head_size(p)
        if x < 0.2 and proto_of(p) in (TCP, 17) and len(p) > n + 8:
            # Longer ones have more to cut; the sum is then wrong.
            p = refit(p, p[:n], p[n:] + b"l" * rnd.choice((100, 1500, 9000)))
        if n + 16 < len(p) and x < 0.8 and (pair.v6 or n == 20):
            out += in_pieces(rnd, p, ident)
            ident += rnd.choice((0, 1, 1, 1, 1, 1))
        elif x < 0.9 and pair.v6:
            # An atomic fragment, RFC 6946.
            out.append(fragment(p, 0, p[40:], False, ident))
        else:
            out.append(p)
    return out


# -- by name ----------------------------------------------------------------------------
# name: (function, family of the pair; None is either)
KINDS = {
    "tcp": (some_tcp, False), "tcp6": (some_tcp, True),
    "udp": (some_udp, False), "udp6": (some_udp, True),
    "udplite": (some_udplite, None),
    "icmp": (some_icmp, False), "icmpv6": (some_icmp, True),
    "error": (some_error, False), "error6": (some_error, True),
    "sctp": (some_sctp, None), "gre": (some_gre, None),
    "generic": (some_generic, None), "ext6": (some_ext6, True),
    "frag": (some_frag, False), "frag6": (some_frag, True),
}


def conversation(kind, seed, n, lite=True):
    """Number n of a kind: its own random state, so that it stands alone."""
    rnd = Dice("%s:%s:%d" % (kind, seed, n))
    rnd.lite = lite
    if kind == "mix":
        kind = rnd.choice([k for k in sorted(KINDS)
                           if lite or k != "udplite"])
    make, v6 = KINDS[kind]
    return make(rnd, Pair(n, rnd.random() < 0.4 if v6 is None else v6))


def conversations(kind, seed, numbers, lite=True):
    """{number: its packets}, of those that have any."""
    made = ((n, conversation(kind, seed, n, lite)) for n in numbers)
    return {n: packets for n, packets in made if packets}


def interleaved(seqs, seed, window=32):
    """[(number, packet)]: order kept inside a conversation only."""
    rnd = random.Random(seed)
    todo = iter(sorted(seqs))
    live, out = [], []
    while True:
        while len(live) < window:
            n = next(todo, None)
            if n is None:
                break
            live.append((n, iter(seqs[n])))
        if not live:
            return out
        i = rnd.randrange(len(live))
        n, packets = live[i]
        p = next(packets, None)
        if p is None:
            live[i] = live[-1]
            live.pop()
        else:
            out.append((n, p))


# -- every state, and time ---------------------------------------------------------------
def every_state(pair):
    """{what: packets, or (seconds, packet)} that end in it and stay there."""
    rnd = Dice(pair.n)

    def tcp(*steps):
        t = Talk(rnd, pair)
        t.luck, t.win, t.scale, t.stamps = 0.0, [8192, 8192], [7, 7], False
        t.seq = [1000, 5000]
        for step in steps:
            if callable(step):
                step(t)
            else:
                t.send(*step)
        return t.out

    def sctp(*steps):
        a = Association(rnd, pair)
        a.luck = 0.0
        for d, kind in steps:
            a.send(d, kind)
        return a.out

    def late(t):
        t.send(0, ACK, 10)
        for _ in range(4):
            t.send(0, ACK, 10, jump=-10)

    ports = (1234, 5353)
    up = ((0, SYN), (1, SYN | ACK), (0, ACK))
    to, back = (pair.udp(d, ports, b"u") for d in (0, 1))
    lite, lite_back = (pair.udplite(d, ports, b"u", 0) for d in (0, 1))
    gre, gre_back = (pair.ip(d, GRE, bytes(8)) for d in (0, 1))
    ask, answer = (128, 129) if pair.v6 else (8, 0)
    four = ((0, INIT), (1, INIT_ACK), (0, ECHO), (1, COOKIE_ACK))
    end = ((0, SHUT), (1, SHUT_ACK), (0, SHUT_DONE))
    return {
        "tcp SYN_SENT": tcp((0, SYN)),
        "tcp SYN_SENT2": tcp((0, SYN), (1, SYN)),
        "tcp SYN_RECV": tcp(*up[:2]),
        "tcp ESTABLISHED": tcp(*up),
        "tcp unacknowledged": tcp(*up, (0, ACK, 5)),
        "tcp max_retrans": tcp(*up, late),
        "tcp window 0": tcp(*up, lambda t: t.send(1, ACK, win=0)),
        "tcp picked up": tcp((0, ACK), (1, ACK)),
        "tcp FIN_WAIT": tcp(*up, (0, FIN | ACK)),
        "tcp CLOSE_WAIT": tcp(*up, (0, FIN | ACK), (1, ACK)),
        "tcp LAST_ACK": tcp(*up, (0, FIN | ACK), (1, ACK), (1, FIN | ACK)),
        "tcp TIME_WAIT": tcp(*up, (0, FIN | ACK), (1, FIN | ACK), (0, ACK)),
        "tcp CLOSE": tcp(*up, (1, RST | ACK)),
        "tcp RST beside": tcp(*up, lambda t: t.send(1, RST, jump=100)),
        "udp": [to], "udp answered": [to, back, to],
        "udp stream": [(0.3, to), (0.4, back), (2.7, to)],
        "udplite": [lite], "udplite stream": [lite, lite_back, lite],
        "gre": [gre], "gre stream": [gre, gre_back, gre],
        "icmpv6" if pair.v6 else "icmp": [pair.icmp(0, ask, 0, 7 << 16)],
        "icmp answered": [pair.icmp(d, (ask, answer)[d], 0, 7 << 16)
                          for d in (0, 1)],
        "generic": [pair.ip(0, 89, b"ospf")],
        "sctp CLOSED": sctp(*four[:1]),
        "sctp COOKIE_WAIT": sctp(*four[:2]),
        "sctp COOKIE_ECHOED": sctp(*four[:3]),
        "sctp ESTABLISHED": sctp(*four),
        "sctp SHUTDOWN_SENT": sctp(*four, *end[:1]),
        "sctp SHUTDOWN_RECD": sctp(*four, (1, SHUT)),
        "sctp SHUTDOWN_ACK_SENT": sctp(*four, *end[:2]),
        "sctp CLOSED in the end": sctp(*four, *end),
        "sctp HEARTBEAT_SENT": sctp((0, BEAT)),
    }


def apart(times):
    """No two are nearly whole seconds apart, where each timeout lies."""
    for i, s in enumerate(times):
        for t in times[:i]:
            d = abs(s - t)
            if d > 0.02 and abs(d - round(d)) < 0.13:
                return False
    return True


def with_gaps(rnd, packets, longest):
    """[(seconds, packet)]: bursts, with pauses between them."""
    cuts = sorted({0} | {rnd.randrange(len(packets))
                         for _ in range(rnd.randrange(5))})
    while True:
        at, times = rnd.uniform(0.1, 2), []
        for _ in cuts:
            times.append(at)
            at += rnd.choice((rnd.uniform(0.2, 0.9), rnd.uniform(1, 4)))
        if times[-1] < longest and apart(times):
            break
    ends = cuts[1:] + [len(packets)]
    return [(t, p) for t, a, b in zip(times, cuts, ends)
            for p in packets[a:b]]
