/*
 * The one connection that all tasks of a redis share: its life, its queue of commands and the
 * pairing of replies with them. redis_internal.h tells the idea.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "redis/redis_internal.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

/* A write takes up to so many bytes of commands, and at least one command. */
#define BATCH_BYTES (256u * 1024)
/* What a long command has made of the output buffer is given back beyond this. */
#define OUTPUT_KEEP (1024u * 1024)

/* ---- slots ---- */

static rill__redis_slot *first_slot(const rill__list *list)
{
    return rill__container(list->next, rill__redis_slot, link);
}

static void forget_bytes(rill__redis_slot *slot)
{
    slot->conn->queued_bytes -= slot->len;
    redisFreeCommand(slot->bytes);
    slot->bytes = NULL;
}

/* Takes a slot off its list. */
static void leave_line(rill__redis_slot *slot)
{
    rill__list_remove(&slot->link);
    slot->conn->slots--;
}

static rill__redis_slot *queue_command(rill__redis_conn *conn, char *bytes, size_t len)
{
    bool full =
        conn->slots >= RILL__REDIS_SLOTS_MAX || len > RILL__REDIS_QUEUE_MAX - conn->queued_bytes;
    rill__redis_slot *slot = full ? NULL : rill__alloc(sizeof *slot);
    if (!slot) {
        redisFreeCommand(bytes);
        if (full)
            rill__fail(RILL_ELIMIT, "%s: too many commands wait to be sent or answered",
                       conn->redis->name);
        else
            rill__fail_nomem();
        return NULL;
    }
    *slot = (rill__redis_slot){ .conn = conn, .task = rill__current(), .bytes = bytes, .len = len };
    rill__list_append(&conn->queued, &slot->link);
    conn->queued_bytes += len;
    conn->slots++;
    /* The writer gets in line behind all tasks that are ready: one write takes what they bring. */
    rill__waitq_wake_one(&conn->writer);
    return slot;
}

static void patience_is_over(rill__timer *timer);

static void watch_tombstones(rill__redis_conn *conn)
{
    if (rill__timer_is_set(&conn->retire))
        return;
    conn->retire = (rill__timer){
        .deadline = rill__after(conn->quiet_since, conn->redis->patience),
        .fire = patience_is_over,
    };
    rill__timer_set(&conn->retire);
}

static void patience_is_over(rill__timer *timer)
{
    rill__redis_conn *conn = rill__container(timer, rill__redis_conn, retire);
    const rill_redis *redis = conn->redis;
    if (conn->tombstones == 0)
        return;
    if (rill__after(conn->quiet_since, redis->patience) > rill__loop_now()) {
        watch_tombstones(conn);
        return;
    }
    rill_error why = { .code = RILL_EREDIS_CONNECTION };
    snprintf(why.message, sizeof why.message, "%s: the server has said nothing for %g s",
             redis->name, (double)redis->patience / 1e9);
    rill__redis_conn_kill(conn, &why);
}

static void make_tombstone(rill__redis_conn *conn)
{
    if (conn->tombstones++ == 0)
        conn->quiet_since = rill__loop_now();
    watch_tombstones(conn);
}

/* The task that waits leaves. Its slot stays in line when the server knows of it. */
static rill__abort give_up(void *arg)
{
    rill__redis_slot *slot = arg;
    slot->task = NULL;
    if (!slot->bytes) {
        make_tombstone(slot->conn);
        return RILL__ABORTED;
    }
    forget_bytes(slot);
    leave_line(slot);
    rill__free(slot);
    return RILL__ABORTED;
}

/* Makes the error that the connection died of the running task's. */
static int fail_as_conn(const rill__redis_conn *conn)
{
    *rill__error_slot() = conn->error;
    return conn->error.code;
}

int rill__redis_conn_call(rill__redis_conn *conn, char *bytes, size_t len,
                          struct redisReply **ret_reply)
{
    rill__redis_slot *slot = queue_command(conn, bytes, len);
    if (!slot)
        return rill_errcode();
    RILL__TRY(rill__park("a reply of redis", give_up, slot));
    struct redisReply *reply = slot->reply;
    bool unsent = slot->bytes != NULL;
    if (unsent)
        redisFreeCommand(slot->bytes);
    rill__free(slot);
    *ret_reply = reply;
    if (reply)
        return 0;
    int rc = fail_as_conn(conn);
    /* An error of redis may be taken for the command's own, or leave open whether it has run. */
    if (unsent && rill_code_is(rc, RILL_EREDIS))
        rill__error_prefix("the command was not sent: ");
    return rc;
}

/* ---- replies and commands ---- */

static int unexpected(const rill__redis_conn *conn, struct redisReply *reply)
{
    const char *name = conn->redis->name;
    if (reply->type == REDIS_REPLY_ERROR)
        rill__fail(RILL_EREDIS_CONNECTION, "%s: the server said: %s", name, reply->str);
    else
        rill__fail(RILL_EREDIS_PROTOCOL, "%s: a reply that no command asked for", name);
    freeReplyObject(reply);
    return rill_errcode();
}

/* Hands a reply to the command that has waited longest. */
static int deliver(rill__redis_conn *conn, struct redisReply *reply)
{
    if (rill__list_empty(&conn->sent))
        return unexpected(conn, reply);
    rill__redis_slot *slot = first_slot(&conn->sent);
    leave_line(slot);
    if (slot->task) {
        slot->reply = reply;
        rill__wake(slot->task);
        return 0;
    }
    conn->tombstones--;
    freeReplyObject(reply);
    rill__free(slot);
    return 0;
}

