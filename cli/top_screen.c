/*
 * top_screen.c - top on a terminal (ncurses).
 *
 * Keys are looked at between samples; a sample that takes long makes the next
 * one wait in proportion, so that watching never becomes the load.
 */
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/top.h"

#define SHARE 4 /* a sample may take one part in so many of the time */

struct screen {
	struct top *t;
	size_t at, first; /* the row chosen, the first on the screen */
	bool pause, detail, asks, stop;
	char expression[200]; /* what is being typed */
	char filter[200];     /* what is in force */
	uint64_t next_ms;
};

static volatile sig_atomic_t stopped;

static void on_stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- drawing ---- */

static void put(int y, const char *text, int attr)
{
	move(y, 0);
	clrtoeol();
	attrset((attr_t)attr);
	addnstr(text, COLS);
	attrset(A_NORMAL);
}

static void draw_detail(const struct screen *s, int y)
{
	const struct top_row *r = &s->t->row[s->at];
	char text[TOP_LINE], *p;

	snprintf(text, sizeof(text),
	         "id=%llu mark=%u zone=%u timeout=%llus out=%llu/%llu "
	         "back=%llu/%llu %s",
	         (unsigned long long)r->c.id, r->c.mark, r->c.zone,
	         (unsigned long long)out_seconds(&r->c),
	         (unsigned long long)r->c.dir[0].packets,
	         (unsigned long long)r->c.dir[0].bytes,
	         (unsigned long long)r->c.dir[1].packets,
	         (unsigned long long)r->c.dir[1].bytes, r->detail);
	for (p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	put(y, text, A_DIM);
}

static void draw_bottom(const struct screen *s)
{
	char text[TOP_LINE];

	if (s->asks)
		snprintf(text, sizeof(text), "filter: %s_", s->expression);
	else if (s->t->error)
		snprintf(text, sizeof(text), "%s", s->t->why);
	else
		snprintf(text, sizeof(text),
		         "q quit  r rate  b bytes  a age  p %s  / filter%s%s  "
		         "arrows, enter details",
		         s->pause ? "go on" : "pause", *s->filter ? ": " : "",
		         s->filter);
	put(LINES - 1, text, s->t->error ? A_REVERSE : A_BOLD);
}

static void draw(struct screen *s)
{
	struct top *t = s->t;
	size_t room = LINES > 7 ? (size_t)LINES - 7 : 0, i;
	char text[TOP_LINE];
	bool grows, unwell;
	int y = 5;

	if (s->at >= t->rows)
		s->at = t->rows ? t->rows - 1 : 0;
	if (s->at < s->first)
		s->first = s->at;
	if (room && s->at >= s->first + room)
		s->first = s->at - room + 1;
	top_title(t, text, TOP_LINE - 1);
	put(0, text, A_BOLD);
	grows = top_health(t, text, TOP_LINE - 1);
	put(1, text, grows ? A_REVERSE : A_NORMAL);
	top_mirror(t, text, TOP_LINE - 1);
	put(2, text, A_NORMAL);
	unwell = top_ports(t, text, TOP_LINE - 1);
	put(3, text, unwell ? A_REVERSE : A_NORMAL);
	top_heads(text, TOP_LINE - 1);
	put(4, text, A_UNDERLINE);
	for (i = s->first; i < t->rows && y < LINES - 1; i++) {
		top_text(&t->row[i], text, TOP_LINE - 1);
		put(y++, text, i == s->at ? A_REVERSE : A_NORMAL);
		if (i == s->at && s->detail && y < LINES - 1)
			draw_detail(s, y++);
	}
	for (; y < LINES - 1; y++)
		put(y, "", A_NORMAL);
	draw_bottom(s);
	refresh();
}

/* ---- samples ---- */

static void sample(struct screen *s)
{
	struct top *t = s->t;
	uint64_t began = now_ms(), took;

	if (!t->ct && ctshard_open(t->cmd->rundir, 0, &t->ct)) {
		ctshard_close(t->ct);
		t->ct = NULL;
	}
	if (top_sample(t) == CTSHARD_ELOST || t->error == CTSHARD_ENODAEMON) {
		ctshard_close(t->ct);
		t->ct = NULL;
	}
	took = now_ms() - began;
	s->next_ms = began + t->cmd->delta_ms;
	if (s->next_ms < began + took * SHARE)
		s->next_ms = began + took * SHARE;
}

/* An empty one is none.  A bad one is told by the daemon at the next sample. */
static void set_filter(struct screen *s)
{
	struct ctshard_filter *f = &s->t->cmd->filter;

	memcpy(s->filter, s->expression, sizeof(s->filter));
	f->has &= ~CTSHARD_FILTER_HAS(EXPRESSION);
	if (*s->filter)
		f->has |= CTSHARD_FILTER_HAS(EXPRESSION);
	f->expression = s->filter;
	s->next_ms = 0;
}

/* ---- keys ---- */

static void key_typed(struct screen *s, int key)
{
	size_t n = strlen(s->expression);

	if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		s->asks = false;
		set_filter(s);
	} else if (key == 27) {
		s->asks = false;
	} else if (key == KEY_BACKSPACE || key == 127 || key == 8) {
		if (n)
			s->expression[n - 1] = '\0';
	} else if (key >= ' ' && key <= '~' && n + 1 < sizeof(s->expression)) {
		s->expression[n] = (char)key;
		s->expression[n + 1] = '\0';
	}
}

