#!/usr/bin/python3
"""Consumers, restarts of everything, and one truth.

  consumers.py [--seconds S] [--rate EVENTS] [--consumers N] [--seed N]
               [--log MIB] [--ring MIB] [--keep N] [--gaps N]
               [--build DIR]

A veth pair in a namespace of its own: tests/lib/mkstream sends connections, each
of which is three events; most end soon, one in --keep stays.  --rate is what is
told over the whole time, all downtimes included: as many connections as nobody
saw, because nobody was there, are sent in addition, and some for the ends that
are still to come.  Consumers follow,
each with a copy of the table: docs/examples/mirror.c, all events or with a
filter, one without UPDATE, one with details, one that takes fewer events than
there are; one is Python with nothing but the schema, one reads `ctctl watch`;
these two with a filter.  Meanwhile workers, reaper, api, the whole daemon and
the consumers get SIGKILL at random times, and some consumers are stopped until
the next blow.  A consumer goes on with the last
event that it has worked off, or, as mirror.c does, with the one that its copy
on disk is of; after a GAP it takes a new snapshot.

At the end traffic stops, and the copy of every consumer must be what `ctctl
list` prints: connections, tuples, states.  Numbers went up by one but for gaps
that said how much is missing, nothing began twice, nothing that had not been
there ended.  For who has no filter, events received + reported lost + held in a
snapshot instead = produced, which the shards count.  Prints figures, and with 1
ends if anything differs.  Needs root.
"""
import argparse
import importlib.util
import ipaddress
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
TRIES = 1200            # waits are bounded by tries of 50 ms

# struct head and struct row of docs/examples/mirror.c
HEAD = struct.Struct('=8s16s9Q')
HEAD_NAMES = ('magic uuid seq events lost skipped gaps snapshots faults '
              'list_ns count').split()
ROW = struct.Struct('=Q16s16s5IBB18s')
STATUS = {'EXPECTED': 1, 'SEEN_REPLY': 2, 'ASSURED': 4, 'CONFIRMED': 8,
          'DYING': 512, 'FIXED_TIMEOUT': 1024, 'HELPER': 8192}


def wait(what, true, tries=TRIES):
    for _ in range(tries):
        if true():
            return
        time.sleep(0.05)
    sys.exit('consumers: never true: ' + what)


class Consumer:
    """What all of them have: a name, a copy, figures."""
    ports = None                # (from, to) of the filter
    exact = True                # states are told, too
    told = False                # which event its copy is of

    def __init__(self, name):
        self.name = name
        self.kills = 0
        self.faults = []
        self.figures = dict.fromkeys(HEAD_NAMES, 0)

    def fault(self, text):
        if len(self.faults) < 5:
            self.faults.append('%s: %s' % (self.name, text))

    def wants(self, row):
        return not self.ports or self.ports[0] <= row[5] <= self.ports[1]

    def should(self, table):
        return {k: r if self.exact else r[:6] for k, r in table.items()
                if self.wants(r)}


class Native(Consumer):
    """docs/examples/mirror.c, its copy on disk."""
    told = True

    def __init__(self, bed, name, *options):
        super().__init__(name)
        self.file = os.path.join(bed.work, name)
        self.argv = [bed.mirror, *options, bed.run_dir, self.file]
        self.whole = '-n' not in options and '-p' not in options
        self.exact = '-n' not in options
        if '-p' in options:
            a, b = options[options.index('-p') + 1].split('-')
            self.ports = int(a), int(b)
        self.log = open(self.file + '.log', 'w')
        self.child = None
        bed.natives.append(self)
        self.start()

    def start(self):
        self.child = subprocess.Popen(self.argv, stderr=self.log)

    def kill(self):
        self.child.kill()
        self.child.wait()
        self.kills += 1
        self.start()

    def signal(self, sig):
        self.child.send_signal(sig)

    def head(self):
        try:
            with open(self.file, 'rb') as f:
                self.figures = dict(zip(HEAD_NAMES,
                                        HEAD.unpack(f.read(HEAD.size))))
        except FileNotFoundError:
            pass
        return self.figures

    def ready(self):
        return self.head()['snapshots']

    def copy(self):
        with open(self.file, 'rb') as f:
            self.figures = dict(zip(HEAD_NAMES, HEAD.unpack(
                f.read(HEAD.size))))
            out = {}
            for (num, src, dst, sport, dport, status, _, proto, l3, _,
                 state) in ROW.iter_unpack(f.read()):
                n = 4 if l3 == 4 else 16
                row = (l3, proto, src[:n], dst[:n], sport, dport)
                if self.exact:
                    row += (status, state.rstrip(b'\0').decode())
                out[num] = row
        return out

    def end(self, produced):
        if self.child.poll() is not None:
            self.fault('has ended by itself: %d' % self.child.returncode)
        else:
            self.child.terminate()
            self.child.wait()
        self.log.close()
        f = self.head()
        with open(self.log.name) as log:
            for line in log.read().splitlines()[:5]:
                self.fault(line)
        if f['faults']:
            self.fault('%d faults' % f['faults'])
        if self.whole and f['events'] + f['lost'] + f['skipped'] != produced:
            self.fault('%(events)d events + %(lost)d lost + %(skipped)d in '
                       'snapshots' % f + ' are not %d' % produced)


