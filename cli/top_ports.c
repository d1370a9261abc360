/*
 * top_ports.c - how the interfaces of the mirror are, in one line.
 *
 * What `ctctl show mirror` has in a table, said of each interface as far as
 * there is something to say: whoever looks at the screen need not know which of
 * the figures should be 0.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/top.h"

/* less is not worth a word, in hundredths of a percent; and seconds */
#define SHARE_MIN 10u
#define QUIET_MIN 10u
/* by less clocks are not apart: a block of packets waits some 10 ms */
#define SKEW_MIN 0.1

/* the cells that are looked at: X(column) */
#define PORT_CELLS(X)    \
	X(interface)     \
	X(offload)       \
	X(up)            \
	X(mtu)           \
	X(changes)       \
	X(quiet_seconds) \
	X(lost_share)    \
	X(sampled)       \
	X(one_way_share) \
	X(doubled_share) \
	X(clock_back)    \
	X(skew_seconds)

enum port_cell {
#define X(column) PORT_##column,
	PORT_CELLS(X)
#undef X
		PORT_CELL_COUNT
};

struct ports {
	struct top *t;
	bool here;                  /* rows are of the table of interfaces */
	size_t at[PORT_CELL_COUNT]; /* + 1; 0: there is no such column */
};

static int ports_table(void *arg, const struct ctshard_table *t)
{
	static const char *const words[] = {
#define X(column) #column,
		PORT_CELLS(X)
#undef X
	};
	struct ports *p = arg;
	size_t i, k;

	p->here = !strcmp(t->name, "interfaces");
	for (k = 0; p->here && k < PORT_CELL_COUNT; k++)
		for (i = 0; i < t->columns; i++)
			if (!strcmp(t->column[i], words[k]))
				p->at[k] = i + 1;
	return 0;
}

static const char *cell(const struct ports *p, const struct ctshard_row *r,
                        enum port_cell k)
{
	size_t at = p->at[k];

	return at && at <= r->cells ? r->cell[at - 1] : "";
}

static uint64_t number(const struct ports *p, const struct ctshard_row *r,
                       enum port_cell k)
{
	return strtoull(cell(p, r, k), NULL, 10);
}

/* "1.23%" -> 123 */
static uint64_t share(const struct ports *p, const struct ctshard_row *r,
                      enum port_cell k)
{
	return (uint64_t)(strtod(cell(p, r, k), NULL) * 100 + 0.5);
}

static void say(struct top *t, const char *lead, const char *word,
                const char *tail)
{
	size_t at = strlen(t->ports);

	snprintf(t->ports + at, sizeof(t->ports) - at, "%s%s%s", lead, word,
	         tail);
}

/* Nothing but that it is down counts of one that is. */
static void say_state(struct ports *p, const struct ctshard_row *r)
{
	struct top *t = p->t;
	/* a capture is neither up nor down, and has no MTU */
	bool live = number(p, r, PORT_mtu) || number(p, r, PORT_changes);

	if (live && !number(p, r, PORT_up)) {
		say(t, " ", "DOWN", "");
		t->alarm = true;
		return;
	}
	if (live && number(p, r, PORT_quiet_seconds) >= QUIET_MIN) {
		say(t, " nothing for ", cell(p, r, PORT_quiet_seconds), " s");
		t->alarm = true;
	}
	if (number(p, r, PORT_sampled)) {
		say(t, " sampled 1 of ", cell(p, r, PORT_sampled), "");
		t->alarm = true;
	} else if (share(p, r, PORT_lost_share) >= SHARE_MIN) {
		say(t, " lost ", cell(p, r, PORT_lost_share), "");
		t->alarm |= share(p, r, PORT_lost_share) >= 100;
	}
	if (*cell(p, r, PORT_offload)) {
		say(t, " ", cell(p, r, PORT_offload), " on");
		t->alarm = true;
	}
	if (share(p, r, PORT_one_way_share) >= SHARE_MIN)
		say(t, " one-way ", cell(p, r, PORT_one_way_share), "");
	if (share(p, r, PORT_doubled_share) >= SHARE_MIN)
		say(t, " doubled ", cell(p, r, PORT_doubled_share), "");
	if (number(p, r, PORT_clock_back))
		say(t, " clock went back: ", cell(p, r, PORT_clock_back), "");
	if (strtod(cell(p, r, PORT_skew_seconds), NULL) >= SKEW_MIN) {
		say(t, " clock behind by ", cell(p, r, PORT_skew_seconds),
		    " s");
		t->alarm = true;
	}
}

static int ports_row(void *arg, const struct ctshard_row *r)
{
	struct ports *p = arg;
	const char *name;
	size_t before;

	if (!p->here)
		return 0;
	name = cell(p, r, PORT_interface);
	/* of a capture the file */
	name = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	say(p->t, *p->t->ports ? "; " : "", name, "");
	before = strlen(p->t->ports);
	say_state(p, r);
	if (strlen(p->t->ports) == before)
		say(p->t, " ", "well", "");
	return 0;
}

int top_ports_read(struct top *t)
{
	static const char *const what[] = {"mirror"};
	struct ports p = {.t = t};
	struct ctshard_handler h = {
		.arg = &p, .table = ports_table, .row = ports_row};
	uint64_t id;
	int rc;

	t->ports[0] = '\0';
	t->alarm = false;
	rc = ctshard_show(t->ct, what, 1, &h, &id);
	return rc ? rc : ctshard_wait(t->ct, id);
}

bool top_ports(const struct top *t, char *to, size_t width)
{
	snprintf(to, TOP_LINE, "ports: %s", t->ports);
	top_clean(to, width);
	return t->alarm;
}
