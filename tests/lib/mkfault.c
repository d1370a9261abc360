/*
 * mkfault.c - plant a fault in a table that lies there.
 *
 *	mkfault FILE.tbl KIND [SHARD]
 *
 * in the first shard that can have it, or in that one, and print what `ctctl
 * check` is to say of it ("I3"), and how many connections the mending may cost.
 * Exits with 3 if no shard can have it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/tracker/key.h"
#include "shm/table.h"

struct place {
	struct table t; /* its keys alone */
	struct tbl_header *h;
	char *m;
	struct shard *q;
	struct line *line;
	char *entry;
	uint32_t *chk;
	struct conn_ext *ext;
	uint32_t sh;
	uint32_t word[512], where[512], n; /* of its index */
};

static void *area(const struct place *p, enum area a, size_t size)
{
	return p->m + p->h->off[a] + p->sh * size;
}

static void shard_at(struct place *p, uint32_t sh)
{
	uint32_t b, i;

	p->sh = sh;
	p->q = area(p, AREA_SHARD, sizeof(struct shard));
	p->line = area(p, AREA_LINE, p->h->nline * sizeof(struct line));
	p->entry = area(p, AREA_CONN, p->h->cap * table_stride(p->h->detail));
	p->chk = area(p, AREA_CHK, p->h->cap * sizeof(uint32_t));
	p->ext = area(p, AREA_EXT, p->h->cap * sizeof(struct conn_ext));
	p->n = 0;
	for (b = 0; b < p->h->nline; b++)
		for (i = 0; i < LINE_SLOTS && p->n < 512; i++)
			if (p->line[b].slot[i]) {
				p->where[p->n] = b << 4 | i;
				p->word[p->n++] = p->line[b].slot[i];
			}
}

static uint32_t *slot_of(const struct place *p, uint32_t n)
{
	return &p->line[p->where[n] >> 4].slot[p->where[n] & 15];
}

static struct conn *conn_at(const struct place *p, uint32_t idx)
{
	char *at = p->entry + (size_t)idx * table_stride(p->h->detail);

	return (struct conn *)(void *)at;
}

static struct conn *conn_of(const struct place *p, uint32_t n)
{
	return conn_at(p, p->word[n] & SLOT_IDX);
}

/* ---- the faults: false if this shard cannot have it ---- */

static bool wild_word(struct place *p)
{
	/* one that nobody has used */
	if (p->q->bump[0] > p->q->bump[1])
		return false;
	*slot_of(p, 0) = (p->word[0] & SLOT_TAG) | p->q->bump[0];
	return true;
}

static bool lost_word(struct place *p)
{
	*slot_of(p, 0) = 0;
	return true;
}

static bool odd_seq(struct place *p)
{
	conn_of(p, 0)->seq |= 1;
	return true;
}

static bool dead_entry(struct place *p)
{
	conn_of(p, 0)->status &= ~CONN_LIVE;
	return true;
}

/* One that belongs to another shard: of those that do not, nobody can tell. */
static bool other_key(struct place *p)
{
	struct conn *c = conn_of(p, 0);
	struct conn_key k = c->key;
	uint32_t i;

	for (i = 1; i < 64 && !(k.flags & KEY_V6); i++) {
		k.addr[0] = c->key.addr[0] ^ i * 0x5a5a5a5bu;
		if (key_home(&p->t, &k, NULL) != p->sh) {
			c->key = k;
			return true;
		}
	}
	return false;
}

static bool word_twice(struct place *p)
{
	uint32_t b = p->where[0] >> 4, i;

	for (i = 0; i < LINE_SLOTS; i++)
		if (!p->line[b].slot[i]) {
			p->line[b].slot[i] = p->word[0];
			return true;
		}
	return false;
}

static bool free_circle(struct place *p)
{
	uint32_t idx = p->q->free_head[0];

	/* none has ended here, or its place was taken: one that nobody used */
	if (!idx && p->q->bump[0] <= p->q->bump[1]) {
		idx = p->q->bump[0]++;
		p->q->free_head[0] = p->q->free_tail[0] = idx;
	}
	conn_at(p, idx)->ext = idx;
	return idx != 0;
}

static bool free_live(struct place *p)
{
	p->q->free_head[0] = p->word[0] & SLOT_IDX;
	p->q->free_tail[0] = p->q->free_head[0];
	return true;
}

static bool bounds(struct place *p)
{
	p->q->bump[0] = 0x7fffffff;
	return true;
}

static bool count(struct place *p)
{
	p->q->count += 7;
	return true;
}

static bool line_circle(struct place *p)
{
	p->line[0].next = p->h->nbucket;
	p->line[p->h->nbucket].next = p->h->nbucket;
	return true;
}

