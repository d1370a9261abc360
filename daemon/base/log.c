/* log.c - see log.h. */
#include "daemon/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* a line longer than this is cut: one write of it is still one line */
#define LINE_MAX_BYTES 1024

/* RFC 5424's numbers, which journald reads */
enum { PRI_ERR = 3, PRI_WARNING = 4, PRI_INFO = 6, PRI_DEBUG = 7 };

static struct {
	char role[32];
	enum log_level level;
	int fd;
	bool journal;
} log_state = {.fd = STDERR_FILENO, .level = LOG_LEVEL_INFO};

/* systemd names device and inode of the journal's stream, so a redirected
 * stderr of a service gets no prefixes. */
static bool log_is_journal(void)
{
	const char *s = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	char *end;
	struct stat st;

	if (!s)
		return false;
	dev = strtoull(s, &end, 10);
	if (end == s || *end != ':')
		return false;
	ino = strtoull(end + 1, NULL, 10);
	return !fstat(STDERR_FILENO, &st) && st.st_dev == dev &&
	       st.st_ino == ino;
}

void log_init(const char *role, enum log_level level)
{
	snprintf(log_state.role, sizeof(log_state.role), "%s",
	         role ? role : "");
	log_state.level = level;
	log_state.journal = log_is_journal();
}

void log_to(int fd)
{
	log_state.fd = fd;
}

enum log_level log_level(void)
{
	return log_state.level;
}

static size_t cut(int n, size_t room)
{
	if (n < 0)
		return 0;
	return (size_t)n < room ? (size_t)n : room - 1;
}

/* One line, one write.  A full pipe loses the line: logging never waits for a
 * reader for ever, and never ends the process. */
static LOG_PRINTF(4, 0) void log_line(int pri, const char *sub, int err,
                                      const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	size_t room = sizeof(line) - 1, n = 0, i;
	ssize_t w;

	if (log_state.journal)
		n += cut(snprintf(line, room, "<%d>", pri), room);
	n += cut(snprintf(line + n, room - n, "ctshardd: %s%s%s%s",
	                  log_state.role, *log_state.role ? ": " : "",
	                  sub ? sub : "", sub && *sub ? ": " : ""),
	         room - n);
	n += cut(vsnprintf(line + n, room - n, fmt, ap), room - n);
	if (err)
		n += cut(snprintf(line + n, room - n, ": %s", strerror(err)),
		         room - n);
	for (i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[n++] = '\n';
	do
		w = write(log_state.fd, line, n);
	while (w < 0 && errno == EINTR);
}

#define LOG_VA(pri, err)                                            \
	do {                                                        \
		int log_errno = errno;                              \
		va_list ap;                                         \
		va_start(ap, fmt);                                  \
		log_line(pri, sub, (err) ? log_errno : 0, fmt, ap); \
		va_end(ap);                                         \
		errno = log_errno;                                  \
	} while (0)

void log_warn(const char *sub, const char *fmt, ...)
{
	LOG_VA(PRI_WARNING, true);
}

void log_warnx(const char *sub, const char *fmt, ...)
{
	LOG_VA(PRI_WARNING, false);
}

void log_info(const char *sub, const char *fmt, ...)
{
	if (log_state.level >= LOG_LEVEL_INFO)
		LOG_VA(PRI_INFO, false);
}

void log_debug(const char *sub, const char *fmt, ...)
{
	if (log_state.level >= LOG_LEVEL_DEBUG)
		LOG_VA(PRI_DEBUG, false);
}

void fatal(const char *sub, const char *fmt, ...)
{
	LOG_VA(PRI_ERR, true);
	_exit(1);
}

void fatalx(const char *sub, const char *fmt, ...)
{
	LOG_VA(PRI_ERR, false);
	_exit(1);
}

bool log_allow_at(struct log_limit *l, const char *sub, const char *reason,
                  uint64_t now_ns)
{
	if (!l->since_ns || now_ns - l->since_ns >= LOG_WINDOW_NS) {
		if (l->kept_back)
			log_warnx(sub, "%s: %u more lines were kept back",
			          reason, l->kept_back);
		l->since_ns = now_ns ? now_ns : 1;
		l->lines = 0;
		l->kept_back = 0;
	}
	if (l->lines < LOG_BURST) {
		l->lines++;
		return true;
	}
	l->kept_back++;
	return false;
}

bool log_allow(struct log_limit *l, const char *sub, const char *reason)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return log_allow_at(l, sub, reason,
	                    (uint64_t)ts.tv_sec * NS_PER_S +
	                            (uint64_t)ts.tv_nsec);
}
