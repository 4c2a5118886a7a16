/*
 * What stands above the driver, on the simulated world: TLS, the HTTP client and server, and Redis
 * run there unchanged, in virtual time, with whatever accidents the network has.
 */
#include "in_world.h"

#include "certificates.h"
#include "redis/resp.h"

#include <hiredis/hiredis.h>
#include <rill/client.h>
#include <rill/log.h>
#include <rill/redis.h>
#include <rill/server.h>

/* ---- TLS ---- */

static void make_certificates(void)
{
    REQUIRE(certificates_open());
    certificates_make_steady(&(struct certificate){
        .file = "server",
        .names = "DNS:secure.test",
        .from_day = -1,
        .to_day = 2,
    });
}

static int tls_server(void *arg)
{
    (void)arg;
    rill_auto(rill_listener) listener =
        rill_listen("10.0.0.1", 443, .tls = true,
                    .tls_options = { .cert_file = certificates_path("server.pem"),
                                     .key_file = certificates_path("server.key") });
    rill_stream *stream = listener ? rill_accept(listener) : NULL;
    return stream ? echo_to(stream) : rill_errcode();
}

static int talk_tls(void *arg)
{
    (void)arg;
    rill_test_host("secure.test", "10.0.0.1");
    rill_test_host("other.test", "10.0.0.1");
    rill_task server = rill_spawn(tls_server, NULL);
    rill_sleep(0);
    rill_auto(rill_stream) stream =
        rill_connect("secure.test", 443, .tls = true,
                     .tls_options = { .ca_file = certificates_path("root.pem") });
    if (!stream)
        return rill_errcode();
    for (int i = 0; i < 5; i++) {
        int rc = echo_bytes(stream, 4000);
        if (rc < 0)
            return rc;
    }
    rill_stream_shutdown(stream);
    rill_stream_free(rill_take(stream));
    return rill_join(server);
}

static uint64_t tls_trace(uint64_t seed)
{
    rill_test_report report;
    CHECK_INT(rill_test_run(talk_tls, NULL, .seed = seed, .shuffle = true,
                            .net = { .latency = 0.05, .jitter = 0.02, .split = 0.3 },
                            .report = &report),
              0);
    CHECK(report.seconds > 0.5);
    return report.trace;
}

TEST(tls_runs_on_a_network_that_splits)
{
    make_certificates();
    for (uint64_t seed = 1; seed <= 10; seed++)
        CHECK(tls_trace(seed) == tls_trace(seed)); /* TLS's own chance changes no length */
    certificates_close();
}

static int talk_to_nobody(void *arg)
{
    rill_test_host("silent.test", "10.0.0.2");
    rill_auto(rill_listener) listener = rill_listen("10.0.0.2", 443);
    rill_auto(rill_stream) stream =
        rill_connect("silent.test", 443, .tls = true,
                     .tls_options = { .ca_file = certificates_path("root.pem") });
    *(double *)arg = rill_test_now();
    return stream || !listener ? 0 : rill_errcode();
}

TEST(a_tls_handshake_times_out_after_its_thirty_seconds)
{
    double now = 0;
    make_certificates();
    CHECK_INT(rill_test_run(talk_to_nobody, &now, .quiet = true), RILL_ESOCK_CONNECT_TIMEOUT);
    CHECK_NEAR(now, 30.003);
    certificates_close();
}

/* ---- HTTP ---- */

static int hello(rill_request *request)
{
    return rill_reply_text(request, 200, "Hello, %s", rill_request_param(request, "name"));
}

static int slow(rill_request *request)
{
    rill_sleep(60);
    return rill_reply_text(request, 200, "at last");
}

static int moved(rill_request *request)
{
    return rill_reply_redirect(request, 302, "/hello/again");
}

static int upload(rill_request *request)
{
    char block[1000];
    size_t total = 0;
    ptrdiff_t n;
    while ((n = rill_request_read(request, block, sizeof block)) > 0)
        total += (size_t)n;
    return n < 0 ? (int)n : rill_reply_text(request, 200, "%zu", total);
}

static int chunks(rill_request *request)
{
    if (rill_reply_begin(request, 200) < 0)
        return rill_errcode();
    for (int i = 0; i < 10; i++) {
        if (rill_reply_printf(request, "chunk %d\n", i) < 0 || rill_sleep(1) < 0)
            return rill_errcode();
    }
    return rill_reply_end(request);
}

/* Another service, on the application's host alone. */
static int proxied(rill_request *request)
{
    rill_auto(rill_stream) stream = rill_connect("127.0.0.1", 7);
    int rc = stream ? echo_bytes(stream, 10) : rill_errcode();
    return rc < 0 ? rc : rill_reply_text(request, 200, "proxied");
}

