/*
 * Loops that another loop turns: one descriptor tells when, one function does it.
 *
 * Between turns the loop counts as asleep. What may end that makes the driver's descriptor
 * readable: I/O by itself, mail by the driver's wake, and timers by a timerfd among the driver's
 * descriptors, set to the next deadline at the end of every turn. Nobody reads from it: setting it
 * anew makes it unreadable again.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "runtime/runtime_internal.h"

#include <errno.h>
#include <rill/log.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int add_timer(rill__loop *loop)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return rill__fail_errno(RILL_EOS, errno, "loop_new: timerfd");
    int rc = loop->driver->ops->adopt(loop->driver, &loop->host_timer, fd);
    if (rc == 0)
        return 0;
    close(fd);
    return rill__fail_errno(RILL_EOS, -rc, "loop_new: timerfd");
}

rill_loop *rill_loop_new(void)
{
    if (rill__this_loop) {
        rill__fail(RILL_EINVAL, "loop_new: this thread has a loop already");
        return NULL;
    }
    rill__driver *driver = rill__epoll_new();
    if (!driver) {
        rill__fail_errno(RILL_EOS, errno, "loop_new: epoll");
        return NULL;
    }
    rill__loop *loop = rill__loop_new(driver);
    if (!loop)
        return NULL;
    if (add_timer(loop) < 0) {
        rill__loop_free(loop);
        return NULL;
    }
    loop->hosted = true;
    atomic_store(&loop->mailbox->asleep, true);
    atomic_store(&loop->polling, true);
    rill__loop_enter(loop);
    rill__overflow_guard_enter();
    return loop->mailbox;
}

int rill_loop_fd(const rill_loop *loop)
{
    rill__driver *driver = loop->loop->driver;
    return driver->ops->fd(driver);
}

static int check(const rill_loop *loop, const char *what)
{
    if (!rill__this_loop || rill__this_loop->mailbox != loop || !rill__this_loop->hosted)
        return rill__fail(RILL_EINVAL, "%s: not a loop that loop_new has made on this thread",
                          what);
    if (rill__this_loop->turning)
        return rill__fail(RILL_EINVAL, "%s: called from inside the loop", what);
    return 0;
}

/* Makes the descriptor readable when the next timer is due. */
static void set_timer(const rill__loop *loop, uint64_t deadline)
{
    struct itimerspec spec = { 0 };
    if (deadline != RILL__NEVER) {
        deadline = deadline ? deadline : 1; /* 0 would switch it off */
        spec.it_value.tv_sec = (time_t)(deadline / RILL__SECOND);
        spec.it_value.tv_nsec = (long)(deadline % RILL__SECOND);
    }
    timerfd_settime(loop->host_timer.fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

int rill_loop_run_once(rill_loop *mailbox, double timeout)
{
    RILL__TRY(check(mailbox, "loop_run_once"));
    rill__loop *loop = mailbox->loop;
    uint64_t limit = timeout == RILL_FOREVER ? RILL__NEVER : rill__seconds_ns(timeout);
    loop->turning = true;
    loop->now = 0; /* it is not that of the last turn */
    rill__mail_collect(loop);
    rill__loop_turn(loop, limit);
    bool more = rill__loop_run_rest(loop);
    loop->turning = false;
    atomic_store(&loop->polling, true); /* as others see it */
    set_timer(loop, rill__wheel_next(&loop->wheel));
    if (more || !rill__mail_sleep(loop))
        loop->driver->ops->wake(loop->driver);
    return loop->task_count > 0 || rill__mail_waits(loop);
}

void rill_loop_free(rill_loop *mailbox)
{
    if (!mailbox)
        return;
    if (check(mailbox, "loop_free") < 0) {
        rill_log(RILL_LOG_ERROR, "loop", "%s", rill_last_error()->message);
        return;
    }
    rill__loop *loop = mailbox->loop;
    loop->turning = true;
    rill__loop_finish(loop);
    rill__overflow_guard_leave();
    loop->driver->ops->close(loop->driver, &loop->host_timer);
    rill__loop_free(loop);
}
