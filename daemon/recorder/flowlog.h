/* flowlog.h - a line of text for each connection that ended.  See flowlog.c. */
#ifndef RECORDER_FLOWLOG_H
#define RECORDER_FLOWLOG_H

#include "cli/out.h"
#include "daemon/base/conf.h"
#include "daemon/recorder/sink.h"
#include "proto/frame.h"

#define FLOWLOG_ERR 512u

struct flowlog {
	struct sink sink; /* first: a sink is cast to it */
	struct mark mark;
	struct pb pb;
	struct frame_arena arena;
	struct labels labels;
	int fd, state;
	struct out out;
};

/* 0, or -1 and why.  `t` must stay. */
int flowlog_open(struct flowlog *f, struct table *t, const struct conf *c,
                 const char *path, char *err);
/* once the slot is held */
int flowlog_begin(struct flowlog *f, const struct policy *pol,
                  struct record_figures *figures);

#endif
