/*
 * source.h - the contract of a source: where frames come from.
 *
 * A source is opened by the function of its kind and used through the
 * functions below, which know no kinds.  It hands out batches.  What a frame's
 * `data` points to stays valid until the next call of source_next() or
 * source_close(), and no longer.
 *
 * A source may be several captures or interfaces ("inputs") at once, merged
 * by timestamp; `pkt.iface` says which.  `pkt.frame` numbers the frames of the
 * merged source from 1, those that the filter refused included: so a number
 * means the same frame in every process that reads the same captures.
 */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include "daemon/pkt/decap.h"
#include "shm/layout.h"

#define SOURCE_BATCH  64u  /* frames handed out at once, at most */
#define SOURCE_INPUTS 256u /* inputs of one source: pkt.iface is a byte */
#define SOURCE_ERR    512u /* bytes of an error text */

#define SOURCE_SNAPLEN 65535
#define SOURCE_RING    (64 << 20) /* bytes: 200 ms of 1 M packets/s and more */
#define SOURCE_TIMEOUT 10         /* ms until the kernel hands out a block */

struct source;

/* what source_next() says when it has no frames; NONE: call again (a capture
 * whose frames the filter refuses says it now and then) */
enum { SOURCE_NONE = 0, SOURCE_END = -1, SOURCE_ERROR = -2 };

/* X(name, "name in statistics", "meaning") */
#define SOURCE_COUNTERS(X)                                                   \
	X(frames, "frames", "taken from the input")                          \
	X(filtered, "filtered", "of these, refused by the filter")           \
	X(skipped, "skipped", "of these, before the start of a resumed run") \
	X(cut, "cut", "captured shorter than they were")                     \
	X(bytes, "bytes", "of these, as long as they were on the wire")      \
	X(received, "received", "seen by the kernel for this input")         \
	X(ring, "ring", "lost: no room in the kernel's ring")                \
	X(interface, "interface", "lost: dropped by the interface")          \
	X(early, "early", "left to others while joining a fanout group")     \
	X(vanished, "vanished", "times an interface went away")              \
	X(reopened, "reopened", "times it was there again")                  \
	X(broken, "broken", "blocks of a ring that made no sense")

struct source_stats {
#define X(name, str, meaning) uint64_t name;
	SOURCE_COUNTERS(X)
#undef X
};

/* A live source's place among workers that share its interfaces. */
struct source_fanout {
	const uint32_t *key;       /* STEER_KEYS secret words */
	unsigned int nworkers;     /* 1 = no fanout */
	uint32_t group;            /* same for all workers of one daemon */
	const struct decap *decap; /* tunnels to steer inside; NULL: none */
};

struct source_live {
	const char *const *ifaces;
	unsigned int nifaces;
	const char *filter; /* tcpdump(8) syntax, NULL = none */
	struct source_fanout fanout;
	int snaplen;          /* 0 = SOURCE_SNAPLEN */
	int ring;             /* 0 = SOURCE_RING */
	bool inbound_only;    /* leave out what this host sends */
	bool hardware_stamps; /* the card's, where libpcap has them */
};

/* A packet socket with a ring: made by the supervisor (tap.h), lent to a
 * worker. */
struct source_tap {
	int fd;
	uint16_t linktype;
	uint64_t generation; /* of the ring: no two are alike */
};

struct source_packet {
	const char *const *ifaces;
	const struct source_tap *taps; /* one each; stay the caller's */
	unsigned int nifaces;          /* SOURCE_TAPS at most */
	const char *filter; /* for link types that the kernel cannot filter */
	int snaplen, ring;  /* as the taps were made with; 0 as above */
	bool counts;        /* also what the interfaces themselves dropped */
};
/* interfaces of one worker: each has a capture cursor of its own */
#define SOURCE_TAPS SOURCE_EXPECT

/* a frame of an in-memory source */
struct source_frame {
	const uint8_t *data;
	uint32_t caplen;
	uint32_t wirelen;
	uint64_t ts_ns;
	uint16_t linktype;
};

/* All return NULL and a text in err[SOURCE_ERR] when they cannot open. */
struct source *source_open_files(const char *const *paths, unsigned int n,
                                 const char *filter, char *err);
struct source *source_open_live(const struct source_live *opt, char *err);
struct source *source_open_packet(const struct source_packet *opt, char *err);
/* `frames` stays the caller's and must live as long as the source. */
struct source *source_open_memory(const struct source_frame *frames, size_t n,
                                  char *err);

/* Up to `max` (and SOURCE_BATCH) frames into `batch`; their number, or one of
 * the codes above.  END and ERROR are said again by every later call. */
int source_next(struct source *s, struct pkt *batch, unsigned int max);

/* Frames up to and including this number are not handed out. */
void source_seek(struct source *s, uint64_t frame);
/* Taps: pkt.source is the number of the interface and pkt.frame counts its
 * frames, whoever reads and whatever ring they lie in, so that a cursor for
 * each says where a successor goes on: behind these.  `place` is where the
 * source notes what it needs for that; it outlives the process.  To be called
 * before the first source_next(); false for kinds that count anew with each
 * process. */
bool source_resume(struct source *s, const uint64_t *cursor,
                   struct ring_place *place);
/* pkt.source of the frames to come, 0 by default */
void source_number(struct source *s, uint8_t number);
/* why source_next() returned SOURCE_ERROR */
const char *source_error(const struct source *s);

/* Readable when source_next() may have frames; -1: it always may. */
int source_fd(const struct source *s);
/* Milliseconds that a caller may sleep on source_fd() at most before it calls
 * source_next() again; -1 = any time. */
int source_timeout(const struct source *s);

unsigned int source_inputs(const struct source *s);
const char *source_input_name(const struct source *s, unsigned int input);
/* Of one input, of inputs together with input = SOURCE_ALL. */
#define SOURCE_ALL (~0u)
void source_stats(struct source *s, unsigned int input,
                  struct source_stats *out);
/* How much of the fullest input's buffer waits to be read, in percent. */
unsigned int source_fill(const struct source *s);
/* The same in quarters, 0 to 3, at a cost that each batch can bear. */
unsigned int source_quarters(const struct source *s);
/* "live", "files", "memory" */
const char *source_kind_name(const struct source *s);
bool source_is_live(const struct source *s);

void source_close(struct source *s);

/* Copies all that can be read from `from` into a file of $TMPDIR that has no
 * name (for several processes to read: /proc/self/fd/N).  Its descriptor, or
 * -1 and a text. */
int source_spool(int from, char *err);

#endif
