/* Rare turns that a peer, or a cancellation at a bad moment, can bring a stream to. */
#include "harness.h"

#include "certificates.h"
#include "net/net_internal.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <rill/net.h>
#include <rill/task.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOCAL "127.0.0.1"

static int with_certificates(rill_task_fn *fn)
{
    static const struct certificate list[] = {
        { "good", "DNS:localhost,IP:127.0.0.1,IP:::1", -1, 1, false },
        { "localhost", NULL, -1, 1, false }, /* its name stands in the subject only */
    };
    certificates_open();
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        certificates_make(&list[i]);
    int status = rill_run(fn, NULL);
    certificates_close();
    return status;
}

static rill_tls_opts shown(const char *name)
{
    char cert[40], key[40];
    snprintf(cert, sizeof cert, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    return (rill_tls_opts){ .cert_file = certificates_path(cert),
                            .key_file = certificates_path(key) };
}

/* Two ends in one process. */
struct pair {
    rill_listener *listener;
    rill_stream *near, *far;
    bool tls;
};

static int pair_connect(void *arg)
{
    struct pair *pair = arg;
    pair->near = rill_connect(LOCAL, rill_listener_port(pair->listener), .tls = pair->tls,
                              .tls_options = { .ca_file = certificates_path("root.pem") });
    return pair->near ? 0 : rill_errcode();
}

static int pair_open(struct pair *pair, bool tls)
{
    rill_tls_opts options = tls ? shown("good") : (rill_tls_opts){ 0 };
    *pair = (struct pair){ .tls = tls };
    pair->listener = rill_listen(LOCAL, 0, .tls = tls, .tls_options = options);
    if (!pair->listener)
        return rill_errcode();
    rill_task task = rill_spawn(pair_connect, pair);
    pair->far = rill_accept(pair->listener);
    if (pair->far)
        rill__stream_handshake(pair->far, "the client");
    return pair->far ? rill_join(task) : rill_errcode();
}

static void pair_close(struct pair *pair)
{
    rill_stream_free(pair->near);
    rill_stream_free(pair->far);
    rill_listener_free(pair->listener);
}

static int read_one(void *arg)
{
    char byte;
    return (int)rill_stream_read(arg, &byte, 1);
}

static int read_some(void *arg)
{
    char buf[100];
    return (int)rill_stream_read(arg, buf, sizeof buf);
}

/* ---- urgent data ---- */

/* A read ends at the urgent byte although there is more behind it. */
static int urgent(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair, false), 0);
    int fd = rill_stream_fd(pair.far);
    CHECK_INT(send(fd, "abc", 3, 0), 3);
    CHECK_INT(send(fd, "!", 1, MSG_OOB), 1);
    CHECK_INT(send(fd, "defg", 4, 0), 4);
    CHECK_INT(rill_sleep(0.01), 0); /* the loop has heard of all of it */
    CHECK_INT(rill_within(1, read_some, pair.near), 3);
    CHECK_INT(rill_within(1, read_some, pair.near), 4);
    pair_close(&pair);
    return 0;
}

TEST(what_stands_behind_urgent_data_is_read)
{
    CHECK_INT(rill_run(urgent, NULL), 0);
}

/* ---- where from ---- */

static int other_family(void *arg)
{
    (void)arg;
    rill_auto(rill_listener) listener = rill_listen(LOCAL, 0);
    rill_auto(rill_stream) stream =
        rill_connect(LOCAL, rill_listener_port(listener), .local_address = "::1");
    CHECK(!stream);
    CHECK_INT(rill_errcode(), RILL_ECONNECT);
    CHECK_CONTAINS(rill_last_error()->message, "::1");
    return 0;
}

TEST(an_address_to_connect_from_is_never_left_out)
{
    CHECK_INT(rill_run(other_family, NULL), 0);
}

/* ---- names ---- */

static int look_up(void *arg)
{
    (void)arg;
    rill_auto(rill_stream) stream = rill_connect("nobody.test", 80);
    return stream ? 0 : rill_errcode();
}

/* The loop ends while a lookup is in flight that nobody waits for any more. */
static int leave_lookups(void *arg)
{
    (void)arg;
    CHECK_INT(rill_within(0.02, look_up, NULL), RILL_ETIMEDOUT);
    rill_detach(rill_spawn(look_up, NULL));
    return rill_sleep(0.02);
}

