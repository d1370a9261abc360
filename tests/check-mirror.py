#!/usr/bin/python3
"""What tcp.mode = mirror makes of a damaged mirror port.

	tests/check-mirror.py [-n CONVERSATIONS] [--seed N] [--seeds N] [-v]
			      [-c [FOLDER]]

Makes conversations, damages them as mirror ports do, replays them in strict
and in mirror mode, and compares each TCP connection's end with what strict mode
says of the undamaged capture: the class of its state (open, closing, closed)
and its direction.  Prints a table and fails when mirror mode stays under what
is promised.

With -c it takes the captures of a collection that is not part of this
repository (without one it skips: exit 77).  Many of them are damaged already,
so there each mode is held against itself without further damage, and where the
modes differ on undamaged input against the list in docs/mirror.md.

Classes: SYN_SENT to ESTABLISHED are open, FIN_WAIT and CLOSE_WAIT closing,
LAST_ACK, TIME_WAIT and CLOSE closed, since in LAST_ACK both sides have ended.
"Right" is class and direction, "exact" the very state and direction, a class
has recall/precision, "counts" are packet counters that are what was seen
(of connections of which all frames count without the damage); all in percent.
Left out, and counted ("out"): connections with less than half of their frames,
those that lost every frame with a FIN or RST, and those that ended in CLOSE and
lost every RST.  "cut" are those of which one side lost its FIN and all that
comes behind it or acknowledges it, so that nothing tells this side's end from
one that goes on: "right" counts them, the classes do not.  Stuck is a
connection that stands in the table but counted less than half of the frames
that were left.  Loss is judged over several seeds, for each class to have
enough connections.
"""
import argparse
import collections
import concurrent.futures
import glob
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
CTCTL = os.path.join(BUILD, "ctctl")

import damage                           # noqa: E402
import ends                             # noqa: E402
import kinds                            # noqa: E402
import wrap                             # noqa: E402
from frames import FIN, RST             # noqa: E402
from talks import talks                 # noqa: E402

CLASSES = ("open", "closing", "closed")
CLASS = {"NONE": "open", "SYN_SENT": "open", "SYN_SENT2": "open",
         "SYN_RECV": "open", "ESTABLISHED": "open", "FIN_WAIT": "closing",
         "CLOSE_WAIT": "closing", "LAST_ACK": "closed", "TIME_WAIT": "closed",
         "CLOSE": "closed"}
# damage: least share of right ones, least recall and precision of a class,
# least share of right counters; of both that are tracked, and a SYN that comes
# again does not count (F122), nor does what is old when it comes
LEAST = {"none": (99.8, 100, 100), "loss 0.1%": (99.5, 97, 99.5),
         "loss 1%": (99, 97, 99), "loss 5%": (95, 90, 99),
         "bursts 1%": (99, 93, 99), "swaps 2%": (99, 97, 99),
         "swaps in talks 2%": (99, 97, 99),
         "doubles 100% drop": (99.8, 100, 100),
         "doubles 100%": (99, 97, 0), "doubles 10%": (99, 97, 75),
         "two taps": (99, 97, 97), "snaplen 64": (99.8, 99.5, 99.5),
         "snaplen 96": (99.8, 100, 100), "outage 5%": (90, 85, 99),
         "client alone": (90, 0, 94), "server alone": (78, 0, 94)}

ENOUGH = 30                             # connections of a class, to judge it

BASE = []                               # settings of every replay


