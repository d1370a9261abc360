/*
 * input.c - reading ahead, and merging.
 *
 * Theory.  libpcap's bytes are gone with its next call, and a live ring's
 * block goes back to the kernel when its last packet has been seen.  So each
 * input copies what it reads into an arena of its own and queues it; merging
 * compares the heads of the queues.
 *
 * A plain capture needs no copy (plain.h); it has two pieces for the same
 * reason as there are two arenas.
 *
 * How long bytes live: a refill goes into the other one of two arenas, and
 * only when the queue is empty.  The first refill of a round (one call of
 * source_next()) therefore leaves alone what the same round handed out from
 * the queue before.  A second refill of the same input in the same round could
 * not: `refilled` is the round of the last one, and callers end the round when
 * they have frames in hand and would need it (see `files_next`).
 *
 * Order: heads are compared by time and equals by place, so that equal times
 * come in the order of the arguments.  Frames of one input keep their order,
 * whatever their times say.
 *
 * The filter is run when a frame is taken, not when it is read: the number of
 * a frame in the merged source then does not depend on it.
 */
#include "daemon/source/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* a frame's time in ns stays below 2^64 */
#define MAX_SECONDS (UINT64_MAX / NS_PER_S - 1)

bool input_filter(struct input *in, const char *filter, char *err)
{
	if (!filter || !*filter)
		return true;
	if (pcap_compile(in->pcap, &in->filter, filter, 1,
	                 PCAP_NETMASK_UNKNOWN) < 0) {
		source_complain(err, in->name, "filter: %s",
		                pcap_geterr(in->pcap));
		return false;
	}
	in->filtering = true;
	return true;
}

/* Room for `len` bytes.  The arena moves when it grows, hence offsets. */
static bool arena_room(struct arena *a, size_t len)
{
	size_t size = a->size ? a->size : 1 << 16;
	uint8_t *base;

	while (size - a->used < len)
		size *= 2;
	if (size == a->size)
		return true;
	base = realloc(a->base, size);
	if (!base)
		return false;
	a->base = base;
	a->size = size;
	return true;
}

/* libpcap takes the 32-bit seconds of a classic capture for signed, which
 * they are not: they last until 2106. */
static uint64_t frame_time(const struct input *in, const struct pcap_pkthdr *h)
{
	int64_t t = h->ts.tv_sec;
	uint64_t sec = t < 0 ? (uint32_t)t : (uint64_t)t;
	uint64_t ns = h->ts.tv_usec < 0 ? 0 : (uint64_t)h->ts.tv_usec;

	if (in->micro)
		ns *= NS_PER_US;
	if (sec > MAX_SECONDS)
		sec = MAX_SECONDS;
	/* a fraction that is a second and more is a lie, but a bounded one */
	return sec * NS_PER_S + (ns < NS_PER_S ? ns : NS_PER_S - 1);
}

/* libpcap's callback, called SOURCE_BATCH times a refill at most */
static void input_keep(u_char *user, const struct pcap_pkthdr *h,
                       const u_char *bytes)
{
	struct input *in = (struct input *)(void *)user;
	struct arena *a = &in->arena[in->gen];
	struct input_frame *f = &in->queue[in->tail];
	uint32_t len = h->caplen;

	if (in->nofit)
		return;
	in->read++;
	f->ts_ns = frame_time(in, h);
	if (f->ts_ns < in->after) {
		in->stats.early++;
		return;
	}
	if (in->read <= in->skip)
		len = 0;
	if (!arena_room(a, len)) {
		in->nofit = true;
		return;
	}
	f->at = a->used;
	f->caplen = len;
	f->wirelen = h->len > h->caplen ? h->len : h->caplen;
	if (len)
		memcpy(a->base + a->used, bytes, len);
	a->used += len;
	in->tail++;
}

/* The reason is told when the frames before it have been taken. */
static void input_break(struct input *in, const char *why)
{
	in->state = INPUT_BROKEN;
	source_complain(in->err, in->name, "packet %llu: %s",
	                (unsigned long long)in->read + 1, why);
}

