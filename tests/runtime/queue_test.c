/*
 * Queues: the three orders, bounds, hand over in the order of waiting, done and join, shutting down
 * both ways, cancelling at each state, and memory that is short.
 */
#include "base/alloc.h"
#include "in_task.h"

#include <rill/rill.h>
#include <stdlib.h>

/* ---- tasks that put and get ---- */

struct worker {
    rill_queue *queue;
    int value;
};

static int put_it(void *arg)
{
    struct worker *worker = arg;
    return rill_queue_put(worker->queue, &worker->value);
}

static int get_it(void *arg)
{
    struct worker *worker = arg;
    return rill_queue_get(worker->queue, &worker->value);
}

static int join_it(void *arg)
{
    return rill_queue_join(arg);
}

static void put(rill_queue *queue, int value)
{
    CHECK_INT(rill_queue_put(queue, &value), 0);
}

static int get(rill_queue *queue)
{
    int value = -1;
    CHECK_INT(rill_queue_get(queue, &value), 0);
    return value;
}

/* ---- the orders ---- */

TASK_TEST(fifo_gives_the_oldest_and_survives_growing_while_it_wraps)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int));
    int in = 0, out = 0;
    CHECK(rill_queue_is_empty(queue));
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 1 + round % 7; i++)
            put(queue, in++);
        for (int i = 0; i < 1 + round % 5; i++)
            if (!rill_queue_is_empty(queue))
                CHECK_INT(get(queue), out++);
        CHECK_INT(rill_queue_count(queue), in - out);
        CHECK(!rill_queue_is_full(queue));
    }
    CHECK(in - out > 100);
    while (out < in)
        CHECK_INT(get(queue), out++);
    CHECK(rill_queue_is_empty(queue));
}

TASK_TEST(lifo_gives_the_newest)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .lifo = true, .capacity = 3);
    put(queue, 1);
    put(queue, 2);
    CHECK_INT(get(queue), 2);
    put(queue, 3);
    put(queue, 4);
    CHECK(rill_queue_is_full(queue));
    CHECK_INT(get(queue), 4);
    CHECK_INT(get(queue), 3);
    CHECK_INT(get(queue), 1);
}

struct job {
    char padding[3]; /* a size that no alignment rounds for us */
    unsigned char priority;
    unsigned char number[2];
};

static int by_priority(const void *a, const void *b)
{
    return ((const struct job *)a)->priority - ((const struct job *)b)->priority;
}

static void put_job(rill_queue *queue, int priority, int number)
{
    struct job job = { "ok",
                       (unsigned char)priority,
                       { (unsigned char)(number >> 8), (unsigned char)number } };
    CHECK_INT(rill_queue_put(queue, &job), 0);
}

/* Takes all jobs, and checks that priorities rise, and numbers among equal priorities. */
static void check_order(rill_queue *queue)
{
    int priority = -1, number = -1;
    while (!rill_queue_is_empty(queue)) {
        struct job job;
        CHECK_INT(rill_queue_get(queue, &job), 0);
        int its_number = job.number[0] << 8 | job.number[1];
        CHECK(job.priority > priority || (job.priority == priority && its_number > number));
        CHECK_STR(job.padding, "ok");
        priority = job.priority;
        number = its_number;
    }
}

TASK_TEST(priority_gives_the_least_and_of_equal_ones_the_oldest)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(struct job), .compare = by_priority);
    srand(1);
    for (int count = 0; count < 40; count++) {
        for (int i = 0; i < count; i++)
            put_job(queue, rand() % 5, i);
        check_order(queue);
    }
    for (int i = 0; i < 500; i++)
        put_job(queue, i % 3, i);
    check_order(queue);
}

