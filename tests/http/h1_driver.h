/*
 * Feeds a stream of bytes to the HTTP/1 parsers, as a connection would, and writes down what comes
 * out as a list of events: so that two ways of cutting the same bytes can be compared, and a table
 * of expected events with both. Header only: tests and fuzz targets share it.
 *
 * Every feed moves what is unread to fresh memory of the exact size, so that a read behind the
 * bytes, or through a pointer that was kept, is found by ASan.
 */
#ifndef RILL_TESTS_H1_DRIVER_H
#define RILL_TESTS_H1_DRIVER_H

#include "http/h1.h"

#include <stdio.h>
#include <stdlib.h>

enum h1_kind {
    H1_METHOD,
    H1_TARGET,
    H1_VERSION,
    H1_STATUS,
    H1_PHRASE,
    H1_NAME,
    H1_VALUE,
    H1_HEAD,
    H1_BODY,
    H1_COMPLETE,
};

#define H1_NOWHERE SIZE_MAX

struct h1_event {
    enum h1_kind kind;
    size_t at; /* in the whole stream; H1_NOWHERE of versions and trailers */
    char *text;
    size_t len;
};

enum h1_outcome {
    H1_BETWEEN, /* messages were read, none is under way */
    H1_IN_HEAD,
    H1_IN_BODY,
    H1_REFUSED,
    H1_PAUSED, /* what comes next is no HTTP */
    H1_CLOSED, /* bytes came after a message that closes the connection */
};

struct h1_run {
    /* Set before the first feed. */
    bool response;
    bool skip_body; /* heads only, as an answer to HEAD */
    enum rill__h1_method method;
    const struct rill__h1_limits *limits;

    struct h1_event *events;
    size_t count;
    enum h1_outcome outcome;
    enum rill__h1_reason reason;
    size_t error_at; /* of a refused head; of a refused body, where the bad line or byte begins */

    char *buf;
    size_t len, base; /* base: how many bytes of the stream were consumed */
    bool keep_alive;
    struct rill__h1_head head;
    struct rill__h1_body body;
    struct rill__h1_field *fields;
    rill_headers *trailers;
};

static inline void h1_event(struct h1_run *run, enum h1_kind kind, size_t at, rill_str text)
{
    struct h1_event *last = run->count > 0 ? &run->events[run->count - 1] : NULL;
    if (kind == H1_BODY && last && last->kind == H1_BODY) {
        last->text = realloc(last->text, last->len + text.len + 1);
        memcpy(last->text + last->len, text.ptr, text.len);
        last->text[last->len += text.len] = '\0';
        return;
    }
    run->events = realloc(run->events, (run->count + 1) * sizeof *run->events);
    char *copy = malloc(text.len + 1);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    run->events[run->count++] =
        (struct h1_event){ .kind = kind, .at = at, .text = copy, .len = text.len };
}

static inline void h1_span_event(struct h1_run *run, enum h1_kind kind, struct rill__h1_span span)
{
    if (span.len > 0)
        h1_event(run, kind, run->base + span.off, rill__h1_text(run->buf, span));
}

static inline void h1_begin(struct h1_run *run)
{
    const struct rill__h1_limits *limits = run->limits ? run->limits : &rill__h1_default_limits;
    if (!run->fields)
        run->fields = malloc(limits->fields * sizeof *run->fields + 1);
    if (run->response)
        rill__h1_head_init_response(&run->head, limits, run->fields, run->method);
    else
        rill__h1_head_init_request(&run->head, limits, run->fields);
    run->outcome = H1_BETWEEN;
}

/* The index as events: as far as it was made. */
static inline void h1_head_events(struct h1_run *run)
{
    const struct rill__h1_head *head = &run->head;
    char text[64];
    h1_span_event(run, H1_METHOD, head->method);
    h1_span_event(run, H1_TARGET, head->target);
    if (head->method.len > 0 || head->status > 0) {
        snprintf(text, sizeof text, "1.%d", head->minor);
        h1_event(run, H1_VERSION, H1_NOWHERE, rill_str_of(text));
    }
    h1_span_event(run, H1_PHRASE, head->phrase);
    for (uint32_t i = 0; i < head->field_count; i++) {
        h1_span_event(run, H1_NAME, head->fields[i].name);
        h1_span_event(run, H1_VALUE, head->fields[i].value);
    }
}

static inline void h1_consume(struct h1_run *run, size_t len)
{
    memmove(run->buf, run->buf + len, run->len - len);
    run->len -= len;
    run->base += len;
}

static inline void h1_refuse(struct h1_run *run, enum rill__h1_reason reason, size_t at)
{
    run->outcome = H1_REFUSED;
    run->reason = reason;
    run->error_at = at;
}

