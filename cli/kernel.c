/* kernel.c - see kernel.h. */
#include "cli/kernel.h"

#include <stdio.h>

#if __has_include(<libnetfilter_conntrack/libnetfilter_conntrack.h>)
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>

#define LIBRARY "libnetfilter_conntrack.so.3"

/* the functions that are used, by their own prototypes */
#define FUNCTIONS(X)              \
	X(nfct_open)              \
	X(nfct_close)             \
	X(nfct_callback_register) \
	X(nfct_query)             \
	X(nfct_attr_is_set)       \
	X(nfct_get_attr)          \
	X(nfct_get_attr_u8)       \
	X(nfct_get_attr_u16)      \
	X(nfct_get_attr_u32)

struct library {
	void *handle;
#define X(name) __typeof__(name) *name;
	FUNCTIONS(X)
#undef X
};

struct dump {
	struct library lib;
	int (*row)(void *arg, const struct ctshard_conn *c);
	void *arg;
	int stop;
};

static int library_open(struct library *l, char *why, size_t size)
{
	l->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!l->handle) {
		snprintf(why, size, "%s is needed: %s", LIBRARY, dlerror());
		return -1;
	}
#define X(name)                                                           \
	{                                                                 \
		void *at = dlsym(l->handle, #name);                       \
                                                                          \
		if (!at) {                                                \
			snprintf(why, size, "%s has no " #name, LIBRARY); \
			return -1;                                        \
		}                                                         \
		memcpy(&l->name, &at, sizeof(at));                        \
	}
	FUNCTIONS(X)
#undef X
	return 0;
}

/* ---- one connection ---- */

static const char *proto_name(uint8_t n)
{
	static const struct {
		uint8_t number;
		const char *name;
	} names[] = {
		{IPPROTO_TCP, "tcp"},         {IPPROTO_UDP, "udp"},
		{IPPROTO_ICMP, "icmp"},       {IPPROTO_ICMPV6, "icmpv6"},
		{IPPROTO_SCTP, "sctp"},       {IPPROTO_DCCP, "dccp"},
		{IPPROTO_UDPLITE, "udplite"}, {IPPROTO_GRE, "gre"},
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == n)
			return names[i].name;
	return NULL;
}

static const char *state_word(const char *const *words, size_t n, uint8_t state)
{
	return state < n ? words[state] : NULL;
}

#define STATE(words, v) state_word(words, sizeof(words) / sizeof(*(words)), v)

static const char *state_name(const struct library *l,
                              const struct nf_conntrack *ct, uint8_t proto)
{
	static const char *const tcp[] = {
		"NONE",     "SYN_SENT",   "SYN_RECV", "ESTABLISHED",
		"FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT",
		"CLOSE",    "SYN_SENT2"};
	static const char *const sctp[] = {"NONE",          "CLOSED",
	                                   "COOKIE_WAIT",   "COOKIE_ECHOED",
	                                   "ESTABLISHED",   "SHUTDOWN_SENT",
	                                   "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT",
	                                   "HEARTBEAT_SENT"};
	static const char *const dccp[] = {"NONE",     "REQUEST", "RESPOND",
	                                   "PARTOPEN", "OPEN",    "CLOSEREQ",
	                                   "CLOSING",  "TIMEWAIT"};

	if (proto == IPPROTO_TCP)
		return STATE(tcp, l->nfct_get_attr_u8(ct, ATTR_TCP_STATE));
	if (proto == IPPROTO_SCTP)
		return STATE(sctp, l->nfct_get_attr_u8(ct, ATTR_SCTP_STATE));
	if (proto == IPPROTO_DCCP)
		return STATE(dccp, l->nfct_get_attr_u8(ct, ATTR_DCCP_STATE));
	return NULL;
}

static void addr_copy(const struct library *l, const struct nf_conntrack *ct,
                      uint8_t to[16], enum nf_conntrack_attr v4,
                      enum nf_conntrack_attr v6, uint32_t l3)
{
	const void *at = l->nfct_get_attr(ct, l3 == 4 ? v4 : v6);

	if (at)
		memcpy(to, at, l3 == 4 ? 4 : 16);
}

static void tuple_fill(const struct library *l, const struct nf_conntrack *ct,
                       struct ctshard_conn *c, int d)
{
	struct ctshard_tuple *t = &c->dir[d];
	uint16_t src, dst;

	addr_copy(l, ct, t->src, d ? ATTR_REPL_IPV4_SRC : ATTR_ORIG_IPV4_SRC,
	          d ? ATTR_REPL_IPV6_SRC : ATTR_ORIG_IPV6_SRC, c->l3);
	addr_copy(l, ct, t->dst, d ? ATTR_REPL_IPV4_DST : ATTR_ORIG_IPV4_DST,
	          d ? ATTR_REPL_IPV6_DST : ATTR_ORIG_IPV6_DST, c->l3);
	if (c->protonum == IPPROTO_ICMP || c->protonum == IPPROTO_ICMPV6) {
		t->has |= CTSHARD_TUPLE_ICMP;
		t->type = l->nfct_get_attr_u8(ct, ATTR_ICMP_TYPE);
		t->code = l->nfct_get_attr_u8(ct, ATTR_ICMP_CODE);
		t->icmp_id = ntohs(l->nfct_get_attr_u16(ct, ATTR_ICMP_ID));
		return;
	}
	if (!c->proto)
		return;
	src = ntohs(l->nfct_get_attr_u16(ct, d ? ATTR_REPL_PORT_SRC
	                                       : ATTR_ORIG_PORT_SRC));
	dst = ntohs(l->nfct_get_attr_u16(ct, d ? ATTR_REPL_PORT_DST
	                                       : ATTR_ORIG_PORT_DST));
	if (c->protonum == IPPROTO_GRE) {
		t->has |= CTSHARD_TUPLE_GRE;
		t->srckey = src;
		t->dstkey = dst;
	} else {
		t->has |= CTSHARD_TUPLE_PORTS;
		t->sport = src;
		t->dport = dst;
	}
}

static int dump_row(enum nf_conntrack_msg_type type, struct nf_conntrack *ct,
                    void *data)
{
	struct dump *d = data;
	const struct library *l = &d->lib;
	struct ctshard_conn c = {.use = 1};

	(void)type;
	c.l3 = l->nfct_get_attr_u8(ct, ATTR_ORIG_L3PROTO) == AF_INET6 ? 6 : 4;
	c.protonum = l->nfct_get_attr_u8(ct, ATTR_ORIG_L4PROTO);
	c.proto = proto_name((uint8_t)c.protonum);
	c.state = state_name(l, ct, (uint8_t)c.protonum);
	c.status = l->nfct_get_attr_u32(ct, ATTR_STATUS);
	c.timeout_ms = 1000ull * l->nfct_get_attr_u32(ct, ATTR_TIMEOUT);
	c.mark = l->nfct_get_attr_u32(ct, ATTR_MARK);
	c.zone = l->nfct_get_attr_u16(ct, ATTR_ZONE);
	c.has = CTSHARD_CONN_TIMEOUT | CTSHARD_CONN_MARK | CTSHARD_CONN_USE |
	        (c.zone ? CTSHARD_CONN_ZONE : 0);
	tuple_fill(l, ct, &c, 0);
	tuple_fill(l, ct, &c, 1);
	d->stop = d->row(d->arg, &c);
	return d->stop ? NFCT_CB_STOP : NFCT_CB_CONTINUE;
}

static int dump_family(struct dump *d, uint32_t family)
{
	struct nfct_handle *h = d->lib.nfct_open(CONNTRACK, 0);
	int r, saved;

	if (!h)
		return -1;
	r = d->lib.nfct_callback_register(h, NFCT_T_ALL, dump_row, d);
	if (r >= 0)
		r = d->lib.nfct_query(h, NFCT_Q_DUMP, &family);
	saved = errno;
	d->lib.nfct_close(h);
	errno = saved;
	return d->stop ? 0 : r;
}

int kernel_each(int (*row)(void *arg, const struct ctshard_conn *c), void *arg,
                char *why, size_t size)
{
	struct dump d = {.row = row, .arg = arg};
	int r = library_open(&d.lib, why, size);

	if (!r && (dump_family(&d, AF_INET) < 0 ||
	           (!d.stop && dump_family(&d, AF_INET6) < 0))) {
		snprintf(why, size, "the kernel's table: %s", strerror(errno));
		r = -1;
	}
	if (d.lib.handle)
		dlclose(d.lib.handle);
	return r;
}

#else

int kernel_each(int (*row)(void *arg, const struct ctshard_conn *c), void *arg,
                char *why, size_t size)
{
	(void)row;
	(void)arg;
	snprintf(why, size, "built without libnetfilter_conntrack");
	return -1;
}

#endif
