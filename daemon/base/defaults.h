/*
 * defaults.h - each default and limit, once, with its unit and its reason.
 *
 * CONF_KEYS is the table of keys that base knows itself; the trackers' are
 * added by main.c.  K(name, type, default, min, max, words, flags, place in
 * the policy or NONE, sentence).
 */
#ifndef BASE_DEFAULTS_H
#define BASE_DEFAULTS_H

#define DEFAULT_FILE   "/etc/ctshardd/ctshardd.conf"
#define DEFAULT_RUNDIR "/run/ctshardd"

/* the most that entry numbers of 24 bits and 256 shards can serve */
#define MAX_CONNECTIONS 2147483648ull
/* a table for a capture is never smaller: it costs 300 KiB */
#define MIN_CAPTURE_CONNECTIONS 1024u
/* a smaller frame than this does not fit into a capture file: a record header
 * of 16 bytes, Ethernet, IPv4, UDP */
#define MIN_CAPTURE_RECORD 56u
/* compressed captures are taken to be this much longer */
#define CAPTURE_RATIO 20u

/* Uids without a user of that name: nobody's, and one that is not nobody, so
 * that the api cannot touch the workers. */
#define UID_WORKER 65534u
#define UID_API    65533u

/* clang-format off */
#define HELPER_PORTS(H)                                                        \
	H("ftp", "21", "FTP control connections, TCP")                         \
	H("tftp", "69", "TFTP requests, UDP")                                  \
	H("irc", "6667", "IRC (DCC), TCP")                                     \
	H("sip", "5060", "SIP, UDP and TCP")                                   \
	H("pptp", "1723", "PPTP control connections, TCP")                     \
	H("amanda", "10080", "Amanda requests, UDP and TCP")                   \
	H("sane", "6566", "SANE scanners, TCP")                                \
	H("netbios-ns", "137", "NetBIOS name queries, UDP")                    \
	H("snmp", "161", "SNMP broadcasts, UDP")                               \
	H("q931", "1720", "H.323 call signalling (Q.931), TCP")                \
	H("ras", "1719", "H.323 gatekeepers (RAS), UDP")

