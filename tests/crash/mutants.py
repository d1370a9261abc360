#!/usr/bin/python3
"""Are the tests blind anywhere?  One mutant for every ordered store and
barrier of the shared-memory core: deleted, or moved before the statement in
front of it; commits also behind the next.  Expectations are changed by the
operations of ops.h, so with them, and with what else is built upon these, each
call of one is such a statement, too.
Every mutant must fail a test, or stand with a reason in survivors.txt.

    tests/crash/mutants.py                   all (long)
    tests/crash/mutants.py --pick HASH N     N of them, drawn by HASH
    tests/crash/mutants.py --list            their names
    tests/crash/mutants.py --only TEXT       those whose name contains TEXT

A mutant of which the compiler makes the same machine code needs no test: most
fences against reordering processors are such on x86.  Fails on any other
survivor that is not listed, and on a listed one that is caught.
"""
import argparse
import concurrent.futures
import filecmp
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
TREE = ROOT  # later a copy, so that nobody's edit gets in between
FILES = ["ops.c", "update.h", "repair.c", "proc.c", "proc.h", "read.c",
         "trace.c", "expect.c", "expect_use.c", "expect_end.c",
         "expect_source.c", "expect_in.h", "rcu.c", "mend.c", "told.c",
         "budget.c"]
# fast ones first; the first that fails ends it
TESTS = [
    ("tests/shm/test_ops.c", []),
    ("tests/shm/test_read.c", []),
    ("tests/shm/test_proc.c", []),
    ("tests/shm/test_repair.c", []),
    ("tests/shm/test_told.c", []),
    ("tests/crash/test_step.c", ["3", "24", "12", "told"]),
    ("tests/crash/test_soak_shm.c", ["1"]),
    ("tests/crash/test_step.c", ["7", "60", "20"]),
    ("tests/crash/test_step.c", ["11", "40", "260"]),
    ("tests/crash/test_nested.c", ["7", "20", "240", "83"]),
]
# those of what stands beside the operations
BESIDE = {
    "rcu.c": [("tests/crash/test_step_rest.c", []),
              ("tests/shm/test_rcu.c", [])],
    "mend.c": [("tests/shm/test_repair.c", []),
               ("tests/crash/test_step_rest.c", [])],
    "budget.c": [("tests/shm/test_budget.c", []),
                 ("tests/crash/test_step_rest.c", [])],
    "told.c": [("tests/shm/test_told.c", []),
               ("tests/crash/test_step_told.c", [])],
}
# and those of what is built upon it: packets, with all that works on them
PACKETS = [
    ("tests/shm/test_expect.c", []),
    ("tests/crash/test_trace.c", []),
    ("tests/crash/test_step_expect.c", []),
]
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
ROOMS = ["daemon/%s.a" % r for r in ("worker", "helper", "tracker", "source",
                                     "pkt", "base")] + ["tests/lib.a"]
LINK = "-lpcap -lconfuse -lseccomp -lcap-ng -lz -lzstd -lcmocka".split()
LIB = ["keys", "image", "traffic"]
# on an idle machine the slowest test takes a tenth of it
HANG = 150
STORE = re.compile(r"shm_(store|store_release|add|xchg|wmb|rmb|mb|barrier)\(")
PACKETS_OF = re.compile(r"expect|trace")
# where each call of an operation is a statement, too
STEPS_OF = re.compile(r"expect|trace|told|mend")
STEP = re.compile(r"(op_update_(begin|commit)|op_cursor_set|claim_write|"
                  r"expect_(action_close|entry_end|claim|release|use|lock|"
                  r"unlock)|counters_(prepare|commit)|update_told|told_note|"
                  r"entry_end|shard_rebuild)\(")
FUNCTION = re.compile(r"^[a-z].*?\b((?!__attribute__)[a-z_0-9]+)\(")
NOT_SIMPLE = re.compile(r"^\s*(return|goto|break|continue|else|if|for|while|"
                        r"case|default|do|const|struct|u?int\w*|unsigned|bool)\b")
CC = os.environ.get("CC", "gcc")
# without debug information, so that equal objects are equal programs
CFLAGS = ["-std=gnu11", "-O2", "-w", "-I.", "-Ibuild", "-D_GNU_SOURCE="]
SAME = "the same code"


def statements(lines):
    """(first, last, text) of the simple statements, last line included."""
    found, start = [], None
    for i, line in enumerate(lines):
        if start is None:
            if not re.match(r"^\t+[a-z*(]", line) or NOT_SIMPLE.match(line):
                continue
            start = i
        if re.search(r"[{}]$", line) or line.startswith("#"):
            start = None
        elif re.search(r";\s*(/\*.*\*/)?$", line):
            text = " ".join(s.strip() for s in lines[start:i + 1])
            found.append((start, i, text))
            start = None
    return found


