/* What both HTTP/1 targets check: bytes give the same however they are cut, and what was accepted
 * could be sent again. */
#ifndef RILL_FUZZ_H1_SAME_H
#define RILL_FUZZ_H1_SAME_H

#include "../tests/http/h1_driver.h"

static inline void require(bool holds)
{
    if (!holds)
        abort();
}

static inline uint32_t hash_of(const uint8_t *data, size_t size)
{
    uint32_t hash = 2166136261;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 16777619;
    return hash;
}

/* Every name and value that came out can stand in a field, every phrase in a status line. */
static inline void check_events(const struct h1_run *run)
{
    rill_str name = RILL_STR("name");
    for (size_t i = 0; i < run->count; i++) {
        const struct h1_event *event = &run->events[i];
        rill_str text = { event->text, event->len };
        if (event->kind == H1_NAME)
            require(rill__header_check(text, RILL_STR("")) == 0);
        if (event->kind == H1_VALUE || event->kind == H1_PHRASE)
            require(rill__header_check(name, text) == 0);
        require(event->at == H1_NOWHERE || event->at <= run->base + run->len);
    }
}

static inline void check_cuts(struct h1_run *whole, const uint8_t *data, size_t size)
{
    struct h1_run cut = *whole;
    const char *bytes = (const char *)data;
    h1_feed(whole, bytes, size);
    check_events(whole);

    for (size_t i = 0; i < size; i++)
        h1_feed(&cut, bytes + i, 1);
    require(size == 0 || h1_same(whole, &cut));
    h1_finish(&cut);

    size_t first = size > 0 ? hash_of(data, size) % size : 0;
    size_t second = first + (hash_of(data, first) % (size - first + 1));
    h1_feed(&cut, bytes, first);
    h1_feed(&cut, bytes + first, second - first);
    h1_feed(&cut, bytes + second, size - second);
    require(h1_same(whole, &cut));
    h1_finish(&cut);
    h1_finish(whole);
}

#endif
