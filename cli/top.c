/*
 * top.c - see top.h.
 *
 * A sample is a list.  Of a table of any size only TOP_ROWS rows are kept, and
 * the bytes of each connection, which the next sample's rates are made of.
 */
#include "cli/top.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS 1000000000ull

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

/* ---- the heap ---- */

static uint64_t top_value(const struct top *t, const struct top_row *r)
{
	switch (t->sort) {
	case TOP_BYTES:
		return r->bytes;
	case TOP_AGE:
		return r->age_ns;
	case TOP_RATE:
		break;
	}
	return r->rate;
}

/* Does `a` stand below `b`?  Equal ones by id, so that lines do not jump. */
static bool top_less(const struct top *t, const struct top_row *a,
                     const struct top_row *b)
{
	uint64_t x = top_value(t, a), y = top_value(t, b);

	return x != y ? x < y : a->c.id > b->c.id;
}

static void heap_swap(struct top *t, size_t a, size_t b)
{
	struct top_row r = t->row[a];

	t->row[a] = t->row[b];
	t->row[b] = r;
}

static void heap_down(struct top *t, size_t i, size_t n)
{
	size_t least, k;

	for (;; i = least) {
		least = i;
		for (k = 2 * i + 1; k <= 2 * i + 2 && k < n; k++)
			if (top_less(t, &t->row[k], &t->row[least]))
				least = k;
		if (least == i)
			return;
		heap_swap(t, i, least);
	}
}

static void heap_up(struct top *t, size_t i)
{
	for (; i && top_less(t, &t->row[i], &t->row[(i - 1) / 2]);
	     i = (i - 1) / 2)
		heap_swap(t, i, (i - 1) / 2);
}

/* The least goes to the end, again and again. */
static void heap_sort(struct top *t)
{
	size_t n = t->rows;

	while (n > 1) {
		heap_swap(t, 0, --n);
		heap_down(t, 0, n);
	}
}

/* ---- a sample ---- */

static void row_words(struct top_row *r, const struct ctshard_conn *c)
{
	size_t i, at = 0;
	int n;

	snprintf(r->proto, sizeof(r->proto), "%s", c->proto ? c->proto : "");
	if (!c->proto)
		snprintf(r->proto, sizeof(r->proto), "%u", c->protonum);
	snprintf(r->state, sizeof(r->state), "%s",
	         c->state                           ? c->state
	         : c->status & CTSHARD_S_SEEN_REPLY ? ""
	                                            : "UNREPLIED");
	r->detail[0] = '\0';
	for (i = 0; i < c->n_detail && at < sizeof(r->detail); i++) {
		n = snprintf(r->detail + at, sizeof(r->detail) - at, "%s%s=%s",
		             at ? " " : "", c->detail[i].key,
		             c->detail[i].value);
		at += n > 0 ? (size_t)n : 0;
	}
	/* the daemon's words end with the callback */
	r->c = *c;
	r->c.proto = r->c.state = r->c.helper = r->c.reason = NULL;
	r->c.detail = NULL;
	r->c.private_data = NULL;
}

/* Since the last sample; one that is new there: since it began. */
static uint64_t row_rate(struct top *t, const struct top_row *r,
                         const uint8_t key[20])
{
	const struct tally_row *old =
		t->before.rows ? tally_find(&t->before, key) : NULL;
	uint64_t ns = t->now_ns - t->before_ns, bytes = r->bytes;

	if (old)
		bytes = old->bytes < bytes ? bytes - old->bytes : 0;
	else if (!t->before_ns || r->age_ns < ns)
		ns = r->age_ns;
	if (ns < NS / 1000)
		ns = NS / 1000;
	return (uint64_t)((double)bytes * (double)NS / (double)ns);
}

static int top_conn(void *arg, const struct ctshard_conn *c)
{
	struct top *t = arg;
	struct top_row r;
	struct tally_row *mine;
	uint8_t key[20] = {0};

	memset(&r, 0, sizeof(r));
	r.c.id = c->id;
	r.packets = c->dir[0].packets + c->dir[1].packets;
	r.bytes = c->dir[0].bytes + c->dir[1].bytes;
	if (c->now_ns > c->start_ns && c->has & CTSHARD_CONN_START)
		r.age_ns = c->now_ns - c->start_ns;
	memcpy(key, &c->id, sizeof(c->id));
	r.rate = row_rate(t, &r, key);
	mine = tally_at(&t->now, key);
	if (!mine)
		return 1;
	mine->bytes = r.bytes;
	t->matched++;
	if (t->rows == TOP_ROWS && !top_less(t, &t->row[0], &r))
		return 0;
	row_words(&r, c);
	if (t->rows < TOP_ROWS) {
		t->row[t->rows] = r;
		heap_up(t, t->rows++);
	} else {
		t->row[0] = r;
		heap_down(t, 0, t->rows);
	}
	return 0;
}

