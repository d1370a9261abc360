#!/usr/bin/python3
"""Random conversations of protocols that announce connections.

Each some_X(rnd, pair) is a list of IP packets, as in sequences.py: a master,
what it announces, the connections that were announced and some that were not,
and accidents.  KINDS names them; `conversations("ftp", 7, 500)` is always the
same.  All of a conversation lies between the hosts of its Pair, and a third
one of its own, so that many may run at once.
"""
import random
import struct

import h323
from frames import ACK, FIN, GRE, MASK, PSH, RST, SYN, Pair


class Stream:
    """A TCP connection, and what each side has said."""

    def __init__(self, rnd, pair, ports, out):
        self.rnd = rnd
        self.pair = pair
        self.ports = ports
        self.out = out
        self.seq = [rnd.choice((rnd.randrange(1 << 32), MASK - 5))
                    for _ in range(2)]
        self.last = [b"", b""]

    def send(self, d, flags, data=b"", jump=0):
        self.out.append(self.pair.tcp(
            d, self.ports, flags, self.seq[d] + jump,
            self.seq[1 - d] if flags & ACK else 0, data))
        if not jump:
            self.seq[d] = (self.seq[d] + len(data) + bool(flags & SYN) +
                           bool(flags & FIN)) & MASK

    def open(self, upto=3):
        """The handshake, or its beginning."""
        for d, flags in ((0, SYN), (1, SYN | ACK), (0, ACK))[:upto]:
            self.send(d, flags)
        return self

    def say(self, d, data):
        self.send(d, PSH | ACK, data)
        self.last[d] = data
        if self.rnd.random() < 0.5:
            self.send(1 - d, ACK)

    def again(self, d):
        """A retransmission of what was said last."""
        n = len(self.last[d])
        if n:
            self.send(d, PSH | ACK, self.last[d], jump=-n)

    def cut(self, d, data, at=None):
        """In two segments."""
        at = self.rnd.randrange(1, max(2, len(data))) if at is None else at
        self.say(d, data[:at])
        self.say(d, data[at:])

    def lose(self, d, data):
        """Said, but not seen here."""
        self.seq[d] = (self.seq[d] + len(data)) & MASK

    def end(self, how):
        if how == "rst":
            self.send(self.rnd.randrange(2), RST | ACK)
        elif how == "fin":
            self.send(0, FIN | ACK)
            self.send(1, FIN | ACK)
            self.send(0, ACK)


class Scene:
    """What all conversations need: hosts, packets, dice."""

    def __init__(self, rnd, pair):
        self.rnd = rnd
        self.pair = pair
        self.out = []

    def chance(self, p):
        return self.rnd.random() < p

    def port(self):
        return self.rnd.randrange(20000, 60000)

    def stream(self, ports, swap=False):
        """A TCP connection of the client, or of the server if `swap`."""
        pair = self.turned() if swap else self.pair
        return Stream(self.rnd, pair, ports, self.out)

    def turned(self):
        """The same hosts, the server as the one who begins."""
        p = Pair(self.pair.n, self.pair.v6)
        p.addr[:2] = p.addr[1], p.addr[0]
        p.names[:2] = p.names[1], p.names[0]
        return p

    def third(self):
        """(address, name) of somebody else."""
        return self.pair.addr[2], self.pair.names[2]

    def udp(self, d, ports, data, **opt):
        self.out.append(self.pair.udp(d, ports, data, **opt))

    def arrive(self, proto, d, port, answers=True):
        """Somebody connects to `port` of side 1 - d, who may answer."""
        ports = (self.port(), port)
        if proto == "tcp":
            s = self.stream(ports, swap=d == 1).open(self.rnd.choice(
                (1, 3, 3, 3)) if answers else 1)
            if self.chance(0.5):
                s.say(0, b"data")
            s.end(self.rnd.choice(("", "fin", "rst")))
            return
        pair = self.pair if d == 0 else self.turned()
        self.out.append(pair.udp(0, ports, b"data"))
        if answers:
            self.out.append(pair.udp(1, ports, b"answer"))


# -- PPTP, RFC 2637 ---------------------------------------------------------------
PPTP_SIZE = {1: 156, 2: 156, 3: 16, 4: 16, 5: 16, 6: 20, 7: 168, 8: 32,
             9: 220, 10: 24, 11: 28, 12: 16, 13: 148, 14: 40, 15: 24}


