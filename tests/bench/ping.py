#!/usr/bin/python3
"""How long a single ping on a quiet mirror takes until `ctctl watch` prints it.

	ping.py [N]

The daemon as it ships, on one end of a veth pair in a namespace of its own, then
on two of them with two workers, where packets wait to be merged.  Needs root.
One JSON object a line: tests/lib/pings.py.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
CTCTL, CTSHARDD = (os.path.join(BUILD, p) for p in ("ctctl", "ctshardd"))


def within(ns, *cmd, **more):
    return subprocess.Popen(["ip", "netns", "exec", ns, *cmd], **more)


def ready(run_dir):
    for _ in range(500):
        if not subprocess.run([CTCTL, "-R", run_dir, "count"],
                              capture_output=True, check=False).returncode:
            return
        time.sleep(0.02)
    sys.exit("the daemon does not answer")


def measure(ns, run_dir, pings, pairs):
    ifaces = [w for n in range(pairs) for w in ("-i", "rx%d" % n)]
    log = open(os.path.join(run_dir, "log"), "w", encoding="utf-8")
    daemon = within(ns, CTSHARDD, "-R", run_dir, "-w", str(pairs), *ifaces,
                    stderr=log)
    try:
        ready(run_dir)
        out = within(ns, "/usr/bin/python3",
                     os.path.join(ROOT, "tests", "lib", "pings.py"), "tx0",
                     str(pings), CTCTL, "-R", run_dir, "watch", "-e", "new",
                     stdout=subprocess.PIPE).communicate()[0]
        print(json.dumps({**json.loads(out), "interfaces": pairs}), flush=True)
    finally:
        daemon.terminate()
        daemon.wait()
        log.close()
        subprocess.run([CTSHARDD, "-R", run_dir, "--remove-table"],
                       capture_output=True, check=False)


def main(args):
    pings = int(args[0]) if args else 40
    if os.geteuid():
        print('{"bench":"ping","skipped":"wants root"}')
        return
    ns = "ctping%d" % os.getpid()
    run_dir = tempfile.mkdtemp(prefix="ctshardd-ping.")
    os.chmod(run_dir, 0o755)
    subprocess.run(["ip", "netns", "add", ns], check=True)
    try:
        subprocess.run(
            ["ip", "netns", "exec", ns, "sh", "-c",
             "sysctl -qw net.ipv6.conf.default.disable_ipv6=1; for i in 0 1; "
             "do ip link add tx$i type veth peer name rx$i && "
             "ip link set tx$i up && ip link set rx$i up || exit; done"],
            check=True)
        for pairs in (1, 2):
            measure(ns, run_dir, pings, pairs)
    finally:
        subprocess.run(["ip", "netns", "del", ns], check=False)
        shutil.rmtree(run_dir, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
