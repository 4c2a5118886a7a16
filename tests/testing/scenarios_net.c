/* Scenarios of the network: TLS, addresses of which one answers, requests on a schedule, UDP. */
#include "scenarios.h"

#include "base/fail.h"
#include "certificates.h"

#include <string.h>

/* ---- what they share ---- */

/* Sends back what comes. */
static int echo_to(void *arg)
{
    rill_auto(rill_stream) stream = arg;
    char block[1000];
    ptrdiff_t n;
    while ((n = rill_stream_read(stream, block, sizeof block)) > 0)
        RILL__TRY(rill_stream_write(stream, block, (size_t)n));
    return (int)n;
}

static int echo_server(void *arg)
{
    rill_auto(rill_listener) listener = arg;
    for (;;) {
        rill_stream *stream = rill_accept(listener);
        if (!stream && rill_errcode() == RILL_ECANCELED)
            return RILL_ECANCELED;
        if (!stream) /* a handshake that failed is the client's affair */
            continue;
        rill_task task = rill_spawn(echo_to, stream, .name = "echo");
        if (task.id)
            rill_detach(task);
        else
            rill_stream_free(stream);
    }
}

/* Takes the listener. */
static int serve_echo(rill_listener *listener)
{
    if (!listener)
        return rill_errcode();
    rill_task task = rill_spawn(echo_server, listener, .name = "echo server");
    if (task.id)
        return rill_detach(task);
    rill_listener_free(listener);
    return rill_errcode();
}

#define ECHOED 3000

static int echo_over(void *arg)
{
    char out[ECHOED], in[ECHOED];
    memset(out, 'e', sizeof out);
    RILL__TRY(rill_stream_write(arg, out, sizeof out));
    for (size_t got = 0; got < sizeof in;) {
        ptrdiff_t n = rill_stream_read(arg, in + got, sizeof in - got);
        if (n <= 0)
            return n < 0 ? (int)n : rill_fail(RILL_ETRUNCATED, "the echo ends early");
        got += (size_t)n;
    }
    return memcmp(in, out, sizeof in) == 0 ? 0 : rill_test_fail("another echo than was called");
}

/* ---- TLS: an echo, and https ---- */

static struct secure {
    rill_app *app;
    rill_session *session;
} secure;

void make_certificates(void)
{
    certificates_open();
    certificates_make_steady(&(struct certificate){
        .file = "server",
        .names = "DNS:secure.test",
        .from_day = -1,
        .to_day = 2,
    });
}

void drop_certificates(void)
{
    certificates_close();
}

static rill_tls_opts server_options(void)
{
    return (rill_tls_opts){ .cert_file = certificates_path("server.pem"),
                            .key_file = certificates_path("server.key") };
}

static int serve_hello(rill_request *request)
{
    return rill_reply_text(request, 200, "hello");
}

static int open_https(void)
{
    secure.app = rill_app_new();
    if (!secure.app)
        return rill_errcode();
    rill_app_get(secure.app, "/", serve_hello);
    RILL__TRY(rill_app_start(secure.app, .host = "10.0.3.1", .port = 443, .tls = true,
                             .tls_options = server_options(), .shutdown_timeout = 5));
    secure.session =
        rill_session_new(.tls.ca_file = certificates_path("root.pem"), .timeout.total = 20);
    return secure.session ? 0 : rill_errcode();
}

static int get_hello(void)
{
    rill_auto(rill_response) response = rill_get(secure.session, "https://secure.test/");
    rill_str text;
    RILL__TRY(response ? rill_response_text(response, &text) : rill_errcode());
    return text.len == 5 ? 0 : rill_test_fail("the text has %zu bytes", text.len);
}

int run_tls(void *arg)
{
    (void)arg;
    secure = (struct secure){ 0 };
    RILL__TRY(rill_test_host("secure.test", "10.0.3.1"));
    RILL__TRY(serve_echo(rill_listen("10.0.3.1", 7, .tls = true, .tls_options = server_options())));
    rill_auto(rill_stream) stream =
        rill_connect("secure.test", 7, .tls = true, .timeout = 10,
                     .tls_options = { .ca_file = certificates_path("root.pem") });
    RILL__TRY(stream ? 0 : rill_errcode());
    RILL__TRY(rill_within(60, echo_over, stream));
    RILL__TRY(rill_stream_shutdown(stream));
    RILL__TRY(open_https());
    RILL__TRY(get_hello());
    return get_hello();
}

