#!/usr/bin/python3
"""What others need for the same packets: flow meters that read a capture, and
the kernel's connection tracking.

    tests/bench-peers.py [--connections N] [--packets M] [--repeat R]

A capture of made-up conversations (tests/lib/mkflows.c) is read by each program
that is there; printed is CPU time of all its processes a packet (the least of R
runs, taken in turn) and packets a second by the clock.  The kernel gets the
same packets through a veth pair into a namespace that forwards them, with and
without connection tracking; the difference of what the machine's processors
spent is the tracking.  As root only; `make bench-peers` installs the programs.
"""
import argparse
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from kernel import Kernel  # noqa: E402

BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
LIMIT = 300	# seconds a run
SLOW = 200000	# packets for who needs microseconds for each


class Untracked(Kernel):
    """The same namespaces and one rule; nothing asks for connections, so none
    are made."""
    rule = "ip ttl 0"

    def rules(self):
        self.run("nft", "-f", "-", text="table inet bench {\n"
                 " chain pre { type filter hook prerouting priority -150;\n"
                 "  %s counter\n }\n}\n" % self.rule)

    def forwarded(self):
        """Packets that went on."""
        link = json.loads(self.run("ip", "-j", "-s", "link", "show", "out"))
        return link[0]["stats64"]["tx"]["packets"]


class Tracked(Untracked):
    """With no more rules than it takes to have connections."""
    rule = "ct state invalid"


def run(cmd, cwd):
    """(CPU seconds of it and its children, seconds), or None."""
    began = time.monotonic()
    with open(os.path.join(cwd, "said"), "w") as said, \
            subprocess.Popen(["timeout", str(LIMIT)] + cmd, cwd=cwd,
                             stdin=subprocess.DEVNULL, stdout=said,
                             stderr=said) as p:
        _, status, use = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        return None
    return use.ru_utime + use.ru_stime, time.monotonic() - began


def with_address(path, to, mac):
    """The capture with a receiver that the kernel takes for itself."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    at = 24
    while at + 16 <= len(data):
        data[at + 16:at + 22] = mac
        at += 16 + struct.unpack_from("<I", data, at + 8)[0]
    with open(to, "wb") as f:
        f.write(data)


def busy():
    """Seconds that the machine has worked.  What a packet costs behind the veth
    is often done by a thread of the kernel, and nobody's time."""
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, _, _, irq, softirq = map(
            int, f.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def kernel_run(kind, capture, o, cwd):
    with kind("ctp%d" % os.getpid(),
              {"max": o.connections * 2} if kind is Tracked else {}) as k:
        before = busy()
        got = run(["taskset", "-c", "0", "ip", "netns", "exec", k.inject,
                   "tcpreplay", "-q", "-K", "--topspeed", "-i", "tap",
                   capture], cwd)
        spent = busy() - before
        if k.forwarded() < o.packets:
            raise OSError("%d of %d packets were forwarded" %
                          (k.forwarded(), o.packets))
        return got and (spent, got[1])


def programs(o, capture):
    """name, what must be there, command, packets that it gets"""
    lan = ["unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "-"]
    m = o.packets
    yield ("ctshardd, one worker, table written", None,
           [os.path.join(BUILD, "ctctl"), "replay", "--workers", "1",
            "--stats", "stats", "--table", "table", capture], m)
    yield ("ctshardd, two workers", None,
           [os.path.join(BUILD, "ctctl"), "replay", "--workers", "2",
            "--stats", "stats", "--table", "table", capture], m)
    yield ("softflowd, NetFlow 9", "softflowd",
           lan + ["softflowd", "-r", capture, "-d", "-v", "9", "-m",
                  str(o.connections), "-p", "pid", "-c", "none", "-n",
                  "127.0.0.1:9995"], m)
    yield ("nfpcapd (nfdump)", "nfpcapd",
           ["nfpcapd", "-r", capture, "-w", ".", "-B",
            str(max(o.connections, 524288))], m)
    yield ("argus", "argus", ["argus", "-X", "-r", capture, "-w", "argus"], m)
    yield ("tshark, conversations", "tshark",
           ["tshark", "-n", "-q", "-r", capture, "-c", str(SLOW), "-z",
            "conv,tcp", "-z", "conv,udp"], min(SLOW, m))


def row(name, got, packets, note=""):
    if got is None:
        print("%-40s %s" % (name, note or "failed"))
    else:
        print("%-40s %8.0f ns %12.2f M/s" %
              (name, got[0] * 1e9 / packets, packets / got[1] / 1e6))
    sys.stdout.flush()


def least(best, got):
    if got is None or best is None:
        return best or got
    return min(best[0], got[0]), min(best[1], got[1])


def kernels(o, capture, cwd):
    if not shutil.which("tcpreplay") or not shutil.which("nft"):
        row("kernel", None, 1, "needs tcpreplay and nft")
        return
    mine = os.path.join(cwd, "addressed.pcap")
    with_address(capture, mine, b"\x02\0\0\0\0\x02")
    best = {Untracked: None, Tracked: None}
    for _ in range(o.repeat):
        for kind in best:
            try:
                best[kind] = least(best[kind], kernel_run(
                    kind, mine, o, cwd))
            except OSError as e:
                row("kernel", None, 1, str(e))
                return
    row("kernel, sending and forwarding", best[Untracked], o.packets)
    row("kernel, the same with tracking", best[Tracked], o.packets)
    if all(best.values()):
        more = best[Tracked][0] - best[Untracked][0]
        print("%-40s %8.0f ns" % ("kernel, tracking alone",
                                  more * 1e9 / o.packets))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--connections", type=int, default=100000)
    p.add_argument("--packets", type=int, default=2000000)
    p.add_argument("--repeat", type=int, default=3)
    o = p.parse_args()
    if os.geteuid():
        print("bench-peers: needs root")
        return 77
    with tempfile.TemporaryDirectory(prefix="ctshardd-peers.") as cwd:
        capture = os.path.join(cwd, "capture.pcap")
        subprocess.run([os.path.join(BUILD, "tests/lib/mkflows"), capture,
                        str(o.connections), str(o.packets)], check=True)
        print("%d packets of %d connections; CPU time a packet, and packets "
              "by the clock; load %.1f" % (o.packets, o.connections,
                                           os.getloadavg()[0]))
        jobs = list(programs(o, capture))
        best = [None] * len(jobs)
        for _ in range(o.repeat):
            for i, (_, needs, cmd, _) in enumerate(jobs):
                if not needs or shutil.which(needs):
                    best[i] = least(best[i], run(cmd, cwd))
        for i, (name, needs, _, packets) in enumerate(jobs):
            there = not needs or shutil.which(needs)
            row(name, best[i], packets, "" if there else "is not there")
        kernels(o, capture, cwd)
    return 0


if __name__ == "__main__":
    sys.exit(main())
