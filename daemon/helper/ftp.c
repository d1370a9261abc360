/*
 * ftp.c - FTP: which data connection comes next (RFC 959, RFC 2428, F204-F207).
 *
 * A data connection is announced on the control connection by one of four
 * lines.  The client names its own address (PORT, EPRT) and the server
 * connects; or the server names its own (227, 229) and the client connects:
 *
 *	PORT 10,0,0,1,200,11		EPRT |1|10.0.0.1|51211|
 *	227 Entering Passive Mode (10,0,1,1,200,11).
 *	229 Entering Extended Passive Mode (|||51211|)
 *
 * The sender must name itself: a line that names somebody else's address is
 * how one would open a door to a third host (RFC 2577, 3), and is counted and
 * forgotten unless ftp_loose=1 (F206).
 *
 * Strict mode does what the kernel does, and is half blind: only the first
 * line of a segment is looked at, and only when the segment begins where an
 * earlier one ended in a newline.  Two such places are remembered in each
 * direction, so the first segment of a direction is never looked at (F205);
 * and after a segment that ends inside a command, which the kernel drops so
 * that it comes again, no place is remembered (F203).  Numbers are not
 * checked against 255 or 65535.
 *
 * Mirror mode reads every line, also one cut in two, and takes only numbers
 * that can be true.  It steps over the inside of a reply of several lines,
 * where a line may look like anything (RFC 959, 4.2).
 */
#include <netinet/in.h>
#include <string.h>

#include "daemon/helper/ask.h"
#include "daemon/helper/line.h"

enum { FTP_LOOSE };

#define FTP_PLACES 2u /* F205 */

struct ftp_priv {
	struct help_line line[2];      /* mirror */
	uint32_t place[2][FTP_PLACES]; /* strict: behind a newline */
	uint8_t nplaces[2];
	uint16_t reply; /* mirror: inside this reply of several lines */
};
HELPER_PRIV(struct ftp_priv);

/* what a line announces */
struct ftp_find {
	union pkt_addr addr;
	uint32_t port;
};

/* Reads what stands behind the word.  `end` is what must follow, 0 for
 * anything.  False: it does not say what it should. */
typedef bool (*ftp_read)(const struct help_ctx *h, struct text t, uint8_t end,
                         struct ftp_find *f);

struct ftp_word {
	uint8_t dir;
	const char *word;
	uint8_t from; /* begins behind the next of these, 0: at once */
	uint8_t end;
	ftp_read read;
};

/*
 * `n` numbers with `sep` between them, and the place behind the last.  The
 * kernel takes an empty number for 0 and any number for possible, and wants a
 * byte to follow; mirror mode takes numbers up to 255 and the line's end.
 */
static bool ftp_numbers(const struct help_ctx *h, struct text *t, uint32_t *v,
                        unsigned int n, uint8_t sep, uint8_t end)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (i && !text_byte(t, sep))
			return false;
		if (!h->mirror)
			v[i] = text_wrapped(t);
		else if (!text_number(t, 255, &v[i]))
			return false;
	}
	if (t->at == t->end)
		return h->mirror;
	if (h->mirror && end == '\r')
		return *t->at == ' ';
	return *t->at != sep && (!end || *t->at == end);
}

static uint32_t ftp_join(const uint32_t *v)
{
	return v[0] << 24 | v[1] << 16 | v[2] << 8 | v[3];
}

/* In an IPv6 connection the kernel replaces the first four bytes of the
 * sender's address, and goes on if they were the same. */
