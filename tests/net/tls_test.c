/* TLS: what is accepted, what is refused and in which words, and how connections end. */
#include "harness.h"

#include "certificates.h"
#include "net/net_internal.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <rill/net.h>
#include <rill/task.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCAL "127.0.0.1"

static void make_certificates(void)
{
    static const struct certificate list[] = {
        { "good", "DNS:localhost,DNS:*.example.test,IP:127.0.0.1", -1, 1, false },
        { "self", "DNS:localhost,IP:127.0.0.1", -1, 1, true },
        { "other", "DNS:other.test,IP:192.0.2.1", -1, 1, false },
        { "expired", "DNS:localhost,IP:127.0.0.1", -5, -2, false },
        { "early", "DNS:localhost,IP:127.0.0.1", 1, 2, false },
    };
    certificates_open();
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        certificates_make(&list[i]);
}

/* Runs the function as the first task, with the certificates about. */
static int with_certificates(rill_task_fn *fn, void *arg)
{
    make_certificates();
    int status = rill_run(fn, arg);
    certificates_close();
    return status;
}

static rill_listener *tls_listen(const char *certificate, const char *alpn)
{
    char cert[40], key[40];
    snprintf(cert, sizeof cert, "%s.pem", certificate);
    snprintf(key, sizeof key, "%s.key", certificate);
    return rill_listen(LOCAL, 0, .tls = true,
                       .tls_options = { .cert_file = certificates_path(cert),
                                        .key_file = certificates_path(key),
                                        .alpn = alpn });
}

static int echo(void *arg)
{
    rill_auto(rill_stream) stream = rill_accept(arg);
    char buf[20000];
    ptrdiff_t n = 0;
    while (stream && (n = rill_stream_read(stream, buf, sizeof buf)) > 0)
        if (rill_stream_write(stream, buf, (size_t)n) < 0)
            return rill_errcode();
    return stream ? (int)n : rill_errcode();
}

struct attempt {
    const char *certificate;
    const char *host;
    rill_tls_opts options;
    int code;
    const char *words; /* in the message */
};

static int attempt(void *arg)
{
    const struct attempt *attempt = arg;
    rill_auto(rill_listener) listener = tls_listen(attempt->certificate, NULL);
    if (!listener)
        return rill_errcode();
    rill_task server = rill_spawn(echo, listener);
    rill_auto(rill_stream) stream = rill_connect(attempt->host, rill_listener_port(listener),
                                                 .tls = true, .tls_options = attempt->options);
    int code = stream ? 0 : rill_errcode();
    CHECK_INT(code, attempt->code);
    if (!stream) {
        char label[60];
        snprintf(label, sizeof label, "TLS handshake with %s:%d: ", attempt->host,
                 rill_listener_port(listener));
        CHECK_CONTAINS(rill_last_error()->message, label);
        CHECK_CONTAINS(rill_last_error()->message, attempt->words);
        CHECK(rill_join(server) < 0);
        return 0;
    }
    char buf[5];
    CHECK_INT(rill_stream_write(stream, "hello", 5), 0);
    CHECK_INT(rill_stream_read(stream, buf, 5), 5);
    CHECK_INT(rill_stream_shutdown(stream), 0);
    CHECK_INT(rill_stream_read(stream, buf, 5), 0);
    return rill_join(server);
}

