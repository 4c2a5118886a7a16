/*
 * The server under the three sweeps and under many seeds, with clients that speak raw HTTP: kept
 * connections, pipelining, streamed replies, large uploads, clients that leave in the middle of
 * anything, handlers with children and a stop while they work.
 *
 * Whatever is broken, what comes is valid HTTP, a reply of 200 is the one to its request and whole,
 * and the server goes on.
 */
#include "../net/certificates.h"
#include "../testing/in_world.h"

#include "base/fail.h"
#include "http/h1.h"

#include <rill/log.h>
#include <rill/rill.h>
#include <stdlib.h>

#define HOST "Host: a\r\n"
#define LONG_REPLY 400000u

static rill_app *app;
static bool secure; /* over TLS */

/* ---- the application ---- */

static int serve_hello(rill_request *request)
{
    return rill_reply_text(request, 200, "hello");
}

static int serve_slow(rill_request *request)
{
    RILL__TRY(rill_sleep(0.05));
    return rill_reply_text(request, 200, "slow");
}

static int serve_failure(rill_request *request)
{
    (void)request;
    RILL__TRY(rill_sleep(0));
    return rill_fail(RILL_EFAILED, "this handler fails");
}

/* Tells the size of what it was sent. */
static int serve_count(rill_request *request)
{
    char block[3000];
    size_t total = 0;
    ptrdiff_t n;
    while ((n = rill_request_read(request, block, sizeof block)) > 0)
        total += (size_t)n;
    RILL__TRY((int)n);
    return rill_reply_text(request, 200, "%zu", total);
}

static int serve_echo(rill_request *request)
{
    rill_str body;
    RILL__TRY(rill_request_body(request, &body));
    return rill_reply_bytes(request, 200, body.ptr, body.len);
}

/* "0123456789" again and again. */
static int serve_stream(rill_request *request)
{
    static const char digits[] = "01234567890123456789012345678901234567890123456789";
    RILL__TRY(rill_reply_begin(request, 200));
    for (int i = 0; i < 6; i++) {
        RILL__TRY(rill_reply_write(request, digits, 50));
        RILL__TRY(rill_sleep(0.01));
    }
    return 0;
}

/* More than a connection takes at once. */
static int serve_long(rill_request *request)
{
    char block[40000];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)('0' + i % 10);
    rill_reply_set_length(request, LONG_REPLY);
    RILL__TRY(rill_reply_begin(request, 200));
    for (size_t i = 0; i < LONG_REPLY / sizeof block; i++)
        RILL__TRY(rill_reply_write(request, block, sizeof block));
    return rill_reply_end(request);
}

static int work(void *arg)
{
    int *done = arg;
    RILL__TRY(rill_sleep(0.02));
    (*done)++;
    return 0;
}

static int note(void *arg)
{
    (*(int *)arg)++;
    return 0;
}

/* Some of its children it waits for, others it leaves behind. */
static int serve_children(rill_request *request)
{
    int *done = rill_request_alloc(request, 3 * sizeof *done);
    if (!done)
        return RILL_ENOMEM;
    memset(done, 0, 3 * sizeof *done);
    RILL__TRY(rill_defer(note, &done[2]));
    rill_task left = rill_spawn(work, &done[0]), joined = rill_spawn(work, &done[1]);
    if (!left.id || !joined.id)
        return rill_errcode();
    RILL__TRY(rill_join(joined));
    return rill_reply_text(request, 200, "%d", done[1]);
}

static int start(void)
{
    app = rill_app_new();
    if (!app)
        return rill_errcode();
    RILL__TRY(rill_test_host("a", "10.0.0.1"));
    rill_app_get(app, "/", serve_hello);
    rill_app_get(app, "/slow", serve_slow, .cancel_on_disconnect = true);
    rill_app_get(app, "/failure", serve_failure);
    rill_app_post(app, "/count", serve_count, .cancel_on_disconnect = true);
    rill_app_post(app, "/echo", serve_echo);
    rill_app_post(app, "/unread", serve_hello);
    rill_app_get(app, "/stream", serve_stream);
    rill_app_get(app, "/long", serve_long);
    rill_app_get(app, "/children", serve_children, .cancel_on_disconnect = true);
    return rill_app_start(app, .host = "10.0.0.1", .port = 80, .shutdown_timeout = 5,
                          .access_log = true, .tls = secure,
                          .tls_options = { .cert_file = certificates_path("a.pem"),
                                           .key_file = certificates_path("a.key") });
}

