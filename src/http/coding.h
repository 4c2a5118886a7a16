/*
 * Content codings (RFC 9110 section 8.4.1): bytes in, bytes out, a bounded step at a time.
 *
 * Life of a decoder: rill__codings_add() for each Content-Encoding line, rill__decoder_open(), then
 * rill__decoder_step() for every piece of the body until it gives nothing, and at the body's end
 * rill__decoder_finish(), which tells a complete body from a truncated one.
 *
 *     rill_str in = piece;
 *     while ((reason = rill__decoder_step(decoder, &in, out, sizeof out, &len)) == 0 && len > 0)
 *         take(out, len);
 *
 * What was decoded before a fault is handed out first; the fault is the answer to the next call,
 * and to all later ones. Memory is one window of at most 48 KiB for each coding, whatever arrives;
 * a bomb costs at most one step of output. Nothing here is tied to a task or a connection.
 */
#ifndef RILL_SRC_HTTP_CODING_H
#define RILL_SRC_HTTP_CODING_H

#include <rill/base.h>

/* Limits. An empty member costs work and gives nothing, hence their number is bounded. Text shrinks
 * to a tenth or so; a long run of one byte to a thousandth, so who expects such files sets no
 * ratio. */
#define RILL__CODINGS_MAX 4u              /* codings on top of each other */
#define RILL__CODING_STEP ((size_t)65536) /* bytes that one step gives at most */
#define RILL__CODING_MEMBERS_MAX 1024u    /* members of a gzip body */
#define RILL__CODING_RATIO_MAX 200u       /* output to input, the default where one is wanted */
#define RILL__CODING_RATIO_FREE ((uint64_t)1 << 20) /* output that no ratio applies to */

enum rill__coding {
    RILL__CODING_IDENTITY,
    RILL__CODING_GZIP,
    RILL__CODING_DEFLATE,
};

/* Why bytes are refused: a name and the text behind "gzip: ". */
#define RILL__CODING_REASONS(X)                                                                    \
    X(NONE, "no error")                                                                            \
    X(NOMEM, "out of memory")                                                                      \
    X(UNKNOWN, "unknown content coding")                                                           \
    X(TOO_DEEP, "more than 4 content codings")                                                     \
    X(HEADER, "bad header")                                                                        \
    X(DATA, "bad data")                                                                            \
    X(CHECKSUM, "bad checksum")                                                                    \
    X(LENGTH, "bad length")                                                                        \
    X(TRUNCATED, "truncated")                                                                      \
    X(TRAILING, "garbage after the end")                                                           \
    X(MEMBERS, "more than 1024 members")                                                           \
    X(RATIO, "too much output for its input")                                                      \
    X(TOO_LONG, "decoded body over its limit")

enum rill__coding_reason {
#define RILL__CODING_ENUM(name, text) RILL__CODING_##name,
    RILL__CODING_REASONS(RILL__CODING_ENUM)
#undef RILL__CODING_ENUM
};

/* The text of a reason alone: "truncated". Static. */
const char *rill__coding_text(enum rill__coding_reason reason);

/* The codings of a body in the order in which they were applied; identity is left out, so that
 * count 0 means that the bytes are the body. A zeroed one is empty. */
typedef struct rill__codings {
    size_t count;
    enum rill__coding at[RILL__CODINGS_MAX];
} rill__codings;

/* Adds the codings of one Content-Encoding line, names in any case: gzip, x-gzip, deflate,
 * identity. Returns NONE; UNKNOWN for any other name: the caller hands on the raw bytes or refuses
 * them (415); TOO_DEEP. After an error the list is of no use. */
enum rill__coding_reason rill__codings_add(rill__codings *codings, rill_str line);

/* Zero means no limit. */
typedef struct rill__decoder_limits {
    uint64_t output_max; /* decoded bytes of the whole body; exactly so many are fine */
    unsigned ratio_max; /* decoded bytes for each body byte, once RILL__CODING_RATIO_FREE is passed.
                         * Between stacked codings RILL__CODING_RATIO_MAX always applies. */
} rill__decoder_limits;

typedef struct rill__decoder rill__decoder;

/* A decoder for these codings; with none it copies. `limits` may be NULL. NULL when memory is
 * short. */
rill__decoder *rill__decoder_open(const rill__codings *codings, const rill__decoder_limits *limits);
void rill__decoder_free(rill__decoder *decoder);

/*
 * Decodes from the front of `in`, which it shortens by what it used, into `out`: at most `room`
 * bytes (at least 1), never more than RILL__CODING_STEP.
 *
 *   ret_len  how many bytes came out; 0 with NONE means that `in` is used up and all is handed out
 *
 * Returns NONE, NOMEM, HEADER, DATA, CHECKSUM, LENGTH, TRAILING, MEMBERS, RATIO or TOO_LONG.
 */
enum rill__coding_reason rill__decoder_step(rill__decoder *decoder, rill_str *in, char *out,
                                            size_t room, size_t *ret_len);

/* The body has ended and the last step gave nothing: NONE when every coding came to its end (or the
 * body had no byte at all, as an answer to HEAD), else TRUNCATED or the fault that stands. */
enum rill__coding_reason rill__decoder_finish(rill__decoder *decoder);

/* The fault in words, with the coding that met it: "gzip: truncated". Static text. */
const char *rill__decoder_text(const rill__decoder *decoder);

typedef struct rill__encoder rill__encoder;

/* What is to become of the bytes given so far. */
enum rill__encode {
    RILL__ENCODE_MORE,  /* keep them as long as it helps */
    RILL__ENCODE_FLUSH, /* give all that is needed to decode them */
    RILL__ENCODE_END,   /* end the coding */
};

/* An encoder for gzip or deflate (zlib); `level` 1 to 9, 0 for zlib's default. It holds some
 * 260 KiB. NULL when memory is short. */
rill__encoder *rill__encoder_open(enum rill__coding coding, int level);
void rill__encoder_free(rill__encoder *encoder);

/* Encodes from the front of `in`, which it shortens, into `out` of at least 16 bytes; returns how
 * many came out. Call it with the same `what` until it gives 0. It cannot fail. */
size_t rill__encoder_step(rill__encoder *encoder, rill_str *in, enum rill__encode what, char *out,
                          size_t room);

RILL_DEFINE_AUTO(rill__decoder)
RILL_DEFINE_AUTO(rill__encoder)

#endif
