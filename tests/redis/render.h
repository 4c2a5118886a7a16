/* Replies as text, to compare: status +OK, error -ERR, text "x", number 7, nil, array [1 2]. */
#ifndef RILL_TESTS_REDIS_RENDER_H
#define RILL_TESTS_REDIS_RENDER_H

#include "base/buf.h"

#include <hiredis/hiredis.h>

void render_reply(rill__buf *out, const redisReply *reply);

#endif
