/*
 * test_soak_shm.c - real concurrency, where single-stepping shows one writer
 * alone.
 *
 * Two writers on the same two shards are killed and stopped at random and
 * started again at once in their slots.  Beside them a reader asks by key and
 * by slab, and a consumer merges both rings by shard and number.  Permanent
 * connections are never missed and listed once; no copy is torn; no counter
 * goes back (nothing that repair takes back was ever shown); events have no
 * hole, no double and the right order; and what they say is the table at the
 * end.
 *
 *	test_soak_shm                  the test
 *	test_soak_shm SECONDS [SEED]   longer
 */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/atomic.h"
#include "shm/clock.h"
#include "shm/hash.h"
#include "shm/proc.h"
#include "shm/read.h"
#include "shm/region.h"
#include "tests/lib/keys.h"

#define NKEY     400u
#define NSTAY    60u /* the first are never deleted */
#define NWRITER  2u
#define CELLS    65536u
#define SHARDS   2u
#define PER_CONN 100u

enum stop { RUN, READERS_END, CONSUMER_ENDS };

/* what the processes tell each other, beside the table */
struct tell {
	uint32_t stop;
	uint64_t taken[NWRITER]; /* cells, so that a ring is not lapped */
	/* reader */
	uint64_t lookups, walks, missed, torn, back, twice, unread;
	/* consumer */
	uint64_t events, holes, disorder;
	uint64_t alive[NKEY]; /* id by key, as the events say */
	uint64_t packets[NKEY];
};

struct soak {
	struct table *t;
	struct conn_lookup key[NKEY];
	struct tell *tell;
	uint64_t rnd;
};

static uint64_t soak_random(struct soak *s)
{
	s->rnd = noise(s->rnd);
	return s->rnd;
}

static uint32_t key_number(const struct conn_key *k)
{
	return k->port[1];
}

/* ---- writers ---- */

/* every field follows from the packet counts, so a torn copy is seen */
static void entry_write(struct conn *c, struct conn_detail *x, unsigned int dir)
{
	uint64_t n;

	c->packets[dir]++;
	c->bytes[dir] += PER_CONN;
	n = c->packets[0] + c->packets[1];
	c->mark = (uint32_t)n;
	memset(c->priv, (int)(n & 0xff), CONN_PRIV);
	c->deadline = (uint32_t)(n * 7 % 5000) + 1;
	x->last_ns = n;
	x->rtt_us[0] = (uint32_t)c->packets[0];
	x->rtt_us[1] = (uint32_t)c->packets[1];
}

static bool view_torn(const struct conn_view *v)
{
	const struct conn *c = &v->conn;
	uint64_t n = c->packets[0] + c->packets[1];

	return c->bytes[0] != c->packets[0] * PER_CONN ||
	       c->bytes[1] != c->packets[1] * PER_CONN ||
	       c->mark != (uint32_t)n || c->priv[0] != (uint8_t)n ||
	       c->priv[CONN_PRIV - 1] != (uint8_t)n ||
	       (c->ext && v->ext.labels[0] != n) || v->detail.last_ns != n ||
	       v->detail.rtt_us[0] != (uint32_t)c->packets[0] ||
	       v->detail.rtt_us[1] != (uint32_t)c->packets[1];
}

static void writer_op(struct soak *s, uint32_t i, uint64_t r)
{
	const struct conn_lookup *k = &s->key[i];
	struct op_cursor cur = {s->t->ring[s->t->me].hdr->cursor[0] + 1, 0};
	struct op_event ev;
	uint32_t slot, idx = conn_find(s->t, k, &slot, NULL);
	struct conn_detail x;
	struct conn_ext ext, *e;
	struct conn init;
	enum op_refusal why;

	memset(&ev, 0, sizeof(ev));
	if (!idx) {
		memset(&init, 0, sizeof(init));
		memset(&x, 0, sizeof(x));
		entry_write(&init, &x, 0);
		memset(&ext, 0, sizeof(ext));
		ext.labels[0] = 1;
		ev.type = EVENT_NEW;
		op_insert(s->t, k, &init, &x, r & 2 ? &ext : NULL, &ev, cur,
		          &why);
		return;
	}
	op_update_begin(s->t, k->shard, idx);
	entry_write(table_conn(s->t, k->shard, idx),
	            table_detail(s->t, k->shard, idx), r & 1);
	/* some get an extension record, and keep it up to date */
	if (table_conn(s->t, k->shard, idx)->ext || r % 8 == 5) {
		e = op_update_ext(s->t, k->shard, idx);
		if (e)
			e->labels[0] =
				table_detail(s->t, k->shard, idx)->last_ns;
	}
	if (i >= NSTAY && r % 8 < 3) {
		ev.type = EVENT_DESTROY;
		op_delete_commit(s->t, k->shard, idx, slot, &ev, cur);
		return;
	}
	ev.type = r % 8 == 3 ? EVENT_UPDATE : EVENT_PAD;
	op_update_commit(s->t, k->shard, idx, &ev, cur);
}

