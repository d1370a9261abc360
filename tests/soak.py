#!/usr/bin/python3
"""Traffic, clients and kill -9 for some time; nothing may be lost unsaid.

	tests/soak.py [SECONDS]

Needs root: works in a network namespace of its own, with a daemon that tracks
one end of a veth pair while frames go into the other.  Every few seconds one
process of the daemon is killed, and every now and then all of them.  Meanwhile
one client follows all events, one lists, one checks the table.  What must
hold:

 - a process that was killed is back, and the daemon answers;
 - `ctctl check --deep` finds no fault, while running and after the end;
 - the numbers of the events that the follower saw are without a hole that a
   GAP does not explain;
 - what is tracked grows after every death.

Ends with `N passed, N failed`, one for each of these looks.
"""
import collections
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from traffic import frame_of, packets_of  # noqa: E402

SUM = collections.Counter()


def look(name, fault):
    """Count one look; `fault` is empty when all is well."""
    SUM["failed" if fault else "passed"] += 1
    if fault:
        print("FAIL %s: %s" % (name, fault))
        sys.stdout.flush()


def ip(line, check=True):
    subprocess.run(["ip"] + line.split(), check=check, capture_output=True)


class Sender(threading.Thread):
    """Sends frames of ever new conversations into the namespace."""

    def __init__(self, ns):
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.sock = None
        libc = __import__("ctypes").CDLL(None, use_errno=True)
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/" + ns, os.O_RDONLY)
        try:
            if libc.setns(there, 0):
                raise OSError("setns")
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self.sock.bind(("tap", 0))
        finally:
            libc.setns(here, 0)
            os.close(here)
            os.close(there)

    def run(self):
        for seed in itertools.count():
            for kind in ("tcp", "udp", "icmp6", "tcp6", "sctp"):
                for p in packets_of("%s:%d" % (kind, seed), 50):
                    if self.stop.is_set():
                        return
                    try:
                        self.sock.send(frame_of(p))
                    except OSError:
                        time.sleep(0.01)
                    time.sleep(0.0005)


class Follower(threading.Thread):
    """ctctl watch, and whether its numbers have unexplained holes."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.proc = daemon.client_start("watch", "-o", "jsonl")
        self.seen = self.gaps = 0
        self.faults = []

    def run(self):
        last = None
        for line in self.proc.stdout:
            e = json.loads(line)
            if e["event"] == "GAP":
                self.gaps += 1
                if last is not None and e["from"] != last:
                    self.faults.append("GAP from %d after %d" %
                                       (e["from"], last))
                last = e["to"] - 1
                continue
            if last is not None and e["seq"] != last + 1:
                self.faults.append("%d after %d" % (e["seq"], last))
            last = e["seq"]
            self.seen += 1


class Daemon:
    def __init__(self, ns, folder):
        self.ns = ns
        self.run_dir = os.path.join(folder, "run")
        os.mkdir(self.run_dir, 0o755)
        self.log = open(os.path.join(folder, "log"), "a+")
        self.proc = None

    def start(self):
        self.proc = subprocess.Popen(
            ["ip", "netns", "exec", self.ns,
             os.path.join(BUILD, "ctshardd"), "-R", self.run_dir, "-i",
             "mirror", "-w", "2"], stderr=self.log)
        return self.wait_answer()

    def client(self, *args):
        return subprocess.run(
            [os.path.join(BUILD, "ctctl"), "-R", self.run_dir] + list(args),
            capture_output=True, text=True, check=False)

    def client_start(self, *args):
        return subprocess.Popen(
            [os.path.join(BUILD, "ctctl"), "-R", self.run_dir] + list(args),
            stdout=subprocess.PIPE, text=True)

    def wait_answer(self):
        for _ in range(600):
            if self.client("count").returncode == 0:
                return True
            if self.proc.poll() is not None:
                return False
            time.sleep(0.1)
        return False

    def supervisor(self):
        with open(os.path.join(self.run_dir, "pid")) as f:
            return int(f.read())

    def roles(self):
        """Title -> pid of the supervisor's children."""
        out = {}
        r = subprocess.run(["pgrep", "-P", str(self.supervisor())],
                           capture_output=True, text=True, check=False)
        for pid in map(int, r.stdout.split()):
            try:
                with open("/proc/%d/cmdline" % pid) as f:
                    out[f.read().replace("\0", " ").strip()] = pid
            except OSError:
                continue
        return out

    def frames(self):
        r = self.client("stats", "-o", "json")
        return json.loads(r.stdout)["frames"] if r.returncode == 0 else -1

    def tail(self):
        self.log.seek(0)
        return self.log.read()[-2000:]