class Follower(Consumer, threading.Thread):
    """A copy that Python holds, from LIST and NEW to DESTROY."""
    whole = exact = False

    def __init__(self, bed, name, port):
        threading.Thread.__init__(self, daemon=True)
        Consumer.__init__(self, name)
        self.bed, self.ports = bed, (port, port)
        self.live, self.listed = {}, set()
        self.seq = self.uuid = None     # last event worked off
        self.done = False
        self.start()

    def event(self, kind, seq, key, row, begun_ns):
        """False: a snapshot is needed."""
        if kind == 'GAP':
            self.figures['gaps'] += 1
            self.seq = None
            return False
        if kind == 'LIST':
            self.live[key] = row
            self.listed.add(key)
            return True
        if kind == 'LIST_END':
            self.seq = seq
            self.figures['snapshots'] += 1
            return True
        if kind == 'POSITION':
            self.seq = seq
            return True
        if seq <= self.seq:
            self.fault('%d after %d' % (seq, self.seq))
        self.figures['events'] += 1
        if kind == 'NEW':
            if key in self.live and key not in self.listed:
                self.fault('new twice: %d' % key)
            self.live[key] = row
            self.listed.discard(key)
        elif kind == 'DESTROY':
            self.live.pop(key, None)
        self.seq = seq
        return True

    def run(self):
        while not self.done:
            if self.seq is None:
                self.live.clear()
                self.listed.clear()
            try:
                self.follow()
            except (Exception, SystemExit) as e:    # else nobody sees it
                self.fault(repr(e))
            time.sleep(0.1)

    def ready(self):
        return self.figures['snapshots']

    def head(self):
        return self.figures

    def copy(self):
        return dict(self.live)

    def end(self, produced):
        self.done = True
        self.cut()
        self.join(20)

    def kill(self):
        self.kills += 1
        self.cut()


class Jsonl(Follower):
    """`ctctl watch -o jsonl`"""
    child = None

    def cut(self):
        if self.child:
            self.child.kill()

    def follow(self):
        argv = self.bed.ctl + ['watch', '-o', 'jsonl', '--no-reconnect',
                               '--dport', str(self.ports[0])]
        argv += ['--snapshot'] if self.seq is None else \
            ['--since', '%s:%d' % (self.bed.uuid, self.seq)]
        self.child = subprocess.Popen(argv, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL)
        for line in self.child.stdout:
            try:
                e = json.loads(line)
            except ValueError:
                break                   # a line that was cut by a kill
            row = json_row(e)[:6] if 'id' in e else None
            if not self.event(e['event'], e.get('seq'), int(e.get('id', 0)),
                              row, e.get('start_ns')):
                break
        self.child.kill()
        self.child.stdout.close()
        self.child.wait()


