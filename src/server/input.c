/*
 * Input: what has come from the peer and was not consumed yet.
 *
 * Receives never name a buffer: it is borrowed when data is there, so that a connection that waits
 * holds none, and one whose buffer moves in the meantime is safe.
 */
#include "base/alloc.h"
#include "base/fail.h"
#include "server/server_internal.h"

#include <errno.h>

/* Less room than this is not worth a call while a body is read. */
#define BODY_ROOM 4096u

/* ---- room ---- */

void rill__input_free(rill_request *request)
{
    struct rill__input *input = &request->input;
    if (input->ptr != input->storage)
        rill__free(input->ptr);
    if (input->head != input->storage)
        rill__free(input->head);
    input->ptr = input->storage;
    input->cap = RILL__INPUT_SIZE;
    input->head = NULL;
    input->start = input->end = 0;
}

void rill__input_next(rill_request *request)
{
    struct rill__input *input = &request->input;
    if (input->head) {
        if (input->head != input->storage)
            rill__free(input->head);
        input->head = NULL;
    }
    size_t len = rill__input_len(request);
    if (len == 0)
        input->start = input->end = 0;
    if (input->ptr != input->storage && len < RILL__INPUT_SIZE / 2) {
        memcpy(input->storage, input->ptr + input->start, len);
        rill__free(input->ptr);
        input->ptr = input->storage;
        input->cap = RILL__INPUT_SIZE;
        input->start = 0;
        input->end = len;
    }
}

void rill__input_compact(rill_request *request)
{
    struct rill__input *input = &request->input;
    size_t floor = 0; /* below it lies the head */
    if (request->connection->state != RILL__HEAD && !input->head)
        floor = (size_t)(request->text - input->ptr) + request->head_len;
    size_t len = input->end - input->start;
    if (input->start == floor)
        return;
    memmove(input->ptr + floor, input->ptr + input->start, len);
    input->start = floor;
    input->end = floor + len;
}

/* A head that does not fit: a larger buffer. */
static int grow_for_head(struct rill__input *input)
{
    if (input->cap >= RILL__INPUT_MAX)
        return RILL_ELIMIT;
    size_t cap = input->cap * 2 < RILL__INPUT_MAX ? input->cap * 2 : RILL__INPUT_MAX;
    char *ptr = rill__alloc(cap);
    if (!ptr)
        return rill__fail_nomem();
    memcpy(ptr, input->ptr, input->end);
    if (input->ptr != input->storage)
        rill__free(input->ptr);
    input->ptr = ptr;
    input->cap = cap;
    return 0;
}

/* A body behind a head that leaves little room: a buffer of its own; the head stays where it is. */
static int part_from_head(struct rill__input *input)
{
    if (input->head)
        return RILL_ELIMIT;
    size_t len = input->end - input->start;
    char *ptr = rill__alloc(RILL__INPUT_SIZE);
    if (!ptr || len > RILL__INPUT_SIZE) {
        rill__free(ptr);
        return rill__fail_nomem();
    }
    memcpy(ptr, input->ptr + input->start, len);
    input->head = input->ptr;
    input->ptr = ptr;
    input->cap = RILL__INPUT_SIZE;
    input->start = 0;
    input->end = len;
    return 0;
}

int rill__input_make_room(rill_request *request)
{
    struct rill__input *input = &request->input;
    if (input->start == input->end || input->end == input->cap)
        rill__input_compact(request);
    if (request->connection->state == RILL__HEAD)
        return input->end < input->cap ? 0 : grow_for_head(input);
    if (input->cap - input->end >= BODY_ROOM)
        return 0;
    rill__input_compact(request);
    return input->cap - input->end >= BODY_ROOM ? 0 : part_from_head(input);
}

/* ---- receiving ---- */

static void *borrow(rill__op *op, size_t *ret_len)
{
    rill__connection *connection = rill__container(op, rill__connection, reader);
    rill_request *request = connection->request;
    *ret_len = RILL__INPUT_SIZE;
    if (connection->tls || connection->state == RILL__LINGER)
        return rill__pool_scratch();
    if (!request)
        request = rill__pool_peek();
    if (!request)
        return NULL;
    *ret_len = request->input.cap - request->input.end;
    return request->input.ptr + request->input.end;
}