class Ends:
    """What one replay says of each TCP connection, and its counters."""

    def __init__(self, files, settings, workers=1):
        self.conn = {}
        self.lives = collections.defaultdict(set)
        self.table = {}
        self.gone = {}                  # that ended before the last frame
        self.workers = workers
        self.lines = None
        with tempfile.TemporaryDirectory(prefix="ctshardd-mir.") as d:
            names = []
            for n, frames in enumerate(files):
                names.append(os.path.join(d, "%d.pcap" % n))
                damage.write(names[-1], frames)
            self.replay(d, names, settings)

    def replay(self, d, names, settings):
        out = {k: os.path.join(d, k) for k in ("table", "events", "stats")}
        cmd = [CTCTL, "replay", "-o", "jsonl,wide", "-s", "max=200000",
               "--workers", str(self.workers)]
        for s in BASE + settings:
            cmd += ["-s", s]
        for k, p in out.items():
            cmd += ["--" + k, p]
        subprocess.run(cmd + names, check=True, timeout=110)
        with open(out["events"], encoding="ascii") as f:
            for row in map(json.loads, f):
                self.take(row)
                if row.get("event") == "DESTROY":
                    self.gone[kinds.key_of(row)] = row
        with open(out["table"], encoding="ascii") as f:
            rows = [json.loads(line) for line in f]
        for row in rows:
            self.take(row)
        self.table = {kinds.key_of(r): r for r in rows}
        self.lines = collections.Counter(self.brief(r) for r in rows)
        with open(out["stats"], encoding="ascii") as f:
            self.stats = json.load(f)

    def take(self, row):
        o = row.get("original")
        if row.get("proto") != "tcp" or "sport" not in o:
            return
        a, b = (o["src"], o["sport"]), (o["dst"], o["dport"])
        r = row["reply"]
        n = o.get("packets", 0) + r.get("packets", 0)
        key = (row.get("zone", 0), frozenset((a, b)))
        self.lives[key].add(row["id"])
        self.conn[key] = (row.get("state", "NONE"), a, n,
                          row.get("detail") or {})

    @staticmethod
    def brief(row):
        """A line of the table without what strict mode has not."""
        return json.dumps({k: row[k] for k in (
            "proto", "state", "status", "timeout", "original", "reply")
            if k in row}, sort_keys=True)


def talk_key(f):
    return getattr(f.talk, "key", f.talk)


def counts(files):
    """Frames, those with FIN or RST, and those with RST, of a connection."""
    n, ends, rsts = (collections.Counter() for _ in "abc")
    for frames in files:
        for f in frames:
            if f.talk is None or len(f.data) < f.need:
                continue
            n[talk_key(f)] += 1
            if f.flags & (FIN | RST):
                ends[talk_key(f)] += 1
            if f.flags & RST:
                rsts[talk_key(f)] += 1
    return n, ends, rsts


class Score:
    def __init__(self):
        self.right = self.total = self.out = self.stuck = self.gone = 0
        self.cut = 0
        self.counted = self.exact = 0 # of so many, so many counters are right
        self.same = 0 # the state itself, not its class alone
        self.have, self.said, self.hit = (collections.Counter() for _ in "abc")
        self.wrong = []

    def add(self, truth, got, whole, left, cut, drops=False):
        for key, (state, client, packets, _) in truth.conn.items():
            if left[0][key] * 2 < whole[0][key] or not whole[0][key] or \
               whole[1][key] and not left[1][key] or \
               state == "CLOSE" and whole[2][key] and not left[2][key]:
                self.out += 1
                continue
            self.total += 1
            self.cut += key in cut
            want = CLASS[state]
            self.have[want] += key not in cut
            if key not in got.conn:
                self.gone += 1
                self.wrong.append((key, state, "-", ""))
                continue
            now, who, n, detail = got.conn[key]
            if key not in cut:
                self.said[CLASS[now]] += 1
                self.hit[want] += CLASS[now] == want
            if len(truth.lives[key]) == 1 and packets == whole[0][key]:
                self.counted += 1
                self.exact += n == (packets if drops else left[0][key])
            # of the frames that are left, half as many as before
            if left[0][key] > 4 and \
               n * 2 * whole[0][key] < left[0][key] * packets:
                self.stuck += 1
                self.wrong.append((key, state, "stuck with %d of %d" %
                                   (n, left[0][key]), detail))
            self.same += now == state and who == client
            if CLASS[now] == want and who == client:
                self.right += 1
            else:
                self.wrong.append((key, state, now + (
                    " turned" if who != client else "") + (
                        " cut" if key in cut else ""), detail))

    @staticmethod
    def share(a, b):
        return 100.0 * a / b if b else 100.0

    def figures(self):
        return (self.share(self.right, self.total),
                [(self.share(self.hit[c], self.have[c]),
                  self.share(self.hit[c], self.said[c])) for c in CLASSES])


