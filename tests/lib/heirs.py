#!/usr/bin/python3
"""Kill workers at random while packets come, and measure how long it takes
until their heirs track.

	heirs.py RUNDIR SHMDIR KILLS COMMAND...

COMMAND sends; killing goes on while it does, KILLS times at most.  Prints how
often was killed, and the median and longest time from the signal to the next
packet that the worker's ring commits, in milliseconds."""
import glob
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import time

CURSOR = 64     # struct ring_header (shm/layout.h)


def supervisor(run_dir):
    with open(os.path.join(run_dir, 'pid')) as f:
        return int(f.read())


def workers(pid):
    """Number and pid of the workers, by their titles."""
    out = subprocess.run(['ps', '-o', 'pid=,args=', '--ppid', str(pid)],
                         capture_output=True, text=True).stdout
    for line in out.splitlines():
        pid, args = line.split(None, 1)
        if args.startswith('ctshardd: worker '):
            yield int(args.split()[-1]), int(pid)


def segment_hash(run_dir):
    h = 0x811c9dc5
    for b in os.fsencode(os.path.realpath(run_dir)):
        h = ((h ^ b) * 0x01000193) & 0xffffffff
    return '%08x' % h


class Cursor:
    def __init__(self, path):
        with open(path, 'rb') as f:
            self.map = mmap.mmap(f.fileno(), 4096, prot=mmap.PROT_READ)

    def read(self):
        return struct.unpack_from('<Q', self.map, CURSOR)[0]


def moves(cursor, tries):
    """Seconds until the cursor moves; None: it does not."""
    t0 = time.monotonic()
    was = cursor.read()
    for _ in range(tries):
        if cursor.read() != was:
            return time.monotonic() - t0
        time.sleep(0.0005)
    return None


class Heirs:
    def __init__(self, run_dir, shm, most):
        self.pid = supervisor(run_dir)
        self.most = most
        self.rings = {}
        self.took, self.kills = [], 0
        for path in glob.glob('%s/ctshardd.%s.ev.*' %
                              (shm, segment_hash(run_dir))):
            self.rings[int(path.rsplit('.', 1)[1])] = Cursor(path)

    def kill(self, sender):
        now = list(workers(self.pid))
        if not now:
            return
        number, victim = random.choice(now)
        t0 = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        self.kills += 1
        # once it is dead nothing but its heir moves the cursor
        while os.path.exists('/proc/%d/exe' % victim):
            pass
        dead = time.monotonic() - t0
        more = moves(self.rings[number], 4000)
        if more is not None and sender.poll() is None:
            self.took.append((dead + more) * 1000)

    def run(self, command):
        sender = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while sender.poll() is None:
            time.sleep(random.uniform(0, 0.02))
            if self.kills < self.most:
                self.kill(sender)
        if sender.returncode:
            sys.exit('the sender ended with %d' % sender.returncode)

    def tell(self):
        took = sorted(self.took) or [0]
        print('%d kills: %d measured, median %.1f ms, longest %.1f ms' %
              (self.kills, len(self.took), took[len(took) // 2], took[-1]))


def main():
    random.seed(1)
    h = Heirs(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    h.run(sys.argv[4:])
    h.tell()


if __name__ == '__main__':
    main()
