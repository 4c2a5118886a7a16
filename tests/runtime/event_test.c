/* Events: set wakes all, set and clear wake who waits now, cancelling leaves the queue. */
#include "harness.h"

#include <rill/rill.h>

struct waiting {
    rill_event *event;
    int woken;
};

static int wait_once(void *arg)
{
    struct waiting *waiting = arg;
    int rc = rill_event_wait(waiting->event);
    waiting->woken += rc == 0;
    return rc;
}

static int waiters(void *arg)
{
    (void)arg;
    rill_event event;
    rill_event_init(&event);
    struct waiting a = { .event = &event }, b = { .event = &event };
    rill_task first = rill_spawn(wait_once, &a), second = rill_spawn(wait_once, &b);
    rill_sleep(0);
    rill_cancel(second);
    CHECK_INT(rill_join(second), RILL_ECANCELED);
    CHECK_INT(a.woken, 0);
    rill_event_set(&event);
    rill_event_clear(&event);
    CHECK_INT(rill_join(first), 0);
    CHECK_INT(a.woken, 1);
    CHECK(!rill_event_is_set(&event));
    CHECK_INT(rill_within(0.01, wait_once, &b), RILL_ETIMEDOUT);
    rill_event_set(&event);
    CHECK_INT(wait_once(&b), 0);
    CHECK_INT(b.woken, 1);
    return 0;
}

TEST(event_wakes_who_waits)
{
    CHECK_INT(rill_run(waiters, NULL), 0);
}

static int woken_then_cancelled(void *arg)
{
    (void)arg;
    rill_event event;
    rill_event_init(&event);
    struct waiting a = { .event = &event };
    rill_task task = rill_spawn(wait_once, &a);
    rill_sleep(0);
    rill_event_set(&event);
    rill_cancel(task);
    CHECK_INT(rill_join(task), 0); /* the result wins */
    CHECK_INT(a.woken, 1);
    return 0;
}

TEST(event_that_came_before_the_cancellation_is_delivered)
{
    CHECK_INT(rill_run(woken_then_cancelled, NULL), 0);
}

TEST(event_wait_outside_a_task_is_refused)
{
    rill_event event;
    rill_event_init(&event);
    CHECK_INT(rill_event_wait(&event), RILL_ENOTASK);
}
