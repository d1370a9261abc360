#!/usr/bin/python3
"""What a mirror port does to a capture: loss, doubles, swaps, one direction,
two taps, short frames.  All by a seed; frames are those of talks.py, or those
of a capture.
"""
import random
import socket
import struct

from frames import TCP, UDP
from talks import Frame


def lose(frames, share, seed):
    rnd = random.Random(seed)
    return [f for f in frames if rnd.random() >= share]


def lose_bursts(frames, share, length, seed):
    """The same share, in runs of about `length` frames."""
    rnd = random.Random(seed)
    out, left = [], 0
    for f in frames:
        if not left and rnd.random() < share / length:
            left = 1 + int(rnd.expovariate(1.0 / length))
        if left:
            left -= 1
        else:
            out.append(f)
    return out


def outage(frames, share, seed):
    """All frames of a part of the time are gone."""
    rnd = random.Random(seed)
    n = int(len(frames) * share)
    at = rnd.randrange(len(frames) // 4, len(frames) // 2)
    return frames[:at] + frames[at + n:]


def double(frames, share, seed, late=0.00003):
    """The copy comes up to `late` seconds later, one hop further: its TTL is
    one less, and it may have a VLAN tag."""
    rnd = random.Random(seed)
    out = []
    for f in frames:
        out.append(f)
        if rnd.random() >= share:
            continue
        d = bytearray(f.data)
        at = 12
        while d[at:at + 2] == b"\x81\0":
            at += 4
        kind = d[at:at + 2]
        if kind == b"\x08\x00" and len(d) > at + 10:
            d[at + 10] = (d[at + 10] - 1) & 0xff
        elif kind == b"\x86\xdd" and len(d) > at + 9:
            d[at + 9] = (d[at + 9] - 1) & 0xff
        more = 0
        if rnd.random() < 0.5:
            d[12:12] = b"\x81\0\0\x0c"
            more = 4
        out.append(f.copy(t=f.t + rnd.uniform(0.000001, late), data=bytes(d),
                          len=f.len + more))
    out.sort(key=lambda f: f.t)
    return out


def swap(frames, share, seed):
    """Some frames change places with the next; time stamps stay in order."""
    rnd = random.Random(seed)
    out = list(frames)
    k = 0
    while k + 1 < len(out):
        if rnd.random() < share:
            a, b = out[k], out[k + 1]
            out[k], out[k + 1] = b.copy(t=a.t), a.copy(t=b.t)
            k += 1
        k += 1
    return out


def swap_talk(frames, share, seed):
    """Likewise, with the next frame of the same conversation."""
    rnd = random.Random(seed)
    out = list(frames)
    last = {}
    for k, f in enumerate(out):
        if f.talk is None:
            continue
        j = last.pop(f.talk, None)
        if j is not None and f.t - out[j].t < 0.002 and rnd.random() < share:
            a, b = out[j], out[k]
            out[j], out[k] = b.copy(t=a.t), a.copy(t=b.t)
            continue
        last[f.talk] = k
    return out


def one_way(frames, way):
    return [f for f in frames if f.talk is None or f.dir == way]


def two_taps(frames, seed, jitter=0.0003):
    """Each direction in a file of its own, and the second clock is late or
    early by up to `jitter`."""
    rnd = random.Random(seed)
    a = [f for f in frames if f.dir == 0]
    b = sorted((f.copy(t=f.t + rnd.uniform(-jitter, jitter))
                for f in frames if f.dir == 1), key=lambda f: f.t)
    return [a, b]


def snap(frames, n):
    return [f.copy(data=f.data[:n]) for f in frames]


# -- captures -------------------------------------------------------------------
def write(path, frames):
    with open(path, "wb") as out:
        out.write(struct.pack("=IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
        for f in frames:
            ns = round(f.t * 1000000000)
            out.write(struct.pack("=IIII", ns // 1000000000, ns % 1000000000,
                                  len(f.data), f.len) + f.data)


def key_of(data):
    """(protocol, ((address, port), (address, port)) as sent, TCP flags, bytes
    of layer 4) of an Ethernet frame, or None."""
    at = 12
    while data[at:at + 2] in (b"\x81\0", b"\x88\xa8"):
        at += 4
    kind = data[at:at + 2]
    ip = data[at + 2:]
    if kind == b"\x08\0" and len(ip) >= 20:
        head, proto = (ip[0] & 15) * 4, ip[9]
        if struct.unpack_from("!H", ip, 6)[0] & 0x3fff:
            return None
        a = [socket.inet_ntop(socket.AF_INET, ip[n:n + 4]) for n in (12, 16)]
    elif kind == b"\x86\xdd" and len(ip) >= 40:
        head, proto = 40, ip[6]
        a = [socket.inet_ntop(socket.AF_INET6, ip[n:n + 16]) for n in (8, 24)]
    else:
        return None
    l4 = ip[head:]
    if proto not in (TCP, UDP) or len(l4) < 8:
        return None
    p = struct.unpack_from("!HH", l4)
    flags = l4[13] if proto == TCP and len(l4) > 13 else 0
    return proto, ((a[0], p[0]), (a[1], p[1])), flags, len(l4)


def read(path):
    """The frames of an Ethernet capture in our byte order; None: another."""
    with open(path, "rb") as f:
        data = f.read()
    if len(data) < 24 or data[:4] not in (b"\xd4\xc3\xb2\xa1",
                                          b"\x4d\x3c\xb2\xa1"):
        return None
    if struct.unpack_from("=I", data, 20)[0] & 0xffff != 1:
        return None
    unit = 1e-9 if data[0] == 0x4d else 1e-6
    at, out = 24, []
    while at + 16 <= len(data):
        s, sub, n, wire = struct.unpack_from("=IIII", data, at)
        out.append(Frame(s + sub * unit, data[at + 16:at + 16 + n], wire))
        at += 16 + n
    return out


def merged(paths, gap=0.01):
    """Captures one behind the other, each in a VLAN of its own, so that they
    have nothing to do with each other where zones come from VLANs."""
    out, now = [], 1000.0
    for k, path in enumerate(paths):
        frames = read(path) or []
        late = now - frames[0].t if frames else 0
        for f in frames:
            got = key_of(f.data)
            f.t += late
            f.data = f.data[:12] + struct.pack("!HH", 0x8100, k + 1) + \
                f.data[12:]
            f.len += 4
            if got and got[0] == TCP:
                f.talk = (k + 1, frozenset(got[1]))
                f.flags = got[2]
                f.dir = 0 if got[1][0] == min(got[1]) else 1
                f.need = len(f.data) - got[3] + 20
            out.append(f)
        if frames:
            now = out[-1].t + gap
    return out
