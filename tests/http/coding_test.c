/* Content codings: every split gives the same bytes, every fault its reason, every limit holds. */
#include "base/alloc.h"
#include "base/buf.h"
#include "harness.h"
#include "http/coding.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define ALL SIZE_MAX

/* What came of a body: the output up to the fault, and the fault. */
struct outcome {
    rill__buf out;
    enum rill__coding_reason reason;
    const char *text;
};

static rill__codings codings_of(const char *names)
{
    rill__codings codings = { 0 };
    CHECK_INT(rill__codings_add(&codings, rill_str_of(names)), RILL__CODING_NONE);
    return codings;
}

/* Feeds the body in pieces of `piece` bytes and takes at most `room` bytes a step. */
static enum rill__coding_reason feed(rill__decoder *decoder, rill_str body, size_t piece,
                                     size_t room, rill__buf *out)
{
    char *step = malloc(room);
    enum rill__coding_reason reason = RILL__CODING_NONE;
    do {
        rill_str in = { body.ptr, body.len < piece ? body.len : piece };
        body = (rill_str){ body.ptr + in.len, body.len - in.len };
        size_t len = 0;
        do {
            reason = rill__decoder_step(decoder, &in, step, room, &len);
            CHECK(len <= room && len <= RILL__CODING_STEP);
            CHECK(len == 0 || reason == RILL__CODING_NONE);
            rill__buf_append(out, step, len);
        } while (!reason && len > 0);
        CHECK(reason || in.len == 0);
    } while (!reason && body.len > 0);
    free(step);
    return reason ? reason : rill__decoder_finish(decoder);
}

static struct outcome decode(const char *names, rill_str body, size_t piece, size_t room,
                             const rill__decoder_limits *limits)
{
    rill__codings codings = codings_of(names);
    struct outcome outcome = { .out = rill__buf_make(64 << 20) };
    rill_auto(rill__decoder) decoder = rill__decoder_open(&codings, limits);
    if (!decoder) {
        outcome.reason = RILL__CODING_NOMEM;
        return outcome;
    }
    outcome.reason = feed(decoder, body, piece, room, &outcome.out);
    outcome.text = rill__decoder_text(decoder);
    CHECK_INT(rill__decoder_finish(decoder), outcome.reason); /* a verdict stays */
    return outcome;
}

/* Encodes through our encoder, in pieces. */
static rill__buf encode(enum rill__coding coding, rill_str body, size_t piece, size_t room)
{
    rill__buf out = rill__buf_make(64 << 20);
    rill_auto(rill__encoder) encoder = rill__encoder_open(coding, 9);
    if (!encoder) {
        out.failed = true;
        return out;
    }
    char *step = malloc(room);
    bool last;
    do {
        rill_str in = { body.ptr, body.len < piece ? body.len : piece };
        body = (rill_str){ body.ptr + in.len, body.len - in.len };
        last = body.len == 0;
        size_t len;
        enum rill__encode what = last ? RILL__ENCODE_END : RILL__ENCODE_MORE;
        while ((len = rill__encoder_step(encoder, &in, what, step, room)) > 0)
            rill__buf_append(&out, step, len);
        CHECK_INT(in.len, 0);
    } while (!last);
    free(step);
    return out;
}

static rill__buf gzipped(rill_str body)
{
    return encode(RILL__CODING_GZIP, body, ALL, 4096);
}

/* A bare deflate stream by zlib itself. With `times`, so many times the same without an end
 * between: a bomb of any size for the price of one block. */
