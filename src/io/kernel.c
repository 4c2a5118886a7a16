/* The kernel's sockets: where they are bound, what they are set to, how they end. */
#include "io/kernel.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- binding ---- */

/* Whether somebody answers at the path; if not, its file is a leftover. */
static bool is_live(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    bool refused = connect(fd, address, len) < 0 && errno == ECONNREFUSED;
    close(fd);
    return !refused;
}

static int bind_unix(int fd, const struct sockaddr *address, socklen_t len, rill__bound *ret_bound)
{
    const char *path = ((const struct sockaddr_un *)(const void *)address)->sun_path;
    struct stat status;
    if (bind(fd, address, len) < 0) {
        if (errno != EADDRINUSE)
            return -errno;
        if (lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode) || is_live(address, len))
            return -EADDRINUSE;
        unlink(path);
        if (bind(fd, address, len) < 0)
            return -errno;
    }
    if (ret_bound && lstat(path, &status) == 0) {
        snprintf(ret_bound->path, sizeof ret_bound->path, "%s", path);
        ret_bound->device = status.st_dev;
        ret_bound->inode = status.st_ino;
    }
    return 0;
}

int rill__kernel_bind(rill__driver *driver, rill__handle *handle, const struct sockaddr *address,
                      socklen_t len, rill__bound *ret_bound)
{
    (void)driver;
    if (address->sa_family == AF_UNIX)
        return bind_unix(handle->fd, address, len, ret_bound);
    return bind(handle->fd, address, len) < 0 ? -errno : 0;
}

void rill__kernel_unbind(rill__driver *driver, const rill__bound *bound)
{
    (void)driver;
    struct stat status;
    /* Another listener may have taken the place meanwhile. */
    if (bound->path[0] && lstat(bound->path, &status) == 0 && status.st_dev == bound->device &&
        status.st_ino == bound->inode)
        unlink(bound->path);
}

int rill__kernel_listen(rill__driver *driver, rill__handle *handle, int backlog)
{
    (void)driver;
    return listen(handle->fd, backlog) < 0 ? -errno : 0;
}

int rill__kernel_local(rill__driver *driver, rill__handle *handle,
                       struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
    (void)driver;
    *ret_address = (struct sockaddr_storage){ 0 };
    *ret_len = sizeof *ret_address;
    return getsockname(handle->fd, (struct sockaddr *)ret_address, ret_len) < 0 ? -errno : 0;
}

/* ---- options ---- */

static int reset_on_close(int fd)
{
    struct linger reset = { .l_onoff = 1 };
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) < 0 ? -errno : 0;
}

int rill__kernel_option(rill__driver *driver, rill__handle *handle, rill__option option, int value)
{
    static const struct {
        int level, name;
    } table[] = {
        [RILL__OPTION_REUSE_ADDRESS] = { SOL_SOCKET, SO_REUSEADDR },
        [RILL__OPTION_REUSE_PORT] = { SOL_SOCKET, SO_REUSEPORT },
        [RILL__OPTION_BROADCAST] = { SOL_SOCKET, SO_BROADCAST },
        [RILL__OPTION_NODELAY] = { IPPROTO_TCP, TCP_NODELAY },
        [RILL__OPTION_V6_ONLY] = { IPPROTO_IPV6, IPV6_V6ONLY },
        [RILL__OPTION_KEEPALIVE] = { SOL_SOCKET, SO_KEEPALIVE },
        [RILL__OPTION_KEEPALIVE_IDLE] = { IPPROTO_TCP, TCP_KEEPIDLE },
        [RILL__OPTION_KEEPALIVE_INTERVAL] = { IPPROTO_TCP, TCP_KEEPINTVL },
        [RILL__OPTION_KEEPALIVE_COUNT] = { IPPROTO_TCP, TCP_KEEPCNT },
    };
    (void)driver;
    if (option == RILL__OPTION_RESET_ON_CLOSE)
        return reset_on_close(handle->fd);
    return setsockopt(handle->fd, table[option].level, table[option].name, &value, sizeof value) < 0
               ? -errno
               : 0;
}

/* ---- the end ---- */

int rill__kernel_shutdown(rill__driver *driver, rill__handle *handle)
{
    (void)driver;
    return shutdown(handle->fd, SHUT_WR) < 0 ? -errno : 0;
}

void rill__kernel_discard(rill__driver *driver, int fd)
{
    (void)driver;
    close(fd);
}

/* ---- what else the outside world gives ---- */

uint64_t rill__kernel_wall(rill__driver *driver)
{
    (void)driver;
    return rill__clock_ns(CLOCK_REALTIME);
}

/* A seed is of use even when it is bad. */
void rill__kernel_random(rill__driver *driver, void *bytes, size_t len)
{
    (void)driver;
    if (getrandom(bytes, len, GRND_NONBLOCK) == (ssize_t)len)
        return;
    uint64_t now = rill__clock_ns(CLOCK_MONOTONIC) ^ (uint64_t)getpid() << 40;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)(now >> (i * 11 % 57));
}
