/*
 * message.c - what children say, and settings that change while running.
 *
 * One table says which role may send which word; anything else is counted out
 * loud, a little, and dropped: a child that was taken over can ask for no more
 * than its row allows.
 */
#include "daemon/supervisor/super.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/rules.h"
#include "shm/rcu.h"

/* a policy block is free once its readers have gone on: a batch at most */
#define PUBLISH_TRIES  100
#define PUBLISH_NAP_NS (1 * (long)NS_PER_MS)
/* messages of one child at a time, so that a flood holds nobody up */
#define MESSAGES_TURN 16

static void answer(struct child *c, const char *text)
{
	int r = role_send(c->ctl, text);

	if (r && r != -EPIPE) {
		errno = -r;
		log_warn("supervisor", "answer to %s", c->role->name);
	}
}

static void answer_error(struct child *c, const char *why)
{
	char text[CONF_ERR + 16];

	snprintf(text, sizeof(text), "error %s", why);
	answer(c, text);
}

int message_publish(struct super *s, char *err)
{
	const struct timespec nap = {0, PUBLISH_NAP_NS};
	const struct policy_segment *seg = s->t.policy;
	struct rule_ifaces ifaces = {s->env->ifaces, s->env->nifaces};
	static struct policy p; /* too large for a stack that is watched */
	int i, r = -EAGAIN;

	role_policy(s->env->conf, &p);
	if (rules_to_policy(s->env->conf, &ifaces,
	                    &seg->block[seg->current % POLICY_BLOCKS], &p, err))
		return -1;
	/* captures are often taken where sums are not yet made (F010) */
	if (p.checksum == CHECKSUM_AUTO && s->t.hdr->clock_mode != CLOCK_LIVE)
		p.checksum = CHECKSUM_OFF;
	if (p.max > s->t.max) {
		log_warnx("supervisor",
		          "max = %u: the table was made for %u, "
		          "which stays; --reset-table makes it anew",
		          p.max, s->t.max);
		p.max = s->t.max;
	}
	for (i = 0; i < PUBLISH_TRIES && r == -EAGAIN; i++) {
		if (i)
			nanosleep(&nap, NULL);
		r = rcud_publish(&s->t, &p);
	}
	if (r)
		snprintf(err, CONF_ERR,
		         "readers of older settings have not "
		         "finished; try again");
	return r ? -1 : 0;
}

/* Children that start later, and the api now, see what is in force. */
static void conf_changed(struct super *s)
{
	char *text = conf_text_of(s->env->conf), *message;
	struct child *api = &s->child[SLOT_API];
	int fd;

	fd = text ? super_memfd("config", text, strlen(text)) : -1;
	if (fd >= 0) {
		close(s->fd[ROLE_FD_conf]);
		s->fd[ROLE_FD_conf] = fd;
	}
	if (text && api->ready && asprintf(&message, "config\n%s", text) >= 0) {
		answer(api, message);
		free(message);
	}
	free(text);
	recording_turn(s, false);
}

/* `pair` into a copy, so that what is refused leaves no trace. */
static struct conf *set_try(struct super *s, char *pair, char *err)
{
	const struct conf_key *k;
	struct conf *c;
	char *value = strchr(pair, '=');

	if (!value) {
		snprintf(err, CONF_ERR, "KEY=VALUE is needed");
		return NULL;
	}
	*value++ = '\0';
	k = conf_key_of(s->env->conf, pair);
	if (!k) {
		snprintf(err, CONF_ERR, "%.60s: there is no such key", pair);
		return NULL;
	}
	if (!(k->flags & CONF_LIVE)) {
		snprintf(err, CONF_ERR,
		         "%s cannot be changed while the daemon runs", pair);
		return NULL;
	}
	c = conf_copy(s->env->conf);
	if (c && !conf_set(c, pair, value, err)) {
		if (strcmp(pair, "max") || conf_number(c, "max") <= s->t.max)
			return c;
		snprintf(err, CONF_ERR, "the table has room for %u connections",
		         s->t.max);
	}
	conf_free(c);
	return NULL;
}

static void conf_swap(struct super *s, struct conf **with)
{
	struct conf *old = s->env->conf;

	s->env->conf = *with;
	*with = old;
}

