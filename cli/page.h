/*
 * The live page of `rill watch`, embedded into the program: "/", "/page.css", "/page.js" and
 * "/page.svg". It asks its own origin for /api/checks and /api/events (see checks.h) and nothing
 * else, so it can be served under the strictest policy.
 */
#ifndef RILL_CLI_PAGE_H
#define RILL_CLI_PAGE_H

#include <stddef.h>

struct page_file {
    const char *path; /* "/page.css" */
    const char *content_type;
    const char *etag; /* a hash of the bytes, in double quotes as the header wants it */
    const unsigned char *bytes;
    size_t size;
};

extern const struct page_file page_files[];
extern const size_t page_file_count;

/* Content-Security-Policy for every answer: nothing inline, nothing from elsewhere, no framing. */
#define PAGE_POLICY                                                                                \
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

#endif
