/* packed.c - see packed.h. */
#include "daemon/api/packed.h"

#include <stdlib.h>
#include <string.h>

#include "proto/rows.h"

struct packed_row {
	uint64_t pos;     /* of the slot + 1, 0: free */
	uint32_t version; /* of the policy */
	uint32_t len;
	uint8_t bytes[PACKED_BYTES];
};
_Static_assert(sizeof(struct packed_row) == 512, "packed_row");

void packed_free(struct packed *p)
{
	free(p->row[0]);
	free(p->row[1]);
	p->row[0] = p->row[1] = NULL;
}

void packed_begin(struct packed *p)
{
	p->n = 0;
	p->len = 0;
}

/* One row of the batch is used to make it. */
static bool row_make(struct packed_row *r, struct pb *b, uint64_t pos,
                     const struct event_slot *s)
{
	r->pos = 0;
	pb_event(b, s);
	r->len = (uint32_t)rows_event(r->bytes, sizeof(r->bytes), b->event[0]);
	pb_clear(b);
	if (!r->len)
		return false;
	r->version = (uint32_t)b->pol->version;
	r->pos = pos + 1;
	return true;
}

bool packed_add(struct packed *p, struct pb *b, uint64_t pos,
                const struct event_slot *s)
{
	struct packed_row **rows = &p->row[b->brief], *r;

	if (!*rows)
		*rows = calloc(PACKED_ROWS, sizeof(**rows));
	if (!*rows)
		return false;
	r = *rows + (pos & (PACKED_ROWS - 1));
	if ((r->pos != pos + 1 || r->version != (uint32_t)b->pol->version) &&
	    !row_make(r, b, pos, s))
		return false;
	memcpy(p->bytes + p->len, r->bytes, r->len);
	p->len += r->len;
	p->n++;
	return true;
}
