/*
 * filter.c - see filter.h.
 *
 * An `expression` is tcpdump's language, so libpcap compiles it, and it runs
 * over a packet that is made of a tuple: an IP header with addresses and
 * protocol, and the first bytes of layer 4.  A connection matches when a
 * packet of either direction would.
 *
 * Such an expression comes from a client, and compiling must neither take long
 * nor ask anybody: the optimiser stays off, the length is bounded, and words
 * are those of the language or stand behind `port`.  Other names would be
 * hosts, which libpcap would ask a resolver for while all clients wait.
 */
#include "daemon/api/filter.h"

#include <ctype.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/api/tuple.h"
#include "daemon/tracker/tracker.h"

#define EXPRESSION_MAX 1024u
#define WORD_MAX       31u

struct net {
	uint8_t len; /* 0: not asked for */
	uint8_t addr[16], mask[16];
};

struct range {
	uint16_t from, to;
};

/* numbers that are compared for equality: X(NAME, member, maximum) */
#define FILTER_NUMBERS(X)                \
	X(PROTONUM, protonum, 255)       \
	X(ZONE, zone, 65535)             \
	X(ORIG_ZONE, orig_zone, 65535)   \
	X(REPLY_ZONE, reply_zone, 65535) \
	X(ICMP_TYPE, icmp_type, 255)     \
	X(ICMP_CODE, icmp_code, 255)     \
	X(ICMP_ID, icmp_id, 65535)       \
	X(SRCKEY, srckey, 65535)         \
	X(DSTKEY, dstkey, 65535)         \
	X(IFACE, iface, 255)             \
	X(VLAN, vlan, 65535)

enum { /* what is asked for */
#define X(name, member, max) HAS_##name,
       FILTER_NUMBERS(X)
#undef X
	       HAS_MARK,
       HAS_ID,
       HAS_ID32,
       HAS_STATE,
       HAS_LABELS,
       HAS_TUPLE, /* an address, a port, ... */
       HAS_PROGRAM
};
#define BIT(name) (1u << HAS_##name)

struct filter {
	uint32_t has;
	uint8_t l3; /* 0: any */
#define X(name, member, max) uint32_t member;
	FILTER_NUMBERS(X)
#undef X
	uint32_t status_set, status_clear;
	uint32_t mark, mark_mask;
	uint64_t id;
	uint32_t id32;
	uint64_t labels[2];
	struct net net[2][2]; /* original, reply; source, destination */
	struct net any;
	struct range port[2][2];
	bool port_has[2][2];
	char state[32];
	struct bpf_program program;
};

/* what is matched, be it an entry or an event */
struct subject {
	const struct policy *pol;
	const struct conn_key *key;
	const struct addr6 *addr6;
	uint32_t status, mark;
	uint8_t state;
	uint64_t id;
	uint64_t labels[2];
	uint32_t iface, vlan;
};

/* ---- making one ---- */

static int net_set(struct net *n, const Ctshard__Filter__Net *m)
{
	uint32_t prefix, i;

	if (!m)
		return 0;
	if (!m->has_addr || (m->addr.len != 4 && m->addr.len != 16))
		return -1;
	prefix = m->has_prefix ? m->prefix : (uint32_t)m->addr.len * 8;
	if (prefix > m->addr.len * 8)
		return -1;
	n->len = (uint8_t)m->addr.len;
	for (i = 0; i < n->len; i++) {
		uint32_t bits = prefix > i * 8 ? prefix - i * 8 : 0;

		n->mask[i] = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);
		n->addr[i] = m->addr.data[i] & n->mask[i];
	}
	return 1;
}

static int nets_set(struct filter *f, const Ctshard__Filter *m)
{
	const struct {
		struct net *to;
		const Ctshard__Filter__Net *from;
	} all[] = {
		{&f->net[0][0], m->orig_src},  {&f->net[0][1], m->orig_dst},
		{&f->net[1][0], m->reply_src}, {&f->net[1][1], m->reply_dst},
		{&f->any, m->any_addr},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		int r = net_set(all[i].to, all[i].from);

		if (r < 0)
			return -1;
		if (r)
			f->has |= BIT(TUPLE);
	}
	return 0;
}

