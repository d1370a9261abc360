/* replay.h - one private daemon over captures, and where its answers go. */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include <limits.h>

#include "cli/child.h"
#include "cli/cmd.h"

struct replay {
	const struct cmd *c;
	char dir[PATH_MAX];   /* the run directory, "" when there is none */
	char spool[PATH_MAX]; /* stdin's copy in it, "" when not asked for */
	struct child child;
	bool running;
	struct ctshard *ct;
	int signals;
	int caught;  /* the signal that ends it early */
	bool died;   /* the daemon ended by itself */
	int turn_ms; /* a turn waits no longer than this; 0: for ever */
};

/* Directory, daemon, connection: CMD_OK, or the code with the reason said. */
int replay_open(struct replay *r);
/* End the daemon and remove the directory, whatever there is of both. */
void replay_close(struct replay *r);
/* One turn of the loop: false when it is over (signal, death, lost). */
bool replay_turn(struct replay *r);

#endif
