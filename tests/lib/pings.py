#!/usr/bin/python3
"""Single echo requests into an interface, and when `ctctl watch` has a line for
each.

  pings.py IF N COMMAND...   IF leads to the mirror port; COMMAND prints events

They come with pauses of PAUSE at least, so that the mirror is quiet before each.
Prints how long each took from just before it was sent: median and longest, in
milliseconds, and how many were seen before the pause behind them was over, by
the same clock.
"""
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

PAUSE = 0.1
PATIENCE = 20                           # seconds for one that does not come


def frame(n):
    """Echo request number n; each is a connection of its own."""
    icmp = struct.pack("!BBHHH", 8, 0, 0, n, 1)
    s = sum(struct.unpack("!4H", icmp))
    icmp = icmp[:2] + struct.pack("!H", ~(s + (s >> 16)) & 0xffff) + icmp[4:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, n, 0, 64, 1, 0,
                       bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2)))
    s = sum(struct.unpack("!10H", head))
    s = (s & 0xffff) + (s >> 16)
    head = head[:10] + struct.pack("!H", ~(s + (s >> 16)) & 0xffff) + head[12:]
    return (b"\2\0\0\0\0\2\2\0\0\0\0\1\x08\0" + head + icmp).ljust(60, b"\0")


class Watch:
    def __init__(self, command):
        self.run = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.text = b""

    def wait(self, n, until):
        """When the line of ping n was there; None: not by `until`."""
        while True:
            while b"\n" in self.text:
                line, self.text = self.text.split(b"\n", 1)
                if b"[NEW]" in line and b" id=%d " % n in line:
                    return time.monotonic()
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.run.stdout], [], [],
                                              left)[0]:
                return None
            more = os.read(self.run.stdout.fileno(), 65536)
            if not more:
                sys.exit("no more events: %s" % self.run.args)
            self.text += more

    def end(self):
        self.run.kill()
        self.run.wait()


def pings(iface, n, command, pause=PAUSE):
    """Seconds that each took, and how many came within the pause behind it."""
    rnd = random.Random(1)
    took, early = [], 0
    watch = Watch(command)
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.bind((iface, 0))
            # until the subscription stands there is nobody to see them
            for k in range(1, 1000):
                s.send(frame(60000 + k))
                if watch.wait(60000 + k, time.monotonic() + pause):
                    break
            for k in range(1, n + 1):
                # at any moment of whatever goes by a clock
                time.sleep(pause + rnd.uniform(0, pause))
                at = time.monotonic()
                s.send(frame(k))
                seen = watch.wait(k, at + pause)
                early += seen is not None and seen - at <= pause
                seen = seen or watch.wait(k, at + PATIENCE)
                if seen is None:
                    sys.exit("ping %d was never seen" % k)
                took.append(seen - at)
    finally:
        watch.end()
    return took, early


def main(args):
    if len(args) < 3:
        sys.exit(__doc__)
    took, early = pings(args[0], int(args[1]), args[2:])
    took.sort()
    print(json.dumps({"bench": "ping", "pings": len(took),
                      "p50_ms": round(took[len(took) // 2] * 1e3, 1),
                      "longest_ms": round(took[-1] * 1e3, 1),
                      "within_pause": early,
                      "load": round(os.getloadavg()[0], 1)}))


if __name__ == "__main__":
    main(sys.argv[1:])
