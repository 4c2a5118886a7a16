/* I/O that waits: an op on the task's own stack, submitted, and the task parked until it is done.
 */
#include "runtime/runtime_internal.h"

#include "base/fail.h"

#include <errno.h>

/* So many calls that need not wait, before other tasks have their turn. */
#define INSTANT_OPS_MAX 64

struct waiting_op {
    rill__op op;
    struct rill__task *task;
};

static void op_done(rill__op *op)
{
    rill__wake(((struct waiting_op *)op)->task);
}

static rill__abort abort_op(void *arg)
{
    rill__op *op = arg;
    rill__driver *driver = rill__loop_driver();
    return driver->ops->cancel(driver, op) ? RILL__ABORTED : RILL__ABORT_PENDING;
}

void rill__share_thread(void)
{
    rill__task *task = rill__this_loop->current;
    if (++task->instant_ops < INSTANT_OPS_MAX)
        return;
    task->instant_ops = 0;
    rill__task_make_ready(task);
    rill__task_switch_away(task->loop, false);
}

/* Submits and waits. Nothing is begun inside a cancelled scope. */
static int64_t wait_op(struct waiting_op *wait, const char *what)
{
    RILL__TRY(rill__checkpoint(what));
    rill__this_loop->counts.io++;
    wait->op.done = op_done;
    wait->task = rill__current();
    if (rill__submit(rill__loop_driver(), &wait->op)) {
        rill__share_thread();
        return wait->op.result;
    }
    wait->task->instant_ops = 0;
    rill__waits_for(RILL__SUBJECT_HANDLE, wait->op.handle);
    RILL__TRY(rill__park(what, abort_op, &wait->op));
    return wait->op.result;
}

static int os_failure(int rc, const char *what)
{
    if (rc >= 0)
        return 0;
    return rill__fail_errno(rc == -ENOMEM ? RILL_ENOMEM : RILL_EOS, -rc, "%s", what);
}

int rill__io_open(rill__handle *handle, int family, int type)
{
    rill__driver *driver = rill__loop_driver();
    return os_failure(driver->ops->open(driver, handle, family, type), "socket");
}

int rill__io_adopt(rill__handle *handle, int fd)
{
    rill__driver *driver = rill__loop_driver();
    return os_failure(driver->ops->adopt(driver, handle, fd), "adopt a descriptor");
}

void rill__io_close(rill__handle *handle)
{
    rill__driver *driver = rill__loop_driver();
    driver->ops->close(driver, handle);
}

int64_t rill__io_recv(rill__handle *handle, void *buf, size_t len)
{
    struct waiting_op wait = {
        .op = { .kind = RILL__OP_RECV, .handle = handle, .recv = { .ptr = buf, .len = len } },
    };
    return wait_op(&wait, "recv");
}

/* Drops what has been sent from the front of the vector. */
static void advance(struct iovec **iov, int *count, size_t sent)
{
    while (*count > 0 && sent >= (*iov)->iov_len) {
        sent -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (*count > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + sent;
        (*iov)->iov_len -= sent;
    }
}

int64_t rill__io_send_all(rill__handle *handle, struct iovec *iov, int count, size_t *ret_sent)
{
    int64_t total = 0, rc = 0;
    advance(&iov, &count, 0);
    while (count > 0) {
        struct waiting_op wait = {
            .op = { .kind = RILL__OP_SEND, .handle = handle, .send = { iov, count } },
        };
        rc = wait_op(&wait, "send");
        if (rc < 0)
            break;
        total += rc;
        advance(&iov, &count, (size_t)rc);
    }
    if (ret_sent)
        *ret_sent = (size_t)total;
    return rc < 0 ? rc : total;
}

int64_t rill__io_accept(rill__handle *handle, struct sockaddr_storage *ret_address,
                        socklen_t *ret_len)
{
    struct waiting_op wait = {
        .op = { .kind = RILL__OP_ACCEPT, .handle = handle, .accept = { ret_address, ret_len } },
    };
    return wait_op(&wait, "accept");
}

int64_t rill__io_connect(rill__handle *handle, const struct sockaddr *address, socklen_t len)
{
    struct waiting_op wait = {
        .op = { .kind = RILL__OP_CONNECT, .handle = handle, .connect = { address, len } },
    };
    return wait_op(&wait, "connect");
}

int64_t rill__io_recvfrom(rill__handle *handle, void *buf, size_t len,
                          struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
    struct waiting_op wait = {
        .op = { .kind = RILL__OP_RECVFROM,
                .handle = handle,
                .recvfrom = { buf, len, ret_address, ret_len } },
    };
    return wait_op(&wait, "recv");
}

int64_t rill__io_sendto(rill__handle *handle, const void *bytes, size_t len,
                        const struct sockaddr *address, socklen_t address_len)
{
    struct waiting_op wait = {
        .op = { .kind = RILL__OP_SENDTO,
                .handle = handle,
                .sendto = { bytes, len, address, address_len } },
    };
    return wait_op(&wait, "send");
}
