#!/usr/bin/python3
"""Rules, held against the running kernel: zones, notrack, marks, timeouts.

	tests/kernel_rules.py [--seeds N,N...] [--sequences N] [-v]

Needs what tests/check-kernel.py needs, and exits 77 where that does.  A rule
is written once here and told to both: to the kernel as nft rules before and
behind its tracker, to us as settings.  What is said of each line of the table
and of the events, of classes and counters has to be the same.
"""
import argparse
import collections
import json
import os
import re
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from frames import Pair, write_pcap  # noqa: E402
from kernel import Kernel, LostError, has_sysctl, remove  # noqa: E402
from sequences import KINDS, conversations, interleaved  # noqa: E402
from verdict import lines_of, replay  # noqa: E402

BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
CTCTL = os.path.join(BUILD, "ctctl")
PREFIX = "ctr%d" % os.getpid()
ATTEMPTS = 4
WORKERS = (1, 3)
SLACK = 3

# What a rule asks and gives, for nft.
ASK = {
    "proto": "meta l4proto %s", "src": "%s saddr %s", "dst": "%s daddr %s",
    "sport": "th sport {%s}", "dport": "th dport {%s}"}
GIVE_FIRST = {"zone": "ct zone set %s", "zone-orig": "ct original zone set %s",
              "zone-reply": "ct reply zone set %s", "notrack": "notrack accept"}


def nft_match(rule):
    out = []
    for key, value in rule.items():
        if key in ("src", "dst"):
            out.append(ASK[key] % ("ip6" if ":" in value else "ip", value))
        elif key in ASK:
            out.append(ASK[key] % value)
    return " ".join(out)


class Ruled(Kernel):
    """A kernel with rules: `raw` before tracking, `marks` behind it."""

    def __init__(self, name, settings, rules):
        super().__init__(name, settings)
        self.wanted = rules

    def rules(self):
        super().rules()
        raw, behind = [], []
        for r in self.wanted:
            for key, words in GIVE_FIRST.items():
                if key in r:
                    raw.append("iif in %s %s" % (
                        nft_match(r), words % r[key] if "%" in words
                        else words))
            if "mark" in r:
                behind.append("iif in ct state new ct mark 0 %s "
                              "ct mark set %s" % (nft_match(r), r["mark"]))
            if "udp" in r:
                behind.append("iif in ct state new %s ct timeout set \"t%d\"" %
                              (nft_match(r), r["udp"][0]))
        text = "table inet rules {\n"
        for r in self.wanted:
            if "udp" in r:
                text += (" ct timeout t%d { protocol udp; l3proto ip; "
                         "policy = { unreplied : %d, replied : %d }; }\n"
                         % ((r["udp"][0],) + r["udp"]))
        text += (" chain raw { type filter hook prerouting priority -300;\n"
                 "  %s\n }\n chain behind { type filter hook prerouting "
                 "priority -140;\n  %s\n }\n}\n") % (
                     "\n  ".join(raw), "\n  ".join(behind))
        self.run("nft", "-f", "-", text=text)


def our_settings(rules):
    out = {"helpers": "off"}
    for i, r in enumerate(rules):
        for key, value in r.items():
            name = "rule.r%d.%s" % (i, key)
            if key == "udp":
                out["timeout.t%d.udp_timeout" % value[0]] = value[0]
                out["timeout.t%d.udp_timeout_stream" % value[0]] = value[1]
                out["rule.r%d.timeout" % i] = "t%d" % value[0]
            else:
                out[name] = value
    return out


# -- packets --------------------------------------------------------------------------
def udp_talk(n, ports, what):
    p = Pair(n)
    return [p.udp(0 if c == ">" else 1, ports, b"x" * 9) for c in what]


def tcp_talk(n, ports):
    p = Pair(n)
    return [p.tcp(0, ports, 2, 100, 0), p.tcp(1, ports, 18, 500, 101),
            p.tcp(0, ports, 16, 101, 501),
            p.tcp(0, ports, 24, 101, 501, b"abc"),
            p.tcp(1, ports, 16, 501, 104)]


