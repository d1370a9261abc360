#!/usr/bin/python3
"""Messages of H.323, in aligned PER (ITU-T X.691).

Only what the conversations need of H.225.0 and H.245: each function writes
one type.  A place is (address, port); its address has 4 or 16 bytes, or is
None for one that is no address of IP.
"""
import struct

OID = bytes.fromhex("060008914a0004")[1:]	# {itu-t recommendation h 2250 0 4}


class Per:
    """Bits, as they are written."""

    def __init__(self):
        self.n = 0
        self.value = 0

    def bits(self, n, v):
        self.value = self.value << n | v
        self.n += n
        return self

    def align(self):
        return self.bits(-self.n % 8, 0)

    def bytes(self, data):
        return self.align().bits(8 * len(data), int.from_bytes(data, "big"))

    def done(self):
        self.align()
        return self.value.to_bytes(self.n // 8, "big")

    def number(self, lb, ub, v):
        size, v = ub - lb, v - lb
        if size < 255:
            return self.bits(size.bit_length(), v)
        if size <= 0xffff:
            return self.align().bits(8 if size == 255 else 16, v)
        most = (size.bit_length() + 7) // 8
        n = max(1, (v.bit_length() + 7) // 8)
        return self.bits((most - 1).bit_length(), n - 1).align().bits(8 * n, v)

    def length(self, n):
        return self.align().bits(8, n) if n < 128 else \
            self.align().bits(16, 0x8000 | n)

    def open(self, data):
        """Bytes that contain a value, or an OCTET STRING of any size."""
        return self.length(len(data)).bytes(data)

    def sized(self, data, lb, ub):
        if lb == ub <= 2:
            return self.bits(8 * len(data), int.from_bytes(data, "big"))
        if lb != ub:
            self.number(lb, ub, len(data))
        return self.bytes(data)

    def seq(self, extended, *optional):
        """The head of a SEQUENCE with an extension marker."""
        self.bits(1, bool(extended))
        for o in optional:
            self.bits(1, bool(o))
        return self

    def additions(self, items):
        """What stands behind a marker, None for what is not there."""
        items = list(items)
        while items and items[-1] is None:
            items.pop()
        if not items:
            return self
        self.bits(7, len(items) - 1)
        for i in items:
            self.bits(1, i is not None)
        for i in items:
            if i is not None:
                self.open(i)
        return self

    def choice(self, n, i, ext=True):
        """Alternative i of n in the root."""
        if ext:
            self.bits(1, 0)
        return self.number(0, n - 1, i)

    def added(self, i, data):
        """Alternative i of those behind the marker."""
        return self.bits(1, 1).bits(7, i).open(data)

    def many(self, items, write):
        self.length(len(items))
        for i in items:
            write(self, i)
        return self


def has(items):
    return any(i is not None for i in items)


# -- H.225.0 ---------------------------------------------------------------------
def nonstandard(w, data=b"xyz"):
    w.choice(2, 1).seq(0).number(0, 255, 181).number(0, 255, 0)
    return w.number(0, 65535, 21324).open(data)


def transport(w, place):
    addr, port = place
    if addr is None:
        return w.choice(7, 4).sized(b"netbios name 16.", 16, 16)
    if len(addr) == 4:
        w.choice(7, 0).bytes(addr)
    else:
        w.choice(7, 3).seq(0).bytes(addr)
    return w.number(0, 65535, port)


def transport_of(place):
    return None if place is None else transport(Per(), place).done()


def alias(w, name):
    if name.isdigit():
        w.choice(2, 0).number(1, 128, len(name)).align()
        for c in name:
            w.bits(4, "#*,0123456789".index(c))
        return w
    return bmp(w.choice(2, 1), name, 256)


def bmp(w, name, most=128):
    return w.number(1, most, len(name)).bytes(name.encode("utf-16-be"))


def endpoint(w, rnd):
    """EndpointType, with some of its parts."""
    vendor, gateway, terminal = (rnd.random() < p for p in (0.6, 0.2, 0.8))
    std = rnd.random() < 0.1
    w.seq(0, std, vendor, 0, gateway, 0, terminal)
    if std:
        nonstandard(w)
    if vendor:
        vendor_of(w, rnd)
    if gateway:
        w.seq(0, 1, 0).many([0, 7], lambda w, i: (
            w.choice(9, i), nonstandard(w) if not i else w.seq(0, 0)))
    if terminal:
        w.seq(0, 0)
    return w.bits(2, 0)


def vendor_of(w, rnd):
    product, version = rnd.random() < 0.5, rnd.random() < 0.5
    w.seq(0, product, version).seq(0)
    w.number(0, 255, 181).number(0, 255, 0).number(0, 65535, 9009)
    for there in (product, version):
        if there:
            w.sized(b"Some product"[:rnd.randrange(1, 13)], 1, 256)
    return w


def aliases(w, rnd):
    return w.many([rnd.choice(("5551212", "alice", "1"))
                   for _ in range(rnd.randrange(1, 3))], alias)


GUID = bytes(range(16))


def guid():
    return Per().seq(0).bytes(GUID).done()


def many_open(items):
    return None if items is None else Per().many(
        items, lambda w, i: w.open(i)).done()


# Each body is (alternative of h323-message-body, what writes it): PER aligns
# to the whole message, so nothing can be written before its place is known.
def setup(rnd, h245=None, fast=None, called=None):
    src, dst = rnd.random() < 0.7, rnd.random() < 0.5
    ext = [transport_of(called), None, guid(), None, None, None,
           many_open(fast), b"\0", b"\0"]
    if rnd.random() < 0.2 and not fast:
        ext = []

    def write(w):
        w.seq(has(ext), h245, src, dst, called, 0, 0, 0).open(OID)
        if h245:
            transport(w, h245)
        if src:
            aliases(w, rnd)
        endpoint(w, rnd)
        if dst:
            aliases(w, rnd)
        if called:
            transport(w, called)
        w.bits(1, 0).bytes(GUID).choice(3, 0).choice(4, 0).additions(ext)
    return 0, write


def proceeding(rnd, which=1, h245=None, fast=None):
    """CallProceeding (1) or Alerting (3)."""
    def write(w):
        endpoint(w.seq(1, h245).open(OID), rnd)
        if h245:
            transport(w, h245)
        w.additions([guid(), None, None, None, many_open(fast)])
    return which, write


def connect(rnd, h245=None, fast=None):
    def write(w):
        w.seq(1, h245).open(OID)
        if h245:
            transport(w, h245)
        endpoint(w, rnd).bytes(GUID).additions(
            [guid(), None, None, None, many_open(fast), b"\0"])
    return 2, write


def information(fast=None):
    return 4, lambda w: w.seq(1).open(OID).additions(
        [guid(), None, None, many_open(fast)])


def release(rnd):
    return 5, lambda w: w.seq(1, 1).open(OID).choice(
        12, rnd.randrange(12)).additions([guid()])


def facility(rnd, reason=3, other=None, h245=None, fast=None):
    """reason: 1 is callForwarded; from 4 on behind the marker."""
    conf = rnd.random() < 0.3

    def write(w):
        w.seq(1, other, 0, conf).open(OID)
        if other:
            transport(w, other)
        if conf:
            w.bytes(GUID)
        if reason < 4:
            w.choice(4, reason)
        else:
            w.added(reason - 4, b"\0")
        w.additions([guid(), None, None, None, None, None,
                     transport_of(h245), many_open(fast)])
    return 6, write


def progress(rnd, h245=None, fast=None):
    sec = rnd.random() < 0.2

    def write(w):
        endpoint(w.seq(0, h245, sec, 0, 0, fast is not None).open(OID), rnd)
        if h245:
            transport(w, h245)
        w.seq(0).bytes(GUID)
        if sec:
            w.choice(4, 1)
        if fast is not None:
            w.many(fast, lambda w, i: w.open(i))
    return 7, write


def empty():
    return 8, lambda w: w.bits(8, 0)


def user(rnd, body, tunnelled=None, data=False):
    """H323-UserInformation of one of the above."""
    which, write = body
    ext = [None, None if tunnelled is None else b"\x80", many_open(tunnelled)]
    std = rnd.random() < 0.1
    w = Per().seq(0, data).seq(has(ext), std)
    if which < 7:
        write(w.choice(7, which))
    else:
        inner = Per()
        write(inner)
        w.added(which - 7, inner.done())
    if std:
        nonstandard(w)
    w.additions(ext)
    if data:
        w.seq(0).number(0, 255, 5).sized(b"user", 1, 131)
    return w.done()


def q931(kind, pdu, reference=b"\x12\x34", elements=b""):
    """A message of Q.931 with H.225.0 inside; elements come before that."""
    return b"\x08" + bytes((len(reference),)) + reference + bytes((kind,)) + \
        elements + b"\x7e" + struct.pack("!H", len(pdu) + 1) + b"\x05" + pdu


def tpkt(data):
    return b"\3\0" + struct.pack("!H", len(data) + 4) + data


# number of a message of Q.931, by its body
Q931_KINDS = {0: 5, 1: 2, 2: 7, 3: 1, 4: 0x7b, 5: 0x5a, 6: 0x62, 7: 3, 8: 0x62}


# -- H.245 -----------------------------------------------------------------------
def unicast(w, place):
    addr, port = place
    w.choice(2, 0)
    if addr is None:
        return w.choice(5, 3).sized(b"netbios name 16.", 16, 16)
    return w.choice(5, 0 if len(addr) == 4 else 2).seq(0).bytes(addr).number(
        0, 65535, port)


def multicast(w, place):
    addr, port = place
    return w.choice(2, 1).choice(2, 0 if len(addr) == 4 else 1).seq(0).bytes(
        addr).number(0, 65535, port)


def h2250(rnd, media=None, control=None, group=None):
    """H2250LogicalChannelParameters."""
    std, silence, kind = (rnd.random() < p for p in (0.1, 0.5, 0.3))
    w = Per().seq(0, std, 0, media or group, 0, control, 0, silence, 0, kind,
                  0)
    if std:
        w.many([b"abc"], lambda w, d: w.choice(2, 1, ext=False).number(
            0, 255, 181).number(0, 255, 0).number(0, 65535, 1).open(d))
    w.number(0, 255, 1)
    if group:
        multicast(w, group)
    elif media:
        unicast(w, media)
    if control:
        unicast(w, control)
    if silence:
        w.bits(1, 0)
    if kind:
        w.number(96, 127, 101)
    return w.done()


def data_type(w, rnd, t120=False):
    """What a channel carries."""
    if t120:
        return w.choice(6, 4).seq(0).choice(10, 1).added(3, b"\0").number(
            0, 4294967295, 6400)
    x = rnd.randrange(9)
    if x == 0:
        w.choice(6, 1)	# nullData
    elif x == 1:	# H.261
        w.choice(6, 2).choice(5, 1).seq(0, 1, 1).number(1, 4, 1).number(
            1, 4, 2).bits(1, 0).number(1, 19200, 600).bits(1, 0)
    elif x == 2:	# H.263
        w.choice(6, 2).choice(5, 3).seq(0, 0, 1, 1, 0, 0, 1, 1).number(
            1, 32, 1).number(1, 32, 2).number(1, 192400, rnd.choice(
                (1, 600, 70000))).bits(5, 0).number(0, 524287, 300)
        w.number(0, 65535, 9)
    elif x == 3:	# G.723.1
        w.choice(6, 3).choice(14, 8).number(1, 256, 1).bits(1, 1)
    elif x == 4:	# a codec from behind the marker
        w.choice(6, 3).added(rnd.randrange(0, 9), b"\0\x12")
    elif x == 5:	# data that is no T.120
        w.choice(6, 4).seq(0).choice(10, 3).choice(7, 6).number(
            0, 4294967295, 64)
    elif x == 6:	# H.262
        w.choice(6, 2).choice(5, 2).seq(0, 1, 0, 0, 0, 1, 0).bits(
            11, 5).number(0, 1073741823, 40000).number(0, 15, 4)
    elif x == 7:	# MPEG 1 audio
        w.choice(6, 3).choice(14, 12).seq(0).bits(8, 3).number(1, 448, 64)
    else:	# G.711
        w.choice(6, 3).choice(14, rnd.randrange(1, 8)).number(1, 256, 20)
    return w


def separate_stack(rnd, place):
    """NetworkAccessParameters."""
    how = rnd.random() < 0.5
    w = Per().seq(0, how, 0)
    if how:
        w.choice(2, 0)
    return unicast(w.choice(3, 2), place).bits(1, 0).done()


def channel(rnd, media=None, control=None, reverse=None, stack=None,
            t120=False, group=None):
    """OpenLogicalChannel; reverse: (media, control) of the way back."""
    ext = [None if stack is None else separate_stack(rnd, stack)]
    numbered = rnd.random() < 0.2

    def write(w):
        w.seq(has(ext), reverse).number(1, 65535, 257).seq(0, numbered)
        if numbered:
            w.number(0, 65535, 7)
        data_type(w, rnd, t120)
        w.added(0, h2250(rnd, media, control, group))
        if reverse:
            w.seq(0, 1)
            data_type(w, rnd)
            w.added(0, h2250(rnd, *reverse))
        w.additions(ext)
    return write


def channel_ack(rnd, media=None, control=None, reverse=None, stack=None):
    """OpenLogicalChannelAck."""
    ext = [None if stack is None else separate_stack(rnd, stack)]
    if media or control:
        inner = Per().choice(1, 0).seq(0, 0, 1, media, control, 0).number(
            1, 255, 1)
        for place in (media, control):
            if place:
                unicast(inner, place)
        ext.append(inner.done())

    def write(w):
        w.seq(has(ext), reverse).number(1, 65535, 257)
        if reverse:
            w.seq(0, 0, 1).number(1, 65535, 258).added(0, h2250(rnd, *reverse))
        w.additions(ext)
    return write


def alone(write):
    """A type as bytes of its own: fastStart."""
    w = Per()
    write(w)
    return w.done()


def request(write):
    """MultimediaSystemControlMessage with an OpenLogicalChannel."""
    w = Per().choice(4, 0).choice(11, 3)
    write(w)
    return w.done()


def response(write):
    w = Per().choice(4, 1).choice(19, 5)
    write(w)
    return w.done()


def master_slave():
    return Per().choice(4, 0).choice(11, 1).seq(0).number(0, 255, 50).number(
        0, 16777215, 4711).done()


# -- RAS -------------------------------------------------------------------------
def ras(which):
    return Per().choice(25, which)


def gcf(rnd, place):
    std, name = rnd.random() < 0.2, rnd.random() < 0.5
    w = ras(1).seq(0, std, name).number(1, 65535, 1).open(OID)
    if std:
        nonstandard(w)
    if name:
        bmp(w, "gatekeeper")
    return transport(w, place).done()


def rrq(rnd, signal, ras_places, seconds=None):
    std, name, alias_too = (rnd.random() < p for p in (0.2, 0.4, 0.6))
    ext = [None, None if seconds is None else
           Per().number(1, 4294967295, seconds).done()]
    w = ras(3).seq(has(ext), std, alias_too, name)
    w.number(1, 65535, 2).open(OID)
    if std:
        nonstandard(w)
    w.bits(1, 1).many(signal, transport).many(ras_places, transport)
    endpoint(w, rnd)
    if alias_too:
        aliases(w, rnd)
    if name:
        bmp(w, "gk")
    vendor_of(w, rnd)
    return w.additions(ext).done()


def rcf(rnd, signal, seconds=None):
    std, alias_too = rnd.random() < 0.2, rnd.random() < 0.6
    ext = [None, None if seconds is None else
           Per().number(1, 4294967295, seconds).done()]
    w = ras(4).seq(has(ext), std, alias_too, 0).number(1, 65535, 2).open(OID)
    if std:
        nonstandard(w)
    w.many(signal, transport)
    if alias_too:
        aliases(w, rnd)
    return bmp(w, "endpoint 1").additions(ext).done()


def urq(signal):
    return bmp(ras(6).seq(0, 0, 0, 1).number(1, 65535, 3).many(
        signal, transport), "endpoint 1").done()


def ucf():
    return ras(7).seq(0, 0).number(1, 65535, 3).done()


def acf(rnd, place):
    often = rnd.random() < 0.3
    w = ras(10).seq(0, often, 0).number(1, 65535, 4).number(
        0, 4294967295, rnd.choice((640, 1280, 100000))).choice(2, 1)
    transport(w, place)
    if often:
        w.number(1, 65535, 120)
    return w.done()


def lcf(place, other):
    w = ras(19).seq(0, 0).number(1, 65535, 5)
    return transport(transport(w, place), other).done()
