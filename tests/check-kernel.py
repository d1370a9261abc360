#!/usr/bin/python3
"""The same packets through the running kernel's tracker and through ours.

	tests/check-kernel.py [-v] [SCENARIO...]

Needs root, conntrack(8), nft(8) and a kernel with connection tracking; exits
77 with the reason where one is missing.  Works in two network namespaces of
its own: `inject` sends each frame into a veth pair, `router` forwards it
between interfaces that lead nowhere, and so tracks it.  Compared are each line
of the table (timeouts within 3 s), the sequence of events of each connection,
and the number of packets of each class.  Ends with `N passed, N failed`, one
for each scenario.

Random scenarios take a seed, so a failure can be repeated: tcp:7.  All frames
of a connection are sent in one go, so rules that depend on seconds are not
touched; tests with a clock of their own cover those.
"""
import collections
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
CTCTL = os.path.join(BUILD, "ctctl")
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from frames import Pair, frame_of, packets_of  # noqa: E402

HAVE_HELPERS = os.path.exists(os.path.join(ROOT, "daemon/helper/ftp.c"))


# -- scenarios ----------------------------------------------------------------
DEFAULT = ["demo"] + ["%s%s:%d" % (k, v, s) for k, v, n in (
    ("tcp", "", 4), ("tcp", "6", 2), ("udp", "", 1), ("udp", "6", 1),
    ("icmp", "", 1), ("icmp", "6", 1), ("error", "", 1), ("error", "6", 1),
    ("other", "", 1), ("sctp", "", 2)) for s in range(1, n + 1)]


def read_demo():
    """The demonstration capture's IP packets, tags taken off."""
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run([os.path.join(BUILD, "tests/lib/mkdemo"), f.name],
                       check=True)
        data = f.read()
    at = 24
    out = []
    while at < len(data):
        n = struct.unpack_from("=I", data, at + 8)[0]
        frame = data[at + 16:at + 16 + n]
        out.append(frame[18 if frame[12:14] == b"\x81\0" else 14:])
        at += 16 + n
    return out


