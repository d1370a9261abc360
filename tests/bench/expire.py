#!/usr/bin/python3
"""A table that expires all at once while somebody follows it: how many DESTROY
events a second he gets, and whether one is missing.

	expire.py [--connections N] [--repeat R]

The daemon as it ships, on an interface where nothing comes, in a namespace of its
own, over a table whose connections end in the same second; `ctctl watch -e destroy
-o jsonl` into a file.  The reaper can do more than a subscriber takes, and waits
for him.  Needs root.  One JSON object.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from heirs import segment_hash  # noqa: E402

CTCTL, CTSHARDD, MKTABLE = (os.path.join(BUILD, p) for p in (
    "ctctl", "ctshardd", "tests/lib/mktable"))
SHM = "/dev/shm"


def ctl(run_dir, *words):
    return subprocess.run([CTCTL, "-R", run_dir, *words], timeout=60,
                          capture_output=True, text=True, check=False)


def until(what, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.0005)
    return False


def drops(run_dir):
    return json.loads(ctl(run_dir, "stats", "-o", "json").stdout)["drops"]


def follow(run_dir, out, n):
    """Seconds from the first DESTROY to the last."""
    with open(out, "wb") as f:
        watch = subprocess.Popen(
            [CTCTL, "-R", run_dir, "watch", "-e", "destroy", "-o", "jsonl",
             "-n", str(n)], stdout=f, stderr=subprocess.DEVNULL)
    try:
        if not until(lambda: os.stat(out).st_size, 120):
            sys.exit("nothing expired")
        t0 = time.monotonic()
        watch.wait(timeout=120)
        return time.monotonic() - t0
    except subprocess.TimeoutExpired:
        with open(out, "rb") as f:
            got = sum(b.count(b"\n") for b in iter(lambda: f.read(1 << 20),
                                                   b""))
        sys.exit("%d of %d events came: %s" % (got, n, drops(run_dir)))
    finally:
        watch.kill()
        watch.wait()


def measure(ns, n):
    with tempfile.TemporaryDirectory(prefix="ctbench.") as d:
        os.chmod(d, 0o711)
        run_dir = os.path.join(d, "run")
        os.mkdir(run_dir)
        # so long that the daemon and its follower are there before
        subprocess.run([MKTABLE, SHM, "ctshardd." + segment_hash(run_dir),
                        str(n), str(n + n // 4), str(5 + n // 200000)],
                       check=True)
        with open(os.path.join(d, "log"), "wb") as log:
            daemon = subprocess.Popen(
                ["ip", "netns", "exec", ns, CTSHARDD, "-R", run_dir, "-i",
                 "lo", "-s", "shm_dir=" + SHM, "-s",
                 "max=%d" % (n + n // 4)], stderr=log)
        try:
            if not until(lambda: ctl(run_dir, "count").stdout.strip() ==
                         str(n), 30):
                with open(os.path.join(d, "log"), encoding="utf-8") as f:
                    sys.exit("no table of %d: %s" % (n, f.read()))
            took = follow(run_dir, os.path.join(d, "out"), n)
            lost = drops(run_dir)
        finally:
            daemon.terminate()
            daemon.wait()
            subprocess.run([CTSHARDD, "-R", run_dir, "-s", "shm_dir=" + SHM,
                            "--remove-table"], capture_output=True,
                           check=False)
        return n / took, lost["event_ring"] + lost["subscriber"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--connections", type=int, default=1000000)
    p.add_argument("--repeat", type=int, default=5)
    args = p.parse_args()
    if os.geteuid():
        print('{"bench":"expire_followed","skipped":"wants root"}')
        return 0
    ns = "cte%d" % os.getpid()
    subprocess.run(["ip", "netns", "add", ns], check=True)
    try:
        subprocess.run(["ip", "-n", ns, "link", "set", "lo", "up"],
                       check=True)
        got = [measure(ns, args.connections) for _ in range(args.repeat)]
    finally:
        subprocess.run(["ip", "netns", "del", ns], check=False)
    lost = sum(g[1] for g in got)
    print(json.dumps({
        "bench": "expire_followed", "connections": args.connections,
        "per_second": round(statistics.median(g[0] for g in got)),
        "lost": lost}))
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