static int ranges_set(struct filter *f, const Ctshard__Filter *m)
{
	const Ctshard__Filter__Range *all[2][2] = {
		{m->sport, m->dport}, {m->reply_sport, m->reply_dport}};
	unsigned int d, s;

	for (d = 0; d < 2; d++)
		for (s = 0; s < 2; s++) {
			const Ctshard__Filter__Range *r = all[d][s];
			uint32_t to;

			if (!r)
				continue;
			to = r->has_to ? r->to : r->from;
			if (!r->has_from || to > 65535 || r->from > to)
				return -1;
			f->port_has[d][s] = true;
			f->port[d][s].from = (uint16_t)r->from;
			f->port[d][s].to = (uint16_t)to;
			f->has |= BIT(TUPLE);
		}
	return 0;
}

static int numbers_set(struct filter *f, const Ctshard__Filter *m, char *err)
{
#define X(name, m_, max)                                                    \
	if (m->has_##m_) {                                                  \
		if (m->m_ > (max)) {                                        \
			snprintf(err, FILTER_ERR, #m_ " is above %u", max); \
			return -1;                                          \
		}                                                           \
		f->m_ = m->m_;                                              \
		f->has |= BIT(name);                                        \
	}
	FILTER_NUMBERS(X)
#undef X
	return 0;
}

static int state_set(struct filter *f, const char *name)
{
	const struct tracker *trk;
	unsigned int i, s;

	for (i = 0; (trk = tracker_at(i)); i++)
		for (s = 1; s < trk->nstates; s++)
			if (trk->states[s] &&
			    !strcasecmp(trk->states[s], name)) {
				snprintf(f->state, sizeof(f->state), "%s",
				         trk->states[s]);
				f->has |= BIT(STATE);
				return 0;
			}
	return -1;
}

static void scalars_set(struct filter *f, const Ctshard__Filter *m)
{
	f->status_set = m->has_status_set ? m->status_set : 0;
	f->status_clear = m->has_status_clear ? m->status_clear : 0;
	f->mark_mask = m->has_mark_mask ? m->mark_mask : ~0u;
	f->mark = m->mark & f->mark_mask;
	f->id = m->id;
	f->id32 = m->id32;
	f->has |= (m->has_mark ? BIT(MARK) : 0) | (m->has_id ? BIT(ID) : 0) |
	          (m->has_id32 ? BIT(ID32) : 0);
}

/* ---- expressions ---- */

static bool word_known(const char *word)
{
	static const char *const words[] = {
		"and",       "or",        "not",       "host",     "src",
		"dst",       "net",       "mask",      "port",     "portrange",
		"proto",     "ip",        "ip6",       "tcp",      "udp",
		"icmp",      "icmp6",     "sctp",      "igmp",     "pim",
		"ah",        "esp",       "vrrp",      "carp",     "less",
		"greater",   "inbound",   "outbound",  "len",      "icmptype",
		"icmpcode",  "icmp6type", "icmp6code", "tcpflags", "tcp-fin",
		"tcp-syn",   "tcp-rst",   "tcp-push",  "tcp-ack",  "tcp-urg",
		"multicast", "broadcast",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i], word))
			return true;
	return !strncmp(word, "icmp-", 5) || !strncmp(word, "icmp6-", 6);
}

/* A number, or an address of either family: it has a digit or a colon, and
 * nothing but what they are written with. */
static bool word_number(const char *w)
{
	return (strpbrk(w, "0123456789") || strchr(w, ':')) &&
	       w[strspn(w, "0123456789abcdefABCDEFx.:")] == '\0' &&
	       (strchr(w, ':') || isdigit((unsigned char)*w));
}

