/*
 * metrics.c - see metrics.h.
 *
 * The list of counters is that of the statistics: "packets.new" of worker 0 is
 * ctshard_packets_total{worker="0",class="new"}, so a counter that is added
 * there is here too, under the same name.  Labels are of small closed sets,
 * never an address; what is printed does not grow with the table, and nothing
 * here walks it.
 */
#include "daemon/api/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/ifaces.h"
#include "daemon/api/stats.h"
#include "shm/atomic.h"
#include "shm/clock.h"
#include "shm/proc.h"

struct metrics {
	FILE *f;
	struct api *a;
	struct stats *st;
};

/* Names with dots: what comes before the last one is a family, what follows
 * is the value of this label. */
static const struct {
	const char *prefix, *label, *help;
} groups[] = {
	{"packets", "class", "packets by class of nf_conntrack"},
	{"events", "type", "events told, and lost in a ring"},
	{"fragments", "result", "fragments and the datagrams of them"},
	{"drops", "stage", "packets and events lost, by where"},
	{"mirror", "kind", "what was repaired and seen of a mirror's faults"},
	{"shed", "kind", "packets that were tracked and not looked into"},
	{"drops.decode", "reason", "packets that are not tracked, by reason"},
};

static const struct {
	const char *name, *help;
} meanings[] = {
#define C(name, str, meaning) {str, meaning},
	COUNTERS(C)
#undef C
};

static void family(struct metrics *m, const char *name, const char *type,
                   const char *help)
{
	/* rows of the specification are for readers of the code */
	fprintf(m->f, "# HELP ctshard_%s %.*s\n# TYPE ctshard_%s %s\n", name,
	        (int)(strstr(help, " (F") ? strstr(help, " (F") - help
	                                  : (long)strlen(help)),
	        help, name, type);
}

static void gauge(struct metrics *m, const char *name, uint64_t v,
                  const char *help)
{
	family(m, name, "gauge", help);
	fprintf(m->f, "ctshard_%s %" PRIu64 "\n", name, v);
}

static void counter(struct metrics *m, const char *name, uint64_t v,
                    const char *help)
{
	family(m, name, "counter", help);
	fprintf(m->f, "ctshard_%s_total %" PRIu64 "\n", name, v);
}

/* ---- the counters of the statistics ---- */

/* Length of what stands before the last dot, 0: there is none. */
static size_t prefix_len(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? (size_t)(dot - name) : 0;
}

static bool prefix_same(const char *a, const char *b)
{
	size_t n = prefix_len(a);

	return n && n == prefix_len(b) && !strncmp(a, b, n);
}

static void family_head(struct metrics *m, const char *name, char *to,
                        size_t size, const char **label)
{
	const char *help = "a counter of the daemon";
	size_t n = prefix_len(name), i;
	char *p;

	*label = n ? "kind" : NULL;
	snprintf(to, size, "%.*s", (int)(n ? n : strlen(name)), name);
	for (i = 0; i < ARRAY_SIZE(groups); i++)
		if (n && !strcmp(groups[i].prefix, to)) {
			*label = groups[i].label;
			help = groups[i].help;
		}
	for (i = 0; i < ARRAY_SIZE(meanings); i++)
		if (!n && !strcmp(meanings[i].name, name))
			help = meanings[i].help;
	for (p = to; *p; p++)
		if (*p == '.')
			*p = '_';
	family(m, to, "counter", help);
}

static void samples(struct metrics *m, size_t at, const char *fam,
                    const char *label)
{
	const struct stats *st = m->st;
	size_t n = prefix_len(st->scope[0].name[at]), i;

	for (i = 1; i < st->n; i++) {
		const struct scope *s = &st->scope[i];

		fprintf(m->f, "ctshard_%s_total{worker=\"", fam);
		if (s->msg.worker < 0)
			fprintf(m->f, "reaper\"");
		else
			fprintf(m->f, "%d\"", s->msg.worker);
		if (label)
			fprintf(m->f, ",%s=\"%s\"", label, s->name[at] + n + 1);
		fprintf(m->f, "} %" PRIu64 "\n", s->counter[at].value);
	}
}

/* What no worker has counted. */
static bool is_gauge(const char *name)
{
	return !strcmp(name, "elapsed_ns") || !strcmp(name, "count") ||
	       !strcmp(name, "max") || !strcmp(name, "drops.subscriber");
}

static void counters(struct metrics *m)
{
	const struct scope *s = &m->st->scope[0];
	const char *label = NULL, *last = "";
	char fam[NAME_LEN] = "";
	size_t i;

	for (i = 0; i < s->msg.n_counter; i++) {
		if (is_gauge(s->name[i]))
			continue;
		if (!prefix_same(last, s->name[i]))
			family_head(m, s->name[i], fam, sizeof(fam), &label);
		last = s->name[i];
		samples(m, i, fam, label);
	}
}

