/*
 * ifaces.c - see ifaces.h.
 *
 * The loss of the mirror itself is estimated by TCP alone: bytes that their
 * receiver acknowledged, or that others came behind, and that nobody saw,
 * against all bytes.  A mirror that shows one packet of N leaves such holes in
 * every connection, so where more bytes are missing than were seen it is said
 * to be sampled.
 */
#include "daemon/api/ifaces.h"

#include <string.h>

#include "shm/atomic.h"
#include "shm/clock.h"

/* a mirror is not called sampled by less */
#define SAMPLED_GAPS 100u

unsigned int ifaces_count(const struct api *a)
{
	unsigned int n = a->env->live ? a->env->nifaces : a->env->ncaptures;

	return n < STATS_IFACES ? n : STATS_IFACES;
}

static uint64_t share(uint64_t part, uint64_t of)
{
	if (!of)
		return 0;
	part = part < of ? part : of;
	return (uint64_t)((double)part * 10000.0 / (double)of + 0.5);
}

/* Every worker reads the whole capture, and its own part of an interface. */
static void add_figures(const struct api *a, uint32_t w, unsigned int i,
                        struct iface_row *r)
{
	const struct iface_figures *g = &a->t->ring[w].hdr->iface[i];

	r->clock_back += shm_load(&g->back);
	if (!a->env->live && w)
		return;
	r->received += shm_load(&g->received);
	r->bytes += shm_load(&g->bytes);
	r->drops_interface += shm_load(&g->drop_interface);
	r->drops_kernel_ring += shm_load(&g->drop_kernel);
}

static void add_counters(const struct api *a, uint32_t w, unsigned int i,
                         struct iface_row *r)
{
	const uint64_t *c = a->t->ring[w].hdr->counter;
	bool alone = ifaces_count(a) == 1;

	r->connections +=
		shm_load(&c[alone ? CTR_INSERT : STATS_IFACE(i, IFACE_NEW)]);
	r->gap += shm_load(&c[STATS_IFACE(i, IFACE_GAPS)]);
	r->lost_bytes += shm_load(&c[STATS_IFACE(i, IFACE_LOST)]);
	r->hole_bytes += shm_load(&c[STATS_IFACE(i, IFACE_HOLES)]);
	r->late_bytes += shm_load(&c[STATS_IFACE(i, IFACE_LATE)]);
	r->duplicates += shm_load(&c[STATS_IFACE(i, IFACE_DUPLICATES)]);
	r->one_way += shm_load(&c[STATS_IFACE(i, IFACE_ONE_WAY)]);
	r->doubled += shm_load(&c[STATS_IFACE(i, IFACE_DOUBLED)]);
	r->repaired += shm_load(&c[STATS_IFACE(i, IFACE_REPAIRED)]);
}

/* How far the clock of interface i is behind, as the workers with packets of it
 * have seen. */
static int64_t lag_of(const struct api *a, unsigned int i)
{
	int64_t least = INT64_MAX;
	uint32_t w;

	for (w = 0; w < a->t->nworker; w++) {
		const struct iface_figures *g = &a->t->ring[w].hdr->iface[i];
		int64_t lag = shm_load(&g->lag_ns);

		if (shm_load(&g->received) && lag && lag < least)
			least = lag;
	}
	return least;
}

static uint64_t skew_us(const struct api *a, unsigned int i)
{
	int64_t mine = lag_of(a, i), first = mine;
	unsigned int k;

	for (k = 0; k < ifaces_count(a); k++) {
		int64_t lag = lag_of(a, k);

		first = lag < first ? lag : first;
	}
	return mine == INT64_MAX ? 0 : (uint64_t)(mine - first) / 1000;
}

static void state(const struct api *a, unsigned int i, struct iface_row *r)
{
	const struct iface_state *p = &table_proc(a->t, SLOT_SUPER)->iface[i];
	uint64_t moved = shm_load(&p->moved_ns), now = clock_mono_ns();
	uint32_t flags = shm_load(&p->flags);
	bool gro = flags & IFACE_F_GRO, lro = flags & IFACE_F_LRO;

	r->offload = gro && lro ? "gro+lro" : gro ? "gro" : lro ? "lro" : "";
	r->up = !!(flags & IFACE_F_UP);
	r->mtu = shm_load(&p->mtu);
	r->changes = shm_load(&p->changes);
	if (moved && now > moved)
		r->quiet_seconds = (now - moved) / NS_PER_S;
}

void iface_row(const struct api *a, unsigned int i, struct iface_row *r)
{
	uint64_t missing;
	uint32_t w;

	*r = (struct iface_row){.offload = ""};
	r->name = a->env->live ? a->env->ifaces[i] : a->env->captures[i];
	for (w = 0; w < a->t->nworker; w++) {
		if (!a->t->ring[w].hdr)
			continue;
		add_figures(a, w, i, r);
		add_counters(a, w, i, r);
	}
	missing = r->lost_bytes + r->hole_bytes;
	/* what the net lost, or brought late, is no loss of the mirror */
	missing -=
		r->late_bytes < r->hole_bytes ? r->late_bytes : r->hole_bytes;
	r->lost_share = share(missing, missing + r->bytes);
	r->one_way_share = share(r->one_way, r->connections);
	r->doubled_share = share(r->doubled, r->connections);
	r->repaired_share = share(r->repaired, r->connections);
	if (r->gap >= SAMPLED_GAPS && missing > r->bytes && r->bytes)
		r->sampled = (missing + r->bytes + r->bytes / 2) / r->bytes;
	if (!a->env->live)
		return;
	r->skew_seconds = skew_us(a, i);
	state(a, i, r);
}