static bool words_known(const char *s, char *err)
{
	char word[WORD_MAX + 1], before[WORD_MAX + 1] = "";

	for (; *s;) {
		size_t n = 0;

		while (isalnum((unsigned char)s[n]) || (n && s[n] == '-') ||
		       s[n] == '.' || s[n] == ':' || s[n] == '_')
			n++;
		if (!n) {
			s++;
			continue;
		}
		snprintf(word, sizeof(word), "%.*s",
		         (int)(n > WORD_MAX ? WORD_MAX : n), s);
		/* "tcp[13:2]", "80-90": no words */
		if (n > WORD_MAX || (!word_known(word) && !word_number(word) &&
		                     !(strspn(word, "0123456789-:") == n) &&
		                     strcmp(before, "port") != 0)) {
			snprintf(err, FILTER_ERR,
			         "unknown word \"%s\" (names of hosts are not "
			         "looked up)",
			         word);
			return false;
		}
		memcpy(before, word, sizeof(before));
		s += n;
	}
	return true;
}

static int program_set(struct filter *f, const char *text, char *err)
{
	pcap_t *p;
	int r;

	if (strlen(text) > EXPRESSION_MAX) {
		snprintf(err, FILTER_ERR, "the expression is over %u bytes",
		         EXPRESSION_MAX);
		return -1;
	}
	if (!words_known(text, err))
		return -1;
	p = pcap_open_dead(DLT_RAW, 65535);
	if (!p) {
		snprintf(err, FILTER_ERR, "out of memory");
		return -1;
	}
	r = pcap_compile(p, &f->program, text, 0, PCAP_NETMASK_UNKNOWN);
	if (r)
		snprintf(err, FILTER_ERR, "expression: %.120s", pcap_geterr(p));
	else
		f->has |= BIT(PROGRAM);
	pcap_close(p);
	return r ? -1 : 0;
}

static int filter_fill(struct filter *f, const Ctshard__Filter *m, char *err)
{
	if (m->has_l3 && m->l3 != 4 && m->l3 != 6) {
		snprintf(err, FILTER_ERR, "l3 is neither 4 nor 6");
		return -1;
	}
	f->l3 = m->has_l3 ? (uint8_t)m->l3 : 0;
	scalars_set(f, m);
	if (numbers_set(f, m, err))
		return -1;
	if (nets_set(f, m)) {
		snprintf(err, FILTER_ERR, "an address or its prefix is bad");
		return -1;
	}
	if (ranges_set(f, m)) {
		snprintf(err, FILTER_ERR, "a range of ports is bad");
		return -1;
	}
	if (m->state && state_set(f, m->state)) {
		snprintf(err, FILTER_ERR, "no protocol has a state \"%.32s\"",
		         m->state);
		return -1;
	}
	if (m->has_labels) {
		if (m->labels.len != sizeof(f->labels)) {
			snprintf(err, FILTER_ERR, "labels are not 16 bytes");
			return -1;
		}
		memcpy(f->labels, m->labels.data, sizeof(f->labels));
		f->has |= BIT(LABELS);
	}
	if (f->has & (BIT(ICMP_TYPE) | BIT(ICMP_CODE) | BIT(ICMP_ID) |
	              BIT(SRCKEY) | BIT(DSTKEY)))
		f->has |= BIT(TUPLE);
	return m->expression ? program_set(f, m->expression, err) : 0;
}

int filter_new(struct filter **out, const Ctshard__Filter *m, char *err)
{
	struct filter *f;

	*out = NULL;
	if (!m)
		return 0;
	f = calloc(1, sizeof(*f));
	if (!f) {
		snprintf(err, FILTER_ERR, "out of memory");
		return -1;
	}
	if (filter_fill(f, m, err)) {
		filter_free(f);
		return -1;
	}
	if (!f->has && !f->l3 && !f->status_set && !f->status_clear) {
		filter_free(f);
		f = NULL;
	}
	*out = f;
	return 0;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	if (f->has & BIT(PROGRAM))
		pcap_freecode(&f->program);
	free(f);
}

bool filter_id(const struct filter *f, uint64_t *id)
{
	if (!f || !(f->has & BIT(ID)))
		return false;
	*id = f->id;
	return true;
}

/* ---- matching ---- */

