/*
 * http.c - see http.h.
 *
 * GET and HEAD of /metrics, an answer a connection.  Whoever can reach the
 * port may ask, so a connection costs little and ends soon: its request is
 * short, it has DEADLINE_S seconds for all it does, and there are HTTP_MAX of
 * them; more wait in the kernel's queue.  A general HTTP server is more than
 * this needs, and none of those at hand can be told how many to accept.
 */
#include "daemon/api/http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/api/metrics.h"
#include "daemon/base/conf_listen.h"
#include "daemon/base/log.h"

#define HTTP_MAX    16u
#define REQUEST_MAX 4096u
#define DEADLINE_S  10

struct visit {
	struct visit *next;
	struct http *h;
	struct bufferevent *bev;
	struct event *deadline;
	bool answered;
};

struct http {
	struct api *a;
	int fd;
	struct event *ev;
	struct visit *visits;
	unsigned int n;
};

/* ---- coming and going ---- */

static void visit_free(struct visit *v)
{
	struct http *h = v->h;
	struct visit **p;

	for (p = &h->visits; *p && *p != v; p = &(*p)->next)
		;
	if (*p)
		*p = v->next;
	if (v->bev)
		bufferevent_free(v->bev);
	if (v->deadline)
		event_free(v->deadline);
	free(v);
	if (h->n-- == HTTP_MAX)
		event_add(h->ev, NULL);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	visit_free(arg);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	visit_free(arg);
}

/* All is written: the answer was all there is. */
static void on_written(struct bufferevent *bev, void *arg)
{
	struct visit *v = arg;

	(void)bev;
	if (v->answered)
		visit_free(v);
}

/* ---- request and answer ---- */

static void answer(struct visit *v, const char *status, const char *extra,
                   const char *type, const char *body, size_t len, bool head)
{
	struct evbuffer *out = bufferevent_get_output(v->bev);

	v->answered = true;
	bufferevent_disable(v->bev, EV_READ);
	evbuffer_add_printf(out,
	                    "HTTP/1.1 %s\r\nContent-Type: %s\r\n"
	                    "Content-Length: %zu\r\n%sConnection: close\r\n"
	                    "\r\n",
	                    status, type, len, extra);
	if (!head)
		evbuffer_add(out, body, len);
}

static void refuse(struct visit *v, const char *status, const char *extra)
{
	char body[64];
	int n = snprintf(body, sizeof(body), "%s\n", status);

	answer(v, status, extra, "text/plain", body, (size_t)n, false);
}

static void metrics(struct visit *v, bool head)
{
	size_t len;
	char *text = metrics_text(v->h->a, &len);

	if (!text) {
		refuse(v, "503 Service Unavailable", "");
		return;
	}
	answer(v, "200 OK", "", METRICS_TYPE, text, len, head);
	free(text);
}

/* "GET /metrics HTTP/1.1" */
static void request(struct visit *v, char *line)
{
	char *save = NULL, *method = strtok_r(line, " ", &save);
	char *target = strtok_r(NULL, " ", &save);
	const char *version = strtok_r(NULL, " ", &save);
	bool head = method && !strcmp(method, "HEAD");

	if (!method || !target || !version ||
	    strncmp(version, "HTTP/1.", 7) != 0) {
		refuse(v, "400 Bad Request", "");
		return;
	}
	target[strcspn(target, "?")] = '\0';
	if (strcmp(target, "/metrics") != 0)
		refuse(v, "404 Not Found", "");
	else if (!head && strcmp(method, "GET") != 0)
		refuse(v, "405 Method Not Allowed", "Allow: GET, HEAD\r\n");
	else
		metrics(v, head);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct visit *v = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	char *line;

	if (v->answered)
		return;
	if (end.pos < 0) {
		if (evbuffer_get_length(in) >= REQUEST_MAX)
			refuse(v, "431 Request Header Fields Too Large", "");
		return;
	}
	line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF);
	if (line)
		request(v, line);
	else
		refuse(v, "400 Bad Request", "");
	free(line);
}

static void visit_new(struct http *h, int fd)
{
	const struct timeval limit = {DEADLINE_S, 0};
	struct visit *v = calloc(1, sizeof(*v));

	if (!v) {
		close(fd);
		return;
	}
	v->h = h;
	v->next = h->visits;
	h->visits = v;
	if (++h->n == HTTP_MAX)
		event_del(h->ev);
	v->bev = bufferevent_socket_new(h->a->base, fd, BEV_OPT_CLOSE_ON_FREE);
	v->deadline = evtimer_new(h->a->base, on_deadline, v);
	if (!v->bev)
		close(fd);
	if (!v->bev || !v->deadline || event_add(v->deadline, &limit)) {
		visit_free(v);
		return;
	}
	bufferevent_setwatermark(v->bev, EV_READ, 0, REQUEST_MAX);
	bufferevent_setcb(v->bev, on_read, on_written, on_event, v);
	bufferevent_enable(v->bev, EV_READ | EV_WRITE);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;
	int s = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (s >= 0)
		visit_new(h, s);
}

/* ---- the server ---- */

int http_listen(const char *address)
{
	struct sockaddr_storage sa;
	int fd, on = 1;
	socklen_t len;

	if (!*address || !conf_listen_parse(address, &sa, &len))
		return -1;
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	            0);
	if (fd >= 0 &&
	    !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	    !bind(fd, (struct sockaddr *)&sa, len) && !listen(fd, HTTP_MAX))
		return fd;
	/* nobody stops tracking because nobody can look */
	log_warn("api", "metrics: %s", address);
	if (fd >= 0)
		close(fd);
	return -1;
}

struct http *http_new(struct api *a, int fd)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h) {
		close(fd);
		return NULL;
	}
	h->a = a;
	h->fd = fd;
	h->ev = event_new(a->base, fd, EV_READ | EV_PERSIST, on_accept, h);
	if (h->ev && !event_add(h->ev, NULL))
		return h;
	http_free(h);
	return NULL;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	/* each takes itself out of the list, which the checker cannot see
	 * NOLINTBEGIN(clang-analyzer-unix.Malloc) */
	while (h->visits)
		visit_free(h->visits);
	if (h->ev)
		event_free(h->ev);
	/* NOLINTEND(clang-analyzer-unix.Malloc) */
	close(h->fd);
	free(h);
}
