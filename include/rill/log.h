/*
 * Where the library's few messages go: reports of the runtime (a task failed and nobody joined it)
 * and the server's access log. By default they go to stderr, one line each.
 */
#ifndef RILL_LOG_H
#define RILL_LOG_H

#include <rill/base.h>

RILL_BEGIN_DECLS

typedef enum rill_log_level {
    RILL_LOG_DEBUG,
    RILL_LOG_INFO,
    RILL_LOG_WARN,
    RILL_LOG_ERROR,
} rill_log_level;

/* Receives one message without a line end. It may be called from any thread, and must not block or
 * switch tasks. `subsystem` is static text: "task", "access", "server", …. */
typedef void rill_log_fn(void *arg, rill_log_level level, const char *subsystem,
                         const char *message);

/* Sends the messages to `fn` from now on; NULL goes back to stderr. For the whole process. */
RILL_API void rill_log_to(rill_log_fn *fn, void *arg);

/* Drops messages below `level` (default RILL_LOG_INFO). For the whole process. */
RILL_API void rill_log_level_set(rill_log_level level);

/* Logs a message the same way. */
RILL_API void rill_log(rill_log_level level, const char *subsystem, const char *format, ...)
    RILL_PRINTF(3, 4);

RILL_END_DECLS

#endif