#define CONF_KEYS(K)                                                           \
	K("acct", FLAG, "1", 0, 1, NULL, LIVE, acct,                           \
	  "count packets and bytes of each connection and direction")          \
	K("active_timeout", SECONDS, "0", 0, 2592000, NULL, LIVE,              \
	  active_timeout,                                                      \
	  "live: tell of what a connection counts so often, 0: at its end")    \
	K("capture.buffer", SIZE, "64M", 1 << 20, 2047 << 20, NULL, 0, NONE,   \
	  "the kernel's ring of a worker's interface: 200 ms at 1 M packets/s")\
	K("capture.quiet", SECONDS, "60", 0, 86400, NULL, LIVE, NONE,          \
	  "told when nothing has arrived at an interface for so long, 0: never")\
	K("capture.timestamps", ENUM, "host", 0, 0, "host hardware", 0, NONE,  \
	  "whose clock stamps packets: the host's, or the card's if it has one")\
	K("checksum", ENUM, "0", 0, 2, "0 1 auto", LIVE, checksum,             \
	  "verify checksums: never, always, on live sources (F010)")           \
	K("detail", ONOFF, "on", 0, 1, NULL, 0, NONE,                          \
	  "64 more bytes a connection: times, retransmissions, round trips")   \
	K("duplicates", ENUM, "count", 0, 0, "off count drop", LIVE,           \
	  duplicates,                                                          \
	  "mirror mode: look for packets that came twice; drop: as if once")   \
	K("duplicates_window", MS, "50ms", 1, 10000, NULL, LIVE,               \
	  duplicates_ms, "the second one comes within so long")                \
	K("event.log", SIZE, "32M", 1 << 20, 1 << 30, NULL, 0, NONE,           \
	  "how far back a subscriber may resume")                              \
	K("event.ring", SIZE, "16M", 64 << 10, 1 << 30, NULL, 0, NONE,         \
	  "events of one process that the log has not taken yet")              \
	K("events", NUMBER, "1", 0, 2, NULL, LIVE, events,                     \
	  "0 makes none; 1 and 2 make them always (F281)")                     \
	K("expect_max", NUMBER, "4096", 1, 8191, NULL, LIVE, expect_max, \
	  "expectations at a time, of all helpers")                            \
	K("expect_source_max", NUMBER, "0", 0, 8191, NULL, LIVE,               \
	  expect_source_max,                                                   \
	  "those of one source; 0: half of all in mirror mode, else no limit") \
	K("flow_log", TEXT, "", 0, 4000, NULL, LIVE, NONE,                     \
	  "a file with a line for each connection that ended; empty: none")    \
	K("flow_log_format", ENUM, "jsonl", 0, 0, "jsonl csv extended line",   \
	  LIVE, NONE, "how such a line looks")                                 \
	K("frag6_high_thresh", BYTES, "4194304", 0, 1 << 30, NULL, 0, NONE,    \
	  "memory for incomplete IPv6 datagrams of a worker (F287)")           \
	K("frag6_timeout", SECONDS, "60", 1, 3600, NULL, LIVE, frag6_timeout,  \
	  "an incomplete IPv6 datagram lives so long (F287)")                  \
	K("helpers", ONOFF, "on", 0, 1, NULL, LIVE, NONE,                      \
	  "application helpers, all of them")                                  \
	K("history", SIZE, "0", 0, 1ull << 40, NULL, 0, NONE,                  \
	  "bytes on disk for connections that ended, 0: none are kept")        \
	K("history_file", TEXT, "", 0, 4000, NULL, 0, NONE,                    \
	  "where; empty: history in the run directory")                        \
	K("ipfrag_high_thresh", BYTES, "4194304", 0, 1 << 30, NULL, 0, NONE,   \
	  "memory for incomplete IPv4 datagrams of a worker (F287)")           \
	K("ipfrag_time", SECONDS, "30", 1, 3600, NULL, LIVE, ipfrag_time,      \
	  "an incomplete IPv4 datagram lives so long (F287)")                  \
	K("labels.file", TEXT, "", 0, 4000, NULL, 0, NONE,                     \
	  "names of labels, a bit and a name a line, as iptables reads them")  \
	K("log_invalid", NUMBER, "0", 0, 255, NULL, LIVE, log_invalid,         \
	  "log INVALID packets of this protocol, 255 of all (F290)")           \
	K("max", NUMBER, "262144", 0, MAX_CONNECTIONS - 1, NULL, LIVE, max,    \
	  "connections in all, 0 as many as half the free memory holds")       \
	K("metrics", LISTEN, "", 0, 0, NULL, 0, NONE,                          \
	  "address and port where HTTP gets /metrics, empty: nowhere")         \
	K("seccomp", ONOFF, "on", 0, 1, NULL, 0, NONE,                         \
	  "roles may make only the system calls that they need")               \
	K("shm_dir", TEXT, "/dev/shm", 1, 4000, NULL, 0, NONE,                 \
	  "directory of the segments, on a tmpfs")                             \
	K("snapshot", SECONDS, "0", 0, 31536000, NULL, LIVE, NONE,             \
	  "a snapshot of the table so often, 0: never")                        \
	K("snapshot_file", TEXT, "", 0, 4000, NULL, 0, NONE,                   \
	  "where it is written; empty: snapshot in the run directory")         \
	K("snaplen", NUMBER, "65535", 96, 262144, NULL, 0, NONE,               \
	  "bytes of a frame that are captured")                                \
	K("source", ENUM, "packet", 0, 1, "packet pcap", 0, NONE,              \
	  "live: rings that outlive a worker, or libpcap's")                   \
	K("stall_kill", MS, "2s", 100, 3600000, NULL, LIVE, NONE,              \
	  "a process that shows no sign of life for so long is replaced")      \
	K("tcp.mode", ENUM, "auto", 0, 2, "auto strict mirror", LIVE,          \
	  tcp_mode,                                                            \
	  "the kernel's rules, or a mirror's; auto: mirror for live sources")  \
	K("timestamp", FLAG, "0", 0, 1, NULL, LIVE, timestamp,                 \
	  "print how long a connection has lived, as conntrack does")          \
	K("worker.cpus", TEXT, "", 0, 1000, NULL, 0, NONE,                     \
	  "processors of workers 0, 1, ...: 2,3 or 2-5; empty: anywhere")      \
	K("workers", NUMBER, "1", 1, 64, NULL, 0, NONE,                        \
	  "processes that take packets")                                       \
	K("zone.from", ENUM, "none", 0, 0, "none iface vlan qinq vni", LIVE,   \
	  zone_from, "what gives a packet its zone, unless a rule does")       \
	K("zone.map", MAP, "", 0, 0, NULL, LIVE, NONE,                         \
	  "zones of some numbers of zone.from: FROM=ZONE, FROM-TO=ZONE")

/* F(name, type, least, most, words, sentence): keys of blocks with a title;
 * main.c adds rule.*.proto and those of timeout.*, which name protocols. */
#define CONF_FORMS(F)                                                          \
	F("label.*.bit", NUMBER, 0, 127, NULL, "the bit that has this name")   \
	F("rule.*.dport", RANGES, 0, 65535, NULL, "destination ports")         \
	F("rule.*.dst", NET, 0, 0, NULL, "destination network")                \
	F("rule.*.family", ENUM, 0, 0, "any ipv4 ipv6", "address family")      \
	F("rule.*.helper", TEXT, 0, 23, NULL, "helper of new connections")     \
	F("rule.*.iface", TEXT, 0, 15, NULL, "interface, or its place")        \
	F("rule.*.labels", NAMES, 0, 128, NULL, "labels of new connections")   \
	F("rule.*.mark", MARK, 0, 0, NULL, "mark of new connections")          \
	F("rule.*.notrack", ONOFF, 0, 1, NULL, "the packet is not tracked")    \
	F("rule.*.one-way", ONOFF, 0, 1, NULL, "only one side is seen")        \
	F("rule.*.order", NUMBER, 0, 65535, NULL, "low ones are asked first")  \
	F("rule.*.sport", RANGES, 0, 65535, NULL, "source ports")              \
	F("rule.*.src", NET, 0, 0, NULL, "source network")                     \
	F("rule.*.timeout", TEXT, 0, 23, NULL, "timeout policy")               \
	F("rule.*.vlan", NUMBER, 0, 4095, NULL, "innermost VLAN, 0 none")      \
	F("rule.*.zone", NUMBER, 0, 65535, NULL, "zone of both directions")    \
	F("rule.*.zone-orig", NUMBER, 0, 65535, NULL, "of the original alone") \
	F("rule.*.zone-reply", NUMBER, 0, 65535, NULL, "of the reply alone")
/* clang-format on */

#endif
