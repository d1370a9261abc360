/* image.c - see image.h */
#include "tests/lib/image.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define IMAGE_PARTS 24u
#define IMAGE_PROCS 3u

struct part {
	void *at;
	size_t len;
};

static unsigned int image_parts(const struct table *t, struct part *p)
{
	unsigned int n = 0, i;
	size_t per = (size_t)IMAGE_SHARDS * t->cap;

	p[n++] = (struct part){&t->hdr->clock_ns, 192};
	p[n++] = (struct part){t->shard, IMAGE_SHARDS * sizeof(*t->shard)};
	p[n++] = (struct part){t->line, (size_t)IMAGE_SHARDS * t->nline *
	                                        sizeof(*t->line)};
	p[n++] = (struct part){t->chk, per * sizeof(*t->chk)};
	p[n++] = (struct part){t->entry, per * t->stride};
	p[n++] = (struct part){t->addr6, per * sizeof(*t->addr6)};
	p[n++] = (struct part){t->ext, per * sizeof(*t->ext)};
	p[n++] = (struct part){t->told, per * sizeof(*t->told)};
	for (i = 0; i < IMAGE_RINGS; i++) {
		const struct event_ring *g = &t->ring[i];

		p[n++] = (struct part){
			g->hdr, offsetof(struct ring_header, drop_kernel)};
		p[n++] = (struct part){g->cell, ((size_t)g->mask + 1) *
		                                        sizeof(*g->cell)};
		p[n++] = (struct part){table_trace(t, i, 0),
		                       IMAGE_TRACES * sizeof(struct trace_rec)};
	}
	for (i = 0; i < IMAGE_PROCS; i++)
		p[n++] = (struct part){table_proc(t, i), 128};
	return n;
}

size_t image_size(const struct table *t)
{
	struct part p[IMAGE_PARTS];
	unsigned int i, n = image_parts(t, p);
	size_t len = 0;

	for (i = 0; i < n; i++)
		len += p[i].len;
	return len;
}

void image_save(const struct table *t, char *img)
{
	struct part p[IMAGE_PARTS];
	unsigned int i, n = image_parts(t, p);

	for (i = 0; i < n; img += p[i++].len)
		memcpy(img, p[i].at, p[i].len);
}

void image_load(struct table *t, const char *img)
{
	struct part p[IMAGE_PARTS];
	unsigned int i, n = image_parts(t, p);

	for (i = 0; i < n; img += p[i++].len)
		memcpy(p[i].at, img, p[i].len);
}

bool image_sync(const struct table *t, char *img)
{
	struct part p[IMAGE_PARTS];
	unsigned int i, n = image_parts(t, p);
	bool changed = false;

	for (i = 0; i < n; img += p[i++].len)
		if (memcmp(img, p[i].at, p[i].len)) {
			memcpy(img, p[i].at, p[i].len);
			changed = true;
		}
	return changed;
}

void image_kill(struct table *t, uint32_t slot)
{
	table_proc(t, slot)->token |= FUTEX_OWNER_DIED;
}

static int stepper_wait(struct stepper *s)
{
	if (waitpid(s->pid, &s->status, 0) != s->pid) {
		s->over = true;
		return -1;
	}
	s->over = WIFEXITED(s->status) || WIFSIGNALED(s->status);
	return 0;
}

int stepper_start(struct stepper *s, void (*body)(void *), void *arg)
{
	memset(s, 0, sizeof(*s));
	s->pid = fork();
	if (s->pid < 0)
		return -1;
	if (!s->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			_exit(126);
		raise(SIGSTOP);
		body(arg);
		_exit(0);
	}
	if (stepper_wait(s) || s->over)
		return -1;
	return 0;
}

bool stepper_next(struct stepper *s)
{
	if (s->over)
		return false;
	if (ptrace(PTRACE_SINGLESTEP, s->pid, 0, 0)) {
		s->over = true;
		return false;
	}
	s->steps++;
	if (stepper_wait(s))
		return false;
	/* anything but a step is a crash of the code under test */
	if (!s->over && WSTOPSIG(s->status) != SIGTRAP) {
		stepper_kill(s);
		s->status = -1;
	}
	return !s->over;
}

int stepper_collect(struct stepper *s)
{
	if (!s->over)
		stepper_wait(s);
	return s->status != -1 && WIFEXITED(s->status) ? WEXITSTATUS(s->status)
	                                               : -1;
}

int stepper_release(struct stepper *s)
{
	if (!s->over)
		ptrace(PTRACE_DETACH, s->pid, 0, 0);
	return stepper_collect(s);
}

void stepper_kill(struct stepper *s)
{
	if (s->over)
		return;
	kill(s->pid, SIGKILL);
	do
		stepper_wait(s);
	while (!s->over);
}

static void nothing(void *arg)
{
	(void)arg;
}

bool stepper_allowed(void)
{
	struct stepper s;

	if (stepper_start(&s, nothing, NULL))
		return false;
	stepper_kill(&s);
	return true;
}