static rill__buf bare_deflate(rill_str body, unsigned times)
{
    rill__buf out = rill__buf_make(64 << 20);
    z_stream zlib = { 0 };
    deflateInit2(&zlib, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    size_t bound = deflateBound(&zlib, body.len) + 64;
    char *block = malloc(bound);
    zlib.next_in = (unsigned char *)(uintptr_t)body.ptr;
    zlib.avail_in = (unsigned)body.len;
    zlib.next_out = (unsigned char *)block;
    zlib.avail_out = (unsigned)bound;
    deflate(&zlib, times > 0 ? Z_FULL_FLUSH : Z_FINISH);
    for (unsigned i = 0; i < (times > 0 ? times : 1); i++)
        rill__buf_append(&out, block, bound - zlib.avail_out);
    if (times > 0)
        rill__buf_append(&out, "\x03\x00", 2); /* an empty last block */
    deflateEnd(&zlib);
    free(block);
    return out;
}

/* Text that compresses, but not to nothing. */
static rill__buf sample(size_t len)
{
    rill__buf text = rill__buf_make(len);
    unsigned state = 1;
    while (text.len < len) {
        state = state * 1664525 + 1013904223;
        rill__buf_putc(&text, "etaoin shrdlu\n"[(state >> 24) % 14]);
    }
    return text;
}

static void check_outcome(const char *names, rill_str body, enum rill__coding_reason reason,
                          const char *text)
{
    struct outcome outcome = decode(names, body, ALL, 4096, NULL);
    CHECK_INT(outcome.reason, reason);
    CHECK_STR(outcome.text, text);
    rill__buf_free(&outcome.out);
}

TEST(names_are_known_in_any_case_and_in_stacks)
{
    rill__codings codings = codings_of(" GZIP ,\tx-Gzip,, deflate, Identity");
    CHECK_INT(codings.count, 3);
    CHECK_INT(codings.at[0], RILL__CODING_GZIP);
    CHECK_INT(codings.at[1], RILL__CODING_GZIP);
    CHECK_INT(codings.at[2], RILL__CODING_DEFLATE);
    CHECK_INT(rill__codings_add(&codings, RILL_STR("gzip")), RILL__CODING_NONE); /* another line */
    CHECK_INT(codings.count, 4);
    CHECK_INT(codings_of("identity, ,").count, 0);
    CHECK_INT(codings_of("").count, 0);

    static const char *const unknown[] = { "br", "gzip;q=1", "gzipp", "gzi", "gzip deflate", "*" };
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        rill__codings other = { 0 };
        CHECK_INT(rill__codings_add(&other, rill_str_of(unknown[i])), RILL__CODING_UNKNOWN);
    }
}

TEST(at_most_four_codings_are_stacked)
{
    rill__codings codings = codings_of("gzip, gzip, gzip, gzip, identity");
    CHECK_INT(codings.count, RILL__CODINGS_MAX);
    CHECK_INT(rill__codings_add(&codings, RILL_STR("gzip")), RILL__CODING_TOO_DEEP);
    codings = (rill__codings){ 0 };
    rill_str ten = RILL_STR("gzip,gzip,gzip,gzip,gzip,gzip,gzip,gzip,gzip,gzip");
    CHECK_INT(rill__codings_add(&codings, ten), RILL__CODING_TOO_DEEP);
    CHECK_STR(rill__coding_text(RILL__CODING_TOO_DEEP), "more than 4 content codings");
}

TEST(any_split_gives_the_same_bytes)
{
    rill__buf text = sample(20000);
    rill_str plain = rill__buf_str(&text);
    rill__buf bodies[4] = {
        encode(RILL__CODING_GZIP, plain, 777, 16),
        encode(RILL__CODING_DEFLATE, plain, ALL, 4096),
        bare_deflate(plain, 1),
        { 0 },
    };
    rill__buf inner = encode(RILL__CODING_DEFLATE, plain, ALL, 4096);
    bodies[3] = gzipped(rill__buf_str(&inner));
    static const char *const names[4] = { "x-gzip", "deflate", "deflate", "deflate, gzip" };
    static const size_t sizes[] = { 1, 2, 3, 100, 4096, 65536, 100000 };
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 7 * 7; j++) {
            struct outcome outcome =
                decode(names[i], rill__buf_str(&bodies[i]), sizes[j / 7], sizes[j % 7], NULL);
            CHECK_INT(outcome.reason, RILL__CODING_NONE);
            CHECK(rill_str_eq(rill__buf_str(&outcome.out), plain));
            rill__buf_free(&outcome.out);
        }
        rill__buf_free(&bodies[i]);
    }
    rill__buf_free(&inner);
    rill__buf_free(&text);
}

TEST(output_that_waits_behind_the_last_byte_is_given)
{
    /* The last byte holds a match of many bytes and the end, and nothing comes behind it. */
    static const char zeros[10000];
    for (size_t len = 1; len < sizeof zeros; len += 97) {
        rill__buf body = bare_deflate((rill_str){ zeros, len }, 0);
        struct outcome outcome = decode("deflate", rill__buf_str(&body), ALL, 1, NULL);
        CHECK_INT(outcome.reason, RILL__CODING_NONE);
        CHECK_INT(outcome.out.len, len);
        rill__buf_free(&outcome.out);
        rill__buf_free(&body);
    }
}