static int attempts(void *arg)
{
    (void)arg;
    char root[160];
    snprintf(root, sizeof root, "%s", certificates_path("root.pem"));
    struct attempt list[] = {
        { "good", "localhost", { .ca_file = root }, 0, NULL },
        { "good", LOCAL, { .ca_file = root }, 0, NULL },
        { "good", LOCAL, { .ca_file = root, .server_name = "a.example.test" }, 0, NULL },
        { "good", LOCAL, { .ca_file = root, .server_name = "a.example.test." }, 0, NULL },
        { "self", LOCAL, { .insecure_no_verify = true }, 0, NULL },
        { "expired", LOCAL, { .insecure_no_verify = true }, 0, NULL },
        { "other", "localhost", { .ca_file = root, .server_name = "other.test" }, 0, NULL },
        { "good", LOCAL, { 0 }, RILL_ECERTIFICATE, "local issuer" },
        { "self", LOCAL, { .ca_file = root }, RILL_ECERTIFICATE, "self-signed" },
        { "early", LOCAL, { .ca_file = root }, RILL_ECERTIFICATE, "not yet valid" },
        { "expired", LOCAL, { .ca_file = root }, RILL_ECERTIFICATE_EXPIRED, "expired" },
        { "other", "localhost", { .ca_file = root }, RILL_ECERTIFICATE_HOST, "ostname mismatch" },
        { "other", LOCAL, { .ca_file = root }, RILL_ECERTIFICATE_HOST, "IP address mismatch" },
        { "good",
          LOCAL,
          { .ca_file = root, .server_name = "a.b.example.test" },
          RILL_ECERTIFICATE_HOST,
          "ostname mismatch" },
        { "good",
          LOCAL,
          { .ca_file = root, .server_name = "example.test" },
          RILL_ECERTIFICATE_HOST,
          "ostname mismatch" },
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        int rc = attempt(&list[i]);
        if (rc != 0)
            test_fail(__FILE__, __LINE__, "attempt %zu: %s", i, rill_last_error()->message);
    }
    return 0;
}

TEST(certificates_are_checked)
{
    CHECK_INT(with_certificates(attempts, NULL), 0);
}

static int bad_files(void *arg)
{
    (void)arg;
    CHECK(!rill_listen(LOCAL, 0, .tls = true));
    CHECK_INT(rill_errcode(), RILL_ETLS);
    CHECK(!rill_listen(LOCAL, 0, .tls = true, .tls_options = { .cert_file = "/nonexistent.pem" }));
    CHECK_INT(rill_errcode(), RILL_ETLS);
    CHECK_CONTAINS(rill_last_error()->message, "/nonexistent.pem: No such file");
    CHECK(!rill_listen(LOCAL, 0, .tls = true,
                       .tls_options = { .cert_file = certificates_path("good.pem"),
                                        .key_file = certificates_path("self.key") }));
    CHECK_INT(rill_errcode(), RILL_ETLS);
    rill_auto(rill_listener) listener = tls_listen("good", NULL);
    rill_tls_opts opts = { .ca_file = "/nonexistent.pem" };
    CHECK(!rill_connect(LOCAL, rill_listener_port(listener), .tls = true, .tls_options = opts));
    CHECK_INT(rill_errcode(), RILL_ETLS);
    opts = (rill_tls_opts){ .alpn = "a,,b" };
    CHECK(!rill_connect(LOCAL, rill_listener_port(listener), .tls = true, .tls_options = opts));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    return 0;
}

TEST(files_that_are_missing_or_wrong_are_named)
{
    CHECK_INT(with_certificates(bad_files, NULL), 0);
}

static int client_certificates(void *arg)
{
    (void)arg;
    rill_tls_opts options = { .ca_file = certificates_path("root.pem"),
                              .cert_file = certificates_path("good.pem"),
                              .key_file = certificates_path("good.key") };
    rill_auto(rill_listener) listener = rill_listen(LOCAL, 0, .tls = true, .tls_options = options);
    for (int with = 0; with < 2; with++) {
        rill_task server = rill_spawn(echo, listener);
        rill_tls_opts client = options;
        if (!with)
            client.cert_file = client.key_file = NULL;
        rill_auto(rill_stream) stream =
            rill_connect(LOCAL, rill_listener_port(listener), .tls = true, .tls_options = client);
        char byte;
        if (stream && rill_stream_write(stream, "x", 1) == 0)
            CHECK_INT(rill_stream_read(stream, &byte, 1), with ? 1 : RILL_ETLS);
        if (stream)
            rill_stream_shutdown(stream);
        CHECK_INT(rill_join(server), with ? 0 : RILL_ETLS);
    }
    return 0;
}

TEST(a_server_may_ask_for_certificates_of_clients)
{
    CHECK_INT(with_certificates(client_certificates, NULL), 0);
}

static int contexts(void *arg)
{
    (void)arg;
    rill_tls_opts opts = { .alpn = "http/1.1" };
    rill__tls_context *a = rill__tls_context_client(&opts);
    rill__tls_context *b = rill__tls_context_client(&opts);
    opts.alpn = NULL;
    rill__tls_context *c = rill__tls_context_client(&opts);
    CHECK(a && a == b && c && c != a);
    rill__tls_context_unref(a);
    rill__tls_context_unref(b);
    rill__tls_context_unref(c);
    rill__tls_context_unref(NULL);
    return 0;
}

