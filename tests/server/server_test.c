/* The server as applications use it: routes, bodies, replies, and the life of an application. */
#include "server_lib.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void check_contains(int port, const char *request, const char *part)
{
    char *reply = raw_talk(port, request);
    if (!strstr(reply, part))
        test_fail(__FILE__, __LINE__, "%.80s: no '%s' in: %.400s", request, part, reply);
    free(reply);
}

#define REQUEST(line) line " HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"
#define POST(path, length)                                                                         \
    "POST " path " HTTP/1.1\r\n" HOST "Connection: close\r\n"                                      \
    "Content-Length: " length "\r\n\r\n"

static void client_routes(int port)
{
    check_contains(port, REQUEST("GET /"), "Hello, World!<end>");
    check_contains(port, REQUEST("GET /"), "\r\nDate: ");
    check_contains(port, REQUEST("GET /"), "\r\nContent-Type: text/plain; charset=utf-8\r\n");
    check_contains(port, REQUEST("GET /name/you%20%26%20I"), "name=you & I path=/name/you & I");
    check_contains(port, REQUEST("GET /name/a%2Fb"), "name=a/b path=/name/a%2Fb");
    check_contains(port, REQUEST("GET /name/fixed"), "Hello, World!");
    check_contains(port, REQUEST("GET /rest/a/b%2Fc"), "rest=a/b/c");
    check_contains(port, REQUEST("BREW /about?q=a+b%21&r=1"),
                   "BREW /about?q=a+b%21&r=1 host=a fields=2 agent=- q=a b! length=0 data=some");
    check_contains(port, REQUEST("GET http://a/about?q"), " q= length=0");
    check_contains(port, "GET /about HTTP/1.1\r\n" HOST "USER-AGENT:  x y \r\n\r\n", " agent=x y ");
    check_contains(port, REQUEST("GET /nope"), "404 Not Found");
    check_contains(port, REQUEST("DELETE /echo"), "405 Method Not Allowed");
    check_contains(port, REQUEST("DELETE /echo"), "\r\nAllow: POST, PUT\r\n");
    check_contains(port, REQUEST("OPTIONS *"), "\r\nAllow: ");
    check_contains(port, REQUEST("GET /nothing"), "500 Internal Server Error");
    check_contains(port, REQUEST("GET /fails"), "\r\n\r\nInternal Server Error\n<end>");
    check_contains(port, REQUEST("GET /child"), "0\r\n\r\n<end>");
}

TEST(routes_and_replies)
{
    serve(client_routes);
}

static void client_keep_alive(int port)
{
    check_contains(port, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                   "\r\nConnection: keep-alive\r\n\r\nHello, World!<silence>");
    check_contains(port, "GET / HTTP/1.0\r\n\r\n",
                   "\r\nConnection: close\r\n\r\nHello, World!<end>");
    check_contains(port, GET_ROOT, "Hello, World!<silence>");
    int fd = raw_connect(port);
    for (int i = 0; i < 50; i++) {
        raw_puts(fd, GET_ROOT);
        char *reply = raw_read(fd, "World!", 1);
        CHECK_INT(raw_status(reply), 200);
        free(reply);
    }
    close(fd);
}

TEST(keep_alive)
{
    serve(client_keep_alive);
}

/* Sends the request in two pieces, cut at every place; the reply is the same. */
static void client_pieces(int port)
{
    static const char request[] =
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
        "5;x=y\r\nhello\r\n3\r\n, w\r\n0\r\nX: y\r\n\r\n";
    for (size_t cut = 1; cut < sizeof request - 1; cut++) {
        int fd = raw_connect(port);
        raw_send(fd, request, cut);
        raw_pause(0.002);
        raw_puts(fd, request + cut);
        char *reply = raw_read(fd, "hello, w", 1);
        if (raw_status(reply) != 200 || !strstr(reply, "hello, w"))
            test_fail(__FILE__, __LINE__, "cut at %zu: %s", cut, reply);
        free(reply);
        close(fd);
    }
}

TEST(requests_in_pieces)
{
    serve(client_pieces);
}