TEST(four_codings_are_taken_off_in_reverse_order)
{
    rill__buf body = sample(50000);
    static const enum rill__coding order[] = { RILL__CODING_GZIP, RILL__CODING_DEFLATE,
                                               RILL__CODING_GZIP, RILL__CODING_GZIP };
    for (size_t i = 0; i < 4; i++) {
        rill__buf outer = encode(order[i], rill__buf_str(&body), ALL, 4096);
        rill__buf_free(&body);
        body = outer;
    }
    rill__buf text = sample(50000);
    struct outcome outcome =
        decode("gzip, deflate, x-gzip, gzip", rill__buf_str(&body), 1000, 1000, NULL);
    CHECK_INT(outcome.reason, RILL__CODING_NONE);
    CHECK(rill_str_eq(rill__buf_str(&outcome.out), rill__buf_str(&text)));
    check_outcome("gzip, gzip, x-gzip, gzip", rill__buf_str(&body), RILL__CODING_HEADER,
                  "gzip: bad header");
    rill__buf_free(&outcome.out);
    rill__buf_free(&text);
    rill__buf_free(&body);
}

TEST(no_coding_copies)
{
    struct outcome outcome = decode("identity", RILL_STR("hello"), 2, 1, NULL);
    CHECK_STR(outcome.out.ptr, "hello");
    CHECK_INT(outcome.reason, RILL__CODING_NONE);
    rill__buf_free(&outcome.out);
    rill__decoder_limits limits = { .output_max = 4 };
    outcome = decode("", RILL_STR("hello"), 2, 100, &limits);
    CHECK_STR(outcome.out.ptr, "hell");
    CHECK_INT(outcome.reason, RILL__CODING_TOO_LONG);
    rill__buf_free(&outcome.out);
}

TEST(a_body_without_a_byte_is_complete)
{
    check_outcome("gzip", RILL_STR(""), RILL__CODING_NONE, "no error");
    check_outcome("deflate, gzip", RILL_STR(""), RILL__CODING_NONE, "no error");
    rill__decoder_free(NULL);
    rill__encoder_free(NULL);
}

TEST(a57_every_truncation_is_told)
{
    rill__buf text = sample(300);
    rill__buf bodies[] = { gzipped(rill__buf_str(&text)),
                           encode(RILL__CODING_DEFLATE, rill__buf_str(&text), ALL, 4096),
                           bare_deflate(rill__buf_str(&text), 1) };
    static const char *const names[] = { "gzip", "deflate", "deflate" };
    static const char *const texts[] = { "gzip: truncated", "deflate: truncated",
                                         "deflate: truncated" };
    for (size_t i = 0; i < 3; i++) {
        for (size_t len = 1; len < bodies[i].len; len++)
            check_outcome(names[i], (rill_str){ bodies[i].ptr, len }, RILL__CODING_TRUNCATED,
                          texts[i]);
        rill__buf_free(&bodies[i]);
    }
    rill__buf_free(&text);
}

TEST(a57_what_came_before_a_truncation_is_given)
{
    rill__buf text = sample(60000);
    rill__buf body = gzipped(rill__buf_str(&text));
    struct outcome outcome = decode("gzip", (rill_str){ body.ptr, body.len - 1 }, ALL, 1000, NULL);
    CHECK_INT(outcome.reason, RILL__CODING_TRUNCATED);
    CHECK(rill_str_eq(rill__buf_str(&outcome.out), rill__buf_str(&text)));
    rill__buf_free(&outcome.out);
    rill__buf_free(&body);
    rill__buf_free(&text);
}

