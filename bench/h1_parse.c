/*
 * How long the HTTP/1 codec takes for one message, in ns: parsing heads of three sizes, laying a
 * table over one, and writing a small reply. Each figure is the best of several rounds.
 */
#include "base/clock.h"
#include "http/h1.h"

#include <stdio.h>
#include <stdlib.h>

static const char small[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

static const char curl[] = "GET /api/items/42?limit=10 HTTP/1.1\r\nHost: localhost:8080\r\n"
                           "User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";

/* 703 bytes: what a browser sends to a site that sets cookies. */
static const char browser[] =
    "GET /pictures/gallery/2024/summer/lake-view-from-the-north-shore.jpg HTTP/1.1\r\n"
    "Host: www.example-pictures.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0\r\n"
    "Accept: image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-us,en;q=0.7,de;q=0.3\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "DNT: 1\r\n"
    "Connection: keep-alive\r\n"
    "Referer: http://www.example-pictures.com/gallery/2024/summer/index.html\r\n"
    "Cookie: session=3f9a1c7e5b2d48a6; theme=dark; _ga=GA1.2.1234567890.1700000000; "
    "_gid=GA1.2.987654321.1700000001; consent=functional%2Canalytics%2Cmarketing; "
    "last_seen=2024-06-21T10%3A15%3A30Z; "
    "cart=eyJpdGVtcyI6W3sic2t1IjoiQTEyMzQ1IiwicXR5IjoyfV0sInYiOjF9fQ\r\n"
    "Cache-Control: max-age=0\r\n\r\n";

enum { ROUNDS = 15, TIMES = 100000 };

static struct rill__h1_field fields[RILL__H1_FIELDS];
static struct rill__h1_head head;
static rill__buf out;
static rill__arena arena;
static char copy[2048];

static void parse(rill_str text)
{
    rill__h1_head_init_request(&head, NULL, fields);
    if (rill__h1_head_parse(&head, text.ptr, text.len) != (int)text.len)
        abort();
}

static void parse_and_view(rill_str text)
{
    rill_headers headers;
    memcpy(copy, text.ptr, text.len);
    parse((rill_str){ copy, text.len });
    rill__arena_reset(&arena);
    if (rill__headers_view(&headers, &arena, copy, &head) < 0)
        abort();
}

static void write_reply(rill_str text)
{
    (void)text;
    rill__buf_reset(&out);
    rill__h1_write_status_line(&out, 200, (rill_str){ NULL, 0 });
    rill__h1_write_field(&out, RILL_STR("Content-Type"), RILL_STR("text/plain; charset=utf-8"));
    rill__h1_write_number(&out, RILL_STR("Content-Length"), 13);
    rill__h1_write_field(&out, RILL_STR("Date"), RILL_STR("Fri, 21 Jun 2024 10:15:30 GMT"));
    if (rill__h1_write_end(&out) < 0)
        abort();
}

static void measure(const char *what, void (*run)(rill_str), rill_str text)
{
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = rill__clock_ns(CLOCK_MONOTONIC);
        for (int i = 0; i < TIMES; i++)
            run(text);
        uint64_t took = rill__clock_ns(CLOCK_MONOTONIC) - start;
        if (took < best)
            best = took;
    }
    printf("%-28s %5zu bytes %7.1f ns\n", what, text.len, (double)best / TIMES);
}

int main(void)
{
    out = rill__buf_make(4096);
    measure("parse: small GET", parse, (rill_str){ small, sizeof small - 1 });
    measure("parse: curl's GET", parse, (rill_str){ curl, sizeof curl - 1 });
    measure("parse: a browser's GET", parse, (rill_str){ browser, sizeof browser - 1 });
    measure("parse, copy and table", parse_and_view, (rill_str){ curl, sizeof curl - 1 });
    measure("parse, copy and table", parse_and_view, (rill_str){ browser, sizeof browser - 1 });
    measure("write: reply with 3 fields", write_reply, RILL_STR(""));
    rill__buf_free(&out);
    rill__arena_free(&arena);
    return 0;
}
