#!/usr/bin/python3
"""How long the work stands still when something dies.

	restart.py [--build DIR] [heirs] [holder] [daemon CONNECTIONS...]

heirs   workers are killed while packets come at --pps: from the signal to the
	next packet that the heir commits; and how many packets were lost.
daemon  the whole daemon is killed with so many connections in its table, and
	started again by who keeps its sockets: until it answers, and until a
	packet is tracked.
holder  the reaper is stopped while it has a shard's lock that a worker wants:
	how long that worker stands still.

A veth pair in namespaces of its own, segments in /dev/shm.  Needs root.  The
figures are for an idle machine; the load is printed beside them.
"""
import argparse
import json
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))
from heirs import Cursor, Heirs, segment_hash, workers  # noqa: E402

SHM = '/dev/shm'
SLOT_REAPER, SHARDS, SHARD = 64, 256, 192   # shm/layout.h


def run(*cmd, check=True):
    return subprocess.run(cmd, check=check, capture_output=True, text=True)


class Cpu:
    """Processor time of the daemon, where a cgroup can tell: what a machine
    that does other things too cannot blur."""

    def __init__(self):
        self.path = '/sys/fs/cgroup/cpuacct/ctshardd-restart-%d' % os.getpid()
        try:
            os.mkdir(self.path)
        except OSError:
            self.path = None

    def join(self):
        if self.path:
            with open(self.path + '/cgroup.procs', 'w') as f:
                f.write('%d' % os.getpid())

    def read(self):
        if not self.path:
            return float('nan')
        with open(self.path + '/cpuacct.usage') as f:
            return int(f.read()) / 1e6

    def close(self):
        for _ in range(100):
            try:
                os.rmdir(self.path or '')
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.02)


