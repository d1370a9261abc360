#!/usr/bin/python3
"""Short connections over two sources, a direction each, in which packets of
the two directions that follow each other change places: each such pair, each
two pairs, and one direction late by some packets.  Each must end as it does in
order: state, direction, ASSURED, counters.

  swaps.py files DIR      DIR/0.pcap and DIR/1.pcap; prints how many frames
  swaps.py send IF0 IF1   the same into two interfaces, from one process
  swaps.py check < JSONL  compares a list of them; prints how many there are
"""
import json
import os
import random
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import damage                           # noqa: E402
import talks                            # noqa: E402
from frames import ACK, FIN, PSH, RST, SYN  # noqa: E402

C, S = 0, 1
OPEN = ((C, SYN), (S, SYN | ACK), (C, ACK))
DATA = ((C, PSH | ACK, 80), (S, ACK), (S, PSH | ACK, 300), (C, ACK))
F, A, R, P = FIN | ACK, ACK, RST | ACK, PSH | ACK
SHAPES = {
    "client ends": OPEN + DATA + ((C, F), (S, A), (S, F), (C, A)),
    "server ends": OPEN + DATA + ((S, F), (C, A), (C, F), (S, A)),
    "both at once": OPEN + DATA + ((C, F), (S, F), (C, A)),
    "with data": OPEN + DATA + ((C, FIN | P, 50), (S, FIN | P, 70), (C, A)),
    "no data": OPEN + ((C, F), (S, F), (C, A)),
    "no data, server": OPEN + ((S, F), (C, F), (S, A)),
    "server speaks": OPEN + ((S, P, 30), (C, P, 10), (S, P, 30), (C, F),
                             (S, F), (C, A)),
    "half closed": OPEN + DATA + ((C, F), (S, A), (S, P, 900), (C, A)),
    "stays open": OPEN + DATA + DATA,
    "answer at once": OPEN[:2] + ((C, P, 100), (S, P, 500), (C, A)),
    "client resets": OPEN + DATA + ((C, R),),
    "server resets": OPEN + DATA + ((S, R),),
    "reset without ACK": OPEN + DATA + ((C, RST),),
    "reset behind FIN": OPEN + DATA + ((C, F), (S, A), (S, P, 40), (C, RST)),
    "reset at once": OPEN + ((S, R),),
    "refused": ((C, SYN), (S, R)),
    "scan": ((C, SYN), (S, SYN | ACK), (C, RST)),
}


def swapped(frames, at):
    """`at`: places, or a direction and by how many places it is late."""
    out = list(frames)
    if isinstance(at, tuple) and at and at[0] == "late":
        order = sorted(range(len(out)), key=lambda k: (
            k + at[2] + 0.5 if out[k].dir == at[1] else k))
        return [out[k].copy(t=f.t) for k, f in zip(order, out)]
    for k in at:
        a, b = out[k], out[k + 1]
        out[k], out[k + 1] = b.copy(t=a.t), a.copy(t=b.t)
    return out


def variants(frames):
    """Where to swap: nowhere, at one place, at two."""
    one = [k for k in range(len(frames) - 1)
           if frames[k].dir != frames[k + 1].dir]
    return [()] + [(k,) for k in one] + \
        [(k, j) for k in one for j in one if j > k + 1] + \
        [("late", way, n) for way in (C, S) for n in (1, 2, 3, 4)]


def connections():
    """(name, where, port, frames)"""
    port, t = 40000, 1000.0
    for name, steps in SHAPES.items():
        k = 0
        while True:
            rnd = random.Random(7)
            talk = talks.Talk(rnd, talks.Net(rnd, 1), "fin", t)
            talk.port = [port, 443]
            if name == "refused":
                talk.seq[S] = 0
            for step in steps:
                talk.send(*step[:2], *step[2:], after=0.0002)
            every = variants(talk.frames)
            yield name, every[k], port, swapped(talk.frames, every[k])
            port, t, k = port + 1, t + 0.005, k + 1
            if k == len(every):
                break


def all_frames():
    return [f for c in connections() for f in c[3]]


def send(names):
    out = []
    for name in names:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind((name, 0))
        out.append(s)
    for f in all_frames():
        out[f.dir].send(f.data + bytes(f.len - len(f.data)))


def brief(row):
    # what ended by an RST before its handshake was seen to end is not ASSURED
    return [row["state"], row["detail"]["direction"],
            "ASSURED" in row["status"] or row["state"] == "CLOSE"] + \
        [row[d][k] for d in ("original", "reply") for k in ("packets", "bytes")]


def early_refusal(name, frames):
    """In order a refused connection is gone at once.  A refusal that comes
    first is counted with no connection, and that one stays for a moment."""
    if name == "refused" and frames[0].flags & RST:
        return ["CLOSE", "syn", True, 1, 64, 0, 0]
    return None


def check():
    got = {}
    for row in map(json.loads, sys.stdin):
        got[row["original"]["sport"]] = brief(row)
        if row["original"]["dport"] != 443:
            sys.exit("turned: %s" % row)
    n = bad = 0
    for name, at, port, frames in connections():
        if not at:
            usual = got.get(port)
            bad += (name != "refused") != bool(usual)
        want = early_refusal(name, frames) or usual
        n += 1
        if got.get(port) != want:
            bad += 1
            print("%s, swapped at %s: %s, in order %s" % (
                name, at, got.get(port), want), file=sys.stderr)
    print(n)
    sys.exit(bool(bad))


def main(args):
    if len(args) == 2 and args[0] == "files":
        for way in (C, S):
            damage.write(os.path.join(args[1], "%d.pcap" % way),
                         [f for f in all_frames() if f.dir == way])
        print(len(all_frames()))
    elif len(args) == 3 and args[0] == "send":
        send(args[1:])
    elif args == ["check"]:
        check()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
