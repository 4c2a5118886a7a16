/*
 * Bodies: a length, chunks, or all until the connection ends.
 *
 *     state        takes                              goes to
 *     LENGTH       `left` bytes of data               END
 *     CLOSE        data                               END (at EOF)
 *     SIZE         a chunk's line                     DATA, TRAILER (size 0)
 *     DATA         `left` bytes of data               DATA_END
 *     DATA_END     CRLF                               SIZE
 *     TRAILER      a field line, the empty line       TRAILER, END
 */
#include "base/fail.h"
#include "http/h1_line.h"

enum {
    STATE_END,
    STATE_LENGTH,
    STATE_CLOSE,
    STATE_SIZE,
    STATE_DATA,
    STATE_DATA_END,
    STATE_TRAILER,
    STATE_FAILED,
};

_Static_assert(STATE_END == 0, "rill__h1_body_done");

/* Sixteen digits hold every 64-bit size; more, even zeros, are somebody's overflow test. */
#define SIZE_DIGITS 16

/* The input of one call, as far as it is not consumed. */
struct input {
    const char *at;
    size_t len;
};

static void take(struct input *in, size_t len)
{
    in->at += len;
    in->len -= len;
}

void rill__h1_body_init(struct rill__h1_body *body, const struct rill__h1_head *head)
{
    static const uint8_t states[] = {
        [RILL__H1_BODY_NONE] = STATE_END,
        [RILL__H1_BODY_LENGTH] = STATE_LENGTH,
        [RILL__H1_BODY_CHUNKED] = STATE_SIZE,
        [RILL__H1_BODY_CLOSE] = STATE_CLOSE,
    };
    *body = (struct rill__h1_body){ .limits = head->limits, .state = states[head->body] };
    if (body->state == STATE_LENGTH) {
        body->left = head->content_length;
        if (body->left == 0)
            body->state = STATE_END;
    }
}

static enum rill__h1_step refuse(struct rill__h1_body *body, enum rill__h1_reason reason)
{
    body->reason = (uint8_t)reason;
    body->state = STATE_FAILED;
    return RILL__H1_REFUSED;
}

/* Data of which `left` says how much there is: as much as came, then `next`. */
static enum rill__h1_step give(struct rill__h1_body *body, struct input *in, int next,
                               rill_str *ret_data)
{
    size_t len = in->len < body->left ? in->len : (size_t)body->left;
    if (len == 0)
        return RILL__H1_MORE;
    *ret_data = (rill_str){ in->at, len };
    take(in, len);
    body->left -= len;
    if (body->left == 0)
        body->state = (uint8_t)next;
    return RILL__H1_DATA;
}

static enum rill__h1_step give_all(struct input *in, rill_str *ret_data)
{
    if (in->len == 0)
        return RILL__H1_MORE;
    *ret_data = (rill_str){ in->at, in->len };
    take(in, in->len);
    return RILL__H1_DATA;
}

/* Looks for the end of the line that `in` begins with: its length, or a step that is not DATA. */
static enum rill__h1_step next_line(struct rill__h1_body *body, const struct input *in,
                                    enum rill__h1_reason when_long, uint32_t *ret_end)
{
    if (in->len == 0)
        return RILL__H1_MORE;
    ptrdiff_t end = rill__h1_line_end(in->at, in->len, body->limits->field, &body->scanned);
    if (end == RILL__H1_LINE_MORE)
        return RILL__H1_MORE;
    if (end == RILL__H1_LINE_LONG)
        return refuse(body, when_long);
    if (end == RILL__H1_LINE_BAD)
        return refuse(body, rill__h1_line_fault(in->at[body->scanned]));
    body->scanned = 0;
    *ret_end = (uint32_t)end;
    return RILL__H1_DATA;
}

/* The length of the quoted string at the front (RFC 9110 5.6.4); 0 when it is none. */
static size_t quoted_len(rill_str text)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] == '"')
            return i + 1;
        if (text.ptr[i] == '\\')
            i++;
    }
    return 0;
}

/* *( ";" name [ "=" ( token / quoted string ) ] ), without white space (RFC 9112 7.1.1). */
static bool are_extensions(rill_str text)
{
    size_t i = 0;
    while (i < text.len) {
        if (text.ptr[i++] != ';')
            return false;
        size_t name = rill__token_bad((rill_str){ text.ptr + i, text.len - i });
        i += name;
        if (name == 0)
            return false;
        if (i == text.len || text.ptr[i] != '=')
            continue;
        i++;
        rill_str rest = { text.ptr + i, text.len - i };
        size_t value =
            rest.len > 0 && rest.ptr[0] == '"' ? quoted_len(rest) : rill__token_bad(rest);
        i += value;
        if (value == 0)
            return false;
    }
    return true;
}

/* Counts what a chunk's line costs beyond what its data justifies: the rule is in h1.h. */
static bool affordable(struct rill__h1_body *body, uint64_t size, uint32_t line)
{
    uint64_t cost = (uint64_t)body->overhead + line + 2;
    uint64_t free = size > UINT32_MAX ? UINT64_MAX : 16 + 2 * size;
    body->overhead = cost > free ? (uint32_t)(cost - free) : 0;
    return body->overhead <= RILL__H1_OVERHEAD_MAX;
}