/* All from one piece.  False: nothing more can be read like that, and libpcap
 * goes on. */
static bool refill_plain(struct input *in)
{
	struct plain_record r;

	plain_turn(in->plain);
	in->bytes = NULL;
	while (in->tail < SOURCE_BATCH && plain_next(in->plain, &r)) {
		struct input_frame *f = &in->queue[in->tail];

		if (!in->tail++)
			in->bytes = r.bytes;
		f->at = (size_t)(r.bytes - in->bytes);
		f->caplen = r.caplen;
		f->wirelen = r.wirelen > r.caplen ? r.wirelen : r.caplen;
		f->ts_ns = r.ts_ns;
	}
	in->read += in->tail;
	in->more = true;
	if (in->tail)
		return true;
	if (!plain_leave(in->plain, in->pcap))
		input_break(in, strerror(errno));
	/* what it has handed out in this round stays until input_close() */
	in->left = in->plain;
	in->plain = NULL;
	return in->state == INPUT_BROKEN;
}

void input_refill(struct input *in, uint64_t round)
{
	int n;

	in->head = in->tail = 0;
	in->refilled = round;
	if (in->plain && refill_plain(in))
		return;
	in->gen ^= 1;
	in->arena[in->gen].used = 0;
	n = pcap_dispatch(in->pcap, SOURCE_BATCH, input_keep,
	                  (u_char *)(void *)in);
	in->more = n >= (int)SOURCE_BATCH;
	in->bytes = in->arena[in->gen].base;
	if (in->nofit)
		input_break(in, "out of memory");
	else if (n < 0)
		input_break(in, pcap_geterr(in->pcap));
	else if (n == 0)
		in->state = INPUT_END;
}

struct input *input_earliest(struct input *ins, unsigned int n)
{
	struct input *best = NULL;

	for (unsigned int i = 0; i < n; i++) {
		struct input *in = &ins[i];

		if (input_empty(in))
			continue;
		if (!best ||
		    in->queue[in->head].ts_ns < best->queue[best->head].ts_ns)
			best = in;
	}
	return best;
}

static bool input_wants(struct input *in, const struct pkt *p)
{
	struct pcap_pkthdr h = {.caplen = p->caplen, .len = p->wirelen};

	if (!in->filtering)
		return true;
	return pcap_offline_filter(&in->filter, &h, p->data) > 0;
}

bool input_take(struct input *in, struct source *s, struct pkt *p)
{
	const struct input_frame *f = &in->queue[in->head++];

	in->stats.frames++;
	in->stats.bytes += f->wirelen;
	if (++s->frame <= s->seek) {
		in->stats.skipped++;
		return false;
	}
	p->data = in->bytes + f->at;
	p->caplen = f->caplen;
	p->wirelen = f->wirelen;
	p->ts_ns = f->ts_ns;
	p->frame = s->frame;
	p->linktype = in->linktype;
	p->source = s->number;
	if (p->wirelen > p->caplen)
		in->stats.cut++;
	if (!input_wants(in, p)) {
		in->stats.filtered++;
		return false;
	}
	return true;
}

uint16_t input_linktype(const struct input *in)
{
	int dlt = pcap_datalink(in->pcap);

	/* libpcap's own numbers differ from the files' for this one here */
	return dlt == DLT_RAW ? 101 : (uint16_t)dlt;
}

void input_detach(struct input *in)
{
	if (in->filtering)
		pcap_freecode(&in->filter);
	if (in->pcap)
		pcap_close(in->pcap);
	in->filtering = false;
	in->pcap = NULL;
	in->state = INPUT_CLOSED;
}

void input_close(struct input *in)
{
	input_detach(in);
	plain_close(in->plain);
	plain_close(in->left);
	for (unsigned int i = 0; i < 2; i++)
		free(in->arena[i].base);
	free(in->name);
}