TEST(lookups_in_flight_end_with_the_loop)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    char server[40];
    int fd = socket(AF_INET, SOCK_DGRAM, 0); /* takes questions and answers none */
    CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(server, sizeof server, "127.0.0.1:%d", ntohs(address.sin_port));
    rill__dns_settings_now.servers = server;
    CHECK_INT(rill_run(leave_lookups, NULL), 0);
    close(fd);
}

/* ---- TLS: names ---- */

static int serve_handshake(void *arg)
{
    rill_auto(rill_stream) stream = rill_accept(arg);
    rill__stream_handshake(stream, "the client");
    return 0;
}

static int subject_only(void *arg)
{
    (void)arg;
    rill_auto(rill_listener) listener =
        rill_listen(LOCAL, 0, .tls = true, .tls_options = shown("localhost"));
    rill_task server = rill_spawn(serve_handshake, listener);
    rill_auto(rill_stream) stream =
        rill_connect("localhost", rill_listener_port(listener), .tls = true,
                     .tls_options = { .ca_file = certificates_path("root.pem") });
    CHECK(!stream);
    CHECK_INT(rill_errcode(), RILL_ECERTIFICATE_HOST);
    return rill_join(server);
}

/* RFC 9110, section 4.3.4. */
TEST(a_name_in_the_subject_alone_does_not_count)
{
    CHECK_INT(with_certificates(subject_only), 0);
}

static int with_zone(void *arg)
{
    (void)arg;
    rill_auto(rill_listener) listener =
        rill_listen("::1", 0, .tls = true, .tls_options = shown("good"));
    if (!listener) {
        test_skip("there is no IPv6");
        return 0;
    }
    rill_task server = rill_spawn(serve_handshake, listener);
    rill_auto(rill_stream) stream =
        rill_connect("::1%lo", rill_listener_port(listener), .tls = true,
                     .tls_options = { .ca_file = certificates_path("root.pem") });
    CHECK(stream != NULL);
    CHECK_STR(rill_last_error()->message, "");
    return rill_join(server);
}

TEST(a_zone_is_no_part_of_what_a_certificate_is_for)
{
    CHECK_INT(with_certificates(with_zone), 0);
}

/* ---- TLS: cancellation ---- */

static int cancelled_calls(void *arg)
{
    (void)arg;
    struct pair pair;
    rill_scope scope;
    CHECK_INT(pair_open(&pair, true), 0);
    CHECK_INT(rill_stream_write(pair.far, "hello", 5), 0);
    CHECK_INT(read_one(pair.near), 1); /* four more are decrypted already */
    rill_scope_begin(&scope);
    rill_scope_cancel(&scope, NULL);
    CHECK_INT(read_one(pair.near), RILL_ECANCELED);
    CHECK_INT(rill_stream_write(pair.near, "", 0), RILL_ECANCELED);
    CHECK_INT(rill_stream_shutdown(pair.near), RILL_ECANCELED);
    rill_scope_end(&scope, 0);
    CHECK_INT(read_some(pair.near), 4);
    pair_close(&pair);
    return 0;
}

TEST(in_a_cancelled_scope_nothing_is_done_that_need_not_wait)
{
    CHECK_INT(with_certificates(cancelled_calls), 0);
}

static int write_until_full(void *arg)
{
    static char bytes[16 << 10];
    for (;;) {
        int rc = rill_stream_write(arg, bytes, sizeof bytes);
        if (rc < 0)
            return rc;
    }
}

/* Reads so many bytes, then answers. */
struct answerer {
    rill_stream *stream;
    uint64_t count;
};

static int answer(void *arg)
{
    const struct answerer *answerer = arg;
    char buf[20000];
    while (rill_stream_received(answerer->stream) < answerer->count)
        if (rill_stream_read(answerer->stream, buf, sizeof buf) <= 0)
            return rill_errcode();
    return rill_stream_write(answerer->stream, "!", 1);
}

/* What was counted as written goes out although nothing more is written. */
static int left_behind(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair, true), 0);
    CHECK_INT(rill_within(0.1, write_until_full, pair.near), RILL_ETIMEDOUT);
    struct answerer answerer = { pair.far, rill_stream_written(pair.near) };
    rill_task task = rill_spawn(answer, &answerer);
    CHECK_INT(rill_within(2, read_one, pair.near), 1);
    rill_cancel(task);
    CHECK_INT(rill_join(task), 0);
    pair_close(&pair);
    return 0;
}

