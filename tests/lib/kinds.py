#!/usr/bin/python3
"""Why mirror mode says something else than strict mode of a capture that
nobody damaged: a kind for each line of the table that differs.

docs/mirror.md lists the kinds, with their reasons and how many lines of the
collection of captures each has.
"""
import collections
import json
import re


def key_of(row):
    ends = [tuple(row[d].get(k) for k in ("src", "sport", "type", "id"))
            for d in ("original", "reply")]
    return row["zone"], row["protonum"], frozenset(ends)


def said(row):
    """A line without what strict mode has not, and without an id."""
    return json.dumps({k: row[k] for k in (
        "state", "status", "timeout", "original", "reply") if k in row},
        sort_keys=True)


def kind(strict, mirror):
    """`strict` and `mirror` are the lines of a connection, None: there is
    none; None: there is no reason."""
    if not mirror:
        return None
    detail = mirror.get("detail") or {}
    repaired = set(filter(None, detail.get("repaired", "").split(",")))
    if not strict:
        return "refused" if detail.get("direction") != "syn" else None
    if not repaired and \
       set(strict["status"]) ^ set(mirror["status"]) == {"EXPECTED"}:
        return "helper"
    # expects answers to a broadcast, and lives no longer than it does (F223)
    if mirror["original"].get("dport") in (137, 161) and \
       "timeout" not in mirror:
        return "helper"
    if strict["original"].get("src") != mirror["original"].get("src"):
        return "turned"
    if "pickup" in repaired:
        return "handshake" if detail.get("direction") == "syn" else "late"
    for word in ("gap", "window", "state"):
        if word in repaired:
            return word
    if strict.get("state") == "LAST_ACK" and mirror.get("state") == "FIN_WAIT":
        return "fin"
    return None


def differences(strict, mirror):
    """Of two tables by key: (kinds and how many, lines without one)."""
    n, without = collections.Counter(), []
    for key in set(strict) | set(mirror):
        a, b = strict.get(key), mirror.get(key)
        if a and b and said(a) == said(b):
            continue
        k = kind(a, b)
        if k:
            n[k] += 1
        else:
            without.append((a and said(a), b and said(b)))
    return n, without


def listed(path):
    """The table of docs/mirror.md: | `kind` | number | reason |"""
    with open(path, encoding="utf-8") as f:
        rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", f.read(), re.M)
    return collections.Counter({k: int(n) for k, n in rows})
