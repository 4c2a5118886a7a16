/*
 * The writer: lines of a head and the framing of chunks, appended to a buffer.
 *
 * Each line is checked whole, then written into room that was reserved once: numbers and statuses
 * do not pass through printf.
 */
#include "base/fail.h"
#include "http/h1.h"
#include "http/token.h"

#define CRLF "\r\n"

/* X(status, phrase): RFC 9110 15 and the registry. */
#define STATUSES(X)                                                                                \
    X(100, "Continue")                                                                             \
    X(101, "Switching Protocols")                                                                  \
    X(102, "Processing")                                                                           \
    X(103, "Early Hints")                                                                          \
    X(200, "OK")                                                                                   \
    X(201, "Created")                                                                              \
    X(202, "Accepted")                                                                             \
    X(203, "Non-Authoritative Information")                                                        \
    X(204, "No Content")                                                                           \
    X(205, "Reset Content")                                                                        \
    X(206, "Partial Content")                                                                      \
    X(207, "Multi-Status")                                                                         \
    X(208, "Already Reported")                                                                     \
    X(226, "IM Used")                                                                              \
    X(300, "Multiple Choices")                                                                     \
    X(301, "Moved Permanently")                                                                    \
    X(302, "Found")                                                                                \
    X(303, "See Other")                                                                            \
    X(304, "Not Modified")                                                                         \
    X(305, "Use Proxy")                                                                            \
    X(307, "Temporary Redirect")                                                                   \
    X(308, "Permanent Redirect")                                                                   \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(402, "Payment Required")                                                                     \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(406, "Not Acceptable")                                                                       \
    X(407, "Proxy Authentication Required")                                                        \
    X(408, "Request Timeout")                                                                      \
    X(409, "Conflict")                                                                             \
    X(410, "Gone")                                                                                 \
    X(411, "Length Required")                                                                      \
    X(412, "Precondition Failed")                                                                  \
    X(413, "Content Too Large")                                                                    \
    X(414, "URI Too Long")                                                                         \
    X(415, "Unsupported Media Type")                                                               \
    X(416, "Range Not Satisfiable")                                                                \
    X(417, "Expectation Failed")                                                                   \
    X(418, "I'm a Teapot")                                                                         \
    X(421, "Misdirected Request")                                                                  \
    X(422, "Unprocessable Content")                                                                \
    X(423, "Locked")                                                                               \
    X(424, "Failed Dependency")                                                                    \
    X(425, "Too Early")                                                                            \
    X(426, "Upgrade Required")                                                                     \
    X(428, "Precondition Required")                                                                \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(451, "Unavailable For Legal Reasons")                                                        \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(502, "Bad Gateway")                                                                          \
    X(503, "Service Unavailable")                                                                  \
    X(504, "Gateway Timeout")                                                                      \
    X(505, "HTTP Version Not Supported")                                                           \
    X(506, "Variant Also Negotiates")                                                              \
    X(507, "Insufficient Storage")                                                                 \
    X(508, "Loop Detected")                                                                        \
    X(510, "Not Extended")                                                                         \
    X(511, "Network Authentication Required")

