#!/usr/bin/python3
"""The same packets through the running kernel's tracker and through ours.

	tests/check-kernel.py [--seeds N,N...] [--sequences N] [--long]
			      [--kinds KIND,...] [--jobs N] [--keep DIR] [-v]

Needs root, conntrack(8), nft(8), ip(8) and a kernel with connection tracking;
exits 77 with the reason where one is missing.  It works in network namespaces
that it makes and removes.

A scenario is KIND:SEED:ROUND: random conversations (tests/lib/sequences.py),
under settings that both sides get.  Without --seeds the seed is that of the
commit, so each change meets other packets and a failure can be repeated.
Compared are each line of `conntrack -L`, each connection's sequence of
`conntrack -E`, the expectations of the demonstration's FTP transfer, the number of packets of each class and the counters that mean
the same; `timed` scenarios run in real time, with timeouts of seconds, and
also compare when each connection ended.  Our output must be the same for 1 to
4 workers.  What differs is run again by itself, shown with its packets, and
its captures are kept (--keep).
"""
import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from frames import Pair, in_words, read_pcap, write_pcap  # noqa: E402
from kernel import Kernel, LostError, has_sysctl, leftovers, \
    remove  # noqa: E402
from sequences import KINDS, conversations, every_state, interleaved, \
    with_gaps  # noqa: E402
from verdict import judged  # noqa: E402

BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
CTCTL = os.path.join(BUILD, "ctctl")
PREFIX = "cts%d" % os.getpid()
MEASURES = ("table", "events", "expect", "classes", "statistics", "ends",
            "workers")
ROUNDS = 3
TIMED_ROUNDS = 2
TIMED_LAST = 11.0	# seconds: the last packet
TIMED_TIMEOUT = 6	# seconds: the longest timeout
ATTEMPTS = 4
PATIENCE = 40	# seconds: to look for the conversation that differs

# What is left out of the comparison, and why: docs/behaviour.md has the same
# list in words.
DIFFERENCES = {
    "F146": "the kernel sums UDP-Lite as if it were UDP: with checksum = 1 "
            "right packets are invalid to it, so no UDP-Lite then",
    "F177": "where the kernel has no DCCP tracker, ours is off too",
    "F231": "the kernel may tell of an expiry up to a minute late; compared "
            "is when it was due, not when it was told",
    "F009": "the kernel answers an incomplete IPv6 datagram with an ICMP "
            "error and counts that too: no counters of timed scenarios",
    "F251": "an SCTP packet refused at its second chunk has changed the state "
            "already: the kernel tells it with the next packet, be it only an "
            "ICMP error; ours with the next of the connection's own",
    "F050": "identifiers, and reference counts (use=)",
    "F260": "found, insert, searched, search_restart: other meanings",
    "helpers": "the kernel attaches helpers by rules, we by ports; so ports "
            "that have helpers are in no random conversation",
}


# -- settings that both sides get --------------------------------------------------
SHORT = {"sctp_timeout_cookie_wait": 31, "sctp_timeout_cookie_echoed": 32,
         "sctp_timeout_shutdown_sent": 33, "sctp_timeout_shutdown_recd": 34,
         "sctp_timeout_shutdown_ack_sent": 35, "sctp_timeout_closed": 36,
         "tcp_timeout_close": 37}
TIMEOUTS = sorted(SHORT) + [
    "tcp_timeout_" + s for s in (
        "syn_sent", "syn_recv", "established", "fin_wait", "close_wait",
        "last_ack", "time_wait", "max_retrans", "unacknowledged")] + [
    "sctp_timeout_established", "sctp_timeout_heartbeat_sent", "udp_timeout",
    "udp_timeout_stream", "icmp_timeout", "icmpv6_timeout",
    "generic_timeout", "gre_timeout", "gre_timeout_stream"]


def rules_by(rnd):
    return {"tcp_loose": rnd.choice((0, 1)),
            "tcp_be_liberal": rnd.choice((0, 0, 1)),
            "tcp_ignore_invalid_rst": rnd.choice((0, 1)),
            "tcp_max_retrans": rnd.choice((1, 2, 3, 5))}


