/* The public face of redis: making clients, encoding commands, handing out replies. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"
#include "redis/redis_internal.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define CONNECT_TIMEOUT_DEFAULT 5.0
#define TIMEOUT_DEFAULT 30.0
/* How long a server may be silent towards tombstones: so many timeouts, within these bounds. */
#define PATIENCE_TIMEOUTS 3
#define PATIENCE_MIN 1.0
#define PATIENCE_MAX 30.0
/* As many as redis takes. */
#define ARGUMENTS_MAX (1024 * 1024)

/* ---- making and freeing ---- */

static const char *copy_text(rill_redis *redis, const char *text, bool *failed)
{
    char *copy = text ? rill__arena_dup(&redis->arena, text, strlen(text)) : NULL;
    *failed |= text && !copy;
    return copy;
}

static bool copy_texts(rill_redis *redis, const rill_tls_opts *tls)
{
    bool failed = false;
    const rill__redis_url *url = &redis->url;
    redis->tls = (rill_tls_opts){
        .ca_file = copy_text(redis, tls->ca_file, &failed),
        .cert_file = copy_text(redis, tls->cert_file, &failed),
        .key_file = copy_text(redis, tls->key_file, &failed),
        .server_name = copy_text(redis, tls->server_name, &failed),
        .alpn = copy_text(redis, tls->alpn, &failed),
        .insecure_no_verify = tls->insecure_no_verify,
    };
    const char *format = strncmp(url->host, "unix:", 5) == 0 ? "redis %s"
                         : strchr(url->host, ':')            ? "redis [%s]:%d"
                                                             : "redis %s:%d";
    redis->name = rill__arena_printf(&redis->arena, format, url->host, url->port);
    return !failed && redis->name;
}

static double patience_of(double timeout)
{
    double patience = timeout < 0 ? PATIENCE_MAX : timeout * PATIENCE_TIMEOUTS;
    if (patience < PATIENCE_MIN)
        return PATIENCE_MIN;
    return patience > PATIENCE_MAX ? PATIENCE_MAX : patience;
}

static rill_redis *new_redis(const rill_redis_opts *opts)
{
    rill_redis *redis = rill__zalloc(sizeof *redis);
    if (!redis) {
        rill__fail_nomem();
        return NULL;
    }
    redis->refs = 1;
    redis->connect_timeout =
        opts->connect_timeout != 0 ? opts->connect_timeout : CONNECT_TIMEOUT_DEFAULT;
    redis->timeout = opts->timeout != 0 ? opts->timeout : TIMEOUT_DEFAULT;
    redis->patience = rill__seconds_ns(patience_of(redis->timeout));
    int rc = rill__redis_url_parse(&redis->url, opts->url);
    if (rc == 0 && !copy_texts(redis, &opts->tls_options))
        rc = rill__fail_nomem();
    if (rc < 0) {
        rill__redis_unref(redis);
        return NULL;
    }
    return redis;
}

void rill__redis_unref(rill_redis *redis)
{
    if (--redis->refs > 0)
        return;
    rill__redis_url_free(&redis->url);
    rill__arena_free(&redis->arena);
    rill__free(redis);
}

void rill_redis_free(rill_redis *redis)
{
    if (!redis)
        return;
    rill__died(&redis->birth);
    if (redis->conn) {
        rill_error why = { .code = RILL_ECLOSED };
        snprintf(why.message, sizeof why.message, "%s: closed", redis->name);
        rill__redis_conn_kill(redis->conn, &why);
    }
    rill__redis_unref(redis);
}

rill_redis *rill_redis_connect_with(const rill_redis_opts *given)
{
    rill_redis_opts opts;
    rill__opts_read(opts, given);
    if (rill__checkpoint("redis connect") < 0)
        return NULL;
    rill_redis *redis = new_redis(&opts);
    rill__redis_conn *conn = redis ? rill__redis_conn_get(redis) : NULL;
    int rc = conn ? rill__redis_conn_wait(conn) : rill_errcode();
    if (conn)
        rill__redis_conn_unref(conn);
    if (rc == 0) {
        rill__born(&redis->birth, "redis", redis->name, opts.file, opts.line);
        return redis;
    }
    rill_redis_free(redis);
    return NULL;
}

/* ---- commands ---- */

/* The nth argument of an encoded command, which is "*N" and then "$LEN", the argument, and so on,
 * each followed by CR LF. Empty behind the last. */
static rill_str argument(const char *bytes, int index)
{
    char *at;
    long count = strtol(bytes + 1, &at, 10);
    rill_str found = { "", 0 };
    for (int i = 0; i <= index && i < count; i++) {
        size_t len = strtoul(at + 3, &at, 10);
        found = (rill_str){ at + 2, len };
        at += 2 + len;
    }
    return index < count ? found : (rill_str){ "", 0 };
}

/* Commands that do not answer each time once, or change how all later ones are answered. */
static const struct {
    const char *name, *second;
} unshareable[] = {
    { "subscribe", NULL },   { "psubscribe", NULL },   { "ssubscribe", NULL },
    { "unsubscribe", NULL }, { "punsubscribe", NULL }, { "sunsubscribe", NULL },
    { "monitor", NULL },     { "sync", NULL },         { "psync", NULL },
    { "hello", NULL },       { "client", "reply" },
};

