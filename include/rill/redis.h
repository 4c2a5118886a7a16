/*
 * Redis: commands as calls, any number of tasks on one connection.
 *
 *     rill_auto(rill_redis) redis = rill_redis_connect("redis://127.0.0.1:6379/0");
 *     rill_auto(rill_redis_reply) reply = rill_redis_command(redis, "SET %s %b", key, value, len);
 *
 * Commands of tasks that run at once are pipelined: one write for all that a turn of the loop has
 * produced. Each reply reaches the task whose command it answers, also when others were cancelled.
 */
#ifndef RILL_REDIS_H
#define RILL_REDIS_H

#include <rill/error.h>
#include <stdarg.h>

RILL_BEGIN_DECLS

typedef struct rill_redis rill_redis;
/* hiredis's own reply tree: include <hiredis/hiredis.h> to look into it. */
typedef struct redisReply rill_redis_reply;

typedef struct rill_redis_opts {
    size_t size;
    const char *url; /* redis://[user:password@]host[:6379][/db], rediss://…, unix:///path[?db=0] */
    double connect_timeout; /* seconds. Default: 5 */
    double timeout;         /* seconds for one command. Default: 30; RILL_FOREVER for none */
} rill_redis_opts;

/* Connects, authenticates and selects the database.
 * Returns NULL with RILL_EREFUSED and the like, RILL_EURL, RILL_EREDIS_REPLY (wrong password). */
#define rill_redis_connect(...)                                                                    \
    rill_redis_connect_with(RILL_OPTS(rill_redis_opts, .url = __VA_ARGS__))
RILL_AWAITS RILL_API rill_redis *rill_redis_connect_with(const rill_redis_opts *opts);

/* Sends a command in hiredis's format (%s text, %b bytes with a size_t, %d …) and waits for its
 * reply, which the caller frees. A lost connection is made anew by the next command.
 * Returns NULL with RILL_EREDIS_REPLY (redis said error; the message is redis's),
 *   RILL_EREDIS_CONNECTION (lost: whether the command ran is not known), RILL_EREDIS_PROTOCOL,
 *   RILL_ETIMEDOUT.
 * Cancel  the command may have run; its reply is dropped when it comes, and shifts no other. */
RILL_AWAITS RILL_API rill_redis_reply *rill_redis_command(rill_redis *redis, const char *format,
                                                          ...);
RILL_AWAITS RILL_API rill_redis_reply *rill_redis_vcommand(rill_redis *redis, const char *format,
                                                           va_list args);
/* The same from a vector of arguments; lens NULL: they are NUL-terminated. */
RILL_AWAITS RILL_API rill_redis_reply *
rill_redis_command_argv(rill_redis *redis, int argc, const char **argv, const size_t *lens);

/* NULL is fine. */
RILL_API void rill_redis_reply_free(rill_redis_reply *reply);
RILL_DEFINE_AUTO(rill_redis_reply)

/* Closes and frees; tasks that wait for replies get RILL_ECLOSED. NULL is fine. */
RILL_API void rill_redis_free(rill_redis *redis);
RILL_DEFINE_AUTO(rill_redis)

RILL_END_DECLS

#endif