static void client_bodies(int port)
{
    check_contains(port, POST("/echo", "5") "hello", "\r\n\r\nhello<end>");
    check_contains(port, POST("/echo", "0"), "\r\nContent-Length: 0\r\n");
    check_contains(port, POST("/small", "10") "0123456789", "0123456789<end>");
    check_contains(port, POST("/small", "11") "0123456789a", "413 Content Too Large");
    check_contains(port,
                   "POST /small HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                   "8\r\n01234567\r\n3\r\n89a\r\n0\r\n\r\n",
                   "413 Content Too Large");
    check_contains(port, POST("/small", "1000000000"), "larger than 10 bytes\n<end>");
    check_contains(port, POST("/json", "13") "{\"a\": [1, 2]}", "\r\n\r\n{\"a\":[1,2]}<end>");
    check_contains(port, POST("/json", "5") "{\"a\":", "400 Bad Request");
    check_contains(port, POST("/json", "5") "{\"a\":", "request body: line 1, column 5: ");
}

/* A large body behind a head that leaves little room in the first buffer. */
static char *post_large(int port, const char *path, size_t size)
{
    char *request = malloc(size + 20000);
    int head = snprintf(request, 20000,
                        "POST %s HTTP/1.1\r\n" HOST "X: %07000d\r\nY: %08000d\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        path, 1, 2, size);
    memset(request + head, 'b', size);
    char *reply = raw_talk_bytes(port, request, (size_t)head + size);
    free(request);
    return reply;
}

static void client_large_bodies(int port)
{
    char *reply = post_large(port, "/count", 700000);
    CHECK_CONTAINS(reply, "\r\n\r\n700000<silence>");
    free(reply);
    reply = post_large(port, "/echo", 700000);
    CHECK_CONTAINS(reply, "Content-Length: 700000");
    CHECK_INT(strspn(strstr(reply, "\r\n\r\n") + 4, "b"), 700000);
    free(reply);
    reply = post_large(port, "/echo", 1 << 20);
    CHECK_INT(raw_status(reply), 200);
    free(reply);
    reply = post_large(port, "/echo", (1 << 20) + 1);
    CHECK_INT(raw_status(reply), 413);
    CHECK_CONTAINS(reply, "<end>");
    free(reply);
}

TEST(large_bodies)
{
    serve(client_large_bodies);
}

static void client_impatient(int port)
{
    int fd = raw_connect(port);
    raw_puts(fd, "POST /impatient HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n");
    for (int i = 0; i < 10; i++) {
        raw_pause(0.02);
        raw_send(fd, &"0123456789"[i], 1);
    }
    raw_puts(fd, GET_ROOT);
    char *reply = raw_read(fd, "World!", 2);
    CHECK_CONTAINS(reply, "0123456789 after many");
    CHECK_CONTAINS(reply, "Hello, World!");
    free(reply);
    close(fd);
}

TEST(cancelled_reads_lose_nothing)
{
    serve(client_impatient);
}

TEST(bodies)
{
    serve(client_bodies);
}

static void client_streams(int port)
{
    check_contains(port, REQUEST("GET /stream?n=2&size=3"),
                   "3\r\nxxx\r\n3\r\nxxx\r\n0\r\n\r\n<end>");
    check_contains(port, REQUEST("GET /stream?n=0"), "\r\n\r\n0\r\n\r\n<end>");
    check_contains(port, REQUEST("GET /stream?n=1&size=3&length=3"), "\r\n\r\nxxx<end>");
    /* Each piece arrives when it was written. */
    int fd = raw_connect(port);
    raw_puts(fd, "GET /stream?n=2&size=3&s=0.5 HTTP/1.1\r\n" HOST "\r\n");
    double start = raw_now();
    free(raw_read(fd, "xxx", 1));
    CHECK(raw_now() - start < 0.4);
    char *reply = raw_read(fd, "0\r\n\r\n", 3);
    CHECK_CONTAINS(reply, "xxx");
    free(reply);
    close(fd);
    /* Far more than is buffered. */
    fd = raw_connect(port);
    raw_puts(fd, REQUEST("GET /stream?n=300&size=65536&length=19660800"));
    reply = raw_read(fd, NULL, 10);
    CHECK_INT(strspn(strstr(reply, "\r\n\r\n") + 4, "x"), 19660800);
    free(reply);
    close(fd);
    reply = raw_talk(port, REQUEST("GET /large?size=5000000"));
    CHECK_INT(strspn(strstr(reply, "\r\n\r\n") + 4, "y"), 5000000);
    free(reply);
}

TEST(streams)
{
    serve(client_streams);
}

static void client_many(int port)
{
    int fds[200];
    double start = raw_now();
    for (int i = 0; i < 200; i++) {
        fds[i] = raw_connect(port);
        raw_puts(fds[i], "GET /slow?s=0.3 HTTP/1.1\r\n" HOST "\r\n");
    }
    for (int i = 0; i < 200; i++) {
        char *reply = raw_read(fds[i], "slept", 3);
        CHECK_INT(raw_status(reply), 200);
        free(reply);
        close(fds[i]);
    }
    CHECK(raw_now() - start < 2);
}

TEST(handlers_run_at_once)
{
    serve(client_many);
}

static void client_limit(int port)
{
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = raw_connect(port);
        raw_puts(fds[i], GET_ROOT);
    }
    for (int i = 0; i < 2; i++)
        free(raw_read(fds[i], "World!", 1));
    char *reply = raw_read(fds[2], "World!", 0.3);
    CHECK_STR(reply, "<silence>"); /* it waits to be accepted */
    free(reply);
    close(fds[0]);
    reply = raw_read(fds[2], "World!", 1);
    CHECK_INT(raw_status(reply), 200);
    free(reply);
    close(fds[1]);
    close(fds[2]);
    free(raw_read(fds[3], "World!", 1));
    close(fds[3]);
}

