/*
 * cmd_set.c - set: settings that may change at run time.
 *
 * They are the supervisor's: one message each, answered in order, so answers
 * find their requests through a queue.  Of several each is tried first, so that
 * one that is refused leaves the others as they were.  A request that was
 * cancelled leaves an empty place there, because its answer still comes.
 */
#include "daemon/api/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"

#define SET_ITEMS 32u
#define SET_TEXT  1024u

struct setting {
	unsigned int n, total, asked, answers;
	bool failed;
	char error[256];
	char item[SET_ITEMS][SET_TEXT];
};

static enum cmd_step set_step(struct request *q)
{
	static const char verb[2][3] = {{'s', 'e', 't'}, {'t', 'r', 'y'}};
	struct setting *s = q->state;
	struct set_queue *sq = &q->api->sets;
	char *item;
	int r;

	/* one after the other: what follows a refusal is not asked */
	if (s->failed)
		return request_fail(q, CTSHARD__ERROR_CODE__UNSUPPORTED, "%s",
		                    s->error);
	if (s->answers == s->total)
		return request_end(q);
	if (s->asked > s->answers || sq->n == SETS_MAX)
		return CMD_WAIT;
	item = s->item[s->asked % s->n];
	memcpy(item, verb[s->asked + s->n < s->total], sizeof(verb[0]));
	r = role_send(q->api->env->fd[ROLE_FD_ctl], item);
	if (r == -EAGAIN || r == -EWOULDBLOCK)
		return CMD_WAIT;
	if (r)
		return request_fail(q, CTSHARD__ERROR_CODE__FAILED,
		                    "set: the supervisor does not listen");
	if (*item == 's')
		log_info("audit", "uid %u pid %u: %s", request_peer(q)->uid,
		         request_peer(q)->pid, item);
	sq->owner[(sq->first + sq->n++) % SETS_MAX] = q;
	s->asked++;
	return CMD_WAIT;
}

static enum cmd_step set_start(struct request *q, const Ctshard__Request *r)
{
	struct setting *s = q->state;
	size_t i;

	if (!r->set->n_item || r->set->n_item > SET_ITEMS)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "set: 1 to %u settings", SET_ITEMS);
	for (i = 0; i < r->set->n_item; i++) {
		const Ctshard__Set__Item *it = r->set->item[i];
		int n;

		if (!it->key || !it->value || strpbrk(it->key, "=\n") ||
		    strchr(it->value, '\n'))
			return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
			                    "set: KEY=VALUE");
		n = snprintf(s->item[i], SET_TEXT, "set %s=%s", it->key,
		             it->value);
		if (n < 0 || n >= (int)SET_TEXT)
			return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
			                    "set: too long");
	}
	s->n = (unsigned int)r->set->n_item;
	s->total = s->n > 1 ? 2 * s->n : 1;
	return set_step(q);
}

/* "KEY: why": of many settings one was refused */
static void set_error(struct setting *s, const char *why)
{
	const char *key = s->item[(s->answers - 1) % s->n] + strlen("set ");
	int n = (int)strcspn(key, "=");

	if (!strncmp(why, key, (size_t)n))
		snprintf(s->error, sizeof(s->error), "%.240s", why);
	else
		snprintf(s->error, sizeof(s->error), "%.*s: %.180s",
		         n < 64 ? n : 64, key, why);
}

static void set_answer(struct api *a, const char *text)
{
	struct set_queue *sq = &a->sets;
	struct request *q;
	struct setting *s;

	if (!sq->n)
		return;
	q = sq->owner[sq->first];
	sq->owner[sq->first] = NULL;
	sq->first = (sq->first + 1) % SETS_MAX;
	sq->n--;
	if (!q)
		return;
	s = q->state;
	s->answers++;
	if (strcmp(text, "ok") != 0) {
		s->failed = true;
		set_error(s, !strncmp(text, "error ", 6) ? text + 6 : text);
	}
}

void sets_forget(struct api *a, const struct request *q)
{
	uint32_t i;

	for (i = 0; i < SETS_MAX; i++)
		if (a->sets.owner[i] == q)
			a->sets.owner[i] = NULL;
}

void sets_collect(struct api *a)
{
	static char text[ROLE_MESSAGE_MAX];
	char err[CONF_ERR];
	int ctl = a->env->fd[ROLE_FD_ctl];

	if (ctl < 0)
		return;
	while (role_receive(ctl, text, sizeof(text)) > 0) {
		if (strncmp(text, "config\n", 7) != 0)
			set_answer(a, text);
		else if (conf_replace_text(a->env->conf, text + 7, err))
			log_warnx("api", "configuration: %s", err);
	}
}

const struct cmd cmd_set = {
	.name = "set",
	.body = CTSHARD__REQUEST__BODY_SET,
	.control = true,
	.state = sizeof(struct setting),
	.start = set_start,
	.step = set_step,
};
