/* Attacks by time and by volume: slow peers, peers that do not read, that send too much, or leave.
 */
#include "server_lib.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void check_alive(int port)
{
    check_status(port, GET_ROOT, 200, false);
}

static void client_14(int port)
{
    int fds[50];
    double start = raw_now();
    for (int i = 0; i < 50; i++) {
        fds[i] = raw_connect(port);
        raw_puts(fds[i], "GET / HTTP/1.1\r\nX: ");
    }
    for (int i = 0; i < 6; i++) { /* a byte now and then buys no time */
        raw_pause(0.1);
        check_alive(port);
        for (int j = 0; j < 50; j++)
            raw_puts(fds[j], "a");
    }
    for (int i = 0; i < 50; i++) {
        char *reply = raw_read(fds[i], NULL, 2);
        CHECK_INT(raw_status(reply), 408);
        CHECK(strstr(reply, "<end>") || strstr(reply, "<reset>"));
        free(reply);
        close(fds[i]);
    }
    CHECK(raw_now() - start < 2);
}

TEST(attack_14_slow_heads)
{
    serve(client_14, .opts.head_timeout = 0.4);
}

static void client_14_silent(int port)
{
    int silent = raw_connect(port), used = raw_connect(port);
    raw_puts(used, GET_ROOT);
    free(raw_read(used, "World!", 1));
    char *reply = raw_read(silent, NULL, 1);
    CHECK_STR(reply, "<end>"); /* nothing was asked: there is nothing to answer */
    free(reply);
    raw_puts(used, GET_ROOT); /* whose patience is keepalive_timeout */
    reply = raw_read(used, "World!", 1);
    CHECK_INT(raw_status(reply), 200);
    free(reply);
    reply = raw_read(used, NULL, 2);
    CHECK_STR(reply, "<end>");
    free(reply);
    close(silent);
    close(used);
}

TEST(attack_14_silent_and_idle)
{
    serve(client_14_silent, .opts.head_timeout = 0.3, .opts.keepalive_timeout = 0.8);
}

static void client_14_late(int port)
{
    raw_pause(0.6); /* the loop sleeps: its patience begins when a connection comes, not before */
    check_alive(port);
    int fd = raw_connect(port);
    raw_pause(0.6);
    char *reply = raw_read(fd, NULL, 1);
    CHECK_STR(reply, "<end>");
    free(reply);
    close(fd);
}

TEST(attack_14_patience_begins_with_the_connection)
{
    serve(client_14_late, .opts.head_timeout = 0.4);
}

static void client_15(int port)
{
    int fd = raw_connect(port);
    double start = raw_now();
    raw_puts(fd, "POST /count HTTP/1.1\r\n" HOST "Content-Length: 1073741824\r\n\r\n");
    for (int i = 0; i < 10; i++) {
        raw_pause(0.05);
        raw_puts(fd, "b");
    }
    char *reply = raw_read(fd, NULL, 2);
    CHECK_INT(raw_status(reply), 408);
    CHECK_INT(test_app_seen.body_code, RILL_ETIMEDOUT);
    CHECK(raw_now() - start < 2);
    free(reply);
    close(fd);
    /* Slow, but not too slow: every 16 KiB have their time. */
    static char piece[16384];
    fd = raw_connect(port);
    raw_puts(fd, "POST /count HTTP/1.1\r\n" HOST "Content-Length: 81920\r\n\r\n");
    for (int i = 0; i < 5; i++) {
        raw_pause(0.15);
        raw_send(fd, piece, sizeof piece);
    }
    reply = raw_read(fd, "81920", 2);
    CHECK_INT(raw_status(reply), 200);
    free(reply);
    close(fd);
}

TEST(attack_15_slow_body)
{
    serve(client_15, .opts.body_timeout = 0.3);
}

/* Connects with the smallest window, and never reads. */
static int connect_narrow(int port)
{
    int fd = raw_connect(port), size = 1024;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return fd;
}

