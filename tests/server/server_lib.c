/* What the server's tests share; see server_lib.h. */
#include "server_lib.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- serving ---- */

struct served {
    rill_app *app;
    raw_client_fn *client;
    rill_app_opts opts;
};

static int run_client(void *arg)
{
    struct served *served = arg;
    served->client(rill_app_port(served->app));
    return 0;
}

static int run_served(void *arg)
{
    struct served *served = arg;
    int rc = rill_app_start_with(&served->opts);
    if (rc < 0)
        return rc;
    rill_to_thread(run_client, served);
    return rill_app_stop(served->app);
}

void serve_with(rill_app *app, const struct serving *serving)
{
    struct served served = { app, serving->client, serving->opts };
    served.opts.size = sizeof served.opts;
    served.opts.app = app;
    served.opts.host = "127.0.0.1";
    served.opts.port = RILL_ANY_PORT;
    if (served.opts.shutdown_timeout == 0)
        served.opts.shutdown_timeout = 2;
    CHECK_INT(rill_run(run_served, &served), 0);
    rill_app_free(app);
}

/* ---- raw sockets ---- */

double raw_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void raw_pause(double seconds)
{
    struct timespec span = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
    nanosleep(&span, NULL);
}

int raw_connect(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        test_fail(__FILE__, __LINE__, "connect to port %d: %s", port, strerror(errno));
    return fd;
}

bool raw_send(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool raw_puts(int fd, const char *text)
{
    return raw_send(fd, text, strlen(text));
}

struct text {
    char *ptr;
    size_t len, cap;
};

static char *append(struct text *text, const char *more, size_t len)
{
    while (text->len + len + 1 > text->cap) {
        text->cap = text->cap ? 2 * text->cap : 4096;
        text->ptr = realloc(text->ptr, text->cap);
    }
    memcpy(text->ptr + text->len, more, len);
    text->len += len;
    text->ptr[text->len] = '\0';
    return text->ptr;
}

char *raw_read(int fd, const char *until, double seconds)
{
    struct text text = { 0 };
    append(&text, "", 0);
    for (;;) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        if (poll(&poll_fd, 1, (int)(seconds * 1000)) == 0)
            return append(&text, "<silence>", 9);
        char piece[65536];
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        if (n == 0)
            return append(&text, "<end>", 5);
        if (n < 0)
            return append(&text, "<reset>", 7);
        append(&text, piece, (size_t)n);
        if (until && strstr(text.ptr, until))
            return text.ptr;
    }
}

char *raw_talk_bytes(int port, const void *request, size_t len)
{
    int fd = raw_connect(port);
    raw_send(fd, request, len);
    char *text = raw_read(fd, NULL, 0.4);
    close(fd);
    return text;
}

char *raw_talk(int port, const char *request)
{
    return raw_talk_bytes(port, request, strlen(request));
}

int raw_status(const char *text)
{
    static const char mark[] = "HTTP/1.1 ";
    const char *last = NULL, *end = text + strlen(text);
    for (const char *at = text; (at = memmem(at, (size_t)(end - at), mark, 9)); at += 9)
        last = at;
    return last ? atoi(last + 9) : 0;
}

size_t raw_count(const char *text, const char *part)
{
    size_t count = 0, len = strlen(part);
    const char *end = text + strlen(text);
    for (const char *at = text; (at = memmem(at, (size_t)(end - at), part, len)); at += len)
        count++;
    return count;
}

void check_status(int port, const char *request, int status, bool closes)
{
    int fd = raw_connect(port);
    raw_puts(fd, request);
    char *reply = raw_read(fd, closes ? NULL : "\r\n\r\n", 2);
    if (raw_status(reply) != status)
        test_fail(__FILE__, __LINE__, "%.60s: status %d, not %d: %.200s", request,
                  raw_status(reply), status, reply);
    if (closes && !strstr(reply, "<end>"))
        test_fail(__FILE__, __LINE__, "%.60s: the connection does not end: %.300s", request, reply);
    free(reply);
    close(fd);
}