/* ---- a client ---- */

struct client {
    rill_stream *stream;
    rill__buf in;
    size_t at; /* what was taken of it */
};

static int dial(struct client *client)
{
    *client = (struct client){ .in = rill__buf_make(1 << 20) };
    client->stream =
        rill_connect("a", 80, .tls = secure,
                     .tls_options = { .ca_file = secure ? certificates_path("root.pem") : NULL });
    return client->stream ? 0 : rill_errcode();
}

static void hang_up(struct client *client)
{
    rill_stream_free(client->stream);
    rill__buf_free(&client->in);
}

static int say(struct client *client, const char *text)
{
    return rill_stream_write(client->stream, text, strlen(text));
}

/* More input. RILL_EDISCONNECTED at the end. */
static int hear(struct client *client)
{
    char block[5000];
    ptrdiff_t n = rill_stream_read(client->stream, block, sizeof block);
    if (n == 0)
        return rill_fail(RILL_EDISCONNECTED, "the server has ended the connection");
    RILL__TRY((int)n);
    rill__buf_append(&client->in, block, (size_t)n);
    return client->in.failed ? rill__fail_nomem() : 0;
}

static int hear_head(struct client *client, struct rill__h1_head *head)
{
    for (;;) {
        int n = rill__h1_head_parse(head, client->in.ptr + client->at, client->in.len - client->at);
        if (n < 0)
            return rill_test_fail("a reply is refused: %s",
                                  rill__h1_reason_text((enum rill__h1_reason)head->reason));
        client->at += (size_t)n;
        if (n > 0)
            return 0;
        RILL__TRY(hear(client));
    }
}

static int hear_body(struct client *client, struct rill__h1_body *body, rill__buf *ret_text)
{
    for (;;) {
        size_t taken;
        rill_str data;
        enum rill__h1_step step = rill__h1_body_next(body, client->in.ptr + client->at,
                                                     client->in.len - client->at, &taken, &data);
        if (step == RILL__H1_REFUSED)
            return rill_test_fail("a body is refused: %s",
                                  rill__h1_reason_text((enum rill__h1_reason)body->reason));
        if (step == RILL__H1_DATA)
            rill__buf_append(ret_text, data.ptr, data.len);
        client->at += taken;
        if (step == RILL__H1_END)
            return ret_text->failed ? rill__fail_nomem() : 0;
        if (step == RILL__H1_MORE)
            RILL__TRY(hear(client));
    }
}

static int check_reply(const struct rill__h1_head *head, const rill__buf *text, rill_str wanted)
{
    if (head->status == 200 && !rill_str_eq(rill__buf_str(text), wanted))
        return rill_test_fail("the reply is \"%.40s\" (%zu bytes), not \"%.40s\"", text->ptr,
                              text->len, wanted.ptr);
    if (head->status != 200 && head->status < 400)
        return rill_test_fail("the reply's status is %u", head->status);
    if (!head->keep_alive)
        return rill_fail(RILL_EDISCONNECTED, "the server goes after %u", head->status);
    return 0;
}

/* Reads a reply: one of 200 has this body. Returns 0, or RILL_EDISCONNECTED when none can follow.
 */
static int expect_text(struct client *client, const char *wanted, size_t len)
{
    struct rill__h1_field fields[RILL__H1_FIELDS];
    struct rill__h1_head head;
    struct rill__h1_body body;
    do {
        rill__h1_head_init_response(&head, NULL, fields, RILL__H1_GET);
        RILL__TRY(hear_head(client, &head));
    } while (head.status < 200);
    rill__h1_body_init(&body, &head);
    rill__buf text = rill__buf_make(1 << 20);
    int rc = hear_body(client, &body, &text);
    if (rc == 0)
        rc = check_reply(&head, &text, (rill_str){ wanted, len });
    rill__buf_free(&text);
    return rc;
}

static int expect(struct client *client, const char *wanted)
{
    return expect_text(client, wanted, strlen(wanted));
}

