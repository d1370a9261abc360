/*
 * flowlog.c - a line of text for each connection that ended.
 *
 * The lines are those that `ctctl watch -e destroy` prints, made by the same
 * code: a row goes the way of an answer, only without a socket.
 *
 * Beside FILE stands FILE.state with the mark: which file (device and inode),
 * how long it was, and which event was the last in it.  Lines that a killed
 * predecessor wrote behind that are cut off and written again.  Where the file
 * was renamed since (logrotate), it is looked for by its inode and cut there;
 * the lines then go to the new one.
 */
#include "daemon/recorder/flowlog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "proto/client.h"

/* of one batch's rows in structs */
#define ARENA_LIMIT (8u << 20)
#define ENTRIES_MAX 100000u

static const struct {
	const char *word;
	const struct out_format *format;
	unsigned mods;
} formats[] = {
	{"jsonl", &out_jsonl, 0},
	{"csv", &out_csv, 0},
	/* conntrack's lines have no time unless asked for */
	{"extended", &out_extended, OUT_TIMESTAMP},
	{"line", &out_line, OUT_TIMESTAMP},
};

static int refuse(char *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(char *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, FLOWLOG_ERR, fmt, ap);
	va_end(ap);
	return -1;
}

static struct flowlog *flowlog_of(struct sink *s)
{
	return (struct flowlog *)(void *)s;
}

/* ---- rows ---- */

static int row_event(void *arg, const struct ctshard_event *e)
{
	struct flowlog *f = arg;

	out_event(&f->out, e);
	f->sink.rows++;
	return 0;
}

/* What the batch holds becomes text. */
static int rows_flush(struct flowlog *f)
{
	const struct ctshard_handler h = {.arg = f, .event = row_event};
	const char *why = NULL;
	int r = 0;

	if (f->pb.n) {
		arena_reset(&f->arena);
		r = decode_response(pb_response(&f->pb), &f->arena, &h, &why);
	}
	pb_begin(&f->pb);
	return r ? -EBADMSG : 0;
}

static int flowlog_take(struct sink *s, const struct event_slot *slot)
{
	struct flowlog *f = flowlog_of(s);

	if (slot->cell.type != EVENT_DESTROY && slot->cell.type != EVENT_GAP)
		return 0;
	f->pb.pol = s->pol;
	pb_event(&f->pb, slot);
	return pb_full(&f->pb) ? rows_flush(f) : 0;
}

static int flowlog_gap(struct sink *s, uint64_t seq, uint64_t lost)
{
	struct flowlog *f = flowlog_of(s);

	pb_gap(&f->pb, seq, seq + lost + 1, "log");
	return pb_full(&f->pb) ? rows_flush(f) : 0;
}

/* ---- the file ---- */

/* Back to where the mark is: its size, and an empty buffer. */
static void flowlog_rewind(struct flowlog *f)
{
	struct stat st;

	if (!fstat(f->fd, &st) && (uint64_t)st.st_size > f->mark.at &&
	    ftruncate(f->fd, (off_t)f->mark.at))
		log_warn("record", "the flow log cannot be cut back");
	f->out.len = 0;
	f->out.error = 0;
	f->out.rows = 0;
	pb_begin(&f->pb);
	f->out.header = !f->mark.at;
	out_begin(&f->out);
}

static int flowlog_commit(struct sink *s, uint64_t gseq, uint64_t pos)
{
	struct flowlog *f = flowlog_of(s);
	struct mark m = f->mark;
	int r = rows_flush(f);
	struct stat st;

	/* a header alone is no news */
	if (!r && s->rows)
		r = -out_flush(&f->out);
	if (!r && fstat(f->fd, &st))
		r = -errno;
	if (!r) {
		s->bytes = (uint64_t)st.st_size > m.at
		                   ? (uint64_t)st.st_size - m.at
		                   : 0;
		/* whoever empties the file (copytruncate) is believed */
		m.at = (uint64_t)st.st_size;
		m.gseq = gseq;
		m.pos = pos;
		memcpy(m.uuid, s->t->hdr->uuid, sizeof(m.uuid));
		r = mark_write(f->state, 0, &m);
	}
	if (r)
		flowlog_rewind(f);
	else
		f->mark = m;
	return r;
}

static void flowlog_close(struct sink *s)
{
	struct flowlog *f = flowlog_of(s);

	if (f->fd >= 0)
		close(f->fd);
	if (f->state >= 0)
		close(f->state);
	f->fd = f->state = -1;
	pb_free(&f->pb);
	arena_free(&f->arena);
}

static const struct sink_kind flowlog_kind = {
	.name = "flow_log",
	.take = flowlog_take,
	.gap = flowlog_gap,
	.commit = flowlog_commit,
	.close = flowlog_close,
};

/* ---- opening ---- */

