#!/usr/bin/python3
"""Run a program where system calls cannot be limited, as some containers are:

	unlimited.py all PROGRAM...    seccomp() is not there at all
	unlimited.py filter PROGRAM... it is, but no filter may be set
"""
import ctypes
import errno
import os
import sys

ALLOW = 0x7FFF0000
PR_SET_SECCOMP = 22
SET_MODE_FILTER = 1
CMP_EQ = 4


class Arg(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int),
                ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def refuse(lib, ctx, call, err, *args):
    number = lib.seccomp_syscall_resolve_name(call)
    cmp = (Arg * len(args))(*args)
    if lib.seccomp_rule_add_array(ctx, 0x00050000 | err, number,
                                  len(args), cmp):
        sys.exit(f"no rule for {call}")


lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
lib.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32,
                                       ctypes.c_int, ctypes.c_uint,
                                       ctypes.c_void_p]
lib.seccomp_load.argtypes = [ctypes.c_void_p]
ctx = lib.seccomp_init(ALLOW)
if sys.argv[1] == "all":
    refuse(lib, ctx, b"seccomp", errno.ENOSYS)
else:
    refuse(lib, ctx, b"seccomp", errno.EPERM,
           Arg(0, CMP_EQ, SET_MODE_FILTER, 0))
refuse(lib, ctx, b"prctl", errno.EINVAL, Arg(0, CMP_EQ, PR_SET_SECCOMP, 0))
if lib.seccomp_load(ctx):
    sys.exit(77)
os.execv(sys.argv[2], sys.argv[2:])