static rill_request *need_request(rill__connection *connection)
{
    if (!connection->request) {
        connection->request = rill__pool_take();
        if (connection->request)
            connection->request->connection = connection;
    }
    return connection->request;
}

/* What comes is no TLS, or no more of it. While nobody works for the peer it is told why. */
static void fail_tls(rill__connection *connection)
{
    if (connection->state != RILL__HEAD) {
        rill__connection_break(connection, RILL_ETLS);
        return;
    }
    connection->goodbye = true; /* an alert stands in its place */
    connection->linger = true;
    connection->state = RILL__CLOSING;
}

/* Takes plain bytes out of the TLS engine. True when something has changed. */
static bool pull_tls(rill__connection *connection)
{
    rill_request *request = connection->request ? connection->request : rill__pool_peek();
    if (!request)
        return false;
    struct rill__input *input = &request->input;
    if (input->end == input->cap)
        return false;
    ptrdiff_t n = rill__tls_read(connection->tls, input->ptr + input->end, input->cap - input->end);
    if (n > 0) {
        need_request(connection)->input.end += (size_t)n;
        return true;
    }
    if (n == RILL__TLS_WANT)
        return false;
    if (n == 0)
        connection->peer_ended = true;
    else
        fail_tls(connection);
    return true;
}

/* No TLS begins with a letter, and every HTTP does. */
static bool is_plain(rill__connection *connection)
{
    char first = rill__pool_scratch()[0];
    bool is_first = !connection->heard;
    connection->heard = true;
    return is_first && first >= 'A' && first <= 'Z';
}

/* The answer that who speaks plain HTTP understands. */
static void refuse_plain(rill__connection *connection)
{
    rill__tls_free(connection->tls);
    connection->tls = NULL;
    if (need_request(connection))
        rill__refuse(connection->request, 400, "plain HTTP came where TLS is spoken");
    else
        rill__connection_break(connection, RILL_ENOMEM);
}

static void feed_tls(rill__connection *connection, size_t len)
{
    if (is_plain(connection)) {
        refuse_plain(connection);
        return;
    }
    if (rill__tls_feed(connection->tls, rill__pool_scratch(), len) < 0) {
        rill__connection_break(connection, RILL_ENOMEM);
        return;
    }
    pull_tls(connection);
    rill__output_flush(connection);
}

static void take_received(rill__connection *connection, int64_t n)
{
    if (n < 0) {
        rill__connection_break(connection, n == -ENOMEM ? RILL_ENOMEM : RILL_ERESET);
        return;
    }
    if (n == 0)
        connection->peer_ended = true;
    else if (connection->state == RILL__LINGER)
        connection->lingered += (uint64_t)n;
    else if (connection->tls)
        feed_tls(connection, (size_t)n);
    else
        need_request(connection)->input.end += (size_t)n;
    if (connection->request)
        rill__waitq_wake_all(&connection->request->input_waiters);
}

static void on_received(rill__op *op)
{
    rill__connection *connection = rill__container(op, rill__connection, reader);
    if (connection->broken) /* the handle is being closed by who broke it, and goes on */
        return;
    take_received(connection, op->result);
    rill__connection_run(connection);
}

bool rill__input_receive(rill__connection *connection)
{
    if (connection->broken || connection->peer_ended)
        return true;
    bool keeps = connection->state != RILL__LINGER;
    if (connection->tls && keeps && pull_tls(connection))
        return true;
    if (connection->reader.pending)
        return false;
    if (!rill__submit(rill__loop_driver(), &connection->reader))
        return false;
    take_received(connection, connection->reader.result);
    return true;
}

void rill__input_op_init(rill__connection *connection)
{
    connection->reader = (rill__op){
        .kind = RILL__OP_RECV,
        .handle = &connection->handle,
        .done = on_received,
        .recv = { .borrow = borrow },
    };
}
