/*
 * cmd_show.c - show: small tables of text about the daemon itself.
 *
 * The answers are columns and cells, so a new thing to show needs no new
 * message.  Each is made by one function; a word that is none of them is the
 * key of a setting.
 */
#include "daemon/api/cmd.h"

#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/api/ifaces.h"
#include "daemon/helper/helper.h"
#include "daemon/tracker/tracker.h"
#include "shm/atomic.h"
#include "shm/clock.h"
#include "shm/proc.h"

/* rows a message: a table of many goes in several of the same name */
#define SHOW_ROWS    128u
#define SHOW_COLUMNS 32u
#define SHOW_TEXT    (64u << 10)

struct sheet {
	struct request *q;
	Ctshard__Table msg;
	Ctshard__Table__Row row[SHOW_ROWS];
	Ctshard__Table__Row *rows[SHOW_ROWS];
	char *cell[SHOW_ROWS][SHOW_COLUMNS];
	char *column[SHOW_COLUMNS];
	char *name;
	size_t used;
	char text[SHOW_TEXT];
};

static char *sheet_text(struct sheet *s, const char *text)
{
	size_t n = strlen(text) + 1;
	char *at = s->text + s->used;

	if (n > SHOW_TEXT - s->used)
		return s->text + SHOW_TEXT - 1;
	memcpy(at, text, n);
	s->used += n;
	return at;
}

/* `columns`: "worker pid state" */
static void sheet_begin(struct sheet *s, const char *name, const char *columns)
{
	char word[32];
	size_t n;

	s->used = 0;
	s->text[SHOW_TEXT - 1] = '\0';
	ctshard__table__init(&s->msg);
	s->msg.name = sheet_text(s, name);
	s->msg.column = s->column;
	s->msg.row = s->rows;
	while (*columns && s->msg.n_column < SHOW_COLUMNS) {
		n = strcspn(columns, " ");
		snprintf(word, sizeof(word), "%.*s", (int)n, columns);
		s->column[s->msg.n_column++] = sheet_text(s, word);
		columns += n;
		columns += *columns == ' ';
	}
}

static void sheet_send(struct sheet *s)
{
	Ctshard__Response r = CTSHARD__RESPONSE__INIT;
	Ctshard__Table *list[1] = {&s->msg};

	r.n_table = 1;
	r.table = list;
	request_send(s->q, &r);
}

/* Sends what is full and goes on with the same columns. */
static void sheet_flush(struct sheet *s)
{
	unsigned int i;
	char columns[SHOW_COLUMNS * 24] = "", name[32];
	size_t at = 0;

	for (i = 0; i < s->msg.n_column && at < sizeof(columns); i++)
		at += (size_t)snprintf(columns + at, sizeof(columns) - at,
		                       "%s%s", i ? " " : "", s->column[i]);
	snprintf(name, sizeof(name), "%s", s->msg.name);
	sheet_send(s);
	sheet_begin(s, name, columns);
}

static void sheet_row(struct sheet *s)
{
	Ctshard__Table__Row *r;

	if (s->msg.n_row == SHOW_ROWS || s->used > SHOW_TEXT / 2)
		sheet_flush(s);
	r = &s->row[s->msg.n_row];
	ctshard__table__row__init(r);
	r->cell = s->cell[s->msg.n_row];
	s->rows[s->msg.n_row++] = r;
}

__attribute__((format(printf, 2, 3))) static void
sheet_cell(struct sheet *s, const char *fmt, ...)
{
	Ctshard__Table__Row *r = s->rows[s->msg.n_row - 1];
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (r->n_cell < SHOW_COLUMNS)
		r->cell[r->n_cell++] = sheet_text(s, text);
}

static void sheet_pair(struct sheet *s, const char *name, const char *value)
{
	sheet_row(s);
	sheet_cell(s, "%s", name);
	sheet_cell(s, "%s", value);
}

/* ---- the tables ---- */

