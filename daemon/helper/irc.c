/*
 * irc.c - IRC: direct connections between clients (F209).
 *
 * A client that offers a file or a talk sends the other, through the server,
 * a message in CTCP's quotes with its own address as one decimal number:
 *
 *	PRIVMSG nick :\1DCC SEND name 167772161 51211\1
 *
 * Whoever reads it connects, so the source is anybody.  Only what the client
 * itself sends is looked at, and only its own address is believed.
 *
 * Strict mode does what the kernel does: it looks at the first message of a
 * segment, which must come whole, and lets numbers wrap.  Mirror mode reads
 * every line, also one cut in two, wants numbers that can be true and the
 * closing quote, and knows names of several words.
 */
#include <netinet/in.h>
#include <string.h>

#include "daemon/helper/ask.h"
#include "daemon/helper/line.h"

enum { IRC_TIMEOUT };

struct irc_priv {
	struct help_line line; /* mirror; the client's direction alone */
};
HELPER_PRIV(struct irc_priv);

#define IRC_COMMAND "PRIVMSG "
#define IRC_MESSAGE " :"
#define IRC_QUOTE   "\1DCC "

static const char *const irc_words[] = {"SEND ", "CHAT ", "MOVE ", "TSEND ",
                                        "SCHAT "};

/* the shortest that the kernel looks at: a command with a name of one letter;
 * a message from its blank on; and the address with all behind it */
#define IRC_MIN_COMMAND 10u
#define IRC_MIN_MESSAGE 26u
#define IRC_MIN_NUMBERS 12u

struct irc_find {
	union pkt_addr addr;
	uint32_t port;
};

/* Port 0 asks the other client to wait instead, at its own address. */
static void irc_expect(struct help_ctx *h, const struct irc_find *f)
{
	if (!f->port || !ask_same_addr(&f->addr, &h->addr[0]))
		h->count(h, HELP_FOREIGN);
	else
		ask_expect(h, IPPROTO_TCP, NULL, &h->addr[0], (uint16_t)f->port,
		           h->option[IRC_TIMEOUT]);
}

typedef bool (*irc_read)(struct text t, struct irc_find *f);

/* Behind the quote: a word, and what belongs to it. */
static void irc_offer(struct help_ctx *h, struct text t, irc_read args)
{
	struct irc_find f;
	unsigned int i = 0;

	while (i < ARRAY_SIZE(irc_words) && !text_word(&t, irc_words[i]))
		i++;
	if (i == ARRAY_SIZE(irc_words))
		return;
	if (args(t, &f))
		irc_expect(h, &f);
	else
		h->count(h, HELP_MALFORMED);
}

static void irc_addr(struct irc_find *f, uint32_t v)
{
	unsigned int i;

	memset(&f->addr, 0, sizeof(f->addr));
	for (i = 0; i < 4; i++)
		f->addr.b[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* -- strict -------------------------------------------------------------- */

/* "name address port", and the line's end behind the name */
static bool irc_strict_args(struct text t, struct irc_find *f)
{
	if (!text_find(&t, " ") || text_left(&t) < IRC_MIN_NUMBERS ||
	    !memchr(t.at, '\n', text_left(&t)))
		return false;
	irc_addr(f, text_wrapped(&t));
	text_skip(&t, ' ');
	f->port = text_wrapped(&t) & 0xffff;
	return true;
}

/* Where the first message of the segment begins, with enough behind it. */
static bool irc_strict_message(struct text *t)
{
	while (text_left(t) > IRC_MIN_COMMAND &&
	       (*t->at == ' ' || *t->at == '\r' || *t->at == '\n'))
		t->at++;
	if (text_left(t) <= IRC_MIN_COMMAND || !text_nocase(t, IRC_COMMAND))
		return false;
	for (; text_left(t) > IRC_MIN_MESSAGE; t->at++)
		if (text_word(t, IRC_MESSAGE))
			return text_word(t, IRC_QUOTE);
	return false;
}

static void irc_segment(struct help_ctx *h)
{
	struct text t = text_payload(h, 0);

	h->count(h, HELP_LINES);
	if (t.at && irc_strict_message(&t))
		irc_offer(h, t, irc_strict_args);
}

/* -- mirror -------------------------------------------------------------- */

/* A name of several words stands in double quotes. */
static bool irc_name(struct text *t)
{
	return (*t->at == '"' && text_find(t, "\" ")) || text_find(t, " ");
}

static bool irc_args(struct text t, struct irc_find *f)
{
	uint32_t addr;

	if (t.at == t.end || !irc_name(&t))
		return false;
	text_skip(&t, ' ');
	if (!text_number(&t, UINT32_MAX, &addr) || !text_byte(&t, ' '))
		return false;
	text_skip(&t, ' ');
	if (!text_number(&t, 0xffff, &f->port))
		return false;
	irc_addr(f, addr);
	/* SEND adds the file's size, and others may add something */
	return text_byte(&t, '\1') ||
	       (text_byte(&t, ' ') && text_find(&t, "\1"));
}

static void irc_line(struct help_ctx *h, struct text t)
{
	text_skip(&t, ' ');
	if (text_nocase(&t, IRC_COMMAND) && text_find(&t, IRC_MESSAGE) &&
	    text_word(&t, IRC_QUOTE))
		irc_offer(h, t, irc_args);
}

static void irc_help(struct help_ctx *h)
{
	struct irc_priv *p = h->priv;

	if (h->info != CTINFO_ESTABLISHED || h->dir != DIR_ORIGINAL)
		return;
	if (h->mirror)
		line_feed(h, &p->line, irc_line);
	else
		irc_segment(h);
}

static const struct helper_port irc_ports[] = {
	{.l4proto = IPPROTO_TCP, .port = 6667, .v4 = true},
};

static const struct helper_class irc_classes[] = {
	{.max = 8, .seconds = 300},
};

static const struct helper_option irc_options[] = {
	[IRC_TIMEOUT] = {"irc_dcc_timeout", 300, 1, 86400,
                         "seconds that an offered connection is expected"},
};

const struct helper helper_irc = {
	.name = "irc",
	.key = "irc",
	.nports = ARRAY_SIZE(irc_ports),
	.nclasses = ARRAY_SIZE(irc_classes),
	.noptions = ARRAY_SIZE(irc_options),
	.ports = irc_ports,
	.classes = irc_classes,
	.options = irc_options,
	.help = irc_help,
};
