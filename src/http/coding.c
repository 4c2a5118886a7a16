/*
 * Content codings over zlib.
 *
 * A decoder is a row of stages, the first fed by the body, each other one by the stage before it,
 * the last one writing to the caller. pump() walks that row: a stage that has nothing to work on
 * sends it one back, a stage that made something sends it one forward. A stage between two others
 * has one small buffer and runs only when that is empty, so memory does not grow with the body, and
 * no stage recurses into another.
 *
 * A step's work is bounded by its input: the last stage stops at the step's room, and the stages
 * before it may not give more than RILL__CODING_RATIO_MAX times what the body brought, however
 * little comes of it at the end.
 */
#include "http/coding.h"

#include "base/alloc.h"
#include "http/token.h"

#include <assert.h>
#define ZLIB_CONST
#include <zlib.h>

#define LINK_SIZE 4096u        /* the buffer between two stages */
#define WINDOW_BITS 15         /* the largest window, 32 KiB */
#define GZIP_BITS 16           /* added to the window bits: a gzip wrapper */
#define ZLIB_CHUNK (1u << 30)  /* zlib counts in unsigned int */
#define DEFLATE_MEMORY_LEVEL 8 /* zlib's default */
#define ENCODE_ROOM_MIN 16u    /* what deflate() needs not to repeat a flush marker */

struct stage {
    z_stream zlib;
    enum rill__coding coding;
    enum rill__coding_reason fault; /* told when all before it has been handed on */
    bool open;                      /* zlib's state exists: a byte has come */
    bool ended;                     /* at the end of a member */
    bool held;                      /* zlib may have more output without more input */
    unsigned members;
    uint64_t produced;
    rill_str pending; /* output in `link` that the next stage has not used yet */
    char *link;       /* LINK_SIZE bytes; NULL in the last stage */
};

struct rill__decoder {
    rill__decoder_limits limits;
    uint64_t consumed; /* of the body */
    uint64_t produced; /* for the caller */
    enum rill__coding_reason reason;
    enum rill__coding blame; /* the coding that met the fault; identity: none in particular */
    bool drained;            /* the last step gave nothing */
    size_t count;
    struct stage stages[RILL__CODINGS_MAX]; /* in the order of decoding */
};

struct rill__encoder {
    z_stream zlib;
};

static const char *const reason_texts[][3] = {
#define REASON_TEXT(name, text)                                                                    \
    [RILL__CODING_##name] = { [RILL__CODING_IDENTITY] = text,                                      \
                              [RILL__CODING_GZIP] = "gzip: " text,                                 \
                              [RILL__CODING_DEFLATE] = "deflate: " text },
    RILL__CODING_REASONS(REASON_TEXT)
#undef REASON_TEXT
};

const char *rill__coding_text(enum rill__coding_reason reason)
{
    return reason_texts[reason][RILL__CODING_IDENTITY];
}

const char *rill__decoder_text(const rill__decoder *decoder)
{
    return reason_texts[decoder->reason][decoder->blame];
}

static bool coding_of(rill_str name, enum rill__coding *ret_coding)
{
    static const struct {
        rill_str name;
        enum rill__coding coding;
    } known[] = {
        { { "gzip", 4 }, RILL__CODING_GZIP },
        { { "x-gzip", 6 }, RILL__CODING_GZIP },
        { { "deflate", 7 }, RILL__CODING_DEFLATE },
        { { "identity", 8 }, RILL__CODING_IDENTITY },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (rill_str_caseeq(name, known[i].name)) {
            *ret_coding = known[i].coding;
            return true;
        }
    }
    return false;
}

enum rill__coding_reason rill__codings_add(rill__codings *codings, rill_str line)
{
    rill_str name;
    while (rill__list_item(&line, &name)) {
        enum rill__coding coding;
        if (!coding_of(name, &coding))
            return RILL__CODING_UNKNOWN;
        if (coding == RILL__CODING_IDENTITY)
            continue;
        if (codings->count == RILL__CODINGS_MAX)
            return RILL__CODING_TOO_DEEP;
        codings->at[codings->count++] = coding;
    }
    return RILL__CODING_NONE;
}

/* Moves the front of a view forward. */
static void skip(rill_str *text, size_t len)
{
    *text = (rill_str){ text->ptr + len, text->len - len };
}

static void *zlib_alloc(void *unused, unsigned items, unsigned size)
{
    (void)unused;
    return rill__alloc((size_t)items * size);
}

static void zlib_free(void *unused, void *memory)
{
    (void)unused;
    rill__free(memory);
}

rill__decoder *rill__decoder_open(const rill__codings *codings, const rill__decoder_limits *limits)
{
    size_t links = codings->count > 1 ? codings->count - 1 : 0;
    rill__decoder *decoder = rill__alloc(sizeof *decoder + links * LINK_SIZE);
    if (!decoder)
        return NULL;
    *decoder = (rill__decoder){ .count = codings->count, .drained = true };
    if (limits)
        decoder->limits = *limits;
    char *link = (char *)(decoder + 1);
    for (size_t i = 0; i < codings->count; i++) {
        struct stage *stage = &decoder->stages[i];
        stage->coding = codings->at[codings->count - 1 - i];
        if (i < links)
            stage->link = link + i * LINK_SIZE;
    }
    return decoder;
}

