/* Calls outside tasks of everything in net, client and server that may wait: the objects exist and
 * are in use, but it is a callback of the loop that calls. */
#include "awaiting.h"
#include "runtime/runtime.h"

#include <rill/rill.h>

static rill_stream *stream;
static rill_listener *listener;
static rill_session *session;
static rill_response *response;
static rill_app *app, *other_app;
static rill_request *request, *begun; /* the reply of one has begun */
static char url[64];
static char buf[16];
static rill_str text;

static int pointer_code(const void *made)
{
    return made ? 0 : rill_errcode();
}

static int must_not_run(rill_response *got, void *state)
{
    (void)got;
    (void)state;
    test_fail(__FILE__, __LINE__, "it was called");
    return 0;
}

#define CALL(name, expression)                                                                     \
    static int call_##name(void)                                                                   \
    {                                                                                              \
        return (expression);                                                                       \
    }

/* net.h, pipe.h */
CALL(connect, pointer_code(rill_connect("127.0.0.1", rill_app_port(app))))
CALL(connect_by_name, pointer_code(rill_connect("localhost", rill_app_port(app))))
CALL(stream_read, (int)rill_stream_read(stream, buf, sizeof buf))
CALL(stream_write, rill_stream_write(stream, "x", 1))
CALL(stream_shutdown, rill_stream_shutdown(stream))
CALL(listen, pointer_code(rill_listen("127.0.0.1", 0)))
CALL(accept, pointer_code(rill_accept(listener)))
CALL(stdin, pointer_code(rill_stdin()))

static int call_pipe(void)
{
    rill_stream *ends[2];
    return rill_pipe(&ends[0], &ends[1]);
}

/* client.h */
CALL(fetch, pointer_code(rill_get(session, url)))
CALL(response_bytes, rill_response_bytes(response, &text))
CALL(response_text, rill_response_text(response, &text))
CALL(response_json, pointer_code(rill_response_json(response)))
CALL(response_read, (int)rill_response_read(response, buf, sizeof buf))

static int call_session_every(void)
{
    return rill_session_every(session, 1, url, must_not_run, NULL).id ? 0 : rill_errcode();
}

/* server.h */
CALL(app_start, rill_app_start(other_app, .host = "127.0.0.1", .port = RILL_ANY_PORT))
CALL(app_stop, rill_app_stop(app))
CALL(request_body, rill_request_body(request, &text))
CALL(request_json, pointer_code(rill_request_json(request)))
CALL(request_read, (int)rill_request_read(request, buf, sizeof buf))
CALL(reply_begin, rill_reply_begin(request, 200))
CALL(reply_write, rill_reply_write(begun, "x", 1))
CALL(reply_printf, rill_reply_printf(begun, "x"))
CALL(reply_end, rill_reply_end(begun))

static const struct awaiting rows[] = {
    { "rill_connect_with", call_connect, true },
    { "rill_connect_with", call_connect_by_name, true },
    { "rill_stream_read", call_stream_read, true },
    { "rill_stream_write", call_stream_write, true },
    { "rill_stream_shutdown", call_stream_shutdown, true },
    { "rill_listen_with", call_listen, true },
    { "rill_accept", call_accept, true },
    { "rill_stdin", call_stdin, false },
    { "rill_pipe", call_pipe, false },
    { "rill_fetch", call_fetch, true },
    { "rill_response_bytes", call_response_bytes, true },
    { "rill_response_text", call_response_text, true },
    { "rill_response_json", call_response_json, true },
    { "rill_response_read", call_response_read, true },
    { "rill_session_every_with", call_session_every, true },
    { "rill_app_start_with", call_app_start, true },
    { "rill_app_stop", call_app_stop, true },
    { "rill_request_body", call_request_body, true },
    { "rill_request_json", call_request_json, true },
    { "rill_request_read", call_request_read, true },
    { "rill_reply_begin", call_reply_begin, true },
    { "rill_reply_write", call_reply_write, true },
    { "rill_reply_printf", call_reply_printf, true },
    { "rill_reply_end", call_reply_end, true },
};
enum { ROWS = sizeof rows / sizeof *rows };

TEST(the_table_names_every_function_that_may_wait)
{
    const char *headers[] = { "net", "client", "server" };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        check_awaiting_listed(headers[i], rows, ROWS);
}

TEST(without_a_loop_what_needs_no_object_is_refused)
{
    check_awaiting_refused(rows, ROWS, false);
    CHECK(!rill_connect("127.0.0.1", 1));
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
    CHECK(!rill_listen("127.0.0.1", 0));
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
}

static bool called;

static void call_all(rill__timer *timer)
{
    (void)timer;
    check_awaiting_refused(rows, ROWS, true);
    called = true;
}

/* Leaves the request as it is until the calls are done: its body unread, its reply not begun. */
static int hold(rill_request *held)
{
    request = held;
    rill__timer timer = { .deadline = rill__loop_now(), .fire = call_all };
    rill__timer_set(&timer);
    while (!called)
        rill_sleep(0.001);
    return rill_reply_text(held, 200, "intact");
}

static int reply_in_pieces(rill_request *held)
{
    begun = held;
    rill_reply_set(held, "Content-Type", "application/json");
    rill_reply_begin(held, 200);
    rill_reply_write(held, "in pieces", 9);
    while (!called)
        rill_sleep(0.001);
    return 0;
}

static int accept_and_wait(void *arg)
{
    (void)arg;
    rill_auto(rill_stream) peer = rill_accept(listener);
    CHECK(peer != NULL);
    return rill_sleep(100);
}

static int run(void *arg)
{
    (void)arg;
    app = rill_app_new();
    other_app = rill_app_new();
    rill_app_post(app, "/hold", hold);
    rill_app_get(app, "/pieces", reply_in_pieces);
    CHECK_INT(rill_app_start(app, .host = "127.0.0.1", .port = RILL_ANY_PORT, .quiet = true), 0);
    listener = rill_listen("127.0.0.1", 0);
    rill_task accepting = rill_spawn(accept_and_wait, NULL);
    stream = rill_connect("127.0.0.1", rill_listener_port(listener));
    CHECK(stream != NULL);
    session = rill_session_new();
    snprintf(url, sizeof url, "http://127.0.0.1:%d/pieces", rill_app_port(app));
    response = rill_get(session, url);
    CHECK(response != NULL);

    char hold_url[64];
    snprintf(hold_url, sizeof hold_url, "http://127.0.0.1:%d/hold", rill_app_port(app));
    rill_response *held = rill_post(session, hold_url, .body = RILL_STR("unread"));
    CHECK(called);
    CHECK_INT(rill_response_text(held, &text), 0);
    CHECK_STR(text.ptr, "intact");
    CHECK_INT(rill_response_text(response, &text), 0); /* and this one goes on */
    CHECK_STR(text.ptr, "in pieces");
    CHECK_INT(rill_stream_write(stream, "x", 1), 0);

    rill_response_free(held);
    rill_response_free(response);
    rill_session_free(session);
    rill_cancel_join(accepting);
    rill_stream_free(stream);
    rill_listener_free(listener);
    CHECK_INT(rill_app_stop(app), 0);
    rill_app_free(app);
    rill_app_free(other_app);
    return 0;
}

TEST(in_a_callback_of_the_loop_each_is_refused_and_disturbs_nothing)
{
    CHECK_INT(rill_run(run, NULL), 0);
}