static int check_shareable(const rill_redis *redis, const char *bytes)
{
    rill_str name = argument(bytes, 0), second = argument(bytes, 1);
    for (size_t i = 0; i < sizeof unshareable / sizeof unshareable[0]; i++) {
        const char *with = unshareable[i].second;
        if (rill_str_caseeq(name, rill_str_of(unshareable[i].name)) &&
            (!with || rill_str_caseeq(second, rill_str_of(with))))
            return rill__fail(RILL_EUNSUPPORTED,
                              "%s: " RILL_STR_FMT "%s%s cannot share a connection", redis->name,
                              RILL_STR_ARG(name), with ? " " : "", with ? with : "");
    }
    return 0;
}

/* For messages: up to 31 bytes of the command's name, made printable. */
static void name_command(char *name, size_t size, const char *bytes)
{
    rill_str first = argument(bytes, 0);
    size_t len = first.len < size ? first.len : size - 1;
    for (size_t i = 0; i < len; i++)
        name[i] = first.ptr[i] > ' ' && first.ptr[i] < 0x7f ? first.ptr[i] : '?';
    name[len] = '\0';
}

/* Sends the encoded command, which is hiredis's and taken in any case, and waits for its reply. */
static int call(rill_redis *redis, char *bytes, size_t len, struct redisReply **ret_reply)
{
    char name[32];
    name_command(name, sizeof name, bytes);
    rill__redis_conn *conn = rill__redis_conn_get(redis);
    if (!conn) {
        redisFreeCommand(bytes);
        return rill_errcode();
    }
    rill_scope scope;
    double timeout = redis->timeout;
    rill_scope_begin(&scope, .timeout = timeout);
    int rc = rill_scope_end(&scope, rill__redis_conn_call(conn, bytes, len, ret_reply));
    /* From here on the user may have freed the redis, but for what the connection holds of it. */
    if (rc == RILL_ETIMEDOUT)
        rc = rill__fail(RILL_ETIMEDOUT, "%s: no reply to %s within %g s", conn->redis->name, name,
                        timeout);
    if (rc == 0 && (*ret_reply)->type == REDIS_REPLY_ERROR) {
        rc = rill__fail(RILL_EREDIS_REPLY, "%s", (*ret_reply)->str);
        freeReplyObject(*ret_reply);
    }
    if (rc < 0)
        rill__error_where(conn->redis->name);
    rill__redis_conn_unref(conn);
    return rc;
}

static int check_encoded(const rill_redis *redis, const char *bytes, long long len)
{
    if (len == -1)
        return rill__fail_nomem();
    if (len < 0)
        return rill__fail(RILL_EINVAL, "redis command: the format is not valid");
    /* To a command without arguments redis says nothing: its place in line would stay empty. */
    if (bytes[1] == '0')
        return rill__fail(RILL_EINVAL, "redis command: it is empty");
    return check_shareable(redis, bytes);
}

static rill_redis_reply *run(rill_redis *redis, char *bytes, long long len)
{
    struct redisReply *reply = NULL;
    int rc = check_encoded(redis, bytes, len);
    if (rc < 0) {
        if (len >= 0)
            redisFreeCommand(bytes);
        return NULL;
    }
    return call(redis, bytes, (size_t)len, &reply) < 0 ? NULL : reply;
}

rill_redis_reply *rill_redis_vcommand(rill_redis *redis, const char *format, va_list args)
{
    if (rill__checkpoint("redis command") < 0)
        return NULL;
    if (!redis || !format) {
        rill__fail(RILL_EINVAL, "redis command: %s is NULL", redis ? "the format" : "the redis");
        return NULL;
    }
    char *bytes = NULL;
    long long len = redisvFormatCommand(&bytes, format, args);
    return run(redis, bytes, len);
}

rill_redis_reply *rill_redis_command(rill_redis *redis, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rill_redis_reply *reply = rill_redis_vcommand(redis, format, args);
    va_end(args);
    return reply;
}

static int check_arguments(int argc, const char **argv, const size_t *lens)
{
    if (argc < 1 || argc > ARGUMENTS_MAX || !argv)
        return rill__fail(RILL_EINVAL, "redis command: %d arguments", argc);
    size_t total = 0;
    for (int i = 0; i < argc; i++) {
        if (!argv[i])
            return rill__fail(RILL_EINVAL, "redis command: argument %d is NULL", i);
        size_t len = lens ? lens[i] : strlen(argv[i]);
        if (len > RILL__REDIS_QUEUE_MAX || (total += len) > RILL__REDIS_QUEUE_MAX)
            return rill__fail(RILL_ELIMIT, "redis command: it is longer than 64 MiB");
    }
    return 0;
}

rill_redis_reply *rill_redis_command_argv(rill_redis *redis, int argc, const char **argv,
                                          const size_t *lens)
{
    if (rill__checkpoint("redis command") < 0 || check_arguments(argc, argv, lens) < 0)
        return NULL;
    if (!redis) {
        rill__fail(RILL_EINVAL, "redis command: the redis is NULL");
        return NULL;
    }
    char *bytes = NULL;
    long long len = redisFormatCommandArgv(&bytes, argc, argv, lens);
    return run(redis, bytes, len);
}

void rill_redis_reply_free(rill_redis_reply *reply)
{
    if (reply)
        freeReplyObject(reply);
}
