#!/usr/bin/python3
"""Ten consumers, restarts of everything, and one truth.

  consumers.py [--seconds S] [--pps P] [--consumers N] [--build DIR]

A veth pair in a namespace of its own: tcpreplay sends datagrams, each of a new
connection that soon expires, so a packet is two events.  Consumers follow with
`ctctl watch --snapshot -o jsonl`, each for itself, as programs do: a set of
connections, from LIST and NEW to DESTROY.  Meanwhile reaper, api, a worker, the
whole daemon and the consumers' own ctctl get SIGKILL in turn.  A consumer that
lost its ctctl goes on with the number of the last event that it has worked off;
one that is told of a GAP takes a new snapshot, and is allowed to.

At the end traffic stops, and every consumer must hold exactly the connections
of the table, its numbers must have gone up by one but for gaps that said how
much is missing, and no connection may have been told of as new twice.  Prints
one line of figures; exits with 1 if anything differs.  Needs root.
"""
import argparse
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TRIES = 1200            # waits are bounded by tries of 50 ms


def wait(what, true):
    for _ in range(TRIES):
        if true():
            return
        time.sleep(0.05)
    sys.exit('consumers: never true: ' + what)


class Consumer(threading.Thread):
    def __init__(self, ctl, uuid, number):
        super().__init__(daemon=True)
        self.ctl, self.uuid, self.number = ctl, uuid, number
        self.live = {}          # id: source port
        self.seq = None         # last event worked off
        self.events = self.gaps = self.restarts = 0
        self.faults = []
        self.done = False
        self.child = None

    def fault(self, text):
        if len(self.faults) < 5:
            self.faults.append('consumer %d: %s' % (self.number, text))

    def event(self, e):
        kind, seq = e['event'], e.get('seq')
        if kind == 'GAP':
            self.gaps += 1
            self.seq = None
            return False
        if kind == 'LIST':
            self.live[e['id']] = e['original'].get('sport')
            return True
        if kind == 'LIST_END':
            self.seq = seq
            return True
        if seq <= self.seq:
            self.fault('%d after %d' % (seq, self.seq))
        if seq != self.seq + 1:
            self.fault('%d is missing' % (self.seq + 1))
        self.seq = seq
        self.events += 1
        if kind == 'NEW':
            if e['id'] in self.live:
                self.fault('new twice: ' + e['id'])
            self.live[e['id']] = e['original'].get('sport')
        elif kind == 'DESTROY':
            if self.live.pop(e['id'], self) is self:
                self.fault('ended and was not there: ' + e['id'])
        return True

    def run(self):
        while not self.done:
            argv = self.ctl + ['watch', '-o', 'jsonl', '--no-reconnect']
            if self.seq is None:
                self.live.clear()
                argv += ['--snapshot']
            else:
                argv += ['--since', '%s:%d' % (self.uuid, self.seq)]
            self.child = subprocess.Popen(argv, stdout=subprocess.PIPE,
                                          stderr=subprocess.DEVNULL)
            snapshot = self.seq is None
            for line in self.child.stdout:
                try:
                    e = json.loads(line)
                except ValueError:
                    break       # a line that was cut by a kill
                if e.get('event') == 'LIST_END' and not snapshot:
                    continue
                if not self.event(e):
                    break
            if snapshot and self.seq is None:
                self.live.clear()
            self.child.kill()
            self.child.stdout.close()
            self.child.wait()
            if not self.done:
                self.restarts += 1
                time.sleep(0.1)


class Bed:
    def __init__(self, o, work):
        self.o, self.work = o, work
        self.ns = 'consumers%d' % os.getpid()
        self.run_dir = os.path.join(work, 'run')
        os.mkdir(self.run_dir, 0o755)
        os.chmod(work, 0o711)
        self.daemon = self.sender = None
        self.ctl = [os.path.join(o.build, 'ctctl'), '-R', self.run_dir]

    def inside(self, *argv, **kw):
        return subprocess.Popen(('ip', 'netns', 'exec', self.ns) + argv,
                                stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, **kw)

    def ask(self, *argv):
        r = subprocess.run(self.ctl + list(argv), capture_output=True,
                           text=True, timeout=60)
        return r.stdout if r.returncode == 0 else None

    def net(self):
        for c in ('ip netns add ' + self.ns,
                  'ip netns exec %s sysctl -qw '
                  'net.ipv6.conf.default.disable_ipv6=1' % self.ns,
                  'ip -n %s link add tx0 type veth peer name rx0' % self.ns,
                  'ip -n %s link set tx0 up' % self.ns,
                  'ip -n %s link set rx0 up' % self.ns):
            subprocess.run(c.split(), check=True)

    def start(self):
        self.daemon = self.inside(
            os.path.join(self.o.build, 'ctshardd'), '-R', self.run_dir, '-i',
            'rx0', '-s', 'udp_timeout=2', '-s', 'capture.buffer=8M', '-s',
            'event.log=256M', '-s', 'event.ring=64M', '-s', 'max=400000')
        wait('the daemon is ready', lambda: self.ask('count'))

    def pid(self):
        with open(os.path.join(self.run_dir, 'pid')) as f:
            return int(f.read())

    def role(self, name):
        r = subprocess.run(['pgrep', '-P', str(self.pid()), '-f',
                            '^ctshardd: ' + name], capture_output=True,
                           text=True)
        return [int(p) for p in r.stdout.split()]

    def flows(self, path, n):
        """One datagram each, from ports and addresses of their own."""
        with open(path, 'wb') as f:
            f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for i in range(n):
                ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 32, i & 65535, 0,
                                 64, 17, 0, struct.pack('>I',
                                                        0x0a000000 + i // 50),
                                 socket.inet_aton('10.99.0.1'))
                b = bytes(12) + b'\x08\x00' + ip + struct.pack(
                    '>HHHH', 1024 + i % 50, 4001, 12, 0) + bytes(4)
                f.write(struct.pack('<IIII', 1700000000, i % 1000000, len(b),
                                    len(b)) + b)

    def send(self, path):
        self.sender = self.inside('tcpreplay', '-q', '-i', 'tx0', '-K',
                                  '--loop=0', '-p', str(self.o.pps), path)

    def end(self, p):
        if p and p.poll() is None:
            p.terminate()
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

    def close(self):
        self.end(self.sender)
        self.end(self.daemon)
        subprocess.run([os.path.join(self.o.build, 'ctshardd'), '-R',
                        self.run_dir, '--remove-table'], capture_output=True)
        subprocess.run(['ip', 'netns', 'del', self.ns], capture_output=True)


