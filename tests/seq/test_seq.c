/*
 * test_seq.c - runs the scripts of this folder: packets, and what is known of
 * the connection after each.  README.md has the notation.
 *
 *	test_seq [FILE...]	without arguments: tests/seq, all *.seq
 *
 * The packets go the daemon's own way (tests/lib/rig.h); what is checked is
 * what readers of the table, subscribers and traces see.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/helper/helper.h"
#include "daemon/tracker/key.h"
#include "shm/clock.h"
#include "tests/lib/rig.h"
#include "tests/lib/script.h"

struct run {
	struct script s;
	struct rig g;
	unsigned int checks;
	/* the connection that is spoken of, and how it was at its end */
	bool any;
	struct conn_lookup look;
	struct event_slot end;
	/* as it is, or was */
	bool live;
	struct conn_view v;
};

static uint32_t now(const struct run *r)
{
	return table_tick_of(r->g.t, r->g.now_ns);
}

/* ---- the connection that is spoken of ---- */

static void remember_end(struct run *r)
{
	unsigned int i;

	for (i = 0; i < r->g.nevents; i++)
		if (r->g.event[i].cell.type == EVENT_DESTROY)
			r->end = r->g.event[i];
}

static bool ended(const struct run *r)
{
	return r->any && r->end.cell.type == EVENT_DESTROY &&
	       !memcmp(&r->end.cell.key, &r->look.key, sizeof(r->look.key));
}

static void look(struct run *r)
{
	r->live = r->any && rig_find(&r->g, &r->look, &r->v);
	if (r->live)
		return;
	memset(&r->v, 0, sizeof(r->v));
	r->v.conn.key = r->look.key;
	if (!ended(r))
		return;
	r->v.conn.status = r->end.cell.status;
	r->v.conn.state = r->end.cell.state;
	r->v.conn.mark = r->end.cell.mark;
	memcpy(r->v.conn.packets, r->end.more.packets,
	       sizeof(r->v.conn.packets));
	memcpy(r->v.conn.bytes, r->end.more.bytes, sizeof(r->v.conn.bytes));
	r->v.addr6 = r->end.cell.addr6;
}

static void key_of(struct run *r, const struct packet *b)
{
	struct conn_lookup k;
	struct pkt p;
	uint8_t id;
	bool land;

	packet_pkt(b, &p);
	if (pkt_parse(&p) == PKT_OK &&
	    key_of_packet(r->g.t, &p, tracker_find(&r->g.pol, p.l4proto, &id),
	                  &k, &land)) {
		r->look = k;
		r->any = true;
	}
}

static void addr_of(struct run *r, char host, union pkt_addr *a)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(r->s.v6 ? AF_INET6 : AF_INET, script_host(&r->s, host),
	              a->b) != 1)
		script_bad(&r->s, "no address of `%c`", host);
}

static struct conn_lookup key_of_ends(struct run *r,
                                      const struct script_ends *e)
{
	struct trk_tuple tp = {e->port[0], e->port[1]};
	union pkt_addr src, dst;
	struct conn_lookup k;

	addr_of(r, e->host[0], &src);
	addr_of(r, e->host[1], &dst);
	key_of_tuple(r->g.t, r->s.v6, &src, &dst, &tp, e->l4proto, 0, &k);
	return k;
}

static void say(void *arg, FILE *to)
{
	struct run *r = arg;
	const struct conn *c = &r->v.conn;
	const char *state = NULL;

	look(r);
	if (r->any)
		state = tracker_state_name(c->key.l4proto, c->state);
	fprintf(to, "  %s, state %s, %lld ms left, status %#x, mark %u\n",
	        r->live ? "live" : "gone", state ? state : "-",
	        (long long)tick_left(c->deadline, now(r)), c->status, c->mark);
	if (r->g.told)
		fprintf(to, "  verdict %u, class %u, why: %s\n",
		        r->g.rec.verdict, r->g.rec.info, r->g.rec.why);
}

