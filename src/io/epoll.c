/*
 * The epoll driver: every descriptor is registered once, edge-triggered for both directions.
 *
 * A call is tried first when the descriptor is likely ready. A short read or write says that the
 * socket is drained, so no second call is made only to hear EAGAIN: the next edge tells. A handle
 * that is closed while its events are in the batch at hand has them struck out.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "io/handle.h"
#include "io/kernel.h"
#include "io/syscalls.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BATCH 256

struct epoll_driver {
    rill__driver base;
    int epoll_fd;
    int wake_fd;
    int count; /* events in the batch at hand */
    int at;    /* the one being handled */
    bool has_pwait2;
    struct epoll_event events[BATCH];
};

static struct epoll_driver *self(rill__driver *driver)
{
    return (struct epoll_driver *)driver;
}

static uint64_t now(rill__driver *driver)
{
    (void)driver;
    return rill__clock_ns(CLOCK_MONOTONIC);
}

/* ---- pipes and terminals ---- */

static bool is_ready(int fd, short events)
{
    struct pollfd poll_fd = { .fd = fd, .events = events };
    int n;
    do
        n = poll(&poll_fd, 1, 0);
    while (n < 0 && errno == EINTR);
    return n != 0; /* a failure is for the call itself to tell */
}

static ssize_t read_file(const rill__handle *handle, void *ptr, size_t len)
{
    if (handle->kind == RILL__FILE_POLLED && !is_ready(handle->fd, POLLIN)) {
        errno = EAGAIN;
        return -1;
    }
    return read(handle->fd, ptr, len);
}

/* A write to a pipe that nobody reads raises SIGPIPE, which a library can neither leave to the
 * program, whose death it would be, nor ignore for all of it. So it is held back in this thread and
 * taken out of the way, unless one was held back by the program itself before. */
static ssize_t write_quietly(int fd, const struct iovec *iov, int count)
{
    sigset_t broken_pipe, old, before;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    sigemptyset(&before);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, &old);
    if (sigismember(&old, SIGPIPE))
        sigpending(&before);
    ssize_t n = writev(fd, iov, count);
    int error = errno;
    if (n < 0 && error == EPIPE && !sigismember(&before, SIGPIPE))
        sigtimedwait(&broken_pipe, NULL, &(struct timespec){ 0 });
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = error;
    return n;
}

static ssize_t write_file(const rill__handle *handle, const struct iovec *iov, int count)
{
    if (handle->kind != RILL__FILE_POLLED)
        return write_quietly(handle->fd, iov, count);
    if (!is_ready(handle->fd, POLLOUT)) {
        errno = EAGAIN;
        return -1;
    }
    /* A pipe that is ready takes so much without blocking. */
    struct iovec some = *iov;
    some.iov_len = some.iov_len < PIPE_BUF ? some.iov_len : PIPE_BUF;
    return write_quietly(handle->fd, &some, 1);
}

/* ---- operations ---- */

static int64_t try_recv(rill__op *op)
{
    const rill__handle *handle = op->handle;
    void *ptr = op->recv.ptr;
    size_t len = op->recv.len;
    if (!ptr) {
        ptr = op->recv.borrow(op, &len);
        if (!ptr)
            return -ENOMEM;
    }
    bool is_socket = handle->kind == RILL__SOCKET;
    ssize_t n = is_socket ? rill__sys_recv(handle->fd, ptr, len, MSG_DONTWAIT)
                          : read_file(handle, ptr, len);
    if (n < 0)
        return -errno;
    /* What came is all there was; a hang-up, and what stands behind urgent data, at which a read
     * stops, is only seen by reading once more. So is the next line of a terminal. */
    if ((size_t)n < len && is_socket && !(handle->ready & RILL__READY_HANGUP))
        op->handle->ready &= (uint8_t)~RILL__READY_READ;
    return n;
}

static int64_t try_send(rill__op *op)
{
    const struct iovec *iov = op->send.iov;
    struct msghdr message = {
        .msg_iov = (struct iovec *)iov,
        .msg_iovlen = (size_t)op->send.count,
    };
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    ssize_t n;
    if (op->handle->kind != RILL__SOCKET)
        n = write_file(op->handle, iov, op->send.count);
    else if (op->send.count == 1) /* the common case: send has less to look at */
        n = rill__sys_send(op->handle->fd, iov->iov_base, iov->iov_len, flags);
    else
        n = sendmsg(op->handle->fd, &message, flags);
    return n < 0 ? -errno : n;
}

static int64_t try_accept(rill__op *op)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int fd =
        accept4(op->handle->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (op->accept.ret_address) {
        *op->accept.ret_address = address;
        *op->accept.ret_len = len;
    }
    return fd;
}

