/* Name lookup, against a name server of our own on loopback; and the race of several addresses. */
#include "harness.h"

#include "net/net_internal.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <rill/net.h>
#include <rill/task.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the name server: what it does hangs on the first label ---- */

static int server_fd, tcp_fd;
static char server_text[40];
static _Atomic int queries; /* for A records */

struct answer {
    unsigned char bytes[1024];
    size_t len;
};

static void put(struct answer *answer, const void *bytes, size_t len)
{
    memcpy(answer->bytes + answer->len, bytes, len);
    answer->len += len;
}

/* A record for the name in the question: pointer to it, A, IN, TTL 60, the address. */
static void put_address(struct answer *answer, const char *address)
{
    static const unsigned char head[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4 };
    struct in_addr v4;
    inet_pton(AF_INET, address, &v4);
    put(answer, head, sizeof head);
    put(answer, &v4, 4);
    answer->bytes[7]++; /* ANCOUNT */
}

static void put_loopback6(struct answer *answer)
{
    static const unsigned char head[] = { 0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16 };
    put(answer, head, sizeof head);
    put(answer, &in6addr_loopback, 16);
    answer->bytes[7]++;
}

static bool is(const char *name, const char *label)
{
    return strncmp(name, label, strlen(label)) == 0;
}

/* Returns false for silence. */
static bool make_answer(const unsigned char *query, size_t len, bool tcp, struct answer *ret_answer)
{
    const char *name = (const char *)query + 13;
    bool a = query[len - 3] == 1; /* the type; no EDNS is sent */
    struct answer answer = { .len = len };
    memcpy(answer.bytes, query, len);
    answer.bytes[2] |= 0x80;
    answer.bytes[3] = 0x80;
    queries += a;
    if (is(name, "silent"))
        return false;
    if (is(name, "slow"))
        usleep(20000);
    if (is(name, "big") && !tcp)
        answer.bytes[2] |= 2; /* TC: ask again by TCP */
    else if (is(name, "nx"))
        answer.bytes[3] |= 3;
    else if (is(name, "broken"))
        answer.bytes[3] |= 2;
    else if (is(name, "garbage"))
        memset(answer.bytes + 2, 0xff, answer.len - 2);
    else if (is(name, "race") && a)
        put_address(&answer, "127.0.0.2"), put_address(&answer, "127.0.0.1");
    else if (is(name, "many") && a)
        for (int i = 0; i < 25; i++)
            put_address(&answer, "127.0.0.1");
    else if (is(name, "both") && !a)
        put_loopback6(&answer);
    else if (a && !is(name, "nodata"))
        put_address(&answer, "127.0.0.1");
    *ret_answer = answer;
    return true;
}

static void *serve_udp(void *arg)
{
    unsigned char query[512];
    struct answer answer;
    struct sockaddr_in from;
    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(server_fd, query, sizeof query, 0, (struct sockaddr *)&from, &len);
        if (n < 18)
            return arg;
        if (make_answer(query, (size_t)n, false, &answer))
            sendto(server_fd, answer.bytes, answer.len, 0, (struct sockaddr *)&from, len);
    }
}

static void serve_connection(int fd)
{
    unsigned char query[512], head[2];
    struct answer answer;
    while (recv(fd, head, 2, MSG_WAITALL) == 2) {
        size_t len = (size_t)head[1];
        if (recv(fd, query, len, MSG_WAITALL) != (ssize_t)len)
            return;
        if (!make_answer(query, len, true, &answer))
            continue;
        unsigned char size[2] = { (unsigned char)(answer.len >> 8), (unsigned char)answer.len };
        send(fd, size, 2, MSG_NOSIGNAL | MSG_MORE);
        send(fd, answer.bytes, answer.len, MSG_NOSIGNAL);
    }
}

static void *serve_tcp(void *arg)
{
    for (int fd; (fd = accept(tcp_fd, NULL, NULL)) >= 0; close(fd))
        serve_connection(fd);
    return arg;
}

