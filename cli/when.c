/* when.c - see when.h. */
#include "cli/when.h"

#include <stdlib.h>
#include <string.h>

#define NS 1000000000ull

static int seconds(time_t t, uint64_t *ns)
{
	if (t < 0 || (uint64_t)t > UINT64_MAX / NS - 1)
		return -1;
	*ns = (uint64_t)t * NS;
	return 0;
}

/* -2h */
static int when_ago(const char *s, time_t now, uint64_t *ns)
{
	static const char units[] = "smhd";
	static const long of[] = {1, 60, 3600, 86400};
	const char *unit;
	char *end;
	long n;

	if (*s < '0' || *s > '9')
		return -1;
	n = strtol(s, &end, 10);
	unit = *end ? strchr(units, *end) : units;
	if (!unit || n > 100000000 || (*end && end[1]))
		return -1;
	n *= of[unit - units];
	return seconds(n > now ? 0 : now - n, ns);
}

/* seconds since the epoch, with a fraction */
static int when_epoch(const char *s, uint64_t *ns)
{
	uint64_t unit = NS / 10;
	char *end;

	if (seconds((time_t)strtoull(s, &end, 10), ns))
		return -1;
	if (!*end)
		return 0;
	for (s = end + 1; *end == '.' && *s >= '0' && *s <= '9'; s++) {
		*ns += (uint64_t)(*s - '0') * unit;
		unit /= 10;
	}
	return *end != '.' || *s ? -1 : 0;
}

static int when_date(const char *s, time_t now, uint64_t *ns)
{
	static const char *const forms[] = {
		"%Y-%m-%dT%H:%M:%S",
		"%Y-%m-%d %H:%M:%S",
		"%Y-%m-%dT%H:%M",
		"%Y-%m-%d %H:%M",
		"%Y-%m-%d",
		"%H:%M:%S",
		"%H:%M",
	};
	const char *end;
	struct tm tm;
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		localtime_r(&now, &tm);
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		tm.tm_isdst = -1;
		end = strptime(s, forms[i], &tm);
		if (end && !strcmp(end, "Z"))
			return seconds(timegm(&tm), ns);
		if (end && !*end)
			return seconds(mktime(&tm), ns);
	}
	return -1;
}

int when_parse(const char *s, time_t now, uint64_t *ns)
{
	if (!strcmp(s, "now"))
		return seconds(now, ns);
	if (*s == '-')
		return when_ago(s + 1, now, ns);
	if (strspn(s, "0123456789.") == strlen(s) && *s)
		return when_epoch(s, ns);
	return when_date(s, now, ns);
}
