/* System calls without a detour. The sanitizers want to see them pass by. */
#include "io/syscalls.h"

#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED
#endif
#endif

#ifdef SANITIZED

ssize_t rill__sys_recv(int fd, void *buf, size_t len, int flags)
{
    return recv(fd, buf, len, flags);
}

ssize_t rill__sys_send(int fd, const void *buf, size_t len, int flags)
{
    return send(fd, buf, len, flags);
}

int rill__sys_epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout_ms)
{
    return epoll_wait(epoll_fd, events, max, timeout_ms);
}

int rill__sys_epoll_pwait2(int epoll_fd, struct epoll_event *events, int max,
                           const struct timespec *timeout)
{
    return epoll_pwait2(epoll_fd, events, max, timeout, NULL);
}

#else

/* The kernel's signal sets have 64 bits. */
#define SIGNAL_SET_SIZE 8

ssize_t rill__sys_recv(int fd, void *buf, size_t len, int flags)
{
    return syscall(SYS_recvfrom, fd, buf, len, flags, NULL, NULL);
}

ssize_t rill__sys_send(int fd, const void *buf, size_t len, int flags)
{
    return syscall(SYS_sendto, fd, buf, len, flags, NULL, 0);
}

int rill__sys_epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout_ms)
{
    return (int)syscall(SYS_epoll_pwait, epoll_fd, events, max, timeout_ms, NULL, SIGNAL_SET_SIZE);
}

int rill__sys_epoll_pwait2(int epoll_fd, struct epoll_event *events, int max,
                           const struct timespec *timeout)
{
    return (int)syscall(SYS_epoll_pwait2, epoll_fd, events, max, timeout, NULL, SIGNAL_SET_SIZE);
}

#endif
