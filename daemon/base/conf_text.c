/*
 * conf_text.c - see conf_text.h.
 *
 * libconfuse 3.3 counts a line with a # comment three times, takes the end of
 * the file for the end of an open block or comment, and ends the process when
 * the file is a directory.  A daemon that reloads needs better, so the text is
 * read and cleaned here, without moving a line.
 */
#include "daemon/base/conf_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES (1u << 20)

struct scan {
	const char *path;
	char *at;
	int line;
	int open_line; /* of the outermost block */
	int depth;
	char *err;
};

static int scan_bad(struct scan *s, int line, const char *what)
{
	snprintf(s->err, CONF_ERR, "%.120s:%d: %s", s->path, line, what);
	return -1;
}

/* Blanks the text up to `end` (which goes, too), newlines stay. */
static int blank_until(struct scan *s, const char *end, bool needed)
{
	size_t len = strlen(end);
	char *stop = strstr(s->at, end);

	if (!stop && needed)
		return scan_bad(s, s->line, "the comment has no end");
	if (stop && needed)
		stop += len;
	for (; *s->at && s->at != stop; s->at++) {
		if (*s->at == '\n')
			s->line++;
		else
			*s->at = ' ';
	}
	return 0;
}

static int quote_skip(struct scan *s)
{
	char quote = *s->at++;

	for (; *s->at != quote; s->at++) {
		if (*s->at == '\\' && s->at[1])
			s->at++;
		if (!*s->at || *s->at == '\n')
			return scan_bad(s, s->line,
			                "the quote has no end on its line");
	}
	s->at++;
	return 0;
}

static int brace(struct scan *s, int step)
{
	if (!s->depth)
		s->open_line = s->line;
	s->depth += step;
	s->at++;
	return s->depth < 0 ? scan_bad(s, s->line, "'}' without '{'") : 0;
}

/* Words may have slashes in them: a comment begins where a word would. */
static bool word_start(const char *text, const char *at)
{
	return at == text || strchr(" \t\r\n{}=,", at[-1]) != NULL;
}

static int scan_step(struct scan *s, const char *text)
{
	bool start = word_start(text, s->at);

	switch (*s->at) {
	case '#':
		return blank_until(s, "\n", false);
	case '/':
		if (start && s->at[1] == '/')
			return blank_until(s, "\n", false);
		if (start && s->at[1] == '*')
			return blank_until(s, "*/", true);
		break;
	case '"':
	case '\'':
		return quote_skip(s);
	case '{':
		return brace(s, 1);
	case '}':
		return brace(s, -1);
	case '\n':
		s->line++;
		break;
	}
	s->at++;
	return 0;
}

static int text_clean(const char *path, char *text, char *err)
{
	struct scan s = {.path = path, .at = text, .line = 1, .err = err};

	while (*s.at)
		if (scan_step(&s, text))
			return -1;
	if (s.depth)
		return scan_bad(&s, s.open_line, "the block has no end");
	return 0;
}

/* Pipes, too: read to the end, whatever the size says. */
static char *file_read(int fd, size_t *len)
{
	char *text = malloc(FILE_MAX_BYTES + 1);
	size_t n = 0;
	ssize_t r = 1;

	while (text && r > 0 && n < FILE_MAX_BYTES) {
		r = read(fd, text + n, FILE_MAX_BYTES - n);
		if (r > 0)
			n += (size_t)r;
		else if (r < 0 && errno == EINTR)
			r = 1;
	}
	if (text && r > 0) {
		errno = EFBIG;
		r = -1;
	}
	if (!text || r < 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	*len = n;
	return text;
}

/* A byte that ends a string stands in it: no text, from that line on. */
static bool text_whole(const char *path, const char *text, size_t len,
                       char *err)
{
	const char *p;
	int line = 1;

	if (strlen(text) == len)
		return true;
	for (p = text; *p; p++)
		line += *p == '\n';
	snprintf(err, CONF_ERR, "%.120s:%d: this is no text", path, line);
	return false;
}

char *conf_text_load(const char *path, char *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	char *text = fd < 0 ? NULL : file_read(fd, &len);

	if (!text)
		snprintf(err, CONF_ERR, "%.120s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (!text ||
	    (text_whole(path, text, len, err) && !text_clean(path, text, err)))
		return text;
	free(text);
	return NULL;
}
