/*
 * The head parser: start line, fields, and what they say about the body and the connection.
 *
 *     state        on a line                          goes to
 *     START        empty (a few), start line          START, FIELDS
 *     FIELDS       field line, empty line             FIELDS, DONE
 *     DONE         (the length is told again)
 *     FAILED       (the refusal is told again)
 *
 * The headers that frame the message are understood in the moment their line is read, so that a
 * refusal comes as early as it can; what depends on several of them waits for the empty line.
 */
#include "http/h1_line.h"
#include "http/h1_target.h"

enum { STATE_START, STATE_FIELDS, STATE_DONE, STATE_FAILED };

/* Headers that may stand once. */
enum {
    SEEN_HOST = 1 << 0,
    SEEN_LENGTH = 1 << 1,
    SEEN_CODING = 1 << 2,
    SEEN_CONTENT_TYPE = 1 << 3,
    SEEN_CONTENT_RANGE = 1 << 4,
    SEEN_CONTENT_LOCATION = 1 << 5,
    SEEN_ETAG = 1 << 6,
    SEEN_SERVER = 1 << 7,
    SEEN_USER_AGENT = 1 << 8,
    SEEN_MAX_FORWARDS = 1 << 9,
    SEEN_UPGRADE = 1 << 10,
};

enum { CONNECTION_CLOSE = 1, CONNECTION_KEEP_ALIVE = 2, CONNECTION_UPGRADE = 4 };

const struct rill__h1_limits rill__h1_default_limits = {
    .start_line = 8190,
    .field = 8190,
    .fields = RILL__H1_FIELDS,
    .head = 64 * 1024,
};

void rill__h1_head_init_request(struct rill__h1_head *head, const struct rill__h1_limits *limits,
                                struct rill__h1_field *fields)
{
    *head = (struct rill__h1_head){
        .limits = limits ? limits : &rill__h1_default_limits,
        .fields = fields,
    };
}

void rill__h1_head_init_response(struct rill__h1_head *head, const struct rill__h1_limits *limits,
                                 struct rill__h1_field *fields, enum rill__h1_method method)
{
    rill__h1_head_init_request(head, limits, fields);
    head->is_response = true;
    head->method_id = (uint8_t)method;
}

