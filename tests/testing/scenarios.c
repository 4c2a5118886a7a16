/* The scenarios. Each has its state in a static struct, which it sets up anew. */
#include "scenarios.h"

#include "base/fail.h"

#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define UPLOAD 30000u

/* ---- what they share: a web server "example.com" and a session ---- */

static struct web {
    rill_app *app;
    rill_session *session;
    unsigned long uploaded;
} web;

/* {"a":42} as gzip, made once: outside of what is swept. */
static unsigned char packed[64];
static size_t packed_len;

static void pack(void)
{
    z_stream stream = { 0 };
    if (packed_len > 0)
        return;
    deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
    stream.next_in = (unsigned char *)"{\"a\":42}";
    stream.avail_in = 8;
    stream.next_out = packed;
    stream.avail_out = sizeof packed;
    deflate(&stream, Z_FINISH);
    packed_len = stream.total_out;
    deflateEnd(&stream);
}

static int serve_redirect(rill_request *request)
{
    RILL__TRY(rill_reply_set(request, "Location", "/json"));
    return rill_reply_text(request, 302, "this way");
}

static int serve_json(rill_request *request)
{
    RILL__TRY(rill_reply_set(request, "Content-Encoding", "gzip"));
    RILL__TRY(rill_reply_set(request, "Content-Type", "application/json"));
    return rill_reply_bytes(request, 200, packed, packed_len);
}

/* Counts what is uploaded, as it comes. */
static int serve_upload(rill_request *request)
{
    char block[1000];
    ptrdiff_t n;
    unsigned long total = 0;
    while ((n = rill_request_read(request, block, sizeof block)) > 0)
        total += (unsigned long)n;
    if (n < 0)
        return (int)n;
    web.uploaded = total;
    return rill_reply_text(request, 200, "%lu", total);
}

/* A reply in pieces, with pauses. */
static int serve_stream(rill_request *request)
{
    RILL__TRY(rill_reply_begin(request, 200));
    for (int i = 0; i < 5; i++) {
        RILL__TRY(rill_reply_write(request, "0123456789", 10));
        RILL__TRY(rill_sleep(0.01));
    }
    return rill_reply_end(request);
}

static int serve_slow(rill_request *request)
{
    RILL__TRY(rill_sleep(0.5));
    return rill_reply_text(request, 200, "slow");
}

static int open_web(void)
{
    web = (struct web){ 0 };
    pack();
    RILL__TRY(rill_test_host("example.com", "10.0.0.1"));
    web.app = rill_app_new();
    if (!web.app)
        return rill_errcode();
    rill_app_get(web.app, "/", serve_redirect);
    rill_app_get(web.app, "/json", serve_json);
    rill_app_put(web.app, "/upload", serve_upload);
    rill_app_get(web.app, "/stream", serve_stream);
    rill_app_get(web.app, "/slow", serve_slow);
    RILL__TRY(rill_app_start(web.app, .host = "10.0.0.1", .port = 80, .shutdown_timeout = 5));
    web.session = rill_session_new(.limit = 2, .timeout.total = 20);
    return web.session ? 0 : rill_errcode();
}

static int get_json(rill_session *session)
{
    rill_auto(rill_response) response = rill_get(session, "http://example.com/");
    json_t *value = response ? rill_response_json(response) : NULL;
    if (!value)
        return rill_errcode();
    if (json_integer_value(json_object_get(value, "a")) != 42)
        rill_test_fail("the answer is not 42");
    json_decref(value);
    return 0;
}

/* The same session and the same server, if it came to them, serve once more. */
static int close_web(void *arg)
{
    (void)arg;
    int rc = web.session && rill_app_port(web.app) ? get_json(web.session) : 0;
    rill_session_free(web.session);
    int stopped = web.app ? rill_app_stop(web.app) : 0;
    rill_app_free(web.app);
    return rc < 0 ? rc : stopped;
}

/* ---- a fetch with a redirect, gzip and JSON, twice on one connection ---- */

static int run_fetch(void *arg)
{
    (void)arg;
    RILL__TRY(open_web());
    RILL__TRY(get_json(web.session));
    return get_json(web.session);
}

/* ---- many requests at once, over few connections, of which some fail ---- */

