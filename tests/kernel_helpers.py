#!/usr/bin/python3
"""Helpers and expectations, held against the running kernel.

	tests/kernel_helpers.py [--seeds N,N...] [--sequences N]
				[--kinds KIND,...] [--workers N] [-v]

Needs what tests/check-kernel.py needs, and exits 77 where that does.  Random
conversations of each helper's protocol (tests/lib/helper_sequences.py) go
through a kernel with all helpers (tests/lib/helper_kernel.py) and through our
replay.  Compared are the events of expectations, conversation by conversation
in their order, the expectations that are left, the table and the connections'
events.  Messages that are a bit wrong are among them (q931-bad, ras-bad),
and requests to a whole network from a socket of the kernel itself (-local).
"""
import argparse
import collections
import difflib
import ipaddress
import json
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from broadcast_kernel import PORTS, ask  # noqa: E402
from frames import write_frames, write_pcap  # noqa: E402
from helper_kernel import record  # noqa: E402
from helper_sequences import KINDS, conversations  # noqa: E402
from kernel import Kernel, LostError, remove  # noqa: E402
from sequences import interleaved  # noqa: E402
from verdict import lines_of  # noqa: E402

BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
CTCTL = os.path.join(BUILD, "ctctl")
PREFIX = "cth%d" % (os.getpid() % 1000000)
SLACK = 3
FILES = ("table", "events", "expect", "expect-events")
# What the kernel's router does with a call that is forwarded: its routes lead
# to the same place for both sides.
SETTINGS = {"q931_callforward": 0, "timestamp": 0}


def replay(capture, workers, settings=()):
    """{file: its lines} of our own; and the statistics."""
    out = {}
    with tempfile.TemporaryDirectory(prefix="ctshardd-helpers.") as d:
        cmd = [CTCTL, "replay", "--workers", str(workers), "-o", "extended"]
        for k, v in dict(SETTINGS, **dict(settings)).items():
            cmd += ["-s", "%s=%s" % (k, v)]
        for f in FILES + ("stats",):
            cmd += ["--" + f, os.path.join(d, f)]
        r = subprocess.run(cmd + [capture], capture_output=True, text=True,
                           check=False)
        if r.returncode:
            raise OSError("%s: exit %d: %s" % (" ".join(cmd), r.returncode,
                                               r.stderr.strip()[-800:]))
        for f in FILES:
            with open(os.path.join(d, f), encoding="ascii") as x:
                out[f] = [line for line in x.read().splitlines()
                          if line.strip()]
        with open(os.path.join(d, "stats"), encoding="ascii") as x:
            out["stats"] = json.load(x)
    return out


# -- expectations -----------------------------------------------------------------
EXPECT = re.compile(r"((?:\[\w+\] )?)(\d+) (.*)")


def expect_line(line):
    """(seconds, the rest) of a line."""
    m = EXPECT.match(re.sub(r" (?:use|id)=\S+", "", " ".join(line.split())))
    return (int(m.group(2)), m.group(1) + m.group(3)) if m else (0, line)


def conversation_of(line):
    """Its hosts' number: the low half of the master's address."""
    m = re.search(r"master-src=(\S+)", line)
    return int(ipaddress.ip_address(m.group(1))) & 0xffff if m else -1


