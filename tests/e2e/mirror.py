#!/usr/bin/python3
"""One conversation, a direction a source, its SYN/ACK before its SYN.

  mirror.py files DIR       DIR/0.pcap and DIR/1.pcap
  mirror.py send IF0 IF1    the same into two interfaces, from one process
  mirror.py lost SHARE OUT  conversations of which a mirror shows one in SHARE
  mirror.py fibres DIR      conversations, a direction a source; the one of the
                            answers loses a packet in 20
  mirror.py resent OUT      one of which the net lost much before the mirror, so
                            that it was sent again: the mirror shows all
  mirror.py alone OUT       20 conversations and 10 streams of UDP of which one
                            side is seen, then 3000 SYNs of others
  mirror.py ends DIR        conversations at both ends of a path, a capture each:
                            in the second behind a hop, and half in a VLAN
  mirror.py back OUT        one whose clock goes back by an hour
  mirror.py vlans OUT       one with another VLAN for each direction
  mirror.py count FILE      how many frames there are
  mirror.py raw             a datagram, again and again for a minute, to where a
                            VXLAN-GPE device of port 4790 takes it out
"""
import os
import random
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
import damage                           # noqa: E402
import talks                            # noqa: E402
from frames import ACK, SYN, UDP        # noqa: E402


def conversation():
    rnd = random.Random(5)
    talk = talks.Talk(rnd, talks.Net(rnd, 1), "fin", 1000.0)
    talk.port = [40000, 443]
    talk.run()
    frames = talk.frames
    # the answer's source is the faster one
    frames[1].t = frames[0].t - 0.0002
    return sorted(frames, key=lambda f: f.t)


def send(names):
    out = []
    for name in names:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind((name, 0))
        out.append(s)
    for f in conversation():
        # to be captured in this order, whatever the block that they are in
        out[f.dir].send(f.data + bytes(min(f.len, 1400) - len(f.data)))


def fibres():
    frames, _ = talks.talks(1, 300)
    asks, answers = (damage.one_way(frames, way) for way in (0, 1))
    return [f for f in asks if f.talk], \
        damage.lose([f for f in answers if f.talk], 0.05, 1)


def resent():
    """Of each four segments the net loses the second; the client acknowledges
    what it has until that one comes again."""
    rnd = random.Random(5)
    talk = talks.Talk(rnd, talks.Net(rnd, 1), "open", 1000.0)
    talk.handshake()
    for _ in range(100):
        talk.send(1, ACK, 1000, 0.0001)
        missed = talk.seq[1]
        talk.seq[1] += 1000
        for _ in range(2):
            talk.send(1, ACK, 1000, 0.0001)
            talk.ack[0] = missed
            talk.send(0, ACK)
        talk.send(1, ACK, 1000, None, missed)
        talk.ack[0] = talk.seq[1]
        talk.send(0, ACK)
    return talk.frames


def ends():
    frames, _ = talks.talks(1, 300)
    here = set(map(id, frames))
    return frames, [f for f in damage.double(frames, 1, 1)
                    if id(f) not in here]


def alone():
    """One side; it acknowledges what is not seen, or goes on for seconds."""
    out, rnd = [], random.Random(5)
    for k in range(20):
        talk = talks.Talk(rnd, talks.Net(rnd, 1 + k), "open", 1000.0 + k / 100)
        talk.run()
        out += [f for f in talk.frames if f.dir == 0]
    for k in range(10):
        net = talks.Net(rnd, 100 + k)
        head = struct.pack("!HHHH", 5000 + k, 9999, 28, 0)
        out += [net.frame(1000 + n, 0, UDP, head, 28) for n in range(4)]
    for k in range(3000):
        talk = talks.Talk(rnd, talks.Net(rnd, 200 + k), "open",
                          1010.0 + k / 1000)
        talk.port[1] = 7
        talk.send(0, SYN)
        out += talk.frames
    return sorted(out, key=lambda f: f.t)


def raw():
    """VXLAN-GPE with IPv4 inside, to the device that takes it out."""
    head = bytes.fromhex("0c00000100000100")
    datagram = bytes.fromhex(
        "4500001c000000004011f6cdc0000201c000020204d2003500080000")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(6000):
            s.sendto(head + datagram, ("127.0.0.1", 4790))
            time.sleep(0.01)


def main(args):
    if len(args) == 2 and args[0] == "files":
        for way in (0, 1):
            damage.write(os.path.join(args[1], "%d.pcap" % way),
                         [f for f in conversation() if f.dir == way])
        print(len(conversation()))
    elif len(args) == 3 and args[0] == "send":
        send(args[1:])
    elif len(args) == 3 and args[0] == "lost":
        frames, _ = talks.talks(1, 300)
        frames = damage.lose(frames, 1 - 1 / float(args[1]), 1)
        damage.write(args[2], frames)
        print(len(frames))
    elif len(args) == 2 and args[0] == "fibres":
        for way, frames in enumerate(fibres()):
            damage.write(os.path.join(args[1], "%d.pcap" % way), frames)
        print(sum(map(len, fibres())))
    elif len(args) == 2 and args[0] == "resent":
        damage.write(args[1], resent())
        print(len(resent()))
    elif len(args) == 2 and args[0] == "ends":
        for n, frames in enumerate(ends()):
            damage.write(os.path.join(args[1], "%d.pcap" % n), frames)
        print(len(ends()[0]))
    elif len(args) == 2 and args[0] == "alone":
        damage.write(args[1], alone())
        print(len(alone()))
    elif len(args) == 2 and args[0] == "back":
        frames = conversation()
        for f in frames[-4:]:
            f.t -= 3600
        damage.write(args[1], [f.copy(t=f.t + 4000) for f in frames])
        print(len(frames))
    elif len(args) == 2 and args[0] == "vlans":
        frames = conversation()
        damage.write(args[1], [f.copy(
            data=f.data[:12] + struct.pack("!HH", 0x8100, 10 + 10 * f.dir) +
            f.data[12:], len=f.len + 4) for f in frames])
        print(len(frames))
    elif len(args) == 2 and args[0] == "count":
        print(len(damage.read(args[1])))
    elif args == ["raw"]:
        raw()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