static int expect_digits(struct client *client, size_t len)
{
    static char digits[LONG_REPLY];
    for (size_t i = 0; i < len; i++)
        digits[i] = (char)('0' + i % 10);
    return expect_text(client, digits, len);
}

/* No scenario takes longer: a connection may fall silent for ever. */
#define PATIENCE 200

typedef int talk_fn(struct client *client);

static int converse(void *arg)
{
    struct client client;
    int rc = dial(&client);
    if (rc == 0)
        rc = (*(talk_fn **)arg)(&client);
    hang_up(&client);
    return rc;
}

/* A scenario: starts the server, and talks on a connection. */
static int talk(talk_fn *fn)
{
    RILL__TRY(start());
    return rill_within(PATIENCE, converse, &fn);
}

/* The server still serves, and stops. */
static int after(void *arg)
{
    (void)arg;
    struct client client;
    int rc = 0;
    if (app && rill_app_port(app) > 0) {
        rill_test_link(NULL, NULL);
        rc = dial(&client);
        if (rc == 0)
            rc = say(&client, "GET / HTTP/1.1\r\n" HOST "\r\n");
        if (rc == 0)
            rc = expect(&client, "hello");
        hang_up(&client);
    }
    int stopped = app ? rill_app_stop(app) : 0;
    rill_app_free(app);
    app = NULL;
    return rc < 0 && rc != RILL_EREFUSED ? rc : stopped; /* its start may have failed */
}

static void be_secure(void)
{
    static const struct certificate certificate = { "a", "DNS:a", -1, 1, false };
    certificates_open();
    certificates_make_steady(&certificate);
    secure = true;
}

/* ---- one after the other on a kept connection ---- */

static int ask_in_turn(struct client *client)
{
    RILL__TRY(say(client, "GET / HTTP/1.1\r\n" HOST "\r\n"));
    RILL__TRY(expect(client, "hello"));
    RILL__TRY(say(client, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 6\r\n"
                          "Expect: 100-continue\r\n\r\n"));
    RILL__TRY(hear(client));
    RILL__TRY(say(client, "abcdef"));
    RILL__TRY(expect(client, "abcdef"));
    RILL__TRY(say(client, "GET /stream HTTP/1.1\r\n" HOST "\r\n"));
    RILL__TRY(expect_digits(client, 300));
    RILL__TRY(say(client, "GET /children HTTP/1.1\r\n" HOST "\r\n"));
    RILL__TRY(expect(client, "1"));
    RILL__TRY(rill_sleep(1));
    RILL__TRY(say(client, "GET /slow HTTP/1.1\r\n" HOST "\r\n"));
    return expect(client, "slow");
}

static int run_kept(void *arg)
{
    (void)arg;
    return talk(ask_in_turn);
}

/* ---- all at once ---- */

static int ask_at_once(struct client *client)
{
    RILL__TRY(say(client, "GET / HTTP/1.1\r\n" HOST "\r\n"
                          "POST /unread HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nGET "
                          "GET /stream HTTP/1.1\r\n" HOST "\r\n"
                          "GET /failure HTTP/1.1\r\n" HOST "\r\n"
                          "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                          "3\r\nabc\r\n3;x=y\r\ndef\r\n0\r\n\r\n"
                          "GET /children HTTP/1.1\r\n" HOST "\r\n"
                          "GET /none HTTP/1.1\r\n" HOST "\r\n"
                          "GET /slow HTTP/1.1\r\n" HOST "\r\n"
                          "nonsense\r\n\r\n"));
    RILL__TRY(expect(client, "hello"));
    RILL__TRY(expect(client, "hello"));
    RILL__TRY(expect_digits(client, 300));
    RILL__TRY(expect(client, ""));
    RILL__TRY(expect(client, "abcdef"));
    RILL__TRY(expect(client, "1"));
    RILL__TRY(expect(client, ""));
    RILL__TRY(expect(client, "slow"));
    int rc = expect(client, "");
    return rc == RILL_EDISCONNECTED ? 0 : rc; /* as it is after nonsense */
}

static int run_pipelined(void *arg)
{
    (void)arg;
    return talk(ask_at_once);
}

/* ---- much of it, more slowly than it is sent ---- */

