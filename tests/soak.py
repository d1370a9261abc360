#!/usr/bin/python3
"""Kill everything, again and again, under traffic, and count what is missing.

  soak.py [--seconds S] [--kills N] [--pps P] [--roles LIST] [--build DIR]

A veth pair in network namespaces of its own: one end sends made-up
conversations with tcpreplay, ctshardd listens on the other.  Its segments lie
in a small tmpfs of its own mount namespace, its capture sockets are kept over
restarts by a stand-in for systemd's store (tests/lib/keeper.py).  All the while
roles and clients get SIGKILL or SIGSTOP; the tmpfs is full for a part of the
time, and where cgroups allow, memory is short.  What this program believes
comes from what it sent:

  * what the table showed stands there still after each blow, or its DESTROY
    was told; no counter of a connection went back; nobody who was not sent
  * at the end, for each conversation: packets in the table and in DESTROY
    events = packets sent; what is missing in sum = what is reported as lost
  * the events, followed by one client over all deaths: numbers without a hole
    but for gaps that say exactly how many are missing; no NEW after DESTROY
  * ctctl check --deep finds nothing
  * a capture whose clock is stepped forth and back, tracked under kill -9 of
    everything, ends in the table of an undisturbed run

Prints one table and exits with 1 if anything was lost.  Needs root.
"""
import argparse
import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from soak_traffic import Traffic, step_clock, write_pcap  # noqa: E402

TMPFS = 320 << 20
CGROUP = '/sys/fs/cgroup/memory'
HERE = os.path.dirname(os.path.abspath(__file__))


def run(*cmd, check=True):
    return subprocess.run(cmd, check=check, capture_output=True, text=True)


def supervisor_of(run_dir):
    """Its pid, if that is what runs under the number."""
    try:
        with open(os.path.join(run_dir, 'pid')) as f:
            pid = int(f.read())
        with open('/proc/%d/cmdline' % pid) as f:
            return pid if f.read().startswith('ctshardd: supervisor') else 0
    except (OSError, ValueError):
        return 0


class Limit:
    """A memory cgroup, where one can be made."""

    def __init__(self):
        self.path = os.path.join(CGROUP, 'ctshardd-soak-%d' % os.getpid())
        self.why, self.kills = None, 0
        try:
            os.mkdir(self.path)
            self.write('memory.limit_in_bytes', -1)
        except OSError as e:
            self.why = 'cannot be set here (%s)' % e.strerror

    def write(self, name, value):
        with open(os.path.join(self.path, name), 'w') as f:
            f.write('%d' % value)

    def read(self, name, word=None):
        with open(os.path.join(self.path, name)) as f:
            text = f.read()
        if not word:
            return int(text)
        return int(dict(x.split() for x in text.splitlines()).get(word, 0))

    def add(self, pids):
        for pid in pids:
            try:
                self.write('cgroup.procs', pid)
            except OSError:
                pass                    # it is gone

    def tighten(self, size):
        self.write('memory.limit_in_bytes', size)

    def loosen(self):
        self.write('memory.limit_in_bytes', -1)
        self.kills = self.read('memory.oom_control', 'oom_kill')

    def close(self):
        for _ in range(200):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.02)

    def tell(self):
        return self.why or '%d killed by the kernel' % self.kills


