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

struct upload {
    rill_response *response;
    bool refused;
};

static int status_of(const rill__buf *in)
{
    int status = 0;
    for (size_t i = STATUS_AT; i < STATUS_AT + STATUS_LEN; i++) {
        if (i >= in->len || in->ptr[i] < '0' || in->ptr[i] > '9')
            return 0;
        status = status * 10 + in->ptr[i] - '0';
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
