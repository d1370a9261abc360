/*
 * files.c - captures, read through libpcap: pcap and pcapng, either byte
 * order, micro- or nanoseconds, packed or not, several as one.
 *
 * Theory.  Each capture is an input (input.h).  A frame may be handed out
 * only when every capture that has more to give shows its next one; the
 * earliest goes first.  A capture that turns out broken is read up to the
 * fault; when its turn comes with nothing left to show, the source fails, for
 * nobody knows what would have come next.  So what was handed out before is
 * exactly what a merge of sound captures would have begun with.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/source/input.h"
#include "daemon/source/stream.h"

/* a call looks at so many frames before it says SOURCE_NONE, so that a
 * process with a strict filter still comes to answer other things */
#define LOOK_AT 4096u

struct files {
	struct source base;
	unsigned int n;
	uint64_t round;
	struct input *in;
	struct stream **stream;
};

static struct files *files_of(struct source *s)
{
	return (struct files *)s;
}

static void files_fail(struct files *f, unsigned int i)
{
	const struct input *in = &f->in[i];
	const char *why = stream_why(f->stream[i]);

	f->base.failed = true;
	if (why)
		source_complain(f->base.err, in->name, "packet %llu: %s",
		                (unsigned long long)in->read + 1, why);
	else
		memcpy(f->base.err, in->err, sizeof(f->base.err));
}

enum ready { READY, READY_LATER, READY_BROKEN };

/* Every input shows its next frame or has none any more.  LATER: one needs a
 * refill that would overwrite frames handed out in this round. */
static enum ready files_ready(struct files *f, unsigned int got)
{
	for (unsigned int i = 0; i < f->n; i++) {
		struct input *in = &f->in[i];

		if (!input_empty(in))
			continue;
		if (in->state == INPUT_OPEN) {
			if (got && in->refilled == f->round)
				return READY_LATER;
			input_refill(in, f->round);
		}
		if (input_empty(in) && in->state == INPUT_BROKEN) {
			if (!got)
				files_fail(f, i);
			return READY_BROKEN;
		}
	}
	return READY;
}

static int files_next(struct source *s, struct pkt *batch, unsigned int max)
{
	struct files *f = files_of(s);
	unsigned int got = 0;

	f->round++;
	/* with one capture its own count is the merged one */
	if (f->n == 1)
		f->in[0].skip = s->seek;
	for (unsigned int i = 0; i < LOOK_AT && got < max; i++) {
		struct input *in = f->in;

		if (f->n > 1 || unlikely(input_empty(in))) {
			enum ready r = files_ready(f, got);

			if (r == READY_BROKEN && !got)
				return SOURCE_ERROR;
			if (r != READY)
				return (int)got;
			in = input_earliest(f->in, f->n);
			if (!in)
				return got ? (int)got : SOURCE_END;
		}
		batch[got].iface = (uint8_t)(in - f->in);
		if (input_take(in, s, &batch[got]))
			got++;
	}
	return (int)got;
}

static unsigned int files_inputs(const struct source *s)
{
	return ((const struct files *)s)->n;
}

static const char *files_input_name(const struct source *s, unsigned int input)
{
	return ((const struct files *)s)->in[input].name;
}

static void files_stats(struct source *s, unsigned int input,
                        struct source_stats *out)
{
	*out = files_of(s)->in[input].stats;
}

static void files_close(struct source *s)
{
	struct files *f = files_of(s);

	for (unsigned int i = 0; f->in && i < f->n; i++)
		input_close(&f->in[i]);
	free(f->in);
	free(f->stream);
	free(f);
}

/* Errors of the file header count as packet 0. */
static bool files_open_one(struct files *f, unsigned int i, const char *path,
                           const char *filter, char *err)
{
	struct input *in = &f->in[i];
	char text[PCAP_ERRBUF_SIZE] = "";
	const char *why;
	FILE *file;

	in->name = strdup(path);
	if (!in->name) {
		source_complain(err, path, "out of memory");
		return false;
	}
	file = stream_open(path, &f->stream[i], err);
	if (!file)
		return false;
	in->pcap = pcap_fopen_offline_with_tstamp_precision(
		file, PCAP_TSTAMP_PRECISION_NANO, text);
	if (!in->pcap) {
		why = stream_why(f->stream[i]);
		source_complain(err, path, "packet 0: %s", why ? why : text);
		(void)fclose(file);
		return false;
	}
	in->linktype = input_linktype(in);
	/* counted, never an error, but nobody expects a list without a row */
	if (!pkt_link_known(in->linktype))
		log_warnx("source",
		          "%s: link type %u is not known: all frames are "
		          "skipped (drops.decode.link_type)",
		          path, in->linktype);
	if (!f->stream[i])
		in->plain = plain_open(in->pcap);
	return input_filter(in, filter, err);
}

static struct files *files_new(unsigned int n)
{
	struct files *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->base.kind = &source_files;
	f->n = n;
	f->in = calloc(n, sizeof(*f->in));
	f->stream = calloc(n, sizeof(struct stream *));
	if (f->in && f->stream)
		return f;
	files_close(&f->base);
	return NULL;
}

struct source *source_open_files(const char *const *paths, unsigned int n,
                                 const char *filter, char *err)
{
	struct files *f;

	if (n < 1 || n > SOURCE_INPUTS) {
		source_complain(err, NULL, "1 to %u captures, not %u",
		                SOURCE_INPUTS, n);
		return NULL;
	}
	f = files_new(n);
	if (!f) {
		source_complain(err, NULL, "out of memory");
		return NULL;
	}
	for (unsigned int i = 0; i < n; i++) {
		if (files_open_one(f, i, paths[i], filter, err))
			continue;
		files_close(&f->base);
		return NULL;
	}
	return &f->base;
}

const struct source_kind source_files = {
	.name = "files",
	.next = files_next,
	.inputs = files_inputs,
	.input_name = files_input_name,
	.stats = files_stats,
	.close = files_close,
};