static int by_weight(const void *a, const void *b)
{
    const long double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

TASK_TEST(a_priority_queue_keeps_the_alignment_of_its_elements)
{
    rill_auto(rill_queue) queue =
        rill_queue_new(sizeof(long double), .compare = by_weight, .capacity = 9);
    for (int i = 0; i < 9; i++) {
        long double weight = (i * 5) % 9;
        CHECK_INT(rill_queue_put(queue, &weight), 0);
    }
    for (int i = 0; i < 9; i++) {
        long double weight = -1;
        CHECK_INT(rill_queue_get(queue, &weight), 0);
        CHECK_INT(weight, i);
    }
}

static int put_urgent(void *arg)
{
    put_job(arg, 0, 3);
    return 0;
}

TASK_TEST(a_waiting_put_joins_the_order_once_a_place_is_free)
{
    rill_auto(rill_queue) queue =
        rill_queue_new(sizeof(struct job), .compare = by_priority, .capacity = 2);
    struct job job;
    put_job(queue, 5, 1);
    put_job(queue, 7, 2);
    rill_task task = rill_spawn(put_urgent, queue);
    rill_sleep(0);
    static const int order[] = { 1, 3, 2 };
    for (int i = 0; i < 3; i++) {
        CHECK_INT(rill_queue_get(queue, &job), 0);
        CHECK_INT(job.number[1], order[i]);
    }
    CHECK_INT(rill_join(task), 0);
}

/* ---- waiting ---- */

TASK_TEST(who_has_waited_longest_comes_first)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .capacity = 1);
    struct worker workers[4];
    rill_task tasks[4];
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){ queue, -1 };
        tasks[i] = rill_spawn(get_it, &workers[i]);
    }
    rill_sleep(0);
    for (int i = 0; i < 4; i++)
        put(queue, i);
    CHECK(rill_queue_is_empty(queue)); /* they went straight to those who wait */
    int late = 9;
    CHECK_INT(rill_queue_try_get(queue, &late), RILL_EAGAIN);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(rill_join(tasks[i]), 0);
        CHECK_INT(workers[i].value, i);
    }
}

TASK_TEST(a_free_place_goes_to_the_put_that_has_waited_longest)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .capacity = 1);
    struct worker workers[3];
    rill_task tasks[3];
    put(queue, 100);
    for (int i = 0; i < 3; i++) {
        workers[i] = (struct worker){ queue, i };
        tasks[i] = rill_spawn(put_it, &workers[i]);
    }
    rill_sleep(0);
    CHECK_INT(get(queue), 100);
    int pushy = 99;
    CHECK_INT(rill_queue_try_put(queue, &pushy), RILL_EAGAIN); /* nobody overtakes */
    CHECK_CONTAINS(rill_last_error()->message, "full");
    for (int i = 0; i < 3; i++)
        CHECK_INT(get(queue), i);
    for (int i = 0; i < 3; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
}

TASK_TEST(a_cancelled_put_did_not_happen_and_a_cancelled_get_took_nothing)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .capacity = 1);
    struct worker first = { queue, 1 }, second = { queue, 2 };
    put(queue, 0);
    rill_task a = rill_spawn(put_it, &first), b = rill_spawn(put_it, &second);
    rill_sleep(0);
    rill_cancel(a);
    CHECK_INT(rill_join(a), RILL_ECANCELED);
    CHECK_INT(get(queue), 0);
    CHECK_INT(get(queue), 2);
    CHECK_INT(rill_join(b), 0);
    CHECK(rill_queue_is_empty(queue));

    a = rill_spawn(get_it, &first);
    b = rill_spawn(get_it, &second);
    rill_sleep(0);
    rill_cancel(a);
    put(queue, 7);
    CHECK_INT(rill_join(a), RILL_ECANCELED);
    CHECK_INT(rill_join(b), 0);
    CHECK_INT(second.value, 7);
}