def settings_for(name):
    """Round 0: the kernel's defaults, none so short that it ends meanwhile.

    Later rounds: sums are verified in every second, each timeout has a value
    of its own, so that one taken for another shows.
    """
    kind, _, turn = name.split(":")
    if kind == "demo":
        return {}
    rnd = random.Random("settings " + name)
    if kind == "timed":
        out = {k: rnd.randrange(1, TIMED_TIMEOUT + 1) for k in TIMEOUTS}
        out.update(rules_by(rnd), timestamp=1, ipfrag_time=2,
                   frag6_timeout=3, tcp_timeout_established=TIMED_TIMEOUT)
        # Else nothing could ever be picked up.
        out["tcp_loose"] = 1
        return out
    if turn == "0":
        return dict(SHORT)
    out = dict(zip(TIMEOUTS, rnd.sample(range(60, 1000, 10), len(TIMEOUTS))))
    if rnd.random() < 0.3:
        out["tcp_timeout_established"] = 432000
    out.update(rules_by(rnd), checksum=int(turn) % 2)
    return out


def ours_only():
    return {} if has_sysctl("dccp_timeout_request") else \
        {"tracker.dccp": "off"}


STATES = {"tcp " + s for s in (
    "SYN_SENT", "SYN_SENT2", "SYN_RECV", "ESTABLISHED", "FIN_WAIT",
    "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE")} | {"sctp " + s for s in (
        "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED",
        "SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT",
        "HEARTBEAT_SENT")} | {"udp", "udplite", "icmp", "icmpv6", "gre",
                              "unknown"}


# -- scenarios ------------------------------------------------------------------------
def read_demo():
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run([os.path.join(BUILD, "tests/lib/mkdemo"), f.name],
                       check=True)
        return read_pcap(f.name)[0]


def timed_conversations(seed, numbers):
    """{number: [(seconds, packet)]}: every state, and then any packets."""
    out = {}
    for v6 in (False, True):
        for what in sorted(every_state(Pair(0, v6))):
            n = len(out)
            packets = every_state(Pair(n, v6))[what]
            out[n] = [p if isinstance(p, tuple) else (0.3, p)
                      for p in packets]
    rest = [n for n in numbers if n not in out]
    rnd = random.Random("timed:%s" % seed)
    for i, packets in conversations("mix", "timed:%s" % seed, rest).items():
        out[i] = with_gaps(rnd, packets, TIMED_LAST)
    return out


def packets_for(name, numbers, settings):
    """[(number, packet)], and the seconds of each or None."""
    kind, seed, turn = name.split(":")
    if kind == "demo":
        return [(0, p) for p in read_demo()], None
    if kind == "timed":
        wanted = set(numbers)
        made = timed_conversations(seed + ":" + turn, range(SIZE["timed"]))
        flat = sorted(((t, n, i, p) for n, seq in made.items()
                       for i, (t, p) in enumerate(seq) if n in wanted),
                      key=lambda x: x[:3])
        # The clock of a replay is its last packet: let everything end.
        last = Pair(60000).udp(0, (1, 2), b"the end")
        when = [x[0] for x in flat]
        when.append(TIMED_LAST + TIMED_TIMEOUT + 1.5)
        return [(n, p) for _, n, _, p in flat] + [(-1, last)], when
    lite = not settings.get("checksum")	# F146
    if kind == "udplite" and not lite:
        return [], None
    return interleaved(conversations(kind, seed + ":" + turn, numbers, lite),
                       name), None


SIZE = {}


# -- one scenario -----------------------------------------------------------------------
class Result:
    def __init__(self, name):
        self.name = name
        self.sequences = 0
        self.packets = 0
        self.count = collections.Counter()
        self.differ = collections.Counter()
        self.wrong = 0
        self.faults = []
        self.notes = []


def run_once(name, numbers, capture):
    """(Verdict, packets by number); repeated while the kernel's run is not
    whole."""
    settings = settings_for(name)
    flat, when = packets_for(name, numbers, settings)
    by_number = collections.defaultdict(list)
    for n, p in flat:
        by_number[n].append(p)
    packets = [p for _, p in flat]
    if not packets:
        return None, by_number, 0
    why = None
    for attempt in range(ATTEMPTS):
        try:
            with Kernel("%s-%d" % (PREFIX, os.getpid()), settings,
                        name.startswith("demo")) as k:
                got = k.track(packets, when)
            break
        except LostError as e:
            why = e
    else:
        raise OSError("%d runs, none whole: %s" % (ATTEMPTS, why))
    return judged(CTCTL, got, capture, packets,
                  dict(settings, **ours_only())), by_number, attempt


