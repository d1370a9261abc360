/*
 * test_seq.c - runs the scripts in tests/seq: packets, and what is known of
 * the connection after each.
 *
 *	test_seq [FILE...]	without arguments: tests/seq, all *.seq
 *
 * One statement a line; `#` begins a comment.  A and B are two hosts,
 * 10.0.0.1 port 1024 and 10.0.1.1 port 80 (fd00::1 and fd01::1 after `ip6`);
 * one connection at a time.
 *
 *	reset			nothing tracked, defaults, time 0
 *	ip6			the next packets are IPv6
 *	set KEY VALUE		timeout or option by its sysctl's name
 *	mirror			the rules of a mirror from here on
 *	one-way			and the interface shows one side alone
 *	+2.2			this many seconds pass; may stand before a
 *packet A> FLAGS SEQ[/ACK] [len N] [win N] [<OPTIONS>] [cap N] [doff N]
 *[badsum] a TCP segment of A: letters of F S R P A U E C, or `0`; window 65535
 *unless given; options as mss N, wscale N, sackok, sack L-R, nop, eol, with
 *				commas between; cap: bytes of layer 4 captured;
 *				doff: a false header length, in words
 *	B> udp N		a datagram with N bytes, likewise for `A>`
 *	= WORD...		what must be true now:
 *		SYN_SENT ...	the state's name
 *		120		seconds left, rounded down
 *		new est reply related invalid
 *				class of the last packet
 *		ignored		it neither refreshed nor counted
 *		gone, live	no connection, or one
 *		assured unassured replied unreplied
 *		from A		who is ORIGINAL
 *		pkts N/M	packets of the original and reply direction
 *		bytes N/M
 *		by WORD		how ORIGINAL is known: syn, synack, port ...
 *		fix X,Y		what was repaired with the last packet; `-` none
 *		lost N		bytes that it acknowledged and nobody saw
 *		oneway, bothways
 *		ev X,Y		events of the last packet, in order: NEW,
 *DESTROY, UPDATE; `ev -` for none why TEXT	the log line has TEXT in it;
 *ends the statement
 */
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/tick.h"
#include "tests/lib/mini.h"
#include "tests/lib/packet.h"

#define LINE_MAX_LEN 512

struct run {
	const char *path;
	unsigned int line;
	unsigned int checks;
	bool v6;
	struct mini m;
	struct packet b;
	char *words; /* what strtok_r() has left */
	char *opts;  /* what stood between < and >, or NULL */
};

static void bad(const struct run *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

static void bad(const struct run *r, const char *fmt, ...)
{
	const char *state =
		tracker_state_name(r->m.conn.key.l4proto, r->m.conn.state);
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail_msg("%s:%u: %s (%s, state %s, %lld ms left, verdict %d, class %d, "
	         "why: %s)",
	         r->path, r->line, text, r->m.alive ? "live" : "gone",
	         state ? state : "-",
	         (long long)tick_left(r->m.conn.deadline, r->m.now),
	         r->m.verdict, r->m.class, r->m.why ? r->m.why : "-");
	abort(); /* fail_msg() does not return, but its type says it may */
}

static char *word(struct run *r)
{
	return strtok_r(NULL, " \t", &r->words);
}

static char *word_must(struct run *r, const char *after)
{
	char *w = word(r);

	if (!w)
		bad(r, "something must follow `%s`", after);
	return w;
}

static uint32_t number(const struct run *r, const char *text, char **end)
{
	char *e;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &e, 0);
	if (e == text || errno || v > UINT32_MAX || (!end && *e))
		bad(r, "`%s` is not a number", text);
	if (end)
		*end = e;
	return (uint32_t)v;
}

/* "N/M", or "N" for N/0 */
static void pair(const struct run *r, const char *text, uint32_t v[2])
{
	char *end;

	v[0] = number(r, text, &end);
	v[1] = *end == '/' ? number(r, end + 1, NULL) : 0;
	if (*end != '/' && *end)
		bad(r, "`%s` is not N/M", text);
}

/* ---- packets ---- */

static uint8_t flags_of(const struct run *r, const char *text)
{
	static const char letters[] = "FSRPAUEC";
	const char *at;
	uint8_t flags = 0;

	if (!strcmp(text, "0"))
		return 0;
	for (; *text; text++) {
		at = strchr(letters, *text);
		if (!at)
			bad(r, "no flag `%c`", *text);
		flags |= (uint8_t)(1u << (at - letters));
	}
	return flags;
}

