/*
 * Output: replies wait in `queued`; a send takes them all at once as `sending`, which is the
 * driver's until it has gone. So replies that are made while others are sent need no care, and
 * those to pipelined requests leave together.
 */
#include "base/fail.h"
#include "server/server_internal.h"

#include <errno.h>

size_t rill__output_pending(const rill_request *request)
{
    const struct rill__output *output = &request->output;
    return output->sending.len - output->sent + output->queued.len;
}

static void encrypt(rill__connection *connection, struct rill__output *output)
{
    rill__tls *tls = connection->tls;
    while (output->queued.len > 0) {
        ptrdiff_t n = rill__tls_write(tls, output->queued.ptr, output->queued.len);
        if (n <= 0)
            break;
        rill__buf_consume(&output->queued, (size_t)n);
    }
    rill__buf *encrypted = rill__tls_output(tls);
    rill__buf_append(&output->sending, encrypted->ptr, encrypted->len);
    rill__buf_consume(encrypted, encrypted->len);
    if (output->sending.failed) /* bytes of the record are lost: nothing after it can be read */
        rill__connection_break(connection, RILL_ENOMEM);
}

/* Fills `sending`, which is empty. */
static void fill(rill__connection *connection, struct rill__output *output)
{
    rill__buf_reset(&output->sending);
    output->sent = 0;
    if (connection->tls) {
        encrypt(connection, output);
    } else {
        rill__buf swap = output->sending;
        output->sending = output->queued;
        output->queued = swap;
    }
}

static void take_sent(rill__connection *connection, int64_t n)
{
    if (n < 0)
        rill__connection_break(connection, RILL_ERESET);
    else
        connection->request->output.sent += (size_t)n;
}

static void wait_for_send(rill__connection *connection)
{
    uint64_t patience = connection->app->settings.send_ns;
    rill__deadline_set(connection, RILL__WRITE_DEADLINE, rill__after(rill__loop_now(), patience));
}

/* A request is what holds the buffers: a TLS handshake may need them before there is one. */
static rill_request *request_to_send(rill__connection *connection)
{
    if (!connection->request && connection->tls && rill__tls_output(connection->tls)->len > 0) {
        connection->request = rill__pool_take();
        if (connection->request)
            connection->request->connection = connection;
    }
    return connection->request;
}

void rill__output_flush(rill__connection *connection)
{
    rill_request *request = request_to_send(connection);
    if (!request)
        return;
    struct rill__output *output = &request->output;
    while (!connection->broken && !connection->writer.pending) {
        if (output->sent == output->sending.len)
            fill(connection, output);
        if (connection->broken)
            return;
        if (output->sending.len == 0) {
            rill__deadline_set(connection, RILL__WRITE_DEADLINE, RILL__NEVER);
            return;
        }
        output->iov = (struct iovec){ output->sending.ptr + output->sent,
                                      output->sending.len - output->sent };
        connection->writer.send.iov = &output->iov;
        connection->writer.send.count = 1;
        if (!rill__submit(rill__loop_driver(), &connection->writer)) {
            wait_for_send(connection);
            return;
        }
        take_sent(connection, connection->writer.result);
    }
}

static void on_sent(rill__op *op)
{
    rill__connection *connection = rill__container(op, rill__connection, writer);
    if (connection->broken)
        return;
    take_sent(connection, op->result);
    rill__output_flush(connection);
    rill_request *request = connection->request;
    if (rill__output_pending(request) <= RILL__OUTPUT_MAX / 2)
        rill__waitq_wake_all(&request->output_waiters);
    if (rill__output_pending(request) == 0)
        rill__connection_all_sent(connection);
    rill__connection_run(connection);
}

void rill__output_op_init(rill__connection *connection)
{
    connection->writer = (rill__op){
        .kind = RILL__OP_SEND,
        .handle = &connection->handle,
        .done = on_sent,
    };
}