/* Processors that it may use, as worker.cpus would say it; "any": all. */
static void show_cpus(struct sheet *s, uint32_t pid)
{
	char text[256] = "";
	size_t at = 0;
	cpu_set_t set;
	int i, to;

	if (sched_getaffinity((pid_t)pid, sizeof(set), &set) ||
	    CPU_COUNT(&set) >= sysconf(_SC_NPROCESSORS_ONLN)) {
		sheet_cell(s, "any");
		return;
	}
	for (i = 0; i < CPU_SETSIZE && at < sizeof(text); i = to + 1) {
		to = i;
		if (!CPU_ISSET((size_t)i, &set))
			continue;
		while (to + 1 < CPU_SETSIZE && CPU_ISSET((size_t)to + 1, &set))
			to++;
		at += (size_t)snprintf(text + at, sizeof(text) - at,
		                       to > i ? "%s%d-%d" : "%s%d",
		                       at ? "," : "", i, to);
	}
	sheet_cell(s, "%s", text);
}

/* processor time lately, where it may run, what of its capture buffer waits */
static void show_load(struct sheet *s, uint32_t slot)
{
	const struct api *a = s->q->api;
	const struct proc_page *p = table_proc(a->t, slot);
	uint32_t use = proc_cpu_use(a->t, slot);

	sheet_cell(s, "%u.%u%%", use / 10, use % 10);
	show_cpus(s, p->pid);
	if (slot < a->t->nworker && a->env->live)
		sheet_cell(s, "%u%%", shm_load(&p->fill));
	else
		sheet_cell(s, "%s", "");
}

static void show_proc(struct sheet *s, uint32_t slot, const char *name)
{
	static const char *const states[] = {"none", "starting", "ready"};
	const struct api *a = s->q->api;
	const struct proc_page *p = table_proc(a->t, slot);
	const struct event_ring *g = slot < NRING ? &a->t->ring[slot] : NULL;
	uint32_t state = shm_load(&p->state), i;

	sheet_row(s);
	sheet_cell(s, "%s", name);
	sheet_cell(s, "%u", p->pid);
	sheet_cell(s, "%s",
	           !proc_alive(a->t, slot)      ? "dead"
	           : state < ARRAY_SIZE(states) ? states[state]
	                                        : "unknown");
	sheet_cell(s, "%u", p->incarnation);
	if (!g || !g->hdr) {
		for (i = 0; i < 5; i++)
			sheet_cell(s, "%s", "");
		show_load(s, slot);
		return;
	}
	sheet_cell(s, "%" PRIu64, shm_load(&g->hdr->counter[CTR_FRAMES]));
	sheet_cell(s, "%" PRIu64,
	           shm_load(&g->hdr->tail) - a->merge.cursor[slot]);
	sheet_cell(s, "%u", g->mask + 1);
	sheet_cell(s, "%" PRIu64, a->merge.lost[slot]);
	sheet_cell(s, "%s",
	           slot >= a->t->nworker           ? ""
	           : shm_load(&g->hdr->ended) == 2 ? "broken"
	           : shm_load(&g->hdr->ended)      ? "ended"
	                                           : "running");
	show_load(s, slot);
	sheet_cell(s, "%u%%",
	           (unsigned int)((shm_load(&g->hdr->tail) -
	                           a->merge.cursor[slot]) *
	                          100 / (g->mask + 1ull)));
}

static void show_workers(struct sheet *s)
{
	char name[24];
	uint32_t i;

	proc_cpu(s->q->api->env->t); /* its own */
	sheet_begin(s, "workers",
	            "role pid state starts frames behind ring lost capture cpu "
	            "cpus buffer ring_fill");
	for (i = 0; i < s->q->api->t->nworker; i++) {
		snprintf(name, sizeof(name), "worker %u", i);
		show_proc(s, i, name);
	}
	show_proc(s, SLOT_REAPER, "reaper");
	show_proc(s, SLOT_API, "api");
}

