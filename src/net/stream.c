/*
 * Streams: bytes in and out of a connected socket, plain or through the TLS engine; or of what
 * pipe.c has put under them.
 *
 * A plain stream holds no buffer: reads go straight to the caller's. A TLS stream receives into the
 * engine's input, which is asked for only when bytes are there and given back when they are used
 * up. What the engine makes is moved to `sending` before a task waits for its way out, because the
 * other direction may make more meanwhile.
 *
 * One task reads and one writes. Each call counts as a user of the stream: a stream that is freed
 * while others use it is closed at once, and its memory goes with the last of them.
 */
#include "net/net_internal.h"

#include "base/alloc.h"
#include "base/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* So many receives in a row that need not wait, before other tasks have their turn. */
#define INSTANT_MAX 64

rill_stream *rill__stream_new(void)
{
    rill_stream *stream = rill__zalloc(sizeof *stream);
    if (!stream) {
        rill__fail_nomem();
        return NULL;
    }
    stream->handle.fd = -1;
    stream->sending = rill__buf_make(SIZE_MAX / 2);
    rill__waitq_init(&stream->handshakers);
    rill__waitq_init(&stream->flushers);
    return stream;
}

int rill__stream_set_tls(rill_stream *stream, rill__tls_context *context, const char *host)
{
    stream->tls = rill__tls_new(context, host);
    return stream->tls ? 0 : rill_errcode();
}

static void close_handle(rill_stream *stream)
{
    rill__handle *handle = &stream->handle;
    if (handle->fd < 0)
        return;
    if (!stream->off_loop) {
        rill__io_close(handle);
        return;
    }
    if (!handle->foreign)
        close(handle->fd);
    handle->fd = -1;
}

static void destroy(rill_stream *stream)
{
    close_handle(stream);
    rill__tls_free(stream->tls);
    rill__buf_free(&stream->sending);
    rill__free(stream);
}

/* ---- the beginning and the end of every call ---- */

/* NULL is what is left where making a stream has failed and nobody looked. */
static int no_stream(const char *what)
{
    return rill__fail(RILL_EINVAL, "%s: there is no stream", what);
}

/* Says with whom: "read 192.0.2.7:80: the time was up". */
static int cancelled(const rill_stream *stream, const char *what)
{
    char words[160];
    snprintf(words, sizeof words, "%s %s", what, stream->peer);
    return rill__fail_canceled(words);
}

static int enter(rill_stream *stream, bool *busy, const char *what)
{
    int rc = rill__checkpoint(what);
    if (rc == RILL_ECANCELED)
        return cancelled(stream, what);
    RILL__TRY(rc);
    if (*busy)
        return rill__fail(RILL_EBUSY, "%s %s: another task does already", what, stream->peer);
    if (stream->handle.fd < 0)
        return rill__fail(RILL_ECLOSED, "%s %s: the stream is closed", what, stream->peer);
    *busy = true;
    stream->users++;
    return 0;
}

static void leave(rill_stream *stream, bool *busy)
{
    *busy = false;
    if (--stream->users == 0 && stream->freed)
        destroy(stream);
}

/* Words what the driver said. */
static int failure(const rill_stream *stream, int64_t rc, const char *what)
{
    if (rc == RILL_ECANCELED)
        return cancelled(stream, what);
    if (!RILL__IS_ERRNO(rc))
        return (int)rc;
    if (stream->handle.fd < 0)
        return rill__fail(RILL_ECLOSED, "%s %s: the stream was closed", what, stream->peer);
    int error = (int)-rc;
    rill__fail_errno(rill__code_of_errno(error), error, "%s %s", what, stream->peer);
    return rill__error_where(stream->peer);
}

/* ---- TLS: receiving into the engine, sending out of it ---- */

/* What is to be sent lies in `sending`, and what was made since in the engine's output. */
static bool has_output(const rill_stream *stream)
{
    return stream->sending.len > 0 || rill__tls_output(stream->tls)->len > 0;
}