/* Both sockets at one port: one that is free for both has to be found. */
static struct sockaddr_in open_server(void)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    for (bool done = false; !done;) {
        address =
            (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
        tcp_fd = socket(AF_INET, SOCK_STREAM, 0);
        server_fd = socket(AF_INET, SOCK_DGRAM, 0);
        bind(tcp_fd, (struct sockaddr *)&address, len);
        listen(tcp_fd, 10);
        getsockname(tcp_fd, (struct sockaddr *)&address, &len);
        done = bind(server_fd, (struct sockaddr *)&address, len) == 0;
        if (!done) {
            close(tcp_fd);
            close(server_fd);
        }
    }
    return address;
}

static int with_server(rill_task_fn *fn, void *arg)
{
    struct sockaddr_in address = open_server();
    socklen_t len = sizeof address;
    pthread_t udp, tcp;
    snprintf(server_text, sizeof server_text, "127.0.0.1:%d", ntohs(address.sin_port));
    rill__dns_settings_now =
        (rill__dns_settings){ .servers = server_text, .timeout_ms = 100, .tries = 2 };
    pthread_create(&udp, NULL, serve_udp, NULL);
    pthread_create(&tcp, NULL, serve_tcp, NULL);
    int status = rill_run(fn, arg);
    sendto(server_fd, "", 0, 0, (struct sockaddr *)&address, len); /* ends it */
    shutdown(tcp_fd, SHUT_RDWR);
    pthread_join(udp, NULL);
    pthread_join(tcp, NULL);
    close(server_fd);
    close(tcp_fd);
    return status;
}

/* ---- what it finds ---- */

static int lookups(void *arg)
{
    (void)arg;
    static const struct {
        const char *name;
        int code;
        const char *message;
    } list[] = {
        { "good.test", 0, NULL },
        { "good.test.", 0, NULL },
        { "many.test", 0, NULL },
        { "big.test", 0, NULL },
        { "localhost", 0, NULL },
        { "127.0.0.1", 0, NULL },
        { "nx.test", RILL_EDNS_NOTFOUND, "resolve nx.test: no such host" },
        { "nodata.test", RILL_EDNS_NOTFOUND, "resolve nodata.test: no such host" },
        { "silent.test", RILL_EDNS_TIMEOUT, "resolve silent.test: no answer from the name server" },
        { "broken.test", RILL_EDNS, NULL },
        { "garbage.test", RILL_EDNS, NULL },
        { "a..b", RILL_EDNS_NOTFOUND, "resolve a..b: not a valid name" },
        { "[::1]", RILL_EDNS_NOTFOUND, "resolve [::1]: not a valid name" },
        { "0123456789012345678901234567890123456789012345678901234567890123.test",
          RILL_EDNS_NOTFOUND, NULL },
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        rill__addresses found;
        int rc = rill__resolve(list[i].name, 80, &found);
        if (!rill_code_is(rc, list[i].code) && rc != list[i].code)
            test_fail(__FILE__, __LINE__, "%s: %s", list[i].name, rill_last_error()->message);
        if (rc == 0) {
            char text[RILL__ADDRESS_TEXT];
            rill__address_text(text, sizeof text, &found.list[0].base, found.list[0].len);
            CHECK(strcmp(text, "127.0.0.1:80") == 0 || strcmp(text, "[::1]:80") == 0);
        }
        if (list[i].message)
            CHECK_STR(rill_last_error()->message, list[i].message);
    }
    return 0;
}

TEST(names_are_found_or_not_in_so_many_words)
{
    CHECK_INT(with_server(lookups, NULL), 0);
}