/* "NAME", "NAME N" or "NAME N-M" */
static void option(struct run *r, char *text)
{
	char *save, *end, *name = strtok_r(text, " \t", &save);
	const char *value = name ? strtok_r(NULL, " \t", &save) : NULL;
	uint32_t a = 0;
	uint8_t mss[2];

	if (!name)
		bad(r, "an empty option");
	if (value)
		a = number(r, value, &end);
	if (!value && (!strcmp(name, "eol") || !strcmp(name, "nop"))) {
		packet_tcp_option(&r->b, *name == 'n', NULL, 0);
	} else if (!value && !strcmp(name, "sackok")) {
		packet_tcp_option(&r->b, 4, "", 0);
	} else if (value && !*end && !strcmp(name, "mss")) {
		put16(mss, (uint16_t)a);
		packet_tcp_option(&r->b, 2, mss, sizeof(mss));
	} else if (value && !*end && !strcmp(name, "wscale")) {
		packet_tcp_wscale(&r->b, (uint8_t)a);
	} else if (value && *end == '-' && !strcmp(name, "sack")) {
		packet_tcp_sack(&r->b, a, number(r, end + 1, NULL));
	} else {
		bad(r, "no option `%s`", name);
	}
}

static void options(struct run *r, char *list)
{
	char *save, *one;

	for (one = strtok_r(list, ",", &save); one;
	     one = strtok_r(NULL, ",", &save))
		option(r, one);
	packet_tcp_pad(&r->b);
}

struct extras {
	uint32_t len, win, cap, doff;
	bool badsum;
};

static struct extras extras_of(struct run *r)
{
	struct extras x = {.win = 65535, .cap = UINT32_MAX, .doff = UINT32_MAX};
	char *w;

	while ((w = word(r))) {
		if (!strcmp(w, "len"))
			x.len = number(r, word_must(r, w), NULL);
		else if (!strcmp(w, "win"))
			x.win = number(r, word_must(r, w), NULL);
		else if (!strcmp(w, "cap"))
			x.cap = number(r, word_must(r, w), NULL);
		else if (!strcmp(w, "doff"))
			x.doff = number(r, word_must(r, w), NULL);
		else if (!strcmp(w, "badsum"))
			x.badsum = true;
		else
			bad(r, "`%s` is not of a packet", w);
	}
	return x;
}

static void ip_header(struct run *r, uint8_t side)
{
	static const char *const v4[2] = {"10.0.0.1", "10.0.1.1"};
	static const char *const v6[2] = {"fd00::1", "fd01::1"};

	packet_begin(&r->b);
	packet_eth(&r->b);
	if (r->v6)
		packet_ip6(&r->b, v6[side], v6[!side]);
	else
		packet_ip4(&r->b, v4[side], v4[!side]);
}

static void tcp_segment(struct run *r, uint8_t side, const char *flags)
{
	static const uint16_t port[2] = {1024, 80};
	uint32_t nums[2];
	struct extras x;
	uint8_t *h;

	pair(r, word_must(r, flags), nums);
	x = extras_of(r);
	h = packet_tcp(&r->b, port[side], port[!side], nums[0], nums[1],
	               flags_of(r, flags), (uint16_t)x.win);
	if (r->opts)
		options(r, r->opts);
	packet_fill(&r->b, 'd', x.len);
	if (x.doff < 16)
		h[12] = (uint8_t)(x.doff << 4);
	packet_end(&r->b);
	if (x.badsum)
		h[16] ^= 0x55;
	if (x.cap < UINT32_MAX)
		r->b.len = packet_at(&r->b, PACKET_TCP) + x.cap;
}

static void datagram(struct run *r, uint8_t side)
{
	static const uint16_t port[2] = {1024, 53};

	packet_udp(&r->b, port[side], port[!side]);
	packet_fill(&r->b, 'd', number(r, word_must(r, "udp"), NULL));
	packet_end(&r->b);
}

static void packet(struct run *r, const char *who)
{
	uint8_t side = *who == 'B';
	char *flags = word_must(r, who);
	struct pkt p;

	ip_header(r, side);
	if (!strcmp(flags, "udp"))
		datagram(r, side);
	else
		tcp_segment(r, side, flags);
	packet_pkt(&r->b, &p);
	if (pkt_parse(&p) != PKT_OK)
		bad(r, "the frame cannot be parsed: %s",
		    pkt_reason_name(p.reason));
	mini_packet(&r->m, &p, side);
}

