/* capture.c - see capture.h */
#include "tests/lib/capture.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void put(struct capture *c, const void *bytes, size_t len)
{
	if (c->room - c->len < len) {
		c->room = (c->room + len) * 2;
		c->buf = realloc(c->buf, c->room);
		assert(c->buf);
	}
	if (len)
		memcpy(c->buf + c->len, bytes, len);
	c->len += len;
}

static void put_word(struct capture *c, uint32_t v, unsigned int size)
{
	uint8_t b[4];

	for (unsigned int i = 0; i < size; i++)
		b[i] = (uint8_t)(v >> 8 * (c->flags & CAPTURE_BIG ? size - 1 - i
		                                                  : i));
	put(c, b, size);
}

static void put_ng_head(struct capture *c, uint32_t linktype)
{
	put_word(c, 0x0a0d0d0a, 4);
	put_word(c, 28, 4);
	put_word(c, 0x1a2b3c4d, 4);
	put_word(c, 1, 2);
	put_word(c, 0, 2);
	put_word(c, 0xffffffff, 4);
	put_word(c, 0xffffffff, 4);
	put_word(c, 28, 4);

	put_word(c, 1, 4);
	put_word(c, 32, 4);
	put_word(c, linktype, 2);
	put_word(c, 0, 2);
	put_word(c, 65535, 4);
	put_word(c, 9, 2); /* if_tsresol: nanoseconds or microseconds */
	put_word(c, 1, 2);
	put(c, c->flags & CAPTURE_NANO ? "\x09\0\0\0" : "\x06\0\0\0", 4);
	put_word(c, 0, 4);
	put_word(c, 32, 4);
}

void capture_begin(struct capture *c, unsigned int flags, uint32_t linktype)
{
	memset(c, 0, sizeof(*c));
	c->flags = flags;
	c->fd = -1;
	if (flags & CAPTURE_NG) {
		put_ng_head(c, linktype);
	} else {
		put_word(c, flags & CAPTURE_NANO ? 0xa1b23c4d : 0xa1b2c3d4, 4);
		put_word(c, 2, 2);
		put_word(c, 4, 2);
		put_word(c, 0, 4);
		put_word(c, 0, 4);
		put_word(c, 65535, 4);
		put_word(c, linktype, 4);
	}
	c->head = c->len;
}

static void put_end(struct capture *c)
{
	assert(c->nframes < ARRAY_SIZE(c->end));
	c->end[c->nframes++] = c->len;
}

static void put_ng(struct capture *c, uint64_t ts, const void *data,
                   uint32_t caplen, uint32_t wirelen)
{
	uint32_t pad = (4 - caplen % 4) % 4;

	put_word(c, 6, 4);
	put_word(c, 32 + caplen + pad, 4);
	put_word(c, 0, 4);
	put_word(c, (uint32_t)(ts >> 32), 4);
	put_word(c, (uint32_t)ts, 4);
	put_word(c, caplen, 4);
	put_word(c, wirelen, 4);
	put(c, data, caplen);
	put(c, "\0\0\0", pad);
	put_word(c, 32 + caplen + pad, 4);
	put_end(c);
}

void capture_lie(struct capture *c, uint32_t sec, uint32_t frac,
                 uint32_t caplen, uint32_t wirelen, const void *data,
                 uint32_t len)
{
	put_word(c, sec, 4);
	put_word(c, frac, 4);
	put_word(c, caplen, 4);
	put_word(c, wirelen, 4);
	put(c, data, len);
	put_end(c);
}

void capture_frame(struct capture *c, uint64_t ts_ns, const void *data,
                   uint32_t caplen, uint32_t wirelen)
{
	uint64_t unit = c->flags & CAPTURE_NANO ? 1 : NS_PER_US;

	if (c->flags & CAPTURE_NG)
		put_ng(c, ts_ns / unit, data, caplen, wirelen);
	else
		capture_lie(c, (uint32_t)(ts_ns / NS_PER_S),
		            (uint32_t)(ts_ns % NS_PER_S / unit), caplen,
		            wirelen, data, caplen);
}

const char *capture_bytes(struct capture *c, const void *bytes, size_t len)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = memfd_create("capture", MFD_CLOEXEC);
	assert(c->fd >= 0);
	assert(write(c->fd, bytes, len) == (ssize_t)len);
	snprintf(c->path, sizeof(c->path), "/proc/self/fd/%d", c->fd);
	return c->path;
}

const char *capture_path(struct capture *c, size_t len)
{
	assert(len <= c->len);
	return capture_bytes(c, c->buf, len);
}

void capture_done(struct capture *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
	c->buf = NULL;
	c->fd = -1;
}