static bool net_match(const struct net *n, const uint8_t *addr, uint8_t len)
{
	uint8_t i;

	if (n->len != len)
		return false;
	for (i = 0; i < len; i++)
		if ((addr[i] & n->mask[i]) != n->addr[i])
			return false;
	return true;
}

static bool any_match(const struct filter *f, const struct tuples *t)
{
	unsigned int d;

	for (d = 0; d < 2; d++)
		if (net_match(&f->any, t->dir[d].addr[0], t->addr_len) ||
		    net_match(&f->any, t->dir[d].addr[1], t->addr_len))
			return true;
	return false;
}

static bool side_match(const struct filter *f, const struct tuples *t,
                       unsigned int d, unsigned int s)
{
	const struct range *r = &f->port[d][s];
	uint16_t port = t->dir[d].port[s];

	if (f->net[d][s].len &&
	    !net_match(&f->net[d][s], t->dir[d].addr[s], t->addr_len))
		return false;
	if (!f->port_has[d][s])
		return true;
	return t->kind == TUPLE_PORTS && port >= r->from && port <= r->to;
}

static bool kind_match(const struct filter *f, const struct tuples *t)
{
	const struct tuple *o = &t->dir[0];

	if ((f->has & (BIT(ICMP_TYPE) | BIT(ICMP_CODE) | BIT(ICMP_ID))) &&
	    t->kind != TUPLE_TYPE)
		return false;
	if ((f->has & (BIT(SRCKEY) | BIT(DSTKEY))) && t->kind != TUPLE_KEYS)
		return false;
	return !((f->has & BIT(ICMP_TYPE) && o->type != f->icmp_type) ||
	         (f->has & BIT(ICMP_CODE) && o->code != f->icmp_code) ||
	         (f->has & BIT(ICMP_ID) && o->id != f->icmp_id) ||
	         (f->has & BIT(SRCKEY) && o->port[0] != f->srckey) ||
	         (f->has & BIT(DSTKEY) && o->port[1] != f->dstkey));
}

static bool tuple_match(const struct filter *f, const struct tuples *t)
{
	unsigned int d, s;

	for (d = 0; d < 2; d++)
		for (s = 0; s < 2; s++)
			if (!side_match(f, t, d, s))
				return false;
	return kind_match(f, t) && (!f->any.len || any_match(f, t));
}

/* As conntrack(8) has it, a connection has one zone, or one of a direction: the
 * two that it does not have are 0. */
static bool zones_match(const struct filter *f, const struct subject *s)
{
	const struct conn_key *k = s->key;
	bool dir = k->flags & KEY_ZONE_DIR;
	uint16_t zone = dir ? 0 : k->zone;
	uint16_t orig = dir ? key_zone(k, 0) : 0;
	uint16_t reply = dir ? key_zone(k, 1) : 0;

	return !((f->has & BIT(ZONE) && zone != f->zone) ||
	         (f->has & BIT(ORIG_ZONE) && orig != f->orig_zone) ||
	         (f->has & BIT(REPLY_ZONE) && reply != f->reply_zone));
}

static bool scalar_match(const struct filter *f, const struct subject *s)
{
	if ((f->l3 && f->l3 != (s->key->flags & KEY_V6 ? 6 : 4)) ||
	    (s->status & f->status_set) != f->status_set ||
	    (s->status & f->status_clear))
		return false;
	if ((f->has & BIT(PROTONUM) && s->key->l4proto != f->protonum) ||
	    (f->has & BIT(MARK) && (s->mark & f->mark_mask) != f->mark) ||
	    (f->has & BIT(ID) && s->id != f->id) ||
	    (f->has & BIT(ID32) && (uint32_t)s->id != f->id32))
		return false;
	if (!zones_match(f, s))
		return false;
	return !((f->has & BIT(IFACE) && s->iface != f->iface) ||
	         (f->has & BIT(VLAN) && s->vlan != f->vlan) ||
	         (f->has & BIT(LABELS) &&
	          ((s->labels[0] & f->labels[0]) != f->labels[0] ||
	           (s->labels[1] & f->labels[1]) != f->labels[1])));
}