static int get_one(void *arg)
{
    rill_auto(rill_response) response = rill_get(web.session, arg, .timeout.total = 5);
    rill_str text;
    return response ? rill_response_text(response, &text) : rill_errcode();
}

static int run_gather(void *arg)
{
    (void)arg;
    RILL__TRY(open_web());
    char urls[4][40] = { "http://example.com/json", "http://nowhere.test/",
                         "http://example.com/slow", "http://10.0.0.1:81/" };
    rill_error errors[4];
    RILL__TRY(rill_gather(urls, 4, get_one, .errors = errors));
    if (errors[1].code >= 0 || errors[3].code >= 0)
        rill_test_fail("a request to nobody went well: %d %d", errors[1].code, errors[3].code);
    for (int i = 0; i < 4; i += 2)
        if (errors[i].code < 0)
            return rill_fail(errors[i].code, "%s", errors[i].message);
    return 0;
}

/* ---- a streaming upload, and a streamed reply ---- */

static int run_streams(void *arg)
{
    static char bytes[UPLOAD];
    (void)arg;
    RILL__TRY(open_web());
    rill_auto(rill_response) put =
        rill_put(web.session, "http://example.com/upload", .body = { bytes, sizeof bytes });
    rill_str text;
    RILL__TRY(put ? rill_response_text(put, &text) : rill_errcode());
    if (rill_response_status(put) == 200 && web.uploaded != UPLOAD)
        rill_test_fail("%lu bytes of the upload came", web.uploaded);
    rill_auto(rill_response) get = rill_get(web.session, "http://example.com/stream");
    char block[7];
    ptrdiff_t n = get ? 1 : rill_errcode();
    while (n > 0)
        n = rill_response_read(get, block, sizeof block);
    return (int)n;
}

/* ---- a server that stops while requests are under way ---- */

static int get_slow(void *arg)
{
    (void)arg;
    return get_one("http://example.com/slow");
}

static int run_drain(void *arg)
{
    (void)arg;
    RILL__TRY(open_web());
    rill_task task = rill_spawn(get_slow, NULL);
    RILL__TRY(task.id ? 0 : rill_errcode());
    RILL__TRY(rill_sleep(0.1));
    RILL__TRY(rill_app_stop(web.app));
    return rill_join(task);
}

static int close_stopped_web(void *arg)
{
    (void)arg;
    rill_session_free(web.session);
    int rc = web.app ? rill_app_stop(web.app) : 0;
    rill_app_free(web.app);
    return rc;
}

/* ---- a request on a schedule ---- */

struct schedule {
    int good, bad;
};

static int on_response(rill_response *response, void *state)
{
    struct schedule *schedule = state;
    rill_str text;
    int rc = response ? rill_response_text(response, &text) : rill_errcode();
    if (rc == RILL_ECANCELED)
        return rc;
    if (rc < 0)
        return ++schedule->bad < 5 ? 0 : rc;
    return ++schedule->good < 3 ? 0 : rill_fail(RILL_ECLOSED, "it is enough");
}

static int run_every(void *arg)
{
    (void)arg;
    struct schedule schedule = { 0 };
    RILL__TRY(open_web());
    rill_task task = rill_session_every(web.session, 2.0, "http://example.com/json", on_response,
                                        &schedule, .jitter = 0.1);
    RILL__TRY(task.id ? 0 : rill_errcode());
    int rc = rill_join(task);
    if (rc == RILL_ECANCELED) /* perhaps it is this task that was cancelled, and that one goes on */
        rill_cancel_join(task);
    return rc == RILL_ECLOSED ? 0 : rc;
}

/* ---- a redis, of which half the commands are cancelled ---- */

static struct store {
    rill_redis *redis;
} store;

/* Answers every command with its number of arguments: enough to see that replies are not mixed up.
 */
static int serve_commands(void *arg)
{
    rill_auto(rill_stream) stream = arg;
    char block[512];
    size_t len = 0;
    for (;;) {
        ptrdiff_t n = rill_stream_read(stream, block + len, sizeof block - 1 - len);
        if (n <= 0)
            return (int)n;
        len += (size_t)n;
        block[len] = '\0';
        /* A command is whole with its last "\r\n": each of ours is "*2", GET and a key. */
        for (char *end; (end = strstr(block, "*2\r\n$3\r\nGET\r\n$1\r\n")) == block && len >= 20;) {
            char reply[16];
            int size = snprintf(reply, sizeof reply, "$1\r\n%c\r\n", block[17]);
            len -= 20;
            memmove(block, block + 20, len + 1);
            RILL__TRY(rill_stream_write(stream, reply, (size_t)size));
        }
    }
}

