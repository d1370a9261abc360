/*
 * region.h - the segments as files or private memory: made, adopted, mapped.
 *
 * Files are `shm_dir`/ctshardd.<8 hex>.{tbl,proc,ev.N,mlog,pol,key}, made under
 * a temporary name, filled, allocated and then renamed, so that no half-made
 * segment is ever seen.  The supervisor holds file descriptors of all of them
 * and hands each role those that it needs, by number, over exec; no role
 * needs a path.
 */
#ifndef SHM_REGION_H
#define SHM_REGION_H

#include "shm/table.h"

enum segment {
	SEG_TBL,
	SEG_PROC,
	SEG_MLOG,
	SEG_POL,
	SEG_KEY,
	SEG_RING0,
	SEG_COUNT = SEG_RING0 + NRING
};

struct region_params {
	const char *dir;  /* NULL: private memory (memfd) */
	const char *name; /* "ctshardd.0123abcd" */
	uint32_t max;     /* connections to make room for, > 0 */
	uint32_t nworker;
	uint64_t ring_bytes; /* of each ring; rounded down to a power of two */
	uint64_t log_bytes;
	bool detail;
	enum clock_mode clock_mode;
	uint64_t source_id; /* identifies the captures, 0 live */
};

struct region {
	int fd[SEG_COUNT];    /* -1: not held */
	int fd_ro[SEG_COUNT]; /* read-only twins, for the api */
	uint64_t size[SEG_COUNT];
	/* The header when it was made or judged; roles get it from the
	 * supervisor and map by it: what stands in the segment may be written
	 * by any of them. */
	struct tbl_header head;
};
/* for the text of region_export() */
#define REGION_TEXT (SEG_COUNT * 16 + 2 * sizeof(struct tbl_header) + 16)

/* what a role writes */
enum region_access {
	REGION_WORKER,
	REGION_REAPER,
	REGION_API,
	REGION_RECORDER,
	REGION_SUPERVISOR,
	REGION_ALL, /* tests */
	REGION_COPY /* private pages: nothing is changed */
};

/* Why a region was refused: exit code of ctshardd (1, 4) and a message that
 * names both values. */
struct region_error {
	int exit_code;
	char text[256];
};

/* Bytes that a table of these parameters takes, by segment; for the memory
 * plan. */
void region_plan(const struct region_params *p, uint64_t size[SEG_COUNT]);
/* what of the table's segment has memory from the start */
uint64_t region_at_once(const struct region_params *p);
/* and the memory that one table of `max` needs for IPv4 / IPv6 connections */
uint64_t region_bytes_per_conn(const struct region_params *p, bool v6);

/* All -errno or 0, err filled. */
int region_create(struct region *r, const struct region_params *p,
                  struct region_error *err);
/* Opens what stands there; -ENOENT: nothing does.  Refuses another layout,
 * version, boot, a cut file (exit 4). */
int region_adopt(struct region *r, const struct region_params *p,
                 struct region_error *err);
/* Opens what stands there only to look at it, for REGION_COPY: nothing is
 * written, another boot's and any captures' are accepted. */
int region_inspect(struct region *r, const struct region_params *p,
                   struct region_error *err);
/* Renames what stands there to *.bad. */
int region_set_aside(const struct region_params *p, struct region_error *err);
/* Deletes all files of that name; returns how many. */
int region_remove(const char *dir, const char *name);
void region_close(struct region *r);

/* "tbl=5,proc=6,...,head=HEX" of the descriptors that a role with `access` gets
 * and the header, and back.  The exporting side clears CLOEXEC of exactly
 * those. */
int region_export(const struct region *r, enum region_access access, char *buf,
                  size_t len);
int region_import(struct region *r, const char *text);

/* Maps for a role; `slot` is its own process slot.  `t` is zeroed first. */
int region_map(const struct region *r, struct table *t,
               enum region_access access, uint32_t slot,
               struct region_error *err);
void region_unmap(struct table *t);

/* Huge pages for the table, where the kernel gives them: the next `steps` of
 * 2 MiB from *at; *got grows by the bytes that got any.  False: it was the
 * end.  A step takes up to some milliseconds. */
bool region_collapse(struct table *t, unsigned int steps, uint64_t *at,
                     uint64_t *got);

/* a table in ordinary memory: for tests, benchmarks and fuzzing; `nring`
 * rings.  NULL: no memory. */
struct table *region_memory(const struct region_params *p);
void region_memory_free(struct table *t);

#endif
