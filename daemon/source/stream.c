/*
 * stream.c - plain, gzip and Zstandard captures as a FILE.
 *
 * Theory.  libpcap reads a FILE from its beginning to its end.  A plain file
 * is just that; for the others a FILE is made whose read function unpacks.
 * Nothing is written to disk for it.  What cannot be read twice (stdin, for
 * several processes) is spooled first, see `source_spool`.
 *
 * Several gzip members, or Zstandard frames, behind each other are one
 * stream, as their tools have it.  An end in the middle of one is an error,
 * also where it happens to fall between two packets.
 */
#include "daemon/source/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "daemon/source/kind.h"

#define PACKED_BYTES (1u << 16)
#define FILE_BYTES                                                \
	(1u << 18) /* fewer system calls than the default's 4 KiB \
	            */

#define GZIP_FIRST 0x1f

enum packing { PACK_NONE, PACK_GZIP, PACK_ZSTD };

struct stream {
	int fd;
	enum packing packing;
	z_stream gz;
	ZSTD_DStream *zstd;
	const char *why;
	bool inside; /* a member or frame has begun and not ended */
	bool began;  /* the first has */
	bool eof;    /* of the packed bytes */
	size_t at, have;
	uint8_t in[PACKED_BYTES];
};

static ssize_t read_some(int fd, void *buf, size_t len)
{
	ssize_t n;

	do
		n = read(fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n;
}

/* More packed bytes; false on an error of the file. */
static bool stream_fill(struct stream *s)
{
	ssize_t n;

	if (s->at < s->have || s->eof)
		return true;
	n = read_some(s->fd, s->in, sizeof(s->in));
	if (n < 0)
		return false;
	s->at = 0;
	s->have = (size_t)n;
	s->eof = n == 0;
	return true;
}

static ssize_t stream_bad(struct stream *s, const char *why)
{
	s->why = why;
	errno = EIO;
	return -1;
}

/* Each of the three unpacks once: how many bytes it made, -1 = broken. */
static ssize_t unpack_none(struct stream *s, char *buf, size_t len)
{
	size_t n = s->have - s->at;

	if (n > len)
		n = len;
	memcpy(buf, s->in + s->at, n);
	s->at += n;
	return (ssize_t)n;
}

static ssize_t unpack_gzip(struct stream *s, char *buf, size_t len)
{
	int r;

	if (!s->inside) {
		if (s->began && s->in[s->at] != GZIP_FIRST) {
			/* padding of a tape or a block device, as gzip(1) */
			s->at = s->have = 0;
			s->eof = true;
			return 0;
		}
		if (inflateReset(&s->gz) != Z_OK)
			return stream_bad(s, "gzip data cannot be read");
	}
	s->inside = s->began = true;
	s->gz.next_in = s->in + s->at;
	s->gz.avail_in = (uInt)(s->have - s->at);
	s->gz.next_out = (Bytef *)buf;
	s->gz.avail_out = (uInt)len;
	r = inflate(&s->gz, Z_NO_FLUSH);
	s->at = s->have - s->gz.avail_in;
	if (r == Z_STREAM_END)
		s->inside = false;
	else if (r != Z_OK && r != Z_BUF_ERROR)
		return stream_bad(s, "gzip data are damaged");
	return (ssize_t)(len - s->gz.avail_out);
}

static ssize_t unpack_zstd(struct stream *s, char *buf, size_t len)
{
	ZSTD_inBuffer in = {s->in, s->have, s->at};
	ZSTD_outBuffer out = {buf, len, 0};
	size_t r = ZSTD_decompressStream(s->zstd, &out, &in);

	s->at = in.pos;
	if (ZSTD_isError(r))
		return stream_bad(s, "Zstandard data are damaged");
	s->inside = r != 0;
	return (ssize_t)out.pos;
}

static ssize_t unpack(struct stream *s, char *buf, size_t len)
{
	switch (s->packing) {
	case PACK_GZIP:
		return unpack_gzip(s, buf, len);
	case PACK_ZSTD:
		return unpack_zstd(s, buf, len);
	default:
		return unpack_none(s, buf, len);
	}
}

/* fopencookie(3).  An unpacker may hold bytes back when the packed ones are
 * all read, so it is asked once more before the end is believed. */
static ssize_t stream_read(void *cookie, char *buf, size_t len)
{
	struct stream *s = cookie;
	ssize_t n;

	if (len > 1u << 30)
		len = 1u << 30;
	for (;;) {
		if (s->why)
			return stream_bad(s, s->why);
		if (!stream_fill(s))
			return -1;
		if (s->eof && !s->inside)
			return 0;
		n = unpack(s, buf, len);
		if (n)
			return n;
		if (s->eof && s->inside) /* and nothing was held back */
			return stream_bad(s, "compressed data end too early");
	}
}

static int stream_close(void *cookie)
{
	struct stream *s = cookie;

	if (s->packing == PACK_GZIP)
		inflateEnd(&s->gz);
	ZSTD_freeDStream(s->zstd);
	close(s->fd);
	free(s);
	return 0;
}

static enum packing packing_of(const uint8_t *b, size_t len)
{
	static const uint8_t gzip[] = {GZIP_FIRST, 0x8b};
	static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd};

	if (len >= sizeof(gzip) && !memcmp(b, gzip, sizeof(gzip)))
		return PACK_GZIP;
	if (len >= sizeof(zstd) && !memcmp(b, zstd, sizeof(zstd)))
		return PACK_ZSTD;
	return PACK_NONE;
}