def pptp(kind, *words, **opt):
    """A control message; words: 16-bit numbers from offset 12, or bytes."""
    size = opt.get("size", PPTP_SIZE.get(kind, 16))
    body = b"".join(w if isinstance(w, bytes) else struct.pack("!H", w)
                    for w in words)
    head = struct.pack("!HHIHH", opt.get("says", size), opt.get("type", 1),
                       opt.get("cookie", 0x1a2b3c4d), kind, 0)
    return (head + body + bytes(size))[:size]


def gre1(pair, d, key, n, data=b"ppp"):
    """An enhanced GRE packet, RFC 2637, 4.1."""
    return pair.ip(d, GRE, struct.pack("!HHHHI", 0x3001, 0x880b, len(data),
                                       key, n) + data)


class Call(Scene):
    """A PPTP control connection and its calls."""

    def __init__(self, rnd, pair):
        super().__init__(rnd, pair)
        self.s = self.stream((self.port(), 1723))
        self.ids = [rnd.choice((0, 1, 7, 0xffff, rnd.randrange(1 << 16)))
                    for _ in range(2)]

    def session(self):
        self.s.open()
        self.s.say(0, pptp(1, 0x100, 0))
        self.s.say(1, pptp(2, 0x100, b"\1\0"))

    def call_out(self, result=1):
        self.s.say(0, pptp(7, self.ids[0], 9))
        self.s.say(1, pptp(8, self.ids[1], self.ids[0],
                           bytes((result, 0))))

    def call_in(self, result=1):
        self.s.say(1, pptp(9, self.ids[1], 9))
        self.s.say(0, pptp(10, self.ids[0], self.ids[1],
                           bytes((result, 0))))
        self.s.say(1, pptp(11, self.ids[0]))

    def data(self, d, n=1):
        """GRE of side d, with the number that the other side gave."""
        for i in range(n):
            self.out.append(gre1(self.pair, d, self.ids[1 - d], i))

    def talk(self):
        for d in self.rnd.choice(((0, 1, 0), (1, 0, 1), (0,), (1,), (1, 1),
                                  (0, 1, 1, 0))):
            self.data(d)

    def disconnect(self):
        self.s.say(1, pptp(13, self.ids[1], b"\1\0"))

    def clear(self):
        self.s.say(0, pptp(12, self.ids[0]))
        self.disconnect()

    def stop(self):
        self.s.say(0, pptp(3, b"\1\0"))
        self.s.say(1, pptp(4, b"\1\0"))

    def wild(self):
        """A message that is not for this moment, or no message."""
        rnd, d = self.rnd, self.rnd.randrange(2)
        kind = rnd.randrange(0, 17)
        ids = [rnd.choice(self.ids + [3]) for _ in range(2)]
        m = pptp(kind, *ids, bytes((rnd.choice((1, 1, 0, 2)), 0)))
        x = rnd.random()
        if x < 0.15:
            m = m[:rnd.randrange(1, len(m))]
        elif x < 0.25:
            m = pptp(kind, *ids, b"\1\0", type=rnd.choice((0, 2)))
        elif x < 0.3:
            m = pptp(kind, *ids, b"\1\0", cookie=1)
        elif x < 0.4:
            m += pptp(8, self.ids[1], self.ids[0], b"\1\0")
        elif x < 0.5:
            m = pptp(kind, *ids, b"\1\0", says=rnd.choice((0, 12, 500)))
        self.s.say(d, m)


def some_pptp(rnd, pair):
    c = Call(rnd, pair)
    c.session()
    for _ in range(rnd.choice((1, 1, 1, 2, 3))):
        if c.chance(0.15):
            c.wild()
        rnd.choice((c.call_out, c.call_out, c.call_in))(
            rnd.choice((1, 1, 1, 1, 1, 1, 2)))
        if c.chance(0.15):
            c.s.again(1)
        if c.chance(0.15):
            c.wild()
        if c.chance(0.2):
            c.s.end(rnd.choice(("fin", "rst")))
        if c.chance(0.8):
            c.talk()
        if c.chance(0.15):
            c.s.again(1)
        if c.chance(0.2):
            c.ids[rnd.randrange(2)] = rnd.randrange(1 << 16)
        else:
            rnd.choice((c.disconnect, c.disconnect, c.clear, c.stop))()
        if c.chance(0.3):
            c.talk()
    c.s.end(rnd.choice(("fin", "rst", "rst", "")))
    return c.out