static rill_app *start_app(void)
{
    rill_test_host("web.test", "10.0.0.1");
    rill_app *app = rill_app_new();
    rill_app_get(app, "/hello/{name}", hello);
    rill_app_get(app, "/slow", slow);
    rill_app_get(app, "/moved", moved);
    rill_app_get(app, "/chunks", chunks);
    rill_app_get(app, "/proxied", proxied);
    rill_app_post(app, "/upload", upload);
    CHECK_INT(rill_app_start(app, .host = "10.0.0.1", .port = 80), 0);
    return app;
}

/* The body of a fetch, or its error, as "200 text" or "-2146". */
static const char *get(rill_session *session, const char *url)
{
    static char text[200];
    rill_str body = { "", 0 };
    rill_auto(rill_response) response = rill_get(session, url);
    if (!response || rill_response_text(response, &body) < 0)
        snprintf(text, sizeof text, "%d", rill_errcode());
    else
        snprintf(text, sizeof text, "%d %.150s", rill_response_status(response), body.ptr);
    return text;
}

WORLD_TEST(an_application_and_a_session_meet, .seed = 1)
{
    rill_app *app = start_app();
    rill_auto(rill_session) session = rill_session_new(.base_url = "http://web.test");
    CHECK_STR(get(session, "/hello/world"), "200 Hello, world");
    CHECK_STR(get(session, "/moved"), "200 Hello, again");
    CHECK_STR(get(session, "/nothing"), "404 not found\n");
    double start = rill_test_now();
    CHECK_CONTAINS(get(session, "/chunks"), "chunk 9");
    CHECK_NEAR(rill_test_now() - start, 10.002);
    rill_auto(rill_response) response =
        rill_post(session, "/upload", .body = { (char[50000]){ 0 }, 50000 });
    rill_str text;
    REQUIRE(response && rill_response_text(response, &text) == 0);
    CHECK_STR(text.ptr, "50000");
    CHECK_STR(rill_response_header(response, "Date"), "Tue, 01 Jan 2030 00:00:10 GMT");
    CHECK_INT(rill_app_stop(app), 0);
    rill_app_free(app);
}

static int spawn_echo(void *arg)
{
    (void)arg;
    int rc = rill_detach(rill_spawn(echo_server, "127.0.0.1"));
    rill_sleep(0);
    return rc;
}

WORLD_TEST(a_handler_is_on_the_host_of_its_application, .seed = 1)
{
    rill_app *app = start_app();
    rill_auto(rill_session) session = rill_session_new(.base_url = "http://web.test");
    rill_log_level_set(RILL_LOG_ERROR + 1); /* the first one fails, and is logged */
    CHECK_CONTAINS(get(session, "/proxied"), "500 ");
    rill_detach(rill_spawn(echo_server, "127.0.0.1")); /* here: of no use */
    CHECK_CONTAINS(get(session, "/proxied"), "500 ");
    CHECK_INT(rill_test_on("web.test", spawn_echo, NULL), 0);
    CHECK_STR(get(session, "/proxied"), "200 proxied");
    rill_app_stop(app);
    rill_app_free(app);
}

WORLD_TEST(a_timeout_of_half_a_minute_takes_no_time, .seed = 1)
{
    rill_app *app = start_app();
    rill_auto(rill_session) session =
        rill_session_new(.base_url = "http://web.test", .timeout.total = 30);
    double start = rill_test_now();
    char expected[20];
    snprintf(expected, sizeof expected, "%d", RILL_ETOTAL_TIMEOUT);
    CHECK_STR(get(session, "/slow"), expected);
    CHECK_NEAR(rill_test_now() - start, 30);
    CHECK_STR(get(session, "/hello/again"), "200 Hello, again");
    rill_app_stop(app);
    rill_app_free(app);
}

static int fetch_hello(void *arg)
{
    return strcmp(get(arg, "/hello/you"), "200 Hello, you") == 0 ? 0 : RILL_EFAILED;
}

/* Whatever the network does, a fetch ends with the whole text or with an error. */
static int fetch_on_a_bad_network(void *arg)
{
    int *good = arg;
    rill_app *app = start_app();
    rill_auto(rill_session) session =
        rill_session_new(.base_url = "http://web.test", .timeout.total = 20);
    rill_task tasks[8];
    for (int i = 0; i < 8; i++)
        tasks[i] = rill_spawn(fetch_hello, session);
    for (int i = 0; i < 8; i++)
        *good += rill_join(tasks[i]) == 0;
    rill_session_free(rill_take(session));
    int rc = rill_app_stop(app);
    rill_app_free(app);
    return rc;
}

TEST(http_survives_a_bad_network)
{
    int good = 0;
    rill_log_level_set(RILL_LOG_ERROR + 1);
    for (uint64_t seed = 1; seed <= 100; seed++)
        CHECK_INT(rill_test_run(fetch_on_a_bad_network, &good, .seed = seed, .shuffle = true,
                                .net = { .jitter = 0.1,
                                         .split = 0.2,
                                         .reset = 0.05,
                                         .refuse = 0.05,
                                         .stall = 0.05,
                                         .stall_time = 30 }),
                  0);
    CHECK(good > 400 && good < 800);
}