def damages(frames, seed, seeds):
    """(name, files of each seed, more settings)"""
    some = range(seed, seed + seeds)
    yield "none", [[frames]], []
    for share in (0.001, 0.01, 0.05):
        yield "loss %g%%" % (share * 100), [
            [damage.lose(frames, share, s)] for s in some], []
    yield "bursts 1%", [
        [damage.lose_bursts(frames, 0.01, 8, s)] for s in some], []
    for name, files, more in (
            ("outage 5%", [damage.outage(frames, 0.05, seed)], []),
            ("swaps 2%", [damage.swap(frames, 0.02, seed)], []),
            ("swaps in talks 2%", [damage.swap_talk(frames, 0.02, seed)], []),
            ("doubles 10%", [damage.double(frames, 0.1, seed)], []),
            ("doubles 100%", [damage.double(frames, 1, seed)], []),
            ("doubles 100% drop", [damage.double(frames, 1, seed)],
             ["duplicates=drop"]),
            ("doubles late drop", [damage.double(frames, 1, seed, 0.002)],
             ["duplicates=drop"]),
            ("client alone", [damage.one_way(frames, 0)], []),
            ("server alone", [damage.one_way(frames, 1)], []),
            ("two taps", damage.two_taps(frames, seed), []),
            ("snaplen 64", [damage.snap(frames, 64)], []),
            ("snaplen 96", [damage.snap(frames, 96)], [])):
        yield name, [files], more


ROW = "%-18s %-6s %6d %5d %4d %4d %6.2f %6.2f %6.2f  " + \
    "%5.1f/%-5.1f %5d " * 3 + "%5d"
HEAD = "%-18s %-6s %6s %5s %4s %4s %6s %6s %6s  %11s %5s %11s %5s %11s %5s " \
    "%5s" % ("damage", "mode", "conns", "out", "cut", "gone", "right", "exact",
             "counts", "open", "n", "closing", "n", "closed", "n", "stuck")


