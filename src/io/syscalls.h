/*
 * The hot system calls, as of the C library's functions of the same names, but not cancellation
 * points of threads: in a process with a second thread (and there is always one, which watches for
 * stalls) these make the C library pay four locked instructions a request.
 */
#ifndef RILL_SRC_IO_SYSCALLS_H
#define RILL_SRC_IO_SYSCALLS_H

#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

ssize_t rill__sys_recv(int fd, void *buf, size_t len, int flags);
ssize_t rill__sys_send(int fd, const void *buf, size_t len, int flags);
int rill__sys_epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout_ms);
int rill__sys_epoll_pwait2(int epoll_fd, struct epoll_event *events, int max,
                           const struct timespec *timeout);

#endif
