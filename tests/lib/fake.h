/* fake.h - a daemon that says what a test wants, for clients to talk to. */
#ifndef TESTS_LIB_FAKE_H
#define TESTS_LIB_FAKE_H

#include <sys/types.h>

#include "proto/ctshard.pb-c.h"

/* One client of the fake daemon, in a process of its own. */
struct fake_client {
	int fd;
	int hellos; /* requests seen so far, the hello among them */
};

/* Answers one request; called for each but Hello. */
typedef void (*fake_answer)(struct fake_client *c, const Ctshard__Request *r);

/* Fork a daemon that listens on dir/api.sock and dir/control.sock. */
pid_t fake_start(const char *dir, fake_answer answer);
/* The same in this process; returns at SIGTERM only. */
void fake_serve(const char *dir, fake_answer answer);
void fake_stop(pid_t pid);

/* The same in a directory of its own, and both away again; 0, or -1. */
struct fake {
	char dir[64];
	pid_t pid;
};
int fake_open(struct fake *f, fake_answer answer);
int fake_close(struct fake *f);

void fake_send(struct fake_client *c, const Ctshard__Response *r);
/* An answer of nothing but its end. */
void fake_end(struct fake_client *c, const Ctshard__Request *r);
void fake_error(struct fake_client *c, const Ctshard__Request *r,
                Ctshard__ErrorCode code, char *text);

/* A connection 10.0.0.1:1000+n -> 10.0.1.1:80, established tcp, id n. */
struct fake_conn {
	Ctshard__Conn c;
	Ctshard__Tuple t[2];
};
void fake_conn(struct fake_conn *to, unsigned n);

#endif
