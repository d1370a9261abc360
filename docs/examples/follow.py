#!/usr/bin/python3
"""Follow connections with nothing but the schema.

	follow.py [RUNDIR [PROTO]]

Prints the table, then what happens, a line each.  The modules are made from
ctshard.proto by protoc (packages protobuf-compiler, python3-protobuf); frames
are a length of 4 bytes, big-endian, and a message.
"""
import importlib
import ipaddress
import os
import socket
import struct
import subprocess
import sys
import tempfile


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


class Daemon:
    def __init__(self, pb, rundir):
        self.pb = pb
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.path.join(rundir, 'api.sock'))
        self.stream = self.sock.makefile('rb')
        hello = pb.Request(id=1)
        hello.hello.version = 1
        hello.hello.client = 'follow.py'
        self.send(hello)
        self.receive()

    def send(self, request):
        data = request.SerializeToString()
        self.sock.sendall(struct.pack('>I', len(data)) + data)

    def receive(self):
        head = self.stream.read(4)
        if len(head) < 4:
            raise SystemExit('follow.py: the daemon has gone')
        response = self.pb.Response()
        response.ParseFromString(
            self.stream.read(struct.unpack('>I', head)[0]))
        if response.error.code:
            raise SystemExit(f'follow.py: {response.error.message}')
        return response

    def watch(self):
        request = self.pb.Request(id=2)
        request.watch.snapshot = True
        self.send(request)
        while True:
            response = self.receive()
            yield from response.event
            if response.end:
                return


def end(address, port):
    text = str(ipaddress.ip_address(address))
    return f'[{text}]:{port}' if ':' in text else f'{text}:{port}'


def main():
    rundir = sys.argv[1] if len(sys.argv) > 1 else '/run/ctshardd'
    proto = (sys.argv[2] if len(sys.argv) > 2
             else '/usr/local/share/ctshardd/ctshard.proto')
    pb = schema(proto)
    for event in Daemon(pb, rundir).watch():
        name = pb.EventType.Name(event.type)
        if name == 'GAP':
            print(f'GAP {event.lost} events lost', flush=True)
        elif name == 'LIST_END':
            print('LIST_END', flush=True)
        else:
            c = event.conn
            print(name, c.proto or c.protonum,
                  end(c.original.src, c.original.sport),
                  end(c.original.dst, c.original.dport),
                  c.state, c.reason, flush=True)


if __name__ == '__main__':
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        pass
