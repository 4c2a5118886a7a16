/* The wrappers: each asks whether it is the call that is to fail. */
#include "faults.h"

#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <rill/task.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>

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

static bool is_eventfd[DESCRIPTORS];

static bool is_known(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS;
}

void fault_arm(struct fault fault, unsigned long nth)
{
    atomic_store(&armed.call, FAULT_COUNT);
    if (nth == 0)
        return;
    armed.error = fault.error;
    armed.nth = nth;
    atomic_store(&armed.count, 0);
    atomic_store(&armed.call, (int)fault.call);
}

int __real_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);

/* Whether this is the call that is meant. */
static bool is_it(enum fault_call call, int fd)
{
    return atomic_load(&armed.call) == (int)call && !(is_known(fd) && is_eventfd[fd]) &&
           atomic_fetch_add(&armed.count, 1) + 1 == armed.nth;
}

/* An edge, once the descriptor is ready: as the kernel gives it after a refusal. */
static void make_edge(int fd)
{
    if (is_known(fd) && registered[fd].event.events)
        __real_epoll_ctl(registered[fd].epoll_fd, EPOLL_CTL_MOD, fd, &registered[fd].event);
}

/* Whether this call is to fail: errno is set then. */
static bool fails(enum fault_call call, int fd)
{
    if (!is_it(call, fd))
        return false;
    if (armed.error == EAGAIN)
        make_edge(fd);
    if (armed.error == ECONNRESET || armed.error == EPIPE)
        shutdown(fd, SHUT_RDWR); /* then the connection is gone for everybody */
    errno = armed.error;
    return true;
}

/* The same for a call that moves bytes, and may have to move fewer. */
static bool moves_none(enum fault_call call, int fd, size_t *len)
{
    if (armed.error != FAULT_SHORT)
        return fails(call, fd);
    if (is_it(call, fd) && *len > 1) {
        *len /= 2;
        make_edge(fd);
    }
    return false;
}

/* ---- sockets ---- */

int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && fails(FAULT_epoll_ctl, -1))
        return -1;
    if (is_known(fd)) {
        registered[fd].epoll_fd = epoll_fd;
        registered[fd].event = event ? *event : (struct epoll_event){ 0 };
    }
    return __real_epoll_ctl(epoll_fd, operation, fd, event);
}

int __real_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags)
{
    int fd = __real_eventfd(count, flags);
    if (is_known(fd))
        is_eventfd[fd] = true;
    return fd;
}

int __real_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    return fails(FAULT_accept4, fd) ? -1 : __real_accept4(fd, address, len, flags);
}

ssize_t __real_rill__sys_recv(int fd, void *buf, size_t len, int flags);
ssize_t __wrap_rill__sys_recv(int fd, void *buf, size_t len, int flags)
{
    return moves_none(FAULT_recv, fd, &len) ? -1 : __real_rill__sys_recv(fd, buf, len, flags);
}

ssize_t __real_rill__sys_send(int fd, const void *buf, size_t len, int flags);
ssize_t __wrap_rill__sys_send(int fd, const void *buf, size_t len, int flags)
{
    return moves_none(FAULT_send, fd, &len) ? -1 : __real_rill__sys_send(fd, buf, len, flags);
}

/* Several buffers at once are a send as well. */
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return fails(FAULT_send, fd) ? -1 : __real_sendmsg(fd, message, flags);
}

ssize_t __real_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                        socklen_t *from_len);
/* lint: allow foreign-signature: the C library has it so. */
ssize_t __wrap_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                        socklen_t *from_len)
{
    return fails(FAULT_recvfrom, fd) ? -1 : __real_recvfrom(fd, buf, len, flags, from, from_len);
}

ssize_t __real_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
                      socklen_t to_len);
/* lint: allow foreign-signature: the C library has it so. */
ssize_t __wrap_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
                      socklen_t to_len)
{
    return fails(FAULT_sendto, fd) ? -1 : __real_sendto(fd, buf, len, flags, to, to_len);
}

int __real_rill__sys_epoll_wait(int fd, struct epoll_event *events, int max, int timeout);
int __wrap_rill__sys_epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    return fails(FAULT_epoll_wait, -1) ? -1 : __real_rill__sys_epoll_wait(fd, events, max, timeout);
}

int __real_rill__sys_epoll_pwait2(int fd, struct epoll_event *events, int max,
                                  const struct timespec *timeout);
int __wrap_rill__sys_epoll_pwait2(int fd, struct epoll_event *events, int max,
                                  const struct timespec *timeout)
{
    return fails(FAULT_epoll_wait, -1) ? -1
                                       : __real_rill__sys_epoll_pwait2(fd, events, max, timeout);
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

/* ---- files ---- */

/* open64 and its like are what open is where files may be large. */
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, int) : 0;
    va_end(args);
    return fails(FAULT_open, -1) ? -1 : __real_open64(path, flags, mode);
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
    return fails(FAULT_opendir, -1) ? NULL : __real_opendir(path);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd)
{
    return fails(FAULT_fsync, -1) ? -1 : __real_fsync(fd);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    return fails(FAULT_fsync, -1) ? -1 : __real_fdatasync(fd);
}

ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __wrap_read(int fd, void *buf, size_t len)
{
    return moves_none(FAULT_read, fd, &len) ? -1 : __real_read(fd, buf, len);
}

