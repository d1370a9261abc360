#!/usr/bin/python3
"""Segments that a daemon of layout version 1 has left over the demonstration
capture, as if it had run in RUNDIR, on CAPTURE and in this boot.

	older.py ARCHIVE RUNDIR SHMDIR CAPTURE
"""
import os
import struct
import sys
import tarfile
import uuid

BOOT_ID, SOURCE_ID, SUM = 32, 192, 200  # in layout 1 (shm/layout1.h)


def fnv(data, h=0xcbf29ce484222325):
    for b in data:
        h = ((h ^ b) * 0x100000001b3) & 0xffffffffffffffff
    return h


def name_of(run_dir):
    h = 0x811c9dc5
    for b in os.fsencode(os.path.realpath(run_dir)):
        h = ((h ^ b) * 0x01000193) & 0xffffffff
    return 'ctshardd.%08x' % h


def main():
    archive, run_dir, shm, capture = sys.argv[1:]
    base = os.path.join(shm, name_of(run_dir))
    with tarfile.open(archive) as t:
        for m in t.getmembers():
            with open(base + '.' + m.name, 'wb') as f:
                f.write(t.extractfile(m).read())
    st = os.stat(capture)
    with open('/proc/sys/kernel/random/boot_id') as f:
        boot = uuid.UUID(f.read().strip()).bytes
    with open(base + '.tbl', 'r+b') as f:
        head = bytearray(f.read(4096))
        head[BOOT_ID:BOOT_ID + 16] = boot
        struct.pack_into('<Q', head, SOURCE_ID, fnv(struct.pack(
            '<QQQ', st.st_dev, st.st_ino, st.st_size)))
        struct.pack_into('<Q', head, SUM, fnv(head[:SUM]))
        f.seek(0)
        f.write(head)


if __name__ == '__main__':
    main()
