/* cpus.c - see cpus.h. */
#include "daemon/supervisor/cpus.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPUS_MAX 1024u

struct cpus {
	unsigned int n;
	unsigned short cpu[CPUS_MAX];
};

/* a number, behind which *at then stands; -1: none, or too high */
static long number(const char **at)
{
	char *end;
	long n;

	while (isspace((unsigned char)**at))
		++*at;
	if (!isdigit((unsigned char)**at))
		return -1;
	n = strtol(*at, &end, 10);
	while (isspace((unsigned char)*end))
		end++;
	*at = end;
	return n < (long)CPU_SETSIZE ? n : -1;
}

static int cpus_parse(const char *list, struct cpus *c)
{
	long from, to;

	c->n = 0;
	while (isspace((unsigned char)*list))
		list++;
	if (!*list)
		return 0;
	do {
		from = to = number(&list);
		if (*list == '-') {
			list++;
			to = number(&list);
		}
		if (from < 0 || to < from)
			return -1;
		for (; from <= to; from++) {
			if (c->n == CPUS_MAX)
				return -1;
			c->cpu[c->n++] = (unsigned short)from;
		}
	} while (*list++ == ',');
	return list[-1] ? -1 : 0;
}

int cpus_of(const char *list, unsigned int n, char *why, size_t size)
{
	struct cpus c;

	if (cpus_parse(list, &c)) {
		snprintf(why, size,
		         "worker.cpus: `%.60s' is no list of processors, such "
		         "as 2,3 or 2-5",
		         list);
		return -2;
	}
	return c.n ? c.cpu[n % c.n] : -1;
}

int cpus_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? errno : 0;
}
