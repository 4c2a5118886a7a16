/* Cutting a stream of RESP into replies: see resp.h for why hiredis alone does not. */
#include "redis/resp.h"

#include "base/fail.h"

#include <hiredis/hiredis.h>

#define ROOM_MIN (16u * 1024)
#define ROOM_MAX (1024u * 1024)
/* An empty buffer larger than this is given back. */
#define KEEP_MAX (1024u * 1024)

/* What the version of hiredis at hand can make a reply of. */
#ifdef REDIS_REPLY_PUSH
#define TYPES_OF_RESP3 "_,#(!=%~"
#else
#define TYPES_OF_RESP3 ""
#endif

/* What scanning one item came to. */
enum scan {
    SCAN_MORE,     /* the input ends within it */
    SCAN_ITEM,     /* it is well formed */
    SCAN_BAD = -1, /* it is not; the error is made */
};

static enum scan bad(const char *why)
{
    rill__fail(RILL_EREDIS_PROTOCOL, "%s", why);
    return SCAN_BAD;
}

static enum scan bad_type(char type)
{
    bool printable = type > ' ' && type < 0x7f;
    if (printable)
        rill__fail(RILL_EREDIS_PROTOCOL, "'%c' begins no reply", type);
    else
        rill__fail(RILL_EREDIS_PROTOCOL, "byte 0x%02x begins no reply", (unsigned char)type);
    return SCAN_BAD;
}

/* The length of the line at `scanned` without its end. */
static enum scan scan_line(const rill__resp *resp, size_t *ret_len)
{
    const char *line = resp->input.ptr + resp->scanned;
    size_t there = resp->input.len - resp->scanned;
    size_t looked = there < RILL__RESP_LINE_MAX ? there : RILL__RESP_LINE_MAX;
    const char *end = memchr(line, '\n', looked);
    if (!end)
        return looked < RILL__RESP_LINE_MAX ? SCAN_MORE : bad("a line is too long");
    if (end == line || end[-1] != '\r')
        return bad("a line does not end in CR LF");
    *ret_len = (size_t)(end - line) - 1;
    return SCAN_ITEM;
}

/* A length of at most `max`; -1 stands for null. */
static enum scan scan_length(const char *digits, size_t len, size_t max, ptrdiff_t *ret_length)
{
    size_t value = 0;
    *ret_length = -1;
    if (len == 2 && memcmp(digits, "-1", 2) == 0)
        return SCAN_ITEM;
    if (len == 0 || (digits[0] == '0' && len > 1))
        return bad("a length is not a number");
    for (size_t i = 0; i < len; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return bad("a length is not a number");
        value = value * 10 + (size_t)(digits[i] - '0');
        if (value > max)
            return bad("a length is over the limit");
    }
    *ret_length = (ptrdiff_t)value;
    return SCAN_ITEM;
}

/* Goes past one element; an aggregate whose last one it was is complete, and so an element too. */
static void count_element(rill__resp *resp)
{
    while (resp->depth > 0 && --resp->pending[resp->depth - 1] == 0)
        resp->depth--;
}

static enum scan open_aggregate(rill__resp *resp, size_t elements)
{
    if (elements == 0) {
        count_element(resp);
        return SCAN_ITEM;
    }
    if (resp->depth == RILL__RESP_DEPTH_MAX)
        return bad("arrays are nested too deep");
    resp->pending[resp->depth++] = elements;
    return SCAN_ITEM;
}

static enum scan scan_blob(rill__resp *resp, size_t head, ptrdiff_t length)
{
    if (length < 0) {
        resp->scanned += head;
        count_element(resp);
        return SCAN_ITEM;
    }
    size_t whole = head + (size_t)length + 2;
    if (resp->input.len - resp->scanned < whole)
        return SCAN_MORE;
    if (memcmp(resp->input.ptr + resp->scanned + whole - 2, "\r\n", 2) != 0)
        return bad("a string does not end in CR LF");
    resp->scanned += whole;
    count_element(resp);
    return SCAN_ITEM;
}

static enum scan scan_aggregate(rill__resp *resp, size_t head, ptrdiff_t length)
{
    char type = resp->input.ptr[resp->scanned];
    bool pairs = type == '%' || type == '|';
    resp->scanned += head;
    return open_aggregate(resp, length < 0 ? 0 : (size_t)length * (pairs ? 2 : 1));
}

