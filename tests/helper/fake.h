/*
 * fake.h - a caller of helpers that writes down what they ask for.
 *
 *	struct fake f;
 *
 *	fake_open(&f, &helper_ftp, IPPROTO_TCP, "10.0.0.1", 40001,
 *		  "10.0.1.1", 21);
 *	fake_send(&f, A, "PORT 10,0,0,1,200,11\r\n");
 *	assert_string_equal(fake_log(&f), "expect tcp ...\n");
 *	fake_close(&f);
 *
 * Each packet is a copy of exactly its captured bytes, so that a sanitizer
 * sees a read behind them.  Calls are written down as one line each:
 *
 *	expect PROTO SRC[/MASK]:SPORT -> DST:DPORT [class=N] [flags=N]
 *		[keys] [assign=NAME] [seconds=N]	(* is any)
 *	unexpect|revise CLASS [DST:DPORT] [PROTO] [from KEY] [on] [seconds=N]
 *	refresh N | key_add DIR KEY PEER | key_flush | kill (as expect)
 *
 * Kept bytes and counters are state, not lines: look at `kept` and `count`.
 * Nothing here needs cmocka: the fuzz programs use it too.
 */
#ifndef TESTS_HELPER_FAKE_H
#define TESTS_HELPER_FAKE_H

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/helper/helper.h"

#define A DIR_ORIGINAL
#define B DIR_REPLY

#define FAKE_TCP     20u /* bytes of a header before the payload */
#define FAKE_UDP     8u
#define FAKE_OPTIONS 16u

struct fake_kept {
	uint8_t data[HELP_KEEP];
	uint32_t len, next_seq;
};

struct fake {
	struct help_ctx h;
	struct pkt pkt;
	const struct helper *helper;
	uint64_t priv[CONN_EXT_PRIV / 8];
	uint32_t option[FAKE_OPTIONS];
	struct fake_kept kept[2];
	uint32_t seq[2]; /* of the next segment */
	uint32_t count[HELP_COUNTERS];
	uint8_t l4proto;
	bool replied;
	/* what the next calls answer */
	int expect_rc;
	unsigned int matched; /* of unexpect and revise */
	bool keep_fails;
	bool kills; /* a connection has the tuple to kill */
	int key_rc;
	/* layer 2 and 3 before the packet: helpers may look at the frame */
	uint8_t frame[64];
	uint32_t frame_len;
	uint8_t *packet;
	char log[1 << 14];
	size_t log_len;
};