TEST(max_connections)
{
    serve(client_limit, .opts.max_connections = 2);
}

/* ---- the log ---- */

static char logged[4000];

static void keep_log(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)arg;
    (void)level;
    size_t len = strlen(logged);
    snprintf(logged + len, sizeof logged - len, "%s: %s\n", subsystem, message);
}

static void client_log(int port)
{
    free(raw_talk(port, REQUEST("GET /?a=%22%5c\"\\\x80")));
    free(raw_talk(port, REQUEST("GET /nope")));
    free(raw_talk(port, "nonsense\r\n\r\n"));
}

TEST(access_log)
{
    rill_log_to(keep_log, NULL);
    serve(client_log, .opts.access_log = true);
    rill_log_to(NULL, NULL);
    CHECK_CONTAINS(logged, "access: 127.0.0.1 - - [");
    CHECK_CONTAINS(logged, " +0000] \"GET /nope HTTP/1.1\" 404 10 0.");
    CHECK_CONTAINS(logged, "] \"-\" 400 ");
    CHECK(!strstr(logged, "\"\\\x80"));
}

static int fail_halfway(rill_request *request)
{
    rill_reply_begin(request, 200);
    rill_reply_write(request, "half", 4);
    return rill_fail(RILL_EFAILED, "the source ran dry");
}

static void client_of_half(int port)
{
    char *reply = raw_talk(port, REQUEST("GET /halfway"));
    CHECK_CONTAINS(reply, "half");
    CHECK(!strstr(reply, "\r\n0\r\n"));
    free(reply);
}

TEST(failures_after_the_reply_began_are_logged)
{
    rill_app *app = test_app_new();
    rill_app_get(app, "/halfway", fail_halfway);
    rill_log_to(keep_log, NULL);
    serve_with(app, &(const struct serving){ .client = client_of_half });
    rill_log_to(NULL, NULL);
    CHECK_CONTAINS(logged, "server: GET /halfway: the source ran dry");
}

/* ---- the life of an application ---- */

static char events[500];

static void event(const char *text)
{
    size_t len = strlen(events);
    snprintf(events + len, sizeof events - len, "%s ", text);
}

static int up_1(rill_app *app)
{
    rill_app_set_data(app, events);
    event("up1");
    return 0;
}

static int up_2(rill_app *app)
{
    (void)app;
    event("up2");
    return rill_sleep(0.01);
}

static int up_fails(rill_app *app)
{
    (void)app;
    event("fails");
    return rill_fail(RILL_EFAILED, "no luck today");
}

static int going_down(rill_app *app)
{
    (void)app;
    event("shutdown");
    return 0;
}

static int down_1(rill_app *app)
{
    event(rill_app_data(app) == events ? "down1" : "lost");
    return rill_sleep(0.01);
}

static int down_2(rill_app *app)
{
    (void)app;
    event("down2");
    return rill_fail(RILL_EFAILED, "does not matter");
}

static int background(void *arg)
{
    event("background");
    while (rill_sleep(10) == 0)
        continue;
    event("cancelled");
    (void)arg;
    return rill_errcode();
}

static int ticks;

static int tick(void *arg)
{
    (void)arg;
    ticks++;
    return rill_fail(RILL_EFAILED, "a tick failed");
}

static void client_stops(int port)
{
    check_status(port, GET_ROOT, 200, false);
    raw_pause(0.2);
}

