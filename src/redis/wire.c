/* A connection's stream: opening it, the first words on it, and replies and commands over it. */
#include "base/fail.h"
#include "net/net.h"
#include "redis/redis_internal.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

/* After so many reads the other tasks get their turn, however fast the server is. */
#define READS_IN_A_ROW 64
/* A server that is gone without a word is noticed after 30 + 3 * 5 seconds. */
#define KEEPALIVE_IDLE_SECONDS 30
#define KEEPALIVE_INTERVAL_SECONDS 5
#define KEEPALIVE_COUNT 3

/* What the stream says, as what it means here. A cancellation stays one. */
static int lost(const rill__redis_conn *conn, int code)
{
    if (code == RILL_ECANCELED)
        return code;
    rill__error_prefix("%s: the connection was lost: ", conn->redis->name);
    return rill__error_recode(RILL_EREDIS_CONNECTION);
}

int rill__redis_send(rill__redis_conn *conn, const char *bytes, size_t len)
{
    int rc = rill_stream_write(conn->stream, bytes, len);
    return rc < 0 ? lost(conn, rc) : 0;
}

static int read_more(rill__redis_conn *conn)
{
    if (++conn->reads % READS_IN_A_ROW == 0)
        RILL__TRY(rill_sleep(0));
    size_t room;
    char *to = rill__resp_room(&conn->resp, &room);
    if (!to)
        return rill_errcode();
    ptrdiff_t count = rill_stream_read(conn->stream, to, room);
    if (count < 0)
        return lost(conn, (int)count);
    if (count == 0)
        return rill__fail(RILL_EREDIS_CONNECTION, "%s: the server closed the connection",
                          conn->redis->name);
    rill__resp_received(&conn->resp, (size_t)count);
    conn->quiet_since = rill__loop_now();
    return 0;
}

int rill__redis_receive(rill__redis_conn *conn, struct redisReply **ret_reply)
{
    int rc;
    while ((rc = rill__resp_next(&conn->resp, ret_reply)) == 0)
        RILL__TRY(read_more(conn));
    return rc < 0 ? rill__error_prefix("%s: ", conn->redis->name) : 0;
}

/* ---- opening ---- */

/* Sends a command of the connection's own and waits for its reply, which must be no error. */
static int ask(rill__redis_conn *conn, int argc, const char **argv, const size_t *lens)
{
    char *bytes;
    long long len = redisFormatCommandArgv(&bytes, argc, argv, lens);
    if (len < 0)
        return rill__fail_nomem();
    int rc = rill__redis_send(conn, bytes, (size_t)len);
    explicit_bzero(bytes, (size_t)len);
    redisFreeCommand(bytes);
    RILL__TRY(rc);
    struct redisReply *reply;
    RILL__TRY(rill__redis_receive(conn, &reply));
    if (reply->type == REDIS_REPLY_ERROR)
        rc = rill__fail(RILL_EREDIS_REPLY, "%s: %s: %s", conn->redis->name, argv[0], reply->str);
    freeReplyObject(reply);
    return rc;
}

static int say_hello(rill__redis_conn *conn)
{
    const rill__redis_url *url = &conn->redis->url;
    if (url->password.ptr) {
        rill_str user = url->user.ptr ? url->user : url->password;
        const char *argv[] = { "AUTH", user.ptr, url->password.ptr };
        size_t lens[] = { strlen(argv[0]), user.len, url->password.len };
        RILL__TRY(ask(conn, url->user.ptr ? 3 : 2, argv, lens));
    }
    if (url->database > 0) {
        char number[16];
        int len = snprintf(number, sizeof number, "%d", url->database);
        const char *argv[] = { "SELECT", number };
        size_t lens[] = { strlen(argv[0]), (size_t)len };
        RILL__TRY(ask(conn, 2, argv, lens));
    }
    return 0;
}

static int open_stream(rill__redis_conn *conn)
{
    const rill_redis *redis = conn->redis;
    conn->stream = rill_connect_with(redis->url.host, &(rill_connect_opts){
                                                          .size = sizeof(rill_connect_opts),
                                                          .port = redis->url.port,
                                                          .tls = redis->url.tls,
                                                          .tls_options = redis->tls,
                                                      });
    if (!conn->stream)
        return rill__error_where(redis->name);
    rill__stream_keep_alive(conn->stream, KEEPALIVE_IDLE_SECONDS, KEEPALIVE_INTERVAL_SECONDS,
                            KEEPALIVE_COUNT);
    return say_hello(conn);
}

int rill__redis_open(rill__redis_conn *conn)
{
    rill_scope scope;
    double timeout = conn->redis->connect_timeout;
    RILL__TRY(rill_scope_begin(&scope, .timeout = timeout));
    int rc = rill_scope_end(&scope, open_stream(conn));
    if (rc != RILL_ETIMEDOUT)
        return rc;
    return rill__fail(RILL_ECONNECT_TIMEOUT, "%s: not connected within %g s", conn->redis->name,
                      timeout);
}
