/*
 * Waiting by the wall clock.
 *
 * A wait is a timer of the loop like any other, set by what the wall clock shows. That holds until
 * the clock is set, or the machine has slept: the kernel tells of both by a timerfd that never
 * expires but is cancelled then. One such descriptor a loop is enough; when it becomes readable all
 * who wait look at the clock again. It is watched only while somebody waits, so that a loop with
 * nothing else to come is still seen to be one.
 */
#include "schedule/wall.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "io/kernel.h"

#include <math.h>
#include <rill/schedule.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Where the kernel does not tell, the clock is looked at this often. */
#define LOOK_NS (60 * RILL__SECOND)
/* Some 35,000 years: the kernel takes it for never. */
#define FAR_SECONDS ((time_t)1 << 40)

struct wall {
    rill__loop_part part;
    rill__handle handle; /* the timerfd; -1 without one */
    rill__op op;         /* pending while it is watched */
    rill__list waiters;
    bool looks; /* the clock has to be looked at now and then */
};

struct waiter {
    rill__list link;
    rill__timer timer;
    struct rill__task *task;
    struct wall *wall;
};

static const char kind; /* its address */

/* ---- being told ---- */

static void wake_all(struct wall *wall)
{
    for (rill__list *node; (node = rill__list_pop(&wall->waiters));) {
        struct waiter *waiter = rill__container(node, struct waiter, link);
        rill__timer_cancel(&waiter->timer);
        rill__wake(waiter->task);
    }
}

/* Makes it unreadable, until the clock is set again. */
static int arm(int fd)
{
    const struct itimerspec far = { .it_value.tv_sec = FAR_SECONDS };
    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);
}

static void was_set(rill__op *op)
{
    wake_all(rill__container(op, struct wall, op));
}

/* Who has not read the clock yet need not be told of what was before: the descriptor stays readable
 * until somebody wants to know. */
static void watch(struct wall *wall)
{
    rill__driver *driver = rill__loop_driver();
    if (wall->handle.fd < 0 || wall->op.pending)
        return;
    if (rill__submit(driver, &wall->op)) {
        arm(wall->handle.fd);
        wall->looks = rill__submit(driver, &wall->op);
    }
}

static void unwatch(struct wall *wall)
{
    rill__driver *driver = rill__loop_driver();
    if (rill__list_empty(&wall->waiters) && wall->op.pending)
        driver->ops->cancel(driver, &wall->op);
}

static void free_wall(rill__loop_part *part)
{
    struct wall *wall = rill__container(part, struct wall, part);
    rill__driver *driver = rill__loop_driver();
    if (wall->handle.fd >= 0)
        driver->ops->close(driver, &wall->handle);
    rill__free(wall);
}

static bool open_watch(struct wall *wall)
{
    rill__driver *driver = rill__loop_driver();
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return false;
    if (arm(fd) == 0 && driver->ops->adopt(driver, &wall->handle, fd) == 0)
        return true;
    close(fd);
    wall->handle.fd = -1;
    return false;
}

/* This loop's; NULL with the error made. */
static struct wall *get_wall(void)
{
    rill__loop_part *part = rill__loop_part_get(&kind);
    if (part)
        return rill__container(part, struct wall, part);
    struct wall *wall = rill__zalloc(sizeof *wall);
    if (!wall) {
        rill__fail_nomem();
        return NULL;
    }
    wall->handle.fd = -1;
    wall->op = (rill__op){ .kind = RILL__OP_READABLE, .handle = &wall->handle, .done = was_set };
    rill__list_init(&wall->waiters);
    if (rill__loop_driver()->ops->wall == rill__kernel_wall)
        wall->looks = !open_watch(wall);
    rill__loop_part_add(&wall->part, &kind, free_wall);
    return wall;
}

void rill__wall_was_set(void)
{
    rill__loop_part *part = rill__loop_part_get(&kind);
    if (part)
        wake_all(rill__container(part, struct wall, part));
}

/* ---- waiting ---- */

static void time_is_up(rill__timer *timer)
{
    struct waiter *waiter = rill__container(timer, struct waiter, timer);
    rill__list_remove(&waiter->link);
    rill__wake(waiter->task);
}

static rill__abort abort_wait(void *arg)
{
    struct waiter *waiter = arg;
    rill__timer_cancel(&waiter->timer);
    rill__list_remove(&waiter->link);
    unwatch(waiter->wall);
    return RILL__ABORTED;
}

int rill__wall_wait(uint64_t when, const char *what)
{
    struct wall *wall = get_wall();
    if (!wall)
        return RILL_ENOMEM;
    watch(wall);
    uint64_t now = rill__wall_now();
    uint64_t span = when == RILL__NEVER ? when : when > now ? when - now : 0;
    if (wall->looks && span > LOOK_NS)
        span = LOOK_NS;
    rill__driver *driver = rill__loop_driver();
    struct waiter waiter = {
        .timer = { .deadline = rill__after(driver->ops->now(driver), span), .fire = time_is_up },
        .task = rill__current(),
        .wall = wall,
    };
    rill__list_append(&wall->waiters, &waiter.link);
    rill__timer_set(&waiter.timer);
    rill__waits_for(RILL__SUBJECT_TIMER, &waiter.timer);
    RILL__TRY(rill__park(what, abort_wait, &waiter));
    unwatch(wall);
    return 0;
}

/* A moment in ns since 1970, rounded up; the seconds and their fraction by themselves, for which a
 * double is exact enough. */
static uint64_t moment_ns(double when)
{
    if (when <= 0)
        return 0;
    if (!(when < 18e9))
        return RILL__NEVER;
    double whole = floor(when);
    return (uint64_t)whole * RILL__SECOND + (uint64_t)ceil((when - whole) * 1e9);
}

int rill_sleep_until(double when)
{
    RILL__TRY(rill__need_task("sleep"));
    uint64_t moment = moment_ns(when);
    if (moment == RILL__NEVER)
        return rill_sleep(RILL_FOREVER);
    if (rill__wall_now() >= moment)
        return rill__yield("sleep");
    do
        RILL__TRY(rill__wall_wait(moment, "sleep until"));
    while (rill__wall_now() < moment);
    return 0;
}

double rill_unix_time(void)
{
    uint64_t now = rill__wall_now(), seconds = now / RILL__SECOND;
    return (double)seconds + (double)(now % RILL__SECOND) / 1e9;
}
