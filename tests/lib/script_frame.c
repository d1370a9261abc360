/* script_frame.c - see script.h: what a line says of a packet. */
#include "tests/lib/script.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* ---- words that any packet may have behind its own ---- */

struct extras {
	uint32_t len, win, cap, doff, quote, id, ttl, from, to;
	bool badsum, more;
};

/* "FROM-TO", "FROM-TO+": bytes of layer 4, and more follow */
static void fragment_of(struct script *s, const char *text, struct extras *x)
{
	char *end;

	x->from = (uint32_t)strtoul(text, &end, 0);
	if (end == text || *end != '-')
		script_bad(s, "`%s` is not FROM-TO", text);
	text = end + 1;
	x->to = (uint32_t)strtoul(text, &end, 0);
	x->more = *end == '+';
	if (end == text || end[x->more] || x->to < x->from || x->from % 8)
		script_bad(s, "`%s` is no fragment", text);
}

static struct extras extras_of(struct script *s, char *w)
{
	struct extras x = {.win = 65535,
	                   .cap = NONE,
	                   .doff = NONE,
	                   .quote = NONE,
	                   .ttl = 64};
	const struct {
		const char *name;
		uint32_t *to;
	} numbers[] = {{"len", &x.len},     {"win", &x.win}, {"cap", &x.cap},
	               {"doff", &x.doff},   {"id", &x.id},   {"ttl", &x.ttl},
	               {"quote", &x.quote}, {NULL, NULL}};
	unsigned int i;

	for (; w; w = script_word(s)) {
		for (i = 0; numbers[i].name; i++)
			if (!strcmp(w, numbers[i].name))
				break;
		if (numbers[i].name)
			*numbers[i].to =
				script_number(s, script_word_must(s, w));
		else if (!strcmp(w, "badsum"))
			x.badsum = true;
		else if (!strcmp(w, "frag"))
			fragment_of(s, script_word_must(s, w), &x);
		else
			script_bad(s, "`%s` is not of a packet", w);
	}
	return x;
}

static void payload(struct script *s, struct packet *b, const struct extras *x)
{
	packet_data(b, s->data, s->ndata);
	packet_fill(b, 'd', x->len);
}

/* ---- TCP ---- */

static uint8_t flags_of(struct script *s, const char *text)
{
	static const char letters[] = "FSRPAUEC";
	const char *at;
	uint8_t flags = 0;

	if (!strcmp(text, "0"))
		return 0;
	for (; *text; text++) {
		at = strchr(letters, *text);
		if (!at)
			script_bad(s, "no flag `%c`", *text);
		flags |= (uint8_t)(1u << (at - letters));
	}
	return flags;
}

/* "NAME", "NAME N" or "NAME N-M" */
static void option(struct script *s, struct packet *b, char *text)
{
	char *save, *name = strtok_r(text, " \t", &save);
	char *value = name ? strtok_r(NULL, " \t-", &save) : NULL;
	char *other = value ? strtok_r(NULL, " \t", &save) : NULL;
	uint32_t a = value ? script_number(s, value) : 0;
	uint8_t mss[2];

	if (!name)
		script_bad(s, "an empty option");
	if (!value && (!strcmp(name, "eol") || !strcmp(name, "nop"))) {
		packet_tcp_option(b, *name == 'n', NULL, 0);
	} else if (!value && !strcmp(name, "sackok")) {
		packet_tcp_option(b, 4, "", 0);
	} else if (value && !other && !strcmp(name, "mss")) {
		put16(mss, (uint16_t)a);
		packet_tcp_option(b, 2, mss, sizeof(mss));
	} else if (value && !other && !strcmp(name, "wscale")) {
		packet_tcp_wscale(b, (uint8_t)a);
	} else if (other && !strcmp(name, "sack")) {
		packet_tcp_sack(b, a, script_number(s, other));
	} else {
		script_bad(s, "no option `%s`", name);
	}
}

static struct extras tcp(struct script *s, struct packet *b,
                         const struct script_ends *e, const char *flags)
{
	char *save, *one;
	uint32_t nums[2];
	struct extras x;
	uint8_t *h;

	script_pair(s, script_word_must(s, flags), nums);
	x = extras_of(s, script_word(s));
	h = packet_tcp(b, e->port[0], e->port[1], nums[0], nums[1],
	               flags_of(s, flags), (uint16_t)x.win);
	if (s->opts) {
		for (one = strtok_r(s->opts, ",", &save); one;
		     one = strtok_r(NULL, ",", &save))
			option(s, b, one);
		packet_tcp_pad(b);
	}
	payload(s, b, &x);
	if (x.doff < 16)
		h[12] = (uint8_t)(x.doff << 4);
	return x;
}

/* ---- datagrams ---- */

