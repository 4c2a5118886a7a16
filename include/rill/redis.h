/*
 * Redis: commands as calls, any number of tasks on one connection.
 *
 *     rill_auto(rill_redis) redis = rill_redis_connect("redis://127.0.0.1:6379/0");
 *     rill_auto(rill_redis_reply) reply = rill_redis_command(redis, "SET %s %b", key, value, len);
 *
 * Commands of tasks that run at once are pipelined: they leave in one write. Each reply reaches the
 * task whose command it answers, also when other commands were cancelled or ran out of time.
 *
 * A connection that is lost is made anew by the next command, with the user, password and database
 * of the URL. A command is never sent twice.
 *
 * All tasks share the one connection, and so its state: a blocking command (BLPOP, WAIT) keeps the
 * others waiting, and a transaction (MULTI, WATCH) or a SELECT is everybody's. Give these a
 * rill_redis of their own. What does not answer each command once cannot be shared at all and is
 * refused: (P|S)SUBSCRIBE and its kin, MONITOR, SYNC, PSYNC, HELLO, CLIENT REPLY.
 *
 * A rill_redis belongs to the thread that made it.
 */
#ifndef RILL_REDIS_H
#define RILL_REDIS_H

#include <rill/net.h>
#include <stdarg.h>

RILL_BEGIN_DECLS

typedef struct rill_redis rill_redis;
/* hiredis's own reply tree: include <hiredis/hiredis.h> to look into it. */
typedef struct redisReply rill_redis_reply;

typedef struct rill_redis_opts {
    size_t size;
    /* redis://[[user]:password@]host[:6379][/db], rediss://… (TLS),
     * unix://[[user]:password@]/path[?db=0]. User, password and path may hold percent escapes. */
    const char *url;
    double connect_timeout;    /* seconds, until the database is selected. Default: 5 */
    double timeout;            /* seconds for one command. Default: 30; RILL_FOREVER for none */
    rill_tls_opts tls_options; /* for rediss://. Default: the system's roots, the host checked */
    const char *file;          /* where it was made: filled by the macro */
    int line;
} rill_redis_opts;

/* Connects, authenticates and selects the database.
 * Returns NULL with the errors of rill_connect (RILL_EREFUSED, RILL_EDNS_NOTFOUND, …, and
 *   RILL_ECONNECT_TIMEOUT for all of `connect_timeout`), RILL_EURL (what is wrong with it, without
 *   quoting it), RILL_EREDIS_REPLY (wrong password, no such database), RILL_EREDIS_PROTOCOL (it is
 *   no redis), RILL_ENOMEM.
 * Cancel  nothing stays behind. */
#define rill_redis_connect(...)                                                                    \
    rill_redis_connect_with(                                                                       \
        RILL_OPTS(rill_redis_opts, .file = __FILE__, .line = __LINE__, .url = __VA_ARGS__))
RILL_AWAITS RILL_API RILL_CHECKED rill_redis *rill_redis_connect_with(const rill_redis_opts *opts);

/*
 * Sends a command in hiredis's format and waits for its reply, which the caller frees.
 *
 * The format is split at spaces into arguments; %s stands for a text, %b for bytes (a pointer and a
 * size_t), %d, %lld, %f … as in printf. What stands for them is never split or escaped.
 *
 * A reply is at most 512 MiB long, has at most 16 Mi elements and is nested at most 8 deep: beyond
 * that the connection is closed. At most 64 MiB of commands wait to be sent.
 *
 * Returns  the reply (a NULL of redis is one of type REDIS_REPLY_NIL), or NULL:
 *   RILL_EREDIS_REPLY       redis answered with an error: the message is redis's
 *   RILL_EREDIS_CONNECTION  lost before the reply came: the message says when the command was not
 *                           sent; else whether it ran is not known
 *   RILL_EREDIS_PROTOCOL    the answer is not valid RESP; all that wait get this
 *   RILL_ETIMEDOUT          no reply within `timeout`: the command may have run or may run yet
 *   RILL_ELIMIT             too much waits to be sent or answered; it was not sent
 *   RILL_EUNSUPPORTED       a command that cannot share a connection; RILL_EINVAL a bad format
 *   RILL_ECLOSED            rill_redis_free was called meanwhile
 *   or, when it had to connect, an error of rill_redis_connect.
 * Cancel   what has not been sent is not sent. Otherwise the command may have run; its reply is
 *          dropped when it comes, and shifts no other.
 *
 * When a command was given up (cancelled or out of time) and redis then says nothing at all for 3
 * times `timeout` (but at least 1 s and at most 30 s), the connection counts as lost.
 */
RILL_AWAITS RILL_API RILL_CHECKED rill_redis_reply *rill_redis_command(rill_redis *redis,
                                                                       const char *format, ...);
RILL_AWAITS RILL_API RILL_CHECKED rill_redis_reply *
rill_redis_vcommand(rill_redis *redis, const char *format, va_list args);
/* The same from a vector of arguments, lens[i] bytes each; lens NULL: they are NUL-terminated. */
RILL_AWAITS RILL_API RILL_CHECKED rill_redis_reply *
rill_redis_command_argv(rill_redis *redis, int argc, const char **argv, const size_t *lens);

/* NULL is fine. */
RILL_API void rill_redis_reply_free(rill_redis_reply *reply);
RILL_DEFINE_AUTO(rill_redis_reply)

/* Closes and frees, without waiting, from any task of its thread; tasks that wait for replies get
 * RILL_ECLOSED. NULL is fine. */
RILL_API void rill_redis_free(rill_redis *redis);
RILL_DEFINE_AUTO(rill_redis)

RILL_END_DECLS

#endif
