/*
 * HTTP/1.0 and HTTP/1.1 on the wire (RFC 9112): heads, bodies and the writer. Bytes in, positions
 * out; no I/O, no tasks, and no memory of its own.
 *
 * Reading one message:
 *
 *     struct rill__h1_field fields[RILL__H1_FIELDS];
 *     struct rill__h1_head head;
 *     rill__h1_head_init_request(&head, NULL, fields);
 *     int n;
 *     while ((n = rill__h1_head_parse(&head, buf, len)) == 0)
 *         … read more behind buf[len], which may move the buffer …
 *     if (n < 0)
 *         … answer rill__h1_reason_status(head.reason), close …
 *     struct rill__h1_body body;
 *     rill__h1_body_init(&body, &head);
 *     … rill__h1_body_next(&body, buf + n, len - n, &consumed, &data) until RILL__H1_END …
 *
 * The parsers go line by line. A line is looked at once its end is there; what was searched for the
 * end is not searched again, so input that comes byte by byte costs no more than input that comes
 * at once, and gives the same result in every case, refusals and their positions included.
 *
 * Strictness. Where two readers could disagree about where a message ends, it is refused: lines end
 * with CRLF and nothing else; no folded lines; Transfer-Encoding is "chunked" or an error, alone,
 * and only in HTTP/1.1; Content-Length is one number. Every refusal has its name in the table
 * below. After a refusal the connection can only be closed.
 */
#ifndef RILL_SRC_HTTP_H1_H
#define RILL_SRC_HTTP_H1_H

#include "base/buf.h"
#include "http/headers.h"

/* X(name, status that a server answers with, meaning): why bytes were refused. */
#define RILL__H1_REASONS(X)                                                                        \
    X(OK, 0, "nothing was refused")                                                                \
    X(TLS, 400, "a TLS handshake came where plain HTTP is spoken")                                 \
    X(EMPTY_LINES, 400, "too many empty lines before the message")                                 \
    X(BARE_LF, 400, "a line ends with LF alone")                                                   \
    X(BARE_CR, 400, "a CR is not followed by LF")                                                  \
    X(CONTROL, 400, "a control byte stands in the head")                                           \
    X(REQUEST_LINE, 400, "the request line is not \"METHOD TARGET VERSION\"")                      \
    X(METHOD, 400, "the method is not a token")                                                    \
    X(TARGET, 400, "the request target is not valid")                                              \
    X(TARGET_FORM, 400, "the method does not go with this form of target")                         \
    X(TARGET_LONG, 414, "the request line is too long")                                            \
    X(VERSION, 400, "the HTTP version is malformed")                                               \
    X(VERSION_UNKNOWN, 505, "the HTTP version is neither 1.0 nor 1.1")                             \
    X(STATUS_LINE, 400, "the status line is malformed")                                            \
    X(STATUS_LONG, 400, "the status line is too long")                                             \
    X(FIELD_FOLD, 400, "a header line begins with white space")                                    \
    X(FIELD_COLON, 400, "a header line has no colon")                                              \
    X(FIELD_SPACE, 400, "white space stands between a header name and its colon")                  \
    X(FIELD_NAME, 400, "a header name is not a token")                                             \
    X(FIELD_LONG, 431, "a header line is too long")                                                \
    X(FIELD_COUNT, 431, "there are too many header fields")                                        \
    X(FIELD_TWICE, 400, "a header that may stand once stands twice")                               \
    X(HEAD_LONG, 431, "the head is too long")                                                      \
    X(HOST_MISSING, 400, "there is no Host header")                                                \
    X(HOST_TWICE, 400, "there are two Host headers")                                               \
    X(HOST, 400, "the Host header is not a host with an optional port")                            \
    X(HOST_MISMATCH, 400, "the Host header differs from the request target")                       \
    X(LENGTH, 400, "Content-Length is not a number")                                               \
    X(LENGTH_TWICE, 400, "there are two Content-Length headers")                                   \
    X(LENGTH_AND_CODING, 400, "there are both Content-Length and Transfer-Encoding")               \
    X(CODING, 400, "Transfer-Encoding does not end with one chunked")                              \
    X(CODING_UNKNOWN, 501, "Transfer-Encoding has more than chunked")                              \
    X(CODING_VERSION, 400, "Transfer-Encoding stands in an HTTP/1.0 message")                      \
    X(CHUNK_SIZE, 400, "a chunk size is not a hexadecimal number")                                 \
    X(CHUNK_EXTENSION, 400, "a chunk extension is malformed")                                      \
    X(CHUNK_LONG, 400, "a chunk's line is too long")                                               \
    X(CHUNK_OVERHEAD, 400, "chunk extensions outweigh the body")                                   \
    X(CHUNK_END, 400, "a chunk is longer than its size says")                                      \
    X(TRUNCATED, 400, "the body ended too early")                                                  \
    X(NO_MEMORY, 503, "out of memory")

