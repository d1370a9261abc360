/*
 * help.h - helpers and expectations on a packet's way (F180-F227).
 *
 * All that apply.c asks of helpers.  A packet that has to do with none pays
 * for a look at one word (expect_some(), conn.ext) or one bit (port hint).
 */
#ifndef WORKER_HELP_H
#define WORKER_HELP_H

#include "daemon/helper/helper.h"
#include "daemon/worker/way.h"

struct help_store;

/* A new connection: is it one that was announced, and is there room for it?
 * Then that is used up and told (F184), `c` and `x` get what follows from it
 * (F183), and the expectations stay locked until help_used().  Returns the
 * expectation, or 0. */
uint32_t help_expected(struct way *w, struct conn *c, struct conn_ext *x);
/* the packet is done, whatever became of it */
void help_used(struct way *w, uint32_t idx);

/* A new connection that nobody expected: the helper of its port, or 0. */
static inline uint8_t help_of_port(const struct way *w)
{
	const struct conn_lookup *k = &w->l->look;
	/* of who was asked: a mirror may show the answer first */
	uint16_t port = k->key.port[k->sender == w->dir];

	if (likely(!policy_port_hint(w->p->pol, port)))
		return 0;
	return helper_of_port(w->p->pol, k->key.l4proto, k->key.flags & KEY_V6,
	                      port);
}

/* Shows the packet to the connection's helper, inside the connection's window;
 * `id` is the connection's. */
void help_run(struct way *w, struct conn *c, struct conn_ext *x, uint64_t id);

/* F203: what there is to tell of a packet that the kernel's helper drops, waits
 * for the connection's next.  Returns what there is to tell now; without a
 * record that is all. */
static inline uint16_t help_untold(const struct way *w, struct conn_ext *x,
                                   uint16_t bits)
{
	if (unlikely(!x))
		return bits;
	bits |= x->untold;
	x->untold = w->drop ? bits : 0;
	return w->drop ? 0 : bits;
}

/* GRE of PPTP: the source key that its control connection has announced, into
 * the packet's key. */
void help_gre(struct way *w);

/* Behind a packet, or a sweep, without locks: what lost its master goes too. */
void help_sweep(struct pipeline *p, uint64_t now_ns);
static inline void help_after(struct pipeline *p, uint64_t now_ns)
{
	if (unlikely(p->t->keys_gone))
		help_sweep(p, now_ns);
}

/*
 * From a capture each worker sees all frames and works off its own, so what
 * one announces another meets.  Until there has been an expectation, only a
 * frame that runs a helper can make one, which its ports tell everybody: who
 * might meet an expectation waits until the others are behind the last such
 * frame before its own.  Who runs a helper, and everybody who might make, find
 * or end an expectation once there has been one, waits until all others are
 * behind the frame before.  The worker with the lowest frame never waits.
 */
void help_watch(struct pipeline *p, struct lane *l, bool mine);
/* the same of a frame that another worker has and that is not looked into */
void help_watch_ports(struct pipeline *p, const struct pkt *pkt, bool v6,
                      uint8_t l4proto, uint16_t sport, uint16_t dport);
/* `awaits`: 0 = the frame before this one, come what may */
void help_order(struct pipeline *p, uint64_t frame, uint64_t awaits);

/* has an expectation ever been made? */
static inline bool help_ever(const struct table *t)
{
	return shm_load(&t->expect->shard->serial) != 0;
}

/* Has all been worked off, of other workers too, that this packet may depend
 * on?  The last load comes last: what was made before `passed` is seen. */
static inline bool help_free(const struct pipeline *p, const struct lane *l)
{
	return !l->hinted && p->passed >= l->awaits &&
	       p->passed >= p->hinted_whole && !help_ever(p->t);
}

/*
 * Live, nobody knows what is still to come on another worker's socket.  The
 * first packet of a connection between hosts of which one talks to a helper
 * waits until the others are past its time, 60 ms at most; what is behind it in
 * the ring is then old enough not to wait.  Each worker tells how far it is.
 */
void help_host(const struct way *w);
void help_wait(struct way *w);
/* all packets up to this time have been worked off */
void help_passed(struct table *t, uint64_t ts_ns);
/* Is there anything to wait for, at all? */
static inline bool help_waits(const struct pipeline *p)
{
	return p->waits && shm_load(&p->t->expect_host[0]);
}

void help_store_free(struct help_store *s);

#endif