/* One of several that are to be set together: would it be? */
static void said_try(struct child *c, char *arg)
{
	char err[CONF_ERR] = "out of memory";
	struct conf *want = set_try(c->s, arg, err);

	if (want)
		answer(c, "ok");
	else
		answer_error(c, err);
	conf_free(want);
}

static void said_set(struct child *c, char *arg)
{
	struct super *s = c->s;
	char err[CONF_ERR] = "out of memory";
	struct conf *want = set_try(s, arg, err);

	if (!want) {
		answer_error(c, err);
		return;
	}
	conf_swap(s, &want);
	if (message_publish(s, err)) {
		conf_swap(s, &want);
		conf_free(want);
		answer_error(c, err);
		return;
	}
	conf_free(want);
	log_info("supervisor", "%s = %s", arg, conf_text(s->env->conf, arg));
	conf_changed(s);
	answer(c, "ok");
}

static void said_ready(struct child *c, char *arg)
{
	(void)arg;
	if (c->ready)
		return;
	c->ready = true;
	super_child_ready(c);
}

static void said_stop(struct child *c, char *arg)
{
	(void)arg;
	log_info("supervisor", "told to stop over the API");
	super_stop(c->s, 0);
}

static void said_reopen(struct child *c, char *arg)
{
	(void)arg;
	child_replace(c);
}

/* MESSAGE(word, who may say it, has an argument) */
#define FROM(access) (1u << (access))
#define FROM_ALL                                                        \
	(FROM(REGION_WORKER) | FROM(REGION_REAPER) | FROM(REGION_API) | \
	 FROM(REGION_RECORDER))
#define MESSAGES(M)                      \
	M(ready, FROM_ALL, false)        \
	M(try, FROM(REGION_API), true)   \
	M(set, FROM(REGION_API), true)   \
	M(stop, FROM(REGION_API), false) \
	M(reopen, FROM(REGION_RECORDER), false)

static const struct message {
	const char *word;
	uint32_t from;
	bool argument;
	void (*said)(struct child *c, char *arg);
} messages[] = {
#define M(word, from, argument) {#word, from, argument, said_##word},
	MESSAGES(M)
#undef M
};

static void message_take(struct child *c, char *text)
{
	static struct log_limit limit;
	size_t len = strcspn(text, " \n"), i;
	char *arg = text + len;

	if (*arg)
		*arg++ = '\0';
	arg[strcspn(arg, "\n")] = '\0';
	for (i = 0; i < ARRAY_SIZE(messages); i++)
		if (!strcmp(text, messages[i].word) &&
		    messages[i].from & FROM(c->role->access) &&
		    messages[i].argument == (*arg != '\0')) {
			messages[i].said(c, arg);
			return;
		}
	if (log_allow(&limit, "supervisor", "messages not understood"))
		log_warnx("supervisor", "%s %u: message '%.40s' not understood",
		          c->role->name, c->slot, text);
}

void message_heard(struct child *c)
{
	static char text[ROLE_MESSAGE_MAX];
	int i, r = 1;

	for (i = 0; i < MESSAGES_TURN && r > 0; i++) {
		r = role_receive(c->ctl, text, sizeof(text));
		if (r > 0)
			message_take(c, text);
	}
	/* it is gone or going: its death is told by SIGCHLD */
	if (r < 0 && r != -EMSGSIZE)
		event_del(c->heard);
}

static void refused(void *arg, const char *name, const char *old,
                    const char *value)
{
	(void)arg;
	log_warnx("supervisor",
	          "%s cannot be changed while the daemon runs: "
	          "'%s' stays, not '%s'",
	          name, old, value);
}

void message_reload(struct super *s)
{
	char err[CONF_ERR];
	struct conf *want = super_conf_load(s->env->opt, err), *now;
	unsigned int n;

	if (!want) {
		log_warnx("supervisor", "%s; the old configuration stays", err);
		return;
	}
	now = conf_copy(s->env->conf);
	if (!now) {
		conf_free(want);
		return;
	}
	n = conf_reload(now, want, refused, NULL);
	conf_free(want);
	conf_swap(s, &now);
	if (n && message_publish(s, err)) {
		conf_swap(s, &now);
		log_warnx("supervisor", "reload: %s", err);
		n = 0;
	}
	conf_free(now);
	if (n)
		conf_changed(s);
	recording_turn(s, true);
	log_info("supervisor", "reloaded, %u settings changed", n);
}
