/* Reports of the runtime with what inspect adds: whom a task waits for, and the calls it is in. */
#include "child.h"
#include "seen.h"

static void end_it(int number)
{
    (void)number;
    _exit(0); /* a deadlock lasts */
}

static int in_a_deadlock(rill_task_fn *fn)
{
    signal(SIGALRM, end_it);
    ualarm(200000, 0);
    return rill_run(fn, NULL);
}

static rill_mutex first, second;

static int lock_both(rill_mutex *one, rill_mutex *other)
{
    rill_mutex_lock(one);
    rill_sleep(0);
    int rc = rill_mutex_lock(other);
    rill_mutex_unlock(one);
    return rc;
}

static int lock_first(void *arg)
{
    (void)arg;
    return lock_both(&first, &second);
}

static int lock_second(void *arg)
{
    (void)arg;
    return lock_both(&second, &first);
}

static int embrace(void *arg)
{
    (void)arg;
    rill_mutex_init(&first);
    rill_mutex_init(&second);
    rill_task one = rill_spawn(lock_first, NULL, .name = "one");
    rill_task two = rill_spawn(lock_second, NULL, .name = "two");
    int rc = rill_join(one);
    return rc < 0 ? rc : rill_join(two);
}

static int run_embrace(void)
{
    return in_a_deadlock(embrace);
}

static int run_embrace_in_debug_mode(void)
{
    rill_inspect(.debug = true);
    return in_a_deadlock(embrace);
}

TEST(a_deadlock_says_who_waits_for_whom)
{
    struct child child = run_in_child(run_embrace);
    CHECK_CONTAINS(child.said, "deadlock: ");
    CHECK_CONTAINS(child.said, "'main' for join 'one', 'one' (");
    CHECK_CONTAINS(child.said, ") for a mutex of 'two', 'two' (");
    CHECK_CONTAINS(child.said, ") for a mutex of 'one'\n");
    CHECK(!strstr(child.said, "rill_mutex_lock"));
}

TEST(in_debug_mode_a_deadlock_shows_the_tree_with_calls)
{
    struct child child = run_in_child(run_embrace_in_debug_mode);
    char line[512];
    CHECK_CONTAINS(child.said, "deadlock: ");
    CHECK_CONTAINS(line_with(child.said, "one #", line), "waits: a mutex of 'two' #");
    CHECK_CONTAINS(child.said, "rill_mutex_lock+");
    CHECK_CONTAINS(child.said, "embrace+");
}

__attribute__((noinline)) static int try_again_and_again(int times)
{
    int failed = 0;
    for (int i = 0; i < times; i++)
        failed += rill_sleep(0.001) < 0;
    return failed;
}

static int stubborn(void *arg)
{
    (void)arg;
    return try_again_and_again(20000) > 19000 ? 0 : RILL_EFAILED;
}

static int cancel_a_stubborn_one(void *arg)
{
    (void)arg;
    rill_task task = rill_spawn(stubborn, NULL, .name = "stubborn");
    rill_sleep(0);
    rill_cancel(task);
    return rill_join(task);
}

static int run_stubborn(void)
{
    return rill_run(cancel_a_stubborn_one, NULL);
}

TEST(a_task_that_ignores_its_cancellation_is_told_once_with_its_calls)
{
    struct child child = run_in_child(run_stubborn);
    CHECK_INT(WEXITSTATUS(child.status), 0);
    CHECK_CONTAINS(child.said, "'stubborn' (");
    CHECK_CONTAINS(child.said, "ignores that it is cancelled: sleep tried 10000 times, in\n    ");
    const char *inner = strstr(child.said, "rill_sleep+");
    const char *outer = strstr(child.said, "try_again_and_again");
    CHECK(inner && outer && inner < outer);
    CHECK(!outer || !strstr(outer, "ignores"));
}

static int fail(void *arg)
{
    (void)arg;
    rill_sleep(0);
    return rill_fail(RILL_EFAILED, "the disk is full");
}

static int fail_unseen(void *arg)
{
    (void)arg;
    rill_detach(rill_spawn(fail, NULL, .name = "writer"));
    return rill_sleep(0.01);
}

static int run_fail_unseen(void)
{
    return rill_run(fail_unseen, NULL);
}

TEST(a_failure_that_nobody_joins_is_told)
{
    struct child child = run_in_child(run_fail_unseen);
    CHECK_CONTAINS(child.said, "rill task: 'writer' (");
    CHECK_CONTAINS(child.said, "report_test.c:");
    CHECK_CONTAINS(child.said, ") failed and nobody joined it: the disk is full\n");
}