# -- H.323 ------------------------------------------------------------------------
class Terminals(Scene):
    """What RAS, Q.931 and H.245 announce: places of either side."""

    def place(self, d, port=None):
        """Of side d; or now and then of somebody else, or no place."""
        x = self.rnd.random()
        port = self.port() if port is None else port
        if x < 0.08:
            return self.third()[0], port
        if x < 0.12:
            return self.pair.addr[1 - d], port
        if x < 0.15:
            return None, port
        if x < 0.17:
            return (bytes(4) if self.pair.v6 else bytes(16)), port
        return self.pair.addr[d], 0 if x < 0.19 else port

    def maybe(self, d, p=0.5):
        return self.place(d) if self.chance(p) else None

    def media(self, d):
        """Places of RTP and RTCP, or one of them."""
        port = self.rnd.randrange(10000, 60000)
        return self.rnd.choice((
            (None, None), (self.place(d, port), None),
            (None, self.place(d, port)),
            (self.place(d, port & ~1), self.place(d, port | 1)),
            (self.place(d, port & ~1), self.place(d, port | 1)),
            (self.place(d), self.place(d))))

    def channel(self, d):
        rnd = self.rnd
        x = rnd.random()
        if x < 0.1:
            return h323.channel(rnd, stack=self.place(d), t120=True)
        if x < 0.15:
            return h323.channel(rnd, *self.media(d), stack=self.place(d))
        if x < 0.2:
            return h323.channel(rnd, group=(
                bytes.fromhex("ff02" + "0" * 27 + "1") if self.pair.v6 else
                bytes((224, 0, 1, 1)), 5000))
        return h323.channel(rnd, *self.media(d),
                            reverse=self.media(d) if x < 0.4 else None)

    def ack(self, d):
        rnd = self.rnd
        return h323.channel_ack(
            rnd, *self.media(d),
            reverse=self.media(d) if self.chance(0.3) else None,
            stack=self.place(d) if self.chance(0.15) else None)

    def control(self, d):
        """A message of H.245."""
        x = self.rnd.random()
        if x < 0.1:
            return h323.master_slave()
        return h323.request(self.channel(d)) if x < 0.6 else \
            h323.response(self.ack(d))

    def some(self, d, most=3):
        """None, or a list of channels."""
        n = self.rnd.choice((None, None, 0, 1, 1, 2, most))
        return None if n is None else [
            h323.alone(self.channel(d)) for _ in range(n)]

    def body(self, d):
        rnd, h245, fast = self.rnd, self.maybe(d), self.some(d)
        x = rnd.randrange(9)
        if x == 0:
            return h323.setup(rnd, h245, fast, self.maybe(1 - d, 0.4))
        if x in (1, 3):
            return h323.proceeding(rnd, x, h245, fast)
        if x == 2:
            return h323.connect(rnd, h245, fast)
        if x == 4:
            return h323.information(fast)
        if x == 5:
            return h323.release(rnd)
        if x == 6:
            return h323.facility(rnd, rnd.choice((0, 1, 1, 2, 3, 3, 5)),
                                 self.maybe(d), h245, fast)
        if x == 7:
            return h323.progress(rnd, h245, fast)
        return h323.empty()

    def message(self, d, body):
        """Q.931 in its TPKT."""
        rnd = self.rnd
        tunnelled = [self.control(d) for _ in range(rnd.choice(
            (1, 1, 2, 5)))] if self.chance(0.3) else None
        pdu = h323.user(rnd, body, tunnelled, self.chance(0.1))
        more = b"".join(rnd.choice((b"\x04\x03\x88\x93\xa5", b"\x28\3abc",
                                    b"\x70\x05\x815551", b"\x1c\x00"))
                        for _ in range(rnd.randrange(3)))
        return h323.tpkt(h323.q931(
            h323.Q931_KINDS[body[0]], pdu, rnd.choice(
                (b"\x12\x34", b"\x12\x34", b"", b"\1")), more))

    def spoilt(self, data):
        """The same, a bit wrong."""
        rnd = self.rnd
        data = bytearray(data)
        for _ in range(rnd.choice((1, 1, 2, 5))):
            if rnd.random() < 0.7:
                data[rnd.randrange(len(data))] ^= 1 << rnd.randrange(8)
            else:
                del data[rnd.randrange(len(data)):][:1]
            if not data:
                return b"\0"
        return bytes(data)

    def deliver(self, s, d, data):
        """In one segment, in two, with another, twice."""
        x = self.rnd.random()
        if x < 0.08:
            s.cut(d, data)
        elif x < 0.14:
            s.cut(d, data, 4)
        elif x < 0.2:
            s.say(d, data + h323.tpkt(b"\x08\1\1\x02") + data)
        else:
            s.say(d, data)
        if self.chance(0.1):
            s.again(d)

    def come(self, d, place):
        """The other side connects, or sends, to a place of side d."""
        if not place or place[0] != self.pair.addr[d]:
            return None
        return (self.port(), place[1])


