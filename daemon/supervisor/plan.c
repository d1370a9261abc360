/* plan.c - see plan.h. */
#include "daemon/supervisor/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "daemon/base/defaults.h"
#include "daemon/source/tap.h"
#include "shm/segment.h"

static uint64_t fnv(uint64_t h, uint64_t v)
{
	int i;

	for (i = 0; i < 8; i++, v >>= 8)
		h = (h ^ (v & 0xff)) * 0x100000001b3ull;
	return h;
}

int plan_source_id(const struct options *o, uint64_t *id, char *err)
{
	uint64_t h = 0xcbf29ce484222325ull;
	struct stat st;
	unsigned int i;

	*id = 0;
	for (i = 0; i < o->ncaptures; i++) {
		if (stat(o->captures[i], &st)) {
			snprintf(err, PLAN_ERR, "%.400s: %s", o->captures[i],
			         strerror(errno));
			return -1;
		}
		h = fnv(fnv(fnv(h, st.st_dev), st.st_ino),
		        (uint64_t)st.st_size);
	}
	if (o->ncaptures)
		*id = h ? h : 1;
	return 0;
}

static uint64_t memory_available(void)
{
	static const char word[] = "MemAvailable:";
	FILE *f = fopen("/proc/meminfo", "re");
	uint64_t kib = 0;
	char line[256];

	while (f && !kib && fgets(line, sizeof(line), f))
		if (!strncmp(line, word, strlen(word)))
			kib = strtoull(line + strlen(word), NULL, 10);
	if (f)
		fclose(f);
	return kib << 10;
}

uint64_t plan_available(const struct region_params *p)
{
	uint64_t free_bytes = memory_available(), fs;
	struct statvfs vfs;

	if (p->dir && !statvfs(p->dir, &vfs)) {
		fs = (uint64_t)vfs.f_bavail * vfs.f_frsize;
		if (fs < free_bytes)
			free_bytes = fs;
	}
	return free_bytes;
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && !strcmp(s + n - m, tail);
}

/* No frame makes more than one connection; UINT64_MAX: nobody knows (a pipe).
 */
static uint64_t captures_frames(const struct options *o)
{
	uint64_t bytes = 0, n;
	struct stat st;
	unsigned int i;

	for (i = 0; i < o->ncaptures; i++) {
		if (stat(o->captures[i], &st) || !S_ISREG(st.st_mode))
			return UINT64_MAX;
		n = (uint64_t)st.st_size;
		if (ends_with(o->captures[i], ".gz") ||
		    ends_with(o->captures[i], ".zst"))
			n *= CAPTURE_RATIO;
		bytes += n;
	}
	return o->ncaptures ? bytes / MIN_CAPTURE_RECORD + 64 : UINT64_MAX;
}

static uint32_t max_of_memory(const struct options *o, struct region_params *p)
{
	uint64_t n, frames = captures_frames(o);

	/* bytes a connection hardly depend on the size: ask for a large one */
	p->max = 1u << 20;
	/* half of what is free: the other half is for what the machine does
	 * besides */
	n = plan_available(p) / 2 / region_bytes_per_conn(p, true);
	if (n > frames)
		n = frames;
	if (n > MAX_CONNECTIONS - 1)
		n = MAX_CONNECTIONS - 1;
	return n < MIN_CAPTURE_CONNECTIONS ? MIN_CAPTURE_CONNECTIONS
	                                   : (uint32_t)n;
}

int plan_region(const struct options *o, const struct conf *c, const char *name,
                struct region_params *p, char *err)
{
	memset(p, 0, sizeof(*p));
	p->dir = o->private_instance ? NULL : conf_text(c, "shm_dir");
	p->name = name;
	p->nworker = (uint32_t)conf_number(c, "workers");
	p->ring_bytes = conf_number(c, "event.ring");
	p->log_bytes = conf_number(c, "event.log");
	p->detail = conf_on(c, "detail");
	p->clock_mode = o->ncaptures ? CLOCK_CAPTURE : CLOCK_LIVE;
	p->max = (uint32_t)conf_number(c, "max");
	if (!p->max)
		p->max = max_of_memory(o, p);
	return plan_source_id(o, &p->source_id, err);
}

uint64_t plan_capture(const struct options *o, const struct conf *c)
{
	return (uint64_t)tap_bytes((int)conf_number(c, "capture.buffer"),
	                           (int)conf_number(c, "snaplen")) *
	       conf_number(c, "workers") * o->nifaces;
}

void plan_print(const struct region_params *p, uint64_t capture, FILE *to)
{
	uint64_t size[SEG_COUNT], sum = 0;
	char name[16];
	unsigned int s;

	region_plan(p, size);
	fprintf(to,
	        "memory for %u connections, %" PRIu64 " bytes each (IPv4), "
	        "%" PRIu64 " (IPv6)\n",
	        p->max, region_bytes_per_conn(p, false),
	        region_bytes_per_conn(p, true));
	for (s = 0; s < SEG_COUNT; s++) {
		if (!size[s])
			continue;
		if (s == SEG_TBL)
			size[s] = region_at_once(p);
		region_seg_name((enum segment)s, name, sizeof(name));
		fprintf(to, "%-8s %12" PRIu64 "\n", name, size[s]);
		sum += size[s];
	}
	if (capture)
		fprintf(to, "%-8s %12" PRIu64 "\n", "capture", capture);
	fprintf(to, "%-8s %12" PRIu64 "\n", "sum", sum + capture);
}