/* The same with a reader that waited all the while. */
static int left_beside(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair, true), 0);
    rill_task reader = rill_spawn(read_one, pair.near);
    CHECK_INT(rill_within(0.1, write_until_full, pair.near), RILL_ETIMEDOUT);
    struct answerer answerer = { pair.far, rill_stream_written(pair.near) };
    CHECK_INT(rill_within(2, answer, &answerer), 0);
    CHECK_INT(rill_sleep(0.1), 0);
    rill_cancel(reader);
    CHECK_INT(rill_join(reader), 1);
    pair_close(&pair);
    return 0;
}

TEST(what_a_cancelled_write_left_behind_goes_out)
{
    CHECK_INT(with_certificates(left_behind), 0);
    CHECK_INT(with_certificates(left_beside), 0);
}

/* A peer that does not read what is left behind is read from all the same. */
static int early_answer(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair, true), 0);
    CHECK_INT(rill_within(0.1, write_until_full, pair.near), RILL_ETIMEDOUT);
    CHECK_INT(rill_stream_write(pair.far, "!", 1), 0);
    CHECK_INT(rill_within(2, read_one, pair.near), 1);
    CHECK_INT(rill_within(0.05, read_one, pair.near), RILL_ETIMEDOUT);
    pair_close(&pair);
    return 0;
}

TEST(an_early_answer_is_read_while_much_is_left_behind)
{
    CHECK_INT(with_certificates(early_answer), 0);
}

static int free_it(void *arg)
{
    rill_sleep(0.05);
    rill_stream_free(arg);
    return 0;
}

/* A stream that is freed while its reader sends aside and its writer waits for that. */
static int freed_aside(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair, true), 0);
    CHECK_INT(rill_within(0.1, write_until_full, pair.near), RILL_ETIMEDOUT);
    rill_task reader = rill_spawn(read_one, pair.near);
    rill_sleep(0.01);
    rill_task writer = rill_spawn(write_until_full, pair.near);
    CHECK_INT(rill_join(rill_spawn(free_it, pair.near)), 0);
    CHECK_INT(rill_join(reader), RILL_ECLOSED);
    CHECK_INT(rill_join(writer), RILL_ECLOSED);
    pair.near = NULL;
    pair_close(&pair);
    return 0;
}

TEST(freeing_a_stream_ends_who_sends_and_who_waits)
{
    CHECK_INT(with_certificates(freed_aside), 0);
}

/* ---- TLS: a peer that is another program ---- */

struct peer {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
    void (*act)(struct peer *peer);
    pthread_t thread;
    int stop[2]; /* closed to end it */
};

static void *peer_main(void *arg)
{
    struct peer *peer = arg;
    SSL_set_fd(peer->ssl, peer->fd);
    if (SSL_accept(peer->ssl) == 1)
        peer->act(peer);
    return NULL;
}

/* Starts a server on a thread, for one connection, and connects to it. */
static rill_stream *peer_open(struct peer *peer, void (*act)(struct peer *peer))
{
    rill_tls_opts options = shown("good");
    *peer = (struct peer){ .context = SSL_CTX_new(TLS_server_method()), .act = act };
    SSL_CTX_use_certificate_file(peer->context, options.cert_file, SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(peer->context, options.key_file, SSL_FILETYPE_PEM);
    SSL_CTX_set_num_tickets(peer->context, 0);
    peer->ssl = SSL_new(peer->context);
    CHECK_INT(pipe(peer->stop), 0);
    signal(SIGPIPE, SIG_IGN); /* the peer writes on when the client is gone */
    /* TLS is put on the near end of a plain pair; the far one's descriptor goes to the thread. */
    struct pair pair;
    CHECK_INT(pair_open(&pair, false), 0);
    peer->fd = dup(rill_stream_fd(pair.far));
    CHECK_INT(fcntl(peer->fd, F_SETFL, 0), 0);
    rill_stream_free(pair.far);
    rill_listener_free(pair.listener);
    pthread_create(&peer->thread, NULL, peer_main, peer);
    rill_tls_opts trust = { .ca_file = certificates_path("root.pem") };
    rill__tls_context *context = rill__tls_context_client(&trust);
    CHECK_INT(rill__stream_set_tls(pair.near, context, "localhost"), 0);
    rill__tls_context_unref(context);
    CHECK_INT(rill__stream_handshake(pair.near, "the peer"), 0);
    return pair.near;
}

static void peer_close(struct peer *peer)
{
    close(peer->stop[1]);
    shutdown(peer->fd, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->stop[0]);
    close(peer->fd);
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->context);
}

