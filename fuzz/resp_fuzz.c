/*
 * Fuzzes RESP. The first byte is where the rest is split.
 *
 * What must hold: whole and in two pieces it gives the same replies, and the same refusal; memory
 * follows what has come, not what is announced (the runner limits it).
 */
#include "base/fail.h"
#include "redis/resp.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* A digest of a reply that tells two trees apart. */
static uint64_t digest(const redisReply *reply, uint64_t seed)
{
    seed = (seed ^ (uint64_t)reply->type ^ (uint64_t)reply->integer) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < reply->len; i++)
        seed = (seed ^ (unsigned char)reply->str[i]) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < reply->elements; i++)
        seed = digest(reply->element[i], seed);
    return seed;
}

struct outcome {
    uint64_t digest;
    int replies, code;
};

static void feed(rill__resp *resp, const uint8_t *data, size_t size, struct outcome *outcome)
{
    redisReply *reply;
    int rc = 0;
    for (size_t at = 0; at < size && outcome->code == 0;) {
        size_t room;
        char *to = rill__resp_room(resp, &room);
        require(to != NULL);
        room = room < size - at ? room : size - at;
        memcpy(to, data + at, room);
        rill__resp_received(resp, room);
        at += room;
        while ((rc = rill__resp_next(resp, &reply)) > 0) {
            outcome->digest = digest(reply, outcome->digest);
            outcome->replies++;
            freeReplyObject(reply);
        }
        outcome->code = rc;
    }
}

static struct outcome parse(const uint8_t *data, size_t size, size_t split)
{
    rill__resp resp;
    struct outcome outcome = { 0 };
    require(rill__resp_init(&resp) == 0);
    feed(&resp, data, split, &outcome);
    feed(&resp, data + split, size - split, &outcome);
    rill__resp_free(&resp);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t split = data[0] % size;
    struct outcome whole = parse(data + 1, size - 1, 0);
    struct outcome pieces = parse(data + 1, size - 1, split);
    require(whole.digest == pieces.digest && whole.replies == pieces.replies);
    require(whole.code == pieces.code);
    require(whole.code == 0 || whole.code == RILL_EREDIS_PROTOCOL);
    return 0;
}
