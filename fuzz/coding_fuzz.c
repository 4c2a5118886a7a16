/*
 * Fuzzes content codings. The first byte chooses the codings, the second how the rest is split.
 *
 * What must hold: a step gives no more than it may, all steps no more than the limit; how the body
 * is split changes neither the bytes nor the verdict (save where the ratio of a nested bomb was
 * passed, for zlib reads a few bytes ahead); what is encoded decodes to the same.
 */
#include "base/buf.h"
#include "http/coding.h"

#include <stdlib.h>

#define OUTPUT_MAX 300000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static enum rill__coding_reason decode(const rill__codings *codings, rill_str body, size_t piece,
                                       size_t room, rill__buf *out)
{
    const rill__decoder_limits limits = { .output_max = OUTPUT_MAX };
    rill_auto(rill__decoder) decoder = rill__decoder_open(codings, &limits);
    enum rill__coding_reason reason = RILL__CODING_NONE;
    while (!reason && body.len > 0) {
        rill_str in = { body.ptr, body.len < piece ? body.len : piece };
        body = (rill_str){ body.ptr + in.len, body.len - in.len };
        size_t len = 0;
        do {
            char *step = rill__buf_reserve(out, room);
            require(step);
            reason = rill__decoder_step(decoder, &in, step, room, &len);
            require(len <= room && len <= RILL__CODING_STEP && !(reason && len > 0));
            rill__buf_commit(out, len);
        } while (!reason && len > 0);
        require(reason || in.len == 0);
    }
    if (!reason)
        reason = rill__decoder_finish(decoder);
    require(rill__decoder_text(decoder)[0] != '\0');
    require(out->len <= OUTPUT_MAX);
    return reason;
}

static void check_round_trip(enum rill__coding coding, rill_str body)
{
    const rill__codings codings = { .count = 1, .at = { coding } };
    rill_auto(rill__encoder) encoder = rill__encoder_open(coding, 1);
    rill__buf wire = rill__buf_make(SIZE_MAX / 2), out = rill__buf_make(SIZE_MAX / 2);
    rill_str in = body;
    char step[100];
    size_t len;
    while ((len = rill__encoder_step(encoder, &in, RILL__ENCODE_END, step, sizeof step)) > 0)
        rill__buf_append(&wire, step, len);
    require(in.len == 0);
    enum rill__coding_reason reason = decode(&codings, rill__buf_str(&wire), 1000, 1000, &out);
    if (body.len <= OUTPUT_MAX)
        require(!reason && rill_str_eq(rill__buf_str(&out), body));
    else
        require(reason == RILL__CODING_TOO_LONG);
    rill__buf_free(&wire);
    rill__buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const stacks[] = { "gzip",          "deflate",    "identity",
                                          "deflate, gzip", "gzip, gzip", "gzip, deflate, gzip" };
    if (size < 2)
        return 0;
    rill__codings codings = { 0 };
    size_t stack = data[0] % (sizeof stacks / sizeof *stacks);
    require(rill__codings_add(&codings, rill_str_of(stacks[stack])) == RILL__CODING_NONE);
    rill_str body = { (const char *)data + 2, size - 2 };
    rill__buf whole = rill__buf_make(SIZE_MAX / 2), split = rill__buf_make(SIZE_MAX / 2);
    enum rill__coding_reason reason = decode(&codings, body, body.len, RILL__CODING_STEP, &whole);
    size_t piece = data[1] % 16 + 1u, room = data[1] / 16 * 64 + 1u;
    enum rill__coding_reason again = decode(&codings, body, piece, room, &split);
    if (reason != RILL__CODING_RATIO && again != RILL__CODING_RATIO)
        require(reason == again && rill_str_eq(rill__buf_str(&whole), rill__buf_str(&split)));
    rill__buf_free(&whole);
    rill__buf_free(&split);
    check_round_trip(data[0] & 1 ? RILL__CODING_GZIP : RILL__CODING_DEFLATE, body);
    return 0;
}