def expect_events(lines):
    """{conversation: its lines}.  The seconds of a DESTROY are how long it had
    left, and are not compared; a second may have begun since a NEW."""
    out = collections.defaultdict(list)
    for line in lines:
        seconds, text = expect_line(line)
        out[conversation_of(line)].append(
            text if "DESTROY" in text else "%d0 s %s" % (
                (seconds + 5) // 10, text))
    return out


def left_over(lines):
    out = collections.defaultdict(list)
    for line in lines:
        seconds, text = expect_line(line)
        out[text].append(seconds)
    return out


def compare_expect(kernel, ours):
    bad = []
    a, b = expect_events(kernel.expect_events), \
        expect_events(ours["expect-events"])
    for n in sorted(set(a) | set(b)):
        if a.get(n) != b.get(n):
            bad.append("expectations of conversation %d:" % n)
            bad += ["  " + line for line in difflib.ndiff(
                a.get(n, []), b.get(n, [])) if line[0] in "+-"]
    a, b = left_over(kernel.expect), left_over(ours["expect"])
    for text in sorted(set(a) | set(b)):
        x, y = sorted(a.get(text, [])), sorted(b.get(text, []))
        if len(x) != len(y) or any(abs(s - t) > SLACK for s, t in zip(x, y)):
            bad.append("left: kernel %s, ours %s: %s" % (x, y, text))
    return bad


# -- connections --------------------------------------------------------------------
def compare_lines(what, kernel, ours):
    bad = []
    a = collections.Counter(x.text for x in lines_of(kernel))
    b = collections.Counter(x.text for x in lines_of(ours))
    bad += ["%s, kernel alone: %s" % (what, x) for x in a - b]
    bad += ["%s, ours alone:   %s" % (what, x) for x in b - a]
    x, y = ({line.text: line.numbers[0] for line in lines_of(lines)}
            for lines in (kernel, ours))
    bad += ["%s, seconds: kernel %s, ours %s: %s" % (what, x[k], y[k], k)
            for k in x if k in y and a[k] == b[k] == 1 and
            abs((x[k] or 0) - (y[k] or 0)) > SLACK]
    return bad


def judge(kind, seed, sequences, workers):
    """(what differs, how much was compared)."""
    packets = [p for _, p in interleaved(
        conversations(kind, seed, range(sequences)), seed)]
    kernel = record(packets, name=PREFIX)
    with tempfile.NamedTemporaryFile(suffix=".pcap") as f:
        write_pcap(f.name, packets, kernel.times)
        ours = replay(f.name, workers)
    bad = compare_expect(kernel, ours)
    bad += compare_lines("table", kernel.table, ours["table"])
    bad += compare_lines("event", kernel.events, ours["events"])
    return bad, (len(packets), len(kernel.expect_events), len(kernel.expect),
                 len(kernel.table), len(kernel.events))


def judge_local(kind, seed, sequences, workers):
    """The same of a host that asks all of its network (broadcast_kernel.py):
    mirror mode expects what that host's kernel does, once it knows how large
    the network is; strict mode, which no capture tells who is local, nothing.
    """
    plan, kernel, frames, times = ask(kind, seed, sequences, PREFIX)
    with tempfile.NamedTemporaryFile(suffix=".pcap") as f:
        write_frames(f.name, frames, times)
        ours = replay(f.name, workers, {
            "tcp.mode": "mirror", "netbios_ns_prefix": plan.prefix,
            "snmp_prefix": plan.prefix})
        strict = replay(f.name, workers)
    bad = compare_expect(kernel, ours)
    bad += compare_lines("table", kernel.table, ours["table"])
    # The copy that comes back to the host itself is confirmed before the
    # helper sees the request, so that the kernel tells the time before.
    bad += [x for x in compare_lines("event", kernel.events, ours["events"])
            if not x.startswith("event, seconds: ") or "[NEW]" not in x]
    if ours["stats"]["packets"]["related"] != kernel.classes["related"]:
        bad.append("answers that were expected: kernel %d, ours %d" % (
            kernel.classes["related"], ours["stats"]["packets"]["related"]))
    bad += ["strict expects: " + x for x in strict["expect-events"]]
    helped = [sum(" helper=" in x for x in t)
              for t in (kernel.table, strict["table"])]
    if helped[0] != helped[1]:
        bad.append("strict: helper= of %d connections, kernel %d" % (
            helped[1], helped[0]))
    return bad, (len(frames), len(kernel.expect_events), len(kernel.expect),
                 len(kernel.table), len(kernel.events))


def arguments():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("--seeds", default="1")
    a.add_argument("--sequences", type=int, default=100)
    a.add_argument("--kinds", default=",".join(
        list(KINDS) + list(PORTS)))
    a.add_argument("--workers", type=int, default=2)
    a.add_argument("-v", action="store_true")
    return a.parse_args()


def main():
    args = arguments()
    if os.getuid():
        print("kernel_helpers: the running kernel can be asked by root only")
        return 77
    try:
        with Kernel(PREFIX):
            pass
    except OSError as e:
        print("kernel_helpers: no namespaces, or no tracking here: %s" % e)
        return 77
    failed = 0
    try:
        for seed in args.seeds.split(","):
            for kind in args.kinds.split(","):
                try:
                    bad, n = (judge_local if kind in PORTS else judge)(
                        kind, seed, args.sequences, args.workers)
                except (OSError, LostError) as e:
                    print("FAIL %s:%s: %s" % (kind, seed, e))
                    failed += 1
                    continue
                failed += bool(bad)
                print("%s %s:%s %d packets; expectations %d events, %d left; "
                      "connections %d lines, %d events; %d differ" % (
                          ("FAIL" if bad else "ok  ", kind, seed) + n +
                          (len(bad),)))
                for line in bad[:10 ** 6 if args.v else 8]:
                    print("    " + line)
    finally:
        remove(PREFIX + "i", PREFIX + "r")
    print("kernel_helpers: %d failed" % failed)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
