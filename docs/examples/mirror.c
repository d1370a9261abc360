/*
 * mirror.c - a copy of the daemon's table that survives everybody's death.
 *
 *	cc mirror.c $(pkg-config --cflags --libs libctshard) -o mirror
 *	./mirror [-dn] [-l EVENTS] [-p PORT[-PORT]] RUNDIR FILE
 *
 *	-d	with details
 *	-n	NEW and DESTROY alone
 *	-l	no more than so many events a second, as a slow program does
 *	-p	connections to these destination ports alone
 *
 * libctshard in the caller's own loop: poll(2), and what to do when
 *
 *   - the program begins: a snapshot (LIST rows, LIST_END), then events;
 *   - the daemon, or its api, goes away: wait, connect again, and go on from
 *     the last event that was worked off (its number, and the table's UUID);
 *   - this program is killed: FILE has a copy with the number that it is of;
 *     the next one reads it and goes on from there;
 *   - events were lost (GAP says how many): the copy is worth nothing, so
 *     another snapshot is taken.
 *
 * A row of a snapshot may know more than the number in LIST_END: events after
 * it may tell of what the row has already.  Of two accounts of one connection
 * the one with the higher `version` is the newer.  A filter of a copy must look
 * at what does not change (addresses, ports, protocol): who asks for a mark is
 * not told when a connection loses it.
 *
 * FILE: struct head, and `count` times struct row.  SIGTERM: write it, and end.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ctshard.h>

#define SAVE_MS  1000       /* how often FILE is written while events come */
#define RETRY_MS 100        /* and a daemon that is away is looked for */
#define SLACK_NS 100000000u /* of the clocks of packets and lists */

struct row {
	uint64_t id; /* 0: a free place */
	uint8_t src[16], dst[16];
	uint32_t sport, dport;
	uint32_t status;
	uint32_t version;
	uint32_t protonum;
	uint8_t l3;
	uint8_t listed; /* known from a snapshot, not from its NEW */
	char state[18];
};

struct head {
	char magic[8];
	uint8_t uuid[16];
	uint64_t seq;     /* the last event that is in it */
	uint64_t events;  /* told of */
	uint64_t lost;    /* reported lost */
	uint64_t skipped; /* neither: a snapshot had what they told */
	uint64_t gaps;
	uint64_t snapshots;
	uint64_t faults;  /* what cannot be */
	uint64_t list_ns; /* when the last snapshot was complete */
	uint64_t count;   /* rows */
};

static const char magic[8] = "mirror1";

struct mirror {
	struct head h;
	struct row *row; /* open addressing, a power of two */
	uint64_t mask;
	const char *rundir, *file;
	struct ctshard *ct;
	struct ctshard_filter filter;
	struct ctshard_watch_opts opts;
	int counted; /* h.seq is the number of an event before */
	int valid;   /* a whole copy, not half a snapshot */
	int dirty, ended, error;
	int64_t limit, budget; /* of events, in this second */
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = sig;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void fault(struct mirror *m, const char *what, uint64_t a, uint64_t b)
{
	if (m->h.faults++ < 5)
		fprintf(stderr, "mirror: %s: %llu, %llu\n", what,
		        (unsigned long long)a, (unsigned long long)b);
}

/* ---- the copy: a hash table by id ---- */

static uint64_t place(const struct mirror *m, uint64_t id)
{
	return (id * 0x9e3779b97f4a7c15ull >> 20) & m->mask;
}

/* The row of `id`, or the free place where it would stand. */
static struct row *find(const struct mirror *m, uint64_t id)
{
	uint64_t i = place(m, id);

	while (m->row[i].id && m->row[i].id != id)
		i = (i + 1) & m->mask;
	return &m->row[i];
}

static void resize(struct mirror *m, uint64_t n)
{
	struct row *old = m->row;
	uint64_t was = old ? m->mask + 1 : 0, i;

	m->row = calloc(n, sizeof(*m->row));
	if (!m->row) {
		fprintf(stderr, "mirror: out of memory\n");
		exit(1);
	}
	m->mask = n - 1;
	for (i = 0; i < was; i++)
		if (old[i].id)
			*find(m, old[i].id) = old[i];
	free(old);
}

static struct row *add(struct mirror *m, uint64_t id)
{
	struct row *r;