/* ---- what must be true ---- */

static const struct {
	const char *name;
	uint8_t class;
} classes[] = {
	{"new", CTINFO_NEW},
	{"est", CTINFO_ESTABLISHED},
	{"reply", CTINFO_ESTABLISHED_REPLY},
	{"related", CTINFO_RELATED},
	{"related-reply", CTINFO_RELATED_REPLY},
	{"invalid", CTINFO_INVALID},
	{"untracked", CTINFO_UNTRACKED},
};

static const struct {
	const char *name;
	uint32_t bit;
	bool set;
} flags[] = {
	{"assured", CONN_ASSURED, true},
	{"unassured", CONN_ASSURED, false},
	{"replied", CONN_SEEN_REPLY, true},
	{"unreplied", CONN_SEEN_REPLY, false},
	{"expected", CONN_EXPECTED, true},
	{"unexpected", CONN_EXPECTED, false},
	{"oneway", CONN_ONE_WAY, true},
	{"bothways", CONN_ONE_WAY, false},
};

static bool want_class(struct run *r, const char *w)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		if (strcmp(w, classes[i].name))
			continue;
		if (!r->g.told || r->g.rec.info != classes[i].class)
			script_bad(&r->s, "class is not %s", w);
		return true;
	}
	return false;
}

static bool want_flag(struct run *r, const char *w)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		if (strcmp(w, flags[i].name))
			continue;
		if ((!r->live && !ended(r)) ||
		    !!(r->v.conn.status & flags[i].bit) != flags[i].set)
			script_bad(&r->s, "not %s", w);
		return true;
	}
	return false;
}

static void want_left(struct run *r, const char *w)
{
	int64_t left = tick_left(r->v.conn.deadline, now(r));

	if (!r->live || left / TICK_PER_S != script_number(&r->s, w))
		script_bad(&r->s, "not %s seconds left", w);
}

static void want_state(struct run *r, const char *w)
{
	const struct conn *c = &r->v.conn;
	const char *name = tracker_state_name(c->key.l4proto, c->state);

	if ((!r->live && !ended(r)) || !name || strcmp(name, w))
		script_bad(&r->s, "state is not %s", w);
}

static char *more(struct run *r, const char *after)
{
	return script_word_must(&r->s, after);
}

static void want_number(struct run *r, const char *what, uint64_t have)
{
	if (have != script_number(&r->s, more(r, what)))
		script_bad(&r->s, "%s is %llu", what, (unsigned long long)have);
}

static void want_text(struct run *r, const char *what, const char *have)
{
	const char *w = more(r, what);

	if (strcmp(have && *have ? have : "-", w) != 0)
		script_bad(&r->s, "%s is %s, not %s", what,
		           have && *have ? have : "-", w);
}

static void want_live(struct run *r, const char *w)
{
	if (r->live != (*w == 'l'))
		script_bad(&r->s, "not %s", w);
}

static void want_ignored(struct run *r, const char *w)
{
	uint8_t verdict = *w == 'i'   ? TRACE_IGNORED
	                  : *w == 'h' ? TRACE_HELD
	                              : TRACE_REFUSED;

	if (!r->g.told || r->g.rec.verdict != verdict)
		script_bad(&r->s, "not %s", w);
}

/* no trace tells of it */
static void want_untold(struct run *r, const char *w)
{
	if (r->g.told)
		script_bad(&r->s, "not %s", w);
}

/* the address that sent first */
static void want_from(struct run *r, const char *w)
{
	const struct conn *c = &r->v.conn;
	const char *host = more(r, w);
	unsigned int i = !!(c->status & CONN_ORIG1);
	union pkt_addr a;

	addr_of(r, *host, &a);
	if (c->key.flags & KEY_V6 ? memcmp(&a, r->v.addr6.a[i], 16) != 0
	                          : a.w[0] != c->key.addr[i])
		script_bad(&r->s, "the other side is ORIGINAL");
}