static bool take_output(rill_stream *stream)
{
    rill__buf *made = rill__tls_output(stream->tls);
    if (stream->sending.len == 0 && made->len > 0) {
        rill__buf swap = stream->sending;
        stream->sending = *made;
        *made = swap;
        made->max = stream->sending.max;
    }
    return stream->sending.len > 0;
}

static void end_flush(rill_stream *stream)
{
    if (stream->sending.len == 0)
        rill__buf_free(&stream->sending);
    stream->flushing = false;
    rill__waitq_wake_all(&stream->flushers);
}

struct tls_recv {
    rill__op op;
    rill_stream *stream;
    struct rill__task *task;
    rill__op send;
    struct iovec iov;
};

static void *borrow_input(rill__op *op, size_t *ret_len)
{
    return rill__tls_input(((struct tls_recv *)op)->stream->tls, ret_len);
}

static void recv_done(rill__op *op)
{
    struct tls_recv *wait = (struct tls_recv *)op;
    if (op->result > 0)
        rill__tls_input_commit(wait->stream->tls, (size_t)op->result);
    rill__wake(wait->task);
}

static rill__abort abort_recv(void *arg)
{
    rill__driver *driver = rill__loop_driver();
    return driver->ops->cancel(driver, arg) ? RILL__ABORTED : RILL__ABORT_PENDING;
}

/* Sends beside the receive: an answer that reading has made, such as new keys, and what a cancelled
 * write left behind. The reader must not wait for it, since the peer may read only once it is read
 * from. A failure is for the receive to tell. */
static void send_aside(struct tls_recv *wait)
{
    rill_stream *stream = wait->stream;
    while (take_output(stream)) {
        wait->iov = (struct iovec){ stream->sending.ptr, stream->sending.len };
        if (!rill__submit(rill__loop_driver(), &wait->send))
            return;
        if (wait->send.result < 0)
            break;
        rill__buf_consume(&stream->sending, (size_t)wait->send.result);
    }
    end_flush(stream);
}

static void send_done(rill__op *op)
{
    struct tls_recv *wait = rill__container(op, struct tls_recv, send);
    if (op->result < 0) {
        end_flush(wait->stream);
        return;
    }
    rill__buf_consume(&wait->stream->sending, (size_t)op->result);
    send_aside(wait);
}

static void begin_aside(struct tls_recv *wait)
{
    if (wait->stream->flushing || !has_output(wait->stream))
        return;
    wait->stream->flushing = true;
    send_aside(wait);
}

static void stop_aside(struct tls_recv *wait)
{
    rill__driver *driver = rill__loop_driver();
    if (!wait->send.pending)
        return;
    driver->ops->cancel(driver, &wait->send);
    end_flush(wait->stream);
}

/* Receives some bytes into the engine. `wait` false: only what is there; -EAGAIN when nothing is.
 * Returns the count, 0 at the end, -errno, or RILL_ECANCELED. */
static int64_t receive(rill_stream *stream, bool wait)
{
    struct tls_recv recv = {
        .op = { .kind = RILL__OP_RECV,
                .handle = &stream->handle,
                .done = recv_done,
                .recv = { .borrow = borrow_input } },
        .stream = stream,
        .task = rill__current(),
        .send = { .kind = RILL__OP_SEND,
                  .handle = &stream->handle,
                  .done = send_done,
                  .send = { &recv.iov, 1 } },
    };
    rill__driver *driver = rill__loop_driver();
    if (wait)
        RILL__TRY(stream->instant < INSTANT_MAX ? rill__checkpoint("recv") : rill__yield("recv"));
    stream->instant = stream->instant < INSTANT_MAX ? stream->instant + 1 : 0;
    if (rill__submit(driver, &recv.op)) {
        if (recv.op.result > 0)
            rill__tls_input_commit(stream->tls, (size_t)recv.op.result);
        return recv.op.result;
    }
    rill__tls_input_release(stream->tls);
    if (!wait)
        return driver->ops->cancel(driver, &recv.op) ? -EAGAIN : -EBUSY;
    stream->instant = 0;
    begin_aside(&recv);
    stream->receiver = &recv;
    rill__waits_for(RILL__SUBJECT_HANDLE, &stream->handle);
    int rc = rill__park("recv", abort_recv, &recv.op);
    stream->receiver = NULL;
    stop_aside(&recv);
    return rc < 0 ? rc : recv.op.result;
}