TEST(equal_options_share_a_context)
{
    CHECK_INT(rill_run(contexts, NULL), 0);
}

static int server_contexts(void *arg)
{
    (void)arg;
    rill_tls_opts opts = { .cert_file = certificates_path("good.pem"),
                           .key_file = certificates_path("good.key") };
    rill__tls_context *a = rill__tls_context_server(&opts);
    rill__tls_context *b = rill__tls_context_server(&opts);
    CHECK(a && b && a != b);
    rill__tls_context_unref(a);
    rill__tls_context_unref(b);
    return 0;
}

TEST(a_server_reads_its_certificate_anew)
{
    CHECK_INT(with_certificates(server_contexts, NULL), 0);
}

/* ---- ALPN ---- */

struct alpn_case {
    const char *server, *client, *chosen; /* chosen NULL: refused */
};

static int alpn(void *arg)
{
    (void)arg;
    static const struct alpn_case list[] = {
        { "http/1.1", "http/1.1", "http/1.1" },
        { "h2,http/1.1", "http/1.1,h2", "h2" },
        { "http/1.1", "h2,http/1.1", "http/1.1" },
        { "http/1.1", NULL, "" },
        { NULL, "http/1.1", "" },
        { "http/1.1", "h2", NULL },
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        rill_auto(rill_listener) listener = tls_listen("good", list[i].server);
        rill_task server = rill_spawn(echo, listener);
        rill_auto(rill_stream) stream = rill_connect(
            LOCAL, rill_listener_port(listener), .tls = true,
            .tls_options = { .ca_file = certificates_path("root.pem"), .alpn = list[i].client });
        CHECK((stream != NULL) == (list[i].chosen != NULL));
        if (stream)
            CHECK_STR(rill_stream_alpn(stream), list[i].chosen);
        else
            CHECK_CONTAINS(rill_last_error()->message, "no application protocol");
        if (stream)
            rill_stream_shutdown(stream);
        CHECK_INT(rill_join(server), stream ? 0 : RILL_ETLS);
    }
    return 0;
}

TEST(protocols_are_agreed_on)
{
    CHECK_INT(with_certificates(alpn, NULL), 0);
}

/* ---- two ends in one process ---- */

struct pair {
    rill_listener *listener;
    rill_stream *near, *far;
    rill_group *group; /* of the two tasks that open it */
};

static int shake_far(void *arg)
{
    return rill__stream_handshake(arg, "the client");
}

static int pair_connect(void *arg)
{
    struct pair *pair = arg;
    pair->near = rill_connect(LOCAL, rill_listener_port(pair->listener), .tls = true,
                              .tls_options = { .ca_file = certificates_path("root.pem") });
    if (!pair->near && pair->group)
        rill_group_cancel(pair->group, "no connection");
    return pair->near ? 0 : rill_errcode();
}

static int pair_accept(struct pair *pair)
{
    pair->far = rill_accept(pair->listener);
    return pair->far ? shake_far(pair->far) : rill_errcode();
}

static int pair_open(struct pair *pair)
{
    *pair = (struct pair){ .listener = tls_listen("good", NULL) };
    rill_group group;
    if (!pair->listener || rill_group_begin(&group) < 0)
        return rill_errcode();
    pair->group = &group;
    rill_task task = rill_spawn(pair_connect, pair, .group = &group);
    int rc = rill_group_end(&group, task.id ? pair_accept(pair) : rill_errcode());
    return rc < 0 ? rc : pair->near && pair->far ? 0 : RILL_ECANCELED;
}

static void pair_close(struct pair *pair)
{
    rill_stream_free(pair->near);
    rill_stream_free(pair->far);
    rill_listener_free(pair->listener);
}

static int read_some(void *arg)
{
    char buf[100];
    return (int)rill_stream_read(arg, buf, sizeof buf);
}

#define MUCH (16u << 20) /* more than sockets hold */

static int write_much(void *arg)
{
    static char bytes[MUCH];
    for (size_t i = 0; i < MUCH; i++)
        bytes[i] = (char)(i * 7);
    int rc = rill_stream_write(arg, bytes, sizeof bytes);
    return rc < 0 ? rc : rill_stream_shutdown(arg);
}

