/* out.c - the buffer, and what formats have in common. */
#include "cli/out.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void out_init(struct out *o, const struct out_format *format, unsigned mods,
              int fd, const struct labels *labels)
{
	struct stat st;

	memset(o, 0, offsetof(struct out, buf));
	o->format = format;
	o->mods = mods;
	o->fd = fd;
	o->stop = -1;
	o->file = !fstat(fd, &st) && S_ISREG(st.st_mode);
	o->labels = labels;
	o->verb = "-A";
	o->header = true;
	o->gre_timeout = 30;
	o->gre_stream = 180;
}

void out_begin(struct out *o)
{
	o->begun = true;
	if (o->format->begin)
		o->format->begin(o);
}

void out_conn(struct out *o, const struct ctshard_conn *c)
{
	o->format->conn(o, c);
	o->rows++;
}

void out_event(struct out *o, const struct ctshard_event *e)
{
	if (e->expect)
		o->format->expect(o, e->expect, e);
	else
		o->format->event(o, e);
}

void out_expect(struct out *o, const struct ctshard_expect *x)
{
	o->format->expect(o, x, NULL);
	o->rows++;
}

void out_trace(struct out *o, const struct ctshard_trace *t)
{
	o->format->trace(o, t);
	o->rows += !t->lost;
}

bool out_brief(const struct out *o)
{
	return !(o->mods & OUT_WIDE) && !o->format->columns;
}

void out_pause(struct out *o)
{
	if (o->format->pause)
		o->format->pause(o);
	out_flush(o);
}

int out_end(struct out *o)
{
	if (o->begun && o->format->end)
		o->format->end(o);
	o->begun = false;
	return out_flush(o);
}

/*
 * A reader that sleeps must not make us deaf: wait for room or for the word to
 * stop.  A file has no reader.  A pipe that polls writable takes PIPE_BUF bytes
 * without sleeping.
 */
static bool out_stopped(struct out *o)
{
	struct pollfd p[2] = {
		{.fd = o->fd, .events = POLLOUT},
		{.fd = o->stop, .events = POLLIN},
	};

	if (poll(p, 2, -1) > 0 && p[1].revents)
		o->error = EINTR;
	return o->error != 0;
}

/* One write; a descriptor that others made non-blocking is waited for. */
static ssize_t out_write(struct out *o, const char *p, size_t n)
{
	struct pollfd pfd = {.fd = o->fd, .events = POLLOUT};
	ssize_t w;

	if (o->stop >= 0 && !o->file) {
		if (out_stopped(o))
			return -1;
		if (n > PIPE_BUF)
			n = PIPE_BUF;
	}
	w = write(o->fd, p, n);
	if (w >= 0)
		return w;
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		poll(&pfd, 1, -1);
		return 0;
	}
	if (errno == EINTR)
		return 0;
	o->error = errno;
	return -1;
}

int out_flush(struct out *o)
{
	size_t done = 0;
	ssize_t n;

	while (!o->error && done < o->len) {
		n = out_write(o, o->buf + done, o->len - done);
		if (n > 0)
			done += (size_t)n;
	}
	o->len = 0;
	return o->error;
}

void out_long(struct out *o, const char *s, size_t n)
{
	size_t part;

	while (n) {
		if (o->len == sizeof(o->buf))
			out_flush(o);
		part = sizeof(o->buf) - o->len;
		if (part > n)
			part = n;
		memcpy(o->buf + o->len, s, part);
		o->len += part;
		s += part;
		n -= part;
	}
}

static const char pairs[201] = "00010203040506070809"
			       "10111213141516171819"
			       "20212223242526272829"
			       "30313233343536373839"
			       "40414243444546474849"
			       "50515253545556575859"
			       "60616263646566676869"
			       "70717273747576777879"
			       "80818283848586878889"
			       "90919293949596979899";