void rill__decoder_free(rill__decoder *decoder)
{
    if (!decoder)
        return;
    for (size_t i = 0; i < decoder->count; i++)
        if (decoder->stages[i].open)
            inflateEnd(&decoder->stages[i].zlib);
    rill__free(decoder);
}

/* Starts zlib at the first byte. What calls itself deflate is a zlib stream by RFC 9110, and a bare
 * one from some servers: the low half of a zlib stream's first byte is 8, which in a bare one would
 * be a stored block with padding that no encoder writes. */
static enum rill__coding_reason stage_open(struct stage *stage, unsigned char first)
{
    int bits = WINDOW_BITS;
    if (stage->coding == RILL__CODING_GZIP)
        bits += GZIP_BITS;
    else if ((first & 0x0f) != Z_DEFLATED)
        bits = -bits;
    stage->zlib = (z_stream){ .zalloc = zlib_alloc, .zfree = zlib_free };
    if (inflateInit2(&stage->zlib, bits) != Z_OK)
        return RILL__CODING_NOMEM;
    stage->open = true;
    return RILL__CODING_NONE;
}

/* There are bytes behind the end of a member: another one, or garbage. */
static enum rill__coding_reason stage_next_member(struct stage *stage, unsigned char first)
{
    if (stage->coding != RILL__CODING_GZIP || first != 0x1f)
        return RILL__CODING_TRAILING;
    if (stage->members == RILL__CODING_MEMBERS_MAX)
        return RILL__CODING_MEMBERS;
    inflateReset(&stage->zlib);
    stage->ended = false;
    return RILL__CODING_NONE;
}

/* zlib tells its data errors apart by their text only. */
static enum rill__coding_reason fault_of(const struct stage *stage)
{
    static const struct {
        const char *message;
        enum rill__coding_reason reason;
    } faults[] = {
        { "incorrect data check", RILL__CODING_CHECKSUM },
        { "incorrect length check", RILL__CODING_LENGTH },
        { "incorrect header check", RILL__CODING_HEADER },
        { "unknown compression method", RILL__CODING_HEADER },
        { "unknown header flags set", RILL__CODING_HEADER },
        { "header crc mismatch", RILL__CODING_HEADER },
        { "invalid window size", RILL__CODING_HEADER },
    };
    const char *message = stage->zlib.msg ? stage->zlib.msg : "";
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (strcmp(message, faults[i].message) != 0)
            continue;
        bool later = faults[i].reason == RILL__CODING_HEADER && stage->members > 0;
        return later ? RILL__CODING_TRAILING : faults[i].reason;
    }
    return RILL__CODING_DATA;
}

static enum rill__coding_reason inflate_some(struct stage *stage)
{
    switch (inflate(&stage->zlib, Z_NO_FLUSH)) {
    case Z_OK:
    case Z_BUF_ERROR: /* no progress was possible, which is no error */
        stage->held = stage->zlib.avail_out == 0;
        return RILL__CODING_NONE;
    case Z_STREAM_END:
        stage->held = false;
        stage->ended = true;
        stage->members++;
        return RILL__CODING_NONE;
    case Z_NEED_DICT: /* nobody could have agreed on one */
        return RILL__CODING_HEADER;
    case Z_MEM_ERROR:
        return RILL__CODING_NOMEM;
    default:
        return fault_of(stage);
    }
}

/* Runs one stage on what it has. The fault is kept in the stage; returns the bytes that came out.
 */
static size_t stage_run(struct stage *stage, rill_str *in, char *out, size_t room)
{
    unsigned char first = in->len > 0 ? (unsigned char)in->ptr[0] : 0;
    if (!stage->open)
        stage->fault = stage_open(stage, first);
    else if (stage->ended)
        stage->fault = stage_next_member(stage, first);
    if (stage->fault)
        return 0;
    z_stream *zlib = &stage->zlib;
    unsigned given = in->len < ZLIB_CHUNK ? (unsigned)in->len : ZLIB_CHUNK;
    zlib->next_in = (const unsigned char *)in->ptr;
    zlib->avail_in = given;
    zlib->next_out = (unsigned char *)out;
    zlib->avail_out = (unsigned)room;
    stage->fault = inflate_some(stage);
    size_t len = room - zlib->avail_out;
    skip(in, given - zlib->avail_in);
    stage->produced += len;
    return len;
}

static void refuse(rill__decoder *decoder, enum rill__coding_reason reason, enum rill__coding blame)
{
    decoder->reason = reason;
    decoder->blame = reason == RILL__CODING_NOMEM ? RILL__CODING_IDENTITY : blame;
}

static bool out_of_proportion(const rill__decoder *decoder, const struct stage *stage)
{
    unsigned ratio = stage->link ? RILL__CODING_RATIO_MAX : decoder->limits.ratio_max;
    return ratio > 0 && stage->produced > RILL__CODING_RATIO_FREE &&
           stage->produced / ratio >= decoder->consumed;
}

