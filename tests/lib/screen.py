#!/usr/bin/python3
"""Keys for a full-screen program on a terminal of its own, and what is seen.

	screen.py COMMAND...

runs the command; standard input has lines "KEYS<tab>REGEX": the keys are
typed (Python escapes), then the screen must match within a bounded number of
looks.  The last line is the exit status that is expected.
"""
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios

ROWS, COLS = 24, 120


class Screen:
    """As much of a terminal (TERM=vt220) as ncurses uses for text."""
    SEQ = re.compile(rb'\x1b\[([?0-9;]*)([a-zA-Z@])|\x1b[()][0-9A-B]'
                     rb'|\x1b[=>78MDEH]|[\x00-\x1f]|[^\x00-\x1f\x1b]+')

    def __init__(self):
        self.cell = [[' '] * COLS for _ in range(ROWS)]
        self.y = self.x = 0
        self.rest = b''

    def feed(self, data):
        data = self.rest + data
        at = 0
        while at < len(data):
            m = self.SEQ.match(data, at)
            if not m:
                if len(data) - at > 32:
                    at += 1
                    continue
                break
            self.one(m)
            at = m.end()
        self.rest = data[at:]

    def one(self, m):
        s = m.group(0)
        if m.group(2):
            self.csi(m.group(1), m.group(2).decode())
        elif s == b'\r':
            self.x = 0
        elif s == b'\n':
            self.y = min(self.y + 1, ROWS - 1)
        elif s == b'\b':
            self.x = max(self.x - 1, 0)
        elif s[0] >= 32:
            for ch in s.decode('ascii', 'replace'):
                if self.x < COLS:
                    self.cell[self.y][self.x] = ch
                    self.x += 1

    def csi(self, args, what):
        n = [int(a) if a.isdigit() else 0
             for a in args.decode().lstrip('?').split(';')]
        one = max(n[0], 1)
        line = self.cell[self.y]
        if what in 'Hf':
            self.y = min(one, ROWS) - 1
            self.x = min(max(n[1] if len(n) > 1 else 1, 1), COLS) - 1
        elif what == 'A':
            self.y = max(self.y - one, 0)
        elif what == 'B':
            self.y = min(self.y + one, ROWS - 1)
        elif what == 'C':
            self.x = min(self.x + one, COLS - 1)
        elif what == 'D':
            self.x = max(self.x - one, 0)
        elif what == 'G':
            self.x = one - 1
        elif what == 'd':
            self.y = one - 1
        elif what == 'K':
            if n[0] == 0:
                line[self.x:] = [' '] * (COLS - self.x)
            elif n[0] == 1:
                line[:self.x + 1] = [' '] * (self.x + 1)
            else:
                line[:] = [' '] * COLS
        elif what == 'J':
            line[self.x:] = [' '] * (COLS - self.x)
            for y in range(0 if n[0] == 2 else self.y + 1, ROWS):
                self.cell[y] = [' '] * COLS
        elif what == 'P':
            line[self.x:] = line[self.x + one:] + [' '] * one
            del line[COLS:]
        elif what == '@':
            line[self.x:self.x] = [' '] * one
            del line[COLS:]
        elif what == 'X':
            line[self.x:self.x + one] = [' '] * one
            del line[COLS:]

    def text(self):
        return '\n'.join(''.join(r).rstrip() for r in self.cell)


def main():
    lines = sys.stdin.read().splitlines()
    pid, fd = pty.fork()
    if not pid:
        os.environ['TERM'] = 'vt220'
        os.execvp(sys.argv[1], sys.argv[1:])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('4H', ROWS, COLS, 0, 0))
    screen = Screen()
    for line in lines[:-1]:
        keys, want = line.split('\t')
        os.write(fd, keys.encode().decode('unicode_escape').encode())
        for _ in range(300):
            if re.search(want, screen.text(), re.M):
                break
            if select.select([fd], [], [], 0.1)[0]:
                try:
                    screen.feed(os.read(fd, 65536))
                except OSError:
                    break
        else:
            os.kill(pid, 9)
        if not re.search(want, screen.text(), re.M):
            sys.exit(f'not seen: {want}\n{screen.text()}')
    os.write(fd, b'q')
    while True:
        try:
            if not os.read(fd, 65536):
                break
        except OSError:
            break
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.exit(code != int(lines[-1]))


main()
