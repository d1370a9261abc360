/*
 * migrate.h - a table of an earlier layout becomes one of today's.
 *
 * Segments of the layouts listed in migrate.c are read by descriptions of what
 * they were (layout1.h), never by the structures of today, and written anew
 * beside the old ones, as NAME.mig.  What was half done stays half done, record
 * and all, and is healed by whoever heals today.
 *
 * Then all but the new table become NAME.switch, and the new table gets the
 * name of the old: this one rename() is the switch.  Killed before it, the old
 * table is whole, and the next start begins again; killed behind it, there are
 * segments that wait and no table with them, and the next start of whatever
 * version renames the rest.
 *
 * The old segments are mapped read-only and belong to nobody any more.  They
 * are data that a worker could write, so the conversion believes no number in
 * them, and the supervisor runs it in a process without privileges.
 */
#ifndef SHM_MIGRATE_H
#define SHM_MIGRATE_H

#include "shm/region.h"

struct migrate_step;

struct migration {
	const struct migrate_step *step;
	struct region_params p;     /* where it stands */
	struct region from, to;     /* old and new segments */
	void *old[SEG_COUNT];       /* mappings of the old */
	struct table t;             /* of the new */
	uint32_t major, generation; /* of the old */
	char aside[48], ready[48];  /* names of the new, before the switch */
};

/* Is there a table of a layout that can be migrated? */
bool migrate_known(const struct region_params *p);

/*
 * 0: nothing to do (nothing there, or of a layout that region_adopt() judges);
 * a switch that was cut short has been ended.  1: *m is open and the new
 * segments are there, empty.  -EBUSY: a process of the old table lives.  Else
 * -errno, err filled; the old table is as it was.
 */
int migrate_open(struct migration *m, const struct region_params *p,
                 struct region_error *err);
/* Old to new, in any process that has *m. */
int migrate_convert(struct migration *m, struct region_error *err);
/* The switch. */
int migrate_commit(struct migration *m, struct region_error *err);
/* Always, at the end: what was not committed is removed. */
void migrate_close(struct migration *m);

/* a way from an earlier layout (migrate1.c) */
struct migrate_step {
	uint32_t major;
	uint64_t layout;
	/* the old header as far as anything needs it: 0, or err filled */
	int (*params)(const void *header, uint64_t size,
	              struct region_params *p, uint32_t *generation,
	              struct region_error *err);
	/* bytes that an old segment must have */
	uint64_t (*size)(const void *header, enum segment s);
	bool (*alive)(const void *proc);
	int (*convert)(struct migration *m, struct region_error *err);
};
extern const struct migrate_step migrate_step1;

#endif
