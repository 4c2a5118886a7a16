/*
 * The inside of a redis client.
 *
 * A rill_redis has at most one connection at a time. A command is a slot: it stands in `queued`
 * until the connection's writer takes it, then in `sent` until the reply comes whose turn it is.
 *
 *     queued ──written──▶ sent ──its reply──▶ its task is woken
 *        │                  └──given up────▶ tombstone: its reply is dropped when it comes
 *        └──given up──▶ gone, and never sent
 *
 * Slots are on the heap, and the connection's as long as they stand in a list: so a task that gives
 * up leaves at once, and the place in line stays.
 *
 * A connection is a background task that connects, says who it is, then reads, with a writer of its
 * own beside it. When it dies all its slots fail and the redis forgets it; its memory lives until
 * the last task has read from it why, and the redis's until its last connection is gone.
 */
#ifndef RILL_SRC_REDIS_REDIS_INTERNAL_H
#define RILL_SRC_REDIS_REDIS_INTERNAL_H

#include "base/arena.h"
#include "redis/redis_url.h"
#include "redis/resp.h"
#include "runtime/runtime.h"

#include <rill/redis.h>

/* Bytes of commands that may wait to be written, and commands that may wait for replies. */
#define RILL__REDIS_QUEUE_MAX (64u * 1024 * 1024)
#define RILL__REDIS_SLOTS_MAX (1024u * 1024)

typedef struct rill__redis_conn rill__redis_conn;

struct rill_redis {
    rill__birth birth;
    unsigned refs;          /* the user, and every connection that is not freed */
    rill__redis_conn *conn; /* NULL: the next command makes one */
    const char *name;       /* "redis 127.0.0.1:6379", for messages */
    double connect_timeout, timeout;
    uint64_t patience; /* ns that tombstones may stand without a byte from the server */
    rill__redis_url url;
    rill_tls_opts tls;
    rill__arena arena; /* holds the texts of name and tls */
};

typedef struct rill__redis_slot {
    rill__list link; /* on one of the connection's lists */
    rill__redis_conn *conn;
    struct rill__task *task; /* who waits; NULL when it gave up */
    char *bytes;             /* the encoded command, hiredis's; NULL once it is being written */
    size_t len;
    struct redisReply *reply; /* NULL when it was woken because the connection died */
} rill__redis_slot;

struct rill__redis_conn {
    unsigned refs; /* its task, and every task that has business with it */
    rill_redis *redis;
    rill_task task;      /* {0} once it ends */
    rill_stream *stream; /* its task's */
    bool open;           /* ready for commands */
    bool dead;           /* nothing comes from it any more: `error` says why */
    rill_error error;
    rill__resp resp;
    unsigned reads;
    rill__list queued, sent;
    size_t queued_bytes;
    size_t slots;         /* in both lists */
    size_t tombstones;    /* in `sent` */
    rill__waitq writer;   /* its writer, while nothing is queued */
    rill__waitq starters; /* tasks that wait until it is open or dead */
    rill__buf output;     /* what its writer is writing */
    uint64_t quiet_since; /* the last byte came, or the first of the tombstones was made; ns */
    rill__timer retire;
};

/* ---- redis.c ---- */

void rill__redis_unref(rill_redis *redis);

/* ---- connection.c ---- */

/* The redis's connection, made when there is none, and a reference to it. It need not be open yet.
 * NULL with the error. */
rill__redis_conn *rill__redis_conn_get(rill_redis *redis);
void rill__redis_conn_unref(rill__redis_conn *conn);
/* Waits until it is open. 0, why it is dead, or RILL_ECANCELED. */
RILL_AWAITS int rill__redis_conn_wait(rill__redis_conn *conn);
/* Ends it: all that wait fail with this error. Does not wait; once is enough. */
void rill__redis_conn_kill(rill__redis_conn *conn, const rill_error *why);
/* Queues a command and waits for its reply. `bytes` is hiredis's, and taken in any case.
 * Returns 0 with the reply, or a code. */
RILL_AWAITS int rill__redis_conn_call(rill__redis_conn *conn, char *bytes, size_t len,
                                      struct redisReply **ret_reply);

/* ---- wire.c ---- */

/* Connects and says who we are (user, password, database), within the connect timeout. */
RILL_AWAITS int rill__redis_open(rill__redis_conn *conn);
/* Waits for the next reply. 0 or a code. */
RILL_AWAITS int rill__redis_receive(rill__redis_conn *conn, struct redisReply **ret_reply);
RILL_AWAITS int rill__redis_send(rill__redis_conn *conn, const char *bytes, size_t len);

#endif