def some_q931(rnd, pair, bad=False):
    t = Terminals(rnd, pair)
    s = t.stream((t.port(), 1720)).open()
    for _ in range(rnd.randrange(1, 6)):
        d = rnd.randrange(2)
        data = t.message(d, t.body(d))
        t.deliver(s, d, t.spoilt(data) if bad else data)
        if t.chance(0.05):
            s.end(rnd.choice(("fin", "rst")))
    s.end(rnd.choice(("", "", "fin", "rst")))
    return t.out


def some_call(rnd, pair):
    """A whole call: SETUP, CONNECT with h245Address, H.245, media."""
    t = Terminals(rnd, pair)
    s = t.stream((t.port(), 1720)).open()
    s.say(0, t.message(0, h323.setup(rnd)))
    port = t.port()
    place = (pair.addr[1], port)
    if t.chance(0.3):
        s.say(1, t.message(1, h323.proceeding(rnd, 1, place)))
    s.say(1, t.message(1, h323.connect(rnd, place)))
    if t.chance(0.2):
        s.again(1)
    if t.chance(0.15):
        s.end("rst")
    c = t.stream((t.port(), port)).open(rnd.choice((1, 2, 3, 3, 3, 3, 3)))
    c.say(0, h323.tpkt(h323.master_slave()))
    to = []
    for _ in range(rnd.randrange(1, 7)):
        d = rnd.randrange(2)
        t.deliver(c, d, h323.tpkt(t.control(d)))
        rtp = t.port() & ~1
        t.deliver(c, d, h323.tpkt(h323.request(h323.channel(
            rnd, (pair.addr[d], rtp), (pair.addr[d], rtp + 1)))))
        to.append((d, rtp))
        if t.chance(0.5):
            t.arrive("udp", 1 - d, rtp + rnd.randrange(2), t.chance(0.7))
    if t.chance(0.3):
        c.end(rnd.choice(("fin", "rst")))
    if t.chance(0.3):
        s.end(rnd.choice(("fin", "rst")))
    for d, rtp in to:
        if t.chance(0.5):
            t.arrive("udp", 1 - d, rtp + rnd.randrange(2), t.chance(0.7))
    return t.out


def some_ras(rnd, pair, bad=False):
    t = Terminals(rnd, pair)
    ports = (rnd.choice((1719, t.port())), 1719)
    signal = []
    for _ in range(rnd.randrange(1, 8)):
        d = rnd.choice((0, 0, 0, 1))
        x = rnd.random()
        mine = [t.place(d) for _ in range(rnd.choice((0, 1, 1, 1, 2, 3, 12)))]
        ttl = rnd.choice((None, 60, 600, 1, 100000))
        if x < 0.3:
            data = h323.rrq(rnd, mine, [t.place(d)], ttl)
            signal = mine
        elif x < 0.5:
            d = rnd.choice((1, 1, 1, 0))
            data = h323.rcf(rnd, mine, ttl)
        elif x < 0.6:
            data = h323.gcf(rnd, rnd.choice((t.place(d), (
                pair.addr[d], ports[d]))))
        elif x < 0.75:
            data = h323.acf(rnd, t.place(rnd.randrange(2)))
        elif x < 0.85:
            data = h323.lcf(t.place(rnd.randrange(2)), t.place(d))
        elif x < 0.95:
            data = h323.urq(mine)
        else:
            data = h323.ucf()
        t.udp(d, ports, t.spoilt(data) if bad else data)
        if t.chance(0.1):
            t.out.append(t.out[-1])
        for place in signal[:1]:
            to = t.come(0, place)
            if to and t.chance(0.3):
                t.arrive("tcp", 1, to[1])
    return t.out


def spoilt(make):
    return lambda rnd, pair: make(rnd, pair, bad=True)