def mutants_of(name):
    path = "shm/" + name
    with open(os.path.join(ROOT, path)) as f:
        lines = f.read().split("\n")
    function, of_line = "", []
    for line in lines:
        m = FUNCTION.match(line)
        if m and not line.endswith(";"):
            function = m.group(1)
        of_line.append(function)
    all_of = statements(lines)
    made, times = [], {}

    def add(kind, s, text):
        key = "%s %s %s: %s" % (path, of_line[s[0]], kind,
                                re.sub(r"\s*/\*.*\*/", "", s[2]))
        times[key] = times.get(key, 0) + 1
        if times[key] > 1:
            key += " (%d)" % times[key]
        made.append((key, name, "\n".join(text)))

    for n, s in enumerate(all_of):
        if not STORE.match(s[2]) and not (
                STEPS_OF.match(name) and STEP.match(s[2])):
            continue
        first, last = s[0], s[1]
        add("without", s, lines[:first] + ["\t;"] + lines[last + 1:])
        if "/* commit */" in lines[last]:
            after = all_of[n + 1]
            add("late", s, lines[:first] + lines[last + 1:after[1] + 1] +
                lines[first:last + 1] + lines[after[1] + 1:])
        if not n:
            continue
        before = all_of[n - 1]
        indent = re.match(r"\t+", lines[first]).group()
        same = re.match(r"\t+", lines[before[0]]).group() == indent
        between = lines[before[1] + 1:first]
        guard = lines[before[0] - 1]
        # two statements in a row of one block, the first without an `if`
        if not same or any(re.search(r"[{};]|else|case|if \(", b)
                           for b in between) or \
           re.search(r"(\)|else)$", guard):
            continue
        add("early", s, lines[:before[0]] + lines[first:last + 1] +
            between + lines[before[0]:before[1] + 1] + lines[last + 1:])
    return made


def sh(cmd, timeout=None):
    """As subprocess.run(), but whoever hangs goes with all its children: a
    mutant's forked processes would spin for ever."""
    p = subprocess.Popen(cmd, cwd=TREE, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, start_new_session=True)
    try:
        out, _ = p.communicate(timeout=timeout)
    finally:
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        p.wait()
    return subprocess.CompletedProcess(cmd, p.returncode, out)


def tests_of(name):
    return BESIDE.get(name) or (PACKETS if PACKETS_OF.match(name) else TESTS)


def compile_c(src, out):
    r = sh([CC] + CFLAGS + ["-c", src, "-o", out])
    if r.returncode:
        sys.exit(r.stdout.decode())


def prepare(work, packets):
    """Objects of the tests and of everything that is not mutated."""
    global TREE
    for d in ("shm", "daemon", "tests/lib", "tests/shm", "tests/crash"):
        shutil.copytree(os.path.join(ROOT, d), os.path.join(work, "tree", d))
    TREE = os.path.join(work, "tree")
    shm = sorted(f[:-2] for f in os.listdir(os.path.join(ROOT, "shm"))
                 if f.endswith(".c"))
    for n in shm:
        compile_c("shm/%s.c" % n, "%s/shm_%s.o" % (work, n))
    for n in LIB:
        compile_c("tests/lib/%s.c" % n, "%s/lib_%s.o" % (work, n))
    every = TESTS + (PACKETS if packets else [])
    for t in sorted({t for of in [every] + list(BESIDE.values())
                     for t, _ in of}):
        compile_c(t, "%s/%s.o" % (work, os.path.basename(t)[:-2]))
    for r in ROOMS if packets else ():
        to = os.path.join(work, os.path.basename(r))
        shutil.copy(os.path.join(BUILD, r), to)
    return shm


def including(header):
    """Object name and source of all that includes the header itself."""
    made = {"shm_" + f[:-2]: "shm/" + f
            for f in os.listdir(os.path.join(TREE, "shm"))
            if f.endswith(".c")}
    made.update(("lib_" + n, "tests/lib/%s.c" % n) for n in LIB)
    made.update((os.path.basename(t)[:-2], t) for t, _ in TESTS)
    found = {}
    for name, src in made.items():
        with open(os.path.join(TREE, src)) as text:
            if '"%s"' % header in text.read():
                found[name] = src
    return found