/* ---- the rest ---- */

static uint64_t scope_value(const struct scope *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->msg.n_counter; i++)
		if (!strcmp(s->name[i], name))
			return s->counter[i].value;
	return 0;
}

static bool count_watching(void *arg, const struct request *q)
{
	uint64_t *n = arg;

	*n += q->watching;
	return true;
}

static void readers(struct metrics *m)
{
	uint64_t n = 0;

	requests_each(m->a, count_watching, &n);
	gauge(m, "clients", m->a->nclients, "clients of the API");
	gauge(m, "subscribers", n, "requests that follow events");
	counter(m, "subscriber_lost",
	        scope_value(&m->st->scope[0], "drops.subscriber"),
	        "events that were overwritten before a subscriber took them");
	counter(m, "log_events", m->a->merge.gseq,
	        "events in the merged log, since the table was made");
}

static void shards(struct metrics *m)
{
	const struct table *t = m->a->t;
	uint64_t repairs = 0, damaged = 0;
	uint32_t i;

	for (i = 0; i < t->nshard; i++) {
		repairs += shm_load(&t->shard[i].repairs);
		damaged += shm_load(&t->shard[i].damaged);
	}
	counter(m, "shard_repairs", repairs,
	        "operations that a dead process left half done, and that were "
	        "repaired");
	counter(m, "shard_rebuilds", damaged,
	        "shards that were rebuilt from their entries");
	gauge(m, "check_running", !shm_load(&t->hdr->check.over),
	      "1 while the check after an unclean end is under way");
	gauge(m, "check_faulty", shm_load(&t->hdr->check.faulty),
	      "shards in which that check found something wrong");
	gauge(m, "check_isolated", shm_load(&t->hdr->check.isolated),
	      "shards that it took out of use");
	gauge(m, "check_lost", shm_load(&t->hdr->check.lost),
	      "connections that it could not keep");
}

static void process_name(const struct api *a, uint32_t slot, char *to,
                         size_t size)
{
	if (slot < a->t->nworker)
		snprintf(to, size, "worker %u", slot);
	else
		snprintf(to, size, "%s",
		         slot == SLOT_REAPER     ? "reaper"
		         : slot == SLOT_RECORDER ? "recorder"
		                                 : "api");
}

enum process_figure { UP, STARTS, BEHIND };

static void process(struct metrics *m, uint32_t slot, enum process_figure what)
{
	const struct table *t = m->a->t;
	const char *name = what == UP       ? "process_up"
	                   : what == STARTS ? "process_starts_total"
	                                    : "ring_behind";
	char role[24];
	uint64_t v;

	process_name(m->a, slot, role, sizeof(role));
	if (what == UP) {
		v = proc_alive(t, slot);
	} else if (what == STARTS) {
		v = shm_load(&table_proc(t, slot)->incarnation);
	} else {
		if (slot >= NRING || !t->ring[slot].hdr)
			return;
		v = shm_load(&t->ring[slot].hdr->tail) -
		    m->a->merge.cursor[slot];
	}
	fprintf(m->f, "ctshard_%s{role=\"%s\"} %" PRIu64 "\n", name, role, v);
}

static void processes(struct metrics *m, enum process_figure what)
{
	uint32_t i;

	for (i = 0; i < m->a->t->nworker; i++)
		process(m, i, what);
	process(m, SLOT_REAPER, what);
	process(m, SLOT_API, what);
}

static void recorded(struct metrics *m)
{
	static const char *const file[RECORD_COUNT] = {"flow_log", "history"};
	static const struct {
		const char *name, *help;
		size_t at;
	} family_of[] = {
		{"recorded", "connections that ended, written to a file",
	         offsetof(struct record_figures, written)},
		{"recorded_bytes", "bytes of them",
	         offsetof(struct record_figures, bytes)},
		{"record_errors", "writes that failed, and were tried again",
	         offsetof(struct record_figures, errors)},
		{"record_lost", "events overwritten before they were recorded",
	         offsetof(struct record_figures, lost)},
	};
	const struct proc_page *p = table_proc(m->a->t, SLOT_RECORDER);
	uint64_t v;
	size_t i;
	int k;

	for (i = 0; i < ARRAY_SIZE(family_of); i++) {
		family(m, family_of[i].name, "counter", family_of[i].help);
		for (k = 0; k < RECORD_COUNT; k++) {
			memcpy(&v,
			       (const char *)&p->record[k] + family_of[i].at,
			       sizeof(v));
			fprintf(m->f,
			        "ctshard_%s_total{file=\"%s\"} %" PRIu64 "\n",
			        family_of[i].name, file[k], v);
		}
	}
}

/* ---- interfaces: what `ctctl show mirror` prints ---- */

