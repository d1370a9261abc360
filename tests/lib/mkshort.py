#!/usr/bin/python3
"""A capture of connections that end: mkshort.py FILE COUNT

UDP packets 10 ms apart, each of a new connection; every seventh is answered,
so some have a reply's timeout.
"""
import struct
import sys


def packet(t_us, src, dst, sport, dport):
    udp = struct.pack('!HHHH', sport, dport, 12, 0) + b'data'
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                     src, dst)
    frame = bytes(12) + b'\x08\x00' + ip + udp
    return struct.pack('=IIII', 1700000000 + t_us // 1000000,
                       t_us % 1000000, len(frame), len(frame)) + frame


def main():
    with open(sys.argv[1], 'wb') as f:
        f.write(struct.pack('=IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i in range(int(sys.argv[2])):
            a = bytes((10, 0, i >> 16 & 255, i >> 8 & 255))
            b = bytes((10, 1, 0, i & 255))
            f.write(packet(i * 10000, a, b, 1024 + i % 60000, 53))
            if i % 7 == 0:
                f.write(packet(i * 10000 + 5, b, a, 53, 1024 + i % 60000))


main()