/* ---- Redis ---- */

/* Answers a command: PING, INCR (one counter), SLOW (after a minute), ERR. */
static int answer(rill_stream *stream, const redisReply *command, int *counter)
{
    char text[64];
    const char *word = command->element[0]->str;
    if (strcmp(word, "INCR") == 0)
        snprintf(text, sizeof text, ":%d\r\n", ++*counter);
    else
        snprintf(text, sizeof text, strcmp(word, "ERR") ? "+PONG\r\n" : "-ERR on purpose\r\n");
    if (strcmp(word, "SLOW") == 0 && rill_sleep(60) < 0)
        return rill_errcode();
    return rill_stream_write(stream, text, strlen(text));
}

static int serve_redis(rill_stream *stream, rill__resp *resp, int *counter)
{
    for (;;) {
        redisReply *command;
        int rc;
        while ((rc = rill__resp_next(resp, &command)) > 0) {
            rc = answer(stream, command, counter);
            freeReplyObject(command);
            if (rc < 0)
                return rc;
        }
        size_t room;
        char *to = rc == 0 ? rill__resp_room(resp, &room) : NULL;
        ptrdiff_t n = to ? rill_stream_read(stream, to, room) : -1;
        if (n <= 0)
            return (int)n;
        rill__resp_received(resp, (size_t)n);
    }
}

static int redis_server(void *arg)
{
    int counter = 0;
    rill_auto(rill_listener) listener = rill_listen("10.0.0.2", 6379);
    for (;;) {
        rill_auto(rill_stream) stream = listener ? rill_accept(listener) : NULL;
        if (!stream)
            return rill_errcode();
        rill__resp resp = { 0 };
        if (rill__resp_init(&resp) == 0)
            serve_redis(stream, &resp, &counter);
        rill__resp_free(&resp);
        *(int *)arg = counter;
    }
}

static rill_redis *start_redis(int *counter)
{
    rill_test_host("redis.test", "10.0.0.2");
    rill_detach(rill_spawn(redis_server, counter));
    rill_sleep(0);
    return rill_redis_connect("redis://redis.test");
}

WORLD_TEST(redis_commands_are_answered_and_time_out, .seed = 1)
{
    int counter = 0;
    rill_auto(rill_redis) redis = start_redis(&counter);
    REQUIRE(redis);
    rill_auto(rill_redis_reply) pong = rill_redis_command(redis, "PING");
    CHECK(pong && strcmp(pong->str, "PONG") == 0);
    rill_auto(rill_redis_reply) error = rill_redis_command(redis, "ERR");
    CHECK(!error);
    CHECK_INT(rill_errcode(), RILL_EREDIS_REPLY);
    double start = rill_test_now();
    rill_auto(rill_redis_reply) none = rill_redis_command(redis, "SLOW");
    CHECK(!none);
    CHECK_INT(rill_errcode(), RILL_ETIMEDOUT);
    CHECK_NEAR(rill_test_now() - start, 30);
}

struct counting {
    rill_redis *redis;
    long long last;
    int good, lost;
};

/* The numbers that one task gets back only grow. */
static int count_up(void *arg)
{
    struct counting *counting = arg;
    long long last = 0;
    for (int i = 0; i < 5; i++) {
        rill_auto(rill_redis_reply) reply = rill_redis_command(counting->redis, "INCR n");
        if (!reply) {
            CHECK(rill_error_is(rill_last_error(), RILL_EREDIS_CONNECTION) ||
                  rill_error_is(rill_last_error(), RILL_ECONNECTION) ||
                  rill_error_is(rill_last_error(), RILL_ETIMEDOUT));
            counting->lost++;
            continue;
        }
        CHECK(reply->type == REDIS_REPLY_INTEGER && reply->integer > last);
        last = reply->integer;
        counting->good++;
    }
    return 0;
}

static int count_together(void *arg)
{
    struct counting *counting = arg;
    int counter = 0;
    rill_auto(rill_redis) redis = start_redis(&counter);
    counting->redis = redis;
    rill_task tasks[10];
    for (int i = 0; redis && i < 10; i++)
        tasks[i] = rill_spawn(count_up, counting);
    for (int i = 0; redis && i < 10; i++)
        rill_join(tasks[i]);
    return 0;
}

TEST(redis_pairs_replies_on_a_bad_network)
{
    struct counting counting = { 0 };
    for (uint64_t seed = 1; seed <= 50; seed++)
        CHECK_INT(rill_test_run(count_together, &counting, .seed = seed, .shuffle = true,
                                .net = { .jitter = 0.05, .split = 0.2, .reset = 0.03 }),
                  0);
    CHECK(counting.good > 1000);
    CHECK(counting.lost > 10);
}
