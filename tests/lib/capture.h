/*
 * capture.h - capture files for tests, written byte by byte in the test.
 *
 *	struct capture c;
 *
 *	capture_begin(&c, CAPTURE_BIG | CAPTURE_NANO, 1);
 *	capture_frame(&c, ts_ns, data, caplen, wirelen);
 *	path = capture_path(&c, c.len);
 *	...
 *	capture_done(&c);
 *
 * Files live in memory and have no name but /proc/self/fd/N.
 */
#ifndef TESTS_LIB_CAPTURE_H
#define TESTS_LIB_CAPTURE_H

#include "shm/base.h"

enum { CAPTURE_BIG = 1, CAPTURE_NANO = 2, CAPTURE_NG = 4 };

struct capture {
	unsigned int flags;
	size_t len, room;
	uint8_t *buf;
	uint32_t nframes;
	size_t head;     /* bytes before the first frame */
	size_t end[512]; /* where each frame ends */
	int fd;
	char path[64];
};

void capture_begin(struct capture *c, unsigned int flags, uint32_t linktype);
void capture_frame(struct capture *c, uint64_t ts_ns, const void *data,
                   uint32_t caplen, uint32_t wirelen);
/* a record whose length fields say what they like; `data` has `len` bytes */
void capture_lie(struct capture *c, uint32_t sec, uint32_t frac,
                 uint32_t caplen, uint32_t wirelen, const void *data,
                 uint32_t len);
/* The first `len` bytes as a file; again with another length if wanted. */
const char *capture_path(struct capture *c, size_t len);
/* The same of any bytes. */
const char *capture_bytes(struct capture *c, const void *bytes, size_t len);
void capture_done(struct capture *c);

#endif