static void key_sort(struct screen *s, int key)
{
	static const char keys[] = {
#define X(name, key, word) key,
		TOP_SORTS(X)
#undef X
	};
	size_t i;

	for (i = 0; i < sizeof(keys); i++)
		if (keys[i] == key) {
			s->t->sort = (enum top_sort)i;
			s->next_ms = 0;
			s->at = 0;
		}
}

static void key_pressed(struct screen *s, int key)
{
	size_t page = LINES > 6 ? (size_t)LINES - 6 : 1;

	switch (key) {
	case 'q':
		s->stop = true;
		break;
	case 'p':
	case ' ':
		s->pause = !s->pause;
		break;
	case '/':
	case 'f':
		s->asks = true;
		memcpy(s->expression, s->filter, sizeof(s->filter));
		break;
	case 'd':
	case '\n':
	case '\r':
	case KEY_ENTER:
		s->detail = !s->detail;
		break;
	case KEY_UP:
		s->at -= s->at > 0;
		break;
	case KEY_DOWN:
		s->at++;
		break;
	case KEY_PPAGE:
		s->at -= s->at < page ? s->at : page;
		break;
	case KEY_NPAGE:
		s->at += page;
		break;
	case KEY_HOME:
		s->at = 0;
		break;
	default:
		key_sort(s, key);
		break;
	}
}

static void turn(struct screen *s)
{
	uint64_t now = now_ms();
	int key;

	if (!s->asks && !s->pause && now >= s->next_ms)
		sample(s);
	else if (!s->next_ms)
		sample(s);
	draw(s);
	now = now_ms();
	timeout(s->asks || s->pause ? 500
	        : s->next_ms > now  ? (int)(s->next_ms - now)
	                            : 0);
	key = getch();
	if (key == ERR || key == KEY_RESIZE)
		return;
	if (s->asks)
		key_typed(s, key);
	else
		key_pressed(s, key);
}

int top_screen(struct top *t)
{
	struct sigaction sa = {.sa_handler = on_stop};
	struct screen s = {.t = t};
	struct pollfd in = {.fd = STDIN_FILENO};

	setlocale(LC_CTYPE, "");
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	if (!initscr())
		return CMD_FAILED;
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
	while (!s.stop && !stopped) {
		turn(&s);
		/* the terminal went away: keys would never come */
		if (poll(&in, 1, 0) > 0 && in.revents & (POLLHUP | POLLERR))
			break;
	}
	endwin();
	return CMD_OK;
}
