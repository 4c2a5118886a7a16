/*
 * RESP, the protocol of redis: cuts what a server sends into replies. No I/O.
 *
 * hiredis's reader makes the reply trees, but it is given whole, checked replies only. So it never
 * allocates for elements that have not come (a "*1000000000" costs nothing), never recurses deeper
 * than it can, and never sees what is no reply: pushes and attributes of RESP3 are dropped here.
 *
 * Every limit counts what has been received, not what has been announced.
 */
#ifndef RILL_SRC_REDIS_RESP_H
#define RILL_SRC_REDIS_RESP_H

#include "base/buf.h"

#include <hiredis/read.h>

/* Redis's own limit for a string; also ours for a whole reply. */
#define RILL__RESP_REPLY_MAX (512u * 1024 * 1024)
/* A tree takes about 70 bytes an element, whatever came over the wire. */
#define RILL__RESP_ELEMENTS_MAX (16u * 1024 * 1024)
/* As deep as the reader of hiredis 0.14 goes. */
#define RILL__RESP_DEPTH_MAX 8
/* A status, an error or a number. */
#define RILL__RESP_LINE_MAX (64u * 1024)

struct redisReply;

typedef struct rill__resp {
    redisReader *reader;
    rill__buf input;
    size_t start;                         /* where the reply at hand begins in the input */
    size_t scanned;                       /* how far it is known to be well formed */
    size_t pending[RILL__RESP_DEPTH_MAX]; /* elements yet to come of each open aggregate */
    size_t elements;                      /* items of this reply so far */
    int depth;                            /* how many aggregates are open */
    bool dropped;                         /* it is a push or an attribute */
} rill__resp;

/* 0 or RILL_ENOMEM. A zeroed one may be freed. */
int rill__resp_init(rill__resp *resp);
void rill__resp_free(rill__resp *resp);

/* Room for what comes next: at least 16 KiB, more within a long reply. NULL with RILL_ENOMEM. */
char *rill__resp_room(rill__resp *resp, size_t *ret_len);
/* Counts `len` bytes of that room as received. */
void rill__resp_received(rill__resp *resp, size_t len);

/* The next reply that is complete, to be freed with freeReplyObject.
 * Returns 1 with a reply, 0 when more must be received, RILL_EREDIS_PROTOCOL or RILL_ENOMEM; after
 * a failure no more replies come. */
int rill__resp_next(rill__resp *resp, struct redisReply **ret_reply);

#endif