static void client_16(int port)
{
    int fd = connect_narrow(port);
    raw_puts(fd, "GET /stream?n=1000&size=65536 HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 0; i < 30 && test_app_seen.write_code == 0; i++)
        raw_pause(0.1);
    CHECK_INT(test_app_seen.write_code, RILL_ETIMEDOUT);
    close(fd);
    fd = connect_narrow(port);
    raw_puts(fd, "GET /large?size=30000000 HTTP/1.1\r\n" HOST "\r\n");
    raw_pause(1.5);
    check_alive(port);
    char *reply = raw_read(fd, NULL, 2);
    CHECK(strstr(reply, "<reset>") || strstr(reply, "<end>"));
    CHECK(strlen(reply) < 30000000);
    free(reply);
    close(fd);
}

TEST(attack_16_slow_readers)
{
    serve(client_16, .opts.send_timeout = 0.5);
}

struct sender {
    int fd;
    const char *request;
    int count;
};

static void *send_many(void *arg)
{
    struct sender *sender = arg;
    size_t len = strlen(sender->request);
    char *all = malloc(len * (size_t)sender->count);
    for (int i = 0; i < sender->count; i++)
        memcpy(all + len * (size_t)i, sender->request, len);
    raw_send(sender->fd, all, len * (size_t)sender->count);
    free(all);
    return NULL;
}

static void client_17(int port)
{
    int fd = raw_connect(port);
    pthread_t thread;
    struct sender sender = { fd, GET_ROOT, 10000 };
    pthread_create(&thread, NULL, send_many, &sender);
    raw_pause(0.3); /* it does not read: the server has to stop reading as well */
    check_alive(port);
    char *reply = raw_read(fd, NULL, 1);
    pthread_join(thread, NULL);
    CHECK_INT(raw_count(reply, "HTTP/1.1 200 OK"), 10000);
    CHECK_INT(raw_count(reply, "Hello, World!"), 10000);
    free(reply);
    close(fd);
    /* In order, those that wait between those that do not. */
    reply = raw_talk(port, "GET /name/1 HTTP/1.1\r\n" HOST "\r\n"
                           "GET /slow?s=0.05 HTTP/1.1\r\n" HOST "\r\n"
                           "GET /name/2 HTTP/1.1\r\n" HOST "\r\n"
                           "GET /nope HTTP/1.1\r\n" HOST "\r\n"
                           "GET /name/3 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" GET_ROOT);
    const char *one = strstr(reply, "name=1"), *slept = strstr(reply, "slept");
    const char *two = strstr(reply, "name=2"), *none = strstr(reply, "not found");
    const char *three = strstr(reply, "name=3");
    CHECK(one && slept && two && none && three);
    CHECK(one < slept && slept < two && two < none && none < three);
    CHECK_INT(raw_count(reply, "HTTP/1.1 "), 5); /* nothing after the close */
    CHECK_CONTAINS(reply, "<end>");
    free(reply);
}

TEST(attack_17_pipelined)
{
    serve(client_17);
}

#define EXPECT "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"

static void client_18(int port)
{
    int fd = raw_connect(port);
    raw_puts(fd, "POST /echo HTTP/1.1\r\n" HOST EXPECT);
    char *reply = raw_read(fd, "\r\n\r\n", 1);
    CHECK_STR(reply, "HTTP/1.1 100 Continue\r\n\r\n");
    free(reply);
    raw_puts(fd, "hello");
    reply = raw_read(fd, "hello", 1);
    CHECK_INT(raw_status(reply), 200);
    free(reply);
    close(fd);
    /* The body comes without waiting. */
    reply = raw_talk(port, "POST /echo HTTP/1.1\r\n" HOST EXPECT "hello");
    CHECK_INT(raw_count(reply, "HTTP/1.1 "), 1);
    CHECK_CONTAINS(reply, "hello");
    free(reply);
    /* A final status: no 100 after it, and the connection can only end. */
    reply = raw_talk(port, "POST /early HTTP/1.1\r\n" HOST EXPECT);
    CHECK_INT(raw_status(reply), 403);
    CHECK_INT(raw_count(reply, "HTTP/1.1 "), 1);
    CHECK_CONTAINS(reply, "Connection: close");
    CHECK_CONTAINS(reply, "<end>");
    free(reply);
    check_status(port, "POST /echo HTTP/1.1\r\n" HOST "Expect: magic\r\nContent-Length: 0\r\n\r\n",
                 417, true);
    /* Never sending: the slow-body rule ends it. */
    reply = raw_talk(port, "POST /echo HTTP/1.1\r\n" HOST EXPECT);
    CHECK_INT(raw_status(reply), 408);
    free(reply);
    /* HTTP/1.0 knows no 100. */
    reply = raw_talk(port, "POST /echo HTTP/1.0\r\n" EXPECT "hello");
    CHECK_INT(raw_count(reply, "HTTP/1.1 "), 1);
    CHECK_INT(raw_status(reply), 200);
    free(reply);
}

TEST(attack_18_expect)
{
    serve(client_18, .opts.body_timeout = 0.2);
}

static void client_19(int port)
{
    static char piece[1 << 20];
    int fd = raw_connect(port);
    raw_puts(fd, "POST /early HTTP/1.1\r\n" HOST "Content-Length: 1073741824\r\n\r\n");
    /* A client that reads nothing before it has sent it all, or fails to. */
    for (int i = 0; i < 200; i++)
        if (!raw_send(fd, piece, sizeof piece))
            break;
    char *reply = raw_read(fd, NULL, 1);
    CHECK_INT(raw_status(reply), 403);
    CHECK_CONTAINS(reply, "<end>");
    free(reply);
    close(fd);
    /* A small rest is read, and the connection goes on. */
    reply =
        raw_talk(port, "POST /early HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello" GET_ROOT);
    CHECK_INT(raw_count(reply, "HTTP/1.1 "), 2);
    CHECK_INT(raw_status(reply), 200);
    free(reply);
    reply = raw_talk(port, "POST /early HTTP/1.1\r\n" HOST
                           "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" GET_ROOT);
    CHECK_INT(raw_count(reply, "HTTP/1.1 "), 2);
    free(reply);
}

TEST(attack_19_early_reply)
{
    serve(client_19);
}

/* Sends, closes its side, and reads. */
static char *talk_half(int port, const char *request)
{
    int fd = raw_connect(port);
    raw_puts(fd, request);
    shutdown(fd, SHUT_WR);
    char *reply = raw_read(fd, NULL, 1);
    close(fd);
    return reply;
}

static void client_20(int port)
{
    char *reply = talk_half(port, "GET /slow?s=0.1 HTTP/1.1\r\n" HOST "\r\n");
    CHECK_CONTAINS(reply, "slept<end>");
    free(reply);
    reply = talk_half(port, GET_ROOT GET_ROOT);
    CHECK_INT(raw_count(reply, "Hello, World!"), 2);
    CHECK_CONTAINS(reply, "<end>");
    free(reply);
    reply = talk_half(port, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhello");
    CHECK_INT(raw_status(reply), 400);
    CHECK_INT(test_app_seen.body_code, RILL_EREQUEST_BODY);
    CHECK_CONTAINS(reply, "<end>");
    free(reply);
    reply = talk_half(port, "POST /count HTTP/1.1\r\n" HOST
                            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    CHECK_INT(raw_status(reply), 400);
    free(reply);
    reply = talk_half(port, "GET / HTTP/1.1\r\nHos");
    CHECK_STR(reply, "<end>");
    free(reply);
}

TEST(attack_20_half_close)
{
    serve(client_20);
}

static void churn(int port, int count)
{
    struct linger reset = { .l_onoff = 1 };
    for (int i = 0; i < count; i++) {
        int fd = raw_connect(port);
        if (i % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
}

static int descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void client_22(int port)
{
    check_alive(port);
    raw_pause(0.1);
    int before = descriptors();
    churn(port, 3000);
    check_alive(port);
    raw_pause(0.2);
    CHECK_INT(descriptors(), before);
}

TEST(attack_22_churn)
{
    serve(client_22);
}

static void client_gone(int port)
{
    int fd = raw_connect(port);
    raw_puts(fd, "GET /watched?s=5 HTTP/1.1\r\n" HOST "\r\n");
    raw_pause(0.1);
    close(fd);
    raw_pause(0.2);
    CHECK_STR(test_app_seen.cancel_reason, "the client disconnected");
    /* Without being asked, a handler is not cancelled. */
    test_app_seen.cancel_reason[0] = '\0';
    fd = raw_connect(port);
    raw_puts(fd, "GET /slow?s=0.2 HTTP/1.1\r\n" HOST "\r\n");
    raw_pause(0.05);
    close(fd);
    raw_pause(0.3);
    CHECK_STR(test_app_seen.cancel_reason, "");
    /* What is sent while a watched handler runs is the next request. */
    fd = raw_connect(port);
    raw_puts(fd, "GET /watched?s=0.2 HTTP/1.1\r\n" HOST "\r\n");
    raw_pause(0.05);
    raw_puts(fd, GET_ROOT);
    char *reply = raw_read(fd, "World!", 1);
    CHECK_CONTAINS(reply, "slept");
    CHECK_CONTAINS(reply, "World!");
    free(reply);
    close(fd);
}

TEST(client_disconnects)
{
    serve(client_gone);
}