TEST(a57_each_fault_has_its_reason)
{
    rill__buf body = gzipped(RILL_STR("hello, hello, hello"));
    rill_str whole = rill__buf_str(&body);
    body.ptr[body.len - 5] ^= 1;
    check_outcome("gzip", whole, RILL__CODING_CHECKSUM, "gzip: bad checksum");
    body.ptr[body.len - 5] ^= 1;
    body.ptr[body.len - 1] ^= 1;
    check_outcome("gzip", whole, RILL__CODING_LENGTH, "gzip: bad length");
    body.ptr[body.len - 1] ^= 1;
    body.ptr[10] = 7; /* the third kind of block, which there is not */
    check_outcome("gzip", whole, RILL__CODING_DATA, "gzip: bad data");
    rill__buf_free(&body);

    check_outcome("gzip", RILL_STR("\x1f\x8b\x07\x00"), RILL__CODING_HEADER, "gzip: bad header");
    check_outcome("gzip", RILL_STR("\x1f\x8b\x08\xe0"), RILL__CODING_HEADER, "gzip: bad header");
    check_outcome("gzip", RILL_STR("<html>"), RILL__CODING_HEADER, "gzip: bad header");
    check_outcome("deflate", RILL_STR("<html>"), RILL__CODING_DATA, "deflate: bad data");
    check_outcome("deflate", RILL_STR("\x78\x9d"), RILL__CODING_HEADER, "deflate: bad header");
    check_outcome("deflate", RILL_STR("\x88\x1c"), RILL__CODING_HEADER, "deflate: bad header");
    check_outcome("deflate", RILL_STR("\x78\xbb\0\0\0\1"), RILL__CODING_HEADER,
                  "deflate: bad header"); /* asks for a dictionary */

    body = encode(RILL__CODING_DEFLATE, RILL_STR("hello"), ALL, 4096);
    body.ptr[body.len - 1] ^= 1;
    check_outcome("deflate", rill__buf_str(&body), RILL__CODING_CHECKSUM, "deflate: bad checksum");
    check_outcome("gzip", rill__buf_str(&body), RILL__CODING_HEADER, "gzip: bad header");
    rill__buf_free(&body);
    body = gzipped(RILL_STR("hello"));
    check_outcome("deflate", rill__buf_str(&body), RILL__CODING_DATA, "deflate: bad data");
    rill__buf_free(&body);
}

static void check_trailing(const char *names, rill__buf body, rill_str tail, const char *text)
{
    rill__buf_append(&body, tail.ptr, tail.len);
    for (size_t piece = 1; piece <= body.len; piece++) {
        struct outcome outcome = decode(names, rill__buf_str(&body), piece, 4096, NULL);
        CHECK_INT(outcome.reason, RILL__CODING_TRAILING);
        CHECK_STR(outcome.text, text);
        CHECK_STR(outcome.out.ptr, "hello"); /* it was given first */
        rill__buf_free(&outcome.out);
    }
    rill__buf_free(&body);
}

TEST(a57_garbage_after_the_end_is_refused)
{
    rill_str hello = RILL_STR("hello");
    check_trailing("gzip", gzipped(hello), RILL_STR("x"), "gzip: garbage after the end");
    check_trailing("gzip", gzipped(hello), RILL_STR("\0"), "gzip: garbage after the end");
    check_trailing("gzip", gzipped(hello), RILL_STR("\x1f\x8c"), "gzip: garbage after the end");
    check_trailing("deflate", encode(RILL__CODING_DEFLATE, hello, ALL, 99), RILL_STR("\x78"),
                   "deflate: garbage after the end");
    check_trailing("deflate", bare_deflate(hello, 1), RILL_STR("\n"),
                   "deflate: garbage after the end");
    rill__buf body = gzipped(hello);
    rill__buf_puts(&body, "\x1f");
    check_outcome("gzip", rill__buf_str(&body), RILL__CODING_TRUNCATED, "gzip: truncated");
    rill__buf_free(&body);
}

TEST(a57_the_stage_that_met_the_fault_is_named)
{
    rill__buf inner = encode(RILL__CODING_DEFLATE, RILL_STR("hello"), ALL, 4096);
    rill__buf body = gzipped((rill_str){ inner.ptr, inner.len - 1 });
    check_outcome("deflate, gzip", rill__buf_str(&body), RILL__CODING_TRUNCATED,
                  "deflate: truncated");
    check_outcome("deflate, gzip", (rill_str){ body.ptr, body.len - 1 }, RILL__CODING_TRUNCATED,
                  "gzip: truncated");
    rill__buf_free(&body);
    rill__buf_free(&inner);
}

TEST(a24_members_are_joined_up_to_1024)
{
    rill__buf one = gzipped(RILL_STR("ab"));
    rill__buf body = rill__buf_make(1 << 20);
    for (unsigned i = 0; i < RILL__CODING_MEMBERS_MAX; i++)
        rill__buf_append(&body, one.ptr, one.len);
    struct outcome outcome = decode("gzip", rill__buf_str(&body), 1000, 100, NULL);
    CHECK_INT(outcome.reason, RILL__CODING_NONE);
    CHECK_INT(outcome.out.len, 2 * RILL__CODING_MEMBERS_MAX);
    rill__buf_free(&outcome.out);
    for (unsigned i = 0; i < 10000; i++)
        rill__buf_append(&body, one.ptr, one.len);
    outcome = decode("gzip", rill__buf_str(&body), 1000, 100, NULL);
    CHECK_INT(outcome.reason, RILL__CODING_MEMBERS);
    CHECK_STR(outcome.text, "gzip: more than 1024 members");
    CHECK_INT(outcome.out.len, 2 * RILL__CODING_MEMBERS_MAX);
    rill__buf_free(&outcome.out);
    rill__buf_free(&body);
    rill__buf_free(&one);
}