/* "udp N", or with a string alone */
static struct extras udp(struct script *s, struct packet *b,
                         const struct script_ends *e)
{
	char *w = script_word(s);
	struct extras x;
	uint32_t n = 0;

	if (w && *w >= '0' && *w <= '9') {
		n = script_number(s, w);
		w = script_word(s);
	} else if (!s->ndata) {
		script_bad(s, "a number or a string must follow `udp`");
	}
	x = extras_of(s, w);
	x.len += n;
	if (e->l4proto == 17)
		packet_udp(b, e->port[0], e->port[1]);
	else
		packet_udplite(b, e->port[0], e->port[1], 0);
	payload(s, b, &x);
	return x;
}

/* "icmp T/C": with `id N` a question or an answer, with `quote N` an error */
static struct extras icmp(struct script *s, struct packet *b)
{
	uint32_t type[2];
	struct extras x;

	script_pair(s, script_word_must(s, "icmp"), type);
	x = extras_of(s, script_word(s));
	packet_icmp(b, (uint8_t)type[0], (uint8_t)type[1],
	            x.quote == NONE ? x.id << 16 | 1 : 0);
	if (x.quote != NONE && s->quoted.len) {
		packet_quote(b, &s->quoted, x.quote);
		s->frame.error = true;
	} else if (x.quote != NONE) {
		script_bad(s, "there is nothing to be quoted");
	}
	payload(s, b, &x);
	return x;
}

/* ---- SCTP ---- */

static uint8_t chunk_type(struct script *s, const char *name, size_t len)
{
	static const struct {
		const char *name;
		uint8_t type;
	} types[] = {{"DATA", 0},
	             {"INIT", 1},
	             {"INIT_ACK", 2},
	             {"SACK", 3},
	             {"HEARTBEAT", 4},
	             {"HEARTBEAT_ACK", 5},
	             {"ABORT", 6},
	             {"SHUTDOWN", 7},
	             {"SHUTDOWN_ACK", 8},
	             {"ERROR", 9},
	             {"COOKIE_ECHO", 10},
	             {"COOKIE_ACK", 11},
	             {"SHUTDOWN_COMPLETE", 14},
	             {"ASCONF", 193}};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (strlen(types[i].name) == len &&
		    !strncmp(types[i].name, name, len))
			return types[i].type;
	script_bad(s, "no chunk `%s`", name);
}

/* "NAME", "INIT(tag)", "ABORT/T", "DATA/0": a length of 0 in its header */
static void chunk(struct script *s, struct packet *b, const char *text)
{
	size_t len = strcspn(text, "(/");
	uint8_t type = chunk_type(s, text, len), body[16] = {0};
	const char *rest = text + len;
	uint32_t at = b->len;
	char *end;

	if (*rest == '(') {
		put32(body, (uint32_t)strtoul(rest + 1, &end, 0));
		if (*end != ')' || end[1])
			script_bad(s, "`%s` wants a tag", text);
		rest = end + 1;
	}
	packet_chunk(b, type, !strcmp(rest, "/T"), body, sizeof(body));
	if (!strcmp(rest, "/0"))
		put16(b->buf + at + 2, 0);
	else if (*rest && strcmp(rest, "/T") != 0)
		script_bad(s, "`%s` is no chunk", text);
}

/* "sctp TAG CHUNK..." */
static struct extras sctp(struct script *s, struct packet *b,
                          const struct script_ends *e)
{
	uint32_t tag = script_number(s, script_word_must(s, "sctp"));
	char *w;

	packet_sctp(b, e->port[0], e->port[1], tag);
	while ((w = script_word(s)) && *w >= 'A' && *w <= 'Z')
		chunk(s, b, w);
	return extras_of(s, w);
}

/* ---- DCCP ---- */

static uint8_t dccp_type(struct script *s, const char *name)
{
	static const char *const names[] = {
		"REQUEST",  "RESPONSE", "DATA",  "ACK",  "DATAACK",
		"CLOSEREQ", "CLOSE",    "RESET", "SYNC", "SYNCACK"};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return (uint8_t)i;
	script_bad(s, "no type `%s`", name);
}

/* "dccp TYPE SEQ/ACK", with 48 bit numbers (RFC 4340 section 5.1) */
static struct extras dccp(struct script *s, struct packet *b,
                          const struct script_ends *e)
{
	uint8_t type = dccp_type(s, script_word_must(s, "dccp"));
	uint8_t h[28] = {0};
	uint32_t nums[2];

	script_pair(s, script_word_must(s, "dccp"), nums);
	put16(h, e->port[0]);
	put16(h + 2, e->port[1]);
	h[4] = sizeof(h) / 4;
	h[8] = (uint8_t)(type << 1 | 1);
	put32(h + 12, nums[0]);
	put32(h + 20, nums[1]);
	packet_other(b, 33, h, sizeof(h));
	return extras_of(s, script_word(s));
}

/* ---- others ---- */

/* "gre KEY": of PPTP; 0: plain, without a key */
static struct extras gre(struct script *s, struct packet *b)
{
	uint32_t key = script_number(s, script_word_must(s, "gre"));
	struct extras x = extras_of(s, script_word(s));
	uint8_t rest[4] = {0};
	uint8_t *h = packet_gre(b, key ? 0x2001 : 0);

