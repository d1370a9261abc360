/*
 * tap.h - packet sockets with rings, made for workers by who outlives them.
 *
 * A group is the sockets of all workers on one interface.  They are opened
 * together, for a member's place in the fanout group is the number of its
 * worker, and closed together: one that leaves would permute the others.
 */
#ifndef SOURCE_TAP_H
#define SOURCE_TAP_H

#include "daemon/source/source.h"

struct tap_group {
	const char *iface;
	unsigned int n; /* workers */
	const uint32_t *key;
	const struct decap *decap; /* tunnels to steer inside; NULL: none */
	const char *filter;        /* NULL: none */
	int snaplen, ring;         /* 0: as source_live has it */
	bool inbound_only;
	bool hardware_stamps; /* wanted (stamps.h) */
	/* made */
	int stamps_error;    /* -errno: the host's stamps instead */
	uint64_t generation; /* of the rings */
	int ifindex;
	int hardware; /* ARPHRD_* */
	struct source_tap *tap;
};

/* Into g->tap[0..n-1]; false with a text, and nothing is open. */
bool tap_open(struct tap_group *g, char *err);

/* Takes g->tap[], which a predecessor left, for the same; false: they are not
 * of this interface any more.  What they were made with must be known to be
 * equal. */
bool tap_adopt(struct tap_group *g);
void tap_close(struct tap_group *g);

enum tap_news {
	TAP_SAME,
	TAP_GONE,  /* there is no such interface */
	TAP_OTHER, /* another one of the name, or of another link type */
};
enum tap_news tap_look(const struct tap_group *g);

/* A worker's taps over exec: "fd:linktype:generation," for each interface.
 * tap_read() gives the number of those read; whatever is not a descriptor of
 * ours is refused. */
#define TAP_TEXT 48u
void tap_write(const struct source_tap *tap, char text[TAP_TEXT]);
unsigned int tap_read(const char *text, struct source_tap *tap,
                      unsigned int max);

/* Bytes of kernel memory that one ring takes. */
size_t tap_bytes(int ring, int snaplen);

#endif