TEST(a24_output_is_limited_to_the_byte)
{
    rill__buf text = sample(10000);
    rill__buf body = gzipped(rill__buf_str(&text));
    for (uint64_t max = 9998; max <= 10002; max++) {
        rill__decoder_limits limits = { .output_max = max };
        for (size_t room = 1; room <= 100000; room *= 10) {
            struct outcome outcome = decode("gzip", rill__buf_str(&body), ALL, room, &limits);
            bool fits = max >= 10000;
            CHECK_INT(outcome.reason, fits ? RILL__CODING_NONE : RILL__CODING_TOO_LONG);
            CHECK_STR(outcome.text, fits ? "no error" : "decoded body over its limit");
            CHECK_INT(outcome.out.len, fits ? 10000 : max);
            rill__buf_free(&outcome.out);
        }
    }
    rill__buf_free(&body);
    rill__buf_free(&text);
}

TEST(a24_output_is_limited_by_its_proportion)
{
    /* One free mebibyte of zeros is fine at any ratio; one byte more is not. */
    char *zeros = calloc(1, RILL__CODING_RATIO_FREE + 1);
    rill__decoder_limits limits = { .ratio_max = RILL__CODING_RATIO_MAX };
    for (size_t more = 0; more <= 1; more++) {
        rill__buf body = gzipped((rill_str){ zeros, RILL__CODING_RATIO_FREE + more });
        struct outcome outcome = decode("gzip", rill__buf_str(&body), ALL, 65536, &limits);
        CHECK_INT(outcome.reason, more ? RILL__CODING_RATIO : RILL__CODING_NONE);
        rill__buf_free(&outcome.out);
        outcome = decode("gzip", rill__buf_str(&body), ALL, 65536, NULL);
        CHECK_INT(outcome.reason, RILL__CODING_NONE); /* no limit was asked for */
        rill__buf_free(&outcome.out);
        rill__buf_free(&body);
    }
    free(zeros);
    /* Text at a ratio of 2 passes any number of mebibytes. */
    rill__buf text = sample(4 << 20);
    rill__buf body = gzipped(rill__buf_str(&text));
    limits.ratio_max = 3;
    struct outcome outcome = decode("gzip", rill__buf_str(&body), ALL, 65536, &limits);
    CHECK_INT(outcome.reason, RILL__CODING_NONE);
    CHECK_INT(outcome.out.len, 4 << 20);
    rill__buf_free(&outcome.out);
    rill__buf_free(&body);
    rill__buf_free(&text);
}

static size_t resident_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

static rill__buf gibibyte_bomb(void)
{
    char *zeros = calloc(1, 1 << 20);
    rill__buf body = bare_deflate((rill_str){ zeros, 1 << 20 }, 1024);
    free(zeros);
    return body;
}

TEST(a24_a_bomb_costs_one_step_of_memory)
{
    rill__buf body = gibibyte_bomb();
    CHECK(body.len < 2 << 20);
    rill__codings codings = codings_of("deflate");
    rill__decoder_limits limits = { .output_max = 64 << 20 };
    rill_auto(rill__decoder) decoder = rill__decoder_open(&codings, &limits);
    REQUIRE(decoder);
    static char step[RILL__CODING_STEP];
    memset(step, 1, sizeof step);
    size_t before = resident_bytes(), total = 0, len = 0;
    unsigned long allocations = rill__alloc_count;
    rill_str in = rill__buf_str(&body);
    enum rill__coding_reason reason;
    while (!(reason = rill__decoder_step(decoder, &in, step, sizeof step, &len)) && len > 0)
        total += len;
    CHECK_INT(reason, RILL__CODING_TOO_LONG);
    CHECK_INT(total, 64 << 20);
    CHECK_INT(rill__alloc_count - allocations, 2); /* zlib's state and window */
    CHECK(resident_bytes() < before + (1 << 20));
    rill__buf_free(&body);
}

