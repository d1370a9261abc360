/*
 * mkscribble.c - a process with a role's rights that has gone mad.
 *
 *	mkscribble PREFIX WHO SEED WRITES
 *
 * WHO worker: maps what a worker may write (table, process pages, rings) of the
 * segments PREFIX.*; api: the merged log with its commands, process pages.
 * WRITES values go to places and of kinds that a seed decides: headers, locks
 * and records as often as whole arrays; noise, small numbers, all ones, a bit
 * of what was there, a word from elsewhere.  A word that names a living lock
 * holder is not made up: who does that has the holder killed, which is so
 * intended.  Nor are beats written: a role that runs away must be seen.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shm/layout.h"

#define SEGMENTS 80

struct seg {
	uint8_t *at;
	size_t len;
	enum { TBL, PROC, RING, MLOG } kind;
};

static struct seg seg[SEGMENTS];
static int nseg;
static uint64_t state;

static uint64_t noise(void)
{
	state += 0x9e3779b97f4a7c15ull;
	uint64_t z = state;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static int kind_of(const char *name)
{
	if (!strcmp(name, "tbl"))
		return TBL;
	if (!strcmp(name, "proc"))
		return PROC;
	if (!strcmp(name, "mlog"))
		return MLOG;
	return !strncmp(name, "ev.", 3) ? RING : -1;
}

static int wanted(int kind, int api)
{
	return kind >= 0 && (kind == PROC || (kind == MLOG) == api);
}

static void map(const char *prefix, const char *name, int kind)
{
	char path[512];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s.%s", prefix, name);
	fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &st) || nseg == SEGMENTS)
		return;
	seg[nseg].len = (size_t)st.st_size;
	seg[nseg].kind = (unsigned int)kind;
	seg[nseg].at = mmap(NULL, seg[nseg].len, PROT_READ | PROT_WRITE,
	                    MAP_SHARED, fd, 0);
	if (seg[nseg].at != MAP_FAILED)
		nseg++;
	close(fd);
}

static void map_all(const char *prefix, int api)
{
	char dir[512];
	const char *base = strrchr(prefix, '/') + 1, *name;
	struct dirent *d;
	DIR *dp;

	snprintf(dir, sizeof(dir), "%.*s", (int)(base - prefix), prefix);
	dp = opendir(dir);
	while (dp && (d = readdir(dp))) {
		name = d->d_name + strlen(base);
		if (!strncmp(d->d_name, base, strlen(base)) && *name == '.' &&
		    wanted(kind_of(name + 1), api))
			map(prefix, name + 1, kind_of(name + 1));
	}
	if (dp)
		closedir(dp);
}

/* the part of a segment that is written: its head, one of its arrays, or any */
static size_t place(const struct seg *s)
{
	const struct tbl_header *h = (const void *)s->at;
	static uint64_t off[AREA_COUNT];
	size_t n;

	switch (s->kind) {
	case TBL:
		/* before somebody has written over them */
		if (!off[AREA_SHARD])
			memcpy(off, h->off, sizeof(off));
		switch (noise() % 6) {
		case 0:
			return noise() % sizeof(*h);
		case 1:
			return off[AREA_SHARD] +
			       noise() % (NSHARD * sizeof(struct shard));
		case 2:
			return off[AREA_EXPECT] +
			       noise() % sizeof(struct expect_area);
		default:
			n = noise() % AREA_COUNT;
			return off[n] + noise() % (s->len - off[n]);
		}
	case PROC:
		return noise() % (SLOT_SUPER + 1) * PAGE +
		       noise() % sizeof(struct proc_page);
	case RING:
		return noise() %
		       (noise() & 1 ? sizeof(struct ring_header) : s->len);
	default:
		return noise() %
		       (noise() & 1 ? sizeof(struct mlog_header) : s->len);
	}
}

static uint64_t value(const struct seg *s, const uint8_t *was)
{
	uint64_t v;

	memcpy(&v, was, sizeof(v));
	switch (noise() % 8) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	case 2:
		return noise() % 300;
	case 3:
		return v ^ 1ull << noise() % 64;
	case 4:
		return v + noise() % 5 - 2;
	case 5:
		memcpy(&v, s->at + noise() % (s->len / 8) * 8, sizeof(v));
		return v;
	case 6:
		return noise() >> noise() % 64;
	default:
		return noise();
	}
}

/* what would have an innocent one killed, or hide a guilty one */
static int spared(const struct seg *s, size_t at)
{
	size_t in = at % PAGE;

	if (s->kind == PROC)
		return in / 8 == offsetof(struct proc_page, beat) / 8 ||
		       in / 8 == offsetof(struct proc_page, token) / 8;
	return 0;
}

/* a lock word that names a slot in which somebody may live */
static int names_holder(const struct seg *s, size_t at, uint64_t v)
{
	const struct tbl_header *h = (const void *)s->at;
	static uint64_t shards, expect;
	uint32_t slot = (uint32_t)(v & 0xff) - 1;

	if (s->kind != TBL)
		return 0;
	if (!shards) {
		shards = h->off[AREA_SHARD];
		expect = h->off[AREA_EXPECT];
	}
	return (at == expect ||
	        (at >= shards && at < shards + NSHARD * sizeof(struct shard) &&
	         (at - shards) % sizeof(struct shard) == 0)) &&
	       (slot < 2 || slot == SLOT_REAPER);
}

static void scribble(void)
{
	const struct seg *s = &seg[noise() % (unsigned int)nseg];
	size_t at = place(s) & ~7ull, n = 1u << noise() % 4;
	uint64_t v, word;
	uint8_t *to = s->at + at, in;

	if (at + 8 > s->len || spared(s, at))
		return;
	in = (uint8_t)(noise() % (8 / n) * n);
	v = value(s, to);
	memcpy(&word, to, sizeof(word));
	memcpy((uint8_t *)&word + in, &v, n);
	if (!names_holder(s, at, word))
		memcpy(to + in, (uint8_t *)&word + in, n);
}

int main(int argc, char *argv[])
{
	const struct timespec nap = {0, 1000000};
	unsigned long i, n;

	if (argc != 5 || !strchr(argv[1], '/'))
		return 2;
	map_all(argv[1], !strcmp(argv[2], "api"));
	state = strtoull(argv[3], NULL, 10);
	n = strtoul(argv[4], NULL, 10);
	if (!nseg)
		return 1;
	for (i = 0; i < n; i++) {
		scribble();
		if (i % 256 == 255)
			nanosleep(&nap, NULL);
	}
	printf("%lu values in %d segments\n", n, nseg);
	return 0;
}
