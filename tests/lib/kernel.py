#!/usr/bin/python3
"""The running kernel's connection tracker, in network namespaces of our own.

`inject` sends frames into a veth pair; `router` forwards them between
interfaces that lead nowhere, and so tracks them.  A run is a verdict only if
it is whole: every frame was seen before tracking, and no event was lost on
the way to the listener; else LostError, and the caller runs it again.
"""
import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from frames import frame_of

# What `nft` counts, by the names of our own statistics.
CLASSES = {
    "new": "ct state new", "invalid": "ct state invalid",
    "untracked": "ct state untracked",
    "established": "ct state established ct direction original",
    "established_reply": "ct state established ct direction reply",
    "related": "ct state related ct direction original",
    "related_reply": "ct state related ct direction reply"}
BASE = {"checksum": 0, "acct": 1, "events": 1, "timestamp": 0}
BUFFER = 64 << 20
PIDFD_GETFD = 438	# the same number on all processors
SO_RCVBUFFORCE = 33


class LostError(Exception):
    """The run says nothing: it has to be repeated."""


@contextlib.contextmanager
def one_cpu():
    """Frames sent into a veth keep their order only from one processor."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def sysctl_name(key):
    """Our keys are the kernel's names without this prefix."""
    if key.startswith("ipfrag_"):
        return "net.ipv4." + key
    return "net.netfilter.nf_conntrack_" + key


def has_sysctl(key):
    return os.path.exists("/proc/sys/" + sysctl_name(key).replace(".", "/"))


class Listener:
    """A `conntrack -E` in a namespace; it has begun when this returns."""

    def __init__(self, netns, *args):
        self.lines = []
        self.child = subprocess.Popen(
            ["ip", "netns", "exec", netns, "stdbuf", "-oL", "conntrack",
             "-E"] + list(args), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(
            target=lambda: self.lines.extend(self.child.stdout))
        self.reader.start()
        try:
            for _ in range(2000):
                if self.socket():
                    self.enlarge()
                    return
                if self.child.poll() is not None:
                    break
                time.sleep(0.005)
            raise OSError("conntrack -E does not begin: " +
                          (self.child.stderr.read() if
                           self.child.poll() is not None else "no socket"))
        except BaseException:
            self.end()
            raise

    def socket(self):
        """(bytes that wait, messages dropped, inode) of its subscription."""
        mine = {name for name, _ in self.sockets()}
        try:
            with open("/proc/%d/net/netlink" % self.child.pid,
                      encoding="ascii") as f:
                rows = [line.split() for line in f][1:]
        except OSError:
            return None
        for row in rows:
            # sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
            name = "socket:[%s]" % row[9]
            if row[1] == "12" and int(row[3], 16) and name in mine:
                return int(row[4]), int(row[8]), name
        return None

    def sockets(self):
        """[(name, descriptor)] of what the listener has open."""
        fds = "/proc/%d/fd/" % self.child.pid
        try:
            return [(os.readlink(fds + fd), int(fd)) for fd in os.listdir(fds)]
        except OSError:
            return []

    def enlarge(self):
        """Room for all events of a run, should the listener not be let run:
        its own option for that reaches another socket than this one."""
        libc = ctypes.CDLL(None, use_errno=True)
        name = self.socket()[2]
        pid = os.pidfd_open(self.child.pid)
        fd = libc.syscall(PIDFD_GETFD, pid, dict(self.sockets())[name], 0)
        os.close(pid)
        if fd < 0:
            raise OSError("pidfd_getfd: errno %d" % ctypes.get_errno())
        with socket.socket(fileno=fd) as s:
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)

    def idle(self):
        with open("/proc/%d/stat" % self.child.pid, encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] == "S"

    def drain(self):
        """Wait until it has read and told all; what was lost then."""
        state, still = None, 0
        for _ in range(4000):
            state = self.socket()
            if not state:
                return 1
            still = still + 1 if not state[0] and self.idle() else 0
            if still == 4:
                return state[1]
            time.sleep(0.005)
        return 1

    def end(self):
        if self.child.poll() is None:
            # It flushes what it has when it ends.
            self.child.send_signal(signal.SIGINT)
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
        self.reader.join(20)
        said = self.child.stderr.read() if not self.child.stderr.closed else ""
        self.child.stdout.close()
        self.child.stderr.close()
        return "ENOBUFS" in said


class Run:
    """What the kernel made of some packets."""

    def __init__(self):
        self.table = self.events = self.times = self.stops = ()
        self.expects = None	# (lines of -L, of -E), with helpers
        self.classes = self.stats = None


