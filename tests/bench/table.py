#!/usr/bin/python3
"""The lines of ctbench beside what is to be reached, and the machine.

    tests/bench/table.py FILE
"""
import json
import os
import sys


def number(v):
    if v >= 1e6:
        return "%.2f M" % (v / 1e6)
    if v >= 1e4:
        return "%.0f k" % (v / 1e3)
    return "%.3g" % v


def machine():
    def first(path, word):
        with open(path) as f:
            for line in f:
                if line.startswith(word):
                    return line.split(":", 1)[1].strip()
        return "?"
    kib = int(first("/proc/meminfo", "MemTotal").split()[0])
    return "%s, %d processors, %d GiB, Linux %s, load %.1f" % (
        first("/proc/cpuinfo", "model name"), os.cpu_count(),
        kib // 1048576, os.uname().release, os.getloadavg()[0])


MILLION, MOST = 1000000, 10000000
TIMES = {10000: (60, 45), MILLION: (90, 60), 4000000: (100, 75),
         MOST: (120, 90)}
BYTES = {(False, True): 210, (True, True): 245, (False, False): 145,
         (True, False): 180}    # (IPv6, with details)
NONE = (None, None)


def pipeline(r, others):
    n, six, detail = r["connections"], r["v6"], r.get("detail", True)
    what = "%s connections%s" % (number(n), " IPv6" if six else "")
    # a single run is for the memory
    if detail and r.get("repeat", 5) > 1:
        yield ("pipeline, " + what, r["ns_per_packet"], "ns",
               *(NONE if six else TIMES.get(n, NONE)), True)
        if n == MILLION and not six:
            yield ("  in floors of %.1f ns" % r["floor_ns"], r["ratio"],
                   "times", 6, None, True)
        four = [o for o in others
                if o["bench"] == "pipeline" and not o["v6"] and
                o["connections"] == n and o.get("detail", True) and
                o["proto"] == r["proto"] and o.get("repeat", 5) > 1]
        if six and four:
            yield ("  of the time for IPv4",
                   r["ns_per_packet"] / four[0]["ns_per_packet"], "times",
                   1.3 if n == MILLION else None, None, True)
    reach = BYTES[six, detail] if n == MOST else None
    yield ("  memory a connection, IPv%s%s" %
           ("6" if six else "4", "" if detail else ", detail = off"),
           r["bytes_per_connection"], "B", reach, None, True)
    if n == MOST and detail and not six and "rings_bytes" in r:
        yield ("  beside it, in all: rings", r["rings_bytes"], "B", *NONE, 1)
        yield ("  beside it, in all: log", r["log_bytes"], "B", *NONE, 1)
    if r["accepted"] < 0.99:
        yield "  ACCEPTED", r["accepted"], "", 0.99, None, False


def live(r):
    if r["reader"] == "ratio":
        yield ("  ctshardd takes, of what libpcap takes", r["ratio"], "times",
               *NONE, False)
        yield "    95 % below", r["high"], "times", 1, None, False
        yield ("    of the sender's time a packet", r["sender_ratio"], "times",
               *NONE, True)
        return
    yield ("veth, " + r["reader"], r["taken_per_second"], "/s", *NONE, False)
    yield ("  dropped", float(r["dropped"]), "",
           0 if r["reader"] == "ctshardd" else None, None, True)


# What is measured, unit, reach, beyond; less is better unless it is a rate.
# What is to be reached with a million is not asked of fewer.
def rows(r, others=()):
    b, n = r["bench"], r.get("connections", 0)
    full = n >= MILLION
    if "skipped" in r:
        yield b + ": " + r["skipped"], "skipped", "", *NONE, True
    elif b == "floor":
        yield "floor, a line of memory", r["ns_per_line"], "ns", *NONE, 1
    elif b == "pipeline":
        yield from pipeline(r, others)
    elif b == "create":
        yield "create, with NEW", r["per_second"], "/s", 4e6, 6e6, False
    elif b == "flood":
        yield "flood into a full table", r["per_second"], "/s", 3e6, None, False
        yield ("  established that were kept",
               100.0 * r["kept"] / max(r["established"], 1), "%", 100, None,
               False)
    elif b == "expire":
        yield "expire", r["per_second"], "/s", 5e6, None, False
    elif b == "expire_followed" and "per_second" in r:
        yield ("expire with one subscriber, jsonl to a file",
               r["per_second"], "/s", *NONE, False)
        yield "  events that he missed", r["lost"], "", 0, None, True
    elif b == "reaper":
        yield ("reaper without work, %s connections" % number(n),
               r["percent_of_core"], "% of a core", 1, None, True)
    elif b == "list":
        reach = (1e6, 2e6) if full else NONE
        yield ("list, %s, into a file" % r["format"], r["rows_per_second"],
               "/s", *reach, 0)
        yield ("  thrown away, without a file system",
               r["thrown_away_per_second"], "/s", *NONE, 0)
    elif b == "find":
        yield ("list, filtered, %d of %s" % (r["found"], number(n)), r["ms"],
               "ms", 50, None, True)
    elif b == "count":
        yield "count, of %s" % number(n), r["us"], "us", *NONE, True
        # about 1: the interval tells of nothing but noise
        yield ("  of the time for %d" % r["few"], r["ratio"], "times",
               1.2, None, True)
    elif b == "events":
        yield ("events, " + r["format"], r["rows_per_second"], "/s",
               2e6 if r["format"] == "binary" else 5e5, None, False)
    elif b == "subscribers":
        yield ("%d subscribers, none lost" % r["subscribers"],
               r["events_per_second"], "/s", 2e5, None, False)
    elif b == "readers":
        yield ("worker's time with %s, 95 %% below" % r["reader"], r["high"],
               "times", 1.08, None, True)
    elif b == "recover":
        yield "a shard repaired", r["ms_per_shard"], "ms", *NONE, True
    elif b == "replay":
        yield ("replay, %s packets, %d workers" %
               (number(r["packets"]), r["workers"]), r["packets_per_second"],
               "/s", *((5e6, 8e6) if full else NONE), False)
    elif b == "scale" and r["workers"] > 1:
        yield ("%d workers" % r["workers"], r["ratio"], "times",
               1.85 if r["workers"] == 2 else None, None, False)
    elif b == "live":
        yield from live(r)
    elif b == "latency":
        yield ("event after packet at %s/s, median" %
               number(r["asked_per_second"]), r["p50_us"] / 1e3, "ms", *NONE,
               True)
        yield "  99 of 100 within", r["p99_us"] / 1e3, "ms", 20, None, True
    elif b == "ping":
        yield ("a ping on a quiet mirror, %d interface%s, median" % (
            r["interfaces"], "s" * (r["interfaces"] > 1)), r["p50_ms"], "ms",
            100, None, True)
        yield ("  the longest of %d" % r["pings"], r["longest_ms"], "ms", 100,
               None, True)
    elif b == "idle":
        yield ("idle daemon, all roles", r["percent_of_core"],
               "% of a core", 0.5, None, True)


def line(what, v, unit, reach, beyond, less):
    if isinstance(v, str):
        return "%-44s %12s" % (what, v)
    mark = ""
    if reach is not None:
        mark = "" if (v <= reach if less else v >= reach) else "  missed"
    if beyond is not None and (v <= beyond if less else v >= beyond):
        mark = "  beyond"
    return ("%-44s %12s %-12s %9s %9s%s" % (
        what, number(v), unit, "" if reach is None else number(reach),
        "" if beyond is None else number(beyond), mark)).rstrip()


def main():
    with open(sys.argv[1]) as f:
        measured = [json.loads(text) for text in f]
    print("\n" + machine())
    print("%-44s %12s %-12s %9s %9s" % ("", "measured", "", "reach",
                                        "beyond"))
    for r in measured:
        for row in rows(r, measured):
            print(line(*row))


if __name__ == "__main__":
    main()
