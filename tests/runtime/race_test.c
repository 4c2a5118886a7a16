/*
 * The table of races: what happens when two things happen at once. One test a row; its comment is
 * the row: the race, and what has to come of it.
 */
#include "in_task.h"
#include "io/sim.h"
#include "runtime/runtime.h"

#include <fcntl.h>
#include <pthread.h>
#include <rill/join.h>
#include <rill/loop.h>
#include <rill/sync.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- what the rows share ---- */

/* A connection of ours, and its other end. */
struct pair {
    rill__handle ours;
    int theirs;
};

static bool open_pair(struct pair *pair)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return false;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    pair->theirs = fds[1];
    return rill__io_adopt(&pair->ours, fds[0]) == 0;
}

static void close_pair(struct pair *pair)
{
    rill__io_close(&pair->ours);
    close(pair->theirs);
}

static void they_say(const struct pair *pair, const char *text)
{
    CHECK_INT(send(pair->theirs, text, strlen(text), 0), strlen(text));
}

static char reason[96];

static int sleep_and_keep_reason(void *arg)
{
    int rc = sleep_for(arg);
    snprintf(reason, sizeof reason, "%s", rill_cancel_reason());
    return rc;
}

static int sleep_shielded(void *arg)
{
    return rill_shielded(60, sleep_for, arg);
}

static int fail_after_cancel(void *arg)
{
    sleep_for(&for_ever);
    return fail_at_once(arg);
}

static int set_event(void *arg)
{
    rill_event_set(arg);
    return 0;
}

/* ---- the table ---- */

struct timed {
    struct pair pair;
    int64_t rc;
    int end, end_after_more;
};

static int read_in_time(void *arg)
{
    struct timed *timed = arg;
    char text[16];
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.005);
    timed->rc = rill__io_recv(&timed->pair.ours, text, sizeof text);
    timed->end = rill_scope_end(&scope, (int)timed->rc);

    rill_scope_begin(&scope, .timeout = 0.005);
    rill__io_recv(&timed->pair.ours, text, sizeof text);
    timed->end_after_more = rill_scope_end(&scope, rill_sleep(0));
    return 0;
}

static void wait_without_turning(double seconds)
{
    double end = rill_now() + seconds;
    while (rill_now() < end)
        continue;
}

/* A completion and a deadline in the same turn: the result is returned; the scope reports the
 * deadline only if a later point failed. */
TASK_TEST(a_completion_and_a_deadline_in_one_turn)
{
    struct timed timed = { 0 };
    REQUIRE(open_pair(&timed.pair));
    rill_task task = rill_spawn(read_in_time, &timed);
    for (int i = 0; i < 2; i++) {
        rill_sleep(0);
        they_say(&timed.pair, "now");
        wait_without_turning(0.01);
        rill_sleep(0.001); /* one turn sees both */
    }
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(timed.rc, 3);
    CHECK_INT(timed.end, 3);
    CHECK_INT(timed.end_after_more, RILL_ETIMEDOUT);
    close_pair(&timed.pair);
}

static int wait_for_event(void *arg)
{
    int rc = rill_event_wait(arg);
    CHECK(rill_cancelled());
    CHECK_INT(rill_sleep(0), RILL_ECANCELED); /* the next point reports it */
    return rc;
}

/* A cancel arrives while the task is ready, woken already: it is noted only; the result of the wait
 * is delivered. */
TASK_TEST(a_cancel_of_a_task_that_is_ready)
{
    rill_event event;
    rill_event_init(&event);
    rill_task task = rill_spawn(wait_for_event, &event);
    rill_sleep(0);
    rill_event_set(&event);
    rill_cancel(task, .reason = "too late");
    CHECK_INT(rill_join(task), 0);
}

static int read_once(void *arg)
{
    char text[16];
    return (int)rill__io_recv(&((struct pair *)arg)->ours, text, sizeof text);
}

/* A cancel arrives before the operation is submitted: none is left behind, and nothing is taken. */
TASK_TEST(a_cancel_before_the_operation_is_submitted)
{
    struct pair pair;
    REQUIRE(open_pair(&pair));
    they_say(&pair, "still there");
    CHECK_INT(rill_cancel_join(rill_spawn(read_once, &pair)), RILL_ECANCELED);
    CHECK(!pair.ours.reader);
    CHECK_INT(read_once(&pair), 11);
    rill_task task = rill_spawn(read_once, &pair);
    rill_sleep(0); /* and one that was submitted is taken back */
    CHECK(pair.ours.reader != NULL);
    rill_cancel(task);
    CHECK(!pair.ours.reader);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    they_say(&pair, "next");
    CHECK_INT(read_once(&pair), 4);
    close_pair(&pair);
}

