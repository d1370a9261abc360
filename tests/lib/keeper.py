#!/usr/bin/python3
"""A stand-in for systemd's manager, as far as a daemon with a store of
descriptors sees it: $NOTIFY_SOCKET with FDSTORE and FDSTOREREMOVE, restart
after every end, LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES.

	keeper.py SOCKET DELAY MAX COMMAND...

DELAY seconds lie between an end and the next start; MAX descriptors are kept.
SIGTERM ends COMMAND and the keeper.  SOCKET.names holds the names of what is
kept, a line each."""
import array
import os
import select
import signal
import socket
import sys
import time

LISTEN_FIRST = 3


class Keeper:
    def __init__(self, path, delay, most, command):
        self.path, self.delay, self.most = path, delay, most
        self.command = command
        self.kept = []                  # (name, descriptor)
        self.over = False
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)

    def write(self):
        with open(self.path + '.names.new', 'w') as f:
            f.writelines(name + '\n' for name, _ in self.kept)
        os.rename(self.path + '.names.new', self.path + '.names')

    def message(self):
        text, anc, _, _ = self.sock.recvmsg(4096, socket.CMSG_SPACE(4 * 16))
        fds = array.array('i')
        for level, kind, data in anc:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
        said = dict(line.split('=', 1) for line in
                    text.decode().splitlines() if '=' in line)
        name = said.get('FDNAME', 'stored')
        if said.get('FDSTOREREMOVE') == '1':
            for kept in [k for k in self.kept if k[0] == name]:
                os.close(kept[1])
                self.kept.remove(kept)
            self.write()
        for fd in fds:
            if said.get('FDSTORE') == '1' and len(self.kept) < self.most:
                self.kept.append((name, fd))
                self.write()
            else:
                os.close(fd)

    def child(self):
        env = dict(os.environ, NOTIFY_SOCKET=self.path)
        # out of the way of the numbers they are to have
        high = [os.dup2(fd, 100 + i) for i, (_, fd) in enumerate(self.kept)]
        for i, fd in enumerate(high):
            os.dup2(fd, LISTEN_FIRST + i)       # inheritable
        os.closerange(LISTEN_FIRST + len(high), 1024)
        if high:
            env.update(LISTEN_FDS=str(len(high)), LISTEN_PID=str(os.getpid()),
                       LISTEN_FDNAMES=':'.join(n for n, _ in self.kept))
        os.execve(self.command[0], self.command, env)

    def start(self):
        pid = os.fork()
        if not pid:
            try:
                self.child()
            finally:
                os._exit(127)
        return pid

    def stop(self, *_):
        self.over = True

    def run(self):
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        status = 0
        while not self.over:
            pid = self.start()
            told = False
            while True:
                if self.over and not told:
                    os.kill(pid, signal.SIGTERM)
                    told = True
                if select.select([self.sock], [], [], 0.02)[0]:
                    self.message()
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    break
            end = time.monotonic() + self.delay
            while not self.over and time.monotonic() < end:
                if select.select([self.sock], [], [], 0.02)[0]:
                    self.message()
        return os.waitstatus_to_exitcode(status)


def main():
    k = Keeper(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
    sys.exit(k.run() & 0xff)


if __name__ == '__main__':
    main()