static int connect_unknown(void *arg)
{
    (void)arg;
    CHECK(!rill_connect("nx.test", 80));
    CHECK_INT(rill_errcode(), RILL_EDNS_NOTFOUND);
    CHECK(!rill_connect("silent.test", 80, .timeout = 0.05));
    CHECK_INT(rill_errcode(), RILL_ECONNECT_TIMEOUT);
    CHECK_STR(rill_last_error()->message, "connect silent.test:80: not connected within 0.05 s");
    return 0;
}

TEST(connecting_to_an_unknown_name_fails)
{
    CHECK_INT(with_server(connect_unknown, NULL), 0);
}

static int resolve(void *name)
{
    rill__addresses found;
    return rill__resolve(name, 80, &found);
}

static int share(void *arg)
{
    (void)arg;
    rill_task tasks[10];
    queries = 0;
    for (int i = 0; i < 10; i++)
        tasks[i] = rill_spawn(resolve, i % 2 ? "SLOW.test" : "slow.test");
    for (int i = 0; i < 10; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
    CHECK_INT(queries, 1);
    CHECK_INT(resolve("slow.test"), 0);
    CHECK_INT(queries, 1); /* it is remembered */
    CHECK_INT(resolve("nx.test"), RILL_EDNS_NOTFOUND);
    CHECK_INT(resolve("nx.test"), RILL_EDNS_NOTFOUND);
    CHECK_INT(queries, 3); /* failures are not */
    return 0;
}

TEST(equal_lookups_are_one_and_kept)
{
    CHECK_INT(with_server(share, NULL), 0);
}

static int cancel(void *arg)
{
    (void)arg;
    queries = 0;
    rill_task other = rill_spawn(resolve, "slow.test");
    CHECK_INT(rill_within(0.01, resolve, "slow.test"), RILL_ETIMEDOUT);
    CHECK_INT(rill_join(other), 0);
    CHECK_INT(rill_within(0.01, resolve, "slow.also.test"), RILL_ETIMEDOUT);
    rill_sleep(0.15);
    CHECK_INT(resolve("slow.also.test"), 0); /* what nobody waited for is kept too */
    CHECK_INT(queries, 2);
    CHECK_INT(rill_within(0.01, resolve, "silent.test"), RILL_ETIMEDOUT);
    return 0; /* the loop ends with a lookup in flight */
}

TEST(a_cancelled_lookup_leaves_the_others_alone)
{
    CHECK_INT(with_server(cancel, NULL), 0);
}

static int many_names(void *arg)
{
    (void)arg;
    char name[40];
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "n%d.test", i);
        CHECK_INT(resolve(name), 0);
    }
    queries = 0;
    CHECK_INT(resolve(name), 0);
    CHECK_INT(queries, 0);
    CHECK_INT(resolve("n0.test"), 0);
    CHECK_INT(queries, 1); /* the oldest had to go */
    return 0;
}

TEST(what_is_kept_is_bounded)
{
    CHECK_INT(with_server(many_names, NULL), 0);
}

static int nobody_listens(void *arg)
{
    (void)arg;
    return resolve("good.test");
}

TEST(a_name_server_that_is_not_there)
{
    rill__dns_settings_now =
        (rill__dns_settings){ .servers = "127.0.0.1:1", .timeout_ms = 100, .tries = 1 };
    CHECK_INT(rill_run(nobody_listens, NULL), 1);
}

/* ---- happy eyeballs ---- */

/* A listener at 127.0.0.2 whose queue is full: it never answers. */
static int dead_fds[5];

static void make_dead(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(0x7f000002) };
    dead_fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(bind(dead_fds[0], (struct sockaddr *)&address, sizeof address), 0);
    listen(dead_fds[0], 0);
    for (int i = 1; i < 5; i++) {
        dead_fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(dead_fds[i], (struct sockaddr *)&address, sizeof address);
    }
    usleep(10000);
}

