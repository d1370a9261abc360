/*
 * taps.c - the capture sockets, which the supervisor owns.
 *
 * Workers borrow them: descriptors go over exec, so a worker's death closes
 * nothing, the kernel goes on filling the ring, and the next worker goes on in
 * it behind the cursor (shm).
 *
 * Beyond the supervisor's own life they are kept by whoever has asked for them:
 * systemd's store of descriptors (FDSTORE, FileDescriptorStoreMax=), which
 *hands them back in LISTEN_FDS to the next start, and over exec the next
 *program (upgrade.c).  Each has a name that says which one it is:
 *
 *	tap.IFACE.WORKER.GENERATION.LINKTYPE.WORD
 *	frag.WORKER.WORD			fragments that wait
 *
 * with WORD a hash of all that its ring, filter and steering were made from.
 * What does not fit is closed, and a group is taken whole or not at all.
 */
#include "daemon/supervisor/super.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/source/tap.h"
#include "daemon/source/tunnels.h"
#include "shm/atomic.h"

/* how often interfaces are looked at */
#define LOOK_NS      NS_PER_S
#define NAME         96u
#define LISTEN_FIRST 3

/* a descriptor that somebody kept for us */
struct kept {
	char name[NAME];
	int fd; /* -1: taken, or closed */
};

struct taps {
	unsigned int n; /* interfaces */
	uint32_t word;
	struct decap decap;
	uint64_t looked_ns;
	unsigned int nkept;
	struct kept *kept;
	struct tap_group group[SOURCE_TAPS];
	bool missed[SOURCE_TAPS]; /* that it is away has been told */
	struct source_tap tap[];  /* group after group */
};

static bool taps_wanted(const struct super *s)
{
	return s->env->live &&
	       conf_number(s->env->conf, "source") == CONF_SOURCE_PACKET;
}

/* -- names ----------------------------------------------------------------- */

static uint32_t hash_bytes(uint32_t h, const void *data, size_t len)
{
	const uint8_t *b = data;

	while (len--)
		h = (h ^ *b++) * 0x01000193u;
	return h;
}

static uint32_t hash_text(uint32_t h, const char *text)
{
	return text ? hash_bytes(h, text, strlen(text) + 1) : h;
}

/* Of all that two daemons must agree on. */
static uint32_t taps_word(const struct super *s, const struct decap *decap)
{
	uint64_t n[] = {s->params.nworker, conf_number(s->env->conf, "snaplen"),
	                conf_number(s->env->conf, "capture.buffer"),
	                conf_number(s->env->conf, "capture.timestamps")};
	uint32_t h =
		hash_bytes(0x811c9dc5u, s->t.hdr->uuid, sizeof(s->t.hdr->uuid));
	unsigned int i;

	h = hash_bytes(h, n, sizeof(n));
	h = hash_bytes(h, decap, sizeof(*decap));
	for (i = 0; i < s->env->nifaces; i++)
		h = hash_text(h, s->env->ifaces[i]);
	return hash_text(h, s->env->filter);
}

static void tap_name(const struct taps *a, unsigned int iface,
                     unsigned int worker, char name[NAME])
{
	const struct source_tap *t = &a->group[iface].tap[worker];

	snprintf(name, NAME, "tap.%u.%u.%" PRIu64 ".%u.%08" PRIx32, iface,
	         worker, t->generation, t->linktype, a->word);
}

/* -- what was kept --------------------------------------------------------- */

static void kept_add(struct taps *a, const char *name, size_t len, int fd)
{
	struct kept *more;

	if (fcntl(fd, F_SETFD, FD_CLOEXEC) || len >= NAME ||
	    (strncmp(name, "tap.", 4) != 0 && strncmp(name, "frag.", 5) != 0))
		return;
	more = realloc(a->kept, (a->nkept + 1) * sizeof(*more));
	if (!more) {
		close(fd);
		return;
	}
	a->kept = more;
	more += a->nkept++;
	memcpy(more->name, name, len);
	more->name[len] = '\0';
	more->fd = fd;
}

static long env_take(const char *name)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : -1;
}