def blow(bed, consumers, turn):
    """One of everything, in turn."""
    kind = ('consumer', 'reaper', 'api', 'worker 0', 'daemon')[turn % 5]
    if kind == 'consumer':
        for c in random.sample(consumers, max(1, len(consumers) // 3)):
            if c.child:
                c.child.kill()
    elif kind == 'daemon':
        os.kill(bed.pid(), signal.SIGKILL)
        bed.daemon.wait()
        bed.start()
    else:
        for p in bed.role(kind):
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait(kind + ' is there again', lambda: bed.role(kind)
             and bed.ask('count'))
    return kind


def truth(bed):
    text = bed.ask('list', '-o', 'json')
    return {c['id']: c['original'].get('sport') for c in json.loads(text)} \
        if text else None


def settled(bed, consumers):
    """Nothing comes any more, and everybody has got it."""
    seq = json.loads(bed.ask('stats', '-o', 'json') or '{}').get('events')
    same = [c.seq for c in consumers]
    return seq and None not in same and len(set(same)) == 1


def judge(bed, consumers):
    table = None

    def equal():
        nonlocal table
        if not settled(bed, consumers):
            return False
        before = [c.seq for c in consumers]
        table = truth(bed)
        return table is not None and before == [c.seq for c in consumers] \
            and all(c.live == table for c in consumers)

    # connections still end while we look, so it must be true at some instant
    for _ in range(TRIES):
        if equal():
            return table, []
        time.sleep(0.1)
    return table, ['consumer %d: %d connections, the table has %d; last %s' %
                   (c.number, len(c.live), len(table or ()), c.seq)
                   for c in consumers if c.live != table]


def work(o, bed):
    bed.net()
    bed.start()
    bed.flows(os.path.join(bed.work, 'flows.pcap'), o.flows)
    uuid = json.loads(bed.ask('show', 'version', '-o', 'json'))
    uuid = next(r['value'] for r in uuid['version'] if r['what'] == 'uuid')
    consumers = [Consumer(bed.ctl, uuid, i) for i in range(o.consumers)]
    for c in consumers:
        c.start()
    bed.send(os.path.join(bed.work, 'flows.pcap'))
    began, turn, kinds = time.monotonic(), 0, {}
    while time.monotonic() - began < o.seconds or turn < 5:
        time.sleep(max(0.5, min(5, o.seconds / 12)))
        kind = blow(bed, consumers, turn)
        kinds[kind] = kinds.get(kind, 0) + 1
        turn += 1
        if bed.sender.poll() is not None:
            sys.exit('consumers: tcpreplay has ended')
    took = time.monotonic() - began
    bed.end(bed.sender)
    # connections that stay: what is compared is not only that all is empty
    bed.ask('set', 'udp_timeout=600')
    few = os.path.join(bed.work, 'few.pcap')
    bed.flows(few, 500)
    subprocess.run(['ip', 'netns', 'exec', bed.ns, 'tcpreplay', '-q', '-K',
                    '-i', 'tx0', '-p', '2000', few], capture_output=True)
    table, faults = judge(bed, consumers)
    if not faults and len(table) < 500:
        faults = ['%d connections in the end, of 500' % len(table)]
    for c in consumers:
        c.done = True
        c.child.kill()
    for c in consumers:
        c.join(10)
        faults += c.faults
    events = [c.events for c in consumers]
    print('%d consumers, %.0f s, %s; events a second of each %.0f to %.0f; '
          'restarts of consumers %d, gaps told %d; %d connections in the end'
          % (len(consumers), took,
             ', '.join('%s killed %d' % k for k in sorted(kinds.items())),
             min(events) / took, max(events) / took,
             sum(c.restarts for c in consumers),
             sum(c.gaps for c in consumers), len(table or ())))
    for f in faults:
        print(f)
    return 1 if faults else 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--seconds', type=float, default=10)
    p.add_argument('--pps', type=int, default=1000)
    p.add_argument('--flows', type=int, default=50000)
    p.add_argument('--consumers', type=int, default=10)
    p.add_argument('--build', default=os.environ.get(
        'BUILD', os.path.join(os.path.dirname(HERE), 'build')))
    o = p.parse_args()
    o.build = os.path.abspath(o.build)
    with tempfile.TemporaryDirectory(prefix='consumers.') as d:
        bed = Bed(o, d)
        try:
            return work(o, bed)
        finally:
            bed.close()


if __name__ == '__main__':
    sys.exit(main())
