#!/usr/bin/python3
"""Kill everything, again and again, under traffic, and count what is missing.

  soak.py [--seconds S] [--kills N] [--pps P] [--roles LIST] [--build DIR]

Makes two network namespaces of its own, joined by a veth pair: one end sends
made-up connections with tcpreplay, ctshardd listens on the other.  All the
while one role after the other is killed with SIGKILL (the supervisor too: then
the daemon is started again).  What this program believes comes from what it
sent, never from the daemon:

  * before each kill the table is listed, and after it again: whatever stood
    there before must stand there still, or its DESTROY must have been told
  * no connection that nobody sent, no packet counter above what was sent, no
    counter that went back
  * the events, followed by one client over all deaths: numbers without a hole
    but for gaps that say exactly how many are missing
  * at the end ctctl check --deep finds nothing

Prints one table and exits with 1 if anything was lost.  Needs root.
"""
import argparse
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

MAC = bytes.fromhex('020000000002020000000001') + b'\x08\x00'


def checksum(b):
    if len(b) & 1:
        b += b'\0'
    s = sum(struct.unpack('>%dH' % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def ip4(src, dst, proto, payload):
    h = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(payload), 0, 0x4000, 64,
                    proto, 0, src, dst)
    return h[:10] + struct.pack('>H', checksum(h)) + h[12:] + payload


class Flow:
    """One TCP connection: knows what it has sent so far."""

    def __init__(self, n):
        self.a = bytes([10, 1 + (n >> 16), n >> 8 & 255, n & 255])
        self.b = bytes([20, 1, n >> 8 & 255, n & 7])
        self.sport, self.dport = 1024 + n % 60000, 443
        self.seq = [n * 7919 & 0xffffffff, n * 104729 & 0xffffffff]
        self.sent = [0, 0]
        self.key = ('.'.join(map(str, self.a)), '.'.join(map(str, self.b)),
                    self.sport, self.dport)

    def frame(self, d, flags, data=b''):
        src, dst = (self.a, self.b) if d == 0 else (self.b, self.a)
        sp, dp = (self.sport, self.dport)[::1 if d == 0 else -1]
        ack = self.seq[1 - d] if flags & 0x10 else 0
        t = struct.pack('>HHIIBBHHH', sp, dp, self.seq[d], ack, 0x50, flags,
                        65535, 0, 0) + data
        pseudo = src + dst + struct.pack('>BBH', 0, 6, len(t))
        t = t[:16] + struct.pack('>H', checksum(pseudo + t)) + t[18:]
        self.seq[d] = self.seq[d] + len(data) + (1 if flags & 3 else 0) \
            & 0xffffffff
        self.sent[d] += 1
        return MAC + ip4(src, dst, 6, t)

    def handshake(self):
        return [self.frame(0, 2), self.frame(1, 0x12), self.frame(0, 0x10)]

    def data(self):
        # both directions are acknowledged, so a lost packet stays one
        d = random.randint(0, 1)
        return [self.frame(d, 0x18, b'x' * 40), self.frame(1 - d, 0x10)]


def write_pcap(path, frames):
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, b in enumerate(frames):
            f.write(struct.pack('<IIII', 1700000000, i % 1000000, len(b),
                                len(b)) + b)


def run(*cmd, check=True):
    return subprocess.run(cmd, check=check, capture_output=True, text=True)


class Soak:
    def __init__(self, o):
        self.o = o
        self.dir = tempfile.mkdtemp(prefix='ctshardd-soak-')
        self.run_dir = os.path.join(self.dir, 'run')
        self.ns = ('cts%da' % os.getpid(), 'cts%db' % os.getpid())
        self.daemon = self.watch = None
        self.flows, self.unsent = {}, []
        self.kills = {}
        self.faults = []
        self.sent = self.rounds = 0
        self.destroyed = set()
        self.stop = False
        self.seen = {}
        self.restart_ms = []

    # -- the world ----------------------------------------------------------
    def network(self):
        a, b = self.ns
        run('ip', 'netns', 'add', a)
        run('ip', 'netns', 'add', b)
        run('ip', '-n', a, 'link', 'add', 'snd0', 'type', 'veth', 'peer', 'name',
            'cap0', 'netns', b)
        for ns, dev in ((a, 'snd0'), (b, 'cap0')):
            run('ip', 'netns', 'exec', ns, 'sysctl', '-qw',
                'net.ipv6.conf.all.disable_ipv6=1', check=False)
            run('ip', '-n', ns, 'link', 'set', dev, 'up')

    def start(self):
        log = open(os.path.join(self.dir, 'log'), 'a')
        t0 = time.monotonic()
        self.daemon = subprocess.Popen(
            ['ip', 'netns', 'exec', self.ns[1], self.o.build + '/ctshardd',
             '-R', self.run_dir, '-i', 'cap0', '-w', str(self.o.workers), '-s',
             'shm_dir=' + self.o.shm, '-s', 'tcp_be_liberal=1', '-F', 'tcp'],
            stderr=log, stdin=subprocess.DEVNULL)
        for _ in range(1000):
            if self.daemon.poll() is not None:
                raise SystemExit('ctshardd ended with %d, see %s/log' %
                                 (self.daemon.returncode, self.dir))
            if self.ctl('count').returncode == 0:
                self.restart_ms.append((time.monotonic() - t0) * 1000)
                return
            time.sleep(0.01)
        raise SystemExit('ctshardd does not answer, see %s/log' % self.dir)

    def ctl(self, *words):
        return run(self.o.build + '/ctctl', '-R', self.run_dir, *words,
                   check=False)

    def follow(self):
        self.events = os.path.join(self.dir, 'events')
        self.watch = subprocess.Popen(
            [self.o.build + '/ctctl', '-R', self.run_dir, 'watch', '-o',
             'jsonl', '--since', 'start'], stdout=open(self.events, 'w'),
            stderr=open(os.path.join(self.dir, 'watch.log'), 'w'))

    # -- traffic -------------------------------------------------------------
    def chunk(self, new, old):
        frames, flows = [], []
        for n in range(len(self.flows), len(self.flows) + new):
            f = Flow(n)
            self.flows[f.key] = f
            flows.append(f)
        for f in flows:
            frames += f.handshake()
        some = list(self.flows.values())
        for _ in range(old):
            frames += random.choice(some).data()
        path = os.path.join(self.dir, 'chunk.pcap')
        write_pcap(path, frames)
        return path, len(frames)

    def traffic(self):
        # from two processors frames would arrive in any order
        cpu = str(min(os.sched_getaffinity(0)))
        try:
            while not self.stop:
                path, n = self.chunk(self.o.new, self.o.data)
                # what is in flight may be counted from now on
                run('ip', 'netns', 'exec', self.ns[0], 'taskset', '-c', cpu,
                    'tcpreplay', '-q', '-i', 'snd0', '--pps',
                    str(self.o.pps), path)
                self.sent += n
        except Exception as e:          # told at the end, not lost
            self.faults.append('sender: %r' % e)

    # -- judging ---------------------------------------------------------------
    def table(self):
        r = self.ctl('list', '-o', 'jsonl')
        if r.returncode:
            return None
        out = {}
        for line in r.stdout.splitlines():
            c = json.loads(line)
            o = c['original']
            out[c['id']] = ((o['src'], o['dst'], o['sport'], o['dport']),
                            o['packets'] + c['reply']['packets'])
        return out

    def read_destroyed(self):
        with open(self.events) as f:
            for line in f:
                if '"DESTROY"' in line:
                    try:
                        self.destroyed.add(json.loads(line)['id'])
                    except ValueError:
                        pass            # the line that is being written

    def compare(self, before, after, what):
        gone = [i for i in before if i not in after]
        if gone:
            time.sleep(0.5)
            self.read_destroyed()
            gone = [i for i in gone if i not in self.destroyed]
        for i in gone:
            self.faults.append('%s: connection %s is lost' % (what, i))
        for i, (key, n) in after.items():
            if i in before and n < before[i][1]:
                self.faults.append('%s: connection %s went back from %d to %d'
                                   % (what, i, before[i][1], n))
            if key not in self.flows and \
                    (key[1], key[0], key[3], key[2]) not in self.flows:
                self.faults.append('%s: nobody sent %s' % (what, key))

    def pids(self):
        """Roles of this daemon: children of its supervisor."""
        with open(os.path.join(self.run_dir, 'pid')) as f:
            sup = int(f.read())
        out = {'supervisor': [sup]}
        r = run('ps', '-o', 'pid=,args=', '--ppid', str(sup), check=False)
        for line in r.stdout.splitlines():
            pid, args = line.split(None, 1)
            if args.startswith('ctshardd: '):
                out.setdefault(args.split()[1], []).append(int(pid))
        return out

    def kill_one(self):
        pids = self.pids()
        roles = [r for r in self.o.roles.split(',') if pids.get(r)]
        if not roles:
            return
        role = random.choice(roles)
        before = self.table()
        try:
            os.kill(random.choice(pids[role]), signal.SIGKILL)
        except ProcessLookupError:
            return
        self.kills[role] = self.kills.get(role, 0) + 1
        if role == 'supervisor':
            self.daemon.wait()
            self.start()
        after = None
        for _ in range(200):
            after = self.table()
            if after is not None:
                break
            time.sleep(0.02)
        if before is None or after is None:
            self.faults.append('after killing %s: no answer' % role)
            return
        self.compare(before, after, 'after killing ' + role)
        self.rounds += 1

    # -- the end -----------------------------------------------------------------
    def judge_end(self):
        time.sleep(1)
        table = self.table()
        stats = json.loads(self.ctl('stats', '-o', 'json').stdout)
        check = self.ctl('check', '--deep')
        if check.returncode:
            self.faults.append('check --deep: ' + check.stdout + check.stderr)
        tracked = 0
        for i, (key, n) in table.items():
            f = self.flows.get(key) or self.flows.get(
                (key[1], key[0], key[3], key[2]))
            tracked += n
            if f and n > sum(f.sent):
                self.faults.append('connection %s: %d packets of %d sent' %
                                   (i, n, sum(f.sent)))
        self.judge_events(table)
        return table, stats, tracked

    def judge_events(self, table):
        time.sleep(0.5)
        self.watch.send_signal(signal.SIGINT)
        self.watch.wait()
        last, self.received, self.lost, born = 0, 0, 0, set()
        for line in open(self.events):
            e = json.loads(line)
            if e['event'] == 'GAP':
                if e['from'] != last or e['to'] - e['from'] - 1 != e['lost']:
                    self.faults.append('gap does not fit: %s after %d' %
                                       (line.strip(), last))
                self.lost += e['lost']
                last = e['to'] - 1
                continue
            if e['seq'] != last + 1:
                self.faults.append('event %d follows %d' % (e['seq'], last))
            last = e['seq']
            self.received += 1
            if e['event'] == 'NEW':
                if e['id'] in self.destroyed:
                    self.faults.append('NEW after DESTROY: ' + e['id'])
                born.add(e['id'])
            elif e['event'] == 'DESTROY':
                self.destroyed.add(e['id'])
        missing = [i for i in table if i not in born]
        if len(missing) > self.lost:
            self.faults.append('%d connections without NEW, %d events lost' %
                               (len(missing), self.lost))
        self.last = last

    def loop(self):
        end = time.monotonic() + self.o.seconds
        t = threading.Thread(target=self.traffic)
        t.start()
        try:
            while time.monotonic() < end and \
                    sum(self.kills.values()) < self.o.kills:
                time.sleep(random.uniform(0.05, 0.4))
                self.kill_one()
        finally:
            self.stop = True
            t.join()

    def clean(self):
        for p in (self.watch, self.daemon):
            if p and p.poll() is None:
                p.terminate()
                try:
                    p.wait(10)
                except subprocess.TimeoutExpired:
                    p.kill()
        run(self.o.build + '/ctshardd', '-R', self.run_dir, '-s',
            'shm_dir=' + self.o.shm, '--remove-table', check=False)
        for ns in self.ns:
            run('ip', 'netns', 'del', ns, check=False)

    def main(self):
        os.makedirs(self.run_dir)
        try:
            self.network()
            self.start()
            self.follow()
            self.loop()
            table, stats, tracked = self.judge_end()
        finally:
            self.clean()
        print('kills         ' + ' '.join('%s %d' % k for k in
                                          sorted(self.kills.items())) +
              '  (in all %d)' % sum(self.kills.values()))
        print('packets       sent %d, tracked %d, not seen %d '
              '(kernel ring %d, interface %d; the rest while nobody read)' %
              (self.sent, tracked, self.sent - tracked,
               stats['drops']['kernel_ring'], stats['drops']['interface']))
        print('connections   sent %d, in the table %d, ended %d' %
              (len(self.flows), len(table), len(self.destroyed)))
        print('events        received %d, reported lost %d, newest %d' %
              (self.received, self.lost, self.last))
        print('start to answer, ms   median %.0f, max %.0f (%d starts)' %
              (sorted(self.restart_ms)[len(self.restart_ms) // 2],
               max(self.restart_ms), len(self.restart_ms)))
        print('faults        %d' % len(self.faults))
        for f in self.faults[:20]:
            print('  ' + f)
        print('%d passed, %d failed' % (self.rounds, len(self.faults)))
        if not self.faults:
            subprocess.run(['rm', '-rf', self.dir])
        else:
            print('kept: ' + self.dir)
        return 1 if self.faults else 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--seconds', type=float, default=60)
    p.add_argument('--kills', type=int, default=1 << 30)
    p.add_argument('--pps', type=int, default=100000)
    p.add_argument('--new', type=int, default=500)
    p.add_argument('--data', type=int, default=20000)
    p.add_argument('--workers', type=int, default=2)
    p.add_argument('--roles', default='worker,reaper,api,supervisor')
    p.add_argument('--shm', default='/dev/shm')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--build', default=os.environ.get('BUILD', 'build'))
    o = p.parse_args()
    random.seed(o.seed)
    if os.geteuid():
        print('soak: skipped, needs root for network namespaces')
        print('0 passed, 0 failed, 1 skipped')
        return 0
    return Soak(o).main()


if __name__ == '__main__':
    sys.exit(main())