/* The first call starts the connection; the edge that follows tells how it went. */
static int64_t try_connect(rill__op *op)
{
    int fd = op->handle->fd;
    if (!op->pending) {
        int rc = connect(fd, op->connect.address, op->connect.len);
        if (rc == 0)
            return 0;
        if (errno == EAGAIN) /* a unix socket whose queue is full: no edge would come */
            return -ENOBUFS;
        return errno == EINPROGRESS || errno == EINTR ? -EAGAIN : -errno;
    }
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return -errno;
    return -error;
}

/* Who reads a foreign descriptor need not drain it: only asking tells whether it is ready. */
static int64_t try_poll(const rill__op *op)
{
    return is_ready(op->handle->fd, op->kind == RILL__OP_READABLE ? POLLIN : POLLOUT) ? 0 : -EAGAIN;
}

/* With MSG_TRUNC the call tells how large the datagram was, whatever room there was for it. */
static int64_t try_recvfrom(rill__op *op)
{
    *op->recvfrom.ret_len = sizeof *op->recvfrom.ret_address;
    ssize_t n =
        recvfrom(op->handle->fd, op->recvfrom.ptr, op->recvfrom.len, MSG_TRUNC | MSG_DONTWAIT,
                 (struct sockaddr *)op->recvfrom.ret_address, op->recvfrom.ret_len);
    return n < 0 ? -errno : n;
}

static int64_t try_sendto(const rill__op *op)
{
    ssize_t n = sendto(op->handle->fd, op->sendto.ptr, op->sendto.len, MSG_NOSIGNAL | MSG_DONTWAIT,
                       op->sendto.address, op->sendto.address_len);
    return n < 0 ? -errno : n;
}

static int64_t try_once(rill__op *op)
{
    switch (op->kind) {
    case RILL__OP_RECV:
        return try_recv(op);
    case RILL__OP_SEND:
        return try_send(op);
    case RILL__OP_ACCEPT:
        return try_accept(op);
    case RILL__OP_CONNECT:
        return try_connect(op);
    case RILL__OP_READABLE:
    case RILL__OP_WRITABLE:
        return try_poll(op);
    case RILL__OP_RECVFROM:
        return try_recvfrom(op);
    case RILL__OP_SENDTO:
        return try_sendto(op);
    }
    return -EINVAL;
}

/* Returns false when the op has to wait for an edge. */
static bool try_op(rill__op *op, uint8_t direction)
{
    int64_t n;
    do
        n = try_once(op);
    while (n == -EINTR);
    if (n == -EAGAIN || n == -EWOULDBLOCK) {
        op->handle->ready &= (uint8_t)~direction;
        return false;
    }
    op->result = n;
    return true;
}

static bool submit(rill__driver *driver, rill__op *op)
{
    if (!rill__op_begin(op))
        return true;
    uint8_t direction = rill__op_is_write(op) ? RILL__READY_WRITE : RILL__READY_READ;
    bool try_first = (op->handle->ready & direction) || op->kind == RILL__OP_CONNECT ||
                     op->kind == RILL__OP_READABLE || op->kind == RILL__OP_WRITABLE;
    if (try_first && try_op(op, direction))
        return true;
    rill__op_place(driver, op);
    return false;
}

static bool cancel(rill__driver *driver, rill__op *op)
{
    rill__op_take_back(driver, op);
    return true;
}

static void complete_if_ready(rill__driver *driver, rill__op *op, uint8_t direction)
{
    if (!op || !try_op(op, direction))
        return;
    rill__op_unplace(driver, op);
    op->done(op);
}

/* ---- handles ---- */

static int adopt(rill__driver *driver, rill__handle *handle, int fd)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.ptr = handle,
    };
    *handle = (rill__handle){ .fd = fd };
    if (epoll_ctl(self(driver)->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        handle->fd = -1;
        return -errno;
    }
    /* A new socket can be written; whether there is something to read only trying tells. */
    handle->ready = RILL__READY_READ | RILL__READY_WRITE;
    return 0;
}

static int open_socket(rill__driver *driver, rill__handle *handle, int family, int type)
{
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int rc = adopt(driver, handle, fd);
    if (rc < 0)
        close(fd);
    return rc;
}

static void strike_out(struct epoll_driver *driver, const rill__handle *handle)
{
    for (int i = driver->at; i < driver->count; i++)
        if (driver->events[i].data.ptr == handle)
            driver->events[i].data.ptr = NULL;
}