# -- FTP, RFC 959 and RFC 2428 ------------------------------------------------------
class Ftp(Scene):
    def __init__(self, rnd, pair):
        super().__init__(rnd, pair)
        self.s = self.stream((self.port(), 21)).open()
        # The kernel looks at no line before it has seen one end.
        for d, line in ((1, b"220 ready\r\n"), (0, b"USER me\r\n"),
                        (1, b"331 password\r\n")):
            if self.chance(0.92):
                self.s.say(d, line)

    def numbers(self, name, port):
        return ",".join(name.split(".") + [str(port >> 8), str(port & 255)])

    def name(self, d):
        x = self.rnd.random()
        return self.third()[1] if x < 0.08 else self.pair.names[
            1 - d if x < 0.12 else d]

    def active(self, port):
        """PORT or EPRT of the client."""
        rnd, name = self.rnd, self.name(0)
        if self.pair.v6 or self.chance(0.4):
            quote = rnd.choice("||||!")
            return quote.join(("EPRT ", rnd.choice(
                ("2" if self.pair.v6 else "1",) * 9 + ("1", "2", "3")), name,
                               str(port), ""))
        return rnd.choice(("PORT ", "PORT ", "port ", "Port ", "PORT")) + \
            self.numbers(name, port)

    def passive(self, port):
        """227 or 229 of the server."""
        rnd = self.rnd
        if self.pair.v6 or self.chance(0.4):
            return "229 Extended (|||%d|)" % port if self.chance(0.9) else \
                "229 Extended |||%d|" % port
        return rnd.choice((
            "227 Entering Passive Mode (%s).", "227 =%s", "227 %s",
            "227 Passive 1 (%s)")) % self.numbers(self.name(1), port)

    def line(self, d, text):
        """Said in one segment, or with accidents."""
        rnd, s, x = self.rnd, self.s, self.rnd.random()
        data = text.encode() + b"\r\n"
        if x < 0.06:
            s.cut(d, data)
        elif x < 0.1:
            s.say(d, b"NOOP\r\n" + data)
        elif x < 0.14:
            s.say(d, data + rnd.choice((b"NOOP\r\n", b"NO")))
        elif x < 0.18:
            s.lose(d, b"NOOP\r\n")
            s.say(d, data)
        elif x < 0.21:
            s.say(d, data[:-2] + rnd.choice((b"\n", b"\r", b"")))
        else:
            s.say(d, data)
        if self.chance(0.12):
            s.again(d)

    def transfer(self):
        port = self.port() if self.chance(0.95) else self.rnd.choice(
            (0, 1, 65535))
        if self.chance(0.5):
            self.line(0, self.active(port))
            if self.chance(0.3):	# another before the first is used
                port = self.port()
                self.line(0, self.active(port))
            if self.chance(0.7):
                self.line(1, "200 ok")
            d = 1
        else:
            if self.chance(0.7):
                self.line(0, "EPSV" if self.pair.v6 else "PASV")
            self.line(1, self.passive(port))
            if self.chance(0.2):
                port = self.port()
                self.line(1, self.passive(port))
            d = 0
        if self.chance(0.12):
            self.s.end(self.rnd.choice(("fin", "rst")))
        if self.chance(0.75):
            self.arrive("tcp", d, port, self.chance(0.9))
        if self.chance(0.1):
            self.arrive("tcp", d, port)


def some_ftp(rnd, pair):
    t = Ftp(rnd, pair)
    for _ in range(rnd.randrange(1, 4)):
        t.transfer()
    t.s.end(rnd.choice(("", "fin", "rst")))
    return t.out


# -- TFTP, RFC 1350 -----------------------------------------------------------------
def some_tftp(rnd, pair):
    t = Scene(rnd, pair)
    ports = (t.port(), 69)
    for _ in range(rnd.randrange(1, 4)):
        kind = rnd.choice((1, 1, 1, 2, 2, 3, 0, 257))
        data = struct.pack("!H", kind) + b"file\0octet\0"
        if t.chance(0.1):
            data = data[:rnd.randrange(4)]
        d = 0 if t.chance(0.93) else 1
        t.udp(d, ports, data)
        if t.chance(0.25):
            t.udp(d, ports, data)
        if t.chance(0.7):
            tid = (ports[0], t.port())
            t.udp(1, tid, b"\0\3\0\1" + b"x" * rnd.randrange(40))
            if t.chance(0.6):
                t.udp(0, tid, b"\0\4\0\1")
        if t.chance(0.4):
            ports = (t.port(), 69)
    return t.out


