#!/usr/bin/python3
"""Send a living daemon's api what no client should.

	fuzz_api.py RUNDIR [--frames N] [--seconds S] [--seed N]

Requests of the corpus, spliced and damaged, whole or in pieces, over many
connections to both sockets: some greet and some do not, some never read, some
stay in the middle of a frame.
Afterwards, and now and then between, an honest client is answered, by the same
process as before, and the memory of that process has not grown without bound.
Prints one line of figures; exit 1 and why when something is wrong.
"""
import argparse
import glob
import os
import random
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BUILD", os.path.join(HERE, "..", "build"))
HELLO = b"\x08\x01\x12\x02\x08\x01"
RSS_MORE = 128 << 10  # KiB


def seeds():
    got = []
    for path in sorted(glob.glob(HERE + "/fuzz/corpus/frame/ask-*")):
        with open(path, "rb") as f:
            got.append(f.read()[4:])
    if len(got) < 10:
        sys.exit("there is no corpus")
    return got


def damage(rnd, body, others):
    b = bytearray(body)
    for _ in range(rnd.choice((0, 1, 1, 2, 4, 16))):
        at = rnd.randrange(len(b) + 1)
        how = rnd.randrange(7)
        if how == 0 and b:
            b[at % len(b)] ^= 1 << rnd.randrange(8)
        elif how == 1 and b:
            b[at % len(b)] = rnd.choice((0, 1, 0x7f, 0x80, 0xff))
        elif how == 2:
            b[at:at] = rnd.randbytes(rnd.randrange(1, 20))
        elif how == 3:
            del b[at:at + rnd.randrange(1, 9)]
        elif how == 4:
            o = rnd.choice(others)
            b[at:at] = o[rnd.randrange(len(o)):]
        elif how == 5:  # deep or long
            b[at:at] = bytes((rnd.randrange(8, 140),
                              rnd.randrange(128))) * rnd.randrange(1, 400)
        else:
            b[at:at] = b"\xff" * 9 + b"\x01"
    return bytes(b[:66000])


def framed(rnd, body):
    n = len(body)
    how = rnd.randrange(60)
    if how == 0:
        n = rnd.getrandbits(32)
    elif how == 1:
        n += rnd.randrange(-3, 4)
    return struct.pack(">I", n & 0xffffffff) + body


class Client:
    def __init__(self, rnd, path):
        self.rnd, self.closed, self.heard = rnd, False, 0
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(path)
        self.s.settimeout(5)
        self.reads = rnd.randrange(10) != 0
        if rnd.randrange(8):
            self.send(struct.pack(">I", len(HELLO)) + HELLO)

    def send(self, data):
        self.s.setblocking(False)
        try:
            if self.rnd.randrange(20) == 0:
                data = data[:self.rnd.randrange(len(data) + 1)]
            self.s.send(data)
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True

    def read(self):
        if not self.reads:
            return
        try:
            while True:
                data = self.s.recv(1 << 18)
                self.heard += len(data)
                if not data:
                    self.closed = True
                    return
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True


def api_pid(rundir):
    with open(rundir + "/pid") as f:
        boss = f.read().strip()
    out = subprocess.run(["pgrep", "-P", boss, "-f", "^ctshardd: api$"],
                         capture_output=True, text=True).stdout.split()
    return int(out[0]) if out else 0


def rss(pid):
    with open("/proc/%d/statm" % pid) as f:
        fields = f.read().split()
    # what is shared is the table and the log
    return (int(fields[1]) - int(fields[2])) * 4


def honest(rundir):
    r = subprocess.run([BUILD + "/ctctl", "-R", rundir, "count"],
                       capture_output=True, text=True, timeout=60)
    return r.returncode == 0 and r.stdout.strip().isdigit()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("rundir")
    p.add_argument("--frames", type=int, default=0)
    p.add_argument("--seconds", type=float, default=0)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    rnd = random.Random(a.seed)
    corpus = [s for s in seeds()]
    end = time.monotonic() + a.seconds if a.seconds else float("inf")
    limit = a.frames or float("inf")
    pid, frames, conns, heard, most = api_pid(a.rundir), 0, 0, 0, 0
    first = rss(pid)
    clients = []
    while frames < limit and time.monotonic() < end:
        if len(clients) < 24 or rnd.randrange(40) == 0:
            path = rnd.choice(("api.sock", "control.sock"))
            try:
                clients.append(Client(rnd, a.rundir + "/" + path))
                conns += 1
            except OSError:
                pass
        if len(clients) > 32:
            clients.pop(rnd.randrange(len(clients))).s.close()
        for c in list(clients):
            body = damage(rnd, rnd.choice(corpus), corpus)
            c.send(framed(rnd, body))
            frames += 1
            before = c.heard
            c.read()
            heard += c.heard - before
            if c.closed:
                c.s.close()
                clients.remove(c)
        if frames // 4000 != (frames - len(clients)) // 4000:
            most = max(most, rss(pid) if os.path.exists("/proc/%d" % pid)
                       else 0)
            if api_pid(a.rundir) != pid:
                sys.exit("the api is another process after %d frames" % frames)
            if not honest(a.rundir):
                sys.exit("an honest client is not answered after %d frames"
                         % frames)
    for c in clients:
        c.s.close()
    if api_pid(a.rundir) != pid or not honest(a.rundir):
        sys.exit("the api did not survive %d frames" % frames)
    most = max(most, rss(pid))
    if most > first + RSS_MORE:
        sys.exit("the api grew from %d to %d KiB" % (first, most))
    print("%d frames over %d connections, %d bytes of answers, api %d -> %d "
          "KiB at most" % (frames, conns, heard, first, most))


main()