def numbers_of(verdict, numbers):
    """The conversations whose addresses stand in what differs."""
    at = {}
    for n in numbers:
        for v6 in (False, True):
            for h in Pair(n, v6).names:
                at[h] = n
    return sorted({at[h] for pair in verdict.by_hosts for h in pair
                   if h in at})


def halves(name, numbers, capture):
    """Which conversations make the sums differ: by halving, for a while."""
    end = time.time() + PATIENCE
    while len(numbers) > 1 and time.time() < end:
        half = numbers[:len(numbers) // 2]
        v = run_once(name, half, capture)[0]
        if v is None or not v.general:
            half = numbers[len(numbers) // 2:]
        numbers = half
    return numbers


def texts_of(verdict):
    return [t for texts in verdict.by_hosts.values() for t in texts] + \
        verdict.general


def explain(result, name, numbers, verdict, keep):
    """Run what differs again, by itself; it counts if it differs again."""
    stem = os.path.join(keep, name.replace(":", "-"))
    suspects = numbers_of(verdict, numbers)
    if not suspects and len(numbers) > 1 and not name.startswith("timed"):
        suspects = halves(name, sorted(numbers), stem + "-half.pcap")
    found = False
    alone = [suspects] if name.startswith("timed") else \
        [[n] for n in suspects[:40]]
    for some in alone:
        if not some:
            continue
        capture = "%s-%d.pcap" % (stem, some[0])
        v, packets, _ = run_once(name, some, capture)
        if not v:
            found = True
            shown = numbers_of(v, some) or some
            result.wrong += len(shown)
            text = ["%s, conversation %s (%s):" % (
                name, " ".join(map(str, shown)), capture)]
            for n in shown[:3]:
                text += ["  " + in_words(p) for p in packets[n]]
            result.faults.append("\n".join(text + texts_of(v)[:9]))
        elif os.path.exists(capture):
            os.unlink(capture)
    if found:
        return
    # Not by themselves: then all of them, once more.
    again = run_once(name, numbers, stem + ".pcap")[0]
    if again is None or again:
        result.notes.append("%s differed once and not again:\n  %s" % (
            name, "\n".join(texts_of(verdict)[:3])))
        return
    result.wrong += max(1, len(suspects))
    result.faults.append("%s, only all together (%s.pcap):\n%s" % (
        name, stem, "\n".join(texts_of(again)[:9])))


def judge(name, numbers, keep):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    result = Result(name)
    capture = os.path.join(keep, name.replace(":", "-") + ".pcap")
    try:
        v, packets, repeated = run_once(name, numbers, capture)
        if v is None:
            return result
        if repeated:
            result.notes.append("%s: repeated %d times, the kernel's run was "
                                "not whole" % (name, repeated))
        result.sequences = len(packets)
        result.packets = sum(map(len, packets.values()))
        result.count, result.differ = v.count, v.differ
        if name.startswith("timed") and not v.states >= STATES:
            result.faults.append("%s: no connection ended in %s" % (
                name, ", ".join(sorted(STATES - v.states))))
        if not v:
            explain(result, name, numbers, v, keep)
        if not result.faults:
            result.differ = collections.Counter()
            os.unlink(capture)
    except (OSError, ValueError, KeyError) as e:
        result.wrong += 1
        result.faults.append("%s: %r" % (name, e))
    return result


# -- the whole ------------------------------------------------------------------------
def missing():
    if os.getuid():
        return "the running kernel can be asked by root only"
    for tool in ("ip", "nft", "conntrack", "sysctl", "stdbuf"):
        if not shutil.which(tool):
            return tool + " is not there"
    try:
        with Kernel(PREFIX + "-0"):
            pass
    except OSError as e:
        return "no namespaces, or no connection tracking here: %s" % e
    return None


def seed_of_commit():
    r = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short=8", "HEAD"],
                       capture_output=True, text=True, check=False)
    return int(r.stdout, 16) if r.returncode == 0 else 1


def arguments():
    a = argparse.ArgumentParser(
        description="Hold ctshardd against the running kernel's tracker.")
    a.add_argument("--seeds", help="numbers, with commas between")
    a.add_argument("--sequences", type=int, default=0,
                   help="conversations of a scenario")
    a.add_argument("--kinds", help="with commas between; default is all")
    a.add_argument("--long", action="store_true",
                   help="three more seeds, and three times as many")
    a.add_argument("--jobs", type=int, default=2)
    a.add_argument("--keep", default=os.path.join(BUILD, "check-kernel"),
                   help="where captures of what differs are kept")
    a.add_argument("-v", action="store_true", help="each scenario")
    return a.parse_args()


def scenarios(args):
    seeds = [int(s) for s in args.seeds.split(",")] if args.seeds else \
        [seed_of_commit()]
    if args.long:
        seeds += [seeds[-1] + i for i in (1, 2, 3)]
    kinds = args.kinds.split(",") if args.kinds else \
        ["timed", "demo"] + list(KINDS) + ["mix"]
    n = args.sequences or (2000 if args.long else 600)
    out = []
    for kind in kinds:
        if kind not in KINDS and kind not in ("timed", "demo", "mix"):
            raise SystemExit("check-kernel: no kind is called " + kind)
        SIZE[kind] = {"demo": 1, "timed": min(n, 500)}.get(kind, n)
        rounds = {"demo": 1, "timed": TIMED_ROUNDS}.get(kind, ROUNDS)
        for seed in seeds[:1] if kind == "demo" else seeds:
            out += ["%s:%d:%d" % (kind, seed, i) for i in range(rounds)]
    return out


def row(kind, results):
    """One line: what agrees of what was compared."""
    count, differ = collections.Counter(), collections.Counter()
    for r in results:
        count.update(r.count)
        differ.update(r.differ)
    bad = any(r.faults for r in results)
    cells = ["%s %d" % (m, count[m]) if not differ[m] else
             "%s %d of %d differ" % (m, differ[m], count[m])
             for m in MEASURES if count[m]]
    return "%s %-8s %6d sequences, %7d packets: %s" % (
        "FAIL" if bad else "ok  ", kind, sum(r.sequences for r in results),
        sum(r.packets for r in results), ", ".join(cells))


def run_all(names, args):
    """{kind: [Result]}; timed ones mostly wait, so they come on top."""
    out = collections.defaultdict(list)
    timed = [n for n in names if n.startswith("timed")]
    rest = [n for n in names if n not in timed]
    with ProcessPoolExecutor(max(1, len(timed[:4]))) as slow, \
            ProcessPoolExecutor(args.jobs) as fast:
        todo = [slow.submit(judge, n, list(range(SIZE["timed"])), args.keep)
                for n in timed]
        todo += [fast.submit(judge, n, list(range(SIZE[n.split(":")[0]])),
                             args.keep) for n in rest]
        for f in as_completed(todo):
            r = f.result()
            out[r.name.split(":")[0]].append(r)
            if args.v:
                print(row(r.name, [r]), flush=True)
    return out


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    why = missing()
    if why:
        print("0 passed, 0 failed, 1 skipped\nskip: " + why)
        return 77
    if not os.access(CTCTL, os.X_OK):
        print(CTCTL + " is not there; run make first")
        return 1
    os.makedirs(args.keep, exist_ok=True)
    names = scenarios(args)
    start = time.time()
    try:
        results = run_all(names, args)
    finally:
        remove(*leftovers(PREFIX))
    passed = failed = skipped = 0
    for kind, rs in results.items():
        print(row(kind, rs))
        for r in rs:
            passed += not r.faults and r.sequences > 0
            skipped += not r.faults and r.sequences == 0
            failed += bool(r.faults)
            for text in r.faults[:10 ** 6 if args.v else 3]:
                print("    " + text.replace("\n", "\n    "))
            for text in r.notes:
                print("    note: " + text.replace("\n", "\n    "))
    for name, reason in DIFFERENCES.items():
        print("left out %s: %s" % (name, reason))
    print("seeds %s; %d s" % (" ".join(sorted({n.split(":")[1]
                                               for n in names})),
                              time.time() - start))
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