class Schema(Follower):
    """docs/examples/follow.py: ctshard.proto, and nothing of ours."""
    daemon = None

    def cut(self):
        if self.daemon:
            try:
                self.daemon.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def follow(self):
        pb, follow = self.bed.pb, self.bed.follow
        w = pb.Watch(brief=True, positions=True)
        getattr(w.filter, 'dport').CopyFrom(getattr(pb.Filter, 'Range')(
            **{'from': self.ports[0], 'to': self.ports[1]}))
        try:
            self.daemon = follow.Daemon(pb, self.bed.run_dir)
            if self.seq is None:
                w.snapshot = True
            else:
                w.since, w.uuid = self.seq, self.uuid
            self.uuid = self.daemon.hello.uuid
            for e in self.daemon.watch(w):
                c = e.conn
                row = (c.l3, c.protonum, c.original.src, c.original.dst,
                       c.original.sport, c.original.dport)
                if not self.event(pb.EventType.Name(e.type), e.seq, c.id, row,
                                  c.start_ns):
                    break
        except follow.Gone:
            pass
        finally:
            if self.daemon:
                self.daemon.stream.close()
                self.daemon.sock.close()


def json_row(c):
    o = c['original']
    return (int(c['l3'][3:]), c['protonum'],
            ipaddress.ip_address(o['src']).packed,
            ipaddress.ip_address(o['dst']).packed,
            o.get('sport', 0), o.get('dport', 0),
            sum(STATUS[s] for s in c['status']), c.get('state', ''))