def port_unreachable(p, d, packet):
    """An error of side d about `packet`."""
    body = b"\3\3\0\0\0\0\0\0" + packet[:28]
    return p.summed(d, 1, body, 2)


def errors(n, ports):
    p = Pair(n)
    first = p.udp(0, ports, b"x" * 9)
    back = p.udp(1, ports, b"y" * 9)
    return [first, back, p.ip(1, 1, port_unreachable(p, 1, first)),
            p.ip(0, 1, port_unreachable(p, 0, back))]


def every(numbers):
    """Each kind of conversation that these rules care for."""
    out = {}
    for n in numbers:
        out[n] = [udp_talk(n, (1000 + n, 53), ">><>"),
                  udp_talk(n, (1000 + n, 53), "><><"), tcp_talk(
                      n, (2000 + n, 80)), errors(n, (1000 + n, 53)),
                  tcp_talk(n, (2000 + n, 53)),
                  udp_talk(n, (1000 + n, 53), "<><>>"),
                  udp_talk(n, (1000 + n, 53), "<<><")][n % 7]
    return out


def mixed(seed, numbers):
    out = {}
    for kind in ("tcp", "udp", "icmp"):
        if kind in KINDS:
            mine = [n for n in numbers if n % 3 == len(kind) % 3]
            out.update(conversations(kind, "rules:%s" % seed, mine))
    return out


# name: rules in their order
SCENARIOS = {
    "zone": [{"proto": "udp", "zone": 7}, {"proto": "tcp", "zone": 8}],
    "zone-of-ports": [{"proto": "udp", "dport": "53", "zone": 7},
                      {"proto": "udp", "sport": "53", "zone": 7},
                      {"proto": "icmp", "zone": 7}],
    # the answer is in another zone: a connection of its own
    "zone-one-way": [{"proto": "udp", "dport": "53", "zone": 7}],
    "zone-orig": [{"proto": "udp", "dport": "53", "zone-orig": 12},
                  {"proto": "tcp", "dport": "53,80", "zone-orig": 13}],
    "zone-orig-all": [{"zone-orig": 12}],
    "zone-reply": [{"proto": "udp", "dport": "53", "zone-reply": 12},
                   {"proto": "udp", "sport": "53", "zone": 12},
                   {"proto": "tcp", "dport": "53", "zone-reply": 14}],
    "zone-clash": [{"proto": "udp", "dport": "53", "zone-reply": 12},
                   {"proto": "tcp", "dport": "80", "zone-reply": 12}],
    "zone-reply-all": [{"zone-reply": 12}],
    "zone-both": [{"proto": "udp", "dport": "53", "zone-orig": 12},
                  {"proto": "udp", "sport": "53", "zone-reply": 12},
                  {"proto": "icmp", "zone-orig": 12}],
    "notrack": [{"proto": "udp", "notrack": "on"},
                {"proto": "tcp", "dport": "53", "notrack": "on"}],
    "notrack-zone": [{"proto": "udp", "dport": "53", "notrack": "on"},
                     {"zone": 9}],
    "mark": [{"proto": "udp", "dport": "53", "mark": 5},
             {"proto": "udp", "mark": 6},
             {"proto": "tcp", "mark": "0x70"}],
    "first-wins": [{"proto": "tcp", "dport": "80", "zone": 3, "mark": 3},
                   {"proto": "tcp", "sport": "80", "zone": 3},
                   {"proto": "tcp", "zone": 4, "mark": 4}],
    "timeout": [{"proto": "udp", "dport": "53", "udp": (177, 288)}],
}


# -- comparison ------------------------------------------------------------------------
def counted(lines):
    """Lines without their numbers, how often each."""
    return collections.Counter(x.text for x in lines_of(lines))


def timeouts(lines):
    out = collections.defaultdict(list)
    for x in lines_of(lines):
        out[x.text].append(x.numbers[0] or 0)
    return {k: sorted(v) for k, v in out.items()}


def texts(lines):
    """Events of each connection in order: it is a tuple and its zones."""
    out = collections.defaultdict(list)
    for x in lines_of(lines):
        zone = " ".join(re.findall(r" zone\S*=\d+", x.text))
        out[x.key + zone].append((x.text, x.numbers[0] or 0))
    return out