/* The packet that would begin with this tuple: no options, no data, and zeros
 * where a connection has nothing to say. */
static unsigned int packet_make(uint8_t p[64], const struct tuples *t,
                                const struct tuple *d, uint8_t l4proto)
{
	unsigned int head = t->addr_len == 4 ? 20 : 40;
	uint8_t *l4 = p + head;

	memset(p, 0, 64);
	if (t->addr_len == 4) {
		p[0] = 0x45;
		p[3] = 20 + 20;
		p[8] = 64;
		p[9] = l4proto;
		memcpy(p + 12, d->addr[0], 4);
		memcpy(p + 16, d->addr[1], 4);
	} else {
		p[0] = 0x60;
		p[5] = 20;
		p[6] = l4proto;
		p[7] = 64;
		memcpy(p + 8, d->addr[0], 16);
		memcpy(p + 24, d->addr[1], 16);
	}
	switch (t->kind) {
	case TUPLE_PORTS:
		l4[0] = (uint8_t)(d->port[0] >> 8);
		l4[1] = (uint8_t)d->port[0];
		l4[2] = (uint8_t)(d->port[1] >> 8);
		l4[3] = (uint8_t)d->port[1];
		break;
	case TUPLE_TYPE:
		l4[0] = d->type;
		l4[1] = d->code;
		l4[4] = (uint8_t)(d->id >> 8);
		l4[5] = (uint8_t)d->id;
		break;
	case TUPLE_KEYS:
	case TUPLE_ADDRESSES:
		break;
	}
	return head + 20;
}

static bool program_match(const struct filter *f, const struct tuples *t,
                          uint8_t l4proto)
{
	struct pcap_pkthdr h;
	uint8_t packet[64];
	unsigned int d;

	memset(&h, 0, sizeof(h));
	for (d = 0; d < 2; d++) {
		h.len = h.caplen = packet_make(packet, t, &t->dir[d], l4proto);
		if (pcap_offline_filter(&f->program, &h, packet))
			return true;
	}
	return false;
}

static bool subject_match(const struct filter *f, const struct subject *s)
{
	const char *name;
	struct tuples t;

	if (!scalar_match(f, s))
		return false;
	if (f->has & BIT(STATE)) {
		name = tracker_state_name(s->key->l4proto, s->state);
		if (!name || strcmp(name, f->state) != 0)
			return false;
	}
	if (!(f->has & (BIT(TUPLE) | BIT(PROGRAM))))
		return true;
	tuples_of(&t, s->pol, s->key, s->addr6, s->status);
	if (f->has & BIT(TUPLE) && !tuple_match(f, &t))
		return false;
	return !(f->has & BIT(PROGRAM)) ||
	       program_match(f, &t, s->key->l4proto);
}

bool filter_view(const struct filter *f, const struct policy *pol,
                 const struct conn_view *v, bool detail)
{
	const struct subject s = {
		.pol = pol,
		.key = &v->conn.key,
		.addr6 = &v->addr6,
		.status = v->conn.status,
		.mark = v->conn.mark,
		.state = v->conn.state,
		.id = conn_id(v->conn.gen, v->shard, v->idx),
		.labels = {v->conn.ext ? v->ext.labels[0] : 0,
	                   v->conn.ext ? v->ext.labels[1] : 0},
		.iface = detail ? v->detail.iface : 0,
		.vlan = detail ? v->detail.vlan : 0,
	};

	return !f || subject_match(f, &s);
}

bool filter_event(const struct filter *f, const struct policy *pol,
                  const struct event_slot *e)
{
	bool more = e->cell.cells == 2;
	const struct subject s = {
		.pol = pol,
		.key = &e->cell.key,
		.addr6 = &e->cell.addr6,
		.status = e->cell.status,
		.mark = e->cell.mark,
		.state = e->cell.state,
		.id = e->cell.id,
		.labels = {more ? e->more.labels[0] : 0,
	                   more ? e->more.labels[1] : 0},
		.iface = e->cell.iface,
		.vlan = e->cell.vlan,
	};

	return !f || subject_match(f, &s);
}
