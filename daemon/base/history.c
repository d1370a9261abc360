/* history.c - see history.h. */
#include "daemon/base/history.h"

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

#include "shm/layout.h"

#define HISTORY_MAGIC 0x3154534948544331ull
#define MARK_AT       1024
#define COPY_RECORDS  64u
#define REFRESH_TRIES 3

struct head {
	uint64_t magic;
	uint64_t layout; /* of a record: another build may mean another thing */
	uint64_t room;
	uint64_t sum;
};

static int refuse(char *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(char *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, HISTORY_ERR, fmt, ap);
	va_end(ap);
	return -1;
}

/* what a record's bytes mean */
static uint64_t record_layout(void)
{
	const uint64_t v[] = {sizeof(struct history_record),
	                      offsetof(struct history_record, slot),
	                      sizeof(struct event_slot), layout_hash()};

	return mark_sum(v, sizeof(v));
}

static off_t record_place(const struct history *h, uint64_t number)
{
	return (off_t)(HISTORY_HEAD +
	               number % h->room * sizeof(struct history_record));
}

static uint64_t record_sum(const struct history_record *r)
{
	return mark_sum(r, offsetof(struct history_record, sum));
}

/* ---- opening ---- */

static bool head_read(struct history *h)
{
	struct head d;
	struct stat st;

	if (pread(h->fd, &d, sizeof(d), 0) != (ssize_t)sizeof(d) ||
	    d.magic != HISTORY_MAGIC || d.layout != record_layout() ||
	    d.sum != mark_sum(&d, offsetof(struct head, sum)) || !d.room)
		return false;
	if (fstat(h->fd, &st) ||
	    (uint64_t)st.st_size < HISTORY_HEAD + sizeof(struct history_record))
		return false;
	h->room = d.room;
	mark_read(h->fd, MARK_AT, &h->mark);
	return true;
}

/* The room is taken at once: later a full disk would be a loss. */
static int head_write(struct history *h, uint64_t room, const struct mark *m)
{
	struct head d = {.magic = HISTORY_MAGIC,
	                 .layout = record_layout(),
	                 .room = room};
	off_t size =
		(off_t)(HISTORY_HEAD + room * sizeof(struct history_record));

	d.sum = mark_sum(&d, offsetof(struct head, sum));
	h->room = room;
	h->mark = *m;
	if (ftruncate(h->fd, size) ||
	    (fallocate(h->fd, 0, 0, size) && errno != EOPNOTSUPP) ||
	    pwrite(h->fd, &d, sizeof(d), 0) != (ssize_t)sizeof(d))
		return -1;
	return 0;
}

static int copy_newest(const struct history *from, struct history *to)
{
	struct history_record r[COPY_RECORDS];
	uint64_t at = history_oldest(from), end = from->mark.at;
	size_t i, got;

	if (end - at > to->room)
		at = end - to->room;
	while (at < end) {
		at += history_read(from, at, r, COPY_RECORDS, &got);
		for (i = 0; i < got && r[i].number <= end; i++)
			if (pwrite(to->fd, &r[i], sizeof(r[i]),
			           record_place(to, r[i].number - 1)) !=
			    (ssize_t)sizeof(r[i]))
				return -1;
	}
	return mark_write(to->fd, MARK_AT, &to->mark);
}

/* A new file takes the place of what is there, if anything, in one step. */
static int file_make(struct history *h, const char *path, uint64_t room,
                     char *err)
{
	static const struct mark none;
	struct history fresh = {.fd = -1};
	char tmp[PATH_MAX + 8];
	int bad;

	snprintf(tmp, sizeof(tmp), "%s.new", path);
	fresh.fd = open(
		tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fresh.fd < 0)
		return refuse(err, "%.400s: %s", tmp, strerror(errno));
	bad = flock(fresh.fd, LOCK_EX | LOCK_NB) ||
	      head_write(&fresh, room, h->fd >= 0 ? &h->mark : &none);
	if (!bad && h->fd >= 0)
		bad = copy_newest(h, &fresh);
	if (bad || rename(tmp, path)) {
		refuse(err, "%.400s: %s", tmp, strerror(errno));
		close(fresh.fd);
		unlink(tmp);
		return -1;
	}
	if (h->fd >= 0)
		close(h->fd);
	*h = fresh;
	return 0;
}

