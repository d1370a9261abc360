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


# what is measured, unit, reach, beyond; less is better unless it is a rate
def rows(r):
    b, n = r["bench"], r.get("connections", 0)
    if "skipped" in r:
        yield b, r["skipped"], "", None, None, True
    elif b == "floor":
        yield "floor, a line of memory", r["ns_per_line"], "ns", None, None, 1
    elif b == "pipeline":
        six = " IPv6" if r["v6"] else ""
        reach = {10000: (60, 45), 1000000: (90, 60), 4000000: (100, 75),
                 10000000: (120, 90)}.get(n, (None, None))
        if six:
            reach = (None, None)
        yield ("pipeline, %s connections%s" % (number(n), six),
               r["ns_per_packet"], "ns", *reach, True)
        if n == 1000000:
            yield ("  in floors of %.1f ns" % r["floor_ns"], r["ratio"], "",
                   None if six else 6, None, True)
        yield ("  bytes a connection", r["bytes_per_connection"], "B",
               (245 if six else 210) if n >= 1000000 else None, None, True)
        if r["accepted"] < 0.99:
            yield "  ACCEPTED", r["accepted"], "", 0.99, None, False
    elif b == "create":
        yield "create, with NEW", r["per_second"], "/s", 4e6, 6e6, False
    elif b == "flood":
        yield "flood into a full table", r["per_second"], "/s", 3e6, None, False
        yield ("  established that were kept",
               100.0 * r["kept"] / max(r["established"], 1), "%", 100, None,
               False)
    elif b == "expire":
        yield "expire", r["per_second"], "/s", 5e6, None, False
    elif b == "reaper":
        yield ("reaper without work, %s connections" % number(n),
               r["percent_of_core"], "% of a core", 1, None, True)
    elif b == "list":
        yield "list, " + r["format"], r["rows_per_second"], "/s", 1e6, 2e6, 0
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
        yield "a shard repaired", r["ms_per_shard"], "ms", None, None, True
    elif b == "scale" and r["workers"] > 1:
        yield ("%d workers" % r["workers"], r["ratio"], "times",
               1.85 if r["workers"] == 2 else None, None, False)
    elif b == "live":
        yield ("veth, " + r["reader"], r["taken_per_second"], "/s", None,
               None, False)
        yield "  dropped", float(r["dropped"]), "", 0, None, True
    elif b == "latency":
        yield ("event after packet at %s/s, median" %
               number(r["asked_per_second"]), r["p50_us"] / 1e3, "ms", None,
               None, True)
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


def main():
    print("\n" + machine())
    print("%-44s %12s %-12s %9s %9s" % ("", "measured", "", "reach",
                                        "beyond"))
    with open(sys.argv[1]) as f:
        for line in f:
            for what, v, unit, reach, beyond, less in rows(json.loads(line)):
                if isinstance(v, str):
                    print("%-44s %s" % (what, v))
                    continue
                mark = ""
                if reach is not None:
                    mark = "" if (v <= reach if less else v >= reach) else \
                        "  missed"
                if beyond is not None and \
                        (v <= beyond if less else v >= beyond):
                    mark = "  beyond"
                print("%-44s %12s %-12s %9s %9s%s" % (
                    what, number(v), unit,
                    "" if reach is None else number(reach),
                    "" if beyond is None else number(beyond), mark))


if __name__ == "__main__":
    main()