static int read_much(void *arg)
{
    char buf[5000];
    size_t total = 0;
    ptrdiff_t n;
    bool same = true;
    while ((n = rill_stream_read(arg, buf, sizeof buf)) > 0)
        for (ptrdiff_t i = 0; i < n; i++, total++)
            same = same && buf[i] == (char)(total * 7);
    CHECK(same);
    CHECK_INT(total, MUCH);
    return (int)n;
}

static int both_ways(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair), 0);
    if (test_failures() > 0)
        return 0;
    rill_task tasks[] = {
        rill_spawn(write_much, pair.near),
        rill_spawn(read_much, pair.near),
        rill_spawn(write_much, pair.far),
        rill_spawn(read_much, pair.far),
    };
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
    pair_close(&pair);
    return 0;
}

TEST(reads_and_writes_at_once)
{
    CHECK_INT(with_certificates(both_ways, NULL), 0);
}

/* The far end's handshake is begun by a reader and a writer at once. */
static int first_use(void *arg)
{
    (void)arg;
    struct pair pair = { .listener = tls_listen("good", NULL) };
    rill_task task = rill_spawn(pair_connect, &pair);
    pair.far = rill_accept(pair.listener);
    rill_task reader = rill_spawn(read_some, pair.far);
    CHECK_INT(rill_stream_write(pair.far, "hello", 5), 0);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(read_some(pair.near), 5);
    CHECK_INT(rill_stream_write(pair.near, "abc", 3), 0);
    CHECK_INT(rill_join(reader), 3);
    pair_close(&pair);
    return 0;
}

TEST(a_reader_and_a_writer_share_the_handshake)
{
    CHECK_INT(with_certificates(first_use, NULL), 0);
}

static int cancelled_reads(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair), 0);
    if (test_failures() > 0)
        return 0;
    CHECK_INT(rill_within(0.02, read_some, pair.near), RILL_ETIMEDOUT);
    CHECK_INT(rill_stream_write(pair.far, "still", 5), 0);
    CHECK_INT(read_some(pair.near), 5);
    CHECK_INT(rill_within(0.05, write_much, pair.near), RILL_ETIMEDOUT);
    uint64_t taken = rill_stream_written(pair.near);
    CHECK(taken > 0 && taken < MUCH);
    rill_task reader = rill_spawn(read_much, pair.far);
    /* What was taken still arrives, and the stream goes on where it stopped. */
    static char rest[MUCH];
    for (size_t i = taken; i < MUCH; i++)
        rest[i] = (char)(i * 7);
    CHECK_INT(rill_stream_write(pair.near, rest + taken, MUCH - taken), 0);
    CHECK_INT(rill_stream_shutdown(pair.near), 0);
    CHECK_INT(rill_join(reader), 0);
    pair_close(&pair);
    return 0;
}

TEST(cancelled_calls_leave_the_stream_usable)
{
    CHECK_INT(with_certificates(cancelled_reads, NULL), 0);
}

static int idle(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair), 0);
    if (test_failures() > 0)
        return 0;
    rill_sleep(0.01); /* the tickets arrive */
    CHECK(rill__stream_is_idle(pair.near));
    CHECK(rill__stream_is_idle(pair.near));
    rill_stream_write(pair.far, "hello", 5);
    rill_sleep(0.01);
    CHECK(!rill__stream_is_idle(pair.near));
    CHECK_INT(read_some(pair.near), 5);
    CHECK(rill__stream_is_idle(pair.near));
    rill_stream_free(rill_take(pair.far));
    rill_sleep(0.01);
    CHECK(!rill__stream_is_idle(pair.near));
    CHECK_INT(read_some(pair.near), 0); /* the goodbye of the free */
    pair_close(&pair);
    return 0;
}

TEST(tickets_do_not_disturb_an_idle_stream)
{
    CHECK_INT(with_certificates(idle, NULL), 0);
}

static int truncated(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair), 0);
    if (test_failures() > 0)
        return 0;
    CHECK_INT(rill_stream_write(pair.far, "part", 4), 0);
    shutdown(rill_stream_fd(pair.far), SHUT_WR); /* without a goodbye */
    CHECK_INT(read_some(pair.near), 4);
    CHECK_INT(read_some(pair.near), RILL_ETRUNCATED);
    CHECK_CONTAINS(rill_last_error()->message, "without a TLS goodbye");
    pair_close(&pair);
    return 0;
}