static int serve_store(void *arg)
{
    rill_auto(rill_listener) listener = arg;
    for (;;) {
        rill_stream *stream = rill_accept(listener);
        if (!stream)
            return rill_errcode();
        rill_task task = rill_spawn(serve_commands, stream, .name = "store");
        if (task.id)
            rill_detach(task);
        else
            rill_stream_free(stream);
    }
}

static int ask(void *arg)
{
    const char *key = arg;
    rill_redis_reply *reply = rill_redis_command(store.redis, "GET %s", key);
    if (!reply)
        return rill_errcode();
    if (reply->len != 1 || reply->str[0] != key[0])
        rill_test_fail("the reply to another command than GET %s", key);
    rill_redis_reply_free(reply);
    return 0;
}

static int run_redis(void *arg)
{
    (void)arg;
    store = (struct store){ 0 };
    RILL__TRY(rill_test_host("redis.test", "10.0.0.2"));
    rill_listener *listener = rill_listen("10.0.0.2", 6379);
    RILL__TRY(listener ? 0 : rill_errcode());
    rill_task server = rill_spawn(serve_store, listener);
    if (!server.id)
        rill_listener_free(listener);
    RILL__TRY(server.id ? rill_detach(server) : rill_errcode());
    store.redis = rill_redis_connect("redis://redis.test", .timeout = 5);
    RILL__TRY(store.redis ? 0 : rill_errcode());
    char keys[4][2] = { "a", "b", "c", "d" };
    RILL__TRY(rill_gather(keys, 4, ask));
    rill_task cancelled = rill_spawn(ask, keys[0]);
    RILL__TRY(cancelled.id ? 0 : rill_errcode());
    RILL__TRY(rill_sleep(0.0015)); /* the command is on its way */
    rill_cancel(cancelled);
    int rc = rill_join(cancelled);
    RILL__TRY(rc == RILL_ECANCELED ? 0 : rc);
    return ask(keys[1]);
}

/* A connection that an accident has broken is made anew by the next command, once it is known to be
 * lost; a server that was cancelled refuses it. */
static int close_redis(void *arg)
{
    (void)arg;
    int rc = store.redis ? ask("z") : 0;
    for (int tries = 0; rc < 0 && tries < 5; tries++)
        if (rill_code_is(rc, RILL_EREDIS_CONNECTION) || rc == RILL_ETIMEDOUT)
            rc = ask("z");
    rill_redis_free(store.redis);
    return rc == RILL_EREFUSED ? 0 : rc;
}

/* ---- tasks that wait for each other in every way ---- */

static struct works {
    rill_mutex mutex;
    rill_semaphore semaphore;
    rill_event event;
    rill_condition condition;
    rill_channel channel;
    int holders, sent, received, ready;
} works;

static int use_locks(void *arg)
{
    (void)arg;
    RILL__TRY(rill_semaphore_acquire(&works.semaphore));
    int rc = rill_mutex_lock(&works.mutex);
    if (rc == 0) {
        if (works.holders++ > 0)
            rill_test_fail("two tasks hold the mutex");
        rc = rill_sleep(0.001);
        works.holders--;
        rill_mutex_unlock(&works.mutex);
    }
    rill_semaphore_release(&works.semaphore);
    return rc;
}

static int send_some(void *arg)
{
    rill_auto(rill_sender) sender = arg;
    for (int i = 0; i < 3; i++) {
        RILL__TRY(rill_channel_send(sender, &i));
        works.sent++;
    }
    return 0;
}

static int receive_all(void *arg)
{
    rill_auto(rill_receiver) receiver = arg;
    int value, rc;
    while ((rc = rill_channel_recv(receiver, &value)) == 0)
        works.received++;
    return rc == RILL_ECLOSED ? 0 : rc;
}

