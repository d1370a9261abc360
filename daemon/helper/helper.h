/*
 * helper.h - the contract of an application protocol that announces
 * connections (F200-F227).
 *
 * A helper is one file that ends in a `const struct helper`, and one line in
 * helpers.h.  It reads the payload of packets of connections that it is bound
 * to (by the port of the reply tuple, F200, or by an expectation) and says,
 * through the functions in struct help_ctx, what it has found: a connection to
 * expect, a class of expectations to forget, a timeout for its own
 * connection.  It knows nothing of tables, locks or events; what follows from
 * a find is the caller's.
 *
 * Its memory of a connection is CONN_EXT_PRIV bytes, all zero at first,
 * written inside the connection's window like everything else.  What does not
 * fit (a line or message cut in two, in mirror mode) goes through help_keep().
 */
#ifndef HELPER_HELPER_H
#define HELPER_HELPER_H

#include "shm/expect.h"
#include "daemon/pkt/pkt.h"
#include "daemon/tracker/tracker.h"

#define HELPER_PORTS   8u /* ports of one helper and protocol (F224) */
#define HELPER_CLASSES 4u
#define HELPER_NAME    15u

/* what a helper may find wrong; counted by helper */
enum help_counter {
	HELP_LINES,     /* lines or messages looked at */
	HELP_PARTIAL,   /* cut in two, and kept */
	HELP_RESYNC,    /* bytes were missing; goes on at the next line */
	HELP_MALFORMED, /* cannot be what it says it is */
	HELP_FOREIGN,   /* an address that is not the sender's (F206) */
	HELP_LIMIT,     /* an expectation more than allowed */
	HELP_SOURCE,    /* of these: more than one source may have */
	HELP_COUNTERS
};
_Static_assert(HELP_COUNTERS == STATS_HELPS, "statistics have a place each");

/* what is expected (F180, F182) */
struct expect_spec {
	uint8_t class;
	uint8_t l4proto;
	uint8_t flags;           /* EXPECT_* */
	bool any_src;            /* source address: any */
	bool any_sport;          /* source port: any (all but GRE, broadcast) */
	bool reply_keys;         /* unused but by GRE: both keys exact */
	union pkt_addr src;      /* network order, of the connection's family */
	union pkt_addr src_mask; /* with !any_src: all ones unless broadcast */
	union pkt_addr dst;
	uint16_t sport, dport; /* or GRE keys; host order */
	const char *assign;    /* helper of the expected connection, or NULL */
	uint32_t seconds;      /* 0 = the class's timeout */
};

/* which of one's expectations are meant */
struct expect_match {
	bool any_class;
	uint8_t class;
	uint8_t class_to; /* 0: `class` alone, else all up to this */
	/* NULL: any; otherwise destination and port must be these */
	const union pkt_addr *dst;
	uint16_t dport;
	uint8_t l4proto; /* 0 = any */
	/* GRE: and the source's key must be this */
	bool keyed;
	uint16_t sport;
};