/* The first bytes, enough of them to know the packing; a pipe may give them
 * one by one. */
static bool stream_peek(struct stream *s)
{
	while (s->have < 4) {
		ssize_t n = read_some(s->fd, s->in + s->have,
		                      sizeof(s->in) - s->have);

		if (n < 0)
			return false;
		if (n == 0)
			break;
		s->have += (size_t)n;
	}
	s->packing = packing_of(s->in, s->have);
	return true;
}

static bool unpacker_init(struct stream *s)
{
	if (s->packing == PACK_GZIP)
		return inflateInit2(&s->gz, 15 + 16) == Z_OK;
	if (s->packing == PACK_ZSTD)
		return (s->zstd = ZSTD_createDStream()) != NULL;
	return true;
}

static FILE *stream_file(struct stream *s, struct stream **kept)
{
	cookie_io_functions_t io = {.read = stream_read, .close = stream_close};
	FILE *f;

	*kept = NULL;
	if (s->packing == PACK_NONE && lseek(s->fd, 0, SEEK_SET) == 0) {
		(void)posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
		f = fdopen(s->fd, "r");
		if (f)
			free(s);
		return f;
	}
	f = unpacker_init(s) ? fopencookie(s, "r", io) : NULL;
	if (f)
		*kept = s;
	return f;
}

static int stream_fd(const char *path, char *err)
{
	struct stat st;
	int fd;

	if (!strcmp(path, "-"))
		return source_spool(STDIN_FILENO, err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &st) && S_ISDIR(st.st_mode)) {
		close(fd);
		fd = -1;
		errno = EISDIR;
	}
	if (fd < 0)
		source_complain(err, path, "%s", strerror(errno));
	return fd;
}

FILE *stream_open(const char *path, struct stream **kept, char *err)
{
	int fd = stream_fd(path, err);
	struct stream *s;
	FILE *f = NULL;

	*kept = NULL;
	if (fd < 0)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s) {
		s->fd = fd;
		if (stream_peek(s))
			f = stream_file(s, kept);
	}
	if (!f) {
		source_complain(err, path, "%s", strerror(errno));
		close(fd);
		free(s);
		return NULL;
	}
	(void)setvbuf(f, NULL, _IOFBF, FILE_BYTES);
	return f;
}

const char *stream_why(const struct stream *s)
{
	return s ? s->why : NULL;
}

/* -- spool ----------------------------------------------------------------- */

static int spool_open(void)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];
	int fd, n;

	if (!dir || !*dir)
		dir = "/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	/* not every file system knows files without a name */
	n = snprintf(path, sizeof(path), "%s/ctshardd.XXXXXX", dir);
	if (n < 0 || n >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

static bool write_all(int fd, const uint8_t *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		buf += n;
		len -= (size_t)n;
	}
	return true;
}

static bool spool_copy(int from, int to)
{
	uint8_t buf[1 << 14];
	ssize_t n;

	while ((n = read_some(from, buf, sizeof(buf))) > 0)
		if (!write_all(to, buf, (size_t)n))
			return false;
	return n == 0 && lseek(to, 0, SEEK_SET) == 0;
}

int source_spool(int from, char *err)
{
	int fd = spool_open();

	if (fd >= 0 && spool_copy(from, fd))
		return fd;
	source_complain(err, "standard input", "cannot be spooled: %s",
	                strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}
