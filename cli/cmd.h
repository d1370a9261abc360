/* cmd.h - one command line, parsed, and the verbs that carry it out. */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/ctshard.h"
#include "cli/labels.h"
#include "cli/out.h"

enum cmd_exit {
	CMD_OK = 0,
	CMD_FAILED = 1,
	CMD_USAGE = 2,
	CMD_NO_DAEMON = 3,
	CMD_NOT_FOUND = 4,
	CMD_INCOMPLETE = 5
};

#define CMD_ARGS 256

struct word_verb;

struct cmd_replay {
	const char *table;
	const char *events;
	const char *expect;
	const char *expect_events;
	const char *stats;
	bool explain;
	uint32_t workers;
	const char *set[CMD_ARGS]; /* KEY=VALUE for the daemon */
	size_t n_set;
};

enum cmd_label { LABEL_FILTER, LABEL_ADD, LABEL_DEL, LABEL_WORDS };

struct cmd {
	const struct word_verb *verb;
	const char *rundir;
	struct ctshard_filter filter;
	const struct out_format *format; /* NULL: by where stdout goes */
	unsigned mods;
	enum { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER } colour;
	bool no_header;
	const char *columns;
	const char *sort;
	const char *by;
	const char *iface; /* --iface, when it is no number */
	uint64_t limit;    /* -n; 0: none */
	struct ctshard_watch_opts watch;
	uint8_t uuid[16];
	bool strict;
	bool no_reconnect;
	struct ctshard_update_opts update;
	uint8_t labels_set[16];
	uint8_t labels_clear[16];
	bool deep;
	bool bpf;
	bool zero;
	bool nothing;          /* list: a table of conntrack's that we lack */
	bool once;             /* top */
	const char *community; /* get: this one */
	uint16_t community_seed;
	uint32_t delta_ms; /* stats */
	const char *top;   /* stats: by what */
	bool exist_ok;     /* add: one that is there already is no failure */
	struct cmd_replay replay;
	struct labels labels;
	const char *label_words[LABEL_WORDS]; /* as they were given, or NULL */
	const char *arg[CMD_ARGS];
	size_t args;
	bool help;
	uint64_t since_ns, until_ns; /* history */
};

/* X(name, letter, long name, groups, arguments, "what it does") */
#define CMD_VERBS(X)                                                          \
	X(list, 'L', "dump", FILTER | OUTPUT | LIST | ZERO | PRINT, "",       \
	  "matching connections")                                             \
	X(get, 'G', "get", FILTER | OUTPUT | GET | ZERO | PRINT, "",          \
	  "one connection, by tuple or --id")                                 \
	X(history, 0, NULL, FILTER | OUTPUT | LIST | HISTORY | PRINT, "",     \
	  "connections that have ended")                                      \
	X(count, 'C', "count", FILTER | OUTPUT | COUNT, "",                   \
	  "how many there are")                                               \
	X(watch, 'E', "event", FILTER | OUTPUT | WATCH | PRINT, "", "events") \
	X(expect, 0, NULL, OUTPUT | EXPECT, "list|watch|count|flush",         \
	  "announced connections, or their events")                           \
	X(stats, 'S', "stats", OUTPUT | STATS, "", "counters")                \
	X(show, 0, NULL, OUTPUT, "WHAT...",                                   \
	  "workers shards subscribers config memory mirror recorder version " \
	  "protocols, or a setting")                                          \
	X(top, 0, NULL, FILTER | TOP, "", "who talks most, on a screen")      \
	X(metrics, 0, NULL, 0, "", "figures as OpenMetrics text")             \
	X(set, 0, NULL, 0, "KEY=VALUE...", "change settings")                 \
	X(delete, 'D', "delete", FILTER | OUTPUT, "",                         \
	  "forget matching connections")                                      \
	X(flush, 'F', "flush", FLUSH, "", "forget all connections")           \
	X(update, 'U', "update", FILTER | OUTPUT | UPDATE, "",                \
	  "change mark, labels, timeout")                                     \
	X(add, 'I', "create", FILTER | ADD, "", "make a connection")          \
	X(dump, 0, NULL, 0, "FILE", "a snapshot of the table")                \
	X(load, 0, NULL, 0, "FILE", "what `-o save' or `dump' wrote")         \
	X(check, 0, NULL, CHECK | OUTPUT, "",                                 \
	  "every invariant of the segments")                                  \
	X(trace, 0, NULL, TRACE | TUPLE | OUTPUT, "",                         \
	  "packets of a connection, and what becomes of each")                \
	X(replay, 0, NULL, REPLAY | TUPLE | OUTPUT, "CAPTURE...",             \
	  "captures through a private daemon")                                \
	X(completion, 0, NULL, 0, "bash|zsh|fish",                            \
	  "a script that completes command lines")                            \
	X(compare, 0, NULL, TUPLE | OUTPUT | COMPARE | LATE, "",              \
	  "this table against the kernel's own")                              \
	X(reopen, 0, NULL, LATE, "",                                          \
	  "open the flow log anew, after a rotation")                         \
	X(upgrade, 0, NULL, 0, "", "go on as the program now on disk")        \
	X(help, 0, NULL, 0, "[VERB]", "this, or a verb's options")

#define X(name, ...) int cmd_##name(struct cmd *c);
CMD_VERBS(X)
#undef X

/* what `show` itself knows, ended by NULL; KEYs are the daemon's */
extern const char *const cmd_show_words[];
/* `expect watch`, in cmd_watch.c */
int cmd_expect_watch(struct cmd *c);
/* the rest of `count` and `flush`, of either table */
int cmd_count_of(struct cmd *c,
                 int (*ask)(struct ctshard *ct,
                            const struct ctshard_count_opts *opts,
                            const struct ctshard_handler *h, uint64_t *id));
int cmd_flush_of(struct cmd *c,
                 int (*ask)(struct ctshard *ct, uint32_t l3,
                            const struct ctshard_handler *h, uint64_t *id),
                 const char *done);

/* "ctctl: ..." and a newline on stderr, cleaned */
void cmd_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Say what went wrong with the daemon; the exit code for it. */
int cmd_error(const struct ctshard *ct, int error);
/* An open handle, or NULL with *code set and the reason said. */
struct ctshard *cmd_open(struct cmd *c, unsigned flags, int *code);
/* An `out` on stdout as the options ask (malloc'd), NULL: *code is set. */
struct out *cmd_out(const struct cmd *c, const struct out_format *piped,
                    const struct out_format *tty, int *code);
/* Ends `o`, frees it: `code`, or failure when a write failed. */
int cmd_finish(struct out *o, int code);
/* The daemon's names of labels, where they matter, and what the words of -l
 * and its kin mean with them: 0, or an exit code and the reason said. */
int cmd_labels(struct cmd *c, struct ctshard *ct);
/* What -o proc has to know of the daemon (F300). */
void cmd_proc(struct ctshard *ct, struct out *o);
/* The supervisor's pid, from its file; not above 1: none, and that is said. */
long cmd_pid(const struct cmd *c);
/* What stdio holds is written: the exit code, and a failure is said. */
int cmd_said(void);
/* "N flow entries have been WHAT." */
void cmd_done(uint64_t n, const char *what);

#endif
