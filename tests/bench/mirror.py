#!/usr/bin/python3
"""What everything of a mirror costs while there is nothing for it to do: pairs
of `ctbench pipeline`, strict and with --mirror all, one behind the other and by
turns, so that what else the machine does is in both.

	mirror.py [--pairs N] [--connections N] [--packets M] [--most RATIO]

Prints the median of the pairs' ratios of time with its 95 % interval (of order
statistics: whatever their distribution is), and fails when its upper end is
above --most.  Wants an idle machine; the load is printed beside it.
"""
import argparse
import json
import math
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))


def run(args, *more):
    out = subprocess.run(
        [os.path.join(BUILD, "ctbench"), "pipeline", "--connections",
         str(args.connections), "--packets", str(args.packets), "--repeat", "1",
         *more], check=True, capture_output=True, text=True, timeout=600)
    row = json.loads(out.stdout)
    if row["accepted"] != 1:
        sys.exit("not all packets were accepted: %s" % row)
    return row["ns_per_packet"]


def interval(v):
    """Ranks between which the median lies with at least 95 %."""
    n, low, below = len(v), 0, 0.5 ** len(v)
    while below + math.comb(n, low + 1) * 0.5 ** n <= 0.025:
        low += 1
        below += math.comb(n, low) * 0.5 ** n
    return v[low], v[n - 1 - low]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--pairs", type=int, default=21)
    p.add_argument("--connections", type=int, default=10000)
    p.add_argument("--packets", type=int, default=4000000)
    p.add_argument("--most", type=float, default=1.08)
    args = p.parse_args()
    if args.pairs < 15:
        sys.exit("fewer than 15 pairs tell too little")
    ratios, times = [], ([], [])
    for k in range(args.pairs):
        ns = [0, 0]
        for mirror in ((0, 1), (1, 0))[k % 2]:
            ns[mirror] = run(args, *(["--mirror", "all"] if mirror else []))
            times[mirror].append(ns[mirror])
        ratios.append(ns[1] / ns[0])
    ratios.sort()
    low, high = interval(ratios)
    print(json.dumps({
        "bench": "mirror", "pairs": args.pairs,
        "connections": args.connections, "packets": args.packets,
        "strict_ns": sorted(times[0])[args.pairs // 2],
        "mirror_ns": sorted(times[1])[args.pairs // 2],
        "ratio": round(ratios[args.pairs // 2], 4),
        "low": round(low, 4), "high": round(high, 4), "most": args.most,
        "load": round(os.getloadavg()[0], 2)}))
    return int(high > args.most)


if __name__ == "__main__":
    sys.exit(main())
