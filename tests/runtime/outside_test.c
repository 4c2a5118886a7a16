/* Calls outside tasks of everything in the runtime that may wait. */
#include "awaiting.h"
#include "in_task.h"
#include "runtime/runtime.h"

#include <rill/rill.h>

static rill_event event;
static rill_mutex mutex;
static rill_rwlock rwlock;
static rill_semaphore semaphore;
static rill_limiter limiter;
static rill_condition condition;
static rill_barrier barrier;
static rill_once once;
static rill_queue *queue;
static rill_channel channel;
static rill_interval interval;
static rill_scope scope;
static rill_group group;
static rill_loop *loop;
static rill_remote *remote;
static rill_task task;
static int items[2], value;
static void *pointer;
static size_t index_of;

static int handle_code(rill_task handle)
{
    return handle.id ? 0 : rill_errcode();
}

static int pointer_code(const void *made)
{
    return made ? 0 : rill_errcode();
}

static int must_not_run(void *arg)
{
    (void)arg;
    test_fail(__FILE__, __LINE__, "it was called");
    return 0;
}

#define CALL(name, expression)                                                                     \
    static int call_##name(void)                                                                   \
    {                                                                                              \
        return (expression);                                                                       \
    }

/* task.h */
CALL(spawn, handle_code(rill_spawn(must_not_run, NULL)))
CALL(spawn_group, handle_code(rill_spawn(must_not_run, NULL, .group = &group)))
CALL(join, rill_join(task))
CALL(scope_begin, rill_scope_begin(&scope))
CALL(scope_end, rill_scope_end(&scope, 0))
CALL(within, rill_within(1, must_not_run, NULL))
CALL(shielded, rill_shielded(1, must_not_run, NULL))
CALL(group_begin, rill_group_begin(&group))
CALL(group_end, rill_group_end(&group, 0))
CALL(gather, rill_gather(items, 2, must_not_run))
CALL(sleep, rill_sleep(1))
CALL(yield, rill_sleep(0))
CALL(interval_wait, rill_interval_wait(&interval))
CALL(every, handle_code(rill_every(1, must_not_run, NULL)))
CALL(to_thread, rill_to_thread(must_not_run, NULL))

static int call_cleanup(void)
{
    int runs = 0;
    RILL_CLEANUP(1.0)
    runs++;
    CHECK_INT(runs, 1); /* the block is not left out */
    return rill_errcode();
}

/* join.h */
CALL(cancel_join, rill_cancel_join(task))
CALL(wait, rill_wait(&task, 1))
CALL(as_completed_new, pointer_code(rill_as_completed_new(&task, 1)))
CALL(as_completed_next, rill_as_completed_next(NULL, &index_of))
CALL(race, rill_race(items, 2, must_not_run))
CALL(start, handle_code(rill_start(must_not_run, NULL)))
CALL(started, rill_started())

/* sync.h */
CALL(event_wait, rill_event_wait(&event))
CALL(mutex_lock, rill_mutex_lock(&mutex))
CALL(mutex_hold, pointer_code(rill_mutex_hold(&mutex)))
CALL(rwlock_read, rill_rwlock_read(&rwlock))
CALL(rwlock_write, rill_rwlock_write(&rwlock))
CALL(rwlock_hold_read, pointer_code(rill_rwlock_hold_read(&rwlock)))
CALL(rwlock_hold_write, pointer_code(rill_rwlock_hold_write(&rwlock)))
CALL(semaphore_acquire, rill_semaphore_acquire(&semaphore))
CALL(semaphore_hold, pointer_code(rill_semaphore_hold(&semaphore)))
CALL(limiter_acquire, rill_limiter_acquire(&limiter))
CALL(limiter_hold, pointer_code(rill_limiter_hold(&limiter)))
CALL(condition_wait, rill_condition_wait(&condition, &mutex))
CALL(barrier_wait, rill_barrier_wait(&barrier))
CALL(once_run, rill_once_run(&once, must_not_run, NULL))

/* queue.h, channel.h, select.h */
CALL(queue_put, rill_queue_put(queue, &pointer))
CALL(queue_get, rill_queue_get(queue, &pointer))
CALL(queue_put_ptr, rill_queue_put_ptr(queue, &value))
CALL(queue_get_ptr, pointer_code(rill_queue_get_ptr(queue)))
CALL(queue_join, rill_queue_join(queue))
CALL(channel_send, rill_channel_send(channel.sender, &value))
CALL(channel_recv, rill_channel_recv(channel.receiver, &value))

static int call_select(void)
{
    rill_case cases[] = { rill_case_event(&event) };
    return rill_select(cases, 1);
}

/* loop.h */
CALL(remote_join, rill_remote_join(remote))
CALL(run_on, rill_run_on(loop, must_not_run, NULL))
CALL(loop_join, rill_loop_join(loop))

