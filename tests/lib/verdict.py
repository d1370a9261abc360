#!/usr/bin/python3
"""Our replay of the same packets, and where it differs from the kernel.

A line of conntrack(8) is a connection (family, protocol, original tuple), a
text, and numbers that may differ by a little: the timeout, and how long the
connection has lived.  Everything else has to be the same to the letter.
"""
import collections
import json
import os
import re
import subprocess
import tempfile

from frames import write_pcap

WORKERS = (1, 2, 3, 4)
SLACK = 3	# seconds: the kernel is listed later than its last packet
STOP_SLACK = 0.25	# seconds: between the times of two clocks

Line = collections.namedtuple("Line", "key text numbers")


# -- lines ------------------------------------------------------------------------
HEAD = re.compile(r"((?:\[\w+\] )?)(ipv[46] \d+ \S+ \d+) (\d+ )?(.*)")
TUPLE = re.compile(r"src=(\S+) dst=(\S+)(?: (?!src=|packets=)[a-z]+=\S+)*")
# Reference counts, the id, and what only some kernels print.
DROPPED = re.compile(r" (?:use=\d+|secctx=\S+)(?= |$)")


def line_of(text):
    """The line as a Line, None if it is none of a connection."""
    text = DROPPED.sub("", " ".join(text.split()))
    m = HEAD.match(text)
    if not m:
        return None
    tag, proto, timeout, rest = m.groups()
    age = re.search(r" delta-time=(\d+)", rest)
    rest = re.sub(r" delta-time=\d+", " delta-time=", rest)
    return Line(proto + " " + TUPLE.search(rest).group(0),
                tag + proto + " " + rest,
                (int(timeout) if timeout else None,
                 int(age.group(1)) if age else None))


def lines_of(texts):
    return [line for line in map(line_of, texts) if line]


def hosts(key):
    return TUPLE.search(key).groups()


def near(a, b):
    """Two lines say the same, or nearly."""
    if a is None or b is None or a.text != b.text:
        return False
    for x, y in zip(a.numbers, b.numbers):
        if (x is None) != (y is None) and (x or y) > SLACK:
            return False
        if x is not None and y is not None and abs(x - y) > SLACK:
            return False
    return True


def show(line):
    return "nothing" if line is None else "%s | timeout %s age %s" % (
        (line.text,) + line.numbers)


# -- ours --------------------------------------------------------------------------
class Ours:
    """What `ctctl replay` made of some packets."""

    def __init__(self, table, events, stats):
        self.table = table
        self.events = events
        self.stats = stats
        self.classes = stats["packets"]
        self.stops = ()
        self.expects = ((), ())	# lines of the list, of the events
        self.faults = []


def settings_of(settings):
    out = []
    for k, v in settings.items():
        out += ["-s", "%s=%s" % (k, v)]
    return out


def replay(ctctl, capture, settings, workers, form):
    with tempfile.TemporaryDirectory(prefix="ctshardd-kernel.") as d:
        path = {k: os.path.join(d, k) for k in (
            "table", "events", "stats", "expect", "expect-events")}
        cmd = [ctctl, "replay", "--workers", str(workers), "-o", form]
        for k, p in path.items():
            cmd += ["--" + k, p]
        r = subprocess.run(cmd + settings_of(settings) + [capture],
                           capture_output=True, text=True, check=False)
        if r.returncode:
            raise OSError("%s: exit %d: %s" % (" ".join(cmd), r.returncode,
                                               r.stderr.strip()[-800:]))
        out = []
        for p in path.values():
            with open(p, encoding="ascii") as f:
                out.append(f.read())
    return out


def same_sums(stats):
    """Statistics that do not depend on how many shared the work."""
    out = {k: v for k, v in stats.items()
           if k not in ("workers", "elapsed_ns", "searched", "max")}
    rows = stats["workers"]
    for k in ("packets", "fragments"):
        for name, n in stats[k].items():
            if sum(w[k][name] for w in rows) != n:
                out["rows." + name] = "do not add up to %d" % n
    return out