TEST(hooks_in_order)
{
    rill_app *app = test_app_new();
    rill_app_on_startup(app, up_1);
    rill_app_on_cleanup(app, down_1);
    rill_app_on_startup(app, up_2);
    rill_app_on_cleanup(app, down_2);
    rill_app_on_shutdown(app, going_down);
    rill_app_background(app, background, .name = "back");
    rill_app_every(app, 0.05, tick, .jitter = 0.01);
    rill_log_to(keep_log, NULL);
    serve_with(app, &(const struct serving){ .client = client_stops });
    rill_log_to(NULL, NULL);
    CHECK_STR(events, "up1 up2 background shutdown cancelled down2 down1 ");
    CHECK(ticks >= 3 && ticks <= 6);
    CHECK_CONTAINS(logged, "a tick failed");
    CHECK_CONTAINS(logged, "clean-up hook: does not matter");
}

static int start_with_mistake(void *app)
{
    CHECK_INT(rill_app_start(app, .port = RILL_ANY_PORT, .host = "127.0.0.1"), RILL_EINVAL);
    CHECK_CONTAINS(rill_last_error()->message, "application: background task 'often': interval: ");
    return 0;
}

TEST(a_jitter_longer_than_its_period_is_told)
{
    rill_app *app = test_app_new();
    rill_app_every(app, 1, tick, .jitter = 2, .name = "often");
    CHECK_INT(rill_run(start_with_mistake, app), 0);
    rill_app_free(app);
}

static int start_and_fail(void *app)
{
    int rc = rill_app_start(app, .port = RILL_ANY_PORT, .host = "127.0.0.1");
    CHECK_INT(rc, RILL_EFAILED);
    CHECK_STR(rill_last_error()->message, "no luck today");
    return 0;
}

TEST(startup_fails)
{
    rill_app *app = test_app_new();
    rill_app_on_startup(app, up_1);
    rill_app_on_cleanup(app, down_1);
    rill_app_on_startup(app, up_fails);
    rill_app_on_startup(app, up_2);
    rill_app_on_cleanup(app, down_2);
    rill_app_background(app, background);
    CHECK_INT(rill_run(start_and_fail, app), 0);
    CHECK_STR(events, "up1 fails down1 ");
    rill_app_free(app);
}

static int start_bad_route(void *app)
{
    CHECK_INT(rill_app_start(app), RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, "route GET nope: the path does not begin with a slash");
    return 0;
}

static int no_reply(rill_request *request)
{
    (void)request;
    return 0;
}

TEST(bad_route_is_told_at_the_start)
{
    rill_app *app = test_app_new();
    rill_app_get(app, "nope", no_reply);
    rill_app_get(app, "/{", no_reply);
    CHECK_INT(rill_run(start_bad_route, app), 0);
    rill_app_free(app);
}

static int busy_fds[3];

static int stop_while_busy(void *arg)
{
    rill_app *app = arg;
    rill_app_start(app, .port = RILL_ANY_PORT, .host = "127.0.0.1", .shutdown_timeout = 0.5);
    int port = rill_app_port(app);
    static const char *const requests[] = { "GET /slow?s=0.3 HTTP/1.1\r\n" HOST "\r\n",
                                            "GET /slow?s=30 HTTP/1.1\r\n" HOST "\r\n", GET_ROOT };
    for (int i = 0; i < 3; i++) {
        busy_fds[i] = raw_connect(port);
        raw_puts(busy_fds[i], requests[i]);
    }
    rill_sleep(0.1);
    double start = raw_now();
    CHECK_INT(rill_app_stop(app), 0);
    double took = raw_now() - start;
    CHECK(took > 0.4 && took < 0.9);
    return 0;
}

TEST(graceful_stop)
{
    rill_app *app = test_app_new();
    CHECK_INT(rill_run(stop_while_busy, app), 0);
    char *reply = raw_read(busy_fds[0], NULL, 1);
    CHECK_CONTAINS(reply, "Connection: close");
    CHECK_CONTAINS(reply, "slept<end>");
    free(reply);
    CHECK_STR(test_app_seen.cancel_reason, "the application stops");
    reply = raw_read(busy_fds[1], NULL, 1); /* it was cancelled: the client is told */
    CHECK_INT(raw_status(reply), 503);
    CHECK_CONTAINS(reply, "<end>");
    free(reply);
    reply = raw_read(busy_fds[2], NULL, 1);
    CHECK_CONTAINS(reply, "World!<end>");
    free(reply);
    for (int i = 0; i < 3; i++)
        close(busy_fds[i]);
    rill_app_free(app);
}

static int stubborn(rill_request *request)
{
    rill_scope scope;
    rill_scope_begin(&scope, .shield = true);
    int rc = rill_scope_end(&scope, rill_sleep(0.6));
    return rc < 0 ? rc : rill_reply_text(request, 200, "late");
}