def median(v):
    v = sorted(v)
    return v[len(v) // 2] if v else float('nan')


class World:
    def __init__(self, o, daemon, connections=0):
        self.o = o
        self.dir = tempfile.mkdtemp(prefix='ctshardd-restart-')
        os.chmod(self.dir, 0o711)
        self.run_dir = self.dir + '/run'
        os.mkdir(self.run_dir)
        if connections:
            run(o.build + '/tests/lib/mktable', SHM, 'ctshardd.' +
                segment_hash(self.run_dir), str(connections),
                str(connections + 65536))
        self.ns = 'ctr%d' % os.getpid()
        self.cpu = str(min(os.sched_getaffinity(0)))
        self.keeper = None
        self.cpu_of = Cpu()
        run('ip', 'netns', 'add', self.ns)
        self.within('sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1')
        self.within('ip', 'link', 'add', 'tx0', 'type', 'veth', 'peer',
                    'name', 'rx0')
        for dev in ('tx0', 'rx0'):
            self.within('ip', 'link', 'set', dev, 'up')
        self.keeper = subprocess.Popen(
            ['ip', 'netns', 'exec', self.ns, HERE + '/../lib/keeper.py',
             self.dir + '/notify', '0', '16', os.path.realpath(o.build) +
             '/ctshardd', '-R', self.run_dir, '-i', 'rx0', '-s',
             'shm_dir=' + SHM] + daemon, stderr=open(self.dir + '/log', 'a'),
            stdin=subprocess.DEVNULL, preexec_fn=self.cpu_of.join)
        if not self.wait(lambda: self.ctl('count').returncode == 0):
            raise SystemExit('no answer: ' + open(self.dir + '/log').read())

    def within(self, *cmd):
        return run('ip', 'netns', 'exec', self.ns, *cmd)

    def ctl(self, *words):
        return run(self.o.build + '/ctctl', '-R', self.run_dir, *words,
                   check=False)

    def wait(self, what, seconds=600):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if what():
                return True
            time.sleep(0.02)
        return False

    def flows(self, connections, packets):
        path = '%s/%d.pcap' % (self.dir, connections)
        run(self.o.build + '/tests/lib/mkflows', path, str(connections),
            str(packets))
        return path

    def sender(self, path, pps, loops=1):
        return ['ip', 'netns', 'exec', self.ns, 'taskset', '-c', self.cpu,
                'tcpreplay', '-q', '-i', 'tx0', '--loop', str(loops),
                '--pps', str(pps), '--pps-multi', str(max(1, pps // 4000))
                ] + (['-K'] if loops > 1 else []) + [path]

    def stats(self):
        r = self.ctl('stats', '-o', 'json')
        return json.loads(r.stdout) if not r.returncode else None

    def frames(self):
        s = self.stats()
        return s['frames'] if s else -1

    def supervisor(self):
        with open(self.run_dir + '/pid') as f:
            return int(f.read())

    def ring(self, n):
        return Cursor('%s/ctshardd.%s.ev.%d' %
                      (SHM, segment_hash(self.run_dir), n))

    def close(self):
        if self.keeper:
            self.keeper.terminate()
            try:
                self.keeper.wait(20)
            except subprocess.TimeoutExpired:
                self.keeper.kill()
                self.keeper.wait()
        run(self.o.build + '/ctshardd', '-R', self.run_dir, '-s',
            'shm_dir=' + SHM, '--remove-table', check=False)
        run('ip', 'netns', 'del', self.ns, check=False)
        self.cpu_of.close()
        if self.o.keep:
            print(open(self.dir + '/log').read())
        run('rm', '-rf', self.dir)


def bench_heirs(o):
    w = World(o, ['-w', '2', '-s', 'capture.buffer=256M', '-s',
                  'tcp_be_liberal=1', '-s', 'tcp.mode=strict'])
    try:
        n, loops = 100000, o.seconds * o.pps // 100000
        h = Heirs(w.run_dir, SHM, 1 << 30)
        t0 = time.monotonic()
        h.run(w.sender(w.flows(2000, n), o.pps, loops))
        rate = n * loops / (time.monotonic() - t0)
        w.wait(lambda: w.frames() == n * loops, 20)
        s = w.stats()
        print('heirs    %6d kills at %d packets/s: tracks again after median '
              '%.1f ms, longest %.1f; sent %d, tracked %d, dropped %d' %
              (h.kills, rate, median(h.took), max(h.took or [0]), n * loops,
               s['frames'], s['drops']['kernel_ring']))
    finally:
        w.close()


def bench_daemon(o, connections):
    w = World(o, ['-w', '1', '-s', 'max=%d' % (connections + 65536), '-s',
                  'capture.buffer=256M', '-s', 'udp_timeout=100000', '-s',
                  'udp_timeout_stream=100000', '-s',
                  'tcp_timeout_syn_sent=100000'], connections)
    try:
        subprocess.run(w.sender(w.flows(1000, 1000), 4000),
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        few = w.flows(1000, 40000)
        last = [-1]

        def still():
            was, last[0] = last[0], w.frames()
            return was == last[0]
        # the table's pages are mapped by who will be killed
        w.ctl('check', '--deep')
        w.wait(still, 60)
        count = int(w.ctl('count').stdout)
        answers, tracks, spent = [], [], []
        sender = subprocess.Popen(w.sender(few, 2000),
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        for _ in range(5):
            ring = w.ring(0)
            t0 = time.monotonic()
            pid, cpu = w.supervisor(), w.cpu_of.read()
            old = [p for _, p in workers(pid)]
            os.kill(pid, signal.SIGKILL)
            while any(os.path.exists('/proc/%d/exe' % p)
                      for p in old + [pid]):
                pass
            was, tracked = ring.read(), []

            def track():
                while time.monotonic() < t0 + 60:
                    if ring.read() != was:
                        tracked.append((time.monotonic() - t0) * 1000)
                        return
                    time.sleep(0.0005)
            t = threading.Thread(target=track)
            t.start()
            w.wait(lambda: w.ctl('count').returncode == 0, 60)
            answers.append((time.monotonic() - t0) * 1000)
            t.join()
            tracks += tracked
            spent.append(w.cpu_of.read() - cpu)
            if o.keep:
                print(answers[-1], tracks[-1], spent[-1])
            time.sleep(1)
        sender.wait()
        w.wait(still, 60)
        lost = count - int(w.ctl('count').stdout)
        print('daemon %8d connections: tracks after median %.0f ms, longest '
              '%.0f; answers after %.0f, longest %.0f; processor time %.0f; '
              '%d kills, %d connections lost, dropped %d' %
              (count, median(tracks), max(tracks or [0]), median(answers),
               max(answers), median(spent), len(answers), lost,
               w.stats()['drops']['kernel_ring']))
    finally:
        w.close()


def bench_holder(o):
    """Checks of full shards keep the reaper in locks; it is stopped again and
    again, until it has one and the worker stands still."""
    connections = 2000000
    w = World(o, ['-w', '1', '-s', 'max=%d' % (connections + 65536), '-s',
                  'capture.buffer=256M', '-s', 'udp_timeout=100000', '-s',
                  'udp_timeout_stream=100000', '-s', 'tcp.mode=strict', '-s',
                  'tcp_timeout_syn_sent=100000', '-s', 'tcp_be_liberal=1'],
              connections)
    took, stops = [], 0
    sender = None
    try:
        base = '%s/ctshardd.%s' % (SHM, segment_hash(w.run_dir))
        with open(base + '.tbl', 'rb') as f:
            tbl = mmap.mmap(f.fileno(), 4096 * 16, prot=mmap.PROT_READ)
        path = w.flows(20000, 200000)
        sender = subprocess.Popen(w.sender(path, 50000, 1000),
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        ring = w.ring(0)
        end = time.monotonic() + 120
        while len(took) < o.samples and time.monotonic() < end:
            check = subprocess.Popen(
                [o.build + '/ctctl', '-R', w.run_dir, 'check', '--deep'],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(random.uniform(0.003, 0.1))
            r = run('pgrep', '-P', str(w.supervisor()), '-f',
                    '^ctshardd: reaper$', check=False)
            if not r.stdout:
                check.wait()
                continue
            pid = int(r.stdout.split()[0])
            os.kill(pid, signal.SIGSTOP)
            stops += 1
            time.sleep(0.001)
            held = [i for i in range(SHARDS) if (struct.unpack_from(
                '<I', tbl, 4096 + i * SHARD)[0] & 0xff) == SLOT_REAPER + 1]
            if held:
                took.append(gap(ring))
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
            check.wait()
            # ten such deaths a minute are one too many for a supervisor
            time.sleep(7 if held else 0)
        s = w.stats()
        print('holder   %6d stops with a lock (of %d): the worker stood '
              'still for median %.0f ms, longest %.0f; dropped %d' %
              (len(took), stops, median(took), max(took or [0]),
               s['drops']['kernel_ring']))
    finally:
        if sender:
            sender.terminate()
            sender.wait()
        w.close()


def gap(ring):
    """The longest time that its cursor stands, in the half second to come."""
    t0 = last = time.monotonic()
    was, longest = ring.read(), 0.0
    while time.monotonic() < t0 + 0.6:
        now, t = ring.read(), time.monotonic()
        longest = max(longest, t - last)
        if now != was:
            was, last = now, t
        time.sleep(0.0005)
    return longest * 1000


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--build', default=os.environ.get('BUILD', 'build'))
    p.add_argument('--pps', type=int, default=200000)
    p.add_argument('--seconds', type=int, default=10)
    p.add_argument('--samples', type=int, default=8)
    p.add_argument('--keep', action='store_true', help='tell more')
    p.add_argument('what', nargs='*')
    o = p.parse_args()
    what = o.what or ['heirs', 'holder', 'daemon', '1000000']
    if os.geteuid():
        print('restart: skipped, needs root for network namespaces')
        return
    random.seed(1)
    print('load     %s' % open('/proc/loadavg').read().strip())
    for x in what:
        if x == 'heirs':
            bench_heirs(o)
        elif x == 'holder':
            bench_holder(o)
        elif x.isdigit():
            bench_daemon(o, int(x))
    print('load     %s' % open('/proc/loadavg').read().strip())


if __name__ == '__main__':
    main()