/* A name may hold anything. */
static void iface_label(struct metrics *m, const char *name)
{
	fputs("{interface=\"", m->f);
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			fputc('\\', m->f);
		fputc(*name == '\n' ? ' ' : *name, m->f);
	}
	fputs("\"} ", m->f);
}

static void interfaces(struct metrics *m)
{
	enum { COUNT, LEVEL, SHARE, MICROS };
	static const struct {
		const char *name, *help;
		size_t at;
		int kind;
	} rows[] = {
#define X(name, kind, meaning) \
	{#name, meaning, offsetof(struct iface_row, name), kind},
		IFACE_FIGURES(X)
#undef X
	};
	struct iface_row r[STATS_IFACES];
	unsigned int n = ifaces_count(m->a), i, k;
	char name[64];

	for (i = 0; i < n; i++)
		iface_row(m->a, i, &r[i]);
	for (k = 0; k < ARRAY_SIZE(rows); k++) {
		snprintf(name, sizeof(name), "interface_%s", rows[k].name);
		family(m, name, rows[k].kind == COUNT ? "counter" : "gauge",
		       rows[k].help);
		for (i = 0; i < n; i++) {
			uint64_t v;

			memcpy(&v, (const char *)&r[i] + rows[k].at, sizeof(v));
			fprintf(m->f, "ctshard_%s%s", name,
			        rows[k].kind == COUNT ? "_total" : "");
			iface_label(m, r[i].name);
			/* of one, as is usual for ratios */
			if (rows[k].kind == SHARE)
				fprintf(m->f, "%u.%04u\n",
				        (unsigned int)(v / 10000),
				        (unsigned int)(v % 10000));
			else if (rows[k].kind == MICROS)
				fprintf(m->f, "%" PRIu64 ".%06u\n", v / 1000000,
				        (unsigned int)(v % 1000000));
			else
				fprintf(m->f, "%" PRIu64 "\n", v);
		}
	}
}

static void memory(struct metrics *m)
{
	const struct region *r = &m->a->env->region;
	uint64_t rings = 0, rest = 0;
	unsigned int i;

	for (i = 0; i < SEG_COUNT; i++)
		if (i >= SEG_RING0)
			rings += r->size[i];
		else if (i != SEG_TBL && i != SEG_MLOG)
			rest += r->size[i];
	family(m, "memory_bytes", "gauge", "memory that processes share");
	fprintf(m->f,
	        "ctshard_memory_bytes{segment=\"tbl\"} %" PRIu64 "\n"
	        "ctshard_memory_bytes{segment=\"mlog\"} %" PRIu64 "\n"
	        "ctshard_memory_bytes{segment=\"ev\"} %" PRIu64 "\n"
	        "ctshard_memory_bytes{segment=\"rest\"} %" PRIu64 "\n",
	        (uint64_t)r->size[SEG_TBL], (uint64_t)r->size[SEG_MLOG], rings,
	        rest);
	gauge(m, "huge_bytes", shm_load(&m->a->t->hdr->huge_bytes),
	      "bytes of the table in huge pages");
}

static void print(struct metrics *m)
{
	const struct scope *total = &m->st->scope[0];
	uint64_t ns = scope_value(total, "elapsed_ns");

	family(m, "build", "info", "the program");
	fprintf(m->f, "ctshard_build_info{version=\"" VERSION "\"} 1\n");
	gauge(m, "connections", scope_value(total, "count"),
	      "connections in the table");
	gauge(m, "connections_max", scope_value(total, "max"),
	      "connections that there is room for");
	family(m, "elapsed_seconds", "gauge",
	       "since the start; from a capture, until its end");
	fprintf(m->f, "ctshard_elapsed_seconds %" PRIu64 ".%03u\n",
	        (uint64_t)(ns / NS_PER_S),
	        (unsigned)(ns % NS_PER_S / NS_PER_MS));
	counters(m);
	readers(m);
	shards(m);
	family(m, "process_up", "gauge", "1 while the process lives");
	processes(m, UP);
	family(m, "process_starts", "counter", "how often it was started");
	processes(m, STARTS);
	family(m, "ring_behind", "gauge",
	       "cells that the merged log has not taken yet");
	processes(m, BEHIND);
	recorded(m);
	interfaces(m);
	memory(m);
	fputs("# EOF\n", m->f);
}

char *metrics_text(struct api *a, size_t *len)
{
	struct metrics m = {.a = a};
	char *text = NULL;
	bool bad;

	m.st = calloc(1, sizeof(*m.st));
	m.f = m.st ? open_memstream(&text, len) : NULL;
	if (!m.f) {
		free(m.st);
		return NULL;
	}
	stats_make(m.st, a, true);
	print(&m);
	bad = ferror(m.f);
	bad |= fclose(m.f) != 0;
	free(m.st);
	if (!bad)
		return text;
	free(text);
	return NULL;
}
