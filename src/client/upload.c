/*
 * Large bodies: they are written while a second task listens.
 *
 * A server may refuse a body before it has read it (413, 401), and then read no more of it: who
 * only writes would wait for ever, or lose the answer to the reset that follows. So the head of an
 * early answer is read meanwhile. An answer of 400 and above ends the writing, and the connection
 * with it; any other is kept until all is written, for a server may well answer as it reads.
 */
#include "client/client_internal.h"

/* How much of an early answer is read. */
#define EARLY_MAX 8191
/* Where the status stands: "HTTP/1.1 413". */
#define STATUS_AT 9
#define STATUS_LEN 3
#define HEAD_END "\r\n\r\n"

struct upload {
    rill_response *response;
    bool refused;
};

/* The status of the head that begins here; 0 while it is not there. */
static int status_at(const char *at, const char *end)
{
    int status = 0;
    if (end - at < STATUS_AT + STATUS_LEN)
        return 0;
    for (int i = STATUS_AT; i < STATUS_AT + STATUS_LEN; i++) {
        if (at[i] < '0' || at[i] > '9')
            return 0;
        status = status * 10 + at[i] - '0';
    }
    return status;
}

/* The status of the final answer: interim ones may stand before it. */
static int status_of(const rill__buf *in)
{
    const char *at = in->ptr, *end = in->ptr + in->len;
    int status = status_at(at, end);
    while (status >= 100 && status < 200 && status != 101) {
        const char *next = memmem(at, (size_t)(end - at), HEAD_END, strlen(HEAD_END));
        if (!next)
            return 0;
        at = next + strlen(HEAD_END);
        status = status_at(at, end);
    }
    return status;
}

/* Fails when the body is refused: that ends the writing. */
static int listen_meanwhile(void *arg)
{
    struct upload *upload = arg;
    rill_response *response = upload->response;
    rill__buf *in = &response->head;
    while (in->len < EARLY_MAX) {
        char *to = rill__buf_reserve(in, EARLY_MAX - in->len);
        if (!to)
            return 0;
        ptrdiff_t n = rill_stream_read(response->conn->stream, to, EARLY_MAX - in->len);
        if (n <= 0)
            return 0; /* the writer will hear of it, or who reads the answer */
        response->heard = true;
        rill__buf_commit(in, (size_t)n);
        upload->refused = status_of(in) >= 400;
        if (upload->refused)
            return rill__fail(RILL_ECLOSED, "the body was refused");
    }
    return 0;
}

int rill__upload(rill_response *response, rill_str body)
{
    struct upload upload = { .response = response };
    rill_group group;
    RILL__TRY(rill_group_begin(&group));
    int rc = 0;
    if (!rill_spawn(listen_meanwhile, &upload, .group = &group, .name = "early answer").id)
        rc = rill_errcode();
    if (rc == 0)
        rc = rill_stream_write(response->conn->stream, body.ptr, body.len);
    const rill_error error = *rill_last_error();
    rill_group_cancel(&group, NULL);
    rill_group_end(&group, rc);
    if (upload.refused) {
        response->keep = response->keep && rc == 0;
        return 0;
    }
    if (rc < 0)
        *rill__error_slot() = error; /* the group's end may have made another */
    return rc;
}
