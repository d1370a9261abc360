/* dump.c - see dump.h. */
#include "daemon/api/dump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/api/made.h"
#include "shm/proc.h"
#include "shm/tick.h"

#define FNV_FIRST   0xcbf29ce484222325ull
#define FNV_PRIME   0x100000001b3ull
#define TRAILER_MAX 64u
#define DEPTH_MAX   16u /* masters above one: nobody makes so many */

static uint64_t fnv(uint64_t h, const uint8_t *p, size_t n)
{
	while (n--)
		h = (h ^ *p++) * FNV_PRIME;
	return h;
}

/* ---- out ---- */

int dump_begin(struct dump *d, const struct table *t, const struct policy *pol)
{
	memset(d, 0, sizeof(*d));
	d->t = t;
	d->sum = FNV_FIRST;
	return pb_init(&d->pb, t, pol);
}

void dump_end(struct dump *d)
{
	pb_free(&d->pb);
	free(d->chunk);
	free(d->child);
	free(d->expect);
	free(d->rows);
	d->chunk = NULL;
	d->child = NULL;
	d->expect = NULL;
	d->rows = NULL;
}

bool dump_over(const struct dump *d)
{
	return d->stage == DUMP_OVER;
}

static int dump_room(struct dump *d, size_t n)
{
	uint8_t *p;

	if (n <= d->room)
		return 0;
	p = realloc(d->chunk, n);
	if (!p)
		return -ENOMEM;
	d->chunk = p;
	d->room = n;
	return 0;
}

static int dump_text(struct dump *d, const char *text, size_t *len)
{
	*len = strlen(text);
	if (dump_room(d, *len))
		return -ENOMEM;
	memcpy(d->chunk, text, *len);
	return 0;
}

static int dump_message(struct dump *d, Ctshard__Add *m, size_t *len)
{
	size_t size;
	uint32_t word;

	*len = 0;
	if (!(m->n_conn + m->n_expect))
		return 0;
	m->has_restored = m->restored = 1;
	m->has_saved_ns = 1;
	m->saved_ns = d->pb.now_ns;
	size = ctshard__add__get_packed_size(m);
	if (dump_room(d, sizeof(word) + size))
		return -ENOMEM;
	word = htonl((uint32_t)size);
	memcpy(d->chunk, &word, sizeof(word));
	ctshard__add__pack(m, d->chunk + sizeof(word));
	*len = sizeof(word) + size;
	return 0;
}

static int dump_rows(struct dump *d, size_t *len)
{
	Ctshard__Add m = CTSHARD__ADD__INIT;
	size_t i, n = d->pb.resp.n_conn;

	m.n_conn = n;
	m.conn = d->pb.conn;
	m.n_parent = d->parents;
	m.parent = d->parent_list;
	/* what `wide` prints is in the private part, too */
	for (i = 0; i < n; i++)
		d->pb.conn[i]->n_detail = 0;
	d->count += n;
	return dump_message(d, &m, len);
}

/* ---- those who were announced ---- */

static bool view_of(const struct dump *d, uint64_t id, struct conn_view *v)
{
	uint32_t sh = conn_id_shard(id), idx = conn_id_idx(id);

	return sh < d->t->nshard && idx && idx < d->t->cap &&
	       conn_read(d->t, sh, idx, v) > 0 &&
	       v->conn.gen == conn_id_gen(id) && !pb_expired(&d->pb, v);
}

static uint32_t depth_of(const struct dump *d, uint64_t master)
{
	struct conn_view v;
	uint32_t n = 1;

	while (n < DEPTH_MAX && view_of(d, master, &v) && v.conn.ext &&
	       v.ext.master) {
		master = v.ext.master;
		n++;
	}
	return n;
}

static int child_add(struct dump *d, const struct conn_view *v)
{
	struct dump_child *p = d->child;
	size_t room;

	if (d->children == d->child_room) {
		room = d->child_room ? 2 * d->child_room : 256;
		p = realloc(p, room * sizeof(*p));
		if (!p)
			return -ENOMEM;
		d->child = p;
		d->child_room = room;
	}
	p[d->children].id = conn_id(v->conn.gen, v->shard, v->idx);
	p[d->children++].depth = depth_of(d, v->ext.master);
	return 0;
}

static int child_order(const void *x, const void *y)
{
	const struct dump_child *a = x, *b = y;

	return (a->depth > b->depth) - (a->depth < b->depth);
}