class Kernel:
    """Two namespaces, from entering the `with` to leaving it."""

    def __init__(self, name, settings=None, helpers=False):
        self.inject = name + "i"
        self.router = name + "r"
        self.settings = dict(BASE, **(settings or {}))
        self.helpers = helpers

    def run(self, *cmd, text=None):
        r = subprocess.run(["ip", "netns", "exec", self.router] + list(cmd),
                           input=text, capture_output=True, text=True,
                           check=False)
        if r.returncode:
            raise OSError("%s: %s" % (" ".join(cmd), r.stderr.strip()))
        return r.stdout

    def __enter__(self):
        try:
            self.set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        remove(self.inject, self.router)

    def set_up(self):
        i, r = self.inject, self.router

        def ip(netns, *lines):
            args = ["ip"] + (["-n", netns] if netns else []) + ["-batch", "-"]
            p = subprocess.run(args, input="\n".join(lines) + "\n",
                               capture_output=True, text=True, check=False)
            if p.returncode:
                raise OSError("ip: %s" % p.stderr.strip())

        ip(None, "netns add " + i, "netns add " + r)
        subprocess.run(["ip", "netns", "exec", i, "sysctl", "-qw",
                        "net.ipv6.conf.all.disable_ipv6=1",
                        "net.ipv6.conf.default.disable_ipv6=1"], check=True)
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=1",
                 "net.ipv6.conf.all.forwarding=1",
                 "net.ipv4.conf.all.rp_filter=0",
                 "net.ipv4.conf.default.rp_filter=0",
                 "net.ipv6.conf.default.accept_dad=0",
                 "net.ipv6.conf.default.router_solicitations=0",
                 *("%s=%s" % (sysctl_name(k), v)
                   for k, v in self.settings.items()))
        ip(r, *("link add %s type veth peer name %s netns %s" % (a, b, i)
                for a, b in (("in", "tap"), ("out", "sink"))),
           "link set in address 02:00:00:00:00:02",
           "link set in mtu 65535 up", "link set out mtu 65535 up")
        ip(i, "link set tap mtu 65535 up", "link set sink mtu 65535 up")
        ip(r, "addr add 198.18.0.1/30 dev out",
           "addr add 2001:2::1/126 dev out nodad",
           "neigh add 198.18.0.2 lladdr 02:00:00:00:00:09 dev out",
           "neigh add 2001:2::2 lladdr 02:00:00:00:00:09 dev out",
           "route add default via 198.18.0.2",
           "route add default via 2001:2::2")
        self.rules()

    def rules(self):
        """Arms tracking, counts the classes, attaches the helper."""
        text = "table inet judge {\n"
        if self.helpers:
            text += ' ct helper ftp { type "ftp" protocol tcp; }\n'
        # Before fragments are collected, which is at -400.
        text += " chain first { type filter hook prerouting priority -450;\n" \
            '  iif in counter comment "seen"\n }\n' \
            " chain pre { type filter hook prerouting priority -150;\n"
        for name, rule in CLASSES.items():
            text += '  iif in %s counter comment "%s"\n' % (rule, name)
        if self.helpers:
            text += '  tcp dport 21 ct helper set "ftp"\n'
        self.run("nft", "-f", "-", text=text + " }\n}\n")

    def counters(self):
        out = {}
        rules = json.loads(self.run("nft", "-j", "list", "table", "inet",
                                    "judge"))
        for item in rules["nftables"]:
            rule = item.get("rule", {})
            for e in rule.get("expr", ()):
                if "counter" in e and "comment" in rule:
                    out[rule["comment"]] = e["counter"]["packets"]
        return out

    def statistics(self):
        """`conntrack -S`, summed over the processors."""
        out = {}
        for name, n in re.findall(r"([a-z_]+)=(\d+)",
                                  self.run("conntrack", "-S")):
            out[name] = out.get(name, 0) + int(n)
        return out

    @staticmethod
    def within(netns, make):
        """What make() makes inside a namespace."""
        libc = ctypes.CDLL(None, use_errno=True)
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/" + netns, os.O_RDONLY)
        try:
            if libc.setns(there, 0):
                raise OSError("setns")
            return make()
        finally:
            libc.setns(here, 0)
            os.close(here)
            os.close(there)

    def socket(self):
        """A packet socket on `tap`, made inside the other namespace."""
        def make():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind(("tap", 0))
            return s
        return self.within(self.inject, make)

    def send(self, packets, when):
        """Send; when: seconds from now of each, or None.  Times it took."""
        times = []
        start = time.time() + 0.2 if when else 0
        listed = 0
        with self.socket() as s, one_cpu():
            for i, p in enumerate(packets):
                # Listing makes the kernel collect what has expired.
                while when and time.time() < start + when[i]:
                    if time.time() - listed > 0.4:
                        self.run("conntrack", "-L", "-o", "extended")
                        listed = time.time()
                    time.sleep(0.002)
                now = time.time()
                s.send(frame_of(p))
                times.append(max([now] + times[-1:]))
                if not when and i % 64 == 63:
                    time.sleep(0.001)
        return times

    def track(self, packets, when=None):
        """A Run of these packets; LostError if it must be repeated."""
        out = Run()
        ears = [Listener(self.router, "-o", "extended")]
        try:
            if self.helpers:
                ears.append(Listener(self.router, "expect"))
            if when:
                ears.append(Listener(self.router, "-e", "DESTROY", "-o",
                                     "xml,ktimestamp"))
            out.times = self.send(packets, when)
            count = self.counters()
            out.table = self.run("conntrack", "-L", "-o",
                                 "extended").splitlines()
            if self.helpers:
                out.expects = self.run("conntrack", "-L",
                                       "expect").splitlines()
            out.stats = self.statistics()
            lost = sum(e.drain() for e in ears)
        finally:
            enobufs = sum([e.end() for e in ears])
        seen = count.pop("seen")
        if lost or enobufs:
            raise LostError("the listener lost %d events" % lost)
        if seen != len(packets):
            raise LostError("%d of %d frames reached the tracker" %
                            (seen, len(packets)))
        out.events = ears[0].lines
        out.classes = count
        out.stops = ears[-1].lines if when else ()
        if self.helpers:
            out.expects = (out.expects, ears[1].lines)
        return out


def remove(*names):
    for netns in names:
        subprocess.run(["ip", "netns", "del", netns], check=False,
                       stderr=subprocess.DEVNULL)


def leftovers(prefix):
    """Namespaces of ours that somebody did not remove."""
    return [n for n in os.listdir("/run/netns") if n.startswith(prefix)] \
        if os.path.isdir("/run/netns") else []