/* ---- what must be true ---- */

static const struct {
	const char *name;
	enum ctinfo class;
} classes[] = {
	{"new", CTINFO_NEW},
	{"est", CTINFO_ESTABLISHED},
	{"reply", CTINFO_ESTABLISHED_REPLY},
	{"related", CTINFO_RELATED},
	{"invalid", CTINFO_INVALID},
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
	{"oneway", CONN_ONE_WAY, true},
	{"bothways", CONN_ONE_WAY, false},
};

static bool want_class(const struct run *r, const char *w)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		if (strcmp(w, classes[i].name))
			continue;
		if (r->m.class != classes[i].class)
			bad(r, "class is not %s", w);
		return true;
	}
	return false;
}

static bool want_flag(const struct run *r, const char *w)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		if (strcmp(w, flags[i].name))
			continue;
		if (!!(r->m.conn.status & flags[i].bit) != flags[i].set)
			bad(r, "not %s", w);
		return true;
	}
	return false;
}

static void want_left(const struct run *r, const char *w)
{
	int64_t left = tick_left(r->m.conn.deadline, r->m.now);

	if (!r->m.alive || left / TICK_PER_S != number(r, w, NULL))
		bad(r, "not %s seconds left", w);
}

static void want_state(const struct run *r, const char *w)
{
	const char *name =
		tracker_state_name(r->m.conn.key.l4proto, r->m.conn.state);

	if (!name || strcmp(name, w))
		bad(r, "state is not %s", w);
}

static void want_counts(struct run *r, const char *w, const uint64_t have[2])
{
	uint32_t want[2];

	pair(r, word_must(r, w), want);
	if (have[0] != want[0] || have[1] != want[1])
		bad(r, "%s are %llu/%llu", w, (unsigned long long)have[0],
		    (unsigned long long)have[1]);
}

static const char *event_name(uint16_t bits)
{
	if (bits & EVB_NEW)
		return "NEW";
	return bits & EVB_DESTROY ? "DESTROY" : "UPDATE";
}

static void want_events(struct run *r)
{
	const char *want = word_must(r, "ev");
	char have[64] = "-";
	unsigned int i;
	int n = 0;

	for (i = 0; i < r->m.nevents; i++)
		n += snprintf(have + n, sizeof(have) - (size_t)n, "%s%s",
		              i ? "," : "", event_name(r->m.event[i]));
	if (strcmp(want, have) != 0)
		bad(r, "events are %s, not %s", have, want);
}

static void want_by(struct run *r)
{
	static const char *const words[] = {
#define X(name, word) word,
		CONN_DIRS(X)
#undef X
	};
	uint32_t by = (r->m.conn.status & CONN_DIR_MASK) >> CONN_DIR_SHIFT;
	const char *want = word_must(r, "by");

	if (by >= ARRAY_SIZE(words) || strcmp(words[by], want))
		bad(r, "the direction is known by %u", by);
}

static void want_fix(struct run *r)
{
	static const char *const words[] = {
#define X(name, word) word,
		CONN_FIXES(X)
#undef X
	};
	const char *want = word_must(r, "fix");
	char have[64] = "-";
	unsigned int i;
	int n = 0;

	for (i = 0; i < CONN_NFIX; i++)
		if (r->m.repairs >> i & 1)
			n += snprintf(have + n, sizeof(have) - (size_t)n,
			              "%s%s", n ? "," : "", words[i]);
	if (strcmp(want, have) != 0)
		bad(r, "repaired is %s, not %s", have, want);
}

static void want_why(struct run *r)
{
	const char *want = r->words + strspn(r->words, " \t");
	char have[256] = "";

	if (!*want)
		bad(r, "a text must follow `why`");
	if (r->m.why)
	/* the tracker's text is a format for two numbers */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(have, sizeof(have), r->m.why, r->m.why_arg[0],
		         r->m.why_arg[1]);
#pragma GCC diagnostic pop
	if (!strstr(have, want))
		bad(r, "the log line is `%s`", have);
	*r->words = 0;
}

