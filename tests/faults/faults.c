/* The wrappers: each asks whether it is the call that is to fail. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#define DESCRIPTORS 4096

static struct {
    _Atomic int call; /* enum fault_call; FAULT_COUNT: none */
    int error;
    unsigned long nth;
    _Atomic unsigned long count;
} armed = { .call = FAULT_COUNT };

/* How each descriptor was registered, to make an edge of. */
static struct {
    int epoll_fd;
    struct epoll_event event;
} registered[DESCRIPTORS];

const char *fault_name(enum fault_call call)
{
    static const char *const names[] = {
#define FAULT_NAME(name) #name,
        FAULT_CALLS(FAULT_NAME)
#undef FAULT_NAME
    };
    return names[call];
}

void fault_arm(enum fault_call call, int error, unsigned long nth)
{
    armed.error = error;
    armed.nth = nth;
    atomic_store(&armed.count, 0);
    atomic_store(&armed.call, (int)call);
}

unsigned long fault_disarm(void)
{
    atomic_store(&armed.call, FAULT_COUNT);
    return atomic_load(&armed.count);
}

bool fault_reached(void)
{
    return atomic_load(&armed.count) >= armed.nth;
}

int __real_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);

/* Whether this call is to fail: errno is set then. */
static bool fails(enum fault_call call, int fd)
{
    if (atomic_load(&armed.call) != (int)call || atomic_fetch_add(&armed.count, 1) + 1 != armed.nth)
        return false;
    if (armed.error == EAGAIN && fd >= 0 && fd < DESCRIPTORS && registered[fd].event.events)
        __real_epoll_ctl(registered[fd].epoll_fd, EPOLL_CTL_MOD, fd, &registered[fd].event);
    if (armed.error == ECONNRESET || armed.error == EPIPE)
        shutdown(fd, SHUT_RDWR); /* then the connection is gone for everybody */
    errno = armed.error;
    return true;
}

int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    if (fd >= 0 && fd < DESCRIPTORS) {
        registered[fd].epoll_fd = epoll_fd;
        registered[fd].event = event ? *event : (struct epoll_event){ 0 };
    }
    return __real_epoll_ctl(epoll_fd, operation, fd, event);
}

int __real_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    return fails(FAULT_accept4, fd) ? -1 : __real_accept4(fd, address, len, flags);
}

ssize_t __real_recv(int fd, void *buf, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags)
{
    return fails(FAULT_recv, fd) ? -1 : __real_recv(fd, buf, len, flags);
}

ssize_t __real_send(int fd, const void *buf, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
    return fails(FAULT_send, fd) ? -1 : __real_send(fd, buf, len, flags);
}

/* Several buffers at once are a send as well. */
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return fails(FAULT_send, fd) ? -1 : __real_sendmsg(fd, message, flags);
}

int __real_epoll_wait(int fd, struct epoll_event *events, int max, int timeout);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    return fails(FAULT_epoll_wait, -1) ? -1 : __real_epoll_wait(fd, events, max, timeout);
}

int __real_epoll_pwait2(int fd, struct epoll_event *events, int max, const struct timespec *timeout,
                        const sigset_t *mask);
int __wrap_epoll_pwait2(int fd, struct epoll_event *events, int max, const struct timespec *timeout,
                        const sigset_t *mask)
{
    return fails(FAULT_epoll_wait, -1) ? -1 : __real_epoll_pwait2(fd, events, max, timeout, mask);
}

int __real_connect(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    if (!fails(FAULT_connect, -1))
        return __real_connect(fd, address, len);
    if (armed.error == EINTR) { /* a connect that a signal has interrupted goes on */
        __real_connect(fd, address, len);
        errno = EINTR;
    }
    return -1;
}

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
    return fails(FAULT_socket, -1) ? -1 : __real_socket(family, type, protocol);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, int) : 0;
    va_end(args);
    return fails(FAULT_open, -1) ? -1 : __real_open(path, flags, mode);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd)
{
    return fails(FAULT_fsync, -1) ? -1 : __real_fsync(fd);
}

ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __wrap_read(int fd, void *buf, size_t len)
{
    return fails(FAULT_read, -1) ? -1 : __real_read(fd, buf, len);
}

ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
    return fails(FAULT_write, -1) ? -1 : __real_write(fd, buf, len);
}