static bool line_wild(struct place *p)
{
	p->line[1].next = 0xfffffff0;
	return true;
}

static bool chk_late(struct place *p)
{
	uint32_t idx = p->word[0] & SLOT_IDX;

	p->chk[idx] = conn_at(p, idx)->deadline + 1000000;
	return true;
}

static bool chk_none(struct place *p)
{
	p->chk[p->word[0] & SLOT_IDX] = 0;
	return true;
}

static bool under_way(struct place *p)
{
	p->q->op = 77;
	p->q->op_owner = 9999;
	p->q->lock = 0;
	return true;
}

static bool ext_wild(struct place *p)
{
	/* what stands in a record is lost with the way to it */
	if (conn_of(p, 0)->ext)
		return false;
	conn_of(p, 0)->ext = p->h->cap - 1;
	return true;
}

/* What no mending repairs: an entry that is in order and has nowhere to be. */
static bool noise(struct place *p)
{
	uint64_t r = 88172645463325252ull;
	uint8_t *b = (uint8_t *)p->q;
	size_t i;

	for (i = 64; i < sizeof(*p->q); i++) {
		r ^= r << 13;
		r ^= r >> 7;
		r ^= r << 17;
		b[i] = (uint8_t)r;
	}
	p->q->isolated = 0;
	b = (uint8_t *)p->line;
	for (i = 0; i < p->h->nline * sizeof(struct line); i++) {
		r ^= r << 13;
		r ^= r >> 7;
		r ^= r << 17;
		b[i] = (uint8_t)r;
	}
	return true;
}

/* FAULT(kind, letter of the check, connections that it may cost) */
#define FAULTS(F)               \
	F(wild_word, "I1", 0)   \
	F(lost_word, "I5", 0)   \
	F(odd_seq, "I2", 1)     \
	F(dead_entry, "I2", 1)  \
	F(other_key, "I2", 1)   \
	F(word_twice, "I3", 0)  \
	F(free_circle, "I5", 0) \
	F(free_live, "I5", 0)   \
	F(bounds, "I5", 0)      \
	F(count, "I6", 0)       \
	F(line_circle, "I7", 0) \
	F(line_wild, "I7", 0)   \
	F(chk_late, "I8", 0)    \
	F(chk_none, "I8", 0)    \
	F(under_way, "I9", 0)   \
	F(ext_wild, "I10", 0)   \
	F(noise, "I", 0)

static const struct {
	const char *kind;
	bool (*plant)(struct place *p);
	const char *letter;
	unsigned int cost;
} faults[] = {
#define F(kind, letter, cost) {#kind, kind, letter, cost},
	FAULTS(F)
#undef F
};

static bool table_open(const char *path, struct place *p)
{
	int fd = open(path, O_RDWR);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return false;
	p->m = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
	            MAP_SHARED, fd, 0);
	close(fd);
	p->h = (struct tbl_header *)(void *)p->m;
	return p->m != MAP_FAILED && p->h->magic == TBL_MAGIC;
}

/* FILE.tbl stands beside FILE.key */
static bool keys_read(const char *path, struct place *p)
{
	char name[4096];
	size_t n = strlen(path);
	bool ok;
	int fd;

	if (n < 4 || n >= sizeof(name))
		return false;
	memcpy(name, path, n + 1);
	memcpy(name + n - 3, "key", 3);
	fd = open(name, O_RDONLY);
	ok = fd >= 0 &&
	     read(fd, &p->t.key, sizeof(p->t.key)) == (ssize_t)sizeof(p->t.key);
	if (fd >= 0)
		close(fd);
	return ok;
}

int main(int argc, char *argv[])
{
	static struct place p;
	uint32_t sh, from = 0, to;
	size_t i;

	for (i = 0; argc == 2 && i < ARRAY_SIZE(faults); i++)
		puts(faults[i].kind);
	if (argc != 3 && argc != 4)
		return argc == 2 ? 0 : 2;
	if (!table_open(argv[1], &p) || !keys_read(argv[1], &p)) {
		perror(argv[1]);
		return 1;
	}
	to = p.h->nshard;
	if (argc == 4) {
		from = (uint32_t)strtoul(argv[3], NULL, 10);
		to = from < to ? from + 1 : from;
	}
	for (i = 0; i < ARRAY_SIZE(faults); i++)
		for (sh = from; !strcmp(faults[i].kind, argv[2]) && sh < to;
		     sh++) {
			shard_at(&p, sh);
			if (!p.n || !faults[i].plant(&p))
				continue;
			printf("%s %u\n", faults[i].letter, faults[i].cost);
			return 0;
		}
	return 3;
}