/* Walks the stages until the last one gave something or the body's bytes are used up. */
static size_t pump(rill__decoder *decoder, rill_str *in, char *out, size_t room)
{
    size_t last = decoder->count - 1, at = last;
    for (;;) {
        struct stage *stage = &decoder->stages[at];
        rill_str *from = at == 0 ? in : &decoder->stages[at - 1].pending;
        if (stage->fault) {
            refuse(decoder, stage->fault, stage->coding);
            return 0;
        }
        if (from->len == 0 && !stage->held) {
            if (at == 0)
                return 0;
            at--;
            continue;
        }
        size_t before = from->len;
        size_t len =
            stage_run(stage, from, stage->link ? stage->link : out, stage->link ? LINK_SIZE : room);
        if (at == 0)
            decoder->consumed += before - from->len;
        if (out_of_proportion(decoder, stage)) {
            refuse(decoder, RILL__CODING_RATIO, stage->coding);
            return 0;
        }
        if (len > 0 && at == last)
            return len;
        if (len > 0) {
            stage->pending = (rill_str){ stage->link, len };
            at++;
        }
    }
}

static size_t copy(rill__decoder *decoder, rill_str *in, char *out, size_t room)
{
    size_t len = in->len < room ? in->len : room;
    if (len > 0)
        memcpy(out, in->ptr, len);
    skip(in, len);
    decoder->consumed += len;
    return len;
}

enum rill__coding_reason rill__decoder_step(rill__decoder *decoder, rill_str *in, char *out,
                                            size_t room, size_t *ret_len)
{
    assert(room > 0);
    *ret_len = 0;
    if (decoder->reason)
        return decoder->reason;
    room = room < RILL__CODING_STEP ? room : RILL__CODING_STEP;
    uint64_t max = decoder->limits.output_max, left = max - decoder->produced;
    char beyond; /* at the limit one byte more is tried, to see whether there is one */
    if (max > 0 && left == 0) {
        out = &beyond;
        room = 1;
    } else if (max > 0 && left < room) {
        room = (size_t)left;
    }
    size_t len = decoder->count > 0 ? pump(decoder, in, out, room) : copy(decoder, in, out, room);
    if (len > 0 && out == &beyond)
        refuse(decoder, RILL__CODING_TOO_LONG, RILL__CODING_IDENTITY);
    if (decoder->reason)
        return decoder->reason;
    decoder->produced += len;
    decoder->drained = len == 0;
    *ret_len = len;
    return RILL__CODING_NONE;
}

enum rill__coding_reason rill__decoder_finish(rill__decoder *decoder)
{
    assert(decoder->reason || decoder->drained);
    for (size_t i = 0; i < decoder->count && !decoder->reason; i++) {
        struct stage *stage = &decoder->stages[i];
        if (stage->open && !stage->ended)
            refuse(decoder, RILL__CODING_TRUNCATED, stage->coding);
    }
    return decoder->reason;
}

rill__encoder *rill__encoder_open(enum rill__coding coding, int level)
{
    assert(coding != RILL__CODING_IDENTITY && level >= 0 && level <= 9);
    rill__encoder *encoder = rill__alloc(sizeof *encoder);
    if (!encoder)
        return NULL;
    *encoder = (rill__encoder){ .zlib = { .zalloc = zlib_alloc, .zfree = zlib_free } };
    int bits = WINDOW_BITS + (coding == RILL__CODING_GZIP ? GZIP_BITS : 0);
    int rc = deflateInit2(&encoder->zlib, level == 0 ? Z_DEFAULT_COMPRESSION : level, Z_DEFLATED,
                          bits, DEFLATE_MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
    if (rc != Z_OK) {
        rill__free(encoder);
        return NULL;
    }
    return encoder;
}

void rill__encoder_free(rill__encoder *encoder)
{
    if (!encoder)
        return;
    deflateEnd(&encoder->zlib);
    rill__free(encoder);
}

size_t rill__encoder_step(rill__encoder *encoder, rill_str *in, enum rill__encode what, char *out,
                          size_t room)
{
    assert(room >= ENCODE_ROOM_MIN);
    static const int flush[] = {
        [RILL__ENCODE_MORE] = Z_NO_FLUSH,
        [RILL__ENCODE_FLUSH] = Z_SYNC_FLUSH,
        [RILL__ENCODE_END] = Z_FINISH,
    };
    room = room < RILL__CODING_STEP ? room : RILL__CODING_STEP;
    z_stream *zlib = &encoder->zlib;
    unsigned given = in->len < ZLIB_CHUNK ? (unsigned)in->len : ZLIB_CHUNK;
    zlib->next_in = (const unsigned char *)in->ptr;
    zlib->avail_in = given;
    zlib->next_out = (unsigned char *)out;
    zlib->avail_out = (unsigned)room;
    int rc = deflate(zlib, given < in->len ? Z_NO_FLUSH : flush[what]);
    assert(rc == Z_OK || rc == Z_BUF_ERROR || rc == Z_STREAM_END);
    (void)rc;
    skip(in, given - zlib->avail_in);
    return room - zlib->avail_out;
}