static enum rill__h1_step read_size(struct rill__h1_body *body, struct input *in)
{
    uint32_t end, digits = 0;
    enum rill__h1_step step = next_line(body, in, RILL__H1_CHUNK_LONG, &end);
    if (step != RILL__H1_DATA)
        return step;
    uint64_t size = 0;
    for (; digits < SIZE_DIGITS && rill__hex_value(in->at[digits]) >= 0; digits++)
        size = size << 4 | (uint64_t)rill__hex_value(in->at[digits]);
    if (digits == 0 || size > INT64_MAX || (digits < end && in->at[digits] != ';'))
        return refuse(body, RILL__H1_CHUNK_SIZE);
    if (!are_extensions((rill_str){ in->at + digits, end - digits }))
        return refuse(body, RILL__H1_CHUNK_EXTENSION);
    if (!affordable(body, size, end))
        return refuse(body, RILL__H1_CHUNK_OVERHEAD);
    take(in, end + 2);
    body->left = size;
    body->state = size > 0 ? STATE_DATA : STATE_TRAILER;
    return RILL__H1_DATA;
}

static enum rill__h1_step read_data_end(struct rill__h1_body *body, struct input *in)
{
    if (in->len > 0 && (in->at[0] != '\r' || (in->len > 1 && in->at[1] != '\n')))
        return refuse(body, RILL__H1_CHUNK_END);
    if (in->len < 2)
        return RILL__H1_MORE;
    take(in, 2);
    body->state = STATE_SIZE;
    return RILL__H1_DATA;
}

bool rill__h1_not_a_trailer(rill_str name)
{
    static const rill_str names[] = {
        { "authorization", 13 },
        { "cache-control", 13 },
        { "connection", 10 },
        { "content-encoding", 16 },
        { "content-length", 14 },
        { "content-range", 13 },
        { "content-type", 12 },
        { "cookie", 6 },
        { "expect", 6 },
        { "host", 4 },
        { "keep-alive", 10 },
        { "max-forwards", 12 },
        { "proxy-authenticate", 18 },
        { "proxy-authorization", 19 },
        { "set-cookie", 10 },
        { "te", 2 },
        { "trailer", 7 },
        { "transfer-encoding", 17 },
        { "upgrade", 7 },
        { "www-authenticate", 16 },
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (rill_str_caseeq(name, names[i]))
            return true;
    return false;
}

static enum rill__h1_reason keep_trailer(struct rill__h1_body *body, rill_str name, rill_str value)
{
    if (!body->trailers || rill__h1_not_a_trailer(name))
        return RILL__H1_OK;
    switch (rill__headers_add(body->trailers, name, value)) {
    case 0:
        return RILL__H1_OK;
    case RILL_ELIMIT:
        return RILL__H1_FIELD_COUNT;
    default:
        return RILL__H1_NO_MEMORY;
    }
}

static enum rill__h1_step read_trailer(struct rill__h1_body *body, struct input *in)
{
    uint32_t end;
    enum rill__h1_step step = next_line(body, in, RILL__H1_FIELD_LONG, &end);
    if (step != RILL__H1_DATA)
        return step;
    if (end == 0) {
        take(in, 2);
        body->state = STATE_END;
        return RILL__H1_END;
    }
    body->trailer_bytes += end + 2;
    if (body->trailer_bytes > body->limits->head)
        return refuse(body, RILL__H1_HEAD_LONG);
    if (body->trailer_count++ == body->limits->fields)
        return refuse(body, RILL__H1_FIELD_COUNT);
    struct rill__h1_field field;
    enum rill__h1_reason reason = rill__h1_field_line(in->at, 0, end, &field);
    if (reason == RILL__H1_OK)
        reason = keep_trailer(body, rill__h1_text(in->at, field.name),
                              rill__h1_text(in->at, field.value));
    if (reason != RILL__H1_OK)
        return refuse(body, reason);
    take(in, end + 2);
    return RILL__H1_DATA;
}

/* One step of the table above. Framing that was read is DATA too, with no data in it. */
static enum rill__h1_step advance(struct rill__h1_body *body, struct input *in, rill_str *ret_data)
{
    switch (body->state) {
    case STATE_LENGTH:
        return give(body, in, STATE_END, ret_data);
    case STATE_CLOSE:
        return give_all(in, ret_data);
    case STATE_SIZE:
        return read_size(body, in);
    case STATE_DATA:
        return give(body, in, STATE_DATA_END, ret_data);
    case STATE_DATA_END:
        return read_data_end(body, in);
    case STATE_TRAILER:
        return read_trailer(body, in);
    case STATE_END:
        return RILL__H1_END;
    default:
        return RILL__H1_REFUSED;
    }
}

enum rill__h1_step rill__h1_body_next(struct rill__h1_body *body, const char *in, size_t len,
                                      size_t *ret_consumed, rill_str *ret_data)
{
    struct input input = { in, len };
    rill_str data = { in, 0 };
    enum rill__h1_step step;
    do
        step = advance(body, &input, &data);
    while (step == RILL__H1_DATA && data.len == 0);
    *ret_consumed = len - input.len;
    *ret_data = data;
    return step;
}

bool rill__h1_body_eof(struct rill__h1_body *body)
{
    if (body->state == STATE_CLOSE)
        body->state = STATE_END;
    if (body->state == STATE_END)
        return true;
    if (body->state != STATE_FAILED)
        refuse(body, RILL__H1_TRUNCATED);
    return false;
}