static const struct awaiting rows[] = {
    { "rill_spawn_with", call_spawn, false },
    { "rill_spawn_with", call_spawn_group, false },
    { "rill_join", call_join, false },
    { "rill_scope_begin_with", call_scope_begin, false },
    { "rill_scope_end", call_scope_end, false },
    { "rill_within", call_within, false },
    { "rill_shielded", call_shielded, false },
    { "rill_cleanup_end", call_cleanup, false },
    { "rill_group_begin_with", call_group_begin, false },
    { "rill_group_end", call_group_end, false },
    { "rill_gather_with", call_gather, false },
    { "rill_sleep", call_sleep, false },
    { "rill_sleep", call_yield, false },
    { "rill_interval_wait", call_interval_wait, false },
    { "rill_every_with", call_every, false },
    { "rill_to_thread_with", call_to_thread, false },
    { "rill_cancel_join_with", call_cancel_join, false },
    { "rill_wait_with", call_wait, false },
    { "rill_as_completed_new", call_as_completed_new, false },
    { "rill_as_completed_next", call_as_completed_next, false },
    { "rill_race_with", call_race, false },
    { "rill_start_with", call_start, false },
    { "rill_started", call_started, false },
    { "rill_event_wait", call_event_wait, false },
    { "rill_mutex_lock", call_mutex_lock, false },
    { "rill_mutex_hold", call_mutex_hold, false },
    { "rill_rwlock_read", call_rwlock_read, false },
    { "rill_rwlock_write", call_rwlock_write, false },
    { "rill_rwlock_hold_read", call_rwlock_hold_read, false },
    { "rill_rwlock_hold_write", call_rwlock_hold_write, false },
    { "rill_semaphore_acquire", call_semaphore_acquire, false },
    { "rill_semaphore_hold", call_semaphore_hold, false },
    { "rill_limiter_acquire", call_limiter_acquire, false },
    { "rill_limiter_hold", call_limiter_hold, false },
    { "rill_condition_wait", call_condition_wait, false },
    { "rill_barrier_wait", call_barrier_wait, false },
    { "rill_once_run", call_once_run, false },
    { "rill_queue_put", call_queue_put, false },
    { "rill_queue_get", call_queue_get, false },
    { "rill_queue_put_ptr", call_queue_put_ptr, false },
    { "rill_queue_get_ptr", call_queue_get_ptr, false },
    { "rill_queue_join", call_queue_join, false },
    { "rill_channel_send", call_channel_send, false },
    { "rill_channel_recv", call_channel_recv, false },
    { "rill_select_with", call_select, false },
    { "rill_remote_join", call_remote_join, true },
    { "rill_run_on_with", call_run_on, true },
    { "rill_loop_join", call_loop_join, true },
};
enum { ROWS = sizeof rows / sizeof *rows };

static void make_objects(void)
{
    rill_event_init(&event);
    rill_mutex_init(&mutex);
    rill_rwlock_init(&rwlock);
    rill_semaphore_init(&semaphore, 1);
    rill_limiter_init(&limiter, 1);
    rill_condition_init(&condition);
    rill_barrier_init(&barrier, 1);
    rill_once_init(&once);
    rill_interval_init(&interval, 1, 0, RILL_MISSED_SKIP);
    queue = rill_queue_new(sizeof(void *));
    channel = rill_channel_new(sizeof value, .capacity = 1);
}

static void free_objects(void)
{
    rill_queue_free(queue);
    rill_sender_free(channel.sender);
    rill_receiver_free(channel.receiver);
}

TEST(the_table_names_every_function_that_may_wait)
{
    const char *headers[] = { "task", "join", "sync", "queue", "channel", "select", "loop" };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        check_awaiting_listed(headers[i], rows, ROWS);
}

TEST(without_a_loop_each_is_refused)
{
    make_objects();
    check_awaiting_refused(rows, ROWS, false);
    free_objects();
}

static bool called;

static void call_all(rill__timer *timer)
{
    (void)timer;
    check_awaiting_refused(rows, ROWS, true);
    called = true;
}

static int return_zero(void *arg)
{
    (void)arg;
    return 0;
}

/* The objects exist, a task stands by, and each call would even succeed in a task. */
TASK_TEST(in_a_callback_of_the_loop_each_is_refused)
{
    make_objects();
    loop = rill_loop_start(NULL, NULL);
    REQUIRE(loop);
    remote = rill_spawn_on(loop, return_zero, NULL);
    task = rill_spawn(sleep_for, &a_while);
    rill_sleep(0);
    rill__timer timer = { .deadline = rill__loop_now(), .fire = call_all };
    rill__timer_set(&timer);
    CHECK_INT(rill_sleep(0.005), 0);
    CHECK(called);
    CHECK_INT(rill_join(task), 0); /* none has been joined behind our back */
    CHECK_INT(rill_remote_join(remote), 0);
    rill_remote_free(remote);
    CHECK_INT(rill_loop_stop(loop), 0);
    rill_loop_join(loop);
    rill_loop_unref(loop);
    free_objects();
}