static void show_recorder(struct sheet *s)
{
	static const char *const key[RECORD_COUNT] = {"flow_log", "history"};
	const struct api *a = s->q->api;
	const struct proc_page *p = table_proc(a->t, SLOT_RECORDER);
	const char *value;
	int i;

	sheet_begin(
		s, "recorder",
		"what setting state starts written bytes errors lost behind");
	for (i = 0; i < RECORD_COUNT; i++) {
		const struct record_figures *f = &p->record[i];

		value = conf_text(a->env->conf, key[i]);
		if (!*value || !strcmp(value, "0"))
			continue;
		sheet_row(s);
		sheet_cell(s, "%s", key[i]);
		sheet_cell(s, "%s", value);
		sheet_cell(s, "%s",
		           proc_alive(a->t, SLOT_RECORDER) ? "running"
		                                           : "dead");
		sheet_cell(s, "%u", p->incarnation);
		sheet_cell(s, "%" PRIu64, shm_load(&f->written));
		sheet_cell(s, "%" PRIu64, shm_load(&f->bytes));
		sheet_cell(s, "%" PRIu64, shm_load(&f->errors));
		sheet_cell(s, "%" PRIu64, shm_load(&f->lost));
		sheet_cell(s, "%" PRIu64, a->merge.gseq - shm_load(&f->gseq));
	}
}

static void show_shards(struct sheet *s)
{
	const struct table *t = s->q->api->t;
	uint32_t i;

	sheet_begin(s, "shards",
	            "shard worker count room events repairs damaged");
	for (i = 0; i < t->nshard; i++) {
		const struct shard *q = &t->shard[i];

		sheet_row(s);
		sheet_cell(s, "%u", i);
		sheet_cell(s, "%u", i * t->nworker / t->nshard);
		sheet_cell(s, "%u", shm_load(&q->count));
		sheet_cell(s, "%u", t->cap - 1);
		sheet_cell(s, "%" PRIu64, shm_load(&q->ev_seq));
		sheet_cell(s, "%u", shm_load(&q->repairs));
		sheet_cell(s, "%u", shm_load(&q->damaged));
	}
}

static bool show_subscriber(void *arg, const struct request *q)
{
	struct sheet *s = arg;
	const struct peer *p = request_peer(q);

	if (!q->watching && !q->tracing)
		return true;
	sheet_row(s);
	sheet_cell(s, "%u", p->pid);
	sheet_cell(s, "%u", p->uid);
	sheet_cell(s, "%" PRIu64, q->id);
	sheet_cell(s, "%" PRIu64, q->sent);
	sheet_cell(s, "%" PRIu64,
	           q->watching ? q->api->merge.tail - q->pos : 0);
	sheet_cell(s, "%" PRIu64, q->lost);
	sheet_cell(s, "%s", q->cmd->name);
	return true;
}

static void show_subscribers(struct sheet *s)
{
	sheet_begin(s, "subscribers", "pid uid request sent behind lost what");
	requests_each(s->q->api, show_subscriber, s);
}

static void show_config(struct sheet *s)
{
	const struct conf_key *k;
	const char *value;
	unsigned int i;

	sheet_begin(s, "config", "key value");
	for (i = 0; (k = conf_at(s->q->api->env->conf, i, &value)); i++)
		sheet_pair(s, k->name, value);
}

static void show_memory(struct sheet *s)
{
	const struct api *a = s->q->api;
	const struct region *r = &a->env->region;
	char name[24];
	unsigned int i;

	sheet_begin(s, "memory", "segment bytes");
	for (i = 0; i < SEG_COUNT; i++) {
		static const char *const names[SEG_RING0] = {
			[SEG_TBL] = "tbl",
			[SEG_PROC] = "proc",
			[SEG_MLOG] = "mlog",
			[SEG_POL] = "pol",
			[SEG_KEY] = "key"};

		if (!r->size[i])
			continue;
		if (i < SEG_RING0)
			snprintf(name, sizeof(name), "%s", names[i]);
		else
			snprintf(name, sizeof(name), "ev.%u", i - SEG_RING0);
		sheet_row(s);
		sheet_cell(s, "%s", name);
		sheet_cell(s, "%" PRIu64, r->size[i]);
	}
	sheet_row(s);
	sheet_cell(s, "tbl.huge"); /* of tbl, in huge pages */
	sheet_cell(s, "%" PRIu64, shm_load(&a->t->hdr->huge_bytes));
	if (a->env->live) {
		/* the kernel's, for all workers and interfaces */
		sheet_row(s);
		sheet_cell(s, "capture");
		sheet_cell(s, "%" PRIu64,
		           conf_number(a->env->conf, "capture.buffer") *
		                   a->t->nworker * a->env->nifaces);
	}
	sheet_row(s);
	sheet_cell(s, "entry");
	sheet_cell(s, "%zu",
	           sizeof(struct conn) +
	                   (a->t->detail ? sizeof(struct conn_detail) : 0));
}