static void close_handle(rill__driver *base, rill__handle *handle)
{
    struct epoll_driver *driver = self(base);
    int fd = handle->fd;
    if (fd < 0)
        return;
    handle->fd = -1;
    strike_out(driver, handle);
    /* Another process may share the socket: then closing ours would leave it registered. */
    epoll_ctl(driver->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    if (!handle->foreign)
        close(fd);
    rill__handle_end_ops(base, handle);
}

/* ---- polling ---- */

static int wait_events(struct epoll_driver *driver, uint64_t timeout_ns)
{
    if (timeout_ns == RILL__NEVER)
        return rill__sys_epoll_wait(driver->epoll_fd, driver->events, BATCH, -1);
    if (timeout_ns == 0)
        return rill__sys_epoll_wait(driver->epoll_fd, driver->events, BATCH, 0);
    if (driver->has_pwait2) {
        struct timespec timeout = {
            .tv_sec = (time_t)(timeout_ns / RILL__SECOND),
            .tv_nsec = (long)(timeout_ns % RILL__SECOND),
        };
        int n = rill__sys_epoll_pwait2(driver->epoll_fd, driver->events, BATCH, &timeout);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n;
        driver->has_pwait2 = false;
    }
    uint64_t ms = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0); /* never early */
    return rill__sys_epoll_wait(driver->epoll_fd, driver->events, BATCH,
                                ms > 3600000 ? 3600000 : (int)ms);
}

static void drain_wake(int fd)
{
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof count);
    (void)n; /* EAGAIN: another wake was drained already */
}

static void handle_event(struct epoll_driver *driver, const struct epoll_event *event)
{
    rill__handle *handle = event->data.ptr;
    if (!handle)
        return;
    if (event->data.ptr == driver) {
        drain_wake(driver->wake_fd);
        return;
    }
    uint32_t bits = event->events;
    if (bits & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        handle->ready |= RILL__READY_READ;
    if (bits & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        handle->ready |= RILL__READY_HANGUP;
    if (bits & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        handle->ready |= RILL__READY_WRITE;
    if (handle->ready & RILL__READY_READ)
        complete_if_ready(&driver->base, handle->reader, RILL__READY_READ);
    /* `done` may have closed and freed the handle: then this event is struck out. */
    handle = event->data.ptr;
    if (handle && handle->ready & RILL__READY_WRITE)
        complete_if_ready(&driver->base, handle->writer, RILL__READY_WRITE);
}

static int poll_events(rill__driver *base, uint64_t timeout_ns)
{
    struct epoll_driver *driver = self(base);
    int count = wait_events(driver, timeout_ns);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    driver->count = count;
    for (driver->at = 0; driver->at < count; driver->at++)
        handle_event(driver, &driver->events[driver->at]);
    driver->count = driver->at = 0;
    return 0;
}

static void wake(rill__driver *driver)
{
    uint64_t one = 1;
    ssize_t n = write(self(driver)->wake_fd, &one, sizeof one);
    (void)n; /* EAGAIN: it is set already */
}

static int own_fd(rill__driver *driver)
{
    return self(driver)->epoll_fd;
}

static void free_driver(rill__driver *base)
{
    struct epoll_driver *driver = self(base);
    if (driver->wake_fd >= 0)
        close(driver->wake_fd);
    if (driver->epoll_fd >= 0)
        close(driver->epoll_fd);
    rill__free(driver);
}

rill__driver *rill__epoll_new(void)
{
    static const struct rill__driver_ops ops = {
        .name = "epoll",
        .now = now,
        .wall = rill__kernel_wall,
        .random = rill__kernel_random,
        .poll = poll_events,
        .wake = wake,
        .fd = own_fd,
        .open = open_socket,
        .adopt = adopt,
        .bind = rill__kernel_bind,
        .unbind = rill__kernel_unbind,
        .listen = rill__kernel_listen,
        .local = rill__kernel_local,
        .option = rill__kernel_option,
        .shutdown = rill__kernel_shutdown,
        .discard = rill__kernel_discard,
        .submit = submit,
        .cancel = cancel,
        .close = close_handle,
        .free = free_driver,
    };
    struct epoll_driver *driver = rill__zalloc(sizeof *driver);
    if (!driver) {
        errno = ENOMEM;
        return NULL;
    }
    driver->base.ops = &ops;
    driver->has_pwait2 = true;
    driver->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    driver->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.ptr = driver };
    if (driver->epoll_fd < 0 || driver->wake_fd < 0 ||
        epoll_ctl(driver->epoll_fd, EPOLL_CTL_ADD, driver->wake_fd, &event) < 0) {
        int error = errno;
        free_driver(&driver->base);
        errno = error;
        return NULL;
    }
    return &driver->base;
}