def differences(kernel, table, events, stats):
    bad = []
    a, b = counted(kernel.table), counted(table)
    for line in (a - b):
        bad.append("table, kernel alone: " + line)
    for line in (b - a):
        bad.append("table, ours alone:   " + line)
    x, y = timeouts(kernel.table), timeouts(table)
    for k in set(x) & set(y):
        if any(abs(s - t) > SLACK for s, t in zip(x[k], y[k])):
            bad.append("timeouts %s and %s: %s" % (x[k], y[k], k))
    x, y = texts(kernel.events), texts(events)
    for k in sorted(set(x) | set(y)):
        if [e[0] for e in x.get(k, [])] != [e[0] for e in y.get(k, [])]:
            bad.append("events of %s\n  kernel %s\n  ours   %s" % (
                k, "\n         ".join(e[0] for e in x.get(k, [])),
                "\n         ".join(e[0] for e in y.get(k, []))))
    for name, n in kernel.classes.items():
        if stats["packets"][name] != n:
            bad.append("class %s: kernel %d, ours %d" % (
                name, n, stats["packets"][name]))
    for name in ("insert_failed", "drop", "error"):
        if name in kernel.stats and stats[name] != kernel.stats[name]:
            bad.append("%s: kernel %d, ours %d" % (
                name, kernel.stats[name], stats[name]))
    return bad


def judge(name, rules, packets, settings):
    for _ in range(ATTEMPTS):
        try:
            with Ruled(PREFIX, settings, rules) as k:
                got = k.track(packets)
            break
        except LostError as e:
            why = e
    else:
        raise OSError("%d runs, none whole: %s" % (ATTEMPTS, why))
    bad = []
    with tempfile.NamedTemporaryFile(suffix=".pcap") as f:
        write_pcap(f.name, packets, got.times)
        ours = dict(settings, **our_settings(rules))
        if not has_sysctl("dccp_timeout_request"):
            ours["tracker.dccp"] = "off"
        for n in WORKERS:
            table, events, stats = replay(CTCTL, f.name, ours, n, "extended")
            bad += differences(got, table.splitlines(), events.splitlines(),
                               json.loads(stats))
            if bad:
                return ["%s, %d workers:" % (name, n)] + bad, got
    return bad, got


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("--seeds", default="1")
    a.add_argument("--sequences", type=int, default=60)
    a.add_argument("--only", help="one scenario")
    a.add_argument("-v", action="store_true")
    args = a.parse_args()
    if os.getuid():
        print("kernel_rules: the running kernel can be asked by root only")
        return 77
    try:
        with Kernel(PREFIX):
            pass
    except OSError as e:
        print("kernel_rules: no namespaces, or no tracking here: %s" % e)
        return 77
    failed = lines = runs = 0
    settings = {"udp_timeout_stream": 99, "timestamp": 0}
    try:
        for seed in map(int, args.seeds.split(",")):
            for name, rules in SCENARIOS.items():
                if args.only and name != args.only:
                    continue
                numbers = range(args.sequences)
                seqs = every(numbers)
                seqs.update({1000 + n: s for n, s in mixed(
                    seed, range(1000, 1000 + args.sequences)).items()})
                packets = [p for _, p in interleaved(
                    seqs, "rules %d" % seed)]
                try:
                    bad, got = judge(name, rules, packets, settings)
                except OSError as e:
                    print("kernel_rules: %s left out: %s" % (name, e))
                    continue
                runs += 1
                lines += len(got.table) + len(got.events)
                failed += bool(bad)
                if bad:
                    print("\n".join(bad[:12]))
                elif args.v:
                    print("%s %d: %d packets, %d lines" % (
                        name, seed, len(packets),
                        len(got.table) + len(got.events)))
    finally:
        remove(PREFIX + "i", PREFIX + "r")
    print("kernel_rules: %d scenarios, %d lines, %d differ" % (
        runs, lines, failed))
    return 1 if failed or not runs else 0


if __name__ == "__main__":
    sys.exit(main())
