#!/usr/bin/python3
"""Requests to all of a network, sent by a socket of the running kernel.

NetBIOS names and SNMP: the kernel expects answers only to a broadcast of its
own, so here one of the two namespaces asks with a socket, and the other one
answers with frames: hosts of its network and others, from the right port and
from a wrong one, more than one of them, and before anybody asked.
"""
import ipaddress
import random
import socket
import struct
import subprocess
import time

from frames import checksum
from helper_kernel import HELPERS
from helper_sequences import GET_REQUEST, NAME_QUERY
from kernel import CLASSES, Kernel, Listener, LostError, one_cpu

MAC = bytes.fromhex("020000000003")	# of everybody who answers
ASKER = bytes.fromhex("020000000004")
PACKET_OUTGOING = 4
# seconds; the shortest of the timeouts is three
QUICK = 2
# name: port of the helper
PORTS = {"netbios-ns-local": 137, "snmp-local": 161}
REQUEST = {137: NAME_QUERY, 161: GET_REQUEST}


class Plan:
    """Who asks and answers what, by a seed."""

    def __init__(self, kind, seed, asks):
        rnd = self.rnd = random.Random("%s:%s" % (kind, seed))
        self.port = PORTS[kind]
        self.prefix = rnd.choice((20, 23, 24, 25, 28))
        net = ipaddress.ip_network("10.%d.%d.%d/%d" % (
            rnd.randrange(256), rnd.randrange(256), rnd.randrange(256),
            self.prefix), strict=False)
        hosts = [net[1 + i] for i in rnd.sample(range(14), 6)]
        self.me, self.broadcast = str(hosts[0]), str(net.broadcast_address)
        self.near = [str(h) for h in hosts[1:]]
        self.far = ["192.0.2.1", str(net.broadcast_address + 1)]
        self.steps = []
        ports = rnd.sample(range(1024, 60000), asks)
        for p in ports:
            self.one(p, rnd.choice(ports))

    def one(self, mine, other):
        rnd, theirs = self.rnd, self.port
        ask = ("ask", mine, self.broadcast, theirs)
        if rnd.random() < 0.15:	# not to all of them
            ask = ("ask", mine, self.near[0], theirs)
        # Asked only once: within microseconds this kernel makes a second
        # request's expectation anew at one time, and at another not.
        steps = [ask]
        for _ in range(rnd.randrange(4)):
            who = rnd.choice(self.near * 2 + self.far)
            source = theirs if rnd.random() < 0.8 else theirs + 1
            steps.append(("answer", who, source,
                          mine if rnd.random() < 0.85 else other))
            if who in self.near and rnd.random() < 0.4:
                steps.append(("ask", steps[-1][3], who, source))
        if rnd.random() < 0.1:
            steps[0], steps[-1] = steps[-1], steps[0]
        self.steps += steps


def frame(src, dst, sport, dport, data):
    udp = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    ends = socket.inet_aton(src) + socket.inet_aton(dst)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
    head = head[:10] + struct.pack("!H", checksum(head + ends)) + ends
    return ASKER + MAC + b"\x08\0" + head + udp