/* The file of that inode in the directory of `path`, or -1. */
static int inode_open(const char *path, const struct mark *m)
{
	char dir[PATH_MAX] = ".";
	const char *slash = strrchr(path, '/');
	unsigned int n;
	struct dirent *e;
	struct stat st;
	int fd = -1;
	DIR *d;

	if (slash)
		snprintf(dir, sizeof(dir), "%.*s",
		         slash == path ? 1 : (int)(slash - path), path);
	d = opendir(dir);
	for (n = 0; d && fd < 0 && n < ENTRIES_MAX && (e = readdir(d)); n++) {
		if (e->d_ino != m->ino)
			continue;
		fd = openat(dirfd(d), e->d_name,
		            O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0 && (fstat(fd, &st) || st.st_ino != m->ino ||
		                st.st_dev != m->dev)) {
			close(fd);
			fd = -1;
		}
	}
	if (d)
		closedir(d);
	return fd;
}

/* The file that the mark speaks of: what is behind the mark goes. */
static int tail_cut(int fd, const struct mark *m)
{
	struct stat st;

	if (fstat(fd, &st) || (uint64_t)st.st_size <= m->at)
		return 0;
	return ftruncate(fd, (off_t)m->at);
}

static void renamed_cut(const char *path, const struct mark *m)
{
	int fd = inode_open(path, m);

	if (fd < 0)
		log_warnx("record",
		          "%s: the file written before is not in its "
		          "directory; its last lines may be in the "
		          "new one, too",
		          path);
	else if (tail_cut(fd, m))
		log_warn("record", "%s: the file written before", path);
	if (fd >= 0)
		close(fd);
}

static int file_open(struct flowlog *f, const char *path, char *err)
{
	struct stat st;

	f->fd = open(path,
	             O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
	             0640);
	if (f->fd < 0 || fstat(f->fd, &st))
		return refuse(err, "%.400s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(err, "%.400s: not a regular file", path);
	if (f->mark.turn &&
	    (f->mark.ino != st.st_ino || f->mark.dev != st.st_dev))
		renamed_cut(path, &f->mark);
	else if (f->mark.turn && tail_cut(f->fd, &f->mark))
		return refuse(err, "%.400s: %s", path, strerror(errno));
	if (fstat(f->fd, &st))
		return refuse(err, "%.400s: %s", path, strerror(errno));
	f->mark.ino = st.st_ino;
	f->mark.dev = st.st_dev;
	f->mark.at = (uint64_t)st.st_size;
	return 0;
}

static int state_open(struct flowlog *f, const char *path, char *err)
{
	char name[PATH_MAX + 8];

	snprintf(name, sizeof(name), "%s.state", path);
	f->state = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->state < 0)
		return refuse(err, "%.400s: %s", name, strerror(errno));
	if (flock(f->state, LOCK_EX | LOCK_NB))
		return refuse(err, "%.400s: another daemon writes it", path);
	mark_read(f->state, 0, &f->mark);
	return 0;
}

static void labels_read(struct labels *l, const struct conf *c)
{
	const struct conf_key *k;
	const char *value;
	unsigned int i;

	for (i = 0; (k = conf_at(c, i, &value)); i++)
		labels_setting(l, k->name, value);
}

int flowlog_open(struct flowlog *f, struct table *t, const struct conf *c,
                 const char *path, char *err)
{
	const char *word = conf_text(c, "flow_log_format");
	size_t i = 0;
	int r;

	memset(f, 0, offsetof(struct flowlog, out));
	f->fd = f->state = -1;
	f->sink.t = t;
	f->sink.mark = &f->mark;
	while (i < ARRAY_SIZE(formats) - 1 &&
	       strcmp(word, formats[i].word) != 0)
		i++;
	arena_init(&f->arena, ARENA_LIMIT);
	if (pb_init(&f->pb, t, NULL))
		return refuse(err, "out of memory");
	if (state_open(f, path, err) || file_open(f, path, err)) {
		flowlog_close(&f->sink);
		return -1;
	}
	labels_read(&f->labels, c);
	out_init(&f->out, formats[i].format, formats[i].mods, f->fd,
	         &f->labels);
	f->out.header = !f->mark.at;
	/* from here on the mark and this file belong together */
	r = mark_write(f->state, 0, &f->mark);
	if (!r)
		return 0;
	flowlog_close(&f->sink);
	return refuse(err, "%.400s.state: %s", path, strerror(-r));
}

int flowlog_begin(struct flowlog *f, const struct policy *pol,
                  struct record_figures *figures)
{
	f->sink.kind = &flowlog_kind;
	f->sink.pol = pol;
	f->sink.figures = figures;
	pb_begin(&f->pb);
	out_begin(&f->out);
	sink_begin(&f->sink);
	return 0;
}