/* what a worker's counters say of the mirror: X(column, counter) */
#define MIRROR_COLUMNS(X)             \
	X("frames", FRAMES)           \
	X("invalid", INVALID)         \
	X("gap", MIRROR_GAP)          \
	X("pickup", MIRROR_PICKUP)    \
	X("state", MIRROR_STATE)      \
	X("window", MIRROR_WINDOW)    \
	X("lost_bytes", MIRROR_LOST)  \
	X("hole_bytes", MIRROR_HOLES) \
	X("late_bytes", MIRROR_LATE)  \
	X("turned", MIRROR_TURNED)    \
	X("one_way", MIRROR_ONE_WAY)  \
	X("doubled", MIRROR_DOUBLED)  \
	X("duplicates", DUPLICATES)   \
	X("insert", INSERT)

static void iface_COUNT(struct sheet *s, uint64_t v)
{
	sheet_cell(s, "%" PRIu64, v);
}

static void iface_LEVEL(struct sheet *s, uint64_t v)
{
	sheet_cell(s, "%" PRIu64, v);
}

static void iface_MICROS(struct sheet *s, uint64_t v)
{
	sheet_cell(s, "%" PRIu64 ".%06u", v / 1000000,
	           (unsigned int)(v % 1000000));
}

static void iface_SHARE(struct sheet *s, uint64_t v)
{
	sheet_cell(s, "%" PRIu64 ".%02u%%", v / 100, (unsigned int)(v % 100));
}

/* The same by interface or capture, of all workers. */
static void show_interfaces(struct sheet *s)
{
	unsigned int i;

	sheet_begin(s, "interfaces",
	            "interface offload"
#define X(name, kind, meaning) " " #name
	            IFACE_FIGURES(X)
#undef X
	);
	for (i = 0; i < ifaces_count(s->q->api); i++) {
		struct iface_row r;

		iface_row(s->q->api, i, &r);
		sheet_row(s);
		sheet_cell(s, "%s", r.name);
		sheet_cell(s, "%s", r.offload);
#define X(name, kind, meaning) iface_##kind(s, r.name);
		IFACE_FIGURES(X)
#undef X
	}
}

/* How good is what the mirror port gives us? */
static void show_mirror(struct sheet *s)
{
	static const uint8_t counter[] = {
#define X(column, name) CTR_##name,
		MIRROR_COLUMNS(X)
#undef X
	};
	const struct api *a = s->q->api;
	uint32_t i;
	size_t k;

	sheet_begin(s, "mirror",
	            "worker received drops_interface drops_kernel_ring"
#define X(column, name) " " column
	            MIRROR_COLUMNS(X)
#undef X
	);
	for (i = 0; i < a->t->nworker; i++) {
		const struct ring_header *h = a->t->ring[i].hdr;

		if (!h)
			continue;
		sheet_row(s);
		sheet_cell(s, "%u", i);
		sheet_cell(s, "%" PRIu64, shm_load(&h->received));
		sheet_cell(s, "%" PRIu64, shm_load(&h->drop_interface));
		sheet_cell(s, "%" PRIu64, shm_load(&h->drop_kernel));
		for (k = 0; k < ARRAY_SIZE(counter); k++)
			sheet_cell(s, "%" PRIu64,
			           shm_load(&h->counter[counter[k]]));
	}
	sheet_send(s);
	show_interfaces(s);
}

static void sheet_number(struct sheet *s, const char *name, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	sheet_pair(s, name, text);
}