static void send_for_ever(struct peer *peer)
{
    static char bytes[16 << 10];
    while (SSL_write(peer->ssl, bytes, sizeof bytes) > 0)
        continue;
}

static int count_ticks(void *arg)
{
    int *ticks = arg;
    for (;;) {
        int rc = rill_sleep(0.001);
        if (rc < 0)
            return rc;
        ++*ticks;
    }
}

/* A peer that always has something to say does not keep the thread. */
static int flooded(void *arg)
{
    (void)arg;
    struct peer peer;
    rill_stream *stream = peer_open(&peer, send_for_ever);
    int ticks = 0;
    rill_task task = rill_spawn(count_ticks, &ticks);
    char byte;
    for (int i = 0; i < 1000000 && ticks == 0; i++)
        CHECK_INT(rill_stream_read(stream, &byte, 1), 1);
    CHECK(ticks > 0);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    rill_stream_free(stream);
    peer_close(&peer);
    return 0;
}

TEST(a_peer_that_never_stops_does_not_keep_the_thread)
{
    CHECK_INT(with_certificates(flooded), 0);
}

static void ask_for_new_keys(struct peer *peer)
{
    char byte;
    usleep(300000); /* the client has filled the socket */
    SSL_key_update(peer->ssl, SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(peer->ssl);
    ssize_t n = read(peer->stop[0], &byte, 1); /* reads nothing of the client's */
    (void)n;
}

/* A reader that has to answer the peer does not take the writer's limit away. */
static int new_keys(void *arg)
{
    (void)arg;
    struct peer peer;
    rill_stream *stream = peer_open(&peer, ask_for_new_keys);
    CHECK_INT(rill_within(0.1, write_until_full, stream), RILL_ETIMEDOUT);
    rill_task reader = rill_spawn(read_one, stream);
    rill_sleep(0.5);
    uint64_t before = rill_stream_written(stream);
    CHECK_INT(rill_within(0.2, write_until_full, stream), RILL_ETIMEDOUT);
    CHECK(rill_stream_written(stream) - before < 100000);
    rill_cancel(reader);
    CHECK_INT(rill_join(reader), RILL_ECANCELED);
    rill_stream_free(stream);
    peer_close(&peer);
    return 0;
}

TEST(a_writer_waits_while_a_reader_sends)
{
    CHECK_INT(with_certificates(new_keys), 0);
}

/* ---- TLS: the goodbye ---- */

/* Moves what one engine has made to the other. */
static void carry(rill__tls *from, rill__tls *to)
{
    rill__buf *made = rill__tls_output(from);
    CHECK_INT(rill__tls_feed(to, made->ptr, made->len), 0);
    rill__buf_consume(made, made->len);
}

static int goodbyes(void *arg)
{
    (void)arg;
    rill_tls_opts trust = { .ca_file = certificates_path("root.pem") }, options = shown("good");
    rill__tls_context *contexts[2] = { rill__tls_context_client(&trust),
                                       rill__tls_context_server(&options) };
    rill__tls *client = rill__tls_new(contexts[0], "localhost");
    rill__tls *server = rill__tls_new(contexts[1], NULL);
    for (int i = 0; i < 4; i++) {
        rill__tls_handshake(client);
        carry(client, server);
        rill__tls_handshake(server);
        carry(server, client);
    }
    CHECK_INT(rill__tls_write(server, "hello", 5), 5);
    carry(server, client);
    rill__tls_goodbye(client);
    rill__tls_goodbye(client); /* as after a cancelled shutdown */
    char buf[10];
    CHECK_INT(rill__tls_read(client, buf, sizeof buf), 5);
    rill__tls_free(client);
    rill__tls_free(server);
    rill__tls_context_unref(contexts[0]);
    rill__tls_context_unref(contexts[1]);
    return 0;
}

TEST(a_second_goodbye_does_not_eat_what_came)
{
    CHECK_INT(with_certificates(goodbyes), 0);
}