static int stop_with_stubborn(void *arg)
{
    rill_app *app = arg;
    rill_app_start(app, .port = RILL_ANY_PORT, .host = "127.0.0.1", .shutdown_timeout = 0.1);
    for (int i = 0; i < 2; i++) {
        busy_fds[i] = raw_connect(rill_app_port(app));
        raw_puts(busy_fds[i], "GET /stubborn HTTP/1.1\r\n" HOST "\r\n");
    }
    rill_sleep(0.05);
    CHECK_INT(rill_app_stop(app), 0);
    rill_app_free(app); /* while its handlers still run */
    return busy_fds[2] ? rill_sleep(1) : 0;
}

static void check_stubborn(bool outlive)
{
    rill_app *app = test_app_new();
    rill_app_get(app, "/stubborn", stubborn);
    busy_fds[2] = outlive;
    CHECK_INT(rill_run(stop_with_stubborn, app), 0);
    close(busy_fds[0]);
    close(busy_fds[1]);
}

TEST(handlers_that_ignore_the_stop)
{
    rill_log_to(keep_log, NULL);
    check_stubborn(true);
    check_stubborn(false);
    CHECK_CONTAINS(logged, "server: 2 handlers go on although they were cancelled");
    rill_log_to(NULL, NULL);
}

static int start_and_leave(void *arg)
{
    rill_app *app = arg;
    rill_app_start(app, .port = RILL_ANY_PORT, .host = "127.0.0.1");
    busy_fds[0] = raw_connect(rill_app_port(app));
    busy_fds[1] = raw_connect(rill_app_port(app));
    raw_puts(busy_fds[0], "GET /slow?s=30 HTTP/1.1\r\n" HOST "\r\n");
    return rill_sleep(0.1);
}

TEST(loop_ends_without_a_stop)
{
    rill_app *app = test_app_new();
    CHECK_INT(rill_run(start_and_leave, app), 0);
    rill_app_free(app);
    close(busy_fds[0]);
    close(busy_fds[1]);
}

static int start_twice(void *arg)
{
    rill_app *app = arg;
    for (int i = 0; i < 3; i++) {
        CHECK_INT(rill_app_start(app, .port = RILL_ANY_PORT, .host = "127.0.0.1"), 0);
        CHECK_INT(rill_app_start(app), RILL_EBUSY);
        CHECK_INT(rill_app_stop(app), 0);
        CHECK_INT(rill_app_stop(app), 0);
    }
    return 0;
}

TEST(start_again)
{
    rill_app *app = test_app_new();
    CHECK_INT(rill_run(start_twice, app), 0);
    rill_app_free(app);
}

static int port_in_use(void *arg)
{
    (void)arg;
    rill_app *one = test_app_new(), *two = test_app_new();
    rill_app_start(one, .port = RILL_ANY_PORT, .host = "127.0.0.1");
    int port = rill_app_port(one);
    CHECK_INT(rill_app_start(two, .port = port, .host = "127.0.0.1"), RILL_ELISTEN);
    char expected[80];
    snprintf(expected, sizeof expected, "listen 127.0.0.1:%d: Address already in use", port);
    CHECK_STR(rill_last_error()->message, expected);
    rill_app_stop(one);
    rill_app_free(one);
    rill_app_free(two);
    return 0;
}

TEST(port_in_use)
{
    CHECK_INT(rill_run(port_in_use, NULL), 0);
}

static int serve_unix(void *arg)
{
    static const char request[] = REQUEST("GET /peer");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    rill_app *app = arg;
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/rill-server-%d", (int)getpid());
    char host[120];
    snprintf(host, sizeof host, "unix:%s", address.sun_path);
    CHECK_INT(rill_app_start(app, .host = host), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    raw_puts(fd, request);
    rill_sleep(0.1);
    char *reply = raw_read(fd, NULL, 1);
    CHECK_CONTAINS(reply, "\r\n\r\nunix: 0<end>");
    free(reply);
    close(fd);
    CHECK_INT(rill_app_stop(app), 0);
    CHECK(access(address.sun_path, F_OK) < 0);
    return 0;
}

TEST(unix_socket)
{
    rill_app *app = test_app_new();
    CHECK_INT(rill_run(serve_unix, app), 0);
    rill_app_free(app);
}

TEST(no_application)
{
    rill_app_get(NULL, "/", NULL);
    rill_app_on_startup(NULL, up_1);
    rill_app_background(NULL, background);
    rill_app_free(NULL);
}