TASK_TEST(the_result_wins_over_a_cancellation_that_comes_after_it)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .capacity = 1);
    struct worker getter = { queue, -1 }, putter = { queue, 2 };
    rill_task task = rill_spawn(get_it, &getter);
    rill_sleep(0);
    put(queue, 1);
    rill_cancel(task);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(getter.value, 1);
    put(queue, 1);
    task = rill_spawn(put_it, &putter);
    rill_sleep(0);
    CHECK_INT(get(queue), 1);
    rill_cancel(task);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(get(queue), 2);
}

TASK_TEST(inside_a_cancelled_scope_nothing_is_begun)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .capacity = 2);
    struct worker worker = { queue, 1 };
    CHECK_INT(rill_within(0, put_it, &worker), RILL_ETIMEDOUT);
    CHECK(rill_queue_is_empty(queue));
    put(queue, 1);
    CHECK_INT(rill_within(0, get_it, &worker), RILL_ETIMEDOUT);
    CHECK_INT(rill_queue_count(queue), 1);
    put(queue, 2);
    CHECK_INT(rill_within(0.005, put_it, &worker), RILL_ETIMEDOUT);
    CHECK_INT(get(queue), 1);
    CHECK_INT(get(queue), 2);
    CHECK_INT(rill_within(0.005, get_it, &worker), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(0.005, join_it, queue), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(0, join_it, queue), RILL_ETIMEDOUT);
}

static int fill(void *arg)
{
    for (int i = 0; i < 1000; i++)
        if (rill_queue_put(arg, &i) < 0)
            return rill_errcode();
    return 0;
}

static int count_turns(void *arg)
{
    for (;;) {
        if (rill_sleep(0) < 0)
            return rill_errcode();
        ++*(int *)arg;
    }
}

TASK_TEST(a_task_that_never_has_to_wait_lets_the_others_run)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int));
    int turns = 0;
    rill_task other = rill_spawn(count_turns, &turns);
    CHECK_INT(fill(queue), 0);
    CHECK(turns >= 10);
    rill_cancel(other);
    rill_join(other);
}

/* ---- done and join ---- */

TASK_TEST(join_waits_until_all_is_done)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int));
    CHECK_INT(rill_queue_join(queue), 0);
    CHECK_INT(rill_queue_done(queue), RILL_EINVAL);
    struct worker getter = { queue, -1 };
    rill_task taker = rill_spawn(get_it, &getter);
    rill_sleep(0);
    put(queue, 1); /* straight to the taker: it counts all the same */
    put(queue, 2);
    rill_task one = rill_spawn(join_it, queue), two = rill_spawn(join_it, queue);
    CHECK_INT(rill_join(taker), 0);
    CHECK_INT(get(queue), 2);
    CHECK_INT(rill_queue_done(queue), 0);
    rill_sleep(0);
    CHECK(!rill_task_done(one));
    CHECK_INT(rill_queue_done(queue), 0);
    CHECK_INT(rill_join(one), 0);
    CHECK_INT(rill_join(two), 0);
    CHECK_INT(rill_queue_done(queue), RILL_EINVAL);
    CHECK_CONTAINS(rill_last_error()->message, "queue done");
}

TASK_TEST(an_element_of_a_waiting_put_counts_from_when_it_is_taken_in)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .capacity = 1);
    struct worker putter = { queue, 2 };
    put(queue, 1);
    rill_task task = rill_spawn(put_it, &putter);
    rill_sleep(0);
    CHECK_INT(get(queue), 1);
    CHECK_INT(get(queue), 2);
    CHECK_INT(rill_queue_done(queue), 0);
    CHECK_INT(rill_queue_done(queue), 0);
    CHECK_INT(rill_queue_done(queue), RILL_EINVAL);
    CHECK_INT(rill_join(task), 0);
}

/* ---- shutting down ---- */