static void writer(struct soak *s, uint32_t me)
{
	const struct ring_header *h = s->t->ring[me].hdr;

	/* the token of the dead predecessor is set by the kernel */
	while (proc_attach(s->t, me, 0))
		sched_yield();
	for (;;) {
		uint64_t r = soak_random(s);
		uint32_t i = (uint32_t)(r >> 32) % NKEY;

		shard_lock(s->t, s->key[i].shard);
		writer_op(s, i, r);
		shard_unlock(s->t, s->key[i].shard);
		/* a slow consumer is not what is tested */
		while (h->tail - shm_load(&s->tell->taken[me]) > CELLS / 2)
			usleep(100);
	}
}

/* ---- reader ---- */

struct last {
	uint64_t packets[NSTAY];
	uint32_t seen[NSTAY];
};

static void view_judge(struct soak *s, struct last *l,
                       const struct conn_view *v)
{
	uint32_t i = key_number(&v->conn.key);
	uint64_t n = v->conn.packets[0] + v->conn.packets[1];

	s->tell->torn += view_torn(v);
	if (i >= NSTAY)
		return;
	s->tell->back += n < l->packets[i];
	l->packets[i] = n;
	l->seen[i]++;
}

static void reader(struct soak *s)
{
	struct tell *w = s->tell;
	struct last l = {{0}, {0}};
	struct conn_view v;
	uint32_t i;

	while (shm_load(&w->stop) == RUN) {
		struct conn_walk walk = {0, 0};

		for (i = 0; i < NSTAY; i++) {
			int r = conn_lookup(s->t, &s->key[i], &v);

			w->lookups++;
			w->missed += r == 0;
			w->unread += r < 0;
			if (r > 0)
				view_judge(s, &l, &v);
		}
		memset(l.seen, 0, sizeof(l.seen));
		while (conn_walk(s->t, &walk, &v))
			view_judge(s, &l, &v);
		w->walks++;
		for (i = 0; i < NSTAY; i++) {
			w->missed += l.seen[i] == 0;
			w->twice += l.seen[i] > 1;
		}
	}
}

/* ---- consumer ---- */

static void event_judge(struct tell *w, const struct event_cell *e,
                        const struct event_more *m)
{
	uint32_t i = key_number(&e->key);
	uint64_t n = e->cells == 1 ? e->len / PER_CONN
	                           : m->packets[0] + m->packets[1];

	w->events++;
	if (i >= NKEY) {
		w->disorder++;
		return;
	}
	if (e->type == EVENT_NEW) {
		w->disorder += w->alive[i] != 0 || n != 1;
		w->alive[i] = e->id;
	} else {
		w->disorder += w->alive[i] != e->id || n <= w->packets[i];
		if (e->type == EVENT_DESTROY)
			w->alive[i] = 0;
	}
	w->packets[i] = n;
}

/* Takes what ring `m` has next; false: nothing, or the other ring's turn. */
static bool consumer_step(struct soak *s, uint32_t m, uint64_t next[SHARDS])
{
	const struct event_ring *g = &s->t->ring[m];
	struct tell *w = s->tell;
	uint64_t at = w->taken[m];
	struct event_cell e;
	struct event_more more;
	uint32_t sh;

	if (at == shm_load_acquire(&g->hdr->tail))
		return false;
	e = g->cell[at & g->mask];
	memcpy(&more, &g->cell[(at + 1) & g->mask], sizeof(more));
	sh = conn_id_shard(e.id);
	if (e.seq != at + 1 || (e.type != EVENT_PAD && sh >= SHARDS) ||
	    (e.cells == 2 && more.seq != (EVENT_CONT | (at + 2)))) {
		w->disorder++;
		shm_store_release(&w->taken[m], at + 1);
		return true;
	}
	if (e.type != EVENT_PAD) {
		if (e.shard_seq > next[sh])
			return false;
		if (e.shard_seq < next[sh])
			w->holes++;
		else
			next[sh]++;
		event_judge(w, &e, &more);
	}
	shm_store_release(&w->taken[m], at + e.cells);
	return true;
}

static void consumer(struct soak *s)
{
	uint64_t next[SHARDS];
	uint32_t sh;
	bool last, more;

	for (sh = 0; sh < SHARDS; sh++)
		next[sh] = 1;
	do {
		last = shm_load(&s->tell->stop) == CONSUMER_ENDS;
		do {
			more = consumer_step(s, 0, next);
			more |= consumer_step(s, 1, next);
		} while (more);
		sched_yield();
	} while (!last);
	for (sh = 0; sh < SHARDS; sh++)
		s->tell->holes += next[sh] != s->t->shard[sh].ev_seq + 1;
}

/* ---- all ---- */

static pid_t soak_fork(struct soak *s, void (*body)(struct soak *), int slot)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (body)
		body(s);
	else
		writer(s, (uint32_t)slot);
	_exit(0);
}

