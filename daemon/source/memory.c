/*
 * memory.c - frames that somebody built, for benchmarks and tests.
 */
#include <stdlib.h>

#include "daemon/source/kind.h"

/* 1 KiB, which is half a batch */
#define DESCRIPTORS_AHEAD 32u

struct memory {
	struct source base;
	const struct source_frame *frames;
	size_t n;
	uint64_t skipped;
};

static struct memory *memory_of(struct source *s)
{
	return (struct memory *)s;
}

static int memory_next(struct source *s, struct pkt *batch, unsigned int max)
{
	struct memory *m = memory_of(s);
	unsigned int got = 0;

	if (s->frame < s->seek) {
		uint64_t to = s->seek < m->n ? s->seek : m->n;

		m->skipped += to - s->frame;
		s->frame = to;
	}
	while (got < max && s->frame < m->n) {
		const struct source_frame *f = &m->frames[s->frame++];
		struct pkt *p = &batch[got++];

		__builtin_prefetch(f + DESCRIPTORS_AHEAD);
		p->data = f->data;
		p->caplen = f->caplen;
		p->wirelen = f->wirelen;
		p->ts_ns = f->ts_ns;
		p->frame = s->frame;
		p->linktype = f->linktype;
		p->iface = 0;
		p->source = s->number;
	}
	return got ? (int)got : SOURCE_END;
}

static unsigned int memory_inputs(const struct source *s)
{
	(void)s;
	return 1;
}

static const char *memory_input_name(const struct source *s, unsigned int input)
{
	(void)s;
	(void)input;
	return "memory";
}

static void memory_stats(struct source *s, unsigned int input,
                         struct source_stats *out)
{
	(void)input;
	out->frames = s->frame;
	out->skipped = memory_of(s)->skipped;
}

static void memory_close(struct source *s)
{
	free(s);
}

struct source *source_open_memory(const struct source_frame *frames, size_t n,
                                  char *err)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (!m) {
		source_complain(err, "memory", "out of memory");
		return NULL;
	}
	m->base.kind = &source_memory;
	m->frames = frames;
	m->n = n;
	return &m->base;
}

const struct source_kind source_memory = {
	.name = "memory",
	.next = memory_next,
	.inputs = memory_inputs,
	.input_name = memory_input_name,
	.stats = memory_stats,
	.close = memory_close,
};
