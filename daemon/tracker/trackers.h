/* trackers.h - the list: one line a protocol.  The place in the list is the
 * tracker's row in the policy block; new ones go before the last. */
TRACKER(tcp)
TRACKER(udp)
TRACKER(udplite)
TRACKER(icmp)
TRACKER(icmpv6)
TRACKER(sctp)
TRACKER(dccp)
TRACKER(gre)
TRACKER(generic)