static int race(void *arg)
{
    bool dead = arg; /* else refused */
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 0);
    int port = rill_listener_port(listener);
    if (dead)
        make_dead(port);
    double start = rill_now();
    rill_auto(rill_stream) stream = rill_connect("race.test", port);
    double took = rill_now() - start;
    CHECK(stream);
    if (stream)
        CHECK_CONTAINS(rill_stream_peer(stream), "127.0.0.1:");
    CHECK(dead ? took > 0.2 && took < 0.4 : took < 0.1);
    if (dead) {
        rill_listener_free(rill_take(listener));
        start = rill_now();
        CHECK(!rill_connect("race.test", port, .attempt_timeout = 0.1));
        CHECK_INT(rill_errcode(), RILL_ESOCK_CONNECT_TIMEOUT); /* of the first address */
        CHECK(!rill_connect("race.test", port, .timeout = 0.1));
        CHECK_INT(rill_errcode(), RILL_ECONNECT_TIMEOUT);
        for (int i = 0; i < 5; i++)
            close(dead_fds[i]);
    }
    CHECK(!rill_connect("race.test", 1));
    CHECK_INT(rill_errcode(), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "connect race.test:1: connection refused");
    return 0;
}

TEST(the_first_address_to_answer_wins)
{
    CHECK_INT(with_server(race, NULL), 0);
    CHECK_INT(with_server(race, ""), 0);
}

/* One family is refused, the other answers. */
static int both_families(void *arg)
{
    rill_auto(rill_listener) listener = rill_listen(arg, 0);
    rill__addresses found;
    CHECK_INT(rill__resolve("both.test", 80, &found), 0);
    CHECK_INT(found.count, 2);
    rill_auto(rill_stream) stream = rill_connect("both.test", rill_listener_port(listener));
    CHECK(stream && strstr(rill_stream_peer(stream), arg));
    return 0;
}

TEST(either_family_will_do)
{
    CHECK_INT(with_server(both_families, "127.0.0.1"), 0);
    CHECK_INT(with_server(both_families, "::1"), 0);
}

/* ---- cancelled anywhere, and memory that runs out ---- */

static int scenario(void *arg)
{
    int port = *(int *)arg;
    rill_auto(rill_stream) stream = rill_connect("race.test", port);
    return stream ? 0 : rill_errcode();
}

struct sweep {
    unsigned long at, points;
    int port;
};

static int cancel_at(void *arg)
{
    struct sweep *sweep = arg;
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 0);
    sweep->port = rill_listener_port(listener);
    *rill__loop_sweep() = (rill__sweep){ .cancel_at = sweep->at };
    int rc = scenario(&sweep->port);
    sweep->points = rill__loop_sweep()->points;
    rill__loop_sweep()->cancel_at = 0;
    /* When it is one attempt that is cancelled, the other's failure may be what is left. */
    CHECK(rc == 0 || rc == RILL_ECANCELED || rc == RILL_EREFUSED);
    return 0;
}

TEST(cancelling_anywhere_is_clean)
{
    struct sweep sweep = { .at = 0 };
    do {
        sweep.at++;
        CHECK_INT(with_server(cancel_at, &sweep), 0);
    } while (sweep.points >= sweep.at && sweep.at < 100);
    CHECK(sweep.at > 5 && sweep.at < 100);
}

TEST(running_out_of_memory_anywhere_is_clean)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bind(fd, (struct sockaddr *)&address, len);
    listen(fd, 1000);
    getsockname(fd, (struct sockaddr *)&address, &len);
    int port = ntohs(address.sin_port);
    (void)!freopen("/dev/null", "w", stderr);
    unsigned long n = 1;
    for (; n < 1000; n++) {
        rill__alloc_count = 0;
        rill__alloc_fail_at = n;
        int status = with_server(scenario, &port);
        unsigned long used = rill__alloc_count;
        rill__alloc_fail_at = 0;
        if (used < n) {
            CHECK_INT(status, 0);
            break;
        }
    }
    CHECK(n > 20 && n < 1000);
    close(fd);
}