class Bed:
    def __init__(self, o, work):
        self.o, self.work = o, work
        self.ns = 'consumers%d' % os.getpid()
        self.run_dir = os.path.join(work, 'run')
        os.mkdir(self.run_dir, 0o755)
        os.chmod(work, 0o711)
        self.daemon = self.sender = None
        self.ctl = [os.path.join(o.build, 'ctctl'), '-R', self.run_dir]
        self.mirror = os.path.join(work, 'mirror')
        self.natives = []

    def compile(self):
        os.mkdir(self.work + '/include')
        shutil.copy(TOP + '/proto/ctshard.h', self.work + '/include')
        so = os.path.join(self.o.build, 'libctshard.so')
        ldd = subprocess.run(['ldd', so], capture_output=True, text=True)
        san = ['-fsanitize=address,undefined'] if 'libasan' in ldd.stdout \
            else []
        subprocess.run([os.environ.get('CC', 'gcc'), '-std=c99', '-O2', '-g',
                        *san, '-I', self.work + '/include', '-o', self.mirror,
                        TOP + '/docs/examples/mirror.c', '-L', self.o.build,
                        '-lctshard', '-Wl,-rpath,' + self.o.build], check=True)

    def schema(self):
        """follow.py as a module, and what protoc makes; False: cannot be."""
        try:
            importlib.import_module('google.protobuf')
        except ImportError:
            return False
        if not shutil.which('protoc'):
            return False
        spec = importlib.util.spec_from_file_location(
            'follow', TOP + '/docs/examples/follow.py')
        self.follow = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.follow)
        self.pb = self.follow.schema(TOP + '/proto/ctshard.proto')
        return True

    def inside(self, *argv, **kw):
        kw.setdefault('stdout', subprocess.DEVNULL)
        return subprocess.Popen(('ip', 'netns', 'exec', self.ns) + argv,
                                stderr=subprocess.DEVNULL, **kw)

    def ask(self, *argv):
        r = subprocess.run(self.ctl + list(argv), capture_output=True,
                           text=True, timeout=120)
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
            'rx0', '-w', '2', '-s', 'udp_timeout=2', '-s',
            'capture.buffer=16M', '-s', 'event.log=%dM' % self.o.log, '-s',
            'event.ring=%dM' % self.o.ring, '-s', 'max=800000')
        wait('the daemon is ready', lambda: self.ask('count'))

    def name(self):
        v = json.loads(self.ask('show', 'version', '-o', 'json'))
        return next(r['value'] for r in v['version'] if r['what'] == 'uuid')

    def pid(self):
        with open(os.path.join(self.run_dir, 'pid')) as f:
            return int(f.read())

    def role(self, name):
        r = subprocess.run(['pgrep', '-P', str(self.pid()), '-f',
                            '^ctshardd: ' + name], capture_output=True,
                           text=True)
        return [int(p) for p in r.stdout.split()]

    def memory(self):
        """MiB that the api has for itself."""
        for pid in self.role('api'):
            with open('/proc/%d/status' % pid) as f:
                for line in f:
                    if line.startswith('RssAnon:'):
                        return int(line.split()[1]) / 1024
        return 0

    def produced(self):
        """Events, as the shards count them when they make them."""
        text = self.ask('show', 'shards', '-o', 'json')
        return text and sum(int(r['events'])
                            for r in json.loads(text)['shards'])

    def table(self):
        text = self.ask('list', '-o', 'json')
        return text and {int(c['id']): json_row(c) for c in json.loads(text)}

    def send(self):
        self.sender = self.inside(
            os.path.join(self.o.build, 'tests/lib/mkstream'), 'tx0',
            str(self.o.rate), str(self.o.keep), '-', stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        self.extra, self.over = 0, threading.Event()
        self.pace = threading.Thread(target=self.keep_pace)
        self.pace.start()

    def keep_pace(self):
        """What was sent and is in no counter has to be sent in addition, and
        so has what stands for the events that are not told yet."""
        while not self.over.wait(0.5):
            try:
                self.sender.stdin.write(b'%d\n' % self.extra)
                self.sender.stdin.flush()
                flows = int(self.sender.stdout.readline())
            except (OSError, ValueError):
                return          # it has ended, and that is seen elsewhere
            try:
                s = json.loads(self.ask('stats', '-o', 'json') or 'null')
            except (subprocess.TimeoutExpired, ValueError):
                s = None
            if s:
                unseen = max(0, flows - s['insert'])
                ends = max(0, s['count'] - flows // self.o.keep)
                self.extra = unseen + ends // 3

    def sent(self):
        self.over.set()
        self.pace.join()
        if self.sender.poll() is not None:
            sys.exit('consumers: the sender has ended')
        self.sender.terminate()
        return [int(n) for n in self.sender.communicate()[0].split()]

    def close(self):
        if self.sender:
            self.over.set()
        for p in [self.sender, self.daemon] + [c.child for c in self.natives]:
            if p and p.poll() is None:
                p.terminate()
                try:
                    p.wait(20)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()
        subprocess.run([os.path.join(self.o.build, 'ctshardd'), '-R',
                        self.run_dir, '--remove-table'], capture_output=True)
        subprocess.run(['ip', 'netns', 'del', self.ns], capture_output=True)


def hire(bed):
    """The kinds in turn, so that a few are a mixture, too."""
    o = bed.o
    slow = str(max(1, o.rate // 2))
    kinds = [lambda n: Native(bed, 'all%d' % n),
             lambda n: Native(bed, 'slow%d' % n, '-l', slow),
             lambda n: Native(bed, 'eighth%d' % n, '-p', '1000-1011'),
             lambda n: Jsonl(bed, 'jsonl%d' % n, 1001),
             lambda n: Native(bed, 'no-update%d' % n, '-n'),
             lambda n: Native(bed, 'details%d' % n, '-d')]
    if bed.schema():
        kinds.insert(3, lambda n: Schema(bed, 'schema%d' % n, 1002))
    everything = kinds[0]
    return [kinds[n](n) if n < len(kinds) else everything(n)
            for n in range(o.consumers)]


def blow(bed, consumers, kind):
    for c in bed.natives:               # those of the blow before
        c.signal(signal.SIGCONT)
    if kind == 'stop':
        for c in random.sample(bed.natives, random.randint(
                1, max(1, len(bed.natives) // 3))):
            c.signal(signal.SIGSTOP)
    elif kind == 'consumer':
        for c in random.sample(consumers, random.randint(
                1, max(1, len(consumers) // 3))):
            c.kill()
    elif kind == 'daemon':
        os.kill(bed.pid(), signal.SIGKILL)
        bed.daemon.wait()
        bed.start()
    else:
        old = bed.role(kind)
        for p in old:
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait(kind + ' is there again', lambda: set(bed.role(kind)) - set(old)
             and bed.ask('count'))


def trouble(bed, consumers):
    """Each of everything once at least: how often what was killed."""
    kinds = ['consumer', 'stop', 'reaper', 'api', 'worker 0', 'worker 1',
             'daemon']
    todo, killed = list(kinds), {}
    random.shuffle(todo)
    began = time.monotonic()
    pause = min(6, bed.o.seconds / 8)

    def enough():
        return time.monotonic() - began >= bed.o.seconds and not todo and \
            sum(bool(c.head()['gaps']) for c in consumers) >= bed.o.gaps

    for _ in range(10 * TRIES):
        if enough():
            break
        time.sleep(random.uniform(0.1, pause))
        kind = todo.pop() if todo else random.choice(kinds)
        blow(bed, consumers, kind)
        killed[kind] = killed.get(kind, 0) + 1
        if bed.sender.poll() is not None:
            sys.exit('consumers: the sender has ended')
    for c in bed.natives:
        c.signal(signal.SIGCONT)
    return killed


def differs(bed, consumers):
    """What is not as it should be now: [] when all is."""
    before = bed.produced()
    table = bed.table()
    if before is None or table is None:
        return None, 0, ['no answer']
    bad = []
    for c in consumers:
        f, copy, want = c.head(), c.copy(), c.should(table)
        if c.told and f['seq'] != before:
            bad.append('%s: at event %d of %d' % (c.name, f['seq'], before))
        elif copy != want:
            more = [k for k in copy if copy[k] != want.get(k)]
            less = [k for k in want if want[k] != copy.get(k)]
            bad.append('%s: %d connections, should have %d; %s' % (
                c.name, len(copy), len(want), [
                    (k, copy.get(k), want.get(k))
                    for k in (more + less)[:2]]))
    if bed.produced() != before:
        bad.append('events still come')
    return table, before, bad


def judge(bed, consumers):
    # connections still end while we look, so it must be true at some instant
    for _ in range(TRIES // 2):
        table, produced, bad = differs(bed, consumers)
        if not bad:
            break
        time.sleep(0.2)
    return table, produced, bad


def tell(consumers, took):
    for c in consumers:
        f = c.figures
        print('%-12s%9d events, %6.0f a second; %9d lost in %3d gaps, %8d in '
              'snapshots, %3d of them; killed %d' %
              (c.name, f['events'], f['events'] / took, f['lost'], f['gaps'],
               f['skipped'], f['snapshots'], c.kills))


def work(o, bed):
    bed.compile()
    bed.net()
    bed.start()
    bed.uuid = bed.name()
    consumers = hire(bed)
    wait('everybody has begun', lambda: all(c.ready() for c in consumers))
    bed.send()
    began = time.monotonic()
    killed = trouble(bed, consumers)
    flows, packets = bed.sent()
    took = time.monotonic() - began
    made = bed.produced()
    table, produced, faults = judge(bed, consumers)
    for c in consumers:
        c.end(produced)
        faults += c.faults
    stay = flows // o.keep
    if not faults and len(table) < stay / 2:
        faults.append('%d connections in the end, of %d that stay' %
                      (len(table), stay))
    check = subprocess.run(bed.ctl + ['check', '--deep'], capture_output=True,
                           text=True)
    if check.returncode:
        faults.append('check --deep: ' + check.stdout + check.stderr)
    drops = json.loads(bed.ask('stats', '-o', 'json'))['drops']
    tell(consumers, took)
    print('sent %d connections, %d packets, for %.0f events a second; lost by the kernel\'s ring %d, '
          'event rings %d; api %.0f MiB of its own; load %.0f' %
          (flows, packets, 3 * flows / took, drops['kernel_ring'], drops['event_ring'],
           bed.memory(), os.getloadavg()[0]))
    print('killed: ' + ', '.join('%s %d' % k for k in sorted(killed.items())))
    print('%d consumers, %.0f s, seed %d: %.0f events a second, %d in all; %d '
          'connections in the end, %d faults' %
          (len(consumers), took, o.seed, made / took, produced,
           len(table or ()), len(faults)))
    for f in faults:
        print(f)
    return 1 if faults else 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--seconds', type=float, default=600)
    p.add_argument('--rate', type=int, default=50000, help='events a second')
    p.add_argument('--consumers', type=int, default=10)
    p.add_argument('--keep', type=int, default=256,
                   help='one connection of so many stays')
    p.add_argument('--log', type=int, default=256, help='event.log, MiB')
    p.add_argument('--ring', type=int, default=64, help='event.ring, MiB')
    p.add_argument('--gaps', type=int, default=0,
                   help='until so many consumers have been told of one')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--build', default=os.environ.get(
        'BUILD', os.path.join(TOP, 'build')))
    o = p.parse_args()
    o.build = os.path.abspath(o.build)
    random.seed(o.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('consumers: ended'))
    with tempfile.TemporaryDirectory(prefix='consumers.') as d:
        bed = Bed(o, d)
        try:
            return work(o, bed)
        finally:
            bed.close()


if __name__ == '__main__':
    sys.exit(main())
