/*
 * A pipeline of queues, channels and selects, cancelled at each place where it may have to wait,
 * and with each of its allocations failing. Its values are memory: none may be lost, none freed
 * twice.
 */
#include "base/alloc.h"
#include "base/fail.h"
#include "in_task.h"
#include "runtime/runtime.h"

#include <rill/rill.h>
#include <stdlib.h>

#define ITEMS 6

static int live; /* items made and not freed */

struct item {
    int priority;
};

static struct item *new_item(int priority)
{
    struct item *item = malloc(sizeof *item);
    item->priority = priority;
    live++;
    return item;
}

static void free_item(struct item *item)
{
    free(item);
    live--;
}

static void drop_item(void *element)
{
    free_item(*(struct item **)element);
}

static int by_priority(const void *a, const void *b)
{
    const struct item *const *x = a, *const *y = b;
    return (*x)->priority - (*y)->priority;
}

/* ---- the stages ---- */

/* Every other item by a plain send, the rest by a select with a case that never happens. */
static int produce(void *arg)
{
    rill_auto(rill_sender) sender = arg;
    for (int i = 0; i < ITEMS; i++) {
        struct item *item = new_item(ITEMS - i);
        rill_case cases[] = { rill_case_after(60), rill_case_send(sender, &item) };
        int rc = i % 2 ? rill_channel_send(sender, &item) : rill_select(cases, 2);
        if (i % 2 == 0 && rc == 1)
            rc = cases[1].result;
        if (rc < 0) {
            free_item(item);
            return rc;
        }
    }
    return 0;
}

struct relay {
    rill_receiver *from;
    rill_queue *to;
    rill_event *stop;
};

static int relay_one(const struct relay *relay, rill_receiver *from)
{
    struct item *item = NULL;
    rill_case cases[] = { rill_case_recv(from, &item), rill_case_event(relay->stop),
                          rill_case_after(60) };
    int which = rill_select(cases, 3);
    RILL__TRY(which);
    RILL__TRY(cases[which].result);
    if (which != 0)
        return rill_fail(RILL_EFAILED, "case %d cannot have happened", which);
    int rc = rill_queue_put(relay->to, &item);
    if (rc < 0)
        free_item(item);
    return rc;
}

static int run_relay(void *arg)
{
    const struct relay *relay = arg;
    rill_auto(rill_receiver) from = relay->from;
    int rc = 0;
    while (rc == 0)
        rc = relay_one(relay, from);
    rill_queue_shutdown(relay->to, false);
    return rc == RILL_ECLOSED ? 0 : rc;
}

static int consume(void *arg)
{
    rill_queue *queue = arg;
    struct item *item;
    while ((item = rill_queue_get_ptr(queue))) {
        free_item(item);
        rill_queue_done(queue);
    }
    int rc = rill_errcode();
    rill_queue_shutdown(queue, true); /* so that nobody waits for it in vain */
    return rc == RILL_ECLOSED ? 0 : rc;
}

/* ---- the whole ---- */

static int start(rill_task_fn *fn, void *arg, rill_group *group)
{
    return rill_spawn(fn, arg, .group = group).id ? 0 : rill_errcode();
}

/* What a task would have freed is freed here when it could not be started. */
static int run_stages(rill_channel channel, rill_queue *queue, rill_event *stop)
{
    struct relay relay = { channel.receiver, queue, stop };
    rill_group group;
    int rc = rill_group_begin(&group), started = rc;
    if (rc == 0)
        rc = start(consume, queue, &group);
    for (int i = 0; i < 2 && rc == 0; i++) {
        rc = start(produce, rill_sender_clone(channel.sender), &group);
        if (rc < 0)
            rill_sender_free(channel.sender);
    }
    rill_sender_free(channel.sender);
    int relayed = rc < 0 ? rc : start(run_relay, &relay, &group);
    if (relayed < 0)
        rill_receiver_free(channel.receiver);
    return started < 0 ? rc : rill_group_end(&group, relayed);
}

static int pipeline(int64_t channel_capacity, int64_t queue_capacity)
{
    rill_event stop;
    rill_event_init(&stop);
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(void *), .capacity = queue_capacity,
                                                 .compare = by_priority, .drop = drop_item);
    RILL__TRY(queue ? 0 : rill_errcode());
    rill_channel channel =
        rill_channel_new(sizeof(void *), .capacity = channel_capacity, .drop = drop_item);
    RILL__TRY(channel.sender ? 0 : rill_errcode());
    RILL__TRY(run_stages(channel, queue, &stop));
    return rill_queue_join(queue);
}

static int scenario(void *arg)
{
    (void)arg;
    RILL__TRY(pipeline(0, 1));
    RILL__TRY(pipeline(2, RILL_UNLIMITED));
    return pipeline(RILL_UNLIMITED, 2);
}

/* ---- the sweeps ---- */

struct sweeping {
    unsigned long cancel_at, points;
    int result;
};

static int run_scenario(void *arg)
{
    struct sweeping *sweeping = arg;
    rill__loop_sweep()->points = 0;
    rill__loop_sweep()->cancel_at = sweeping->cancel_at;
    sweeping->result = scenario(NULL);
    sweeping->points = rill__loop_sweep()->points;
    rill__loop_sweep()->cancel_at = 0;
    return 0;
}

TEST_WITHIN(cancelling_at_every_point_loses_no_value, 100)
{
    struct sweeping whole = { 0 };
    CHECK_INT(rill_run(run_scenario, &whole), 0);
    CHECK_INT(whole.result, 0);
    CHECK_INT(live, 0);
    CHECK(whole.points > 60);
    hear_the_log();
    for (unsigned long at = 1; at <= whole.points + 5 && test_failures() == 0; at++) {
        struct sweeping sweeping = { .cancel_at = at };
        CHECK_INT(rill_run(run_scenario, &sweeping), 0);
        CHECK_INT(live, 0);
    }
}

TEST_WITHIN(failing_every_allocation_loses_no_value, 100)
{
    hear_the_log();
    struct sweeping sweeping = { 0 };
    rill_run(run_scenario, &sweeping);
    unsigned long at = 0, count;
    do {
        rill__alloc_count = 0;
        rill__alloc_fail_at = ++at;
        sweeping.result = RILL_ENOMEM;
        rill_run(run_scenario, &sweeping);
        rill__alloc_fail_at = 0;
        count = rill__alloc_count;
        CHECK_INT(live, 0);
    } while (at <= count && at < 1000 && test_failures() == 0);
    CHECK_INT(sweeping.result, 0);
    CHECK(at > 10);
}
