/*
 * describe.c - see describe.h.
 *
 * The schema describes itself, so a request that is added needs nothing here.
 * Of lists the first is told, and how many there are: a log is no copy.
 */
#include "daemon/api/describe.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 4
#define BYTES_MAX 16u /* of a field of bytes */

struct text {
	char *to;
	size_t size, at;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t,
                                                      const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->at >= t->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->to + t->at, t->size - t->at, fmt, ap);
	va_end(ap);
	t->at += n > 0 ? (size_t)n : 0;
}

static void add_bytes(struct text *t, const char *name,
                      const ProtobufCBinaryData *b)
{
	char addr[INET6_ADDRSTRLEN];
	size_t i;

	if ((!strcmp(name, "addr") || !strcmp(name, "src") ||
	     !strcmp(name, "dst")) &&
	    (b->len == 4 || b->len == 16) &&
	    inet_ntop(b->len == 4 ? AF_INET : AF_INET6, b->data, addr,
	              sizeof(addr))) {
		add(t, "%s", addr);
		return;
	}
	for (i = 0; i < b->len && i < BYTES_MAX; i++)
		add(t, "%02x", b->data[i]);
	if (i < b->len)
		add(t, "...");
}

/* clients wrote it: nothing that could pass for another line or field */
static void add_string(struct text *t, const char *s)
{
	add(t, "\"");
	for (; s && *s; s++)
		add(t, "%c", *s < ' ' || *s > '~' || *s == '"' ? '?' : *s);
	add(t, "\"");
}

static void add_message(struct text *t, const ProtobufCMessage *m, int depth);

static void add_value(struct text *t, const ProtobufCFieldDescriptor *f,
                      const void *p, int depth)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		add(t, "{");
		if (*(ProtobufCMessage *const *)p)
			add_message(t, *(ProtobufCMessage *const *)p,
			            depth + 1);
		add(t, "}");
		break;
	case PROTOBUF_C_TYPE_STRING:
		add(t, "=");
		add_string(t, *(char *const *)p);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		add(t, "=");
		add_bytes(t, f->name, p);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		add(t, "=%" PRIu64, *(const uint64_t *)p);
		break;
	default: /* the schema's other numbers have 32 bits */
		add(t, "=%" PRIu32, *(const uint32_t *)p);
		break;
	}
}

static size_t value_size(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_MESSAGE:
	case PROTOBUF_C_TYPE_STRING:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return sizeof(uint64_t);
	default:
		return sizeof(uint32_t);
	}
}

static bool present(const ProtobufCMessage *m,
                    const ProtobufCFieldDescriptor *f)
{
	const char *base = (const char *)m;
	const void *p = base + f->offset;

	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)(const void
		                                   *)(base +
		                                      f->quantifier_offset) ==
		       f->id;
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)(const void *)(base +
		                                       f->quantifier_offset) >
		       0;
	if (f->type == PROTOBUF_C_TYPE_MESSAGE ||
	    f->type == PROTOBUF_C_TYPE_STRING)
		return *(void *const *)p != NULL;
	return *(
		const protobuf_c_boolean *)(const void *)(base +
	                                                  f->quantifier_offset);
}

static void add_field(struct text *t, const ProtobufCMessage *m,
                      const ProtobufCFieldDescriptor *f, int depth)
{
	const char *base = (const char *)m;
	const void *p = base + f->offset;
	size_t n, i;

	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		add(t, "%s", f->name);
		add_value(t, f, p, depth);
		return;
	}
	n = *(const size_t *)(const void *)(base + f->quantifier_offset);
	for (i = 0; i < n && (i == 0 || n <= 4); i++) {
		add(t, "%s%s", i ? " " : "", f->name);
		add_value(t, f, *(const char *const *)p + i * value_size(f),
		          depth);
	}
	if (i < n)
		add(t, " (%zu of them)", n);
}

static void add_message(struct text *t, const ProtobufCMessage *m, int depth)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;
	const char *between = "";
	unsigned int i;

	for (i = 0; i < d->n_fields && depth < DEPTH_MAX; i++) {
		if (!present(m, &d->fields[i]))
			continue;
		add(t, "%s", between);
		add_field(t, m, &d->fields[i], depth);
		between = " ";
	}
}

void describe(const ProtobufCMessage *m, char *to, size_t size)
{
	struct text t = {.to = to, .size = size};

	to[0] = '\0';
	add_message(&t, m, 0);
	if (t.at >= size && size > 4)
		memcpy(to + size - 4, "...", 4);
}
