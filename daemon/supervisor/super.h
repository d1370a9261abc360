/*
 * super.h - the supervisor's state, shared by its files.
 *
 *	start.c       command line, configuration, what needs no daemon
 *	child.c       one child: start, stop, its death
 *	message.c     what children say, settings, reload
 *	older.c       a table of an earlier layout
 *	taps.c        the capture sockets
 *	ifaces.c      what else happens to the interfaces
 *	recording.c    when there is a recorder
 *	watchdog.c    the service manager's
 *	upgrade.c     another program in the same process
 *	supervisor.c  the order of starting and stopping, and the loop
 */
#ifndef SUPERVISOR_SUPER_H
#define SUPERVISOR_SUPER_H

#include <event2/event.h>

#include "daemon/base/role.h"
#include "daemon/supervisor/restart.h"
#include "daemon/supervisor/rundir.h"
#include "daemon/supervisor/watch.h"

/* Processes of a daemon that was killed are gone within this, on a machine with
 * a hundred others to run, too; who waits goes on as soon as they are. */
#define ORPHANS_MS 10000

/*
 * Phases, in order; phase_go() is the only one to change them.  In each, all
 * children of the phases before are ready.
 */
enum phase {
	PHASE_REAPER,  /* it heals what the last daemon left */
	PHASE_WORKERS, /* they take packets */
	PHASE_API,     /* it finds a table that is being written */
	PHASE_READY,   /* sockets have their names */
	PHASE_STOP_WORKERS,
	PHASE_STOP_REAPER,
	PHASE_STOP_API,      /* so that it tells what the others did */
	PHASE_STOP_RECORDER, /* and this writes it down */
	PHASE_OVER
};

struct super;
struct taps;

struct child {
	struct super *s;
	const struct role *role; /* NULL: no child belongs to the slot */
	uint32_t slot;
	pid_t pid; /* 0: none lives; our own, so it cannot be anybody else's */
	int ctl;
	int frags; /* worker: memory that its successor inherits */
	bool ready;
	bool killed;   /* by the watch */
	bool replaced; /* told to end so that another one begins */
	uint64_t started_ns;
	struct restart history;
	struct event *heard; /* ctl is readable */
	struct event *again; /* the wait before a restart is over */
};

struct watchdog {
	uint64_t every_ns; /* 0: nobody watches */
	uint64_t fed_ns;
	uint32_t beat[2]; /* reaper and api, then */
};

struct super {
	struct role_env *env;
	struct event_base *base;
	struct rundir run;
	struct region region;
	struct region_params params;
	struct table t;
	struct watch watch;
	struct watchdog watchdog;
	struct child child[NSLOT];
	enum phase phase;
	bool created; /* segments made by this start, and never ready */
	bool open;    /* sockets have their names from a program before */
	bool upgrading;
	char program[PATH_MAX]; /* that an upgrade executes */
	struct taps *taps;      /* NULL: workers open their sources */
	int exit_code;
	int fd[ROLE_FD_COUNT]; /* what children get, but for ctl */
	uint64_t turn_ns;      /* of the watch, the last */
	struct event *turn;    /* the next */
	uint64_t frames;       /* of all workers, as of the last */
	bool quiet;            /* nothing moved before the last */
	uint64_t deadline_ns;  /* of stopping: SIGKILL after it */
	pid_t snapshot_pid;    /* 0: none is written */
	uint64_t snapshot_ns;  /* when the last began */
	uint64_t recording;    /* of its settings, what the recorder has */
};

/* start.c: file and -s over the defaults; NULL and why (CONF_ERR) */
struct conf *super_conf_load(const struct options *o, char *err);
/* a memfd with this text; -1 */
int super_memfd(const char *name, const void *text, size_t len);
uint64_t super_now(void);

/* child.c */
void child_init(struct super *s, uint32_t slot, const struct role *role);
void child_free(struct child *c);
void child_start(struct child *c);
void child_signal(struct child *c, int sig);
/* Ends it; the next one is started at once, and it is nobody's fault. */
void child_replace(struct child *c);
/* Collects those that died. */
void child_reap(struct super *s);
void child_watch(struct super *s);

/* message.c */
void message_heard(struct child *c);
void message_reload(struct super *s);
/* The policy block from the configuration.  0 or -1 and why. */
int message_publish(struct super *s, char *err);

/* taps.c */
int taps_open(struct super *s);
void taps_close(struct super *s);
/* in a worker to be, before exec */
void taps_env(const struct super *s, uint32_t worker);
/* before the supervisor itself executes another program */
void taps_keep(const struct super *s);
void taps_watch(struct super *s);

/* ifaces.c */
void ifaces_watch(struct super *s);

/* older.c: what stands there is of today's layout afterwards, or was none that
 * can be migrated; 0, or -errno and why */
int older_migrate(const struct region_params *p, struct region_error *err);

/* watchdog.c */
void watchdog_init(struct super *s);
void watchdog_turn(struct super *s);

/* recording.c */
bool recording_wanted(const struct super *s);
/* The recorder as the configuration wants it; `reopen`: its files anew. */
void recording_turn(struct super *s, bool reopen);
/* before the api begins to hold the log back for it */
void recording_start(struct super *s);

/* upgrade.c */
void upgrade_init(struct super *s);
/* Stops everything, if the program on disk can go on; then upgrade_exec(). */
void upgrade_ask(struct super *s);
_Noreturn void upgrade_exec(struct super *s);

/* supervisor.c */
void super_child_ready(struct child *c);
/* It died: told again, or the end. */
void super_child_died(struct child *c, int status);
void super_stop(struct super *s, int exit_code);

#endif
