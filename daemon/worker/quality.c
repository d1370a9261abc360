/*
 * quality.c - see quality.h.
 *
 * Round trips are taken from the handshake alone, the tap being between the
 * halves: from the first packet to the first answer, and from that to the next
 * packet of who began.  What had to be sent again measures nothing, for nobody
 * knows which of the two was answered (Karn).
 *
 * Bytes that come behind others were late, or were sent again.  They were late
 * if a hole opened so shortly before that nobody can have asked for them: less
 * than a round trip, or 3 ms where that is not known.
 */
#include "daemon/worker/quality.h"

#define HOLE_SHIFT 17u /* unit of hole_at: 131 us */
#define LATE_US    3000u

static void raise8(uint8_t *n)
{
	*n += *n < UINT8_MAX;
}

static void raise16(uint16_t *n)
{
	*n = (uint16_t)(*n + (*n < UINT16_MAX));
}

/* at least 1: 0 is not known */
static uint32_t round_trip(uint64_t from_ns, uint64_t to_ns)
{
	uint64_t us = to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;

	return us > UINT32_MAX ? UINT32_MAX : us ? (uint32_t)us : 1;
}

static uint16_t hole_clock(uint64_t ns)
{
	return (uint16_t)(ns >> HOLE_SHIFT);
}

static void quality_behind(const struct trk_ctx *c, struct conn_detail *x)
{
	uint64_t us = (uint64_t)x->rtt_us[0] + x->rtt_us[1];
	uint16_t since =
		(uint16_t)(hole_clock(c->pkt->ts_ns) - x->hole_at[c->dir]);

	us = us ? us : LATE_US;
	if (x->hole_at[c->dir] && since <= us * 1000 >> HOLE_SHIFT) {
		raise16(&x->disorder[c->dir]);
		return;
	}
	raise16(&x->retrans[c->dir]);
	x->hole_at[c->dir] = 0;
}

void quality_note(const struct trk_ctx *c, struct conn_detail *x)
{
	uint16_t at = hole_clock(c->pkt->ts_ns);

	if (c->quality & TRK_Q_BEHIND)
		quality_behind(c, x);
	if (c->quality & TRK_Q_AHEAD)
		x->hole_at[c->dir] = at ? at : 1;
	if (c->quality & TRK_Q_NO_ROOM)
		raise8(&x->zero_window[c->dir]);
	if (c->quality & TRK_Q_RESET)
		raise8(&x->resets[c->dir]);
	if (c->quality & TRK_Q_ANSWER && !x->retrans[0] && !x->retrans[1])
		x->rtt_us[c->dir] = round_trip(x->last_ns, c->pkt->ts_ns);
}

void quality_reply(const struct trk_ctx *c, struct conn_detail *x)
{
	/* one packet alone asked for it */
	if (x->last_ns == x->start_ns && !x->retrans[!c->dir])
		x->rtt_us[c->dir] = round_trip(x->last_ns, c->pkt->ts_ns);
}
