#!/usr/bin/python3
"""Does a packet cost more instructions than it did?  Times on a machine that
others use say little; instructions are the same everywhere, for one compiler.

    tests/check-instructions.py             compare with tests/instructions.txt
    tests/check-instructions.py --record    write that file anew

Each figure is what one more packet (or connection) of ctbench costs in the
pipeline, counted by valgrind; more than 5 % above the record fails.  So does a
packet with all of a mirror's settings on and nothing for them to do (`mirror`)
that takes more than 5 % above one in strict mode without them (`tcp`).
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
RECORD = os.path.join(ROOT, "tests/instructions.txt")
MORE = 1.05
# name, arguments, option that counts, less, more of it
RUNS = [
    ("tcp", ["pipeline", "--connections", "1000"], "--packets", 20000, 60000),
    ("tcp6", ["pipeline", "--connections", "1000", "--v6"], "--packets",
     20000, 60000),
    ("udp", ["pipeline", "--connections", "1000", "--proto", "udp"],
     "--packets", 20000, 60000),
    ("mirror", ["pipeline", "--connections", "100", "--mirror", "all"],
     "--packets", 20000, 60000),
    ("create", ["create"], "--connections", 20000, 60000),
]


def skip(why):
    print("check-instructions: " + why)
    sys.exit(77)


def compiler():
    """Of ctbench, as it says in the program itself."""
    out = subprocess.run(["readelf", "-p", ".comment",
                          os.path.join(BUILD, "ctbench")],
                         capture_output=True, text=True).stdout
    found = re.findall(r"GCC: .*?(\d+)\.\d+\.\d+", out)
    return "gcc " + found[0] if found and "clang" not in out else "another"


def count(args):
    with tempfile.NamedTemporaryFile(prefix="ctshardd-ir.") as f:
        r = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=rig_run",
             "--callgrind-out-file=" + f.name,
             os.path.join(BUILD, "ctbench")] + args + ["--repeat", "1"],
            capture_output=True, text=True, timeout=600)
    found = re.search(r"Collected : (\d+)", r.stderr)
    # exit 1: a few of all that fit stay in the hands of whoever drew them
    if '"bench"' not in r.stdout or not found or found.group(1) == "0":
        sys.exit("ctbench %s: %s" % (" ".join(args), r.stderr[-500:]))
    return int(found.group(1))


def measure():
    got = {}
    for name, args, option, less, more in RUNS:
        got[name] = (count(args + [option, str(more)]) -
                     count(args + [option, str(less)])) / (more - less)
    return got


def main():
    if not shutil.which("valgrind"):
        skip("needs valgrind")
    if not os.path.exists(os.path.join(BUILD, "ctbench")):
        skip("there is no ctbench in " + BUILD)
    by = compiler()
    if "--record" in sys.argv[1:]:
        with open(RECORD, "w") as f:
            f.write("# Instructions a packet or connection, by "
                    "tests/check-instructions.py --record\n")
            f.write("compiler %s\n" % by)
            for name, n in measure().items():
                f.write("%s %.0f\n" % (name, n))
        return 0
    with open(RECORD) as f:
        record = dict(line.split(None, 1) for line in f
                      if line.strip() and line[0] != "#")
    want = record.pop("compiler").strip()
    got = measure()
    ratio = got["mirror"] / got["tcp"]
    bad = ratio > MORE
    print("mirror / tcp %.3f%s" % (ratio, ": TOO MUCH" if bad else ""))
    if by != want:
        print("the record is of %s, not of %s" % (want, by))
        return 1 if bad else 77
    for name, n in got.items():
        over = n > float(record[name]) * MORE
        bad += over
        print("%-7s %6.0f instructions, %6.0f on record%s" %
              (name, n, float(record[name]), ": TOO MANY" if over else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