# -- IRC ----------------------------------------------------------------------------
def some_irc(rnd, pair):
    t = Scene(rnd, pair)
    s = t.stream((t.port(), 6667)).open()
    s.say(1, b":server 001 me :hello\r\n")
    port = 0
    for _ in range(rnd.choice((1, 1, 2, 3, 10))):
        port = t.port() if t.chance(0.95) else rnd.choice((0, 65536, 70000))
        who = pair.addr[0] if t.chance(0.85) else rnd.choice(
            (pair.addr[1], pair.addr[2]))
        addr = int.from_bytes(who, "big")
        text = rnd.choice((
            "SEND file %d %d 1234", "SEND file %d %d", "CHAT chat %d %d",
            "MOVE file %d %d", "TSEND file %d %d 9", "SCHAT chat %d %d",
            "RESUME file %d %d", "SEND %d %d", "SEND two words %d %d",
            "send file %d %d")) % (addr, port)
        line = "%s nick :\1DCC %s\1\r\n" % (rnd.choice(
            ("PRIVMSG",) * 8 + ("NOTICE", "privmsg")), text)
        d, x, data = 0 if t.chance(0.93) else 1, rnd.random(), line.encode()
        if x < 0.08:
            s.cut(d, data)
        elif x < 0.16:
            s.say(d, b"PING :x\r\n" + data)
        elif x < 0.22:
            s.say(d, data + data)
        elif x < 0.26:
            s.say(d, data[:-2])
        else:
            s.say(d, data)
        if t.chance(0.12):
            s.again(d)
        if t.chance(0.08):
            s.end(rnd.choice(("fin", "rst")))
        if 0 < port < 65536 and t.chance(0.5):
            t.arrive("tcp", 1, port, t.chance(0.9))
    s.end(rnd.choice(("", "fin", "rst")))
    return t.out


# -- Amanda and SANE ----------------------------------------------------------------
def some_amanda(rnd, pair):
    t = Scene(rnd, pair)
    ports = (rnd.choice((t.port(), 840)), 10080)
    t.udp(0, ports, b"Amanda 2.6 REQ HANDLE 000 SEQ 1\nSERVICE sendbackup\n")
    for _ in range(rnd.randrange(1, 4)):
        words = rnd.sample(("DATA", "MESG", "INDEX", "STATE"),
                           rnd.randrange(1, 5))
        numbers = [t.port() if t.chance(0.93) else rnd.choice(
            (0, 5, 65535, 65536, 70000, 123456)) for _ in words]
        line = "CONNECT " + " ".join("%s %d" % x for x in zip(words, numbers))
        text = "Amanda 2.6 REP HANDLE 000 SEQ 1\n" + line + rnd.choice(
            ("\n", "\n", "\n", "\nOPTIONS a;\n", "", " \n"))
        d = 1 if t.chance(0.9) else 0
        t.udp(d, ports, text.encode())
        if t.chance(0.2):
            t.out.append(t.out[-1])
        for port in numbers:
            if 0 < port < 65536 and t.chance(0.4):
                t.arrive("tcp", 0, port, t.chance(0.9))
        if t.chance(0.3):
            t.udp(0, ports, b"ack")
    return t.out


def some_sane(rnd, pair):
    t = Scene(rnd, pair)
    s = t.stream((t.port(), 6566)).open()
    s.say(0, struct.pack("!III", 0, 0x1000003, 0))
    s.say(1, struct.pack("!II", 0, 0x1000003))
    for _ in range(rnd.randrange(1, 4)):
        start = struct.pack("!II", rnd.choice((7, 7, 7, 7, 7, 3, 6)), 1)
        if t.chance(0.1):
            start += b"\0\0\0\1"
        port = t.port() if t.chance(0.95) else 0
        answer = struct.pack("!IHH", 0 if t.chance(0.9) else 4,
                             0 if t.chance(0.95) else 1, port) + b"\0\0\4\xd2"
        if t.chance(0.1):
            s.cut(0, start)
        else:
            s.say(0, start)
        if t.chance(0.1):
            s.again(0)
        if t.chance(0.1):
            s.cut(1, answer)
        elif t.chance(0.1):
            s.say(1, answer[:rnd.randrange(1, len(answer))])
        else:
            s.say(1, answer)
        if t.chance(0.15):
            s.again(1)
        if t.chance(0.1):
            s.end(rnd.choice(("fin", "rst")))
        if port and t.chance(0.7):
            t.arrive("tcp", 0, port, t.chance(0.9))
    s.end(rnd.choice(("", "fin", "rst")))
    return t.out


# -- NetBIOS names and SNMP -----------------------------------------------------------
def some_broadcast(port, ask):
    """A router helps nobody who asks all; helper= is shown, and no more.  No
    broadcast is made: none would be forwarded."""
    def make(rnd, pair):
        t = Scene(rnd, pair)
        ports = (rnd.choice((port, t.port())), port)
        for _ in range(rnd.randrange(1, 4)):
            t.udp(0 if t.chance(0.8) else 1, ports, ask)
            if t.chance(0.5):
                t.udp(1, ports, ask)
            if t.chance(0.3):
                third = t.turned()
                third.addr[0] = pair.addr[2]
                t.out.append(third.udp(0, (port, ports[0]), ask))
        return t.out
    return make