static void ftp_addr4(union pkt_addr *a, uint32_t v)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		a->b[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* h1,h2,h3,h4,p1,p2 */
static bool ftp_read_six(const struct help_ctx *h, struct text t, uint8_t end,
                         struct ftp_find *f)
{
	uint32_t v[6];

	if ((h->mirror && h->l3proto != 4) ||
	    !ftp_numbers(h, &t, v, 6, ',', end))
		return false;
	ftp_addr4(&f->addr, ftp_join(v));
	f->port = (v[4] << 8 | v[5]) & 0xffff;
	return f->port || !h->mirror;
}

/* The six numbers stand somewhere in a sentence (RFC 1123, 4.1.2.6): the
 * kernel begins at the first digit, mirror mode at the first that fits. */
static bool ftp_read_227(const struct help_ctx *h, struct text t, uint8_t end,
                         struct ftp_find *f)
{
	bool inside = false;

	for (; t.at < t.end; t.at++) {
		if (!text_is_digit(*t.at)) {
			inside = false;
			continue;
		}
		if (!inside && ftp_read_six(h, t, end, f))
			return true;
		if (!h->mirror)
			return false;
		inside = true;
	}
	return false;
}

/* a byte that may stand between the fields of EPRT and 229 (RFC 2428, 2) */
static bool ftp_is_delim(uint8_t c)
{
	return c > ' ' && c < 0x7f && !text_is_digit(c);
}

static bool ftp_read_port(const struct help_ctx *h, struct text t,
                          uint8_t delim, struct ftp_find *f)
{
	if (!h->mirror)
		f->port = text_wrapped(&t) & 0xffff;
	else if (!text_number(&t, 0xffff, &f->port))
		return false;
	return f->port && text_byte(&t, delim);
}

static bool ftp_eprt_addr(const struct help_ctx *h, struct text *t,
                          uint8_t delim, union pkt_addr *a)
{
	uint32_t v[4];

	if (h->l3proto == 6)
		return text_addr6(t, delim, a);
	if (!ftp_numbers(h, t, v, 4, '.', delim))
		return false;
	ftp_addr4(a, ftp_join(v));
	return true;
}

/* |1|10.0.0.1|51211| or |2|2001:db8::1|51211| */
static bool ftp_read_eprt(const struct help_ctx *h, struct text t, uint8_t end,
                          struct ftp_find *f)
{
	uint8_t delim;

	(void)end;
	if (text_left(&t) <= 3)
		return false;
	delim = *t.at;
	if (!ftp_is_delim(delim) || t.at[2] != delim ||
	    t.at[1] != (h->l3proto == 6 ? '2' : '1'))
		return false;
	t.at += 3;
	return ftp_eprt_addr(h, &t, delim, &f->addr) && text_byte(&t, delim) &&
	       ftp_read_port(h, t, delim, f);
}

/* |||51211|: the address is the sender's */
static bool ftp_read_229(const struct help_ctx *h, struct text t, uint8_t end,
                         struct ftp_find *f)
{
	uint8_t delim;

	(void)end;
	if (text_left(&t) <= 3)
		return false;
	delim = *t.at;
	if (!ftp_is_delim(delim) || t.at[1] != delim || t.at[2] != delim)
		return false;
	t.at += 3;
	return ftp_read_port(h, t, delim, f);
}

static const struct ftp_word ftp_words[] = {
	{DIR_ORIGINAL, "PORT", ' ', '\r', ftp_read_six},
	{DIR_ORIGINAL, "EPRT", ' ', 0, ftp_read_eprt},
	{DIR_REPLY, "227 ", 0, 0, ftp_read_227},
	{DIR_REPLY, "229 ", '(', 0, ftp_read_229},
};

/* F206: from the peer, any port, to the sender or to whom it names. */
static void ftp_expect(struct help_ctx *h, const struct ftp_find *f)
{
	if (!ask_same_addr(&f->addr, &h->addr[h->dir])) {
		h->count(h, HELP_FOREIGN);
		if (!h->option[FTP_LOOSE])
			return;
	}
	ask_expect(h, IPPROTO_TCP, &h->addr[!h->dir], &f->addr,
	           (uint16_t)f->port, 0);
}

enum ftp_match { FTP_NOT_THIS, FTP_PARTIAL, FTP_FOUND };

/* What stands behind the word says where: or it is broken, or cut off. */
static enum ftp_match ftp_args(const struct help_ctx *h, struct text t,
                               const struct ftp_word *w, struct ftp_find *f)
{
	if (w->from) {
		while (t.at < t.end && *t.at != w->from)
			t.at++;
		if (t.at == t.end)
			return FTP_PARTIAL;
		t.at++;
	}
	f->addr = h->addr[h->dir];
	return w->read(h, t, w->end, f) ? FTP_FOUND : FTP_PARTIAL;
}

/* -- strict -------------------------------------------------------------- */

static bool ftp_after_newline(const struct ftp_priv *p, uint8_t dir,
                              uint32_t seq)
{
	unsigned int i;

	for (i = 0; i < p->nplaces[dir]; i++)
		if (p->place[dir][i] == seq)
			return true;
	return false;
}

static void ftp_remember(struct ftp_priv *p, uint8_t dir, uint32_t seq)
{
	uint32_t *place = p->place[dir];

	if (ftp_after_newline(p, dir, seq))
		return;
	if (p->nplaces[dir] < FTP_PLACES)
		place[p->nplaces[dir]++] = seq;
	else if ((int32_t)(place[0] - place[1]) < 0)
		place[0] = seq;
	else
		place[1] = seq;
}

/* The first line of a segment, the end of which may be missing. */
static enum ftp_match ftp_match(const struct help_ctx *h, struct text t,
                                struct ftp_find *f)
{
	const struct ftp_word *w;
	struct text rest;

	for (w = ftp_words; w < ftp_words + ARRAY_SIZE(ftp_words); w++) {
		if (w->dir != h->dir || !text_begins_nocase(&t, w->word))
			continue;
		rest = t;
		/* a word and nothing behind it is cut off, too */
		if (!text_nocase(&rest, w->word) || rest.at == rest.end)
			return FTP_PARTIAL;
		return ftp_args(h, rest, w, f);
	}
	return FTP_NOT_THIS;
}

static void ftp_segment(struct help_ctx *h, struct ftp_priv *p)
{
	struct text t = text_payload(h, 0);
	const uint8_t *last = help_data(h, h->len - 1, 1);
	enum ftp_match m = FTP_NOT_THIS;
	struct ftp_find f;

	if (t.at && ftp_after_newline(p, h->dir, h->seq)) {
		h->count(h, HELP_LINES);
		m = ftp_match(h, t, &f);
	}
	if (m == FTP_PARTIAL) {
		h->count(h, HELP_MALFORMED);
		h->drop = true;
		return;
	}
	if (m == FTP_FOUND)
		ftp_expect(h, &f);
	if (last && *last == '\n')
		ftp_remember(p, h->dir, h->seq + h->len);
}

/* -- mirror -------------------------------------------------------------- */

/* Whether this line of the server is inside of a longer reply: that begins
 * with "214-", and ends with "214 ". */
static bool ftp_inside(struct ftp_priv *p, struct text t)
{
	uint32_t code;
	struct text rest = t;

	if (text_left(&t) < 3 || !text_number(&rest, 999, &code) ||
	    rest.at != t.at + 3)
		return p->reply;
	if (p->reply) {
		if (code != p->reply || text_byte(&rest, '-'))
			return true;
		p->reply = 0;
		return false;
	}
	if (!text_byte(&rest, '-'))
		return false;
	p->reply = (uint16_t)code;
	return true;
}

static void ftp_line(struct help_ctx *h, struct text t)
{
	struct ftp_priv *p = h->priv;
	const struct ftp_word *w;
	struct ftp_find f;

	if (h->dir == DIR_ORIGINAL)
		p->reply = 0; /* the client has seen its end, so it has one */
	else if (ftp_inside(p, t))
		return;
	for (w = ftp_words; w < ftp_words + ARRAY_SIZE(ftp_words); w++) {
		if (w->dir != h->dir || !text_nocase(&t, w->word))
			continue;
		if (w->from == ' ' && (t.at == t.end || *t.at != ' '))
			continue; /* another command that begins so */
		if (ftp_args(h, t, w, &f) != FTP_FOUND)
			h->count(h, HELP_MALFORMED);
		else
			ftp_expect(h, &f);
		return;
	}
}

static void ftp_lines(struct help_ctx *h, struct ftp_priv *p)
{
	struct help_line *l = &p->line[h->dir];
	bool skip = l->skip;

	line_feed(h, l, ftp_line);
	/* bytes are missing: the end of the reply may be among them */
	if (h->dir == DIR_REPLY && l->skip && !skip)
		p->reply = 0;
}

static void ftp_help(struct help_ctx *h)
{
	if (h->info != CTINFO_ESTABLISHED &&
	    h->info != CTINFO_ESTABLISHED_REPLY)
		return;
	if (h->mirror)
		ftp_lines(h, h->priv);
	else
		ftp_segment(h, h->priv);
}

static const struct helper_port ftp_ports[] = {
	{.l4proto = IPPROTO_TCP, .port = 21, .v4 = true, .v6 = true},
};

static const struct helper_class ftp_classes[] = {
	{.max = 1, .seconds = 300},
};

static const struct helper_option ftp_options[] = {
	[FTP_LOOSE] = {"ftp_loose", 0, 0, 1,
                       "also take an address that is not the sender's"},
};

const struct helper helper_ftp = {
	.name = "ftp",
	.key = "ftp",
	.nports = ARRAY_SIZE(ftp_ports),
	.nclasses = ARRAY_SIZE(ftp_classes),
	.noptions = ARRAY_SIZE(ftp_options),
	.ports = ftp_ports,
	.classes = ftp_classes,
	.options = ftp_options,
	.help = ftp_help,
};
