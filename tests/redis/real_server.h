/* A redis-server of the test's own, on a free port of loopback and a unix socket in a folder of its
 * own; it dies with the test. */
#ifndef RILL_TESTS_REDIS_REAL_SERVER_H
#define RILL_TESTS_REDIS_REAL_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct server {
    pid_t pid;
    int port;
    char folder[64];
    char url[64];      /* redis://127.0.0.1:PORT */
    char unix_url[96]; /* unix:///FOLDER/s */
    bool tls;          /* what listens on the port speaks TLS */
};

/* Starts it and waits until it listens. False when there is no redis-server: the test is skipped
 * then, or when it does not start: then it has failed. `password` may be NULL. */
bool server_start(struct server *server, const char *password);
/* The same with TLS, by a certificate for localhost of its own, FOLDER/cert.pem. */
bool server_start_tls(struct server *server);
/* Starts it again, on the same port, after server_kill. */
bool server_restart(struct server *server, const char *password);
/* Kills it at once. */
void server_kill(struct server *server);
/* Kills it and removes its folder. */
void server_stop(struct server *server);

#endif
