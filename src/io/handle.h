/*
 * What drivers have in common: the two places of a handle in which an operation waits, and the end
 * of what waits there when the handle is closed.
 */
#ifndef RILL_SRC_IO_HANDLE_H
#define RILL_SRC_IO_HANDLE_H

#include "io/driver.h"

#include <errno.h>

static inline bool rill__op_is_write(const rill__op *op)
{
    return op->kind == RILL__OP_SEND || op->kind == RILL__OP_CONNECT ||
           op->kind == RILL__OP_WRITABLE || op->kind == RILL__OP_SENDTO;
}

/* Begins a submit. Returns false when the op cannot even be tried: its result says why. */
static inline bool rill__op_begin(rill__op *op)
{
    const rill__handle *handle = op->handle;
    op->pending = false;
    op->result = handle->fd < 0 ? -EBADF : -EBUSY;
    return handle->fd >= 0 && !(rill__op_is_write(op) ? handle->writer : handle->reader);
}

static inline void rill__op_place(rill__driver *driver, rill__op *op)
{
    *(rill__op_is_write(op) ? &op->handle->writer : &op->handle->reader) = op;
    op->pending = true;
    driver->pending++;
}

static inline void rill__op_unplace(rill__driver *driver, rill__op *op)
{
    *(rill__op_is_write(op) ? &op->handle->writer : &op->handle->reader) = NULL;
    op->pending = false;
    driver->pending--;
}

/* Takes a pending op back, also one of a handle that is being closed. */
void rill__op_take_back(rill__driver *driver, rill__op *op);

/* Ends the ops of a handle that has just been closed. */
void rill__handle_end_ops(rill__driver *driver, rill__handle *handle);

#endif