static void want_counts(struct run *r, const char *w, const uint64_t have[2])
{
	uint32_t want[2];

	script_pair(&r->s, more(r, w), want);
	if (have[0] != want[0] || have[1] != want[1])
		script_bad(&r->s, "%s are %llu/%llu", w,
		           (unsigned long long)have[0],
		           (unsigned long long)have[1]);
}

static void want_pkts(struct run *r, const char *w)
{
	want_counts(r, w, r->v.conn.packets);
}

static void want_bytes(struct run *r, const char *w)
{
	want_counts(r, w, r->v.conn.bytes);
}

static void want_events(struct run *r, const char *w)
{
	static const char *const names[] = {
		[EVENT_NEW] = "NEW",
		[EVENT_UPDATE] = "UPDATE",
		[EVENT_DESTROY] = "DESTROY",
		[EVENT_GAP] = "GAP",
		[EVENT_EXP_NEW] = "EXP_NEW",
		[EVENT_EXP_DESTROY] = "EXP_DESTROY"};
	char have[RIG_EVENTS * 16] = "";
	unsigned int i;
	int n = 0;

	for (i = 0; i < r->g.nevents; i++)
		n += snprintf(have + n, sizeof(have) - (size_t)n, "%s%s",
		              i ? "," : "", names[r->g.event[i].cell.type]);
	want_text(r, w, have);
}

/* the seconds of the script at which the last one ended, and why */
static void want_ended(struct run *r, const char *w)
{
	static const char *const words[] = {
#define X(name, word) word,
		CONN_REASONS(X)
#undef X
	};
	const char *at = more(r, w);
	uint64_t ms = script_ms(&r->s, at);
	const struct event_cell *c = &r->end.cell;

	if (!ended(r) || (c->ts_ns - RIG_T0) / NS_PER_MS != ms)
		script_bad(&r->s, "it ended at %llu ms",
		           ended(r) ? (unsigned long long)(c->ts_ns - RIG_T0) /
		                              NS_PER_MS
		                    : 0);
	want_text(r, "reason",
	          c->reason < ARRAY_SIZE(words) ? words[c->reason] : "?");
}

static void want_by(struct run *r, const char *w)
{
	static const char *const words[] = {
#define X(name, word) word,
		CONN_DIRS(X)
#undef X
	};
	uint32_t by = (r->v.conn.status & CONN_DIR_MASK) >> CONN_DIR_SHIFT;

	want_text(r, w, by < ARRAY_SIZE(words) ? words[by] : "?");
}

static void want_fix(struct run *r, const char *w)
{
	static const char *const words[] = {
#define X(name, word) word,
		CONN_FIXES(X)
#undef X
	};
	static const unsigned int counter[] = {
#define X(name, word) CTR_MIRROR_##name,
		CONN_FIXES(X)
#undef X
	};
	char have[64] = "";
	unsigned int i;
	int n = 0;

	for (i = 0; i < CONN_NFIX; i++)
		if (rig_counted(&r->g, counter[i]))
			n += snprintf(have + n, sizeof(have) - (size_t)n,
			              "%s%s", n ? "," : "", words[i]);
	want_text(r, w, have);
}

static void want_lost(struct run *r, const char *w)
{
	want_number(r, w, rig_counted(&r->g, CTR_MIRROR_LOST));
}

static void want_why(struct run *r, const char *w)
{
	const char *want = r->s.words + strspn(r->s.words, " \t");

	if (!*want)
		script_bad(&r->s, "a text must follow `%s`", w);
	if (!r->g.told || !strstr(r->g.rec.why, want))
		script_bad(&r->s, "the reason is `%s`",
		           r->g.told ? r->g.rec.why : "");
	r->s.words += strlen(r->s.words);
}

static void want_mark(struct run *r, const char *w)
{
	want_number(r, w, r->v.conn.mark);
}

