/* Allocations: fails the 1st, 2nd, … nth of a whole scenario: no crash, no leak, no request that
 * hangs, and the server goes on. And counts those of a plain request: there are none. */
#include "base/alloc.h"
#include "server_lib.h"

#include <stdlib.h>
#include <unistd.h>

#define CLOSE HOST "Connection: close\r\n"

static const char *const requests[] = {
    "GET / HTTP/1.1\r\n" CLOSE "\r\n",
    "GET /about?q=1&q=2&r=3 HTTP/1.1\r\n" CLOSE "User-Agent: x\r\n\r\n",
    "GET /name/a%20b HTTP/1.1\r\n" CLOSE "\r\n",
    "GET /nope HTTP/1.1\r\n" CLOSE "\r\n",
    "DELETE /echo HTTP/1.1\r\n" CLOSE "\r\n",
    "OPTIONS * HTTP/1.1\r\n" CLOSE "\r\n",
    "POST /echo HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "POST /json HTTP/1.1\r\n" CLOSE "Content-Length: 7\r\n\r\n[1,2,3]",
    "GET /resource HTTP/1.1\r\n" CLOSE "Range: bytes=0-1,5-6\r\n\r\n",
    "GET /stream?n=3&size=40000&s=0.001 HTTP/1.1\r\n" CLOSE "\r\n",
    "GET /large?size=100000 HTTP/1.1\r\n" CLOSE "\r\n",
    "GET /child HTTP/1.1\r\n" CLOSE "\r\n",
    "nonsense\r\n\r\n",
};

static unsigned long failing;

static void client(int port)
{
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        int fd = raw_connect(port);
        raw_puts(fd, requests[i]);
        char *reply = raw_read(fd, NULL, 3);
        if (strstr(reply, "<silence>"))
            test_fail(__FILE__, __LINE__, "allocation %lu: %.40s hangs: %.100s", failing,
                      requests[i], reply);
        free(reply);
        close(fd);
    }
    rill__alloc_fail_at = 0;
    check_status(port, GET_ROOT, 200, false);
}

static rill_app *app;
static bool served;

static int run_client(void *arg)
{
    (void)arg;
    client(rill_app_port(app));
    return 0;
}

static int run(void *arg)
{
    (void)arg;
    served = false;
    int rc = rill_app_start(app, .host = "127.0.0.1", .port = RILL_ANY_PORT, .access_log = true);
    if (rc < 0)
        return rc;
    served = rill_to_thread(run_client, NULL) == 0;
    return rill_app_stop(app);
}

static void drop_log(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)arg;
    (void)level;
    (void)subsystem;
    (void)message;
}

TEST_WITHIN(nth_allocation_fails, 120)
{
    rill_log_to(drop_log, NULL);
    fflush(stderr);
    freopen("/dev/null", "w", stderr);
    for (failing = 1; failing < 2000; failing++) {
        rill__alloc_count = 0;
        rill__alloc_fail_at = failing;
        app = test_app_new();
        int status = rill_run(run, NULL);
        rill_app_free(app);
        bool reached = rill__alloc_count >= failing;
        rill__alloc_fail_at = 0;
        if (served && !reached) {
            CHECK_INT(status, 0);
            break;
        }
    }
    CHECK(failing > 20 && failing < 2000);
    rill_log_to(NULL, NULL);
}

static void ask(int fd, int times)
{
    for (int i = 0; i < times; i++) {
        raw_puts(fd, GET_ROOT);
        free(raw_read(fd, "World!", 1));
    }
}

static void client_counts(int port)
{
    int fd = raw_connect(port);
    ask(fd, 10);
    unsigned long before = rill__alloc_count;
    ask(fd, 100);
    CHECK_INT(rill__alloc_count, before);
    close(fd);
}

TEST(plain_requests_allocate_nothing)
{
    serve(client_counts);
}
