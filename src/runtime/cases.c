/* The cases of a select that have no module of their own: time, tasks and descriptors. */
#include "base/clock.h"
#include "base/fail.h"
#include "runtime/runtime_internal.h"
#include "runtime/source.h"

#include <errno.h>
#include <fcntl.h>

/* ---- time ---- */

static void time_is_up(rill__timer *timer)
{
    rill__case_state *state = rill__container(timer, rill__case_state, timer);
    rill__waiter_finish(&state->waiter, 0);
}

static int attempt_after(rill_case *self)
{
    double seconds = self->number.seconds;
    return seconds <= 0 && seconds != RILL_FOREVER ? 0 : RILL_EAGAIN;
}

static void enter_after(rill_case *self)
{
    rill__timer *timer = &rill__case_state_of(self)->timer;
    rill__driver *driver = rill__loop_driver();
    double seconds = self->number.seconds;
    uint64_t span = seconds == RILL_FOREVER ? RILL__NEVER : rill__seconds_ns(seconds);
    *timer = (rill__timer){
        .deadline = rill__after(driver->ops->now(driver), span),
        .fire = time_is_up,
    };
    rill__timer_set(timer);
}

static void leave_after(rill_case *self)
{
    rill__timer_cancel(&rill__case_state_of(self)->timer);
}

rill_case rill_case_after(double seconds)
{
    static const rill__source source = {
        .attempt = attempt_after,
        .enter = enter_after,
        .leave = leave_after,
    };
    rill_case self = rill__case(&source, NULL, NULL);
    self.number.seconds = seconds;
    return self;
}

/* ---- tasks ---- */

static void task_ended(rill__watch *watch, const struct rill__task *task)
{
    rill__case_state *state = rill__container(watch, rill__case_state, watch);
    (void)task;
    rill__waiter_finish(&state->waiter, 0);
}

static int attempt_task(rill_case *self)
{
    const rill__task *task = rill__task_find((rill_task){ self->number.id });
    if (!task)
        return RILL_ESTALE;
    if (task == rill__current())
        return RILL_EDEADLOCK;
    return task->state == RILL__DONE ? 0 : RILL_EAGAIN;
}

static void enter_task(rill_case *self)
{
    rill__watch *watch = &rill__case_state_of(self)->watch;
    *watch = (rill__watch){ .ended = task_ended };
    rill__task_watch((rill_task){ self->number.id }, watch);
}

static void leave_task(rill_case *self)
{
    rill__task_unwatch(&rill__case_state_of(self)->watch);
}

static int fail_task(const rill_case *self, int result)
{
    (void)self;
    if (result == RILL_EDEADLOCK)
        return rill__fail(result, "select: a task cannot wait for its own end");
    return rill__fail(result, "select: the task was joined or detached already, or never was");
}

rill_case rill_case_task(rill_task task)
{
    static const rill__source source = {
        .attempt = attempt_task,
        .enter = enter_task,
        .leave = leave_task,
        .fail = fail_task,
    };
    rill_case self = rill__case(&source, NULL, NULL);
    self.number.id = task.id;
    return self;
}

/* ---- descriptors ---- */

/* Results are -errno here, until the select's task makes the error. */

static void is_ready(rill__op *op)
{
    rill__case_state *state = rill__container(op, rill__case_state, io.op);
    rill__waiter_finish(&state->waiter, (int)op->result);
}

/* A descriptor that is registered already, for another select or a stream, is so under another
 * number as well. */
static int adopt(rill__handle *handle, int fd)
{
    rill__driver *driver = rill__loop_driver();
    int rc = driver->ops->adopt(driver, handle, fd);
    if (rc == 0)
        handle->foreign = true;
    if (rc != -EEXIST)
        return rc;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return -errno;
    rc = driver->ops->adopt(driver, handle, copy);
    if (rc < 0)
        driver->ops->discard(driver, copy);
    return rc;
}

static void leave_descriptor(rill_case *self)
{
    rill__case_state *state = rill__case_state_of(self);
    rill__driver *driver = rill__loop_driver();
    driver->ops->cancel(driver, &state->io.op);
    driver->ops->close(driver, &state->io.handle);
}

static int attempt_descriptor(rill_case *self, rill__op_kind kind)
{
    rill__case_state *state = rill__case_state_of(self);
    rill__handle *handle = &state->io.handle;
    int rc = adopt(handle, self->number.fd);
    if (rc == -EPERM) /* a file */
        return 0;
    if (rc < 0)
        return rc;
    state->io.op = (rill__op){ .kind = kind, .handle = handle, .done = is_ready };
    if (!rill__submit(rill__loop_driver(), &state->io.op))
        return RILL_EAGAIN;
    leave_descriptor(self);
    return (int)state->io.op.result;
}

static int attempt_readable(rill_case *self)
{
    return attempt_descriptor(self, RILL__OP_READABLE);
}

static int attempt_writable(rill_case *self)
{
    return attempt_descriptor(self, RILL__OP_WRITABLE);
}

static int fail_descriptor(const rill_case *self, int result)
{
    return rill__fail_errno(result == -ENOMEM ? RILL_ENOMEM : RILL_EOS, -result,
                            "select: wait for descriptor %d", self->number.fd);
}

rill_case rill_case_readable(int fd)
{
    static const rill__source source = {
        .attempt = attempt_readable,
        .leave = leave_descriptor,
        .fail = fail_descriptor,
    };
    rill_case self = rill__case(&source, NULL, NULL);
    self.number.fd = fd;
    return self;
}

rill_case rill_case_writable(int fd)
{
    static const rill__source source = {
        .attempt = attempt_writable,
        .leave = leave_descriptor,
        .fail = fail_descriptor,
    };
    rill_case self = rill__case(&source, NULL, NULL);
    self.number.fd = fd;
    return self;
}