NAME_QUERY = bytes.fromhex("123401100001000000000000") + b"\x20" + \
    b"CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" + b"\0\0\x21\0\1"
GET_REQUEST = bytes.fromhex("302602010104067075626c6963a019020101020100020100"
                            "300e300c06082b060102010101000500")


# -- SIP, RFC 3261 --------------------------------------------------------------------
class Phones(Scene):
    """Two that call each other, over UDP or TCP."""

    def __init__(self, rnd, pair, tcp):
        super().__init__(rnd, pair)
        self.ports = (rnd.choice((5060, self.port())), 5060)
        self.s = self.stream((self.port(), 5060)).open() if tcp else None
        self.cseq = rnd.randrange(1, 1000)
        self.call = "%x@%s" % (rnd.randrange(1 << 32), pair.names[0])
        self.offered = []

    def host(self, d):
        name = self.pair.names[d]
        return "[%s]" % name if self.pair.v6 else name

    def sdp(self, d):
        """A session description of side d."""
        rnd = self.rnd
        name = self.pair.names[d] if self.chance(0.88) else rnd.choice(
            (self.third()[1], self.pair.names[1 - d]))
        fam = "IP6" if self.pair.v6 else "IP4"
        out = ["v=0", "o=me 1 1 IN %s %s" % (fam, name), "s=call"]
        where = rnd.choice(("session", "session", "media", "both", "none"))
        if where in ("session", "both"):
            out.append("c=IN %s %s" % (fam, name))
        out.append("t=0 0")
        for _ in range(rnd.choice((1, 1, 1, 2, 3, 6))):
            kind = rnd.choice(("audio",) * 5 + ("video", "video", "image",
                                                "application"))
            port = rnd.randrange(10000, 60000) if self.chance(0.92) else \
                rnd.choice((0, 80, 1023, 1024, 65535, 70000))
            out.append("m=%s %d %s" % (
                kind, port, "udptl t38" if kind == "image" else "RTP/AVP 0"))
            if where in ("media", "both"):
                out.append("c=IN %s %s" % (fam, name))
            self.offered.append((d, port))
        return "\r\n".join(out) + "\r\n"

    def message(self, d, first, method, body="", **opt):
        """opt: headers, cseq, number."""
        rnd, short = self.rnd, self.chance(0.15)
        cseq = opt.get("cseq", self.cseq)
        lines = [first]
        lines.append("%s: SIP/2.0/%s %s:%d;branch=z9hG4bK%x" % (
            "v" if short else "Via", "TCP" if self.s else "UDP",
            self.host(d), self.ports[d], rnd.randrange(1 << 20)))
        lines.append("%s: <sip:a@%s>;tag=1" % ("f" if short else "From",
                                               self.host(0)))
        lines.append("%s: <sip:b@%s>" % ("t" if short else "To",
                                         self.host(1)))
        lines.append("%s: %s" % ("i" if short else "Call-ID", self.call))
        lines.append("CSeq: %d %s" % (cseq, method))
        lines += opt.get("headers", [])
        if body:
            lines.append("%s: application/sdp" % (
                "c" if short else "Content-Type"))
        if body or self.s or self.chance(0.8):
            lines.append("%s: %d" % ("l" if short else "Content-Length",
                                     len(body)))
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def say(self, d, data):
        if not self.s:
            if self.chance(0.03):
                data = data[:self.rnd.randrange(len(data))]
            self.udp(d, self.ports, data)
            if self.chance(0.1):
                self.out.append(self.out[-1])
            return
        x = self.rnd.random()
        if x < 0.08:
            self.s.cut(d, data)
        elif x < 0.15:
            self.s.say(d, data + data)
        else:
            self.s.say(d, data)
        if self.chance(0.08):
            self.s.again(d)

    def request(self, d, method, body="", **opt):
        self.say(d, self.message(d, "%s sip:b@%s SIP/2.0" % (
            method, self.host(1 - d)), method, body, **opt))

    def answer(self, d, code, method, body="", **opt):
        self.say(d, self.message(d, "SIP/2.0 %d Whatever" % code, method,
                                 body, **opt))

    def invite(self):
        rnd = self.rnd
        d = 0 if self.chance(0.85) else 1
        me = ["Contact: <sip:a@%s:%d>" % (self.host(d), self.ports[d])]
        self.request(d, "INVITE", self.sdp(d) if self.chance(0.9) else "",
                     headers=me)
        if self.chance(0.5):
            self.answer(1 - d, 100, "INVITE")
        if self.chance(0.3):
            self.answer(1 - d, 183, "INVITE", self.sdp(1 - d))
            if self.chance(0.4):
                self.request(d, "PRACK", self.sdp(d))
        code = rnd.choice((200, 200, 200, 200, 200, 404, 486, 302))
        wrong = {"cseq": self.cseq + 1} if self.chance(0.08) else {}
        self.answer(1 - d, code, "INVITE",
                    self.sdp(1 - d) if code == 200 else "", **wrong)
        if self.chance(0.8):
            self.request(d, "ACK", self.sdp(d) if self.chance(0.1) else "")
        self.media()
        if self.chance(0.2):
            self.cseq += 1
            self.request(d, "UPDATE", self.sdp(d))
            self.answer(1 - d, 200, "UPDATE", self.sdp(1 - d))
            self.media()
        self.cseq += 1
        if self.chance(0.6):
            self.request(d, "BYE")
            if self.chance(0.7):
                self.answer(1 - d, 200, "BYE")
        self.media()
        self.cseq += 1

    def media(self):
        for d, port in self.offered[-3:]:
            if 1 <= port < 65535 and self.chance(0.3):
                self.arrive("udp", 1 - d, (port & ~1) + self.rnd.randrange(2),
                            self.chance(0.6))

    def register(self):
        rnd = self.rnd
        port = rnd.choice((5060, self.ports[0], self.port()))
        name = self.host(0) if self.chance(0.9) else self.host(1)
        after = rnd.choice((None, 0, 60, 3600))
        contact = "Contact: <sip:a@%s:%d>" % (name, port)
        headers = [contact]
        if after is not None and self.chance(0.5):
            headers[0] += ";expires=%d" % after
        elif after is not None:
            headers.append("Expires: %d" % after)
        self.request(0, "REGISTER", headers=headers)
        if self.chance(0.2):
            self.answer(1, 100, "REGISTER")
        if self.chance(0.3):	# before it is active
            self.arrive("udp", 1, port)
        if self.chance(0.9):
            code = rnd.choice((200, 200, 200, 200, 401, 403))
            agreed = rnd.choice((60, 600, 0))
            self.answer(1, code, "REGISTER", headers=rnd.choice((
                headers, [contact + ";expires=%d" % agreed],
                [contact, "Expires: %d" % agreed], [])))
        if self.chance(0.5):
            self.arrive("udp", 1, port, self.chance(0.5))
        self.cseq += 1

    def noise(self):
        rnd = self.rnd
        self.say(rnd.randrange(2), rnd.choice((
            b"\r\n\r\n", b"\0\0\0\0", b"SIP/2.0 200\r\n\r\n",
            b"INVITE sip:x SIP/2.0\r\n\r\n", b"OPTIONS sip:b SIP/2.0\r\n"
            b"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")))


