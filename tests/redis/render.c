/* Replies as text: see render.h. */
#include "render.h"

/* A reply is nested as deep as the parser allows. */
void render_reply(rill__buf *out, const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_NIL:
        rill__buf_puts(out, "nil");
        break;
    case REDIS_REPLY_INTEGER:
        rill__buf_printf(out, "%lld", reply->integer);
        break;
    case REDIS_REPLY_ARRAY:
        rill__buf_putc(out, '[');
        for (size_t i = 0; i < reply->elements; i++) {
            rill__buf_puts(out, i ? " " : "");
            render_reply(out, reply->element[i]);
        }
        rill__buf_putc(out, ']');
        break;
    default:
        rill__buf_puts(out, reply->type == REDIS_REPLY_STATUS  ? "+"
                            : reply->type == REDIS_REPLY_ERROR ? "-"
                                                               : "\"");
        rill__buf_append(out, reply->str, reply->len);
        rill__buf_puts(out, reply->type == REDIS_REPLY_STRING ? "\"" : "");
    }
}
