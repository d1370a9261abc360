/* early.c - see early.h */
#include "daemon/worker/early.h"

#include "daemon/worker/way.h"

/* longer than sources are apart, and than packets wait to be merged; shorter
 * than who was refused takes to try again */
#define EARLY_NS (100 * NS_PER_MS)

static unsigned int early_at(const struct way *w)
{
	return (unsigned int)(w->l->look.hash % EARLY_SLOTS);
}

void early_note(struct way *w)
{
	struct early *e = &w->p->early;
	unsigned int i = early_at(w);
	uint32_t number;

	if (!w->l->trk->early)
		return;
	number = w->l->trk->early(w->l->pkt);
	if (!number)
		return;
	e->slot[i].hash = w->l->look.hash;
	e->slot[i].ts_ns = w->l->pkt->ts_ns;
	e->slot[i].number = number;
	e->last_ns = w->l->pkt->ts_ns;
}

void early_answer(struct way *w, struct trk_ctx *ctx, struct conn *c)
{
	struct early *e = &w->p->early;
	uint64_t now = w->l->pkt->ts_ns;
	unsigned int i = early_at(w);

	if (likely(now > e->last_ns + EARLY_NS) || !w->l->trk->answered)
		return;
	if (e->slot[i].hash != w->l->look.hash || !e->slot[i].number ||
	    now > e->slot[i].ts_ns + EARLY_NS)
		return;
	w->l->trk->answered(ctx, c, e->slot[i].number);
	e->slot[i].number = 0;
}