def some_sip(tcp):
    def make(rnd, pair):
        t = Phones(rnd, pair, tcp)
        # What the kernel cannot understand it drops; with the first packet
        # the connection goes.
        if t.chance(0.2):
            t.noise()
        elif not tcp:
            t.udp(0, t.ports, t.message(0, "OPTIONS sip:b SIP/2.0", "OPTIONS"))
        for _ in range(rnd.randrange(1, 4)):
            rnd.choice((t.invite, t.invite, t.register))()
            if t.chance(0.1):
                t.noise()
        if t.s:
            t.s.end(rnd.choice(("", "fin", "rst")))
        return t.out
    return make


# name: what makes them, and of which family: False, True, or None for both
KINDS = {
    "ftp": (some_ftp, None), "tftp": (some_tftp, None),
    "irc": (some_irc, False), "amanda": (some_amanda, None),
    "sane": (some_sane, None),
    "netbios-ns": (some_broadcast(137, NAME_QUERY), False),
    "snmp": (some_broadcast(161, GET_REQUEST), False),
    "sip": (some_sip(False), None), "sip-tcp": (some_sip(True), None),
    "pptp": (some_pptp, False),
    "q931": (some_q931, None), "q931-bad": (spoilt(some_q931), None),
    "h323": (some_call, None),
    "ras": (some_ras, None), "ras-bad": (spoilt(some_ras), None),
}


def conversation(kind, seed, n):
    """Number n of a kind: its own random state, so that it stands alone."""
    rnd = random.Random("%s:%s:%d" % (kind, seed, n))
    make, v6 = KINDS[kind]
    return make(rnd, Pair(n, rnd.random() < 0.4 if v6 is None else v6))


def conversations(kind, seed, numbers):
    """{number: its packets}."""
    return {n: conversation(kind, seed, n) for n in numbers}