/* what the reaper has made of the shards after an unclean end */
static void show_check(struct sheet *s)
{
	const struct table *t = s->q->api->t;
	const struct check_state *c = &t->hdr->check;
	uint32_t next = shm_load(&c->next), over = shm_load(&c->over);
	uint64_t end = over ? c->end_ns : clock_mono_ns();
	bool due = next || !over;

	sheet_begin(s, "check", "what value");
	sheet_pair(s, "state",
	           !due   ? "not needed"
	           : over ? "over"
	                  : "under way");
	sheet_number(s, "shards", next);
	sheet_number(s, "faulty", c->faulty);
	sheet_number(s, "rebuilt", c->rebuilt);
	sheet_number(s, "emptied", c->emptied);
	sheet_number(s, "isolated", c->isolated);
	sheet_number(s, "connections_lost", c->lost);
	sheet_number(s, "ms",
	             due && end > c->begin_ns ? (end - c->begin_ns) / NS_PER_MS
	                                      : 0);
}

static void show_version(struct sheet *s)
{
	const struct api *a = s->q->api;
	char text[40];
	unsigned int i;

	sheet_begin(s, "version", "what value");
	sheet_pair(s, "ctshardd", VERSION);
	sheet_pair(s, "schema", "1");
	snprintf(text, sizeof(text), "%u.%u", a->t->hdr->major,
	         a->t->hdr->minor);
	sheet_pair(s, "layout", text);
	for (i = 0; i < sizeof(a->t->hdr->uuid); i++)
		snprintf(text + 2 * i, 3, "%02x", a->t->hdr->uuid[i]);
	sheet_pair(s, "uuid", text);
	snprintf(text, sizeof(text), "%u", a->t->hdr->generation);
	sheet_pair(s, "starts", text);
}

static void helper_row(struct sheet *s, const struct helper *h, bool on,
                       const char *key, uint64_t value)
{
	sheet_row(s);
	sheet_cell(s, "%s", h->name);
	/* that of its first port; H.245 has none */
	sheet_cell(s, "%u", h->nports ? h->ports[0].l4proto : 0);
	sheet_cell(s, "%s", on ? "on" : "off");
	sheet_cell(s, "%s", key);
	sheet_cell(s, "%" PRIu64, value);
}

/* Is it bound to any port?  One without ports is bound by expectation. */
static bool helper_on(const struct policy *pol, unsigned int place)
{
	unsigned int i;

	for (i = 0; i < pol->nport && i < POLICY_PORTS; i++)
		if (pol->port[i].helper == place + 1)
			return true;
	return !helper_at(place)->nports && pol->nport;
}

/* each number once, be it for two protocols or families */
static void helper_port_rows(struct sheet *s, unsigned int place)
{
	const struct policy *pol = &s->q->api->policy;
	unsigned int i, k;

	for (i = 0; i < pol->nport && i < POLICY_PORTS; i++) {
		if (pol->port[i].helper != place + 1)
			continue;
		for (k = 0; k < i; k++)
			if (pol->port[k].helper == place + 1 &&
			    pol->port[k].port == pol->port[i].port)
				break;
		if (k == i)
			helper_row(s, helper_at(place), true, "port",
			           pol->port[i].port);
	}
}

static void helper_counters(struct sheet *s, unsigned int place, bool on)
{
	static const char *const names[HELP_COUNTERS] = {
		[HELP_LINES] = "lines",         [HELP_PARTIAL] = "partial",
		[HELP_RESYNC] = "resync",       [HELP_MALFORMED] = "malformed",
		[HELP_FOREIGN] = "foreign",     [HELP_LIMIT] = "limit",
		[HELP_SOURCE] = "source_limit",
	};
	const struct table *t = s->q->api->t;
	unsigned int i, ring;

	for (i = 0; i < HELP_COUNTERS; i++) {
		uint64_t n = 0;

		for (ring = 0; ring < NRING; ring++)
			if (t->ring[ring].hdr)
				n += shm_load(
					&t->ring[ring].hdr->counter[STATS_HELP(
						place, i)]);
		helper_row(s, helper_at(place), on, names[i], n);
	}
}