class Soak:
    def __init__(self, o):
        self.o = o
        self.dir = tempfile.mkdtemp(prefix='ctshardd-soak-')
        os.chmod(self.dir, 0o711)
        self.run_dir = os.path.join(self.dir, 'run')
        self.shm = os.path.join(self.dir, 'shm')
        tag = '%d' % os.getpid()
        self.ns = ('cts%sa' % tag, 'cts%sb' % tag)
        self.keeper = self.watch = None
        self.clients = []
        self.traffic = Traffic(o.new, o.live, o.speak, 1 + os.getpid() % 200)
        self.blows, self.faults = {}, []
        self.rounds = 0
        self.destroyed = {}             # id: (key, packets)
        self.turned = set()             # keys, see row()
        self.events_at = 0
        self.stop = False
        self.down_ms = []
        self.full, self.short = 0, False
        self.limit = Limit()
        self.last = None                # the table as last seen

    # -- the world ----------------------------------------------------------
    def network(self):
        a, b = self.ns
        run('ip', 'netns', 'add', a)
        run('ip', 'netns', 'add', b)
        for ns in self.ns:
            run('ip', 'netns', 'exec', ns, 'sysctl', '-qw',
                'net.ipv6.conf.default.disable_ipv6=1', check=False)
        run('ip', '-n', a, 'link', 'add', 'snd0', 'type', 'veth', 'peer',
            'name', 'cap0', 'netns', b)
        for ns, dev in ((a, 'snd0'), (b, 'cap0')):
            run('ip', '-n', ns, 'link', 'set', dev, 'up')

    def start(self):
        # `ip netns exec` makes a mount namespace, in which the tmpfs goes
        daemon = [os.path.realpath(self.o.build) + '/ctshardd', '-R',
                  self.run_dir, '-i', 'cap0', '-w', str(self.o.workers)]
        for s in ('shm_dir=' + self.shm, 'tcp.mode=strict', 'max=65536',
                  'tcp_be_liberal=1', 'tcp_timeout_close=2',
                  'event.ring=8M', 'event.log=32M'):
            daemon += ['-s', s]
        mount = 'mount -t tmpfs -o mode=711,size=%d soak "$0" && exec "$@"'
        self.keeper = subprocess.Popen(
            ['ip', 'netns', 'exec', self.ns[1], 'sh', '-c', mount % TMPFS,
             self.shm, HERE + '/lib/keeper.py', self.dir + '/notify', '0',
             '16'] + daemon, stderr=open(self.dir + '/log', 'a'),
            stdin=subprocess.DEVNULL)
        if self.wait_answer() is None:
            raise SystemExit('ctshardd does not answer, see %s/log' % self.dir)

    def ctl(self, *words):
        return run(self.o.build + '/ctctl', '-R', self.run_dir, *words,
                   check=False)

    def wait_answer(self, seconds=120):
        """Milliseconds until it answers; None: it does not."""
        t0 = time.monotonic()
        while time.monotonic() - t0 < seconds:
            if self.keeper.poll() is not None:
                return None
            if self.ctl('count').returncode == 0:
                return (time.monotonic() - t0) * 1000
            time.sleep(0.005)
        return None

    def client(self, *words, out=subprocess.DEVNULL, err=subprocess.DEVNULL):
        return subprocess.Popen(
            [self.o.build + '/ctctl', '-R', self.run_dir] + list(words),
            stdout=out, stderr=err, stdin=subprocess.DEVNULL)

    def follow(self):
        self.events = os.path.join(self.dir, 'events')
        self.watch = self.client('watch', '-o', 'jsonl', '--since', 'start',
                                 out=open(self.events, 'w'),
                                 err=open(self.dir + '/watch.log', 'w'))

    # -- traffic -------------------------------------------------------------
    def replay(self, cpu, name, frames, loops):
        path = os.path.join(self.dir, name)
        write_pcap(path, frames)
        run('ip', 'netns', 'exec', self.ns[0], 'taskset', '-c', cpu,
            'tcpreplay', '-q', '-i', 'snd0', '-K', '--loop', str(loops),
            '--pps', str(self.o.pps), path)

    def send(self):
        # from two processors frames would arrive in any order
        cpu = str(min(os.sched_getaffinity(0)))
        try:
            while not self.stop:
                first, again = self.traffic.chunk(self.o.loops)
                self.replay(cpu, 'first.pcap', first, 1)
                if again:
                    self.replay(cpu, 'again.pcap', again, self.o.loops)
        except Exception as e:          # told at the end, not lost
            self.faults.append('sender: %r' % e)

    # -- judging ---------------------------------------------------------------
    def row(self, c):
        o = c['original']
        key = (o['src'], o['dst'], o['sport'], o['dport'])
        turned = (o['dst'], o['src'], o['dport'], o['sport'])
        # The client's first packets were lost, or there was no room for them,
        # and there was for one of the server's: the same connection, begun
        # from the other side.  That it takes a packet less than were sent, and
        # one that was reported lost, judge_flows() asks.
        if key not in self.traffic.flows and turned in self.traffic.flows:
            self.turned.add(turned)
            key = turned
        return key, o['packets'] + c['reply']['packets']

    def table(self):
        r = self.ctl('list', '-o', 'jsonl')
        if r.returncode:
            return None
        return {c['id']: self.row(c)
                for c in map(json.loads, r.stdout.splitlines())}

    def read_destroyed(self):
        with open(self.events) as f:
            f.seek(self.events_at)
            for line in iter(f.readline, ''):
                if not line.endswith('\n'):
                    break               # it is being written
                self.events_at = f.tell()
                if '"DESTROY"' in line:
                    e = json.loads(line)
                    self.destroyed[e['id']] = self.row(e)

    def gone(self, before, after):
        for _ in range(100):
            self.read_destroyed()
            gone = [i for i in before
                    if i not in after and i not in self.destroyed]
            if not gone:
                break
            time.sleep(0.1)
        return gone

    def compare(self, before, after, what):
        for i in self.gone(before, after):
            self.faults.append('%s: connection %s %s is lost' %
                               (what, i, before[i]))
        for i, (key, n) in after.items():
            if i in before and n < before[i][1]:
                self.faults.append('%s: connection %s went back from %d to %d'
                                   % (what, i, before[i][1], n))
            if key not in self.traffic.flows:
                self.faults.append('%s: nobody sent %s' % (what, key))

    # -- blows -------------------------------------------------------------------
    def pids(self):
        """Roles of this daemon: children of its supervisor; and clients."""
        sup = supervisor_of(self.run_dir)
        out = {'client': [c.pid for c in self.clients if c.poll() is None]}
        if not sup:
            return out
        out['supervisor'] = [sup]
        if self.short:
            self.limit.add([sup])
        r = run('ps', '-o', 'pid=,args=', '--ppid', str(sup), check=False)
        for line in r.stdout.splitlines():
            pid, args = line.split(None, 1)
            if args.startswith('ctshardd: '):
                out.setdefault(args.split()[1], []).append(int(pid))
        return out

    def clients_fill(self):
        self.clients = [c for c in self.clients if c.poll() is None]
        words = (('watch', '-o', 'jsonl'), ('watch', '-o', 'line'),
                 ('list', '-o', 'xml'), ('check', '--deep'))
        while len(self.clients) < 3:
            self.clients.append(self.client(*random.choice(words)))

    def signal(self, role, pid, sig):
        # a pid that was read a moment ago is still whose it was
        try:
            with open('/proc/%d/cmdline' % pid) as f:
                name = f.read()
            if role != 'client' and not name.startswith('ctshardd: ' + role):
                return False
            os.kill(pid, sig)
        except (OSError, ProcessLookupError):
            return False
        key = (role, signal.Signals(sig).name)
        self.blows[key] = self.blows.get(key, 0) + 1
        return True

    def blow(self):
        """One signal, and what follows from it."""
        pids = self.pids()
        roles = [r for r in self.o.roles.split(',') if pids.get(r)]
        if not roles:
            return ''
        if random.random() < 0.04:
            return self.blow_all(pids, roles)
        role = random.choices(roles, [self.o.weight.get(r, 4)
                                      for r in roles])[0]
        pid = random.choice(pids[role])
        if random.random() >= self.o.stops:
            self.signal(role, pid, signal.SIGKILL)
        elif self.signal(role, pid, signal.SIGSTOP):
            # a few so long that the supervisor notices
            time.sleep(random.uniform(0, 0.08) if random.random() < 0.9
                       else random.uniform(0.1, 3))
            self.signal(role, pid, signal.SIGCONT)
        if role == 'supervisor':
            ms = self.wait_answer()
            if ms is not None:
                self.down_ms.append(ms)
        return role

    def blow_all(self, pids, roles):
        """All that track, tell and answer at once; the supervisor stays."""
        hit = [r for r in roles if r not in ('supervisor', 'client')]
        for role in hit:
            for pid in pids[role]:
                self.signal(role, pid, signal.SIGKILL)
        return '&'.join(hit)

    def round(self):
        self.clients_fill()
        done = []
        for _ in range(random.randint(1, self.o.burst)):
            done.append(self.blow())
            time.sleep(random.uniform(0, self.o.pause))
        what = 'after ' + '+'.join(done)
        after = None
        for _ in range(400):
            after = self.table()
            if after is not None:
                break
            time.sleep(0.02)
        if after is None:
            self.faults.append(what + ': no answer')
            return
        if self.last is not None:
            self.compare(self.last, after, what)
        self.last = after
        self.rounds += 1

    # -- a full tmpfs, little memory -----------------------------------------------
    def filler(self):
        return '/proc/%d/root%s/filler' % (self.keeper.pid, self.shm)

    def tmpfs_fill(self):
        # those that have begun may still be on their way
        self.traffic.v6 = self.traffic.risky = True
        time.sleep(0.2)
        for f in list(self.traffic.flows.values()):
            f.risky |= f.v6
        libc = ctypes.CDLL(None, use_errno=True)
        libc.posix_fallocate.argtypes = [ctypes.c_int, ctypes.c_int64,
                                         ctypes.c_int64]
        fd = os.open(self.filler(), os.O_CREAT | os.O_WRONLY, 0o600)
        size, step = 0, 1 << 24
        while step >= 4096:
            if libc.posix_fallocate(fd, size, step):
                step //= 2
            else:
                size += step
        os.close(fd)
        self.full += 1

    def tmpfs_free(self):
        os.unlink(self.filler())
        self.traffic.risky = False

    def phases(self):
        """(share of the time, what then happens)"""
        out = [(0.25, self.tmpfs_fill), (0.45, self.tmpfs_free),
               (0.60, self.tmpfs_fill), (0.65, self.tmpfs_free)]
        if not self.limit.why:
            out += [(0.75, self.memory_short),
                    (0.85, self.memory_back)]
        return out

    def memory_short(self):
        # what the daemon has is not counted, what it takes from now on is
        self.short = True
        self.limit.tighten(self.o.memory)

    def memory_back(self):
        self.short = False
        self.limit.loosen()

    # -- the clock ---------------------------------------------------------------
    def clock(self):
        """A capture with a stepped clock, under kill -9 of all roles."""
        flat, path = self.dir + '/flat.pcap', self.dir + '/steps.pcap'
        run(self.o.build + '/tests/lib/mkflows', flat, '5000', '400000')
        step_clock(flat, path, self.o.seed)
        want = run(self.o.build + '/ctctl', 'replay', path).stdout
        rd = os.path.join(self.dir, 'clock')
        os.mkdir(rd)
        daemon, kills = None, 0
        try:
            while not kills or kills < self.o.clock_kills:
                daemon = self.clock_start(rd, path)
                self.clock_ended(rd, random.uniform(0, 0.4))
                daemon.kill()
                daemon.wait()
                kills += 1
            daemon = self.clock_start(rd, path)
            if not self.clock_ended(rd, 120):
                self.faults.append('stepped clock: no end')
            got = run(self.o.build + '/ctctl', '-R', rd, 'list').stdout
            if sorted(got.splitlines()) != sorted(want.splitlines()):
                self.faults.append('stepped clock: the table is another')
            self.ended = 'table as undisturbed' if got else 'empty'
        finally:
            if daemon and daemon.poll() is None:
                daemon.terminate()
                daemon.wait()
            run(self.o.build + '/ctshardd', '-R', rd, '-s',
                'shm_dir=' + self.dir, '--remove-table', check=False)
        key = ('all (capture)', 'SIGKILL')
        self.blows[key] = self.blows.get(key, 0) + kills

    def clock_start(self, rd, path):
        return subprocess.Popen(
            [self.o.build + '/ctshardd', '-R', rd, '-w', '2', '-r', path,
             '-s', 'shm_dir=' + self.dir, '-s', 'max=65536'],
            stderr=open(self.dir + '/clock.log', 'a'))

    def clock_ended(self, rd, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            r = run(self.o.build + '/ctctl', '-R', rd, 'stats', '-o', 'json',
                    check=False)
            if not r.returncode and json.loads(r.stdout)['frames'] == 400000:
                return True
            time.sleep(0.01)
        return False

    # -- the end -----------------------------------------------------------------
    def quiet(self):
        """All frames are worked off: the count stands still."""
        last, same = -1, 0
        for _ in range(1200):
            r = self.ctl('stats', '-o', 'json')
            now = json.loads(r.stdout)['frames'] if not r.returncode else -1
            same = same + 1 if now == last and now >= 0 else 0
            if same >= 10:
                return
            last = now
            time.sleep(0.1)

    def lost_of(self, s):
        """What the daemon says that it did not track, by reason."""
        d = s['drops']
        out = {'kernel ring': d['kernel_ring'], 'interface': d['interface'],
               'no room': s['drop'],
               'chain': s['insert_failed'], 'invalid': s['packets']['invalid']}
        return {k: v for k, v in out.items() if v}

    def judge_end(self):
        self.quiet()
        check = self.ctl('check', '--deep')
        if check.returncode:
            self.faults.append('check --deep: ' + check.stdout + check.stderr)
        self.stats = json.loads(self.ctl('stats', '-o', 'json').stdout)
        self.final = self.table()
        self.compare(self.last or {}, self.final, 'at the end')
        self.judge_events()
        self.judge_flows()

    def judge_flows(self):
        counted, records = {}, {}
        for key, n in list(self.final.values()) + \
                list(self.destroyed.values()):
            counted[key] = counted.get(key, 0) + n
            records[key] = records.get(key, 0) + 1
        self.tracked = sum(counted.values())
        self.lost = self.lost_of(self.stats)
        if self.turned and not any(self.lost.get(k) for k in
                                   ('no room', 'kernel ring', 'interface')):
            self.faults.append('%d connections were begun by who answers, and '
                               'nothing was lost' % len(self.turned))
        excused = sum(self.lost.values())
        missing, wrong = 0, []
        # frames leave in their order: who tracked all of one conversation in
        # one connection saw the client's first packet first
        for key in self.turned:
            f = self.traffic.flows[key]
            if records.get(key) == 1 and counted[key] >= f.sent:
                self.faults.append('%s: begun by who answers, and all %d '
                                   'packets are there' % (key, f.sent))
        for key, f in self.traffic.flows.items():
            n = counted.get(key, 0)
            missing += f.sent - n
            if n > f.sent or (n < f.sent and not f.risky):
                wrong.append('%s: %d packets of %d sent' % (key, n, f.sent))
        if missing != excused and not self.events_lost:
            self.faults.append('%d packets are missing, %d are reported lost' %
                               (missing, excused))
            self.faults += wrong[:10]
        elif sum(self.lost.get(k, 0) for k in ('kernel ring', 'interface')):
            pass                        # which flow they hit nobody can know
        elif not self.events_lost:
            self.faults += wrong

    def judge_events(self):
        for _ in range(100):            # the follower catches up
            if self.settled():
                break
        self.watch.send_signal(signal.SIGINT)
        self.watch.wait()
        self.newest, self.received, self.events_lost, born = 0, 0, 0, set()
        ended = set()
        for line in open(self.events):
            e = json.loads(line)
            if e['event'] == 'GAP':
                if e['from'] != self.newest or \
                        e['to'] - e['from'] - 1 != e['lost']:
                    self.faults.append('gap does not fit: %s after %d' %
                                       (line.strip(), self.newest))
                self.events_lost += e['lost']
                self.newest = e['to'] - 1
                continue
            if e['seq'] != self.newest + 1:
                self.faults.append('event %d follows %d' %
                                   (e['seq'], self.newest))
            self.newest = e['seq']
            self.received += 1
            if e['event'] == 'NEW':
                if e['id'] in ended or e['id'] in born:
                    self.faults.append('second NEW of ' + e['id'])
                born.add(e['id'])
            elif e['event'] == 'DESTROY':
                ended.add(e['id'])
                self.destroyed[e['id']] = self.row(e)
        silent = [i for i in self.final if i not in born]
        if len(silent) > self.events_lost:
            self.faults.append('%d connections without NEW, %d events lost' %
                               (len(silent), self.events_lost))
        # what ended between the list and the last event is not twice there
        for i in ended:
            self.final.pop(i, None)

    def settled(self):
        size = os.path.getsize(self.events)
        time.sleep(0.3)
        return os.path.getsize(self.events) == size

    def loop(self):
        t0 = time.monotonic()
        todo = self.phases()
        t = threading.Thread(target=self.send)
        t.start()
        try:
            while True:
                gone = time.monotonic() - t0
                if gone >= self.o.seconds or self.count() >= self.o.kills:
                    break
                while todo and gone >= todo[0][0] * self.o.seconds:
                    todo.pop(0)[1]()
                self.round()
            for _, what in todo:        # none is left half done
                what()
        finally:
            self.stop = True
            t.join()
            for c in self.clients:
                self.signal('client', c.pid, signal.SIGCONT)
                c.kill()
                c.wait()

    def count(self):
        return sum(n for (_, s), n in self.blows.items() if s == 'SIGKILL')

    def clean(self):
        if self.watch and self.watch.poll() is None:
            self.watch.kill()
            self.watch.wait()
        if self.keeper and self.keeper.poll() is None:
            self.keeper.terminate()
            try:
                self.keeper.wait(20)
            except subprocess.TimeoutExpired:
                self.keeper.kill()
                self.keeper.wait()
        for ns in self.ns:
            run('ip', 'netns', 'del', ns, check=False)
        if not self.limit.why:
            self.limit.close()

    def main(self):
        os.mkdir(self.run_dir)
        os.mkdir(self.shm)
        self.ended = 'not run'
        try:
            if self.o.clock_kills:
                self.clock()
            self.network()
            self.start()
            self.follow()
            self.loop()
            self.judge_end()
        finally:
            self.clean()
        self.report()
        if not self.faults:
            subprocess.run(['rm', '-rf', self.dir])
        else:
            print('kept: ' + self.dir)
        return 1 if self.faults else 0

    def report(self):
        roles = sorted({r for r, _ in self.blows})
        print('%-15s%9s%9s%9s' % ('', 'SIGKILL', 'SIGSTOP', 'SIGCONT'))
        for r in roles:
            print('%-15s' % r + ''.join(
                '%9d' % self.blows.get((r, s), 0)
                for s in ('SIGKILL', 'SIGSTOP', 'SIGCONT')))
        print('%-15s%9d%9d' % ('in all', self.count(), sum(
            n for (_, s), n in self.blows.items() if s == 'SIGSTOP')))
        print('packets        sent %d, tracked %d, missing %d, reported lost '
              '%d%s' % (self.traffic.sent, self.tracked,
                        self.traffic.sent - self.tracked,
                        sum(self.lost.values()), ''.join(
                            ', %s %d' % x for x in self.lost.items())))
        risky = sum(f.risky for f in self.traffic.flows.values())
        print('connections    sent %d, in the table %d, ended %d, begun '
              'without room %d' % (len(self.traffic.flows), len(self.final),
                                   len(self.destroyed), risky))
        print('events         received %d, reported lost %d, newest %d' %
              (self.received, self.events_lost, self.newest))
        down = sorted(self.down_ms) or [0]
        print('kill to answer median %.0f ms, longest %.0f (%d times, whole '
              'daemon)' % (down[len(down) // 2], down[-1], len(self.down_ms)))
        print('full tmpfs     %d times' % self.full)
        print('memory limit   ' + self.limit.tell())
        print('stepped clock  ' + self.ended)
        print('faults         %d' % len(self.faults))
        for f in self.faults[:20]:
            print('  ' + f)
        print('%d passed, %d failed' % (self.rounds, len(self.faults)))


def options():
    p = argparse.ArgumentParser()
    p.add_argument('--seconds', type=float, default=60)
    p.add_argument('--kills', type=int, default=1 << 30)
    p.add_argument('--pps', type=int, default=50000)
    p.add_argument('--new', type=int, default=40, help='flows a chunk')
    p.add_argument('--live', type=int, default=1500)
    p.add_argument('--speak', type=int, default=300)
    p.add_argument('--loops', type=int, default=20)
    p.add_argument('--workers', type=int, default=2)
    p.add_argument('--burst', type=int, default=4)
    p.add_argument('--pause', type=float, default=0.1)
    p.add_argument('--stops', type=float, default=0.1, help='share')
    p.add_argument('--roles', default='worker,reaper,api,supervisor,client')
    p.add_argument('--clock-kills', type=int, default=8, help='0: none')
    p.add_argument('--memory', type=int, default=6 << 20)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--build', default=os.environ.get('BUILD', 'build'))
    o = p.parse_args()
    o.weight = {'worker': 8, 'reaper': 4, 'api': 3, 'supervisor': 1,
                'client': 2}
    random.seed(o.seed)
    return o


def main():
    o = options()
    if os.geteuid():
        print('soak: skipped, needs root for network namespaces')
        print('0 passed, 0 failed, 1 skipped')
        return 0
    return Soak(o).main()


if __name__ == '__main__':
    sys.exit(main())