/* Sends all that the engine has made. Another task that does so already takes care of it. */
static int flush(rill_stream *stream, const char *what)
{
    if (stream->flushing)
        return 0;
    stream->flushing = true;
    int rc = 0;
    while (rc == 0 && take_output(stream)) {
        struct iovec iov = { stream->sending.ptr, stream->sending.len };
        size_t sent = 0;
        int64_t n = rill__io_send_all(&stream->handle, &iov, 1, &sent);
        rill__buf_consume(&stream->sending, sent);
        rc = n < 0 ? failure(stream, n, what) : 0;
    }
    end_flush(stream);
    if (rc == RILL_ECANCELED && stream->receiver)
        begin_aside(stream->receiver);
    return rc;
}

/* The writer's: when a reader sends, the writer waits, lest it makes more and more. */
static int flush_in_turn(rill_stream *stream, const char *what)
{
    while (stream->flushing) {
        rill__waits_for(RILL__SUBJECT_TEXT, stream->peer);
        RILL__TRY(rill__waitq_wait(&stream->flushers, what));
    }
    return flush(stream, what);
}

/* ---- TLS: the handshake ---- */

static int ended_in_handshake(const char *peer)
{
    return rill__fail(RILL_ETLS, "TLS handshake with %s: the peer closed the connection", peer);
}

/* The alert tells the peer why; whether it can be sent is not what went wrong. */
static int tell_peer(rill_stream *stream, int rc)
{
    rill_error error = *rill_last_error();
    flush(stream, "TLS handshake with");
    *rill__error_slot() = error;
    return rc;
}

static int shake(rill_stream *stream, const char *peer)
{
    for (;;) {
        int rc = rill__tls_handshake(stream->tls);
        if (rc < 0 && rc != RILL__TLS_WANT)
            return tell_peer(stream, rc);
        int sent = flush(stream, "TLS handshake with");
        if (rc == 0)
            return sent;
        RILL__TRY(sent);
        int64_t n = receive(stream, true);
        if (n == 0)
            return ended_in_handshake(peer);
        if (n < 0)
            return failure(stream, n, "TLS handshake with");
    }
}

/* One task does it while the other direction's waits; when that one fails or is cancelled, the next
 * goes on where it stopped. */
static int handshake(rill_stream *stream, const char *peer)
{
    while (stream->shaking) {
        rill__waits_for(RILL__SUBJECT_TEXT, stream->peer);
        RILL__TRY(rill__waitq_wait(&stream->handshakers, "the TLS handshake"));
    }
    if (stream->shaken)
        return 0;
    if (stream->handle.fd < 0)
        return failure(stream, -EBADF, "TLS handshake with");
    stream->shaking = true;
    rill__tls_name_peer(stream->tls, peer);
    int rc = shake(stream, peer);
    rill__tls_name_peer(stream->tls, stream->peer);
    stream->shaking = false;
    stream->shaken = rc == 0;
    rill__waitq_wake_all(&stream->handshakers);
    return rc;
}

int rill__stream_handshake(rill_stream *stream, const char *peer)
{
    RILL__TRY(enter(stream, &stream->reading, "TLS handshake with"));
    int rc = stream->tls && !stream->shaken ? handshake(stream, peer) : 0;
    leave(stream, &stream->reading);
    return rc;
}

/* ---- reading ---- */

static int truncated(const rill_stream *stream)
{
    rill__fail(RILL_ETRUNCATED, "read %s: the connection ended without a TLS goodbye",
               stream->peer);
    return rill__error_where(stream->peer);
}