static bool soak_open(struct soak *s, uint64_t seed)
{
	uint32_t i;

	memset(s, 0, sizeof(*s));
	s->rnd = seed;
	s->t = table_make(20000, true, CELLS);
	s->tell = mmap(NULL, sizeof(*s->tell), PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!s->t || s->tell == MAP_FAILED)
		return false;
	s->t->nshard = SHARDS;
	/* few buckets: chains are linked and trimmed all the time */
	s->t->nbucket = 8;
	for (i = 0; i < SHARDS; i++)
		s->t->shard[i].ovf_bump = 8;
	for (i = 0; i < NKEY; i++) {
		struct conn_lookup *k = &s->key[i];

		*k = key_make(s->t, i, i % 3 == 0, (uint8_t)(i % SHARDS));
		k->key.port[1] = (uint16_t)i;
		k->hash = hash_key(s->t->key.hash, &k->key, &k->addr6);
	}
	for (i = 0; i < NSTAY; i++) {
		shard_lock(s->t, s->key[i].shard);
		writer_op(s, i, 0);
		shard_unlock(s->t, s->key[i].shard);
	}
	proc_detach(s->t);
	return true;
}

struct figures {
	uint64_t kills, stops, repairs, faults, differ, ended;
};

/* kills, stops and restarts */
static void soak_torment(struct soak *s, pid_t pid[NWRITER], uint64_t ns,
                         struct figures *f)
{
	uint64_t end = clock_mono_ns() + ns;
	uint32_t i;

	while (clock_mono_ns() < end) {
		uint64_t r = soak_random(s);

		usleep((useconds_t)(200 + r % 1500));
		i = r >> 20 & 1;
		if ((r >> 24) % 4 == 0) {
			kill(pid[i], SIGSTOP);
			f->stops++;
			usleep((useconds_t)((r >> 32) % 800));
			if (r >> 43 & 1) {
				kill(pid[i], SIGCONT);
				continue;
			}
		}
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		f->kills++;
		pid[i] = soak_fork(s, NULL, (int)i);
	}
}

static void soak_judge(struct soak *s, struct figures *f)
{
	struct conn_view v;
	uint32_t i;

	for (i = 0; i < SHARDS; i++) {
		f->faults += shard_faults(s->t, i) != 0;
		f->faults += s->t->shard[i].damaged;
		f->repairs += s->t->shard[i].repairs;
	}
	for (i = 0; i < NKEY; i++) {
		int r = conn_lookup(s->t, &s->key[i], &v);
		uint64_t id = r > 0 ? conn_id(v.conn.gen, v.shard, v.idx) : 0;

		f->differ += id != s->tell->alive[i];
	}
}

static int soak_run(uint64_t ns, uint64_t seed)
{
	struct figures f = {0};
	struct soak s;
	struct tell *w;
	pid_t pid[NWRITER], read_pid, take_pid;
	int status, bad = 0;
	uint32_t i;

	if (!soak_open(&s, seed))
		return -1;
	w = s.tell;
	read_pid = soak_fork(&s, reader, 0);
	take_pid = soak_fork(&s, consumer, 0);
	for (i = 0; i < NWRITER; i++)
		pid[i] = soak_fork(&s, NULL, (int)i);
	soak_torment(&s, pid, ns, &f);
	for (i = 0; i < NWRITER; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	/* what the last ones left */
	for (i = 0; i < NWRITER; i++) {
		bad += proc_attach(s.t, i, 0) != 0;
		proc_detach(s.t);
	}
	shm_store(&w->stop, READERS_END);
	waitpid(read_pid, &status, 0);
	bad += status != 0;
	shm_store(&w->stop, CONSUMER_ENDS);
	waitpid(take_pid, &status, 0);
	bad += status != 0;
	soak_judge(&s, &f);
	printf("soak: %llu kills, %llu stops, %llu repairs, %llu look-ups, "
	       "%llu walks, %llu events; %llu missed, %llu torn, %llu back, "
	       "%llu twice, %llu unread, %llu holes, %llu disorder, %llu "
	       "differ, %llu faults\n",
	       (unsigned long long)f.kills, (unsigned long long)f.stops,
	       (unsigned long long)f.repairs, (unsigned long long)w->lookups,
	       (unsigned long long)w->walks, (unsigned long long)w->events,
	       (unsigned long long)w->missed, (unsigned long long)w->torn,
	       (unsigned long long)w->back, (unsigned long long)w->twice,
	       (unsigned long long)w->unread, (unsigned long long)w->holes,
	       (unsigned long long)w->disorder, (unsigned long long)f.differ,
	       (unsigned long long)f.faults);
	if (w->missed || w->torn || w->back || w->twice || w->holes ||
	    w->disorder || f.differ || f.faults)
		bad++;
	/* proof that there was something to see */
	if (!f.kills || !w->lookups || !w->walks || !w->events)
		bad++;
	munmap(w, sizeof(*w));
	region_memory_free(s.t);
	return bad;
}

static void test_soak(void **state)
{
	(void)state;
	assert_int_equal(soak_run(5 * NS_PER_S, 5), 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_soak),
	};

	if (argc < 2)
		return cmocka_run_group_tests(tests, NULL, NULL);
	return soak_run(strtoull(argv[1], NULL, 10) * NS_PER_S,
	                argc > 2 ? strtoull(argv[2], NULL, 10) : 5)
	               ? 1
	               : 0;
}