static int ask_for_much(struct client *client)
{
    static char body[50000];
    RILL__TRY(say(client, "GET /long HTTP/1.1\r\n" HOST "\r\n"
                          "GET /long HTTP/1.1\r\n" HOST "\r\n"
                          "POST /count HTTP/1.1\r\n" HOST "Content-Length: 50000\r\n\r\n"));
    RILL__TRY(rill_sleep(5)); /* until nothing more can be sent */
    RILL__TRY(rill_stream_write(client->stream, body, sizeof body));
    RILL__TRY(expect_digits(client, LONG_REPLY));
    RILL__TRY(expect_digits(client, LONG_REPLY));
    return expect(client, "50000");
}

static int run_long(void *arg)
{
    (void)arg;
    return talk(ask_for_much);
}

/* ---- clients that leave ---- */

static const char *partings[] = {
    "",
    "GET / HT",
    "GET / HTTP/1.1\r\n" HOST,
    "GET / HTTP/1.1\r\n" HOST "\r\n",
    "GET /slow HTTP/1.1\r\n" HOST "\r\n",
    "GET /slow HTTP/1.1\r\n" HOST "\r\nGET /slow HTTP/1.1\r\n" HOST "\r\n",
    "GET /children HTTP/1.1\r\n" HOST "\r\n",
    "GET /stream HTTP/1.1\r\n" HOST "\r\n",
    "GET /long HTTP/1.1\r\n" HOST "\r\n",
    "POST /count HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc",
    "POST /unread HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nabc",
    "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nab",
};

static int leave(void *arg)
{
    struct client client;
    int rc = dial(&client);
    if (rc == 0)
        rc = say(&client, *(const char **)arg);
    if (rc == 0)
        rc = rill_sleep(0.03);
    hang_up(&client);
    return rc;
}

/* Half of it leaves: what can be answered is. */
static int half_leave(void *arg)
{
    struct client client;
    int rc = dial(&client);
    if (rc == 0)
        rc = say(&client, *(const char **)arg);
    if (rc == 0)
        rc = rill_stream_shutdown(client.stream);
    while (rc == 0)
        rc = hear(&client);
    hang_up(&client);
    return rc == RILL_EDISCONNECTED || rc == RILL_ENOMEM ? 0 : rc;
}

static int leave_all(void *arg)
{
    enum { ALL = sizeof partings / sizeof partings[0] };
    (void)arg;
    size_t count = secure ? 2 : ALL; /* handshakes take their time */
    rill_error errors[ALL];
    RILL__TRY(rill_gather(partings + ALL - count, count, leave, .errors = errors));
    return rill_gather(partings + ALL - count, count, half_leave);
}

static int run_leaving(void *arg)
{
    (void)arg;
    RILL__TRY(start());
    return rill_within(PATIENCE, leave_all, NULL);
}

/* ---- a stop while all of them work ---- */

#define BUSY 4

static int stop_among(void *arg)
{
    struct client *clients = arg;
    static const char *const requests[BUSY] = {
        "GET /slow HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n" HOST "\r\n",
        "GET /long HTTP/1.1\r\n" HOST "\r\n",
        "POST /count HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc",
        "GET / HTTP/1.1\r\n" HOST "\r\n",
    };
    for (int i = 0; i < BUSY; i++) {
        RILL__TRY(dial(&clients[i]));
        RILL__TRY(say(&clients[i], requests[i]));
    }
    RILL__TRY(rill_sleep(0.01));
    RILL__TRY(rill_app_stop(app));
    RILL__TRY(expect(&clients[0], "slow")); /* what was at work has come to its end */
    return expect(&clients[0], "hello");
}

static int run_stopped(void *arg)
{
    (void)arg;
    struct client clients[BUSY] = { 0 };
    RILL__TRY(start());
    int rc = rill_within(PATIENCE, stop_among, clients);
    for (int i = 0; i < BUSY; i++)
        hang_up(&clients[i]);
    return rc == RILL_EDISCONNECTED ? 0 : rc;
}

static int after_stop(void *arg)
{
    (void)arg;
    int rc = app ? rill_app_stop(app) : 0;
    rill_app_free(app);
    app = NULL;
    return rc;
}