enum rill__h1_method rill__h1_method_of(rill_str method)
{
    static const struct {
        rill_str name;
        enum rill__h1_method method;
    } known[] = {
        { { "GET", 3 }, RILL__H1_GET },         { { "POST", 4 }, RILL__H1_POST },
        { { "HEAD", 4 }, RILL__H1_HEAD },       { { "PUT", 3 }, RILL__H1_PUT },
        { { "DELETE", 6 }, RILL__H1_DELETE },   { { "PATCH", 5 }, RILL__H1_PATCH },
        { { "OPTIONS", 7 }, RILL__H1_OPTIONS }, { { "CONNECT", 7 }, RILL__H1_CONNECT },
        { { "TRACE", 5 }, RILL__H1_TRACE },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (rill_str_eq(method, known[i].name))
            return known[i].method;
    return RILL__H1_OTHER;
}

static struct rill__h1_span span_of(const char *buf, rill_str text)
{
    return (struct rill__h1_span){ (uint32_t)(text.ptr - buf), (uint32_t)text.len };
}

/* "HTTP/1.1" or "HTTP/1.0", eight bytes that are there. */
static enum rill__h1_reason parse_version(struct rill__h1_head *head, const char *version)
{
    if (memcmp(version, "HTTP/", 5) != 0 || !rill__char_is(version[5], RILL__CHAR_DIGIT) ||
        version[6] != '.' || !rill__char_is(version[7], RILL__CHAR_DIGIT))
        return RILL__H1_VERSION;
    if (version[5] != '1' || version[7] > '1')
        return RILL__H1_VERSION_UNKNOWN;
    head->minor = (uint8_t)(version[7] - '0');
    return RILL__H1_OK;
}

/* METHOD SP TARGET SP VERSION: the version's length is known, so the target is what is between. */
static enum rill__h1_reason parse_request_line(struct rill__h1_head *head, const char *buf,
                                               uint32_t line, uint32_t end)
{
    uint32_t space = line;
    while (rill__char_is(buf[space], RILL__CHAR_TOKEN))
        space++;
    head->error_at = space;
    if (space == line || buf[space] != ' ')
        return space == end ? RILL__H1_REQUEST_LINE : RILL__H1_METHOD;
    if (end - space < 2 + 8 || buf[end - 9] != ' ')
        return end - space > 8 && memcmp(buf + end - 8, "HTTP/", 5) == 0 ? RILL__H1_REQUEST_LINE
                                                                         : RILL__H1_VERSION;
    head->error_at = end - 8;
    enum rill__h1_reason reason = parse_version(head, buf + end - 8);
    if (reason != RILL__H1_OK)
        return reason;

    rill_str method = { buf + line, space - line }, authority;
    rill_str target = { buf + space + 1, end - 9 - (space + 1) };
    size_t bad = rill__visible_bad(target);
    head->error_at = space + 1 + (uint32_t)bad;
    if (bad < target.len || target.len == 0)
        return target.len == 0 || rill__is_ows(target.ptr[bad]) ? RILL__H1_REQUEST_LINE
                                                                : RILL__H1_TARGET;
    enum rill__h1_form form;
    head->method = span_of(buf, method);
    head->method_id = (uint8_t)rill__h1_method_of(method);
    head->target = span_of(buf, target);
    reason =
        rill__h1_check_target(target, (enum rill__h1_method)head->method_id, &form, &authority);
    head->error_at = head->target.off;
    head->form = (uint8_t)form;
    if (authority.len > 0)
        head->host = span_of(buf, authority);
    return reason;
}

/* VERSION SP 3DIGIT [SP phrase]: servers that leave out the last space are many. */
static enum rill__h1_reason parse_status_line(struct rill__h1_head *head, const char *buf,
                                              uint32_t line, uint32_t end)
{
    head->error_at = line;
    if (end - line < 8)
        return RILL__H1_VERSION;
    enum rill__h1_reason reason = parse_version(head, buf + line);
    if (reason != RILL__H1_OK)
        return reason;
    uint32_t code = line + 9;
    head->error_at = line + 8;
    if (end - line < 12 || buf[line + 8] != ' ')
        return RILL__H1_STATUS_LINE;
    head->error_at = code;
    int64_t status = rill__decimal((rill_str){ buf + code, 3 });
    if (status < 100 || (end > code + 3 && buf[code + 3] != ' '))
        return RILL__H1_STATUS_LINE;
    head->status = (uint16_t)status;
    uint32_t phrase = code + 3 < end ? code + 4 : end;
    head->phrase = (struct rill__h1_span){ phrase, end - phrase };
    return RILL__H1_OK;
}

/* Notes that the header came; false when it came before. */
static bool first_time(struct rill__h1_head *head, int header)
{
    bool first = !(head->seen & header);
    head->seen = (uint16_t)(head->seen | header);
    return first;
}

static enum rill__h1_reason on_host(struct rill__h1_head *head, const char *buf,
                                    struct rill__h1_span value)
{
    rill_str host = rill__h1_text(buf, value);
    if (head->is_response)
        return RILL__H1_OK;
    if (!first_time(head, SEEN_HOST))
        return RILL__H1_HOST_TWICE;
    if (!rill__h1_is_host(host))
        return RILL__H1_HOST;
    if (head->form == RILL__H1_ABSOLUTE &&
        !rill__h1_same_host(rill__h1_text(buf, head->target), rill__h1_text(buf, head->host), host))
        return RILL__H1_HOST_MISMATCH;
    if (head->host.len == 0)
        head->host = value;
    return RILL__H1_OK;
}

/* One number. Servers that send the same one twice exist, so responses may (RFC 9110 8.6). */
static enum rill__h1_reason on_length(struct rill__h1_head *head, rill_str value)
{
    if (head->seen & SEEN_CODING)
        return RILL__H1_LENGTH_AND_CODING;
    if (!first_time(head, SEEN_LENGTH) && !head->is_response)
        return RILL__H1_LENGTH_TWICE;
    int64_t length = rill__decimal(value);
    if (length < 0)
        return RILL__H1_LENGTH;
    if (head->has_length && head->content_length != (uint64_t)length)
        return RILL__H1_LENGTH_TWICE;
    head->has_length = true;
    head->content_length = (uint64_t)length;
    return RILL__H1_OK;
}

/* "chunked", and nothing else. What ends with it is a coding that we lack; what does not has no
 * end that both sides agree on. */
static enum rill__h1_reason on_coding(struct rill__h1_head *head, rill_str value)
{
    if (head->seen & SEEN_LENGTH)
        return RILL__H1_LENGTH_AND_CODING;
    if (!first_time(head, SEEN_CODING))
        return RILL__H1_CODING;
    if (head->minor == 0)
        return RILL__H1_CODING_VERSION;
    const rill_str chunked = RILL_STR("chunked");
    if (rill_str_caseeq(value, chunked))
        return RILL__H1_OK;
    int count = 0, chunks = 0;
    bool last_is_chunked = false;
    rill_str element;
    while (rill__list_item(&value, &element)) {
        last_is_chunked = rill_str_caseeq(element, chunked);
        chunks += last_is_chunked;
        count++;
    }
    return count > 1 && chunks == 1 && last_is_chunked ? RILL__H1_CODING_UNKNOWN : RILL__H1_CODING;
}

static enum rill__h1_reason on_connection(struct rill__h1_head *head, rill_str value)
{
    rill_str token;
    while (rill__list_item(&value, &token)) {
        if (rill_str_caseeq(token, RILL_STR("close")))
            head->connection |= CONNECTION_CLOSE;
        else if (rill_str_caseeq(token, RILL_STR("keep-alive")))
            head->connection |= CONNECTION_KEEP_ALIVE;
        else if (rill_str_caseeq(token, RILL_STR("upgrade")))
            head->connection |= CONNECTION_UPGRADE;
    }
    return RILL__H1_OK;
}

static enum rill__h1_reason on_expect(struct rill__h1_head *head, rill_str value)
{
    /* RFC 9110 10.1.1: in an HTTP/1.0 request it is not looked at. */
    if (head->minor == 0 || head->is_response)
        return RILL__H1_OK;
    if (rill_str_caseeq(value, RILL_STR("100-continue")))
        head->expect_continue = true;
    else
        head->expect_other = true;
    return RILL__H1_OK;
}

/* The others of which there may be one. Responses of real servers repeat them without harm. */
static enum rill__h1_reason on_single(struct rill__h1_head *head, int header)
{
    return first_time(head, header) || head->is_response ? RILL__H1_OK : RILL__H1_FIELD_TWICE;
}

static enum rill__h1_reason on_field(struct rill__h1_head *head, const char *buf,
                                     const struct rill__h1_field *field)
{
#define IS(literal) rill__h1_name_is(name, literal, sizeof(literal) - 1)
    const char *name = buf + field->name.off;
    rill_str value = rill__h1_text(buf, field->value);
    switch (field->name.len) {
    case 4:
        if (IS("host"))
            return on_host(head, buf, field->value);
        return IS("etag") ? on_single(head, SEEN_ETAG) : RILL__H1_OK;
    case 6:
        if (IS("expect"))
            return on_expect(head, value);
        return IS("server") ? on_single(head, SEEN_SERVER) : RILL__H1_OK;
    case 7:
        if (IS("upgrade") && first_time(head, SEEN_UPGRADE))
            head->upgrade = field->value;
        return RILL__H1_OK;
    case 10:
        if (IS("connection"))
            return on_connection(head, value);
        return IS("user-agent") ? on_single(head, SEEN_USER_AGENT) : RILL__H1_OK;
    case 12:
        if (IS("content-type"))
            return on_single(head, SEEN_CONTENT_TYPE);
        return IS("max-forwards") ? on_single(head, SEEN_MAX_FORWARDS) : RILL__H1_OK;
    case 13:
        return IS("content-range") ? on_single(head, SEEN_CONTENT_RANGE) : RILL__H1_OK;
    case 14:
        return IS("content-length") ? on_length(head, value) : RILL__H1_OK;
    case 16:
        return IS("content-location") ? on_single(head, SEEN_CONTENT_LOCATION) : RILL__H1_OK;
    case 17:
        return IS("transfer-encoding") ? on_coding(head, value) : RILL__H1_OK;
    default:
        return RILL__H1_OK;
    }
#undef IS
}

static enum rill__h1_reason parse_field(struct rill__h1_head *head, const char *buf, uint32_t line,
                                        uint32_t end)
{
    head->error_at = line;
    if (head->field_count == head->limits->fields)
        return RILL__H1_FIELD_COUNT;
    struct rill__h1_field *field = &head->fields[head->field_count];
    enum rill__h1_reason reason = rill__h1_field_line(buf, line, end, field);
    if (reason != RILL__H1_OK) {
        head->error_at = line + field->name.len;
        return reason;
    }
    head->error_at = field->value.off;
    head->field_count++;
    return on_field(head, buf, field);
}

static enum rill__h1_body_kind framed_body(const struct rill__h1_head *head)
{
    if (head->seen & SEEN_CODING)
        return RILL__H1_BODY_CHUNKED;
    return head->has_length ? RILL__H1_BODY_LENGTH : RILL__H1_BODY_NONE;
}

static void finish_request(struct rill__h1_head *head)
{
    head->body = (uint8_t)framed_body(head);
    if (head->method_id == RILL__H1_CONNECT) {
        /* What follows is the tunnel's. Who declines it cannot tell where a request would begin. */
        head->body = RILL__H1_BODY_NONE;
        head->tunnel = true;
        head->keep_alive = false;
    }
    head->wants_upgrade =
        head->minor == 1 && (head->connection & CONNECTION_UPGRADE) && head->upgrade.len > 0;
}

/* RFC 9112 6.3, in its order. */
static void finish_response(struct rill__h1_head *head)
{
    int status = head->status;
    head->tunnel =
        status == 101 || (head->method_id == RILL__H1_CONNECT && status >= 200 && status < 300);
    if (head->method_id == RILL__H1_HEAD || status < 200 || status == 204 || status == 304 ||
        head->tunnel) {
        head->body = RILL__H1_BODY_NONE;
        return;
    }
    head->body = (uint8_t)framed_body(head);
    if (head->body == RILL__H1_BODY_NONE) {
        head->body = RILL__H1_BODY_CLOSE;
        head->keep_alive = false;
    }
}

/* The empty line has come: what several lines decide together. */
static enum rill__h1_reason finish(struct rill__h1_head *head)
{
    head->error_at = head->line;
    head->keep_alive = !(head->connection & CONNECTION_CLOSE) &&
                       (head->minor == 1 || (head->connection & CONNECTION_KEEP_ALIVE));
    if (head->is_response) {
        finish_response(head);
        return RILL__H1_OK;
    }
    if (head->minor == 1 && !(head->seen & SEEN_HOST))
        return RILL__H1_HOST_MISSING;
    finish_request(head);
    return RILL__H1_OK;
}

static enum rill__h1_reason on_line(struct rill__h1_head *head, const char *buf, uint32_t end)
{
    if (head->state == STATE_FIELDS) {
        if (end > head->line)
            return parse_field(head, buf, head->line, end);
        enum rill__h1_reason reason = finish(head);
        head->state = STATE_DONE;
        return reason;
    }
    if (end == head->line) {
        head->error_at = head->line;
        return ++head->empty_lines > RILL__H1_EMPTY_LINES_MAX ? RILL__H1_EMPTY_LINES : RILL__H1_OK;
    }
    head->state = STATE_FIELDS;
    return head->is_response ? parse_status_line(head, buf, head->line, end)
                             : parse_request_line(head, buf, head->line, end);
}

/* How long the current line may be, and what it is when it is longer. */
static uint32_t line_limit(const struct rill__h1_head *head, enum rill__h1_reason *ret_reason)
{
    const struct rill__h1_limits *limits = head->limits;
    uint32_t limit = limits->field;
    *ret_reason = RILL__H1_FIELD_LONG;
    if (head->state == STATE_START) {
        limit = limits->start_line;
        *ret_reason = head->is_response ? RILL__H1_STATUS_LONG : RILL__H1_TARGET_LONG;
    }
    uint32_t left = limits->head > head->line + 2 ? limits->head - head->line - 2 : 0;
    if (limit > left) {
        limit = left;
        *ret_reason = RILL__H1_HEAD_LONG;
    }
    return limit;
}

/* What is wrong with a line that has no good end. */
static enum rill__h1_reason line_fault(struct rill__h1_head *head, ptrdiff_t end, const char *buf,
                                       enum rill__h1_reason when_long)
{
    head->error_at = head->line + head->scanned;
    if (end != RILL__H1_LINE_BAD)
        return when_long;
    char c = buf[head->error_at];
    return c == 0x16 && head->error_at == 0 ? RILL__H1_TLS : rill__h1_line_fault(c);
}

static int refuse(struct rill__h1_head *head, enum rill__h1_reason reason)
{
    head->reason = (uint8_t)reason;
    head->state = STATE_FAILED;
    return -(int)reason;
}

int rill__h1_head_parse(struct rill__h1_head *head, const char *buf, size_t len)
{
    while (head->state < STATE_DONE) {
        if (len == head->line)
            return 0;
        enum rill__h1_reason reason;
        uint32_t limit = line_limit(head, &reason);
        ptrdiff_t end =
            rill__h1_line_end(buf + head->line, len - head->line, limit, &head->scanned);
        if (end == RILL__H1_LINE_MORE)
            return 0;
        uint32_t next = head->line + (uint32_t)end + 2;
        /* Where no room is left, an empty line still fits into a limit of 0. */
        if (end < 0 || next > head->limits->head)
            reason = line_fault(head, end, buf, reason);
        else
            reason = on_line(head, buf, head->line + (uint32_t)end);
        if (reason != RILL__H1_OK)
            return refuse(head, reason);
        head->line = next;
        head->scanned = 0;
    }
    return head->state == STATE_DONE ? (int)head->line : -(int)head->reason;
}
