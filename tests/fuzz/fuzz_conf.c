/*
 * fuzz_conf.c - configuration: files, lines of -T, and words of -s.
 *
 * What was accepted must print as something that reads back as the same; what
 * was refused must say why, and a refused word must change nothing.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/base/conf.h"
#include "daemon/base/role.h"
#include "daemon/tracker/tracker.h"
#include "tests/fuzz/fuzz.h"

static struct conf *fresh;

/* a key of every type beside those of base, as other rooms add them */
static const struct conf_key extra[] = {
	{.name = "udp_timeout",
         .type = CONF_SECONDS,
         .def = "30",
         .max = 2147483647,
         .flags = CONF_LIVE,
         .policy_size = 4,
         .policy_at = offsetof(struct policy, timeout[1][0]),
         .doc = "s"},
	{.name = "tcp_loose",
         .type = CONF_FLAG,
         .def = "1",
         .flags = CONF_LIVE,
         .policy_size = 4,
         .policy_at = offsetof(struct policy, option[0][0]),
         .doc = "f"},
	{.name = "tcp_max_retrans",
         .type = CONF_NUMBER,
         .def = "3",
         .max = 255,
         .flags = CONF_LIVE,
         .policy_size = 4,
         .policy_at = offsetof(struct policy, option[0][3]),
         .doc = "n"},
	{.name = "tracker.udp",
         .type = CONF_ONOFF,
         .def = "on",
         .flags = CONF_LIVE | CONF_INVERT,
         .policy_size = 1,
         .policy_at = offsetof(struct policy, tracker_off[1]),
         .doc = "o"},
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fresh = conf_new();
	fuzz_check(fresh && !conf_add_table(fresh, extra, ARRAY_SIZE(extra)),
	           "no configuration");
	return 0;
}

static void check_values(const struct conf *c)
{
	const struct conf_key *k;
	struct policy p;
	const char *value;
	uint16_t port[64];
	unsigned int i;

	for (i = 0; (k = conf_at(c, i, &value)); i++) {
		fuzz_check(value && !strchr(value, '\n'), "%s: a line",
		           k->name);
		if (k->type == CONF_PORTS)
			conf_ports(c, k->name, port, ARRAY_SIZE(port));
		if (k->type == CONF_NUMBER)
			fuzz_check(conf_number(c, k->name) >= k->min &&
			                   conf_number(c, k->name) <= k->max,
			           "%s is %s", k->name, value);
	}
	memset(&p, 0, sizeof(p));
	conf_to_policy(c, &p);
	fuzz_check(p.acct <= 1 && p.tracker_off[1] <= 1, "a flag of 2");
}

static void check_round(const struct conf *c)
{
	char *text = conf_text_of(c), *again, err[CONF_ERR] = "";
	struct conf *d = conf_copy(fresh);
	int r;

	fuzz_check(text && d, "out of memory");
	r = conf_read_text(d, text, err);
	fuzz_check(!r, "not read back: %s", err);
	again = conf_text_of(d);
	fuzz_check(again && !strcmp(text, again), "printed, read:\n%s\n%s",
	           text, again);
	free(again);
	free(text);
	conf_free(d);
}

static void read_file(struct conf *c, const char *text, size_t len)
{
	char path[32], err[CONF_ERR] = "";
	int fd = memfd_create("conf", MFD_CLOEXEC);

	fuzz_check(fd >= 0 && write(fd, text, len) == (ssize_t)len, "no file");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (conf_read_file(c, path, err))
		fuzz_check(*err, "refused without a reason");
	close(fd);
}

static void read_pairs(struct conf *c, char *text)
{
	char err[CONF_ERR], *line, *rest = text, *before, *after;

	while ((line = strsep(&rest, "\n"))) {
		before = conf_text_of(c);
		*err = '\0';
		if (conf_set_pair(c, line, err)) {
			after = conf_text_of(c);
			fuzz_check(*err && before && after &&
			                   !strcmp(before, after),
			           "refused: %s", line);
			free(after);
		}
		free(before);
	}
}

static void refused(void *arg, const char *name, const char *old,
                    const char *value)
{
	(void)arg;
	fuzz_check(name && old && value && strcmp(old, value),
	           "refused for nothing");
}

/* byte 0: a file, lines as -T prints them, or lines of -s words */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char err[CONF_ERR] = "", *text;
	struct conf *c, *d;

	if (!size || size > 4096)
		return 0;
	c = conf_copy(fresh);
	text = malloc(size);
	fuzz_check(c && text, "out of memory");
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 3) {
	case 0:
		read_file(c, text, size - 1);
		break;
	case 1:
		if (conf_read_text(c, text, err))
			fuzz_check(*err, "refused without a reason");
		break;
	default:
		read_pairs(c, text);
	}
	free(text);
	check_values(c);
	check_round(c);
	d = conf_copy(fresh);
	fuzz_check(d, "out of memory");
	conf_reload(d, c, refused, NULL);
	check_values(d);
	conf_free(d);
	conf_free(c);
	return 0;
}
