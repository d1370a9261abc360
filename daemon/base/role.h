/*
 * role.h - what a process of ctshardd is, and how it starts.
 *
 * A role is a row: main.c has the table, role_run() is the only road into a
 * role.  The supervisor executes the program again for each (fresh address
 * space, an own title in ps) and hands over descriptors by number:
 *
 *	CTSHARDD_ROLE      name of the row
 *	CTSHARDD_SLOT      process slot, for workers also their number
 *	CTSHARDD_PARENT    pid of the supervisor
 *	CTSHARDD_SEGMENTS  what region_export() wrote
 *	CTSHARDD_FDS       "conf=4,options=5,ctl=6,...": enum role_fd
 *
 * role_run() then goes, in this order: log and title; descriptors, options,
 * configuration; segments mapped; setup() with all privileges; privileges
 * dropped for good; slot taken, what a predecessor left repaired; begin();
 * PROC_READY and one byte to the supervisor; loop().
 *
 * A role that keeps privileges (`keeps`, the supervisor alone) makes the
 * segments itself: it gets options and configuration and goes from there.
 */
#ifndef BASE_ROLE_H
#define BASE_ROLE_H

#include "daemon/base/conf.h"
#include "daemon/base/options.h"
#include "shm/atomic.h"
#include "shm/region.h"

/* descriptors handed to a role: FD(name, "meaning"); -1 = not given */
#define ROLE_FDS(FD)                                                      \
	FD(conf, "the configuration as `ctshardd -T` prints it")          \
	FD(options, "the command line, words ended by a zero byte")       \
	FD(ctl, "SOCK_SEQPACKET to the supervisor, not blocking")         \
	FD(bell_api, "eventfd: workers and reaper have news for the api") \
	FD(bell_reaper, "eventfd: the api has commands for the reaper")   \
	FD(listen, "api: api.sock, listening")                            \
	FD(control, "api: control.sock, listening")                       \
	FD(frags, "worker: memory of fragments that wait")                \
	FD(lock, "supervisor: the run directory's, over an upgrade")

enum role_fd {
#define FD(name, doc) ROLE_FD_##name,
	ROLE_FDS(FD)
#undef FD
		ROLE_FD_COUNT
};

struct role;

struct role_env {
	const struct role *role;
	struct table *t;             /* mapped for the role, slot taken */
	struct conf *conf;           /* see conf.h */
	const struct options *opt;   /* captures, ifaces, filter, hold, ... */
	int fd[ROLE_FD_COUNT];       /* by enum role_fd */
	uint32_t slot;               /* of the process; a worker's number */
	const char *const *captures; /* paths, relative to the cwd; -r */
	unsigned int ncaptures;
	const char *const *ifaces; /* -i */
	unsigned int nifaces;
	const char *filter;    /* -F, or NULL */
	bool live;             /* interfaces, not captures */
	bool hold;             /* captures wait for mlog->started */
	bool private_instance; /* of `ctctl replay`: no line may be lost */
	struct region region;  /* descriptors that `t` was mapped from */
	const char *calls; /* system calls that setup() found needed; or NULL */
	void *priv;        /* the role's own, from setup() to loop() */
};

struct role {
	const char *name;          /* "worker", in CTSHARDD_ROLE and the log */
	enum region_access access; /* what it maps, and how */
	bool many;                 /* numbered: title "ctshardd: worker 0" */
	bool keeps;        /* privileges, and all that follows from it */
	const char *user;  /* runs as, when started by root */
	uint32_t uid;      /* and as, where there is no such user */
	const char *calls; /* system calls beyond SANDBOX_CALLS */
	/* All but loop() may be NULL.  0, or an exit code of ctshardd: the
	 * role has said why. */
	int (*setup)(struct role_env *e); /* privileged: opens captures */
	int (*begin)(struct role_env *e); /* slot is held; not yet ready */
	int (*loop)(struct role_env *e);  /* until role_stopping() */
};

/* Runs one row in this process, to its exit code; for the roles of the
 * supervisor that is the end of the process. */
int role_run(const struct role *role);

/* SIGTERM has come: leave loop() soon.  SIGINT, SIGHUP, SIGPIPE and SIGUSR2
 * are ignored in roles that do not keep privileges. */
extern volatile int role_stop;
static inline bool role_stopping(void)
{
	return role_stop != 0;
}
/* readable (and stays so) once role_stopping(): for epoll */
int role_stop_fd(void);

/* The sign of life, once a turn of the loop and at least every 500 ms: a role
 * whose beat stands for `stall_kill` is killed. */
static inline void role_beat(struct role_env *e)
{
	struct proc_page *p = table_proc(e->t, e->slot);

	shm_store(&p->beat, p->beat + 1);
}

/* Rings a bell (an eventfd); never blocks, errors do not matter: whoever
 * sleeps on it looks again every 100 ms anyway. */
void role_ring(int bell);
/* Empties it. */
void role_bell_clear(int bell);

/* The file that `key` names, or `name` in the run directory. */
void role_file(const struct role_env *e, const char *key, const char *name,
               char *path, size_t size);

/*
 * Messages on `ctl`, one a datagram of text:
 *	role -> supervisor   "ready"
 *	api  -> supervisor   "set KEY=VALUE": change a setting at run time;
 *			     answered, in order, by "ok" or "error TEXT"
 *	api  -> supervisor   "stop"
 *	recorder -> supervisor "reopen": end me and start me again
 *	supervisor -> api    "config\nKEY = VALUE\n...": what is in force now,
 *			     after a reload or a set (before the "ok");
 *			     conf_replace_text() reads it
 */
#define ROLE_MESSAGE_MAX 131072u
/* 0 or -errno; -EPIPE: the supervisor is gone */
int role_send(int ctl, const char *text);
/* length of the text in buf (zero ended), 0: nothing there, -errno */
int role_receive(int ctl, char *buf, size_t len);

/* The rows, for the test of a role's name; ended by NULL; from main.c. */
struct role_table {
	const struct role *const *rows;
	/* keys of rooms that base does not know, added before it is read */
	int (*keys)(struct conf *c);
	/* what a policy has before the keys go over it; may be NULL */
	void (*policy)(struct policy *p);
	/* and what rooms above make of keys; may be NULL */
	void (*policy_of)(const struct conf *c, struct policy *p);
	/* what rows cannot tell: 0, or -1 and why ("KEY: what"); may be NULL */
	int (*check)(const struct conf *c, char *err);
	/* the shard that a key belongs to, for the check without a daemon */
	uint8_t (*home)(const struct table *t, const struct conn_key *k,
	                const struct addr6 *a6);
	/* the table as a snapshot to a descriptor, and back: 0 or -errno,
	 * -EBADMSG: that is no snapshot */
	int (*dump)(const struct table *t, const struct policy *p, int fd);
	int (*load)(struct table *t, const struct policy *p, int fd,
	            uint64_t *n);
};
void role_table_set(const struct role_table *table);
const struct role *role_find(const char *name);
/* a configuration with all keys, at their defaults; NULL: no memory */
struct conf *role_conf_new(void);
const struct role_table *role_table_get(void);
/* the rows' rooms have nothing against it: 0, or -1 and why */
int role_conf_check(const struct conf *c, char *err);
/* the policy that `c` makes, rules apart (rules.h) */
void role_policy(const struct conf *c, struct policy *p);

#endif