	put16(h + 2, key ? 0x880b : 0x800);
	put16(rest, (uint16_t)x.len);
	put16(rest + 2, (uint16_t)key);
	if (key)
		packet_data(b, rest, sizeof(rest));
	payload(s, b, &x);
	return x;
}

static struct extras generic(struct script *s, struct packet *b)
{
	struct extras x = extras_of(s, script_word(s));

	packet_other(b, 99, NULL, 0);
	payload(s, b, &x);
	return x;
}

static struct extras layer4(struct script *s, struct packet *b,
                            const struct script_ends *e, const char *what)
{
	if (!strcmp(what, "icmp"))
		return icmp(s, b);
	switch (e->l4proto) {
	case 17:
	case 136:
		return udp(s, b, e);
	case 132:
		return sctp(s, b, e);
	case 33:
		return dccp(s, b, e);
	case 47:
		return gre(s, b);
	case 99:
		return generic(s, b);
	default:
		return tcp(s, b, e, what);
	}
}

static uint8_t proto_word(const char *what)
{
	static const struct {
		const char *name;
		uint8_t number;
	} words[] = {{"udp", 17},  {"udplite", 136}, {"sctp", 132},
	             {"dccp", 33}, {"gre", 47},      {"generic", 99}};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i].name, what))
			return words[i].number;
	return 6;
}

/* ---- what follows when lengths and sums are right ---- */

static uint32_t ip_at(const struct script *s, const struct packet *b)
{
	return packet_at(b, s->v6 ? PACKET_IP6 : PACKET_IP4);
}

static uint32_t l4_at(const struct script *s, const struct packet *b)
{
	return ip_at(s, b) + (s->v6 ? 40 : 20);
}

/* packet_end() knows no checksum of DCCP's */
static void dccp_sum(struct packet *b, uint8_t *h)
{
	bool known = false;
	struct pkt p;

	packet_pkt(b, &p);
	pkt_parse(&p);
	put16(h + 6, pkt_l4_checksum(&p, 33, &known));
}

static uint32_t sum_at(uint8_t l4proto)
{
	switch (l4proto) {
	case 6:
		return 16;
	case 132:
		return 8;
	case 1:
	case 58:
		return 2;
	default:
		return 6;
	}
}

static void ip_sum(uint8_t *ip)
{
	uint32_t sum = 0, i;

	put16(ip + 10, 0);
	for (i = 0; i < 20; i += 2)
		sum += get16(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, (uint16_t)~sum);
}

/* one fragment of the datagram */
static void cut(struct script *s, const struct extras *x)
{
	const struct packet *of = &s->frame.whole;
	uint32_t l4 = l4_at(s, of), ip = ip_at(s, of);
	uint16_t place = (uint16_t)(x->from | x->more);
	struct packet *b = &s->frame.sent;
	uint8_t head[6] = {0};
	uint8_t *h;

	if (x->to > of->len - l4)
		script_bad(s, "the datagram has %u bytes", of->len - l4);
	packet_begin(b);
	packet_data(b, of->buf, l4);
	h = b->buf + ip;
	if (s->v6) {
		put16(head, place);
		put32(head + 2, s->ip_id);
		packet_fill(b, h[6], 1);
		packet_fill(b, 0, 1);
		packet_data(b, head, sizeof(head));
		h[6] = 44;
		put16(h + 4, (uint16_t)(8 + x->to - x->from));
	} else {
		put16(h + 2, (uint16_t)(20 + x->to - x->from));
		put16(h + 4, s->ip_id);
		put16(h + 6, (uint16_t)(x->from / 8 | x->more << 13));
		ip_sum(h);
	}
	packet_data(b, of->buf + l4 + x->from, x->to - x->from);
}

static void ip_header(struct script *s, struct packet *b,
                      const struct script_ends *e)
{
	packet_begin(b);
	packet_eth(b);
	if (s->v6)
		packet_ip6(b, script_host(s, e->host[0]),
		           script_host(s, e->host[1]));
	else
		packet_ip4(b, script_host(s, e->host[0]),
		           script_host(s, e->host[1]));
}

void script_packet(struct script *s, const char *who)
{
	const char *what = script_word_must(s, who);
	struct script_frame *f = &s->frame;
	struct packet *b = &f->whole;
	struct extras x;
	uint8_t *h;

	f->error = false;
	f->ends = script_ends(s, who, proto_word(what));
	if (!strcmp(what, "icmp"))
		f->ends.l4proto = s->v6 ? 58 : 1;
	ip_header(s, b, &f->ends);
	x = layer4(s, b, &f->ends, what);
	b->buf[ip_at(s, b) + (s->v6 ? 7 : 8)] = (uint8_t)x.ttl;
	packet_end(b);
	h = b->buf + l4_at(s, b);
	if (f->ends.l4proto == 33)
		dccp_sum(b, h);
	if (x.badsum)
		h[sum_at(f->ends.l4proto)] ^= 0x55;
	if (!f->error)
		s->quoted = *b;
	if (x.cap != NONE)
		b->len = l4_at(s, b) + x.cap;
	if (x.to)
		cut(s, &x);
	else
		f->sent = *b;
}