static void want_helper(struct run *r, const char *w)
{
	uint8_t n = r->live && r->v.conn.ext ? r->v.ext.helper : 0;

	want_text(r, w, n ? helper_name(n) : "");
}

/* its master's ends, `-` for none, `gone` for one that has ended */
static void want_master(struct run *r, const char *w)
{
	uint64_t id = r->live && r->v.conn.ext ? r->v.ext.master : 0;
	const char *want = more(r, w);
	struct conn_view v, master;
	struct script_ends e;
	struct conn_lookup k;

	if (!strcmp(want, "-") || !strcmp(want, "gone")) {
		if ((id && rig_find_id(&r->g, id, &v)) ||
		    !!id != (*want == 'g'))
			script_bad(&r->s, "the master is not %s", want);
		return;
	}
	e = script_ends(&r->s, want, 6);
	k = key_of_ends(r, &e);
	if (!id || !rig_find(&r->g, &k, &master) ||
	    conn_id(master.conn.gen, master.shard, master.idx) != id)
		script_bad(&r->s, "%s is not its master", want);
}

static bool expect_is(struct run *r, const struct expect *e, char host,
                      uint32_t port, uint8_t l4proto)
{
	union pkt_addr a;

	addr_of(r, host, &a);
	return !memcmp(e->dst, &a, sizeof(e->dst)) && e->dport == port &&
	       e->l4proto == l4proto;
}

/* "A:51211", "A:51211/udp"; then its seconds left */
static void want_expect(struct run *r, const char *w)
{
	char *text = more(r, w);
	struct conn_walk walk = {0, 0};
	struct script_ends ends;
	char both[64];
	struct expect e;

	snprintf(both, sizeof(both), "C>%s", text);
	ends = script_ends(&r->s, both, 6);
	while (expect_walk(r->g.t, &walk, &e)) {
		if (e.info.flags & EXPECT_KEYMAP ||
		    !expect_is(r, &e, ends.host[1], ends.port[1], ends.l4proto))
			continue;
		want_text(r, "flag",
		          e.info.flags & EXPECT_INACTIVE ? "inactive"
		                                         : "active");
		want_number(r, "seconds left",
		            (uint64_t)tick_left(e.deadline, now(r)) /
		                    TICK_PER_S);
		return;
	}
	script_bad(&r->s, "%s is not expected", text);
}

static void want_expects(struct run *r, const char *w)
{
	struct conn_walk walk = {0, 0};
	struct expect e;
	uint64_t n = 0;

	while (expect_walk(r->g.t, &walk, &e))
		n += !(e.info.flags & EXPECT_KEYMAP) &&
		     !tick_expired(e.deadline, now(r));
	want_number(r, w, n);
}

/* all that the table holds, expired ones too */
static void want_table(struct run *r, const char *w)
{
	want_number(r, w, table_count(r->g.t));
}

/* a counter since the start */
static void want_stat(struct run *r, const char *w)
{
	const char *name = more(r, w);
	unsigned int c = rig_counter_find(name);

	if (c == STATS_SLOTS)
		script_bad(&r->s, "no counter `%s`", name);
	want_number(r, name, rig_counter(&r->g, c));
}

/* the fragments of the datagram that the trace tells of */
static void want_frags(struct run *r, const char *w)
{
	want_number(r, w, r->g.told ? r->g.rec.nfrags : 0);
}

/* the other frames of it, counted since the start */
static void want_frames(struct run *r, const char *w)
{
	char have[256] = "";
	uint32_t i;
	int n = 0;

	for (i = 0; r->g.told && i < r->g.rec.nframes; i++)
		n += snprintf(have + n, sizeof(have) - (size_t)n, "%s%llu",
		              i ? "," : "",
		              (unsigned long long)r->g.rec.frag_frame[i]);
	want_text(r, w, have);
}

static void want_of(struct run *r, const char *w)
{
	struct script_ends e = script_ends(&r->s, more(r, w), 6);

	r->look = key_of_ends(r, &e);
	r->any = true;
	look(r);
}

