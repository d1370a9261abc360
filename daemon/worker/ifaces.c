/* ifaces.c - see ifaces.h. */
#include "daemon/worker/ifaces.h"

static unsigned int iface_place(unsigned int iface)
{
	return iface < STATS_IFACES ? iface : STATS_IFACES - 1;
}

void ifaces_base(struct ring_header *h)
{
	unsigned int i;

	for (i = 0; i < STATS_IFACES; i++) {
		struct iface_figures *g = &h->iface[i];

		g->base_received = g->received;
		g->base_kernel = g->drop_kernel;
		g->base_interface = g->drop_interface;
		g->base_bytes = g->bytes;
	}
}

void ifaces_time(struct ifaces *f, struct ring_header *h, const struct pkt *p,
                 uint64_t wall_ns)
{
	unsigned int i = iface_place(p->iface);
	int64_t lag = (int64_t)(wall_ns - p->ts_ns);
	uint64_t back;

	if (unlikely(p->ts_ns + IFACES_BACK_NS < f->last_ns[i])) {
		back = f->last_ns[i] - p->ts_ns;
		h->iface[i].back++;
		if (h->iface[i].back_ns < back)
			h->iface[i].back_ns = back;
	}
	f->last_ns[i] = p->ts_ns;
	if (wall_ns && (!f->fresh[i] || lag < f->lag_ns[i])) {
		f->lag_ns[i] = lag;
		f->fresh[i] = true;
	}
}

uint64_t ifaces_figures(struct ifaces *f, struct source *s,
                        struct ring_header *h)
{
	uint64_t back = 0, n = source_inputs(s), i;
	struct iface_figures sum[STATS_IFACES] = {0};

	for (i = 0; i < n; i++) {
		struct iface_figures *g = &sum[iface_place((unsigned int)i)];
		struct source_stats st;

		source_stats(s, (unsigned int)i, &st);
		g->received += source_is_live(s) ? st.received : st.frames;
		g->drop_kernel += st.ring;
		g->drop_interface += st.interface;
		g->bytes += st.bytes;
	}
	for (i = 0; i < STATS_IFACES; i++) {
		struct iface_figures *g = &h->iface[i];

		g->received = g->base_received + sum[i].received;
		g->drop_kernel = g->base_kernel + sum[i].drop_kernel;
		g->drop_interface = g->base_interface + sum[i].drop_interface;
		g->bytes = g->base_bytes + sum[i].bytes;
		if (f->fresh[i])
			g->lag_ns = f->lag_ns[i];
		f->fresh[i] = false;
		back += g->back;
	}
	i = back - f->told;
	f->told = back;
	return i;
}