static int file_aside(struct history *h, const char *path, char *err)
{
	char old[PATH_MAX + 8];

	close(h->fd);
	h->fd = -1;
	snprintf(old, sizeof(old), "%s.old", path);
	if (rename(path, old))
		return refuse(err, "%.400s: %s", old, strerror(errno));
	return 0;
}

int history_open(struct history *h, const char *path, uint64_t bytes, char *err)
{
	uint64_t room = bytes > HISTORY_MIN ? bytes : HISTORY_MIN;
	struct stat st;

	room = (room - HISTORY_HEAD) / sizeof(struct history_record);
	memset(h, 0, sizeof(*h));
	h->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (h->fd < 0 && errno != ENOENT)
		return refuse(err, "%.400s: %s", path, strerror(errno));
	if (h->fd < 0)
		return file_make(h, path, room, err);
	if (fstat(h->fd, &st) || !S_ISREG(st.st_mode))
		return refuse(err, "%.400s: not a regular file", path);
	if (flock(h->fd, LOCK_EX | LOCK_NB))
		return refuse(err, "%.400s: another daemon writes it", path);
	if (!head_read(h) && file_aside(h, path, err))
		return -1;
	if (h->fd >= 0 && h->room == room)
		return 0;
	return file_make(h, path, room, err);
}

int history_look(struct history *h, const char *path, char *err)
{
	memset(h, 0, sizeof(*h));
	h->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (h->fd < 0)
		return refuse(err, "%.400s: %s", path, strerror(errno));
	if (head_read(h))
		return 0;
	history_close(h);
	return refuse(err, "%.400s: not a history of this program", path);
}

void history_close(struct history *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

/* ---- writing ---- */

int history_write(struct history *h, uint64_t behind, struct history_record *r,
                  size_t n)
{
	uint64_t number = h->mark.at + behind;
	size_t i, part, size;
	ssize_t done;

	for (i = 0; i < n; i++) {
		r[i].number = number + i + 1;
		r[i].sum = record_sum(&r[i]);
	}
	for (i = 0; i < n; i += part, number += part) {
		part = n - i;
		if (part > h->room - number % h->room)
			part = (size_t)(h->room - number % h->room);
		size = part * sizeof(*r);
		done = pwrite(h->fd, &r[i], size, record_place(h, number));
		if (done != (ssize_t)size)
			return done < 0 ? -errno : -ENOSPC;
	}
	return 0;
}

int history_commit(struct history *h, uint64_t at)
{
	struct mark m = h->mark;
	int r;

	m.at = at;
	r = mark_write(h->fd, MARK_AT, &m);
	if (!r)
		h->mark = m;
	return r;
}

/* ---- reading ---- */

int history_refresh(struct history *h)
{
	struct mark m;
	int i;

	/* both copies look bad for a moment if two were written meanwhile */
	for (i = 0; i < REFRESH_TRIES; i++)
		if (mark_read(h->fd, MARK_AT, &m)) {
			h->mark = m;
			return 0;
		}
	return h->mark.turn ? -1 : 0;
}

uint64_t history_oldest(const struct history *h)
{
	return h->mark.at > h->room ? h->mark.at - h->room : 0;
}

size_t history_read(const struct history *h, uint64_t from,
                    struct history_record *r, size_t n, size_t *got)
{
	uint64_t first = from % h->room;
	ssize_t len;
	size_t i;

	*got = 0;
	if (n > h->room - first)
		n = (size_t)(h->room - first);
	len = pread(h->fd, r, n * sizeof(*r), record_place(h, from));
	if (len < (ssize_t)sizeof(*r))
		return n; /* cut short: nothing is there */
	for (i = 0; i < (size_t)len / sizeof(*r); i++)
		if (r[i].number == from + i + 1 &&
		    r[i].sum == record_sum(&r[i]))
			r[(*got)++] = r[i];
	return n;
}
