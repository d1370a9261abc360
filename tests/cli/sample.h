/* sample.h - connections to print, and a pipe to print them into. */
#ifndef TESTS_CLI_SAMPLE_H
#define TESTS_CLI_SAMPLE_H

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/out.h"

static struct labels sample_labels;

static inline void sample_tuple(struct ctshard_tuple *t, int family,
                                const char *src, const char *dst)
{
	memset(t, 0, sizeof(*t));
	assert_int_equal(inet_pton(family, src, t->src), 1);
	assert_int_equal(inet_pton(family, dst, t->dst), 1);
}

static inline void sample_counters(struct ctshard_conn *c, int dir,
                                   uint64_t packets, uint64_t bytes)
{
	c->dir[dir].has |= CTSHARD_TUPLE_COUNTER;
	c->dir[dir].packets = packets;
	c->dir[dir].bytes = bytes;
}

static inline void sample_ports(struct ctshard_conn *c, uint32_t s, uint32_t d)
{
	int i;

	for (i = 0; i < 2; i++) {
		c->dir[i].has |= CTSHARD_TUPLE_PORTS;
		c->dir[i].sport = i ? d : s;
		c->dir[i].dport = i ? s : d;
	}
}

static inline struct ctshard_conn sample_conn(const char *proto, uint32_t num)
{
	struct ctshard_conn c = {
		.l3 = 4,
		.proto = proto,
		.protonum = num,
		.id = 281474976710663ull,
		.has = CTSHARD_CONN_TIMEOUT | CTSHARD_CONN_USE,
		.use = 1,
	};

	sample_tuple(&c.dir[0], AF_INET, "10.0.0.1", "10.0.1.1");
	sample_tuple(&c.dir[1], AF_INET, "10.0.1.1", "10.0.0.1");
	return c;
}

/* behaviour.md's first example: established, one reader's view of it */
static inline struct ctshard_conn sample_tcp(void)
{
	struct ctshard_conn c = sample_conn("tcp", 6);

	sample_ports(&c, 40000, 80);
	c.state = "ESTABLISHED";
	c.timeout_ms = 431999500;
	c.status =
		CTSHARD_S_SEEN_REPLY | CTSHARD_S_ASSURED | CTSHARD_S_CONFIRMED;
	sample_counters(&c, 0, 3, 137);
	sample_counters(&c, 1, 2, 92);
	return c;
}

static inline struct out *sample_out(const struct out_format *f, unsigned mods)
{
	struct out *o = malloc(sizeof(*o));

	assert_non_null(o);
	out_init(o, f, mods, memfd_create("out", 0), &sample_labels);
	out_begin(o);
	return o;
}

/* What has been printed; ends the format and frees `o`. */
static inline const char *sample_text(struct out *o)
{
	static char text[1 << 16];
	ssize_t n;

	assert_int_equal(out_end(o), 0);
	n = pread(o->fd, text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	close(o->fd);
	free(o);
	return text;
}

static inline const char *sample_list(const struct out_format *f, unsigned mods,
                                      const struct ctshard_conn *c)
{
	struct out *o = sample_out(f, mods);

	out_conn(o, c);
	return sample_text(o);
}

static inline const char *sample_event(const struct out_format *f,
                                       unsigned mods,
                                       const struct ctshard_event *e)
{
	struct out *o = sample_out(f, mods);

	out_event(o, e);
	return sample_text(o);
}

#endif