enum rill__h1_reason {
#define RILL__H1_REASON_ENUM(name, status, text) RILL__H1_##name,
    RILL__H1_REASONS(RILL__H1_REASON_ENUM)
#undef RILL__H1_REASON_ENUM
        RILL__H1_REASON_COUNT
};

/* "a line ends with LF alone": lower case, no full stop. Static text. */
const char *rill__h1_reason_text(enum rill__h1_reason reason);
/* The status that a server answers such a request with; 0 for RILL__H1_OK. */
int rill__h1_reason_status(enum rill__h1_reason reason);

/* The methods that rules depend on or that routers ask for often; all others are OTHER. */
enum rill__h1_method {
    RILL__H1_OTHER,
    RILL__H1_GET,
    RILL__H1_HEAD,
    RILL__H1_POST,
    RILL__H1_PUT,
    RILL__H1_DELETE,
    RILL__H1_CONNECT,
    RILL__H1_OPTIONS,
    RILL__H1_TRACE,
    RILL__H1_PATCH,
};

enum rill__h1_method rill__h1_method_of(rill_str method);

/* How a body ends (RFC 9112 6.3). */
enum rill__h1_body_kind {
    RILL__H1_BODY_NONE,
    RILL__H1_BODY_LENGTH,
    RILL__H1_BODY_CHUNKED,
    RILL__H1_BODY_CLOSE, /* with the connection: responses only */
};

/* What a peer may send, in bytes without the line's CRLF, the head's with all of them. */
struct rill__h1_limits {
    uint32_t start_line; /* beyond it: 414 */
    uint32_t field;      /* one header or trailer line, or chunk line; beyond it: 431 */
    uint32_t fields;     /* header fields in a head, and trailers in a body */
    uint32_t head;       /* the whole head; the trailers together */
};

#define RILL__H1_FIELDS 128
extern const struct rill__h1_limits rill__h1_default_limits;

/* Empty lines that may stand before a message (RFC 9112 2.2). */
#define RILL__H1_EMPTY_LINES_MAX 4

/* A piece of the head: an offset from its first byte. */
struct rill__h1_span {
    uint32_t off, len;
};

struct rill__h1_field {
    struct rill__h1_span name, value; /* the value without the white space around it */
};

struct rill__h1_head {
    /* Given. The fields have room for limits->fields; the array may be moved between two calls. */
    const struct rill__h1_limits *limits;
    struct rill__h1_field *fields;

    /* The index. It is complete when the parser returned a length. Behind the method, the target,
     * the phrase, each name and each value stands a byte of the head that no other piece has: who
     * owns the bytes may put a NUL there. */
    uint32_t field_count;
    struct rill__h1_span method;  /* of a request, as the next one */
    struct rill__h1_span target;  /* as it came */
    struct rill__h1_span phrase;  /* of a response; may be empty */
    struct rill__h1_span host;    /* the target's authority, else Host's value; may be empty */
    struct rill__h1_span upgrade; /* the value of the first Upgrade header */
    uint64_t content_length;      /* valid when has_length */
    uint16_t status;              /* of a response: 100-999 */
    uint8_t minor;                /* the version is 1.minor: 0 or 1 */
    uint8_t method_id;            /* enum rill__h1_method; of a response, its request's */
    uint8_t body;                 /* enum rill__h1_body_kind */
    bool has_length;              /* Content-Length came */
    bool keep_alive;              /* the connection outlives this message */
    bool expect_continue;         /* Expect: 100-continue */
    bool expect_other;            /* Expect with anything else: answer 417 */
    bool wants_upgrade; /* Upgrade, and Connection with the token; what follows is still a body */
    bool tunnel;        /* after a CONNECT request, a 101, a 2xx to CONNECT: no HTTP comes next */
    uint8_t reason;     /* enum rill__h1_reason */
    uint32_t error_at;  /* where it was refused: an offset in the head */

    /* Progress. */
    uint32_t line;    /* where the current line begins */
    uint32_t scanned; /* up to where its end was searched for */
    uint16_t seen;    /* which of the headers that may stand once came */
    uint8_t state;
    uint8_t connection; /* tokens of Connection that came */
    uint8_t empty_lines;
    bool is_response;
    uint8_t form; /* of the target */
};

/* Begins a head. NULL limits are the default ones; they are kept as a pointer. */
void rill__h1_head_init_request(struct rill__h1_head *head, const struct rill__h1_limits *limits,
                                struct rill__h1_field *fields);
/* The method is that of the request which is answered: HEAD and CONNECT decide about the body. */
void rill__h1_head_init_response(struct rill__h1_head *head, const struct rill__h1_limits *limits,
                                 struct rill__h1_field *fields, enum rill__h1_method method);

