/*
 * Waiting for several tasks: rill_wait and rill_as_completed. Both put a watch on each task, which
 * is told when it ends, and take back what is left once they are done.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime_internal.h"

#include <limits.h>
#include <rill/join.h>

/* So many tasks are waited for without asking for memory. */
#define FEW 8

/* A task that waited for itself would wait for ever. */
static int refuse_self(const char *what, const rill_task *tasks, size_t count)
{
    uint64_t self = rill__current()->id;
    for (size_t i = 0; i < count; i++)
        if (tasks[i].id == self)
            return rill__fail(RILL_EDEADLOCK, "%s: a task cannot wait for its own end", what);
    return 0;
}

/* ---- wait ---- */

/* Lies on the stack of the task that waits. */
struct wait {
    rill__task *task; /* NULL while it does not */
    rill__timer timer;
    rill_wait_until until;
    size_t count, ended;
    bool failed;
};

struct wait_watch {
    rill__watch watch;
    struct wait *wait;
};

static bool is_satisfied(const struct wait *wait)
{
    if (wait->ended == wait->count)
        return true;
    return wait->until == RILL_WAIT_FIRST   ? wait->ended > 0
           : wait->until == RILL_WAIT_ERROR ? wait->failed
                                            : false;
}

static void stop_waiting(struct wait *wait)
{
    rill__task *task = wait->task;
    wait->task = NULL;
    if (task)
        rill__wake(task);
}

static void count_end(struct wait *wait, const rill__task *task)
{
    wait->ended++;
    wait->failed |= task && task->result < 0 && task->result != RILL_ECANCELED;
    if (is_satisfied(wait))
        stop_waiting(wait);
}

static void awaited_ended(rill__watch *watch, const rill__task *task)
{
    count_end(rill__container(watch, struct wait_watch, watch)->wait, task);
}

static void time_is_up(rill__timer *timer)
{
    stop_waiting(rill__container(timer, struct wait, timer));
}

static rill__abort abort_wait(void *arg)
{
    struct wait *wait = arg;
    wait->task = NULL; /* a task that ends before this one runs must not wake it again */
    return RILL__ABORTED;
}

static int park_until_satisfied(struct wait *wait, double timeout)
{
    if (is_satisfied(wait))
        return 0;
    if (timeout != 0) {
        wait->timer.deadline = rill__deadline_after(timeout);
        rill__timer_set(&wait->timer);
    }
    wait->task = rill__current();
    int rc = rill__park("tasks", abort_wait, wait);
    rill__timer_cancel(&wait->timer);
    return rc;
}

static int wait_for(struct wait *wait, struct wait_watch *watches, const rill_task *tasks,
                    double timeout)
{
    for (size_t i = 0; i < wait->count; i++) {
        watches[i] = (struct wait_watch){ .watch.ended = awaited_ended, .wait = wait };
        if (!rill__task_watch(tasks[i], &watches[i].watch))
            count_end(wait, rill__task_find(tasks[i]));
    }
    int rc = park_until_satisfied(wait, timeout);
    for (size_t i = 0; i < wait->count; i++)
        rill__task_unwatch(&watches[i].watch);
    return rc < 0 ? rc : wait->ended > INT_MAX ? INT_MAX : (int)wait->ended;
}

int rill_wait_with(const rill_task *tasks, const rill_wait_opts *given)
{
    rill_wait_opts opts;
    rill__opts_read(opts, given);
    RILL__TRY(rill__checkpoint("wait"));
    RILL__TRY(refuse_self("wait", tasks, opts.count));
    struct wait wait = { .until = opts.until,
                         .count = opts.count,
                         .timer = { .deadline = RILL__NEVER, .fire = time_is_up } };
    struct wait_watch few[FEW];
    if (opts.count <= FEW)
        return wait_for(&wait, few, tasks, opts.timeout);
    struct wait_watch *many =
        opts.count > SIZE_MAX / sizeof *many ? NULL : rill__alloc(opts.count * sizeof *many);
    if (!many)
        return rill__fail_nomem();
    int rc = wait_for(&wait, many, tasks, opts.timeout);
    rill__free(many);
    return rc;
}

/* ---- as completed ---- */

struct rill_as_completed {
    rill__list ended; /* watches of tasks that have ended and have not come yet */
    rill__waitq waiters;
    size_t count, left;
    struct item {
        rill__watch watch;
        rill_as_completed *order;
    } items[];
};

static void item_ended(rill__watch *watch, const rill__task *task)
{
    (void)task;
    rill_as_completed *order = rill__container(watch, struct item, watch)->order;
    rill__list_append(&order->ended, &watch->link);
    rill__waitq_wake_one(&order->waiters);
}

rill_as_completed *rill_as_completed_new(const rill_task *tasks, size_t count)
{
    if (rill__need_task("as completed") < 0 || refuse_self("as completed", tasks, count) < 0)
        return NULL;
    rill_as_completed *order = count > (SIZE_MAX - sizeof *order) / sizeof *order->items
                                   ? NULL
                                   : rill__alloc(sizeof *order + count * sizeof *order->items);
    if (!order) {
        rill__fail_nomem();
        return NULL;
    }
    rill__list_init(&order->ended);
    rill__waitq_init(&order->waiters);
    order->count = order->left = count;
    for (size_t i = 0; i < count; i++) {
        order->items[i] = (struct item){ .watch.ended = item_ended, .order = order };
        rill__watch *watch = &order->items[i].watch;
        if (!rill__task_watch(tasks[i], watch))
            rill__list_append(&order->ended, &watch->link);
    }
    return order;
}

void rill_as_completed_free(rill_as_completed *order)
{
    if (!order)
        return;
    for (size_t i = 0; i < order->count; i++)
        rill__task_unwatch(&order->items[i].watch);
    rill__free(order);
}

int rill_as_completed_next(rill_as_completed *order, size_t *ret_index)
{
    RILL__TRY(rill__checkpoint("as completed"));
    if (!order)
        return rill__fail(RILL_EINVAL, "as completed: there is no order");
    rill__list *node;
    while (!(node = rill__list_pop(&order->ended))) {
        if (order->left == 0)
            return 0;
        RILL__TRY(rill__waitq_wait(&order->waiters, "the next task that ends"));
    }
    if (--order->left == 0)
        rill__waitq_wake_all(&order->waiters);
    *ret_index = (size_t)(rill__container(node, struct item, watch.link) - order->items);
    return 1;
}