static int top_read(struct top *t)
{
	struct ctshard_list_opts opts = {.filter = &t->cmd->filter};
	struct ctshard_handler rows = {.arg = t, .conn = top_conn};
	struct ctshard_handler counters = {.arg = &t->stats,
	                                   .counter = stats_counter};
	uint64_t id;
	int rc = ctshard_stats(t->ct, &counters, &id);

	if (!rc)
		rc = ctshard_wait(t->ct, id);
	if (!rc)
		rc = top_ports_read(t);
	if (!rc)
		rc = ctshard_list(t->ct, &opts, &rows, &id);
	while (!rc || rc == CTSHARD_EINTR) {
		rc = ctshard_wait(t->ct, id);
		if (!rc)
			break;
	}
	return rc;
}

int top_sample(struct top *t)
{
	tally_free(&t->before);
	t->before = t->now;
	memset(&t->now, 0, sizeof(t->now));
	stats_free(&t->stats_before);
	t->stats_before = t->stats;
	memset(&t->stats, 0, sizeof(t->stats));
	t->before_ns = t->now_ns;
	t->now_ns = clock_ns();
	t->rows = 0;
	t->matched = 0;
	t->error = t->ct ? top_read(t) : CTSHARD_ENODAEMON;
	heap_sort(t);
	if (t->error)
		snprintf(t->why, sizeof(t->why), "%s",
		         t->ct ? ctshard_errmsg(t->ct) : "no daemon");
	return t->error;
}

void top_free(struct top *t)
{
	tally_free(&t->before);
	tally_free(&t->now);
	stats_free(&t->stats);
	stats_free(&t->stats_before);
}

/* ---- text ---- */

void top_clean(char *s, size_t width)
{
	size_t i;

	for (i = 0; i < width && s[i]; i++)
		if (s[i] < ' ' || s[i] > '~')
			s[i] = '?';
	s[i] = '\0';
}

static uint64_t total(const struct stats *s, const char *name)
{
	size_t i, j;

	for (i = 0; i < s->scopes; i++)
		for (j = 0; s->scope[i].total && j < s->scope[i].counters; j++)
			if (!strcmp(s->scope[i].counter[j].name, name))
				return s->scope[i].counter[j].value;
	return 0;
}

static uint64_t per_second(const struct top *t, const char *name)
{
	uint64_t now = total(&t->stats, name);
	uint64_t before = total(&t->stats_before, name);
	double s = (double)(t->now_ns - t->before_ns) / (double)NS;

	if (!t->stats_before.scopes || before > now || s <= 0)
		return 0;
	return (uint64_t)((double)(now - before) / s + 0.5);
}

void top_title(const struct top *t, char *to, size_t width)
{
	static const char *const words[] = {
#define X(name, key, word) word,
		TOP_SORTS(X)
#undef X
	};

	snprintf(to, TOP_LINE,
	         "connections %" PRIu64 " of %" PRIu64 ", shown %" PRIu64
	         " by %s; frames/s %" PRIu64 " new/s %" PRIu64
	         " ended/s %" PRIu64,
	         total(&t->stats, "count"), total(&t->stats, "max"), t->matched,
	         words[t->sort], per_second(t, "frames"),
	         per_second(t, "insert"), per_second(t, "delete"));
	top_clean(to, width);
}

struct top_figure {
	const char *word, *name;
};