TEST(an_end_without_goodbye_is_a_truncation)
{
    CHECK_INT(with_certificates(truncated, NULL), 0);
}

/* ---- peers that do not speak TLS ---- */

static int garbage_server(void *arg)
{
    rill_auto(rill_stream) stream = rill_accept(arg);
    char buf[2000];
    rill_stream_read(stream, buf, sizeof buf);
    return rill_stream_write(stream, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
}

static int closing_server(void *arg)
{
    rill_auto(rill_stream) stream = rill_accept(arg);
    return stream ? 0 : rill_errcode();
}

static int silent_server(void *arg)
{
    rill_auto(rill_stream) stream = rill_accept(arg);
    CHECK(stream);
    return rill_sleep(10);
}

static int odd_servers(void *arg)
{
    (void)arg;
    rill_auto(rill_listener) listener = rill_listen(LOCAL, 0);
    int port = rill_listener_port(listener);
    rill_task server = rill_spawn(garbage_server, listener);
    CHECK(!rill_connect(LOCAL, port, .tls = true));
    CHECK_INT(rill_errcode(), RILL_ETLS);
    CHECK_CONTAINS(rill_last_error()->message, "wrong version number");
    CHECK_INT(rill_join(server), 0);
    server = rill_spawn(closing_server, listener);
    CHECK(!rill_connect(LOCAL, port, .tls = true));
    CHECK(rill_error_is(rill_last_error(), RILL_ESOCKET));
    CHECK_INT(rill_join(server), 0);
    server = rill_spawn(silent_server, listener);
    CHECK(!rill_connect(LOCAL, port, .tls = true, .attempt_timeout = 0.05));
    CHECK_INT(rill_errcode(), RILL_ESOCK_CONNECT_TIMEOUT);
    CHECK_CONTAINS(rill_last_error()->message, ": no answer within 0.05 s");
    rill_cancel(server);
    CHECK_INT(rill_join(server), RILL_ECANCELED);
    return 0;
}

TEST(servers_that_do_not_speak_tls)
{
    CHECK_INT(rill_run(odd_servers, NULL), 0);
}

static int odd_clients(void *arg)
{
    (void)arg;
    rill_auto(rill_listener) listener = tls_listen("good", NULL);
    static const char *const words[] = { "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff garbage",
                                         "" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        rill_task server = rill_spawn(echo, listener);
        rill_auto(rill_stream) stream = rill_connect(LOCAL, rill_listener_port(listener));
        rill_stream_write(stream, words[i], strlen(words[i]));
        rill_stream_shutdown(stream);
        int rc = rill_join(server);
        CHECK_INT(rc, RILL_ETLS);
        CHECK_CONTAINS(rill_last_error()->message, "TLS handshake with 127.0.0.1:");
    }
    return 0;
}

TEST(clients_that_do_not_speak_tls)
{
    CHECK_INT(with_certificates(odd_clients, NULL), 0);
}

/* ---- OpenSSL's own programs ---- */

static pid_t run_openssl(char *const *args, int *ret_in, int *ret_out)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        execvp("openssl", args);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    *ret_in = in[1];
    *ret_out = out[0];
    return pid;
}