/* As sd_listen_fds_with_names(3) has it. */
static void kept_by_systemd(struct taps *a)
{
	const char *name = getenv("LISTEN_FDNAMES");
	long i, n = env_take("LISTEN_FDS");
	size_t len;

	if (env_take("LISTEN_PID") != (long)getpid() || !name)
		n = 0;
	for (i = 0; i < n; i++) {
		len = strcspn(name, ":");
		kept_add(a, name, len, LISTEN_FIRST + (int)i);
		name += len + (name[len] == ':');
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/* "NAME=FD,NAME=FD,..." of a program before this one */
static void kept_by_ourselves(struct taps *a)
{
	const char *text = getenv("CTSHARDD_KEPT");
	size_t len;

	while (text && *text) {
		len = strcspn(text, "=");
		if (!text[len])
			break;
		kept_add(a, text, len, (int)strtol(text + len + 1, NULL, 10));
		text += strcspn(text, ",");
		text += *text == ',';
	}
	unsetenv("CTSHARDD_KEPT");
}

static void kept_forget(const struct kept *k)
{
	char text[NAME + 40];

	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", k->name);
	rundir_notify(text);
}

static void kept_close(struct taps *a)
{
	unsigned int i;

	for (i = 0; i < a->nkept; i++)
		if (a->kept[i].fd >= 0) {
			kept_forget(&a->kept[i]);
			close(a->kept[i].fd);
		}
	free(a->kept);
	a->kept = NULL;
	a->nkept = 0;
}

static bool kept_fits(const struct taps *a, const struct kept *k,
                      unsigned int iface, unsigned int worker,
                      struct source_tap *t)
{
	unsigned int i, w, link;
	uint64_t generation;
	uint32_t word;
	char more;

	if (k->fd < 0 ||
	    /* NOLINTNEXTLINE(cert-err34-c): the widths keep numbers in range */
	    sscanf(k->name, "tap.%3u.%3u.%20" SCNu64 ".%5u.%8" SCNx32 "%c", &i,
	           &w, &generation, &link, &word, &more) != 5 ||
	    i != iface || w != worker || word != a->word)
		return false;
	*t = (struct source_tap){k->fd, (uint16_t)link, generation};
	return true;
}

static struct kept *kept_find(struct taps *a, unsigned int iface,
                              unsigned int worker, struct source_tap *t)
{
	unsigned int i;

	/* the newest of a name that was stored twice */
	for (i = a->nkept; i-- > 0;)
		if (kept_fits(a, &a->kept[i], iface, worker, t))
			return &a->kept[i];
	return NULL;
}

/* ---- fragments: a file without a name for each worker ---- */

static void frag_name(const struct taps *a, uint32_t worker, char name[NAME])
{
	snprintf(name, NAME, "frag.%u.%08" PRIx32, worker, a->word);
}

static void store(const char *name, int fd)
{
	char text[NAME + 40];

	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	rundir_notify_fd(text, fd);
}

static void frags_adopt(struct super *s)
{
	struct taps *a = s->taps;
	char name[NAME];
	unsigned int i;
	uint32_t w;

	for (w = 0; w < s->params.nworker; w++) {
		frag_name(a, w, name);
		for (i = 0; i < a->nkept; i++)
			if (a->kept[i].fd >= 0 &&
			    !strcmp(a->kept[i].name, name))
				break;
		if (i == a->nkept) {
			if (s->child[w].frags >= 0)
				store(name, s->child[w].frags);
			continue;
		}
		if (s->child[w].frags >= 0)
			close(s->child[w].frags);
		s->child[w].frags = a->kept[i].fd;
		a->kept[i].fd = -1;
	}
}

/* ---- sockets ---- */

/* Takes the group that somebody kept. */
static bool group_adopt(struct taps *a, unsigned int iface)
{
	struct tap_group *g = &a->group[iface];
	struct kept *k[NWORKER_MAX] = {NULL};
	unsigned int w;

	for (w = 0; w < g->n; w++) {
		k[w] = kept_find(a, iface, w, &g->tap[w]);
		if (!k[w] || g->tap[w].generation != g->tap[0].generation)
			return false;
	}
	g->generation = g->tap[0].generation;
	if (!tap_adopt(g))
		return false;
	for (w = 0; w < g->n; w++)
		if (k[w])
			k[w]->fd = -1;
	return true;
}

/* -- opening --------------------------------------------------------------- */

/* Whoever keeps them needs as much room as there are sockets, and says nothing
 * when there is none. */
static void group_store(const struct taps *a, unsigned int iface)
{
	char name[NAME];
	unsigned int w;

	for (w = 0; w < a->group[iface].n; w++) {
		tap_name(a, iface, w, name);
		store(name, a->group[iface].tap[w].fd);
	}
}

static void group_unstore(const struct taps *a, unsigned int iface)
{
	struct kept k;
	unsigned int w;

	for (w = 0; w < a->group[iface].n; w++)
		if (a->group[iface].tap[w].fd >= 0) {
			tap_name(a, iface, w, k.name);
			kept_forget(&k);
		}
}

static void stamps_tell(const struct tap_group *g)
{
	if (g->hardware_stamps && g->stamps_error)
		log_warnx(
			"source",
			"%s: capture.timestamps = hardware: %s; the host's are "
			"used",
			g->iface, strerror(-g->stamps_error));
	else if (g->hardware_stamps)
		log_info("source", "%s: time stamps are the card's", g->iface);
}

static bool group_open(struct super *s, unsigned int iface, char *err)
{
	struct taps *a = s->taps;

	if (!tap_open(&a->group[iface], err))
		return false;
	stamps_tell(&a->group[iface]);
	group_store(a, iface);
	return true;
}

static bool taps_seen_before(const struct super *s)
{
	unsigned int w, i;

	for (w = 0; w < s->params.nworker; w++)
		for (i = 0; i < s->taps->n; i++)
			if (shm_load(&s->t.ring[w].hdr->cursor[i]))
				return true;
	return false;
}

static struct taps *taps_new(const struct super *s)
{
	char err[CONF_ERR];
	unsigned int n = s->env->nifaces, nworker = s->params.nworker, i, w;
	struct taps *a;

	if (n > SOURCE_TAPS || !taps_wanted(s))
		n = 0;
	a = calloc(1, sizeof(*a) + sizeof(a->tap[0]) * n * nworker);
	if (!a) {
		log_warnx("supervisor", "out of memory");
		return NULL;
	}
	if (n && !tunnels_read(s->env->conf, &a->decap, err)) {
		log_warnx("supervisor", "%s", err);
		free(a);
		return NULL;
	}
	a->n = n;
	a->word = taps_word(s, &a->decap);
	for (i = 0; i < n; i++) {
		a->group[i] = (struct tap_group){
			.iface = s->env->ifaces[i],
			.n = nworker,
			.key = s->t.key.steer,
			.decap = a->decap.on ? &a->decap : NULL,
			.filter = s->env->filter,
			.snaplen = (int)conf_number(s->env->conf, "snaplen"),
			.ring = (int)conf_number(s->env->conf,
		                                 "capture.buffer"),
			.hardware_stamps =
				conf_number(s->env->conf,
		                            "capture.timestamps") != 0,
			.ifindex = -1,
			.tap = &a->tap[i * nworker]};
		for (w = 0; w < nworker; w++)
			a->group[i].tap[w].fd = -1;
	}
	return a;
}

/* An interface named twice would show every packet twice. */
static bool ifaces_sound(const struct role_env *e)
{
	unsigned int i, k;

	if (e->nifaces > SOURCE_TAPS) {
		log_warnx("source",
		          "%u interfaces: %u at most, or source = pcap",
		          e->nifaces, SOURCE_TAPS);
		return false;
	}
	for (i = 1; i < e->nifaces; i++)
		for (k = 0; k < i; k++)
			if (!strcmp(e->ifaces[i], e->ifaces[k])) {
				log_warnx("source", "%s: interface given twice",
				          e->ifaces[i]);
				return false;
			}
	return true;
}

int taps_open(struct super *s)
{
	char err[SOURCE_ERR];
	bool lost = false;
	unsigned int i;

	s->taps = taps_new(s);
	if (!s->taps)
		return 1;
	/* what is not wanted is closed, too */
	kept_by_systemd(s->taps);
	kept_by_ourselves(s->taps);
	if (!taps_wanted(s)) {
		taps_close(s);
		return 0;
	}
	if (!ifaces_sound(s->env))
		return 1;
	for (i = 0; i < s->taps->n; i++) {
		if (group_adopt(s->taps, i))
			continue;
		if (!group_open(s, i, err)) {
			log_warnx("source", "%s", err);
			return 1;
		}
		lost = true;
	}
	frags_adopt(s);
	kept_close(s->taps);
	if (lost && taps_seen_before(s))
		log_warnx("source",
		          "nobody kept the capture sockets: packets since "
		          "the end of the last daemon were not seen");
	return 0;
}

void taps_close(struct super *s)
{
	unsigned int i;

	if (!s->taps)
		return;
	kept_close(s->taps);
	for (i = 0; i < s->taps->n; i++)
		tap_close(&s->taps->group[i]);
	free(s->taps);
	s->taps = NULL;
}

/* -- handing over ---------------------------------------------------------- */

void taps_env(const struct super *s, uint32_t worker)
{
	char text[SOURCE_TAPS * TAP_TEXT] = "", one[TAP_TEXT];
	const struct source_tap *t;
	size_t len = 0;
	unsigned int i;

	for (i = 0; s->taps && i < s->taps->n; i++) {
		t = &s->taps->group[i].tap[worker];
		fcntl(t->fd, F_SETFD, 0);
		tap_write(t, one);
		memcpy(text + len, one, strlen(one) + 1);
		len += strlen(one);
	}
	setenv("CTSHARDD_TAPS", text, 1);
}

static void keep(FILE *to, const char *name, int fd)
{
	if (fd < 0)
		return;
	fcntl(fd, F_SETFD, 0);
	fprintf(to, "%s=%d,", name, fd);
}

void taps_keep(const struct super *s)
{
	char name[NAME], *text = NULL;
	unsigned int i, w;
	size_t len;
	FILE *to;

	to = s->taps ? open_memstream(&text, &len) : NULL;
	if (!to)
		return;
	for (w = 0; w < s->params.nworker; w++) {
		for (i = 0; i < s->taps->n; i++) {
			tap_name(s->taps, i, w, name);
			keep(to, name, s->taps->group[i].tap[w].fd);
		}
		frag_name(s->taps, w, name);
		keep(to, name, s->child[w].frags);
	}
	if (!fclose(to))
		setenv("CTSHARDD_KEPT", text, 1);
	free(text);
}

/* -- interfaces that come and go ------------------------------------------- */

/* The ring of the interface that was has been read long since. */
static void group_renew(struct super *s, unsigned int iface)
{
	struct taps *a = s->taps;
	struct tap_group *g = &a->group[iface], fresh = *g;
	struct source_tap tap[NWORKER_MAX];
	char err[SOURCE_ERR];
	unsigned int w;

	fresh.tap = tap;
	if (!tap_open(&fresh, err)) {
		if (!a->missed[iface])
			log_warnx("source", "%s", err);
		a->missed[iface] = true;
		return;
	}
	log_warnx("source", "%s: another interface of this name", g->iface);
	stamps_tell(&fresh);
	group_unstore(a, iface);
	tap_close(g);
	fresh.tap = g->tap;
	memcpy(g->tap, tap, sizeof(tap[0]) * g->n);
	*g = fresh;
	group_store(a, iface);
	a->missed[iface] = false;
	for (w = 0; w < g->n; w++)
		child_replace(&s->child[w]);
}

void taps_watch(struct super *s)
{
	struct taps *a = s->taps;
	uint64_t now = super_now();
	unsigned int i;

	if (!a || now - a->looked_ns < LOOK_NS)
		return;
	a->looked_ns = now;
	for (i = 0; i < a->n; i++)
		switch (tap_look(&a->group[i])) {
		case TAP_SAME:
			a->missed[i] = false;
			break;
		case TAP_GONE:
			if (!a->missed[i])
				log_warnx("source", "%s went away",
				          a->group[i].iface);
			a->missed[i] = true;
			break;
		case TAP_OTHER:
			group_renew(s, i);
			break;
		}
}
