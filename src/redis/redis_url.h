/*
 * The URL of a redis: redis://, rediss:// and unix://. Strict, and silent about what it holds: no
 * error quotes the URL, since any part of it may be part of a password that was not escaped.
 */
#ifndef RILL_SRC_REDIS_REDIS_URL_H
#define RILL_SRC_REDIS_REDIS_URL_H

#include <rill/base.h>

typedef struct rill__redis_url {
    char *text; /* a copy, cut into pieces, that user and password point into */
    size_t text_len;
    char *host;    /* for rill_connect: a name, an address, or "unix:/path" */
    rill_str user; /* decoded; ptr is NULL without one */
    rill_str password;
    int port;
    int database;
    bool tls;
} rill__redis_url;

/* Returns 0, RILL_EURL or RILL_ENOMEM. To be freed in any case. */
int rill__redis_url_parse(rill__redis_url *url, const char *text);
/* Wipes the password and frees. A zeroed one may be freed. */
void rill__redis_url_free(rill__redis_url *url);

#endif