static const struct {
	const char *name;
	void (*want)(struct run *r, const char *w);
} words[] = {
	{"gone", want_live},       {"live", want_live},
	{"ignored", want_ignored}, {"from", want_from},
	{"pkts", want_pkts},       {"bytes", want_bytes},
	{"ev", want_events},       {"ended", want_ended},
	{"by", want_by},           {"fix", want_fix},
	{"lost", want_lost},       {"why", want_why},
	{"mark", want_mark},       {"helper", want_helper},
	{"master", want_master},   {"expect", want_expect},
	{"expects", want_expects}, {"table", want_table},
	{"stat", want_stat},       {"frags", want_frags},
	{"frames", want_frames},   {"held", want_ignored},
	{"refused", want_ignored}, {"untold", want_untold},
	{"of", want_of},
};

static void want(struct run *r, const char *w)
{
	unsigned int i;

	r->checks++;
	if (want_class(r, w) || want_flag(r, w))
		return;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(w, words[i].name)) {
			words[i].want(r, w);
			return;
		}
	if (*w >= '0' && *w <= '9')
		want_left(r, w);
	else if (*w >= 'A' && *w <= 'Z')
		want_state(r, w);
	else
		script_bad(&r->s, "`%s` cannot be checked", w);
}

static void wants(struct run *r)
{
	struct conn_lookup last = r->look;
	const char *w;

	look(r);
	while ((w = script_word(&r->s)))
		want(r, w);
	r->look = last;
}

/* ---- statements ---- */

static bool set_timeout(struct run *r, const char *key, uint32_t value)
{
	struct policy *pol = &r->g.pol;
	const struct tracker *t;
	unsigned int id, i;

	for (id = 0; (t = tracker_at(id)); id++) {
		for (i = 0; i < t->ntimeouts; i++)
			if (t->timeouts[i].key &&
			    !strcmp(t->timeouts[i].key, key)) {
				pol->timeout[id][t->timeouts[i].slot] = value;
				return true;
			}
		for (i = 0; i < t->noptions; i++)
			if (!strcmp(t->options[i].key, key)) {
				pol->option[id][t->options[i].slot] = value;
				return true;
			}
	}
	return false;
}

static void set(struct run *r)
{
	const char *key = more(r, "set");
	uint32_t value = script_number(&r->s, more(r, key));

	if (!strcmp(key, "checksum"))
		r->g.pol.checksum = (uint8_t)value;
	else if (!strcmp(key, "max"))
		r->g.pol.max = value;
	else if (!set_timeout(r, key, value))
		script_bad(&r->s, "no key `%s`", key);
}

static void start(struct run *r)
{
	rig_open(&r->g);
	r->g.pol.duplicates = DUPLICATES_OFF;
	r->s.v6 = r->any = false;
	r->end.cell.type = EVENT_PAD;
	r->s.quoted.len = 0;
}

static void finish(struct run *r)
{
	if (rig_close(&r->g))
		script_bad(&r->s, "the table is not sound");
}

static void reset(struct run *r)
{
	finish(r);
	start(r);
}

static void ip6(struct run *r)
{
	r->s.v6 = true;
}

static void mirror(struct run *r)
{
	r->g.pol.tcp_mode = TCP_MODE_MIRROR;
}

static void one_way(struct run *r)
{
	struct policy *pol = &r->g.pol;

	pol->nrule = 1;
	pol->rule[0].gives = RULE_ONE_WAY;
	pol->rule[0].one_way = 1;
	pol->rule_gives |= RULE_ONE_WAY;
}

static uint64_t current(struct run *r)
{
	look(r);
	if (!r->live)
		script_bad(&r->s, "there is no connection");
	return conn_id(r->v.conn.gen, r->v.shard, r->v.idx);
}

static void mark(struct run *r)
{
	uint64_t id = current(r);

	if (rig_mark(&r->g, id, script_number(&r->s, more(r, "mark"))))
		script_bad(&r->s, "it cannot be marked");
}