static int with_s_client(void *arg)
{
    (void)arg;
    rill_auto(rill_listener) listener = tls_listen("good", "http/1.1");
    char address[40];
    snprintf(address, sizeof address, LOCAL ":%d", rill_listener_port(listener));
    char *args[] = { "openssl",     "s_client",
                     "-quiet",      "-verify_return_error",
                     "-CAfile",     (char *)(uintptr_t)certificates_path("root.pem"),
                     "-connect",    address,
                     "-alpn",       "http/1.1",
                     "-no_ign_eof", NULL };
    int in, out;
    pid_t pid = run_openssl(args, &in, &out);
    rill_auto(rill_stream) stream = rill_accept(listener);
    CHECK_INT(write(in, "hello\n", 6), 6);
    CHECK_INT(read_some(stream), 6);
    CHECK_STR(rill_stream_alpn(stream), "http/1.1");
    CHECK_INT(rill_stream_write(stream, "welcome\n", 8), 0);
    rill_sleep(0.05);
    close(in);
    CHECK_INT(read_some(stream), 0); /* its goodbye */
    rill_stream_free(rill_take(stream));
    char text[4096];
    size_t len = 0;
    ssize_t n;
    while ((n = read(out, text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    CHECK_CONTAINS(text, "welcome");
    close(out);
    waitpid(pid, NULL, 0);
    return 0;
}

TEST(serves_openssl_s_client)
{
    CHECK_INT(with_certificates(with_s_client, NULL), 0);
}

static int with_s_server(void *arg)
{
    char *version = arg;
    int in, out;
    rill_listener *free_port = rill_listen(LOCAL, 0);
    char port[10];
    snprintf(port, sizeof port, "%d", rill_listener_port(free_port));
    rill_listener_free(free_port);
    char *args[] = { "openssl",
                     "s_server",
                     version,
                     "-quiet",
                     "-rev",
                     "-accept",
                     port,
                     "-cert",
                     (char *)(uintptr_t)certificates_path("good.pem"),
                     "-key",
                     (char *)(uintptr_t)certificates_path("good.key"),
                     NULL };
    pid_t pid = run_openssl(args, &in, &out);
    rill_stream *stream = NULL;
    for (int i = 0; i < 200 && !stream; i++) {
        stream = rill_connect(LOCAL, atoi(port), .tls = true,
                              .tls_options = { .ca_file = certificates_path("root.pem") });
        if (!stream)
            rill_sleep(0.02);
    }
    CHECK(stream);
    if (stream) {
        char buf[10] = "";
        CHECK_INT(rill_stream_write(stream, "stressed\n", 9), 0);
        size_t len = 0;
        for (ptrdiff_t n; len < 9 && (n = rill_stream_read(stream, buf + len, 9 - len)) > 0;)
            len += (size_t)n;
        CHECK_STR(buf, "desserts\n");
        rill_stream_free(stream);
    }
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    close(in);
    close(out);
    return 0;
}

TEST(talks_to_openssl_s_server)
{
    CHECK_INT(with_certificates(with_s_server, "-tls1_3"), 0);
    CHECK_INT(with_certificates(with_s_server, "-tls1_2"), 0);
}

/* ---- the engine alone ---- */

struct engines {
    rill__tls *client, *server;
};

static void engines_open(struct engines *engines)
{
    rill_tls_opts opts = { .ca_file = certificates_path("root.pem") };
    rill__tls_context *context = rill__tls_context_client(&opts);
    engines->client = rill__tls_new(context, "localhost");
    rill__tls_context_unref(context);
    opts = (rill_tls_opts){ .cert_file = certificates_path("good.pem"),
                            .key_file = certificates_path("good.key") };
    context = rill__tls_context_server(&opts);
    engines->server = rill__tls_new(context, NULL);
    rill__tls_context_unref(context);
}

static void engines_close(struct engines *engines)
{
    rill__tls_free(engines->client);
    rill__tls_free(engines->server);
}

/* Moves up to `chunk` bytes. Returns whether there were any. */
static bool carry(rill__tls *from, rill__tls *to, size_t chunk)
{
    rill__buf *output = rill__tls_output(from);
    size_t n = output->len < chunk ? output->len : chunk;
    if (n == 0)
        return false;
    CHECK_INT(rill__tls_feed(to, output->ptr, n), 0);
    rill__buf_consume(output, n);
    return true;
}

static int shake_hands(struct engines *engines, size_t chunk)
{
    int client, server;
    do {
        client = rill__tls_handshake(engines->client);
        carry(engines->client, engines->server, chunk);
        server = rill__tls_handshake(engines->server);
        carry(engines->server, engines->client, chunk);
    } while ((client == RILL__TLS_WANT || server == RILL__TLS_WANT) && client >= RILL__TLS_WANT &&
             server >= RILL__TLS_WANT);
    return client < 0 ? client : server;
}

static int byte_by_byte(void *arg)
{
    (void)arg;
    struct engines engines;
    char buf[100];
    engines_open(&engines);
    CHECK_INT(rill__tls_read(engines.server, buf, sizeof buf), RILL__TLS_WANT);
    CHECK_INT(rill__tls_write(engines.server, "x", 1), RILL__TLS_WANT);
    CHECK_INT(shake_hands(&engines, 1), 0);
    while (carry(engines.server, engines.client, 1))
        CHECK_INT(rill__tls_read(engines.client, buf, sizeof buf), RILL__TLS_WANT);
    CHECK_INT(rill__tls_write(engines.client, "hello", 5), 5);
    ptrdiff_t n = RILL__TLS_WANT;
    while (n == RILL__TLS_WANT && carry(engines.client, engines.server, 1))
        n = rill__tls_read(engines.server, buf, sizeof buf);
    CHECK_INT(n, 5);
    rill__tls_goodbye(engines.client);
    for (n = RILL__TLS_WANT; n == RILL__TLS_WANT && carry(engines.client, engines.server, 1);)
        n = rill__tls_read(engines.server, buf, sizeof buf);
    CHECK_INT(n, 0);
    engines_close(&engines);
    return 0;
}

TEST(the_engine_takes_bytes_one_at_a_time)
{
    CHECK_INT(with_certificates(byte_by_byte, NULL), 0);
}

/* One bit of what the client says is turned: the server refuses, or there is no harm in it. */
static int turned_bits(void *arg)
{
    (void)arg;
    struct engines engines;
    int refused = 0;
    for (size_t at = 0; at < 300; at += 3) {
        engines_open(&engines);
        rill__tls_handshake(engines.client);
        rill__buf *output = rill__tls_output(engines.client);
        if (at < output->len)
            output->ptr[at] = (char)(output->ptr[at] ^ (1 << at % 8));
        carry(engines.client, engines.server, SIZE_MAX);
        int rc = rill__tls_handshake(engines.server);
        CHECK(rc == RILL__TLS_WANT || rc == RILL_ETLS);
        if (rc == RILL_ETLS)
            CHECK_CONTAINS(rill_last_error()->message, "TLS handshake: ");
        carry(engines.server, engines.client, SIZE_MAX);
        rc = rill__tls_handshake(engines.client);
        CHECK(rc < 0);
        refused += rc != RILL__TLS_WANT;
        engines_close(&engines);
    }
    CHECK(refused > 20);
    return 0;
}

TEST(a_turned_bit_ends_the_handshake)
{
    CHECK_INT(with_certificates(turned_bits, NULL), 0);
}

/* ---- cancelled anywhere ---- */

static int scenario(void *arg);

struct sweep {
    unsigned long at, points;
};

static int cancel_at(void *arg)
{
    struct sweep *sweep = arg;
    *rill__loop_sweep() = (rill__sweep){ .cancel_at = sweep->at };
    int rc = scenario(NULL);
    sweep->points = rill__loop_sweep()->points;
    rill__loop_sweep()->cancel_at = 0;
    CHECK(rc == 0 || rc == RILL_ECANCELED || rc == RILL_ECLOSED || rc == RILL_ETLS ||
          rc == RILL_ERESET);
    return 0;
}

/* At the scenario's first place to wait, its second, and so on. */
TEST(cancelling_anywhere_is_clean)
{
    make_certificates();
    struct sweep sweep = { .at = 0 };
    do {
        sweep.at++;
        CHECK_INT(rill_run(cancel_at, &sweep), 0);
    } while (sweep.points >= sweep.at && sweep.at < 200);
    CHECK(sweep.at > 15 && sweep.at < 200);
    certificates_close();
}

/* ---- memory runs out ---- */

static int scenario(void *arg)
{
    (void)arg;
    struct pair pair;
    int rc = pair_open(&pair);
    if (rc == 0)
        rc = rill_stream_write(pair.near, "hello", 5);
    if (rc == 0)
        rc = read_some(pair.far) == 5 ? 0 : rill_errcode();
    pair_close(&pair);
    return rc;
}

TEST(running_out_of_memory_anywhere_is_clean)
{
    make_certificates();
    (void)!freopen("/dev/null", "w", stderr);
    unsigned long n = 1;
    for (; n < 500; n++) {
        rill__alloc_count = 0;
        rill__alloc_fail_at = n;
        int status = rill_run(scenario, NULL);
        unsigned long used = rill__alloc_count;
        rill__alloc_fail_at = 0;
        if (used < n) {
            CHECK_INT(status, 0);
            break;
        }
    }
    CHECK(n > 20 && n < 500);
    certificates_close();
}