ssize_t __real_pread64(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t offset)
{
    return moves_none(FAULT_read, fd, &len) ? -1 : __real_pread64(fd, buf, len, offset);
}

ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
    return moves_none(FAULT_write, fd, &len) ? -1 : __real_write(fd, buf, len);
}

ssize_t __real_pwrite64(int fd, const void *buf, size_t len, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t len, off_t offset)
{
    return moves_none(FAULT_write, fd, &len) ? -1 : __real_pwrite64(fd, buf, len, offset);
}

ssize_t __real_writev(int fd, const struct iovec *iov, int count);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int count)
{
    struct iovec first = *iov;
    if (count != 1)
        return fails(FAULT_write, fd) ? -1 : __real_writev(fd, iov, count);
    return moves_none(FAULT_write, fd, &first.iov_len) ? -1 : __real_writev(fd, &first, 1);
}

int __real_close(int fd);
int __wrap_close(int fd)
{
    bool failing = fails(FAULT_close, fd);
    int error = errno;
    if (is_known(fd))
        is_eventfd[fd] = false;
    int rc = __real_close(fd);
    if (!failing)
        return rc;
    errno = error;
    return -1;
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    return fails(FAULT_rename, -1) ? -1 : __real_rename(from, to);
}

/* ---- processes and threads ---- */

int __real_pipe2(int fds[2], int flags);
int __wrap_pipe2(int fds[2], int flags)
{
    return fails(FAULT_pipe2, -1) ? -1 : __real_pipe2(fds, flags);
}

int __real_posix_spawnp(pid_t *ret_pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[],
                        char *const environment[]);
/* lint: allow foreign-signature: the C library has it so. */
int __wrap_posix_spawnp(pid_t *ret_pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[],
                        char *const environment[])
{
    return fails(FAULT_posix_spawnp, -1)
               ? armed.error
               : __real_posix_spawnp(ret_pid, file, actions, attributes, argv, environment);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    long given[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        given[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_pidfd_open && fails(FAULT_pidfd_open, -1))
        return -1;
    return __real_syscall(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

/* Without waiting, nothing can interrupt it. */
int __real_waitid(idtype_t type, id_t id, siginfo_t *ret_info, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *ret_info, int options)
{
    return !(options & WNOHANG) && fails(FAULT_waitid, -1)
               ? -1
               : __real_waitid(type, id, ret_info, options);
}

int __real_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg)
{
    return fails(FAULT_pthread_create, -1)
               ? armed.error
               : __real_pthread_create(ret_thread, attributes, run, arg);
}

/* ---- sweeps ---- */

/* A call past this is the same as one before it. */
#define CALLS_MAX 400

static struct {
    struct fault fault;
    unsigned long nth;
    int (*work)(void);
    int failed; /* parts of the work */
} run;

const char *fault_label(void)
{
    static const char *const names[] = {
#define FAULT_NAME(name) #name,
        FAULT_CALLS(FAULT_NAME)
#undef FAULT_NAME
    };
    static char label[64];
    const char *error = strerrorname_np(run.fault.error);
    snprintf(label, sizeof label, "%s %s %lu", names[run.fault.call], error ? error : "short",
             run.nth);
    return label;
}

void fault_begin(void)
{
    fault_arm(run.fault, run.nth);
}

void fault_end(void)
{
    fault_arm(run.fault, 0);
}

static bool was_reached(void)
{
    return atomic_load(&armed.count) >= armed.nth;
}

static int count_descriptors(void)
{
    DIR *folder = __real_opendir("/proc/self/fd");
    int count = 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static int run_work(void *arg)
{
    (void)arg;
    run.failed = run.work();
    return 0;
}

void fault_sweep(struct fault fault, int (*work)(void))
{
    unsigned long failures = 0;
    run.fault = fault;
    run.work = work;
    run.nth = 0;
    do {
        run.nth++;
        int before = count_descriptors();
        CHECK_INT(rill_run(run_work, NULL), 0);
        failures += run.failed > 0;
        if (count_descriptors() != before)
            test_fail(__FILE__, __LINE__, "%s: descriptors stay open", fault_label());
        if (fault.unnoticed && run.failed > 0)
            test_fail(__FILE__, __LINE__, "%s: it is noticed", fault_label());
        if (fault.told && was_reached() && run.failed == 0)
            test_fail(__FILE__, __LINE__, "%s: nobody is told", fault_label());
    } while (was_reached() && run.nth < CALLS_MAX && test_failures() == 0);
    printf("%s: complete, %lu runs failed in words\n", fault_label(), failures);
    CHECK(run.nth > 1); /* the call is made at all */
    CHECK(fault.unnoticed || failures > 0);
}
