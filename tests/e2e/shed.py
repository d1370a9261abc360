#!/usr/bin/python3
"""What comes while a worker cannot keep up: an FTP session's control connection
and many short connections.  Prints how many frames were sent.

  shed.py begin IF         the FTP connection is opened
  shed.py fill IF FROM TO  short connections FROM to TO, and as many FTP lines
  shed.py after IF FROM    another connection, each frame twice; then FTP's
                           answer that announces a connection, behind FROM lines
"""
import random
import socket
import sys
import os

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from frames import ACK, PSH, SYN        # noqa: E402
import talks                            # noqa: E402

LINE = b"NOOP\r\n"
PASSIVE = b"227 Entering Passive Mode (10,1,0,9,156,64).\r\n"


def talk(port, server):
    t = talks.Talk(random.Random(port), talks.Net(random.Random(3), 7),
                   "open", 1000.0)
    t.port = [port, server]
    t.handshake()
    return t


def out(t):
    """Frames with what they say, or bytes in its place."""
    for f in t.frames:
        yield f.data + bytes(f.len - len(f.data))


def say(t, way, text):
    t.send(way, PSH | ACK, len(text))
    f = t.frames.pop()
    return f.data + text


def ftp(lines):
    """Its control connection, opened and with so many lines sent."""
    t = talk(40021, 21)
    opened = list(out(t))
    t.frames = []
    said = [say(t, 0, LINE) for _ in range(lines)]
    return t, opened, said


def short(n):
    t = talk(1024 + n, 80)
    t.send(0, PSH | ACK, 1300)
    t.send(1, PSH | ACK, 1300)
    return out(t)


def frames(args):
    what, first = args[0], int(args[2]) if len(args) > 2 else 0
    if what == "begin":
        yield from ftp(0)[1]
    elif what == "fill":
        lines = ftp(int(args[3]))[2]
        for n in range(first, int(args[3])):
            yield from short(n)
            yield lines[n]
    else:
        for f in short(60000):
            yield f
            yield f
        yield say(ftp(first)[0], 1, PASSIVE)


def main(args):
    if len(args) not in (2, 3, 4) or args[0] not in ("begin", "fill", "after"):
        sys.exit(__doc__)
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((args[1], 0))
    n = 0
    for f in frames(args):
        s.send(f)
        n += 1
    print(n)


if __name__ == "__main__":
    main(sys.argv[1:])
