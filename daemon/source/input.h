/*
 * input.h - one capture or interface of a source: its libpcap handle, the
 * frames read ahead of it, and the merge of several.
 */
#ifndef SOURCE_INPUT_H
#define SOURCE_INPUT_H

#include <pcap/pcap.h>

#include "daemon/source/kind.h"
#include "daemon/source/plain.h"

/* a frame read ahead; its bytes are in the arena of its generation, or in a
 * plain reader's piece */
struct input_frame {
	size_t at; /* offset from `bytes` of the input */
	uint32_t caplen;
	uint32_t wirelen;
	uint64_t ts_ns;
};

struct arena {
	uint8_t *base;
	size_t size;
	size_t used;
};

enum input_state { INPUT_OPEN, INPUT_END, INPUT_BROKEN, INPUT_CLOSED };

struct input {
	char *name;
	pcap_t *pcap;
	struct plain *plain; /* reads in its place, for as long as it can */
	struct plain *left;  /* and then */
	struct bpf_program filter;
	bool filtering;
	bool nofit; /* a frame found no memory */
	bool micro; /* the handle's times are in microseconds */
	bool more;  /* the last refill took all it might: there may be more */
	enum input_state state;
	uint16_t linktype;
	uint64_t read;  /* frames read, for "packet N" */
	uint64_t skip;  /* frames up to this one need no bytes */
	uint64_t after; /* frames before this time are not ours (ns) */
	struct source_stats stats;

	struct input_frame queue[SOURCE_BATCH];
	unsigned int head, tail;
	const uint8_t *bytes; /* of what is queued */
	struct arena arena[2];
	unsigned int gen;  /* the arena of what is queued */
	uint64_t refilled; /* number of the round that filled the queue */
	char err[SOURCE_ERR];
};

/* Compiles the filter for the input's link type; false with a text. */
bool input_filter(struct input *in, const char *filter, char *err);

/* Reads up to a batch into the empty queue; `state` says how it ended. */
void input_refill(struct input *in, uint64_t round);

static inline bool input_empty(const struct input *in)
{
	return in->head == in->tail;
}

/* The earliest head, the first of equals; NULL when all queues are empty. */
struct input *input_earliest(struct input *ins, unsigned int n);

/* Takes the head.  False: not for the caller (filter, seek). */
bool input_take(struct input *in, struct source *s, struct pkt *p);

/* LINKTYPE_ value of the handle */
uint16_t input_linktype(const struct input *in);

/* Gives the handle back; what is queued stays. */
void input_detach(struct input *in);
void input_close(struct input *in);

#endif