static int dump_walk(struct dump *d, size_t *len)
{
	struct conn_view v;
	uint32_t look;

	d->parents = 0;
	pb_begin(&d->pb);
	for (look = 0; look < CMD_LOOK && d->pb.n < DUMP_ROWS; look++) {
		if (!conn_walk(d->t, &d->walk, &v)) {
			d->stage = DUMP_CHILDREN;
			if (d->children)
				qsort(d->child, d->children, sizeof(*d->child),
				      child_order);
			break;
		}
		if (pb_expired(&d->pb, &v))
			continue;
		if (!v.conn.ext || !v.ext.master)
			pb_whole(&d->pb, &v);
		else if (child_add(d, &v))
			return -ENOMEM;
	}
	return dump_rows(d, len);
}

/* behind the row that it is for */
static void row_parent(struct dump *d, uint64_t master)
{
	Ctshard__Parent *p = &d->parent[d->parents];

	if (!pb_parent(&d->pb, master, p))
		return;
	p->has_child = 1;
	p->child = (uint32_t)d->pb.resp.n_conn - 1;
	d->parent_list[d->parents++] = p;
}

/* A message holds those of one depth: who is looked for is there already. */
static int dump_children(struct dump *d, size_t *len)
{
	const struct dump_child *c;
	struct conn_view v;
	uint32_t depth;

	d->parents = 0;
	pb_begin(&d->pb);
	if (d->next == d->children) {
		d->stage = DUMP_EXPECTED;
		d->next = 0;
		*len = 0;
		return 0;
	}
	depth = d->child[d->next].depth;
	while (d->next < d->children && d->pb.n < DUMP_ROWS) {
		c = &d->child[d->next];
		if (c->depth != depth)
			break;
		d->next++;
		if (!view_of(d, c->id, &v))
			continue;
		pb_whole(&d->pb, &v);
		if (v.conn.ext)
			row_parent(d, v.ext.master);
	}
	return dump_rows(d, len);
}

/* ---- what is expected ---- */

static int expect_order(const void *x, const void *y)
{
	const struct expect *a = x, *b = y;
	int32_t n = (int32_t)(a->info.serial - b->info.serial);

	return (n > 0) - (n < 0);
}

static int expects_read(struct dump *d)
{
	struct conn_walk w = {0, 0};

	d->expect = malloc(EXPECT_ROOM * sizeof(*d->expect));
	d->rows = malloc(sizeof(*d->rows));
	if (!d->expect || !d->rows)
		return -ENOMEM;
	while (d->expects < EXPECT_ROOM &&
	       expect_walk_all(d->t, &w, &d->expect[d->expects]))
		d->expects++;
	qsort(d->expect, d->expects, sizeof(*d->expect), expect_order);
	return 0;
}

static void expect_row(struct dump *d, const struct expect *e,
                       Ctshard__Parent *parent)
{
	int64_t left = tick_left(e->deadline, d->pb.now);
	bool key = e->info.flags & EXPECT_KEYMAP;
	struct expect_row *r = &d->rows->row[d->rows->n];

	if ((!key && left <= 0) || !pb_parent(&d->pb, e->master, parent))
		return;
	expect_rows_list(d->rows, d->pb.pol, e, left > 0 ? (uint64_t)left : 0);
	r->expect.parent = parent;
	if (!key)
		return;
	r->expect.flags = EXPECT_KEYMAP;
	r->tuple.srckey = e->info.sport;
	/* its class is where its connection is: that will be elsewhere */
	r->expect.class_ = 0;
}

static int dump_expected(struct dump *d, size_t *len)
{
	Ctshard__Add m = CTSHARD__ADD__INIT;
	int r = d->expect ? 0 : expects_read(d);
	Ctshard__Response *rows;
	uint32_t n;

	*len = 0;
	if (r)
		return r;
	if (d->next == d->expects) {
		d->stage = DUMP_TRAILER;
		return 0;
	}
	pb_begin(&d->pb);
	expect_rows_begin(d->rows);
	for (n = 0; n < DUMP_ROWS && d->next < d->expects; n++)
		expect_row(d, &d->expect[d->next++], &d->parent[n]);
	rows = expect_rows_response(d->rows);
	m.n_expect = rows->n_expect;
	m.expect = rows->expect;
	return dump_message(d, &m, len);
}

static int dump_trailer(struct dump *d, size_t *len)
{
	static const uint8_t zero[4];
	int n;

	if (dump_room(d, TRAILER_MAX))
		return -ENOMEM;
	memcpy(d->chunk, zero, sizeof(zero));
	d->sum = fnv(d->sum, zero, sizeof(zero));
	n = snprintf((char *)d->chunk + sizeof(zero),
	             TRAILER_MAX - sizeof(zero),
	             "end %" PRIu64 " %016" PRIx64 "\n", d->count, d->sum);
	*len = sizeof(zero) + (size_t)n;
	d->stage = DUMP_OVER;
	return 0;
}