def kill_role(d, title):
    pid = d.roles().get(title)
    if not pid:
        look("kill", "there is no " + title)
        return
    os.kill(pid, signal.SIGKILL)
    for _ in range(300):
        now = d.roles().get(title)
        if now and now != pid:
            break
        time.sleep(0.1)
    look("restart", "" if now and now != pid else title + " is not back")
    look("answer", "" if d.wait_answer() else "none after " + title)


def kill_all(d):
    os.kill(d.supervisor(), signal.SIGKILL)
    d.proc.wait()
    look("start", "" if d.start() else "the daemon does not start")


def look_around(d):
    r = d.client("check", "--deep")
    look("check", "" if r.returncode == 0 else r.stdout + r.stderr)
    r = d.client("list", "-o", "jsonl")
    rows = [json.loads(x) for x in r.stdout.splitlines()]
    look("list", "" if r.returncode == 0 and rows else
         "exit %d, %d rows: %s" % (r.returncode, len(rows), r.stderr))
    look("ids", "" if len({x["id"] for x in rows}) == len(rows) else
         "an id stands twice in the list")
    a = d.frames()
    for _ in range(100):
        b = d.frames()
        if b > a >= 0:
            break
        time.sleep(0.1)
    look("progress", "" if b > a >= 0 else "%d frames, then %d" % (a, b))


def soak(d, ns, seconds):
    look("start", "" if d.start() else "the daemon does not start")
    if SUM["failed"]:
        return
    sender = Sender(ns)
    sender.start()
    follower = Follower(d)
    follower.start()
    end = time.monotonic() + seconds
    for n in itertools.count(1):
        # Slower than the ten deaths a minute at which a daemon gives up.
        time.sleep(5)
        if n % 5 == 0:
            kill_all(d)
        else:
            titles = sorted(d.roles())
            kill_role(d, titles[n % len(titles)] if titles else "role")
        look_around(d)
        if time.monotonic() > end:
            break
    sender.stop.set()
    sender.join()
    time.sleep(2)
    follower.proc.send_signal(signal.SIGINT)
    look("watch", "" if follower.proc.wait() == 0 else "it failed")
    follower.join(10)
    look("events", "; ".join(follower.faults[:5]) if follower.faults else
         "" if follower.seen else "none")
    print("%d events followed, %d gaps told, %d frames" % (
        follower.seen, follower.gaps, d.frames()))
    d.proc.send_signal(signal.SIGTERM)
    look("stop", "" if d.proc.wait() == 0 else
         "exit %d" % d.proc.returncode)
    r = d.client("check", "--deep")
    look("check", "" if r.returncode == 0 else r.stdout + r.stderr)


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    if os.getuid():
        print("skip: needs a network namespace, which root can make")
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ns = "cts-s%d" % os.getpid()
    with tempfile.TemporaryDirectory(prefix="ctshardd-soak.") as folder:
        os.chmod(folder, 0o711)
        d = Daemon(ns, folder)
        try:
            ip("netns add " + ns)
            ip("netns exec %s sysctl -qw net.ipv6.conf.default.disable_ipv6=1"
               % ns)
            ip("-n %s link add tap type veth peer name mirror" % ns)
            ip("-n %s link set tap up" % ns)
            ip("-n %s link set mirror up" % ns)
            soak(d, ns, seconds)
        except (OSError, ValueError, KeyError,
                subprocess.CalledProcessError) as e:
            look("soak", repr(e))
        finally:
            if d.proc and d.proc.poll() is None:
                d.proc.terminate()
                try:
                    d.proc.wait(30)
                except subprocess.TimeoutExpired:
                    d.proc.kill()
            subprocess.run([os.path.join(BUILD, "ctshardd"), "-R", d.run_dir,
                            "--remove-table"], check=False,
                           stderr=subprocess.DEVNULL)
            ip("netns del " + ns, check=False)
            if SUM["failed"]:
                print(d.tail())
    print("%d passed, %d failed" % (SUM["passed"], SUM["failed"]))
    return SUM["failed"] != 0


if __name__ == "__main__":
    sys.exit(main())
