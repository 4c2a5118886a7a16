/* JSON both ways: the one place of the client that knows jansson. */
#ifndef RILL_SRC_CLIENT_JSON_H
#define RILL_SRC_CLIENT_JSON_H

#include "base/buf.h"

struct json_t;

/* Appends a value. 0, RILL_EJSON for what JSON cannot hold, or RILL_ENOMEM. */
int rill__client_json_write(rill__buf *out, const struct json_t *value);
/* The value of a text, or NULL with RILL_EJSON (line, column) or RILL_ENOMEM. */
struct json_t *rill__client_json_parse(rill_str text);
/* Whether a content type announces JSON: "application/json", "application/problem+json". */
bool rill__client_json_is_type(const char *content_type);

#endif