/* True: one of the first `alarming` grows. */
static bool top_figures(const struct top *t, const struct top_figure *f,
                        size_t n, size_t alarming, const char *head, char *to)
{
	size_t at = (size_t)snprintf(to, TOP_LINE, "%s:", head), i;
	bool grows = false;

	for (i = 0; i < n && at < TOP_LINE; i++) {
		uint64_t rate = per_second(t, f[i].name);

		at += (size_t)snprintf(to + at, TOP_LINE - at, " %s %" PRIu64,
		                       f[i].word, total(&t->stats, f[i].name));
		if (!rate || at >= TOP_LINE)
			continue;
		at += (size_t)snprintf(to + at, TOP_LINE - at,
		                       " (+%" PRIu64 "/s)", rate);
		grows |= i < alarming;
	}
	return grows;
}

bool top_health(const struct top *t, char *to, size_t width)
{
	/* invalid packets are no loss of ours */
	static const struct top_figure lost[] = {
		{"interface", "drops.interface"},
		{"ring", "drops.kernel_ring"},
		{"table", "drops.table_full"},
		{"early", "early_drop"},
		{"events", "drops.event_ring"},
		{"subscribers", "drops.subscriber"},
		{"invalid", "packets.invalid"}};
	const size_t n = sizeof(lost) / sizeof(lost[0]);
	bool grows = top_figures(t, lost, n, n - 1, "lost", to);

	top_clean(to, width);
	return grows;
}

void top_mirror(const struct top *t, char *to, size_t width)
{
	static const struct top_figure seen[] = {
		{"gap", "mirror.gap"},
		{"lost bytes", "mirror.lost_bytes"},
		{"pickup", "mirror.pickup"},
		{"state", "mirror.state"},
		{"window", "mirror.window"},
		{"turned", "mirror.turned"},
		{"one-way", "mirror.one_way"},
		{"doubled", "mirror.doubled"},
		{"skipped: helpers", "shed.helpers"},
		{"details", "shed.details"}};

	top_figures(t, seen, sizeof(seen) / sizeof(seen[0]), 0, "mirror", to);
	top_clean(to, width);
}

/* 1234 -> "1234", 123456 -> "120k" */
static void human(uint64_t v, char to[24])
{
	static const char units[] = " kMGTPE";
	unsigned i = 0;

	while (v >= 100000 && units[i + 1]) {
		v >>= 10;
		i++;
	}
	if (i)
		snprintf(to, 24, "%" PRIu64 "%c", v, units[i]);
	else
		snprintf(to, 24, "%" PRIu64, v);
}

static void age(uint64_t ns, char to[24])
{
	uint64_t s = ns / NS;

	if (s < 100)
		snprintf(to, 24, "%" PRIu64 "s", s);
	else if (s < 6000)
		snprintf(to, 24, "%" PRIu64 "m", s / 60);
	else if (s < 360000)
		snprintf(to, 24, "%" PRIu64 "h", s / 3600);
	else
		snprintf(to, 24, "%" PRIu64 "d", s / 86400);
}

static void endpoint(const struct ctshard_conn *c, const uint8_t *a,
                     uint32_t port, char *to, size_t size)
{
	char addr[INET6_ADDRSTRLEN];

	if (!inet_ntop(c->l3 == 4 ? AF_INET : AF_INET6, a, addr, sizeof(addr)))
		addr[0] = '\0';
	if (!(c->dir[0].has & CTSHARD_TUPLE_PORTS))
		snprintf(to, size, "%s", addr);
	else if (c->l3 == 4)
		snprintf(to, size, "%s:%u", addr, port);
	else
		snprintf(to, size, "[%s]:%u", addr, port);
}

#define TOP_FORMAT "%-7s %-11s %8s %8s %8s %5s  %-22s %s"

void top_heads(char *to, size_t width)
{
	snprintf(to, TOP_LINE, TOP_FORMAT, "PROTO", "STATE", "RATE", "BYTES",
	         "PACKETS", "AGE", "SOURCE", "DESTINATION");
	top_clean(to, width);
}

void top_text(const struct top_row *r, char *to, size_t width)
{
	char rate[24], bytes[24], packets[24], old[24], src[64], dst[64];
	const struct ctshard_tuple *d = &r->c.dir[0];

	human(r->rate, rate);
	human(r->bytes, bytes);
	human(r->packets, packets);
	age(r->age_ns, old);
	endpoint(&r->c, d->src, d->sport, src, sizeof(src));
	endpoint(&r->c, d->dst, d->dport, dst, sizeof(dst));
	snprintf(to, TOP_LINE, TOP_FORMAT, r->proto, r->state, rate, bytes,
	         packets, old, src, dst);
	top_clean(to, width);
}