static int read_replies(rill__redis_conn *conn)
{
    struct redisReply *reply;
    for (;;) {
        RILL__TRY(rill__redis_receive(conn, &reply));
        RILL__TRY(deliver(conn, reply));
    }
}

/* Moves commands from the queue to the output. From here on the server may know of them. */
static int take_batch(rill__redis_conn *conn)
{
    if (conn->output.cap > OUTPUT_KEEP)
        rill__buf_free(&conn->output);
    rill__buf_reset(&conn->output);
    do {
        rill__redis_slot *slot = first_slot(&conn->queued);
        rill__buf_append(&conn->output, slot->bytes, slot->len);
        if (conn->output.failed)
            return rill__fail_nomem();
        forget_bytes(slot);
        rill__list_remove(&slot->link);
        rill__list_append(&conn->sent, &slot->link);
    } while (!rill__list_empty(&conn->queued) &&
             conn->output.len + first_slot(&conn->queued)->len <= BATCH_BYTES);
    return 0;
}

static int write_commands(void *arg)
{
    rill__redis_conn *conn = arg;
    for (;;) {
        while (rill__list_empty(&conn->queued))
            RILL__TRY(rill__waitq_wait(&conn->writer, "commands for redis"));
        RILL__TRY(take_batch(conn));
        RILL__TRY(rill__redis_send(conn, conn->output.ptr, conn->output.len));
    }
}

/* Without its writer a connection is of no use, however that came to its end. */
static int run_writer(void *arg)
{
    const rill__redis_conn *conn = arg;
    int rc = write_commands(arg);
    return rc == RILL_ECANCELED
               ? rill__fail(RILL_EREDIS_CONNECTION, "%s: the loop has ended", conn->redis->name)
               : rc;
}

/* ---- life ---- */

static int serve(rill__redis_conn *conn)
{
    rill_group group;
    RILL__TRY(rill_group_begin(&group));
    rill_task writer = rill_spawn(run_writer, conn, .name = "redis writer", .group = &group);
    int rc = writer.id ? read_replies(conn) : rill_errcode();
    return rill_group_end(&group, rc);
}

/* The connection's task, from connecting to its end. It fails by failing those who wait. */
static int live(void *arg)
{
    rill__redis_conn *conn = arg;
    int rc = rill__redis_open(conn);
    if (rc == 0) {
        conn->open = true;
        rill__waitq_wake_all(&conn->starters);
        rc = serve(conn);
    }
    conn->task = (rill_task){ 0 };
    if (rc == RILL_ECANCELED)
        rill__fail(RILL_EREDIS_CONNECTION, "%s: the loop has ended", conn->redis->name);
    rill__redis_conn_kill(conn, rill_last_error());
    rill_stream_free(conn->stream);
    rill__redis_conn_unref(conn);
    return 0;
}

static void fail_slots(rill__list *list)
{
    while (!rill__list_empty(list)) {
        rill__redis_slot *slot = first_slot(list);
        leave_line(slot);
        if (slot->task)
            rill__wake(slot->task);
        else
            rill__free(slot);
    }
}

void rill__redis_conn_kill(rill__redis_conn *conn, const rill_error *why)
{
    if (conn->dead)
        return;
    conn->dead = true;
    conn->error = *why;
    if (!conn->error.where[0])
        snprintf(conn->error.where, sizeof conn->error.where, "%s", conn->redis->name);
    conn->redis->conn = NULL;
    rill__timer_cancel(&conn->retire);
    fail_slots(&conn->sent);
    fail_slots(&conn->queued);
    rill__waitq_wake_all(&conn->starters);
    if (conn->task.id)
        rill_cancel(conn->task, .reason = "the connection is given up");
}

void rill__redis_conn_unref(rill__redis_conn *conn)
{
    if (--conn->refs > 0)
        return;
    rill__resp_free(&conn->resp);
    rill__buf_free(&conn->output);
    rill__redis_unref(conn->redis);
    rill__free(conn);
}

static rill__redis_conn *new_conn(rill_redis *redis)
{
    rill__redis_conn *conn = rill__zalloc(sizeof *conn);
    if (!conn) {
        rill__fail_nomem();
        return NULL;
    }
    conn->refs = 1;
    conn->redis = redis;
    redis->refs++;
    conn->output = rill__buf_make(RILL__REDIS_QUEUE_MAX);
    rill__list_init(&conn->queued);
    rill__list_init(&conn->sent);
    rill__waitq_init(&conn->writer);
    rill__waitq_init(&conn->starters);
    rill_spawn_opts opts = {
        .size = sizeof opts, .arg = conn, .name = "redis", .file = __FILE__, .line = __LINE__
    };
    if (rill__resp_init(&conn->resp) == 0)
        conn->task = rill__spawn_now(live, &opts);
    if (!conn->task.id) {
        rill__redis_conn_unref(conn);
        return NULL;
    }
    return conn;
}

rill__redis_conn *rill__redis_conn_get(rill_redis *redis)
{
    if (!redis->conn)
        redis->conn = new_conn(redis);
    if (redis->conn)
        redis->conn->refs++;
    return redis->conn;
}

int rill__redis_conn_wait(rill__redis_conn *conn)
{
    if (!conn->open && !conn->dead)
        RILL__TRY(rill__waitq_wait(&conn->starters, "redis to connect"));
    return conn->dead ? fail_as_conn(conn) : 0;
}
