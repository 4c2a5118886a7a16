/*
 * Every system call of sockets, failing with every errno that it can give, under an application and
 * its clients, over HTTP and over HTTPS. After each fault the same session and the same application
 * still work, no descriptor is left and nothing hangs. What a caller may try again goes unnoticed;
 * what it may not is an error in words.
 */
#include "faults.h"
#include "harness.h"
#include "net/certificates.h"

#include <errno.h>
#include <rill/rill.h>
#include <stdlib.h>

/* Of what is sent both ways: over TLS less, so that a run makes as many calls. */
#define UPLOAD (300u * 1024u)

/* ---- the application and its client ---- */

static char upload[UPLOAD];
static bool tls;

static size_t upload_len(void)
{
    return tls ? UPLOAD / 6 : UPLOAD;
}

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

struct part {
    rill_session *session;
    char url[64];
    bool posts;
};

static int fetch(void *arg)
{
    const struct part *part = arg;
    rill_auto(rill_response) response =
        part->posts ? rill_put(part->session, part->url, .body = { upload, upload_len() })
                    : rill_get(part->session, part->url);
    rill_str text;
    if (!response)
        return rill_errcode();
    int rc = rill_response_bytes(response, &text);
    if (rc < 0)
        return rc;
    CHECK_INT(rill_response_status(response), 200);
    CHECK_INT(text.len, part->posts ? upload_len() : 5);
    return 0;
}

static bool is_well_told(const rill_error *error)
{
    bool expected = rill_error_is(error, RILL_ECLIENT) || error->code == RILL_ENOMEM;
    return error->code == 0 ||
           (expected && error->message[0] && !rill_error_is(error, RILL_ETOTAL_TIMEOUT));
}

/* Three requests at once, one of them large both ways. Returns how many failed. */
static int fetch_some(rill_session *session, int port)
{
    struct part parts[3] = { { session, "", false },
                             { session, "", true },
                             { session, "", false } };
    rill_error errors[3];
    int failed = 0;
    for (int i = 0; i < 3; i++)
        snprintf(parts[i].url, sizeof parts[i].url, "http%s://127.0.0.1:%d/%s", tls ? "s" : "",
                 port, parts[i].posts ? "echo" : "");
    rill_gather(parts, 3, fetch, .errors = errors);
    for (int i = 0; i < 3; i++) {
        failed += errors[i].code < 0;
        if (!is_well_told(&errors[i]))
            test_fail(__FILE__, __LINE__, "%s: %s: %s", fault_label(),
                      rill_code_name(errors[i].code), errors[i].message);
    }
    return failed;
}

static int serve_and_fetch(void)
{
    char cert[160] = "", key[160] = "", root[160] = "";
    if (tls) {
        snprintf(cert, sizeof cert, "%s", certificates_path("server.pem"));
        snprintf(key, sizeof key, "%s", certificates_path("server.key"));
        snprintf(root, sizeof root, "%s", certificates_path("root.pem"));
    }
    rill_app *app = new_app();
    rill_session *session =
        rill_session_new(.limit = 2, .timeout.total = 10, .tls.ca_file = tls ? root : NULL);
    CHECK_INT(rill_app_start(app, .host = "127.0.0.1", .port = RILL_ANY_PORT, .tls = tls,
                             .tls_options = { .cert_file = cert, .key_file = key }),
              0);
    fault_begin();
    int failed = fetch_some(session, rill_app_port(app));
    fault_end();
    if (fetch_some(session, rill_app_port(app)) > 0)
        test_fail(__FILE__, __LINE__, "%s: what follows it fails", fault_label());
    rill_session_free(session);
    CHECK_INT(rill_app_stop(app), 0);
    rill_app_free(app);
    return failed;
}

static void sweep(struct fault fault, bool over_tls)
{
    tls = over_tls;
    if (tls) {
        certificates_open();
        certificates_make(&(struct certificate){ "server", "IP:127.0.0.1", -1, 1, false });
    }
    fault_sweep(fault, serve_and_fetch);
    if (tls)
        certificates_close();
}

/* ---- the table: calls and what they can give (the man pages' ERRORS, and POSIX) ---- */

#define ERRNO_TEST(call, error, unnoticed)                                                         \
    TEST_WITHIN(call##_##error, 120)                                                               \
    {                                                                                              \
        sweep((struct fault){ FAULT_##call, error, unnoticed, false }, false);                     \
    }                                                                                              \
    TEST_WITHIN(tls_##call##_##error, 120)                                                         \
    {                                                                                              \
        sweep((struct fault){ FAULT_##call, error, unnoticed, false }, true);                      \
    }

/* accept(2) has neither EIO nor ENOSPC, nor what only an open connection can meet (ECONNRESET,
 * EPIPE): a connection that is reset in the queue is ECONNABORTED. */
ERRNO_TEST(accept4, EINTR, true)
ERRNO_TEST(accept4, EAGAIN, true)
ERRNO_TEST(accept4, EMFILE, true) /* the connection waits until there are more */
ERRNO_TEST(accept4, ENFILE, true)
ERRNO_TEST(accept4, ENOBUFS, true)
ERRNO_TEST(accept4, ENOMEM, true)
ERRNO_TEST(accept4, ECONNABORTED, true)
ERRNO_TEST(accept4, EPROTO, true)

/* recv(2) makes no descriptor (EMFILE) and writes nowhere (ENOSPC, EPIPE). */
ERRNO_TEST(recv, EINTR, true)
ERRNO_TEST(recv, EAGAIN, true)
ERRNO_TEST(recv, FAULT_SHORT, true)
ERRNO_TEST(recv, ENOBUFS, false)
ERRNO_TEST(recv, ENOMEM, false)
ERRNO_TEST(recv, EIO, false)
ERRNO_TEST(recv, ECONNRESET, false)
ERRNO_TEST(recv, ETIMEDOUT, false)

/* send(2) makes no descriptor (EMFILE) and fills no device (ENOSPC). */
ERRNO_TEST(send, EINTR, true)
ERRNO_TEST(send, EAGAIN, true)
ERRNO_TEST(send, FAULT_SHORT, true)
ERRNO_TEST(send, ENOBUFS, false)
ERRNO_TEST(send, ENOMEM, false)
ERRNO_TEST(send, EIO, false)
ERRNO_TEST(send, ECONNRESET, false)
ERRNO_TEST(send, EPIPE, false)

/* epoll_wait(2) has EINTR alone; the rest says that it was called wrongly. */
ERRNO_TEST(epoll_wait, EINTR, true)
/* epoll_ctl(2): the user's limit of watches, and memory. Of the server's own connections it is a
 * connection that is closed at once, which the client tries again. */
ERRNO_TEST(epoll_ctl, ENOSPC, false)
ERRNO_TEST(epoll_ctl, ENOMEM, false)

/* connect(2) makes no descriptor (EMFILE), fills no device (ENOSPC), and there is nobody yet who
 * could have gone (EPIPE). EAGAIN is that of unix sockets, and of ports that are used up. */
ERRNO_TEST(connect, EINTR, true)
ERRNO_TEST(connect, EAGAIN, false)
ERRNO_TEST(connect, ENOBUFS, false)
ERRNO_TEST(connect, EIO, false)
ERRNO_TEST(connect, ECONNRESET, false)
ERRNO_TEST(socket, EMFILE, false)
ERRNO_TEST(socket, ENFILE, false)
ERRNO_TEST(socket, ENOBUFS, false)
ERRNO_TEST(socket, ENOMEM, false)
