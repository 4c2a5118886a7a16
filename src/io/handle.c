/*
 * The end of a handle's operations. While its reader's `done` runs, the writer is on a list of its
 * own: that function may take it back, and free the handle.
 */
#include "io/handle.h"

struct rill__closing {
    struct rill__closing *outer;
    rill__op *writer;
};

void rill__op_take_back(rill__driver *driver, rill__op *op)
{
    if (op->pending)
        rill__op_unplace(driver, op);
    for (struct rill__closing *at = driver->closing; at; at = at->outer)
        if (at->writer == op)
            at->writer = NULL;
}

static void end_op(rill__driver *driver, rill__op *op)
{
    if (!op)
        return;
    rill__op_unplace(driver, op);
    op->result = -ECANCELED;
    op->done(op);
}

void rill__handle_end_ops(rill__driver *driver, rill__handle *handle)
{
    struct rill__closing closing = { .outer = driver->closing, .writer = handle->writer };
    driver->closing = &closing;
    end_op(driver, handle->reader);
    driver->closing = closing.outer;
    end_op(driver, closing.writer);
}