def ours(ctctl, capture, settings, stops=False):
    """One replay for each number of workers, which must all be the same."""
    first = None
    faults = []
    for n in WORKERS:
        table, events, stats, *expects = replay(ctctl, capture, settings, n,
                                                "extended,timestamp")
        got = (sorted(table.splitlines()), sorted(events.splitlines()),
               same_sums(json.loads(stats)), sorted(expects[0].splitlines()),
               expects[1].splitlines())
        if first is None:
            first = got
            out = Ours(table.splitlines(), [
                line.partition("\t")[2] for line in events.splitlines()],
                json.loads(stats))
            out.expects = (got[3], [x.partition("\t")[2] for x in got[4]])
            faults += ["statistics: %s %s" % kv for kv in got[2].items()
                       if kv[0].startswith("rows.")]
        for name, a, b in zip(("table", "events", "", "expectations",
                               "events of expectations"), first, got):
            if not name:
                continue
            if a != b:
                odd = sorted(set(a) ^ set(b))[:6]
                faults.append("%s with 1 and with %d workers differ:\n  %s" % (
                    name, n, "\n  ".join(odd)))
        if first[2] != got[2]:
            odd = [k for k in sorted(set(first[2]) | set(got[2]))
                   if first[2].get(k) != got[2].get(k)]
            faults.append("statistics with 1 and with %d workers differ: %s" % (
                n, "; ".join("%s %s %s" % (k, first[2].get(k), got[2].get(k))
                             for k in odd)))
    out.faults = faults
    if stops:
        out.stops = replay(ctctl, capture, settings, 2, "jsonl")[1] \
            .splitlines()
    return out


# -- the comparison -------------------------------------------------------------------
class Verdict:
    """How much was compared, and what differed: {(src, dst): [text]}."""

    def __init__(self):
        self.count = collections.Counter()
        self.differ = collections.Counter()
        self.by_hosts = collections.defaultdict(list)
        self.states = set()	# in which the kernel's connections ended
        self.general = []

    def one(self, what, agree, key=None, text=None):
        self.count[what] += 1
        if agree:
            return
        self.differ[what] += 1
        if key:
            self.by_hosts[frozenset(hosts(key))].append(text())
        else:
            self.general.append(text())

    def __bool__(self):
        return not self.by_hosts and not self.general


def compare_tables(v, kernel, mine):
    tables = []
    for lines in (kernel, mine):
        table = {}
        for line in lines_of(lines):
            if line.key in table:
                v.one("table", False, line.key,
                      lambda k=line.key: "table has twice: " + k)
            table[line.key] = line
        tables.append(table)
    for k in sorted(set(tables[0]) | set(tables[1])):
        a, b = (t.get(k) for t in tables)
        v.one("table", near(a, b), k, lambda a=a, b=b:
              "table\n  kernel %s\n  ours   %s" % (show(a), show(b)))


def compare_events(v, kernel, mine):
    told = []
    for line in lines_of(kernel):
        m = re.match(r"\[DESTROY\] ipv[46] \d+ (\S+ )\d+ ([A-Z_0-9]+ )?",
                     line.text)
        if m:
            v.states.add((m.group(1) + (m.group(2) or "")).strip())
    for lines in (kernel, mine):
        seqs = collections.defaultdict(list)
        for line in lines_of(lines):
            seqs[line.key].append(line)
        told.append(seqs)
    for k in sorted(set(told[0]) | set(told[1])):
        a, b = (t.get(k, []) for t in told)
        v.one("events", len(a) == len(b) and all(map(near, a, b)), k,
              lambda a=a, b=b: "events\n  kernel %s\n  ours   %s" % (
                  "\n         ".join(map(show, a)),
                  "\n         ".join(map(show, b))))