# -- the kernel ---------------------------------------------------------------
class Kernel:
    """Two namespaces, from entering the `with` to leaving it."""

    def __init__(self):
        self.inject = "cts-i%d" % os.getpid()
        self.router = "cts-r%d" % os.getpid()

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
        for ns in (self.inject, self.router):
            subprocess.run(["ip", "netns", "del", ns], check=False,
                           stderr=subprocess.DEVNULL)

    def set_up(self):
        i, r = self.inject, self.router

        def ip(line):
            p = subprocess.run(["ip"] + line.split(), capture_output=True,
                               text=True, check=False)
            if p.returncode:
                raise OSError("ip %s: %s" % (line, p.stderr.strip()))

        ip("netns add " + i)
        ip("netns add " + r)
        subprocess.run(["ip", "netns", "exec", i, "sysctl", "-qw",
                        "net.ipv6.conf.all.disable_ipv6=1",
                        "net.ipv6.conf.default.disable_ipv6=1"], check=True)
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=1",
                 "net.ipv6.conf.all.forwarding=1",
                 "net.ipv4.conf.all.rp_filter=0",
                 "net.ipv4.conf.default.rp_filter=0",
                 "net.ipv6.conf.default.accept_dad=0",
                 "net.ipv6.conf.default.router_solicitations=0")
        for mine, theirs in (("in", "tap"), ("out", "sink")):
            ip("-n %s link add %s type veth peer name %s netns %s" %
               (r, mine, theirs, i))
        ip("-n %s link set in address 02:00:00:00:00:02" % r)
        for ns, link in ((r, "in"), (r, "out"), (i, "tap"), (i, "sink")):
            ip("-n %s link set %s mtu 65535 up" % (ns, link))
        ip("-n %s addr add 198.18.0.1/30 dev out" % r)
        ip("-n %s addr add 2001:2::1/126 dev out nodad" % r)
        for via in ("198.18.0.2", "2001:2::2"):
            ip("-n %s neigh add %s lladdr 02:00:00:00:00:09 dev out" %
               (r, via))
        ip("-n %s route add default via 198.18.0.2" % r)
        ip("-n %s -6 route add default via 2001:2::2" % r)
        self.rules()
        self.run("sysctl", "-qw", "net.netfilter.nf_conntrack_checksum=0",
                 "net.netfilter.nf_conntrack_acct=1",
                 "net.netfilter.nf_conntrack_events=1",
                 "net.netfilter.nf_conntrack_timestamp=0")

    def rules(self):
        """Arms tracking, counts the classes, attaches the helper."""
        text = "table inet judge {\n"
        if HAVE_HELPERS:
            text += ' ct helper ftp { type "ftp" protocol tcp; }\n'
        text += " chain pre { type filter hook prerouting priority -150;\n"
        for name, rule in CLASSES.items():
            text += '  iif in %s counter comment "%s"\n' % (rule, name)
        if HAVE_HELPERS:
            text += '  tcp dport 21 ct helper set "ftp"\n'
        self.run("nft", "-f", "-", text=text + " }\n}\n")

    def classes(self):
        out = {}
        rules = json.loads(self.run("nft", "-j", "list", "table", "inet",
                                    "judge"))
        for item in rules["nftables"]:
            rule = item.get("rule", {})
            for e in rule.get("expr", ()):
                if "counter" in e and "comment" in rule:
                    out[rule["comment"]] = e["counter"]["packets"]
        return out

    def socket(self):
        """A packet socket on `tap`, made inside the other namespace."""
        libc = __import__("ctypes").CDLL(None, use_errno=True)
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/" + self.inject, os.O_RDONLY)
        try:
            if libc.setns(there, 0):
                raise OSError("setns")
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind(("tap", 0))
        finally:
            libc.setns(here, 0)
            os.close(here)
            os.close(there)
        return s

    def track(self, packets):
        """(table, events) as conntrack(8) prints them, and the classes."""
        events = []
        watch = subprocess.Popen(
            ["ip", "netns", "exec", self.router, "stdbuf", "-oL", "conntrack",
             "-E", "-b", "16777216", "-o", "extended,id"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        reader = threading.Thread(target=lambda: events.extend(watch.stdout))
        reader.start()
        try:
            # Nobody tells when it listens; an event of a probe does.
            with self.socket() as s:
                for i in range(200):
                    s.send(frame_of(Pair(50000 + i).ip(0, 254, b"")))
                    time.sleep(0.05)
                    if events:
                        break
                # The listener must keep up: what it misses is no verdict.
                for i, p in enumerate(packets):
                    s.send(frame_of(p))
                    if i % 16 == 15:
                        time.sleep(0.001)
            time.sleep(1)
            table = "".join(self.run("conntrack", "-L", "-f", f, "-o",
                                     "extended,id") for f in ("ipv4", "ipv6"))
            seen = self.classes()
        finally:
            # It flushes what it has when it ends.
            watch.send_signal(signal.SIGINT)
            try:
                watch.wait(5)
            except subprocess.TimeoutExpired:
                watch.kill()
            reader.join(5)
            lost = "ENOBUFS" in watch.stderr.read()
            watch.stderr.close()
        if lost:
            raise OSError("conntrack -E lost events; nothing to compare")
        return table.splitlines(), events, seen


CLASSES = {
    "new": "ct state new", "invalid": "ct state invalid",
    "untracked": "ct state untracked",
    "established": "ct state established ct direction original",
    "established_reply": "ct state established ct direction reply",
    "related": "ct state related ct direction original",
    "related_reply": "ct state related ct direction reply"}


# -- ours, and the comparison ---------------------------------------------------
def write_pcap(path, packets):
    with open(path, "wb") as f:
        f.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, p in enumerate(packets):
            us = 1700000000 * 1000000 + i * 100
            frame = frame_of(p)
            f.write(struct.pack("=IIII", us // 1000000, us % 1000000,
                                len(frame), len(frame)) + frame)


def ours(packets):
    with tempfile.TemporaryDirectory(prefix="ctshardd-kernel.") as d:
        capture, table, events, stats = (os.path.join(d, n) for n in (
            "capture", "table", "events", "stats"))
        write_pcap(capture, packets)
        r = subprocess.run(
            [CTCTL, "replay", "--workers", "2", "--table", table, "--events",
             events, "--stats", stats, "-o", "extended,id", capture],
            capture_output=True, text=True, check=False)
        if r.returncode:
            raise OSError("replay: exit %d: %s" % (r.returncode, r.stderr))
        with open(table) as t, open(events) as e, open(stats) as s:
            return t.read().splitlines(), e.read().splitlines(), \
                json.load(s)["packets"]


def parts(line):
    """(connection, the line without what may differ, timeout)"""
    line = re.sub(r"( use=\d+)?( id=\d+)?$", "", " ".join(line.split()), 1)
    m = re.match(r"((?:\[\w+\] )?ipv[46] \d+ \S+ \d+) (\d+ )?(.*)", line)
    if not m:
        return line, line, 0
    tuple_ = re.search(r"src=\S+ dst=\S+(?: (?!src=)(?!packets=)[a-z]+=\S+)*",
                       m.group(3))
    key = re.sub(r"^\[\w+\] ", "", m.group(1)) + " " + tuple_.group(0)
    return key, m.group(1) + " " + m.group(3), int(m.group(2) or 0)


def compare(kernel, mine):
    """Texts that say what differs."""
    out = []
    tables = []
    for lines in (kernel[0], mine[0]):
        tables.append({k: (text, t) for k, text, t in map(parts, lines)
                       if " unknown 254 " not in text})
    for k in sorted(set(tables[0]) | set(tables[1])):
        a, b = (t.get(k, ("none", 0)) for t in tables)
        if a[0] != b[0] or abs(a[1] - b[1]) > 3:
            out.append("table\n  kernel %d %s\n  ours   %d %s" %
                       (a[1], a[0], b[1], b[0]))
    told = []
    for lines in (kernel[1], mine[1]):
        seqs = collections.defaultdict(list)
        for line in lines:
            k, text, _ = parts(line)
            if " unknown 254 " not in text and "src=" in text:
                seqs[k].append(text)
        told.append(seqs)
    for k in sorted(set(told[0]) | set(told[1])):
        if told[0].get(k) != told[1].get(k):
            out.append("events of %s\n  kernel %s\n  ours   %s" % (
                k, "\n         ".join(told[0].get(k, [])),
                "\n         ".join(told[1].get(k, []))))
    return out


def compare_classes(kernel, mine, probes):
    out = []
    for name in CLASSES:
        want = kernel.get(name, 0) - (probes if name == "new" else 0)
        if want != mine.get(name):
            out.append("class %s: kernel %s, ours %s" %
                       (name, want, mine.get(name)))
    return out


def judge(name):
    packets = read_demo() if name == "demo" else packets_of(name)
    with Kernel() as k:
        table, events, classes = k.track(packets)
    probes = sum(int(n) for line in table if re.search(r" unknown +254 ", line)
                 for n in re.findall(r"packets=(\d+)", line)[:1])
    mine = ours(packets)
    return len(packets), compare((table, events), mine) + \
        compare_classes(classes, mine[2], probes)


def missing():
    if os.getuid():
        return "the running kernel can be asked by root only"
    for tool in ("ip", "nft", "conntrack", "sysctl"):
        if not shutil.which(tool):
            return tool + " is not there"
    try:
        with Kernel():
            pass
    except OSError as e:
        return "no namespaces, or no connection tracking here: %s" % e
    return None


def main():
    args = [a for a in sys.argv[1:] if a != "-v"]
    show = 10 ** 6 if "-v" in sys.argv else 3
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    why = missing()
    if why:
        print("skip: " + why)
        return 77
    if not os.access(CTCTL, os.X_OK):
        print(CTCTL + " is not there; run make first")
        return 1
    failed = 0
    for name in args or DEFAULT:
        try:
            n, faults = judge(name)
        except (OSError, ValueError) as e:
            n, faults = 0, [str(e)]
        failed += bool(faults)
        print("%s %s: %d packets, %d differences" % (
            "FAIL" if faults else "ok  ", name, n, len(faults)))
        for f in faults[:show]:
            print("    " + f.replace("\n", "\n    "))
        sys.stdout.flush()
    print("%d passed, %d failed" % (len(args or DEFAULT) - failed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