TASK_TEST(shut_down_gently_what_is_inside_can_be_taken)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .capacity = 2);
    struct worker putter = { queue, 3 };
    put(queue, 1);
    put(queue, 2);
    rill_task waiting = rill_spawn(put_it, &putter), joining = rill_spawn(join_it, queue);
    rill_sleep(0);
    rill_queue_shutdown(queue, false);
    CHECK_INT(rill_join(waiting), RILL_ECLOSED);
    int value = 4;
    CHECK_INT(rill_queue_put(queue, &value), RILL_ECLOSED);
    CHECK_CONTAINS(rill_last_error()->message, "queue put: the queue was shut down");
    CHECK_INT(rill_queue_try_put(queue, &value), RILL_ECLOSED);
    CHECK_INT(get(queue), 1);
    CHECK_INT(get(queue), 2);
    CHECK_INT(rill_queue_get(queue, &value), RILL_ECLOSED);
    CHECK_INT(rill_queue_try_get(queue, &value), RILL_ECLOSED);
    CHECK_CONTAINS(rill_last_error()->message, "queue get: the queue was shut down");
    CHECK_INT(value, 4);
    CHECK(!rill_task_done(joining));
    rill_queue_done(queue);
    rill_queue_done(queue);
    CHECK_INT(rill_join(joining), 0);
    rill_queue_shutdown(queue, false);
}

static int dropped, dropped_sum;
static void drop_int(void *element)
{
    dropped++;
    dropped_sum += *(int *)element;
}

TASK_TEST(shut_down_at_once_what_is_inside_is_dropped_and_counts_as_done)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .drop = drop_int, .capacity = 3);
    struct worker putter = { queue, 1000 };
    put(queue, 1);
    CHECK_INT(get(queue), 1); /* under way: still to be done */
    put(queue, 10);
    put(queue, 20);
    put(queue, 30);
    rill_task waiting = rill_spawn(put_it, &putter), joining = rill_spawn(join_it, queue);
    rill_sleep(0);
    rill_queue_shutdown(queue, true);
    CHECK_INT(dropped, 3);
    CHECK_INT(dropped_sum, 60);
    CHECK_INT(rill_join(waiting), RILL_ECLOSED);
    int value;
    CHECK_INT(rill_queue_get(queue, &value), RILL_ECLOSED);
    CHECK(!rill_task_done(joining));
    CHECK_INT(rill_queue_done(queue), 0);
    CHECK_INT(rill_join(joining), 0);
    CHECK_INT(rill_queue_done(queue), RILL_EINVAL);
}

TASK_TEST(shutting_down_ends_a_join_when_nothing_is_under_way)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int));
    put(queue, 1);
    rill_task joining = rill_spawn(join_it, queue);
    rill_sleep(0);
    rill_queue_shutdown(queue, false);
    rill_sleep(0);
    CHECK(!rill_task_done(joining));
    rill_queue_shutdown(queue, true);
    CHECK_INT(rill_join(joining), 0);
}

TASK_TEST(shutting_down_wakes_those_who_get)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int));
    struct worker getter = { queue, 5 };
    rill_task a = rill_spawn(get_it, &getter), b = rill_spawn(get_it, &getter);
    rill_sleep(0);
    rill_queue_shutdown(queue, false);
    CHECK_INT(rill_join(a), RILL_ECLOSED);
    CHECK_INT(rill_join(b), RILL_ECLOSED);
    CHECK_CONTAINS(rill_last_error()->message, "queue get");
    CHECK_INT(getter.value, 5);
}

TASK_TEST(freeing_a_queue_ends_all_waits_and_drops_what_is_inside)
{
    rill_queue *queue = rill_queue_new(sizeof(int), .drop = drop_int, .capacity = 1);
    rill_queue *empty = rill_queue_new(sizeof(int));
    struct worker putter = { queue, 1 }, getter = { empty, 1 };
    put(queue, 5);
    rill_task tasks[] = { rill_spawn(put_it, &putter), rill_spawn(get_it, &getter),
                          rill_spawn(join_it, queue) };
    rill_sleep(0);
    rill_queue_free(queue);
    rill_queue_free(empty);
    for (int i = 0; i < 3; i++)
        CHECK_INT(rill_join(tasks[i]), RILL_ECLOSED);
    CHECK_INT(dropped_sum, 5);
    rill_queue_free(NULL);
}