class Asker(Kernel):
    """`router` is the host that asks; `inject` all of its network."""

    def __init__(self, name, plan):
        super().__init__(name)
        self.plan = plan

    def set_up(self):
        r, i, plan = self.router, self.inject, self.plan

        def do(*cmd):
            p = subprocess.run(cmd, capture_output=True, text=True,
                               check=False)
            if p.returncode:
                raise OSError("%s: %s" % (" ".join(cmd), p.stderr.strip()))

        for n in (i, r):
            do("ip", "netns", "add", n)
            do("ip", "netns", "exec", n, "sysctl", "-qw",
               "net.ipv6.conf.all.disable_ipv6=1",
               "net.ipv6.conf.default.disable_ipv6=1")
        self.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0",
                 "net.ipv4.conf.default.rp_filter=0",
                 "net.netfilter.nf_conntrack_acct=1",
                 "net.netfilter.nf_conntrack_events=1",
                 "net.netfilter.nf_conntrack_timestamp=0")
        self.run("ip", "link", "add", "in", "type", "veth", "peer", "name",
                 "tap", "netns", i)
        do("ip", "-n", i, "link", "set", "tap", "up")
        for cmd in ("link set in address " + ASKER.hex(":"),
                    "link set lo up", "link set in up",
                    "addr add %s/%d broadcast %s dev in" % (
                        plan.me, plan.prefix, plan.broadcast),
                    "route add default dev in"):
            self.run("ip", *cmd.split())
        for a in plan.near:
            self.run("ip", "neigh", "add", a, "lladdr", MAC.hex(":"), "dev",
                     "in")
        self.rules()

    def rules(self):
        text = "table inet judge {\n"
        for name, proto, port, _ in HELPERS:
            if port == self.plan.port:
                text += ' ct helper it { type "%s" protocol %s; ' \
                    'l3proto ip; }\n' % (name, proto)
        text += " chain pre { type filter hook prerouting priority -150;\n" \
            '  iif in ip saddr != %s counter comment "seen"\n' % self.plan.me
        # What goes to all comes back to the host itself, too.
        for name, rule in CLASSES.items():
            text += '  iif in ip saddr != %s %s counter comment "%s"\n' % (
                self.plan.me, rule, name)
        mine = '  udp dport %d ct helper set "it"\n }\n' % self.plan.port
        text += mine + " chain out { type filter hook output priority -150;" \
            "\n" + mine + "}\n"
        self.run("nft", "-f", "-", text=text)

    def inside(self, port):
        """A socket of the asking host."""
        s = self.within(self.router, lambda: socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.bind((self.plan.me, port))
        return s

    def outside(self):
        """One that also sees what comes out."""
        def make():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                              socket.htons(3))
            s.bind(("tap", 3))
            return s
        return self.within(self.inject, make)

    def talk(self):
        """The frames of all steps, and their times."""
        frames, times, sockets = [], [], {}
        for step in self.plan.steps:	# nobody is told that a port is shut
            port = step[3] if step[0] == "answer" else step[1]
            if port not in sockets:
                sockets[port] = self.inside(port)
        data = REQUEST[self.plan.port]
        try:
            with self.outside() as tap, one_cpu():
                tap.settimeout(5)
                for step in self.plan.steps:
                    if step[0] == "ask":
                        sockets[step[1]].sendto(data, step[2:])
                    else:
                        frames.append(frame(
                            step[1], self.plan.me, step[2], step[3],
                            b"\x12\x34\x85" + bytes(47)))
                        times.append(time.time())
                        tap.send(frames[-1])
                        continue
                    while True:	# what the kernel sent of its own accord
                        got, where = tap.recvfrom(2048)
                        if where[2] != PACKET_OUTGOING and \
                                got[12:14] == b"\x08\0":
                            break
                    frames.append(got)
                    times.append(time.time())
        finally:
            for s in sockets.values():
                s.close()
        return frames, times

    def judge(self):
        """(a Run with `expect_events` and `expect`, frames, times)."""
        out = type("Run", (), {})()
        ears = [Listener(self.router, "-o", "extended"),
                Listener(self.router, "expect")]
        try:
            frames, times = self.talk()
            want = sum(s[0] == "answer" for s in self.plan.steps)
            for _ in range(2000):
                out.classes = self.counters()
                if out.classes["seen"] >= want:
                    break
                time.sleep(0.005)
            out.table = self.run("conntrack", "-L", "-o",
                                 "extended").splitlines()
            out.expect = self.run("conntrack", "-L", "expect").splitlines()
            lost = sum(e.drain() for e in ears)
        except socket.timeout as e:
            raise LostError("no frame came out of the host") from e
        finally:
            enobufs = sum([e.end() for e in ears])
        if time.time() - times[0] > QUICK:
            raise LostError("a request may have expired before it was listed")
        if lost or enobufs:
            raise LostError("the listener lost events")
        if out.classes["seen"] != want:
            raise LostError("%d of %d answers arrived" % (
                out.classes["seen"], want))
        out.events = ears[0].lines
        out.expect_events = [" ".join(x.split()) for x in ears[1].lines]
        return out, frames, times


def ask(kind, seed, asks, name, tries=8):
    """(plan, run, frames, times), repeated as often as a run says nothing."""
    plan = Plan(kind, seed, asks)
    for i in range(tries):
        try:
            with Asker(name, plan) as k:
                return (plan,) + k.judge()
        except LostError:
            if i == tries - 1:
                raise
    return None