	if (m->h.count >= (m->mask + 1) / 2)
		resize(m, 2 * (m->mask + 1));
	r = find(m, id);
	if (!r->id)
		m->h.count++;
	r->id = id;
	return r;
}

/* Those behind it move up, so that no search ends too early. */
static void drop(struct mirror *m, struct row *r)
{
	uint64_t hole = (uint64_t)(r - m->row), i = hole;

	m->h.count--;
	for (;;) {
		i = (i + 1) & m->mask;
		if (!m->row[i].id)
			break;
		/* may it stand in the hole? */
		if (((i - place(m, m->row[i].id)) & m->mask) >=
		    ((i - hole) & m->mask)) {
			m->row[hole] = m->row[i];
			hole = i;
		}
	}
	memset(&m->row[hole], 0, sizeof(m->row[hole]));
}

static void clear(struct mirror *m)
{
	memset(m->row, 0, (m->mask + 1) * sizeof(*m->row));
	m->h.count = 0;
	m->valid = 0;
}

/* ---- FILE ---- */

static int rows_write(const struct mirror *m, FILE *f)
{
	uint64_t i;

	if (fwrite(&m->h, sizeof(m->h), 1, f) != 1)
		return -1;
	for (i = 0; i <= m->mask; i++)
		if (m->row[i].id &&
		    fwrite(&m->row[i], sizeof(m->row[i]), 1, f) != 1)
			return -1;
	return 0;
}

/* The new one takes the old one's name when it is complete. */
static void save(struct mirror *m)
{
	char path[4096];
	FILE *f;
	int bad;

	snprintf(path, sizeof(path), "%s.new", m->file);
	f = fopen(path, "w");
	bad = !f || rows_write(m, f);
	if (f && fclose(f))
		bad = 1;
	if (bad || rename(path, m->file)) {
		fprintf(stderr, "mirror: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	m->dirty = 0;
}

static void load(struct mirror *m)
{
	FILE *f = fopen(m->file, "r");
	struct head h;
	struct row r;

	if (!f)
		return;
	if (fread(&h, sizeof(h), 1, f) == 1 &&
	    !memcmp(h.magic, magic, sizeof(magic))) {
		while (fread(&r, sizeof(r), 1, f) == 1)
			*add(m, r.id) = r;
		h.count = m->h.count;
		m->h = h;
		m->valid = m->counted = 1;
	}
	fclose(f);
}

/* ---- events ---- */

/* What `c` tells, unless the row knows better. */
static void put(struct mirror *m, const struct ctshard_conn *c, int listed)
{
	const struct ctshard_tuple *t = &c->dir[0];
	struct row *r = find(m, c->id);

	if (r->id && (int32_t)(c->version - r->version) < 0)
		return;
	if (!r->id) {
		r = add(m, c->id);
		r->listed = (uint8_t)listed;
	}
	memcpy(r->src, t->src, sizeof(r->src));
	memcpy(r->dst, t->dst, sizeof(r->dst));
	r->sport = t->sport;
	r->dport = t->dport;
	r->status = c->status;
	r->version = c->version;
	r->protonum = c->protonum;
	r->l3 = (uint8_t)c->l3;
	memset(r->state, 0, sizeof(r->state));
	if (c->state)
		strncpy(r->state, c->state, sizeof(r->state) - 1);
}

static void on_new(struct mirror *m, const struct ctshard_event *e)
{
	const struct row *r = find(m, e->conn->id);

	if (r->id &&
	    (!r->listed || (int32_t)(e->conn->version - r->version) > 0))
		fault(m, "begun, and there already", e->conn->id, e->seq);
	put(m, e->conn, 0);
}

static void on_destroy(struct mirror *m, const struct ctshard_event *e)
{
	struct row *r = find(m, e->conn->id);

	if (r->id)
		drop(m, r);
	else if (e->conn->start_ns > m->h.list_ns + SLACK_NS)
		/* an older one may have ended while the list was made */
		fault(m, "ended, and not there", e->conn->id, e->seq);
}

/* Numbers go up by one, unless a filter hides some. */
static void on_number(struct mirror *m, const struct ctshard_event *e)
{
	int all = !m->filter.has && !m->opts.types;

	if (e->seq <= m->h.seq || (all && e->seq != m->h.seq + 1))
		fault(m, "the next number is wrong", m->h.seq, e->seq);
	m->h.seq = e->seq;
	m->h.events++;
	m->dirty = 1;
}

static void on_list_end(struct mirror *m, const struct ctshard_event *e)
{
	if (m->counted)
		m->h.skipped += e->seq - m->h.seq;
	m->h.seq = e->seq;
	memcpy(m->h.uuid, ctshard_peer(m->ct)->uuid, sizeof(m->h.uuid));
	m->h.snapshots++;
	m->h.list_ns = e->time_ns;
	m->valid = m->counted = m->dirty = 1;
}

static void on_gap(struct mirror *m, const struct ctshard_event *e)
{
	/* the numbers of another table cannot be compared with ours */
	m->counted = !memcmp(m->h.uuid, ctshard_peer(m->ct)->uuid,
	                     sizeof(m->h.uuid));
	if (m->counted &&
	    (e->to - e->from - 1 != e->lost || e->from < m->h.seq))
		fault(m, "a gap that does not fit", e->from, e->to);
	m->h.gaps++;
	m->h.lost += e->lost;
	m->h.seq = e->to - 1;
	clear(m);
}

/* Called by ctshard_dispatch; other than 0 ends the request. */
static int on_event(void *arg, const struct ctshard_event *e)
{
	struct mirror *m = arg;

	m->budget--;
	switch (e->type) {
	case CTSHARD_LIST:
		put(m, e->conn, 1);
		return 0;
	case CTSHARD_LIST_END:
		on_list_end(m, e);
		return 0;
	case CTSHARD_POSITION: /* nothing for us up to here */
		m->h.seq = e->seq;
		m->dirty = 1;
		return 0;
	case CTSHARD_GAP:
		on_gap(m, e);
		return 1;
	case CTSHARD_NEW:
		on_new(m, e);
		break;
	case CTSHARD_UPDATE:
		put(m, e->conn, 0);
		break;
	case CTSHARD_DESTROY:
		on_destroy(m, e);
		break;
	}
	on_number(m, e);
	return 0;
}

static void on_done(void *arg, int error, const char *text)
{
	struct mirror *m = arg;

	(void)text; /* what it was stands in ctshard_errmsg, too */
	m->ended = 1;
	m->error = error;
}

/* ---- the daemon ---- */

/* Ask for what comes after the copy, or for a copy. */
static int ask(struct mirror *m)
{
	struct ctshard_handler h = {
		.arg = m, .event = on_event, .done = on_done};

	m->ended = 0;
	if (!m->valid)
		clear(m); /* half a snapshot is none */
	m->opts.snapshot = !m->valid;
	m->opts.has_since = m->valid;
	m->opts.since = m->h.seq;
	m->opts.uuid = m->h.uuid;
	return ctshard_watch(m->ct, &m->opts, &h, NULL);
}

/* 0, or the daemon is away for now; what waiting does not mend ends us. */
static int connect_again(struct mirror *m)
{
	int rc;

	ctshard_close(m->ct);
	rc = ctshard_open(m->rundir, 0, &m->ct);
	if (!rc)
		rc = ask(m);
	if (!rc || rc == CTSHARD_ENODAEMON || rc == CTSHARD_ELOST ||
	    rc == CTSHARD_EBUSY)
		return rc;
	fprintf(stderr, "mirror: %s\n",
	        m->ct ? ctshard_errmsg(m->ct) : ctshard_strerror(rc));
	exit(1);
}

/* The request has ended, which it only does with an error or by a gap. */
static int again(struct mirror *m)
{
	switch (m->error) {
	case CTSHARD_ECANCELLED:
		return ask(m);
	case CTSHARD_ELOST:
		return m->error;
	default:
		fprintf(stderr, "mirror: %s\n", ctshard_errmsg(m->ct));
		exit(1);
	}
}

/* One turn of the loop; not 0: the connection is of no more use. */
static int turn(struct mirror *m)
{
	struct pollfd p = {.fd = ctshard_fd(m->ct),
	                   .events = ctshard_events(m->ct)};

	/* one that has no time does not read: it harms nobody */
	if (m->limit && m->budget <= 0)
		p.fd = -1;
	if (poll(&p, 1, RETRY_MS) <= 0)
		return 0;
	ctshard_dispatch(m->ct);
	return m->ended ? again(m) : 0;
}

/* What is to be done now and then. */
static void chores(struct mirror *m)
{
	static int64_t saved, filled;
	int64_t now = now_ms();

	if (now - saved >= SAVE_MS && m->dirty && m->valid) {
		save(m);
		saved = now;
	}
	if (now - filled >= 1000) {
		m->budget = m->budget < 0 ? m->budget + m->limit : m->limit;
		filled = now;
	}
}

static void run(struct mirror *m)
{
	int away = connect_again(m);

	while (!stop) {
		if (away) {
			poll(NULL, 0, RETRY_MS);
			away = connect_again(m);
		} else {
			away = turn(m);
		}
		chores(m);
	}
	if (m->valid)
		save(m);
	ctshard_close(m->ct);
}

static int options(struct mirror *m, int argc, char **argv)
{
	unsigned from, to;
	int opt;

	while ((opt = getopt(argc, argv, "dnl:p:")) != -1) {
		switch (opt) {
		case 'd':
			m->opts.brief = 0;
			break;
		case 'n':
			m->opts.types =
				1u << CTSHARD_NEW | 1u << CTSHARD_DESTROY;
			break;
		case 'l':
			m->limit = atoll(optarg);
			break;
		case 'p':
			if (sscanf(optarg, "%u-%u", &from, &to) < 2)
				to = from = (unsigned)atoi(optarg);
			m->filter.has |= CTSHARD_FILTER_HAS(DPORT);
			m->filter.dport.from = from;
			m->filter.dport.to = to;
			break;
		default:
			return -1;
		}
	}
	return argc - optind == 2 ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct mirror m = {.opts = {.brief = 1, .positions = 1}};

	if (options(&m, argc, argv)) {
		fprintf(stderr, "usage: mirror [-dn] [-l EVENTS] "
		                "[-p PORT[-PORT]] RUNDIR FILE\n");
		return 2;
	}
	/* what a type or filter leaves out, LIST_END and GAP are told */
	m.opts.filter = &m.filter;
	m.rundir = argv[optind];
	m.file = argv[optind + 1];
	memcpy(m.h.magic, magic, sizeof(magic));
	resize(&m, 1024);
	load(&m);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	run(&m);
	free(m.row);
	return m.h.faults != 0;
}
