/*
 * recording.c - when there is a recorder, and with which files.
 *
 * It reads its settings when it starts, and opens files while it may: so
 * whatever changes, the one that is there ends and the next begins.
 */
#include <string.h>

#include "daemon/supervisor/super.h"
#include "shm/atomic.h"

bool recording_wanted(const struct super *s)
{
	return s->child[SLOT_RECORDER].role && !s->env->private_instance &&
	       (*conf_text(s->env->conf, "flow_log") ||
	        conf_number(s->env->conf, "history"));
}

/* one number for all that it would read */
static uint64_t settings(const struct super *s)
{
	const struct conf_key *k;
	const char *value, *c;
	uint64_t h = 0xcbf29ce484222325ull;
	unsigned int i;

	for (i = 0; (k = conf_at(s->env->conf, i, &value)); i++) {
		if (strncmp(k->name, "flow_log", strlen("flow_log")) != 0 &&
		    strncmp(k->name, "label", strlen("label")) != 0)
			continue;
		for (c = k->name; *c; c++)
			h = (h ^ (uint8_t)*c) * 0x100000001b3ull;
		for (c = value; *c; c++)
			h = (h ^ (uint8_t)*c) * 0x100000001b3ull;
	}
	return h;
}

void recording_start(struct super *s)
{
	struct proc_page *p = table_proc(&s->t, SLOT_RECORDER);
	bool wanted = recording_wanted(s);

	s->recording = settings(s);
	if (!wanted)
		shm_store(&p->holds, 0);
	else if (!shm_load(&p->holds))
		shm_store(&p->holds, 1);
	if (wanted)
		child_start(&s->child[SLOT_RECORDER]);
}

void recording_turn(struct super *s, bool reopen)
{
	struct child *c = &s->child[SLOT_RECORDER];
	bool wanted = recording_wanted(s);

	if (s->phase != PHASE_READY || !c->role)
		return;
	if (wanted == (c->pid != 0) && s->recording == settings(s) &&
	    !(reopen && wanted))
		return;
	s->recording = settings(s);
	evtimer_del(c->again);
	if (!wanted)
		shm_store(&table_proc(&s->t, SLOT_RECORDER)->holds, 0);
	if (c->pid)
		child_replace(c);
	else if (wanted)
		child_start(c);
}
