/*
 * Every system call that the network side makes, failing with every errno that it can give, at its
 * 1st, 2nd, … nth call: until a run makes fewer calls than that. After each, the same session and
 * the same application still work, no descriptor is left and nothing hangs. What a caller may try
 * again goes unnoticed; what it may not is an error in words.
 */
#include "faults.h"
#include "harness.h"

#include <errno.h>
#include <rill/rill.h>
#include <stdlib.h>

#define UPLOAD (300u * 1024u)
/* A call past this is the same as one before it. */
#define CALLS_MAX 400

/* ---- the application and its client ---- */

static char upload[UPLOAD];

static int hello(rill_request *request)
{
    return rill_reply_text(request, 200, "hello");
}

static int echo(rill_request *request)
{
    rill_str body;
    int rc = rill_request_body(request, &body);
    return rc < 0 ? rc : rill_reply_bytes(request, 200, body.ptr, body.len);
}

static rill_app *new_app(void)
{
    rill_app *app = rill_app_new();
    rill_app_get(app, "/", hello);
    rill_app_put(app, "/echo", echo, .client_max_size = 2 * UPLOAD);
    return app;
}

struct work {
    rill_session *session;
    char url[64];
    bool posts;
};

static int fetch(void *arg)
{
    const struct work *work = arg;
    rill_auto(rill_response) response =
        work->posts ? rill_put(work->session, work->url, .body = { upload, sizeof upload })
                    : rill_get(work->session, work->url);
    rill_str text;
    if (!response)
        return rill_errcode();
    int rc = rill_response_bytes(response, &text);
    if (rc < 0)
        return rc;
    CHECK_INT(rill_response_status(response), 200);
    CHECK_INT(text.len, work->posts ? sizeof upload : 5);
    return 0;
}

/* Three requests at once, one of them large both ways. Returns how many failed. */
static int fetch_some(rill_session *session, int port, const char *label)
{
    struct work works[3] = { { session, "", false },
                             { session, "", true },
                             { session, "", false } };
    rill_error errors[3];
    int failed = 0;
    for (int i = 0; i < 3; i++)
        snprintf(works[i].url, sizeof works[i].url, "http://127.0.0.1:%d/%s", port,
                 works[i].posts ? "echo" : "");
    rill_gather(works, 3, fetch, .errors = errors);
    for (int i = 0; i < 3; i++) {
        failed += errors[i].code < 0;
        if (errors[i].code == 0 ||
            (rill_error_is(&errors[i], RILL_ECLIENT) && errors[i].message[0] &&
             !rill_error_is(&errors[i], RILL_ETIMEDOUT)))
            continue;
        test_fail(__FILE__, __LINE__, "%s: %s: %s", label, rill_code_name(errors[i].code),
                  errors[i].message);
    }
    return failed;
}

/* ---- one run with one fault ---- */

struct fault {
    enum fault_call call;
    int error;
    bool unnoticed; /* the caller tries again, and nobody is told */
};

struct run {
    struct fault fault;
    unsigned long nth, calls;
    bool reached;
    int failed;
};

static int run_once(void *arg)
{
    struct run *run = arg;
    char label[64];
    snprintf(label, sizeof label, "%s %s %lu", fault_name(run->fault.call),
             strerrorname_np(run->fault.error), run->nth);
    rill_app *app = new_app();
    rill_session *session = rill_session_new(.limit = 2, .timeout.total = 10);
    int rc = rill_app_start(app, .host = "127.0.0.1", .port = RILL_ANY_PORT);
    if (rc < 0 || !session)
        return rc < 0 ? rc : rill_errcode();
    fault_arm(run->fault.call, run->fault.error, run->nth);
    run->failed = fetch_some(session, rill_app_port(app), label);
    run->calls = fault_disarm();
    run->reached = fault_reached();
    if (fetch_some(session, rill_app_port(app), label) > 0)
        test_fail(__FILE__, __LINE__, "%s: what follows it fails", label);
    rill_session_free(session);
    rc = rill_app_stop(app);
    rill_app_free(app);
    return rc;
}

static void sweep(struct fault fault)
{
    struct run run = { .fault = fault };
    unsigned long failures = 0;
    do {
        run.nth++;
        CHECK_INT(rill_run(run_once, &run), 0);
        failures += run.failed > 0;
        if (fault.unnoticed)
            CHECK_INT(run.failed, 0);
    } while (run.reached && run.nth < CALLS_MAX && test_failures() == 0);
    printf("%s %s: complete at call %lu, %lu runs failed in words\n", fault_name(fault.call),
           strerrorname_np(fault.error), run.nth, failures);
    CHECK(run.nth > 1); /* the call is made at all */
    CHECK(fault.unnoticed || failures > 0);
}

/* ---- the table: calls and what they can give (the man pages' ERRORS, and POSIX) ---- */

#define ERRNO_TEST(call, error, unnoticed)                                                         \
    TEST_WITHIN(call##_##error, 120)                                                               \
    {                                                                                              \
        sweep((struct fault){ FAULT_##call, error, unnoticed });                                   \
    }

ERRNO_TEST(accept4, EINTR, true)
ERRNO_TEST(accept4, EAGAIN, true)
ERRNO_TEST(accept4, EMFILE, true) /* the connection waits until there are more */
ERRNO_TEST(accept4, ENOBUFS, true)
ERRNO_TEST(accept4, ECONNABORTED, true)
ERRNO_TEST(recv, EINTR, true)
ERRNO_TEST(recv, EAGAIN, true)
ERRNO_TEST(recv, ENOBUFS, false)
ERRNO_TEST(recv, EIO, false)
ERRNO_TEST(recv, ECONNRESET, false)
ERRNO_TEST(send, EINTR, true)
ERRNO_TEST(send, EAGAIN, true)
ERRNO_TEST(send, ENOBUFS, false)
ERRNO_TEST(send, EIO, false)
ERRNO_TEST(send, ECONNRESET, false)
ERRNO_TEST(send, EPIPE, false)
ERRNO_TEST(epoll_wait, EINTR, true)
ERRNO_TEST(connect, EINTR, true)
ERRNO_TEST(connect, EAGAIN, false)
ERRNO_TEST(connect, ENOBUFS, false)
ERRNO_TEST(connect, ECONNRESET, false)
ERRNO_TEST(socket, EMFILE, false)
ERRNO_TEST(socket, ENOBUFS, false)