static void delete (struct run *r)
{
	const char *w = script_word(&r->s);
	struct script_ends e;

	if (w) {
		e = script_ends(&r->s, w, 6);
		r->look = key_of_ends(r, &e);
	}
	if (rig_delete(&r->g, current(r)))
		script_bad(&r->s, "it cannot be deleted");
	remember_end(r);
}

static void sweep(struct run *r)
{
	rig_sweep(&r->g);
	remember_end(r);
}

/* time passes, and nobody does anything */
static void sleeps(struct run *r)
{
	const char *w = more(r, "sleep");

	r->g.now_ns += script_ms(&r->s, w) * NS_PER_MS;
}

/* a packet that only one who quotes it has seen */
static void unseen(struct run *r)
{
	script_packet(&r->s, more(r, "unseen"));
}

static void packet(struct run *r, const char *who)
{
	struct script_frame *f = &r->s.frame;
	struct pkt p;

	script_packet(&r->s, who);
	packet_pkt(&f->sent, &p);
	rig_send(&r->g, &p);
	/* an error speaks of what it quotes */
	key_of(r, f->error ? &r->s.quoted : &f->whole);
	remember_end(r);
}

static const struct {
	const char *name;
	void (*run)(struct run *r);
} statements[] = {
	{"=", wants},      {"set", set},       {"reset", reset},
	{"ip6", ip6},      {"mirror", mirror}, {"one-way", one_way},
	{"mark", mark},    {"delete", delete}, {"sweep", sweep},
	{"sleep", sleeps}, {"unseen", unseen},
};

static void statement(struct run *r)
{
	char *w = script_first(&r->s);
	unsigned int i;

	if (w && *w == '+') {
		r->g.now_ns += script_ms(&r->s, w + 1) * NS_PER_MS;
		w = script_word(&r->s);
		if (!w) /* a packet would meet the expired one itself */
			sweep(r);
	}
	if (!w)
		return;
	for (i = 0; i < ARRAY_SIZE(statements); i++)
		if (!strcmp(w, statements[i].name))
			break;
	if (i < ARRAY_SIZE(statements))
		statements[i].run(r);
	else if (strchr(w, '>'))
		packet(r, w);
	else
		script_bad(&r->s, "`%s` is no statement", w);
	if ((w = script_word(&r->s)))
		script_bad(&r->s, "`%s` is one word too many", w);
}

static void run_script(void **state)
{
	static struct run r;
	FILE *f;

	memset(&r, 0, sizeof(r));
	r.s.path = *state;
	r.s.arg = &r;
	r.s.say = say;
	r.s.ip_id = 7;
	start(&r);
	f = fopen(r.s.path, "r");
	if (!f)
		fail_msg("%s: %s", r.s.path, strerror(errno));
	while (script_next(&r.s, f))
		statement(&r);
	fclose(f);
	finish(&r);
	/* a script that checks nothing must not look like one that passed */
	if (!r.checks)
		script_bad(&r.s, "nothing was checked");
}

int main(int argc, char **argv)
{
	struct CMUnitTest *tests;
	glob_t g = {0};
	char **path = argv + 1;
	size_t n = (size_t)argc - 1, i;
	int rc;

	if (!n && glob("tests/seq/*.seq", 0, NULL, &g) == 0) {
		path = g.gl_pathv;
		n = g.gl_pathc;
	}
	if (!n) {
		fprintf(stderr, "test_seq: no scripts in tests/seq\n");
		return 1;
	}
	tests = calloc(n, sizeof(*tests));
	if (!tests)
		return 1;
	for (i = 0; i < n; i++) {
		tests[i].name = path[i];
		tests[i].test_func = run_script;
		tests[i].initial_state = path[i];
	}
	rc = _cmocka_run_group_tests("seq", tests, n, NULL, NULL);
	free(tests);
	globfree(&g);
	return rc;
}