static inline void h1_complete(struct h1_run *run)
{
    for (size_t i = 0; run->trailers && i < rill_headers_count(run->trailers); i++) {
        rill_header trailer = rill_headers_at(run->trailers, i);
        h1_event(run, H1_NAME, H1_NOWHERE, rill_str_of(trailer.name));
        if (trailer.value[0])
            h1_event(run, H1_VALUE, H1_NOWHERE, rill_str_of(trailer.value));
    }
    h1_event(run, H1_COMPLETE, run->base, RILL_STR(""));
    rill_headers_free(run->trailers);
    run->trailers = NULL;
    bool pause = run->head.tunnel || (!run->response && run->head.wants_upgrade);
    run->keep_alive = run->head.keep_alive;
    h1_begin(run);
    if (pause)
        run->outcome = H1_PAUSED;
    else if (!run->keep_alive)
        run->outcome = H1_CLOSED;
}

static inline bool h1_step_head(struct h1_run *run)
{
    int n = rill__h1_head_parse(&run->head, run->buf, run->len);
    run->outcome = run->len > 0 ? H1_IN_HEAD : H1_BETWEEN;
    if (n == 0)
        return false;
    h1_head_events(run);
    if (n < 0) {
        h1_refuse(run, (enum rill__h1_reason)run->head.reason, run->base + run->head.error_at);
        return false;
    }
    const struct rill__h1_head *head = &run->head;
    char text[128];
    snprintf(text, sizeof text, "1.%d %d length %lld%s", head->minor, head->status,
             head->has_length ? (long long)head->content_length : -1,
             head->body == RILL__H1_BODY_CHUNKED ? " chunked" : "");
    h1_event(run, H1_HEAD, run->base + (size_t)n, rill_str_of(text));
    rill__h1_body_init(&run->body, head);
    if (run->skip_body)
        run->body.state = 0;
    run->trailers = rill_headers_new();
    run->body.trailers = run->trailers;
    h1_consume(run, (size_t)n);
    run->outcome = H1_IN_BODY;
    return true;
}

static inline bool h1_step_body(struct h1_run *run)
{
    size_t consumed = 0;
    rill_str data;
    enum rill__h1_step step = rill__h1_body_next(&run->body, run->buf, run->len, &consumed, &data);
    if (step == RILL__H1_DATA)
        h1_event(run, H1_BODY, run->base + (size_t)(data.ptr - run->buf), data);
    h1_consume(run, consumed);
    if (step == RILL__H1_REFUSED)
        h1_refuse(run, (enum rill__h1_reason)run->body.reason, run->base);
    if (step == RILL__H1_END)
        h1_complete(run);
    return step == RILL__H1_DATA || step == RILL__H1_END;
}

/* Hands over the next bytes of the stream. */
static inline void h1_feed(struct h1_run *run, const char *bytes, size_t len)
{
    char *moved = malloc(run->len + len);
    if (run->len > 0)
        memcpy(moved, run->buf, run->len);
    if (len > 0)
        memcpy(moved + run->len, bytes, len);
    free(run->buf);
    run->buf = moved;
    run->len += len;
    if (!run->fields)
        h1_begin(run);
    bool goes_on = true;
    while (goes_on && run->outcome < H1_REFUSED)
        goes_on = run->outcome == H1_IN_BODY ? h1_step_body(run) : h1_step_head(run);
}

/* The end of the stream: a head that is not complete gives the events of its complete lines. */
static inline void h1_feed_end(struct h1_run *run)
{
    if (run->outcome == H1_IN_HEAD)
        h1_head_events(run);
    if (run->outcome == H1_IN_BODY && rill__h1_body_eof(&run->body))
        h1_complete(run);
}

/* Where the first byte is that no complete line or body has used. */
static inline size_t h1_unread(const struct h1_run *run)
{
    return run->base + (run->outcome == H1_IN_HEAD ? run->head.line : 0);
}

static inline bool h1_same(const struct h1_run *a, const struct h1_run *b)
{
    if (a->count != b->count || a->outcome != b->outcome || a->reason != b->reason ||
        a->error_at != b->error_at || a->base != b->base)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct h1_event *x = &a->events[i], *y = &b->events[i];
        if (x->kind != y->kind || x->at != y->at || x->len != y->len ||
            memcmp(x->text, y->text, x->len) != 0)
            return false;
    }
    return true;
}

static inline void h1_finish(struct h1_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        free(run->events[i].text);
    free(run->events);
    free(run->buf);
    free(run->fields);
    rill_headers_free(run->trailers);
    *run = (struct h1_run){ .response = run->response,
                            .skip_body = run->skip_body,
                            .method = run->method,
                            .limits = run->limits };
}

#endif
