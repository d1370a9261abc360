/* segment.h - what region.c and map.c share. */
#ifndef SHM_SEGMENT_H
#define SHM_SEGMENT_H

#include "shm/region.h"

/* fills err and returns r */
int region_refuse(struct region_error *err, int r, int exit_code,
                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* "tbl", "ev.3" */
void region_seg_name(enum segment s, char *buf, size_t len);

/* names of what migrate.c has in hand, behind the table's own */
#define REGION_ASIDE  ".mig"
#define REGION_SWITCH ".switch"

/* the header's sum, after a change */
void region_seal(struct tbl_header *h);
/* the keys of another table; roles map them read-only */
int region_write_keys(const struct region *r, const void *keys, size_t len,
                      struct region_error *err);

/* no descriptors */
void region_init(struct region *r);

#endif
