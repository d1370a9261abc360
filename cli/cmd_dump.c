/*
 * cmd_dump.c - dump FILE: a snapshot on disk, and back.
 *
 * The bytes are the daemon's; here they become a file that is there whole or
 * not at all, and go back a message at a time once the sum has been found
 * right.  Without a daemon ctshardd does both, on the segments it left.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/child.h"
#include "cli/make.h"
#include "cli/snapshot.h"

#define FNV_FIRST 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

static int offline(const struct cmd *c, const char *option, const char *path)
{
	const char *argv[] = {
		"ctshardd", "-R", c->rundir ? c->rundir : CTSHARD_RUNDIR,
		option,     path, NULL};

	child_exec(argv);
	cmd_warn("no daemon, and ctshardd is not found");
	return CMD_NO_DAEMON;
}

/* ---- dump ---- */

struct dump {
	int fd, error;
	struct progress progress;
};

static int dump_part(void *arg, const char *text, size_t len)
{
	struct dump *d = arg;
	ssize_t n;

	while (len) {
		n = write(d->fd, text, len);
		if (n < 0 && errno != EINTR) {
			d->error = errno;
			return 1;
		}
		if (n > 0) {
			text += n;
			len -= (size_t)n;
			progress_add(&d->progress, (uint64_t)n);
		}
	}
	return 0;
}

/*
 * Beside the file that it becomes, so that a rename is all it takes.  What is
 * there and no file (a pipe, a device) is written to as it is: it must not be
 * replaced.  No `temp` then.
 */
static int dump_open(const char *path, char *temp, size_t size)
{
	struct stat st;
	int n;

	*temp = '\0';
	if (!strcmp(path, "-"))
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	n = snprintf(temp, size, "%s.XXXXXX", path);
	if (n < 0 || (size_t)n >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return mkostemp(temp, O_CLOEXEC);
}

/* The last step: 0, or -1 with errno. */
static int dump_close(int fd, const char *temp, const char *path)
{
	if (*temp && fsync(fd))
		return -1;
	if (close(fd))
		return -1;
	return *temp ? rename(temp, path) : 0;
}

static int dump_write(struct ctshard *ct, const char *path)
{
	struct dump d = {.progress = {.what = "bytes"}};
	struct ctshard_handler h = {.arg = &d, .text = dump_part};
	char temp[PATH_MAX];
	uint64_t id;
	int rc, code;

	d.fd = dump_open(path, temp, sizeof(temp));
	if (d.fd < 0) {
		cmd_warn("%s: %s", path, strerror(errno));
		return CMD_FAILED;
	}
	rc = ctshard_dump(ct, &h, &id);
	if (!rc)
		rc = ctshard_wait(ct, id);
	progress_end(&d.progress);
	if (!d.error && !rc && dump_close(d.fd, temp, path))
		d.error = errno;
	code = CMD_OK;
	if (d.error) {
		cmd_warn("%s: %s", path, strerror(d.error));
		code = CMD_FAILED;
	} else if (rc) {
		code = cmd_error(ct, rc);
	}
	if (code != CMD_OK && *temp)
		unlink(temp);
	return code;
}

int cmd_dump(struct cmd *c)
{
	struct ctshard *ct;
	int rc, code;

	if (c->args != 1) {
		cmd_warn("dump: to which file?");
		return CMD_USAGE;
	}
	rc = ctshard_open(c->rundir, 0, &ct);
	if (rc == CTSHARD_ENODAEMON) {
		ctshard_close(ct);
		return offline(c, "--dump", c->arg[0]);
	}
	code = rc ? cmd_error(ct, rc) : dump_write(ct, c->arg[0]);
	ctshard_close(ct);
	return code;
}

/* ---- load ---- */

struct file {
	const uint8_t *at;
	size_t len, pos;
};

static bool file_message(struct file *f, const uint8_t **at, size_t *len)
{
	const uint8_t *p = f->at + f->pos;

	if (f->len - f->pos < 4)
		return false;
	*len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 |
	       p[3];
	f->pos += 4;
	if (!*len || *len > f->len - f->pos)
		return false;
	*at = f->at + f->pos;
	f->pos += *len;
	return true;
}

static bool file_whole(const struct file *f)
{
	struct file g = *f;
	uint64_t sum = FNV_FIRST;
	char want[40], got[80];
	const uint8_t *at;
	size_t len, i, n;

	while (file_message(&g, &at, &len))
		;
	n = g.len - g.pos;
	if (n < 5 || n >= sizeof(got))
		return false;
	for (i = 0; i < g.pos; i++)
		sum = (sum ^ g.at[i]) * FNV_PRIME;
	memcpy(got, g.at + g.pos, n);
	got[n] = '\0';
	snprintf(want, sizeof(want), " %016" PRIx64 "\n", sum);
	return !strncmp(got, "end ", 4) && n > strlen(want) &&
	       !strcmp(got + n - strlen(want), want);
}

static int restored(void *arg, uint64_t n)
{
	struct progress *p = arg;

	progress_add(p, n);
	return 0;
}

static int file_load(struct ctshard *ct, struct file *f, const char *path)
{
	struct progress p = {.what = "connections"};
	struct ctshard_handler h = {.arg = &p, .affected = restored};
	const uint8_t *at;
	uint64_t id;
	size_t len;
	int rc = 0;

	if (!file_whole(f)) {
		cmd_warn("%s: this snapshot is damaged or cut short", path);
		return CMD_FAILED;
	}
	while (!rc && file_message(f, &at, &len)) {
		rc = ctshard_restore(ct, at, len, &h, &id);
		if (!rc)
			rc = ctshard_wait(ct, id);
	}
	progress_end(&p);
	if (rc)
		return cmd_error(ct, rc);
	cmd_done(p.n, "restored");
	return CMD_OK;
}

int snapshot_load(struct cmd *c, FILE *f, const char *path)
{
	struct file map = {.pos = strlen(SNAPSHOT_HEAD)};
	struct ctshard *ct;
	struct stat st;
	void *p;
	int rc, code;

	rc = ctshard_open(c->rundir, CTSHARD_CONTROL, &ct);
	if (rc == CTSHARD_ENODAEMON) {
		ctshard_close(ct);
		return offline(c, "--load", path);
	}
	if (rc) {
		code = cmd_error(ct, rc);
		ctshard_close(ct);
		return code;
	}
	p = MAP_FAILED;
	if (!fstat(fileno(f), &st)) {
		map.len = (size_t)st.st_size;
		p = mmap(NULL, map.len, PROT_READ, MAP_PRIVATE, fileno(f), 0);
	}
	map.at = p;
	if (p == MAP_FAILED) {
		cmd_warn("%s: %s", path, strerror(errno));
		code = CMD_FAILED;
	} else {
		code = file_load(ct, &map, path);
		munmap(p, map.len);
	}
	ctshard_close(ct);
	return code;
}

bool snapshot_is(FILE *f)
{
	char head[sizeof(SNAPSHOT_HEAD)] = "";
	size_t n = strlen(SNAPSHOT_HEAD);
	bool is = false;

	/* what cannot be looked at twice holds lines */
	if (fseek(f, 0, SEEK_CUR))
		return false;
	is = fread(head, 1, n, f) == n && !memcmp(head, SNAPSHOT_HEAD, n);
	rewind(f);
	return is;
}
