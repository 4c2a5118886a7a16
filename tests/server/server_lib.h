/*
 * Runs an application on a free port of loopback, and a client beside it that speaks raw bytes.
 *
 * The client runs on a thread, with blocking sockets: so that nothing of rill is on its side.
 */
#ifndef RILL_TESTS_SERVER_LIB_H
#define RILL_TESTS_SERVER_LIB_H

#include "harness.h"
#include "test_app.h"

typedef void raw_client_fn(int port);

/* Serves the test application with these options while the client runs; checks that no connection
 * and no descriptor is left when it has stopped. The port and the host are filled in. */
#define serve(...) serve_with(test_app_new(), &(const struct serving){ .client = __VA_ARGS__ })

struct serving {
    raw_client_fn *client;
    rill_app_opts opts;
};
void serve_with(rill_app *app, const struct serving *serving);

int raw_connect(int port);
/* Sends all of it; false when the peer has reset the connection. */
bool raw_send(int fd, const void *bytes, size_t len);
bool raw_puts(int fd, const char *text);
/* Reads until `until` has come (NULL: until the end), or nothing for `seconds`. The text, to be
 * freed, ends with what happened instead: "<end>", "<reset>" or "<silence>". */
char *raw_read(int fd, const char *until, double seconds);
/* Connects, sends, reads to the end or to silence, closes. To be freed. */
char *raw_talk(int port, const char *request);
char *raw_talk_bytes(int port, const void *request, size_t len);
/* The status of the last reply in the text; 0 for none. */
int raw_status(const char *text);
size_t raw_count(const char *text, const char *part);
double raw_now(void);
void raw_pause(double seconds);

/* Sends one request and checks its status; with `closes`, that the connection ends after it. */
void check_status(int port, const char *request, int status, bool closes);

#define HOST "Host: a\r\n"
#define GET_ROOT "GET / HTTP/1.1\r\n" HOST "\r\n"

#endif
