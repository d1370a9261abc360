#!/usr/bin/python3
"""Does long work tell how far it is, on a terminal and nowhere else?

	progress.py CTCTL RUNDIR

`load -` gets a line now and then, until it has said so; the words must be off
the screen in the end.  Then the same without a terminal: nothing is said but
the sum.
"""
import os
import pty
import re
import select
import subprocess
import sys

LINE = b'-A -p 99 -s 10.9.0.%d -d 10.9.1.1 -t 600\n'


def load(argv, err, seen, close):
    """Lines until `seen` says that it is enough; the exit status."""
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=err)
    os.close(err)
    for i in range(250):
        p.stdin.write(LINE % (i + 1))
        p.stdin.flush()
        if seen():
            break
    p.stdin.close()
    close()
    return p.wait(60)


def main():
    argv = [sys.argv[1], '-R', sys.argv[2], 'load', '-']
    a, b = pty.openpty()
    text = b''

    def told():
        nonlocal text
        if select.select([a], [], [], 0.1)[0]:
            text += os.read(a, 4096)
        return b' lines' in text

    def rest():
        nonlocal text
        try:
            while b'have been created' not in text:
                text += os.read(a, 4096)
        except OSError:
            pass

    assert load(argv, b, told, rest) == 0, text
    m = re.search(rb'\rctctl: (\d+) lines.*\r\x1b\[Kctctl: (\d+) flow entries',
                  text, re.S)
    assert m and int(m[1]) <= int(m[2]), text
    r, w = os.pipe()
    n = 0

    def some():
        nonlocal n
        n += 1
        select.select([], [], [], 0.1)
        return n == 8

    assert load(argv, w, some, lambda: None) == 0
    said = os.read(r, 4096)
    assert re.fullmatch(rb'ctctl: \d+ flow entries have been created\.\n',
                        said), said
    return 0


if __name__ == '__main__':
    sys.exit(main())
