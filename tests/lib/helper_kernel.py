#!/usr/bin/python3
"""The running kernel with all its helpers, and what it expects.

	tests/lib/helper_kernel.py KIND [SEED [N]]	its record of N sequences

The kernel attaches helpers by rules, so each has one for its usual port and
each family that it knows.  A run tells, beside what kernel.py tells, the
events of expectations and those that are left in the end.
"""
import re
import sys

from kernel import Kernel, Listener, LostError, remove

BOTH = ("ip", "ip6")
# name, protocol, port, families
HELPERS = (
    ("ftp", "tcp", 21, BOTH), ("tftp", "udp", 69, BOTH),
    ("irc", "tcp", 6667, ("ip",)), ("amanda", "udp", 10080, BOTH),
    ("sane", "tcp", 6566, BOTH), ("netbios-ns", "udp", 137, ("ip",)),
    ("snmp", "udp", 161, ("ip",)), ("sip", "udp", 5060, BOTH),
    ("sip", "tcp", 5060, BOTH), ("pptp", "tcp", 1723, ("ip",)),
    ("Q.931", "tcp", 1720, BOTH), ("RAS", "udp", 1719, BOTH))


class Helped(Kernel):
    """A kernel whose connections to usual ports have their helpers."""

    # Servers are reached by another way: a call that is forwarded is tracked
    # only where the kernel's routes to both ends of it differ.
    two_ways = False

    def rules(self):
        super().rules()
        objects, rules = "", ""
        for name, proto, port, families in HELPERS:
            for family in families:
                label = re.sub(r"\W", "_", "%s_%s_%s" % (name, proto, family))
                objects += ' ct helper %s { type "%s" protocol %s; ' \
                    'l3proto %s; }\n' % (label, name, proto, family)
                rules += '  meta nfproto %s %s dport %d ct helper set "%s"\n' \
                    % ("ipv6" if family == "ip6" else "ipv4", proto, port,
                       label)
        self.run("nft", "-f", "-", text="table inet helped {\n" + objects +
                 " chain pre { type filter hook prerouting priority -150;\n" +
                 rules + " }\n}\n")
        if self.two_ways:
            for cmd in (
                    "addr add 198.18.0.5/30 dev out",
                    "addr add 2001:2:1::1/126 dev out nodad",
                    "neigh add 198.18.0.6 lladdr 02:00:00:00:00:09 dev out",
                    "neigh add 2001:2:1::2 lladdr 02:00:00:00:00:09 dev out",
                    "route add 10.1.0.0/16 via 198.18.0.6",
                    "route add fd01::/16 via 2001:2:1::2"):
                self.run("ip", *cmd.split())

    def track(self, packets, when=None):
        """A Run with `expect_events` and `expect`, lists of lines."""
        ears = Listener(self.router, "expect")
        try:
            out = super().track(packets, when)
            out.expect = [
                line for family in ("ipv4", "ipv6") for line in self.run(
                    "conntrack", "-L", "expect", "-f", family).splitlines()]
            lost = ears.drain()
        finally:
            lost = ears.end() or lost
        if lost:
            raise LostError("the listener lost events of expectations")
        out.expect_events = [" ".join(x.split()) for x in ears.lines]
        return out


def record(packets, settings=None, name="hk", two_ways=False, tries=4):
    """A whole Run of some packets in namespaces of that name."""
    for i in range(tries):
        try:
            kernel = Helped(name, settings)
            kernel.two_ways = two_ways
            with kernel as k:
                return k.track(packets)
        except LostError:
            if i == tries - 1:
                raise
    return None


def main():
    from helper_sequences import conversations
    kind, seed, n = (sys.argv[1:] + ["1", "3"])[:3]
    try:
        for i, packets in conversations(kind, seed, range(int(n))).items():
            out = record(packets, name="hk%s" % kind[:6])
            print("# %s:%s:%d, %d packets" % (kind, seed, i, len(packets)))
            print("\n".join(out.expect_events + list(out.events) +
                            list(out.table)))
    finally:
        remove("hk%si" % kind[:6], "hk%sr" % kind[:6])


if __name__ == "__main__":
    main()
