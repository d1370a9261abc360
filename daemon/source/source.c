/*
 * source.c - what all kinds of sources share.
 */
#include "daemon/source/source.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/source/kind.h"

int source_next(struct source *s, struct pkt *batch, unsigned int max)
{
	if (max > SOURCE_BATCH)
		max = SOURCE_BATCH;
	if (s->failed)
		return SOURCE_ERROR;
	if (!max)
		return SOURCE_NONE;
	return s->kind->next(s, batch, max);
}

void source_seek(struct source *s, uint64_t frame)
{
	s->seek = frame;
}

bool source_resume(struct source *s, const uint64_t *cursor,
                   struct ring_place *place)
{
	if (!s->kind->resume)
		return false;
	s->kind->resume(s, cursor, place);
	return true;
}

void source_number(struct source *s, uint8_t number)
{
	s->number = number;
}

const char *source_error(const struct source *s)
{
	return s->err;
}

int source_fd(const struct source *s)
{
	return s->kind->fd ? s->kind->fd(s) : -1;
}

int source_timeout(const struct source *s)
{
	return s->kind->timeout ? s->kind->timeout(s) : 0;
}

unsigned int source_inputs(const struct source *s)
{
	return s->kind->inputs(s);
}

const char *source_input_name(const struct source *s, unsigned int input)
{
	return input < source_inputs(s) ? s->kind->input_name(s, input) : "";
}

static void stats_add(struct source_stats *sum, const struct source_stats *of)
{
#define X(name, str, meaning) sum->name += of->name;
	SOURCE_COUNTERS(X)
#undef X
}

void source_stats(struct source *s, unsigned int input,
                  struct source_stats *out)
{
	*out = (struct source_stats){0};
	for (unsigned int i = 0; i < source_inputs(s); i++) {
		struct source_stats one = {0};

		if (input != SOURCE_ALL && input != i)
			continue;
		s->kind->stats(s, i, &one);
		stats_add(out, &one);
	}
}

unsigned int source_fill(const struct source *s)
{
	unsigned int i, fill, most = 0;

	for (i = 0; s->kind->fill && i < source_inputs(s); i++) {
		fill = s->kind->fill(s, i);
		most = fill > most ? fill : most;
	}
	return most;
}

unsigned int source_quarters(const struct source *s)
{
	return s->kind->quarters ? s->kind->quarters(s) : 0;
}

const char *source_kind_name(const struct source *s)
{
	return s->kind->name;
}

bool source_is_live(const struct source *s)
{
	return s->kind->live;
}

void source_close(struct source *s)
{
	if (s)
		s->kind->close(s);
}

void source_complain(char *err, const char *where, const char *fmt, ...)
{
	va_list ap;
	int n = 0;

	if (where)
		n = snprintf(err, SOURCE_ERR, "%s: ", where);
	if (n < 0 || n >= (int)SOURCE_ERR)
		return;
	va_start(ap, fmt);
	vsnprintf(err + n, SOURCE_ERR - (size_t)n, fmt, ap);
	va_end(ap);
}

void source_complain_permission(char *err, const char *where)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = 0;
	source_complain(err, where,
	                "no permission to capture: be root, or run "
	                "setcap cap_net_raw+ep %s",
	                n > 0 ? exe : "ctshardd");
}