int dump_next(struct dump *d, const uint8_t **at, size_t *len)
{
	int r;

	if (d->stage == DUMP_START) {
		d->stage = DUMP_WALK;
		r = dump_text(d, DUMP_HEAD, len);
	} else if (d->stage == DUMP_WALK) {
		r = dump_walk(d, len);
	} else if (d->stage == DUMP_CHILDREN) {
		r = dump_children(d, len);
	} else if (d->stage == DUMP_EXPECTED) {
		r = dump_expected(d, len);
	} else {
		*at = d->chunk;
		return dump_trailer(d, len) ? -ENOMEM : (*at = d->chunk, 0);
	}
	*at = d->chunk;
	if (!r)
		d->sum = fnv(d->sum, d->chunk, *len);
	return r;
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int dump_write(const struct table *t, const struct policy *pol, int fd)
{
	const uint8_t *at;
	struct dump d;
	size_t len;
	int r = dump_begin(&d, t, pol);

	while (!r && !dump_over(&d)) {
		r = dump_next(&d, &at, &len);
		if (!r)
			r = write_all(fd, at, len);
	}
	dump_end(&d);
	return r;
}

/* ---- back ---- */

struct file {
	const uint8_t *at;
	size_t len, pos;
};

/* The next message; false: the zero, or the end. */
static bool file_message(struct file *f, const uint8_t **at, uint32_t *len)
{
	if (f->len - f->pos < 4)
		return false;
	memcpy(len, f->at + f->pos, 4);
	*len = ntohl(*len);
	f->pos += 4;
	if (!*len || *len > f->len - f->pos)
		return false;
	*at = f->at + f->pos;
	f->pos += *len;
	return true;
}

/* Everything stands where it should, and the sum is right. */
static bool file_whole(const struct file *f)
{
	struct file g = *f;
	char want[TRAILER_MAX], got[TRAILER_MAX];
	uint64_t count = 0;
	const uint8_t *at;
	const char *text;
	uint32_t len;
	size_t n;

	while (file_message(&g, &at, &len))
		;
	n = g.len - g.pos;
	if (g.pos < 4 || memcmp(g.at + g.pos - 4, "\0\0\0\0", 4) != 0 || !n ||
	    n >= sizeof(got))
		return false;
	memcpy(got, g.at + g.pos, n);
	got[n] = '\0';
	text = strncmp(got, "end ", 4) ? NULL : got + 4;
	if (!text)
		return false;
	count = strtoull(text, NULL, 10);
	snprintf(want, sizeof(want), "end %" PRIu64 " %016" PRIx64 "\n", count,
	         fnv(FNV_FIRST, g.at, g.pos));
	return !strcmp(want, got);
}

/* One after the other: who is announced looks for who announced it. */
static int message_read(struct table *t, const struct policy *pol,
                        const Ctshard__Add *m, uint64_t *n,
                        int (*add)(struct table *t, const struct policy *pol,
                                   const struct command *k,
                                   const struct command_conn *c))
{
	struct command_conn c;
	struct command k;
	size_t i;
	int r;

	for (i = 0; i < m->n_conn; i++) {
		if (made_read(t, pol, &k, &c, m, i))
			continue;
		r = add(t, pol, &k, &c);
		if (r && r != -EEXIST && r != -EINVAL)
			return r;
		*n += !r;
	}
	for (i = 0; i < m->n_expect; i++)
		if (!made_expect(t, pol, &k, &c, m, i))
			add(t, pol, &k, &c);
	return 0;
}

static int file_read(struct table *t, const struct policy *pol, struct file *f,
                     uint64_t *n,
                     int (*add)(struct table *t, const struct policy *pol,
                                const struct command *k,
                                const struct command_conn *c))
{
	const uint8_t *at;
	Ctshard__Add *m;
	uint32_t len;
	int r = 0;

	while (!r && file_message(f, &at, &len)) {
		m = ctshard__add__unpack(NULL, len, at);
		if (!m)
			return -EBADMSG;
		r = message_read(t, pol, m, n, add);
		ctshard__add__free_unpacked(m, NULL);
	}
	return r;
}

int dump_read(struct table *t, const struct policy *pol, int fd,
              int (*add)(struct table *t, const struct policy *pol,
                         const struct command *k, const struct command_conn *c),
              uint64_t *n)
{
	const size_t head = strlen(DUMP_HEAD);
	struct file f = {.pos = head};
	struct stat st;
	void *p;
	int r = -EBADMSG;

	*n = 0;
	if (fstat(fd, &st))
		return -errno;
	if ((size_t)st.st_size <= head)
		return -EBADMSG;
	f.len = (size_t)st.st_size;
	p = mmap(NULL, f.len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	f.at = p;
	if (!memcmp(p, DUMP_HEAD, head) && file_whole(&f))
		r = file_read(t, pol, &f, n, add);
	munmap(p, f.len);
	return r;
}
