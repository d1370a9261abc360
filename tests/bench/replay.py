#!/usr/bin/python3
"""Packets a second of a replay by two workers, of a capture of many connections
at once (tests/lib/mkflows).

	replay.py [--connections N] [--packets M] [--workers W] [--repeat R]

One JSON object: packets / elapsed_ns of `ctctl replay --stats`, from the first
frame that is read to the last that is tracked, the median of R runs.  The capture
is in TMPDIR and takes 110 bytes a packet; where it has no room for it, the line
says so and nothing fails.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
RECORD = 110    # a frame of mkflows and what stands before it, at most


def skip(why):
    print(json.dumps({"bench": "replay", "skipped": why}))
    return 0


def replay(capture, stats, workers):
    subprocess.run(
        [os.path.join(BUILD, "ctctl"), "replay", capture, "--workers",
         str(workers), "--table", os.devnull, "--stats", stats],
        check=True, stdout=subprocess.DEVNULL, timeout=600)
    with open(stats) as f:
        return json.load(f)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--connections", type=int, default=1000000)
    p.add_argument("--packets", type=int, default=5000000)
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--repeat", type=int, default=5)
    args = p.parse_args()
    mkflows = os.path.join(BUILD, "tests/lib/mkflows")
    if not os.path.exists(mkflows):
        return skip("there is no " + mkflows)
    with tempfile.TemporaryDirectory(prefix="ctbench.") as d:
        need = args.packets * RECORD
        if shutil.disk_usage(d).free < need + (64 << 20):
            return skip("%d MB of room wanted in %s" % (need // 1000000,
                                                        os.path.dirname(d)))
        capture = os.path.join(d, "in.pcap")
        subprocess.run([mkflows, capture, str(args.connections),
                        str(args.packets)], check=True, timeout=600)
        rates = []
        for _ in range(args.repeat):
            s = replay(capture, os.path.join(d, "stats"), args.workers)
            if s["frames"] != args.packets or \
                    s["count"] != args.connections or \
                    s["packets"]["invalid"]:
                sys.exit("replay: not all packets were tracked: %s" % s)
            rates.append(args.packets * 1e9 / s["elapsed_ns"])
    print(json.dumps({
        "bench": "replay", "connections": args.connections,
        "packets": args.packets, "workers": args.workers,
        "packets_per_second": round(statistics.median(rates)),
        "min": round(min(rates)), "max": round(max(rates))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