int close_tls(void *arg)
{
    (void)arg;
    int rc = secure.session && rill_app_port(secure.app) ? get_hello() : 0;
    rill_session_free(secure.session);
    int stopped = secure.app ? rill_app_stop(secure.app) : 0;
    rill_app_free(secure.app);
    return rc < 0 ? rc : stopped;
}

/* ---- a name with addresses of which one answers, and far away, so that attempts overlap ---- */

static bool eyeballs_served;

static int connect_many(void)
{
    rill_auto(rill_stream) stream = rill_connect("many.test", 7, .timeout = 30);
    RILL__TRY(stream ? 0 : rill_errcode());
    return rill_within(60, echo_over, stream);
}

int run_eyeballs(void *arg)
{
    (void)arg;
    eyeballs_served = false;
    RILL__TRY(rill_test_host("many.test", "10.0.4.1"));
    RILL__TRY(rill_test_host("many.test", "fd00::4"));
    RILL__TRY(rill_test_host("many.test", "10.0.4.2"));
    RILL__TRY(rill_test_host("many.test", "fd00::5"));
    RILL__TRY(rill_test_link("many.test", NULL, .latency = 0.2, .jitter = 0.2));
    RILL__TRY(serve_echo(rill_listen("10.0.4.2", 7)));
    eyeballs_served = true;
    return connect_many();
}

/* Unless the server was what was cancelled. */
int check_eyeballs(void *arg)
{
    (void)arg;
    int rc = eyeballs_served ? connect_many() : 0;
    return rc == RILL_EREFUSED || rill_code_is(rc, RILL_ECONNECT) ? 0 : rc;
}

/* ---- UDP, which may lose what it carries ---- */

static int answer_datagrams(void *arg)
{
    rill_auto(rill_udp) udp = arg;
    rill_datagram got;
    char block[64];
    for (;;) {
        ptrdiff_t n = rill_udp_recv_from(udp, block, sizeof block, &got);
        int rc = n < 0 ? (int)n : rill_udp_send_to(udp, &got.from, block, (size_t)n);
        if (rc == RILL_ECANCELED)
            return rc;
    }
}

static int serve_datagrams(int port, rill_group *group)
{
    rill_udp *udp = rill_udp_open(.host = "10.0.5.1", .port = port);
    RILL__TRY(udp ? 0 : rill_errcode());
    rill_task task = rill_spawn(answer_datagrams, udp, .group = group);
    if (task.id)
        return 0;
    rill_udp_free(udp);
    return rill_errcode();
}

static int ask_datagram(void *arg)
{
    char block[64];
    RILL__TRY(rill_udp_send(arg, "where?", 6));
    ptrdiff_t n = rill_udp_recv(arg, block, sizeof block);
    if (n < 0)
        return (int)n;
    return n == 6 && memcmp(block, "where?", 6) == 0 ? 0 : rill_test_fail("another datagram came");
}

/* As who uses UDP must: again, when nothing comes. */
static int ask_until_answered(const char *host, int port)
{
    rill_auto(rill_udp) udp = rill_udp_open(.peer = host, .peer_port = port);
    int rc = udp ? RILL_ETIMEDOUT : rill_errcode();
    for (int i = 0; i < 5 && rc == RILL_ETIMEDOUT; i++)
        rc = rill_within(2, ask_datagram, udp);
    return rc;
}

static int serve_and_ask(rill_group *group, const char *host, int port)
{
    RILL__TRY(serve_datagrams(port, group));
    for (int i = 0; i < 3; i++)
        RILL__TRY(ask_until_answered(host, port));
    return 0;
}

static int talk_udp(const char *host, int port)
{
    rill_group group;
    RILL__TRY(rill_test_host("udp.test", "10.0.5.1"));
    RILL__TRY(rill_group_begin(&group));
    int rc = serve_and_ask(&group, host, port);
    rill_group_cancel(&group, "enough");
    int ended = rill_group_end(&group, rc);
    return rc < 0 || ended == RILL_ECANCELED ? rc : ended;
}

int run_udp(void *arg)
{
    (void)arg;
    return talk_udp("udp.test", 53);
}

/* A socket that has fallen silent remains so: others do work. */
int check_udp(void *arg)
{
    (void)arg;
    return talk_udp("10.0.5.1", 54);
}