static void show_helper(struct sheet *s, unsigned int place)
{
	const struct policy *pol = &s->q->api->policy;
	const struct helper *h = helper_at(place);
	bool on = helper_on(pol, place);
	unsigned int i;
	char key[40];

	helper_port_rows(s, place);
	for (i = 0; i < h->nclasses; i++) {
		const struct helper_class *c = &h->classes[i];

		/* by number, as `class=` has it */
		snprintf(key, sizeof(key), "class.%u.max", i);
		helper_row(s, h, on, key, c->max);
		snprintf(key, sizeof(key), "class.%u.timeout", i);
		helper_row(s, h, on, key, c->seconds);
	}
	for (i = 0; i < h->noptions && i < POLICY_OPTIONS; i++)
		helper_row(s, h, on, h->options[i].key,
		           pol->helper_option[place][i]);
	helper_counters(s, place, on);
}

static void show_protocols(struct sheet *s)
{
	const struct policy *pol = &s->q->api->policy;
	const struct tracker *trk;
	unsigned int id, i, place;

	sheet_begin(s, "protocols", "protocol number state key value");
	for (id = 0; (trk = tracker_at(id)); id++)
		for (i = 0; i < trk->ntimeouts + (unsigned)trk->noptions; i++) {
			bool option = i >= trk->ntimeouts;
			unsigned int n = option ? i - trk->ntimeouts : i;
			const char *key = option ? trk->options[n].key
			                         : trk->timeouts[n].key;

			/* a state that the kernel has no sysctl for */
			if (!key)
				continue;
			sheet_row(s);
			sheet_cell(s, "%s", trk->name);
			sheet_cell(s, "%u", trk->l4proto);
			sheet_cell(s, "%s",
			           pol->tracker_off[id] ? "off" : "on");
			sheet_cell(s, "%s", key);
			sheet_cell(
				s, "%u",
				option ? pol->option[id][trk->options[n].slot]
				       : pol->timeout[id]
						     [trk->timeouts[n].slot]);
		}
	for (place = 0; helper_at(place); place++)
		show_helper(s, place);
}

/* the words, once */
#define SHOWS(X)       \
	X(workers)     \
	X(shards)      \
	X(subscribers) \
	X(config)      \
	X(memory)      \
	X(mirror)      \
	X(recorder)    \
	X(version)     \
	X(protocols)   \
	X(check)

static const struct {
	const char *word;
	void (*fill)(struct sheet *s);
} shows[] = {
#define X(name) {#name, show_##name},
	SHOWS(X)
#undef X
};

/* A key, or all keys below a block. */
static bool show_key(struct sheet *s, const char *word)
{
	const struct conf_key *k;
	size_t n = strlen(word);
	const char *value;
	unsigned int i, found = 0;

	sheet_begin(s, "config", "key value");
	for (i = 0; (k = conf_at(s->q->api->env->conf, i, &value)); i++)
		if (!strcmp(k->name, word) ||
		    (!strncmp(k->name, word, n) && k->name[n] == '.')) {
			sheet_pair(s, k->name, value);
			found++;
		}
	return found > 0;
}

static bool show_word(struct sheet *s, const char *word)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shows); i++)
		if (!strcmp(shows[i].word, word)) {
			shows[i].fill(s);
			sheet_send(s);
			return true;
		}
	if (!show_key(s, word))
		return false;
	sheet_send(s);
	return true;
}

#define SHOW_WORDS_MAX 16u

static enum cmd_step show_start(struct request *q, const Ctshard__Request *r)
{
	const Ctshard__Show *m = r->show;
	struct sheet *s;
	size_t i;

	if (!m->n_what || m->n_what > SHOW_WORDS_MAX)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "show: 1 to %u words", SHOW_WORDS_MAX);
	s = calloc(1, sizeof(*s));
	if (!s)
		return request_fail(q, CTSHARD__ERROR_CODE__FAILED,
		                    "out of memory");
	s->q = q;
	for (i = 0; i < m->n_what && show_word(s, m->what[i]); i++)
		;
	free(s);
	if (i < m->n_what)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "show: unknown word \"%.64s\"", m->what[i]);
	return request_end(q);
}

const struct cmd cmd_show = {
	.name = "show",
	.body = CTSHARD__REQUEST__BODY_SHOW,
	.start = show_start,
};