static int wait_until_ready(void *arg)
{
    (void)arg;
    int rc = rill_mutex_lock(&works.mutex);
    if (rc < 0)
        return rc;
    while (works.ready == 0 && rc == 0)
        rc = rill_condition_wait(&works.condition, &works.mutex);
    rill_mutex_unlock(&works.mutex);
    return rc;
}

static int make_ready(void *arg)
{
    (void)arg;
    RILL__TRY(rill_event_wait(&works.event));
    RILL__TRY(rill_mutex_lock(&works.mutex));
    works.ready = 1;
    rill_condition_notify_all(&works.condition);
    return rill_mutex_unlock(&works.mutex);
}

/* Hands an end of the channel to a task, or gives it up. */
static int spawn_with_end(rill_group *group, rill_task_fn *fn, void *end)
{
    if (rill_spawn(fn, end, .group = group).id)
        return 0;
    int rc = rill_errcode();
    if (fn == send_some)
        rill_sender_free(end);
    else
        rill_receiver_free(end);
    return rc;
}

static int spawn_works(rill_group *group)
{
    for (int i = 0; i < 3; i++)
        RILL__TRY(rill_spawn(use_locks, NULL, .group = group).id ? 0 : rill_errcode());
    RILL__TRY(rill_spawn(wait_until_ready, NULL, .group = group).id ? 0 : rill_errcode());
    RILL__TRY(rill_spawn(make_ready, NULL, .group = group).id ? 0 : rill_errcode());
    RILL__TRY(spawn_with_end(group, send_some, rill_sender_clone(works.channel.sender)));
    RILL__TRY(spawn_with_end(group, send_some, rill_take(works.channel.sender)));
    RILL__TRY(spawn_with_end(group, receive_all, rill_take(works.channel.receiver)));
    RILL__TRY(rill_sleep(0.002));
    rill_event_set(&works.event);
    return 0;
}

static int run_works(void *arg)
{
    (void)arg;
    works = (struct works){ 0 };
    rill_mutex_init(&works.mutex);
    rill_semaphore_init(&works.semaphore, 2);
    rill_event_init(&works.event);
    rill_condition_init(&works.condition);
    works.channel = rill_channel_new(sizeof(int), .capacity = 1);
    RILL__TRY(works.channel.sender ? 0 : rill_errcode());
    rill_group group;
    int rc = rill_group_begin(&group, .timeout = 60);
    if (rc == 0)
        rc = rill_group_end(&group, spawn_works(&group));
    if (works.received > works.sent || (rc == 0 && works.holders > 0))
        rill_test_fail("%d values sent, %d received", works.sent, works.received);
    return rc;
}

/* Nothing is held, and no permit is lost. */
static int check_works(void *arg)
{
    (void)arg;
    rill_sender_free(works.channel.sender);
    rill_receiver_free(works.channel.receiver);
    if (rill_mutex_is_locked(&works.mutex))
        return rill_fail(RILL_EFAILED, "the mutex is still locked");
    if (works.semaphore.bound && rill_semaphore_value(&works.semaphore) != 2)
        return rill_fail(RILL_EFAILED, "%zu permits of the semaphore are left",
                         rill_semaphore_value(&works.semaphore));
    return 0;
}

const struct scenario scenarios[] = {
    { "fetch", run_fetch, close_web, NULL, NULL, 0 },
    { "gather", run_gather, close_web, NULL, NULL, 0 },
    { "streams", run_streams, close_web, NULL, NULL, 0 },
    { "drain", run_drain, close_stopped_web, NULL, NULL, 0 },
    { "redis", run_redis, close_redis, NULL, NULL, 0 },
    { "works", run_works, check_works, NULL, NULL, 0 },
    { "every", run_every, close_web, NULL, NULL, 0 },
    { "eyeballs", run_eyeballs, check_eyeballs, NULL, NULL, 0 },
    { "udp", run_udp, check_udp, NULL, NULL, 0 },
    { "joins", run_joins, check_joins, NULL, NULL, 0 },
    { "files", run_files, check_files, make_folder, drop_folder, 4 },
    { "tls", run_tls, close_tls, make_certificates, drop_certificates, 20 },
};
const size_t scenario_count = sizeof scenarios / sizeof scenarios[0];