static void want(struct run *r, const char *w)
{
	r->checks++;
	if (want_class(r, w) || want_flag(r, w))
		return;
	if (*w >= '0' && *w <= '9')
		want_left(r, w);
	else if (*w >= 'A' && *w <= 'Z')
		want_state(r, w);
	else if (!strcmp(w, "gone") || !strcmp(w, "live")) {
		if (r->m.alive != (*w == 'l'))
			bad(r, "not %s", w);
	} else if (!strcmp(w, "ignored")) {
		if (r->m.verdict != TRK_IGNORE)
			bad(r, "not ignored");
	} else if (!strcmp(w, "from")) {
		if (r->m.owner != (*word_must(r, w) == 'B'))
			bad(r, "the other side is ORIGINAL");
	} else if (!strcmp(w, "pkts")) {
		want_counts(r, w, r->m.conn.packets);
	} else if (!strcmp(w, "bytes")) {
		want_counts(r, w, r->m.conn.bytes);
	} else if (!strcmp(w, "ev")) {
		want_events(r);
	} else if (!strcmp(w, "by")) {
		want_by(r);
	} else if (!strcmp(w, "fix")) {
		want_fix(r);
	} else if (!strcmp(w, "lost")) {
		if (r->m.lost != number(r, word_must(r, w), NULL))
			bad(r, "lost are %u", r->m.lost);
	} else if (!strcmp(w, "why")) {
		want_why(r);
	} else {
		bad(r, "`%s` cannot be checked", w);
	}
}

/* ---- statements ---- */

static void set(struct run *r)
{
	const char *key = word_must(r, "set");
	uint32_t value = number(r, word_must(r, key), NULL);
	const struct tracker *t;
	unsigned int id, i;

	for (id = 0; (t = tracker_at(id)); id++) {
		for (i = 0; i < t->ntimeouts; i++)
			if (t->timeouts[i].key &&
			    !strcmp(t->timeouts[i].key, key)) {
				r->m.pol.timeout[id][t->timeouts[i].slot] =
					value;
				return;
			}
		for (i = 0; i < t->noptions; i++)
			if (!strcmp(t->options[i].key, key)) {
				r->m.pol.option[id][t->options[i].slot] = value;
				return;
			}
	}
	if (strcmp(key, "checksum"))
		bad(r, "no key `%s`", key);
	r->m.pol.checksum = (uint8_t)value;
}

static void reset(struct run *r)
{
	mini_start(&r->m);
	r->v6 = false;
}

/* takes <options> out of the line */
static void line_options(struct run *r, char *line)
{
	char *from = strchr(line, '<'), *to;

	r->opts = NULL;
	if (!from)
		return;
	to = strchr(from, '>');
	if (!to)
		bad(r, "options without an end");
	*to = 0;
	r->opts = strdup(from + 1);
	assert_non_null(r->opts);
	*to = ' ';
	memset(from, ' ', (size_t)(to - from));
}

static void statement(struct run *r, char *line)
{
	char *w;

	line[strcspn(line, "#\n")] = 0;
	line_options(r, line);
	w = strtok_r(line, " \t", &r->words);
	if (w && *w == '+') {
		r->m.now += (uint32_t)(strtod(w + 1, NULL) * 1000 + 0.5);
		w = word(r);
		if (!w) { /* a packet would meet the expired one itself */
			r->m.nevents = 0;
			mini_expire(&r->m);
		}
	}
	if (!w) {
	} else if (!strcmp(w, "A>") || !strcmp(w, "B>")) {
		packet(r, w);
	} else if (!strcmp(w, "=")) {
		while ((w = word(r)))
			want(r, w);
	} else if (!strcmp(w, "set")) {
		set(r);
	} else if (!strcmp(w, "reset")) {
		reset(r);
	} else if (!strcmp(w, "ip6")) {
		r->v6 = true;
	} else if (!strcmp(w, "mirror")) {
		r->m.mirror = true;
	} else if (!strcmp(w, "one-way")) {
		r->m.one_way = true;
	} else {
		bad(r, "`%s` is no statement", w);
	}
	free(r->opts);
}

static void run_script(void **state)
{
	static struct run r;
	char line[LINE_MAX_LEN];
	FILE *f;

	memset(&r, 0, sizeof(r));
	r.path = *state;
	reset(&r);
	f = fopen(r.path, "r");
	if (!f)
		fail_msg("%s: %s", r.path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		r.line++;
		if (!strchr(line, '\n'))
			bad(&r, "line too long, or the last without an end");
		statement(&r, line);
	}
	fclose(f);
	/* a script that checks nothing must not look like one that passed */
	if (!r.checks)
		bad(&r, "nothing was checked");
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
