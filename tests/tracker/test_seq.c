/*
 * test_seq.c - runs the scripts in tests/seq: packets, and what is known of
 * the connection after each.
 *
 *	test_seq [FILE...]	without arguments: tests/seq/(star).seq
 *
 * One statement a line; `#` begins a comment.  A and B are two hosts,
 * 10.0.0.1 port 1024 and 10.0.1.1 port 80 (fd00::1 and fd01::1 after `ip6`);
 * one connection at a time.
 *
 *	reset			nothing tracked, defaults, time 0
 *	ip6			the next packets are IPv6
 *	set KEY VALUE		timeout or option by its sysctl's name
 *	+2.2			this many seconds pass; may stand before a packet
 *	A> FLAGS SEQ[/ACK] [len N] [win N] [<OPTIONS>] [cap N] [doff N] [badsum]
 *				a TCP segment of A: letters of F S R P A U E C, or
 *				`0`; window 65535 unless given; options as
 *				mss N, wscale N, sackok, sack L-R, nop, eol, with
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
 *		ev X,Y		events of the last packet, in order: NEW, DESTROY,
 *				UPDATE; `ev -` for none
 *		why TEXT	the log line has TEXT in it; ends the statement
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
};

static void bad(const struct run *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

static void bad(const struct run *r, const char *fmt, ...)
{
	const char *state = tracker_state_name(r->m.conn.key.l4proto,
					       r->m.conn.state);
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
	abort(); /* fail_msg() does not return, but does not say so */
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

static void option(struct run *r, char *text)
{
	char name[16];
	uint8_t mss[2];
	uint32_t a = 0, b = 0;
	int n = sscanf(text, " %15s %u-%u", name, &a, &b);

	if (n < 1)
		bad(r, "an empty option");
	if (!strcmp(name, "eol") || !strcmp(name, "nop")) {
		packet_tcp_option(&r->b, *name == 'n', NULL, 0);
	} else if (!strcmp(name, "sackok")) {
		packet_tcp_option(&r->b, 4, "", 0);
	} else if (!strcmp(name, "mss") && n == 2) {
		put16(mss, (uint16_t)a);
		packet_tcp_option(&r->b, 2, mss, sizeof(mss));
	} else if (!strcmp(name, "wscale") && n == 2) {
		packet_tcp_wscale(&r->b, (uint8_t)a);
	} else if (!strcmp(name, "sack") && n == 3) {
		packet_tcp_sack(&r->b, a, b);
	} else {
		bad(r, "no option `%s`", text);
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
	struct extras x = {.win = 65535, .cap = UINT32_MAX};
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

static void tcp_segment(struct run *r, uint8_t side, const char *flags,
			char *opts)
{
	static const uint16_t port[2] = {1024, 80};
	uint32_t nums[2];
	struct extras x;
	uint8_t *h;

	pair(r, word_must(r, flags), nums);
	x = extras_of(r);
	h = packet_tcp(&r->b, port[side], port[!side], nums[0], nums[1],
		       flags_of(r, flags), (uint16_t)x.win);
	if (opts)
		options(r, opts);
	packet_fill(&r->b, 'd', x.len);
	if (x.doff)
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
	char *flags, *opts, *end;
	struct pkt p;

	opts = strchr(r->words, '<');
	if (opts) {
		*opts++ = ' ';
		end = strchr(opts, '>');
		if (!end)
			bad(r, "options without an end");
		*end = 0;
		/* keep what follows them, drop them from the words */
		opts = strdup(opts);
		memset(r->words + strcspn(r->words, "\0"), 0, 1);
	}
	flags = word_must(r, who);
	ip_header(r, side);
	if (!strcmp(flags, "udp"))
		datagram(r, side);
	else
		tcp_segment(r, side, flags, opts);
	free(opts);
	packet_pkt(&r->b, &p);
	if (pkt_parse(&p) != PKT_OK)
		bad(r, "the frame cannot be parsed: %s",
		    pkt_reason_name(p.reason));
	mini_packet(&r->m, &p, side);
}