static ptrdiff_t read_tls(rill_stream *stream, void *buf, size_t len)
{
    if (!stream->shaken)
        RILL__TRY(handshake(stream, stream->peer));
    for (;;) {
        ptrdiff_t n = rill__tls_read(stream->tls, buf, len);
        if (n != RILL__TLS_WANT) {
            if (n < 0)
                rill__error_prefix("read %s: ", stream->peer);
            return n;
        }
        int64_t got = receive(stream, true);
        if (got == 0)
            return truncated(stream);
        if (got < 0)
            return failure(stream, got, "read");
    }
}

static ptrdiff_t read_plain(rill_stream *stream, void *buf, size_t len)
{
    int64_t n = stream->off_loop ? rill__off_loop_read(stream->handle.fd, buf, len)
                                 : rill__io_recv(&stream->handle, buf, len);
    return n < 0 ? failure(stream, n, "read") : (ptrdiff_t)n;
}

ptrdiff_t rill_stream_read(rill_stream *stream, void *buf, size_t len)
{
    if (!stream)
        return no_stream("read");
    RILL__TRY(enter(stream, &stream->reading, "read"));
    ptrdiff_t n = 0;
    if (len > 0)
        n = stream->tls ? read_tls(stream, buf, len) : read_plain(stream, buf, len);
    if (n > 0)
        stream->received += (uint64_t)n;
    leave(stream, &stream->reading);
    return n;
}

/* ---- writing ---- */

static int write_plain(rill_stream *stream, const void *bytes, size_t len)
{
    struct iovec iov = { (void *)(uintptr_t)bytes, len };
    size_t sent = 0;
    int64_t n = stream->off_loop ? rill__off_loop_write(stream->handle.fd, bytes, len, &sent)
                                 : rill__io_send_all(&stream->handle, &iov, 1, &sent);
    stream->written += sent;
    return n < 0 ? failure(stream, n, "write") : 0;
}

/* A record at a time, so that no more than one waits for the socket. */
static int write_tls(rill_stream *stream, const char *bytes, size_t len)
{
    if (!stream->shaken)
        RILL__TRY(handshake(stream, stream->peer));
    /* What a cancelled write left behind goes first. */
    RILL__TRY(flush_in_turn(stream, "write"));
    while (len > 0) {
        RILL__TRY(rill__checkpoint("write"));
        ptrdiff_t n = rill__tls_write(stream->tls, bytes, len);
        if (n <= 0)
            return n == RILL__TLS_WANT
                       ? rill__fail(RILL_ETLS, "write %s: TLS stalled", stream->peer)
                       : rill__error_prefix("write %s: ", stream->peer);
        bytes += n;
        len -= (size_t)n;
        stream->written += (uint64_t)n;
        RILL__TRY(flush_in_turn(stream, "write"));
    }
    return 0;
}

int rill_stream_write(rill_stream *stream, const void *bytes, size_t len)
{
    if (!stream)
        return no_stream("write");
    RILL__TRY(enter(stream, &stream->writing, "write"));
    int rc;
    if (stream->shut)
        rc = rill__fail(RILL_ECLOSED, "write %s: the stream was shut down", stream->peer);
    else
        rc = stream->tls ? write_tls(stream, bytes, len) : write_plain(stream, bytes, len);
    leave(stream, &stream->writing);
    return rc;
}

/* ---- the end ---- */

/* What is only written to says that no more will come by being closed. */
static int shut_down_file(rill_stream *stream)
{
    int flags = fcntl(stream->handle.fd, F_GETFL);
    if (!stream->standard && flags >= 0 && (flags & O_ACCMODE) == O_WRONLY)
        close_handle(stream);
    stream->shut = true;
    return 0;
}

static int shut_down(rill_stream *stream)
{
    if (stream->handle.kind != RILL__SOCKET)
        return shut_down_file(stream);
    if (stream->tls) {
        if (!stream->shaken)
            RILL__TRY(handshake(stream, stream->peer));
        rill__tls_goodbye(stream->tls);
        RILL__TRY(flush_in_turn(stream, "shut down"));
    }
    rill__driver *driver = rill__loop_driver();
    int rc = driver->ops->shutdown(driver, &stream->handle);
    if (rc < 0 && rc != -ENOTCONN)
        return failure(stream, rc, "shut down");
    stream->shut = true;
    return 0;
}