static inline void fake_say(struct fake *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static inline void fake_say(struct fake *f, const char *fmt, ...)
{
	size_t room = sizeof(f->log) - f->log_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(f->log + f->log_len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		f->log_len += (size_t)n < room ? (size_t)n : room - 1;
}

/* What was asked for since the last call, and forgets it. */
static inline const char *fake_log(struct fake *f)
{
	f->log[f->log_len] = 0;
	f->log_len = 0;
	return f->log;
}

static inline void fake_say_addr(struct fake *f, const union pkt_addr *a)
{
	char buf[INET6_ADDRSTRLEN];

	inet_ntop(f->h.l3proto == 6 ? AF_INET6 : AF_INET, a->b, buf,
	          sizeof(buf));
	fake_say(f, f->h.l3proto == 6 ? "[%s]" : "%s", buf);
}

static inline void fake_say_proto(struct fake *f, uint8_t l4proto)
{
	if (l4proto == 6 || l4proto == 17 || l4proto == 47)
		fake_say(f, " %s",
		         l4proto == 6    ? "tcp"
		         : l4proto == 17 ? "udp"
		                         : "gre");
	else
		fake_say(f, " %u", l4proto);
}

static inline bool fake_exact(const struct fake *f, const union pkt_addr *mask)
{
	unsigned int i, n = f->h.l3proto == 6 ? 16 : 4;

	for (i = 0; i < n && mask->b[i] == 0xff;)
		i++;
	return i == n;
}

static inline void fake_say_spec(struct fake *f, const char *what,
                                 const struct expect_spec *s)
{
	fake_say(f, "%s", what);
	fake_say_proto(f, s->l4proto);
	fake_say(f, " ");
	if (s->any_src)
		fake_say(f, "*");
	else
		fake_say_addr(f, &s->src);
	if (!s->any_src && !fake_exact(f, &s->src_mask)) {
		fake_say(f, "/");
		fake_say_addr(f, &s->src_mask);
	}
	if (s->any_sport)
		fake_say(f, ":* -> ");
	else
		fake_say(f, ":%u -> ", s->sport);
	fake_say_addr(f, &s->dst);
	fake_say(f, ":%u", s->dport);
	if (s->class)
		fake_say(f, " class=%u", s->class);
	if (s->flags)
		fake_say(f, " flags=%u", s->flags);
	if (s->reply_keys)
		fake_say(f, " keys");
	if (s->assign)
		fake_say(f, " assign=%s", s->assign);
	if (s->seconds)
		fake_say(f, " seconds=%u", s->seconds);
	fake_say(f, "\n");
}

static inline void fake_say_match(struct fake *f, const char *what,
                                  const struct expect_match *m)
{
	if (m->any_class)
		fake_say(f, "%s *", what);
	else
		fake_say(f, "%s %u", what, m->class);
	if (m->class_to)
		fake_say(f, "-%u", m->class_to);
	if (m->dst) {
		fake_say(f, " ");
		fake_say_addr(f, m->dst);
		fake_say(f, ":%u", m->dport);
	}
	if (m->l4proto)
		fake_say_proto(f, m->l4proto);
	if (m->keyed)
		fake_say(f, " from %u", m->sport);
}

static inline int fake_expect(struct help_ctx *h, const struct expect_spec *s)
{
	struct fake *f = h->arg;

	fake_say_spec(f, "expect", s);
	return f->expect_rc;
}

static inline unsigned int fake_unexpect(struct help_ctx *h,
                                         const struct expect_match *m)
{
	struct fake *f = h->arg;

	fake_say_match(f, "unexpect", m);
	fake_say(f, "\n");
	return f->matched;
}

static inline unsigned int fake_revise(struct help_ctx *h,
                                       const struct expect_match *m,
                                       bool activate, uint32_t seconds)
{
	struct fake *f = h->arg;

	fake_say_match(f, "revise", m);
	if (activate)
		fake_say(f, " on");
	if (seconds)
		fake_say(f, " seconds=%u", seconds);
	fake_say(f, "\n");
	return f->matched;
}

static inline void fake_refresh(struct help_ctx *h, uint32_t seconds)
{
	fake_say(h->arg, "refresh %u\n", seconds);
}

static inline int fake_key_add(struct help_ctx *h, uint8_t dir, uint16_t key,
                               uint16_t peer_key)
{
	struct fake *f = h->arg;

	fake_say(f, "key_add %u %u %u\n", dir, key, peer_key);
	return f->key_rc;
}

static inline void fake_key_flush(struct help_ctx *h)
{
	fake_say(h->arg, "key_flush\n");
}

static inline bool fake_kill(struct help_ctx *h, const struct expect_spec *s)
{
	struct fake *f = h->arg;

	fake_say_spec(f, "kill", s);
	return f->kills;
}

static inline bool fake_keep(struct help_ctx *h, uint8_t dir, const void *data,
                             uint32_t len, uint32_t next_seq)
{
	struct fake *f = h->arg;
	struct fake_kept *k = &f->kept[dir & 1];

	if (!data || !len) {
		k->len = 0;
		return true;
	}
	if (len > HELP_KEEP || f->keep_fails)
		return false;
	memmove(k->data, data, len);
	k->len = len;
	k->next_seq = next_seq;
	return true;
}

static inline const uint8_t *fake_keeps(struct help_ctx *h, uint8_t dir,
                                        uint32_t *len, uint32_t *next_seq)
{
	struct fake *f = h->arg;
	struct fake_kept *k = &f->kept[dir & 1];

	*len = k->len;
	*next_seq = k->next_seq;
	return k->len ? k->data : NULL;
}

static inline void fake_count(struct help_ctx *h, enum help_counter c)
{
	struct fake *f = h->arg;

	if (c < HELP_COUNTERS)
		f->count[c]++;
}

static inline void fake_calls(struct fake *f)
{
	f->h.arg = f;
	f->h.expect = fake_expect;
	f->h.unexpect = fake_unexpect;
	f->h.revise = fake_revise;
	f->h.refresh = fake_refresh;
	f->h.key_add = fake_key_add;
	f->h.key_flush = fake_key_flush;
	f->h.kill = fake_kill;
	f->h.keep = fake_keep;
	f->h.kept = fake_keeps;
	f->h.count = fake_count;
	f->h.priv = f->priv;
	f->h.option = f->option;
}

/* A connection in strict mode; set f->h.mirror for the other.  Addresses of
 * the original direction, as text of either family. */
static inline void fake_open(struct fake *f, const struct helper *helper,
                             uint8_t l4proto, const char *src, uint16_t sport,
                             const char *dst, uint16_t dport)
{
	unsigned int i;
	int af = strchr(src, ':') ? AF_INET6 : AF_INET;

	memset(f, 0, sizeof(*f));
	fake_calls(f);
	f->helper = helper;
	f->l4proto = l4proto;
	f->h.l3proto = af == AF_INET6 ? 6 : 4;
	f->h.port[0] = sport;
	f->h.port[1] = dport;
	f->h.now = 1000000;
	f->seq[A] = 0xfffffff0u; /* sequence numbers run over early */
	f->seq[B] = 5000;
	if (inet_pton(af, src, f->h.addr[0].b) != 1 ||
	    inet_pton(af, dst, f->h.addr[1].b) != 1)
		abort();
	for (i = 0; i < helper->noptions && i < FAKE_OPTIONS; i++)
		f->option[i] = helper->options[i].value;
}

static inline void fake_close(struct fake *f)
{
	free(f->packet);
	f->packet = NULL;
}

static inline uint8_t fake_info(const struct fake *f, uint8_t dir)
{
	if (dir == B)
		return CTINFO_ESTABLISHED_REPLY;
	return f->l4proto == 6 || f->replied ? CTINFO_ESTABLISHED : CTINFO_NEW;
}

/* `frame` bytes of layers 2 and 3 are f->frame; behind them stand the header
 * of layer 4, of which only ports and sequence number mean anything, and as
 * much of the payload as was captured. */
static inline void fake_packet(struct fake *f, uint8_t dir, const void *data,
                               uint32_t cap, uint32_t len, uint32_t seq)
{
	uint32_t head = f->l4proto == 6 ? FAKE_TCP : FAKE_UDP;
	uint32_t at = f->frame_len;
	uint8_t *p = malloc(at + head + cap);
	unsigned int i;

	if (!p)
		abort();
	free(f->packet);
	f->packet = p;
	memcpy(p, f->frame, at);
	memset(p + at, 0, head);
	for (i = 0; i < 2; i++) {
		p[at + 2 * i] = (uint8_t)(f->h.port[i ^ dir] >> 8);
		p[at + 2 * i + 1] = (uint8_t)f->h.port[i ^ dir];
		p[at + 4 + 2 * i] = (uint8_t)(seq >> (24 - 16 * i));
		p[at + 5 + 2 * i] = (uint8_t)(seq >> (16 - 16 * i));
	}
	if (cap)
		memcpy(p + at + head, data, cap);
	f->pkt.data = p;
	f->pkt.caplen = at + head + cap;
	f->pkt.wirelen = at + head + len;
	f->pkt.l3proto = f->h.l3proto;
	f->pkt.l4proto = f->l4proto;
	f->pkt.l4 = at;
	f->pkt.l4len = head + len;
	f->pkt.src = f->h.addr[dir];
	f->pkt.dst = f->h.addr[!dir];
	f->h.data = head;
}

/* A packet at `seq` of which `cap` bytes were captured and `len` were sent. */
static inline void fake_cut(struct fake *f, uint8_t dir, const void *data,
                            uint32_t cap, uint32_t len, uint32_t seq)
{
	fake_packet(f, dir, data, cap, len, seq);
	f->h.pkt = &f->pkt;
	f->h.len = len;
	f->h.dir = dir;
	f->h.info = fake_info(f, dir);
	f->h.seq = seq;
	f->h.drop = false;
	if (len || f->helper->empty)
		f->helper->help(&f->h);
	f->replied |= dir == B;
}

/* The next packet of this direction. */
static inline void fake_bytes(struct fake *f, uint8_t dir, const void *data,
                              uint32_t len)
{
	uint32_t seq = f->seq[dir];

	f->seq[dir] += len;
	fake_cut(f, dir, data, len, len, seq);
}

static inline void fake_send(struct fake *f, uint8_t dir, const char *text)
{
	fake_bytes(f, dir, text, (uint32_t)strlen(text));
}

/* Once more what was sent last, or earlier: `back` bytes before the next. */
static inline void fake_again(struct fake *f, uint8_t dir, const char *text,
                              uint32_t back)
{
	uint32_t len = (uint32_t)strlen(text);

	fake_cut(f, dir, text, len, len, f->seq[dir] - back);
}

static inline void fake_end(struct fake *f)
{
	if (f->helper->end)
		f->helper->end(&f->h);
}

#endif