struct help_ctx {
	/* in */
	const struct pkt *pkt;
	uint32_t data;   /* offset of the payload within layer 4 */
	uint32_t len;    /* bytes of payload on the wire */
	uint8_t dir;     /* DIR_ORIGINAL or DIR_REPLY */
	uint8_t info;    /* enum ctinfo of this packet */
	uint8_t l3proto; /* 4 or 6 */
	bool mirror;     /* better than the kernel where it cannot harm */
	bool expected;   /* the connection was itself expected */
	uint32_t now;    /* ms tick */
	uint32_t seq;    /* TCP: sequence number of the payload's first byte */
	/* the connection's original tuple */
	union pkt_addr addr[2]; /* source, destination */
	uint16_t port[2];
	void *priv;             /* CONN_EXT_PRIV bytes, 8-aligned */
	const uint32_t *option; /* by enum of the helper's options */
	/* out: the kernel's helper drops such a packet, so that it comes again
	 * (F203); mirror mode does not ask */
	bool drop;
	/* out, by function; `arg` is the caller's */
	void *arg;
	/* 0, or -errno: -ENOSPC a limit, -EBUSY another's (F190), -EEXIST
	 * the very same stood there and was renewed (F189) */
	int (*expect)(struct help_ctx *h, const struct expect_spec *spec);
	/* forgets all that match; returns how many */
	unsigned int (*unexpect)(struct help_ctx *h,
	                         const struct expect_match *m);
	/* INACTIVE off and/or another timeout, silently (F195, F212);
	 * returns how many */
	unsigned int (*revise)(struct help_ctx *h, const struct expect_match *m,
	                       bool activate, uint32_t seconds);
	/* the connection's own timeout from now, in seconds (F210, F221) */
	void (*refresh)(struct help_ctx *h, uint32_t seconds);
	/* PPTP: the key that a GRE packet of this connection carries in
	 * direction `dir` is learnt (F219), or all of them forgotten.  0 also
	 * if this key is known, whatever the peer's; -EEXIST: another is */
	int (*key_add)(struct help_ctx *h, uint8_t dir, uint16_t key,
	               uint16_t peer_key);
	void (*key_flush)(struct help_ctx *h);
	/* PPTP: ends the connection with this tuple, in either direction
	 * (F220); false: there is none */
	bool (*kill)(struct help_ctx *h, const struct expect_spec *tuple);
	/* mirror mode: bytes of an unfinished line or message of direction
	 * `dir`, kept until the next segment; NULL/0 forgets.  help_kept()
	 * gives them back (never more than HELP_KEEP). */
	bool (*keep)(struct help_ctx *h, uint8_t dir, const void *data,
	             uint32_t len, uint32_t next_seq);
	const uint8_t *(*kept)(struct help_ctx *h, uint8_t dir, uint32_t *len,
	                       uint32_t *next_seq);
	/* counts a thing that went wrong, by the helper's own list */
	void (*count)(struct help_ctx *h, enum help_counter c);
};
#define HELP_KEEP 4096u

struct helper_port {
	uint8_t l4proto;
	uint16_t port; /* default; the configuration may name others */
	bool v4, v6;
};

struct helper_class {
	const char *name; /* NULL: none is shown (F301) */
	uint8_t max;      /* expectations a master, 0 = unlimited */
	uint32_t seconds;
};

struct helper_option {
	const char *key; /* sip_direct_media */
	uint32_t value, min, max;
	const char *doc;
};

struct helper {
	const char *name; /* as the kernel shows it: ftp, Q.931, RAS, ... */
	const char *key;  /* in the configuration: helper.KEY.ports */
	uint8_t nports, nclasses, noptions;
	const struct helper_port *ports; /* none: bound by expectation alone */
	const struct helper_class *classes;
	const struct helper_option *options;
	/* One packet with payload (len > 0 unless `empty`), after the tracker
	 * accepted it; never for RELATED_REPLY (F202).  TCP helpers look only
	 * when info is ESTABLISHED or ESTABLISHED_REPLY. */
	bool empty;
	void (*help)(struct help_ctx *h);
	/* the connection ends (PPTP: F220); NULL: nothing to do */
	void (*end)(struct help_ctx *h);
};

/* `len` payload bytes at `off`, or NULL: not captured, or behind the end.  The
 * one door to payload. */
static inline const uint8_t *help_data(const struct help_ctx *h, uint32_t off,
                                       uint32_t len)
{
	if (off > h->len || len > h->len - off)
		return NULL;
	return pkt_l4(h->pkt, h->data + off, len);
}

/* bytes of payload that were captured */
static inline uint32_t help_cap(const struct help_ctx *h)
{
	uint32_t cap = pkt_l4cap(h->pkt);

	cap = cap > h->data ? cap - h->data : 0;
	return cap < h->len ? cap : h->len;
}

/* By place in the list; NULL behind the end. */
const struct helper *helper_at(unsigned int place);
/* As `helper` in the extension record has it: place + 1, 0 = no such name. */
uint8_t helper_find(const char *name);
/* "ftp"; NULL: none */
const char *helper_name(uint8_t number);
/* Options and usual ports of all helpers into a policy block. */
void helper_defaults(struct policy *pol);
/* One more port of a helper, for each protocol and family that it has. */
void helper_port_add(struct policy *pol, unsigned int place, uint16_t port);
void helper_ports_clear(struct policy *pol);
/* The helper of connections to this port (place + 1), or 0. */
uint8_t helper_of_port(const struct policy *pol, uint8_t l4proto, bool v6,
                       uint16_t port);

#define HELPER_PRIV(type)                                       \
	_Static_assert(sizeof(type) <= CONN_EXT_PRIV,           \
	               #type " does not fit in conn_ext.priv"); \
	_Static_assert(_Alignof(type) <= 8, #type " wants too much alignment")

#endif