/* Two cancels with different reasons: the first reason is kept. */
TASK_TEST(two_cancels)
{
    rill_task task = rill_spawn(sleep_and_keep_reason, &for_ever);
    rill_sleep(0);
    CHECK_INT(rill_cancel(task, .reason = "first"), 0);
    CHECK_INT(rill_cancel(task, .reason = "second"), 0);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_STR(reason, "first");
    CHECK_CONTAINS(rill_last_error()->message, "first");
}

/* A child fails while the group's owner waits elsewhere: that wait, inside the group, fails with
 * RILL_ECANCELED, and the group's end returns the child's error. */
TASK_TEST(a_child_fails_while_the_owner_waits)
{
    ends = 0;
    rill_group group;
    rill_group_begin(&group);
    rill_spawn(sleep_for, &for_ever, .group = &group);
    rill_spawn(fail_at_once, "the child's", .group = &group);
    rill_spawn(fail_at_once, "another's", .group = &group);
    int rc = rill_sleep(for_ever);
    CHECK_INT(rc, RILL_ECANCELED);
    CHECK_STR(rill_cancel_reason(), "another task of the group failed");
    CHECK_INT(rill_group_end(&group, rc), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "the child's");
    CHECK_INT(ends, 0);
    CHECK_INT(rill_sleep(0), 0); /* outside it nothing is cancelled */
}

static rill_mutex mutex;

static int hold_the_mutex(void *arg)
{
    CHECK_INT(rill_mutex_lock(&mutex), 0);
    CHECK_INT(rill_sleep(for_ever), RILL_ECANCELED);
    rill_shielded(1, sleep_for, &a_moment);
    return arg ? rill_mutex_unlock(&mutex) : 0;
}

static int lock_and_unlock(void *arg)
{
    (void)arg;
    int rc = rill_mutex_lock(&mutex);
    return rc < 0 ? rc : rill_mutex_unlock(&mutex);
}

/* The cancel of a task that holds a mutex: it stays locked until the task's own unlock; a task that
 * ends holding it is reported. */
TASK_TEST(a_cancel_of_who_holds_a_mutex)
{
    hear_the_log();
    rill_mutex_init(&mutex);
    rill_task holder = rill_spawn(hold_the_mutex, &mutex);
    rill_task other = rill_spawn(lock_and_unlock, NULL);
    rill_sleep(0);
    rill_cancel(holder);
    rill_sleep(0);
    CHECK(rill_mutex_is_locked(&mutex) && !rill_task_done(other));
    CHECK_INT(rill_join(other), 0); /* once the holder has unlocked */
    CHECK_INT(rill_join(holder), 0);
    CHECK_INT(logged_lines, 0);

    holder = rill_spawn(hold_the_mutex, NULL, .name = "forgetful");
    rill_sleep(0);
    CHECK_INT(rill_cancel_join(holder), 0);
    CHECK(rill_mutex_is_locked(&mutex));
    CHECK_INT(logged_lines, 1);
    CHECK_CONTAINS(logged, "'forgetful'");
}

static int end_group_of_stubborn(void *arg)
{
    rill_group group;
    rill_group_begin(&group);
    rill_spawn(sleep_shielded, &a_while, .group = &group);
    if (arg)
        rill_spawn(fail_after_cancel, arg, .group = &group);
    return rill_group_end(&group, 0);
}

/* A cancel during the wait in a group's end: it reaches the tasks, the wait goes on, and the end
 * returns RILL_ECANCELED unless a task has failed. */
TASK_TEST(a_cancel_during_the_end_of_a_group)
{
    ends = 0;
    rill_task task = rill_spawn(end_group_of_stubborn, NULL);
    rill_sleep(0.01);
    CHECK_INT(rill_cancel_join(task, .reason = "now"), RILL_ECANCELED);
    CHECK_CONTAINS(rill_last_error()->message, "now");
    CHECK_INT(ends, 1); /* it was waited for */

    task = rill_spawn(end_group_of_stubborn, "of a task");
    rill_sleep(0.01);
    CHECK_INT(rill_cancel_join(task), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "of a task");
    CHECK_INT(ends, 2);
}