/* ---- use and misuse ---- */

TASK_TEST(pointers_go_through)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(void *));
    char text[] = "hello";
    CHECK_INT(rill_queue_put_ptr(queue, text), 0);
    CHECK(rill_queue_get_ptr(queue) == text);
    rill_queue_shutdown(queue, false);
    CHECK(rill_queue_get_ptr(queue) == NULL);
    CHECK_INT(rill_errcode(), RILL_ECLOSED);
}

TEST(outside_a_task_only_what_need_not_wait_works)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .capacity = 1);
    int value = 1;
    CHECK_INT(rill_queue_put(queue, &value), RILL_ENOTASK);
    CHECK_INT(rill_queue_get(queue, &value), RILL_ENOTASK);
    CHECK_INT(rill_queue_join(queue), RILL_ENOTASK);
    CHECK_INT(rill_queue_try_put(queue, &value), 0);
    CHECK_INT(rill_queue_try_put(queue, &value), RILL_EAGAIN);
    CHECK_INT(rill_queue_try_get(queue, &value), 0);
    CHECK_INT(rill_queue_try_get(queue, &value), RILL_EAGAIN);
}

TEST(senseless_options_are_refused)
{
    CHECK(!rill_queue_new_with(NULL));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK(!rill_queue_new(sizeof(int), .capacity = -2));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK(!rill_queue_new(sizeof(int), .capacity = INT64_MAX));
    CHECK_INT(rill_errcode(), RILL_ENOMEM);
    CHECK(!rill_queue_new(sizeof(int), .capacity = INT64_MAX, .compare = by_priority));
    CHECK(!rill_queue_new(SIZE_MAX - 3, .compare = by_priority));
    CHECK_INT(rill_errcode(), RILL_ENOMEM);
    rill_auto(rill_queue) unlimited = rill_queue_new(sizeof(int), .capacity = RILL_UNLIMITED);
    CHECK(unlimited);
}

/* ---- memory ---- */

TASK_TEST(a_queue_with_a_capacity_allocates_nothing_once_made)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .capacity = 100);
    rill_auto(rill_queue) heap =
        rill_queue_new(sizeof(struct job), .capacity = 100, .compare = by_priority);
    unsigned long count = rill__alloc_count;
    for (int i = 0; i < 100; i++) {
        put(queue, i);
        put_job(heap, i % 7, i);
    }
    for (int i = 0; i < 100; i++)
        get(queue);
    check_order(heap);
    CHECK_INT(rill__alloc_count, count);
}

TASK_TEST(when_memory_is_short_an_element_is_not_put_in)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int));
    rill_fail(RILL_EFAILED, "so that there is room for an error");
    for (int i = 0; i < 16; i++)
        put(queue, i);
    int value = 16;
    rill__alloc_count = 0;
    rill__alloc_fail_at = 1;
    CHECK_INT(rill_queue_put(queue, &value), RILL_ENOMEM);
    rill__alloc_fail_at = 0;
    CHECK_INT(rill_queue_count(queue), 16);
    put(queue, 16);
    for (int i = 0; i <= 16; i++)
        CHECK_INT(get(queue), i);
}

TEST(making_a_queue_fails_at_each_allocation)
{
    for (unsigned long at = 1; at <= 2; at++) {
        rill_fail(RILL_EFAILED, "so that there is room for an error");
        rill__alloc_count = 0;
        rill__alloc_fail_at = at;
        CHECK(!rill_queue_new(sizeof(int), .capacity = 5));
        rill__alloc_fail_at = 0;
        CHECK_INT(rill_errcode(), RILL_ENOMEM);
    }
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .capacity = 5);
    CHECK(queue);
}