TEST(a24_nested_bombs_are_refused_by_their_ratio)
{
    rill__buf bomb = gibibyte_bomb();
    rill__buf body = gzipped(rill__buf_str(&bomb));
    CHECK(body.len < 32768); /* a gibibyte in so little */
    rill__decoder_limits limits = { .ratio_max = RILL__CODING_RATIO_MAX };
    struct outcome outcome = decode("deflate, gzip", rill__buf_str(&body), ALL, 65536, &limits);
    CHECK_INT(outcome.reason, RILL__CODING_RATIO);
    CHECK(outcome.out.len < 8 << 20);
    rill__buf_free(&outcome.out);
    rill__buf_free(&body);
    rill__buf_free(&bomb);
}

TEST(a24_a_nested_bomb_without_output_is_refused)
{
    /* 80 MiB of empty stored blocks give nothing, but would cost a great deal of work. */
    rill__buf blocks = rill__buf_make(128 << 20);
    for (size_t i = 0; i < (16 << 20); i++)
        rill__buf_append(&blocks, "\0\0\0\xff\xff", 5);
    rill__buf body = gzipped(rill__buf_str(&blocks));
    CHECK(body.len < 256 << 10);
    check_outcome("deflate, gzip", rill__buf_str(&body), RILL__CODING_RATIO,
                  "gzip: too much output for its input");
    rill__buf_free(&body);
    rill__buf_free(&blocks);
}

TEST(every_allocation_may_fail)
{
    rill__buf text = sample(20000);
    rill__buf inner = encode(RILL__CODING_DEFLATE, rill__buf_str(&text), ALL, 4096);
    rill__buf body = gzipped(rill__buf_str(&inner));
    rill__buf out = rill__buf_make(1 << 20);
    rill__buf_reserve(&out, 30000); /* so that only the decoder allocates */
    rill__codings codings = codings_of("deflate, gzip");
    unsigned failures = 0;
    enum rill__coding_reason reason = RILL__CODING_NOMEM;
    for (unsigned long nth = 1; reason == RILL__CODING_NOMEM && nth < 100; nth++) {
        rill__buf_reset(&out);
        rill__alloc_fail_at = rill__alloc_count + nth;
        rill__decoder *decoder = rill__decoder_open(&codings, NULL);
        if (decoder)
            reason = feed(decoder, rill__buf_str(&body), 1000, 4096, &out);
        if (decoder && reason)
            CHECK_STR(rill__decoder_text(decoder), "out of memory");
        failures += reason == RILL__CODING_NOMEM;
        rill__decoder_free(decoder);
    }
    rill__alloc_fail_at = 0;
    CHECK_INT(reason, RILL__CODING_NONE);
    CHECK_INT(failures, 5); /* the decoder, and state and window of two stages */
    CHECK(rill_str_eq(rill__buf_str(&out), rill__buf_str(&text)));
    for (unsigned long nth = 1;; nth++) {
        rill__alloc_fail_at = rill__alloc_count + nth;
        rill_auto(rill__encoder) encoder = rill__encoder_open(RILL__CODING_GZIP, 0);
        rill__alloc_fail_at = 0;
        if (encoder)
            break;
        REQUIRE(nth < 100);
    }
    rill__buf_free(&out);
    rill__buf_free(&body);
    rill__buf_free(&inner);
    rill__buf_free(&text);
}

TEST(a_flush_gives_all_that_was_written)
{
    rill_auto(rill__encoder) encoder = rill__encoder_open(RILL__CODING_GZIP, 1);
    rill__codings codings = codings_of("gzip");
    rill_auto(rill__decoder) decoder = rill__decoder_open(&codings, NULL);
    REQUIRE(encoder && decoder);
    for (int i = 0; i < 100; i++) {
        char event[32], wire[16], plain[100];
        snprintf(event, sizeof event, "event %d\n", i);
        rill_str in = rill_str_of(event);
        size_t len, got, total = 0;
        while ((len = rill__encoder_step(encoder, &in, RILL__ENCODE_FLUSH, wire, sizeof wire)) >
               0) {
            rill_str piece = { wire, len };
            do { /* a byte at a time: more is at hand when the input is used up */
                CHECK_INT(rill__decoder_step(decoder, &piece, plain + total, 1, &got),
                          RILL__CODING_NONE);
                total += got;
            } while (got > 0);
        }
        plain[total] = '\0';
        CHECK_STR(plain, event);
    }
}