struct from_outside {
    rill_loop *loop;
    rill_task task;
    rill_event *event;
};

static void cancel_both_times(void *arg)
{
    const struct from_outside *outside = arg;
    if (outside->event)
        rill_event_set(outside->event);
    rill_cancel(outside->task, .reason = "from another thread");
    rill_cancel(outside->task, .reason = "once more");
}

static void *call_from_thread(void *arg)
{
    struct from_outside *outside = arg;
    usleep(2000);
    CHECK_INT(rill_call_soon_threadsafe(outside->loop, cancel_both_times, outside), 0);
    return NULL;
}

static void cancel_from_thread(struct from_outside *outside)
{
    pthread_t thread;
    outside->loop = rill_loop_ref(rill_loop_current());
    REQUIRE(pthread_create(&thread, NULL, call_from_thread, outside) == 0);
    rill_wait(&outside->task, 1);
    pthread_join(thread, NULL);
    rill_loop_unref(outside->loop);
}

/* A cancel from another thread: it is posted to the task's own loop, and means the same there. */
TASK_TEST(a_cancel_from_another_thread)
{
    struct from_outside outside = { .task = rill_spawn(sleep_and_keep_reason, &for_ever) };
    cancel_from_thread(&outside);
    CHECK_INT(rill_join(outside.task), RILL_ECANCELED);
    CHECK_STR(reason, "from another thread");

    rill_event event; /* and what came before it is delivered */
    rill_event_init(&event);
    outside = (struct from_outside){ .task = rill_spawn(wait_for_event, &event), .event = &event };
    cancel_from_thread(&outside);
    CHECK_INT(rill_join(outside.task), 0);
}

/* ---- the end of the loop, on a clock that jumps ---- */

static int leave_in_background(void *arg)
{
    rill_detach(rill_spawn(sleep_and_keep_reason, &for_ever, .name = "obedient"));
    rill_detach(rill_spawn(sleep_shielded, arg, .name = "stubborn"));
    rill_detach(rill_spawn(fail_after_cancel, "broken", .name = "failing"));
    return rill_sleep(0);
}

static void run_and_leave(double shielded)
{
    hear_the_log();
    ends = 0;
    reason[0] = '\0';
    rill__sim *sim = rill__sim_new(&(rill__sim_config){ .seed = 1 });
    rill__outcome outcome;
    rill__run_on(rill__sim_driver(sim), leave_in_background, &shielded, &outcome);
    CHECK_INT(outcome.result, 0);
    rill__sim_free(sim);
}

/* The loop shuts down: what is left is cancelled with that as its reason, its failures are logged;
 * who has not ended after 10 s is reported, and waited for. */
TEST(the_loop_shuts_down)
{
    run_and_leave(9.9);
    CHECK_STR(reason, "the loop has ended");
    CHECK_INT(ends, 1);
    CHECK_INT(logged_lines, 1);
    CHECK_CONTAINS(logged, "'failing' (");
    CHECK_CONTAINS(logged, "failed and nobody joined it: broken");

    run_and_leave(20.1);
    CHECK_INT(ends, 1);
    CHECK_INT(logged_lines, 2);
    CHECK_CONTAINS(logged, "it has ended, and tasks of it still wait: 'stubborn' (");
    CHECK_CONTAINS(logged, "for sleep");
    CHECK(!strstr(logged, "obedient"));
}

static int set_and_cancel(void *arg)
{
    struct from_outside *outside = arg;
    rill_cancel(outside->task);
    set_event(outside->event);
    return 0;
}

/* A wake and a cancel in the same turn, the cancel first: the wait was taken back, and what woke it
 * finds nobody. */
TASK_TEST(a_cancel_just_before_the_wake)
{
    rill_event event;
    rill_event_init(&event);
    rill_task waiter = rill_spawn(wait_for_event, &event);
    struct from_outside both = { .task = waiter, .event = &event };
    rill_sleep(0);
    CHECK_INT(rill_join(rill_spawn(set_and_cancel, &both)), 0);
    CHECK_INT(rill_join(waiter), RILL_ECANCELED);
    CHECK(rill_event_is_set(&event));
}