/* Pushes and attributes stand before a reply, not in it; what they hold may be of any type. */
static enum scan check_type(rill__resp *resp, char type)
{
    bool first = resp->scanned == resp->start;
    if (type == '>' || type == '|') {
        if (!first)
            return bad("a push or an attribute within a reply");
        resp->dropped = true;
        return SCAN_ITEM;
    }
    bool known = type != '\0' &&
                 strchr(resp->dropped ? "+-:$*_,#(!=%~" : "+-:$*" TYPES_OF_RESP3, type) != NULL;
    return known ? SCAN_ITEM : bad_type(type);
}

/* Scans the item that begins at `scanned`: a value, or the head of an aggregate. */
static enum scan scan_item(rill__resp *resp)
{
    if (resp->scanned == resp->input.len)
        return SCAN_MORE;
    char type = resp->input.ptr[resp->scanned];
    size_t line = 0;
    enum scan result = check_type(resp, type);
    if (result == SCAN_ITEM)
        result = scan_line(resp, &line);
    if (result != SCAN_ITEM)
        return result;
    bool blob = strchr("$!=", type) != NULL;
    if (!blob && !strchr("*%~>|", type)) {
        resp->scanned += line + 2;
        count_element(resp);
        return SCAN_ITEM;
    }
    ptrdiff_t length;
    const char *digits = resp->input.ptr + resp->scanned + 1;
    size_t max = blob ? RILL__RESP_REPLY_MAX : RILL__RESP_ELEMENTS_MAX;
    if (scan_length(digits, line - 1, max, &length) == SCAN_BAD)
        return SCAN_BAD;
    return blob ? scan_blob(resp, line + 2, length) : scan_aggregate(resp, line + 2, length);
}

/* Scans up to the end of the reply at hand. */
static enum scan scan_reply(rill__resp *resp)
{
    do {
        enum scan result = scan_item(resp);
        if (result != SCAN_ITEM)
            return result;
        if (++resp->elements > RILL__RESP_ELEMENTS_MAX)
            return bad("a reply has too many elements");
    } while (resp->depth > 0);
    return SCAN_ITEM;
}

static int make_reply(rill__resp *resp, struct redisReply **ret_reply)
{
    const char *text = resp->input.ptr + resp->start;
    void *reply = NULL;
    if (redisReaderFeed(resp->reader, text, resp->scanned - resp->start) != REDIS_OK ||
        redisReaderGetReply(resp->reader, &reply) != REDIS_OK)
        return rill__fail(resp->reader->err == REDIS_ERR_OOM ? RILL_ENOMEM : RILL_EREDIS_PROTOCOL,
                          "%s", resp->reader->errstr);
    if (!reply)
        return rill__fail(RILL_EREDIS_PROTOCOL, "a reply is not complete");
    *ret_reply = reply;
    return 1;
}

/* Drops what has been handed on, so that the rest of the input begins the next reply. */
static void compact(rill__resp *resp)
{
    rill__buf_consume(&resp->input, resp->start);
    resp->scanned -= resp->start;
    resp->start = 0;
    if (resp->input.len == 0 && resp->input.cap > KEEP_MAX)
        rill__buf_free(&resp->input);
}

int rill__resp_init(rill__resp *resp)
{
    *resp = (rill__resp){ .input = rill__buf_make(RILL__RESP_REPLY_MAX + ROOM_MAX) };
    resp->reader = redisReaderCreate();
    return resp->reader ? 0 : rill__fail_nomem();
}

void rill__resp_free(rill__resp *resp)
{
    if (resp->reader)
        redisReaderFree(resp->reader);
    resp->reader = NULL;
    rill__buf_free(&resp->input);
}

char *rill__resp_room(rill__resp *resp, size_t *ret_len)
{
    compact(resp);
    size_t len = resp->input.len < ROOM_MIN ? ROOM_MIN : resp->input.len;
    if (len > ROOM_MAX)
        len = ROOM_MAX;
    char *room = rill__buf_reserve(&resp->input, len);
    if (!room)
        rill__fail_nomem();
    *ret_len = len;
    return room;
}

void rill__resp_received(rill__resp *resp, size_t len)
{
    rill__buf_commit(&resp->input, len);
}

int rill__resp_next(rill__resp *resp, struct redisReply **ret_reply)
{
    for (;;) {
        enum scan result = scan_reply(resp);
        if (result == SCAN_BAD)
            return rill_errcode();
        if (result == SCAN_MORE && resp->input.len - resp->start > RILL__RESP_REPLY_MAX)
            return rill__fail(RILL_EREDIS_PROTOCOL, "a reply is longer than 512 MiB");
        if (result == SCAN_MORE)
            return 0;
        int rc = resp->dropped ? 0 : make_reply(resp, ret_reply);
        resp->start = resp->scanned;
        resp->elements = 0;
        resp->dropped = false;
        if (rc != 0)
            return rc;
    }
}