/* ---- sweeping ---- */

static void drop_log(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)arg;
    (void)level;
    (void)subsystem;
    (void)message;
}

typedef int sweep_fn(rill_task_fn *fn, const rill_test_opts *opts);

static void sweep(sweep_fn *run, rill_task_fn *scenario, rill_task_fn *then)
{
    rill_log_to(drop_log, NULL);
    int n = run(scenario,
                &(rill_test_opts){ .size = sizeof(rill_test_opts), .seed = 11, .after = then });
    if (n <= 10)
        test_fail(__FILE__, __LINE__, "%d: %s", n, rill_last_error()->message);
    rill_log_to(NULL, NULL);
}

#ifdef __SANITIZE_ADDRESS__
#define SEEDS 50
#else
#define SEEDS 300
#endif

/* The same in worlds in which little goes well. */
static void sow(const char *name, rill_task_fn *scenario, rill_task_fn *then)
{
    static const double chances[] = { 0, 0, 0.01, 0.1, 0.5 };
    rill_log_to(drop_log, NULL);
    for (uint64_t seed = 1; seed <= SEEDS && test_failures() < 3; seed++) {
        rill_test_report report;
        int rc = rill_test_run(scenario, NULL, .after = then, .seed = seed, .shuffle = true,
                               .limit = 7200, .quiet = true, .report = &report,
                               .net = { .latency = (double)(seed % 7) / 100,
                                        .jitter = (double)(seed % 5) / 50,
                                        .split = chances[seed % 5],
                                        .reset = seed % 13 == 0 ? 0.05 : 0,
                                        .stall = seed % 17 == 0 ? 0.1 : 0,
                                        .stall_time = 30,
                                        .bandwidth = seed % 3 == 0 ? 20000 : 0 });
        if (rc == RILL_EFAILED || rc == RILL_EDEADLOCK || (rc < 0 && report.seconds >= 7200))
            test_fail(__FILE__, __LINE__, "%s, seed %llu: %s: %s", name, (unsigned long long)seed,
                      rill_code_name(rc), rill_last_error()->message);
    }
    rill_log_to(NULL, NULL);
}

#define SWEEPS(name, then)                                                                         \
    TEST_WITHIN(name##_cancelled_at_each_point, 120)                                               \
    {                                                                                              \
        sweep(rill_test_cancel_sweep_with, run_##name, then);                                      \
    }                                                                                              \
    TEST_WITHIN(name##_with_each_allocation_failing, 120)                                          \
    {                                                                                              \
        sweep(rill_test_alloc_sweep_with, run_##name, then);                                       \
    }                                                                                              \
    TEST_WITHIN(name##_with_each_operation_broken, 120)                                            \
    {                                                                                              \
        sweep(rill_test_io_sweep_with, run_##name, then);                                          \
    }                                                                                              \
    TEST_WITHIN(name##_under_many_seeds, 120)                                                      \
    {                                                                                              \
        sow(#name, run_##name, then);                                                              \
    }

/* The same over TLS. */
#define SECURE_SWEEPS(name, then)                                                                  \
    TEST_WITHIN(name##_over_tls_cancelled_at_each_point, 120)                                      \
    {                                                                                              \
        be_secure();                                                                               \
        sweep(rill_test_cancel_sweep_with, run_##name, then);                                      \
        certificates_close();                                                                      \
    }                                                                                              \
    TEST_WITHIN(name##_over_tls_with_each_allocation_failing, 120)                                 \
    {                                                                                              \
        be_secure();                                                                               \
        sweep(rill_test_alloc_sweep_with, run_##name, then);                                       \
        certificates_close();                                                                      \
    }                                                                                              \
    TEST_WITHIN(name##_over_tls_with_each_operation_broken, 120)                                   \
    {                                                                                              \
        be_secure();                                                                               \
        sweep(rill_test_io_sweep_with, run_##name, then);                                          \
        certificates_close();                                                                      \
    }

SWEEPS(kept, after)
SECURE_SWEEPS(kept, after)
SECURE_SWEEPS(leaving, after)
SWEEPS(pipelined, after)
SWEEPS(long, after)
SWEEPS(leaving, after)
SWEEPS(stopped, after_stop)