def run_one(work, shm, mutant):
    """None = survived, else what caught it."""
    key, name, text = mutant
    d = tempfile.mkdtemp(dir=work)
    again = {}
    try:
        os.mkdir(d + "/shm")
        with open("%s/shm/%s" % (d, name), "w") as f:
            f.write(text)
        if name.endswith(".c"):
            again["shm_%s" % name[:-2]] = "%s/shm/%s" % (d, name)
        else:
            # whoever includes it; the mutant is found before the original
            again = including("shm/" + name)
        for obj, src in again.items():
            r = sh([CC, "-I" + d] + CFLAGS + ["-c", src, "-o",
                                              "%s/%s.o" % (d, obj)])
            if r.returncode:
                return "BUILD FAILED: " + r.stdout.decode()
        if key and all(filecmp.cmp("%s/%s.o" % (d, obj), "%s/%s.o" % (work, obj),
                                   shallow=False) for obj in again):
            return SAME

        def where(obj):
            return "%s/%s.o" % (d if obj in again else work, obj)
        objs = [where("shm_" + n) for n in shm]
        objs += [where("lib_" + n) for n in LIB]
        packets = PACKETS_OF.match(name)
        if packets:
            objs += ["-Wl,--start-group"] + [
                os.path.join(work, os.path.basename(r)) for r in ROOMS] + [
                    "-Wl,--end-group", "-Wl,--as-needed"] + LINK
        for t, args in tests_of(name):
            base = os.path.basename(t)[:-2]
            prog = "%s/%s" % (d, base)
            if not os.path.exists(prog):
                r = sh([CC, "-o", prog, where(base)] + objs + ["-lcmocka"])
                if r.returncode:
                    sys.exit(r.stdout.decode())
            try:
                r = sh([prog] + args, timeout=HANG)
            except subprocess.TimeoutExpired:
                return base + " (hang)"
            if r.returncode:
                return base
        return None
    finally:
        shutil.rmtree(d)


def listed():
    found = {}
    path = os.path.join(ROOT, "tests/crash/survivors.txt")
    if not os.path.exists(path):
        return found
    with open(path) as f:
        key = None
        for line in f:
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("\t"):
                found[key] = (found[key] + " " + line.strip()).strip()
            else:
                key = line
                found[key] = ""
    return found


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--pick", nargs=2, metavar=("HASH", "N"))
    ap.add_argument("--list", action="store_true")
    ap.add_argument("--only", action="append")
    ap.add_argument("--jobs", type=int, default=2)
    a = ap.parse_args()
    every = [m for f in FILES for m in mutants_of(f)]
    picked = every
    if a.only:
        picked = [m for m in every if any(o in m[0] for o in a.only)]
    if a.pick:
        # what is built upon the core takes its time, packet by packet
        picked = [m for m in every if not PACKETS_OF.match(m[1])]
        picked = sorted(picked, key=lambda m: hashlib.sha256(
            (a.pick[0] + m[0]).encode()).hexdigest())[:int(a.pick[1])]
    if a.list:
        print("\n".join(m[0] for m in picked))
        return 0
    known, bad, caught = listed(), 0, 0
    for key in known:
        if key not in [m[0] for m in every]:
            print("STALE  no such mutant: " + key)
            bad += 1
        elif not known[key]:
            print("STALE  without a reason: " + key)
            bad += 1
    work = tempfile.mkdtemp(prefix="ctshardd-mutants.")
    try:
        both = [bool(PACKETS_OF.match(m[1])) for m in picked]
        shm = prepare(work, any(both))
        others = {m[1] for m in picked if m[1] in BESIDE}
        core = any(not PACKETS_OF.match(m[1]) and m[1] not in BESIDE
                   for m in picked)
        for n in ["ops.c"] * core + ["expect.c"] * any(both) + sorted(others):
            with open(os.path.join(ROOT, "shm", n)) as f:
                whole = run_one(work, shm, ("", n, f.read()))
            if whole:
                print("the tests fail without a mutant: " + whole)
                return 1
        with concurrent.futures.ThreadPoolExecutor(a.jobs) as ex:
            for m, by in zip(picked, ex.map(
                    lambda m: run_one(work, shm, m), picked)):
                caught += by not in (None, SAME)
                if by and by.startswith("BUILD"):
                    print("%s\n%s" % (m[0], by))
                    bad += 1
                elif by is None and m[0] not in known:
                    print("SURVIVED  " + m[0])
                    bad += 1
                elif by not in (None, SAME) and m[0] in known:
                    print("STALE  caught by %s: %s" % (by, m[0]))
                    bad += 1
                else:
                    print("%s  %s" % (by or "harmless", m[0]))
                sys.stdout.flush()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print("%d mutants, %d caught, %d harmless, %d wrong" %
          (len(picked), caught, len(picked) - caught, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