class Run:
    def __init__(self, verbose, seeds):
        self.verbose = verbose
        self.seeds = seeds
        self.bad = []
        self.frames = self.ends = None

    def workers(self, frames):
        """The number of workers makes no difference."""
        got = [Ends([frames], ["tcp.mode=mirror", "duplicates=drop"], n)
               for n in (1, 2, 4)]
        if got[0].lines != got[1].lines or got[0].lines != got[2].lines:
            self.bad.append("1, 2 and 4 workers disagree")
        print("2 %% loss, 30 %% doubles, 1, 2 and 4 workers: %s" % (
            "the same" if not self.bad or "workers" not in self.bad[-1]
            else "not the same"))

    def tunnels(self, frames, seed):
        """With 1 % lost, in each tunnel the very table without one."""
        frames = damage.lose(frames, 0.01, seed)
        mode = ["tcp.mode=mirror"]
        for name, (words, _) in wrap.WRAPS.items():
            # a capture may have such tunnels itself
            want = Ends([frames], mode + ["decap=" + words])
            got = Ends([wrap.wrap(frames, name)], mode + ["decap=" + words])
            n = sum(((want.lines - got.lines) +
                     (got.lines - want.lines)).values())
            print("loss 1%%, %-26s %d of %d lines of the table differ" %
                  (name, n, sum(want.lines.values())))
            if n:
                self.bad.append("%s: the table differs in %d lines" %
                                (name, n))
                if self.verbose:
                    self.differ(want, got)

    def exceptions(self, strict, mirror):
        """On clean input the modes differ as docs/mirror.md lists it."""
        a, b = dict(strict.table), dict(mirror.table)
        for one, other in ((a, mirror), (b, strict)):
            for key in set(other.table) - set(one):
                gone = (strict if one is a else mirror).gone.get(key)
                if gone:
                    one[key] = gone
        n, without = kinds.differences(a, b)
        want = kinds.listed(os.path.join(ROOT, "docs", "mirror.md"))
        print("exceptions on clean input: %s" % ", ".join(
            "%s %d" % x for x in sorted(n.items())))
        if n != want:
            self.bad.append("exceptions: docs/mirror.md has %s" % ", ".join(
                "%s %d" % x for x in sorted(want.items())))
        for x in without:
            self.bad.append("no reason: %s, mirror %s" % x)

    def judge(self, name, variants, more, truths, whole, clean):
        left = [counts(files) for files in variants]
        cut = [self.ends.cut(files) for files in variants]
        # what is equal without the damage is a double there, too
        same = Ends([self.frames], ["tcp.mode=mirror"] + more) if more \
            else clean
        for mode, truth in zip(("strict", "mirror"), truths):
            if mode == "mirror" and truth is clean:
                truth = same
            s = Score()
            settings = ["tcp.mode=" + mode]
            if mode == "mirror":
                settings += more
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                for k, got in enumerate(pool.map(
                        lambda f, s=settings: Ends(f, s), variants)):
                    s.add(truth, got, whole, left[k], cut[k],
                          bool(more) and mode == "mirror")
            right, per = s.figures()
            counters = s.share(s.exact, s.counted)
            print(ROW % (name, mode, s.total, s.out, s.cut, s.gone, right,
                         s.share(s.same, s.total), counters,
                         *(x for c, p in zip(CLASSES, per)
                           for x in (*p, s.have[c])), s.stuck))
            if mode == "strict":
                continue
            if self.verbose:
                for key, want, have, detail in s.wrong[:self.verbose * 10]:
                    print("   ", key[0], sorted(key[1]), want, "->", have,
                          detail)
            if name not in LEAST:
                continue
            least, each, least_counters = LEAST[name]
            if counters < least_counters:
                self.bad.append("%s: %.2f %% of the counters right, least %g" %
                                (name, counters, least_counters))
            if right < least:
                self.bad.append("%s: %.2f %% right, least %g" %
                                (name, right, least))
            for c, (recall, precision) in zip(CLASSES, per):
                if s.have[c] < ENOUGH and name.startswith("loss"):
                    self.bad.append("%s: %d are too few to judge %s by" % (
                        name, s.have[c], c))
                if s.have[c] >= ENOUGH and min(recall, precision) < each:
                    self.bad.append("%s: %s %.1f/%.1f, least %g" % (
                        name, c, recall, precision, each))
            if s.stuck:
                self.bad.append("%s: %d stuck" % (name, s.stuck))
            if name not in ("none", "doubles 100% drop"):
                continue
            if same.lines != got.lines:
                n = sum(((same.lines - got.lines) +
                         (got.lines - same.lines)).values())
                self.bad.append("%s: the table differs in %d lines" %
                                (name, n))
                if self.verbose:
                    self.differ(same, got)

    @staticmethod
    def differ(a, b):
        for line in sorted((a.lines - b.lines).elements())[:10]:
            print("  -", line)
        for line in sorted((b.lines - a.lines).elements())[:10]:
            print("  +", line)

    def all(self, frames, seed, known=()):
        whole = counts([frames])
        self.frames = frames
        self.ends = ends.Ends(frames, talk_key)
        truth = Ends([frames], ["tcp.mode=strict"])
        for t in known:
            state, _, n, detail = truth.conn[t.key]
            truth.conn[t.key] = (state, (t.net.name[0], t.port[0]), n, detail)
        clean = Ends([frames], ["tcp.mode=mirror"])
        same = sum((truth.lines & clean.lines).values())
        print("%d frames, %d TCP connections, %d of %d table lines are the "
              "same in both modes" % (len(frames), len(truth.conn), same,
                                      sum(truth.lines.values())))
        if self.verbose:
            self.differ(truth, clean)
        if BASE:
            self.exceptions(truth, clean)
        print(HEAD)
        for name, variants, more in damages(frames, seed, self.seeds):
            self.judge(name, variants, more,
                       (truth, clean if BASE else truth), whole, clean)
        self.tunnels(frames, seed)
        self.workers(damage.double(damage.lose(frames, 0.02, seed), 0.3,
                                   seed))
        return truth, clean


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-n", type=int, default=1200)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--seeds", type=int)
    p.add_argument("-c", nargs="?", const=os.environ.get(
        "CAPTURES", os.path.join(ROOT, "..", "shared")))
    p.add_argument("-v", action="count", default=0)
    args = p.parse_args()
    if not os.access(CTCTL, os.X_OK):
        print("%s is not there; run make first" % CTCTL)
        return 1
    if args.c:
        paths = sorted(glob.glob(os.path.join(args.c, "captures", "*.pcap")))
        if not paths:
            print("skip: there is no collection of captures here")
            return 77
        BASE[:] = ["zone.from=vlan"]
        frames, known = damage.merged(paths), ()
    else:
        frames, known = talks(args.seed, args.n)
    run = Run(args.v, args.seeds or (8 if args.c else 3))
    run.all(frames, args.seed, known)
    for line in run.bad:
        print("FAIL " + line)
    return int(bool(run.bad))


if __name__ == "__main__":
    sys.exit(main())
