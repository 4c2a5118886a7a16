/*
 * Files of time zones: TZif, versions 1 to 4 (RFC 9636).
 *
 * From version 2 on a file has two blocks, the first for readers that know 32-bit times only: it is
 * skipped. Each block is a header with six counts, and arrays of that many elements. Behind the
 * second stands a rule for what comes after its last change. Nothing in it is trusted: every count
 * is compared with the bytes that are there, every index with its array.
 */
#include "schedule/zone.h"

#include "base/fail.h"

#define HEADER_LEN 44u
/* What can be made sense of: no zone has changed half as often. */
#define CHANGES_MAX 2000u
#define TYPES_MAX 256u
#define TYPE_LEN 6u

struct counts {
    uint32_t is_ut, is_standard, leaps, changes, types, chars;
};

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* A time of 4 or 8 bytes, in two's complement. */
static int64_t read_time(const uint8_t *at, size_t time_len)
{
    if (time_len == 4)
        return (int32_t)be32(at);
    return (int64_t)((uint64_t)be32(at) << 32 | be32(at + 4));
}

static int broken(const char *name, const char *what)
{
    return rill__fail(RILL_EINVAL, "zone '%.100s': broken file: %s", name, what);
}

struct reader {
    const char *name;
    const uint8_t *at;
    size_t len;
};

static const uint8_t *take(struct reader *reader, size_t len)
{
    const uint8_t *at = reader->at;
    if (len > reader->len)
        return NULL;
    reader->at += len;
    reader->len -= len;
    return at;
}

/* Returns the version, '\0' or '2' and above; or a negative code. */
static int read_header(struct reader *reader, struct counts *counts)
{
    const uint8_t *at = take(reader, HEADER_LEN);
    if (!at || memcmp(at, "TZif", 4) != 0)
        return broken(reader->name, "it does not begin as a TZif file");
    *counts = (struct counts){ be32(at + 20), be32(at + 24), be32(at + 28),
                               be32(at + 32), be32(at + 36), be32(at + 40) };
    return at[4];
}

/* The arrays of a block behind its header. */
struct block {
    const uint8_t *times, *indices, *types, *chars;
};

static int read_block(struct reader *reader, const struct counts *counts, size_t time_len,
                      struct block *block)
{
    size_t changes = counts->changes;
    block->times = take(reader, changes * time_len);
    block->indices = take(reader, changes);
    block->types = take(reader, (size_t)counts->types * TYPE_LEN);
    block->chars = take(reader, counts->chars);
    const uint8_t *leaps = take(reader, (size_t)counts->leaps * (time_len + 4));
    const uint8_t *flags = take(reader, (size_t)counts->is_standard + counts->is_ut);
    if (!block->times || !block->indices || !block->types || !block->chars || !leaps || !flags)
        return broken(reader->name, "it is cut off");
    return 0;
}

static int check_counts(const char *name, const struct counts *counts)
{
    if (counts->types == 0 || counts->types > TYPES_MAX)
        return broken(name, "it has no types, or too many");
    if (counts->changes > CHANGES_MAX)
        return broken(name, "it has too many changes");
    if (counts->leaps > 0)
        return rill__fail(RILL_EUNSUPPORTED, "zone '%.100s': its file counts leap seconds", name);
    return 0;
}

static int fill_types(rill_zone *zone, const struct counts *counts, const struct block *block)
{
    for (size_t i = 0; i < zone->type_count; i++) {
        const uint8_t *at = block->types + i * TYPE_LEN;
        int32_t offset = (int32_t)be32(at);
        uint32_t name_at = at[5], left = counts->chars > name_at ? counts->chars - name_at : 0;
        const char *designation = (const char *)block->chars + name_at;
        if (offset < -RILL__OFFSET_MAX || offset > RILL__OFFSET_MAX || at[4] > 1)
            return broken(zone->name, "a type is out of range");
        if (left == 0 || !memchr(designation, '\0', left))
            return broken(zone->name, "a designation is not in it");
        rill__zone_type *type = &zone->types[i];
        *type = (rill__zone_type){ .offset = offset, .dst = at[4] };
        strncpy(type->designation, designation, sizeof type->designation - 1);
    }
    return 0;
}

static int fill_changes(rill_zone *zone, const struct block *block, size_t time_len)
{
    int64_t last = RILL__ZONE_BEGIN;
    for (size_t i = 0; i < zone->change_count; i++) {
        int64_t at = read_time(block->times + i * time_len, time_len);
        if (at <= last || at >= RILL__ZONE_END)
            return broken(zone->name, "its changes are not in order");
        if (block->indices[i] >= zone->type_count)
            return broken(zone->name, "a change is to a type that it does not have");
        zone->changes[i] = (struct rill__zone_change){ .at = at, .type = block->indices[i] };
        last = at;
    }
    return 0;
}

/* A line feed, the rule or nothing, a line feed. What may follow is of a later version. */
static int read_footer(struct reader *reader, rill_zone *zone)
{
    const char *begin = (const char *)reader->at + 1;
    const char *end = reader->len > 1 ? memchr(begin, '\n', reader->len - 1) : NULL;
    if (!end || *reader->at != '\n')
        return broken(zone->name, "its last line is missing");
    rill_str text = { begin, (size_t)(end - begin) };
    zone->has_rule = text.len > 0;
    if (zone->has_rule && !rill__zone_rule_parse(text, &zone->rule))
        return broken(zone->name, "its rule for the future makes no sense");
    return 0;
}

static int fill_zone(rill_zone *zone, const struct counts *counts, const struct block *block,
                     size_t time_len)
{
    RILL__TRY(fill_types(zone, counts, block));
    return fill_changes(zone, block, time_len);
}

rill_zone *rill_zone_from(const char *name, const void *bytes, size_t len)
{
    struct reader reader = { name, bytes, len };
    struct counts counts = { 0 };
    struct block block = { 0 };
    size_t time_len = 4;
    int version = read_header(&reader, &counts);
    if (version > 0) {
        /* The second block is the same, with longer times. */
        time_len = 8;
        if (read_block(&reader, &counts, 4, &block) < 0 || read_header(&reader, &counts) < 0)
            return NULL;
    }
    if (version < 0 || check_counts(name, &counts) < 0 ||
        read_block(&reader, &counts, time_len, &block) < 0)
        return NULL;
    rill_auto(rill_zone) zone = rill__zone_make(name, counts.types, counts.changes);
    if (!zone || fill_zone(zone, &counts, &block, time_len) < 0)
        return NULL;
    if (version > 0 && read_footer(&reader, zone) < 0)
        return NULL;
    return rill_take(zone);
}