void out_u64(struct out *o, uint64_t v)
{
	char t[20], *p = t + sizeof(t);

	for (; v >= 100; v /= 100)
		memcpy(p -= 2, pairs + v % 100 * 2, 2);
	if (v >= 10)
		memcpy(p -= 2, pairs + v * 2, 2);
	else
		*--p = (char)('0' + v);
	out_mem(o, p, (size_t)(t + sizeof(t) - p));
}

void out_word(struct out *o, const char *s)
{
	for (; *s; s++)
		out_char(o, *s > ' ' && *s < 0x7f ? *s : '?');
}

void out_text(struct out *o, const char *s)
{
	for (; *s; s++)
		out_char(o, *s >= ' ' && *s < 0x7f ? *s : '?');
}

void out_padded(struct out *o, const char *s, size_t width)
{
	size_t n = strlen(s);

	out_word(o, s);
	for (; n < width; n++)
		out_char(o, ' ');
}

void out_addr(struct out *o, const uint8_t *addr, uint32_t l3)
{
	char t[INET6_ADDRSTRLEN];
	int i;

	if (l3 == 4) {
		char *p = t;

		for (i = 0; i < 4; i++) {
			unsigned v = addr[i];

			if (v >= 100)
				*p++ = (char)('0' + v / 100);
			if (v >= 10)
				*p++ = (char)('0' + v / 10 % 10);
			*p++ = (char)('0' + v % 10);
			*p++ = '.';
		}
		out_mem(o, t, (size_t)(p - t) - 1);
		return;
	}
	if (inet_ntop(AF_INET6, addr, t, sizeof(t)))
		out_str(o, t);
}

void out_labels(struct out *o, const uint8_t *labels, const char *sep,
                const char *quote)
{
	char name[32];
	const char *before = "";
	unsigned i;

	for (i = 0; i < LABELS_BITS; i++) {
		if (!(labels[i / 8] >> i % 8 & 1))
			continue;
		labels_name(o->labels, i, name, sizeof(name));
		out_str(o, before);
		out_str(o, quote);
		out_word(o, name);
		out_str(o, quote);
		before = sep;
	}
}

const char *out_event_name(enum ctshard_event_type type)
{
	switch (type) {
#define X(name, number, word) \
	case CTSHARD_##name:  \
		return word;
		CTSHARD_EVENTS(X)
#undef X
	}
	return "?";
}

const char *out_expect_flags(const struct ctshard_expect *x)
{
	static const char *const words[] = {"", "PERMANENT", "INACTIVE",
	                                    "PERMANENT,INACTIVE"};

	return words[x->flags & 3];
}

const char *out_l3(const struct ctshard_conn *c)
{
	return c->l3 == 4 ? "ipv4" : "ipv6";
}

/* AF_INET, AF_INET6 as Linux numbers them: part of the formats */
unsigned out_l3num(const struct ctshard_conn *c)
{
	return c->l3 == 4 ? 2 : 10;
}

bool out_has_labels(const struct ctshard_conn *c)
{
	static const uint8_t none[sizeof(c->labels)];

	return c->has & CTSHARD_CONN_LABELS &&
	       memcmp(c->labels, none, sizeof(none)) != 0;
}

bool out_has_duration(const struct ctshard_conn *c)
{
	return c->has & CTSHARD_CONN_START && c->has & CTSHARD_CONN_LAST &&
	       c->last_ns >= c->start_ns;
}

uint64_t out_seconds(const struct ctshard_conn *c)
{
	return c->has & CTSHARD_CONN_TIMEOUT ? c->timeout_ms / 1000 : 0;
}

uint64_t out_delta(const struct ctshard_conn *c)
{
	uint64_t end = c->now_ns ? c->now_ns : c->last_ns;

	if (c->has & CTSHARD_CONN_STOP)
		end = c->stop_ns;
	/* whole seconds of each, as the library of conntrack subtracts */
	end /= 1000000000;
	return end > c->start_ns / 1000000000 ? end - c->start_ns / 1000000000
	                                      : 0;
}