def expects_of(lines):
    """[(all but the remaining seconds, these)] of lines on expectations."""
    out = []
    for line in lines:
        m = re.match(r"((?:\[\w+\] )?)(\d+) (.*)", " ".join(line.split()))
        if m:
            out.append((m.group(1) + m.group(3), int(m.group(2))))
    return out


def compare_expects(v, kernel, mine):
    """The list in any order, the events in theirs."""
    for what, order in ((0, sorted), (1, list)):
        a, b = (order(expects_of(x[what])) for x in (kernel, mine))
        for i in range(max(len(a), len(b))):
            x, y = (z[i] if i < len(z) else ("nothing", 0) for z in (a, b))
            v.one("expect", x[0] == y[0] and abs(x[1] - y[1]) <= SLACK, None,
                  lambda x=x, y=y: "expectation\n  kernel %s %d\n"
                  "  ours   %s %d" % (x + y))


def compare_sums(v, kernel, mine):
    for name, n in kernel.classes.items():
        v.one("classes", n == mine.classes[name], None,
              lambda name=name, n=n: "class %s: kernel %d, ours %d" % (
                  name, n, mine.classes[name]))
    # A failed ICMP error is of class invalid with both, and in one counter
    # only: F261, F266.
    mine_too = {"error": mine.stats["error"],
                "invalid": mine.classes["invalid"] - mine.stats["error"],
                "insert_failed": mine.stats["insert_failed"],
                "early_drop": mine.stats["early_drop"],
                "drop": mine.stats["drop"]}
    if kernel.stops:
        # It answers datagrams that stay incomplete, and counts that (F009).
        del mine_too["error"], mine_too["invalid"]
    for name, n in mine_too.items():
        v.one("statistics", n == kernel.stats[name], None,
              lambda name=name, n=n: "statistics %s: kernel %d, ours %d" % (
                  name, kernel.stats[name], n))


def stops_of_kernel(lines):
    """{(src, dst, proto): [when each connection of these ended]}"""
    out = collections.defaultdict(list)
    for line in lines:
        m = re.search(r"<src>([^<]*)</src><dst>([^<]*)</dst></layer3>"
                      r"<layer4 protonum=\"(\d+)\".*<stop>(\d+)</stop>", line)
        if m:
            out[m.group(1), m.group(2), int(m.group(3))].append(
                int(m.group(4)) / 1e9)
    return out


def stops_of_ours(lines):
    out = collections.defaultdict(list)
    for e in map(json.loads, lines):
        if e["event"] == "DESTROY":
            out[e["original"]["src"], e["original"]["dst"],
                e["protonum"]].append(e["stop_ns"] / 1e9)
    return out


def compare_stops(v, kernel, mine):
    """The times at which connections ended, not when that was noticed."""
    a, b = stops_of_kernel(kernel), stops_of_ours(mine)
    for k in sorted(set(a) | set(b)):
        x, y = sorted(a.get(k, [])), sorted(b.get(k, []))
        good = len(x) == len(y) and all(
            abs(s - t) <= STOP_SLACK for s, t in zip(x, y))
        v.one("ends", good, "src=%s dst=%s" % k[:2], lambda k=k, x=x, y=y:
              "end of protocol %d\n  kernel %s\n  ours   %s" % (
                  k[2], *(" ".join("%.3f" % t for t in z) for z in (x, y))))


def compare(kernel, mine):
    v = Verdict()
    compare_tables(v, kernel.table, mine.table)
    compare_events(v, kernel.events, mine.events)
    compare_sums(v, kernel, mine)
    if kernel.expects:
        compare_expects(v, kernel.expects, mine.expects)
    if kernel.stops:
        compare_stops(v, kernel.stops, mine.stops)
    v.count["workers"] += 1
    if mine.faults:
        v.differ["workers"] += 1
        v.general += mine.faults
    return v


def judged(ctctl, kernel, capture, packets, settings):
    """The Verdict of one Run of the kernel and our replay of it."""
    write_pcap(capture, packets, kernel.times)
    mine = ours(ctctl, capture, settings, bool(kernel.stops))
    return compare(kernel, mine)
