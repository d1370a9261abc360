#!/usr/bin/python3
"""Follow connections with nothing but the schema.

	follow.py [RUNDIR [PROTO]]

Prints the table, then what happens, a line each; when the daemon is away, it is
waited for, and what follows the last event is asked for.  The modules are made
from ctshard.proto by protoc (packages protobuf-compiler, python3-protobuf);
frames are a length of 4 bytes, big-endian, and a message.
"""
import importlib
import ipaddress
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time


def schema(proto):
    """The Python module of a .proto file."""
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(['protoc', '--python_out', d, '-I',
                        os.path.dirname(proto) or '.', proto], check=True)
        sys.path.insert(0, d)
        try:
            return importlib.import_module('ctshard_pb2')
        finally:
            sys.path.remove(d)


class Gone(Exception):
    """The daemon went away, or was not there."""


class Daemon:
    def __init__(self, pb, rundir):
        self.pb = pb
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            self.sock.connect(os.path.join(rundir, 'api.sock'))
        except OSError as e:
            raise Gone(str(e))
        self.stream = self.sock.makefile('rb')
        hello = pb.Request(id=1)
        hello.hello.version = 1
        hello.hello.client = 'follow.py'
        self.send(hello)
        self.hello = self.receive().hello

    def send(self, request):
        data = request.SerializeToString()
        try:
            self.sock.sendall(struct.pack('>I', len(data)) + data)
        except OSError as e:
            raise Gone(str(e))

    def take(self, n):
        try:
            data = self.stream.read(n)
        except (OSError, ValueError) as e:
            raise Gone(str(e))
        if len(data) < n:
            raise Gone('the daemon has gone')
        return data

    def receive(self):
        response = self.pb.Response()
        response.ParseFromString(
            self.take(struct.unpack('>I', self.take(4))[0]))
        if response.error.code:
            raise SystemExit(f'follow.py: {response.error.message}')
        return response

    def watch(self, watch):
        """Events, as the message Watch asks for them."""
        request = self.pb.Request(id=2, watch=watch)
        self.send(request)
        while True:
            response = self.receive()
            yield from response.event
            if response.end:
                return


def end(address, port):
    text = str(ipaddress.ip_address(address))
    return f'[{text}]:{port}' if ':' in text else f'{text}:{port}'


def show(pb, event):
    name = pb.EventType.Name(event.type)
    if name == 'GAP':
        print(f'GAP {event.lost} events lost', flush=True)
    elif name == 'LIST_END':
        print('LIST_END', flush=True)
    elif name != 'POSITION':
        c = event.conn
        print(name, c.proto or c.protonum,
              end(c.original.src, c.original.sport),
              end(c.original.dst, c.original.dport),
              c.state, c.reason, flush=True)


def main():
    rundir = sys.argv[1] if len(sys.argv) > 1 else '/run/ctshardd'
    proto = (sys.argv[2] if len(sys.argv) > 2
             else '/usr/local/share/ctshardd/ctshard.proto')
    pb = schema(proto)
    watch = pb.Watch(snapshot=True, positions=True)
    daemon = Daemon(pb, rundir)
    while True:
        try:
            for event in daemon.watch(watch):
                show(pb, event)
                if event.type != pb.LIST:
                    # to go on from: a number, and the table it is one of
                    watch = pb.Watch(
                        since=event.to - 1 if event.type == pb.GAP
                        else event.seq, uuid=daemon.hello.uuid,
                        positions=True)
        except Gone as e:
            print(f'follow.py: {e}', file=sys.stderr)
        daemon = None
        while not daemon:
            try:
                daemon = Daemon(pb, rundir)
            except Gone:
                time.sleep(0.2)


if __name__ == '__main__':
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    except Gone as e:
        sys.exit(f'follow.py: {e}')