int rill_stream_shutdown(rill_stream *stream)
{
    if (!stream)
        return no_stream("shut down");
    if (stream->shut)
        return 0;
    RILL__TRY(enter(stream, &stream->writing, "shut down"));
    int rc = shut_down(stream);
    leave(stream, &stream->writing);
    return rc;
}

static void never_done(rill__op *op)
{
    (void)op;
}

/* Sends the goodbye if the socket takes it at once. */
static void say_goodbye(rill_stream *stream)
{
    if (!stream->shaken || stream->shut || stream->flushing || stream->sending.len > 0)
        return;
    rill__tls_goodbye(stream->tls);
    rill__buf *made = rill__tls_output(stream->tls);
    struct iovec iov = { made->ptr, made->len };
    rill__op op = {
        .kind = RILL__OP_SEND, .handle = &stream->handle, .done = never_done, .send = { &iov, 1 }
    };
    rill__driver *driver = rill__loop_driver();
    if (made->len > 0 && !rill__submit(driver, &op))
        driver->ops->cancel(driver, &op);
}

void rill_stream_free(rill_stream *stream)
{
    if (!stream || stream->freed || stream->standard)
        return;
    stream->freed = true;
    rill__died(&stream->birth);
    if (stream->handle.fd >= 0 && stream->tls)
        say_goodbye(stream);
    /* A thread must not find the descriptor closed, and perhaps another's. */
    if (!stream->off_loop)
        close_handle(stream);
    if (stream->users == 0)
        destroy(stream);
}

/* ---- what it says of itself ---- */

/* Whether a byte, the end or an error could be read from the socket now. */
static bool is_readable(rill_stream *stream)
{
    rill__handle *handle = &stream->handle;
    if (!(handle->ready & (RILL__READY_READ | RILL__READY_HANGUP)))
        return false;
    rill__op op = { .kind = RILL__OP_READABLE, .handle = handle, .done = never_done };
    rill__driver *driver = rill__loop_driver();
    if (rill__submit(driver, &op))
        return true;
    driver->ops->cancel(driver, &op);
    return false;
}

void rill__stream_keep_alive(rill_stream *stream, int idle, int interval, int count)
{
    rill__driver *driver = rill__loop_driver();
    rill__handle *handle = &stream->handle;
    driver->ops->option(driver, handle, RILL__OPTION_KEEPALIVE, 1);
    driver->ops->option(driver, handle, RILL__OPTION_KEEPALIVE_IDLE, idle);
    driver->ops->option(driver, handle, RILL__OPTION_KEEPALIVE_INTERVAL, interval);
    driver->ops->option(driver, handle, RILL__OPTION_KEEPALIVE_COUNT, count);
}

bool rill__stream_is_idle(rill_stream *stream)
{
    if (stream->handle.fd < 0 || stream->reading || stream->writing)
        return false;
    if (!stream->tls)
        return !is_readable(stream);
    /* A TLS server may send tickets at any time, which mean nothing. */
    for (;;) {
        if (rill__tls_pending(stream->tls))
            return false;
        if (!is_readable(stream))
            return true;
        if (receive(stream, false) <= 0)
            return false;
    }
}

uint64_t rill_stream_written(const rill_stream *stream)
{
    return stream->written;
}

uint64_t rill_stream_received(const rill_stream *stream)
{
    return stream->received;
}

const char *rill_stream_peer(const rill_stream *stream)
{
    return stream->peer;
}

const char *rill_stream_alpn(const rill_stream *stream)
{
    return stream->tls ? rill__tls_alpn(stream->tls) : "";
}

int rill_stream_fd(const rill_stream *stream)
{
    return stream->handle.fd;
}
