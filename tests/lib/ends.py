#!/usr/bin/python3
"""Which frames of a capture tell that a side of a TCP connection has ended:
its FINs, what it sends behind them, and the other side's acknowledgements of
them.  When all of them are lost, the same conversation without that FIN would
look the same, so nobody can tell.
"""
import collections
import struct

from frames import FIN, SYN


def segment(f):
    """(sequence number, that behind it, acknowledgement, ends its side) of a
    frame that was taken for TCP, or None."""
    d, at = f.data, 12
    while d[at:at + 2] in (b"\x81\0", b"\x88\xa8"):
        at += 4
    try:
        if d[at:at + 2] == b"\x86\xdd":
            n, l4 = struct.unpack_from("!H", d, at + 6)[0], at + 42
        else:
            head = (d[at + 2] & 15) * 4
            n, l4 = struct.unpack_from("!H", d, at + 4)[0] - head, \
                at + 2 + head
        seq, ack, off, flags = struct.unpack_from("!IIBB", d, l4 + 4)
    except struct.error:
        return None
    n = max(0, n - (off >> 4) * 4) + bool(flags & FIN) + bool(flags & SYN)
    return seq, (seq + n) & 0xffffffff, ack, bool(flags & FIN)


def reached(number, mark):
    return (number - mark) & 0xffffffff < 1 << 31


class Ends:
    """Of a whole capture: where each side's FIN ends, `key` names a frame's
    connection."""

    def __init__(self, frames, key):
        self.key = key
        self.fin = {}
        for f in frames:
            s = segment(f) if f.talk is not None else None
            if s and s[3]:
                self.fin[key(f), f.dir] = s[1]
        self.whole = self.told(frames)

    def told(self, frames):
        """How many of these frames tell it, by connection and side."""
        n = collections.Counter()
        for f in frames:
            if f.talk is None:
                continue
            k = self.key(f)
            own, other = self.fin.get((k, f.dir)), self.fin.get((k, 1 - f.dir))
            s = segment(f) if (own, other) != (None, None) else None
            if not s:
                continue
            if own is not None and (s[3] or reached(s[0], own)):
                n[k, f.dir] += 1
            if other is not None and reached(s[2], other):
                n[k, 1 - f.dir] += 1
        return n

    def cut(self, files):
        """The connections of which a side's end cannot be told any more."""
        left = self.told([f for frames in files for f in frames])
        return {k for (k, way), n in self.whole.items()
                if n and not left[k, way]}
