/*
 * The kernel's sockets but for moving bytes: what every driver on top of them has in common. The
 * functions are operations of a driver; see driver.h.
 */
#ifndef RILL_SRC_IO_KERNEL_H
#define RILL_SRC_IO_KERNEL_H

#include "io/driver.h"

int rill__kernel_bind(rill__driver *driver, rill__handle *handle, const struct sockaddr *address,
                      socklen_t len, rill__bound *ret_bound);
void rill__kernel_unbind(rill__driver *driver, const rill__bound *bound);
int rill__kernel_listen(rill__driver *driver, rill__handle *handle, int backlog);
int rill__kernel_local(rill__driver *driver, rill__handle *handle,
                       struct sockaddr_storage *ret_address, socklen_t *ret_len);
int rill__kernel_option(rill__driver *driver, rill__handle *handle, rill__option option, int value);
int rill__kernel_shutdown(rill__driver *driver, rill__handle *handle);
void rill__kernel_discard(rill__driver *driver, int fd);
uint64_t rill__kernel_wall(rill__driver *driver);
void rill__kernel_random(rill__driver *driver, void *bytes, size_t len);

#endif
