#!/usr/bin/python3
"""Hold replayed captures against records of the kernel's own tracker.

	tests/check-captures.py [MINIMUM] [-v] [NAME...]

Needs a collection of captures with the kernel's record beside each, and the
program that compares: neither is part of this repository, and without them
this check skips (exit 77).  Records that name a helper are left out unless
-H is given.  Prints the share of captures that agree in every table line,
every sequence of events and every packet class; fails under MINIMUM percent.
"""
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.environ.get("CAPTURES", os.path.join(ROOT, "..", "shared"))
CTCTL = os.path.join(os.environ.get("BUILD", os.path.join(ROOT, "build")),
                     "ctctl")


def names_helper(gold):
    lines = gold["events"] + [json.dumps(d) for d in gold["table"]]
    return bool(gold.get("expect_events") or
                any("helper" in line for line in lines))


def replay(capture, out):
    """The texts of one replay, or the message of its failure."""
    path = {k: os.path.join(out, k) for k in ("table", "events", "stats",
                                              "expect-events")}
    cmd = [CTCTL, "replay", "-o", "extended,id"]
    for k, p in path.items():
        cmd += ["--" + k, p]
    try:
        r = subprocess.run(cmd + [capture], capture_output=True, text=True,
                           timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return None, "no end after 120 s"
    if r.returncode:
        return None, "exit %d: %s" % (r.returncode, r.stderr.strip()[-200:])
    return path, None


def judge(compare, base, gold):
    """What differs in one capture: a list of short texts."""
    with tempfile.TemporaryDirectory(prefix="ctshardd-cap.") as out:
        path, why = replay(base + ".pcap", out)
        if why:
            return [why]
        lines, bad, seqs, wrong = compare.compare(
            gold, compare.parse_text(path["table"]),
            compare.parse_text(path["events"]))
        with open(path["stats"], encoding="ascii") as f:
            classes = compare.compare_classes(gold, json.load(f))
        with open(path["expect-events"], encoding="ascii") as f:
            n, x = compare.compare_expect(gold, f.read().splitlines())
    out = []
    if bad:
        out.append("table %d of %d" % (bad, lines))
    if wrong:
        out.append("events %d of %d" % (wrong, seqs))
    if x:
        out.append("expectations %d of %d" % (x, n))
    if classes:
        out.append("classes " + " ".join("%s %s/%s" % c for c in classes))
    return out


def main():
    flags = {a for a in sys.argv[1:] if a in ("-v", "-H")}
    args = [a for a in sys.argv[1:] if a not in flags]
    least = float(args.pop(0)) if args and args[0][0].isdigit() and \
        len(args[0]) < 6 else 0.0
    oracle = os.path.join(SHARED, "oracle")
    captures = os.path.join(SHARED, "captures")
    if not os.path.isfile(os.path.join(oracle, "compare.py")):
        print("skip: there is no collection of captures here")
        return 77
    if not os.access(CTCTL, os.X_OK):
        print("%s is not there; run make first" % CTCTL)
        return 1
    sys.path.insert(0, oracle)
    import compare

    work = []
    for name in sorted(args or (n[:-5] for n in os.listdir(captures)
                                if n.endswith(".json"))):
        base = os.path.join(captures, name)
        with open(base + ".json", encoding="utf-8") as f:
            gold = json.load(f)
        if "-H" in flags or args or not names_helper(gold):
            work.append((name, base, gold))
    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(lambda w: judge(compare, w[1], w[2]), work))
    good = 0
    for (name, _, gold), bad in zip(work, got):
        good += not bad
        if bad and "-v" in flags:
            print("%s (%s): %s" % (name, gold["name"], "; ".join(bad)))
    share = 100.0 * good / max(1, len(work))
    print("captures: %d of %d agree with the kernel, %.1f %% (least %.1f %%)" %
          (good, len(work), share, least))
    return int(share < least or not work)


if __name__ == "__main__":
    sys.exit(main())
