/*
 * log.h - lines on stderr, one write each, so processes do not mix them.
 *
 *	ctshardd: worker 0: capture: eth1: no such device
 *
 * `sub` is the subsystem: one word.  Where journald reads stderr, a line begins
 * with its priority ("<4>").  Control characters from outside never reach the
 * terminal.  errno survives every call but fatal's.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>

#include "shm/base.h"

enum log_level { LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

#define LOG_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* `role` is copied; NULL or "": no role in the line */
void log_init(const char *role, enum log_level level);
/* where lines go, 2 by default */
void log_to(int fd);
enum log_level log_level(void);

void log_warn(const char *sub, const char *fmt, ...) LOG_PRINTF(2, 3);
void log_warnx(const char *sub, const char *fmt, ...) LOG_PRINTF(2, 3);
void log_info(const char *sub, const char *fmt, ...) LOG_PRINTF(2, 3);
void log_debug(const char *sub, const char *fmt, ...) LOG_PRINTF(2, 3);
/* exit 1; for a role's set-up, never because of a packet or a client */
_Noreturn void fatal(const char *sub, const char *fmt, ...) LOG_PRINTF(2, 3);
_Noreturn void fatalx(const char *sub, const char *fmt, ...) LOG_PRINTF(2, 3);

/*
 * At most LOG_BURST lines of one reason in LOG_WINDOW_NS; what was kept back
 * is told by the first line after it.  One struct a reason, all zero.
 *
 *	static struct log_limit limit;
 *
 *	if (log_allow(&limit, "table", "table full"))
 *		log_warnx("table", "table full, dropping packet");
 */
#define LOG_BURST     10u
#define LOG_WINDOW_NS (5 * NS_PER_S)

struct log_limit {
	uint64_t since_ns;
	uint32_t lines;
	uint32_t kept_back;
};

bool log_allow(struct log_limit *l, const char *sub, const char *reason);
bool log_allow_at(struct log_limit *l, const char *sub, const char *reason,
                  uint64_t now_ns);

#endif
