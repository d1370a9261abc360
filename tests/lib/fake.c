/* fake.c - a daemon that says what a test wants. */
#include "tests/lib/fake.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/frame.h"

void fake_send(struct fake_client *c, const Ctshard__Response *r)
{
	struct frame_buf b;
	const uint8_t *p;
	size_t len;
	ssize_t n;

	frame_init(&b, FRAME_ANSWER_MAX);
	if (frame_put(&b, &r->base))
		_exit(3);
	while ((p = frame_data(&b, &len))) {
		n = send(c->fd, p, len, MSG_NOSIGNAL);
		if (n <= 0)
			_exit(0); /* the client had enough */
		frame_drop(&b, (size_t)n);
	}
	frame_free(&b);
}

void fake_end(struct fake_client *c, const Ctshard__Request *r)
{
	Ctshard__Response a = CTSHARD__RESPONSE__INIT;

	a.has_id = a.has_end = a.end = 1;
	a.id = r->id;
	fake_send(c, &a);
}

void fake_error(struct fake_client *c, const Ctshard__Request *r,
                Ctshard__ErrorCode code, char *text)
{
	Ctshard__Response a = CTSHARD__RESPONSE__INIT;
	Ctshard__Error e = CTSHARD__ERROR__INIT;

	e.has_code = 1;
	e.code = code;
	e.message = text;
	a.has_id = a.has_end = a.end = 1;
	a.id = r->id;
	a.error = &e;
	fake_send(c, &a);
}

static void fake_hello(struct fake_client *c, const Ctshard__Request *r)
{
	Ctshard__Response a = CTSHARD__RESPONSE__INIT;
	Ctshard__HelloAnswer h = CTSHARD__HELLO_ANSWER__INIT;
	static uint8_t uuid[16] = {0xab, 0xcd};
	static char name[] = "fake";

	h.has_version = h.has_uuid = h.has_seq = h.has_pid = 1;
	h.version = 1;
	h.daemon = name;
	h.uuid.data = uuid;
	h.uuid.len = sizeof(uuid);
	h.seq = 100;
	h.pid = (uint64_t)getppid();
	a.has_id = a.has_end = a.end = 1;
	a.id = r->id;
	a.hello = &h;
	fake_send(c, &a);
}

static void fake_talk(int fd, fake_answer answer)
{
	struct fake_client c = {.fd = fd};
	struct frame_buf b;
	Ctshard__Request *r;
	const uint8_t *body;
	size_t len, room;
	uint8_t *p;
	ssize_t n;

	frame_init(&b, FRAME_REQUEST_MAX);
	for (;;) {
		p = frame_room(&b, 4096, &room);
		n = p ? recv(fd, p, room, 0) : 0;
		if (n <= 0)
			_exit(0);
		frame_added(&b, (size_t)n);
		while (frame_next(&b, &body, &len) > 0) {
			r = ctshard__request__unpack(NULL, len, body);
			if (!r)
				_exit(4);
			if (!c.hellos++)
				fake_hello(&c, r);
			else
				answer(&c, r);
			ctshard__request__free_unpacked(r, NULL);
		}
	}
}

static int fake_listen(const char *dir, const char *name)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/%s", dir, name);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 16))
		_exit(5);
	return fd;
}

static void fake_accept(struct pollfd *p, fake_answer answer)
{
	int fd, i;

	poll(p, 2, -1);
	for (i = 0; i < 2; i++) {
		if (!p[i].revents)
			continue;
		fd = accept(p[i].fd, NULL, NULL);
		if (fd >= 0 && !fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			fake_talk(fd, answer);
		}
		close(fd);
	}
}

void fake_serve(const char *dir, fake_answer answer)
{
	struct pollfd p[2] = {{.events = POLLIN}, {.events = POLLIN}};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	p[1].fd = fake_listen(dir, "control.sock");
	p[0].fd = fake_listen(dir, "api.sock");
	for (;;)
		fake_accept(p, answer);
}

pid_t fake_start(const char *dir, fake_answer answer)
{
	char path[256];
	pid_t pid;
	int i;

	pid = fork();
	if (!pid)
		fake_serve(dir, answer);
	snprintf(path, sizeof(path), "%s/api.sock", dir);
	for (i = 0; i < 1000 && access(path, F_OK); i++)
		usleep(1000);
	usleep(1000); /* between bind and listen */
	return pid;
}

void fake_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void fake_conn(struct fake_conn *to, unsigned n)
{
	static uint8_t a[4] = {10, 0, 0, 1}, b[4] = {10, 0, 1, 1};
	static char tcp[] = "tcp", state[] = "ESTABLISHED";
	int i;

	ctshard__conn__init(&to->c);
	to->c.has_id = to->c.has_l3 = to->c.has_protonum = 1;
	to->c.has_status = to->c.has_timeout_ms = to->c.has_use = 1;
	to->c.id = n;
	to->c.l3 = 4;
	to->c.protonum = 6;
	to->c.proto = tcp;
	to->c.state = state;
	to->c.status = 14; /* SEEN_REPLY ASSURED CONFIRMED */
	to->c.timeout_ms = 300500;
	to->c.use = 1;
	for (i = 0; i < 2; i++) {
		ctshard__tuple__init(&to->t[i]);
		to->t[i].has_src = to->t[i].has_dst = 1;
		to->t[i].has_sport = to->t[i].has_dport = 1;
		to->t[i].src.len = to->t[i].dst.len = 4;
		to->t[i].src.data = i ? b : a;
		to->t[i].dst.data = i ? a : b;
		to->t[i].sport = i ? 80 : 1000 + n;
		to->t[i].dport = i ? 1000 + n : 80;
	}
	to->c.original = &to->t[0];
	to->c.reply = &to->t[1];
}

int fake_open(struct fake *f, fake_answer answer)
{
	snprintf(f->dir, sizeof(f->dir), "/tmp/ctshardd-fake.XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	f->pid = fake_start(f->dir, answer);
	return 0;
}

int fake_close(struct fake *f)
{
	static const char *const names[] = {"api.sock", "control.sock"};
	char path[128];
	unsigned i;

	fake_stop(f->pid);
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
		unlink(path);
	}
	return rmdir(f->dir);
}
