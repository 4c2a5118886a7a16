/*
 * The loop: ready tasks, then what they deferred, then timers and I/O, until every task has ended.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "runtime/runtime_internal.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* How often memory of stacks that are no longer needed is looked for. */
#define TRIM_NS (5 * RILL__SECOND)
/* When tasks that do not end with their loop are told of. */
#define PATIENCE_NS (10 * RILL__SECOND)

__thread rill__loop *rill__this_loop __attribute__((tls_model("initial-exec")));

rill__driver *rill__loop_driver(void)
{
    return rill__this_loop->driver;
}

uint64_t rill__loop_now(void)
{
    rill__loop *loop = rill__this_loop;
    if (loop->now == 0)
        loop->now = loop->driver->ops->now(loop->driver);
    return loop->now;
}

bool rill__loop_runs(void)
{
    return rill__this_loop;
}

const void *rill__place_set(const void *place)
{
    rill__task *task = rill__this_loop->current;
    const void *before = task->place;
    task->place = task->loop->driver->place = place;
    return before;
}

uint64_t rill__wall_now(void)
{
    rill__loop *loop = rill__this_loop;
    return loop ? loop->driver->ops->wall(loop->driver) : rill__clock_ns(CLOCK_REALTIME);
}

uint64_t rill__loop_random(void)
{
    /* splitmix64: every state gives every number once. */
    uint64_t z = rill__this_loop->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t rill__loop_jitter(uint64_t span)
{
    return span > 0 ? rill__loop_random() % (span + (span < UINT64_MAX)) : 0;
}

void rill__timer_set(rill__timer *timer)
{
    rill__wheel_set(&rill__this_loop->wheel, timer);
}

void rill__timer_cancel(rill__timer *timer)
{
    rill__wheel_cancel(&rill__this_loop->wheel, timer);
}

void rill__defer_to_turn_end(rill__deferred *deferred)
{
    if (!rill__list_linked(&deferred->link))
        rill__list_append(&rill__this_loop->deferred, &deferred->link);
}

void rill__undefer(rill__deferred *deferred)
{
    rill__list_remove(&deferred->link);
}

rill__loop_part *rill__loop_part_get(const void *kind)
{
    rill__loop_part *part = rill__this_loop->parts;
    while (part && part->kind != kind)
        part = part->next;
    return part;
}

void rill__loop_part_add(rill__loop_part *part, const void *kind,
                         void (*free_part)(rill__loop_part *part))
{
    part->kind = kind;
    part->free = free_part;
    part->next = rill__this_loop->parts;
    rill__this_loop->parts = part;
}

/* ---- making and freeing ---- */

void rill__loop_free(rill__loop *loop)
{
    rill__loops_remove(loop);
    while (loop->parts) {
        rill__loop_part *part = loop->parts;
        loop->parts = part->next;
        part->free(part);
    }
    rill__stack_pool_free(&loop->stacks);
    loop->driver->ops->free(loop->driver);
    if (rill__this_loop == loop) {
        rill__error_owner = NULL;
        rill__this_loop = NULL;
    }
    rill_loop_unref(loop->mailbox);
    rill__error_free(&loop->error);
    rill__free(loop->slots);
    rill__free(loop->measure);
    rill__free(loop);
}

static rill__loop *fail_new(rill__loop *loop, rill__driver *driver)
{
    driver->ops->free(driver);
    rill__free(loop);
    rill__fail_nomem();
    return NULL;
}

/* Loops count from here, each a stretch of handles apart from the next. */
static uint32_t next_generation(void)
{
    static _Atomic uint32_t loops;
    return (atomic_fetch_add(&loops, 1) << 20) + 1;
}

rill__loop *rill__loop_new(rill__driver *driver)
{
    rill__loop *loop = rill__zalloc(sizeof *loop);
    if (!loop)
        return fail_new(loop, driver);
    loop->mailbox = rill__mailbox_new(loop);
    if (!loop->mailbox)
        return fail_new(loop, driver);
    loop->driver = driver;
    loop->first_generation = next_generation();
    loop->host_timer.fd = -1;
    driver->ops->random(driver, &loop->random, sizeof loop->random);
    loop->now = loop->driver->ops->now(loop->driver);
    rill__wheel_init(&loop->wheel, loop->now);
    rill__stack_pool_init(&loop->stacks);
    rill__list_init(&loop->background);
    rill__list_init(&loop->deferred);
    rill__list_init(&loop->births);
    rill__scope_open(&loop->root, NULL, NULL);
    loop->next_trim = rill__after(loop->now, TRIM_NS);
    return loop;
}

void rill__loop_enter(rill__loop *loop)
{
    rill__context_of_thread(&loop->context);
    rill__this_loop = loop;
    rill__error_owner = &loop->error;
    rill__loops_add(loop);
}

/* ---- turning ---- */

static void run_deferred(rill__loop *loop)
{
    rill__list batch;
    if (rill__list_empty(&loop->deferred))
        return;
    batch = loop->deferred;
    batch.next->prev = batch.prev->next = &batch;
    rill__list_init(&loop->deferred);
    for (rill__list *node; (node = rill__list_pop(&batch));) {
        rill__deferred *deferred = rill__container(node, rill__deferred, link);
        deferred->run(deferred);
    }
}

static void check_signals(rill__loop *loop)
{
    int signal_number = loop->stop_signal || !loop->main_task ? 0 : rill__signals_pending();
    if (!signal_number)
        return;
    loop->stop_signal = signal_number;
    rill__scope_cancel(&loop->main_task->root, RILL__CAUSE_CANCEL,
                       signal_number == SIGINT ? "SIGINT" : "SIGTERM");
}

static void maybe_trim(rill__loop *loop)
{
    if (loop->now < loop->next_trim)
        return;
    loop->next_trim = rill__after(loop->now, TRIM_NS);
    rill__stack_trim(&loop->stacks);
}

/* Whether no task is left but the first one, which is kept for its result. */
static bool is_empty(const rill__loop *loop)
{
    return loop->task_count <= (loop->main_task ? 1 : 0);
}

/* Whether the last task that this phase waits for has ended during the turn. */
static bool is_over(const rill__loop *loop)
{
    if (!loop->main_task)
        return is_empty(loop);
    return loop->main_task->state == RILL__DONE &&
           (is_empty(loop) || !rill__scope_is_cancelled(&loop->root));
}

static bool has_work(const rill__loop *loop)
{
    return loop->ready_head || !rill__list_empty(&loop->deferred);
}

static uint64_t poll_timeout(rill__loop *loop, uint64_t limit)
{
    if (is_over(loop) || has_work(loop))
        return 0;
    uint64_t next = rill__wheel_next(&loop->wheel);
    if (next == RILL__NEVER)
        rill__report_deadlock(loop);
    if (next > loop->next_trim && rill__stack_worth_trimming(&loop->stacks))
        next = loop->next_trim;
    if (next == RILL__NEVER)
        return limit;
    uint64_t now = loop->driver->ops->now(loop->driver);
    uint64_t span = next > now ? next - now : 0;
    return span < limit ? span : limit;
}

/* Nothing will ever happen by itself: so the tasks are ended, and who does not end then is waited
 * for in vain. */
static void end_deadlock(rill__loop *loop)
{
    rill__tell_deadlock(loop);
    bool stuck = rill__scope_is_cancelled(&loop->root);
    loop->ended_by = RILL_EDEADLOCK;
    rill__scope_cancel(&loop->root, RILL__CAUSE_SHUTDOWN, "deadlock");
    if (stuck)
        rill__report_survivors(loop);
    assert(!stuck);
}

static void end_time(rill__loop *loop)
{
    loop->ended_by = RILL_ETIMEDOUT;
    rill__scope_cancel(&loop->root, RILL__CAUSE_SHUTDOWN, "the time of its world is over");
}

/* Waits for I/O and completes it. */
static void poll_driver(rill__loop *loop, uint64_t timeout)
{
    if (timeout > 0 && !rill__mail_sleep(loop))
        timeout = 0;
    if (loop->measure)
        rill__measure_turn(loop, false);
    loop->now = 0; /* it is another once the wait is over: read again by who asks first */
    atomic_store_explicit(&loop->polling, true, memory_order_relaxed);
    int rc = loop->driver->ops->poll(loop->driver, timeout);
    if (loop->measure)
        rill__measure_turn(loop, true);
    atomic_store_explicit(&loop->polling, false, memory_order_relaxed);
    atomic_store_explicit(&loop->turns, loop->turns + 1, memory_order_relaxed);
    rill__poke_inspector();
    if (rc == -EDEADLK && rill__others_may_call(loop))
        sched_yield(); /* something may still come, from where the driver does not see it */
    else if (rc == -EDEADLK)
        end_deadlock(loop);
    else if (rc == -ETIME)
        end_time(loop);
}

/* I/O before timers, so that what has arrived beats a deadline of the same moment. */
void rill__loop_turn(rill__loop *loop, uint64_t timeout_ns)
{
    atomic_store_explicit(&loop->polling, false, memory_order_relaxed);
    rill__loop_run_ready(loop);
    run_deferred(loop);
    check_signals(loop);
    poll_driver(loop, poll_timeout(loop, timeout_ns));
    rill__mail_collect(loop);
    check_signals(loop);
    rill__wheel_advance(&loop->wheel, rill__loop_now());
    maybe_trim(loop);
    atomic_store_explicit(&loop->polling, true, memory_order_relaxed);
}

bool rill__loop_run_rest(rill__loop *loop)
{
    rill__loop_run_ready(loop);
    run_deferred(loop);
    return has_work(loop);
}

/* ---- from the first task to the last ---- */

int rill__loop_set_main(rill__loop *loop, rill_task_fn *fn, const rill_spawn_opts *opts)
{
    rill__task *task = rill__task_new(loop, fn, opts);
    if (!task)
        return rill_errcode();
    task->kept = true;
    loop->main_task = task;
    rill__scope_open(&task->root, &loop->root, task);
    rill__task_make_ready(task);
    return 0;
}

static void too_slow(rill__timer *timer)
{
    (void)timer;
    rill__report_survivors(rill__this_loop);
}

static void turn_until_empty(rill__loop *loop)
{
    rill__mail_collect(loop);
    while (!is_empty(loop))
        rill__loop_turn(loop, RILL__NEVER);
}

void rill__loop_finish(rill__loop *loop)
{
    rill__timer patience = { .deadline = rill__after(loop->now, PATIENCE_NS), .fire = too_slow };
    rill__report_left(loop);
    atomic_store(&loop->mailbox->phase, RILL__TAKES_CALLS);
    rill__scope_cancel(&loop->root, RILL__CAUSE_SHUTDOWN, "the loop has ended");
    rill__timer_set(&patience);
    turn_until_empty(loop);
    /* Those who call without end must not keep it: only what they are about to post still comes. */
    atomic_store(&loop->mailbox->phase, RILL__TAKES_NOTHING);
    do
        turn_until_empty(loop);
    while (!rill__mailbox_close(loop));
    rill__timer_cancel(&patience);
}

void rill__loop_drive(rill__loop *loop)
{
    rill__overflow_guard_enter();
    while (loop->main_task->state != RILL__DONE)
        rill__loop_turn(loop, RILL__NEVER);
    rill__loop_finish(loop);
    rill__overflow_guard_leave();
}

/* ---- rill_run ---- */

static void note_outcome(const rill__loop *loop, rill__outcome *outcome)
{
    const rill_error *error = loop->main_task->error;
    outcome->result = loop->main_task->result;
    outcome->stop_signal = loop->stop_signal;
    outcome->ended_by = loop->ended_by;
    if (outcome->result >= 0)
        return;
    if (error && error->code == outcome->result && error->message[0]) {
        outcome->error = *error;
        return;
    }
    outcome->error.code = outcome->result;
    snprintf(outcome->error.message, sizeof outcome->error.message, "%s",
             rill_code_text(outcome->result));
}

static void not_begun(rill__outcome *outcome)
{
    outcome->error = *rill_last_error();
    outcome->result = outcome->error.code;
}

void rill__run_on(rill__driver *driver, rill_task_fn *fn, void *arg, rill__outcome *ret_outcome)
{
    *ret_outcome = (rill__outcome){ 0 };
    rill__loop *loop = rill__loop_new(driver);
    if (!loop) {
        not_begun(ret_outcome);
        return;
    }
    rill_spawn_opts opts = { .size = sizeof opts, .arg = arg, .name = "main" };
    rill__loop_enter(loop);
    if (rill__loop_set_main(loop, fn, &opts) == 0) {
        rill__signals_install(loop);
        rill__loop_drive(loop);
        rill__signals_restore();
        note_outcome(loop, ret_outcome);
        rill__task_free(loop->main_task);
    } else {
        not_begun(ret_outcome);
    }
    rill__loop_free(loop);
}

static int explain(const rill__outcome *outcome)
{
    if (outcome->result == RILL_ECANCELED && outcome->stop_signal)
        return 128 + outcome->stop_signal;
    if (outcome->result < 0) {
        fprintf(stderr, "error: %s\n", outcome->error.message);
        return 1;
    }
    return outcome->result > 255 ? 255 : outcome->result;
}

int rill_run(rill_task_fn *fn, void *arg)
{
    rill__outcome outcome = { 0 };
    rill__driver *driver = NULL;
    if (rill__this_loop)
        rill__fail(RILL_EINVAL, "run: a loop runs on this thread already");
    else if (!(driver = rill__epoll_new()))
        rill__fail_errno(RILL_EOS, errno, "loop: epoll");
    if (driver)
        rill__run_on(driver, fn, arg, &outcome);
    else
        not_begun(&outcome);
    return explain(&outcome);
}