/* The whole line of a known status; empty for another. */
static rill_str status_line(int status)
{
    switch (status) {
#define LINE(code, phrase)                                                                         \
    case code:                                                                                     \
        return RILL_STR("HTTP/1.1 " #code " " phrase CRLF);
        STATUSES(LINE)
#undef LINE
    default:
        return RILL_STR("");
    }
}

const char *rill__h1_status_text(int status)
{
    switch (status) {
#define TEXT(code, phrase)                                                                         \
    case code:                                                                                     \
        return phrase;
        STATUSES(TEXT)
#undef TEXT
    default:
        return "";
    }
}

static char *put(char *to, rill_str text)
{
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
    return to + text.len;
}

static void append(rill__buf *out, rill_str text)
{
    rill__buf_append(out, text.ptr, text.len);
}

/* Refuses `text` when its byte at `bad` is inside: `what` names it in the sentence. */
static int check(const char *what, rill_str text, size_t bad)
{
    if (bad == text.len)
        return 0;
    return rill__fail(RILL_EINVAL, "%s: byte 0x%02x at %zu is not allowed", what,
                      (uint8_t)text.ptr[bad], bad);
}

int rill__h1_write_request_line(rill__buf *out, rill_str method, rill_str target, int minor)
{
    RILL__TRY(check("request method", method, rill__token_bad(method)));
    RILL__TRY(check("request target", target, rill__visible_bad(target)));
    if (method.len == 0 || target.len == 0)
        return rill__fail(RILL_EINVAL, "request line: the %s is empty",
                          method.len == 0 ? "method" : "target");
    char *to = rill__buf_reserve(out, method.len + target.len + 12);
    if (!to)
        return 0;
    to = put(to, method);
    *to++ = ' ';
    to = put(to, target);
    put(to, minor == 0 ? RILL_STR(" HTTP/1.0" CRLF) : RILL_STR(" HTTP/1.1" CRLF));
    rill__buf_commit(out, method.len + target.len + 12);
    return 0;
}

int rill__h1_write_status_line(rill__buf *out, int status, rill_str phrase)
{
    if (status < 100 || status > 999)
        return rill__fail(RILL_EINVAL, "status %d: not between 100 and 999", status);
    if (!phrase.ptr) {
        rill_str known = status_line(status);
        append(out, known);
        if (known.len > 0)
            return 0;
        phrase = RILL_STR("");
    }
    RILL__TRY(check("reason phrase", phrase, rill__value_bad(phrase)));
    char code[] = { (char)('0' + status / 100), (char)('0' + status / 10 % 10),
                    (char)('0' + status % 10), ' ' };
    char *to = rill__buf_reserve(out, 9 + sizeof code + phrase.len + 2);
    if (!to)
        return 0;
    to = put(to, RILL_STR("HTTP/1.1 "));
    to = put(to, (rill_str){ code, sizeof code });
    to = put(to, phrase);
    put(to, RILL_STR(CRLF));
    rill__buf_commit(out, 9 + sizeof code + phrase.len + 2);
    return 0;
}

static void put_field(rill__buf *out, rill_str name, rill_str value)
{
    size_t len = name.len + value.len + 4;
    char *to = rill__buf_reserve(out, len);
    if (!to)
        return;
    to = put(to, name);
    to = put(to, RILL_STR(": "));
    to = put(to, value);
    put(to, RILL_STR(CRLF));
    rill__buf_commit(out, len);
}

int rill__h1_write_field(rill__buf *out, rill_str name, rill_str value)
{
    RILL__TRY(rill__header_check(name, value));
    put_field(out, name, rill__trim(value));
    return 0;
}

void rill__h1_write_number(rill__buf *out, rill_str name, uint64_t number)
{
    char digits[20], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    put_field(out, name, (rill_str){ at, (size_t)(digits + sizeof digits - at) });
}

void rill__h1_write_headers(rill__buf *out, const rill_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        const struct rill__header_entry *entry = &headers->entries[i];
        put_field(out, (rill_str){ entry->name, entry->name_len },
                  (rill_str){ entry->value, entry->value_len });
    }
}

int rill__h1_write_end(rill__buf *out)
{
    append(out, RILL_STR(CRLF));
    if (!out->failed)
        return 0;
    if (out->too_long)
        return rill__fail(RILL_ELIMIT, "message head: longer than %zu bytes", out->max);
    return rill__fail_nomem();
}

size_t rill__h1_chunk_line(char line[RILL__H1_CHUNK_LINE], uint64_t size)
{
    int digits = 1;
    while (digits < 16 && size >> (4 * digits))
        digits++;
    for (int i = 0; i < digits; i++)
        line[i] = "0123456789abcdef"[size >> (4 * (digits - 1 - i)) & 15];
    line[digits] = '\r';
    line[digits + 1] = '\n';
    return (size_t)digits + 2;
}

void rill__h1_write_chunk(rill__buf *out, const void *data, size_t len)
{
    char line[RILL__H1_CHUNK_LINE];
    if (len == 0)
        return;
    append(out, (rill_str){ line, rill__h1_chunk_line(line, len) });
    rill__buf_append(out, data, len);
    append(out, RILL_STR(CRLF));
}

int rill__h1_write_last_chunk(rill__buf *out, const rill_headers *trailers)
{
    for (size_t i = 0; trailers && i < trailers->count; i++) {
        const struct rill__header_entry *entry = &trailers->entries[i];
        if (rill__h1_not_a_trailer((rill_str){ entry->name, entry->name_len }))
            return rill__fail(RILL_EINVAL, "trailer %s: this header may not be one", entry->name);
    }
    append(out, RILL_STR("0" CRLF));
    if (trailers)
        rill__h1_write_headers(out, trailers);
    return rill__h1_write_end(out);
}