/* Parses on. `buf` is all that came of the message from its first byte, and maybe more behind it.
 * Returns the length of the head, with the empty line and what stood before the start line;
 * 0 when it needs more; a negative number, -head->reason, when it was refused. */
int rill__h1_head_parse(struct rill__h1_head *head, const char *buf, size_t len);

static inline rill_str rill__h1_text(const char *buf, struct rill__h1_span span)
{
    return (rill_str){ buf + span.off, span.len };
}

/*
 * Bodies.
 *
 * Chunk lines may weigh what their data justifies, and 16 KiB more: each line (size, extensions,
 * CRLF) adds to a sum, 16 bytes and twice the chunk's data come off it again, never below 0, and
 * when it passes 16 KiB the body is refused. Trailers have the limits of a head.
 */
#define RILL__H1_OVERHEAD_MAX 16384

enum rill__h1_step {
    RILL__H1_REFUSED = -1, /* body->reason says why */
    RILL__H1_MORE,         /* nothing to give yet */
    RILL__H1_DATA,
    RILL__H1_END, /* the body is complete; what was not consumed belongs to the next message */
};

struct rill__h1_body {
    uint64_t left; /* of the body, or of the chunk; the bytes that miss when it is truncated */
    const struct rill__h1_limits *limits;
    rill_headers *trailers; /* where trailers go; NULL drops them. Set it after init */
    uint32_t scanned;       /* how much of the first line was searched for its end */
    uint32_t overhead;
    uint32_t trailer_bytes;
    uint32_t trailer_count;
    uint8_t state;
    uint8_t reason; /* enum rill__h1_reason */
};

void rill__h1_body_init(struct rill__h1_body *body, const struct rill__h1_head *head);

/*
 * Gives the next run of body bytes inside `in`, or says that there is none.
 *
 * *ret_consumed is how many bytes of `in` are done with once the data is used: the data is a part
 * of them. Bytes that were not consumed must be given again, at the front, with more behind them:
 * that is at most one unfinished line. With RILL__H1_MORE and RILL__H1_END there may be bytes
 * consumed too. Trailers that may not be trailers (RFC 9110 6.5.1: framing, routing,
 * authentication, content format) are checked and dropped.
 */
enum rill__h1_step rill__h1_body_next(struct rill__h1_body *body, const char *in, size_t len,
                                      size_t *ret_consumed, rill_str *ret_data);

/* The connection has ended: true when the body is complete by that, else false, and the reason is
 * RILL__H1_TRUNCATED. */
bool rill__h1_body_eof(struct rill__h1_body *body);

static inline bool rill__h1_body_done(const struct rill__h1_body *body)
{
    return body->state == 0;
}

/*
 * The writer. Each function appends to the buffer, or appends nothing and returns RILL_EINVAL with
 * a sentence when what it was given could not stand in its place: so no text of an application can
 * end its line. That the buffer ran out is its own to remember: rill__h1_write_end tells.
 */

/* "GET /path HTTP/1.1": the method is a token, the target visible ASCII, minor 0 or 1. */
int rill__h1_write_request_line(rill__buf *out, rill_str method, rill_str target, int minor);
/* "HTTP/1.1 200 OK": status 100-999; a phrase with NULL ptr is the status's own. */
int rill__h1_write_status_line(rill__buf *out, int status, rill_str phrase);
int rill__h1_write_field(rill__buf *out, rill_str name, rill_str value);
/* "Content-Length: 13", or any other name that is known to be good, with a number. */
void rill__h1_write_number(rill__buf *out, rill_str name, uint64_t number);
/* All fields of a table: they were checked when they came in. */
void rill__h1_write_headers(rill__buf *out, const rill_headers *headers);
/* The empty line. Returns RILL_ENOMEM or RILL_ELIMIT when the buffer failed on the way. */
int rill__h1_write_end(rill__buf *out);

/* The line before a chunk of `size` bytes, into `line`; returns its length. */
#define RILL__H1_CHUNK_LINE 18
size_t rill__h1_chunk_line(char line[RILL__H1_CHUNK_LINE], uint64_t size);
/* One whole chunk; an empty one, which would be the end, is not written. */
void rill__h1_write_chunk(rill__buf *out, const void *data, size_t len);
/* "0", the trailers (NULL: none), and the empty line. A name that may not be a trailer is refused.
 */
int rill__h1_write_last_chunk(rill__buf *out, const rill_headers *trailers);

/* Whether RFC 9110 6.5.1 keeps this name out of trailers. */
bool rill__h1_not_a_trailer(rill_str name);

/* "Not Found" for 404; "" for a status without one. Static text. */
const char *rill__h1_status_text(int status);

#endif
